//! How much better a completion did than its siblings.

mod batch_std;
mod group_std;
mod leave_one_out;
mod no_std;

use crate::registry::{Entry, Named, Registry};

/// A rule that turns rewards into advantages.
pub trait Advantage: Send + Sync {
    /// `rewards`: `[group][completion]`, the finite rewards of one optimizer batch; groups may differ in size.
    /// Returns advantages of the same shape, each the weight of a completion's tokens in the loss. All zero in a
    /// group whose rewards are equal, and so in a group of one.
    fn advantages(&self, rewards: &[Vec<f64>]) -> Vec<Vec<f64>>;
}

/// Every rule.
pub const ADVANTAGES: Registry<dyn Advantage> = Registry {
    kind: "advantage",
    entries: &[
        group_std::ENTRY, //
        batch_std::ENTRY,
        no_std::ENTRY,
        leave_one_out::ENTRY,
    ],
};

const fn entry<A: Named + Advantage + 'static>() -> Entry<dyn Advantage> {
    Entry { name: A::NAME, summary: A::SUMMARY, build: |table| Ok(Box::new(A::new(table.try_into()?)?)) }
}

/// Each reward minus the mean of its group; exactly 0 where all are equal, whatever the mean rounds to.
fn centred(group: &[f64]) -> Vec<f64> {
    if group.iter().all(|r| *r == group[0]) {
        return vec![0.0; group.len()];
    }
    let mean = mean(group);
    group.iter().map(|r| r - mean).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Standard deviation with n − 1 below, as torch computes it; 0 for fewer than two values.
fn sample_std(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let mean = mean(values);
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (squares / (values.len() - 1) as f64).sqrt()
}

/// Settings of the rules that divide by a standard deviation.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Epsilon {
    /// Added to the standard deviation.
    epsilon: f64,
}

impl Default for Epsilon {
    fn default() -> Self {
        // TRL's, with which MoDoMoDo was run; verl and EasyR1 use 1e-6.
        Self { epsilon: 1e-4 }
    }
}

impl Epsilon {
    fn checked(self) -> Result<f64, crate::registry::BuildError> {
        if self.epsilon.is_finite() && self.epsilon > 0.0 {
            return Ok(self.epsilon);
        }
        let error = format!("`epsilon` is {}; it must be above 0", self.epsilon);
        Err(crate::registry::BuildError::Value(error))
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct NoSettings {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rewards and results of references that were run once: verl 0.9.1 in float32, and TRL's formulas where the
    /// epsilon is 1e-4. They have six digits, hence the tolerance.
    fn check(name: &str, settings: &str, expected: [[f64; 4]; 3]) {
        let rewards = [vec![1.0, 0.0, 0.0, 1.0], vec![1.0; 4], vec![0.0, 0.0, 0.1, 1.0]];
        let got = build(name, settings).advantages(&rewards);
        for (got, expected) in got.iter().flatten().zip(expected.iter().flatten()) {
            assert!((got - expected).abs() < 2e-6, "{name}: {got}, expected {expected}");
        }
    }

    #[test]
    fn advantages_are_those_of_the_reference_implementations() {
        let signs = |x: f64| [x, -x, -x, x];
        let zero = [0.0; 4];
        let c = [-0.566277, -0.566277, -0.360358, 1.492913];
        check("group_std", "epsilon = 1e-6", [signs(0.866024), zero, c]);
        let c = [-0.566162, -0.566162, -0.360285, 1.492609];
        check("group_std", "", [signs(0.865875), zero, c]);
        let c = [-0.544069, -0.544069, -0.346226, 1.434365];
        check("batch_std", "", [signs(0.989217), zero, c]);
        check("no_std", "", [signs(0.5), zero, [-0.275, -0.275, -0.175, 0.725]]);
        let c = [-0.366667, -0.366667, -0.233333, 0.966667];
        check("leave_one_out", "", [signs(0.666667), zero, c]);
    }

    #[test]
    fn equal_rewards_give_no_advantage_under_any_rule() {
        // Seven times 0.1 does not have the mean 0.1 in floating point.
        let rewards = [vec![0.1; 7], vec![0.7], vec![], vec![0.3, 0.9]];
        for entry in ADVANTAGES.entries {
            let advantages = build(entry.name, "").advantages(&rewards);
            assert!(advantages[0].iter().chain(&advantages[1]).all(|a| *a == 0.0), "{}", entry.name);
            assert!(advantages[2].is_empty());
            assert!(advantages[3][0] < 0.0 && advantages[3][1] > 0.0);
        }
    }

    #[test]
    fn the_order_of_groups_and_of_completions_changes_nothing() {
        let rewards = vec![vec![1.0, 0.0, 0.25], vec![0.5, 0.0, 1.0]];
        let turned: Vec<Vec<f64>> =
            rewards.iter().rev().map(|group| group.iter().rev().copied().collect()).collect();
        for entry in ADVANTAGES.entries {
            let rule = build(entry.name, "");
            let back: Vec<f64> = rule.advantages(&turned).concat().into_iter().rev().collect();
            for (a, b) in rule.advantages(&rewards).concat().into_iter().zip(back) {
                assert!((a - b).abs() < 1e-12, "{}", entry.name);
            }
        }
    }

    #[test]
    fn settings_are_checked() {
        let error = |name: &str, table: &str| {
            let build = ADVANTAGES.get(name).unwrap().build;
            build(table.parse().unwrap()).err().unwrap().to_string()
        };
        assert_eq!(error("group_std", "epsilon = 0.0"), "`epsilon` is 0; it must be above 0");
        assert!(error("no_std", "epsilon = 1.0").contains("unknown field `epsilon`"));
    }

    fn build(name: &str, settings: &str) -> Box<dyn Advantage> {
        (ADVANTAGES.get(name).unwrap().build)(settings.parse().unwrap()).unwrap()
    }
}
