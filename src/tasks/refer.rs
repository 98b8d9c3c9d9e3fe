//! The one object that a reasoning expression picks out; the role of LISA.

use rand::Rng;

use super::{
    NoSettings, Problem, Task, entry, idle, pick,
    scene::{Kind, Object, Scene},
};
use crate::{
    registry::{BuildError, Entry, Named},
    sample::Answer,
    seed::ChaCha8Rng,
};

pub(super) const ENTRY: Entry<dyn Task> = entry::<Refer>();

struct Refer;

impl Named for Refer {
    const NAME: &'static str = "refer";
    const SUMMARY: &'static str = "The one object that a reasoning expression picks out";
    type Config = NoSettings;

    fn new(_: NoSettings) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

/// An expression, what it picks out, and how one gets there.
struct Reference {
    expression: String,
    object: Object,
    rationale: String,
}

impl Task for Refer {
    fn problem(&self, rng: &mut ChaCha8Rng, level: u8) -> Problem {
        loop {
            let n_objects = match level {
                1 => rng.random_range(3..=4),
                2 => rng.random_range(3..=5),
                _ => rng.random_range(4..=6),
            };
            let kinds: Vec<Kind> = (0..n_objects).map(|_| Kind::any(rng)).collect();
            let scene = Scene::new(rng, &kinds, level);
            // Most scenes allow most expressions; where this one fits nothing without doubt, another scene is drawn.
            let reference = match (level, rng.random_range(0..3)) {
                (1, 0) => only_shape(rng, &scene),
                (1, 1) => only_colour(rng, &scene),
                (1, _) => at_the_edge(rng, &scene),
                (2, 0) => extreme_size(rng, &scene),
                (2, 1) => beside(rng, &scene),
                (2, _) => second_from(rng, &scene),
                (_, 0) => nearest(rng, &scene),
                (_, 1) => same_property(rng, &scene),
                (_, _) => largest_beside(rng, &scene),
            };
            if let Some(Reference { expression, object, rationale }) = reference {
                let question = format!("Find {expression}.");
                let caption = scene.caption();
                return Problem {
                    options: Vec::new(),
                    answer: Answer::Boxes(vec![object.rect()]),
                    idle_rationale: idle(rng, &rationale),
                    rationale,
                    key: format!("{question} {caption}"),
                    question,
                    caption,
                    draw: Box::new(move || scene.draw()),
                };
            }
        }
    }
}

fn only_shape(rng: &mut ChaCha8Rng, scene: &Scene) -> Option<Reference> {
    let shape = pick(rng, &scene.objects).kind.shape;
    let object = single(scene.objects.iter().filter(|o| o.kind.shape == shape))?;
    let rationale = format!("The {} is {}, {}.", shape.name(), object.kind.colour, object.area());
    Some(Reference { expression: format!("the only {}", shape.name()), object, rationale })
}

fn only_colour(rng: &mut ChaCha8Rng, scene: &Scene) -> Option<Reference> {
    let colour = pick(rng, &scene.objects).kind.colour;
    let object = single(scene.objects.iter().filter(|o| o.kind.colour == colour))?;
    let rationale = format!("The {colour} one is a {}, {}.", object.kind.shape.name(), object.area());
    Some(Reference { expression: format!("the only {colour} shape"), object, rationale })
}

/// A direction: its words, and how far along it an object lies, in half pixels.
struct Side {
    name: &'static str,
    from: &'static str,
    along: fn(&Object) -> i32,
}

const SIDES: [Side; 4] = [
    Side { name: "left of", from: "left", along: |o| -o.middle().0 },
    Side { name: "right of", from: "right", along: |o| o.middle().0 },
    Side { name: "above", from: "top", along: |o| -o.middle().1 },
    Side { name: "below", from: "bottom", along: |o| o.middle().1 },
];

/// Half pixels by which places must differ to be told apart: 6 px.
const CLEAR: i32 = 12;

fn at_the_edge(rng: &mut ChaCha8Rng, scene: &Scene) -> Option<Reference> {
    let side = &SIDES[rng.random_range(0..4)];
    let sorted = in_order(scene, side)?;
    let object = sorted[0];
    let word = match side.from {
        "top" => "highest",
        "bottom" => "lowest",
        "left" => "leftmost",
        _ => "rightmost",
    };
    let rationale = format!("The {word} is the {}, {}.", object.kind.name(), object.area());
    Some(Reference { expression: format!("the {word} shape"), object, rationale })
}

fn second_from(rng: &mut ChaCha8Rng, scene: &Scene) -> Option<Reference> {
    let side = &SIDES[rng.random_range(0..4)];
    let sorted = in_order(scene, side)?;
    let (first, object) = (sorted[0], sorted[1]);
    let rationale = format!("First {}, then {}, {}.", first.kind.name(), object.kind.name(), object.area());
    Some(Reference { expression: format!("the second shape from the {}", side.from), object, rationale })
}

fn extreme_size(rng: &mut ChaCha8Rng, scene: &Scene) -> Option<Reference> {
    let colour = pick(rng, &scene.objects).kind.colour;
    let among: Vec<Object> = scene.objects.iter().copied().filter(|o| o.kind.colour == colour).collect();
    let largest = rng.random_bool(0.5);
    let by = |o: &Object| if largest { o.size() } else { -o.size() };
    let (object, word) = (unique_best(&among, by)?, if largest { "largest" } else { "smallest" });
    if among.len() < 2 {
        return None;
    }
    let rationale =
        format!("{} {colour} shapes, {word}: {}, {}.", among.len(), object.kind.shape.name(), object.area());
    Some(Reference { expression: format!("the {word} {colour} shape"), object, rationale })
}

fn beside(rng: &mut ChaCha8Rng, scene: &Scene) -> Option<Reference> {
    let side = &SIDES[rng.random_range(0..4)];
    let (anchor, others) = anchored(rng, scene)?;
    let there = clearly(side, anchor, &others)?;
    let object = single(there.iter())?;
    Some(Reference {
        expression: format!("the shape {} the {}", side.name, anchor.kind.name()),
        object,
        rationale: format!(
            "It is {}; {} it: {}, {}.",
            anchor.area(),
            side.name,
            object.kind.name(),
            object.area()
        ),
    })
}

fn largest_beside(rng: &mut ChaCha8Rng, scene: &Scene) -> Option<Reference> {
    let side = &SIDES[rng.random_range(0..4)];
    let (anchor, others) = anchored(rng, scene)?;
    let there = clearly(side, anchor, &others)?;
    if there.len() < 2 {
        return None;
    }
    let object = unique_best(&there, |o| o.size())?;
    Some(Reference {
        expression: format!("the largest shape {} the {}", side.name, anchor.kind.name()),
        object,
        rationale: format!(
            "{} are {} it; largest: {}, {}.",
            there.len(),
            side.name,
            object.kind.name(),
            object.area()
        ),
    })
}

fn nearest(rng: &mut ChaCha8Rng, scene: &Scene) -> Option<Reference> {
    let (anchor, others) = anchored(rng, scene)?;
    let distance = |o: &Object| {
        let ((x, y), (ax, ay)) = (o.middle(), anchor.middle());
        f64::from((x - ax).pow(2) + (y - ay).pow(2)).sqrt()
    };
    let mut sorted = others;
    sorted.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
    if distance(&sorted[1]) - distance(&sorted[0]) < f64::from(CLEAR) {
        return None;
    }
    let object = sorted[0];
    Some(Reference {
        expression: format!("the shape nearest to the {}", anchor.kind.name()),
        object,
        rationale: format!("It is {}; nearest: {}, {}.", anchor.area(), object.kind.name(), object.area()),
    })
}

/// The other object with the colour, or the shape, of a named one.
fn same_property(rng: &mut ChaCha8Rng, scene: &Scene) -> Option<Reference> {
    let (anchor, others) = anchored(rng, scene)?;
    let by_colour = rng.random_bool(0.5);
    let object = single(others.iter().filter(|o| {
        if by_colour { o.kind.colour == anchor.kind.colour } else { o.kind.shape == anchor.kind.shape }
    }))?;
    let word = if by_colour { "colour" } else { "shape" };
    Some(Reference {
        expression: format!("the other object with the {word} of the {}", anchor.kind.name()),
        object,
        rationale: format!("Same {word}: {}, {}.", object.kind.name(), object.area()),
    })
}

/// An object that its name alone picks out, and the others.
fn anchored(rng: &mut ChaCha8Rng, scene: &Scene) -> Option<(Object, Vec<Object>)> {
    let kind = pick(rng, &scene.objects).kind;
    let anchor = single(scene.objects.iter().filter(|o| o.kind == kind))?;
    Some((anchor, scene.objects.iter().copied().filter(|o| *o != anchor).collect()))
}

/// The objects on one side of another; none if any lies in doubt.
fn clearly(side: &Side, anchor: Object, others: &[Object]) -> Option<Vec<Object>> {
    let beyond = |o: &Object| (side.along)(o) - (side.along)(&anchor);
    if others.iter().any(|o| (1..CLEAR).contains(&beyond(o))) {
        return None;
    }
    Some(others.iter().copied().filter(|o| beyond(o) >= CLEAR).collect())
}

/// Objects from a side on, if the first three are clearly apart.
fn in_order(scene: &Scene, side: &Side) -> Option<Vec<Object>> {
    let mut sorted = scene.objects.clone();
    sorted.sort_by_key(|o| -(side.along)(o));
    sorted[..3]
        .windows(2)
        .all(|pair| (side.along)(&pair[0]) - (side.along)(&pair[1]) >= CLEAR)
        .then_some(sorted)
}

fn single<'a>(mut objects: impl Iterator<Item = &'a Object>) -> Option<Object> {
    let first = objects.next()?;
    objects.next().is_none().then_some(*first)
}

fn unique_best(objects: &[Object], by: impl Fn(&Object) -> i32) -> Option<Object> {
    let best = objects.iter().map(&by).max()?;
    single(objects.iter().filter(|o| by(o) == best))
}

#[cfg(test)]
mod tests {
    use super::{super::canvas::Shape, *};

    #[test]
    fn what_lies_in_doubt_is_not_asked_for() {
        let at =
            |x: i32| Object { kind: Kind { colour: "red", shape: Shape::Circle }, place: [x, 0, x + 12, 12] };
        let left = &SIDES[0];
        assert_eq!(clearly(left, at(32), &[at(8), at(40)]), Some(vec![at(8)]));
        // 4 px to the left is neither beside nor clearly left.
        assert_eq!(clearly(left, at(32), &[at(28), at(8)]), None);
    }
}
