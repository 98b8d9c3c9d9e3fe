//! Supervised learning from given answers, in stages: how a small base comes to half know its tasks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Algorithm, Optimizer, check};
use crate::{
    registry::{BuildError, Named},
    rl::rate::{self, Decay},
};

/// What a sample is shown as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// The picture; to be learnt: a list of what is on it and where. Grounds words in pictures.
    Caption,
    /// Picture and question; to be learnt: rationale and answer in the right format.
    Answer,
    /// Caption and question, no picture; to be learnt: rationale and answer in the right format.
    TextOnly,
    /// Question, no picture; to be learnt: of a choice its options in another order, each with its letter, of others the
    /// answer to a given rationale.
    Conclude,
    /// Words of a problem in random order; to be learnt: to say them again. Nothing but attention to what stood before
    /// helps, and whatever answers from a text needs it.
    Echo,
    /// As `Answer`, in one of several competing habits: broken formats, other rationales, guesses.
    Habit,
}

/// A part of the run with its own blend of forms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// What it is for, in logs: `ground`, `skill`, `habit`.
    pub name: String,
    /// Optimizer steps, 1 or more.
    pub steps: u64,
    /// Share of the samples shown in each form; they sum to 1.
    pub shares: BTreeMap<Form, f64>,
    /// Factor on the learning rates in this stage, > 0.
    #[serde(default = "one")]
    pub rate: f64,
}

fn one() -> f64 {
    1.0
}

/// The settings of supervised learning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Samples per optimizer step, 1 or more.
    pub batch: usize,
    /// Highest learning rate of AdamW.
    pub learning_rate: f64,
    /// Highest learning rate of Muon, for `optimizer = "muon"`.
    pub muon_learning_rate: f64,
    /// The update rule.
    pub optimizer: Optimizer,
    /// AdamW's weight decay, ≥ 0.
    pub weight_decay: f64,
    /// AdamW's averages of gradient and squared gradient, in [0, 1).
    pub betas: [f64; 2],
    /// Part of the run, in [0, 1], in which the learning rate rises.
    pub warmup: f64,
    /// What the learning rate does then.
    pub decay: Decay,
    /// Gradients are scaled down to this norm, > 0.
    pub max_gradient_norm: f64,
    /// What is shown when, one after another; at least one.
    pub stages: Vec<Stage>,
}

impl Default for Settings {
    /// Batch and update rule of the recipe that left chance soonest for a model of 1.2 M parameters: Muon on
    /// matrices reached a loss of .584 in 127 CPU-seconds, AdamW .595 in 155.
    fn default() -> Self {
        Self {
            batch: 32,
            learning_rate: 3e-4,
            muon_learning_rate: 1e-3,
            optimizer: Optimizer::Muon,
            weight_decay: 0.0,
            betas: [0.9, 0.999],
            warmup: 0.03,
            decay: Decay::Linear,
            max_gradient_norm: 1.0,
            stages: Vec::new(),
        }
    }
}

/// How far the shares of a stage may be from 1 in sum: shares of three digits round that far.
const SUM_TOLERANCE: f64 = 0.01;

/// [`Settings`] that were checked.
pub struct Sft {
    settings: Settings,
}

impl Named for Sft {
    const NAME: &'static str = "sft";
    const SUMMARY: &'static str = "Supervised learning from given answers, in stages";
    type Config = Settings;

    fn new(settings: Settings) -> Result<Self, BuildError> {
        let s = &settings;
        check::that(s.batch >= 1, "batch", s.batch, "1 or more")?;
        check::positive("learning_rate", s.learning_rate)?;
        check::positive("muon_learning_rate", s.muon_learning_rate)?;
        check::not_negative("weight_decay", s.weight_decay)?;
        check::betas(s.betas)?;
        check::fraction("warmup", s.warmup)?;
        check::positive("max_gradient_norm", s.max_gradient_norm)?;
        let rule = "a list of stages, each with `name`, `steps` and `shares`";
        check::that(!s.stages.is_empty(), "stages", "empty", rule)?;
        let mut steps = 0_u64;
        for stage in &s.stages {
            let key = |key: &str| format!("stages.{}.{key}", stage.name.escape_debug());
            check::that(stage.steps >= 1, &key("steps"), stage.steps, "1 or more")?;
            check::positive(&key("rate"), stage.rate)?;
            for (form, share) in &stage.shares {
                check::not_negative(&key(&format!("shares.{form:?}")), *share)?;
            }
            let sum: f64 = stage.shares.values().sum();
            check::that(
                (sum - 1.0).abs() <= SUM_TOLERANCE,
                &key("shares"),
                format!("{sum:.3} in sum"),
                "1 in sum",
            )?;
            steps = steps.checked_add(stage.steps).ok_or_else(|| {
                BuildError::Value("the steps of all stages are more than can be counted".to_owned())
            })?;
        }
        Ok(Self { settings })
    }
}

