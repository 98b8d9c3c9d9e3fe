//! Every known layout is read as it is meant, what is proposed for a folder is right, and bad files stay errors.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use arrow::array::{ArrayRef, BinaryArray, RecordBatch, StringArray};
use modo::{
    data::{self, Catalog, FileRows, Portion, propose::propose},
    error::Result,
    name::Name,
    sample::{Answer, Picture, Rows},
    sampler::check::check_rewards,
};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};
use serde_json::{Value, json};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/datasets")
}

fn open(catalog: &Catalog, name: &str, root: &Path, cache: Option<&Path>) -> Result<FileRows> {
    let name: Name = name.parse().unwrap();
    data::open(&name, catalog.get(&name)?, root, Portion::All, cache)
}

/// The grey or red value of a fixture's picture, which tells it from the others.
fn shade(picture: &Picture) -> u64 {
    u64::from(modo::data::picture::decode(picture).unwrap().get_pixel(0, 0).0[0])
}

#[test]
fn every_known_layout_is_read_back_exactly_with_and_without_an_index() {
    let root = fixtures();
    let catalog = Catalog::read(&root.join("datasets.toml")).unwrap();
    let expected: Value = serde_json::from_slice(&fs::read(root.join("expected.json")).unwrap()).unwrap();
    let cache = tempfile::tempdir().unwrap();
    assert_eq!(catalog.iter().count(), expected.as_object().unwrap().len());
    for (name, _) in catalog.iter() {
        let expected = &expected[name.as_str()];
        // Without an index, while it is made, and from it.
        let mut hashes = Vec::new();
        for cache in [None, Some(cache.path()), Some(cache.path())] {
            let rows = open(&catalog, name.as_str(), &root, cache).unwrap();
            let mut bad = 0;
            let mut read = Vec::new();
            for row in 0..rows.len() {
                match rows.row(row) {
                    Ok(sample) => read.push(serde_json::json!({
                        "question": sample.question,
                        "options": sample.options,
                        "answer": sample.answer.written(),
                        "shades": sample.pictures.iter().map(shade).collect::<Vec<_>>(),
                    })),
                    Err(unusable) => {
                        assert!(!unusable.place.is_empty() && !unusable.what.is_empty());
                        bad += 1;
                    }
                }
            }
            assert_eq!(Value::from(read), expected["rows"], "{name}, index {}", cache.is_some());
            assert_eq!(Value::from(bad), expected["bad"], "{name}");
            hashes.push(rows.content_hash());
        }
        assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{name}");
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "a skipped test says why")]
fn what_is_proposed_for_the_real_folders_is_what_the_catalogue_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/real");
    if !root.is_dir() {
        println!("skipped: there is no {}", root.display());
        return;
    }
    let catalog = Catalog::embedded();
    for folder in ["bccd_detect", "bccd_count", "tabmwp", "nlvr", "mathv"] {
        let proposals = propose(&root.join(folder), &root, None).unwrap();
        let names: Vec<&str> = proposals.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, [folder.to_owned(), format!("{folder}_val")]);
        for proposal in &proposals {
            let known = catalog.table(&proposal.name).unwrap();
            let found: toml::Table = proposal.to_toml().parse().unwrap();
            let found = found[proposal.name.as_str()].as_table().unwrap();
            let of_words = ["question", "prompt", "licence", "where", "reward"];
            for key in known.keys().filter(|key| {
                !of_words.contains(&key.as_str()) || folder != "bccd_detect" && *key == "question"
            }) {
                assert_eq!(found.get(key), known.get(key), "{}, key `{key}`", proposal.name);
            }
            let rows = data::open(&proposal.name, &proposal.config, &root, Portion::All, None).unwrap();
            // Each half of BCCD's boxes has one that is empty.
            let bad = (0..rows.len()).filter(|row| rows.row(*row).is_err()).count();
            assert_eq!(bad, usize::from(folder == "bccd_detect"), "{}", proposal.name);
            check_rewards(&proposal.name, &proposal.config, &rows, u64::MAX).unwrap();
        }
    }
}

#[test]
fn what_is_proposed_for_the_fixtures_reads_them() {
    let root = fixtures();
    let catalog = Catalog::read(&root.join("datasets.toml")).unwrap();
    // Left out: folders whose files say too little (`vlm_r1` keeps its pictures elsewhere, `views` has names of one
    // letter, `slash` is another look at a folder, `saved_dict` becomes two tables, one of `cauldron`'s three rows is empty).
    for name in [
        "geometry3k",
        "geoqa_r1v",
        "clevr",
        "sat",
        "scienceqa_hf",
        "scienceqa",
        "labels",
        "chartqa_lmms",
        "infovqa",
        "docvqa",
        "mathvista",
        "mmmu",
        "coco",
        "reasonseg",
        "llava",
        "easyr1",
        "verl",
        "maye",
        "ms_swift",
        "finevision",
        "saved",
        "shards",
        "csv",
        "packed",
        "packed_zst",
        "kinds",
        "clevr_r1",
        "mmmu_configs",
        "easyr1_parquet",
        "shards_txt",
        "metadata",
    ] {
        let proposals =
            propose(&root.join(name), &root, None).unwrap_or_else(|what| panic!("{name}: {what}"));
        let proposal = &proposals[0];
        let found = data::open(&proposal.name, &proposal.config, &root, Portion::All, None).unwrap();
        let known = open(&catalog, name, &root, None).unwrap();
        assert_eq!(found.len(), known.len(), "{name}");
        for row in 0..found.len() {
            let (Ok(found), Ok(known)) = (found.row(row), known.row(row)) else { continue };
            assert_eq!(found.pictures, known.pictures, "{name}");
            let same_type = found.answer.kind() == known.answer.kind();
            assert!(
                !same_type || found.answer == known.answer,
                "{name}: {:?} {:?}",
                found.answer,
                known.answer
            );
        }
    }
}

