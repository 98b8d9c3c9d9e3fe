//! Mixtures with a name: the paper's eleven, and the files under `mixtures/` that hold them and what was predicted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BadMixture, Mixture};
use crate::name::Name;

/// Version of [`MixtureFile`] on disk.
pub const SCHEMA: u32 = 1;

/// `mixtures/NAME.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MixtureFile {
    /// [`SCHEMA`] when it was written.
    pub schema: u32,
    /// Share of the prompt groups per optimizer step, by dataset; datasets that are not named get none.
    pub shares: BTreeMap<String, f64>,
    /// Where the shares came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// What they are expected to score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicted: Option<Predicted>,
    /// The constraints that were met by touching them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<String>,
    /// What whoever trains on it has to know, such as that there was no signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Keys of newer versions; in this version's files they are errors.
    #[serde(flatten)]
    others: BTreeMap<String, serde_json::Value>,
}

/// Where shares came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A rule that needs no run, in words.
    Rule(String),
    /// A prediction.
    Prediction {
        /// Hash of the ledger that it was fitted on.
        ledger: String,
        /// The predictor's name.
        predictor: String,
        /// Runs in that ledger.
        n_runs: usize,
    },
}

/// What a mixture is expected to score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Predicted {
    /// What was maximised, in words.
    pub objective: String,
    /// The objective's expected score.
    pub score: Interval,
    /// Its expected gain over uniform shares.
    pub gain_over_uniform: Interval,
    /// Chance that it beats uniform shares, in [0, 1].
    pub chance_of_beating_uniform: f64,
}

/// A figure with the range it is believed to be in: the 90 % interval, unless something else is said.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The figure.
    pub mean: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// A file that holds no mixture.
#[derive(Debug, thiserror::Error)]
pub enum BadFile {
    /// Not JSON, or not this JSON.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// A key that this version does not know.
    #[error("unknown key `{0}`; there are `schema`, `shares`, `origin`, `predicted`, `constraints`, `note`")]
    Key(String),
    /// Shares that make no mixture.
    #[error(transparent)]
    Mixture(#[from] BadMixture),
    /// A share of something that is no dataset of the experiment.
    #[error("a share for `{}`, which is no dataset here; there are {known}", given.escape_debug())]
    UnknownDataset {
        /// What was written.
        given: String,
        /// What there is.
        known: String,
    },
}

impl MixtureFile {
    /// Of a mixture, nothing said about it yet.
    pub fn new(mixture: &Mixture) -> Self {
        Self {
            schema: SCHEMA,
            shares: mixture.shares().map(|(name, share)| (name.to_string(), share)).collect(),
            origin: None,
            predicted: None,
            constraints: Vec::new(),
            note: None,
            others: BTreeMap::new(),
        }
    }

    /// Reads a file's text. Shares sum to 1 within 0.01; every name must be one of `datasets`.
    pub fn parse(text: &str, datasets: &[Name]) -> Result<(Self, Mixture), BadFile> {
        let file: Self = serde_json::from_str(text)?;
        if let Some(key) = file.others.keys().next().filter(|_| file.schema <= SCHEMA) {
            return Err(BadFile::Key(key.escape_debug().to_string()));
        }
        let mut shares: BTreeMap<Name, f64> = datasets.iter().map(|name| (name.clone(), 0.0)).collect();
        for (given, share) in &file.shares {
            let Some(place) = shares.get_mut(given.as_str()) else {
                let known = datasets.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                return Err(BadFile::UnknownDataset { given: given.chars().take(80).collect(), known });
            };
            *place = *share;
        }
        let mixture = Mixture::new(&shares)?;
        Ok((file, mixture))
    }

