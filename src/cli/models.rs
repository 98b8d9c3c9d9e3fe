//! From what stands after `--model` to a model.

use burn::tensor::Device;

use crate::{error::Result, model::Model, train};

/// The model that `spec` means: a checkpoint folder, or `nano` for the embedded base.
pub(super) fn load_model(spec: &str, device: &Device) -> Result<Model> {
    train::base(spec, device).map_err(|error| error.at("option `--model`"))
}
