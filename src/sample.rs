//! A question about pictures with an answer that can be checked.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A picture as it came: encoded bytes are decoded once, at use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Picture {
    /// The bytes of a PNG, JPEG, WebP, GIF, BMP or TIFF file, untouched.
    Encoded(Arc<[u8]>),
    /// Eight-bit RGB, row by row, as procedural tasks draw it; `pixels.len() == 3 * width * height`.
    Rgb {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
        /// R, G, B of each pixel.
        pixels: Arc<[u8]>,
    },
}

impl Picture {
    /// Hash of the content, the key of caches; equal for equal bytes only.
    pub fn hash(&self) -> blake3::Hash {
        match self {
            Self::Encoded(bytes) => blake3::hash(bytes),
            Self::Rgb { width, height, pixels } => {
                let mut hasher = blake3::Hasher::new();
                hasher.update(b"rgb");
                hasher.update(&width.to_le_bytes());
                hasher.update(&height.to_le_bytes());
                hasher.update(pixels);
                hasher.finalize()
            }
        }
    }
}

/// A box in pixels of the original picture: left, top, right, bottom; right and bottom are exclusive edges.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rect {
    /// Left edge.
    pub x1: f64,
    /// Top edge.
    pub y1: f64,
    /// Right edge, `> x1`.
    pub x2: f64,
    /// Bottom edge, `> y1`.
    pub y2: f64,
}

/// The gold answer, as a type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "gold", rename_all = "snake_case")]
pub enum Answer {
    /// The letter of the right option, upper case.
    Choice(char),
    /// A finite number.
    Number(f64),
    /// Any one of these texts; never empty.
    Text(Vec<String>),
    /// All of these boxes, in pixels of the original picture; never empty.
    Boxes(Vec<Rect>),
    /// A LaTeX or plain expression.
    Expression(String),
}

impl Answer {
    /// The type's name, as files and the command line say it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Choice(_) => "choice",
            Self::Number(_) => "number",
            Self::Text(_) => "text",
            Self::Boxes(_) => "boxes",
            Self::Expression(_) => "expression",
        }
    }

    /// The number that `text` was read as, unless whole digits in it are more than 64 bits hold: an answer that differs in
    /// the last of them would be right.
    pub(crate) fn exact_number(number: f64, text: &str) -> Option<Self> {
        let digits = text.trim().trim_start_matches('+').replace(',', "");
        let unsigned = digits.trim_start_matches('-').trim_start_matches('0');
        let long = unsigned.len() > 15 && unsigned.bytes().all(|b| b.is_ascii_digit());
        let lost = long && (number.abs() as i128).to_string() != unsigned;
        (number.is_finite() && !lost).then_some(Self::Number(number))
    }

    /// The answer as a model would write it between `<answer>` tags: `B`, `12`, `left of`, `[[4,8,20,24]]`.
    pub fn written(&self) -> String {
        match self {
            Self::Choice(letter) => letter.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(texts) => texts.first().cloned().unwrap_or_default(),
            Self::Expression(text) => text.clone(),
            Self::Boxes(boxes) => {
                let written: Vec<String> =
                    boxes.iter().map(|b| format!("[{},{},{},{}]", b.x1, b.y1, b.x2, b.y2)).collect();
                format!("[{}]", written.join(","))
            }
        }
    }
}

/// One question.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Names the row for people: `geo3k/train-00000.parquet:17`, `chart/selection:203`.
    pub id: String,
    /// Pictures, in the order they stand before the text.
    pub pictures: Vec<Picture>,
    /// The question, without placeholders for pictures; for choices the options stand in it, unless the
    /// dataset's prompt template puts them there.
    pub question: String,
    /// The options of a `Choice`, in the order of their letters; empty for other answers.
    pub options: Vec<String>,
    /// What is right.
    pub answer: Answer,
}

/// Rows of a dataset, from files or generated, readable in any order from several threads.
pub trait Rows: Send + Sync {
    /// How many rows there are.
    fn len(&self) -> u64;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Row `index < len()`.
    fn row(&self, index: u64) -> Result<Sample, BadRow>;

    /// Hash of everything the rows are made from; the key of the dataset's row order. Names and folders do not enter.
    fn content_hash(&self) -> blake3::Hash;
}

/// A row that cannot be used: it is reported and the dataset's next one takes its place.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{place}: {what}")]
pub struct BadRow {
    /// File, row and column.
    pub place: String,
    /// What is wrong with it.
    pub what: String,
}
