//! Mixtures of which none is expected to do better in every aim: the Pareto front of two or three of them.
//!
//! Weighted sums find only the convex part of a front. Each step here maximises a smooth minimum instead (Chebyshev's
//! scalarization, Steuer and Choo 1983): it rises with every aim, so that wherever it is highest no allowed mixture is
//! better in all of them, and for some weights it is highest at any given point of the front.

use super::{Objective, Optimizer};
use crate::{mixture::constraint::Region, seed::Seed};

/// How sharply the smooth minimum turns from one aim to the next, per range of an aim.
const SHARPNESS: f64 = 30.0;

/// Weight of the plain sum, which keeps points that are worse in one aim and equal in the others off the front.
const AUGMENTATION: f64 = 0.02;

/// Points nearer to each other than this in every aim, as a part of its range, are one.
const APART: f64 = 0.004;

/// A mixture on the front.
#[derive(Clone, Debug, PartialEq)]
pub struct FrontPoint {
    /// Share of each dataset.
    pub shares: Vec<f64>,
    /// Every aim there, in their order.
    pub values: Vec<f64>,
}

/// The front of `aims` over `region`, ordered by the first aim, lowest first.
///
/// `aims`: two or three, all to be large. `starts`: mixtures to begin from besides the optimizer's own; they need not be
/// allowed. `steps`: points per side, ≥ 1; `steps` + 1 weightings of two aims, (`steps` + 1)(`steps` + 2) / 2 of three.
/// Fewer points come back where several weightings end in one place. Every point is inside `region` to 1e-9 and none
/// dominates another. The same question has the same answer.
pub fn front(
    aims: &[&dyn Objective],
    region: &Region,
    optimizer: &dyn Optimizer,
    starts: &[Vec<f64>],
    steps: usize,
    seed: Seed,
) -> Vec<FrontPoint> {
    let point =
        |shares: Vec<f64>| FrontPoint { values: aims.iter().map(|a| a.value(&shares)).collect(), shares };
    let mut found: Vec<FrontPoint> = starts.iter().map(|start| point(region.project(start))).collect();
    let mut from = starts.to_vec();
    for (k, aim) in aims.iter().enumerate() {
        let best = optimizer.maximize(*aim, region, starts, seed.child("aim").child(k));
        from.push(best.shares.clone());
        found.push(point(best.shares));
    }
    let alone = &found[starts.len()..];
    let scales: Vec<Scale> = (0..aims.len())
        .map(|k| {
            let values = || alone.iter().map(|p| p.values[k]);
            let (low, high) = (values().fold(f64::INFINITY, f64::min), alone[k].values[k]);
            // Aims that are highest at the same mixture leave no range to divide by.
            Scale { high, range: if high - low > 1e-12 { high - low } else { 1.0 } }
        })
        .collect();
    for (number, weights) in lattice(aims.len(), steps.max(1)).into_iter().enumerate() {
        let objective = Scalarized { aims, scales: &scales, weights: &weights };
        let best = optimizer.maximize(&objective, region, &from, seed.child("weights").child(number));
        // Its neighbour on the front is a good place to begin.
        from.truncate(starts.len() + aims.len());
        from.push(best.shares.clone());
        found.push(point(best.shares));
    }
    undominated(found, &scales)
}

/// Where an aim is highest, and how far it falls at the other aims' best mixtures.
struct Scale {
    high: f64,
    range: f64,
}

/// See the module: the smooth minimum of all aims, each weighted.
struct Scalarized<'a> {
    aims: &'a [&'a dyn Objective],
    scales: &'a [Scale],
    weights: &'a [f64],
}

impl Scalarized<'_> {
    /// How far each aim is from its best, weighted.
    fn missing(&self, shares: &[f64]) -> Vec<f64> {
        let one = |((aim, scale), weight): ((&&dyn Objective, &Scale), &f64)| {
            weight * (scale.high - aim.value(shares)) / scale.range
        };
        self.aims.iter().zip(self.scales).zip(self.weights).map(one).collect()
    }
}

impl Objective for Scalarized<'_> {
    fn value(&self, shares: &[f64]) -> f64 {
        let missing = self.missing(shares);
        let worst = missing.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = missing.iter().map(|m| (SHARPNESS * (m - worst)).exp()).sum();
        -(worst + sum.ln() / SHARPNESS) - AUGMENTATION * missing.iter().sum::<f64>()
    }

    fn slope(&self, shares: &[f64]) -> Option<Vec<f64>> {
        let missing = self.missing(shares);
        let worst = missing.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let parts: Vec<f64> = missing.iter().map(|m| (SHARPNESS * (m - worst)).exp()).collect();
        let sum: f64 = parts.iter().sum();
        let mut all = vec![0.0; shares.len()];
        for (k, aim) in self.aims.iter().enumerate() {
            let factor = (parts[k] / sum + AUGMENTATION) * self.weights[k] / self.scales[k].range;
            all.iter_mut().zip(aim.slope(shares)?).for_each(|(all, slope)| *all += factor * slope);
        }
        Some(all)
    }
}

/// Weights that sum to 1, in steps; a weight of 0 becomes a small one, so that no aim is forgotten.
fn lattice(n: usize, steps: usize) -> Vec<Vec<f64>> {
    let whole = |parts: Vec<usize>| -> Vec<f64> {
        let weights = parts.into_iter().map(|part| (part as f64 / steps as f64).max(0.02));
        let weights: Vec<f64> = weights.collect();
        let sum: f64 = weights.iter().sum();
        weights.into_iter().map(|w| w / sum).collect()
    };
    let mut all: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 1..n {
        let left = |parts: &[usize]| steps - parts.iter().sum::<usize>();
        all = all
            .iter()
            .flat_map(|parts| (0..=left(parts)).map(|next| [parts.as_slice(), &[next]].concat()))
            .collect();
    }
    all.into_iter()
        .map(|mut parts| {
            parts.push(steps - parts.iter().sum::<usize>());
            whole(parts)
        })
        .collect()
}

