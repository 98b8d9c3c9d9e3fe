//! What the rows of a dataset come to on average, measured once and kept by the hash of their content.

use std::{collections::BTreeMap, fs, io, path::Path};

use serde::{Deserialize, Serialize};

use crate::store;

/// What a row of a dataset comes to on average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanLength {
    /// Tokens of a prompt, pictures included, where the model that is asked for has counted them.
    pub tokens: Option<f64>,
    /// Pixels of all pictures of a row.
    pub pixels: f64,
}

/// The same in a file: pixels are those of the content alone, tokens those of a tokenizer and a prompt as well.
#[derive(Default, Serialize, Deserialize)]
struct Kept {
    pixels: f64,
    tokens: BTreeMap<String, f64>,
}

/// What was measured of the dataset with this content, if anybody has. `counter`: what tells one way to count tokens
/// from another.
pub fn read(cache: &Path, content: &blake3::Hash, counter: Option<&str>) -> Option<MeanLength> {
    let kept = kept(cache, content)?;
    let tokens = counter.and_then(|counter| kept.tokens.get(counter).copied());
    Some(MeanLength { tokens, pixels: kept.pixels })
}

/// Keeps what was measured, beside what others have counted; of two processes at once the later one's stands. `tokens`: their mean number and how they were counted.
pub fn write(
    cache: &Path,
    content: &blake3::Hash,
    pixels: f64,
    tokens: Option<(String, f64)>,
) -> io::Result<()> {
    let mut kept = Kept { pixels, ..kept(cache, content).unwrap_or_default() };
    kept.tokens.extend(tokens);
    store::write_whole(&cache.join(file(content)), &store::to_json_pretty(&kept))
}

fn kept(cache: &Path, content: &blake3::Hash) -> Option<Kept> {
    serde_json::from_slice(&fs::read(cache.join(file(content))).ok()?).ok()
}

fn file(content: &blake3::Hash) -> String {
    format!("lengths-{}.json", &content.to_hex()[..32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_those_of_who_counted_them_and_pixels_are_nobodys() {
        let cache = tempfile::tempdir().unwrap();
        let content = blake3::hash(b"rows");
        let read = |counter| read(cache.path(), &content, counter);
        assert_eq!(read(None), None);
        write(cache.path(), &content, 300.0, None).unwrap();
        assert_eq!(read(Some("small")), Some(MeanLength { tokens: None, pixels: 300.0 }));
        write(cache.path(), &content, 300.0, Some(("small".to_owned(), 20.0))).unwrap();
        write(cache.path(), &content, 300.0, Some(("large".to_owned(), 90.0))).unwrap();
        for (counter, tokens) in [("small", Some(20.0)), ("large", Some(90.0)), ("other", None)] {
            assert_eq!(read(Some(counter)), Some(MeanLength { tokens, pixels: 300.0 }), "{counter}");
        }
    }
}
