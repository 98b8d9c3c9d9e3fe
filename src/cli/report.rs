//! `modo report`: an experiment's runs, predictions and comparisons as one offline page.

pub(super) mod surfaces;
pub(super) mod table;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    Context,
    data::last_checks,
    experiment::{Experiment, check_experiment, folder},
    predict,
    printer::Printer,
};
use crate::{
    data::DatasetConfig,
    decide::{Prediction, Score},
    error::{Context as _, Result},
    ledger::{self, AttemptView, Exit, FolderError, RunFolder},
    mixture::Mixture,
    name::Name,
    predict::skill::Verdict,
    report::{
        self, CurvePoint, Failure, Group, LeftOut, PROPOSAL, PairedRuns, Report, ReportRun, Source, Surfaces,
        Target, Weighted,
    },
    run::{BenchmarkScore, Decoding, RunRecord, RunSpec, RunStatus},
    sampler::check,
    store,
    sweep::Aggregate,
};

const EXAMPLES: &str = "\
Examples:
  modo report
  modo report experiments/real_slices --out report.html
  modo report --map geometry,spatial,science";

/// Labels of the runs that a proposal is tested against.
pub(super) const UNIFORM: &str = "uniform";
pub(super) const BEST_OBSERVED: &str = "best_observed";

/// What the reader of an embedded experiment has to know.
const WORLD: &str = "The settings of the embedded world come from the base's accuracy, the noise of the scores and a \
feasibility study; none was changed after mixtures were compared on this base.";

/// Write the page of an experiment.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The experiment's folder [default: experiments/quickstart].
    experiment: Option<PathBuf>,
    /// Where to write the page [default: report.html in the experiment].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Map the objective over these three datasets instead of those it depends on most; may be given again.
    #[arg(long = "map", value_name = "A,B,C", action = clap::ArgAction::Append)]
    maps: Vec<String>,
}

pub(super) fn run(args: &Args, context: &Context, printer: &mut Printer) -> Result<()> {
    let folder = folder(args.experiment.as_deref());
    check_experiment(&folder)?;
    let experiment = Experiment::open(&folder, context)?;
    surfaces::triples(&args.maps, &experiment.plan.train)?;
    let report = build(&experiment, &args.maps, context)?;
    let prediction: Option<Prediction> = read_json(&folder.join(predict::PREDICTION));
    if let Some(note) = prediction.and_then(|prediction| older(&prediction, &report.runs, &folder)) {
        printer.warn(note);
    }
    let out = args.out.clone().unwrap_or_else(|| folder.join("report.html"));
    write(&report, &out)?;
    printer.line(&report.verdict)?;
    printer.line(out.display())
}

/// Writes the page.
pub(super) fn write(report: &Report, out: &Path) -> Result<()> {
    store::write_whole(out, report::render(report).as_bytes()).at(out.display())
}

