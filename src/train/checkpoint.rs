//! Everything a run needs to go on: weights, optimizer, position and records, whole or not at all.

use std::{collections::BTreeMap, fs, path::Path};

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

/// What a run knows beside weights and moments.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    /// Optimizer steps done.
    pub(super) step: u64,
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
    /// Rows that could not be read and were replaced.
    pub(super) replaced: u64,
    /// Completions of each group by what came of them; shorter than `rewards` in checkpoints of earlier versions.
    #[serde(default)]
    pub(super) reasons: Vec<BTreeMap<String, u64>>,
}

/// Writes a checkpoint of an attempt and drops its earlier ones.
pub(super) fn write(attempt: &Path, model: &Model, optimizer: &Optimizer, state: &State) -> Result<()> {
    let folder = attempt.join(format!("checkpoint-{}", state.step));
    let files = [
        (WEIGHTS, to_safetensors(&model.network.named(), false)),
        (OPTIMIZER, to_safetensors(&optimizer.named(), false)),
        (STATE, store::to_json_pretty(state)),
    ];
    let mut hashes = BTreeMap::new();
    for (name, bytes) in &files {
        store::write_whole(&folder.join(name), bytes).at(folder.display())?;
        hashes.insert(*name, store::short_hash(bytes));
    }
    store::write_whole(&folder.join(COMPLETE), &store::to_json_pretty(&hashes)).at(folder.display())?;
    for entry in fs::read_dir(attempt).at(attempt.display())?.flatten() {
        let is_old = entry.file_name().to_string_lossy().starts_with("checkpoint-") && entry.path() != folder;
        if is_old {
            // A leftover costs space only; the next checkpoint tries again.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

/// Restores the furthest checkpoint of any attempt whose files are what its manifest says; none leaves all as it is.
pub(super) fn restore(folder: &RunFolder, model: &mut Model, optimizer: &mut Optimizer) -> Result<State> {
    for found in folder.checkpoints() {
        let Ok(files) = read(&found.path) else { continue };
        let state: State = serde_json::from_slice(&files[STATE]).at(found.path.display())?;
        let mut weights = Checkpoint::from_bytes(WEIGHTS, files[WEIGHTS].clone()).at(found.path.display())?;
        load(model, &mut weights).at(found.path.display())?;
        let mut moments =
            Checkpoint::from_bytes(OPTIMIZER, files[OPTIMIZER].clone()).at(found.path.display())?;
        optimizer.restore(&mut model.network, state.step as usize, &mut moments).at(found.path.display())?;
        return Ok(state);
    }
    Ok(State::default())
}

/// Puts weights from a file into the network.
fn load(model: &mut Model, source: &mut dyn Source) -> Result<()> {
    let wanted: Vec<Named> = model.network.named();
    let values =
        wanted.iter().map(|t| source.take(&t.name, &t.shape)).collect::<Result<Vec<_>, _>>().failed()?;
    model.network.set(values);
    Ok(())
}

fn read(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let manifest = fs::read(folder.join(COMPLETE)).at(folder.display())?;
    let hashes: BTreeMap<String, String> = serde_json::from_slice(&manifest).at(folder.display())?;
    let mut files = BTreeMap::new();
    for name in [WEIGHTS, OPTIMIZER, STATE] {
        let bytes = fs::read(folder.join(name)).at(folder.display())?;
        if hashes.get(name) != Some(&store::short_hash(&bytes)) {
            return Err(Error::failed(format!("`{name}` is not what was written")).at(folder.display()));
        }
        files.insert(name.to_owned(), bytes);
    }
    Ok(files)
}
