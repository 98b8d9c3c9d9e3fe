//! Every method on the same table: cross-validation and learning curves, each number with its standard error.

use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde::Serialize;

use super::{
    Method, Observation, Predictor, mixtures,
    skill::{calibrated, r2, rank_correlation},
    spread,
};
use crate::seed::Seed;

/// What methods are asked for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Mixtures fitted on, of each point of the learning curve.
    pub sizes: Vec<usize>,
    /// Random choices of those mixtures.
    pub draws: usize,
    /// Folds of the cross-validation.
    pub folds: usize,
    /// Of choices and folds.
    pub seed: Seed,
}

/// A mean over draws or folds, each the mean over targets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Its standard error.
    pub standard_error: f64,
}

/// How a method does on mixtures it has not seen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scores {
    /// Mixtures fitted on; on average, in cross-validation.
    pub n_mixtures: usize,
    /// Spearman's, between scores and predictions.
    pub rank_correlation: Estimate,
    /// 1 − squared error / squared distance from the mean of the mixtures asked; the median over targets and draws,
    /// as one explosion would hide the rest.
    pub median_r2: f64,
    /// Mean absolute error in standard deviations of all scores.
    pub error: Estimate,
    /// Share of runs inside the 90 % interval.
    pub covered: Estimate,
    /// Draws or folds, times targets.
    pub n_fits: usize,
}

/// A method with what it came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// Its name.
    pub method: String,
    /// On all runs; `None` with the reason where it cannot be fitted.
    pub cross_validation: Option<Scores>,
    /// From few mixtures to many, where it can be fitted.
    pub learning_curve: Vec<Scores>,
    /// Why anything is missing.
    pub refused: Option<String>,
}

/// One method on all targets: the same runs in the same order for each.
pub fn compare(
    name: &str,
    method: &dyn Method,
    targets: &[Vec<Observation>],
    settings: &Settings,
) -> Compared {
    let groups = targets.first().map_or_else(Vec::new, |runs| mixtures(runs));
    let mut compared = Compared {
        method: name.to_owned(),
        cross_validation: None,
        learning_curve: Vec::new(),
        refused: None,
    };
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.shuffle(&mut settings.seed.child("folds").rng());
    let folds = n_folds(settings.folds, groups.len());
    let parts: Vec<(Vec<usize>, Vec<usize>)> = (0..folds)
        .map(|fold| {
            let (test, train): (Vec<_>, Vec<_>) =
                order.iter().enumerate().partition(|(i, _)| i % folds == fold);
            let rows =
                |part: Vec<(usize, &usize)>| part.into_iter().flat_map(|(_, &g)| groups[g].clone()).collect();
            (rows(train), rows(test))
        })
        .collect();
    match scores(method, targets, &parts, groups.len() - groups.len() / folds) {
        Ok(scores) => compared.cross_validation = scores,
        Err(reason) => compared.refused = Some(reason),
    }
    for &size in settings.sizes.iter().filter(|size| **size + 5 <= groups.len()) {
        let parts: Vec<(Vec<usize>, Vec<usize>)> = (0..settings.draws)
            .map(|draw| {
                let mut order: Vec<usize> = (0..groups.len()).collect();
                order.shuffle(&mut settings.seed.child("curve").child(size).child(draw).rng());
                let rows = |part: &[usize]| part.iter().flat_map(|&g| groups[g].clone()).collect();
                (rows(&order[..size]), rows(&order[size..]))
            })
            .collect();
        match scores(method, targets, &parts, size) {
            Ok(scores) => compared.learning_curve.extend(scores),
            Err(reason) => {
                compared.refused.get_or_insert(reason);
            }
        }
    }
    compared
}

/// Folds that are made of `n_mixtures` where `asked` are wanted: at least two, of at least three mixtures, since fewer have no
/// order to speak of.
pub fn n_folds(asked: usize, n_mixtures: usize) -> usize {
    asked.min(n_mixtures / 3).max(2)
}

/// What one fit came to: rank correlation, R², error, share covered.
type Reached = [f64; 4];

