//! What a completion is worth: verifiers compare an answer with the gold, a [`Reward`] weighs answer and format.
//!
//! Text comes from models and is untrusted: any text is scored, in time linear in its length and without recursion, and is
//! never an error. Golds are checked when data are loaded ([`Verifier::accepts`]), so that a gold nobody can meet is not a
//! silent 0.
//!
//! One file per verifier, one line in [`VERIFIERS`]. Two texts are told apart: the *completion* is all that the model wrote,
//! the *answer* what stands in it where answers belong, inside `<answer>` after `</think>`.

mod anls;
mod boxes;
mod choice;
mod expression;
mod format;
mod math;
mod number;
pub mod profile;
mod shape;
mod text;

use serde::{Deserialize, Serialize};

use crate::{
    registry::{BuildError, Entry, Named, Registry, UnknownName},
    sample::Answer,
};
#[cfg(test)]
pub(crate) use boxes::iou;
pub use format::Region;
use format::{Format, Lenient};
pub use shape::{PARTS, Part as RewardPart};

/// Every verifier.
pub const VERIFIERS: Registry<dyn Verifier> = Registry {
    kind: "verifier",
    entries: &[
        choice::ENTRY,
        number::ENTRY,
        text::ENTRY,
        anls::ENTRY,
        boxes::ENTRY,
        expression::ENTRY,
        format::ENTRY,
    ],
};

const fn entry<V: Named + Verifier + 'static>() -> Entry<dyn Verifier> {
    Entry { name: V::NAME, summary: V::SUMMARY, build: |table| Ok(Box::new(V::new(table.try_into()?)?)) }
}

/// What is right, with what it takes to judge by it.
#[derive(Clone, Copy, Debug)]
pub struct Gold<'a> {
    /// The right answer.
    pub answer: &'a Answer,
    /// The options of a choice in the order of their letters; empty where they are not known.
    pub options: &'a [String],
    /// Width and height of the original picture in pixels, for boxes in relative coordinates.
    pub picture_size: Option<(u32, u32)>,
}

/// Compares text with a gold.
pub trait Verifier: Send + Sync {
    /// Which text [`Verifier::score`] wants.
    fn reads(&self) -> Reads {
        Reads::Answer
    }

    /// Refuses a gold that this verifier cannot check: wrong type, unreadable, empty.
    fn accepts(&self, gold: &Gold) -> Result<(), BadGold>;

    /// The gold as a model would write it to get full marks: in the coordinates and layout that are asked for.
    fn write(&self, gold: &Gold) -> String {
        gold.answer.written()
    }

    /// Scores any text; an empty one and a gold that was not accepted give 0.
    fn score(&self, gold: &Gold, answer: &str) -> Verdict;

    /// Where an answer most likely stands in text without tags, for [`Scored::lenient_accuracy`] only.
    ///
    /// The last line that is not blank, after "answer is" or "answer:" if it has that; for a choice that does not read as one
    /// the last lone capital letter of that line, for a number the last word of it that reads as one, for boxes the last
    /// bracketed list of the text.
    fn tail<'t>(&self, gold: &Gold, text: &'t str) -> &'t str {
        let _ = gold;
        text::last_line(text)
    }

    /// Answers derived from an accepted gold that must score 0, for the self-test before a run.
    fn wrong_answers(&self, gold: &Gold) -> Vec<String>;

    /// What scores 1 and what scores 0 under these settings: documentation and tests in one.
    fn examples(&self) -> Vec<Example>;
}

/// The text that a verifier judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// What stands in the answer region.
    Answer,
    /// All that the model wrote.
    Completion,
}

/// A gold with texts that are right and texts that are wrong.
#[derive(Clone, Debug)]
pub struct Example {
    /// See [`Gold::answer`].
    pub gold: Answer,
    /// See [`Gold::options`].
    pub options: Vec<String>,
    /// See [`Gold::picture_size`].
    pub picture_size: Option<(u32, u32)>,
    /// Texts that score 1.
    pub right: Vec<String>,
    /// Texts that score 0.
    pub wrong: Vec<String>,
}

impl Example {
    fn new(gold: Answer, right: &[&str], wrong: &[&str]) -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|&t| t.to_owned()).collect();
        Self { gold, options: Vec::new(), picture_size: None, right: owned(right), wrong: owned(wrong) }
    }

    /// The gold to score the texts against.
    pub fn gold(&self) -> Gold<'_> {
        Gold { answer: &self.gold, options: &self.options, picture_size: self.picture_size }
    }
}

