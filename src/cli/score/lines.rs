//! One request of `modo score`: what it asks and what it is answered.

use std::{borrow::Cow, collections::BTreeMap, sync::OnceLock};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{super::printer::visible, framing::Request};
use crate::{
    reward::{
        BadGold, Gold, Part, Reason, Region, Reward,
        profile::{self, Profile},
    },
    sample::{Answer, Rect},
};

/// Whose rules score the lines.
#[derive(Clone, Copy)]
pub(crate) enum Rules {
    /// modo's own.
    Strict,
    /// Another scorer's, restated.
    Of(&'static Profile),
}

impl Rules {
    /// Those called `name`, or the names there are.
    pub(crate) fn find(name: &str) -> Result<Self, String> {
        if name == "strict" {
            return Ok(Self::Strict);
        }
        profile::find(name).map(Self::Of).ok_or_else(|| {
            let known: Vec<&str> = profile::PROFILES.iter().map(|p| p.name).collect();
            format!("there are `strict`, `{}`", known.join("`, `"))
        })
    }
}

/// Rewards of the datasets that lines name, each with the types of answers it takes.
pub(crate) type Datasets = BTreeMap<String, (Reward, Vec<&'static str>)>;

/// What a line asks. Keys that are not known belong to whoever wrote the line.
#[derive(Deserialize)]
struct Asked<'a> {
    #[serde(default)]
    id: Value,
    #[serde(borrow)]
    r#type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    dataset: Option<Cow<'a, str>>,
    gold: Value,
    #[serde(borrow)]
    completion: Cow<'a, str>,
    #[serde(default)]
    options: Vec<String>,
    picture_size: Option<(u32, u32)>,
    verifier: Option<toml::Value>,
    reward: Option<toml::Table>,
}

/// The answer to a line.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Answered {
    /// By modo's own rules.
    Strict {
        id: Value,
        score: f64,
        reason: Reason,
        extracted: Option<String>,
        normalised: Option<String>,
        region: Option<Region>,
        format: bool,
        parts: Vec<Part>,
        reward: f64,
        max_reward: f64,
    },
    /// By a profile.
    Profile {
        id: Value,
        score: Option<f64>,
        reason: Reason,
        extracted: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        format: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reward: Option<f64>,
    },
    /// Not at all.
    Refused { id: Value, line: u64, error: String },
}

/// Scores one request, whatever it holds.
pub(crate) fn answer(number: u64, request: &Request, rules: Rules, datasets: &Datasets) -> Answered {
    let refuse = |id, error: String| Answered::Refused { id, line: number, error };
    let line = match request {
        Ok(line) => line.as_slice(),
        Err(error) => return refuse(Value::Null, error.clone()),
    };
    match serde_json::from_slice::<Asked>(line) {
        Ok(asked) => {
            let id = asked.id.clone();
            match score(asked, rules, datasets) {
                Ok(scored) => scored,
                Err(error) => refuse(id, error),
            }
        }
        Err(error) => {
            if let Err(error) = std::str::from_utf8(line) {
                return refuse(Value::Null, format!("no UTF-8 at byte {}", error.valid_up_to() + 1));
            }
            // Why, and which: the line once more, without asking for keys.
            match serde_json::from_slice::<Value>(line) {
                Err(error) => {
                    let place = match error.line() {
                        1 => format!("column {}", error.column()),
                        line => format!("row {line}, column {}", error.column()),
                    };
                    refuse(Value::Null, format!("no valid JSON at {place}: {}", without_place(&error)))
                }
                Ok(Value::Object(keys)) => {
                    let what = wrong_key(&keys).unwrap_or_else(|| without_place(&error));
                    refuse(keys.get("id").cloned().unwrap_or(Value::Null), what)
                }
                Ok(_) => refuse(Value::Null, "no JSON object".to_owned()),
            }
        }
    }
}

/// What a JSON error says, without where: its line is not the line of the input.
fn without_place(error: &serde_json::Error) -> String {
    let what = error.to_string();
    what.split(" at line ").next().unwrap_or(&what).to_owned()
}

