//! What `modo draw` says about shares and datasets that cannot be, and what happens to files that change in use.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

use modo::{
    data::{Catalog, Portion},
    mixture::Mixture,
    name::Name,
    sample::Rows,
    sampler::{Dataset, Schedule, Settings, resolve, source},
    seed::Seed,
};

/// `many` has twelve rows, `same` the same file, `one` a single row, `none` no row.
const DATASETS: [(&str, &str); 4] =
    [("many", "many.jsonl"), ("same", "many.jsonl"), ("one", "one.jsonl"), ("none", "none.jsonl")];

#[test]
fn what_cannot_be_drawn_from_is_refused_in_these_words() {
    let shares = "hint: shares are numbers from 0 to 1 that sum to 1";
    for (mixture, expected) in [
        (
            "many=nan,one=1",
            format!(
                "the share of `many` is NaN; shares are numbers from 0 to 1\n  in option `--mixture`\n{shares}"
            ),
        ),
        (
            "many=-0.5,one=1.5",
            format!(
                "the share of `many` is -0.5; shares are numbers from 0 to 1\n  in option `--mixture`\n{shares}"
            ),
        ),
        (
            "many=inf,one=1",
            format!(
                "the share of `many` is inf; shares are numbers from 0 to 1\n  in option `--mixture`\n{shares}"
            ),
        ),
        ("many=0,one=0", format!("the shares sum to 0.0000, not to 1\n  in option `--mixture`\n{shares}")),
        (
            "many=0.999999999,one=1e-9",
            "the share of `one` is 1e-9, which is less than a millionth: it would never be drawn\n  \
             in option `--mixture`\nhint: give it 0.000001 or more, or 0 to leave it out"
                .to_owned(),
        ),
        (
            "many=0.5,many=0.5",
            "`many` has two shares\n  in option `--mixture`\nhint: give each dataset once".to_owned(),
        ),
        (
            "many=half,one=0.5",
            "`many=half` is no share\n  in option `--mixture`\nhint: write `detect=0.5,refer=0.5`".to_owned(),
        ),
        ("many=0.5,none=0.5", "the files hold no rows\n  in dataset `none`".to_owned()),
    ] {
        check_refusal(mixture, &expected);
    }
}

#[test]
fn two_tables_of_one_name_are_refused_with_their_line() {
    let folder = folder();
    let catalogue = folder.path().join("datasets.toml");
    let text = fs::read_to_string(&catalogue).unwrap();
    fs::write(&catalogue, format!("{text}{}", table("many", "one.jsonl"))).unwrap();
    let (code, _, stderr) = draw(folder.path(), &["--mixture", "many=1"]);
    let expected = "error: no valid TOML: duplicate key\n  in datasets.toml, line 45\n";
    assert_eq!((code, stderr.as_str()), (Some(2), expected));
}

#[test]
fn what_a_limit_hands_its_share_to_is_drawn_without_being_named() {
    let folder = folder();
    let args = ["--mixture", "one=1", "--limit", "one=2:hand_to=many", "--json"];
    let (code, stdout, stderr) = draw(folder.path(), &args);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let datasets: Vec<bool> = stdout.lines().map(|line| line.contains("\"many\"")).collect();
    assert_eq!(datasets, [false, false, true, true, true]);
}

#[test]
fn limits_that_contradict_each_other_or_hand_a_share_to_its_own_dataset_are_refused() {
    let folder = folder();
    let refused = |limits: &[&str]| {
        let (code, _, stderr) = draw(folder.path(), &[&["--mixture", "one=0.5,many=0.5"], limits].concat());
        assert_eq!(code, Some(2), "{limits:?}");
        stderr
    };
    assert_eq!(
        refused(&["--limit", "one=1:stop", "--limit", "one=3:stop"]),
        "error: `one` has two limits\n  in option `--limit`\nhint: give each dataset once\n"
    );
    let to_itself = "the dataset `one` hands its share to itself; name another one, or write `renormalise`";
    assert_eq!(refused(&["--limit", "one=2:hand_to=one"]), format!("error: {to_itself}\n"));
}

