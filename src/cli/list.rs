//! `modo list`: what can be named in files and options.

use serde::Serialize;

use super::{
    Context, mixtures,
    printer::{Column, Printer},
};
use crate::{
    data::{READERS, Role},
    error::{Context as _, Error, Result},
    launch::LAUNCHERS,
    mixture::design::DESIGNS,
    optimize::OPTIMIZERS,
    predict::PREDICTORS,
    registry::Registry,
    reward::{Example, VERIFIERS, profile::PROFILES},
    rl::{advantage::ADVANTAGES, algorithm::ALGORITHMS, kl::KLS},
    tasks::TASKS,
};

const EXAMPLES: &str = "\
Examples:
  modo list
  modo list verifiers
  modo list datasets --json";

/// Options of `modo list`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Which kind [default: all of them].
    kind: Option<String>,
    /// Print JSON, one object per line: kind, name, summary.
    #[arg(long)]
    json: bool,
}

/// Name and one line of each.
type Listed = Vec<(String, String)>;

/// What lists the entries of one kind.
type Lister = fn(&Context) -> Result<Listed>;

/// Every kind, in the order in which a reader meets them; a kind is one line.
const KINDS: &[(&str, Lister)] = &[
    ("datasets", datasets),
    ("formats", |_| Ok(entries(&READERS))),
    ("tasks", |_| Ok(entries(&TASKS))),
    ("verifiers", |_| Ok(entries(&VERIFIERS))),
    ("profiles", |_| Ok(profiles())),
    ("mixtures", mixtures),
    ("designs", |_| Ok(entries(&DESIGNS))),
    ("predictors", |_| Ok(entries(&PREDICTORS))),
    ("optimizers", |_| Ok(entries(&OPTIMIZERS))),
    ("algorithms", |_| Ok(entries(&ALGORITHMS))),
    ("advantages", |_| Ok(entries(&ADVANTAGES))),
    ("kl", |_| Ok(entries(&KLS))),
    ("launchers", |_| Ok(entries(&LAUNCHERS))),
];

#[derive(Serialize)]
struct Line<'a> {
    kind: &'a str,
    name: String,
    summary: String,
}

pub(super) fn run(args: &Args, context: &Context, printer: &mut Printer) -> Result<()> {
    let asked = |kind: &str| args.kind.as_ref().is_none_or(|asked| asked == kind);
    if let Some(kind) = &args.kind
        && !KINDS.iter().any(|(known, _)| known == kind)
    {
        let known: Vec<&str> = KINDS.iter().map(|(kind, _)| *kind).collect();
        return Err(Error::input(format!("nothing is listed as `{kind}`"))
            .hint(format!("there are `{}`", known.join("`, `"))));
    }
    let mut rows = Vec::new();
    for (kind, list) in KINDS.iter().filter(|(kind, _)| asked(kind)) {
        for (name, summary) in list(context)? {
            if args.json {
                printer.json(&Line { kind, name, summary })?;
            } else if args.kind.is_some() {
                rows.push(vec![name, summary]);
            } else {
                rows.push(vec![(*kind).to_owned(), name, summary]);
            }
        }
    }
    if args.json {
        return Ok(());
    }
    if rows.is_empty() {
        printer.note("there are none here");
        return Ok(());
    }
    if args.kind.as_deref() == Some("verifiers") {
        return verifiers(printer);
    }
    let columns = [Column::Text("kind"), Column::Text("name"), Column::Text("what it is")];
    printer.table(if args.kind.is_some() { &columns[1..] } else { &columns }, &rows)
}

fn entries<T: ?Sized>(registry: &Registry<T>) -> Listed {
    registry.entries.iter().map(|entry| (entry.name.to_owned(), entry.summary.to_owned())).collect()
}

fn profiles() -> Listed {
    let strict = ("strict", "modo's own rules: what it trains and evaluates by");
    let others = PROFILES.iter().map(|profile| (profile.name, profile.summary));
    std::iter::once(strict).chain(others).map(|(n, s)| (n.to_owned(), s.to_owned())).collect()
}

fn datasets(context: &Context) -> Result<Listed> {
    let one = |role, of: Option<&crate::name::Name>| match (role, of) {
        (Role::Train, _) => "to train on".to_owned(),
        (Role::InDomain, Some(of)) => format!("benchmark, held out of `{of}`"),
        (Role::InDomain, None) => "benchmark, in-domain".to_owned(),
        (Role::OutOfDomain, _) => "benchmark, out-of-domain".to_owned(),
    };
    let catalog = context.catalog()?;
    Ok(catalog
        .iter()
        .map(|(name, config)| (name.to_string(), one(config.role, config.of.as_ref())))
        .collect())
}

fn mixtures(context: &Context) -> Result<Listed> {
    let names = mixtures::names(&context.catalog()?);
    Ok(names.into_iter().map(|(name, mixture)| (name, mixture.brief())).collect())
}

/// Each verifier with what it takes for right and for wrong.
fn verifiers(printer: &mut Printer) -> Result<()> {
    for entry in VERIFIERS.entries {
        let verifier = (entry.build)(toml::Table::new()).failed().at(format!("verifier `{}`", entry.name))?;
        printer.line(format!("{}: {}", entry.name, entry.summary))?;
        for example in verifier.examples() {
            let shown = |texts: &[String]| {
                texts.iter().map(|t| format!("`{}`", t.escape_debug())).collect::<Vec<String>>()
            };
            let Example { gold, options, right, wrong, .. } = &example;
            let options = if options.is_empty() {
                String::new()
            } else {
                format!(", options {}", shown(options).join("  "))
            };
            printer.line(format!("  gold `{}`{options}", gold.written()))?;
            for (title, texts) in [("right", right), ("wrong", wrong)] {
                for line in wrapped(title, &shown(texts)) {
                    printer.line(line)?;
                }
            }
        }
    }
    Ok(())
}

/// `texts` after a title, in lines of at most 80 columns where they are not longer themselves.
fn wrapped(title: &str, texts: &[String]) -> Vec<String> {
    const COLUMNS: usize = 80;
    let mut lines = Vec::new();
    let mut line = format!("    {title}");
    for text in texts {
        if line.trim_start().contains('`') && line.chars().count() + 2 + text.chars().count() > COLUMNS {
            lines.push(std::mem::replace(&mut line, " ".repeat(9)));
        }
        line.push_str("  ");
        line.push_str(text);
    }
    lines.push(line);
    lines
}
