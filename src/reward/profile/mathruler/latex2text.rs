//! `LatexNodes2Text` of pylatexenc 2.11: what it makes of LaTeX, by its own table of macros.

use std::{collections::HashMap, sync::OnceLock};

use super::super::python;

/// Groups within groups that are followed; the original follows as many as its stack holds.
const MAX_DEPTH: usize = 40;
/// Longest text of an argument, in bytes: an accent stands behind every character, and each accent around it doubles the text.
const MAX_TEXT: usize = 40_000;

/// Arguments and text of a macro.
#[derive(Clone, Copy)]
struct Macro {
    arguments: &'static str,
    text: &'static str,
}

fn macros() -> &'static HashMap<&'static str, Macro> {
    static MACROS: OnceLock<HashMap<&str, Macro>> = OnceLock::new();
    MACROS.get_or_init(|| {
        let lines = include_str!("macros.txt").lines().filter(|line| !line.starts_with("% "));
        lines
            .filter_map(|line| {
                let mut fields = line.split('\t');
                let (name, arguments) = (fields.next()?, fields.next()?);
                Some((name, Macro { arguments, text: fields.next().unwrap_or("") }))
            })
            .collect()
    })
}

/// Appends the text of `latex` to `out`; none where groups are nested too deeply or a text becomes too long.
pub(super) fn convert(latex: &str, out: &mut String, depth: usize) -> Option<()> {
    if depth > MAX_DEPTH {
        return None;
    }
    let mut rest = latex;
    // A run of characters of which all are spaces has no text.
    let mut run = String::new();
    let end_of_run = |run: &mut String, out: &mut String| {
        if !run.chars().all(python::is_space) {
            out.push_str(run);
        }
        run.clear();
    };
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        let special = [("--", "–"), ("---", "—"), ("``", "“"), ("''", "”"), ("!`", "¡"), ("?`", "¿")];
        let here = &latex[latex.len() - rest.len() - c.len_utf8()..];
        if let Some((signs, text)) = special.iter().rev().find(|(signs, _)| here.starts_with(signs)) {
            let (signs, text) = if here.starts_with("---") { ("---", "—") } else { (*signs, *text) };
            end_of_run(&mut run, out);
            out.push_str(text);
            rest = &here[signs.len()..];
            continue;
        }
        if !matches!(c, '\\' | '{' | '}' | '$' | '~' | '%' | '&') {
            run.push(c);
            continue;
        }
        end_of_run(&mut run, out);
        match c {
            '\\' => rest = command(rest, out, depth)?,
            '{' => {
                let (inside, after) = group(rest);
                convert(inside, out, depth + 1)?;
                rest = after;
            }
            '~' => out.push('\u{a0}'),
            '&' => out.push_str("   "),
            '%' => rest = rest.split_once('\n').map_or("", |(_, after)| after),
            _ => (),
        }
    }
    end_of_run(&mut run, out);
    Some(())
}

/// Up to the brace that closes, and what follows it.
fn group(text: &str) -> (&str, &str) {
    let mut depth = 0_i64;
    let mut escaped = false;
    for (i, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => {
                escaped = false;
                continue;
            }
            b'\\' => {
                escaped = true;
                continue;
            }
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => (),
        }
        if depth < 0 {
            return (&text[..i], &text[i + 1..]);
        }
    }
    (text, "")
}

/// One argument: a group, a macro, or a character.
fn argument<'t>(text: &'t str, out: &mut String, depth: usize) -> Option<&'t str> {
    let text = text.trim_start();
    if let Some(rest) = text.strip_prefix('{') {
        let (inside, after) = group(rest);
        convert(inside, out, depth + 1)?;
        return Some(after);
    }
    if let Some(rest) = text.strip_prefix('\\') {
        // A macro as an argument takes none itself.
        let (name, after) = name(rest);
        let found = macros().get(name).filter(|found| found.arguments.is_empty());
        out.push_str(found.map_or("", |found| found.text));
        return Some(after);
    }
    let c = text.chars().next()?;
    out.push(c);
    Some(&text[c.len_utf8()..])
}

