//! What readers say about bad input: one row per case, with the exact message.

use std::{
    fs::{self, File},
    io::{Seek as _, SeekFrom, Write as _},
    net::TcpListener,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use arrow::{
    array::{ArrayRef, BinaryArray, Float64Array, ListArray, RecordBatch, StringArray},
    buffer::OffsetBuffer,
    datatypes::{DataType, Field, Schema},
};
use modo::{
    data::{self, Catalog, FileRows, Portion, picture},
    error::Result,
    sample::{Picture, Rows},
};
use parquet::{
    arrow::{ArrowWriter, add_encoded_arrow_schema_to_metadata, arrow_writer::ArrowWriterOptions},
    file::properties::WriterProperties,
};

/// A dataset of numbers in `f`, in this format, with these further keys or other values of them.
fn open(root: &Path, format: &str, keys: &str, cache: Option<&Path>) -> Result<FileRows> {
    let mut table: toml::Table = toml::from_str(&format!(
        "role = 'train'\nlicence = 'CC0-1.0'\nprompt = '{{question}}'\nverifier = 'number'\nanswer_type = 'number'\n\
         format = '{format}'\nfiles = 'f'\nquestion = 'q'\nanswer = 'a'\nimages = 'i'"
    ))
    .unwrap();
    table.extend(toml::from_str::<toml::Table>(keys).unwrap());
    let catalog = toml::to_string(&toml::Table::from_iter([("set".to_owned(), table.into())])).unwrap();
    let catalog = Catalog::parse(&catalog, "datasets.toml")?;
    let name = "set".parse().unwrap();
    data::open(&name, catalog.get(&name)?, root, Portion::All, cache)
}

const BOXES: &str = "answer_type = 'boxes'\nverifier = 'boxes'\n";
const CHOICE: &str = "answer_type = 'choice'\nverifier = 'choice'\noptions = 'o'\n";
const COCO: &str = "answer_type = 'boxes'\nverifier = 'boxes'\nquestion = 'Find every {category}.'\n";
const REASONSEG: &str =
    "answer_type = 'boxes'\nverifier = 'boxes'\nquestion = 'Find {text}.'\nfiles = 'f.json'\n";

/// What opening a dataset and reading its first row says.
fn said(root: &Path, format: &str, keys: &str) -> String {
    match open(root, format, keys, None) {
        Err(error) => error.to_string(),
        Ok(rows) => rows.row(0).map_or_else(|bad| bad.to_string(), |_| "nothing".to_owned()),
    }
}

/// A folder with one good picture, `0.png`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    image::RgbImage::from_pixel(4, 3, image::Rgb([9, 0, 0])).save(folder.path().join("0.png")).unwrap();
    folder
}

fn good_png() -> Vec<u8> {
    fs::read(folder().path().join("0.png")).unwrap()
}

fn check(format: &str, keys: &str, content: &[u8], expected: &str) {
    let folder = folder();
    let file = if keys.contains("f.json") { "f.json" } else { "f" };
    fs::write(folder.path().join(file), content).unwrap();
    assert_eq!(said(folder.path(), format, keys), expected, "{format} {keys}");
}

/// Most memory of this process until now, where the system tells it (Linux): all tests of this file together.
fn peak_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Less than any test here would need that held what it is to refuse.
const MOST_MIB: u64 = 512;

fn row(image: &str) -> Vec<u8> {
    serde_json::json!({"q": "What?", "i": image, "a": 1}).to_string().into_bytes()
}

