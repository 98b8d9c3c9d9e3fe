//! Whether a completion is `<think>…</think><answer>…</answer>` and nothing else.
//!
//! Each tag stands exactly once, in this order; white space may stand around and between the two blocks; the answer is
//! not blank. Nested and repeated tags fail. The lax form of R1-V's pattern (arXiv:2505.24871 leaves open which form was
//! used), without its holes: a pattern with `.*?` also takes repeated tags and blank answers.

mod boxed;
mod denial;

use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};

use self::boxed::{boxes, last_box, only_announces};
pub(super) use self::{boxed::unboxed, denial::denied};
use super::{
    BadGold, Example, Gold, Reads, Reason, Verdict, Verifier, around, entry,
    text::{ANNOUNCEMENTS, end_of, last_line},
};
use crate::{
    registry::{BuildError, Entry, Named},
    sample::Answer,
};

pub(super) const ENTRY: Entry<dyn Verifier> = entry::<Format>();

pub(super) struct Format;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {}

impl Named for Format {
    const NAME: &'static str = "format";
    const SUMMARY: &'static str = "The completion is <think>…</think><answer>…</answer> and nothing else";
    type Config = Config;

    fn new(_: Config) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

impl Verifier for Format {
    fn reads(&self) -> Reads {
        Reads::Completion
    }

    fn accepts(&self, _: &Gold) -> Result<(), BadGold> {
        Ok(())
    }

    fn write(&self, gold: &Gold) -> String {
        tagged("", &gold.answer.written())
    }

    fn score(&self, _: &Gold, completion: &str) -> Verdict {
        match answer_region(completion) {
            Ok(_) => Verdict { score: 1.0, reason: Reason::Right, extracted: None },
            Err(reason) => Verdict::zero(reason),
        }
    }

    fn wrong_answers(&self, gold: &Gold) -> Vec<String> {
        vec![gold.answer.written()]
    }

    fn examples(&self) -> Vec<Example> {
        vec![Example::new(
            Answer::Choice('B'),
            &[
                "<think>It is red.</think><answer>B</answer>",
                " <think>\nIt is red.\n</think>\n<answer>\nB\n</answer>\n",
                "<think></think><answer>wrong, but well formed</answer>",
            ],
            &[
                "",
                "B",
                "<answer>B</answer>",
                "<think>It is red.</think>B",
                "<think>It is red.</think><answer>B",
                "<think>It is red.<answer>B</answer>",
                "<think>It is red.</think><answer> </answer>",
                "<answer>B</answer><think>It is red.</think>",
                "<think><answer>B</answer></think>",
                "<think><think>It is red.</think></think><answer>B</answer>",
                "<think>It is red.</think><answer>A</answer><answer>B</answer>",
                "<think>It is red.</think><answer><answer>B</answer></answer>",
                "<think>It is red.</think> so <answer>B</answer>",
                "Well. <think>It is red.</think><answer>B</answer>",
                "<think>It is red.</think><answer>B</answer> Done.",
                "<THINK>It is red.</THINK><ANSWER>B</ANSWER>",
            ],
        )]
    }
}

/// Tags that are looked at; a text with more is made of them, and has no answer.
const MAX_TAGS: usize = 4096;
const TAGS: [&str; 4] = ["<think>", "</think>", "<answer>", "</answer>"];

/// A completion in the right format.
pub(super) fn tagged(reasoning: &str, answer: &str) -> String {
    format!("<think>{reasoning}</think><answer>{answer}</answer>")
}

/// Every tag of `text` with its place, in order, as its number in [`TAGS`].
fn tags(text: &str) -> impl Iterator<Item = (usize, usize)> + '_ {
    static ENDS: LazyLock<[Finder; 2]> = LazyLock::new(|| ["think>", "answer>"].map(Finder::new));
    let bytes = text.as_bytes();
    // By their ends, which are rarer than what they begin with; those of both kinds in the order in which they stand.
    let named = |kind: usize| {
        let tag = move |at: usize| match bytes[..at] {
            [.., b'<'] => Some((at - 1, 2 * kind)),
            [.., b'<', b'/'] => Some((at - 2, 2 * kind + 1)),
            _ => None,
        };
        ENDS[kind].find_iter(bytes).filter_map(tag).peekable()
    };
    let (mut thinks, mut answers) = (named(0), named(1));
    std::iter::from_fn(move || match (thinks.peek(), answers.peek()) {
        (Some(think), Some(answer)) if answer < think => answers.next(),
        (Some(_), _) => thinks.next(),
        (None, _) => answers.next(),
    })
}

