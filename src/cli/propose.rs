//! `modo propose`: the next batch of runs of an experiment, or the first mixtures for runs made elsewhere.

use std::path::{Path, PathBuf};

use super::{
    Context,
    experiment::{Experiment, check_experiment, folder},
    predict::{self, Asked, By},
    printer::{Column, Printer},
};
use crate::{
    error::{Context as _, Error, Result},
    mixture::design::Planned,
    name::Name,
    predict::skill::Verdict,
    seed::Seed,
    store, sweep,
};

const EXAMPLES: &str = "\
Examples:
  modo propose --runs 8
  modo propose experiments/real_slices --runs 4 --json
  modo propose --among a,b,c --runs 12 --out pilot.csv
  modo propose --among a,b,c --design 'dirichlet{strength = 2}'

Mixtures for an experiment are added to its proposed.json; `modo sweep` then
trains on them as on those of the plan. With --among they are a table for
runs made elsewhere, to be given to `modo predict --mixtures` with the scores.";

/// Options of `modo propose`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The experiment's folder [default: experiments/quickstart].
    #[arg(conflicts_with = "among")]
    experiment: Option<PathBuf>,
    /// How many runs to propose.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1000))]
    runs: u16,
    /// How the runs are kept apart.
    #[arg(long, value_name = "RULE", value_enum, default_value_t = By::Liar, conflicts_with = "among")]
    by: By,
    /// First mixtures of these datasets, without an experiment: see `modo list designs`.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    among: Vec<String>,
    /// The design, with its settings in braces.
    #[arg(
        long,
        value_name = "DESIGN",
        default_value = "space_filling",
        requires = "among",
        conflicts_with = "experiment"
    )]
    design: String,
    /// What the mixtures must keep to, as TOML; see docs/predict.md.
    #[arg(long, value_name = "FILE", requires = "among", conflicts_with = "experiment")]
    constraints: Option<PathBuf>,
    /// Of the design.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "among", conflicts_with = "experiment")]
    seed: u64,
    /// Where to write the mixtures as CSV.
    #[arg(long, value_name = "FILE", requires = "among", conflicts_with = "experiment")]
    out: Option<PathBuf>,
    /// Print JSON: label and mixture of each.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, context: &Context, printer: &mut Printer) -> Result<()> {
    if !args.among.is_empty() {
        return first(args, printer);
    }
    if args.runs > 50 {
        return Err(Error::input(format!("{} runs are more than the 50 of a batch", args.runs))
            .at("option `--runs`")
            .hint("train on a batch before the next is proposed: `modo sweep --adaptive --budget N`"));
    }
    let folder = folder(args.experiment.as_deref());
    check_experiment(&folder)?;
    let experiment = Experiment::open(&folder, context)?;
    let (prediction, damaged) =
        predict::predict(&experiment, context, &Asked::next(usize::from(args.runs), args.by))?;
    for reason in damaged {
        printer.warn(format!("a run is left out: {reason}"));
    }
    if prediction.verdict == Verdict::NoSignal {
        printer.warn("without a signal these runs are chosen nearly blindly".to_owned());
    }
    let added = experiment.add_proposed(&prediction, context)?;
    if added.len() < usize::from(args.runs) {
        let why = match args.by {
            By::Liar => {
                "the others repeat mixtures that are done or planned, where most is expected: `--by noisy` looks elsewhere"
            }
            By::Noisy => "the others repeat mixtures that are done or planned",
        };
        printer.note(format!("{} of {} runs are added; {why}", added.len(), args.runs));
    }
    if args.json {
        return printer.json(&added);
    }
    let columns = [Column::Text("run"), Column::Text("mixture")];
    let rows: Vec<Vec<String>> =
        added.iter().map(|one| vec![one.label.clone(), one.mixture.brief()]).collect();
    if added.is_empty() {
        return printer.line(format!(
            "{}\nnothing is added to {}",
            prediction.sentence,
            experiment.proposed_path().display()
        ));
    }
    printer.table(&columns, &rows)?;
    printer.line(format!(
        "{}\n{} run{} added to {}. Next: `modo sweep {}`",
        prediction.sentence,
        added.len(),
        if added.len() == 1 { "" } else { "s" },
        experiment.proposed_path().display(),
        folder.display()
    ))
}

