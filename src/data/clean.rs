//! From the values of one row, as a file holds them, to a typed sample.

use serde_json::{Map, Value};

use super::{
    config::{AnswerIs, AnswerType, Coordinates, FileSource, Layout},
    picture,
};
use crate::sample::{Answer, Picture, Rect, Sample};

/// Most bytes of text in one row: question, options and answer together.
const MAX_TEXT: usize = 1024 * 1024;

/// Most options, one per letter.
const MAX_OPTIONS: usize = 26;

/// Most boxes of one answer.
const MAX_BOXES: usize = 10_000;

/// The mark before the answer of GSM8K's solutions.
pub(super) const HASHES: &str = "####";

/// The command around the answer of a solution in LaTeX.
pub(super) const BOXED: &str = "\\boxed";

/// What a cell lacks: its column and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Where there is one.
    pub column: Option<String>,
    /// What is wrong.
    pub what: String,
}

impl Flaw {
    pub(super) fn new(column: Option<&str>, what: impl Into<String>) -> Self {
        Self { column: column.map(str::to_owned), what: what.into() }
    }
}

/// Question, options and answer of one row; absent values are `Value::Null`.
pub struct Cells {
    /// A text.
    pub question: Value,
    /// A list of texts, or a text that holds one.
    pub options: Value,
    /// Whatever the answer type is read from.
    pub answer: Value,
}

/// The typed sample of a row.
pub(super) fn sample(
    source: &FileSource,
    id: String,
    cells: Cells,
    pictures: Vec<Picture>,
) -> Result<Sample, Flaw> {
    let question_column = Some(source.question.as_str());
    let options_column = source.options.first().map(String::as_str);
    let answer_column = source.answer.as_deref();
    let in_question = |what: String| Flaw::new(question_column, what);
    let in_answer = |what: String| Flaw::new(answer_column, what);
    let size = text_size(&cells.question) + text_size(&cells.options) + text_size(&cells.answer);
    if size > MAX_TEXT {
        return Err(Flaw::new(
            None,
            format!("the row has {size} bytes of text; at most {MAX_TEXT} are read"),
        ));
    }
    let question = spoken(&cells.question).map_or(cells.question, Value::String);
    let question = without_placeholders(text(&question).map_err(in_question)?);
    if question.is_empty() {
        return Err(in_question("the question is empty".to_owned()));
    }
    let options = options(&cells.options).map_err(|what| Flaw::new(options_column, what))?;
    let gold = spoken(&cells.answer).map_or(cells.answer, Value::String);
    let answer_value = match (&source.answer_in, single(&gold)) {
        (Some(mark), Value::String(text)) => Value::String(marked(text, mark).map_err(in_answer)?),
        _ => gold,
    };
    let answer = answer(source, &answer_value, &options, &pictures).map_err(in_answer)?;
    let is_choice = matches!(answer, Answer::Choice(_));
    let options = if is_choice { options } else { Vec::new() };
    let question = if source.options_in_question && tells_more_than_letters(&options) {
        format!("{question}\n{}", lettered(&options))
    } else {
        question
    };
    Ok(Sample { id, pictures, question, options, answer })
}

/// Options as lines: `A. text`.
pub(super) fn lettered(options: &[String]) -> String {
    let lines: Vec<String> =
        options.iter().enumerate().map(|(i, text)| format!("{}. {text}", letter(i))).collect();
    lines.join("\n")
}

/// Options that stand in the picture are listed as `A`, `B`, … in some sets: writing them again tells nothing.
fn tells_more_than_letters(options: &[String]) -> bool {
    options.iter().enumerate().any(|(i, text)| *text != letter(i).to_string())
}

fn letter(index: usize) -> char {
    char::from(b'A' + index as u8)
}

/// The words of a turn that is a list of parts, as OpenAI writes it: `[{"type": "image"}, {"type": "text", "text": …}]`.
pub(super) fn spoken(turn: &Value) -> Option<String> {
    let parts = turn.as_array()?;
    let is_text = |part: &&Value| part.get("type").is_some_and(|kind| kind == "text");
    let words: Vec<&str> =
        parts.iter().filter(is_text).filter_map(|part| part.get("text")?.as_str()).collect();
    (!words.is_empty()).then(|| words.join("\n"))
}

/// A list of one stands for its entry: some sets wrap every answer so.
pub(super) fn single(value: &Value) -> &Value {
    value.as_array().and_then(|items| <&[Value; 1]>::try_from(&items[..]).ok()).map_or(value, |[one]| one)
}

