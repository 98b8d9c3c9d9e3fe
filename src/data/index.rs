//! The rows of a dataset as one file that is made once, mapped into memory, and shared by every process that reads
//! the same dataset.
//!
//! A row is its hash, its texts and answer as they were read, and for each picture where its encoded bytes are:
//! pictures that are files, or stand in a file of rows as they are, stay where they are; those that a file of rows
//! holds in another form are copied here, each once. Nothing is decoded or encoded anew. The name of the index is made of
//! the sizes, times and places of the files, so that a changed file asks for another index; a process that still
//! reads the old one keeps it.
//!
//! ```text
//! magic │ pictures and rows, as they came │ hash of each row │ place and length of each row │ files │ footer
//! ```
//!
//! The hash over all hashes of rows is the hash of the dataset's content, so that one look at them tells both whether
//! the index is whole and what it is of.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use memmap2::Mmap;
use serde::{Deserialize, Serialize};

use super::readers::Pieces;
use crate::sample::{Answer, BadRow};

const MAGIC: &[u8; 16] = b"modo rows 2\n\0\0\0\0";

/// Bytes of a row's hash, and of its place and length.
const HASH: usize = 32;
const ENTRY: usize = 8 + 4;

/// Bytes of the footer: places of hashes and files, rows, and what [`whole`] makes of the rest.
const FOOTER: usize = 8 + 8 + 8 + 32;

/// What tells that an index is whole: `content`, the hash of its hashes, and all that follows them.
fn whole(content: &blake3::Hash, entries: &[u8], files: &[u8]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(content.as_bytes()).update(entries).update(files);
    hasher.finalize()
}

/// An index is deleted when one for the same files is made, unless somebody may be about to open it.
const YOUNG: Duration = Duration::from_mins(1);

/// What tells one state of a file from another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    /// Below the data root.
    pub(super) path: String,
    size: u64,
    modified_ns: u128,
    inode: u64,
}

impl Stamp {
    /// `shown`: the path below the root. A file that is not there has a state as well.
    pub(super) fn of(path: &Path, shown: &str) -> Self {
        let missing = Self { path: shown.to_owned(), size: u64::MAX, modified_ns: 0, inode: 0 };
        Self::of_file(path, shown).unwrap_or(missing)
    }

    fn of_file(path: &Path, shown: &str) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        let since = metadata.modified()?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            path: shown.to_owned(),
            size: metadata.len(),
            modified_ns: since.as_nanos(),
            inode: inode(&metadata),
        })
    }
}

#[cfg(unix)]
fn inode(metadata: &fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    // With the time of the last change of state: it cannot be set back, as that of the contents can.
    metadata.ino() ^ (metadata.ctime_nsec() as u64).rotate_left(32) ^ (metadata.ctime() as u64)
}

#[cfg(not(unix))]
fn inode(_: &fs::Metadata) -> u64 {
    0
}

/// A row as the index keeps it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Stored {
    /// One that can be used.
    Row {
        /// File and number.
        id: String,
        /// See [`crate::sample::Sample`].
        question: String,
        /// Likewise.
        options: Vec<String>,
        /// Likewise.
        answer: Answer,
        /// Likewise.
        pictures: Vec<StoredPicture>,
    },
    /// One that cannot.
    Bad {
        /// File, row and column.
        place: String,
        /// What is wrong.
        what: String,
    },
}

/// What the index knows of a picture.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StoredPicture {
    /// Where the encoded bytes are.
    pub(super) at: Place,
    /// Hash of the encoded bytes, in hexadecimal digits.
    pub(super) hash: String,
    /// In pixels, as a viewer shows it.
    pub(super) width: u32,
    /// Likewise.
    pub(super) height: u32,
    /// What a pixel is before decoding to RGB: `Rgb8`, `La16`.
    pub(super) mode: String,
}

/// Where the encoded bytes of a picture are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Place {
    /// In the index: the first byte and how many.
    Here(u64, u32),
    /// In a file of its own below the root.
    File(String),
    /// In a file of rows below the root, as they are.
    Inside(String, Pieces),
}

/// An index, mapped.
pub(super) struct Index {
    map: Mmap,
    /// Where the hashes begin.
    hashes: usize,
    rows: usize,
    content: blake3::Hash,
}

