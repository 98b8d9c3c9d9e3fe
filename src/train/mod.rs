//! One `RunSpec` in, one `RunRecord` out.
//!
//! `grpo` holds MAYE's four steps as four functions; `sft` makes the base that they start from. Both go through the loop
//! below: draw, update, record, checkpoint, and at the end score.

mod checkpoint;
mod grpo;
mod metrics;
pub mod optimizer;
mod sft;
mod trial;
mod warm_up;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use burn::tensor::Device;
use serde_json::{Value, json};

use crate::{
    data::{DatasetConfig, Portion, Role, Source},
    error::{Context, Error, Result},
    eval::{self, BadBenchmark, Benchmark, Origin},
    ledger::Attempt,
    model::{
        Model,
        features::{FeatureStore, Limits},
        nano,
    },
    name::Name,
    reward::Reward,
    rl::algorithm::{self, Algorithm},
    run::{self, Cost, Domain, Evaluation, MixtureChange, Part, Realised, RunRecord, RunSpec},
    sample::Rows,
    sampler::{self, Schedule, check, source},
    seed::Seed,
    store,
    tasks::{self, Generator},
};
use checkpoint::{Groups, State};
use metrics::Metrics;
use optimizer::{Optimizer, Workers};
pub use trial::trial;

/// Means that a run starts from random weights and a tokenizer learnt from its own datasets.
pub const UNTRAINED: &str = "untrained";
/// AdamW's epsilon, the paper's (arXiv:2505.24871, section 5).
const EPSILON: f64 = 1e-8;
/// Between checkpoints, where nobody asks for another interval.
pub const CHECKPOINT_EVERY: Duration = Duration::from_secs(30);
/// Rows of a dataset in files whose golds are put to the reward before a run starts, evenly spread: all of most
/// benchmarks, and what can be read in about a second of the others; `modo data check` puts all of them.
const SELF_TEST_ROWS: u64 = 2000;
/// The same for a generated dataset: its golds are right by construction, and drawing its pictures takes time.
const SELF_TEST_GENERATED: u64 = 32;
/// Tokens per completion when a supervised run is scored; none of the embedded answers needs as many.
const SFT_MAX_NEW_TOKENS: usize = 64;
/// Texts per dataset that the tokenizer of an untrained base is learnt from.
const TOKENIZER_ROWS: u64 = 400;

/// Everything around a spec that does not change its result.
pub struct Surroundings<'a> {
    /// What the files of datasets are relative to.
    pub data_root: &'a Path,
    /// Threads; the result does not depend on them.
    pub threads: usize,
    /// Where the model computes.
    pub device: Device,
    /// Set when the run should stop at the next step.
    pub stop: &'a AtomicBool,
    /// A folder for the indexes of datasets in files; without one every run reads them through.
    pub indexes: Option<&'a Path>,
    /// A folder that runs of an experiment share for the features of pictures.
    pub features: Option<&'a Path>,
    /// Time between two checkpoints, see [`CHECKPOINT_EVERY`]; one is written after a step, at zero after every step.
    pub checkpoint_every: Duration,
}

/// A training dataset, opened.
pub(crate) struct Dataset {
    name: Name,
    config: DatasetConfig,
    reward: Reward,
    rows: Box<dyn Rows>,
}

/// The training datasets with the order of their draws.
pub(crate) struct Datasets {
    all: Vec<Dataset>,
    schedule: Schedule,
}

