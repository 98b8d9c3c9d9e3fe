//! `modo data check`: every row read, every picture decoded, every gold put to its own reward.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    super::{Context, printer::Printer},
    chosen, counted, in_a_folder, is_here, report as terminal,
    tokens::Counter,
};
use crate::{
    data::{
        Catalog, DatasetConfig, Portion, Role, Source,
        check::{Bad, Check, MOST_LISTED, Range, Seen, scan},
        overlap::{self, Builder, Hit, Prints, Side},
    },
    error::{Context as _, Error, Result},
    name::Name,
    report::DataCheck,
    reward::Reward,
    sample::Rows,
    sampler, store,
};

/// Rows of a generated dataset that are checked unless more are asked for: all come from the same few rules.
const GENERATED_ROWS: u64 = 1000;

/// Counted up when a check looks for more, so that what an older one found is not taken for all.
const LOOKED_FOR: u32 = 2;

const EXAMPLES: &str = "\
Examples:
  modo data check
  modo data check my_dataset --datasets my.toml --data-root /data
  modo data check detect --rows 20000 --json
  modo data check --exclusions leaks.txt  # then `exclude` in a table

A dataset fails if its reward does not give all to a gold or gives anything to a
wrong answer, if no row can be used, or if more cannot than `max_bad` or
--tolerate allow. Then the exit code is 2. Other rows that cannot be used are
listed; where one is drawn, the dataset's next row takes its place. Golds with a
box that leaves its picture, and golds that contradict an earlier row with the
same question and pictures, are listed and fail nothing.

`row` of --json counts the rows of the dataset, without those of `exclude`; a
place names file and line.";

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
    /// Model whose tokens are counted, `nano` or a checkpoint folder; shares of tokens need it once.
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Fail where more than this share of the rows cannot be used, from 0 to 1 [default: `max_bad` of the table].
    #[arg(long, value_name = "SHARE", value_parser = share)]
    tolerate: Option<f64>,
    /// Print JSON, one object per dataset.
    #[arg(long)]
    json: bool,
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "a share is from 0 to 1".to_owned())
}

/// An opened dataset with what is needed to compare it with others.
struct Opened {
    rows: Box<dyn Rows>,
    prints: Prints,
    /// Generated datasets share nothing by construction, so they are compared with files only.
    generated: bool,
}

