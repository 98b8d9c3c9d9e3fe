//! A ledger made by hand, decided on as `modo predict` does.

use std::collections::BTreeMap;

use super::*;
use crate::{
    ledger::{Ledger, Row},
    mixture::{
        Mixture,
        constraint::Range,
        named::{Interval, MixtureFile, seed_mixtures},
    },
    run::{Cost, Part, RunId},
    score,
};

fn datasets() -> Vec<Name> {
    ["geometry", "refer", "science"].map(|name| name.parse().unwrap()).to_vec()
}

fn predictor(name: &str) -> toml::Table {
    toml::Table::from_iter([("name".to_owned(), toml::Value::from(name))])
}

/// Two runs of each seed mixture. `lift`: what a mixture adds to every benchmark, greedy half as much; `noise` per run.
fn ledger(lift: impl Fn(&[f64]) -> f64, noise: f64) -> Ledger {
    let mut rows = Vec::new();
    let mut rng = Seed::new(3).rng();
    for (label, mixture, _) in seed_mixtures(&datasets()).unwrap() {
        for replicate in 0..2_u64 {
            let shares = mixture.vector(&datasets());
            let benchmarks = [("chart", Domain::OutOfDomain, 300), ("science_test", Domain::InDomain, 100)];
            for (benchmark, domain, n_questions) in benchmarks {
                for (decoding, strength) in [(Decoding::Greedy, 0.5), (Decoding::Sampled, 1.0)] {
                    let error = rand::Rng::random_range(&mut rng, -noise..=noise);
                    let mean = 0.3 + strength * lift(&shares) + error;
                    let score = score::Score { mean, standard_error: 0.03, n_questions, n_completions: 4 };
                    rows.push(Row {
                        run: run_id(&format!("{label}{replicate}")),
                        label: label.clone(),
                        protocol: "p".to_owned(),
                        draw_seed: replicate,
                        seed: replicate,
                        steps: 10,
                        prompts_per_step: 8,
                        shares: shares.clone(),
                        benchmark: benchmark.parse().unwrap(),
                        domain,
                        part: Part::Selection,
                        decoding,
                        score,
                        lenient_score: score,
                        format_rate: 1.0,
                        mean_tokens: 20.0,
                        cost: Cost::default(),
                        weights_hash: String::new(),
                    });
                }
            }
        }
    }
    rows.sort_by(|a, b| (&a.run, &a.benchmark, a.decoding).cmp(&(&b.run, &b.benchmark, b.decoding)));
    Ledger { datasets: datasets(), rows }
}

fn run_id(text: &str) -> RunId {
    serde_json::from_value(blake3::hash(text.as_bytes()).to_hex()[..16].into()).unwrap()
}

fn asked(ledger: &Ledger, of: Target, constraints: &Constraints) -> Result<Prediction> {
    let chosen = from_ledger(ledger, &datasets(), Part::Selection, None);
    decide(&Question {
        datasets: &chosen.datasets,
        ledger: ledger.hash(),
        runs: chosen.runs,
        left_out: Vec::new(),
        targets: chosen.targets,
        objective: Objective::Aggregate { of, decoding: Decoding::Sampled },
        guardrails: Vec::new(),
        constraints,
        supply: None,
        predictor: &predictor("proposer"),
        low: None,
        optimizer: crate::optimize::default_optimizer().as_ref(),
        n_permutations: 99,
        next: (Batch::ConstantLiar, 2),
        pending: Vec::new(),
        seed: 1,
    })
}

/// Science helps, with diminishing returns.
fn science(shares: &[f64]) -> f64 {
    0.2 * shares[2].sqrt() - 0.1 * shares[0]
}

#[test]
fn where_mixtures_matter_the_best_is_proposed_inside_the_constraints() {
    let shares = BTreeMap::from([("science".parse().unwrap(), Range { min: 0.0, max: 0.6 })]);
    let constraints = Constraints { shares, ..Constraints::default() };
    let prediction = asked(&ledger(science, 0.01), Target::Overall, &constraints).unwrap();
    assert_eq!(prediction.verdict, Verdict::Signal, "{}", prediction.sentence);
    let proposal = &prediction.proposal.mixture;
    assert!((proposal.shares[2] - 0.6).abs() < 1e-6 && proposal.shares[0] < 0.1, "{:?}", proposal.shares);
    assert_eq!(proposal.binding, ["`science` at most 0.6"]);
    assert!(proposal.gain.low > 0.0 && proposal.p_beats_uniform > 0.9);
    assert_eq!((prediction.next.len(), prediction.runs.len(), prediction.n_mixtures), (2, 14, 7));
    // 3 aggregates and 2 benchmarks, sampled and greedy.
    assert_eq!((prediction.aggregates.len(), prediction.targets.len()), (6, 4));
    // 300 of 400 questions are of `chart`; greedy decoding decides nothing.
    let weights: Vec<f64> = prediction.targets.iter().map(|target| target.weight).collect();
    assert_eq!(weights, [0.75, 0.25, 0.0, 0.0]);
    let file = mixture_file(&prediction);
    assert!(file.note.is_none());
    let text = String::from_utf8(file.to_json()).unwrap();
    let (read, mixture) = MixtureFile::parse(&text, &datasets()).unwrap();
    assert_eq!((&read.origin, &read.constraints), (&file.origin, &file.constraints));
    assert!((mixture.share(&datasets()[2]) - 0.6).abs() < 1e-6);
}

