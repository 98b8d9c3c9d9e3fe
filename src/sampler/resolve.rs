//! From a draw to its sample, whatever state the files are in.

use super::schedule::{Draw, Schedule};
use crate::{
    name::Name,
    sample::{BadRow, Rows, Sample},
};

/// Rows tried for one draw before the dataset counts as broken.
pub const MOST_REPLACED: u64 = 64;

/// The sample of a draw.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The sample.
    pub sample: Sample,
    /// The row it came from: that of the draw, unless rows were replaced.
    pub row: u64,
    /// Rows that could not be read, in the order they were tried.
    pub replaced: Vec<Replaced>,
}

/// A row that could not be used, for the run's record.
#[derive(Clone, Debug)]
pub struct Replaced {
    /// The draw.
    pub n: u64,
    /// Its dataset.
    pub dataset: Name,
    /// The row.
    pub row: u64,
    /// What is wrong with it.
    pub error: BadRow,
}

/// A draw for which no row can be read.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "no sample for draw {n} of the dataset `{dataset}`: {tried} rows in a row cannot be read, the last because of {last}"
)]
pub struct Unreadable {
    /// The draw.
    pub n: u64,
    /// Its dataset.
    pub dataset: Name,
    /// Rows tried.
    pub tried: u64,
    /// What is wrong with the last one.
    pub last: BadRow,
}

/// The sample of `draw`; `datasets` holds the rows of each dataset in the order of [`Schedule::datasets`].
///
/// A row that cannot be read is replaced by the one that the same dataset draws next, so that shares stay exact and
/// the result is the same on every machine. That next row is drawn again when its own turn comes.
pub fn resolve(schedule: &Schedule, draw: &Draw, datasets: &[&dyn Rows]) -> Result<Resolved, Unreadable> {
    let dataset = &schedule.datasets()[draw.dataset];
    let mut replaced: Vec<Replaced> = Vec::new();
    // The ordinals of one pass are different rows; stopping after as many as there are rows tries each at most once,
    // or twice where a pass ends in between.
    for ordinal in draw.ordinal..draw.ordinal + dataset.rows.min(MOST_REPLACED) {
        let row = schedule.row(draw.dataset, ordinal).unwrap_or(draw.row);
        match read(datasets[draw.dataset], row, &dataset.name) {
            Ok(sample) => return Ok(Resolved { sample, row, replaced }),
            Err(error) => replaced.push(Replaced { n: draw.n, dataset: dataset.name.clone(), row, error }),
        }
    }
    let last = replaced.pop().expect("a dataset that is drawn has at least one row").error;
    Err(Unreadable { n: draw.n, dataset: dataset.name.clone(), tried: replaced.len() as u64 + 1, last })
}

fn read(rows: &dyn Rows, row: u64, dataset: &Name) -> Result<Sample, BadRow> {
    if row >= rows.len() {
        // The files have shrunk since the schedule was made.
        let what = format!("there are only {} rows now", rows.len());
        return Err(BadRow { place: format!("dataset {dataset}, row {row}"), what });
    }
    rows.row(row)
}

#[cfg(test)]
mod tests {
    use super::{
        super::schedule::{Dataset, Settings},
        *,
    };
    use crate::{mixture::Mixture, sample::Answer, seed::Seed};

    /// `rows` rows, of which those in `bad` cannot be read.
    struct Fake {
        rows: u64,
        bad: Vec<u64>,
    }

    impl Rows for Fake {
        fn len(&self) -> u64 {
            self.rows
        }

        fn row(&self, index: u64) -> Result<Sample, BadRow> {
            if self.bad.contains(&index) {
                return Err(BadRow {
                    place: format!("row {index}"),
                    what: "the picture is cut off".to_owned(),
                });
            }
            let (pictures, options) = (Vec::new(), Vec::new());
            let answer = Answer::Number(index as f64);
            Ok(Sample { id: index.to_string(), pictures, question: String::new(), options, answer })
        }

        fn content_hash(&self) -> blake3::Hash {
            blake3::hash(b"fake")
        }
    }

    #[test]
    fn a_bad_row_is_replaced_by_the_one_drawn_next() {
        let schedule = schedule(100);
        let draws: Vec<Draw> = schedule.draws(0).take(3).collect();
        let good = Fake { rows: 100, bad: vec![] };
        assert_eq!(resolve(&schedule, &draws[0], &[&good]).unwrap().sample.id, draws[0].row.to_string());
        let bad = Fake { rows: 100, bad: vec![draws[0].row, draws[1].row] };
        let resolved = resolve(&schedule, &draws[0], &[&bad]).unwrap();
        assert_eq!(resolved.row, draws[2].row);
        assert_eq!(resolved.replaced.iter().map(|r| r.row).collect::<Vec<_>>(), bad.bad);
    }

    #[test]
    fn a_dataset_without_a_readable_row_is_an_error() {
        let schedule = schedule(3);
        let draw = schedule.draw(0).unwrap();
        let error =
            resolve(&schedule, &draw, &[&Fake { rows: 3, bad: vec![0, 1, 2] }]).unwrap_err().to_string();
        let start = "no sample for draw 0 of the dataset `fake`: 3 rows in a row cannot be read, the last because of ";
        assert!(error.starts_with(start), "{error}");
        assert!(error.ends_with(": the picture is cut off"), "{error}");
    }

    #[test]
    fn a_dataset_that_has_shrunk_is_an_error_and_no_panic() {
        let schedule = schedule(3);
        let draw = schedule.draw(0).unwrap();
        let error = resolve(&schedule, &draw, &[&Fake { rows: 0, bad: vec![] }]).unwrap_err().to_string();
        assert!(error.contains("there are only 0 rows now"), "{error}");
    }

    fn schedule(rows: u64) -> Schedule {
        let dataset = Dataset { name: "fake".parse().unwrap(), content_hash: blake3::hash(b"fake"), rows };
        let mixture = Mixture::uniform([&dataset.name]).unwrap();
        Schedule::new(&mixture, &[dataset], Seed::new(1), &Settings::default()).unwrap()
    }
}
