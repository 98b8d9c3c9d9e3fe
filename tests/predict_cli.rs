//! `modo predict` as people and scripts use it: on an experiment's run folders, on tables, on bad input.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use modo::{
    data::Catalog,
    ledger::RunFolder,
    name::Name,
    run::{BenchmarkScore, Cost, Decoding, Domain, MixtureChange, Part, RunRecord, RunSpec, SCHEMA},
    score::Score,
    seed::Seed,
    sweep::{Plan, Sources, points, specs},
    train::UNTRAINED,
};
use rand::Rng;
use serde_json::Value;

/// Needs no checkpoint: nothing here trains.
const PLAN: &str = r#"
schema     = 1
base       = "untrained"
train      = ["detect", "refer", "science"]
benchmarks = ["science_test", "chart"]

[algorithm]
name = "grpo"

[budget]
steps            = 10
prompts_per_step = 8

[evaluation]
questions = 100

[design]
named      = ["uniform", "single", "exclude_one"]
replicates = 2
seed       = 1

[objective]
aggregate = "overall"
decoding  = "sampled"

[constraints]
max.science = 0.7
"#;

#[test]
fn an_experiment_with_signal_gets_its_best_mixture_and_every_file() {
    let folder = tempfile::tempdir().unwrap();
    let experiment = experiment(folder.path(), |shares| 0.2 * shares["science"].sqrt());
    let out = modo(folder.path(), &["predict", "experiments/quickstart"]);
    let text = stdout(&out);
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    for part in
        ["14 runs of 7 mixtures", "Signal:", "Skill:", "Overall, sampled: the mixture predicts the score"]
    {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    assert!(text.contains("held by: `science` at most 0.7"), "{text}");
    assert!(experiment.join("ledger.parquet").is_file());
    let best: Value = json(&fs::read(folder.path().join("mixtures/best.json")).unwrap());
    assert!(best["shares"]["science"].as_f64().unwrap() > 0.65, "{best}");
    assert!(best["note"].is_null() && best["predicted"]["gain_over_uniform"]["low"].as_f64().unwrap() > 0.0);

    // The default experiment, as JSON: the same as the file, and the same again.
    let again = modo(folder.path(), &["predict", "--json", "--out", "other.json"]);
    let written = json(&fs::read(experiment.join("prediction.json")).unwrap());
    assert_eq!(json(&again.stdout), written);
    assert_eq!(json(&fs::read(folder.path().join("other.json")).unwrap()), best);
}

#[test]
fn an_experiment_without_signal_keeps_uniform_shares_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    experiment(folder.path(), |_| 0.0);
    let out = modo(folder.path(), &["predict"]);
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    let text = stdout(&out);
    assert!(text.contains("no signal: left-out R²") && text.contains("uniform shares are kept"), "{text}");
    let best = json(&fs::read(folder.path().join("mixtures/best.json")).unwrap());
    assert!(best["note"].as_str().unwrap().contains("no signal"));
    for share in best["shares"].as_object().unwrap().values() {
        assert!((share.as_f64().unwrap() - 1.0 / 3.0).abs() < 1e-5);
    }
}

#[test]
fn an_experiment_without_runs_writes_no_mixture() {
    let folder = tempfile::tempdir().unwrap();
    let experiment = folder.path().join("experiments/quickstart");
    fs::create_dir_all(&experiment).unwrap();
    fs::write(experiment.join("plan.toml"), PLAN).unwrap();
    let out = modo(folder.path(), &["predict"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(stderr(&out).starts_with("error: no run is finished yet"), "{}", stderr(&out));
    assert!(!folder.path().join("mixtures").exists() && !experiment.join("prediction.json").exists());
}

#[test]
fn a_table_is_joined_by_its_unnamed_column_and_predicts_new_mixtures() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = tables(|w| 1.0 + w[0].sqrt(), 30);
    // Exact zeros, and sums of .996 and 1.004.
    let a = a + "zero,1.0,0,0\nlow,0.5,0.496,0\nhigh,0.5,0.004,0.5\n";
    let b = b + "high,1.707,x\nlow,1.707,x\nzero,2.0,x\n";
    let at = ",b,c,a\nnew,0.3,0.2,0.5\n";
    for (name, text) in [("a.csv", a.as_str()), ("b.csv", &b), ("c.csv", at)] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let given = ["predict", "--mixtures", "a.csv", "--scores", "b.csv"];
    let out = modo(folder.path(), &[&given[..], &["--at", "c.csv", "--out", "d.csv"]].concat());
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    assert!(stderr(&out).contains("rows sum to 0.9960 up to 1.0040"), "{}", stderr(&out));
    assert!(stderr(&out).contains("columns without numbers are passed over: `words`"), "{}", stderr(&out));
    assert!(!stderr(&out).contains("no better") && !stderr(&out).contains("outside"), "{}", stderr(&out));
    let text = fs::read_to_string(folder.path().join("d.csv")).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("id,target,mean,sd,low,high"));
    let line: Vec<&str> = lines.next().unwrap().split(',').collect();
    assert_eq!((line[0], line[1]), ("new", "score"));
    let [mean, sd, low, high] = [2, 3, 4, 5].map(|i| line[i].parse::<f64>().unwrap());
    assert!((mean - (1.0 + 0.5_f64.sqrt())).abs() < 0.03, "{line:?}");
    assert!(low < mean && mean < high && sd > 0.0 && high - low < 0.3, "{line:?}");

    // The same as JSON lines, from JSON lines.
    let lines: String = a.lines().skip(1).fold(String::new(), |mut text, line| {
        let cells: Vec<&str> = line.split(',').collect();
        let (id, a, b, c) = (cells[0], cells[1], cells[2], cells[3]);
        writeln!(text, r#"{{"": "{id}", "a": {a}, "b": {b}, "c": {c}}}"#).unwrap();
        text
    });
    fs::write(folder.path().join("a.jsonl"), lines).unwrap();
    let given = ["predict", "--mixtures", "a.jsonl", "--scores", "b.csv"];
    let out = modo(folder.path(), &[&given[..], &["--at", "c.csv", "--out", "d.jsonl"]].concat());
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    let line = json(&fs::read(folder.path().join("d.jsonl")).unwrap());
    assert!((line["mean"].as_f64().unwrap() - mean).abs() < 1e-9, "{line}");
}

#[test]
fn a_table_gets_skill_and_where_there_is_an_aim_a_proposal() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = tables(|w| 1.0 + w[0].sqrt(), 30);
    fs::write(folder.path().join("a.csv"), a).unwrap();
    fs::write(folder.path().join("b.csv"), b).unwrap();
    let given = ["predict", "--mixtures", "a.csv", "--scores", "b.csv"];
    let out = modo(folder.path(), &given);
    assert!(stdout(&out).contains("Skill:") && !stdout(&out).contains("Proposal"), "{}", stdout(&out));
    let aim = |option: &str| {
        let out = modo(folder.path(), &[&given[..], &[option, "score", "--json"]].concat());
        assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
        json(&out.stdout)["proposal"]["mixture"]["shares"][0].as_f64().unwrap()
    };
    assert!(aim("--maximize") > 0.9 && aim("--minimize") < 0.1);
    // The worst of two scores that say the same, in standard deviations, is what their mean is.
    let b = fs::read_to_string(folder.path().join("b.csv")).unwrap();
    let twice = |(i, line): (usize, &str)| match line.rsplit_once(',') {
        Some((head, _)) if i > 0 => format!("{head},{}\n", head.rsplit(',').next().unwrap()),
        _ => format!("{line}\n"),
    };
    let b: String = b.lines().enumerate().map(twice).collect();
    fs::write(folder.path().join("b.csv"), b).unwrap();
    let out =
        modo(folder.path(), &[&given[..], &["--maximize", "score,words", "--worst", "--json"]].concat());
    let worst = json(&out.stdout)["proposal"]["mixture"].clone();
    let of = |figure: &Value| figure["mean"].as_f64().unwrap();
    assert!((of(&worst["worst"]["gain"]) - of(&worst["gain"])).abs() < 1e-6, "{worst}");
    // The paper's own way from runs to a mixture goes as far as draws around the mixtures tried go.
    let papers =
        ["--maximize", "score", "--json", "--predictor", "algorithm4", "--optimizer", "gaussian_search"];
    let out = modo(folder.path(), &[&given[..], &papers].concat());
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    let best = json(&out.stdout)["proposal"]["mixture"]["shares"][0].as_f64().unwrap();
    assert!((0.7..=1.0).contains(&best), "{best}");
}

