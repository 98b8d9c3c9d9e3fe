//! Where in a row the columns of a dataset are: names, paths into nested values, and paths of pictures made of both.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{PictureCell, RawRow};
use crate::data::{
    clean::{Cells, Flaw},
    config::FileSource,
};

/// The column that `name` begins with: itself if there is one, since names may hold dots, else what stands before a
/// dot and is one (`conversations.0.value`), else itself.
pub(super) fn root(name: &str, is_there: impl Fn(&str) -> bool) -> &str {
    if is_there(name) {
        return name;
    }
    let before = name.match_indices('.').map(|(dot, _)| &name[..dot]).find(|before| is_there(before));
    before.unwrap_or(name)
}

/// What `.0.value` leads to inside a value; null where it leads nowhere. `*` leads into every entry of a list, and a word
/// to its first entry whose `role` or `from` it is: `messages.user.content`.
pub(super) fn inside(value: Value, path: &str) -> Value {
    let mut value = value;
    for (at, _) in path.match_indices('.') {
        let rest = &path[at + 1..];
        let (part, after) = rest.split_at(rest.find('.').unwrap_or(rest.len()));
        value = match value {
            Value::Array(list) if part == "*" => {
                return list.into_iter().map(|item| inside(item, after)).collect();
            }
            Value::Array(mut list) => match part.parse::<usize>() {
                Ok(at) if at < list.len() => list.swap_remove(at),
                Ok(_) => Value::Null,
                Err(_) => list.into_iter().find(|turn| role(turn) == Some(part)).unwrap_or_default(),
            },
            Value::Object(mut object) => object.remove(part).unwrap_or_default(),
            _ => Value::Null,
        };
    }
    value
}

/// Whose turn of a conversation this is.
pub(in crate::data) fn role(turn: &Value) -> Option<&str> {
    ["role", "from"].iter().find_map(|key| turn.get(key)?.as_str())
}

/// The value that a name or a path leads to; null where there is none.
pub(in crate::data) fn find(object: &Map<String, Value>, name: &str) -> Value {
    let root = root(name, |name| object.contains_key(name));
    let Some(value) = object.get(root) else { return Value::Null };
    inside(value.clone(), &name[root.len()..])
}

/// The cells of a row that is a JSON object.
pub(super) fn row(object: &Map<String, Value>, source: &FileSource) -> Result<RawRow, Flaw> {
    let mut pictures = Vec::new();
    for column in &source.images {
        let wrong = |what: &str| Flaw::new(Some(column), what);
        let found = if column.contains('{') { filled(object, column) } else { find(object, column) };
        let items = match found {
            Value::Null => continue,
            Value::Array(items) => items,
            one => vec![one],
        };
        for item in items {
            let path = match item {
                Value::Null => continue,
                // Words between the pictures of a turn.
                Value::Object(parts) if parts.get("type").is_some_and(|kind| kind == "text") => continue,
                Value::Object(parts) => path_in(parts),
                other => other,
            };
            let Value::String(path) = path else { return Err(wrong("a picture's path is needed")) };
            // As tables without null write that there is none.
            if path.trim().is_empty() {
                continue;
            }
            pictures.push((column.clone(), PictureCell::Path(path)));
        }
    }
    let column = |name: Option<&str>| name.map_or(Value::Null, |name| find(object, name));
    Ok(RawRow {
        cells: Cells {
            question: column(Some(&source.question)),
            options: options(&source.options, |name| Ok(find(object, name)))?,
            answer: column(source.answer.as_deref()),
        },
        pictures,
    })
}

/// The path in a picture as Hugging Face writes it into JSON, or as a part of a turn: `{"type": "image", "image": …}`.
fn path_in(mut parts: Map<String, Value>) -> Value {
    let found = ["bytes", "path", "url", "image", "image_url"]
        .iter()
        .find_map(|part| parts.remove(*part).filter(|value| !value.is_null()));
    match found {
        Some(Value::Object(inner)) => path_in(inner),
        other => other.unwrap_or_default(),
    }
}

