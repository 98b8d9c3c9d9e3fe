//! JSON lines beside pictures: one object per line, pictures as relative paths.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    path::Path,
    sync::{Mutex, PoisonError},
};

use serde_json::{Map, Value};

use super::{NoSettings, PictureCell, RawRow, Reader, Table, Unreadable, entry};
use crate::{
    data::{
        clean::{Cells, Flaw},
        config::FileSource,
    },
    registry::{BuildError, Entry, Named},
};

pub(super) const ENTRY: Entry<dyn Reader> = entry::<JsonLines>();

/// Longest line, in bytes.
const MAX_LINE: u64 = 16 * 1024 * 1024;

struct JsonLines;

impl Named for JsonLines {
    const NAME: &'static str = "jsonl";
    const SUMMARY: &'static str = "One JSON object per line, pictures as paths relative to the file";
    type Config = NoSettings;

    fn new(NoSettings {}: NoSettings) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

impl Reader for JsonLines {
    fn open(&self, path: &Path, source: &FileSource) -> Result<Box<dyn Table>, Unreadable> {
        let mut file = BufReader::new(File::open(path).map_err(Unreadable::new)?);
        let mut lines = Vec::new();
        let (mut start, mut number, mut line) = (0, 0, Vec::new());
        loop {
            line.clear();
            // One byte more than allowed tells a line that is too long from one that just fits.
            let length =
                file.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut line).map_err(Unreadable::new)?
                    as u64;
            if length == 0 {
                break;
            }
            number += 1;
            if length > MAX_LINE {
                return Err(Unreadable::new(format!("line {number} is longer than {MAX_LINE} bytes")));
            }
            if !line.trim_ascii().is_empty() {
                lines.push(Line { start, length, number });
            }
            start += length;
        }
        Ok(Box::new(Lines { file: Mutex::new(file.into_inner()), rows: lines, source: source.clone() }))
    }
}

#[derive(Clone, Copy)]
struct Line {
    start: u64,
    length: u64,
    /// Counted from 1, blank lines too, as editors do.
    number: u64,
}

struct Lines {
    file: Mutex<File>,
    rows: Vec<Line>,
    source: FileSource,
}

impl Lines {
    fn object(&self, line: Line) -> Result<Map<String, Value>, Flaw> {
        let mut bytes = vec![0; line.length as usize];
        {
            // A thread that panicked here left only the file's position behind, and that is set anew.
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(line.start))
                .and_then(|_| file.read_exact(&mut bytes))
                .map_err(|e| Flaw::new(None, format!("the file changed while it was read: {e}")))?;
        }
        serde_json::from_slice(&bytes).map_err(|e| Flaw::new(None, format!("no JSON object: {e}")))
    }
}

impl Table for Lines {
    fn len(&self) -> u64 {
        self.rows.len() as u64
    }

    fn place(&self, row: u64) -> String {
        format!("line {}", self.rows[row as usize].number)
    }

    fn row(&self, row: u64) -> Result<RawRow, Flaw> {
        let mut object = self.object(self.rows[row as usize])?;
        let mut pictures = Vec::new();
        for column in &self.source.images {
            let wrong = |what: &str| Flaw::new(Some(column), what);
            let paths = match object.remove(column) {
                None | Some(Value::Null) => continue,
                Some(Value::Array(items)) => items,
                Some(one) => vec![one],
            };
            for path in paths {
                let Value::String(path) = path else { return Err(wrong("a picture's path is needed")) };
                pictures.push((column.clone(), PictureCell::Path(path)));
            }
        }
        let answer_column = self.source.answer.as_deref().unwrap_or_default();
        let mut column = |name: &str| object.remove(name).unwrap_or(Value::Null);
        Ok(RawRow {
            cells: Cells {
                question: column(&self.source.question),
                options: self.source.options.as_deref().map_or(Value::Null, &mut column),
                answer: column(answer_column),
            },
            pictures,
        })
    }
}
