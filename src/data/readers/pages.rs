//! Pieces of a file for the Parquet decoder, which remember where they stand in the file.
//!
//! A column that is not compressed is decoded without copying its values, so that a value in memory can be found in
//! the file again. Snappy finds nothing to shorten in a picture and keeps it as it is, with a few bytes before each
//! 64 kB: there a value is found again in pieces.

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

use super::Pieces;

/// What was read last, with its place in the file: plain and packed.
type Recent = [Vec<(Bytes, u64)>; 2];

/// A file that is read at places, by any number of threads at once.
#[derive(Clone)]
pub(super) struct Pages {
    file: Arc<File>,
    length: u64,
    /// Ranges of the file whose bytes are values as they are, and those that snappy has packed.
    plain: Vec<Range<u64>>,
    packed: Vec<Range<u64>>,
    held: Arc<Mutex<Recent>>,
}

impl Pages {
    /// Remembers the pieces that lie in one of the ranges.
    pub(super) fn new(
        file: &Arc<File>,
        length: u64,
        plain: Vec<Range<u64>>,
        packed: Vec<Range<u64>>,
    ) -> Self {
        Self { file: Arc::clone(file), length, plain, packed, held: Arc::default() }
    }

    /// The pieces that were remembered.
    pub(super) fn held(&self) -> Held {
        let [mut plain, packed] =
            std::mem::take(&mut *self.held.lock().unwrap_or_else(PoisonError::into_inner));
        plain.sort_by_key(|(bytes, _)| bytes.as_ptr().addr());
        let unpacked =
            |(bytes, start): (Bytes, u64)| Some(Packed { literals: literals(&bytes)?, bytes, start });
        Held { plain, packed: packed.into_iter().filter_map(unpacked).collect() }
    }
}

/// Pieces of a file in memory.
#[derive(Default)]
pub(super) struct Held {
    /// By their address. While they are held nothing else can have that address.
    plain: Vec<(Bytes, u64)>,
    packed: Vec<Packed>,
}

/// A page that snappy has packed.
struct Packed {
    bytes: Bytes,
    start: u64,
    literals: Literals,
}

impl Held {
    /// The places in the file of bytes in memory; `page`: the unpacked page or the end of it that they lie in.
    pub(super) fn place(&self, value: &[u8], page: &[u8]) -> Option<Pieces> {
        self.in_plain(value).or_else(|| self.in_packed(value, page))
    }

    fn in_plain(&self, value: &[u8]) -> Option<Pieces> {
        let address = value.as_ptr().addr();
        let after = self.plain.partition_point(|(bytes, _)| bytes.as_ptr().addr() <= address);
        let (bytes, start) = &self.plain[after.checked_sub(1)?];
        let within = address - bytes.as_ptr().addr();
        let inside = within.checked_add(value.len())? <= bytes.len();
        inside.then(|| vec![(start + within as u64, value.len() as u32)])
    }

    fn in_packed(&self, value: &[u8], page: &[u8]) -> Option<Pieces> {
        let to_end = (page.as_ptr().addr() + page.len()).checked_sub(value.as_ptr().addr())?;
        self.packed.iter().find_map(|packed| {
            let pieces = packed.literals.cover(packed.literals.length.checked_sub(to_end)?, value.len())?;
            let mut rest = value;
            for (at, length) in &pieces {
                let (piece, after) = rest.split_at(*length);
                if packed.bytes[*at..at + length] != *piece {
                    return None;
                }
                rest = after;
            }
            Some(pieces.into_iter().map(|(at, length)| (packed.start + at as u64, length as u32)).collect())
        })
    }
}

/// What a snappy stream holds as it is.
struct Literals {
    /// Bytes when unpacked.
    length: usize,
    /// First byte unpacked, first byte packed, and how many.
    runs: Vec<[usize; 3]>,
}

/// Bytes of a value that one piece must stand for, on average: what is in more pieces is better copied.
const LEAST_PIECE: usize = 16 * 1024;

impl Literals {
    /// The packed places of unpacked bytes, if all of them are held as they are and in few pieces.
    fn cover(&self, from: usize, length: usize) -> Option<Vec<(usize, usize)>> {
        let (mut at, end) = (from, from.checked_add(length)?);
        let mut pieces = Vec::new();
        let first = self.runs.partition_point(|[out, _, length]| out + length <= from);
        for &[out, packed, run] in &self.runs[first..] {
            if at == end {
                break;
            }
            if out > at || pieces.len() > 2 + length / LEAST_PIECE {
                return None;
            }
            let taken = (out + run).min(end) - at;
            pieces.push((packed + at - out, taken));
            at += taken;
        }
        (at == end).then_some(pieces)
    }
}

