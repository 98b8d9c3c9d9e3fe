//! Readers read back exactly what was written, real files are read completely, bad input is named.

use std::{
    fs,
    io::Cursor,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{
        ArrayRef, BinaryArray, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
        builder::{ListBuilder, StringBuilder},
    },
    buffer::OffsetBuffer,
    datatypes::{DataType, Field, Fields, Schema},
};
use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, RgbImage, Rgba};
use modo::{
    data::{
        Catalog, Portion, READERS,
        check::{Check, scan},
        open,
        picture::{BadPicture, decode, size},
    },
    error::Kind,
    sample::{Answer, Picture, Rect, Rows, Sample},
};
use parquet::arrow::ArrowWriter;
use tempfile::TempDir;

// ---- Fixtures of four rows, one per format ----

#[test]
fn every_format_reads_its_four_row_fixture_back_exactly() {
    let formats: Vec<&str> = READERS.entries.iter().map(|entry| entry.name).collect();
    let known = ["parquet", "arrow", "jsonl", "json", "csv", "coco", "reasonseg", "webdataset", "folder"];
    assert_eq!(formats, known, "a new format needs a fixture, here or in tests/fixtures/datasets");
    for (format, write) in [
        ("parquet", parquet_structs as fn(&Path) -> String),
        ("parquet", parquet_lists),
        ("parquet", parquet_binary),
        ("parquet", parquet_paths),
        ("jsonl", json_lines),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let keys = write(folder.path());
        let rows = open_table(folder.path(), &format!("format = '{format}'\n{keys}")).unwrap();
        assert_eq!(rows.len(), 4, "{keys}");
        for i in 0..4 {
            let sample = rows.row(i).unwrap();
            assert_eq!(sample.question, QUESTIONS[i as usize], "{keys}");
            assert_eq!(sample.answer, Answer::Number(i as f64 * 1000.0), "{keys}");
            assert_eq!(sample.pictures, [Picture::Encoded(png(i as u8).into())], "{keys}");
            assert!(sample.id.starts_with("set/") && sample.id.ends_with(&format!(":{i}")), "{}", sample.id);
        }
        assert!(rows.row(4).is_err());
    }
}

const QUESTIONS: [&str; 4] = ["What?", "Größe in m²?", "Two\nlines?", "Last?"];
const ANSWERS: [&str; 4] =
    ["<answer> 0 </answer>", "<answer>1000</answer>", "<answer>2,000</answer>", "3,000.0"];

