//! latex2sympy2_extended: its normalisation of LaTeX, and its grammar.

use std::{collections::HashMap, sync::OnceLock};

use dashu_ratio::RBig;

use super::{Mode, extract::number};
use crate::reward::{
    math::{Expr, Relation},
    profile::python,
};

/// Longest text that is read; the original's grammar takes seconds there.
const MAX_TEXT: usize = 2048;
const MAX_DEPTH: usize = 30;
/// Rules that are tried for one text; brackets within brackets ask for many more than a text has places.
const MAX_ATTEMPTS: usize = 20_000;

pub(super) fn normalise(text: &str, mode: Mode, bare_box: bool) -> String {
    let mut s = boxed_content(text, bare_box);
    if s.len() > MAX_TEXT {
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
    loop {
        let boxed = text[..current].rfind("\\boxed");
        let framed = text[..current].rfind("\\fbox");
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
    if let Some(after) =
        eat(&["\\mathrm", "\\mathit", "\\mathbf", "\\textnormal", "\\textbf", "\\textit", "\\textrm"])
    {
        return Some((Some("\\text"), after));
    }
    if let Some(after) = eat(&["\\dfrac", "\\tfrac", "\\cfrac"]) {
        return Some((Some("\\frac"), after));
    }
    let first = rest.chars().next()?;
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
    super::super::hendrycks::slash(&s)
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

/// A token of the grammar.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(String),
    /// `1.5E3`.
    Scientific(String),
    Percent(String),
    Letter(char),
    /// A Greek letter or other named symbol.
    Name(&'static str),
    /// Text in a command: already without the command.
    Accent(String),
    /// `dx`.
    Differential(String),
    Function(&'static str),
    /// One of the signs below.
    Sign(&'static str),
    BeginMatrix,
    EndMatrix,
}

/// Commands and signs, longest first where one begins another.
#[rustfmt::skip]
const SIGNS: [(&str, &str); 121] = [
    ("\\{\\}", "∅"), ("\\emptyset", "∅"), ("∅", "∅"),
    ("^{\\circ}", "°"), ("^\\circ", "°"), ("^{\\degree}", "°"), ("^\\degree", "°"), ("^{T}", "T"), ("^T", "T"), ("'", "T"),
    ("\\,", ""), ("\\thinspace", ""), ("\\:", ""), ("\\medspace", ""), ("\\;", ""), ("\\thickspace", ""),
    ("\\quad", ""), ("\\qquad", ""), ("\\!", ""), ("\\negthinspace", ""), ("\\$", ""), ("\\vspace", ""), ("\\phantom", ""),
    ("+", "+"), ("-", "-"), ("−", "-"), ("∸", "-"), ("∔", "+"), ("⊕", "+"),
    ("*", "*"), ("×", "*"), ("⋅", "*"), ("∗", "*"), ("⋆", "*"), ("∘", "*"), ("∙", "*"), ("⊗", "*"),
    ("\\times", "*"), ("\\cdot", "*"), ("/", "/"), ("÷", "/"), ("∕", "/"), ("\\over", "/"), ("\\div", "/"),
    ("\\mod", "mod"), ("\\choose", "choose"), ("(", "("), (")", ")"), ("\\(", "\\("), ("\\)", "\\)"), ("{", "{"), ("}", "}"), ("\\{", "⦃"),
    ("\\}", "⦄"), ("\\lbrace", "⦃"), ("\\rbrace", "⦄"), ("[", "["), ("]", "]"), ("\\lbrack", "["), ("\\rbrack", "]"),
    ("\\boxed", "boxed"), ("|", "|"), ("\\lvert", "l|"), ("\\rvert", "r|"), ("\\vert", "|"), ("\\|", "‖"),
    ("\\lfloor", "⌊"), ("\\rfloor", "⌋"), ("\\lceil", "⌈"), ("\\rceil", "⌉"),
    ("\\frac", "frac"), ("\\dfrac", "frac"), ("\\tfrac", "frac"), ("\\cfrac", "frac"),
    ("\\binom", "binom"), ("\\tbinom", "binom"), ("\\dbinom", "binom"),
    ("&", "&"), ("\\\\", "row"), ("_", "_"), ("^", "^"), (":", ":"), (";", ";"), (",", ","), (".", "."),
    ("==", "="), ("=", "="), ("≡", "≡"), ("\\equiv", "≡"), ("~=", "≈"), ("≈", "≈"), ("≃", "≈"), ("≅", "≈"), ("\\approx", "≈"),
    ("<=", "≤"), ("<", "<"), ("\\lt", "<"), ("\\leqslant", "≤"), ("\\leq", "≤"), ("\\le", "≤"), ("≤", "≤"), (">=", "≥"),
    (">", ">"), ("\\gt", ">"), ("\\geqslant", "≥"), ("\\geq", "≥"), ("\\ge", "≥"), ("≥", "≥"),
    ("!=", "≠"), ("\\neq", "≠"), ("\\ne", "≠"), ("≠", "≠"), ("!", "!"), ("\\in", "∈"), ("\\infty", "∞"),
    ("\\cup", "∪"), ("∪", "∪"), ("\\cap", "∩"), ("∩", "∩"), ("\\setminus", "∖"), ("\\pm", "±"),
];

#[rustfmt::skip]
const MORE_SIGNS: [(&str, &str); 12] = [
    ("±", "±"), ("∓", "±"), ("\\mp", "±"), ("\\mathbb{R}", "ℝ"), ("ℝ", "ℝ"), ("\\mathbb{Z}", "ℤ"), ("ℤ", "ℤ"),
    ("\\mathbb{N}", "ℕ"), ("ℕ", "ℕ"), ("\\mathbb{Q}", "ℚ"), ("\\mathbb{C}", "ℂ"), ("∖", "∖"),
];

const FUNCTIONS: [(&str, &str); 30] = [
    ("\\log", "log"),
    ("\\ln", "ln"),
    ("\\exp", "exp"),
    ("\\sin", "sin"),
    ("\\cos", "cos"),
    ("\\tan", "tan"),
    ("\\csc", "csc"),
    ("\\sec", "sec"),
    ("\\cot", "cot"),
    ("\\arcsin", "arcsin"),
    ("\\arccos", "arccos"),
    ("\\arctan", "arctan"),
    ("\\sinh", "sinh"),
    ("\\cosh", "cosh"),
    ("\\tanh", "tanh"),
    ("\\sqrt", "sqrt"),
    ("\\gcd", "gcd"),
    ("\\lcm", "lcm"),
    ("\\floor", "floor"),
    ("\\ceil", "ceil"),
    ("\\max", "max"),
    ("\\min", "min"),
    ("\\arccsc", "arccsc"),
    ("\\arcsec", "arcsec"),
    ("\\arccot", "arccot"),
    ("\\arcsinh", "arcsinh"),
    ("\\arccosh", "arccosh"),
    ("\\arctanh", "arctanh"),
    ("\\det", "det"),
    ("\\Gamma", "gamma"),
];

#[rustfmt::skip]
const NAMES: [(&str, &str); 72] = [
    ("\\alpha", "alpha"), ("α", "alpha"), ("\\beta", "beta"), ("β", "beta"), ("\\gamma", "gamma"), ("γ", "gamma"),
    ("\\delta", "delta"), ("δ", "delta"), ("\\Delta", "delta"), ("Δ", "delta"), ("\\epsilon", "epsilon"), ("ε", "epsilon"),
    ("\\varepsilon", "varepsilon"), ("\\zeta", "zeta"), ("\\eta", "eta"), ("η", "eta"), ("\\theta", "theta"), ("θ", "theta"),
    ("\\Theta", "theta"), ("\\vartheta", "vartheta"), ("\\iota", "iota"), ("\\kappa", "kappa"), ("\\lambda", "lambda"),
    ("λ", "lambda"), ("\\Lambda", "lambda"), ("\\mu", "mu"), ("μ", "mu"), ("\\nu", "nu"), ("ν", "nu"), ("\\xi", "xi"),
    ("\\pi", "pi"), ("π", "pi"), ("\\Pi", "pi"), ("\\varpi", "varpi"), ("\\rho", "rho"), ("ρ", "rho"), ("\\sigma", "sigma"),
    ("σ", "sigma"), ("\\Sigma", "sigma"), ("\\tau", "tau"), ("τ", "tau"), ("\\phi", "phi"), ("φ", "phi"), ("\\Phi", "phi"),
    ("\\varphi", "varphi"), ("ϕ", "varphi"), ("\\chi", "chi"), ("\\psi", "psi"), ("ψ", "psi"), ("\\Psi", "psi"),
    ("\\omega", "omega"), ("ω", "omega"), ("\\Omega", "omega"), ("Ω", "omega"), ("\\angle", "angle"), ("\\triangle", "triangle"),
    ("\\ell", "ell"), ("\\hbar", "hbar"), ("\\prime", "prime"), ("\\square", "square"), ("\\nabla", "nabla"),
    ("\\varnothing", "varnothing"), ("\\measuredangle", "measuredangle"), ("\\Re", "re"), ("\\Im", "im"), ("\\natural", "natural"),
    ("\\sharp", "sharp"), ("\\flat", "flat"), ("\\bigstar", "bigstar"), ("\\complement", "complement"), ("\\imath", "imath"),
    ("\\upsilon", "upsilon"),
];

/// Words that the original's lexer takes for names of functions wherever they stand, so that nothing with them is read.
const WORDS: [&str; 33] = [
    "arsinh",
    "arcsinh",
    "arcosh",
    "arccosh",
    "artanh",
    "arctanh",
    "gcd",
    "lcm",
    "floor",
    "ceil",
    "eye",
    "zeros",
    "ones",
    "cols",
    "rows",
    "diag",
    "norm",
    "rank",
    "trace",
    "tr",
    "rref",
    "hstack",
    "vstack",
    "orth",
    "nullspace",
    "eig",
    "diagonalize",
    "svd",
    "SVD",
    "matrix",
    "pmatrix",
    "bmatrix",
    "vmatrix",
];

const ACCENTS: [&str; 22] = [
    "acute",
    "bar",
    "overline",
    "breve",
    "check",
    "dot",
    "ddot",
    "grave",
    "hat",
    "tilde",
    "widetilde",
    "vec",
    "overrightarrow",
    "bm",
    "boldsymbol",
    "textnormal",
    "textit",
    "textbf",
    "text",
    "mathcal",
    "mathbf",
    "mbox",
];

fn lex(text: &str) -> Option<Vec<Token>> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if out.len() > 600 {
            return None;
        }
        if matches!(c, ' ' | '\t' | '\r' | '\n') {
            rest = &rest[1..];
            continue;
        }
        if c.is_ascii_digit() || (c == '.' && rest[1..].starts_with(|d: char| d.is_ascii_digit())) {
            rest = numeral(rest, &mut out);
            continue;
        }
        if let Some(after) = matrix_mark(rest, &mut out) {
            rest = after;
            continue;
        }
        if c == '\\'
            && let Some(after) = accent(rest, &mut out)
        {
            rest = after;
            continue;
        }
        if c.is_ascii_alphabetic() {
            rest = letters(rest, &mut out)?;
            continue;
        }
        let (known, token) = longest(rest)?;
        rest = &rest[known.len()..];
        if *token != Token::Sign("") {
            out.push(token.clone());
        }
    }
    Some(out)
}

/// The longest command or sign that `text` begins with.
fn longest(text: &str) -> Option<&'static (&'static str, Token)> {
    type Known = HashMap<(char, Option<char>), Vec<(&'static str, Token)>>;
    static KNOWN: OnceLock<Known> = OnceLock::new();
    // By the character, of a command by the one after the backslash.
    let key = |text: &str| {
        let mut characters = text.chars();
        let first = characters.next()?;
        Some((first, if first == '\\' { characters.next() } else { None }))
    };
    let known = KNOWN.get_or_init(|| {
        let signs = SIGNS.iter().chain(&MORE_SIGNS).map(|(text, sign)| (*text, Token::Sign(sign)));
        let functions = FUNCTIONS.iter().map(|(text, name)| (*text, Token::Function(name)));
        let names = NAMES.iter().map(|(text, name)| (*text, Token::Name(name)));
        let mut known = Known::new();
        for (text, token) in signs.chain(functions).chain(names) {
            known.entry(key(text).expect("none is empty")).or_default().push((text, token));
        }
        known
    });
    let candidates = known.get(&key(text)?)?.iter().filter(|(known, _)| text.starts_with(known));
    candidates.reduce(|best, next| if next.0.len() > best.0.len() { next } else { best })
}

fn numeral<'t>(text: &'t str, out: &mut Vec<Token>) -> &'t str {
    let digits = |t: &str| t.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(text);
    let mut end = whole;
    if text[whole..].starts_with('.') {
        let n = digits(&text[whole + 1..]);
        if n > 0 {
            end = whole + 1 + n;
        }
    }
    let (number, rest) = text.split_at(end);
    if let Some(after) = rest.strip_prefix('E') {
        let unsigned = after.strip_prefix(['-', '+', '−']).unwrap_or(after);
        let n = digits(unsigned);
        if n > 0 {
            let used = text.len() - unsigned.len() + n;
            out.push(Token::Scientific(text[..used].replace('−', "-")));
            return &text[used..];
        }
    }
    let spaced = rest.strip_prefix([' ', '\t', '\n']).unwrap_or(rest);
    if let Some(after) = spaced.strip_prefix("\\%").or_else(|| spaced.strip_prefix('%')) {
        out.push(Token::Percent(number.to_owned()));
        return after;
    }
    out.push(Token::Number(number.to_owned()));
    rest
}

fn matrix_mark<'t>(text: &'t str, out: &mut Vec<Token>) -> Option<&'t str> {
    for kind in ["matrix", "pmatrix", "bmatrix"] {
        if let Some(rest) =
            text.strip_prefix("\\begin{").and_then(|t| t.strip_prefix(kind)).and_then(|t| t.strip_prefix('}'))
        {
            out.push(Token::BeginMatrix);
            return Some(rest);
        }
        if let Some(rest) =
            text.strip_prefix("\\end{").and_then(|t| t.strip_prefix(kind)).and_then(|t| t.strip_prefix('}'))
        {
            out.push(Token::EndMatrix);
            return Some(rest);
        }
    }
    None
}

