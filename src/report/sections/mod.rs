//! One file per section; each turns a part of the report into sentences, plots and tables.

mod confirm;
mod cost;
mod curves;
mod data;
mod front;
mod gains;
mod importance;
mod leaderboard;
mod maps;
mod next;
mod observed;
mod prediction;
mod proposal;
mod provenance;
mod realised;
mod shares;
mod signal;

use std::collections::BTreeSet;

use super::{
    Group, Report, ReportRun, Source,
    confirm::part as part_of,
    estimate::{count, digits, range, signed},
    page::{Fact, Page, Section, bound},
};
use crate::{
    mixture::Mixture,
    name::Name,
    run::{Decoding, Part, RunRecord},
};

/// All sections in reading order: the answer, the evidence, what it rests on.
pub(super) fn page(report: &Report) -> Page {
    Page {
        title: report.title.clone(),
        verdict: bound(&report.verdict),
        facts: match report.source {
            Source::Experiment => facts(report),
            Source::Table => table_facts(report),
        },
        sections: SECTIONS
            .iter()
            .filter(|(of, _)| of.is_none_or(|of| of == report.source))
            .map(|(_, section)| section(report))
            .collect(),
    }
}

/// Makes a section of a report.
type Make = fn(&Report) -> Section;

/// Every section, and the only kind of report that has it where there is one.
const SECTIONS: [(Option<Source>, Make); 18] = [
    (None, proposal::section),
    (Some(Source::Experiment), confirm::section),
    (Some(Source::Experiment), leaderboard::section),
    (Some(Source::Table), observed::section),
    (None, signal::section),
    (None, prediction::section),
    (None, importance::section),
    (None, shares::section),
    (None, maps::section),
    (None, front::section),
    (None, next::section),
    (Some(Source::Experiment), gains::section),
    (Some(Source::Experiment), curves::section),
    (Some(Source::Experiment), realised::section),
    (Some(Source::Experiment), data::section),
    (Some(Source::Experiment), cost::section),
    (Some(Source::Experiment), cost::failures),
    (None, provenance::section),
];

/// What readers of somebody else's table look for first.
fn table_facts(report: &Report) -> Vec<Fact> {
    let tried = report.surfaces.as_ref().map_or(0, |s| s.tried.len());
    let judged = || report.predictions.iter().filter(|p| p.skill.is_some());
    let signal = judged().filter(|p| p.skill.is_some_and(|s| s.signal)).count();
    let mixtures = judged().filter_map(|p| p.skill).map(|s| s.n_mixtures).max().unwrap_or(0);
    let objective = &report.objective;
    let mut facts = vec![
        Fact { name: "runs", value: tried.to_string(), detail: count(mixtures, "different mixture") },
        Fact {
            name: "objective",
            value: objective.target.name().to_owned(),
            detail: Some(&objective.description)
                .filter(|words| *words != objective.target.name())
                .map_or_else(|| "what the proposal is to make large".to_owned(), Clone::clone),
        },
        Fact {
            name: "scores that can be predicted",
            value: format!("{signal} of {}", judged().count()),
            detail: "better than by the mean, on mixtures left out".to_owned(),
        },
    ];
    let of_objective = report.predictions.iter().find(|p| p.target == objective.target);
    if let Some(skill) = of_objective.and_then(|p| p.skill) {
        facts.push(Fact {
            name: "skill on the objective",
            value: format!("R² {}", digits(skill.r2, 2)),
            detail: format!("rank correlation {}", digits(skill.rank_correlation, 2)),
        });
    }
    facts.extend(expected_gain(report));
    facts
}

fn expected_gain(report: &Report) -> Option<Fact> {
    let proposal = report.proposal.as_ref().filter(|p| p.signal)?;
    let (gain, of) = match &proposal.worst {
        Some((name, gain)) => (*gain, format!(", the least: `{name}`")),
        None => (proposal.gain, String::new()),
    };
    Some(Fact {
        name: "expected gain over uniform",
        value: signed(gain.mean),
        detail: format!("90 % interval {}{of}", range(Some(gain), signed)),
    })
}