fn text(value: &Value) -> Result<&str, String> {
    match value {
        Value::String(text) => Ok(text),
        Value::Null => Err("there is no value".to_owned()),
        other => Err(format!("a text is needed and this is {}", kind_of(other))),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

fn text_size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(text_size).sum(),
        Value::Object(items) => items.values().map(text_size).sum(),
        _ => 8,
    }
}

/// Takes out `<image>`, `<image1>` and `<image 1>`: pictures stand before the text.
fn without_placeholders(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("<image") {
        out.push_str(&rest[..at]);
        let after = rest[at + "<image".len()..]
            .trim_start_matches(' ')
            .trim_start_matches(|c: char| c.is_ascii_digit());
        if let Some(after) = after.strip_prefix('>') {
            rest = after;
        } else {
            out.push_str("<image");
            rest = &rest[at + "<image".len()..];
        }
    }
    out.push_str(rest);
    out.trim().to_owned()
}

/// The gold in a text around it; `mark`: what [`super::config::FileSource::answer_in`] may be.
///
/// A solution without its mark is no answer: all of it would be the gold, and no completion right.
pub(super) fn marked(text: &str, mark: &str) -> Result<String, String> {
    match mark {
        HASHES => {
            let after = text.rsplit_once(HASHES).map(|(_, after)| after.trim());
            let line = after.map(|after| after.lines().next().unwrap_or_default().trim().to_owned());
            line.ok_or_else(|| format!("there is no `{HASHES}` in the answer"))
        }
        BOXED => last_boxed(text).ok_or_else(|| format!("there is no whole `{BOXED}{{…}}` in the answer")),
        tag => inside_tag(text, tag),
    }
}

/// What the last `\boxed{…}` holds.
fn last_boxed(text: &str) -> Option<String> {
    let inside = text[text.rfind(BOXED)? + BOXED.len()..].trim_start().strip_prefix('{')?;
    let (mut depth, mut escaped) = (0_usize, false);
    for (at, c) in inside.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '{' => depth += 1,
            '}' if depth == 0 => return Some(inside[..at].trim().to_owned()),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// What stands between the tag and its closing tag; the text itself where it has neither of them.
fn inside_tag(text: &str, open: &str) -> Result<String, String> {
    let close = format!("</{}", open.trim_start_matches('<'));
    let inside = match (text.find(open), text.rfind(&close)) {
        (None, None) => text,
        (Some(start), Some(end)) if start + open.len() <= end => &text[start + open.len()..end],
        _ => return Err(format!("the answer is not between {open} and {close}")),
    };
    Ok(inside.trim().to_owned())
}

pub(super) fn options(value: &Value) -> Result<Vec<String>, String> {
    let is_blank =
        |value: &Value| value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty());
    let list = match value {
        blank if is_blank(blank) => return Ok(Vec::new()),
        // Where others have four options and this row three, the fourth is empty.
        Value::Array(items) => {
            let last = items.iter().rposition(|item| !is_blank(item)).map_or(0, |last| last + 1);
            items[..last].iter().map(as_text).collect::<Result<Vec<String>, String>>()?
        }
        Value::Object(table) => return options(&by_letter(table)?),
        Value::String(text) => match serde_json::from_str(text) {
            Ok(Value::Object(table)) => return options(&by_letter(&table)?),
            _ => list_literal(text)?,
        },
        other => return Err(format!("a list of options is needed and this is {}", kind_of(other))),
    };
    if list.len() > MAX_OPTIONS {
        return Err(format!("{} options; there are {MAX_OPTIONS} letters", list.len()));
    }
    Ok(list.iter().map(|option| without_placeholders(option)).collect())
}

/// The options of a table by letter: `{"A": "cat", "B": "dog"}`.
fn by_letter(table: &Map<String, Value>) -> Result<Value, String> {
    let mut options: Vec<(String, &Value)> =
        table.iter().map(|(key, option)| (key.trim().to_ascii_uppercase(), option)).collect();
    options.sort_by(|a, b| a.0.cmp(&b.0));
    let lettered = |(at, (key, _)): (usize, &(String, &Value))| *key == letter(at).to_string();
    if options.len() > MAX_OPTIONS || !options.iter().enumerate().all(lettered) {
        let keys: Vec<&str> = table.keys().take(MAX_OPTIONS).map(String::as_str).collect();
        return Err(format!(
            "options by letter are needed (`A`, `B`, …) and this has `{}`",
            keys.join("`, `")
        ));
    }
    Ok(options.into_iter().map(|(_, option)| option.clone()).collect())
}

