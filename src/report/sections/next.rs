//! What to run next, and what that would decide.

use crate::{
    mixture::brief,
    report::{
        Report, Surfaces,
        estimate::{count, digits, digits_for, range},
        page::{Cell, Section, Table},
    },
};

pub(super) fn section(report: &Report) -> Section {
    let mut section = Section::new("next", "What the next runs would decide");
    let Some(surfaces) = report.surfaces.as_ref().filter(|s| !s.next.is_empty()) else {
        section.text("No next runs were suggested.");
        return section;
    };
    section.text(format!(
        "{} where the objective may exceed the best mixture tried, each chosen as if the ones before had come out at the \
         mean. {}",
        count(surfaces.next.len(), "mixture"),
        decide(surfaces)
    ));
    section.table(table(surfaces));
    section
}

/// What is to be expected of them.
fn decide(surfaces: &Surfaces) -> String {
    let best = surfaces.next.iter().filter_map(|next| next.p_beats_proposal).fold(f64::NAN, f64::max);
    let chance = if best.is_finite() {
        let n = format!("{:.0}", 100.0 * best);
        format!("The likeliest to beat the proposal does so with a chance of {n} %. ")
    } else {
        "There is no proposal for them to beat: they look for a signal. ".to_owned()
    };
    let Some((now, after)) = surfaces.gain_half_width else { return chance };
    let n = digits_for(now).max(3);
    let less = 100.0 * (1.0 - after / now);
    format!(
        "{chance}The gain of the proposal over uniform shares is known to ± {} (90 %) and would be to about ± {} after \
         them{}.",
        digits(now, n),
        digits(after, n),
        if less < 5.0 { ": they test other places rather than this gain" } else { "" }
    )
}

fn table(surfaces: &Surfaces) -> Table {
    let spread =
        surfaces.next.iter().map(|next| next.predicted.high - next.predicted.low).fold(0.0, f64::max);
    let n = digits_for(spread);
    let mut table = Table::new(
        "Expected objective with the 90 % interval of the surface. Expected improvement: over the best mixture tried, \
         losses counted as 0. Distance: share of the budget spent differently from the nearest mixture tried.",
        [
            "run",
            "expected",
            "90 % interval",
            "expected improvement",
            "chance to beat the proposal",
            "distance",
            "shares",
        ],
    );
    for (i, next) in surfaces.next.iter().enumerate() {
        table.rows.push(vec![
            Cell::text(format!("next {}", i + 1)),
            Cell::number(digits(next.predicted.mean, n)),
            Cell::number(range(Some(next.predicted), |v| digits(v, n))),
            Cell::number(digits(next.expected_improvement, n + 1)),
            Cell::number(
                next.p_beats_proposal.map_or_else(|| "–".to_owned(), |p| format!("{:.0} %", 100.0 * p)),
            ),
            Cell::number(digits(next.distance_to_tried, 2)),
            Cell::text(brief(&surfaces.datasets, &next.shares)),
        ]);
    }
    table
}
