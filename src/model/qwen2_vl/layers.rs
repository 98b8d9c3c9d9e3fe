//! The layers that both towers are made of; each loads itself from the tensors of a checkpoint by name.

use burn::tensor::{
    Device, Int, Tensor, TensorData,
    activation::{sigmoid, softmax},
};

use super::{
    super::weights::{Source, WeightError},
    fused,
};

/// Walks over every parameter of a model, by the name it has in the checkpoint.
pub trait Visitor {
    /// A parameter of rank 1.
    fn vector(&mut self, name: &str, value: &mut Tensor<1>);
    /// A parameter of rank 2, or one of higher rank flattened to `[out, in]`.
    fn matrix(&mut self, name: &str, value: &mut Tensor<2>);
}

/// `y = x Wᵀ + b`, with `W` as the file has it: `[out, in]`.
#[derive(Clone, Debug)]
pub(crate) struct Linear {
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
}

impl Linear {
    pub(crate) fn load(
        source: &mut dyn Source,
        path: &str,
        [out, inner]: [usize; 2],
        bias: bool,
        device: &Device,
    ) -> Result<Self, WeightError> {
        let weight = matrix(source, &format!("{path}.weight"), &[out, inner], device)?;
        let bias = bias.then(|| vector(source, &format!("{path}.bias"), out, device)).transpose()?;
        Ok(Self { weight, bias })
    }

    /// `[n, in]` to `[n, out]`.
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        if fused::on(&x) {
            return fused::linear(x, self.weight.clone(), self.bias.clone());
        }
        self.composed(x)
    }

    fn composed(&self, x: Tensor<2>) -> Tensor<2> {
        let y = x.matmul(self.weight.clone().transpose());
        match &self.bias {
            Some(bias) => y + bias.clone().unsqueeze(),
            None => y,
        }
    }

    pub(crate) fn visit(&mut self, path: &str, visitor: &mut dyn Visitor) {
        visitor.matrix(&format!("{path}.weight"), &mut self.weight);
        if let Some(bias) = &mut self.bias {
            visitor.vector(&format!("{path}.bias"), bias);
        }
    }
}

/// `x Wᵀ` of `[n, in]` and `[out, in]`.
pub(crate) fn project(x: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
    if fused::on(&x) { fused::linear(x, weight, None) } else { x.matmul(weight.transpose()) }
}

/// Layer normalisation with scale and shift.
#[derive(Clone, Debug)]
pub(crate) struct LayerNorm {
    weight: Tensor<1>,
    bias: Tensor<1>,
}

/// The reference fixes it; the config has no key for it.
const LAYER_NORM_EPSILON: f64 = 1e-6;

impl LayerNorm {
    pub(crate) fn load(
        source: &mut dyn Source,
        path: &str,
        size: usize,
        device: &Device,
    ) -> Result<Self, WeightError> {
        Ok(Self {
            weight: vector(source, &format!("{path}.weight"), size, device)?,
            bias: vector(source, &format!("{path}.bias"), size, device)?,
        })
    }

    /// `[n, size]` to the same.
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let centred = x.clone() - x.mean_dim(1);
        let variance = (centred.clone() * centred.clone()).mean_dim(1);
        let scale = (variance + LAYER_NORM_EPSILON).sqrt().recip();
        centred * scale * self.weight.clone().unsqueeze() + self.bias.clone().unsqueeze()
    }

    pub(crate) fn visit(&mut self, path: &str, visitor: &mut dyn Visitor) {
        visitor.vector(&format!("{path}.weight"), &mut self.weight);
        visitor.vector(&format!("{path}.bias"), &mut self.bias);
    }
}

/// Root-mean-square normalisation.
#[derive(Clone, Debug)]
pub(crate) struct RmsNorm {
    weight: Tensor<1>,
    epsilon: f64,
}

impl RmsNorm {
    pub(crate) fn load(
        source: &mut dyn Source,
        path: &str,
        size: usize,
        epsilon: f64,
        device: &Device,
    ) -> Result<Self, WeightError> {
        Ok(Self { weight: vector(source, &format!("{path}.weight"), size, device)?, epsilon })
    }