/// What stands between the answer tags of a completion in the right format, else why it is not.
pub(super) fn answer_region(completion: &str) -> Result<&str, Reason> {
    let (mut at, mut count) = ([0; 4], [0_usize; 4]);
    for (n, (place, tag)) in tags(completion).enumerate() {
        if n == MAX_TAGS {
            return Err(Reason::RepeatedTag);
        }
        if count[tag] == 0 {
            at[tag] = place;
        }
        count[tag] += 1;
    }
    for n in count {
        match n {
            0 => return Err(Reason::MissingTag),
            1 => (),
            _ => return Err(Reason::RepeatedTag),
        }
    }
    if !at.is_sorted() {
        return Err(Reason::TagOrder);
    }
    let [think, end_think, answer, end_answer] = at;
    let outside = [
        &completion[..think],
        &completion[end_think + TAGS[1].len()..answer],
        &completion[end_answer + TAGS[3].len()..],
    ];
    if outside.iter().any(|text| !text.trim().is_empty()) {
        return Err(Reason::TextOutside);
    }
    let region = completion[answer + TAGS[2].len()..end_answer].trim();
    if region.is_empty() { Err(Reason::Empty) } else { Ok(region) }
}

/// Where an answer is looked for when the format is not asked for.
pub(super) enum Lenient<'t> {
    /// Inside the last `<answer>`, closed or not.
    Tagged(&'t str),
    /// Everything after the reasoning, or everything.
    Untagged(&'t str),
}

/// The last `<answer>` after the last `</think>`; without one, all that follows `</think>`; without that, everything.
pub(super) fn lenient_region(completion: &str) -> Lenient<'_> {
    let (mut body, mut answer, mut end) = (0, None, None);
    for (n, (at, tag)) in tags(completion).enumerate() {
        if n == MAX_TAGS {
            return Lenient::Tagged("");
        }
        match tag {
            1 => (body, answer, end) = (at + TAGS[1].len(), None, None),
            2 => (answer, end) = (Some(at + TAGS[2].len()), None),
            3 if answer.is_some() => end = end.or(Some(at)),
            _ => (),
        }
    }
    match answer {
        Some(start) => Lenient::Tagged(completion[start..end.unwrap_or(completion.len())].trim()),
        None => Lenient::Untagged(completion[body..].trim()),
    }
}

/// Where a strict answer was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Region {
    /// Inside `<answer>`.
    AnswerTag,
    /// Inside the last `\boxed{…}`.
    Box,
    /// After "answer is" or "answer:" on the last line.
    Announced,
    /// The whole text after the reasoning: one line.
    Whole,
}

/// Longest line that counts as an answer without tags, box or announcement.
const MAX_WHOLE: usize = 200;
/// Longest block of code that does.
const MAX_FENCED: usize = 4096;

/// Where the answer stands, whatever the format: after the last `</think>`, inside its only `<answer>`, else inside the last box,
/// else after the announcement on the last line, else the text itself if that is one line.
///
/// Reasoning that is not closed has no answer after it; two answers are none, and so are several boxes side by side. Inside
/// `<answer>` a box stands alone or is announced; outside what is taken back ([`denied`]) is none.
pub(super) fn strict_region(completion: &str) -> Result<(&str, Region), Reason> {
    let (mut start, mut thinks) = (0, false);
    // Places of `<answer>` and `</answer>` after the reasoning, and how often they stand there.
    let (mut at, mut count) = ([0; 2], [0_usize; 2]);
    for (n, (place, tag)) in tags(completion).enumerate() {
        if n == MAX_TAGS {
            return Err(Reason::RepeatedTag);
        }
        match tag {
            0 => thinks = true,
            1 => (start, thinks, count) = (place + TAGS[1].len(), false, [0; 2]),
            tag => {
                at[tag - 2] = place;
                count[tag - 2] += 1;
            }
        }
    }
    if thinks {
        return Err(if start == 0 { Reason::NoAnswerRegion } else { Reason::TagOrder });
    }
    let body = &completion[start..];
    let full = |region: &str| if region.trim().is_empty() { Err(Reason::Empty) } else { Ok(()) };
    if count != [0; 2] {
        let [open, close] = count;
        if open > 1 || close > 1 {
            return Err(Reason::RepeatedTag);
        }
        if open + close < 2 {
            return Err(Reason::MissingTag);
        }
        let [open, close] = at;
        if close < open {
            return Err(Reason::TagOrder);
        }
        let inside = completion[open + TAGS[2].len()..close].trim();
        full(inside)?;
        if denied("", &completion[close + TAGS[3].len()..]) {
            return Err(Reason::Denied);
        }
        // A box inside the tags is the answer where nothing beside it says otherwise; else what stands there is, with the box
        // as the frame that it is (`unboxed`): `x = \boxed{3}`, `4 or \boxed{3}`.
        return match last_box(inside)? {
            Some((boxed, beside)) if only_announces(beside) => Ok((boxed, Region::AnswerTag)),
            Some(_) if boxes(inside).count() > 1 => Err(Reason::Ambiguous),
            _ => Ok((inside, Region::AnswerTag)),
        };
    }
    if let Some((boxed, [before, after])) = last_box(body)? {
        if denied(before, after) || denial::revised(after) {
            return Err(Reason::Denied);
        }
        return if boxed::is_part(before, after) { Err(Reason::Ambiguous) } else { Ok((boxed, Region::Box)) };
    }
    let body = body.trim();
    full(body)?;
    let line = body.lines().next_back().unwrap_or("").trim();
    let announced = last_line(line);
    if announced.len() < line.len() {
        let before = around(line, announced).map_or("", |(before, _)| before);
        return if denied(before, "") {
            Err(Reason::Denied)
        } else if two_announced(before, announced) {
            Err(Reason::Ambiguous)
        } else {
            Ok((announced, Region::Announced))
        };
    }
    // "Answer:" on a line of its own.
    let above = body[..body.len() - line.len()].trim_end();
    let above =
        above.lines().next_back().unwrap_or("").trim_matches(['*', '#', ' ', ':']).to_ascii_lowercase();
    if !above.is_empty()
        && line.len() <= MAX_WHOLE
        && ["answer", "final answer", "the answer is"].contains(&above.as_str())
    {
        return Ok((line, Region::Announced));
    }
    // What Qwen2.5-VL writes for boxes.
    let fenced = body.strip_prefix("```").and_then(|body| body.strip_suffix("```"));
    if fenced.is_some_and(|inside| inside.len() <= MAX_FENCED && !inside.contains("```")) {
        return Ok((body, Region::Whole));
    }
    if line.len() == body.len() && line.len() <= MAX_WHOLE {
        return Ok((line, Region::Whole));
    }
    Err(Reason::NoAnswerRegion)
}

