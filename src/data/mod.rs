//! Datasets that people have: `datasets.toml` as types, and files of several formats as samples.
//!
//! [`config`] says what a dataset is, [`open`] turns one that lies in files into [`Rows`], [`picture`] decodes
//! what the rows carry, [`check`] reads a whole dataset and lists what is wrong with it. Files are untrusted:
//! nothing outside the data root is read, nothing is fetched, sizes are bounded, and a bad row is an error that
//! names file, row and column.

pub mod check;
mod clean;
pub mod config;
mod guard;
mod header;
mod in_order;
mod index;
pub mod overlap;
pub mod picture;
pub mod propose;
mod readers;
mod root;
mod rows;
mod split;

use std::path::Path;

pub(crate) use self::clean::parse_number;
pub use self::{
    config::{Catalog, DatasetConfig, Role, Source, same_files},
    readers::READERS,
    rows::{FileRows, Portion, is_there},
};
use crate::{error::Result, name::Name};

/// Opens a dataset that lies in files.
///
/// `root`: the folder that the patterns of the table are relative to. `cache`: a folder for the index of the rows,
/// which is made when the dataset is opened for the first time or its files have changed; without one every row is
/// read now, because the content hash is the key of the dataset's row order, and which half of a benchmark a row
/// belongs to is decided by its content.
/// Fails with the table's `where` as a hint if files are missing, and for a dataset that a task generates.
pub fn open(
    name: &Name,
    config: &DatasetConfig,
    root: &Path,
    portion: Portion,
    cache: Option<&Path>,
) -> Result<FileRows> {
    rows::open(name, config, root, portion, cache)
}
