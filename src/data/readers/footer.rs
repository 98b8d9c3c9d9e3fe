//! How deep the columns of a Parquet file are nested, read from its footer without a stack.
//!
//! The parquet crate builds the tree of columns by calling itself, so that a footer of 80 kB with 10 000 columns inside
//! each other overflowed the stack, which nothing can catch.

use std::{
    fs::File,
    io::{self, Read},
};

use crate::data::root::read_at;

/// Columns inside each other that are read; a list of structs with a map in it has about seven.
const MAX_DEPTH: usize = 100;

/// Structs inside each other in the description of one column; there are three.
const MAX_STRUCTS: usize = 16;

/// Bytes at the end of a file: the length of the footer and `PAR1`.
const END: u64 = 8;

/// Fails where columns are nested too deep, or the footer cannot be followed. What is no Parquet file at all is left to the
/// decoder.
pub(super) fn check_depth(file: &File) -> Result<(), String> {
    let length = file.metadata().map_err(|e| e.to_string())?.len();
    let mut end = [0; END as usize];
    let Some(start_of_end) = length.checked_sub(END) else { return Ok(()) };
    read_exact(file, &mut end, start_of_end).map_err(|e| e.to_string())?;
    let footer = u64::from(u32::from_le_bytes([end[0], end[1], end[2], end[3]]));
    let Some(start) = start_of_end.checked_sub(footer).filter(|_| &end[4..] == b"PAR1") else {
        return Ok(());
    };
    let mut bytes = vec![0; footer as usize];
    read_exact(file, &mut bytes, start).map_err(|e| e.to_string())?;
    match depth(&bytes) {
        Some(depth) if depth <= MAX_DEPTH => Ok(()),
        Some(_) => Err(format!("columns are nested more than {MAX_DEPTH} deep")),
        None => Err("its footer is damaged".to_owned()),
    }
}

fn read_exact(file: &File, buffer: &mut [u8], at: u64) -> io::Result<()> {
    struct From<'a>(&'a File, u64);
    impl Read for From<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let read = read_at(self.0, buffer, self.1)?;
            self.1 += read as u64;
            Ok(read)
        }
    }
    From(file, at).read_exact(buffer)
}

/// The deepest column of a footer (`FileMetaData` in Thrift's compact protocol); more than [`MAX_DEPTH`] is told as soon as
/// it is met.
fn depth(footer: &[u8]) -> Option<usize> {
    let mut bytes = Bytes(footer);
    let mut field = 0;
    loop {
        let (number, kind) = bytes.field(field)?;
        field = number;
        match (number, kind) {
            // The end: a footer says what its columns are.
            (_, 0) => return None,
            (2, 9) => return columns(&mut bytes),
            (_, kind) => bytes.skip(kind, MAX_STRUCTS)?,
        }
    }
}

/// Goes through the columns, each after the one it is inside of.
fn columns(bytes: &mut Bytes) -> Option<usize> {
    let (count, kind) = bytes.list()?;
    let (mut deepest, mut open) = (0, Vec::new());
    for _ in 0..if kind == 12 { count } else { 0 } {
        let children = children(bytes)?;
        while open.last() == Some(&0) {
            open.pop();
        }
        if let Some(left) = open.last_mut() {
            *left -= 1;
        }
        if children > 0 {
            open.push(children);
            deepest = deepest.max(open.len());
        }
        if deepest > MAX_DEPTH {
            break;
        }
    }
    Some(deepest)
}

/// How many columns are inside the one that is described next.
fn children(bytes: &mut Bytes) -> Option<u64> {
    let (mut field, mut children) = (0, 0);
    loop {
        let (number, kind) = bytes.field(field)?;
        field = number;
        match (number, kind) {
            (_, 0) => return Some(children),
            (5, 4..=6) => {
                // Signs are in the last bit.
                let number = bytes.number()?;
                children = if number & 1 == 0 { number / 2 } else { 0 };
            }
            (_, kind) => bytes.skip(kind, MAX_STRUCTS)?,
        }
    }
}

