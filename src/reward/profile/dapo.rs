//! verl's `math_dapo` (0.9.1): the last `Answer: …` line, else the last box, of the last 300 characters; text after Minerva's
//! normalisation. Its reward is +1 or -1; `score` is 1 or 0.

use super::{Asked, Score, python::last};

const SUBSTITUTIONS: [(&str, &str); 10] = [
    ("an ", ""),
    ("a ", ""),
    (".$", "$"),
    ("\\$", ""),
    (r"\ ", ""),
    (" ", ""),
    ("mbox", "text"),
    (",\\text{and}", ","),
    ("\\text{and}", ","),
    ("\\text{m}", "\\text{}"),
];

const REMOVED: [&str; 37] = [
    "square",
    "ways",
    "integers",
    "dollars",
    "mph",
    "inches",
    "hours",
    "km",
    "units",
    "\\ldots",
    "sue",
    "points",
    "feet",
    "minutes",
    "digits",
    "cents",
    "degrees",
    "cm",
    "gm",
    "pounds",
    "meters",
    "meals",
    "edges",
    "students",
    "childrentickets",
    "multiples",
    "\\text{s}",
    "\\text{.}",
    "\\text{\ns}",
    "\\text{}^2",
    "\\text{}^3",
    "\\text{\n}",
    "\\text{}",
    r"\mathrm{th}",
    r"^\circ",
    r"^{\circ}",
    r"\;",
];

const REMOVED_LAST: [&str; 4] = [r",\!", "{,}", "\"", "\\dots"];

pub(super) fn score(asked: &Asked) -> Score {
    let tail = last(asked.completion, 300);
    let extracted = last_answer_line(tail).unwrap_or("[INVALID]");
    let prediction = normalised(extracted);
    if prediction != "[INVALID]" {
        let right = asked.golds.iter().any(|gold| normalised(gold) == prediction);
        return Score::all_or_nothing(right, prediction).signed();
    }
    // A box is compared as it stands.
    if let Some(inside) = last_boxed(last(tail, 100)) {
        let right = asked.golds.iter().any(|gold| *gold == inside);
        return Score::all_or_nothing(right, inside.to_owned()).signed();
    }
    let right = asked.golds.iter().any(|gold| normalised(gold) == prediction);
    Score { extracted: None, ..Score::all_or_nothing(right, prediction) }.signed()
}

/// What follows the last `Answer :` on its line, in any case.
fn last_answer_line(text: &str) -> Option<&str> {
    let lower = text.to_ascii_lowercase();
    let mut found = None;
    let mut at = 0;
    while let Some(start) = lower[at..].find("answer") {
        let after = at + start + "answer".len();
        at = after;
        let colon = text[after..].trim_start_matches(super::python::is_space);
        let Some(rest) = colon.strip_prefix(':') else { continue };
        // White space may hold line ends, of which the last character goes to the answer if nothing else is left.
        let trimmed = rest.trim_start_matches(super::python::is_space);
        let line = trimmed.split('\n').next().unwrap_or("");
        if !line.is_empty() {
            found = Some(line);
            at = text.len() - trimmed.len() + line.len();
        } else if let Some(space) = rest.chars().rev().find(|c| *c != '\n') {
            let end = rest.rfind(space).expect("found above");
            found = Some(&rest[end..end + space.len_utf8()]);
            at = text.len();
        }
    }
    found
}

/// The content of the last closed `\boxed{…}`.
pub(super) fn last_boxed(text: &str) -> Option<&str> {
    let at = text.rfind("\\boxed{")?;
    let inside = &text[at + "\\boxed{".len()..];
    let mut depth = 1;
    for (i, byte) in inside.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => (),
        }
        if depth == 0 {
            return Some(&inside[..i]);
        }
    }
    None
}

fn normalised(answer: &str) -> String {
    let mut text = answer.rsplit('=').next().unwrap_or("").to_owned();
    for (from, to) in SUBSTITUTIONS {
        text = text.replace(from, to);
    }
    for removed in REMOVED.iter().chain(&REMOVED_LAST) {
        text = text.replace(removed, "");
    }
    text = first_math(&text);
    for command in ["\\text{", "\\textbf{", "\\overline{"] {
        text = without_command(&text, command);
    }
    // `\boxed{…}` to the last brace of its line.
    text = without_boxes(&text);
    text = braced_fractions(&text);
    text = braced_roots(&text);
    text = text.replace('$', "");
    let digits = text.replace(',', "");
    if !digits.is_empty() && digits.chars().all(|c| super::python::digit(c).is_some()) {
        text = digits;
    }
    text.trim_matches(super::python::is_space).to_owned()
}

/// `re.sub(r"(.*?)(\$)(.*?)(\$)(.*)", "$\\3$", …)`, line by line.
fn first_math(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (i, line) in text.split('\n').enumerate() {
        if i > 0 {
            out.push('\n');
        }
        let mut parts = line.splitn(3, '$');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(_), Some(inside), Some(_)) => {
                out.push('$');
                out.push_str(inside);
                out.push('$');
            }
            _ => out.push_str(line),
        }
    }
    out
}

/// Takes `command…}` off, up to the first brace that closes on the line.
fn without_command(text: &str, command: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(command) {
        let inside = &rest[at + command.len()..];
        if let Some(end) = inside.find(['}', '\n']).filter(|end| inside[*end..].starts_with('}')) {
            out.push_str(&rest[..at]);
            out.push_str(&inside[..end]);
            rest = &inside[end + 1..];
        } else {
            out.push_str(&rest[..=at]);
            rest = &rest[at + 1..];
        }
    }
    out + rest
}

fn without_boxes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\\boxed{") {
        let inside = &rest[at + "\\boxed{".len()..];
        let line = inside.find('\n').unwrap_or(inside.len());
        let Some(end) = inside[..line].rfind('}') else {
            out.push_str(&rest[..=at]);
            rest = &rest[at + 1..];
            continue;
        };
        out.push_str(&rest[..at]);
        out.push_str(&inside[..end]);
        rest = &inside[end + 1..];
    }
    out + rest
}

/// `frac12` to `frac{1}{2}`.
fn braced_fractions(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("frac") {
        let (before, after) = rest.split_at(at + 4);
        out.push_str(before);
        let mut chars = after.chars();
        match (chars.next(), chars.next()) {
            (Some(a), Some(b)) if a != '{' && b != '\n' => {
                out.extend(['{', a, '}', '{', b, '}']);
                rest = chars.as_str();
            }
            _ => rest = after,
        }
    }
    out + rest
}

fn braced_roots(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("sqrt") {
        let (before, after) = rest.split_at(at + 4);
        out.push_str(before);
        let mut chars = after.chars();
        match chars.next() {
            Some(a) if a != '{' => {
                out.extend(['{', a, '}']);
                rest = chars.as_str();
            }
            _ => rest = after,
        }
    }
    out + rest
}
