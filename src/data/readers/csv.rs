//! CSV beside pictures, as folders of pictures with a `metadata.csv` have it: a line of names, pictures as paths.

use std::{
    cell::Cell,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
    rc::Rc,
    sync::{Mutex, PoisonError},
};

use serde_json::{Map, Value};

use super::{NoSettings, RawRow, Reader, Table, Unreadable, entry, fields, jsonl::MAX_LINE, unpack};
use crate::{
    data::{clean::Flaw, config::FileSource},
    registry::{BuildError, Entry, Named},
};

pub(super) const ENTRY: Entry<dyn Reader> = entry::<Csv>();

struct Csv;

impl Named for Csv {
    const NAME: &'static str = "csv";
    const SUMMARY: &'static str = "CSV with a line of names, pictures as paths relative to the file";
    type Config = NoSettings;

    fn new(NoSettings {}: NoSettings) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

/// Fails once a record has had all the bytes it may have.
struct Bounded<R> {
    inner: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let left = self.left.get().checked_sub(read as u64);
        self.left
            .set(left.ok_or_else(|| io::Error::other(format!("a line is longer than {MAX_LINE} bytes")))?);
        Ok(read)
    }
}

impl Reader for Csv {
    fn open(&self, path: &Path, source: &FileSource) -> Result<Box<dyn Table>, Unreadable> {
        let file = unpack::open(path)?;
        let left = Rc::new(Cell::new(MAX_LINE));
        let mut reader = ::csv::ReaderBuilder::new()
            .flexible(true)
            .from_reader(Bounded { inner: &file, left: Rc::clone(&left) });
        let wrong = |e: ::csv::Error| Unreadable::new(format!("no CSV: {e}"));
        let names: Vec<String> = reader
            .byte_headers()
            .map_err(wrong)?
            .iter()
            .map(|n| String::from_utf8_lossy(n).into_owned())
            .collect();
        for column in [Some(&source.question), source.answer.as_ref()]
            .into_iter()
            .flatten()
            .chain(&source.options)
            .chain(source.images.iter().filter(|column| !column.contains('{')))
        {
            if !names.contains(column) {
                return Err(Unreadable {
                    column: Some(column.clone()),
                    what: format!("there is no column `{column}`"),
                    hint: Some(
                        other_separator(&names)
                            .unwrap_or_else(|| format!("there are `{}`", names.join("`, `"))),
                    ),
                });
            }
        }
        let mut rows = Vec::new();
        let mut record = ::csv::ByteRecord::new();
        loop {
            left.set(MAX_LINE);
            let (start, line) = (reader.position().byte(), reader.position().line());
            if !reader.read_byte_record(&mut record).map_err(wrong)? {
                break;
            }
            rows.push(Place { start, length: reader.position().byte() - start, line });
        }
        drop(reader);
        Ok(Box::new(Records { file: Mutex::new(file), names, rows, source: source.clone() }))
    }
}

/// What to do where something else than commas separates the names.
pub(super) fn other_separator(names: &[String]) -> Option<String> {
    let [one] = names else { return None };
    let separator = [";", "\t", "|"].into_iter().find(|separator| one.contains(separator))?;
    Some(format!(
        "the names in the first line are separated by `{}`; CSV is read with commas: write the file anew with them",
        separator.escape_debug()
    ))
}

struct Place {
    start: u64,
    length: u64,
    /// Counted from 1, as editors do.
    line: u64,
}

struct Records {
    file: Mutex<File>,
    names: Vec<String>,
    rows: Vec<Place>,
    source: FileSource,
}

impl Table for Records {
    fn len(&self) -> u64 {
        self.rows.len() as u64
    }

    fn place(&self, row: u64) -> String {
        format!("line {}", self.rows[row as usize].line)
    }

    fn row(&self, row: u64) -> Result<RawRow, Flaw> {
        let place = &self.rows[row as usize];
        let mut bytes = vec![0; place.length as usize];
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(place.start))
                .and_then(|_| file.read_exact(&mut bytes))
                .map_err(|e| Flaw::new(None, format!("the file changed while it was read: {e}")))?;
        }
        let mut reader =
            ::csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&bytes[..]);
        let mut record = ::csv::StringRecord::new();
        let wrong = |e: ::csv::Error| Flaw::new(None, format!("no CSV: {e}"));
        if !reader.read_record(&mut record).map_err(wrong)? {
            return Err(Flaw::new(None, "the file changed while it was read"));
        }
        if record.len() != self.names.len() {
            let what = format!("the line has {} fields and the first one {}", record.len(), self.names.len());
            return Err(Flaw::new(None, what));
        }
        let value = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
        let object: Map<String, Value> =
            self.names.iter().zip(record.iter()).map(|(name, text)| (name.clone(), value(text))).collect();
        fields::row(&object, &self.source)
    }
}
