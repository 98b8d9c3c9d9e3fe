//! Predicted scores over the shares of three datasets.

use crate::report::{
    Map, Report, Surfaces,
    estimate::{count, digits},
    page::{Figure, Section, bound},
    ternary::Ternary,
};

pub(super) fn section(report: &Report) -> Section {
    let mut section = Section::new("maps", "Maps of three datasets");
    let Some(surfaces) = &report.surfaces else {
        section.text("No predictor was fitted, so there is nothing to map.");
        return section;
    };
    if surfaces.maps.is_empty() {
        section.text(match (surfaces.datasets.len(), surfaces.shown.first()) {
            (..3, _) => "A map takes three datasets.".to_owned(),
            (_, Some(shown)) if !shown.signal => {
                "The objective has no signal: a map would show hills that are not there.".to_owned()
            }
            _ => "Nothing is mapped.".to_owned(),
        });
        return section;
    }
    section.text(
        "Each triangle is a slice of the simplex over three datasets, those that the objective depends on most unless \
         others were asked for: at a corner one of them has all that the three have together, on the opposite side none. \
         Colour is the expected score, stronger for higher; the fine lines stand at quarters.",
    );
    let figures = surfaces.maps.iter().filter_map(|map| figure(report, surfaces, map)).collect();
    section.figures(false, None, figures);
    section
}

fn figure(report: &Report, surfaces: &Surfaces, map: &Map) -> Option<Figure> {
    let target = surfaces.shown[map.target].target.phrase(report.objective.decoding);
    let names = map.triple.map(|dataset| surfaces.datasets[dataset].as_str());
    let what = if map.uncertainty {
        format!("{target}: half width of the 90 % interval")
    } else {
        format!("{target}: expected score")
    };
    let observed = &surfaces.shown[map.target].observed;
    let dots = map.tried.iter().map(|&(run, parts)| {
        let score = observed.get(run).copied().unwrap_or(f64::NAN);
        (parts, format!("{}: observed {}", surfaces.tried[run].label, digits(score, 3)))
    });
    let ternary = Ternary {
        title: format!("{what} over {}", names.join(", ")),
        corners: names,
        most: 1.0 - map.rest,
        rows: map.rows,
        values: &map.values,
        unit: if map.uncertainty { "half width of the 90 % interval" } else { "expected score" }.to_owned(),
        dots: dots.collect(),
        star: map.proposal.map(|parts| (parts, "proposal".to_owned())),
    };
    let rest = if map.rest > 0.0 {
        let proportions = if map.centre.is_proposal { "the proposal's" } else { "uniform" };
        format!("the others keep {} together, in {proportions} proportions", digits(map.rest, 2))
    } else if surfaces.datasets.len() > 3 {
        "the others get nothing, as in the proposal".to_owned()
    } else {
        "these are all datasets".to_owned()
    };
    let allowed = map.values.iter().any(Option::is_none);
    let caption = format!(
        "{what}; {rest}. Dots: {} on this slice{}{}.",
        count(map.tried.len(), "run"),
        if map.proposal.is_some() { "; orange: the proposal" } else { "" },
        if allowed { "; grey: not allowed by the constraints" } else { "" }
    );
    Some(Figure { caption: bound(&caption), width: Ternary::width(), svg: ternary.svg()? })
}
