//! `modo score`: completions in, scores out, one JSON object per line, in order.

use std::io::{self, BufRead, BufReader, Read};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Context, printer::Printer};
use crate::{
    error::{Context as _, Error, Result},
    reward::{Gold, Reason, Reward},
    sample::{Answer, Rect},
};

/// Longest line that is read, in bytes; a longer one is answered with an error.
const MAX_LINE: usize = 16 * 1024 * 1024;

/// Lines that are scored together, at most.
const MAX_BATCH: usize = 4096;

/// Bytes read ahead.
const READ_AHEAD: usize = 1024 * 1024;

/// The profiles there are.
const PROFILES: &[&str] = &["strict"];

const EXAMPLES: &str = "\
Each line in:
  id          any value, given back
  type        choice, number, text, boxes or expression
  gold        a letter, a number, a text or a list of accepted texts,
              [[left, top, right, bottom], ...], LaTeX
  completion  all that the model wrote
  options, picture_size ([width, height]), verifier, reward: as far as needed,
              the last two as in datasets.toml
Each line out:
  id, score (in [0, 1]: right answers in the format <think> <answer>), reason,
  extracted (what was compared), format, lenient_score (format not asked for),
  reward and max_reward; or line and error.

Examples:
  modo score < answers.jsonl > scores.jsonl
  echo '{\"id\": 1, \"type\": \"number\", \"gold\": 12, \"completion\":
    \"<think>3*4</think><answer>12</answer>\"}' | tr -d '\\n' | modo score";

/// Options of `modo score`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Whose rules: `strict`, those that modo trains and evaluates by.
    #[arg(long, value_name = "PROFILE", default_value = "strict")]
    profile: String,
}

/// What a line asks. Keys that are not known belong to whoever wrote the line.
#[derive(Deserialize)]
struct Asked {
    r#type: String,
    gold: Value,
    completion: String,
    #[serde(default)]
    options: Vec<String>,
    picture_size: Option<(u32, u32)>,
    verifier: Option<toml::Value>,
    reward: Option<toml::Table>,
}

/// The answer to a line.
#[derive(Serialize)]
#[serde(untagged)]
enum Answered {
    Scored {
        id: Value,
        score: f64,
        reason: Reason,
        extracted: Option<String>,
        format: bool,
        lenient_score: f64,
        reward: f64,
        max_reward: f64,
    },
    Refused {
        id: Value,
        line: u64,
        error: String,
    },
}

pub(super) fn run(args: &Args, _: &Context, printer: &mut Printer) -> Result<()> {
    if !PROFILES.contains(&args.profile.as_str()) {
        return Err(Error::input(format!("no profile is called `{}`", args.profile))
            .at("option `--profile`")
            .hint(format!("there is `{}`", PROFILES.join("`, `"))));
    }
    let mut input = BufReader::with_capacity(READ_AHEAD, io::stdin().lock());
    let (mut number, mut refused) = (0_u64, 0_u64);
    loop {
        // Whoever waits for the answer to one line gets it; what has arrived together is scored together.
        let mut batch = Vec::new();
        while batch.is_empty() || (batch.len() < MAX_BATCH && input.buffer().contains(&b'\n')) {
            let Some(line) = read_line(&mut input).failed().at("standard input")? else { break };
            number += 1;
            if !line.iter().all(u8::is_ascii_whitespace) {
                batch.push((number, line));
            }
        }
        if batch.is_empty() {
            break;
        }
        let answers: Vec<Answered> = batch.par_iter().map(|(number, line)| answer(*number, line)).collect();
        for answered in &answers {
            refused += u64::from(matches!(answered, Answered::Refused { .. }));
            printer.json(answered)?;
        }
        printer.flush()?;
    }
    if refused > 0 {
        printer.warn(format!(
            "{refused} of {number} lines could not be scored; they are answered with an error"
        ));
    }
    Ok(())
}

/// The next line without its end; of one that is too long only the first bytes are kept.
fn read_line(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if input.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > MAX_LINE {
        input.skip_until(b'\n')?;
    }
    Ok(Some(line))
}

fn answer(number: u64, line: &[u8]) -> Answered {
    let refuse = |id, error: String| Answered::Refused { id, line: number, error };
    if line.len() > MAX_LINE {
        return refuse(Value::Null, format!("the line is longer than {MAX_LINE} bytes"));
    }
    let value: Value = match serde_json::from_slice(line) {
        Ok(value) => value,
        Err(error) => return refuse(Value::Null, format!("no valid JSON: {error}")),
    };
    if !value.is_object() {
        return refuse(Value::Null, "the line is no JSON object".to_owned());
    }
    let id = value.get("id").cloned().unwrap_or(Value::Null);
    let asked = Asked::deserialize(&value).map_err(|error| error.to_string());
    match asked.and_then(|asked| score(id.clone(), &asked)) {
        Ok(scored) => scored,
        Err(error) => refuse(id, error),
    }
}

