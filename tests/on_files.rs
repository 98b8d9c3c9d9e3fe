//! An experiment on a user's own files, command by command, and what is refused before anything is written.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use image::{ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};

/// A table of the catalogue; `role`: its role, with the dataset it is held out of.
fn table(name: &str, role: &str, file: &str, answer: &str) -> String {
    format!(
        r#"
[{name}]
role        = {role}
format      = "jsonl"
files       = "{file}"
question    = "question"
images      = "image"
answer      = "answer"
answer_type = "{answer}"
verifier    = "{answer}"
reward      = {{ accuracy = 2.0, format = 1.0 }}
prompt      = "{{question}}"
licence     = "CC0-1.0"
where       = "the test writes it"
"#
    )
}

const PLAN: &str = r#"
schema     = 1
base       = "nano"
train      = ["count", "colour"]
benchmarks = ["count_test"]

[algorithm]
name           = "grpo"
group          = 2
max_new_tokens = 8

[budget]
steps            = 1
prompts_per_step = 2

[evaluation]
questions   = 4
completions = 1

[design]
named      = ["uniform", "single"]
replicates = 1

[predictor]
name = "proposer"

[confirm]
seeds       = 1
questions   = 4
completions = 1

[launcher]
name = "local"
"#;

/// A folder with the data, the catalogue and the experiment `mine`.
struct World(tempfile::TempDir);

impl World {
    fn new(plan: &str) -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        for (dataset, part, rows) in [("count", "train", 6), ("count", "test", 16), ("colour", "train", 6)] {
            let folder = world.path(&format!("data/{dataset}"));
            fs::create_dir_all(folder.join("images")).unwrap();
            let mut lines = String::new();
            for row in 0..rows {
                let picture = format!("images/{part}{row}.png");
                let mut drawn = RgbImage::from_pixel(64, 64, Rgb([240, 240, 240]));
                for dot in 0..=row {
                    for (x, y) in (0..9).flat_map(|x| (0..9).map(move |y| (x, y))) {
                        drawn.put_pixel(dot % 4 * 15 + x, dot / 4 * 15 + y, Rgb([200, 30, row as u8 * 10]));
                    }
                }
                drawn.save_with_format(folder.join(&picture), ImageFormat::Png).unwrap();
                let (question, answer) = match dataset {
                    "count" => (format!("How many dots, in {part} {row}?"), (row + 1).to_string()),
                    _ => (format!("Which colour, in {row}?"), "red".to_owned()),
                };
                let line = json!({"image": picture, "question": question, "answer": answer});
                lines.extend([line.to_string(), "\n".to_owned()]);
            }
            fs::write(folder.join(format!("{part}.jsonl")), lines).unwrap();
        }
        fs::create_dir(world.path("mine")).unwrap();
        fs::write(world.path("mine/plan.toml"), plan).unwrap();
        let catalogue = [
            table("count", "\"train\"", "count/train.jsonl", "number"),
            table("colour", "\"train\"", "colour/train.jsonl", "text"),
            table("count_test", "\"in_domain\"\nof = \"count\"", "count/test.jsonl", "number"),
        ];
        fs::write(world.path("datasets.toml"), catalogue.concat()).unwrap();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn modo(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_modo"));
        command.current_dir(self.0.path()).env("MODO_DATA_ROOT", self.path("data"));
        command.env("MODO_CACHE", self.path("cache")).args(args).output().unwrap()
    }

    fn done(&self, args: &[&str]) -> String {
        let out = self.modo(args);
        assert_eq!(out.status.code(), Some(0), "{args:?}: {}", stderr(&out));
        String::from_utf8(out.stdout).unwrap()
    }
}

