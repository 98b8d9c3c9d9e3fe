//! What each dataset does to the scores.

use crate::report::{
    Effect, Report, Surfaces,
    estimate::{count, digits_for, range, signed_digits},
    page::{Cell, Section, Table},
    plot::{Axis, Ink, Mark, Plot},
};

/// Datasets that get a column: more cannot be read side by side.
const MAX_COLUMNS: usize = 40;

pub(super) fn section(report: &Report) -> Section {
    let mut section = Section::new("importance", "What each dataset does");
    let Some(surfaces) = report.surfaces.as_ref().filter(|s| !s.shown.is_empty()) else {
        section.text("No predictor was fitted, so nothing is known of what a dataset does on its own.");
        return section;
    };
    let d = surfaces.datasets.len();
    section.text(format!(
        "Around uniform shares (1/{d} each): how the expected objective, {}, changes when a dataset gets no share and \
         when its share is doubled, the others in proportion. Intervals are 90 %, of the difference of two \
         predictions.{}",
        report.objective.target.phrase(report.objective.decoding),
        if surfaces.shown[0].signal {
            ""
        } else {
            " The objective has no signal: this shows what the data leave open, not what a dataset does."
        }
    ));
    section.plots(false, [(String::new(), plot(surfaces))]);
    section.table(matrix(surfaces));
    section
}

fn of(surfaces: &Surfaces, target: usize, dataset: usize) -> Option<&Effect> {
    surfaces.effects.iter().find(|effect| effect.target == target && effect.dataset == dataset)
}

fn plot(surfaces: &Surfaces) -> Plot {
    let effects: Vec<&Effect> =
        surfaces.order.iter().filter_map(|&dataset| of(surfaces, 0, dataset)).collect();
    let scale = effects.iter().flat_map(|e| [e.without.mean.abs(), e.doubled.mean.abs()]).fold(0.0, f64::max);
    let n = digits_for(scale);
    let mut marks = vec![Mark::Upright { x: 0.0, ink: Ink::Faint, tip: "no change".into() }];
    for (i, effect) in effects.iter().enumerate() {
        let name = &surfaces.datasets[effect.dataset];
        let kinds =
            [(effect.doubled, -0.17, Ink::Main, "doubled"), (effect.without, 0.17, Ink::Other, "left out")];
        marks.extend(kinds.map(|(change, offset, ink, what)| Mark::Dot {
            x: change.mean,
            y: i as f64 + offset,
            range: Some((change.low, change.high)),
            ink,
            tip: format!(
                "{name} {what}: {} ({})",
                signed_digits(change.mean, n),
                range(Some(change), |v| signed_digits(v, n))
            ),
        }));
    }
    Plot {
        title: "Effect of each dataset on the expected objective".into(),
        x: Axis::Numbers { label: "change of the expected objective".into(), include: vec![0.0] },
        y: Axis::Rows(effects.iter().map(|e| surfaces.datasets[e.dataset].to_string()).collect()),
        marks,
        legend: vec![(Ink::Main, "share doubled".into()), (Ink::Other, "left out".into())],
        size: (440.0, 26.0),
    }
}

/// Every target over every dataset.
fn matrix(surfaces: &Surfaces) -> Table {
    let columns: Vec<usize> = surfaces.order.iter().copied().take(MAX_COLUMNS).collect();
    let lower = surfaces.shown.iter().any(|shown| shown.lower_is_better);
    let mut head = vec!["target".to_owned()];
    head.extend(columns.iter().map(|&dataset| surfaces.datasets[dataset].to_string()));
    let mut table = Table::new(
        format!(
            "Expected score with the dataset's share doubled minus without it, around uniform shares; the most important \
             dataset first. Blue is better and orange worse{}, stronger where it is more of that row's largest effect; \
             grey figures have a 90 % interval around 0. Rows without signal are marked “no signal”.{}",
            if lower { " (of columns to be small, too)" } else { "" },
            if columns.len() < surfaces.order.len() {
                format!(" {} left out.", count(surfaces.order.len() - columns.len(), "more dataset"))
            } else {
                String::new()
            }
        ),
        head,
    );
    for (target, shown) in surfaces.shown.iter().enumerate() {
        let effects: Vec<&Effect> =
            columns.iter().filter_map(|&dataset| of(surfaces, target, dataset)).collect();
        let largest = effects.iter().map(|e| e.span.mean.abs()).fold(0.0, f64::max);
        let n = digits_for(largest);
        let good = if shown.lower_is_better { -1.0 } else { 1.0 };
        let name = shown.target.name();
        let mut row =
            vec![Cell::text(if shown.signal { name.to_owned() } else { format!("{name} (no signal)") })];
        row.extend(effects.iter().map(|effect| {
            let told = shown.signal && (effect.span.low > 0.0 || effect.span.high < 0.0);
            let strength = told.then(|| good * effect.span.mean / largest);
            Cell::shaded(signed_digits(effect.span.mean, n), strength)
        }));
        table.rows.push(row);
    }
    table
}
