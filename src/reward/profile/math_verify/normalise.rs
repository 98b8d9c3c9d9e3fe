//! latex2sympy2_extended's normalisation of LaTeX.

use super::{MAX_LATEX, Mode};
use crate::reward::profile::{hendrycks, python};

pub(super) fn normalise(text: &str, mode: Mode, bare_box: bool) -> String {
    let mut s = boxed_content(text, bare_box);
    if s.len() > MAX_LATEX {
        return s.trim().to_owned();
    }
    s = s.replace("\\mathrm{T}", "T").replace("\\mathrm{d}", "d").replace("{\\rm d}", "d");
    s = s
        .replace("\\left[\\begin{matrix}", "\\begin{bmatrix}")
        .replace("\\end{matrix}\\right]", "\\end{bmatrix}");
    s = without_sizes(&s, "left", &LEFT);
    s = without_sizes(&s, "right", &RIGHT);
    s = removed(&s);
    s = replaced(&s);
    s = s.replace(['\n', '\t'], " ");
    if !s.contains("matrix") {
        let mut out = String::with_capacity(s.len());
        let mut rest = s.as_str();
        while let Some(at) = rest.find("\\\\") {
            out.push_str(&rest[..at]);
            rest = &rest[at + 2..];
            out.push_str(if rest.starts_with(|c: char| c.is_ascii_alphabetic()) { "\\" } else { "\\\\" });
        }
        s = out + rest;
    }
    s = without_units(&s);
    if mode == Mode::Default {
        if s.starts_with('.') {
            s.insert(0, '0');
        }
        if s == "0.5" {
            "\\frac{1}{2}".clone_into(&mut s);
        }
        s = mended(&s);
    }
    s.trim_matches(python::is_space).to_owned()
}

const LEFT: [&str; 18] = [
    "\\{",
    "{",
    "\\|",
    "|",
    "[",
    "(",
    "\\rbracl",
    "\\lgroup",
    "\\lbrace",
    "\\lbrack",
    "\\vert",
    "\\lvert",
    "\\lceil",
    "\\lfloor",
    "\\langle",
    "\\llcorner",
    "\\ulcorner",
    "\\|",
];
const RIGHT: [&str; 16] = [
    "\\}",
    "}",
    "\\|",
    "|",
    "]",
    ")",
    "\\rbrack",
    "\\rgroup",
    "\\rbrace",
    "\\vert",
    "\\rvert",
    "\\rceil",
    "\\rfloor",
    "\\rangle",
    "\\lrcorner",
    "\\urcorner",
];

fn without_sizes(text: &str, name: &str, brackets: &[&str]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let tail = rest[1..].strip_prefix('m').unwrap_or(&rest[1..]);
        if let Some(after) = tail.strip_prefix(name).filter(|t| brackets.iter().any(|b| t.starts_with(b))) {
            rest = after;
        } else {
            out.push('\\');
            rest = &rest[1..];
        }
    }
    out + rest
}

/// The contents of boxes, joined by commas; in a bare box only those that stand close to the last.
fn boxed_content(text: &str, last: bool) -> String {
    let mut found: Vec<String> = Vec::new();
    let mut current = text.len();
    let mut limit = text.len();
    let mut last_start: Option<usize> = None;
    let (mut boxed, mut framed) = (text.rfind("\\boxed"), text.rfind("\\fbox"));
    loop {
        // Either is looked for again only where it was the last.
        if boxed.is_some_and(|at| at >= current) {
            boxed = text[..current].rfind("\\boxed");
        }
        if framed.is_some_and(|at| at >= current) {
            framed = text[..current].rfind("\\fbox");
        }
        let Some(start) = boxed.max(framed) else { break };
        let command = start + if boxed > framed { 6 } else { 5 };
        let Some(skipped) = text.get(command..limit).and_then(|t| t.find(|c: char| !c.is_whitespace()))
        else {
            break;
        };
        let next = command + skipped;
        if !text[next..].starts_with('{') {
            if found.is_empty() {
                found.push(text[next..].to_owned());
            }
            break;
        }
        let mut depth = 0;
        let close = text[next..limit].bytes().position(|b| {
            match b {
                b'{' => depth += 1,
                b'}' => depth -= 1,
                _ => (),
            }
            depth == 0
        });
        let Some(close) = close.map(|c| next + c) else {
            if found.is_empty() {
                found.push(text[next..].to_owned());
            }
            break;
        };
        let content = text[next + 1..close].trim_matches(python::is_space);
        if last && let Some(last_start) = last_start {
            let between = text.get(close + 1..last_start).unwrap_or("");
            let length = between.chars().count();
            let separated = || {
                between.contains([',', ';'])
                    || between
                        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
                        .any(|w| w == "and" || w == "or")
            };
            let differs = found.last().is_none_or(|f| f != content);
            if !(length < 10 || (differs && length < 70 && separated())) {
                break;
            }
        }
        if found.last().is_none_or(|f| f != content) {
            found.push(content.to_owned());
        }
        last_start = Some(start);
        limit = start;
        current = start;
    }
    if found.is_empty() {
        return text.to_owned();
    }
    found.reverse();
    found.join(",")
}

