//! One option out of several, by its letter or by its text.
//!
//! Read as the option B: `B`, `(B)`, `{B}`, `B.`, `B)`, `B: text`, `B - text`, `(B) text`, `\text{B}`, `\textbf{(B)}\ text`, `**B.** text`,
//! "the answer is B", and the text of option B where the options are known and no other has that text, or its value where it is
//! mathematics. A letter with a text counts only if that is the option's own text (unknown options: if the text names no other
//! letter); with a space between (`B dog`) the options must be known. Several letters are no answer; lower case and look-alike
//! letters are not letters: a model that is free to vary them learns to.

use std::borrow::Cow;

use serde::Deserialize;

use super::{
    BadGold, Example, Gold, Reason, Verdict, Verifier, entry, expression,
    format::denied,
    math::form::Work,
    text::{last_line, normalised, unwrapped, without_lead_in},
};
use crate::{
    registry::{BuildError, Entry, Named},
    sample::Answer,
};

pub(super) const ENTRY: Entry<dyn Verifier> = entry::<Choice>();

struct Choice;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {}

impl Named for Choice {
    const NAME: &'static str = "choice";
    const SUMMARY: &'static str = "The letter of the right option, or its text";
    type Config = Config;

    fn new(_: Config) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

impl Verifier for Choice {
    fn accepts(&self, gold: &Gold) -> Result<(), BadGold> {
        right_letter(gold).map(|_| ())
    }

    fn score(&self, gold: &Gold, answer: &str) -> Verdict {
        let Ok(right) = right_letter(gold) else { return Verdict::zero(Reason::BadGold) };
        match read(answer, gold.options) {
            Ok(letter) => Verdict::all_or_nothing(letter == right, letter.encode_utf8(&mut [0; 4])),
            Err(reason) => Verdict::zero(reason),
        }
    }

    /// The last line if it reads as an option, else the last lone capital letter in it.
    fn tail<'t>(&self, gold: &Gold, text: &'t str) -> &'t str {
        let line = last_line(text);
        if read(line, gold.options).is_ok() {
            return line;
        }
        lone_letters(line).last().map_or(line, |at| &line[at..=at])
    }

    fn wrong_answers(&self, gold: &Gold) -> Vec<String> {
        let Ok(right) = right_letter(gold) else { return Vec::new() };
        let other = if right == 'A' { 'B' } else { 'A' };
        vec![other.to_string(), format!("{right} or {other}"), format!("A, B, C, D, {right}")]
    }

    fn examples(&self) -> Vec<Example> {
        let mut known = Example::new(
            Answer::Choice('B'),
            &[
                "B",
                "(B)",
                "{B}",
                "B.",
                "B)",
                "B. dog",
                "(B) Dog",
                "B) dog.",
                r"\text{B}",
                r"\textbf{(B)}\ dog",
                r"(B)~dog",
                r"$\boxed{B}$",
                "**B**",
                "dog",
                "Dog.",
                "The answer is B",
                "Answer: (B)",
                "B - dog",
                "B dog",
                "The correct option is B: dog",
                "**B.** dog",
                "**B**. dog",
                "**(B)** dog",
                "**B:** dog",
                "**Answer:** B",
                "Answer: **B**",
                "**Answer: B**",
                "The correct answer is **B. dog**.",
                "Therefore, the answer is B.",
                "So the answer is B",
                "Option: B",
                "B is the correct answer",
                r"\text{B}. dog",
                "B\ndog",
                "Correct answer: B",
                "The correct answer: B",
                "My answer is B.",
                "The best answer is B.",
                "The answer should be B",
                "B is right",
                "(B) - dog",
                "B (dog)",
                "B, dog",
                "B、dog",
                "（B）",
                "B。",
                "答案：B",
            ],
            &[
                "",
                "A",
                "C",
                "b",
                "A or B",
                "A, B",
                "AB",
                "B or A",
                "B, C",
                "B. cat",
                "B - cat",
                "B cat",
                "{A}{B}",
                "cat",
                "cat dog",
                "(A)(B)(C)",
                "not B",
                "a dog",
                "\u{412}",
                "\u{ff22}",
                "B\u{200b}",
                "E",
            ],
        );
        known.options = ["cat", "dog", "A cow"].map(str::to_owned).to_vec();
        let unknown = Example::new(
            Answer::Choice('A'),
            &["A", "A) 5", "A. a small dog", "(A): 12 cm"],
            &[
                "",
                "B",
                "5",
                "A 5",
                "A. B. C. D.",
                "A) or B)",
                "A. or C",
                "A) not the answer",
                "A. is wrong",
                "(A) is false",
                "A) incorrect",
                "A is not the correct answer",
            ],
        );
        let mut blood =
            Example::new(Answer::Choice('C'), &["C", "O", "C. O", "(C) O"], &["AB", "D", "N", "A. O"]);
        blood.options = ["A", "B", "O", "AB"].map(str::to_owned).to_vec();
        let mut values = Example::new(
            Answer::Choice('A'),
            &["A", "1/2", "0.5", r"\frac12", "A. 1/2", r"$\frac{1}{2}$", r"(A) \dfrac{1}{2}"],
            &[
                "",
                "2",
                "1/3",
                "A. 2",
                "B. 1/2",
                "1/4+1/4",
                "5 cm",
                "5",
                "B = 0.5",
                "(B) = 1/2",
                "~0.5",
                "~A",
                "isn't = 0.5",
                "-x=0.5",
            ],
        );
        values.options = [r"\frac{1}{2}", "2", "5cm", "5m"].map(str::to_owned).to_vec();
        let mut lengths = Example::new(Answer::Choice('B'), &["5 cm", "B. 5 cm", "5"], &["5 m", "B. 5 m"]);
        lengths.options = ["3cm", "5cm"].map(str::to_owned).to_vec();
        vec![known, unknown, values, lengths, blood]
    }
}

