//! `modo predict`: whether finished runs carry a signal, which mixture to train on, and what to run next.

mod pareto;
mod show;
pub(super) mod table;

use std::path::{Path, PathBuf};

use super::{
    Context,
    experiment::{self, Experiment},
    mixtures,
    printer::Printer,
    report,
};
use crate::{
    decide::{self, Objective, Prediction, Question, Screened, TargetRuns, decide, screen},
    error::{Context as _, Error, Result},
    ledger::{self, Ledger, Target},
    mixture::constraint::Constraints,
    name::Name,
    optimize::{
        self, Optimizer,
        goal::{self, Rail},
        next_runs::Batch,
    },
    predict::{Observation, two_fidelity::TwoFidelities},
    run::{Decoding, Part, RunSpec},
    store,
    sweep::plan::{Aggregate, Plan},
};

/// The table of runs in the experiment's folder.
const LEDGER: &str = "ledger.parquet";

/// The decision in the experiment's folder.
pub(super) const PREDICTION: &str = "prediction.json";

/// Most runs to come that the next ones keep away from.
const MAX_PENDING: usize = 50;

/// Shufflings behind the chance of a skill: the smallest p is .005.
const PERMUTATIONS: usize = 199;

const EXAMPLES: &str = "\
Examples:
  modo predict
  modo predict experiments/quickstart --json
  modo predict --pareto In-Score,Out-Score
  modo predict --mixtures a.csv --scores b.csv --maximize accuracy
  modo predict --mixtures a.csv --scores b.csv --minimize loss --out mix.json
  modo predict --mixtures a.csv --scores b.csv --minimize loss --report page.html
  modo predict --mixtures a.csv --scores b.csv --at asked.csv --out new.csv
  modo predict --mixtures a.csv --scores b.csv --questions gsm8k=1319,mmlu=14042
  modo predict --maximize chart=2,science_test=1 --guardrail Overall=0.01
  modo predict --mixtures a.csv --scores b.csv --maximize x,y --worst

Tables are CSV, Parquet or JSON lines with one row per run. A column of numbers
that only the mixtures have is a dataset's share, one that only the scores have
is a target. What is decided on a table is written to `prediction.json` as well,
beside `--out` or `--report`, else in the current folder. `new.csv` has the columns id, target, mean, sd, low and high:
the 90 % interval of the score of one new run.";

