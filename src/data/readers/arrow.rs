//! Arrow IPC, as files and as the streams that `datasets` saves to disk.

use std::{
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use ::arrow::{array::RecordBatch, datatypes::SchemaRef, error::ArrowError};
use arrow_ipc::reader::{FileReader, StreamReader};

use super::{NoSettings, RawRow, Reader, Table, Unreadable, columns::Columns, entry};
use crate::{
    data::{clean::Flaw, config::FileSource, guard},
    registry::{BuildError, Entry, Named},
};

pub(super) const ENTRY: Entry<dyn Reader> = entry::<Arrow>();

/// Most rows of one file.
const MAX_ROWS: u64 = 100_000_000;

struct Arrow;

impl Named for Arrow {
    const NAME: &'static str = "arrow";
    const SUMMARY: &'static str = "Arrow IPC files and streams, as Hugging Face `datasets` saves them";
    type Config = NoSettings;

    fn new(NoSettings {}: NoSettings) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

impl Reader for Arrow {
    fn open(&self, path: &Path, source: &FileSource) -> Result<Box<dyn Table>, Unreadable> {
        let path = Arc::from(path);
        let (schema, starts) = count(&path).map_err(Unreadable::new)?;
        let columns = Columns::new(&schema, source)?;
        Ok(Box::new(ArrowFile { path, columns, starts, held: Mutex::new(None) }))
    }
}

pub(super) type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;

/// Schema and batches of a file, whichever of the two forms it has.
pub(super) fn batches(path: &Path) -> Result<(SchemaRef, Batches), String> {
    let damaged = |e: ArrowError| format!("the file is no Arrow file, or is damaged: {e}");
    let mut file = File::open(path).map_err(|e| e.to_string())?;
    let mut magic = [0; 6];
    let is_file = file.read(&mut magic).map_err(|e| e.to_string())? == 6 && &magic == b"ARROW1";
    file.seek(SeekFrom::Start(0)).map_err(|e| e.to_string())?;
    let file = BufReader::new(file);
    if is_file {
        let reader = FileReader::try_new(file, None).map_err(damaged)?;
        Ok((reader.schema(), Box::new(reader)))
    } else {
        let reader = StreamReader::try_new(file, None).map_err(damaged)?;
        Ok((reader.schema(), Box::new(reader)))
    }
}

/// The schema, and the first row of each batch with the number of rows at the end.
fn count(path: &Arc<Path>) -> Result<(SchemaRef, Vec<u64>), String> {
    let length = path.metadata().map_err(|e| e.to_string())?.len();
    let path = Arc::clone(path);
    guard::timed(length, move || {
        let (schema, batches) = batches(&path)?;
        let mut starts = vec![0];
        for (at, batch) in batches.enumerate() {
            let batch = batch.map_err(|e| format!("record batch {at}: {e}"))?;
            let end = starts[at] + batch.num_rows() as u64;
            if end > MAX_ROWS {
                return Err(format!("the file has more than {MAX_ROWS} rows"));
            }
            starts.push(end);
        }
        Ok((schema, starts))
    })
}

struct ArrowFile {
    path: Arc<Path>,
    columns: Columns,
    starts: Vec<u64>,
    /// The batch that was read last, and those that come after it.
    held: Mutex<Option<Held>>,
}

struct Held {
    number: usize,
    batch: Result<RecordBatch, String>,
    rest: Batches,
}

impl ArrowFile {
    /// A batch; those before the one held are read from the start, since streams cannot be sought in.
    fn batch(&self, number: usize) -> Result<RecordBatch, String> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let length = self.path.metadata().map_err(|e| e.to_string())?.len();
        loop {
            let next = match held.take() {
                Some(now) if now.number == number => {
                    let batch = now.batch.clone();
                    *held = Some(now);
                    return batch;
                }
                Some(now) if now.number < number => (now.number + 1, now.rest),
                _ => (0, batches(&self.path)?.1),
            };
            let (at, mut rest) = next;
            let (batch, rest) = guard::timed(length, move || {
                let batch =
                    rest.next().unwrap_or_else(|| Err(ArrowError::IpcError("it is missing".to_owned())));
                Ok((batch.map_err(|e| format!("record batch {at}: {e}")), rest))
            })?;
            *held = Some(Held { number: at, batch, rest });
        }
    }
}

impl Table for ArrowFile {
    fn len(&self) -> u64 {
        self.starts[self.starts.len() - 1]
    }

    fn is_sequential(&self) -> bool {
        true
    }

    fn row(&self, row: u64) -> Result<RawRow, Flaw> {
        let number = self.starts.partition_point(|start| *start <= row) - 1;
        let batch = self.batch(number).map_err(|what| Flaw::new(None, what))?;
        let within = (row - self.starts[number]) as usize;
        if within >= batch.num_rows() {
            return Err(Flaw::new(None, "the file changed while it was read"));
        }
        guard::caught(|| Ok(self.columns.row(&batch, within, |_, _| None)))
            .unwrap_or_else(|what| Err(Flaw::new(None, format!("record batch {number}: {what}"))))
    }
}
