//! Loops over rows of numbers that make one pass where tensor operations make several. Compiled once per instruction set,
//! of which one is chosen when the program runs; each gives the same bits, because sums have a fixed number of partial sums.
//! What a loop calls must be inlined into it: a function of its own would be compiled for the oldest processor.

#![expect(clippy::inline_always, reason = "what a loop calls is compiled with it")]
#![expect(clippy::extra_unused_type_parameters, reason = "the macro's name for an instruction set")]
#![expect(clippy::elidable_lifetime_names, reason = "the macro elides none but those of references")]

use macerator::Simd;

/// Partial sums of a row: as many as the widest registers hold.
const LANES: usize = 16;

/// `e^x` to 2 units in the last place, 0 below -87: the polynomial of Cephes' `expf`.
#[inline(always)]
fn exp(x: f32) -> f32 {
    // Added and taken away again, it leaves the nearest whole number, which then stands in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let bounded = x.clamp(-87.0, 88.0);
    let shifted = bounded * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = bounded - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_2e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let value = p * r * r + r + 1.0;
    let power = (shifted.to_bits() << 23).wrapping_add(1.0_f32.to_bits());
    if x < -87.0 { 0.0 } else { value * f32::from_bits(power) }
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Σ term(x) of a row.
#[inline(always)]
fn sum(row: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let chunks = row.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += term(*x);
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane += term(*x);
    }
    lanes.iter().sum()
}

/// Σ a·b of two rows.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let (a_rest, b_rest) = (a_chunks.remainder(), b_chunks.remainder());
    for (a, b) in a_chunks.zip(b_chunks) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    for (lane, (a, b)) in lanes.iter_mut().zip(a_rest.iter().zip(b_rest)) {
        *lane += a * b;
    }
    lanes.iter().sum()
}

#[inline(always)]
fn max(row: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for chunk in row.chunks(LANES) {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane = if *x > *lane { *x } else { *lane };
        }
    }
    lanes.into_iter().fold(f32::NEG_INFINITY, f32::max)
}

/// Adds `row` to every row.
#[macerator::with_simd]
pub(super) fn add_to_rows<S: Simd>(y: &mut [f32], row: &[f32]) {
    for y in y.chunks_exact_mut(row.len()) {
        for (y, x) in y.iter_mut().zip(row) {
            *y += x;
        }
    }
}

/// The sum of all rows of `size` numbers.
#[macerator::with_simd]
pub(super) fn sum_of_rows<S: Simd>(x: &[f32], size: usize) -> Vec<f32> {
    let mut sum = vec![0.0; size];
    for row in x.chunks_exact(size) {
        for (sum, x) in sum.iter_mut().zip(row) {
            *sum += x;
        }
    }
    sum
}

/// `x / rms(x) · weight` of rows as long as `weight`; also gives each row's `1 / rms`.
#[macerator::with_simd]
pub(super) fn rms_norm<S: Simd>(x: &[f32], weight: &[f32], epsilon: f32) -> (Vec<f32>, Vec<f32>) {
    let size = weight.len();
    let mut y = vec![0.0; x.len()];
    let mut scales = Vec::with_capacity(x.len() / size);
    for (x, y) in x.chunks_exact(size).zip(y.chunks_exact_mut(size)) {
        let scale = (sum(x, |x| x * x) / size as f32 + epsilon).sqrt().recip();
        scales.push(scale);
        for ((y, x), weight) in y.iter_mut().zip(x).zip(weight) {
            *y = x * scale * weight;
        }
    }
    (y, scales)
}

/// The gradients of `x` and of `weight`.
#[macerator::with_simd]
pub(super) fn rms_norm_backward<S: Simd>(
    x: &[f32],
    weight: &[f32],
    scales: &[f32],
    gradient: &[f32],
) -> (Vec<f32>, Vec<f32>) {
    let size = weight.len();
    let (mut of_x, mut of_weight) = (vec![0.0; x.len()], vec![0.0; size]);
    let mut weighted = vec![0.0; size];
    let rows = x.chunks_exact(size).zip(gradient.chunks_exact(size));
    for (((x, g), of_x), scale) in rows.zip(of_x.chunks_exact_mut(size)).zip(scales) {
        for ((weighted, g), weight) in weighted.iter_mut().zip(g).zip(weight) {
            *weighted = g * weight;
        }
        let along = dot(&weighted, x) * scale * scale * scale / size as f32;
        for ((of_x, weighted), x) in of_x.iter_mut().zip(&weighted).zip(x) {
            *of_x = weighted * scale - x * along;
        }
        for ((of_weight, g), x) in of_weight.iter_mut().zip(g).zip(x) {
            *of_weight += g * x * scale;
        }
    }
    (of_x, of_weight)
}

