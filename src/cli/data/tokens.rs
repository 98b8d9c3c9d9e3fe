//! How many tokens the rows of a dataset are for a model, pictures included.

use std::path::Path;

use crate::{
    data::{DatasetConfig, picture},
    error::{Context as _, Result},
    model::{config::ModelConfig, image::smart_resize, tokenizer::ChatTokenizer},
    sample::Sample,
};

/// Counts the tokens of one model.
pub(super) struct Counter {
    tokenizer: ChatTokenizer,
    config: ModelConfig,
}

impl Counter {
    /// For the model in a checkpoint folder; its weights are not needed.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let config = ModelConfig::read(folder).input().at(folder.display())?;
        let tokenizer = ChatTokenizer::read(folder, &config).input().at(folder.display())?;
        Ok(Self { tokenizer, config })
    }

    /// Tokens of the prompt's text and of its pictures; the chat template's own are left out.
    pub(super) fn count(&self, config: &DatasetConfig, sample: &Sample) -> Option<(u64, u64)> {
        let text = self.tokenizer.encode(&config.prompt(sample)).ok()?.len() as u64;
        let shape = &self.config.picture;
        let factor = shape.patch_size * shape.merge_size;
        let mut pictures = 0;
        for one in &sample.pictures {
            let (width, height) = picture::size(one).ok()?;
            let (down, across) =
                smart_resize(height, width, factor, shape.min_pixels, shape.max_pixels).ok()?;
            pictures += (down / factor * (across / factor)) as u64;
        }
        Some((text, pictures))
    }
}
