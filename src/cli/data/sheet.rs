//! Some rows of a dataset on one picture: what a person looks at before trusting it.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage, imageops};

use crate::{
    data::picture,
    error::{Context as _, Result},
    sample::{Answer, Rect, Rows, Sample},
    tasks::contact_sheet::contact_sheet,
};

/// Cells beside each other.
const COLUMNS: usize = 5;

/// Longest side of a picture on the sheet, in pixels.
const SIDE: u32 = 400;

/// `count` rows, evenly spread, as a PNG; a row that cannot be read has its reason in the place of its picture.
pub(super) fn png(rows: &dyn Rows, count: u64) -> Result<Vec<u8>> {
    let count = count.min(rows.len());
    let cells: Vec<(RgbImage, Vec<String>)> = (0..count)
        .map(|i| {
            let index = (u128::from(i) * u128::from(rows.len()) / u128::from(count)) as u64;
            match rows.row(index) {
                Ok(sample) => cell(&sample),
                Err(bad) => (blank(), vec![format!("bad row: {}", bad.place), bad.what]),
            }
        })
        .collect();
    let widest = cells.iter().map(|(picture, _)| picture.width().max(picture.height())).max().unwrap_or(1);
    let sheet = contact_sheet(&cells, COLUMNS, (SIDE / widest.max(1)).max(1));
    let mut bytes = Cursor::new(Vec::new());
    sheet.write_to(&mut bytes, ImageFormat::Png).failed()?;
    Ok(bytes.into_inner())
}

fn cell(sample: &Sample) -> (RgbImage, Vec<String>) {
    let mut lines = vec![sample.id.clone(), sample.question.clone()];
    // Only a prompt template would show them, and the sheet shows rows.
    let unseen = |option: &&String| !sample.question.contains(option.as_str());
    if sample.options.iter().any(|option| unseen(&option)) {
        let letters = ('A'..='Z').zip(&sample.options);
        lines.push(
            letters.map(|(letter, option)| format!("{letter}) {option}")).collect::<Vec<_>>().join("  "),
        );
    }
    lines.push(format!("answer: {}", sample.answer.written()));
    let (width, height) = sample
        .pictures
        .iter()
        .filter_map(|picture| picture::size(picture).ok())
        .fold((0_u32, 1), |(width, height), (w, h)| (width.saturating_add(w), height.max(h)));
    let scale = (f64::from(SIDE) / f64::from(width.max(height))).min(1.0);
    // Each is made smaller before the next is decoded, so that memory is bounded by the sheet and not by the pictures.
    let mut pictures = Vec::new();
    for (i, picture) in sample.pictures.iter().enumerate() {
        match picture::decode(picture) {
            Ok(mut picture) => {
                if let (Answer::Boxes(boxes), 0) = (&sample.answer, i) {
                    for gold in boxes {
                        outline(&mut picture, gold);
                    }
                }
                pictures.push(smaller(picture, scale));
            }
            Err(bad) => lines.push(bad.to_string()),
        }
    }
    (beside_each_other(&pictures), lines)
}

/// Draws the edge of a gold box, as wide as it takes to be seen when the picture is made smaller.
fn outline(picture: &mut RgbImage, gold: &Rect) {
    let (width, height) = picture.dimensions();
    let edge = i64::from(width.max(height) / SIDE + 1);
    // Golds come from files: they are cut at the border of the picture.
    let pixel = |value: f64, most: u32| value.clamp(0.0, f64::from(most)) as i64;
    let (left, right) = (pixel(gold.x1, width), pixel(gold.x2, width));
    let (top, bottom) = (pixel(gold.y1, height), pixel(gold.y2, height));
    for y in top..bottom {
        for x in left..right {
            if x < left + edge || y < top + edge || x >= right - edge || y >= bottom - edge {
                picture.put_pixel(x as u32, y as u32, Rgb([230, 30, 30]));
            }
        }
    }
}

fn smaller(picture: RgbImage, scale: f64) -> RgbImage {
    let side = |pixels: u32| ((f64::from(pixels) * scale).round() as u32).max(1);
    let (width, height) = (side(picture.width()), side(picture.height()));
    if scale < 1.0 { imageops::thumbnail(&picture, width, height) } else { picture }
}

/// One picture of all.
fn beside_each_other(pictures: &[RgbImage]) -> RgbImage {
    let Some(height) = pictures.iter().map(RgbImage::height).max() else { return blank() };
    let width = pictures.iter().map(RgbImage::width).sum();
    let mut all = RgbImage::from_pixel(width, height, Rgb([255; 3]));
    let mut left = 0;
    for picture in pictures {
        imageops::replace(&mut all, picture, left, 0);
        left += i64::from(picture.width());
    }
    all
}

fn blank() -> RgbImage {
    RgbImage::from_pixel(1, 1, Rgb([255; 3]))
}
