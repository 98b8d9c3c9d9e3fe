//! What is in a dataset and what is wrong with it, from reading every row and decoding every picture once.

use std::collections::{BTreeMap, HashMap, HashSet};

use image::RgbImage;
use serde::{Deserialize, Serialize};

use super::picture;
use crate::sample::{Answer, BadRow, Rect, Rows, Sample};

/// Bad rows that are kept with their reasons; more are only counted.
pub const MOST_LISTED: usize = 1000;

/// Frequent answers that are listed.
const MOST_FREQUENT: usize = 10;

/// What reading a dataset through found, as scripts read it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Check {
    /// The dataset's name.
    pub dataset: String,
    /// Hash of the rows that were read, as run records write it.
    pub content: String,
    /// Whether it can be used as it is.
    pub ok: bool,
    /// Why it cannot be opened at all.
    pub problem: Option<String>,
    /// Rows there are, the bad ones included.
    pub rows: u64,
    /// Rows that were read.
    pub checked: u64,
    /// Rows that cannot be used, the first 1000 with place and reason.
    pub bad: Vec<Bad>,
    /// How many rows cannot be used.
    pub n_bad: u64,
    /// Golds that their own verifier refuses, or wrong answers that it accepts; the first 1000.
    pub reward_failures: Vec<Bad>,
    /// How many there are.
    pub n_reward_failures: u64,
    /// Rows with a gold box that leaves its picture, the first 1000: a wrong `boxes` of the table shows so.
    pub outside: Vec<Bad>,
    /// How many there are.
    pub n_outside: u64,
    /// Rows with the question and the picture bytes of an earlier row and another gold, the first 1000.
    pub contradicting: Vec<Bad>,
    /// How many there are.
    pub n_contradicting: u64,
    /// Usable rows without a picture.
    pub without_picture: u64,
    /// Usable rows by the type of their answer.
    pub answers: BTreeMap<String, u64>,
    /// Different answers.
    pub different_answers: u64,
    /// The most frequent answers as they would be written and how many usable rows have each, at most ten.
    pub frequent_answers: Vec<(String, u64)>,
    /// The most frequent answer.
    pub most_frequent_answer: Option<String>,
    /// Share of usable rows in which it is right: what a guesser gets.
    pub most_frequent_share: Option<f64>,
    /// Length of the questions in characters: shortest, mean, longest.
    pub question_characters: Option<[f64; 3]>,
    /// Tokens of the prompts' texts under the model that was given: fewest, mean, most.
    pub text_tokens: Option<[f64; 3]>,
    /// Tokens of a row's pictures under that model: fewest, mean, most.
    pub picture_tokens: Option<[f64; 3]>,
    /// Pixels of all pictures of a usable row, on average.
    pub mean_pixels: f64,
    /// Pictures in usable rows.
    pub pictures: u64,
    /// Distinct pictures by their bytes.
    pub distinct_pictures: u64,
    /// Smallest picture by pixels: width and height.
    pub smallest: Option<(u32, u32)>,
    /// The one in the middle.
    pub median: Option<(u32, u32)>,
    /// The largest one.
    pub largest: Option<(u32, u32)>,
    /// Datasets that it was compared with.
    pub compared_with: Vec<String>,
    /// Rows that other datasets have something in common with, by dataset (its own name: earlier rows of itself)
    /// and level.
    pub shared: BTreeMap<String, BTreeMap<String, u64>>,
}

/// A row and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bad {
    /// Its number in the dataset.
    pub row: u64,
    /// File, row and column.
    pub place: String,
    /// What is wrong.
    pub what: String,
}

/// A usable row while a dataset is read through.
pub struct Seen<'a> {
    /// Its number.
    pub row: u64,
    /// What it holds.
    pub sample: &'a Sample,
    /// The hash of each of its pictures, and the picture itself if it was met for the first time.
    pub pictures: &'a [(blake3::Hash, Option<RgbImage>)],
}

/// Least, mean and most of numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Range {
    n: u64,
    least: f64,
    sum: f64,
    most: f64,
}

impl Range {
    /// Adds a number.
    pub fn add(&mut self, value: f64) {
        (self.least, self.most) =
            if self.n == 0 { (value, value) } else { (self.least.min(value), self.most.max(value)) };
        (self.n, self.sum) = (self.n + 1, self.sum + value);
    }

    /// All three, if there was a number.
    pub fn get(&self) -> Option<[f64; 3]> {
        (self.n > 0).then(|| [self.least, self.sum / self.n as f64, self.most])
    }
}

