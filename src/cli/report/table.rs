//! The page of somebody else's table of runs.

use std::{collections::BTreeMap, path::Path};

use super::{predictions, proposal, signals, surfaces, write};
use crate::{
    decide::{Prediction, Score},
    error::{Context as _, Result},
    mixture::constraint::Constraints,
    name::Name,
    report::{self, Report, Source, Target},
    run::Decoding,
};

/// Characters of an objective in words above which the page calls it by one.
const MAX_OBJECTIVE: usize = 40;

/// Names that are not worth shortening: fewer, or with less in common.
const MIN_NAMES: usize = 3;
const MIN_COMMON: usize = 4;

/// Writes the page to `out`. `files`: what the table was read from; `maps`: see [`surfaces::triples`].
pub(in crate::cli) fn page(
    prediction: &Prediction,
    predictor: &toml::Table,
    constraints: &Constraints,
    files: [&Path; 2],
    maps: &[String],
    out: &Path,
) -> Result<()> {
    let region = constraints.region(&prediction.datasets, constraints.supply().as_ref()).input()?;
    let triples = surfaces::triples(maps, &prediction.datasets)?;
    let mut shown = prediction.clone();
    let mut notes = shorten(&mut shown);
    notes.extend(prediction.notes.iter().cloned());
    let words = if shown.objective.chars().count() > MAX_OBJECTIVE { "objective" } else { &shown.objective };
    let objective = report::Objective {
        target: Target::Column(words.to_owned()),
        decoding: Decoding::Sampled,
        description: shown.objective.clone(),
    };
    let target = |score: &Score| {
        let name = if score.name == shown.objective { words } else { &score.name };
        Some(Target::Column(name.to_owned()))
    };
    let fits = surfaces::fits(&shown, predictor, &target)?;
    let aims = surfaces::default_aims(&fits);
    // The datasets of the region have their long names; places are all that counts.
    let surfaces = surfaces::surfaces(&shown, fits, aims, triples, &region)?;
    let proposal = proposal(&shown)?;
    let of = |path: &Path| path.display().to_string();
    let report = Report {
        title: format!("modo: {}", files[1].file_stem().unwrap_or_default().to_string_lossy()),
        source: Source::Table,
        verdict: report::verdict(&objective, Some(&proposal), None, shown.runs.len()),
        objective,
        base: None,
        runs: Vec::new(),
        predictions: predictions(&shown, &target),
        signal: signals(&shown, &target),
        proposal: Some(proposal),
        surfaces: Some(surfaces),
        confirm: Vec::new(),
        reward_weights: BTreeMap::new(),
        notes,
        data: Vec::new(),
        provenance: BTreeMap::from([
            ("modo".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            ("mixtures".to_owned(), of(files[0])),
            ("scores".to_owned(), of(files[1])),
            ("hash of both".to_owned(), prediction.ledger.clone()),
            ("predictor".to_owned(), prediction.predictor.clone()),
            ("objective".to_owned(), prediction.objective.clone()),
        ]),
        plan: String::new(),
    };
    write(&report, out)
}

/// Takes off what all names have in common: columns of seventeen datasets under their full names cannot be read side
/// by side. Gives sentences that say so.
fn shorten(prediction: &mut Prediction) -> Vec<String> {
    let mut notes = Vec::new();
    let names: Vec<String> = prediction.datasets.iter().map(ToString::to_string).collect();
    if let Some((prefix, suffix, short)) = common(&names)
        && let Ok(parsed) = short.iter().map(|name| name.parse::<Name>()).collect::<Result<Vec<_>, _>>()
    {
        prediction.datasets = parsed;
        notes.push(said("datasets", &prefix, &suffix));
    }
    let names: Vec<String> = prediction.targets.iter().map(|score| score.name.clone()).collect();
    if let Some((prefix, suffix, short)) = common(&names) {
        // The objective is a sum of targets by name.
        for (long, short) in names.iter().zip(&short) {
            prediction.objective = prediction.objective.replace(long.as_str(), short);
            for sum in &mut prediction.aggregates {
                sum.name = sum.name.replace(long.as_str(), short);
            }
        }
        prediction.targets.iter_mut().zip(short).for_each(|(score, short)| score.name = short);
        notes.push(said("scores", &prefix, &suffix));
    }
    notes
}

fn said(what: &str, prefix: &str, suffix: &str) -> String {
    let ends: Vec<String> =
        [prefix, suffix].iter().filter(|end| !end.is_empty()).map(|end| format!("`{end}`")).collect();
    format!("Names of {what} are shown without what all have in common: {}.", ends.join(" and "))
}

/// What all names begin and end with, cut at a mark between words, and what is left of each.
fn common(names: &[String]) -> Option<(String, String, Vec<String>)> {
    if names.len() < MIN_NAMES {
        return None;
    }
    let mark = |c: char| "_-./: ".contains(c);
    let first = names.first()?;
    let same =
        |n: usize| first.get(..n).is_some_and(|start| names.iter().all(|name| name.starts_with(start)));
    let prefix = (0..=first.len()).rev().find(|&n| same(n) && (n == 0 || first[..n].ends_with(mark)))?;
    let same = |n: usize| {
        first.get(first.len() - n..).is_some_and(|end| names.iter().all(|name| name.ends_with(end)))
    };
    let suffix = (0..=first.len())
        .rev()
        .find(|&n| same(n) && (n == 0 || first[first.len() - n..].starts_with(mark)))?;
    if prefix + suffix < MIN_COMMON || names.iter().any(|name| name.len() <= prefix + suffix) {
        return None;
    }
    let short = names.iter().map(|name| name[prefix..name.len() - suffix].to_owned()).collect();
    Some((first[..prefix].to_owned(), first[first.len() - suffix..].to_owned(), short))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[&str], expected: Option<(&str, &str, &[&str])>) {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let found = common(&names);
        let found = found.as_ref().map(|(p, s, short)| {
            (p.as_str(), s.as_str(), short.iter().map(String::as_str).collect::<Vec<_>>())
        });
        assert_eq!(found, expected.map(|(p, s, short)| (p, s, short.to_vec())));
    }

    #[test]
    fn what_all_names_share_is_cut_between_words() {
        check(
            &["metric/pile_arxiv_loss", "metric/pile_github_loss", "metric/pile_ubuntu_irc_loss"],
            Some(("metric/pile_", "_loss", &["arxiv", "github", "ubuntu_irc"])),
        );
        check(&["train_a", "train_b", "train_c"], Some(("train_", "", &["a", "b", "c"])));
        check(&["apple", "apricot", "apex"], None);
        check(&["train_a", "train_b"], None);
        check(&["data_x", "data_", "data_y"], None);
        check(&["détail_é", "détail_è", "détail_ê"], Some(("détail_", "", &["é", "è", "ê"])));
    }
}
