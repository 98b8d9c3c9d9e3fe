//! The clipped surrogate of PPO with a KL term, on log-probabilities of sampled tokens.

use std::{iter::Sum, ops::AddAssign};

use burn::{Tensor, tensor::Bool};

use super::aggregation::{Aggregation, Whole};
use crate::rl::kl::Kl;

/// Log-ratios are clamped to ± this before the exponential, as in verl: one token cannot overflow the batch.
const LARGEST_LOG_RATIO: f64 = 20.0;

/// How far the ratio π/π_old may pay: from 1 − `low` to 1 + `high`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clip {
    /// Below 1, in (0, 1).
    pub low: f64,
    /// Above 1, > 0.
    pub high: f64,
}

/// What is descended.
#[derive(Clone, Copy)]
pub struct Objective<'a> {
    /// Limits of the ratio.
    pub clip: Clip,
    /// Which tokens count how much.
    pub aggregation: Aggregation,
    /// The distance from the base.
    pub kl: &'a dyn Kl,
    /// Its weight, ≥ 0.
    pub kl_coefficient: f64,
}

/// The completions of one micro-batch: n completions, padded on either side to t tokens.
#[derive(Clone)]
pub struct Batch<'a> {
    /// Log-probability of each token under the policy, `[n, t]`, differentiable.
    pub logp: Tensor<2>,
    /// The same under the policy that drew them, `[n, t]`; none where that is this very policy.
    pub logp_old: Option<Tensor<2>>,
    /// The same under the base, `[n, t]`; none leaves the KL term out.
    pub logp_base: Option<Tensor<2>>,
    /// Advantage of each completion, `[n]`.
    pub advantages: &'a [f32],
    /// True for the tokens of a completion, `[n, t]`; what stands elsewhere has no effect, not even NaN.
    pub mask: Tensor<2, Bool>,
}

/// What one micro-batch adds to the loss.
pub struct Loss {
    /// Its part of the loss of the optimizer batch, shape `[1]`, differentiable.
    pub loss: Tensor<1>,
    /// The same in numbers, one for each completion; their sum is the micro-batch's.
    pub metrics: Vec<Metrics>,
}

/// Sums over the tokens of completions; those of several are added with `+=`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Metrics {
    /// Tokens that counted.
    pub tokens: u64,
    /// Tokens whose ratio fell below the limit and whose gradient is cut for it: advantage below 0.
    pub clipped_low: u64,
    /// Tokens whose ratio rose above the limit and whose gradient is cut for it: advantage above 0.
    pub clipped_high: u64,
    /// Sum of log π_old − log π: estimates the KL divergence of π from π_old.
    pub old_kl_sum: f64,
    /// Sum of the KL estimate against the base.
    pub kl_sum: f64,
    /// The surrogate's part of the loss.
    pub policy_loss: f64,
    /// The KL term's part of the loss, with its coefficient.
    pub kl_loss: f64,
}

impl Metrics {
    /// Share of tokens in [0, 1] whose gradient was cut.
    pub fn clip_fraction(&self) -> f64 {
        self.per_token((self.clipped_low + self.clipped_high) as f64)
    }

    /// Mean of log π_old − log π per token, in nats; 0 on-policy.
    pub fn old_kl(&self) -> f64 {
        self.per_token(self.old_kl_sum)
    }

    /// Mean KL estimate against the base per token, in nats.
    pub fn kl(&self) -> f64 {
        self.per_token(self.kl_sum)
    }

    fn per_token(&self, sum: f64) -> f64 {
        sum / self.tokens.max(1) as f64
    }
}

impl AddAssign for Metrics {
    fn add_assign(&mut self, other: Self) {
        self.tokens += other.tokens;
        self.clipped_low += other.clipped_low;
        self.clipped_high += other.clipped_high;
        self.old_kl_sum += other.old_kl_sum;
        self.kl_sum += other.kl_sum;
        self.policy_loss += other.policy_loss;
        self.kl_loss += other.kl_loss;
    }
}

