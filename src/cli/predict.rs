//! `modo predict`: whether finished runs carry a signal, which mixture to train on, and what to run next.

mod show;
pub(super) mod table;

use std::path::{Path, PathBuf};

use super::{
    Context,
    experiment::{self, Experiment},
    mixtures,
    printer::Printer,
};
use crate::{
    decide::{self, Objective, Prediction, Question, decide},
    error::{Context as _, Error, Result},
    ledger::{self, Ledger, Target},
    mixture::constraint::Constraints,
    run::Part,
    store,
    sweep::plan::Aggregate,
};

/// The table of runs in the experiment's folder.
const LEDGER: &str = "ledger.parquet";

/// The decision in the experiment's folder.
pub(super) const PREDICTION: &str = "prediction.json";

/// Shufflings behind the chance of a skill: the smallest p is .005.
const PERMUTATIONS: usize = 199;

const EXAMPLES: &str = "\
Examples:
  modo predict
  modo predict experiments/quickstart --json
  modo predict --mixtures a.csv --scores b.csv --maximize accuracy
  modo predict --mixtures a.csv --scores b.csv --minimize loss --out mix.json
  modo predict --mixtures a.csv --scores b.csv --at asked.csv --out new.csv

Tables are CSV, Parquet or JSON lines with one row per run. A column of numbers
that only the mixtures have is a dataset's share, one that only the scores have
is a target. `new.csv` then has the columns id, target, mean, sd, low and high:
the 90 % interval of the score of one new run.";

/// Options of `modo predict`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Folder of the experiment [default: experiments/quickstart].
    #[arg(conflicts_with = "mixtures")]
    experiment: Option<PathBuf>,
    /// Any table of shares instead of an experiment.
    #[arg(long, value_name = "FILE", requires = "scores")]
    mixtures: Option<PathBuf>,
    /// The scores of those mixtures.
    #[arg(long, value_name = "FILE", requires = "mixtures")]
    scores: Option<PathBuf>,
    /// Column that joins the two tables [default: the first one that both have].
    #[arg(long, value_name = "COLUMN", requires = "mixtures")]
    id: Option<String>,
    /// Columns of the scores to make large, weighed alike.
    #[arg(long, value_name = "COLUMNS", requires = "mixtures", value_delimiter = ',')]
    maximize: Vec<String>,
    /// Columns of the scores to make small, weighed alike.
    #[arg(long, value_name = "COLUMNS", requires = "mixtures", value_delimiter = ',')]
    minimize: Vec<String>,
    /// Table of mixtures to predict the scores of.
    #[arg(long, value_name = "FILE", requires = "mixtures")]
    at: Option<PathBuf>,
    /// Shares of cheaper runs (a smaller model, fewer steps) of the same datasets, to help `--at`.
    #[arg(long, value_name = "FILE", requires = "low_scores", requires = "at")]
    low_mixtures: Option<PathBuf>,
    /// Their scores, with the same columns.
    #[arg(long, value_name = "FILE", requires = "low_mixtures")]
    low_scores: Option<PathBuf>,
    /// Where to write: the mixture [default: mixtures/best.json, for an experiment], or what `--at` asks for.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The predictor, with its default settings [default: the plan's; of tables `proposer` to propose, `gp3_cube` to predict].
    #[arg(long, value_name = "NAME")]
    predictor: Option<String>,
    /// What the proposal must keep to, as TOML [default: the plan's]; see docs/predict.md.
    #[arg(long, value_name = "FILE")]
    constraints: Option<PathBuf>,
    /// How many runs to suggest.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(..=50))]
    next: u16,
    /// Print what `prediction.json` holds instead of tables.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, context: &Context, printer: &mut Printer) -> Result<()> {
    if let (Some(mixtures), Some(scores)) = (&args.mixtures, &args.scores) {
        return table::run(args, mixtures, scores, printer);
    }
    let folder = experiment::folder(args.experiment.as_deref());
    experiment::check_experiment(&folder)?;
    let mut experiment = Experiment::open(&folder, context)?;
    if let Some(name) = &args.predictor {
        experiment.plan.predictor = only_name(name);
    }
    experiment.constraints = constraints(args.constraints.as_deref())?;
    let (prediction, damaged) = predict(&experiment, context, usize::from(args.next))?;
    for reason in damaged {
        printer.warn(format!("a run is left out: {reason}"));
    }
    let best = args.out.clone().unwrap_or_else(|| Path::new(mixtures::FOLDER).join("best.json"));
    write(&folder, &best, &prediction)?;
    if args.json {
        return printer.json(&prediction);
    }
    show::prediction(&prediction, printer)?;
    printer.line(format!(
        "\nwritten: {}, {}, {}",
        folder.join(LEDGER).display(),
        folder.join(PREDICTION).display(),
        best.display()
    ))
}

/// Rebuilds the ledger from the run folders, writes `ledger.parquet` and decides as the plan says. `next`: how many
/// runs to suggest. Gives with it why any run folder could not be read.
pub(super) fn predict(
    experiment: &Experiment,
    context: &Context,
    next: usize,
) -> Result<(Prediction, Vec<String>)> {
    let plan = &experiment.plan;
    let (ledger, damaged) = Ledger::from_runs(&experiment.folder).failed()?;
    let damaged = damaged.iter().map(|one| one.reason.to_string()).collect();
    ledger.write(&experiment.folder.join(LEDGER)).failed()?;
    // Runs of an earlier version of the plan are in the same folders.
    let protocol = experiment.sweep_specs(context)?.first().map(ledger::protocol);
    let chosen = decide::from_ledger(&ledger, &plan.train, Part::Selection, protocol.as_deref());
    let supply = experiment.supply(context)?;
    let question = Question {
        datasets: &chosen.datasets,
        ledger: ledger.hash(),
        runs: chosen.runs,
        targets: chosen.targets,
        objective: Objective::Aggregate {
            of: match plan.objective.aggregate {
                Aggregate::Overall => Target::Overall,
                Aggregate::In => Target::In,
                Aggregate::Out => Target::Out,
            },
            decoding: plan.objective.decoding,
        },
        constraints: &experiment.constraints(),
        supply: supply.as_ref(),
        predictor: &plan.predictor,
        n_permutations: PERMUTATIONS,
        next,
        seed: plan.design.seed,
    };
    let mut prediction = decide(&question).map_err(|error| {
        let left_out = chosen.notes.iter().fold(error, Error::at);
        left_out.at(experiment.folder.display()).hint("`modo sweep` finishes the plan's runs")
    })?;
    prediction.notes.splice(0..0, chosen.notes);
    Ok((prediction, damaged))
}

/// Writes `prediction.json` in the experiment's folder, and the mixture to `best`.
pub(super) fn write(experiment: &Path, best: &Path, prediction: &Prediction) -> Result<()> {
    let path = experiment.join(PREDICTION);
    store::write_whole(&path, &store::to_json_pretty(prediction)).at(path.display())?;
    store::write_whole(best, &decide::mixture_file(prediction).to_json()).at(best.display())
}

/// The constraints in a file.
fn constraints(path: Option<&Path>) -> Result<Option<Constraints>> {
    let Some(path) = path else { return Ok(None) };
    let text = std::fs::read_to_string(path).input().at(path.display())?;
    toml::from_str(&text).map(Some).input().at(path.display())
}

/// A `[predictor]` table without settings.
fn only_name(name: &str) -> toml::Table {
    toml::Table::from_iter([("name".to_owned(), toml::Value::from(name))])
}
