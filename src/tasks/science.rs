//! Read an instrument, a food web, a circuit or a weather map; the role of ScienceQA.

use rand::Rng;

use super::{
    NoSettings, Problem, Task,
    canvas::{COLOURS, Canvas, FAINT, Font, INK, PAPER, colour},
    cells::{ANIMALS, CELL, WEATHERS, icon, text, text_near},
    choice, entry, idle, pick, shuffle,
};
use crate::{
    registry::{BuildError, Entry, Named},
    seed::ChaCha8Rng,
};

pub(super) const ENTRY: Entry<dyn Task> = entry::<Science>();

struct Science;

impl Named for Science {
    const NAME: &'static str = "science";
    const SUMMARY: &'static str = "Read an instrument, a food web, a circuit or a weather map";
    type Config = NoSettings;

    fn new(_: NoSettings) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

type Draw = Box<dyn Fn(&mut Canvas) + Send + Sync>;

/// Something to look at with one question about it.
struct Scene {
    stem: String,
    caption: String,
    /// What is seen, ending in the answer.
    steps: String,
    right: String,
    wrong: [String; 3],
    draw: Draw,
}

impl Task for Science {
    fn problem(&self, rng: &mut ChaCha8Rng, level: u8) -> Problem {
        let kind = pick(
            rng,
            &[
                thermometer,
                beaker,
                gauge,
                clock,
                ruler,
                food_web,
                food_web,
                food_web,
                circuit,
                circuit,
                circuit,
                weather_map,
                weather_map,
                weather_map,
            ],
        );
        let Scene { stem, caption, steps, right, wrong, draw } = kind(rng, level);
        let (question, options, answer) = choice(rng, &stem, right, &wrong);
        let rationale = format!("{steps} {}.", answer.written());
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
                draw(&mut canvas);
                canvas
            }),
        }
    }
}

/// Four different ones of `items`, the first of which is to be the right one: each could be, as far as one can know.
fn four<T: Copy + PartialEq>(rng: &mut ChaCha8Rng, items: &[T]) -> [T; 4] {
    let mut order: Vec<usize> = (0..items.len()).collect();
    shuffle(rng, &mut order);
    std::array::from_fn(|at| items[order[at]])
}

fn wrong_of<T: ToString>(all: &[T; 4]) -> [String; 3] {
    [all[1].to_string(), all[2].to_string(), all[3].to_string()]
}

/// A scale with equal steps, and where on it something stands.
#[derive(Clone, Copy)]
struct Scale {
    first: i64,
    step: i64,
    /// Parts into which a step is divided: readings lie on parts.
    parts: i64,
}

impl Scale {
    fn random(rng: &mut ChaCha8Rng, level: u8) -> Self {
        let (steps, parts): (&[i64], i64) = match level {
            1 => (&[5, 10, 20], 1),
            2 => (&[4, 10, 20], 2),
            _ => (&[4, 8, 20], 4),
        };
        let step = pick(rng, steps);
        // The last of five labels stays below 100.
        let most = if step == 20 { 0 } else { 3 };
        Self { first: step * rng.random_range(0..=most), step, parts }
    }

    /// Four readings between the first and the last of `labels` labels.
    fn readings(self, rng: &mut ChaCha8Rng, labels: i64) -> [i64; 4] {
        let all: Vec<i64> =
            (0..=(labels - 1) * self.parts).map(|part| self.first + part * self.step / self.parts).collect();
        four(rng, &all)
    }

    /// Steps from the first label to a reading.
    fn steps_to(self, reading: i64) -> f32 {
        (reading - self.first) as f32 / self.step as f32
    }

    fn label(self, at: i64) -> String {
        (self.first + at * self.step).to_string()
    }

    /// Between which labels a reading lies: `between 20 and 30`, or `at 20`.
    fn place(self, reading: i64) -> String {
        let below = (reading - self.first).div_euclid(self.step);
        if self.first + below * self.step == reading {
            format!("at {reading}")
        } else {
            format!("between {} and {}", self.label(below), self.label(below + 1))
        }
    }
}

