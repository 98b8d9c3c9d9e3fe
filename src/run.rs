//! What one training run is told and what it leaves behind, as other programs read it from disk.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{
    mixture::{Mixture, draw_rule::DrawRule},
    name::Name,
    score::Score,
};

/// Version of [`RunSpec`] and [`RunRecord`] on disk.
pub const SCHEMA: u32 = 1;

/// Everything a run depends on; `modo train --spec run.json` needs nothing else but the files it names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSpec {
    /// [`SCHEMA`] when it was written.
    pub schema: u32,
    /// The experiment's name.
    pub experiment: Name,
    /// What the run is for, in tables: `uniform`, `exclude_detect`, `design_03`.
    pub label: String,
    /// The checkpoint training starts from: `nano` (embedded) or a folder.
    pub base: String,
    /// Hash of the base checkpoint's files.
    pub base_hash: String,
    /// The algorithm's table in the plan: `name` and its settings.
    pub algorithm: toml::Table,
    /// Shares of the prompt groups per optimizer step.
    pub mixture: Mixture,
    /// Other shares from later steps on. Not written where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<MixtureChange>,
    /// How the dataset of each prompt group is chosen. Not written where it is exact, as it always was.
    #[serde(default, skip_serializing_if = "DrawRule::is_exact")]
    pub draw: DrawRule,
    /// The training datasets' tables of `datasets.toml`.
    pub datasets: BTreeMap<Name, toml::Table>,
    /// The benchmarks' tables of `datasets.toml`.
    pub benchmarks: BTreeMap<Name, toml::Table>,
    /// How the result is scored.
    pub evaluation: Evaluation,
    /// How long it trains.
    pub budget: Budget,
    /// Seed of the draws: the same for paired runs.
    pub draw_seed: u64,
    /// Seed of everything else.
    pub seed: u64,
}

/// Other shares for the rest of a run; every dataset goes on with its next row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixtureChange {
    /// Optimizer steps that are made before.
    pub after: u64,
    /// The shares that hold then, of the datasets that the spec names.
    pub mixture: Mixture,
}

/// How long a run trains.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Optimizer steps.
    pub steps: u64,
    /// Prompt groups per step.
    pub prompts_per_step: u64,
}

/// Which half of a benchmark scores a run: what decides is never what is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Seen by predictors and proposals.
    Selection,
    /// Seen by no decision.
    Report,
}

/// How a run is scored when it is done.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Which half of each benchmark.
    pub part: Part,
    /// Questions per benchmark, at most.
    pub questions: usize,
    /// Completions per question at temperature 1; 0 leaves sampling out.
    pub completions: usize,
    /// Whether to score greedy decoding as well.
    pub greedy: bool,
}

/// How the completions that were scored were drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decoding {
    /// The most likely token each time.
    Greedy,
    /// Temperature 1.
    Sampled,
}

impl Decoding {
    /// As files and tables write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Greedy => "greedy",
            Self::Sampled => "sampled",
        }
    }
}

/// Whether a benchmark's dataset is one that runs train on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Domain {
    /// Held-out questions of a training dataset: counts for In-Score.
    InDomain,
    /// A dataset that nothing trains on: counts for Out-Score.
    OutOfDomain,
}

/// One benchmark's score in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchmarkScore {
    /// The benchmark.
    pub benchmark: Name,
    /// In- or out-of-domain.
    pub domain: Domain,
    /// Which half of its questions.
    pub part: Part,
    /// Greedy or sampled.
    pub decoding: Decoding,
    /// The score, in [0, 1]: right answers in the right format.
    pub score: Score,
    /// Share of completions in the right format, in [0, 1].
    pub format_rate: f64,
    /// Score of the extracted answers with the format not asked for (answer read from the end where tags are
    /// missing), in [0, 1]: tells format gains from skill gains.
    pub lenient_score: Score,
    /// Mean completion length in tokens.
    pub mean_tokens: f64,
    /// Completions by what came of them, as [`Realised::reasons`]; empty in records of earlier versions.
    #[serde(default)]
    pub outcomes: BTreeMap<String, u64>,
    /// Rows that could not be asked or judged, whose places other rows took where there were any; 0 in records of
    /// earlier versions, which did not count.
    #[serde(default)]
    pub replaced: u64,
}