/// Options of `modo predict`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Folder of the experiment [default: experiments/quickstart].
    #[arg(conflicts_with = "mixtures")]
    experiment: Option<PathBuf>,
    /// Any table of shares instead of an experiment.
    #[arg(long, value_name = "FILE", requires = "scores")]
    mixtures: Option<PathBuf>,
    /// The scores of those mixtures.
    #[arg(long, value_name = "FILE", requires = "mixtures")]
    scores: Option<PathBuf>,
    /// Column that joins the two tables [default: the first one that both have].
    #[arg(long, value_name = "COLUMN", requires = "mixtures", conflicts_with = "experiment")]
    id: Option<String>,
    /// Scores to make large, weighed alike or as `NAME=WEIGHT`: columns, or benchmarks of an experiment instead of its
    /// plan's objective.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    maximize: Vec<String>,
    /// Scores to make small.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    minimize: Vec<String>,
    /// Of the scores named, make the smallest gain over uniform shares large instead of their mean.
    #[arg(long)]
    worst: bool,
    /// A score that may be worse by LOSS at most, with a chance of 0.9 or another `@CHANCE`; may be given again.
    #[arg(long = "guardrail", value_name = "NAME=LOSS[@CHANCE]", action = clap::ArgAction::Append)]
    guardrails: Vec<String>,
    /// What guardrails compare with.
    #[arg(long, value_name = "MIXTURE", value_enum, default_value_t = Than::Uniform, requires = "guardrails")]
    than: Than,
    /// Runs to leave out, by id or label.
    #[arg(long, value_name = "RUNS", value_delimiter = ',')]
    without: Vec<String>,
    /// Column of either table that says how long a run trained: rows of another than the commonest value are left out.
    #[arg(long, value_name = "COLUMN", requires = "mixtures", conflicts_with = "experiment")]
    budget: Option<String>,
    /// Questions behind every score, or `NAME=N` of each: scores are then rates from 0 to 1 whose noise is at least that
    /// of so many answers, unless mixtures were repeated and tell it themselves.
    #[arg(
        long,
        value_name = "N",
        requires = "mixtures",
        value_delimiter = ',',
        conflicts_with = "experiment"
    )]
    questions: Vec<String>,
    /// Column with the paper's In-Score, for its rules; goes with `--out-score`.
    #[arg(
        long,
        value_name = "COLUMN",
        requires = "mixtures",
        requires = "out_score",
        conflicts_with = "experiment"
    )]
    in_score: Option<String>,
    /// Column with the paper's Out-Score.
    #[arg(
        long,
        value_name = "COLUMN",
        requires = "mixtures",
        requires = "in_score",
        conflicts_with = "experiment"
    )]
    out_score: Option<String>,
    /// Table of mixtures to predict the scores of.
    #[arg(long, value_name = "FILE", requires = "mixtures",
        conflicts_with_all = ["experiment", "constraints", "guardrails", "worst", "in_score", "next", "by", "than", "maps"])]
    at: Option<PathBuf>,
    /// Another experiment with cheaper runs (a smaller model, fewer steps) on the same datasets and benchmarks, to learn
    /// from as far as they go along with those of this one.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["mixtures", "predictor", "pareto"])]
    low: Option<PathBuf>,
    /// Shares of cheaper runs of the same datasets, the same for tables.
    #[arg(long, value_name = "FILE", requires = "low_scores", requires = "mixtures",
        conflicts_with_all = ["experiment", "report", "pareto", "predictor"])]
    low_mixtures: Option<PathBuf>,
    /// Their scores, with the same columns.
    #[arg(long, value_name = "FILE", requires = "low_mixtures")]
    low_scores: Option<PathBuf>,
    /// Where to write: the mixture [default: mixtures/best.json, for an experiment], or what `--at` asks for.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The predictor, with its default settings [default: the plan's; of tables `proposer` to propose, `gp3_cube` to predict].
    #[arg(long, value_name = "NAME")]
    predictor: Option<String>,
    /// How the proposal is searched for: see `modo list optimizers`.
    #[arg(long, value_name = "NAME", default_value = optimize::DEFAULT, conflicts_with = "at")]
    optimizer: String,
    /// What the proposal must keep to, as TOML [default: the plan's]; see docs/predict.md.
    #[arg(long, value_name = "FILE")]
    constraints: Option<PathBuf>,
    /// How many runs to suggest.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(..=50))]
    next: u16,
    /// How the runs suggested are kept apart.
    #[arg(long, value_name = "RULE", value_enum, default_value_t = By::Liar)]
    by: By,
    /// Write a page with plots of a table's predictions; an experiment has `modo report`.
    #[arg(long, value_name = "FILE", requires = "mixtures", conflicts_with_all = ["at", "experiment"])]
    report: Option<PathBuf>,
    /// Map the objective on that page over these three datasets instead of those it depends on most; may be given again.
    #[arg(long = "map", value_name = "A,B,C", requires = "report", action = clap::ArgAction::Append)]
    maps: Vec<String>,
    /// Print the Pareto front of two or three scores (In-Score, Out-Score, Overall, a benchmark, a column) instead.
    #[arg(long, value_name = "SCORES", value_delimiter = ',', 
        conflicts_with_all = ["at", "report", "out", "guardrails", "worst"])]
    pareto: Vec<String>,
    /// Print what `prediction.json` holds instead of tables.
    #[arg(long)]
    json: bool,
}

/// What guardrails compare with.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Than {
    /// Equal shares.
    Uniform,
    /// The mixture of the highest mean score.
    Best,
    /// Shares in proportion to the datasets' sizes.
    Natural,
}

/// How the runs of a batch are kept apart.
#[derive(Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum By {
    /// Expected improvement; each suggestion counts as a run as good as the best mixture tried for the next.
    #[default]
    Liar,
    /// Expected improvement over what all runs may truly score, for noisy scores.
    Noisy,
}

