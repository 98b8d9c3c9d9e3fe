//! `modo data check`: every row read, every picture decoded, every gold put to its own reward.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    super::{
        Context,
        printer::{Column, Printer},
    },
    chosen, is_here,
    tokens::Counter,
};
use crate::{
    data::{
        DatasetConfig, Portion, Role, Source, check,
        overlap::{self, Hit, LEVELS, Level, Prints, Side},
    },
    error::{Context as _, Error, Result},
    name::Name,
    reward::Reward,
    sample::{BadRow, Rows},
    sampler::{self, lengths::MeanLength},
    store,
};

/// Rows of a generated dataset that are checked unless more are asked for: all come from the same few rules.
const GENERATED_ROWS: u64 = 1000;

/// Bad rows that are printed per dataset; JSON has up to 1000.
const MOST_PRINTED: usize = 10;

const EXAMPLES: &str = "\
Examples:
  modo data check
  modo data check my_dataset --datasets my.toml --data-root /data
  modo data check detect --rows 20000 --json
  modo data check --exclusions leaks.txt  # then `exclude` in a table

A dataset fails if a row cannot be used, or if its reward does not give all to a
gold or gives anything to a wrong answer. Then the exit code is 2.";

/// Options of `modo data check`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Which datasets [default: all whose files are there].
    names: Vec<String>,
    /// Rows of each dataset to check [default: all, and 1000 of generated ones].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    rows: Option<u64>,
    /// Write the rows of training datasets that benchmarks have as well to FILE, as a list for `exclude`.
    #[arg(long, value_name = "FILE")]
    exclusions: Option<PathBuf>,
    /// Compare no pictures and questions between datasets.
    #[arg(long, conflicts_with = "exclusions")]
    no_overlap: bool,
    /// Checkpoint folder whose tokens are counted; `modo draw --unit tokens` needs it once.
    #[arg(long, value_name = "FOLDER")]
    model: Option<PathBuf>,
    /// Share of bad rows that a dataset may have, from 0 to 1; golds that fail their reward it may not.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    tolerate: f64,
    /// Print JSON, one object per dataset.
    #[arg(long)]
    json: bool,
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "a share is from 0 to 1".to_owned())
}

/// What a check found, as scripts read it.
#[derive(Clone, Serialize, Deserialize)]
struct Found {
    dataset: String,
    ok: bool,
    /// Why it cannot be opened at all.
    problem: Option<String>,
    rows: u64,
    checked: u64,
    n_bad: u64,
    bad: Vec<Bad>,
    n_reward_failures: u64,
    reward_failures: Vec<Bad>,
    answers: BTreeMap<String, u64>,
    different_answers: u64,
    frequent_answers: Vec<(String, u64)>,
    most_frequent_answer: Option<String>,
    most_frequent_share: Option<f64>,
    question_characters: Option<[f64; 3]>,
    text_tokens: Option<f64>,
    picture_tokens: Option<f64>,
    mean_pixels: f64,
    pictures: u64,
    distinct_pictures: u64,
    smallest: Option<(u32, u32)>,
    largest: Option<(u32, u32)>,
    /// Rows that other checked datasets have something in common with, by dataset (its own name: earlier rows of
    /// itself) and level.
    #[serde(default)]
    shared: BTreeMap<String, BTreeMap<String, u64>>,
}

/// A row and what is wrong with it.
#[derive(Clone, Serialize, Deserialize)]
struct Bad {
    place: String,
    what: String,
}

impl From<BadRow> for Bad {
    fn from(bad: BadRow) -> Self {
        Self { place: bad.place, what: bad.what }
    }
}

/// An opened dataset with what is needed to compare it with others.
struct Opened {
    rows: Box<dyn Rows>,
    prints: Prints,
    /// Generated datasets share nothing by construction, so they are compared with files only.
    generated: bool,
}

impl Opened {
    fn side(&self) -> Side<'_> {
        Side { prints: &self.prints, rows: self.rows.as_ref() }
    }
}

