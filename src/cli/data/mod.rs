//! `modo data`: what datasets there are and what is wrong with them.

mod add;
mod check;
mod list;
mod report;
mod sheet;
mod tokens;

use std::path::Path;

pub(super) use check::last_checks;
use clap::Subcommand;
pub(super) use tokens::{Counter, Unit, means};

use super::{Context, printer::Printer};
use crate::{
    data::{self, Catalog, DatasetConfig, Source, config::Files},
    error::{Context as _, Error, Result},
    name::Name,
};

const EXAMPLES: &str = "\
Examples:
  modo data add my_folder --write
  modo data list
  modo data list detect chart --show 5 --out sheets
  modo data check --data-root /data";

/// Options of `modo data`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Look at files and propose their tables for the catalogue.
    Add(add::Args),
    /// List datasets; with --show, draw some of their rows on a sheet.
    List(list::Args),
    /// Read datasets through: bad rows, rewards, shared pictures.
    Check(check::Args),
}

pub(super) fn run(args: &Args, context: &Context, printer: &mut Printer) -> Result<()> {
    match &args.command {
        Command::Add(args) => add::run(args, context, printer),
        Command::List(args) => list::run(args, context, printer),
        Command::Check(args) => check::run(args, context, printer),
    }
}

/// Refuses a file in a folder that is not there: what is misspelt is not to be made.
pub(super) fn in_a_folder(path: &Path, place: &str) -> Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            Err(Error::input(format!("there is no folder {}", folder.display()))
                .at(place.to_owned())
                .hint("make it first"))
        }
        _ => Ok(()),
    }
}

/// The datasets with these names, in this order; all of them if none is named.
fn chosen<'a>(catalog: &'a Catalog, names: &[String]) -> Result<Vec<(Name, &'a DatasetConfig)>> {
    if catalog.iter().next().is_none() {
        return Err(Error::input("there is no dataset in it")
            .at(catalog.file())
            .hint("`modo data add FOLDER --write` adds one"));
    }
    if names.is_empty() {
        return Ok(catalog.iter().map(|(name, config)| (name.clone(), config)).collect());
    }
    let one = |text: &String| {
        let name: Name = text.parse().input()?;
        let config = catalog.get(&name)?;
        Ok((name, config))
    };
    names.iter().map(one).collect()
}

/// Whether there is something to read: a dataset without files is listed, one with broken files is an error.
fn is_here(config: &DatasetConfig, root: &Path) -> bool {
    files(config).into_iter().all(|pattern| data::is_there(pattern, root))
}

/// The patterns of a dataset's files; none for a generated one.
fn files(config: &DatasetConfig) -> Vec<&String> {
    match &config.source {
        Source::Task { .. } => Vec::new(),
        Source::Files(source) => match &source.files {
            Files::Together(files) => files.iter().collect(),
            Files::Halves { selection, report } => selection.iter().chain(report).collect(),
        },
    }
}

/// `1 row`, `2 rows`.
fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Where the rows come from, in a few words: `task detect`, `parquet`.
fn source(config: &DatasetConfig) -> String {
    match &config.source {
        Source::Task { name, .. } => format!("task {name}"),
        Source::Files(source) => source.format.clone(),
    }
}