/// The first key whose value is of the wrong kind.
fn wrong_key(keys: &serde_json::Map<String, Value>) -> Option<String> {
    type Fits = fn(&Value) -> bool;
    let known: [(&str, &str, Fits); 6] = [
        ("completion", "a text", Value::is_string),
        ("type", "a text", |v| v.is_string() || v.is_null()),
        ("dataset", "a text", |v| v.is_string() || v.is_null()),
        ("options", "a list of texts", |v| v.as_array().is_some_and(|all| all.iter().all(Value::is_string))),
        ("picture_size", "[width, height] in pixels", |v| {
            v.is_null() || <(u32, u32)>::deserialize(v).is_ok()
        }),
        ("reward", "an object", |v| v.is_object() || v.is_null()),
    ];
    known.iter().find_map(|(key, wanted, fits)| {
        let value = keys.get(*key).filter(|value| !fits(value))?;
        let mut given: String = value.to_string().chars().take(41).collect();
        if given.chars().count() > 40 {
            given = given.chars().take(40).chain(['…']).collect();
        }
        Some(format!("`{key}` is {given}; it must be {wanted}"))
    })
}

const KINDS: [&str; 5] = ["choice", "number", "text", "boxes", "expression"];

/// The reward of a type whose line asks for nothing else; each type's own verifier has its name.
fn plain(kind: &str) -> Option<&'static Reward> {
    static REWARDS: OnceLock<Vec<Reward>> = OnceLock::new();
    let at = KINDS.iter().position(|k| *k == kind)?;
    let rewards = REWARDS.get_or_init(|| {
        let of = |kind: &&str| Reward::from_tables(&toml::Value::from(*kind), None);
        KINDS.iter().map(|kind| of(kind).expect("each type has a verifier of its name")).collect()
    });
    Some(&rewards[at])
}

fn score(asked: Asked, rules: Rules, datasets: &Datasets) -> Result<Answered, String> {
    let id = asked.id.clone();
    if let Rules::Of(profile) = rules {
        let golds = texts(&asked.gold)?;
        let asked = profile::Asked { golds: &golds, completion: &asked.completion, options: &asked.options };
        let profile::Score { score, reward, reason, extracted, format } = (profile.score)(&asked);
        return Ok(Answered::Profile { id, score, reason, extracted, format, reward });
    }
    let own;
    let (reward, answer) = match (&asked.r#type, &asked.dataset) {
        (Some(kind), _) => {
            let answer = gold(kind, &asked.gold)?;
            let reward = match (&asked.verifier, &asked.reward) {
                (None, None) => plain(kind).ok_or_else(|| format!("no verifier is called `{kind}`"))?,
                (verifier, weights) => {
                    let verifier = verifier.clone().unwrap_or_else(|| kind.as_ref().into());
                    own = Reward::from_tables(&verifier, weights.as_ref())
                        .map_err(|error| error.to_string().trim_end().to_owned())?;
                    &own
                }
            };
            (reward, answer)
        }
        (None, Some(name)) => {
            let (reward, kinds) =
                datasets.get(name.as_ref()).ok_or_else(|| format!("no dataset is called `{name}`"))?;
            let mut first = None;
            let mut found = None;
            for kind in kinds {
                match gold(kind, &asked.gold) {
                    Ok(answer) => {
                        found = Some(answer);
                        break;
                    }
                    Err(error) => _ = first.get_or_insert(error),
                }
            }
            (reward, found.ok_or_else(|| first.unwrap_or_default())?)
        }
        (None, None) => return Err("the line has neither `type` nor `dataset`".to_owned()),
    };
    let gold = Gold { answer: &answer, options: &asked.options, picture_size: asked.picture_size };
    match reward.accepts(&gold) {
        // Refused where data are loaded; among completions that were written already nothing is right for it.
        Ok(()) | Err(BadGold::Missing(_)) => (),
        Err(error) => return Err(error.to_string()),
    }
    let (verdict, region, extracted, scored) = reward.judge(&gold, &asked.completion);
    Ok(Answered::Strict {
        id,
        score: verdict.score,
        reason: verdict.reason,
        extracted: extracted.map(|text| text.chars().take(200).collect()),
        normalised: verdict.extracted,
        region,
        format: scored.format,
        parts: scored.parts,
        reward: scored.total,
        max_reward: scored.max,
    })
}

/// A gold as other scorers take it: text.
fn texts(gold: &Value) -> Result<Vec<String>, String> {
    let one = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    match gold {
        Value::Null => Err("the gold is null".to_owned()),
        Value::Array(all) if !all.is_empty() && all.iter().all(Value::is_string) => {
            Ok(all.iter().filter_map(one).collect())
        }
        other => Ok(vec![one(other).unwrap_or_else(|| other.to_string())]),
    }
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
            let text = value.as_str().map_or_else(|| value.to_string(), |text| text.trim().to_owned());
            let number = value.as_f64().or_else(|| text.parse().ok());
            let number = number.or_else(|| crate::data::parse_number(&text));
            number.and_then(|number| Answer::exact_number(number, &text)).ok_or_else(|| {
                let given: String = text.chars().take(40).collect();
                let long = text.bytes().filter(u8::is_ascii_digit).count() > 15;
                let why = if long { "has digits that 64 bits do not hold" } else { "is no number in digits" };
                format!("the gold `{given}` {why}: give it the type `expression`")
            })
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
            let given: String = kind.chars().take(40).collect();
            Err(format!("no answer type is called `{given}`; there are `{}`", KINDS.join("`, `")))
        }
    }
}