#[test]
fn percent_is_read_as_percent_and_constraints_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = tables(|w| 1.0 + w[0].sqrt(), 30);
    let percent: String = a
        .lines()
        .take(1)
        .map(str::to_owned)
        .chain(a.lines().skip(1).map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let shares: Vec<String> =
                cells[1..].iter().map(|c| (100.0 * c.parse::<f64>().unwrap()).to_string()).collect();
            format!("{},{}", cells[0], shares.join(","))
        }))
        .collect::<Vec<_>>()
        .join("\n");
    fs::write(folder.path().join("a.csv"), percent).unwrap();
    fs::write(folder.path().join("b.csv"), b).unwrap();
    fs::write(folder.path().join("c.toml"), "leash = { total_variation = 0.2 }\nat_most = 3\n").unwrap();
    let given = ["predict", "--mixtures", "a.csv", "--scores", "b.csv", "--maximize", "score", "--json"];
    let out = modo(folder.path(), &[&given[..], &["--constraints", "c.toml"]].concat());
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    assert!(stderr(&out).contains("taken for percent"), "{}", stderr(&out));
    let best = &json(&out.stdout)["proposal"]["mixture"];
    // From a third each, a fifth of the budget may move: all of it to `a`.
    assert!((best["shares"][0].as_f64().unwrap() - (1.0 / 3.0 + 0.2)).abs() < 1e-3, "{best}");
    assert!(best["violation"].as_f64().unwrap() <= 1e-9);
    assert_eq!(best["binding"][0], "total variation from the reference at most 0.2");

    fs::write(folder.path().join("c.toml"), "shares.a = { min = 0.6 }\nshares.b = { min = 0.5 }\n").unwrap();
    let out = modo(folder.path(), &[&given[..], &["--constraints", "c.toml"]].concat());
    assert_eq!(out.status.code(), Some(2));
    assert!(stderr(&out).contains("`a` at least 0.6, `b` at least 0.5"), "{}", stderr(&out));
}