/// Gathers what the folders hold; nothing is computed that a file beside them does not show as well.
/// `maps`: see [`surfaces::triples`].
pub(super) fn build(experiment: &Experiment, maps: &[String], context: &Context) -> Result<Report> {
    let folder = &experiment.folder;
    let prediction: Option<Prediction> = read_json(&folder.join(predict::PREDICTION));
    let sweep = experiment.sweep_specs(context)?;
    let base = BaseScores::read(experiment, &sweep)?;
    let confirm = match &prediction {
        Some(prediction) if experiment.plan.confirm.is_some() => {
            experiment.with_done_before(experiment.confirm_specs(&arms(prediction)?)?)?.0
        }
        _ => Vec::new(),
    };
    let (done, _) = experiment.with_done_before(sweep.clone())?;
    let mut runs = Vec::new();
    let mut records: BTreeMap<(String, u64), RunRecord> = BTreeMap::new();
    for (specs, group) in [(&done, Group::Sweep), (&confirm, Group::Confirm)] {
        for spec in specs {
            let run = report_run(folder, spec, group, experiment.plan.launcher.attempts);
            if let (Some(record), Group::Confirm) = (&run.record, group) {
                records.insert((spec.label.clone(), spec.seed), record.clone());
            }
            runs.push(run);
        }
    }
    let objective = objective(experiment, prediction.as_ref());
    let compare = |arm: &str| {
        let of = |label: &str| -> BTreeMap<u64, &RunRecord> {
            records.iter().filter(|((l, _), _)| l == label).map(|((_, seed), r)| (*seed, r)).collect()
        };
        let (arms, against) = (of(arm), of(UNIFORM));
        let pairs: Vec<PairedRuns> = arms
            .iter()
            .filter_map(|(seed, arm)| Some(PairedRuns { arm, against: against.get(seed)? }))
            .collect();
        (!pairs.is_empty()).then(|| report::confirm_summary(arm, UNIFORM, &pairs, &objective.target))
    };
    let confirm: Vec<report::ConfirmSummary> =
        [PROPOSAL, BEST_OBSERVED].into_iter().filter_map(compare).collect();
    let proposal = prediction.as_ref().map(proposal).transpose()?;
    // What is said of the runs is said of those that the prediction saw.
    let n_finished = prediction.as_ref().map_or_else(|| finished(&runs).count(), |p| p.runs.len());
    let of_proposal = confirm.iter().find(|c| c.arm == PROPOSAL);
    let verdict = report::verdict(&objective, proposal.as_ref(), of_proposal, n_finished);
    let plan = fs::read_to_string(folder.join("plan.toml")).at(folder.display())?;
    let mut provenance = BTreeMap::from([
        ("modo".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("plan".to_owned(), store::short_hash(plan.as_bytes())),
        ("base".to_owned(), format!("{} {}", experiment.plan.base, experiment.base_hash)),
    ]);
    provenance.extend(prediction.as_ref().map(|p| ("ledger".to_owned(), p.ledger.clone())));
    let generated = |name: &Name| {
        experiment.catalog.get(name).is_ok_and(|c| matches!(c.source, crate::data::Source::Task { .. }))
    };
    let mut notes: Vec<String> = prediction.iter().flat_map(|p| p.notes.clone()).collect();
    notes.splice(0..0, prediction.iter().filter_map(|prediction| older(prediction, &runs, folder)));
    if experiment.plan.train.iter().all(generated) {
        notes.push(WORLD.to_owned());
    }
    let surfaces = prediction.as_ref().map(|prediction| explored(experiment, prediction, maps, context));
    let surfaces = match surfaces {
        Some(Ok(surfaces)) => Some(surfaces),
        Some(Err(error)) => {
            notes.push(format!("The predictor could not be fitted again for this page: {error}"));
            None
        }
        None => None,
    };
    Ok(Report {
        title: format!("modo: {}", experiment.name),
        source: Source::Experiment,
        surfaces,
        verdict,
        objective,
        base,
        runs,
        predictions: prediction.iter().flat_map(|p| predictions(p, &target)).collect(),
        signal: prediction.iter().flat_map(|p| signals(p, &target)).collect(),
        proposal,
        confirm,
        reward_weights: reward_weights(&sweep)?,
        notes,
        data: last_checks(
            &experiment.catalog,
            experiment.plan.train.iter().chain(&experiment.plan.benchmarks),
            context,
        ),
        provenance,
        plan,
    })
}

/// The proxy runs that have finished.
fn finished(runs: &[ReportRun]) -> impl Iterator<Item = &ReportRun> {
    runs.iter().filter(|run| run.group == Group::Sweep && run.record.is_some())
}

/// Says how many finished runs a prediction neither used nor left out, where there are any.
fn older(prediction: &Prediction, runs: &[ReportRun], experiment: &Path) -> Option<String> {
    let seen = |run: &str| {
        prediction.runs.iter().any(|one| one.run == run)
            || prediction.left_out.iter().any(|one| one.run == run)
    };
    let newer = finished(runs).filter(|run| !seen(run.id.as_str())).count();
    let (s, verb) = if newer == 1 { ("", "is") } else { ("s", "are") };
    (newer > 0).then(|| {
        format!(
            "{newer} finished run{s} {verb} newer than the prediction and not in it: `modo predict {}` decides anew",
            experiment.display()
        )
    })
}

/// `base.json`: the scores of the base, before any run trained it.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct BaseScores {
    /// Which base, scored how: of another plan's nothing can be subtracted.
    of: Vec<String>,
    scores: Vec<BenchmarkScore>,
}

impl BaseScores {
    /// Runs whose base and evaluation are meant: one of the sweep, one of those that test a proposal.
    pub(super) fn specs(experiment: &Experiment, sweep: &[RunSpec]) -> Result<Vec<RunSpec>> {
        let uniform = Mixture::uniform(&experiment.plan.train).failed()?;
        let mut specs: Vec<RunSpec> = sweep.first().cloned().into_iter().collect();
        if experiment.plan.confirm.is_some() {
            specs.extend(experiment.confirm_specs(&[("base", uniform)])?.into_iter().next());
        }
        Ok(specs)
    }

