//! The loss of learning from given answers.

use burn::{Tensor, tensor::Bool};

use super::aggregation::{Aggregation, Whole};

/// Mean negative log-probability of the target tokens, in nats; shape `[1]`.
///
/// `logp`: `[n, t]`, differentiable, of each token given those before it; `mask`: `[n, t]`, true where a token is to
/// be learnt. `whole` counts the optimizer batch, so that the losses of its micro-batches add up.
pub fn supervised_loss(logp: Tensor<2>, mask: Tensor<2, Bool>, whole: &Whole) -> Tensor<1> {
    let weights = Aggregation::TokenMean.weights(mask.clone().float(), whole);
    // Filling, not multiplying by 0: log-probabilities of padding may be infinite.
    -(logp.mask_fill(mask.bool_not(), 0.0) * weights).sum()
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn only_the_tokens_to_be_learnt_count() {
        // (0.5 + 1 + 3) / 3 tokens; the padding is not even a number.
        let device = Device::flex();
        let logp = [[-0.5, -1.0, f32::NAN], [-3.0, f32::NEG_INFINITY, -9.0]];
        let logp = Tensor::<2>::from_floats(logp, &device.clone().autodiff()).require_grad();
        let mask = Tensor::<2, Bool>::from_data([[true, true, false], [true, false, false]], &device);
        let loss = supervised_loss(logp.clone(), mask, &Whole::of([2, 1], 3));
        let gradient: Vec<f32> =
            logp.grad(&loss.backward()).unwrap().into_data().try_to_vec::<f32>().unwrap();
        assert!((loss.into_scalar::<f32>() - 1.5).abs() < 1e-6);
        for (got, expected) in gradient.into_iter().zip([1.0, 1.0, 0.0, 1.0, 0.0, 0.0]) {
            assert!((got + expected / 3.0_f32).abs() < 1e-6);
        }
    }
}
