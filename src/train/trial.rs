//! What a run costs, from two that are cut short: for who asks before the first one is done.

use super::{Surroundings, run};
use crate::{
    error::{Context, Result},
    ledger::RunFolder,
    rl::algorithm::Algorithm,
    run::{Cost, Estimate, RunSpec},
};

/// Optimizer steps of the longer run; the other has one. What both cost is what a run costs before its first step.
const STEPS: u64 = 3;
/// Questions per benchmark.
const QUESTIONS: usize = 10;

/// Trains a few steps and asks a few questions in a folder of its own that it removes. None for supervised runs, whose
/// length is their stages'.
pub fn trial(spec: &RunSpec, around: &Surroundings) -> Result<Option<Estimate>> {
    if let Algorithm::Sft(_) = Algorithm::from_table(&spec.algorithm).input()? {
        return Ok(None);
    }
    let folder = tempfile::tempdir().at("the folder for temporary files")?;
    let cost = |steps: u64| -> Result<Cost> {
        let mut short = spec.clone();
        short.budget.steps = steps;
        short.evaluation.questions = QUESTIONS.min(spec.evaluation.questions);
        let attempt = RunFolder::create(folder.path(), &short).failed()?.claim().failed()?;
        Ok(run(&short, &attempt, around)?.0.cost)
    };
    let training = |cost: &Cost| cost.cpu_s - cost.evaluation_cpu_s;
    let one = cost(1)?;
    let groups = spec.budget.prompts_per_step as f64;
    let steps = STEPS.min(spec.budget.steps);
    let (more, cpu_s_per_group) = if steps > 1 {
        let more = cost(steps)?;
        let between = (steps - 1) as f64 * groups;
        (more, ((training(&more) - training(&one)) / between).max(0.0))
    } else {
        (one, training(&one) / groups)
    };
    let of_step = cpu_s_per_group * groups;
    let longer = spec.evaluation.questions as f64 / QUESTIONS.min(spec.evaluation.questions).max(1) as f64;
    Ok(Some(Estimate {
        setup_cpu_s: (training(&one) - of_step).max(0.0),
        cpu_s_per_group,
        evaluation_cpu_s: longer * more.evaluation_cpu_s,
        wall_per_cpu: more.wall_s / more.cpu_s,
    }))
}
