//! The nano configuration: the same architecture, small enough that a training run costs half a CPU minute.

use std::path::Path;

use burn::tensor::Device;
use rand::Rng;
use rand_distr::StandardNormal;
use serde_json::json;
use tokenizers::{
    AddedToken, TokenizerBuilder,
    decoders::byte_level::ByteLevel as Decoder,
    models::bpe::{BPE, BpeTrainer},
    normalizers::NormalizerWrapper,
    pre_tokenizers::{
        byte_level::ByteLevel,
        sequence::Sequence as Both,
        split::{Split, SplitPattern},
    },
    processors::PostProcessorWrapper,
    tokenizer::normalizer::SplitDelimiterBehavior,
};

use super::{
    Model, ModelError,
    config::{DecoderConfig, ModelConfig, PictureConfig, TokenIds, VisionConfig},
    qwen2_vl::Qwen2Vl,
    weights::{Source, WeightError, to_safetensors},
};
use crate::{
    seed::{ChaCha8Rng, Seed},
    store,
};

/// Bytes, merges and special tokens together.
const VOCABULARY: usize = 1024;
/// Qwen2's pre-tokenizer with digits in pairs, so that a coordinate is one token.
const SPLIT: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const END_OF_TEXT: &str = "<|endoftext|>";
const END: &str = "<|im_end|>";
const SPECIAL: [&str; 6] =
    [END_OF_TEXT, "<|im_start|>", END, "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"];
/// One token each, and ordinary text all the same.
const TAGS: [&str; 4] = ["<think>", "</think>", "<answer>", "</answer>"];
/// A turn without role names: they would cost a tenth of a short prompt.
const CHAT_TEMPLATE: &str = "{% for message in messages %}{% if message['content'] is string %}{{ message['content'] }}\
{% else %}{% for content in message['content'] %}{% if content['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>\
{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>{% endfor %}\
{% if add_generation_prompt %}<|im_start|>{% endif %}";

/// The files of the embedded base; `experiments/nano_base` makes them again from nothing.
const EMBEDDED: [(&str, &[u8]); 6] = [
    ("chat_template.json", include_bytes!("../../assets/nano/chat_template.json")),
    ("config.json", include_bytes!("../../assets/nano/config.json")),
    ("generation_config.json", include_bytes!("../../assets/nano/generation_config.json")),
    ("model.safetensors", include_bytes!("../../assets/nano/model.safetensors")),
    ("preprocessor_config.json", include_bytes!("../../assets/nano/preprocessor_config.json")),
    ("tokenizer.json", include_bytes!("../../assets/nano/tokenizer.json")),
];

/// The embedded base, a nano model that half knows the embedded tasks.
pub fn embedded(device: &Device) -> Result<Model, NanoError> {
    // Checkpoints are read from folders only; a temporary one costs milliseconds and keeps that the one way.
    let folder = tempfile::tempdir()?;
    for (name, bytes) in EMBEDDED {
        std::fs::write(folder.path().join(name), bytes)?;
    }
    Ok(Model::load(folder.path(), device)?)
}

/// Writes what the embedded base has beside its weights: sizes and tokenizer.
pub fn write_without_weights(folder: &Path) -> std::io::Result<()> {
    let others = EMBEDDED.iter().filter(|(name, _)| *name != "model.safetensors");
    others.into_iter().try_for_each(|(name, bytes)| std::fs::write(folder.join(name), bytes))
}