#[test]
fn predictors_are_compared_on_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = tables(|w| 1.0 + w[0].sqrt(), 30);
    fs::write(folder.path().join("a.csv"), a).unwrap();
    fs::write(folder.path().join("b.csv"), b).unwrap();
    let given =
        ["compare", "--mixtures", "a.csv", "--scores", "b.csv", "--predictors", "mean,ridge,gp3_cube"];
    let out = modo(folder.path(), &[&given[..], &["--sizes", "10,20", "--draws", "3"]].concat());
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    let text = stdout(&out);
    assert!(
        text.contains("Cross-validation, 5 folds")
            && text.contains("Learning curve, from n mixtures, 3 draws"),
        "{text}"
    );
    let out = modo(folder.path(), &[&given[..], &["--json"]].concat());
    let lines: Vec<Value> = stdout(&out).lines().map(|line| json(line.as_bytes())).collect();
    assert_eq!(lines.len(), 3);
    let rank = |i: usize| lines[i]["cross_validation"]["rank_correlation"]["mean"].as_f64().unwrap();
    assert!(rank(0) < 0.1 && rank(2) > 0.8, "{lines:?}");

    // A score that is the same everywhere orders nothing.
    let (_, constant) = tables(|_| 0.0, 30);
    let mut both = String::new();
    for (i, line) in constant.lines().enumerate() {
        writeln!(both, "{line},{}", if i == 0 { "flat" } else { "0.5" }).unwrap();
    }
    fs::write(folder.path().join("both.csv"), both).unwrap();
    let given_both = ["compare", "--mixtures", "a.csv", "--scores", "both.csv", "--targets", "flat"];
    let out = modo(folder.path(), &given_both);
    assert_eq!(out.status.code(), Some(2));
    assert!(stderr(&out).contains("`flat` is the same in all runs, and left out"), "{}", stderr(&out));
    assert!(stderr(&out).contains("every score is the same in all runs"), "{}", stderr(&out));

    // Scores that have nothing to do with the mixtures have no best predictor.
    let noise: String = constant
        .lines()
        .enumerate()
        .map(|(i, line)| match line.split_once(',') {
            Some((id, _)) if i > 0 => format!("{id},{},x\n", i * 7 % 11),
            _ => format!("{line}\n"),
        })
        .collect();
    fs::write(folder.path().join("b.csv"), noise).unwrap();
    let out = modo(folder.path(), &[&given[..], &["--sizes", "20"]].concat());
    assert!(stdout(&out).contains("none is told from guessing"), "{}", stdout(&out));
    let predicted = ["predict", "--mixtures", "a.csv", "--scores", "b.csv", "--maximize", "score", "--json"];
    let answer = json(&modo(folder.path(), &predicted).stdout);
    assert_eq!(answer["verdict"], "no_signal", "{}", answer["sentence"]);
    // Nothing is known but the mean of all runs.
    let mean = answer["proposal"]["mixture"]["predicted"]["mean"].as_f64().unwrap();
    assert!((mean - (1..=30).map(|i| f64::from(i * 7 % 11)).sum::<f64>() / 30.0).abs() < 1e-9, "{mean}");
    assert_eq!(answer["best_observed"]["shrunk"].as_f64(), Some(mean));
    assert!(answer["proposal"]["mixture"]["local_gain"].is_null());
    fs::write(folder.path().join("c.csv"), ",a,b,c\nnew,0.3,0.2,0.5\ncorner,0,0,1\n").unwrap();
    let at = ["predict", "--mixtures", "a.csv", "--scores", "b.csv", "--at", "c.csv", "--out", "d.csv"];
    let said = stderr(&modo(folder.path(), &at));
    assert!(
        said.contains("warning: no signal in `score`: mixtures left out are predicted no better"),
        "{said}"
    );

    // All tried have a tenth of c.
    let row = |i: u32| format!("r{i},{},{},0.1\n", 0.3 + 0.03 * f64::from(i), 0.6 - 0.03 * f64::from(i));
    fs::write(folder.path().join("a.csv"), (0..12).map(row).fold(",a,b,c\n".to_owned(), |a, b| a + &b))
        .unwrap();
    let row = |i: u32| format!("r{i},{i}\n");
    fs::write(folder.path().join("b.csv"), (0..12).map(row).fold(",score\n".to_owned(), |a, b| a + &b))
        .unwrap();
    let said = stderr(&modo(folder.path(), &at));
    assert!(said.contains("note: 2 of 2 mixtures spend more than 10 % of the budget outside"), "{said}");
    assert!(!said.contains("no signal"), "{said}");

    fs::write(folder.path().join("a.csv"), "id,a,b\nr0,1,0\nr1,1,0\n").unwrap();
    fs::write(folder.path().join("b.csv"), "id,s\nr0,1\nr1,2\n").unwrap();
    let out = modo(folder.path(), &given);
    assert_eq!(out.status.code(), Some(2));
    assert!(stderr(&out).contains("there are 1 different mixtures"), "{}", stderr(&out));

    // Sizes of curves are of mixtures, and folds hold three of them at least.
    let (mut a, mut b) = ("id,a,b\n".to_owned(), "id,s\n".to_owned());
    for i in 0..30_u32 {
        let share = f64::from(i % 10) / 9.0;
        writeln!(a, "r{i},{share},{}", 1.0 - share).unwrap();
        writeln!(b, "r{i},{share}").unwrap();
    }
    fs::write(folder.path().join("a.csv"), a).unwrap();
    fs::write(folder.path().join("b.csv"), b).unwrap();
    let out = modo(folder.path(), &given);
    let text = stdout(&out);
    assert!(text.contains("Cross-validation, 3 folds") && !text.contains("Learning curve"), "{text}");
}

#[test]
fn what_is_decided_on_a_table_is_written_beside_its_mixture_and_small_scores_keep_their_digits() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = tables(|w| 2e-5 * w[0].sqrt(), 20);
    // The noise of `tables` is far above such scores.
    let exact: String = a
        .lines()
        .enumerate()
        .map(|(i, line)| match line.split(',').collect::<Vec<_>>()[..] {
            [id, share, ..] if i > 0 => format!("{id},{}\n", 2e-5 * share.parse::<f64>().unwrap().sqrt()),
            _ => ",score\n".to_owned(),
        })
        .collect();
    assert_ne!(exact, b);
    fs::write(folder.path().join("a.csv"), a).unwrap();
    fs::write(folder.path().join("b.csv"), exact).unwrap();
    let given = ["predict", "--mixtures", "a.csv", "--scores", "b.csv", "--maximize", "score"];
    let out = modo(folder.path(), &[&given[..], &["--out", "mixtures/best.json"]].concat());
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    let text = stdout(&out);
    assert!(text.contains("written: mixtures/prediction.json, mixtures/best.json"), "{text}");
    assert!(text.contains("expected score 0.0000") && !text.contains("expected score 0.0000 "), "{text}");
    let out = modo(folder.path(), &[&given[..], &["--json"]].concat());
    for file in ["mixtures/prediction.json", "prediction.json"] {
        assert_eq!(json(&fs::read(folder.path().join(file)).unwrap()), json(&out.stdout), "{file}");
    }
}

#[test]
fn known_numbers_of_questions_are_noise_and_what_would_settle_it_is_in_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let row = |i: usize| {
        let share = i as f64 / 19.0;
        (
            format!("r{i},{share},{}\n", 1.0 - share),
            format!("r{i},{}\n", 0.5 + 0.01 * ((i * 7 % 11) as f64 - 5.0)),
        )
    };
    let (a, b): (Vec<String>, Vec<String>) = (0..20).map(row).unzip();
    fs::write(folder.path().join("a.csv"), format!("id,a,b\n{}", a.concat())).unwrap();
    fs::write(folder.path().join("b.csv"), format!("id,s\n{}", b.concat())).unwrap();
    let given = ["predict", "--mixtures", "a.csv", "--scores", "b.csv"];
    let skill = |more: &[&str]| {
        let out = modo(folder.path(), &[&given[..], &["--json"], more].concat());
        assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
        json(&out.stdout)[0].clone()
    };
    assert!(skill(&[])["skill"]["signal"]["within_sd"].is_null());
    // 100 answers at about one half: .5 / √100.
    for questions in ["100", "s=100", "s=100,7"] {
        let known = skill(&["--questions", questions]);
        assert_eq!(known["n_questions"], 100);
        assert!((known["skill"]["signal"]["within_sd"].as_f64().unwrap() - 0.05).abs() < 1e-3, "{known}");
    }
    let text = stdout(&modo(folder.path(), &[&given[..], &["--questions", "100"]].concat()));
    let needed = skill(&["--questions", "100"])["skill"]["signal"]["runs_per_mixture_needed"].clone();
    let words = needed.as_u64().map_or(">200 runs each".to_owned(), |n| format!("{n} runs each"));
    assert!(text.contains("to settle") && text.contains("questions") && text.contains(&words), "{text}");
    // Repeated mixtures tell the noise themselves.
    let again = |i: usize| {
        let share = i as f64 / 19.0;
        let score = 0.5 + 0.01 * ((i * 3 % 11) as f64 - 5.0);
        (format!("t{i},{share},{}\n", 1.0 - share), format!("t{i},{score}\n"))
    };
    let (again_a, again_b): (Vec<String>, Vec<String>) = (0..20).map(again).unzip();
    fs::write(folder.path().join("a.csv"), format!("id,a,b\n{}{}", a.concat(), again_a.concat())).unwrap();
    fs::write(folder.path().join("b.csv"), format!("id,s\n{}{}", b.concat(), again_b.concat())).unwrap();
    assert_eq!(skill(&["--questions", "100"])["skill"], skill(&[])["skill"]);
}