/// The first mixtures, by a design.
fn first(args: &Args, printer: &mut Printer) -> Result<()> {
    let names: Vec<Name> = args
        .among
        .iter()
        .map(|name| name.trim().parse().input().map_err(|error: Error| error.at("option `--among`")))
        .collect::<Result<_>>()?;
    if let Some(twice) =
        names.iter().enumerate().find_map(|(i, name)| names[..i].contains(name).then_some(name))
    {
        return Err(Error::input(format!("`{twice}` is named twice")).at("option `--among`"));
    }
    let constraints = predict::constraints(args.constraints.as_deref())?.unwrap_or_default();
    let supply = constraints.supply();
    if constraints.max_passes.is_some() && supply.is_none() {
        return Err(Error::input("`max_passes` needs to know the sizes of the datasets and of the run")
            .at("option `--constraints`")
            .hint("add `rows = { NAME = 5000, … }` and `total_groups = 16000`"));
    }
    let region = constraints
        .region(&names, supply.as_ref())
        .map_err(|error| Error::input(error).at("option `--constraints`"))?;
    let wrong = |what: &dyn std::fmt::Display| Error::input(what).at("option `--design`");
    let mut table = settings(&args.design).map_err(|what| wrong(&what))?;
    // The paper's families have as many mixtures as they have.
    if table["name"].as_str() != Some("seed_mixtures") {
        table.entry("mixtures").or_insert(toml::Value::from(i64::from(args.runs)));
    }
    if supply.is_none() && table.get("around").and_then(toml::Value::as_str) == Some("natural") {
        return Err(wrong(&"natural shares need the sizes of the datasets")
            .hint("give them in a file for `--constraints`: `rows = { a = 5000, … }`"));
    }
    let natural = supply.map(|s| s.rows.into_iter().map(|(name, rows)| (name, rows as f64)).collect());
    let design = sweep::build_design(&table, natural.as_ref()).map_err(|what| wrong(&what))?;
    let planned =
        design.mixtures(&region, Seed::new(args.seed).child("design")).map_err(|what| wrong(&what))?;
    if let Some(out) = &args.out {
        write(out, &names, &planned)?;
    }
    if args.json {
        let all: Vec<_> = planned
            .iter()
            .map(|one| serde_json::json!({"label": one.label, "mixture": one.mixture}))
            .collect();
        return printer.json(&all);
    }
    let columns = [Column::Text("run"), Column::Text("mixture")];
    let rows: Vec<Vec<String>> =
        planned.iter().map(|one| vec![one.label.clone(), one.mixture.brief()]).collect();
    printer.table(&columns, &rows)?;
    match &args.out {
        Some(out) => printer.line(format!("written: {}", out.display())),
        None => Ok(()),
    }
}

/// `dirichlet{strength = 2}` as a table with a `name`.
fn settings(text: &str) -> std::result::Result<toml::Table, String> {
    let (name, rest) = text.split_once('{').unwrap_or((text, "}"));
    let inside = format!("settings = {{{rest}");
    let mut table: toml::Table = inside.parse().map_err(|error: toml::de::Error| {
        format!("`{text}` is no design with settings: {}", error.message())
    })?;
    let Some(toml::Value::Table(mut settings)) = table.remove("settings") else {
        return Err(format!("`{text}` is no design with settings"));
    };
    settings.insert("name".to_owned(), toml::Value::from(name.trim()));
    Ok(settings)
}

/// A table as `modo predict --mixtures` takes it: `id`, then a column per dataset.
fn write(out: &Path, names: &[Name], planned: &[Planned]) -> Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let head = std::iter::once("id").chain(names.iter().map(Name::as_str));
    writer.write_record(head).failed()?;
    for one in planned {
        let shares = one.mixture.vector(names).into_iter().map(|share| share.to_string());
        writer.write_record(std::iter::once(one.label.clone()).chain(shares)).failed()?;
    }
    store::write_whole(out, &writer.into_inner().failed()?).at(out.display())
}
