//! ANLS as lmms-eval and VLMEvalKit compute it: the edit distance of normalised texts over the length of the texts as they
//! came, so that white space around a wrong answer raises its score; a similarity of exactly 0.5 counts.

use super::{super::anls::distance, Asked, MAX_TEXT, Score};

/// Longest text that is compared, in characters; more is cut off and counts as wrong letters. Beyond [`MAX_TEXT`] nothing is near.
const MAX: usize = 2000;

pub(super) fn score(asked: &Asked) -> Score {
    let normal = |text: &str| -> Vec<char> {
        let words: Vec<&str> = text.split(super::python::is_space).filter(|w| !w.is_empty()).collect();
        words.join(" ").to_lowercase().chars().collect()
    };
    // `upper` may lengthen a text: ß becomes SS.
    let length = |text: &str| text.chars().flat_map(char::to_uppercase).count();
    if asked.completion.len() > MAX_TEXT {
        return Score::graded(0.0, asked.completion.to_owned());
    }
    let answer = normal(asked.completion);
    let mut best: f64 = 0.0;
    for gold in asked.golds {
        let wanted = normal(gold);
        let longer = length(gold).max(length(asked.completion));
        let distance = match (wanted.len().min(answer.len()), wanted.len().max(answer.len())) {
            (shorter, all) if all > MAX => all - shorter.min(1),
            _ => distance(&wanted, &answer),
        };
        let lost = if longer == 0 { 0.0 } else { distance as f64 / longer as f64 };
        best = best.max(1.0 - lost);
    }
    let similarity = if best < 0.5 { 0.0 } else { best };
    Score::graded(similarity, asked.completion.to_owned())
}
