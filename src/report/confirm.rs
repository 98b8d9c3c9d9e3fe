//! Two mixtures compared by runs that share their seed, on questions that no decision saw.

use super::{DECODINGS, Estimate, Target, targets};
use crate::run::{Decoding, Part, RunRecord};

/// Two finished runs with the same draw seed and the same seed.
#[derive(Clone, Copy, Debug)]
pub struct PairedRuns<'a> {
    /// The mixture in question, usually the proposal.
    pub arm: &'a RunRecord,
    /// What it is compared with, usually uniform shares.
    pub against: &'a RunRecord,
}

/// Gain of one mixture over another, for everything that both were scored on.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfirmSummary {
    /// The mixture in question: `proposal`.
    pub arm: String,
    /// What it is compared with: `uniform`.
    pub against: String,
    /// Pairs that were given; a row may rest on fewer.
    pub n_pairs: usize,
    /// Every benchmark, then the aggregates, each sampled and greedy as far as measured.
    pub gains: Vec<PairedGain>,
}

/// Gain on one target.
#[derive(Clone, Debug, PartialEq)]
pub struct PairedGain {
    /// What was scored.
    pub target: Target,
    /// Greedy or sampled.
    pub decoding: Decoding,
    /// Mean score of the mixture in question, in [0, 1].
    pub arm_mean: f64,
    /// Mean score of the other, in [0, 1].
    pub against_mean: f64,
    /// Mean of the differences of pairs, with their 95 % t interval and their number.
    pub gain: Estimate,
    /// Questions per run.
    pub n_questions: usize,
}

/// Compares by pairs: what the two runs of a pair share (order of draws, seed, questions) cancels.
///
/// Scores on report questions count; where no pair has any, those on selection questions. Pairs in which a target is
/// missing or no number are left out of that target.
pub fn confirm_summary(
    arm: &str,
    against: &str,
    pairs: &[PairedRuns<'_>],
    objective: &Target,
) -> ConfirmSummary {
    let part = part(pairs.iter().flat_map(|pair| [pair.arm, pair.against]), Part::Report);
    let scores = || pairs.iter().flat_map(|pair| pair.arm.scores.iter().chain(&pair.against.scores));
    let mut gains = Vec::new();
    let own = matches!(objective, Target::Weighted(_)).then(|| objective.clone());
    for target in own.into_iter().chain(targets(scores(), part)) {
        for decoding in DECODINGS {
            let both = pairs.iter().filter_map(|pair| {
                let arm = target.score(&pair.arm.scores, part, decoding)?;
                let against = target.score(&pair.against.scores, part, decoding)?;
                (arm.mean.is_finite() && against.mean.is_finite()).then_some((arm, against))
            });
            let both: Vec<_> = both.collect();
            if both.is_empty() {
                continue;
            }
            gains.push(PairedGain {
                target: target.clone(),
                decoding,
                arm_mean: Estimate::of(both.iter().map(|b| b.0.mean)).mean,
                against_mean: Estimate::of(both.iter().map(|b| b.1.mean)).mean,
                gain: Estimate::of(both.iter().map(|b| b.0.mean - b.1.mean)),
                n_questions: both.iter().map(|b| b.0.n_questions).max().unwrap_or(0),
            });
        }
    }
    ConfirmSummary { arm: arm.to_owned(), against: against.to_owned(), n_pairs: pairs.len(), gains }
}

impl ConfirmSummary {
    /// The gain on one target with one decoding; `None` where it was not measured.
    pub fn gain(&self, target: &Target, decoding: Decoding) -> Option<&PairedGain> {
        self.gains.iter().find(|gain| gain.target == *target && gain.decoding == decoding)
    }
}

/// `wanted` where any record has it, else the other half.
pub(super) fn part<'a>(records: impl IntoIterator<Item = &'a RunRecord>, wanted: Part) -> Part {
    let mut parts = records.into_iter().flat_map(|record| record.scores.iter().map(|s| s.part)).peekable();
    let other = if wanted == Part::Report { Part::Selection } else { Part::Report };
    if parts.peek().is_none() || parts.any(|part| part == wanted) { wanted } else { other }
}