impl Datasets {
    /// Opens what the spec names and checks that rewards and golds fit each other.
    fn open(spec: &RunSpec, around: &Surroundings) -> Result<Self> {
        let mut all = Vec::new();
        for (name, table) in &spec.datasets {
            let config = DatasetConfig::from_table(name, table.clone())?;
            let rows = source::open(name, &config, around.data_root, Portion::All, around.indexes)?;
            let reward = check::reward(name, &config)?;
            check::check_rewards(name, &config, rows.as_ref(), self_test_rows(&config))?;
            all.push(Dataset { name: name.clone(), config, reward, rows });
        }
        let order: Vec<sampler::Dataset> = all
            .iter()
            .map(|d| sampler::Dataset {
                name: d.name.clone(),
                content_hash: d.rows.content_hash(),
                rows: d.rows.len(),
            })
            .collect();
        let limits = all.iter().filter_map(|d| Some((d.name.clone(), d.config.limit.clone()?))).collect();
        for what in source::shared(&order, all.iter().map(|d| (&d.name, &d.config))) {
            tracing::warn!("{what}");
        }
        let step = spec.budget.prompts_per_step;
        let settings = sampler::Settings { draw: spec.draw, step, limits, otherwise: None };
        let seed = Seed::new(spec.draw_seed);
        let mut schedule = Schedule::new(&spec.mixture, &order, seed, &settings).input()?;
        for MixtureChange { after, mixture } in &spec.changes {
            let reason = format!("planned after step {after}");
            let (start, added) = (after.saturating_mul(step), Vec::new());
            let change = sampler::Change { start, mixture: mixture.clone(), added, reason };
            schedule.change(&change, 0).input().at(format!("the change after step {after}"))?;
        }
        let draws = spec.budget.steps.saturating_mul(step);
        if let Some(end) = schedule.end().filter(|end| end.n < draws) {
            let what = format!("the run takes {draws} prompt groups and the schedule ends before: {end}");
            return Err(Error::input(what).hint(
                "train fewer steps, or let the dataset go on, in datasets.toml: a larger `max_passes`, or \
                 `then = \"renormalise\"` or `then = \"hand_to=NAME\"`",
            ));
        }
        Ok(Self { all, schedule })
    }

    fn rows(&self) -> Vec<&dyn Rows> {
        self.all.iter().map(|d| d.rows.as_ref()).collect()
    }
}

/// How many golds of a dataset are put to its reward before a run starts, at most.
pub fn self_test_rows(config: &DatasetConfig) -> u64 {
    match config.source {
        Source::Files(_) => SELF_TEST_ROWS,
        Source::Task { .. } => SELF_TEST_GENERATED,
    }
}

/// Loads the checkpoint that a spec or a command names: the embedded nano base, or a folder.
pub fn base(name: &str, device: &Device) -> Result<Model> {
    if name == "nano" {
        return nano::embedded(device).failed();
    }
    let folder = Path::new(name);
    if !folder.is_dir() {
        return Err(Error::input(format!("there is no checkpoint folder `{name}`"))
            .hint("give a folder with config.json and model.safetensors, or `nano` for the embedded base"));
    }
    Model::load(folder, device).input().at(folder.display())
}

