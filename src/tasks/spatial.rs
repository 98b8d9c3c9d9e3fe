//! Relations, rotation, occlusion and points of view; the role of SAT.

use rand::Rng;

use super::{
    NoSettings, Problem, Task,
    canvas::{COLOURS, Canvas, INK, PAPER, Shape},
    entry, idle, pick,
    scene::{Kind, Object, SIDE, Scene},
    shuffle,
};
use crate::{
    registry::{BuildError, Entry, Named},
    sample::Answer,
    seed::ChaCha8Rng,
};

pub(super) const ENTRY: Entry<dyn Task> = entry::<Spatial>();

struct Spatial;

impl Named for Spatial {
    const NAME: &'static str = "spatial";
    const SUMMARY: &'static str = "Relations, rotation, occlusion and points of view, answered in a word";
    type Config = NoSettings;

    fn new(_: NoSettings) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

impl Task for Spatial {
    fn problem(&self, rng: &mut ChaCha8Rng, level: u8) -> Problem {
        let asked = match rng.random_range(0..4) {
            0 => relation(rng, level),
            1 => arrow(rng, level),
            2 => occlusion(rng, level),
            _ => viewpoint(rng, level),
        };
        Problem {
            options: Vec::new(),
            answer: Answer::Text(vec![asked.answer.to_owned()]),
            idle_rationale: idle(rng, &asked.rationale),
            rationale: asked.rationale,
            key: format!("{} {}", asked.question, asked.caption),
            question: asked.question,
            caption: asked.caption,
            draw: asked.draw,
        }
    }
}

struct Asked {
    question: String,
    answer: &'static str,
    caption: String,
    rationale: String,
    draw: Box<dyn Fn() -> Canvas + Send + Sync>,
}

/// Where one object is from another; both are named, and one direction clearly dominates.
fn relation(rng: &mut ChaCha8Rng, level: u8) -> Asked {
    // The answer is drawn first, so that all are equally frequent.
    let answer = pick(rng, &["left", "right", "above", "below"]);
    loop {
        let n_objects = [2, 4, 6][usize::from(level - 1)];
        let kinds = distinct_kinds(rng, n_objects);
        let scene = Scene::new(rng, &kinds, level);
        let (a, b) = (pick(rng, &scene.objects), pick(rng, &scene.objects));
        let (dx, dy) = (a.middle().0 - b.middle().0, a.middle().1 - b.middle().1);
        let (along, across) = match answer {
            "left" => (-dx, dy),
            "right" => (dx, dy),
            "above" => (-dy, dx),
            _ => (dy, dx),
        };
        if along < 24 || along < 2 * across.abs() {
            continue;
        }
        let (name_a, name_b) = (a.kind.name(), b.kind.name());
        // In pixels; the larger step decides.
        let steps: Vec<String> = [(dx, ["left", "right"]), (dy, ["above", "below"])]
            .into_iter()
            .filter(|(way, _)| *way != 0)
            .map(|(way, words)| format!("{} {}", way.abs() / 2, words[usize::from(way > 0)]))
            .collect();
        return Asked {
            question: format!("Where is the {name_a} from the {name_b}: left, right, above or below?"),
            answer,
            caption: scene.caption(),
            rationale: format!("From the {name_b} it is {}.", steps.join(" and ")),
            draw: Box::new(move || scene.draw()),
        };
    }
}

/// Up, right, down, left: clockwise.
const WAYS: [(&str, (f32, f32)); 4] =
    [("up", (0.0, -1.0)), ("right", (1.0, 0.0)), ("down", (0.0, 1.0)), ("left", (-1.0, 0.0))];

/// Which way an arrow points after no turn, one, or two.
fn arrow(rng: &mut ChaCha8Rng, level: u8) -> Asked {
    let points = rng.random_range(0..4);
    let quarter = pick(rng, &[("clockwise", 1), ("counterclockwise", 3)]);
    let (turns, quarters): (String, usize) = match level {
        1 => (String::new(), 0),
        2 => (format!("a quarter turn {}", quarter.0), quarter.1),
        _ if rng.random_bool(0.5) => ("a half turn".to_owned(), 2),
        _ => (format!("a half turn and a quarter turn {}", quarter.0), 2 + quarter.1),
    };
    let (way, answer) = (WAYS[points], WAYS[(points + quarters) % 4].0);
    let (question, rationale) = if level == 1 {
        (
            "Which way does the arrow point?".to_owned(),
            format!("The head of the arrow is {way}.", way = way.0),
        )
    } else {
        let then = match quarters {
            2 => format!("Turned, it points {answer}."),
            1 | 3 if level == 2 => format!("A quarter turn makes it {answer}."),
            _ => format!("Half turned {}, then {answer}.", WAYS[(points + 2) % 4].0),
        };
        (
            format!("The arrow makes {turns}. Which way does it point then?"),
            format!("It points {}. {then}", way.0),
        )
    };
    let (paint, length) = (pick(rng, &COLOURS), f32::from(pick(rng, &[28_u8, 32, 36])));
    let (x, y) = (32.0 + f32::from(pick(rng, &[-4_i8, 0, 4])), 32.0 + f32::from(pick(rng, &[-4_i8, 0, 4])));
    let corners = corner_objects(rng, 2);
    let caption = format!("{} arrow {} at ({x},{y}), {length} long; {}", paint.0, way.0, corners.caption());
    let draw = move || {
        let mut canvas = corners.draw();
        let (dx, dy) = (way.1.0 * length / 2.0, way.1.1 * length / 2.0);
        let (from, to) = ((x - dx, y - dy), (x + dx, y + dy));
        // A dark arrow below a coloured one gives it an outline.
        canvas.arrow(
            (from.0 - way.1.0, from.1 - way.1.1),
            (to.0 + 2.0 * way.1.0, to.1 + 2.0 * way.1.1),
            8.0,
            18.0,
            INK,
        );
        canvas.arrow(from, to, 5.0, 14.0, paint.1);
        canvas
    };
    Asked { question, answer, caption, rationale, draw: Box::new(draw) }
}

/// Which of several shapes that cover each other is in front, or at the back.
fn occlusion(rng: &mut ChaCha8Rng, level: u8) -> Asked {
    let n_objects = if level == 3 { 3 } else { 2 };
    let mut kinds = colourful(rng, n_objects);
    // Only shapes that fill their boxes: the corner of a star or triangle may miss what it should cover.
    for kind in &mut kinds {
        kind.shape = pick(rng, &[Shape::Circle, Shape::Square]);
    }
    // A chain of overlapping places, from either end, along either diagonal.
    let size = if n_objects == 3 { 24 } else { pick(rng, &[28, 32]) };
    let step = if n_objects == 3 { pick(rng, &[8, 12]) } else { pick(rng, &[12, 16]) };
    let span = size + step * (n_objects as i32 - 1);
    let free = (SIDE - span) / 4;
    let (left, top) = (4 * rng.random_range(0..=free), 4 * rng.random_range(0..=free));
    let falling = rng.random_bool(0.5);
    let mut places: Vec<[i32; 4]> = (0..n_objects as i32)
        .map(|nth| {
            let (x, y) =
                (left + step * nth, top + if falling { step * nth } else { span - size - step * nth });
            [x, y, x + size, y + size]
        })
        .collect();
    if rng.random_bool(0.5) {
        places.reverse();
    }
    let objects: Vec<Object> =
        kinds.into_iter().zip(places).map(|(kind, place)| Object { kind, place }).collect();
    let back_asked = level >= 2 && rng.random_bool(0.5);
    let asked = if back_asked { objects[0] } else { objects[n_objects - 1] };
    let place = if back_asked { "at the back" } else { "in front" };
    let names: Vec<String> = objects.iter().map(|o| o.kind.name()).collect();
    let rationale = match &names[..] {
        [back, front] => format!("The {front} covers the {back}."),
        _ => format!("From the back: {}.", names.join(", then ")),
    };
    let scene = Scene { objects };
    Asked {
        question: format!("What colour is the shape {place}?"),
        answer: asked.kind.colour,
        caption: format!("from back to front: {}", scene.caption()),
        rationale,
        draw: Box::new(move || scene.draw()),
    }
}

/// Where an object lies along some way, in half pixels.
type Measure = fn(&Object) -> i32;

/// What an eye at one side of the picture has nearest, farthest, or on one hand.
fn viewpoint(rng: &mut ChaCha8Rng, level: u8) -> Asked {
    let at = rng.random_range(0..4);
    let (side, eye) = [
        ("top", [26, 0, 38, 12]),
        ("right", [52, 26, 64, 38]),
        ("bottom", [26, 52, 38, 64]),
        ("left", [0, 26, 12, 38]),
    ][at];
    let word = match level {
        1 => "nearest to the eye",
        2 => pick(rng, &["nearest to the eye", "farthest from the eye"]),
        _ => pick(rng, &["on the left hand of the eye", "on the right hand of the eye"]),
    };
    loop {
        let kinds = colourful(rng, if level == 2 { 3 } else { 2 });
        let Some(objects) = inside(rng, &kinds) else { continue };
        // What grows with the distance from the eye, and with the way to its right, in half pixels.
        let (depth, right): (Measure, Measure) = match side {
            "top" => (|o| o.middle().1, |o| -o.middle().0),
            "right" => (|o| -o.middle().0, |o| -o.middle().1),
            "bottom" => (|o| -o.middle().1, |o| o.middle().0),
            _ => (|o| o.middle().0, |o| o.middle().1),
        };
        let rank = |o: &Object| match word {
            "nearest to the eye" => depth(o),
            "farthest from the eye" => -depth(o),
            "on the left hand of the eye" => right(o),
            _ => -right(o),
        };
        let mut sorted = objects.clone();
        sorted.sort_by_key(rank);
        let (first, second) = (sorted[0], sorted[1]);
        // Clearly first: by 8 px, and for hands on both sides of the eye's line of sight, which is the middle.
        let apart = rank(&second) - rank(&first) >= 16;
        let hands = level < 3 || (right(&first).abs() - SIDE) * (right(&second).abs() - SIDE) < 0;
        if !apart || !hands {
            continue;
        }
        let rationale = match level {
            3 => format!("The eye is {side}; on that hand is the {}.", first.kind.name()),
            _ => format!(
                "The eye is {side}; {} is the {}.",
                word.split(' ').next().unwrap_or(word),
                first.kind.name()
            ),
        };
        let scene = Scene { objects };
        return Asked {
            question: format!("What colour is the shape {word}?"),
            answer: first.kind.colour,
            caption: format!("eye {side}; {}", scene.caption()),
            rationale,
            draw: Box::new(move || {
                let mut canvas = scene.draw();
                let [x1, y1, x2, y2] = eye.map(|edge| edge as f32);
                let (x, y) = (f32::midpoint(x1, x2), f32::midpoint(y1, y2));
                let way = WAYS[(at + 2) % 4].1;
                canvas.circle(x, y, 6.0, PAPER);
                canvas.circle(x + 2.5 * way.0, y + 2.5 * way.1, 3.0, INK);
                canvas
            }),
        };
    }
}

/// Kinds that all differ.
fn distinct_kinds(rng: &mut ChaCha8Rng, n: usize) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = Vec::new();
    while kinds.len() < n {
        let kind = Kind::any(rng);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}

/// Kinds of different colours, at most 6.
fn colourful(rng: &mut ChaCha8Rng, n: usize) -> Vec<Kind> {
    let mut colours = COLOURS.map(|(name, _)| name);
    shuffle(rng, &mut colours);
    colours.into_iter().take(n).map(|colour| Kind { colour, shape: pick(rng, &Shape::ALL) }).collect()
}

/// Small objects in corners of the picture, at most 4.
fn corner_objects(rng: &mut ChaCha8Rng, n: usize) -> Scene {
    let mut corners = [(0, 0), (52, 0), (0, 52), (52, 52)];
    shuffle(rng, &mut corners);
    corners[..n].sort_unstable_by_key(|&(x, y)| (y, x));
    let object = |&(x, y): &(i32, i32)| Object { kind: Kind::any(rng), place: [x, y, x + 12, y + 12] };
    Scene { objects: corners[..n].iter().map(object).collect() }
}

/// Objects of 12 px apart from each other and from the picture's rim of 12 px; none if the first try fails.
fn inside(rng: &mut ChaCha8Rng, kinds: &[Kind]) -> Option<Vec<Object>> {
    let mut objects: Vec<Object> = Vec::new();
    for &kind in kinds {
        let (x, y) = (4 * rng.random_range(3..=10), 4 * rng.random_range(3..=10));
        let place = [x, y, x + 12, y + 12];
        if objects.iter().any(|o| (o.place[0] - x).abs() < 12 && (o.place[1] - y).abs() < 12) {
            return None;
        }
        objects.push(Object { kind, place });
    }
    objects.sort_by_key(|o| (o.place[1], o.place[0]));
    Some(objects)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    #[test]
    fn an_eye_at_the_right_that_looks_left_has_the_bottom_on_its_left_hand() {
        let mut found = 0;
        for index in 0..2000 {
            let asked = viewpoint(&mut Seed::new(1).child(index).rng(), 3);
            let Some(objects) = asked.caption.strip_prefix("eye right; ") else { continue };
            if asked.question.contains("left hand") {
                // Captions list objects from top to bottom.
                assert!(objects.split("; ").last().unwrap().starts_with(asked.answer), "{}", asked.caption);
                found += 1;
            }
        }
        assert!(found > 100);
    }

    #[test]
    fn every_answer_of_a_relation_and_of_an_arrow_is_equally_frequent() {
        for form in [relation, arrow] {
            for level in 1..=3 {
                let mut counts = std::collections::BTreeMap::new();
                for index in 0..800 {
                    *counts.entry(form(&mut Seed::new(2).child(index).rng(), level).answer).or_insert(0) += 1;
                }
                // 200 each is expected, with a standard deviation of 12.
                assert!(counts.len() == 4 && counts.values().all(|n| (150..=250).contains(n)), "{counts:?}");
            }
        }
    }
}
