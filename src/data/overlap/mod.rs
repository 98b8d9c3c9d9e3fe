//! Pictures and questions that datasets share: what leaks from a benchmark into training, and what is there twice.
//!
//! Pictures are compared on three levels: the same bytes, the same pixels after decoding, and nearly the same
//! ([`near`]). Every picture is decoded once, when its dataset is read through; what is compared is remembered.

mod grey;
mod near;
mod prints;

use std::{collections::HashMap, io::Write as _};

use image::RgbImage;
use serde::{Deserialize, Serialize};

pub use self::prints::{Builder, Prints};
use self::{grey::Grey, prints::RowPrint};
use super::picture;
use crate::sample::Rows;

/// How much two rows have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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

impl Level {
    /// Every level, the strongest first.
    pub const ALL: [Self; 5] = [
        Self::SameRow,
        Self::SamePictureAndQuestion,
        Self::SamePicture,
        Self::NearPicture,
        Self::SameQuestion,
    ];

    /// As files and JSON write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::SameRow => "same_row",
            Self::SamePictureAndQuestion => "same_picture_and_question",
            Self::SamePicture => "same_picture",
            Self::NearPicture => "near_picture",
            Self::SameQuestion => "same_question",
        }
    }

    /// Whether a benchmark's row that a training row has so much in common with leaks.
    pub fn leaks(self) -> bool {
        self != Self::SameQuestion
    }
}

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

/// One of the datasets that are compared.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// What is remembered of it.
    pub prints: &'a Prints,
    /// Its rows, to look at candidates once more.
    pub rows: &'a dyn Rows,
}

/// The rows of one dataset that rows of another resemble.
pub struct Shared {
    /// Whose rows.
    pub of: usize,
    /// The dataset that has them as well; the same one: the rows that an earlier one resembles.
    pub with: usize,
    /// Each row on its strongest level.
    pub hits: Vec<Hit>,
}

/// Compares datasets with each other and themselves.
///
/// `wanted`: whether two of them, by their places, are to be compared; rows of the first with rows of the second. `progress` is called with
/// the pictures done and how many there are to do.
pub fn compare(
    sides: &[Side],
    wanted: impl Fn(usize, usize) -> bool,
    mut progress: impl FnMut(u64, u64),
) -> Vec<Shared> {
    let mut numbered = Numbered { sides, wanted: &wanted, first: Vec::new(), owners: Vec::new() };
    let numbers = numbered.number();
    let all = 2 * numbered.first.len() as u64;
    let near = near::near(&numbered, |done| progress(done as u64, all));
    let mut shared = Vec::new();
    for (of, one) in sides.iter().enumerate() {
        for (with, other) in sides.iter().enumerate() {
            if wanted(of, with) {
                let numbers = [numbers[of].as_slice(), numbers[with].as_slice()];
                shared.push(Shared { of, with, hits: hits([*one, *other], numbers, &near, of == with) });
            }
        }
    }
    shared
}

/// The pictures of all datasets, each only once by its pixels.
struct Numbered<'a> {
    sides: &'a [Side<'a>],
    wanted: &'a dyn Fn(usize, usize) -> bool,
    /// Where each is found first: a dataset, and a place among its pictures.
    first: Vec<(usize, usize)>,
    owners: Vec<Vec<usize>>,
}

impl Numbered<'_> {
    /// Numbers the pictures; returns the number of each picture of each dataset.
    fn number(&mut self) -> Vec<Vec<usize>> {
        let mut known: HashMap<&str, usize> = HashMap::new();
        let mut all = Vec::new();
        for (side, one) in self.sides.iter().enumerate() {
            let mut numbers = Vec::new();
            for (place, picture) in one.prints.listed.pictures.iter().enumerate() {
                let number = *known.entry(&picture.pixels).or_insert_with(|| {
                    self.first.push((side, place));
                    self.owners.push(Vec::new());
                    self.first.len() - 1
                });
                if !self.owners[number].contains(&side) {
                    self.owners[number].push(side);
                }
                numbers.push(number);
            }
            all.push(numbers);
        }
        all
    }
}

