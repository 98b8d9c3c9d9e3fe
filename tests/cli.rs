//! The program as people and scripts use it: help, results, errors and exit codes.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;

/// Every command with its place on the command line.
const COMMANDS: [&[&str]; 16] = [
    &["quickstart"],
    &["sweep"],
    &["predict"],
    &["compare"],
    &["propose"],
    &["train"],
    &["eval"],
    &["report"],
    &["status"],
    &["draw"],
    &["data", "list"],
    &["data", "check"],
    &["data", "add"],
    &["generate"],
    &["score"],
    &["list"],
];

/// A dataset of questions without pictures to look at: one row is enough to break.
const TABLE: &str = r#"
[mine]
role        = "train"
format      = "jsonl"
files       = "mine.jsonl"
question    = "q"
images      = "image"
answer      = "a"
answer_type = "number"
verifier    = "number"
prompt      = "{question}"
licence     = "MIT"
where       = "write it yourself"
"#;

#[test]
fn every_command_has_help_with_examples_in_eighty_columns() {
    for command in COMMANDS {
        let out = modo(&[command, &["--help"]].concat());
        let text = stdout(&out);
        assert_eq!(out.status.code(), Some(0));
        assert!(text.contains("Examples:") && text.contains("--data-root"), "{command:?}: {text}");
        let long: Vec<&str> = text.lines().filter(|line| line.chars().count() > 80).collect();
        assert!(long.is_empty(), "{command:?}: {long:?}");
    }
    assert!(stdout(&modo(&["--help"])).contains("Exit codes:"));
}

#[test]
fn unknown_commands_and_options_end_with_two() {
    for args in
        [&["drwa"][..], &["draw", "--cuont", "3"], &["draw", "--mixture", "detect=1", "--count", "-1"]]
    {
        let out = modo(args);
        assert_eq!(out.status.code(), Some(2), "{args:?}");
        assert!(stdout(&out).is_empty() && stderr(&out).starts_with("error: "), "{}", stderr(&out));
    }
}

#[test]
fn draws_are_the_same_wherever_one_starts() {
    let all = draws(&["--count", "50"]);
    assert_eq!(all.len(), 50);
    assert_eq!(all[30..], draws(&["--from", "30", "--count", "20"]));
    let keys: Vec<&String> = all[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["n", "dataset", "row", "pass"]);
    // 0.7 of 50.
    assert_eq!(all.iter().filter(|draw| draw["dataset"] == "detect").count(), 35);
    assert_ne!(all, draws(&["--count", "50", "--seed", "1"]));
}

fn draws(more: &[&str]) -> Vec<Value> {
    let out = modo(&[&["draw", "--mixture", "detect=0.7,refer=0.3", "--json"], more].concat());
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    lines(&out)
}

#[test]
fn a_mixture_is_a_file_a_name_or_shares() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("half.json");
    fs::write(&file, r#"{"schema": 1, "shares": {"detect": 0.7, "refer": 0.3}}"#).unwrap();
    let from = |mixture: &str| stdout(&modo(&["draw", "--mixture", mixture, "--count", "9", "--json"]));
    assert_eq!(from(file.to_str().unwrap()), from("detect=.7,refer=.3"));
    let uniform = "detect=.2,refer=.2,geometry=.2,spatial=.2,science=.2";
    assert_eq!(from("uniform"), from(uniform));
    assert_eq!(from("uniform.json"), from(uniform));
}

#[test]
fn the_summary_has_planned_and_realised_shares() {
    let out = modo(&["draw", "--mixture", "detect=0.7,refer=0.3", "--count", "1000", "--summary", "--json"]);
    let summary = &lines(&out)[0];
    assert_eq!(summary["rows"][0]["dataset"], "detect");
    assert_eq!(summary["rows"][0]["groups"], 700);
    assert!(summary["largest_deviation"].as_f64().unwrap() < 1.0);
}