/// Commands and signs that say nothing.
fn removed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("\\mathrm{th}").or_else(|| rest.strip_prefix("\\displaystyle"))
        {
            rest = after;
        } else if let Some(after) = rest.strip_prefix("\\!") {
            rest = after.trim_start();
        } else if let Some(after) = rest
            .strip_prefix("\\text")
            .and_then(|t| t.trim_start().strip_prefix('{').and_then(|t| t.trim_start().strip_prefix('}')))
        {
            rest = after;
        } else if let Some(after) = rest.strip_prefix("\\$").or_else(|| rest.strip_prefix('$')) {
            rest = after;
        } else if matches!(c, '"' | '\'') && !text[..text.len() - rest.len()].ends_with('\\') {
            rest = &rest[1..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

fn replaced(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let before = text[..text.len() - rest.len()].chars().next_back();
        let (to, after) = replacement(rest, before).unwrap_or((None, &rest[c.len_utf8()..]));
        match to {
            Some(to) => out.push_str(to),
            None => out.push(c),
        }
        rest = after;
    }
    out
}

/// What stands here in other words: the first rule that matches, as the original's alternatives are ordered.
fn replacement(rest: &str, before: Option<char>) -> Option<(Option<&'static str>, &str)> {
    let eat = |prefixes: &[&str]| prefixes.iter().find_map(|p| rest.strip_prefix(p));
    let trimmed = rest.trim_start();
    let boundary = |text: &str| !text.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let word_start = trimmed.len() < rest.len() || !before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let first = rest.chars().next()?;
    if !(matches!(first, '\\' | '{' | '~' | ',' | 'a' | 'o' | 'i' | 'p') || first.is_whitespace()) {
        return None;
    }
    if let Some(after) =
        eat(&["\\mathrm", "\\mathit", "\\mathbf", "\\textnormal", "\\textbf", "\\textit", "\\textrm"])
    {
        return Some((Some("\\text"), after));
    }
    if let Some(after) = eat(&["\\dfrac", "\\tfrac", "\\cfrac"]) {
        return Some((Some("\\frac"), after));
    }
    if first.is_whitespace()
        && let Some(after) = rest[first.len_utf8()..].strip_prefix('.')
    {
        return Some((Some(" 0."), after));
    }
    if let Some(after) = eat(&["{."]) {
        return Some((Some("{0."), after));
    }
    if let Some(after) = eat(&["~="]) {
        return Some((Some("\\approx"), after));
    }
    if let Some(after) = trimmed
        .strip_prefix('{')
        .and_then(|t| t.trim_start().strip_prefix(','))
        .and_then(|t| t.trim_start().strip_prefix('}'))
    {
        return Some((Some(","), after));
    }
    let joined = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    let letter_before = before.is_some_and(|c| c.is_ascii_alphabetic());
    for word in ["and", "or"] {
        if let Some(after) = joined.strip_prefix(word)
            && !letter_before
            && !after.starts_with(|c: char| c.is_ascii_alphabetic())
        {
            return Some((Some(","), after));
        }
    }
    if let Some(inside) = joined.strip_prefix("\\text{") {
        for word in ["and", "or"] {
            let after = inside.trim_start().strip_prefix(word).and_then(|t| t.trim_start().strip_prefix('}'));
            if let Some(after) = after {
                return Some((Some(","), after));
            }
        }
    }
    if let Some(after) = rest.strip_prefix('\\').filter(|_| before != Some('\\'))
        && let Some(space) = after.chars().next().filter(|c| c.is_whitespace())
    {
        return Some((Some(" "), &after[space.len_utf8()..]));
    }
    if let Some(after) = rest.strip_prefix("infinity") {
        return Some((Some("\\infty"), after));
    }
    if let Some(after) = rest.strip_prefix(',').unwrap_or(rest).strip_prefix("\\ldots") {
        return Some((Some(" "), after));
    }
    for (word, text) in
        [("percentage", "\\text{percentage}"), ("percent", "\\text{percent}"), ("pct", "\\text{pct}")]
    {
        if word_start && let Some(after) = trimmed.strip_prefix(word).filter(|t| boundary(t)) {
            return Some((Some("\\%"), after));
        }
        if let Some(after) = rest.strip_prefix(text) {
            return Some((Some("%"), after));
        }
    }
    if before != Some('\\')
        && let Some(after) = rest.strip_prefix("inf").filter(|t| !t.starts_with("inity"))
    {
        return Some((Some("\\infty"), after));
    }
    if let Some(after) = rest.strip_prefix(" sqrt") {
        return Some((Some("\\sqrt"), after));
    }
    None
}

#[rustfmt::skip]
const UNITS: [&str; 138] = [
    "integerpoint", "feet", "sue", "digit", "pound", "meal", "edge", "student", "children ticket", "multiple", "east",
    "degree", "mph", "kmph", "ft", "m square", " m east", "sq m", "deg", "mile", "q .", "monkey", "prime", "ratio",
    "profit of rs", "rd", "o", "gm", "p . m", "lb", "tile", "per", "dm", "lt", "gain", "ab", "way", "west", "a .", "b .",
    "c .", "d .", "e .", "f .", "g .", "h .", "t", "h", "no change", "men", "soldier", "pie", "bc", "excess", "st",
    "inches", "noon", "cent", "by", "gal", "kmh", "c", "acre", "rise", "a . m", "th", "π r 2", "sq", "mark", "l", "toy",
    "coin", "sq . m", "gallon", "° f", "profit", "minw", "yr", "women", "am", "pm", "hr", "cu cm", "square",
    "v â € ™", "are", "rupee", "rounds", "cubic", "cc", "mtr", "s", "ohm", "number", "day", "hour", "minute", "min",
    "second", "man", "woman", "sec", "cube", "mt", "sq inch", "mp", "∏ cm ³", "hectare", "more", "unit", "cu . m", "cm 2",
    "rs .", "rs", "kg", "g", "month", "km", "m", "cm", "mm", "apple", "liter", "loss", "yard", "pure", "year", "increase",
    "decrease", "d", "less", "Surface", "litre", "pi sq m", "s .", "metre", "meter", "inch",
];

fn without_units(text: &str) -> String {
    let mut s = text.to_owned();
    let first = [s.find("\\text{"), s.find("\\mbox{")].into_iter().flatten().min();
    let powered = {
        let end = s.trim_end_matches('\n');
        let without = match end.strip_suffix('}').and_then(|t| t.strip_suffix(|c: char| c.is_ascii_digit())) {
            Some(t) if t.ends_with("{^") => &t[..t.len() - 2],
            _ => match end.strip_suffix(|c: char| c.is_ascii_digit()) {
                Some(t) if t.ends_with('^') => &t[..t.len() - 1],
                _ => end,
            },
        };
        without.ends_with('}').then_some(without.len())
    };
    if let (Some(first), Some(end)) = (first, powered)
        && end > first
    {
        let cut = s[..first].trim().to_owned();
        if !cut.is_empty() {
            s = cut;
        }
    }
    for _ in 0..2 {
        let end = s.trim_end().len();
        let known = |tail: &str| {
            let of = |unit: &str| UNITS.contains(&unit);
            of(tail) || tail.strip_suffix('s').is_some_and(of) || tail.strip_suffix("es").is_some_and(of)
        };
        // Units are short: only the end is looked at.
        let from = s[..end].char_indices().rev().nth(24).map_or(0, |(i, _)| i);
        let found = s[from..end].char_indices().map(|(i, c)| (from + i, c)).find(|(i, c)| {
            let mark = python::digit(*c).is_some() || *c == '}' || c.is_whitespace();
            let tail = &s[(i + c.len_utf8()).min(end)..end];
            let trimmed = tail.trim_start();
            mark && !trimmed.is_empty()
                && (known(trimmed)
                    || (trimmed.len() < tail.len() && known(&tail[tail.len() - trimmed.len() - 1..])))
        });
        let Some((at, c)) = found else { break };
        let cut = s[..at + c.len_utf8()].to_owned();
        if cut.trim().is_empty() && cut.is_empty() {
            break;
        }
        s = cut;
    }
    s
}

/// Operators without braces get them.
fn mended(text: &str) -> String {
    let mut s = parenthesised(text, "^", "^{");
    s = parenthesised(&s, "sqrt", "\\sqrt{");
    s = two_digits(&s, "\\frac", "\\frac");
    s = two_digits(&s, "\\log_", "\\log_");
    // `\frac{1}2` and `\frac1{2}`.
    s = scan(&s, "\\frac", |rest| {
        let rest = spaces1(rest);
        let inside = rest.strip_prefix('{')?;
        let end = inside.find('}')?;
        // The group may reach over further braces to one that a digit follows.
        let mut close = end;
        loop {
            let after = spaces1(&inside[close + 1..]);
            if after.starts_with(|c: char| c.is_ascii_digit()) {
                return Some((format!("\\frac{{{}}}{{{}}}", &inside[..close], &after[..1]), &after[1..]));
            }
            close = close + 1 + inside[close + 1..].find('}')?;
        }
    });
    s = scan(&s, "\\frac", |rest| {
        let rest = spaces1(rest);
        let digit = rest.chars().next().filter(char::is_ascii_digit)?;
        let inside = spaces1(&rest[1..]).strip_prefix('{')?;
        let end = inside.find('}')?;
        Some((format!("\\frac{{{digit}}}{{{}}}", &inside[..end]), &inside[end + 1..]))
    });
    s = scan(&s, "\\sqrt", |rest| {
        let rest = spaces1(rest);
        let digit = rest.chars().next().filter(char::is_ascii_digit)?;
        Some((format!("\\sqrt{{{digit}}}"), &rest[1..]))
    });
    s = s.replace(" sqrt", "\\sqrt");
    s = scan(&s, "\\sqrt", |rest| {
        let rest = rest.trim_start();
        match rest.chars().next() {
            Some(c) if !matches!(c, '{' | '[') => Some((format!("\\sqrt{{{c}}}"), &rest[c.len_utf8()..])),
            _ => Some(("\\sqrt".to_owned(), rest)),
        }
    });
    s = fractions(&s);
    hendrycks::slash(&s)
}

fn spaces1(text: &str) -> &str {
    text.strip_prefix(char::is_whitespace).unwrap_or(text)
}

/// Replaces each `what` by what `with` makes of the text after it; it stays where that is nothing.
fn scan<'t>(text: &'t str, what: &str, with: impl Fn(&'t str) -> Option<(String, &'t str)>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(what) {
        out.push_str(&rest[..at]);
        let after = &rest[at + what.len()..];
        if let Some((to, left)) = with(after) {
            out.push_str(&to);
            rest = left;
        } else {
            out.push_str(what);
            rest = after;
        }
    }
    out + rest
}

