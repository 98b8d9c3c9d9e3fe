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
    run::{BenchmarkScore, Cost, Decoding, Domain, Part, RunRecord, RunSpec, SCHEMA},
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
    let experiment = root.join("experiments/quickstart");
    fs::create_dir_all(&experiment).unwrap();
    fs::write(experiment.join("plan.toml"), PLAN).unwrap();
    let plan = Plan::read(&experiment).unwrap();
    let catalog = Catalog::embedded();
    let named = plan.train.iter().chain(&plan.benchmarks);
    let tables: BTreeMap<Name, toml::Table> =
        named.map(|name| (name.clone(), catalog.table(name).unwrap().clone())).collect();
    let name = Plan::experiment_name(&experiment).unwrap();
    let sources = Sources { experiment: &name, base_hash: UNTRAINED, tables: &tables };
    let points = points(&plan, |_, _, _| Ok(Vec::new())).unwrap();
    let mut rng = Seed::new(2).rng();
    for spec in specs(&plan, sources, &points).unwrap() {
        let shares = spec.mixture.shares().map(|(name, share)| (name.to_string(), share)).collect();
        let record = record(&spec, 0.3 + lift(&shares), &mut rng);
        let run = RunFolder::create(&experiment, &spec).unwrap();
        run.claim().unwrap().commit(&record).unwrap();
    }
    experiment
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
