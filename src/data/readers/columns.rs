//! Columns of Arrow data, whichever file they came from, as the cells of a row.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    compute::cast,
    datatypes::{DataType, Field, Float64Type, Int64Type, Schema},
};
use serde_json::{Map, Value};

use super::{PictureCell, Pieces, RawRow, Unreadable, fields};
use crate::data::{
    clean::{Cells, Flaw},
    config::FileSource,
    root::MAX_PICTURE_BYTES,
};

/// What a dataset needs of a file's columns.
pub(super) struct Columns {
    source: FileSource,
    /// Numbers of the columns to read.
    pub(super) needed: Vec<usize>,
    /// Names of classes, by column: the numbers of these columns stand for them.
    classes: BTreeMap<String, Vec<String>>,
}

impl Columns {
    /// Checks that the columns are there and of a type that can be read.
    pub(super) fn new(schema: &Schema, source: &FileSource) -> Result<Self, Unreadable> {
        let known: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let index = |column: &str| -> Result<usize, Unreadable> {
            let root = fields::root(column, |name| known.contains(&name));
            schema.index_of(root).map_err(|_| Unreadable {
                column: Some(column.to_owned()),
                what: format!("there is no column `{column}`"),
                hint: Some(format!("there are `{}`", known.join("`, `"))),
            })
        };
        let wrong_type = |column: &str, needed: &str, found: &DataType| Unreadable {
            column: Some(column.to_owned()),
            what: format!("{needed} needed and the column holds {found}"),
            hint: None,
        };
        let question = index(&source.question)?;
        let found = schema.field(question).data_type();
        if schema.field(question).name() == &source.question && !is_text(found) {
            return Err(wrong_type(&source.question, "texts are", found));
        }
        let mut needed = vec![question];
        for column in source.options.iter().chain(&source.answer) {
            needed.push(index(column)?);
        }
        for column in &source.images {
            let at = index(column)?;
            let found = schema.field(at).data_type();
            if schema.field(at).name() == column && !holds_pictures(found) {
                return Err(wrong_type(column, "pictures are", found));
            }
            needed.push(at);
        }
        let classes = schema.metadata().get("huggingface").map(|text| classes(text)).unwrap_or_default();
        Ok(Self { source: source.clone(), needed, classes })
    }

    /// One row of a batch; `place`: where in the row's own file bytes in memory stand as they are, given with the piece of
    /// memory that they lie in.
    pub(super) fn row(
        &self,
        batch: &RecordBatch,
        row: usize,
        place: impl Fn(&[u8], &[u8]) -> Option<Pieces>,
    ) -> Result<RawRow, Flaw> {
        let schema = batch.schema();
        let is_there = |name: &str| schema.index_of(name).is_ok();
        let cell = |name: Option<&str>| -> Result<Value, Flaw> {
            let Some(name) = name else { return Ok(Value::Null) };
            let wrong = |what: String| Flaw::new(Some(name), what);
            let root = fields::root(name, is_there);
            let column =
                batch.column_by_name(root).ok_or_else(|| wrong("the column is missing".to_owned()))?;
            let whole = value(column, row).map_err(wrong)?;
            let found = if root == name { whole } else { fields::inside(whole, &name[root.len()..]) };
            let class = |names: &Vec<String>| names.get(usize::try_from(found.as_u64()?).ok()?).cloned();
            Ok(self.classes.get(name).and_then(class).map_or(found, Value::String))
        };
        let cells = Cells {
            question: cell(Some(&self.source.question))?,
            options: fields::options(&self.source.options, |name| cell(Some(name)))?,
            answer: cell(self.source.answer.as_deref())?,
        };
        let mut pictures = Vec::new();
        for name in &self.source.images {
            let wrong = |what: String| Flaw::new(Some(name), what);
            let root = fields::root(name, is_there);
            let column =
                batch.column_by_name(root).ok_or_else(|| wrong("the column is missing".to_owned()))?;
            let mut found = Vec::new();
            if root == name {
                collect_pictures(column, row, &place, &mut found).map_err(wrong)?;
            } else {
                let (column, row) = child(column, row, &name[root.len()..]).map_err(wrong)?;
                collect_pictures(&column, row, &place, &mut found).map_err(wrong)?;
            }
            pictures.extend(found.into_iter().map(|cell| (name.clone(), cell)));
        }
        Ok(RawRow { cells, pictures })
    }
}

