//! An experiment folder: its plan with the datasets and the base that it names, and the runs that follow from both.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use super::{
    Context,
    data::{Counter, means},
    printer::{Printer, Progress},
};
use crate::{
    data::{Catalog, DatasetConfig, Portion, Role},
    decide::{self, Prediction, same_run},
    error::{Context as _, Error, Result},
    launch::Local,
    ledger::{RunFolder, folders},
    mixture::{
        Mixture,
        constraint::{Constraints, Supply},
    },
    name::Name,
    registry::Named as _,
    run::RunSpec,
    sampler::{Dataset, MeanLength, check, source},
    store,
    sweep::{self, Confirm, Event, Observer, Outcome, Plan, Point, Sources, Sweep, Tally},
    train,
};

/// Where commands look when no experiment is named.
const DEFAULT: &str = "experiments/quickstart";
/// A catalogue beside a plan stands for the one of the current folder.
const CATALOGUE: &str = "datasets.toml";

/// A plan with everything that it names.
pub(super) struct Experiment {
    pub(super) folder: PathBuf,
    pub(super) name: Name,
    pub(super) plan: Plan,
    pub(super) catalog: Catalog,
    pub(super) base_hash: String,
    /// What stands for the plan's constraints, where something does.
    pub(super) constraints: Option<Constraints>,
    tables: BTreeMap<Name, toml::Table>,
}

/// A mixture to try that the plan does not have.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Proposed {
    /// What tables call it.
    pub(super) label: String,
    /// Its shares, in parts of a million.
    pub(super) mixture: Mixture,
}

/// The folder that was named, or the default one.
pub(super) fn folder(given: Option<&Path>) -> PathBuf {
    given.unwrap_or(Path::new(DEFAULT)).to_owned()
}

impl Experiment {
    /// Reads the plan in `folder`; the base is loaded once for its hash.
    pub(super) fn open(folder: &Path, context: &Context) -> Result<Self> {
        let mut plan = Plan::read(folder)?;
        // One run per core, unless the plan or `--threads` says otherwise.
        if plan.launcher.name == Local::NAME && !plan.launcher.settings.contains_key("workers") {
            plan.launcher.settings.insert("workers".to_owned(), (context.threads as i64).into());
        }
        let own = folder.join(CATALOGUE);
        let catalog = if own.is_file() { Catalog::read(&own)? } else { context.catalog()? };
        let place = || folder.join("plan.toml").display().to_string();
        crate::rl::algorithm::Algorithm::from_table(&plan.algorithm)
            .input()
            .at("table [algorithm]")
            .at(place())?;
        decide::method(&plan.predictor).at(place())?;
        plan.launcher().at(place())?;
        let mut tables = BTreeMap::new();
        for (key, names) in [("train", &plan.train), ("benchmarks", &plan.benchmarks)] {
            for name in names {
                tables.insert(name.clone(), catalog.table(name).at(place())?.clone());
                let role = catalog.get(name)?.role;
                // A benchmark that is trained on would have shown runs the questions that judge them.
                if (role == Role::Train) != (key == "train") {
                    let (is, other) = if role == Role::Train {
                        ("a training dataset", "train")
                    } else {
                        ("a benchmark", "benchmarks")
                    };
                    return Err(Error::input(format!("`{name}` is {is}, as its `role` says"))
                        .at(format!("key `{key}`"))
                        .at(place())
                        .hint(format!("name it in `{other}`, or give another dataset")));
                }
            }
        }
        let base_hash = if plan.base == train::UNTRAINED {
            train::UNTRAINED.to_owned()
        } else {
            train::base(&plan.base, &context.device()?).at("key `base`").at(place())?.hash
        };
        Ok(Self {
            name: Plan::experiment_name(folder)?,
            folder: folder.to_owned(),
            plan,
            catalog,
            base_hash,
            constraints: None,
            tables,
        })
    }

    /// Runs that are computed at once.
    pub(super) fn slots(&self) -> Result<usize> {
        Ok(self.plan.launcher()?.slots())
    }