fn parquet(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn texts(text: &str) -> ArrayRef {
    Arc::new(StringArray::from_iter_values([text]))
}

fn pictures() -> ArrayRef {
    Arc::new(BinaryArray::from_iter_values([good_png()]))
}

fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

// ---- Nothing there ----

#[test]
fn a_dataset_without_rows_says_so() {
    let none = "the files hold no rows\n  in dataset `set`";
    check("jsonl", "", b"", none);
    check("jsonl", "", b"\n \n", none);
    check("json", "", b"[]", none);
    check("json", "", b"", "the file ends in the middle\n  in f\n  in dataset `set`");
    check("csv", "", b"q,a,i\n", none);
    check("coco", COCO, br#"{"images": [], "annotations": [], "categories": []}"#, none);
    check("webdataset", "", &tar(&[]), none);
    let nothing = [("q", ""), ("a", ""), ("i", "")].map(|(name, text)| (name, texts(text).slice(0, 0)));
    check("parquet", "", &parquet(nothing.into()), none);
    let (folder, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let error = said(root.path(), "folder", "files = '*/*.png'\nanswer_type = 'text'\nverifier = 'text'");
    assert_eq!(
        error,
        format!("no file matches `*/*.png` below {}\n  in dataset `set`", root.path().display())
    );
    let gone = folder.path().join("gone");
    let error = said(&gone, "jsonl", "");
    let expected = format!(
        "the data root {}: No such file or directory (os error 2)\n  in dataset `set`\nhint: give the folder with `--data-root`",
        gone.display()
    );
    assert_eq!(error, expected);
}

#[test]
fn a_dataset_of_one_row_is_read() {
    let folder = folder();
    fs::write(folder.path().join("f"), row("0.png")).unwrap();
    let rows = open(folder.path(), "jsonl", "", None).unwrap();
    assert_eq!((rows.len(), rows.row(0).unwrap().question.as_str()), (1, "What?"));
    assert_eq!(rows.row(1).unwrap_err().to_string(), "dataset `set`, row 1: there are 1 rows");
}

// ---- Columns ----

#[test]
fn a_misspelt_column_is_named_beside_those_that_there_are() {
    let line = br#"{"q": "What?", "i": "0.png", "a": 1}"#;
    let missing = |column: &str, what: &str, known: &str| {
        format!("{what} `{column}`\n  in f, column `{column}`\n  in dataset `set`\nhint: there are {known}")
    };
    for (key, column) in [("question", "qq"), ("answer", "aa"), ("images", "ii"), ("options", "oo")] {
        let keys = format!("{key} = '{column}'");
        let no_row = missing(column, "no row has a column", "`a`, `i`, `q`");
        check("jsonl", &keys, line, &no_row);
        check("json", &keys, &[b"[".as_slice(), line, b"]"].concat(), &no_row);
        check(
            "csv",
            &keys,
            b"q,i,a\nWhat?,0.png,1\n",
            &missing(column, "there is no column", "`q`, `i`, `a`"),
        );
        let columns = vec![("q", texts("What?")), ("i", pictures()), ("a", texts("1"))];
        check("parquet", &keys, &parquet(columns), &missing(column, "there is no column", "`q`, `i`, `a`"));
        let shard = tar(&[("1.json", line), ("1.png", &good_png())]);
        let keys = if key == "images" { keys } else { format!("images = 'png'\n{keys}") };
        check(
            "webdataset",
            &keys,
            &shard,
            &missing(column, "no row has a column", "`a`, `i`, `json`, `png`, `q`"),
        );
    }
    let separated = "the names in the first line are separated by `;`; CSV is read with commas: write the file anew with them";
    let no_column = "there is no column `q`\n  in f, column `q`\n  in dataset `set`";
    check("csv", "", b"q;i;a\nWhat?;0.png;1\n", &format!("{no_column}\nhint: {separated}"));
    // Optional pictures do not hide a misspelt column of them.
    check(
        "jsonl",
        "images = 'ii'\npictures = 'optional'",
        line,
        &missing("ii", "no row has a column", "`a`, `i`, `q`"),
    );
    check("jsonl", "images = '{split}/{i}'", line, &missing("split", "no row has a column", "`a`, `i`, `q`"));
}

#[test]
fn a_column_that_one_of_several_files_lacks_is_no_error() {
    let folder = folder();
    fs::write(folder.path().join("f1"), br#"{"q": "A or B?", "i": "0.png", "a": "B"}"#).unwrap();
    fs::write(folder.path().join("f2"), br#"{"q": "Which?", "i": "0.png", "a": "y", "o": ["x", "y"]}"#)
        .unwrap();
    let rows = open(folder.path(), "jsonl", &format!("{CHOICE}files = 'f?'"), None).unwrap();
    assert_eq!([0, 1].map(|row| rows.row(row).unwrap().options.len()), [0, 2]);
}

#[test]
fn a_row_of_a_file_without_a_column_says_that_the_file_has_none() {
    let folder = folder();
    let lines = [
        br#"{"q": "What?", "i": "0.png", "a": 1}"#.as_slice(),
        br#"{"q": "What?", "image": "0.png", "a": 1}"#,
        br#"{"q": "What?", "i": "0.png", "gold": 1}"#,
        br#"{"q": "What?", "i": null, "a": 1}
{"q": "What?", "i": "0.png", "a": 1}"#,
    ];
    for (i, line) in lines.iter().enumerate() {
        fs::write(folder.path().join(format!("f{i}")), line).unwrap();
    }
    let rows = open(folder.path(), "jsonl", "files = 'f?'", None).unwrap();
    let said = |row: u64| rows.row(row).unwrap_err().to_string();
    let lacks = |file: &str, column: &str| {
        format!(
            "{file}, line 1, column `{column}`: the file has no column `{column}`, which others of the dataset have"
        )
    };
    assert_eq!([said(1), said(2)], [lacks("f1", "i"), lacks("f2", "a")]);
    assert!(said(3).contains("the row has no picture; `pictures"), "{}", said(3));
}

// ---- Rows without a picture ----

#[test]
fn rows_without_a_picture_are_bad_or_used_or_left_out_as_the_table_says() {
    let lines = br#"{"q": "No picture?", "i": null, "a": 1}
{"q": "One?", "i": "0.png", "a": 2}
{"q": "None?", "i": [], "a": 3}"#;
    let folder = folder();
    fs::write(folder.path().join("f"), lines).unwrap();
    let cache = tempfile::tempdir().unwrap();
    for cache in [None, Some(cache.path()), Some(cache.path())] {
        let read = |keys: &str| {
            let rows = open(folder.path(), "jsonl", keys, cache).unwrap();
            let row = |i| rows.row(i).map(|s| s.question).map_err(|bad| bad.to_string());
            (0..rows.len()).map(row).collect::<Vec<_>>()
        };
        let bad = |line: u8| {
            Err(format!(
                "f, line {line}, column `i`: the row has no picture; `pictures = \"optional\"` uses such rows, \
                 `\"skip\"` leaves them out"
            ))
        };
        assert_eq!(read(""), [bad(1), Ok("One?".to_owned()), bad(3)]);
        assert_eq!(
            read("pictures = 'optional'"),
            ["No picture?", "One?", "None?"].map(|q| Ok::<_, String>(q.to_owned()))
        );
        assert_eq!(read("pictures = 'skip'"), [Ok::<_, String>("One?".to_owned())]);
    }
    check(
        "jsonl",
        "pictures = 'skip'",
        br#"{"q": "No picture?", "i": null, "a": 1}"#,
        "no row has a picture, and `pictures` is `\"skip\"`\n  in dataset `set`",
    );
    // Shares of a picture's sides mean nothing without one.
    check(
        "jsonl",
        &format!("{BOXES}pictures = 'optional'\nboxes = {{ coordinates = 'rel1' }}"),
        br#"{"q": "Where?", "i": null, "a": [0, 0, 1, 1]}"#,
        "f, line 1, column `a`: boxes in relative coordinates need a picture",
    );
}

// ---- Pictures ----

/// The start of a picture that says it has so many pixels across and down, per format.
fn bombs() -> Vec<(&'static str, u32, Vec<u8>)> {
    let mut png = good_png();
    png[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
    png[20..24].copy_from_slice(&60_000_u32.to_be_bytes());
    let crc = !png[12..29].iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & 0_u32.wrapping_sub(crc & 1)))
    });
    png[29..33].copy_from_slice(&crc.to_be_bytes());
    let sides = 60_000_u16;
    let encoded = |format| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image::RgbImage::new(4, 3).write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    let mut jpeg = encoded(image::ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 7].copy_from_slice(&sides.to_be_bytes());
    jpeg[frame + 7..frame + 9].copy_from_slice(&sides.to_be_bytes());
    let mut gif = encoded(image::ImageFormat::Gif);
    gif[6..8].copy_from_slice(&sides.to_le_bytes());
    gif[8..10].copy_from_slice(&sides.to_le_bytes());
    let mut bmp = encoded(image::ImageFormat::Bmp);
    bmp[18..22].copy_from_slice(&60_000_i32.to_le_bytes());
    bmp[22..26].copy_from_slice(&60_000_i32.to_le_bytes());
    // Fourteen bits each for width and height, less one, before bits for alpha and the version.
    let mut webp = encoded(image::ImageFormat::WebP);
    assert_eq!((&webp[12..16], webp[20], webp[24]), (&b"VP8L"[..], 0x2f, 0));
    webp[21..25].copy_from_slice(&(0x3ffe_u32 | 0x3ffe << 14).to_le_bytes());
    let mut tiff = encoded(image::ImageFormat::Tiff);
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
    let entries = number(&tiff[4..8]);
    for entry in (0..number(&tiff[entries..entries + 2])).map(|i| entries + 2 + 12 * i) {
        // Width, height, and the rows that a strip has.
        if matches!(number(&tiff[entry..entry + 2]), 256 | 257 | 278) {
            tiff[entry + 8..entry + 12].copy_from_slice(&60_000_u32.to_le_bytes());
        }
    }
    vec![
        ("png", 60_000, png),
        ("jpeg", 60_000, jpeg),
        ("gif", 60_000, gif),
        ("bmp", 60_000, bmp),
        ("webp", 16_383, webp),
        ("tiff", 60_000, tiff),
    ]
}

#[test]
fn picture_bombs_are_refused_from_their_header() {
    for (format, side, bytes) in bombs() {
        let folder = folder();
        fs::write(folder.path().join("bomb"), &bytes).unwrap();
        fs::write(folder.path().join("f"), row("bomb")).unwrap();
        let expected =
            format!("f, line 1, column `i`: the picture has {side}×{side} pixels; at most 67108864 are read");
        assert_eq!(said(folder.path(), "jsonl", ""), expected, "{format}");
        let bomb = Picture::Encoded(bytes.into());
        // The quickest of some, as other tests run beside this one.
        let quickest = (0..10).map(|_| {
            let start = Instant::now();
            assert!(picture::size(&bomb).is_err() && picture::decode(&bomb).is_err(), "{format}");
            start.elapsed()
        });
        let quickest = quickest.min().unwrap();
        assert!(quickest < Duration::from_millis(10), "{format}: {quickest:?}");
    }
    // Their pixels would need ten gigabytes each.
    assert!(peak_mib() < MOST_MIB, "{} MiB", peak_mib());
}

#[test]
fn pictures_outside_the_root_or_behind_a_url_are_refused() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret.png"), good_png()).unwrap();
    let leads_out =
        |path: &str| format!("f, line 1, column `i`: the path `{path}` leads out of the dataset's folder");
    let absolute = |path: &str| {
        format!(
            "f, line 1, column `i`: the path `{path}` is absolute and not below the data root; write it relative to the file, \
             or to `image_folder`"
        )
    };
    let url = |path: &str| {
        format!("f, line 1, column `i`: `{path}` is a URL; pictures are read from files and never fetched")
    };
    // Somebody who listens hears nothing.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let own = format!("http://{}/x.png", listener.local_addr().unwrap());
    for (path, expected) in [
        (own.as_str(), url(&own)),
        ("https://example.org/x.png", url("https://example.org/x.png")),
        ("file:///etc/passwd", url("file:///etc/passwd")),
        ("s3://bucket/x.png", url("s3://bucket/x.png")),
        ("ftp://a/x.png", url("ftp://a/x.png")),
        ("data:text/plain,hello", url("data:text/plain,hello")),
        ("../secret.png", leads_out("../secret.png")),
        ("a/../../secret.png", leads_out("a/../../secret.png")),
        ("/etc/passwd", absolute("/etc/passwd")),
        ("/proc/self/environ", absolute("/proc/self/environ")),
        ("/dev/zero", absolute("/dev/zero")),
        (
            "",
            "f, line 1, column `i`: the row has no picture; `pictures = \"optional\"` uses such rows, `\"skip\"` leaves them out"
                .to_owned(),
        ),
        (
            "0.png\0.jpg",
            "f, line 1, column `i`: the path `0.png\\0.jpg` holds a zero byte, which no name of a file does".to_owned(),
        ),
        ("9.png", "f, line 1, column `i`: 9.png: No such file or directory (os error 2)".to_owned()),
        ("link.png", "f, line 1, column `i`: link.png is a link that leads out of the data root".to_owned()),
        (
            "linked/secret.png",
            "f, line 1, column `i`: linked/secret.png is a link that leads out of the data root".to_owned(),
        ),
        ("folder", "f, line 1, column `i`: folder is no file".to_owned()),
        (
            "f",
            "f, line 1, column `i`: the picture cannot be read: the bytes are of no known picture format"
                .to_owned(),
        ),
    ] {
        let folder = folder();
        fs::create_dir(folder.path().join("folder")).unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(outside.path().join("secret.png"), folder.path().join("link.png"))
                .unwrap();
            std::os::unix::fs::symlink(outside.path(), folder.path().join("linked")).unwrap();
        }
        fs::write(folder.path().join("f"), row(path)).unwrap();
        assert_eq!(said(folder.path(), "jsonl", ""), expected);
        // The other formats hold paths as well.
        let other = expected.replace("line 1", "row 0");
        let columns = vec![("q", texts("What?")), ("i", texts(path)), ("a", texts("1"))];
        fs::write(folder.path().join("f"), parquet(columns)).unwrap();
        let found = said(folder.path(), "parquet", "");
        if path != "f" {
            assert_eq!(found, other);
        }
        let coco = serde_json::json!({"images": [{"id": 1, "file_name": path}],
            "annotations": [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1]}],
            "categories": [{"id": 1, "name": "cat"}]});
        fs::write(folder.path().join("f"), coco.to_string()).unwrap();
        let found = said(folder.path(), "coco", COCO);
        let what = expected.split_once("`: ").or_else(|| expected.split_once(": ")).unwrap().1;
        assert!(path == "f" || found.ends_with(what), "{found}");
    }
    let heard = listener.accept().map(drop).unwrap_err().kind();
    assert_eq!(heard, std::io::ErrorKind::WouldBlock);
}

