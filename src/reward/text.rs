//! Free text, right when it equals one of the golds after a stated normalisation.
//!
//! Normalisation, of gold and answer alike: one layer after another of `$…$`, `\(…\)`, `\boxed{…}`, `\text{…}`, bold
//! marks, back-ticks and quotes is taken off; runs of white space become one space; one full stop at the end goes; curly
//! quotes become straight, `\$` and `\%` lose their backslash; letters become lower case (`case = "keep"` leaves them). An answer
//! may be announced ("The answer is …"). Nothing else: no articles, no punctuation inside, and never "contains", which pays for
//! answers that list everything.

use serde::Deserialize;

use super::{BadGold, Example, Gold, Reason, Verdict, Verifier, entry};
use crate::{
    registry::{BuildError, Entry, Named},
    sample::Answer,
};

pub(super) const ENTRY: Entry<dyn Verifier> = entry::<Text>();

struct Text {
    case: Case,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default)]
    case: Case,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Case {
    #[default]
    Ignore,
    Keep,
}

impl Named for Text {
    const NAME: &'static str = "text";
    const SUMMARY: &'static str = "Text equal to a gold up to case, white space and wrapping";
    type Config = Config;

    fn new(config: Config) -> Result<Self, BuildError> {
        Ok(Self { case: config.case })
    }
}

impl Text {
    fn normal(&self, text: &str) -> String {
        match self.case {
            Case::Ignore => normalised(text),
            Case::Keep => collapsed(text),
        }
    }
}

impl Verifier for Text {
    fn accepts(&self, gold: &Gold) -> Result<(), BadGold> {
        golds(gold).map(|_| ())
    }

    fn score(&self, gold: &Gold, answer: &str) -> Verdict {
        let Ok(golds) = golds(gold) else { return Verdict::zero(Reason::BadGold) };
        let text = unwrapped(answer);
        let answer = self.normal(answer);
        if answer.is_empty() {
            return Verdict::zero(Reason::Empty);
        }
        let is_gold = |answer: &str| golds.iter().any(|gold| self.normal(gold) == answer);
        let right = is_gold(&answer) || announced(text).is_some_and(|text| is_gold(&self.normal(text)));
        Verdict::all_or_nothing(right, &answer)
    }

    fn wrong_answers(&self, gold: &Gold) -> Vec<String> {
        let Ok(golds) = golds(gold) else { return Vec::new() };
        let reversed: String = self.normal(&golds[0]).chars().rev().collect();
        let listed = format!("{} or something else", golds[0]);
        [reversed, listed]
            .into_iter()
            .filter(|wrong| golds.iter().all(|g| self.normal(g) != self.normal(wrong)))
            .collect()
    }

    fn examples(&self) -> Vec<Example> {
        let gold = Answer::Text(vec!["left of".to_owned(), "to the left".to_owned()]);
        vec![Example::new(
            gold,
            &[
                "left of",
                " left  of.",
                "“left of”",
                "The answer is left of.",
                "Answer: left of",
                r"\text{left of}",
                "**left of**",
                "to the left",
            ],
            &["", "left", "left of or right of", "not left of", "fo tfel", "left\u{200b} of"],
        )]
    }
}

/// The texts of a text gold, none of which is blank.
pub(super) fn golds<'a>(gold: &Gold<'a>) -> Result<&'a [String], BadGold> {
    match gold.answer {
        Answer::Text(texts) if texts.is_empty() => Err(BadGold::Empty),
        Answer::Text(texts) if texts.iter().any(|t| collapsed(t).is_empty()) => Err(BadGold::Empty),
        Answer::Text(texts) if texts.iter().all(|text| is_missing(text)) => {
            Err(BadGold::Missing(texts[0].trim().to_owned()))
        }
        Answer::Text(texts) => Ok(texts),
        other => Err(BadGold::Kind { wants: "text", has: other.kind() }),
    }
}

/// What programs write where there is no value, and marks that stand for one. Where one is the answer, a text command says so.
pub(super) fn is_missing(text: &str) -> bool {
    const MISSING: [&str; 9] = ["None", "NaN", "nan", "NULL", "Null", "null", "<NA>", "NaT", "N/A"];
    let text = text.trim();
    MISSING.contains(&text) || !text.is_empty() && text.chars().all(|c| matches!(c, '?' | '？'))
}

