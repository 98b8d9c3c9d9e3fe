//! What fitted predictors say about mixtures that nobody tried, computed for the page: effects of datasets, slices
//! through the simplex, the front of two aims, what the next runs would decide.
//!
//! Everything comes from one fit per benchmark; aggregates weigh those fits. Standard deviations are rescaled by the
//! errors on mixtures left out, as everywhere else.

use rayon::prelude::*;

use super::{Interval, Target};
use crate::{
    mixture::{constraint::Region, distance},
    name::Name,
    optimize::{Objective as _, Optimizer, Surface, pareto, proposal::COVERAGE},
    predict::{FitError, Method, Observation, mixtures, skill},
    seed::Seed,
};

/// Bounds on work and on the page's size: datasets and targets that get slices of their own.
pub(super) const MAX_DATASETS: usize = 8;
/// See [`MAX_DATASETS`].
pub(super) const MAX_TARGETS: usize = 12;

/// Points of a slice along one share.
const POINTS: usize = 41;

/// Weightings of the two aims of a front.
const FRONT_STEPS: usize = 20;

/// Runs up to which a refit with the next runs is cheap enough to make a page wait for it.
const REFIT_UP_TO: usize = 256;

/// How much of the budget a mixture may spend differently from a slice and still count as lying on it.
const ON_SLICE: f64 = 0.03;

/// Share of the datasets outside a map above which the map would say little.
const MAX_REST: f64 = 0.5;

/// What is asked of which runs.
pub struct Explore<'a> {
    /// The datasets, in the order of the runs' shares.
    pub datasets: &'a [Name],
    /// What tables call the runs, in the order of every target's observations.
    pub labels: &'a [String],
    /// What was measured, one fit each.
    pub targets: &'a [Vec<Observation>],
    /// What is shown, as weighted sums of those targets; the objective first.
    pub shown: Vec<Shown>,
    /// How to predict.
    pub method: &'a dyn Method,
    /// The allowed mixtures.
    pub region: &'a Region,
    /// The proposed shares where there is a signal.
    pub proposal: Option<&'a [f64]>,
    /// Mixtures suggested as the next runs, with their expected improvement and predicted score.
    pub next: Vec<(Vec<f64>, f64, Interval)>,
    /// Aims of the front, as places in `shown`; fewer than two: no front.
    pub aims: Vec<usize>,
    /// Datasets of maps that were asked for; without any, those that the objective depends on most.
    pub triples: Vec<[usize; 3]>,
    /// Searches the front.
    pub optimizer: &'a dyn Optimizer,
    /// Of its random starts.
    pub seed: Seed,
}

/// A benchmark, an aggregate or the objective, as a weighted sum of targets.
pub struct Shown {
    /// What it is.
    pub target: Target,
    /// One per target.
    pub weights: Vec<f64>,
    /// What is known about its predictions.
    pub skill: skill::Skill,
    /// Whether small is good.
    pub lower_is_better: bool,
}

/// Everything that the page shows of predictions away from the runs.
#[derive(Clone, Debug)]
pub struct Surfaces {
    /// The datasets, in the order of all shares here.
    pub datasets: Vec<Name>,
    /// Datasets by how much the objective depends on them, most first.
    pub order: Vec<usize>,
    /// What is shown; the objective first.
    pub shown: Vec<ShownTarget>,
    /// The runs, in the order of every [`ShownTarget::observed`].
    pub tried: Vec<TriedPoint>,
    /// The mixture that slices go through.
    pub centre: Centre,
    /// Slices along one share.
    pub responses: Vec<Response>,
    /// Effects of datasets, for every target shown.
    pub effects: Vec<Effect>,
    /// Slices along two.
    pub maps: Vec<Map>,
    /// The front of two aims, where two were named and one of them can be predicted.
    pub front: Option<Front>,
    /// The next runs.
    pub next: Vec<NextRun>,
    /// Half widths of the interval of the expected gain over uniform shares: now, and with the next runs done.
    pub gain_half_width: Option<(f64, f64)>,
}

/// See [`Shown`].
#[derive(Clone, Debug)]
pub struct ShownTarget {
    /// What it is.
    pub target: Target,
    /// Whether mixtures left out are predicted better than by the mean.
    pub signal: bool,
    /// Whether small is good.
    pub lower_is_better: bool,
    /// Its score in every run.
    pub observed: Vec<f64>,
}

/// One run.
#[derive(Clone, Debug)]
pub struct TriedPoint {
    /// What tables call it.
    pub label: String,
    /// Its shares.
    pub shares: Vec<f64>,
}