/// A score with its reason.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// In [0, 1].
    pub score: f64,
    /// Why.
    pub reason: Reason,
    /// What was read and compared, at most 200 characters of it.
    pub extracted: Option<String>,
}

const MAX_EXTRACTED: usize = 200;

impl Verdict {
    fn zero(reason: Reason) -> Self {
        Self { score: 0.0, reason, extracted: None }
    }

    fn graded(score: f64, extracted: &str) -> Self {
        let reason = match score {
            1.0 => Reason::Right,
            0.0 => Reason::Wrong,
            _ => Reason::Partial,
        };
        Self { score, reason, extracted: Some(extracted.chars().take(MAX_EXTRACTED).collect()) }
    }

    fn all_or_nothing(right: bool, extracted: &str) -> Self {
        Self::graded(f64::from(u8::from(right)), extracted)
    }
}

/// Why a score is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Full marks.
    Right,
    /// Between 0 and 1: a near text, overlapping boxes.
    Partial,
    /// Read, compared, and not the gold.
    Wrong,
    /// Nothing stands where the answer belongs.
    Empty,
    /// There is no place where an answer belongs: no tags, no box, no "answer:".
    NoAnswerRegion,
    /// Something stands there that is no answer of this type.
    Unparsed,
    /// Arithmetic is left in it: `7+8`.
    Unevaluated,
    /// It names several answers.
    Ambiguous,
    /// More boxes than are compared.
    TooMany,
    /// The text itself says that it is not the answer.
    Denied,
    /// One of the four tags is missing.
    MissingTag,
    /// A tag stands more than once.
    RepeatedTag,
    /// The tags are in another order.
    TagOrder,
    /// There is text outside the tags.
    TextOutside,
    /// The answer was not looked at, since the format failed.
    Gated,
    /// A part of the reward took something off: too long, repeated, another script.
    Charged,
    /// The gold is none that the verifier accepts; data that were checked have no such gold.
    BadGold,
}

impl Reason {
    /// Every reason, in the order tables list them.
    pub const ALL: [Self; 17] = [
        Self::Right,
        Self::Partial,
        Self::Wrong,
        Self::Empty,
        Self::NoAnswerRegion,
        Self::Unparsed,
        Self::Unevaluated,
        Self::Ambiguous,
        Self::TooMany,
        Self::Denied,
        Self::MissingTag,
        Self::RepeatedTag,
        Self::TagOrder,
        Self::TextOutside,
        Self::Gated,
        Self::Charged,
        Self::BadGold,
    ];

    /// The code in files: `right`, `missing_tag`; as serialisation writes it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Partial => "partial",
            Self::Wrong => "wrong",
            Self::Empty => "empty",
            Self::NoAnswerRegion => "no_answer_region",
            Self::Unparsed => "unparsed",
            Self::Unevaluated => "unevaluated",
            Self::Ambiguous => "ambiguous",
            Self::TooMany => "too_many",
            Self::Denied => "denied",
            Self::MissingTag => "missing_tag",
            Self::RepeatedTag => "repeated_tag",
            Self::TagOrder => "tag_order",
            Self::TextOutside => "text_outside",
            Self::Gated => "gated",
            Self::Charged => "charged",
            Self::BadGold => "bad_gold",
        }
    }
}

/// A gold that cannot be checked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BadGold {
    /// The verifier is for another type of answer.
    #[error("the gold is of type {has} and the verifier checks {wants}")]
    Kind {
        /// The type it checks.
        wants: &'static str,
        /// The type it got.
        has: &'static str,
    },
    /// There is nothing to compare with.
    #[error("the gold is empty")]
    Empty,
    /// It stands for a value that is not there.
    #[error(
        "the gold `{0}` is what stands for a missing value; leave the row out, or write `\\text{{{0}}}` where it is the answer"
    )]
    Missing(String),
    /// The gold itself is malformed.
    #[error("the gold cannot be checked: {0}")]
    Unreadable(String),
    /// Relative coordinates without a picture to relate them to.
    #[error("relative box coordinates need the size of the picture, which is not known")]
    NoPictureSize,
}