#[test]
fn packed_annotations_and_lines_with_a_byte_order_mark_are_read_as_the_plain_ones() {
    let packed = |bytes: Vec<u8>| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&bytes).unwrap();
        encoder.finish().unwrap()
    };
    let marked = |bytes: Vec<u8>| [b"\xef\xbb\xbf".to_vec(), bytes].concat();
    for (name, ending) in [("coco", "json"), ("reasonseg", "json"), ("maye", "jsonl")] {
        let plain = copied(name);
        let changed = copied(name);
        let pattern = format!("{}/**/*.{ending}", changed.path().display());
        for file in glob::glob(&pattern).unwrap().flatten() {
            let bytes = fs::read(&file).unwrap();
            if ending == "jsonl" {
                fs::write(&file, marked(bytes)).unwrap();
            } else {
                fs::write(file.with_extension("json.gz"), packed(bytes)).unwrap();
                fs::remove_file(file).unwrap();
            }
        }
        let [(n_plain, plain), (n_changed, changed)] = [&plain, &changed].map(|folder| {
            let root = folder.path();
            let proposal = &propose(&root.join(name), root, None).unwrap()[0];
            let rows = data::open(&proposal.name, &proposal.config, root, Portion::All, None).unwrap();
            let samples =
                (0..rows.len()).map(|row| rows.row(row).map(|s| (s.question, s.answer, s.pictures)));
            (rows.len(), samples.filter_map(Result::ok).collect::<Vec<_>>())
        });
        assert_eq!((n_plain, plain), (n_changed, changed), "{name}");
    }
}

