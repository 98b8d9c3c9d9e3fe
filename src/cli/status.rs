//! `modo status`: where the runs of an experiment stand, as their folders show.

use std::path::PathBuf;

use serde_json::json;

use super::{
    Context,
    experiment::{check_experiment, folder},
    printer::{Column, Printer},
};
use crate::{
    error::{Context as _, Result},
    ledger::{AttemptView, FolderError, folders},
    sweep::Plan,
};

const EXAMPLES: &str = "\
Examples:
  modo status
  modo status experiments/real_slices --json";

/// Show where the runs of an experiment stand.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The experiment's folder [default: experiments/quickstart].
    experiment: Option<PathBuf>,
    /// One JSON object per run.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, _: &Context, printer: &mut Printer) -> Result<()> {
    let folder = folder(args.experiment.as_deref());
    check_experiment(&folder)?;
    let attempts_allowed = Plan::read(&folder)?.launcher.attempts;
    let mut rows = Vec::new();
    for found in folders(&folder).failed()? {
        let run = match found {
            Ok(run) => run,
            Err(error) => {
                printer.warn(format!("a run folder is left out: {error}"));
                continue;
            }
        };
        let read = || Ok::<_, FolderError>((run.spec()?, run.status(attempts_allowed)?));
        let (spec, status) = match read() {
            Ok((spec, status)) => (spec, format!("{status:?}").to_lowercase()),
            Err(error) => {
                printer.warn(format!("run {} is left out: {error}", run.run()));
                continue;
            }
        };
        let attempts = run.attempts();
        let progress = attempts.last().and_then(AttemptView::progress);
        let step = progress.map_or(0, |p| p.step);
        if args.json {
            printer.json(&json!({
                "run": run.run(), "label": spec.label, "status": status, "step": step,
                "steps": spec.budget.steps, "attempts": attempts.len(),
            }))?;
        }
        rows.push(vec![
            run.run().to_string(),
            spec.label,
            status,
            format!("{step}/{}", spec.budget.steps),
            attempts.len().to_string(),
        ]);
    }
    if args.json {
        return Ok(());
    }
    if rows.is_empty() {
        return printer.line(format!("No run yet; `modo sweep {}` does them.", folder.display()));
    }
    let columns = [
        Column::Text("run"),
        Column::Text("label"),
        Column::Text("status"),
        Column::Number("step"),
        Column::Number("attempts"),
    ];
    printer.table(&columns, &rows)
}
