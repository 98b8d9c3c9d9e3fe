//! The normalisation of the MATH data set's own checker, and verl's `math_reward` (0.9.1), which is that checker: text of the
//! last box equal to the gold after it.

use super::{Asked, Score, python};

/// Longest text that is normalised, in bytes; the original has no bound.
const MAX_TEXT: usize = 20_000;

pub(super) fn score(asked: &Asked) -> Score {
    let Some(answer) = last_boxed(asked.completion) else { return Score::missing() };
    // A long text is compared as it stands: normalised it is gone through a score of times.
    let short = |text: &str| text.len() <= MAX_TEXT;
    let same = |gold: &str| match (stripped(&answer, false), stripped(gold, false)) {
        (Some(a), Some(b)) => a == b,
        _ => answer == gold,
    };
    let same = |gold: &str| if short(&answer) && short(gold) { same(gold) } else { answer == gold };
    let right = asked.golds.iter().any(|gold| same(gold));
    Score::all_or_nothing(right, answer)
}

/// As the checker finds and opens it; `None` where there is none or opening it fails.
fn last_boxed(text: &str) -> Option<String> {
    if text.contains("\\boxed ") {
        let after = text.rsplit("\\boxed ").next()?;
        return Some(after.split('$').next()?.to_owned());
    }
    let at = text.rfind("\\boxed").or_else(|| text.rfind("\\fbox"))?;
    let mut depth = 0_i64;
    for (i, byte) in text.as_bytes()[at..].iter().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return text[at..=at + i].strip_prefix("\\boxed{")?.strip_suffix('}').map(str::to_owned);
                }
            }
            _ => (),
        }
    }
    None
}

/// `None` where the original raises an error. `percent`: whether a bare `%` goes too, as in mathruler's copy.
pub(super) fn stripped(text: &str, percent: bool) -> Option<String> {
    let mut s = text.replace('\n', "").replace("\\!", "").replace("\\\\", "\\");
    s = s.replace("tfrac", "frac").replace("dfrac", "frac").replace("\\left", "").replace("\\right", "");
    s = s.replace("^{\\circ}", "").replace("^\\circ", "").replace("\\$", "");
    if s.contains("\\text{ ") {
        let mut parts = s.split("\\text{ ");
        let first = parts.next()?.to_owned();
        if parts.count() != 1 {
            return None;
        }
        s = first;
    }
    s = s.replace("\\\\%", "").replace("\\%", "");
    if percent {
        s = s.replace('%', "");
    }
    s = s.replace(" .", " 0.").replace("{.", "{0.");
    if s.is_empty() {
        return Some(s);
    }
    if s.starts_with('.') {
        s.insert(0, '0');
    }
    if s.matches('=').count() == 1 {
        let (name, value) = s.split_once('=').expect("one is there");
        if name.chars().count() <= 2 {
            s = value.to_string();
        }
    }
    s = braced_roots(&s)?.replace(' ', "");
    s = braced_fractions(&s)?;
    if s == "0.5" {
        "\\frac{1}{2}".clone_into(&mut s);
    }
    Some(slash(&s))
}

fn braced_roots(text: &str) -> Option<String> {
    let mut parts = text.split("\\sqrt");
    let mut out = parts.next()?.to_owned();
    for part in parts {
        out.push_str("\\sqrt");
        let first = part.chars().next()?;
        if first == '{' {
            out.push_str(part);
        } else {
            out.extend(['{', first, '}']);
            out.push_str(&part[first.len_utf8()..]);
        }
    }
    Some(out)
}

fn braced_fractions(text: &str) -> Option<String> {
    let mut parts = text.split("\\frac");
    let mut out = parts.next()?.to_owned();
    for part in parts {
        out.push_str("\\frac");
        let mut chars = part.chars();
        let a = chars.next()?;
        if a == '{' {
            out.push_str(part);
            continue;
        }
        let Some(b) = chars.next() else { return Some(text.to_owned()) };
        out.extend(['{', a, '}']);
        if b == '{' {
            out.push(b);
        } else {
            out.extend(['{', b, '}']);
        }
        out.push_str(chars.as_str());
    }
    Some(out)
}

/// `a/b` of two whole numbers as a fraction.
pub(super) fn slash(text: &str) -> String {
    if let Some((a, b)) = text.split_once('/')
        && let (Some(x), Some(y)) = (python::int(a), python::int(b))
        && x == a
        && y == b
    {
        return format!("\\frac{{{a}}}{{{b}}}");
    }
    text.to_owned()
}
