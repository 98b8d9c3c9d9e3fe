//! Parts of a reward that look at a completion's form and not at its answer: length, repetition, language.
//!
//! Each is a table in a dataset's `[reward]`, with a `weight` (1 unless given); its value, logged under its name, times the
//! weight is added to the reward. Values are at most 0, except `length`, whose bounds are settings.

use std::{collections::HashSet, f64::consts::PI};

use serde::Deserialize;

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

/// Share of n-grams that repeat earlier ones, negative (arXiv:2502.03373, appendix C.2), over words in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Repetition {
    /// Words per n-gram.
    #[serde(default = "three")]
    n: usize,
    #[serde(default = "one")]
    pub(super) weight: f64,
}

fn three() -> usize {
    3
}

impl Repetition {
    /// In (-1, 0].
    pub(super) fn value(&self, text: &str) -> f64 {
        let lower = text.to_lowercase();
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