    fn sources(&self) -> Sources<'_> {
        Sources { experiment: &self.name, base_hash: &self.base_hash, tables: &self.tables }
    }

    /// The constraints of the plan, or what stands for them.
    pub(super) fn constraints(&self) -> &Constraints {
        self.constraints.as_ref().unwrap_or(&self.plan.constraints)
    }

    /// Rows of each training dataset and the length of the longest run that a proposal may be used for: as the constraints
    /// say, or as it is.
    pub(super) fn supply(&self, context: &Context) -> Result<Supply> {
        if let Some(supply) = self.constraints().supply() {
            return Ok(supply);
        }
        let mut rows = BTreeMap::new();
        for name in &self.plan.train {
            let config: &DatasetConfig = self.catalog.get(name)?;
            let cache = context.cache.as_deref();
            rows.insert(
                name.clone(),
                source::open(name, config, &context.data_root, Portion::All, cache)?.len(),
            );
        }
        let full = self.plan.confirm.and_then(|confirm| confirm.steps).unwrap_or(0);
        let total_groups = self.plan.budget.steps.max(full).saturating_mul(self.plan.budget.prompts_per_step);
        Ok(Supply { rows, total_groups })
    }

    /// [`Self::supply`] where the constraints say it, or where they or the design ask for it.
    fn needed_supply(&self, context: &Context) -> Result<Option<Supply>> {
        let constraints = self.constraints();
        let natural =
            |table: &toml::Table| table.get("around").and_then(toml::Value::as_str) == Some("natural");
        let asked = constraints.supply().is_some()
            || constraints.max_passes.is_some()
            || self.plan.design.fill.iter().any(natural);
        asked.then(|| self.supply(context)).transpose()
    }

    /// Where mixtures stand that were proposed after the plan.
    pub(super) fn proposed_path(&self) -> PathBuf {
        self.folder.join("proposed.json")
    }

    /// Mixtures proposed after the plan.
    fn proposed(&self) -> Result<Vec<Proposed>> {
        let path = self.proposed_path();
        if !path.is_file() {
            return Ok(Vec::new());
        }
        let text = std::fs::read(&path).input().at(path.display())?;
        serde_json::from_slice(&text).input().at(path.display())
    }

    /// Adds the next runs of a prediction to those that a sweep does; gives those that are new.
    pub(super) fn add_proposed(&self, prediction: &Prediction, context: &Context) -> Result<Vec<Proposed>> {
        let planned: Vec<Mixture> = self.sweep_specs(context)?.into_iter().map(|spec| spec.mixture).collect();
        let mut all = self.proposed()?;
        let before = all.len();
        for next in &prediction.next {
            let shares = prediction.datasets.iter().cloned().zip(next.shares.iter().map(|s| s.max(0.0)));
            let mixture = Mixture::new(&shares.collect()).failed()?;
            if all.iter().all(|one| one.mixture != mixture) && !planned.contains(&mixture) {
                all.push(Proposed { label: format!("proposed_{:02}", all.len() + 1), mixture });
            }
        }
        let path = self.proposed_path();
        store::write_whole(&path, &store::to_json_pretty(&all)).at(path.display())?;
        Ok(all.split_off(before))
    }

    /// The runs of the sweep: those of the plan, then those proposed.
    pub(super) fn sweep_specs(&self, context: &Context) -> Result<Vec<RunSpec>> {
        let supply = self.needed_supply(context)?;
        let region = self.constraints().region(&self.plan.train, supply.as_ref()).input()?;
        let natural: Option<BTreeMap<Name, f64>> =
            supply.map(|s| s.rows.into_iter().map(|(name, rows)| (name, rows as f64)).collect());
        let mut points = sweep::points(&self.plan, |table, seed| {
            let design = sweep::build_design(table, natural.as_ref())
                .map_err(|what| Error::input(what).at("table [design], key `fill`"))?;
            Ok(design.mixtures(&region, seed).input()?.into_iter().map(|p| p.mixture).collect())
        })?;
        for Proposed { label, mixture } in self.proposed()? {
            if points.iter().all(|point| point.mixture != mixture) {
                points.push(Point { label, mixture, replicates: 1 });
            }
        }
        sweep::specs(&self.plan, self.sources(), &points)
    }

    /// `specs` with the finished runs of the folder that stand for them, and how many do: a run under another name of the
    /// experiment, or of an earlier list of datasets, which differs in datasets of no share alone, is not done again.
    pub(super) fn with_done_before(&self, mut specs: Vec<RunSpec>) -> Result<(Vec<RunSpec>, usize)> {
        let mut done = Vec::new();
        for folder in folders(&self.folder).failed()?.into_iter().flatten() {
            if let (Ok(spec), Ok(Some(_))) = (folder.spec(), folder.result()) {
                done.push(spec);
            }
        }
        let mut found = 0;
        for spec in &mut specs {
            let id = spec.id();
            if done.iter().all(|other| other.id() != id)
                && let Some(other) = done.iter().find(|other| same_run(other, spec))
            {
                // Its own label is that of an earlier plan.
                *spec = other.clone();
                found += 1;
            }
        }
        Ok((specs, found))
    }

    /// Runs with fresh seeds, scored on report questions: `seeds` of each mixture, in pairs.
    pub(super) fn confirm_specs(&self, arms: &[(&str, Mixture)]) -> Result<Vec<RunSpec>> {
        let point = |(label, mixture): &(&str, Mixture)| Point {
            label: (*label).to_owned(),
            mixture: mixture.clone(),
            replicates: 1,
        };
        sweep::confirm_specs(&self.plan, self.sources(), &arms.iter().map(point).collect::<Vec<_>>())
    }

    /// One run at the full budget on a mixture, scored on report questions.
    pub(super) fn train_spec(&self, mixture: &Mixture) -> Result<RunSpec> {
        let mut plan = self.plan.clone();
        // A plan without [confirm] scores its one run as it scores the others.
        let evaluation = plan.evaluation;
        let confirm = plan.confirm.get_or_insert(Confirm {
            seeds: 1,
            steps: None,
            questions: evaluation.questions,
            completions: evaluation.completions,
        });
        confirm.seeds = 1;
        let point = Point { label: "train".to_owned(), mixture: self.of_plan(mixture)?, replicates: 1 };
        let mut specs = sweep::confirm_specs(&plan, self.sources(), &[point])?;
        Ok(specs.remove(0))
    }

    /// A mixture may name every dataset of the catalogue; those without a share have no part in a run.
    pub(super) fn of_plan(&self, mixture: &Mixture) -> Result<Mixture> {
        let named = mixture.shares().filter(|(name, share)| *share > 0.0 || self.plan.train.contains(name));
        Mixture::new(&named.map(|(name, share)| (name.clone(), share)).collect()).input()
    }

    /// Mean lengths of the training datasets that were measured, in tokens of the base.
    pub(super) fn means(&self, context: &Context) -> Result<BTreeMap<Name, MeanLength>> {
        let counter = Counter::read(&self.plan.base)?;
        let mut datasets = Vec::new();
        for name in &self.plan.train {
            let config = self.catalog.get(name)?;
            let cache = context.cache.as_deref();
            let rows = source::open(name, config, &context.data_root, Portion::All, cache)?;
            let (content_hash, rows) = (rows.content_hash(), rows.len());
            datasets.push((Dataset { name: name.clone(), content_hash, rows }, config));
        }
        let datasets = datasets.iter().map(|(dataset, config)| (dataset, *config));
        Ok(means(datasets, Some(&counter), context))
    }

    /// Opens every dataset and benchmark and puts golds to their rewards: what each run would stumble over is said before
    /// the first one starts.
    pub(super) fn check_data(&self, context: &Context) -> Result<()> {
        for name in self.plan.train.iter().chain(&self.plan.benchmarks) {
            let config = self.catalog.get(name)?;
            let cache = context.cache.as_deref();
            let rows = source::open(name, config, &context.data_root, Portion::All, cache)?;
            check::check_rewards(name, config, rows.as_ref(), train::self_test_rows(config))?;
        }
        Ok(())
    }

    /// Does what is missing of `specs`, with a bar.
    pub(super) fn run(
        &self,
        what: &str,
        specs: Vec<RunSpec>,
        context: &Context,
        printer: &Printer,
        stop: &AtomicBool,
    ) -> Result<Outcome> {
        let done = |spec: &RunSpec| {
            let path = self.folder.join("runs").join(spec.id().as_str());
            RunFolder::open(&path).and_then(|run| run.result()).is_ok_and(|result| result.is_some())
        };
        if !specs.iter().all(done) {
            self.check_data(context)?;
        }
        let mut sweep = Sweep::new(&self.folder, &self.plan, specs, stop)?;
        // Cores are used by runs first: one thread each.
        let options = ["--threads", "1", "--device", context.processor.name()].map(Into::into);
        sweep.worker.command.splice(1..1, options.into_iter().chain(context.cache_options()));
        sweep.worker.env.push(("MODO_DATA_ROOT".to_owned(), context.data_root.display().to_string()));
        let mut bars = Bars::new(what, printer, sweep.specs.len());
        let outcome = sweep.run(&mut bars)?;
        outcome.into_result()
    }
}

