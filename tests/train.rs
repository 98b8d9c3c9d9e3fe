//! A training run as a whole: stopped, resumed and spread over threads, it ends with the same weights.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use burn::tensor::Device;
use modo::{
    data::Catalog,
    error::Kind,
    ledger::RunFolder,
    mixture::{Mixture, draw_rule::DrawRule},
    name::Name,
    run::{Budget, Evaluation, MixtureChange, Part, RunRecord, RunSpec, SCHEMA},
    train::{self, Surroundings},
};

const STEPS: u64 = 3;

#[test]
fn a_run_that_is_stopped_after_every_step_ends_with_the_same_weights() {
    let folder = tempfile::tempdir().unwrap();
    for updates_per_batch in [1, 2] {
        let folder = folder.path().join(updates_per_batch.to_string());
        let mut spec = grpo(1);
        spec.algorithm.insert("updates_per_batch".to_owned(), toml::Value::Integer(updates_per_batch));
        let whole = finish(&folder.join("whole"), &spec, 1, 0).unwrap();
        let pieces = finish(&folder.join("pieces"), &spec, 1, STEPS - 1).unwrap();
        assert_eq!(whole.weights_hash, pieces.weights_hash, "{updates_per_batch} updates per batch");
        assert_eq!(whole.scores, pieces.scores);
        assert_eq!(whole.realised, pieces.realised);
    }
}

/// Where [`a_process_that_trains`] works; it does nothing unless it is told.
const FOLDER: &str = "MODO_TEST_RUN";

/// Steps of the run that is killed: enough for a kill between two of them to be missed and the next one to be hit.
fn killed() -> RunSpec {
    let mut spec = grpo(8);
    spec.budget.steps = 16;
    spec.algorithm.insert("updates_per_batch".to_owned(), toml::Value::Integer(2));
    spec.algorithm.insert("optimizer".to_owned(), "muon".into());
    spec
}

/// Not a test: what the next one starts and kills.
#[test]
#[ignore = "the process that `a_run_that_is_killed_ends_with_the_same_weights` kills"]
fn a_process_that_trains() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    finish(&PathBuf::from(folder), &killed(), 2, 0).unwrap();
}

#[test]
fn a_run_that_is_killed_ends_with_the_same_weights() {
    let guard = tempfile::tempdir().unwrap();
    let spec = killed();
    let whole = finish(&guard.path().join("whole"), &spec, 1, 0).unwrap();
    let experiment = guard.path().join("killed");
    let folder = RunFolder::create(&experiment, &spec).unwrap();
    let furthest = || folder.checkpoints().first().map_or(0, |checkpoint| checkpoint.step);
    let mut reached = Vec::new();
    for kill in 0..3 {
        let before = furthest();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_process_that_trains", "--ignored"])
            .env(FOLDER, &experiment)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while furthest() <= before {
            assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
            assert!(begun.elapsed() < Duration::from_mins(5), "no checkpoint in five minutes");
            std::thread::sleep(Duration::from_millis(2));
        }
        // At another moment of the next step each time.
        std::thread::sleep(Duration::from_millis(7 * kill));
        child.kill().unwrap();
        child.wait().unwrap();
        reached.push(furthest());
    }
    assert!(reached.is_sorted_by(|a, b| a < b) && reached[2] < spec.budget.steps, "{reached:?}");
    let resumed = finish(&experiment, &spec, 1, 0).unwrap();
    assert_eq!(whole.weights_hash, resumed.weights_hash, "killed with checkpoints {reached:?}");
    assert_eq!(whole.scores, resumed.scores);
    assert_eq!(whole.realised, resumed.realised);
    // Each attempt went on from the checkpoint before it.
    let attempts = folder.attempts();
    assert_eq!(attempts.len(), 4);
    for (attempt, before) in attempts[1..].iter().zip(&reached) {
        let first = lines(&attempt.path)[0]["step"].as_u64();
        assert_eq!(first, Some(before + 1), "attempt {}", attempt.number);
    }
}

