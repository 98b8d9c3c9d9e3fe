//! The mixtures of a table, best observed first.

use super::every;
use crate::{
    mixture::brief,
    report::{
        Interval, Report, Surfaces, TargetPrediction,
        estimate::{count, digits, digits_for, range},
        page::{Cell, Section, Table},
        plot::{Axis, Ink, Mark, Plot},
    },
};

/// Mixtures that the plot shows; the table shows more.
const MAX_PLOTTED: usize = 40;

struct Row<'a> {
    label: &'a str,
    shares: &'a [f64],
    observed: f64,
    expected: Option<Interval>,
}

pub(super) fn section(report: &Report) -> Section {
    let mut section = Section::new("leaderboard", "Leaderboard");
    let Some(surfaces) = report.surfaces.as_ref().filter(|s| !s.shown.is_empty()) else {
        section.text("No predictor was fitted, so mixtures are not ranked.");
        return section;
    };
    let rows = rows(report, surfaces);
    section.text(format!(
        "{}, ranked by {} as observed. The highest of many observed scores is partly luck; what a predictor expects that \
         never saw the mixture stands beside it, with the 90 % interval of one new run.",
        count(rows.len(), "run"),
        report.objective.target.name()
    ));
    let values: Vec<f64> = rows.iter().map(|row| row.observed).filter(|v| v.is_finite()).collect();
    let spread = values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
        - values.iter().copied().fold(f64::INFINITY, f64::min);
    let n = digits_for(spread);
    section.plots(false, [plot(report, &rows, n)]);
    let mut table = Table::new(
        "Every run: the objective as observed, and as expected without it.",
        ["mixture", "rank", "observed", "expected", "90 % interval", "shares"],
    );
    for (i, row) in rows.iter().enumerate() {
        table.rows.push(vec![
            Cell::text(row.label),
            Cell::number((i + 1).to_string()),
            Cell::number(digits(row.observed, n)),
            Cell::number(row.expected.map_or_else(|| "–".to_owned(), |e| digits(e.mean, n))),
            Cell::number(range(row.expected, |v| digits(v, n))),
            Cell::text(brief(&surfaces.datasets, row.shares)),
        ]);
    }
    table.folded = true;
    section.table(table);
    section
}

fn rows<'a>(report: &Report, surfaces: &'a Surfaces) -> Vec<Row<'a>> {
    let objective = report.predictions.iter().find(|p| p.target == report.objective.target);
    let expected =
        |i: usize| objective.and_then(|p: &TargetPrediction| p.pairs.get(i)).map(|pair| pair.predicted);
    let mut rows: Vec<Row> = surfaces
        .tried
        .iter()
        .zip(&surfaces.shown[0].observed)
        .enumerate()
        .map(|(i, (run, observed))| Row {
            label: &run.label,
            shares: &run.shares,
            observed: *observed,
            expected: expected(i),
        })
        .collect();
    rows.sort_by(|a, b| b.observed.total_cmp(&a.observed));
    rows
}

fn plot(report: &Report, rows: &[Row], n: usize) -> (String, Plot) {
    let shown: Vec<&Row> = every(rows, MAX_PLOTTED).collect();
    let mut marks = Vec::new();
    for (i, row) in shown.iter().enumerate() {
        if let Some(expected) = row.expected {
            marks.push(Mark::Dot {
                x: expected.mean,
                y: i as f64,
                range: Some((expected.low, expected.high)),
                ink: Ink::Faint,
                tip: format!("{}: expected {}", row.label, digits(expected.mean, n)),
            });
        }
        let tip = format!("{}: observed {}", row.label, digits(row.observed, n));
        marks.push(Mark::Dot { x: row.observed, y: i as f64, range: None, ink: Ink::Main, tip });
    }
    let plot = Plot {
        title: "Leaderboard".into(),
        x: Axis::numbers(report.objective.target.name()),
        y: Axis::Rows(shown.iter().map(|row| row.label.to_owned()).collect()),
        marks,
        legend: vec![(Ink::Main, "observed".into()), (Ink::Faint, "expected without the run".into())],
        size: (460.0, 0.0),
    };
    let thinned = if shown.len() < rows.len() {
        format!("{} of {}, from the best to the worst.", shown.len(), count(rows.len(), "run"))
    } else {
        String::new()
    };
    (thinned, plot)
}