fn accent<'t>(text: &'t str, out: &mut Vec<Token>) -> Option<&'t str> {
    let name = ACCENTS.iter().find(|name| {
        text[1..]
            .strip_prefix(**name)
            .is_some_and(|t| t.strip_prefix([' ', '\t', '\n']).unwrap_or(t).starts_with('{'))
    })?;
    let inside = text[1 + name.len()..].trim_start().strip_prefix('{')?;
    let end = inside.find('}')?;
    let content: String = inside[..end].chars().filter(|c| *c != ' ').collect();
    out.push(Token::Accent(if name.contains("text") || *name == "mbox" {
        content.replace(['(', ')'], "")
    } else {
        format!("{name}{{{content}}}")
    }));
    Some(&inside[end + 1..])
}

fn letters<'t>(text: &'t str, out: &mut Vec<Token>) -> Option<&'t str> {
    if let Some(word) = WORDS.iter().filter(|w| text.starts_with(**w)).max_by_key(|w| w.len()) {
        // Two letters of a differential are shorter than every such word but `tr`, which is as long and comes first.
        debug_assert!(word.len() >= 2);
        return None;
    }
    let c = text.chars().next()?;
    let rest = &text[1..];
    if c == 'd' {
        let after = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        if let Some(letter) = after.chars().next().filter(char::is_ascii_alphabetic) {
            out.push(Token::Differential(format!("d{}", letter.to_ascii_lowercase())));
            return Some(&after[1..]);
        }
        if let Some(command) =
            after.strip_prefix('\\').filter(|t| t.starts_with(|c: char| c.is_ascii_alphabetic()))
        {
            let end = command.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(command.len());
            out.push(Token::Differential(format!("d{}", command[..end].to_lowercase())));
            return Some(&command[end..]);
        }
    }
    out.push(Token::Letter(c));
    Some(rest)
}

