//! The decoder's operations as one step each on the processor, with gradients written by hand: a backend extension of
//! burn's Flex backend. `layers` says what each computes, in tensor operations that every backend has.

use burn::{
    backend::{
        Autodiff, Backend, Dispatch, DispatchDevice, Flex, TensorMetadata as _,
        autodiff::{
            NodeId,
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, NodeGuard, Ops, OpsKind},
        },
        backend_extension,
        ops::FloatTensorOps as _,
        tensor::{FloatTensor, IntTensor},
    },
    tensor::{Int, Tensor, TensorData},
};

use super::kernels::{self, Bias, Scores, Turn};

/// What [`Backend`] lacks. Shapes are those of the functions below.
#[backend_extension(Flex, Autodiff)]
trait Fused: Backend {
    fn linear(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;
    fn linear_biased(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
    fn rms_norm(x: FloatTensor<Self>, weight: FloatTensor<Self>, epsilon: f32) -> FloatTensor<Self>;
    fn swiglu(gate: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self>;
    fn rotate(x: FloatTensor<Self>, cos: FloatTensor<Self>, sin: FloatTensor<Self>) -> FloatTensor<Self>;
    fn log_probabilities(logits: FloatTensor<Self>, targets: IntTensor<Self>) -> FloatTensor<Self>;
    fn attend(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
    fn attend_two(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        key_2: FloatTensor<Self>,
        value_2: FloatTensor<Self>,
        bias_2: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

/// Whether tensors of this device can be given to the functions below.
pub(super) fn on<const D: usize>(x: &Tensor<D>) -> bool {
    matches!(x.device().inner().as_dispatch(), DispatchDevice::Flex(_))
}

/// `x Wᵀ + b` of `[n, in]`, `[out, in]` and `[out]`. The gradient of `W` has the layout of `W`: through a transposed view it would
/// be one itself, and every sum over it and step with it slower.
pub(super) fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(match bias {
        Some(bias) => <Dispatch as Fused>::linear_biased(x, weight, bias.into_dispatch()),
        None => <Dispatch as Fused>::linear(x, weight),
    })
}

/// `[n, size]`, `[size]`.
pub(super) fn rms_norm(x: Tensor<2>, weight: Tensor<1>, epsilon: f64) -> Tensor<2> {
    let y = <Dispatch as Fused>::rms_norm(x.into_dispatch(), weight.into_dispatch(), epsilon as f32);
    Tensor::from_dispatch(y)
}

/// Both `[n, size]`.
pub(super) fn swiglu(gate: Tensor<2>, up: Tensor<2>) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as Fused>::swiglu(gate.into_dispatch(), up.into_dispatch()))
}

/// `x`: `[n, heads, dim]`; the angles: `[n, 1, dim]`, without gradients.
pub(super) fn rotate(x: Tensor<3>, cos: Tensor<3>, sin: Tensor<3>) -> Tensor<3> {
    let y = <Dispatch as Fused>::rotate(x.into_dispatch(), cos.into_dispatch(), sin.into_dispatch());
    Tensor::from_dispatch(y)
}

/// `[n, vocab]` and `[n, 1]` to `[n, 1]`.
pub(super) fn log_probabilities(logits: Tensor<2>, targets: Tensor<2, Int>) -> Tensor<2> {
    let logp = <Dispatch as Fused>::log_probabilities(logits.into_dispatch(), targets.into_dispatch());
    Tensor::from_dispatch(logp)
}

/// Attention to one block of keys, or to two. Query `[n, rows, queries, dim]`; keys and values `[n, rows or 1, keys, dim]`; biases
/// without gradients, broadcast to `[n, rows, queries, keys]`.
pub(super) fn attend(query: Tensor<4>, parts: [[Tensor<4>; 3]; 1]) -> Tensor<4> {
    let [[key, value, bias]] = parts.map(|part| part.map(Tensor::into_dispatch));
    Tensor::from_dispatch(<Dispatch as Fused>::attend(query.into_dispatch(), key, value, bias))
}

/// As [`attend`].
pub(super) fn attend_two(query: Tensor<4>, parts: [[Tensor<4>; 3]; 2]) -> Tensor<4> {
    let [[key, value, bias], [key_2, value_2, bias_2]] = parts.map(|part| part.map(Tensor::into_dispatch));
    Tensor::from_dispatch(<Dispatch as Fused>::attend_two(
        query.into_dispatch(),
        key,
        value,
        bias,
        key_2,
        value_2,
        bias_2,
    ))
}

type Float = FloatTensor<Flex>;

/// The numbers of a tensor in the order of its shape; `whole` of it must be contiguous.
fn slice(whole: &Float) -> &[f32] {
    whole.as_slice().expect("made contiguous before")
}

fn tensor(values: Vec<f32>, like: &Float) -> Float {
    Float::from_data(TensorData::new(values, like.shape()))
}

fn last(x: &Float) -> usize {
    let shape = x.shape();
    shape[shape.num_dims() - 1]
}

fn targets_of(targets: IntTensor<Flex>) -> Vec<usize> {
    let wide = targets.into_data().convert::<i64>();
    let values = wide.try_into_vec::<i64>().expect("converted to i64");
    values.into_iter().map(|target| target as usize).collect()
}

/// One block of keys, as the backward pass needs it.
#[derive(Clone, Debug)]
struct Part {
    key: Float,
    value: Float,
    /// Of the softmax, `[n, rows, queries, keys]`.
    weights: Float,
}

/// `[n, rows, a, b]` by `[n, rows or 1, b, c]`; what the rows share is multiplied once for all of them.
fn multiply(x: Float, y: Float) -> Float {
    let shape = x.shape();
    let (n, rows, a, b) = (shape[0], shape[1], shape[2], shape[3]);
    if rows == 1 || y.shape()[1] == rows {
        return Flex::float_matmul(x, y);
    }
    let c = last(&y);
    let all = Flex::float_matmul(x.reshape([n, 1, rows * a, b].into()), y);
    all.reshape([n, rows, a, c].into())
}

/// `xᵀ y` of `[n, rows, a, b]` and `[n, rows, a, c]`, summed over the rows where `shared` has one: `[n, rows or 1, b, c]`.
fn multiply_transposed(x: &Float, y: &Float, shared: &Float) -> Float {
    let merged = |x: &Float| {
        let shape = x.shape();
        if shared.shape()[1] == shape[1] {
            x.clone()
        } else {
            x.reshape([shape[0], 1, shape[1] * shape[2], shape[3]].into())
        }
    };
    Flex::float_matmul(merged(x).transpose(2, 3), merged(y))
}

fn attend_parts(query: &Float, parts: Vec<[Float; 3]>) -> (Float, Vec<Part>) {
    let shape = query.shape();
    let place = [shape[0], shape[1], shape[2]];
    let mut scores: Vec<Float> =
        parts.iter().map(|[key, ..]| multiply(query.clone(), key.transpose(2, 3)).to_contiguous()).collect();
    let biases: Vec<Float> = parts.iter().map(|[_, _, bias]| bias.to_contiguous()).collect();
    let mut blocks: Vec<Scores> = scores
        .iter_mut()
        .zip(&biases)
        .map(|(scores, bias)| {
            let (keys, dims) = (last(scores), bias.shape());
            let bias = Bias { values: slice(bias), dims: [dims[0], dims[1], dims[2], dims[3]] };
            Scores { values: scores.storage_mut(), keys, bias }
        })
        .collect();
    kernels::softmax(&mut blocks, place);
    let parts: Vec<Part> = parts
        .into_iter()
        .zip(scores)
        .map(|([key, value, _], weights)| Part { key, value, weights })
        .collect();
    let outputs = parts.iter().map(|part| multiply(part.weights.clone(), part.value.clone()));
    let output = outputs.reduce(Flex::float_add).expect("there is a part");
    (output, parts)
}

/// The gradients of the query, and of key and value of each part.
fn attend_backward(
    query: &Float,
    parts: &[Part],
    output: &Float,
    gradient: &Float,
) -> (Float, Vec<[Float; 2]>) {
    let gradient = gradient.to_contiguous();
    let means = kernels::row_dots(slice(&gradient), slice(&output.to_contiguous()), last(output));
    let mut of_query = None;
    let mut of_parts = Vec::with_capacity(parts.len());
    for part in parts {
        let mut of_scores = multiply(gradient.clone(), part.value.transpose(2, 3)).to_contiguous();
        let keys = last(&of_scores);
        kernels::softmax_backward(of_scores.storage_mut(), slice(&part.weights), &means, keys);
        let of_this = multiply(of_scores.clone(), part.key.clone());
        of_query = Some(match of_query.take() {
            Some(others) => Flex::float_add(others, of_this),
            None => of_this,
        });
        let of_key = multiply_transposed(&of_scores, query, &part.key);
        let of_value = multiply_transposed(&part.weights, &gradient, &part.value);
        of_parts.push([of_key, of_value]);
    }
    (of_query.expect("there is a part"), of_parts)
}

impl Fused for Flex {
    fn linear(x: Float, weight: Float) -> Float {
        Flex::float_matmul(x, weight.transpose(0, 1))
    }

    fn linear_biased(x: Float, weight: Float, bias: Float) -> Float {
        let mut y = Flex::float_matmul(x, weight.transpose(0, 1));
        kernels::add_to_rows(y.storage_mut(), slice(&bias.to_contiguous()));
        y
    }

    fn rms_norm(x: Float, weight: Float, epsilon: f32) -> Float {
        let (x, weight) = (x.to_contiguous(), weight.to_contiguous());
        tensor(kernels::rms_norm(slice(&x), slice(&weight), epsilon).0, &x)
    }

    fn swiglu(gate: Float, up: Float) -> Float {
        let (gate, up) = (gate.to_contiguous(), up.to_contiguous());
        tensor(kernels::swiglu(slice(&gate), slice(&up)), &gate)
    }

    fn rotate(x: Float, cos: Float, sin: Float) -> Float {
        turned(&x, &cos, &sin, Turn::Forth)
    }

    fn log_probabilities(logits: Float, targets: IntTensor<Self>) -> Float {
        let logits = logits.to_contiguous();
        let (logp, _) = kernels::log_probabilities(slice(&logits), &targets_of(targets), last(&logits));
        let n = logp.len();
        Float::from_data(TensorData::new(logp, [n, 1]))
    }

    fn attend(query: Float, key: Float, value: Float, bias: Float) -> Float {
        attend_parts(&query, vec![[key, value, bias]]).0
    }

    fn attend_two(
        query: Float,
        key: Float,
        value: Float,
        bias: Float,
        key_2: Float,
        value_2: Float,
        bias_2: Float,
    ) -> Float {
        attend_parts(&query, vec![[key, value, bias], [key_2, value_2, bias_2]]).0
    }
}

/// The gradients of `x` and of `weight`.
fn linear_backward([x, weight]: [Float; 2], gradient: &Float) -> [Float; 2] {
    [Flex::float_matmul(gradient.clone(), weight), Flex::float_matmul(gradient.transpose(0, 1), x)]
}

fn turned(x: &Float, cos: &Float, sin: &Float, turn: Turn) -> Float {
    let (x, cos, sin) = (x.to_contiguous(), cos.to_contiguous(), sin.to_contiguous());
    let shape = x.shape();
    tensor(kernels::rotate(slice(&x), slice(&cos), slice(&sin), shape[1], shape[2], turn), &x)
}

impl<C: CheckpointStrategy> Fused for Autodiff<Flex, C> {
    fn linear(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct Linear;
        impl Backward<Flex, 2> for Linear {
            type State = [Float; 2];

            fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
                let gradient = gradients.consume::<Flex>(&ops.node);
                let of = linear_backward(ops.state, &gradient);
                register(gradients, ops.parents.map(|p| p.map(|p| p.id)), of);
            }
        }
        let guards = [x.node(), weight.node()];
        let (x, weight) = (x.into_primitive(), weight.into_primitive());
        let y = Flex::linear(x.clone(), weight.clone());
        match Linear.prepare::<C>(guards).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish([x, weight], y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }

    fn linear_biased(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct LinearBiased;
        impl Backward<Flex, 3> for LinearBiased {
            type State = [Float; 2];

            fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
                let gradient = gradients.consume::<Flex>(&ops.node).to_contiguous();
                let of_bias = kernels::sum_of_rows(slice(&gradient), last(&gradient));
                let n = of_bias.len();
                let of_bias = Float::from_data(TensorData::new(of_bias, [n]));
                let [of_x, of_weight] = linear_backward(ops.state, &gradient);
                register(gradients, ops.parents.map(|p| p.map(|p| p.id)), [of_x, of_weight, of_bias]);
            }
        }
        let guards = [x.node(), weight.node(), bias.node()];
        let (x, weight) = (x.into_primitive(), weight.into_primitive());
        let y = Flex::linear_biased(x.clone(), weight.clone(), bias.into_primitive());
        match LinearBiased.prepare::<C>(guards).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish([x, weight], y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }

    fn rms_norm(x: FloatTensor<Self>, weight: FloatTensor<Self>, epsilon: f32) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct RmsNorm;
        impl Backward<Flex, 2> for RmsNorm {
            type State = (Float, Float, Vec<f32>);

            fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
                let gradient = gradients.consume::<Flex>(&ops.node).to_contiguous();
                let (x, weight, scales) = ops.state;
                let (of_x, of_weight) =
                    kernels::rms_norm_backward(slice(&x), slice(&weight), &scales, slice(&gradient));
                let of = [tensor(of_x, &x), tensor(of_weight, &weight)];
                register(gradients, ops.parents.map(|p| p.map(|p| p.id)), of);
            }
        }
        let guards = [x.node(), weight.node()];
        let (x, weight) = (x.into_primitive().to_contiguous(), weight.into_primitive().to_contiguous());
        let (y, scales) = kernels::rms_norm(slice(&x), slice(&weight), epsilon);
        let y = tensor(y, &x);
        match RmsNorm.prepare::<C>(guards).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((x, weight, scales), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }

    fn swiglu(gate: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct Swiglu;
        impl Backward<Flex, 2> for Swiglu {
            type State = (Float, Float);

            fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
                let gradient = gradients.consume::<Flex>(&ops.node).to_contiguous();
                let (gate, up) = ops.state;
                let (of_gate, of_up) = kernels::swiglu_backward(slice(&gate), slice(&up), slice(&gradient));
                let of = [tensor(of_gate, &gate), tensor(of_up, &up)];
                register(gradients, ops.parents.map(|p| p.map(|p| p.id)), of);
            }
        }
        let guards = [gate.node(), up.node()];
        let (gate, up) = (gate.into_primitive().to_contiguous(), up.into_primitive().to_contiguous());
        let y = tensor(kernels::swiglu(slice(&gate), slice(&up)), &gate);
        match Swiglu.prepare::<C>(guards).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((gate, up), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }

    fn rotate(x: FloatTensor<Self>, cos: FloatTensor<Self>, sin: FloatTensor<Self>) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct Rotate;
        impl Backward<Flex, 1> for Rotate {
            type State = (Float, Float);

            fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
                let gradient = gradients.consume::<Flex>(&ops.node);
                let (cos, sin) = ops.state;
                let of = [turned(&gradient, &cos, &sin, Turn::Back)];
                register(gradients, ops.parents.map(|p| p.map(|p| p.id)), of);
            }
        }
        let guards = [x.node()];
        let (cos, sin) = (cos.into_primitive(), sin.into_primitive());
        let y = turned(&x.into_primitive(), &cos, &sin, Turn::Forth);
        match Rotate.prepare::<C>(guards).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((cos, sin), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }

    fn log_probabilities(logits: FloatTensor<Self>, targets: IntTensor<Self>) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct LogProbabilities;
        impl Backward<Flex, 1> for LogProbabilities {
            type State = (Float, Vec<usize>, Vec<f32>);

            fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
                let gradient = gradients.consume::<Flex>(&ops.node).to_contiguous();
                let (logits, targets, normalizers) = ops.state;
                let of_logits = kernels::log_probabilities_backward(
                    slice(&logits),
                    &targets,
                    &normalizers,
                    slice(&gradient),
                    last(&logits),
                );
                let of = [tensor(of_logits, &logits)];
                register(gradients, ops.parents.map(|p| p.map(|p| p.id)), of);
            }
        }
        let guards = [logits.node()];
        let (logits, targets) = (logits.into_primitive().to_contiguous(), targets_of(targets));
        let (logp, normalizers) = kernels::log_probabilities(slice(&logits), &targets, last(&logits));
        let logp = Float::from_data(TensorData::new(logp, [targets.len(), 1]));
        match LogProbabilities.prepare::<C>(guards).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((logits, targets, normalizers), logp),
            OpsKind::UnTracked(prepared) => prepared.finish(logp),
        }
    }

    fn attend(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let guards = [query.node(), key.node(), value.node()];
        let parts = vec![[key.into_primitive(), value.into_primitive(), bias.into_primitive()]];
        tracked_attend::<C, 3>(guards, query.into_primitive(), parts)
    }

    fn attend_two(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        key_2: FloatTensor<Self>,
        value_2: FloatTensor<Self>,
        bias_2: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let guards = [query.node(), key.node(), value.node(), key_2.node(), value_2.node()];
        let parts = vec![
            [key.into_primitive(), value.into_primitive(), bias.into_primitive()],
            [key_2.into_primitive(), value_2.into_primitive(), bias_2.into_primitive()],
        ];
        tracked_attend::<C, 5>(guards, query.into_primitive(), parts)
    }
}

