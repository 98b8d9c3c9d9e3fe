//! ReasonSeg of LISA: one JSON file per picture, with texts that say the same, and shapes; a row per text.
//!
//! The answer is one box around all shapes labelled `target`. Shapes labelled `ignore` or `flag` are left out. Some
//! files are not UTF-8 but Windows-1252.

use std::{io::Read, path::Path};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{NoSettings, PictureCell, RawRow, Reader, Table, Unreadable, entry, jsonl::MAX_LINE, unpack};
use crate::{
    data::{
        clean::{Cells, Flaw},
        config::FileSource,
    },
    registry::{BuildError, Entry, Named},
};

pub(super) const ENTRY: Entry<dyn Reader> = entry::<ReasonSeg>();

/// Endings of the pictures, in the order they are looked for.
const ENDINGS: [&str; 3] = ["jpg", "jpeg", "png"];

struct ReasonSeg;

impl Named for ReasonSeg {
    const NAME: &'static str = "reasonseg";
    const SUMMARY: &'static str =
        "ReasonSeg of LISA: JSON with texts and shapes beside each picture; a row per text";
    type Config = NoSettings;

    fn new(NoSettings {}: NoSettings) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

#[derive(Deserialize)]
struct Annotation {
    text: Texts,
    shapes: Vec<Shape>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Texts {
    Many(Vec<String>),
    One(String),
}

#[derive(Deserialize)]
struct Shape {
    label: String,
    points: Vec<[f64; 2]>,
}

impl Reader for ReasonSeg {
    fn open(&self, path: &Path, source: &FileSource) -> Result<Box<dyn Table>, Unreadable> {
        let mut file = unpack::open(path)?;
        let length = file.metadata().map_err(Unreadable::new)?.len();
        if length > MAX_LINE {
            return Err(Unreadable::new(format!("the file has {length} bytes; at most {MAX_LINE} are read")));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(Unreadable::new)?;
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(other) => encoding_rs::WINDOWS_1252.decode(other.as_bytes()).0.into_owned(),
        };
        let text = text.trim_start_matches('\u{feff}');
        let annotation: Annotation = serde_json::from_str(text)
            .map_err(|e| Unreadable::new(format!("no ReasonSeg annotation: {e}")))?;
        let texts = match annotation.text {
            Texts::Many(texts) => texts,
            Texts::One(text) => vec![text],
        };
        // The picture of `7.json.gz` is `7.jpg`.
        let packed = path
            .extension()
            .is_some_and(|ending| ["gz", "zst"].iter().any(|e| ending.eq_ignore_ascii_case(e)));
        let path = if packed { path.with_extension("") } else { path.to_owned() };
        let picture =
            ENDINGS.iter().map(|ending| path.with_extension(ending)).find(|picture| picture.is_file());
        let picture = picture.unwrap_or_else(|| path.with_extension(ENDINGS[0]));
        Ok(Box::new(Picture {
            question: source.question.clone(),
            file: picture.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            texts,
            target: hull(&annotation.shapes),
        }))
    }
}

/// Left, top, right and bottom of all shapes that are targets.
fn hull(shapes: &[Shape]) -> Option<[f64; 4]> {
    let is_target = |shape: &&Shape| {
        let label = shape.label.to_lowercase();
        !label.contains("ignore") && !label.contains("flag")
    };
    let points = shapes.iter().filter(is_target).flat_map(|shape| &shape.points);
    points.fold(None, |hull, &[x, y]| {
        let [left, top, right, bottom] = hull.unwrap_or([x, y, x, y]);
        Some([left.min(x), top.min(y), right.max(x), bottom.max(y)])
    })
}

struct Picture {
    question: String,
    file: String,
    texts: Vec<String>,
    target: Option<[f64; 4]>,
}

impl Table for Picture {
    fn len(&self) -> u64 {
        self.texts.len() as u64
    }

    fn place(&self, row: u64) -> String {
        format!("text {row}")
    }

    fn row(&self, row: u64) -> Result<RawRow, Flaw> {
        let target = self.target.ok_or_else(|| Flaw::new(Some("shapes"), "no shape is a target"))?;
        Ok(RawRow {
            cells: Cells {
                question: self.question.replace("{text}", &self.texts[row as usize]).into(),
                options: Value::Null,
                answer: json!([target]),
            },
            pictures: vec![("picture".to_owned(), PictureCell::Path(self.file.clone()))],
        })
    }
}
