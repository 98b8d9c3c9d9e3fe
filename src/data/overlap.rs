//! Pictures and questions that datasets share: what leaks from a benchmark into training, and what is there twice.
//!
//! Pictures are compared on three levels: the same bytes, the same pixels after decoding, and nearly the same. For
//! the last, a picture is brought to 64×64 grey values and hashed by the signs of their slopes, as a whole and in
//! ten windows, so that a part cut out of a picture meets the window it came from; hashes that are near are
//! candidates, and a candidate counts only if the pixels themselves agree once the two are laid upon each other
//! and their brightness is matched. White pages with a few lines have equal hashes and different pixels.

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Write as _},
    path::Path,
    sync::Arc,
};

use base64::Engine as _;
use image::{GrayImage, RgbImage, imageops};
use serde::{Deserialize, Serialize};

use super::picture;
use crate::{
    sample::{BadRow, Rows, Sample},
    store,
};

/// Side of the grey picture that hashes are made from.
const SIDE: u32 = 64;

/// Side of the grey picture that is kept.
const THUMB: u32 = 32;

/// Side of the grey pictures that are laid upon each other in the end.
const FINE: u32 = 128;

/// Side of a block whose mean must agree, in pixels of the fine pictures.
const BLOCK: u32 = 8;

/// Most bits in which the hashes of candidates differ.
const NEAR_BITS: u32 = 11;

/// Least correlation of the small grey pictures of candidates, and of the fine ones of copies.
const THUMB_CORRELATION: f32 = 0.8;
const FINE_CORRELATION: f32 = 0.92;

/// Most that a block's mean may differ after brightness is matched, in grey values of 255.
const BLOCK_DIFFERENCE: f32 = 18.0;

/// Differences of neighbours below this are no slope: noise on a white page makes no hash.
const SLOPE: i32 = 3;

/// Windows that are hashed: left, top and side in shares of the picture; the first is the whole.
const WINDOWS: [[f32; 3]; 11] = [
    [0.0, 0.0, 1.0],
    [0.05, 0.05, 0.9],
    [0.0, 0.0, 0.9],
    [0.1, 0.0, 0.9],
    [0.0, 0.1, 0.9],
    [0.1, 0.1, 0.9],
    [0.1, 0.1, 0.8],
    [0.0, 0.0, 0.8],
    [0.2, 0.0, 0.8],
    [0.0, 0.2, 0.8],
    [0.2, 0.2, 0.8],
];

/// What is remembered of a dataset to compare it with others.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Prints {
    /// Version of what is below.
    version: u32,
    rows: Vec<RowPrint>,
    /// Distinct by their bytes.
    pictures: Vec<PicturePrint>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct RowPrint {
    /// Its number in the dataset.
    row: u64,
    /// What people call it.
    id: String,
    /// Hash of everything in it, as lists of excluded rows name it.
    hash: String,
    /// Hash of the question alone, without case, punctuation and spaces.
    question: String,
    pictures: Vec<usize>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct PicturePrint {
    bytes: String,
    pixels: String,
    /// The row that has it, and its place among the row's pictures.
    row: u64,
    place: usize,
    windows: Vec<u64>,
    /// Grey values, base64.
    thumb: String,
}

/// Version of [`Prints`]: another one is made anew.
const VERSION: u32 = 1;

/// How much two rows have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The same question, options, answer and picture bytes.
    SameRow,
    /// The same question about the same picture.
    SamePictureAndQuestion,
    /// Another question about the same picture.
    SamePicture,
    /// A picture that is nearly the same.
    NearPicture,
    /// The same question about another picture: often a template, so it is counted and never excluded.
    SameQuestion,
}

/// Every level, the strongest first.
pub const LEVELS: [Level; 5] = [
    Level::SameRow,
    Level::SamePictureAndQuestion,
    Level::SamePicture,
    Level::NearPicture,
    Level::SameQuestion,
];

/// A row that another row resembles.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hit {
    /// How much.
    pub level: Level,
    /// The row, as people call it.
    pub row: String,
    /// Its hash, as lists of excluded rows name it.
    pub hash: String,
    /// The first row that it resembles so much.
    pub other: String,
}