/// A number as its digits, a text as it is.
fn as_text(value: &Value) -> Result<String, String> {
    match value {
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(truth) => Ok(truth.to_string()),
        other => text(other).map(|text| text.trim().to_owned()),
    }
}

/// A list of texts written as Python or JSON writes it, as MMMU keeps its options: `['a', "b's", '\\alpha']`.
fn list_literal(text: &str) -> Result<Vec<String>, String> {
    let wrong = || "the text is no list of options such as ['a', 'b']".to_owned();
    let inner = text.trim().strip_prefix('[').and_then(|t| t.strip_suffix(']')).ok_or_else(wrong)?;
    let mut list = Vec::new();
    let mut chars = inner.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace() || *c == ',').is_some() {}
        let Some(first) = chars.next() else { return Ok(list) };
        let mut item = String::new();
        if "[{(".contains(first) {
            // Lists in the list: commas inside them would cut them to pieces.
            return Err(wrong());
        }
        if first != '\'' && first != '"' {
            item.push(first);
            while let Some(c) = chars.next_if(|c| *c != ',') {
                item.push(c);
            }
            list.push(item.trim().to_owned());
            continue;
        }
        loop {
            match chars.next().ok_or_else(wrong)? {
                c if c == first => break,
                '\\' => match chars.next().ok_or_else(wrong)? {
                    'n' => item.push('\n'),
                    't' => item.push('\t'),
                    c @ ('\'' | '"' | '\\') => item.push(c),
                    c => item.extend(['\\', c]),
                },
                c => item.push(c),
            }
        }
        list.push(item.trim().to_owned());
    }
}

fn answer(
    source: &FileSource,
    value: &Value,
    options: &[String],
    pictures: &[Picture],
) -> Result<Answer, String> {
    if value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty()) {
        return Err("the row has no answer".to_owned());
    }
    // Of a text any entry of a list is right.
    let value = match (source.answer_type, single(value)) {
        (AnswerType::Choice | AnswerType::Number | AnswerType::Expression, Value::Array(items)) => {
            return Err(format!("one answer is needed and this is a list of {}", items.len()));
        }
        (AnswerType::Choice | AnswerType::Number | AnswerType::Expression, one) => one,
        _ => value,
    };
    match source.answer_type {
        AnswerType::Choice => choice(source.answer_is, value, options),
        AnswerType::Number => number(value).ok_or_else(|| {
            let long = as_text(value).is_ok_and(|text| text.bytes().filter(u8::is_ascii_digit).count() > 15);
            let hint = if long { " that 64 bits hold; `answer_type = \"expression\"` is exact" } else { "" };
            format!("`{}` is no number{hint}", short(value))
        }),
        AnswerType::Text => texts(value),
        AnswerType::Expression => as_text(value).map(Answer::Expression),
        AnswerType::Boxes => boxes(source, value, pictures),
        AnswerType::Auto => by_content(source.answer_is, value, options),
    }
}

fn by_content(answer_is: AnswerIs, value: &Value, options: &[String]) -> Result<Answer, String> {
    let value = single(value);
    let written = as_text(value)?;
    // A lone letter without options: they stand in the picture.
    let lone_letter = matches!(written.as_bytes(), [b'A'..=b'J']);
    if !options.is_empty() || lone_letter {
        return choice(answer_is, value, options);
    }
    if let Some(number) = number(value) {
        return Ok(number);
    }
    let mathematical = written.contains(|c: char| c.is_ascii_digit() || "\\^=$".contains(c));
    Ok(if mathematical { Answer::Expression(written) } else { Answer::Text(vec![written]) })
}

