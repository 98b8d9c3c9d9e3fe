//! `modo sweep`: the proxy runs of an experiment that are still missing.

use std::{path::PathBuf, time::Duration};

use indicatif::HumanDuration;
use serde_json::json;

use super::{
    Context,
    experiment::{Experiment, check_experiment, folder},
    predict,
    printer::{Column, Printer},
};
use crate::{
    error::{Context as _, Result},
    ledger::Ledger,
    predict::skill::Verdict,
    sweep::forecast,
};

const EXAMPLES: &str = "\
Examples:
  modo sweep
  modo sweep experiments/real_slices --data-root ../shared/data/real
  modo sweep --dry-run
  modo sweep --adaptive --budget 31 --target 0.45";

/// Do the proxy runs that are still missing, one per core.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The experiment's folder [default: experiments/quickstart].
    experiment: Option<PathBuf>,
    /// Print the runs, their cost and the time they take, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Go on by itself: propose a batch, train on it, and again, until the budget, the target or a lack of signal ends it.
    #[arg(long, requires = "budget", conflicts_with = "dry_run")]
    adaptive: bool,
    /// Runs in all, those of the plan included.
    #[arg(long, value_name = "RUNS", requires = "adaptive")]
    budget: Option<usize>,
    /// Runs per batch.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=50))]
    batch: u16,
    /// Stop when the best mixture tried reaches this score of the objective, luck of the best taken off.
    #[arg(long, value_name = "SCORE", requires = "adaptive")]
    target: Option<f64>,
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
    let mut n_runs = specs.len();
    let mut outcome = experiment.run("sweep", specs, context, printer, stop)?;
    while let Some(budget) = args.budget.filter(|_| args.adaptive) {
        if n_runs >= budget {
            printer.note(format!("adaptive: the budget of {budget} runs is spent"));
            break;
        }
        let batch = usize::from(args.batch).min(budget - n_runs);
        let (prediction, _) = predict::predict(&experiment, context, batch)?;
        printer.note(format!("adaptive: {n_runs} runs; {}", prediction.sentence));
        let best = &prediction.best_observed;
        if args.target.is_some_and(|target| best.shrunk >= target) {
            printer.note(format!("adaptive: `{}` reaches the target with {:.4}", best.label, best.shrunk));
            break;
        }
        if prediction.verdict == Verdict::NoSignal {
            printer.note("adaptive: without a signal further runs would be chosen blindly");
            break;
        }
        experiment.add_proposed(&prediction)?;
        let specs = experiment.sweep_specs(context)?;
        if specs.len() == n_runs {
            printer.note("adaptive: nothing new is proposed");
            break;
        }
        n_runs = specs.len();
        outcome = experiment.run("batch", specs, context, printer, stop)?;
    }
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
