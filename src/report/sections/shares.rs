//! Each benchmark's score over each dataset's share: what the predictors see.

use super::{datasets, every, finished, part, part_name};
use crate::{
    name::Name,
    report::{
        Group, Report, ReportRun, Surfaces, Target,
        estimate::{count, digits, digits_for, plain, range},
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
    if let Some(surfaces) = &report.surfaces {
        responses(report, surfaces, &mut section);
        return section;
    }
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
        decoding.word(),
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
            section.text(format!("{}: not scored with {} decoding.", target.name(), decoding.word()));
        } else {
            section.heading(target.name());
            section.plots(true, panels);
        }
    }
    section
}

/// Runs with the predicted response laid over them.
fn responses(report: &Report, surfaces: &Surfaces, section: &mut Section) {
    let centre = if surfaces.centre.is_proposal { "the proposal's" } else { "uniform" };
    section.text(format!(
        "Dots are runs ({}). The line is the expected score where one dataset takes the share on the axis and the others \
         keep {centre} proportions, with its 90 % band (of the surface; single runs scatter more); the upright line is {}. \
         Dots need not follow the line: their other shares differ.",
        count(surfaces.tried.len(), "run"),
        if surfaces.centre.is_proposal { "the proposed share" } else { "the uniform share" }
    ));
    let targets: Vec<usize> = (0..surfaces.shown.len())
        .filter(|&i| surfaces.responses.iter().any(|response| response.target == i))
        .collect();
    let drawn = surfaces.responses.iter().filter(|response| response.target == 0).count();
    if drawn < surfaces.datasets.len() || targets.len() < surfaces.shown.len() {
        section.text(format!(
            "Drawn are the {drawn} of {} that the objective depends on most, and {} of {}.",
            count(surfaces.datasets.len(), "dataset"),
            targets.len(),
            count(surfaces.shown.len(), "target")
        ));
    }
    for &target in &targets {
        let shown = &surfaces.shown[target];
        let name = shown.target.phrase(report.objective.decoding);
        let name = if shown.signal { name } else { format!("{name}: no signal") };
        let panels = response_panels(surfaces, target);
        // The objective and the aggregates first; the rest is there for who looks for it.
        if target == 0 || matches!(shown.target, Target::In | Target::Out | Target::Overall) {
            section.heading(name);
            section.plots(true, panels);
        } else {
            section.folded_plots(true, name, panels);
        }
    }
}

fn response_panels(surfaces: &Surfaces, target: usize) -> Vec<(String, Plot)> {
    let shown = &surfaces.shown[target];
    let own = || surfaces.responses.iter().filter(|response| response.target == target);
    let observed = || shown.observed.iter().copied().filter(|v| v.is_finite());
    let means = || own().flat_map(|response| response.points.iter().map(|p| p.1.mean));
    let low = observed().chain(means()).fold(f64::INFINITY, f64::min);
    let high = observed().chain(means()).fold(f64::NEG_INFINITY, f64::max);
    let n = digits_for(high - low);
    // Far from all runs the band is as wide as ignorance is: it is cut, or nothing else could be read.
    let room = 0.1 * (high - low);
    let cut = |value: f64| value.clamp(low - room, high + room);
    let panel = |response: &crate::report::Response| {
        let dataset = &surfaces.datasets[response.dataset];
        let band = response.points.iter().map(|(share, at)| (*share, cut(at.low), cut(at.high)));
        let line: Vec<(f64, f64)> = response.points.iter().map(|(share, at)| (*share, at.mean)).collect();
        let at_centre = surfaces.centre.shares[response.dataset];
        let runs: Vec<usize> = (0..surfaces.tried.len()).collect();
        let mut marks = vec![Mark::Band { points: band.collect(), ink: Ink::Main, tip: String::new() }];
        marks.push(Mark::Upright {
            x: at_centre,
            ink: Ink::Third,
            tip: format!("share {}", plain(at_centre)),
        });
        marks.extend(every(&runs, MAX_DOTS).map(|&run| {
            let (x, y) = (surfaces.tried[run].shares[response.dataset], shown.observed[run]);
            let label = &surfaces.tried[run].label;
            let tip = format!("{label}: share {}, score {}", plain(x), digits(y, n));
            Mark::Dot { x, y, range: None, ink: Ink::Faint, tip }
        }));
        let tip = |(share, at): &(f64, crate::report::Interval)| {
            format!(
                "share {}: {} ({})",
                plain(*share),
                digits(at.mean, n),
                range(Some(*at), |v| digits(v, n))
            )
        };
        let ends = [response.points.first(), response.points.last()].into_iter().flatten().map(tip);
        marks.push(Mark::Line { points: line, ink: Ink::Main, tip: ends.collect::<Vec<_>>().join("; ") });
        let plot = Plot {
            title: format!("{} over the share of {dataset}", shown.target.name()),
            x: Axis::Numbers { label: format!("share of {dataset}"), include: vec![0.0, 1.0] },
            y: Axis::Numbers { label: String::new(), include: vec![low - room, high + room] },
            marks,
            legend: Vec::new(),
            size: (210.0, 130.0),
        };
        (String::new(), plot)
    };
    own().map(panel).collect()
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