impl Index {
    /// The index of this name, if it is whole and the files of its pictures are what they were.
    pub(super) fn open(path: &Path, root: &Path) -> Option<Self> {
        let file = File::open(path).ok()?;
        #[expect(unsafe_code, reason = "an index is written once, renamed into place and never changed")]
        // SAFETY: nobody writes to or truncates an index under its name; deleting it leaves the mapping whole.
        let map = unsafe { Mmap::map(&file) }.ok()?;
        let body = map.len().checked_sub(FOOTER)?;
        let footer = &map[body..];
        let number =
            |at: usize| u64::from_le_bytes(footer[at..at + 8].try_into().expect("eight bytes")) as usize;
        let (hashes, files, rows) = (number(0), number(8), number(16));
        let fits = map.starts_with(MAGIC)
            && hashes <= files
            && files <= body
            && rows.checked_mul(HASH + ENTRY) == Some(files - hashes);
        if !fits {
            return None;
        }
        let entries = hashes + rows * HASH;
        let content = blake3::hash(&map[hashes..entries]);
        if whole(&content, &map[entries..files], &map[files..body]).as_bytes()[..] != footer[24..] {
            return None;
        }
        let stamps: Vec<Stamp> = serde_json::from_slice(&map[files..body]).ok()?;
        let same = |stamp: &Stamp| Stamp::of(&root.join(&stamp.path), &stamp.path) == *stamp;
        stamps.iter().all(same).then_some(Self { map, hashes, rows, content })
    }