    /// The scores, where they are of this base and evaluation.
    pub(super) fn read(experiment: &Experiment, sweep: &[RunSpec]) -> Result<Option<Vec<BenchmarkScore>>> {
        let Some(there) = read_json::<Self>(&experiment.folder.join(BASE)) else { return Ok(None) };
        let of = Self::identity(&Self::specs(experiment, sweep)?);
        Ok((there.of == of).then_some(there.scores))
    }

    pub(super) fn write(
        experiment: &Experiment,
        specs: &[RunSpec],
        scores: Vec<BenchmarkScore>,
    ) -> Result<()> {
        let path = experiment.folder.join(BASE);
        let whole = Self { of: Self::identity(specs), scores };
        store::write_whole(&path, &store::to_json_pretty(&whole)).at(path.display())
    }

    fn identity(specs: &[RunSpec]) -> Vec<String> {
        specs.iter().map(|spec| format!("{} {}", spec.base_hash, ledger::protocol(spec))).collect()
    }
}

const BASE: &str = "base.json";

/// What the prediction says of mixtures not tried, under the experiment's constraints.
fn explored(
    experiment: &Experiment,
    prediction: &Prediction,
    maps: &[String],
    context: &Context,
) -> Result<Surfaces> {
    let supply = experiment.supply(context)?;
    let region = experiment.constraints().region(&prediction.datasets, Some(&supply)).input()?;
    let fits = surfaces::fits(prediction, &experiment.plan.predictor, &target)?;
    let aims = surfaces::default_aims(&fits);
    let triples = surfaces::triples(maps, &prediction.datasets)?;
    surfaces::surfaces(prediction, fits, aims, triples, &region)
}

/// The mixtures that are trained with fresh seeds: the proposal, uniform shares, and the best that was seen.
pub(super) fn arms(prediction: &Prediction) -> Result<Vec<(&'static str, Mixture)>> {
    let mixture = |shares: &[f64]| {
        let shares = shares.iter().map(|share| share.max(0.0));
        Mixture::new(&prediction.datasets.iter().cloned().zip(shares).collect()).failed()
    };
    let mut arms = vec![(UNIFORM, Mixture::uniform(&prediction.datasets).failed()?)];
    if prediction.verdict == Verdict::Signal {
        // Where nothing allowed is expected to be better, the proposal is uniform shares.
        let proposal = mixture(&prediction.proposal.mixture.shares)?;
        if arms.iter().all(|(_, arm)| *arm != proposal) {
            arms.push((PROPOSAL, proposal));
        }
        let best = mixture(&prediction.best_observed.shares)?;
        if arms.iter().all(|(_, arm)| *arm != best) {
            arms.push((BEST_OBSERVED, best));
        }
    }
    Ok(arms)
}

/// How the benchmarks' rewards weigh answer and format, by the tables that the runs were told.
fn reward_weights(specs: &[RunSpec]) -> Result<BTreeMap<Name, report::RewardWeights>> {
    let tables = specs.first().map(|spec| &spec.benchmarks).into_iter().flatten();
    let weights = |(name, table): (&Name, &toml::Table)| {
        let config = DatasetConfig::from_table(name, table.clone())?;
        let (accuracy, format) = check::reward(name, &config)?.weights();
        Ok((name.clone(), report::RewardWeights { accuracy, format }))
    };
    tables.map(weights).collect()
}

/// What the folder of a run shows; `allowed`: failures after which a sweep gives a run up.
///
/// A folder that cannot be used is that run's failure, not the report's.
fn report_run(experiment: &Path, spec: &RunSpec, group: Group, allowed: u32) -> ReportRun {
    let id = spec.id();
    let path = experiment.join("runs").join(id.as_str());
    let mut run = ReportRun {
        id,
        label: spec.label.clone(),
        group,
        mixture: spec.mixture.clone(),
        record: None,
        failure: None,
        curves: Vec::new(),
    };
    if !path.exists() {
        return run;
    }
    if let Err(error) = read_run(&path, allowed, &mut run) {
        run.failure = Some(Failure {
            attempts: run.failure.map_or(0, |failure| failure.attempts),
            reason: format!("its folder cannot be used: {error}"),
            log: path.join("log.txt").display().to_string(),
        });
    }
    run
}