/// A folder with the files of one fixture.
fn copied(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let pattern = format!("{}/{name}/**/*", fixtures().display());
    for from in glob::glob(&pattern).unwrap().flatten().filter(|path| path.is_file()) {
        let to = folder.path().join(from.strip_prefix(fixtures()).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }
    folder
}

#[test]
fn a_folder_with_nothing_to_propose_is_an_error_that_says_what_is_there() {
    let known = "Rows are looked for in .parquet, .arrow, .tar, .jsonl, .json and .csv, packed with gzip or zstd or not, and \
                 pictures in folders named after their answers";
    let check = |files: &[(&str, &str)], expected: &str| {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("set");
        fs::create_dir(&folder).unwrap();
        for (file, text) in files {
            let to = folder.join(file);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            if to.extension().is_some_and(|ending| ending == "png") {
                write_picture(&to, 1);
            } else {
                fs::write(to, text).unwrap();
            }
        }
        let found = propose(&folder, root.path(), None).unwrap_err();
        assert_eq!(
            found.replace(&root.path().canonicalize().unwrap().display().to_string(), "ROOT"),
            expected
        );
    };
    check(&[], &format!("there is nothing to read: no files. {known}"));
    check(
        &[("a.md", ""), ("b/c.md", ""), ("LICENSE", ""), (".hidden.csv", "")],
        &format!("there is nothing to read: only .md (2), no ending (1). {known}"),
    );
    check(
        &[("1.png", ""), ("2.png", "")],
        "there are only pictures, and nothing says what their answers are: put them into folders named after their answers, \
         or put a `metadata.csv` with the columns `file_name`, `question` and `answer` beside them",
    );
    check(&[("f.jsonl", "")], "ROOT/set/f.jsonl holds no rows");
    let by_hand = "Write the table by hand: `format`, `files`, `question`, `images`, `answer`, `answer_type`, `verifier` and \
                   `prompt` (docs/data.md has them all)";
    check(
        &[("f.jsonl", "{\"question\": \"Q\", \"answer\": 1}")],
        &format!(
            "no column of ROOT/set/f.jsonl holds pictures or paths of pictures; there are `answer`, `question`. {by_hand}"
        ),
    );
    check(
        &[("f.jsonl", "{\"frage\": \"Q\", \"answer\": 1, \"image\": \"1.png\"}"), ("1.png", "")],
        &format!(
            "no column of ROOT/set/f.jsonl is called as questions are; there are `answer`, `frage`, `image`. {by_hand}; \
             pictures that have labels alone are read from folders named after these (`format = \"folder\"`)"
        ),
    );
    check(
        &[("f.jsonl", "{\"question\": \"Q\", \"antwort\": 1, \"image\": \"1.png\"}"), ("1.png", "")],
        &format!(
            "no column of ROOT/set/f.jsonl is called as answers are; there are `antwort`, `image`, `question`. {by_hand}"
        ),
    );
    check(
        &[("f.csv", "image;question;answer\n1.png;Q;1\n"), ("1.png", "")],
        "ROOT/set/f.csv: the names in the first line are separated by `;`; CSV is read with commas: write the file anew with them",
    );
    check(
        &[("f.jsonl", "{\"question\": \n")],
        "ROOT/set/f.jsonl: line 1: no JSON object: EOF while parsing a value",
    );
    check(
        &[
            (
                "captions_val2017.json",
                r#"{"images": [{"id": 1, "file_name": "1.png"}], "annotations": [{"image_id": 1, "caption": "c"}]}"#,
            ),
            ("1.png", ""),
        ],
        "`captions_val2017.json`: COCO without boxes (captions, lists of pictures); of COCO, instances are read",
    );
    for file in ["f.parquet", "f.arrow", "f.jsonl.gz", "f.tar.gz"] {
        let root = tempfile::tempdir().unwrap();
        let packed = b"\x1f\x8b\x08\0\0\0\0\0\0\x03cut";
        fs::write(root.path().join(file), if file.ends_with("gz") { &packed[..] } else { b"PAR1 cut" })
            .unwrap();
        let error = propose(&root.path().join(file), root.path(), None).unwrap_err();
        assert!(error.contains(file), "{error}");
        assert!(
            error.ends_with("a file that was cut off, or fetched in part, has to be fetched again"),
            "{error}"
        );
    }
    let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let error = propose(outside.path(), root.path(), None).unwrap_err();
    assert!(error.contains("is not below the data root"), "{error}");
    let error = propose(&root.path().join("gone"), root.path(), None).unwrap_err();
    assert!(error.ends_with("gone: No such file or directory (os error 2)"), "{error}");
}

#[cfg(unix)]
#[test]
fn links_inside_the_root_are_followed_as_in_the_cache_of_hugging_face() {
    let root = tempfile::tempdir().unwrap();
    let (blobs, snapshot) = (root.path().join("blobs"), root.path().join("snapshots/1/data"));
    fs::create_dir_all(&blobs).unwrap();
    fs::create_dir_all(&snapshot).unwrap();
    fs::copy(fixtures().join("sat/train-00000-of-00001.parquet"), blobs.join("abc")).unwrap();
    let link = snapshot.join("train-00000-of-00001.parquet");
    std::os::unix::fs::symlink("../../../blobs/abc", link).unwrap();
    let proposals = propose(&root.path().join("snapshots"), root.path(), None).unwrap();
    let (name, config) = (&proposals[0].name, &proposals[0].config);
    assert_eq!(data::open(name, config, root.path(), Portion::All, None).unwrap().len(), 2);
}

// ---- What is proposed ----

/// The tables for a folder of files, and its rows as question and gold. Pictures are made for names that end with `.png`.
struct Proposed {
    tables: Vec<toml::Table>,
    notes: Vec<String>,
    /// Question and gold of the rows of each table, or why there are none.
    rows: Vec<Vec<Result<(String, String), String>>>,
}

fn proposed(files: &[(&str, String)]) -> Proposed {
    let root = tempfile::tempdir().unwrap();
    let set = root.path().join("set");
    for (file, text) in files {
        let to = set.join(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        if to.extension().is_some_and(|ending| ending == "png") {
            write_picture(&to, 1);
        } else {
            fs::write(to, text).unwrap();
        }
    }
    let proposals = propose(&set, root.path(), None).unwrap();
    let mut found = Proposed { tables: Vec::new(), notes: Vec::new(), rows: Vec::new() };
    for proposal in proposals {
        let table: toml::Table = proposal.to_toml().parse().unwrap();
        found.tables.push(table[proposal.name.as_str()].as_table().unwrap().clone());
        let rows = data::open(&proposal.name, &proposal.config, root.path(), Portion::All, None).unwrap();
        let row =
            |row| rows.row(row).map(|s| (s.question, s.answer.written())).map_err(|bad| bad.to_string());
        found.rows.push((0..rows.len()).map(row).collect());
        found.notes.extend(proposal.notes);
    }
    found
}

impl Proposed {
    /// A key of the first table, as it is written.
    fn key(&self, key: &str) -> String {
        self.tables[0].get(key).map_or(String::new(), ToString::to_string)
    }

    fn says(&self, what: &str) -> bool {
        self.notes.iter().any(|note| note.contains(what))
    }

    /// Questions and golds of a table all of whose rows can be read.
    fn read(&self, table: usize) -> Vec<(&str, &str)> {
        self.rows[table]
            .iter()
            .map(|row| row.as_ref().map(|(question, answer)| (question.as_str(), answer.as_str())).unwrap())
            .collect()
    }
}

/// A file of JSON lines beside the picture `1.png`.
fn lines(rows: &[Value]) -> Vec<(&'static str, String)> {
    let text = rows.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    vec![("f.jsonl", text), ("1.png", String::new())]
}

#[test]
fn turns_are_chosen_by_role_where_a_conversation_begins_with_another_one() {
    let turns = |system: bool, [who, role, text, user, assistant]: [&str; 5]| {
        let system = system.then(|| json!({role: "system", text: "Be good."}));
        let turns: Vec<Value> = system
            .into_iter()
            .chain([json!({role: user, text: "<image>How many?"}), json!({role: assistant, text: "7"})])
            .collect();
        json!({who: turns, "image": "1.png"})
    };
    let swift = ["messages", "role", "content", "user", "assistant"];
    let llava = ["conversations", "from", "value", "human", "gpt"];
    for (words, some, question, answer) in [
        (swift, [true, false], "\"messages.user.content\"", "\"messages.assistant.content\""),
        (swift, [true, true], "\"messages.user.content\"", "\"messages.assistant.content\""),
        (llava, [false, true], "\"conversations.human.value\"", "\"conversations.gpt.value\""),
        (llava, [false, false], "\"conversations.0.value\"", "\"conversations.1.value\""),
    ] {
        let found = proposed(&lines(&some.map(|system| turns(system, words))));
        assert_eq!([found.key("question"), found.key("answer")], [question, answer]);
        assert_eq!(found.read(0), [("How many?", "7"); 2]);
        let n = some.iter().filter(|system| **system).count();
        let said = format!("{n} of the first 2 rows begin with another turn than the question");
        assert_eq!(found.says(&said), n > 0, "{:?}", found.notes);
    }
}

#[test]
fn pictures_among_the_words_of_a_turn_are_found() {
    let image = [
        json!({"type": "image", "image": "1.png"}),
        json!({"type": "image_url", "image_url": {"url": "1.png"}}),
    ];
    let row = |image: &Value| {
        json!({"messages": [
            {"role": "user", "content": [image, {"type": "text", "text": "How many?"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "7"}]},
        ]})
    };
    let found = proposed(&lines(&image.each_ref().map(row)));
    assert_eq!(found.key("images"), "\"messages.user.content\"");
    assert_eq!(found.key("answer_type"), "\"number\"");
    assert_eq!(found.read(0), [("How many?", "7"); 2]);
}

#[test]
fn options_are_found_in_a_column_for_each_and_in_tables_by_letter() {
    let csv =
        "filename,question,A,B,C,D,answer\n1.png,What?,cat,\"dog, brown\",cow,hen,D\n1.png,Who?,x,y,z,,B\n";
    let found = proposed(&[("f.csv", csv.to_owned()), ("images/1.png", String::new())]);
    assert_eq!(found.key("options"), r#"["A", "B", "C", "D"]"#);
    assert_eq!(found.key("answer_is"), "\"letter\"");
    let options = "What?\nA. cat\nB. dog, brown\nC. cow\nD. hen";
    assert_eq!(found.read(0), [(options, "D"), ("Who?\nA. x\nB. y\nC. z", "B")]);
    let row = |options: Value| {
        let mut row = json!({"question": "What?", "image": "1.png", "answer": "B"});
        row.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
        row
    };
    for (options, key) in [
        (json!({"options": {"B": "dog", "A": "cat"}}), "\"options\""),
        (json!({"option_a": "cat", "option_b": "dog"}), r#"["option_a", "option_b"]"#),
        (json!({"Choice1": "cat", "Choice2": "dog"}), r#"["Choice1", "Choice2"]"#),
    ] {
        let found = proposed(&lines(&[row(options)]));
        assert_eq!(found.key("options"), key);
        assert_eq!(found.read(0), [("What?\nA. cat\nB. dog", "B")]);
        assert!(!found.says("answers are letters"), "{:?}", found.notes);
    }
    let letters = "answers are letters, and neither a column nor the question says what these stand for";
    let bare =
        |question: &str| proposed(&lines(&[json!({"question": question, "image": "1.png", "answer": "B"})]));
    assert!(bare("Which?").says(letters));
    assert!(!bare("Which?\n(A) cat\n(B) dog").says(letters));
}

#[test]
fn coco_as_it_is_downloaded_becomes_a_table_per_split_with_its_own_pictures() {
    let instances = |first: &str, annotation: Value| {
        json!({"info": {"year": 2017}, "images": [{"id": 1, "file_name": first}], "annotations": [annotation],
               "categories": [{"id": 1, "name": "person"}]})
        .to_string()
    };
    let boxed = json!({"image_id": 1, "category_id": 1, "bbox": [0, 0, 2, 2]});
    let mut joints = boxed.clone();
    joints["keypoints"] = json!([1, 1, 2]);
    // Both have a picture of this name.
    let found = proposed(&[
        ("annotations/captions_train2017.json", instances("1.png", json!({"image_id": 1, "caption": "c"}))),
        ("annotations/image_info_test2017.json", json!({"images": [], "categories": []}).to_string()),
        ("annotations/instances_train2017.json", instances("1.png", boxed.clone())),
        ("annotations/instances_val2017.json", instances("1.png", boxed)),
        ("annotations/person_keypoints_val2017.json", instances("1.png", joints)),
        ("train2017/1.png", String::new()),
        ("val2017/1.png", String::new()),
    ]);
    let keys = |key: &str| found.tables.iter().map(|table| table[key].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(keys("role"), ["train", "in_domain"]);
    assert_eq!(
        keys("files"),
        ["set/annotations/instances_train2017.json", "set/annotations/instances_val2017.json"]
    );
    assert_eq!(keys("image_folder"), ["set/train2017", "set/val2017"]);
    assert_eq!((found.read(0).len(), found.read(1).len()), (1, 1));
    let left_out = "left out, as they hold no instances, or those of people again with their joints: \
                    `captions_train2017.json`, `image_info_test2017.json`, `person_keypoints_val2017.json`";
    assert!(found.says(left_out), "{:?}", found.notes);
}

#[test]
fn a_list_of_one_gold_is_that_gold_and_a_list_of_several_is_named() {
    let rows = |answers: &[Value]| {
        let row = |answer: &Value| json!({"query": "Q", "image": "1.png", "label": answer});
        answers.iter().map(row).collect::<Vec<_>>()
    };
    let found = proposed(&lines(&rows(&[json!(["12%"]), json!(["3/4"])])));
    assert_eq!(found.key("answer_type"), "\"expression\"");
    assert_eq!(found.read(0), [("Q", "12%"), ("Q", "3/4")]);
    let found = proposed(&lines(&rows(&[json!(["12"]), json!([3])])));
    assert_eq!(found.key("answer_type"), "\"number\"");
    assert_eq!(found.read(0), [("Q", "12"), ("Q", "3")]);
    let folder = tempfile::tempdir().unwrap();
    json_lines(folder.path(), 1);
    fs::write(folder.path().join("f.jsonl"), r#"{"q": "Q", "a": [1, 2], "i": "0.png"}"#).unwrap();
    let rows = open(&set(""), "set", folder.path(), None).unwrap();
    let expected = "f.jsonl, line 1, column `a`: one answer is needed and this is a list of 2";
    assert_eq!(rows.row(0).unwrap_err().to_string(), expected);
}

#[test]
fn scienceqa_as_it_is_downloaded_is_read_and_its_splits_are_named() {
    let problem = |split: &str| json!({"question": "Which?", "choices": ["x", "y"], "answer": 0, "image": "image.png", "split": split});
    let found = proposed(&[
        ("problems.json", json!({"1": problem("train"), "2": problem("test")}).to_string()),
        ("pid_splits.json", json!({"train": ["1"], "test": ["2"]}).to_string()),
        ("images/train/1/image.png", String::new()),
        ("images/test/2/image.png", String::new()),
    ]);
    assert_eq!(found.key("files"), "\"set/problems.json\"");
    assert_eq!(found.key("answer_is"), "\"index\"");
    assert_eq!(found.read(0).len(), 2);
    assert!(found.says("left out, as they hold no rows, or rows of another kind: `pid_splits.json`"));
    assert!(found.says("the column `split` says `test`, `train`, and this table reads all of them as one"));
}

#[test]
fn answers_that_count_options_are_told_by_their_first_number() {
    let rows = |answers: &[Value]| {
        let row = |answer: &Value| json!({"question": "Q", "image": "1.png", "options": ["x", "y", "z"], "answer": answer});
        proposed(&lines(&answers.iter().map(row).collect::<Vec<_>>()))
    };
    for (answers, is, said) in [
        ([json!("0"), json!("2")], "\"index\"", ""),
        ([json!(0), json!(1)], "\"index\"", ""),
        ([json!(1), json!(3)], "\"ordinal\"", "answers count the options from 1"),
        (
            [json!("1"), json!("2")],
            "\"index\"",
            "none of those looked at is 0: `answer_is = \"ordinal\"` counts from 1",
        ),
        // One of them is wrong.
        ([json!(0), json!(7)], "\"index\"", ""),
        ([json!("A"), json!("C")], "\"letter\"", ""),
        ([json!("x"), json!("z")], "\"option\"", ""),
    ] {
        let found = rows(&answers);
        assert_eq!(found.key("answer_is"), is, "{answers:?}");
        let n_good = if answers[1] == json!(7) { 1 } else { 2 };
        assert_eq!(found.rows[0].iter().filter(|row| row.is_ok()).count(), n_good, "{:?}", found.rows[0]);
        assert!(found.says(said) || said.is_empty(), "{:?}", found.notes);
    }
}

#[test]
fn the_gold_of_a_solution_is_what_its_mark_points_at() {
    let row = |answer: &str| json!({"question": "Q", "image": "1.png", "answer": answer});
    let found = proposed(&lines(&[row("We get 3+4.\n#### 7"), row("So:\n#### 1,200")]));
    assert_eq!([found.key("answer_in"), found.key("answer_type")], ["\"####\"", "\"number\""]);
    assert_eq!(found.read(0), [("Q", "7"), ("Q", "1200")]);
    let found = proposed(&lines(&[
        row(r"Long reasoning, so \boxed{7}"),
        row(r"$\boxed{\frac{1}{2}}$."),
        row("No idea"),
    ]));
    assert_eq!(found.key("answer_in"), r"'\boxed'");
    let no_mark = "set/f.jsonl, line 3, column `answer`: there is no whole `\\boxed{…}` in the answer";
    assert_eq!(found.rows[0][2], Err(no_mark.to_owned()));
    assert_eq!(found.rows[0][1].as_ref().unwrap().1, r"\frac{1}{2}");
}

#[test]
fn what_is_left_out_or_doubtful_is_said() {
    let line = |answer: u8| json!({"question": "Q", "image": "1.png", "answer": answer}).to_string();
    let files = ["training", "train_val", "testdev", "more"].map(|name| format!("{name}.jsonl"));
    let mut set: Vec<(&str, String)> = files.iter().map(|file| (file.as_str(), line(1))).collect();
    set.extend([("1.png", String::new()), ("train.csv", "question,image,answer\nQ,1.png,1\n".to_owned())]);
    set.push(("config.json", "{\"version\": 1}".to_owned()));
    let found = proposed(&set);
    assert_eq!(found.key("files"), r#"["set/more.jsonl", "set/train_val.jsonl", "set/training.jsonl"]"#);
    assert_eq!(found.tables[1]["files"].as_str(), Some("set/testdev.jsonl"));
    let said: Vec<&str> = found.notes[..3].iter().map(String::as_str).collect();
    assert_eq!(
        said,
        [
            "left out, as a table reads files of one format: `train.csv`; give one of these files itself to have a table for it",
            "named after several splits, and taken for the first of them: `train_val.jsonl`",
            "no split is in the name, and to be trained on therefore: `more.jsonl`",
        ]
    );
}

#[test]
fn a_damaged_line_is_named_and_keeps_nobody_from_a_proposal() {
    let line = json!({"question": "Q", "image": "1.png", "answer": 1}).to_string();
    let text = format!("{line}\n{{\"image\": \"1.png\", \"question\":\n{line}\n");
    let found = proposed(&[("f.jsonl", text), ("1.png", String::new())]);
    let said = "1 of the first rows of f.jsonl cannot be read, the first in line 2: no JSON object: EOF while parsing a value";
    assert!(found.notes.iter().any(|note| note == said), "{:?}", found.notes);
    assert_eq!(found.rows[0].iter().filter(|row| row.is_ok()).count(), 2);
    let bad = "set/f.jsonl, line 2: no JSON object: EOF while parsing a value";
    assert_eq!(found.rows[0][1], Err(bad.to_owned()));
}

// ---- The index ----

const TABLE: &str = "[set]\nrole = 'train'\nlicence = 'CC0-1.0'\nverifier = 'number'\nprompt = '{question}'\n\
                     answer_type = 'number'\nformat = 'jsonl'\nfiles = 'f.jsonl'\nquestion = 'q'\nanswer = 'a'\nimages = 'i'\n";

fn json_lines(folder: &Path, rows: usize) {
    let line = |i: usize| format!("{{\"q\": \"Q{i}\", \"a\": {i}, \"i\": \"{}.png\"}}\n", i % 3);
    fs::write(folder.join("f.jsonl"), (0..rows).map(line).collect::<String>()).unwrap();
    (0..3).for_each(|i| write_picture(&folder.join(format!("{i}.png")), i as u8));
}

fn write_picture(path: &Path, shade: u8) {
    image::RgbImage::from_pixel(4, 3, image::Rgb([shade, 0, 0])).save(path).unwrap();
}

fn set(keys: &str) -> Catalog {
    Catalog::parse(&format!("{TABLE}{keys}"), "datasets.toml").unwrap()
}

fn indexes(cache: &Path) -> Vec<String> {
    let files = fs::read_dir(cache.join("rows")).unwrap();
    files.map(|f| f.unwrap().file_name().into_string().unwrap()).filter(|f| f.contains(".rows")).collect()
}

#[test]
fn a_changed_file_or_picture_is_indexed_anew_and_an_unchanged_one_is_not() {
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    json_lines(folder.path(), 6);
    let open = || open(&set(""), "set", folder.path(), Some(cache.path())).unwrap();
    let first = open();
    let made =
        fs::metadata(cache.path().join("rows").join(&indexes(cache.path())[0])).unwrap().modified().unwrap();
    assert_eq!(open().content_hash(), first.content_hash());
    let again =
        fs::metadata(cache.path().join("rows").join(&indexes(cache.path())[0])).unwrap().modified().unwrap();
    assert_eq!(made, again);
    // One byte of a picture that lies beside the rows: the old reader says so, a new one reads the new picture.
    write_picture(&folder.path().join("1.png"), 200);
    let error = first.row(1).unwrap_err().to_string();
    assert!(error.contains("1.png changed while it was in use"), "{error}");
    assert_eq!(first.row(0).unwrap().answer, Answer::Number(0.0));
    let second = open();
    assert_ne!(second.content_hash(), first.content_hash());
    assert_eq!(shade(&second.row(1).unwrap().pictures[0]), 200);
    // A picture that vanishes is a bad row, and a good one when it is back.
    fs::remove_file(folder.path().join("1.png")).unwrap();
    assert!(second.row(1).is_err());
    assert!(open().row(1).unwrap_err().to_string().contains("1.png"));
    write_picture(&folder.path().join("1.png"), 200);
    assert_eq!(open().content_hash(), second.content_hash());
    json_lines(folder.path(), 7);
    assert_eq!(open().len(), 7);
}

#[test]
fn pictures_that_lie_in_a_file_of_rows_as_they_are_are_not_copied_and_a_change_is_noticed() {
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let catalog = Catalog::read(&fixtures().join("datasets.toml")).unwrap();
    for (name, file) in [
        ("in_place_1", "in_place_1/f.parquet"),
        ("in_place_2", "in_place_2/f.parquet"),
        ("sat", "sat/train-00000-of-00001.parquet"),
        ("shards", "shards/s-000000.tar"),
    ] {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let bytes = fs::read(fixtures().join(file)).unwrap();
        fs::write(&path, &bytes).unwrap();
        let rows = open(&catalog, name, folder.path(), Some(cache.path())).unwrap();
        let pictures: Vec<Picture> =
            (0..rows.len()).flat_map(|row| rows.row(row).unwrap().pictures).collect();
        let held = |index: &Path, picture: &Picture| {
            let Picture::Encoded(png) = picture else { unreachable!("files hold encoded pictures") };
            fs::read(index).unwrap().windows(png.len()).any(|part| part == &png[..])
        };
        let index = cache.path().join("rows").join(&indexes(cache.path())[0]);
        assert!(pictures.iter().all(|picture| !held(&index, picture)), "{name}");
        // One byte of the first picture, in the file that is open.
        let Picture::Encoded(png) = &pictures[0] else { unreachable!("files hold encoded pictures") };
        let at = bytes.windows(png.len()).position(|part| part == &png[..]).unwrap();
        let mut changed = bytes.clone();
        changed[at + png.len() - 1] ^= 1;
        fs::write(&path, &changed).unwrap();
        let error = rows.row(0).unwrap_err().to_string();
        assert!(error.contains(&format!("{file} changed while it was in use")), "{error}");
        // A file that is open can be read when it has lost its name.
        fs::write(&path, &bytes).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(rows.row(0).unwrap().pictures[0], pictures[0]);
        fs::remove_dir_all(cache.path().join("rows")).unwrap();
    }
    // Snappy finds nothing to shorten in large pictures; what it or others have changed is copied.
    let mut noise = blake3::Hasher::new().finalize_xof();
    let large: Vec<Vec<u8>> = (0..5)
        .map(|_| {
            let mut pixels = vec![0; 300 * 200 * 3];
            noise.fill(&mut pixels);
            let mut png = std::io::Cursor::new(Vec::new());
            let image = image::RgbImage::from_raw(300, 200, pixels).unwrap();
            image.write_to(&mut png, image::ImageFormat::Png).unwrap();
            png.into_inner()
        })
        .collect();
    let pictures: ArrayRef = Arc::new(BinaryArray::from_iter_values(&large));
    let [questions, answers] =
        ["Q", "1"].map(|text| -> ArrayRef { Arc::new(StringArray::from(vec![text; 5])) });
    let batch = RecordBatch::try_from_iter([("q", questions), ("i", pictures), ("a", answers)]).unwrap();
    for (compression, copied) in
        [(Compression::SNAPPY, false), (Compression::ZSTD(ZstdLevel::default()), true)]
    {
        let file = File::create(folder.path().join("f.parquet")).unwrap();
        let properties = WriterProperties::builder().set_compression(compression).build();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let table = TABLE.replace("jsonl", "parquet");
        let set = Catalog::parse(&table, "datasets.toml").unwrap();
        let rows = open(&set, "set", folder.path(), Some(cache.path())).unwrap();
        for (row, png) in (0..).zip(&large) {
            assert_eq!(rows.row(row).unwrap().pictures, [Picture::Encoded(png.as_slice().into())]);
        }
        let index = cache.path().join("rows").join(&indexes(cache.path())[0]);
        assert_eq!(fs::metadata(index).unwrap().len() > 500_000, copied, "{compression:?}");
        fs::remove_dir_all(cache.path().join("rows")).unwrap();
    }
    let rows = open(&catalog, "views", &fixtures(), Some(cache.path())).unwrap();
    let Picture::Encoded(png) = &rows.row(0).unwrap().pictures[0] else { unreachable!("as above") };
    let index = fs::read(cache.path().join("rows").join(&indexes(cache.path())[0])).unwrap();
    assert!(index.windows(png.len()).any(|part| part == &png[..]));
}

#[test]
fn parts_of_a_folder_are_named_as_easyr1_names_them() {
    let catalog = |files: &str| {
        let keys = "format = 'parquet'\nquestion = 'problem'\nimages = 'images'\n";
        let table = TABLE.replace(
            "format = 'jsonl'\nfiles = 'f.jsonl'\nquestion = 'q'\nanswer = 'a'\nimages = 'i'\n",
            keys,
        );
        Catalog::parse(&format!("{table}answer = 'answer'\nfiles = '{files}'"), "datasets.toml").unwrap()
    };
    let said = |files: &str| open(&catalog(files), "set", &fixtures(), None).err().map(|e| e.to_string());
    assert_eq!(said("easyr1_split@train"), None);
    let expected = "there is no split `tran`; there are `train`, `validation` and `test`\n  in dataset `set`";
    assert_eq!(said("easyr1_split@tran").as_deref(), Some(expected));
    assert!(said("sat@test").unwrap().starts_with("no file matches `sat@test` below "));
    assert!(data::is_there("easyr1_split@train", &fixtures()) && !data::is_there("gone@train", &fixtures()));
}

#[test]
fn a_moved_folder_keeps_its_content_and_a_damaged_index_is_made_again() {
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    json_lines(folder.path(), 5);
    let hash = open(&set(""), "set", folder.path(), Some(cache.path())).unwrap().content_hash();
    let other = tempfile::tempdir().unwrap();
    json_lines(other.path(), 5);
    assert_eq!(open(&set(""), "set", other.path(), Some(cache.path())).unwrap().content_hash(), hash);
    for name in indexes(cache.path()) {
        let path = cache.path().join("rows").join(name);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() - 60;
        bytes[middle] ^= 1;
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    }
    assert_eq!(open(&set(""), "set", folder.path(), Some(cache.path())).unwrap().content_hash(), hash);
}

#[test]
fn several_readers_that_start_at_once_make_one_index() {
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    json_lines(folder.path(), 300);
    let hashes: Vec<_> = std::thread::scope(|scope| {
        let open = || open(&set(""), "set", folder.path(), Some(cache.path())).unwrap().content_hash();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(hashes.iter().all(|hash| *hash == hashes[0]));
    assert_eq!(indexes(cache.path()).len(), 1);
}

#[test]
fn excluded_rows_are_left_out_and_max_bad_is_fatal() {
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    json_lines(folder.path(), 6);
    let all = open(&set(""), "set", folder.path(), Some(cache.path())).unwrap();
    let list = format!("# a comment\n{} the row and why\n", all.row_hash(2));
    fs::write(folder.path().join("leaks.txt"), list).unwrap();
    for keys in ["exclude = 'leaks.txt'".to_owned(), format!("exclude = ['{}']", all.row_hash(2))] {
        let rows = open(&set(&keys), "set", folder.path(), Some(cache.path())).unwrap();
        let answers: Vec<Answer> = (0..rows.len()).map(|row| rows.row(row).unwrap().answer).collect();
        assert_eq!(answers, [0.0, 1.0, 3.0, 4.0, 5.0].map(Answer::Number), "{keys}");
        assert_ne!(rows.content_hash(), all.content_hash());
    }
    let error = open(&set("exclude = ['zz']"), "set", folder.path(), None).err().unwrap().to_string();
    assert!(error.contains("`zz` is no hash of a row: 32 hexadecimal digits"), "{error}");
    fs::remove_file(folder.path().join("0.png")).unwrap();
    assert_eq!(open(&set("max_bad = 2"), "set", folder.path(), None).unwrap().len(), 6);
    let error = open(&set("max_bad = 1"), "set", folder.path(), None).err().unwrap().to_string();
    assert!(
        error.starts_with("2 rows cannot be used and `max_bad` is 1: f.jsonl, line 1, column `i`: "),
        "{error}"
    );
}

// ---- Bad input ----

#[test]
fn bad_files_are_errors_that_say_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_picture(&root.join("0.png"), 9);
    let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    let deep_row = format!("{{\"q\": {deep}}}");
    let long = format!("{{\"q\": \"{}\"}}", "x".repeat(17_000_000));
    let bomb = {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        let blank = vec![b' '; 1 << 20];
        (0..200).for_each(|_| packed.write_all(&blank).unwrap());
        packed.finish().unwrap()
    };
    let cases: [(&str, &str, &[u8], &str); 15] = [
        ("jsonl", "an empty file", b"", "the files hold no rows"),
        ("jsonl", "blank lines", b"\n\n  \n", "the files hold no rows"),
        ("jsonl", "no JSON", b"hello", "line 1: no JSON object: expected value at byte 1 of the line"),
        ("jsonl", "a list", b"[1]", "line 1: no JSON object: invalid type: sequence"),
        (
            "jsonl",
            "JSON nested 10^6 deep",
            deep_row.as_bytes(),
            "line 1: no JSON object: recursion limit exceeded",
        ),
        ("jsonl", "a long line", long.as_bytes(), "line 1 is longer than 16777216 bytes"),
        ("jsonl", "a bomb", &bomb, "unpacks to more than 67108864: that is no data"),
        (
            "jsonl",
            "a URL",
            br#"{"q": "Q", "a": 1, "i": "http://169.254.169.254/x.png"}"#,
            "is a URL; pictures are read from files and never fetched",
        ),
        (
            "jsonl",
            "a way out",
            br#"{"q": "Q", "a": 1, "i": "../x.png"}"#,
            "the path `../x.png` leads out of the dataset's folder",
        ),
        (
            "jsonl",
            "an absolute path",
            br#"{"q": "Q", "a": 1, "i": "/etc/passwd"}"#,
            "the path `/etc/passwd` is absolute and not below the data root",
        ),
        (
            "jsonl",
            "an answer that is no number",
            br#"{"q": "Q", "a": "NaN", "i": "0.png"}"#,
            "column `a`: `NaN` is no number",
        ),
        ("json", "a list nested 10^6 deep", deep.as_bytes(), "row 0: no JSON object: "),
        ("json", "a list that is cut", b"[{\"q\": 1}, {", "the file ends in the middle of row 1"),
        ("csv", "another column", b"x,y\n1,2\n", "there is no column `q`"),
        ("webdataset", "no shard", b"hello", "no tar shard, or damaged"),
    ];
    for (format, what, bytes, expected) in cases {
        let path = root.join("f.jsonl");
        fs::write(&path, bytes).unwrap();
        let catalog = set("").table(&"set".parse().unwrap()).cloned().unwrap();
        let mut table = catalog;
        table.insert("format".to_owned(), format.into());
        let config = data::DatasetConfig::from_table(&"set".parse().unwrap(), table).unwrap();
        let opened = data::open(&"set".parse().unwrap(), &config, root, Portion::All, None);
        let error = match opened {
            Err(error) => error.to_string(),
            Ok(rows) => rows.row(0).err().map_or("no error".to_owned(), |bad| bad.to_string()),
        };
        assert!(error.contains(expected), "{what}: {error}");
    }
}

#[test]
fn a_pipe_in_the_place_of_a_picture_is_refused_and_never_read() {
    let folder = tempfile::tempdir().unwrap();
    json_lines(folder.path(), 3);
    fs::remove_file(folder.path().join("0.png")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(folder.path().join("0.png")).status();
    if !made.is_ok_and(|status| status.success()) {
        return;
    }
    // Reading it would wait for ever.
    let rows = open(&set(""), "set", folder.path(), None).unwrap();
    assert!(rows.row(0).unwrap_err().to_string().contains("0.png is no file"));
}

#[test]
fn a_parquet_file_that_is_cut_anywhere_is_an_error_or_reads_on() {
    let file = "sat/train-00000-of-00001.parquet";
    let bytes = fs::read(fixtures().join(file)).unwrap();
    let found = check_mutants("sat", file, (0..bytes.len()).step_by(97).map(|at| bytes[..at].to_vec()));
    // The last bytes of the file say where everything is.
    assert_eq!((found.opened, found.read), (0, 0));
}

#[test]
fn some_mutants_of_every_format_are_errors_and_never_panics() {
    mutants(60);
}

/// 20 000 for every format, or for the fixtures that `MODO_FIXTURES` names:
/// `MODO_FIXTURES=sat,csv cargo test --release --test layouts -- --ignored --nocapture`.
#[test]
#[ignore = "takes minutes"]
fn many_mutants_of_every_format_are_errors_and_never_panics() {
    mutants(20_000);
}

/// Memory of the whole process.
const MOST_MIB: u64 = 512;

#[expect(clippy::print_stdout, reason = "the long run prints its table")]
fn mutants(count: u64) {
    let chosen = std::env::var("MODO_FIXTURES").unwrap_or_default();
    let wanted = |name: &str| chosen.is_empty() || chosen.split(',').any(|one| one == name);
    for (name, file) in [
        ("sat", "sat/train-00000-of-00001.parquet"),
        ("structs", "structs/f.parquet"),
        ("saved", "saved/data-00000-of-00002.arrow"),
        ("maye", "maye/train.jsonl"),
        ("scienceqa", "scienceqa/problems.json"),
        ("csv", "csv/metadata.csv"),
        ("coco", "coco/instances_train.json"),
        ("reasonseg", "reasonseg/train/1.json"),
        ("shards", "shards/s-000000.tar"),
        ("packed", "packed/train.jsonl.gz"),
        ("packed_zst", "packed_zst/train.jsonl.zst"),
        ("kinds", "kinds/cat/1.png"),
        ("in_place_1", "in_place_1/f.parquet"),
        ("cauldron", "cauldron/train-00000-of-00001.parquet"),
    ]
    .into_iter()
    .filter(|(name, _)| wanted(name))
    {
        let bytes = fs::read(fixtures().join(file)).unwrap();
        reset_peak();
        let found = check_mutants(name, file, (0..count).map(|seed| mutant(&bytes, seed)));
        let Mutants { worst_cpu_s, worst_wall_s, opened, read, ran_away } = found;
        let peak = peak_mib();
        println!(
            "{name}: {count} mutants, {opened} opened, {read} rows read; the slowest {worst_cpu_s:.3} s CPU, \
             {worst_wall_s:.3} s wall; peak {} MiB",
            peak.map_or("unknown".to_owned(), |mib| mib.to_string())
        );
        assert_eq!(ran_away, 0, "{name}: decoders that were given up on");
        assert!(worst_cpu_s <= 2.0, "{name}: one took {worst_cpu_s} s");
        assert!(peak.is_none_or(|mib| mib <= MOST_MIB), "{name}: {peak:?} MiB");
    }
}

/// What became of mutants. A panic would end the test.
#[derive(Default)]
struct Mutants {
    worst_cpu_s: f64,
    worst_wall_s: f64,
    opened: u64,
    read: u64,
    /// How often a decoder used all the processor time it had.
    ran_away: u64,
}

/// Opens the fixture `name` with its `file` replaced by each of these, reads rows and pictures, and asks for a proposal.
fn check_mutants(name: &str, file: &str, mutants: impl Iterator<Item = Vec<u8>>) -> Mutants {
    let folder = copied(name);
    let root = folder.path();
    let catalog = Catalog::read(&fixtures().join("datasets.toml")).unwrap();
    let mut found = Mutants::default();
    for bytes in mutants {
        File::create(root.join(file)).unwrap().write_all(&bytes).unwrap();
        let (start, cpu) = (Instant::now(), cpu_s());
        let ran_away = |what: &str| u64::from(what.contains("decoding takes more than"));
        match open(&catalog, name, root, None) {
            Ok(rows) => {
                found.opened += 1;
                for row in 0..rows.len().min(50) {
                    match rows.row(row) {
                        Ok(sample) => {
                            found.read += 1;
                            // Damaged pictures may decode or not.
                            let pictures = sample.pictures.iter();
                            pictures.for_each(|picture| drop(modo::data::picture::decode(picture)));
                        }
                        Err(bad) => found.ran_away += ran_away(&bad.what),
                    }
                }
            }
            Err(error) => found.ran_away += ran_away(&error.to_string()),
        }
        drop(propose(&root.join(name), root, None));
        found.worst_cpu_s = found.worst_cpu_s.max(cpu_s() - cpu);
        found.worst_wall_s = found.worst_wall_s.max(start.elapsed().as_secs_f64());
    }
    found
}

/// CPU seconds of this process; other tests of this binary may run beside a mutant, which makes the figure larger.
fn cpu_s() -> f64 {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).unwrap();
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

/// Lets the system count the process's peak memory anew (Linux).
fn reset_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// The peak since then.
fn peak_mib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}

/// Cut, flipped, overwritten with telling bytes, or with a piece of itself.
fn mutant(bytes: &[u8], seed: u64) -> Vec<u8> {
    let hash = blake3::hash(&seed.to_le_bytes());
    let random =
        |i: usize| u32::from_le_bytes(hash.as_bytes()[4 * i..4 * i + 4].try_into().unwrap()) as usize;
    let mut out = bytes.to_vec();
    let at = random(0) % out.len();
    match random(1) % 4 {
        0 => out.truncate(at),
        1 => (0..=random(2) % 4).for_each(|i| {
            let at = random(3 + i) % bytes.len();
            out[at] ^= 1 << (random(7) >> i & 7);
        }),
        2 => (0..=random(2) % 3).for_each(|i| {
            let at = random(3 + i) % bytes.len();
            out[at] = [0, 0xff, 0x7f, 0x80, b'"', b'{', b'[', b'\\'][random(7) >> i & 7];
        }),
        _ => {
            let (from, length) = (random(3) % bytes.len(), 1 + random(4) % 16);
            let length = length.min(bytes.len() - from).min(bytes.len() - at);
            out[at..at + length].copy_from_slice(&bytes[from..from + length]);
        }
    }
    out
}
