//! A prediction as tables: how strong the signal is, what skill there is, what is proposed.

use crate::{
    cli::printer::{Column, Printer},
    decide::{Prediction, Score, word},
    error::Result,
    mixture::named::Interval,
    predict::skill::Verdict,
};

/// All of it, the verdict last but for the next runs.
pub(super) fn prediction(prediction: &Prediction, printer: &mut Printer) -> Result<()> {
    let scores: Vec<&Score> = prediction.aggregates.iter().chain(&prediction.targets).collect();
    printer.line(format!(
        "{} runs of {} mixtures, predictor `{}`; objective: {}",
        prediction.runs.len(),
        prediction.n_mixtures,
        prediction.predictor,
        prediction.objective
    ))?;
    signal(&scores, printer)?;
    skill(&scores, printer)?;
    proposal(prediction, printer)?;
    for note in &prediction.notes {
        printer.note(format!("note: {note}"));
    }
    Ok(())
}

/// Spread between mixtures beside spread between seeds.
pub(super) fn signal(scores: &[&Score], printer: &mut Printer) -> Result<()> {
    printer.line("\nSignal: standard deviation between mixtures beside that between runs of one mixture")?;
    let columns = [
        Column::Text("score"),
        Column::Text("decoding"),
        Column::Number("questions"),
        Column::Number("mixtures"),
        Column::Number("seeds"),
        Column::Number("F"),
        Column::Number("p"),
        Column::Number("runs"),
    ];
    let row = |score: &&Score| {
        let signal = &score.skill.signal;
        let optional = |value: Option<f64>, digits: usize| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
        };
        vec![
            score.name.clone(),
            decoding(score),
            if score.n_questions == 0 { "-".to_owned() } else { score.n_questions.to_string() },
            format!("{:.4}", signal.between_sd),
            optional(signal.within_sd, 4),
            optional(signal.f, 2),
            optional(signal.p, 3),
            format!("{} of {}", signal.n_runs, signal.n_mixtures),
        ]
    };
    printer.table(&columns, &scores.iter().map(row).collect::<Vec<_>>())
}

/// Skill on mixtures left out.
pub(super) fn skill(scores: &[&Score], printer: &mut Printer) -> Result<()> {
    printer.line("\nSkill: every mixture predicted from the others")?;
    let columns = [
        Column::Text("score"),
        Column::Text("decoding"),
        Column::Number("R²"),
        Column::Number("rank corr."),
        Column::Number("p"),
        Column::Number("sd scale"),
        Column::Text("verdict"),
    ];
    let row = |score: &&Score| {
        let skill = &score.skill;
        let verdict = if skill.verdict == Verdict::Signal { "signal" } else { "no signal" };
        vec![
            score.name.clone(),
            decoding(score),
            format!("{:.2}", skill.r2),
            format!("{:.2}", skill.rank_correlation),
            format!("{:.3}", skill.p),
            format!("{:.2}", skill.scale),
            verdict.to_owned(),
        ]
    };
    printer.table(&columns, &scores.iter().map(row).collect::<Vec<_>>())
}

fn proposal(prediction: &Prediction, printer: &mut Printer) -> Result<()> {
    let proposal = &prediction.proposal.mixture;
    let best = &prediction.best_observed;
    printer.line("\nProposal, in shares of the prompt groups per optimizer step")?;
    let columns = [
        Column::Text("dataset"),
        Column::Number("proposed"),
        Column::Number("uniform"),
        Column::Number("best observed"),
        Column::Text("next runs"),
    ];
    let uniform = 1.0 / prediction.datasets.len() as f64;
    let row = |(i, name): (usize, &crate::name::Name)| {
        let next: Vec<String> = prediction.next.iter().map(|next| format!("{:.3}", next.shares[i])).collect();
        vec![
            name.to_string(),
            format!("{:.3}", proposal.shares[i]),
            format!("{uniform:.3}"),
            format!("{:.3}", best.shares[i]),
            next.join("  "),
        ]
    };
    printer.table(&columns, &prediction.datasets.iter().enumerate().map(row).collect::<Vec<_>>())?;
    printer.line(format!("\n{}: {}", prediction.objective, prediction.sentence))?;
    if let Some(note) = &proposal.note {
        printer.line(note.split(": no signal").next().unwrap_or(note))?;
    }
    printer.line(format!(
        "expected score {}, of one new run {}; at uniform shares {:.4}",
        interval(&proposal.predicted),
        range(&proposal.new_run),
        proposal.uniform
    ))?;
    if prediction.verdict == Verdict::Signal {
        printer.line(format!(
            "expected gain over uniform shares {}, chance of a gain {:.2}",
            interval(&proposal.gain),
            proposal.p_beats_uniform
        ))?;
    }
    printer.line(format!(
        "best observed: {} at {:.4} ({} runs); chance that the proposal beats it {:.2}; {}",
        best.label, best.score, best.n_runs, prediction.proposal.p_beats_best_observed, best.note
    ))?;
    printer.line(format!("distance to the nearest mixture tried {:.3}", proposal.distance_to_tried))?;
    for binding in &proposal.binding {
        printer.line(format!("held by: {binding}"))?;
    }
    Ok(())
}

fn decoding(score: &Score) -> String {
    score.decoding.map_or("-", word).to_owned()
}

/// `0.4120 (90 % 0.3950 to 0.4290)`.
fn interval(of: &Interval) -> String {
    format!("{:.4} ({})", of.mean, range(of))
}

fn range(of: &Interval) -> String {
    format!("90 % {:.4} to {:.4}", of.low, of.high)
}