pub(super) fn run(args: &Args, context: &Context, printer: &mut Printer) -> Result<()> {
    let catalog = context.catalog()?;
    let mut datasets = chosen(&catalog, &args.names)?;
    if args.names.is_empty() {
        let all = datasets.len();
        datasets.retain(|(_, config)| is_here(config, &context.data_root));
        if datasets.len() < all {
            printer.note(format!(
                "{} datasets have no files below {} and are left out; `modo data list` says where to get them",
                all - datasets.len(),
                context.data_root.display()
            ));
        }
    }
    let counter = args.model.as_deref().map(Counter::read).transpose()?;
    let any_files = datasets.iter().any(|(_, config)| matches!(config.source, Source::Files(_)));
    let compared = any_files && !args.no_overlap;
    let mut found = Vec::new();
    let mut opened = Vec::new();
    for (name, config) in &datasets {
        let (one, rows) = examine(name, config, args, compared, counter.as_ref(), context, printer)?;
        found.push(one);
        opened.push(rows);
    }
    let roles: Vec<Role> = datasets.iter().map(|(_, config)| config.role).collect();
    let leaks = if args.no_overlap { Vec::new() } else { overlap(&mut found, &opened, &roles, printer) };
    if args.json {
        found.iter().try_for_each(|one| printer.json(one))?;
    } else {
        print(&found, printer)?;
    }
    printer.flush()?;
    for (i, one) in found.iter().enumerate().filter(|(i, _)| roles[*i] == Role::Train) {
        for (k, other) in found.iter().enumerate().filter(|(k, _)| roles[*k] != Role::Train) {
            let leaked: u64 =
                LEAKS.iter().filter_map(|l| found[i].shared.get(&other.dataset)?.get(word(*l))).sum();
            if i != k && leaked > 0 {
                printer.warn(format!(
                    "{leaked} rows of `{}`, which is trained on, show pictures of the benchmark `{}`",
                    one.dataset, other.dataset
                ));
            }
        }
    }
    if let Some(path) = &args.exclusions {
        store::write_whole(path, &overlap::exclusion_list(&leaks)).failed().at(path.display())?;
        printer.note(format!(
            "wrote {} rows to {}; put it below the data root and `exclude = \"…\"` into the tables",
            leaks.len(),
            path.display()
        ));
    }
    let failed: Vec<String> =
        found.iter().filter(|one| !one.ok).map(|one| format!("`{}`", one.dataset)).collect();
    if failed.is_empty() {
        return Ok(());
    }
    // The data are what has to change, so this is the user's input: see "exit codes" in `modo --help`.
    let what = if failed.len() == 1 { "a dataset fails its check" } else { "some datasets fail their check" };
    Err(Error::input(format!("{what}: {}", failed.join(", ")))
        .hint("bad rows are replaced when they are drawn; a reward that fails on a gold stops a run"))
}

/// Levels on which a row of a benchmark leaks into training.
const LEAKS: [Level; 4] =
    [Level::SameRow, Level::SamePictureAndQuestion, Level::SamePicture, Level::NearPicture];

fn word(level: Level) -> &'static str {
    match level {
        Level::SameRow => "same_row",
        Level::SamePictureAndQuestion => "same_picture_and_question",
        Level::SamePicture => "same_picture",
        Level::NearPicture => "near_picture",
        Level::SameQuestion => "same_question",
    }
}

/// Compares every dataset with itself and every other; returns the rows of training datasets that benchmarks have.
fn overlap(found: &mut [Found], opened: &[Option<Opened>], roles: &[Role], printer: &Printer) -> Vec<Hit> {
    let mut leaks: BTreeMap<String, Hit> = BTreeMap::new();
    let progress = printer.progress("comparing datasets", (opened.len() * opened.len()) as u64);
    let mut count = |found: &mut [Found], i: usize, k: usize, hits: Vec<Hit>| {
        let dataset = found[k].dataset.clone();
        let counts = found[i].shared.entry(dataset).or_default();
        for hit in hits {
            *counts.entry(word(hit.level).to_owned()).or_default() += 1;
            if roles[i] == Role::Train && roles[k] != Role::Train && LEAKS.contains(&hit.level) {
                leaks.entry(hit.row.clone()).or_insert(hit);
            }
        }
    };
    for (i, one) in opened.iter().enumerate() {
        for (k, other) in opened.iter().enumerate().take(i + 1) {
            progress.set((i * opened.len() + k) as u64, "");
            let (Some(one), Some(other)) = (one, other) else { continue };
            if one.generated && other.generated {
                continue;
            }
            if i == k {
                count(found, i, i, overlap::compare_with_itself(one.side()));
            } else {
                let [first, second] = overlap::compare(one.side(), other.side());
                count(found, i, k, first);
                count(found, k, i, second);
            }
        }
    }
    leaks.into_values().collect()
}

