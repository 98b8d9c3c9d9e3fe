//! Group-relative policy optimization: several completions per prompt, each judged against its siblings.

use serde::{Deserialize, Serialize};

use super::{Algorithm, Optimizer, check};
use crate::{
    registry::{BuildError, Named},
    rl::{
        Choice,
        advantage::{ADVANTAGES, Advantage},
        kl::{KLS, Kl},
        loss::{Aggregation, Clip, Objective},
        rate::{self, Decay},
    },
};

/// The settings of GRPO (arXiv:2402.03300). The defaults are those with which MoDoMoDo (arXiv:2505.24871) trained
/// Qwen2-VL-2B, or, where the paper is silent, those of the trainer it used (TRL); both are named below.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Completions per prompt, 2 or more (paper: 6).
    pub group: usize,
    /// Rule that turns rewards into advantages (paper: `group_std` with epsilon 1e-4).
    pub advantage: Choice,
    /// Estimator of the KL divergence from the base (paper: `k3`).
    pub kl: Choice,
    /// Weight of the KL term in the loss, ≥ 0; 0 leaves it out (paper: 0.04).
    pub kl_coefficient: f64,
    /// The ratio of new to old probability pays down to 1 − this, in (0, 1) (TRL: 0.2).
    pub clip_low: f64,
    /// The ratio pays up to 1 + this, > 0 (TRL: 0.2; DAPO: 0.28).
    pub clip_high: f64,
    /// How per-token losses become one number (paper: `token_mean`).
    pub aggregation: Aggregation,
    /// Temperature at which completions are drawn and log-probabilities taken, > 0. The paper does not state it
    /// (TRL then: 0.9).
    pub temperature: f64,
    /// The most tokens of a completion (TRL: 256).
    pub max_new_tokens: usize,
    /// Highest learning rate (paper: 1e-6).
    pub learning_rate: f64,
    /// Highest learning rate of Muon, for `optimizer = "muon"`.
    pub muon_learning_rate: f64,
    /// Part of the run, in [0, 1], in which the learning rate rises (paper: 0.1).
    pub warmup: f64,
    /// What the learning rate does then (paper: `linear`).
    pub decay: Decay,
    /// AdamW's weight decay, ≥ 0 (TRL: 0).
    pub weight_decay: f64,
    /// AdamW's averages of gradient and squared gradient, in [0, 1) (paper: 0.9, 0.999).
    pub betas: [f64; 2],
    /// Gradients are scaled down to this norm, > 0 (TRL: 1).
    pub max_gradient_norm: f64,
    /// Optimizer steps on the completions of one rollout; with more than 1 the later ones are off-policy (paper: 1).
    pub updates_per_batch: usize,
    /// The update rule (paper: AdamW).
    pub optimizer: Optimizer,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            group: 6,
            advantage: Choice::named("group_std"),
            kl: Choice::named("k3"),
            kl_coefficient: 0.04,
            clip_low: 0.2,
            clip_high: 0.2,
            aggregation: Aggregation::TokenMean,
            temperature: 1.0,
            max_new_tokens: 256,
            learning_rate: 1e-6,
            muon_learning_rate: 1e-3,
            warmup: 0.1,
            decay: Decay::Linear,
            weight_decay: 0.0,
            betas: [0.9, 0.999],
            max_gradient_norm: 1.0,
            updates_per_batch: 1,
            optimizer: Optimizer::Adamw,
        }
    }
}

/// [`Settings`] that were checked, with the rules they name.
pub struct Grpo {
    settings: Settings,
    advantage: Box<dyn Advantage>,
    kl: Box<dyn Kl>,
}

impl Named for Grpo {
    const NAME: &'static str = "grpo";
    const SUMMARY: &'static str = "Several completions per prompt, each judged against its siblings";
    type Config = Settings;

    fn new(settings: Settings) -> Result<Self, BuildError> {
        let s = &settings;
        check::that(s.group >= 2, "group", s.group, "2 or more")?;
        check::not_negative("kl_coefficient", s.kl_coefficient)?;
        check::that(s.clip_low > 0.0 && s.clip_low < 1.0, "clip_low", s.clip_low, "above 0 and below 1")?;
        check::positive("clip_high", s.clip_high)?;
        check::positive("temperature", s.temperature)?;
        check::that(s.max_new_tokens >= 1, "max_new_tokens", s.max_new_tokens, "1 or more")?;
        check::positive("learning_rate", s.learning_rate)?;
        check::positive("muon_learning_rate", s.muon_learning_rate)?;
        check::fraction("warmup", s.warmup)?;
        check::not_negative("weight_decay", s.weight_decay)?;
        check::betas(s.betas)?;
        check::positive("max_gradient_norm", s.max_gradient_norm)?;
        check::that(s.updates_per_batch >= 1, "updates_per_batch", s.updates_per_batch, "1 or more")?;
        let advantage = s.advantage.build("advantage", &ADVANTAGES)?;
        let kl = s.kl.build("kl", &KLS)?;
        Ok(Self { settings, advantage, kl })
    }
}

pub(super) fn build(table: toml::Table) -> Result<Box<Algorithm>, BuildError> {
    Ok(Box::new(Algorithm::Grpo(Grpo::new(table.try_into()?)?)))
}

impl Grpo {
    /// What was set.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The rule that turns the rewards of a batch into advantages.
    pub fn advantage(&self) -> &dyn Advantage {
        &*self.advantage
    }

    /// What a policy update descends, with the coefficient of the settings.
    pub fn objective(&self) -> Objective<'_> {
        Objective {
            clip: Clip { low: self.settings.clip_low, high: self.settings.clip_high },
            aggregation: self.settings.aggregation,
            kl: &*self.kl,
            kl_coefficient: self.settings.kl_coefficient,
        }
    }

    /// Factor in [0, 1] on the learning rates at `step` of `steps`, counted from 0.
    pub fn rate(&self, step: u64, steps: u64) -> f64 {
        rate::factor(step, steps, self.settings.warmup, self.settings.decay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_paper() {
        let grpo = Grpo::new(toml::Table::new().try_into().unwrap()).unwrap();
        let s = grpo.settings();
        assert_eq!((s.group, s.kl_coefficient, s.learning_rate, s.warmup), (6, 0.04, 1e-6, 0.1));
        assert_eq!(grpo.objective().clip, Clip { low: 0.2, high: 0.2 });
        // TRL's epsilon of 1e-4: ½ / (√⅓ + 1e-4).
        let advantages = grpo.advantage().advantages(&[vec![1.0, 0.0, 0.0, 1.0]]);
        assert!((advantages[0][0] - 0.865875).abs() < 1e-6);
        assert!((grpo.rate(0, 20) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn settings_read_back_as_they_were_written() {
        let table = "advantage = { name = 'group_std', epsilon = 1e-6 }\nkl = 'k1'\naggregation = 'constant'";
        let settings: Settings = toml::from_str(table).unwrap();
        assert_eq!(toml::from_str::<Settings>(&toml::to_string(&settings).unwrap()).unwrap(), settings);
        let json = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&json).unwrap(), settings);
    }
}
