//! A prediction as tables: how strong the signal is, what skill there is, what is proposed.

use crate::{
    cli::printer::{Column, Printer},
    decide::{Prediction, Score, word},
    error::Result,
    mixture::named::Interval,
    name::Name,
    predict::skill::Verdict,
};

/// Next runs that stand in columns beside the proposal; all of them are in `prediction.json`.
const NEXT_SHOWN: usize = 3;

/// All of it.
pub(super) fn prediction(prediction: &Prediction, printer: &mut Printer) -> Result<()> {
    let alone = prediction.targets.len() == 1 && prediction.aggregates.len() == 1;
    let aggregates = prediction.aggregates.iter().filter(|_| !alone);
    let scores: Vec<&Score> = aggregates.chain(&prediction.targets).collect();
    printer.line(format!(
        "{} runs of {} mixtures, predictor `{}`; objective: {}\n",
        prediction.runs.len(),
        prediction.n_mixtures,
        prediction.predictor,
        prediction.objective
    ))?;
    tables(&scores, printer)?;
    proposal(prediction, printer)?;
    for note in &prediction.notes {
        printer.note(format!("note: {note}"));
    }
    Ok(())
}

/// Spread between mixtures beside spread between seeds, then skill on mixtures left out.
pub(super) fn tables(scores: &[&Score], printer: &mut Printer) -> Result<()> {
    // Scores of other people's tables have neither questions nor a decoding.
    let benchmarks = scores.iter().any(|score| score.decoding.is_some());
    let columns = |counted: bool, figures: &[Column]| -> Vec<Column> {
        let own = benchmarks.then_some(Column::Text("decoding"));
        let questions = (benchmarks && counted).then_some(Column::Number("questions"));
        let first = [Some(Column::Text("score")), own, questions];
        first.into_iter().flatten().chain(figures.iter().copied()).collect()
    };
    let row = |score: &Score, counted: bool, figures: Vec<String>| -> Vec<String> {
        let own = benchmarks.then(|| decoding(score));
        let questions = (benchmarks && counted).then(|| score.n_questions.to_string());
        let first = [Some(score.name.clone()), own, questions];
        first.into_iter().flatten().chain(figures).collect()
    };

    printer.line("Signal: standard deviation between mixtures beside that between seeds")?;
    let figures = [
        Column::Number("mixtures"),
        Column::Number("seeds"),
        Column::Number("F"),
        Column::Number("p"),
        Column::Number("runs"),
    ];
    let signal = |score: &&Score| {
        let signal = &score.skill.signal;
        let optional =
            |value: Option<f64>, show: fn(f64) -> String| value.map_or_else(|| "-".to_owned(), show);
        let figures = vec![
            format!("{:.4}", signal.between_sd),
            optional(signal.within_sd, |sd| format!("{sd:.4}")),
            optional(signal.f, |f| format!("{f:.2}")),
            optional(signal.p, chance),
            signal.n_runs.to_string(),
        ];
        row(score, true, figures)
    };
    printer.table(&columns(true, &figures), &scores.iter().map(signal).collect::<Vec<_>>())?;

    printer.line("\nSkill: every mixture predicted from the others")?;
    let figures = [
        Column::Number("R²"),
        Column::Number("rank"),
        Column::Number("p"),
        Column::Number("sd ×"),
        Column::Text("verdict"),
    ];
    let skill = |score: &&Score| {
        let skill = &score.skill;
        let verdict = if skill.verdict == Verdict::Signal { "signal" } else { "no signal" };
        let figures = vec![
            format!("{:.2}", skill.r2),
            format!("{:.2}", skill.rank_correlation),
            chance(skill.p),
            format!("{:.2}", skill.scale),
            verdict.to_owned(),
        ];
        row(score, false, figures)
    };
    printer.table(&columns(false, &figures), &scores.iter().map(skill).collect::<Vec<_>>())
}

fn proposal(prediction: &Prediction, printer: &mut Printer) -> Result<()> {
    let proposal = &prediction.proposal.mixture;
    let best = &prediction.best_observed;
    printer.line("\nProposal: shares")?;
    let next = ["next 1", "next 2", "next 3"].map(Column::Number);
    let next = next.into_iter().take(prediction.next.len().min(NEXT_SHOWN));
    let columns: Vec<Column> = [
        Column::Text("dataset"),
        Column::Number("proposed"),
        Column::Number("uniform"),
        Column::Number("observed"),
    ]
    .into_iter()
    .chain(next)
    .collect();
    let uniform = 1.0 / prediction.datasets.len() as f64;
    let row = |(i, name): (usize, &Name)| {
        let shares = [proposal.shares[i], uniform, best.shares[i]];
        let next = prediction.next.iter().take(NEXT_SHOWN).map(|next| next.shares[i]);
        let figures = shares.into_iter().chain(next).map(|share| format!("{share:.3}"));
        std::iter::once(name.to_string()).chain(figures).collect()
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
        let natural = prediction.proposal.p_beats_natural;
        printer.line(format!(
            "expected gain over uniform shares {}, chance of a gain {:.2}, of beating the best observed {:.2}{}",
            interval(&proposal.gain),
            proposal.p_beats_uniform,
            prediction.proposal.p_beats_best_observed,
            natural.map_or_else(String::new, |p| format!(", natural shares {p:.2}"))
        ))?;
        printer.line(format!(
            "expected regret at least {:.4} against the best mixture tried, had all been known exactly",
            proposal.expected_regret
        ))?;
    }
    let runs = if best.n_runs == 1 { "run" } else { "runs" };
    printer.line(format!(
        "best observed: {} at {:.4} ({} {runs}), {:.4} without the luck of the best; {}",
        best.label, best.score, best.n_runs, best.shrunk, best.note
    ))?;
    printer.line(format!(
        "spends {:.0} % of the budget differently from the nearest mixture tried",
        100.0 * proposal.distance_to_tried
    ))?;
    for binding in &proposal.binding {
        printer.line(format!("held by: {binding}"))?;
    }
    Ok(())
}

/// `0.004`, or `<0.001`.
fn chance(p: f64) -> String {
    if p < 0.001 { "<0.001".to_owned() } else { format!("{p:.3}") }
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
