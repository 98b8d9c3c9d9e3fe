//! The main job from outside: every stage, stopped and started again, and what is said about a wrong plan.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, SystemTime},
};

use modo::ledger::{Ledger, RunFolder};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

#[test]
fn quickstart_goes_on_where_it_was_stopped_and_repeats_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("q");
    let mut child = quickstart(&out).spawn().unwrap();
    // Long enough for a run to be done, short enough for some to be missing.
    for _ in 0..600 {
        std::thread::sleep(Duration::from_millis(100));
        if !results(&out).is_empty() {
            break;
        }
    }
    let pid = Pid::from_raw(child.id().try_into().unwrap());
    kill(pid, Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(75), "a stopped command says that it can go on");
    let before = results(&out);
    assert!(!before.is_empty());

    let second = quickstart(&out).output().unwrap();
    assert!(second.status.success(), "{}", text(&second));
    let after = results(&out);
    assert!(after.len() > before.len());
    for (run, written) in &before {
        assert_eq!(after[run], *written, "{run} was done twice");
    }
    for file in ["plan.toml", "ledger.parquet", "prediction.json", "best.json", "report.html"] {
        assert!(out.join(file).is_file(), "{file} is missing");
    }
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    let verdict = String::from_utf8(second.stdout).unwrap();
    let prediction = fs::read(out.join("prediction.json")).unwrap();
    let prediction: serde_json::Value = serde_json::from_slice(&prediction).unwrap();
    // Two seeds confirm, on whatever the few runs came to.
    let expected = match prediction["verdict"].as_str().unwrap() {
        "signal" => "n = 2 paired seeds",
        _ => "The data show no signal",
    };
    assert!(verdict.contains(expected), "{verdict}");
    assert!(page.len() < 5 << 20 && !page.contains("src=\"http") && !page.contains("<script"));

    let third = quickstart(&out).output().unwrap();
    assert!(third.status.success());
    assert_eq!(results(&out), after);
    assert_eq!(String::from_utf8(third.stdout).unwrap(), verdict, "the same runs give the same sentence");
}

/// Thirty runs of about half a second.
const SHORT_RUNS: &str = r#"
schema     = 1
base       = "nano"
train      = ["detect", "geometry", "science"]
benchmarks = ["science_test"]

[algorithm]
name           = "grpo"
group          = 4
max_new_tokens = 24

[budget]
steps            = 3
prompts_per_step = 4

[evaluation]
questions   = 8
completions = 2
greedy      = true

[design]
named         = ["uniform", "single", "exclude_one"]
replicates    = 2
space_filling = 16
seed          = 1

[launcher]
name = "local"
"#;