/// The expression that normalised LaTeX says; where the whole cannot be read, its last equation.
pub(super) fn read(text: &str) -> Option<Expr> {
    if text.len() > MAX_TEXT {
        return None;
    }
    read_whole(text).or_else(|| {
        if text.contains([',', ';']) {
            return None;
        }
        let mut cut = None;
        let mut parts = 1;
        for (i, _) in text.match_indices('=') {
            if !text[..i].ends_with(['\\', '<', '!', '>']) {
                cut = Some(i + 1);
                parts += 1;
            }
        }
        if parts > 2 { read_whole(&text[cut?..]) } else { None }
    })
}

fn read_whole(text: &str) -> Option<Expr> {
    let expr = read_real(text)?;
    // To sympy a name that may be complex is another than the real one, unless both stand alone.
    let alone = matches!(expr, Expr::Symbol(_));
    Some(if !alone && may_be_complex(text) { renamed(expr) } else { expr })
}

/// Ends the names of a text in which something may be complex.
pub(super) const COMPLEX: char = '\u{2102}';

fn may_be_complex(text: &str) -> bool {
    const MARKS: [&str; 14] = [
        "\\mathbb{C}",
        "\\text{i}",
        "\\mathrm{i}",
        "\\det",
        "\\operatorname{tr}",
        "\\operatorname{rank}",
        "\\text{rank}",
        "\\arg{",
        "\\Re{",
        "\\Im{",
        "\\operatorname{Re}",
        "\\operatorname{Im}",
        "\\text{Re}",
        "\\text{Im}",
    ];
    let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let stands = |name: &str, behind_command: bool| {
        text.match_indices(name).any(|(at, _)| {
            !word(text[at + name.len()..].chars().next())
                && (behind_command || !word(text[..at].chars().next_back()))
        })
    };
    stands("i", false) || stands("\\imath", true) || MARKS.iter().any(|mark| text.contains(mark))
}

