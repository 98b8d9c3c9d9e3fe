//! `modo draw`: the order in which the samples of a mixture are drawn, any part of it.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Serialize;

use super::{
    Context,
    data::{Counter, Unit, means},
    mixtures,
    printer::{Column, Printer},
};
use crate::{
    data::{Catalog, Portion, Role},
    error::{Context as _, Error, Result},
    mixture::{
        Mixture,
        draw_rule::DrawRule,
        limit::{BadLimit, Limit, Then},
    },
    name::{BadName, Name},
    sampler::{self, Change, Dataset, Draw, Schedule, Settings, Slice, Summary},
    seed::Seed,
    store,
    sweep::Plan,
};

const EXAMPLES: &str = "\
Examples:
  modo draw --mixture detect=0.7,refer=0.3 --count 10
  modo draw --mixture uniform --seed 3 --from 1000000 --count 5 --json
  modo draw --mixture mixtures/best.json --count 20000 --summary
  modo draw --datasets my.toml --data-root /data --mixture best --count 100 --json
  modo draw --mixture uniform --limit detect=2:renormalise --count 90000 --summary
  modo draw --mixture detect=1 --change 4800:refer=1 --count 9600 --record r.json
  modo draw --mixture best --draw batch --step 64 --count 640 --rank 3 --ranks 8

A limit is `repeat`, `stop`, or passes over the rows and what then: `2:stop`,
`2:renormalise` (the others go on in their proportions), `2:hand_to=NAME`.
`row` counts the rows of the dataset from 0, without those of `exclude`.";

/// Draws of an optimizer step where nothing says.
const STEP: u64 = 128;

/// Options of `modo draw`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Shares: a file, a name under mixtures/, or `a=0.5,b=0.5`.
    #[arg(long, value_name = "MIXTURE")]
    mixture: String,
    /// Take the catalogue of this experiment's folder, if it has its own, and its plan's rule of draws and step.
    #[arg(long, value_name = "FOLDER", conflicts_with = "datasets")]
    experiment: Option<PathBuf>,
    /// Seed of the order.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The first draw, counted from 0.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..1 << 63))]
    from: u64,
    /// How many draws.
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u64).range(..1 << 62))]
    count: u64,
    /// How the dataset of each draw is chosen [default: the experiment's, or exact].
    #[arg(long, value_enum)]
    draw: Option<Rule>,
    /// Draws of an optimizer step, which `--draw batch` shuffles [default: the experiment's, or 128].
    #[arg(long, value_name = "N")]
    step: Option<u64>,
    /// What the shares are of.
    #[arg(long, value_enum, default_value_t = Unit::Groups)]
    unit: Unit,
    /// Whose tokens, `nano` or a checkpoint folder [default: the experiment's base].
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// End before any dataset's rows are drawn for the N+1st time [default: they repeat for ever, and with `iid` are drawn once].
    #[arg(long, value_name = "N", value_parser = passes)]
    max_passes: Option<f64>,
    /// How often one dataset's rows may be drawn, and what then; may be given several times.
    #[arg(long = "limit", value_name = "NAME=LIMIT", value_parser = limit)]
    limits: Vec<(Name, Limit)>,
    /// Other shares from draw N on; may be given several times.
    #[arg(long = "change", value_name = "N:MIXTURE", value_parser = change)]
    changes: Vec<(u64, String)>,
    /// Write what the order is made of to this file: segments, shares, counts, reasons, hashes.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Print the draws of one rank only, counted from 0.
    #[arg(long, value_name = "R", default_value_t = 0, requires = "ranks")]
    rank: u64,
    /// How many ranks share the draws.
    #[arg(long, value_name = "N", default_value_t = 1)]
    ranks: u64,
    /// Print the draws of one worker of the rank only, counted from 0.
    #[arg(long, value_name = "W", default_value_t = 0, requires = "workers")]
    worker: u64,
    /// How many workers share the draws of a rank.
    #[arg(long, value_name = "N", default_value_t = 1)]
    workers: u64,
    /// Print planned and realised shares, passes and rows instead of the draws.
    #[arg(long, conflicts_with_all = ["rank", "ranks", "worker", "workers"])]
    summary: bool,
    /// Print JSON, one object per line: n, dataset, row, pass.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Rule {
    /// After any number of draws every dataset is within one draw of its share.
    Exact,
    /// The exact draws of each step, shuffled among themselves.
    Batch,
    /// By chance, as in MoDoMoDo; every row once where no limit says otherwise.
    Iid,
}

fn passes(text: &str) -> Result<f64, String> {
    let passes = text.parse().ok().filter(|passes: &f64| *passes > 0.0 && passes.is_finite());
    passes.ok_or_else(|| "it must be a number above 0".to_owned())
}

fn limit(text: &str) -> Result<(Name, Limit), String> {
    let (name, limit) = text.split_once('=').ok_or("write `NAME=2:renormalise`")?;
    Ok((
        name.parse().map_err(|e: BadName| e.to_string())?,
        limit.parse().map_err(|e: BadLimit| e.to_string())?,
    ))
}