impl Prints {
    /// Reads a dataset through and decodes every distinct picture. Rows that cannot be used are left out.
    ///
    /// `limit`: rows to read at most. `hash_of`: the hash of row number so and so. `progress` is called with the
    /// rows done.
    pub fn of(rows: &dyn Rows, limit: u64, mut progress: impl FnMut(u64)) -> Self {
        let mut prints = Self { version: VERSION, ..Self::default() };
        let mut known: HashMap<blake3::Hash, usize> = HashMap::new();
        for row in 0..rows.len().min(limit) {
            if let Ok(sample) = rows.row(row) {
                // A row with a picture that cannot be decoded is a bad row, and found elsewhere.
                let _ = prints.add(row, &sample, &mut known);
            }
            progress(row + 1);
        }
        prints
    }

    fn add(
        &mut self,
        row: u64,
        sample: &Sample,
        known: &mut HashMap<blake3::Hash, usize>,
    ) -> Result<(), BadRow> {
        let mut pictures = Vec::new();
        for (place, picture) in sample.pictures.iter().enumerate() {
            let bytes = picture.hash();
            if let Some(at) = known.get(&bytes) {
                pictures.push(*at);
                continue;
            }
            let image = picture::decode(picture)
                .map_err(|bad| BadRow { place: sample.id.clone(), what: bad.to_string() })?;
            let mut hasher = blake3::Hasher::new();
            hasher
                .update(&image.width().to_le_bytes())
                .update(&image.height().to_le_bytes())
                .update(image.as_raw());
            let grey = reduced(&image, [0.0, 0.0, 1.0], SIDE);
            let thumb = imageops::thumbnail(&grey, THUMB, THUMB);
            known.insert(bytes, self.pictures.len());
            pictures.push(self.pictures.len());
            self.pictures.push(PicturePrint {
                bytes: short(bytes),
                pixels: short(hasher.finalize()),
                row,
                place,
                windows: WINDOWS.iter().map(|window| slopes(&grey, *window)).collect(),
                thumb: base64::engine::general_purpose::STANDARD.encode(thumb.as_raw()),
            });
        }
        let question = blake3::hash(normal(&sample.question).as_bytes());
        self.rows.push(RowPrint {
            row,
            id: sample.id.clone(),
            hash: short(super::rows::hash_of(sample)),
            question: short(question),
            pictures,
        });
        Ok(())
    }

    /// What was remembered of the dataset with this content; `rows`: how many of its rows.
    pub fn read(cache: &Path, content: &blake3::Hash, rows: u64) -> Option<Self> {
        let prints: Self =
            serde_json::from_slice(&std::fs::read(cache.join(file(content, rows))).ok()?).ok()?;
        (prints.version == VERSION).then_some(prints)
    }

    /// Remembers it.
    pub fn write(&self, cache: &Path, content: &blake3::Hash, rows: u64) -> io::Result<()> {
        let bytes = serde_json::to_vec(self).expect("texts and numbers");
        store::write_whole(&cache.join(file(content, rows)), &bytes)
    }
}

fn file(content: &blake3::Hash, rows: u64) -> String {
    format!("prints-{}-{rows}.json", &content.to_hex()[..32])
}

fn short(hash: blake3::Hash) -> String {
    hash.to_hex()[..super::rows::HASH_DIGITS].to_owned()
}

/// A question without case, punctuation and spaces.
fn normal(question: &str) -> String {
    question.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// One of two datasets that are compared.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// What is remembered of it.
    pub prints: &'a Prints,
    /// Its rows, to look at candidates once more.
    pub rows: &'a dyn Rows,
}

/// The rows of each of two datasets that rows of the other resemble, each on its strongest level.
pub fn compare(one: Side, other: Side) -> [Vec<Hit>; 2] {
    let near = near_pictures(one, other, false);
    let mut turned: Near = BTreeMap::new();
    for (a, found) in &near {
        for b in found {
            turned.entry(*b).or_default().push(*a);
        }
    }
    [hits(one, other, &near, false), hits(other, one, &turned, false)]
}

/// The rows of a dataset that an earlier row of it resembles.
pub fn compare_with_itself(one: Side) -> Vec<Hit> {
    hits(one, one, &near_pictures(one, one, true), true)
}

/// Pictures with those that they are nearly the same as.
type Near = BTreeMap<usize, Vec<usize>>;

