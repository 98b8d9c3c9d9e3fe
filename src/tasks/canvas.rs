//! Drawing on small pictures: antialiased shapes with dark outlines, bitmap text, a background that tells places apart.

use std::sync::Arc;

use embedded_graphics::{
    Pixel,
    draw_target::DrawTarget,
    geometry::{OriginDimensions, Point, Size},
    mono_font::{MonoFont, MonoTextStyle, ascii},
    pixelcolor::{Rgb888, RgbColor},
    text::{Baseline, Text, TextStyleBuilder},
};
use tiny_skia::{
    FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, PremultipliedColorU8, Stroke, Transform,
};

use crate::sample::{Picture, Rect};

/// Red, green, blue, each in 0–255.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub u8, pub u8, pub u8);

/// Outlines, axes and text.
pub const INK: Colour = Colour(25, 25, 30);
/// Paper of cards, dials and tables; brighter than any background.
pub const PAPER: Colour = Colour(255, 255, 255);
/// Rulings and grids: visible on the background, weaker than [`INK`].
pub const FAINT: Colour = Colour(150, 150, 155);

/// The colours that questions name, far from each other and from the background.
pub const COLOURS: [(&str, Colour); 6] = [
    ("red", Colour(225, 35, 35)),
    ("green", Colour(25, 150, 55)),
    ("blue", Colour(35, 75, 225)),
    ("yellow", Colour(250, 205, 10)),
    ("purple", Colour(155, 45, 190)),
    ("black", Colour(45, 45, 45)),
];

/// The colour that questions call `name`; one of [`COLOURS`].
pub fn colour(name: &str) -> Colour {
    COLOURS.iter().find(|(known, _)| *known == name).expect("only names of `COLOURS` are asked for").1
}

/// The shapes that questions name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// Round.
    Circle,
    /// Four equal sides, upright.
    Square,
    /// One corner up, one side down.
    Triangle,
    /// Five rays.
    Star,
}

impl Shape {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Circle, Self::Square, Self::Triangle, Self::Star];

    /// The word for one of them; the plural adds an `s`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Circle => "circle",
            Self::Square => "square",
            Self::Triangle => "triangle",
            Self::Star => "star",
        }
    }
}

/// Sizes of text. A letter of [`Font::Medium`] takes 6×10 px.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Font {
    /// 4×6 px per letter: tick labels where nothing else fits.
    Tiny,
    /// 5×8 px per letter.
    Small,
    /// 6×10 px per letter.
    Medium,
    /// 7×13 px per letter, bold.
    Large,
}

impl Font {
    fn mono(self) -> &'static MonoFont<'static> {
        match self {
            Self::Tiny => &ascii::FONT_4X6,
            Self::Small => &ascii::FONT_5X8,
            Self::Medium => &ascii::FONT_6X10,
            Self::Large => &ascii::FONT_7X13_BOLD,
        }
    }

    /// Width of a text in pixels.
    pub fn width(self, text: &str) -> f32 {
        text.chars().count() as f32 * self.mono().character_size.width as f32
    }

    /// Height of a line in pixels.
    pub fn height(self) -> f32 {
        self.mono().character_size.height as f32
    }
}

/// A picture being drawn. Coordinates are pixels from the top left corner; `y` grows downwards.
#[derive(Clone, Debug, PartialEq)]
pub struct Canvas {
    pixmap: Pixmap,
}

impl Canvas {
    /// A picture of one colour.
    pub fn plain(width: u32, height: u32, background: Colour) -> Self {
        let mut pixmap =
            Pixmap::new(width, height).expect("pictures have between 1 and some thousands of pixels");
        pixmap.fill(skia(background));
        Self { pixmap }
    }

    /// A picture on a lit background: red rises by 70 levels from left to right, blue from top to bottom.
    ///
    /// A small model reads the place of a patch from its pixels much sooner than from position embeddings alone.
    pub fn lit(width: u32, height: u32) -> Self {
        let mut canvas = Self::plain(width, height, PAPER);
        let level = |at: usize, length: u32| 175 + (70 * at / (length.max(2) as usize - 1)) as u8;
        for (at, pixel) in canvas.pixmap.pixels_mut().iter_mut().enumerate() {
            let (x, y) = (at % width as usize, at / width as usize);
            *pixel = opaque(Colour(level(x, width), 225, level(y, height)));
        }
        canvas
    }

