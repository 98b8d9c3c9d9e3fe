//! What is recommended, and what is expected of it.

use crate::report::{
    Report,
    estimate::{plain, range, signed},
    page::{Cell, Section, Table},
    plot::{Axis, Ink, Mark, Plot},
};

pub(super) fn section(report: &Report) -> Section {
    let mut section = Section::new("proposal", "Proposal");
    report.notes.iter().for_each(|note| section.text(sentence(note)));
    let Some(proposal) = &report.proposal else {
        section.text("No prediction was made, so there is no proposal.");
        return section;
    };
    if proposal.signal {
        section.text(format!(
            "The predictor `{}` expects {} (90 % interval {}) at these shares and {} at uniform shares: a \
             gain of {} (90 % interval {}), with a chance of {:.0} % to be above 0.",
            proposal.predictor,
            plain(proposal.predicted.mean),
            range(Some(proposal.predicted), plain),
            plain(proposal.uniform),
            signed(proposal.gain.mean),
            range(Some(proposal.gain), signed),
            100.0 * proposal.p_beats_uniform
        ));
        if let Some((name, gain)) = &proposal.worst {
            section.text(format!(
                "These figures are of the mean of the scores, each in its standard deviations. The least of their gains, \
                 which was made large, is that of `{name}`: {} (90 % interval {}).",
                signed(gain.mean),
                range(Some(*gain), signed)
            ));
        }
    } else {
        section.text(
            "The data show no signal: left-out mixtures are not predicted better than by the mean of all. \
             These shares are kept for want of a reason to leave them; they are no recommendation.",
        );
    }
    if let Some(note) = &proposal.note {
        section.text(sentence(note));
    }
    if !proposal.binding.is_empty() {
        section.text(format!("Constraints that it touches: {}.", proposal.binding.join("; ")));
    }

    let shares: Vec<(&str, f64)> =
        proposal.mixture.shares().map(|(name, share)| (name.as_str(), share)).collect();
    let uniform = 1.0 / shares.len() as f64;
    let mut table = Table::new(
        "Shares of the prompt groups per optimizer step, in [0, 1].",
        ["dataset", "proposed share", "uniform share", "difference"],
    );
    table.rows = shares
        .iter()
        .map(|(name, share)| {
            vec![
                Cell::text(name),
                Cell::number(plain(*share)),
                Cell::number(plain(uniform)),
                Cell::number(signed(share - uniform)),
            ]
        })
        .collect();
    let bar = |(i, (name, share)): (usize, &(&str, f64))| Mark::Bar {
        from: 0.0,
        to: *share,
        y: i as f64,
        height: 0.6,
        ink: Ink::Main,
        tip: format!("{name}: {}", plain(*share)),
    };
    let mut marks: Vec<Mark> = shares.iter().enumerate().map(bar).collect();
    marks.push(Mark::Line {
        points: vec![(uniform, -0.5), (uniform, shares.len() as f64 - 0.5)],
        ink: Ink::Other,
        tip: format!("uniform: {}", plain(uniform)),
    });
    let plot = Plot {
        title: "Proposed shares".into(),
        x: Axis::Numbers { label: "share of prompt groups".into(), include: vec![0.0] },
        y: Axis::Rows(shares.iter().map(|s| s.0.to_owned()).collect()),
        marks,
        legend: vec![(Ink::Main, "proposed".into()), (Ink::Other, "uniform".into())],
        size: (460.0, 0.0),
    };
    section.plots(false, [("Proposed shares beside uniform ones.".to_owned(), plot)]);
    section.table(table);
    section
}

/// A note with a capital and a full stop; those of predictors are parts of longer sentences elsewhere.
fn sentence(note: &str) -> String {
    let mut chars = note.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    let stop = if note.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{stop}", chars.as_str())
}