#[test]
fn changes_and_limits_are_recorded_and_ranks_share_the_draws() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("record.json");
    let more = ["--count", "40", "--change", "20:detect=0.1,refer=0.9", "--record", record.to_str().unwrap()];
    let all = draws(&more);
    assert_eq!(all[..20], draws(&["--count", "20"]));
    assert_eq!(all[20..].iter().filter(|draw| draw["dataset"] == "refer").count(), 18);
    let record: Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    let segments = record["segments"].as_array().unwrap();
    assert_eq!((segments.len(), segments[1]["start"].as_u64()), (2, Some(20)));
    assert_eq!(segments[1]["previous"], segments[0]["hash"]);
    assert_eq!(segments[1]["counts_at_start"]["detect"], 14);
    let ranks: Vec<Value> = (0..3)
        .flat_map(|rank| draws(&["--count", "40", "--ranks", "3", "--rank", &rank.to_string()]))
        .collect();
    assert_eq!(ranks.len(), 40);
    // Half a pass over 20000 rows is reached after 10000 draws of its own, 14285 in all.
    let out = modo(&[
        "draw",
        "--mixture",
        "detect=0.7,refer=0.3",
        "--limit",
        "detect=0.5:hand_to=refer",
        "--count",
        "20000",
        "--summary",
        "--json",
    ]);
    let summary = &lines(&out)[0];
    assert_eq!(
        (&summary["rows"][0]["groups"], &summary["segments"].as_array().unwrap().len()),
        (&Value::from(10_000), &1)
    );
    for (option, expected) in [
        (["--limit", "detect=2:go"], "`2:go` is no limit"),
        (["--limit", "detect=1:hand_to=chart"], "a limit names the dataset `chart`"),
        (["--change", "0:refer=1"], "a change at draw 0 does not come after the one at draw 0"),
    ] {
        check_refusal(
            &modo(&[&["draw", "--mixture", "detect=0.7,refer=0.3", "--count", "3"], &option[..]].concat()),
            expected,
        );
    }
}

