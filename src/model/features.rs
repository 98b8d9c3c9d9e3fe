//! Features of pictures, computed once per picture: the vision tower is frozen while a policy learns.
//!
//! They are kept in memory up to a limit, and in a file that the runs of a sweep share. The file is only ever appended to,
//! one `write` per record, so that several processes can use it at once; what is cut short or damaged is skipped and
//! computed again. A store belongs to one state of the tower: after training the tower itself, make a new one.

use std::{
    collections::HashMap,
    fmt::Display,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
    sync::{Mutex, MutexGuard},
};

use ::image::RgbImage;
use burn::tensor::{Device, Tensor, TensorData};

use super::{
    Model,
    image::{PatchedImage, prepare},
    qwen2_vl::{Qwen2Vl, Sequence},
    rope_index::picture_tokens,
};
use crate::sample::{BadRow, Picture, Sample};

/// How much a store keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of features in memory; the least recently used ones leave first.
    pub memory: u64,
    /// Bytes of the file, beyond which nothing more is appended.
    pub disk: u64,
}

impl Default for Limits {
    /// 512 MiB in memory, 4 GiB on disk.
    fn default() -> Self {
        Self { memory: 512 << 20, disk: 4 << 30 }
    }
}

/// One picture as the decoder sees it.
#[derive(Clone, Debug)]
pub struct PictureFeatures {
    /// Patches in time (1), height and width.
    pub grid: [usize; 3],
    /// `[merged patches, hidden]`.
    pub values: Tensor<2>,
}

/// How pictures were found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// In memory.
    pub in_memory: u64,
    /// In the file.
    pub on_disk: u64,
    /// Not at all: the tower computed them.
    pub computed: u64,
}

/// Features by the hash of their picture, for one model; used from several threads.
pub struct FeatureStore {
    shape: Shape,
    /// Mixed into every key, so that a file of another model has nothing to say.
    model: blake3::Hash,
    limits: Limits,
    state: Mutex<State>,
}

/// What features of this model look like.
#[derive(Clone, Copy)]
struct Shape {
    hidden: usize,
    merge: usize,
}

#[derive(Default)]
struct State {
    kept: HashMap<Key, Kept>,
    bytes: u64,
    /// Counts uses, to tell which were used last.
    clock: u64,
    disk: Option<Disk>,
    counts: Counts,
}

type Key = [u8; 32];

struct Kept {
    features: PictureFeatures,
    used: u64,
}

impl Kept {
    fn bytes(&self) -> u64 {
        bytes_of(&self.features)
    }
}

fn bytes_of(features: &PictureFeatures) -> u64 {
    let [rows, hidden] = features.values.dims();
    (rows * hidden * size_of::<f32>()) as u64
}

impl FeatureStore {
    /// In memory alone.
    pub fn new(model: &Model, limits: Limits) -> Self {
        Self {
            shape: Shape { hidden: model.config.decoder.hidden_size, merge: model.config.picture.merge_size },
            model: blake3::hash(model.hash.as_bytes()),
            limits,
            state: Mutex::default(),
        }
    }

    /// With a file beside it, which is made where it is missing; whole records of this model are read into memory as far as
    /// they fit.
    pub fn on_disk(model: &Model, limits: Limits, path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let store = Self::new(model, limits);
        let disk = Disk { file, places: HashMap::new(), end: 0, full: false };
        let mut state = store.lock();
        state.disk = Some(disk);
        state.read_new_records(store.shape, limits.memory, model.network.device());
        drop(state);
        Ok(store)
    }

    /// How pictures were found since the store was made.
    pub fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// The user turn of a sample with its pictures' features in it: what a model reads before it answers.
    ///
    /// `text` is the whole text of the turn; `decode` is asked for pictures that the store does not know.
    pub fn prompt<E: Display>(
        &self,
        model: &Model,
        sample: &Sample,
        text: &str,
        decode: impl Fn(&Picture) -> Result<RgbImage, E>,
    ) -> Result<Sequence, BadRow> {
        let keys: Vec<[u8; 32]> = sample.pictures.iter().map(|p| *p.hash().as_bytes()).collect();
        let prepared = |i: usize| {
            let bad = |what| BadRow { place: format!("{}, picture {i}", sample.id), what };
            let picture = decode(&sample.pictures[i]).map_err(|e| bad(e.to_string()))?;
            prepare(&picture, &model.config.picture).map_err(|e| bad(e.to_string()))
        };
        let pictures = self.features(&model.network, &keys, prepared);
        let pictures = pictures.into_iter().collect::<Result<Vec<_>, _>>()?;
        let grids: Vec<[usize; 3]> = pictures.iter().map(|p| p.grid).collect();
        let mut sequence = model
            .prompt(text, &grids)
            .map_err(|e| BadRow { place: sample.id.clone(), what: e.to_string() })?;
        sequence.features = pictures.into_iter().map(|p| p.values).collect();
        Ok(sequence)
    }

