//! MMMU: the official rule as lmms-eval 0.7.3 applies it, and VLMEvalKit's rule for choices without a judge.
//!
//! Where the official rule draws a random option for an answer it cannot read, nothing is drawn: such an answer is wrong, with
//! the reason `unparsed`. With options the question is a choice, without it is open.

use super::{Asked, Score, python};

/// Of a longer text the end is looked at: where several answers stand the last counts.
fn end_of(text: &str) -> &str {
    super::super::text::end_of(text, super::MAX_TEXT)
}

pub(super) fn score(asked: &Asked) -> Score {
    if asked.options.is_empty() {
        return open(asked);
    }
    let mut response = end_of(asked.completion);
    for c in [',', '.', '!', '?', ';', ':', '\''] {
        response = response.trim_matches(c);
    }
    let response = format!(" {response} ");
    let letters: Vec<char> = ('A'..='Z').take(asked.options.len()).collect();
    let standing = |before: &str, after: &str| -> Vec<char> {
        letters.iter().copied().filter(|l| response.contains(&format!("{before}{l}{after}"))).collect()
    };
    let mut found = standing("(", ")");
    let bracketed = !found.is_empty();
    if found.is_empty() {
        found = standing("", " ");
    }
    if found.is_empty() {
        found = standing("", ".");
    }
    let words = response.split(python::is_space).filter(|w| !w.is_empty()).count();
    let lower = response.to_lowercase();
    let texts: Vec<String> = asked.options.iter().map(|text| text.to_lowercase()).collect();
    let by_text = found.is_empty() && words > 5;
    if by_text {
        found =
            letters.iter().zip(&texts).filter(|(_, text)| lower.contains(*text)).map(|(l, _)| *l).collect();
    }
    if found.is_empty() {
        return Score::unparsed();
    }
    // The last one counts; -1 for a letter that stands in another surrounding, and the first of several -1.
    let place = |letter: &char| -> i64 {
        let at = if by_text {
            lower.rfind(&texts[*letter as usize - 'A' as usize])
        } else if bracketed {
            response.rfind(&format!("({letter})"))
        } else {
            response.rfind(&format!(" {letter} "))
        };
        at.map_or(-1, |at| at as i64)
    };
    let mut chosen = found[0];
    for letter in &found[1..] {
        if place(letter) > place(&chosen) {
            chosen = *letter;
        }
    }
    let right = asked.golds.iter().any(|gold| gold.trim() == chosen.to_string());
    Score::all_or_nothing(right, chosen.to_string())
}

/// A normalised answer: numbers by value, texts by containment.
#[derive(Clone, Debug, PartialEq)]
enum Normal {
    Number(f64),
    Text(String),
}

fn normal(text: &str) -> Vec<Normal> {
    let text = text.trim_matches(python::is_space);
    if let Some(number) = python::float(&text.replace(',', "")) {
        return vec![Normal::Number(python::round(number, 2))];
    }
    let lower = text.to_lowercase();
    if lower.chars().count() == 1 {
        return vec![Normal::Text(format!(" {lower}")), Normal::Text(format!("{lower} "))];
    }
    vec![Normal::Text(lower)]
}

const INDICATORS: [&str; 9] =
    ["could be ", "so ", "is ", "thus ", "therefore ", "final ", "answer ", "result ", "="];

fn open(asked: &Asked) -> Score {
    let response = end_of(asked.completion).trim_matches(python::is_space).trim_matches('.').to_lowercase();
    // Sentences never split, since the text is in lower case when the original looks for a capital.
    let lines: Vec<&str> = response.split('\n').collect();
    let mut keys: Vec<&str> = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let known = if i + 1 == lines.len() { 9 } else { 8 };
        let mut shortest: Option<&str> = None;
        for indicator in &INDICATORS[..known] {
            if !line.contains(indicator) {
                continue;
            }
            let tail = line.rsplit(indicator).next().unwrap_or("").trim_matches(python::is_space);
            // An empty tail does not count as found, so the next one takes its place.
            if shortest.is_none_or(str::is_empty)
                || tail.chars().count() < shortest.map_or(0, |s| s.chars().count())
            {
                shortest = Some(tail);
            }
        }
        if let Some(tail) = shortest
            && !tail.is_empty()
            && ![":", ",", ".", "!", "?", ";", "'"].contains(&tail)
        {
            keys.push(tail);
        }
    }
    if keys.is_empty() {
        keys.push(&response);
    }
    let mut given: Vec<Normal> = Vec::new();
    for key in &keys {
        given.extend(normal(key));
        for number in numbers(key) {
            given.extend(normal(number));
        }
    }
    let wanted: Vec<Normal> = asked.golds.iter().flat_map(|gold| normal(gold)).collect();
    let right = given.iter().any(|one| match one {
        Normal::Number(_) => wanted.contains(one),
        Normal::Text(text) => {
            wanted.iter().any(|w| matches!(w, Normal::Text(w) if text.contains(w.as_str())))
        }
    });
    Score::all_or_nothing(right, keys.join(" | "))
}

