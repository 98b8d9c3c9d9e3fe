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
    /// Different mixtures at which a rank correlation of this size would be told from none, see [`mixtures_needed`].
    #[serde(default)]
    pub mixtures_needed: Option<usize>,
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

/// With fewer mixtures than this a rank correlation rests on a handful of points, and below six on so few orders that p
/// cannot fall far below .05: a signal of them is told with a caution.
const FEW: usize = 8;

/// What would tell a signal from none.
enum Settles {
    /// The score is constant.
    Nothing,
    /// So many different mixtures.
    Mixtures(Option<usize>),
    /// So many runs of each mixture.
    Runs(Option<usize>),
    /// Repeated mixtures, or so many different ones.
    Noise(Option<usize>),
}

impl Skill {
    /// One honest sentence.
    pub fn sentence(&self) -> String {
        let Signal { n_mixtures, n_runs, .. } = self.signal;
        let measured = format!(
            "left-out R² {:.2}, rank correlation {:.2}, p {} ({n_runs} runs of {n_mixtures} mixtures)",
            self.r2,
            self.rank_correlation,
            if self.p < 0.001 { "< 0.001".to_owned() } else { format!("{:.3}", self.p) }
        );
        if self.verdict == Verdict::Signal {
            let few = if n_mixtures < FEW {
                format!("; of {n_mixtures} mixtures that is weak evidence: try more before it is followed")
            } else {
                String::new()
            };
            return format!("the mixture predicts the score: {measured}{few}");
        }
        let advice = match self.settles() {
            Settles::Nothing => {
                return format!(
                    "no signal: the score is the same in all {n_runs} runs of {n_mixtures} mixtures"
                );
            }
            Settles::Mixtures(more) => {
                let differ = "mixtures do differ, so try more of them rather than more seeds";
                let more = more.map(Self::about);
                more.map_or_else(|| differ.to_owned(), |more| format!("{differ}: {more}"))
            }
            Settles::Runs(Some(needed)) => {
                format!("about {needed} runs per mixture would tell a difference of this size from noise")
            }
            Settles::Runs(None) => {
                "not even 200 runs per mixture would tell the difference seen from noise".to_owned()
            }
            Settles::Noise(Some(more)) => {
                format!("{}; repeat some mixtures to learn the noise", Self::about(more))
            }
            Settles::Noise(None) => "repeat some mixtures to learn the noise".to_owned(),
        };
        format!("no signal: {measured}; {advice}")
    }

    fn about(mixtures: usize) -> String {
        format!("about {mixtures} different mixtures would settle whether there is any")
    }

    /// What would settle it, in a word or two for a table; nothing where there is a signal.
    pub fn needed(&self) -> String {
        if self.verdict == Verdict::Signal {
            return String::new();
        }
        match self.settles() {
            Settles::Nothing => "constant".to_owned(),
            Settles::Mixtures(Some(n)) | Settles::Noise(Some(n)) => format!("{n} mixtures"),
            Settles::Mixtures(None) => "mixtures".to_owned(),
            Settles::Runs(Some(n)) => format!("{n} runs each"),
            Settles::Runs(None) => ">200 runs each".to_owned(),
            Settles::Noise(None) => "repeats".to_owned(),
        }
    }

