//! All finished runs of an experiment as one table, rebuilt from their folders at any time.

use std::{collections::BTreeSet, path::Path};

use super::folder::{FolderError, RunFolder, folders};
use crate::{
    mixture::Mixture,
    name::Name,
    run::{Cost, Decoding, Domain, Part, RunId, RunSpec},
    score::Score,
    store,
};

/// One benchmark's score in one run, with one half of its questions and one decoding.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The run.
    pub run: RunId,
    /// What the run is for.
    pub label: String,
    /// What makes runs comparable, see [`protocol`].
    pub protocol: String,
    /// Seed of the draws.
    pub draw_seed: u64,
    /// Seed of everything else.
    pub seed: u64,
    /// Optimizer steps.
    pub steps: u64,
    /// Prompt groups per step.
    pub prompts_per_step: u64,
    /// Share of each dataset in [0, 1], in the order of [`Ledger::datasets`].
    pub shares: Vec<f64>,
    /// The benchmark.
    pub benchmark: Name,
    /// In- or out-of-domain.
    pub domain: Domain,
    /// Which half of its questions.
    pub part: Part,
    /// Greedy or sampled.
    pub decoding: Decoding,
    /// The score, in [0, 1].
    pub score: Score,
    /// Score with the format not asked for, in [0, 1].
    pub lenient_score: Score,
    /// Share of completions in the right format, in [0, 1].
    pub format_rate: f64,
    /// Mean completion length in tokens.
    pub mean_tokens: f64,
    /// What the whole run cost, the same in each of its rows.
    pub cost: Cost,
    /// Hash of the run's final weights.
    pub weights_hash: String,
}

/// The table. Rows are ordered by run, benchmark, part and decoding: the same runs give the same bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    /// All datasets that any run names, by name.
    pub datasets: Vec<Name>,
    /// The rows.
    pub rows: Vec<Row>,
}

/// A run folder that was left out, and why.
#[derive(Debug)]
pub struct Damaged {
    /// The reason, with the file's path.
    pub reason: FolderError,
}

/// What is predicted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// One benchmark.
    Benchmark(Name),
    /// In-Score: sample-count-weighted mean of the in-domain benchmarks.
    In,
    /// Out-Score: the same of the out-of-domain benchmarks.
    Out,
    /// The same of all benchmarks.
    Overall,
}

/// Which rows belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// See [`protocol`]; runs of another one are left out.
    pub protocol: String,
    /// Which half of the questions.
    pub part: Part,
    /// Greedy or sampled.
    pub decoding: Decoding,
}

/// One run as a predictor sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// The run.
    pub run: RunId,
    /// What the run is for.
    pub label: String,
    /// Seed of the draws: runs with equal seeds are paired.
    pub draw_seed: u64,
    /// Share of each dataset, in the order of [`Ledger::datasets`].
    pub shares: Vec<f64>,
    /// The target's score, in [0, 1].
    pub score: f64,
    /// Variance of the score that comes from the finite number of questions and completions; the spread between
    /// seeds comes on top of it.
    pub variance: f64,
    /// Questions.
    pub n_questions: usize,
}

impl Ledger {
    /// From all run folders of an experiment; unreadable ones are left out and returned beside it.
    pub fn from_runs(experiment: &Path) -> Result<(Self, Vec<Damaged>), FolderError> {
        let mut damaged = Vec::new();
        let mut done = Vec::new();
        for folder in folders(experiment)? {
            match folder.and_then(|folder| finished(&folder)) {
                Ok(Some(run)) => done.push(run),
                Ok(None) => (),
                Err(reason) => damaged.push(Damaged { reason }),
            }
        }
        let named: BTreeSet<&Name> =
            done.iter().flat_map(|(spec, _)| spec.mixture.parts().map(|p| p.0)).collect();
        let datasets: Vec<Name> = named.into_iter().cloned().collect();
        let mut rows: Vec<Row> = Vec::new();
        for (spec, record) in &done {
            let protocol = protocol(spec);
            rows.extend(record.scores.iter().map(|s| Row {
                run: record.run.clone(),
                label: spec.label.clone(),
                protocol: protocol.clone(),
                draw_seed: spec.draw_seed,
                seed: spec.seed,
                steps: spec.budget.steps,
                prompts_per_step: spec.budget.prompts_per_step,
                shares: spec.mixture.vector(&datasets),
                benchmark: s.benchmark.clone(),
                domain: s.domain,
                part: s.part,
                decoding: s.decoding,
                score: s.score,
                lenient_score: s.lenient_score,
                format_rate: s.format_rate,
                mean_tokens: s.mean_tokens,
                cost: record.cost,
                weights_hash: record.weights_hash.clone(),
            }));
        }
        rows.sort_by(|a, b| a.key().cmp(&b.key()));
        Ok((Self { datasets, rows }, damaged))
    }