#[test]
fn files_outside_the_root_are_refused() {
    let hint = "write paths relative to the data root, without `..`; the root is given at run time";
    for (key, path) in [
        ("files", "../x.jsonl"),
        ("files", "/etc/passwd"),
        ("files", "a/../../x"),
        ("image_folder", "../pictures"),
    ] {
        let expected = format!(
            "dataset `set`: `{path}` leads out of the data root\n  in table [set], key `files`\n  in datasets.toml, line 1\n\
             hint: {hint}"
        );
        assert_eq!(said(folder().path(), "jsonl", &format!("{key} = '{path}'")), expected);
    }
    #[cfg(unix)]
    {
        let (inside, outside) = (folder(), folder());
        fs::write(outside.path().join("rows"), row("0.png")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("rows"), inside.path().join("f")).unwrap();
        let expected = "f is a link that leads out of the data root\n  in dataset `set`";
        assert_eq!(said(inside.path(), "jsonl", ""), expected);
        std::os::unix::fs::symlink(outside.path(), inside.path().join("pictures")).unwrap();
        fs::remove_file(inside.path().join("f")).unwrap();
        fs::write(inside.path().join("f"), row("0.png")).unwrap();
        let expected = "pictures is a link that leads out of the data root\n  in dataset `set`";
        assert_eq!(said(inside.path(), "jsonl", "image_folder = 'pictures'"), expected);
    }
}