#[test]
fn without_signal_the_file_holds_uniform_shares_and_the_reason() {
    let prediction = asked(&ledger(|_| 0.0, 0.05), Target::Overall, &Constraints::default()).unwrap();
    assert_eq!(prediction.verdict, Verdict::NoSignal, "{}", prediction.sentence);
    let file = mixture_file(&prediction);
    assert!(file.note.as_ref().unwrap().starts_with("uniform shares are kept: no signal: "), "{file:?}");
    let (_, mixture) = MixtureFile::parse(&String::from_utf8(file.to_json()).unwrap(), &datasets()).unwrap();
    assert_eq!(mixture, Mixture::uniform(&datasets()).unwrap());
}

#[test]
fn a_prediction_reads_back_and_is_the_same_again() {
    let ledger = ledger(science, 0.02);
    let prediction = asked(&ledger, Target::In, &Constraints::default()).unwrap();
    let back: Prediction = serde_json::from_slice(&crate::store::to_json_pretty(&prediction)).unwrap();
    // serde_json reads numbers to the last digit but one.
    let close = |a: &Interval, b: &Interval| (a.mean - b.mean).abs() < 1e-12 && (a.low - b.low).abs() < 1e-12;
    let (then, now) = (&prediction.proposal.mixture, &back.proposal.mixture);
    assert!(close(&then.predicted, &now.predicted) && close(&then.gain, &now.gain));
    assert_eq!((&back.sentence, &back.notes), (&prediction.sentence, &prediction.notes));
    assert_eq!(back.targets.len(), prediction.targets.len());
    assert_eq!(back.targets[0].skill.held_out.len(), back.runs.len());
    assert_eq!(asked(&ledger, Target::In, &Constraints::default()).unwrap(), prediction);
    assert_eq!(prediction.objective, "In-Score, sampled");
}

#[test]
fn runs_of_another_protocol_or_dataset_are_left_out_and_counted() {
    let mut ledger = ledger(science, 0.02);
    let (first, last) = (ledger.rows[0].run.clone(), ledger.rows.last().unwrap().run.clone());
    ledger.rows.iter_mut().filter(|row| row.run == first).for_each(|row| row.protocol = "q".to_owned());
    ledger.rows.retain(|row| row.run != last || row.decoding == Decoding::Sampled);
    let chosen = from_ledger(&ledger, &datasets(), Part::Selection, None);
    assert_eq!(chosen.runs.len(), 12);
    assert!(chosen.targets.iter().all(|target| target.observations.len() == 12));
    assert!(chosen.notes[0].starts_with("1 finished runs of another budget"), "{:?}", chosen.notes);
    assert!(chosen.notes[1].starts_with("1 finished runs are left out: a benchmark"), "{:?}", chosen.notes);
    // Repeated mixtures teach the noise; questions are the same in all runs.
    assert!(chosen.targets[0].observations.iter().all(|run| run.noise_variance.is_none()));
}

#[test]
fn too_few_mixtures_and_an_objective_that_nothing_was_scored_on_say_so() {
    let mut few = ledger(science, 0.02);
    few.rows.retain(|row| row.label == "uniform" || row.label == "single_refer");
    let error = asked(&few, Target::Overall, &Constraints::default()).unwrap_err().to_string();
    assert!(error.starts_with("4 finished runs of 2 different mixtures are too few"), "{error}");
    let error = asked(&Ledger::default(), Target::Overall, &Constraints::default()).unwrap_err().to_string();
    assert!(error.starts_with("no run is finished yet"), "{error}");
    let mut greedy = ledger(science, 0.02);
    greedy.rows.retain(|row| row.decoding == Decoding::Greedy);
    let error = asked(&greedy, Target::Overall, &Constraints::default()).unwrap_err().to_string();
    assert!(error.starts_with("no run was scored on the objective (Overall, sampled)"), "{error}");
}

#[test]
fn three_mixtures_are_judged_by_the_mean_alone() {
    let mut three = ledger(science, 0.02);
    three.rows.retain(|row| row.label.starts_with("single"));
    let prediction = asked(&three, Target::Overall, &Constraints::default()).unwrap();
    assert_eq!((prediction.predictor.as_str(), prediction.verdict), ("mean", Verdict::NoSignal));
    assert!(prediction.notes[0].contains("three mixtures are too few"), "{:?}", prediction.notes);
}

#[test]
fn tables_of_many_datasets_are_shuffled_less_often() {
    let shuffled = |n_datasets: usize| {
        let run = |i: usize| {
            let first = i as f64 / 11.0;
            let mut shares = vec![(1.0 - first) / (n_datasets - 1) as f64; n_datasets];
            shares[0] = first;
            Observation { shares, score: first, noise_variance: None }
        };
        let settings = skill::Settings { n_permutations: 199, ..skill::Settings::default() };
        let ridge = by_name("ridge").unwrap();
        judge(ridge.as_ref(), &[(0..12).map(run).collect()], &[], &settings).unwrap().target(0)
    };
    let (few, many) = (shuffled(3), shuffled(65));
    assert_eq!((few.n_permutations, many.n_permutations), (199, 50));
    assert!(few.verdict == Verdict::Signal && many.verdict == Verdict::Signal, "{many:?}");
}
