//! Parquet as Hugging Face `datasets` writes it: pictures inside the rows, or paths beside them.
//!
//! A picture column holds structs of `bytes` and `path` (bytes win), lists of them, binary values, or paths.
//! A row is read by decoding its row group, needed columns only; decoded groups stay in memory, encoded pictures
//! and all, up to [`CACHE_BYTES`] per dataset. So small files are decoded once, and of large ones a row in random
//! order costs its row group. Pictures are not copied on their way, so that their place in the file is known and an
//! index can point there: see [`super::pages`].

use std::{
    collections::{HashMap, VecDeque},
    fs::File,
    ops::Range,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use arrow::{
    array::RecordBatch,
    datatypes::{DataType, Field, FieldRef, Fields, Schema},
};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
    },
    basic::Compression,
};

use super::{
    NoSettings, RawRow, Reader, Run, Table, Unreadable,
    columns::Columns,
    entry, footer,
    pages::{Held, Pages},
};
use crate::{
    data::{clean::Flaw, config::FileSource, guard},
    registry::{BuildError, Entry, Named},
};

pub(super) const ENTRY: Entry<dyn Reader> = entry::<Parquet>();

/// Decoded row groups kept per dataset, in bytes; the one in use is kept even if it alone is larger.
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// Largest row group, in bytes before compression.
const MAX_GROUP_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// Most rows of one file.
const MAX_ROWS: u64 = 100_000_000;

/// A file's footer is far less than this share of it, where it is not small anyway.
const FOOTER_SHARE: u64 = 100;

/// Rows per decoded batch: keeps each column of texts far below the 2 GiB that Arrow's 32-bit offsets address.
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
        let length = file.metadata().map_err(Unreadable::new)?.len();
        let other = file.try_clone().map_err(Unreadable::new)?;
        let (schema, metadata) = guard::timed(length / FOOTER_SHARE, move || {
            footer::check_depth(&other).map_err(|what| format!("the file cannot be read: {what}"))?;
            let metadata = ArrowReaderMetadata::load(&other, options())
                .map_err(|e| format!("the file is no Parquet file, or is damaged: {e}"))?;
            let notes = metadata.metadata().file_metadata().key_value_metadata().into_iter().flatten();
            let notes: HashMap<String, String> =
                notes.filter_map(|note| Some((note.key.clone(), note.value.clone()?))).collect();
            let schema = Arc::new(Schema::clone(metadata.schema()).with_metadata(notes));
            // What cannot be read so is read as it says itself.
            let options = ArrowReaderOptions::new().with_schema(with_views(metadata.schema()).into());
            let viewed = ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options);
            Ok((schema, viewed.unwrap_or(metadata)))
        })
        .map_err(Unreadable::new)?;
        let columns = Columns::new(&schema, source)?;
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
        let roots = metadata.metadata().file_metadata().schema_descr();
        let mask = ProjectionMask::roots(roots, columns.needed.iter().copied());
        Ok(Box::new(ParquetFile {
            number: self.opened.fetch_add(1, Ordering::Relaxed),
            file: Arc::new(file),
            length,
            metadata,
            mask,
            starts,
            columns,
            cache: Arc::clone(&self.cache),
        }))
    }
}

/// How files are opened. Arrow's own note of the columns is not believed: where it calls bytes a text, the decoder does not
/// look whether they are one, and what it gives then is none.
pub(super) fn options() -> ArrowReaderOptions {
    ArrowReaderOptions::new().with_skip_arrow_metadata(true)
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
    batches: Result<(Vec<RecordBatch>, Held), String>,
    bytes: usize,
}

/// Where the columns of a row group with this compression stand in the file.
fn columns_with(compression: Compression, metadata: &ArrowReaderMetadata, group: usize) -> Vec<Range<u64>> {
    let columns = metadata.metadata().row_group(group).columns().iter();
    let chosen = columns.filter(|column| column.compression() == compression);
    let ranges = chosen.map(|column| {
        let (start, length) = column.byte_range();
        start..start.saturating_add(length)
    });
    ranges.collect()
}

