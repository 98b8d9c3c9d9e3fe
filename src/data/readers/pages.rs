//! Pieces of a file for the Parquet decoder, which remember where they stand in the file.
//!
//! A column that is not compressed is decoded without copying its values, so that a value in memory can be found in
//! the file again.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use ::parquet::{
    errors::{ParquetError, Result},
    file::reader::{ChunkReader, Length},
};
use bytes::Bytes;

/// A file that is read at places, by any number of threads at once.
#[derive(Clone)]
pub(super) struct Pages {
    file: Arc<File>,
    length: u64,
    /// Ranges of the file whose bytes are values as they are.
    plain: Vec<Range<u64>>,
    held: Arc<Mutex<Vec<(Bytes, u64)>>>,
}

impl Pages {
    /// Remembers the pieces that lie in one of the ranges `plain`.
    pub(super) fn new(file: &Arc<File>, length: u64, plain: Vec<Range<u64>>) -> Self {
        Self { file: Arc::clone(file), length, plain, held: Arc::default() }
    }

    /// The pieces that were remembered.
    pub(super) fn held(&self) -> Held {
        let mut held = std::mem::take(&mut *self.held.lock().unwrap_or_else(PoisonError::into_inner));
        held.sort_by_key(|(bytes, _)| bytes.as_ptr().addr());
        Held(held)
    }
}

/// Pieces of a file in memory, by their address. While they are held nothing else can have that address.
#[derive(Default)]
pub(super) struct Held(Vec<(Bytes, u64)>);

impl Held {
    /// The place in the file of bytes in memory that lie in one of the pieces.
    pub(super) fn place(&self, value: &[u8]) -> Option<u64> {
        let address = value.as_ptr().addr();
        let after = self.0.partition_point(|(bytes, _)| bytes.as_ptr().addr() <= address);
        let (bytes, start) = &self.0[after.checked_sub(1)?];
        let within = address - bytes.as_ptr().addr();
        (within.checked_add(value.len())? <= bytes.len()).then_some(start + within as u64)
    }
}

impl Length for Pages {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Pages {
    type T = BufReader<ReadAt>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(BufReader::new(ReadAt { file: Arc::clone(&self.file), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let end = start.checked_add(length as u64).filter(|end| *end <= self.length);
        let end =
            end.ok_or_else(|| ParquetError::EOF("a page reaches beyond the end of the file".to_owned()))?;
        let mut bytes = vec![0; length];
        ReadAt { file: Arc::clone(&self.file), at: start }.read_exact(&mut bytes)?;
        let bytes = Bytes::from(bytes);
        if self.plain.iter().any(|plain| plain.start <= start && end <= plain.end) {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.push((bytes.clone(), start));
        }
        Ok(bytes)
    }
}

/// Reads a file from a place on, whatever others do with it.
pub(super) struct ReadAt {
    file: Arc<File>,
    at: u64,
}

impl Read for ReadAt {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = crate::data::root::read_at(&self.file, buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_found_in_the_piece_they_lie_in_and_nowhere_else() {
        let file = Arc::new(tempfile::tempfile().unwrap());
        file.set_len(100).unwrap();
        let pages = Pages::new(&file, 100, vec![10..50]);
        let inside = pages.get_bytes(20, 16).unwrap();
        let outside = pages.get_bytes(60, 16).unwrap();
        let across = pages.get_bytes(40, 16).unwrap();
        let held = pages.held();
        assert_eq!(held.place(&inside), Some(20));
        assert_eq!(held.place(&inside[3..9]), Some(23));
        assert_eq!([held.place(&outside), held.place(&across), held.place(&[0; 4])], [None; 3]);
        assert!(pages.get_bytes(90, 11).is_err() && pages.get_bytes(u64::MAX, 2).is_err());
    }
}
