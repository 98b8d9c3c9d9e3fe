//! Benchmarks to scores: each with its number of questions, its standard error, and what the format had to do with it.
//!
//! Which questions are asked depends on the benchmark alone, and how one is answered on the seed, the benchmark and the
//! question: neither on the number of threads nor on what else is scored. The metric is the reward's verifier, so a
//! benchmark's table decides it (a boxes verifier with threshold 0 is the mean IoU).

#[cfg(test)]
mod priors;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use rand::seq::index;

use crate::{
    data::{DatasetConfig, picture},
    model::{
        Model,
        features::FeatureStore,
        generate::{Draw, Request, Sampling},
        qwen2_vl::Sequence,
    },
    name::Name,
    reward::{Gold, Reward, Scored},
    run::{BenchmarkScore, Decoding, Domain, Evaluation, Part},
    sample::{BadRow, Rows, Sample},
    score::Score,
    seed::Seed,
    trajectory::{Completion, Stop},
};

/// Runs `work(0)` to `work(n - 1)`, in any order, on any threads, and returns when all are done.
pub type Parallel<'a> = &'a (dyn Fn(usize, &(dyn Fn(usize) + Sync)) + Sync);

/// [`Parallel`] on the calling thread.
pub fn one_thread(n: usize, work: &(dyn Fn(usize) + Sync)) {
    (0..n).for_each(work);
}

/// Completions that are written together, at most; fixed, so that rounding is the same for any number of threads.
const ROWS: usize = 48;
/// Rows that are tried for questions, at most.
const MAX_TRIED: u64 = 100_000;
/// Bad rows that are kept with their reasons; more are only counted.
const MAX_LISTED: usize = 100;
/// Fewer have no standard error.
const MIN_QUESTIONS: usize = 2;

/// Questions that can be asked and judged.
pub struct Benchmark {
    /// Its name in the catalogue.
    pub name: Name,
    /// In- or out-of-domain.
    pub domain: Domain,
    /// Which half of its questions.
    pub part: Part,
    /// The questions.
    pub questions: Vec<Question>,
    /// Rows that could not be used and were replaced: how many, and the first of them with their reasons.
    pub skipped: (u64, Vec<BadRow>),
    reward: Reward,
}

/// One question of a benchmark.
pub struct Question {
    /// The question and its gold.
    pub sample: Sample,
    /// The user turn.
    pub text: String,
    /// Width and height of the first picture in pixels.
    picture_size: Option<(u32, u32)>,
}

/// What a benchmark is made from.
pub struct Origin<'a> {
    /// Its name in the catalogue.
    pub name: &'a Name,
    /// In- or out-of-domain.
    pub domain: Domain,
    /// Its table: the prompt.
    pub config: &'a DatasetConfig,
    /// The rows of the half that `evaluation` asks for.
    pub rows: &'a dyn Rows,
    /// How answers are judged.
    pub reward: Reward,
}