    /// Features of pictures, by the hashes of their contents, in order.
    ///
    /// `picture(i)` is asked for those that the store does not know; its error is the result for that picture. All calls use
    /// networks with the same tower on the same device.
    pub fn features<E>(
        &self,
        network: &Qwen2Vl,
        pictures: &[[u8; 32]],
        mut picture: impl FnMut(usize) -> Result<PatchedImage, E>,
    ) -> Vec<Result<PictureFeatures, E>> {
        let keys: Vec<Key> = pictures.iter().map(|p| self.key(p)).collect();
        let mut found: Vec<Option<Result<PictureFeatures, E>>> =
            self.look_up(&keys, network.device()).into_iter().map(|f| f.map(Ok)).collect();
        let mut new: Vec<(usize, PatchedImage)> = Vec::new();
        for i in 0..keys.len() {
            if found[i].is_some() || new.iter().any(|(known, _)| keys[*known] == keys[i]) {
                continue;
            }
            match picture(i) {
                Ok(patches) => new.push((i, patches)),
                Err(error) => found[i] = Some(Err(error)),
            }
        }
        let patches: Vec<&PatchedImage> = new.iter().map(|(_, patches)| patches).collect();
        let computed = if new.is_empty() { Vec::new() } else { network.features(&patches) };
        let mut fresh: HashMap<Key, PictureFeatures> = HashMap::new();
        for ((i, patches), values) in new.iter().zip(computed) {
            // A copy of its own: the tower's result is a view of the whole batch.
            let values = Tensor::from_data(values.into_data(), network.device());
            fresh.insert(keys[*i], PictureFeatures { grid: patches.grid, values });
        }
        self.keep(&fresh);
        let every = found.into_iter().zip(&keys);
        every.map(|(found, key)| found.unwrap_or_else(|| Ok(fresh[key].clone()))).collect()
    }

    fn key(&self, picture: &[u8; 32]) -> Key {
        *blake3::keyed_hash(self.model.as_bytes(), picture).as_bytes()
    }

    fn look_up(&self, keys: &[Key], device: &Device) -> Vec<Option<PictureFeatures>> {
        let mut state = self.lock();
        let mut found: Vec<_> = keys.iter().map(|key| state.recall(key)).collect();
        state.counts.in_memory += found.iter().flatten().count() as u64;
        if found.iter().any(Option::is_none) {
            // Another process may have computed them meanwhile.
            state.read_new_records(self.shape, self.limits.memory, device);
            for (found, key) in found.iter_mut().zip(keys).filter(|(found, _)| found.is_none()) {
                *found = state.recall(key);
                if found.is_none() {
                    let record = state.disk.as_mut().and_then(|disk| disk.record_of(key, self.shape));
                    *found = record.map(|record| record.features(self.shape, device));
                }
                if let Some(features) = found {
                    state.counts.on_disk += 1;
                    state.insert(*key, features.clone(), self.limits.memory);
                }
            }
        }
        found
    }

    fn keep(&self, fresh: &HashMap<Key, PictureFeatures>) {
        let mut state = self.lock();
        state.counts.computed += fresh.len() as u64;
        for (key, features) in fresh {
            if let Some(disk) = &mut state.disk {
                disk.append(key, features, self.limits.disk);
            }
            state.insert(*key, features.clone(), self.limits.memory);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics while it holds the store")
    }
}

impl State {
    fn recall(&mut self, key: &Key) -> Option<PictureFeatures> {
        let kept = self.kept.get_mut(key)?;
        self.clock += 1;
        kept.used = self.clock;
        Some(kept.features.clone())
    }

