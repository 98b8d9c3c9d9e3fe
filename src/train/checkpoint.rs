//! Everything a run needs to go on: weights, optimizer, position and records, whole or not at all.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::optimizer::Optimizer;
use crate::{
    error::{Context, Error, Result},
    ledger::RunFolder,
    model::{
        Model,
        weights::{Checkpoint, Named, Source, to_safetensors},
    },
    name::Name,
    store,
};

const WEIGHTS: &str = "model.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const STATE: &str = "state.json";
const COMPLETE: &str = "COMPLETE";

/// Checkpoints that an attempt keeps: where the last one is damaged, the one before it stands in.
const KEPT: usize = 2;

/// What a run knows beside weights and moments.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    /// Steps done, each on one batch of prompt groups.
    pub(super) step: u64,
    /// Updates that the optimizer has made: several per step where a batch is used more than once, and what its bias
    /// correction goes by. Checkpoints of earlier versions leave it out; theirs is one per step.
    #[serde(default)]
    pub(super) updates: Option<u64>,
    /// What happened to the groups of each dataset.
    pub(super) groups: BTreeMap<Name, Groups>,
    /// CPU seconds of this and earlier attempts.
    pub(super) cpu_s: f64,
}

/// The groups of one dataset, in their order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Groups {
    /// Mean reward of each group.
    pub(super) rewards: Vec<f64>,
    /// Groups whose answers were all right.
    pub(super) all_right: u64,
    /// Groups whose answers were all wrong.
    pub(super) all_wrong: u64,
    /// Of each group, whether its rewards were all equal; shorter than `rewards` in checkpoints of earlier versions.
    #[serde(default)]
    pub(super) equal_rewards: Vec<bool>,
    /// Rows that could not be read and were replaced.
    pub(super) replaced: u64,
    /// Completions of each group by what came of them; shorter than `rewards` in checkpoints of earlier versions.
    #[serde(default)]
    pub(super) reasons: Vec<BTreeMap<String, u64>>,
}

/// Writes a checkpoint of an attempt and drops those before the last [`KEPT`].
pub(super) fn write(attempt: &Path, model: &Model, optimizer: &Optimizer, state: &State) -> Result<()> {
    write_folder(&attempt.join(format!("checkpoint-{}", state.step)), model, optimizer, state)?;
    let mut all: Vec<(u64, PathBuf)> = fs::read_dir(attempt)
        .at(attempt.display())?
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((path.file_name()?.to_str()?.strip_prefix("checkpoint-")?.parse().ok()?, path))
        })
        .collect();
    all.sort_by_key(|(step, _)| Reverse(*step));
    for (_, old) in all.into_iter().skip(KEPT) {
        // A leftover costs space only; the next checkpoint tries again.
        let _ = fs::remove_dir_all(old);
    }
    Ok(())
}

/// Writes the files of a checkpoint, and last of all what makes it one.
pub(super) fn write_folder(folder: &Path, model: &Model, optimizer: &Optimizer, state: &State) -> Result<()> {
    let state = State { updates: Some(optimizer.steps() as u64), ..state.clone() };
    let files = [
        (WEIGHTS, to_safetensors(&model.network.named(), false)),
        (OPTIMIZER, to_safetensors(&optimizer.named(), false)),
        (STATE, store::to_json_pretty(&state)),
    ];
    let mut hashes = BTreeMap::new();
    for (name, bytes) in &files {
        store::write_whole(&folder.join(name), bytes).at(folder.display())?;
        hashes.insert(*name, store::short_hash(bytes));
    }
    store::write_whole(&folder.join(COMPLETE), &store::to_json_pretty(&hashes)).at(folder.display())
}

/// Restores the furthest checkpoint of any attempt that is what was written; damaged ones are named and passed over,
/// and none leaves all as it is.
pub(super) fn restore(folder: &RunFolder, model: &mut Model, optimizer: &mut Optimizer) -> State {
    for found in folder.checkpoints() {
        match restore_one(&found.path, model, optimizer) {
            Ok(state) => return state,
            Err(error) => tracing::warn!("a checkpoint is passed over: {error}"),
        }
    }
    State::default()
}

