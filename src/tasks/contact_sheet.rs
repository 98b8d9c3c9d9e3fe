//! Pictures with lines of text under them on one sheet, for people to look at.

use embedded_graphics::{
    Pixel,
    draw_target::DrawTarget,
    geometry::{OriginDimensions, Point, Size},
    mono_font::{MonoTextStyle, ascii::FONT_7X13},
    pixelcolor::{Rgb888, RgbColor},
    text::{Baseline, Text},
};
use image::{Rgb, RgbImage, imageops};

/// Pixels between and around cells.
const MARGIN: u32 = 12;
/// A letter of the sheet's font.
const LETTER: (u32, u32) = (7, 13);

/// Draws pictures in a grid, each with its lines of text below.
///
/// `cells`: picture and lines; long lines are wrapped, other letters than ASCII become `?`. `zoom` ≥ 1 enlarges each
/// pixel of the pictures (nearest neighbour); `columns` ≥ 1. An empty list gives an empty sheet of one margin.
pub fn contact_sheet(cells: &[(RgbImage, Vec<String>)], columns: usize, zoom: u32) -> RgbImage {
    let (columns, zoom) = (columns.max(1), zoom.max(1));
    let widest = cells.iter().map(|(picture, _)| picture.width() * zoom).max().unwrap_or(0);
    // Text needs some width even below small pictures.
    let cell_width = if cells.is_empty() { 0 } else { widest.max(40 * LETTER.0) };
    let per_line = (cell_width / LETTER.0).max(1) as usize;
    let wrapped: Vec<Vec<String>> =
        cells.iter().map(|(_, lines)| lines.iter().flat_map(|line| wrap(line, per_line)).collect()).collect();
    let row_heights: Vec<(u32, u32)> = cells
        .chunks(columns)
        .zip(wrapped.chunks(columns))
        .map(|(row, texts)| {
            let picture = row.iter().map(|(picture, _)| picture.height() * zoom).max().unwrap_or(0);
            let lines = texts.iter().map(Vec::len).max().unwrap_or(0) as u32;
            (picture, lines * LETTER.1)
        })
        .collect();
    let across = columns.min(cells.len()) as u32;
    let width = MARGIN + across * (cell_width + MARGIN);
    let height = MARGIN + row_heights.iter().map(|(picture, text)| picture + text + 2 * MARGIN).sum::<u32>();
    let mut sheet = Sheet(RgbImage::from_pixel(width, height, Rgb([250, 250, 250])));
    let mut top = MARGIN;
    let rows = cells.chunks(columns).zip(wrapped.chunks(columns)).zip(row_heights);
    for ((row, texts), (picture_height, text_height)) in rows {
        for (column, ((picture, _), lines)) in row.iter().zip(texts).enumerate() {
            let left = MARGIN + column as u32 * (cell_width + MARGIN);
            let (width, height) = (picture.width() * zoom, picture.height() * zoom);
            let large = imageops::resize(picture, width, height, imageops::FilterType::Nearest);
            imageops::replace(&mut sheet.0, &large, i64::from(left), i64::from(top));
            for (nth, line) in lines.iter().enumerate() {
                sheet.write(left, top + picture_height + MARGIN / 2 + nth as u32 * LETTER.1, line);
            }
        }
        top += picture_height + text_height + 2 * MARGIN;
    }
    sheet.0
}

/// Breaks a line between words so that no piece is longer than `length` letters; words longer than that are cut.
fn wrap(line: &str, length: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in line.split_whitespace() {
        let letters: Vec<char> = word.chars().map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect();
        for piece in letters.chunks(length) {
            let last = lines.last_mut().expect("there is always a last line");
            if last.is_empty() {
                last.extend(piece);
            } else if last.len() + 1 + piece.len() <= length {
                last.push(' ');
                last.extend(piece);
            } else {
                lines.push(piece.iter().collect());
            }
        }
    }
    lines
}

struct Sheet(RgbImage);

impl Sheet {
    fn write(&mut self, x: u32, y: u32, line: &str) {
        let style = MonoTextStyle::new(&FONT_7X13, Rgb888::new(20, 20, 25));
        let text = Text::with_baseline(line, Point::new(x as i32, y as i32), style, Baseline::Top);
        let Ok(_) = embedded_graphics::Drawable::draw(&text, self);
    }
}

impl OriginDimensions for Sheet {
    fn size(&self) -> Size {
        Size::new(self.0.width(), self.0.height())
    }
}

impl DrawTarget for Sheet {
    type Color = Rgb888;
    type Error = std::convert::Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Self::Error> {
        for Pixel(at, colour) in pixels {
            if let (Ok(x), Ok(y)) = (u32::try_from(at.x), u32::try_from(at.y))
                && let Some(pixel) = self.0.get_pixel_mut_checked(x, y)
            {
                *pixel = Rgb([colour.r(), colour.g(), colour.b()]);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_between_words_and_long_words_inside() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrap("naïve", 9), ["na?ve"]);
        assert_eq!(wrap("", 4), [""]);
    }

    #[test]
    fn the_sheet_has_room_for_every_cell() {
        let cell = || (RgbImage::new(64, 48), vec!["a question".to_owned(), "an answer".to_owned()]);
        let sheet = contact_sheet(&[cell(), cell(), cell()], 2, 2);
        // Two columns of 280 px (40 letters) with three margins; two rows of 96 + 26 px, each with two margins, and one.
        assert_eq!(sheet.dimensions(), (2 * 280 + 3 * 12, 2 * (96 + 26 + 24) + 12));
        assert_eq!(contact_sheet(&[], 3, 1).dimensions(), (12, 12));
    }
}
