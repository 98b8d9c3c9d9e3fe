//! What one aim costs another.

use super::every;
use crate::{
    mixture::brief,
    report::{
        Front, Report, Surfaces,
        estimate::{digits, digits_for, range},
        page::{Cell, Section, Table},
        plot::{Axis, Ink, Mark, Plot},
    },
};

/// Mixtures of the front that the table shows.
const MAX_ROWS: usize = 12;

pub(super) fn section(report: &Report) -> Section {
    let mut section = Section::new("front", "Trade-off between two aims");
    let Some((surfaces, front)) = report.surfaces.as_ref().and_then(|s| Some((s, s.front.as_ref()?))) else {
        section.text(
            "No front is shown: that takes two aims, of which at least one can be predicted on mixtures left out.",
        );
        return section;
    };
    let names = front.aims.map(|i| surfaces.shown[i].target.phrase(report.objective.decoding));
    section.text(format!(
        "The line runs through the allowed mixtures of which none is expected to be better in both {} and {} (Pareto front \
         of the fitted predictions, {} mixtures). Being the best of many, it is flattered; what a new run would score lies in the \
         intervals of the table and may be worse.",
        names[0],
        names[1],
        front.points.len()
    ));
    for (i, name) in front.aims.iter().zip(&names) {
        if !surfaces.shown[*i].signal {
            section.text(format!("{name} has no signal: where the front lies along it is not known."));
        }
    }
    section.plots(false, [(String::new(), plot(surfaces, front, &names))]);
    section.table(table(surfaces, front, &names));
    section
}

fn scale(front: &Front, aim: usize) -> usize {
    let values = || front.points.iter().map(|p| p.1[aim].mean).chain(front.tried.iter().map(|t| t.1[aim]));
    let range = values().fold(f64::NEG_INFINITY, f64::max) - values().fold(f64::INFINITY, f64::min);
    digits_for(range)
}

fn plot(surfaces: &Surfaces, front: &Front, names: &[String; 2]) -> Plot {
    let n = [0, 1].map(|aim| scale(front, aim));
    let both = |values: [f64; 2]| {
        format!("{} {}, {} {}", names[0], digits(values[0], n[0]), names[1], digits(values[1], n[1]))
    };
    let dot =
        |values: [f64; 2], ink, tip: String| Mark::Dot { x: values[0], y: values[1], range: None, ink, tip };
    let mut marks: Vec<Mark> = every(&front.tried, 150)
        .map(|(label, values)| dot(*values, Ink::Faint, format!("{label}: {}", both(*values))))
        .collect();
    marks.push(Mark::Line {
        points: front.points.iter().map(|p| (p.1[0].mean, p.1[1].mean)).collect(),
        ink: Ink::Main,
        tip: "front".into(),
    });
    marks.extend(front.points.iter().map(|(shares, values)| {
        let values = values.map(|v| v.mean);
        dot(values, Ink::Main, format!("{}: {}", brief(&surfaces.datasets, shares), both(values)))
    }));
    marks.push(dot(front.uniform, Ink::Other, format!("uniform shares: {}", both(front.uniform))));
    let mut legend = vec![
        (Ink::Main, "front".to_owned()),
        (Ink::Faint, "mixtures tried, as expected".to_owned()),
        (Ink::Other, "uniform shares".to_owned()),
    ];
    if let Some(proposal) = front.proposal {
        marks.push(dot(proposal, Ink::Third, format!("proposal: {}", both(proposal))));
        legend.push((Ink::Third, "proposal".to_owned()));
    }
    let better = |i: usize| if surfaces.shown[front.aims[i]].lower_is_better { "lower" } else { "higher" };
    Plot {
        title: format!("Pareto front of {} and {}", names[0], names[1]),
        x: Axis::numbers(format!("{} ({} is better)", names[0], better(0))),
        y: Axis::numbers(format!("{} ({} is better)", names[1], better(1))),
        marks,
        legend,
        size: (440.0, 270.0),
    }
}

fn table(surfaces: &Surfaces, front: &Front, names: &[String; 2]) -> Table {
    let n = [0, 1].map(|aim| scale(front, aim));
    let [a, b] = names.clone();
    let mut table = Table::new(
        "Mixtures along the front, by the first aim; 90 % intervals of the surface.",
        [a, "90 % interval".to_owned(), b, "90 % interval".to_owned(), "shares".to_owned()],
    );
    for (shares, values) in every(&front.points, MAX_ROWS) {
        let of = |i: usize| {
            let interval = range(Some(values[i]), |v| digits(v, n[i]));
            [Cell::number(digits(values[i].mean, n[i])), Cell::number(interval)]
        };
        let mut row: Vec<Cell> = of(0).into_iter().chain(of(1)).collect();
        row.push(Cell::text(brief(&surfaces.datasets, shares)));
        table.rows.push(row);
    }
    table
}
