//! Size and kind of the plainest PNG and JPEG files, from their first bytes, and whether a JPEG has its end.
//!
//! Opening a decoder readies all that decoding needs, copies a JPEG whole and reads its tables twice, which was most of
//! the time of indexing small pictures. Told here is only what leaves nothing open: no palette, no 16-bit values, no
//! EXIF. Whatever else there is, and whatever is damaged, is left to the decoder and to its words.

use image::ColorType;

use super::picture::MAX_PIXELS;

/// What the first bytes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Pixels across, as a viewer shows it.
    pub(super) width: u32,
    /// Pixels down.
    pub(super) height: u32,
    /// What a pixel is before decoding to RGB.
    pub(super) color: ColorType,
}

/// The header of a plain picture of an acceptable size; none where a decoder has to be asked.
pub(super) fn plain(bytes: &[u8]) -> Option<Header> {
    let header = png(bytes).or_else(|| jpeg(bytes))?;
    let pixels = u64::from(header.width) * u64::from(header.height);
    (1..=MAX_PIXELS).contains(&pixels).then_some(header)
}

/// A PNG whose header is whole and followed by the pixels at once.
fn png(bytes: &[u8]) -> Option<Header> {
    let rest = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR")?;
    let (fields, after) = rest.split_first_chunk::<13>()?;
    let (sum, after) = after.split_first_chunk::<4>()?;
    let mut crc = flate2::Crc::new();
    crc.update(b"IHDR");
    crc.update(fields);
    let whole = crc.sum().to_be_bytes() == *sum && after.get(4..8) == Some(b"IDAT");
    let [w0, w1, w2, w3, h0, h1, h2, h3, 8, kind, 0, 0, 0 | 1] = *fields else { return None };
    let color = match kind {
        0 => ColorType::L8,
        2 => ColorType::Rgb8,
        4 => ColorType::La8,
        6 => ColorType::Rgba8,
        _ => return None,
    };
    let (width, height) = (u32::from_be_bytes([w0, w1, w2, w3]), u32::from_be_bytes([h0, h1, h2, h3]));
    whole.then_some(Header { width, height, color })
}

/// A JPEG of one or three components with nothing before its pixels but the frame, tables and comments.
fn jpeg(bytes: &[u8]) -> Option<Header> {
    let mut rest = bytes.strip_prefix(b"\xff\xd8")?;
    let mut frame = None;
    loop {
        let [0xff, marker, high, low, ..] = *rest else { return None };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let segment = rest.get(4..2 + length)?;
        rest = &rest[2 + length..];
        match marker {
            // JFIF, quantization and Huffman tables, a comment. A damaged table shows when the picture is decoded.
            0xe0 | 0xdb | 0xc4 | 0xfe => {}
            0xdd if segment.len() == 2 => {}
            // Baseline or progressive.
            0xc0 | 0xc2 if frame.is_none() => frame = Some(segment),
            0xda => break,
            _ => return None,
        }
    }
    let [8, h0, h1, w0, w1, count, components @ ..] = frame? else { return None };
    let usual = |(i, component): (usize, &[u8])| {
        // Its number, its sampling, and which quantization table it has.
        usize::from(component[0]) == i + 1
            && (component[1] == 0x11 || i == 0 && matches!(component[1], 0x12 | 0x21 | 0x22))
            && component[2] < 4
    };
    if components.len() != 3 * usize::from(*count) || !components.chunks_exact(3).enumerate().all(usual) {
        return None;
    }
    let color = match count {
        1 => ColorType::L8,
        3 => ColorType::Rgb8,
        _ => return None,
    };
    let (width, height) = (u16::from_be_bytes([*w0, *w1]), u16::from_be_bytes([*h0, *h1]));
    Some(Header { width: width.into(), height: height.into(), color })
}

/// Whether a JPEG is cut off: nothing marks the end of its picture. The decoder is lenient and fills what is missing with
/// grey; Pillow refuses such a file, so that the trainers people have do not see it.
pub(super) fn is_cut_jpeg(bytes: &[u8]) -> bool {
    const START: [u8; 2] = [0xff, 0xd8];
    const END: [u8; 2] = [0xff, 0xd9];
    if !bytes.starts_with(&START) || bytes.ends_with(&END) {
        return false;
    }
    // Something may follow the end. A preview within the EXIF block has an end of its own, so that segments are passed over.
    let mut rest = &bytes[2..];
    while let Some(at) = memchr::memchr(0xff, rest) {
        rest = &rest[at + 1..];
        match *rest {
            [0xd9, ..] => return false,
            // Data of a scan: a byte of 255, a restart. Between segments: fill, and what has no length.
            [0x00 | 0x01 | 0xd0..=0xd8 | 0xff, ..] => {}
            [_, high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([high, low]));
                let Some(after) = rest.get(1 + length..) else { return true };
                rest = after;
            }
            _ => return true,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{DynamicImage, ImageDecoder as _, ImageFormat, ImageReader};

    use super::*;

    fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    /// What the decoder says of it.
    fn decoder(bytes: &[u8]) -> Option<Header> {
        let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().unwrap();
        let decoder = reader.into_decoder().ok()?;
        let (width, height) = decoder.dimensions();
        Some(Header { width, height, color: decoder.color_type() })
    }

    fn plain_pictures() -> Vec<Vec<u8>> {
        let rgba = DynamicImage::new_rgba8(37, 21);
        let kinds =
            [rgba.to_luma8().into(), rgba.to_rgb8().into(), rgba.to_luma_alpha8().into(), rgba.clone()];
        let png = kinds.iter().map(|image| encoded(image, ImageFormat::Png));
        let jpeg = kinds[..2].iter().map(|image| encoded(image, ImageFormat::Jpeg));
        png.chain(jpeg).collect()
    }

    #[test]
    fn a_plain_header_is_what_the_decoder_says() {
        for bytes in plain_pictures() {
            let header = plain(&bytes);
            assert!(header.is_some_and(|h| (h.width, h.height) == (37, 21)), "{header:?}");
            assert_eq!(header, decoder(&bytes));
        }
    }

    #[test]
    fn a_damaged_header_is_never_told_otherwise_than_the_decoder_would() {
        for bytes in plain_pictures() {
            for at in 0..bytes.len().min(700) {
                for change in [1, 0x80, 0xff] {
                    let mut damaged = bytes.clone();
                    damaged[at] ^= change;
                    if let (Some(told), Some(said)) = (plain(&damaged), decoder(&damaged)) {
                        assert_eq!(told, said, "byte {at}");
                    }
                    assert_eq!(plain(&bytes[..at]).filter(|_| decoder(&bytes[..at]).is_none()), None);
                }
            }
        }
    }

    #[test]
    fn what_is_not_plain_is_left_to_the_decoder() {
        let deep = encoded(&DynamicImage::new_rgb16(4, 3), ImageFormat::Png);
        let other = encoded(&DynamicImage::new_rgb8(4, 3), ImageFormat::Gif);
        let large = encoded(&DynamicImage::new_luma8(1, 1), ImageFormat::Jpeg);
        let frame = large.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
        let sized = |side: u16| {
            let mut bytes = large.clone();
            bytes[frame + 5..frame + 9].copy_from_slice(&[side.to_be_bytes(); 2].concat());
            bytes
        };
        // EXIF may turn the picture.
        let mut exif = large.clone();
        exif.splice(2..2, *b"\xff\xe1\0\x08Exif\0\0");
        for bytes in [deep, other, sized(0), sized(60_000), exif, Vec::new()] {
            assert_eq!(plain(&bytes), None);
        }
        assert!(plain(&sized(8000)).is_some());
    }
}
