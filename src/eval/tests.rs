use burn::tensor::Device;

use super::*;
use crate::{
    data::Catalog,
    model::{features::Limits, nano},
    sample::{Answer, Picture},
    tasks::{self, Generator},
};

#[test]
fn scores_are_the_same_on_any_number_of_threads_and_in_any_company() {
    let (_folder, model) = model();
    let features = FeatureStore::new(&model, Limits::default());
    let evaluation = Evaluation { part: Part::Selection, questions: 20, completions: 3, greedy: true };
    let fewer = Evaluation { questions: 5, ..evaluation };
    let rows = Generator::new("chart", tasks::Part::Selection, Seed::new(3), 100).unwrap();
    let open = |evaluation, parallel: Parallel| open(&rows, evaluation, &model, &features, parallel).unwrap();
    let score = |benchmark: &Benchmark, evaluation, parallel: Parallel| {
        let never = AtomicBool::new(false);
        evaluate(&model, &features, benchmark, evaluation, 8, Seed::new(5), parallel, &never).unwrap()
    };
    let one = score(&open(&evaluation, &one_thread), &evaluation, &one_thread);
    let several = score(&open(&evaluation, &two_threads), &evaluation, &two_threads);
    assert_eq!(one, several);
    let [greedy, sampled] = &one[..] else { panic!("greedy and sampled were asked for") };
    assert_eq!((greedy.score.decoding, sampled.score.decoding), (Decoding::Greedy, Decoding::Sampled));
    assert_eq!((greedy.score.score.n_questions, greedy.score.score.n_completions), (20, 1));
    assert_eq!((sampled.score.score.n_questions, sampled.score.score.n_completions), (20, 3));
    assert!(greedy.score.mean_tokens <= 8.0 && greedy.score.mean_tokens > 0.0);

    let first = score(&open(&fewer, &one_thread), &fewer, &one_thread);
    let tokens = |e: &Evaluated| -> Vec<Vec<Vec<u32>>> {
        e.answers[..5].iter().map(|q| q.iter().map(|(c, _)| c.tokens.clone()).collect()).collect()
    };
    assert_eq!(
        tokens(&first[1]),
        tokens(sampled),
        "the first questions are the same ones, answered the same"
    );
}

#[test]
fn a_stop_is_seen_between_two_batches_of_questions() {
    let (_folder, model) = model();
    let features = FeatureStore::new(&model, Limits::default());
    // One question a batch.
    let evaluation = Evaluation { part: Part::Selection, questions: 3, completions: ROWS, greedy: false };
    let rows = Generator::new("chart", tasks::Part::Selection, Seed::new(3), 100).unwrap();
    let benchmark = open(&rows, &evaluation, &model, &features, &one_thread).unwrap();
    let (stop, asked) = (AtomicBool::new(false), AtomicBool::new(false));
    let stopping = |n: usize, work: &(dyn Fn(usize) + Sync)| {
        for i in 0..n {
            // The first batch is in work when the stop comes.
            stop.store(i > 0, Ordering::Relaxed);
            work(i);
        }
        asked.store(true, Ordering::Relaxed);
    };
    let seed = Seed::new(5);
    let stopped = evaluate(&model, &features, &benchmark, &evaluation, 2, seed, &stopping, &stop);
    assert!(matches!(stopped, Err(BadBenchmark::Interrupted)) && asked.into_inner());
}