/// What is left to read.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn pass(&mut self, count: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(count).ok()?..)?;
        Some(())
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// Number and kind of the next field; kind 0 is the end of the struct.
    fn field(&mut self, last: u64) -> Option<(u64, u8)> {
        let head = self.byte()?;
        let (step, kind) = (head >> 4, head & 0x0f);
        let number = match (kind, step) {
            (0, _) => last,
            (_, 0) => self.number()? / 2,
            (_, step) => last.checked_add(u64::from(step))?,
        };
        Some((number, kind))
    }

    /// Length and kind of the values of a list.
    fn list(&mut self) -> Option<(u64, u8)> {
        let head = self.byte()?;
        let count = if head >> 4 == 15 { self.number()? } else { u64::from(head >> 4) };
        Some((count, head & 0x0f))
    }

    /// Goes past a value with at most `depth` structs and lists inside each other.
    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            // Truth values of fields are in their kind.
            1 | 2 => Some(()),
            3 => self.pass(1),
            4..=6 => self.number().map(drop),
            7 => self.pass(8),
            8 => self.number().and_then(|length| self.pass(length)),
            9 | 10 => {
                let (count, kind) = self.list()?;
                // A value has a byte at least, so more than are left is damage.
                (0..count).try_for_each(|_| if kind <= 2 { self.pass(1) } else { self.skip(kind, depth) })
            }
            11 => {
                let count = self.number()?;
                let kinds = if count > 0 { self.byte()? } else { 0 };
                (0..count).try_for_each(|_| {
                    [kinds >> 4, kinds & 0x0f]
                        .into_iter()
                        .try_for_each(|kind| if kind <= 2 { self.pass(1) } else { self.skip(kind, depth) })
                })
            }
            12 => {
                let mut field = 0;
                loop {
                    let (number, kind) = self.field(field)?;
                    field = number;
                    match kind {
                        0 => return Some(()),
                        kind => self.skip(kind, depth)?,
                    }
                }
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, sync::Arc};

    use ::arrow::{
        array::{ArrayRef, RecordBatch, StringArray, StructArray},
        datatypes::{DataType, Field},
    };
    use ::parquet::arrow::ArrowWriter;

    use super::*;

    /// A file with a text inside `depth` structs, as somebody would write it.
    fn nested(depth: usize) -> File {
        let mut array: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
        for _ in 0..depth {
            let field = Arc::new(Field::new("a", array.data_type().clone(), true));
            array = Arc::new(StructArray::from(vec![(field, array)]));
        }
        let beside: ArrayRef = Arc::new(StringArray::from(vec!["y"]));
        assert!(depth == 0 || matches!(array.data_type(), DataType::Struct(_)));
        let batch = RecordBatch::try_from_iter([("deep", array), ("flat", beside)]).unwrap();
        let mut file = tempfile::tempfile().unwrap();
        let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        file
    }

    /// A footer with so many columns inside each other, and no rows.
    fn chain(depth: usize) -> File {
        let mut count = Vec::new();
        let mut left = depth + 2;
        while left >= 128 {
            count.push((left % 128) as u8 | 128);
            left /= 128;
        }
        count.push(left as u8);
        let mut footer = [&b"\x15\x02\x19\xfc"[..], &count, b"\x48\x06schema\x15\x02\0"].concat();
        (0..depth).for_each(|_| footer.extend(b"\x35\x02\x18\x01a\x15\x02\0"));
        footer.extend(b"\x15\x0c\x25\x02\x18\x01a\0\x16\0\x19\x0c\0");
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"PAR1").unwrap();
        file.write_all(&footer).unwrap();
        file.write_all(&(footer.len() as u32).to_le_bytes()).unwrap();
        file.write_all(b"PAR1").unwrap();
        file
    }

    #[test]
    fn columns_may_be_nested_but_not_without_end() {
        for depth in [0, 1, 7, 99] {
            assert_eq!(check_depth(&nested(depth)), Ok(()), "{depth}");
            assert_eq!(check_depth(&chain(depth)), Ok(()), "{depth}");
        }
        let too_deep = Err("columns are nested more than 100 deep".to_owned());
        for depth in [100, 10_000, 1_000_000] {
            assert_eq!(check_depth(&chain(depth)), too_deep, "{depth}");
        }
        assert_eq!(check_depth(&nested(100)), too_deep);
    }

    #[test]
    fn a_footer_that_cannot_be_followed_is_damaged() {
        // Structs inside each other where a column is described: field 1 is a struct with field 1, and so on.
        let mut footer = b"\x29\x1c".to_vec();
        footer.extend(vec![0x1c; 100_000]);
        assert_eq!(depth(&footer), None);
        assert_eq!(
            [depth(b""), depth(b"\0"), depth(b"\x29"), depth(b"\x29\x1c\x18\xff\xff\xff\xff\x0f")],
            [None; 4]
        );
        // A list with a length that there is no room for.
        assert_eq!(depth(b"\x19\xf5\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), None);
    }
}