/// Text without wrapping, with single spaces, lower case, without a final full stop.
pub(super) fn normalised(text: &str) -> String {
    collapsed(text).to_lowercase()
}

/// [`normalised`], keeping the case.
pub(super) fn collapsed(text: &str) -> String {
    let text = unwrapped(text);
    let text = match text.strip_suffix(['.', '。']) {
        Some(rest) if !rest.trim().is_empty() => unwrapped(rest),
        _ => text,
    };
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        if word.contains(['’', '‘', '“', '”', '\\']) {
            out.push_str(
                &word
                    .replace(['’', '‘'], "'")
                    .replace(['“', '”'], "\"")
                    .replace(r"\$", "$")
                    .replace(r"\%", "%"),
            );
        } else {
            out.push_str(word);
        }
    }
    out
}

const WRAPPERS: [(&str, &str); 21] = [
    ("$$", "$$"),
    ("$", "$"),
    (r"\(", r"\)"),
    (r"\[", r"\]"),
    ("**", "**"),
    ("*", "*"),
    ("`", "`"),
    ("\"", "\""),
    ("'", "'"),
    ("“", "”"),
    (r"\boxed{", "}"),
    (r"\text{", "}"),
    (r"\mathrm{", "}"),
    (r"\textbf{", "}"),
    (r"\mathbf{", "}"),
    (r"\textit{", "}"),
    (r"\mathit{", "}"),
    (r"\textrm{", "}"),
    (r"\emph{", "}"),
    (r"\mbox{", "}"),
    (r"\underline{", "}"),
];

/// More layers than any honest answer has; the bound keeps hostile nesting linear.
const MAX_LAYERS: usize = 8;

/// Whether `text` begins with `mark`, told by two bytes where it does not: tables of marks are long.
#[inline]
pub(super) fn begins(text: &str, mark: &str) -> bool {
    let (text, mark) = (text.as_bytes(), mark.as_bytes());
    text.first() == mark.first() && (mark.len() == 1 || text.get(1) == mark.get(1)) && text.starts_with(mark)
}

/// The text inside its quotes, math delimiters, bold marks and boxes; only a pair around the whole text is taken off.
pub(super) fn unwrapped(text: &str) -> &str {
    let mut text = text.trim();
    if text.starts_with("**") && text.ends_with("**.") {
        text = &text[..text.len() - 1];
    }
    for _ in 0..MAX_LAYERS {
        if !text.starts_with(['$', '\\', '*', '`', '"', '\'', '“']) {
            break;
        }
        let inside = WRAPPERS.iter().find_map(|&(open, close)| {
            if !begins(text, open) {
                return None;
            }
            let inside = text[open.len()..].strip_suffix(close)?;
            let whole = if close == "}" { balanced(inside) } else { !inside.contains(close) };
            (whole && !inside.trim().is_empty()).then_some(inside)
        });
        match inside {
            Some(inside) => text = inside.trim(),
            None => break,
        }
    }
    text
}

/// What may stand before an answer, behind "the" or "my".
const LEAD_INS: [&str; 22] = [
    "correct answer is",
    "correct answer:",
    "correct option is",
    "correct option:",
    "correct choice is",
    "correct choice:",
    "final answer is",
    "final answer:",
    "right answer is",
    "best answer is",
    "best option is",
    "answer should be",
    "answer is",
    "answer:",
    "option:",
    "option is",
    "choice:",
    "choice is",
    "ans:",
    "答案：",
    "答案是",
    "=",
];

/// What may stand before these.
const ADVERBS: [&str; 5] = ["so", "thus", "hence", "therefore", "then"];

/// What may stand behind an answer as its announcement.
const ENDINGS: [&str; 4] = ["is the correct answer", "is the answer", "is correct", "is right"];

/// What "the answer is", "Answer:", "so the answer is" or "=" announces.
fn announced(text: &str) -> Option<&str> {
    let begins_with =
        |text: &str, word: &str| text.get(..word.len()).is_some_and(|t| t.eq_ignore_ascii_case(word));
    if !text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '=' | '*' | '答')) {
        return None;
    }
    let plain = text.strip_prefix("**").unwrap_or(text);
    let adverb = ADVERBS.iter().find(|word| begins_with(plain, word)).map(|word| &plain[word.len()..]);
    let after = adverb.filter(|rest| rest.starts_with([' ', ',']));
    let sentence = after.map_or(plain, |rest| rest.trim_start_matches([' ', ',']));
    let article = ["the ", "my "].iter().find(|word| begins_with(sentence, word));
    let sentence = article.map_or(sentence, |word| &sentence[word.len()..]);
    let lead = LEAD_INS.iter().find(|lead| begins_with(sentence, lead))?;
    Some(unwrapped(unbold(sentence[lead.len()..].trim_start_matches([':', ' ', '\n']))))
}

