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
    decide::{Prediction, Score},
    error::{Context as _, Result},
    ledger::{self, RunFolder},
    mixture::Mixture,
    name::Name,
    predict::skill::Verdict,
    report::{
        self, CurvePoint, Failure, Group, LeftOut, PairedRuns, Report, ReportRun, Source, Surfaces, Target,
    },
    run::{BenchmarkScore, Decoding, RunRecord, RunSpec},
    store,
    sweep::Aggregate,
};

const EXAMPLES: &str = "\
Examples:
  modo report
  modo report experiments/real_slices --out report.html";

/// Labels of the runs that test a proposal.
pub(super) const PROPOSAL: &str = "proposal";
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
}

pub(super) fn run(args: &Args, context: &Context, printer: &mut Printer) -> Result<()> {
    let folder = folder(args.experiment.as_deref());
    check_experiment(&folder)?;
    let experiment = Experiment::open(&folder, context)?;
    let report = build(&experiment, context)?;
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
pub(super) fn build(experiment: &Experiment, context: &Context) -> Result<Report> {
    let folder = &experiment.folder;
    let prediction: Option<Prediction> = read_json(&folder.join(predict::PREDICTION));
    let sweep = experiment.sweep_specs(context)?;
    let base = BaseScores::read(experiment, &sweep)?;
    let confirm = match &prediction {
        Some(prediction) if experiment.plan.confirm.is_some() => {
            experiment.confirm_specs(&arms(prediction)?)?
        }
        _ => Vec::new(),
    };
    let mut runs = Vec::new();
    let mut records: BTreeMap<(String, u64), RunRecord> = BTreeMap::new();
    for (specs, group) in [(&sweep, Group::Sweep), (&confirm, Group::Confirm)] {
        for spec in specs {
            let run = report_run(folder, spec, group)?;
            if let (Some(record), Group::Confirm) = (&run.record, group) {
                records.insert((spec.label.clone(), spec.seed), record.clone());
            }
            runs.push(run);
        }
    }
    let compare = |arm: &str| {
        let of = |label: &str| -> BTreeMap<u64, &RunRecord> {
            records.iter().filter(|((l, _), _)| l == label).map(|((_, seed), r)| (*seed, r)).collect()
        };
        let (arms, against) = (of(arm), of(UNIFORM));
        let pairs: Vec<PairedRuns> = arms
            .iter()
            .filter_map(|(seed, arm)| Some(PairedRuns { arm, against: against.get(seed)? }))
            .collect();
        (!pairs.is_empty()).then(|| report::confirm_summary(arm, UNIFORM, &pairs))
    };
    let confirm: Vec<report::ConfirmSummary> =
        [PROPOSAL, BEST_OBSERVED].into_iter().filter_map(compare).collect();
    let objective = report::Objective {
        target: match experiment.plan.objective.aggregate {
            Aggregate::Overall => Target::Overall,
            Aggregate::In => Target::In,
            Aggregate::Out => Target::Out,
        },
        decoding: experiment.plan.objective.decoding,
        description: prediction
            .as_ref()
            .map_or_else(|| "no prediction has been made yet".to_owned(), |p| p.objective.clone()),
    };
    let proposal = prediction.as_ref().map(proposal).transpose()?;
    let n_finished = runs.iter().filter(|r| r.record.is_some()).count();
    let first = confirm.first().filter(|c| c.arm == PROPOSAL);
    let verdict = report::verdict(&objective, proposal.as_ref(), first, n_finished);
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
    if experiment.plan.train.iter().all(generated) {
        notes.push(WORLD.to_owned());
    }
    let surfaces = prediction.as_ref().map(|prediction| explored(experiment, prediction, context));
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
        reward_weights: report::RewardWeights::default(),
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
fn explored(experiment: &Experiment, prediction: &Prediction, context: &Context) -> Result<Surfaces> {
    let supply = experiment.supply(context)?;
    let region = experiment.constraints().region(&prediction.datasets, Some(&supply)).input()?;
    let fits = surfaces::fits(prediction, &experiment.plan.predictor, &target)?;
    let aims = surfaces::default_aims(&fits);
    surfaces::surfaces(prediction, fits, aims, &region)
}

/// The mixtures that are trained with fresh seeds: the proposal, uniform shares, and the best that was seen.
pub(super) fn arms(prediction: &Prediction) -> Result<Vec<(&'static str, Mixture)>> {
    let mixture = |shares: &[f64]| {
        let shares = shares.iter().map(|share| share.max(0.0));
        Mixture::new(&prediction.datasets.iter().cloned().zip(shares).collect()).failed()
    };
    let mut arms = vec![(UNIFORM, Mixture::uniform(&prediction.datasets).failed()?)];
    if prediction.verdict == Verdict::Signal {
        arms.push((PROPOSAL, mixture(&prediction.proposal.mixture.shares)?));
        let best = mixture(&prediction.best_observed.shares)?;
        if arms.iter().all(|(_, arm)| *arm != best) {
            arms.push((BEST_OBSERVED, best));
        }
    }
    Ok(arms)
}

fn report_run(experiment: &Path, spec: &RunSpec, group: Group) -> Result<ReportRun> {
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
    if !path.join("spec.json").is_file() {
        return Ok(run);
    }
    let folder = RunFolder::open(&path).failed()?;
    run.record = folder.result().failed()?;
    let attempts = folder.attempts();
    if let Some(last) = attempts.last() {
        run.curves = curves(&last.path.join("metrics.jsonl"));
        if run.record.is_none() {
            run.failure = last.exit().filter(|exit| exit.code != Some(75)).map(|exit| Failure {
                attempts: attempts.len() as u32,
                reason: exit.reason,
                log: folder.log_path().display().to_string(),
            });
        }
    }
    Ok(run)
}

/// The metrics of one attempt by dataset; lines that are not whole are left out.
fn curves(path: &Path) -> Vec<CurvePoint> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut points = Vec::new();
    for line in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let (Some(step), Some(datasets)) = (line["step"].as_u64(), line["datasets"].as_object()) else {
            continue;
        };
        for (name, values) in datasets {
            let Ok(dataset) = name.parse() else { continue };
            let number = |key: &str| values[key].as_f64().unwrap_or(f64::NAN);
            points.push(CurvePoint {
                step,
                dataset,
                reward: number("reward"),
                format: number("format"),
                kl: line["kl"].as_f64().unwrap_or(f64::NAN),
                tokens: number("completion_tokens"),
            });
        }
    }
    points
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
    let interval =
        |i: &crate::mixture::named::Interval| report::Interval { mean: i.mean, low: i.low, high: i.high };
    let shares = proposed.shares.iter().map(|share| share.max(0.0));
    Ok(report::Proposal {
        mixture: Mixture::new(&prediction.datasets.iter().cloned().zip(shares).collect()).failed()?,
        predictor: prediction.predictor.clone(),
        signal: prediction.verdict == Verdict::Signal,
        predicted: interval(&proposed.predicted),
        uniform: proposed.uniform,
        gain: interval(&proposed.gain),
        p_beats_uniform: proposed.p_beats_uniform,
        note: proposed.note.clone(),
        binding: proposed.binding.clone(),
    })
}

/// A file that need not be there; one of another version is as good as none.
pub(super) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}
