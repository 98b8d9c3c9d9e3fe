//! What a schedule did and will do, as a file: every segment with its shares, counts and reason, each holding the
//! hash of the one before, so that no one is changed unnoticed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::schedule::{BadSchedule, Change, Dataset, End, Schedule, Settings, Why};
use crate::{mixture::Mixture, name::Name, seed::Seed};

/// A schedule as a file; with the seed and the datasets it makes the same draws again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Version of the form, now 1.
    pub schema: u32,
    /// A trace of the seed, to refuse another one.
    pub seed: String,
    /// How it draws.
    pub settings: Settings,
    /// In their order; those that limits begin included.
    pub segments: Vec<SegmentRecord>,
    /// Where it ends, if it does.
    pub end: Option<End>,
}

/// Draws with the same shares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SegmentRecord {
    /// The first draw.
    pub start: u64,
    /// Shares in millionths.
    pub shares: Mixture,
    /// Draws of each dataset before the start.
    pub counts_at_start: BTreeMap<Name, u64>,
    /// The datasets known here, by the hash of their content and their rows.
    pub datasets: BTreeMap<Name, (String, u64)>,
    /// `start`, `change` or `limit`.
    pub kind: Kind,
    /// In words.
    pub reason: String,
    /// Hash of the segment before; empty for the first.
    pub previous: String,
    /// Hash of all of the above.
    pub hash: String,
}

/// What began a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It is the first.
    Start,
    /// Somebody changed the mixture.
    Change,
    /// A dataset has given what it may.
    Limit,
}

/// A record that does not belong to these datasets, or that was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRecord {
    /// A version that this program does not know.
    #[error("the record has the form {0}; this version of modo reads form 1")]
    Schema(u32),
    /// Segments are missing, or were changed by hand.
    #[error("segment {0} of the record was changed: its hash, or that of the one before, does not fit")]
    Chain(usize),
    /// Made with another seed.
    #[error("the record was made with another seed")]
    Seed,
    /// A dataset is missing, or its content changed.
    #[error("the dataset `{0}` is missing or is not what it was when the record was made")]
    Dataset(Name),
    /// It works out differently now.
    #[error("segment {0} of the record does not follow from those before it")]
    Differs(usize),
    /// It makes no schedule at all.
    #[error(transparent)]
    Schedule(#[from] BadSchedule),
}

impl SegmentRecord {
    fn own_hash(&self) -> String {
        let content = (
            self.start,
            &self.shares,
            &self.counts_at_start,
            &self.datasets,
            self.kind,
            &self.reason,
            &self.previous,
        );
        let bytes = serde_json::to_vec(&content).expect("names, texts and numbers");
        blake3::hash(&bytes).to_hex().to_string()
    }
}

impl Schedule {
    /// Everything to write down; [`Schedule::from_record`] reads it back.
    pub fn record(&self) -> Record {
        let mut segments: Vec<SegmentRecord> = Vec::new();
        for segment in self.segments() {
            let known = || self.datasets().iter().zip(&segment.parts);
            let shares: BTreeMap<Name, u32> = known().map(|(d, parts)| (d.name.clone(), *parts)).collect();
            let (kind, reason) = match &segment.why {
                Why::Start => (Kind::Start, String::new()),
                Why::Change(reason) => (Kind::Change, reason.clone()),
                Why::Limit(reason) => (Kind::Limit, reason.clone()),
            };
            let mut record = SegmentRecord {
                start: segment.start,
                shares: Mixture::try_from(shares).expect("the shares of a segment are those of a mixture"),
                counts_at_start: known()
                    .zip(&segment.before)
                    .map(|((d, _), before)| (d.name.clone(), *before))
                    .collect(),
                datasets: known()
                    .map(|(d, _)| (d.name.clone(), (d.content_hash.to_hex().to_string(), d.rows)))
                    .collect(),
                kind,
                reason,
                previous: segments.last().map(|last| last.hash.clone()).unwrap_or_default(),
                hash: String::new(),
            };
            record.hash = record.own_hash();
            segments.push(record);
        }
        let seed = trace(self.seed());
        Record { schema: 1, seed, settings: self.settings().clone(), segments, end: self.end() }
    }

