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

/// What `.0.value` leads to inside a value; null where it leads nowhere. `*` leads into every entry of a list.
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
                _ => Value::Null,
            },
            Value::Object(mut object) => object.remove(part).unwrap_or_default(),
            _ => Value::Null,
        };
    }
    value
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
                // As Hugging Face writes a picture into JSON.
                Value::Object(mut parts) => ["bytes", "path", "url", "image"]
                    .iter()
                    .find_map(|part| parts.remove(*part).filter(|value| !value.is_null()))
                    .unwrap_or_default(),
                other => other,
            };
            let Value::String(path) = path else { return Err(wrong("a picture's path is needed")) };
            pictures.push((column.clone(), PictureCell::Path(path)));
        }
    }
    let column = |name: Option<&str>| name.map_or(Value::Null, |name| find(object, name));
    Ok(RawRow {
        cells: Cells {
            question: column(Some(&source.question)),
            options: column(source.options.as_deref()),
            answer: column(source.answer.as_deref()),
        },
        pictures,
    })
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
    let named = [Some(&source.question), source.answer.as_ref(), source.options.as_ref()];
    missing.columns.extend(named.into_iter().flatten().cloned());
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
            Value::String(text) => path.push_str(&text),
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
        for nowhere in ["a.b.*", "a.*.b", "a.c.1.d", "a.c.d", "x", "x.y", "a.b.c", "", "."] {
            assert_eq!(find(object, nowhere), Value::Null, "{nowhere}");
        }
        assert_eq!(
            filled(json!({"id": 7, "i": "x.png"}).as_object().unwrap(), "t/{id}/{i}"),
            json!("t/7/x.png")
        );
        assert_eq!(filled(json!({"id": 7, "i": null}).as_object().unwrap(), "t/{id}/{i}"), Value::Null);
    }
}