pub(super) fn run(args: &Args, context: &Context, printer: &mut Printer) -> Result<()> {
    let catalog = context.catalog()?;
    let mut datasets = chosen(&catalog, &args.names)?;
    if !context.data_root.is_dir() {
        let what = format!("there is no folder {}", context.data_root.display());
        return Err(Error::input(what).at("the data root").hint("give the folder with `--data-root`"));
    }
    if let Some(path) = &args.exclusions {
        in_a_folder(path, "option `--exclusions`")?;
    }
    if args.names.is_empty() {
        let all = datasets.len();
        datasets.retain(|(_, config)| is_here(config, &context.data_root));
        if datasets.is_empty() {
            let what = format!("no dataset of the catalogue has files below {}", context.data_root.display());
            return Err(Error::input(what).at(catalog.file()).hint(
                "`modo data list` says where to get them; `--data-root` is the folder that they are below",
            ));
        }
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
    let mut checks = Vec::new();
    let mut opened = Vec::new();
    for (name, config) in &datasets {
        let (check, rows) = examine(name, config, args, compared, counter.as_ref(), context, printer)?;
        checks.push(check);
        opened.push(rows);
    }
    let roles: Vec<Role> = datasets.iter().map(|(_, config)| config.role).collect();
    let leaks = overlap(&mut checks, &opened, &roles, printer);
    if let Some(cache) = &context.cache {
        for ((name, config), check) in datasets.iter().zip(&checks) {
            let path = last(cache, name, config, &context.data_root);
            store::write_whole(&path, &store::to_json_pretty(check)).failed().at(path.display())?;
        }
    }
    if args.json {
        checks.iter().try_for_each(|check| printer.json(check))?;
    } else {
        terminal::print(&checks, printer)?;
    }
    printer.flush()?;
    for (check, _) in checks.iter().zip(&roles).filter(|(_, role)| **role == Role::Train) {
        for (other, _) in checks.iter().zip(&roles).filter(|(_, role)| **role != Role::Train) {
            let levels = check.shared.get(&other.dataset);
            let leaked: u64 = overlap::Level::ALL
                .iter()
                .filter(|level| level.leaks())
                .filter_map(|level| levels?.get(level.word()))
                .sum();
            if leaked > 0 {
                let shows = if leaked == 1 { "shows" } else { "show" };
                printer.warn(format!(
                    "{} of `{}`, which is trained on, {shows} pictures of the benchmark `{}`",
                    counted(leaked, "row"),
                    check.dataset,
                    other.dataset
                ));
            }
        }
    }
    if let Some(path) = &args.exclusions {
        store::write_whole(path, &overlap::exclusion_list(&leaks)).failed().at(path.display())?;
        printer.note(format!(
            "wrote {} to {}; put it below the data root and `exclude = \"…\"` into the tables",
            counted(leaks.len() as u64, "row"),
            path.display()
        ));
    }
    let failed: Vec<String> =
        checks.iter().filter(|check| !check.ok).map(|check| format!("`{}`", check.dataset)).collect();
    if failed.is_empty() {
        return Ok(());
    }
    // The data are what has to change, so this is the user's input: see "exit codes" in `modo --help`.
    let what = if failed.len() == 1 { "a dataset fails its check" } else { "some datasets fail their check" };
    Err(Error::input(format!("{what}: {}", failed.join(", ")))
        .hint("bad rows are replaced when they are drawn; a reward that fails on a gold stops a run"))
}

/// Compares every dataset with itself and every other; returns the rows of training datasets that benchmarks have.
fn overlap(checks: &mut [Check], opened: &[Option<Opened>], roles: &[Role], printer: &Printer) -> Vec<Hit> {
    let places: Vec<usize> = (0..opened.len()).filter(|i| opened[*i].is_some()).collect();
    let there: Vec<&Opened> = opened.iter().flatten().collect();
    let sides: Vec<Side> =
        there.iter().map(|one| Side { prints: &one.prints, rows: one.rows.as_ref() }).collect();
    let wanted = |one: usize, other: usize| !(there[one].generated && there[other].generated);
    let progress = printer.progress("comparing pictures", 100);
    let shared = overlap::compare(&sides, wanted, |done, all| progress.set(100 * done / all.max(1), ""));
    drop(progress);
    let mut leaks: BTreeMap<String, Hit> = BTreeMap::new();
    for pair in shared {
        let (i, k) = (places[pair.of], places[pair.with]);
        let with = checks[k].dataset.clone();
        if i != k {
            checks[i].compared_with.push(with.clone());
        }
        let counts = checks[i].shared.entry(with).or_default();
        for hit in pair.hits {
            *counts.entry(hit.level.word().to_owned()).or_default() += 1;
            if roles[i] == Role::Train && roles[k] != Role::Train && hit.level.leaks() {
                leaks.entry(hit.row.clone()).or_insert(hit);
            }
        }
    }
    leaks.into_values().collect()
}

/// Everything that is asked of one dataset; its prints where it is to be compared.
fn examine(
    name: &Name,
    config: &DatasetConfig,
    args: &Args,
    compared: bool,
    counter: Option<&Counter>,
    context: &Context,
    printer: &Printer,
) -> Result<(Check, Option<Opened>)> {
    let opened = open(name, config, &context.data_root, context.cache.as_deref())
        .and_then(|rows| Ok((rows, sampler::check::reward(name, config)?)));
    let (rows, reward) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            let (dataset, problem) = (name.to_string(), Some(error.to_string()));
            return Ok((Check { dataset, problem, ..Check::default() }, None));
        }
    };
    let generated = matches!(config.source, Source::Task { .. });
    let limit = args.rows.unwrap_or(if generated { GENERATED_ROWS } else { u64::MAX }).min(rows.len());
    let hash = rows.content_hash();
    let cache = context.cache.as_deref();
    let counted = counter.map(|counter| counter.key(config));
    let remembered = cache.map(|cache| {
        // Everything that decides what is found.
        let key = (
            env!("CARGO_PKG_VERSION"),
            LOOKED_FOR,
            content(rows.as_ref()),
            format!("{config:?}"),
            limit,
            &counted,
        );
        let key = store::short_hash(&serde_json::to_vec(&key).expect("texts and numbers"));
        cache.join(format!("check-{key}.json"))
    });
    let known: Option<Check> =
        remembered.as_ref().and_then(|path| serde_json::from_slice(&fs::read(path).ok()?).ok());
    let prints = cache.filter(|_| compared).and_then(|cache| Prints::read(cache, &hash, limit));
    let (mut check, prints) = match known {
        Some(mut check) if prints.is_some() || !compared => {
            check.renew(rows.as_ref());
            (check, prints)
        }
        _ => {
            let failed = |done: io::Error| Error::failed(done).at("the small grey pictures");
            let make = compared && prints.is_none();
            let mut builder = make.then(|| Builder::new(cache)).transpose().map_err(failed)?;
            let check = read(name, config, rows.as_ref(), &reward, limit, counter, builder.as_mut(), printer)
                .map_err(failed)?;
            if let Some(path) = &remembered {
                store::write_whole(path, &store::to_json_pretty(&check)).failed().at(path.display())?;
            }
            let finish = |builder: Builder| builder.finish(cache.map(|cache| (cache, &hash, limit)));
            (check, builder.map(finish).transpose().map_err(failed)?.or(prints))
        }
    };
    check.dataset = name.to_string();
    check.content = content(rows.as_ref());
    let tolerated = match (args.tolerate, config.max_bad) {
        (Some(share), _) => check.n_bad as f64 <= share * check.checked as f64,
        (None, most) => most.is_none_or(|most| check.n_bad <= most),
    };
    check.ok = tolerated && check.n_reward_failures == 0 && check.n_bad < check.checked;
    // The means of some rows only, because few were asked for, are not those of the dataset.
    if let (Some(cache), None, true) = (cache, args.rows, check.n_bad < check.checked) {
        let tokens =
            check.text_tokens.zip(check.picture_tokens).map(|(text, pictures)| text[1] + pictures[1]);
        let tokens = counted.zip(tokens);
        sampler::lengths::write(cache, &hash, check.mean_pixels, tokens).failed().at(cache.display())?;
    }
    Ok((check, prints.map(|prints| Opened { rows, prints, generated })))
}

