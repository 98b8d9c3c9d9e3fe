//! Learning curves of predictors as a picture of its own: one panel per predictor, its curve before those of the others.

use askama::Template;

use super::{
    estimate::digits,
    plot::{Axis, Ink, Mark, Plot, Px},
};
use crate::predict::compare::{Compared, Scores};

/// Panels in a row, and pixels of a panel.
const COLUMNS: usize = 4;
const SIZE: (f64, f64) = (250.0, 128.0);
/// Pixels from one panel to the next, and above the first.
const STEP: (f64, f64) = (262.0, 196.0);
const TOP: f64 = 56.0;

/// Lowest rank correlation that is drawn: what is below is no better than a guess.
const FLOOR: f64 = -0.2;

#[derive(Template)]
#[template(path = "learning.svg")]
struct Picture {
    title: String,
    caption: String,
    width: Px,
    height: Px,
    panels: Vec<Panel>,
}

struct Panel {
    x: Px,
    y: Px,
    name: String,
    last: String,
    svg: String,
}

/// The SVG file; `None` where no predictor has a curve.
///
/// Rank correlation on mixtures left out over the number of mixtures fitted on, in [−1, 1], with a band of one standard
/// error; the best at the largest number first.
pub fn learning_curves(compared: &[Compared]) -> Option<String> {
    let mut shown: Vec<&Compared> = compared.iter().filter(|one| !one.learning_curve.is_empty()).collect();
    let last = |one: &Compared| one.learning_curve.last().map_or(f64::NAN, |s| s.rank_correlation.mean);
    shown.sort_by(|a, b| last(b).total_cmp(&last(a)));
    let scores = || shown.iter().flat_map(|one| &one.learning_curve);
    let (fits, most) = (scores().map(|s| s.n_fits).max()?, scores().map(|s| s.n_mixtures).max()?);
    let low = scores().map(|s| s.rank_correlation.mean - s.rank_correlation.standard_error);
    let low = low.fold(1.0, f64::min).max(FLOOR);
    let panels: Vec<Panel> = shown
        .iter()
        .enumerate()
        .filter_map(|(i, one)| {
            let end = one.learning_curve.last()?.rank_correlation;
            Some(Panel {
                x: Px(12.0 + (i % COLUMNS) as f64 * STEP.0),
                y: Px(TOP + (i / COLUMNS) as f64 * STEP.1),
                name: one.method.clone(),
                last: format!("{} ± {}", digits(end.mean, 3), digits(end.standard_error, 3)),
                svg: panel(one, &shown, low)?,
            })
        })
        .collect();
    let rows = panels.len().div_ceil(COLUMNS);
    let picture = Picture {
        title: "Rank correlation on mixtures left out".to_owned(),
        caption: format!(
            "over the number of mixtures fitted on; band: one standard error; figures: with {most} mixtures; up to {fits} \
             fits a point; grey: the other predictors"
        ),
        width: Px(12.0 + COLUMNS.min(panels.len().max(3)) as f64 * STEP.0),
        height: Px(TOP + rows as f64 * STEP.1 + 8.0),
        panels,
    };
    Some(picture.render().expect("writing to a string cannot fail"))
}

fn panel(one: &Compared, all: &[&Compared], low: f64) -> Option<String> {
    let at = |s: &Scores| (s.n_mixtures as f64, s.rank_correlation.mean.max(low));
    let line = |of: &Compared, ink| Mark::Line {
        points: of.learning_curve.iter().map(at).collect(),
        ink,
        tip: of.method.clone(),
    };
    let others = all.iter().filter(|other| other.method != one.method);
    let mut marks: Vec<Mark> = others.map(|other| line(other, Ink::Faint)).collect();
    let band = |s: &Scores| {
        let (x, y) = at(s);
        let se = s.rank_correlation.standard_error;
        (x, (y - se).max(low), (y + se).min(1.0))
    };
    let points = one.learning_curve.iter().map(band).collect();
    marks.push(Mark::Band { points, ink: Ink::Main, tip: String::new() });
    marks.push(line(one, Ink::Main));
    marks.extend(one.learning_curve.iter().map(|s| {
        let ((x, y), of) = (at(s), s.rank_correlation);
        let tip = format!("{x} mixtures: {} ± {}", digits(of.mean, 3), digits(of.standard_error, 3));
        Mark::Dot { x, y, range: None, ink: Ink::Main, tip }
    }));
    Plot {
        title: format!("Learning curve of {}", one.method),
        x: Axis::Numbers { label: "mixtures fitted on".to_owned(), include: vec![0.0] },
        y: Axis::Numbers { label: String::new(), include: vec![low, 1.0] },
        marks,
        legend: Vec::new(),
        size: SIZE,
    }
    .svg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::compare::Estimate;

    fn compared(method: &str, ranks: &[f64]) -> Compared {
        let curve = ranks.iter().enumerate().map(|(i, &mean)| Scores {
            n_mixtures: 10 * (i + 1),
            rank_correlation: Estimate { mean, standard_error: 0.01 },
            median_r2: 0.5,
            error: Estimate { mean: 0.1, standard_error: 0.01 },
            covered: Estimate { mean: 0.9, standard_error: 0.01 },
            n_fits: 12,
        });
        let learning_curve = curve.collect();
        Compared { method: method.to_owned(), cross_validation: None, learning_curve, refused: None }
    }

    #[test]
    fn every_predictor_with_a_curve_has_a_panel_and_the_best_comes_first() {
        let all = [compared("worse", &[0.1, 0.2]), compared("none", &[]), compared("better", &[0.5, 0.9])];
        let svg = learning_curves(&all).unwrap();
        assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
        assert!(svg.find("0.900 ± 0.010").unwrap() < svg.find("0.200 ± 0.010").unwrap());
        assert!(!svg.contains(">none<"));
        assert_eq!(svg.matches("<svg ").count(), svg.matches("</svg>").count());
        assert_eq!(learning_curves(&[compared("none", &[])]), None);
    }
}