/// Attention as a step of the graph; `N` parents: the query, and key and value of each part.
fn tracked_attend<C: CheckpointStrategy, const N: usize>(
    guards: [NodeGuard; N],
    query: Float,
    parts: Vec<[Float; 3]>,
) -> FloatTensor<Autodiff<Flex, C>> {
    #[derive(Debug)]
    struct Attend;
    impl<const N: usize> Backward<Flex, N> for Attend {
        type State = (Float, Vec<Part>, Float);

        fn backward(self, ops: Ops<Self::State, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
            let gradient = gradients.consume::<Flex>(&ops.node);
            let (query, parts, output) = ops.state;
            let (of_query, of_parts) = attend_backward(&query, &parts, &output, &gradient);
            let of: Vec<Float> = std::iter::once(of_query).chain(of_parts.into_iter().flatten()).collect();
            let of = of.try_into().expect("a query, and key and value of each part");
            register::<N>(gradients, ops.parents.map(|p| p.map(|p| p.id)), of);
        }
    }
    let (output, parts) = attend_parts(&query, parts);
    match Attend.prepare::<C>(guards).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish((query, parts, output.clone()), output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    }
}

/// Gives the parents that want one their gradient.
fn register<const N: usize>(gradients: &mut Gradients, parents: [Option<NodeId>; N], of: [Float; N]) {
    for (parent, gradient) in parents.into_iter().zip(of) {
        if let Some(parent) = parent {
            gradients.register::<Flex>(parent, gradient);
        }
    }
}