fn png(shade: u8) -> Vec<u8> {
    encoded(&DynamicImage::ImageRgb8(RgbImage::from_pixel(4, 3, Rgb([shade, 0, 255]))), ImageFormat::Png)
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Opens `[set]` with these keys, as a training dataset of numbers in `<answer>` tags.
fn open_table(root: &Path, keys: &str) -> modo::error::Result<Box<dyn Rows>> {
    let text = format!(
        "[set]\nrole = 'train'\nlicence = 'MIT'\nverifier = 'number'\nprompt = '{{question}}'\n\
         where = 'ask the author'\nanswer_in = '<answer>'\n{keys}"
    );
    let text = if keys.contains("answer_type") { text } else { format!("{text}\nanswer_type = 'number'") };
    let catalog = Catalog::parse(&text, "datasets.toml")?;
    let name = "set".parse().unwrap();
    open(&name, catalog.get(&name)?, root, Portion::All, None).map(|rows| Box::new(rows) as Box<dyn Rows>)
}

const FILE: &str = "files = 'f.parquet'\nquestion = 'q'\nanswer = 'a'\nimages = 'image'";

fn write_parquet(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
    // Row groups of three: a row of the second group is found by its place there.
    let properties =
        parquet::file::properties::WriterProperties::builder().set_max_row_group_row_count(Some(3)).build();
    let mut writer =
        ArrowWriter::try_new(fs::File::create(path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn texts(values: [&str; 4]) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn four_pngs() -> ArrayRef {
    let bytes: Vec<Vec<u8>> = (0..4).map(png).collect();
    Arc::new(BinaryArray::from_iter_values(bytes))
}

/// `struct<bytes, path>`; the paths lead nowhere, as they do in published sets.
fn structs() -> StructArray {
    let fields = Fields::from(vec![
        Field::new("bytes", DataType::Binary, true),
        Field::new("path", DataType::Utf8, true),
    ]);
    StructArray::new(fields, vec![four_pngs(), texts(["/a/0.png", "1.png", "2.png", "3.png"])], None)
}

fn parquet_structs(folder: &Path) -> String {
    let question = texts(["<image>What?", "Größe in m²?", "Two\nlines?\n<image 1>", "Last?<image1>"]);
    let path = folder.join("f.parquet");
    write_parquet(&path, vec![("q", question), ("image", Arc::new(structs())), ("a", texts(ANSWERS))]);
    FILE.to_owned()
}

fn parquet_lists(folder: &Path) -> String {
    let item = Arc::new(Field::new("element", structs_type(), true));
    let lists = ListArray::new(item, OffsetBuffer::from_lengths([1; 4]), Arc::new(structs()), None);
    let columns =
        vec![("q", texts(QUESTIONS)), ("image", Arc::new(lists) as ArrayRef), ("a", texts(ANSWERS))];
    write_parquet(&folder.join("f.parquet"), columns);
    FILE.to_owned()
}

fn structs_type() -> DataType {
    use arrow::array::Array;
    structs().data_type().clone()
}

fn parquet_binary(folder: &Path) -> String {
    // The picture is in another column than the one called `image`; numbers may be numbers.
    let columns = vec![
        ("q", texts(QUESTIONS)),
        ("image", texts(["x"; 4])),
        ("decoded/image", four_pngs()),
        ("a", Arc::new(Int64Array::from(vec![0, 1000, 2000, 3000])) as ArrayRef),
    ];
    write_parquet(&folder.join("f.parquet"), columns);
    "files = 'f.parquet'\nquestion = 'q'\nanswer = 'a'\nimages = 'decoded/image'".to_owned()
}

fn parquet_paths(folder: &Path) -> String {
    write_pictures(&folder.join("pictures"));
    fs::create_dir(folder.join("deep")).unwrap();
    let names = texts(["0.png", "1.png", "2.png", "3.png"]);
    let columns = vec![("q", texts(QUESTIONS)), ("image", names), ("a", texts(ANSWERS))];
    write_parquet(&folder.join("deep/f.parquet"), columns);
    "files = 'deep/*.parquet'\nimage_folder = 'pictures'\nquestion = 'q'\nanswer = 'a'\nimages = ['image']"
        .to_owned()
}

fn write_pictures(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for i in 0..4 {
        fs::write(folder.join(format!("{i}.png")), png(i)).unwrap();
    }
}

fn json_lines(folder: &Path) -> String {
    write_pictures(&folder.join("deep/pictures"));
    let lines: Vec<String> = (0..4)
        .map(|i| {
            let image = format!("pictures/{i}.png");
            let image = if i == 2 { serde_json::json!([image]) } else { serde_json::json!(image) };
            serde_json::json!({ "q": QUESTIONS[i], "image": image, "a": ANSWERS[i], "more": [1] }).to_string()
        })
        .collect();
    // A blank line and a last line without its end.
    fs::write(folder.join("deep/f.jsonl"), lines.join("\n\n")).unwrap();
    FILE.replace("f.parquet", "deep/*.jsonl")
}

const COCO: &str = r#"{
  "info": {}, "images": [{"id": 7, "file_name": "0.png"}, {"id": 3, "file_name": "1.png"}, {"id": 5, "file_name": "2.png"}],
  "categories": [{"id": 90, "name": "cat"}, {"id": 2, "name": "dog"}],
  "annotations": [
    {"id": 1, "image_id": 7, "category_id": 2, "bbox": [0, 1, 2, 1.5], "segmentation": [[0, 0, 1, 1]], "iscrowd": 0},
    {"id": 2, "image_id": 3, "category_id": 90, "bbox": [1, 1, 1, 1]},
    {"id": 3, "image_id": 7, "category_id": 2, "bbox": [2, 0, 1, 1]},
    {"id": 4, "image_id": 7, "category_id": 90, "bbox": [0, 0, 4, 3]},
    {"id": 5, "image_id": 3, "category_id": 2, "bbox": [0, 0, 0, 2]},
    {"id": 6, "image_id": 5, "category_id": 2, "bbox": [0, 0, 1, 1]},
    {"id": 7, "image_id": 5, "category_id": 2, "bbox": [0, 0, 4, 3], "iscrowd": 1, "segmentation": {"counts": "x"}}
  ]}"#;

const COCO_KEYS: &str =
    "format = 'coco'\nfiles = 'f.json'\nanswer_type = 'boxes'\nquestion = 'Find every {category}.'";

#[test]
fn coco_gives_a_row_per_picture_and_category_in_corners_and_leaves_crowds_out() {
    let folder = tempfile::tempdir().unwrap();
    write_pictures(folder.path());
    fs::write(folder.path().join("f.json"), COCO).unwrap();
    let rows = open_table(folder.path(), COCO_KEYS).unwrap();
    let rect = |x1, y1, x2, y2| Rect { x1, y1, x2, y2 };
    let expected = [
        ("Find every cat.", 0, vec![rect(0.0, 0.0, 4.0, 3.0)]),
        ("Find every dog.", 0, vec![rect(0.0, 1.0, 2.0, 2.5), rect(2.0, 0.0, 3.0, 1.0)]),
        ("Find every cat.", 1, vec![rect(1.0, 1.0, 2.0, 2.0)]),
    ];
    assert_eq!(rows.len(), 4);
    for (i, (question, picture, boxes)) in expected.into_iter().enumerate() {
        let sample = rows.row(i as u64).unwrap();
        assert_eq!((sample.question.as_str(), sample.answer), (question, Answer::Boxes(boxes)));
        assert_eq!(sample.pictures, [Picture::Encoded(png(picture).into())]);
    }
    // The fourth row has a box without width: nobody could hit it.
    let bad = rows.row(3).unwrap_err().to_string();
    assert_eq!(
        bad,
        "f.json, row 3 (`1.png`, category `dog`): the box `[0.0,0.0,0.0,2.0]` is empty or turned round"
    );
}

#[test]
fn boxes_inside_texts_and_in_thousandths_come_out_in_pixels() {
    let folder = tempfile::tempdir().unwrap();
    let answers = texts([
        "<answer>[{'Position': [0, 0, 500, 1000], 'Confidence': 1}]</answer>",
        "[[250, 0, 500, 1000], [0, 0, 1000, 1000]]",
        "[0, 0, 1000, 500]",
        "[[1, 2, 3]]",
    ]);
    let columns = vec![("q", texts(QUESTIONS)), ("image", four_pngs()), ("a", answers)];
    write_parquet(&folder.path().join("f.parquet"), columns);
    let keys =
        format!("format = 'parquet'\n{FILE}\nanswer_type = 'boxes'\nboxes = {{ coordinates = 'rel1000' }}");
    let rows = open_table(folder.path(), &keys).unwrap();
    let boxes = |i| match rows.row(i).unwrap().answer {
        Answer::Boxes(boxes) => boxes.iter().map(|b| [b.x1, b.y1, b.x2, b.y2]).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    // The pictures have 4×3 pixels.
    assert_eq!(boxes(0), [[0.0, 0.0, 2.0, 3.0]]);
    assert_eq!(boxes(1), [[1.0, 0.0, 2.0, 3.0], [0.0, 0.0, 4.0, 3.0]]);
    assert_eq!(boxes(2), [[0.0, 0.0, 4.0, 1.5]]);
    assert!(rows.row(3).unwrap_err().to_string().contains("no box of four numbers"));
}

#[test]
fn options_from_a_list_or_a_python_text_stand_below_the_question() {
    let folder = tempfile::tempdir().unwrap();
    let mut lists = ListBuilder::new(StringBuilder::new());
    for options in [vec!["left", "right"], vec!["A", "B"], vec!["2", "3"], vec!["yes", "no"]] {
        for option in options {
            lists.values().append_value(option);
        }
        lists.append(true);
    }
    let columns = vec![
        ("q", texts(QUESTIONS)),
        ("image", four_pngs()),
        ("a", texts(["right", "B", "A", "maybe"])),
        ("options", Arc::new(lists.finish()) as ArrayRef),
        ("literal", texts(["['left', 'right']", "['A', 'B']", "[2, 3]", "['yes', 'no']"])),
    ];
    write_parquet(&folder.path().join("f.parquet"), columns);
    for column in ["options", "literal"] {
        let keys = format!("format = 'parquet'\n{FILE}\nanswer_type = 'choice'\noptions = '{column}'");
        let rows = open_table(folder.path(), &keys).unwrap();
        let first = rows.row(0).unwrap();
        assert_eq!(first.question, "What?\nA. left\nB. right");
        assert_eq!((first.answer, first.options.len()), (Answer::Choice('B'), 2));
        // Options that are only letters stand in the picture and are not written again.
        assert_eq!(rows.row(1).unwrap().question, "Größe in m²?");
        assert_eq!(rows.row(2).unwrap().answer, Answer::Choice('A'));
        let bad = rows.row(3).unwrap_err().to_string();
        assert_eq!(bad, "f.parquet, row 3, column `a`: `maybe` is none of the 2 options");
    }
}

// ---- Bad input ----

#[test]
fn missing_files_are_refused_with_the_hint_where_to_get_them() {
    let folder = tempfile::tempdir().unwrap();
    let error = open_table(folder.path(), &format!("format = 'parquet'\n{FILE}")).err().unwrap();
    assert_eq!(error.kind(), Kind::Input);
    let text = error.to_string();
    assert!(
        text.starts_with("no file matches `f.parquet`") && text.ends_with("hint: ask the author"),
        "{text}"
    );
    let catalog = Catalog::embedded();
    let name = "geoqav".parse().unwrap();
    let error = open(&name, catalog.get(&name).unwrap(), folder.path(), Portion::All, None)
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("in dataset `geoqav`") && error.contains("yiqingliang/geoqav-problems-dataset"),
        "{error}"
    );
}

#[test]
fn columns_that_are_missing_or_of_another_type_name_file_and_column() {
    let folder = tempfile::tempdir().unwrap();
    parquet_structs(folder.path());
    let check = |from: &str, to: &str, expected: &str| {
        let keys = format!("format = 'parquet'\n{}", FILE.replace(from, to));
        let error = open_table(folder.path(), &keys).err().unwrap().to_string();
        assert!(error.starts_with(expected), "{error}");
    };
    let hint = "\n  in dataset `set`\nhint: there are `q`, `image`, `a`";
    check("'a'", "'b'", &format!("there is no column `b`\n  in f.parquet, column `b`{hint}"));
    check("'q'", "'image'", "texts are needed and the column holds Struct");
    let columns = vec![
        ("q", texts(QUESTIONS)),
        ("image", Arc::new(Int64Array::from(vec![1; 4])) as ArrayRef),
        ("a", texts(ANSWERS)),
    ];
    write_parquet(&folder.path().join("f.parquet"), columns);
    check("", "", "pictures are needed and the column holds Int64\n  in f.parquet, column `image`");
}

#[test]
fn bad_rows_name_file_row_and_column_and_leave_the_others_readable() {
    let folder = tempfile::tempdir().unwrap();
    write_pictures(folder.path());
    fs::write(folder.path().join("cut.png"), &png(1)[..20]).unwrap();
    fs::write(folder.path().join("bomb.png"), bomb()).unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret.png"), png(1)).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
    let row = |image: &str, rest: &str| format!(r#"{{"q": "What?", "image": "{image}"{rest}}}"#);
    let cases = [
        (row("0.png", ""), "line 1, column `a`: the row has no answer"),
        (row("0.png", r#", "a": " ""#), "line 2, column `a`: the row has no answer"),
        (row("0.png", r#", "a": "many""#), "line 3, column `a`: `many` is no number"),
        (row("9.png", r#", "a": 1"#), "line 4, column `image`: 9.png: No such file"),
        (row("cut.png", r#", "a": 1"#), "line 5, column `image`: the picture cannot be read"),
        (row("bomb.png", r#", "a": 1"#), "line 6, column `image`: the picture has 60000×60000 pixels"),
        (
            row("/etc/passwd", r#", "a": 1"#),
            "line 7, column `image`: the path `/etc/passwd` is absolute and not below the data root",
        ),
        (row("../secret.png", r#", "a": 1"#), "line 8, column `image`: the path `../secret.png` leads out"),
        (
            row("link/secret.png", r#", "a": 1"#),
            "line 9, column `image`: link/secret.png is a link that leads out",
        ),
        (row("https://a.b/c.png", r#", "a": 1"#), "line 10, column `image`: `https://a.b/c.png` is a URL"),
        (
            row("f.jsonl", r#", "a": 1"#),
            "line 11, column `image`: the picture cannot be read: the bytes are of no known",
        ),
        ("{\"q\": ".to_owned(), "line 12: no JSON object"),
        ("[".repeat(100_000), "line 13: no JSON object"),
        (r#"{"q": "What?", "a": 1}"#.to_owned(), "line 14, column `image`: the row has no picture"),
        (r#"{"image": "0.png", "a": 1}"#.to_owned(), "line 15, column `q`: there is no value"),
        (
            r#"{"q": 7, "image": "0.png", "a": 1}"#.to_owned(),
            "line 16, column `q`: a text is needed and this is a number",
        ),
        (
            row("0.png", r#", "a": "<answer>1""#),
            "line 17, column `a`: the answer is not between <answer> and </answer>",
        ),
    ];
    let mut lines: Vec<&str> = cases.iter().map(|(line, _)| line.as_str()).collect();
    let good = row("0.png", r#", "a": 1"#);
    lines.push(&good);
    fs::write(folder.path().join("f.jsonl"), lines.join("\n")).unwrap();
    let rows = open_table(folder.path(), &format!("format = 'jsonl'\n{}", FILE.replace("parquet", "jsonl")))
        .unwrap();
    for (i, (_, expected)) in cases.iter().enumerate() {
        let bad = rows.row(i as u64).unwrap_err().to_string();
        assert!(bad.starts_with(&format!("f.jsonl, {expected}")), "{bad}");
    }
    assert_eq!(rows.row(cases.len() as u64).unwrap().answer, Answer::Number(1.0));
    let found = scan(rows.as_ref(), u64::MAX, |_, _| (), |_| ());
    assert_eq!((found.rows, found.n_bad, found.bad.len()), (18, 17, 17));
}

/// A PNG header that promises 3.6 thousand million pixels.
fn bomb() -> Vec<u8> {
    let mut bytes = png(1);
    bytes[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
    bytes[20..24].copy_from_slice(&60_000_u32.to_be_bytes());
    let checksum = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & 0_u32.wrapping_sub(crc & 1)))
    })
}

#[test]
fn a_damaged_parquet_file_is_an_error_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    parquet_structs(folder.path());
    let path = folder.path().join("f.parquet");
    let whole = fs::read(&path).unwrap();
    let keys = format!("format = 'parquet'\n{FILE}");
    for length in (0..whole.len()).step_by(97) {
        fs::write(&path, &whole[..length]).unwrap();
        let error = open_table(folder.path(), &keys).err().unwrap().to_string();
        assert!(error.contains("in f.parquet"), "cut at {length}: {error}");
    }
    for at in (0..whole.len()).step_by(7) {
        let mut mutant = whole.clone();
        mutant[at] ^= 0x5a;
        fs::write(&path, mutant).unwrap();
        if let Ok(rows) = open_table(folder.path(), &keys) {
            scan(rows.as_ref(), u64::MAX, |_, _| (), |_| ());
        }
    }
}

#[test]
fn files_that_are_links_out_of_the_root_and_files_without_rows_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    json_lines(outside.path());
    fs::write(folder.path().join("empty.jsonl"), "\n\n").unwrap();
    let keys = |file: &str| format!("format = 'jsonl'\n{}", FILE.replace("f.parquet", file));
    let error = open_table(folder.path(), &keys("empty.jsonl")).err().unwrap().to_string();
    assert!(error.starts_with("the files hold no rows"), "{error}");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(outside.path().join("deep/f.jsonl"), folder.path().join("f.jsonl"))
            .unwrap();
        let error = open_table(folder.path(), &keys("f.jsonl")).err().unwrap().to_string();
        assert!(error.starts_with("f.jsonl is a link that leads out of the data root"), "{error}");
    }
}

// ---- Content and halves ----

#[test]
fn the_content_hash_follows_contents_and_not_names() {
    let hash = |edit: &dyn Fn(&Path) -> String| {
        let folder = tempfile::tempdir().unwrap();
        json_lines(folder.path());
        let file = edit(folder.path());
        let keys = format!("format = 'jsonl'\n{}", FILE.replace("f.parquet", &file));
        open_table(folder.path(), &keys).unwrap().content_hash()
    };
    let plain = hash(&|_| "deep/f.jsonl".to_owned());
    let renamed = hash(&|folder| {
        fs::rename(folder.join("deep"), folder.join("other")).unwrap();
        fs::rename(folder.join("other/f.jsonl"), folder.join("other/g.jsonl")).unwrap();
        "other/g.jsonl".to_owned()
    });
    assert_eq!(plain, renamed);
    let one_shade_lighter = hash(&|folder| {
        fs::write(folder.join("deep/pictures/2.png"), png(9)).unwrap();
        "deep/f.jsonl".to_owned()
    });
    assert_ne!(plain, one_shade_lighter);
    // The same rows in another format are the same content.
    let folder = tempfile::tempdir().unwrap();
    let keys = parquet_lists(folder.path());
    assert_eq!(
        plain,
        open_table(folder.path(), &format!("format = 'parquet'\n{keys}")).unwrap().content_hash()
    );
}

#[test]
fn the_halves_of_a_benchmark_are_disjoint_complete_and_unmoved_by_the_order_of_rows() {
    let folder = tempfile::tempdir().unwrap();
    write_pictures(folder.path());
    let mut lines: Vec<String> =
        (0..200).map(|i| format!(r#"{{"q": "Number {i}?", "image": "{}.png", "a": {i}}}"#, i % 4)).collect();
    fs::write(folder.path().join("f.jsonl"), lines.join("\n")).unwrap();
    lines.reverse();
    fs::write(folder.path().join("g.jsonl"), lines.join("\n")).unwrap();
    let questions = |file: &str, portion| {
        let text = format!(
            "[set]\nrole = 'out_of_domain'\nlicence = 'MIT'\nverifier = 'number'\nprompt = '{{question}}'\n\
             format = 'jsonl'\nanswer_type = 'number'\n{}",
            FILE.replace("f.parquet", file)
        );
        let catalog = Catalog::parse(&text, "datasets.toml").unwrap();
        let name = "set".parse().unwrap();
        let rows = open(&name, catalog.get(&name).unwrap(), folder.path(), portion, None).unwrap();
        let mut all: Vec<String> = (0..rows.len()).map(|i| rows.row(i).unwrap().question).collect();
        all.sort();
        all
    };
    let (selection, report) =
        (questions("f.jsonl", Portion::Selection), questions("f.jsonl", Portion::Report));
    assert!(selection.iter().all(|question| !report.contains(question)));
    assert_eq!(selection.len() + report.len(), 200);
    // Binomial(200, 1/2): 100 ± 7; five standard deviations.
    assert!((65..=135).contains(&selection.len()), "{}", selection.len());
    assert_eq!(selection, questions("g.jsonl", Portion::Selection));
    assert_eq!(questions("f.jsonl", Portion::All).len(), 200);
}

#[test]
fn a_benchmark_with_two_sets_of_files_keeps_them_apart() {
    let folder = tempfile::tempdir().unwrap();
    write_pictures(folder.path());
    let line = |answer: u8| format!(r#"{{"q": "What?", "image": "0.png", "a": {answer}}}"#);
    fs::write(folder.path().join("f.jsonl"), [line(1), line(2)].join("\n")).unwrap();
    fs::write(folder.path().join("g.jsonl"), line(3)).unwrap();
    let lengths = |report: &str| {
        let text = format!(
            "[set]\nrole = 'out_of_domain'\nlicence = 'MIT'\nverifier = 'number'\nprompt = '{{question}}'\n\
             format = 'jsonl'\nanswer_type = 'number'\n{}",
            FILE.replace("files = 'f.parquet'", &format!("selection = 'f.jsonl'\nreport = '{report}'"))
        );
        let catalog = Catalog::parse(&text, "datasets.toml").unwrap();
        let name = "set".parse().unwrap();
        [Portion::Selection, Portion::Report, Portion::All].map(|portion| {
            open(&name, catalog.get(&name).unwrap(), folder.path(), portion, None).map(|rows| rows.len())
        })
    };
    assert_eq!(lengths("g.jsonl").map(Result::unwrap), [2, 1, 3]);
    let error = lengths("*.jsonl")[0].as_ref().unwrap_err().to_string();
    assert!(error.starts_with("f.jsonl is in the selection and in the report half"), "{error}");
}

// ---- Pictures ----

#[test]
fn pictures_of_every_kind_come_out_as_a_viewer_shows_them() {
    let half = |value: u8| Rgb([value; 3]);
    check_pixels(
        "rgb",
        DynamicImage::ImageRgb8(RgbImage::from_pixel(2, 1, Rgb([1, 2, 3]))),
        &[Rgb([1, 2, 3]); 2],
    );
    check_pixels("grey", DynamicImage::ImageLuma8(ImageBuffer::from_pixel(1, 1, Luma([7]))), &[half(7)]);
    // 255 × 128/255 + 0 × … on white: 0 at alpha 128 gives 255 − 128 = 127.
    let rgba = ImageBuffer::from_fn(3, 1, |x, _| Rgba([0, 0, 0, [0, 128, 255][x as usize]]));
    check_pixels("rgba", DynamicImage::ImageRgba8(rgba), &[half(255), half(127), half(0)]);
    let grey_alpha = ImageBuffer::from_fn(2, 1, |x, _| LumaA([100, [0, 255][x as usize]]));
    check_pixels("grey with alpha", DynamicImage::ImageLumaA8(grey_alpha), &[half(255), half(100)]);
    // 16 bits: v/257 to the nearest.
    let deep = ImageBuffer::from_fn(3, 1, |x, _| Luma([[0_u16, 0x8080, 0xffff][x as usize]]));
    check_pixels("16-bit grey", DynamicImage::ImageLuma16(deep), &[half(0), half(128), half(255)]);
    let deep = ImageBuffer::from_pixel(1, 1, Rgb([257_u16, 514, 65535]));
    check_pixels("16-bit rgb", DynamicImage::ImageRgb16(deep), &[Rgb([1, 2, 255])]);
    let palette = decode(&stored("palette.png")).unwrap();
    let expected = [Rgb([255, 0, 0]), Rgb([0, 128, 0]), Rgb([0, 0, 255]), half(255)];
    assert_eq!(palette.pixels().copied().collect::<Vec<_>>(), expected);
}

fn check_pixels(kind: &str, image: DynamicImage, expected: &[Rgb<u8>]) {
    let any = [ImageFormat::Png, ImageFormat::Tiff, ImageFormat::Bmp, ImageFormat::Gif, ImageFormat::WebP];
    for &format in if kind == "rgb" { &any[..] } else { &any[..2] } {
        let grey_alpha_in_tiff = format == ImageFormat::Tiff && kind == "grey with alpha";
        if grey_alpha_in_tiff {
            continue; // The encoder does not write it.
        }
        let decoded = decode(&Picture::Encoded(encoded(&image, format).into())).unwrap();
        assert_eq!(decoded.pixels().copied().collect::<Vec<_>>(), expected, "{kind} as {format:?}");
    }
}

fn stored(file: &str) -> Picture {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(file);
    Picture::Encoded(fs::read(path).unwrap().into())
}

#[test]
fn inks_of_a_cmyk_jpeg_become_their_colours() {
    let image = decode(&stored("cmyk.jpg")).unwrap();
    for ((x, y), colour) in
        [((8, 8), [0, 255, 255]), ((24, 8), [255; 3]), ((8, 24), [0; 3]), ((24, 24), [255, 0, 255])]
    {
        let found = image.get_pixel(x, y).0;
        // JPEG at quality 95 keeps flat blocks to a few grey levels.
        assert!(found.iter().zip(colour).all(|(a, b)| a.abs_diff(b) <= 4), "({x}, {y}): {found:?}");
    }
}

#[test]
fn rotations_of_exif_are_applied_to_pixels_and_size() {
    // Left half black, right half white; turned right by 90° the black half is on top.
    let image = RgbImage::from_fn(32, 16, |x, _| Rgb([if x < 16 { 0 } else { 255 }; 3]));
    let jpeg = encoded(&DynamicImage::ImageRgb8(image), ImageFormat::Jpeg);
    for (orientation, expected_size, top_left, bottom_left) in [
        (1, (32, 16), 0, 0),
        (2, (32, 16), 255, 255),
        (3, (32, 16), 255, 255),
        (6, (16, 32), 0, 255),
        (8, (16, 32), 255, 0),
    ] {
        let picture = Picture::Encoded(with_orientation(&jpeg, orientation).into());
        let turned = decode(&picture).unwrap();
        assert_eq!(turned.dimensions(), expected_size);
        assert_eq!(size(&picture).unwrap(), expected_size);
        let at = |x, y| turned.get_pixel(x, y).0[0];
        assert!(at(1, 1).abs_diff(top_left) < 8, "orientation {orientation}");
        assert!(at(1, expected_size.1 - 2).abs_diff(bottom_left) < 8, "orientation {orientation}");
    }
}

/// Puts an EXIF segment behind the first two bytes of a JPEG.
fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let tiff =
        [b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".as_slice(), &[orientation, 0, 0, 0], &[0; 4]]
            .concat();
    let length = (2 + 6 + tiff.len()) as u16;
    [&jpeg[..2], &[0xff, 0xe1], &length.to_be_bytes(), b"Exif\0\0", &tiff, &jpeg[2..]].concat()
}

/// A picture that is no single colour, so that its pixels fill a scan.
fn noise() -> image::RgbImage {
    image::RgbImage::from_fn(64, 48, |x, y| {
        image::Rgb([(x * 37 % 256) as u8, (x * y % 251) as u8, (y * 91 % 256) as u8])
    })
}

#[test]
fn a_picture_that_is_cut_off_is_an_error_in_every_format() {
    use image::ImageFormat::{Bmp, Gif, Jpeg, Png, Tiff, WebP};
    for format in [Png, Jpeg, Gif, Bmp, Tiff, WebP] {
        let mut whole = Cursor::new(Vec::new());
        noise().write_to(&mut whole, format).unwrap();
        let whole = whole.into_inner();
        let read = |bytes: &[u8]| decode(&Picture::Encoded(bytes.into()));
        assert!(read(&whole).is_ok(), "{format:?}");
        for percent in [10, 30, 50, 70, 90] {
            let cut = &whole[..whole.len() * percent / 100];
            assert!(matches!(read(cut), Err(BadPicture::Unreadable(_))), "{format:?} cut at {percent} %");
        }
        // What follows the picture is not looked at.
        assert_eq!(read(&[&whole[..], b"more"].concat()), read(&whole), "{format:?}");
    }
    // Decoders are content with the pixels; Pillow is not.
    let mut whole = Cursor::new(Vec::new());
    noise().write_to(&mut whole, Jpeg).unwrap();
    let whole = whole.into_inner();
    for exif in [whole.clone(), with_orientation(&whole, 6)] {
        for less in [1, 2, 3, 100] {
            let cut = Picture::Encoded(exif[..exif.len() - less].into());
            assert_eq!(decode(&cut), Err(BadPicture::Unreadable("the file is cut off".to_owned())), "{less}");
        }
    }
}

#[test]
fn pictures_that_are_cut_too_large_or_nothing_are_errors() {
    let bad = |bytes: &[u8]| decode(&Picture::Encoded(bytes.into())).unwrap_err();
    assert_eq!(bad(&bomb()), BadPicture::TooLarge { width: 60_000, height: 60_000 });
    assert!(matches!(bad(b""), BadPicture::Unreadable(_)));
    assert!(matches!(bad(b"<svg/>"), BadPicture::Unreadable(_)));
    let whole = png(1);
    for length in 0..whole.len() - 20 {
        assert!(matches!(bad(&whole[..length]), BadPicture::Unreadable(_)), "{length}");
    }
    let wrong = Picture::Rgb { width: 2, height: 2, pixels: [0_u8; 3].into() };
    assert_eq!(decode(&wrong), Err(BadPicture::Empty { width: 2, height: 2 }));
}

// ---- Real files ----

struct Slice {
    name: &'static str,
    rows: u64,
    bad: u64,
    answers: &'static [(&'static str, u64)],
    /// Row, start of the question, answer, bytes of the first picture: read off the files with another program.
    seen: &'static [(u64, &'static str, &'static str, usize)],
}

const SLICES: &[Slice] = &[
    // One box of either file has no width or height.
    Slice {
        name: "bccd_detect",
        rows: 518,
        bad: 1,
        answers: &[("boxes", 517)],
        seen: &[
            (1, "Find all cells of the kind WBC", "[[68,315,286,480]]", 22811),
            (517, "Find all cells of the kind Platelets", "[[1,281,21,316],[383,254,424,284]]", 20757),
            (0, "Find all cells of the kind RBC", "[[346,361,446,454],[53,179,146,299],", 22811),
        ],
    },
    Slice {
        name: "bccd_detect_val",
        rows: 214,
        bad: 1,
        answers: &[("boxes", 213)],
        seen: &[
            (1, "Find all cells of the kind WBC", "[[260,177,491,376]]", 23302),
            (2, "Find all cells of the kind RBC", "[[385,98,523,198],[384,164,499,260],", 22257),
            (213, "Find all cells of the kind Platelets", "[[239,275,291,321],[121,260,189,320],", 19864),
        ],
    },
    Slice {
        name: "bccd_count",
        rows: 518,
        bad: 0,
        answers: &[("number", 518)],
        seen: &[
            (0, "How many red blood cells are in the image?", "18", 22811),
            (100, "How many red blood cells are in the image?", "11", 19922),
            (517, "How many platelets are in the image?", "2", 20757),
        ],
    },
    Slice {
        name: "bccd_count_val",
        rows: 214,
        bad: 0,
        answers: &[("number", 214)],
        seen: &[
            (0, "How many red blood cells are in the image?", "19", 23302),
            (100, "How many white blood cells are in the image?", "1", 21980),
            (213, "How many platelets are in the image?", "4", 19864),
        ],
    },
    Slice {
        name: "tabmwp",
        rows: 450,
        bad: 0,
        answers: &[("choice", 118), ("expression", 18), ("number", 314)],
        seen: &[
            (
                0,
                "The table shows a function. Is the function linear or nonlinear?\nA. linear\nB. nonlinear",
                "B",
                2416,
            ),
            (1, "As part of a statistics project", "10", 7687),
            (449, "The bird-watching club recorded", "A", 14385),
        ],
    },
    Slice {
        name: "tabmwp_val",
        rows: 150,
        bad: 0,
        answers: &[("choice", 34), ("expression", 6), ("number", 110)],
        seen: &[
            (0, "The librarian at the public library", "90", 9239),
            (1, "How much money does Abdul need", "133", 11416),
            (149, "As part of a statistics project", "3", 9434),
        ],
    },
    Slice {
        name: "nlvr",
        rows: 789,
        bad: 0,
        answers: &[("text", 789)],
        seen: &[
            (0, "Is this statement true of the picture? Each grey box contains atleast", "true", 0),
            (400, "Is this statement true of the picture? There is at least one black block", "true", 0),
            (788, "Is this statement true of the picture? there is a tower with a four", "false", 0),
        ],
    },
    Slice {
        name: "nlvr_val",
        rows: 200,
        bad: 0,
        answers: &[("text", 200)],
        seen: &[
            (0, "Is this statement true of the picture? There are only two towers", "true", 0),
            (100, "Is this statement true of the picture? There is 1 tower with a black", "true", 0),
            (199, "Is this statement true of the picture? There are 3 blue blocks", "true", 0),
        ],
    },
    Slice {
        name: "mathv",
        rows: 300,
        bad: 0,
        answers: &[("choice", 182), ("number", 118)],
        seen: &[
            (0, "Which number should be written in place of the question mark?", "60", 22707),
            (1, "Which bike is most expensive?", "A", 58275),
            (299, "Three circles with centres", "6", 9244),
        ],
    },
    Slice {
        name: "mathv_val",
        rows: 100,
        bad: 0,
        answers: &[("choice", 60), ("number", 40)],
        seen: &[
            (0, "Each face of the polyhedron", "8", 7455),
            (1, "Julia has 2017 round discs", "E", 20461),
            (99, "The construction in the picture", "21", 8614),
        ],
    },
];

#[test]
#[expect(clippy::print_stdout, reason = "a skipped test says why")]
fn the_real_slices_are_read_completely() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/real");
    if !root.is_dir() {
        println!("skipped: there is no {}", root.display());
        return;
    }
    let catalog = Catalog::embedded();
    for slice in SLICES {
        let (rows, found) = read_slice(&catalog, slice.name, &root);
        assert_eq!((found.checked, found.n_bad), (slice.rows, slice.bad), "{}: {:?}", slice.name, found.bad);
        let answers: Vec<(&str, u64)> = found.answers.iter().map(|(kind, n)| (kind.as_str(), *n)).collect();
        assert_eq!(answers, slice.answers, "{}", slice.name);
        for (row, question, answer, bytes) in slice.seen {
            let sample = rows.row(*row).unwrap();
            assert!(sample.question.starts_with(question), "{} {row}: {}", slice.name, sample.question);
            assert!(!sample.question.contains("<image"), "{} {row}: {}", slice.name, sample.question);
            let written = sample.answer.written();
            assert!(written == *answer || answer.ends_with(',') && written.starts_with(answer), "{written}");
            assert!(*bytes == 0 || encoded_length(&sample) == *bytes, "{} {row}", slice.name);
        }
    }
}

fn encoded_length(sample: &Sample) -> usize {
    match &sample.pictures[..] {
        [Picture::Encoded(bytes)] => bytes.len(),
        other => panic!("{} pictures", other.len()),
    }
}

fn read_slice(catalog: &Catalog, name: &str, root: &Path) -> (Box<dyn Rows>, Check) {
    let name = name.parse().unwrap();
    let rows: Box<dyn Rows> =
        Box::new(open(&name, catalog.get(&name).unwrap(), root, Portion::All, None).unwrap());
    let found = scan(rows.as_ref(), u64::MAX, |_, _| (), |_| ());
    (rows, found)
}

#[test]
fn a_scan_reports_sizes_and_the_majority_answer_of_the_rows_asked_for() {
    let folder: TempDir = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("f.jsonl");
    write_pictures(folder.path());
    let row = |i: usize, answer: u8| format!(r#"{{"q": "What?", "image": "{i}.png", "a": {answer}}}"#);
    fs::write(&path, [row(0, 5), row(0, 5), row(1, 7)].join("\n")).unwrap();
    let rows = open_table(folder.path(), &format!("format = 'jsonl'\n{}", FILE.replace("parquet", "jsonl")))
        .unwrap();
    let found = scan(rows.as_ref(), u64::MAX, |_, _| (), |_| ());
    assert_eq!(found.frequent_answers, [("5".to_owned(), 2), ("7".to_owned(), 1)]);
    assert_eq!(
        (found.most_frequent_answer, found.most_frequent_share),
        (Some("5".to_owned()), Some(2.0 / 3.0))
    );
    assert_eq!((found.pictures, found.distinct_pictures), (3, 2));
    assert_eq!([found.smallest, found.median, found.largest], [Some((4, 3)); 3]);
    assert_eq!(scan(rows.as_ref(), 2, |_, _| (), |_| ()).checked, 2);
}