impl From<By> for Batch {
    fn from(by: By) -> Self {
        match by {
            By::Liar => Self::ConstantLiar,
            By::Noisy => Self::NoisyImprovement,
        }
    }
}

/// What is asked of an experiment beyond its plan.
pub(super) struct Asked {
    /// How many runs to suggest.
    pub(super) next: usize,
    pub(super) by: By,
    /// How the proposal is searched for.
    optimizer: Box<dyn Optimizer>,
    /// Benchmarks and their weights instead of the plan's objective.
    aims: Vec<(String, f64)>,
    worst: bool,
    guardrails: Vec<Rail>,
    without: Vec<String>,
    /// An experiment with cheaper runs.
    low: Option<PathBuf>,
}

impl Asked {
    /// So many runs, and what the plan says.
    pub(super) fn next(next: usize, by: By) -> Self {
        Self {
            next,
            by,
            optimizer: optimize::default_optimizer(),
            aims: Vec::new(),
            worst: false,
            guardrails: Vec::new(),
            without: Vec::new(),
            low: None,
        }
    }
}

impl Args {
    fn optimizer(&self) -> Result<Box<dyn Optimizer>> {
        optimize::by_name(&self.optimizer).input().map_err(|error| error.at("option `--optimizer`"))
    }

    /// What the guardrails say; scores that are to be made small, or that stand beside such alone, are good when
    /// small. `is_score`: whether there is a score of that name, which may hold a `=` itself.
    fn rails(&self, aims: &[(String, f64)], is_score: impl Fn(&str) -> bool) -> Result<Vec<Rail>> {
        let than = match self.than {
            Than::Uniform => goal::Than::Uniform,
            Than::Best => goal::Than::Best,
            Than::Natural => goal::Than::Natural,
        };
        let rail = |text: &String| {
            let wrong = || {
                Error::input(format!("`{text}` is no guardrail"))
                    .at("option `--guardrail`")
                    .hint("write NAME=LOSS or NAME=LOSS@CHANCE, such as `chart=0.01@0.9`")
            };
            let (score, rest) = text.rsplit_once('=').ok_or_else(wrong)?;
            let (within, chance) = rest.split_once('@').map_or((rest, None), |(w, c)| (w, Some(c)));
            let within = within.trim().parse().map_err(|_| wrong())?;
            let chance = chance.map_or(Ok(goal::nine_of_ten()), |c| c.trim().parse().map_err(|_| wrong()))?;
            let own = aims.iter().find(|(name, _)| name == score).map(|(_, weight)| *weight < 0.0);
            let minimize =
                own.unwrap_or_else(|| aims.iter().all(|(_, weight)| *weight < 0.0) && !aims.is_empty());
            let rail = Rail { score: score.to_owned(), minimize, within, chance, than };
            rail.check().map_err(|what| Error::input(what).at("option `--guardrail`"))?;
            if !is_score(score) {
                return Err(Error::input(format!("there is no score `{score}`")).at("option `--guardrail`"));
            }
            Ok(rail)
        };
        self.guardrails.iter().map(rail).collect()
    }

    /// Scores with their weights, those to be made small with negative ones: alike and of a sum of 1, or as given.
    fn aims(&self, is_score: impl Fn(&str) -> bool) -> Result<Vec<(String, f64)>> {
        let mut aims: Vec<(String, f64)> = Vec::new();
        let mut given = false;
        for (names, sign) in [(&self.maximize, 1.0), (&self.minimize, -1.0)] {
            for text in names {
                let weighted = text.rsplit_once('=').filter(|_| !is_score(text));
                let (name, weight) = match weighted {
                    None => (text.as_str(), 1.0),
                    Some((name, weight)) => {
                        given = true;
                        let weight: Option<f64> = weight.trim().parse().ok();
                        let weight = weight.filter(|w| *w > 0.0 && w.is_finite()).ok_or_else(|| {
                            Error::input(format!("`{text}` has no weight above 0"))
                                .at("options `--maximize` and `--minimize`")
                        })?;
                        (name, weight)
                    }
                };
                if let Some((_, other)) = aims.iter().find(|(own, _)| own == name) {
                    let what = if (*other < 0.0) == (sign < 0.0) {
                        "is named twice"
                    } else {
                        "cannot be both large and small"
                    };
                    return Err(
                        Error::input(format!("`{name}` {what}")).at("options `--maximize` and `--minimize`")
                    );
                }
                aims.push((name.to_owned(), sign * weight));
            }
        }
        if self.worst && aims.len() < 2 {
            return Err(Error::input("the worst case needs at least two scores")
                .at("option `--worst`")
                .hint("name them with `--maximize` and `--minimize`"));
        }
        // The worst is of gains as they are.
        if !given && !self.worst {
            let each = 1.0 / aims.len().max(1) as f64;
            for (_, weight) in &mut aims {
                *weight *= each;
            }
        }
        Ok(aims)
    }
}