/// A mixture that slices go through.
#[derive(Clone, Debug, PartialEq)]
pub struct Centre {
    /// Its shares.
    pub shares: Vec<f64>,
    /// Whether it is the proposal; otherwise uniform shares, or the allowed ones nearest to them.
    pub is_proposal: bool,
}

/// A target over the share of one dataset, the others in the centre's proportions.
#[derive(Clone, Debug)]
pub struct Response {
    /// Place in [`Surfaces::shown`].
    pub target: usize,
    /// Place in [`Surfaces::datasets`].
    pub dataset: usize,
    /// Share, and what is expected there with its 90 % interval.
    pub points: Vec<(f64, Interval)>,
}

/// What a dataset does to a target, around uniform shares; 90 % intervals of differences of two predictions.
#[derive(Clone, Debug)]
pub struct Effect {
    /// Place in [`Surfaces::shown`].
    pub target: usize,
    /// Place in [`Surfaces::datasets`].
    pub dataset: usize,
    /// Change when its share goes from uniform to none.
    pub without: Interval,
    /// Change when its share is doubled.
    pub doubled: Interval,
    /// Doubled minus without.
    pub span: Interval,
}

/// A target over the shares of three datasets.
#[derive(Clone, Debug)]
pub struct Map {
    /// Place in [`Surfaces::shown`].
    pub target: usize,
    /// Half the width of the 90 % interval instead of the expected score.
    pub uncertainty: bool,
    /// Places of the three datasets: top, left, right.
    pub triple: [usize; 3],
    /// The mixture whose proportions the other datasets keep.
    pub centre: Centre,
    /// What the other datasets have together.
    pub rest: f64,
    /// Rows of small triangles.
    pub rows: usize,
    /// One value per small triangle in the order of [`triangles`]; `None` where the mixture is not allowed.
    pub values: Vec<Option<f64>>,
    /// Runs that lie on the slice: place in [`Surfaces::tried`], and the part of each of the three.
    pub tried: Vec<(usize, [f64; 3])>,
    /// The proposal's parts, where it lies on the slice.
    pub proposal: Option<[f64; 3]>,
}

/// The front of two aims.
#[derive(Clone, Debug)]
pub struct Front {
    /// Places in [`Surfaces::shown`].
    pub aims: [usize; 2],
    /// Mixtures on the front by the first aim, with the expected value of both.
    pub points: Vec<(Vec<f64>, [Interval; 2])>,
    /// Both at uniform shares.
    pub uniform: [f64; 2],
    /// Both at the proposal, where there is one.
    pub proposal: Option<[f64; 2]>,
    /// Both, as expected, at every mixture tried: label and values.
    pub tried: Vec<(String, [f64; 2])>,
}

/// A mixture worth a run.
#[derive(Clone, Debug)]
pub struct NextRun {
    /// Its shares.
    pub shares: Vec<f64>,
    /// By how much it is expected to exceed the best mixture tried.
    pub expected_improvement: f64,
    /// Expected objective.
    pub predicted: Interval,
    /// Chance that it beats the proposal; `None` without one.
    pub p_beats_proposal: Option<f64>,
    /// Share of the budget spent differently from the nearest mixture tried.
    pub distance_to_tried: f64,
}

