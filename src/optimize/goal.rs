//! What is to be made large, put to predictions: a weighted sum or the worst of several gains, and guardrails beside it.
//!
//! Nothing is fitted here, so that another goal costs one search.

use serde::{Deserialize, Serialize};

use super::{Objective, Optimizer, Optimum, Surface};
use crate::{
    mixture::{constraint::Region, named::Interval},
    predict::skill::Skill,
    seed::Seed,
};

/// Violations of guardrails below this, in standard deviations of their scores, are rounding.
const ROUNDING: f64 = 1e-9;

/// What a mixture is chosen for.
pub struct Goal {
    /// What is made large.
    pub aim: Aim,
    /// What must not get worse.
    pub guardrails: Vec<Guardrail>,
}

/// What is made large.
pub enum Aim {
    /// The surface's own weighted sum.
    Sum,
    /// The smallest of several weighted gains over a reference mixture.
    Worst {
        /// Target and weight, negative to minimise.
        members: Vec<(usize, f64)>,
        /// Shares of the reference.
        over: Vec<f64>,
    },
}

/// "Not worse than a reference mixture by more than `within`, with this chance": as people write it.
///
/// ```toml
/// guardrails = [{ score = "chart", within = 0.01 }]      # chance = 0.9, than = "uniform"
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rail {
    /// A benchmark, `In-Score`, `Out-Score`, `Overall`, or a column.
    pub score: String,
    /// Whether a small score is the good one.
    #[serde(default)]
    pub minimize: bool,
    /// What may be lost, in the unit of the score; 0 or more.
    pub within: f64,
    /// How sure that must be, in (0, 1).
    #[serde(default = "nine_of_ten")]
    pub chance: f64,
    /// Compared with what.
    #[serde(default)]
    pub than: Than,
}

/// The chance of a guardrail that names none.
pub fn nine_of_ten() -> f64 {
    0.9
}

impl Rail {
    /// Values that have the right type and are still wrong.
    pub fn check(&self) -> Result<(), String> {
        let Self { score, within, chance, .. } = self;
        if !(*within >= 0.0 && within.is_finite()) {
            return Err(format!(
                "the guardrail on `{score}` allows a loss of {within}; it must be 0 or more"
            ));
        }
        if !(*chance > 0.0 && *chance < 1.0) {
            return Err(format!(
                "the guardrail on `{score}` asks for a chance of {chance}; it must lie between 0 and 1"
            ));
        }
        Ok(())
    }
}

/// What a guardrail compares with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Than {
    /// Equal shares.
    #[default]
    Uniform,
    /// The mixture of the highest mean score.
    Best,
    /// Shares in proportion to the datasets' sizes.
    Natural,
}

impl std::fmt::Display for Than {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Uniform => "uniform shares",
            Self::Best => "the best mixture observed",
            Self::Natural => "natural shares",
        })
    }
}

/// A [`Rail`] on a surface.
#[derive(Clone, Debug)]
pub struct Guardrail {
    /// What it guards: a benchmark, an aggregate, a column.
    pub name: String,
    /// Targets in it, with their weights: a large sum is good.
    pub members: Vec<(usize, f64)>,
    /// What may be lost, in the unit of the score; 0 or more.
    pub within: f64,
    /// How sure that must be, in (0, 1).
    pub chance: f64,
    /// Shares of the reference.
    pub than: Vec<f64>,
    /// The reference in words.
    pub than_words: String,
    /// How far predictions of it may be trusted.
    pub skill: Skill,
    /// Standard deviation of its scores over the runs: the unit in which violations are weighed.
    pub unit: f64,
}

/// What became of a guardrail at the proposal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// What it guards.
    pub name: String,
    /// Than which mixture, in words.
    pub than: String,
    /// What may be lost.
    pub within: f64,
    /// How sure that must be.
    pub asked: f64,
    /// Chance, in [0, 1], that no more is lost.
    pub chance: f64,
    /// Expected gain over the reference.
    pub gain: Interval,
    /// Whether `chance` is what was asked.
    pub kept: bool,
    /// Whether it holds the proposal back.
    pub binding: bool,
}