fn stderr(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn every_command_of_the_loop_works_on_own_files() {
    let world = World::new(PLAN);
    let planned: Value =
        serde_json::from_str(&world.done(&["sweep", "mine", "--dry-run", "--json"])).unwrap();
    assert_eq!((planned["missing"].as_u64(), planned["runs"].as_array().unwrap().len()), (Some(3), 3));
    let cost = |key: &str| planned[key].as_f64().unwrap();
    assert!(cost("cpu_s") > 0.0 && cost("wall_s") > 0.0, "a run was tried for what they cost: {planned}");
    let untried = world.done(&["sweep", "mine", "--dry-run", "--no-trial"]);
    assert!(untried.contains("what they cost is known when the first is done"), "{untried}");
    assert!(!world.path("mine/runs").exists(), "a dry run writes nothing");
    assert_eq!(world.done(&["status", "mine"]), "No run yet; `modo sweep mine` does them.\n");

    world.done(&["sweep", "mine"]);
    // Indexes are everybody's, features of pictures the experiment's.
    assert!(world.path("cache/rows").is_dir() && !world.path("mine/cache/rows").exists());
    assert!(world.path("mine/cache").is_dir());
    let status = world.done(&["status", "mine", "--json"]);
    assert_eq!(status.lines().count(), 3);
    assert!(status.lines().all(|line| line.contains("\"status\":\"done\"")), "{status}");

    // A damaged result is that run's trouble alone.
    let runs: Vec<PathBuf> =
        fs::read_dir(world.path("mine/runs")).unwrap().map(|run| run.unwrap().path()).collect();
    let whole = fs::read(runs[0].join("result.json")).unwrap();
    fs::write(runs[0].join("result.json"), "").unwrap();
    assert_eq!(world.done(&["status", "mine", "--json"]).lines().count(), 2);
    world.done(&["sweep", "mine", "--dry-run"]);
    fs::write(runs[0].join("result.json"), whole).unwrap();

    world.done(&["predict", "mine", "--out", "mixtures/best.json"]);
    // Three mixtures of one run each, four questions: nothing can be told, and the file and the training say so.
    let best = read(&world.path("mixtures/best.json"));
    let note = best["note"].as_str().unwrap();
    assert_eq!(best["shares"], json!({"colour": 0.5, "count": 0.5}), "{note}");
    let by_path = world.modo(&["train", "--mixture", "mixtures/best.json", "--experiment", "mine", "--json"]);
    assert_eq!(by_path.status.code(), Some(0), "{}", stderr(&by_path));
    assert!(stderr(&by_path).contains(note), "{}", stderr(&by_path));
    let record: Value = serde_json::from_slice(&by_path.stdout).unwrap();
    assert_eq!(record["scores"][0]["part"], "report");
    let by_name = world.modo(&["train", "--mixture", "best", "--experiment", "mine", "--json"]);
    assert!(stderr(&by_name).contains("done already"), "{}", stderr(&by_name));
    assert_eq!(serde_json::from_slice::<Value>(&by_name.stdout).unwrap(), record);

    let model = format!("mine/models/{}", record["run"].as_str().unwrap());
    let scores =
        world.done(&["eval", "--model", &model, "--experiment", "mine", "--part", "report", "--json"]);
    assert!(scores.contains("count_test"), "{scores}");
    world.done(&["report", "mine"]);
    let page = fs::read_to_string(world.path("mine/report.html")).unwrap();
    assert!(page.contains("count_test") && page.contains("single_colour"));
}

#[test]
fn without_a_cache_no_run_keeps_anything_for_later() {
    let world = World::new(PLAN);
    world.done(&["sweep", "mine", "--no-cache"]);
    assert!(!world.path("cache").exists() && !world.path("mine/cache").exists());
}

#[test]
fn shares_of_tokens_become_those_of_groups_before_a_run_and_changes_come_inside_it() {
    let world = World::new(PLAN);
    let tokens =
        ["train", "--experiment", "mine", "--mixture", "count=0.5,colour=0.5", "--unit", "tokens", "--json"];
    let out = world.modo(&tokens);
    assert_eq!(out.status.code(), Some(2));
    let expected = "error: the mean length of `colour` in tokens is not known\n\
                    hint: `modo data check NAME --model MODEL` measures it\n";
    assert_eq!(stderr(&out), expected);
    world.done(&["data", "check", "count", "colour", "--model", "nano"]);
    let run: Value = serde_json::from_str(&world.done(&tokens)).unwrap();
    let spec = read(&world.path(&format!("mine/runs/{}/spec.json", run["run"].as_str().unwrap())));
    let summary = ["draw", "--mixture", "count=0.5,colour=0.5", "--count", "10", "--summary", "--json"];
    let planned = |more: &[&str]| -> Value {
        let summary: Value = serde_json::from_str(&world.done(&[&summary, more].concat())).unwrap();
        let rows = summary["rows"].as_array().unwrap().clone();
        let parts = |row: &Value| {
            assert!(row["pixels"].as_f64().unwrap() > 0.0, "{row}");
            let parts = (row["planned_share"].as_f64().unwrap() * 1e6).round() as u64;
            (row["dataset"].as_str().unwrap().to_owned(), json!(parts))
        };
        Value::Object(rows.iter().map(parts).collect())
    };
    assert_eq!(spec["mixture"], planned(&["--unit", "tokens", "--model", "nano"]));
    assert_eq!(spec["mixture"], planned(&["--unit", "tokens", "--experiment", "mine"]));
    // The questions of the two are not of one length.
    assert_ne!(spec["mixture"], planned(&[]));
    let out = world.modo(&[&summary[..], &["--unit", "tokens"]].concat());
    assert!(stderr(&out).contains("tokens are those of a model, and none is named"), "{}", stderr(&out));

    for (change, expected) in [
        ("1:count=1", "the run has 1 steps, and none comes after step 1\n  in option `--change`"),
        ("0:count=1", "the shares before the first step are those of `--mixture`\n  in option `--change`"),
        ("x:count=1", "`x` is no whole number"),
    ] {
        let out = world.modo(&["train", "--experiment", "mine", "--change", change]);
        assert!(
            out.status.code() == Some(2) && stderr(&out).contains(expected),
            "{change}: {}",
            stderr(&out)
        );
    }
}

/// What is wrong, how it comes about, and what the message names.
type Case<'a> = (&'a str, &'a dyn Fn(&World), &'a str);

