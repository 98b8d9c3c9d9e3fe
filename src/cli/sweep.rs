//! `modo sweep`: the proxy runs of an experiment that are still missing.

use std::{path::PathBuf, time::Duration};

use indicatif::HumanDuration;
use serde_json::json;

use super::{
    Context,
    experiment::{Experiment, check_experiment, folder},
    printer::{Column, Printer},
};
use crate::{
    error::{Context as _, Result},
    ledger::Ledger,
    sweep::forecast,
};

const EXAMPLES: &str = "\
Examples:
  modo sweep
  modo sweep experiments/real_slices --data-root ../shared/data/real
  modo sweep --dry-run";

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
        let forecast = forecast(&folder, &specs, slots, allowed, None)?;
        if args.json {
            let runs: Vec<_> = forecast
                .runs
                .iter()
                .map(|r| json!({"run": r.run, "label": r.label, "mixture": r.mixture, "status": r.status}))
                .collect();
            return printer.json(&json!({
                "runs": runs, "missing": forecast.missing, "cpu_s": forecast.cpu_s, "wall_s": forecast.wall_s,
                "measured_on": forecast.measured_on,
            }));
        }
        let columns = ["run", "label", "mixture", "status"].map(Column::Text);
        let rows: Vec<Vec<String>> = forecast
            .runs
            .iter()
            .map(|r| {
                let status = format!("{:?}", r.status).to_lowercase();
                vec![r.run.to_string(), r.label.clone(), r.mixture.clone(), status]
            })
            .collect();
        printer.table(&columns, &rows)?;
        let cost = match (forecast.cpu_s, forecast.wall_s) {
            (Some(cpu), Some(wall)) => format!(
                "about {cpu:.0} CPU seconds, {} on {slots} cores, going by {} finished runs",
                HumanDuration(Duration::from_secs_f64(wall)),
                forecast.measured_on
            ),
            _ => "what they cost is known when the first is done".to_owned(),
        };
        return printer.line(format!("{} of {} runs are missing: {cost}", forecast.missing, specs.len()));
    }
    let stop = super::stop_on_signals()?;
    let outcome = experiment.run("sweep", specs, context, printer, stop)?;
    let (ledger, damaged) = Ledger::from_runs(&folder).failed()?;
    for one in damaged {
        printer.warn(format!("a run folder is left out: {}", one.reason));
    }
    ledger.write(&folder.join("ledger.parquet")).failed()?;
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