fn read_run(path: &Path, allowed: u32, run: &mut ReportRun) -> Result<(), FolderError> {
    let folder = RunFolder::open(path)?;
    let attempts = folder.attempts();
    run.curves = curves(attempts.iter().map(|attempt| attempt.path.join("metrics.jsonl")));
    run.record = folder.result()?;
    if folder.status(allowed)? == RunStatus::Failed {
        let last = attempts.iter().rev().filter_map(AttemptView::exit).find(Exit::counts);
        run.failure = last.map(|exit| Failure {
            attempts: attempts.len() as u32,
            reason: exit.reason,
            log: folder.log_path().display().to_string(),
        });
    }
    Ok(())
}

/// The metrics of a run's attempts by dataset, in the order of the steps. A later attempt begins at a checkpoint and
/// does again what came after it: where two have a step, the later one's counts. Lines that are not whole are left out.
fn curves(files: impl Iterator<Item = PathBuf>) -> Vec<CurvePoint> {
    let mut points = BTreeMap::new();
    for file in files {
        let text = fs::read_to_string(file).unwrap_or_default();
        for line in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            let (Some(step), Some(datasets)) = (line["step"].as_u64(), line["datasets"].as_object()) else {
                continue;
            };
            for (name, values) in datasets {
                let Ok(dataset) = name.parse::<Name>() else { continue };
                let number = |key: &str| values[key].as_f64();
                let batch = || line["kl"].as_f64();
                // Earlier versions wrote no `policy_loss` per dataset, and the batch's KL alone.
                let is_own = values.get("policy_loss").is_some();
                let kl = number("kl").or_else(|| batch().filter(|_| !is_own));
                let point = CurvePoint {
                    step,
                    dataset: dataset.clone(),
                    reward: number("reward").unwrap_or(f64::NAN),
                    format: number("format").unwrap_or(f64::NAN),
                    kl: kl.unwrap_or(f64::NAN),
                    kl_of_batch: kl.is_some() && !is_own,
                    tokens: number("completion_tokens").unwrap_or(f64::NAN),
                };
                points.insert((step, dataset), point);
            }
        }
    }
    points.into_values().collect()
}

/// What mixtures are compared by: as the plan says, unless the prediction was asked for something else.
fn objective(experiment: &Experiment, prediction: Option<&Prediction>) -> report::Objective {
    let plan = &experiment.plan.objective;
    let aggregate = match plan.aggregate {
        Aggregate::Overall => Target::Overall,
        Aggregate::In => Target::In,
        Aggregate::Out => Target::Out,
    };
    let target = match prediction {
        // A sum that the plan or `modo predict --maximize` names; the worst of several is none.
        Some(prediction) if !prediction.objective.starts_with(aggregate.name()) => {
            let is_sum = prediction.proposal.mixture.worst.is_none();
            let members = (prediction.targets.iter())
                .filter(|score| is_sum && score.weight != 0.0 && score.decoding == Some(plan.decoding));
            let millionths = |weight: f64| (weight * 1e6).round() as i64;
            let weights = members
                .filter_map(|score| Some((score.name.parse().ok()?, millionths(score.weight))))
                .collect();
            Target::Weighted(Weighted { words: prediction.objective.clone(), weights })
        }
        _ => aggregate,
    };
    let description = prediction.map(|prediction| prediction.objective.clone());
    let description = description.unwrap_or_else(|| "no prediction has been made yet".to_owned());
    report::Objective { target, decoding: plan.decoding, description }
}

pub(super) fn target(score: &Score) -> Option<Target> {
    Some(match score.name.as_str() {
        name if name == ledger::Target::In.to_string() => Target::In,
        name if name == ledger::Target::Out.to_string() => Target::Out,
        name if name == ledger::Target::Overall.to_string() => Target::Overall,
        name => Target::Benchmark(name.parse().ok()?),
    })
}

fn scores(prediction: &Prediction) -> impl Iterator<Item = &Score> {
    // The only column of a table is its own objective.
    let alone = prediction.targets.len() == 1 && prediction.aggregates.len() == 1;
    prediction.aggregates.iter().chain(prediction.targets.iter().filter(move |_| !alone))
}

/// A score of a table has no decoding, and its target does not ask for one.
fn decoding(score: &Score) -> Decoding {
    score.decoding.unwrap_or(Decoding::Sampled)
}

