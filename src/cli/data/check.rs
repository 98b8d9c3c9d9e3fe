//! `modo data check`: every row read, every picture decoded, every gold put to its own reward.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::{
    super::{
        Context,
        printer::{Column, Printer},
    },
    chosen, is_here,
};
use crate::{
    data::{DatasetConfig, Portion, Role, Source, check},
    error::{Error, Result},
    name::Name,
    sample::BadRow,
    sampler,
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
#[derive(Serialize)]
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
    answers: BTreeMap<&'static str, u64>,
    most_frequent_answer: Option<String>,
    most_frequent_share: Option<f64>,
    pictures: u64,
    distinct_pictures: u64,
    smallest: Option<(u32, u32)>,
    largest: Option<(u32, u32)>,
    /// Pictures that stand in other checked datasets as well, by dataset.
    shared_pictures: BTreeMap<String, u64>,
}

/// A row and what is wrong with it.
#[derive(Serialize)]
struct Bad {
    place: String,
    what: String,
}

impl From<BadRow> for Bad {
    fn from(bad: BadRow) -> Self {
        Self { place: bad.place, what: bad.what }
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
    let mut found = Vec::new();
    let mut pictures = Vec::new();
    for (name, config) in &datasets {
        let (one, seen) = examine(name, config, args, context, printer);
        found.push(one);
        pictures.push(seen);
    }
    for (i, seen) in pictures.iter().enumerate() {
        for (k, others) in pictures.iter().enumerate() {
            let shared = seen.intersection(others).count() as u64;
            if i != k && shared > 0 {
                found[i].shared_pictures.insert(datasets[k].0.to_string(), shared);
            }
        }
    }
    if args.json {
        found.iter().try_for_each(|one| printer.json(one))?;
    } else {
        print(&found, printer)?;
    }
    printer.flush()?;
    let role: BTreeMap<&str, Role> =
        datasets.iter().map(|(name, config)| (name.as_str(), config.role)).collect();
    for one in &found {
        for (other, count) in &one.shared_pictures {
            if role[one.dataset.as_str()] == Role::Train && role[other.as_str()] != Role::Train {
                printer.warn(format!(
                    "{count} pictures of `{}`, which is trained on, are in the benchmark `{other}` as well",
                    one.dataset
                ));
            }
        }
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

fn examine(
    name: &Name,
    config: &DatasetConfig,
    args: &Args,
    context: &Context,
    printer: &Printer,
) -> (Found, HashSet<blake3::Hash>) {
    let mut found = Found {
        dataset: name.to_string(),
        ok: false,
        problem: None,
        rows: 0,
        checked: 0,
        n_bad: 0,
        bad: Vec::new(),
        n_reward_failures: 0,
        reward_failures: Vec::new(),
        answers: BTreeMap::new(),
        most_frequent_answer: None,
        most_frequent_share: None,
        pictures: 0,
        distinct_pictures: 0,
        smallest: None,
        largest: None,
        shared_pictures: BTreeMap::new(),
    };
    let opened = sampler::source::open(name, config, &context.data_root, Portion::All)
        .and_then(|rows| Ok((rows, sampler::check::reward(name, config)?)));
    let (rows, reward) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            found.problem = Some(error.to_string());
            return (found, HashSet::new());
        }
    };
    let rows = rows.as_ref();
    let generated = matches!(config.source, Source::Task { .. });
    let limit = args.rows.unwrap_or(if generated { GENERATED_ROWS } else { u64::MAX }).min(rows.len());
    // Each row is read twice: for what it is, and for its reward.
    let progress = printer.progress(&format!("checking {name}"), 2 * limit);
    let scan = check::scan(rows, |done| {
        progress.set(done, "");
        done < limit
    });
    let rewards = sampler::check::scan_rewards(&reward, rows, limit, |done| {
        progress.set(limit + done, "rewards");
        true
    });
    let usable = scan.rows - scan.n_bad;
    found.ok = scan.n_bad as f64 <= args.tolerate * scan.rows as f64 && rewards.n_failures == 0 && usable > 0;
    found.rows = rows.len();
    found.checked = scan.rows;
    found.n_bad = scan.n_bad;
    found.bad = scan.bad.into_iter().map(Bad::from).collect();
    found.n_reward_failures = rewards.n_failures;
    found.reward_failures = rewards.failures.into_iter().map(Bad::from).collect();
    found.answers = scan.answers;
    if let Some((answer, count)) = scan.majority {
        found.most_frequent_answer = Some(answer);
        found.most_frequent_share = Some(count as f64 / usable.max(1) as f64);
    }
    found.pictures = scan.pictures;
    found.distinct_pictures = scan.distinct_pictures;
    found.smallest = scan.sizes.map(|[smallest, _]| smallest);
    found.largest = scan.sizes.map(|[_, largest]| largest);
    (found, rewards.pictures)
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
            one.answers.keys().copied().collect::<Vec<_>>().join(", "),
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
        for (other, count) in one.shared_pictures.iter().filter(|(other, _)| one.dataset < **other) {
            shared.push(vec![one.dataset.clone(), other.clone(), count.to_string()]);
        }
    }
    if !shared.is_empty() {
        printer.line("\npictures in two datasets:")?;
        let columns = [Column::Text("dataset"), Column::Text("and"), Column::Number("pictures")];
        printer.table(&columns, &shared)?;
    }
    Ok(())
}
