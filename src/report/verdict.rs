//! The one honest sentence that the quickstart ends with and the page begins with.

use super::{
    ConfirmSummary, Interval, Objective, Proposal, Target,
    estimate::{count, plain, range, signed},
};

/// What is proposed, the expected and the measured gain over uniform shares with interval and n; or that there is
/// nothing to propose, and why.
///
/// `n_finished`: finished runs of the sweep. `confirm`: proposal against uniform, where those runs are done.
pub fn verdict(
    objective: &Objective,
    proposal: Option<&Proposal>,
    confirm: Option<&ConfirmSummary>,
    n_finished: usize,
) -> String {
    let what = objective.target.phrase(objective.decoding);
    // A table's runs are whatever its owner made.
    let run = if matches!(objective.target, Target::Column(_)) { "run" } else { "proxy run" };
    let Some(proposal) = proposal else {
        return match n_finished {
            0 => format!("Nothing is proposed yet: no {run} has finished."),
            n => format!("Nothing is proposed yet: {} finished and no prediction was made.", count(n, run)),
        };
    };
    if !proposal.signal {
        let why = proposal.note.as_deref().map_or_else(
            || "left-out mixtures are predicted no better than by the mean".to_owned(),
            // The note of a proposal says "no signal: " itself; once is enough.
            |note| note.rsplit("no signal: ").next().unwrap_or(note).trim_end_matches('.').to_owned(),
        );
        return format!(
            "The data show no signal ({what}; {}): {why}; the shares to use are {}.",
            count(n_finished, run),
            proposal.mixture.brief()
        );
    }
    let mut shares = proposal.mixture.parts().map(|(_, parts)| parts);
    let first = shares.next().unwrap_or(0);
    // Equal parts of a million differ by one.
    if shares.all(|parts| parts.abs_diff(first) <= 1) {
        let why = proposal.note.as_deref().map_or_else(String::new, |note| format!(" {note}"));
        return format!(
            "Proposed: uniform shares ({what}; {}): nothing that is allowed is expected to beat them.{why}",
            count(n_finished, run)
        );
    }
    let expected = match &proposal.worst {
        Some((name, gain)) => format!(
            "Proposed: {}, expected to gain {} over uniform shares at worst ({what}; on `{name}`, 90 % interval {})",
            proposal.mixture.brief(),
            signed(gain.mean),
            range(Some(*gain), signed)
        ),
        None => format!(
            "Proposed: {}, expected to gain {} over uniform shares ({what}; 90 % interval {}; chance to beat \
             uniform {:.0} %)",
            proposal.mixture.brief(),
            signed(proposal.gain.mean),
            range(Some(proposal.gain), signed),
            100.0 * proposal.p_beats_uniform
        ),
    };
    let measured = confirm.and_then(|c| c.gain(&objective.target, objective.decoding)).map(|gain| gain.gain);
    if matches!(&objective.target, Target::Weighted(own) if own.weights.is_empty()) {
        return format!("{expected}; what the test runs gained per benchmark is in their table.");
    }
    let Some(gain) = measured else {
        return format!("{expected}; no pair of runs has measured that gain yet.");
    };
    let Some(interval) = gain.interval() else {
        return format!(
            "{expected}; one pair of runs measured {}, and one pair says nothing about chance.",
            signed(gain.mean)
        );
    };
    let found = match sure_gain(interval) {
        Some(true) => "the proposal beats uniform shares",
        Some(false) => "uniform shares beat the proposal, so the prediction was wrong",
        None => "that does not tell it from no gain",
    };
    format!(
        "{expected}; measured with fresh seeds on questions that no decision saw: {} (95 % interval {}, n \
         = {} paired seeds): {found}.",
        signed(gain.mean),
        range(Some(interval), signed),
        gain.n
    )
}

/// Whether an interval of a gain lies above 0 (`true`), below it (`false`), or around it (`None`).
pub fn sure_gain(gain: Interval) -> Option<bool> {
    if gain.low > 0.0 {
        Some(true)
    } else if gain.high < 0.0 {
        Some(false)
    } else {
        None
    }
}

/// A sentence about low scores, which are a finding and no fault; `None` where they are not low.
///
/// `best`: highest mean score of any mixture in [0, 1], `base`: the base's.
pub(super) fn low_scores(best: f64, base: Option<f64>) -> Option<String> {
    // What is to be small has its sign turned.
    let low = (0.0..0.1).contains(&best);
    let base = base.filter(|b| b.is_finite()).map_or(String::new(), |b| format!(", the base's {}", plain(b)));
    low.then(|| {
        format!(
            "Scores are low: the best mixture's mean is {} of 1{base}. That is what this base reaches on \
             these questions within this budget; mixtures can be compared as far as their intervals are \
             apart, and no further.",
            plain(best)
        )
    })
}
