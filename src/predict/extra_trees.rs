//! Extremely randomised trees (Geurts et al. 2006): every split at a random place of every dataset, the best kept.
//!
//! The best trees for few runs, and the only method apart from the Gaussian processes that stays close to them at
//! all sizes. They cannot leave the range of the scores seen.

use rand::Rng;

use super::{
    FitError, Method, Observation, Predictor, check, entry,
    plain::{Plain, Surface, canonical},
};
use crate::{
    registry::{BuildError, Entry, Named},
    seed::Seed,
};

pub(super) const ENTRY: Entry<dyn Method> = entry::<ExtraTrees>();

struct ExtraTrees {
    trees: usize,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default = "default_trees")]
    trees: usize,
}

fn default_trees() -> usize {
    300
}

impl Named for ExtraTrees {
    const NAME: &'static str = "extra_trees";
    const SUMMARY: &'static str = "Extremely randomised trees on √share";
    type Config = Config;

    fn new(config: Config) -> Result<Self, BuildError> {
        if config.trees == 0 || config.trees > 100_000 {
            return Err(BuildError::Value(format!(
                "`trees` is {}; it must be from 1 to 100000",
                config.trees
            )));
        }
        Ok(Self { trees: config.trees })
    }
}

impl Method for ExtraTrees {
    fn fit(&self, runs: &[Observation]) -> Result<Box<dyn Predictor>, FitError> {
        check(Self::NAME, 3, runs)?;
        Ok(Box::new(Plain::fit(runs, Vec::new(), |runs| grow(runs, self.trees))))
    }
}

fn grow(runs: &[Observation], trees: usize) -> Surface {
    let order = canonical(runs);
    let roots = |shares: &[f64]| order.iter().map(|&i| shares[i].max(0.0).sqrt()).collect::<Vec<f64>>();
    let inputs: Vec<Vec<f64>> = runs.iter().map(|run| roots(&run.shares)).collect();
    let scores: Vec<f64> = runs.iter().map(|run| run.score).collect();
    let seed = Seed::new(0).child("extra_trees");
    let tree = |number: usize| {
        let mut nodes = Vec::new();
        let rows: Vec<usize> = (0..scores.len()).collect();
        split(&inputs, &scores, rows, &mut seed.child(number).rng(), &mut nodes);
        nodes
    };
    let trees: Vec<Vec<Node>> = (0..trees).map(tree).collect();
    Box::new(move |shares| {
        let at: Vec<f64> = order.iter().map(|&i| shares[i].max(0.0).sqrt()).collect();
        trees.iter().map(|nodes| leaf(nodes, &at)).sum::<f64>() / trees.len() as f64
    })
}

/// A tree as a list: an inner node's left child follows it.
enum Node {
    Leaf(f64),
    Split { dataset: usize, below: f64, right: usize },
}

fn leaf(nodes: &[Node], at: &[f64]) -> f64 {
    let mut place = 0;
    loop {
        match &nodes[place] {
            Node::Leaf(mean) => return *mean,
            Node::Split { dataset, below, right } => {
                place = if at[*dataset] < *below { place + 1 } else { *right };
            }
        }
    }
}

fn split(inputs: &[Vec<f64>], scores: &[f64], rows: Vec<usize>, rng: &mut impl Rng, nodes: &mut Vec<Node>) {
    let mean = rows.iter().map(|&row| scores[row]).sum::<f64>() / rows.len() as f64;
    let mut best: Option<(f64, usize, f64)> = None;
    if rows.iter().any(|&row| scores[row] != scores[rows[0]]) {
        #[expect(clippy::needless_range_loop, reason = "a column, not a row")]
        for dataset in 0..inputs[0].len() {
            let values = rows.iter().map(|&row| inputs[row][dataset]);
            let (low, high) =
                values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
            if high <= low {
                continue;
            }
            // Above the lowest, so that both sides have a run.
            let below = high - (high - low) * rng.random::<f64>();
            let (mut count, mut sum) = (0.0, 0.0);
            for &row in rows.iter().filter(|&&row| inputs[row][dataset] < below) {
                count += 1.0;
                sum += scores[row] - mean;
            }
            let rest = rows.len() as f64 - count;
            if count == 0.0 || rest == 0.0 {
                continue;
            }
            // The sum on the other side is −sum: variance explained, but for a constant.
            let gain = sum * sum * (1.0 / count + 1.0 / rest);
            if best.is_none_or(|(most, ..)| gain > most) {
                best = Some((gain, dataset, below));
            }
        }
    }
    let Some((_, dataset, below)) = best else {
        nodes.push(Node::Leaf(mean));
        return;
    };
    let (left, right): (Vec<usize>, Vec<usize>) =
        rows.into_iter().partition(|&row| inputs[row][dataset] < below);
    let own = nodes.len();
    nodes.push(Node::Leaf(mean));
    split(inputs, scores, left, rng, nodes);
    nodes[own] = Node::Split { dataset, below, right: nodes.len() };
    split(inputs, scores, right, rng, nodes);
}