    /// The hash over the hashes of all rows.
    pub(super) fn content(&self) -> blake3::Hash {
        self.content
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> u64 {
        self.rows as u64
    }

    /// The hash of a row.
    pub(super) fn hash(&self, row: u64) -> blake3::Hash {
        let at = self.hashes + row as usize * HASH;
        blake3::Hash::from_bytes(self.map[at..at + HASH].try_into().expect("32 bytes"))
    }

    /// A row without its pictures' bytes.
    pub(super) fn row(&self, row: u64) -> Result<Stored, String> {
        let at = self.hashes + self.rows * HASH + row as usize * ENTRY;
        let entry = &self.map[at..at + ENTRY];
        let place = u64::from_le_bytes(entry[..8].try_into().expect("eight bytes"));
        let length = u32::from_le_bytes(entry[8..].try_into().expect("four bytes"));
        serde_json::from_slice(self.bytes(place, length)?).map_err(|e| format!("the index is damaged: {e}"))
    }

    /// Bytes of the index itself.
    pub(super) fn bytes(&self, place: u64, length: u32) -> Result<&[u8], String> {
        let end = place.checked_add(u64::from(length)).filter(|end| *end <= self.hashes as u64);
        let end = end.ok_or("the index is damaged: a place lies outside it")?;
        Ok(&self.map[place as usize..end as usize])
    }
}

/// An index while it is made.
pub(super) struct Builder {
    file: BufWriter<tempfile::NamedTempFile>,
    at: u64,
    hashes: Vec<u8>,
    entries: Vec<u8>,
    /// Pictures that are in it.
    held: HashMap<blake3::Hash, Place>,
    stamps: HashMap<String, Stamp>,
}

impl Builder {
    /// Starts one in the folder that it will lie in.
    fn new(path: &Path) -> io::Result<Self> {
        let (folder, name) = making(path);
        let file = tempfile::Builder::new().prefix(&name).tempfile_in(folder)?;
        let mut file = BufWriter::with_capacity(1 << 20, file);
        file.write_all(MAGIC)?;
        let at = MAGIC.len() as u64;
        Ok(Self {
            file,
            at,
            hashes: Vec::new(),
            entries: Vec::new(),
            held: HashMap::new(),
            stamps: HashMap::new(),
        })
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<u64> {
        self.file.write_all(bytes)?;
        let place = self.at;
        self.at += bytes.len() as u64;
        Ok(place)
    }

    /// Keeps the bytes of a picture, once.
    pub(super) fn picture(&mut self, hash: blake3::Hash, bytes: &[u8]) -> io::Result<Place> {
        if let Some(place) = self.held.get(&hash) {
            return Ok(place.clone());
        }
        let place = Place::Here(self.append(bytes)?, bytes.len() as u32);
        self.held.insert(hash, place.clone());
        Ok(place)
    }

    /// Remembers the state of a picture's own file. `shown`: its path below the root.
    pub(super) fn picture_file(&mut self, path: &Path, shown: &str) -> Place {
        if !self.stamps.contains_key(shown) {
            self.stamps.insert(shown.to_owned(), Stamp::of(path, shown));
        }
        Place::File(shown.to_owned())
    }

    /// Adds a row.
    pub(super) fn row(&mut self, hash: blake3::Hash, row: &Stored) -> io::Result<()> {
        let bytes = serde_json::to_vec(row).expect("texts and finite numbers");
        let place = self.append(&bytes)?;
        self.hashes.extend_from_slice(hash.as_bytes());
        self.entries.extend_from_slice(&place.to_le_bytes());
        self.entries.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        Ok(())
    }

    /// Puts it in its place, whole or not at all.
    pub(super) fn finish(mut self, path: &Path) -> io::Result<()> {
        let rows = (self.entries.len() / ENTRY) as u64;
        let mut stamps: Vec<&Stamp> = self.stamps.values().collect();
        stamps.sort_by(|a, b| a.path.cmp(&b.path));
        let stamps = serde_json::to_vec(&stamps).expect("texts and numbers");
        let files = self.at + (self.hashes.len() + self.entries.len()) as u64;
        let whole = whole(&blake3::hash(&self.hashes), &self.entries, &stamps);
        for part in [&self.hashes, &self.entries, &stamps] {
            self.file.write_all(part)?;
        }
        for number in [self.at, files, rows] {
            self.file.write_all(&number.to_le_bytes())?;
        }
        self.file.write_all(whole.as_bytes())?;
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|e| e.error)?;
        Ok(())
    }
}

/// Where the index of these files lies: the first part of the name for what is read and how, the second for the
/// state of the files.
pub(super) fn path(folder: &Path, what: &str, stamps: &[Stamp]) -> PathBuf {
    let slot = slot(what, stamps);
    let state = blake3::hash(&serde_json::to_vec(stamps).expect("texts and numbers")).to_hex();
    folder.join(format!("{slot}-{}.rows", &state[..24]))
}

fn slot(what: &str, stamps: &[Stamp]) -> String {
    let paths: Vec<&str> = stamps.iter().map(|stamp| stamp.path.as_str()).collect();
    let key = serde_json::to_vec(&(env!("CARGO_PKG_VERSION"), what, paths)).expect("texts");
    blake3::hash(&key).to_hex()[..24].to_owned()
}

/// Opens the index at `path`, or makes it; processes that want the same one at once wait for the first.
pub(super) fn open_or_make(
    path: &Path,
    root: &Path,
    make: impl FnOnce(Builder) -> io::Result<Builder>,
) -> io::Result<Index> {
    if let Some(index) = Index::open(path, root) {
        return Ok(index);
    }
    let folder = path.parent().expect("an index lies in a folder");
    fs::create_dir_all(folder)?;
    // Where locks are not supported every process makes its own, and the last one's stays.
    let lock = File::create(path.with_extension("lock"))?;
    let locked = lock.lock().is_ok();
    if let Some(index) = Index::open(path, root) {
        return Ok(index);
    }
    if locked {
        remove_unfinished(path);
    }
    make(Builder::new(path)?)?.finish(path)?;
    let _ = fs::remove_file(path.with_extension("lock"));
    remove_older(path);
    Index::open(path, root)
        .ok_or_else(|| io::Error::other("the files changed while they were indexed; try again"))
}

/// The folder of an index, and how files in it begin that are to become the index.
fn making(path: &Path) -> (&Path, String) {
    let folder = path.parent().expect("an index lies in a folder");
    (folder, format!(".making-{}-", path.file_stem().unwrap_or_default().to_string_lossy()))
}

/// Deletes what processes that were killed have left of this index.
fn remove_unfinished(path: &Path) {
    let (folder, start) = making(path);
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&start) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Deletes the indexes of earlier states of the same files.
fn remove_older(path: &Path) {
    let name =
        |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let own = name(path);
    let (slot, folder) = (&own[..25.min(own.len())], path.parent().unwrap_or(Path::new(".")));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let other = name(&entry.path());
        let old = entry
            .metadata()
            .and_then(|m| m.modified())
            .is_ok_and(|made| made.elapsed().is_ok_and(|age| age > YOUNG));
        let index = entry.path().extension().is_some_and(|end| end == "rows");
        if other != own && other.starts_with(slot) && index && old {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A bad row of the index.
pub(super) fn damaged(row: u64, what: String) -> BadRow {
    BadRow { place: format!("row {row} of the index"), what }
}

/// The bytes as pictures carry them.
pub(super) fn shared(bytes: &[u8]) -> Arc<[u8]> {
    Arc::from(bytes)
}
