//! Predicted against observed for mixtures that the predictor had not seen.

use super::{every, suffix};
use crate::report::{
    DECODINGS, Report, Source, TargetPrediction,
    estimate::{chance, count, digits, digits_for, range, sd},
    page::{Cell, Section, Table},
    plot::{Axis, Ink, Mark, Plot},
};

/// Targets that get a plot, and runs in it.
const MAX_PLOTS: usize = 20;
const MAX_DOTS: usize = 150;

pub(super) fn section(report: &Report) -> Section {
    let mut section = Section::new("prediction", "Predicted against observed");
    if report.predictions.is_empty() {
        section.text("No predictor was fitted: there are too few finished runs, or none was asked for.");
        return section;
    }
    section.text(
        "Each dot is a run, predicted by a predictor that saw no run of its mixture (leave one mixture \
         out). On the diagonal prediction and observation agree; bars are 90 % intervals for a new run, \
         seeds and evaluation included.",
    );
    // The objective first: it decides.
    let mut all: Vec<&TargetPrediction> = report.predictions.iter().collect();
    let objective = &report.objective;
    all.sort_by_key(|p| {
        (p.target != objective.target || p.decoding != objective.decoding, p.decoding != objective.decoding)
    });
    section.plots(
        false,
        DECODINGS.map(|decoding| {
            let of: Vec<&TargetPrediction> = all.iter().copied().filter(|p| p.decoding == decoding).collect();
            (
                format!(
                    "Error on mixtures left out{}, in standard deviations of the score: 1 is the error of the mean of all \
                     runs; below the noise floor, what seeds alone make two runs of one mixture differ by, nothing can \
                     get but by luck.",
                    suffix(report, decoding)
                ),
                skill(report, &of),
            )
        }),
    );
    let of_decoding =
        |own: bool| all.iter().take(MAX_PLOTS).filter(move |p| (p.decoding == objective.decoding) == own);
    section.plots(false, of_decoding(true).map(|p| (caption(p), plot(p))));
    section.folded_plots(
        false,
        "The same of the other decoding",
        of_decoding(false).map(|p| (caption(p), plot(p))),
    );
    if all.len() > MAX_PLOTS {
        section.text(format!(
            "Plots of {} left out; the table has them.",
            count(all.len() - MAX_PLOTS, "more target")
        ));
    }
    let mut table = Table::new(
        "Skill on left-out mixtures. R²: 1 is perfect, 0 no better than the mean. p: chance of such an R² \
         when scores are shuffled. Error: root mean square, in score.",
        [
            "target",
            "decoding",
            "predictor",
            "R²",
            "rank correlation",
            "p",
            "error",
            "in 90 % interval",
            "mixtures",
            "runs",
            "verdict",
        ],
    );
    table.rows = all.into_iter().map(row).collect();
    if report.source == Source::Table {
        table.drop_column("decoding");
    }
    section.table(table);
    section
}

/// Error of every target beside its noise floor.
fn skill(report: &Report, all: &[&TargetPrediction]) -> Plot {
    let mut marks = vec![Mark::Upright { x: 1.0, ink: Ink::Faint, tip: "the mean of all runs".into() }];
    let mut legend = vec![(Ink::Main, "prediction".to_owned()), (Ink::Faint, "mean of all runs".to_owned())];
    for (i, p) in all.iter().enumerate() {
        let (error, spread) = error(p);
        let floor = report.signal.iter().find(|s| s.target == p.target && s.decoding == p.decoding);
        let floor = floor.and_then(|s| s.within_sd).unwrap_or(f64::NAN);
        let mut dot = |sd: f64, ink, what: &str| {
            let x = sd / spread;
            let tip = format!("{}: {what} {} standard deviations", p.target.name(), digits(x, 2));
            marks.push(Mark::Dot { x, y: i as f64, range: None, ink, tip });
        };
        if floor.is_finite() && legend.len() == 2 {
            legend.push((Ink::Other, "noise floor".to_owned()));
        }
        dot(floor, Ink::Other, "noise floor");
        dot(error, Ink::Main, "error");
    }
    Plot {
        title: "Error on mixtures left out beside the noise floor".into(),
        x: Axis::Numbers { label: "error (sd of the score)".into(), include: vec![0.0, 1.0] },
        y: Axis::Rows(all.iter().map(|p| p.target.name().to_owned()).collect()),
        marks: if all.is_empty() { Vec::new() } else { marks },
        legend,
        size: (460.0, 0.0),
    }
}