/// The reward of one dataset: how an answer is verified, and what answer and format weigh.
///
/// `weights.accuracy × accuracy + weights.format × format`, where a failed format zeroes everything (the gate of
/// arXiv:2505.24871 §3; its descendant code has no gate, `gate = false` reproduces that).
pub struct Reward {
    verifiers: Vec<Box<dyn Verifier>>,
    weights: Weights,
    shape: shape::Shape,
}

/// The `[reward]` table of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Weights {
    accuracy: f64,
    format: f64,
    gate: bool,
    overlong: Option<shape::Overlong>,
    length: Option<shape::Length>,
    repetition: Option<shape::Repetition>,
    language: Option<shape::Language>,
}

impl Default for Weights {
    /// The paper's.
    fn default() -> Self {
        let (overlong, length, repetition, language) = (None, None, None, None);
        Self { accuracy: 2.0, format: 1.0, gate: true, overlong, length, repetition, language }
    }
}

/// Tables that make no reward.
#[derive(Debug, thiserror::Error)]
pub enum BadReward {
    /// No verifier has this name.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// The verifier's own keys are wrong.
    #[error("verifier `{verifier}`: {source}")]
    Verifier {
        /// Its name.
        verifier: &'static str,
        /// What is wrong.
        source: BuildError,
    },
    /// Neither a name, a table with a name, nor a list of these.
    #[error("`verifier` is \"NAME\", {{ name = \"NAME\", … }} or a list of these; this is {0}")]
    Shape(String),
    /// It judges whole completions, not answers.
    #[error("`{0}` judges whole completions; choose a verifier of answers, the format has its own weight")]
    NotOfAnswers(&'static str),
    /// The keys of `[reward]` are wrong.
    #[error("`reward`: {0}")]
    Keys(toml::de::Error),
    /// A part's settings are wrong.
    #[error("`reward`: {0}")]
    Part(String),
    /// The weights are wrong.
    #[error(
        "`reward`: weights are finite, not negative and not all 0; these are accuracy {accuracy}, format {format}"
    )]
    Weights {
        /// Weight of the answer.
        accuracy: f64,
        /// Weight of the format.
        format: f64,
    },
}

/// What one completion got.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scored {
    /// The reward, in [0, `max`].
    pub total: f64,
    /// The largest possible reward: 3 with the paper's weights.
    pub max: f64,
    /// The verifier's score in [0, 1] as the reward counts it: 0 without format where the gate is on.
    pub accuracy: f64,
    /// Whether the format was kept.
    pub format: bool,
    /// The verifier's score in [0, 1] with the format not asked for: what `accuracy` gains on it was format, not skill.
    ///
    /// Judged is the last `<answer>` after the last `</think>`, closed or not; without one, all text after `</think>` or
    /// the whole text, and where that scores 0, its [`Verifier::tail`]. Equal to `accuracy` where the format was kept.
    pub lenient_accuracy: f64,
    /// Each part of the reward with its value in [0, 1], before weights.
    pub parts: Vec<Part>,
    /// What was read as the answer and compared; see [`Verdict::extracted`].
    pub extracted: Option<String>,
}

impl Scored {
    /// Every [`Scored::outcome`], in the order tables list them.
    pub const OUTCOMES: [&str; 8] = [
        "right",
        "partial",
        "wrong",
        "unparsed",
        "right_without_format",
        "no_answer_region",
        "format",
        "truncated",
    ];

    /// What came of the completion, for counting: `right`, `partial`, `wrong`, `unparsed` (nothing that can be compared stands
    /// in the answer), and without the format `truncated` (it ended at the limit), `right_without_format`, `no_answer_region`
    /// (a tag is missing) or `format`.
    pub fn outcome(&self, truncated: bool) -> &'static str {
        let reason = |name| self.parts.iter().find(|part| part.name == name).map(|part| part.reason);
        if self.format {
            return match reason("accuracy") {
                Some(Reason::Right) => "right",
                Some(Reason::Partial) => "partial",
                Some(Reason::Wrong) => "wrong",
                _ => "unparsed",
            };
        }
        if truncated {
            return "truncated";
        }
        if self.lenient_accuracy >= 1.0 {
            return "right_without_format";
        }
        if reason(Format::NAME) == Some(Reason::MissingTag) { "no_answer_region" } else { "format" }
    }
}