/// Fits every target once and asks it what the page shows.
pub fn explore(question: &Explore) -> Result<Surfaces, FitError> {
    let d = question.datasets.len();
    let objective = &question.shown[0];
    let fitted = Surface::fit(question.method, question.targets, &objective.weights)?;
    let surfaces: Vec<Surface> = question.shown.iter().map(|shown| fitted.weighed(&shown.weights)).collect();
    let uniform = vec![1.0 / d as f64; d];
    let plain = Centre { shares: question.region.project(&uniform), is_proposal: false };
    let centre = question
        .proposal
        .map_or_else(|| plain.clone(), |shares| Centre { shares: shares.to_vec(), is_proposal: true });

    let effects = effects(&surfaces, &question.shown, d);
    let weight = |dataset: usize| {
        let own = effects.iter().filter(|e| e.target == 0 && e.dataset == dataset);
        own.map(|e| e.without.mean.abs().max(e.doubled.mean.abs())).fold(0.0, f64::max)
    };
    let mut order: Vec<usize> = (0..d).collect();
    order.sort_by(|&a, &b| weight(b).total_cmp(&weight(a)));

    let pairs: Vec<(usize, usize)> = (0..surfaces.len().min(MAX_TARGETS))
        .flat_map(|target| order.iter().take(MAX_DATASETS).map(move |&dataset| (target, dataset)))
        .collect();
    let responses = pairs
        .into_par_iter()
        .map(|(target, dataset)| Response {
            target,
            dataset,
            points: (0..POINTS)
                .map(|i| {
                    let share = i as f64 / (POINTS - 1) as f64;
                    let at = slice(&centre.shares, dataset, share);
                    (share, interval(&surfaces[target], &question.shown[target].skill, &at))
                })
                .collect(),
        })
        .collect();

    let observed = |shown: &Shown| -> Vec<f64> {
        let sum = skill::weighted_observations(question.targets, &shown.weights);
        sum.into_iter().map(|run| run.score).collect()
    };
    let runs = question.targets.first().map_or(&[][..], Vec::as_slice);
    let tried: Vec<TriedPoint> = (question.labels.iter().zip(runs))
        .map(|(label, run)| TriedPoint { label: label.clone(), shares: run.shares.clone() })
        .collect();
    Ok(Surfaces {
        maps: maps(question, &surfaces, &order, &centre, &plain, &tried),
        front: front(question, &surfaces),
        next: next(question, &surfaces[0], &tried),
        gain_half_width: gain_half_width(question, &fitted)?,
        datasets: question.datasets.to_vec(),
        shown: question
            .shown
            .iter()
            .map(|shown| ShownTarget {
                target: shown.target.clone(),
                signal: shown.skill.verdict == skill::Verdict::Signal,
                lower_is_better: shown.lower_is_better,
                observed: observed(shown),
            })
            .collect(),
        order,
        tried,
        centre,
        responses,
        effects,
    })
}

fn interval(surface: &Surface, skill: &skill::Skill, shares: &[f64]) -> Interval {
    let one = surface.predict(shares);
    let half = skill.half_width(one.sd, COVERAGE);
    Interval { mean: one.mean, low: one.mean - half, high: one.mean + half }
}

/// `centre` with one share set and the others in the proportions that they have there.
fn slice(centre: &[f64], dataset: usize, share: f64) -> Vec<f64> {
    let rest = 1.0 - centre[dataset];
    let others = centre.len() as f64 - 1.0;
    let part = |i: usize| if rest > 1e-9 { centre[i] / rest } else { 1.0 / others };
    (0..centre.len()).map(|i| if i == dataset { share } else { (1.0 - share) * part(i) }).collect()
}

fn effects(surfaces: &[Surface], shown: &[Shown], d: usize) -> Vec<Effect> {
    let uniform = vec![1.0 / d as f64; d];
    let pairs: Vec<(usize, usize)> =
        (0..surfaces.len()).flat_map(|target| (0..d).map(move |dataset| (target, dataset))).collect();
    pairs
        .into_par_iter()
        .map(|(target, dataset)| {
            let without = slice(&uniform, dataset, 0.0);
            let doubled = slice(&uniform, dataset, (2.0 / d as f64).min(1.0));
            let change = |to: &[f64], from: &[f64]| {
                let difference = surfaces[target].difference(to, from);
                let half = shown[target].skill.half_width(difference.sd, COVERAGE);
                let mean = difference.mean;
                Interval { mean, low: mean - half, high: mean + half }
            };
            Effect {
                target,
                dataset,
                without: change(&without, &uniform),
                doubled: change(&doubled, &uniform),
                span: change(&doubled, &without),
            }
        })
        .collect()
}

/// The small triangles of a triangle in `rows` rows, from the top: corners as parts (top, left, right) that sum to 1.
/// In each row they go from left to right, standing and hanging ones in turn.
pub(super) fn triangles(rows: usize) -> Vec<[[f64; 3]; 3]> {
    let n = rows as f64;
    // `row`: steps down from the top; `k`: steps to the right.
    let corner = |row: usize, k: usize| {
        let (row, k) = (row as f64, k as f64);
        [1.0 - row / n, (row - k) / n, k / n]
    };
    let mut all = Vec::with_capacity(rows * rows);
    for row in 0..rows {
        for k in 0..=row {
            all.push([corner(row, k), corner(row + 1, k), corner(row + 1, k + 1)]);
            if k < row {
                all.push([corner(row, k), corner(row, k + 1), corner(row + 1, k + 1)]);
            }
        }
    }
    all
}

