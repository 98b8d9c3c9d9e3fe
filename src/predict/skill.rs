//! Whether to believe a predictor: its errors on mixtures it has not seen, against the mean and against chance.
//!
//! Replicates of one mixture leave together: a predictor that saw the twin has seen the run.

use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, FisherSnedecor, StudentsT};

use super::{FitError, Method, Observation, Prediction, mixtures};
use crate::seed::Seed;

/// How skill is judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Shufflings of the scores over the runs; the smallest p is 1 / (this + 1).
    pub n_permutations: usize,
    /// A p at most this, with an error smaller than the mean's, is signal.
    pub level: f64,
    /// Up to this many mixtures every one is predicted by a refit without it; beyond, in closed form.
    pub refit_up_to: usize,
    /// Of the shufflings.
    pub seed: Seed,
}

impl Default for Settings {
    fn default() -> Self {
        Self { n_permutations: 199, level: 0.05, refit_up_to: 64, seed: Seed::new(0).child("skill") }
    }
}

/// Skill per target, and for the weighted sum of the predictions of the targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assessment {
    /// In the order of the targets.
    pub targets: Vec<Skill>,
    /// Of the weighted sum.
    pub objective: Skill,
}

/// How well a predictor does on mixtures left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Skill {
    /// 1 − squared error / squared distance from the mean of all, over mixtures (scores of replicates averaged): 1 is
    /// perfect, 0 or less no better than the mean.
    pub r2: f64,
    /// Spearman's, between the mean score of each mixture and its prediction; 0 where either is constant.
    pub rank_correlation: f64,
    /// Chance of an `r2` this high when scores are shuffled over the runs.
    pub p: f64,
    /// Shufflings behind `p`: fewer than asked for where chance was plain early.
    pub n_permutations: usize,
    /// What standard deviations are multiplied with so that errors on left-out mixtures fit them.
    pub scale: f64,
    /// Every run with its prediction from the other mixtures, in the order of the runs, before `scale`.
    pub held_out: Vec<HeldOut>,
    /// Spread between mixtures beside the spread between runs of one.
    pub signal: Signal,
    /// What to make of it.
    pub verdict: Verdict,
}

/// One run and what was expected of it by a predictor that never saw its mixture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldOut {
    /// Its score.
    pub observed: f64,
    /// Its prediction.
    pub predicted: Prediction,
}

/// Spread between mixtures beside the spread between runs of one mixture (one-way analysis of variance).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Standard deviation between mixtures beyond what runs of one mixture differ by; 0 when there is none.
    pub between_sd: f64,
    /// Standard deviation between runs of one mixture; the known evaluation noise where nothing was replicated;
    /// `None` where that is not known either.
    pub within_sd: Option<f64>,
    /// Variance ratio.
    pub f: Option<f64>,
    /// Chance of an `f` this high when mixtures do not differ.
    pub p: Option<f64>,
    /// Distinct mixtures.
    pub n_mixtures: usize,
    /// Runs.
    pub n_runs: usize,
    /// Runs per mixture that would tell mixtures this far apart from noise (level .05, power .8); `None` where 200
    /// would not, or the noise is not known.
    pub runs_per_mixture_needed: Option<usize>,
}

/// Whether a predictor may be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It predicts mixtures it has not seen better than the mean does, and not by chance.
    Signal,
    /// It does not: nothing is recommended.
    NoSignal,
}