#[test]
fn what_is_said_of_shuffled_draws_holds_at_the_ends_of_steps() {
    let folder = folder();
    let args = ["--mixture", "many=0.5,one=0.5", "--draw", "batch", "--step", "2", "--summary"];
    let (code, stdout, _) = draw(folder.path(), &args);
    assert_eq!(code, Some(0));
    let expected = "draws 0 to 5; at the end of no step is a dataset further than 0.000 draws from its share";
    assert!(stdout.contains(expected), "{stdout}");
}

#[test]
fn an_experiments_rule_of_draws_and_step_are_those_of_its_plan() {
    let folder = folder();
    let plan = "schema = 1\nbase = 'nano'\ntrain = ['many', 'one']\nbenchmarks = ['one']\ndraw = 'batch'\n\
                [algorithm]\nname = 'grpo'\n[budget]\nsteps = 1\nprompts_per_step = 4\n[evaluation]\nquestions = 4\n\
                [design]\nnamed = ['uniform']\nreplicates = 1\nspace_filling = 0\nseed = 1\n\
                [objective]\naggregate = 'in'\ndecoding = 'sampled'\n[predictor]\nname = 'mean'\n\
                [confirm]\nseeds = 1\nquestions = 4\ncompletions = 1\n[launcher]\nname = 'local'\n";
    fs::write(folder.path().join("plan.toml"), plan).unwrap();
    let drawn = |args: &[&str]| {
        let out = Command::new(env!("CARGO_BIN_EXE_modo"))
            .current_dir(folder.path())
            .env("MODO_CACHE", folder.path().join("cache"))
            .args(["draw", "--mixture", "many=0.5,one=0.5", "--data-root", ".", "--count", "40", "--json"])
            .args(args)
            .output()
            .unwrap();
        assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    };
    let by_plan = drawn(&["--experiment", "."]);
    assert_eq!(by_plan, drawn(&["--datasets", "datasets.toml", "--draw", "batch", "--step", "4"]));
    assert_ne!(by_plan, drawn(&["--datasets", "datasets.toml"]));
    assert_ne!(by_plan, drawn(&["--experiment", ".", "--step", "8"]));
}