#[test]
fn the_result_does_not_depend_on_the_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = grpo(2);
    // Three batches of the rollout and five of the update, the last of each not full.
    spec.budget = Budget { steps: 2, prompts_per_step: 20 };
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
fn other_shares_hold_after_the_step_they_are_planned_for() {
    let folder = tempfile::tempdir().unwrap();
    let only = |name: &str| {
        let shares = ["science", "spatial"].map(|n| (n.parse().unwrap(), f64::from(u8::from(n == name))));
        Mixture::new(&shares.into()).unwrap()
    };
    let mut spec = grpo(3);
    spec.mixture = only("spatial");
    spec.changes = vec![MixtureChange { after: 1, mixture: only("science") }];
    let whole = finish(&folder.path().join("whole"), &spec, 2, 0).unwrap();
    // One step of six groups of the one, two of the other.
    let groups: Vec<u64> = whole.realised.values().map(|r| r.groups).collect();
    assert_eq!(groups, [12, 6]);
    let pieces = finish(&folder.path().join("pieces"), &spec, 2, STEPS - 1).unwrap();
    assert_eq!((whole.weights_hash, whole.realised), (pieces.weights_hash, pieces.realised));
    let run = RunFolder::create(&folder.path().join("whole"), &spec).unwrap();
    let record = fs::read_to_string(run.attempts()[0].path.join("schedule.json")).unwrap();
    assert!(record.contains("planned after step 1"), "{record}");
    spec.changes[0].after = 0;
    let error = finish(&folder.path().join("early"), &spec, 2, 0).unwrap_err().to_string();
    assert!(error.contains("a change at draw 0 does not come after the one at draw 0"), "{error}");
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
fn a_gradient_that_is_no_number_ends_the_run_for_good_and_leaves_the_batch() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = grpo(9);
    spec.algorithm.insert("learning_rate".to_owned(), toml::Value::Float(1e30));
    let error = finish(folder.path(), &spec, 2, 0).unwrap_err();
    // The first step's gradient is fine; the weights that come of it are not.
    assert!(error.to_string().starts_with("the gradient of step 2 is not a finite number"), "{error}");
    let run = RunFolder::create(folder.path(), &spec).unwrap();
    let attempt = run.attempts().pop().unwrap();
    assert!(attempt.exit().unwrap().is_final(), "a sweep would try it again");
    let saved = attempt.path.join("not-finite-2");
    assert!(error.to_string().contains(&saved.display().to_string()), "{error}");

    let batch: serde_json::Value =
        serde_json::from_slice(&fs::read(saved.join("batch.json")).unwrap()).unwrap();
    assert_eq!((batch["step"].as_u64(), batch["updates_done"].as_u64()), (Some(2), Some(1)));
    assert_eq!((batch["seed"].as_u64(), batch["draw_seed"].as_u64()), (Some(9), Some(1)));
    let groups = batch["batch"].as_array().unwrap();
    let draws: Vec<u64> = groups.iter().map(|group| group["draw"].as_u64().unwrap()).collect();
    assert_eq!(draws, [6, 7, 8, 9, 10, 11], "six prompt groups a step");
    let mut not_finite = 0;
    for group in groups {
        assert!(group["sample"].as_str().unwrap().starts_with(group["dataset"].as_str().unwrap()));
        assert!(!group["prompt_tokens"].as_array().unwrap().is_empty());
        assert_eq!(group["seed_bits"].as_str().unwrap().len(), 16);
        let completions = group["completions"].as_array().unwrap();
        assert_eq!(completions.len(), 3);
        for completion in completions {
            let tokens = completion["tokens"].as_array().unwrap().len();
            for key in ["logprobs", "base_logprobs"] {
                let numbers = completion[key].as_array().unwrap();
                assert_eq!(numbers.len(), tokens, "{key}");
                not_finite += numbers.iter().filter(|n| n.as_f64().is_none()).count();
            }
            assert!(completion["reward"].is_number() && completion["advantage"].is_number());
            assert!(completion["text"].is_string() && completion["stop"].is_string());
        }
    }
    assert!(not_finite > 0, "what broke the step is not in the file");
    // The weights of that step, for a look, and no checkpoint of it that a later attempt would begin with.
    assert!(fs::metadata(saved.join("model.safetensors")).unwrap().len() > 1 << 20);
    assert!(saved.join("optimizer.safetensors").is_file());
    assert!(run.checkpoints().iter().all(|checkpoint| checkpoint.step < 2));
}

#[test]
fn a_benchmark_that_cannot_be_scored_costs_no_training() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = grpo(10);
    let chart = spec.benchmarks.get_mut(&"chart".parse::<Name>().unwrap()).unwrap();
    // Golds are numbers there.
    chart.insert("verifier".to_owned(), "boxes".into());
    let error = finish(folder.path(), &spec, 1, 0).unwrap_err();
    assert_eq!(error.kind(), Kind::Input);
    assert!(error.to_string().contains("dataset `chart`"), "{error}");
    let attempt = RunFolder::create(folder.path(), &spec).unwrap().attempts().pop().unwrap();
    assert!(!attempt.path.join("metrics.jsonl").exists());
}

