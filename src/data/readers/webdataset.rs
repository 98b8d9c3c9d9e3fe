//! Tar shards of WebDataset: files with the same name up to the first dot are one row, their endings its columns.
//!
//! A `.json` file's keys are columns of their own; other files are texts under their ending, or pictures.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
    path::Path,
    sync::{Mutex, PoisonError},
};

use serde_json::{Map, Value};

use super::{
    Missing, NoSettings, PictureCell, RawRow, Reader, Table, Unreadable, entry, fields, jsonl::MAX_LINE,
    unpack,
};
use crate::{
    data::{clean::Flaw, config::FileSource, root::MAX_PICTURE_BYTES},
    registry::{BuildError, Entry, Named},
};

pub(super) const ENTRY: Entry<dyn Reader> = entry::<WebDataset>();

/// Most files of one shard.
const MAX_ENTRIES: usize = 20_000_000;

struct WebDataset;

impl Named for WebDataset {
    const NAME: &'static str = "webdataset";
    const SUMMARY: &'static str =
        "Tar shards: files of one name are a row, their endings (`jpg`, `json`, `txt`) columns";
    type Config = NoSettings;

    fn new(NoSettings {}: NoSettings) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

impl Reader for WebDataset {
    fn open(&self, path: &Path, source: &FileSource) -> Result<Box<dyn Table>, Unreadable> {
        Ok(Box::new(ShardOf { shard: Shard::open(path)?, source: source.clone() }))
    }
}

/// Files of one name.
struct Member {
    key: String,
    /// First byte and length of each file, by its ending.
    parts: BTreeMap<String, (u64, u64)>,
}

/// The files of a shard.
pub(super) struct Shard {
    file: Mutex<File>,
    /// Whether places in it are places in the shard as it lies there.
    in_place: bool,
    rows: Vec<Member>,
}

/// Endings of pictures.
const PICTURES: [&str; 8] = ["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff"];

impl Shard {
    pub(super) fn open(path: &Path) -> Result<Self, Unreadable> {
        let (file, in_place) = unpack::open_telling(path)?;
        let damaged = |e: std::io::Error| Unreadable::new(format!("no tar shard, or damaged: {e}"));
        let mut archive = tar::Archive::new(BufReader::new(&file));
        let mut rows: Vec<Member> = Vec::new();
        let mut entries = 0;
        for entry in archive.entries_with_seek().map_err(damaged)? {
            let entry = entry.map_err(damaged)?;
            entries += 1;
            if entries > MAX_ENTRIES {
                return Err(Unreadable::new(format!("the shard has more than {MAX_ENTRIES} files")));
            }
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let (folder, base) =
                name.rsplit_once('/').map_or(("", name.as_str()), |(folder, base)| (folder, base));
            let Some((stem, ending)) = base.split_once('.') else { continue };
            let key = if folder.is_empty() { stem.to_owned() } else { format!("{folder}/{stem}") };
            let part = (entry.raw_file_position(), entry.size());
            match rows.last_mut().filter(|row| row.key == key) {
                Some(row) => drop(row.parts.insert(ending.to_lowercase(), part)),
                None => rows.push(Member { key, parts: [(ending.to_lowercase(), part)].into() }),
            }
        }
        drop(archive);
        Ok(Self { file: Mutex::new(file), in_place, rows })
    }

    pub(super) fn len(&self) -> u64 {
        self.rows.len() as u64
    }

    /// All texts of a row, and the endings of its pictures.
    pub(super) fn everything(&self, row: u64) -> Result<(Map<String, Value>, Vec<String>), Flaw> {
        let (mut object, mut pictures) = (Map::new(), Vec::new());
        for (ending, part) in &self.rows[row as usize].parts {
            // `seg.png` is a picture as well, if no ordinary one is there.
            if PICTURES.contains(&ending.rsplit('.').next().unwrap_or(ending)) {
                pictures.push(ending.clone());
            } else if let (Err(flaw), "json") = (self.texts(ending, *part, &mut object), ending.as_str()) {
                // Other files need not be texts: arrays, sounds.
                return Err(flaw);
            }
        }
        Ok((object, pictures))
    }

    /// Adds the keys of a JSON file, or a text under its ending.
    fn texts(&self, ending: &str, part: (u64, u64), object: &mut Map<String, Value>) -> Result<(), Flaw> {
        let wrong = |what: String| Flaw::new(Some(ending), what);
        let bytes = self.read(part, MAX_LINE).map_err(wrong)?;
        if ending == "json" {
            let keys: Map<String, Value> =
                serde_json::from_slice(&bytes).map_err(|e| wrong(format!("no JSON object: {e}")))?;
            object.extend(keys);
        } else {
            let text = String::from_utf8(bytes).map_err(|e| wrong(e.to_string()))?;
            object.insert(ending.to_owned(), text.trim_end_matches('\n').into());
        }
        Ok(())
    }

    fn read(&self, (start, length): (u64, u64), most: u64) -> Result<Vec<u8>, String> {
        if length > most {
            return Err(format!("it has {length} bytes; at most {most} are read"));
        }
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = Vec::new();
        let read =
            file.seek(SeekFrom::Start(start)).and_then(|_| (&mut *file).take(length).read_to_end(&mut bytes));
        match read {
            Ok(read) if read as u64 == length => Ok(bytes),
            Ok(_) => Err("the shard is cut short".to_owned()),
            Err(e) => Err(e.to_string()),
        }
    }
}

struct ShardOf {
    shard: Shard,
    source: FileSource,
}

impl Table for ShardOf {
    fn len(&self) -> u64 {
        self.shard.len()
    }

    fn place(&self, row: u64) -> String {
        format!("`{}`", self.shard.rows[row as usize].key.escape_debug())
    }

    fn missing(&self) -> Missing {
        let object = |row: u64| {
            let parts = &self.shard.rows[row as usize].parts;
            let mut object: Map<String, Value> =
                parts.keys().map(|ending| (ending.clone(), Value::Null)).collect();
            parts.get("json").map_or(Ok(()), |part| self.shard.texts("json", *part, &mut object))?;
            Ok(object)
        };
        fields::missing((0..self.len()).map(object), &self.source)
    }

    fn row(&self, row: u64) -> Result<RawRow, Flaw> {
        let source = &self.source;
        let mut object = Map::new();
        let mut pictures = Vec::new();
        for (ending, part) in &self.shard.rows[row as usize].parts {
            let columns = [Some(&source.question), source.answer.as_ref()];
            if source.images.contains(ending) {
                let wrong = |what: String| Flaw::new(Some(ending), what);
                let bytes = self.shard.read(*part, MAX_PICTURE_BYTES).map_err(wrong)?;
                let place = self.shard.in_place.then(|| vec![(part.0, part.1 as u32)]);
                pictures.push((ending.clone(), PictureCell::Bytes(bytes.into(), place)));
            } else if ending == "json" || columns.contains(&Some(ending)) || source.options.contains(ending) {
                self.shard.texts(ending, *part, &mut object)?;
            }
        }
        // In the order of the mapping, whatever the order in the shard.
        pictures.sort_by_key(|(ending, _)| source.images.iter().position(|column| column == ending));
        let texts = FileSource { images: Vec::new(), ..source.clone() };
        Ok(RawRow { pictures, ..fields::row(&object, &texts)? })
    }
}
