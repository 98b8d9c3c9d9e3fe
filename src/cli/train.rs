//! `modo train`: one training run, on a mixture or from a spec file.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use super::{
    Context,
    data::Unit,
    draw::change,
    experiment::{Experiment, check_experiment, folder},
    mixtures, predict,
    printer::{Column, Printer},
    report::read_json,
};
use crate::{
    decide::Prediction,
    error::{Context as _, Error, Result},
    ledger::{ClaimError, RunFolder},
    mixture::{
        Mixture,
        named::{MixtureFile, Origin},
    },
    run::{BenchmarkScore, MixtureChange, RunRecord, RunSpec},
    train::{self, Surroundings},
};

const EXAMPLES: &str = "\
Examples:
  modo train --mixture best.json
  modo train --mixture detect=0.5,science=0.5 --experiment experiments/quickstart
  modo train --mixture uniform --change 24:best  # other shares after 24 steps
  modo train --experiment experiments/nano_base \\
      --mixture experiments/nano_base/mixture.json --out assets/nano
  modo train --spec experiments/quickstart/runs/0123456789abcdef/spec.json";

/// Train on a mixture at the full budget, then score on report questions.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// A file, a name under mixtures/, or shares such as `a=0.5,b=0.5` [default: uniform].
    #[arg(long, value_name = "MIXTURE")]
    mixture: Option<String>,
    /// Other shares after STEP optimizer steps; may be given several times.
    #[arg(long = "change", value_name = "STEP:MIXTURE", value_parser = change)]
    changes: Vec<(u64, String)>,
    /// What the shares are of; tokens are those of the experiment's base.
    #[arg(long, value_enum, default_value_t = Unit::Groups)]
    unit: Unit,
    /// The experiment whose plan says everything else [default: experiments/quickstart].
    #[arg(long, value_name = "FOLDER")]
    experiment: Option<PathBuf>,
    /// Where to write the trained model [default: models/ in the experiment].
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Do the run of this file; what a sweep calls.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["mixture", "changes", "unit", "experiment", "out"])]
    spec: Option<PathBuf>,
    /// Print the run's record as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, context: &Context, printer: &mut Printer) -> Result<()> {
    let stop = super::stop_on_signals()?;
    if let Some(spec) = &args.spec {
        if spec.file_name().is_none_or(|name| name != "spec.json") {
            return Err(Error::input("a run is trained from the `spec.json` of its folder")
                .at(format!("option `--spec {}`", spec.display()))
                .hint("`modo sweep --dry-run` lists the runs; their folders are EXPERIMENT/runs/RUN"));
        }
        let folder = spec.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let record = worker(folder, context, stop)?;
        return if args.json { printer.json(&record) } else { Ok(()) };
    }
    let folder = folder(args.experiment.as_deref());
    check_experiment(&folder)?;
    let experiment = Experiment::open(&folder, context)?;
    let means = match args.unit {
        Unit::Groups => BTreeMap::new(),
        Unit::Tokens => experiment.means(context)?,
    };
    let mixture = match &args.mixture {
        Some(text) => {
            if let Some(file) = mixtures::file(text, &experiment.catalog) {
                if let Some(what) = of_other_runs(&file, &folder) {
                    printer.warn(format!("{text}: {what}"));
                }
                if let Some(note) = file.note {
                    printer.note(note);
                }
            }
            mixtures::load_for(text, &experiment.plan.train, &experiment.catalog)?
        }
        None => Mixture::uniform(&experiment.plan.train).input()?,
    };
    let mut spec = experiment.train_spec(&args.unit.in_groups(&mixture, &means)?)?;
    for (after, text) in &args.changes {
        let mixture = mixtures::load_for(text, &experiment.plan.train, &experiment.catalog)
            .map_err(|error| error.at(format!("option `--change {after}:{text}`")))?;
        let mixture = args.unit.in_groups(&mixture, &means)?;
        spec.changes.push(MixtureChange { after: *after, mixture: experiment.of_plan(&mixture)? });
    }
    check_changes(&mut spec)?;
    let then = |change: &MixtureChange| format!("; after step {}: {}", change.after, change.mixture.brief());
    let then: String = spec.changes.iter().map(then).collect();
    printer.note(format!("run {} of {}: {}{then}", spec.id(), experiment.name, spec.mixture.brief()));
    experiment.check_data(context)?;
    if let Some(out) = &args.out {
        check_out(out)?;
    }
    let run = RunFolder::create(&folder, &spec).failed()?;
    let out = args.out.clone().unwrap_or_else(|| folder.join("models").join(spec.id().as_str()));
    let record = match run.result().failed()? {
        Some(record) if args.out.is_none() => {
            printer.note("this run is done already; its result is shown again");
            record
        }
        _ => {
            let bar = printer.progress("training", spec.budget.steps);
            let watch = run.clone();
            let steps = spec.budget.steps;
            let done = AtomicBool::new(false);
            std::thread::scope(|scope| {
                let _ends = Done(&done);
                scope.spawn(|| {
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        if let Some(progress) =
                            watch.attempts().last().and_then(crate::ledger::AttemptView::progress)
                        {
                            let reward =
                                progress.reward.map_or_else(String::new, |r| format!("reward {r:.2}"));
                            let scoring = if progress.step >= steps { "scoring" } else { &reward };
                            bar.set(progress.step, scoring);
                        }
                        std::thread::sleep(std::time::Duration::from_millis(300));
                    }
                });
                train_here(&run, &spec, context, stop, Some(&out))
            })?
        }
    };
    if args.json {
        return printer.json(&record);
    }
    show(&record.scores, printer)?;
    if !out.join("config.json").is_file() {
        return printer.line("its model was written elsewhere; with `--out FOLDER` it is trained again");
    }
    printer.line(format!("model in {}", out.display()))
}

