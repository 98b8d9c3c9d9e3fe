//! `\boxed{…}`: what stands in the last one, and whether what stands around it says something else.

use std::{borrow::Cow, sync::LazyLock};

use memchr::memmem::Finder;

use super::super::{
    Reason,
    text::{ANNOUNCEMENTS, end_of, without_lead_in},
};

/// Boxes within boxes that are looked into.
const MAX_LAYERS: usize = 8;
/// Longest box, in bytes; one that does not close within these is not closed.
const MAX_BOX: usize = 64 * 1024;
/// Longest word that is a box of its own, in characters.
const MAX_WORD: usize = 1000;

/// Places of boxes, the last first.
pub(super) fn boxes(text: &str) -> impl Iterator<Item = usize> {
    static COMMANDS: LazyLock<[Finder; 2]> = LazyLock::new(|| ["\\boxed", "\\fbox"].map(Finder::new));
    let mut places: Vec<usize> =
        COMMANDS.iter().flat_map(|command| command.find_iter(text.as_bytes())).collect();
    places.sort_unstable();
    places.into_iter().rev()
}

/// The content of the last box, and what stands before and after it; `None` where there is no box, an error where it is empty,
/// not closed, or one of several that stand side by side with different contents.
pub(super) fn last_box(text: &str) -> Result<Option<(&str, [&str; 2])>, Reason> {
    let mut places = boxes(text);
    let Some(at) = places.next() else { return Ok(None) };
    let (inside, length) = open_box(&text[at..]).ok_or(Reason::MissingTag)?;
    // `\boxed{\boxed{3}}` is one answer in two boxes; the outer may hold more than the inner.
    let mut content = inside;
    let mut start = at;
    let mut after = &text[at + length..];
    // Each look at a box reads on, so that only so many are looked at.
    for before in places.take(MAX_LAYERS) {
        let Some((outer, length)) = open_box(&text[before..]) else { break };
        let end = before + length;
        if end > start {
            content = outer;
            start = before;
            after = &text[end..];
            continue;
        }
        // Two boxes with nothing between them but "or", commas and signs are two answers.
        let between = &text[end..start];
        let joined =
            between.split(|c: char| !c.is_alphanumeric()).all(|w| matches!(w, "" | "or" | "and" | "text"));
        if joined && outer.trim() != content.trim() {
            return Err(Reason::Ambiguous);
        }
        break;
    }
    let content = content.trim();
    if content.is_empty() { Err(Reason::Empty) } else { Ok(Some((content, [&text[..start], after]))) }
}

/// The content of the box that `text` begins with and the bytes that it takes; `\boxed 3` is a box of one word.
fn open_box(text: &str) -> Option<(&str, usize)> {
    let command = if text.starts_with("\\boxed") { 6 } else { 5 };
    let after = &text[command..];
    let trimmed = after.trim_start();
    let start = text.len() - trimmed.len();
    if let Some(inside) = trimmed.strip_prefix('{') {
        let mut depth = 1_i64;
        for (i, byte) in inside.bytes().take(MAX_BOX).enumerate() {
            match byte {
                b'{' => depth += 1,
                b'}' => depth -= 1,
                _ => (),
            }
            if depth == 0 {
                return Some((&inside[..i], start + i + 2));
            }
        }
        return None;
    }
    if trimmed.len() == after.len() {
        return None;
    }
    let ends = |(_, c): &(usize, char)| c.is_whitespace() || *c == '$';
    let end = trimmed.char_indices().take(MAX_WORD).find(ends).map(|(at, _)| at);
    let end = end.or((trimmed.len() <= MAX_WORD).then_some(trimmed.len()))?;
    let word = trimmed[..end].trim_end_matches(['.', ',']);
    Some((word, start + end))
}

/// Whether what stands before and after a box is marks and words that announce an answer.
pub(super) fn only_announces([before, after]: [&str; 2]) -> bool {
    const MARKS: [&str; 6] = [r"\(", r"\)", r"\[", r"\]", "$", "*"];
    const MOST: usize = 200;
    let [before, after] = [before.trim(), after.trim()];
    if before.len() > MOST || after.len() > MOST {
        return false;
    }
    let plain = |text: &str| MARKS.iter().fold(text.to_owned(), |text, mark| text.replace(mark, ""));
    let before = plain(before).to_ascii_lowercase();
    let lead = before.trim();
    let joined = ["so", "thus", "hence", "therefore"].iter().find_map(|join| lead.strip_prefix(join));
    let lead = joined.map_or(lead, |rest| rest.trim_start_matches([',', ' ']));
    // "Final answer: the final answer is"
    let lead = without_lead_in(without_lead_in(lead));
    lead.is_empty() && matches!(plain(after).trim(), "" | ".")
}

/// Commands that make something else of what follows them or stands in their braces.
const BINDS: [&str; 20] = [
    r"\ne", r"\neq", r"\not", r"\neg", r"\sqrt", r"\times", r"\cdot", r"\pm", r"\mp", r"\le", r"\leq",
    r"\ge", r"\geq", r"\lt", r"\gt", r"\div", r"\frac", r"\dfrac", r"\cancel", r"\sout",
];

/// Whether a box is a part of a formula or of a number in words, which say something else: `-\boxed{5}`, `\frac{\boxed{5}}{2}`,
/// `x > \boxed{5}`, `(\boxed{5}, 6)`, `\boxed{5} million`.
pub(super) fn is_part(before: &str, after: &str) -> bool {
    let window = end_of(before, 64);
    binds_from_before(window, after) || binds_from_behind(after)
}