impl Skill {
    /// One honest sentence.
    pub fn sentence(&self) -> String {
        let Signal { n_mixtures, n_runs, .. } = self.signal;
        let measured = format!(
            "left-out R² {:.2}, rank correlation {:.2}, p {:.3} ({n_runs} runs of {n_mixtures} mixtures)",
            self.r2, self.rank_correlation, self.p
        );
        if self.verdict == Verdict::Signal {
            return format!("the mixture predicts the score: {measured}");
        }
        let advice = match self.signal {
            Signal { p: Some(p), .. } if p <= 0.05 => {
                "mixtures do differ, so try more of them rather than more seeds".to_owned()
            }
            Signal { runs_per_mixture_needed: Some(needed), .. } => {
                format!("about {needed} runs per mixture would tell a difference of this size from noise")
            }
            Signal { within_sd: None, .. } => "repeat some mixtures to learn the noise".to_owned(),
            Signal { .. } => {
                "not even 200 runs per mixture would tell the difference seen from noise".to_owned()
            }
        };
        format!("no signal: {measured}; {advice}")
    }

    /// Half the width of the two-sided interval that covers `coverage` (0 to 1) for a standard deviation of `sd` as
    /// the predictor gave it: rescaled, and with Student's quantile because the scale is itself an estimate.
    pub fn half_width(&self, sd: f64, coverage: f64) -> f64 {
        self.scale * sd * self.student().inverse_cdf(0.5 + coverage / 2.0)
    }

    /// Chance that something of mean `mean` and standard deviation `sd` (as the predictor gave it) is above 0.
    pub fn chance_above_zero(&self, mean: f64, sd: f64) -> f64 {
        let sd = self.scale * sd;
        if sd > 0.0 { self.student().cdf(mean / sd) } else { 0.5 + 0.5 * f64::from(u8::from(mean > 0.0)) }
    }

    fn student(&self) -> StudentsT {
        student(self.signal.n_mixtures)
    }
}

fn student(n_mixtures: usize) -> StudentsT {
    let freedom = (n_mixtures as f64 - 1.0).max(1.0);
    StudentsT::new(0.0, 1.0, freedom).expect("the degrees of freedom are 1 or more")
}

/// What makes the standard deviations of a predictor fit its errors on mixtures left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    /// What standard deviations are multiplied with.
    pub scale: f64,
    n_mixtures: usize,
}

impl Calibration {
    /// As [`Skill::half_width`].
    pub fn half_width(&self, sd: f64, coverage: f64) -> f64 {
        self.scale * sd * student(self.n_mixtures).inverse_cdf(0.5 + coverage / 2.0)
    }
}

/// Settings learnt on all runs have seen the mixture that is left out in closed form. On RegMix and Olmix intervals
/// without this factor covered 82 to 86 % instead of 90.
const CLOSED_FORM: f64 = 1.2;

/// From what a predictor says about each of `runs` without its mixture ([`super::Predictor::held_out`]).
pub fn calibrated(runs: &[Observation], held_out: &[Prediction]) -> Calibration {
    let groups = mixtures(runs);
    Calibration { scale: CLOSED_FORM * scale(runs, held_out, &groups), n_mixtures: groups.len() }
}

