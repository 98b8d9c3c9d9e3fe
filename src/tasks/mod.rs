//! Procedural vision-language problems: seed and index in, sample out, any index without the ones before it.
//!
//! Every problem has a [`Problem::key`]; its hash decides whether it belongs to the training, the selection or the
//! report part, so that the parts are disjoint by construction, across tasks as well.

pub mod canvas;
mod cells;
mod chart;
pub mod contact_sheet;
mod detect;
mod geometry;
mod infographic;
mod mixed_exam;
mod refer;
mod scene;
mod science;
mod spatial;
#[cfg(test)]
mod tests;
mod visual_math;

use std::collections::BTreeSet;

use rand::Rng;

use crate::{
    registry::{BuildError, Entry, Named, Registry, UnknownName},
    sample::{Answer, BadRow, Rows, Sample},
    seed::{ChaCha8Rng, Seed},
};
use canvas::Canvas;

/// A family of problems.
pub trait Task: Send + Sync {
    /// One problem at difficulty `level` 1, 2 or 3.
    fn problem(&self, rng: &mut ChaCha8Rng, level: u8) -> Problem;
}

/// A question with everything that training and tests want to know about it.
pub struct Problem {
    /// The question, at most 25 words; for choices with its options: `… 30 A, 40 B, 50 C, 60 D`.
    pub question: String,
    /// The options of a `Choice`, in the order of their letters; empty for other answers.
    pub options: Vec<String>,
    /// What is right; boxes in pixels.
    pub answer: Answer,
    /// All that matters in the picture, with places and values, in at most 220 letters; enough to answer without it.
    pub caption: String,
    /// From what is seen to the answer, in at most 12 words and 120 letters.
    pub rationale: String,
    /// As long as [`Problem::rationale`] and of no use: a habit to compete with it.
    pub idle_rationale: String,
    /// Canonical description of question and content; equal keys are the same problem.
    pub key: String,
    /// Draws the picture; sides are multiples of 16 px.
    pub draw: Box<dyn Fn() -> Canvas + Send + Sync>,
}

impl Problem {
    /// The question with the picture put into words: what a sample without a picture asks.
    pub fn text_only(&self) -> String {
        format!("{} {}", self.caption, self.question)
    }

    /// The question without its options.
    #[cfg(test)]
    pub(crate) fn stem(&self) -> String {
        let options = with_options("", &self.options);
        self.question.strip_suffix(&options).unwrap_or(&self.question).to_owned()
    }
}

/// Every task.
pub const TASKS: Registry<dyn Task> = Registry {
    kind: "task",
    entries: &[
        detect::ENTRY,
        refer::ENTRY,
        geometry::ENTRY,
        spatial::ENTRY,
        science::ENTRY,
        chart::ENTRY,
        infographic::ENTRY,
        visual_math::ENTRY,
        mixed_exam::ENTRY,
    ],
};

const fn entry<T: Named + Task + 'static>() -> Entry<dyn Task> {
    Entry { name: T::NAME, summary: T::SUMMARY, build: |table| Ok(Box::new(T::new(table.try_into()?)?)) }
}

/// The settings of a task that has none.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct NoSettings {}

/// Which problems: a problem belongs to exactly one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Eight tenths: warm-up and runs.
    Train,
    /// One tenth: benchmark questions that decisions may use.
    Selection,
    /// One tenth: benchmark questions that no decision sees.
    Report,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Train, Self::Selection, Self::Report];

    /// The word for it in ids and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Selection => "selection",
            Self::Report => "report",
        }
    }

    /// The part of the problem with this key.
    pub fn of(key: &str) -> Self {
        let hash =
            u64::from_le_bytes(blake3::hash(key.as_bytes()).as_bytes()[..8].try_into().expect("32 bytes"));
        match hash % 10 {
            0..=7 => Self::Train,
            8 => Self::Selection,
            _ => Self::Report,
        }
    }
}

/// Counted up whenever any task draws or asks differently, so that orders and caches of older problems are not reused.
const VERSION: u32 = 2;

/// The problems of one task and part as rows of a dataset.
pub struct Generator {
    name: &'static str,
    task: Box<dyn Task>,
    part: Part,
    seed: Seed,
    rows: u64,
}

/// A task that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum BadTask {
    /// There is no such task.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// Its settings are wrong.
    #[error("task `{name}`: {source}")]
    Settings {
        /// The task.
        name: &'static str,
        /// What is wrong.
        source: BuildError,
    },
}

impl Generator {
    /// `rows` problems of the task called `task`.
    pub fn new(task: &str, part: Part, seed: Seed, rows: u64) -> Result<Self, BadTask> {
        let entry = TASKS.get(task)?;
        let built = (entry.build)(toml::Table::new());
        let task = built.map_err(|source| BadTask::Settings { name: entry.name, source })?;
        Ok(Self { name: entry.name, task, part, seed, rows })
    }