impl near::Pictures for Numbered<'_> {
    fn len(&self) -> usize {
        self.first.len()
    }

    fn thumb(&self, picture: usize) -> Option<Grey> {
        let (side, place) = self.first[picture];
        self.sides[side].prints.thumb(place)
    }

    fn image(&self, picture: usize) -> Option<RgbImage> {
        let (side, place) = self.first[picture];
        let print = &self.sides[side].prints.listed.pictures[place];
        let sample = self.sides[side].rows.row(print.row).ok()?;
        picture::decode(sample.pictures.get(print.place)?).ok()
    }

    fn owners(&self, picture: usize) -> &[usize] {
        &self.owners[picture]
    }

    fn wanted(&self, one: usize, other: usize) -> bool {
        (self.wanted)(one, other)
    }
}

/// `numbers`: of the pictures of either side. `near`: the pictures near each.
fn hits(
    [one, other]: [Side; 2],
    [numbers, other_numbers]: [&[usize]; 2],
    near: &[Vec<usize>],
    same: bool,
) -> Vec<Hit> {
    let mut by_hash: HashMap<&str, &RowPrint> = HashMap::new();
    let mut by_question: HashMap<&str, &RowPrint> = HashMap::new();
    let mut by_picture: HashMap<usize, Vec<&RowPrint>> = HashMap::new();
    for row in &other.prints.listed.rows {
        by_hash.entry(&row.hash).or_insert(row);
        by_question.entry(&row.question).or_insert(row);
        for picture in &row.pictures {
            by_picture.entry(other_numbers[*picture]).or_default().push(row);
        }
    }
    let mut hits = Vec::new();
    for row in &one.prints.listed.rows {
        let earlier = |found: &&RowPrint| !same || found.row < row.row;
        let with = |picture: usize| by_picture.get(&picture).into_iter().flatten().copied();
        let own = || row.pictures.iter().map(|picture| numbers[*picture]);
        let same_picture: Vec<&RowPrint> = own().flat_map(with).filter(earlier).take(MOST_COMPARED).collect();
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
            .or_else(|| {
                let found =
                    own().flat_map(|picture| &near[picture]).flat_map(|near| with(*near)).find(earlier);
                found.map(|found| (Level::NearPicture, found))
            })
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

/// Lines for `exclude`: the hash of each row, and for people what it is and what it resembles.
pub fn exclusion_list(hits: &[Hit]) -> Vec<u8> {
    let mut text = b"# hash of a row, the row, what it has in common with which other\n".to_vec();
    for hit in hits {
        let _ = writeln!(text, "{} {} {} {}", hit.hash, hit.row, hit.level.word(), hit.other);
    }
    text
}

#[cfg(test)]
mod tests {
    use image::{Rgb, imageops};

    use super::*;

    /// Whether two pictures are nearly the same.
    fn are_near(one: &RgbImage, other: &RgbImage) -> bool {
        !near::near(&near::Two([one.clone(), other.clone()]), |_| ())[0].is_empty()
    }

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
    fn a_tint_makes_a_copy_and_another_colour_in_one_place_does_not() {
        // Yellow on light grey: next to no contrast in grey values.
        let page = |x: u32| {
            let mut image = RgbImage::from_pixel(400, 100, Rgb([211; 3]));
            (20..80).for_each(|y| (100..120).for_each(|x| image.put_pixel(x, y, Rgb([0; 3]))));
            (20..80).for_each(|y| (x..x + 20).for_each(|x| image.put_pixel(x, y, Rgb([255, 255, 0]))));
            image
        };
        assert!(!are_near(&page(200), &page(300)));
        let mut tinted = page(200);
        tinted.pixels_mut().for_each(|p| p.0[0] = (f32::from(p.0[0]) * 0.8) as u8);
        assert!(are_near(&page(200), &tinted));
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
