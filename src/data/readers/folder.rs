//! Folders of pictures without any file of rows: the name of a picture's folder is its answer.

use std::path::Path;

use serde_json::Value;

use super::{NoSettings, PictureCell, RawRow, Reader, Table, Unreadable, entry};
use crate::{
    data::{
        clean::{Cells, Flaw},
        config::FileSource,
    },
    registry::{BuildError, Entry, Named},
};

pub(super) const ENTRY: Entry<dyn Reader> = entry::<Folder>();

struct Folder;

impl Named for Folder {
    const NAME: &'static str = "folder";
    const SUMMARY: &'static str =
        "Pictures in folders named after their answers; `question` is the same for all";
    type Config = NoSettings;

    fn new(NoSettings {}: NoSettings) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

impl Reader for Folder {
    fn open(&self, path: &Path, source: &FileSource) -> Result<Box<dyn Table>, Unreadable> {
        let name = |path: Option<&Path>| {
            path.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
        };
        Ok(Box::new(One {
            question: source.question.clone(),
            file: name(Some(path)),
            answer: name(path.parent()),
        }))
    }
}

struct One {
    question: String,
    file: String,
    answer: String,
}

impl Table for One {
    fn len(&self) -> u64 {
        1
    }

    fn row(&self, _: u64) -> Result<RawRow, Flaw> {
        Ok(RawRow {
            cells: Cells {
                question: self.question.clone().into(),
                options: Value::Null,
                answer: self.answer.clone().into(),
            },
            pictures: vec![("file".to_owned(), PictureCell::Path(self.file.clone()))],
        })
    }
}