/// The types of answers that a dataset's `verifier` takes: a name, a table with `name`, a list of these, or a table by type.
pub(crate) fn kinds(verifier: &toml::Value) -> Vec<&'static str> {
    let of = |name: &str| match name {
        "anls" => Some("text"),
        name => KINDS.into_iter().find(|kind| *kind == name),
    };
    match verifier {
        toml::Value::String(name) => of(name).into_iter().collect(),
        toml::Value::Array(all) => all.iter().flat_map(kinds).collect(),
        toml::Value::Table(table) => match table.get("name") {
            Some(name) => kinds(name),
            None => table.values().flat_map(kinds).collect(),
        },
        _ => Vec::new(),
    }
}

/// An answer as people read it.
pub(crate) fn explained(line: u64, answered: &Answered) -> Vec<String> {
    let shown = |text: &Option<String>| {
        text.as_ref().map_or("nothing".to_owned(), |text| format!("`{}`", visible(text)))
    };
    match answered {
        Answered::Strict {
            score,
            reason,
            extracted,
            normalised,
            region,
            format,
            parts,
            reward,
            max_reward,
            ..
        } => {
            let place = match region {
                Some(Region::AnswerTag) => "inside <answer>",
                Some(Region::Box) => "in the last box",
                Some(Region::Announced) => "after \"answer\" on the last line",
                Some(Region::Whole) => "as the whole text",
                None => "nowhere",
            };
            let parts: Vec<String> =
                parts.iter().map(|p| format!("{} {} ({})", p.name, p.value, p.reason.code())).collect();
            vec![
                format!("line {line}: score {score}, {}", reason.code()),
                format!("  found      {} {place}", shown(extracted)),
                format!("  compared   {}", shown(normalised)),
                format!("  format     {}", if *format { "kept" } else { "not kept" }),
                format!("  reward     {reward} of {max_reward}: {}", parts.join(", ")),
            ]
        }
        Answered::Profile { score, reason, extracted, reward, .. } => {
            let score = score.map_or("none, the row is skipped".to_owned(), |s| s.to_string());
            let mut out = vec![
                format!("line {line}: score {score}, {}", reason.code()),
                format!("  found      {}", shown(extracted)),
            ];
            out.extend(reward.map(|r| format!("  reward     {r}")));
            out
        }
        Answered::Refused { error, .. } => vec![format!("line {line}: {error}")],
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

    /// Every row and every column of the tables in `tests/fixtures/oracle_tables.json`.
    #[test]
    fn the_oracle_tables_hold_in_every_row_and_column() {
        let tables: Value =
            serde_json::from_str(include_str!("../../../tests/fixtures/oracle_tables.json")).unwrap();
        let columns =
            ["strict", "math_verify", "math_verify_raw", "trl", "mathruler", "geo3k", "dapo", "r1v"];
        let mut wrong = Vec::new();
        for (table, row) in
            ["rows", "texts"].iter().flat_map(|t| tables[*t].as_array().unwrap().iter().map(move |r| (t, r)))
        {
            let text = match row.get("answer") {
                Some(answer) => format!("\\boxed{{{}}}", answer.as_str().unwrap()),
                None => row["text"].as_str().unwrap().to_owned(),
            };
            for column in columns {
                let Some(expected) = row.get(column) else { continue };
                let mut gold = row["gold"].clone();
                if column == "strict" && row["type"] == "boxes" {
                    gold = serde_json::from_str(gold.as_str().unwrap()).unwrap();
                } else if column == "trl" && *table == "texts" {
                    gold = format!("${}$", gold.as_str().unwrap()).into();
                }
                let line = serde_json::json!({ "type": row["type"], "gold": gold, "completion": text });
                let answered = answer(
                    1,
                    &Ok(serde_json::to_vec(&line).unwrap()),
                    Rules::find(column).unwrap(),
                    &Datasets::new(),
                );
                let given = serde_json::to_value(&answered).unwrap();
                let given = if column == "geo3k" { &given["reward"] } else { &given["score"] };
                if given.as_f64() != expected.as_f64() {
                    wrong.push(format!(
                        "{column}: {} | {text:.60} | {expected} expected, {given} given",
                        row["gold"]
                    ));
                }
            }
        }
        assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
    }
}