/// Judges `method` on `targets` and on their sum with `weights`.
///
/// `targets`: per target the same runs in the same order; `weights`: one per target. Deterministic, parallel.
pub fn assess(
    method: &dyn Method,
    targets: &[Vec<Observation>],
    weights: &[f64],
    settings: &Settings,
) -> Result<Assessment, FitError> {
    let Some(first) = targets.first().filter(|runs| !runs.is_empty()) else {
        return Err(FitError::TooFew { method: "skill", needs: 3, has: 0 });
    };
    if let Some(runs) = targets.iter().find(|runs| runs.len() != first.len()) {
        let what = format!("no partner: the first target has {} runs, another {}", first.len(), runs.len());
        return Err(FitError::BadRun { row: runs.len().min(first.len()), what });
    }
    let groups = mixtures(first);
    // Leaving one mixture out must leave something to fit.
    if groups.len() < 3 {
        return Err(FitError::TooFew { method: "skill", needs: 3, has: groups.len() });
    }
    let sum = weighted_observations(targets, weights);

    let closed: Vec<Vec<Prediction>> =
        targets.par_iter().map(|runs| Ok(method.fit(runs)?.held_out())).collect::<Result<_, FitError>>()?;
    let held_out = if groups.len() <= settings.refit_up_to {
        targets.par_iter().map(|runs| refits(method, runs, &groups)).collect::<Result<_, FitError>>()?
    } else {
        closed.clone()
    };

    let reached = statistics(targets, &sum, weights, &closed, &groups);
    let (above, done) = permute(method, targets, weights, &groups, &reached, settings)?;

    let mut skills = Vec::new();
    let of_sum = weighted_predictions(&held_out, weights);
    let all = targets.iter().zip(&held_out).chain(std::iter::once((&sum, &of_sum)));
    for ((runs, predicted), above) in all.zip(above) {
        let (r2, rank_correlation) = agreement(runs, predicted, &groups);
        let p = (1.0 + above as f64) / (1.0 + done as f64);
        let verdict = if p <= settings.level && r2 > 0.0 { Verdict::Signal } else { Verdict::NoSignal };
        let held_out =
            runs.iter().zip(predicted).map(|(run, &predicted)| HeldOut { observed: run.score, predicted });
        skills.push(Skill {
            r2,
            rank_correlation,
            p,
            n_permutations: done,
            scale: scale(runs, predicted, &groups),
            held_out: held_out.collect(),
            signal: signal(runs),
            verdict,
        });
    }
    let objective = skills.pop().expect("the objective was assessed last");
    Ok(Assessment { targets: skills, objective })
}

/// Spread between mixtures beside the spread between runs of one mixture.
pub fn signal(runs: &[Observation]) -> Signal {
    let groups = mixtures(runs);
    let (n, k) = (runs.len() as f64, groups.len() as f64);
    let grand = runs.iter().map(|run| run.score).sum::<f64>() / n;
    let (mut between, mut within) = (0.0, 0.0);
    for rows in &groups {
        let mean = mean_score(runs, rows);
        between += rows.len() as f64 * (mean - grand).powi(2);
        within += rows.iter().map(|&row| (runs[row].score - mean).powi(2)).sum::<f64>();
    }
    let known = super::mean_known_noise(runs);
    // Without replicates the known noise of evaluation stands in, as if measured without error: a lower bound.
    let (within_variance, freedom) = match (n - k, known) {
        (replicates, _) if replicates >= 1.0 => (Some(within / replicates), replicates),
        (_, known) if known > 0.0 => (Some(known), 1e6),
        _ => (None, 0.0),
    };
    let mut signal = Signal {
        between_sd: 0.0,
        within_sd: within_variance.map(f64::sqrt),
        f: None,
        p: None,
        n_mixtures: groups.len(),
        n_runs: runs.len(),
        runs_per_mixture_needed: None,
    };
    if k < 2.0 {
        return signal;
    }
    let mean_square = between / (k - 1.0);
    let per_mixture =
        (n - groups.iter().map(|rows| (rows.len() as f64).powi(2)).sum::<f64>() / n) / (k - 1.0);
    let between_variance = ((mean_square - within_variance.unwrap_or(0.0)) / per_mixture).max(0.0);
    signal.between_sd = between_variance.sqrt();
    let Some(noise) = within_variance.filter(|v| *v > 0.0) else { return signal };
    let f = mean_square / noise;
    let distribution = fisher(k - 1.0, freedom);
    signal.f = Some(f);
    signal.p = Some(distribution.sf(f));
    // With F below 1 the best estimate of the spread is none; then the largest spread that F does not speak against
    // (80 %, one-sided) is what could still be found.
    let ratio = if f > 1.0 { f - 1.0 } else { f / distribution.inverse_cdf(0.2) - 1.0 } / per_mixture;
    signal.runs_per_mixture_needed = runs_needed(groups.len(), ratio);
    signal
}