fn examine(
    name: &Name,
    config: &DatasetConfig,
    args: &Args,
    compared: bool,
    counter: Option<&Counter>,
    context: &Context,
    printer: &Printer,
) -> Result<(Found, Option<Opened>)> {
    let opened =
        sampler::source::open(name, config, &context.data_root, Portion::All, context.cache.as_deref())
            .and_then(|rows| Ok((rows, sampler::check::reward(name, config)?)));
    let (rows, reward) = match opened {
        Ok(opened) => opened,
        Err(error) => return Ok((Found::broken(name, error.to_string()), None)),
    };
    let generated = matches!(config.source, Source::Task { .. });
    let limit = args.rows.unwrap_or(if generated { GENERATED_ROWS } else { u64::MAX }).min(rows.len());
    let content = rows.content_hash();
    let known = |cache: &Path| {
        // Everything that decides what is found.
        let key = (
            env!("CARGO_PKG_VERSION"),
            content.to_hex().to_string(),
            format!("{config:?}"),
            limit,
            &args.model,
        );
        let key = store::short_hash(&serde_json::to_vec(&key).expect("texts and numbers"));
        cache.join(format!("check-{key}.json"))
    };
    let remembered = context.cache.as_deref().map(known);
    let read = remembered.as_ref().and_then(|path| serde_json::from_slice(&std::fs::read(path).ok()?).ok());
    let mut found: Found = if let Some(found) = read {
        found
    } else {
        let found = scan(name, config, rows.as_ref(), &reward, limit, counter, printer);
        // What is wrong with a bad row is not in the hash of the rows: it is looked for each time.
        if let Some(path) = remembered.as_ref().filter(|_| found.n_bad == 0) {
            store::write_whole(path, &store::to_json_pretty(&found)).failed().at(path.display())?;
        }
        found
    };
    let usable = found.checked - found.n_bad;
    found.dataset = name.to_string();
    found.ok = found.n_bad as f64 <= args.tolerate * found.checked as f64
        && found.n_reward_failures == 0
        && usable > 0;
    if let (Some(cache), Some(text), Some(pictures)) =
        (&context.cache, found.text_tokens, found.picture_tokens)
    {
        let mean = MeanLength { tokens: text + pictures, pixels: found.mean_pixels };
        sampler::lengths::write(cache, &content, &mean).failed().at(cache.display())?;
    }
    if !compared {
        return Ok((found, None));
    }
    let cached = context.cache.as_deref().and_then(|cache| Prints::read(cache, &content, limit));
    let prints = if let Some(prints) = cached {
        prints
    } else {
        let progress = printer.progress(&format!("fingerprints of {name}"), limit);
        let prints = Prints::of(rows.as_ref(), limit, |done| progress.set(done, ""));
        if let Some(cache) = &context.cache {
            prints.write(cache, &content, limit).failed().at(cache.display())?;
        }
        prints
    };
    Ok((found, Some(Opened { rows, prints, generated })))
}

/// Reads the rows, decodes their pictures, and puts every gold to its reward.
fn scan(
    name: &Name,
    config: &DatasetConfig,
    rows: &dyn Rows,
    reward: &Reward,
    limit: u64,
    counter: Option<&Counter>,
    printer: &Printer,
) -> Found {
    // Each row is read twice: for what it is, and for its reward.
    let progress = printer.progress(&format!("checking {name}"), 2 * limit);
    let scan = check::scan(rows, |done| {
        progress.set(done, "");
        done < limit
    });
    let rewards = sampler::check::scan_rewards(reward, rows, limit, |done| {
        progress.set(limit + done, "rewards");
        true
    });
    let usable = scan.rows - scan.n_bad;
    let tokens = counter.map(|counter| {
        let counts = (0..limit).filter_map(|row| counter.count(config, &rows.row(row).ok()?));
        let (n, text, pictures) =
            counts.fold((0_u64, 0, 0), |(n, a, b), (text, pictures)| (n + 1, a + text, b + pictures));
        (text as f64 / n.max(1) as f64, pictures as f64 / n.max(1) as f64)
    });
    Found {
        dataset: name.to_string(),
        ok: false,
        problem: None,
        rows: rows.len(),
        checked: scan.rows,
        n_bad: scan.n_bad,
        bad: scan.bad.into_iter().map(Bad::from).collect(),
        n_reward_failures: rewards.n_failures,
        reward_failures: rewards.failures.into_iter().map(Bad::from).collect(),
        answers: scan.answers.into_iter().map(|(kind, count)| (kind.to_owned(), count)).collect(),
        different_answers: scan.different_answers,
        most_frequent_share: scan.majority.as_ref().map(|(_, count)| *count as f64 / usable.max(1) as f64),
        most_frequent_answer: scan.majority.map(|(answer, _)| answer),
        frequent_answers: scan.frequent,
        question_characters: scan.question_length,
        text_tokens: tokens.map(|(text, _)| text),
        picture_tokens: tokens.map(|(_, pictures)| pictures),
        mean_pixels: scan.mean_pixels,
        pictures: scan.pictures,
        distinct_pictures: scan.distinct_pictures,
        smallest: scan.sizes.map(|[smallest, _]| smallest),
        largest: scan.sizes.map(|[_, largest]| largest),
        shared: BTreeMap::new(),
    }
}