impl Guardrail {
    /// By how much it is kept, in the unit of the score; below 0 it is not. `quantile`: [`Self::quantile`].
    fn slack(&self, surface: &Surface, shares: &[f64], quantile: f64) -> f64 {
        let gain = surface.difference_of(&self.members, shares, &self.than);
        gain.mean + self.within - quantile * gain.sd
    }

    /// Standard deviations (as the predictor gives them) that must lie between the expected loss and `within`.
    fn quantile(&self) -> f64 {
        self.skill.half_width(1.0, 2.0 * self.chance - 1.0)
    }

    /// Chance, in [0, 1], that no more is lost than allowed.
    pub fn chance_kept(&self, surface: &Surface, shares: &[f64]) -> f64 {
        let gain = surface.difference_of(&self.members, shares, &self.than);
        self.skill.chance_above_zero(gain.mean + self.within, gain.sd)
    }

    /// What became of it at `shares`.
    pub fn kept(&self, surface: &Surface, shares: &[f64]) -> Kept {
        let gain = surface.difference_of(&self.members, shares, &self.than);
        let half = self.skill.half_width(gain.sd, super::proposal::COVERAGE);
        let slack = self.slack(surface, shares, self.quantile());
        Kept {
            name: self.name.clone(),
            than: self.than_words.clone(),
            within: self.within,
            asked: self.chance,
            chance: self.skill.chance_above_zero(gain.mean + self.within, gain.sd),
            gain: Interval { mean: gain.mean, low: gain.mean - half, high: gain.mean + half },
            kept: slack >= -ROUNDING * self.unit,
            binding: slack < 1e-3 * self.unit && self.within + gain.sd > 0.0,
        }
    }
}

impl Kept {
    /// The guardrail as a sentence.
    pub fn sentence(&self) -> String {
        format!(
            "`{}` not below {} by more than {} with {:.0} %",
            self.name,
            self.than,
            self.within,
            100.0 * self.asked
        )
    }
}

/// Guardrails at one point, of which the quantiles are known.
struct Rails<'a> {
    surface: &'a Surface,
    rails: Vec<(&'a Guardrail, f64)>,
}

impl Rails<'_> {
    /// Sum of all violations, each in standard deviations of its score.
    fn violation(&self, shares: &[f64]) -> f64 {
        let one = |(rail, quantile): &(&Guardrail, f64)| {
            (-rail.slack(self.surface, shares, *quantile) / rail.unit).max(0.0)
        };
        self.rails.iter().map(one).sum()
    }
}

/// The base less the violation of guardrails; with an infinite price, a wall.
struct Priced<'a> {
    base: &'a dyn Objective,
    rails: &'a Rails<'a>,
    price: f64,
}

impl Objective for Priced<'_> {
    fn value(&self, shares: &[f64]) -> f64 {
        let violation = self.rails.violation(shares);
        if violation <= ROUNDING {
            self.base.value(shares)
        } else {
            self.base.value(shares) - self.price * violation
        }
    }

    fn slope(&self, shares: &[f64]) -> Option<Vec<f64>> {
        if self.rails.violation(shares) > 0.0 { None } else { self.base.slope(shares) }
    }
}

/// The smallest of several gains, rounded off at its kinks by `softness`, in the unit of the gains; 0 is exact.
struct Worst<'a> {
    surface: &'a Surface,
    members: &'a [(usize, f64)],
    /// What each member is at the reference.
    at_reference: Vec<f64>,
    softness: f64,
}

impl Worst<'_> {
    fn gains(&self, shares: &[f64]) -> Vec<f64> {
        let members = self.members.iter().zip(&self.at_reference);
        members.map(|((i, weight), at)| weight * self.surface.predictors()[*i].mean(shares) - at).collect()
    }

    /// How much each member counts for the slope.
    fn parts(&self, gains: &[f64]) -> Vec<f64> {
        let least = gains.iter().copied().fold(f64::INFINITY, f64::min);
        if self.softness == 0.0 {
            let first = gains.iter().position(|gain| *gain == least);
            return (0..gains.len()).map(|i| f64::from(u8::from(Some(i) == first))).collect();
        }
        let raw: Vec<f64> = gains.iter().map(|gain| ((least - gain) / self.softness).exp()).collect();
        let sum: f64 = raw.iter().sum();
        raw.into_iter().map(|part| part / sum).collect()
    }
}