/// The text without what announces it in front ([`announced`]) or behind: "is the correct answer".
pub(super) fn without_lead_in(text: &str) -> &str {
    if let Some(answer) = announced(text) {
        return answer;
    }
    let ends = text.strip_suffix('.').unwrap_or(text);
    if !ends.ends_with(['r', 't']) {
        return text;
    }
    let ending = ENDINGS.iter().find(|ending| {
        let at = ends.len().checked_sub(ending.len());
        at.and_then(|at| ends.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(ending))
    });
    ending.map_or(text, |ending| ends[..ends.len() - ending.len()].trim_end())
}

/// Without the half of a pair of bold marks whose other half was taken off.
fn unbold(text: &str) -> &str {
    if text.matches("**").count().is_multiple_of(2) {
        return text;
    }
    let end = || text.strip_suffix("**").or_else(|| text.strip_suffix("**."));
    text.strip_prefix("**").or_else(end).unwrap_or(text).trim()
}

/// Whether every brace closes inside `text`.
fn balanced(text: &str) -> bool {
    let mut depth = 0_i64;
    for byte in text.bytes() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => (),
        }
        if depth < 0 {
            return false;
        }
    }
    depth == 0
}

/// What announces an answer at the end of a text.
pub(super) const ANNOUNCEMENTS: [&str; 7] =
    ["answer is", "answer should be", "answer:", "option is", "option:", "choice is", "choice:"];

/// What the prompt of Minerva (arXiv:2206.14858) teaches models to end with.
const FAREWELL: &str = "I hope it is correct.";

/// Longest answer that is looked for behind its announcement, in bytes.
const MAX_ANNOUNCED: usize = 4096;

/// The last `most` bytes of a text, or a few less where a character would be cut.
pub(super) fn end_of(text: &str, most: usize) -> &str {
    let mut at = text.len().saturating_sub(most);
    while !text.is_char_boundary(at) {
        at += 1;
    }
    &text[at..]
}

/// The last line that is not blank, without "the answer is" before it and "I hope it is correct." after it: where an answer without tags is looked for.
pub(super) fn last_line(text: &str) -> &str {
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("").trim();
    let line = line.strip_suffix(FAREWELL).map_or(line, str::trim_end);
    let end = end_of(line, MAX_ANNOUNCED);
    let lower = end.to_ascii_lowercase(); // same length, so positions carry over
    let after = ANNOUNCEMENTS.iter().filter_map(|lead| Some(lower.rfind(lead)? + lead.len())).max();
    match after
        .map(|at| unbold(end[at..].trim_start_matches([':', ' ']).trim()).trim_start_matches([':', ' ']))
    {
        Some(rest) if !rest.is_empty() => rest,
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_pair_around_the_whole_text_is_wrapping() {
        assert_eq!(unwrapped(r" $\boxed{\text{B}}$ "), "B");
        assert_eq!(unwrapped(r"\text{a} or \text{b}"), r"\text{a} or \text{b}");
        assert_eq!(unwrapped("'a' or 'b'"), "'a' or 'b'");
        assert_eq!(unwrapped("$5"), "$5");
    }

    #[test]
    fn case_can_be_kept() {
        let verifier = Text::new(Config { case: Case::Keep }).unwrap();
        let answer = Answer::Text(vec!["CO".to_owned()]);
        let gold = Gold { answer: &answer, options: &[], picture_size: None };
        assert_eq!(verifier.score(&gold, "CO").score, 1.0);
        assert_eq!(verifier.score(&gold, "Co").score, 0.0);
    }

    #[test]
    fn the_last_line_is_read_from_where_the_answer_is_announced() {
        assert_eq!(last_line("It is red.\nNot A. The answer is B\n\n"), "B");
        assert_eq!(last_line("**Answer:** left"), "left");
        assert_eq!(last_line("left"), "left");
        assert_eq!(last_line(""), "");
    }
}