    /// Pixels across.
    pub fn width(&self) -> u32 {
        self.pixmap.width()
    }

    /// Pixels down.
    pub fn height(&self) -> u32 {
        self.pixmap.height()
    }

    /// Colour of one pixel inside the picture.
    pub fn pixel(&self, x: u32, y: u32) -> Colour {
        let pixel = self.pixmap.pixel(x, y).expect("the caller asks inside the picture");
        Colour(pixel.red(), pixel.green(), pixel.blue())
    }

    /// A shape that fills its box, outline included.
    pub fn shape(&mut self, shape: Shape, place: Rect, fill: Colour) {
        let [x1, y1, x2, y2] = [place.x1, place.y1, place.x2, place.y2].map(|edge| edge as f32);
        // Two fills, dark and coloured, take a third of the time of a fill and a stroke.
        for (scale, paint) in [(0.0, INK), (1.0, fill)] {
            let inset = scale * OUTLINE;
            let (width, height) = (x2 - x1, y2 - y1);
            // Shrinking towards the centre of the inscribed circle moves every side by the same distance.
            let shrunk = |&(x, y): &(f32, f32), centre: (f32, f32), radius: f32| {
                let (fx, fy) = (1.0 - inset / (radius * width), 1.0 - inset / (radius * height));
                (
                    x1 + width * (centre.0 + (x - centre.0) * fx),
                    y1 + height * (centre.1 + (y - centre.1) * fy),
                )
            };
            let corners: Vec<(f32, f32)> = match shape {
                Shape::Circle => {
                    let inner = (x1 + inset, y1 + inset, x2 - inset, y2 - inset);
                    let oval = tiny_skia::Rect::from_ltrb(inner.0, inner.1, inner.2, inner.3);
                    if let Some(path) = oval.and_then(PathBuilder::from_oval) {
                        self.fill(&path, paint);
                    }
                    continue;
                }
                Shape::Square => {
                    self.fill_rect(x1 + inset, y1 + inset, width - 2.0 * inset, height - 2.0 * inset, paint);
                    continue;
                }
                Shape::Triangle => TRIANGLE.iter().map(|p| shrunk(p, (0.5, 0.69), 0.31)).collect(),
                Shape::Star => STAR.iter().map(|p| shrunk(p, (0.5, 0.55), 0.26)).collect(),
            };
            if let Some(path) = path(&corners, true) {
                self.fill(&path, paint);
            }
        }
    }

    /// A filled upright rectangle with a dark outline inside its edges.
    pub fn rect(&mut self, x: f32, y: f32, width: f32, height: f32, fill: Colour) {
        self.fill_rect(x, y, width, height, INK);
        self.fill_rect(x + 1.0, y + 1.0, width - 2.0, height - 2.0, fill);
    }

    /// A filled upright rectangle without outline.
    pub fn fill_rect(&mut self, x: f32, y: f32, width: f32, height: f32, fill: Colour) {
        if let Some(rect) = tiny_skia::Rect::from_xywh(x, y, width, height) {
            self.pixmap.fill_rect(rect, &paint(fill), Transform::identity(), None);
        }
    }

    /// A filled polygon with a dark outline.
    pub fn polygon(&mut self, points: &[(f32, f32)], fill: Colour) {
        if let Some(path) = path(points, true) {
            self.outlined(&path, fill);
        }
    }

    /// A filled circle with a dark outline inside its radius.
    pub fn circle(&mut self, x: f32, y: f32, radius: f32, fill: Colour) {
        for (radius, paint) in [(radius, INK), (radius - OUTLINE, fill)] {
            if let Some(path) = PathBuilder::from_circle(x, y, radius) {
                self.fill(&path, paint);
            }
        }
    }