/// Refuses a folder that the model cannot be written to: before it is trained, not after.
/// What is to be known of a mixture that was predicted from other runs, or for another aim, than the experiment's own prediction.
fn of_other_runs(file: &MixtureFile, experiment: &Path) -> Option<String> {
    let Some(Origin::Prediction { ledger, n_runs, .. }) = &file.origin else { return None };
    let own: Option<Prediction> = read_json(&experiment.join(predict::PREDICTION));
    let decide = format!("`modo predict {}` decides for this experiment", experiment.display());
    match own {
        None => Some(format!(
            "it was predicted from {n_runs} runs, and this experiment has no prediction; {decide}"
        )),
        Some(own) if own.ledger != *ledger => Some(format!(
            "it was predicted from {n_runs} other runs than those of this experiment's prediction; {decide}"
        )),
        Some(own) if file.predicted.as_ref().is_some_and(|p| !p.objective.starts_with(&own.objective)) => {
            Some(format!(
                "it was predicted for another aim than this experiment's prediction, `{}`; {decide}",
                own.objective
            ))
        }
        Some(_) => None,
    }
}

fn check_out(out: &Path) -> Result<()> {
    std::fs::create_dir_all(out).and_then(|()| tempfile::tempfile_in(out).map(drop)).map_err(|error| {
        Error::input(format!("the model cannot be written there: {error}")).at(out.display())
    })
}

/// Puts changes in their order and refuses those that the run would stumble over.
fn check_changes(spec: &mut RunSpec) -> Result<()> {
    spec.changes.sort_by_key(|change| change.after);
    let wrong = |what: String| Err(Error::input(what).at("option `--change`"));
    let steps = spec.budget.steps;
    for MixtureChange { after, .. } in &spec.changes {
        if *after == 0 {
            return wrong("the shares before the first step are those of `--mixture`".to_owned());
        }
        if *after >= steps {
            return wrong(format!("the run has {steps} steps, and none comes after step {after}"));
        }
    }
    if let Some(twice) = spec.changes.windows(2).find(|pair| pair[0].after == pair[1].after) {
        return wrong(format!("there are two changes after step {}", twice[0].after));
    }
    let mut named = spec.changes.iter().flat_map(|change| change.mixture.parts());
    match named.find(|(name, _)| !spec.datasets.contains_key(*name)) {
        Some((unknown, _)) => {
            wrong(format!("a mixture names `{unknown}`, which the plan's `train` does not"))
        }
        None => Ok(()),
    }
}

/// Ends the thread that watches, also where training panics.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

/// Scores as a table.
pub(super) fn show(scores: &[BenchmarkScore], printer: &mut Printer) -> Result<()> {
    let columns = [
        Column::Text("benchmark"),
        Column::Text("decoding"),
        Column::Number("score"),
        Column::Number("± s.e."),
        Column::Number("n"),
        Column::Number("format"),
        Column::Number("lenient"),
    ];
    let rows: Vec<Vec<String>> = scores
        .iter()
        .map(|s| {
            vec![
                s.benchmark.to_string(),
                format!("{:?}", s.decoding).to_lowercase(),
                format!("{:.3}", s.score.mean),
                format!("{:.3}", s.score.standard_error),
                format!("{} × {}", s.score.n_questions, s.score.n_completions),
                format!("{:.2}", s.format_rate),
                format!("{:.3}", s.lenient_score.mean),
            ]
        })
        .collect();
    printer.table(&columns, &rows)
}

/// What a sweep starts: the run of one folder, committed once.
fn worker(folder: &Path, context: &Context, stop: &AtomicBool) -> Result<RunRecord> {
    let run = RunFolder::open(folder).input()?;
    let spec = run.spec().input()?;
    train_here(&run, &spec, context, stop, None)
}

fn train_here(
    run: &RunFolder,
    spec: &RunSpec,
    context: &Context,
    stop: &AtomicBool,
    out: Option<&Path>,
) -> Result<RunRecord> {
    let attempt = match run.claim() {
        Ok(attempt) => attempt,
        Err(ClaimError::Done(_)) if out.is_none() => {
            return run.result().failed()?.ok_or_else(|| Error::failed("the result vanished"));
        }
        // The weights are asked for and were not kept: the run is done again; its result stays.
        Err(ClaimError::Done(_)) => run.take_over().failed()?,
        Err(error @ ClaimError::Held { .. }) => {
            return Err(Error::held(error).hint("wait for it, or end that process"));
        }
        Err(error) => return Err(Error::failed(error)),
    };
    let experiment = run.path().ancestors().nth(2).unwrap_or(Path::new("."));
    let features = context.features(experiment);
    let around = Surroundings {
        data_root: &context.data_root,
        threads: context.threads,
        device: context.device()?,
        stop,
        indexes: context.cache.as_deref(),
        features: features.as_deref(),
        checkpoint_every: train::CHECKPOINT_EVERY,
    };
    let trained = train::run(spec, &attempt, &around).and_then(|(record, model)| {
        if let Some(out) = out {
            model.save(&model.network, out, true).at(out.display())?;
        }
        Ok(record)
    });
    match trained {
        Ok(record) => {
            // A late result is kept beside the one that came first; either way the run is done.
            attempt.commit(&record).failed()?;
            Ok(record)
        }
        Err(error) => {
            let code = i32::from(error.kind().exit_code());
            attempt.fail(code, error.to_string()).failed()?;
            Err(error)
        }
    }
}
