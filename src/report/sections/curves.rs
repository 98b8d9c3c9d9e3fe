//! Training curves, per dataset.

use std::collections::BTreeMap;

use super::every;
use crate::{
    name::Name,
    report::{
        CurvePoint, Report, ReportRun,
        estimate::count,
        page::Section,
        plot::{Axis, Ink, Mark, Plot},
    },
};

/// Points per line, single runs per plot, and datasets: bounds on the page's size.
const BINS: u64 = 40;
const MAX_LINES: usize = 24;
const MAX_DATASETS: usize = 12;

type Metric = fn(&CurvePoint) -> f64;

/// What is drawn for each dataset: name with unit, and where it is.
const METRICS: [(&str, Metric); 4] = [
    ("mean reward", |p| p.reward),
    ("format rate", |p| p.format),
    ("KL to the base (nats per token)", |p| p.kl),
    ("completion length (tokens)", |p| p.tokens),
];

pub(super) fn section(report: &Report) -> Section {
    let mut section = Section::new("curves", "Training curves");
    let runs: Vec<&ReportRun> = report.runs.iter().filter(|run| !run.curves.is_empty()).collect();
    let Some(last) = runs.iter().flat_map(|run| &run.curves).map(|p| p.step).max() else {
        section.text("No run has left training metrics.");
        return section;
    };
    let width = (last + 1).div_ceil(BINS);
    section.text(format!(
        "Thin lines are single runs, the thick one is their mean ({} with metrics, whatever their \
         mixture; a dataset with share 0 leaves none). {}",
        count(runs.len(), "run"),
        if width > 1 { format!("Each point is the mean of {width} steps.") } else { String::new() }
    ));
    let of_batch = runs.iter().filter(|run| run.curves.iter().any(|p| p.kl_of_batch)).count();
    if of_batch > 0 {
        section.text(format!(
            "{of_batch} of them were made by an earlier version: their KL is that of the whole batch, the same for \
             every dataset."
        ));
    }
    let mut lines: BTreeMap<&Name, Vec<(&ReportRun, Vec<&CurvePoint>)>> = BTreeMap::new();
    for run in runs {
        let mut points: BTreeMap<&Name, Vec<&CurvePoint>> = BTreeMap::new();
        for point in &run.curves {
            points.entry(&point.dataset).or_default().push(point);
        }
        for (dataset, points) in points {
            lines.entry(dataset).or_default().push((run, points));
        }
    }
    if lines.len() > MAX_DATASETS {
        section.text(format!("Only {MAX_DATASETS} of {} are drawn.", count(lines.len(), "dataset")));
    }
    for (dataset, runs) in lines.into_iter().take(MAX_DATASETS) {
        section.heading(dataset.as_str());
        section.plots(
            true,
            METRICS.map(|(name, metric)| (String::new(), plot(dataset, name, metric, &runs, width))),
        );
    }
    section
}

fn plot(
    dataset: &Name,
    name: &str,
    metric: Metric,
    runs: &[(&ReportRun, Vec<&CurvePoint>)],
    width: u64,
) -> Plot {
    let curves: Vec<(&ReportRun, BTreeMap<u64, f64>)> =
        runs.iter().map(|(run, points)| (*run, binned(points, metric, width))).collect();
    let mut all: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for (bin, value) in curves.iter().flat_map(|curve| &curve.1) {
        all.entry(*bin).or_default().push(*value);
    }
    let line = |curve: &BTreeMap<u64, f64>| {
        curve.iter().map(|(bin, value)| ((bin * width) as f64 + (width - 1) as f64 / 2.0, *value)).collect()
    };
    let mean =
        all.iter().map(|(bin, values)| (*bin, values.iter().sum::<f64>() / values.len() as f64)).collect();
    let mut marks: Vec<Mark> = every(&curves, MAX_LINES)
        .map(|(run, curve)| Mark::Line { points: line(curve), ink: Ink::Faint, tip: run.label.clone() })
        .collect();
    marks.push(Mark::Line {
        points: line(&mean),
        ink: Ink::Main,
        tip: format!("{dataset}: mean of {}", count(curves.len(), "run")),
    });
    Plot {
        title: format!("{name} of {dataset} over steps"),
        x: Axis::Numbers { label: "optimizer step".into(), include: vec![0.0] },
        y: Axis::numbers(name),
        marks,
        legend: Vec::new(),
        size: (250.0, 140.0),
    }
}

/// Mean of a metric in every `width` steps; values that are no numbers are left out.
fn binned(points: &[&CurvePoint], metric: Metric, width: u64) -> BTreeMap<u64, f64> {
    let mut sums: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
    for point in points {
        let value = metric(point);
        if value.is_finite() {
            let sum = sums.entry(point.step / width).or_default();
            *sum = (sum.0 + value, sum.1 + 1.0);
        }
    }
    sums.into_iter().map(|(bin, (sum, n))| (bin, sum / n)).collect()
}
