//! Whether what stands around an answer takes it back: `Not \boxed{3}`, `I do not think the answer is B`, `\boxed{3} is wrong`.
//!
//! By the parts of a sentence, not by sentences. In front, a negation counts where nothing but words that announce or hold an
//! opinion stands between it and the answer, within its clause: in "because 5 is not prime the answer is 3" there is `prime`.
//! Behind, the answer (or "that", "it", "this") is a subject that is said to be wrong or not to be right. Doubt denies nothing
//! ("perhaps 3", "I am not sure, but it is 3"): who doubts has answered.

/// Bytes that are looked at on either side.
const WINDOW: usize = 240;

/// Whether the text before or after an answer says that it is none.
pub(in crate::reward) fn denied(before: &str, after: &str) -> bool {
    denied_before(last_bytes(before)) || denied_after(first_bytes(after))
}

/// Whether what follows an answer begins anew: `\boxed{3}. Wait, it is 6.`, `Scratch that, 6`.
pub(in crate::reward) fn revised(after: &str) -> bool {
    const ANEW: [&str; 6] =
        ["wait", "scratch that", "hold on", "on second thought", "correction", "actually"];
    if after.len() < ANEW[0].len() {
        return false;
    }
    let lower = first_bytes(after).to_lowercase();
    let mut sentences = lower
        .split(['.', '!', '\n', ';'])
        .skip(1)
        .map(|sentence| sentence.trim_matches([' ', '*', '$', ',']));
    sentences.any(|sentence| {
        ANEW.iter().any(|anew| {
            let rest = sentence.strip_prefix(anew).unwrap_or("");
            // "Wait." alone, and "Actually, this is a known result" say nothing else.
            rest.starts_with([',', ' ', ':']) && rest.contains(|c: char| c.is_ascii_digit() || c == '\\')
        })
    })
}

fn last_bytes(text: &str) -> &str {
    let mut at = text.len().saturating_sub(WINDOW);
    while !text.is_char_boundary(at) {
        at += 1;
    }
    &text[at..]
}

