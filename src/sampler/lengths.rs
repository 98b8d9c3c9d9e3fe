//! What the rows of a dataset come to on average, measured once and kept by the hash of their content.

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};

use crate::store;

/// What a row of a dataset comes to on average.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeanLength {
    /// Tokens of a prompt, pictures included.
    pub tokens: f64,
    /// Pixels of all pictures of a row.
    pub pixels: f64,
}

/// What was measured of the dataset with this content, if anybody has.
pub fn read(cache: &Path, content: &blake3::Hash) -> Option<MeanLength> {
    serde_json::from_slice(&fs::read(cache.join(file(content))).ok()?).ok()
}

/// Keeps what was measured.
pub fn write(cache: &Path, content: &blake3::Hash, mean: &MeanLength) -> io::Result<()> {
    store::write_whole(&cache.join(file(content)), &store::to_json_pretty(mean))
}

fn file(content: &blake3::Hash) -> String {
    format!("lengths-{}.json", &content.to_hex()[..32])
}