/// From when on, and the shares that hold then.
pub(super) fn change(text: &str) -> Result<(u64, String), String> {
    let (n, mixture) = text.split_once(':').ok_or("write `100:a=0.5,b=0.5`")?;
    Ok((n.parse().map_err(|_| format!("`{n}` is no whole number"))?, mixture.to_owned()))
}

/// One draw, as scripts read it.
#[derive(Serialize)]
struct Line<'a> {
    n: u64,
    dataset: &'a str,
    row: u64,
    pass: u64,
}

pub(super) fn run(args: &Args, context: &Context, printer: &mut Printer) -> Result<()> {
    let catalog = match args.experiment.as_ref().map(|folder| folder.join("datasets.toml")) {
        Some(own) if own.is_file() => Catalog::read(&own)?,
        Some(own) if own.parent().is_some_and(|folder| !folder.is_dir()) => {
            return Err(Error::input("there is no such folder").at("option `--experiment`"));
        }
        _ => context.catalog()?,
    };
    let slice = Slice::new(args.rank, args.ranks, args.worker, args.workers).input()?;
    let mixture = drawn_only(mixtures::load(&args.mixture, &catalog)?);
    let mut changes: Vec<(u64, Mixture)> = Vec::new();
    for (start, text) in &args.changes {
        changes.push((*start, drawn_only(mixtures::load(text, &catalog)?)));
    }
    let mut datasets: Vec<Dataset> = Vec::new();
    let mut limits: BTreeMap<Name, Limit> = BTreeMap::new();
    let named = mixture.parts().chain(changes.iter().flat_map(|(_, mixture)| mixture.parts()));
    let mut wanted: Vec<Name> = named.map(|(name, _)| name.clone()).collect();
    wanted.reverse();
    let again =
        |(at, (name, _)): &(usize, &(Name, Limit))| args.limits[..*at].iter().any(|(other, _)| other == name);
    if let Some((_, (name, _))) = args.limits.iter().enumerate().find(again) {
        return Err(Error::input(format!("`{name}` has two limits"))
            .at("option `--limit`")
            .hint("give each dataset once"));
    }
    while let Some(name) = wanted.pop() {
        if datasets.iter().any(|d| d.name == name) {
            continue;
        }
        let config = catalog.get(&name)?;
        let cache = context.cache.as_deref();
        let rows = sampler::source::open(&name, config, &context.data_root, Portion::All, cache)?;
        let own = args.limits.iter().find(|(of, _)| *of == name).map(|(_, limit)| limit.clone());
        if let Some(limit) = own.or_else(|| config.limit.clone()) {
            // What it may hand its share to is drawn from as well; one that may not be is refused with the limit.
            if let Some(Then::HandTo(other)) = limit.then()
                && catalog.get(other).is_ok_and(|config| config.role == Role::Train)
            {
                wanted.push(other.clone());
            }
            limits.insert(name.clone(), limit);
        }
        datasets.push(Dataset { name, content_hash: rows.content_hash(), rows: rows.len() });
    }
    // One for a dataset that is not drawn from is a mistake, and is said to be one.
    limits.extend(
        args.limits.iter().filter(|(name, _)| !limits.contains_key(name)).cloned().collect::<Vec<_>>(),
    );
    let configs = datasets.iter().filter_map(|d| Some((&d.name, catalog.get(&d.name).ok()?)));
    for what in sampler::source::shared(&datasets, configs) {
        printer.warn(what);
    }
    let plan = args.experiment.as_ref().filter(|folder| folder.join("plan.toml").is_file());
    let plan = plan.map(|folder| Plan::read(folder)).transpose()?;
    let draw = match args.draw {
        Some(Rule::Exact) => DrawRule::Exact,
        Some(Rule::Batch) => DrawRule::Batch,
        Some(Rule::Iid) => DrawRule::Iid,
        None => plan.as_ref().map_or(DrawRule::Exact, |plan| plan.draw),
    };
    let step = args.step.or(plan.as_ref().map(|plan| plan.budget.prompts_per_step)).unwrap_or(STEP);
    let otherwise = args.max_passes.map(|max_passes| Limit::Passes { max_passes, then: Then::Stop });
    let settings = Settings { draw, step, limits, otherwise };
    let model = args.model.as_deref().or(plan.as_ref().map(|plan| plan.base.as_str()));
    let counter = match model {
        None if args.unit == Unit::Tokens => {
            return Err(Error::input("tokens are those of a model, and none is named")
                .at("option `--unit tokens`")
                .hint("name one with `--model`, or an experiment that has one"));
        }
        // What nobody asked for may be missing.
        Some(model) if args.unit == Unit::Tokens || args.model.is_some() => Some(Counter::read(model)?),
        model => model.and_then(|model| Counter::read(model).ok()),
    };
    let configs = datasets.iter().filter_map(|d| Some((d, catalog.get(&d.name).ok()?)));
    let means = means(configs, counter.as_ref(), context);
    let in_groups = |mixture: &Mixture| args.unit.in_groups(mixture, &means);
    let seed = Seed::new(args.seed);
    let mut schedule = Schedule::new(&in_groups(&mixture)?, &datasets, seed, &settings).input()?;
    for (start, mixture) in &changes {
        let reason = "option --change".to_owned();
        let change = Change { start: *start, mixture: in_groups(mixture)?, added: Vec::new(), reason };
        schedule.change(&change, 0).input()?;
    }
    if let Some(path) = &args.record {
        store::write_whole(path, &store::to_json_pretty(&schedule.record())).failed().at(path.display())?;
    }
    if args.summary {
        let mut summary = schedule.summary(args.from..args.from + args.count);
        summary.measure(&means);
        print_summary(&summary, args.json, printer)?;
        if summary.end.is_none() {
            say_if_cut(&schedule, args.from + args.count, printer);
        }
        return Ok(());
    }
    print_draws(args, &schedule, slice, printer)
}