fn first_bytes(text: &str) -> &str {
    let mut end = text.len().min(WINDOW);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Words that deny by themselves, besides those that end in `n't`.
#[rustfmt::skip]
const NEGATIONS: &[&str] = &[
    "not", "never", "neither", "nor", "cannot", "unlikely", "impossible", "doubt", "doubtful", "wrong", "incorrect", "false",
    "except", "excluding", "unless", "lie", "refuse", "suppose", "supposing", "assume", "assuming", "if",
];

/// Words between a negation and an answer through which the one still speaks of the other: of announcing, and of opinions.
#[rustfmt::skip]
const OPEN: &[&str] = &[
    "a", "an", "the", "is", "are", "be", "was", "were", "been", "equal", "equals", "to", "it", "it's", "that", "that's",
    "this", "answer", "answers", "solution", "result", "value", "final", "correct", "right", "true", "actual", "required",
    "desired", "my", "our", "your", "option", "choice", "letter", "really", "actually", "simply", "just", "exactly",
    "definitely", "probably", "necessarily", "likely", "=", "text", "we", "i", "you", "think", "thought", "believe", "say",
    "claim", "would", "will", "could", "can", "may", "might", "should", "must", "do", "does", "did", "have", "has", "get",
    "obtain", "conclude", "sure", "certain", "confident", "convinced", "case", "way", "whether", "as",
];

/// Signs that deny what stands right after them.
const SIGNS: [&str; 5] = ["≠", r"\neq", r"\ne", "!=", r"\not="];

fn is_negation(word: &str) -> bool {
    NEGATIONS.contains(&word) || word.ends_with("n't")
}

fn denied_before(text: &str) -> bool {
    let clause = &text[clause_start(text)..];
    let plain = plain(clause);
    let words = words(&plain);
    let at = |i: usize, back: usize| i.checked_sub(back).map_or("", |i| words[i]);
    for (i, word) in words.iter().enumerate().rev() {
        let before = at(i, 1);
        match *word {
            // `rather than 3`, `instead of 3`, `the opposite of 3`, `anything but 3`.
            "than" => return matches!(before, "rather" | "other"),
            "of" => return matches!(before, "instead" | "opposite"),
            "but" => return matches!(before, "anything" | "everything"),
            "way" if before == "no" => return true,
            // What is denied twice is said: "there is no doubt that the answer is".
            word if is_negation(word) => {
                let twice = is_negation(before) || matches!(before, "no" | "without" | "little");
                return !(twice || asks_for_it(&words, i));
            }
            word if SIGNS.contains(&word) => return i + 1 == words.len(),
            word if OPEN.contains(&word) || word.len() == 1 && word.as_bytes()[0].is_ascii_lowercase() => (),
            _ => return false,
        }
    }
    false
}

/// Whether the negation at `i` belongs to what was asked for: `the statement that is not true is`, `which is not true:`, `the
/// incorrect option is`.
fn asks_for_it(words: &[&str], i: usize) -> bool {
    let at = |back: usize| i.checked_sub(back).map_or("", |i| words[i]);
    let after = &words[i + 1..];
    let verb = |word: &str| matches!(word, "is" | "are" | "was" | "=" | "isn't" | "does" | "doesn't");
    let relative =
        matches!(at(2), "that" | "which" | "who") && verb(at(1)) || matches!(at(1), "that" | "which" | "who");
    // Something is said of what the clause is about, or nothing but the question was repeated.
    let noun = [
        "statement",
        "statements",
        "option",
        "one",
        "ones",
        "choice",
        "claim",
        "sentence",
        "figure",
        "shape",
    ];
    let subject = at(if verb(at(1)) { 3 } else { 2 });
    let closed = after.iter().any(|word| verb(word)) || at(2) == "which" && subject.is_empty();
    relative && (closed || noun.contains(&subject))
        || matches!(words[i], "wrong" | "incorrect" | "false")
            && after.first().is_some_and(|word| noun.contains(word))
}

/// Where the clause at the end of `text` begins: after a comma, a full stop and their like.
fn clause_start(text: &str) -> usize {
    let ends = |(at, c): &(usize, char)| match c {
        ',' | '!' | '?' | ';' | '\n' => !text[*at..].starts_with("!="),
        // A point within a number ends nothing.
        '.' => !text[at + 1..].starts_with(|c: char| c.is_ascii_digit()),
        _ => false,
    };
    text.char_indices().rev().find(ends).map_or(0, |(at, c)| at + c.len_utf8())
}

/// A text in lower case, without boxes and the marks that set formulas and emphasis, and with an equals sign as a word.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '’' => out.push('\''),
            '\\' => match rest.strip_prefix("boxed").or_else(|| rest.strip_prefix("fbox")) {
                Some(after) => {
                    rest = after;
                    out.push(' ');
                }
                None => out.push(c),
            },
            '=' if out.ends_with('!') || out.ends_with(r"\not") => out.push_str("= "),
            '=' => out.push_str(" = "),
            '$' | '*' | '`' | '"' | ':' | '(' | ')' | '[' | ']' | '{' | '}' | '_' | '“' | '”' | '—' | '–' =>
            {
                out.push(' ');
            }
            // `A` is an option, `A cat` has an article.
            'A'..='E' if is_option(&out, rest) => out.push(c),
            _ if c.is_ascii() => out.push(c.to_ascii_lowercase()),
            _ => out.extend(c.to_lowercase()),
        }
    }
    out
}

/// Whether a capital letter between `before` and `after` stands for an option: alone, and no word of a sentence.
fn is_option(before: &str, after: &str) -> bool {
    let sentence = after.strip_prefix(' ').is_some_and(|rest| rest.starts_with(|c: char| c.is_lowercase()));
    !before.ends_with(char::is_alphanumeric) && !after.starts_with(|c: char| c.is_alphanumeric()) && !sentence
}

