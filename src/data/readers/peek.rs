//! The first rows of a file with all their columns, to find out what a dataset is.

use std::{collections::BTreeMap, fmt, fs::File, io::Read, marker::PhantomData, path::Path};

use ::arrow::array::RecordBatch;
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny},
};
use serde_json::{Map, Value};

use super::{
    PictureCell,
    columns::{collect_pictures, holds_pictures, is_text, value},
    unpack,
};
use crate::data::guard;

/// Rows that are looked at.
pub(in crate::data) const ROWS: usize = 200;

/// What the first rows of a file hold.
#[derive(Debug, Default)]
pub(in crate::data) struct Peek {
    /// Columns whose cells hold pictures themselves, and in how many rows they do.
    pub(in crate::data) pictures: BTreeMap<String, usize>,
    /// The other values.
    pub(in crate::data) rows: Vec<Map<String, Value>>,
    /// Rows that cannot be read, with their places.
    pub(in crate::data) bad: Vec<String>,
}

/// The kinds of JSON files that are not one row per object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::data) enum JsonKind {
    /// COCO instances.
    Coco,
    /// The same with the joints of people; their boxes are among the instances.
    Keypoints,
    /// COCO captions, or another file of pictures without boxes.
    NoBoxes,
    /// One annotated picture.
    ReasonSeg,
    /// Rows.
    Rows,
    /// Neither a list nor an object of objects: ids of splits, settings.
    NoRows,
}

/// The first rows of a Parquet file.
pub(in crate::data) fn parquet(path: &Path) -> Result<Peek, String> {
    let file = File::open(path).map_err(|e| e.to_string())?;
    guard::timed(0, move || {
        super::footer::check_depth(&file)?;
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, super::parquet::options())
            .map_err(|e| e.to_string())?;
        let reader = builder.with_limit(ROWS).with_batch_size(ROWS).build().map_err(|e| e.to_string())?;
        batches(reader.map(|batch| batch.map_err(|e| e.to_string())))
    })
}

/// The first rows of an Arrow file.
pub(in crate::data) fn arrow(path: &Path) -> Result<Peek, String> {
    let path = path.to_owned();
    guard::timed(0, move || {
        let (_, reader) = super::arrow::batches(&path)?;
        batches(reader.map(|batch| batch.map_err(|e| e.to_string())))
    })
}

fn batches(batches: impl Iterator<Item = Result<RecordBatch, String>>) -> Result<Peek, String> {
    let mut peek = Peek::default();
    for batch in batches {
        let batch = batch?;
        for row in 0..batch.num_rows().min(ROWS - peek.rows.len()) {
            let mut object = Map::new();
            for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
                if holds_pictures(field.data_type()) && !is_text(field.data_type()) {
                    let mut found = Vec::new();
                    // A list of texts may hold paths, and is read as values as well.
                    let held = collect_pictures(column, row, &|_, _| None, &mut found).is_ok()
                        && found.iter().any(|cell| matches!(cell, PictureCell::Bytes(..)));
                    *peek.pictures.entry(field.name().clone()).or_default() += usize::from(held);
                }
                if let Ok(value) = value(column, row) {
                    object.insert(field.name().clone(), value);
                }
            }
            peek.rows.push(object);
        }
        if peek.rows.len() == ROWS {
            break;
        }
    }
    peek.pictures.retain(|_, rows| *rows > 0);
    Ok(peek)
}

/// The first objects of a file of JSON lines.
pub(in crate::data) fn json_lines(path: &Path) -> Result<Peek, String> {
    let file = unpack::open(path).map_err(|e| e.what)?;
    let lines = super::jsonl::lines(&file, ROWS as u64).map_err(|e| e.what)?;
    let objects = super::jsonl::Lines::new(file, lines);
    let place = |row| format!("line {}", objects.number(row));
    objects_of(objects.len(), |row| objects.object(row), place)
}

/// The first objects of a list in JSON.
pub(in crate::data) fn json(path: &Path) -> Result<Peek, String> {
    let objects = super::json::Objects::open(path).map_err(|e| e.what)?;
    objects_of(objects.len(), |row| objects.object(row), |row| format!("row {row}"))
}

/// What can be read of the first rows: one that is damaged says nothing of the others.
fn objects_of(
    rows: u64,
    object: impl Fn(u64) -> Result<Map<String, Value>, super::Flaw>,
    place: impl Fn(u64) -> String,
) -> Result<Peek, String> {
    let mut peek = Peek::default();
    for row in 0..rows.min(ROWS as u64) {
        match object(row) {
            Ok(object) => peek.rows.push(object),
            Err(flaw) => peek.bad.push(format!("{}: {}", place(row), flaw.what)),
        }
    }
    match peek.bad.first() {
        Some(first) if peek.rows.is_empty() => Err(first.clone()),
        _ => Ok(peek),
    }
}

