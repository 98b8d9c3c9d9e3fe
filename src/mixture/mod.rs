//! A point on the simplex: each dataset's share of the prompt groups per optimizer step.

pub mod constraint;
pub mod design;
pub mod draw_rule;
pub mod limit;
pub mod named;
mod polytope;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::name::Name;

/// What the integer shares of a mixture sum to.
pub const PARTS: u32 = 1_000_000;

/// Shares by dataset name, quantised once to integers that sum to [`PARTS`]; a share may be zero.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<Name, u32>", into = "BTreeMap<Name, u32>")]
pub struct Mixture(BTreeMap<Name, u32>);

/// Shares that make no mixture.
#[derive(Debug, thiserror::Error)]
pub enum BadMixture {
    /// A share is negative, infinite or not a number.
    #[error("the share of `{0}` is {1}; shares are numbers from 0 to 1")]
    Share(Name, f64),
    /// The sum is too far from 1 to be rounding.
    #[error("the shares sum to {0:.4}, not to 1")]
    Sum(f64),
    /// Integer shares with a wrong sum.
    #[error("the integer shares sum to {0}, not to {PARTS}")]
    Parts(u64),
    /// No dataset at all.
    #[error("a mixture needs at least one dataset")]
    Empty,
}

/// Share of the budget that two mixtures spend differently, in [0, 1] (total variation).
pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0
}

/// How far the sum of given shares may be from 1: three-digit shares of many datasets round that far.
const SUM_TOLERANCE: f64 = 0.01;

impl Mixture {
    /// From shares that sum to 1 within 0.01; quantised by largest remainders (ties: first name first).
    pub fn new(shares: &BTreeMap<Name, f64>) -> Result<Self, BadMixture> {
        if shares.is_empty() {
            return Err(BadMixture::Empty);
        }
        if let Some((name, share)) = shares.iter().find(|(_, s)| !s.is_finite() || **s < 0.0) {
            return Err(BadMixture::Share(name.clone(), *share));
        }
        let sum: f64 = shares.values().sum();
        if (sum - 1.0).abs() > SUM_TOLERANCE {
            return Err(BadMixture::Sum(sum));
        }
        let exact: Vec<f64> = shares.values().map(|s| s / sum * f64::from(PARTS)).collect();
        let mut parts: Vec<u32> = exact.iter().map(|e| e.floor() as u32).collect();
        let missing = PARTS - parts.iter().sum::<u32>();
        let mut order: Vec<usize> = (0..parts.len()).collect();
        order.sort_by(|&a, &b| exact[b].fract().total_cmp(&exact[a].fract()).then(a.cmp(&b)));
        for &i in order.iter().take(missing as usize) {
            parts[i] += 1;
        }
        Ok(Self(shares.keys().cloned().zip(parts).collect()))
    }

    /// Equal shares.
    pub fn uniform<'a>(datasets: impl IntoIterator<Item = &'a Name>) -> Result<Self, BadMixture> {
        let names: Vec<&Name> = datasets.into_iter().collect();
        let share = 1.0 / names.len() as f64;
        Self::new(&names.into_iter().map(|n| (n.clone(), share)).collect())
    }

    /// Dataset and integer share, by name.
    pub fn parts(&self) -> impl Iterator<Item = (&Name, u32)> {
        self.0.iter().map(|(name, parts)| (name, *parts))
    }

    /// Dataset and share in [0, 1], by name.
    pub fn shares(&self) -> impl Iterator<Item = (&Name, f64)> {
        self.parts().map(|(name, parts)| (name, f64::from(parts) / f64::from(PARTS)))
    }

    /// Share of one dataset in [0, 1]; 0 for one that is not named.
    pub fn share(&self, dataset: &Name) -> f64 {
        f64::from(self.0.get(dataset).copied().unwrap_or(0)) / f64::from(PARTS)
    }

    /// Shares in the order of `datasets`: how predictors see a mixture.
    pub fn vector(&self, datasets: &[Name]) -> Vec<f64> {
        datasets.iter().map(|name| self.share(name)).collect()
    }

    /// `detect .25 refer .75`, for tables and logs.
    pub fn brief(&self) -> String {
        let (names, shares): (Vec<&Name>, Vec<f64>) = self.shares().unzip();
        brief(&names, &shares)
    }
}

/// Datasets that [`brief`] names.
const NAMED: usize = 10;

/// `detect .25 refer .75`: datasets with a share of .005 or more, in their order; of many the largest, and how many
/// more there are.
pub fn brief(datasets: &[impl std::borrow::Borrow<Name>], shares: &[f64]) -> String {
    let mut shown: Vec<usize> = (0..shares.len()).filter(|&i| shares[i] >= 0.005).collect();
    let more = shown.len().saturating_sub(NAMED);
    if more > 0 {
        shown.sort_by(|&a, &b| shares[b].total_cmp(&shares[a]));
        shown.truncate(NAMED);
    }
    let one = |&i: &usize| {
        let text = format!("{:.2}", shares[i]);
        format!("{} {}", datasets[i].borrow(), text.strip_prefix('0').unwrap_or(&text))
    };
    let mut words: Vec<String> = shown.iter().map(one).collect();
    if more > 0 {
        words.push(format!("and {more} smaller"));
    }
    words.join(" ")
}

impl TryFrom<BTreeMap<Name, u32>> for Mixture {
    type Error = BadMixture;

    fn try_from(parts: BTreeMap<Name, u32>) -> Result<Self, BadMixture> {
        let sum: u64 = parts.values().map(|p| u64::from(*p)).sum();
        match (parts.is_empty(), sum == u64::from(PARTS)) {
            (true, _) => Err(BadMixture::Empty),
            (_, false) => Err(BadMixture::Parts(sum)),
            _ => Ok(Self(parts)),
        }
    }
}

impl From<Mixture> for BTreeMap<Name, u32> {
    fn from(mixture: Mixture) -> Self {
        mixture.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(of: &[(&str, f64)]) -> BTreeMap<Name, f64> {
        of.iter().map(|(n, s)| (n.parse().unwrap(), *s)).collect()
    }

    #[test]
    fn thirds_are_quantised_by_largest_remainders() {
        // 333 333.3 each: one part is missing, the first name gets it.
        let third = Mixture::new(&shares(&[("a", 1.0 / 3.0), ("b", 1.0 / 3.0), ("c", 1.0 / 3.0)])).unwrap();
        assert_eq!(third.parts().map(|p| p.1).collect::<Vec<_>>(), [333_334, 333_333, 333_333]);
    }

    #[test]
    fn shares_far_from_one_are_refused() {
        let error = Mixture::new(&shares(&[("a", 0.5), ("b", 0.47)])).unwrap_err().to_string();
        assert_eq!(error, "the shares sum to 0.9700, not to 1");
        assert!(Mixture::new(&shares(&[("a", f64::NAN)])).is_err());
        assert!(Mixture::new(&shares(&[("a", 1.5), ("b", -0.5)])).is_err());
    }
}
