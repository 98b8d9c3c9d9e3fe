//! The model: one architecture at every size, its checkpoints, pictures, tokens and generation.

mod complete;
pub mod config;
pub mod features;
pub mod generate;
pub mod image;
pub mod nano;
pub mod qwen2_vl;
pub mod rope_index;
pub mod tokenizer;
pub mod weights;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use ::image::RgbImage;
use burn::tensor::Device;

use crate::store;
use config::{ConfigError, ModelConfig};
use image::{ImageError, PatchedImage, prepare};
use qwen2_vl::{Qwen2Vl, Sequence};
use rope_index::{RopeIndexError, rope_index};
use tokenizer::{ChatTokenizer, TokenizerError};
use weights::{Checkpoint, WeightError, to_safetensors};

/// Everything a checkpoint folder holds, ready to use.
pub struct Model {
    /// Sizes and token ids.
    pub config: ModelConfig,
    /// Text to tokens and back, with the chat template.
    pub tokenizer: ChatTokenizer,
    /// The network.
    pub network: Qwen2Vl,
    /// BLAKE3 over the names and contents of the folder's files: the identity of a base.
    pub hash: String,
    /// The files beside the weights, copied to every checkpoint made from this one.
    files: Vec<(String, Vec<u8>)>,
}

/// A checkpoint folder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The folder or a file in it cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A config file is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The tokenizer is wrong.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The weights are wrong.
    #[error(transparent)]
    Weights(#[from] WeightError),
}

/// A prompt that the model cannot read.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// A picture.
    #[error(transparent)]
    Picture(#[from] ImageError),
    /// The text.
    #[error(transparent)]
    Text(#[from] TokenizerError),
    /// Pictures and tokens do not fit each other.
    #[error(transparent)]
    Positions(#[from] RopeIndexError),
    /// It is longer than the model can see.
    #[error("the prompt has {tokens} tokens and the model sees {limit}")]
    Length {
        /// Its tokens.
        tokens: usize,
        /// The model's limit.
        limit: usize,
    },
}

impl Model {
    /// Reads a checkpoint folder in either layout of Qwen2-VL.
    pub fn load(folder: &Path, device: &Device) -> Result<Self, ModelError> {
        let config = ModelConfig::read(folder)?;
        let tokenizer = ChatTokenizer::read(folder, &config)?;
        let checkpoint = Checkpoint::open(folder)?;
        let read =
            |path: &Path| fs::read(path).map_err(|source| ModelError::Read { path: path.to_owned(), source });
        let mut hasher = blake3::Hasher::new();
        let mut files = Vec::new();
        let entries =
            fs::read_dir(folder).map_err(|source| ModelError::Read { path: folder.to_owned(), source })?;
        let mut paths: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(|p| p.is_file()).collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_weight = path.extension().is_some_and(|e| e == "safetensors");
            let is_model_file =
                is_weight || path.extension().is_some_and(|e| e == "json" || e == "jinja" || e == "txt");
            // A training record beside the model says where it came from and does not change what it is.
            if !is_model_file || name.starts_with("training") {
                continue;
            }
            hasher.update(name.as_bytes());
            let mut hash = |bytes: &[u8]| {
                hasher.update(&(bytes.len() as u64).to_le_bytes());
                hasher.update(bytes);
            };
            // Weights are read once.
            if let Some(bytes) = checkpoint.file(&path) {
                hash(bytes);
                continue;
            }
            let bytes = read(&path)?;
            hash(&bytes);
            if !is_weight && name != "model.safetensors.index.json" {
                files.push((name, bytes));
            }
        }
        let network = Qwen2Vl::load(&config, checkpoint, device)?;
        let hash = hasher.finalize().to_hex()[..32].to_owned();
        Ok(Self { config, tokenizer, network, hash, files })
    }

    /// Writes a folder that [`Model::load`] reads, with these weights in the place of its own.
    pub fn save(&self, network: &Qwen2Vl, folder: &Path, bf16: bool) -> io::Result<()> {
        for (name, bytes) in &self.files {
            store::write_whole(&folder.join(name), bytes)?;
        }
        store::write_whole(&folder.join("model.safetensors"), &to_safetensors(&network.named(), bf16))
    }

    /// The pictures as the vision tower reads them.
    pub fn patches(&self, pictures: &[RgbImage]) -> Result<Vec<PatchedImage>, PromptError> {
        Ok(pictures.iter().map(|p| prepare(p, &self.config.picture)).collect::<Result<_, _>>()?)
    }

    /// A user turn with pictures of these grids before the text, without the pictures' features.
    pub fn prompt(&self, text: &str, grids: &[[usize; 3]]) -> Result<Sequence, PromptError> {
        let merge = self.config.picture.merge_size;
        let counts: Vec<usize> = grids.iter().map(|[t, h, w]| t * h * w / (merge * merge)).collect();
        let tokens = self.tokenizer.prompt(None, text, &counts)?;
        let limit = self.config.decoder.max_position_embeddings;
        if tokens.len() >= limit {
            return Err(PromptError::Length { tokens: tokens.len(), limit });
        }
        let index = rope_index(&tokens, self.config.tokens.image, grids, merge)?;
        let [t, h, w] = &index.positions;
        let positions = t.iter().zip(h).zip(w).map(|((t, h), w)| [*t as i32, *h as i32, *w as i32]).collect();
        Ok(Sequence { tokens, positions, features: Vec::new() })
    }
}