#[test]
fn a_dataset_of_one_row_is_drawn_over_and_over() {
    let (code, stdout, stderr) = draw(folder().path(), &["--mixture", "one=1", "--json"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let expected: Vec<String> =
        (0..5).map(|n| format!(r#"{{"n":{n},"dataset":"one","row":0,"pass":{n}}}"#)).collect();
    assert_eq!(stdout.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn two_datasets_over_the_same_files_are_warned_of() {
    let (code, _, stderr) = draw(folder().path(), &["--mixture", "many=0.5,same=0.5"]);
    let expected =
        "warning: `same` and `many` have the same rows; each draws all of them, in the same order\n";
    assert_eq!((code, stderr.as_str()), (Some(0), expected));
}

/// What happens to the files, done how; whether row 3 is still good, and what is said about it.
type Case<'a> = (&'a str, &'a dyn Fn(&Path), bool, Option<&'a str>);

#[test]
fn a_list_of_excluded_rows_that_matches_none_is_warned_of() {
    let folder = folder();
    let (table, hash) = (table("many", "many.jsonl"), "0".repeat(32));
    fs::write(folder.path().join("datasets.toml"), format!("{table}exclude = ['{hash}']\n")).unwrap();
    let (code, _, stderr) = draw(folder.path(), &["--mixture", "many=1"]);
    let expected = "dataset `many`: none of the 1 rows in `exclude` is there; they have changed since the list was made, or it is for other datasets";
    assert!(code == Some(0) && stderr.contains(expected), "{stderr}");
}

/// Twenty thousand rows about twelve pictures.
fn long_folder() -> tempfile::TempDir {
    let folder = folder();
    let row =
        |row: u32| format!("{{\"q\": \"Which is {row}?\", \"image\": \"{}.png\", \"a\": {row}}}\n", row % 12);
    fs::write(folder.path().join("many.jsonl"), (0..20_000).map(row).collect::<String>()).unwrap();
    folder
}

fn start(folder: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_modo"))
        .current_dir(folder)
        .env("MODO_CACHE", folder.join("cache"))
        .args([
            "draw",
            "--datasets",
            "datasets.toml",
            "--data-root",
            ".",
            "--count",
            "5",
            "--mixture",
            "many=1",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The files beside each other in the folder of indexes.
fn indexes(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder.join("cache/rows")).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// No lock and nothing unfinished beside it.
fn check_one_index(folder: &Path) {
    let left = indexes(folder);
    let is_index = |name: &String| Path::new(name).extension().is_some_and(|end| end == "rows");
    assert!(left.len() == 1 && left.iter().all(is_index), "{left:?}");
}

#[test]
fn processes_that_want_the_same_index_at_once_make_one() {
    let folder = long_folder();
    let started: Vec<Child> = (0..4).map(|_| start(folder.path())).collect();
    let said: Vec<_> = started.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    for out in &said {
        assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
        assert_eq!(out.stdout, said[0].stdout);
    }
    check_one_index(folder.path());
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_that_is_killed_while_it_makes_an_index_leaves_nothing_for_long() {
    let folder = long_folder();
    let unfinished = || indexes(folder.path()).iter().any(|name| name.starts_with(".making-"));
    let mut child = start(folder.path());
    while !unfinished() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(unfinished(), "it was killed too late");
    assert!(start(folder.path()).wait_with_output().unwrap().status.success());
    check_one_index(folder.path());
}

#[test]
fn files_that_change_or_vanish_while_they_are_read_are_bad_rows_or_do_not_matter() {
    let remove = |file: &'static str| move |root: &Path| fs::remove_file(root.join(file)).unwrap();
    let write =
        |file: &'static str, text: &'static str| move |root: &Path| fs::write(root.join(file), text).unwrap();
    let lighter = |root: &Path| picture(root, 3, 200);
    // The row's index, what happens to the files, what is said about row 3.
    let cases: [Case; 6] = [
        (
            "its picture vanishes",
            &remove("3.png"),
            true,
            Some("many/many.jsonl:3: 3.png: No such file or directory (os error 2)"),
        ),
        (
            "its picture vanishes",
            &remove("3.png"),
            false,
            Some("many.jsonl, line 4, column `image`: 3.png: No such file or directory (os error 2)"),
        ),
        (
            "its picture changes",
            &lighter,
            true,
            Some("many/many.jsonl:3: 3.png changed while it was in use; the next run indexes it anew"),
        ),
        ("its picture changes", &lighter, false, None),
        ("the rows vanish", &remove("many.jsonl"), true, None),
        ("the rows are cut", &write("many.jsonl", "{\"q\": "), true, None),
    ];
    for (name, change, indexed, expected) in cases {
        let folder = folder();
        let cache = tempfile::tempdir().unwrap();
        let rows = open(folder.path(), indexed.then_some(cache.path()));
        let before = rows.row(3).unwrap();
        change(folder.path());
        let now = rows.row(3);
        match expected {
            None => assert_eq!(now.unwrap().question, before.question, "{name}, index: {indexed}"),
            Some(expected) => {
                let bad = now.unwrap_err();
                assert_eq!(format!("{}: {}", bad.place, bad.what), expected, "{name}, index: {indexed}");
                // The draw takes the dataset's next row, and says which was bad.
                let schedule = schedule(rows.as_ref());
                let draw = schedule.draws(0).find(|draw| draw.row == 3).unwrap();
                let resolved = resolve(&schedule, &draw, &[rows.as_ref()]).unwrap();
                assert_eq!(resolved.row, schedule.row(0, draw.ordinal + 1).unwrap());
                assert_eq!(resolved.replaced.iter().map(|bad| bad.row).collect::<Vec<_>>(), [3]);
            }
        }
    }
}

#[test]
fn rows_that_are_cut_off_while_they_are_read_without_an_index_are_bad() {
    let folder = folder();
    let rows = open(folder.path(), None);
    fs::write(folder.path().join("many.jsonl"), "{\"q\": ").unwrap();
    let bad = rows.row(3).unwrap_err();
    let expected = "many.jsonl, line 4: the file changed while it was read: failed to fill whole buffer";
    assert_eq!(format!("{}: {}", bad.place, bad.what), expected);
}

#[test]
fn the_next_run_sees_what_changed() {
    let folder = folder();
    let cache = tempfile::tempdir().unwrap();
    let before = open(folder.path(), Some(cache.path())).content_hash();
    assert_eq!(before, open(folder.path(), Some(cache.path())).content_hash());
    picture(folder.path(), 3, 200);
    let after = open(folder.path(), Some(cache.path()));
    assert_ne!(before, after.content_hash());
    assert!(after.row(3).is_ok());
}

#[test]
fn when_nothing_can_be_read_the_run_ends_with_the_reason() {
    let folder = folder();
    let rows = open(folder.path(), None);
    (0..12).for_each(|row| fs::remove_file(folder.path().join(format!("{row}.png"))).unwrap());
    let schedule = schedule(rows.as_ref());
    let error = resolve(&schedule, &schedule.draw(0).unwrap(), &[rows.as_ref()]).unwrap_err().to_string();
    // Row 10 is the one drawn last of a pass.
    let expected = "no sample for draw 0 of the dataset `many`: 12 rows in a row cannot be read, the last because of \
                    many.jsonl, line 11, column `image`: 10.png: No such file or directory (os error 2)";
    assert_eq!(error, expected);
}

fn check_refusal(mixture: &str, expected: &str) {
    let (code, stdout, stderr) = draw(folder().path(), &["--mixture", mixture]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{mixture}");
    assert_eq!(stderr, format!("error: {expected}\n"), "{mixture}");
}

/// Exit code, standard output and standard error of five draws.
fn draw(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_modo"))
        .current_dir(folder)
        .env("MODO_CACHE", folder.join("cache"))
        .env_remove("MODO_DATA_ROOT")
        .args(["draw", "--datasets", "datasets.toml", "--data-root", ".", "--count", "5"])
        .args(args)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (out.status.code(), text(out.stdout), text(out.stderr))
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let row = |row: u8| {
        picture(folder.path(), row, row);
        format!("{{\"q\": \"Which is {row}?\", \"image\": \"{row}.png\", \"a\": {row}}}\n")
    };
    fs::write(folder.path().join("many.jsonl"), (0..12).map(row).collect::<String>()).unwrap();
    fs::write(folder.path().join("one.jsonl"), row(12)).unwrap();
    fs::write(folder.path().join("none.jsonl"), "").unwrap();
    let tables: String = DATASETS.iter().map(|(name, file)| table(name, file)).collect();
    fs::write(folder.path().join("datasets.toml"), tables).unwrap();
    folder
}

fn table(name: &str, file: &str) -> String {
    format!(
        "[{name}]\nrole = 'train'\nformat = 'jsonl'\nfiles = '{file}'\nquestion = 'q'\nimages = 'image'\nanswer = 'a'\n\
         answer_type = 'number'\nverifier = 'number'\nprompt = '{{question}}'\nlicence = 'MIT'\n"
    )
}

fn picture(folder: &Path, row: u8, shade: u8) {
    let pixels = image::RgbImage::from_pixel(8, 8, image::Rgb([shade, 0, 255]));
    pixels.save(folder.join(format!("{row}.png"))).unwrap();
}

fn open(root: &Path, cache: Option<&Path>) -> Box<dyn Rows> {
    let name: Name = "many".parse().unwrap();
    let catalog = Catalog::read(&root.join("datasets.toml")).unwrap();
    source::open(&name, catalog.get(&name).unwrap(), root, Portion::All, cache).unwrap()
}

fn schedule(rows: &dyn Rows) -> Schedule {
    let dataset =
        Dataset { name: "many".parse().unwrap(), content_hash: rows.content_hash(), rows: rows.len() };
    let mixture = Mixture::uniform([&dataset.name]).unwrap();
    Schedule::new(&mixture, &[dataset], Seed::new(1), &Settings::default()).unwrap()
}