/// One part of a reward.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Part {
    /// `accuracy`, `format`, `length`, `repetition`, `language` or `overlong`.
    pub name: &'static str,
    /// In [0, 1]; at most 0 for `repetition`, `language` and `overlong`, between its bounds for `length`.
    pub value: f64,
    /// Why.
    pub reason: Reason,
}

/// A reward that does not do what it must on a gold of the data.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SelfTestFailure {
    /// The gold cannot be checked.
    #[error(transparent)]
    Gold(#[from] BadGold),
    /// The gold as an answer in the right format does not get everything.
    #[error("the gold, written as `{written}`, gets {total} of {max} ({})", reason.code())]
    GoldIsNotRight {
        /// The answer.
        written: String,
        /// What it got.
        total: f64,
        /// What it should have got.
        max: f64,
        /// Why.
        reason: Reason,
    },
    /// A wrong answer gets something.
    #[error("the wrong answer `{wrong}` gets an accuracy of {accuracy}")]
    WrongIsRight {
        /// The completion.
        wrong: String,
        /// What it got.
        accuracy: f64,
    },
}

impl Reward {
    /// From a dataset's `verifier` (a name, a table with `name` and the verifier's own keys, or a list of these, of which the
    /// first that accepts a gold checks it: `["number", "choice"]`) and its `[reward]` table (`accuracy`, `format`, `gate`).
    pub fn from_tables(verifier: &toml::Value, weights: Option<&toml::Table>) -> Result<Self, BadReward> {
        let weights: Weights = match weights {
            Some(table) => table.clone().try_into().map_err(BadReward::Keys)?,
            None => Weights::default(),
        };
        let Weights { overlong, length, repetition, language, .. } = weights;
        let shape = shape::Shape { overlong, length, repetition, language };
        shape.check().map_err(BadReward::Part)?;
        let Weights { accuracy, format, .. } = weights;
        let fits = |weight: f64| weight.is_finite() && weight >= 0.0;
        if !fits(accuracy) || !fits(format) || accuracy + format == 0.0 || !(accuracy + format).is_finite() {
            return Err(BadReward::Weights { accuracy, format });
        }
        let verifiers = match verifier {
            toml::Value::Array(list) if !list.is_empty() => {
                list.iter().map(build).collect::<Result<_, _>>()?
            }
            one => vec![build(one)?],
        };
        Ok(Self { verifiers, weights, shape })
    }

    /// What accuracy and format weigh.
    pub fn weights(&self) -> (f64, f64) {
        (self.weights.accuracy, self.weights.format)
    }

    /// The largest possible reward, but for what a `length` part adds.
    pub fn max(&self) -> f64 {
        self.weights.accuracy + self.weights.format
    }

    /// Refuses a gold that no verifier of this reward can check.
    pub fn accepts(&self, gold: &Gold) -> Result<(), BadGold> {
        self.verifier(gold).map(|_| ())
    }

    /// The gold as a model would write it between the answer tags.
    pub fn write(&self, gold: &Gold) -> Result<String, BadGold> {
        Ok(self.verifier(gold)?.write(gold))
    }

    /// The first verifier that accepts the gold; the first one's complaint where none does.
    fn verifier(&self, gold: &Gold) -> Result<&dyn Verifier, BadGold> {
        let mut first = None;
        for verifier in &self.verifiers {
            match verifier.accepts(gold) {
                Ok(()) => return Ok(verifier.as_ref()),
                // Of several, the one for this type has more to say than "wrong type".
                Err(error) if !matches!(error, BadGold::Kind { .. }) => return Err(error),
                Err(error) => _ = first.get_or_insert(error),
            }
        }
        Err(first.expect("a reward has at least one verifier"))
    }

    /// The verifier that judges the gold. One alone refuses a gold when it scores; of several the gold's type decides.
    fn chosen(&self, gold: &Gold) -> Option<&dyn Verifier> {
        match self.verifiers.as_slice() {
            [only] => Some(only.as_ref()),
            _ => self.verifier(gold).ok(),
        }
    }

    /// Scores any text against a gold that was accepted; one that was not gives no accuracy and [`Reason::BadGold`].
    ///
    /// Parts that look at the length in tokens count words here; [`Reward::score_of_length`] is told the tokens.
    pub fn score(&self, gold: &Gold, completion: &str) -> Scored {
        self.score_of_length(gold, completion, self.words(completion))
    }

    /// Words of a completion, where a part asks for them.
    fn words(&self, completion: &str) -> usize {
        if self.shape.counts_tokens() { completion.split_whitespace().count() } else { 0 }
    }