/// A benchmark that cannot be scored.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BadBenchmark {
    /// It has too few questions for a score with a standard error.
    #[error(
        "benchmark `{benchmark}` has {readable} usable questions of {tried} rows; at least {MIN_QUESTIONS} are needed{}",
        first.as_ref().map_or(String::new(), |bad| format!("; the first row that cannot be used: {bad}"))
    )]
    TooFew {
        /// Its name.
        benchmark: Name,
        /// Usable questions.
        readable: usize,
        /// Rows that were tried.
        tried: u64,
        /// Why the first unusable row is none, if there is one.
        first: Option<BadRow>,
    },
    /// A question that was readable when the benchmark was opened.
    #[error("benchmark `{benchmark}`: a question can no longer be asked: {bad}")]
    Lost {
        /// Its name.
        benchmark: Name,
        /// The question.
        bad: BadRow,
    },
    /// Somebody asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl Benchmark {
    /// Draws up to `evaluation.questions` usable rows in an order that only the rows' content decides: files are often
    /// sorted, and their first rows would stand for one kind of question.
    ///
    /// Every picture goes through the model's tower here, unless `features` knows it.
    pub fn open(
        origin: Origin,
        evaluation: &Evaluation,
        model: &Model,
        features: &FeatureStore,
        parallel: Parallel,
    ) -> Result<Self, BadBenchmark> {
        let Origin { name, domain, config, rows, reward } = origin;
        let tried = rows.len().min(MAX_TRIED);
        let hash = rows.content_hash();
        let key = u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("a hash has 32 bytes"));
        let mut rng = Seed::new(key).child("questions").rng();
        let order = index::sample(&mut rng, rows.len().min(1 << 32) as usize, tried as usize).into_vec();
        let mut order = order.as_slice();
        let mut questions = Vec::new();
        let mut skipped = (0, Vec::new());
        while questions.len() < evaluation.questions && !order.is_empty() {
            let (next, rest) = order.split_at(order.len().min(evaluation.questions - questions.len()));
            order = rest;
            let read = |i: usize| {
                let sample = rows.row(next[i] as u64)?;
                Question::of(sample, config, &reward).and_then(|q| q.ask(model, features).map(|_| q))
            };
            for row in map(parallel, next.len(), read) {
                match row {
                    Ok(question) => questions.push(question),
                    Err(bad) => {
                        skipped.0 += 1;
                        if skipped.1.len() < MAX_LISTED {
                            skipped.1.push(bad);
                        }
                    }
                }
            }
        }
        if questions.len() < MIN_QUESTIONS {
            let (benchmark, first) = (name.clone(), skipped.1.into_iter().next());
            return Err(BadBenchmark::TooFew { benchmark, readable: questions.len(), tried, first });
        }
        Ok(Self { name: name.clone(), domain, part: evaluation.part, questions, skipped, reward })
    }
}

impl Question {
    fn of(sample: Sample, config: &DatasetConfig, reward: &Reward) -> Result<Self, BadRow> {
        let bad = |what: String| BadRow { place: sample.id.clone(), what };
        let first = sample.pictures.first();
        let picture_size = first.map(picture::size).transpose().map_err(|e| bad(e.to_string()))?;
        let text = config.prompt(&sample);
        let question = Self { sample: sample.clone(), text, picture_size };
        reward.accepts(&question.gold()).map_err(|e| bad(e.to_string()))?;
        Ok(question)
    }

    fn ask(&self, model: &Model, features: &FeatureStore) -> Result<Sequence, BadRow> {
        features.prompt(model, &self.sample, &self.text, picture::decode)
    }

    fn gold(&self) -> Gold<'_> {
        let Sample { answer, options, .. } = &self.sample;
        Gold { answer, options, picture_size: self.picture_size }
    }
}

/// One decoding of a benchmark: the score and what it was made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    /// What the run's record keeps.
    pub score: BenchmarkScore,
    /// Share of completions in [0, 1] that the limit on new tokens cut short.
    pub truncated_rate: f64,
    /// Each question's completions with what they got, in the order of the questions.
    pub answers: Vec<Vec<(Completion, Scored)>>,
}

/// Scores a model on a benchmark: greedily, and with `evaluation.completions` per question at temperature 1, as asked for.
///
/// Completion `k` of a decoding has, for a question, the seed `seed.child(benchmark).child(question id).child(k)`. `stop` is
/// looked at before every batch of questions.
#[expect(clippy::too_many_arguments, reason = "the model, what it is asked, and how")]
pub fn evaluate(
    model: &Model,
    features: &FeatureStore,
    benchmark: &Benchmark,
    evaluation: &Evaluation,
    max_new_tokens: usize,
    seed: Seed,
    parallel: Parallel,
    stop: &AtomicBool,
) -> Result<Vec<Evaluated>, BadBenchmark> {
    // Greedy and sampled together, so that each prompt is read once.
    let decodings = [
        (Decoding::Greedy, Sampling::greedy(max_new_tokens), usize::from(evaluation.greedy)),
        (Decoding::Sampled, Sampling::at_temperature_1(max_new_tokens), evaluation.completions),
    ];
    let draws: Vec<(usize, Sampling)> =
        decodings.iter().flat_map(|(_, sampling, n)| (0..*n).map(|k| (k, *sampling))).collect();
    let mut answers = answer(model, features, benchmark, &draws, seed, parallel, stop)?;
    let asked = decodings.into_iter().filter(|(_, _, n)| *n > 0);
    Ok(asked
        .map(|(decoding, _, n)| {
            let of_decoding = answers.iter_mut().map(|of| of.drain(..n).collect()).collect();
            summary(benchmark, decoding, of_decoding)
        })
        .collect())
}