fn renamed(expr: Expr) -> Expr {
    let one = |e: Box<Expr>| Box::new(renamed(*e));
    let all = |list: Vec<Expr>| list.into_iter().map(renamed).collect();
    match expr {
        Expr::Symbol(name) => Expr::Symbol(format!("{name}{COMPLEX}").into()),
        Expr::Negative(a) => Expr::Negative(one(a)),
        Expr::Root(n, a) => Expr::Root(n, one(a)),
        Expr::Percent(a) => Expr::Percent(one(a)),
        Expr::Quotient(a, b) => Expr::Quotient(one(a), one(b)),
        Expr::Power(a, b) => Expr::Power(one(a), one(b)),
        Expr::SetOperation(sign, a, b) => Expr::SetOperation(sign, one(a), one(b)),
        Expr::PlusMinus(a, b) => Expr::PlusMinus(a.map(one), one(b)),
        Expr::Sum(list) => Expr::Sum(all(list)),
        Expr::Product(list) => Expr::Product(all(list)),
        Expr::Function(name, list) => Expr::Function(name, all(list)),
        Expr::List(list) => Expr::List(all(list)),
        Expr::Set(list) => Expr::Set(all(list)),
        Expr::Tuple(open, list, close) => Expr::Tuple(open, all(list), close),
        Expr::Ratio(list) => Expr::Ratio(all(list)),
        Expr::Relation(list, signs) => Expr::Relation(all(list), signs),
        Expr::Matrix(rows) => Expr::Matrix(rows.into_iter().map(all).collect()),
        other => other,
    }
}

fn read_real(text: &str) -> Option<Expr> {
    let mut reader = Reader { tokens: lex(text)?, at: 0, depth: 0, attempts: 0 };
    if reader.tokens.is_empty() {
        return None;
    }
    let n = reader.tokens.len();
    if let Some(expr) = reader.named_list().filter(|_| reader.at == n) {
        return Some(expr);
    }
    reader.reset();
    if let Some(expr) = reader.elements(true).filter(|_| reader.at == n) {
        let separated = text.trim();
        let digits = separated.strip_prefix('-').unwrap_or(separated);
        let (whole, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
        let mut groups = whole.split(',');
        let first = groups.next().unwrap_or("");
        let all_digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
        let grouped = (1..=3).contains(&first.len())
            && all_digits(first)
            && whole.contains(',')
            && groups.all(|g| g.len() == 3 && all_digits(g))
            && !decimals.is_empty()
            && all_digits(decimals);
        if grouped {
            let plain = if separated.starts_with('0') {
                separated.replace(',', ".")
            } else {
                separated.replace(',', "")
            };
            let plain = plain.trim_start_matches('0');
            return number(&if plain.starts_with('.') { format!("0{plain}") } else { plain.to_owned() });
        }
        return Some(expr);
    }
    reader.reset();
    reader.set_relation().filter(|_| reader.at == n)
}

/// A plain expression of numbers and operators, as Python reads it.
pub(super) fn read_plain(text: &str) -> Option<Expr> {
    let text = text.replace('\n', " ").replace('^', "**");
    if text.contains(['×', '÷']) || text.len() > MAX_TEXT {
        return None;
    }
    // White space between digits is an error in Python.
    let mut previous_digit = false;
    let mut spaced = false;
    for c in text.chars() {
        if c.is_whitespace() {
            spaced = true;
        } else {
            let digit = c.is_ascii_digit() || c == '.';
            if digit && previous_digit && spaced {
                return None;
            }
            previous_digit = digit;
            spaced = false;
        }
    }
    let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let mut python = Plain { rest: &plain, depth: 0 };
    let value = python.sum()?;
    python.rest.is_empty().then_some(value)
}

struct Plain<'t> {
    rest: &'t str,
    depth: usize,
}

impl Plain<'_> {
    fn eat(&mut self, what: &str) -> bool {
        match self.rest.strip_prefix(what) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn sum(&mut self) -> Option<Expr> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let mut terms = vec![self.product()?];
        loop {
            if self.eat("+") {
                terms.push(self.product()?);
            } else if self.eat("-") {
                terms.push(Expr::Negative(self.product()?.into()));
            } else {
                break;
            }
        }
        self.depth -= 1;
        Some(if terms.len() == 1 { terms.pop()? } else { Expr::Sum(terms) })
    }

    fn product(&mut self) -> Option<Expr> {
        let mut left = self.unary()?;
        loop {
            if self.rest.starts_with("**") || self.rest.starts_with("//") {
                return None;
            }
            if self.eat("*") {
                left = Expr::Product(vec![left, self.unary()?]);
            } else if self.eat("/") {
                left = Expr::Quotient(left.into(), self.unary()?.into());
            } else {
                return Some(left);
            }
        }
    }

    fn unary(&mut self) -> Option<Expr> {
        self.depth += 1;
        if self.depth > MAX_DEPTH * 4 {
            return None;
        }
        let out = if self.eat("-") {
            Some(Expr::Negative(self.unary()?.into()))
        } else if self.eat("+") {
            self.unary()
        } else {
            let base = self.atom()?;
            if self.eat("**") { Some(Expr::Power(base.into(), self.unary()?.into())) } else { Some(base) }
        };
        self.depth -= 1;
        out
    }

    fn atom(&mut self) -> Option<Expr> {
        if self.eat("(") {
            let inside = self.sum()?;
            return self.eat(")").then_some(inside);
        }
        let digits = |t: &str| t.bytes().take_while(u8::is_ascii_digit).count();
        let whole = digits(self.rest);
        let mut end = whole;
        if self.rest[whole..].starts_with('.') {
            end = whole + 1 + digits(&self.rest[whole + 1..]);
        }
        if end == 0 || &self.rest[..end] == "." {
            return None;
        }
        let (text, rest) = self.rest.split_at(end);
        if !text.contains('.') && text.len() > 1 && text.starts_with('0') && text.bytes().any(|b| b != b'0') {
            return None;
        }
        self.rest = rest;
        number(text)
    }
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    attempts: usize,
}