/// What the draws of one dataset came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Realised {
    /// Prompt groups drawn.
    pub groups: u64,
    /// Passes over its rows, in rows drawn per row there is.
    pub passes: f64,
    /// Rows that could not be read and were replaced by the next one.
    pub replaced: u64,
    /// Share of groups in [0, 1] whose answers were all right, with or without the format.
    pub all_right: f64,
    /// Share of groups in [0, 1] all wrong.
    pub all_wrong: f64,
    /// Share of groups in [0, 1] whose rewards were all equal, right or wrong or between: they teach nothing; none in
    /// records of earlier versions.
    #[serde(default)]
    pub equal_rewards: Option<f64>,
    /// Mean reward over the first fifth of its groups.
    pub reward_first: f64,
    /// Mean reward over the last fifth of its groups.
    pub reward_last: f64,
    /// Completions by what came of them, over the first and the last fifth of its groups: `right`, `partial`, `wrong`,
    /// `unparsed`, `right_without_format`, `no_answer_region`, `format`, `truncated`; empty in records of earlier versions.
    #[serde(default)]
    pub reasons: [BTreeMap<String, u64>; 2],
}

/// What runs that are alike cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// CPU seconds of a run besides its prompt groups and its evaluation, where they are told apart.
    pub setup_cpu_s: f64,
    /// CPU seconds per prompt group trained on.
    pub cpu_s_per_group: f64,
    /// CPU seconds of a run's evaluation.
    pub evaluation_cpu_s: f64,
    /// Wall seconds per CPU second of a run.
    pub wall_per_cpu: f64,
}

/// What a run cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// CPU seconds, user and system, over all attempts.
    pub cpu_s: f64,
    /// Wall seconds of the attempt that finished.
    pub wall_s: f64,
    /// Peak resident memory, in MiB.
    pub peak_mib: f64,
    /// Of `cpu_s`, spent on the final evaluation.
    pub evaluation_cpu_s: f64,
}

/// The result of a run: `result.json`, written once, last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`SCHEMA`] when it was written.
    pub schema: u32,
    /// Hash of its spec.
    pub run: RunId,
    /// Every benchmark, half and decoding that was scored.
    pub scores: Vec<BenchmarkScore>,
    /// Per training dataset.
    pub realised: BTreeMap<Name, Realised>,
    /// What it cost.
    pub cost: Cost,
    /// Hash of the final weights.
    pub weights_hash: String,
    /// Version of modo that made it.
    pub version: String,
}

/// Where a run stands, as its folder shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Nothing started.
    Missing,
    /// An attempt is alive.
    Running,
    /// Attempts were made, none is alive, none finished; another may follow.
    Interrupted,
    /// All allowed attempts failed.
    Failed,
    /// `result.json` is there.
    Done,
}

/// Hash of a run's spec: 16 hex digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunId(String);

impl Budget {
    /// Prompt groups in all.
    pub fn groups(&self) -> u64 {
        self.steps.saturating_mul(self.prompts_per_step)
    }
}

impl RunSpec {
    /// The id: BLAKE3 of the canonical JSON (keys sorted, no space).
    pub fn id(&self) -> RunId {
        let value = serde_json::to_value(self).expect("a spec has string keys and finite numbers");
        let mut text = String::new();
        canonical(&value, &mut text);
        RunId(blake3::hash(text.as_bytes()).to_hex()[..16].to_owned())
    }
}

impl RunId {
    /// The hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl RunRecord {
    /// In-Score or Out-Score of one half and decoding: the sample-count-weighted mean over its benchmarks.
    pub fn aggregate(&self, domain: Domain, part: Part, decoding: Decoding) -> Option<Score> {
        let of: Vec<Score> = self
            .scores
            .iter()
            .filter(|s| s.domain == domain && s.part == part && s.decoding == decoding)
            .map(|s| s.score)
            .collect();
        (!of.is_empty()).then(|| Score::weighted_by_count(&of))
    }
}

fn canonical(value: &serde_json::Value, out: &mut String) {
    use serde_json::Value;
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            out.push('{');
            for (i, key) in keys.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                canonical(&map[key], out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                canonical(item, out);
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}