    fn insert(&mut self, key: Key, features: PictureFeatures, limit: u64) {
        self.clock += 1;
        let kept = Kept { features, used: self.clock };
        self.bytes += kept.bytes();
        if let Some(old) = self.kept.insert(key, kept) {
            self.bytes -= old.bytes();
        }
        if self.bytes <= limit {
            return;
        }
        // An eighth leaves at once, so that the next ones come in without a search each.
        let mut by_use: Vec<(u64, Key)> = self.kept.iter().map(|(key, kept)| (kept.used, *key)).collect();
        by_use.sort_unstable();
        for (_, key) in by_use {
            if self.bytes <= limit - limit / 8 {
                break;
            }
            let left = self.kept.remove(&key).expect("the key was listed a moment ago");
            self.bytes -= left.bytes();
        }
    }

    /// Reads what was appended to the file since the last time; records go into memory while there is room.
    fn read_new_records(&mut self, shape: Shape, limit: u64, device: &Device) {
        let Some(mut disk) = self.disk.take() else { return };
        while let Some(record) = disk.next_record(shape) {
            let bytes = record.payload.len() as u64;
            if self.bytes + bytes <= limit && !self.kept.contains_key(&record.key) {
                self.insert(record.key, record.features(shape, device), limit);
            }
        }
        self.disk = Some(disk);
    }
}

/// The file, and where in it each picture's record starts.
struct Disk {
    file: File,
    places: HashMap<Key, u64>,
    /// How far the file has been read.
    end: u64,
    /// Nothing more is appended: the limit is reached, or writing failed.
    full: bool,
}

/// First bytes of a record. Then: key (32 bytes), grid (3 × u32), CRC-32C of key, grid and payload (u32), payload (f32 each,
/// the rows that the grid asks for); all little-endian.
const MAGIC: [u8; 8] = *b"modofeat";
const HEADER: usize = MAGIC.len() + 32 + 3 * 4 + 4;
/// Merged patches of the largest picture that is read from a file.
const MAX_ROWS: usize = 1 << 15;

struct Record {
    key: Key,
    grid: [usize; 3],
    payload: Vec<u8>,
}

enum Found {
    /// With the number of its bytes.
    Whole(Record, u64),
    /// The file ends inside it: it may be on its way.
    Cut,
    Damaged,
}

impl Record {
    fn of(key: &Key, features: &PictureFeatures) -> Self {
        let values: Vec<f32> = features.values.to_data().try_into_vec().expect("features are f32");
        Self {
            key: *key,
            grid: features.grid,
            payload: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        }
    }

    fn features(&self, shape: Shape, device: &Device) -> PictureFeatures {
        let number = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
        let values: Vec<f32> = self.payload.chunks_exact(4).map(number).collect();
        let size = [values.len() / shape.hidden, shape.hidden];
        PictureFeatures { grid: self.grid, values: Tensor::from_data(TensorData::new(values, size), device) }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let grid: Vec<u8> = self.grid.iter().flat_map(|side| (*side as u32).to_le_bytes()).collect();
        let checksum = checksum(&self.key, &grid, &self.payload).to_le_bytes();
        [&MAGIC[..], &self.key, &grid, &checksum, &self.payload].concat()
    }

    /// What stands at `at` in a file of `length` bytes.
    fn read(file: &mut File, at: u64, length: u64, shape: Shape) -> io::Result<Found> {
        let left = length.saturating_sub(at);
        if left < HEADER as u64 {
            return Ok(Found::Cut);
        }
        let mut header = [0; HEADER];
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut header)?;
        let (magic, rest) = header.split_at(MAGIC.len());
        let (key, rest) = rest.split_at(size_of::<Key>());
        let (sides, stored) = rest.split_at(3 * 4);
        let number = |b: &[u8]| u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
        let grid = [&sides[..4], &sides[4..8], &sides[8..]].map(|side| number(side) as usize);
        let Some(rows) = picture_tokens(grid, shape.merge).filter(|rows| (1..=MAX_ROWS).contains(rows))
        else {
            return Ok(Found::Damaged);
        };
        if magic != MAGIC {
            return Ok(Found::Damaged);
        }
        let n_bytes = rows * shape.hidden * size_of::<f32>();
        if left < (HEADER + n_bytes) as u64 {
            return Ok(Found::Cut);
        }
        let mut payload = vec![0; n_bytes];
        file.read_exact(&mut payload)?;
        if checksum(key, sides, &payload) != number(stored) {
            return Ok(Found::Damaged);
        }
        let record = Self { key: key.try_into().expect("it was split off at this length"), grid, payload };
        Ok(Found::Whole(record, (HEADER + n_bytes) as u64))
    }
}

fn checksum(key: &[u8], grid: &[u8], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(key), grid), payload)
}