/// Trains and scores one run; the result is committed through `attempt` by the caller.
pub fn run(spec: &RunSpec, attempt: &Attempt, around: &Surroundings) -> Result<(RunRecord, Model)> {
    let clock = Clock::start();
    let workers = Workers::new(around.threads);
    let algorithm = Algorithm::from_table(&spec.algorithm).input().at("the spec, table [algorithm]")?;
    let datasets = Datasets::open(spec, around)?;
    // What the order of draws is made of, limits that are reached included.
    let schedule = attempt.path().join("schedule.json");
    store::write_whole(&schedule, &store::to_json_pretty(&datasets.schedule.record()))
        .at(schedule.display())?;
    let seed = Seed::new(spec.seed);
    let generators = match &algorithm {
        Algorithm::Sft(_) => generators(&datasets)?,
        Algorithm::Grpo(_) => Vec::new(),
    };
    let mut model = if spec.base == UNTRAINED {
        let folder = attempt.path().join("untrained");
        let texts = warm_up::texts(&generators, TOKENIZER_ROWS);
        nano::create(&folder, texts, seed.child("base"), &around.device).failed()?
    } else {
        base(&spec.base, &around.device)?
    };
    if spec.base != UNTRAINED && model.hash != spec.base_hash {
        return Err(Error::input(format!(
            "the base `{}` is not the one this run was planned with",
            spec.base
        ))
        .at(format!("hash {}, planned {}", model.hash, spec.base_hash))
        .hint("plan the experiment again with this base"));
    }
    let features = feature_store(&model, around)?;
    // Before the loop: a benchmark that cannot be scored must not cost a whole training.
    let before = clock.cpu_s();
    let benchmarks = open_benchmarks(spec, &model, &features, &workers, around)?;
    let opening_cpu_s = clock.cpu_s() - before;
    let job = Loop { spec, attempt, around, workers: &workers, seed, clock: &clock };
    let mut state = match &algorithm {
        Algorithm::Grpo(algorithm) => job.grpo(algorithm, &mut model, &datasets, &features)?,
        Algorithm::Sft(algorithm) => job.sft(algorithm, &mut model, &datasets, &generators)?,
    };
    // A tower that was trained makes other features than those of the base.
    let features = match &algorithm {
        Algorithm::Grpo(_) => features,
        Algorithm::Sft(_) => FeatureStore::new(&model, Limits::default()),
    };
    let max_new_tokens = max_new_tokens(&algorithm);
    let before = clock.cpu_s();
    let scores = score(spec, &benchmarks, &model, &features, max_new_tokens, &workers, around)?;
    let evaluation_cpu_s = opening_cpu_s + clock.cpu_s() - before;
    state.cpu_s += clock.cpu_s();
    let weights = crate::model::weights::to_safetensors(&model.network.named(), false);
    let record = RunRecord {
        schema: run::SCHEMA,
        run: spec.id(),
        scores,
        realised: realised(&datasets, &state.groups),
        cost: Cost {
            cpu_s: state.cpu_s,
            wall_s: clock.start.elapsed().as_secs_f64(),
            peak_mib: peak_mib(),
            evaluation_cpu_s,
        },
        weights_hash: store::short_hash(&weights),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    Ok((record, model))
}

/// Scores the base of a spec as its runs are scored.
pub fn score_base(spec: &RunSpec, around: &Surroundings) -> Result<Vec<run::BenchmarkScore>> {
    let algorithm = Algorithm::from_table(&spec.algorithm).input().at("the spec, table [algorithm]")?;
    let model = base(&spec.base, &around.device)?;
    let features = feature_store(&model, around)?;
    let workers = Workers::new(around.threads);
    let benchmarks = open_benchmarks(spec, &model, &features, &workers, around)?;
    score(spec, &benchmarks, &model, &features, max_new_tokens(&algorithm), &workers, around)
}

fn feature_store(model: &Model, around: &Surroundings) -> Result<FeatureStore> {
    let Some(folder) = around.features else { return Ok(FeatureStore::new(model, Limits::default())) };
    let path = folder.join(format!("features-{}.bin", model.hash));
    std::fs::create_dir_all(folder).at(folder.display())?;
    FeatureStore::on_disk(model, Limits::default(), &path).at(path.display())
}

fn max_new_tokens(algorithm: &Algorithm) -> usize {
    match algorithm {
        Algorithm::Grpo(grpo) => grpo.settings().max_new_tokens,
        Algorithm::Sft(_) => SFT_MAX_NEW_TOKENS,
    }
}

/// The benchmarks of a spec with the questions that are asked; they depend on the model's tokenizer and sizes alone, so
/// that training it changes none of them.
fn open_benchmarks(
    spec: &RunSpec,
    model: &Model,
    features: &FeatureStore,
    workers: &Workers,
    around: &Surroundings,
) -> Result<Vec<Benchmark>> {
    let open = |(name, table)| {
        let benchmark = open_benchmark(name, table, &spec.evaluation, model, features, workers, around)?;
        let (replaced, listed) = &benchmark.skipped;
        if let Some(first) = listed.first() {
            tracing::warn!(
                "benchmark `{name}`: {replaced} rows could not be asked or judged and others took their places, \
                 where there were any; the first: {first}"
            );
        }
        Ok(benchmark)
    };
    spec.benchmarks.iter().map(open).collect()
}

/// Scores a model on benchmarks.
fn score(
    spec: &RunSpec,
    benchmarks: &[Benchmark],
    model: &Model,
    features: &FeatureStore,
    max_new_tokens: usize,
    workers: &Workers,
    around: &Surroundings,
) -> Result<Vec<run::BenchmarkScore>> {
    let mut scores = Vec::new();
    for benchmark in benchmarks {
        let seed = Seed::new(spec.seed).child("evaluation");
        let parallel = |n: usize, work: &(dyn Fn(usize) + Sync)| workers.each(n, work);
        let stop = around.stop;
        let evaluated = eval::evaluate(
            model,
            features,
            benchmark,
            &spec.evaluation,
            max_new_tokens,
            seed,
            &parallel,
            stop,
        );
        match evaluated {
            Ok(evaluated) => scores.extend(evaluated.into_iter().map(|e| e.score)),
            Err(BadBenchmark::Interrupted) => return Err(Error::interrupted()),
            Err(bad) => return Err(Error::failed(bad)),
        }
    }
    Ok(scores)
}

fn open_benchmark(
    name: &Name,
    table: &toml::Table,
    evaluation: &Evaluation,
    model: &Model,
    features: &FeatureStore,
    workers: &Workers,
    around: &Surroundings,
) -> Result<Benchmark> {
    let config = DatasetConfig::from_table(name, table.clone())?;
    let portion = match evaluation.part {
        Part::Selection => Portion::Selection,
        Part::Report => Portion::Report,
    };
    let domain = match config.role {
        Role::InDomain => Domain::InDomain,
        Role::OutOfDomain => Domain::OutOfDomain,
        Role::Train => {
            return Err(Error::input(format!("`{name}` is a training dataset, not a benchmark"))
                .hint("its role in datasets.toml would have to be `in_domain` or `out_of_domain`"));
        }
    };
    let rows = source::open(name, &config, around.data_root, portion, around.indexes)?;
    let reward = check::reward(name, &config)?;
    check::check_rewards(name, &config, rows.as_ref(), self_test_rows(&config))?;
    let origin = Origin { name, domain, config: &config, rows: rows.as_ref(), reward };
    let parallel = |n: usize, work: &(dyn Fn(usize) + Sync)| workers.each(n, work);
    Benchmark::open(origin, evaluation, model, features, &parallel).input()
}

/// The problems behind generated datasets: supervised learning needs their captions and rationales.
fn generators(datasets: &Datasets) -> Result<Vec<Generator>> {
    let of = |dataset: &Dataset| match &dataset.config.source {
        Source::Task { name, rows, seed, .. } => {
            Generator::new(name, tasks::Part::Train, Seed::new(*seed), *rows).input()
        }
        Source::Files(_) => Err(Error::input(format!(
            "`sft` learns from generated datasets, and `{}` is files",
            dataset.name
        ))
        .hint("rationales and captions are known for generated problems only")),
    };
    datasets.all.iter().map(of).collect()
}

/// The parts that both loops share.
struct Loop<'a> {
    spec: &'a RunSpec,
    attempt: &'a Attempt,
    around: &'a Surroundings<'a>,
    workers: &'a Workers,
    seed: Seed,
    clock: &'a Clock,
}