/// All of a checkpoint, or an error and nothing of it.
fn restore_one(folder: &Path, model: &mut Model, optimizer: &mut Optimizer) -> Result<State> {
    let mut files = read(folder)?;
    let mut file = |name: &str| files.remove(name).expect("every file was read");
    let state: State = serde_json::from_slice(&file(STATE)).at(folder.join(STATE).display())?;
    let mut weights = Checkpoint::from_bytes(WEIGHTS, file(WEIGHTS)).at(folder.display())?;
    let wanted: Vec<Named> = model.network.named();
    let values = wanted
        .iter()
        .map(|t| weights.take(&t.name, &t.shape))
        .collect::<Result<Vec<_>, _>>()
        .at(folder.join(WEIGHTS).display())?;
    let mut moments = Checkpoint::from_bytes(OPTIMIZER, file(OPTIMIZER)).at(folder.display())?;
    let updates = state.updates.unwrap_or(state.step) as usize;
    optimizer.restore(&mut model.network, updates, &mut moments).at(folder.join(OPTIMIZER).display())?;
    model.network.set(values);
    Ok(state)
}

fn read(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let manifest = fs::read(folder.join(COMPLETE)).at(folder.join(COMPLETE).display())?;
    let hashes: BTreeMap<String, String> =
        serde_json::from_slice(&manifest).at(folder.join(COMPLETE).display())?;
    let mut files = BTreeMap::new();
    for name in [WEIGHTS, OPTIMIZER, STATE] {
        let bytes = fs::read(folder.join(name)).at(folder.join(name).display())?;
        if hashes.get(name) != Some(&store::short_hash(&bytes)) {
            return Err(Error::failed("the file is not what was written")).at(folder.join(name).display());
        }
        files.insert(name.to_owned(), bytes);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::{
        ledger::Attempt,
        model::nano,
        run::{Budget, Evaluation, Part, RunSpec, SCHEMA},
        seed::Seed,
        train::optimizer::{Settings, Workers},
    };

    #[test]
    fn a_checkpoint_with_any_file_flipped_or_cut_gives_way_to_the_one_before_it() {
        let world = World::new();
        let (first, second) = (world.write(1, 0.5), world.write(2, 0.25));
        assert_eq!(world.restored(), (second.0, second.1.clone()));
        let folder = world.attempt.path().join("checkpoint-2");
        for name in [WEIGHTS, OPTIMIZER, STATE, COMPLETE] {
            let path = folder.join(name);
            let whole = fs::read(&path).unwrap();
            let mut damaged: Vec<Vec<u8>> = [0, 1, whole.len() / 2, whole.len() - 2]
                .into_iter()
                .map(|length| whole[..length].to_vec())
                .collect();
            damaged.extend([0, 7, whole.len() / 3, whole.len() / 2, whole.len() - 3].map(|at| {
                let mut bytes = whole.clone();
                bytes[at] ^= 4;
                bytes
            }));
            for bytes in damaged {
                fs::write(&path, &bytes).unwrap();
                assert_eq!(world.restored(), (first.0, first.1.clone()), "{name}, {} bytes", bytes.len());
            }
            fs::remove_file(&path).unwrap();
            assert_eq!(world.restored(), (first.0, first.1.clone()), "{name} is missing");
            fs::write(&path, &whole).unwrap();
        }
        assert_eq!(world.restored(), second);
    }

    #[test]
    fn where_no_checkpoint_is_whole_the_run_begins_anew() {
        let world = World::new();
        world.write(1, 0.5);
        fs::write(world.attempt.path().join("checkpoint-1").join(WEIGHTS), b"").unwrap();
        assert_eq!(world.restored(), (0, world.begin.clone()));
    }

    #[test]
    fn an_attempt_keeps_two_checkpoints() {
        let world = World::new();
        for step in [8, 9, 10, 11] {
            world.write(step, step as f32);
        }
        let mut steps: Vec<u64> = world.folder().checkpoints().iter().map(|c| c.step).collect();
        steps.sort_unstable();
        assert_eq!(steps, [10, 11]);
    }

    #[test]
    fn the_updates_of_a_step_that_used_its_batch_twice_are_counted() {
        let world = World::new();
        let mut optimizer = adamw();
        let mut model = world.model();
        for _ in 0..4 {
            update(&mut optimizer, &mut model);
        }
        write(world.attempt.path(), &model, &optimizer, &State { step: 2, ..State::default() }).unwrap();
        let mut resumed = (adamw(), world.model());
        let state = restore(world.folder(), &mut resumed.1, &mut resumed.0);
        assert_eq!((state.step, resumed.0.steps()), (2, 4));
        update(&mut optimizer, &mut model);
        update(&mut resumed.0, &mut resumed.1);
        assert_eq!(weights(&model), weights(&resumed.1));
        assert_eq!(optimizer.named(), resumed.0.named());
    }

    /// One step along the parameters themselves: the norm of none of them is 0.
    fn update(optimizer: &mut Optimizer, model: &mut Model) {
        let workers = Workers::new(1);
        let (gradients, _) = workers.gradients(&model.network, false, &[()], |network, ()| {
            (network.model.embedding().powf_scalar(2.0).sum(), ())
        });
        optimizer.step(&mut model.network, gradients, 1e-3, 1e-3, &workers);
    }

    /// A run with one attempt, and the model it begins with.
    struct World {
        _guard: tempfile::TempDir,
        base: PathBuf,
        attempt: Attempt,
        begin: String,
    }

    impl World {
        fn new() -> Self {
            let guard = tempfile::tempdir().unwrap();
            let base = guard.path().join("base");
            let texts = ["how high is the red bar".to_owned()].into_iter();
            nano::create(&base, texts, Seed::new(1), &Device::flex()).unwrap();
            let model = Model::load(&base, &Device::flex()).unwrap();
            let attempt = RunFolder::create(guard.path(), &spec()).unwrap().claim().unwrap();
            Self { base, attempt, begin: weights(&model), _guard: guard }
        }

        fn folder(&self) -> &RunFolder {
            self.attempt.run()
        }

        fn model(&self) -> Model {
            Model::load(&self.base, &Device::flex()).unwrap()
        }

        /// Writes a checkpoint whose weights are those of the beginning times `factor`; returns step and hash.
        fn write(&self, step: u64, factor: f32) -> (u64, String) {
            let (mut model, mut optimizer) = (self.model(), adamw());
            update(&mut optimizer, &mut model);
            let scaled =
                model.network.named().into_iter().map(|t| t.values.iter().map(|v| v * factor).collect());
            model.network.set(scaled.collect());
            write(self.attempt.path(), &model, &optimizer, &State { step, ..State::default() }).unwrap();
            (step, weights(&model))
        }

        /// Step and weights of what a new attempt begins with.
        fn restored(&self) -> (u64, String) {
            let mut model = self.model();
            let state = restore(self.folder(), &mut model, &mut adamw());
            (state.step, weights(&model))
        }
    }

    fn adamw() -> Optimizer {
        let (betas, epsilon) = ((0.9, 0.999), 1e-8);
        let settings = Settings { betas, epsilon, weight_decay: 0.0, max_gradient_norm: 1.0, muon: false };
        Optimizer::new(settings, false)
    }

    fn weights(model: &Model) -> String {
        store::short_hash(&to_safetensors(&model.network.named(), false))
    }

    fn spec() -> RunSpec {
        RunSpec {
            schema: SCHEMA,
            experiment: "test".parse().unwrap(),
            label: "test".to_owned(),
            base: "none".to_owned(),
            base_hash: "none".to_owned(),
            algorithm: toml::Table::new(),
            mixture: crate::mixture::Mixture::uniform(&["spatial".parse::<Name>().unwrap()]).unwrap(),
            changes: Vec::new(),
            draw: crate::mixture::draw_rule::DrawRule::Exact,
            datasets: BTreeMap::new(),
            benchmarks: BTreeMap::new(),
            evaluation: Evaluation { part: Part::Selection, questions: 1, completions: 1, greedy: true },
            budget: Budget { steps: 1, prompts_per_step: 1 },
            draw_seed: 1,
            seed: 1,
        }
    }
}