fn print_draws(args: &Args, schedule: &Schedule, slice: Slice, printer: &mut Printer) -> Result<()> {
    if args.from > 0 {
        // Says why where there is no such draw.
        schedule.draw(args.from).input()?;
    }
    let until = args.from + args.count;
    let draws: Box<dyn Iterator<Item = Draw>> = if slice == Slice::ALL {
        Box::new(schedule.draws(args.from))
    } else {
        Box::new(schedule.slice(slice, args.from))
    };
    for (printed, draw) in draws.take_while(|draw| draw.n < until).enumerate() {
        let dataset = schedule.datasets()[draw.dataset].name.as_str();
        if args.json {
            printer.json(&Line { n: draw.n, dataset, row: draw.row, pass: draw.pass })?;
        } else {
            if printed == 0 {
                printer.line(format!("{:>10}  {:24} {:>10} {:>5}", "n", "dataset", "row", "pass"))?;
            }
            printer.line(format!("{:>10}  {dataset:24} {:>10} {:>5}", draw.n, draw.row, draw.pass))?;
        }
    }
    say_if_cut(schedule, until, printer);
    Ok(())
}

/// Fewer draws than were asked for are never silent.
fn say_if_cut(schedule: &Schedule, until: u64, printer: &Printer) {
    if let Err(why) = schedule.draw(until.saturating_sub(1)) {
        printer.note(format!("fewer draws than asked for: {why}"));
    }
}

/// Nothing is drawn from the others, so their files need not be there.
fn drawn_only(mixture: Mixture) -> Mixture {
    let mut parts: BTreeMap<Name, u32> = mixture.into();
    parts.retain(|_, parts| *parts > 0);
    Mixture::try_from(parts).expect("taking out zeros leaves the sum as it was")
}

fn print_summary(summary: &Summary, json: bool, printer: &mut Printer) -> Result<()> {
    if json {
        return printer.json(summary);
    }
    let columns = [
        Column::Text("dataset"),
        Column::Number("planned share"),
        Column::Number("realised share"),
        Column::Number("draws"),
        Column::Number("passes"),
        Column::Number("different rows"),
        Column::Number("pixels"),
        Column::Number("tokens"),
    ];
    // A column or two more where anybody has measured.
    let any = |measured: fn(&sampler::SummaryRow) -> bool| usize::from(summary.rows.iter().any(measured));
    let measured = any(|row| row.pixels.is_some()) + any(|row| row.tokens.is_some());
    let columns = &columns[..6 + measured];
    let estimate =
        |value: Option<f64>| value.map_or("not measured".to_owned(), |value| format!("{value:.3e}"));
    let row = |row: &sampler::SummaryRow| {
        let mut cells = vec![
            row.dataset.to_string(),
            format!("{:.6}", row.planned_share),
            format!("{:.6}", row.realised_share),
            row.groups.to_string(),
            format!("{:.3}", row.passes),
            row.unique_rows.to_string(),
            estimate(row.pixels),
            estimate(row.tokens),
        ];
        cells.truncate(columns.len());
        cells
    };
    printer.table(columns, &summary.rows.iter().map(row).collect::<Vec<_>>())?;
    let (range, deviation) = (&summary.range, summary.largest_deviation);
    printer.line(format!(
        "\ndraws {} to {}; {} is a dataset further than {deviation:.3} draws from its share",
        range.start,
        range.end,
        if summary.shuffled { "at the end of no step" } else { "at no point" }
    ))?;
    if !summary.segments.is_empty() {
        let starts: Vec<String> = summary.segments.iter().take(20).map(u64::to_string).collect();
        printer
            .line(format!("other shares from draw {} on; `--record FILE` writes why", starts.join(", ")))?;
    }
    if let Some(end) = &summary.end {
        printer.line(format!("the schedule ends there, because of `{}`", end.dataset))?;
    }
    Ok(())
}
