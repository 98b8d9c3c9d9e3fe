//! Each benchmark's score over each dataset's share: what the predictors see.

use super::{datasets, every, finished, part, part_name};
use crate::{
    name::Name,
    report::{
        Group, Report, ReportRun, Target, decoding_name,
        estimate::{count, plain},
        page::Section,
        plot::{Axis, Ink, Mark, Plot},
        targets,
    },
    run::{Part, RunRecord},
};

/// Bounds on the page's size: panels, and dots in each.
const MAX_TARGETS: usize = 12;
const MAX_DATASETS: usize = 8;
const MAX_DOTS: usize = 80;

pub(super) fn section(report: &Report) -> Section {
    let mut section = Section::new("shares", "Scores over shares");
    let runs = finished(report, Group::Sweep);
    let part = part(&runs, Group::Sweep);
    let targets = targets(runs.iter().flat_map(|run| &run.1.scores), part);
    if targets.is_empty() {
        section.text("No finished proxy run was scored, so there is no score to show over the shares.");
        return section;
    }
    let datasets = datasets(report);
    let decoding = report.objective.decoding;
    section.text(format!(
        "One dot per run ({}, {}, {}). Shares sum to 1: where one goes up others go down, so a slope in \
         one panel need not be that dataset's own doing.",
        count(runs.len(), "run"),
        decoding_name(decoding),
        part_name(part)
    ));
    if runs.len() > MAX_DOTS || targets.len() > MAX_TARGETS || datasets.len() > MAX_DATASETS {
        section.text(format!(
            "Thinned: at most {MAX_TARGETS} of {}, {MAX_DATASETS} of {} and {MAX_DOTS} runs are drawn.",
            count(targets.len(), "target"),
            count(datasets.len(), "dataset")
        ));
    }
    for target in targets.iter().take(MAX_TARGETS) {
        let panels = datasets.iter().take(MAX_DATASETS).map(|dataset| {
            let marks =
                every(&runs, MAX_DOTS).filter_map(|run| dot(*run, target, dataset, report, part)).collect();
            let plot = Plot {
                title: format!("{} over the share of {dataset}", target.name()),
                x: Axis::Numbers { label: format!("share of {dataset}"), include: vec![0.0] },
                y: Axis::numbers("score"),
                marks,
                legend: Vec::new(),
                size: (210.0, 130.0),
            };
            (String::new(), plot)
        });
        let panels: Vec<_> = panels.filter(|panel| !panel.1.marks.is_empty()).collect();
        if panels.is_empty() {
            section.text(format!("{}: not scored with {} decoding.", target.name(), decoding_name(decoding)));
        } else {
            section.heading(target.name());
            section.plots(true, panels);
        }
    }
    section
}

fn dot(
    (run, record): (&ReportRun, &RunRecord),
    target: &Target,
    dataset: &Name,
    report: &Report,
    part: Part,
) -> Option<Mark> {
    let score = target.score(&record.scores, part, report.objective.decoding)?;
    let share = run.mixture.share(dataset);
    Some(Mark::Dot {
        x: share,
        y: score.mean,
        range: None,
        ink: Ink::Main,
        tip: format!(
            "{}: share {}, score {} ± {} (n = {})",
            run.label,
            plain(share),
            plain(score.mean),
            plain(score.standard_error),
            score.n_questions
        ),
    })
}