    /// [`Reward::verify`] and [`Reward::score`] of one completion; where both read the same text it is judged once.
    pub fn judge<'t>(
        &self,
        gold: &Gold,
        completion: &'t str,
    ) -> (Verdict, Option<Region>, Option<&'t str>, Scored) {
        let (verdict, region, text) = self.verify(gold, completion);
        let known = text.map(|text| (text, &verdict));
        let scored = self.scored(gold, completion, self.words(completion), known);
        (verdict, region, text, scored)
    }

    /// [`Reward::score`] of a completion of so many tokens.
    pub fn score_of_length(&self, gold: &Gold, completion: &str, tokens: usize) -> Scored {
        self.scored(gold, completion, tokens, None)
    }

    /// [`Reward::score_of_length`] where the verdict on one text is known.
    fn scored(
        &self,
        gold: &Gold,
        completion: &str,
        tokens: usize,
        known: Option<(&str, &Verdict)>,
    ) -> Scored {
        let verifier = self.chosen(gold);
        let judge = |answer: &str| match (known, verifier) {
            // A box or formula around the same is unwrapped by every verifier.
            (Some((known, verdict)), _) if known == answer || known == text::unwrapped(answer) => {
                verdict.clone()
            }
            (_, Some(verifier)) => judged(verifier, gold, answer),
            (_, None) => Verdict::zero(Reason::BadGold),
        };
        let region = format::answer_region(completion);
        let lenient = match region {
            Ok(answer) => judge(answer),
            Err(_) => match format::lenient_region(completion) {
                Lenient::Tagged(answer) => judge(answer),
                Lenient::Untagged(body) => {
                    let whole = judge(body);
                    match verifier {
                        Some(verifier) if whole.score == 0.0 => {
                            let end = text::end_of(body, longest(gold));
                            let tail = verifier.tail(gold, end);
                            match around(end, tail) {
                                Some((before, after)) if format::denied(before, after) => {
                                    Verdict::zero(Reason::Denied)
                                }
                                _ => judge(tail),
                            }
                        }
                        _ => whole,
                    }
                }
            },
        };
        let format = region.is_ok();
        let (accuracy, reason) =
            if format || !self.weights.gate { (lenient.score, lenient.reason) } else { (0.0, Reason::Gated) };
        let format_value = f64::from(u8::from(format));
        let mut total = self.weights.accuracy * accuracy + self.weights.format * format_value;
        let mut parts = vec![
            Part { name: "accuracy", value: accuracy, reason },
            Part { name: Format::NAME, value: format_value, reason: region.err().unwrap_or(Reason::Right) },
        ];
        let mut add = |name, value: f64, weight: f64| {
            total += weight * value;
            let reason = if value < 0.0 { Reason::Charged } else { Reason::Right };
            parts.push(Part { name, value, reason });
        };
        if let Some(part) = &self.shape.length {
            add("length", part.value(tokens, accuracy >= 1.0), part.weight);
        }
        if let Some(part) = &self.shape.repetition {
            add("repetition", part.value(completion), part.weight);
        }
        if let Some(part) = &self.shape.language {
            add("language", part.value(completion), part.weight);
        }
        if let Some(part) = &self.shape.overlong {
            add("overlong", part.value(tokens), part.weight);
            if part.filter && part.is_beyond(tokens) {
                total = 0.0;
            }
        }
        Scored {
            total,
            max: self.max(),
            accuracy,
            format,
            lenient_accuracy: lenient.score,
            parts,
            extracted: lenient.extracted,
        }
    }

    /// Scores the answer where it stands, whatever the format: what `modo score` reports as `score`.
    ///
    /// The region is that of [`Region`]; a text without one scores 0 with the reason why. Also gives the region and its text.
    pub fn verify<'t>(&self, gold: &Gold, completion: &'t str) -> (Verdict, Option<Region>, Option<&'t str>) {
        match format::strict_region(completion) {
            Ok((answer, region)) => {
                let Some(verifier) = self.chosen(gold) else {
                    return (Verdict::zero(Reason::BadGold), Some(region), Some(answer));
                };
                let mut verdict = judged(verifier, gold, answer);
                // `6 or \boxed{5}` says two things, `0.5 or \boxed{\frac{1}{2}}` one. Of texts nearly anything is an answer.
                let several = region == Region::Box
                    && verdict.score > 0.0
                    && !matches!(gold.answer, Answer::Text(_))
                    && format::others(completion, answer)
                        .any(|other| judged(verifier, gold, other).reason == Reason::Wrong);
                if several {
                    verdict = Verdict::zero(Reason::Ambiguous);
                }
                (verdict, Some(region), Some(answer))
            }
            Err(reason) => (Verdict::zero(reason), None, None),
        }
    }

    /// Checks on a gold of the data that the reward rewards: the gold in the right format gets everything, and no accuracy
    /// goes to an empty answer, to the verifier's wrong answers, to the gold inside the reasoning, nor to the gold without
    /// format where the gate is on.
    pub fn self_test(&self, gold: &Gold) -> Result<(), SelfTestFailure> {
        let verifier = self.verifier(gold)?;
        let written = verifier.write(gold);
        let scored = self.score(gold, &format::tagged("Look.", &written));
        if (scored.accuracy - 1.0).abs() > 1e-9 || !scored.format {
            // The accuracy part says "gated" where the format failed: then the format's reason is the cause.
            let failed = scored.parts.iter().rfind(|part| part.value < 1.0);
            return Err(SelfTestFailure::GoldIsNotRight {
                written: written.chars().take(MAX_EXTRACTED).collect(),
                total: scored.total,
                max: scored.max,
                reason: failed.map_or(Reason::Wrong, |part| part.reason),
            });
        }
        let mut wrong: Vec<String> =
            verifier.wrong_answers(gold).iter().map(|answer| format::tagged("Look.", answer)).collect();
        wrong.push(String::new());
        wrong.push(format::tagged(&written, ""));
        wrong.push(format::tagged(&format!("<answer>{written}</answer>"), ""));
        if self.weights.gate {
            wrong.push(written.clone());
            wrong.push(format!("<think>{written}"));
        }
        for completion in wrong {
            let accuracy = self.score(gold, &completion).accuracy;
            if accuracy > 0.0 {
                let wrong = completion.chars().take(MAX_EXTRACTED).collect();
                return Err(SelfTestFailure::WrongIsRight { wrong, accuracy });
            }
        }
        Ok(())
    }
}