/// The same schema with binary values as views of the page they are in, which is not copied for that.
fn with_views(schema: &Schema) -> Schema {
    fn viewed(data_type: &DataType) -> DataType {
        let inner = |field: &FieldRef| -> FieldRef {
            Arc::new(Field::clone(field).with_data_type(viewed(field.data_type())))
        };
        match data_type {
            DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
            DataType::List(field) => DataType::List(inner(field)),
            DataType::LargeList(field) => DataType::LargeList(inner(field)),
            DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect::<Fields>()),
            other => other.clone(),
        }
    }
    let field = |field: &FieldRef| Field::clone(field).with_data_type(viewed(field.data_type()));
    Schema::new_with_metadata(
        schema.fields().iter().map(field).collect::<Vec<_>>(),
        schema.metadata().clone(),
    )
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
    file: Arc<File>,
    length: u64,
    metadata: ArrowReaderMetadata,
    mask: ProjectionMask,
    /// First row of each row group, and the number of rows at the end.
    starts: Vec<u64>,
    columns: Columns,
    cache: Arc<Cache>,
}

impl ParquetFile {
    fn group(&self, group: usize) -> Arc<Group> {
        if let Some(held) = self.cache.get((self.number, group)) {
            return held;
        }
        let decoded = Arc::new(self.decoded(group));
        self.cache.put((self.number, group), Arc::clone(&decoded));
        decoded
    }

    fn decoded(&self, group: usize) -> Group {
        let batches = self.decode(group).map_err(|what| format!("row group {group}: {what}"));
        Group { batches, bytes: self.size(group) as usize }
    }

    /// Bytes of a row group before compression, as the file says.
    fn size(&self, group: usize) -> u64 {
        self.metadata.metadata().row_group(group).total_byte_size().max(0) as u64
    }

    fn decode(&self, group: usize) -> Result<(Vec<RecordBatch>, Held), String> {
        let size = self.size(group);
        if size > MAX_GROUP_BYTES {
            return Err(format!("it has {size} bytes; at most {MAX_GROUP_BYTES} are read"));
        }
        let (file, length) = (Arc::clone(&self.file), self.length);
        let (metadata, mask) = (self.metadata.clone(), self.mask.clone());
        // The parquet crate panics on some damaged files (128 of 300 000 mutants in a trial), and may take its time.
        guard::timed(size, move || {
            let [plain, packed] = [Compression::UNCOMPRESSED, Compression::SNAPPY]
                .map(|compression| columns_with(compression, &metadata, group));
            let pages = Pages::new(&file, length, plain, packed);
            let batches = ParquetRecordBatchReaderBuilder::new_with_metadata(pages.clone(), metadata)
                .with_row_groups(vec![group])
                .with_projection(mask)
                .with_batch_size(BATCH_ROWS)
                .build()
                .map_err(|e| e.to_string())?
                .collect::<Result<Vec<_>, _>>()
                .map_err(|e| e.to_string())?;
            Ok((batches, pages.held()))
        })
    }

    /// A row of a row group, by its place in it.
    fn row_of(&self, decoded: &Group, group: usize, mut within: usize) -> Result<RawRow, Flaw> {
        let (batches, held) = decoded.batches.as_ref().map_err(|what| Flaw::new(None, what))?;
        let batch = batches.iter().find(|batch| {
            let here = within < batch.num_rows();
            within -= if here { 0 } else { batch.num_rows() };
            here
        });
        let batch =
            batch.ok_or_else(|| Flaw::new(None, format!("row group {group} has fewer rows than it says")))?;
        self.columns.row(batch, within, |value, page| held.place(value, page))
    }

    /// The row group that a row is in.
    fn group_of(&self, row: u64) -> usize {
        self.starts.partition_point(|start| *start <= row) - 1
    }
}

impl Table for ParquetFile {
    fn len(&self) -> u64 {
        self.starts[self.starts.len() - 1]
    }

    fn row(&self, row: u64) -> Result<RawRow, Flaw> {
        let group = self.group_of(row);
        self.row_of(&self.group(group), group, (row - self.starts[group]) as usize)
    }

    fn run(&self, row: u64) -> Run {
        let group = self.group_of(row);
        Run { end: self.starts[group + 1], bytes: self.size(group) }
    }

    fn rows(&self, rows: Range<u64>, each: &mut dyn FnMut(Result<RawRow, Flaw>)) {
        let Some(group) = (!rows.is_empty()).then(|| self.group_of(rows.start)) else { return };
        // Read in order every group is needed once, so none is kept.
        let decoded = self.decoded(group);
        rows.for_each(|row| each(self.row_of(&decoded, group, (row - self.starts[group]) as usize)));
    }
}
