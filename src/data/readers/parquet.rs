//! Parquet as Hugging Face `datasets` writes it: pictures inside the rows, or paths beside them.
//!
//! A picture column holds structs of `bytes` and `path` (bytes win), lists of them, binary values, or paths.
//! A row is read by decoding its row group, needed columns only; decoded groups stay in memory, encoded pictures
//! and all, up to [`CACHE_BYTES`] per dataset. So small files are decoded once, and of large ones a row in random
//! order costs its row group.

use std::{
    collections::VecDeque,
    fs::File,
    panic,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    compute::cast,
    datatypes::{DataType, Field, Float64Type, Int64Type},
};
use parquet::arrow::{
    ProjectionMask,
    arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
};
use serde_json::{Map, Value};

use super::{NoSettings, PictureCell, RawRow, Reader, Table, Unreadable, entry};
use crate::{
    data::{
        clean::{Cells, Flaw},
        config::FileSource,
        root::MAX_PICTURE_BYTES,
    },
    registry::{BuildError, Entry, Named},
};

pub(super) const ENTRY: Entry<dyn Reader> = entry::<Parquet>();

/// Decoded row groups kept per dataset, in bytes; the one in use is kept even if it alone is larger.
const CACHE_BYTES: usize = 256 * 1024 * 1024;

/// Largest row group, in bytes before compression.
const MAX_GROUP_BYTES: i64 = 2 * 1024 * 1024 * 1024;

/// Most rows of one file.
const MAX_ROWS: u64 = 100_000_000;

/// Rows per decoded batch: keeps each picture column far below the 2 GiB that Arrow's 32-bit offsets address.
const BATCH_ROWS: usize = 256;

struct Parquet {
    cache: Arc<Cache>,
    opened: AtomicUsize,
}

impl Named for Parquet {
    const NAME: &'static str = "parquet";
    const SUMMARY: &'static str =
        "Hugging Face Parquet: pictures as image structs, lists of them, binary or paths";
    type Config = NoSettings;

    fn new(NoSettings {}: NoSettings) -> Result<Self, BuildError> {
        Ok(Self { cache: Arc::default(), opened: AtomicUsize::new(0) })
    }
}

impl Reader for Parquet {
    fn open(&self, path: &Path, source: &FileSource) -> Result<Box<dyn Table>, Unreadable> {
        let file = File::open(path).map_err(Unreadable::new)?;
        let metadata = guarded(|| {
            ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())
                .map_err(|e| format!("the file is no Parquet file, or is damaged: {e}"))
        })
        .map_err(Unreadable::new)?;
        let schema = metadata.schema();
        let index = |column: &str| -> Result<usize, Unreadable> {
            schema.index_of(column).map_err(|_| Unreadable {
                column: Some(column.to_owned()),
                what: format!("there is no column `{column}`"),
                hint: Some(format!("there are `{}`", names(schema.fields()).join("`, `"))),
            })
        };
        let wrong_type = |column: &str, needed: &str, found: &DataType| Unreadable {
            column: Some(column.to_owned()),
            what: format!("{needed} needed and the column holds {found}"),
            hint: None,
        };
        let question = index(&source.question)?;
        if !is_text(schema.field(question).data_type()) {
            return Err(wrong_type(&source.question, "texts are", schema.field(question).data_type()));
        }
        let mut columns = vec![question];
        for column in source.options.iter().chain(&source.answer) {
            columns.push(index(column)?);
        }
        for column in &source.images {
            let at = index(column)?;
            let found = schema.field(at).data_type();
            if !holds_pictures(found) {
                return Err(wrong_type(column, "pictures are", found));
            }
            columns.push(at);
        }
        let mut starts = vec![0];
        for group in metadata.metadata().row_groups() {
            // A damaged footer can claim any number.
            let end = u64::try_from(group.num_rows())
                .ok()
                .and_then(|rows| rows.checked_add(starts[starts.len() - 1]));
            match end {
                Some(end) if end <= MAX_ROWS => starts.push(end),
                _ => return Err(Unreadable::new(format!("the file claims more than {MAX_ROWS} rows"))),
            }
        }
        let mask = ProjectionMask::roots(metadata.metadata().file_metadata().schema_descr(), columns);
        Ok(Box::new(ParquetFile {
            number: self.opened.fetch_add(1, Ordering::Relaxed),
            file,
            metadata,
            mask,
            starts,
            source: source.clone(),
            cache: Arc::clone(&self.cache),
        }))
    }
}