impl Found {
    fn broken(name: &Name, problem: String) -> Self {
        Self {
            dataset: name.to_string(),
            ok: false,
            problem: Some(problem),
            rows: 0,
            checked: 0,
            n_bad: 0,
            bad: Vec::new(),
            n_reward_failures: 0,
            reward_failures: Vec::new(),
            answers: BTreeMap::new(),
            different_answers: 0,
            frequent_answers: Vec::new(),
            most_frequent_answer: None,
            most_frequent_share: None,
            question_characters: None,
            text_tokens: None,
            picture_tokens: None,
            mean_pixels: 0.0,
            pictures: 0,
            distinct_pictures: 0,
            smallest: None,
            largest: None,
            shared: BTreeMap::new(),
        }
    }
}

fn print(found: &[Found], printer: &mut Printer) -> Result<()> {
    let columns = [
        Column::Text("dataset"),
        Column::Number("rows"),
        Column::Number("checked"),
        Column::Number("bad"),
        Column::Number("reward fails"),
        Column::Text("answers"),
        Column::Text("most frequent"),
        Column::Text("pictures"),
    ];
    let size = |(width, height): (u32, u32)| format!("{width}×{height}");
    let row = |one: &Found| {
        let sizes = match (one.smallest, one.largest) {
            (Some(smallest), Some(largest)) if smallest == largest => size(smallest),
            (Some(smallest), Some(largest)) => format!("{} to {}", size(smallest), size(largest)),
            _ => String::new(),
        };
        let frequent =
            one.most_frequent_answer.as_ref().zip(one.most_frequent_share).map(|(answer, share)| {
                let short: String = answer.chars().take(16).collect();
                format!("{short} ({:.0} %)", 100.0 * share)
            });
        vec![
            one.dataset.clone(),
            one.rows.to_string(),
            one.checked.to_string(),
            one.n_bad.to_string(),
            one.n_reward_failures.to_string(),
            one.answers.keys().cloned().collect::<Vec<_>>().join(", "),
            frequent.unwrap_or_default(),
            format!("{} {sizes}", one.distinct_pictures),
        ]
    };
    let opened: Vec<Vec<String>> = found.iter().filter(|one| one.problem.is_none()).map(row).collect();
    if !opened.is_empty() {
        printer.table(&columns, &opened)?;
    }
    for one in found {
        if let Some(problem) = &one.problem {
            printer.line(format!(
                "\n{}: cannot be opened\n  {}",
                one.dataset,
                problem.replace('\n', "\n  ")
            ))?;
        }
        for (title, count, rows) in [
            ("rows that cannot be used", one.n_bad, &one.bad),
            ("golds on which the reward fails", one.n_reward_failures, &one.reward_failures),
        ] {
            if count > 0 {
                printer.line(format!("\n{}: {count} {title}", one.dataset))?;
                for bad in rows.iter().take(MOST_PRINTED) {
                    printer.line(format!("  {}: {}", bad.place, bad.what))?;
                }
                if count > MOST_PRINTED as u64 {
                    printer
                        .line(format!("  and {} more; `--json` lists them", count - MOST_PRINTED as u64))?;
                }
            }
        }
    }
    let mut shared = Vec::new();
    for one in found {
        for (other, levels) in &one.shared {
            let count = |level| levels.get(word(level)).copied().unwrap_or(0);
            let counts = LEVELS.map(count);
            if counts[..4].iter().sum::<u64>() > 0 {
                let names = [
                    one.dataset.clone(),
                    if *other == one.dataset { "itself".to_owned() } else { other.clone() },
                ];
                shared.push(names.into_iter().chain(counts.map(|count| count.to_string())).collect());
            }
        }
    }
    if !shared.is_empty() {
        printer.line(
            "\nrows with something in common with another dataset, or with an earlier row of their own:",
        )?;
        let columns = [
            Column::Text("rows of"),
            Column::Text("are in"),
            Column::Number("same row"),
            Column::Number("same picture and question"),
            Column::Number("same picture"),
            Column::Number("near picture"),
            Column::Number("same question"),
        ];
        printer.table(&columns, &shared)?;
    }
    Ok(())
}
