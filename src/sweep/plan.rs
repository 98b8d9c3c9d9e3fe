//! `experiments/NAME/plan.toml`: the whole experiment as types.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;

use crate::{
    error::{Context, Error, Result},
    launch::{LAUNCHERS, Launcher},
    mixture::{
        constraint::Constraints,
        design::{DESIGNS, Design as MixtureDesign},
        draw_rule::DrawRule,
    },
    name::Name,
    optimize::goal::Rail,
    run::{Budget, Decoding},
};

/// Version of the file.
pub const SCHEMA: u32 = 1;

/// A plan larger than this is not one that somebody wrote.
const MAX_BYTES: u64 = 1 << 20;

/// An experiment: what trains on what, how it is scored, which mixtures are tried and what is decided from them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`SCHEMA`] when it was written.
    pub schema: u32,
    /// The checkpoint training starts from: `nano` (embedded) or a folder.
    pub base: String,
    /// The datasets that are mixed, by their names in `datasets.toml`.
    pub train: Vec<Name>,
    /// The benchmarks that score a run, by their names in `datasets.toml`.
    pub benchmarks: Vec<Name>,
    /// `name` and its settings, read by the algorithm itself.
    pub algorithm: toml::Table,
    /// How the dataset of each prompt group is chosen: `exact`, `batch` or `iid`.
    #[serde(default)]
    pub draw: DrawRule,
    /// How long a proxy run trains.
    pub budget: Budget,
    /// How a proxy run is scored, on the selection half of the benchmarks.
    pub evaluation: Evaluation,
    /// Which mixtures are tried.
    #[serde(default)]
    pub design: Design,
    /// What is to be made as large as possible.
    #[serde(default)]
    pub objective: Objective,
    /// What a proposed mixture must keep to: the table that `--constraints` takes. Designs other than the families of
    /// the paper keep to it too.
    #[serde(default)]
    pub constraints: Constraints,
    /// How scores of mixtures not tried are predicted: `name` and its settings, read by the predictor itself.
    #[serde(default = "default_predictor")]
    pub predictor: toml::Table,
    /// How the proposal is tested against uniform shares.
    #[serde(default)]
    pub confirm: Option<Confirm>,
    /// Where runs are computed.
    #[serde(default)]
    pub launcher: LauncherTable,
}

/// How a run is scored when it is done.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Questions per benchmark, at most; at least 2, since one has no spread.
    pub questions: usize,
    /// Completions per question at temperature 1; 0 leaves sampling out.
    #[serde(default = "four")]
    pub completions: usize,
    /// Whether to score greedy decoding as well.
    #[serde(default = "yes")]
    pub greedy: bool,
}

/// Which mixtures are tried, and how often.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Design {
    /// Families of mixtures: `uniform`, `single`, `exclude_one`.
    pub named: Vec<Family>,
    /// Runs per mixture of a family, each with its own seeds; the r-th runs of all mixtures share theirs.
    pub replicates: u32,
    /// Further mixtures that fill the space between them, one run each.
    pub space_filling: usize,
    /// Further mixtures by any design of `modo list designs`, one run each: `name` and the design's settings. With
    /// `around = "natural"` a Dirichlet design draws around shares in proportion to the datasets' sizes.
    pub fill: Vec<toml::Table>,
    /// Runs of the uniform mixture beyond `replicates`: they measure the spread between seeds.
    pub centre_replicates: u32,
    /// Everything random in the design and the seeds of its runs come from it.
    pub seed: u64,
}

/// A family of mixtures of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Equal shares.
    Uniform,
    /// One dataset alone, for each.
    Single,
    /// Equal shares of all but one, for each.
    ExcludeOne,
}

