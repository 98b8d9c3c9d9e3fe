//! What training gained over the base, and of what kind that gain is.

use super::{Runs, finished, part, part_name};
use crate::{
    report::{
        DECODINGS, Group, Report, ReportRun, RewardWeights, Target,
        estimate::{Estimate, count, plain, range, signed},
        page::{Cell, Section, Table},
        plot::{Axis, Ink, Mark, Plot},
        targets,
    },
    reward::Scored,
    run::{BenchmarkScore, Decoding, Domain, Part, RunRecord},
};

/// What training changed on one target, means over runs minus the base.
struct Change {
    target: Target,
    decoding: Decoding,
    base: f64,
    gain: Estimate,
    /// Share of completions in the right format.
    format_base: f64,
    format: f64,
    /// Of the gain: answers that were right all along, in a wrong format.
    freed: f64,
    /// Of the gain: answers that are right now and were not in any format.
    skill: f64,
}

pub(super) fn section(report: &Report) -> Section {
    let mut section = Section::new("gains", "What training gained");
    let Some(base) = &report.base else {
        section.text("The base was not evaluated, so what training gained over it is not known.");
        return section;
    };
    let mut arms: Vec<(String, Group, Runs<'_>)> = Vec::new();
    for (run, record) in finished(report, Group::Confirm) {
        match arms.iter_mut().find(|arm| arm.0 == run.label) {
            Some(arm) => arm.2.push((run, record)),
            None => arms.push((run.label.clone(), Group::Confirm, vec![(run, record)])),
        }
    }
    // Every confirm run under a label of its own would make as many tables.
    arms.truncate(4);
    if arms.is_empty() {
        arms.push(("all proxy runs".to_owned(), Group::Sweep, finished(report, Group::Sweep)));
    }
    if arms.iter().all(|arm| arm.2.is_empty()) {
        section.text("No run has finished, so there is no gain to take apart.");
        return section;
    }
    section.text(
        "A score counts right answers in the right format; the lenient score counts them in any format. \
         What the lenient score gained is new skill; the rest of the gain are answers that were right \
         before, in a wrong format. A negative part means that there was more of it before. Format itself, \
         right or wrong answer alike, is the share of completions that keep it.",
    );
    if let Some(sentence) = different_weights(report) {
        section.text(sentence);
    }
    for (label, group, runs) in arms {
        let part = part(&runs, group);
        let changes = changes(base, &runs, part);
        section.heading(format!("{label}: {}, {}", count(runs.len(), "run"), part_name(part)));
        if changes.is_empty() {
            section.text("The base and these runs have no benchmark, half and decoding in common.");
            continue;
        }
        let objective = &report.objective;
        let is_objective = |c: &&Change| c.target == objective.target && c.decoding == objective.decoding;
        if let Some(change) = changes.iter().find(is_objective) {
            section.text(sentence(change));
        }
        let plots = DECODINGS.map(|decoding| {
            let of: Vec<&Change> = changes.iter().filter(|change| change.decoding == decoding).collect();
            (
                format!("Gain in reward over the base, {}, {}.", decoding.word(), weighing(&of, report)),
                plot(&of, report),
            )
        });
        section.plots(false, plots);
        section.table(table(&changes, &label));
        if let Some(outcomes) = outcomes(base, &runs, part) {
            section.table(outcomes);
        }
    }
    section
}

/// How the reward of a target's benchmarks weighs answer and format; none where they differ.
fn weights(report: &Report, target: &Target) -> Option<RewardWeights> {
    let of = |name| report.reward_weights.get(name).copied().unwrap_or_default();
    if let Target::Benchmark(name) = target {
        return Some(of(name));
    }
    let scores = report.base.iter().flatten().filter(|s| match target {
        Target::In => s.domain == Domain::InDomain,
        Target::Out => s.domain == Domain::OutOfDomain,
        _ => true,
    });
    let mut all = scores.map(|s| of(&s.benchmark));
    let first = all.next()?;
    all.all(|other| other == first).then_some(first)
}

/// Says which benchmarks weigh answer and format in which way, where they do not all do it alike.
fn different_weights(report: &Report) -> Option<String> {
    let names: std::collections::BTreeSet<&crate::name::Name> =
        report.base.iter().flatten().map(|s| &s.benchmark).collect();
    let mut kinds: Vec<(RewardWeights, Vec<String>)> = Vec::new();
    for name in names {
        let weights = report.reward_weights.get(name).copied().unwrap_or_default();
        match kinds.iter_mut().find(|kind| kind.0 == weights) {
            Some(kind) => kind.1.push(name.to_string()),
            None => kinds.push((weights, vec![name.to_string()])),
        }
    }
    if kinds.len() < 2 {
        return None;
    }
    let said = kinds.iter().map(|(weights, names)| {
        format!("{} (format {}, right answer {})", names.join(", "), weights.format, weights.accuracy)
    });
    Some(format!(
        "Rewards do not weigh answer and format alike: {}. What several of them come to has no reward of its own, and no bar.",
        said.collect::<Vec<_>>().join("; ")
    ))
}

/// How the bars of a plot are weighed, in words.
fn weighing(changes: &[&Change], report: &Report) -> String {
    let mut all = changes.iter().filter_map(|change| weights(report, &change.target));
    let first = all.next().unwrap_or_default();
    if all.all(|other| other == first) {
        format!("as the reward weighs it (format {}, right answer {})", first.format, first.accuracy)
    } else {
        "as the reward of each benchmark weighs it".to_owned()
    }
}

fn changes(base: &[BenchmarkScore], runs: &[(&ReportRun, &RunRecord)], part: Part) -> Vec<Change> {
    let mut changes = Vec::new();
    for target in targets(runs.iter().flat_map(|run| &run.1.scores), part) {
        for decoding in DECODINGS {
            let before =
                |of: fn(&Target, &[BenchmarkScore], Part, Decoding) -> Option<crate::score::Score>| {
                    of(&target, base, part, decoding).map(|score| score.mean)
                };
            let after =
                |of: fn(&Target, &[BenchmarkScore], Part, Decoding) -> Option<crate::score::Score>| {
                    Estimate::of(
                        runs.iter()
                            .filter_map(|run| of(&target, &run.1.scores, part, decoding))
                            .map(|s| s.mean),
                    )
                };
            let (Some(score), Some(lenient), Some(format)) =
                (before(Target::score), before(Target::lenient), before(Target::format_rate))
            else {
                continue;
            };
            let scores = after(Target::score);
            if scores.n == 0 || !score.is_finite() {
                continue;
            }
            let skill = after(Target::lenient).mean - lenient;
            changes.push(Change {
                target: target.clone(),
                decoding,
                base: score,
                gain: Estimate { mean: scores.mean - score, ..scores },
                format_base: format,
                format: after(Target::format_rate).mean,
                freed: scores.mean - score - skill,
                skill,
            });
        }
    }
    changes
}

/// What came of the completions of each benchmark, before and after; none where no record says it.
fn outcomes(base: &[BenchmarkScore], runs: &[(&ReportRun, &RunRecord)], part: Part) -> Option<Table> {
    let mut head = vec!["benchmark".to_owned(), "decoding".to_owned(), "of".to_owned()];
    head.extend(Scored::OUTCOMES.map(|outcome| outcome.replace('_', " ")));
    let mut table = Table::new(
        "What came of the completions of each benchmark, as shares: where `right` grows by what `right without format` and `format` lose, the \
         gain is format and not skill.",
        head,
    );
    let after: Vec<&BenchmarkScore> = runs.iter().flat_map(|run| &run.1.scores).collect();
    let before: Vec<&BenchmarkScore> = base.iter().collect();
    for target in targets(after.iter().copied(), part) {
        let Target::Benchmark(name) = &target else { continue };
        for decoding in DECODINGS {
            for (which, scores) in [("base", &before), ("trained", &after)] {
                let of = |outcome: &str| -> u64 {
                    let same = |s: &&&BenchmarkScore| {
                        s.benchmark == *name && s.part == part && s.decoding == decoding
                    };
                    scores.iter().filter(same).filter_map(|s| s.outcomes.get(outcome)).sum()
                };
                let counts = Scored::OUTCOMES.map(of);
                let all: u64 = counts.iter().sum();
                if all == 0 {
                    continue;
                }
                let mut row = vec![Cell::text(name.as_str()), Cell::text(decoding.word()), Cell::text(which)];
                row.extend(counts.map(|count| Cell::number(plain(count as f64 / all as f64))));
                table.rows.push(row);
            }
        }
    }
    (!table.rows.is_empty()).then_some(table)
}

fn sentence(change: &Change) -> String {
    format!(
        "On the objective ({}, {}) training gained {} (95 % interval {}, n = {}): {} are answers that \
         were right before, in a wrong format, {} are new skill. The share of completions in the right \
         format went from {} to {}.",
        change.target.name(),
        change.decoding.word(),
        signed(change.gain.mean),
        range(change.gain.interval(), signed),
        change.gain.n,
        signed(change.freed),
        signed(change.skill),
        plain(change.format_base),
        plain(change.format)
    )
}

fn plot(changes: &[&Change], report: &Report) -> Plot {
    let mut marks = Vec::new();
    for (i, change) in changes.iter().enumerate() {
        let Some(weights) = weights(report, &change.target) else { continue };
        let parts = [
            (weights.format * (change.format - change.format_base), Ink::Third, "format"),
            (weights.accuracy * change.freed, Ink::Other, "right before, in a wrong format"),
            (weights.accuracy * change.skill, Ink::Main, "new skill"),
        ];
        // What was gained is stacked to the right of 0, what was lost to the left.
        let (mut right, mut left) = (0.0, 0.0);
        for (size, ink, what) in parts {
            let side = if size < 0.0 { &mut left } else { &mut right };
            let tip = format!("{}: {what} {}", change.target.name(), signed(size));
            marks.push(Mark::Bar { from: *side, to: *side + size, y: i as f64, height: 0.6, ink, tip });
            *side += if size.is_finite() { size } else { 0.0 };
        }
    }
    Plot {
        title: "Gain in reward over the base, by kind".into(),
        x: Axis::Numbers { label: "gain in mean reward".into(), include: vec![0.0] },
        y: Axis::Rows(changes.iter().map(|change| change.target.name().to_owned()).collect()),
        marks,
        legend: vec![
            (Ink::Third, "format".into()),
            (Ink::Other, "right before, wrong format".into()),
            (Ink::Main, "new skill".into()),
        ],
        size: (460.0, 0.0),
    }
}

fn table(changes: &[Change], label: &str) -> Table {
    let mut table = Table::new(
        format!(
            "Scores and rates in [0, 1]; {label} minus base. Intervals are 95 % over runs and take the \
             base's score as given."
        ),
        [
            "target",
            "decoding",
            "base score",
            "gain",
            "95 % interval",
            "of it right before, wrong format",
            "of it new skill",
            "format before",
            "format after",
            "runs",
        ],
    );
    table.rows = changes
        .iter()
        .map(|change| {
            vec![
                Cell::text(change.target.name()),
                Cell::text(change.decoding.word()),
                Cell::number(plain(change.base)),
                Cell::number(signed(change.gain.mean)),
                Cell::number(range(change.gain.interval(), signed)),
                Cell::number(signed(change.freed)),
                Cell::number(signed(change.skill)),
                Cell::number(plain(change.format_base)),
                Cell::number(plain(change.format)),
                Cell::number(change.gain.n.to_string()),
            ]
        })
        .collect();
    table
}
