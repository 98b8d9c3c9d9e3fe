//! The layers that both towers are made of; each loads itself from the tensors of a checkpoint by name.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::super::weights::{Source, WeightError};

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
        let scale = ((x.clone() * x.clone()).mean_dim(1) + self.epsilon).sqrt().recip();
        x * scale * self.weight.clone().unsqueeze()
    }

    pub(crate) fn visit(&mut self, path: &str, visitor: &mut dyn Visitor) {
        visitor.vector(&format!("{path}.weight"), &mut self.weight);
    }
}

/// Cosines and sines of rotary positions, each `[n, 1, head_dim / 2]`.
#[derive(Clone, Debug)]
pub struct Rotary {
    cos: Tensor<3>,
    sin: Tensor<3>,
}

impl Rotary {
    /// From `n * half` angles.
    pub(crate) fn new(angles: &[f32], half: usize, device: &Device) -> Self {
        let of = |f: fn(f32) -> f32| {
            let values: Vec<f32> = angles.iter().map(|a| f(*a)).collect();
            Tensor::from_data(TensorData::new(values, [angles.len() / half, 1, half]), device)
        };
        Self { cos: of(f32::cos), sin: of(f32::sin) }
    }

    /// Rotates `[n, heads, head_dim]`; the halves of a head are the pairs, as in the reference's `rotate_half`.
    pub(crate) fn apply(&self, x: Tensor<3>) -> Tensor<3> {
        let half = x.dims()[2] / 2;
        let (a, b) = (x.clone().narrow(2, 0, half), x.narrow(2, half, half));
        let (cos, sin) = (self.cos.clone(), self.sin.clone());
        Tensor::cat(
            vec![a.clone() * cos.clone() - b.clone() * sin.clone(), b * cos + a * sin],
            2,
        )
    }
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
