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
mod lex;
mod normalise;
mod plain;
mod same;

use super::{super::math::form::Work, Asked, Score, python};

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

/// What may be done to read all places of one text, counted: rules of the grammar that are tried, and arithmetic for the ends of
/// intervals.
pub(super) struct Budget {
    attempts: usize,
    work: Work,
}

/// Rules that are tried for one text; brackets within brackets ask for many more than a text has places.
const MAX_ATTEMPTS: usize = 20_000;

impl Budget {
    fn new() -> Self {
        Self { attempts: MAX_ATTEMPTS, work: Work::small() }
    }
}

/// Longest LaTeX that is read; the original's grammar takes seconds there.
const MAX_LATEX: usize = 2048;
/// Brackets within brackets that are followed.
const MAX_DEPTH: usize = 30;

/// Of a longer text the end is looked through; the original takes minutes there.
const MAX_TEXT: usize = 16 * 1024;

fn end_of(text: &str) -> &str {
    super::super::text::end_of(text, MAX_TEXT)
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
    let own = tagged(asked.completion);
    Score::all_or_nothing(own == tagged(gold), own.to_owned())
}

/// What stands in the first `<answer>…</answer>` on one line, else all.
fn tagged(text: &str) -> &str {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("<answer>") {
        let (line, others) = after.split_once('\n').unwrap_or((after, ""));
        if let Some((inside, _)) = line.split_once("</answer>") {
            return inside.trim_matches(python::is_space);
        }
        rest = others;
    }
    text.trim_matches(python::is_space)
}
