//! MathVista as lmms-eval 0.7.3 scores it, without its language model: the answer is the option's text, what Python reads as a
//! number, or what stands in `The answer is "…".`; where the original asks a language model, the completion is taken as it is
//! and the reason is `unparsed` if that reads as nothing.
//!
//! With options the question is a choice, and what names none is taken for the most similar option (a wrong answer is always
//! some option); without, `precision` decimals are compared for numbers, text for the rest.

use super::{super::anls::distance, Asked, Score, python, start_of};

pub(super) fn score(asked: &Asked) -> Score {
    let response = start_of(asked.completion).trim_matches(python::is_space);
    let Some(gold) = asked.golds.first() else { return Score::unparsed() };
    let quoted = response.find("The answer is \"").and_then(|at| {
        let rest = &response[at + "The answer is \"".len()..];
        let line = rest.split('\n').next().unwrap_or("");
        line.rfind("\".").map(|end| &line[..end])
    });
    if response.is_empty() && asked.options.is_empty() {
        return Score::missing();
    }
    // With options even an empty answer is some option: the nearest.
    if !asked.options.is_empty() {
        let extracted =
            if asked.options.iter().any(|o| o == response) { response } else { quoted.unwrap_or(response) };
        let chosen = option(extracted.trim_matches(python::is_space), asked.options);
        return Score::all_or_nothing(chosen.trim() == gold.trim(), chosen.to_owned());
    }
    let whole = python::int(gold).is_some();
    let direct = if whole {
        python::int(response)
    } else {
        python::float(gold).and_then(|_| python::float(response)).map(python::float_text)
    };
    let extracted = direct.unwrap_or_else(|| quoted.unwrap_or(response).to_owned());
    let normal = if whole {
        python::float(&extracted).filter(|f| f.is_finite()).map(|f| {
            if f.abs() < 1e15 { (f.trunc() as i64).to_string() } else { format!("{:.0}", f.trunc()) }
        })
    } else if python::float(gold).is_some() {
        // The gold is written with the precision that is asked for.
        let precision = gold.split_once('.').map_or(0, |(_, decimals)| decimals.trim().len());
        python::float(&extracted).map(|f| python::float_text(python::round(f, precision)))
    } else {
        Some(extracted)
    };
    match normal {
        Some(answer) => Score::all_or_nothing(answer.trim() == gold.trim(), answer),
        None => Score::unparsed(),
    }
}

fn option<'o>(extracted: &str, options: &'o [String]) -> &'o str {
    let mut letter = None;
    let characters: Vec<char> = extracted.chars().collect();
    for three in characters.windows(3) {
        if three[0] == '(' && three[1].is_ascii_alphabetic() && three[2] == ')' {
            letter = Some(three[1].to_ascii_uppercase().to_string());
            break;
        }
    }
    let extracted = letter.as_deref().unwrap_or(extracted);
    if let [byte @ b'A'..=b'Z'] = extracted.as_bytes()
        && let Some(option) = options.get(usize::from(byte - b'A'))
    {
        return option;
    }
    let text: Vec<char> = extracted.chars().take(1000).collect();
    let far = |option: &String| distance(&option.chars().collect::<Vec<_>>(), &text);
    options.iter().min_by_key(|option| far(option)).expect("there are options")
}
