//! Which specs, weights, ledger and version stand behind the page.

use crate::report::{
    Group, Report,
    page::{Block, Cell, Section, Table},
};

/// Bytes of the plan that are shown; a plan is written by hand and shorter.
const MAX_PLAN: usize = 200_000;

pub(super) fn section(report: &Report) -> Section {
    let mut section = Section::new("provenance", "Provenance");
    if report.provenance.is_empty() {
        section.text("No hashes or versions were recorded.");
    } else {
        let mut table = Table::new("What the page was made from.", ["what", "value"]);
        table.rows =
            report.provenance.iter().map(|(name, value)| vec![Cell::text(name), Cell::text(value)]).collect();
        section.table(table);
    }
    if !report.runs.is_empty() {
        let mut table = Table::new(
            "Every run: the id is the hash of its spec.",
            ["run", "id", "group", "weights", "modo", "shares"],
        );
        table.folded = true;
        for run in &report.runs {
            let record = run.record.as_ref();
            table.rows.push(vec![
                Cell::text(&run.label),
                Cell::text(run.id.as_str()),
                Cell::text(if run.group == Group::Sweep { "sweep" } else { "confirm" }),
                Cell::text(record.map_or("–", |r| &r.weights_hash)),
                Cell::text(record.map_or("–", |r| &r.version)),
                Cell::text(run.mixture.brief()),
            ]);
        }
        section.table(table);
    }
    if !report.plan.is_empty() {
        let text: String = report.plan.chars().take(MAX_PLAN).collect();
        section.blocks.push(Block::File { summary: "plan.toml".into(), text });
    }
    section
}
