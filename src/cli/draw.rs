//! `modo draw`: the order in which the samples of a mixture are drawn, any part of it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    Context, mixtures,
    printer::{Column, Printer},
};
use crate::{
    data::Portion,
    error::{Context as _, Result},
    mixture::Mixture,
    name::Name,
    sampler::{self, Dataset, DrawRule, Schedule, Settings, Summary},
    seed::Seed,
};

const EXAMPLES: &str = "\
Examples:
  modo draw --mixture uniform --count 10
  modo draw --mixture detect=0.7,refer=0.3 --seed 3 --from 1000000 --count 5 --json
  modo draw --mixture mixtures/best.json --count 20000 --summary
  modo draw --datasets my.toml --data-root /data --mixture best --count 100 --json";

/// Options of `modo draw`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Shares: a file, a name under mixtures/, or `a=0.5,b=0.5`.
    #[arg(long, value_name = "MIXTURE")]
    mixture: String,
    /// Seed of the order.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The first draw, counted from 0.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..1 << 63))]
    from: u64,
    /// How many draws.
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u64).range(..1 << 62))]
    count: u64,
    /// How the dataset of each draw is chosen.
    #[arg(long, value_enum, default_value_t = Rule::Exact)]
    draw: Rule,
    /// End before any dataset's rows are drawn for the N+1st time [default: they repeat for ever].
    #[arg(long, value_name = "N")]
    max_passes: Option<u64>,
    /// Print planned and realised shares, passes and rows instead of the draws.
    #[arg(long)]
    summary: bool,
    /// Print JSON, one object per line: n, dataset, row, pass.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Rule {
    /// After any number of draws every dataset is within one draw of its share.
    Exact,
    /// By chance, every row once, as in MoDoMoDo.
    Iid,
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
    let catalog = context.catalog()?;
    let mut parts: BTreeMap<Name, u32> = mixtures::load(&args.mixture, &catalog)?.into();
    // Nothing is drawn from the others, so their files need not be there.
    parts.retain(|_, parts| *parts > 0);
    let mixture = Mixture::try_from(parts).expect("taking out zeros leaves the sum as it was");
    let mut datasets = Vec::new();
    for (name, parts) in mixture.parts() {
        if parts > 0 {
            let rows = sampler::source::open(name, catalog.get(name)?, &context.data_root, Portion::All)?;
            datasets.push(Dataset {
                name: name.clone(),
                content_hash: rows.content_hash(),
                rows: rows.len(),
            });
        }
    }
    let draw = match args.draw {
        Rule::Exact => DrawRule::Exact,
        Rule::Iid => DrawRule::Iid,
    };
    let settings = Settings { draw, max_passes: args.max_passes };
    let schedule = Schedule::new(&mixture, &datasets, Seed::new(args.seed), &settings).input()?;
    if args.summary {
        return print_summary(&schedule.summary(args.from..args.from + args.count), args.json, printer);
    }
    let mut printed = 0;
    if args.from > 0 {
        // Says why where there is no such draw.
        schedule.draw(args.from).input()?;
    }
    for draw in schedule.draws(args.from).take(args.count as usize) {
        let dataset = datasets[draw.dataset].name.as_str();
        if args.json {
            printer.json(&Line { n: draw.n, dataset, row: draw.row, pass: draw.pass })?;
        } else {
            if printed == 0 {
                printer.line(format!("{:>10}  {:24} {:>10} {:>5}", "n", "dataset", "row", "pass"))?;
            }
            printer.line(format!("{:>10}  {dataset:24} {:>10} {:>5}", draw.n, draw.row, draw.pass))?;
        }
        printed += 1;
    }
    if printed < args.count
        && let Some(end) = schedule.end()
    {
        printer.note(format!(
            "the schedule ends before draw {}: {}",
            end.n,
            schedule.draw(end.n).err().map_or(String::new(), |e| e.to_string())
        ));
    }
    Ok(())
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
    ];
    let row = |row: &sampler::SummaryRow| {
        vec![
            row.dataset.to_string(),
            format!("{:.6}", row.planned_share),
            format!("{:.6}", row.realised_share),
            row.groups.to_string(),
            format!("{:.3}", row.passes),
            row.unique_rows.to_string(),
        ]
    };
    printer.table(&columns, &summary.rows.iter().map(row).collect::<Vec<_>>())?;
    let (range, deviation) = (&summary.range, summary.largest_deviation);
    printer.line(format!(
        "\ndraws {} to {}; at no point is a dataset further than {deviation:.3} draws from its share",
        range.start, range.end
    ))?;
    if let Some(end) = &summary.end {
        printer.line(format!("the schedule ends there, because of `{}`", end.dataset))?;
    }
    Ok(())
}