impl Sum for Metrics {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, one| {
            sum += one;
            sum
        })
    }
}

/// The loss of one micro-batch, with ratio r = π/π_old and advantage A per token:
/// max(−A·r, −A·clip(r)) + coefficient · KL, weighted by the aggregation over the whole optimizer batch.
///
/// PPO (arXiv:1707.06347) as GRPO (arXiv:2402.03300) uses it. Without dual clip. On-policy, r is 1 and its gradient
/// that of log π.
pub fn policy_loss(objective: &Objective<'_>, batch: Batch<'_>, whole: &Whole) -> Loss {
    let Batch { logp, logp_old, logp_base, advantages, mask } = batch;
    let [n, _] = logp.dims();
    let device = logp.device();
    let padding = mask.clone().bool_not();
    let weights = objective.aggregation.weights(mask.clone().float(), whole);
    // Filled before anything is computed from them: 0 · NaN would be NaN, in the gradient as well.
    let differences = |from: Tensor<2>| (logp.clone() - from).mask_fill(padding.clone(), 0.0);

    let log_ratio = differences(logp_old.unwrap_or_else(|| logp.clone()).detach());
    let ratio = log_ratio.clone().clamp(-LARGEST_LOG_RATIO, LARGEST_LOG_RATIO).exp();
    let minus_advantages = -Tensor::<1>::from_floats(advantages, &device).reshape([n, 1]);
    let clipped_ratio = ratio.clone().clamp(1.0 - objective.clip.low, 1.0 + objective.clip.high);
    let free = ratio * minus_advantages.clone();
    let clipped = clipped_ratio * minus_advantages;
    // Chosen by a mask rather than by `max_pair`, whose gradient at ties, the usual case, is the backend's choice.
    let is_clipped = clipped.clone().greater(free.clone());
    let surrogate = free.mask_where(is_clipped.clone(), clipped) * weights.clone();

    let mut metrics = count_tokens(&log_ratio, &is_clipped, &mask);
    for (metrics, row) in metrics.iter_mut().zip(rows(&surrogate)) {
        metrics.policy_loss = row.into_iter().map(f64::from).sum();
    }
    let surrogate = surrogate.sum();
    let Some(logp_base) = logp_base else {
        return Loss { loss: surrogate, metrics };
    };
    let from_base = differences(logp_base.detach());
    let is_token = bools(&mask);
    for ((metrics, row), is_token) in
        metrics.iter_mut().zip(rows(&from_base)).zip(is_token.chunks(is_token.len() / n))
    {
        let tokens = row.into_iter().zip(is_token).filter(|(_, is_token)| **is_token);
        metrics.kl_sum = tokens.map(|(d, _)| objective.kl.value(f64::from(d))).sum();
    }
    let kl = objective.kl.tensor(from_base) * weights;
    for (metrics, row) in metrics.iter_mut().zip(rows(&kl)) {
        metrics.kl_loss = row.into_iter().map(f64::from).sum::<f64>() * objective.kl_coefficient;
    }
    Loss { loss: surrogate + kl.sum() * objective.kl_coefficient, metrics }
}

/// What the ratios of each completion say.
fn count_tokens(log_ratio: &Tensor<2>, is_clipped: &Tensor<2, Bool>, mask: &Tensor<2, Bool>) -> Vec<Metrics> {
    let (is_clipped, is_token) = (bools(is_clipped), bools(mask));
    let rows = rows(log_ratio);
    let length = is_token.len() / rows.len().max(1);
    let of = |(row, (is_clipped, is_token)): (Vec<f32>, (&[bool], &[bool]))| {
        let mut metrics = Metrics::default();
        let tokens = row.into_iter().zip(is_clipped).zip(is_token).filter(|(_, is_token)| **is_token);
        for ((log_ratio, is_clipped), _) in tokens {
            metrics.tokens += 1;
            metrics.old_kl_sum -= f64::from(log_ratio);
            metrics.clipped_low += u64::from(*is_clipped && log_ratio < 0.0);
            metrics.clipped_high += u64::from(*is_clipped && log_ratio > 0.0);
        }
        metrics
    };
    let chunks = is_clipped.chunks(length).zip(is_token.chunks(length));
    rows.into_iter().zip(chunks).map(of).collect()
}

