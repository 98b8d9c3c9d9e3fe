//! A prediction as tables: how strong the signal is, what skill there is, what is proposed.

use crate::{
    cli::printer::{self, Column, Printer},
    decide::{Prediction, Score, decimals},
    error::Result,
    mixture::named::Interval,
    name::Name,
    optimize::goal::Kept,
    predict::skill::Verdict,
    run::Decoding,
};

/// Next runs that stand in columns beside the proposal; all of them are in `prediction.json`.
const NEXT_SHOWN: usize = 3;

/// Columns of text that a next run takes, and that the shares before them do.
const NEXT: usize = "  next 1".len();
const PROPOSED: usize = "  proposed  uniform  observed".len();

/// All of it.
pub(super) fn prediction(prediction: &Prediction, printer: &mut Printer) -> Result<()> {
    // An objective of one score is that score; what rules need of a table are columns of it.
    let several = prediction.targets.iter().filter(|target| target.weight != 0.0).count() > 1;
    let shown = |score: &&Score| score.decoding.is_some() || (several && score.weight > 0.0);
    let aggregates = prediction.aggregates.iter().filter(shown);
    let scores: Vec<&Score> = aggregates.chain(&prediction.targets).collect();
    prose(
        printer,
        &format!(
            "{} runs of {} mixtures, predictor `{}`; objective: {}\n",
            prediction.runs.len(),
            prediction.n_mixtures,
            prediction.predictor,
            prediction.objective
        ),
    )?;
    tables(&scores, printer)?;
    proposal(prediction, printer)?;
    for note in &prediction.notes {
        printer.note(format!("note: {note}"));
    }
    Ok(())
}

/// Spread between mixtures beside spread between seeds, then skill on mixtures left out.
pub(super) fn tables(scores: &[&Score], printer: &mut Printer) -> Result<()> {
    // Scores of other people's tables have no decoding, and questions where they were given.
    let benchmarks = scores.iter().any(|score| score.decoding.is_some());
    let known = scores.iter().any(|score| score.n_questions > 0);
    let columns = |counted: bool, figures: &[Column]| -> Vec<Column> {
        let own = benchmarks.then_some(Column::Text("decoding"));
        let questions = (known && counted).then_some(Column::Number("questions"));
        let first = [Some(Column::Text("score")), own, questions];
        first.into_iter().flatten().chain(figures.iter().copied()).collect()
    };
    let row = |score: &Score, counted: bool, figures: Vec<String>| -> Vec<String> {
        let own = benchmarks.then(|| decoding(score));
        let questions = (known && counted).then(|| score.n_questions.to_string());
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
        let digits = decimals(&[signal.between_sd, signal.within_sd.unwrap_or(0.0)]);
        let figures = vec![
            format!("{:.digits$}", signal.between_sd),
            signal.within_sd.map_or_else(|| "-".to_owned(), |sd| format!("{sd:.digits$}")),
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
        Column::Text("to settle"),
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
            skill.needed(),
        ];
        row(score, false, figures)
    };
    printer.table(&columns(false, &figures), &scores.iter().map(skill).collect::<Vec<_>>())
}

fn proposal(prediction: &Prediction, printer: &mut Printer) -> Result<()> {
    let proposal = &prediction.proposal.mixture;
    let best = &prediction.best_observed;
    printer.line("\nProposal: shares")?;
    // As many as leave the names whole.
    let names = prediction.datasets.iter().map(|name| name.as_str().chars().count()).max().unwrap_or(0);
    let room = printer::width().saturating_sub(names.max("dataset".len()) + PROPOSED) / NEXT;
    let n_next = prediction.next.len().min(NEXT_SHOWN).min(room);
    let next = ["next 1", "next 2", "next 3"].map(Column::Number).into_iter().take(n_next);
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
        let next = prediction.next.iter().take(n_next).map(|next| next.shares[i]);
        let figures = shares.into_iter().chain(next).map(|share| format!("{share:.3}"));
        std::iter::once(name.to_string()).chain(figures).collect()
    };
    printer.table(&columns, &prediction.datasets.iter().enumerate().map(row).collect::<Vec<_>>())?;

    prose(printer, &format!("\n{}: {}", prediction.objective, prediction.sentence))?;
    if let Some(note) = &proposal.note {
        prose(printer, note.split(": no signal").next().unwrap_or(note))?;
    }
    expected(prediction, printer)?;
    let runs = if best.n_runs == 1 { "run" } else { "runs" };
    let digits = decimals(&[best.score, best.shrunk]);
    prose(
        printer,
        &format!(
            "best observed: {} at {:.digits$} ({} {runs}); {:.digits$} without the luck of being the best of {}",
            best.label, best.score, best.n_runs, best.shrunk, prediction.n_mixtures
        ),
    )?;
    let outside = if proposal.outside_tried < 0.005 {
        "between the mixtures tried".to_owned()
    } else {
        format!(
            "{:.0} % of the budget outside what lies between the mixtures tried",
            100.0 * proposal.outside_tried
        )
    };
    prose(
        printer,
        &format!(
            "proposal: {outside}; {:.0} % spent differently from the nearest one",
            100.0 * proposal.distance_to_tried
        ),
    )?;
    for binding in &proposal.binding {
        prose(printer, &format!("held by: {binding}"))?;
    }
    if let Some(gain) = proposal.local_gain {
        let kept = format!("constraints are kept to {:.0e}", proposal.violation);
        prose(
            printer,
            &format!("{kept}; moving .001 between any two datasets would gain {gain:+.1e} at most"),
        )?;
    }
    guardrails(prediction, printer)?;
    heuristics(prediction, printer)
}