/// The points that no other beats in every aim, one of each place.
fn undominated(found: Vec<FrontPoint>, scales: &[Scale]) -> Vec<FrontPoint> {
    let finite = |p: &FrontPoint| p.values.iter().all(|v| v.is_finite());
    let found: Vec<FrontPoint> = found.into_iter().filter(finite).collect();
    let beats = |a: &FrontPoint, b: &FrontPoint| {
        let pairs = || a.values.iter().zip(&b.values);
        pairs().all(|(a, b)| a >= b) && pairs().any(|(a, b)| a > b)
    };
    let kept = found.iter().filter(|p| !found.iter().any(|other| beats(other, p)));
    let mut kept: Vec<FrontPoint> = kept.cloned().collect();
    kept.sort_by(|a, b| {
        a.values.iter().zip(&b.values).fold(std::cmp::Ordering::Equal, |o, (a, b)| o.then(a.total_cmp(b)))
    });
    let near = |a: &FrontPoint, b: &FrontPoint| {
        let off = |((a, b), scale): ((&f64, &f64), &Scale)| (a - b).abs() / scale.range;
        a.values.iter().zip(&b.values).zip(scales).map(off).fold(0.0, f64::max) < APART
    };
    let mut apart: Vec<FrontPoint> = Vec::new();
    for one in kept {
        if !apart.iter().any(|other| near(other, &one)) {
            apart.push(one);
        }
    }
    apart
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mixture::constraint::Constraints, name::Name, optimize::default_optimizer};
    use rand::Rng;

    fn region(toml: &str) -> Region {
        let names: Vec<Name> = ["a", "b", "c", "d"].iter().map(|name| name.parse().unwrap()).collect();
        toml::from_str::<Constraints>(toml).unwrap().region(&names, None).unwrap()
    }

    fn front_of(aims: &[&dyn Objective], toml: &str, steps: usize) -> Vec<FrontPoint> {
        front(aims, &region(toml), default_optimizer().as_ref(), &[], steps, Seed::new(1))
    }

    #[test]
    fn the_front_of_two_roots_is_the_edge_between_their_datasets() {
        // √a and √b: any share of c or d is lost to both, so a + b = 1, and values lie on the unit circle.
        let (a, b) = (|x: &[f64]| x[0].max(0.0).sqrt(), |x: &[f64]| x[1].max(0.0).sqrt());
        let front = front_of(&[&a, &b], "", 16);
        assert!(front.len() >= 12, "{} points", front.len());
        for point in &front {
            let radius = point.values[0].hypot(point.values[1]);
            assert!((radius - 1.0).abs() < 2e-3, "{point:?}");
        }
        let step = front.windows(2).map(|w| w[1].values[0] - w[0].values[0]).fold(0.0, f64::max);
        assert!(step < 0.25, "a gap of {step}");
    }

    #[test]
    fn a_front_that_bends_inwards_is_found_where_weighted_sums_see_its_ends_only() {
        // a² and b²: on a + b = 1 the sum of any weights is highest at an end.
        let (a, b) = (|x: &[f64]| x[0] * x[0], |x: &[f64]| x[1] * x[1]);
        let front = front_of(&[&a, &b], "", 16);
        let inside = front.iter().filter(|p| p.values.iter().all(|v| *v > 0.05)).count();
        assert!(inside >= 5, "{front:?}");
        for point in &front {
            assert!((point.shares[0] + point.shares[1] - 1.0).abs() < 2e-3, "{point:?}");
        }
    }

    #[test]
    fn no_allowed_mixture_beats_a_point_of_the_front() {
        let caps = "shares.a = { max = 0.3 }\nshares.b = { min = 0.1, max = 0.6 }\n\
                    groups.cd = { datasets = [\"c\", \"d\"], min = 0.2 }";
        let hill = |top: [f64; 4]| {
            move |x: &[f64]| -x.iter().zip(top).map(|(x, t)| (x.max(0.0).sqrt() - t).powi(2)).sum::<f64>()
        };
        let aims = [hill([0.9, 0.1, 0.3, 0.3]), hill([0.1, 0.8, 0.5, 0.1]), hill([0.2, 0.2, 0.2, 0.9])];
        let region = region(caps);
        for aims in [&[&aims[0] as &dyn Objective, &aims[1]][..], &[&aims[0], &aims[1], &aims[2]]] {
            let front = front_of(aims, caps, 8);
            assert!(front.len() > 4, "{} points", front.len());
            let mut rng = Seed::new(7).rng();
            for point in &front {
                assert!(region.violation(&point.shares) <= 1e-9);
            }
            for _ in 0..20_000 {
                let any: Vec<f64> = (0..4).map(|_| 1.4 * rng.random::<f64>() - 0.4).collect();
                let any = region.project(&any);
                let values: Vec<f64> = aims.iter().map(|aim| aim.value(&any)).collect();
                let beaten = front.iter().find(|p| p.values.iter().zip(&values).all(|(p, v)| *v > p + 1e-4));
                assert!(beaten.is_none(), "{any:?} beats {beaten:?}");
            }
        }
    }

    #[test]
    fn aims_that_agree_have_a_front_of_one_point() {
        let (a, b) = (|x: &[f64]| x[0], |x: &[f64]| 2.0 * x[0]);
        let front = front_of(&[&a, &b], "shares.a = { max = 0.4 }", 8);
        assert_eq!(front.len(), 1, "{front:?}");
        assert!((front[0].shares[0] - 0.4).abs() < 1e-9);
    }
}
