//! From a picture to the patches that the vision tower reads, as transformers' `Qwen2VLImageProcessor` prepares them.

use image::RgbImage;

use super::config::PictureConfig;
use super::rope_index::picture_tokens;

/// Longest side over shortest that the reference accepts.
const MAX_ASPECT: f64 = 200.0;

/// The patches of one picture.
#[derive(Clone, Debug, PartialEq)]
pub struct PatchedImage {
    /// `[n_patches, patch_dim]`, normalised. The patches of a merged square stand together: rows and columns of squares, then
    /// rows and columns of patches inside; within a patch channel, frame, row, column.
    pub patches: Vec<f32>,
    /// Number of patches.
    pub n_patches: usize,
    /// Numbers per patch: 3 × frames × side × side.
    pub patch_dim: usize,
    /// Patches in time (1), height and width.
    pub grid: [usize; 3],
}

impl PatchedImage {
    /// Tokens that stand for the picture in a prompt, for `merge` × `merge` patches per token.
    ///
    /// 0 if the squares do not cover the grid, which cannot be for the `merge_size` it was prepared with.
    pub fn tokens(&self, merge: usize) -> usize {
        picture_tokens(self.grid, merge).unwrap_or(0)
    }
}

/// A picture that cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// It has no pixels.
    #[error("the picture has {width} × {height} pixels")]
    Empty {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
    /// It is too long and narrow.
    #[error("a picture of {width} × {height} pixels is more than 200 times as long as it is wide")]
    Aspect {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
}

/// Height and width after resizing: multiples of `factor` whose product lies between `min_pixels` and `max_pixels` where the
/// aspect ratio lets it, near the original proportions.
///
/// `smart_resize` of the reference, whose `round` goes to the even number at .5.
pub fn smart_resize(
    height: u32,
    width: u32,
    factor: usize,
    min_pixels: usize,
    max_pixels: usize,
) -> Result<(usize, usize), ImageError> {
    if height == 0 || width == 0 {
        return Err(ImageError::Empty { width, height });
    }
    if f64::from(height.max(width)) / f64::from(height.min(width)) > MAX_ASPECT {
        return Err(ImageError::Aspect { width, height });
    }
    let (h, w, step) = (f64::from(height), f64::from(width), factor as f64);
    let (most, fewest) = (max_pixels as f64, min_pixels as f64);
    let mut h_bar = (h / step).round_ties_even() * step;
    let mut w_bar = (w / step).round_ties_even() * step;
    if h_bar * w_bar > most {
        let beta = (h * w / most).sqrt();
        h_bar = ((h / beta / step).floor() * step).max(step);
        w_bar = ((w / beta / step).floor() * step).max(step);
    } else if h_bar * w_bar < fewest {
        let beta = (fewest / (h * w)).sqrt();
        h_bar = (h * beta / step).ceil() * step;
        w_bar = (w * beta / step).ceil() * step;
    }
    Ok((h_bar as usize, w_bar as usize))
}

/// Resizes, normalises and cuts a picture into patches.
pub fn prepare(picture: &RgbImage, config: &PictureConfig) -> Result<PatchedImage, ImageError> {
    let (width, height) = picture.dimensions();
    let factor = config.patch_size * config.merge_size;
    let (new_height, new_width) = smart_resize(height, width, factor, config.min_pixels, config.max_pixels)?;
    if (new_height, new_width) == (height as usize, width as usize) {
        return Ok(patchify(picture.as_raw(), new_height, new_width, config));
    }
    let resized = resize(picture.as_raw(), [height as usize, width as usize], [new_height, new_width]);
    Ok(patchify(&resized, new_height, new_width, config))
}

/// Bicubic with antialiasing, `[height, width, 3]` in and out, equal to torchvision's for eight-bit pictures.
///
/// Own code because the libraries follow Pillow, whose weights are finer than torch's 16 bits: one value in 10,000 then is two
/// grey levels off.
fn resize(pixels: &[u8], [height, width]: [usize; 2], [new_height, new_width]: [usize; 2]) -> Vec<u8> {
    let across = Weights::new(width, new_width);
    let mut narrow = Vec::with_capacity(height * new_width * 3);
    for line in pixels.chunks_exact(3 * width) {
        for window in &across.windows {
            let sources = &line[3 * window.start..];
            for channel in 0..3 {
                let values = sources.iter().skip(channel).step_by(3);
                narrow.push(across.mix(window.weights.iter().zip(values)));
            }
        }
    }
    let down = Weights::new(height, new_height);
    let stride = 3 * new_width;
    let mut resized = Vec::with_capacity(new_height * stride);
    for window in &down.windows {
        let sources = &narrow[stride * window.start..];
        for column in 0..stride {
            let values = sources.iter().skip(column).step_by(stride);
            resized.push(down.mix(window.weights.iter().zip(values)));
        }
    }
    resized
}

/// How the pixels of a longer or shorter line are mixed from those of the given one.
struct Weights {
    /// One per new pixel.
    windows: Vec<Window>,
    /// Weights are whole multiples of 2 to the power of minus this.
    precision: u32,
}

/// The old pixels that one new pixel is mixed from.
struct Window {
    start: usize,
    weights: Vec<i32>,
}

impl Weights {
    /// `compute_indices_min_size_weights_aa` and `compute_index_ranges_int16_weights` of torch's `UpSampleKernel.cpp`.
    fn new(old: usize, new: usize) -> Self {
        let scale = old as f64 / new as f64;
        let stretch = scale.max(1.0);
        let support = 2.0 * stretch;
        let exact: Vec<(usize, Vec<f64>)> = (0..new)
            .map(|i| {
                let center = scale * (i as f64 + 0.5);
                // Casts of floats to whole numbers saturate at 0, where torch takes the larger of the two.
                let start = (center - support + 0.5) as usize;
                let end = ((center + support + 0.5) as usize).min(old);
                let weights: Vec<f64> =
                    (start..end).map(|j| cubic((j as f64 - center + 0.5) / stretch)).collect();
                let total: f64 = weights.iter().sum();
                (start, weights.into_iter().map(|weight| weight / total).collect())
            })
            .collect();
        let largest = exact.iter().flat_map(|(_, weights)| weights).copied().fold(0.0, f64::max);
        // As fine as 16 bits with a sign allow, and no finer than 22 bits.
        let mut precision = 0;
        while precision < 22 && 0.5 + largest * f64::from(1 << (precision + 1)) < f64::from(1 << 15) {
            precision += 1;
        }
        let unit = f64::from(1 << precision);
        let whole =
            |weights: Vec<f64>| weights.into_iter().map(|weight| (weight * unit).round() as i32).collect();
        let windows =
            exact.into_iter().map(|(start, weights)| Window { start, weights: whole(weights) }).collect();
        Self { windows, precision }
    }

    fn mix<'a>(&self, weighted: impl Iterator<Item = (&'a i32, &'a u8)>) -> u8 {
        let half = 1 << self.precision >> 1;
        let sum: i32 = weighted.fold(half, |sum, (&weight, &value)| sum + weight * i32::from(value));
        (sum >> self.precision).clamp(0, 255) as u8
    }
}

