//! Formats of files that hold rows: one file here and one line in [`READERS`] each.

mod arrow;
mod coco;
mod columns;
mod csv;
mod fields;
mod folder;
mod footer;
mod json;
mod jsonl;
mod pages;
mod parquet;
pub(super) mod peek;
mod reasonseg;
mod unpack;
mod webdataset;

use std::{ops::Range, path::Path, sync::Arc};

pub(super) use fields::{Missing, find, role};

use super::{
    clean::{Cells, Flaw},
    config::FileSource,
};
use crate::registry::{Entry, Named, Registry};

/// A format. One value reads all files of a dataset, so that they share what it keeps in memory.
pub trait Reader: Send + Sync {
    /// Opens one file. Errors say what is wrong with the file as a whole, without its name.
    fn open(&self, file: &Path, source: &FileSource) -> Result<Box<dyn Table>, Unreadable>;
}

/// The rows of one open file, in any order, from several threads.
pub trait Table: Send + Sync {
    /// How many rows the file has.
    fn len(&self) -> u64;

    /// How people find a row: `row 17`, `line 18`.
    fn place(&self, row: u64) -> String {
        format!("row {row}")
    }

    /// Columns of the dataset that no row has, for files that do not list their columns.
    fn missing(&self) -> Missing {
        Missing::default()
    }

    /// The values of row `row < len()`.
    fn row(&self, row: u64) -> Result<RawRow, Flaw>;

    /// Whether rows are cheap to read one after another only.
    fn is_sequential(&self) -> bool {
        false
    }

    /// The rows from `row < len()` on that are read together, at little more than the cost of one of them.
    fn run(&self, row: u64) -> Run {
        Run { end: (row + RUN).min(self.len()), bytes: 0 }
    }

    /// The values of the rows of a run, in order.
    fn rows(&self, rows: Range<u64>, each: &mut dyn FnMut(Result<RawRow, Flaw>)) {
        rows.for_each(|row| each(self.row(row)));
    }
}

/// Rows that are read together where a format has no units of its own.
const RUN: u64 = 64;

/// Rows that are read together; see [`Table::run`].
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// The first row after them.
    pub end: u64,
    /// Bytes that are in memory while they are read, as far as the file says so.
    pub bytes: u64,
}

/// A file that cannot be read as its format: the column where there is one, and what is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Unreadable {
    /// The column that is missing or of another type.
    pub column: Option<String>,
    /// What is wrong.
    pub what: String,
    /// What there is instead.
    pub hint: Option<String>,
}

impl Unreadable {
    fn new(what: impl std::fmt::Display) -> Self {
        Self { column: None, what: what.to_string(), hint: None }
    }
}

/// A row as its file holds it.
pub struct RawRow {
    /// Question, options, answer.
    pub cells: Cells,
    /// In their order, each with the column it stands in.
    pub pictures: Vec<(String, PictureCell)>,
}

/// Where in a file something stands, one piece after the other: first byte and number of bytes of each.
pub(super) type Pieces = Vec<(u64, u32)>;

/// A picture as a row holds it.
pub enum PictureCell {
    /// The encoded bytes themselves, and where in the row's own file they stand as they are, if they do.
    Bytes(Arc<[u8]>, Option<Pieces>),
    /// The path of a file, still to be checked.
    Path(String),
}

/// Every format.
pub const READERS: Registry<dyn Reader> = Registry {
    kind: "dataset format",
    entries: &[
        parquet::ENTRY, //
        arrow::ENTRY,
        jsonl::ENTRY,
        json::ENTRY,
        csv::ENTRY,
        coco::ENTRY,
        reasonseg::ENTRY,
        webdataset::ENTRY,
        folder::ENTRY,
    ],
};

/// The columns of a dataset are its table's own keys, so readers have no settings of their own.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct NoSettings {}

const fn entry<R: Named + Reader + 'static>() -> Entry<dyn Reader> {
    Entry { name: R::NAME, summary: R::SUMMARY, build: |table| Ok(Box::new(R::new(table.try_into()?)?)) }
}
