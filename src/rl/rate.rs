//! The learning rate over a run: up from 0, then down.

use serde::{Deserialize, Serialize};

/// What the learning rate does after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decay {
    /// Down to 0 in a straight line, as MoDoMoDo (arXiv:2505.24871).
    #[default]
    Linear,
    /// Down to 0 along half a cosine, as MAYE (arXiv:2504.02587).
    Cosine,
    /// Stays.
    Constant,
}

/// Factor in [0, 1] on the learning rate at `step` of `steps`, both counted from 0.
///
/// `warmup`, in [0, 1], is the part of the run in which it rises; its first step is not 0, since such a step would
/// change nothing, and the last step of a decay is not 0 for the same reason.
pub fn factor(step: u64, steps: u64, warmup: f64, decay: Decay) -> f64 {
    let (now, all) = ((step + 1) as f64, (steps + 1) as f64);
    let rising = (warmup * steps as f64).round();
    if now <= rising {
        return now / rising;
    }
    // From 1 at the last step of the rise to 0 one step after the last.
    let rise_end = rising.max(1.0);
    let left = if all > rise_end { ((all - now) / (all - rise_end)).clamp(0.0, 1.0) } else { 1.0 };
    match decay {
        Decay::Linear => left,
        Decay::Cosine => 0.5 - 0.5 * (std::f64::consts::PI * left).cos(),
        Decay::Constant => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_over_the_warmup_and_falls_to_the_end() {
        // 10 steps, 2 of warm-up: 1/2, 1, then eight equal steps down to 1/9.
        let expected: Vec<f64> =
            std::iter::once(0.5).chain((1..=9).rev().map(|k| f64::from(k) / 9.0)).collect();
        for (step, expected) in expected.into_iter().enumerate() {
            assert!((factor(step as u64, 10, 0.2, Decay::Linear) - expected).abs() < 1e-12);
        }
        // Without warm-up step 5 of 10 is half of the way down, where the cosine is at 1/2 too.
        assert!((factor(5, 10, 0.0, Decay::Cosine) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn every_step_has_a_rate_between_zero_and_one() {
        for steps in [1, 2, 3, 10, 100] {
            for warmup in [0.0, 0.03, 0.1, 0.5, 1.0] {
                for decay in [Decay::Linear, Decay::Cosine, Decay::Constant] {
                    for step in 0..steps {
                        let factor = factor(step, steps, warmup, decay);
                        assert!(factor > 0.0 && factor <= 1.0, "{step} {steps} {warmup} {decay:?}: {factor}");
                    }
                }
            }
        }
    }
}