/// An objective in words: `mean of a, -b`, `2 a - b`, `the worst of a, b`.
fn words(aims: &[(String, f64)], worst: bool) -> String {
    let signed = |(name, weight): &(String, f64)| {
        if *weight < 0.0 { format!("-{name}") } else { name.clone() }
    };
    let names = aims.iter().map(signed).collect::<Vec<_>>().join(", ");
    let alike = aims.iter().all(|(_, weight)| (weight.abs() - aims[0].1.abs()).abs() < 1e-12);
    match (worst, alike, aims.len()) {
        (true, ..) => format!("the worst of {names}, in standard deviations of each"),
        (_, true, 1) => names,
        (_, true, _) => format!("mean of {names}"),
        _ => {
            let term = |(name, weight): &(String, f64)| format!("{weight} {name}");
            aims.iter().map(term).collect::<Vec<_>>().join(" + ").replace("+ -", "- ")
        }
    }
}

pub(super) fn run(args: &Args, context: &Context, printer: &mut Printer) -> Result<()> {
    if let (Some(mixtures), Some(scores)) = (&args.mixtures, &args.scores) {
        return table::run(args, mixtures, scores, printer);
    }
    let folder = experiment::folder(args.experiment.as_deref());
    experiment::check_experiment(&folder)?;
    let mut experiment = Experiment::open(&folder, context)?;
    if let Some(name) = &args.predictor {
        experiment.plan.predictor = only_name(name);
    }
    experiment.constraints = constraints(args.constraints.as_deref())?;
    let is_score = |name: &str| {
        let aggregates = [Target::Overall, Target::In, Target::Out];
        experiment.plan.benchmarks.iter().any(|one| one.as_str() == name)
            || aggregates.iter().any(|one| one.to_string() == name)
    };
    let aims = args.aims(is_score)?;
    let guardrails = args.rails(&aims, is_score)?;
    let asked = Asked {
        next: usize::from(args.next),
        by: args.by,
        optimizer: args.optimizer()?,
        guardrails,
        worst: args.worst,
        without: args.without.clone(),
        low: args.low.clone(),
        aims,
    };
    let (prediction, damaged) = predict(&experiment, context, &asked)?;
    for reason in damaged {
        printer.warn(format!("a run is left out: {reason}"));
    }
    if !args.pareto.is_empty() {
        let region =
            experiment.constraints().region(&prediction.datasets, Some(&experiment.supply(context)?));
        let fits = report::surfaces::fits(&prediction, &experiment.plan.predictor, &report::target)?;
        return pareto::show(&prediction, &fits, &args.pareto, &region.input()?, args.json, printer);
    }
    let best = args.out.clone().unwrap_or_else(|| Path::new(mixtures::FOLDER).join("best.json"));
    write(&folder, &best, &prediction)?;
    if args.json {
        return printer.json(&prediction);
    }
    show::prediction(&prediction, printer)?;
    printer.line(format!(
        "\nwritten: {}, {}, {}",
        folder.join(LEDGER).display(),
        folder.join(PREDICTION).display(),
        best.display()
    ))
}