/// The literals of a snappy stream; none if it is damaged, or if there are so many that it is no picture.
fn literals(packed: &[u8]) -> Option<Literals> {
    let mut length = 0_usize;
    let mut at = 0;
    for shift in (0..35).step_by(7) {
        let byte = *packed.get(at)?;
        at += 1;
        length |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    let (mut out, mut runs) = (0, Vec::new());
    while at < packed.len() {
        let tag = packed[at];
        at += 1;
        let n = usize::from(tag >> 2);
        if tag & 3 > 0 {
            // A copy of what came before: its offset has one, two or four bytes.
            out += if tag & 3 == 1 { n % 8 + 4 } else { n + 1 };
            at += [0, 1, 2, 4][usize::from(tag & 3)];
            continue;
        }
        let more = n.saturating_sub(59);
        let bytes = packed.get(at..at + more)?;
        let n =
            if more > 0 { bytes.iter().rev().fold(0, |n, byte| (n << 8) | usize::from(*byte)) } else { n };
        at += more;
        packed.get(at..at.checked_add(n + 1)?)?;
        runs.push([out, at, n + 1]);
        if runs.len() > 16 + packed.len() / 256 {
            return None;
        }
        (at, out) = (at + n + 1, out + n + 1);
    }
    (out == length).then_some(Literals { length, runs })
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
        let inside =
            |ranges: &[Range<u64>]| ranges.iter().any(|range| range.start <= start && end <= range.end);
        if let Some(of) = [&self.plain, &self.packed].iter().position(|ranges| inside(ranges)) {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held[of].push((bytes.clone(), start));
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
        let pages = Pages::new(&file, 100, std::iter::once(10..50).collect(), Vec::new());
        let inside = pages.get_bytes(20, 16).unwrap();
        let outside = pages.get_bytes(60, 16).unwrap();
        let across = pages.get_bytes(40, 16).unwrap();
        let held = pages.held();
        assert_eq!(held.place(&inside, &inside), Some(vec![(20, 16)]));
        assert_eq!(held.place(&inside[3..9], &inside), Some(vec![(23, 6)]));
        assert_eq!([held.place(&outside, &outside), held.place(&across, &across)], [None, None]);
        assert_eq!(held.place(&[0; 4], &[0; 4]), None);
        assert!(pages.get_bytes(90, 11).is_err() && pages.get_bytes(u64::MAX, 2).is_err());
    }

    #[test]
    fn the_literals_of_a_stream_are_found_by_what_they_unpack_to() {
        // Fourteen bytes: "abcd", a copy of four bytes from four back, "efghij".
        let packed = b"\x0e\x0cabcd\x01\x04\x14efghij";
        let found = literals(packed).unwrap();
        assert_eq!((found.length, &found.runs[..]), (14, &[[0, 2, 4], [8, 9, 6]][..]));
        assert_eq!(found.cover(1, 3), Some(vec![(3, 3)]));
        assert_eq!(found.cover(8, 6), Some(vec![(9, 6)]));
        for (from, length) in [(1, 4), (4, 2), (8, 7), (20, 1)] {
            assert_eq!(found.cover(from, length), None, "{from} {length}");
        }
        // A literal of 61 bytes has its length in a byte of its own; two beside each other are two pieces.
        let long = [b"\x3e\xf0\x3c".as_slice(), &[7; 61], b"\x00\x08"].concat();
        let found = literals(&long).unwrap();
        assert_eq!(found.cover(0, 62), Some(vec![(3, 61), (65, 1)]));
        let endless = b"\xff\xff\xff\xff\xff";
        for damaged in [&b""[..], b"\x0f\x0cabcd", b"\x04\x0cabc", b"\x04\xfc\xff\xff\xff\xff", endless] {
            assert!(literals(damaged).is_none(), "{damaged:?}");
        }
    }

    #[test]
    fn a_value_of_a_packed_page_is_found_in_pieces_of_the_file() {
        // One byte of something else before the page; the page: eight bytes of levels, then a value in two literals.
        let page: Vec<u8> = (0..128).map(|i| (i * 37 % 251) as u8).collect();
        let packed = [b"x\x80\x01\xf0\x3f".as_slice(), &page[..64], b"\xf0\x3f", &page[64..]].concat();
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, &packed).unwrap();
        let length = packed.len() as u64;
        let pages = Pages::new(&Arc::new(file), length, Vec::new(), std::iter::once(1..length).collect());
        pages.get_bytes(1, packed.len() - 1).unwrap();
        let held = pages.held();
        let after_levels = &page[8..];
        // 3 bytes before the first literal, which begins at byte 5 of the file; the second begins at 71.
        assert_eq!(held.place(&after_levels[2..100], after_levels), Some(vec![(15, 54), (71, 44)]));
        assert_eq!(held.place(&after_levels[2..10], &after_levels[..12]), None);
    }
}
