//! An angle, a length or an area in a drawn figure, with the numbers written in it; the role of GeoQAV.

use rand::Rng;

use super::{
    NoSettings, Problem, Task,
    canvas::{COLOURS, Canvas, Colour, INK},
    cells::text_near,
    choice, entry, idle, pick,
};
use crate::{
    registry::{BuildError, Entry, Named},
    seed::ChaCha8Rng,
};

pub(super) const ENTRY: Entry<dyn Task> = entry::<Geometry>();

struct Geometry;

impl Named for Geometry {
    const NAME: &'static str = "geometry";
    const SUMMARY: &'static str = "An angle, a length or an area in a drawn figure";
    type Config = NoSettings;

    fn new(_: NoSettings) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

/// Draws a figure with its areas in a colour.
type Draw = Box<dyn Fn(&mut Canvas, Colour) + Send + Sync>;

/// A figure with one thing to find out.
struct Figure {
    stem: &'static str,
    caption: String,
    /// How the answer follows, ending in it.
    steps: String,
    answer: i64,
    draw: Draw,
}

/// Makes figures of one kind.
type Kind = fn(&mut ChaCha8Rng) -> Figure;

const EASY: [Kind; 5] = [angle_on_a_line::<10>, right_angle_in_two, line_in_two, small_rectangle, square];
const MEDIUM: [Kind; 5] = [triangle_angle::<10>, angle_on_a_line::<5>, rectangle, perimeter, triangle_area];
const HARD: [Kind; 7] = [
    triangle_angle::<5>,
    three_angles_on_a_line,
    isosceles,
    hypotenuse,
    other_leg,
    same_shape,
    two_rectangles,
];

impl Task for Geometry {
    fn problem(&self, rng: &mut ChaCha8Rng, level: u8) -> Problem {
        let kind = match level {
            1 => pick(rng, &EASY),
            2 => pick(rng, &MEDIUM),
            _ => pick(rng, &HARD),
        };
        // The wrong options are the answers of other figures of the same kind: without the picture any of the four
        // could be the right one.
        let (figure, wrong) = loop {
            let figures: [Figure; 4] = std::array::from_fn(|_| kind(rng));
            let mut answers = figures.each_ref().map(|figure| figure.answer);
            let wrong = [answers[1], answers[2], answers[3]];
            answers.sort_unstable();
            if answers.windows(2).all(|pair| pair[0] < pair[1]) {
                let [figure, ..] = figures;
                break (figure, wrong);
            }
        };
        let Figure { stem, caption, steps, answer, draw } = figure;
        let (question, options, answer) = choice(rng, stem, answer, &wrong);
        let rationale = format!("{steps} {}.", answer.written());
        let fill = pick(rng, &COLOURS[..5]).1;
        Problem {
            key: format!("{question} {caption}"),
            idle_rationale: idle(rng, &rationale),
            question,
            options,
            answer,
            caption,
            rationale,
            draw: Box::new(move || {
                let mut canvas = Canvas::lit(80, 80);
                draw(&mut canvas, pale(fill));
                canvas
            }),
        }
    }
}

const ANGLE: &str = "How large is angle x?";
const LENGTH: &str = "How long is x?";
const AREA: &str = "What is the area?";

/// Light enough for dark text and outlines on it.
fn pale(Colour(r, g, b): Colour) -> Colour {
    let lighter = |level: u8| level / 2 + 127;
    Colour(lighter(r), lighter(g), lighter(b))
}

/// A multiple of `step` in the closed range.
fn multiple(rng: &mut ChaCha8Rng, step: i64, from: i64, to: i64) -> i64 {
    step * rng.random_range(from / step..=to / step)
}

/// The point `length` away from `from` in a direction in degrees, counter-clockwise from the right.
fn ray((x, y): (f32, f32), degrees: f32, length: f32) -> (f32, f32) {
    let angle = degrees.to_radians();
    (x + length * angle.cos(), y - length * angle.sin())
}

/// The mark of an angle between two directions, counter-clockwise from the right.
fn mark(canvas: &mut Canvas, (x, y): (f32, f32), radius: f32, from: f32, to: f32) {
    canvas.arc(x, y, radius, 90.0 - to, 90.0 - from, 1.2, INK);
}

fn angle_on_a_line<const STEP: i64>(rng: &mut ChaCha8Rng) -> Figure {
    let x = multiple(rng, STEP, 30, 95);
    let known = 180 - x;
    let x_is_right = rng.random_bool(0.5);
    let sides = if x_is_right { ("left", "right") } else { ("right", "left") };
    Figure {
        stem: ANGLE,
        caption: format!("Two angles on a line: {known} on the {}, x on the {}.", sides.0, sides.1),
        steps: format!("180 - {known} = {x}"),
        answer: x,
        draw: Box::new(move |canvas, _| {
            let corner = (40.0, 52.0);
            let turn = if x_is_right { x } else { known } as f32;
            mark(canvas, corner, 12.0, 0.0, turn);
            mark(canvas, corner, 16.0, turn, 180.0);
            canvas.line((4.0, 52.0), (76.0, 52.0), 2.0, INK);
            canvas.line(corner, ray(corner, turn, 44.0), 2.0, INK);
            let (left, right) =
                if x_is_right { (known.to_string(), "x".into()) } else { ("x".into(), known.to_string()) };
            text_near(canvas, 20.0, 64.0, &left);
            text_near(canvas, 60.0, 64.0, &right);
        }),
    }
}

fn right_angle_in_two(rng: &mut ChaCha8Rng) -> Figure {
    let x = multiple(rng, 5, 15, 75);
    let known = 90 - x;
    let x_is_low = rng.random_bool(0.5);
    let places = if x_is_low { ("upper", "lower") } else { ("lower", "upper") };
    Figure {
        stem: ANGLE,
        caption: format!("A right angle in two: the {} part is {known}, the {} is x.", places.0, places.1),
        steps: format!("90 - {known} = {x}"),
        answer: x,
        draw: Box::new(move |canvas, _| {
            let corner = (20.0, 60.0);
            let turn = if x_is_low { x } else { known } as f32;
            canvas.line((20.0, 60.0), (28.0, 60.0), 2.0, INK);
            canvas.polyline(&[(20.0, 52.0), (28.0, 52.0), (28.0, 60.0)], 1.2, INK);
            mark(canvas, corner, 20.0, 0.0, turn);
            mark(canvas, corner, 24.0, turn, 90.0);
            canvas.polyline(&[(20.0, 8.0), corner, (74.0, 60.0)], 2.0, INK);
            canvas.line(corner, ray(corner, turn, 52.0), 2.0, INK);
            let (low, high) =
                if x_is_low { ("x".into(), known.to_string()) } else { (known.to_string(), "x".into()) };
            text_near(canvas, 52.0, 72.0, &low);
            text_near(canvas, 8.0, 32.0, &high);
        }),
    }
}

fn three_angles_on_a_line(rng: &mut ChaCha8Rng) -> Figure {
    let x = multiple(rng, 10, 30, 90);
    let left = multiple(rng, 10, 30, 150 - x);
    let right = 180 - x - left;
    Figure {
        stem: ANGLE,
        caption: format!("Three angles on a line: {left}, x in the middle, {right}."),
        steps: format!("180 - {left} - {right} = {x}"),
        answer: x,
        draw: Box::new(move |canvas, _| {
            let corner = (40.0, 58.0);
            mark(canvas, corner, 12.0, 0.0, right as f32);
            mark(canvas, corner, 16.0, right as f32, (right + x) as f32);
            mark(canvas, corner, 12.0, (right + x) as f32, 180.0);
            canvas.line((4.0, 58.0), (76.0, 58.0), 2.0, INK);
            canvas.line(corner, ray(corner, right as f32, 40.0), 2.0, INK);
            canvas.line(corner, ray(corner, (right + x) as f32, 40.0), 2.0, INK);
            let middle = ray(corner, (right as f32) + x as f32 / 2.0, 46.0);
            text_near(canvas, middle.0, middle.1, "x");
            text_near(canvas, 16.0, 72.0, &left.to_string());
            text_near(canvas, 64.0, 72.0, &right.to_string());
        }),
    }
}

/// Draws a triangle with these angles at the left and right end of its lower side, and labels beside the corners.
fn draw_triangle(canvas: &mut Canvas, fill: Colour, left: f32, right: f32, labels: [&str; 3]) {
    let (tan_left, tan_right) = (left.to_radians().tan(), right.to_radians().tan());
    // Height over base; a right angle has a huge but finite tangent in floating point.
    let slope = tan_left * tan_right / (tan_left + tan_right);
    let base = (52.0_f32).min(44.0 / slope);
    let (x, y) = (40.0 - base / 2.0, 62.0);
    let apex = (x + base * slope / tan_left, y - base * slope);
    canvas.polygon(&[(x, y), (x + base, y), apex], fill);
    mark(canvas, (x, y), 9.0, 0.0, left);
    mark(canvas, (x + base, y), 9.0, 180.0 - right, 180.0);
    text_near(canvas, x - 8.0, 72.0, labels[0]);
    text_near(canvas, x + base + 8.0, 72.0, labels[1]);
    text_near(canvas, apex.0, apex.1 - 10.0, labels[2]);
}

fn triangle_angle<const STEP: i64>(rng: &mut ChaCha8Rng) -> Figure {
    // At least 30° at the lower corners leave room for the marks, at most 85° keep the top above the base.
    let (mut angles, x) = loop {
        let (left, right) = (multiple(rng, STEP, 30, 85), multiple(rng, STEP, 30, 85));
        let angles = [left, right, 180 - left - right];
        let x = rng.random_range(0..3);
        if angles[2] >= 20 && angles[x] < 100 {
            break (angles, x);
        }
    };
    let answer = angles[x];
    let (left, right) = (angles[0] as f32, angles[1] as f32);
    angles.rotate_left(x);
    let [_, a, b] = angles;
    let mut labels = ["x".to_owned(), a.to_string(), b.to_string()];
    labels.rotate_right(x);
    Figure {
        stem: ANGLE,
        caption: format!(
            "A triangle with angles {} left, {} right, {} on top.",
            labels[0], labels[1], labels[2]
        ),
        steps: format!("180 - {a} - {b} = {answer}"),
        answer,
        draw: Box::new(move |canvas, fill| {
            draw_triangle(canvas, fill, left, right, labels.each_ref().map(String::as_str));
        }),
    }
}

fn isosceles(rng: &mut ChaCha8Rng) -> Figure {
    let x = multiple(rng, 5, 35, 80);
    let top = 180 - 2 * x;
    Figure {
        stem: ANGLE,
        caption: format!("A triangle with angles x left, x right, {top} on top."),
        steps: format!("180 - {top} = {}, half is {x}", 2 * x),
        answer: x,
        draw: Box::new(move |canvas, fill| {
            draw_triangle(canvas, fill, x as f32, x as f32, ["x", "x", &top.to_string()]);
        }),
    }
}

fn line_in_two(rng: &mut ChaCha8Rng) -> Figure {
    let (known, x) = (rng.random_range(3..=9), rng.random_range(2..=19));
    let whole = known + x;
    let x_is_right = rng.random_bool(0.5);
    let sides = if x_is_right { ("left", "right") } else { ("right", "left") };
    Figure {
        stem: LENGTH,
        caption: format!("A line of {whole} in two parts: {known} on the {}, x on the {}.", sides.0, sides.1),
        steps: format!("{whole} - {known} = {x}"),
        answer: x,
        draw: Box::new(move |canvas, _| {
            let (left, right) = (6.0, 74.0);
            let share = (if x_is_right { known } else { x }) as f32 / whole as f32;
            let cut = left + (right - left) * share;
            canvas.line((left, 36.0), (right, 36.0), 3.0, INK);
            for x in [left, cut, right] {
                canvas.line((x, 30.0), (x, 42.0), 2.0, INK);
            }
            canvas.polyline(&[(left, 48.0), (left, 54.0), (right, 54.0), (right, 48.0)], 1.2, INK);
            let (first, second) =
                if x_is_right { (known.to_string(), "x".into()) } else { ("x".into(), known.to_string()) };
            text_near(canvas, f32::midpoint(left, cut).clamp(8.0, 60.0), 20.0, &first);
            text_near(canvas, f32::midpoint(cut, right).clamp(24.0, 72.0), 20.0, &second);
            text_near(canvas, 40.0, 64.0, &whole.to_string());
        }),
    }
}

/// Draws a rectangle true to its sides, with a label beside the left and one below the lower side.
fn draw_rectangle(canvas: &mut Canvas, fill: Colour, (width, height): (i64, i64), labels: [&str; 2]) {
    let scale = 48.0 / width.max(height) as f32;
    let (wide, high) = (width as f32 * scale, height as f32 * scale);
    let (x, y) = (50.0 - wide / 2.0, 34.0 - high / 2.0);
    canvas.rect(x, y, wide, high, fill);
    text_near(canvas, x - 12.0, 34.0, labels[0]);
    text_near(canvas, 48.0, y + high + 10.0, labels[1]);
}

fn rectangle_of(width: i64, height: i64) -> Figure {
    Figure {
        stem: AREA,
        caption: format!("A rectangle of {width} by {height}."),
        steps: format!("{width}*{height} = {}", width * height),
        answer: width * height,
        draw: Box::new(move |canvas, fill| {
            draw_rectangle(canvas, fill, (width, height), [&height.to_string(), &width.to_string()]);
        }),
    }
}

fn small_rectangle(rng: &mut ChaCha8Rng) -> Figure {
    rectangle_of(rng.random_range(2..=6), rng.random_range(2..=6))
}

fn rectangle(rng: &mut ChaCha8Rng) -> Figure {
    rectangle_of(rng.random_range(3..=9), rng.random_range(3..=9))
}

fn square(rng: &mut ChaCha8Rng) -> Figure {
    let side = rng.random_range(2..=24);
    Figure {
        stem: "What is the perimeter?",
        caption: format!("A square with side {side}."),
        steps: format!("4*{side} = {}", 4 * side),
        answer: 4 * side,
        draw: Box::new(move |canvas, fill| {
            draw_rectangle(canvas, fill, (1, 1), [&side.to_string(), &side.to_string()]);
        }),
    }
}

fn perimeter(rng: &mut ChaCha8Rng) -> Figure {
    // No side more than twice the other, so that the number fits inside.
    let known: i64 = rng.random_range(3..=12);
    let x = rng.random_range((known + 1) / 2..=2 * known);
    let around = 2 * (x + known);
    Figure {
        stem: "The number inside is the perimeter. How long is x?",
        caption: format!("A rectangle of {known} by x with perimeter {around}."),
        steps: format!("{around} / 2 = {}, minus {known} is {x}", x + known),
        answer: x,
        draw: Box::new(move |canvas, fill| {
            draw_rectangle(canvas, fill, (known, x), ["x", &known.to_string()]);
            text_near(canvas, 48.0, 34.0, &around.to_string());
        }),
    }
}

/// Draws a right triangle true to its legs, with labels beside the left leg, below the lower leg, at the long side.
fn draw_right_triangle(canvas: &mut Canvas, fill: Colour, (low, left): (i64, i64), labels: [&str; 3]) {
    let scale = 48.0 / low.max(left) as f32;
    let (wide, high) = (low as f32 * scale, left as f32 * scale);
    let (x, y) = (50.0 - wide / 2.0, 34.0 + high / 2.0);
    canvas.polygon(&[(x, y), (x + wide, y), (x, y - high)], fill);
    canvas.polyline(&[(x + 6.0, y), (x + 6.0, y - 6.0), (x, y - 6.0)], 1.2, INK);
    text_near(canvas, x - 12.0, 34.0, labels[0]);
    text_near(canvas, 48.0, y + 12.0, labels[1]);
    text_near(canvas, 48.0 + wide * 0.1 + 10.0, 34.0 - high * 0.1 - 10.0, labels[2]);
}

fn triangle_area(rng: &mut ChaCha8Rng) -> Figure {
    let (width, height) = (2 * rng.random_range(2..=6), rng.random_range(3..=9));
    Figure {
        stem: AREA,
        caption: format!("A right triangle with legs {width} and {height}."),
        steps: format!("{width}*{height} = {}, half is {}", width * height, width * height / 2),
        answer: width * height / 2,
        draw: Box::new(move |canvas, fill| {
            let labels = [height.to_string(), width.to_string()];
            draw_right_triangle(canvas, fill, (width, height), [&labels[0], &labels[1], ""]);
        }),
    }
}

/// Right triangles with whole sides: two legs and the long side.
const TRIPLES: [(i64, i64, i64); 14] = [
    (3, 4, 5),
    (6, 8, 10),
    (9, 12, 15),
    (12, 16, 20),
    (15, 20, 25),
    (18, 24, 30),
    (5, 12, 13),
    (10, 24, 26),
    (8, 15, 17),
    (16, 30, 34),
    (7, 24, 25),
    (20, 21, 29),
    (21, 28, 35),
    (24, 32, 40),
];

/// A triple with its legs in random order.
fn triple(rng: &mut ChaCha8Rng) -> (i64, i64, i64) {
    let (a, b, c) = pick(rng, &TRIPLES);
    if rng.random_bool(0.5) { (a, b, c) } else { (b, a, c) }
}

fn hypotenuse(rng: &mut ChaCha8Rng) -> Figure {
    let (low, left, x) = triple(rng);
    Figure {
        stem: LENGTH,
        caption: format!("A right triangle with legs {low} and {left}, long side x."),
        steps: format!("{} + {} = {}, root is {x}", low * low, left * left, x * x),
        answer: x,
        draw: Box::new(move |canvas, fill| {
            draw_right_triangle(canvas, fill, (low, left), [&left.to_string(), &low.to_string(), "x"]);
        }),
    }
}

fn other_leg(rng: &mut ChaCha8Rng) -> Figure {
    let (low, x, long) = triple(rng);
    Figure {
        stem: LENGTH,
        caption: format!("A right triangle with legs {low} and x, long side {long}."),
        steps: format!("{} - {} = {}, root is {x}", long * long, low * low, x * x),
        answer: x,
        draw: Box::new(move |canvas, fill| {
            draw_right_triangle(canvas, fill, (low, x), ["x", &low.to_string(), &long.to_string()]);
        }),
    }
}

fn same_shape(rng: &mut ChaCha8Rng) -> Figure {
    let (width, height) = (rng.random_range(2..=9), rng.random_range(2..=9));
    let times = rng.random_range(2..=4);
    let (wide, x) = (times * width, times * height);
    Figure {
        stem: "Both have the same shape. How long is x?",
        caption: format!("A rectangle of {width} by {height} and one of {wide} by x."),
        steps: format!("{wide} / {width} = {times}, {times}*{height} = {x}"),
        answer: x,
        draw: Box::new(move |canvas, fill| {
            let scale = (34.0 / (width + wide) as f32).min(54.0 / x as f32);
            let size = |side: i64| side as f32 * scale;
            let (small, large) = (16.0, 28.0 + size(width));
            canvas.rect(small, 60.0 - size(height), size(width), size(height), fill);
            canvas.rect(large, 60.0 - size(x), size(wide), size(x), fill);
            text_near(canvas, 4.0, 60.0 - size(height) / 2.0, &height.to_string());
            text_near(canvas, small + size(width) / 2.0, 72.0, &width.to_string());
            text_near(canvas, (large + size(wide) + 8.0).min(76.0), 60.0 - size(x) / 2.0, "x");
            text_near(canvas, large + size(wide) / 2.0 + 4.0, 72.0, &wide.to_string());
        }),
    }
}

fn two_rectangles(rng: &mut ChaCha8Rng) -> Figure {
    let sides = loop {
        let [a, b, c, d] = [6, 9, 6, 9].map(|most| rng.random_range(2..=most));
        if b != d && a * b + c * d < 100 {
            break [a, b, c, d];
        }
    };
    let [a, b, c, d] = sides;
    let area = a * b + c * d;
    Figure {
        stem: AREA,
        caption: format!("An L of two rectangles, {a} by {b} and {c} by {d}."),
        steps: format!("{a}*{b} + {c}*{d} = {} + {} = {area}", a * b, c * d),
        answer: area,
        draw: Box::new(move |canvas, fill| {
            let scale = 48.0 / (a + c).max(b).max(d) as f32;
            let [wide, high, wide_2, high_2] = sides.map(|side| side as f32 * scale);
            let x = 40.0 - f32::midpoint(wide, wide_2);
            canvas.rect(x, 60.0 - high, wide, high, fill);
            canvas.rect(x + wide, 60.0 - high_2, wide_2, high_2, fill);
            text_near(canvas, x - 8.0, 60.0 - high / 2.0, &b.to_string());
            text_near(canvas, x + wide / 2.0, 70.0, &a.to_string());
            text_near(canvas, x + wide + wide_2 / 2.0, 70.0, &c.to_string());
            text_near(canvas, x + wide + wide_2 + 8.0, 60.0 - high_2 / 2.0, &d.to_string());
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    #[test]
    fn every_kind_of_figure_has_answers_from_1_to_99_in_its_steps() {
        let mut rng = Seed::new(1).rng();
        for kind in EASY.iter().chain(&MEDIUM).chain(&HARD) {
            for _ in 0..300 {
                let figure = kind(&mut rng);
                assert!((1..=99).contains(&figure.answer), "{}", figure.caption);
                let last: i64 = figure.steps.split(' ').next_back().unwrap().parse().unwrap();
                assert_eq!(last, figure.answer, "{}", figure.steps);
            }
        }
    }

    #[test]
    fn triples_are_right_triangles() {
        assert!(TRIPLES.iter().all(|(a, b, c)| a * a + b * b == c * c));
    }
}
