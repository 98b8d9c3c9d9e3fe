//! `modo sweep`: the proxy runs of an experiment that are still missing.

use std::{path::PathBuf, time::Duration};

use indicatif::HumanDuration;
use serde_json::json;

use super::{Context, experiment::{Experiment, check_experiment, folder}, printer::{Column, Printer}};
use crate::{
    error::{Context as _, Result},
    ledger::{Ledger, RunFolder},
    sweep::forecast,
};

const EXAMPLES: &str = "\
Examples:
  modo sweep
  modo sweep experiments/real_slices --data-root ../shared/data/real
  modo sweep --dry-run";

/// CPU seconds of a run before any has finished.
const FIRST_GUESS_S: f64 = 40.0;

/// Do the proxy runs that are still missing, one per core.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The experiment's folder [default: experiments/quickstart].
    experiment: Option<PathBuf>,
    /// Print the runs, their cost and the time they take, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, context: &Context, printer: &mut Printer) -> Result<()> {
    let folder = folder(args.experiment.as_deref());
    check_experiment(&folder)?;
    let experiment = Experiment::open(&folder, context)?;
    let specs = experiment.sweep_specs(context)?;
    if args.dry_run {
        let slots = context.threads;
        let allowed = experiment.plan.launcher.attempts;
        let forecast = forecast(&folder, &specs, slots, allowed, FIRST_GUESS_S)?;
        if args.json {
            return printer.json(&json!({
                "runs": specs.len(), "missing": forecast.missing, "cpu_s": forecast.cpu_s, "wall_s": forecast.wall.as_secs_f64(),
                "specs": specs.iter().map(|s| json!({"run": s.id(), "label": s.label, "seed": s.seed, "shares": s.mixture})).collect::<Vec<_>>(),
            }));
        }
        let columns = [Column::Text("run"), Column::Text("label"), Column::Text("mixture"), Column::Text("status")];
        let mut rows = Vec::new();
        for spec in &specs {
            let path = folder.join("runs").join(spec.id().as_str());
            let status = match path.is_dir().then(|| RunFolder::open(&path)) {
                Some(Ok(run)) => format!("{:?}", run.status(allowed).failed()?).to_lowercase(),
                _ => "missing".to_owned(),
            };
            rows.push(vec![spec.id().to_string(), spec.label.clone(), spec.mixture.brief(), status]);
        }
        printer.table(&columns, &rows)?;
        return printer.line(format!(
            "{} of {} runs are missing: about {:.0} CPU seconds, {} on {slots} cores",
            forecast.missing,
            specs.len(),
            forecast.cpu_s,
            HumanDuration(forecast.wall)
        ));
    }
    let stop = super::stop_on_signals()?;
    let outcome = experiment.run("sweep", specs, context, printer, stop)?;
    let (ledger, damaged) = Ledger::from_runs(&folder)?;
    for one in damaged {
        printer.warn(format!("a run folder is left out: {one}"));
    }
    ledger.write(&folder.join("ledger.parquet"))?;
    if args.json {
        return printer.json(&json!({
            "runs": outcome.total, "already": outcome.already, "done": outcome.done,
            "wall_s": outcome.wall.as_secs_f64(), "ledger_hash": ledger.hash(),
        }));
    }
    let took = HumanDuration(Duration::from_secs(outcome.wall.as_secs()));
    printer.line(format!(
        "{} runs, {} of them done before; {took}. Next: `modo predict {}`",
        outcome.total,
        outcome.already,
        folder.display()
    ))
}
