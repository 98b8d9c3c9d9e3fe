//! What is remembered of a dataset to compare it with others: hashes of its rows and pictures, and small grey pictures.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use image::RgbImage;
use serde::{Deserialize, Serialize};

use super::grey::{Grey, THUMB};
use crate::{
    data::{picture, rows},
    sample::{Rows, Sample},
    store,
};

/// Version of what is written: another one is made anew.
const VERSION: u32 = 2;

/// Bytes of a grey picture.
const THUMB_BYTES: u64 = (THUMB * THUMB) as u64;

/// What is remembered of a dataset to compare it with others.
pub struct Prints {
    pub(super) listed: Listed,
    /// A grey picture of [`THUMB`]×[`THUMB`] bytes for each of `listed.pictures`; 4 kB each, so they stay in a file.
    thumbs: Mutex<File>,
}

#[derive(Default, Serialize, Deserialize)]
pub(super) struct Listed {
    version: u32,
    pub(super) rows: Vec<RowPrint>,
    /// Distinct by their bytes.
    pub(super) pictures: Vec<PicturePrint>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct RowPrint {
    /// Its number in the dataset.
    pub(super) row: u64,
    /// What people call it.
    pub(super) id: String,
    /// Hash of everything in it, as lists of excluded rows name it.
    pub(super) hash: String,
    /// Hash of the question alone, without case, punctuation and spaces.
    pub(super) question: String,
    /// Places in the list of pictures.
    pub(super) pictures: Vec<usize>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct PicturePrint {
    /// Hash of the size and the decoded pixels.
    pub(super) pixels: String,
    /// The first row that has it, and its place among the row's pictures.
    pub(super) row: u64,
    pub(super) place: usize,
}

impl Prints {
    /// Reads a dataset through and decodes every distinct picture. Rows that cannot be used are left out.
    pub fn of(rows: &dyn Rows) -> io::Result<Self> {
        let mut builder = Builder::new(None)?;
        for row in 0..rows.len() {
            if let Ok(sample) = rows.row(row) {
                builder.add(row, &sample, &[])?;
            }
        }
        builder.finish(None)
    }

    /// What was remembered of the dataset with this content; `rows`: how many of its rows.
    pub fn read(cache: &Path, content: &blake3::Hash, rows: u64) -> Option<Self> {
        let [list, thumbs] = files(cache, content, rows);
        let listed: Listed = serde_json::from_slice(&std::fs::read(list).ok()?).ok()?;
        let thumbs = File::open(thumbs).ok()?;
        let whole = listed.version == VERSION
            && thumbs.metadata().ok()?.len() == listed.pictures.len() as u64 * THUMB_BYTES;
        whole.then_some(Self { listed, thumbs: Mutex::new(thumbs) })
    }

    /// The grey values of a picture; none if the file is not what it was.
    pub(super) fn thumb(&self, picture: usize) -> Option<Grey> {
        let mut bytes = vec![0; THUMB_BYTES as usize];
        let mut file = self.thumbs.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(picture as u64 * THUMB_BYTES)).ok()?;
        file.read_exact(&mut bytes).ok()?;
        Some(Grey::from_bytes(&bytes))
    }
}

/// The lists and the grey pictures.
fn files(cache: &Path, content: &blake3::Hash, rows: u64) -> [PathBuf; 2] {
    let stem = format!("prints-{}-{rows}", &content.to_hex()[..32]);
    ["json", "grey"].map(|ending| cache.join(format!("{stem}.{ending}")))
}

/// Prints while they are made, row by row.
pub struct Builder {
    listed: Listed,
    thumbs: BufWriter<tempfile::NamedTempFile>,
    known: HashMap<blake3::Hash, usize>,
}

impl Builder {
    /// `cache`: the folder they will lie in; none: they are kept for this process only.
    pub fn new(cache: Option<&Path>) -> io::Result<Self> {
        let mut named = tempfile::Builder::new();
        let thumbs = match cache {
            Some(folder) => {
                std::fs::create_dir_all(folder)?;
                named.prefix(".making-").tempfile_in(folder)?
            }
            None => named.tempfile()?,
        };
        let listed = Listed { version: VERSION, ..Listed::default() };
        Ok(Self { listed, thumbs: BufWriter::new(thumbs), known: HashMap::new() })
    }

    /// Adds a row. `decoded`: its pictures by place, as far as somebody has decoded them; the others are decoded here.
    /// A row with a picture that cannot be decoded is left out.
    pub fn add(
        &mut self,
        row: u64,
        sample: &Sample,
        decoded: &[(blake3::Hash, Option<RgbImage>)],
    ) -> io::Result<()> {
        let mut pictures = Vec::with_capacity(sample.pictures.len());
        for (place, encoded) in sample.pictures.iter().enumerate() {
            let bytes = decoded.get(place).map_or_else(|| encoded.hash(), |(hash, _)| *hash);
            if let Some(at) = self.known.get(&bytes) {
                pictures.push(*at);
                continue;
            }
            let own;
            let image = if let Some((_, Some(image))) = decoded.get(place) {
                image
            } else {
                let Ok(image) = picture::decode(encoded) else { return Ok(()) };
                own = image;
                &own
            };
            let mut hasher = blake3::Hasher::new();
            hasher.update(&image.width().to_le_bytes()).update(&image.height().to_le_bytes());
            hasher.update(image.as_raw());
            self.thumbs.write_all(&Grey::of(image, THUMB).to_bytes())?;
            let at = self.listed.pictures.len();
            self.listed.pictures.push(PicturePrint { pixels: short(hasher.finalize()), row, place });
            self.known.insert(bytes, at);
            pictures.push(at);
        }
        self.listed.rows.push(RowPrint {
            row,
            id: sample.id.clone(),
            hash: short(rows::hash_of(sample)),
            question: short(blake3::hash(normal(&sample.question).as_bytes())),
            pictures,
        });
        Ok(())
    }

    /// Writes them where [`Prints::read`] finds them: the folder, the content of the dataset, and how many of its rows.
    pub fn finish(self, remember: Option<(&Path, &blake3::Hash, u64)>) -> io::Result<Prints> {
        let file = self.thumbs.into_inner().map_err(io::IntoInnerError::into_error)?;
        let thumbs = if let Some((cache, content, rows)) = remember {
            let [list, thumbs] = files(cache, content, rows);
            let file = file.persist(thumbs).map_err(|e| e.error)?;
            // The list comes last: where it is, both are whole.
            store::write_whole(&list, &serde_json::to_vec(&self.listed).expect("texts and numbers"))?;
            file
        } else {
            file.into_file()
        };
        Ok(Prints { listed: self.listed, thumbs: Mutex::new(thumbs) })
    }
}

fn short(hash: blake3::Hash) -> String {
    hash.to_hex()[..rows::HASH_DIGITS].to_owned()
}

/// A question without case, punctuation and spaces.
fn normal(question: &str) -> String {
    question.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
