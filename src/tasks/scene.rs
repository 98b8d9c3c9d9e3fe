//! Scenes of coloured shapes, the content of several tasks.

use rand::Rng;

use super::{
    canvas::{COLOURS, Canvas, Shape, colour},
    pick, shuffle,
};
use crate::{sample::Rect, seed::ChaCha8Rng};

/// Side of a scene's picture in pixels.
pub(super) const SIDE: i32 = 64;

/// A coloured shape in its box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) kind: Kind,
    /// Left, top, right, bottom in pixels, multiples of 4.
    pub(super) place: [i32; 4],
}

/// A colour with a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    pub(super) colour: &'static str,
    pub(super) shape: Shape,
}

impl Kind {
    /// Any kind, equally likely.
    pub(super) fn any(rng: &mut ChaCha8Rng) -> Self {
        Self { colour: pick(rng, &COLOURS).0, shape: pick(rng, &Shape::ALL) }
    }

    /// `red circle`.
    pub(super) fn name(self) -> String {
        format!("{} {}", self.colour, self.shape.name())
    }
}

impl Object {
    /// The answer's form of the box.
    pub(super) fn rect(self) -> Rect {
        let [x1, y1, x2, y2] = self.place.map(f64::from);
        Rect { x1, y1, x2, y2 }
    }

    /// Middle in half pixels: left plus right, top plus bottom.
    pub(super) fn middle(self) -> (i32, i32) {
        (self.place[0] + self.place[2], self.place[1] + self.place[3])
    }

    /// Width in pixels; objects are as high as wide.
    pub(super) fn size(self) -> i32 {
        self.place[2] - self.place[0]
    }

    /// `top left`, `middle right`, …: the ninth of the picture that the middle lies in.
    pub(super) fn area(self) -> String {
        let third = |middle: i32| (middle * 3 / (2 * SIDE)) as usize;
        let (x, y) = self.middle();
        format!("{} {}", ["top", "middle", "bottom"][third(y)], ["left", "centre", "right"][third(x)])
    }
}

/// Objects in reading order of their cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scene {
    pub(super) objects: Vec<Object>,
}

impl Scene {
    /// Places the kinds at random: whole cells of 16 px at levels 1 and 2; at level 3 a jittered 3×3 grid, larger
    /// objects, and overlaps of up to 4 px. At most 9 kinds.
    pub(super) fn new(rng: &mut ChaCha8Rng, kinds: &[Kind], level: u8) -> Self {
        let starts: &[i32] = if level < 3 { &[0, 16, 32, 48] } else { &[0, 20, 44] };
        let across = starts.len();
        let mut cells: Vec<usize> = (0..across * across).collect();
        shuffle(rng, &mut cells);
        let mut placed: Vec<(usize, Kind)> = cells.into_iter().zip(kinds.iter().copied()).collect();
        placed.sort_unstable();
        let objects = placed
            .into_iter()
            .map(|(cell, kind)| {
                let size = if level < 3 { pick(rng, &[12, 16]) } else { pick(rng, &[12, 16, 20]) };
                let slack = if level < 3 { 16 - size } else { 24 - size };
                let mut edge = |start: i32| (start + 4 * rng.random_range(0..=slack / 4)).min(SIDE - size);
                let (x, y) = (edge(starts[cell % across]), edge(starts[cell / across]));
                Object { kind, place: [x, y, x + size, y + size] }
            })
            .collect();
        Self { objects }
    }

    /// `red circle [4,8,20,24]; blue square [32,0,48,16].`
    pub(super) fn caption(&self) -> String {
        let each: Vec<String> = self
            .objects
            .iter()
            .map(|o| {
                let [x1, y1, x2, y2] = o.place;
                format!("{} [{x1},{y1},{x2},{y2}]", o.kind.name())
            })
            .collect();
        format!("{}.", each.join("; "))
    }

    /// The picture.
    pub(super) fn draw(&self) -> Canvas {
        let mut canvas = Canvas::lit(SIDE as u32, SIDE as u32);
        for object in &self.objects {
            canvas.shape(object.kind.shape, object.rect(), colour(object.kind.colour));
        }
        canvas
    }
}