fn thermometer(rng: &mut ChaCha8Rng, level: u8) -> Scene {
    let scale = Scale::random(rng, level);
    let readings = scale.readings(rng, 4);
    let reading = readings[0];
    Scene {
        stem: "What does the thermometer show?".to_owned(),
        caption: format!("A thermometer at {reading}."),
        steps: format!("The top is {}, it shows {reading}", scale.place(reading)),
        right: reading.to_string(),
        wrong: wrong_of(&readings),
        draw: Box::new(move |canvas| {
            let red = colour("red");
            canvas.rect(43.0, 1.0, 11.0, 70.0, PAPER);
            canvas.circle(48.5, 70.0, 9.0, red);
            let top = 56.0 - CELL * scale.steps_to(reading);
            canvas.fill_rect(45.0, top, 7.0, 70.0 - top, red);
            draw_ticks(canvas, scale, 4, 42.0);
        }),
    }
}

/// Labels in the cells of the first columns, from the lowest row of `n` on upwards, with ticks that end at `right`.
fn draw_ticks(canvas: &mut Canvas, scale: Scale, n: i64, right: f32) {
    for at in 0..n {
        let y = CELL * (n - 1 - at) as f32;
        text(canvas, if scale.label(at).len() == 1 { 8.0 } else { 0.0 }, y, &scale.label(at));
        canvas.fill_rect(right - 18.0, y + 7.0, 18.0, 2.0, INK);
        for part in 1..scale.parts {
            if at + 1 < n {
                let between = y + 8.0 - CELL * part as f32 / scale.parts as f32;
                canvas.fill_rect(right - 7.0, between - 0.5, 7.0, 1.0, INK);
            }
        }
    }
}

fn beaker(rng: &mut ChaCha8Rng, level: u8) -> Scene {
    let scale = Scale::random(rng, level);
    let readings = scale.readings(rng, 5);
    let reading = readings[0];
    Scene {
        stem: "How much is in the beaker?".to_owned(),
        caption: format!("A beaker filled to {reading}."),
        steps: format!("The water is {}, it shows {reading}", scale.place(reading)),
        right: reading.to_string(),
        wrong: wrong_of(&readings),
        draw: Box::new(move |canvas| {
            let top = 72.0 - CELL * scale.steps_to(reading);
            canvas.fill_rect(36.0, 3.0, 40.0, 74.0, PAPER);
            canvas.fill_rect(36.0, top, 40.0, 76.0 - top, colour("blue"));
            canvas.polyline(&[(36.0, 3.0), (36.0, 77.0), (76.0, 77.0), (76.0, 3.0)], 2.5, INK);
            draw_ticks(canvas, scale, 5, 36.0);
        }),
    }
}

fn gauge(rng: &mut ChaCha8Rng, level: u8) -> Scene {
    // Two parts at most: needles closer than 22.5° are hard to tell apart.
    let scale = Scale::random(rng, level.min(2));
    let readings = scale.readings(rng, 5);
    let reading = readings[0];
    Scene {
        stem: "What does the gauge show?".to_owned(),
        caption: format!("A gauge from {} to {} at {reading}.", scale.label(0), scale.label(4)),
        steps: format!("The needle is {}, it shows {reading}", scale.place(reading)),
        right: reading.to_string(),
        wrong: wrong_of(&readings),
        draw: Box::new(move |canvas| {
            let middle = (40.0, 58.0);
            let at = |steps: f32, radius: f32| {
                let angle = (180.0 - 45.0 * steps).to_radians();
                (middle.0 + radius * angle.cos(), middle.1 - radius * angle.sin())
            };
            canvas.sector(middle.0, middle.1, 38.0, -90.0, 90.0, PAPER);
            for part in 0..=8 {
                let steps = part as f32 / 2.0;
                let (inner, width) = if part % 2 == 0 { (31.0, 2.0) } else { (34.0, 1.0) };
                canvas.line(at(steps, inner), at(steps, 38.0), width, INK);
            }
            canvas.arrow(middle, at(scale.steps_to(reading), 30.0), 3.0, 8.0, colour("red"));
            canvas.circle(middle.0, middle.1, 4.0, INK);
            text_near(canvas, 8.0, 72.0, &scale.label(0));
            text_near(canvas, 40.0, 8.0, &scale.label(2));
            text_near(canvas, 72.0, 72.0, &scale.label(4));
        }),
    }
}