/// Rebuilds the ledger from the run folders, decides as the plan and `asked` say, and writes `ledger.parquet`. Gives with
/// it why any run folder could not be read.
pub(super) fn predict(
    experiment: &Experiment,
    context: &Context,
    asked: &Asked,
) -> Result<(Prediction, Vec<String>)> {
    let plan = &experiment.plan;
    let (all, damaged) = Ledger::from_runs(&experiment.folder).failed()?;
    let damaged = damaged.iter().map(|one| one.reason.to_string()).collect();
    let hash = all.hash();
    let mut ledger = all.clone();
    // Runs of an earlier version of the plan are in the same folders.
    let specs = experiment.sweep_specs(context)?;
    let mut screened = Screened::default();
    if let Some(spec) = specs.first() {
        screened = screen(&experiment.folder, spec, &asked.without).failed()?;
        ledger = screened.apply(&ledger, spec, Part::Selection);
    }
    let named = |one: &&String| screened.left_out.iter().any(|run| run.run == **one || run.label == **one);
    if let Some(unknown) = asked.without.iter().find(|one| !named(one)) {
        return Err(Error::input(format!("no run is called `{unknown}`")).at("option `--without`"));
    }
    let protocol = specs.first().map(ledger::protocol);
    let chosen = decide::from_ledger(&ledger, &plan.train, Part::Selection, protocol.as_deref());
    let mut notes: Vec<String> = screened.notes().into_iter().chain(chosen.notes).collect();
    let low = match &asked.low {
        Some(folder) => Some(low_fidelity(folder, plan, &chosen.targets, &mut notes)?),
        None => None,
    };
    // Data need not be at hand to decide on runs that are done; then natural shares are not known.
    let supply = match experiment.supply(context) {
        Ok(supply) => Some(supply),
        Err(error) if experiment.constraints().max_passes.is_some() => return Err(error),
        Err(_) => None,
    };
    let mut guardrails = plan.objective.guardrails.clone();
    guardrails.retain(|rail| asked.guardrails.iter().all(|other| other.score != rail.score));
    guardrails.extend(asked.guardrails.iter().cloned());
    // What the plan has, and what was proposed, comes anyway: the next runs are to say something else.
    let shares = |spec: &RunSpec| chosen.datasets.iter().map(|name| spec.mixture.share(name)).collect();
    let mut pending: Vec<Vec<f64>> = specs.iter().map(shares).collect();
    pending.dedup();
    let same = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
    pending.retain(|shares| chosen.runs.iter().all(|run| !same(&run.shares, shares)));
    // The last ones, which were proposed, where they are many.
    pending.drain(..pending.len().saturating_sub(MAX_PENDING));
    let question = Question {
        datasets: &chosen.datasets,
        ledger: hash,
        runs: chosen.runs,
        left_out: screened.left_out,
        objective: objective(plan, asked, &chosen.targets)?,
        targets: chosen.targets,
        guardrails,
        constraints: experiment.constraints(),
        supply: supply.as_ref(),
        predictor: &plan.predictor,
        low: low.as_ref(),
        optimizer: asked.optimizer.as_ref(),
        n_permutations: PERMUTATIONS,
        next: (asked.by.into(), asked.next),
        pending,
        seed: plan.design.seed,
    };
    let mut prediction = decide(&question).map_err(|error| {
        let hint = notes.iter().map(String::as_str).chain(["`modo sweep` does what is missing of the plan"]);
        error.at(experiment.folder.display()).hint(hint.collect::<Vec<_>>().join("; "))
    })?;
    prediction.notes.splice(0..0, notes);
    all.write(&experiment.folder.join(LEDGER)).failed()?;
    Ok((prediction, damaged))
}

