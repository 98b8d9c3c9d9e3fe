//! `modo predict` on tables as bad as they come: every case has the exact message, or a sound result.

use std::{fmt::Write as _, fs, path::Path, process::Command};

use modo::seed::Seed;
use rand::Rng;
use serde_json::Value;

/// What a bad table must lead to.
enum Then {
    /// Exit code 2, nothing written, and exactly this on standard error.
    Says(&'static str),
    /// Exit code 0 and finite numbers; no signal, with uniform shares kept.
    NoSignal,
    /// Exit code 0, finite numbers, these words on standard error.
    Sound(&'static str),
}

#[test]
fn every_bad_table_has_its_message_or_a_sound_result() {
    use Then::{NoSignal, Says, Sound};
    let (good_a, good_b) = table(3, 30, |w| 1.0 + w[0].sqrt());
    let (wide_a, wide_b) = table(300, 40, |w| 1.0 + w[0].sqrt());
    let rows = |mixture: &str, n: usize| -> String {
        (0..n).fold("id,a,b\n".to_owned(), |text, i| format!("{text}r{i},{mixture}\n"))
    };
    let scores = |score: &dyn Fn(usize) -> String, n: usize| -> String {
        (0..n).fold("id,s\n".to_owned(), |text, i| format!("{text}r{i},{}\n", score(i)))
    };
    let constant = scores(&|_| "0.5".to_owned(), 30);
    let percent: String = map_cells(&good_a, |cell| (100.0 * cell).to_string());
    let broken = |cell: &str| {
        good_b
            .lines()
            .map(|line| if line.starts_with("r7,") { format!("r7,{cell}\n") } else { format!("{line}\n") })
            .collect::<String>()
    };
    let in_mixture = |cells: &str| {
        good_a
            .lines()
            .map(|line| if line.starts_with("r7,") { format!("r7,{cells}\n") } else { format!("{line}\n") })
            .collect::<String>()
    };
    let point = "min = { a = 0.5, b = 0.3, c = 0.2 }\n";
    let cases: Vec<(&str, String, String, &str, Then)> = vec![
        ("one row", "id,a,b\nr0,0.5,0.5\n".into(), "id,s\nr0,1\n".into(), "", Says(ONE_ROW)),
        (
            "all rows the same mixture",
            rows("0.5,0.5", 10),
            scores(&|i| i.to_string(), 10),
            "",
            Says(SAME_MIXTURE),
        ),
        ("a constant score", good_a.clone(), constant, "", NoSignal),
        ("not a number", good_a.clone(), broken("NaN"), "", Says(NOT_A_NUMBER)),
        ("infinite", good_a.clone(), broken("inf"), "", Says(INFINITE)),
        ("larger than can be squared", good_a.clone(), broken("1e308"), "", Says(HUGE)),
        (
            "two columns of a name",
            good_a.replacen("id,a,b,c", "id,a,a,c", 1),
            good_b.clone(),
            "",
            Says(TWICE),
        ),
        ("no datasets allowed", good_a.clone(), good_b.clone(), "at_most = 0\n", Says(NONE_ALLOWED)),
        ("a missing score", good_a.clone(), broken(""), "", Says(MISSING)),
        ("a missing share", in_mixture("0.5,,0.2"), good_b.clone(), "", Says(MISSING_SHARE)),
        (
            "a share that can only be 0",
            in_mixture("0.5,,0.5"),
            good_b.clone(),
            "",
            Sound("1 empty cells count as a share of 0"),
        ),
        ("three hundred datasets and forty runs", wide_a, wide_b, "", Sound("")),
        ("percent", percent, good_b.clone(), "", Sound("taken for percent")),
        ("a negative share", in_mixture("1.2,-0.2,0"), good_b.clone(), "", Says(NEGATIVE)),
        ("duplicated ids", good_a.clone() + "r7,1,0,0\n", good_b.clone(), "", Says(DUPLICATED)),
        ("duplicated ids of scores", good_a.clone(), good_b.clone() + "r7,1\n", "", Says(DUPLICATED_SCORES)),
        ("ids that do not match", good_a.clone(), good_b.replace("\nr", "\nrun-"), "", Says(NO_MATCH)),
        ("a text where a score belongs", good_a.clone(), broken("high"), "", Says(TEXT)),
        (
            "a column that is text",
            good_a.replace('\n', ",x\n").replacen(",x\n", ",note\n", 1),
            good_b.clone(),
            "",
            Sound("columns without numbers are passed over: `note`"),
        ),
        ("constraints that leave one point", good_a.clone(), good_b.clone(), point, Sound("")),
        (
            "constraints that leave none",
            good_a.clone(),
            good_b.clone(),
            "min = { a = 0.6, b = 0.6 }\n",
            Says(COLLIDE),
        ),
        ("passes of unknown sizes", good_a.clone(), good_b.clone(), "max_passes = 2\n", Says(NO_SIZES)),
        ("an unknown constraint", good_a.clone(), good_b.clone(), "at_least = 2\n", Says(UNKNOWN_KEY)),
        ("sums far from 1", in_mixture("0.5,0.3,0.1"), good_b.clone(), "", Says(SUM)),
        ("no rows", "id,a,b,c\n".into(), good_b.clone(), "", Says(NO_ROWS)),
        ("one dataset", "id,a\nr0,1\nr1,1\n".into(), good_b.clone(), "", Says(ONE_DATASET)),
    ];
    let mut wrong = String::new();
    for (name, a, b, constraints, then) in cases {
        let folder = tempfile::tempdir().unwrap();
        let path = |file: &str| folder.path().join(file);
        fs::write(path("a.csv"), a).unwrap();
        fs::write(path("b.csv"), b).unwrap();
        let mut args = vec!["predict", "--mixtures", "a.csv", "--scores", "b.csv", "--maximize", "s"];
        args.extend(["--json", "--out", "best.json", "--next", "1"]);
        if !constraints.is_empty() {
            fs::write(path("c.toml"), constraints).unwrap();
            args.extend(["--constraints", "c.toml"]);
        }
        let out =
            Command::new(env!("CARGO_BIN_EXE_modo")).current_dir(folder.path()).args(args).output().unwrap();
        let said = String::from_utf8(out.stderr).unwrap();
        let fine = match then {
            Says(expected) => {
                out.status.code() == Some(2)
                    && said == expected
                    && out.stdout.is_empty()
                    && !path("best.json").exists()
            }
            NoSignal | Sound(_) => {
                let words = if let Sound(words) = then { words } else { "" };
                let answer: Option<Value> = serde_json::from_slice(&out.stdout).ok();
                out.status.code() == Some(0)
                    && said.contains(words)
                    && answer
                        .is_some_and(|answer| is_sound(&answer, matches!(then, NoSignal), &path("best.json")))
            }
        };
        if !fine {
            writeln!(wrong, "{name}: {:?}\n{said}", out.status.code()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Shares on the simplex, numbers where numbers belong, and nothing claimed where there is no signal.
fn is_sound(answer: &Value, no_signal: bool, best: &Path) -> bool {
    let mixture = &answer["proposal"]["mixture"];
    let shares: Vec<f64> = mixture["shares"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
    let sum: f64 = shares.iter().sum();
    let number = |key: &str| mixture[key].as_f64().is_some();
    let numbers = ["uniform", "p_beats_uniform", "expected_regret", "violation", "distance_to_tried"];
    let said = (answer["verdict"] == "no_signal") == mixture["note"].is_string();
    let uniform = shares.iter().all(|share| (share - shares[0]).abs() < 1e-9);
    (sum - 1.0).abs() < 1e-9
        && shares.len() == answer["datasets"].as_array().unwrap().len()
        && numbers.into_iter().all(number)
        && mixture["violation"].as_f64().unwrap() <= 1e-9
        && ["predicted", "new_run", "gain"]
            .iter()
            .all(|key| mixture[key]["low"].as_f64() <= mixture[key]["high"].as_f64())
        && said
        && (!no_signal || (answer["verdict"] == "no_signal" && uniform))
        && best.is_file()
}

#[test]
fn a_file_of_a_gigabyte_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    // Sparse: it takes no room, and reading it would still take a gigabyte of memory.
    let file = fs::File::create(folder.path().join("a.csv")).unwrap();
    file.set_len(1 << 30).unwrap();
    fs::write(folder.path().join("b.csv"), "id,s\n1,2\n").unwrap();
    let out = Command::new(env!("CARGO_BIN_EXE_modo"))
        .current_dir(folder.path())
        .args(["predict", "--mixtures", "a.csv", "--scores", "b.csv"])
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(out.stderr).unwrap(),
        "error: the table has 1024 MiB; 128 MiB are the most that is read\n  in a.csv\nhint: a table of runs has one \
         row per run: leave out columns and rows that are not of runs\n"
    );
}

/// A table of random mixtures, `a`, `b`, `c` and so on, and the table of their scores `s`.
fn table(d: usize, n: usize, score: impl Fn(&[f64]) -> f64) -> (String, String) {
    let mut rng = Seed::new(1).rng();
    let names: Vec<String> = if d <= 26 {
        (0..d).map(|i| char::from(b'a' + i as u8).to_string()).collect()
    } else {
        (0..d).map(|i| format!("d{i}")).collect()
    };
    let (mut a, mut b) = (format!("id,{}\n", names.join(",")), "id,s\n".to_owned());
    for row in 0..n {
        let x: Vec<f64> = (0..d).map(|_| rng.random_range(0.01_f64..1.0).powi(2)).collect();
        let sum: f64 = x.iter().sum();
        let w: Vec<f64> = x.iter().map(|x| x / sum).collect();
        let cells: Vec<String> = w.iter().map(f64::to_string).collect();
        writeln!(a, "r{row},{}", cells.join(",")).unwrap();
        writeln!(b, "r{row},{}", score(&w) + rng.random_range(-0.01..0.01)).unwrap();
    }
    (a, b)
}

/// All numbers of a table but those of its first row and column.
fn map_cells(table: &str, f: impl Fn(f64) -> String) -> String {
    let row = |line: &str| {
        let mut cells = line.split(',');
        let id = cells.next().unwrap().to_owned();
        std::iter::once(id).chain(cells.map(|cell| f(cell.parse().unwrap()))).collect::<Vec<_>>().join(",")
    };
    let mut lines = table.lines();
    let head = lines.next().unwrap().to_owned();
    std::iter::once(head).chain(lines.map(row)).map(|line| line + "\n").collect()
}

const ONE_ROW: &str = "error: 1 finished run of 1 mixture is too few to decide on\nhint: at least three different mixtures must be finished, better eleven or more\n";
const SAME_MIXTURE: &str = "error: 10 finished runs of 1 mixture are too few to decide on\nhint: at least three different mixtures must be finished, better eleven or more\n";
const NOT_A_NUMBER: &str = "error: column `s` holds NaN where a number is needed\n  in b.csv, row `r7`\nhint: mend it, or leave the row out with `--without r7`\n";
const INFINITE: &str = "error: column `s` holds inf where a number is needed\n  in b.csv, row `r7`\nhint: mend it, or leave the row out with `--without r7`\n";
const HUGE: &str = "error: column `s` holds 1e308 where a number is needed\n  in b.csv, row `r7`\nhint: mend it, or leave the row out with `--without r7`\n";
const TWICE: &str = "error: two columns are called `a`\n  in a.csv\n";
const NONE_ALLOWED: &str = "error: no mixture meets the constraints: at most 0 datasets leave nothing to draw from\n  in table [constraints]\n";
const MISSING: &str = "error: column `s` holds nothing where a number is needed\n  in b.csv, row `r7`\nhint: mend it, or leave the row out with `--without r7`\n";
const MISSING_SHARE: &str = "error: column `b` holds nothing where a number is needed\n  in a.csv, row `r7`\nhint: an empty share counts as 0 only where the others of its row sum to 1\n";
const NEGATIVE: &str = "error: the share of `b` is -0.2; shares are from 0 to 1\n  in a.csv, row `r7`\n";
const DUPLICATED: &str = "error: column `id` has `r7` twice\n  in a.csv, row 31\nhint: every run needs an id of its own; `--id COLUMN` names the column\n";
const DUPLICATED_SCORES: &str = "error: column `id` has `r7` twice\n  in b.csv, row 31\nhint: every run needs an id of its own; `--id COLUMN` names the column\n";
const NO_MATCH: &str = "error: no value of column `id` is in both tables\n  in a.csv and b.csv\nhint: `--id COLUMN` names another column to join by; a.csv has `r0`, b.csv has `run-0`\n";
const TEXT: &str = "error: column `s` holds `high` where a number is needed\n  in b.csv, row `r7`\nhint: mend it, or leave the row out with `--without r7`\n";
const COLLIDE: &str = "error: no mixture meets the constraints: together they ask for 1.2000 of 1: `a` at least 0.6, `b` at least 0.6\n  in table [constraints]\n";
const NO_SIZES: &str = "error: `max_passes` needs to know the sizes of the datasets and of the run\n  in table [constraints]\nhint: add `rows = { NAME = 5000, … }` and `total_groups = 16000`\n";
const UNKNOWN_KEY: &str = "error: TOML parse error at line 1, column 1\n  |\n1 | at_least = 2\n  | ^^^^^^^^\nunknown field `at_least`, expected one of `max_passes`, `min`, `max`, `shares`, `groups`, `passes_used`, `linear`, `at_most`, `leash`, `rows`, `total_groups`\n  in c.toml\n";
const SUM: &str = "error: the shares sum to 0.9000, not to 1\n  in a.csv, row `r7`\nhint: these columns are read as shares: `a`, `b`, `c`\n";
const NO_ROWS: &str = "error: the table has no rows\n  in a.csv\n";
const ONE_DATASET: &str = "note: 28 rows are in one table only and are left out\nerror: columns of shares: 1; at least two are needed\n  in a.csv\nhint: a share is a column of numbers that the table of scores does not have\n";