    /// A slice of a pie with a dark outline; angles in degrees, clockwise from 12 o'clock.
    pub fn sector(&mut self, x: f32, y: f32, radius: f32, from: f32, to: f32, fill: Colour) {
        let mut points = arc_points(x, y, radius, from, to);
        points.push((x, y));
        self.polygon(&points, fill);
    }

    /// An arc of a circle as a line; angles in degrees, clockwise from 12 o'clock.
    #[expect(
        clippy::too_many_arguments,
        reason = "where, which part and how, as plainly as for every other shape"
    )]
    pub fn arc(&mut self, x: f32, y: f32, radius: f32, from: f32, to: f32, width: f32, colour: Colour) {
        self.polyline(&arc_points(x, y, radius, from, to), width, colour);
    }

    /// A straight line.
    pub fn line(&mut self, from: (f32, f32), to: (f32, f32), width: f32, colour: Colour) {
        self.polyline(&[from, to], width, colour);
    }

    /// A line through all points.
    pub fn polyline(&mut self, points: &[(f32, f32)], width: f32, colour: Colour) {
        if let Some(path) = path(points, false) {
            self.stroke(&path, width, colour);
        }
    }

    /// A straight line with a filled head at its end; `head` is the head's length in pixels.
    pub fn arrow(&mut self, from: (f32, f32), to: (f32, f32), width: f32, head: f32, colour: Colour) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy).max(1e-3);
        let (ux, uy) = (dx / length, dy / length);
        let neck = (to.0 - ux * head, to.1 - uy * head);
        self.line(from, neck, width, colour);
        let side = head * 0.6;
        let tip = [to, (neck.0 - uy * side, neck.1 + ux * side), (neck.0 + uy * side, neck.1 - ux * side)];
        if let Some(path) = path(&tip, true) {
            self.fill(&path, colour);
        }
    }

    /// Text with its top left corner at a point.
    pub fn text(&mut self, x: f32, y: f32, text: &str, font: Font, colour: Colour) {
        self.write(x, y, text, font, colour);
    }

    /// Text with its middle at a point, across and down.
    pub fn text_centred(&mut self, x: f32, y: f32, text: &str, font: Font, colour: Colour) {
        let left = (x - font.width(text) / 2.0).round();
        let top = (y - font.height() / 2.0).round();
        self.write(left, top, text, font, colour);
    }

    /// Text with its top right corner at a point.
    pub fn text_right(&mut self, x: f32, y: f32, text: &str, font: Font, colour: Colour) {
        self.write(x - font.width(text), y, text, font, colour);
    }

    fn write(&mut self, x: f32, y: f32, text: &str, font: Font, colour: Colour) {
        let letters = MonoTextStyle::new(font.mono(), Rgb888::new(colour.0, colour.1, colour.2));
        let style = TextStyleBuilder::new().baseline(Baseline::Top).build();
        let at = Point::new(x.round() as i32, y.round() as i32);
        let Ok(_) = embedded_graphics::Drawable::draw(&Text::with_text_style(text, at, letters, style), self);
    }

    /// The picture as the model gets it.
    pub fn picture(&self) -> Picture {
        let pixels: Vec<u8> = self
            .pixmap
            .pixels()
            .iter()
            .flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()])
            .collect();
        Picture::Rgb { width: self.width(), height: self.height(), pixels: Arc::from(pixels) }
    }

    fn outlined(&mut self, path: &Path, fill: Colour) {
        self.fill(path, fill);
        self.stroke(path, OUTLINE, INK);
    }

    fn fill(&mut self, path: &Path, fill: Colour) {
        self.pixmap.fill_path(path, &paint(fill), FillRule::Winding, Transform::identity(), None);
    }

    fn stroke(&mut self, path: &Path, width: f32, colour: Colour) {
        let stroke =
            Stroke { width, line_cap: LineCap::Round, line_join: LineJoin::Round, ..Stroke::default() };
        self.pixmap.stroke_path(path, &paint(colour), &stroke, Transform::identity(), None);
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.width(), self.height())
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = std::convert::Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Self::Error> {
        let (width, height) = (self.width() as i32, self.height() as i32);
        let target = self.pixmap.pixels_mut();
        for Pixel(at, colour) in pixels {
            if (0..width).contains(&at.x) && (0..height).contains(&at.y) {
                target[(at.y * width + at.x) as usize] = opaque(Colour(colour.r(), colour.g(), colour.b()));
            }
        }
        Ok(())
    }
}