type ToTarget<'a> = &'a dyn Fn(&Score) -> Option<Target>;

fn predictions(prediction: &Prediction, target: ToTarget) -> Vec<report::TargetPrediction> {
    let of = |score: &Score| {
        let skill = &score.skill;
        let pairs = prediction.runs.iter().zip(&skill.held_out).map(|(run, held)| {
            let half = skill.half_width(held.predicted.run_sd(), crate::optimize::proposal::COVERAGE);
            let mean = held.predicted.mean;
            LeftOut {
                label: run.label.clone(),
                observed: held.observed,
                predicted: report::Interval { mean, low: mean - half, high: mean + half },
            }
        });
        Some(report::TargetPrediction {
            target: target(score)?,
            decoding: decoding(score),
            predictor: prediction.predictor.clone(),
            pairs: pairs.collect(),
            skill: Some(report::Skill {
                r2: skill.r2,
                rank_correlation: skill.rank_correlation,
                p: skill.p,
                n_mixtures: prediction.n_mixtures,
                n_runs: prediction.runs.len(),
                signal: skill.verdict == Verdict::Signal,
            }),
        })
    };
    scores(prediction).filter_map(of).collect()
}

fn signals(prediction: &Prediction, target: ToTarget) -> Vec<report::TargetSignal> {
    let of = |score: &Score| {
        let signal = &score.skill.signal;
        Some(report::TargetSignal {
            target: target(score)?,
            decoding: decoding(score),
            between_sd: signal.between_sd,
            within_sd: signal.within_sd,
            f: signal.f,
            p: signal.p,
            n_mixtures: signal.n_mixtures,
            n_runs: signal.n_runs,
        })
    };
    scores(prediction).filter_map(of).collect()
}

fn proposal(prediction: &Prediction) -> Result<report::Proposal> {
    let proposed = &prediction.proposal.mixture;
    let shares = proposed.shares.iter().map(|share| share.max(0.0));
    Ok(report::Proposal {
        mixture: Mixture::new(&prediction.datasets.iter().cloned().zip(shares).collect()).failed()?,
        predictor: prediction.predictor.clone(),
        signal: prediction.verdict == Verdict::Signal,
        predicted: proposed.predicted,
        uniform: proposed.uniform,
        gain: proposed.gain,
        worst: (proposed.worst).map(|one| (prediction.proposal.targets[one.target].name.clone(), one.gain)),
        p_beats_uniform: proposed.p_beats_uniform,
        note: proposed.note.clone(),
        binding: proposed.binding.clone(),
    })
}

