//! d itself: unbiased, may be negative.

use burn::Tensor;

use super::{Built, Kl, NoSettings, entry};
use crate::registry::{Entry, Named};

pub(super) const ENTRY: Entry<dyn Kl> = entry::<K1>();

/// k1 = d. Its gradient at sampled tokens is zero on average: a number for logs and rewards, no term for a loss.
struct K1;

impl Named for K1 {
    const NAME: &'static str = "k1";
    const SUMMARY: &'static str = "d = log π − log π_ref: unbiased value, no gradient on average";
    type Config = NoSettings;

    fn new(_: NoSettings) -> Built<Self> {
        Ok(Self)
    }
}

impl Kl for K1 {
    fn value(&self, d: f64) -> f64 {
        d
    }

    fn tensor(&self, d: Tensor<2>) -> Tensor<2> {
        d
    }
}