    /// The file's text.
    pub fn to_json(&self) -> Vec<u8> {
        crate::store::to_json_pretty(self)
    }
}

/// The paper's seed mixtures with their rules (arXiv:2505.24871 §3.1): `uniform`, `single_X`, `exclude_X`; those of
/// one dataset are left out where they would repeat another.
pub fn seed_mixtures(datasets: &[Name]) -> Result<Vec<(String, Mixture, String)>, BadMixture> {
    let mut all =
        vec![("uniform".to_owned(), Mixture::uniform(datasets)?, "the same share for all".to_owned())];
    if datasets.len() < 2 {
        return Ok(all);
    }
    for name in datasets {
        all.push((format!("single_{name}"), among(datasets, |n| n == name)?, format!("all on `{name}`")));
    }
    // Of two datasets, excluding one is choosing the other.
    if datasets.len() > 2 {
        for name in datasets {
            let mixture = among(datasets, |n| n != name)?;
            all.push((format!("exclude_{name}"), mixture, format!("the same share for all but `{name}`")));
        }
    }
    Ok(all)
}

/// Equal shares for the chosen datasets, none for the others.
fn among(datasets: &[Name], chosen: impl Fn(&Name) -> bool) -> Result<Mixture, BadMixture> {
    let count = datasets.iter().filter(|name| chosen(name)).count() as f64;
    let share = |name: &Name| if chosen(name) { 1.0 / count } else { 0.0 };
    Mixture::new(&datasets.iter().map(|name| (name.clone(), share(name))).collect())
}

/// The file of a seed mixture.
pub fn seed_file(mixture: &Mixture, rule: &str) -> MixtureFile {
    MixtureFile { origin: Some(Origin::Rule(rule.to_owned())), ..MixtureFile::new(mixture) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(of: &[&str]) -> Vec<Name> {
        of.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn five_datasets_have_the_papers_eleven() {
        let all = seed_mixtures(&names(&["detect", "refer", "geometry", "spatial", "science"])).unwrap();
        assert_eq!(all.len(), 11);
        let (name, mixture, _) = &all[6];
        assert_eq!(
            (name.as_str(), mixture.brief().as_str()),
            ("exclude_detect", "geometry .25 refer .25 science .25 spatial .25")
        );
        assert_eq!(all[5].1.brief(), "science 1.00");
    }

    #[test]
    fn what_is_written_reads_back() {
        let datasets = names(&["a", "b"]);
        let mut file = seed_file(&Mixture::uniform(&datasets).unwrap(), "by hand");
        file.note = Some("no signal".to_owned());
        let interval = Interval { mean: 0.5, low: 0.4, high: 0.6 };
        file.predicted = Some(Predicted {
            objective: "In-Score".to_owned(),
            score: interval,
            gain_over_uniform: interval,
            chance_of_beating_uniform: 0.9,
        });
        let text = String::from_utf8(file.to_json()).unwrap();
        assert_eq!(
            MixtureFile::parse(&text, &datasets).unwrap(),
            (file, Mixture::uniform(&datasets).unwrap())
        );
    }

    #[test]
    fn bad_files_say_what_is_wrong() {
        check(
            r#"{"schema": 1, "shares": {"a": 0.5, "x": 0.5}}"#,
            "a share for `x`, which is no dataset here; there are `a`, `b`",
        );
        check(r#"{"schema": 1, "shares": {"a": 0.5, "b": 0.47}}"#, "the shares sum to 0.9700, not to 1");
        check(r#"{"schema": 1, "shares": {"a": 1}, "orgin": {}}"#, "unknown key `orgin`");
        check(r#"{"schema": 1, "shares": {"a": 1.5, "b": -0.5}}"#, "the share of `b` is -0.5");
        check(r#"{"schema": 1}"#, "missing field `shares`");
        check("mixture", "expected value at line 1");
    }

    #[test]
    fn keys_of_newer_versions_are_tolerated_and_datasets_not_named_get_nothing() {
        let text = r#"{"schema": 2, "shares": {"a": 0.996}, "colour": "blue"}"#;
        let (_, mixture) = MixtureFile::parse(text, &names(&["a", "b"])).unwrap();
        assert_eq!(mixture.brief(), "a 1.00");
    }

    fn check(text: &str, expected: &str) {
        let error = MixtureFile::parse(text, &names(&["a", "b"])).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