/// Score, gain, chances and regret.
fn expected(prediction: &Prediction, printer: &mut Printer) -> Result<()> {
    let proposal = &prediction.proposal.mixture;
    if proposal.worst.is_some() {
        prose(printer, "figures are of the mean of all of them, each in its standard deviations:")?;
    }
    prose(
        printer,
        &format!(
            "expected score {}; of one new run {}; at uniform shares {}",
            interval(&proposal.predicted),
            range(&proposal.new_run),
            figure(proposal.uniform)
        ),
    )?;
    if prediction.verdict == Verdict::NoSignal {
        return Ok(());
    }
    printer.line(format!("expected gain over uniform shares {}", interval(&proposal.gain)))?;
    let natural = prediction.proposal.p_beats_natural;
    prose(
        printer,
        &format!(
            "chance of beating uniform shares {:.2}, the best observed {:.2}{}",
            proposal.p_beats_uniform,
            prediction.proposal.p_beats_best_observed,
            natural.map_or_else(String::new, |p| format!(", natural shares {p:.2}"))
        ),
    )?;
    if let Some(worst) = &proposal.worst {
        let name = &prediction.proposal.targets[worst.target].name;
        prose(
            printer,
            &format!(
                "smallest gain over uniform shares: `{name}`, {} of its standard deviations",
                interval(&worst.gain)
            ),
        )?;
    }
    prose(
        printer,
        &format!(
            "expected regret {}: what knowing every mixture tried exactly would still gain",
            figure(proposal.expected_regret)
        ),
    )
}

fn guardrails(prediction: &Prediction, printer: &mut Printer) -> Result<()> {
    let rails = &prediction.proposal.mixture.guardrails;
    if rails.is_empty() {
        return Ok(());
    }
    printer.line("\nGuardrails: the chance that no more is lost than allowed")?;
    let columns = [
        Column::Text("score"),
        Column::Text("than"),
        Column::Number("may lose"),
        Column::Number("gain"),
        Column::Number("chance"),
        Column::Number("asked"),
        Column::Text(""),
    ];
    let row = |rail: &Kept| {
        vec![
            rail.name.clone(),
            rail.than.clone(),
            rail.within.to_string(),
            figure(rail.gain.mean),
            format!("{:.3}", rail.chance),
            format!("{:.3}", rail.asked),
            if rail.kept { "kept" } else { "broken" }.to_owned(),
        ]
    };
    printer.table(&columns, &rails.iter().map(row).collect::<Vec<_>>())
}

/// The paper's rules, where they could be worked out.
fn heuristics(prediction: &Prediction, printer: &mut Printer) -> Result<()> {
    let rules = &prediction.heuristics;
    if rules.is_empty() {
        return Ok(());
    }
    printer.line("\nThe paper's rules, from the runs of equal shares; constraints are not theirs")?;
    let titles = ["alpha in", "alpha out", "balanced", "coli", "norm"];
    let title = |rule: &str| match rule {
        "alpha_in" => titles[0],
        "alpha_out" => titles[1],
        "alpha_balanced" => titles[2],
        "coli" => titles[3],
        _ => titles[4],
    };
    let columns: Vec<Column> = std::iter::once(Column::Text("dataset"))
        .chain(rules.iter().map(|rule| Column::Number(title(&rule.rule))))
        .collect();
    let of_dataset = |(i, name): (usize, &Name)| -> Vec<String> {
        std::iter::once(name.to_string())
            .chain(rules.iter().map(|rule| format!("{:.3}", rule.shares[i])))
            .collect()
    };
    let mut rows: Vec<Vec<String>> = prediction.datasets.iter().enumerate().map(of_dataset).collect();
    let scores = rules.iter().map(|rule| figure(rule.predicted.mean));
    rows.push(std::iter::once("expected score".to_owned()).chain(scores).collect());
    printer.table(&columns, &rows)
}

/// `0.004`, or `<0.001`.
fn chance(p: f64) -> String {
    if p < 0.001 { "<0.001".to_owned() } else { format!("{p:.3}") }
}

fn decoding(score: &Score) -> String {
    score.decoding.map_or("-", Decoding::word).to_owned()
}

fn figure(of: f64) -> String {
    let digits = decimals(&[of]);
    format!("{of:.digits$}")
}

/// `0.4120 (90 % 0.3950 to 0.4290)`.
fn interval(of: &Interval) -> String {
    let digits = decimals(&[of.low, of.high]);
    format!("{:.digits$} ({})", of.mean, range(of))
}

fn range(of: &Interval) -> String {
    let digits = decimals(&[of.low, of.high]);
    format!("90 % {:.digits$} to {:.digits$}", of.low, of.high)
}

/// Columns that sentences are broken at: tables are no wider where there is no terminal.
const WIDTH: usize = 80;

/// Sentences, broken between words.
fn prose(printer: &mut Printer, text: &str) -> Result<()> {
    let mut broken = String::new();
    let mut column = 0;
    for (i, word) in text.split(' ').enumerate() {
        let length = word.trim_matches('\n').chars().count();
        if i > 0 && column + 1 + length > WIDTH {
            broken.push_str("\n  ");
            column = 2;
        } else if i > 0 {
            broken.push(' ');
            column += 1;
        }
        broken.push_str(word);
        column += length;
    }
    printer.line(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_scores_keep_three_digits() {
        assert_eq!(figure(0.412), "0.4120");
        assert_eq!(figure(3.21e-5), "0.0000321");
        assert_eq!(figure(-0.00412), "-0.00412");
        assert_eq!(figure(0.0), "0.0000");
        let of = Interval { mean: 2e-5, low: -1e-6, high: 4.1e-5 };
        assert_eq!(interval(&of), "0.0000200 (90 % -0.0000010 to 0.0000410)");
    }
}
