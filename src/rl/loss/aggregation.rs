//! How much each token counts.

use burn::Tensor;
use serde::{Deserialize, Serialize};

/// How per-token losses become one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    /// Every completion token of the optimizer batch counts the same: DAPO (arXiv:2503.14476), TRL as MoDoMoDo ran it.
    #[default]
    TokenMean,
    /// Every completion counts the same, and its tokens share that: GRPO as published (arXiv:2402.03300).
    SeqMeanTokenMean,
    /// Every token counts the same, whatever the lengths in this batch: divided by completions × the most tokens a
    /// completion may have, as Dr. GRPO (arXiv:2503.20783).
    Constant,
}

/// What the optimizer batch as a whole holds: each micro-batch needs it to weigh its own part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Tokens that count.
    pub tokens: u64,
    /// Completions with at least one token that counts; others are left out, as in verl.
    pub completions: u64,
    /// The most tokens a completion may have; only [`Aggregation::Constant`] asks.
    pub max_tokens: u64,
}

impl Whole {
    /// From the number of tokens that count in each completion of the optimizer batch.
    pub fn of(lengths: impl IntoIterator<Item = u64>, max_tokens: u64) -> Self {
        let none = Self { tokens: 0, completions: 0, max_tokens };
        lengths.into_iter().fold(none, |sum, length| Self {
            tokens: sum.tokens + length,
            completions: sum.completions + u64::from(length > 0),
            max_tokens,
        })
    }
}

impl Aggregation {
    /// The weight of each token in the loss. `mask`: `[n, t]` of 0 and 1; returns `[n, t]`.
    ///
    /// The weighted sums of the micro-batches of one optimizer batch add up to the loss of the whole.
    pub(super) fn weights(self, mask: Tensor<2>, whole: &Whole) -> Tensor<2> {
        let [tokens, completions, max_tokens] =
            [whole.tokens, whole.completions, whole.max_tokens].map(|count| count.max(1) as f64);
        match self {
            Self::TokenMean => mask / tokens,
            Self::SeqMeanTokenMean => {
                let lengths = mask.clone().sum_dim(1).clamp_min(1.0);
                mask / lengths / completions
            }
            Self::Constant => mask / (completions * max_tokens),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn aggregated_losses_are_those_of_the_reference_implementation() {
        // verl 0.9.1: losses 1 2 3 4 and 5 6 7 8 with mask 1 1 0 0 and 1 1 1 1.
        check(Aggregation::TokenMean, 29.0 / 6.0);
        check(Aggregation::SeqMeanTokenMean, 4.0);
        check(Aggregation::Constant, 3.625);
    }

    #[test]
    fn an_empty_completion_does_not_count() {
        assert_eq!(Whole::of([2, 0, 4], 8), Whole { tokens: 6, completions: 2, max_tokens: 8 });
    }

    fn check(aggregation: Aggregation, expected: f32) {
        let device = Device::flex();
        let losses = Tensor::<2>::from_floats([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]], &device);
        let mask = Tensor::from_floats([[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]], &device);
        let got: f32 = (losses * aggregation.weights(mask, &Whole::of([2, 4], 4))).sum().into_scalar();
        assert!((got - expected).abs() < 1e-5, "{aggregation:?}: {got}");
    }
}