// ---- Numbers ----

#[test]
fn numbers_that_are_none_are_refused() {
    let no_number = |place: &str, text: &str| format!("f, {place}, column `a`: `{text}` is no number");
    for text in ["NaN", "inf", "-Infinity", "1e5", "0x10", "1,2,3"] {
        let line = serde_json::json!({"q": "What?", "i": "0.png", "a": text}).to_string();
        check("jsonl", "", line.as_bytes(), &no_number("line 1", text));
    }
    check(
        "jsonl",
        "",
        br#"{"q": "What?", "i": "0.png", "a": NaN}"#,
        "f, line 1: no JSON object: expected value at byte 35 of the line",
    );
    for number in [f64::NAN, f64::INFINITY] {
        let numbers: ArrayRef = Arc::new(Float64Array::from(vec![number]));
        let columns = vec![("q", texts("What?")), ("i", pictures()), ("a", Arc::clone(&numbers))];
        // JSON, which values become, has no such number.
        check("parquet", "", &parquet(columns), "f, row 0, column `a`: the row has no answer");
        let item = Arc::new(Field::new("element", DataType::Float64, true));
        let four: ArrayRef = Arc::new(Float64Array::from(vec![0.0, 0.0, number, 1.0]));
        let list: ArrayRef = Arc::new(ListArray::new(item, OffsetBuffer::from_lengths([4]), four, None));
        let columns = vec![("q", texts("What?")), ("i", pictures()), ("a", list)];
        check(
            "parquet",
            BOXES,
            &parquet(columns),
            "f, row 0, column `a`: `[0.0,0.0,null,1.0]` is no box of four numbers",
        );
    }
    check(
        "coco",
        COCO,
        br#"{"images": [{"id": 1, "file_name": "0.png"}], "categories": [{"id": 1, "name": "cat"}],
            "annotations": [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 1e999, 1]}]}"#,
        "no COCO instances: number out of range at line 2 column 83\n  in f\n  in dataset `set`",
    );
}