/// Bytes of an answer that are judged where its gold is short.
const MAX_ANSWER: usize = 16 * 1024;

/// Most bytes that any way to write the gold may take: four times its own, and room.
fn longest(gold: &Gold) -> usize {
    let own = match gold.answer {
        Answer::Text(texts) => texts.iter().map(String::len).max().unwrap_or(0),
        Answer::Choice(_) => gold.options.iter().map(String::len).max().unwrap_or(0),
        other => other.written().len(),
    };
    MAX_ANSWER + 4 * own
}

/// What stands before and after `part` in the text that it is a part of.
fn around<'t>(text: &'t str, part: &str) -> Option<(&'t str, &'t str)> {
    let at = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    Some((text.get(..at)?, text.get(at + part.len()..)?))
}

/// The verdict on an answer; one that is far longer than the gold is none, and not read.
fn judged(verifier: &dyn Verifier, gold: &Gold, answer: &str) -> Verdict {
    if answer.len() > MAX_ANSWER && answer.len() > longest(gold) {
        return Verdict::zero(Reason::Unparsed);
    }
    verifier.score(gold, &format::unboxed(answer))
}

/// One verifier of answers, from its name or its table.
fn build(value: &toml::Value) -> Result<Box<dyn Verifier>, BadReward> {
    let shape = || BadReward::Shape(value.to_string().chars().take(80).collect());
    let (name, table) = match value {
        toml::Value::String(name) => (name.clone(), toml::Table::new()),
        toml::Value::Table(table) => {
            let mut table = table.clone();
            let Some(toml::Value::String(name)) = table.remove("name") else { return Err(shape()) };
            (name, table)
        }
        _ => return Err(shape()),
    };
    let entry = VERIFIERS.get(&name)?;
    let verifier =
        (entry.build)(table).map_err(|source| BadReward::Verifier { verifier: entry.name, source })?;
    match verifier.reads() {
        Reads::Answer => Ok(verifier),
        Reads::Completion => Err(BadReward::NotOfAnswers(entry.name)),
    }
}

#[cfg(test)]
#[path = "../../tests/fixtures/bombs.rs"]
mod bombs;

#[cfg(test)]
mod tests;