#[test]
fn fifty_kills_of_controllers_and_trainers_lose_nothing_and_repeat_nothing() {
    const KILLS: usize = 50;
    let (_calm, calm) = short_runs();
    assert!(sweep(&calm).output().unwrap().status.success());
    let expected = results(&calm);
    let (ledger, _) = Ledger::from_runs(&calm).unwrap();

    let (mut kills, mut trainers) = (0, 0);
    while kills < KILLS {
        // One round: a sweep that is killed until it is done in spite of it.
        let (_killed, folder) = short_runs();
        let mut first_written = BTreeMap::new();
        loop {
            let mut controller = sweep(&folder).spawn().unwrap();
            // Spread over start, steps and scoring of a run.
            std::thread::sleep(Duration::from_millis(300 + 137 * kills as u64 % 700));
            if kills == KILLS || controller.try_wait().unwrap().is_some() {
                assert!(controller.wait().unwrap().success());
                break;
            }
            kills += 1;
            // Half of the time one of its trainers dies as well; the others live on.
            if kills % 2 == 0 && kill_a_trainer(&folder) {
                trainers += 1;
            }
            controller.kill().unwrap();
            controller.wait().unwrap();
            for (run, written) in results(&folder) {
                assert_eq!(
                    *first_written.entry(run).or_insert(written),
                    written,
                    "a result was written twice"
                );
            }
        }
        let after = results(&folder);
        assert!(first_written.iter().all(|(run, written)| after[run] == *written));
        assert_eq!(after.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        let (killed, damaged) = Ledger::from_runs(&folder).unwrap();
        assert!(damaged.is_empty(), "{damaged:?}");
        assert_eq!(killed.hash(), ledger.hash());
    }
    assert!(trainers >= KILLS / 5, "only {trainers} trainers were hit");
}

#[test]
fn a_stop_that_arrives_twice_is_one_stop_and_a_held_run_says_who_has_it() {
    let (_guard, folder) = short_runs();
    fs::write(folder.join("plan.toml"), SHORT_RUNS.replace("steps            = 3", "steps            = 30"))
        .unwrap();
    let train = |args: &[&str]| {
        let mut command = modo();
        command.arg("train").args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let experiment = folder.to_str().unwrap();
    // A model that cannot be written is known before anything is trained.
    let plan = folder.join("plan.toml");
    let out = train(&["--experiment", experiment, "--out", plan.to_str().unwrap()]).output().unwrap();
    assert_eq!(out.status.code(), Some(2), "{}", text(&out));
    assert!(!folder.join("runs").exists() || glob(&folder, "runs/*/attempts").is_empty());

    let child = train(&["--experiment", experiment]).spawn().unwrap();
    let begun = std::time::Instant::now();
    while glob(&folder, "runs/*/attempts/1/metrics.jsonl").is_empty() {
        assert!(begun.elapsed() < Duration::from_mins(2), "no step in two minutes");
        std::thread::sleep(Duration::from_millis(5));
    }
    for _ in 0..2 {
        kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
        std::thread::sleep(Duration::from_millis(10));
    }
    let out = child.wait_with_output().unwrap();
    assert_eq!(out.status.code(), Some(75), "{}", text(&out));
    let checkpoints = || glob(&folder, "runs/*/attempts/*/checkpoint-*");
    assert_eq!(checkpoints().len(), 1);

    let run = RunFolder::open(&glob(&folder, "runs/*")[0]).unwrap();
    let spec = run.spec_path();
    let spec = spec.to_str().unwrap();
    let attempt = run.claim().unwrap();
    let out = train(&["--spec", spec]).output().unwrap();
    assert_eq!(out.status.code(), Some(75), "{}", text(&out));
    let said = text(&out);
    assert!(said.contains("is made by process") && said.contains("hint: wait for it"), "{said}");
    assert!(!said.contains("interrupted"), "{said}");
    attempt.fail(75, "it was let go").unwrap();

    let out = train(&["--spec", spec, "--json"]).output().unwrap();
    let record: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(record["run"], run.run().as_str(), "{}", text(&out));
    assert!(checkpoints().is_empty(), "a run that is done goes on from none");
}

fn glob(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    glob::glob(&format!("{}/{pattern}", folder.display())).unwrap().flatten().collect()
}

/// An experiment of [`SHORT_RUNS`] in a folder that goes when the guard does.
fn short_runs() -> (tempfile::TempDir, PathBuf) {
    let guard = tempfile::tempdir().unwrap();
    // The folder's name is part of a run: all are called the same.
    let folder = guard.path().join("short");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("plan.toml"), SHORT_RUNS).unwrap();
    (guard, folder)
}

fn sweep(experiment: &Path) -> Command {
    let mut command = modo();
    command.arg("sweep").arg(experiment).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Sends SIGKILL to one process that is training; says whether there was one.
fn kill_a_trainer(experiment: &Path) -> bool {
    let runs = fs::read_dir(experiment.join("runs")).into_iter().flatten().flatten();
    let attempts =
        runs.flat_map(|run| fs::read_dir(run.path().join("attempts")).into_iter().flatten().flatten());
    for attempt in attempts.filter(|attempt| !attempt.path().join("exit.json").exists()) {
        let Ok(claim) = fs::read_to_string(attempt.path().join("claim.json")) else { continue };
        let claim: serde_json::Value = serde_json::from_str(&claim).unwrap();
        let pid = claim["process"]["pid"].as_i64().unwrap();
        // The number may belong to another process by now.
        let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if command.contains("--spec") && kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGKILL).is_ok()
        {
            return true;
        }
    }
    false
}

#[test]
fn a_plan_with_a_misspelt_key_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/quickstart_fast/plan.toml");
    let plan = fs::read_to_string(embedded).unwrap().replace("questions", "qestions");
    fs::write(folder.path().join("plan.toml"), plan).unwrap();
    let out = modo().arg("sweep").arg(folder.path()).output().unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out).contains("qestions") && text(&out).contains("plan.toml"), "{}", text(&out));
    assert!(!folder.path().join("runs").exists());
}

#[test]
fn a_plan_that_names_an_unknown_dataset_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/quickstart_fast/plan.toml");
    let plan = fs::read_to_string(embedded).unwrap().replace("\"geometry\"", "\"geometri\"");
    fs::write(folder.path().join("plan.toml"), plan).unwrap();
    let out = modo().arg("sweep").arg(folder.path()).output().unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out).contains("geometri"), "{}", text(&out));
}

fn modo() -> Command {
    Command::new(env!("CARGO_BIN_EXE_modo"))
}

fn quickstart(out: &Path) -> Command {
    let mut command = modo();
    command.args(["quickstart", "--fast", "--out"]).arg(out);
    command
}

fn text(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

/// When the result of each finished run was written.
fn results(experiment: &Path) -> BTreeMap<String, SystemTime> {
    let runs = fs::read_dir(experiment.join("runs")).into_iter().flatten().flatten();
    runs.filter_map(|run| {
        let written = fs::metadata(run.path().join("result.json")).ok()?.modified().ok()?;
        Some((run.file_name().into_string().ok()?, written))
    })
    .collect()
}
