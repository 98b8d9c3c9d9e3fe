//! A table of the catalogue becomes rows, whether they lie in files or are generated.

use std::path::Path;

use super::schedule::{Dataset, same_rows};
use crate::{
    data::{self, DatasetConfig, Portion, Role, Source},
    error::{Error, Result},
    name::Name,
    sample::{BadRow, Rows, Sample},
    seed::Seed,
    tasks::{BadTask, Generator, Part, TASKS},
};

/// What has to be said of datasets that draw the same rows, or whose rows are made from the same files.
pub fn shared<'a>(
    datasets: &[Dataset],
    configs: impl Iterator<Item = (&'a Name, &'a DatasetConfig)>,
) -> Vec<String> {
    let rows = same_rows(datasets);
    let files = data::same_files(configs).into_iter().filter(|pair| !rows.contains(pair));
    let files = files.map(|(one, other)| format!("`{other}` and `{one}` are read from the same files"));
    let same = |(one, other): &(&Name, &Name)| {
        format!("`{other}` and `{one}` have the same rows; each draws all of them, in the same order")
    };
    rows.iter().map(same).chain(files).collect()
}

/// Opens a dataset. `data_root`: the folder that its files are relative to; a generated one needs none. `cache`: a
/// folder for what is made of the files once, see [`data::open`].
///
/// [`Portion::All`] of a generated benchmark is its selection half followed by its report half.
pub fn open(
    name: &Name,
    config: &DatasetConfig,
    data_root: &Path,
    part: Portion,
    cache: Option<&Path>,
) -> Result<Box<dyn Rows>> {
    let Source::Task { name: task, settings, rows, seed } = &config.source else {
        return Ok(Box::new(data::open(name, config, data_root, part, cache)?));
    };
    let at = |error: Error| error.at(format!("dataset `{name}`"));
    // The generators have no settings of their own yet; asking the task refuses those that it does not know.
    let entry = TASKS.get(task).map_err(|error| at(Error::input(error)))?;
    (entry.build)(settings.clone()).map_err(|error| at(Error::input(error).at(format!("task `{task}`"))))?;
    let make = |part| -> Result<Generator> {
        Generator::new(task, part, Seed::new(*seed), *rows).map_err(|error: BadTask| at(Error::input(error)))
    };
    match (config.role, part) {
        (Role::Train, Portion::All) => Ok(Box::new(make(Part::Train)?)),
        (Role::Train, _) => Err(at(Error::input("only benchmarks have a selection and a report half"))),
        (_, Portion::Selection) => Ok(Box::new(make(Part::Selection)?)),
        (_, Portion::Report) => Ok(Box::new(make(Part::Report)?)),
        (_, Portion::All) => Ok(Box::new(Halves([make(Part::Selection)?, make(Part::Report)?]))),
    }
}

/// Both halves of a generated benchmark, one after the other.
struct Halves([Generator; 2]);

impl Rows for Halves {
    fn len(&self) -> u64 {
        self.0.iter().map(Rows::len).sum()
    }

    fn row(&self, index: u64) -> Result<Sample, BadRow> {
        let [selection, report] = &self.0;
        match index.checked_sub(selection.len()) {
            None => selection.row(index),
            Some(index) => report.row(index),
        }
    }

    fn content_hash(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for half in &self.0 {
            hasher.update(half.content_hash().as_bytes());
        }
        hasher.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Catalog;

    fn rows(name: &str, part: Portion) -> Result<Box<dyn Rows>> {
        let name: Name = name.parse().unwrap();
        open(&name, Catalog::embedded().get(&name)?, Path::new("."), part, None)
    }

    #[test]
    fn every_generated_dataset_of_the_catalogue_opens() {
        for (name, config) in Catalog::embedded().iter() {
            if let Source::Task { rows: count, .. } = config.source {
                let halves = if config.role == Role::Train { 1 } else { 2 };
                let opened = rows(name.as_str(), Portion::All).unwrap();
                assert_eq!(opened.len(), halves * count, "{name}");
                opened.row(opened.len() - 1).unwrap();
            }
        }
    }

    #[test]
    fn both_halves_of_a_benchmark_are_its_selection_and_its_report() {
        let [all, selection, report] =
            [Portion::All, Portion::Selection, Portion::Report].map(|part| rows("chart", part).unwrap());
        assert_eq!(all.row(7).unwrap(), selection.row(7).unwrap());
        assert_eq!(all.row(selection.len() + 7).unwrap(), report.row(7).unwrap());
        assert!(all.row(all.len()).is_err());
    }

    #[test]
    fn a_training_dataset_has_no_halves() {
        let error = rows("detect", Portion::Report).err().unwrap().to_string();
        assert!(error.contains("only benchmarks have"), "{error}");
    }

    #[test]
    fn an_unknown_task_and_settings_it_does_not_have_are_refused() {
        for (task, expected) in [
            ("'detct'", "no task is called `detct`; there are `detect`"),
            ("{ name = 'detect', size = 3 }", "unknown field `size`"),
        ] {
            let text = format!(
                "[x]\nrole = 'train'\ntask = {task}\nrows = 3\nverifier = 'boxes'\nprompt = '{{question}}'\nlicence = 'MIT'"
            );
            let catalog = Catalog::parse(&text, "test.toml");
            let name: Name = "x".parse().unwrap();
            let error = catalog
                .and_then(|catalog| {
                    open(&name, catalog.get(&name)?, Path::new("."), Portion::All, None).map(|_| ())
                })
                .unwrap_err()
                .to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