    /// Hash of everything but what it cost: time differs between machines, scores must not.
    pub fn hash(&self) -> String {
        let mut bytes = Vec::new();
        let mut put = |text: &dyn std::fmt::Display| bytes.extend(format!("{text}\0").bytes());
        self.datasets.iter().for_each(|name| put(name));
        for row in &self.rows {
            put(&row.run);
            put(&row.label);
            put(&row.protocol);
            put(&row.benchmark);
            put(&row.weights_hash);
            put(&format_args!("{:?} {:?} {:?}", row.domain, row.part, row.decoding));
            put(&format_args!("{} {} {} {}", row.draw_seed, row.seed, row.steps, row.prompts_per_step));
            row.shares.iter().chain(&[row.format_rate, row.mean_tokens]).for_each(|n| put(&n.to_bits()));
            for s in [row.score, row.lenient_score] {
                put(&format_args!("{} {}", s.mean.to_bits(), s.standard_error.to_bits()));
                put(&format_args!("{} {}", s.n_questions, s.n_completions));
            }
        }
        store::short_hash(&bytes)
    }

    /// Every benchmark, then the aggregates, that rows matching `filter` allow.
    pub fn targets(&self, filter: &Filter) -> Vec<Target> {
        let rows = || self.rows.iter().filter(|row| filter.takes(row));
        let benchmarks: BTreeSet<&Name> = rows().map(|row| &row.benchmark).collect();
        let has = |domain| rows().any(|row| row.domain == domain);
        let aggregates = [
            (has(Domain::InDomain), Target::In),
            (has(Domain::OutOfDomain), Target::Out),
            (!benchmarks.is_empty(), Target::Overall),
        ];
        let aggregates = aggregates.into_iter().filter_map(|(there, target)| there.then_some(target));
        benchmarks.iter().map(|name| Target::Benchmark((*name).clone())).chain(aggregates).collect()
    }

    /// One observation per run that has the target, in the order of run ids.
    pub fn observations(&self, target: &Target, filter: &Filter) -> Vec<Observation> {
        let runs = self.rows.chunk_by(|a, b| a.run == b.run);
        runs.filter_map(|rows| {
            let wanted = rows.iter().filter(|row| filter.takes(row) && target.takes(row));
            let scores: Vec<Score> = wanted.map(|row| row.score).collect();
            let first = rows.first()?;
            let score = (!scores.is_empty()).then(|| Score::weighted_by_count(&scores))?;
            Some(Observation {
                run: first.run.clone(),
                label: first.label.clone(),
                draw_seed: first.draw_seed,
                shares: first.shares.clone(),
                score: score.mean,
                variance: score.standard_error.powi(2),
                n_questions: score.n_questions,
            })
        })
        .collect()
    }

    /// Runs in it.
    pub fn n_runs(&self) -> usize {
        self.rows.chunk_by(|a, b| a.run == b.run).count()
    }
}

impl Row {
    fn key(&self) -> (&RunId, &Name, Part, Decoding) {
        (&self.run, &self.benchmark, self.part, self.decoding)
    }
}

impl Filter {
    fn takes(&self, row: &Row) -> bool {
        row.part == self.part && row.decoding == self.decoding && row.protocol == self.protocol
    }
}

impl Target {
    fn takes(&self, row: &Row) -> bool {
        match self {
            Self::Benchmark(name) => row.benchmark == *name,
            Self::In => row.domain == Domain::InDomain,
            Self::Out => row.domain == Domain::OutOfDomain,
            Self::Overall => true,
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Benchmark(name) => name.as_str(),
            Self::In => "In-Score",
            Self::Out => "Out-Score",
            Self::Overall => "Overall",
        })
    }
}

/// Hash of everything in a spec except names, mixture and seeds: runs that share it may be compared, also after the folder of
/// the experiment was copied or renamed.
pub fn protocol(spec: &RunSpec) -> String {
    let datasets: BTreeSet<&Name> = spec.datasets.keys().chain(spec.mixture.parts().map(|p| p.0)).collect();
    let neutral = RunSpec {
        experiment: "experiment".parse().expect("a name"),
        label: String::new(),
        mixture: Mixture::uniform(datasets)
            .expect("a mixture names at least one dataset, and equal shares sum to 1"),
        draw_seed: 0,
        seed: 0,
        ..spec.clone()
    };
    neutral.id().to_string()
}

fn finished(folder: &RunFolder) -> Result<Option<(RunSpec, crate::run::RunRecord)>, FolderError> {
    let Some(record) = folder.result()? else { return Ok(None) };
    Ok(Some((folder.spec()?, record)))
}