impl Disk {
    /// The next whole record that has not been read yet; damage before it is skipped.
    fn next_record(&mut self, shape: Shape) -> Option<Record> {
        // A file that cannot be read has nothing to say: what is in it is computed again.
        let length = self.file.metadata().ok()?.len();
        loop {
            match Record::read(&mut self.file, self.end, length, shape).ok()? {
                Found::Whole(record, bytes) => {
                    self.places.insert(record.key, self.end);
                    self.end += bytes;
                    return Some(record);
                }
                Found::Cut => return None,
                Found::Damaged => self.end = self.next_magic(self.end + 1, length).ok()?,
            }
        }
    }

    /// Where the next record may start, `from` or later: at its magic bytes, or where the file ends in a part of them.
    fn next_magic(&mut self, from: u64, length: u64) -> io::Result<u64> {
        let mut at = from;
        let mut chunk = vec![0; 1 << 16];
        while at + MAGIC.len() as u64 <= length {
            let n = chunk.len().min((length - at) as usize);
            self.file.seek(SeekFrom::Start(at))?;
            self.file.read_exact(&mut chunk[..n])?;
            if let Some(offset) = chunk[..n].windows(MAGIC.len()).position(|w| w == MAGIC) {
                return Ok(at + offset as u64);
            }
            at += (n - MAGIC.len() + 1) as u64;
        }
        Ok(at)
    }

    fn record_of(&mut self, key: &Key, shape: Shape) -> Option<Record> {
        let at = *self.places.get(key)?;
        let length = self.file.metadata().ok()?.len();
        match Record::read(&mut self.file, at, length, shape).ok()? {
            Found::Whole(record, _) if record.key == *key => Some(record),
            _ => None,
        }
    }