/// Runs per mixture at which the F-test (level .05) finds, with power .8, mixtures whose variance is `ratio` times
/// the variance between runs: with r runs each, F is distributed as (1 + r · ratio) times a central F.
pub fn runs_needed(n_mixtures: usize, ratio: f64) -> Option<usize> {
    if n_mixtures < 2 || ratio.is_nan() || ratio <= 0.0 {
        return None;
    }
    let k = n_mixtures as f64;
    (2..=200).find(|&runs| {
        let r = runs as f64;
        let distribution = fisher(k - 1.0, k * (r - 1.0));
        distribution.sf(distribution.inverse_cdf(0.95) / (1.0 + r * ratio)) >= 0.8
    })
}

fn fisher(between: f64, within: f64) -> FisherSnedecor {
    FisherSnedecor::new(between, within).expect("both degrees of freedom are positive")
}

fn mean_score(runs: &[Observation], rows: &[usize]) -> f64 {
    rows.iter().map(|&row| runs[row].score).sum::<f64>() / rows.len() as f64
}

/// The objective as if it were a target.
pub fn weighted_observations(targets: &[Vec<Observation>], weights: &[f64]) -> Vec<Observation> {
    let runs = targets.first().map_or(0, Vec::len);
    (0..runs)
        .map(|row| Observation {
            shares: targets[0][row].shares.clone(),
            score: targets.iter().zip(weights).map(|(t, w)| w * t[row].score).sum(),
            noise_variance: (targets.iter().zip(weights))
                .map(|(t, w)| t[row].noise_variance.map(|v| w * w * v))
                .sum::<Option<f64>>(),
        })
        .collect()
}

/// Errors of targets are taken as independent; [`Skill::scale`] of the objective corrects what that misses.
fn weighted_predictions(targets: &[Vec<Prediction>], weights: &[f64]) -> Vec<Prediction> {
    (0..targets[0].len())
        .map(|row| {
            let of = |f: fn(&Prediction) -> f64| {
                targets.iter().zip(weights).map(|(t, w)| (w * f(&t[row])).powi(2)).sum::<f64>().sqrt()
            };
            Prediction {
                mean: targets.iter().zip(weights).map(|(t, w)| w * t[row].mean).sum(),
                sd: of(|p| p.sd),
                noise_sd: of(|p| p.noise_sd),
            }
        })
        .collect()
}

fn refits(
    method: &dyn Method,
    runs: &[Observation],
    groups: &[Vec<usize>],
) -> Result<Vec<Prediction>, FitError> {
    let of_group = |rows: &Vec<usize>| {
        let others: Vec<Observation> =
            (0..runs.len()).filter(|row| !rows.contains(row)).map(|row| runs[row].clone()).collect();
        Ok(method.fit(&others)?.predict(&runs[rows[0]].shares))
    };
    let by_group: Vec<Prediction> = groups.par_iter().map(of_group).collect::<Result<_, FitError>>()?;
    let mut all = vec![by_group[0]; runs.len()];
    for (rows, prediction) in groups.iter().zip(by_group) {
        for &row in rows {
            all[row] = prediction;
        }
    }
    Ok(all)
}

/// R² of every target and, last, of the weighted sum.
fn statistics(
    targets: &[Vec<Observation>],
    sum: &[Observation],
    weights: &[f64],
    held_out: &[Vec<Prediction>],
    groups: &[Vec<usize>],
) -> Vec<f64> {
    let of_sum = weighted_predictions(held_out, weights);
    let targets = targets.iter().zip(held_out).map(|(runs, predicted)| agreement(runs, predicted, groups).0);
    targets.chain(std::iter::once(agreement(sum, &of_sum, groups).0)).collect()
}

