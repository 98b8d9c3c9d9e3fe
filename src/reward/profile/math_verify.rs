//! math-verify 0.9.0 with latex2sympy2_extended 1.11.0: extraction, normalisation, reading and comparison restated.
//!
//! `math_verify` puts a gold without LaTeX environment between dollar signs, as the package's readme asks for;
//! `math_verify_raw` passes it on as it is. `trl` is TRL 1.16's `accuracy_reward`: LaTeX environments and boxes only, a box
//! first, malformed operators refused, the gold as it is; a gold that cannot be read skips the row (no score). `r1v` is R1-V's:
//! this rule on the whole completion, else text equality of what stands in `<answer>`.
//!
//! What sympy finds by simplification is found here by normal forms, and where these do not decide by interval arithmetic.

mod extract;
mod latex;
mod same;

use super::{Asked, Score, python};

/// What was read from a text: an expression where one could be read, and the text itself.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) expr: Option<super::super::math::Expr>,
    pub(super) text: Option<String>,
}

/// How a text is looked through.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Mode {
    /// math-verify's defaults.
    Default,
    /// What TRL asks for.
    Trl,
}

/// Of a longer text the end is looked through; the original takes minutes there.
const MAX_TEXT: usize = 16 * 1024;

fn end_of(text: &str) -> &str {
    let mut at = text.len().saturating_sub(MAX_TEXT);
    while !text.is_char_boundary(at) {
        at += 1;
    }
    &text[at..]
}

pub(super) fn score(asked: &Asked) -> Score {
    let in_environment = |gold: &str| ["$", "\\boxed", "\\(", "\\["].iter().any(|s| gold.contains(s));
    let golds =
        asked.golds.iter().map(|gold| if in_environment(gold) { gold.clone() } else { format!("${gold}$") });
    scored(golds, asked.completion)
}

pub(super) fn score_raw(asked: &Asked) -> Score {
    scored(asked.golds.iter().cloned(), asked.completion)
}

fn scored(golds: impl Iterator<Item = String>, completion: &str) -> Score {
    let answer = extract::parse(end_of(completion), Mode::Default);
    if answer.expr.is_none() && answer.text.is_none() {
        return Score::missing();
    }
    let mut golds = golds.map(|gold| extract::parse(end_of(&gold), Mode::Default));
    let right = golds.any(|gold| verified(&gold, &answer));
    Score::all_or_nothing(right, answer.text.unwrap_or_default())
}

fn verified(gold: &Parsed, answer: &Parsed) -> bool {
    let texts = match (&gold.text, &answer.text) {
        (Some(a), Some(b)) => {
            let (a, b) = (a.trim_matches(python::is_space), b.trim_matches(python::is_space));
            !a.is_empty() && a == b
        }
        _ => false,
    };
    texts || matches!((&gold.expr, &answer.expr), (Some(a), Some(b)) if same::same(a, b))
}

pub(super) fn score_trl(asked: &Asked) -> Score {
    let Some(gold) = asked.golds.first() else { return Score::skipped() };
    let gold = extract::parse(end_of(gold), Mode::Default);
    if gold.expr.is_none() && gold.text.is_none() {
        return Score::skipped();
    }
    let answer = extract::parse(end_of(asked.completion), Mode::Trl);
    if answer.expr.is_none() && answer.text.is_none() {
        return Score::missing();
    }
    Score::all_or_nothing(verified(&gold, &answer), answer.text.unwrap_or_default())
}

pub(super) fn score_r1v(asked: &Asked) -> Score {
    let Some(gold) = asked.golds.first() else { return Score::unparsed() };
    let answer = extract::parse(end_of(asked.completion), Mode::Default);
    // The original passes the answer as the gold.
    if verified(&answer, &extract::parse(end_of(gold), Mode::Default)) {
        return Score::all_or_nothing(true, answer.text.unwrap_or_default());
    }
    let inside = |text: &'_ str| -> String {
        let found = text.find("<answer>").and_then(|at| {
            let mut rest = &text[at + "<answer>".len()..];
            loop {
                let line = rest.find('\n').unwrap_or(rest.len());
                let end = rest.find("</answer>")?;
                if end < line {
                    return Some(rest[..end].to_owned());
                }
                rest = rest[line..].split_once("<answer>")?.1;
            }
        });
        found.unwrap_or_else(|| text.to_owned()).trim_matches(python::is_space).to_owned()
    };
    let own = inside(asked.completion);
    Score::all_or_nothing(own == inside(gold), own)
}