pub(super) fn choice(answer_is: AnswerIs, value: &Value, options: &[String]) -> Result<Answer, String> {
    if let AnswerIs::Index | AnswerIs::Ordinal = answer_is {
        let first = u64::from(answer_is == AnswerIs::Ordinal);
        let index = whole(value).and_then(|number| number.checked_sub(first));
        let index = index.filter(|index| *index < options.len() as u64);
        return index.map(|index| Answer::Choice(letter(index as usize))).ok_or_else(|| {
            let other = if first == 0 { "ordinal" } else { "index" };
            format!(
                "`{}` is none of {} options counted from {first}; `answer_is = \"{other}\"` counts from {}",
                short(value),
                options.len(),
                1 - first
            )
        });
    }
    let written = as_text(value)?;
    let by_letter = match written.trim_matches(['(', ')', '.', ' ']).as_bytes() {
        // Without options in the row they stand in the question or the picture, and any letter will do.
        [c @ b'A'..=b'Z'] if options.is_empty() || usize::from(c - b'A') < options.len() => {
            Some(char::from(*c))
        }
        _ => None,
    };
    let by_text = options.iter().position(|option| *option == written).map(letter);
    let twice = options.iter().filter(|option| **option == written).count() > 1;
    let found = match answer_is {
        AnswerIs::Letter => by_letter,
        _ if twice => return Err(format!("`{}` is the text of two options", short(value))),
        AnswerIs::Option => by_text,
        _ => match (by_letter, by_text) {
            (Some(letter), Some(text)) if letter != text => {
                return Err(format!(
                    "`{written}` is the text of option {text} and the letter of another: set `answer_is`"
                ));
            }
            (letter, text) => letter.or(text),
        },
    };
    found
        .map(Answer::Choice)
        .ok_or_else(|| format!("`{}` is none of the {} options", short(value), options.len()))
}

/// A whole number from 0 on, in whatever way tables hold it: pandas makes decimals of a column with a gap.
pub(super) fn whole(value: &Value) -> Option<u64> {
    let decimal = || value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..1e9).contains(number));
    value
        .as_u64()
        .or_else(|| value.as_str()?.trim().parse().ok())
        .or_else(|| decimal().map(|number| number as u64))
}

/// A finite number, with thousands separators where they stand right: `-1,234.5`. None where 64 bits do not hold its digits.
pub(super) fn number(value: &Value) -> Option<Answer> {
    match value {
        Value::Number(number) => Answer::exact_number(number.as_f64()?, &number.to_string()),
        Value::String(text) => {
            // GEOQA writes degrees in some rows and leaves them out in others.
            let text = text.trim().trim_end_matches('°').trim_end();
            Answer::exact_number(parse_number(text)?, text)
        }
        _ => None,
    }
}

/// A decimal number with thousands separators where they stand right.
pub(crate) fn parse_number(text: &str) -> Option<f64> {
    // `inf`, `nan` and `1e5` parse as numbers in Rust; as gold answers they are texts.
    if !text.bytes().all(|b| b.is_ascii_digit() || b"+-.,".contains(&b)) {
        return None;
    }
    let (whole, fraction) =
        text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut groups = whole.trim_start_matches(['+', '-']).split(',');
    let separated = whole.contains(',');
    let first_fits = groups.next().is_some_and(|first| !separated || (1..=3).contains(&first.len()));
    if !first_fits || groups.any(|group| group.len() != 3) || fraction.is_some_and(|f| f.contains(',')) {
        return None;
    }
    text.replace(',', "").parse().ok()
}

fn texts(value: &Value) -> Result<Answer, String> {
    let list = match value {
        Value::Array(items) => items.iter().map(as_text).collect::<Result<Vec<String>, String>>()?,
        one => vec![as_text(one)?],
    };
    let list: Vec<String> = list.into_iter().filter(|text| !text.is_empty()).collect();
    if list.is_empty() { Err("the row has no answer".to_owned()) } else { Ok(Answer::Text(list)) }
}