/// The options of a row: what their column holds, or a list of what a column for each holds.
pub(super) fn options(
    columns: &[String],
    mut cell: impl FnMut(&str) -> Result<Value, Flaw>,
) -> Result<Value, Flaw> {
    match columns {
        [] => Ok(Value::Null),
        [one] => cell(one),
        more => more.iter().map(|column| cell(column)).collect(),
    }
}

/// Why a row is no object. Its own place says which line or row it is, and serde's would be counted from there.
pub(super) fn no_object(error: &serde_json::Error) -> String {
    let (text, place) = (error.to_string(), format!(" at line {} column {}", error.line(), error.column()));
    format!("no JSON object: {}", text.strip_suffix(&place).unwrap_or(&text))
}

/// Columns of a dataset that no row of a file has, and the columns that there are.
#[derive(Default)]
pub struct Missing {
    /// As the table of the dataset names them.
    pub columns: BTreeSet<String>,
    /// As the file names them.
    pub known: BTreeSet<String>,
}

/// Looks for the columns of a dataset in objects, until each has been found once.
pub(super) fn missing(
    objects: impl Iterator<Item = Result<Map<String, Value>, Flaw>>,
    source: &FileSource,
) -> Missing {
    let mut missing = Missing::default();
    let named = [Some(&source.question), source.answer.as_ref()];
    missing.columns.extend(named.into_iter().flatten().chain(&source.options).cloned());
    for image in &source.images {
        let inside = image.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name);
        let before = missing.columns.len();
        missing.columns.extend(inside.map(str::to_owned));
        if missing.columns.len() == before && !image.contains('{') {
            missing.columns.insert(image.clone());
        }
    }
    // A row that cannot be read says so itself, and tells nothing about columns.
    let mut read = false;
    for object in objects.flatten() {
        read = true;
        missing.columns.retain(|name| !object.contains_key(root(name, |name| object.contains_key(name))));
        if missing.columns.is_empty() {
            return Missing::default();
        }
        missing.known.extend(object.into_iter().map(|(name, _)| name).take(MOST_NAMED));
    }
    if read { missing } else { Missing::default() }
}

/// Columns per row that an error names.
const MOST_NAMED: usize = 50;

/// A path such as `{split}/{id}/{image}` with the row's own values; nothing where one of them is.
fn filled(object: &Map<String, Value>, template: &str) -> Value {
    let mut path = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else { break };
        path.push_str(before);
        match find(object, name) {
            Value::String(text) if !text.is_empty() => path.push_str(&text),
            Value::Number(number) => path.push_str(&number.to_string()),
            _ => return Value::Null,
        }
        rest = after;
    }
    Value::String(path + rest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_lead_into_nested_values_and_names_with_dots_come_first() {
        let object = json!({"a.b": 1, "a": {"b": 2, "c": [{"d": 3}]}, "operation/reasoning": 4});
        let object = object.as_object().unwrap();
        assert_eq!(find(object, "a.b"), json!(1));
        assert_eq!(find(object, "a.c.0.d"), json!(3));
        assert_eq!(find(object, "operation/reasoning"), json!(4));
        assert_eq!(find(object, "a.c.*.d"), json!([3]));
        assert_eq!(
            find(json!({"t": [{"u": [1, 2]}, {}, {"u": [3]}]}).as_object().unwrap(), "t.*.u.0"),
            json!([1, null, 3])
        );
        let turns =
            json!({"m": [{"role": "system", "c": 1}, {"role": "user", "c": 2}, {"from": "gpt", "c": 3}]});
        let turn = |path| find(turns.as_object().unwrap(), path);
        assert_eq!([turn("m.user.c"), turn("m.gpt.c"), turn("m.human.c")], [json!(2), json!(3), Value::Null]);
        for nowhere in ["a.b.*", "a.*.b", "a.c.1.d", "a.c.d", "x", "x.y", "a.b.c", "", "."] {
            assert_eq!(find(object, nowhere), Value::Null, "{nowhere}");
        }
        assert_eq!(
            filled(json!({"id": 7, "i": "x.png"}).as_object().unwrap(), "t/{id}/{i}"),
            json!("t/7/x.png")
        );
        for none in [Value::Null, json!("")] {
            assert_eq!(filled(json!({"id": 7, "i": none}).as_object().unwrap(), "t/{id}/{i}"), Value::Null);
        }
    }
}