fn clock(rng: &mut ChaCha8Rng, level: u8) -> Scene {
    let time = |hour: i64, minute: i64| format!("{hour}:{minute:02}");
    let hours = four(rng, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    let minutes = match level {
        1 => [0; 4],
        2 => four(rng, &[0, 15, 30, 45]),
        _ => four(rng, &[5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55]),
    };
    let (hour, minute) = (hours[0], minutes[0]);
    // From the second level on both hands are needed: two hours, each with two minutes.
    let wrong = if level == 1 {
        [1, 2, 3].map(|at| time(hours[at], 0))
    } else {
        [(hour, minutes[1]), (hours[1], minute), (hours[1], minutes[1])]
            .map(|(hour, minute)| time(hour, minute))
    };
    Scene {
        stem: "What time is it?".to_owned(),
        caption: format!("A clock at {}.", time(hour, minute)),
        steps: format!("Short hand {hour}, long hand {}: {}", (minute + 55) / 5 % 12 + 1, time(hour, minute)),
        right: time(hour, minute),
        wrong,
        draw: Box::new(move |canvas| {
            let at = |turn: f32, radius: f32| {
                let angle = turn * std::f32::consts::TAU;
                (40.0 + radius * angle.sin(), 40.0 - radius * angle.cos())
            };
            canvas.circle(40.0, 40.0, 39.0, PAPER);
            for tick in 0..12 {
                let turn = tick as f32 / 12.0;
                if tick % 3 == 0 {
                    let (x, y) = at(turn, 31.0);
                    let label = if tick == 0 { 12 } else { tick };
                    canvas.text_centred(x, y, &label.to_string(), Font::Large, INK);
                } else {
                    canvas.line(at(turn, 33.0), at(turn, 37.0), 2.0, INK);
                }
            }
            let minute_turn = minute as f32 / 60.0;
            canvas.line((40.0, 40.0), at(minute_turn, 27.0), 2.0, colour("red"));
            canvas.line((40.0, 40.0), at((hour as f32 + minute_turn) / 12.0, 16.0), 5.0, INK);
        }),
    }
}

fn ruler(rng: &mut ChaCha8Rng, level: u8) -> Scene {
    let window = rng.random_range(1..=5);
    let lengths = four(rng, &[window, window + 1, window + 2, window + 3]);
    let length = lengths[0];
    let start = if level == 1 { 0 } else { rng.random_range(0..=9 - length) };
    let end = start + length;
    // The third level measures in units of two, so that counting marks is not enough.
    let unit = if level == 3 { 2 } else { 1 };
    Scene {
        stem: if unit == 1 { "How long is the bar?" } else { "One mark is 2 cm. How long is the bar?" }
            .to_owned(),
        caption: format!("A bar from mark {start} to mark {end}."),
        steps: if unit == 1 {
            format!("{end} - {start} = {length}")
        } else {
            format!("{end} - {start} = {length}, times 2 is {}", 2 * length)
        },
        right: (unit * length).to_string(),
        wrong: wrong_of(&lengths.map(|length| unit * length)),
        draw: Box::new(move |canvas| {
            let x = |mark: i64| 4.0 + 8.0 * mark as f32;
            canvas.fill_rect(0.0, 44.0, 80.0, 28.0, colour("yellow"));
            canvas.line((0.0, 44.0), (80.0, 44.0), 1.5, INK);
            for mark in 0..=9 {
                canvas.fill_rect(x(mark) - 0.5, 44.0, 1.0, 10.0, INK);
                canvas.text_centred(x(mark), 62.0, &mark.to_string(), Font::Medium, INK);
            }
            canvas.rect(x(start), 24.0, x(end) - x(start), 16.0, colour("red"));
            for edge in [start, end] {
                canvas.line((x(edge), 18.0), (x(edge), 44.0), 1.0, INK);
            }
        }),
    }
}

/// Cells around the middle in which animals stand: no straight line between two crosses a third.
const STANDS: [(f32, f32); 5] = [(32.0, 0.0), (64.0, 26.0), (52.0, 64.0), (12.0, 64.0), (0.0, 26.0)];

fn food_web(rng: &mut ChaCha8Rng, level: u8) -> Scene {
    let mut animals = ANIMALS;
    shuffle(rng, &mut animals);
    let mut stands = STANDS;
    shuffle(rng, &mut stands);
    // (eaten, eater) by number of the animal; a chain, and at the third level a branch.
    let n = usize::from(level) + 2;
    let mut meals: Vec<(usize, usize)> = (1..n).map(|at| (at - 1, at)).collect();
    let (stem, steps, asked, right) = match (level, rng.random_range(0..2)) {
        (1, _) | (2, 0) => {
            let eaten = rng.random_range(0..n - 1);
            let (a, b) = (animals[eaten], animals[eaten + 1]);
            (
                format!("Arrows go to the eater. Who eats the {a}?"),
                format!("The arrow from {a} goes to {b}"),
                eaten,
                eaten + 1,
            )
        }
        (2, _) => {
            let eater = rng.random_range(1..n);
            let (a, b) = (animals[eater], animals[eater - 1]);
            (
                format!("Arrows go to the eater. What does the {a} eat?"),
                format!("The arrow to {a} is from {b}"),
                eater,
                eater - 1,
            )
        }
        _ => {
            // Animal 0 is eaten by 1, which has nothing else, and by 3, which also has 2.
            meals = vec![(0, 1), (0, 3), (2, 3), (3, 4)];
            let (gone, starves, other) = (animals[0], animals[1], animals[3]);
            (
                format!("Arrows go to the eater. If the {gone} is gone, who starves?"),
                format!("The {other} has other food, not the {starves}"),
                0,
                1,
            )
        }
    };
    // Whatever stands in the picture and is not asked about comes first among the wrong options.
    let others: Vec<&str> =
        (0..animals.len()).filter(|&at| at != asked && at != right).map(|at| animals[at]).collect();
    let wrong = [0, 1, 2].map(|at| others[at].to_owned());
    let right = animals[right].to_owned();
    let mut lines: Vec<String> =
        meals.iter().map(|&(eaten, eater)| format!("{} eats {}", animals[eater], animals[eaten])).collect();
    shuffle(rng, &mut lines);
    Scene {
        stem,
        caption: format!("A food web: {}.", lines.join(", ")),
        steps,
        right,
        wrong,
        draw: Box::new(move |canvas| {
            for &(eaten, eater) in &meals {
                let middle = |at: usize| (stands[at].0 + 8.0, stands[at].1 + 8.0);
                let (from, to) = (middle(eaten), middle(eater));
                let length = (to.0 - from.0).hypot(to.1 - from.1);
                let along = |distance: f32| {
                    let share = distance / length;
                    (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share)
                };
                canvas.arrow(along(10.0), along(length - 9.0), 2.0, 9.0, INK);
            }
            for (animal, stand) in animals.iter().zip(stands).take(n) {
                icon(canvas, animal, stand.0, stand.1);
            }
        }),
    }
}

/// The left and right wire, and the rows of cells in which branches run between them.
const WIRES: [f32; 2] = [8.0, 72.0];

fn circuit(rng: &mut ChaCha8Rng, level: u8) -> Scene {
    match level {
        1 => two_branches(rng, false),
        2 => two_branches(rng, true),
        _ if rng.random_bool(0.5) => three_branches(rng),
        _ => four_bulbs(rng),
    }
}

fn colours<const N: usize>(rng: &mut ChaCha8Rng) -> [&'static str; N] {
    let mut names = COLOURS.map(|(name, _)| name);
    // Black, the last, would look like the wire.
    shuffle(rng, &mut names[..5]);
    std::array::from_fn(|at| names[at])
}

fn switch_word(closed: bool) -> &'static str {
    if closed { "closed" } else { "open" }
}