#[test]
fn cheaper_runs_help_where_they_go_along() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    let surface = |w: &[f64; 3]| w[0].sqrt() - w[1] * w[2];
    let (a, b) = tables(surface, 12);
    let (low_a, low_b) = tables(|w| 3.0 + 2.0 * surface(w), 60);
    write("a.csv", a);
    write("b.csv", b);
    write("c.csv", low_a);
    write("d.csv", low_b);
    let low = ["--low-mixtures", "c.csv", "--low-scores", "d.csv"];
    let given = ["compare", "--mixtures", "a.csv", "--scores", "b.csv", "--predictors", "gp3_cube", "--json"];
    let out = modo(folder.path(), &[&given[..], &["--sizes", "5"], &low].concat());
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    assert!(stderr(&out).contains("score: rank correlation of cheap and dear runs"), "{}", stderr(&out));
    let lines: Vec<Value> = stdout(&out).lines().map(|line| json(line.as_bytes())).collect();
    assert_eq!(lines[1]["method"], "two_fidelity");
    let error = |line: &Value| line["learning_curve"][0]["error"]["mean"].as_f64().unwrap();
    assert!(error(&lines[1]) < error(&lines[0]), "{lines:?}");
    let given = ["predict", "--mixtures", "a.csv", "--scores", "b.csv", "--maximize", "score", "--json"];
    let out = modo(folder.path(), &[&given[..], &low].concat());
    assert_eq!(json(&out.stdout)["predictor"], "two_fidelity", "{}", stderr(&out));

    // The same of two experiments.
    let lift = |shares: &BTreeMap<String, f64>| 0.2 * shares["science"].sqrt();
    let cheap = experiment(folder.path(), lift);
    fs::rename(&cheap, folder.path().join("experiments/cheap")).unwrap();
    experiment(folder.path(), lift);
    let (prediction, _) = predicted(folder.path(), &["--low", "experiments/cheap"]);
    assert_eq!(prediction["predictor"], "two_fidelity");
    let notes = prediction["notes"].to_string();
    assert!(notes.contains("chart, sampled: rank correlation of cheap and dear runs"), "{notes}");
    let out = modo(folder.path(), &["predict", "--low", "experiments/none"]);
    assert_eq!(out.status.code(), Some(2), "{}", stderr(&out));
    assert!(stderr(&out).contains("option `--low`"), "{}", stderr(&out));
}

#[test]
fn three_datasets_can_be_chosen_for_the_maps_of_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = tables(|w| w[0].sqrt(), 20);
    // A fourth dataset of no share.
    let with_fourth = |(i, line)| format!("{line},{}\n", if i > 0 { "0" } else { "d" });
    let a: Vec<String> = a.lines().enumerate().map(with_fourth).collect();
    fs::write(folder.path().join("a.csv"), a.concat()).unwrap();
    fs::write(folder.path().join("b.csv"), b).unwrap();
    let given = ["predict", "--mixtures", "a.csv", "--scores", "b.csv", "--maximize", "score", "--next", "1"];
    let page = |maps: &[&str]| {
        let out = modo(folder.path(), &[&given[..], &["--report", "page.html"], maps].concat());
        assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
        fs::read_to_string(folder.path().join("page.html")).unwrap()
    };
    let chosen = page(&["--map", "d,b,c", "--map", "a,b,d"]);
    assert_eq!(chosen.matches("expected score over d, b, c").count(), 1);
    assert_eq!(chosen.matches("expected score over a, b, d").count(), 1);
    assert!(!page(&[]).contains("over d, b, c"));
    for (map, expected) in
        [("a,b,x", "there is no dataset `x`"), ("a,b", "three different"), ("a,b,a", "three different")]
    {
        let out = modo(folder.path(), &[&given[..], &["--report", "page.html", "--map", map]].concat());
        assert_eq!(out.status.code(), Some(2));
        assert!(stderr(&out).contains(expected) && stderr(&out).contains("`--map`"), "{}", stderr(&out));
    }
}

#[test]
fn proposed_runs_become_runs_of_the_sweep() {
    let folder = tempfile::tempdir().unwrap();
    let experiment = experiment(folder.path(), |shares| 0.2 * shares["science"].sqrt());
    let planned = |folder: &Path| {
        let out = modo(folder, &["sweep", "--dry-run", "--json"]);
        json(&out.stdout)["runs"].as_array().unwrap().len()
    };
    assert_eq!(planned(folder.path()), 14);
    let out = modo(folder.path(), &["propose", "--runs", "3", "--json"]);
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    assert_eq!(json(&out.stdout).as_array().unwrap().len(), 3);
    assert!(experiment.join("proposed.json").is_file());
    assert_eq!(planned(folder.path()), 17);
}

