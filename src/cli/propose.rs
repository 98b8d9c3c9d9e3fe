//! `modo propose`: the next batch of runs of an experiment.

use std::path::PathBuf;

use super::{
    Context,
    experiment::{Experiment, check_experiment, folder},
    predict,
    printer::{Column, Printer},
};
use crate::error::Result;

const EXAMPLES: &str = "\
Examples:
  modo propose --runs 8
  modo propose experiments/real_slices --runs 4 --json

The mixtures are added to proposed.json in the experiment; `modo sweep` then
trains on them as on those of the plan.";

/// Options of `modo propose`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The experiment's folder [default: experiments/quickstart].
    experiment: Option<PathBuf>,
    /// How many runs to propose.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=50))]
    runs: u16,
    /// Print JSON: label and mixture of each.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, context: &Context, printer: &mut Printer) -> Result<()> {
    let folder = folder(args.experiment.as_deref());
    check_experiment(&folder)?;
    let experiment = Experiment::open(&folder, context)?;
    let (prediction, damaged) = predict::predict(&experiment, context, usize::from(args.runs))?;
    for reason in damaged {
        printer.warn(format!("a run is left out: {reason}"));
    }
    let added = experiment.add_proposed(&prediction)?;
    if args.json {
        return printer.json(&added);
    }
    let columns = [Column::Text("run"), Column::Text("mixture")];
    let rows: Vec<Vec<String>> =
        added.iter().map(|one| vec![one.label.clone(), one.mixture.brief()]).collect();
    printer.table(&columns, &rows)?;
    printer.line(format!(
        "{}\n{} runs added to {}. Next: `modo sweep {}`",
        prediction.sentence,
        added.len(),
        experiment.proposed_path().display(),
        folder.display()
    ))
}