/// The name of a macro without its backslash, and what follows.
fn name(text: &str) -> (&str, &str) {
    let letters = text.bytes().position(|b| !b.is_ascii_alphabetic()).unwrap_or(text.len());
    let end = if letters > 0 { letters } else { text.chars().next().map_or(0, char::len_utf8) };
    text.split_at(end)
}

fn command<'t>(text: &'t str, out: &mut String, depth: usize) -> Option<&'t str> {
    if depth > MAX_DEPTH {
        return None;
    }
    let (name, mut rest) = name(text);
    match name {
        "" => return Some(rest),
        "begin" => return environment(rest, out, depth),
        "(" | ")" | "end" => {
            return Some(if name == "end" { argument(rest, &mut String::new(), depth)? } else { rest });
        }
        "[" | "]" => {
            out.push('\n');
            return Some(rest);
        }
        _ => (),
    }
    let Some(found) = macros().get(name) else {
        return Some(if letters(name) { rest.trim_start() } else { rest });
    };
    if found.arguments.is_empty() {
        out.push_str(&found.text.replace('␊', "\n"));
        // The spaces after a name stay, before characters.
        return Some(rest);
    }
    let mut given: Vec<String> = Vec::new();
    for kind in found.arguments.chars() {
        let mut text = String::new();
        let trimmed = rest.trim_start();
        match kind {
            '*' => rest = trimmed.strip_prefix('*').unwrap_or(rest),
            '[' => {
                if let Some((inside, after)) =
                    trimmed.strip_prefix('[').and_then(|inside| inside.split_once(']'))
                {
                    convert(inside, &mut text, depth + 1)?;
                    rest = after;
                }
            }
            // What the original makes of a macro without its arguments is an error that it passes over.
            _ => rest = argument(rest, &mut text, depth)?,
        }
        if text.len() > MAX_TEXT {
            return None;
        }
        given.push(text);
    }
    let first = given.last().map_or("", String::as_str);
    if let Some(alphabet) = found.text.strip_prefix('=') {
        let letter = |c: char| match c {
            'A'..='Z' => alphabet.chars().nth(c as usize - 'A' as usize).unwrap_or(c),
            'a'..='z' => alphabet.chars().nth(26 + c as usize - 'a' as usize).unwrap_or(c),
            c => c,
        };
        out.extend(first.chars().map(letter));
    } else if let Some(accent) = found.text.strip_prefix('´') {
        for c in first.trim_matches(python::is_space).chars() {
            out.push(c);
            out.push_str(accent);
        }
    } else {
        let mut template = found.text.chars();
        while let Some(c) = template.next() {
            match c {
                '%' => {
                    let at = template.next().and_then(|d| d.to_digit(10)).unwrap_or(1) as usize - 1;
                    out.push_str(given.get(at).map_or("", String::as_str));
                }
                '␊' => out.push('\n'),
                c => out.push(c),
            }
        }
    }
    Some(rest)
}

fn letters(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
}

const MATRICES: [&str; 6] = ["array", "pmatrix", "bmatrix", "smallmatrix", "psmallmatrix", "bsmallmatrix"];

/// An environment, of which `\begin` has been read.
fn environment<'t>(text: &'t str, out: &mut String, depth: usize) -> Option<&'t str> {
    let mut kind = String::new();
    let mut rest = argument(text, &mut kind, depth)?;
    let close = format!("\\end{{{kind}}}");
    if kind == "array" {
        rest = argument(rest, &mut String::new(), depth)?;
    }
    let Some((body, after)) = rest.split_once(&close) else { return Some(rest) };
    if !MATRICES.contains(&kind.as_str()) {
        convert(body, out, depth + 1)?;
        return Some(after);
    }
    let mut cells = String::new();
    for (i, row) in body.split("\\\\").enumerate() {
        if i > 0 {
            cells.push(';');
        }
        for cell in row.split('&') {
            cells.push(' ');
            let mut text = String::new();
            convert(cell.trim(), &mut text, depth + 1)?;
            cells.push_str(text.trim());
        }
    }
    out.push('[');
    out.push_str(&cells);
    out.push_str(" ]");
    Some(after)
}