fn facts(report: &Report) -> Vec<Fact> {
    let n = |f: &dyn Fn(&ReportRun) -> bool| report.runs.iter().filter(|run| f(run)).count();
    let finished = n(&|run| run.record.is_some());
    let failed = n(&|run| run.failure.is_some());
    let confirm = n(&|run| run.record.is_some() && run.group == Group::Confirm);
    let cpu: f64 = report.runs.iter().filter_map(|run| run.record.as_ref()).map(|r| r.cost.cpu_s).sum();
    let objective = &report.objective;
    let mut facts = vec![
        Fact {
            name: "runs finished",
            value: format!("{finished} of {}", report.runs.len()),
            detail: format!("{confirm} to confirm, {failed} given up"),
        },
        Fact {
            name: "objective",
            value: objective.target.phrase(objective.decoding),
            detail: "what the proposal is to make large".to_owned(),
        },
    ];
    facts.extend(expected_gain(report));
    let measured = report.confirm.iter().find(|c| c.arm == crate::report::PROPOSAL);
    if let Some(gain) = measured.and_then(|c| c.gain(&objective.target, objective.decoding)) {
        facts.push(Fact {
            name: "measured gain over uniform",
            value: signed(gain.gain.mean),
            detail: match gain.gain.interval() {
                Some(interval) => {
                    format!("95 % interval {}, n = {}", range(Some(interval), signed), gain.gain.n)
                }
                None => format!("{}, no interval", count(gain.gain.n, "pair")),
            },
        });
    }
    facts.push(Fact {
        name: "CPU time of finished runs",
        value: cost::duration(cpu),
        detail: match finished {
            0 => "none finished".to_owned(),
            n => format!("{} a run on average", cost::duration(cpu / n as f64)),
        },
    });
    facts
}

/// `, sampled`; nothing for scores of tables, which know no decoding.
fn suffix(report: &Report, decoding: Decoding) -> String {
    match report.source {
        Source::Experiment => format!(", {}", decoding.word()),
        Source::Table => String::new(),
    }
}

/// Finished runs, each with its record.
type Runs<'a> = Vec<(&'a ReportRun, &'a RunRecord)>;

/// Finished runs of one group, in the order of the plan.
fn finished(report: &Report, group: Group) -> Runs<'_> {
    let of_group = report.runs.iter().filter(|run| run.group == group);
    of_group.filter_map(|run| run.record.as_ref().map(|record| (run, record))).collect()
}

/// The half of the questions that the group's runs are judged by.
fn part(runs: &[(&ReportRun, &RunRecord)], group: Group) -> Part {
    let wanted = if group == Group::Sweep { Part::Selection } else { Part::Report };
    part_of(runs.iter().map(|run| run.1), wanted)
}

/// How sentences call it.
fn part_name(part: Part) -> &'static str {
    match part {
        Part::Selection => "selection questions",
        Part::Report => "report questions, which no decision saw",
    }
}

/// Finished runs of the same shares.
struct Tried<'a> {
    label: String,
    mixture: &'a Mixture,
    runs: Runs<'a>,
}

/// Runs by their shares, in order of first appearance.
fn by_mixture<'a>(runs: &[(&'a ReportRun, &'a RunRecord)]) -> Vec<Tried<'a>> {
    let mut all: Vec<Tried<'a>> = Vec::new();
    for &(run, record) in runs {
        match all.iter_mut().find(|tried| *tried.mixture == run.mixture) {
            Some(tried) => {
                if !tried.label.split(", ").any(|label| label == run.label) && tried.label.len() < 40 {
                    tried.label = format!("{}, {}", tried.label, run.label);
                }
                tried.runs.push((run, record));
            }
            None => {
                all.push(Tried {
                    label: run.label.clone(),
                    mixture: &run.mixture,
                    runs: vec![(run, record)],
                });
            }
        }
    }
    all
}

/// Every dataset that any run trains on.
fn datasets(report: &Report) -> Vec<Name> {
    let all: BTreeSet<&Name> = report.runs.iter().flat_map(|run| run.mixture.parts().map(|p| p.0)).collect();
    all.into_iter().cloned().collect()
}

/// At most `n` of `items`, evenly spread over all of them.
fn every<T>(items: &[T], n: usize) -> impl Iterator<Item = &T> {
    let step = items.len().div_ceil(n).max(1);
    items.iter().step_by(step)
}
