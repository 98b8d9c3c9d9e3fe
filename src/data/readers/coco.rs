//! COCO instances beside pictures: a row asks for all boxes of one category in one picture.
//!
//! Rows are the pairs of picture and category with at least one box, in the order of the file's pictures and
//! categories. A pair with a crowd region (`iscrowd = 1`) is left out: its gold boxes would not be all there are.

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, BufReader, Read},
    path::Path,
};

use serde::Deserialize;
use serde_json::Value;

use super::{NoSettings, PictureCell, RawRow, Reader, Table, Unreadable, entry, unpack};
use crate::{
    data::{
        clean::{Cells, Flaw},
        config::FileSource,
    },
    registry::{BuildError, Entry, Named},
};

pub(super) const ENTRY: Entry<dyn Reader> = entry::<Coco>();

/// Largest file of instances, in bytes; COCO's own has 470 million.
const MAX_FILE: u64 = 2 * 1024 * 1024 * 1024;

/// Longest text between two quotation marks, in bytes: it is held whole.
const MAX_TEXT: usize = 16 * 1024 * 1024;

struct Coco;

impl Named for Coco {
    const NAME: &'static str = "coco";
    const SUMMARY: &'static str = "COCO instances JSON; one row per picture and category";
    type Config = NoSettings;

    fn new(NoSettings {}: NoSettings) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

// Keys that are not named here, polygons above all, are skipped while parsing and take no memory.
#[derive(Deserialize)]
struct Instances {
    images: Vec<Image>,
    annotations: Vec<Annotation>,
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct Image {
    id: u64,
    file_name: String,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: u64,
    category_id: u64,
    bbox: [f64; 4],
    #[serde(default)]
    iscrowd: u8,
}

#[derive(Deserialize)]
struct Category {
    id: u64,
    name: String,
}

impl Reader for Coco {
    fn open(&self, path: &Path, source: &FileSource) -> Result<Box<dyn Table>, Unreadable> {
        let file = unpack::open(path)?;
        let length = file.metadata().map_err(Unreadable::new)?.len();
        if length > MAX_FILE {
            return Err(Unreadable::new(format!("the file has {length} bytes; at most {MAX_FILE} are read")));
        }
        let texts = Texts { inner: file, length: 0, escaped: false };
        let instances: Instances = serde_json::from_reader(BufReader::new(texts))
            .map_err(|e| Unreadable::new(format!("no COCO instances: {e}")))?;
        let images = positions(instances.images.iter().map(|image| image.id), "images")?;
        let categories = positions(instances.categories.iter().map(|category| category.id), "categories")?;
        let mut pairs: BTreeMap<Place, Pair> = BTreeMap::new();
        for (i, annotation) in instances.annotations.iter().enumerate() {
            let (Some(&image), Some(&category)) =
                (images.get(&annotation.image_id), categories.get(&annotation.category_id))
            else {
                return Err(Unreadable::new(format!(
                    "annotation {i} names an image or a category that is not there"
                )));
            };
            let pair = pairs.entry((image, category)).or_default();
            pair.crowd |= annotation.iscrowd != 0;
            pair.boxes.push(annotation.bbox);
        }
        let rows =
            pairs.into_iter().filter(|(_, pair)| !pair.crowd).map(|(at, pair)| (at, pair.boxes)).collect();
        Ok(Box::new(Pairs {
            question: source.question.clone(),
            files: instances.images.into_iter().map(|image| image.file_name).collect(),
            categories: instances.categories.into_iter().map(|category| category.name).collect(),
            rows,
        }))
    }
}

/// A file of JSON that ends with an error where a text is too long to be held.
struct Texts<R> {
    inner: R,
    /// Bytes since the last quotation mark that no backslash stands before.
    length: usize,
    escaped: bool,
}

impl<R: Read> Read for Texts<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        for byte in &buffer[..read] {
            let ends = *byte == b'"' && !self.escaped;
            self.escaped = *byte == b'\\' && !self.escaped;
            self.length = if ends { 0 } else { self.length + 1 };
            if self.length > MAX_TEXT {
                return Err(io::Error::other(format!("a text has more than {} MiB", MAX_TEXT >> 20)));
            }
        }
        Ok(read)
    }
}

/// Positions of a picture and of a category.
type Place = (usize, usize);

/// Where each id stands; ids have holes and must not repeat.
fn positions(ids: impl Iterator<Item = u64>, what: &str) -> Result<HashMap<u64, usize>, Unreadable> {
    let mut positions = HashMap::new();
    for (position, id) in ids.enumerate() {
        if positions.insert(id, position).is_some() {
            return Err(Unreadable::new(format!("`{what}` has the id {id} twice")));
        }
    }
    Ok(positions)
}

#[derive(Default)]
struct Pair {
    boxes: Vec<[f64; 4]>,
    crowd: bool,
}

struct Pairs {
    question: String,
    files: Vec<String>,
    categories: Vec<String>,
    /// Positions of picture and category, and the boxes: left, top, width, height.
    rows: Vec<(Place, Vec<[f64; 4]>)>,
}

impl Table for Pairs {
    fn len(&self) -> u64 {
        self.rows.len() as u64
    }

    fn place(&self, row: u64) -> String {
        let ((image, category), _) = &self.rows[row as usize];
        format!("row {row} (`{}`, category `{}`)", self.files[*image], self.categories[*category])
    }

    fn row(&self, row: u64) -> Result<RawRow, Flaw> {
        let ((image, category), boxes) = &self.rows[row as usize];
        Ok(RawRow {
            cells: Cells {
                question: self.question.replace("{category}", &self.categories[*category]).into(),
                options: Value::Null,
                answer: boxes.iter().map(|numbers| Value::from(numbers.as_slice())).collect(),
            },
            pictures: Some(&self.files[*image])
                .filter(|path| !path.trim().is_empty())
                .map(|path| ("file_name".to_owned(), PictureCell::Path(path.clone())))
                .into_iter()
                .collect(),
        })
    }
}
