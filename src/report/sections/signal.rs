//! Whether mixtures differ at all: spread between them beside the spread between seeds.

use super::suffix;
use crate::report::{
    DECODINGS, Report, Source,
    estimate::{chance, count, digits, plain},
    page::{Cell, Section, Table},
    plot::{Axis, Ink, Mark, Plot},
};

/// A chance below which a spread counts as more than noise.
const LEVEL: f64 = 0.05;

pub(super) fn section(report: &Report) -> Section {
    let mut section = Section::new("signal", "Signal and noise");
    if report.signal.is_empty() {
        section.text(
            "The spread between mixtures was not measured: that takes at least two mixtures, and two runs \
             of one of them.",
        );
        return section;
    }
    let above = report.signal.iter().filter(|s| s.p.is_some_and(|p| p <= LEVEL)).count();
    let tested = report.signal.iter().filter(|s| s.p.is_some_and(f64::is_finite)).count();
    section.text(format!(
        "The signal is measured, not assumed: runs of one mixture with other seeds differ as well, and \
         only what mixtures differ by beyond that can be predicted. {}",
        if report.signal.iter().all(|s| s.within_sd.is_none()) {
            "No mixture was run twice, so nothing here can be told from noise.".to_owned()
        } else if tested == 0 {
            "Runs of one mixture scored exactly alike, so that every difference between mixtures is one."
                .to_owned()
        } else {
            format!(
                "On {above} of {} the spread between mixtures is more than seeds explain (p ≤ {LEVEL}); \
                 by chance alone about {} would be.",
                count(tested, "row"),
                digits(LEVEL * tested as f64, 1)
            )
        }
    ));
    let plots = DECODINGS.map(|decoding| {
        let of: Vec<_> = report.signal.iter().filter(|s| s.decoding == decoding).collect();
        let mut marks = Vec::new();
        for (i, s) in of.iter().enumerate() {
            let mut bar = |sd: f64, offset: f64, ink, what: &str| {
                marks.push(Mark::Bar {
                    from: 0.0,
                    to: sd,
                    y: i as f64 + offset,
                    height: 0.34,
                    ink,
                    tip: format!("{}: sd {what} {}", s.target.name(), plain(sd)),
                });
            };
            bar(s.between_sd, -0.19, Ink::Main, "between mixtures");
            bar(s.within_sd.unwrap_or(f64::NAN), 0.19, Ink::Other, "between seeds");
        }
        let plot = Plot {
            title: format!("Spread between mixtures and between seeds{}", suffix(report, decoding)),
            x: Axis::Numbers { label: "standard deviation of the score".into(), include: vec![0.0] },
            y: Axis::Rows(of.iter().map(|s| s.target.name().to_owned()).collect()),
            marks,
            legend: std::iter::once((Ink::Main, "between mixtures".to_owned()))
                .chain(
                    of.iter()
                        .any(|s| s.within_sd.is_some())
                        .then(|| (Ink::Other, "between seeds".to_owned())),
                )
                .collect(),
            size: (460.0, 0.0),
        };
        (format!("What mixtures add beside what seeds do{}.", suffix(report, decoding)), plot)
    });
    section.plots(false, plots);
    let mut table = Table::new(
        "Standard deviations of the score; between mixtures: beyond what seeds explain. F and p: one-way analysis of \
         variance.",
        ["target", "decoding", "sd between mixtures", "sd between seeds", "F", "p", "mixtures", "runs"],
    );
    table.rows = report
        .signal
        .iter()
        .map(|s| {
            vec![
                Cell::text(s.target.name()),
                Cell::text(s.decoding.word()),
                Cell::number(plain(s.between_sd)),
                Cell::number(plain(s.within_sd.unwrap_or(f64::NAN))),
                Cell::number(digits(s.f.unwrap_or(f64::NAN), 1)),
                Cell::number(chance(s.p.unwrap_or(f64::NAN))),
                Cell::number(s.n_mixtures.to_string()),
                Cell::number(s.n_runs.to_string()),
            ]
        })
        .collect();
    if report.source == Source::Table {
        table.drop_column("decoding");
    }
    section.table(table);
    section
}
