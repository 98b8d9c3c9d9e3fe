//! JSON lines beside pictures: one object per line, pictures as relative paths.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    path::Path,
    sync::{Mutex, PoisonError},
};

use serde_json::{Map, Value};

use super::{Missing, NoSettings, RawRow, Reader, Table, Unreadable, entry, fields, unpack};
use crate::{
    data::{clean::Flaw, config::FileSource},
    registry::{BuildError, Entry, Named},
};

pub(super) const ENTRY: Entry<dyn Reader> = entry::<JsonLines>();

/// Longest line, in bytes.
pub(super) const MAX_LINE: u64 = 16 * 1024 * 1024;

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
        let file = unpack::open(path)?;
        let rows = lines(&file, u64::MAX)?;
        Ok(Box::new(LinesOf { lines: Lines::new(file, rows), source: source.clone() }))
    }
}

/// Where the first `most` lines that are not blank are.
pub(super) fn lines(file: &File, most: u64) -> Result<Vec<Line>, Unreadable> {
    let mut file = BufReader::new(file);
    let mut lines = Vec::new();
    let (mut start, mut number, mut line) = (0, 0, Vec::new());
    while (lines.len() as u64) < most {
        line.clear();
        // One byte more than allowed tells a line that is too long from one that just fits.
        let length =
            file.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut line).map_err(Unreadable::new)? as u64;
        if length == 0 {
            break;
        }
        number += 1;
        if length > MAX_LINE {
            return Err(Unreadable::new(format!("line {number} is longer than {MAX_LINE} bytes")));
        }
        // Editors on Windows begin a file with a byte order mark.
        let mark = if number == 1 && line.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        if !line[mark..].trim_ascii().is_empty() {
            let mark = mark as u64;
            lines.push(Line { start: start + mark, length: length - mark, number });
        }
        start += length;
    }
    Ok(lines)
}

/// Where a line is.
#[derive(Clone, Copy)]
pub(super) struct Line {
    start: u64,
    length: u64,
    /// Counted from 1, blank lines too, as editors do.
    number: u64,
}

/// The objects of a file.
pub(super) struct Lines {
    file: Mutex<File>,
    rows: Vec<Line>,
}

impl Lines {
    pub(super) fn new(file: File, rows: Vec<Line>) -> Self {
        Self { file: Mutex::new(file), rows }
    }

    pub(super) fn len(&self) -> u64 {
        self.rows.len() as u64
    }

    /// The number of a row's line.
    pub(super) fn number(&self, row: u64) -> u64 {
        self.rows[row as usize].number
    }

    /// The object of a row.
    pub(super) fn object(&self, row: u64) -> Result<Map<String, Value>, Flaw> {
        let line = self.rows[row as usize];
        let mut bytes = vec![0; line.length as usize];
        {
            // A thread that panicked here left only the file's position behind, and that is set anew.
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(line.start))
                .and_then(|_| file.read_exact(&mut bytes))
                .map_err(|e| Flaw::new(None, format!("the file changed while it was read: {e}")))?;
        }
        serde_json::from_slice(&bytes).map_err(|e| {
            let place =
                if e.column() > 0 { format!(" at byte {} of the line", e.column()) } else { String::new() };
            Flaw::new(None, fields::no_object(&e) + &place)
        })
    }
}

struct LinesOf {
    lines: Lines,
    source: FileSource,
}

impl Table for LinesOf {
    fn len(&self) -> u64 {
        self.lines.len()
    }

    fn place(&self, row: u64) -> String {
        format!("line {}", self.lines.number(row))
    }

    fn missing(&self) -> Missing {
        fields::missing((0..self.len()).map(|row| self.lines.object(row)), &self.source)
    }

    fn row(&self, row: u64) -> Result<RawRow, Flaw> {
        fields::row(&self.lines.object(row)?, &self.source)
    }
}
