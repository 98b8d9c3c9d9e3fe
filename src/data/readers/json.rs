//! JSON beside pictures: a list of objects, or an object of them by id, as LLaVA and ScienceQA write it.
//!
//! The file is searched for the places of its rows once, without building anything; a row is parsed when it is
//! read.

use std::{
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
    path::Path,
    sync::{Mutex, PoisonError},
};

use serde_json::{Map, Value};

use super::{Missing, NoSettings, RawRow, Reader, Table, Unreadable, entry, fields, jsonl::MAX_LINE, unpack};
use crate::{
    data::{clean::Flaw, config::FileSource},
    registry::{BuildError, Entry, Named},
};

pub(super) const ENTRY: Entry<dyn Reader> = entry::<Json>();

/// Longest id, in bytes.
const MAX_KEY: usize = 4096;

struct Json;

impl Named for Json {
    const NAME: &'static str = "json";
    const SUMMARY: &'static str = "A list of JSON objects, or an object of them by `id`; pictures as paths";
    type Config = NoSettings;

    fn new(NoSettings {}: NoSettings) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

impl Reader for Json {
    fn open(&self, path: &Path, source: &FileSource) -> Result<Box<dyn Table>, Unreadable> {
        Ok(Box::new(ObjectsOf { objects: Objects::open(path)?, source: source.clone() }))
    }
}

/// Where a row is, and its id where it has one.
struct Place {
    start: u64,
    length: u64,
    key: Option<String>,
}

/// Looks for the places of rows byte by byte.
struct Search<R> {
    bytes: std::io::Bytes<BufReader<R>>,
    at: u64,
    last: Option<u8>,
}

impl<R: Read> Search<R> {
    fn new(reader: R) -> Self {
        Self { bytes: BufReader::new(reader).bytes(), at: 0, last: None }
    }

    /// The next byte, which [`Self::back`] can put back.
    fn next(&mut self) -> Result<Option<u8>, String> {
        let byte = match self.last.take() {
            Some(byte) => Some(byte),
            None => self.bytes.next().transpose().map_err(|e| e.to_string())?,
        };
        self.at += u64::from(byte.is_some());
        Ok(byte)
    }

    fn back(&mut self, byte: u8) {
        self.last = Some(byte);
        self.at -= 1;
    }

    fn next_visible(&mut self) -> Result<u8, String> {
        while let Some(byte) = self.next()? {
            if !byte.is_ascii_whitespace() {
                return Ok(byte);
            }
        }
        Err("the file ends in the middle".to_owned())
    }

    fn rows(mut self) -> Result<Vec<Place>, String> {
        let mut first = self.next_visible()?;
        if first == 0xef {
            // A byte order mark.
            self.next()?;
            self.next()?;
            first = self.next_visible()?;
        }
        let by_id = match first {
            b'[' => false,
            b'{' => true,
            _ => return Err("the file is no list of JSON objects, and no object of them".to_owned()),
        };
        let mut rows = Vec::new();
        loop {
            let byte = self.next_visible()?;
            match byte {
                b']' | b'}' if rows.is_empty() => return Ok(rows),
                _ => self.back(byte),
            }
            let key = if by_id { Some(self.key()?) } else { None };
            let byte = self.next_visible()?;
            self.back(byte);
            let start = self.at;
            self.skip(rows.len())?;
            rows.push(Place { start, length: self.at - start, key });
            match self.next_visible()? {
                b',' => {}
                b']' | b'}' => return Ok(rows),
                _ => return Err(format!("there is no comma after row {}", rows.len() - 1)),
            }
        }
    }

    fn key(&mut self) -> Result<String, String> {
        if self.next_visible()? != b'"' {
            return Err("an id is no text".to_owned());
        }
        let mut key = vec![b'"'];
        loop {
            let byte = self.next()?.ok_or("the file ends in the middle")?;
            key.push(byte);
            match byte {
                b'\\' => key.extend(self.next()?),
                b'"' => break,
                _ if key.len() > MAX_KEY => return Err(format!("an id is longer than {MAX_KEY} bytes")),
                _ => {}
            }
        }
        if self.next_visible()? != b':' {
            return Err("an id has no value".to_owned());
        }
        serde_json::from_slice(&key).map_err(|e| format!("an id is no text: {e}"))
    }

    /// Goes past one value, however deep.
    fn skip(&mut self, row: usize) -> Result<(), String> {
        let (start, mut depth, mut in_text) = (self.at, 0_u64, false);
        loop {
            let byte = self.next()?.ok_or_else(|| format!("the file ends in the middle of row {row}"))?;
            if self.at - start > MAX_LINE {
                return Err(format!("row {row} is longer than {MAX_LINE} bytes"));
            }
            match byte {
                b'\\' if in_text => drop(self.next()?),
                b'"' => in_text = !in_text,
                _ if in_text => {}
                b'[' | b'{' => depth += 1,
                b']' | b'}' if depth > 0 => depth -= 1,
                // The end of the list that a number or a word is the last of.
                b']' | b'}' | b',' if depth == 0 => {
                    self.back(byte);
                    return Ok(());
                }
                _ => continue,
            }
            if depth == 0 && !in_text {
                return Ok(());
            }
        }
    }
}

/// The objects of a file.
pub(super) struct Objects {
    file: Mutex<File>,
    rows: Vec<Place>,
}

impl Objects {
    pub(super) fn open(path: &Path) -> Result<Self, Unreadable> {
        let file = unpack::open(path)?;
        let rows = Search::new(BufReader::with_capacity(1 << 16, &file)).rows().map_err(Unreadable::new)?;
        Ok(Self { file: Mutex::new(file), rows })
    }

    pub(super) fn len(&self) -> u64 {
        self.rows.len() as u64
    }

    /// The object of a row, with its id.
    pub(super) fn object(&self, row: u64) -> Result<Map<String, Value>, Flaw> {
        let Place { start, length, key } = &self.rows[row as usize];
        let mut bytes = vec![0; *length as usize];
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(*start))
                .and_then(|_| file.read_exact(&mut bytes))
                .map_err(|e| Flaw::new(None, format!("the file changed while it was read: {e}")))?;
        }
        let mut object: Map<String, Value> =
            serde_json::from_slice(&bytes).map_err(|e| Flaw::new(None, fields::no_object(&e)))?;
        if let Some(key) = key {
            object.entry("id").or_insert_with(|| key.clone().into());
        }
        Ok(object)
    }
}

struct ObjectsOf {
    objects: Objects,
    source: FileSource,
}

impl Table for ObjectsOf {
    fn len(&self) -> u64 {
        self.objects.len()
    }

    fn place(&self, row: u64) -> String {
        match &self.objects.rows[row as usize].key {
            Some(key) => format!("row {row} (id `{}`)", key.escape_debug()),
            None => format!("row {row}"),
        }
    }

    fn missing(&self) -> Missing {
        fields::missing((0..self.len()).map(|row| self.objects.object(row)), &self.source)
    }

    fn row(&self, row: u64) -> Result<RawRow, Flaw> {
        fields::row(&self.objects.object(row)?, &self.source)
    }
}
