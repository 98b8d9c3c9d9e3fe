//! The model: one architecture at every size, its checkpoints, pictures, tokens and generation.

pub mod config;
pub mod generate;
pub mod image;
pub mod qwen2_vl;
pub mod rope_index;
pub mod tokenizer;
pub mod weights;
