//! Small grey pictures: how they are made, what describes them, and how one is laid upon another.

use std::f32::consts::{PI, SQRT_2};

use image::RgbImage;

/// Side of the grey picture that is remembered of each picture.
pub(super) const THUMB: usize = 64;

/// Side of the grey picture that decides in the end.
pub(super) const FINE: usize = 256;

/// Waves per side that describe a window.
const WAVES: usize = 8;

/// Numbers that describe a window: its waves without the mean.
pub(super) const NUMBERS: usize = WAVES * WAVES - 1;

/// Contrast, in grey values, below which it is not made up for: noise on a blank page describes nothing.
const LEAST_CONTRAST: f32 = 4.0;

/// Smallest side of a window, as a share of the picture's.
pub(super) const SMALLEST: f32 = 0.7;

/// A part of a picture: left, top, width and height as shares of the picture's.
pub(super) type Window = [f32; 4];

/// The whole picture.
pub(super) const WHOLE: Window = [0.0, 0.0, 1.0, 1.0];

/// Windows in which a picture is described, the whole first: sides from 1 down to 0.8, as close to each other as a
/// copy may be off and still be found.
pub(super) fn windows() -> Vec<Window> {
    let mut all = vec![WHOLE];
    for (side, places) in [(0.95, 1), (0.9, 2), (0.85, 3), (0.8, 4)] {
        let at = |i: u8| (f32::from(i) + 0.5) * (1.0 - side) / f32::from(places);
        all.extend((0..places * places).map(|i| [at(i % places), at(i / places), side, side]));
    }
    all
}

/// Shares of the three colours in a grey value, in units of 1/256.
const WEIGHTS: [u32; 3] = [77, 150, 29];

/// Grey values of a picture brought to a square.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Grey {
    pub(super) side: usize,
    pub(super) values: Vec<f32>,
}

impl Grey {
    /// Mean grey value of each of `side`×`side` equal parts, parts of pixels included.
    pub(super) fn of(image: &RgbImage, side: usize) -> Self {
        let grey = |pixel: &[u8]| [(0..3).map(|i| WEIGHTS[i] * u32::from(pixel[i])).sum::<u32>() >> 8];
        let [grey] = Self::means(image, side, grey);
        grey
    }

    /// The same of each of the three colours.
    pub(super) fn colours_of(image: &RgbImage, side: usize) -> [Self; 3] {
        Self::means(image, side, |pixel| [pixel[0], pixel[1], pixel[2]].map(u32::from))
    }

    /// The grey values of a picture of which these are the colours.
    pub(super) fn mixed([r, g, b]: &[Self; 3]) -> Self {
        let [of_r, of_g, of_b] = WEIGHTS.map(|weight| weight as f32 / 256.0);
        let values = r.values.iter().zip(&g.values).zip(&b.values);
        Self { side: r.side, values: values.map(|((r, g), b)| of_r * r + of_g * g + of_b * b).collect() }
    }

    /// Means of what `value` makes of a pixel, at most 255 each; in one pass over the pixels.
    fn means<const N: usize>(image: &RgbImage, side: usize, value: impl Fn(&[u8]) -> [u32; N]) -> [Self; N] {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let (columns, rows) = (edges(width, side), edges(height, side));
        let mut means: [Vec<f32>; N] = std::array::from_fn(|_| vec![0.0; side * side]);
        let mut sums = vec![[0_u32; N]; width + 1];
        let mut lines: [Vec<f32>; N] = std::array::from_fn(|_| vec![0.0; side]);
        // The part of the picture that a row of pixels begins in.
        let mut part = 0;
        for (y, pixels) in image.as_raw().chunks_exact(3 * width).enumerate() {
            let mut sum = [0; N];
            for (pixel, to) in pixels.chunks_exact(3).zip(&mut sums[1..]) {
                let values = value(pixel);
                sum = std::array::from_fn(|i| sum[i] + values[i]);
                *to = sum;
            }
            for (i, line) in lines.iter_mut().enumerate() {
                let upto = |&(whole, share): &(usize, f32)| {
                    let next = sums[(whole + 1).min(width)][i];
                    sums[whole][i] as f32 + share * (next - sums[whole][i]) as f32
                };
                for (to, pair) in line.iter_mut().zip(columns.windows(2)) {
                    *to = upto(&pair[1]) - upto(&pair[0]);
                }
            }
            // Of each part that the row reaches into, the share of the row inside it.
            loop {
                let at = |(whole, share): (usize, f32)| whole as f32 + share;
                let (top, bottom) = (at(rows[part]), at(rows[part + 1]));
                let inside = bottom.min(y as f32 + 1.0) - top.max(y as f32);
                if inside > 0.0 {
                    for (mean, line) in means.iter_mut().zip(&lines) {
                        let to = &mut mean[part * side..(part + 1) * side];
                        to.iter_mut().zip(line).for_each(|(to, value)| *to += inside * value);
                    }
                }
                if bottom > y as f32 + 1.0 || part + 1 == side {
                    break;
                }
                part += 1;
            }
        }
        let area = width as f32 / side as f32 * (height as f32 / side as f32);
        means.map(|mut values| {
            for value in &mut values {
                *value /= area;
            }
            Self { side, values }
        })
    }