/// What the runs of the experiment in `folder` say about every target; how much transfers goes to `notes`.
fn low_fidelity(
    folder: &Path,
    plan: &Plan,
    targets: &[TargetRuns],
    notes: &mut Vec<String>,
) -> Result<TwoFidelities> {
    const OPTION: &str = "option `--low`";
    experiment::check_experiment(folder).map_err(|error| error.at(OPTION))?;
    let (ledger, damaged) = Ledger::from_runs(folder).failed()?;
    let low = decide::from_ledger(&ledger, &plan.train, Part::Selection, None);
    let lost = damaged.iter().map(|one| format!("a run is left out: {}", one.reason));
    notes.extend(low.notes.iter().cloned().chain(lost).map(|note| format!("cheaper runs: {note}")));
    let of = |target: &TargetRuns| {
        let same = |other: &&TargetRuns| (&other.name, other.decoding) == (&target.name, target.decoding);
        let found = low.targets.iter().find(same).filter(|found| !found.observations.is_empty());
        found.map(|found| found.observations.clone()).ok_or_else(|| {
            Error::input(format!("no cheaper run of these datasets was scored on `{}`", target.name))
                .at(folder.display())
                .at(OPTION)
                .hint("it must have the same datasets and benchmarks, and finished runs")
        })
    };
    let low = targets.iter().map(of).collect::<Result<Vec<_>>>()?;
    let two =
        TwoFidelities::new(&low).map_err(|error| Error::input(error).at(folder.display()).at(OPTION))?;
    let high: Vec<Vec<Observation>> = targets.iter().map(|target| target.observations.clone()).collect();
    notes.extend(targets.iter().zip(two.transfers(&high)).map(|(target, transfer)| {
        let decoding = target.decoding.map_or("", Decoding::word);
        format!("{}, {decoding}: rank correlation of cheap and dear runs {transfer:.2}", target.name)
    }));
    Ok(two)
}

/// The objective of the options where they name one, else of the plan.
fn objective(plan: &Plan, asked: &Asked, targets: &[TargetRuns]) -> Result<Objective> {
    let from = &plan.objective;
    let mut aims: Vec<(String, f64)> = asked.aims.clone();
    let mut worst = asked.worst;
    if aims.is_empty() {
        aims = from.weights.iter().map(|(name, weight)| (name.to_string(), *weight)).collect();
    }
    if aims.is_empty() && !from.worst_of.is_empty() {
        aims = from.worst_of.iter().map(|name| (name.to_string(), 1.0)).collect();
        worst = true;
    }
    if aims.is_empty() {
        let of = match from.aggregate {
            Aggregate::Overall => Target::Overall,
            Aggregate::In => Target::In,
            Aggregate::Out => Target::Out,
        };
        return Ok(Objective::Aggregate { of, decoding: from.decoding });
    }
    let takes =
        |target: &TargetRuns, name: &str| target.decoding == Some(from.decoding) && target.name == name;
    if let Some((name, _)) =
        aims.iter().find(|(name, _)| !targets.is_empty() && !targets.iter().any(|target| takes(target, name)))
    {
        let known: Vec<&str> = plan.benchmarks.iter().map(Name::as_str).collect();
        return Err(Error::input(format!("no run was scored on the benchmark `{name}`"))
            .hint(format!("there are `{}`", known.join("`, `"))));
    }
    let weight = |target: &TargetRuns| {
        aims.iter().find(|(name, _)| takes(target, name)).map_or(0.0, |(_, weight)| *weight)
    };
    let weights = targets.iter().map(weight).collect();
    let words = format!("{}, {}", words(&aims, worst), from.decoding.word());
    Ok(if worst { Objective::Worst { words, weights } } else { Objective::Weighted { words, weights } })
}

/// Writes `prediction.json` in the experiment's folder, and the mixture to `best`.
pub(super) fn write(experiment: &Path, best: &Path, prediction: &Prediction) -> Result<()> {
    let path = experiment.join(PREDICTION);
    store::write_whole(&path, &store::to_json_pretty(prediction)).at(path.display())?;
    store::write_whole(best, &decide::mixture_file(prediction).to_json()).at(best.display())
}

/// The constraints in a file.
pub(super) fn constraints(path: Option<&Path>) -> Result<Option<Constraints>> {
    let Some(path) = path else { return Ok(None) };
    let text = std::fs::read_to_string(path).input().at(path.display())?;
    let parsed =
        toml::from_str(&text).map_err(|error: toml::de::Error| Error::input(error.to_string().trim_end()));
    parsed.map(Some).at(path.display())
}

/// A `[predictor]` table without settings.
fn only_name(name: &str) -> toml::Table {
    toml::Table::from_iter([("name".to_owned(), toml::Value::from(name))])
}