/// The array and the place in it that `.a.0.b` leads to.
fn child(array: &ArrayRef, row: usize, path: &str) -> Result<(ArrayRef, usize), String> {
    let (mut array, mut row) = (Arc::clone(array), row);
    for part in path.split('.').skip(1) {
        if array.is_null(row) {
            break;
        }
        (array, row) = match array.data_type() {
            DataType::Struct(fields) => {
                let at = fields.iter().position(|f| f.name() == part);
                let at = at.ok_or_else(|| format!("there is no `{part}` in it"))?;
                (Arc::clone(array.as_struct().column(at)), row)
            }
            DataType::List(_) | DataType::LargeList(_) => {
                let list = match array.data_type() {
                    DataType::List(_) => array.as_list::<i32>().value(row),
                    _ => array.as_list::<i64>().value(row),
                };
                let at: usize = part.parse().map_err(|_| format!("`{part}` is no place in a list"))?;
                if at >= list.len() {
                    return Err(format!("the list has {} entries", list.len()));
                }
                (list, at)
            }
            other => return Err(format!("there is no `{part}` in {other}")),
        };
    }
    Ok((array, row))
}

/// Names of the classes of each column that Hugging Face marks as a label; nothing where the note is damaged.
fn classes(metadata: &str) -> BTreeMap<String, Vec<String>> {
    let metadata: Value = serde_json::from_str(metadata).unwrap_or_default();
    let features = metadata["info"]["features"].as_object().cloned().unwrap_or_default();
    let names = |feature: &Value| -> Option<Vec<String>> {
        (feature["_type"] == "ClassLabel").then_some(())?;
        feature["names"].as_array()?.iter().map(|name| Some(name.as_str()?.to_owned())).collect()
    };
    features.iter().filter_map(|(column, feature)| Some((column.clone(), names(feature)?))).collect()
}

pub(super) fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_text(values),
        other => matches!(other, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View),
    }
}

pub(super) fn holds_pictures(data_type: &DataType) -> bool {
    match data_type {
        DataType::Struct(fields) => fields.iter().any(|f| matches!(f.name().as_str(), "bytes" | "path")),
        DataType::List(inner) | DataType::LargeList(inner) => holds_pictures(inner.data_type()),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => true,
        other => is_text(other),
    }
}

/// One value as JSON holds it; numbers, texts, truth values and lists and structs of them.
pub(super) fn value(array: &ArrayRef, row: usize) -> Result<Value, String> {
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    let one = || array.slice(row, 1);
    let to = |data_type: DataType| {
        let cast = cast(&one(), &data_type).map_err(|e| e.to_string())?;
        // What does not fit becomes null, and the value behind a null is anything.
        if cast.is_null(0) {
            return Err(format!("a value of the type {} is too large to be read", array.data_type()));
        }
        Ok(cast)
    };
    Ok(match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).into(),
        DataType::Utf8View => array.as_string_view().value(row).into(),
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::Null => Value::Null,
        DataType::Dictionary(_, values) => {
            return value(&cast(&one(), values).map_err(|e| e.to_string())?, 0);
        }
        integer if integer.is_integer() => to(DataType::Int64)?.as_primitive::<Int64Type>().value(0).into(),
        number if number.is_numeric() => to(DataType::Float64)?.as_primitive::<Float64Type>().value(0).into(),
        DataType::List(_) => values(&array.as_list::<i32>().value(row))?,
        DataType::LargeList(_) => values(&array.as_list::<i64>().value(row))?,
        DataType::FixedSizeList(..) => values(&array.as_fixed_size_list().value(row))?,
        DataType::Struct(fields) => {
            let mut object = Map::new();
            for (field, child) in fields.iter().zip(array.as_struct().columns()) {
                object.insert(field.name().clone(), value(child, row)?);
            }
            Value::Object(object)
        }
        other => return Err(format!("values of the type {other} are not read")),
    })
}