    /// From eight-bit values.
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        Self { side: bytes.len().isqrt(), values: bytes.iter().map(|value| f32::from(*value)).collect() }
    }

    /// As eight-bit values.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.values.iter().map(|value| value.round().clamp(0.0, 255.0) as u8).collect()
    }

    /// Half the side.
    pub(super) fn halved(&self) -> Self {
        let side = self.side / 2;
        let at = |x: usize, y: usize| self.values[y * self.side + x];
        let mean = |i: usize| {
            let (x, y) = (i % side * 2, i / side * 2);
            (at(x, y) + at(x + 1, y) + at(x, y + 1) + at(x + 1, y + 1)) / 4.0
        };
        Self { side, values: (0..side * side).map(mean).collect() }
    }

    /// A window on a square of `side` values, interpolated.
    fn sample(&self, [x, y, width, height]: Window, side: usize) -> Vec<f32> {
        let last = self.side as f32 - 1.001;
        let place = |start: f32, length: f32, i: usize| {
            let at = (start + length * (i as f32 + 0.5) / side as f32) * self.side as f32 - 0.5;
            let at = at.clamp(0.0, last);
            (at as usize, at.fract())
        };
        let columns: Vec<(usize, f32)> = (0..side).map(|i| place(x, width, i)).collect();
        let mut out = Vec::with_capacity(side * side);
        for row in 0..side {
            let (down, v) = place(y, height, row);
            let (upper, lower) = (&self.values[down * self.side..], &self.values[(down + 1) * self.side..]);
            out.extend(columns.iter().map(|&(at, u)| {
                let above = upper[at] * (1.0 - u) + upper[at + 1] * u;
                let below = lower[at] * (1.0 - u) + lower[at + 1] * u;
                above * (1.0 - v) + below * v
            }));
        }
        out
    }
}

/// Where parts of a side of `pixels` begin and end: a pixel and the share of it that lies before.
fn edges(pixels: usize, parts: usize) -> Vec<(usize, f32)> {
    (0..=parts).map(|i| (i * pixels / parts, (i * pixels % parts) as f32 / parts as f32)).collect()
}

/// What a window looks like, apart from brightness and contrast: its lowest waves (a cosine transform) at length 1.
/// Copies differ by less than about 0.4, other pictures by about 1.
pub(super) type Description = [f32; NUMBERS];

/// Describes windows of pictures of [`THUMB`]×[`THUMB`] values.
pub(super) struct Describer {
    windows: Vec<Window>,
    /// Different pairs of start and length.
    spans: Vec<[f32; 2]>,
    /// Waves over each span: `[span][wave][pixel]`.
    waves: Vec<[[f32; THUMB]; WAVES]>,
    /// Spans of each window across and down.
    of: Vec<[usize; 2]>,
}

impl Describer {
    pub(super) fn new(windows: Vec<Window>) -> Self {
        let mut spans: Vec<[f32; 2]> = Vec::new();
        let mut span = |wanted: [f32; 2]| {
            spans.iter().position(|known| *known == wanted).unwrap_or_else(|| {
                spans.push(wanted);
                spans.len() - 1
            })
        };
        let of = windows.iter().map(|&[x, y, w, h]| [span([x, w]), span([y, h])]).collect();
        let waves = spans.iter().map(|&[start, length]| waves(start, length)).collect();
        Self { windows, spans, waves, of }
    }

    /// The windows.
    pub(super) fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// One description per window.
    pub(super) fn describe(&self, grey: &Grey) -> Vec<Description> {
        // Across first, once per span: [span][wave][row].
        let across: Vec<[[f32; THUMB]; WAVES]> = self
            .waves
            .iter()
            .map(|waves| {
                let mut out = [[0.0; THUMB]; WAVES];
                for (wave, out) in waves.iter().zip(&mut out) {
                    for (row, to) in grey.values.chunks_exact(THUMB).zip(out) {
                        *to = dot(row, wave);
                    }
                }
                out
            })
            .collect();
        debug_assert_eq!(self.spans.len(), across.len());
        let one = |&[x, y]: &[usize; 2]| {
            let mut out = [0.0; NUMBERS];
            for (i, to) in out.iter_mut().enumerate() {
                let (down, right) = ((i + 1) / WAVES, (i + 1) % WAVES);
                *to = dot(&across[x][right], &self.waves[y][down]);
            }
            let length = dot(&out, &out).sqrt().max(LEAST_CONTRAST);
            for value in &mut out {
                *value /= length;
            }
            out
        };
        self.of.iter().map(one).collect()
    }
}