/// Boxes as lists of four numbers, one or several, or as tables with `Position`; also inside a text.
fn boxes(source: &FileSource, value: &Value, pictures: &[Picture]) -> Result<Answer, String> {
    let parsed;
    let value = match value {
        // Visual-RFT writes Python: single quotes around keys, no other quotes.
        Value::String(text) => {
            parsed = serde_json::from_str::<Value>(&text.replace('\'', "\""))
                .map_err(|_| format!("`{}` is no list of boxes", short(value)))?;
            &parsed
        }
        other => other,
    };
    let items: Vec<&Value> = match value {
        Value::Array(items) if !items.first().is_some_and(Value::is_number) => items.iter().collect(),
        Value::Array(_) | Value::Object(_) => vec![value],
        _ => return Err(format!("`{}` is no list of boxes", short(value))),
    };
    if items.is_empty() || items.len() > MAX_BOXES {
        return Err(format!("{} boxes; there must be 1 to {MAX_BOXES}", items.len()));
    }
    let (sx, sy) = match source.boxes.coordinates {
        Coordinates::Pixels => (1.0, 1.0),
        relative => {
            let picture = pictures.first().ok_or("boxes in relative coordinates need a picture")?;
            let (width, height) = picture::size(picture).map_err(|e| e.to_string())?;
            let unit = if relative == Coordinates::Rel1 { 1.0 } else { 1000.0 };
            (f64::from(width) / unit, f64::from(height) / unit)
        }
    };
    let mut list = Vec::with_capacity(items.len());
    for item in items {
        let numbers = ["Position", "bbox", "bbox_2d"].iter().find_map(|key| item.get(key)).unwrap_or(item);
        let numbers: Vec<f64> =
            numbers.as_array().map_or(&[][..], Vec::as_slice).iter().filter_map(Value::as_f64).collect();
        let [a, b, c, d] = numbers[..] else {
            return Err(format!("`{}` is no box of four numbers", short(item)));
        };
        let (x2, y2) = if source.boxes.layout == Layout::Xywh { (a + c, b + d) } else { (c, d) };
        let rect = Rect { x1: a * sx, y1: b * sy, x2: x2 * sx, y2: y2 * sy };
        let finite = [rect.x1, rect.y1, rect.x2, rect.y2].iter().all(|v| v.is_finite());
        if !finite || rect.x1 >= rect.x2 || rect.y1 >= rect.y2 {
            return Err(format!("the box `{}` is empty or turned round", short(item)));
        }
        list.push(rect);
    }
    Ok(Answer::Boxes(list))
}

