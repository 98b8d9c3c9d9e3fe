//! What a sweep would do and cost: `modo sweep --dry-run`.

use std::path::Path;

use crate::{
    error::{Context, Result},
    ledger::{RunFolder, folders},
    run::{Cost, Estimate, RunId, RunSpec, RunStatus},
};

/// A run of the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedRun {
    /// Its id.
    pub run: RunId,
    /// What it is for.
    pub label: String,
    /// Its shares, in short.
    pub mixture: String,
    /// Where it stands.
    pub status: RunStatus,
}

/// What a sweep would do.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// Every run of the plan, in the order in which they start.
    pub runs: Vec<PlannedRun>,
    /// Runs without a result.
    pub missing: usize,
    /// CPU seconds of the missing runs; `None` where nothing says.
    pub cpu_s: Option<f64>,
    /// Wall seconds until the last of them is done, on all slots.
    pub wall_s: Option<f64>,
    /// Finished runs that the estimate rests on; 0 where it rests on a trial.
    pub measured_on: usize,
}

/// Looks at the folders and makes none. Where no run is done to go by, `trial` is asked what the first missing one costs.
pub fn forecast(
    experiment: &Path,
    specs: &[RunSpec],
    slots: usize,
    attempts: u32,
    trial: impl FnOnce(&RunSpec) -> Result<Option<Estimate>>,
) -> Result<Forecast> {
    let mut runs = Vec::new();
    let mut missing: Vec<&RunSpec> = Vec::new();
    for spec in specs {
        let path = experiment.join("runs").join(spec.id().as_str());
        let status = if path.join("spec.json").exists() {
            // A damaged folder is a run that the sweep will name as failed.
            RunFolder::open(&path).and_then(|folder| folder.status(attempts)).unwrap_or(RunStatus::Failed)
        } else {
            RunStatus::Missing
        };
        if status != RunStatus::Done {
            missing.push(spec);
        }
        runs.push(PlannedRun {
            run: spec.id(),
            label: spec.label.clone(),
            mixture: spec.mixture.brief(),
            status,
        });
    }
    let finished: Vec<(RunSpec, Cost)> = folders(experiment)
        .failed()?
        .into_iter()
        .filter_map(|folder| {
            let folder = folder.ok()?;
            Some((folder.spec().ok()?, folder.result().ok()??.cost))
        })
        .collect();
    let estimate = match (measure(&finished), missing.first()) {
        (None, Some(spec)) => trial(spec)?,
        (estimate, _) => estimate,
    };
    let cpu =
        |spec: &RunSpec, e: Estimate| e.setup_cpu_s + e.cpu_s_per_group * groups(spec) + e.evaluation_cpu_s;
    // The sum of nothing would be −0.
    let cpu_s = estimate.map(|e| missing.iter().map(|spec| cpu(spec, e)).fold(0.0, |sum, cpu| sum + cpu));
    // Runs are not cut in pieces: the last one to start may hold up the end by one whole run.
    let longest = estimate.map(|e| missing.iter().map(|spec| cpu(spec, e)).fold(0.0, f64::max));
    let wall_s = estimate
        .zip(cpu_s)
        .zip(longest)
        .map(|((e, cpu_s), longest)| (cpu_s / slots.max(1) as f64).max(longest) * e.wall_per_cpu);
    Ok(Forecast { runs, missing: missing.len(), cpu_s, wall_s, measured_on: finished.len() })
}

fn groups(spec: &RunSpec) -> f64 {
    spec.budget.groups() as f64
}

fn measure(finished: &[(RunSpec, Cost)]) -> Option<Estimate> {
    let sum = |of: &dyn Fn(&RunSpec, &Cost) -> f64| finished.iter().map(|(s, c)| of(s, c)).sum::<f64>();
    let cpu = sum(&|_, cost| cost.cpu_s);
    (cpu > 0.0).then(|| Estimate {
        setup_cpu_s: 0.0,
        cpu_s_per_group: (cpu - sum(&|_, cost| cost.evaluation_cpu_s)) / sum(&|spec, _| groups(spec)),
        evaluation_cpu_s: sum(&|_, cost| cost.evaluation_cpu_s) / finished.len() as f64,
        wall_per_cpu: sum(&|_, cost| cost.wall_s) / cpu,
    })
}