/// What is to be made as large as possible; the aggregates are shown beside it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Objective {
    /// Over which benchmarks.
    pub aggregate: Aggregate,
    /// Of which completions.
    pub decoding: Decoding,
    /// Instead of an aggregate: weights of single benchmarks.
    pub weights: BTreeMap<Name, f64>,
    /// Instead of an aggregate: the benchmarks whose smallest gain over uniform shares is made large, each in
    /// standard deviations of its scores.
    pub worst_of: Vec<Name>,
    /// What must not get worse.
    pub guardrails: Vec<Rail>,
}

/// A sample-count-weighted mean over benchmarks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// All of them.
    #[default]
    Overall,
    /// In-Score: those of datasets that runs train on.
    In,
    /// Out-Score: the others.
    Out,
}

/// How the proposal is tested: fresh seeds, the full budget, the report half of the benchmarks.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// Paired runs of each mixture.
    pub seeds: u32,
    /// Optimizer steps; the proxy's where it is not given.
    #[serde(default)]
    pub steps: Option<u64>,
    /// Questions per benchmark, at most.
    pub questions: usize,
    /// Completions per question at temperature 1.
    #[serde(default = "four")]
    pub completions: usize,
}

/// Where runs are computed.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct LauncherTable {
    /// A launcher's name.
    #[serde(default = "local")]
    pub name: String,
    /// Failures that a run is allowed in one sweep.
    #[serde(default = "three")]
    pub attempts: u32,
    /// Seconds without a line in its metrics or log after which a run is given up; 0 for never.
    #[serde(default = "an_hour")]
    pub stall_s: u64,
    /// The launcher's own settings.
    #[serde(flatten)]
    pub settings: toml::Table,
}

/// Prompt groups of one run, at most: what a row of small groups could not train on in a century is a slip of the pen.
const MOST_GROUPS: u64 = 1_000_000_000_000;

impl Default for Design {
    fn default() -> Self {
        let named = vec![Family::Uniform, Family::Single, Family::ExcludeOne];
        Self { named, replicates: 2, space_filling: 0, fill: Vec::new(), centre_replicates: 0, seed: 0 }
    }
}

impl Default for Objective {
    fn default() -> Self {
        Self {
            aggregate: Aggregate::Overall,
            decoding: Decoding::Sampled,
            weights: BTreeMap::new(),
            worst_of: Vec::new(),
            guardrails: Vec::new(),
        }
    }
}

impl Default for LauncherTable {
    fn default() -> Self {
        Self { name: local(), attempts: three(), stall_s: an_hour(), settings: toml::Table::new() }
    }
}

impl Plan {
    /// What computes the runs.
    pub fn launcher(&self) -> Result<Box<dyn Launcher>> {
        let table = &self.launcher;
        let entry = LAUNCHERS.get(&table.name).input().at("table [launcher]")?;
        (entry.build)(table.settings.clone()).input().at("table [launcher]")
    }

    /// Reads `EXPERIMENT/plan.toml`.
    pub fn read(experiment: &Path) -> Result<Self> {
        let path = experiment.join("plan.toml");
        let place = path.display().to_string();
        let cannot = |e: std::io::Error| {
            Error::input(format!("the plan cannot be read: {e}"))
                .at(&place)
                .hint("give the folder of an experiment: one that holds a `plan.toml`")
        };
        if fs::metadata(&path).map_err(cannot)?.len() > MAX_BYTES {
            return Err(Error::input("the plan is larger than 1 MiB").at(place));
        }
        Self::parse(&fs::read_to_string(&path).map_err(cannot)?, &place)
    }

    /// From the text of a plan; `place` is its path, for messages.
    pub fn parse(text: &str, place: &str) -> Result<Self> {
        let plan: Self = toml::from_str(text).map_err(|error| explain(&error, text, place))?;
        plan.check().map_err(|error| error.at(place))?;
        Ok(plan)
    }

    /// The experiment's name: that of its folder.
    pub fn experiment_name(experiment: &Path) -> Result<Name> {
        let folder = experiment.canonicalize().unwrap_or_else(|_| experiment.to_owned());
        let name = folder.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        name.parse().map_err(|error| Error::input(error).at(experiment.display()).hint("rename the folder"))
    }

