//! What it cost, and what failed.

use super::finished;
use crate::{
    report::{
        Group, Report, ReportRun,
        estimate::{NONE, count, digits, sd},
        page::{Cell, Section, Table},
    },
    run::RunRecord,
};

pub(super) fn section(report: &Report) -> Section {
    let mut section = Section::new("cost", "Cost");
    let groups = [("sweep", finished(report, Group::Sweep)), ("confirm", finished(report, Group::Confirm))];
    if groups.iter().all(|group| group.1.is_empty()) {
        section.text("No run has finished, so no cost is known.");
        return section;
    }
    let mut table = Table::new(
        "CPU seconds are user and system time over all attempts; wall seconds those of the attempt that \
         finished.",
        [
            "runs",
            "n",
            "CPU in all",
            "CPU s a run",
            "sd",
            "of it evaluation",
            "wall s a run",
            "peak MiB, most",
        ],
    );
    for (name, runs) in &groups {
        if runs.is_empty() {
            continue;
        }
        let of = |what: fn(&RunRecord) -> f64| runs.iter().map(|run| what(run.1)).collect::<Vec<f64>>();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let cpu = of(|r| r.cost.cpu_s);
        let evaluation = of(|r| r.cost.evaluation_cpu_s);
        table.rows.push(vec![
            Cell::text(name),
            Cell::number(runs.len().to_string()),
            Cell::number(duration(cpu.iter().sum())),
            Cell::number(digits(mean(&cpu), 1)),
            Cell::number(digits(sd(&cpu), 1)),
            Cell::number(digits(mean(&evaluation), 1)),
            Cell::number(digits(mean(&of(|r| r.cost.wall_s)), 1)),
            Cell::number(digits(of(|r| r.cost.peak_mib).into_iter().fold(f64::NAN, f64::max), 0)),
        ]);
    }
    section.table(table);
    let mut each =
        Table::new("Every finished run.", ["run", "id", "CPU s", "of it evaluation", "wall s", "peak MiB"]);
    each.folded = true;
    each.rows = groups.iter().flat_map(|group| &group.1).map(|(run, record)| row(run, record)).collect();
    section.table(each);
    section
}

fn row(run: &ReportRun, record: &RunRecord) -> Vec<Cell> {
    vec![
        Cell::text(&run.label),
        Cell::text(run.id.as_str()),
        Cell::number(digits(record.cost.cpu_s, 1)),
        Cell::number(digits(record.cost.evaluation_cpu_s, 1)),
        Cell::number(digits(record.cost.wall_s, 1)),
        Cell::number(digits(record.cost.peak_mib, 0)),
    ]
}

/// Runs that were given up, and those that are not done.
pub(super) fn failures(report: &Report) -> Section {
    let mut section = Section::new("failures", "Failures");
    let failed: Vec<_> = report.runs.iter().filter_map(|run| Some((run, run.failure.as_ref()?))).collect();
    let open = report.runs.iter().filter(|run| run.record.is_none() && run.failure.is_none()).count();
    section.text(match (report.runs.len(), failed.len()) {
        (0, _) => "There are no runs.".to_owned(),
        (n, 0) => format!("None of {} was given up.", count(n, "run")),
        (n, bad) => format!("{bad} of {} given up. They are in no mean and no plot.", count(n, "run")),
    });
    if open > 0 {
        section.text(format!("{} not finished yet.", count(open, "run")));
    }
    if !failed.is_empty() {
        let mut table =
            Table::new("Runs given up, with the last error.", ["run", "id", "attempts", "error", "log"]);
        table.rows = failed
            .into_iter()
            .map(|(run, failure)| {
                vec![
                    Cell::text(&run.label),
                    Cell::text(run.id.as_str()),
                    Cell::number(failure.attempts.to_string()),
                    Cell::text(&failure.reason),
                    Cell::text(&failure.log),
                ]
            })
            .collect();
        section.table(table);
    }
    section
}

/// `45 s`, `12 min 30 s`, `3 h 05 min`.
pub(super) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return NONE.to_owned();
    }
    let s = seconds.round() as u64;
    match s {
        0..60 => format!("{} s", digits(seconds, usize::from(seconds < 10.0))),
        60..3600 => format!("{} min {:02} s", s / 60, s % 60),
        _ => format!("{} h {:02} min", s / 3600, s % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_read_like_a_clock() {
        assert_eq!(
            [3.12, 59.4, 750.0, 11_100.0].map(duration),
            ["3.1 s", "59 s", "12 min 30 s", "3 h 05 min"]
        );
        assert_eq!(duration(f64::NAN), "–");
    }
}