fn hits(one: Side, other: Side, near: &Near, same: bool) -> Vec<Hit> {
    let mut by_hash: HashMap<&str, &RowPrint> = HashMap::new();
    let mut by_question: HashMap<&str, &RowPrint> = HashMap::new();
    let mut by_pixels: HashMap<&str, Vec<&RowPrint>> = HashMap::new();
    let mut by_picture: BTreeMap<usize, &RowPrint> = BTreeMap::new();
    for row in &other.prints.rows {
        by_hash.entry(&row.hash).or_insert(row);
        by_question.entry(&row.question).or_insert(row);
        for picture in &row.pictures {
            by_pixels.entry(&other.prints.pictures[*picture].pixels).or_default().push(row);
            by_picture.entry(*picture).or_insert(row);
        }
    }
    let mut hits = Vec::new();
    for row in &one.prints.rows {
        let earlier = |found: &&RowPrint| !same || found.row < row.row;
        let pixels = row.pictures.iter().flat_map(|at| {
            by_pixels.get(one.prints.pictures[*at].pixels.as_str()).into_iter().flatten().copied()
        });
        let same_picture: Vec<&RowPrint> = pixels.filter(earlier).take(MOST_COMPARED).collect();
        let near = || {
            let found = row.pictures.iter().flat_map(|at| near.get(at).into_iter().flatten());
            found.filter_map(|at| by_picture.get(at).copied()).find(earlier)
        };
        let found = by_hash
            .get(row.hash.as_str())
            .copied()
            .filter(earlier)
            .map(|found| (Level::SameRow, found))
            .or_else(|| {
                let found = same_picture.iter().find(|found| found.question == row.question)?;
                Some((Level::SamePictureAndQuestion, *found))
            })
            .or_else(|| same_picture.first().map(|found| (Level::SamePicture, *found)))
            .or_else(|| near().map(|found| (Level::NearPicture, found)))
            .or_else(|| {
                let found = by_question.get(row.question.as_str()).copied().filter(earlier);
                found.map(|found| (Level::SameQuestion, found))
            });
        if let Some((level, found)) = found {
            let hash = row.hash.clone();
            hits.push(Hit { level, row: row.id.clone(), hash, other: found.id.clone() });
        }
    }
    hits
}

/// Rows with the same picture that are looked at for the same question.
const MOST_COMPARED: usize = 10_000;

/// Pictures of `one` with those of `other` that they are nearly the same as; equal pixels are left out. With itself,
/// only those before a picture.
fn near_pictures(one: Side, other: Side, same: bool) -> Near {
    let mut near: Near = BTreeMap::new();
    let thumbs: Vec<Option<Thumb>> = one.prints.pictures.iter().map(Thumb::of).collect();
    let others: Vec<Option<Thumb>> = other.prints.pictures.iter().map(Thumb::of).collect();
    let wholes: Vec<Option<Vec<f32>>> =
        others.iter().map(|thumb| thumb.as_ref().map(|thumb| thumb.window(WINDOWS[0]))).collect();
    let (mut first_greys, mut second_greys) = (Greys::default(), Greys::default());
    for (i, a) in one.prints.pictures.iter().enumerate() {
        let Some(first) = &thumbs[i] else { continue };
        let windows: Vec<Vec<f32>> = WINDOWS.iter().map(|window| first.window(*window)).collect();
        for (k, b) in other.prints.pictures.iter().enumerate() {
            if (same && k >= i) || a.pixels == b.pixels {
                continue;
            }
            let Some(found) = nearest(a, b) else { continue };
            let (Some(second), Some(whole)) = (&others[k], &wholes[k]) else { continue };
            // Either may be a part of the other.
            let alike = match found {
                Found::InFirst(at) => correlation(&windows[at], whole),
                Found::InSecond(at) => correlation(&second.window(WINDOWS[at]), &windows[0]),
            };
            if alike < THUMB_CORRELATION {
                continue;
            }
            let (Some(x), Some(y)) = (first_greys.get(one, a), second_greys.get(other, b)) else { continue };
            let agree = match found {
                Found::InFirst(at) => are_copies(&x, &y, WINDOWS[at]),
                Found::InSecond(at) => are_copies(&y, &x, WINDOWS[at]),
            };
            if agree {
                near.entry(i).or_default().push(k);
            }
        }
    }
    near
}

/// A picture as grey values on a square of twice [`FINE`] pixels.
struct Grey(Vec<f32>);