/// Keys' cubic with a = -0.5, as Pillow and torch use it with antialiasing.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

/// `pixels`: `[height, width, 3]`, both multiples of patch × merge.
fn patchify(pixels: &[u8], height: usize, width: usize, config: &PictureConfig) -> PatchedImage {
    let (side, merge, frames) = (config.patch_size, config.merge_size, config.temporal_patch_size);
    let (rows, columns) = (height / side, width / side);
    // A grey level has one of 256 values, so the arithmetic is done once per value.
    let normalised: [[f32; 256]; 3] = std::array::from_fn(|channel| {
        let (mean, deviation) = (config.image_mean[channel], config.image_std[channel]);
        std::array::from_fn(|level| ((level as f64 / 255.0 - mean) / deviation) as f32)
    });
    let patch_dim = 3 * frames * side * side;
    let mut patches = Vec::with_capacity(rows * columns * patch_dim);
    for square_row in 0..rows / merge {
        for square_column in 0..columns / merge {
            for (row, column) in (0..merge).flat_map(|row| (0..merge).map(move |column| (row, column))) {
                let top = (square_row * merge + row) * side;
                let left = (square_column * merge + column) * side;
                for (channel, levels) in normalised.iter().enumerate() {
                    let start = patches.len();
                    for y in top..top + side {
                        let line = &pixels[3 * (y * width + left)..3 * (y * width + left + side)];
                        patches.extend(
                            line.iter().skip(channel).step_by(3).map(|&level| levels[usize::from(level)]),
                        );
                    }
                    // A picture is a film that stands still.
                    let end = patches.len();
                    for _ in 1..frames {
                        patches.extend_from_within(start..end);
                    }
                }
            }
        }
    }
    PatchedImage { patches, n_patches: rows * columns, patch_dim, grid: [1, rows, columns] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_reference() {
        // Each line is `smart_resize(height, width, 28, min, max)` of transformers 5.23.
        let check = |height, width, min, max, expected| {
            assert_eq!(smart_resize(height, width, 28, min, max).unwrap(), expected, "{height} × {width}");
        };
        check(56, 84, 3136, 9408, (56, 84));
        check(97, 170, 3136, 9408, (56, 112));
        check(31, 45, 3136, 9408, (56, 84));
        // 42 / 28 = 1.5 and 70 / 28 = 2.5 both round to 2.
        check(42, 70, 784, 1_000_000, (56, 56));
        // 14 / 28 = 0.5 rounds to 0, which is too few pixels.
        check(14, 14, 3136, 9408, (56, 56));
        check(1, 200, 3136, 1_003_520, (28, 812));
        check(4000, 3000, 3136, 1_003_520, (1148, 840));
    }

    #[test]
    fn an_empty_or_endless_picture_is_an_error() {
        let message = |height, width| smart_resize(height, width, 28, 3136, 9408).unwrap_err().to_string();
        assert_eq!(message(0, 5), "the picture has 5 × 0 pixels");
        assert_eq!(
            message(1, 201),
            "a picture of 201 × 1 pixels is more than 200 times as long as it is wide"
        );
    }

    #[test]
    fn a_grey_picture_stays_grey_at_any_size() {
        for (old, new) in [([3, 1], [56, 28]), ([200, 90], [28, 28]), ([31, 45], [56, 84])] {
            let resized = resize(&vec![77; old[0] * old[1] * 3], old, new);
            assert_eq!(resized.len(), new[0] * new[1] * 3);
            // Sixteen-bit weights sum to 1 within a few units, so the grey may be one level off and no more.
            assert!(resized.iter().all(|level| level.abs_diff(77) <= 1), "{old:?} to {new:?}");
        }
    }

    #[test]
    fn patches_of_one_square_stand_together() {
        // Patches of one pixel, squares of 2 × 2, four columns: the first square holds columns 0 and 1 of both rows.
        let config = PictureConfig {
            min_pixels: 1,
            max_pixels: 1000,
            image_mean: [0.0; 3],
            image_std: [1.0 / 255.0; 3],
            patch_size: 1,
            merge_size: 2,
            temporal_patch_size: 2,
        };
        let picture = RgbImage::from_fn(4, 2, |x, y| image::Rgb([(10 * y + x) as u8, 100, 200]));
        let patched = prepare(&picture, &config).unwrap();
        assert_eq!(patched.grid, [1, 2, 4]);
        assert_eq!((patched.n_patches, patched.patch_dim, patched.tokens(2)), (8, 6, 2));
        let reds: Vec<f32> = patched.patches.chunks(6).map(|patch| patch[0].round()).collect();
        assert_eq!(reds, [0.0, 1.0, 10.0, 11.0, 2.0, 3.0, 12.0, 13.0]);
        let first: Vec<f32> = patched.patches[..6].iter().map(|value| value.round()).collect();
        assert_eq!(first, [0.0, 0.0, 100.0, 100.0, 200.0, 200.0]);
    }
}
