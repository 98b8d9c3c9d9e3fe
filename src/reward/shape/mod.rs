//! Parts of a reward that look at a completion's form and not at its answer: length, repetition, language.
//!
//! Each is a table in a dataset's `[reward]`, with a `weight` (1 unless given); its value, logged under its name, times the
//! weight is added to the reward. Values are at most 0, except `length`, whose bounds are settings.

use std::{collections::HashSet, f64::consts::PI};

use serde::Deserialize;

/// A part as lists show it.
pub struct Part {
    /// The name of its table and of its column in logs.
    pub name: &'static str,
    /// One line, with the source.
    pub summary: &'static str,
    /// A table of settings.
    pub settings: &'static str,
    /// What it gives under these settings.
    pub examples: &'static [Example],
}

/// What a part gives for one completion.
pub struct Example {
    /// Words of the completion for parts that look at its words, else a length in tokens.
    pub completion: &'static str,
    /// Length in tokens.
    pub tokens: usize,
    /// Whether its answer is right.
    pub right: bool,
    /// The part's value, before its weight.
    pub value: f64,
}

const fn of_length(tokens: usize, right: bool, value: f64) -> Example {
    Example { completion: "", tokens, right, value }
}

const fn of_words(completion: &'static str, value: f64) -> Example {
    Example { completion, tokens: 0, right: true, value }
}

/// Every part of a reward besides accuracy and format. `overlong` stands twice: as a soft punishment and as a filter.
pub const PARTS: &[Part] = &[
    Part {
        name: "overlong",
        summary: "0 up to a length, then falling to -1 at the limit and beyond (DAPO, arXiv:2503.14476, eq. 13)",
        settings: "{ limit = 100, buffer = 20 }",
        examples: &[
            of_length(80, true, 0.0),
            of_length(90, true, -0.5),
            of_length(100, true, -1.0),
            of_length(101, true, -1.0),
        ],
    },
    Part {
        name: "overlong",
        summary: "as a filter: beyond the limit the whole reward is 0, for trainers that cannot mask a completion",
        settings: "{ limit = 100, buffer = 20, filter = true }",
        examples: &[of_length(100, true, -1.0), of_length(101, true, -1.0)],
    },
    Part {
        name: "length",
        summary: "along a cosine from one bound at length 0 to another at the limit, for right and wrong answers (arXiv:2502.03373, C.1)",
        settings: "{ limit = 100, right = [1.0, 0.5], wrong = [-1.0, -0.5] }",
        examples: &[
            of_length(0, true, 1.0),
            of_length(50, true, 0.75),
            of_length(200, true, 0.5),
            of_length(0, false, -1.0),
            of_length(50, false, -0.75),
        ],
    },
    Part {
        name: "repetition",
        summary: "minus the share of n-grams of words that stood before (arXiv:2502.03373, C.2)",
        settings: "{ n = 2 }",
        examples: &[of_words("a b c d", 0.0), of_words("x x x x X", -0.75)],
    },
    Part {
        name: "language",
        summary: "minus the share of characters outside the script: `cjk` (MAYE's code) or `not_latin` (its paper, arXiv:2504.02587)",
        settings: "{ charges = \"cjk\" }",
        examples: &[of_words("ab", 0.0), of_words("ab\u{4e2d}\u{6587}", -0.5)],
    },
];

/// The tables that were given.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Shape {
    pub(super) overlong: Option<Overlong>,
    pub(super) length: Option<Length>,
    pub(super) repetition: Option<Repetition>,
    pub(super) language: Option<Language>,
}

fn one() -> f64 {
    1.0
}

/// Soft punishment of overlong completions (DAPO, arXiv:2503.14476, eq. 13).
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Overlong {
    /// L_max: completions beyond it get -1, in tokens.
    limit: usize,
    /// L_cache: within this many tokens below the limit the punishment grows from 0 to -1.
    buffer: usize,
    /// Whether a completion beyond the limit loses its whole reward instead: the overlong filter for trainers without masks.
    #[serde(default)]
    pub(super) filter: bool,
    #[serde(default = "one")]
    pub(super) weight: f64,
}