/// A bar for the sweep with the runs that are being computed beside it.
struct Bars<'a> {
    printer: &'a Printer,
    bar: Progress,
    running: BTreeMap<String, String>,
}

impl<'a> Bars<'a> {
    fn new(what: &str, printer: &'a Printer, runs: usize) -> Self {
        Self { printer, bar: printer.progress(what, runs as u64), running: BTreeMap::new() }
    }

    fn show(&self, tally: Tally) {
        let mut parts: Vec<String> = self.running.values().cloned().collect();
        if tally.failed > 0 {
            parts.push(format!("{} failed", tally.failed));
        }
        self.bar.set(tally.done as u64, parts.join(", "));
    }
}

impl Observer for Bars<'_> {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Planned(tally) | Event::Tick(tally) => self.show(*tally),
            Event::Started { run, .. } | Event::Found { run } => {
                self.running.insert(run.run.to_string(), run.spec.label.clone());
            }
            Event::Step { run, step, reward } => {
                let reward = reward.map_or_else(String::new, |r| format!(" reward {r:.2}"));
                let text = format!("{} {step}/{}{reward}", run.spec.label, run.spec.budget.steps);
                self.running.insert(run.run.to_string(), text);
            }
            Event::Finished { run, .. } => {
                self.running.remove(run.run.as_str());
            }
            Event::Failed { run, reason, log, again } => {
                self.running.remove(run.run.as_str());
                let then = if *again { "it is tried again" } else { "given up" };
                self.printer.warn(format!(
                    "run {} ({}): {reason}; {then}\n  in {}",
                    run.run,
                    run.spec.label,
                    log.display()
                ));
            }
            Event::Stopping => self.printer.note("stopping: waiting for the runs to save where they are"),
        }
    }
}

/// Refuses a folder without a plan, with a hint.
pub(super) fn check_experiment(folder: &Path) -> Result<()> {
    if folder.join("plan.toml").is_file() {
        return Ok(());
    }
    Err(Error::input(format!("there is no experiment in {}", folder.display()))
        .at(folder.join("plan.toml").display())
        .hint("`modo quickstart` makes one; experiments/ has others"))
}