#[test]
fn the_summary_counts_questions_completions_and_what_the_format_hid() {
    let (_folder, model) = model();
    let features = FeatureStore::new(&model, Limits::default());
    let evaluation = Evaluation { part: Part::Report, questions: 2, completions: 2, greedy: false };
    let rows = Generator::new("chart", tasks::Part::Report, Seed::new(3), 10).unwrap();
    let benchmark = open(&rows, &evaluation, &model, &features, &one_thread).unwrap();
    let answer = |question: &Question, text: &str, stop| {
        let text = text.replace("GOLD", &question.sample.answer.written());
        let scored = benchmark.reward.score(&question.gold(), &text);
        (Completion { tokens: vec![0; text.len()], logprobs: Vec::new(), text, stop }, scored)
    };
    let answers = vec![
        vec![
            answer(&benchmark.questions[0], "<think>x</think><answer>GOLD</answer>", Stop::End),
            answer(&benchmark.questions[0], "<answer>GOLD</answer>", Stop::End),
        ],
        vec![
            answer(&benchmark.questions[1], "<think>x</think><answer>?</answer>", Stop::End),
            answer(&benchmark.questions[1], "", Stop::Length),
        ],
    ];
    let evaluated = summary(&benchmark, Decoding::Sampled, answers);
    let score = &evaluated.score;
    // Means of the questions: 1/2 and 0 in the right format, 1 and 0 in any.
    assert_eq!((score.score.mean, score.lenient_score.mean), (0.25, 0.5));
    assert!(
        (score.score.standard_error - 0.25).abs() < 1e-12
            && (score.lenient_score.standard_error - 0.5).abs() < 1e-12
    );
    assert_eq!((score.format_rate, evaluated.truncated_rate), (0.5, 0.25));
    let expected =
        ["right", "right_without_format", "truncated", "unparsed"].map(|outcome| (outcome.to_owned(), 1));
    assert_eq!(score.outcomes, expected.into());
    assert_eq!((score.part, score.score.n_questions, score.score.n_completions), (Part::Report, 2, 2));
}

#[test]
fn rows_that_cannot_be_asked_or_judged_are_replaced_and_counted() {
    let (_folder, model) = model();
    let features = FeatureStore::new(&model, Limits::default());
    let evaluation = Evaluation { part: Part::Selection, questions: 6, completions: 0, greedy: true };
    let rows = Broken(Generator::new("chart", tasks::Part::Selection, Seed::new(3), 12).unwrap());
    let benchmark = open(&rows, &evaluation, &model, &features, &two_threads).unwrap();
    assert_eq!(benchmark.questions.len(), 3);
    assert_eq!((benchmark.skipped.0, benchmark.skipped.1.len()), (9, 9));
    let few = Broken(Generator::new("chart", tasks::Part::Selection, Seed::new(3), 4).unwrap());
    let error = open(&few, &evaluation, &model, &features, &one_thread).err().unwrap().to_string();
    assert!(
        error.starts_with(
            "benchmark `chart` has 1 usable questions of 4 rows; at least 2 are needed; the first row"
        ),
        "{error}"
    );
}

/// Every fourth row is good; the others have no row, no picture, or no gold that can be checked.
struct Broken(Generator);

impl Rows for Broken {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn row(&self, index: u64) -> Result<Sample, BadRow> {
        let mut sample = self.0.row(index)?;
        match index % 4 {
            0 => (),
            1 => return Err(BadRow { place: sample.id, what: "it is empty".to_owned() }),
            2 => sample.pictures = vec![Picture::Encoded(b"no picture".as_slice().into())],
            _ => sample.answer = Answer::Choice('B'),
        }
        Ok(sample)
    }

    fn content_hash(&self) -> blake3::Hash {
        self.0.content_hash()
    }
}

fn open(
    rows: &dyn Rows,
    evaluation: &Evaluation,
    model: &Model,
    features: &FeatureStore,
    parallel: Parallel,
) -> Result<Benchmark, BadBenchmark> {
    let catalog = Catalog::embedded();
    let name: Name = "chart".parse().unwrap();
    let reward = Reward::from_tables(&"number".into(), None).unwrap();
    let config = catalog.get(&name).unwrap();
    let origin = Origin { name: &name, domain: Domain::OutOfDomain, config, rows, reward };
    Benchmark::open(origin, evaluation, model, features, parallel)
}

fn two_threads(n: usize, work: &(dyn Fn(usize) + Sync)) {
    std::thread::scope(|scope| {
        scope.spawn(|| (0..n).filter(|i| i % 2 == 1).for_each(work));
        (0..n).filter(|i| i % 2 == 0).for_each(work);
    });
}

fn model() -> (tempfile::TempDir, Model) {
    let folder = tempfile::tempdir().unwrap();
    let texts = ["how high is the red bar".to_owned()].into_iter();
    let model = nano::create(folder.path(), texts, Seed::new(1), &Device::default()).unwrap();
    (folder, model)
}