    /// `[n, size]` to the same.
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        if fused::on(&x) {
            return fused::rms_norm(x, self.weight.clone(), self.epsilon);
        }
        self.composed(x)
    }

    fn composed(&self, x: Tensor<2>) -> Tensor<2> {
        let scale = ((x.clone() * x.clone()).mean_dim(1) + self.epsilon).sqrt().recip();
        x * scale * self.weight.clone().unsqueeze()
    }

    pub(crate) fn visit(&mut self, path: &str, visitor: &mut dyn Visitor) {
        visitor.vector(&format!("{path}.weight"), &mut self.weight);
    }
}

/// Cosines and sines of rotary positions, each `[n, 1, head_dim]`.
#[derive(Clone, Debug)]
pub(crate) struct Rotary {
    key: [Tensor<3>; 2],
    /// Those of queries carry the attention's `1 / √head_dim`.
    query: [Tensor<3>; 2],
    /// `x · turn` is the reference's `rotate_half(x)`. As a product it costs a quarter of cutting and joining halves.
    turn: Tensor<2>,
}

impl Rotary {
    /// From `n * half` angles.
    pub(crate) fn new(angles: &[f32], half: usize, device: &Device) -> Self {
        let dim = 2 * half;
        let table = |f: fn(f32) -> f32, scale: f32| {
            let both = angles.chunks(half).flat_map(|row| row.iter().chain(row));
            let values: Vec<f32> = both.map(|a| scale * f(*a)).collect();
            Tensor::from_data(TensorData::new(values, [angles.len() / half, 1, dim]), device)
        };
        let scale = (dim as f32).sqrt().recip();
        let mut turn = vec![0.0; dim * dim];
        for j in 0..half {
            turn[(j + half) * dim + j] = -1.0;
            turn[j * dim + j + half] = 1.0;
        }
        Self {
            key: [table(f32::cos, 1.0), table(f32::sin, 1.0)],
            query: [table(f32::cos, scale), table(f32::sin, scale)],
            turn: Tensor::from_data(TensorData::new(turn, [dim, dim]), device),
        }
    }

    /// Rotates keys, `[n, heads, head_dim]`; the halves of a head are the pairs.
    pub(crate) fn key(&self, x: Tensor<3>) -> Tensor<3> {
        self.apply(x, &self.key)
    }

    /// Rotates and scales queries, `[n, heads, head_dim]`.
    pub(crate) fn query(&self, x: Tensor<3>) -> Tensor<3> {
        self.apply(x, &self.query)
    }

    fn apply(&self, x: Tensor<3>, angles: &[Tensor<3>; 2]) -> Tensor<3> {
        if fused::on(&x) {
            let [cos, sin] = angles.clone();
            return fused::rotate(x, cos, sin);
        }
        self.composed(x, angles)
    }

    fn composed(&self, x: Tensor<3>, [cos, sin]: &[Tensor<3>; 2]) -> Tensor<3> {
        let [n, heads, dim] = x.dims();
        let turned = x.clone().reshape([n * heads, dim]).matmul(self.turn.clone()).reshape([n, heads, dim]);
        x * cos.clone() + turned * sin.clone()
    }
}

/// `x · sigmoid(sharpness · x)`: SiLU at 1, the quick GELU of the vision tower at 1.702.
pub(crate) fn swish(x: Tensor<2>, sharpness: f64) -> Tensor<2> {
    let before = x.clone().inner();
    let gate = sigmoid(if sharpness == 1.0 { before.clone() } else { before.clone() * sharpness });
    let value = before.clone() * gate.clone();
    if !x.is_tracked() {
        return value;
    }
    // A graph through the sigmoid would compute it again on the way back; the slope is at hand here.
    let slope = (gate.clone() * -sharpness + sharpness) * value.clone() + gate;
    (x - before) * slope + value
}

/// `silu(gate) · up`.
pub(crate) fn swiglu(gate: Tensor<2>, up: Tensor<2>) -> Tensor<2> {
    if fused::on(&gate) { fused::swiglu(gate, up) } else { swish(gate, 1.0) * up }
}

/// Log-probabilities, in nats, of `targets` (`[n, 1]`) under the softmax of `logits` (`[n, vocab]`): `[n, 1]`.
///
/// The same as `log_softmax(logits, 1).gather(1, targets)` up to rounding, for the cost of a fused softmax.
pub fn log_probabilities(logits: Tensor<2>, targets: Tensor<2, Int>) -> Tensor<2> {
    if fused::on(&logits) {
        return fused::log_probabilities(logits, targets);
    }
    composed_log_probabilities(logits, targets)
}

