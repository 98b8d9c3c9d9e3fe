//! Files of text that may be packed with gzip or zstd, as files that can be read from any place.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

use super::Unreadable;

/// Unpacked bytes that any file may have.
const ALWAYS: u64 = 64 * 1024 * 1024;

/// How many times its packed size a file may have unpacked, beyond that; texts reach ten.
const RATIO: u64 = 256;

/// Opens a file; a packed one is unpacked into a file without a name, which goes when it is closed.
pub(super) fn open(path: &Path) -> Result<File, Unreadable> {
    open_telling(path).map(|(file, _)| file)
}

/// The same, and whether it is the file itself.
pub(super) fn open_telling(path: &Path) -> Result<(File, bool), Unreadable> {
    let mut file = File::open(path).map_err(Unreadable::new)?;
    let packed = file.metadata().map_err(Unreadable::new)?.len();
    let mut start = [0; 4];
    let read = file.read(&mut start).and_then(|n| file.seek(SeekFrom::Start(0)).map(|_| n));
    let start = &start[..read.map_err(Unreadable::new)?];
    let damaged = |e: io::Error| Unreadable::new(format!("the file cannot be unpacked: {e}"));
    let mut reader: Box<dyn Read> = if start.starts_with(&[0x1f, 0x8b]) {
        Box::new(flate2::read::MultiGzDecoder::new(io::BufReader::new(file)))
    } else if start == [0x28, 0xb5, 0x2f, 0xfd] {
        Box::new(zstd::Decoder::new(file).map_err(damaged)?)
    } else {
        return Ok((file, true));
    };
    let most = ALWAYS.max(packed.saturating_mul(RATIO));
    let mut unpacked = tempfile::tempfile().map_err(Unreadable::new)?;
    let written = io::copy(&mut reader.by_ref().take(most + 1), &mut unpacked).map_err(damaged)?;
    if written > most {
        return Err(Unreadable::new(format!(
            "the file has {packed} bytes and unpacks to more than {most}: that is no data"
        )));
    }
    unpacked.flush().and_then(|()| unpacked.seek(SeekFrom::Start(0))).map_err(Unreadable::new)?;
    Ok((unpacked, false))
}