/// `silu(gate) · up`.
#[macerator::with_simd]
pub(super) fn swiglu<S: Simd>(gate: &[f32], up: &[f32]) -> Vec<f32> {
    let mut y = vec![0.0; gate.len()];
    for ((y, gate), up) in y.iter_mut().zip(gate).zip(up) {
        *y = gate * sigmoid(*gate) * up;
    }
    y
}

/// The gradients of `gate` and of `up`.
#[macerator::with_simd]
pub(super) fn swiglu_backward<S: Simd>(gate: &[f32], up: &[f32], gradient: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let (mut of_gate, mut of_up) = (vec![0.0; gate.len()], vec![0.0; gate.len()]);
    let inputs = gate.iter().zip(up).zip(gradient);
    for ((of_gate, of_up), ((gate, up), g)) in of_gate.iter_mut().zip(&mut of_up).zip(inputs) {
        let s = sigmoid(*gate);
        *of_gate = g * up * s * (1.0 + gate * (1.0 - s));
        *of_up = g * gate * s;
    }
    (of_gate, of_up)
}

/// Which way [`rotate`] turns.
#[derive(Clone, Copy)]
pub(super) enum Turn {
    Forth,
    /// The transpose of forth: what the gradient takes.
    Back,
}

/// Turns the halves of each head against each other: `heads` heads in a row share the angles of their row, whose cosines and
/// sines are given twice over, `[n, 2 · half]`.
#[macerator::with_simd]
pub(super) fn rotate<S: Simd>(
    x: &[f32],
    cos: &[f32],
    sin: &[f32],
    heads: usize,
    dim: usize,
    turn: Turn,
) -> Vec<f32> {
    let half = dim / 2;
    let mut y = vec![0.0; x.len()];
    let sign = match turn {
        Turn::Forth => 1.0,
        Turn::Back => -1.0,
    };
    let angles = cos.chunks_exact(dim).zip(sin.chunks_exact(dim));
    let rows = x.chunks_exact(heads * dim).zip(y.chunks_exact_mut(heads * dim));
    for ((x, y), (cos, sin)) in rows.zip(angles) {
        let (cos, sin) = (&cos[..half], &sin[..half]);
        for (x, y) in x.chunks_exact(dim).zip(y.chunks_exact_mut(dim)) {
            let (first, second) = x.split_at(half);
            let (y_first, y_second) = y.split_at_mut(half);
            let inputs = first.iter().zip(second).zip(cos.iter().zip(sin));
            for ((y_first, y_second), ((a, b), (cos, sin))) in y_first.iter_mut().zip(y_second).zip(inputs) {
                let sin = sign * sin;
                *y_first = a * cos - b * sin;
                *y_second = b * cos + a * sin;
            }
        }
    }
    y
}

/// Log-probabilities of one target per row of `vocab` logits, and each row's `ln Σ exp`.
#[macerator::with_simd]
pub(super) fn log_probabilities<S: Simd>(
    logits: &[f32],
    targets: &[usize],
    vocab: usize,
) -> (Vec<f32>, Vec<f32>) {
    let mut normalizers = Vec::with_capacity(targets.len());
    for row in logits.chunks_exact(vocab) {
        let top = max(row);
        normalizers.push(top + sum(row, |x| exp(x - top)).ln());
    }
    let rows = logits.chunks_exact(vocab).zip(targets).zip(&normalizers);
    (rows.map(|((row, target), normalizer)| row[*target] - normalizer).collect(), normalizers)
}

/// The gradient of the logits: the target's place has `g · (1 - p)`, the others `-g · p`.
#[macerator::with_simd]
pub(super) fn log_probabilities_backward<S: Simd>(
    logits: &[f32],
    targets: &[usize],
    normalizers: &[f32],
    gradient: &[f32],
    vocab: usize,
) -> Vec<f32> {
    let mut of_logits = vec![0.0; logits.len()];
    let rows = of_logits.chunks_exact_mut(vocab).zip(logits.chunks_exact(vocab));
    for (((of_row, row), target), (normalizer, g)) in rows.zip(targets).zip(normalizers.iter().zip(gradient))
    {
        for (of, x) in of_row.iter_mut().zip(row) {
            *of = -g * exp(x - normalizer);
        }
        of_row[*target] += g;
    }
    of_logits
}