/// Switches of the branches and of the battery that light just the branches in `lit`; any of the ways to do so.
fn switches(rng: &mut ChaCha8Rng, lit: &[bool], with_main: bool) -> (Vec<bool>, bool) {
    if with_main && lit.iter().all(|on| !on) && rng.random_bool(0.75) {
        return (lit.iter().map(|_| rng.random_bool(0.6)).collect(), false);
    }
    (lit.to_vec(), true)
}

fn two_branches(rng: &mut ChaCha8Rng, with_main: bool) -> Scene {
    let bulbs = colours::<2>(rng);
    let lit = [rng.random_bool(0.5), rng.random_bool(0.5)];
    let (closed, main) = switches(rng, &lit, with_main);
    let word = |lit: [bool; 2]| match lit {
        [true, true] => "both",
        [true, false] => bulbs[0],
        [false, true] => bulbs[1],
        [false, false] => "none",
    };
    let right = word(lit);
    let all = [[true, true], [true, false], [false, true], [false, false]].map(word);
    let wrong: Vec<String> = all.iter().filter(|other| **other != right).map(ToString::to_string).collect();
    let branches =
        [0, 1].map(|at| format!("{} bulb with {} switch", bulbs[at], switch_word(closed[at]))).join(", ");
    let source =
        if with_main { format!(", battery with {} switch", switch_word(main)) } else { String::new() };
    let steps = if main {
        format!("I see {} {}, {} {}", bulbs[0], switch_word(closed[0]), bulbs[1], switch_word(closed[1]))
    } else {
        "The switch at the battery is open".to_owned()
    };
    Scene {
        stem: "Which bulbs are lit?".to_owned(),
        caption: format!("A circuit: {branches}{source}."),
        steps: format!("{steps}: {right}"),
        right: right.to_owned(),
        wrong: wrong.try_into().expect("three of four words remain"),
        draw: Box::new(move |canvas| {
            draw_source(canvas, 8.0, with_main.then_some(main));
            for (at, y) in [8.0, 40.0].into_iter().enumerate() {
                draw_branch(canvas, y, Some(closed[at]), &[(bulbs[at], 56.0)]);
            }
        }),
    }
}