#[test]
fn other_objectives_and_guardrails_of_an_experiment_come_from_options_and_plan() {
    let folder = tempfile::tempdir().unwrap();
    let experiment = experiment(folder.path(), |shares| 0.2 * shares["science"].sqrt());
    let (aimed, _) =
        predicted(folder.path(), &["--maximize", "chart=2,science_test=1", "--guardrail", "In-Score=0.01"]);
    assert_eq!(aimed["objective"], "2 chart + 1 science_test, sampled");
    let rail = &aimed["proposal"]["mixture"]["guardrails"][0];
    assert!(rail["name"] == "In-Score" && rail["kept"] == true && rail["asked"] == 0.9, "{rail}");
    let (worst, _) = predicted(folder.path(), &["--maximize", "chart,science_test", "--worst"]);
    assert!(worst["objective"].as_str().unwrap().starts_with("the worst of chart, science_test"));
    assert!(worst["proposal"]["mixture"]["worst"]["gain"]["mean"].as_f64().unwrap() > 0.0);
    // The same in the plan.
    let plan = PLAN.replace(
        "aggregate = \"overall\"",
        "weights = { chart = 2, science_test = 1 }\nguardrails = [{ score = \"In-Score\", within = 0.01 }]",
    );
    fs::write(experiment.join("plan.toml"), plan).unwrap();
    let (planned, _) = predicted(folder.path(), &[]);
    assert_eq!(planned["proposal"], aimed["proposal"]);
    for (options, expected) in [
        (vec!["--guardrail", "chrt=0.01"], "there is no score `chrt`"),
        (vec!["--guardrail", "chart"], "`chart` is no guardrail"),
        (vec!["--guardrail", "chart=-1"], "allows a loss of -1; it must be 0 or more"),
        (vec!["--guardrail", "chart=0.1@90"], "asks for a chance of 90"),
        (vec!["--maximize", "chrt"], "no run was scored on the benchmark `chrt`"),
        (vec!["--maximize", "chart", "--worst"], "the worst case needs at least two scores"),
        (vec!["--without", "nobody"], "no run is called `nobody`"),
    ] {
        let out = modo(folder.path(), &[&["predict"], options.as_slice()].concat());
        assert_eq!(out.status.code(), Some(2), "{}", stderr(&out));
        assert!(stderr(&out).contains(expected), "{}", stderr(&out));
    }
}

#[test]
fn runs_stay_when_a_dataset_joins_and_those_of_another_kind_are_left_out_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let lift = |shares: &BTreeMap<String, f64>| 0.2 * shares["science"].sqrt();
    let experiment = experiment(folder.path(), lift);
    // Two runs of another budget, one whose shares changed on the way, and one that was never finished.
    let two = PLAN
        .replace("steps            = 10", "steps            = 20")
        .replace("[\"uniform\", \"single\", \"exclude_one\"]", "[\"uniform\"]");
    experiment_of(&two, folder.path(), lift);
    fs::write(experiment.join("plan.toml"), PLAN).unwrap();
    let spec = RunSpec { seed: 7, ..specs_of(&experiment).remove(0) };
    let _attempt = RunFolder::create(&experiment, &spec).unwrap().claim().unwrap();
    let changes = vec![MixtureChange { after: 5, mixture: spec.mixture.clone() }];
    let changed = RunSpec { changes, seed: 8, ..spec };
    let finished = record(&changed, 0.3, &mut Seed::new(3).rng());
    RunFolder::create(&experiment, &changed).unwrap().claim().unwrap().commit(&finished).unwrap();
    let (before, _) = predicted(folder.path(), &[]);
    assert_eq!(before["runs"].as_array().unwrap().len(), 14);
    let why: Vec<&str> =
        before["left_out"].as_array().unwrap().iter().map(|one| one["why"].as_str().unwrap()).collect();
    assert_eq!(why.len(), 4, "{why:?}");
    assert!(why.contains(&"another plan of changes than the plan's"), "{why:?}");
    let other = "another budget, 20 steps of 8 prompt groups; the plan has 10 of 8";
    assert_eq!(why.iter().filter(|why| **why == other).count(), 2, "{why:?}");
    assert!(why.iter().any(|why| why.starts_with("it is still running at step 0 of 10")), "{why:?}");
    assert!(before["notes"][0].as_str().unwrap().contains("left out (uniform"), "{}", before["notes"]);

    // A dataset joins: all runs stay, and the sweep does what is new alone.
    let joined = PLAN.replace("\"science\"]", "\"science\", \"spatial\"]");
    fs::write(experiment.join("plan.toml"), joined).unwrap();
    let (after, _) = predicted(folder.path(), &[]);
    assert_eq!(after["runs"].as_array().unwrap().len(), 14);
    assert!(after["runs"].as_array().unwrap().iter().all(|run| run["shares"][3] == 0.0));
    assert!(after["notes"].to_string().contains("14 runs of an earlier list of datasets are used too"));
    let out = modo(folder.path(), &["sweep", "--dry-run", "--json"]);
    let planned = json(&out.stdout);
    // Nine mixtures twice, of which the three single ones and the one without the new dataset are there.
    assert_eq!(
        (planned["missing"].as_u64(), planned["done_before"].as_u64()),
        (Some(10), Some(8)),
        "{planned}"
    );
    // It leaves again, and with it nothing.
    fs::write(experiment.join("plan.toml"), PLAN).unwrap();
    let (again, _) = predicted(folder.path(), &["--without", "uniform"]);
    assert_eq!(again["runs"].as_array().unwrap().len(), 12);

    // The folder gets another name: its runs are the same, and nothing is said of other datasets.
    fs::rename(&experiment, folder.path().join("experiments/renamed")).unwrap();
    let (renamed, _) = predicted(folder.path(), &["experiments/renamed"]);
    assert_eq!(renamed["runs"].as_array().unwrap().len(), 14);
    assert!(!renamed["notes"].to_string().contains("earlier list"), "{}", renamed["notes"]);
    let out = modo(folder.path(), &["sweep", "experiments/renamed", "--dry-run", "--json"]);
    let planned = json(&out.stdout);
    assert_eq!(
        (planned["missing"].as_u64(), planned["done_before"].as_u64()),
        (Some(0), Some(14)),
        "{planned}"
    );
    assert_eq!(planned["runs"].as_array().unwrap().len(), 14);
    let renamed = folder.path().join("experiments/renamed");
    let out = modo(folder.path(), &["report", "experiments/renamed"]);
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    assert!(!stderr(&out).contains("newer"), "{}", stderr(&out));
    let page = fs::read_to_string(renamed.join("report.html")).unwrap();
    assert!(
        page.contains("14 finished runs of") && !page.contains("No proxy run has finished"),
        "{}",
        stdout(&out)
    );

    // A run that came after the prediction is told, and a mixture that other runs were the reason for.
    let runs: Vec<PathBuf> = fs::read_dir(renamed.join("runs")).unwrap().map(|e| e.unwrap().path()).collect();
    let last = runs.iter().find(|run| run.join("result.json").is_file()).unwrap();
    let aside = folder.path().join("aside");
    fs::rename(last, &aside).unwrap();
    predicted(folder.path(), &["experiments/renamed"]);
    fs::rename(&aside, last).unwrap();
    let out = modo(folder.path(), &["report", "experiments/renamed"]);
    assert!(stderr(&out).contains("1 finished run is newer than the prediction"), "{}", stderr(&out));
}

