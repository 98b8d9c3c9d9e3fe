//! Counting, reading a plotted function, dice and small tables; the role of MathVista.

use rand::Rng;

use super::{
    NoSettings, Problem, Task,
    canvas::{COLOURS, Canvas, FAINT, Font, INK, PAPER, Shape, colour},
    choice, conclusion, entry, idle, pick,
    scene::{Kind, Scene},
    shuffle, wrong_numbers,
};
use crate::{
    registry::{BuildError, Entry, Named},
    sample::Answer,
    seed::ChaCha8Rng,
};

pub(super) const ENTRY: Entry<dyn Task> = entry::<VisualMath>();

struct VisualMath;

impl Named for VisualMath {
    const NAME: &'static str = "visual_math";
    const SUMMARY: &'static str = "Counting, a plotted function, dice and small tables";
    type Config = NoSettings;

    fn new(_: NoSettings) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

struct Asked {
    question: String,
    answer: i64,
    caption: String,
    rationale: String,
    draw: Box<dyn Fn() -> Canvas + Send + Sync>,
}

impl Task for VisualMath {
    fn problem(&self, rng: &mut ChaCha8Rng, level: u8) -> Problem {
        let asked = match rng.random_range(0..4) {
            0 => counting(rng, level),
            1 => function(rng, level),
            2 => dice(rng, level),
            _ => table(rng, level),
        };
        let key = format!("{} {}", asked.question, asked.caption);
        let (question, options, answer) = if rng.random_bool(0.25) {
            let wrong = wrong_numbers(rng, asked.answer, 1, 0);
            choice(rng, &asked.question, asked.answer, &wrong)
        } else {
            (asked.question, Vec::new(), Answer::Number(asked.answer as f64))
        };
        let mut rationale = asked.rationale;
        if !options.is_empty() && rationale.split_whitespace().count() <= 9 {
            rationale = format!("{rationale} So {}", conclusion(&options, &answer));
        }
        Problem {
            question,
            options,
            answer,
            idle_rationale: idle(rng, &rationale),
            rationale,
            key,
            caption: asked.caption,
            draw: asked.draw,
        }
    }
}

/// How many there are, or how many more of one than of another.
fn counting(rng: &mut ChaCha8Rng, level: u8) -> Asked {
    let shape = pick(rng, &Shape::ALL);
    let other = loop {
        let other = pick(rng, &Shape::ALL);
        if other != shape {
            break other;
        }
    };
    let unlike = |rng: &mut ChaCha8Rng| loop {
        let kind = Kind::any(rng);
        if kind.shape != shape && kind.shape != other {
            return kind;
        }
    };
    let (n_shape, n_other, n_rest) = match level {
        1 => (rng.random_range(1..=4), rng.random_range(0..=2), 0),
        2 => (rng.random_range(1..=6), rng.random_range(0..=2), rng.random_range(0..=2)),
        _ => {
            let fewer = rng.random_range(1..=3);
            (fewer + rng.random_range(0..=5), fewer, rng.random_range(0..=1))
        }
    };
    let of = |rng: &mut ChaCha8Rng, shape| Kind { shape, ..Kind::any(rng) };
    let mut kinds: Vec<Kind> = (0..n_shape).map(|_| of(rng, shape)).collect();
    kinds.extend((0..n_other).map(|_| of(rng, other)));
    kinds.extend((0..n_rest).map(|_| unlike(rng)));
    // Whole cells at every level: what is asked for is the number.
    let scene = Scene::new(rng, &kinds, 2);
    let (name, other) = (shape.name(), other.name());
    let (question, answer, rationale) = if level < 3 {
        let colours: Vec<&str> =
            scene.objects.iter().filter(|o| o.kind.shape == shape).map(|o| o.kind.colour).collect();
        let rationale = format!("{name}s: {}. That is {n_shape}.", colours.join(", "));
        (format!("How many {name}s are there?"), n_shape, rationale)
    } else {
        let difference = n_shape - n_other;
        let rationale =
            format!("{n_shape} {name}s, {n_other} {other}s. {n_shape} - {n_other} = {difference}.");
        (format!("How many more {name}s than {other}s are there?"), difference, rationale)
    };
    let names: Vec<String> = scene.objects.iter().map(|o| o.kind.name()).collect();
    // With more than 7 objects, places do not fit into a caption.
    let caption = if scene.objects.len() <= 7 { scene.caption() } else { format!("{}.", names.join("; ")) };
    Asked { question, answer, caption, rationale, draw: Box::new(move || scene.draw()) }
}

/// A value of a plotted function, where it takes a value, or how far two values differ.
fn function(rng: &mut ChaCha8Rng, level: u8) -> Asked {
    // Level 1 has 5×5 grid points 16 px apart, so that each is a patch of its own; the others 9×9, 8 px apart.
    let last: i64 = if level == 1 { 4 } else { 8 };
    let heights: Vec<i64> = (0..=last).map(|_| rng.random_range(0..=last)).collect();
    let x = rng.random_range(0..=last);
    let y = heights[x as usize];
    let times = heights.iter().filter(|height| **height == y).count();
    let (question, answer, rationale) = if level == 3 && times == 1 && rng.random_bool(0.5) {
        let rationale = format!("The line is at height {y} above x = {x}.");
        (format!("At which x is y = {y}?"), x, rationale)
    } else if level == 3 {
        let (a, b) = two(rng, last);
        let (ya, yb) = (heights[a as usize], heights[b as usize]);
        let difference = (ya - yb).abs();
        let rationale = format!("{ya} and {yb}, so the difference is {difference}.");
        (format!("How far apart are y at x = {a} and y at x = {b}?"), difference, rationale)
    } else {
        (format!("What is y at x = {x}?"), y, format!("Above x = {x} the line is at {y}."))
    };
    let paint = pick(rng, &COLOURS);
    let points: Vec<String> = heights.iter().enumerate().map(|(x, y)| format!("({x},{y})")).collect();
    let caption = format!("{} line through {}.", paint.0, points.join(" "));
    let draw = move || {
        let mut canvas = Canvas::lit(80, 80);
        let unit = 64.0 / last as f32;
        let at = |x: f32, y: f32| (12.0 + unit * x, 68.0 - unit * y);
        for tick in 0..=last {
            let (tick, far) = (tick as f32, last as f32);
            let width = if tick == 0.0 { 1.5 } else { 0.6 };
            let ink = if tick == 0.0 { INK } else { FAINT };
            canvas.line(at(tick, 0.0), at(tick, far), width, ink);
            canvas.line(at(0.0, tick), at(far, tick), width, ink);
        }
        let every = if last == 4 { 1 } else { 2 };
        for tick in (0..=last).step_by(every) {
            let label = tick.to_string();
            let (x, _) = at(tick as f32, 0.0);
            let (_, y) = at(0.0, tick as f32);
            canvas.text_centred(x.min(77.0), 75.0, &label, Font::Small, INK);
            canvas.text_centred(6.0, y.clamp(4.0, 76.0), &label, Font::Small, INK);
        }
        let path: Vec<(f32, f32)> =
            heights.iter().enumerate().map(|(x, y)| at(x as f32, *y as f32)).collect();
        canvas.polyline(&path, 1.6, paint.1);
        for &(x, y) in &path {
            canvas.circle(x, y, 3.0, paint.1);
        }
        canvas
    };
    Asked { question, answer, caption, rationale, draw: Box::new(draw) }
}

/// The sum of dice.
fn dice(rng: &mut ChaCha8Rng, level: u8) -> Asked {
    let n_dice = i64::from(level) + 1;
    // The sum is drawn first, so that no sum is more frequent than another.
    let sum = rng.random_range(n_dice..=6 * n_dice);
    let mut left = sum;
    let mut faces: Vec<i64> = (0..n_dice)
        .map(|nth| {
            let later = n_dice - 1 - nth;
            let face = rng.random_range((left - 6 * later).max(1)..=(left - later).min(6));
            left -= face;
            face
        })
        .collect();
    shuffle(rng, &mut faces);
    let mut cells = [0, 1, 2, 3];
    shuffle(rng, &mut cells);
    cells[..n_dice as usize].sort_unstable();
    let dice: Vec<(i64, i32, i32)> = faces
        .iter()
        .zip(cells)
        .map(|(face, cell)| {
            let (x, y) = (4 * rng.random_range(0..=2), 4 * rng.random_range(0..=2));
            (*face, 32 * (cell % 2) + x, 32 * (cell / 2) + y)
        })
        .collect();
    let written: Vec<String> = faces.iter().map(i64::to_string).collect();
    let places: Vec<String> = dice.iter().map(|(face, x, y)| format!("die {face} at ({x},{y})")).collect();
    Asked {
        question: "What is the sum of the dice?".to_owned(),
        answer: sum,
        caption: format!("{}.", places.join("; ")),
        rationale: format!("{} = {sum}.", written.join(" + ")),
        draw: Box::new(move || {
            let mut canvas = Canvas::lit(64, 64);
            for &(face, x, y) in &dice {
                die(&mut canvas, face, x as f32, y as f32);
            }
            canvas
        }),
    }
}

/// A die of 24 px with its pips.
fn die(canvas: &mut Canvas, face: i64, x: f32, y: f32) {
    canvas.rect(x, y, 24.0, 24.0, PAPER);
    let mut pip =
        |column: f32, row: f32| canvas.circle(x + 12.0 + 6.5 * column, y + 12.0 + 6.5 * row, 2.6, INK);
    if face % 2 == 1 {
        pip(0.0, 0.0);
    }
    if face >= 2 {
        pip(-1.0, -1.0);
        pip(1.0, 1.0);
    }
    if face >= 4 {
        pip(1.0, -1.0);
        pip(-1.0, 1.0);
    }
    if face == 6 {
        pip(-1.0, 0.0);
        pip(1.0, 0.0);
    }
}

/// A cell of a table, the largest number of a row, or the sum of a row.
fn table(rng: &mut ChaCha8Rng, level: u8) -> Asked {
    let mut rows: [[i64; 2]; 3] = std::array::from_fn(|_| std::array::from_fn(|_| rng.random_range(0..=9)));
    let (row, column) = (rng.random_range(0..3), rng.random_range(0..2));
    let name = ["A", "B", "C"][row];
    let cells = rows[row];
    let (question, answer, rationale) = match level {
        1 => {
            let value = cells[column];
            let rationale =
                format!("Row {name} is {}, {}; column {} is {value}.", cells[0], cells[1], column + 1);
            (format!("What number is in row {name}, column {}?", column + 1), value, rationale)
        }
        2 => {
            // The larger one is drawn first, so that small ones are as frequent.
            let larger = rng.random_range(1..=9);
            rows[row][column] = larger;
            rows[row][1 - column] = rng.random_range(0..larger);
            let rationale = format!("Row {name} is {}, {}; {larger} is larger.", rows[row][0], rows[row][1]);
            (format!("What is the largest number in row {name}?"), larger, rationale)
        }
        _ => {
            let sum = rng.random_range(0..=18_i64);
            let first = rng.random_range((sum - 9).max(0)..=sum.min(9));
            rows[row] = [first, sum - first];
            (format!("What is the sum of row {name}?"), sum, format!("{first} + {} = {sum}.", sum - first))
        }
    };
    let paint = pick(rng, &COLOURS).0;
    let written: Vec<String> = rows
        .iter()
        .zip(["A", "B", "C"])
        .map(|(cells, name)| format!("{name}: {} {}", cells[0], cells[1]))
        .collect();
    Asked {
        question,
        answer,
        caption: format!("{paint} table; {}.", written.join("; ")),
        rationale,
        draw: Box::new(move || {
            // A label's row or column is one patch wide, a number's cell 32×16 px: patches hold one number each.
            let mut canvas = Canvas::lit(80, 64);
            canvas.fill_rect(16.0, 16.0, 64.0, 48.0, PAPER);
            for (nth, cells) in rows.iter().enumerate() {
                let y = 16.0 * nth as f32 + 24.0;
                canvas.text_centred(8.0, y, ["A", "B", "C"][nth], Font::Large, colour(paint));
                canvas.text_centred(32.0, y, &cells[0].to_string(), Font::Large, INK);
                canvas.text_centred(64.0, y, &cells[1].to_string(), Font::Large, INK);
                canvas.line((0.0, y - 8.0), (80.0, y - 8.0), 1.0, INK);
            }
            canvas.text_centred(32.0, 8.0, "1", Font::Large, colour(paint));
            canvas.text_centred(64.0, 8.0, "2", Font::Large, colour(paint));
            canvas.line((16.0, 0.0), (16.0, 64.0), 1.0, INK);
            canvas.line((48.0, 0.0), (48.0, 64.0), 1.0, INK);
            canvas
        }),
    }
}

/// Two different numbers up to `last`, the smaller one first.
fn two(rng: &mut ChaCha8Rng, last: i64) -> (i64, i64) {
    let a = rng.random_range(0..last);
    (a, rng.random_range(a + 1..=last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    #[test]
    fn the_faces_of_the_dice_add_up_to_the_answer() {
        for index in 0..300 {
            let asked = dice(&mut Seed::new(1).child(index).rng(), 1 + (index % 3) as u8);
            let faces = asked.caption.split("; ").map(|die| die[4..5].parse::<i64>().unwrap());
            assert_eq!(faces.sum::<i64>(), asked.answer, "{}", asked.caption);
        }
    }

    #[test]
    fn the_plotted_points_hold_the_answer() {
        for index in 0..300 {
            let asked = function(&mut Seed::new(1).child(index).rng(), 1);
            let x = asked.question.trim_start_matches("What is y at x = ").trim_end_matches('?');
            assert!(asked.caption.contains(&format!("({x},{})", asked.answer)), "{}", asked.caption);
        }
    }
}
