//! What a folder of files is as a dataset: the table of the catalogue that its own contents suggest.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use super::{
    clean,
    config::{AnswerIs, AnswerType, DatasetConfig},
    readers::{
        peek::{self, JsonKind, Peek},
        role,
    },
    split::Split,
};
use crate::name::Name;

/// How deep files are looked for.
const DEPTH: usize = 4;

/// Most files that are looked at.
const MOST_FILES: usize = 100_000;

/// Most patterns of shards; where there would be more, they are of folders.
const MOST_SHARDS: usize = 20;

/// Names of columns that hold questions, the best first; `a.0.b` leads into nested values.
const QUESTIONS: [&str; 13] = [
    "problem",
    "question",
    "query",
    "instruction",
    "prompt",
    "conversations.0.value",
    "messages.0.content",
    "prompt.0.content",
    "texts.0.user",
    "txt",
    "caption",
    "text",
    "sentence",
];

/// Likewise answers. A `solution` beside an `answer` is how to get there.
const ANSWERS: [&str; 19] = [
    "correct_answer",
    "answer",
    "ground_truth",
    "reward_model.ground_truth",
    "solution",
    "label",
    "answers",
    "gold",
    "target",
    "conversations.1.value",
    "messages.1.content",
    "texts.0.assistant",
    "cls",
    "output",
    "response",
    "bbox",
    "bbox_2d",
    "bboxes",
    "boxes",
];

/// Likewise options.
const OPTIONS: [&str; 4] = ["choices", "options", "candidates", "answers"];

/// Likewise pictures.
const PICTURES: [&str; 8] =
    ["decoded_image", "images", "image", "image_bytes", "picture", "file_name", "img", "image_path"];

/// Likewise turns with pictures among their words.
const IN_TURNS: [&str; 3] = ["messages.user.content", "conversations.user.content", "prompt.user.content"];

/// Endings of pictures.
const ENDINGS: [&str; 8] = ["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff"];

/// A table for the catalogue.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// What to call it.
    pub name: Name,
    /// Its keys, in the order they are written.
    pub table: Vec<(&'static str, toml::Value)>,
    /// The same, checked.
    pub config: DatasetConfig,
    /// What a person should look at.
    pub notes: Vec<String>,
}

impl Proposal {
    /// As it is written into a catalogue.
    pub fn to_toml(&self) -> String {
        let width = self.table.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
        let lines = self.table.iter().map(|(key, value)| format!("{key:width$} = {}\n", on_one_line(value)));
        format!("[{}]\n{}", self.name, lines.collect::<String>())
    }
}