fn three_branches(rng: &mut ChaCha8Rng) -> Scene {
    let bulbs = colours::<3>(rng);
    let n_lit = rng.random_range(0..=3);
    let mut lit = [0, 1, 2].map(|at| at < n_lit);
    shuffle(rng, &mut lit);
    let (closed, main) = switches(rng, &lit, true);
    let mut counts = vec![0, 1, 2, 3];
    counts.retain(|count| *count != n_lit);
    let branches: Vec<String> =
        (0..3).map(|at| format!("{} bulb with {} switch", bulbs[at], switch_word(closed[at]))).collect();
    Scene {
        stem: "How many bulbs are lit?".to_owned(),
        caption: format!("A circuit: {}, battery with {} switch.", branches.join(", "), switch_word(main)),
        steps: if main {
            format!("The battery is closed, closed branches: {n_lit}")
        } else {
            "The switch at the battery is open: 0".to_owned()
        },
        right: n_lit.to_string(),
        wrong: [0, 1, 2].map(|at| counts[at].to_string()),
        draw: Box::new(move |canvas| {
            draw_source(canvas, 8.0, Some(main));
            for (at, y) in [8.0, 24.0, 40.0].into_iter().enumerate() {
                draw_branch(canvas, y, Some(closed[at]), &[(bulbs[at], 56.0)]);
            }
        }),
    }
}

/// Four bulbs on three branches: two of them one after the other.
fn four_bulbs(rng: &mut ChaCha8Rng) -> Scene {
    let bulbs = colours::<4>(rng);
    let mut rows = [8.0, 24.0, 40.0];
    shuffle(rng, &mut rows);
    // Bulbs 0 and 1 share a branch. Each of the four is asked about; its partner goes out with it, or none does.
    let (broken, right) = if rng.random_bool(0.25) {
        (bulbs[2], "none")
    } else if rng.random_bool(0.5) {
        (bulbs[0], bulbs[1])
    } else {
        (bulbs[1], bulbs[0])
    };
    let wrong: Vec<String> = bulbs
        .into_iter()
        .chain(["none"])
        .filter(|word| *word != broken && *word != right)
        .map(str::to_owned)
        .collect();
    Scene {
        stem: format!("The {broken} bulb breaks. Which other bulb goes out?"),
        caption: format!(
            "A circuit of three branches: {} with {}, {} alone, {} alone.",
            bulbs[0], bulbs[1], bulbs[2], bulbs[3]
        ),
        steps: format!("On the branch with {broken}: {right}"),
        right: right.to_owned(),
        wrong: wrong.try_into().expect("three of four words remain"),
        draw: Box::new(move |canvas| {
            draw_source(canvas, 8.0, None);
            draw_branch(canvas, rows[0], None, &[(bulbs[0], 24.0), (bulbs[1], 56.0)]);
            draw_branch(canvas, rows[1], None, &[(bulbs[2], 56.0)]);
            draw_branch(canvas, rows[2], None, &[(bulbs[3], 24.0)]);
        }),
    }
}

