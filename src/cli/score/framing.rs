//! How requests follow each other on standard input, and answers on standard output.

use std::io::{self, BufRead, Read};

/// Longest request that is read, in bytes; a longer one is passed over and answered with an error.
pub(super) const MAX_REQUEST: usize = 16 * 1024 * 1024;

/// Bytes of a frame's length.
const LENGTH: usize = 4;

/// What separates requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Framing {
    /// One JSON object per line.
    Lines,
    /// Four bytes with the length of the JSON object that follows, big-endian.
    Frames,
}

/// A request as it came, or why it cannot be read.
pub(super) type Request = Result<Vec<u8>, String>;

impl Framing {
    /// The next request; `None` at the end.
    pub(super) fn next(self, input: &mut impl BufRead) -> io::Result<Option<Request>> {
        match self {
            Self::Lines => line(input),
            Self::Frames => frame(input),
        }
    }

    /// Whether a whole request has arrived already.
    pub(super) fn has_next(self, buffer: &[u8]) -> bool {
        match self {
            Self::Lines => buffer.contains(&b'\n'),
            Self::Frames => length(buffer).is_some_and(|length| buffer.len() - LENGTH >= length),
        }
    }

    /// An answer, ready to be written.
    pub(super) fn framed(self, mut answer: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Lines => {
                answer.push(b'\n');
                answer
            }
            Self::Frames => {
                let length = u32::try_from(answer.len())
                    .expect("an answer is shorter than its request and its explanation");
                [&length.to_be_bytes(), answer.as_slice()].concat()
            }
        }
    }
}

fn length(buffer: &[u8]) -> Option<usize> {
    let bytes = buffer.get(..LENGTH)?;
    Some(u32::from_be_bytes(bytes.try_into().expect("four bytes were taken")) as usize)
}

fn too_long(unit: &str) -> Request {
    Err(format!("the {unit} is longer than {MAX_REQUEST} bytes"))
}

/// The next line without its end.
fn line(input: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = Vec::new();
    if input.by_ref().take(MAX_REQUEST as u64 + 1).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > MAX_REQUEST {
        input.skip_until(b'\n')?;
        return Ok(Some(too_long("line")));
    }
    Ok(Some(Ok(line)))
}

fn frame(input: &mut impl BufRead) -> io::Result<Option<Request>> {
    let cut_off = || Ok(Some(Err("the input ends inside of the frame".to_owned())));
    let mut head = Vec::new();
    match input.by_ref().take(LENGTH as u64).read_to_end(&mut head)? {
        0 => return Ok(None),
        LENGTH => (),
        _ => return cut_off(),
    }
    let length = length(&head).expect("it was read whole") as u64;
    if length > MAX_REQUEST as u64 {
        io::copy(&mut input.by_ref().take(length), &mut io::sink())?;
        return Ok(Some(too_long("frame")));
    }
    let mut frame = Vec::new();
    if input.by_ref().take(length).read_to_end(&mut frame)? as u64 != length {
        return cut_off();
    }
    Ok(Some(Ok(frame)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(framing: Framing, bytes: Vec<u8>) -> Vec<Request> {
        let mut input = io::Cursor::new(bytes);
        std::iter::from_fn(|| framing.next(&mut input).unwrap()).collect()
    }

    #[test]
    fn requests_that_are_too_long_are_passed_over() {
        let mut lines = vec![b'x'; MAX_REQUEST + 10];
        lines.extend_from_slice(b"\nnext");
        assert_eq!(all(Framing::Lines, lines), [too_long("line"), Ok(b"next".to_vec())]);
        let mut frames = u32::try_from(MAX_REQUEST + 10).unwrap().to_be_bytes().to_vec();
        frames.extend(vec![b'x'; MAX_REQUEST + 10]);
        frames.extend_from_slice(&Framing::Frames.framed(b"next".to_vec()));
        assert_eq!(all(Framing::Frames, frames), [too_long("frame"), Ok(b"next".to_vec())]);
    }

    #[test]
    fn a_frame_that_is_cut_off_is_told_and_the_last() {
        for cut in [b"\0\0".as_slice(), b"\0\0\0\x05ab", b"\0\0\0\x05"] {
            let got = all(Framing::Frames, cut.to_vec());
            assert_eq!(got, [Err("the input ends inside of the frame".to_owned())]);
        }
        assert_eq!(all(Framing::Frames, b"\0\0\0\0".to_vec()), [Ok(Vec::new())]);
    }

    #[test]
    fn what_has_arrived_whole_is_known() {
        for (framing, bytes, whole) in [
            (Framing::Lines, b"abc".as_slice(), false),
            (Framing::Lines, b"abc\nd", true),
            (Framing::Frames, b"\0\0\0\x03ab", false),
            (Framing::Frames, b"\0\0\0\x03abc", true),
            (Framing::Frames, b"\0\0", false),
        ] {
            assert_eq!(framing.has_next(bytes), whole, "{bytes:?}");
        }
    }
}