/// The mixture at the parts of a map.
fn on_map(centre: &[f64], triple: [usize; 3], rest: f64, parts: [f64; 3]) -> Vec<f64> {
    let others = 1.0 - triple.iter().map(|&i| centre[i]).sum::<f64>();
    let mut shares: Vec<f64> =
        centre.iter().map(|share| if rest > 0.0 { share * rest / others } else { 0.0 }).collect();
    for (dataset, part) in triple.into_iter().zip(parts) {
        shares[dataset] = (1.0 - rest) * part;
    }
    shares
}

/// Maps of the objective over the three datasets that it depends on most, of its uncertainty, of the other aggregates
/// there, and of the objective with the fourth dataset for the third; where triples were asked for, of the objective and
/// its uncertainty over those. None where the objective cannot be predicted.
fn maps(
    question: &Explore,
    surfaces: &[Surface],
    order: &[usize],
    centre: &Centre,
    plain: &Centre,
    tried: &[TriedPoint],
) -> Vec<Map> {
    let signal = |shown: &Shown| shown.skill.verdict == skill::Verdict::Signal;
    if order.len() < 3 || !signal(&question.shown[0]) {
        return Vec::new();
    }
    let first = [order[0], order[1], order[2]];
    let mut wanted = vec![(0, false, first), (0, true, first)];
    if let Some(&fourth) = order.get(3) {
        wanted.insert(1, (0, false, [order[0], order[1], fourth]));
    }
    let aggregate = |shown: &Shown| matches!(shown.target, Target::In | Target::Out | Target::Overall);
    let others = (1..surfaces.len()).filter(|&i| aggregate(&question.shown[i]) && signal(&question.shown[i]));
    wanted.extend(others.map(|i| (i, false, first)));
    if !question.triples.is_empty() {
        wanted =
            question.triples.iter().flat_map(|&triple| [(0, false, triple), (0, true, triple)]).collect();
    }
    wanted
        .into_iter()
        .map(|(target, uncertainty, triple)| {
            let outside = |of: &Centre| 1.0 - triple.iter().map(|&i| of.shares[i]).sum::<f64>();
            let centre = if outside(centre) > MAX_REST { plain } else { centre };
            // What would be written as .00 is nothing.
            let rest = Some(outside(centre)).filter(|rest| *rest >= 0.005).unwrap_or(0.0);
            let rows = if uncertainty && tried.len() > REFIT_UP_TO { 14 } else { 28 };
            let values = triangles(rows)
                .par_iter()
                .map(|corners| {
                    let parts = [0, 1, 2].map(|k| corners.iter().map(|corner| corner[k]).sum::<f64>() / 3.0);
                    let at = on_map(&centre.shares, triple, rest, parts);
                    let value = || {
                        if uncertainty {
                            let one = interval(&surfaces[target], &question.shown[target].skill, &at);
                            (one.high - one.low) / 2.0
                        } else {
                            surfaces[target].mean(&at)
                        }
                    };
                    (question.region.violation(&at) <= 1e-9).then(value)
                })
                .collect();
            let parts_of = |shares: &[f64]| {
                let inside: f64 = triple.iter().map(|&i| shares[i]).sum();
                if inside < 1e-9 {
                    return None;
                }
                let parts = triple.map(|i| shares[i] / inside);
                let near = on_map(&centre.shares, triple, rest, parts);
                (distance(shares, &near) <= ON_SLICE).then_some(parts)
            };
            let on_slice = tried.iter().enumerate();
            Map {
                target,
                uncertainty,
                triple,
                rest,
                rows,
                values,
                tried: on_slice.filter_map(|(i, run)| Some((i, parts_of(&run.shares)?))).collect(),
                proposal: question.proposal.and_then(parts_of),
                centre: centre.clone(),
            }
        })
        .collect()
}

