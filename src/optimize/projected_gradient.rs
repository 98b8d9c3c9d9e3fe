//! Projected gradient ascent from many starts, then exchanges between pairs of datasets until none gains.
//!
//! Every point tried is the exact projection onto the allowed mixtures, so tight caps cost nothing: rejection
//! sampling, as RegMix does it, finds 0 allowed of 100 000 there. Exchanges finish what a gradient cannot: √share
//! has an infinite slope at 0, and predictors of trees have none.

use rayon::prelude::*;

use super::{Objective, Optimizer, Optimum, entry, value_of};
use crate::{
    mixture::{constraint::Region, distance},
    registry::{BuildError, Entry, Named},
    seed::Seed,
};

pub(super) const ENTRY: Entry<dyn Optimizer> = entry::<ProjectedGradient>();

struct ProjectedGradient {
    starts: usize,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Random starts, besides the centre, the vertices and those given.
    #[serde(default = "default_starts")]
    starts: usize,
}

fn default_starts() -> usize {
    16
}

impl Named for ProjectedGradient {
    const NAME: &'static str = "projected_gradient";
    const SUMMARY: &'static str = "Projected gradient from many starts, then pairwise exchanges";
    type Config = Config;

    fn new(config: Config) -> Result<Self, BuildError> {
        if config.starts > 100_000 {
            return Err(BuildError::Value(format!("`starts` is {}; 100000 is plenty", config.starts)));
        }
        Ok(Self { starts: config.starts })
    }
}

/// Mixtures given that are begun from: climbing from the best dozen finds what climbing from hundreds does.
const GIVEN: usize = 12;

impl Optimizer for ProjectedGradient {
    fn maximize(
        &self,
        objective: &dyn Objective,
        region: &Region,
        starts: &[Vec<f64>],
        seed: Seed,
    ) -> Optimum {
        let d = region.datasets().len();
        let mut all: Vec<Vec<f64>> = starts.iter().take(GIVEN).cloned().collect();
        all.push(vec![1.0 / d as f64; d]);
        all.extend((0..d).map(|i| (0..d).map(|j| f64::from(u8::from(i == j))).collect()));
        let mut rng = seed.child("starts").rng();
        all.extend((0..self.starts).map(|_| {
            let draws: Vec<f64> =
                (0..d).map(|_| rand_distr::Distribution::sample(&rand_distr::Exp1, &mut rng)).collect();
            let sum: f64 = draws.iter().sum();
            draws.into_iter().map(|draw: f64| draw / sum).collect()
        }));
        // The best dozen, and a few of the others in case their hill is the higher one.
        let mut allowed: Vec<(f64, Vec<f64>)> = all
            .par_iter()
            .map(|start| {
                let start = region.project(start);
                (value_of(objective, &start), start)
            })
            .collect();
        allowed.sort_by(|a, b| b.0.total_cmp(&a.0));
        let rest = allowed.split_off(allowed.len().min(12));
        // Every fifth of a few datasets, a dozen of hundreds.
        let step = rest.len().div_ceil(12).max(5);
        allowed.extend(rest.into_iter().step_by(step));
        let starts = allowed.into_par_iter().map(|(value, shares)| Climb { shares, value, step: 0.1 });
        let mut begun: Vec<Climb> = starts.map(|start| start.up(objective, region, LOOK)).collect();
        begun.sort_by(|a, b| b.value.total_cmp(&a.value));
        // Climbs that have met go on as one.
        let mut kept: Vec<Climb> = Vec::new();
        for climb in begun {
            if kept.len() < KEPT && kept.iter().all(|other| distance(&other.shares, &climb.shares) > APART) {
                kept.push(climb);
            }
        }
        let climbed: Vec<Climb> =
            kept.into_par_iter().map(|climb| climb.up(objective, region, STEPS)).collect();
        let best = climbed.into_iter().reduce(|a, b| if b.value > a.value { b } else { a });
        let best = best.expect("the centre is a start");
        let (shares, value) = exchange(objective, region, (best.shares, best.value), 1e-6);
        let local_gain = local_gain(objective, region, &shares, value);
        Optimum { violation: region.violation(&shares), shares, value, local_gain }
    }
}

/// Most that moving one thousandth from one dataset to another would still gain.
pub(super) fn local_gain(objective: &dyn Objective, region: &Region, shares: &[f64], value: f64) -> f64 {
    best_exchange(objective, region, shares, 1e-3).map_or(0.0, |(_, to)| (to - value).max(0.0))
}

/// Steps from every start; what is then among the highest [`KEPT`], and not where another is, climbs on.
const LOOK: usize = 8;

/// See [`LOOK`].
const KEPT: usize = 6;

/// Share of the budget that two climbs spend differently unless they have met.
const APART: f64 = 0.01;

/// Most steps after that.
const STEPS: usize = 80;