fn right_letter(gold: &Gold) -> Result<char, BadGold> {
    let Answer::Choice(letter) = *gold.answer else {
        return Err(BadGold::Kind { wants: "choice", has: gold.answer.kind() });
    };
    if !letter.is_ascii_uppercase() {
        return Err(BadGold::Unreadable(format!("`{}` is no letter from A to Z", letter.escape_debug())));
    }
    if !gold.options.is_empty() && position(letter) >= gold.options.len() {
        let n = gold.options.len();
        let (verb, s) = if n == 1 { ("is", "") } else { ("are", "s") };
        return Err(BadGold::Unreadable(format!("there {verb} {n} option{s} and none is {letter}")));
    }
    Ok(letter)
}

/// Place of a letter from A to Z among the options.
fn position(letter: char) -> usize {
    letter as usize - 'A' as usize
}

/// The one option that `text` names.
fn read(text: &str, options: &[String]) -> Result<char, Reason> {
    let text = without_lead_in(unwrapped(text));
    // "About", or struck out.
    let hedged = text.starts_with('~');
    let named =
        |lead: &str| Some(&text[text.get(..lead.len())?.eq_ignore_ascii_case(lead).then_some(lead.len())?..]);
    let text = spelled_out(unwrapped(["option ", "choice "].into_iter().find_map(named).unwrap_or(text)));
    let text = text.trim();
    if text.is_empty() {
        return Err(Reason::Empty);
    }
    if hedged {
        return Err(Reason::Unparsed);
    }
    if let Some((letter, rest)) = label(text).or_else(|| spaced_label(text, options)) {
        let agrees = match options.get(position(letter)) {
            // `O` of the options A, B, O, AB is a text.
            None if !options.is_empty() => false,
            _ if rest.is_empty() => true,
            _ if options.is_empty() => lone_letters(rest).next().is_none() && !denied("", rest),
            Some(option) => {
                let rest = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(rest);
                normalised(option) == normalised(rest) || same_value(option, rest, &mut Work::new())
            }
            None => false,
        };
        if agrees {
            return Ok(letter);
        }
    }
    let wanted = if options.is_empty() { String::new() } else { normalised(text) };
    let mut same = ('A'..='Z').zip(options).filter(|(_, option)| normalised(option) == wanted);
    match (same.next(), same.next()) {
        (Some((letter, _)), None) => Ok(letter),
        (Some(_), Some(_)) => Err(Reason::Ambiguous),
        // Another option before an equals sign: `B = 0.5`.
        _ if text.split_once('=').is_some_and(|(name, _)| is_option(name, options)) => Err(Reason::Ambiguous),
        _ => by_value(text, options),
    }
}

/// Whether `name` is the letter of an option.
fn is_option(name: &str, options: &[String]) -> bool {
    let name = name.trim_matches([' ', '(', ')', '$']);
    let name = name.strip_prefix("option ").unwrap_or(name);
    matches!(name.as_bytes(), [letter] if letter.is_ascii_uppercase() && usize::from(letter - b'A') < options.len())
}

/// The one option whose value is that of `text`: `0.5` for `\frac{1}{2}`.
fn by_value(text: &str, options: &[String]) -> Result<char, Reason> {
    // Shared, so that many options take no longer than one.
    let work = &mut Work::new();
    let mut same = ('A'..='Z').zip(options).filter(|(_, option)| same_value(option, text, work));
    match (same.next(), same.next()) {
        (Some((letter, _)), None) => Ok(letter),
        (Some(_), Some(_)) => Err(Reason::Ambiguous),
        _ if lone_letters(text).nth(1).is_some() => Err(Reason::Ambiguous),
        _ => Err(Reason::Unparsed),
    }
}

/// Longest option that is compared by its value, in bytes.
const MAX_VALUE: usize = 100;

/// Whether an option with a number in it and a text are the same expression.
fn same_value(option: &str, text: &str, work: &mut Work) -> bool {
    // `H2O` for `H_2O`.
    let letters = |text: &str| text.chars().filter(|c| !"_{}$ ".contains(*c)).collect::<String>();
    if option.len() <= MAX_VALUE && option.contains('_') && letters(option) == letters(text) {
        return true;
    }
    let mathematical =
        |text: &str| text.len() <= MAX_VALUE && text.contains(|c: char| c.is_ascii_digit() || c == '\\');
    mathematical(option) && mathematical(text) && expression::same(option, text, work)
}