/// The first lines of a CSV file.
pub(in crate::data) fn csv(path: &Path) -> Result<Peek, String> {
    let file = unpack::open(path).map_err(|e| e.what)?;
    let mut reader =
        ::csv::ReaderBuilder::new().flexible(true).from_reader(file.take(super::jsonl::MAX_LINE));
    let names = reader.headers().map_err(|e| e.to_string())?.clone();
    let all: Vec<String> = names.iter().map(str::to_owned).collect();
    if let Some(what) = super::csv::other_separator(&all) {
        return Err(what);
    }
    let mut peek = Peek::default();
    for record in reader.records().take(ROWS) {
        let record = record.map_err(|e| e.to_string())?;
        peek.rows
            .push(names.iter().zip(&record).map(|(name, text)| (name.to_owned(), text.into())).collect());
    }
    Ok(peek)
}

/// The first rows of a tar shard.
pub(in crate::data) fn shard(path: &Path) -> Result<Peek, String> {
    let shard = super::webdataset::Shard::open(path).map_err(|e| e.what)?;
    let mut peek = Peek::default();
    for row in 0..shard.len().min(ROWS as u64) {
        let (object, pictures) = shard.everything(row).map_err(|flaw| flaw.what)?;
        for ending in pictures {
            *peek.pictures.entry(ending).or_default() += 1;
        }
        peek.rows.push(object);
    }
    Ok(peek)
}

/// What a JSON file is, by the keys it begins with.
pub(in crate::data) fn json_kind(path: &Path) -> Result<JsonKind, String> {
    #[derive(Deserialize)]
    struct Keys {
        images: Option<IgnoredAny>,
        annotations: Option<First<Annotation>>,
        categories: Option<IgnoredAny>,
        shapes: Option<IgnoredAny>,
        text: Option<IgnoredAny>,
    }
    #[derive(Deserialize)]
    struct Annotation {
        bbox: Option<IgnoredAny>,
        keypoints: Option<IgnoredAny>,
    }
    let Some((first, second)) = begins(path)? else { return Ok(JsonKind::Rows) };
    if first != b'{' {
        return Ok(if second == b'{' { JsonKind::Rows } else { JsonKind::NoRows });
    }
    let file = unpack::open(path).map_err(|e| e.what)?;
    // What is not UTF-8 is no table of rows; LISA's files are not.
    let keys: Keys = match serde_json::from_reader(std::io::BufReader::new(file)) {
        Ok(keys) => keys,
        Err(_) => return Ok(JsonKind::Rows),
    };
    Ok(match keys {
        Keys { images: Some(_), annotations: Some(First(first)), .. } => match first {
            Some(Annotation { keypoints: Some(_), .. }) => JsonKind::Keypoints,
            Some(Annotation { bbox: None, .. }) => JsonKind::NoBoxes,
            _ => JsonKind::Coco,
        },
        Keys { images: Some(_), categories: Some(_), .. } => JsonKind::NoBoxes,
        Keys { shapes: Some(_), text: Some(_), .. } => JsonKind::ReasonSeg,
        _ if second == b'{' => JsonKind::Rows,
        _ => JsonKind::NoRows,
    })
}

/// The first entry of a list, whose others take no memory.
struct First<T>(Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for First<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Visitor<T> {
            type Value = First<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<First<T>, A::Error> {
                let first = list.next_element()?;
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(First(first))
            }
        }
        deserializer.deserialize_seq(Visitor(PhantomData))
    }
}

/// The bracket that JSON opens with, and the first byte of its first value; none where there is too little to tell.
fn begins(path: &Path) -> Result<Option<(u8, u8)>, String> {
    const LOOKED_AT: u64 = 4096;
    let mut start = Vec::new();
    let file = unpack::open(path).map_err(|e| e.what)?;
    file.take(LOOKED_AT).read_to_end(&mut start).map_err(|e| e.to_string())?;
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&start).trim_ascii_start();
    let Some((first @ (b'[' | b'{'), rest)) = text.split_first() else { return Ok(None) };
    let mut rest = rest.trim_ascii_start();
    if let (b'{', Some(key)) = (first, rest.strip_prefix(b"\"")) {
        let Some(end) = key.windows(2).position(|pair| pair[0] != b'\\' && pair[1] == b'"') else {
            return Ok(None);
        };
        rest = key[end + 2..].trim_ascii_start();
        rest = rest.strip_prefix(b":").unwrap_or(rest).trim_ascii_start();
    }
    // An empty list, or an empty object, has no rows that are anything else.
    Ok(rest.first().filter(|byte| !b"]}".contains(byte)).map(|byte| (*first, *byte)))
}

/// Whether a JSON file begins as one of rows does; much faster than [`json_kind`].
pub(in crate::data) fn begins_as_rows(path: &Path) -> bool {
    begins(path).is_ok_and(|found| found.is_some_and(|(_, second)| second == b'{'))
}

/// The name of the first picture of a COCO file.
pub(in crate::data) fn coco_picture(path: &Path) -> Option<String> {
    #[derive(Deserialize)]
    struct Keys {
        images: First<Picture>,
    }
    #[derive(Deserialize)]
    struct Picture {
        file_name: String,
    }
    let file = unpack::open(path).ok()?;
    let keys: Keys = serde_json::from_reader(std::io::BufReader::new(file)).ok()?;
    keys.images.0.map(|picture| picture.file_name)
}