/// `^(…)` to `^{…}`, up to the first closing parenthesis.
fn parenthesised(text: &str, what: &str, to: &str) -> String {
    scan(text, what, |rest| {
        let inside = spaces1(rest).strip_prefix('(')?;
        let end = inside.find([')', '\n']).filter(|e| inside[*e..].starts_with(')'))?;
        Some((format!("{to}{}}}", &inside[..end]), &inside[end + 1..]))
    })
}

/// `\frac12` to `\frac{1}{2}`, all further digits below.
fn two_digits(text: &str, what: &str, to: &str) -> String {
    scan(text, what, |rest| {
        let rest = spaces1(rest);
        let first = rest.chars().next().filter(char::is_ascii_digit)?;
        let tail = spaces1(&rest[1..]);
        let n = tail.bytes().take_while(u8::is_ascii_digit).count();
        (n > 0).then(|| (format!("{to}{{{first}}}{{{}}}", &tail[..n]), &tail[n..]))
    })
}

fn fractions(text: &str) -> String {
    let mut parts = text.split("\\frac");
    let mut out = parts.next().unwrap_or("").to_owned();
    for part in parts {
        let part = part.trim_start();
        out.push_str("\\frac");
        let mut chars = part.chars();
        match (chars.next(), chars.next()) {
            (Some('{'), _) => out.push_str(part),
            (Some(a), Some(b)) => {
                out.extend(['{', a, '}']);
                if b == '{' {
                    out.push(b);
                } else {
                    out.extend(['{', b, '}']);
                }
                out.push_str(chars.as_str());
            }
            _ => return text.to_owned(),
        }
    }
    out
}