fn names(fields: &arrow::datatypes::Fields) -> Vec<&str> {
    fields.iter().map(|field| field.name().as_str()).collect()
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_text(values),
        other => matches!(other, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View),
    }
}

fn holds_pictures(data_type: &DataType) -> bool {
    match data_type {
        DataType::Struct(fields) => fields.iter().any(|f| matches!(f.name().as_str(), "bytes" | "path")),
        DataType::List(inner) | DataType::LargeList(inner) => holds_pictures(inner.data_type()),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => true,
        other => is_text(other),
    }
}

/// Number of the file and of the row group in it.
type Key = (usize, usize);

/// Row groups of one dataset's files, the one used last at the back.
#[derive(Default)]
struct Cache {
    groups: Mutex<VecDeque<(Key, Arc<Group>)>>,
}

/// What decoding gave; failures are kept as well, or each row of a damaged group would try again.
struct Group {
    batches: Result<Vec<RecordBatch>, String>,
    bytes: usize,
}

impl Cache {
    fn get(&self, key: Key) -> Option<Arc<Group>> {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let at = groups.iter().position(|(held, _)| *held == key)?;
        let entry = groups.remove(at)?;
        let group = Arc::clone(&entry.1);
        groups.push_back(entry);
        Some(group)
    }

    fn put(&self, key: Key, group: Arc<Group>) {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.retain(|(held, _)| *held != key);
        groups.push_back((key, group));
        let mut bytes: usize = groups.iter().map(|(_, group)| group.bytes).sum();
        while bytes > CACHE_BYTES && groups.len() > 1 {
            bytes -= groups.pop_front().map_or(0, |(_, group)| group.bytes);
        }
    }
}

struct ParquetFile {
    number: usize,
    file: File,
    metadata: ArrowReaderMetadata,
    mask: ProjectionMask,
    /// First row of each row group, and the number of rows at the end.
    starts: Vec<u64>,
    source: FileSource,
    cache: Arc<Cache>,
}

impl ParquetFile {
    fn group(&self, group: usize) -> Arc<Group> {
        if let Some(held) = self.cache.get((self.number, group)) {
            return held;
        }
        let batches = guarded(|| self.decode(group)).map_err(|what| format!("row group {group}: {what}"));
        let bytes = batches.iter().flatten().map(RecordBatch::get_array_memory_size).sum();
        let decoded = Arc::new(Group { batches, bytes });
        self.cache.put((self.number, group), Arc::clone(&decoded));
        decoded
    }

    fn decode(&self, group: usize) -> Result<Vec<RecordBatch>, String> {
        let size = self.metadata.metadata().row_group(group).total_byte_size();
        if size > MAX_GROUP_BYTES {
            return Err(format!("it has {size} bytes; at most {MAX_GROUP_BYTES} are read"));
        }
        let file = self.file.try_clone().map_err(|e| e.to_string())?;
        ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
            .with_row_groups(vec![group])
            .with_projection(self.mask.clone())
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(|e| e.to_string())?
            .map(|batch| batch.map_err(|e| e.to_string()))
            .collect()
    }
}

impl Table for ParquetFile {
    fn len(&self) -> u64 {
        self.starts[self.starts.len() - 1]
    }

    fn row(&self, row: u64) -> Result<RawRow, Flaw> {
        let group = self.starts.partition_point(|start| *start <= row) - 1;
        let decoded = self.group(group);
        let batches = decoded.batches.as_ref().map_err(|what| Flaw::new(None, what))?;
        let mut within = (row - self.starts[group]) as usize;
        let batch = batches.iter().find(|batch| {
            let here = within < batch.num_rows();
            within -= if here { 0 } else { batch.num_rows() };
            here
        });
        let batch =
            batch.ok_or_else(|| Flaw::new(None, format!("row group {group} has fewer rows than it says")))?;
        let column = |name: &str| -> Result<&ArrayRef, Flaw> {
            batch.column_by_name(name).ok_or_else(|| Flaw::new(Some(name), "the column is missing"))
        };
        let cell = |name: Option<&str>| -> Result<Value, Flaw> {
            let Some(name) = name else { return Ok(Value::Null) };
            value(column(name)?, within).map_err(|what| Flaw::new(Some(name), what))
        };
        let cells = Cells {
            question: cell(Some(&self.source.question))?,
            options: cell(self.source.options.as_deref())?,
            answer: cell(self.source.answer.as_deref())?,
        };
        let mut pictures = Vec::new();
        for name in &self.source.images {
            let mut found = Vec::new();
            collect_pictures(column(name)?, within, &mut found)
                .map_err(|what| Flaw::new(Some(name), what))?;
            pictures.extend(found.into_iter().map(|cell| (name.clone(), cell)));
        }
        Ok(RawRow { cells, pictures })
    }
}