fn scores(
    method: &dyn Method,
    targets: &[Vec<Observation>],
    parts: &[(Vec<usize>, Vec<usize>)],
    n_mixtures: usize,
) -> Result<Option<Scores>, String> {
    let pick = |target: &Vec<Observation>, rows: &[usize]| -> Vec<Observation> {
        rows.iter().map(|&row| target[row].clone()).collect()
    };
    let one = |target: usize, part: usize, train: &[Observation], fitted: &dyn Predictor| -> Reached {
        let test = pick(&targets[target], &parts[part].1);
        let own = calibrated(train, &fitted.held_out());
        let truth: Vec<f64> = test.iter().map(|run| run.score).collect();
        let predicted: Vec<_> = test.iter().map(|run| fitted.predict(&run.shares)).collect();
        let means: Vec<f64> = predicted.iter().map(|p| p.mean).collect();
        let n = truth.len() as f64;
        let error =
            truth.iter().zip(&means).map(|(t, m)| (t - m).abs()).sum::<f64>() / n / spread(&targets[target]);
        let inside = truth
            .iter()
            .zip(&predicted)
            .filter(|(t, p)| (*t - p.mean).abs() <= own.half_width(p.run_sd(), 0.9));
        [rank_correlation(&truth, &means), r2(&truth, &means), error, inside.count() as f64 / n]
    };
    let of_part = |part: usize| -> Result<Vec<Reached>, String> {
        let train: Vec<Vec<Observation>> =
            targets.iter().map(|target| pick(target, &parts[part].0)).collect();
        let fitted = method.fit_all(&train).map_err(|error| error.to_string())?;
        let all = fitted.par_iter().zip(&train).enumerate();
        Ok(all.map(|(target, (fitted, train))| one(target, part, train, fitted.as_ref())).collect())
    };
    let reached: Vec<Vec<Reached>> =
        (0..parts.len()).into_par_iter().map(of_part).collect::<Result<_, String>>()?;
    let reached = reached.concat();
    if reached.is_empty() {
        return Ok(None);
    }
    let of = |what: usize| -> Estimate {
        let parts = reached.chunks(targets.len());
        let means: Vec<f64> =
            parts.map(|part| part.iter().map(|r| r[what]).sum::<f64>() / part.len() as f64).collect();
        let n = means.len() as f64;
        let mean = means.iter().sum::<f64>() / n;
        let variance = means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
        Estimate { mean, standard_error: (variance / n).sqrt() }
    };
    let mut all_r2: Vec<f64> = reached.iter().map(|r| r[1]).collect();
    all_r2.sort_by(f64::total_cmp);
    Ok(Some(Scores {
        n_mixtures,
        rank_correlation: of(0),
        median_r2: all_r2[all_r2.len() / 2],
        error: of(2),
        covered: of(3),
        n_fits: reached.len(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::by_name;
    use rand::Rng;

    #[test]
    fn a_method_that_follows_the_surface_beats_the_mean_and_gets_better_with_runs() {
        let mut rng = Seed::new(1).rng();
        let run = |_| {
            let share: f64 = rng.random();
            Observation { shares: vec![share, 1.0 - share], score: share.sqrt(), noise_variance: None }
        };
        let targets = [(0..40).map(run).collect::<Vec<_>>()];
        let settings = Settings { sizes: vec![5, 20], draws: 4, folds: 5, seed: Seed::new(2) };
        let of = |name: &str| compare(name, by_name(name).unwrap().as_ref(), &targets, &settings);
        let (mean, ridge) = (of("mean"), of("ridge"));
        assert_eq!(mean.cross_validation.unwrap().rank_correlation.mean, 0.0);
        assert!(ridge.cross_validation.unwrap().rank_correlation.mean > 0.9);
        assert!(ridge.learning_curve[1].error.mean < ridge.learning_curve[0].error.mean);
    }

    #[test]
    fn a_method_that_cannot_be_fitted_says_why() {
        let run = |i: u32| {
            let share = f64::from(i) / 10.0;
            Observation { shares: vec![share, 1.0 - share, 0.0], score: share, noise_variance: None }
        };
        let targets = [(0..6).map(run).collect::<Vec<_>>()];
        let settings = Settings { sizes: vec![], draws: 1, folds: 3, seed: Seed::new(2) };
        let refused =
            compare("quadratic", by_name("quadratic").unwrap().as_ref(), &targets, &settings).refused;
        assert!(refused.unwrap().contains("needs 6 finished runs of different mixtures and there are 3"));
    }
}
