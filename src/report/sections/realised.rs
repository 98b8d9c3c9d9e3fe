//! What was drawn beside what was asked for.

use std::collections::BTreeMap;

use super::datasets;
use crate::{
    name::Name,
    report::{
        Report, ReportRun,
        estimate::{Estimate, count, digits, plain},
        page::{Cell, Section, Table},
    },
    reward::Scored,
    run::{Realised, RunRecord},
};

pub(super) fn section(report: &Report) -> Section {
    let mut section = Section::new("realised", "Realised shares");
    let runs: Vec<(&ReportRun, &RunRecord)> =
        report.runs.iter().filter_map(|run| run.record.as_ref().map(|record| (run, record))).collect();
    if runs.is_empty() {
        section.text("No run has finished, so nothing was drawn to the end.");
        return section;
    }
    let datasets = datasets(report);
    let off = |(run, record): &(&ReportRun, &RunRecord)| {
        let share = |name: &Name| (realised(record, name) - run.mixture.share(name)).abs();
        (datasets.iter().map(share).fold(0.0, f64::max), run.label.clone())
    };
    let furthest = runs.iter().map(off).max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or_default();
    let replaced: u64 = runs.iter().flat_map(|run| run.1.realised.values()).map(|r| r.replaced).sum();
    section.text(format!(
        "Over {} the furthest that a dataset came from its share is {} ({}). Rows that could not be read \
         and were replaced by the same dataset's next one: {replaced}.{}",
        count(runs.len(), "finished run"),
        digits(furthest.0, 5),
        furthest.1,
        questions(&runs)
    ));

    let mut by_dataset = Table::new(
        "Per dataset, means over the runs that drew from it. Passes: rows drawn per row there is. Groups \
         whose completions were all right or all wrong teach nothing but format, those with equal rewards (not counted by \
         earlier versions) nothing at all. Reward: first and last fifth of a run's groups.",
        [
            "dataset",
            "runs",
            "groups",
            "most passes",
            "replaced",
            "all right",
            "all wrong",
            "equal rewards",
            "reward first",
            "reward last",
        ],
    );
    for name in &datasets {
        let drawn: Vec<&Realised> =
            runs.iter().filter_map(|run| run.1.realised.get(name)).filter(|r| r.groups > 0).collect();
        let mean =
            |of: fn(&Realised) -> f64| Cell::number(plain(Estimate::of(drawn.iter().map(|r| of(r))).mean));
        by_dataset.rows.push(vec![
            Cell::text(name.as_str()),
            Cell::number(drawn.len().to_string()),
            Cell::number(drawn.iter().map(|r| r.groups).sum::<u64>().to_string()),
            Cell::number(plain(drawn.iter().map(|r| r.passes).fold(f64::NAN, f64::max))),
            Cell::number(drawn.iter().map(|r| r.replaced).sum::<u64>().to_string()),
            mean(|r| r.all_right),
            mean(|r| r.all_wrong),
            Cell::number(plain(Estimate::of(drawn.iter().filter_map(|r| r.equal_rewards)).mean)),
            mean(|r| r.reward_first),
            mean(|r| r.reward_last),
        ]);
    }
    section.table(by_dataset);
    if let Some(outcomes) = outcomes(&runs, &datasets) {
        section.table(outcomes);
    }

    let mut head = vec!["run".to_owned(), "id".to_owned(), "groups".to_owned()];
    head.extend(datasets.iter().map(ToString::to_string));
    let mut by_run = Table::new("Every run: realised share (asked share) per dataset.", head);
    by_run.folded = true;
    for (run, record) in &runs {
        let groups: u64 = record.realised.values().map(|r| r.groups).sum();
        let mut row =
            vec![Cell::text(&run.label), Cell::text(run.id.as_str()), Cell::number(groups.to_string())];
        row.extend(datasets.iter().map(|name| {
            Cell::number(format!("{} ({})", plain(realised(record, name)), plain(run.mixture.share(name))))
        }));
        by_run.rows.push(row);
    }
    section.table(by_run);
    section
}

/// Rows of benchmarks that could not be asked or judged; empty where no run says that there were any.
fn questions(runs: &[(&ReportRun, &RunRecord)]) -> String {
    let mut most = BTreeMap::<&Name, u64>::new();
    for score in runs.iter().flat_map(|run| &run.1.scores).filter(|score| score.replaced > 0) {
        let most = most.entry(&score.benchmark).or_default();
        *most = score.replaced.max(*most);
    }
    if most.is_empty() {
        return String::new();
    }
    let named: Vec<String> = most.into_iter().map(|(name, n)| format!("{name} {n}")).collect();
    format!(
        " Rows of benchmarks that could not be asked or judged, whose places others took where there were any: {}.",
        named.join(", ")
    )
}

/// What came of the completions, early and late; none where no record says it.
fn outcomes(runs: &[(&ReportRun, &RunRecord)], datasets: &[Name]) -> Option<Table> {
    let mut head = vec!["dataset".to_owned(), "groups".to_owned()];
    head.extend(Scored::OUTCOMES.map(|reason| reason.replace('_', " ")));
    let mut table = Table::new(
        "What came of the completions, as shares, in the first and the last fifth of the groups: where `right` grows by \
         what `right without format` and `format` lose, the gain is format and not skill.",
        head,
    );
    for name in datasets {
        for (at, fifth) in ["first fifth", "last fifth"].iter().enumerate() {
            let of = |reason: &str| -> u64 {
                let counts = runs.iter().filter_map(|run| run.1.realised.get(name)?.reasons[at].get(reason));
                counts.sum()
            };
            let all: u64 = Scored::OUTCOMES.iter().map(|reason| of(reason)).sum();
            if all == 0 {
                continue;
            }
            let mut row = vec![Cell::text(name.as_str()), Cell::text(*fifth)];
            row.extend(Scored::OUTCOMES.map(|reason| Cell::number(plain(of(reason) as f64 / all as f64))));
            table.rows.push(row);
        }
    }
    (!table.rows.is_empty()).then_some(table)
}

/// Share of the groups that came from a dataset; NaN where nothing was drawn at all.
fn realised(record: &RunRecord, dataset: &Name) -> f64 {
    let all: u64 = record.realised.values().map(|r| r.groups).sum();
    record.realised.get(dataset).map_or(0, |r| r.groups) as f64 / all as f64
}