/// Numbers with separators, in scientific notation, and plain, as the three patterns of the original find them.
fn numbers(text: &str) -> Vec<&str> {
    let bytes = text.as_bytes();
    let word = |at: usize| text[at..].chars().next().is_some_and(|c| c.is_alphanumeric() || c == '_');
    let word_before =
        |at: usize| text[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
    let digits = |at: usize| bytes[at.min(bytes.len())..].iter().take_while(|b| b.is_ascii_digit()).count();
    let signed = |at: usize| at + usize::from(bytes.get(at) == Some(&b'-'));
    let boundary = |at: usize| at == text.len() || !word(at);
    let exponent = |at: usize| {
        let e = bytes.get(at).is_some_and(|b| matches!(b, b'e' | b'E'));
        let sign = usize::from(bytes.get(at + 1).is_some_and(|b| matches!(b, b'+' | b'-')));
        let n = if e { digits(at + 1 + sign) } else { 0 };
        (n > 0).then_some(at + 1 + sign + n)
    };
    let separated = |at: usize| {
        let start = signed(at);
        if start > at && !word(start) || start == at && word_before(at) {
            return None;
        }
        let first = digits(start);
        // One to three digits in front, and a comma right after them.
        if !(1..=3).contains(&first) {
            return None;
        }
        let mut end = start + first;
        let mut fits = None;
        while bytes.get(end) == Some(&b',') && digits(end + 1) >= 3 {
            end += 4;
            // The last group is given back where the number goes on after it.
            fits = boundary(end).then_some(end).or(fits);
        }
        fits
    };
    let scientific = |at: usize| {
        let start = signed(at);
        let n = digits(start);
        if n == 0 {
            return None;
        }
        let mut end = start + n;
        if bytes.get(end) == Some(&b'.') && digits(end + 1) > 0 {
            end += 1 + digits(end + 1);
        }
        exponent(end)
    };
    let plain = |at: usize| {
        let start = signed(at);
        let n = digits(start);
        let follows = |end: usize| {
            exponent(end).is_none() && !bytes.get(end).is_some_and(|b| *b == b',' || b.is_ascii_digit())
        };
        if bytes.get(start + n) == Some(&b'.') {
            let m = digits(start + n + 1);
            let end = start + n + 1 + m;
            // With a digit given back a digit would follow.
            if m > 0 && follows(end) {
                return Some(end);
            }
        }
        if n > 0 && boundary(start + n) && follows(start + n) {
            return Some(start + n);
        }
        None
    };
    let mut out = Vec::new();
    let patterns: [&dyn Fn(usize) -> Option<usize>; 3] = [&separated, &scientific, &plain];
    for pattern in patterns {
        let mut at = 0;
        while at < text.len() {
            match pattern(at).filter(|_| text.is_char_boundary(at)) {
                Some(end) => {
                    out.push(&text[at..end]);
                    at = end;
                }
                // What does not fit from the first digit of a run fits from none of the others.
                None => at += digits(at).max(1),
            }
            while at < text.len() && !text.is_char_boundary(at) {
                at += 1;
            }
        }
    }
    out
}

/// VLMEvalKit's inference of a choice: exactly one option letter among the words, near the end; else exactly one option's
/// text in a short answer. An answer it would ask a judge about is wrong here.
/// What models write that will not answer, as VLMEvalKit knows it.
const REFUSALS: [&str; 4] = [
    "Sorry, I can't help with images of people yet.",
    "I can't process this file.",
    "I'm sorry, but without the image provided",
    "Cannot determine the answer",
];

/// VLMEvalKit's `can_infer`.
pub(super) fn score_vlmeval(asked: &Asked) -> Score {
    let completion = end_of(asked.completion);
    let spaced: String =
        completion.chars().map(|c| if ".()[],:;!*#{}".contains(c) { ' ' } else { c }).collect();
    let words: Vec<&str> = spaced.split(python::is_space).filter(|w| !w.is_empty()).collect();
    let letters: Vec<String> = ('A'..='Z').take(asked.options.len()).map(String::from).collect();
    let present: Vec<&String> = letters.iter().filter(|l| words.contains(&l.as_str())).collect();
    let refusal = REFUSALS.iter().any(|refusal| completion.contains(refusal));
    let by_letter = match present.as_slice() {
        // A failed request is looked through for texts only.
        _ if completion.contains("Failed to obtain answer via API") => None,
        // `Z` stands for no option.
        _ if refusal => Some("Z".to_owned()),
        [] if words.contains(&"Z") => Some("Z".to_owned()),
        [only] => {
            let at = words.iter().position(|w| w == only).expect("present") as i64;
            (at > words.len() as i64 - 5).then(|| (*only).clone())
        }
        _ => None,
    };
    let by_text = || {
        let lower = completion.to_lowercase();
        let total: usize = asked.options.iter().map(|o| o.chars().count()).sum();
        if lower.chars().count() > 2 * total {
            return None;
        }
        let inside = |option: &String| lower.contains(&option.to_lowercase());
        let mut found = letters.iter().zip(asked.options).filter(|(_, option)| inside(option));
        match (found.next(), found.next()) {
            (Some((letter, _)), None) => Some(letter.clone()),
            _ => None,
        }
    };
    match by_letter.or_else(by_text) {
        Some(letter) => {
            let right = asked.golds.iter().any(|gold| gold.trim() == letter);
            Score::all_or_nothing(right, letter)
        }
        None => Score::unparsed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_digits_are_looked_through_at_once() {
        let golds = ["7".to_owned()];
        for completion in [
            "9".repeat(1_000_000),
            format!("{}x", "9".repeat(1_000_000)),
            format!("0.{},", "9".repeat(1_000_000)),
            format!("1{}0", ",000".repeat(250_000)),
        ] {
            let asked = Asked { golds: &golds, completion: &completion, options: &[] };
            // In quadratic time this would take minutes.
            assert_eq!(score(&asked).score, Some(0.0));
        }
    }

    #[test]
    fn numbers_are_found_as_the_patterns_find_them() {
        for (text, found) in [
            ("12 or 3.5", &["12", "3.5"][..]),
            ("-4", &["-4"]),
            ("1,000", &["1,000", "000"]),
            ("1,000,0000", &["1,000", "0000"]),
            ("2.5e3", &["2.5e3", "2", "3"]),
            ("12x 7", &["7"]),
        ] {
            assert_eq!(numbers(text), found, "{text}");
        }
    }
}