#[test]
fn mixtures_that_are_none_are_refused_with_place_and_hint() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    for (mixture, what) in [
        ("detct=1".to_owned(), "the mixture names the dataset `detct`, which there is not"),
        ("detect=.5,refer=.47".to_owned(), "the shares sum to 0.9700, not to 1"),
        ("chart=1".to_owned(), "which is a benchmark"),
        ("nowhere".to_owned(), "there is no mixture `nowhere`"),
        (file("a.json", r#"{"schema": 1, "shares": {"detct": 1}}"#), "names the dataset `detct`"),
        (file("b.json", r#"{"schema": 1, "shares": {"detect": 0.97}}"#), "sum to 0.9700"),
        (file("c.json", "shares"), "expected value at line 1"),
    ] {
        let out = modo(&["draw", "--mixture", &mixture, "--count", "5"]);
        check_refusal(&out, what);
        assert!(stderr(&out).contains("\n  in "), "{}", stderr(&out));
    }
}

#[test]
fn a_dataset_without_its_files_is_refused_with_where_to_get_them() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    let out = modo(&["draw", "--mixture", "lisa=1", "--count", "1", "--data-root", root]);
    check_refusal(&out, "no file matches `lisa/*.parquet`");
    assert!(stderr(&out).contains("hint: "), "{}", stderr(&out));
}

#[test]
fn a_broken_catalogue_names_its_line_and_key() {
    check_catalogue(&TABLE.replace("licence", "license"), "unknown key `license`");
    check_catalogue(&TABLE.replace("\"number\"\nverifier", "\"numbr\"\nverifier"), "unknown variant `numbr`");
    check_catalogue("[mine", "no valid TOML");
    check_catalogue(&TABLE.replace("\"jsonl\"", "\"xlsx\""), "no dataset format is called `xlsx`");
}

fn check_catalogue(text: &str, what: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    fs::write(&file, text).unwrap();
    let out = modo(&["data", "list", "--datasets", file.to_str().unwrap()]);
    check_refusal(&out, what);
    assert!(stderr(&out).contains("mine.toml, line "), "{}", stderr(&out));
}

#[test]
fn bad_rows_are_named_with_file_row_and_reason() {
    let good = r#"{"q": "How many?", "image": "ok.png", "a": "4"}"#;
    check_row(good, None);
    check_row(r#"{"q": "How many?", "image": "ok.png"}"#, Some("`a`"));
    check_row(r#"{"q": "How many?", "image": "ok.png", "a": "many"}"#, Some("many"));
    check_row(r#"{"q": "How many?", "image": "broken.png", "a": "4"}"#, Some("picture"));
    check_row(r#"{"q": "How many?", "image": "none.png", "a": "4"}"#, Some("none.png"));
    check_row(r#"{"q": "How many?", "image": "../ok.png", "a": "4"}"#, Some("leads out"));
}

/// `data check` of a good row and `row`; `expected`: what it says about `row`, if that is bad.
fn check_row(row: &str, expected: Option<&str>) {
    let folder = tempfile::tempdir().unwrap();
    let catalogue = dataset(folder.path(), row);
    let args =
        ["data", "check", "--data-root", folder.path().to_str().unwrap(), "--datasets", &catalogue, "mine"];
    let out = modo(&args);
    let found = &lines(&modo(&[&args[..], &["--json"]].concat()))[0];
    assert_eq!(found["rows"], 2, "{found}");
    // A bad row is listed and another drawn in its place; only who asks for it is told that this is a failure.
    assert_eq!((out.status.code(), &found["ok"]), (Some(0), &Value::Bool(true)), "{found}");
    let Some(expected) = expected else { return };
    let bad = &found["bad"][0];
    assert!(bad["place"].as_str().unwrap().contains("mine.jsonl, line 2"), "{bad}");
    assert!(bad.to_string().contains(expected), "{bad}");
    assert!(stdout(&out).contains("mine.jsonl, line 2"), "{}", stdout(&out));
    let unusable = "unusable          1 row, 50.0 %; others are drawn in their place";
    assert!(stdout(&out).contains(unusable), "{}", stdout(&out));
    for (share, code) in [("0.5", 0), ("0.4", 2)] {
        let out = modo(&[&args[..], &["--tolerate", share]].concat());
        assert_eq!(out.status.code(), Some(code), "{share}");
        let fails = "error: a dataset fails its check: `mine`";
        assert_eq!(stderr(&out).contains(fails), code == 2, "{}", stderr(&out));
    }
}

#[test]
fn too_many_bad_rows_are_listed_by_a_check_and_tolerate_overrides_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let catalogue = dataset(folder.path(), r#"{"q": "How many?", "image": "none.png", "a": "4"}"#);
    fs::write(&catalogue, format!("{TABLE}max_bad = 0\n")).unwrap();
    let root = folder.path().to_str().unwrap();
    let args = ["data", "check", "--data-root", root, "--datasets", &catalogue, "mine"];
    let out = modo(&args);
    assert_eq!(out.status.code(), Some(2), "{}", stderr(&out));
    assert!(stdout(&out).contains("mine.jsonl, line 2"), "{}", stdout(&out));
    let out = modo(&[&args[..], &["--tolerate", "0.5"]].concat());
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
}

#[test]
fn a_catalogue_that_data_add_begins_holds_the_embedded_datasets_too() {
    let folder = tempfile::tempdir().unwrap();
    dataset(folder.path(), r#"{"q": "?", "image": "ok.png", "a": 4}"#);
    let rows = r#"{"question": "How many?", "image": "ok.png", "answer": 4}"#;
    fs::write(folder.path().join("mine.jsonl"), format!("{rows}\n{rows}\n")).unwrap();
    let here = |args: &[&str]| {
        let out = Command::new(env!("CARGO_BIN_EXE_modo"))
            .args(args)
            .args(["--no-cache", "--data-root", "."])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
        stdout(&out)
    };
    here(&["data", "add", "mine.jsonl", "--write"]);
    let listed = here(&["data", "list", "--json"]);
    assert!(listed.contains("\"mine\"") && listed.contains("\"detect\""), "{listed}");
    // With a file of its own there are the new tables alone.
    here(&["data", "add", "mine.jsonl", "--write", "--datasets", "own.toml"]);
    assert!(fs::read_to_string(folder.path().join("own.toml")).unwrap().trim().starts_with("[mine]"));
}

/// Writes the dataset `mine` of one good row and `row`, and its catalogue; returns the catalogue's path.
fn dataset(folder: &Path, row: &str) -> String {
    image::RgbImage::new(8, 8).save(folder.join("ok.png")).unwrap();
    fs::write(folder.join("broken.png"), &fs::read(folder.join("ok.png")).unwrap()[..40]).unwrap();
    fs::write(
        folder.join("mine.jsonl"),
        format!("{{\"q\": \"?\", \"image\": \"ok.png\", \"a\": 2}}\n{row}\n"),
    )
    .unwrap();
    let catalogue = folder.join("mine.toml");
    fs::write(&catalogue, TABLE).unwrap();
    catalogue.to_str().unwrap().to_owned()
}

#[test]
fn pictures_in_two_datasets_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let catalogue = dataset(folder.path(), r#"{"q": "?", "image": "ok.png", "a": 4}"#);
    let benchmark = TABLE.replace("[mine]", "[exam]").replace("\"train\"", "\"out_of_domain\"");
    fs::write(&catalogue, format!("{TABLE}{benchmark}")).unwrap();
    let out = modo(&[
        "data",
        "check",
        "--data-root",
        folder.path().to_str().unwrap(),
        "--datasets",
        &catalogue,
        "--json",
    ]);
    // Both have both rows.
    assert_eq!(lines(&out)[1]["shared"]["exam"]["same_row"], 2, "{}", stdout(&out));
    let warning = "warning: 2 rows of `mine`, which is trained on, show pictures of the benchmark `exam`";
    assert!(stderr(&out).contains(warning), "{}", stderr(&out));
    // Names that would not fit beside each other are whole.
    let [one, other] = ["a_name_of_twenty_six_signs", "another_name_of_27_letters1"];
    let tables =
        [TABLE.replace("[mine]", &format!("[{one}]")), benchmark.replace("[exam]", &format!("[{other}]"))];
    fs::write(&catalogue, tables.concat()).unwrap();
    let root = folder.path().to_str().unwrap();
    let out = stdout(&modo(&["data", "check", "--data-root", root, "--datasets", &catalogue]));
    let (_, table) = out.split_once("question alone:\n").unwrap();
    let words: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(words.contains(&vec![one]) && words.contains(&vec![other, "2", "–", "–", "–", "–"]), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
}

#[test]
#[expect(clippy::print_stdout, reason = "a skipped test says why")]
fn pictures_of_the_real_slices_are_shared_where_they_are_and_nowhere_else() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/real");
    if !root.is_dir() {
        println!("skipped: there is no {}", root.display());
        return;
    }
    let check = |names: &[&str]| {
        let cache = tempfile::tempdir().unwrap();
        let mut args =
            vec!["data", "check", "--rows", "40", "--json", "--cache", cache.path().to_str().unwrap()];
        args.extend(["--data-root", root.to_str().unwrap()]);
        args.extend(names);
        lines(&modo(&args))
    };
    let both = check(&["bccd_count", "bccd_detect"]);
    let shown = |check: &Value, with: &str| -> u64 {
        ["same_row", "same_picture_and_question", "same_picture", "near_picture"]
            .iter()
            .map(|level| check["shared"][with][level].as_u64().unwrap_or(0))
            .sum()
    };
    assert!(shown(&both[0], "bccd_detect") > 0 && shown(&both[1], "bccd_count") > 0, "{both:?}");
    let others = ["nlvr", "tabmwp", "mathv"];
    let checks = check(&others);
    for (check, with) in checks.iter().flat_map(|check| others.map(|with| (check, with))) {
        if check["dataset"] != with {
            assert_eq!(shown(check, with), 0, "{} and {with}", check["dataset"]);
        }
    }
}

#[test]
fn control_characters_of_data_do_not_reach_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let catalogue = dataset(folder.path(), r#"{"q": "?", "image": "\u001b[2Jx.png", "a": 4}"#);
    let root = folder.path().to_str().unwrap();
    let out = modo(&["data", "check", "--data-root", root, "--datasets", &catalogue]);
    assert!(!stdout(&out).contains('\x1b') && !stderr(&out).contains('\x1b'), "{}", stdout(&out));
}

#[test]
fn a_sheet_per_dataset_shows_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let out_folder = folder.path().join("sheets");
    let sheets = out_folder.to_str().unwrap();
    let out = modo(&["data", "list", "detect", "chart", "--show", "5", "--out", sheets]);
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    for name in ["detect.png", "chart.png"] {
        // Five cells beside each other, each with room for text.
        assert!(image::open(out_folder.join(name)).unwrap().width() > 5 * 280, "{name}");
    }
}

#[test]
fn tables_fit_eighty_columns_and_json_has_every_dataset() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    let out = modo(&["data", "list", "--data-root", root]);
    let table = stdout(&out);
    let table = table.split("\nmissing below").next().unwrap();
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    let datasets = lines(&modo(&["data", "list", "--json", "--data-root", root]));
    let lisa = datasets.iter().find(|one| one["name"] == "lisa").unwrap();
    assert!(lisa["rows"].is_null() && lisa["where"].is_string() && lisa["role"] == "train", "{lisa}");
    let detect = datasets.iter().find(|one| one["name"] == "detect").unwrap();
    assert_eq!((detect["rows"].as_u64(), detect["verifier"].as_str()), (Some(20000), Some("boxes")));
}

#[test]
fn everything_that_has_a_name_is_listed() {
    let all = lines(&modo(&["list", "--json"]));
    for (kind, name) in [
        ("verifiers", "anls"),
        ("rewards", "overlong"),
        ("tasks", "detect"),
        ("kl", "k3"),
        ("algorithms", "grpo"),
    ] {
        assert!(all.iter().any(|one| one["kind"] == kind && one["name"] == name), "{kind} {name}");
    }
    let verifiers = String::from_utf8(modo(&["list", "verifiers"]).stdout).unwrap();
    for part in [
        "format:",
        "overlong, a part",
        "as a filter",
        "length, a part",
        "repetition, a part",
        "language, a part",
    ] {
        assert!(verifiers.contains(part), "{part}");
    }
    check_refusal(&modo(&["list", "verifers"]), "nothing is listed as `verifers`");
}

#[test]
fn lines_are_scored_in_order_and_bad_ones_answered_with_their_number() {
    let input = [
        r#"{"id": "a", "type": "number", "gold": 12, "completion": "<think>3·4</think><answer>12</answer>", "x": 1}"#,
        "no JSON",
        r#"{"id": 2, "type": "choice", "gold": "B", "completion": "<think>B</think><answer>A</answer>"}"#,
        r#"{"id": 3, "type": "choice", "gold": "B", "completion": "B"}"#,
        r#"{"id": 4, "type": "text", "gold": [], "completion": "x"}"#,
        r#"{"id": 5, "type": "boxes", "gold": [[0,0,10,10]], "completion": "<think></think><answer>[0,0,10,10]</answer>"}"#,
    ]
    .join("\n");
    let out = fed(&["score", "--profile", "strict"], input.as_bytes());
    assert_eq!(out.status.code(), Some(0), "{}", stderr(&out));
    let answers = lines(&out);
    let of = |i: usize| (answers[i]["score"].as_f64().unwrap(), answers[i]["reason"].as_str().unwrap());
    assert_eq!(answers[0]["id"], "a");
    assert_eq!(of(0), (1.0, "right"));
    assert_eq!((answers[1]["line"].as_u64(), answers[1]["error"].is_string()), (Some(2), true));
    assert_eq!(of(2), (0.0, "wrong"));
    // The answer is right, and the reward asks for the format.
    assert_eq!((of(3), answers[3]["format"].as_bool()), ((1.0, "right"), Some(false)));
    assert_eq!((answers[3]["reward"].as_f64(), answers[3]["region"].as_str()), (Some(0.0), Some("whole")));
    assert_eq!(
        (&answers[4]["id"], &answers[4]["error"]),
        (&Value::from(4), &Value::from("the gold is empty"))
    );
    assert_eq!(of(5), (1.0, "right"));
    check_refusal(&fed(&["score", "--profile", "mathverify"], b""), "no profile is called `mathverify`");
}

#[test]
fn other_scorers_are_reproduced_by_name() {
    let line = r#"{"gold": "3", "completion": "<think>\\boxed{3}</think> not sure"}"#;
    for (profile, score, reward) in
        [("mathruler", 1.0, None), ("geo3k", 1.0, Some(0.9)), ("dapo", 1.0, Some(1.0)), ("gsm8k", 0.0, None)]
    {
        let answers = lines(&fed(&["score", "--profile", profile], line.as_bytes()));
        assert_eq!(
            (answers[0]["score"].as_f64(), answers[0]["reward"].as_f64()),
            (Some(score), reward),
            "{profile}"
        );
    }
    // TRL skips a row whose gold it cannot read.
    let skipped = lines(&fed(&["score", "--profile", "trl"], br#"{"gold": "A", "completion": "A"}"#));
    assert!(skipped[0]["score"].is_null(), "{}", skipped[0]);
}

#[test]
fn a_line_may_name_its_dataset() {
    let input = concat!(
        r#"{"dataset": "geometry", "gold": "B", "completion": "<think></think><answer>(B)</answer>"}"#,
        "\n",
        r#"{"dataset": "nowhere", "gold": "B", "completion": "B"}"#
    );
    let answers = lines(&fed(&["score", "--stdio"], input.as_bytes()));
    assert_eq!((answers[0]["score"].as_f64(), answers[0]["reward"].as_f64()), (Some(1.0), Some(3.0)));
    assert_eq!(answers[1]["error"], "no dataset is called `nowhere`");
}

#[test]
fn what_was_compared_can_be_read_by_people() {
    let line = r#"{"type": "expression", "gold": "1/2", "completion": "So \\boxed{0.50}."}"#;
    let text = String::from_utf8(fed(&["score", "--explain"], line.as_bytes()).stdout).unwrap();
    for expected in
        ["line 1: score 1, right", "`0.50` in the last box", "format     not kept", "reward     0 of 3"]
    {
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn any_bytes_are_answered() {
    let out = fed(&["score"], b"\xff\xfe\0\n[[[[\n{}\n\n{\"type\":1}");
    assert_eq!(out.status.code(), Some(0));
    assert_eq!(lines(&out).iter().map(|one| one["line"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3, 5]);
}

#[test]
fn a_line_is_answered_before_the_next_one_comes() {
    let mut child = command(&["score"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut input = child.stdin.take().unwrap();
    for id in 0..3 {
        writeln!(input, r#"{{"id": {id}, "type": "number", "gold": 1, "completion": ""}}"#).unwrap();
        let answer: Value = serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap();
        assert_eq!(answer["id"], id);
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

/// What another program's client does: a length, an object; a length, an answer.
struct Client {
    child: std::process::Child,
    input: std::process::ChildStdin,
    output: std::process::ChildStdout,
}

impl Client {
    fn start() -> Self {
        let mut command = command(&["score", "--stdio=frames"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, input, output }
    }

    fn send(&mut self, request: &[u8]) {
        self.input.write_all(&u32::try_from(request.len()).unwrap().to_be_bytes()).unwrap();
        self.input.write_all(request).unwrap();
    }

    fn receive(&mut self) -> Value {
        let mut length = [0; 4];
        self.output.read_exact(&mut length).unwrap();
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        self.output.read_exact(&mut answer).unwrap();
        serde_json::from_slice(&answer).unwrap()
    }
}

#[test]
fn frames_are_answered_in_order_and_bad_ones_with_their_number() {
    let mut client = Client::start();
    // One by one, with line breaks inside of an object.
    for id in 0..3 {
        client.send(
            format!("{{\n\"id\": {id},\n\"type\": \"number\", \"gold\": 1, \"completion\": \"1\"}}")
                .as_bytes(),
        );
        let answer = client.receive();
        assert_eq!((&answer["id"], answer["score"].as_f64()), (&Value::from(id), Some(1.0)));
    }
    // Several at once, some of them bad.
    client.send(b"");
    client.send(b"no JSON");
    client.send(br#"{"id": "x", "type": "number", "completion": "1"}"#);
    client.send(br#"{"id": 7, "type": "choice", "gold": "B", "completion": "C"}"#);
    for number in [4, 5] {
        let answer = client.receive();
        assert_eq!((answer["line"].as_u64(), answer["error"].is_string()), (Some(number), true), "{answer}");
    }
    let answer = client.receive();
    assert_eq!((&answer["id"], answer["line"].as_u64()), (&Value::from("x"), Some(6)));
    assert!(answer["error"].as_str().unwrap().contains("gold"), "{answer}");
    assert_eq!(client.receive()["reason"], "wrong");
    // Half a frame, and then nothing more.
    client.input.write_all(&[0, 0, 0, 9, b'{']).unwrap();
    let Client { mut child, input, mut output } = client;
    drop(input);
    let mut rest = Vec::new();
    output.read_to_end(&mut rest).unwrap();
    assert!(String::from_utf8_lossy(&rest).contains("the input ends inside of the frame"));
    assert!(child.wait().unwrap().success());
}

#[test]
fn long_streams_are_scored_in_order_in_bounded_memory() {
    const LINES: usize = 40_000;
    let mut child =
        command(&["score", "--stdio"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let reasoning = "the red bar is higher ".repeat(200);
    let writer = std::thread::spawn(move || {
        for id in 0..LINES {
            let bad = id % 1000 == 999;
            let end = if bad { "" } else { "}" };
            writeln!(input, r#"{{"id": {id}, "type": "number", "gold": {id}, "completion": "<think>{reasoning}</think><answer>{id}</answer>"{end}"#).unwrap();
        }
        input
    });
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    for id in 0..LINES {
        let answer: Value = serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap();
        if id % 1000 == 999 {
            assert_eq!(answer["line"].as_u64(), Some(id as u64 + 1), "{answer}");
        } else {
            assert_eq!((answer["id"].as_u64(), answer["reward"].as_f64()), (Some(id as u64), Some(3.0)));
        }
    }
    // 180 MB have gone through.
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 120 * 1024, "{peak} kB");
    drop(writer.join().unwrap());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_scorer_ends_when_it_is_interrupted_or_nobody_reads() {
    let line = br#"{"id": 1, "type": "number", "gold": 1, "completion": "1"}
"#;
    for (args, code) in [(&["score"][..], 1), (&["score", "--stdio"], 0)] {
        let mut child = command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(line).unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(answers.next().unwrap().unwrap().contains("\"score\":1.0"));
        let process = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
        nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGINT).unwrap();
        let out = child.wait_with_output().unwrap();
        assert_eq!(out.status.code(), Some(code), "{}", stderr(&out));
        assert_eq!(stderr(&out).contains("the lines up to 1 are answered"), code == 1, "{}", stderr(&out));
        drop(input);
    }
    let mut child = command(&["score"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    drop(child.stdout.take());
    while input.write_all(line).is_ok() {}
    let out = child.wait_with_output().unwrap();
    assert_eq!((out.status.code(), stderr(&out).as_str()), (Some(0), ""));
}

#[test]
fn a_reader_that_has_enough_ends_a_command_quietly() {
    let mut child = command(&["draw", "--mixture", "detect=1", "--count", "1000000000000", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with("{\"n\":0,"), "{first}");
    // Its reader is gone now.
    let out = child.wait_with_output().unwrap();
    assert_eq!((out.status.code(), stderr(&out)), (Some(0), String::new()));
}

#[test]
fn a_completion_is_that_of_the_reference_implementation() {
    let fixtures = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/parity/fixtures"));
    let recorded: Value = serde_json::from_slice(&fs::read(fixtures.join("v5.json")).unwrap()).unwrap();
    for (name, case) in recorded["cases"].as_object().unwrap() {
        let (model, question) = (fixtures.join("v5"), case["question"].as_str().unwrap());
        let pictures = case["pictures"].as_array().unwrap();
        let pictures: Vec<PathBuf> =
            pictures.iter().map(|p| fixtures.join("pictures").join(p.as_str().unwrap())).collect();
        let mut args = vec!["generate", "--model", model.to_str().unwrap(), "--prompt", question];
        args.extend(["--max-new-tokens", "16", "--greedy", "--json"]);
        for picture in &pictures {
            args.extend(["--image", picture.to_str().unwrap()]);
        }
        let completion = &lines(&modo(&args))[0];
        assert_eq!(completion["prompt_tokens"], case["token_ids"], "{name}");
        assert_eq!(completion["tokens"], case["greedy_tokens"], "{name}");
        assert_eq!(completion["text"], case["greedy_text"], "{name}");
        let both = completion["logprobs"]
            .as_array()
            .unwrap()
            .iter()
            .zip(case["greedy_logprobs"].as_array().unwrap());
        for (own, theirs) in both {
            assert!(
                (own.as_f64().unwrap() - theirs.as_f64().unwrap()).abs() < 1e-3,
                "{name}: {own}, {theirs}"
            );
        }
    }
}

#[test]
fn what_generate_cannot_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.png");
    fs::write(&broken, b"no picture").unwrap();
    let run = |more: &[&str]| {
        modo(&[&["generate", "--prompt", "x", "--max-new-tokens", "3", "--model"], more].concat())
    };
    check_refusal(&run(&["/nowhere"]), "there is no checkpoint folder `/nowhere`");
    check_refusal(&run(&[folder.path().to_str().unwrap()]), "config.json");
    check_refusal(&run(&["/nowhere", "--image", broken.to_str().unwrap()]), "no known picture format");
    assert_eq!(run(&["/nowhere", "--greedy", "--top-p", "0.5"]).status.code(), Some(2));
    assert_eq!(run(&["/nowhere", "--temperature", "-1"]).status.code(), Some(2));
}

#[cfg(not(feature = "gpu"))]
#[test]
fn a_build_without_graphics_cards_says_how_to_get_one_with() {
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/parity/fixtures/v5");
    let out =
        modo(&["generate", "--model", model, "--prompt", "x", "--max-new-tokens", "1", "--device", "gpu"]);
    check_refusal(&out, "this build of modo cannot use a graphics card");
    assert!(stderr(&out).contains("--features gpu"), "{}", stderr(&out));
}

/// Exit code 2, the reason on standard error in the form of all errors, nothing on standard output.
fn check_refusal(out: &Output, what: &str) {
    let text = stderr(out);
    assert_eq!(out.status.code(), Some(2), "{text}");
    assert!(text.starts_with("error: ") && text.contains(what), "{text}");
    assert!(stdout(out).is_empty(), "{}", stdout(out));
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_modo"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("MODO_DATA_ROOT").args(args);
    // Indexes and reports of earlier tests in a folder of their own, not in the user's.
    command.env("MODO_CACHE", env!("CARGO_TARGET_TMPDIR"));
    command
}

fn modo(args: &[&str]) -> Output {
    fed(args, b"")
}

fn fed(args: &[&str], input: &[u8]) -> Output {
    let mut command = command(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that refuses its options reads nothing.
    _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn stdout(out: &Output) -> String {
    String::from_utf8(out.stdout.clone()).unwrap()
}

fn stderr(out: &Output) -> String {
    String::from_utf8(out.stderr.clone()).unwrap()
}

fn lines(out: &Output) -> Vec<Value> {
    stdout(out).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