    /// The schedule that a record describes, worked out again and compared.
    ///
    /// `datasets`: all that the record knows; others are left out.
    pub fn from_record(record: &Record, datasets: &[Dataset], seed: Seed) -> Result<Self, BadRecord> {
        if record.schema != 1 {
            return Err(BadRecord::Schema(record.schema));
        }
        let mut previous = "";
        for (i, segment) in record.segments.iter().enumerate() {
            if segment.previous != previous || segment.hash != segment.own_hash() {
                return Err(BadRecord::Chain(i));
            }
            previous = &segment.hash;
        }
        if record.seed != trace(seed) {
            return Err(BadRecord::Seed);
        }
        let first = record.segments.first().ok_or(BadRecord::Chain(0))?;
        // In the order of their names; the order of datasets decides no draw.
        let known = |segment: &SegmentRecord, before: &[Dataset]| -> Result<Vec<Dataset>, BadRecord> {
            let new = segment.datasets.iter().filter(|(name, _)| before.iter().all(|d| d.name != **name));
            new.map(|(name, (hash, rows))| {
                let fits = |d: &&Dataset| {
                    d.name == *name && d.rows == *rows && d.content_hash.to_hex().as_str() == hash
                };
                datasets.iter().find(fits).cloned().ok_or_else(|| BadRecord::Dataset(name.clone()))
            })
            .collect()
        };
        let mut schedule = Self::new(&first.shares, &known(first, &[])?, seed, &record.settings)?;
        for segment in record.segments.iter().filter(|segment| segment.kind == Kind::Change) {
            let change = Change {
                start: segment.start,
                mixture: segment.shares.clone(),
                added: known(segment, schedule.datasets())?,
                reason: segment.reason.clone(),
            };
            schedule.change(&change, segment.start)?;
        }
        let again = schedule.record();
        let differs = again.segments.iter().zip(&record.segments).position(|(a, b)| a != b);
        match differs {
            Some(at) => Err(BadRecord::Differs(at)),
            None if again.segments.len() != record.segments.len() => {
                Err(BadRecord::Differs(again.segments.len().min(record.segments.len())))
            }
            None => Ok(schedule),
        }
    }
}

fn trace(seed: Seed) -> String {
    format!("{:016x}", seed.child("record").bits())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_makes_the_same_draws_again() {
        let (schedule, datasets) = changed();
        let text = serde_json::to_string(&schedule.record()).unwrap();
        let read: Record = serde_json::from_str(&text).unwrap();
        let mut shuffled = datasets.clone();
        shuffled.reverse();
        let again = Schedule::from_record(&read, &shuffled, Seed::new(1)).unwrap();
        let of = |s: &Schedule| -> Vec<(Name, u64)> {
            s.draws(0).take(5_000).map(|d| (s.datasets()[d.dataset].name.clone(), d.row)).collect()
        };
        assert_eq!(of(&schedule), of(&again));
        assert!(read.segments.iter().any(|s| s.kind == Kind::Limit && s.reason.contains("`b` has reached")));
    }

    #[test]
    fn a_record_that_was_changed_or_belongs_elsewhere_is_refused() {
        let (schedule, mut datasets) = changed();
        let record = schedule.record();
        let read = |record: &Record, datasets: &[Dataset], seed| {
            Schedule::from_record(record, datasets, Seed::new(seed)).err().unwrap()
        };
        let check = |spoil: &dyn Fn(&mut Record)| {
            let mut spoilt = record.clone();
            spoil(&mut spoilt);
            assert!(matches!(read(&spoilt, &datasets, 1), BadRecord::Chain(_)));
        };
        check(&|r| r.segments[1].start += 1);
        check(&|r| r.segments[0].reason.push('!'));
        check(&|r| drop(r.segments.remove(1)));
        // Even with its own hash made right, a count that does not follow is found.
        let mut spoilt = record.clone();
        let last = spoilt.segments.last_mut().unwrap();
        *last.counts_at_start.values_mut().next().unwrap() += 1;
        last.hash = last.own_hash();
        assert_eq!(read(&spoilt, &datasets, 1), BadRecord::Differs(record.segments.len() - 1));
        assert_eq!(read(&record, &datasets, 2), BadRecord::Seed);
        datasets[1].content_hash = blake3::hash(b"other");
        assert_eq!(read(&record, &datasets, 1), BadRecord::Dataset("b".parse().unwrap()));
    }

    fn changed() -> (Schedule, Vec<Dataset>) {
        let dataset = |name: &str, rows| Dataset {
            name: name.parse().unwrap(),
            content_hash: blake3::hash(name.as_bytes()),
            rows,
        };
        let datasets = vec![dataset("a", 1000), dataset("b", 300), dataset("c", 500)];
        let mixture = |shares: &[(&str, f64)]| {
            Mixture::new(&shares.iter().map(|(n, s)| (n.parse().unwrap(), *s)).collect()).unwrap()
        };
        let limits = [("b".parse().unwrap(), "1:renormalise".parse().unwrap())].into();
        let settings = Settings { limits, ..Settings::default() };
        let mut schedule =
            Schedule::new(&mixture(&[("a", 0.5), ("b", 0.5)]), &datasets[..2], Seed::new(1), &settings)
                .unwrap();
        let change = Change {
            start: 400,
            mixture: mixture(&[("a", 0.2), ("b", 0.3), ("c", 0.5)]),
            added: vec![datasets[2].clone()],
            reason: "fit 7".to_owned(),
        };
        schedule.change(&change, 400).unwrap();
        (schedule, datasets)
    }
}