// ---- Depth and length ----

#[test]
fn what_is_nested_a_million_deep_is_refused_at_once() {
    let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
    let object = "{\"x\":".repeat(1_000_000) + "1" + &"}".repeat(1_000_000);
    let field = format!("{{\"q\": \"What?\", \"i\": \"0.png\", \"a\": 1, \"x\": {deep}}}");
    let no_object =
        |place: &str, byte: &str| format!("f, {place}: no JSON object: recursion limit exceeded{byte}");
    let no_map = "no JSON object: invalid type: sequence, expected a map";
    check("jsonl", "", deep.as_bytes(), &format!("f, line 1: {no_map}"));
    check("jsonl", "", object.as_bytes(), &no_object("line 1", " at byte 636 of the line"));
    check("jsonl", "", field.as_bytes(), &no_object("line 1", " at byte 169 of the line"));
    check("json", "", format!("[{field}]").as_bytes(), &no_object("row 0", ""));
    // What is not asked for is passed over without a stack.
    let coco = format!("{{\"images\": [], \"x\": {deep}}}");
    let missing =
        "no COCO instances: missing field `annotations` at line 1 column 2000021\n  in f\n  in dataset `set`";
    check("coco", COCO, coco.as_bytes(), missing);
    let coco = format!("{{\"images\": {deep}}}");
    let wrong = "no COCO instances: invalid type: sequence, expected u64 at line 1 column 14\n  in f\n  in dataset `set`";
    check("coco", COCO, coco.as_bytes(), wrong);
    let annotation = "no ReasonSeg annotation: recursion limit exceeded at line 1 column 128\n  in f.json\n  in dataset `set`";
    check("reasonseg", REASONSEG, deep.as_bytes(), annotation);
    // The footer of a Parquet file: 100 000 columns, each with the next one in it.
    let mut footer = b"\x15\x02\x19\xfc\xa2\x8d\x06\x48\x06schema\x15\x02\0".to_vec();
    (0..100_000).for_each(|_| footer.extend(b"\x35\x02\x18\x01a\x15\x02\0"));
    footer.extend(b"\x15\x0c\x25\x02\x18\x01a\0\x16\0\x19\x0c\0");
    let file = [b"PAR1", &footer[..], &(footer.len() as u32).to_le_bytes(), b"PAR1"].concat();
    let nested = "the file cannot be read: columns are nested more than 100 deep\n  in f\n  in dataset `set`";
    check("parquet", "", &file, nested);
    let shard = tar(&[("1.json", deep.as_bytes()), ("1.png", &good_png())]);
    check(
        "webdataset",
        "images = 'png'",
        &shard,
        &format!("f, `1`, column `json`: {no_map} at line 1 column 0"),
    );
    // Inside texts that are read further: options as Python writes them, and boxes.
    let half = "[".repeat(400_000) + &"]".repeat(400_000);
    let options = serde_json::json!({"q": "What?", "i": "0.png", "a": "A", "o": half}).to_string();
    let no_options = "f, line 1, column `o`: the text is no list of options such as ['a', 'b']";
    check("jsonl", CHOICE, options.as_bytes(), no_options);
    let boxes = serde_json::json!({"q": "What?", "i": "0.png", "a": half}).to_string();
    let no_boxes = format!("f, line 1, column `a`: `{}` is no list of boxes", "[".repeat(60));
    check("jsonl", BOXES, boxes.as_bytes(), &no_boxes);
    let expression = serde_json::json!({"q": "What?", "i": "0.png", "a": format!("({half})")}).to_string();
    check("jsonl", "answer_type = 'expression'\nverifier = 'expression'", expression.as_bytes(), "nothing");
}