fn short(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.chars().take(60).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_may_have_thousands_separators_in_their_places_only() {
        let read = |text: &str| parse_number(text);
        assert_eq!(read("6,830"), Some(6830.0));
        assert_eq!(read("-2,825.35"), Some(-2825.35));
        assert_eq!(read("14.40"), Some(14.4));
        for text in
            ["5/18", "1,2", "1,23,456", "12:30", "nan", "inf", "1e5", "", "-", ",123", "1.2,345", "0001,234"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn placeholders_for_pictures_go_and_other_text_stays() {
        assert_eq!(without_placeholders("<image>How many?"), "How many?");
        assert_eq!(without_placeholders("Look\n<image1>\n<image 12>"), "Look");
        assert_eq!(without_placeholders("<imagery> <image"), "<imagery> <image");
    }

    #[test]
    fn a_choice_is_read_by_letter_text_or_index_and_never_guessed() {
        let options = ["B".to_owned(), "A".to_owned(), "x".to_owned()];
        let read = |is, value: Value| choice(is, &value, &options);
        assert_eq!(read(AnswerIs::Letter, json!("A")), Ok(Answer::Choice('A')));
        assert_eq!(read(AnswerIs::Option, json!("A")), Ok(Answer::Choice('B')));
        assert_eq!(read(AnswerIs::Index, json!(2)), Ok(Answer::Choice('C')));
        for (value, letter) in [(json!("0"), 'A'), (json!(1.0), 'B')] {
            assert_eq!(read(AnswerIs::Index, value), Ok(Answer::Choice(letter)));
        }
        for (value, letter) in [(json!("1"), 'A'), (json!(3), 'C')] {
            assert_eq!(read(AnswerIs::Ordinal, value), Ok(Answer::Choice(letter)));
        }
        let error = read(AnswerIs::Index, json!(3)).unwrap_err();
        assert_eq!(error, "`3` is none of 3 options counted from 0; `answer_is = \"ordinal\"` counts from 1");
        assert_eq!(read(AnswerIs::Either, json!("x")), Ok(Answer::Choice('C')));
        assert_eq!(read(AnswerIs::Either, json!("(C)")), Ok(Answer::Choice('C')));
        for (is, value) in [
            (AnswerIs::Either, json!("A")),
            (AnswerIs::Either, json!("D")),
            (AnswerIs::Letter, json!("x")),
            (AnswerIs::Option, json!("y")),
            (AnswerIs::Index, json!(3)),
            (AnswerIs::Ordinal, json!(0)),
            (AnswerIs::Ordinal, json!(4)),
            (AnswerIs::Index, json!(-1)),
            (AnswerIs::Index, json!(0.5)),
        ] {
            assert!(read(is, value.clone()).is_err(), "{is:?} {value}");
        }
    }

    #[test]
    fn tags_around_an_answer_go_and_half_a_pair_is_an_error() {
        assert_eq!(inside_tag("<answer> 12 </answer>", "<answer>").unwrap(), "12");
        assert_eq!(inside_tag("so <answer>a</answer>.", "<answer>").unwrap(), "a");
        assert_eq!(inside_tag(" 12", "<answer>").unwrap(), "12");
        for text in ["<answer> 12", "12</answer>", "</answer>12<answer>"] {
            assert!(inside_tag(text, "<answer>").is_err(), "{text}");
        }
    }

    #[test]
    fn the_answer_of_a_solution_is_taken_from_behind_its_mark_and_a_solution_without_one_is_an_error() {
        let read = |text: &str, mark: &str| marked(text, mark).unwrap();
        assert_eq!(read("We get 3+4.\n#### 7", HASHES), "7");
        assert_eq!(read("#### 1\nNo:\n#### 1,200\nThat is all.", HASHES), "1,200");
        assert_eq!(read(r"So $\boxed{1}$, no, \boxed {\frac{1}{2}}.", BOXED), r"\frac{1}{2}");
        assert_eq!(read(r"\boxed{\{1, 2\}}", BOXED), r"\{1, 2\}");
        assert_eq!(read("<answer>7</answer>", "<answer>"), "7");
        for (text, mark) in [("7", HASHES), ("7", BOXED), (r"\boxed{7", BOXED), (r"\boxed 7", BOXED)] {
            assert!(marked(text, mark).is_err(), "{text}");
        }
    }

    #[test]
    fn options_are_a_list_or_a_table_by_letter_and_empty_ones_at_the_end_are_none() {
        let three = ["cat", "dog", "cow"].map(str::to_owned).to_vec();
        for value in [
            json!(["cat", "dog", "cow", null]),
            json!(["cat", "dog", "cow", " ", ""]),
            json!({"B": "dog", "A": "cat", "C": "cow", "D": null}),
            json!({"a": "cat", "b": "dog", "c": "cow"}),
            json!(r#"{"A": "cat", "B": "dog", "C": "cow"}"#),
            json!("['cat', 'dog', 'cow']"),
        ] {
            assert_eq!(options(&value), Ok(three.clone()), "{value}");
        }
        let error = options(&json!({"A": "cat", "C": "cow"})).unwrap_err();
        assert_eq!(error, "options by letter are needed (`A`, `B`, …) and this has `A`, `C`");
        assert_eq!(options(&json!([null, ""])), Ok(Vec::new()));
    }

    #[test]
    fn a_list_of_one_is_its_entry_and_a_turn_of_parts_is_its_words() {
        assert_eq!(single(&json!(["7"])), &json!("7"));
        assert_eq!(single(&json!(["7", "8"])), &json!(["7", "8"]));
        let turn = json!([{"type": "image", "image": "a.png"}, {"type": "text", "text": "What?"}]);
        assert_eq!(spoken(&turn), Some("What?".to_owned()));
        assert_eq!(spoken(&json!([{"type": "image"}])), None);
        assert_eq!(spoken(&json!("What?")), None);
    }

    #[test]
    fn a_python_list_written_as_text_is_read_as_python_would() {
        let text = r#"['$6', "Tom's", 'a, b', '\\alpha', 'it\'s', 4]"#;
        assert_eq!(list_literal(text).unwrap(), ["$6", "Tom's", "a, b", r"\alpha", "it's", "4"]);
        assert_eq!(list_literal("[]").unwrap(), Vec::<String>::new());
        assert!(list_literal("['a").is_err() && list_literal("['a]").is_err());
    }

    #[test]
    fn answers_of_several_types_are_told_apart_by_their_content() {
        let read = |text: &str, options: &[&str]| {
            let options: Vec<String> = options.iter().map(|&o| o.to_owned()).collect();
            by_content(AnswerIs::Either, &json!(text), &options).unwrap()
        };
        assert_eq!(read("no", &["yes", "no"]), Answer::Choice('B'));
        assert_eq!(read("C", &[]), Answer::Choice('C'));
        assert_eq!(read("6,830", &[]), Answer::Number(6830.0));
        assert_eq!(read("5/18", &[]), Answer::Expression("5/18".to_owned()));
        // More digits than 64 bits hold.
        assert_eq!(read("9007199254740992", &[]), Answer::Number(9_007_199_254_740_992.0));
        let long = "12345678901234567891";
        assert_eq!(read(long, &[]), Answer::Expression(long.to_owned()));
        assert_eq!(read(r"\sqrt{2}", &[]), Answer::Expression(r"\sqrt{2}".to_owned()));
        assert_eq!(read("Sunday", &[]), Answer::Text(vec!["Sunday".to_owned()]));
    }
}