#[test]
fn what_every_run_would_stumble_over_is_said_before_the_first() {
    let cases: &[Case] = &[
        ("a file", &|w| fs::remove_file(w.path("data/count/test.jsonl")).unwrap(), "count_test"),
        ("a folder", &|w| fs::remove_dir_all(w.path("data/colour")).unwrap(), "colour"),
        ("a column", &|w| rewrite(w, "data/colour/train.jsonl", "\"question\"", "\"asked\""), "question"),
        ("a gold", &|w| rewrite(w, "data/count/test.jsonl", "\"answer\":\"", "\"answer\":\"?"), "count_test"),
    ];
    for (what, harm, named) in cases {
        for command in [&["sweep", "mine"][..], &["train", "--experiment", "mine", "--mixture", "count=1"]] {
            let world = World::new(PLAN);
            harm(&world);
            let out = world.modo(command);
            let said = stderr(&out);
            assert_eq!(out.status.code(), Some(2), "{what}, {command:?}: {said}");
            assert!(said.contains(named), "{what}: {said}");
            assert!(!world.path("mine/runs").exists(), "{what}: something was begun");
        }
    }
    let world = World::new(PLAN);
    let out = world.modo(&["predict", "mine"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(!world.path("mine/ledger.parquet").exists() && !world.path("mixtures").exists());
}

fn rewrite(world: &World, file: &str, from: &str, to: &str) {
    let path = world.path(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn a_plan_is_refused_for_what_its_runs_or_the_prediction_would_refuse() {
    for (from, to, expected) in [
        ("[\"count_test\"]", "[\"colour\"]", "`colour` is a training dataset"),
        ("[\"count\", \"colour\"]", "[\"count\", \"count_test\"]", "`count_test` is a benchmark"),
        ("\"proposer\"", "\"proposr\"", "no predictor is called `proposr`"),
        ("name = \"proposer\"", "name = \"proposer\"\nnoise = 1", "unknown field `noise`"),
        ("\"local\"", "\"lokal\"", "no launcher is called `lokal`"),
        ("name = \"local\"", "name = \"local\"\nworker = 2", "unknown field `worker`"),
        ("steps            = 1", "steps = 9000000000000", "prompt groups"),
        ("max_new_tokens = 8", "max_new_token = 8", "unknown field `max_new_token`"),
    ] {
        let world = World::new(&PLAN.replace(from, to));
        let out = world.modo(&["sweep", "mine", "--dry-run"]);
        let said = stderr(&out);
        assert_eq!(out.status.code(), Some(2), "{to}: {said}");
        assert!(said.contains(expected) && said.contains("plan.toml"), "{to}: {said}");
    }
}

#[test]
fn the_papers_mixtures_have_their_names_in_every_folder() {
    let empty = tempfile::tempdir().unwrap();
    let draw = |mixture: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_modo"));
        let out =
            command.current_dir(empty.path()).args(["draw", "--count", "6", "--mixture", mixture]).output();
        let out = out.unwrap();
        assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
        String::from_utf8(out.stdout).unwrap()
    };
    assert_eq!(draw("single_science").matches("science").count(), 6);
    assert_eq!(draw("exclude_refer"), draw("detect=.25,geometry=.25,spatial=.25,science=.25"));
}

// ---- Checks of the data ----

#[test]
fn a_data_root_a_folder_or_a_catalogue_that_is_not_there_is_an_error() {
    let world = World::new(PLAN);
    let refused = |args: &[&str], expected: &str| {
        let out = world.modo(args);
        assert_eq!((out.status.code(), stderr(&out)), (Some(2), format!("error: {expected}\n")), "{args:?}");
    };
    let wrong = "there is no folder wrong\n  in the data root\nhint: give the folder with `--data-root`";
    refused(&["data", "check", "--data-root", "wrong"], wrong);
    refused(&["data", "check", "--data-root", "wrong", "count"], wrong);
    fs::create_dir(world.path("bare")).unwrap();
    refused(
        &["data", "check", "--data-root", "bare"],
        "no dataset of the catalogue has files below bare\n  in datasets.toml\nhint: `modo data list` says where to get them; \
         `--data-root` is the folder that they are below",
    );
    fs::write(world.path("empty.toml"), "").unwrap();
    let none = "there is no dataset in it\n  in empty.toml\nhint: `modo data add FOLDER --write` adds one";
    refused(&["data", "check", "--datasets", "empty.toml"], none);
    let no_folder = "there is no folder no/such\n  in option";
    refused(
        &["data", "check", "--exclusions", "no/such/e.txt"],
        &format!("{no_folder} `--exclusions`\nhint: make it first"),
    );
    refused(
        &["data", "add", "data/count", "--write", "--datasets", "no/such/new.toml"],
        &format!("{no_folder} `--datasets`\nhint: make it first"),
    );
    assert!(!world.path("no").exists());
}

#[test]
fn boxes_that_leave_their_picture_and_rows_that_contradict_each_other_are_counted_and_shown() {
    let world = World::new(PLAN);
    let rows = [
        ("Where is one?", json!([1, 2, 30, 40])),
        // Edges counted from 1 are no reason to say anything.
        ("Where is all?", json!([0, 0, 65, 65])),
        ("Where is two?", json!([1, 2, 1_000_000_000, 4])),
        ("Where is one?", json!([1, 2, 30, 40])),
        ("Where is one?", json!([5, 6, 30, 40])),
    ];
    let rows = rows.map(|(question, boxes)| {
        json!({"question": question, "image": "images/train0.png", "answer": boxes}).to_string()
    });
    fs::write(world.path("data/count/boxes.jsonl"), rows.join("\n")).unwrap();
    fs::write(world.path("boxes.toml"), table("boxes", "\"train\"", "count/boxes.jsonl", "boxes")).unwrap();
    let args = ["data", "check", "--datasets", "boxes.toml"];
    let shown = world.done(&args);
    for line in [
        "  boxes             1 row with a box that leaves the picture: is `boxes` of the\n                    table right?",
        "  contradictions    1 row with question and pictures of an earlier one, and\n                    another gold",
        "    boxes/boxes.jsonl:2: the box from (1, 2) to (1000000000, 4) leaves the\n      picture of 64×64 pixels",
        "    boxes/boxes.jsonl:4: `[[5,6,30,40]]`; row 0 has another answer",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    let found: Value = serde_json::from_str(&world.done(&[&args[..], &["--json"]].concat())).unwrap();
    assert_eq!((&found["n_outside"], &found["n_contradicting"]), (&json!(1), &json!(1)));
    assert_eq!((&found["outside"][0]["row"], &found["contradicting"][0]["row"]), (&json!(2), &json!(4)));
}