/// A gradient as a direction in which the sum stays, where each dataset moves in proportion to its share and a little:
/// roots of shares are so steep at 0 that along the gradient itself all but nothing else would move.
fn scaled(mut gradient: Vec<f64>, shares: &[f64]) -> Vec<f64> {
    const LITTLE: f64 = 0.01;
    let weight = |share: &f64| share + LITTLE;
    let sum: f64 = shares.iter().map(weight).sum();
    let mean = gradient.iter().zip(shares).map(|(g, share)| g * weight(share)).sum::<f64>() / sum;
    gradient.iter_mut().zip(shares).for_each(|(g, share)| *g = (*g - mean) * weight(share));
    gradient
}

/// How far a climb has come.
struct Climb {
    shares: Vec<f64>,
    value: f64,
    /// Length of the next step that is tried.
    step: f64,
}

impl Climb {
    /// At most `steps` further.
    fn up(self, objective: &dyn Objective, region: &Region, steps: usize) -> Self {
        let Self { mut shares, mut value, mut step } = self;
        for _ in 0..steps {
            let direction = scaled(gradient(objective, &shares, value), &shares);
            let length = direction.iter().map(|g| g * g).sum::<f64>().sqrt();
            if length <= 1e-12 {
                break;
            }
            let mut gained = 0.0;
            while step > 1e-6 {
                let moved: Vec<f64> =
                    shares.iter().zip(&direction).map(|(s, g)| s + step * g / length).collect();
                let moved = region.project(&moved);
                let there = value_of(objective, &moved);
                if there > value {
                    gained = there - value;
                    (shares, value) = (moved, there);
                    step = (step * 2.0_f64).min(1.0);
                    break;
                }
                step /= 2.0;
            }
            if gained <= 1e-12 * (1.0 + value.abs()) {
                break;
            }
        }
        Self { shares, value, step }
    }
}

/// The objective's own, else by differences; the mean over datasets is taken off, as it only leaves the simplex.
fn gradient(objective: &dyn Objective, shares: &[f64], here: f64) -> Vec<f64> {
    const STEP: f64 = 1e-5;
    let mut moved = shares.to_vec();
    let mut gradient: Vec<f64> = objective.slope(shares).unwrap_or_else(|| {
        let differences = (0..shares.len()).map(|i| {
            moved[i] = shares[i] + STEP;
            let slope = (value_of(objective, &moved) - here) / STEP;
            moved[i] = shares[i];
            if slope.is_finite() { slope } else { 0.0 }
        });
        differences.collect()
    });
    let mean = gradient.iter().sum::<f64>() / gradient.len() as f64;
    for slope in &mut gradient {
        *slope -= mean;
    }
    gradient
}

/// Moves steps between pairs as long as any gains, then smaller ones down to `smallest`. Where the objective has a slope,
/// only moves that it says to gain are tried.
pub(super) fn exchange(
    objective: &dyn Objective,
    region: &Region,
    start: (Vec<f64>, f64),
    smallest: f64,
) -> (Vec<f64>, f64) {
    let (mut shares, mut value) = start;
    let mut step = 0.05;
    // Every round gains or takes a quarter of the step; the count bounds surfaces that rise for ever smaller gains, as
    // those of hundreds of datasets do.
    for _ in 0..60 {
        let mut gained = false;
        let mut slope = objective.slope(&shares);
        for (from, to) in pairs(objective, &shares, value) {
            let Some(moved) = moved(region, &shares, from, to, step) else { continue };
            let rise = slope.as_ref().map(|slope| -> f64 {
                slope
                    .iter()
                    .zip(moved.iter().zip(&shares))
                    .map(|(slope, (to, from))| slope * (to - from))
                    .sum()
            });
            if rise.is_some_and(|rise| rise <= 0.0) {
                continue;
            }
            let there = value_of(objective, &moved);
            if there > value + 1e-13 * (1.0 + value.abs()) {
                (shares, value, gained) = (moved, there, true);
                slope = objective.slope(&shares);
            }
        }
        if !gained {
            if step <= smallest {
                break;
            }
            step /= 4.0;
        }
    }
    (shares, value)
}

/// Up to so many datasets every pair is exchanged; of more, those from which and to which the slope says that most is
/// gained.
const ALL_PAIRS: usize = 32;

/// How many of each then.
const STEEPEST: usize = 20;

/// Datasets from which and to which shares are moved.
fn pairs(objective: &dyn Objective, shares: &[f64], value: f64) -> Vec<(usize, usize)> {
    let d = shares.len();
    if d <= ALL_PAIRS {
        return (0..d).flat_map(|i| (0..d).map(move |j| (i, j))).collect();
    }
    let slope = gradient(objective, shares, value);
    let mut order: Vec<usize> = (0..d).collect();
    order.sort_by(|&i, &j| slope[i].total_cmp(&slope[j]));
    let from: Vec<usize> = order.iter().copied().filter(|&i| shares[i] > 0.0).take(STEEPEST).collect();
    let to: Vec<usize> = order.iter().rev().copied().take(STEEPEST).collect();
    from.into_iter().flat_map(|i| to.iter().map(move |&j| (i, j)).collect::<Vec<_>>()).collect()
}