/// One value as JSON holds it; numbers, texts, truth values and lists and structs of them.
fn value(array: &ArrayRef, row: usize) -> Result<Value, String> {
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    let one = || array.slice(row, 1);
    let to = |data_type| cast(&one(), &data_type).map_err(|e| e.to_string());
    Ok(match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).into(),
        DataType::Utf8View => array.as_string_view().value(row).into(),
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::Null => Value::Null,
        DataType::Dictionary(_, values) => return value(&to(values.as_ref().clone())?, 0),
        integer if integer.is_integer() => to(DataType::Int64)?.as_primitive::<Int64Type>().value(0).into(),
        number if number.is_numeric() => to(DataType::Float64)?.as_primitive::<Float64Type>().value(0).into(),
        DataType::List(_) => values(&array.as_list::<i32>().value(row))?,
        DataType::LargeList(_) => values(&array.as_list::<i64>().value(row))?,
        DataType::FixedSizeList(..) => values(&array.as_fixed_size_list().value(row))?,
        DataType::Struct(fields) => {
            let mut object = Map::new();
            for (field, child) in fields.iter().zip(array.as_struct().columns()) {
                object.insert(field.name().clone(), value(child, row)?);
            }
            Value::Object(object)
        }
        other => return Err(format!("values of the type {other} are not read")),
    })
}

fn values(list: &ArrayRef) -> Result<Value, String> {
    (0..list.len()).map(|i| value(list, i)).collect::<Result<Vec<Value>, String>>().map(Value::Array)
}

/// Adds the pictures of one cell; empty cells add none.
fn collect_pictures(array: &ArrayRef, row: usize, found: &mut Vec<PictureCell>) -> Result<(), String> {
    if array.is_null(row) {
        return Ok(());
    }
    let bytes: &[u8] = match array.data_type() {
        DataType::Binary => array.as_binary::<i32>().value(row),
        DataType::LargeBinary => array.as_binary::<i64>().value(row),
        DataType::BinaryView => array.as_binary_view().value(row),
        DataType::Struct(fields) => {
            let children = array.as_struct();
            let child = |name: &str| {
                let at = fields.iter().position(|field: &Arc<Field>| field.name() == name)?;
                Some(children.column(at)).filter(|child| !child.is_null(row))
            };
            // The path is where the picture once was; it counts only where the bytes are not here.
            return child("bytes")
                .or_else(|| child("path"))
                .map_or(Ok(()), |child| collect_pictures(child, row, found));
        }
        DataType::List(_) => return collect_list(&array.as_list::<i32>().value(row), found),
        DataType::LargeList(_) => return collect_list(&array.as_list::<i64>().value(row), found),
        _ => {
            let Value::String(path) = value(array, row)? else {
                return Err("a picture is needed".to_owned());
            };
            found.push(PictureCell::Path(path));
            return Ok(());
        }
    };
    if bytes.len() as u64 > MAX_PICTURE_BYTES {
        return Err(format!("the picture has {} bytes; at most {MAX_PICTURE_BYTES} are read", bytes.len()));
    }
    found.push(PictureCell::Bytes(bytes.into()));
    Ok(())
}

fn collect_list(list: &ArrayRef, found: &mut Vec<PictureCell>) -> Result<(), String> {
    (0..list.len()).try_for_each(|i| collect_pictures(list, i, found))
}

/// The parquet crate panics on some damaged files (128 of 300 000 mutants in a trial): that is an error of the
/// file, not the end of a run.
fn guarded<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    panic::catch_unwind(panic::AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err("the decoder failed on it, so the file is damaged".to_owned()))
}