/// A file that need not be there; one of another version is as good as none.
pub(super) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ledger::Attempt,
        mixture::draw_rule::DrawRule,
        run::{Budget, Evaluation, Part, SCHEMA},
    };

    #[test]
    fn the_curves_of_a_resumed_run_are_whole_and_the_later_attempt_counts() {
        let guard = tempfile::tempdir().unwrap();
        let spec = spec();
        let folder = RunFolder::create(guard.path(), &spec).unwrap();
        let line = |step: u64, reward: f64, kl: f64| {
            let own = serde_json::json!({"reward": reward, "kl": kl, "policy_loss": 0.0});
            format!("{}\n", serde_json::json!({"step": step, "kl": 9.0, "datasets": {"spatial": own}}))
        };
        let write = |attempt: &Attempt, lines: &[String]| {
            fs::write(attempt.path().join("metrics.jsonl"), lines.concat()).unwrap();
        };
        let first = folder.claim().unwrap();
        write(
            &first,
            &[line(1, 0.1, 0.01), line(2, 0.2, 0.02), line(3, 0.3, 0.03), "{\"step\": 4".to_owned()],
        );
        first.fail(75, "stopped").unwrap();
        let second = folder.claim().unwrap();
        write(&second, &[line(3, 0.7, 0.07), line(4, 0.4, 0.04)]);
        second.fail(75, "stopped").unwrap();
        let run = report_run(guard.path(), &spec, Group::Sweep, 3);
        let seen: Vec<_> = run.curves.iter().map(|p| (p.step, p.reward, p.kl, p.kl_of_batch)).collect();
        let own = |step, reward, kl| (step, reward, kl, false);
        assert_eq!(seen, [own(1, 0.1, 0.01), own(2, 0.2, 0.02), own(3, 0.7, 0.07), own(4, 0.4, 0.04)]);
        assert!(run.failure.is_none());
    }

    #[test]
    fn the_kl_of_a_run_by_an_earlier_version_is_marked_as_the_batchs() {
        let guard = tempfile::tempdir().unwrap();
        let file = guard.path().join("metrics.jsonl");
        fs::write(&file, r#"{"step": 1, "kl": 0.5, "datasets": {"a": {"reward": 1.0}}}"#).unwrap();
        let points = curves(std::iter::once(file));
        assert_eq!((points[0].kl, points[0].kl_of_batch), (0.5, true));
    }

    #[test]
    fn a_run_is_a_failure_when_a_sweep_would_not_try_it_again() {
        let guard = tempfile::tempdir().unwrap();
        let spec = spec();
        let folder = RunFolder::create(guard.path(), &spec).unwrap();
        let shown = || report_run(guard.path(), &spec, Group::Sweep, 3).failure;
        for n in 1..=2 {
            folder.claim().unwrap().fail(1, format!("failure {n}")).unwrap();
            assert!(shown().is_none(), "it would be tried again after {n}");
        }
        folder.claim().unwrap().fail(1, "failure 3").unwrap();
        let failure = shown().unwrap();
        assert_eq!((failure.attempts, failure.reason.as_str()), (3, "failure 3"));
    }

    #[test]
    fn what_trying_again_cannot_help_is_a_failure_at_once() {
        let guard = tempfile::tempdir().unwrap();
        let spec = spec();
        let folder = RunFolder::create(guard.path(), &spec).unwrap();
        folder.claim().unwrap().fail(2, "the gradient of step 4 is not a finite number").unwrap();
        let failure = report_run(guard.path(), &spec, Group::Sweep, 3).failure.unwrap();
        assert!(failure.reason.contains("step 4"));
    }

    #[test]
    fn a_damaged_folder_is_its_runs_failure() {
        let spec = spec();
        for (file, content) in [("spec.json", "{"), ("result.json", "{\"schema\": 1"), ("spec.json", "")] {
            let guard = tempfile::tempdir().unwrap();
            let folder = RunFolder::create(guard.path(), &spec).unwrap();
            fs::write(folder.path().join(file), content).unwrap();
            let run = report_run(guard.path(), &spec, Group::Sweep, 3);
            let reason = run.failure.unwrap().reason;
            assert!(run.record.is_none() && reason.contains(file) && reason.contains("damaged"), "{reason}");
        }
        let guard = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(guard.path(), &spec).unwrap();
        fs::remove_file(folder.spec_path()).unwrap();
        let reason = report_run(guard.path(), &spec, Group::Sweep, 3).failure.unwrap().reason;
        assert!(reason.contains("spec.json"), "{reason}");
    }

    #[test]
    fn weights_are_those_of_the_benchmarks_tables() {
        let mut spec = spec();
        let catalog = crate::data::Catalog::embedded();
        for (name, reward) in [("chart", None), ("spatial_test", Some("accuracy = 1.0\nformat = 0.25"))] {
            let name: Name = name.parse().unwrap();
            let mut table = catalog.table(&name).unwrap().clone();
            if let Some(reward) = reward {
                table.insert("reward".to_owned(), toml::Value::Table(reward.parse().unwrap()));
            }
            spec.benchmarks.insert(name, table);
        }
        let weights = reward_weights(&[spec]).unwrap();
        assert_eq!(weights["chart"], report::RewardWeights::default());
        let own = report::RewardWeights { accuracy: 1.0, format: 0.25 };
        assert_eq!(weights["spatial_test"], own);
    }

    fn spec() -> RunSpec {
        RunSpec {
            schema: SCHEMA,
            experiment: "test".parse().unwrap(),
            label: "uniform".to_owned(),
            base: "nano".to_owned(),
            base_hash: "0".repeat(32),
            algorithm: toml::Table::new(),
            mixture: Mixture::uniform(&["spatial".parse::<Name>().unwrap()]).unwrap(),
            changes: Vec::new(),
            draw: DrawRule::Exact,
            datasets: BTreeMap::new(),
            benchmarks: BTreeMap::new(),
            evaluation: Evaluation { part: Part::Selection, questions: 1, completions: 1, greedy: true },
            budget: Budget { steps: 4, prompts_per_step: 1 },
            draw_seed: 1,
            seed: 1,
        }
    }
}