fn score(id: Value, asked: &Asked) -> Result<Answered, String> {
    let gold = gold(&asked.r#type, &asked.gold)?;
    // Each type's own verifier has its name.
    let verifier = asked.verifier.clone().unwrap_or_else(|| asked.r#type.clone().into());
    let reward = Reward::from_tables(&verifier, asked.reward.as_ref()).map_err(|error| error.to_string())?;
    let gold = Gold { answer: &gold, options: &asked.options, picture_size: asked.picture_size };
    reward.accepts(&gold).map_err(|error| error.to_string())?;
    let scored = reward.score(&gold, &asked.completion);
    // "gated" only says that the format failed; how it failed says more.
    let first = scored.parts.iter().find(|part| part.reason != Reason::Gated);
    Ok(Answered::Scored {
        id,
        score: scored.accuracy,
        reason: first.map_or(Reason::Gated, |part| part.reason),
        extracted: scored.extracted,
        format: scored.format,
        lenient_score: scored.lenient_accuracy,
        reward: scored.total,
        max_reward: scored.max,
    })
}

/// A gold as people write it: numbers and letters as texts or as themselves, one text or box or a list of them.
fn gold(kind: &str, value: &Value) -> Result<Answer, String> {
    let wrong = |wanted: &str| Err(format!("the gold of type {kind} is no {wanted}"));
    match kind {
        "choice" => match value.as_str().map(|text| text.trim().as_bytes()) {
            Some([letter]) if letter.is_ascii_alphabetic() => {
                Ok(Answer::Choice(letter.to_ascii_uppercase().into()))
            }
            _ => wrong("letter"),
        },
        "number" => {
            let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
            number
                .filter(|number| number.is_finite())
                .map_or_else(|| wrong("finite number"), |n| Ok(Answer::Number(n)))
        }
        "text" => match value {
            Value::String(text) => Ok(Answer::Text(vec![text.clone()])),
            Value::Array(texts) => {
                let texts: Option<Vec<String>> =
                    texts.iter().map(|text| text.as_str().map(str::to_owned)).collect();
                texts.map_or_else(|| wrong("list of texts"), |texts| Ok(Answer::Text(texts)))
            }
            _ => wrong("text or list of texts"),
        },
        "boxes" => {
            let one = |value: &Value| -> Option<Rect> {
                if let Ok([x1, y1, x2, y2]) = <[f64; 4]>::deserialize(value) {
                    return Some(Rect { x1, y1, x2, y2 });
                }
                Rect::deserialize(value).ok()
            };
            let boxes = match value.as_array() {
                _ if one(value).is_some() => one(value).map(|only| vec![only]),
                Some(list) => list.iter().map(one).collect(),
                None => None,
            };
            boxes
                .map_or_else(|| wrong("list of [left, top, right, bottom]"), |boxes| Ok(Answer::Boxes(boxes)))
        }
        "expression" => match value {
            Value::String(text) => Ok(Answer::Expression(text.clone())),
            Value::Number(number) => Ok(Answer::Expression(number.to_string())),
            _ => wrong("text"),
        },
        _ => {
            let known = ["choice", "number", "text", "boxes", "expression"];
            let given: String = kind.chars().take(40).collect();
            Err(format!("no answer type is called `{given}`; there are `{}`", known.join("`, `")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golds_may_be_written_in_several_ways() {
        let square = Answer::Boxes(vec![Rect { x1: 0.0, y1: 0.0, x2: 4.0, y2: 4.0 }]);
        for (kind, text, expected) in [
            ("choice", "\" b \"", Answer::Choice('B')),
            ("number", "12", Answer::Number(12.0)),
            ("number", "\"-1.5\"", Answer::Number(-1.5)),
            ("text", "\"left of\"", Answer::Text(vec!["left of".to_owned()])),
            ("text", "[\"a\", \"b\"]", Answer::Text(vec!["a".to_owned(), "b".to_owned()])),
            ("boxes", "[0, 0, 4, 4]", square.clone()),
            ("boxes", "[[0, 0, 4, 4]]", square.clone()),
            ("boxes", "[{\"x1\": 0, \"y1\": 0, \"x2\": 4, \"y2\": 4}]", square),
            ("expression", "3", Answer::Expression("3".to_owned())),
        ] {
            assert_eq!(gold(kind, &serde_json::from_str(text).unwrap()), Ok(expected), "{text}");
        }
        for (kind, text) in [("choice", "\"AB\""), ("number", "\"NaN\""), ("boxes", "[1, 2]"), ("x", "1")] {
            assert!(gold(kind, &serde_json::from_str(text).unwrap()).is_err(), "{text}");
        }
    }

    #[test]
    fn lines_that_are_too_long_are_read_past() {
        let mut long = vec![b'x'; MAX_LINE + 10];
        long.extend_from_slice(b"\nnext");
        let mut input = io::Cursor::new(long);
        assert_eq!(read_line(&mut input).unwrap().unwrap().len(), MAX_LINE + 1);
        assert_eq!(read_line(&mut input).unwrap().unwrap(), b"next");
        assert_eq!(read_line(&mut input).unwrap(), None);
    }
}