/// The wires left and right from row `top` down, and between their ends the battery, with a switch if it has one.
fn draw_source(canvas: &mut Canvas, top: f32, switch: Option<bool>) {
    let [left, right] = WIRES;
    canvas.polyline(&[(left, top), (left, 72.0), (right, 72.0), (right, top)], 2.0, INK);
    canvas.fill_rect(36.0, 64.0, 24.0, 16.0, PAPER);
    canvas.rect(37.0, 65.0, 19.0, 14.0, FAINT);
    canvas.rect(55.0, 69.0, 4.0, 6.0, INK);
    canvas.text_centred(47.0, 72.0, "+-", Font::Large, INK);
    if let Some(closed) = switch {
        draw_switch(canvas, 72.0, closed);
    }
}

/// One branch between the wires: a switch in the second column if it has one, bulbs with their middles at `x`.
fn draw_branch(canvas: &mut Canvas, y: f32, switch: Option<bool>, bulbs: &[(&str, f32)]) {
    let [left, right] = WIRES;
    canvas.line((left, y), (right, y), 2.0, INK);
    if let Some(closed) = switch {
        draw_switch(canvas, y, closed);
    }
    for &(name, x) in bulbs {
        canvas.circle(x, y, 7.5, colour(name));
        canvas.line((x - 4.0, y - 4.0), (x + 4.0, y + 4.0), 1.2, INK);
        canvas.line((x - 4.0, y + 4.0), (x + 4.0, y - 4.0), 1.2, INK);
    }
}

fn draw_switch(canvas: &mut Canvas, y: f32, closed: bool) {
    // White behind it: an open switch is seen as a gap first.
    canvas.fill_rect(16.0, y - 8.0, 16.0, 16.0, PAPER);
    let end = if closed { (30.0, y) } else { (27.0, y - 7.0) };
    canvas.line((18.0, y), end, 3.0, INK);
    for x in [18.0, 30.0] {
        canvas.circle(x, y, 2.5, INK);
    }
}

/// Regions of the map and the corners of their icons; the degrees stand in the cell below the icon.
const REGIONS: [(&str, f32, f32); 4] =
    [("north", 32.0, 0.0), ("east", 64.0, 32.0), ("south", 32.0, 48.0), ("west", 0.0, 32.0)];

/// Degrees that a region can have.
const DEGREES: [i64; 10] = [12, 15, 18, 20, 23, 26, 29, 31, 34, 37];

