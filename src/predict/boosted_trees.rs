//! Gradient-boosted regression trees with settings for few runs.
//!
//! RegMix's LightGBM keeps 20 runs per leaf and so predicts the mean from fewer than 40; three per leaf start to
//! follow at ten (Spearman .55 and .91 at 10 and 50 runs of RegMix).

use super::{
    FitError, Method, Observation, Predictor, check, entry,
    plain::{Plain, Surface, canonical},
};
use crate::registry::{BuildError, Entry, Named};

pub(super) const ENTRY: Entry<dyn Method> = entry::<BoostedTrees>();

struct BoostedTrees(Config);

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// Trees.
    trees: usize,
    /// How much of each tree is added, in (0, 1].
    rate: f64,
    /// Splits from the root to a leaf, at most.
    depth: usize,
    /// Runs in a leaf, at least.
    runs_per_leaf: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { trees: 300, rate: 0.05, depth: 4, runs_per_leaf: 3 }
    }
}

impl Named for BoostedTrees {
    const NAME: &'static str = "boosted_trees";
    const SUMMARY: &'static str = "Gradient-boosted trees, three runs per leaf";
    type Config = Config;

    fn new(config: Config) -> Result<Self, BuildError> {
        let Config { trees, rate, depth, runs_per_leaf } = &config;
        if *trees == 0 || *trees > 100_000 || *depth == 0 || *runs_per_leaf == 0 {
            return Err(BuildError::Value(
                "`trees`, `depth` and `runs_per_leaf` must be 1 or more, and `trees` at most 100000"
                    .to_owned(),
            ));
        }
        if !(*rate > 0.0 && *rate <= 1.0) {
            return Err(BuildError::Value(format!("`rate` is {rate}; it must be above 0 and at most 1")));
        }
        Ok(Self(config))
    }
}

impl Method for BoostedTrees {
    fn fit(&self, runs: &[Observation]) -> Result<Box<dyn Predictor>, FitError> {
        check(Self::NAME, 2 * self.0.runs_per_leaf, runs)?;
        Ok(Box::new(Plain::fit(runs, Vec::new(), |runs| boost(runs, &self.0))))
    }
}

struct Split {
    dataset: usize,
    below: f64,
    left: Tree,
    right: Tree,
}

enum Tree {
    Leaf(f64),
    Split(Box<Split>),
}

impl Tree {
    fn at(&self, shares: &[f64]) -> f64 {
        match self {
            Self::Leaf(mean) => *mean,
            Self::Split(s) => (if shares[s.dataset] < s.below { &s.left } else { &s.right }).at(shares),
        }
    }
}

fn boost(runs: &[Observation], config: &Config) -> Surface {
    let order = canonical(runs);
    let n = runs.len();
    let start = runs.iter().map(|run| run.score).sum::<f64>() / n as f64;
    let mut rest: Vec<f64> = runs.iter().map(|run| run.score - start).collect();
    // Runs by share of each dataset, sorted once.
    let sorted: Vec<(usize, Vec<usize>)> = order
        .iter()
        .map(|&dataset| {
            let mut rows: Vec<usize> = (0..n).collect();
            rows.sort_by(|&a, &b| runs[a].shares[dataset].total_cmp(&runs[b].shares[dataset]));
            (dataset, rows)
        })
        .collect();
    let mut trees = Vec::with_capacity(config.trees);
    for _ in 0..config.trees {
        let tree = grow(runs, &rest, &sorted, &vec![true; n], config.depth, config.runs_per_leaf);
        for (rest, run) in rest.iter_mut().zip(runs) {
            *rest -= config.rate * tree.at(&run.shares);
        }
        trees.push(tree);
    }
    let rate = config.rate;
    Box::new(move |shares| start + rate * trees.iter().map(|tree| tree.at(shares)).sum::<f64>())
}

fn grow(
    runs: &[Observation],
    rest: &[f64],
    sorted: &[(usize, Vec<usize>)],
    inside: &[bool],
    depth: usize,
    least: usize,
) -> Tree {
    let (mut count, mut sum) = (0, 0.0);
    for (rest, _) in rest.iter().zip(inside).filter(|(_, inside)| **inside) {
        count += 1;
        sum += rest;
    }
    let mean = sum / f64::from(count.max(1));
    if depth == 0 || (count as usize) < 2 * least {
        return Tree::Leaf(mean);
    }
    let mut best: Option<(f64, usize, f64)> = None;
    for (dataset, rows) in sorted {
        let (mut before, mut left) = (0, 0.0);
        let mut last: Option<f64> = None;
        for &row in rows.iter().filter(|&&row| inside[row]) {
            let share = runs[row].shares[*dataset];
            let after = count - before;
            if let Some(last) = last
                && share > last
                && before as usize >= least
                && after as usize >= least
            {
                let gain = left * left * (1.0 / f64::from(before) + 1.0 / f64::from(after));
                // Equal but for rounding is equal: the first dataset in canonical order keeps it.
                if best.is_none_or(|(most, ..)| gain > most * (1.0 + 1e-9)) {
                    best = Some((gain, *dataset, f64::midpoint(last, share)));
                }
            }
            before += 1;
            left += rest[row] - mean;
            last = Some(share);
        }
    }
    let Some((_, dataset, below)) = best else { return Tree::Leaf(mean) };
    let side = |low: bool| -> Vec<bool> {
        inside.iter().zip(runs).map(|(inside, run)| *inside && (run.shares[dataset] < below) == low).collect()
    };
    let child = |low: bool| grow(runs, rest, sorted, &side(low), depth - 1, least);
    Tree::Split(Box::new(Split { dataset, below, left: child(true), right: child(false) }))
}