/// The specs of an experiment's plan.
fn specs_of(experiment: &Path) -> Vec<RunSpec> {
    let plan = Plan::read(experiment).unwrap();
    let catalog = Catalog::embedded();
    let named = plan.train.iter().chain(&plan.benchmarks);
    let tables: BTreeMap<Name, toml::Table> =
        named.map(|name| (name.clone(), catalog.table(name).unwrap().clone())).collect();
    let name = Plan::experiment_name(experiment).unwrap();
    let sources = Sources { experiment: &name, base_hash: UNTRAINED, tables: &tables };
    specs(&plan, sources, &points(&plan, |_, _| Ok(Vec::new())).unwrap()).unwrap()
}

#[test]
fn an_adaptive_sweep_trains_on_what_it_proposes_until_the_budget_is_spent() {
    let folder = tempfile::tempdir().unwrap();
    // One real step of a tiny run; the runs before it are planted.
    let plan = PLAN
        .replace("steps            = 10", "steps            = 1")
        .replace("prompts_per_step = 8", "prompts_per_step = 1")
        .replace("questions = 100", "questions = 2\ncompletions = 1")
        .replace("name = \"grpo\"", "name = \"grpo\"\ngroup = 2\nmax_new_tokens = 4");
    let experiment = experiment_of(&plan, folder.path(), |shares| 0.2 * shares["science"].sqrt());
    let out = modo(folder.path(), &["sweep", "--adaptive", "--budget", "10"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(stderr(&out).contains("the plan and its proposals alone are 14 runs"), "{}", stderr(&out));
    let reached =
        modo(folder.path(), &["sweep", "--adaptive", "--budget", "20", "--target", "0.4", "--json"]);
    assert!(
        json(&reached.stdout)["ended"].as_str().unwrap().contains("reaches the target"),
        "{}",
        stderr(&reached)
    );
    assert!(!experiment.join("proposed.json").exists());

    let out = modo(folder.path(), &["sweep", "--adaptive", "--budget", "16", "--batch", "1", "--json"]);
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    let answer = json(&out.stdout);
    let ended = answer["ended"].as_str().unwrap();
    // An untrained model scores 0: after such runs the signal may be gone, and that ends it as well.
    let batches = answer["batches"].as_array().unwrap().len();
    let proposed = json(&fs::read(experiment.join("proposed.json")).unwrap()).as_array().unwrap().len();
    assert_eq!(batches, proposed + 1, "{answer}");
    assert!(
        (ended.contains("budget of 16 runs is spent") && proposed == 2)
            || (ended.contains("without a signal") && proposed == 1),
        "{answer}"
    );
    assert_eq!(
        fs::read_dir(experiment.join("runs"))
            .unwrap()
            .filter(|e| { e.as_ref().unwrap().path().join("result.json").is_file() })
            .count(),
        14 + proposed
    );
    // Started again it has nothing to do.
    let again = modo(folder.path(), &["sweep", "--adaptive", "--budget", "16", "--batch", "1", "--json"]);
    let again = json(&again.stdout);
    assert_eq!((again["done"].as_u64(), again["ended"].as_str()), (Some(0), Some(ended)), "{again}");
}

#[test]
fn an_outlier_is_flagged_used_and_can_be_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = tables(|w| 1.0 + w[0].sqrt(), 30);
    let off = b.lines().map(|line| if line.starts_with("r7,") { "r7,4.0,x" } else { line });
    fs::write(folder.path().join("a.csv"), a).unwrap();
    fs::write(folder.path().join("b.csv"), off.collect::<Vec<_>>().join("\n")).unwrap();
    let given = ["--mixtures", "a.csv", "--scores", "b.csv", "--maximize", "score"];
    let (with, _) = predicted(folder.path(), &given);
    let outliers = with["outliers"].as_array().unwrap();
    assert_eq!((outliers.len(), &outliers[0]["run"]), (1, &Value::from("r7")), "{outliers:?}");
    assert!(with["notes"].to_string().contains("--without r7"), "{}", with["notes"]);
    let (without, said) = predicted(folder.path(), &[&given[..], &["--without", "r7"]].concat());
    assert!(
        without["outliers"].as_array().unwrap().is_empty() && said.contains("1 rows are left out (r7)"),
        "{said}"
    );
    assert_eq!(without["left_out"][0]["run"], "r7");
    assert_eq!(without["runs"].as_array().unwrap().len(), 29);
}

#[test]
#[expect(clippy::approx_constant, reason = "a score of the paper, not 1/π")]
fn rows_of_another_budget_and_the_papers_rules_come_from_columns() {
    let folder = tempfile::tempdir().unwrap();
    // The paper's seed runs: datasets used, In-Score, Out-Score (arXiv:2505.24871, Table 2), and two shorter ones.
    let seeds = [
        ("1", 0.3254, 0.4589),
        ("2", 0.3180_f64, 0.4219),
        ("3", 0.2232, 0.4753),
        ("4", 0.1990, 0.4915),
        ("5", 0.3274, 0.4263),
        ("2345", 0.5590, 0.5146),
        ("1345", 0.5432, 0.4783),
        ("1245", 0.5767, 0.4889),
        ("1235", 0.5463, 0.4721),
        ("1234", 0.4787, 0.4930),
        ("12345", 0.5638, 0.4609),
    ];
    let (mut a, mut b) = ("run,coco,lisa,geoqav,sat,scienceqa\n".to_owned(), "run,in,out,steps\n".to_owned());
    for (digits, inside, outside) in seeds {
        let share = |digit: char| if digits.contains(digit) { 1.0 / digits.len() as f64 } else { 0.0 };
        let shares: Vec<String> = "12345".chars().map(|digit| share(digit).to_string()).collect();
        for (id, steps) in [(digits.to_owned(), 2000), (format!("{digits}s"), 500)] {
            if steps == 2000 || digits.len() == 5 {
                writeln!(a, "m{id},{}", shares.join(",")).unwrap();
                writeln!(b, "m{id},{inside},{outside},{steps}").unwrap();
            }
        }
    }
    fs::write(folder.path().join("a.csv"), a).unwrap();
    fs::write(folder.path().join("b.csv"), b).unwrap();
    let given = [
        "--mixtures",
        "a.csv",
        "--scores",
        "b.csv",
        "--maximize",
        "in",
        "--in-score",
        "in",
        "--out-score",
        "out",
    ];
    let (answer, said) = predicted(folder.path(), &[&given[..], &["--budget", "steps"]].concat());
    assert!(
        said.contains("1 rows are left out (m12345s): `steps` is 500, and the runs compared have 2000"),
        "{said}"
    );
    let norm = answer["heuristics"].as_array().unwrap().iter().find(|rule| rule["rule"] == "norm").unwrap();
    for (share, expected) in
        norm["shares"].as_array().unwrap().iter().zip([0.1255, 0.2327, 0.2014, 0.2510, 0.1893])
    {
        assert!((share.as_f64().unwrap() - expected).abs() < 1e-4, "{norm}");
    }
    // The columns named stand for the aggregates.
    let front = ["--budget", "steps", "--pareto", "In-Score,Out-Score"];
    let (front, _) = predicted(folder.path(), &[&given[..], &front].concat());
    for point in front["points"].as_array().unwrap() {
        for value in point["values"].as_array().unwrap() {
            assert!(value["mean"].as_f64().unwrap() > 0.1, "{point}");
        }
    }
}

#[test]
fn first_mixtures_of_any_design_come_without_an_experiment() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("c.toml"), "rows = { a = 100, b = 300 }\nmax = { b = 0.8 }\n").unwrap();
    for design in [
        "seed_mixtures",
        "space_filling",
        "dirichlet{around = \"natural\", strength = 3}",
        "d_optimal",
        "greedy_variance",
    ] {
        let given = [
            "propose",
            "--among",
            "a,b",
            "--runs",
            "6",
            "--constraints",
            "c.toml",
            "--out",
            "m.csv",
            "--design",
            design,
        ];
        let out = modo(folder.path(), &given);
        assert_eq!(out.status.code(), Some(0), "{design}: {}", stderr(&out));
        let text = fs::read_to_string(folder.path().join("m.csv")).unwrap();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("id,a,b"));
        for line in lines {
            let cells: Vec<f64> = line.split(',').skip(1).map(|cell| cell.parse().unwrap()).collect();
            assert!(cells[1] <= 0.8 + 1e-6 && (cells[0] + cells[1] - 1.0).abs() < 1e-9, "{design}: {line}");
        }
    }
    for constraints in ["max_passes = 2\n", "max_passes = 2\nrows = { a = 100, b = 300 }\n"] {
        fs::write(folder.path().join("c.toml"), constraints).unwrap();
        let out = modo(folder.path(), &["propose", "--among", "a,b", "--constraints", "c.toml"]);
        assert_eq!(out.status.code(), Some(2), "{}", stdout(&out));
        assert!(stderr(&out).contains("`max_passes` needs"), "{}", stderr(&out));
    }
    for (design, expected) in
        [("best", "no design is called `best`"), ("dirichlet{strengh = 1}", "unknown field `strengh`")]
    {
        let out = modo(folder.path(), &["propose", "--among", "a,b", "--design", design]);
        assert_eq!(out.status.code(), Some(2));
        assert!(stderr(&out).contains(expected), "{}", stderr(&out));
    }
}