    fn settles(&self) -> Settles {
        if self.held_out.windows(2).all(|pair| pair[0].observed.total_cmp(&pair[1].observed).is_eq()) {
            return Settles::Nothing;
        }
        match self.signal {
            Signal { p: Some(p), .. } if p <= 0.05 => Settles::Mixtures(self.mixtures_needed),
            Signal { runs_per_mixture_needed: Some(needed), .. } => Settles::Runs(Some(needed)),
            // Runs of a mixture that are all alike: what mixtures differ by is no noise.
            Signal { within_sd: Some(sd), between_sd, .. } if sd == 0.0 && between_sd > 0.0 => {
                Settles::Mixtures(self.mixtures_needed)
            }
            Signal { within_sd: None, .. } => Settles::Noise(self.mixtures_needed),
            Signal { .. } => Settles::Runs(None),
        }
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

    /// Its standard deviations, rescaled.
    pub fn calibration(&self) -> Calibration {
        Calibration { scale: self.scale, n_mixtures: self.signal.n_mixtures }
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

/// What the scale of the closed form is multiplied with: settings learnt on all runs have seen the mixture that is left
/// out, which matters the more the fewer mixtures there are for each dataset (`docs/predict.md` has the coverage).
fn closed_form(n_mixtures: usize, n_datasets: usize) -> f64 {
    1.0 + (0.75 * n_datasets as f64 / n_mixtures as f64).min(0.5)
}

/// From what a predictor says about each of `runs` without its mixture ([`super::Predictor::held_out`]).
pub fn calibrated(runs: &[Observation], held_out: &[Prediction]) -> Calibration {
    let groups = mixtures(runs);
    let widened = closed_form(groups.len(), runs.first().map_or(1, |run| run.shares.len()));
    Calibration { scale: widened * scale(runs, held_out, &groups), n_mixtures: groups.len() }
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
    let judged = Judged::new(method, targets, &[weights.to_vec()], settings)?;
    let targets = (0..targets.len()).map(|i| judged.target(i)).collect();
    Ok(Assessment { targets, objective: judged.sum(weights) })
}

/// What a method says about left-out mixtures of every target, on the scores and on shufflings of them: the skill of
/// any weighted sum of the targets follows without another fit.
pub struct Judged {
    targets: Vec<Vec<Observation>>,
    /// Rows of each mixture.
    groups: Vec<Vec<usize>>,
    /// `[target][run]`: predictions without the run's mixture.
    held_out: Vec<Vec<Prediction>>,
    /// The same in closed form, whose skill is compared with that on shuffled scores.
    closed: Vec<Vec<Prediction>>,
    shuffles: Vec<Shuffle>,
    level: f64,
}

/// Scores given to other runs, and what is predicted of each mixture then.
struct Shuffle {
    /// The run whose score each run has.
    order: Vec<usize>,
    /// `[target][mixture]`: expected scores without that mixture.
    expected: Vec<Vec<f64>>,
}

impl Judged {
    /// Fits `method` on every target, and on shufflings of all of them together, so that sums keep their noise.
    ///
    /// Shuffling ends early where chance is plain for every target and for every one of `sums` (one weight per target
    /// each). Without shufflings the chance of a skill comes from its rank correlation.
    pub fn new(
        method: &dyn Method,
        targets: &[Vec<Observation>],
        sums: &[Vec<f64>],
        settings: &Settings,
    ) -> Result<Self, FitError> {
        let Some(first) = targets.first().filter(|runs| !runs.is_empty()) else {
            return Err(FitError::TooFew { method: "skill", needs: 3, has: 0 });
        };
        if let Some(runs) = targets.iter().find(|runs| runs.len() != first.len()) {
            let what =
                format!("no partner: the first target has {} runs, another {}", first.len(), runs.len());
            return Err(FitError::BadRun { row: runs.len().min(first.len()), what });
        }
        let groups = mixtures(first);
        // Leaving one mixture out must leave something to fit.
        if groups.len() < 3 {
            return Err(FitError::TooFew { method: "skill", needs: 3, has: groups.len() });
        }
        let closed: Vec<Vec<Prediction>> =
            method.fit_all(targets)?.par_iter().map(|fitted| fitted.held_out()).collect();
        let held_out = if groups.len() <= settings.refit_up_to {
            refits(method, targets, &groups)?
        } else {
            closed.clone()
        };
        let (targets, level) = (targets.to_vec(), settings.level);
        let mut judged = Self { targets, groups, held_out, closed, shuffles: Vec::new(), level };
        judged.shuffle(method, sums, settings)?;
        Ok(judged)
    }

    /// Shufflings, until chance is plain everywhere or there are as many as asked for.
    fn shuffle(
        &mut self,
        method: &dyn Method,
        sums: &[Vec<f64>],
        settings: &Settings,
    ) -> Result<(), FitError> {
        const BATCH: usize = 40;
        // With this many at or above it, p is known to a fifth and far from any level (Besag and Clifford 1991).
        const ENOUGH: usize = 20;
        let one = |number: usize| -> Result<Shuffle, FitError> {
            let mut order: Vec<usize> = (0..self.targets[0].len()).collect();
            order.shuffle(&mut settings.seed.child("permutation").child(number).rng());
            let shuffled = self.targets.iter().map(|runs| {
                let place = |(run, &from): (&Observation, &usize)| Observation {
                    shares: run.shares.clone(),
                    ..runs[from].clone()
                };
                runs.iter().zip(&order).map(place).collect()
            });
            let fitted = method.fit_all(&shuffled.collect::<Vec<Vec<Observation>>>())?;
            let expected = fitted.iter().map(|fitted| {
                let held_out = fitted.held_out();
                self.groups.iter().map(|rows| held_out[rows[0]].mean).collect()
            });
            Ok(Shuffle { expected: expected.collect(), order })
        };
        let each = (0..self.targets.len()).map(|i| unit(i, self.targets.len()));
        let watched: Vec<Vec<f64>> = each.chain(sums.iter().cloned()).collect();
        let mut shuffles: Vec<Shuffle> = Vec::new();
        let plain = |shuffles: &[Shuffle]| {
            watched.iter().all(|weights| self.reached_by_chance(weights, shuffles) >= ENOUGH)
        };
        while shuffles.len() < settings.n_permutations && !plain(&shuffles) {
            let batch = shuffles.len()..settings.n_permutations.min(shuffles.len() + BATCH);
            shuffles.extend(batch.into_par_iter().map(one).collect::<Result<Vec<_>, FitError>>()?);
        }
        self.shuffles = shuffles;
        Ok(())
    }

    /// How many shufflings reach the left-out R² of a weighted sum.
    fn reached_by_chance(&self, weights: &[f64], shuffles: &[Shuffle]) -> usize {
        let sum = weighted_observations(&self.targets, weights);
        let observed: Vec<f64> = self.groups.iter().map(|rows| mean_score(&sum, rows)).collect();
        let expected =
            |of: &dyn Fn(usize, usize) -> f64, group| members(weights).map(|(i, w)| w * of(i, group)).sum();
        let closed = |i: usize, group: usize| self.closed[i][self.groups[group][0]].mean;
        let closed: Vec<f64> = (0..self.groups.len()).map(|group| expected(&closed, group)).collect();
        let reached = r2(&observed, &closed);
        let by_chance = |shuffle: &&Shuffle| {
            let score = |row: &usize| sum[shuffle.order[*row]].score;
            let mean = |rows: &Vec<usize>| rows.iter().map(score).sum::<f64>() / rows.len() as f64;
            let observed: Vec<f64> = self.groups.iter().map(mean).collect();
            let predicted = |i: usize, group: usize| shuffle.expected[i][group];
            let predicted: Vec<f64> =
                (0..self.groups.len()).map(|group| expected(&predicted, group)).collect();
            r2(&observed, &predicted) >= reached
        };
        shuffles.iter().filter(by_chance).count()
    }

    /// Skill in one target.
    pub fn target(&self, target: usize) -> Skill {
        self.sum(&unit(target, self.targets.len()))
    }

    /// Skill in a weighted sum; `weights`: one per target.
    pub fn sum(&self, weights: &[f64]) -> Skill {
        let runs = weighted_observations(&self.targets, weights);
        let predicted = weighted_predictions(&self.held_out, weights);
        let (r2, rank_correlation) = agreement(&runs, &predicted, &self.groups);
        let done = self.shuffles.len();
        let p = if done > 0 {
            let above = self.reached_by_chance(weights, &self.shuffles);
            (1.0 + above as f64) / (1.0 + done as f64)
        } else {
            chance_of_rank(rank_correlation, self.groups.len())
        };
        let verdict = if p <= self.level && r2 > 0.0 { Verdict::Signal } else { Verdict::NoSignal };
        let held_out =
            runs.iter().zip(&predicted).map(|(run, &predicted)| HeldOut { observed: run.score, predicted });
        Skill {
            r2,
            rank_correlation,
            p,
            n_permutations: done,
            scale: scale(&runs, &predicted, &self.groups),
            held_out: held_out.collect(),
            signal: signal(&runs),
            mixtures_needed: mixtures_needed(self.groups.len(), rank_correlation),
            verdict,
        }
    }
}

fn unit(i: usize, n: usize) -> Vec<f64> {
    (0..n).map(|j| f64::from(u8::from(i == j))).collect()
}

/// The targets that weigh something.
fn members(weights: &[f64]) -> impl Iterator<Item = (usize, f64)> {
    weights.iter().copied().enumerate().filter(|(_, weight)| *weight != 0.0)
}

/// Chance of a rank correlation this high where there is none (Student's t, one-sided).
fn chance_of_rank(rank_correlation: f64, n_mixtures: usize) -> f64 {
    let freedom = (n_mixtures as f64 - 2.0).max(1.0);
    let r = rank_correlation.clamp(-1.0 + 1e-12, 1.0 - 1e-12);
    let student = StudentsT::new(0.0, 1.0, freedom).expect("the degrees of freedom are 1 or more");
    student.sf(r * (freedom / (1.0 - r * r)).sqrt())
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

/// Different mixtures, more than there are, at which a rank correlation of `r` would be told from none (level .05
/// one-sided, power .8; Fisher's z). Where `r` is smaller than what the `n_mixtures` behind it can tell, a larger one that
/// they do not speak against (80 %, one-sided). `None` where ten thousand would not do.
pub fn mixtures_needed(n_mixtures: usize, r: f64) -> Option<usize> {
    const LEVEL: f64 = 1.645;
    const POWER: f64 = 0.842;
    let (z, error) = (r.clamp(-0.999, 0.999).atanh(), POWER / (n_mixtures as f64 - 3.0).max(1.0).sqrt());
    let z = z.max(z.min(0.0) + error);
    let needed = ((LEVEL + POWER) / z).powi(2) + 3.0;
    (z > 0.0 && needed <= 1e4).then(|| (needed.ceil() as usize).max(n_mixtures + 1))
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
            score: members(weights).map(|(i, w)| w * targets[i][row].score).sum(),
            noise_variance: members(weights)
                .map(|(i, w)| targets[i][row].noise_variance.map(|v| w * w * v))
                .sum::<Option<f64>>(),
        })
        .collect()
}

/// Errors of targets are taken as independent; [`Skill::scale`] of the objective corrects what that misses.
fn weighted_predictions(targets: &[Vec<Prediction>], weights: &[f64]) -> Vec<Prediction> {
    (0..targets[0].len())
        .map(|row| {
            let of = |f: fn(&Prediction) -> f64| {
                members(weights).map(|(i, w)| (w * f(&targets[i][row])).powi(2)).sum::<f64>().sqrt()
            };
            Prediction {
                mean: members(weights).map(|(i, w)| w * targets[i][row].mean).sum(),
                sd: of(|p| p.sd),
                noise_sd: of(|p| p.noise_sd),
            }
        })
        .collect()
}

fn refits(
    method: &dyn Method,
    targets: &[Vec<Observation>],
    groups: &[Vec<usize>],
) -> Result<Vec<Vec<Prediction>>, FitError> {
    let n_runs = targets[0].len();
    let of_group = |rows: &Vec<usize>| {
        let others = |runs: &Vec<Observation>| -> Vec<Observation> {
            (0..n_runs).filter(|row| !rows.contains(row)).map(|row| runs[row].clone()).collect()
        };
        let others: Vec<Vec<Observation>> = targets.iter().map(others).collect();
        // One more than it needs, as each is left out in turn.
        let fitted = method.fit_all(&others).map_err(|error| match error {
            FitError::TooFew { method, needs, .. } => {
                FitError::TooFew { method, needs: needs + 1, has: groups.len() }
            }
            other @ FitError::BadRun { .. } => other,
        })?;
        Ok(fitted.iter().map(|fitted| fitted.predict(&targets[0][rows[0]].shares)).collect())
    };
    let by_group: Vec<Vec<Prediction>> = groups.par_iter().map(of_group).collect::<Result<_, FitError>>()?;
    let of_target = |target: usize| {
        let mut all = vec![by_group[0][target]; n_runs];
        for (rows, predictions) in groups.iter().zip(&by_group) {
            for &row in rows {
                all[row] = predictions[target];
            }
        }
        all
    };
    Ok((0..targets.len()).map(of_target).collect())
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

/// Ranks around 0 with a sum of squares of 1, so that the products of two such lists sum to their rank correlation; all
/// 0 where `values` are constant.
pub(super) fn standard_ranks(values: &[f64]) -> Vec<f64> {
    let mean = f64::midpoint(1.0, values.len() as f64);
    let ranks: Vec<f64> = ranks(values).into_iter().map(|rank| rank - mean).collect();
    let length = ranks.iter().map(|rank| rank * rank).sum::<f64>().sqrt();
    ranks.into_iter().map(|rank| if length > 0.0 { rank / length } else { 0.0 }).collect()
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
    fn what_would_settle_it_and_the_caution_of_few_mixtures_are_said() {
        let mut rng = Seed::new(11).rng();
        let mut noise = || rand::Rng::random_range(&mut rng, -1.0..1.0);
        let settings = Settings { n_permutations: 99, ..Settings::default() };
        let judge = |runs: Vec<Observation>| {
            let method = crate::predict::by_name("ridge").unwrap();
            assess(method.as_ref(), &[runs], &[1.0], &settings).unwrap().objective
        };
        // A line of five points: 120 orders, of which two are as good.
        let few = judge((0..5).map(|i| run(f64::from(i) / 4.0, f64::from(i))).collect());
        assert!(few.verdict == Verdict::Signal && few.needed().is_empty(), "{}", few.sentence());
        assert!(few.sentence().contains("of 5 mixtures that is weak evidence"), "{}", few.sentence());
        let many = judge((0..20).map(|i| run(f64::from(i) / 19.0, f64::from(i))).collect());
        assert!(!many.sentence().contains("weak evidence"), "{}", many.sentence());
        // Of tables without an effect some have a rank correlation that more mixtures could tell from none.
        let mut chance = (0..20).map(|_| judge((0..20).map(|i| run(f64::from(i) / 19.0, noise())).collect()));
        let could = |skill: &Skill| skill.verdict == Verdict::NoSignal && skill.mixtures_needed.is_some();
        let chance = chance.find(could).expect("one of twenty");
        assert!(chance.needed().ends_with(" mixtures"), "{}", chance.needed());
        let number = chance.needed().replace(" mixtures", "");
        assert!(
            chance.sentence().contains(&format!("about {number} different mixtures")),
            "{}",
            chance.sentence()
        );
        // Two runs of each mixture lie 2 apart, mixtures .05 up and down.
        let seed = |i| if i < 5 { 1.0 } else { -1.0 };
        let two = |i| run(f64::from(i % 5) / 4.0, seed(i) + 0.05 * f64::from(i % 5 % 2));
        let seeds = judge((0..10).map(two).collect());
        assert!(seeds.needed().ends_with("runs each"), "{}", seeds.needed());
        // Two runs of each mixture are alike: more of them would tell nothing.
        let alike = [3.0, 1.0, 4.0, 1.0, 5.0, 2.0, 3.0, 1.5];
        let alike = judge((0..16).map(|i| run(f64::from(i % 8) / 7.0, alike[i as usize % 8])).collect());
        assert!(alike.needed().ends_with("mixtures"), "{}", alike.needed());
        let constant = judge((0..10).map(|i| run(f64::from(i) / 9.0, 0.5)).collect());
        assert_eq!(constant.needed(), "constant");
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
    fn the_number_of_mixtures_needed_gives_the_power_it_promises() {
        // A correlation of .4 (normal; Spearman's of it is .385): 2000 simulated tables of that many mixtures.
        use rand_distr::{Distribution, StandardNormal};
        let needed = mixtures_needed(10, 0.385).unwrap();
        let mut rng = Seed::new(9).rng();
        let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
        let mut found = 0;
        for _ in 0..2000 {
            let (mut a, mut b) = (Vec::new(), Vec::new());
            for _ in 0..needed {
                let x = normal();
                a.push(x);
                b.push(0.4 * x + (1.0_f64 - 0.16).sqrt() * normal());
            }
            found += usize::from(chance_of_rank(rank_correlation(&a, &b), needed) <= 0.05);
        }
        // Power .8; a standard error of 2000 tables is .009, and Spearman's is a little less powerful than Pearson's.
        assert!((1500..=1700).contains(&found), "{found} of 2000 with {needed} mixtures");
    }

    #[test]
    fn the_skill_of_any_sum_follows_from_the_same_fits() {
        let mut rng = Seed::new(10).rng();
        let mut noise = || 0.05 * rand::Rng::random_range(&mut rng, -1.0..1.0);
        let shares: Vec<f64> = (0..12).map(|i| f64::from(i) / 11.0).collect();
        let a: Vec<Observation> = shares.iter().map(|&x| run(x, x + noise())).collect();
        let b: Vec<Observation> = shares.iter().map(|&x| run(x, -x + noise())).collect();
        let method = crate::predict::by_name("ridge").unwrap();
        let settings = Settings { n_permutations: 99, ..Settings::default() };
        let targets = [a, b];
        let judged = Judged::new(method.as_ref(), &targets, &[], &settings).unwrap();
        for weights in [[1.0, 0.0], [2.0, -1.0], [1.0, 1.0]] {
            // Judged alone: the sum as the objective of a fit of its own.
            let alone = assess(method.as_ref(), &targets, &weights, &settings).unwrap().objective;
            let here = judged.sum(&weights);
            assert_eq!(
                (here.r2, here.rank_correlation, here.scale),
                (alone.r2, alone.rank_correlation, alone.scale)
            );
            assert_eq!(here.verdict, alone.verdict, "{weights:?}");
        }
        assert_eq!(judged.sum(&[2.0, -1.0]).verdict, Verdict::Signal);
        // What one gains the other loses: nothing is left to predict.
        assert_eq!(judged.sum(&[1.0, 1.0]).verdict, Verdict::NoSignal);
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