impl Loop<'_> {
    fn grpo(
        &self,
        grpo: &algorithm::Grpo,
        model: &mut Model,
        datasets: &Datasets,
        features: &FeatureStore,
    ) -> Result<State> {
        let s = grpo.settings();
        let base = model.network.clone();
        let muon = s.optimizer == algorithm::Optimizer::Muon;
        let settings = optimizer::Settings {
            betas: (s.betas[0], s.betas[1]),
            epsilon: EPSILON,
            weight_decay: s.weight_decay,
            max_gradient_norm: s.max_gradient_norm,
            muon,
        };
        let steps = self.spec.budget.steps;
        let prompts = self.spec.budget.prompts_per_step;
        self.steps(model, Optimizer::new(settings, false), steps, |model, optimizer, state| {
            let step = state.step;
            let mut timer = Timer::start();
            let drawn = grpo::data_flow(
                model,
                features,
                datasets,
                step * prompts..(step + 1) * prompts,
                self.seed.child("rollout"),
                self.workers,
            )?;
            timer.mark("data_flow");
            let groups = grpo::response_collection(model, datasets, &drawn, grpo, self.workers);
            timer.mark("response_collection");
            let trajectories = grpo::trajectory_generation(&base, &drawn, groups, grpo, self.workers);
            timer.mark("trajectory_generation");
            let rate = grpo.rate(step, steps);
            let mut line = grpo::record(datasets, &drawn, &trajectories, &mut state.groups);
            for update in 0..s.updates_per_batch {
                // Later updates on one batch are off-policy.
                let on_policy = s.updates_per_batch == 1;
                let network = &model.network;
                let (gradients, metrics) = grpo::policy_update(
                    network,
                    datasets,
                    &drawn,
                    &trajectories,
                    grpo,
                    on_policy,
                    self.workers,
                );
                let norm = optimizer.step(
                    &mut model.network,
                    gradients,
                    s.learning_rate * rate,
                    s.muon_learning_rate * rate,
                    self.workers,
                );
                if !norm.is_finite() {
                    let batch = grpo::dump(datasets, &drawn, &trajectories);
                    return Err(self.not_finite(batch, model, optimizer, state));
                }
                if update + 1 == s.updates_per_batch {
                    metrics.write(&mut line);
                    line["gradient_norm"] = json!(norm);
                }
            }
            timer.mark("policy_update");
            grpo::realised_shares(datasets, &state.groups, &mut line);
            line["learning_rate"] = json!(s.learning_rate * rate);
            line["seconds"] = timer.json();
            Ok(line)
        })
    }

    fn sft(
        &self,
        sft: &algorithm::Sft,
        model: &mut Model,
        datasets: &Datasets,
        generators: &[Generator],
    ) -> Result<State> {
        let s = sft.settings();
        if self.spec.budget.steps != sft.steps() || self.spec.budget.prompts_per_step != s.batch as u64 {
            return Err(Error::input(format!(
                "the stages take {} steps of {} samples, and the budget has {} of {}",
                sft.steps(),
                s.batch,
                self.spec.budget.steps,
                self.spec.budget.prompts_per_step
            ))
            .at("the plan, tables [algorithm] and [budget]"));
        }
        let settings = optimizer::Settings {
            betas: (s.betas[0], s.betas[1]),
            epsilon: EPSILON,
            weight_decay: s.weight_decay,
            max_gradient_norm: s.max_gradient_norm,
            muon: s.optimizer == algorithm::Optimizer::Muon,
        };
        self.steps(model, Optimizer::new(settings, true), sft.steps(), |model, optimizer, state| {
            let step = state.step;
            let mut timer = Timer::start();
            let first = step * s.batch as u64;
            let draws = (first..first + s.batch as u64)
                .map(|n| datasets.schedule.draw(n).map(|d| (d.dataset, d.row)).failed())
                .collect::<Result<Vec<_>>>()?;
            let (gradients, losses) =
                sft::step(model, sft, generators, &draws, step, self.seed, self.workers)?;
            let rate = sft.rate(step);
            let norm = optimizer.step(
                &mut model.network,
                gradients,
                s.learning_rate * rate,
                s.muon_learning_rate * rate,
                self.workers,
            );
            if !norm.is_finite() {
                let name = |dataset: usize| &datasets.all[dataset].name;
                let batch = (first..).zip(&draws);
                let batch = batch.map(|(n, (d, row))| json!({"draw": n, "dataset": name(*d), "row": row}));
                return Err(self.not_finite(batch.collect(), model, optimizer, state));
            }
            for (dataset, _) in &draws {
                // No rewards in supervised learning: only how much of each dataset there was.
                let groups = state.groups.entry(datasets.all[*dataset].name.clone()).or_default();
                groups.rewards.push(0.0);
            }
            timer.mark("step");
            Ok(json!({
                "loss": losses.all,
                "loss_by_form": losses.by_form,
                "gradient_norm": norm,
                "learning_rate": s.learning_rate * rate,
                "stage": sft.stage(step).name,
                "seconds": timer.json(),
            }))
        })
    }

    /// From the furthest checkpoint to the end: step, line of metrics, checkpoint from time to time and at the end.
    fn steps(
        &self,
        model: &mut Model,
        mut optimizer: Optimizer,
        steps: u64,
        mut step: impl FnMut(&mut Model, &mut Optimizer, &mut State) -> Result<Value>,
    ) -> Result<State> {
        let mut state = checkpoint::restore(self.attempt.run(), model, &mut optimizer);
        let cpu_before = state.cpu_s;
        let mut metrics = Metrics::create(self.attempt.path()).at(self.attempt.path().display())?;
        let mut saved = Instant::now();
        while state.step < steps {
            let line = step(model, &mut optimizer, &mut state)?;
            state.step += 1;
            let mut whole = json!({ "step": state.step });
            if let (Some(whole), Value::Object(line)) = (whole.as_object_mut(), line) {
                whole.extend(line);
            }
            metrics.step(state.step, &whole).at(self.attempt.path().display())?;
            let stopping = self.around.stop.load(Ordering::Relaxed) || self.attempt.is_superseded();
            // Scoring may be stopped too. What a short run would lose costs less than a checkpoint.
            let ends = state.step == steps && self.clock.start.elapsed() >= self.around.checkpoint_every;
            if stopping || ends || saved.elapsed() >= self.around.checkpoint_every {
                state.cpu_s = cpu_before + self.clock.cpu_s();
                checkpoint::write(self.attempt.path(), model, &optimizer, &state)?;
                saved = Instant::now();
            }
            if stopping && state.step < steps {
                return Err(Error::interrupted());
            }
        }
        state.cpu_s = cpu_before;
        Ok(state)
    }

    /// Stops the run at the step that `state` has not done, and keeps all that is needed to look at it again. The same
    /// spec would come to the same step, so that trying again cannot help.
    fn not_finite(&self, batch: Value, model: &Model, optimizer: &Optimizer, state: &State) -> Error {
        let (step, seed) = (state.step + 1, self.seed.bits());
        let folder = self.attempt.path().join(format!("not-finite-{step}"));
        let batch = json!({
            "step": step,
            "updates_done": optimizer.steps(),
            "seed": self.spec.seed,
            "seed_bits": format!("{seed:016x}"),
            "draw_seed": self.spec.draw_seed,
            "batch": batch,
        });
        let saved = store::write_whole(&folder.join("batch.json"), &store::to_json_pretty(&batch))
            .failed()
            .and_then(|()| checkpoint::write_folder(&folder, model, optimizer, state));
        let place = match saved {
            Ok(()) => format!("batch, weights and optimizer are in {}", folder.display()),
            Err(e) => format!("the batch could not be saved: {e}"),
        };
        Error::input(format!("the gradient of step {step} is not a finite number"))
            .at(place)
            .hint("try a lower learning rate")
    }
}

