//! Relaxed accuracy as lmms-eval and VLMEvalKit compute it, oddities included: a percent sign divides by 100, a gold of 0
//! is compared as text, nothing else is understood (no separators, units, currency).

use super::{Asked, MAX_TEXT, Score, python};

/// lmms-eval: the completion as it stands, the first gold only.
pub(super) fn score(asked: &Asked) -> Score {
    let right = asked.golds.first().is_some_and(|gold| relaxed(asked.completion, gold));
    Score::all_or_nothing(right, asked.completion.to_owned())
}

/// VLMEvalKit: the completion without white space around, the best gold.
pub(super) fn score_vlmeval(asked: &Asked) -> Score {
    let answer = asked.completion.trim_matches(python::is_space);
    let right = asked.golds.iter().any(|gold| relaxed(answer, gold));
    Score::all_or_nothing(right, answer.to_owned())
}

fn number(text: &str) -> Option<f64> {
    if text.ends_with('%') {
        python::float(text.trim_end_matches('%')).map(|value| value / 100.0)
    } else {
        python::float(text)
    }
}

fn relaxed(answer: &str, gold: &str) -> bool {
    if answer.len() > MAX_TEXT {
        return answer == gold;
    }
    match (number(answer), number(gold)) {
        (Some(given), Some(wanted)) if wanted != 0.0 => (given - wanted).abs() / wanted.abs() <= 0.05,
        _ => answer.to_lowercase() == gold.to_lowercase(),
    }
}
