//! The paper's rules that turn the scores of seed runs into shares (arXiv:2505.24871, Algorithms 1 to 3).
//!
//! They look at which datasets a run used, not at how much of each. `None` means that the runs do not tell the
//! datasets apart, where the paper's formulas would divide by zero.

use ndarray::{Array1, Array2};

use crate::predict::algebra::Cholesky;

/// A seed run as the rules see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Whether each dataset was used.
    pub uses: Vec<bool>,
    /// Its In-Score.
    pub in_score: f64,
    /// Its Out-Score.
    pub out_score: f64,
}

/// Algorithm 1: how much score each dataset took part in, in-domain (`alpha` 1), out-of-domain (0) or both (.5).
///
/// `alpha_single`: weight in [0, 1] of runs on a single dataset; the paper does not say which it used.
pub fn alpha_family(records: &[Record], alpha: f64, alpha_single: f64) -> Option<Vec<f64>> {
    let sums = |score: fn(&Record) -> f64| -> Vec<f64> {
        let mut sums = vec![0.0; records.first().map_or(0, |r| r.uses.len())];
        for record in records {
            let single = record.uses.iter().filter(|used| **used).count() == 1;
            let weight = if single { alpha_single } else { 1.0 };
            let used = sums.iter_mut().zip(&record.uses).filter(|(_, used)| **used);
            used.for_each(|(sum, _)| *sum += weight * score(record));
        }
        sums
    };
    // A dataset that no run used has no sum to compare: it gets no share and sets no minimum.
    let used: Vec<usize> =
        (0..records.first()?.uses.len()).filter(|&i| records.iter().any(|record| record.uses[i])).collect();
    let relative =
        |score: fn(&Record) -> f64| min_max(&used.iter().map(|&i| sums(score)[i]).collect::<Vec<_>>());
    let (inside, outside) = (relative(|r| r.in_score), relative(|r| r.out_score));
    let mut shares = vec![0.0; records.first()?.uses.len()];
    for (k, &i) in used.iter().enumerate() {
        shares[i] = alpha * inside[k] + (1.0 - alpha) * outside[k];
    }
    normalised(shares)
}

/// Algorithm 2 ("Coli"): ridge of the Out-Score on membership without intercept, each coefficient divided by the
/// diagonal of the inverse (which the paper calls variance inflation), negative ones cut.
pub fn coli(records: &[Record]) -> Option<Vec<f64>> {
    const PENALTY: f64 = 1e-3;
    let d = records.first()?.uses.len();
    let x = Array2::from_shape_fn((records.len(), d), |(run, i)| f64::from(u8::from(records[run].uses[i])));
    let y: Array1<f64> = records.iter().map(|record| record.out_score).collect();
    let cholesky = Cholesky::new(&(x.t().dot(&x) + Array2::<f64>::eye(d) * PENALTY))?;
    let coefficients = cholesky.solve(x.t().dot(&y).view());
    let inflation = cholesky.inverse();
    normalised((0..d).map(|i| (coefficients[i] / inflation[[i, i]]).max(0.0)).collect())
}

/// Algorithm 3 ("Norm"): from .1 for the dataset whose removal helped the Out-Score most to .2 for the one whose
/// removal helped it least, then normalised. Uses the runs that lack exactly one dataset.
pub fn norm(records: &[Record]) -> Option<Vec<f64>> {
    let d = records.first()?.uses.len();
    let without = |i: usize| {
        let lacks_only = |r: &&Record| r.uses.iter().enumerate().all(|(j, used)| *used == (i != j));
        records.iter().find(lacks_only).map(|record| record.out_score)
    };
    let scores: Vec<f64> = (0..d).map(without).collect::<Option<_>>()?;
    normalised(min_max(&scores).iter().map(|relative| 0.2 - 0.1 * relative).collect())
}

/// Smallest to 0, largest to 1; all 0 when they are equal.
fn min_max(values: &[f64]) -> Vec<f64> {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    values.iter().map(|v| if high > low { (v - low) / (high - low) } else { 0.0 }).collect()
}