/// How often shuffled scores reach each statistic, and of how many shufflings. All targets are shuffled alike, so
/// that their sum keeps its noise.
fn permute(
    method: &dyn Method,
    targets: &[Vec<Observation>],
    weights: &[f64],
    groups: &[Vec<usize>],
    reached: &[f64],
    settings: &Settings,
) -> Result<(Vec<usize>, usize), FitError> {
    const BATCH: usize = 40;
    // With this many at or above it, p is known to a fifth and far from any level (Besag and Clifford 1991).
    const ENOUGH: usize = 20;
    let one = |number: usize| -> Result<Vec<bool>, FitError> {
        let mut order: Vec<usize> = (0..targets[0].len()).collect();
        order.shuffle(&mut settings.seed.child("permutation").child(number).rng());
        let shuffle = |runs: &Vec<Observation>| -> Vec<Observation> {
            let place = |(run, &from): (&Observation, &usize)| Observation {
                shares: run.shares.clone(),
                ..runs[from].clone()
            };
            runs.iter().zip(&order).map(place).collect()
        };
        let shuffled: Vec<Vec<Observation>> = targets.iter().map(shuffle).collect();
        let held_out: Vec<Vec<Prediction>> =
            shuffled.iter().map(|runs| Ok(method.fit(runs)?.held_out())).collect::<Result<_, FitError>>()?;
        let sum = weighted_observations(&shuffled, weights);
        let by_chance = statistics(&shuffled, &sum, weights, &held_out, groups);
        Ok(by_chance.iter().zip(reached).map(|(chance, reached)| chance >= reached).collect())
    };
    let mut above = vec![0; reached.len()];
    let mut done = 0;
    while done < settings.n_permutations && above.iter().any(|&count| count < ENOUGH) {
        let batch = done..settings.n_permutations.min(done + BATCH);
        let outcomes: Vec<Vec<bool>> = batch.into_par_iter().map(one).collect::<Result<_, FitError>>()?;
        done += outcomes.len();
        for outcome in outcomes {
            above.iter_mut().zip(outcome).for_each(|(count, above)| *count += usize::from(above));
        }
    }
    Ok((above, done))
}

/// R² and rank correlation over mixtures.
fn agreement(runs: &[Observation], predicted: &[Prediction], groups: &[Vec<usize>]) -> (f64, f64) {
    let observed: Vec<f64> = groups.iter().map(|rows| mean_score(runs, rows)).collect();
    let predicted: Vec<f64> = groups.iter().map(|rows| predicted[rows[0]].mean).collect();
    (r2(&observed, &predicted), rank_correlation(&observed, &predicted))
}

/// 1 − squared error / squared distance from the mean; 0 where all observed are equal.
pub fn r2(observed: &[f64], predicted: &[f64]) -> f64 {
    let mean = observed.iter().sum::<f64>() / observed.len() as f64;
    let total: f64 = observed.iter().map(|o| (o - mean).powi(2)).sum();
    let error: f64 = observed.iter().zip(predicted).map(|(o, p)| (o - p).powi(2)).sum();
    // Below this the scores are constant but for rounding.
    if total > 1e-24 * (1.0 + mean * mean) { 1.0 - error / total } else { 0.0 }
}

/// Spearman's rank correlation, ties by mean rank; 0 where either is constant.
pub fn rank_correlation(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    let mean = f64::midpoint(1.0, a.len() as f64);
    let product = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| (x - mean) * (y - mean)).sum::<f64>();
    let scale = (product(&a, &a) * product(&b, &b)).sqrt();
    if scale > 0.0 { product(&a, &b) / scale } else { 0.0 }
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut ranks = vec![0.0; values.len()];
    for tie in order.chunk_by(|&i, &j| values[i] == values[j]) {
        let before = values.iter().filter(|v| v.total_cmp(&values[tie[0]]).is_lt()).count() as f64;
        for &i in tie {
            ranks[i] = f64::midpoint(before + 1.0, before + tie.len() as f64);
        }
    }
    ranks
}