#[test]
fn bad_tables_say_what_where_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let good = tables(|w| w[0], 6);
    let check = |a: &str, b: &str, more: &[&str], expected: &[&str]| {
        fs::write(folder.path().join("a.csv"), a).unwrap();
        fs::write(folder.path().join("b.csv"), b).unwrap();
        let given = ["predict", "--mixtures", "a.csv", "--scores", "b.csv"];
        let out = modo(folder.path(), &[&given[..], more].concat());
        assert_eq!(out.status.code(), Some(2), "{}", stderr(&out));
        for part in expected {
            assert!(stderr(&out).contains(part), "no {part:?} in {}", stderr(&out));
        }
        assert!(!folder.path().join("d.csv").exists());
    };
    check(
        &good.0,
        &good.1,
        &["--id", "run"],
        &["there is no column `run`", "in a.csv", "there are ``, `a`, `b`"],
    );
    check(&good.0, &good.1, &["--maximize", "scor"], &["there is no column `scor`", "in b.csv", "`score`"]);
    check(
        &good.0,
        &good.1,
        &["--maximize", "score", "--optimizer", "luck"],
        &[
            "no optimizer is called `luck`; there are `projected_gradient`, `gaussian_search`",
            "`--optimizer`",
        ],
    );
    check(
        &good.0,
        &good.1,
        &["--pareto", "score,words"],
        &["it is not said which scores are good when large", "option `--pareto`"],
    );
    check(&good.0, &good.1, &["--out", "d.csv"], &["it is not said which scores are good", "option `--out`"]);
    check(&good.0, &good.1, &["--maximize", "words"], &["column `words` holds no numbers"]);
    check(
        "id,a,b\n1,.5,.5\n2,.5,half\n",
        "id,s\n1,2\n2,3\n",
        &[],
        &["column `b` holds `half`", "a.csv, row `2`"],
    );
    check("id,a,b\n1,.5,.5\n2,.5,\n", "id,s\n1,2\n2,3\n", &[], &["column `b` holds nothing"]);
    check("id,a,b\n1,.5,.5\n2,.5,.4\n", "id,s\n1,2\n2,3\n", &[], &["the shares sum to 0.9000", "row `2`"]);
    check("id,a,b\n1,1.5,-.5\n", "id,s\n1,2\n", &[], &["the share of `b` is -0.5"]);
    check("id,a,b\n1,.5,.5\n1,.5,.5\n", "id,s\n1,2\n", &[], &["column `id` has `1` twice", "--id COLUMN"]);
    check("id,a,b\n1,.5,.5\n", "id,s\n7,2\n", &[], &["no value of column `id` is in both tables"]);
    check("x,a,b\n1,.5,.5\n", "id,s\n7,2\n", &[], &["have no column in common"]);
    check(
        "id,a,b\n1,.5,.5\n2,.4,.6\n",
        "id,s\n1,2\n2,3\n",
        &["--maximize", "s"],
        &["2 different mixtures are too few"],
    );
    check(
        "id,a,b\n1,.5,.5\n2,.4,.6\n",
        "id,s\n1,2\n2,3\n",
        &[],
        &["needs 3 finished runs of different mixtures"],
    );
    fs::write(folder.path().join("c.csv"), ",a,b\nx,.5,.5\n").unwrap();
    check(&good.0, &good.1, &["--at", "c.csv", "--out", "d.csv"], &["there is no column `c`", "in c.csv"]);
    check(&good.0, &good.1, &["--at", "none.csv"], &["the table cannot be read", "none.csv"]);
    check("", &good.1, &[], &["a.csv", "tables are CSV with a header"]);
    check(
        &good.0.replace(',', ";"),
        &good.1,
        &[],
        &["the columns are separated by semicolons", "in a.csv", "commas between columns"],
    );
    check(&good.0.replace(',', "\t"), &good.1, &[], &["separated by tabs"]);
    let at = ["--at", "c.csv", "--out", "d.csv"];
    for (rows, expected) in [
        ("x,.5,.5,0\ny,NaN,.5,0\n", ["column `a` holds NaN", "take the row out of that table"]),
        (
            "x,.5,.5,0\ny,50,50,0\n",
            ["the shares sum to 100.0000", "every row sums to 100; here other rows do not"],
        ),
    ] {
        fs::write(folder.path().join("c.csv"), format!(",a,b,c\n{rows}")).unwrap();
        check(&good.0, &good.1, &at, &[&expected[..], &["c.csv, row `y`"]].concat());
    }
    for (questions, expected) in [
        ("none", "`none` is no number of questions"),
        ("scor=5", "there is no score `scor`"),
        ("500", "which is no rate from 0 to 1"),
    ] {
        let (a, b) = tables(|w| 2.0 + w[0], 6);
        check(&a, &b, &["--questions", questions], &[expected]);
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "a skipped test says why")]
fn published_tables_are_predicted_as_they_are() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        (
            "regmix/train_mixture_1m.csv",
            "regmix/train_pile_loss_1m.csv",
            "metric/the_pile_pile_cc_val_loss",
            "index",
        ),
        (
            "olmix/dclm_swarm_train_ratios.csv",
            "olmix/dclm_swarm_train_metrics.csv",
            "hellaswag:rc::olmes",
            "run",
        ),
    ];
    for (mixtures, scores, target, id) in cases {
        let (mixtures, scores) = (data.join(mixtures), data.join(scores));
        if !mixtures.is_file() || !scores.is_file() {
            println!("skipped: {} is not there", mixtures.display());
            continue;
        }
        // Sixty rows are enough and take a few seconds; the whole tables take a minute.
        let head = |path: &Path, name: &str| {
            let text = fs::read_to_string(path).unwrap();
            let head: Vec<&str> = text.lines().take(61).collect();
            fs::write(folder.path().join(name), head.join("\n")).unwrap();
        };
        head(&mixtures, "a.csv");
        head(&scores, "b.csv");
        let given = ["predict", "--mixtures", "a.csv", "--scores", "b.csv", "--id", id, "--minimize", target];
        let out = modo(folder.path(), &[&given[..], &["--json"]].concat());
        assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
        let rank = json(&out.stdout)["targets"][0]["skill"]["rank_correlation"].as_f64().unwrap();
        assert!(rank > 0.85, "{}: {rank}", mixtures.display());
    }
}

