//! From what stands after `--model` to a model.

use std::path::Path;

use burn::tensor::Device;

use crate::{
    error::{Context as _, Error, Result},
    model::Model,
};

/// The model that `spec` means: a checkpoint folder.
pub(super) fn load_model(spec: &str, device: &Device) -> Result<Model> {
    let folder = Path::new(spec);
    if !folder.is_dir() {
        return Err(Error::input(format!("there is no checkpoint folder `{spec}`"))
            .at("option `--model`")
            .hint("give a folder with config.json, tokenizer.json and *.safetensors of a Qwen2-VL model"));
    }
    Model::load(folder, device).input().map_err(|error| error.at(folder.display()))
}