    /// Name of the task.
    pub fn task(&self) -> &'static str {
        self.name
    }

    /// Problem `index` and its difficulty level, 1 to 3, equally often.
    ///
    /// Attempts are drawn until one falls into the part: 1.25 on average for training, 10 for the others. Only the
    /// accepted one's picture is ever drawn.
    pub fn problem(&self, index: u64) -> (Problem, u8) {
        let own = self.seed.child(self.name).child(self.part.name()).child(index);
        let level = own.child("level").rng().random_range(1..=3);
        let mut attempt = 0_u64;
        loop {
            let problem = self.task.problem(&mut own.child(attempt).rng(), level);
            if Part::of(&problem.key) == self.part {
                return (problem, level);
            }
            attempt += 1;
        }
    }

    /// A problem of this generator as a sample; `index` is the one it was asked for with.
    pub fn sample(&self, index: u64, problem: &Problem) -> Sample {
        Sample {
            id: format!("{}/{}:{index}", self.name, self.part.name()),
            pictures: vec![(problem.draw)().picture()],
            question: problem.question.clone(),
            options: problem.options.clone(),
            answer: problem.answer.clone(),
        }
    }
}

impl Rows for Generator {
    fn len(&self) -> u64 {
        self.rows
    }

    fn row(&self, index: u64) -> Result<Sample, BadRow> {
        if index >= self.rows {
            let place = format!("{}/{}:{index}", self.name, self.part.name());
            return Err(BadRow { place, what: format!("there are {} rows", self.rows) });
        }
        Ok(self.sample(index, &self.problem(index).0))
    }

    fn content_hash(&self) -> blake3::Hash {
        let part = self.part.name();
        let seed = self.seed.bits();
        blake3::hash(format!("{}\n{VERSION}\n{part}\n{seed}\n{}", self.name, self.rows).as_bytes())
    }
}

/// One of `items`, equally likely.
fn pick<T: Copy>(rng: &mut ChaCha8Rng, items: &[T]) -> T {
    items[rng.random_range(0..items.len())]
}

/// Puts items into a random order.
fn shuffle<T>(rng: &mut ChaCha8Rng, items: &mut [T]) {
    for end in (1..items.len()).rev() {
        items.swap(end, rng.random_range(0..=end));
    }
}

/// The question with its options, the options, and the letter of the right one, in random order.
///
/// `wrong` are three or fewer, different from `right` and from each other.
fn choice(
    rng: &mut ChaCha8Rng,
    stem: &str,
    right: impl ToString,
    wrong: &[impl ToString],
) -> (String, Vec<String>, Answer) {
    let right = right.to_string();
    let mut options: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    options.push(right.clone());
    debug_assert_eq!(options.iter().collect::<BTreeSet<_>>().len(), options.len(), "options differ");
    shuffle(rng, &mut options);
    let at = options.iter().position(|option| *option == right).expect("the right one was pushed");
    (with_options(stem, &options), options, Answer::Choice(letter(at)))
}

/// A question followed by its options: `How long is it? 3 A, 4 B`.
///
/// The letter stands behind its option: a small model learns to go on from a value as it did before, and did not learn in
/// 290 000 samples to go back from a value to the letter before it (`docs/log.md`).
fn with_options(stem: &str, options: &[String]) -> String {
    let lettered: Vec<String> =
        options.iter().enumerate().map(|(at, option)| format!("{option} {}", letter(at))).collect();
    format!("{stem} {}", lettered.join(", "))
}

/// What is said last for a choice: the right option with its letter, as the question has them.
fn conclusion(options: &[String], answer: &Answer) -> String {
    match answer {
        Answer::Choice(letter) => format!("{} {letter}.", options[*letter as usize - 'A' as usize]),
        _ => String::new(),
    }
}

/// The letter of option `at`: 0 is A.
pub(crate) fn letter(at: usize) -> char {
    char::from(b'A' + u8::try_from(at).expect("there are at most four options"))
}

/// Three wrong numbers so that the right one's rank among the four is random: size alone tells nothing.
///
/// All are `step` apart and none is below `least`, which must be ≤ `right`.
fn wrong_numbers(rng: &mut ChaCha8Rng, right: i64, step: i64, least: i64) -> [i64; 3] {
    let below = ((right - least) / step).min(3);
    let rank = rng.random_range(0..=below);
    let mut others = (0..4).filter(|&at| at != rank).map(|at| right + (at - rank) * step);
    std::array::from_fn(|_| others.next().expect("three of four remain"))
}

/// A sentence about as long as `like` that sounds like reasoning and leads nowhere.
fn idle(rng: &mut ChaCha8Rng, like: &str) -> String {
    const SENTENCES: [&str; 18] = [
        "Let me think.",
        "I am sure.",
        "Let me look again.",
        "This is quite clear.",
        "I look at it all.",
        "The picture shows it well.",
        "I look at the whole picture.",
        "Let me think about this one.",
        "I think about it and then answer.",
        "The question is clear, so I answer.",
        "I look at the picture and then decide.",
        "Let me read the question once more first.",
        "I read the question and look at the picture.",
        "It looks like this one to me, I think.",
        "I look at the picture with care and then answer.",
        "Let me think about the question and the picture first.",
        "I read the question with care and look at it all.",
        "Let me look at the whole picture once more and then decide.",
    ];
    let words = like.split_whitespace().count().clamp(3, 11);
    let near: Vec<&str> =
        SENTENCES.into_iter().filter(|text| text.split_whitespace().count().abs_diff(words) <= 1).collect();
    pick(rng, &near).to_owned()
}
