//! Half of d²: never negative, with the right gradient.

use burn::Tensor;

use super::{Built, Kl, NoSettings, entry};
use crate::registry::{Entry, Named};

pub(super) const ENTRY: Entry<dyn Kl> = entry::<K2>();

/// k2 = d²/2. Its value is biased; its gradient, d·∇log π, is that of the KL divergence.
struct K2;

impl Named for K2 {
    const NAME: &'static str = "k2";
    const SUMMARY: &'static str = "d²/2: biased value, the gradient of the KL divergence";
    type Config = NoSettings;

    fn new(_: NoSettings) -> Built<Self> {
        Ok(Self)
    }
}

impl Kl for K2 {
    fn value(&self, d: f64) -> f64 {
        d * d / 2.0
    }

    fn tensor(&self, d: Tensor<2>) -> Tensor<2> {
        d.square() * 0.5
    }
}
