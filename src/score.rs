//! Scores that know their sample count and standard error.

use serde::{Deserialize, Serialize};

/// A mean score with what is needed to judge it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Mean, in the unit of the scores (usually [0, 1]).
    pub mean: f64,
    /// Standard error of the mean; knows that completions of one question go together.
    pub standard_error: f64,
    /// Questions.
    pub n_questions: usize,
    /// Completions per question.
    pub n_completions: usize,
}

impl Score {
    /// From the scores of each question's completions.
    ///
    /// The standard error is that of the questions' means (cluster-robust: completions of one question are
    /// one cluster), `sd / sqrt(n_questions)`; 0 questions give NaN, 1 question gives an infinite error.
    pub fn of_questions(per_question: &[Vec<f64>]) -> Self {
        let n = per_question.len();
        let means: Vec<f64> = per_question.iter().map(|s| s.iter().sum::<f64>() / s.len() as f64).collect();
        let mean = means.iter().sum::<f64>() / n as f64;
        let variance = means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (n as f64 - 1.0);
        Self {
            mean,
            standard_error: if n < 2 { f64::INFINITY } else { (variance / n as f64).sqrt() },
            n_questions: n,
            n_completions: per_question.iter().map(Vec::len).max().unwrap_or(0),
        }
    }

    /// Mean weighted by sample count, as In-Score and Out-Score are (arXiv:2505.24871, Table 2).
    pub fn weighted_by_count(scores: &[Self]) -> Self {
        let total: usize = scores.iter().map(|s| s.n_questions).sum();
        let weight = |s: &Self| s.n_questions as f64 / total as f64;
        Self {
            mean: scores.iter().map(|s| weight(s) * s.mean).sum(),
            standard_error: scores.iter().map(|s| (weight(s) * s.standard_error).powi(2)).sum::<f64>().sqrt(),
            n_questions: total,
            n_completions: scores.iter().map(|s| s.n_completions).max().unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completions_of_one_question_are_one_cluster() {
        // Means 1 and 0: sd = sqrt(1/2), standard error = sqrt(1/2)/sqrt(2) = 1/2, however many completions agree.
        let score = Score::of_questions(&[vec![1.0; 4], vec![0.0; 4]]);
        assert_eq!((score.mean, score.n_questions, score.n_completions), (0.5, 2, 4));
        assert!((score.standard_error - 0.5).abs() < 1e-12);
    }

    #[test]
    fn aggregates_weigh_by_sample_count() {
        let of = |mean, n| Score { mean, standard_error: 0.1, n_questions: n, n_completions: 1 };
        let all = Score::weighted_by_count(&[of(0.2, 100), of(0.6, 300)]);
        assert!((all.mean - 0.5).abs() < 1e-12); // (100 × .2 + 300 × .6) / 400
        assert_eq!(all.n_questions, 400);
    }
}