    /// Values that have the right type and are still wrong.
    fn check(&self) -> Result<()> {
        let wrong = |what: String, table: &str, key: &str| {
            Err(Error::input(what).at(if table.is_empty() {
                format!("key `{key}`")
            } else {
                format!("table [{table}], key `{key}`")
            }))
        };
        if self.schema != SCHEMA {
            let what = format!("the plan's schema is {}, this modo reads {SCHEMA}", self.schema);
            return wrong(what, "", "schema");
        }
        for (key, names) in [("train", &self.train), ("benchmarks", &self.benchmarks)] {
            if names.is_empty() {
                return wrong("at least one name is needed".to_owned(), "", key);
            }
            if let Some(twice) =
                names.iter().enumerate().find_map(|(i, n)| names[..i].contains(n).then_some(n))
            {
                return wrong(format!("`{twice}` is named twice"), "", key);
            }
        }
        for (table, value) in [("algorithm", &self.algorithm), ("predictor", &self.predictor)] {
            if !value.get("name").is_some_and(toml::Value::is_str) {
                return wrong(format!("the {table} has no name"), table, "name");
            }
        }
        let positive = [
            (self.budget.steps, "budget", "steps"),
            (self.budget.prompts_per_step, "budget", "prompts_per_step"),
            (u64::from(self.launcher.attempts), "launcher", "attempts"),
            (self.confirm.map_or(1, |c| u64::from(c.seeds)), "confirm", "seeds"),
            (self.confirm.and_then(|c| c.steps).unwrap_or(1), "confirm", "steps"),
            (self.confirm.map_or(1, |c| c.completions as u64), "confirm", "completions"),
        ];
        if let Some((_, table, key)) = positive.iter().find(|(value, ..)| *value == 0) {
            return wrong("it is 0 and must be 1 or more".to_owned(), table, key);
        }
        for (questions, table) in
            [(self.evaluation.questions, "evaluation"), (self.confirm.map_or(2, |c| c.questions), "confirm")]
        {
            if questions < 2 {
                let what = format!("it is {questions} and must be 2 or more: one question has no spread");
                return wrong(what, table, "questions");
            }
        }
        let steps = self.budget.steps.max(self.confirm.and_then(|c| c.steps).unwrap_or(0));
        if steps.checked_mul(self.budget.prompts_per_step).is_none_or(|groups| groups > MOST_GROUPS) {
            let what = format!("a run would draw more than {MOST_GROUPS} prompt groups");
            return wrong(what, "budget", "steps");
        }
        let decoding = self.objective.decoding;
        if self.evaluation.completions == 0 && (decoding == Decoding::Sampled || !self.evaluation.greedy) {
            return wrong(
                "the objective needs sampled completions and there are 0".to_owned(),
                "evaluation",
                "completions",
            );
        }
        if decoding == Decoding::Greedy && !self.evaluation.greedy {
            return wrong(
                "the objective is greedy decoding, which is left out".to_owned(),
                "evaluation",
                "greedy",
            );
        }
        let design = &self.design;
        if design.replicates == 0 && !design.named.is_empty() {
            return wrong("it is 0: no mixture of a family would run".to_owned(), "design", "replicates");
        }
        for (key, number, most) in [
            ("replicates", u64::from(design.replicates), 1000),
            ("centre_replicates", u64::from(design.centre_replicates), 1000),
            ("space_filling", design.space_filling as u64, 10_000),
        ] {
            if number > most {
                return wrong(format!("{number} are more than {most}"), "design", key);
            }
        }
        let Objective { weights, worst_of, guardrails, .. } = &self.objective;
        if let Some(name) = weights.keys().chain(worst_of).find(|name| !self.benchmarks.contains(name)) {
            return wrong(
                format!("`{name}` is none of the plan's `benchmarks`"),
                "objective",
                if weights.contains_key(name) { "weights" } else { "worst_of" },
            );
        }
        if self.objective.aggregate != Aggregate::Overall && !(weights.is_empty() && worst_of.is_empty()) {
            return wrong(
                "it cannot stand beside `weights` or `worst_of`, which are the objective then".to_owned(),
                "objective",
                "aggregate",
            );
        }
        if design.named.is_empty()
            && design.fill.is_empty()
            && design.space_filling == 0
            && design.centre_replicates == 0
        {
            return wrong("the design has no mixture: nothing would run".to_owned(), "design", "named");
        }
        if !weights.is_empty() && !worst_of.is_empty() {
            return wrong("it cannot stand beside `weights`".to_owned(), "objective", "worst_of");
        }
        if weights.values().any(|w| !w.is_finite())
            || (!weights.is_empty() && weights.values().all(|w| *w == 0.0))
        {
            return wrong("weights are numbers, not all 0".to_owned(), "objective", "weights");
        }
        if let Some(what) = guardrails.iter().find_map(|rail| rail.check().err()) {
            return wrong(what, "objective", "guardrails");
        }
        for fill in &design.fill {
            if let Err(what) = build_design(fill, None) {
                return wrong(what, "design", "fill");
            }
        }
        self.check_constraints()
    }