#[test]
fn the_update_is_at_the_temperature_of_the_draws() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = grpo(11);
    spec.budget.steps = 1;
    // Two updates, so that the ratio to the policy that drew is computed, and so small that it stays at 1.
    for (key, value) in [("temperature", 1.7), ("learning_rate", 1e-12), ("warmup", 0.0)] {
        spec.algorithm.insert(key.to_owned(), toml::Value::Float(value));
    }
    spec.algorithm.insert("updates_per_batch".to_owned(), toml::Value::Integer(2));
    finish(folder.path(), &spec, 1, 0).unwrap();
    let attempt = RunFolder::create(folder.path(), &spec).unwrap().attempts().pop().unwrap();
    let line = &lines(&attempt.path)[0];
    // Log-probabilities of rollout and update differ by rounding alone; at another temperature by tenths.
    assert!(line["old_kl"].as_f64().unwrap().abs() < 1e-4, "{line}");
    assert_eq!(line["clip_fraction"].as_f64(), Some(0.0));
    assert!(line["kl"].as_f64().unwrap().abs() < 1e-6, "the policy is still the base: {line}");
}

/// What a line says of a batch, and of the part of it that comes from one dataset.
const OF_GROUPS: [&str; 17] = [
    "groups",
    "reward",
    "accuracy",
    "format",
    "lenient_accuracy",
    "completion_tokens",
    "truncated",
    "entropy",
    "all_right",
    "all_wrong",
    "equal_rewards",
    "kl",
    "kl_loss",
    "old_kl",
    "clip_fraction",
    "policy_loss",
    "datasets",
];

#[test]
fn every_step_leaves_its_metrics_as_a_line_and_as_an_event() {
    let folder = tempfile::tempdir().unwrap();
    let spec = grpo(12);
    finish(folder.path(), &spec, 2, 0).unwrap();
    let attempt = RunFolder::create(folder.path(), &spec).unwrap().attempts().pop().unwrap();
    let lines = lines(&attempt.path);
    assert_eq!(lines.len() as u64, STEPS);
    let mut groups = BTreeMap::<String, f64>::new();
    for (line, step) in lines.iter().zip(1..) {
        assert_eq!(line["step"].as_u64(), Some(step));
        let keys: BTreeSet<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
        let own = ["step", "share_realised", "gradient_norm", "learning_rate", "seconds"];
        assert_eq!(keys, OF_GROUPS.into_iter().chain(own).collect());
        let datasets = line["datasets"].as_object().unwrap();
        assert_eq!(datasets.len(), 2);
        for (name, of) in datasets {
            let keys: BTreeSet<&str> = of.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(keys, OF_GROUPS[..16].iter().copied().collect(), "{name}");
            assert!(of.as_object().unwrap().values().all(serde_json::Value::is_number), "{of}");
            *groups.entry(name.clone()).or_default() += of["groups"].as_f64().unwrap();
        }
        // Shares are of all groups so far.
        for (name, n) in &groups {
            let expected = n / (6 * step) as f64;
            assert!((line["share_realised"][name].as_f64().unwrap() - expected).abs() < 1e-12, "{line}");
        }
        // The whole is the mean of its parts, by tokens.
        for key in ["kl", "clip_fraction", "old_kl"] {
            let tokens = |of: &serde_json::Value| {
                of["completion_tokens"].as_f64().unwrap() * of["groups"].as_f64().unwrap()
            };
            let sum: f64 = datasets.values().map(|of| of[key].as_f64().unwrap() * tokens(of)).sum();
            let mean = sum / datasets.values().map(tokens).sum::<f64>();
            assert!((line[key].as_f64().unwrap() - mean).abs() < 1e-9, "{key}");
        }
        let seconds = line["seconds"].as_object().unwrap();
        let parts = ["data_flow", "response_collection", "trajectory_generation", "policy_update"];
        let sum: f64 = parts.iter().map(|part| seconds[*part].as_f64().unwrap()).sum();
        let total = seconds["total"].as_f64().unwrap();
        assert!(seconds.len() == 5 && sum <= total && total < sum + 1.0, "{seconds:?}");
    }
    // The KL of the two datasets is not the same number twice.
    let kl = |line: &serde_json::Value, name: &str| line["datasets"][name]["kl"].as_f64().unwrap();
    assert!(lines.iter().any(|line| (kl(line, "spatial") - kl(line, "science")).abs() > 0.0));

    let mut expected: Vec<(u64, BTreeMap<String, f32>)> = Vec::new();
    for line in &lines {
        let mut scalars = BTreeMap::new();
        flatten("", line, &mut scalars);
        expected.push((line["step"].as_u64().unwrap(), scalars));
    }
    assert_eq!(events(&attempt.path), expected);
}

