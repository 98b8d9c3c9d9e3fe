//! From the ledger to what is predicted: one set of runs, every benchmark with every decoding.

use std::collections::{BTreeMap, BTreeSet};

use super::RunPoint;
use crate::{
    ledger::{Filter, Ledger, Target},
    name::Name,
    predict::{Observation, mixtures},
    run::{Decoding, Domain, Part, RunId},
};

/// One thing that was measured in every run.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetRuns {
    /// The benchmark, or the column of a table.
    pub name: String,
    /// In- or out-of-domain, where there is such a thing.
    pub domain: Option<Domain>,
    /// Of which completions, where there is such a thing.
    pub decoding: Option<Decoding>,
    /// Questions behind each score: the weight in aggregates; 0 where it is not known.
    pub n_questions: usize,
    /// Its score in every run, in the order of [`super::Question::runs`].
    pub observations: Vec<Observation>,
}

/// The runs of one protocol that were scored on everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chosen {
    /// The datasets, in the order of shares.
    pub datasets: Vec<Name>,
    /// The runs, by id.
    pub runs: Vec<RunPoint>,
    /// Benchmarks by name, sampled before greedy.
    pub targets: Vec<TargetRuns>,
    /// What a reader has to know.
    pub notes: Vec<String>,
}

/// Protocols with finished runs that were scored on `part`, with how many; most runs first.
pub fn protocols(ledger: &Ledger, part: Part) -> Vec<(String, usize)> {
    let mut runs: BTreeMap<&str, BTreeSet<&RunId>> = BTreeMap::new();
    for row in ledger.rows.iter().filter(|row| row.part == part) {
        runs.entry(&row.protocol).or_default().insert(&row.run);
    }
    let mut counted: Vec<(String, usize)> =
        runs.into_iter().map(|(protocol, runs)| (protocol.to_owned(), runs.len())).collect();
    counted.sort_by_key(|(_, runs)| std::cmp::Reverse(*runs));
    counted
}

/// The runs of `protocol` (where it is not given: that with most runs) that were scored on all benchmarks in `part`.
///
/// `datasets`: those of the plan; runs that give a share to another are left out. All runs answer the same questions,
/// so that the standard error of a score mostly cancels between runs: where any mixture was repeated the noise is
/// learnt from the repetitions alone, else the standard error stands in, an upper bound.
pub fn from_ledger(ledger: &Ledger, datasets: &[Name], part: Part, protocol: Option<&str>) -> Chosen {
    let found = protocols(ledger, part);
    let mut chosen = Chosen { datasets: datasets.to_vec(), ..Chosen::default() };
    let most = found.first().map(|(protocol, _)| protocol.as_str());
    let Some(protocol) = protocol.or(most) else { return chosen };
    let others: usize = found.iter().filter(|(other, _)| other != protocol).map(|(_, runs)| runs).sum();
    if others > 0 {
        chosen.notes.push(format!(
            "{others} finished runs of another budget, base, algorithm or set of questions are left out"
        ));
    }

    let mut all = Vec::new();
    for decoding in [Decoding::Sampled, Decoding::Greedy] {
        let filter = Filter { protocol: protocol.to_owned(), part, decoding };
        for target in ledger.targets(&filter) {
            let Target::Benchmark(name) = &target else { continue };
            let domain = ledger
                .rows
                .iter()
                .find(|row| row.benchmark == *name && row.protocol == protocol)
                .map(|r| r.domain);
            let observations = ledger.observations(&target, &filter);
            all.push((name.to_string(), domain, decoding, observations));
        }
    }
    let known: Vec<Option<usize>> =
        datasets.iter().map(|name| ledger.datasets.iter().position(|d| d == name)).collect();
    // A run counts only with every score and with all its shares on the datasets asked about.
    let in_all = |run: &RunId| all.iter().all(|(.., runs)| runs.iter().any(|o| o.run == *run));
    let shares = |of: &[f64]| -> Vec<f64> { known.iter().map(|i| i.map_or(0.0, |i| of[i])).collect() };
    let inside = |of: &[f64]| shares(of).iter().sum::<f64>() > 1.0 - 1e-9;
    let every: BTreeSet<&RunId> = all.iter().flat_map(|(.., runs)| runs.iter().map(|o| &o.run)).collect();
    let Some((.., first)) = all.first() else { return chosen };
    chosen.runs = first
        .iter()
        .filter(|o| in_all(&o.run) && inside(&o.shares))
        .map(|o| RunPoint { run: o.run.to_string(), label: o.label.clone(), shares: shares(&o.shares) })
        .collect();
    let left_out = every.len() - chosen.runs.len();
    if left_out > 0 {
        chosen.notes.push(format!(
            "{left_out} finished runs are left out: a benchmark is missing or they trained on another dataset"
        ));
    }
    let kept: BTreeSet<&str> = chosen.runs.iter().map(|run| run.run.as_str()).collect();
    for (name, domain, decoding, runs) in &all {
        let runs = runs.iter().filter(|o| kept.contains(o.run.as_str()));
        let mut observations: Vec<Observation> = Vec::new();
        let mut n_questions = 0;
        for o in runs {
            // One question has no standard error.
            let noise_variance = Some(o.variance).filter(|v| v.is_finite());
            observations.push(Observation { shares: shares(&o.shares), score: o.score, noise_variance });
            n_questions = n_questions.max(o.n_questions);
        }
        if mixtures(&observations).len() < observations.len() {
            for o in &mut observations {
                o.noise_variance = None;
            }
        }
        chosen.targets.push(TargetRuns {
            name: name.clone(),
            domain: *domain,
            decoding: Some(*decoding),
            n_questions,
            observations,
        });
    }
    chosen
}