fn composed_log_probabilities(logits: Tensor<2>, targets: Tensor<2, Int>) -> Tensor<2> {
    let before = logits.clone().inner();
    let probabilities = softmax(before.clone(), 1);
    // ln Σ exp, from the most likely token: its probability is at least 1 / vocab, so the logarithm is safe.
    let normalizer = before.max_dim(1) - probabilities.clone().max_dim(1).log();
    let target = logits.clone().gather(1, targets);
    if !logits.is_tracked() {
        return target - normalizer;
    }
    // The gradient of ln Σ exp is the probabilities: a product with them has it, and needs no graph of exponentials.
    let mean = (logits * probabilities).sum_dim(1);
    let value = mean.clone().inner();
    target - (mean - value) - normalizer
}

/// Keys and values that a block of queries sees.
pub(crate) struct Seen {
    /// `[n, rows, keys, dim]`, or `[n, 1, keys, dim]` where all rows share them.
    pub(crate) key: Tensor<4>,
    /// As `key`.
    pub(crate) value: Tensor<4>,
    /// Added to the scores; any shape that broadcasts to `[n, rows, queries, keys]`.
    pub(crate) bias: Option<Tensor<4>>,
}

/// Softmax attention of `[n, rows, queries, dim]`, already scaled, over all keys of all parts together.
pub(crate) fn attend(query: Tensor<4>, parts: Vec<Seen>) -> Tensor<4> {
    if !fused::on(&query) {
        return composed_attend(query, parts);
    }
    let none = || Tensor::zeros([1; 4], &query.device().inner());
    let mut parts = parts.into_iter().map(|part| [part.key, part.value, part.bias.unwrap_or_else(none)]);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(first), Some(second), None) => fused::attend_two(query, [first, second]),
        (Some(first), None, _) => fused::attend(query, [first]),
        _ => unreachable!("a block sees its own tokens, and a prompt at most"),
    }
}

fn composed_attend(query: Tensor<4>, parts: Vec<Seen>) -> Tensor<4> {
    let scores: Vec<Tensor<4>> =
        parts.iter().map(|part| multiply(query.clone(), part.key.clone().swap_dims(2, 3))).collect();
    let tracked = query.is_tracked();
    let biased = scores.iter().zip(&parts).map(|(scores, part)| match &part.bias {
        Some(bias) => scores.clone().inner() + bias.clone().inner(),
        None => scores.clone().inner(),
    });
    let mut biased: Vec<Tensor<4>> = biased.collect();
    let all = if biased.len() == 1 { biased.remove(0) } else { Tensor::cat(biased, 3) };
    let mut weights = Vec::with_capacity(parts.len());
    let mut at = 0;
    let softmax = softmax(all, 3);
    for scores in &scores {
        let keys = scores.dims()[3];
        weights.push(softmax.clone().narrow(3, at, keys));
        at += keys;
    }
    drop(softmax);
    let sum = |each: Vec<Tensor<4>>| each.into_iter().reduce(|a, b| a + b).expect("there is a part");
    if !tracked {
        return sum(weights.into_iter().zip(parts).map(|(w, part)| multiply(w, part.value)).collect());
    }
    // The weights are p · exp(s - s₀) / Σ p · exp(s - s₀), and at s = s₀ only the first order matters to a gradient. So
    // the softmax itself, fused in the backend, needs no graph; one of its own would take each exponential twice.
    let (mut outputs, mut excess) = (Vec::new(), Vec::new());
    for ((scores, weights), part) in scores.into_iter().zip(weights).zip(parts) {
        let before = scores.clone().inner();
        let change = (scores - before) * weights.clone();
        excess.push(change.clone().sum_dim(3));
        outputs.push(multiply(change + weights, part.value));
    }
    let output = sum(outputs);
    let value = output.clone().inner();
    output - sum(excess) * value
}

/// `[n, rows, a, b]` by `[n, rows or 1, b, c]`; what the rows share is multiplied once for all of them.
fn multiply(x: Tensor<4>, y: Tensor<4>) -> Tensor<4> {
    let [n, rows, a, b] = x.dims();
    if rows == 1 || y.dims()[1] == rows {
        return x.matmul(y);
    }
    let c = y.dims()[3];
    x.reshape([n, 1, rows * a, b]).matmul(y).reshape([n, rows, a, c])
}