/// Signs that Chinese text has, with what they are elsewhere.
const FULL_WIDTH: [(char, &str); 6] =
    [('（', "("), ('）', ") "), ('：', ": "), ('、', ". "), ('．', ". "), ('。', "")];

/// Without marks around the letter and the space behind it: `\textbf{(C)}\ 7` is `(C) 7`, and `**C.** 7` is `C. 7`.
fn spelled_out(text: &str) -> Cow<'_, str> {
    if !text
        .contains(|c| matches!(c, '\\' | '~' | '*' | '\n') || FULL_WIDTH.iter().any(|(wide, _)| *wide == c))
    {
        return Cow::Borrowed(text);
    }
    let spaces = [r"\ ", r"\,", r"\;", r"\quad", "~", "\n"];
    let plain = spaces.iter().fold(text.to_owned(), |text, space| text.replace(space, " "));
    let plain = plain.replace("**", "");
    let plain = FULL_WIDTH.iter().fold(plain, |text, (wide, narrow)| text.replace(*wide, narrow));
    let set = |open: &str| {
        let (inside, after) = plain.strip_prefix(open)?.split_once('}')?;
        let space = if after.starts_with(['.', ')', ':']) { "" } else { " " };
        Some(format!("{}{space}{}", inside.trim(), after.trim_start()))
    };
    let set = [r"\textbf{", r"\text{", r"\mathbf{", r"\mathrm{"].into_iter().find_map(set);
    Cow::Owned(set.unwrap_or(plain))
}

/// The letter and what follows of `B …`, which is a label only before an option's text: `A cow` may be a text of its own.
fn spaced_label<'t>(text: &'t str, options: &[String]) -> Option<(char, &'t str)> {
    let (letter, rest) = text.split_once(' ')?;
    let letter = letter.strip_suffix(',').unwrap_or(letter);
    let &[letter @ b'A'..=b'Z'] = letter.as_bytes() else { return None };
    (!options.is_empty()).then_some((char::from(letter), rest.trim_start()))
}

/// The letter and what follows, of `B`, `B. …`, `B) …`, `B: …`, `B - …`, `(B) …`, `[B] …`, `{B} …`.
fn label(text: &str) -> Option<(char, &str)> {
    let inside = text.strip_prefix(['(', '[', '{']);
    let letter = inside.unwrap_or(text).chars().next().filter(char::is_ascii_uppercase)?;
    let rest = &inside.unwrap_or(text)[1..];
    let rest = match inside {
        Some(_) => {
            let rest = rest.strip_prefix([')', ']', '}'])?.trim_start_matches(['.', ':']);
            [" - ", " – ", ", "].iter().find_map(|dash| rest.strip_prefix(dash)).unwrap_or(rest)
        }
        None if rest.is_empty() => rest,
        None => rest
            .strip_prefix(['.', ')', ':'])
            .or_else(|| [" - ", " – ", " — "].iter().find_map(|dash| rest.strip_prefix(dash)))?,
    };
    Some((letter, rest.trim()))
}

/// Places of capital letters that stand alone, except "A" and "I" as words of a sentence.
fn lone_letters(text: &str) -> impl Iterator<Item = usize> {
    let bytes = text.as_bytes();
    let in_word = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || !b.is_ascii());
    bytes.iter().enumerate().filter_map(move |(i, b)| {
        let before = i.checked_sub(1).and_then(|j| bytes.get(j));
        let alone = b.is_ascii_uppercase() && !in_word(before) && !in_word(bytes.get(i + 1));
        let word = matches!(b, b'A' | b'I')
            && bytes.get(i + 1) == Some(&b' ')
            && bytes.get(i + 2).is_some_and(u8::is_ascii_lowercase)
            && !text[i + 2..].starts_with("or ")
            && !text[i + 2..].starts_with("and ");
        (alone && !word).then_some(i)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_with_the_same_text_are_told_apart_by_letter_only() {
        let options = ["5", "6", "5"].map(str::to_owned);
        assert_eq!(read("5", &options), Err(Reason::Ambiguous));
        assert_eq!(read("C. 5", &options), Ok('C'));
    }

    #[test]
    fn several_letters_are_reported_as_such() {
        for text in ["A or B", "A, B", "A and B", "(A) (B)"] {
            assert_eq!(read(text, &[]), Err(Reason::Ambiguous), "{text}");
        }
    }

    #[test]
    fn a_gold_without_its_option_is_refused() {
        let options = ["cat".to_owned()];
        for letter in ['B', 'a', 'é'] {
            let answer = Answer::Choice(letter);
            assert!(
                Choice.accepts(&Gold { answer: &answer, options: &options, picture_size: None }).is_err()
            );
        }
    }

    #[test]
    fn without_tags_the_last_lone_letter_is_the_answer() {
        let answer = Answer::Choice('B');
        let gold = Gold { answer: &answer, options: &[], picture_size: None };
        assert_eq!(Choice.tail(&gold, "Not A.\nI pick option B because it fits"), "B");
        assert_eq!(Choice.tail(&gold, "Not A. The answer is (B)."), "(B).");
    }
}