impl Reader {
    fn reset(&mut self) {
        self.at = 0;
        self.depth = 0;
    }

    fn sign(&self) -> Option<&'static str> {
        match self.tokens.get(self.at) {
            Some(Token::Sign(sign)) => Some(sign),
            _ => None,
        }
    }

    fn eat(&mut self, sign: &str) -> bool {
        let found = self.sign() == Some(sign);
        self.at += usize::from(found);
        found
    }

    /// What `read` gives, or nothing and no step taken.
    fn attempt<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let (at, depth) = (self.at, self.depth);
        if depth > MAX_DEPTH || self.attempts == MAX_ATTEMPTS {
            return None;
        }
        self.attempts += 1;
        self.depth += 1;
        let out = read(self);
        self.depth = depth;
        if out.is_none() {
            self.at = at;
        }
        out
    }

    /// `x = 1, 2`: a name and what it is.
    fn named_list(&mut self) -> Option<Expr> {
        let name = self.names()?;
        if !(self.eat("=") || self.eat("∈")) {
            return None;
        }
        let value = self.elements(false)?;
        Some(Expr::Relation(vec![name, value], vec![Relation::Equal]))
    }

    fn names(&mut self) -> Option<Expr> {
        if let Some(tuple) = self.attempt(|this| {
            if !this.eat("(") {
                return None;
            }
            let mut all = vec![this.name()?];
            while this.eat(",") {
                all.push(this.name()?);
            }
            this.eat(")").then_some(all)
        }) {
            return if tuple.len() == 1 {
                tuple.into_iter().next()
            } else {
                Some(Expr::Tuple('t', tuple, 't'))
            };
        }
        self.name()
    }

    /// Elements with separators, as one value, a set, or a set of tuples.
    fn elements(&mut self, relations: bool) -> Option<Expr> {
        let mut groups = self.groups(relations)?;
        if groups.len() == 1 {
            let mut only = groups.pop()?;
            return if only.len() == 1 { only.pop() } else { Some(Expr::Set(only)) };
        }
        if groups.iter().all(|g| g.len() == 1) {
            return Some(Expr::Set(groups.into_iter().flatten().collect()));
        }
        Some(Expr::Set(groups.into_iter().map(|g| Expr::Tuple('t', g, 't')).collect()))
    }

    fn groups(&mut self, relations: bool) -> Option<Vec<Vec<Expr>>> {
        let mut groups = Vec::new();
        loop {
            let mut group = Vec::new();
            loop {
                self.element(relations, &mut group)?;
                if !self.eat(",") {
                    break;
                }
            }
            groups.push(group);
            if !self.eat(";") {
                return Some(groups);
            }
        }
    }

    fn ends_element(&self) -> bool {
        self.at == self.tokens.len() || matches!(self.sign(), Some("," | ";" | ")" | "]" | "}" | "⦄" | "\\)"))
    }

    fn element(&mut self, relations: bool, out: &mut Vec<Expr>) -> Option<()> {
        let both = self.attempt(|this| {
            let left = if this.sign() == Some("±") { None } else { Some(this.expr()?) };
            if !this.eat("±") {
                return None;
            }
            let right = this.expr()?;
            this.ends_element().then_some((left, right))
        });
        if let Some((left, right)) = both {
            let minus = Expr::Negative(right.clone().into());
            match left {
                None => out.extend([minus, right]),
                Some(left) => {
                    out.extend([Expr::Sum(vec![left.clone(), right]), Expr::Sum(vec![left, minus])]);
                }
            }
            return Some(());
        }
        if let Some(set) = self.attempt(|this| this.set_atom().filter(|_| this.ends_element())) {
            out.push(set);
            return Some(());
        }
        out.push(if relations { self.relation()? } else { self.expr()? });
        Some(())
    }

    fn set_atom(&mut self) -> Option<Expr> {
        if let Some(interval) = self.attempt(Self::interval) {
            return Some(interval);
        }
        let named = match self.sign() {
            Some("ℝ") => Some('ℝ'),
            Some("ℤ") => Some('ℤ'),
            Some("ℕ") => Some('ℕ'),
            Some("ℚ") => Some('ℚ'),
            Some("ℂ") => Some('ℂ'),
            _ => None,
        };
        if let Some(name) = named {
            self.at += 1;
            return Some(Expr::NamedSet(name));
        }
        if self.eat("∅") {
            return Some(Expr::Set(Vec::new()));
        }
        if let Some(empty) =
            self.attempt(|this| (this.eat("{") && this.eat("}")).then_some(Expr::Set(Vec::new())))
        {
            return Some(empty);
        }
        for (open, close) in [("(", ")"), ("\\(", "\\)"), ("[", "]")] {
            let tuple = self.attempt(|this| {
                if !this.eat(open) {
                    return None;
                }
                let groups = this.groups(true)?;
                this.eat(close).then_some(groups)
            });
            if let Some(groups) = tuple {
                let mut all: Vec<Expr> = groups.into_iter().flatten().collect();
                return if all.len() == 1 { all.pop() } else { Some(Expr::Tuple('t', all, 't')) };
            }
        }
        self.attempt(|this| {
            let boxed = this.eat("boxed");
            let close = match this.sign() {
                Some("{") => "}",
                Some("⦃") if !boxed => "⦄",
                _ => return None,
            };
            this.at += 1;
            if boxed {
                let inside = this.elements(true)?;
                return this.eat(close).then_some(inside);
            }
            let groups = this.groups(true)?;
            this.eat(close).then(|| Expr::Set(groups.into_iter().flatten().collect()))
        })
    }

    fn interval(&mut self) -> Option<Expr> {
        let open = match self.sign()? {
            "(" | "\\(" => '(',
            "[" => '[',
            _ => return None,
        };
        self.at += 1;
        let left = self.expr()?;
        if !self.eat(",") {
            return None;
        }
        let right = self.expr()?;
        let close = match self.sign()? {
            ")" | "\\)" => ')',
            "]" => ']',
            _ => return None,
        };
        self.at += 1;
        Some(super::same::interval(open, left, right, close))
    }

    fn relation(&mut self) -> Option<Expr> {
        let mut sides = vec![self.expr()?];
        let mut signs = Vec::new();
        while let Some(sign) = self.sign() {
            let sign = match sign {
                "=" | "≡" => Relation::Equal,
                "≠" => Relation::Unequal,
                "<" => Relation::Less,
                "≤" => Relation::LessEqual,
                ">" => Relation::Greater,
                "≥" => Relation::GreaterEqual,
                "≈" => {
                    self.at += 1;
                    let right = self.expr()?;
                    // A name is what it is about; of two values the exact one counts.
                    if signs.is_empty() {
                        let left = sides.pop()?;
                        sides.push(if super::same::is_name(&left) { right } else { left });
                    }
                    continue;
                }
                _ => break,
            };
            self.at += 1;
            signs.push(sign);
            sides.push(self.expr()?);
        }
        Some(if signs.is_empty() { sides.pop()? } else { Expr::Relation(sides, signs) })
    }

    fn set_relation(&mut self) -> Option<Expr> {
        let named = self.attempt(|this| {
            let name = this.names()?;
            if !(this.eat("=") || this.eat("∈")) {
                return None;
            }
            let set = this.set_operation(0)?;
            Some(Expr::Relation(vec![name, set], vec![Relation::Equal]))
        });
        if named.is_some() {
            return named;
        }
        self.set_operation(0)
    }

    fn set_operation(&mut self, level: usize) -> Option<Expr> {
        const SIGNS: [(&str, char); 3] = [("∖", '∖'), ("∪", '∪'), ("∩", '∩')];
        let Some((sign, operation)) = SIGNS.get(level) else {
            let group = self.attempt(|this| {
                if !this.eat("(") {
                    return None;
                }
                let inside = this.set_operation(0)?;
                this.eat(")").then_some(inside)
            });
            return group.or_else(|| self.set_atom());
        };
        let as_set = |e: Expr| match e {
            Expr::Tuple('t', all, 't') => Expr::Set(all),
            e => e,
        };
        let mut left = self.set_operation(level + 1)?;
        while self.eat(sign) {
            let right = self.set_operation(level + 1)?;
            left = Expr::SetOperation(*operation, as_set(left).into(), as_set(right).into());
        }
        Some(left)
    }

    fn expr(&mut self) -> Option<Expr> {
        self.attempt(|this| {
            let mut terms = vec![this.product(true)?];
            while let Some(sign @ ("+" | "-")) = this.sign() {
                this.at += 1;
                let term = this.product(true)?;
                terms.push(if sign == "-" { Expr::Negative(term.into()) } else { term });
            }
            Some(if terms.len() == 1 { terms.pop()? } else { Expr::Sum(terms) })
        })
    }

    fn product(&mut self, functions: bool) -> Option<Expr> {
        let mut left = self.unary(functions)?;
        loop {
            let sign = self.sign();
            match sign {
                Some("*") => {
                    self.at += 1;
                    let right = self.unary(functions)?;
                    left = match left {
                        Expr::Product(mut all) => {
                            all.push(right);
                            Expr::Product(all)
                        }
                        left => Expr::Product(vec![left, right]),
                    };
                }
                Some("/" | ":") => {
                    self.at += 1;
                    let right = self.unary(functions)?;
                    left = quotient(left, right)?;
                }
                Some("mod") => {
                    self.at += 1;
                    left = Expr::Function("mod", vec![left, self.unary(functions)?]);
                }
                _ => return Some(left),
            }
        }
    }

    fn unary(&mut self, functions: bool) -> Option<Expr> {
        self.attempt(|this| {
            if this.eat("+") {
                return this.unary(functions);
            }
            if this.eat("-") {
                return Some(match this.unary(functions)? {
                    Expr::Number(value) => Expr::Number(-value),
                    Expr::Decimal(value) => Expr::Decimal(-value),
                    other => Expr::Negative(other.into()),
                });
            }
            let mut all = vec![this.postfix(true)?];
            while this.begins(functions) {
                match this.attempt(|this| this.postfix(functions)) {
                    Some(next) => all.push(next),
                    None => break,
                }
            }
            // From the right: a whole number before a positive rational is a mixed number.
            let mut out = all.pop()?;
            while let Some(left) = all.pop() {
                out = match (&left, &out) {
                    (Expr::Number(a), Expr::Number(b)) if a.is_int() && *b > RBig::ZERO => {
                        Expr::Number(if *a < RBig::ZERO { a - b } else { a + b })
                    }
                    _ => {
                        let mut factors = match left {
                            Expr::Product(all) => all,
                            left => vec![left],
                        };
                        match out {
                            Expr::Product(all) => factors.extend(all),
                            out => factors.push(out),
                        }
                        Expr::Product(factors)
                    }
                };
            }
            Some(out)
        })
    }

    fn begins(&self, functions: bool) -> bool {
        match self.tokens.get(self.at) {
            Some(Token::Function(_)) => functions,
            Some(Token::Sign(sign)) => {
                matches!(
                    *sign,
                    "(" | "{" | "[" | "⦃" | "|" | "l|" | "⌊" | "⌈" | "frac" | "binom" | "boxed" | "∞"
                )
            }
            Some(Token::EndMatrix) | None => false,
            Some(_) => true,
        }
    }

    fn postfix(&mut self, functions: bool) -> Option<Expr> {
        let mut base = self.power(functions)?;
        loop {
            if self.eat("!") {
                base = Expr::Function("factorial", vec![base]);
            } else if !(self.eat("T") || self.eat("°")) {
                return Some(base);
            }
        }
    }

    fn power(&mut self, functions: bool) -> Option<Expr> {
        let mut base = self.component(functions)?;
        while self.sign() == Some("^") {
            self.at += 1;
            let exponent = self.exponent()?;
            base = Expr::Power(base.into(), exponent.into());
        }
        Some(base)
    }

    fn exponent(&mut self) -> Option<Expr> {
        if self.eat("{") {
            let inside = self.expr()?;
            return self.eat("}").then_some(inside);
        }
        self.atom()
    }

    fn component(&mut self, functions: bool) -> Option<Expr> {
        if let Some(sign) = self.sign() {
            let close = match sign {
                "(" => Some(")"),
                "{" => Some("}"),
                "[" => Some("]"),
                "⦃" => Some("⦄"),
                _ => None,
            };
            if let Some(close) = close {
                return self.attempt(|this| {
                    this.at += 1;
                    let mut inside = this.expr()?;
                    if close == "}" && this.eat("choose") {
                        inside = Expr::Function("binom", vec![inside, this.expr()?]);
                    }
                    this.eat(close).then_some(inside)
                });
            }
            let wrapped = match sign {
                "|" => Some(("|", "abs")),
                "l|" => Some(("r|", "abs")),
                "⌊" => Some(("⌋", "floor")),
                "⌈" => Some(("⌉", "ceil")),
                _ => None,
            };
            if let Some((close, name)) = wrapped {
                return self.attempt(|this| {
                    this.at += 1;
                    let inside = this.expr()?;
                    this.eat(close).then(|| Expr::Function(name, vec![inside]))
                });
            }
            match sign {
                "boxed" => {
                    self.at += 1;
                    return self.braced();
                }
                "frac" => {
                    self.at += 1;
                    let above = self.braced()?;
                    let below = self.braced()?;
                    return quotient(above, below);
                }
                "binom" => {
                    self.at += 1;
                    let above = self.braced()?;
                    let below = self.braced()?;
                    return Some(Expr::Function("binom", vec![above, below]));
                }
                _ => (),
            }
        }
        match self.tokens.get(self.at)? {
            Token::Function(name) if functions || *name == "gamma" => {
                let name = *name;
                self.at += 1;
                self.function(name)
            }
            Token::Letter('e') => {
                self.at += 1;
                if self.sign() == Some("^") {
                    self.at += 1;
                    let exponent = self.exponent()?;
                    return Some(Expr::Power(Expr::E.into(), exponent.into()));
                }
                Some(Expr::E)
            }
            Token::BeginMatrix => self.matrix(),
            Token::Letter(_) | Token::Name(_) | Token::Accent(_) => {
                if let Some(call) = self.attempt(Self::call) {
                    return Some(call);
                }
                self.atom()
            }
            _ => self.atom(),
        }
    }

    fn braced(&mut self) -> Option<Expr> {
        if !self.eat("{") {
            return None;
        }
        let inside = self.expr()?;
        self.eat("}").then_some(inside)
    }

    /// `f(x)`, `f(1, y)`: a function nobody defined.
    fn call(&mut self) -> Option<Expr> {
        let Expr::Symbol(name) = self.plain_name()? else { return None };
        if !self.eat("(") {
            return None;
        }
        let start = self.at;
        let single = self.attempt(|this| {
            this.atom()?;
            this.eat(")").then_some(())
        });
        if single.is_none() {
            self.at = start;
            self.expr()?;
            if !self.eat(",") {
                return None;
            }
            while !self.eat(")") {
                self.expr()?;
                self.eat(",");
            }
        }
        // Of a number it is no name, of names it is one.
        let number =
            |token: &Token| matches!(token, Token::Number(_) | Token::Scientific(_) | Token::Percent(_));
        let arguments = &self.tokens[start..self.at];
        let call = Expr::Symbol(format!("{name}({arguments:?}").into());
        Some(if arguments.iter().any(number) { Expr::Function("of a number", vec![call]) } else { call })
    }

    fn matrix(&mut self) -> Option<Expr> {
        self.at += 1;
        let mut rows = vec![vec![self.expr()?]];
        loop {
            if self.eat("&") {
                let cell = self.expr()?;
                rows.last_mut()?.push(cell);
            } else if self.eat("row") {
                if self.tokens.get(self.at) != Some(&Token::EndMatrix) {
                    rows.push(vec![self.expr()?]);
                }
            } else if self.tokens.get(self.at) == Some(&Token::EndMatrix) {
                self.at += 1;
                let width = rows[0].len();
                return rows.iter().all(|r| r.len() == width).then_some(Expr::Matrix(rows));
            } else {
                return None;
            }
        }
    }

    fn function(&mut self, name: &'static str) -> Option<Expr> {
        if name == "sqrt" {
            let mut index = None;
            if self.eat("[") {
                index = Some(self.expr()?);
                if !self.eat("]") {
                    return None;
                }
            }
            let base = self.braced()?;
            return Some(match index {
                None => Expr::Root(2, base.into()),
                Some(index) => {
                    Expr::Power(base.into(), Expr::Quotient(Expr::int(1).into(), index.into()).into())
                }
            });
        }
        let (mut base, mut power) = (None, None);
        for _ in 0..2 {
            if base.is_none() && self.eat("_") {
                base = Some(self.exponent()?);
            } else if power.is_none() && self.eat("^") {
                power = Some(self.exponent()?);
            }
        }
        let many = matches!(name, "gcd" | "lcm" | "max" | "min");
        let parenthesised = self.attempt(|this| {
            if !this.eat("(") {
                return None;
            }
            let mut args = vec![this.expr()?];
            while many && this.eat(",") {
                args.push(this.expr()?);
            }
            this.eat(")").then_some(args)
        });
        let args = match parenthesised {
            Some(args) => args,
            None => vec![self.product(false).or_else(|| self.product(true))?],
        };
        let minus_one = matches!(&power, Some(Expr::Number(n)) if *n == RBig::from(-1));
        let (name, power) = match name {
            "sin" if minus_one => ("arcsin", None),
            "cos" if minus_one => ("arccos", None),
            "tan" if minus_one => ("arctan", None),
            "gamma" | "det" => return None,
            name => (name, power),
        };
        let value = match name {
            "log" => {
                let mut all = vec![base.unwrap_or(Expr::int(10))];
                all.extend(args);
                Expr::Function("log", all)
            }
            name => Expr::Function(name, args),
        };
        Some(match power {
            Some(power) => Expr::Power(value.into(), power.into()),
            None => value,
        })
    }

    /// A name with its subscript.
    fn plain_name(&mut self) -> Option<Expr> {
        let mut name = match self.tokens.get(self.at)? {
            Token::Letter('I') => "I".to_owned(),
            Token::Letter('e' | 'E') => return None,
            Token::Letter(c) => c.to_ascii_lowercase().to_string(),
            Token::Name(name) => (*name).to_owned(),
            Token::Accent(text) => text.to_lowercase(),
            _ => return None,
        };
        self.at += 1;
        if self.eat("_") {
            let start = self.at;
            if self.eat("{") {
                let mut depth = 1;
                while depth > 0 {
                    depth += match self.sign() {
                        Some("{") => 1,
                        Some("}") => -1,
                        _ => 0,
                    };
                    self.tokens.get(self.at)?;
                    self.at += 1;
                }
                let inside: Vec<String> = self.tokens[start + 1..self.at - 1].iter().map(written).collect();
                name = format!("{name}_{}", inside.concat());
            } else {
                let token = self.tokens.get(self.at)?.clone();
                self.atom()?;
                name = format!("{name}_{}", written(&token));
            }
        }
        Some(Expr::Symbol(name.to_lowercase().into()))
    }

    fn name(&mut self) -> Option<Expr> {
        let imaginary = self.tokens.get(self.at) == Some(&Token::Letter('I'));
        let name = self.plain_name()?;
        let name = match &name {
            Expr::Symbol(text) if matches!(&**text, "pi" | "π") => Expr::Pi,
            Expr::Symbol(text) if &**text == "i" && imaginary => Expr::I,
            _ => name,
        };
        if self.eat("^") {
            let exponent = self.exponent()?;
            return Some(Expr::Power(name.into(), exponent.into()));
        }
        Some(name)
    }

    fn atom(&mut self) -> Option<Expr> {
        let token = self.tokens.get(self.at)?.clone();
        match token {
            Token::Number(text) => {
                self.at += 1;
                // A subscript is read and forgotten.
                if self.sign() == Some("_") {
                    self.at += 1;
                    self.exponent()?;
                }
                let text = if text.bytes().all(|b| b.is_ascii_digit()) {
                    text.trim_start_matches('0')
                } else {
                    &text
                };
                number(if text.is_empty() { "0" } else { text })
            }
            Token::Scientific(text) => {
                self.at += 1;
                let (digits, exponent) = text.split_once('E')?;
                let exponent: i64 = exponent.parse().ok()?;
                let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
                let all = format!("{whole}{decimals}");
                if all.len() > 1000 || exponent.abs() > 900 {
                    return None;
                }
                let value = crate::reward::math::form::decimal(
                    all.trim_start_matches('0'),
                    exponent - decimals.len() as i64,
                )?;
                Some(Expr::Decimal(value))
            }
            Token::Percent(text) => {
                self.at += 1;
                Some(Expr::Percent(number(&text)?.into()))
            }
            Token::Sign("∞") => {
                self.at += 1;
                Some(Expr::Infinity)
            }
            Token::Differential(name) => {
                self.at += 1;
                Some(Expr::Symbol(name.into()))
            }
            Token::Letter('E') => {
                self.at += 1;
                Some(Expr::Symbol("e".into()))
            }
            Token::Letter('e') => None,
            Token::Letter(_) | Token::Name(_) | Token::Accent(_) => {
                let imaginary = token == Token::Letter('I');
                let name = self.plain_name()?;
                Some(match &name {
                    Expr::Symbol(text) if matches!(&**text, "pi" | "π") => Expr::Pi,
                    Expr::Symbol(text) if &**text == "i" && imaginary => Expr::I,
                    _ => name,
                })
            }
            _ => None,
        }
    }
}

fn written(token: &Token) -> String {
    match token {
        Token::Number(text) | Token::Scientific(text) | Token::Percent(text) | Token::Accent(text) => {
            text.clone()
        }
        Token::Differential(text) => text.clone(),
        Token::Letter(c) => c.to_string(),
        Token::Name(name) | Token::Function(name) | Token::Sign(name) => (*name).to_owned(),
        Token::BeginMatrix | Token::EndMatrix => String::new(),
    }
}

/// A fraction of two whole numbers is one number.
fn quotient(above: Expr, below: Expr) -> Option<Expr> {
    Some(match (&above, &below) {
        (Expr::Number(a), Expr::Number(b)) if a.is_int() && b.is_int() => {
            if b.is_zero() {
                return None;
            }
            Expr::Number(a / b)
        }
        _ => Expr::Quotient(above.into(), below.into()),
    })
}