impl Overlong {
    /// In [-1, 0].
    pub(super) fn value(&self, tokens: usize) -> f64 {
        let free = self.limit - self.buffer;
        if tokens <= free {
            0.0
        } else if tokens <= self.limit {
            (free as f64 - tokens as f64) / self.buffer as f64
        } else {
            -1.0
        }
    }

    pub(super) fn is_beyond(&self, tokens: usize) -> bool {
        tokens > self.limit
    }
}

/// Correctness scaled by length along a cosine (arXiv:2502.03373, appendix C.1): the bounds are the values at length 0 and at
/// the limit, for right and for wrong answers.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Length {
    /// L_max in tokens; longer completions count as this long.
    limit: usize,
    /// Values of a right answer at length 0 and at the limit.
    #[serde(default = "right")]
    right: (f64, f64),
    /// Values of a wrong answer at length 0 and at the limit.
    #[serde(default = "wrong")]
    wrong: (f64, f64),
    #[serde(default = "one")]
    pub(super) weight: f64,
}

fn right() -> (f64, f64) {
    (1.0, 0.5)
}

fn wrong() -> (f64, f64) {
    (-1.0, -0.5)
}

impl Length {
    /// Between the bounds.
    pub(super) fn value(&self, tokens: usize, is_right: bool) -> f64 {
        let (start, end) = if is_right { self.right } else { self.wrong };
        let progress = (tokens as f64 / self.limit as f64).min(1.0);
        end + 0.5 * (start - end) * (1.0 + (progress * PI).cos())
    }
}

/// Share of n-grams that repeat earlier ones, negative (arXiv:2502.03373, appendix C.2), over words in lower case, of which the
/// last 128 KiB count: longer completions than any model writes would take long.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Repetition {
    /// Words per n-gram.
    #[serde(default = "three")]
    n: usize,
    #[serde(default = "one")]
    pub(super) weight: f64,
}

/// Bytes in which repetitions are looked for.
const MAX_REPEATED: usize = 128 * 1024;

fn three() -> usize {
    3
}

impl Repetition {
    /// In (-1, 0].
    pub(super) fn value(&self, text: &str) -> f64 {
        let lower = super::text::end_of(text, MAX_REPEATED).to_lowercase();
        let words: Vec<&str> = lower.split_whitespace().collect();
        let all = words.windows(self.n).len();
        if all == 0 {
            return 0.0;
        }
        let different = words.windows(self.n).collect::<HashSet<_>>().len();
        different as f64 / all as f64 - 1.0
    }
}

/// Share of characters outside the language's script, negative.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Language {
    /// Which characters count.
    charges: Script,
    #[serde(default = "one")]
    pub(super) weight: f64,
}

/// Characters that a text may be charged for.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Script {
    /// CJK ideographs U+4E00 to U+9FFF, as MAYE's code does (with the weight 0.1).
    Cjk,
    /// Every letter that is not Latin or Greek, as MAYE's paper says ("non-English characters"); Greek is mathematics.
    NotLatin,
}

impl Language {
    /// In [-1, 0].
    pub(super) fn value(&self, text: &str) -> f64 {
        let (mut charged, mut all) = (0_usize, 0_usize);
        for c in text.chars() {
            all += 1;
            charged += usize::from(match self.charges {
                Script::Cjk => ('\u{4e00}'..='\u{9fff}').contains(&c),
                Script::NotLatin => {
                    c.is_alphabetic()
                        && c > '\u{24f}'
                        && !('\u{370}'..='\u{3ff}').contains(&c)
                        && !('\u{1e00}'..='\u{1eff}').contains(&c)
                        && !('\u{2100}'..='\u{214f}').contains(&c)
                }
            });
        }
        if all == 0 { 0.0 } else { -(charged as f64 / all as f64) }
    }
}

