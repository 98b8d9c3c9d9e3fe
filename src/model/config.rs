//! What a checkpoint folder says about its model, in both layouts that exist.
//!
//! Published with Qwen2-VL: a flat `config.json` with `rope_scaling`, and `preprocessor_config.json`. Written by transformers 5:
//! `text_config` and `rope_parameters` in `config.json`, and `processor_config.json`. Defaults are those of transformers'
//! `Qwen2VLConfig` and `Qwen2VLImageProcessor`. The files are untrusted: every number is checked before anything is sized by it.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

/// Everything the model, the image preparation and the generation need to know besides the weights.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// The vision tower.
    pub vision: VisionConfig,
    /// The language model.
    pub decoder: DecoderConfig,
    /// How pictures are prepared.
    pub picture: PictureConfig,
    /// Tokens with a meaning of their own.
    pub tokens: TokenIds,
}

/// Sizes of the vision tower.
#[derive(Clone, Debug, PartialEq)]
pub struct VisionConfig {
    /// Number of blocks, 1 to 1,024.
    pub depth: usize,
    /// Width of a block; a multiple of `4 * num_heads`, as 2-D rotary positions need.
    pub embed_dim: usize,
    /// Attention heads.
    pub num_heads: usize,
    /// Width of a block's MLP in units of `embed_dim`.
    pub mlp_ratio: usize,
    /// Side of a square patch, in pixels.
    pub patch_size: usize,
    /// Patches along each side of the square that becomes one token.
    pub spatial_merge_size: usize,
    /// Frames per patch; a picture is repeated this often.
    pub temporal_patch_size: usize,
    /// Colour channels: 3.
    pub in_channels: usize,
    /// Width of what comes out: the decoder's `hidden_size`.
    pub hidden_size: usize,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
}

/// Sizes of the language model.
#[derive(Clone, Debug, PartialEq)]
pub struct DecoderConfig {
    /// Rows of the embedding and of the head.
    pub vocab_size: usize,
    /// Width of a layer.
    pub hidden_size: usize,
    /// Width of a layer's MLP.
    pub intermediate_size: usize,
    /// Number of layers, 1 to 1,024.
    pub num_hidden_layers: usize,
    /// Query heads; divide `hidden_size`.
    pub num_attention_heads: usize,
    /// Key and value heads; divide the query heads.
    pub num_key_value_heads: usize,
    /// Added to the mean square before the root.
    pub rms_norm_eps: f64,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// How many of the `head_dim / 2` rotary frequencies follow time, height and width.
    pub mrope_section: [usize; 3],
    /// Whether the head is the transposed embedding.
    pub tie_word_embeddings: bool,
    /// Longest sequence the model was trained for, in tokens.
    pub max_position_embeddings: usize,
}

/// How a picture becomes patches.
#[derive(Clone, Debug, PartialEq)]
pub struct PictureConfig {
    /// Fewest pixels after resizing.
    pub min_pixels: usize,
    /// Most pixels after resizing.
    pub max_pixels: usize,
    /// Mean of each channel, for values in [0, 1].
    pub image_mean: [f64; 3],
    /// Standard deviation of each channel, above 0.
    pub image_std: [f64; 3],
    /// As in [`VisionConfig`].
    pub patch_size: usize,
    /// As `spatial_merge_size` in [`VisionConfig`].
    pub merge_size: usize,
    /// As in [`VisionConfig`].
    pub temporal_patch_size: usize,
}

/// Tokens with a meaning of their own; every one is below `vocab_size`.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenIds {
    /// Stands for one merged square of a picture.
    pub image: u32,
    /// Stands for one merged square of a video; no input here has any.
    pub video: Option<u32>,
    /// Before a picture.
    pub vision_start: u32,
    /// After a picture.
    pub vision_end: u32,
    /// Starts a text; Qwen2-VL names one and never writes it.
    pub bos: Option<u32>,
    /// Each of these ends a completion; never empty.
    pub eos: Vec<u32>,
    /// Fills batches; the first of `eos` where the files name none.
    pub pad: u32,
}

