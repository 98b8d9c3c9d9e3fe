//! Whether fresh runs bear out what was expected.

use crate::report::{
    ConfirmSummary, DECODINGS, Group, Report,
    estimate::{count, plain, range, signed},
    page::{Cell, Section, Table},
    plot::{Axis, Ink, Mark, Plot},
    sure_gain,
};

pub(super) fn section(report: &Report) -> Section {
    let mut section = Section::new("confirm", "Measured gain");
    if report.confirm.iter().all(|summary| summary.gains.is_empty()) {
        let runs = super::finished(report, Group::Confirm).len();
        section.text(if runs == 0 {
            "No confirm run has finished: no gain over uniform shares is measured.".to_owned()
        } else {
            format!(
                "{} finished, and no pair of them shares its seed: no gain is measured.",
                count(runs, "confirm run")
            )
        });
        return section;
    }
    let runs = super::finished(report, Group::Confirm);
    section.text(format!(
        "Runs of a pair share their seed and the order of every dataset's samples, so what is common to \
         both cancels. Scored on {}. Intervals are 95 % (Student's t over pairs). The objective, {} ({}), \
         was fixed beforehand; of the other intervals one in twenty is off by chance alone.",
        super::part_name(super::part(&runs, Group::Confirm)),
        report.objective.target.name(),
        report.objective.decoding.word()
    ));
    for summary in report.confirm.iter().filter(|summary| !summary.gains.is_empty()) {
        comparison(report, summary, &mut section);
    }
    section
}

fn comparison(report: &Report, summary: &ConfirmSummary, section: &mut Section) {
    let ConfirmSummary { arm, against, n_pairs, gains } = summary;
    section.heading(format!("{arm} against {against}: {}", count(*n_pairs, "pair")));
    if *n_pairs == 1 {
        section.text("One pair gives a difference and no interval.");
    }
    if let Some(gain) = summary.gain(&report.objective.target, report.objective.decoding) {
        let found = match gain.gain.interval().and_then(sure_gain) {
            Some(true) => format!("the interval lies above 0: {arm} is better"),
            Some(false) => format!("the interval lies below 0: {against} is better"),
            None => "that does not tell it from no gain".to_owned(),
        };
        section.text(format!(
            "On the objective: {} (95 % interval {}, n = {}); {found}.",
            signed(gain.gain.mean),
            range(gain.gain.interval(), signed),
            gain.gain.n
        ));
    }
    let plots = DECODINGS.map(|decoding| {
        let of: Vec<_> = gains.iter().filter(|gain| gain.decoding == decoding).collect();
        let marks = of.iter().enumerate().map(|(i, gain)| Mark::Dot {
            x: gain.gain.mean,
            y: i as f64,
            range: gain.gain.interval().map(|r| (r.low, r.high)),
            ink: Ink::Main,
            tip: format!(
                "{} ({}): {} ({}), n = {}",
                gain.target.name(),
                decoding.word(),
                signed(gain.gain.mean),
                range(gain.gain.interval(), signed),
                gain.gain.n
            ),
        });
        let mut marks: Vec<Mark> = marks.collect();
        if !marks.is_empty() {
            let zero = vec![(0.0, -0.5), (0.0, of.len() as f64 - 0.5)];
            marks.insert(0, Mark::Line { points: zero, ink: Ink::Other, tip: "no gain".into() });
        }
        let plot = Plot {
            title: format!("Gain of {arm} over {against}, {}", decoding.word()),
            x: Axis::Numbers { label: "gain in score (points of 1)".into(), include: vec![0.0] },
            y: Axis::Rows(of.iter().map(|gain| gain.target.name().to_owned()).collect()),
            marks,
            legend: Vec::new(),
            size: (460.0, 0.0),
        };
        let caption =
            format!("Gain of {arm} over {against}, {}: 95 % intervals over pairs.", decoding.word());
        (caption, plot)
    });
    section.plots(false, plots);
    let mut table = Table::new(
        format!("Scores in [0, 1], means over pairs; gain of {arm} over {against}."),
        ["target", "decoding", arm, against, "gain", "95 % interval", "pairs", "questions"],
    );
    table.rows = gains
        .iter()
        .map(|gain| {
            vec![
                Cell::text(gain.target.name()),
                Cell::text(gain.decoding.word()),
                Cell::number(plain(gain.arm_mean)),
                Cell::number(plain(gain.against_mean)),
                Cell::number(signed(gain.gain.mean)),
                Cell::number(range(gain.gain.interval(), signed)),
                Cell::number(gain.gain.n.to_string()),
                Cell::number(gain.n_questions.to_string()),
            ]
        })
        .collect();
    section.table(table);
}
