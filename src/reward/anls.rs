//! Text by edit distance: forgives misreadings of a letter or two, as benchmarks of text in pictures do.
//!
//! Average normalised Levenshtein similarity (Biten et al., arXiv:1905.13648, §4): the best over the golds of `1 − d / n`,
//! `d` edit distance and `n` the longer length, in characters; 0 when `d / n ≥ 1 − threshold`. Both texts are normalised
//! as in `text` first and the *normalised* lengths divide. The public harnesses divide by the raw lengths, so that spaces
//! around a wrong answer raise its score, and keep a similarity of exactly 0.5; neither is done here.

use serde::Deserialize;

use super::{
    BadGold, Example, Gold, Reason, Verdict, Verifier, entry,
    text::{golds, normalised},
};
use crate::{
    registry::{BuildError, Entry, Named},
    sample::Answer,
};

pub(super) const ENTRY: Entry<dyn Verifier> = entry::<Anls>();

/// Longest gold, in characters; with the smallest threshold it bounds the work for one answer to 10⁷ steps.
const MAX_GOLD: usize = 1000;
const MIN_THRESHOLD: f64 = 0.1;

struct Anls {
    threshold: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default = "half")]
    threshold: f64,
}

fn half() -> f64 {
    0.5
}

impl Named for Anls {
    const NAME: &'static str = "anls";
    const SUMMARY: &'static str = "Text similarity by edit distance, 0 at or below the threshold (0.5)";
    type Config = Config;

    fn new(config: Config) -> Result<Self, BuildError> {
        if !(MIN_THRESHOLD..1.0).contains(&config.threshold) {
            return Err(BuildError::Value(format!(
                "`threshold` is {}; it must be at least {MIN_THRESHOLD} and below 1",
                config.threshold
            )));
        }
        Ok(Self { threshold: config.threshold })
    }
}

impl Anls {
    fn similarity(&self, gold: &[char], answer: &[char]) -> f64 {
        let longer = gold.len().max(answer.len());
        // The distance is at least the difference in length: most hopeless answers are settled here.
        if gold.len().min(answer.len()) as f64 <= self.threshold * longer as f64 {
            return 0.0;
        }
        let similarity = 1.0 - distance(gold, answer) as f64 / longer as f64;
        if similarity > self.threshold { similarity } else { 0.0 }
    }
}

impl Verifier for Anls {
    fn accepts(&self, gold: &Gold) -> Result<(), BadGold> {
        match golds(gold)?.iter().map(|g| g.chars().count()).max() {
            Some(length) if length > MAX_GOLD => Err(BadGold::Unreadable(format!(
                "a text of {length} characters; at most {MAX_GOLD} are compared"
            ))),
            _ => Ok(()),
        }
    }

    fn score(&self, gold: &Gold, answer: &str) -> Verdict {
        if self.accepts(gold).is_err() {
            return Verdict::zero(Reason::BadGold);
        }
        let answer = normalised(answer);
        if answer.is_empty() {
            return Verdict::zero(Reason::Empty);
        }
        let characters: Vec<char> = answer.chars().collect();
        let similarity = golds(gold)
            .into_iter()
            .flatten()
            .map(|gold| self.similarity(&normalised(gold).chars().collect::<Vec<_>>(), &characters))
            .fold(0.0, f64::max);
        Verdict::graded(similarity, &answer)
    }

    fn wrong_answers(&self, gold: &Gold) -> Vec<String> {
        let Ok(golds) = golds(gold) else { return Vec::new() };
        let all: String = golds.iter().map(|g| normalised(g)).collect();
        // A letter that no gold has, as often as the first gold is long: nothing can be kept.
        let absent = ('a'..='z').chain('0'..='9').find(|c| !all.contains(*c)).unwrap_or('#');
        vec![absent.to_string().repeat(golds[0].chars().count())]
    }

    fn examples(&self) -> Vec<Example> {
        let gold = Answer::Text(vec!["Central Station".to_owned()]);
        vec![Example::new(
            gold,
            &["central station", " Central   Station."],
            &["", "bus", "Central Station or Airport or Harbour or Market", "xxxxxxxxxxxxxxx"],
        )]
    }
}

/// Levenshtein distance in one row of memory.
pub(super) fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_letter_of_five_costs_a_fifth() {
        check("hello", "hallo", 0.8); // d = 1, n = 5
        check("hello", "hall", 0.6); // d = 2, n = 5
        check("ab", "ax", 0.0); // similarity 0.5 is not above the threshold
        check("abcd", "       x       ", 0.0); // padding does not help
    }

    #[test]
    fn the_best_gold_counts() {
        let answer = Answer::Text(vec!["seven".to_owned(), "7 people".to_owned()]);
        let gold = Gold { answer: &answer, options: &[], picture_size: None };
        assert_eq!(verifier().score(&gold, "7 People").score, 1.0);
    }

    #[test]
    fn a_threshold_outside_its_range_is_an_error() {
        assert!(Anls::new(Config { threshold: 0.0 }).is_err());
        assert!(Anls::new(Config { threshold: f64::NAN }).is_err());
    }

    #[test]
    fn distances_are_those_worked_by_hand() {
        let of = |a: &str, b: &str| distance(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>());
        assert_eq!((of("kitten", "sitting"), of("", "abc"), of("abc", "abc")), (3, 3, 0));
    }

    fn verifier() -> Anls {
        Anls { threshold: 0.5 }
    }

    fn check(gold: &str, answer: &str, expected: f64) {
        let golds = Answer::Text(vec![gold.to_owned()]);
        let gold = Gold { answer: &golds, options: &[], picture_size: None };
        let score = verifier().score(&gold, answer).score;
        assert!((score - expected).abs() < 1e-12, "{gold:?} {answer:?}: {score}");
    }
}