fn binds_from_before(window: &str, after: &str) -> bool {
    // Marks around a formula separate nothing, and so does a space.
    let before = window.trim_end_matches(['$', '*', ' ']);
    let latex = before.contains('\\');
    let command = |text: &str| latex && BINDS.iter().any(|command| text.ends_with(command));
    let braced = before.strip_suffix('{').is_some_and(|outer| {
        let below = outer.ends_with('}') && outer.contains("frac{");
        command(outer) || below || outer.ends_with(['^', '_'])
    });
    let arrow = ["->", "=>"].iter().any(|arrow| before.ends_with(arrow));
    let sign = !arrow && before.ends_with(['/', '^', '<', '>', '≠', '≤', '≥', '+', '×', '·']);
    let listed = before.ends_with(['(', '[', '{', ',']) && before.contains(['(', '[', '{']);
    let followed = after.trim_start_matches(['$', ' ']).starts_with(',');
    braced
        || sign
        || command(before)
        || listed && followed
        || before.ends_with("~~")
        || window.ends_with(['-', '−'])
        || window.ends_with(|c: char| c.is_ascii_digit())
}

fn binds_from_behind(after: &str) -> bool {
    const SCALES: [&str; 6] = ["hundred", "thousand", "million", "billion", "trillion", "dozen"];
    const OPERATORS: [&str; 4] = [r"\times", r"\cdot", r"\pi", r"\sqrt"];
    let ends = |rest: &str| !rest.starts_with(char::is_alphabetic);
    let digit = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    let power = |rest: &str| !rest.trim_start_matches(['{', ' ']).starts_with(r"\circ");
    let words = after.trim_start_matches(['$', '*', ' ', '\\', '{']).trim_start_matches("text{").trim_start();
    let scale = |scale: &&str| {
        words.get(..scale.len()).is_some_and(|word| word.eq_ignore_ascii_case(scale))
            && ends(&words[scale.len()..])
    };
    digit(after)
        || after.strip_prefix('^').is_some_and(power)
        || after.strip_prefix(['i', 'x', 'y', 'n', 'k', 'π']).is_some_and(ends)
        || after.strip_prefix(['/', ':']).is_some_and(digit)
        || OPERATORS.iter().any(|operator| after.trim_start().starts_with(operator))
        || SCALES.iter().any(scale)
}

/// What stands beside a box as another answer: behind or in front of an "or", and what is announced after it.
pub(super) fn others<'t>(before: &'t str, after: &'t str) -> impl Iterator<Item = &'t str> {
    const MARKS: [char; 7] = ['*', ' ', '(', ')', ',', '.', ';'];
    let either = end_of(before, MAX_BESIDE).trim_end_matches([' ', '$', '*']).strip_suffix("or");
    let either = either.filter(|rest| rest.ends_with([' ', '\n', '$'])).map(|rest| {
        let rest = rest.trim_end_matches(MARKS);
        match rest.strip_suffix('$').map(|formula| (formula.rfind('$'), formula)) {
            Some((Some(at), formula)) => &formula[at + 1..],
            _ => rest.rsplit(char::is_whitespace).next().unwrap_or(""),
        }
    });
    let or = after.trim_start_matches(['$', '*', ' ', '(', ',']).strip_prefix("or ").map(|rest| {
        let rest = rest.trim_start_matches(MARKS);
        match rest.strip_prefix('$').map(|formula| (formula.find('$'), formula)) {
            Some((Some(at), formula)) => &formula[..at],
            _ => rest.split(char::is_whitespace).next().unwrap_or("").trim_end_matches(MARKS),
        }
    });
    either.into_iter().chain(or).chain(announced_after(after)).filter(|other| !other.is_empty())
}

/// Longest text that is looked at for another answer, in bytes.
const MAX_BESIDE: usize = 200;

/// What the last "answer is" or "answer:" behind a box announces, where it is short.
fn announced_after(after: &str) -> Option<&str> {
    const LONGEST: usize = 40;
    let end = end_of(after, 5 * MAX_BESIDE);
    if end.len() < ANNOUNCEMENTS[0].len() {
        return None;
    }
    let lower = end.to_ascii_lowercase();
    let at = ANNOUNCEMENTS.iter().filter_map(|lead| Some(lower.rfind(lead)? + lead.len())).max()?;
    let announced = end[at..].trim_matches([':', ' ', '*', '$', '.', '\n']);
    (announced.len() <= LONGEST).then_some(announced)
}

/// Whether a box is a part of a longer number: `\boxed{1}2`.
fn is_glued(before: &str, after: &str) -> bool {
    before.ends_with(|c: char| c.is_alphanumeric())
        || after.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '{' | '.') && after.len() > 1)
        || after.starts_with(r"\sqrt")
}

/// An answer without the frame of its only box and the marks around formulas: `x=\boxed{3}` is `x=3`, as it is set.
pub(in crate::reward) fn unboxed(answer: &str) -> Cow<'_, str> {
    const MARKS: [&str; 6] = [r"\(", r"\)", r"\[", r"\]", "$", "**"];
    if answer.len() > 2 * MAX_BESIDE || !answer.contains("box") {
        return Cow::Borrowed(answer);
    }
    let mut all = boxes(answer);
    let single = all.next().is_some() && all.next().is_none();
    let Some((content, [before, after])) = last_box(answer).ok().flatten().filter(|_| single) else {
        return Cow::Borrowed(answer);
    };
    let alone = before.trim().is_empty() && after.trim().is_empty();
    if alone || is_glued(before, after) {
        return Cow::Borrowed(answer);
    }
    // A currency sign stays.
    let plain = |text: &str| {
        let text = text.replace(r"\$", "\u{1}");
        MARKS.iter().fold(text, |text, mark| text.replace(mark, "")).replace('\u{1}', r"\$")
    };
    Cow::Owned([&plain(before), content, &plain(after)].concat())
}