/// The lines of an attempt's metrics.
fn lines(attempt: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(attempt.join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn flatten(path: &str, value: &serde_json::Value, out: &mut BTreeMap<String, f32>) {
    if let Some(number) = value.as_f64() {
        out.insert(path.to_owned(), number as f32);
    }
    for (key, value) in value.as_object().into_iter().flatten() {
        flatten(&if path.is_empty() { key.clone() } else { format!("{path}/{key}") }, value, out);
    }
}

/// The scalars of an event file by step, read by the published formats and not by what wrote them: TFRecord (length and
/// data, each with its checksum) around `tensorflow.Event` (1 wall time, 2 step, 3 file version, 5 summary), in it
/// `Summary.Value` (1 tag, 2 simple value).
fn events(attempt: &Path) -> Vec<(u64, BTreeMap<String, f32>)> {
    let mut files = fs::read_dir(attempt).unwrap().flatten().map(|file| file.path());
    let is_events = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().contains("tfevents");
    let bytes = fs::read(files.find(is_events).unwrap()).unwrap();
    let mut rest = bytes.as_slice();
    let mut events = Vec::new();
    let mut versions = Vec::new();
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        for (data, sum) in [(0..8, 8..12), (12..12 + length, 12 + length..16 + length)] {
            assert_eq!(masked_crc32c(&rest[data]), u32::from_le_bytes(rest[sum].try_into().unwrap()));
        }
        let (mut step, mut scalars) = (0, BTreeMap::new());
        for (field, value) in message(&rest[12..12 + length]) {
            match (field, value) {
                (1, Field::Fixed64(time)) => assert!(f64::from_bits(time) > 1.7e9, "seconds since 1970"),
                (2, Field::Varint(n)) => step = n,
                (3, Field::Bytes(version)) => versions.push(String::from_utf8(version.to_vec()).unwrap()),
                (5, Field::Bytes(summary)) => {
                    for (field, value) in message(summary) {
                        let (1, Field::Bytes(value)) = (field, value) else { panic!("a summary has values") };
                        let value = message(value);
                        let [(1, Field::Bytes(tag)), (2, Field::Fixed32(number))] = value[..] else {
                            panic!("{value:?}")
                        };
                        let tag = String::from_utf8(tag.to_vec()).unwrap();
                        assert!(scalars.insert(tag, f32::from_bits(number)).is_none());
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        if !scalars.is_empty() {
            events.push((step, scalars));
        }
        rest = &rest[16 + length..];
    }
    assert_eq!(versions, ["brain.Event:2"]);
    events
}

#[derive(Clone, Copy, Debug)]
enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

/// The fields of a protobuf message: number and value.
fn message(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = bytes.split_first().unwrap();
            *bytes = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return value;
            }
        }
        panic!("a varint has ten bytes at most")
    }
    fn take<'a>(bytes: &mut &'a [u8], n: usize) -> &'a [u8] {
        let (taken, rest) = bytes.split_at(n);
        *bytes = rest;
        taken
    }
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let value = match key & 7 {
            0 => Field::Varint(varint(&mut bytes)),
            1 => Field::Fixed64(u64::from_le_bytes(take(&mut bytes, 8).try_into().unwrap())),
            2 => {
                let length = varint(&mut bytes) as usize;
                Field::Bytes(take(&mut bytes, length))
            }
            5 => Field::Fixed32(u32::from_le_bytes(take(&mut bytes, 4).try_into().unwrap())),
            kind => panic!("wire type {kind}"),
        };
        fields.push((key >> 3, value));
    }
    fields
}

/// CRC-32C bit by bit (polynomial 1EDC6F41 reflected), rotated and shifted as TFRecord asks.
fn masked_crc32c(data: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    let crc = !crc;
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
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
            indexes: None,
            features: None,
            checkpoint_every: Duration::ZERO,
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
        changes: Vec::new(),
        draw: DrawRule::Exact,
        datasets: ["spatial", "science"].map(table).into(),
        benchmarks: ["spatial_test", "chart"].map(table).into(),
        evaluation: Evaluation { part: Part::Selection, questions: 4, completions: 2, greedy: true },
        budget: Budget { steps: STEPS, prompts_per_step: 6 },
        draw_seed: 1,
        seed,
    }
}