fn front(question: &Explore, surfaces: &[Surface]) -> Option<Front> {
    let &[a, b, ..] = question.aims.as_slice() else { return None };
    let aims = [a, b];
    if aims.iter().all(|&i| question.shown[i].skill.verdict == skill::Verdict::NoSignal) {
        return None;
    }
    let sign = |i: usize| if question.shown[i].lower_is_better { -1.0 } else { 1.0 };
    let turned = aims.map(|i| {
        let weights: Vec<f64> = question.shown[i].weights.iter().map(|w| sign(i) * w).collect();
        surfaces[i].weighed(&weights)
    });
    let runs = question.targets.first()?;
    let distinct: Vec<&Vec<f64>> = mixtures(runs).iter().map(|rows| &runs[rows[0]].shares).collect();
    let mut starts: Vec<Vec<f64>> = distinct.iter().map(|shares| (*shares).clone()).collect();
    // The best of each aim: climbing from all of hundreds finds no more.
    let value = |shares: &Vec<f64>| turned[0].value(shares).max(turned[1].value(shares));
    starts.sort_by(|x, y| value(y).total_cmp(&value(x)));
    starts.truncate(8);
    starts.extend(question.proposal.map(<[f64]>::to_vec));
    let found = pareto::front(
        &[&turned[0], &turned[1]],
        question.region,
        question.optimizer,
        &starts,
        FRONT_STEPS,
        question.seed.child("front"),
    );
    let at = |shares: &[f64]| aims.map(|i| surfaces[i].mean(shares));
    let d = question.datasets.len();
    Some(Front {
        aims,
        points: found
            .into_iter()
            .map(|point| {
                let both = aims.map(|i| interval(&surfaces[i], &question.shown[i].skill, &point.shares));
                (point.shares, both)
            })
            .collect(),
        uniform: at(&vec![1.0 / d as f64; d]),
        proposal: question.proposal.map(at),
        tried: mixtures(runs)
            .iter()
            .map(|rows| (question.labels[rows[0]].clone(), at(&runs[rows[0]].shares)))
            .collect(),
    })
}

fn next(question: &Explore, surface: &Surface, tried: &[TriedPoint]) -> Vec<NextRun> {
    let skill = &question.shown[0].skill;
    let one = |(shares, improvement, predicted): &(Vec<f64>, f64, Interval)| NextRun {
        shares: shares.clone(),
        expected_improvement: *improvement,
        predicted: *predicted,
        p_beats_proposal: question.proposal.map(|proposal| {
            let gain = surface.difference(shares, proposal);
            if distance(shares, proposal) < 1e-9 { 0.5 } else { skill.chance_above_zero(gain.mean, gain.sd) }
        }),
        distance_to_tried: tried.iter().map(|run| distance(&run.shares, shares)).fold(1.0, f64::min),
    };
    question.next.iter().map(one).collect()
}

/// Half widths of the gain's interval: now, and after a refit that is told that the next runs came out as expected.
fn gain_half_width(question: &Explore, fitted: &Surface) -> Result<Option<(f64, f64)>, FitError> {
    let runs = question.targets.first().map_or(0, Vec::len);
    let (Some(proposal), false) = (question.proposal, question.next.is_empty() || runs > REFIT_UP_TO) else {
        return Ok(None);
    };
    let mut told = question.targets.to_vec();
    for (runs, predictor) in told.iter_mut().zip(fitted.predictors()) {
        let noise_variance = runs.first().and_then(|run| run.noise_variance);
        for (shares, ..) in &question.next {
            let score = predictor.mean(shares);
            runs.push(Observation { shares: shares.clone(), score, noise_variance });
        }
    }
    let shown = &question.shown[0];
    let after = Surface::fit(question.method, &told, &shown.weights)?;
    let d = question.datasets.len();
    let uniform = vec![1.0 / d as f64; d];
    let half =
        |surface: &Surface| shown.skill.half_width(surface.difference(proposal, &uniform).sd, COVERAGE);
    Ok(Some((half(fitted), half(&after))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_small_triangles_fill_the_large_one_once() {
        for rows in [1, 2, 5] {
            let all = triangles(rows);
            assert_eq!(all.len(), rows * rows);
            let corners = || all.iter().flatten();
            assert!(
                corners()
                    .all(|c| (c.iter().sum::<f64>() - 1.0).abs() < 1e-12 && c.iter().all(|p| *p > -1e-12))
            );
            // Area as a part of the whole: half the determinant of two edges, twice.
            let area = |t: &[[f64; 3]; 3]| {
                let edge = |k: usize| (t[k][1] - t[0][1], t[k][2] - t[0][2]);
                let ((a, b), (c, d)) = (edge(1), edge(2));
                (a * d - b * c).abs()
            };
            assert!((all.iter().map(area).sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn a_slice_keeps_the_proportions_of_the_others() {
        let at = slice(&[0.5, 0.3, 0.2], 0, 0.0);
        assert!(at.iter().zip([0.0, 0.6, 0.4]).all(|(a, b)| (a - b).abs() < 1e-12), "{at:?}");
        // Where one has everything the others share alike.
        let at = slice(&[1.0, 0.0, 0.0], 0, 0.2);
        assert!(at.iter().zip([0.2, 0.4, 0.4]).all(|(a, b)| (a - b).abs() < 1e-12), "{at:?}");
    }
}