/// Root mean square of the left-out errors in standard deviations of a run, each mixture counting once, shrunk
/// towards 1 as if four more mixtures had fitted exactly: with ten mixtures the plain figure is itself ± 25 %.
fn scale(runs: &[Observation], predicted: &[Prediction], groups: &[Vec<usize>]) -> f64 {
    const PRIOR_MIXTURES: f64 = 4.0;
    let squared = |row: &usize| {
        let sd = predicted[*row].run_sd();
        if sd > 0.0 { ((runs[*row].score - predicted[*row].mean) / sd).powi(2) } else { 1.0 }
    };
    let sum: f64 = groups.iter().map(|rows| rows.iter().map(squared).sum::<f64>() / rows.len() as f64).sum();
    ((PRIOR_MIXTURES + sum) / (PRIOR_MIXTURES + groups.len() as f64)).sqrt().clamp(0.5, 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(share: f64, score: f64) -> Observation {
        Observation { shares: vec![share, 1.0 - share], score, noise_variance: None }
    }

    #[test]
    fn the_analysis_of_variance_is_that_of_the_textbook() {
        // Means 1, 2, 6; between: 2 (4 + 1 + 9) / 2 = 14; within: 3 × 2 × .25 / 3 = .5; F = 28.
        let runs =
            [(0.0, 0.5), (0.0, 1.5), (0.5, 1.5), (0.5, 2.5), (1.0, 5.5), (1.0, 6.5)].map(|(x, y)| run(x, y));
        let signal = signal(&runs);
        assert!((signal.f.unwrap() - 28.0).abs() < 1e-9);
        assert!((signal.within_sd.unwrap() - 0.5_f64.sqrt()).abs() < 1e-12);
        assert!((signal.between_sd - 6.75_f64.sqrt()).abs() < 1e-12); // (14 − .5) / 2
        assert!((signal.p.unwrap() - 0.0115).abs() < 1e-3);
    }

    #[test]
    fn without_replicates_and_known_noise_nothing_is_claimed() {
        let signal = signal(&[run(0.0, 1.0), run(0.5, 2.0), run(1.0, 3.0)]);
        assert_eq!(
            (signal.within_sd, signal.f, signal.p, signal.runs_per_mixture_needed),
            (None, None, None, None)
        );
    }

    #[test]
    fn smaller_differences_need_more_runs() {
        let needed: Vec<usize> = [4.0, 1.0, 0.25].map(|ratio| runs_needed(11, ratio).unwrap()).to_vec();
        assert!(needed.is_sorted() && needed[0] < needed[2], "{needed:?}");
        assert_eq!(runs_needed(11, 0.0), None);
        assert_eq!(runs_needed(11, 1e-6), None);
    }

    #[test]
    fn the_number_of_runs_needed_gives_the_power_it_promises() {
        // 11 mixtures, spread between them .7 of that between runs; 400 simulated tables.
        use rand_distr::{Distribution, StandardNormal};
        let needed = runs_needed(11, 0.49).unwrap();
        let mut rng = Seed::new(8).rng();
        let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
        let mut found = 0;
        for _ in 0..400 {
            let mut runs = Vec::new();
            for mixture in 0..11 {
                let level = 0.7 * normal();
                runs.extend((0..needed).map(|_| run(f64::from(mixture) / 10.0, level + normal())));
            }
            found += usize::from(signal(&runs).p.unwrap() <= 0.05);
        }
        // Power .8 or just above it; a standard error of 400 tables is .02.
        assert!((300..=380).contains(&found), "{found} of 400 with {needed} runs per mixture");
    }

    #[test]
    fn rank_correlation_knows_ties() {
        assert_eq!(rank_correlation(&[1.0, 2.0, 3.0], &[10.0, 20.0, 30.0]), 1.0);
        assert_eq!(rank_correlation(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), -1.0);
        assert_eq!(rank_correlation(&[1.0, 2.0, 3.0], &[5.0, 5.0, 5.0]), 0.0);
        // Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: 4.5 / √(4.5 × 5).
        assert!(
            (rank_correlation(&[1.0, 2.0, 2.0, 4.0], &[1.0, 2.0, 3.0, 4.0]) - 0.9_f64.sqrt()).abs() < 1e-12
        );
    }
}