fn realised(datasets: &Datasets, groups: &BTreeMap<Name, Groups>) -> BTreeMap<Name, Realised> {
    let mean = |values: &[f64]| {
        if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
    };
    datasets
        .all
        .iter()
        .map(|dataset| {
            let of = groups.get(&dataset.name).cloned().unwrap_or_default();
            let n = of.rewards.len();
            let fifth = n.div_ceil(5);
            let reasons = |groups: &[BTreeMap<String, u64>]| {
                let mut sum = BTreeMap::<String, u64>::new();
                for (reason, count) in groups.iter().flatten() {
                    *sum.entry(reason.clone()).or_default() += count;
                }
                sum
            };
            // An earlier version's checkpoint has counted from where it was taken up only.
            let counted = if of.reasons.len() == n { of.reasons.as_slice() } else { &[] };
            let fifths = fifth.min(counted.len());
            let realised = Realised {
                groups: n as u64,
                passes: n as f64 / dataset.rows.len() as f64,
                replaced: of.replaced,
                all_right: of.all_right as f64 / n.max(1) as f64,
                all_wrong: of.all_wrong as f64 / n.max(1) as f64,
                equal_rewards: (of.equal_rewards.len() == n).then(|| {
                    of.equal_rewards.iter().filter(|equal| **equal).count() as f64 / n.max(1) as f64
                }),
                reward_first: mean(&of.rewards[..fifth]),
                reward_last: mean(&of.rewards[n - fifth..]),
                reasons: [reasons(&counted[..fifths]), reasons(&counted[counted.len() - fifths..])],
            };
            (dataset.name.clone(), realised)
        })
        .collect()
}

