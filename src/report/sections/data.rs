//! What is in the datasets and benchmarks, and what they share, as `modo data check` found it.

use crate::{
    data::{
        check::{Bad, Check},
        overlap::Level,
    },
    report::{
        Report,
        estimate::count,
        page::{Cell, Section, Table},
    },
};

/// Frequent answers, and bad rows per dataset, that are shown.
const MOST_ANSWERS: usize = 5;
const MOST_ROWS: usize = 20;

pub(super) fn section(report: &Report) -> Section {
    let mut section = Section::new("data", "Data");
    if report.data.is_empty() {
        section.text(
            "The data were not checked. `modo data check` reads every row, puts every gold to its verifier and looks \
             for pictures that training data share with benchmarks; what it finds is shown here.",
        );
        return section;
    }
    let checks = || report.data.iter().map(|data| &data.check);
    let sum = |of: fn(&Check) -> u64| checks().map(of).sum::<u64>();
    section.text(format!(
        "{} checked: {} that cannot be used, {} that fail their own verifier.",
        count(report.data.len(), "dataset"),
        count(sum(|c| c.n_bad) as usize, "row"),
        count(sum(|c| c.n_reward_failures) as usize, "gold"),
    ));
    let changed: Vec<&str> =
        report.data.iter().filter(|d| d.changed).map(|d| d.check.dataset.as_str()).collect();
    if !changed.is_empty() {
        section.text(format!("Changed since they were checked: {}.", changed.join(", ")));
    }
    let mut leaks: u64 = 0;
    for data in report.data.iter().filter(|data| data.role == TRAIN) {
        for other in report.data.iter().filter(|other| other.role != TRAIN) {
            let levels = data.check.shared.get(&other.check.dataset);
            let of = |level: &Level| levels.and_then(|levels| levels.get(level.word())).copied();
            leaks += Level::ALL.iter().filter(|level| level.leaks()).filter_map(of).sum::<u64>();
        }
    }
    if leaks > 0 {
        section.text(format!(
            "{leaks} training rows show pictures of a benchmark (a row counts once per benchmark): scores on it may \
             be too high. `modo data check --exclusions FILE` lists them for `exclude`."
        ));
    }
    section.table(rows(report));
    section.table(lengths(report));
    if let Some(shared) = shared(report) {
        section.table(shared);
    } else if checks().any(|check| !check.compared_with.is_empty()) {
        section.text("No dataset shares a row or a picture with another one, and none has one twice.");
    }
    for (caption, of) in [
        ("Rows that cannot be used.", (|check| &check.bad) as fn(&Check) -> &Vec<Bad>),
        ("Golds that fail their own verifier.", |check| &check.reward_failures),
    ] {
        let mut table = Table::new(
            format!("{caption} The first {MOST_ROWS} of each dataset."),
            ["dataset", "place", "what is wrong"],
        );
        table.folded = true;
        for check in checks() {
            let row =
                |bad: &Bad| vec![Cell::text(&check.dataset), Cell::text(&bad.place), Cell::text(&bad.what)];
            table.rows.extend(of(check).iter().take(MOST_ROWS).map(row));
        }
        if !table.rows.is_empty() {
            section.table(table);
        }
    }
    section
}

/// How [`crate::report::DataCheck::role`] writes training data.
const TRAIN: &str = "train";

fn rows(report: &Report) -> Table {
    let mut table = Table::new(
        "Rows and answers. A guesser who always gives the most frequent answer gets the share in the last column.",
        [
            "dataset",
            "role",
            "rows",
            "checked",
            "unusable",
            "golds that fail",
            "answers",
            "different",
            "most frequent",
            "a guesser gets",
        ],
    );
    for data in &report.data {
        let check = &data.check;
        let usable = (check.checked - check.n_bad.min(check.checked)).max(1) as f64;
        let kinds: Vec<String> = check.answers.iter().map(|(kind, n)| format!("{kind} {n}")).collect();
        let frequent: Vec<String> = check
            .frequent_answers
            .iter()
            .take(MOST_ANSWERS)
            .map(|(answer, n)| {
                let answer: String = answer.chars().take(24).collect();
                format!("{answer} ({:.1} %)", 100.0 * *n as f64 / usable)
            })
            .collect();
        table.rows.push(vec![
            Cell::text(&check.dataset),
            Cell::text(data.role),
            Cell::number(check.rows.to_string()),
            Cell::number(check.checked.to_string()),
            Cell::number(check.n_bad.to_string()),
            Cell::number(check.n_reward_failures.to_string()),
            Cell::text(kinds.join(", ")),
            Cell::number(check.different_answers.to_string()),
            Cell::text(frequent.join(", ")),
            Cell::number(check.most_frequent_share.map_or("–".to_owned(), |s| format!("{:.1} %", 100.0 * s))),
        ]);
    }
    table
}

fn lengths(report: &Report) -> Table {
    let mut table = Table::new(
        "Lengths and sizes: least, mean and most; of pictures the smallest, the middle and the largest by pixels. Tokens \
         are those of the model that `modo data check --model` was given.",
        [
            "dataset",
            "question, characters",
            "prompt, tokens",
            "pictures of a row, tokens",
            "pictures",
            "different",
            "width×height",
            "rows without",
        ],
    );
    let range = |range: Option<[f64; 3]>| {
        Cell::number(
            range.map_or("–".to_owned(), |[least, mean, most]| format!("{least} · {mean:.1} · {most}")),
        )
    };
    for data in &report.data {
        let check = &data.check;
        let sizes: Vec<String> = [check.smallest, check.median, check.largest]
            .into_iter()
            .flatten()
            .map(|(width, height)| format!("{width}×{height}"))
            .collect();
        table.rows.push(vec![
            Cell::text(&check.dataset),
            range(check.question_characters),
            range(check.text_tokens),
            range(check.picture_tokens),
            Cell::number(check.pictures.to_string()),
            Cell::number(check.distinct_pictures.to_string()),
            Cell::text(sizes.join(" · ")),
            Cell::number(check.without_picture.to_string()),
        ]);
    }
    table
}

/// Rows that others have as well; none if there are none.
fn shared(report: &Report) -> Option<Table> {
    let mut head = vec!["rows of".to_owned(), "are in".to_owned()];
    head.extend(Level::ALL.map(|level| level.word().replace('_', " ")));
    let mut table = Table::new(
        "Rows that another dataset, or an earlier row of the same one, has as well, each counted once under the most \
         that they share.",
        head,
    );
    for check in report.data.iter().map(|data| &data.check) {
        for (other, levels) in &check.shared {
            let counts = Level::ALL.map(|level| (level, levels.get(level.word()).copied().unwrap_or(0)));
            if counts.iter().any(|(level, n)| level.leaks() && *n > 0) {
                let mut row = vec![
                    Cell::text(&check.dataset),
                    Cell::text(if *other == check.dataset { "itself" } else { other }),
                ];
                row.extend(counts.map(|(_, n)| Cell::number(n.to_string())));
                table.rows.push(row);
            }
        }
    }
    (!table.rows.is_empty()).then_some(table)
}
