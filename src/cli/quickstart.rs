//! `modo quickstart`: the whole job on what is embedded, from the first proxy run to the last sentence.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use indicatif::HumanDuration;

use super::{
    Context,
    experiment::Experiment,
    mixtures,
    predict::{self, Asked, By},
    printer::Printer,
    report::{self, BaseScores},
};
use crate::{
    error::{Context as _, Error, Result},
    predict::skill::Verdict,
    run::{BenchmarkScore, RunSpec},
    store,
    sweep::Plan,
    train::{self, Surroundings},
};

const EXAMPLES: &str = "\
Examples:
  modo quickstart
  modo quickstart --fast --out trial
The same command goes on where it was stopped.";

const PLAN: &str = include_str!("../../experiments/quickstart/plan.toml");
const FAST_PLAN: &str = include_str!("../../experiments/quickstart_fast/plan.toml");

/// Sweep, predict, train on the proposal and on uniform shares, report: on embedded data.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// A few short runs through every stage, in seconds; its scores mean little.
    #[arg(long)]
    fast: bool,
    /// Where to work [default: experiments/quickstart, or experiments/quickstart_fast].
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &Args, context: &Context, printer: &mut Printer) -> Result<()> {
    let begun = Instant::now();
    let stop = super::stop_on_signals()?;
    let (plan, default) =
        if args.fast { (FAST_PLAN, "experiments/quickstart_fast") } else { (PLAN, "experiments/quickstart") };
    let folder = args.out.clone().unwrap_or_else(|| default.into());
    let path = folder.join("plan.toml");
    if fs::read_to_string(&path).is_ok_and(|there| there != plan) {
        printer.note(format!("{} is not the embedded plan; it is followed as it stands", path.display()));
    } else if !path.exists() {
        store::write_whole(&path, plan.as_bytes()).at(path.display())?;
    }
    let experiment = Experiment::open(&folder, context)?;

    if experiment.plan.confirm.is_none() {
        return Err(Error::input("the plan does not say how to test a proposal")
            .at(path.display())
            .hint("add a table [confirm], or use `modo sweep`, `modo predict` and `modo report`"));
    }

    let specs = experiment.sweep_specs(context)?;
    printer.note(format!("1/5  {} proxy runs, one per core", specs.len()));
    experiment.run("proxy runs", specs.clone(), context, printer, stop)?;

    printer.note("2/5  the base, for comparison");
    score_base(&experiment, &specs, context, printer, stop)?;

    printer.note("3/5  predicting scores of mixtures");
    let (prediction, damaged) = predict::predict(&experiment, context, &Asked::next(NEXT, By::default()))?;
    for reason in damaged {
        printer.warn(format!("a run is left out: {reason}"));
    }
    predict::write(&folder, &folder.join("best.json"), &prediction)?;
    if args.out.is_none() && !args.fast {
        // What `modo train --mixture best.json` finds by name.
        predict::write(&folder, &Path::new(mixtures::FOLDER).join("best.json"), &prediction)?;
    }
    printer.note(format!("     {}", prediction.sentence));

    let specs = experiment.confirm_specs(&report::arms(&prediction)?)?;
    let arms = if prediction.verdict == Verdict::Signal {
        "the proposal against uniform shares"
    } else {
        "uniform shares alone"
    };
    printer.note(format!("4/5  {} runs with fresh seeds, scored on report questions: {arms}", specs.len()));
    experiment.run("test runs", specs.clone(), context, printer, stop)?;

    printer.note("5/5  report");
    let page = folder.join("report.html");
    let built = report::build(&experiment, &[], context)?;
    report::write(&built, &page)?;
    printer.note(format!("     {} after {}", page.display(), HumanDuration(begun.elapsed())));
    printer.line(&built.verdict)
}

/// The embedded experiment's plan.
pub(super) fn plan() -> Result<Plan> {
    Plan::parse(PLAN, "the embedded plan")
}

/// Runs to suggest in `prediction.json`.
const NEXT: usize = 3;

/// Scores the base on both halves of every benchmark, once per base and protocol.
fn score_base(
    experiment: &Experiment,
    sweep: &[RunSpec],
    context: &Context,
    printer: &Printer,
    stop: &std::sync::atomic::AtomicBool,
) -> Result<()> {
    if BaseScores::read(experiment, sweep)?.is_some() {
        return Ok(());
    }
    let specs = BaseScores::specs(experiment, sweep)?;
    let features = context.features(&experiment.folder);
    let around = Surroundings {
        data_root: &context.data_root,
        threads: context.threads,
        device: context.device()?,
        stop,
        indexes: context.cache.as_deref(),
        features: features.as_deref(),
        checkpoint_every: train::CHECKPOINT_EVERY,
    };
    let bar = printer.progress("scoring the base", specs.len() as u64);
    let mut scores: Vec<BenchmarkScore> = Vec::new();
    for (i, spec) in specs.iter().enumerate() {
        if stop.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(Error::interrupted());
        }
        scores.extend(train::score_base(spec, &around)?);
        bar.set(i as u64 + 1, "");
    }
    BaseScores::write(experiment, &specs, scores)
}