    /// Without the sizes of the datasets, which are not opened here.
    fn check_constraints(&self) -> Result<()> {
        let region = self.constraints.region(&self.train, None);
        region.map(drop).map_err(|error| Error::input(error).at("table [constraints]"))
    }
}

/// The design of a table with a `name`; the error in words. `natural`: what stands for `around = "natural"`, where it is
/// known.
pub fn build_design(
    table: &toml::Table,
    natural: Option<&BTreeMap<Name, f64>>,
) -> Result<Box<dyn MixtureDesign>, String> {
    let mut settings = table.clone();
    if settings.get("around").and_then(toml::Value::as_str) == Some("natural") {
        settings.remove("around");
        let shares = natural.into_iter().flatten().map(|(name, s)| (name.to_string(), toml::Value::from(*s)));
        settings.insert("around".to_owned(), toml::Value::Table(shares.collect()));
    }
    let Some(toml::Value::String(name)) = settings.remove("name") else {
        return Err("a design needs a `name`; `modo list designs` has them".to_owned());
    };
    let entry = DESIGNS.get(&name).map_err(|error| error.to_string())?;
    (entry.build)(settings).map_err(|error| error.to_string())
}

/// Says what `toml` found, with the line, the table and, for an unknown key, the keys there are.
fn explain(error: &toml::de::Error, text: &str, place: &str) -> Error {
    let message = error.message();
    let (what, hint) = match message.split_once(", expected ") {
        Some((unknown, known)) if message.starts_with("unknown field ") => {
            (unknown.replacen("unknown field", "unknown key", 1), Some(known))
        }
        _ => (message.replacen("missing field", "missing key", 1), None),
    };
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let mut out = Error::input(what);
    let line = before.matches('\n').count() + 1;
    let table = before.lines().rev().find_map(|line| line.trim().strip_prefix('[')?.split(']').next());
    // A missing key's span is its table's header, which `before` does not hold.
    let header = text.get(before.len()..).and_then(|rest| rest.strip_prefix('['));
    if let Some(table) = header.and_then(|rest| rest.split(']').next()).or(table) {
        out = out.at(format!("table [{table}]"));
    }
    if error.span().is_some() {
        out = out.at(format!("{place}, line {line}"));
    } else {
        out = out.at(place);
    }
    match hint {
        Some(known) => {
            out.hint(format!("there are {}", known.trim_start_matches("one of ").replace(" or ", ", ")))
        }
        None => out,
    }
}

fn default_predictor() -> toml::Table {
    toml::Table::from_iter([("name".to_owned(), toml::Value::from("proposer"))])
}

fn local() -> String {
    "local".to_owned()
}