/// A file of a checkpoint folder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is missing or unreadable.
    #[error("{}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is larger than such a file can be.
    #[error("{}: {bytes} bytes, and such a file has at most {limit}", file.display())]
    Large {
        /// The file.
        file: PathBuf,
        /// Its size.
        bytes: u64,
        /// The most that is read.
        limit: u64,
    },
    /// It is not JSON.
    #[error("{}: {source}", file.display())]
    Json {
        /// The file.
        file: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A key is missing or its value is impossible.
    #[error("{}: `{key}` {problem}", file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// The key, with dots between tables.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// Mean of CLIP's training pictures.
const CLIP_MEAN: [f64; 3] = [0.48145466, 0.4578275, 0.40821073];
/// Their standard deviation.
const CLIP_STD: [f64; 3] = [0.26862954, 0.26130258, 0.27577711];
/// No layer of any known model is wider; the bound keeps products of sizes far from overflow.
const MAX_WIDTH: usize = 1 << 18;
/// Largest JSON file that is read; a tokenizer of 150,000 tokens takes 7 MB.
const MAX_JSON_BYTES: u64 = 256 << 20;

impl ModelConfig {
    /// Reads `config.json`, the image processor's file and, where there is one, `generation_config.json` of a checkpoint folder.
    pub fn read(folder: &Path) -> Result<Self, ConfigError> {
        let config = File::read(folder.join("config.json"))?;
        let root = config.root()?;
        let kind = root.text("model_type")?.unwrap_or("qwen2_vl");
        if kind != "qwen2_vl" {
            return Err(root.wrong("model_type", format!("is `{kind}`; only `qwen2_vl` is known")));
        }
        let text = root.table("text_config")?;
        let decoder = decoder(&root, text.as_ref().unwrap_or(&root))?;
        let vision = vision(&root, &decoder)?;
        let tokens = tokens(folder, &root, text.as_ref().unwrap_or(&root), decoder.vocab_size)?;
        let picture = picture(folder, &vision)?;
        Ok(Self { vision, decoder, picture, tokens })
    }

    /// The files of the published layout that [`ModelConfig::read`] reads back as this, by name.
    pub fn files(&self) -> [(&'static str, Value); 3] {
        let (vision, decoder, picture, tokens) = (&self.vision, &self.decoder, &self.picture, &self.tokens);
        let mut config = json!({
            "architectures": ["Qwen2VLForConditionalGeneration"],
            "model_type": "qwen2_vl",
            "attention_dropout": 0.0,
            "bos_token_id": tokens.bos,
            "eos_token_id": tokens.eos[0],
            "pad_token_id": tokens.pad,
            "image_token_id": tokens.image,
            "vision_start_token_id": tokens.vision_start,
            "vision_end_token_id": tokens.vision_end,
            "hidden_act": "silu",
            "hidden_size": decoder.hidden_size,
            "intermediate_size": decoder.intermediate_size,
            "max_position_embeddings": decoder.max_position_embeddings,
            "num_attention_heads": decoder.num_attention_heads,
            "num_hidden_layers": decoder.num_hidden_layers,
            "num_key_value_heads": decoder.num_key_value_heads,
            "rms_norm_eps": decoder.rms_norm_eps,
            "rope_theta": decoder.rope_theta,
            "rope_scaling": {"type": "mrope", "mrope_section": decoder.mrope_section},
            "tie_word_embeddings": decoder.tie_word_embeddings,
            "torch_dtype": "bfloat16",
            "use_sliding_window": false,
            "vision_config": {
                "depth": vision.depth,
                "embed_dim": vision.embed_dim,
                "hidden_act": "quick_gelu",
                "hidden_size": vision.hidden_size,
                "in_channels": vision.in_channels,
                "mlp_ratio": vision.mlp_ratio,
                "num_heads": vision.num_heads,
                "patch_size": vision.patch_size,
                "rope_parameters": {"rope_theta": vision.rope_theta, "rope_type": "axial"},
                "spatial_merge_size": vision.spatial_merge_size,
                "temporal_patch_size": vision.temporal_patch_size,
            },
            "vocab_size": decoder.vocab_size,
        });
        if let Some(video) = tokens.video {
            config["video_token_id"] = json!(video);
        }
        let preprocessor = json!({
            "image_mean": picture.image_mean,
            "image_processor_type": "Qwen2VLImageProcessor",
            "image_std": picture.image_std,
            "max_pixels": picture.max_pixels,
            "merge_size": picture.merge_size,
            "min_pixels": picture.min_pixels,
            "patch_size": picture.patch_size,
            "processor_class": "Qwen2VLProcessor",
            "temporal_patch_size": picture.temporal_patch_size,
        });
        let generation = json!({
            "bos_token_id": tokens.bos,
            "eos_token_id": tokens.eos,
            "pad_token_id": tokens.pad,
        });
        [
            ("config.json", config),
            ("preprocessor_config.json", preprocessor),
            ("generation_config.json", generation),
        ]
    }
}

impl VisionConfig {
    /// Width of an attention head.
    pub fn head_dim(&self) -> usize {
        self.embed_dim / self.num_heads
    }

    /// Numbers in one patch: channels × frames × side × side.
    pub fn patch_dim(&self) -> usize {
        self.in_channels * self.temporal_patch_size * self.patch_size * self.patch_size
    }
}

impl DecoderConfig {
    /// Width of an attention head.
    pub fn head_dim(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }
}

fn decoder(root: &Table, text: &Table) -> Result<DecoderConfig, ConfigError> {
    let hidden_size = text.size("hidden_size", None, MAX_WIDTH)?;
    let heads = text.size("num_attention_heads", None, 4096)?;
    let kv_heads = text.size("num_key_value_heads", Some(heads), 4096)?;
    if !hidden_size.is_multiple_of(heads) || !(hidden_size / heads).is_multiple_of(2) {
        let problem = format!("is {heads}; `hidden_size` {hidden_size} must be an even multiple of it");
        return Err(text.wrong("num_attention_heads", problem));
    }
    if !heads.is_multiple_of(kv_heads) {
        let problem = format!("is {kv_heads} and does not divide `num_attention_heads` {heads}");
        return Err(text.wrong("num_key_value_heads", problem));
    }
    text.only("hidden_act", "silu")?;
    if text.flag("use_sliding_window")? == Some(true) {
        return Err(text.wrong("use_sliding_window", "is true; only full attention is known"));
    }
    // `rope_scaling` before transformers 5, `rope_parameters` since, where `rope_theta` moved in as well.
    let rope = match text.table("rope_parameters")? {
        Some(rope) => Some(rope),
        None => text.table("rope_scaling")?,
    };
    let mut rope_theta = text.number("rope_theta")?;
    let mut mrope_section = [16, 24, 24];
    if let Some(rope) = &rope {
        for key in ["rope_type", "type"] {
            if let Some(kind) = rope.text(key)?
                && !["default", "mrope"].contains(&kind)
            {
                return Err(rope.wrong(key, format!("is `{kind}`; only `default` and `mrope` are known")));
            }
        }
        rope_theta = rope.number("rope_theta")?.or(rope_theta);
        mrope_section = rope.sizes("mrope_section")?.unwrap_or(mrope_section);
    }
    let half = hidden_size / heads / 2;
    if mrope_section.iter().sum::<usize>() != half {
        let at = rope.as_ref().unwrap_or(text);
        let problem = format!("is {mrope_section:?}; it must sum to half of a head's width, {half}");
        return Err(at.wrong("mrope_section", problem));
    }
    // transformers before 5 wrote the flag into `text_config`.
    let tied = root.flag("tie_word_embeddings")?.unwrap_or(false)
        || text.flag("tie_word_embeddings")?.unwrap_or(false);
    Ok(DecoderConfig {
        vocab_size: text.size("vocab_size", None, 1 << 24)?,
        hidden_size,
        intermediate_size: text.size("intermediate_size", None, MAX_WIDTH)?,
        num_hidden_layers: text.size("num_hidden_layers", None, 1024)?,
        num_attention_heads: heads,
        num_key_value_heads: kv_heads,
        rms_norm_eps: text.positive("rms_norm_eps", text.number("rms_norm_eps")?.unwrap_or(1e-5))?,
        rope_theta: text.positive("rope_theta", rope_theta.unwrap_or(1e6))?,
        mrope_section,
        tie_word_embeddings: tied,
        max_position_embeddings: text.size("max_position_embeddings", Some(32_768), 1 << 30)?,
    })
}

fn vision(root: &Table, decoder: &DecoderConfig) -> Result<VisionConfig, ConfigError> {
    let table = root.table("vision_config")?.ok_or_else(|| root.wrong("vision_config", "is missing"))?;
    let embed_dim = table.size("embed_dim", None, MAX_WIDTH)?;
    let num_heads = table.size("num_heads", None, 4096)?;
    if !embed_dim.is_multiple_of(4 * num_heads) {
        let problem = format!("is {embed_dim}; it must be a multiple of 4 × `num_heads` {num_heads}");
        return Err(table.wrong("embed_dim", problem));
    }
    let hidden_size = table.size("hidden_size", None, MAX_WIDTH)?;
    if hidden_size != decoder.hidden_size {
        let problem = format!("is {hidden_size} and the decoder's is {}", decoder.hidden_size);
        return Err(table.wrong("hidden_size", problem));
    }
    table.only("hidden_act", "quick_gelu")?;
    let rope_theta = match table.table("rope_parameters")? {
        Some(rope) => rope.number("rope_theta")?.unwrap_or(1e4),
        None => 1e4,
    };
    // Published files say `in_chans`; the reference does not read it and takes 3.
    let channels = table.size("in_channels", Some(3), 16)?;
    if channels != 3 {
        return Err(table.wrong("in_channels", format!("is {channels}; pictures here have 3")));
    }
    Ok(VisionConfig {
        depth: table.size("depth", None, 1024)?,
        embed_dim,
        num_heads,
        mlp_ratio: table.size("mlp_ratio", Some(4), 64)?,
        patch_size: table.size("patch_size", Some(14), 256)?,
        spatial_merge_size: table.size("spatial_merge_size", Some(2), 16)?,
        temporal_patch_size: table.size("temporal_patch_size", Some(2), 16)?,
        in_channels: channels,
        hidden_size,
        rope_theta: table.positive("rope_parameters.rope_theta", rope_theta)?,
    })
}

fn tokens(folder: &Path, root: &Table, text: &Table, vocab_size: usize) -> Result<TokenIds, ConfigError> {
    let generation = File::read_optional(folder.join("generation_config.json"))?;
    let generation = generation.as_ref().map(File::root).transpose()?;
    // Generation asks its own file first, then the model's.
    let mut places: Vec<&Table> = generation.iter().collect();
    places.extend([text, root]);
    let named = |key: &str| -> Result<Vec<u32>, ConfigError> {
        for place in &places {
            let ids = place.tokens(key, vocab_size)?;
            if !ids.is_empty() {
                return Ok(ids);
            }
        }
        Ok(Vec::new())
    };
    let one = |key: &str| -> Result<Option<u32>, ConfigError> {
        let ids = root.tokens(key, vocab_size)?;
        Ok(ids.first().copied())
    };
    let required =
        |key: &str| -> Result<u32, ConfigError> { one(key)?.ok_or_else(|| root.wrong(key, "is missing")) };
    let eos = named("eos_token_id")?;
    let Some(&first) = eos.first() else { return Err(root.wrong("eos_token_id", "is missing")) };
    Ok(TokenIds {
        image: required("image_token_id")?,
        video: one("video_token_id")?,
        vision_start: required("vision_start_token_id")?,
        vision_end: required("vision_end_token_id")?,
        bos: named("bos_token_id")?.first().copied(),
        pad: named("pad_token_id")?.first().copied().unwrap_or(first),
        eos,
    })
}

fn picture(folder: &Path, vision: &VisionConfig) -> Result<PictureConfig, ConfigError> {
    // The reference's order: the nested settings of `processor_config.json` win over the old file.
    let new = File::read_optional(folder.join("processor_config.json"))?;
    let new = new.as_ref().map(File::root).transpose()?;
    let nested = new.as_ref().map(|root| root.table("image_processor")).transpose()?.flatten();
    let old;
    let table = if let Some(table) = nested {
        table
    } else {
        old = File::read(folder.join("preprocessor_config.json"))?;
        old.root()?
    };
    for key in ["do_resize", "do_rescale", "do_normalize"] {
        if table.flag(key)? == Some(false) {
            return Err(table.wrong(key, "is false; pictures are always resized, rescaled and normalised"));
        }
    }
    if let Some(factor) = table.number("rescale_factor")?
        && (factor * 255.0 - 1.0).abs() > 1e-6
    {
        return Err(table.wrong("rescale_factor", format!("is {factor}; only 1/255 is known")));
    }
    if let Some(filter) = table.number("resample")?
        && filter != 3.0
    {
        return Err(table.wrong("resample", format!("is {filter}; only 3 (bicubic) is known")));
    }
    let most = 1 << 28;
    let (mut fewest, mut limit) = (None, None);
    if let Some(size) = table.table("size")? {
        fewest = size.optional_size(&["shortest_edge", "min_pixels"], most)?;
        limit = size.optional_size(&["longest_edge", "max_pixels"], most)?;
    }
    let min_pixels = table.optional_size(&["min_pixels"], most)?.or(fewest).unwrap_or(56 * 56);
    let max_pixels = table.optional_size(&["max_pixels"], most)?.or(limit).unwrap_or(28 * 28 * 1280);
    if min_pixels > max_pixels {
        let problem = format!("is {min_pixels}, above `max_pixels` {max_pixels}");
        return Err(table.wrong("min_pixels", problem));
    }
    for (key, expected) in [
        ("patch_size", vision.patch_size),
        ("merge_size", vision.spatial_merge_size),
        ("temporal_patch_size", vision.temporal_patch_size),
    ] {
        let given = table.size(key, Some(expected), 256)?;
        if given != expected {
            let problem = format!("is {given}, and the vision tower in config.json has {expected}");
            return Err(table.wrong(key, problem));
        }
    }
    let image_std = table.channels("image_std")?.unwrap_or(CLIP_STD);
    if image_std.iter().any(|&value| value <= 0.0) {
        return Err(table.wrong("image_std", format!("is {image_std:?}; each must be above 0")));
    }
    Ok(PictureConfig {
        min_pixels,
        max_pixels,
        image_mean: table.channels("image_mean")?.unwrap_or(CLIP_MEAN),
        image_std,
        patch_size: vision.patch_size,
        merge_size: vision.spatial_merge_size,
        temporal_patch_size: vision.temporal_patch_size,
    })
}

/// A JSON file and its name, for messages.
pub(super) struct File {
    path: PathBuf,
    value: Value,
}

impl File {
    /// Reads a file that has to be there.
    pub(super) fn read(path: PathBuf) -> Result<Self, ConfigError> {
        let bytes = read_bytes(&path)?;
        match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(Self { path, value }),
            Err(source) => Err(ConfigError::Json { file: path, source }),
        }
    }

    /// Reads a file that may be missing.
    pub(super) fn read_optional(path: PathBuf) -> Result<Option<Self>, ConfigError> {
        if path.is_file() { Self::read(path).map(Some) } else { Ok(None) }
    }

    /// Its keys.
    pub(super) fn root(&self) -> Result<Table<'_>, ConfigError> {
        match &self.value {
            Value::Object(map) => Ok(Table { file: &self.path, prefix: String::new(), map }),
            _ => Err(ConfigError::Key {
                file: self.path.clone(),
                key: String::new(),
                problem: "must be a JSON object".to_owned(),
            }),
        }
    }
}

