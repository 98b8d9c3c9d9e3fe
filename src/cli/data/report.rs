//! What `modo data check` says on a terminal, 80 columns wide.

use super::{
    super::printer::{Column, Printer},
    counted,
};
use crate::{
    data::{check::Check, overlap::Level},
    error::Result,
};

/// Bad rows that are printed per dataset; JSON has up to 1000.
const MOST_PRINTED: usize = 10;

/// Frequent answers that are printed, and characters of each.
const MOST_ANSWERS: usize = 3;
const ANSWER: usize = 16;

/// Columns of a line.
const WIDTH: usize = 80;

pub(super) fn print(checks: &[Check], printer: &mut Printer) -> Result<()> {
    for (i, check) in checks.iter().enumerate() {
        if i > 0 {
            printer.line("")?;
        }
        one(check, printer)?;
    }
    overlap(checks, printer)
}

fn one(check: &Check, printer: &mut Printer) -> Result<()> {
    if let Some(problem) = &check.problem {
        return printer.line(format!(
            "{}: cannot be opened\n  {}",
            check.dataset,
            problem.replace('\n', "\n  ")
        ));
    }
    let part =
        if check.checked < check.rows { format!(", {} checked", check.checked) } else { String::new() };
    let verdict = if check.ok { "can be used" } else { "FAILS" };
    printer.line(format!("{}: {}{part}, {verdict}", check.dataset, counted(check.rows, "row")))?;
    let of_rows = |share: f64| format!("{:.1} %", 100.0 * share);
    let kinds: Vec<String> = check.answers.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let usable = (check.checked - check.n_bad).max(1) as f64;
    let frequent: Vec<String> = check
        .frequent_answers
        .iter()
        .take(MOST_ANSWERS)
        .map(|(answer, count)| format!("{} {}", clipped(answer), of_rows(*count as f64 / usable)))
        .collect();
    let mut lines = vec![("answers", format!("{}; {} different", kinds.join(", "), check.different_answers))];
    if !frequent.is_empty() {
        lines.push(("most frequent", frequent.join(", ")));
        lines.push(("a guesser gets", of_rows(check.most_frequent_share.unwrap_or(0.0))));
    }
    let range =
        |[least, mean, most]: [f64; 3], unit: &str| format!("{least} to {most} {unit}, mean {mean:.1}");
    if let Some(length) = check.question_characters {
        lines.push(("questions", range(length, "characters")));
    }
    if let Some(length) = check.text_tokens {
        lines.push(("prompts", range(length, "tokens")));
    }
    if let Some(length) = check.picture_tokens {
        lines.push(("pictures of a row", range(length, "tokens")));
    }
    if let (Some(smallest), Some(median), Some(largest)) = (check.smallest, check.median, check.largest) {
        let size = |(width, height): (u32, u32)| format!("{width}×{height}");
        let sizes = if smallest == largest {
            size(smallest)
        } else {
            format!("{} to {}, middle {}", size(smallest), size(largest), size(median))
        };
        lines.push((
            "pictures",
            format!("{}, {} different; {sizes}", check.pictures, check.distinct_pictures),
        ));
    }
    if check.without_picture > 0 {
        lines.push(("no picture", counted(check.without_picture, "row")));
    }
    if check.n_bad > 0 {
        let share = of_rows(check.n_bad as f64 / check.checked.max(1) as f64);
        lines.push((
            "unusable",
            format!("{}, {share}; others are drawn in their place", counted(check.n_bad, "row")),
        ));
    }
    let golds = match check.n_reward_failures {
        0 if check.n_bad == check.checked => "none that could be judged".to_owned(),
        0 => "all are right by their own verifier".to_owned(),
        1 => "1 fails its own verifier".to_owned(),
        n => format!("{n} fail their own verifier"),
    };
    lines.push(("golds", golds));
    if check.n_outside > 0 {
        let rows = counted(check.n_outside, "row");
        lines.push((
            "boxes",
            format!("{rows} with a box that leaves the picture: is `boxes` of the table right?"),
        ));
    }
    if check.n_contradicting > 0 {
        let rows = counted(check.n_contradicting, "row");
        lines.push((
            "contradictions",
            format!("{rows} with question and pictures of an earlier one, and another gold"),
        ));
    }
    for (title, text) in lines {
        wrapped(&format!("  {title:<18}"), 20, &text, printer)?;
    }
    for (title, count, rows) in [
        ("rows that cannot be used:", check.n_bad, &check.bad),
        ("golds on which the reward fails:", check.n_reward_failures, &check.reward_failures),
        ("golds with a box that leaves the picture:", check.n_outside, &check.outside),
        ("golds that contradict an earlier row:", check.n_contradicting, &check.contradicting),
    ] {
        if count == 0 {
            continue;
        }
        printer.line(format!("  {title}"))?;
        for bad in rows.iter().take(MOST_PRINTED) {
            wrapped("    ", 6, &format!("{}: {}", bad.place, bad.what), printer)?;
        }
        if count > MOST_PRINTED as u64 {
            printer.line(format!("    and {} more; `--json` lists them", count - MOST_PRINTED as u64))?;
        }
    }
    Ok(())
}

fn overlap(checks: &[Check], printer: &mut Printer) -> Result<()> {
    let columns = [
        Column::Text("rows of, in"),
        Column::Number("row"),
        Column::Number("picture, question"),
        Column::Number("picture"),
        Column::Number("near"),
        Column::Number("question"),
    ];
    let mut shared: Vec<Vec<String>> = Vec::new();
    for check in checks {
        let mut own = true;
        for (other, levels) in &check.shared {
            let counts = Level::ALL.map(|level| (level, levels.get(level.word()).copied().unwrap_or(0)));
            if counts.iter().any(|(level, count)| level.leaks() && *count > 0) {
                // A line of its own, so that there is room for both names.
                if std::mem::take(&mut own) {
                    shared.push(vec![check.dataset.clone()]);
                }
                let with = if *other == check.dataset { "itself" } else { other };
                let counts =
                    counts.map(|(_, count)| if count == 0 { "–".to_owned() } else { count.to_string() });
                shared.push([format!("  {with}")].into_iter().chain(counts).collect());
            }
        }
    }
    for row in &mut shared {
        row.resize(columns.len(), String::new());
    }
    if shared.is_empty() {
        let compared = checks.iter().any(|check| !check.shared.is_empty());
        return if compared { printer.line("\nno rows and no pictures are shared") } else { Ok(()) };
    }
    printer.line(
        "\nRows that another dataset, or an earlier row of the same one, has as well, each\n\
         counted once, under the most that they share: the whole row, picture and\n\
         question, the picture, a near picture (coded, sized, cut or coloured anew), the\n\
         question alone:",
    )?;
    printer.table(&columns, &shared)
}

/// Prints words after `head`, in lines that begin with `indent` spaces where one is not enough.
fn wrapped(head: &str, indent: usize, text: &str, printer: &mut Printer) -> Result<()> {
    let (mut line, mut empty) = (head.to_owned(), true);
    for word in text.split(' ') {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            printer.line(&line)?;
            (line, empty) = (" ".repeat(indent), true);
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    printer.line(line)
}

fn clipped(answer: &str) -> String {
    if answer.chars().count() <= ANSWER {
        return format!("`{answer}`");
    }
    format!("`{}…`", answer.chars().take(ANSWER - 1).collect::<String>())
}