/// A file of a gigabyte that takes no room: what is not written reads as zeros.
fn gigabyte(path: &Path, start: &[u8], end: &[u8]) {
    let mut file = File::create(path).unwrap();
    file.write_all(start).unwrap();
    file.set_len(1 << 30).unwrap();
    file.seek(SeekFrom::End(0)).unwrap();
    file.write_all(end).unwrap();
}

#[test]
fn a_line_of_a_gigabyte_is_refused_and_never_held() {
    let long = "is longer than 16777216 bytes";
    for (format, keys, start, expected) in [
        ("jsonl", "", "{\"q\": \"", format!("line 1 {long}\n  in f\n  in dataset `set`")),
        ("json", "", "[{\"q\": \"", format!("row 0 {long}\n  in f\n  in dataset `set`")),
        ("csv", "", "q,a,i\n\"", format!("no CSV: a line {long}\n  in f\n  in dataset `set`")),
        (
            "coco",
            COCO,
            "{\"images\": [{\"id\": 1, \"file_name\": \"",
            "no COCO instances: control character (\\u0000-\\u001F) found while parsing a string at line 1 column 37\n  in f\n  in dataset `set`".to_owned(),
        ),
        (
            "reasonseg",
            REASONSEG,
            "{\"text\": \"",
            "the file has 1073741824 bytes; at most 16777216 are read\n  in f.json\n  in dataset `set`".to_owned(),
        ),
        ("parquet", "", "PAR1", "the file is no Parquet file, or is damaged: Parquet error: Invalid Parquet file. Corrupt footer\n  in f\n  in dataset `set`".to_owned()),
        ("arrow", "", "ARROW1", "the file is no Arrow file, or is damaged: Parser error: Arrow file does not contain correct footer\n  in f\n  in dataset `set`".to_owned()),
        ("webdataset", "", "", "the files hold no rows\n  in dataset `set`".to_owned()),
    ] {
        let folder = folder();
        let file = if keys.contains("f.json") { "f.json" } else { "f" };
        gigabyte(&folder.path().join(file), start.as_bytes(), b"");
        assert_eq!(said(folder.path(), format, keys), expected, "{format}");
        assert!(peak_mib() < MOST_MIB, "{format}: {} MiB", peak_mib());
    }
    // What is printable is not stopped by JSON itself.
    let folder = folder();
    let name = "a\\\"".repeat(8 << 20);
    fs::write(folder.path().join("f"), format!("{{\"images\": [{{\"id\": 1, \"file_name\": \"{name}"))
        .unwrap();
    let expected = "no COCO instances: a text has more than 16 MiB at line 1 column 16777216\n  in f\n  in dataset `set`";
    assert_eq!(said(folder.path(), "coco", COCO), expected);
}