/// Seconds of the parts of a step.
struct Timer {
    start: Instant,
    last: Instant,
    parts: serde_json::Map<String, Value>,
}

impl Timer {
    fn start() -> Self {
        let now = Instant::now();
        Self { start: now, last: now, parts: serde_json::Map::new() }
    }

    fn mark(&mut self, part: &str) {
        self.parts.insert(part.to_owned(), json!(self.last.elapsed().as_secs_f64()));
        self.last = Instant::now();
    }

    /// The parts and their `total`, up to now.
    fn json(mut self) -> Value {
        self.parts.insert("total".to_owned(), json!(self.start.elapsed().as_secs_f64()));
        Value::Object(self.parts)
    }
}

/// CPU and wall time since the run began.
struct Clock {
    start: Instant,
    cpu_at_start: f64,
}

impl Clock {
    fn start() -> Self {
        Self { start: Instant::now(), cpu_at_start: process_cpu_s() }
    }

    fn cpu_s(&self) -> f64 {
        process_cpu_s() - self.cpu_at_start
    }
}

fn process_cpu_s() -> f64 {
    use nix::sys::{resource, time::TimeValLike};
    let seconds = |usage: resource::Usage| {
        (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64 / 1e6
    };
    resource::getrusage(resource::UsageWho::RUSAGE_SELF).map_or(0.0, seconds)
}

fn peak_mib() -> f64 {
    use nix::sys::resource;
    // Linux counts in KiB, macOS in bytes.
    let unit = if cfg!(target_os = "macos") { 1024.0 * 1024.0 } else { 1024.0 };
    resource::getrusage(resource::UsageWho::RUSAGE_SELF).map_or(0.0, |usage| usage.max_rss() as f64 / unit)
}