fn four() -> usize {
    4
}

fn three() -> u32 {
    3
}

fn an_hour() -> u64 {
    3600
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = r#"
schema = 1
base = "nano"
train = ["detect", "refer"]
benchmarks = ["chart"]

[algorithm]
name = "grpo"
kl = 0.04

[budget]
steps = 40
prompts_per_step = 8

[evaluation]
questions = 100

[constraints]
min = { detect = 0.1 }
max_passes = 2.0

[confirm]
seeds = 5
questions = 300

[launcher]
workers = 2
"#;

    #[test]
    fn a_plan_is_read_with_its_defaults() {
        let plan = Plan::parse(PLAN, "plan.toml").unwrap();
        assert_eq!(plan.design, Design::default());
        assert_eq!(plan.evaluation, Evaluation { questions: 100, completions: 4, greedy: true });
        assert_eq!((plan.launcher.name.as_str(), plan.launcher.attempts), ("local", 3));
        assert_eq!(plan.launcher.settings["workers"].as_integer(), Some(2));
        assert_eq!(plan.algorithm["kl"].as_float(), Some(0.04));
        assert_eq!(plan.predictor["name"].as_str(), Some("proposer"));
        assert_eq!(plan.draw, DrawRule::Exact);
        let by_chance = PLAN.replace("base = ", "draw = \"iid\"\nbase = ");
        assert_eq!(Plan::parse(&by_chance, "plan.toml").unwrap().draw, DrawRule::Iid);
        check(
            &PLAN.replace("base = ", "draw = \"random\"\nbase = "),
            "unknown variant `random`, expected one of `exact`, `batch`, `iid`\n  in plan.toml, line 3",
        );
    }

    #[test]
    fn a_misspelt_key_is_named_with_its_place_and_what_there_is() {
        check(
            &PLAN.replace("steps = 40", "stepz = 40"),
            "unknown key `stepz`\n  in table [budget]\n  in plan.toml, line 12\nhint: there are `steps`, `prompts_per_step`",
        );
        check(
            &PLAN.replace("steps = 40\n", ""),
            "missing key `steps`\n  in table [budget]\n  in plan.toml, line 11",
        );
        check(
            &PLAN.replace("steps = 40", "steps = \"a\""),
            "invalid type: string \"a\", expected u64\n  in table [budget]\n  in plan.toml, line 12",
        );
    }

    #[test]
    fn wrong_values_are_named_with_table_and_key() {
        check(
            &PLAN.replace("steps = 40", "steps = 0"),
            "it is 0 and must be 1 or more\n  in table [budget], key `steps`\n  in plan.toml",
        );
        check(
            &PLAN.replace("detect = 0.1", "detct = 0.1"),
            "the constraint on `min` names `detct`, which is no dataset here; there are `detect`, `refer`\n  in table [constraints]\n  in plan.toml",
        );
        check(
            &PLAN.replace("detect = 0.1", "detect = 0.6, refer = 0.6"),
            "no mixture meets the constraints: together they ask for 1.2000 of 1: `detect` at least 0.6, `refer` at least 0.6\n  in table [constraints]\n  in plan.toml",
        );
        check(
            &PLAN.replace("[\"detect\", \"refer\"]", "[\"detect\", \"detect\"]"),
            "`detect` is named twice\n  in key `train`\n  in plan.toml",
        );
        check(
            &PLAN.replace("questions = 100", "questions = 1"),
            "it is 1 and must be 2 or more: one question has no spread\n  in table [evaluation], key `questions`\n  in plan.toml",
        );
    }

    #[test]
    fn a_missing_plan_says_what_to_give() {
        let error = Plan::read(Path::new("no/such/experiment")).unwrap_err().to_string();
        assert!(error.contains("in no/such/experiment/plan.toml\nhint: give the folder"), "{error}");
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(Plan::parse(text, "plan.toml").unwrap_err().to_string(), expected);
    }
}
