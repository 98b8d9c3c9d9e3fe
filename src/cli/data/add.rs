//! `modo data add`: looks at files and proposes their tables for the catalogue.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    super::{Context, DATASETS, printer::Printer},
    counted, in_a_folder,
};
use crate::{
    data::{self, Catalog, Portion, propose},
    error::{Context as _, Error, Result},
    name::Name,
    sample::Rows as _,
    sampler, store,
};

/// Rows that are shown of each dataset.
const SHOWN: u64 = 3;

/// Rows whose gold is put to its verifier before a table is proposed.
const TESTED: u64 = 200;

const EXAMPLES: &str = "\
Examples:
  modo data add my_folder
  modo data add my_folder/train.parquet --name mine --write
  modo data add /data/llava --data-root /data --datasets my.toml --write

Nothing is written without --write. What is proposed was read back: every row
that cannot be used and every answer that fails its verifier is reported.";

/// Options of `modo data add`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// A file, or a folder of files, below the data root.
    path: PathBuf,
    /// What to call the dataset [default: the name of the folder].
    #[arg(long)]
    name: Option<Name>,
    /// Add the tables to the catalogue (--datasets, or datasets.toml here).
    #[arg(long)]
    write: bool,
}

pub(super) fn run(args: &Args, context: &Context, printer: &mut Printer) -> Result<()> {
    if let (true, Some(catalogue)) = (args.write, &context.datasets) {
        in_a_folder(catalogue, "option `--datasets`")?;
    }
    let path = if args.path.exists() { args.path.clone() } else { context.data_root.join(&args.path) };
    let proposals = propose::propose(&path, &context.data_root, args.name.as_ref())
        .map_err(|what| Error::input(what).at(path.display()))?;
    let mut text = String::new();
    for proposal in &proposals {
        printer.line(proposal.to_toml())?;
        text = format!("{text}\n{}", proposal.to_toml());
        let (name, config) = (&proposal.name, &proposal.config);
        let rows = data::open(name, config, &context.data_root, Portion::All, context.cache.as_deref())?;
        let mut bad = Vec::new();
        let mut shown = 0;
        for row in 0..rows.len() {
            match rows.row(row) {
                Ok(sample) if shown < SHOWN => {
                    shown += 1;
                    printer.line(format!(
                        "# {}: {}, {} → {}",
                        sample.id,
                        counted(sample.pictures.len() as u64, "picture"),
                        brief(&sample.question),
                        brief(&sample.answer.written())
                    ))?;
                }
                Ok(_) => {}
                Err(unusable) => bad.push(unusable),
            }
        }
        let unusable = if bad.is_empty() {
            "all can be used".to_owned()
        } else {
            format!("{} cannot be used", bad.len())
        };
        printer.line(format!("# {}, {unusable}", counted(rows.len(), "row")))?;
        for unusable in bad.iter().take(SHOWN as usize) {
            printer.line(format!("#   {unusable}"))?;
        }
        // What is said to people about it comes after it, on a terminal too.
        printer.flush()?;
        if bad.len() as u64 == rows.len() {
            return Err(Error::input("no row can be read with this table").at(path.display()));
        }
        if let Err(error) = sampler::check::check_rewards(name, config, &rows, TESTED) {
            printer.warn(error);
        }
        for note in &proposal.notes {
            printer.note(format!("{name}: {note}"));
        }
        printer.line("")?;
    }
    if args.write {
        printer.flush()?;
        // A catalogue in the current folder stands in for the embedded one, so it begins as that.
        let (catalogue, begin) = match &context.datasets {
            Some(catalogue) => (catalogue.clone(), ""),
            None => (PathBuf::from(DATASETS), Catalog::embedded_text()),
        };
        write(&catalogue, begin, &proposals, &text)?;
        printer.note(format!("added to {}", catalogue.display()));
    }
    Ok(())
}

/// `begin`: what a catalogue that is not there yet begins with.
fn write(catalogue: &Path, begin: &str, proposals: &[propose::Proposal], text: &str) -> Result<()> {
    let before = match fs::read_to_string(catalogue) {
        Ok(before) => before,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => begin.to_owned(),
        Err(e) => return Err(Error::input(e).at(catalogue.display())),
    };
    let known = Catalog::parse(&before, &catalogue.display().to_string())?;
    for proposal in proposals {
        if known.get(&proposal.name).is_ok() {
            return Err(Error::input(format!("there is a dataset `{}` already", proposal.name))
                .at(catalogue.display())
                .hint("give another name with `--name`"));
        }
    }
    let after = format!("{before}{text}");
    Catalog::parse(&after, &catalogue.display().to_string())?;
    store::write_whole(catalogue, after.as_bytes()).failed().at(catalogue.display())
}

fn brief(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= 70 {
        line
    } else {
        format!("{}…", line.chars().take(69).collect::<String>())
    }
}
