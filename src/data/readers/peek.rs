//! The first rows of a file with all their columns, to find out what a dataset is.

use std::{collections::BTreeMap, fs::File, io::Read, path::Path};

use ::arrow::array::RecordBatch;
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::de::IgnoredAny;
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
}

/// The kinds of JSON files that are not one row per object.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::data) enum JsonKind {
    /// COCO instances.
    Coco,
    /// One annotated picture.
    ReasonSeg,
    /// Rows.
    Rows,
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
    objects_of(objects.len(), |row| objects.object(row))
}

/// The first objects of a list in JSON.
pub(in crate::data) fn json(path: &Path) -> Result<Peek, String> {
    let objects = super::json::Objects::open(path).map_err(|e| e.what)?;
    objects_of(objects.len(), |row| objects.object(row))
}

fn objects_of(
    rows: u64,
    object: impl Fn(u64) -> Result<Map<String, Value>, super::Flaw>,
) -> Result<Peek, String> {
    let rows =
        (0..rows.min(ROWS as u64)).map(|row| object(row).map_err(|flaw| format!("row {row}: {}", flaw.what)));
    Ok(Peek { pictures: BTreeMap::new(), rows: rows.collect::<Result<_, _>>()? })
}

/// The first lines of a CSV file.
pub(in crate::data) fn csv(path: &Path) -> Result<Peek, String> {
    let file = unpack::open(path).map_err(|e| e.what)?;
    let mut reader =
        ::csv::ReaderBuilder::new().flexible(true).from_reader(file.take(super::jsonl::MAX_LINE));
    let names = reader.headers().map_err(|e| e.to_string())?.clone();
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
    #[derive(serde::Deserialize)]
    struct Keys {
        images: Option<IgnoredAny>,
        annotations: Option<IgnoredAny>,
        shapes: Option<IgnoredAny>,
        text: Option<IgnoredAny>,
    }
    let mut start = [0];
    let mut file = unpack::open(path).map_err(|e| e.what)?;
    let read = file.read(&mut start).map_err(|e| e.to_string())?;
    if read == 0 || start[0] != b'{' {
        return Ok(JsonKind::Rows);
    }
    let file = unpack::open(path).map_err(|e| e.what)?;
    // What is not UTF-8 is no table of rows; LISA's files are not.
    let keys: Keys = match serde_json::from_reader(std::io::BufReader::new(file)) {
        Ok(keys) => keys,
        Err(_) => return Ok(JsonKind::Rows),
    };
    Ok(match keys {
        Keys { images: Some(_), annotations: Some(_), .. } => JsonKind::Coco,
        Keys { shapes: Some(_), text: Some(_), .. } => JsonKind::ReasonSeg,
        _ => JsonKind::Rows,
    })
}
