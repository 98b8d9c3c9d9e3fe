//! Which finished runs of an experiment's folder may be put beside those of its plan, and why the others may not.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use super::LeftOut;
use crate::{
    ledger::{FolderError, Ledger, Life, RunFolder, folders, protocol},
    name::Name,
    run::{Part, RunId, RunRecord, RunSpec},
};

/// What became of the runs in a folder.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Screened {
    /// Runs that differ from the plan's in datasets of no share alone: a dataset joined or left since.
    pub reused: BTreeSet<RunId>,
    /// Runs that are not used.
    pub left_out: Vec<LeftOut>,
}

/// Looks at every run folder of `experiment`; `plan`: the spec of any run of the plan as it is now. `without`: ids or
/// labels of runs to leave out. Folders that cannot be read are left to [`Ledger::from_runs`].
pub fn screen(experiment: &Path, plan: &RunSpec, without: &[String]) -> Result<Screened, FolderError> {
    let mut screened = Screened::default();
    let own = protocol(plan);
    for folder in folders(experiment)?.into_iter().flatten() {
        let Ok(spec) = folder.spec() else { continue };
        if spec.evaluation.part != plan.evaluation.part {
            // Runs on the report part test a proposal; no decision sees them.
            continue;
        }
        let Ok(record) = folder.result() else { continue };
        let asked = without.iter().any(|one| one == folder.run().as_str() || *one == spec.label);
        let why = match &record {
            _ if asked => Some("left out as asked".to_owned()),
            None => unfinished(&folder, &spec, plan),
            Some(record) => stopped_early(&spec, record).or_else(|| difference(&spec, plan)),
        };
        match why {
            Some(why) => {
                let run = folder.run().to_string();
                screened.left_out.push(LeftOut { run, label: spec.label.clone(), why });
            }
            None if record.is_some() && protocol(&spec) != own => {
                screened.reused.insert(folder.run().clone());
            }
            None => (),
        }
    }
    Ok(screened)
}

impl Screened {
    /// The ledger without what is left out, and with the reused runs among those of the plan.
    pub fn apply(&self, ledger: &Ledger, plan: &RunSpec, part: Part) -> Ledger {
        let own = protocol(plan);
        let gone: BTreeSet<&str> = self.left_out.iter().map(|one| one.run.as_str()).collect();
        let mut ledger = ledger.clone();
        ledger.rows.retain(|row| row.part != part || !gone.contains(row.run.as_str()));
        for row in ledger.rows.iter_mut().filter(|row| self.reused.contains(&row.run)) {
            row.protocol.clone_from(&own);
        }
        ledger
    }

    /// What a reader has to know: one sentence per reason.
    pub fn notes(&self) -> Vec<String> {
        let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for one in &self.left_out {
            by_reason.entry(&one.why).or_default().push(&one.label);
        }
        let sentence = |(why, labels): (&str, Vec<&str>)| {
            let shown = labels.iter().take(6).copied().collect::<Vec<_>>().join(", ");
            let more = if labels.len() > 6 { ", …" } else { "" };
            let n = labels.len();
            format!("{n} {} left out ({shown}{more}): {why}", if n == 1 { "run is" } else { "runs are" })
        };
        let mut notes: Vec<String> = by_reason.into_iter().map(sentence).collect();
        if !self.reused.is_empty() {
            notes.push(format!(
                "{} runs of an earlier list of datasets are used too: datasets that joined since have a share of 0 in them",
                self.reused.len()
            ));
        }
        notes
    }
}

/// Whether one run has the same draws, weights and scores as another by construction: all that differs is datasets
/// of no share.
pub fn same_run(a: &RunSpec, b: &RunSpec) -> bool {
    let shares = |spec: &RunSpec| -> Vec<_> {
        spec.mixture
            .parts()
            .filter(|(_, parts)| *parts > 0)
            .map(|(name, parts)| (name.clone(), parts))
            .collect()
    };
    (a.draw_seed, a.seed) == (b.draw_seed, b.seed) && shares(a) == shares(b) && difference(a, b).is_none()
}

/// How far a run is that has no result; `None` where it was never begun.
fn unfinished(folder: &RunFolder, spec: &RunSpec, plan: &RunSpec) -> Option<String> {
    let attempts = folder.attempts();
    let last = attempts.last()?;
    let state = match last.life() {
        Life::Alive | Life::Unknown => "is still running",
        Life::Ended | Life::Gone => "was stopped",
    };
    let step = last.progress().map_or(0, |progress| progress.step);
    // Every run its own sentence: they stop at different steps.
    let then = if spec.experiment == plan.experiment {
        difference(spec, plan)
            .map_or(": `modo sweep` finishes it".to_owned(), |why| format!(", and has {why}"))
    } else {
        format!(" under the experiment's name `{}`: a sweep begins it anew", spec.experiment)
    };
    Some(format!("it {state} at step {step} of {}{then}", spec.budget.steps))
}

/// A run with a result that drew less than it was told to.
fn stopped_early(spec: &RunSpec, record: &RunRecord) -> Option<String> {
    let told = spec.budget.groups();
    let drawn: u64 = record.realised.values().map(|one| one.groups).sum();
    // Records that hold no draws say nothing.
    (!record.realised.is_empty() && drawn < told)
        .then(|| format!("it stopped early, after {drawn} of {told} prompt groups"))
}

/// The datasets with a share, and those that a dataset with a share hands its draws to at its limit.
fn drawn_from(run: &RunSpec) -> BTreeSet<Name> {
    let mut names: BTreeSet<Name> =
        run.mixture.parts().filter(|(_, parts)| *parts > 0).map(|(name, _)| name.clone()).collect();
    let mut new: Vec<Name> = names.iter().cloned().collect();
    while let Some(name) = new.pop() {
        let then = run.datasets.get(&name).and_then(|table| table.get("then")).and_then(toml::Value::as_str);
        let other =
            then.and_then(|then| then.strip_prefix("hand_to=")).and_then(|name| name.trim().parse().ok());
        new.extend(other.filter(|name: &Name| names.insert(name.clone())));
    }
    names
}

/// Why scores of `run` do not belong beside those of `plan`.
fn difference(run: &RunSpec, plan: &RunSpec) -> Option<String> {
    if run.budget != plan.budget {
        return Some(format!(
            "another budget, {} steps of {} prompt groups; the plan has {} of {}",
            run.budget.steps, run.budget.prompts_per_step, plan.budget.steps, plan.budget.prompts_per_step
        ));
    }
    let parts = [
        ("base", (&run.base, &run.base_hash) != (&plan.base, &plan.base_hash)),
        ("algorithm", run.algorithm != plan.algorithm),
        ("rule of draws", run.draw != plan.draw),
        ("plan of changes", run.changes != plan.changes),
        ("set of benchmarks", run.benchmarks != plan.benchmarks),
        ("number of questions", run.evaluation != plan.evaluation),
    ];
    if let Some((what, _)) = parts.iter().find(|(_, differs)| *differs) {
        return Some(format!("another {what} than the plan's"));
    }
    for name in drawn_from(run) {
        match plan.datasets.get(&name) {
            None => return Some(format!("it trained on `{name}`, which the plan no longer has")),
            Some(table) if run.datasets.get(&name) != Some(table) => {
                return Some(format!("`{name}` is described differently now"));
            }
            Some(_) => (),
        }
    }
    None
}