fn waves(start: f32, length: f32) -> [[f32; THUMB]; WAVES] {
    let pixel = 1.0 / THUMB as f32;
    let mut waves = [[0.0; THUMB]; WAVES];
    for (k, wave) in waves.iter_mut().enumerate() {
        let scale = if k == 0 { 1.0 } else { SQRT_2 };
        for (i, value) in wave.iter_mut().enumerate() {
            let left = i as f32 * pixel;
            let inside = ((left + pixel).min(start + length) - left.max(start)).max(0.0);
            let phase = ((left + pixel / 2.0 - start) / length).clamp(0.0, 1.0);
            *value = scale * (PI * k as f32 * phase).cos() * inside / length;
        }
    }
    // Windows end inside pixels, where a wave does not quite sum to nothing: brightness must not enter.
    let [mean, rest @ ..] = &mut waves;
    let whole: f32 = mean.iter().sum();
    for wave in rest {
        let off = wave.iter().sum::<f32>() / whole;
        wave.iter_mut().zip(mean.iter()).for_each(|(value, weight)| *value -= off * weight);
    }
    waves
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    // Four sums, so that they can be made at once.
    let mut sums = [0.0; 4];
    let (a4, b4) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f32 = a4.remainder().iter().zip(b4.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a4.zip(b4) {
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum += x[i] * y[i];
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// Square of the distance of two descriptions.
pub(super) fn distance(a: &Description, b: &Description) -> f32 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
}

/// A picture at several sides, the largest first.
pub(super) struct Pyramid(Vec<Grey>);

impl Pyramid {
    /// Down to a side of 16.
    pub(super) fn new(grey: Grey) -> Self {
        let mut levels = vec![grey];
        while let Some(half) = levels.last().filter(|last| last.side >= 32).map(Grey::halved) {
            levels.push(half);
        }
        Self(levels)
    }
}

/// How a picture lies in another.
#[derive(Clone, Debug)]
pub(super) struct Aligned {
    /// The window of the larger picture that the smaller one shows.
    pub(super) window: Window,
    /// The larger there, and the smaller in its brightness and contrast.
    values: Vec<f32>,
    matched: Vec<f32>,
}

impl Aligned {
    /// Largest difference of the means of any of 16×16 blocks.
    pub(super) fn worst_block(&self) -> f32 {
        let difference =
            |[a, b]: [&[f32]; 2]| (a.iter().sum::<f32>() - b.iter().sum::<f32>()).abs() / a.len() as f32;
        self.blocks().map(|[a, b]| difference([&a, &b])).fold(0.0, f32::max)
    }

    /// Share of the blocks with something in them, in either picture, that show something else in the other.
    pub(super) fn other_shapes(&self) -> f32 {
        // Contrast, in grey values, of what is something; and correlation of what is the same.
        const SOMETHING: f32 = 12.0;
        const SAME: f32 = 0.5;
        let (mut shapes, mut other) = (0.0, 0.0);
        for [a, b] in self.blocks() {
            let n = a.len() as f32;
            let [mean_a, mean_b] = [&a, &b].map(|values| values.iter().sum::<f32>() / n);
            let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
            for (x, y) in a.iter().zip(&b) {
                let (x, y) = (x - mean_a, y - mean_b);
                (ab, aa, bb) = (ab + x * y, aa + x * x, bb + y * y);
            }
            if aa.max(bb) > n * SOMETHING * SOMETHING {
                shapes += 1.0;
                other += f32::from(u8::from(ab < SAME * (aa * bb).sqrt()));
            }
        }
        other / f32::max(shapes, 1.0)
    }

    /// 16×16 blocks of both.
    fn blocks(&self) -> impl Iterator<Item = [Vec<f32>; 2]> {
        const BLOCKS: usize = 16;
        let side = self.values.len().isqrt();
        let block = side / BLOCKS;
        (0..BLOCKS * BLOCKS).map(move |i| {
            let (left, top) = (i % BLOCKS * block, i / BLOCKS * block);
            [&self.values, &self.matched]
                .map(|of| (top..top + block).flat_map(|y| &of[y * side + left..][..block]).copied().collect())
        })
    }
}

/// Lays one colour of a part upon the window that was found for it.
pub(super) fn laid(whole: &Grey, part: &Grey, window: Window) -> Aligned {
    let fit = fit(whole, &part.sample(WHOLE, part.side), window, part.side);
    Aligned { window, values: fit.values, matched: fit.matched }
}

/// How much less alike copies may be at coarser sides.
const COARSE_LESS: f32 = 0.25;

/// Lays `part` upon the window of `whole` that is most like it near the one given, from coarse to fine (the method of
/// Lucas and Kanade with brightness and contrast). None if they are less alike than `least` in the end.
pub(super) fn align(whole: &Pyramid, part: &Pyramid, mut window: Window, least: f32) -> Option<Aligned> {
    let mut last = None;
    for (large, small) in whole.0.iter().zip(&part.0).rev() {
        let side = small.side;
        let target = small.sample(WHOLE, side);
        let mut best = fit(large, &target, window, side);
        for _ in 0..4 {
            let Some(step) = best.step else { break };
            let next = moved(window, step);
            let found = fit(large, &target, next, side);
            if found.correlation <= best.correlation {
                break;
            }
            let enough = found.correlation - best.correlation < 1e-3;
            (window, best) = (next, found);
            if enough {
                break;
            }
        }
        // At the coarse sides even copies are blurred differently.
        if best.correlation < if side == part.0[0].side { least } else { least - COARSE_LESS } {
            return None;
        }
        last = Some(best);
    }
    last.map(|fit| Aligned { window, values: fit.values, matched: fit.matched })
}

struct Fit {
    correlation: f32,
    values: Vec<f32>,
    matched: Vec<f32>,
    step: Option<Window>,
}

/// Compares `target` with a window, and says which step of the window would bring them closer.
fn fit(large: &Grey, target: &[f32], window: Window, side: usize) -> Fit {
    let values = large.sample(window, side);
    let n = target.len() as f32;
    let (mean, mean_target) = (values.iter().sum::<f32>() / n, target.iter().sum::<f32>() / n);
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in values.iter().zip(target) {
        let (a, b) = (a - mean, b - mean_target);
        (ab, aa, bb) = (ab + a * b, aa + a * a, bb + b * b);
    }
    // All blank pages look alike, which says nothing of where they are from; the same bytes are found without this.
    if aa < n && bb < n {
        let matched = values.clone();
        return Fit { correlation: 0.0, values, matched, step: None };
    }
    let correlation = ab / (aa * bb).sqrt().max(f32::EPSILON);
    // The smaller picture in the brightness and contrast of the larger.
    let gain = if correlation > 0.1 { (aa / bb.max(f32::EPSILON)).sqrt() } else { 0.0 };
    let matched: Vec<f32> = target.iter().map(|b| gain * (b - mean_target) + mean).collect();
    let mut normal = [[0.0_f32; 6]; 6];
    let mut right = [0.0_f32; 6];
    let share = 1.0 / side as f32;
    // Every second value of a large square says enough about where it lies.
    let every = if side >= THUMB { 2 } else { 1 };
    for row in (1..side - 1).step_by(every) {
        let v = (row as f32 + 0.5) * share;
        for column in (1..side - 1).step_by(every) {
            let u = (column as f32 + 0.5) * share;
            let at = row * side + column;
            let dx = (values[at + 1] - values[at - 1]) / 2.0;
            let dy = (values[at + side] - values[at - side]) / 2.0;
            let slopes = [dx, dy, dx * u, dy * v, values[at] - mean, 1.0];
            for (i, slope) in slopes.iter().enumerate() {
                right[i] += slope * (matched[at] - values[at]);
                for (to, other) in normal[i][i..].iter_mut().zip(&slopes[i..]) {
                    *to += slope * other;
                }
            }
        }
    }
    // In steps of one value of the window; brought to shares of the picture.
    let step = solve(normal, right).map(|[x, y, w, h, ..]| {
        [x * window[2] * share, y * window[3] * share, w * window[2] * share, h * window[3] * share]
    });
    Fit { correlation, values, matched, step }
}

fn moved([x, y, width, height]: Window, [dx, dy, dw, dh]: Window) -> Window {
    let (width, height) = ((width + dw).clamp(SMALLEST, 1.0), (height + dh).clamp(SMALLEST, 1.0));
    [(x + dx).clamp(0.0, 1.0 - width), (y + dy).clamp(0.0, 1.0 - height), width, height]
}

/// Solves a symmetric system of which the upper half is given; none if it has no one solution.
#[expect(
    clippy::needless_range_loop,
    reason = "rows and columns of one matrix, read and written by their numbers"
)]
fn solve(mut matrix: [[f32; 6]; 6], mut right: [f32; 6]) -> Option<[f32; 6]> {
    for i in 0..6 {
        for k in 0..i {
            matrix[i][k] = matrix[k][i];
        }
    }
    for i in 0..6 {
        // A direction in which nothing changes is left alone.
        matrix[i][i] += 1e-4 * matrix[i][i] + 1e-3;
    }
    for i in 0..6 {
        let pivot = matrix[i][i];
        if pivot.is_nan() || pivot.abs() <= 1e-9 {
            return None;
        }
        for k in i + 1..6 {
            let factor = matrix[k][i] / pivot;
            for j in i..6 {
                matrix[k][j] -= factor * matrix[i][j];
            }
            right[k] -= factor * right[i];
        }
    }
    for i in (0..6).rev() {
        let sum: f32 = (i + 1..6).map(|k| matrix[i][k] * right[k]).sum();
        right[i] = (right[i] - sum) / matrix[i][i];
    }
    right.iter().all(|value| value.is_finite()).then_some(right)
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn parts_of_pixels_count_by_their_area() {
        // Three pixels 0, 90, 255 across on two values: (0 + 45)/1.5 and (45 + 255)/1.5.
        let image = RgbImage::from_fn(3, 2, |x, _| Rgb([[0, 90, 255][x as usize]; 3]));
        let grey = Grey::of(&image, 2);
        let expected = [30.0, 200.0, 30.0, 200.0];
        assert!(grey.values.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-3), "{:?}", grey.values);
        // Colours are grey values of their own, and make the grey value together.
        let image = RgbImage::from_fn(5, 3, |x, y| Rgb([40 * x as u8, 80 * y as u8, 200]));
        let colours = Grey::colours_of(&image, 2);
        let red = Grey::of(&RgbImage::from_fn(5, 3, |x, _| Rgb([40 * x as u8; 3])), 2);
        assert!(colours[0].values.iter().zip(&red.values).all(|(a, b)| (a - b).abs() < 1e-3));
        let (mixed, grey) = (Grey::mixed(&colours), Grey::of(&image, 2));
        // The grey value of a pixel is a whole number.
        assert!(mixed.values.iter().zip(&grey.values).all(|(a, b)| (a - b).abs() < 1.0));
        // One pixel on many values.
        let grey = Grey::of(&RgbImage::from_pixel(1, 1, Rgb([7; 3])), 4);
        assert!(grey.values.iter().all(|value| (value - 7.0).abs() < 1e-3), "{:?}", grey.values);
    }

    #[test]
    fn a_window_is_found_to_a_fraction_of_a_pixel() {
        let bump = |x: f32, y: f32| 128.0 + 60.0 * (9.0 * x).sin() + 50.0 * (7.0 * y + 3.0 * x).cos();
        let picture = |[x, y, w, h]: Window| {
            let at = |i: usize, start: f32, length: f32| start + length * (i as f32 + 0.5) / THUMB as f32;
            let value = |i: usize| bump(at(i % THUMB, x, w), at(i / THUMB, y, h));
            Grey { side: THUMB, values: (0..THUMB * THUMB).map(value).collect() }
        };
        let truth = [0.07, 0.03, 0.86, 0.91];
        let found =
            align(&Pyramid::new(picture(WHOLE)), &Pyramid::new(picture(truth)), [0.05, 0.05, 0.9, 0.9], 0.5)
                .unwrap();
        assert!(found.window.iter().zip(truth).all(|(a, b)| (a - b).abs() < 0.004), "{found:?}");
        assert!(found.worst_block() < 1.0, "{}", found.worst_block());
    }

    #[test]
    fn a_description_ignores_brightness_and_contrast() {
        let describer = Describer::new(windows());
        assert_eq!(describer.windows().len(), 31);
        // Slow waves, far above the contrast below which nothing is made up for.
        let value = |i: usize| {
            128.0 + 60.0 * ((i % THUMB) as f32 / 9.0).sin() + 40.0 * ((i / THUMB) as f32 / 7.0).cos()
        };
        let grey = Grey { side: THUMB, values: (0..THUMB * THUMB).map(value).collect() };
        let darker = Grey { side: THUMB, values: grey.values.iter().map(|v| 0.5 * v + 9.0).collect() };
        for (a, b) in describer.describe(&grey).iter().zip(&describer.describe(&darker)) {
            assert!(distance(a, b) < 1e-6);
            assert!((dot(a, a) - 1.0).abs() < 1e-4);
        }
    }
}