fn normalised(weights: Vec<f64>) -> Option<Vec<f64>> {
    let sum: f64 = weights.iter().sum();
    (sum > 0.0 && sum.is_finite()).then(|| weights.iter().map(|w| w / sum).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The paper's eleven seed runs (Table 2, facts): datasets used, In-Score, Out-Score.
    /// Order: COCO, LISA, GeoQAV, SAT, ScienceQA.
    #[expect(clippy::approx_constant, reason = "the In-Score .3180 is no 1/π")]
    const SEEDS: [(&str, f64, f64); 11] = [
        ("1", 0.3254, 0.4589),
        ("2", 0.3180, 0.4219),
        ("3", 0.2232, 0.4753),
        ("4", 0.1990, 0.4915),
        ("5", 0.3274, 0.4263),
        ("2345", 0.5590, 0.5146),
        ("1345", 0.5432, 0.4783),
        ("1245", 0.5767, 0.4889),
        ("1235", 0.5463, 0.4721),
        ("1234", 0.4787, 0.4930),
        ("12345", 0.5638, 0.4609),
    ];

    fn records(keep: impl Fn(&str) -> bool) -> Vec<Record> {
        let of = |(digits, in_score, out_score): &(&str, f64, f64)| Record {
            uses: "12345".chars().map(|digit| digits.contains(digit)).collect(),
            in_score: *in_score,
            out_score: *out_score,
        };
        SEEDS.iter().filter(|(digits, ..)| keep(digits)).map(of).collect()
    }

    /// Golden values recomputed independently from the published table (to 1e-4).
    fn check(weights: Option<Vec<f64>>, expected: [f64; 5]) {
        let weights = weights.unwrap();
        let close = weights.iter().zip(expected).all(|(w, e)| (w - e).abs() < 1e-4);
        assert!(close, "{weights:?} instead of {expected:?}");
    }

    #[test]
    fn norm_gives_the_papers_headline_mixture() {
        check(norm(&records(|_| true)), [0.1255, 0.2327, 0.2014, 0.2510, 0.1893]);
    }

    #[test]
    fn coli_gives_the_recomputed_weights_with_all_runs_and_without_the_first_dataset() {
        check(coli(&records(|_| true)), [0.183851, 0.183315, 0.216072, 0.241329, 0.175432]);
        check(coli(&records(|digits| !digits.contains('1'))), [0.0, 0.208919, 0.277796, 0.298691, 0.214594]);
    }

    #[test]
    fn the_alpha_family_gives_the_recomputed_weights() {
        let without_first = records(|digits| !digits.contains('1'));
        check(alpha_family(&without_first, 1.0, 1.0), [0.0, 0.438144, 0.089102, 0.0, 0.472754]);
        check(alpha_family(&without_first, 0.0, 1.0), [0.0, 0.0, 0.419152, 0.546311, 0.034537]);
        check(alpha_family(&without_first, 0.5, 1.0), [0.0, 0.234885, 0.242215, 0.253439, 0.269461]);
        let all = records(|_| true);
        check(alpha_family(&all, 1.0, 0.0), [0.0986, 0.1865, 0.0, 0.1693, 0.5457]);
        check(alpha_family(&all, 0.0, 0.0), [0.0, 0.2879, 0.2038, 0.3370, 0.1713]);
        check(alpha_family(&all, 0.5, 0.0), [0.0376, 0.2492, 0.1260, 0.2730, 0.3142]);
        check(alpha_family(&all, 1.0, 1.0), [0.2626, 0.2810, 0.0, 0.0136, 0.4428]);
        check(alpha_family(&all, 0.0, 1.0), [0.0685, 0.0642, 0.3308, 0.5364, 0.0]);
        check(alpha_family(&all, 0.5, 1.0), [0.1748, 0.1829, 0.1496, 0.2500, 0.2426]);
    }

    #[test]
    fn runs_that_tell_nothing_give_no_shares() {
        let one = records(|digits| digits == "12345");
        assert_eq!(alpha_family(&one, 0.5, 1.0), None);
        assert_eq!(norm(&one), None);
        assert_eq!(coli(&[]), None);
    }
}