/// Reads the first `limit` rows and decodes every distinct picture once.
///
/// `visit` sees every usable row; `progress` is called after each row with the number of rows done.
pub fn scan(
    rows: &dyn Rows,
    limit: u64,
    mut visit: impl FnMut(&Seen, &mut Check),
    mut progress: impl FnMut(u64),
) -> Check {
    let mut check = Check { rows: rows.len(), ..Check::default() };
    let mut written: HashMap<String, u64> = HashMap::new();
    let (mut seen, mut sizes) = (HashSet::new(), Vec::new());
    let mut question = Range::default();
    let mut golds: HashMap<u128, (u128, u64)> = HashMap::new();
    for row in 0..rows.len().min(limit) {
        check.checked += 1;
        match rows.row(row).and_then(|sample| decoded(&sample, &mut seen).map(|pictures| (sample, pictures)))
        {
            Ok((sample, pictures)) => {
                *check.answers.entry(sample.answer.kind().to_owned()).or_default() += 1;
                *written.entry(sample.answer.written()).or_default() += 1;
                check.pictures += pictures.len() as u64;
                check.without_picture += u64::from(pictures.is_empty());
                question.add(sample.question.chars().count() as f64);
                let note = |what| Bad { row, place: sample.id.clone(), what };
                if let Some(what) = leaves_picture(&sample) {
                    check.n_outside += 1;
                    if check.outside.len() < MOST_LISTED {
                        check.outside.push(note(what));
                    }
                }
                let gold = short_hash(&sample.answer);
                let (first, earlier) = *golds.entry(asked(&sample, &pictures)).or_insert((gold, row));
                if first != gold {
                    check.n_contradicting += 1;
                    if check.contradicting.len() < MOST_LISTED {
                        let answer = sample.answer.written();
                        check
                            .contradicting
                            .push(note(format!("`{answer}`; row {earlier} has another answer")));
                    }
                }
                let pixels = |p| picture::size(p).map_or(0.0, |(w, h)| f64::from(w) * f64::from(h));
                check.mean_pixels += sample.pictures.iter().map(pixels).sum::<f64>();
                sizes.extend(pictures.iter().filter_map(|(_, new)| new.as_ref()).map(RgbImage::dimensions));
                visit(&Seen { row, sample: &sample, pictures: &pictures }, &mut check);
            }
            Err(bad) => {
                check.n_bad += 1;
                if check.bad.len() < MOST_LISTED {
                    check.bad.push(Bad { row, place: bad.place, what: bad.what });
                }
            }
        }
        progress(row + 1);
    }
    check.distinct_pictures = seen.len() as u64;
    check.question_characters = question.get();
    let usable = (check.checked - check.n_bad).max(1) as f64;
    check.mean_pixels /= usable;
    sizes.sort_by_key(|&(width, height)| (u64::from(width) * u64::from(height), width));
    [check.smallest, check.median, check.largest] =
        [sizes.first(), sizes.get(sizes.len() / 2), sizes.last()].map(Option::<&_>::copied);
    check.different_answers = written.len() as u64;
    // Of equally frequent answers the first by text, so that the same rows give the same report.
    let mut frequent: Vec<(String, u64)> = written.into_iter().collect();
    frequent.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    frequent.truncate(MOST_FREQUENT);
    if let Some((answer, count)) = frequent.first() {
        check.most_frequent_share = Some(*count as f64 / usable);
        check.most_frequent_answer = Some(answer.clone());
    }
    check.frequent_answers = frequent;
    check
}

impl Check {
    /// Says anew where bad rows are and what is wrong with them: the hash of a dataset's content, by which a check is
    /// remembered, does not hold the names of its files.
    pub fn renew(&mut self, rows: &dyn Rows) {
        for bad in &mut self.bad {
            if let Err(now) =
                rows.row(bad.row).and_then(|sample| decoded(&sample, &mut HashSet::new()).map(drop))
            {
                (bad.place, bad.what) = (now.place, now.what);
            }
        }
        let of_samples = [&mut self.reward_failures, &mut self.outside, &mut self.contradicting];
        for failure in of_samples.into_iter().flatten() {
            if let Ok(sample) = rows.row(failure.row) {
                failure.place = sample.id;
            }
        }
    }
}

/// Pixels by which a box may leave its picture: edges are counted from 0 or from 1, and rounded.
const MARGIN: f64 = 1.5;

/// The first box of a gold that leaves its picture.
fn leaves_picture(sample: &Sample) -> Option<String> {
    let Answer::Boxes(boxes) = &sample.answer else { return None };
    let (width, height) = picture::size(sample.pictures.first()?).ok()?;
    let (right, bottom) = (f64::from(width) + MARGIN, f64::from(height) + MARGIN);
    let leaves = |b: &&Rect| b.x1 < -MARGIN || b.y1 < -MARGIN || b.x2 > right || b.y2 > bottom;
    let Rect { x1, y1, x2, y2 } = boxes.iter().find(leaves)?;
    Some(format!("the box from ({x1}, {y1}) to ({x2}, {y2}) leaves the picture of {width}×{height} pixels"))
}

/// What a row asks: its question, options and pictures.
fn asked(sample: &Sample, pictures: &Pictures) -> u128 {
    let pictures: Vec<&[u8; 32]> = pictures.iter().map(|(hash, _)| hash.as_bytes()).collect();
    short_hash(&(&sample.question, &sample.options, pictures))
}

/// Half of the bits are enough to tell the rows of a dataset apart, and take half of the memory.
fn short_hash(content: &impl Serialize) -> u128 {
    let hash = blake3::hash(&serde_json::to_vec(content).expect("texts and finite numbers"));
    u128::from_le_bytes(*hash.as_bytes().first_chunk().expect("a hash has 32 bytes"))
}

type Pictures = Vec<(blake3::Hash, Option<RgbImage>)>;

/// Decodes the pictures of a row that were not met before.
fn decoded(sample: &Sample, seen: &mut HashSet<blake3::Hash>) -> Result<Pictures, BadRow> {
    let mut pictures = Pictures::with_capacity(sample.pictures.len());
    for (i, encoded) in sample.pictures.iter().enumerate() {
        let hash = encoded.hash();
        let known = seen.contains(&hash) || pictures.iter().any(|(held, _)| *held == hash);
        let image = if known {
            None
        } else {
            let bad = |e: picture::BadPicture| BadRow {
                place: format!("{}, picture {i}", sample.id),
                what: e.to_string(),
            };
            Some(picture::decode(encoded).map_err(bad)?)
        };
        pictures.push((hash, image));
    }
    seen.extend(pictures.iter().map(|(hash, _)| *hash));
    Ok(pictures)
}