/// The tables that the files at `path` suggest: one to train on, and one per split that is held out.
///
/// `path` lies below `root`, the data root. `name`: what to call the first; else the folder's own name.
pub fn propose(path: &Path, root: &Path, name: Option<&Name>) -> Result<Vec<Proposal>, String> {
    let root = root.canonicalize().map_err(|e| format!("the data root {}: {e}", root.display()))?;
    let path = path.canonicalize().map_err(|e| format!("{}: {e}", path.display()))?;
    let Ok(below) = path.strip_prefix(&root) else {
        return Err(format!(
            "{} is not below the data root {}; give a root above it with `--data-root`",
            path.display(),
            root.display()
        ));
    };
    let mut files = Vec::new();
    if path.is_dir() {
        collect(&path, &root, DEPTH, &mut files)?;
    } else {
        files.push(path.clone());
    }
    files.sort();
    let Chosen { format, mut files, notes } = choose(&files)?;
    let base = match name {
        Some(name) => name.clone(),
        None => own_name(below, &path)?,
    };
    let mut splits: BTreeMap<Split, Vec<PathBuf>> = BTreeMap::new();
    if format == "folder" {
        files.retain(|file| file.parent() != Some(path.as_path()));
        if files.is_empty() {
            return Err("there are only pictures, and nothing says what their answers are: put them into folders named after \
                        their answers, or put a `metadata.csv` with the columns `file_name`, `question` and `answer` beside them"
                .to_owned());
        }
    }
    let mut notes = [notes, doubtful(&files, &path)].concat();
    for file in files {
        splits.entry(Split::of(file.strip_prefix(&path).unwrap_or(&file))).or_default().push(file);
    }
    let trained = splits.contains_key(&Split::Train);
    let mut proposals = Vec::new();
    for (split, files) in &splits {
        let mut found = mapping(format, &files[0], &root)?;
        // What is said of all files is said once.
        found.notes.splice(0..0, std::mem::take(&mut notes));
        let role = match split {
            Split::Train => "train",
            _ if trained => "in_domain",
            _ => "out_of_domain",
        };
        let name = match split {
            Split::Train => base.clone(),
            _ if !trained && splits.len() == 1 => base.clone(),
            split => format!("{base}_{}", split.word()).parse().map_err(|e| format!("{e}"))?,
        };
        let mut table: Vec<(&'static str, toml::Value)> = vec![("role", role.into())];
        if role == "in_domain" {
            table.push(("of", base.as_str().into()));
        }
        table.push(("format", format.into()));
        table.push(("files", patterns(files, &root, path.is_dir().then_some(path.as_path()))));
        table.append(&mut found.keys);
        table.push(("licence", "not stated".into()));
        let config = DatasetConfig::from_table(
            &name,
            table.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect(),
        )
        .map_err(|e| e.to_string())?;
        proposals.push(Proposal { name, table, config, notes: found.notes });
    }
    Ok(proposals)
}

/// A value as people write it: texts on one line, with `\n` in them.
fn on_one_line(value: &toml::Value) -> String {
    match value {
        // What JSON escapes, TOML escapes alike.
        toml::Value::String(text) => serde_json::Value::from(text.as_str()).to_string(),
        toml::Value::Array(items) => {
            format!("[{}]", items.iter().map(on_one_line).collect::<Vec<_>>().join(", "))
        }
        toml::Value::Table(table) => {
            let pairs = table.iter().map(|(key, value)| format!("{key} = {}", on_one_line(value)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn own_name(below: &Path, path: &Path) -> Result<Name, String> {
    let own = if below.as_os_str().is_empty() { path } else { below };
    let stem = if path.is_dir() { own.file_name() } else { own.file_stem() };
    let text: String = stem
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .take(56)
        .collect();
    text.trim_matches('_').parse().map_err(|e| format!("{e}; give one with `--name`"))
}

/// The files of rows of one part of a folder.
pub(super) fn part(folder: &Path, root: &Path, split: &str) -> Result<Vec<PathBuf>, String> {
    let split: Split = split.parse()?;
    let mut files = Vec::new();
    collect(folder, root, DEPTH, &mut files)?;
    files.sort();
    let mut files = choose(&files)?.files;
    files.retain(|file| Split::of(file.strip_prefix(folder).unwrap_or(file)) == split);
    Ok(files)
}

fn collect(folder: &Path, root: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), String> {
    for entry in fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))? {
        let entry = entry.map_err(|e| e.to_string())?;
        let kind = entry.file_type().map_err(|e| e.to_string())?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if kind.is_dir() && depth > 0 && !hidden {
            collect(&entry.path(), root, depth - 1, files)?;
            continue;
        }
        // The cache of Hugging Face is made of links to files beside them.
        let linked = || entry.path().canonicalize().is_ok_and(|to| to.starts_with(root) && to.is_file());
        if (kind.is_file() || kind.is_symlink() && linked()) && !hidden && files.len() < MOST_FILES {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// What a file is, by its name: in small letters, whether packed or not.
fn ending(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let ending = written_ending(&name).to_lowercase();
    let bare = ending.strip_suffix(".gz").or_else(|| ending.strip_suffix(".zst"));
    bare.unwrap_or(&ending).to_owned()
}

/// The ending as it is written, which is what a pattern needs: `JPG`, `jsonl.gz`.
fn written_ending(name: &str) -> &str {
    let small = name.to_ascii_lowercase();
    let packing = [".gz", ".zst"].into_iter().find(|packing| small.ends_with(packing)).map_or(0, str::len);
    name[..name.len() - packing].rfind('.').map_or("", |at| &name[at + 1..])
}

/// The format of some files, those that hold rows of it, and what is to be said of the others.
struct Chosen {
    format: &'static str,
    files: Vec<PathBuf>,
    notes: Vec<String>,
}

fn choose(files: &[PathBuf]) -> Result<Chosen, String> {
    let of = |wanted: &[&str]| -> Vec<PathBuf> {
        files.iter().filter(|file| wanted.contains(&ending(file).as_str())).cloned().collect()
    };
    // Notes about a dataset are no rows of it.
    let mut json = of(&["json"]);
    json.retain(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        !["dataset_info.json", "dataset_infos.json", "state.json", "dataset_dict.json", "package.json"]
            .contains(&name.as_str())
    });
    let mut found: Vec<(&'static str, Vec<PathBuf>)> = [
        ("parquet", &["parquet"][..]),
        ("arrow", &["arrow"]),
        ("webdataset", &["tar", "tgz"]),
        ("jsonl", &["jsonl", "ndjson"]),
    ]
    .map(|(format, endings)| (format, of(endings)))
    .into();
    let mut notes = Vec::new();
    if found.iter().all(|(_, files)| files.is_empty()) {
        let (format, rows) = of_json(json, &mut notes)?;
        found.push((format, rows));
    } else {
        json.retain(|file| peek::begins_as_rows(file));
        found.push(("json", json));
    }
    found.push(("csv", of(&["csv"])));
    let mut found = found.into_iter().filter(|(_, files)| !files.is_empty());
    let Some((format, files)) = found.next() else {
        let pictures = of(&ENDINGS);
        if pictures.is_empty() {
            return Err(nothing_known(files));
        }
        return Ok(Chosen { format: "folder", files: pictures, notes });
    };
    let others: Vec<PathBuf> = found.flat_map(|(_, files)| files).collect();
    if !others.is_empty() {
        notes.push(format!(
            "left out, as a table reads files of one format: {}; give one of these files itself to have a table for it",
            named(&others)
        ));
    }
    Ok(Chosen { format, files, notes })
}

/// Most JSON files that are looked into; of more the first tells what they are, as in folders with a file per picture.
const MOST_LOOKED_INTO: usize = 64;

/// What JSON files are, and which of them hold rows.
fn of_json(files: Vec<PathBuf>, notes: &mut Vec<String>) -> Result<(&'static str, Vec<PathBuf>), String> {
    let looked_into = if files.len() > MOST_LOOKED_INTO { 1 } else { files.len() };
    let mut kinds = files[..looked_into]
        .iter()
        .map(|file| peek::json_kind(file).map_err(|what| unreadable(file, "json", &what)))
        .collect::<Result<Vec<_>, _>>()?;
    let Some(&first) = kinds.first() else { return Ok(("json", files)) };
    kinds.resize(files.len(), first);
    let holds_rows = |kind: &&JsonKind| matches!(kind, JsonKind::Coco | JsonKind::ReasonSeg | JsonKind::Rows);
    let joints = kinds.contains(&JsonKind::Keypoints).then_some(JsonKind::Keypoints);
    let Some(kind) = kinds.iter().find(holds_rows).copied().or(joints) else {
        if kinds.contains(&JsonKind::NoBoxes) {
            return Err(format!(
                "{}: COCO without boxes (captions, lists of pictures); of COCO, instances are read",
                named(&files)
            ));
        }
        // Perhaps there is something else.
        return Ok(("json", Vec::new()));
    };
    let (rows, others): (Vec<_>, Vec<_>) = files.into_iter().zip(kinds).partition(|(_, own)| *own == kind);
    let others: Vec<PathBuf> = others.into_iter().map(|(file, _)| file).collect();
    let (format, why) = match kind {
        JsonKind::ReasonSeg => ("reasonseg", "as they are no annotated pictures"),
        JsonKind::Rows => ("json", "as they hold no rows, or rows of another kind"),
        _ => ("coco", "as they hold no instances, or those of people again with their joints"),
    };
    if !others.is_empty() {
        notes.push(format!("left out, {why}: {}", named(&others)));
    }
    Ok((format, rows.into_iter().map(|(file, _)| file).collect()))
}

/// Names of files in a sentence, the first few.
fn named(files: &[PathBuf]) -> String {
    const MOST_NAMED: usize = 5;
    let name = |file: &PathBuf| format!("`{}`", file.file_name().unwrap_or_default().to_string_lossy());
    let names: Vec<String> = files.iter().take(MOST_NAMED).map(name).collect();
    let more = files.len() - names.len();
    names.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
}

/// Files that name several splits, or none beside others that do: they may belong elsewhere.
fn doubtful(files: &[PathBuf], folder: &Path) -> Vec<String> {
    let told = |file: &PathBuf| Split::told(file.strip_prefix(folder).unwrap_or(file)).len();
    let with = |fits: fn(usize) -> bool| -> Vec<PathBuf> {
        files.iter().filter(|file| fits(told(file))).cloned().collect()
    };
    let (silent, several) = (with(|told| told == 0), with(|told| told > 1));
    let mut notes = Vec::new();
    if !several.is_empty() {
        notes.push(format!(
            "named after several splits, and taken for the first of them: {}",
            named(&several)
        ));
    }
    if !silent.is_empty() && silent.len() < files.len() {
        notes.push(format!("no split is in the name, and to be trained on therefore: {}", named(&silent)));
    }
    notes
}

/// Why there is nothing to propose.
fn nothing_known(files: &[PathBuf]) -> String {
    const MOST_NAMED: usize = 8;
    let mut endings: BTreeMap<String, usize> = BTreeMap::new();
    for file in files {
        let ending = ending(file);
        *endings
            .entry(if ending.is_empty() { "no ending".to_owned() } else { format!(".{ending}") })
            .or_default() += 1;
    }
    let found: Vec<String> =
        endings.iter().take(MOST_NAMED).map(|(ending, count)| format!("{ending} ({count})")).collect();
    let found = if found.is_empty() { "no files".to_owned() } else { format!("only {}", found.join(", ")) };
    format!(
        "there is nothing to read: {found}. Rows are looked for in .parquet, .arrow, .tar, .jsonl, .json and .csv, packed with \
         gzip or zstd or not, and pictures in folders named after their answers"
    )
}

/// Patterns below the root that match these files and no others, least of all those of another split.
fn patterns(files: &[PathBuf], root: &Path, folder: Option<&Path>) -> toml::Value {
    let own = Own { files: files.iter().map(PathBuf::as_path).collect(), root };
    let all: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let mut patterns = own.shards(&all);
    if let (true, Some(folder)) = (patterns.len() > MOST_SHARDS, folder) {
        patterns = own.folders(folder, &all);
    }
    match &patterns[..] {
        [one] => one.as_str().into(),
        more => more.iter().map(|one| toml::Value::from(one.as_str())).collect::<Vec<_>>().into(),
    }
}

/// The files of one split, and the data root.
struct Own<'a> {
    files: HashSet<&'a Path>,
    root: &'a Path,
}

impl Own<'_> {
    /// A pattern for a name, or a pattern of names, in a folder.
    fn below(&self, folder: &Path, name: &str) -> String {
        let folder = folder.strip_prefix(self.root).unwrap_or(folder).to_string_lossy();
        format!("{}/{name}", glob::Pattern::escape(&folder)).trim_start_matches('/').to_owned()
    }

    /// Whether a pattern matches all of these files, and only files of this split.
    fn fits(&self, pattern: &str, files: &[&Path]) -> bool {
        let root = glob::Pattern::escape(&self.root.to_string_lossy());
        let Ok(found) = glob::glob(&format!("{root}/{pattern}")) else { return false };
        let found: HashSet<PathBuf> = found.flatten().filter(|path| path.is_file()).collect();
        found.iter().all(|path| self.files.contains(path.as_path()))
            && files.iter().all(|file| found.contains(*file))
    }

    /// By names: what comes before the digits of shards, and after, is the same in all of them.
    fn shards(&self, files: &[&Path]) -> Vec<String> {
        let mut shapes: BTreeMap<String, Vec<&Path>> = BTreeMap::new();
        for file in files {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let ending = written_ending(&name);
            let stem = name.strip_suffix(ending).unwrap_or(&name);
            let shape = match stem.find(|c: char| c.is_ascii_digit()) {
                Some(at) if files.len() > 1 => format!("{}*.{ending}", glob::Pattern::escape(&stem[..at])),
                _ => glob::Pattern::escape(&name),
            };
            shapes.entry(self.below(file.parent().unwrap_or(self.root), &shape)).or_default().push(file);
        }
        // Looking for what a pattern matches reads a folder: of many it is not asked.
        let few = shapes.len() <= MOST_SHARDS;
        let mut patterns = Vec::new();
        for (shape, files) in shapes {
            if few && self.fits(&shape, &files) {
                patterns.push(shape);
                continue;
            }
            patterns.extend(files.iter().map(|file| {
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                self.below(file.parent().unwrap_or(self.root), &glob::Pattern::escape(&name))
            }));
        }
        patterns
    }

    /// By folders: the largest that hold nothing but files of this split.
    fn folders(&self, folder: &Path, files: &[&Path]) -> Vec<String> {
        let mut endings: BTreeMap<String, Vec<&Path>> = BTreeMap::new();
        let mut here: Vec<&Path> = Vec::new();
        let mut below: BTreeMap<PathBuf, Vec<&Path>> = BTreeMap::new();
        for file in files {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let pattern = self.below(folder, &format!("**/*.{}", written_ending(&name)));
            endings.entry(pattern).or_default().push(file);
            let inside = file.strip_prefix(folder).unwrap_or(file);
            match inside.components().next() {
                Some(child) if inside.components().count() > 1 => {
                    below.entry(folder.join(child)).or_default().push(file);
                }
                _ => here.push(file),
            }
        }
        if endings.iter().all(|(pattern, files)| self.fits(pattern, files)) {
            return endings.into_keys().collect();
        }
        let mut patterns = self.shards(&here);
        patterns.extend(below.iter().flat_map(|(child, files)| self.folders(child, files)));
        patterns
    }
}

/// The keys that say how to read a row.
struct Mapping {
    keys: Vec<(&'static str, toml::Value)>,
    notes: Vec<String>,
}

fn mapping(format: &'static str, file: &Path, root: &Path) -> Result<Mapping, String> {
    let wrong = |what: String| unreadable(file, format, &what);
    let peek = match format {
        "coco" => {
            let mut keys = boxes_keys("Find every {category} in the picture.");
            let mut notes =
                vec!["the question is the same for all; reword it for your categories".to_owned()];
            let first = peek::coco_picture(file);
            match first.as_deref().map(|first| (first, picture_folder(file, first, root))) {
                Some((_, Some(folder))) => keys.extend(image_folder(&folder, file, root)),
                Some((first, None)) => notes.push(format!(
                    "its first picture `{first}` is not found near {}: write the folder of the pictures as `image_folder`",
                    file.file_name().unwrap_or_default().display()
                )),
                None => {}
            }
            return Ok(Mapping { keys, notes });
        }
        "reasonseg" => {
            let keys = boxes_keys("Find what this is about: {text}");
            return Ok(Mapping {
                keys,
                notes: vec!["the answer is one box around all shapes of a target".to_owned()],
            });
        }
        "folder" => {
            let keys = vec![
                ("question", "What is in the picture?".into()),
                ("answer_type", "text".into()),
                ("verifier", "text".into()),
                ("prompt", prompt("a short answer").into()),
            ];
            return Ok(Mapping { keys, notes: vec!["the names of the folders are the answers".to_owned()] });
        }
        "parquet" => peek::parquet(file).map_err(wrong)?,
        "arrow" => peek::arrow(file).map_err(wrong)?,
        "jsonl" => peek::json_lines(file).map_err(wrong)?,
        "json" => peek::json(file).map_err(wrong)?,
        "csv" => peek::csv(file).map_err(wrong)?,
        _ => peek::shard(file).map_err(wrong)?,
    };
    if peek.rows.is_empty() {
        return Err(format!("{} holds no rows", file.display()));
    }
    columns(&peek, file, root)
}

/// What is wrong with a file, and what to do where it may have been cut off.
fn unreadable(file: &Path, format: &str, what: &str) -> String {
    let packed = what.starts_with("the file cannot be unpacked");
    let cut = if packed || ["parquet", "arrow", "webdataset"].contains(&format) {
        "; a file that was cut off, or fetched in part, has to be fetched again"
    } else {
        ""
    };
    format!("{}: {what}{cut}", file.display())
}

fn boxes_keys(question: &str) -> Vec<(&'static str, toml::Value)> {
    vec![
        ("question", question.into()),
        ("answer_type", "boxes".into()),
        ("verifier", boxes_verifier("pixels")),
        ("prompt", boxes_prompt("pixels").into()),
    ]
}

fn boxes_verifier(coordinates: &str) -> toml::Value {
    let mut table = toml::Table::new();
    table.insert("name".to_owned(), "boxes".into());
    table.insert("threshold".to_owned(), 0.5.into());
    table.insert("coordinates".to_owned(), coordinates.into());
    table.into()
}

fn boxes_prompt(coordinates: &str) -> String {
    let unit = match coordinates {
        "rel1000" => "thousandths of the picture's width and height",
        "rel1" => "fractions of the picture's width and height",
        _ => "pixels",
    };
    prompt(&format!("all boxes as [[left,top,right,bottom], ...] in {unit}"))
}

fn prompt(what: &str) -> String {
    format!(
        "{{question}}\nThink about it between <think> and </think>, then give {what} between <answer> and </answer>."
    )
}

fn columns(peek: &Peek, file: &Path, root: &Path) -> Result<Mapping, String> {
    let mut notes = Vec::new();
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.trim().is_empty());
    let share = |name: &str, fits: &dyn Fn(&Value) -> bool| {
        peek.rows.iter().filter(|row| fits(&find(row, name))).count() as f64 / peek.rows.len() as f64
    };
    let known = || -> BTreeSet<&String> {
        peek.rows.iter().flat_map(|row| row.keys()).chain(peek.pictures.keys()).collect()
    };
    let listed = || known().into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let Some((images, folder)) = pictures(peek, file, root) else {
        return Err(format!(
            "no column of {} holds pictures or paths of pictures; there are {}. {BY_HAND}",
            file.display(),
            listed()
        ));
    };
    let is_picture = |name: &str| images.iter().any(|image| image == name);
    let question = QUESTIONS.into_iter().find(|name| !is_picture(name) && share(name, &is_text) > 0.9);
    let Some(question) = question else {
        return Err(format!(
            "no column of {} is called as questions are; there are {}. {BY_HAND}; pictures that have labels alone are read \
             from folders named after these (`format = \"folder\"`)",
            file.display(),
            listed()
        ));
    };
    let is_value =
        |value: &Value| !value.is_null() && value.as_str().is_none_or(|text| !text.trim().is_empty());
    // Rows of a test part often come without.
    let answer = ANSWERS
        .into_iter()
        .find(|name| *name != question && !is_picture(name) && share(name, &is_value) >= 0.5);
    let Some(answer) = answer else {
        return Err(format!(
            "no column of {} is called as answers are; there are {}. {BY_HAND}",
            file.display(),
            listed()
        ));
    };
    // Many questions about one picture are as many rows.
    let many = question == "texts.0.user" && answer == "texts.0.assistant";
    let (question, answer) = if many {
        ("texts.*.user".to_owned(), "texts.*.assistant".to_owned())
    } else {
        let before = peek.rows.iter().filter(|row| begins_otherwise(row, question)).count();
        if before > 0 {
            notes.push(format!(
                "{before} of the first {} rows begin with another turn than the question, such as a system prompt, which is \
                 not read",
                peek.rows.len()
            ));
        }
        (by_role(peek, question), by_role(peek, answer))
    };
    let (question, answer) = (question.as_str(), answer.as_str());
    let some = |columns: &Vec<String>| {
        let taken = |name: &String| name == answer || name == question;
        !columns.iter().any(taken) && peek.rows.iter().any(|row| options_in(row, columns).len() > 1)
    };
    let lettered = || lettered_columns(&known());
    let options =
        OPTIONS.into_iter().map(|name| vec![name.to_owned()]).find(some).or_else(|| lettered().filter(some));
    let options = options.unwrap_or_default();
    let mut keys: Vec<(&'static str, toml::Value)> = vec![("question", question.into())];
    keys.push(("images", one_or_more(&images)));
    if let Some(folder) = folder {
        keys.push(("image_folder", folder));
    }
    keys.push(("answer", answer.into()));
    let mut values: Vec<(Value, Vec<String>)> = Vec::new();
    for row in &peek.rows {
        let options = options_in(row, &options);
        match find(row, answer) {
            Value::Array(items) if many => values.extend(items.into_iter().map(|item| (item, Vec::new()))),
            one => values.push((one, options)),
        }
    }
    values.retain(|(value, _)| is_value(value));
    let marked = |mark: &&str| {
        let has = |value: &Value| clean::single(value).as_str().is_some_and(|text| text.contains(mark));
        2 * values.iter().filter(|(value, _)| has(value)).count() > values.len()
    };
    if let Some(mark) = ["<answer>", clean::HASHES, clean::BOXED].into_iter().find(marked) {
        for (value, _) in &mut values {
            let inside = clean::single(value).as_str().and_then(|text| clean::marked(text, mark).ok());
            *value = inside.map_or(Value::Null, Value::String);
        }
        values.retain(|(value, _)| is_value(value));
        keys.push(("answer_in", mark.into()));
    }
    let kind = kind(&values);
    keys.push(("answer_type", kind.word().into()));
    if !options.is_empty() {
        keys.push(("options", one_or_more(&options)));
        let is = answer_is(&values);
        keys.push(("answer_is", is.into()));
        notes.extend(counted_from(is, &values).map(str::to_owned));
    } else if kind == AnswerType::Choice && share(question, &says_options) < 0.5 {
        notes.push(
            "answers are letters, and neither a column nor the question says what these stand for: all is well where the \
             pictures show it, else name the columns of the options as `options`"
                .to_owned(),
        );
    }
    match kind {
        AnswerType::Choice => {
            keys.push(("verifier", "choice".into()));
            keys.push(("prompt", prompt("the letter of the right option").into()));
        }
        AnswerType::Number => {
            keys.push(("verifier", "number".into()));
            keys.push(("prompt", prompt("the number").into()));
        }
        AnswerType::Boxes => {
            let (layout, coordinates) = convention(&values);
            let mut boxes = toml::Table::new();
            boxes.insert("layout".to_owned(), layout.into());
            boxes.insert("coordinates".to_owned(), coordinates.into());
            keys.push(("boxes", boxes.into()));
            keys.push(("verifier", boxes_verifier(coordinates)));
            keys.push(("prompt", boxes_prompt(coordinates).into()));
            notes.push(format!(
                "boxes are taken as {layout} in {coordinates}; `modo data list --show 5` draws them"
            ));
        }
        AnswerType::Expression => {
            keys.push(("verifier", "expression".into()));
            keys.push(("prompt", prompt("the answer").into()));
        }
        AnswerType::Text => {
            let many = values.iter().any(|(value, _)| value.as_array().is_some_and(|list| list.len() > 1));
            keys.push(("verifier", if many { "anls" } else { "text" }.into()));
            let different: BTreeSet<String> = values.iter().map(|(value, _)| written(value)).collect();
            let what = if different.len() <= 4 {
                different.into_iter().rev().collect::<Vec<_>>().join(" or ")
            } else {
                "a short answer".to_owned()
            };
            keys.push(("prompt", prompt(&what).into()));
        }
        AnswerType::Auto => {
            let of = ["choice", "number", "expression", "text"];
            keys.push(("verifier", toml::Table::from_iter(of.map(|k| (k.to_owned(), k.into()))).into()));
            let what = if options.is_empty() {
                "the answer"
            } else {
                "the number, or the letter of the right option,"
            };
            keys.push(("prompt", prompt(what).into()));
        }
    }
    let unused: Vec<String> = known()
        .into_iter()
        .filter(|name| {
            let leads_into = |column: &str| {
                column
                    .strip_prefix(name.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            let used = [question, answer].into_iter().chain(options.iter().map(String::as_str));
            let of_turn = images.iter().any(|image| leads_into(image));
            !used.into_iter().any(leads_into) && !of_turn
        })
        .map(|name| format!("`{name}`"))
        .collect();
    if many {
        notes.push("every question of a row is a row of its own".to_owned());
    }
    if let Some(first) = peek.bad.first() {
        notes.push(format!(
            "{} of the first rows of {} cannot be read, the first in {first}",
            peek.bad.len(),
            file.file_name().unwrap_or_default().display()
        ));
    }
    let splits: BTreeSet<String> =
        peek.rows.iter().filter_map(|row| find(row, "split").as_str().map(str::to_owned)).collect();
    if splits.len() > 1 {
        notes.push(format!(
            "the column `split` says {}, and this table reads all of them as one: write the rows of each into a file of its \
             own to hold some out",
            splits.iter().map(|split| format!("`{split}`")).collect::<Vec<_>>().join(", ")
        ));
    }
    if !unused.is_empty() {
        notes.push(format!("columns that are not used: {}", unused.join(", ")));
    }
    let without = if peek.pictures.is_empty() {
        // The last placeholder of a path such as `{split}/{id}/{image}` is the picture's own column.
        let column = |image: &str| image.rsplit('{').next().unwrap_or(image).trim_end_matches('}').to_owned();
        let has_none = |row: &&Map<String, Value>| {
            let found = |image: &String| super::readers::find(row, &column(image));
            images.iter().all(|image| texts(&found(image)).iter().all(String::is_empty))
        };
        peek.rows.iter().filter(has_none).count()
    } else {
        let with = images.iter().filter_map(|image| peek.pictures.get(image)).max().copied().unwrap_or(0);
        peek.rows.len().saturating_sub(with)
    };
    if without > 0 {
        keys.push(("pictures", "optional".into()));
        notes.push(format!(
            "{without} of the first {} rows have no picture: `pictures = \"skip\"` leaves such rows out",
            peek.rows.len()
        ));
    }
    Ok(Mapping { keys, notes })
}

/// What to do where names of columns tell too little.
const BY_HAND: &str = "Write the table by hand: `format`, `files`, `question`, `images`, `answer`, `answer_type`, `verifier` and \
                       `prompt` (docs/data.md has them all)";

/// The value of a column; of a turn in parts its words, unless it is asked for its pictures.
fn find(row: &Map<String, Value>, name: &str) -> Value {
    let found = super::readers::find(row, name);
    clean::spoken(&found).map_or(found, Value::String)
}

fn one_or_more(names: &[String]) -> toml::Value {
    match names {
        [one] => one.as_str().into(),
        more => more.iter().map(|name| toml::Value::from(name.as_str())).collect::<Vec<_>>().into(),
    }
}

fn options_in(row: &Map<String, Value>, columns: &[String]) -> Vec<String> {
    let found = match columns {
        [] => return Vec::new(),
        [one] => find(row, one),
        more => more.iter().map(|column| find(row, column)).collect(),
    };
    clean::options(&found).unwrap_or_default()
}

/// Columns of one option each: `A`, `option_b`, `choice3`.
fn lettered_columns(known: &BTreeSet<&String>) -> Option<Vec<String>> {
    let column = |name: String| {
        let fits = |other: &&&String| other.eq_ignore_ascii_case(&name);
        known.get(&name).or_else(|| known.iter().find(fits)).map(|found| (*found).clone())
    };
    let run = |prefix: &str, first: u8| -> Vec<String> {
        (first..first + 9).map_while(|c| column(format!("{prefix}{}", char::from(c)))).collect()
    };
    let prefixes = ["", "option_", "option", "option ", "choice_", "choice", "choice ", "op"];
    let runs = prefixes.into_iter().flat_map(|prefix| {
        let digits = (!prefix.is_empty()).then_some(b'1');
        [Some(b'A'), digits].into_iter().flatten().map(move |first| (prefix, first))
    });
    runs.map(|(prefix, first)| run(prefix, first)).find(|columns| columns.len() > 1)
}

/// Whether a question lists its options itself.
fn says_options(question: &Value) -> bool {
    let text = question.as_str().unwrap_or_default();
    [("(A)", "(B)"), ("A.", "B."), ("A)", "B)"), ("A:", "B:")]
        .iter()
        .any(|(a, b)| text.find(a).is_some_and(|at| text[at..].contains(b)))
}

/// Who asks, and who answers, in conversations.
const ASKS: [&str; 2] = ["user", "human"];
const ANSWERS_TO: [&str; 2] = ["assistant", "gpt"];

/// Whether the first turn of a conversation is that of somebody who does not ask.
fn begins_otherwise(row: &Map<String, Value>, question: &str) -> bool {
    let Some((turns, _)) = question.split_once(".0.") else { return false };
    let first = super::readers::find(row, &format!("{turns}.0"));
    role(&first).is_some_and(|role| !ASKS.contains(&role))
}

/// A column that leads to the first or second turn, by role instead where any conversation begins with another turn.
fn by_role(peek: &Peek, column: &str) -> String {
    let first = column.split_once(".0.").map(|(turns, text)| (turns, text, ASKS));
    let Some((turns, text, who)) =
        first.or_else(|| column.split_once(".1.").map(|(turns, text)| (turns, text, ANSWERS_TO)))
    else {
        return column.to_owned();
    };
    if !peek.rows.iter().any(|row| begins_otherwise(row, &format!("{turns}.0.{text}"))) {
        return column.to_owned();
    }
    let speaks = |who: &&str| {
        peek.rows.iter().any(|row| !super::readers::find(row, &format!("{turns}.{who}")).is_null())
    };
    who.into_iter().find(speaks).map_or(column.to_owned(), |who| format!("{turns}.{who}.{text}"))
}

/// The folder that a file's pictures are relative to, of which `first` is one: its own, one around it, or one inside these,
/// as `train2017` beside COCO's `annotations`.
fn picture_folder(file: &Path, first: &str, root: &Path) -> Option<PathBuf> {
    let parent = file.parent().unwrap_or(root);
    let around = [parent.to_owned(), parent.join("images"), parent.join(".."), parent.join("../images")];
    let around: Vec<PathBuf> = around.iter().filter_map(|folder| folder.canonicalize().ok()).collect();
    let around: Vec<PathBuf> = around.into_iter().filter(|folder| folder.starts_with(root)).collect();
    let mut inside: Vec<PathBuf> = around
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()))
        .filter_map(|folder| folder.canonicalize().ok())
        .filter(|folder| folder.starts_with(root))
        .collect();
    // Where several hold a picture of this name, that of the file's own split.
    let of = |path: &Path| Split::told(Path::new(path.file_name().unwrap_or_default()));
    inside.sort_by_key(|folder| (of(folder) != of(file), folder.clone()));
    around.into_iter().chain([root.to_owned()]).chain(inside).find(|folder| folder.join(first).is_file())
}

/// The key for a folder of pictures that is not that of the file.
fn image_folder(folder: &Path, file: &Path, root: &Path) -> Option<(&'static str, toml::Value)> {
    if file.parent().and_then(|own| own.canonicalize().ok()).is_some_and(|own| own == folder) {
        return None;
    }
    let below = folder.strip_prefix(root).ok()?.to_string_lossy().into_owned();
    Some(("image_folder", if below.is_empty() { ".".to_owned() } else { below }.into()))
}

/// Columns of the pictures, and the folder that paths are relative to where it is not that of the file.
fn pictures(peek: &Peek, file: &Path, root: &Path) -> Option<(Vec<String>, Option<toml::Value>)> {
    if !peek.pictures.is_empty() {
        let numbered: Vec<String> =
            (1..=16).map(|i| format!("image_{i}")).filter(|n| peek.pictures.contains_key(n)).collect();
        if !numbered.is_empty() {
            return Some((numbered, None));
        }
        let named = PICTURES.into_iter().find(|name| peek.pictures.contains_key(*name)).map(str::to_owned);
        // Of `jpg` and `seg.png` in shards the first.
        let rank = |(name, rows): &(&String, &usize)| (**rows, std::cmp::Reverse(name.len()));
        let most = || peek.pictures.iter().max_by_key(rank).map(|(name, _)| name.clone());
        return named.or_else(most).map(|name| (vec![name], None));
    }
    // Paths, or pictures as texts.
    let columns: BTreeSet<&String> = peek.rows.iter().flat_map(|row| row.keys()).collect();
    let others = columns.iter().map(|name| name.as_str());
    for name in PICTURES.into_iter().chain(IN_TURNS).chain(others) {
        let mut paths = Vec::new();
        let mut embedded = 0;
        for row in &peek.rows {
            for path in texts(&super::readers::find(row, name)) {
                let ends = ENDINGS.iter().any(|e| path.to_lowercase().ends_with(&format!(".{e}")));
                if path.starts_with("data:image/")
                    || path.starts_with("iVBORw0KGgo")
                    || path.starts_with("/9j/")
                {
                    embedded += 1;
                } else if ends {
                    paths.push((path, row));
                }
            }
        }
        if 2 * embedded > peek.rows.len() {
            return Some((vec![name.to_owned()], None));
        }
        // Half of ScienceQA is without pictures.
        if paths.len() * 4 < peek.rows.len().max(1) || paths.is_empty() {
            continue;
        }
        let (first, row) = &paths[0];
        // ScienceQA keeps the picture of problem 7 of the training split in train/7/.
        let parent = file.parent().unwrap_or(root);
        let (split, id) = (find(row, "split"), find(row, "id"));
        if let (Some(split), false) = (split.as_str(), parent.join(first).is_file()) {
            let id = written(&id);
            for (folder, template) in [("", "{split}/{id}"), ("images", "images/{split}/{id}")] {
                if parent.join(folder).join(split).join(&id).join(first).is_file() {
                    return Some((vec![format!("{template}/{{{name}}}")], None));
                }
            }
        }
        let folder = image_folder(&picture_folder(file, first, root)?, file, root);
        let mut images = vec![name.to_owned()];
        if name == "file_name" {
            // Folders of pictures of Hugging Face name further ones so.
            let further = |name: &str| name.ends_with("_file_name") || name.ends_with("_file_names");
            images.extend(columns.iter().filter(|name| further(name)).map(|name| (*name).clone()));
        }
        return Some((images, folder.map(|(_, folder)| folder)));
    }
    None
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(object) => ["path", "bytes", "image", "image_url", "url"]
            .iter()
            .filter_map(|k| object.get(*k))
            .flat_map(texts)
            .collect(),
        _ => Vec::new(),
    }
}

fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Array(items) if items.len() == 1 => written(&items[0]),
        other => other.to_string(),
    }
}

/// The type that all answers have, or `auto`.
fn kind(values: &[(Value, Vec<String>)]) -> AnswerType {
    let all = |fits: &dyn Fn(&Value, &[String]) -> bool| {
        !values.is_empty() && values.iter().all(|(value, options)| fits(value, options))
    };
    let is_number = |value: &Value| clean::number(clean::single(value)).is_some();
    if all(&|value, _| four_numbers(value).is_some()) {
        return AnswerType::Boxes;
    }
    if all(&|_, options| options.len() > 1) {
        return AnswerType::Choice;
    }
    if values.iter().any(|(_, options)| options.len() > 1) {
        return AnswerType::Auto;
    }
    if all(&|value, _| is_number(value)) {
        return AnswerType::Number;
    }
    if all(&|value, _| matches!(written(value).trim_matches(['(', ')', '.']).as_bytes(), [b'A'..=b'J'])) {
        return AnswerType::Choice;
    }
    let mathematical = |text: &str| text.contains(|c: char| c.is_ascii_digit() || "\\^=$".contains(c));
    let lists = values.iter().any(|(value, _)| value.as_array().is_some_and(|list| list.len() > 1));
    if !lists && all(&|value, _| mathematical(&written(value))) {
        return AnswerType::Expression;
    }
    if !lists && values.iter().any(|(value, _)| is_number(value) || written(value).contains('\\')) {
        return AnswerType::Auto;
    }
    AnswerType::Text
}

/// What the answers of rows with options are: their letters, texts or numbers.
fn answer_is(values: &[(Value, Vec<String>)]) -> &'static str {
    let with: Vec<&(Value, Vec<String>)> = values.iter().filter(|(_, options)| options.len() > 1).collect();
    let fits = |is: AnswerIs| {
        let fits = |(value, options): &&&(Value, Vec<String>)| {
            clean::choice(is, clean::single(value), options).is_ok()
        };
        with.iter().filter(fits).count()
    };
    let [letter, option, index, ordinal] =
        [AnswerIs::Letter, AnswerIs::Option, AnswerIs::Index, AnswerIs::Ordinal].map(fits);
    let most = |count: usize| 2 * count >= with.len();
    match with.len() {
        all if letter == all => "letter",
        all if option == all => "option",
        // A row or two may be wrong.
        all if 2 * letter.max(option) >= all => "either",
        _ if most(index) && index >= ordinal => "index",
        _ if most(ordinal) => "ordinal",
        _ => "either",
    }
}

/// What is to be said of answers that count options.
fn counted_from(is: &str, values: &[(Value, Vec<String>)]) -> Option<&'static str> {
    let zero = || values.iter().any(|(value, _)| clean::whole(clean::single(value)) == Some(0));
    match is {
        "ordinal" => Some("answers count the options from 1"),
        "index" if !zero() => Some(
            "answers are taken to count the options from 0, and none of those looked at is 0: \
             `answer_is = \"ordinal\"` counts from 1",
        ),
        _ => None,
    }
}