/// The content of a file of bounded size.
pub(super) fn read_bytes(path: &Path) -> Result<Vec<u8>, ConfigError> {
    let read = |source| ConfigError::Read { file: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(read)?.len();
    if bytes > MAX_JSON_BYTES {
        return Err(ConfigError::Large { file: path.to_owned(), bytes, limit: MAX_JSON_BYTES });
    }
    std::fs::read(path).map_err(read)
}

/// The keys of a JSON object and where it stands. A key whose value is null counts as missing.
pub(super) struct Table<'a> {
    file: &'a Path,
    prefix: String,
    map: &'a Map<String, Value>,
}

impl<'a> Table<'a> {
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// Every key with its value.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.map.iter()
    }

    /// What is wrong with a key.
    pub(super) fn wrong(&self, key: &str, problem: impl Into<String>) -> ConfigError {
        let key = format!("{}{key}", self.prefix);
        ConfigError::Key { file: self.file.to_owned(), key, problem: problem.into() }
    }

    /// A table inside this one.
    pub(super) fn table(&self, key: &str) -> Result<Option<Table<'a>>, ConfigError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Object(map)) => {
                Ok(Some(Table { file: self.file, prefix: format!("{}{key}.", self.prefix), map }))
            }
            Some(_) => Err(self.wrong(key, "must be an object")),
        }
    }

    /// A text.
    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, ConfigError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(key, "must be a text")),
        }
    }

    /// A truth value.
    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, ConfigError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(self.wrong(key, "must be true or false")),
        }
    }

    fn only(&self, key: &str, known: &str) -> Result<(), ConfigError> {
        match self.text(key)? {
            Some(given) if given != known => {
                Err(self.wrong(key, format!("is `{given}`; only `{known}` is known")))
            }
            _ => Ok(()),
        }
    }

    fn number(&self, key: &str) -> Result<Option<f64>, ConfigError> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match value.as_f64() {
                Some(number) if number.is_finite() => Ok(Some(number)),
                _ => Err(self.wrong(key, "must be a number")),
            },
        }
    }

    fn positive(&self, key: &str, number: f64) -> Result<f64, ConfigError> {
        if number > 0.0 {
            Ok(number)
        } else {
            Err(self.wrong(key, format!("is {number}; it must be above 0")))
        }
    }

    fn optional_size(&self, keys: &[&str], most: usize) -> Result<Option<usize>, ConfigError> {
        for key in keys {
            if let Some(number) = self.number(key)? {
                // `4.0` counts as 4: some tools write every number with a point.
                if number < 1.0 || number > most as f64 || number.fract() != 0.0 {
                    return Err(
                        self.wrong(key, format!("is {number}; it must be a whole number from 1 to {most}"))
                    );
                }
                return Ok(Some(number as usize));
            }
        }
        Ok(None)
    }

    fn size(&self, key: &str, default: Option<usize>, most: usize) -> Result<usize, ConfigError> {
        self.optional_size(&[key], most)?.or(default).ok_or_else(|| self.wrong(key, "is missing"))
    }

    fn sizes(&self, key: &str) -> Result<Option<[usize; 3]>, ConfigError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let sizes: Option<Vec<usize>> = value.as_array().and_then(|list| {
            list.iter().map(|v| v.as_u64().filter(|&n| n <= MAX_WIDTH as u64).map(|n| n as usize)).collect()
        });
        match sizes.as_deref() {
            Some(&[a, b, c]) => Ok(Some([a, b, c])),
            _ => Err(self.wrong(key, "must be three whole numbers")),
        }
    }

    fn channels(&self, key: &str) -> Result<Option<[f64; 3]>, ConfigError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let numbers: Option<Vec<f64>> =
            value.as_array().and_then(|list| list.iter().map(Value::as_f64).collect());
        match numbers.as_deref() {
            Some(&[r, g, b]) => Ok(Some([r, g, b])),
            _ => Err(self.wrong(key, "must be three numbers")),
        }
    }

    /// One token or a list of them.
    fn tokens(&self, key: &str, vocab_size: usize) -> Result<Vec<u32>, ConfigError> {
        let listed: Vec<&Value> = match self.get(key) {
            None => return Ok(Vec::new()),
            Some(Value::Array(list)) => list.iter().collect(),
            Some(value) => vec![value],
        };
        let token = |value: &Value| -> Result<u32, ConfigError> {
            let id = value.as_u64().filter(|&id| id < vocab_size as u64);
            id.map(|id| id as u32).ok_or_else(|| {
                self.wrong(key, format!("has {value}; a token is a number below {vocab_size}"))
            })
        };
        listed.into_iter().map(token).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_layouts_are_read() {
        let v5 = ModelConfig::read(&fixture("v5")).unwrap();
        let published = ModelConfig::read(&fixture("published")).unwrap();
        assert_eq!(v5.decoder.hidden_size, 64);
        assert_eq!(v5.decoder.mrope_section, [2, 3, 3]);
        assert_eq!(v5.vision.embed_dim, 32);
        assert!(!v5.decoder.tie_word_embeddings);
        assert_eq!(published.decoder.hidden_size, 80);
        assert_eq!(published.decoder.mrope_section, [2, 4, 4]);
        assert_eq!(published.vision.num_heads, 3);
        assert!(published.decoder.tie_word_embeddings);
        for config in [&v5, &published] {
            assert_eq!(config.picture.min_pixels, 56 * 56);
            assert_eq!(config.picture.max_pixels, 84 * 112);
            assert_eq!(config.picture.image_mean, CLIP_MEAN);
            assert_eq!(config.decoder.num_key_value_heads, 2);
            assert_eq!(config.decoder.rope_theta, 1e6);
            assert_eq!(config.decoder.rms_norm_eps, 1e-6);
            assert_eq!(config.vision.patch_dim(), 3 * 2 * 14 * 14);
            assert_eq!(config.tokens.eos, [378, 376]);
            assert_eq!(config.tokens.pad, 376);
            assert_eq!(config.tokens.image, 388);
        }
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        for name in ["v5", "published"] {
            let config = ModelConfig::read(&fixture(name)).unwrap();
            let folder = Folder::new(&format!("roundtrip-{name}"));
            for (file, value) in config.files() {
                std::fs::write(folder.0.join(file), value.to_string()).unwrap();
            }
            assert_eq!(ModelConfig::read(&folder.0).unwrap(), config);
        }
    }

    #[test]
    fn an_impossible_value_is_an_error_that_names_file_and_key() {
        check("hidden_size", json!(0), "config.json: `hidden_size` is 0; it must be a whole number from 1");
        check("hidden_size", json!(1e30), "`hidden_size` is 1000000000000000000000000000000; it must be");
        check("hidden_size", json!("wide"), "`hidden_size` must be a number");
        check("vocab_size", Value::Null, "`vocab_size` is missing");
        check("num_attention_heads", json!(3), "`hidden_size` 80 must be an even multiple of it");
        check("num_key_value_heads", json!(3), "does not divide `num_attention_heads` 4");
        check(
            "rope_scaling",
            json!({"type": "mrope", "mrope_section": [1, 2, 3]}),
            "`rope_scaling.mrope_section` is [1, 2, 3]; it must sum to half of a head's width, 10",
        );
        check("rope_scaling", json!({"type": "yarn"}), "`rope_scaling.type` is `yarn`");
        check("model_type", json!("llava"), "`model_type` is `llava`; only `qwen2_vl` is known");
        check("image_token_id", json!(400), "has 400; a token is a number below 400");
        check("rms_norm_eps", json!(-1.0), "it must be above 0");
        check("use_sliding_window", json!(true), "only full attention is known");
        check("vision_config", json!({"embed_dim": 30, "num_heads": 2}), "`vision_config.embed_dim` is 30");
    }

    #[test]
    fn a_missing_or_broken_file_is_named() {
        let folder = Folder::new("broken");
        let message = ModelConfig::read(&folder.0).unwrap_err().to_string();
        assert!(message.contains("config.json"), "{message}");
        std::fs::write(folder.0.join("config.json"), "{\"a\": ").unwrap();
        let message = ModelConfig::read(&folder.0).unwrap_err().to_string();
        assert!(message.contains("config.json: EOF"), "{message}");
        std::fs::write(folder.0.join("config.json"), "[1]").unwrap();
        let message = ModelConfig::read(&folder.0).unwrap_err().to_string();
        assert!(message.contains("must be a JSON object"), "{message}");
    }

    #[test]
    fn image_settings_that_contradict_the_vision_tower_are_an_error() {
        let config = ModelConfig::read(&fixture("published")).unwrap();
        let folder = Folder::new("contradiction");
        for (file, mut value) in config.files() {
            if file == "preprocessor_config.json" {
                value["patch_size"] = json!(16);
            }
            std::fs::write(folder.0.join(file), value.to_string()).unwrap();
        }
        let message = ModelConfig::read(&folder.0).unwrap_err().to_string();
        assert!(message.contains("`patch_size` is 16, and the vision tower"), "{message}");
    }

    fn check(key: &str, value: Value, expected: &str) {
        let config = ModelConfig::read(&fixture("published")).unwrap();
        let folder = Folder::new("impossible");
        for (file, mut content) in config.files() {
            if file == "config.json" {
                content[key] = value.clone();
            }
            std::fs::write(folder.0.join(file), content.to_string()).unwrap();
        }
        let message = ModelConfig::read(&folder.0).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/fixtures").join(name)
    }

    /// A folder of one test, removed at its end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("modo-config-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}