/// Other answers that stand beside a box of `completion`; it is one answer with those alone that say the same.
pub(super) fn others<'t>(completion: &'t str, boxed: &'t str) -> impl Iterator<Item = &'t str> {
    let (before, after) = around(completion, boxed).unwrap_or_default();
    // Without the command and its braces.
    let before = before.trim_end_matches(['{', ' ']);
    let before =
        [r"\boxed", r"\fbox"].iter().find_map(|command| before.strip_suffix(command)).unwrap_or(before);
    boxed::others(before, after.strip_prefix('}').unwrap_or(after))
}

/// Whether the line announced something else before: `The answer is A; the answer is B`.
fn two_announced(before: &str, announced: &str) -> bool {
    let before = end_of(before, MAX_WHOLE * 5);
    let lower = before.to_ascii_lowercase();
    let mut places: Vec<usize> = ANNOUNCEMENTS
        .iter()
        .flat_map(|lead| lower.match_indices(lead).map(|(at, lead)| at + lead.len()))
        .collect();
    places.sort_unstable();
    let [.., other, _] = places[..] else { return false };
    let Some((other, _)) = before[other..].split_once([';', '.', ',']) else { return false };
    let bare = |text: &str| text.trim_matches([':', ' ', '*', '$', '.', '(', ')']).to_owned();
    bare(other) != bare(announced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_says_why() {
        check("<think>a</think>", Reason::MissingTag);
        check("<think>a</think><answer>b</answer><answer>c</answer>", Reason::RepeatedTag);
        check("<answer>b</answer><think>a</think>", Reason::TagOrder);
        check("x<think>a</think><answer>b</answer>", Reason::TextOutside);
        check("<think>a</think><answer>\n</answer>", Reason::Empty);
    }

    #[test]
    fn the_lenient_region_is_never_inside_the_reasoning() {
        let region = |text| match lenient_region(text) {
            Lenient::Tagged(inside) => ("tagged", inside),
            Lenient::Untagged(body) => ("untagged", body),
        };
        assert_eq!(region("<think><answer>A</answer></think> B"), ("untagged", "B"));
        assert_eq!(region("<answer>A</answer> or <answer>B"), ("tagged", "B"));
        assert_eq!(region("just B"), ("untagged", "just B"));
    }

    #[test]
    fn a_box_in_the_answer_tags_is_alone_or_announced() {
        for (inside, set) in [
            (r"4 or \boxed{3}", "4 or 3"),
            (r"not \boxed{3}", "not 3"),
            (r"1, 2, 3, 4: \boxed{3}", "1, 2, 3, 4: 3"),
            (r"\boxed{3} or 4", "3 or 4"),
            (r"$\boxed{3}$?", "3?"),
            (r"The answer is not \boxed{3}", "The answer is not 3"),
            (r"x = $\boxed{3}$", "x = 3"),
            (r"-\boxed{3}", "-3"),
            (r"\$\boxed{3}", r"\$3"),
            (r"\boxed{3}\text{ cm}", r"3\text{ cm}"),
            (r"\boxed{1}2", r"\boxed{1}2"),
        ] {
            let region = strict_region_of(inside).unwrap();
            assert_eq!(unboxed(&region), set, "{inside}");
        }
        assert_eq!(strict_region_of(r"\boxed{4}, maybe \boxed{3}"), Err(Reason::Ambiguous));
        for inside in [
            r"\boxed{3}",
            r"$\boxed{3}$.",
            r"\[ \boxed{3}. \]",
            r"\boxed{\boxed{3}}",
            r"\boxed 3",
            r"The answer is \(\boxed{3}\).",
            r"**Answer:** $\boxed{3}$",
            r"Final Answer: The final answer is $\boxed{3}$",
            r"Therefore, the correct answer is: \boxed{3}",
        ] {
            let region = strict_region_of(inside).map(|region| region.replace("\\boxed", ""));
            assert!(region.as_ref().is_ok_and(|region| region.trim_matches(['{', '}']) == "3"), "{inside}");
        }
    }

    #[test]
    fn a_box_that_is_a_part_of_something_is_no_answer() {
        for text in [
            r"$-\boxed{5}$",
            r"\boxed{5}^2",
            r"\frac{\boxed{5}}{2}",
            r"\frac{1}{\boxed{5}}",
            r"\sqrt{\boxed{5}}",
            r"1\boxed{5}",
            r"\boxed{5}6",
            r"\boxed{5}i",
            r"\boxed{5}:6",
            r"(\boxed{5},6)",
            r"$x\neq\boxed{5}$",
            r"x > \boxed{5}",
            r"\cancel{\boxed{5}}",
            r"~~\boxed{5}~~",
            r"\boxed{5} million",
            r"\boxed{5}\times 10^3",
            "The answer is A; the answer is B",
            "Answer: A. Answer: B",
        ] {
            assert!(
                matches!(strict_region(text), Err(Reason::Ambiguous | Reason::Denied)),
                "{text} {:?}",
                strict_region(text)
            );
        }
        for text in [
            r"The answer is $\boxed{5}$.",
            r"x=\boxed{5}",
            r"\boxed{5}^\circ",
            r"\boxed{5} cm",
            r"So: **\boxed{5}**",
            r"$$\boxed{5}$$",
            r"\textbf{\boxed{5}}",
            r"\implies\boxed{5}",
            "\\boxed{5}\n\nThe answer is 5.",
            r"\boxed{5}!",
            r"(\boxed{5})",
            r"\boxed{5}\%",
            "answer - \\boxed{5}",
            r"Final Answer: The final answer is $\boxed{5}$. I hope it is correct.",
        ] {
            assert_eq!(strict_region(text), Ok(("5", Region::Box)), "{text}");
        }
        assert_eq!(strict_region("Look.\n**Answer:**\n5"), Ok(("5", Region::Announced)));
        assert_eq!(strict_region("```json\n[1]\n```"), Ok(("```json\n[1]\n```", Region::Whole)));
    }

    #[test]
    fn an_answer_that_is_taken_back_is_none() {
        for text in [
            r"Not \boxed{3}",
            r"\boxed{3} is not the answer",
            r"<think>x</think> $\boxed{3}$ is wrong.",
            r"\boxed{3}. Wait, it is 6.",
            r"\boxed{3}. Scratch that, 6.",
            "<answer>3</answer> is wrong, it is 6",
            "It is a lie that the answer is B",
            "I refuse to say that the answer is B",
            "The opposite of the answer is B",
            "Suppose the answer is B",
            "I do not think the answer is B",
            "We get 4.\nIt is not true that the answer is $\\boxed{3}$.",
        ] {
            assert_eq!(strict_region(text), Err(Reason::Denied), "{text}");
        }
        for (text, region) in [
            (r"0 is not possible, so \boxed{3}", Region::Box),
            ("Not A. The answer is B", Region::Announced),
            (r"\boxed{2} is wrong. Wait, \boxed{3}", Region::Box),
        ] {
            assert_eq!(strict_region(text).map(|(_, region)| region), Ok(region), "{text}");
        }
    }

    fn strict_region_of(inside: &str) -> Result<String, Reason> {
        strict_region(&format!("<answer>{inside}</answer>")).map(|(region, _)| region.to_owned())
    }

    fn check(completion: &str, expected: Reason) {
        assert_eq!(answer_region(completion), Err(expected), "{completion}");
    }
}
