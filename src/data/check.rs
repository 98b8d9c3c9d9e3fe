//! What is in a dataset and what is wrong with it, from reading every row and decoding every picture.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::picture;
use crate::sample::{BadRow, Rows};

/// Bad rows that are kept with their reasons; more are only counted.
const MAX_LISTED: usize = 1000;

/// Frequent answers that are listed.
const MOST_FREQUENT: usize = 10;

/// What reading a dataset through found.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// Rows, the bad ones included.
    pub rows: u64,
    /// Usable rows by the type of their answer.
    pub answers: BTreeMap<&'static str, u64>,
    /// The most frequent answers and how many usable rows have each, at most ten.
    pub frequent: Vec<(String, u64)>,
    /// Different answers.
    pub different_answers: u64,
    /// Length of the questions in characters: shortest, mean, longest.
    pub question_length: Option<[f64; 3]>,
    /// Pixels of all pictures of a usable row, on average.
    pub mean_pixels: f64,
    /// The most frequent answer as it would be written, and in how many rows it is right: what a guesser gets.
    pub majority: Option<(String, u64)>,
    /// Pictures in usable rows.
    pub pictures: u64,
    /// Distinct pictures by their bytes.
    pub distinct_pictures: u64,
    /// Smallest and largest picture by pixels, as (width, height).
    pub sizes: Option<[(u32, u32); 2]>,
    /// Rows that cannot be used, the first 1000 with place and reason.
    pub bad: Vec<BadRow>,
    /// How many rows cannot be used.
    pub n_bad: u64,
}

/// Reads every row and decodes every distinct picture.
///
/// `progress` is called after each row with the number of rows done; it returns whether to go on, and a scan that
/// is stopped covers the rows read so far.
pub fn scan(rows: &dyn Rows, mut progress: impl FnMut(u64) -> bool) -> Scan {
    let mut scan = Scan::default();
    let mut written: HashMap<String, u64> = HashMap::new();
    let mut seen = HashSet::new();
    for index in 0..rows.len() {
        scan.rows += 1;
        match rows.row(index).and_then(|sample| decode_new(sample, &mut seen, &mut scan.sizes)) {
            Ok(sample) => {
                *scan.answers.entry(sample.answer.kind()).or_default() += 1;
                *written.entry(sample.answer.written()).or_default() += 1;
                scan.pictures += sample.pictures.len() as u64;
                let length = sample.question.chars().count() as f64;
                let [shortest, sum, longest] = scan.question_length.unwrap_or([length, 0.0, length]);
                scan.question_length = Some([shortest.min(length), sum + length, longest.max(length)]);
                let pixels = |p| picture::size(p).map_or(0.0, |(w, h)| f64::from(w) * f64::from(h));
                scan.mean_pixels += sample.pictures.iter().map(pixels).sum::<f64>();
            }
            Err(bad) => {
                scan.n_bad += 1;
                if scan.bad.len() < MAX_LISTED {
                    scan.bad.push(bad);
                }
            }
        }
        if !progress(index + 1) {
            break;
        }
    }
    scan.distinct_pictures = seen.len() as u64;
    let usable = (scan.rows - scan.n_bad).max(1) as f64;
    scan.question_length =
        scan.question_length.map(|[shortest, sum, longest]| [shortest, sum / usable, longest]);
    scan.mean_pixels /= usable;
    scan.different_answers = written.len() as u64;
    // Of equally frequent answers the first by text, so that the same rows give the same report.
    let mut frequent: Vec<(String, u64)> = written.into_iter().collect();
    frequent.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    frequent.truncate(MOST_FREQUENT);
    scan.majority = frequent.first().cloned();
    scan.frequent = frequent;
    scan
}

type Sizes = Option<[(u32, u32); 2]>;

fn decode_new(
    sample: crate::sample::Sample,
    seen: &mut HashSet<blake3::Hash>,
    sizes: &mut Sizes,
) -> Result<crate::sample::Sample, BadRow> {
    for (i, picture) in sample.pictures.iter().enumerate() {
        let hash = picture.hash();
        if seen.contains(&hash) {
            continue;
        }
        let image = picture::decode(picture)
            .map_err(|e| BadRow { place: format!("{}, picture {i}", sample.id), what: e.to_string() })?;
        seen.insert(hash);
        let area = |(width, height): (u32, u32)| u64::from(width) * u64::from(height);
        let size = image.dimensions();
        let [smallest, largest] = sizes.unwrap_or([size; 2]);
        *sizes = Some([
            if area(size) < area(smallest) { size } else { smallest },
            if area(size) > area(largest) { size } else { largest },
        ]);
    }
    Ok(sample)
}
