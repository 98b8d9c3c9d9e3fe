//! e^(−d) + d − 1: unbiased, never negative; the one of GRPO.

use burn::Tensor;

use super::{Built, Kl, NoSettings, entry};
use crate::registry::{Entry, Named};

pub(super) const ENTRY: Entry<dyn Kl> = entry::<K3>();

/// k3 = e^(−d) + d − 1, arXiv:2402.03300. The exponent is clamped to ±20 as in verl, so that one token cannot
/// overflow; verl also clamps the result to ±10, which would hide the gradient of just such tokens, so this does not.
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
        (-d).clamp(-LARGEST_EXPONENT, LARGEST_EXPONENT).exp() + d - 1.0
    }

    fn tensor(&self, d: Tensor<2>) -> Tensor<2> {
        (-d.clone()).clamp(-LARGEST_EXPONENT, LARGEST_EXPONENT).exp() + d - 1.0
    }
}
