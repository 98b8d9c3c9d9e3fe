//! ScienceQA as lmms-eval scores it: the letter in any case, or an upper-case letter and a full stop in front.

use super::{Asked, MAX_TEXT, Score, python};

pub(super) fn score(asked: &Asked) -> Score {
    let answer = asked.completion.trim_matches(python::is_space);
    let mut chars = answer.chars();
    let (first, second) = (chars.next(), chars.next());
    let right = asked.golds.first().is_some_and(|gold| {
        let gold = gold.trim_matches(python::is_space).to_lowercase();
        if answer.len() <= MAX_TEXT && answer.to_lowercase() == gold {
            return true;
        }
        match (first, second) {
            (Some(letter), Some('.')) if letter.is_uppercase() => letter.to_lowercase().to_string() == gold,
            _ => false,
        }
    });
    Score::all_or_nothing(right, answer.to_owned())
}
