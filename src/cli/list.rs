//! `modo list`: what can be named in files and options.

use serde::Serialize;

use super::{
    Context, mixtures,
    printer::{Column, Printer, visible},
};
use crate::{
    data::{READERS, Role},
    error::{Context as _, Error, Result},
    launch::LAUNCHERS,
    mixture::design::DESIGNS,
    optimize::OPTIMIZERS,
    predict::PREDICTORS,
    registry::Registry,
    reward::{Example, PARTS, RewardPart, VERIFIERS, profile::PROFILES},
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
    /// Print JSON, one object per line: kind, name, summary, of verifiers their examples.
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
    ("rewards", |_| Ok(rewards())),
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    examples: Vec<Shown>,
}

/// An example of a verifier.
#[derive(Serialize)]
struct Shown {
    gold: String,
    options: Vec<String>,
    right: Vec<String>,
    wrong: Vec<String>,
}

pub(super) fn run(args: &Args, context: &Context, printer: &mut Printer) -> Result<()> {
    // What verifies an answer is listed with what else a reward is made of.
    let asked = |kind: &str| {
        args.kind.as_ref().is_none_or(|asked| asked == kind || asked == "verifiers" && kind == "rewards")
    };
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
                let shown = |Example { gold, options, right, wrong, .. }| Shown {
                    gold: gold.written(),
                    options,
                    right,
                    wrong,
                };
                let examples = if *kind == "verifiers" { examples(&name)? } else { Vec::new() };
                let examples = examples.into_iter().map(shown).collect();
                printer.json(&Line { kind, name, summary, examples })?;
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
    match args.kind.as_deref() {
        Some("verifiers") => {
            verifiers(printer)?;
            return parts(printer);
        }
        Some("rewards") => return parts(printer),
        _ => (),
    }
    let columns = [Column::Text("kind"), Column::Text("name"), Column::Text("what it is")];
    printer.table(if args.kind.is_some() { &columns[1..] } else { &columns }, &rows)
}

fn entries<T: ?Sized>(registry: &Registry<T>) -> Listed {
    registry.entries.iter().map(|entry| (entry.name.to_owned(), entry.summary.to_owned())).collect()
}

/// Parts of a reward besides accuracy, the verifier's score, and `format`, which is a verifier too.
fn rewards() -> Listed {
    PARTS.iter().map(|part| (part.name.to_owned(), part.summary.to_owned())).collect()
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

/// What the verifier called `name` takes for right and for wrong under its default settings.
fn examples(name: &str) -> Result<Vec<Example>> {
    let at = format!("verifier `{name}`");
    let entry = VERIFIERS.get(name).failed().at(&at)?;
    Ok((entry.build)(toml::Table::new()).failed().at(&at)?.examples())
}

/// Each verifier with what it takes for right and for wrong.
fn verifiers(printer: &mut Printer) -> Result<()> {
    for entry in VERIFIERS.entries {
        for line in filled(&format!("{}: {}", entry.name, entry.summary), 0, 2) {
            printer.line(line)?;
        }
        for example in examples(entry.name)? {
            let shown =
                |texts: &[String]| texts.iter().map(|t| format!("`{}`", visible(t))).collect::<Vec<String>>();
            let Example { gold, options, right, wrong, .. } = &example;
            let options = if options.is_empty() {
                String::new()
            } else {
                format!(", options {}", shown(options).join("  "))
            };
            for line in filled(&format!("gold `{}`{options}", gold.written()), 2, 7) {
                printer.line(line)?;
            }
            for (title, texts) in [("right", right), ("wrong", wrong)] {
                for line in wrapped(title, &shown(texts)) {
                    printer.line(line)?;
                }
            }
        }
    }
    Ok(())
}

/// Each part of a reward with what it gives.
fn parts(printer: &mut Printer) -> Result<()> {
    for RewardPart { name, summary, settings, examples } in PARTS {
        for line in filled(&format!("{name}, a part of a reward: {summary}"), 0, 2) {
            printer.line(line)?;
        }
        for line in filled(&format!("reward.{name} = {settings}"), 2, 7) {
            printer.line(line)?;
        }
        for example in *examples {
            let answer = if example.right { "right" } else { "wrong" };
            let of = if example.completion.is_empty() {
                format!("{} tokens, {answer}", example.tokens)
            } else {
                format!("`{}`", visible(example.completion))
            };
            printer.line(format!("    {:>5}  {of}", example.value))?;
        }
    }
    Ok(())
}

const COLUMNS: usize = 80;

/// `texts` after a title, in lines of at most 80 columns.
fn wrapped(title: &str, texts: &[String]) -> Vec<String> {
    const INDENT: usize = 11;
    let mut lines = Vec::new();
    let mut line = format!("    {title}");
    for text in texts {
        let fits = line.chars().count() + 2 + text.chars().count() <= COLUMNS;
        if !fits && line.trim_start().contains('`') {
            lines.push(std::mem::replace(&mut line, " ".repeat(INDENT - 2)));
        }
        line.push_str("  ");
        line.push_str(text);
        if line.chars().count() > COLUMNS {
            let mut parts = filled(line.trim_start(), line.len() - line.trim_start().len(), INDENT);
            line = parts.pop().unwrap_or_default();
            lines.append(&mut parts);
        }
    }
    lines.push(line);
    lines
}

/// One text in lines of at most 80 columns, broken after spaces and commas or, where there are none, anywhere.
fn filled(text: &str, first: usize, others: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest: Vec<char> = text.chars().collect();
    let mut indent = first;
    loop {
        let room = COLUMNS - indent;
        let line = |characters: &[char]| {
            let text: String = characters.iter().collect();
            format!("{}{}", " ".repeat(indent), text.trim_end())
        };
        if rest.len() <= room {
            lines.push(line(&rest));
            return lines;
        }
        let end = rest[..room].iter().rposition(|c| matches!(c, ' ' | ',')).map_or(room, |at| at + 1);
        lines.push(line(&rest[..end]));
        rest.drain(..end);
        indent = others;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_of_any_length_keep_to_eighty_columns() {
        let long = format!("`{}`", "[1,2,3,4],".repeat(20));
        let texts = ["`a`".to_owned(), long, "`".repeat(200), "`b`".to_owned()];
        let lines = wrapped("right", &texts);
        assert!(lines.iter().all(|line| line.chars().count() <= COLUMNS), "{lines:?}");
        let joined: String = lines.concat().split_whitespace().collect();
        assert_eq!(joined, format!("right{}", texts.concat()));
    }
}