/// The numbers of the first box of an answer.
fn four_numbers(value: &Value) -> Option<[f64; 4]> {
    let parsed;
    let value = match value {
        Value::String(text) => {
            parsed = serde_json::from_str::<Value>(&text.replace('\'', "\"")).ok()?;
            &parsed
        }
        other => other,
    };
    let first = match value {
        Value::Array(items) if !items.first()?.is_number() => items.first()?,
        other => other,
    };
    let numbers = ["Position", "bbox", "bbox_2d"].iter().find_map(|key| first.get(key)).unwrap_or(first);
    let numbers: Vec<f64> = numbers.as_array()?.iter().filter_map(Value::as_f64).collect();
    numbers.try_into().ok()
}

/// Layout and coordinates that fit all boxes.
fn convention(values: &[(Value, Vec<String>)]) -> (&'static str, &'static str) {
    let boxes: Vec<[f64; 4]> = values.iter().filter_map(|(value, _)| four_numbers(value)).collect();
    let corners = boxes.iter().all(|[x1, y1, x2, y2]| x1 < x2 && y1 < y2);
    let largest = boxes.iter().flatten().copied().fold(0.0, f64::max);
    let whole = boxes.iter().flatten().all(|v| v.fract() == 0.0);
    let coordinates = if largest <= 1.0 {
        "rel1"
    } else if whole && largest <= 1000.0 && largest > 900.0 {
        "rel1000"
    } else {
        "pixels"
    };
    (if corners { "xyxy" } else { "xywh" }, coordinates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digit_before_the_word_of_the_split_gives_no_pattern_that_mixes_splits() {
        let files = ["v2_test_0.parquet", "v2_test_1.parquet", "v2_train_0.parquet", "v2_train_1.parquet"];
        check(&files, "train", &["d/v2_train_0.parquet", "d/v2_train_1.parquet"]);
        check(&files, "test", &["d/v2_test_0.parquet", "d/v2_test_1.parquet"]);
        check(&files[2..], "train", &["d/v*.parquet"]);
    }

    #[test]
    fn many_folders_of_a_split_are_matched_without_those_of_another() {
        let of = |split: &str| (0..30).map(|i| format!("{split}/class_{i}/0.jpg")).collect::<Vec<_>>();
        let files = [of("train"), of("test")].concat();
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        check(&files, "train", &["d/train/**/*.jpg"]);
        check(&files, "test", &["d/test/**/*.jpg"]);
        check(&files[..30], "train", &["d/**/*.jpg"]);
    }

    #[test]
    fn endings_are_those_of_the_files() {
        check(&["IMG_1.JPG", "IMG_2.JPG"], "train", &["d/IMG_*.JPG"]);
        check(&["part-0.jsonl.gz", "part-1.jsonl.gz"], "train", &["d/part-*.jsonl.gz"]);
        check(&["a.json", "b.json"], "train", &["d/a.json", "d/b.json"]);
        // Notes that are no rows are no part of it either.
        check(&["1.json", "2.json", "state.txt"], "train", &["d/*.json"]);
        assert_eq!(ending(Path::new("a/b.JSONL.GZ")), "jsonl");
    }

    #[test]
    fn a_file_that_is_no_row_is_matched_by_no_pattern() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for name in ["data_1.json", "data_2.json", "dataset_info.json", "da1.json"] {
            fs::write(root.join(name), "[]").unwrap();
        }
        let files =
            choose(&["data_1.json", "data_2.json", "da1.json", "dataset_info.json"].map(|f| root.join(f)))
                .unwrap()
                .files;
        let found = patterns(&files, &root, Some(&root));
        let expected = ["da1.json", "data_*.json"].map(toml::Value::from).to_vec();
        assert_eq!(found, toml::Value::Array(expected));
    }

    /// The patterns of one split of the files of a folder `d`, and that they match just those.
    fn check(names: &[&str], split: &str, expected: &[&str]) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let own = root.join("d");
        for name in names {
            let path = own.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let mut files: Vec<PathBuf> = names.iter().map(|name| own.join(name)).collect();
        files.retain(|file| {
            Split::of(file.strip_prefix(&own).unwrap()).word() == split
                && file.extension().is_some_and(|e| e != "txt")
        });
        let found = match patterns(&files, &root, Some(&own)) {
            toml::Value::Array(found) => found.iter().map(|p| p.as_str().unwrap().to_owned()).collect(),
            one => vec![one.as_str().unwrap().to_owned()],
        };
        assert_eq!(found, expected);
        let root = super::super::root::Root::new(&root).unwrap();
        let mut matched: Vec<PathBuf> =
            found.iter().flat_map(|pattern| root.files(pattern).unwrap()).collect();
        matched.sort();
        files.sort();
        assert_eq!(matched, files);
    }
}