impl Grey {
    fn of(image: &RgbImage) -> Self {
        Self(reduced(image, WINDOWS[0], 2 * FINE).as_raw().iter().map(|v| f32::from(*v)).collect())
    }

    /// A window on a square of [`FINE`] pixels, interpolated.
    fn window(&self, [x, y, part]: [f32; 3]) -> Vec<f32> {
        let side = (2 * FINE) as usize;
        let last = (side - 1) as f32;
        let place = |start: f32, i: u32| {
            let at = ((start + part * (i as f32 + 0.5) / FINE as f32) * side as f32 - 0.5)
                .clamp(0.0, last - 0.001);
            (at as usize, at.fract())
        };
        let columns: Vec<(usize, f32)> = (0..FINE).map(|i| place(x, i)).collect();
        let mut out = Vec::with_capacity((FINE * FINE) as usize);
        for row in 0..FINE {
            let (down, v) = place(y, row);
            let (upper, lower) = (&self.0[down * side..], &self.0[(down + 1) * side..]);
            out.extend(columns.iter().map(|(at, u)| {
                let above = upper[*at] * (1.0 - u) + upper[at + 1] * u;
                let below = lower[*at] * (1.0 - u) + lower[at + 1] * u;
                above * (1.0 - v) + below * v
            }));
        }
        out
    }
}

/// Grey pictures that were made: candidates are often candidates again.
#[derive(Default)]
struct Greys(HashMap<(u64, usize), Option<Arc<Grey>>>);

impl Greys {
    fn get(&mut self, of: Side, print: &PicturePrint) -> Option<Arc<Grey>> {
        // 256 kB each.
        const MOST_HELD: usize = 512;
        if self.0.len() >= MOST_HELD && !self.0.contains_key(&(print.row, print.place)) {
            self.0.clear();
        }
        let make = || {
            let sample = of.rows.row(print.row).ok()?;
            let image = picture::decode(sample.pictures.get(print.place)?).ok()?;
            Some(Arc::new(Grey::of(&image)))
        };
        self.0.entry((print.row, print.place)).or_insert_with(make).clone()
    }
}

/// Which of two pictures the other is a part of, and the window.
#[derive(Clone, Copy)]
enum Found {
    InFirst(usize),
    InSecond(usize),
}

/// The window in which the hashes of two pictures are nearest, if they are near in any.
fn nearest(a: &PicturePrint, b: &PicturePrint) -> Option<Found> {
    let whole = (a.windows[0], b.windows[0]);
    let mut best = (NEAR_BITS + 1, Found::InFirst(0));
    for at in 0..WINDOWS.len() {
        for (distance, found) in [
            ((a.windows[at] ^ whole.1).count_ones(), Found::InFirst(at)),
            ((b.windows[at] ^ whole.0).count_ones(), Found::InSecond(at)),
        ] {
            if distance < best.0 {
                best = (distance, found);
            }
        }
    }
    (best.0 <= NEAR_BITS).then_some(best.1)
}

/// Grey values of a window brought to a square of `side` pixels.
fn reduced(image: &RgbImage, [x, y, part]: [f32; 3], side: u32) -> GrayImage {
    let (width, height) = (image.width() as f32, image.height() as f32);
    let (left, top) = ((x * width) as u32, (y * height) as u32);
    let across = ((part * width).round() as u32).clamp(1, image.width() - left);
    let down = ((part * height).round() as u32).clamp(1, image.height() - top);
    let view = imageops::crop_imm(image, left, top, across, down).to_image();
    let small = if across >= side && down >= side {
        imageops::thumbnail(&view, side, side)
    } else {
        imageops::resize(&view, side, side, imageops::FilterType::Triangle)
    };
    imageops::grayscale(&small)
}

/// 64 bits: whether a window gets brighter from each of 9×8 places to the next.
fn slopes(grey: &GrayImage, [x, y, part]: [f32; 3]) -> u64 {
    let at = |share: f32| (share * SIDE as f32).round() as u32;
    let (left, top, side) = (at(x), at(y), at(part).min(SIDE));
    let side = side.min(SIDE - left).min(SIDE - top);
    let cells = |n: u32, of: u32| (n * side / of, ((n + 1) * side / of).max(n * side / of + 1));
    let mean = |column: u32, row: u32| -> i32 {
        let ((x1, x2), (y1, y2)) = (cells(column, 9), cells(row, 8));
        let sum: u32 = (y1..y2)
            .flat_map(|y| (x1..x2).map(move |x| (x, y)))
            .map(|(x, y)| u32::from(grey.get_pixel(left + x, top + y).0[0]))
            .sum();
        (sum / ((x2 - x1) * (y2 - y1))) as i32
    };
    let mut bits = 0;
    for row in 0..8 {
        let means: Vec<i32> = (0..9).map(|column| mean(column, row)).collect();
        for pair in means.windows(2) {
            bits = bits << 1 | u64::from(pair[1] - pair[0] > SLOPE);
        }
    }
    bits
}