impl Objective for Worst<'_> {
    fn value(&self, shares: &[f64]) -> f64 {
        let gains = self.gains(shares);
        let least = gains.iter().copied().fold(f64::INFINITY, f64::min);
        if self.softness == 0.0 {
            return least;
        }
        let sum: f64 = gains.iter().map(|gain| ((least - gain) / self.softness).exp()).sum();
        least - self.softness * sum.ln()
    }

    fn slope(&self, shares: &[f64]) -> Option<Vec<f64>> {
        let parts = self.parts(&self.gains(shares));
        let mut sum = vec![0.0; shares.len()];
        for ((i, weight), part) in self.members.iter().zip(parts).filter(|(_, part)| *part > 0.0) {
            let slope = self.surface.predictors()[*i].slope(shares)?;
            sum.iter_mut().zip(slope).for_each(|(sum, slope)| *sum += part * weight * slope);
        }
        Some(sum)
    }
}

/// How a goal is searched for.
pub struct Search<'a> {
    /// How to search.
    pub optimizer: &'a dyn Optimizer,
    /// Mixtures to start from.
    pub starts: &'a [Vec<f64>],
    /// Of random starts.
    pub seed: Seed,
}

/// The best mixture of `region` for a goal. Guardrails that nothing allowed keeps are broken as little as was found:
/// see [`Guardrail::kept`].
pub fn maximize(surface: &Surface, goal: &Goal, region: &Region, search: &Search) -> Optimum {
    let run = |objective: &dyn Objective, starts: &[Vec<f64>]| {
        search.optimizer.maximize(objective, region, starts, search.seed)
    };
    // The last one is what is asked; those before it lead there.
    let worst = match &goal.aim {
        Aim::Sum => Vec::new(),
        Aim::Worst { members, over } => [0.3, 0.05, 0.01, 0.0]
            .map(|softness| {
                let at = members.iter().map(|(i, weight)| weight * surface.predictors()[*i].mean(over));
                Worst { surface, members, at_reference: at.collect(), softness }
            })
            .into(),
    };
    let mut bases: Vec<&dyn Objective> = worst.iter().map(|one| one as &dyn Objective).collect();
    if bases.is_empty() {
        bases.push(surface);
    }
    let mut starts = search.starts.to_vec();
    let mut best = run(bases[0], &starts);
    for base in &bases[1..] {
        starts.insert(0, best.shares);
        best = run(*base, &starts);
    }
    if goal.guardrails.is_empty() {
        return best;
    }
    let rails =
        Rails { surface, rails: goal.guardrails.iter().map(|rail| (rail, rail.quantile())).collect() };
    if rails.violation(&best.shares) <= ROUNDING {
        return best;
    }
    let base = bases[bases.len() - 1];
    // A price per violation that ends above whatever breaking them gains (exact penalty); then a wall, from the best
    // point that is just inside.
    let safe = region.project(&goal.guardrails[0].than);
    let spread = (base.value(&best.shares) - base.value(&safe)).abs().max(1e-9);
    starts.insert(0, safe.clone());
    let mut price = spread;
    for _ in 0..4 {
        starts.insert(0, best.shares);
        best = run(&Priced { base, rails: &rails, price }, &starts);
        if rails.violation(&best.shares) <= ROUNDING {
            break;
        }
        price *= 10.0;
    }
    let kept = |shares: &[f64]| rails.violation(shares) <= ROUNDING && region.violation(shares) <= 1e-9;
    if !kept(&best.shares) {
        if !kept(&safe) {
            return best;
        }
        best.shares = between(&safe, &best.shares, &kept);
    }
    run(&Priced { base, rails: &rails, price: f64::INFINITY }, &[best.shares, safe])
}

/// The point on the way from `inside` towards `outside` that is the furthest inside, by bisection.
fn between(inside: &[f64], outside: &[f64], kept: &dyn Fn(&[f64]) -> bool) -> Vec<f64> {
    let at = |t: f64| -> Vec<f64> { inside.iter().zip(outside).map(|(a, b)| a + t * (b - a)).collect() };
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..50 {
        let middle = f64::midpoint(low, high);
        if kept(&at(middle)) {
            low = middle;
        } else {
            high = middle;
        }
    }
    at(low)
}