/// Width of the outline of shapes in pixels.
const OUTLINE: f32 = 1.2;

/// Corners of a triangle in the unit square.
const TRIANGLE: [(f32, f32); 3] = [(0.5, 0.0), (1.0, 1.0), (0.0, 1.0)];

/// Corners of a five-rayed star in the unit square, touching all four sides.
const STAR: [(f32, f32); 10] = [
    (0.5, 0.0),
    (0.66, 0.32),
    (1.0, 0.38),
    (0.76, 0.64),
    (0.81, 1.0),
    (0.5, 0.84),
    (0.19, 1.0),
    (0.24, 0.64),
    (0.0, 0.38),
    (0.34, 0.32),
];

fn arc_points(x: f32, y: f32, radius: f32, from: f32, to: f32) -> Vec<(f32, f32)> {
    let steps = ((to - from).abs() / 6.0).ceil().max(1.0);
    (0..=steps as usize)
        .map(|step| {
            let angle = (from + (to - from) * step as f32 / steps).to_radians();
            (x + radius * angle.sin(), y - radius * angle.cos())
        })
        .collect()
}

fn path(points: &[(f32, f32)], closed: bool) -> Option<Path> {
    let mut builder = PathBuilder::new();
    let (first, rest) = points.split_first()?;
    builder.move_to(first.0, first.1);
    for point in rest {
        builder.line_to(point.0, point.1);
    }
    if closed {
        builder.close();
    }
    builder.finish()
}

fn paint(Colour(r, g, b): Colour) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color_rgba8(r, g, b, 255);
    paint.anti_alias = true;
    paint
}

fn skia(Colour(r, g, b): Colour) -> tiny_skia::Color {
    tiny_skia::Color::from_rgba8(r, g, b, 255)
}

fn opaque(Colour(r, g, b): Colour) -> PremultipliedColorU8 {
    PremultipliedColorU8::from_rgba(r, g, b, 255).expect("an opaque colour is its own premultiplied form")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_background_tells_left_from_right_and_top_from_bottom() {
        let canvas = Canvas::lit(64, 64);
        assert_eq!(canvas.pixel(0, 0), Colour(175, 225, 175));
        assert_eq!(canvas.pixel(63, 0), Colour(245, 225, 175));
        assert_eq!(canvas.pixel(0, 63), Colour(175, 225, 245));
    }

    #[test]
    fn a_shape_touches_the_edges_of_its_box_and_leaves_the_rest_alone() {
        for shape in Shape::ALL {
            let empty = Canvas::lit(64, 64);
            let mut canvas = empty.clone();
            canvas.shape(shape, Rect { x1: 16.0, y1: 20.0, x2: 32.0, y2: 40.0 }, colour("red"));
            let changed: Vec<(u32, u32)> = (0..64 * 64)
                .map(|at| (at % 64, at / 64))
                .filter(|&(x, y)| canvas.pixel(x, y) != empty.pixel(x, y))
                .collect();
            let (left, right) = (changed.iter().map(|p| p.0).min(), changed.iter().map(|p| p.0).max());
            let (top, bottom) = (changed.iter().map(|p| p.1).min(), changed.iter().map(|p| p.1).max());
            let found = [left, top, right, bottom].map(Option::unwrap);
            assert_eq!(found, [16, 20, 31, 39], "{shape:?}");
        }
    }

    #[test]
    fn text_outside_the_picture_is_cut_off() {
        let mut canvas = Canvas::lit(16, 16);
        canvas.text(-20.0, 10.0, "outside and inside", Font::Medium, INK);
        assert_ne!(canvas, Canvas::lit(16, 16));
    }
}
