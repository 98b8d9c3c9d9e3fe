//! `modo sweep`: the proxy runs of an experiment that are still missing.

use std::{path::PathBuf, sync::atomic::AtomicBool, time::Duration};

use indicatif::HumanDuration;
use serde_json::json;

use super::{
    Context,
    experiment::{Experiment, check_experiment, folder},
    predict::{self, Asked, By},
    printer::{Column, Printer},
};
use crate::{
    error::{Context as _, Error, Result},
    ledger::Ledger,
    predict::skill::Verdict,
    run::{Estimate, RunSpec},
    sweep::forecast,
    train::{self, Surroundings},
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
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(super) struct Args {
    /// The experiment's folder [default: experiments/quickstart].
    experiment: Option<PathBuf>,
    /// Print the runs, their cost and the time they take, and do none. Where no run is done to go by, two that are cut
    /// short are tried for it.
    #[arg(long)]
    dry_run: bool,
    /// Try no run for what the others would cost.
    #[arg(long, requires = "dry_run")]
    no_trial: bool,
    /// Go on by itself: propose a batch, train on it, and again, until the budget, the target or a lack of signal ends it.
    #[arg(long, requires = "budget", conflicts_with = "dry_run")]
    adaptive: bool,
    /// Runs in all, those of the plan included.
    #[arg(long, value_name = "RUNS", requires = "adaptive")]
    budget: Option<usize>,
    /// Runs per batch.
    #[arg(long, value_name = "N", default_value_t = 4, requires = "adaptive", value_parser = clap::value_parser!(u16).range(1..=50))]
    batch: u16,
    /// How the runs of a batch are kept apart.
    #[arg(long, value_name = "RULE", value_enum, default_value_t = By::Liar, requires = "adaptive")]
    by: By,
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
    if args.target.is_some() && !experiment.plan.objective.worst_of.is_empty() {
        return Err(Error::input(
            "the worst of several scores is counted in their standard deviations, which no target can name",
        )
        .at("option `--target`")
        .hint("leave it out, or give the plan an aggregate or weights as its objective"));
    }
    let specs = experiment.sweep_specs(context)?;
    let n_planned = specs.len();
    let (specs, done_before) = experiment.with_done_before(specs)?;
    if args.dry_run {
        let slots = experiment.slots()?;
        let allowed = experiment.plan.launcher.attempts;
        let stop = super::stop_on_signals()?;
        let forecast = forecast(&folder, &specs, slots, allowed, |spec| {
            if args.no_trial { Ok(None) } else { try_out(spec, context, printer, stop) }
        })?;
        if args.json {
            let runs: Vec<_> = forecast
                .runs
                .iter()
                .map(|r| json!({"run": r.run, "label": r.label, "mixture": r.mixture, "status": r.status}))
                .collect();
            return printer.json(&json!({
                "runs": runs, "missing": forecast.missing, "cpu_s": forecast.cpu_s, "wall_s": forecast.wall_s,
                "measured_on": forecast.measured_on, "done_before": done_before,
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
        if forecast.missing == 0 {
            return printer.line(format!("none of {} runs is missing", specs.len()));
        }
        let cost = match (forecast.cpu_s, forecast.wall_s) {
            (Some(cpu), Some(wall)) => format!(
                "about {cpu:.0} CPU seconds, {} at {slots} runs a time, going by {}",
                HumanDuration(Duration::from_secs_f64(wall)),
                match forecast.measured_on {
                    0 => "two that were tried and cut short".to_owned(),
                    1 => "the finished one".to_owned(),
                    n => format!("{n} finished ones"),
                }
            ),
            _ => "what they cost is known when the first is done".to_owned(),
        };
        return printer.line(format!("{} of {} runs are missing: {cost}", forecast.missing, specs.len()));
    }
    let stop = super::stop_on_signals()?;
    if let Some(budget) = args.budget.filter(|budget| *budget < n_planned) {
        return Err(Error::input(format!("the plan and its proposals alone are {n_planned} runs"))
            .at(format!("option `--budget {budget}`"))
            .hint("the budget counts all runs; a smaller design leaves more of it to proposals"));
    }
    if done_before > 0 {
        printer.note(format!(
            "{done_before} runs were done with an earlier list of datasets, or under another name of the experiment, \
             and are not done again"
        ));
    }
    let mut outcome = experiment.run("sweep", specs, context, printer, stop)?;
    let mut batches = Vec::new();
    let mut ended = None;
    while let Some(budget) = args.budget.filter(|_| args.adaptive) {
        let step = adapt(args, &experiment, budget, context, printer)?;
        batches.push(step.summary);
        match step.next {
            Err(why) => {
                printer.note(format!("adaptive: {why}"));
                ended = Some(why);
                break;
            }
            Ok(specs) => {
                outcome = outcome.followed_by(experiment.run("batch", specs, context, printer, stop)?);
            }
        }
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
            "batches": batches, "ended": ended,
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

/// What a run like `spec` costs, from two that are cut short.
fn try_out(
    spec: &RunSpec,
    context: &Context,
    printer: &Printer,
    stop: &AtomicBool,
) -> Result<Option<Estimate>> {
    printer.note(
        "no run is done: two that are cut short are tried for what the others cost (`--no-trial`: none)",
    );
    let around = Surroundings {
        data_root: &context.data_root,
        // As a worker of the sweep has it.
        threads: 1,
        device: context.device()?,
        stop,
        indexes: context.cache.as_deref(),
        features: None,
        checkpoint_every: train::CHECKPOINT_EVERY,
    };
    train::trial(spec, &around)
}

/// One look at the runs that are done.
struct Step {
    /// What was found, for `--json`.
    summary: serde_json::Value,
    /// All runs of the sweep with the next batch among them, or why there is none.
    next: Result<Vec<RunSpec>, String>,
}

/// Proposes a batch and adds it to the experiment, unless the budget, the target or a lack of signal speaks against it.
fn adapt(
    args: &Args,
    experiment: &Experiment,
    budget: usize,
    context: &Context,
    printer: &Printer,
) -> Result<Step> {
    let before = experiment.sweep_specs(context)?;
    let left = budget.saturating_sub(before.len());
    // What fits into the budget; one suggestion is looked at even where nothing does, for the last word.
    let batch = usize::from(args.batch).min(left.max(1));
    let (prediction, damaged) = predict::predict(experiment, context, &Asked::next(batch, args.by))?;
    for reason in damaged {
        printer.warn(format!("a run is left out: {reason}"));
    }
    let best = &prediction.best_observed;
    printer.note(format!("adaptive: {} of {budget} runs; {}", before.len(), prediction.sentence));
    let summary = json!({
        "runs": before.len(), "verdict": prediction.verdict, "sentence": prediction.sentence,
        "best_observed": {"label": best.label, "score": best.score, "shrunk": best.shrunk},
    });
    let end = |why: String| Ok(Step { summary: summary.clone(), next: Err(why) });
    if args.target.is_some_and(|target| best.shrunk >= target) {
        return end(format!("`{}` reaches the target with {:.4}", best.label, best.shrunk));
    }
    if left == 0 {
        return end(format!("the budget of {budget} runs is spent"));
    }
    if prediction.verdict == Verdict::NoSignal {
        return end("without a signal further runs would be chosen blindly".to_owned());
    }
    experiment.add_proposed(&prediction, context)?;
    let specs = experiment.sweep_specs(context)?;
    if specs.len() == before.len() {
        return end("nothing new is proposed".to_owned());
    }
    let (specs, _) = experiment.with_done_before(specs)?;
    Ok(Step { summary, next: Ok(specs) })
}