/// The small grey picture of a print.
struct Thumb(GrayImage);

impl Thumb {
    fn of(print: &PicturePrint) -> Option<Self> {
        let bytes = base64::engine::general_purpose::STANDARD.decode(&print.thumb).ok()?;
        GrayImage::from_raw(THUMB, THUMB, bytes).map(Self)
    }

    /// Grey values of a window, by nearest pixels.
    fn window(&self, [x, y, part]: [f32; 3]) -> Vec<f32> {
        let side = THUMB as f32;
        let at =
            |start: f32, i: u32| ((start + part * (i as f32 + 0.5) / side) * side).min(side - 1.0) as u32;
        (0..THUMB)
            .flat_map(|row| (0..THUMB).map(move |column| (column, row)))
            .map(|(column, row)| f32::from(self.0.get_pixel(at(x, column), at(y, row)).0[0]))
            .collect()
    }
}

fn correlation(a: &[f32], b: &[f32]) -> f32 {
    let n = a.len() as f32;
    let (mean_a, mean_b) = (a.iter().sum::<f32>() / n, b.iter().sum::<f32>() / n);
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (x - mean_a, y - mean_b);
        (ab, aa, bb) = (ab + x * y, aa + x * x, bb + y * y);
    }
    // Two empty pages are alike; an empty one is like no other.
    if aa < n && bb < n { 1.0 } else { ab / (aa * bb).sqrt().max(f32::EPSILON) }
}

/// Whether `part` shows what is in a window of `whole`, near the one given.
fn are_copies(whole: &Grey, part: &Grey, window: [f32; 3]) -> bool {
    let target = part.window(WINDOWS[0]);
    let mut best = (correlation(&whole.window(window), &target), window);
    let mut step = 0.03;
    while step > 0.003 && best.0 < 0.999 {
        // Pictures that are far from each other do not become copies by moving them a little.
        if best.0 < 0.5 || (step < 0.02 && best.0 < 0.75) {
            return false;
        }
        let [x, y, side] = best.1;
        let mut improved = false;
        for (dx, dy, ds) in [
            (1.0, 0.0, 0.0),
            (-1.0, 0.0, 0.0),
            (0.0, 1.0, 0.0),
            (0.0, -1.0, 0.0),
            (-0.5, -0.5, 1.0),
            (0.5, 0.5, -1.0),
            (0.0, 0.0, 1.0),
            (0.0, 0.0, -1.0),
        ] {
            let side = (side + ds * step).clamp(0.6, 1.0);
            let tried =
                [(x + dx * step).clamp(0.0, 1.0 - side), (y + dy * step).clamp(0.0, 1.0 - side), side];
            let found = correlation(&whole.window(tried), &target);
            if found > best.0 + 1e-3 {
                (best, improved) = ((found, tried), true);
            }
        }
        if !improved {
            step /= 2.0;
        }
    }
    best.0 >= FINE_CORRELATION && blocks_agree(&whole.window(best.1), &target)
}

/// Whether block means agree after brightness and contrast are matched.
fn blocks_agree(a: &[f32], b: &[f32]) -> bool {
    let n = a.len() as f32;
    let (mean_a, mean_b) = (a.iter().sum::<f32>() / n, b.iter().sum::<f32>() / n);
    let (mut ab, mut aa) = (0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        (ab, aa) = (ab + (x - mean_a) * (y - mean_b), aa + (x - mean_a) * (x - mean_a));
    }
    let gain = if aa > 0.0 { ab / aa } else { 1.0 };
    // A picture with less contrast has smaller differences: measure them in the contrast of the first.
    let scale = if gain.abs() > 0.05 { 1.0 / gain.abs() } else { 1.0 };
    let per_side = FINE / BLOCK;
    (0..per_side * per_side).all(|block| {
        let (left, top) = (block % per_side * BLOCK, block / per_side * BLOCK);
        let places =
            (top..top + BLOCK).flat_map(|y| (left..left + BLOCK).map(move |x| (y * FINE + x) as usize));
        let difference: f32 = places.map(|at| b[at] - mean_b - gain * (a[at] - mean_a)).sum();
        difference.abs() / (BLOCK * BLOCK) as f32 * scale.min(4.0) <= BLOCK_DIFFERENCE
    })
}