fn weather_map(rng: &mut ChaCha8Rng, level: u8) -> Scene {
    let weathers = four(rng, &WEATHERS);
    let mut regions = [0, 1, 2, 3];
    shuffle(rng, &mut regions);
    let mut degrees = four(rng, &DEGREES);
    let place = |at: usize| REGIONS[regions[at]].0;
    // What is asked about has number 0.
    let (stem, steps, all) = match level {
        1 => (
            format!("What is the weather in the {}?", place(0)),
            format!("The {} has {}", place(0), weathers[0]),
            weathers.map(str::to_owned),
        ),
        2 => (
            format!("Where is the {}?", weathers[0]),
            format!("The {} is in the {}", weathers[0], place(0)),
            [0, 1, 2, 3].map(|at| place(at).to_owned()),
        ),
        _ if rng.random_bool(0.5) => {
            degrees.sort_unstable_by_key(|degree| -degree);
            (
                "Which weather has the warmest region?".to_owned(),
                format!("The warmest is {} in the {}: {}", degrees[0], place(0), weathers[0]),
                weathers.map(str::to_owned),
            )
        }
        _ => (
            format!("How warm is it where the {} is?", weathers[0]),
            format!("The {} is in the {}, {}", weathers[0], place(0), degrees[0]),
            degrees.map(|degree| degree.to_string()),
        ),
    };
    let shows_degrees = level == 3;
    let mut lines = [0, 1, 2, 3].map(|at| {
        let line = format!("{} {}", place(at), weathers[at]);
        if shows_degrees { format!("{line} {}", degrees[at]) } else { line }
    });
    // Always in the same order: it must not tell which region is asked about.
    lines.sort_unstable();
    Scene {
        stem,
        caption: format!("A weather map: {}.", lines.join(", ")),
        steps,
        right: all[0].clone(),
        wrong: wrong_of(&all),
        draw: Box::new(move |canvas| {
            let land = PAPER;
            canvas.polygon(&[(26.0, 1.0), (54.0, 1.0), (50.0, 34.0), (30.0, 34.0)], land);
            canvas.polygon(&[(26.0, 79.0), (54.0, 79.0), (50.0, 46.0), (30.0, 46.0)], land);
            canvas.polygon(&[(1.0, 20.0), (22.0, 20.0), (28.0, 40.0), (22.0, 60.0), (1.0, 60.0)], land);
            canvas.polygon(&[(79.0, 20.0), (58.0, 20.0), (52.0, 40.0), (58.0, 60.0), (79.0, 60.0)], land);
            for at in 0..4 {
                let (_, x, y) = REGIONS[regions[at]];
                icon(canvas, weathers[at], x, y);
                if shows_degrees {
                    text(canvas, x, y + CELL, &degrees[at].to_string());
                }
            }
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    /// What follows from the caption of a food web, a circuit or a weather map.
    fn solve(scene: &Scene) -> String {
        let (kind, facts) = scene.caption.trim_end_matches('.').split_once(": ").unwrap();
        let facts: Vec<Vec<&str>> = facts.split(", ").map(|fact| fact.split(' ').collect()).collect();
        let asked: Vec<&str> = scene.stem.trim_end_matches('?').split(' ').collect();
        let eaters = |food: &str| facts.iter().filter(|f| f[2] == food).map(|f| f[0]).collect::<Vec<_>>();
        let closed: Vec<&str> =
            facts.iter().filter(|f| f[0] != "battery" && f.contains(&"closed")).map(|f| f[0]).collect();
        let dead = facts.iter().any(|f| f[0] == "battery" && f.contains(&"open"));
        match (kind, asked.as_slice()) {
            ("A food web", [.., "Who", "eats", "the", food]) => eaters(food)[0].to_owned(),
            ("A food web", [.., "the", eater, "eat"]) => {
                facts.iter().find(|f| f[0] == *eater).unwrap()[2].to_owned()
            }
            ("A food web", [.., "the", gone, "is", "gone,", "who", "starves"]) => {
                let meals = |animal: &str| facts.iter().filter(|f| f[0] == animal).count();
                let starving: Vec<&str> =
                    eaters(gone).into_iter().filter(|animal| meals(animal) == 1).collect();
                assert_eq!(starving.len(), 1);
                starving[0].to_owned()
            }
            ("A circuit", ["Which", ..]) => match closed.as_slice() {
                _ if dead => "none".to_owned(),
                [] => "none".to_owned(),
                [one] => (*one).to_owned(),
                _ => "both".to_owned(),
            },
            ("A circuit", ["How", ..]) => if dead { 0 } else { closed.len() }.to_string(),
            ("A circuit of three branches", ["The", broken, ..]) => match facts[0].as_slice() {
                [one, _, other] if one == broken => (*other).to_owned(),
                [one, _, other] if other == broken => (*one).to_owned(),
                _ => "none".to_owned(),
            },
            ("A weather map", ["What", .., place]) => {
                facts.iter().find(|f| f[0] == *place).unwrap()[1].to_owned()
            }
            ("A weather map", ["Where", .., weather]) => {
                facts.iter().find(|f| f[1] == *weather).unwrap()[0].to_owned()
            }
            ("A weather map", ["How", .., weather, "is"]) => {
                facts.iter().find(|f| f[1] == *weather).unwrap()[2].to_owned()
            }
            ("A weather map", ["Which", ..]) => facts.iter().max_by_key(|f| f[2]).unwrap()[1].to_owned(),
            _ => panic!("{}", scene.stem),
        }
    }

    #[test]
    fn the_answer_follows_from_the_caption() {
        let mut rng = Seed::new(1).rng();
        for kind in [food_web, circuit, weather_map] {
            for level in [1, 2, 3].repeat(300) {
                let scene = kind(&mut rng, level);
                assert_eq!(solve(&scene), scene.right, "{} {}", scene.caption, scene.stem);
            }
        }
    }

    #[test]
    fn instruments_show_what_the_caption_says() {
        let mut rng = Seed::new(2).rng();
        for kind in [thermometer, beaker, gauge, clock] {
            for level in [1, 2, 3].repeat(100) {
                let scene = kind(&mut rng, level);
                let shown = scene.caption.trim_end_matches('.').split(' ').next_back().unwrap();
                assert_eq!(shown, scene.right);
                assert!(scene.steps.ends_with(&scene.right), "{}", scene.steps);
            }
        }
    }
}
