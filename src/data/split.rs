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
        Self::told(path).first().copied().unwrap_or(Self::Train)
    }

    /// The splits that a path names, of which the first counts: none, one, or several as in `train_val`.
    pub(super) fn told(path: &Path) -> Vec<Self> {
        let text = path.with_extension("").to_string_lossy().to_lowercase();
        // VQA's part of the test for development.
        let text = text.replace("test-dev", "testdev").replace("test_dev", "testdev");
        // `train2017` is COCO's part to train on.
        let word = |word| str::trim_end_matches(word, |c: char| c.is_ascii_digit());
        let words: BTreeSet<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).map(word).collect();
        let named = |split: &Self| split.words().iter().any(|word| words.contains(word));
        [Self::Train, Self::Validation, Self::Test].into_iter().filter(named).collect()
    }

    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Train => &["train", "training", "trainval"],
            Self::Validation => &["validation", "val", "valid", "dev", "eval", "minival"],
            Self::Test => &["test", "testmini", "testing", "testdev", "teststd"],
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_tell_their_split_or_none_or_several() {
        for (path, expected) in [
            ("annotations/instances_train2017.json", &[Split::Train][..]),
            ("annotations/instances_val2017.json", &[Split::Validation]),
            ("testdev.jsonl", &[Split::Test]),
            ("vqa_test-dev.jsonl", &[Split::Test]),
            ("train_val.jsonl", &[Split::Train, Split::Validation]),
            ("data/part-0.jsonl.gz", &[]),
            ("contest.jsonl", &[]),
        ] {
            assert_eq!(Split::told(Path::new(path)), expected, "{path}");
        }
    }
}