/// A block of scores `[n, rows, queries, keys]` and what is added to them, which broadcasts to it.
pub(super) struct Scores<'a> {
    pub(super) values: &'a mut [f32],
    pub(super) keys: usize,
    pub(super) bias: Bias<'a>,
}

/// Values that broadcast along the dimensions where they have one entry.
#[derive(Clone, Copy)]
pub(super) struct Bias<'a> {
    pub(super) values: &'a [f32],
    pub(super) dims: [usize; 4],
}

impl Bias<'_> {
    /// Its row for a place; a row of one value stands for all keys.
    #[inline(always)]
    fn row(&self, [n, row, query]: [usize; 3]) -> &[f32] {
        let [ns, rows, queries, keys] = self.dims;
        let at = |i: usize, len: usize| if len == 1 { 0 } else { i };
        let start = ((at(n, ns) * rows + at(row, rows)) * queries + at(query, queries)) * keys;
        &self.values[start..start + keys]
    }
}

/// Softmax over the keys of all parts together, in place; the dimensions they share are `[n, rows, queries]`.
#[macerator::with_simd]
pub(super) fn softmax<'a, S: Simd>(parts: &mut [Scores<'a>], shared: [usize; 3]) {
    let [n, rows, queries] = shared;
    for at in 0..n * rows * queries {
        let place = [at / (rows * queries), at / queries % rows, at % queries];
        let mut top = f32::NEG_INFINITY;
        for part in parts.iter_mut() {
            let scores = &mut part.values[at * part.keys..(at + 1) * part.keys];
            let bias = part.bias.row(place);
            if bias.len() == scores.len() {
                for (score, bias) in scores.iter_mut().zip(bias) {
                    *score += bias;
                }
            } else {
                let bias = bias[0];
                for score in scores.iter_mut() {
                    *score += bias;
                }
            }
            top = top.max(max(scores));
        }
        let mut total = 0.0;
        for part in parts.iter_mut() {
            let scores = &mut part.values[at * part.keys..(at + 1) * part.keys];
            for score in scores.iter_mut() {
                *score = exp(*score - top);
            }
            total += sum(scores, |x| x);
        }
        let scale = 1.0 / total;
        for part in parts.iter_mut() {
            for score in &mut part.values[at * part.keys..(at + 1) * part.keys] {
                *score *= scale;
            }
        }
    }
}

/// `Σ a·b` of each row of `size` numbers.
#[macerator::with_simd]
pub(super) fn row_dots<S: Simd>(a: &[f32], b: &[f32], size: usize) -> Vec<f32> {
    let mut dots = Vec::with_capacity(a.len() / size);
    for (a, b) in a.chunks_exact(size).zip(b.chunks_exact(size)) {
        dots.push(dot(a, b));
    }
    dots
}

/// The softmax's gradient in place of that of its weights: `weight · (gradient - mean)`, with a mean for each row of `keys`.
#[macerator::with_simd]
pub(super) fn softmax_backward<S: Simd>(gradient: &mut [f32], weights: &[f32], means: &[f32], keys: usize) {
    let rows = gradient.chunks_exact_mut(keys).zip(weights.chunks_exact(keys));
    for ((gradient, weights), mean) in rows.zip(means) {
        for (g, weight) in gradient.iter_mut().zip(weights) {
            *g = weight * (*g - mean);
        }
    }
}

/// `e^((x - top) / temperature)` of all logits, and their sum.
#[macerator::with_simd]
pub(in super::super) fn exponentials<S: Simd>(logits: &[f32], top: f32, temperature: f32) -> (Vec<f32>, f32) {
    let mut each = vec![0.0; logits.len()];
    for (each, x) in each.iter_mut().zip(logits) {
        *each = exp((x - top) / temperature);
    }
    let total = sum(&each, |x| x);
    (each, total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_near_those_of_the_library() {
        for i in -88_000..88_000 {
            let x = i as f32 / 1000.0;
            let (got, expected) = (exp(x), f64::from(x).exp());
            let near = (f64::from(got) - expected).abs() <= 3e-7 * expected;
            assert!(near || (x < -87.0 && got == 0.0), "{x}: {got} {expected}");
        }
        assert_eq!(exp(-1e9), 0.0);
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn rows_that_fill_no_register_are_summed_whole() {
        for n in [1, 2, 15, 16, 17, 33] {
            let row: Vec<f32> = (1..=n).map(|i| i as f32).collect();
            assert_eq!(sum(&row, |x| x), (n * (n + 1) / 2) as f32);
            assert_eq!(dot(&row, &row), (n * (n + 1) * (2 * n + 1) / 6) as f32);
            assert_eq!(max(&row), n as f32);
        }
    }
}