/// The best point that moves `step` from one dataset to another.
fn best_exchange(
    objective: &dyn Objective,
    region: &Region,
    shares: &[f64],
    step: f64,
) -> Option<(Vec<f64>, f64)> {
    let pairs = pairs(objective, shares, value_of(objective, shares)).into_iter();
    let all = pairs.filter_map(|(from, to)| moved(region, shares, from, to, step));
    let valued = all.map(|moved| {
        let value = value_of(objective, &moved);
        (moved, value)
    });
    valued.reduce(|a, b| if b.1 > a.1 { b } else { a })
}

/// `step` moved from one dataset to another, or the nearest allowed point to that.
fn moved(region: &Region, shares: &[f64], from: usize, to: usize, step: f64) -> Option<Vec<f64>> {
    if from == to || shares[from] <= 0.0 {
        return None;
    }
    let mut moved = shares.to_vec();
    let amount = step.min(shares[from]);
    moved[from] -= amount;
    moved[to] += amount;
    Some(if region.violation(&moved) > 1e-12 { region.project(&moved) } else { moved })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mixture::constraint::Constraints, name::Name};
    use rand::Rng;

    fn region(constraints: &str) -> Region {
        let names: Vec<Name> = ["a", "b", "c", "d", "e"].iter().map(|name| name.parse().unwrap()).collect();
        toml::from_str::<Constraints>(constraints).unwrap().region(&names, None).unwrap()
    }

    const CAPS: &str = "shares.a = { max = 0.25 }\nshares.b = { min = 0.1, max = 0.3 }\nshares.c = { max = 0.25 }\n\
                        groups.de = { datasets = [\"d\", \"e\"], min = 0.3, max = 0.4 }";

    #[test]
    fn a_planted_optimum_is_found_inside_on_an_edge_and_at_a_vertex() {
        let inside = [0.1, 0.3, 0.05, 0.35, 0.2];
        check(
            &|x: &[f64]| -x.iter().zip(&inside).map(|(x, y)| (x.sqrt() - f64::sqrt(*y)).powi(2)).sum::<f64>(),
            &inside,
        );
        let edge = [0.5, 0.5, 0.0, 0.0, 0.0];
        check(&|x: &[f64]| (x[0] * x[1]).sqrt() - x[2], &edge);
        check(&|x: &[f64]| 2.0 * x[3] + x[1], &[0.0, 0.0, 0.0, 1.0, 0.0]);
    }

    fn check(objective: &dyn Objective, expected: &[f64]) {
        let best = super::super::default_optimizer().maximize(objective, &region(""), &[], Seed::new(1));
        let error = best.shares.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(error < 1e-3, "{:?} instead of {expected:?}", best.shares);
        assert!(best.violation <= 1e-9 && best.local_gain < 1e-6, "{best:?}");
    }

    #[test]
    fn under_tight_caps_it_beats_thirty_thousand_allowed_mixtures() {
        let region = region(CAPS);
        let mut rng = Seed::new(4).rng();
        for _ in 0..3 {
            // Two hills of random place and height, in √share.
            let hills: Vec<(f64, Vec<f64>)> = (0..2)
                .map(|_| (1.0 + rng.random::<f64>(), (0..5).map(|_| rng.random::<f64>()).collect()))
                .collect();
            let objective = |x: &[f64]| {
                let hill = |(height, top): &(f64, Vec<f64>)| {
                    height
                        * (-4.0 * x.iter().zip(top).map(|(x, t)| (x.sqrt() - t).powi(2)).sum::<f64>()).exp()
                };
                hills.iter().map(hill).sum::<f64>()
            };
            let best = super::super::default_optimizer().maximize(&objective, &region, &[], Seed::new(1));
            assert!(best.violation <= 1e-9);
            for _ in 0..30_000 {
                let point: Vec<f64> = (0..5).map(|_| 1.5 * rng.random::<f64>() - 0.5).collect();
                assert!(objective(&region.project(&point)) <= best.value + 1e-9);
            }
        }
    }

    #[test]
    fn a_function_that_is_no_number_somewhere_is_no_trap() {
        let best = super::super::default_optimizer().maximize(
            &|x: &[f64]| if x[0] > 0.5 { f64::NAN } else { x[0] },
            &region(""),
            &[vec![1.0, 0.0, 0.0, 0.0, 0.0]],
            Seed::new(1),
        );
        assert!((best.value - 0.5).abs() < 1e-4);
    }
}