/// Opens a dataset however many of its rows are bad: a check lists them all, and judges their number afterwards.
fn open(name: &Name, config: &DatasetConfig, root: &Path, cache: Option<&Path>) -> Result<Box<dyn Rows>> {
    let lenient = DatasetConfig { max_bad: None, ..config.clone() };
    sampler::source::open(name, &lenient, root, Portion::All, cache)
}

/// Reads the rows once: decodes their pictures, puts every gold to its reward, counts tokens, takes prints.
#[expect(clippy::too_many_arguments, reason = "each is another thing that is done to a row that was read")]
fn read(
    name: &Name,
    config: &DatasetConfig,
    rows: &dyn Rows,
    reward: &Reward,
    limit: u64,
    counter: Option<&Counter>,
    mut builder: Option<&mut Builder>,
    printer: &Printer,
) -> io::Result<Check> {
    let progress = printer.progress(&format!("reading {name}"), limit);
    let (mut text, mut picture) = (Range::default(), Range::default());
    let mut written = Ok(());
    let visit = |seen: &Seen, check: &mut Check| {
        if let Err(failure) = sampler::check::test_gold(reward, seen.sample) {
            check.n_reward_failures += 1;
            if check.reward_failures.len() < MOST_LISTED {
                check.reward_failures.push(Bad { row: seen.row, place: failure.place, what: failure.what });
            }
        }
        if let Some((of_text, of_pictures)) = counter.and_then(|counter| counter.count(config, seen.sample)) {
            text.add(of_text as f64);
            picture.add(of_pictures as f64);
        }
        if let (Some(builder), Ok(())) = (&mut builder, &written) {
            written = builder.add(seen.row, seen.sample, seen.pictures);
        }
    };
    let mut check = scan(rows, limit, visit, |done| progress.set(done, ""));
    written?;
    (check.text_tokens, check.picture_tokens) = (text.get(), picture.get());
    Ok(check)
}

/// Where the last check of a dataset is kept for the page of an experiment, overlap and all.
fn last(cache: &Path, name: &Name, config: &DatasetConfig, data_root: &Path) -> PathBuf {
    let root = data_root.canonicalize().unwrap_or_else(|_| data_root.to_owned());
    let key = serde_json::to_vec(&(name, format!("{config:?}"), root)).expect("texts");
    cache.join(format!("checked-{}.json", store::short_hash(&key)))
}

/// What the last checks of these datasets found, as far as there were any.
pub(in crate::cli) fn last_checks<'a>(
    catalog: &Catalog,
    names: impl Iterator<Item = &'a Name>,
    context: &Context,
) -> Vec<DataCheck> {
    let one = |name: &Name| {
        let (cache, config) = (context.cache.as_deref()?, catalog.get(name).ok()?);
        let path = last(cache, name, config, &context.data_root);
        let check: Check = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        let now = open(name, config, &context.data_root, Some(cache)).ok();
        let changed = now.is_none_or(|rows| content(rows.as_ref()) != check.content);
        let role = match config.role {
            Role::Train => "train",
            Role::InDomain => "in-domain benchmark",
            Role::OutOfDomain => "out-of-domain benchmark",
        };
        Some(DataCheck { role, check, changed })
    };
    names.filter_map(one).collect()
}

/// The hash of a dataset's content as a check notes it.
fn content(rows: &dyn Rows) -> String {
    rows.content_hash().to_hex()[..32].to_owned()
}