/// The words of a [`plain`] text.
fn words(plain: &str) -> Vec<&str> {
    let bare = |word| {
        if SIGNS.contains(&word) {
            word
        } else {
            word.trim_matches(|c| matches!(c, '\\' | '.' | ',' | '!' | '?' | '\''))
        }
    };
    plain.split_whitespace().map(bare).filter(|word| !word.is_empty()).collect()
}

/// Verbs that may join an answer with what is said of it.
#[rustfmt::skip]
const VERBS: &[&str] = &[
    "is", "was", "isn't", "wasn't", "be", "can", "can't", "cannot", "could", "couldn't", "would", "wouldn't", "should",
    "shouldn't", "must", "mustn't", "may", "might", "seems", "looks", "does", "doesn't", "do", "don't", "will", "won't",
];
/// Adverbs and auxiliaries after the verb.
#[rustfmt::skip]
const FILLERS: &[&str] = &[
    "be", "been", "have", "definitely", "certainly", "clearly", "probably", "obviously", "actually", "really", "simply",
    "also", "likely", "surely", "quite", "just", "then", "seem", "look", "to", "the", "a", "an", "my", "our", "your", "final",
    "thus", "therefore", "of", "course", "so",
];
/// What an answer is, so that it is none where it is not that.
#[rustfmt::skip]
const RIGHT: &[&str] = &[
    "answer", "correct", "right", "true", "valid", "solution", "it", "possible", "result", "acceptable", "work", "hold",
    "fit", "apply", "option", "choice", "what",
];
/// What may follow either and still speaks of the answer.
#[rustfmt::skip]
const ENDS: &[&str] = &[
    "answer", "solution", "result", "option", "choice", "value", "one", "here", "either", "because", "since", "as", "at", "so", "and",
];
/// What no answer is.
#[rustfmt::skip]
const WRONG: &[&str] = &[
    "wrong", "incorrect", "false", "invalid", "impossible", "mistaken", "mistake", "error", "unlikely", "excluded",
    "rejected", "absurd", "nonsense", "extraneous",
];

fn denied_after(text: &str) -> bool {
    let closing: &[char] = &[' ', '$', '*', '`', '"', '\'', ')', ']', '}', '\\'];
    let rest = text.trim_start_matches(closing);
    // A question announces nothing.
    if rest.starts_with('?') {
        return true;
    }
    let mut clauses = rest.split_inclusive(['!', '?', ';', '\n', ',', '.']);
    let first = clauses.next().unwrap_or("");
    let mut after_comma = first.ends_with(',');
    predicate_denies(&words(&plain(first)))
        || clauses.any(|clause| {
            let follows = std::mem::replace(&mut after_comma, clause.ends_with(','));
            clause_denies(&words(&plain(clause)), follows)
        })
}

/// Whether a clause of its own says that the answer before it is wrong: its subject stands for that.
fn clause_denies(words: &[&str], after_comma: bool) -> bool {
    let Some(first) = words.first() else { return false };
    let interjections = ["wait", "hmm", "oh", "well", "actually", "sorry", "no", "nope", "oops"];
    if words.iter().all(|word| interjections.contains(word)) {
        // "Vol. 2, no. 3" retracts nothing.
        return !after_comma && words.iter().any(|word| matches!(*word, "no" | "nope" | "oops"));
    }
    match *first {
        "that's" | "it's" => said_to_be(&words[1..], false),
        "that" | "this" | "it" | "which" => predicate_denies(&words[1..]),
        "and" | "but" | "wait" | "no" => clause_denies(&words[1..], after_comma),
        "the" | "my" if words.get(1).is_some_and(|word| *word == "answer") => predicate_denies(&words[2..]),
        "i" => match &words[1..] {
            ["doubt", ..] => true,
            ["don't", "think" | "believe", rest @ ..] | ["do", "not", "think" | "believe", rest @ ..] => {
                rest.iter().all(|word| OPEN.contains(word) || *word == "so")
            }
            _ => false,
        },
        _ => predicate_denies(words),
    }
}

