//! `modo data list`: every dataset, with its role, source, rows, verifier, licence and where to get it.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{
    super::{
        Context,
        printer::{Column, Printer},
    },
    chosen, files, is_here, sheet, source,
};
use crate::{
    data::{Portion, Role},
    error::{Context as _, Result},
    sampler, store,
};

const EXAMPLES: &str = "\
Examples:
  modo data list
  modo data list --json --data-root /data
  modo data list detect chart --show 5 --out sheets";

/// Options of `modo data list`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Which datasets [default: all].
    names: Vec<String>,
    /// Draw this many rows of each dataset, with questions and answers, into NAME.png.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100))]
    show: Option<u64>,
    /// Folder of the sheets.
    #[arg(long, value_name = "FOLDER", default_value = "contact_sheets", requires = "show")]
    out: PathBuf,
    /// Print JSON, one object per dataset.
    #[arg(long)]
    json: bool,
}

/// A dataset, as scripts read it.
#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    role: &'static str,
    of: Option<&'a str>,
    source: String,
    /// Files relative to the data root, as patterns; none for a generated dataset.
    files: Vec<String>,
    /// None while the files are missing, or cannot be read.
    rows: Option<u64>,
    verifier: String,
    licence: &'a str,
    r#where: Option<&'a str>,
    problem: Option<String>,
    sheet: Option<String>,
}

pub(super) fn run(args: &Args, context: &Context, printer: &mut Printer) -> Result<()> {
    let catalog = context.catalog()?;
    let datasets = chosen(&catalog, &args.names)?;
    let mut lines = Vec::new();
    let progress = printer.progress("reading datasets", datasets.len() as u64);
    for (done, (name, config)) in datasets.iter().enumerate() {
        progress.set(done as u64, name);
        let mut line = Line {
            name: name.as_str(),
            role: role(config.role),
            of: config.of.as_ref().map(crate::name::Name::as_str),
            source: source(config),
            files: files(config).into_iter().cloned().collect(),
            rows: None,
            verifier: verifier(&config.verifiers),
            licence: &config.licence,
            r#where: config.where_to_get.as_deref(),
            problem: None,
            sheet: None,
        };
        if is_here(config, &context.data_root) {
            match sampler::source::open(
                name,
                config,
                &context.data_root,
                Portion::All,
                context.cache.as_deref(),
            ) {
                Ok(rows) => {
                    line.rows = Some(rows.len());
                    if let Some(count) = args.show {
                        let path = args.out.join(format!("{name}.png"));
                        write(&sheet::png(rows.as_ref(), count)?, &path)?;
                        line.sheet = Some(path.display().to_string());
                    }
                }
                Err(error) => line.problem = Some(error.to_string()),
            }
        }
        lines.push(line);
    }
    drop(progress);
    if args.json {
        return lines.iter().try_for_each(|line| printer.json(line));
    }
    print(&lines, context, printer)
}

fn print(lines: &[Line], context: &Context, printer: &mut Printer) -> Result<()> {
    let columns = [
        Column::Text("dataset"),
        Column::Text("role"),
        Column::Number("rows"),
        Column::Text("verifier"),
        Column::Text("licence"),
        Column::Text("source"),
    ];
    let row = |line: &Line| {
        let rows = line.rows.map_or("missing".to_owned(), |rows| rows.to_string());
        let rows = if line.problem.is_some() { "broken".to_owned() } else { rows };
        vec![line.name, line.role, &rows, &line.verifier, line.licence, &line.source]
            .into_iter()
            .map(str::to_owned)
            .collect()
    };
    printer.table(&columns, &lines.iter().map(row).collect::<Vec<_>>())?;
    let missing: Vec<&Line> =
        lines.iter().filter(|line| line.rows.is_none() && line.problem.is_none()).collect();
    if !missing.is_empty() {
        printer.line(format!("\nmissing below {}:", context.data_root.display()))?;
        for line in missing {
            let place = line.r#where.unwrap_or("its table in the catalogue does not say where to get it");
            printer.line(format!("  {}: {place}", line.name))?;
        }
    }
    for line in lines {
        if let Some(problem) = &line.problem {
            printer.warn(problem);
        }
        if let Some(sheet) = &line.sheet {
            printer.note(format!("wrote {sheet}"));
        }
    }
    Ok(())
}

fn write(png: &[u8], path: &Path) -> Result<()> {
    store::write_whole(path, png).failed().at(path.display())
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Train => "train",
        Role::InDomain => "in_domain",
        Role::OutOfDomain => "out_of_domain",
    }
}

/// The verifier's name; of several, all of them.
fn verifier(value: &toml::Value) -> String {
    match value {
        toml::Value::String(name) => name.clone(),
        toml::Value::Table(table) => match table.get("name") {
            Some(name) => verifier(name),
            None => join(table.values()),
        },
        toml::Value::Array(list) => join(list),
        _ => String::new(),
    }
}

fn join<'a>(values: impl IntoIterator<Item = &'a toml::Value>) -> String {
    let mut names: Vec<String> = values.into_iter().map(verifier).collect();
    names.dedup();
    names.join(", ")
}