/// Two tables of `count` random mixtures of three datasets, joined by a column without a name.
fn tables(score: impl Fn(&[f64; 3]) -> f64, count: usize) -> (String, String) {
    let mut rng = Seed::new(1).rng();
    let (mut a, mut b) = (",a,b,c\n".to_owned(), ",score,words\n".to_owned());
    for row in 0..count {
        let x: [f64; 3] = std::array::from_fn(|_| rng.random_range(0.01_f64..1.0).powi(2));
        let sum: f64 = x.iter().sum();
        let w = x.map(|x| x / sum);
        writeln!(a, "r{row},{},{},{}", w[0], w[1], w[2]).unwrap();
        writeln!(b, "r{row},{},x", score(&w) + rng.random_range(-0.01..0.01)).unwrap();
    }
    (a, b)
}

/// An experiment whose runs are all done; `lift`: what the shares add to every benchmark.
fn experiment(root: &Path, lift: impl Fn(&BTreeMap<String, f64>) -> f64) -> PathBuf {
    experiment_of(PLAN, root, lift)
}

/// The same of another plan; runs that are there from before stay.
fn experiment_of(text: &str, root: &Path, lift: impl Fn(&BTreeMap<String, f64>) -> f64) -> PathBuf {
    let experiment = root.join("experiments/quickstart");
    fs::create_dir_all(&experiment).unwrap();
    fs::write(experiment.join("plan.toml"), text).unwrap();
    let plan = Plan::read(&experiment).unwrap();
    let catalog = Catalog::embedded();
    let named = plan.train.iter().chain(&plan.benchmarks);
    let tables: BTreeMap<Name, toml::Table> =
        named.map(|name| (name.clone(), catalog.table(name).unwrap().clone())).collect();
    let name = Plan::experiment_name(&experiment).unwrap();
    let sources = Sources { experiment: &name, base_hash: UNTRAINED, tables: &tables };
    let points = points(&plan, |_, _| Ok(Vec::new())).unwrap();
    let mut rng = Seed::new(2).rng();
    for spec in specs(&plan, sources, &points).unwrap() {
        let shares = spec.mixture.shares().map(|(name, share)| (name.to_string(), share)).collect();
        let record = record(&spec, 0.3 + lift(&shares), &mut rng);
        let run = RunFolder::create(&experiment, &spec).unwrap();
        run.claim().unwrap().commit(&record).unwrap();
    }
    experiment
}

/// `prediction.json` and what was said, of options on the default experiment.
fn predicted(folder: &Path, options: &[&str]) -> (Value, String) {
    let out = modo(folder, &[&["predict", "--json", "--next", "1"], options].concat());
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    (json(&out.stdout), stderr(&out))
}

fn record(spec: &RunSpec, level: f64, rng: &mut impl Rng) -> RunRecord {
    let mut scores = Vec::new();
    for (benchmark, domain) in [("chart", Domain::OutOfDomain), ("science_test", Domain::InDomain)] {
        for decoding in [Decoding::Greedy, Decoding::Sampled] {
            let mean = level + rng.random_range(-0.01..0.01);
            let score = Score { mean, standard_error: 0.04, n_questions: 100, n_completions: 4 };
            scores.push(BenchmarkScore {
                benchmark: benchmark.parse().unwrap(),
                domain,
                part: Part::Selection,
                decoding,
                score,
                format_rate: 0.9,
                lenient_score: score,
                mean_tokens: 20.0,
                outcomes: BTreeMap::new(),
                replaced: 0,
            });
        }
    }
    RunRecord {
        schema: SCHEMA,
        run: spec.id(),
        scores,
        realised: BTreeMap::new(),
        cost: Cost::default(),
        weights_hash: "0".repeat(64),
        version: "0".to_owned(),
    }
}

fn modo(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_modo")).current_dir(folder).args(args).output().unwrap()
}

fn stdout(out: &Output) -> String {
    String::from_utf8(out.stdout.clone()).unwrap()
}

fn stderr(out: &Output) -> String {
    String::from_utf8(out.stderr.clone()).unwrap()
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(bytes)))
}
