//! Named ways to train: their settings, checked, with the rules they choose already made.

pub mod grpo;
pub mod sft;

use serde::{Deserialize, Serialize};

pub use self::{grpo::Grpo, sft::Sft};
use crate::registry::{BuildError, Entry, Named, Registry};

/// A way to train.
pub enum Algorithm {
    /// Group-relative policy optimization on verifiable rewards.
    Grpo(Grpo),
    /// Supervised learning from given answers.
    Sft(Sft),
}

/// Every algorithm.
pub const ALGORITHMS: Registry<Algorithm> = Registry {
    kind: "algorithm",
    entries: &[
        Entry { name: Grpo::NAME, summary: Grpo::SUMMARY, build: grpo::build },
        Entry { name: Sft::NAME, summary: Sft::SUMMARY, build: sft::build },
    ],
};

impl Algorithm {
    /// From its table in a plan or a run's spec: `name`, and the settings that differ from the defaults.
    pub fn from_table(table: &toml::Table) -> Result<Self, BuildError> {
        let mut settings = table.clone();
        let Some(toml::Value::String(name)) = settings.remove("name") else {
            return Err(BuildError::Value(
                "`name` is missing; it says which algorithm, such as \"grpo\"".to_owned(),
            ));
        };
        let entry = ALGORITHMS.get(&name).map_err(|e| BuildError::Value(e.to_string()))?;
        (entry.build)(settings).map(|algorithm| *algorithm)
    }
}

/// The update rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    /// AdamW on every parameter.
    #[default]
    Adamw,
    /// Muon on the decoder's matrices with `muon_learning_rate`, AdamW on everything else.
    Muon,
}

/// The rules that values of both algorithms obey; each names its key.
mod check {
    use crate::registry::BuildError;

    pub(super) fn that(
        holds: bool,
        key: &str,
        value: impl std::fmt::Display,
        rule: &str,
    ) -> Result<(), BuildError> {
        if holds { Ok(()) } else { Err(BuildError::Value(format!("`{key}` is {value}; it must be {rule}"))) }
    }

    pub(super) fn positive(key: &str, value: f64) -> Result<(), BuildError> {
        that(value.is_finite() && value > 0.0, key, value, "above 0")
    }

    pub(super) fn not_negative(key: &str, value: f64) -> Result<(), BuildError> {
        that(value.is_finite() && value >= 0.0, key, value, "0 or more")
    }

    pub(super) fn fraction(key: &str, value: f64) -> Result<(), BuildError> {
        that((0.0..=1.0).contains(&value), key, value, "from 0 to 1")
    }

    pub(super) fn betas(betas: [f64; 2]) -> Result<(), BuildError> {
        let [first, second] = betas;
        let inside = |beta: f64| (0.0..1.0).contains(&beta);
        that(
            inside(first) && inside(second),
            "betas",
            format!("[{first}, {second}]"),
            "two numbers from 0 to below 1",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_has_defaults_or_says_what_it_needs() {
        assert!(matches!(from("name = 'grpo'"), Ok(Algorithm::Grpo(_))));
        let error = from("name = 'sft'").err().unwrap();
        assert_eq!(
            error,
            "`stages` is empty; it must be a list of stages, each with `name`, `steps` and `shares`"
        );
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        assert_eq!(
            from("name = 'gpro'").err().unwrap(),
            "no algorithm is called `gpro`; there are `grpo`, `sft`"
        );
        assert!(from("group = 6").err().unwrap().contains("`name` is missing"));
    }

    #[test]
    fn misspelt_keys_and_wrong_values_are_refused_by_name() {
        for (table, expected) in [
            ("group_size = 6", "unknown field `group_size`"),
            ("group = 1", "`group` is 1; it must be 2 or more"),
            ("clip_low = 1.0", "`clip_low` is 1; it must be above 0 and below 1"),
            ("kl_coefficient = -0.1", "`kl_coefficient` is -0.1; it must be 0 or more"),
            ("learning_rate = nan", "`learning_rate` is NaN; it must be above 0"),
            ("temperature = 0.0", "`temperature` is 0; it must be above 0"),
            ("warmup = 10", "`warmup` is 10; it must be from 0 to 1"),
            ("betas = [0.9, 1.0]", "`betas` is [0.9, 1]; it must be two numbers from 0 to below 1"),
            ("advantage = 'group'", "`advantage`: no advantage is called `group`; there are `group_std`"),
            ("advantage = { name = 'group_std', epsilon = 0.0 }", "`advantage`: `epsilon` is 0"),
            ("advantage = { epsilon = 0.1 }", "expected a name, or a table with `name` and settings"),
            ("kl = 3", "expected a name, or a table with `name` and settings"),
            ("optimizer = 'adam'", "unknown variant `adam`, expected `adamw` or `muon`"),
            ("updates_per_batch = 0", "`updates_per_batch` is 0; it must be 1 or more"),
        ] {
            let error = from(&format!("name = 'grpo'\n{table}")).err().unwrap();
            assert!(error.contains(expected), "{table}: {error}");
        }
    }

    pub(super) fn from(table: &str) -> Result<Algorithm, String> {
        Algorithm::from_table(&table.parse().unwrap()).map_err(|e| e.to_string())
    }
}