/// The rows of `[n, t]`.
fn rows(of: &Tensor<2>) -> Vec<Vec<f32>> {
    let [_, length] = of.dims();
    let values = of.to_data().convert::<f32>().try_to_vec::<f32>().expect("just converted to f32");
    values.chunks(length).map(<[f32]>::to_vec).collect()
}

fn bools(of: &Tensor<2, Bool>) -> Vec<bool> {
    of.to_data().iter::<bool>().collect()
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::rl::kl::KLS;

    const OLD: [[f32; 4]; 2] = [[-1.0; 4]; 2];
    const NEW: [[f32; 4]; 2] = [[-0.5, -1.5, -0.9, -1.1], [-0.5, -3.0, 0.0, -1.0]];
    const MASK: [[bool; 4]; 2] = [[true, true, true, false], [true; 4]];

    #[test]
    fn losses_are_those_of_the_reference_implementation() {
        // verl 0.9.1, `vanilla`, in float32; dual clip is not reached.
        for (aggregation, expected) in
            [(Aggregation::TokenMean, 0.453614), (Aggregation::SeqMeanTokenMean, 0.272258)]
        {
            let (loss, metrics, _) = run(aggregation, 0.0, NEW, Some(OLD), None, &[1.0, -1.0], MASK);
            assert!((loss - expected).abs() < 1e-6, "{aggregation:?}: {loss}");
            assert!((metrics.clip_fraction() - 2.0 / 7.0).abs() < 1e-6);
            assert_eq!((metrics.clipped_low, metrics.clipped_high), (1, 1));
            assert!((metrics.old_kl() - 0.057143).abs() < 1e-6);
            assert!((metrics.policy_loss - loss).abs() < 1e-6);
        }
    }

    #[test]
    fn one_step_worked_by_hand() {
        // On-policy, r = 1: the gradient of −A·r is −A per token; of .1·k3 it is .1·(1 − e^(−d)). Four tokens.
        // Completion 1, A = 2, d = .5 and 0:   −2 + .1·(1 − e^−.5) = −1.960653,   −2.
        // Completion 2, A = −2, d = −1 and 0:   2 + .1·(1 − e^1) = 1.828172,   2.
        // Loss: (−2 −2 +2 +2)/4 + .1·(e^−.5 − .5 + e^1 − 2)/4 = .1·(.106531 + .718282)/4 = .020620.
        let (new, base) = ([[-1.0, -2.0], [-3.0, -0.5]], [[-1.5, -2.0], [-2.0, -0.5]]);
        let mask = [[true; 2]; 2];
        let (loss, metrics, gradient) =
            run(Aggregation::TokenMean, 0.1, new, None, Some(base), &[2.0, -2.0], mask);
        assert!((loss - 0.020620).abs() < 1e-6, "{loss}");
        assert!((metrics.kl() - 0.824813 / 4.0).abs() < 1e-6);
        assert!((metrics.kl_loss - 0.020620).abs() < 1e-6);
        assert_eq!((metrics.old_kl(), metrics.clip_fraction()), (0.0, 0.0));
        for (got, expected) in gradient.into_iter().zip([-1.960653, -2.0, 1.828172, 2.0]) {
            assert!((got - expected / 4.0).abs() < 1e-6, "{got}");
        }
    }

    #[test]
    fn a_clipped_token_has_no_gradient() {
        let (_, _, gradient) = run(Aggregation::TokenMean, 0.0, NEW, Some(OLD), None, &[1.0, -1.0], MASK);
        // Clipped: the first of completion 1 (r = e^.5 > 1.28) and the second of completion 2 (r = e^−2 < .8).
        // Elsewhere −A·r/7: e^−.5, e^.1, and e^.5, e, 1.
        let expected = [0.0, -0.606531, -1.105171, 0.0, 1.648721, 0.0, std::f32::consts::E, 1.0];
        for (got, expected) in gradient.into_iter().zip(expected) {
            assert!((got - expected / 7.0).abs() < 1e-6, "{got}");
        }
    }

    #[test]
    fn equal_rewards_leave_no_gradient_apart_from_that_of_the_kl_term() {
        let base = [[-0.7; 4]; 2];
        for kl_coefficient in [0.0, 0.04] {
            let (_, _, gradient) =
                run(Aggregation::TokenMean, kl_coefficient, NEW, None, Some(base), &[0.0, 0.0], MASK);
            for ((got, new), is_token) in gradient.into_iter().zip(NEW.concat()).zip(MASK.concat()) {
                let of_kl =
                    if is_token { kl_coefficient as f32 * (1.0 - (-(new + 0.7)).exp()) / 7.0 } else { 0.0 };
                assert!((got - of_kl).abs() < 1e-7);
            }
        }
    }

    #[test]
    fn padding_changes_nothing_on_either_side_and_may_hold_anything() {
        let base = [[-0.7; 4]; 2];
        for aggregation in [Aggregation::TokenMean, Aggregation::SeqMeanTokenMean, Aggregation::Constant] {
            let (loss, metrics, gradient) =
                run(aggregation, 0.04, NEW, Some(OLD), Some(base), &[1.0, -1.0], MASK);
            let padded = |rows: [[f32; 4]; 2], with: f32| rows.map(|r| [with, r[0], r[1], r[2], r[3], with]);
            let mask = MASK.map(|m| [false, m[0], m[1], m[2], m[3], false]);
            for with in [0.0, f32::NAN, f32::NEG_INFINITY, 1e30] {
                let (new, old, base) = (padded(NEW, with), padded(OLD, -1.0), padded(base, with));
                let (got, got_metrics, got_gradient) =
                    run(aggregation, 0.04, new, Some(old), Some(base), &[1.0, -1.0], mask);
                assert!((got - loss).abs() < 1e-6, "{aggregation:?} {with}: {got}");
                assert_eq!(got_metrics.tokens, metrics.tokens);
                assert!((got_metrics.kl_sum - metrics.kl_sum).abs() < 1e-6);
                for (row, expected) in got_gradient.chunks(6).zip(gradient.chunks(4)) {
                    assert_eq!((row[0], row[5]), (0.0, 0.0), "{with}");
                    assert!(row[1..5].iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-7));
                }
            }
        }
    }

    #[test]
    fn micro_batches_in_any_order_add_up_to_the_whole() {
        let base = [[-0.7; 4]; 2];
        for aggregation in [Aggregation::TokenMean, Aggregation::SeqMeanTokenMean, Aggregation::Constant] {
            let (loss, metrics, gradient) =
                run(aggregation, 0.04, NEW, Some(OLD), Some(base), &[1.0, -1.0], MASK);
            let (mut sum, mut added) = (0.0, Metrics::default());
            for i in [1, 0] {
                let advantage = [[1.0, -1.0][i]];
                let (part, part_metrics, part_gradient) =
                    run(aggregation, 0.04, [NEW[i]], Some([OLD[i]]), Some([base[i]]), &advantage, [MASK[i]]);
                sum += part;
                added += part_metrics;
                assert!(part_gradient.iter().zip(&gradient[4 * i..]).all(|(a, b)| (a - b).abs() < 1e-7));
            }
            assert!((sum - loss).abs() < 1e-6);
            assert_eq!((added.tokens, added.clipped_low), (metrics.tokens, metrics.clipped_low));
            assert!((added.kl_loss - metrics.kl_loss).abs() < 1e-6);
        }
    }

    #[test]
    fn each_completion_has_metrics_of_its_own() {
        // As in the first test: of completion 1 one of three tokens is clipped above, of completion 2 one of four below.
        let device = Device::flex();
        let kl = (KLS.get("k1").unwrap().build)(toml::Table::new()).unwrap();
        let clip = Clip { low: 0.2, high: 0.28 };
        let objective =
            Objective { clip, aggregation: Aggregation::TokenMean, kl: &*kl, kl_coefficient: 0.1 };
        let constant = |rows: [[f32; 4]; 2]| Tensor::<2>::from_floats(rows, &device);
        let batch = Batch {
            logp: Tensor::<2>::from_floats(NEW, &device.clone().autodiff()).require_grad(),
            logp_old: Some(constant(OLD)),
            logp_base: Some(constant(OLD)),
            advantages: &[1.0, -1.0],
            mask: Tensor::from_data(MASK, &device),
        };
        let Loss { loss, metrics } = policy_loss(&objective, batch, &Whole::of([3, 4], 4));
        let [first, second] = &metrics[..] else { panic!("there are two completions") };
        assert_eq!((first.tokens, first.clipped_low, first.clipped_high), (3, 0, 1));
        assert_eq!((second.tokens, second.clipped_low, second.clipped_high), (4, 1, 0));
        // d = .5 −.5 .1 and .5 −2 1 0.
        assert!((first.kl_sum - 0.1).abs() < 1e-6 && (second.kl_sum + 0.5).abs() < 1e-6);
        // −1.28 −e^−.5 −e^.1 and e^.5 + .8 + e + 1, over seven tokens.
        assert!((first.policy_loss - (-1.28 - 0.606_531 - 1.105_171) / 7.0).abs() < 1e-6);
        assert!((second.policy_loss - (1.648_721 + 0.8 + std::f64::consts::E + 1.0) / 7.0).abs() < 1e-6);
        assert!((first.kl_loss - 0.01 / 7.0).abs() < 1e-7 && (second.kl_loss + 0.05 / 7.0).abs() < 1e-7);
        let whole: Metrics = metrics.into_iter().sum();
        let loss = f64::from(loss.detach().into_scalar::<f32>());
        assert!((whole.policy_loss + whole.kl_loss - loss).abs() < 1e-6);
    }

    #[test]
    fn a_ratio_beyond_all_numbers_stays_finite() {
        let (loss, _, gradient) = run(
            Aggregation::TokenMean,
            0.04,
            [[-0.1]],
            Some([[-500.0]]),
            Some([[-500.0]]),
            &[-1.0],
            [[true]],
        );
        assert!(loss.is_finite() && gradient[0].is_finite());
    }

    /// Loss, metrics and gradient by token; the whole batch is always that of `MASK` where rows have four tokens
    /// or more.
    fn run<const N: usize, const T: usize>(
        aggregation: Aggregation,
        kl_coefficient: f64,
        new: [[f32; T]; N],
        old: Option<[[f32; T]; N]>,
        base: Option<[[f32; T]; N]>,
        advantages: &[f32],
        mask: [[bool; T]; N],
    ) -> (f64, Metrics, Vec<f32>) {
        let device = Device::flex();
        let kl = (KLS.get("k3").unwrap().build)(toml::Table::new()).unwrap();
        let clip = Clip { low: 0.2, high: 0.28 };
        let objective = Objective { clip, aggregation, kl: &*kl, kl_coefficient };
        let whole = if T >= 4 {
            Whole::of([3, 4], 4)
        } else {
            Whole::of(mask.iter().map(|row| row.iter().filter(|m| **m).count() as u64), T as u64)
        };
        let logp = Tensor::<2>::from_floats(new, &device.clone().autodiff()).require_grad();
        let constant = |rows: [[f32; T]; N]| Tensor::<2>::from_floats(rows, &device);
        let batch = Batch {
            logp: logp.clone(),
            logp_old: old.map(constant),
            logp_base: base.map(constant),
            advantages,
            mask: Tensor::from_data(mask, &device),
        };
        let Loss { loss, metrics } = policy_loss(&objective, batch, &whole);
        let gradient = logp.grad(&loss.backward()).unwrap().into_data().try_to_vec::<f32>().unwrap();
        let loss = f64::from(loss.detach().into_scalar::<f32>());
        (loss, metrics.into_iter().sum(), gradient)
    }
}
