//! A training run as a whole: stopped, resumed and spread over threads, it ends with the same weights.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use burn::tensor::Device;
use modo::{
    data::Catalog,
    error::Kind,
    ledger::RunFolder,
    mixture::{Mixture, draw_rule::DrawRule},
    name::Name,
    run::{Budget, Evaluation, Part, RunRecord, RunSpec, SCHEMA},
    train::{self, Surroundings},
};

const STEPS: u64 = 3;

#[test]
fn a_run_that_is_stopped_after_every_step_ends_with_the_same_weights() {
    let folder = tempfile::tempdir().unwrap();
    let spec = grpo(1);
    let whole = finish(&folder.path().join("whole"), &spec, 1, 0).unwrap();
    let pieces = finish(&folder.path().join("pieces"), &spec, 1, STEPS - 1).unwrap();
    assert_eq!(whole.weights_hash, pieces.weights_hash);
    assert_eq!(whole.scores, pieces.scores);
    assert_eq!(whole.realised, pieces.realised);
}

#[test]
fn the_result_does_not_depend_on_the_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let spec = grpo(2);
    let one = finish(&folder.path().join("one"), &spec, 1, 0).unwrap();
    let three = finish(&folder.path().join("three"), &spec, 3, 0).unwrap();
    assert_eq!(one.weights_hash, three.weights_hash);
    assert_eq!(one.scores, three.scores);
}

#[test]
fn realised_shares_are_those_of_the_mixture() {
    let folder = tempfile::tempdir().unwrap();
    let record = finish(folder.path(), &grpo(3), 2, 0).unwrap();
    // 3 steps of 6 groups at equal shares of two datasets.
    let groups: Vec<u64> = record.realised.values().map(|r| r.groups).collect();
    assert_eq!(groups, [9, 9]);
    assert!(record.scores.iter().all(|s| s.score.n_questions == 4));
}

#[test]
fn training_moves_the_weights_and_another_seed_moves_them_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let a = finish(&folder.path().join("a"), &grpo(4), 2, 0).unwrap();
    let b = finish(&folder.path().join("b"), &grpo(5), 2, 0).unwrap();
    assert_ne!(a.weights_hash, b.weights_hash);
}

#[test]
fn supervised_learning_from_nothing_resumes_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = grpo(6);
    spec.base = train::UNTRAINED.to_owned();
    spec.base_hash = train::UNTRAINED.to_owned();
    spec.algorithm = toml::toml! {
        name = "sft"
        batch = 6
        optimizer = "muon"
        stages = [
            { name = "ground", steps = 2, shares = { caption = 0.5, text_only = 0.5 } },
            { name = "habit", steps = 1, shares = { habit = 1.0 } },
        ]
    };
    let whole = finish(&folder.path().join("whole"), &spec, 2, 0).unwrap();
    let pieces = finish(&folder.path().join("pieces"), &spec, 1, STEPS - 1).unwrap();
    assert_eq!(whole.weights_hash, pieces.weights_hash);
}

#[test]
fn a_base_that_is_not_the_planned_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = grpo(7);
    spec.base_hash = "0".repeat(32);
    let error = finish(folder.path(), &spec, 1, 0).unwrap_err();
    assert_eq!(error.kind(), Kind::Input);
    assert!(error.to_string().contains("is not the one this run was planned with"), "{error}");
}

/// Runs `spec`, stopped after each of the first `stops` steps.
fn finish(experiment: &Path, spec: &RunSpec, threads: usize, stops: u64) -> modo::error::Result<RunRecord> {
    let folder = RunFolder::create(experiment, spec).unwrap();
    let stop = AtomicBool::new(false);
    let once = || {
        let attempt = folder.claim().unwrap();
        let around = Surroundings {
            data_root: Path::new("."),
            threads,
            device: Device::flex(),
            stop: &stop,
            cache: None,
        };
        let result = train::run(spec, &attempt, &around).map(|(record, _)| record);
        if let Err(error) = &result {
            attempt.fail(i32::from(error.kind().exit_code()), error.to_string()).unwrap();
        }
        result
    };
    for _ in 0..stops {
        stop.store(true, Ordering::Relaxed);
        assert_eq!(once().unwrap_err().kind(), Kind::Interrupted);
        stop.store(false, Ordering::Relaxed);
    }
    once()
}

fn grpo(seed: u64) -> RunSpec {
    let catalog = Catalog::embedded();
    let table = |name: &str| {
        let name: Name = name.parse().unwrap();
        (name.clone(), catalog.table(&name).unwrap().clone())
    };
    let train: Vec<Name> = ["spatial", "science"].map(|n| n.parse().unwrap()).to_vec();
    RunSpec {
        schema: SCHEMA,
        experiment: "test".parse().unwrap(),
        label: "test".to_owned(),
        base: "nano".to_owned(),
        base_hash: train::base("nano", &Device::flex()).unwrap().hash,
        algorithm: toml::toml! {
            name = "grpo"
            group = 3
            learning_rate = 3e-4
            max_new_tokens = 24
        },
        mixture: Mixture::uniform(&train).unwrap(),
        draw: DrawRule::Exact,
        datasets: ["spatial", "science"].map(table).into(),
        benchmarks: ["spatial_test", "chart"].map(table).into(),
        evaluation: Evaluation { part: Part::Selection, questions: 4, completions: 2, greedy: true },
        budget: Budget { steps: STEPS, prompts_per_step: 6 },
        draw_seed: 1,
        seed,
    }
}