pub(crate) fn vector(
    source: &mut dyn Source,
    name: &str,
    size: usize,
    device: &Device,
) -> Result<Tensor<1>, WeightError> {
    Ok(Tensor::from_data(TensorData::new(source.take(name, &[size])?, [size]), device))
}

/// A parameter of any rank, flattened to `[first, rest]`.
pub(crate) fn matrix(
    source: &mut dyn Source,
    name: &str,
    shape: &[usize],
    device: &Device,
) -> Result<Tensor<2>, WeightError> {
    let rest = shape[1..].iter().product::<usize>();
    Ok(Tensor::from_data(TensorData::new(source.take(name, shape)?, [shape[0], rest]), device))
}

/// Indices as a tensor.
pub(crate) fn indices(values: impl IntoIterator<Item = usize>, device: &Device) -> Tensor<1, Int> {
    let values: Vec<i64> = values.into_iter().map(|v| v as i64).collect();
    let n = values.len();
    Tensor::from_data(TensorData::new(values, [n]), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values and gradients of `f` at `inputs`, weighted so that every element counts differently.
    fn with_gradients<const D: usize>(
        inputs: &[Tensor<D>],
        f: impl Fn(&[Tensor<D>]) -> Tensor<D>,
    ) -> Vec<Vec<f32>> {
        let host = |x: Tensor<D>| x.into_data().try_into_vec::<f32>().unwrap();
        let tracked: Vec<Tensor<D>> = inputs.iter().map(|x| x.clone().autodiff().require_grad()).collect();
        let y = f(&tracked);
        let values = host(y.clone().inner());
        let untracked = host(f(inputs));
        near(&untracked, &values);
        let weights: Vec<f32> = (0..values.len()).map(|i| ((i * 37 % 11) as f32 - 4.0) / 5.0).collect();
        let weights = Tensor::<D>::from_data(TensorData::new(weights, y.dims()), &inputs[0].device());
        let tape = (y * weights).sum().backward();
        let mut all = vec![values];
        all.extend(tracked.iter().map(|x| host(x.grad(&tape).expect("every input has a gradient"))));
        all
    }

    fn near(got: &[f32], expected: &[f32]) {
        assert_eq!(got.len(), expected.len());
        for (a, b) in got.iter().zip(expected) {
            assert!((a - b).abs() <= 2e-5 * b.abs().max(1.0), "{a} {b}");
        }
    }

    fn check<const D: usize>(
        inputs: &[Tensor<D>],
        fused: impl Fn(&[Tensor<D>]) -> Tensor<D>,
        composed: impl Fn(&[Tensor<D>]) -> Tensor<D>,
    ) {
        let (got, expected) = (with_gradients(inputs, fused), with_gradients(inputs, composed));
        for (got, expected) in got.iter().zip(&expected) {
            near(got, expected);
        }
    }

    /// Numbers that differ from each other, about as large as activations.
    fn numbers<const D: usize>(dims: [usize; D], salt: usize) -> Tensor<D> {
        let n: usize = dims.iter().product();
        let values: Vec<f32> = (0..n).map(|i| (((i + salt) * 7919 % 1009) as f32 / 250.0) - 2.0).collect();
        Tensor::from_data(TensorData::new(values, dims), &Device::flex())
    }

    #[test]
    fn linear_layers_and_their_gradients_are_those_of_tensor_operations() {
        for biased in [false, true] {
            let layer = |tracked: bool| {
                let of = |x: Tensor<2>| if tracked { x.autodiff().require_grad() } else { x };
                let bias = numbers([3], 8);
                let bias = if tracked { bias.autodiff().require_grad() } else { bias };
                Linear { weight: of(numbers([3, 17], 7)), bias: biased.then_some(bias) }
            };
            let (plain, x) = (layer(false), numbers([9, 17], 1));
            check(
                std::slice::from_ref(&x),
                |x| plain.forward(x[0].clone()),
                |x| plain.composed(x[0].clone()),
            );
            let of = |f: &dyn Fn(&Linear, Tensor<2>) -> Tensor<2>| {
                let layer = layer(true);
                let tape = (f(&layer, x.clone()) * numbers([9, 3], 9)).sum().backward();
                let weight = layer.weight.grad(&tape).unwrap().into_data();
                let bias = layer.bias.map(|b| b.grad(&tape).unwrap().into_data());
                let host = |x: TensorData| x.try_into_vec::<f32>().unwrap();
                [host(weight), bias.map(host).unwrap_or_default()].concat()
            };
            near(&of(&Linear::forward), &of(&Linear::composed));
        }
    }

    #[test]
    fn one_pass_norms_are_those_of_tensor_operations() {
        let norm = RmsNorm { weight: numbers([21], 5), epsilon: 1e-6 };
        check(&[numbers([7, 21], 1)], |x| norm.forward(x[0].clone()), |x| norm.composed(x[0].clone()));
        // The weight's own gradient.
        let of = |f: &dyn Fn(&RmsNorm, Tensor<2>) -> Tensor<2>| {
            let norm = RmsNorm { weight: numbers([21], 5).autodiff().require_grad(), epsilon: 1e-6 };
            let y = f(&norm, numbers([7, 21], 1));
            let tape = (y * numbers([7, 21], 9)).sum().backward();
            norm.weight.grad(&tape).unwrap().into_data().try_into_vec::<f32>().unwrap()
        };
        near(&of(&RmsNorm::forward), &of(&RmsNorm::composed));
    }

    #[test]
    fn one_pass_gates_are_those_of_tensor_operations() {
        let wide = |x: Tensor<2>| x * 20.0;
        let inputs = [wide(numbers([5, 19], 3)), numbers([5, 19], 4)];
        let composed = |x: &[Tensor<2>]| swish(x[0].clone(), 1.0) * x[1].clone();
        check(&inputs, |x| swiglu(x[0].clone(), x[1].clone()), composed);
    }

    #[test]
    fn one_pass_turns_are_those_of_tensor_operations() {
        let angles: Vec<f32> = (0..4 * 6).map(|i| i as f32 * 0.3).collect();
        let rotary = Rotary::new(&angles, 6, &Device::flex());
        check(
            &[numbers([4, 3, 12], 2)],
            |x| rotary.query(x[0].clone()),
            |x| rotary.composed(x[0].clone(), &rotary.query),
        );
    }

    #[test]
    fn one_pass_attention_is_that_of_tensor_operations() {
        let (n, rows, queries, own, shared, dim) = (2, 3, 5, 5, 7, 4);
        let query = numbers([n, rows, queries, dim], 1);
        let [key, value] = [2, 3].map(|salt| numbers([n, rows, own, dim], salt));
        let [key_2, value_2] = [4, 5].map(|salt| numbers([n, 1, shared, dim], salt));
        let hide = |dims: [usize; 4], hidden: &dyn Fn(usize) -> bool| {
            let values = (0..dims.iter().product()).map(|i| if hidden(i) { -1e9 } else { 0.0 });
            Tensor::<4>::from_data(TensorData::new(values.collect::<Vec<f32>>(), dims), &Device::flex())
        };
        let causal = hide([1, 1, queries, own], &|i| i % own > i / own);
        let padding = hide([n, 1, 1, shared], &|i| i == 3 || i > 9);
        let parts = |x: &[Tensor<4>], biases: [Option<Tensor<4>>; 2]| -> Vec<Seen> {
            let pairs = x[1..].chunks(2).zip(biases);
            pairs.map(|(x, bias)| Seen { key: x[0].clone(), value: x[1].clone(), bias }).collect()
        };
        let inputs = [query, key, value, key_2, value_2];
        for biases in [[Some(causal.clone()), Some(padding)], [Some(causal), None]] {
            check(
                &inputs,
                |x| attend(x[0].clone(), parts(x, biases.clone())),
                |x| composed_attend(x[0].clone(), parts(x, biases.clone())),
            );
            check(
                &inputs[..3],
                |x| attend(x[0].clone(), parts(x, biases.clone())),
                |x| composed_attend(x[0].clone(), parts(x, biases.clone())),
            );
        }
    }

    #[test]
    fn one_pass_log_probabilities_are_those_of_tensor_operations() {
        let targets = Tensor::<2, Int>::from_data([[0], [32], [7]], &Device::flex());
        check(
            &[numbers([3, 33], 6) * 10.0],
            |x| log_probabilities(x[0].clone(), targets.clone()),
            |x| composed_log_probabilities(x[0].clone(), targets.clone()),
        );
    }
}
