//! Parts of a dataset, by what its files are called.

use std::{collections::BTreeSet, path::Path, str::FromStr};

/// A part of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Split {
    Train,
    Validation,
    Test,
}

impl Split {
    /// `path`: below the folder of the dataset. Files that say nothing are to train on.
    pub(super) fn of(path: &Path) -> Self {
        let text = path.with_extension("").to_string_lossy().to_lowercase();
        let words: BTreeSet<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        [Self::Train, Self::Validation, Self::Test]
            .into_iter()
            .find(|split| split.words().iter().any(|word| words.contains(word)))
            .unwrap_or(Self::Train)
    }

    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Train => &["train", "training"],
            Self::Validation => &["validation", "val", "valid", "dev", "eval", "minival"],
            Self::Test => &["test", "testmini", "testing"],
        }
    }

    /// As names of datasets end.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "val",
            Self::Test => "test",
        }
    }
}

impl FromStr for Split {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let known = [Self::Train, Self::Validation, Self::Test];
        let split = known.into_iter().find(|split| split.words().contains(&word));
        split.ok_or_else(|| format!("there is no split `{word}`; there are `train`, `validation` and `test`"))
    }
}
