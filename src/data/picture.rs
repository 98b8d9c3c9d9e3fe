//! Encoded bytes to eight-bit RGB, once, at use.

use std::io::Cursor;

use image::{
    ColorType, DynamicImage, ImageDecoder, ImageReader, Limits, Rgb, RgbImage, metadata::Orientation,
};

use super::{
    guard,
    header::{self, Header},
};
use crate::sample::{Picture, Sample};

/// Most pixels of a picture that is decoded: 8192 × 8192.
pub const MAX_PIXELS: u64 = 64 * 1024 * 1024;

/// Most bytes a decoder may ask for: 64 M pixels of eight bytes.
const MAX_BYTES: u64 = 8 * MAX_PIXELS;

/// A picture that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPicture {
    /// The bytes are no picture, are cut short, or hold something that is not supported.
    #[error("the picture cannot be read: {0}")]
    Unreadable(String),
    /// It is larger than [`MAX_PIXELS`].
    #[error("the picture has {width}×{height} pixels; at most {MAX_PIXELS} are read")]
    TooLarge {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
    /// It has no pixels, or not as many as its size says.
    #[error("the picture says {width}×{height} pixels and does not hold them")]
    Empty {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
}

/// Decodes to RGB as a viewer shows it.
///
/// Palettes are looked up, 16-bit values are scaled, CMYK is converted, transparent parts lie on white, and the
/// rotation and mirroring of EXIF are applied. Sizes are checked from the header, before anything is decoded.
pub fn decode(picture: &Picture) -> Result<RgbImage, BadPicture> {
    match picture {
        Picture::Rgb { width, height, pixels } => RgbImage::from_raw(*width, *height, pixels.to_vec())
            .filter(|image| image.width() > 0 && image.height() > 0)
            .ok_or(BadPicture::Empty { width: *width, height: *height }),
        Picture::Encoded(bytes) => guarded(|| {
            let (mut decoder, orientation) = opened(bytes)?;
            if header::is_cut_jpeg(bytes) {
                return Err(BadPicture::Unreadable("the file is cut off".to_owned()));
            }
            decoder.set_limits(limits()).map_err(unreadable)?;
            let mut image = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
            image.apply_orientation(orientation);
            Ok(if image.color().has_alpha() { on_white(&image) } else { image.into_rgb8() })
        }),
    }
}

/// Width and height of a sample's first picture in pixels, which boxes in relative coordinates relate to; without one they
/// get nothing. The readers have seen its header.
pub fn first_size(sample: &Sample) -> Option<(u32, u32)> {
    sample.pictures.first().and_then(|first| size(first).ok())
}

/// Width and height in pixels as [`decode`] will give them, from the header alone.
pub fn size(picture: &Picture) -> Result<(u32, u32), BadPicture> {
    match picture {
        Picture::Rgb { width, height, .. } => Ok((*width, *height)),
        Picture::Encoded(_) => header(picture).map(|header| (header.width, header.height)),
    }
}

/// Width, height and what a pixel is before decoding, from the header alone.
pub(super) fn header(picture: &Picture) -> Result<Header, BadPicture> {
    match picture {
        Picture::Rgb { width, height, .. } => {
            Ok(Header { width: *width, height: *height, color: ColorType::Rgb8 })
        }
        Picture::Encoded(bytes) => match header::plain(bytes) {
            Some(header) => Ok(header),
            None => guarded(|| {
                let (decoder, orientation) = opened(bytes)?;
                let ((width, height), color) = (decoder.dimensions(), decoder.color_type());
                Ok(match orientation {
                    Orientation::Rotate90
                    | Orientation::Rotate270
                    | Orientation::Rotate90FlipH
                    | Orientation::Rotate270FlipH => Header { width: height, height: width, color },
                    _ => Header { width, height, color },
                })
            }),
        },
    }
}

/// A decoder whose picture has an acceptable size, and how the picture is to be turned.
fn opened(bytes: &[u8]) -> Result<(impl ImageDecoder + '_, Orientation), BadPicture> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(unreadable)?;
    if reader.format().is_none() {
        return Err(BadPicture::Unreadable("the bytes are of no known picture format".to_owned()));
    }
    reader.limits(limits());
    let mut decoder = reader.into_decoder().map_err(unreadable)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS || decoder.total_bytes() > MAX_BYTES {
        return Err(BadPicture::TooLarge { width, height });
    }
    if width == 0 || height == 0 {
        return Err(BadPicture::Empty { width, height });
    }
    // A picture whose EXIF block is broken is shown as it is, as viewers do. To be asked, a JPEG reads its header again.
    let turned = header::plain(bytes).is_none();
    let orientation = turned.then(|| decoder.orientation().ok()).flatten();
    let orientation = orientation.unwrap_or(Orientation::NoTransforms);
    Ok((decoder, orientation))
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_BYTES);
    limits
}

/// Lays a picture with transparency on white; `image` would drop the alpha and show what lies beneath it.
fn on_white(image: &DynamicImage) -> RgbImage {
    let rgba = image.to_rgba8();
    let blend = |value: u8, alpha: u8| {
        let (value, alpha) = (u32::from(value), u32::from(alpha));
        ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    let mut out = RgbImage::new(rgba.width(), rgba.height());
    for (from, to) in rgba.pixels().zip(out.pixels_mut()) {
        let [r, g, b, a] = from.0;
        *to = Rgb([blend(r, a), blend(g, a), blend(b, a)]);
    }
    out
}

fn unreadable(error: impl std::fmt::Display) -> BadPicture {
    BadPicture::Unreadable(error.to_string())
}

fn guarded<T>(decode: impl FnOnce() -> Result<T, BadPicture>) -> Result<T, BadPicture> {
    let mut bad = None;
    let caught = guard::caught(|| decode().map_err(|e| bad.insert(e).to_string()));
    caught.map_err(|what| bad.unwrap_or(BadPicture::Unreadable(what)))
}
