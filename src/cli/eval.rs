//! `modo eval`: a model's scores on the benchmarks of an experiment.

use std::path::PathBuf;

use super::{
    Context,
    experiment::{Experiment, check_experiment, folder},
    printer::Printer,
    train::show,
};
use crate::{
    error::{Error, Result},
    mixture::Mixture,
    run::{Evaluation, Part},
    train::{self, Surroundings},
};

const EXAMPLES: &str = "\
Examples:
  modo eval --model nano
  modo eval --model experiments/quickstart/models/0123456789abcdef --part report --json";

/// Score a model on the benchmarks that an experiment names.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// A checkpoint folder, or `nano` for the embedded base.
    #[arg(long, value_name = "MODEL")]
    model: String,
    /// The experiment whose benchmarks are taken [default: experiments/quickstart].
    #[arg(long, value_name = "FOLDER")]
    experiment: Option<PathBuf>,
    /// Which half of each benchmark: decisions see the selection half, none the report half.
    #[arg(long, value_enum, default_value_t = Half::Selection)]
    part: Half,
    /// Questions per benchmark [default: as the plan].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    questions: Option<u32>,
    /// Completions per question at temperature 1 [default: as the plan].
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(0..=64))]
    completions: Option<u32>,
    /// One JSON object per benchmark and decoding.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Half {
    Selection,
    Report,
}

pub(super) fn run(args: &Args, context: &Context, printer: &mut Printer) -> Result<()> {
    let stop = super::stop_on_signals()?;
    let folder = folder(args.experiment.as_deref());
    check_experiment(&folder)?;
    let experiment = Experiment::open(&folder, context)?;
    let mixture = Mixture::uniform(&experiment.plan.train).map_err(Error::input)?;
    let mut spec = experiment.train_spec(&mixture)?;
    let plan = experiment.plan.evaluation;
    spec.base.clone_from(&args.model);
    spec.evaluation = Evaluation {
        part: match args.part {
            Half::Selection => Part::Selection,
            Half::Report => Part::Report,
        },
        questions: args.questions.map_or(plan.questions, |n| n as usize),
        completions: args.completions.map_or(plan.completions, |k| k as usize),
        greedy: true,
    };
    let around = Surroundings {
        data_root: &context.data_root,
        threads: context.threads,
        device: context.device()?,
        stop,
        indexes: context.cache.as_deref(),
        features: None,
        checkpoint_every: train::CHECKPOINT_EVERY,
    };
    let scores = train::score_base(&spec, &around)?;
    if args.json {
        return scores.iter().try_for_each(|score| printer.json(score));
    }
    show(&scores, printer)
}