pub(super) fn build(table: toml::Table) -> Result<Box<Algorithm>, BuildError> {
    Ok(Box::new(Algorithm::Sft(Sft::new(table.try_into()?)?)))
}

impl Sft {
    /// What was set.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Optimizer steps of all stages together.
    pub fn steps(&self) -> u64 {
        self.settings.stages.iter().map(|stage| stage.steps).sum()
    }

    /// The stage that `step`, counted from 0, falls into; the last one for steps beyond.
    pub fn stage(&self, step: u64) -> &Stage {
        let mut until = 0;
        let stages = &self.settings.stages;
        let of_step = stages.iter().find(|stage| {
            until += stage.steps;
            step < until
        });
        of_step.unwrap_or(&stages[stages.len() - 1])
    }

    /// The form in which a sample is shown at `step`; `chance` is uniform on [0, 1).
    pub fn form(&self, step: u64, chance: f64) -> Form {
        let shares = &self.stage(step).shares;
        let sum: f64 = shares.values().sum();
        let mut until = 0.0;
        let drawn = shares.iter().filter(|(_, share)| **share > 0.0);
        let mut last = Form::Answer;
        for (form, share) in drawn {
            until += share / sum;
            last = *form;
            if chance < until {
                break;
            }
        }
        last
    }

    /// Factor on the learning rates at `step`, counted from 0.
    pub fn rate(&self, step: u64) -> f64 {
        rate::factor(step, self.steps(), self.settings.warmup, self.settings.decay) * self.stage(step).rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_STAGES: &str = "
        [[stages]]
        name = 'ground'
        steps = 3
        shares = { caption = 0.6, answer = 0.4 }
        [[stages]]
        name = 'habit'
        steps = 2
        rate = 0.5
        shares = { habit = 1.0 }
    ";

    #[test]
    fn steps_fall_into_their_stages() {
        let sft = sft(TWO_STAGES).unwrap();
        let names: Vec<&str> = (0..6).map(|step| sft.stage(step).name.as_str()).collect();
        assert_eq!(names, ["ground", "ground", "ground", "habit", "habit", "habit"]);
        assert_eq!(sft.steps(), 5);
    }

    #[test]
    fn forms_are_drawn_by_their_shares() {
        let sft = sft(TWO_STAGES).unwrap();
        assert_eq!([0.0, 0.59, 0.61, 0.999].map(|c| sft.form(0, c)), {
            use Form::{Answer, Caption};
            [Caption, Caption, Answer, Answer]
        });
        assert_eq!(sft.form(4, 0.3), Form::Habit);
    }

    #[test]
    fn stages_are_checked() {
        for (from, to, expected) in [
            ("answer = 0.4", "answer = 0.3", "`stages.ground.shares` is 0.900 in sum; it must be 1 in sum"),
            ("answer = 0.4", "anwser = 0.4", "unknown variant `anwser`"),
            ("answer = 0.4", "answer = -0.4", "`stages.ground.shares.Answer` is -0.4"),
            ("steps = 2", "steps = 0", "`stages.habit.steps` is 0; it must be 1 or more"),
            ("rate = 0.5", "rate = inf", "`stages.habit.rate` is inf; it must be above 0"),
            ("rate = 0.5", "ratio = 0.5", "unknown field `ratio`"),
        ] {
            let error = sft(&TWO_STAGES.replace(from, to)).err().unwrap();
            assert!(error.contains(expected), "{error}");
        }
    }

    fn sft(table: &str) -> Result<Sft, String> {
        let settings = toml::from_str::<Settings>(table).map_err(|e| e.to_string())?;
        Sft::new(settings).map_err(|e| e.to_string())
    }
}