impl Shape {
    /// Refuses settings that have no meaning.
    pub(super) fn check(&self) -> Result<(), String> {
        let finite = |name: &str, values: &[f64]| {
            if values.iter().all(|v| v.is_finite()) {
                Ok(())
            } else {
                Err(format!("`{name}` has a number that is not finite"))
            }
        };
        if let Some(o) = &self.overlong {
            finite("overlong", &[o.weight])?;
            if o.buffer == 0 || o.buffer > o.limit {
                return Err(format!(
                    "`overlong.buffer` is {}; it is at least 1 and at most `overlong.limit`, which is {}",
                    o.buffer, o.limit
                ));
            }
        }
        if let Some(l) = &self.length {
            finite("length", &[l.weight, l.right.0, l.right.1, l.wrong.0, l.wrong.1])?;
            if l.limit == 0 {
                return Err(
                    "`length.limit` is 0; it is the length in tokens at which the cosine ends".to_owned()
                );
            }
        }
        if let Some(r) = &self.repetition {
            finite("repetition", &[r.weight])?;
            if r.n == 0 {
                return Err("`repetition.n` is 0; it is the number of words per n-gram".to_owned());
            }
        }
        match &self.language {
            Some(l) => finite("language", &[l.weight]),
            None => Ok(()),
        }
    }

    /// Whether a part needs the number of tokens.
    pub(super) fn counts_tokens(&self) -> bool {
        self.overlong.is_some() || self.length.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        reward::{Gold, Reward},
        sample::Answer,
    };

    #[test]
    fn every_part_gives_what_it_says() {
        for part in PARTS {
            let table: toml::Table = format!("{} = {}", part.name, part.settings).parse().unwrap();
            let reward = Reward::from_tables(&"choice".into(), Some(&table)).unwrap();
            let gold = Gold { answer: &Answer::Choice('B'), options: &[], picture_size: None };
            for example in part.examples {
                let value = if example.completion.is_empty() {
                    let letter = if example.right { 'B' } else { 'C' };
                    let text = format!("<think>x</think><answer>{letter}</answer>");
                    let scored = reward.score_of_length(&gold, &text, example.tokens);
                    if part.settings.contains("filter") {
                        assert_eq!(scored.total == 0.0, example.tokens > 100, "{}", example.tokens);
                    }
                    scored.parts.iter().find(|p| p.name == part.name).unwrap().value
                } else {
                    let scored = reward.score(&gold, example.completion);
                    scored.parts.iter().find(|p| p.name == part.name).unwrap().value
                };
                assert!((value - example.value).abs() < 1e-12, "{} {value}", part.name);
            }
        }
    }

    #[test]
    fn overlong_completions_are_punished_from_the_buffer_on() {
        // DAPO's own numbers: 16384 free, a buffer of 4096.
        let overlong = Overlong { limit: 20480, buffer: 4096, filter: false, weight: 1.0 };
        for (tokens, expected) in [(0, 0.0), (16384, 0.0), (18432, -0.5), (20480, -1.0), (20481, -1.0)] {
            assert_eq!(overlong.value(tokens), expected, "{tokens}");
        }
    }

    #[test]
    fn the_cosine_has_the_values_of_trls_documentation() {
        // Completions of 50 of 100 tokens: 0.75 right, -0.75 wrong.
        let length = Length { limit: 100, right: right(), wrong: wrong(), weight: 1.0 };
        for (tokens, is_right, expected) in [
            (50, true, 0.75),
            (50, false, -0.75),
            (0, true, 1.0),
            (100, true, 0.5),
            (900, true, 0.5),
            (0, false, -1.0),
        ] {
            assert!((length.value(tokens, is_right) - expected).abs() < 1e-12, "{tokens} {is_right}");
        }
    }

    #[test]
    fn repeated_pairs_cost_their_share() {
        // Five equal words have four pairs, one of them different: TRL's example gives -0.75.
        let repetition = Repetition { n: 2, weight: 1.0 };
        assert_eq!(repetition.value("a b c d"), 0.0);
        assert_eq!(repetition.value("x x x x X"), -0.75);
        assert_eq!(repetition.value("x"), 0.0);
    }

    #[test]
    fn other_scripts_cost_their_share() {
        let of = |charges| Language { charges, weight: 0.1 };
        assert_eq!(of(Script::Cjk).value("ab中文"), -0.5);
        assert_eq!(of(Script::Cjk).value("abда"), 0.0);
        assert_eq!(of(Script::NotLatin).value("abда"), -0.5);
        assert_eq!(of(Script::NotLatin).value("aé π ℝ 3"), 0.0);
        assert_eq!(of(Script::Cjk).value(""), 0.0);
    }
}