#[test]
fn bytes_that_a_note_in_the_file_calls_a_text_are_bytes() {
    let columns: [(&str, ArrayRef); 3] = [
        ("q", Arc::new(BinaryArray::from_iter_values([b"\xff\xfe no text"]))),
        ("i", pictures()),
        ("a", texts("1")),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let noted: Vec<Field> = [("q", DataType::Utf8), ("i", DataType::Utf8), ("a", DataType::Utf8)]
        .map(|(name, data_type)| Field::new(name, data_type, true))
        .to_vec();
    let mut properties = WriterProperties::default();
    add_encoded_arrow_schema_to_metadata(&Schema::new(noted), &mut properties);
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new_with_options(&mut bytes, batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let expected = "texts are needed and the column holds Binary\n  in f, column `q`\n  in dataset `set`";
    check("parquet", "", &bytes, expected);
    // Looking for a proposal reads all columns.
    let folder = folder();
    fs::write(folder.path().join("f.parquet"), &bytes).unwrap();
    drop(data::propose::propose(folder.path(), folder.path(), None));
}

#[test]
fn a_parquet_file_cut_at_any_kilobyte_is_called_damaged() {
    // 60 rows of noise, which no encoding makes smaller.
    let mut noise = blake3::Hasher::new().finalize_xof();
    let rows: Vec<Vec<u8>> = (0..60)
        .map(|_| {
            let mut pixels = vec![0; 30 * 40 * 3];
            noise.fill(&mut pixels);
            let mut png = std::io::Cursor::new(Vec::new());
            image::RgbImage::from_raw(40, 30, pixels)
                .unwrap()
                .write_to(&mut png, image::ImageFormat::Png)
                .unwrap();
            png.into_inner()
        })
        .collect();
    let bytes = parquet(vec![
        ("q", Arc::new(StringArray::from_iter_values(["What?"; 60])) as ArrayRef),
        ("i", Arc::new(BinaryArray::from_iter_values(rows))),
        ("a", Arc::new(Float64Array::from(vec![1.0; 60]))),
    ]);
    assert!(bytes.len() > 200_000);
    let (folder, cache) = (folder(), tempfile::tempdir().unwrap());
    for length in (0..bytes.len()).step_by(1000) {
        fs::write(folder.path().join("f"), &bytes[..length]).unwrap();
        for cache in [None, Some(cache.path())] {
            let error = open(folder.path(), "parquet", "", cache).err().unwrap().to_string();
            let expected = "the file is no Parquet file, or is damaged: ";
            assert!(
                error.starts_with(expected) && error.ends_with("\n  in f\n  in dataset `set`"),
                "{length}: {error}"
            );
        }
    }
    fs::write(folder.path().join("f"), &bytes).unwrap();
    assert_eq!(open(folder.path(), "parquet", "", None).unwrap().len(), 60);
}

// ---- Files that change ----

#[test]
fn files_that_vanish_or_shrink_while_a_run_reads_them_are_named() {
    let folder = folder();
    let lines = [row("0.png"), row("1.png"), row("2.png")].join(&b'\n');
    (1..3).for_each(|i| drop(fs::copy(folder.path().join("0.png"), folder.path().join(format!("{i}.png")))));
    fs::write(folder.path().join("f"), &lines).unwrap();
    let cache = tempfile::tempdir().unwrap();
    for cache in [None, Some(cache.path())] {
        let rows = open(folder.path(), "jsonl", "", cache).unwrap();
        assert!((0..3).all(|row| rows.row(row).is_ok()));
        let moved = folder.path().join("moved");
        fs::rename(folder.path().join("1.png"), &moved).unwrap();
        let expected = if cache.is_some() {
            "set/f:1: 1.png: No such file or directory (os error 2)"
        } else {
            "f, line 2, column `i`: 1.png: No such file or directory (os error 2)"
        };
        assert_eq!(rows.row(1).unwrap_err().to_string(), expected);
        assert!(rows.row(2).is_ok());
        fs::rename(&moved, folder.path().join("1.png")).unwrap();
        // The file of rows: an index holds all of it, a reader without one keeps it open.
        fs::remove_file(folder.path().join("f")).unwrap();
        assert!(rows.row(2).is_ok());
        fs::write(folder.path().join("f"), &lines).unwrap();
    }
    let rows = open(folder.path(), "jsonl", "", None).unwrap();
    File::options().write(true).open(folder.path().join("f")).unwrap().set_len(40).unwrap();
    assert_eq!(
        rows.row(2).unwrap_err().to_string(),
        "f, line 3: the file changed while it was read: failed to fill whole buffer"
    );
}