/// Root mean square error over runs, and the standard deviation of the scores.
fn error(p: &TargetPrediction) -> (f64, f64) {
    let pairs: Vec<_> = p
        .pairs
        .iter()
        .filter(|pair| pair.observed.is_finite() && pair.predicted.mean.is_finite())
        .map(|pair| (pair.observed, pair.predicted.mean))
        .collect();
    let squares: f64 = pairs.iter().map(|(observed, predicted)| (observed - predicted).powi(2)).sum();
    let observed: Vec<f64> = pairs.iter().map(|pair| pair.0).collect();
    ((squares / pairs.len() as f64).sqrt(), sd(&observed))
}

fn caption(p: &TargetPrediction) -> String {
    let skill = p.skill.map_or("skill not known".to_owned(), |s| {
        format!(
            "R² {}, rank correlation {}, p {}, {}",
            digits(s.r2, 2),
            digits(s.rank_correlation, 2),
            chance(s.p),
            count(s.n_runs, "run")
        )
    });
    format!("{}: {skill}.", p.target.phrase(p.decoding))
}

fn plot(p: &TargetPrediction) -> Plot {
    let finite = p.pairs.iter().filter(|pair| pair.observed.is_finite() && pair.predicted.mean.is_finite());
    let values: Vec<f64> = finite.flat_map(|pair| [pair.observed, pair.predicted.mean]).collect();
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let n = digits_for(high - low);
    let plain = |value: f64| digits(value, n);
    let dot = |pair: &crate::report::LeftOut| Mark::Dot {
        x: pair.predicted.mean,
        y: pair.observed,
        range: Some((pair.predicted.low, pair.predicted.high)),
        ink: Ink::Main,
        tip: format!(
            "{}: observed {}, predicted {} ({})",
            pair.label,
            plain(pair.observed),
            plain(pair.predicted.mean),
            range(Some(pair.predicted), plain)
        ),
    };
    let mut marks: Vec<Mark> = every(&p.pairs, MAX_DOTS).map(dot).collect();
    if !values.is_empty() {
        let points = vec![(low, low), (high, high)];
        marks.insert(0, Mark::Line { points, ink: Ink::Other, tip: "prediction = observation".into() });
    }
    Plot {
        title: format!("Predicted against observed {}", p.target.name()),
        x: Axis::numbers("predicted score"),
        y: Axis::numbers("observed score"),
        marks,
        legend: Vec::new(),
        size: (350.0, 230.0),
    }
}

fn row(p: &TargetPrediction) -> Vec<Cell> {
    let pairs: Vec<_> =
        p.pairs.iter().filter(|pair| pair.observed.is_finite() && pair.predicted.mean.is_finite()).collect();
    let (error, spread) = error(p);
    let inside =
        |pair: &&&crate::report::LeftOut| (pair.predicted.low..=pair.predicted.high).contains(&pair.observed);
    let covered = pairs.iter().filter(inside).count();
    let skill = |of: fn(crate::report::Skill) -> f64| p.skill.map_or(f64::NAN, of);
    vec![
        Cell::text(p.target.name()),
        Cell::text(p.decoding.word()),
        Cell::text(&p.predictor),
        Cell::number(digits(skill(|s| s.r2), 2)),
        Cell::number(digits(skill(|s| s.rank_correlation), 2)),
        Cell::number(chance(skill(|s| s.p))),
        Cell::number(digits(error, digits_for(spread))),
        Cell::number(format!("{covered} of {}", pairs.len())),
        Cell::number(p.skill.map_or_else(|| "–".to_owned(), |s| s.n_mixtures.to_string())),
        Cell::number(pairs.len().to_string()),
        Cell::text(match p.skill {
            Some(skill) if skill.signal => "signal",
            Some(_) => "no signal",
            None => "too few runs to say",
        }),
    ]
}