/// Whether the words after a subject deny it: `is not the answer`, `would be wrong`, `not right`.
fn predicate_denies(words: &[&str]) -> bool {
    match words.first().copied() {
        Some("not" | "never") => said_to_be(&words[1..], true),
        Some("wrong" | "incorrect") => true,
        Some(verb) if VERBS.contains(&verb) => {
            said_to_be(&words[1..], verb.ends_with("n't") || verb == "cannot")
        }
        _ => false,
    }
}

fn said_to_be(words: &[&str], mut negated: bool) -> bool {
    for (i, word) in words.iter().enumerate() {
        // `is not a valid index` says of what kind it is, `is not a valid answer` that it is none.
        let ends = || words[i + 1..].first().is_none_or(|next| ENDS.contains(next));
        match *word {
            "not" | "never" => negated = !negated,
            word if FILLERS.contains(&word) => (),
            word if RIGHT.contains(&word) => return negated && ends(),
            word if WRONG.contains(&word) => return !negated && ends(),
            _ => return false,
        }
    }
    negated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_back_is_no_answer() {
        for text in [
            "Not @",
            "It is not $@$.",
            "The answer isn't @",
            "The answer isn’t @.",
            "x is not equal to @",
            r"x \neq @",
            "x != @",
            "I do not think the answer is @",
            "I don't believe that it is @.",
            "It is not true that x = @",
            "It is wrong that the answer is @",
            "I am not sure that the answer is @",
            "We have 5 + 5 = 10. I doubt that the answer is **@**",
            "It can be anything but @",
            "The answer is 4 rather than @",
            "It is 4 instead of @",
            "No way the answer is @",
            "The result is never @",
            "@ is not the answer",
            "$@$ is not the correct answer.",
            "The answer @ is wrong",
            "@ isn't right",
            "@ cannot be right.",
            "@ would be incorrect",
            "@ does not work.",
            "@? I wonder.",
            "@, which is not correct",
            "@ (not really)",
            "@. Wait, that is wrong.",
            "@. No.",
            "@. That's not right.",
            "@. I do not think so.",
            "@, I doubt it",
            r"x \not= @",
            "@ is not a valid answer",
        ] {
            check(text, true);
        }
    }

    #[test]
    fn negations_about_something_else_deny_nothing() {
        for text in [
            "The answer is @.",
            "Because 5 is not prime the answer is @",
            "Since x cannot be 0, we have x = @.",
            "No, the answer is @.",
            "It is not hard to see that the answer is @",
            "There is no doubt that the answer is @",
            "Not A. The answer is @",
            "The answer is not 4 but @",
            "This does not matter and so the answer is @",
            "x is greater than @",
            "Do not forget the units: @ cm",
            "@, not 5",
            "@ is the answer, not 4.",
            "@ is not divisible by 2",
            "@ which is not a prime",
            "@. This is not a coincidence.",
            "I am not sure, but I think it is @",
            "Perhaps @",
            "The number of students who are not in the club is @",
            "The probability that it does not rain is @.",
            "@ is right, and 4 is wrong",
            "That is wrong.\nThe answer is @",
            "@ since 0 is not possible",
            "Mathematics of Computation @, no. 184",
            r"where x \neq 0 we have y = @",
            r"the product of i \ne n is @",
            "since @ is not a valid index, add 1",
            "The claim that 0 is false means s = @",
            "@. It is not A.",
            "@, not A.",
            "@ (not A).",
            "@. This is not A.",
            "@. It cannot be A.",
            "So it isn't C: @",
            "The statement that is not true is @.",
            "The statement which is incorrect is @",
            "The option that is not correct is @.",
            "The statement that is not correct: @",
            "The incorrect option is @",
            "Which is NOT true: @",
            "The one that isn't is @.",
            "The ones that are not are @",
        ] {
            check(text, false);
        }
    }

    fn check(text: &str, expected: bool) {
        let (before, after) = text.split_once('@').unwrap();
        assert_eq!(denied(before, after), expected, "{text}");
    }
}