    fn append(&mut self, key: &Key, features: &PictureFeatures, limit: u64) {
        if self.full || self.places.contains_key(key) {
            return;
        }
        let bytes = Record::of(key, features).to_bytes();
        let fits = self.file.metadata().is_ok_and(|m| m.len() + bytes.len() as u64 <= limit);
        // One `write`, never a second for the rest: another process may have written in between.
        self.full = !fits || self.file.write(&bytes).ok() != Some(bytes.len());
        if !self.full
            && let Ok(end) = self.file.stream_position()
        {
            self.places.insert(*key, end - bytes.len() as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, convert::Infallible};

    use super::*;
    use crate::{model::nano, seed::Seed};

    #[test]
    fn a_picture_is_computed_once_and_every_way_to_it_gives_the_same_features() {
        let (folder, model) = model();
        let path = folder.path().join("cache/features.bin");
        let first = FeatureStore::on_disk(&model, Limits::default(), &path).unwrap();
        let computed = get(&first, &model, &[1, 2, 1]);
        let remembered = get(&first, &model, &[2, 1]);
        assert_eq!(computed[..2].iter().rev().cloned().collect::<Vec<_>>(), remembered);
        assert_eq!(computed[0], computed[2]);
        assert_eq!(first.counts(), Counts { in_memory: 2, on_disk: 0, computed: 2 });

        let second = FeatureStore::on_disk(&model, Limits::default(), &path).unwrap();
        let small = Limits { memory: 0, ..Limits::default() };
        let third = FeatureStore::on_disk(&model, small, &path).unwrap();
        for store in [&second, &third] {
            assert_eq!(get(store, &model, &[1, 2]), computed[..2]);
            assert_eq!(store.counts().computed, 0);
        }
        let alone = FeatureStore::new(&model, Limits::default());
        assert_eq!(get(&alone, &model, &[2]), computed[1..2], "a batch changes nothing");
    }

    #[test]
    fn two_stores_on_one_file_see_what_the_other_appended() {
        let (folder, model) = model();
        let path = folder.path().join("features.bin");
        let open = || FeatureStore::on_disk(&model, Limits::default(), &path).unwrap();
        let (a, b) = (open(), open());
        get(&a, &model, &[1]);
        get(&b, &model, &[2]);
        get(&a, &model, &[3]);
        get(&b, &model, &[1, 3]);
        get(&a, &model, &[2]);
        // Looking for one picture takes in all that the other has appended by then.
        assert_eq!(a.counts(), Counts { in_memory: 1, on_disk: 0, computed: 2 });
        assert_eq!(b.counts(), Counts { in_memory: 1, on_disk: 1, computed: 1 });
        let many: Vec<u64> = (10..30).collect();
        std::thread::scope(|scope| {
            for store in [&a, &b] {
                scope.spawn(|| get(store, &model, &many));
            }
        });
        let c = open();
        get(&c, &model, &many);
        assert_eq!(c.counts().computed, 0);
    }

    #[test]
    fn damage_in_the_file_costs_only_the_records_it_hits() {
        let (folder, model) = model();
        let path = folder.path().join("features.bin");
        let open = || FeatureStore::on_disk(&model, Limits::default(), &path).unwrap();
        let right = get(&open(), &model, &[1, 2, 3]);
        let whole = fs::read(&path).unwrap();
        let record = whole.len() / 3;
        let check = |bytes: &[u8], computed: u64| {
            fs::write(&path, bytes).unwrap();
            let store = open();
            assert_eq!(get(&store, &model, &[1, 2, 3]), right);
            assert_eq!(store.counts().computed, computed);
            // What was appended behind the damage is found again.
            let again = open();
            get(&again, &model, &[1, 2, 3]);
            assert_eq!(again.counts().computed, 0);
        };
        check(&whole, 0);
        check(b"", 3);
        check(b"no records at all", 3);
        check(&[0; 300], 3);
        check(&whole[..=record], 2);
        check(&whole[..2 * record - 1], 2);
        for at in [0, 9, 45, 55, record / 2] {
            let mut damaged = whole.clone();
            damaged[record + at] ^= 0xff;
            check(&damaged, 1);
        }
    }

    #[test]
    fn the_file_of_another_model_says_nothing() {
        let (folder, mut model) = model();
        let path = folder.path().join("features.bin");
        get(&FeatureStore::on_disk(&model, Limits::default(), &path).unwrap(), &model, &[1]);
        model.hash = "another".to_owned();
        let store = FeatureStore::on_disk(&model, Limits::default(), &path).unwrap();
        get(&store, &model, &[1]);
        assert_eq!(store.counts().computed, 1);
    }

    #[test]
    fn limits_hold_and_what_was_used_last_stays() {
        let (folder, model) = model();
        let path = folder.path().join("features.bin");
        let one = 16 * 128 * 4; // 64 × 64 pixels are 16 merged patches
        let limits = Limits { memory: 3 * one, disk: 2 * (one + HEADER as u64) };
        let store = FeatureStore::on_disk(&model, limits, &path).unwrap();
        for number in [1, 2, 3, 1, 4] {
            get(&store, &model, &[number]);
        }
        assert_eq!(fs::metadata(&path).unwrap().len(), limits.disk);
        assert!(store.lock().bytes <= limits.memory);
        let before = store.counts();
        get(&store, &model, &[1, 4]);
        assert_eq!(store.counts(), Counts { in_memory: before.in_memory + 2, ..before });
    }

    #[test]
    fn a_picture_that_fails_fails_alone() {
        let (_folder, model) = model();
        let store = FeatureStore::new(&model, Limits::default());
        let asked = Cell::new(0);
        let found = store.features(&model.network, &[[1; 32], [2; 32], [1; 32], [2; 32]], |i| {
            asked.set(asked.get() + 1);
            if i % 2 == 0 { Err("unreadable") } else { Ok(patches(&model, 2)) }
        });
        assert_eq!(found.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true, false, true]);
        assert_eq!((asked.get(), store.counts().computed), (3, 1));
    }

    fn model() -> (tempfile::TempDir, Model) {
        let folder = tempfile::tempdir().unwrap();
        let texts = ["how many dots are there".to_owned()].into_iter();
        let model =
            nano::create(&folder.path().join("nano"), texts, Seed::new(1), &Device::default()).unwrap();
        (folder, model)
    }

    fn get(store: &FeatureStore, model: &Model, numbers: &[u64]) -> Vec<Vec<f32>> {
        let keys: Vec<[u8; 32]> =
            numbers.iter().map(|n| *blake3::hash(&n.to_le_bytes()).as_bytes()).collect();
        let found =
            store.features(&model.network, &keys, |i| Ok::<_, Infallible>(patches(model, numbers[i])));
        let values = |f: Result<PictureFeatures, _>| f.unwrap().values.into_data().try_into_vec().unwrap();
        found.into_iter().map(values).collect()
    }

    fn patches(model: &Model, number: u64) -> PatchedImage {
        let picture =
            RgbImage::from_fn(64, 64, |x, y| ::image::Rgb([x as u8 * 3, y as u8 * 3, (number * 40) as u8]));
        model.patches(&[picture]).unwrap().remove(0)
    }
}