fn values(list: &ArrayRef) -> Result<Value, String> {
    (0..list.len()).map(|i| value(list, i)).collect::<Result<Vec<Value>, String>>().map(Value::Array)
}

/// Where bytes lie in the file: they, and those around them, in; their pieces out.
type PlaceOf<'a> = dyn Fn(&[u8], &[u8]) -> Option<Pieces> + 'a;

/// Adds the pictures of one cell; empty cells add none. `place`: see [`Columns::row`].
pub(super) fn collect_pictures(
    array: &ArrayRef,
    row: usize,
    place: &PlaceOf,
    found: &mut Vec<PictureCell>,
) -> Result<(), String> {
    if array.is_null(row) {
        return Ok(());
    }
    let mut around: &[u8] = &[];
    let bytes: &[u8] = match array.data_type() {
        DataType::Binary => array.as_binary::<i32>().value(row),
        DataType::LargeBinary => array.as_binary::<i64>().value(row),
        DataType::BinaryView => {
            let array = array.as_binary_view();
            let value = array.value(row);
            // Short values are in the view itself; of others its third word is the number of a buffer.
            let buffer = (array.views()[row] >> 64) as u32 as usize;
            if value.len() > 12 {
                around = array.data_buffers().get(buffer).map_or(&[][..], |buffer| buffer.as_slice());
            }
            value
        }
        DataType::Struct(fields) => {
            let children = array.as_struct();
            let child = |name: &str| {
                let at = fields.iter().position(|field: &Arc<Field>| field.name() == name)?;
                Some(children.column(at)).filter(|child| !child.is_null(row))
            };
            // The path is where the picture once was; it counts only where the bytes are not here.
            return child("bytes")
                .or_else(|| child("path"))
                .map_or(Ok(()), |child| collect_pictures(child, row, place, found));
        }
        DataType::List(_) => return collect_list(&array.as_list::<i32>().value(row), place, found),
        DataType::LargeList(_) => return collect_list(&array.as_list::<i64>().value(row), place, found),
        _ => {
            let Value::String(path) = value(array, row)? else {
                return Err("a picture is needed".to_owned());
            };
            if path.trim().is_empty() {
                return Ok(());
            }
            found.push(PictureCell::Path(path));
            return Ok(());
        }
    };
    if bytes.len() as u64 > MAX_PICTURE_BYTES {
        return Err(format!("the picture has {} bytes; at most {MAX_PICTURE_BYTES} are read", bytes.len()));
    }
    found.push(PictureCell::Bytes(bytes.into(), place(bytes, around)));
    Ok(())
}

fn collect_list(list: &ArrayRef, place: &PlaceOf, found: &mut Vec<PictureCell>) -> Result<(), String> {
    (0..list.len()).try_for_each(|i| collect_pictures(list, i, place, found))
}

#[cfg(test)]
mod tests {
    use arrow::array::UInt64Array;

    use super::*;

    #[test]
    fn a_number_that_does_not_fit_is_an_error_and_not_another_number() {
        let array: ArrayRef = Arc::new(UInt64Array::from(vec![Some(7), Some(1 << 63), None]));
        assert_eq!(value(&array, 0), Ok(7.into()));
        let expected = "a value of the type UInt64 is too large to be read";
        assert_eq!(value(&array, 1), Err(expected.to_owned()));
        assert_eq!(value(&array, 2), Ok(Value::Null));
    }
}
