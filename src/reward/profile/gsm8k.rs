//! verl's scorer of GSM8K (0.9.1): the number after the last `####` in the last 300 characters is the gold, as text.

use super::python::last;
use super::{Asked, Score};

pub(super) fn score(asked: &Asked) -> Score {
    let tail = last(asked.completion, 300);
    let mut found = None;
    let mut rest = tail;
    while let Some(at) = rest.find("#### ") {
        rest = &rest[at + 5..];
        let signed = rest.strip_prefix('-').unwrap_or(rest);
        let end =
            signed.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ',')).unwrap_or(signed.len());
        if end > 0 {
            let length = rest.len() - signed.len() + end;
            found = Some(&rest[..length]);
            rest = &rest[length..];
        }
    }
    match found {
        None => Score::missing(),
        Some(number) => {
            let answer = number.replace(',', "");
            Score::all_or_nothing(asked.golds.contains(&answer), answer)
        }
    }
}