/// What can go wrong in making a nano model.
#[derive(Debug, thiserror::Error)]
pub enum NanoError {
    /// The tokenizer.
    #[error("the tokenizer cannot be trained: {0}")]
    Tokenizer(String),
    /// A file.
    #[error(transparent)]
    Write(#[from] std::io::Error),
    /// Reading back what was written.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The weights.
    #[error(transparent)]
    Weights(#[from] WeightError),
}

/// Makes an untrained nano model in a folder: a byte-level BPE learnt from `texts`, random weights from `seed`.
pub fn create(
    folder: &Path,
    texts: impl Iterator<Item = String> + Send,
    seed: Seed,
    device: &Device,
) -> Result<Model, NanoError> {
    let failed = |e: tokenizers::Error| NanoError::Tokenizer(e.to_string());
    let split = Split::new(SplitPattern::Regex(SPLIT.to_owned()), SplitDelimiterBehavior::Isolated, false);
    let mut tokenizer =
        TokenizerBuilder::<BPE, NormalizerWrapper, Both, PostProcessorWrapper, Decoder>::new()
            .with_model(BPE::default())
            .with_normalizer(None)
            .with_pre_tokenizer(Some(Both::new(vec![
                split.map_err(failed)?.into(),
                ByteLevel::new(false, true, false).into(),
            ])))
            .with_post_processor(None)
            .with_decoder(Some(Decoder::default()))
            .build()
            .map_err(failed)?;
    let mut trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(VOCABULARY - SPECIAL.len() - TAGS.len())
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    tokenizer.train(&mut trainer, texts).map_err(failed)?;
    let _ = tokenizer.add_special_tokens(SPECIAL.map(|t| AddedToken::from(t, true)));
    let _ = tokenizer.add_tokens(TAGS.map(|t| AddedToken::from(t, false).normalized(false)));
    let id = |token: &str| {
        tokenizer.token_to_id(token).ok_or_else(|| NanoError::Tokenizer(format!("`{token}` was not added")))
    };
    let tokens = TokenIds {
        image: id("<|image_pad|>")?,
        video: None,
        vision_start: id("<|vision_start|>")?,
        vision_end: id("<|vision_end|>")?,
        bos: Some(id(END_OF_TEXT)?),
        eos: vec![id(END)?, id(END_OF_TEXT)?],
        pad: id(END_OF_TEXT)?,
    };
    let config = config(tokens);
    for (name, value) in config.files() {
        store::write_whole(&folder.join(name), &store::to_json_pretty(&value))?;
    }
    let json = tokenizer.to_string(false).map_err(failed)?;
    store::write_whole(&folder.join("tokenizer.json"), json.as_bytes())?;
    let template = json!({ "chat_template": CHAT_TEMPLATE });
    store::write_whole(&folder.join("chat_template.json"), &store::to_json_pretty(&template))?;
    let network = Qwen2Vl::from_source(&config, &mut Random::new(&config, seed), device)?;
    store::write_whole(&folder.join("model.safetensors"), &to_safetensors(&network.named(), false))?;
    Ok(Model::load(folder, device)?)
}

/// Sizes: 1.3 M parameters, a merged patch for every 16 × 16 pixels.
fn config(tokens: TokenIds) -> ModelConfig {
    let hidden_size = 128;
    ModelConfig {
        vision: VisionConfig {
            depth: 3,
            embed_dim: 96,
            num_heads: 4,
            mlp_ratio: 2,
            patch_size: 8,
            spatial_merge_size: 2,
            temporal_patch_size: 2,
            in_channels: 3,
            hidden_size,
            rope_theta: 10_000.0,
        },
        decoder: DecoderConfig {
            vocab_size: VOCABULARY,
            hidden_size,
            intermediate_size: 320,
            num_hidden_layers: 4,
            num_attention_heads: 4,
            num_key_value_heads: 2,
            rms_norm_eps: 1e-6,
            rope_theta: 10_000.0,
            mrope_section: [4, 6, 6],
            tie_word_embeddings: true,
            max_position_embeddings: 4096,
        },
        picture: PictureConfig {
            min_pixels: 64 * 64,
            max_pixels: 112 * 112,
            image_mean: [0.5; 3],
            image_std: [0.5; 3],
            patch_size: 8,
            merge_size: 2,
            temporal_patch_size: 2,
        },
        tokens,
    }
}

/// Normal weights with the spread of PyTorch's linear layers; ends of residual branches are smaller by the root of
/// their number, so that depth does not widen the stream (GPT-2's rule).
struct Random {
    rng: ChaCha8Rng,
    vision_branches: f32,
    decoder_branches: f32,
}

impl Random {
    fn new(config: &ModelConfig, seed: Seed) -> Self {
        let branches = |layers: usize| (2.0 * layers as f32).sqrt();
        Self {
            rng: seed.child("weights").rng(),
            vision_branches: branches(config.vision.depth),
            decoder_branches: branches(config.decoder.num_hidden_layers),
        }
    }
}

impl Source for Random {
    fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, WeightError> {
        let n = shape.iter().product();
        if shape.len() == 1 {
            let is_scale = name.ends_with("weight");
            return Ok(vec![if is_scale { 1.0 } else { 0.0 }; n]);
        }
        let fan_in = shape[1..].iter().product::<usize>() as f32;
        let mut spread = (1.0 / (3.0 * fan_in)).sqrt();
        if name.ends_with("o_proj.weight") || name.ends_with("down_proj.weight") {
            spread /= self.decoder_branches;
        } else if name.ends_with("attn.proj.weight") || name.ends_with("fc2.weight") {
            spread /= self.vision_branches;
        }
        Ok((0..n).map(|_| spread * self.rng.sample::<f32, _>(StandardNormal)).collect())
    }
}