/// Whether two pictures are nearly the same, as [`compare`] decides it for those with near hashes.
pub fn are_near(one: &RgbImage, other: &RgbImage) -> bool {
    let print = |image: &RgbImage| {
        let grey = reduced(image, WINDOWS[0], SIDE);
        let windows = WINDOWS.iter().map(|window| slopes(&grey, *window)).collect();
        let (bytes, pixels, thumb) = Default::default();
        PicturePrint { bytes, pixels, row: 0, place: 0, windows, thumb }
    };
    match nearest(&print(one), &print(other)) {
        None => false,
        Some(Found::InFirst(at)) => are_copies(&Grey::of(one), &Grey::of(other), WINDOWS[at]),
        Some(Found::InSecond(at)) => are_copies(&Grey::of(other), &Grey::of(one), WINDOWS[at]),
    }
}

/// Lines for `exclude`: the hash of each row, and for people what it is and what it resembles.
pub fn exclusion_list(hits: &[Hit]) -> Vec<u8> {
    let mut text = b"# hash of a row, the row, what it has in common with which other\n".to_vec();
    for hit in hits {
        let level = serde_json::to_value(hit.level).expect("a word");
        let _ =
            writeln!(text, "{} {} {} {}", hit.hash, hit.row, level.as_str().unwrap_or_default(), hit.other);
    }
    text
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    /// A picture with forty blobs, the same for the same number.
    fn scene(number: u32) -> RgbImage {
        let noise = |i: u32| blake3::hash(&[number.to_le_bytes(), i.to_le_bytes()].concat());
        let mut image = RgbImage::from_pixel(320, 240, Rgb([230, 225, 210]));
        for i in 0..40 {
            let bytes = *noise(i).as_bytes();
            let (cx, cy) = (u32::from(bytes[0]) * 320 / 256, u32::from(bytes[1]) * 240 / 256);
            let radius = 6 + u32::from(bytes[2]) % 20;
            for y in cy.saturating_sub(radius)..(cy + radius).min(240) {
                for x in cx.saturating_sub(radius)..(cx + radius).min(320) {
                    if x.abs_diff(cx).pow(2) + y.abs_diff(cy).pow(2) < radius * radius {
                        image.put_pixel(x, y, Rgb([bytes[3], bytes[4], bytes[5]]));
                    }
                }
            }
        }
        image
    }

    #[test]
    fn copies_are_found_and_other_pictures_are_not() {
        for number in 0..6 {
            let image = scene(number);
            let smaller = imageops::resize(&image, 150, 112, imageops::FilterType::Triangle);
            let cut = imageops::crop_imm(&image, 16, 12, 288, 216).to_image();
            let mut darker = image.clone();
            darker.pixels_mut().for_each(|p| p.0 = p.0.map(|v| (f32::from(v) * 0.7 + 10.0) as u8));
            for (what, copy) in [("smaller", smaller), ("cut", cut), ("darker", darker)] {
                assert!(are_near(&image, &copy), "{number} {what}");
                assert!(are_near(&copy, &image), "{number} {what}, the other way round");
            }
            assert!((0..6).filter(|other| *other != number).all(|other| !are_near(&image, &scene(other))));
        }
    }

    #[test]
    fn pages_that_differ_in_one_place_are_no_copies() {
        let page = |x: u32| {
            let mut image = RgbImage::from_pixel(400, 200, Rgb([255; 3]));
            for at in 20..380 {
                image.put_pixel(at, 40, Rgb([0; 3]));
                image.put_pixel(at, 160, Rgb([0; 3]));
            }
            (x..x + 30).for_each(|x| (80..110).for_each(|y| image.put_pixel(x, y, Rgb([0; 3]))));
            image
        };
        assert!(!are_near(&page(60), &page(300)));
        assert!(are_near(&page(60), &page(60)));
    }
}