type Answers = Vec<Vec<(Completion, Scored)>>;

fn answer(
    model: &Model,
    features: &FeatureStore,
    benchmark: &Benchmark,
    draws: &[(usize, Sampling)],
    seed: Seed,
    parallel: Parallel,
    stop: &AtomicBool,
) -> Result<Answers, BadBenchmark> {
    let seed = seed.child(&benchmark.name);
    let chunks: Vec<&[Question]> = benchmark.questions.chunks((ROWS / draws.len().max(1)).max(1)).collect();
    let answered = map(parallel, chunks.len(), |i| {
        if stop.load(Ordering::Relaxed) {
            return Err(BadBenchmark::Interrupted);
        }
        let chunk = chunks[i];
        let prompts = chunk.iter().map(|q| q.ask(model, features)).collect::<Result<Vec<_>, _>>();
        let prompts = prompts.map_err(|bad| BadBenchmark::Lost { benchmark: benchmark.name.clone(), bad })?;
        let draws = |q: &Question| {
            let seed = seed.child(&q.sample.id);
            draws.iter().map(|(k, sampling)| Draw { seed: seed.child(*k), sampling: *sampling }).collect()
        };
        let requests: Vec<Request> =
            chunk.iter().zip(&prompts).map(|(q, prompt)| Request { prompt, draws: draws(q) }).collect();
        let judged = |(question, completions): (&Question, Vec<Completion>)| {
            let gold = question.gold();
            let score = |c: Completion| (benchmark.reward.score_of_length(&gold, &c.text, c.tokens.len()), c);
            completions.into_iter().map(score).map(|(scored, c)| (c, scored)).collect()
        };
        Ok(chunk.iter().zip(model.complete(&requests)).map(judged).collect())
    });
    Ok(answered.into_iter().collect::<Result<Vec<Answers>, _>>()?.concat())
}

fn summary(benchmark: &Benchmark, decoding: Decoding, answers: Answers) -> Evaluated {
    let per_question = |of: &dyn Fn(&Completion, &Scored) -> f64| -> Vec<Vec<f64>> {
        answers.iter().map(|question| question.iter().map(|(c, s)| of(c, s)).collect()).collect()
    };
    let score = |of: &dyn Fn(&Completion, &Scored) -> f64| Score::of_questions(&per_question(of));
    let share = |holds: bool| f64::from(u8::from(holds));
    let mut outcomes = BTreeMap::new();
    for (completion, scored) in answers.iter().flatten() {
        *outcomes.entry(scored.outcome(completion.stop == Stop::Length).to_owned()).or_default() += 1;
    }
    Evaluated {
        score: BenchmarkScore {
            benchmark: benchmark.name.clone(),
            domain: benchmark.domain,
            part: benchmark.part,
            decoding,
            score: score(&|_, s| s.accuracy),
            format_rate: score(&|_, s| share(s.format)).mean,
            lenient_score: score(&|_, s| s.lenient_accuracy),
            mean_tokens: score(&|c, _| c.tokens.len() as f64).mean,
            outcomes,
            replaced: benchmark.skipped.0,
        },
        truncated_rate: score(&|c, _| share(c.stop == Stop::Length)).mean,
        answers,
    }
}

/// The results of `work(0)` to `work(n - 1)` in this order.
fn map<R: Send>(parallel: Parallel, n: usize, work: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let results: Vec<Mutex<Option<R>>> = (0..n).map(|_| Mutex::new(None)).collect();
    parallel(n, &|i| *results[i].lock().expect("a result is written once") = Some(work(i)));
    let result = |cell: Mutex<Option<R>>| {
        cell.into_inner().expect("a result is written once").expect("all of the work was done")
    };
    results.into_iter().map(result).collect()
}
