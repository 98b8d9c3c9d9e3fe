//! e^(−d) + d − 1: unbiased, never negative; the one of GRPO.

use burn::Tensor;

use super::{Built, Kl, NoSettings, entry};
use crate::registry::{Entry, Named};

pub(super) const ENTRY: Entry<dyn Kl> = entry::<K3>();

/// k3 = e^(−d) + d − 1, arXiv:2402.03300. Beyond an exponent of 20 it goes on in a straight line, so that one token
/// cannot overflow and still has a gradient that leads back. verl clamps the exponent to ±20, which leaves d alone there,
/// whose gradient leads further away; it also clamps the result to ±10, which would hide the gradient of just such tokens.
struct K3;

const LARGEST_EXPONENT: f64 = 20.0;

impl Named for K3 {
    const NAME: &'static str = "k3";
    const SUMMARY: &'static str = "e^(−d) + d − 1: unbiased value, never negative (GRPO)";
    type Config = NoSettings;

    fn new(_: NoSettings) -> Built<Self> {
        Ok(Self)
    }
}

impl Kl for K3 {
    fn value(&self, d: f64) -> f64 {
        let beyond = (-d - LARGEST_EXPONENT).max(0.0);
        (-d).min(LARGEST_EXPONENT).exp() * (1.0 + beyond) + d - 1.0
    }

    fn tensor(&self, d: Tensor<2>) -> Tensor<2> {
        let beyond = (-d.clone() - LARGEST_EXPONENT).clamp_min(0.0);
        (-d.clone()).clamp_max(LARGEST_EXPONENT).exp() * (beyond + 1.0) + d - 1.0
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn beyond_the_largest_exponent_value_and_gradient_go_on_in_a_straight_line() {
        let d = [[-30.0_f32, -21.0, -19.0, -1.0, 1.0, 30.0]];
        let tensor = Tensor::<2>::from_floats(d, &Device::flex().autodiff()).require_grad();
        let loss = K3.tensor(tensor.clone()).sum();
        let gradient = tensor.grad(&loss.backward()).unwrap().into_data().try_to_vec::<f32>().unwrap();
        for (got, d) in gradient.into_iter().zip(d.concat()) {
            // The slope of e^(−d) + d − 1; where the exponent is larger, that at 20.
            let expected = 1.0 - f64::from(-d).min(20.0).exp();
            assert!((f64::from(got) - expected).abs() <= 1e-5 * expected.abs(), "{d}: {got}");
        }
        // From 20 to 25 five times the slope: e^20 − 1 each.
        let rise = K3.value(-25.0) - K3.value(-20.0);
        assert!((rise / (5.0 * (20_f64.exp() - 1.0)) - 1.0).abs() < 1e-12);
    }
}
