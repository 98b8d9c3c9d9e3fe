//! Boxes of all objects of a kind in a scene; the role of COCO.

use rand::Rng;

use super::{
    NoSettings, Problem, Task,
    canvas::Shape,
    entry, idle, pick,
    scene::{Kind, Scene},
};
use crate::{
    registry::{BuildError, Entry, Named},
    sample::Answer,
    seed::ChaCha8Rng,
};

pub(super) const ENTRY: Entry<dyn Task> = entry::<Detect>();

struct Detect;

impl Named for Detect {
    const NAME: &'static str = "detect";
    const SUMMARY: &'static str = "Boxes of all objects of a kind in a scene";
    type Config = NoSettings;

    fn new(_: NoSettings) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

/// What is looked for; `None` stands for any.
#[derive(Clone, Copy)]
struct Wanted {
    colour: Option<&'static str>,
    shape: Option<Shape>,
}

impl Wanted {
    fn matches(self, kind: Kind) -> bool {
        self.colour.is_none_or(|colour| colour == kind.colour)
            && self.shape.is_none_or(|shape| shape == kind.shape)
    }

    /// A kind that matches.
    fn like(self, rng: &mut ChaCha8Rng) -> Kind {
        let any = Kind::any(rng);
        Kind { colour: self.colour.unwrap_or(any.colour), shape: self.shape.unwrap_or(any.shape) }
    }

    /// A kind that does not match, in one half of the cases by one property only.
    fn unlike(self, rng: &mut ChaCha8Rng) -> Kind {
        loop {
            let mut kind = Kind::any(rng);
            match rng.random_range(0..4) {
                0 => kind.colour = self.colour.unwrap_or(kind.colour),
                1 => kind.shape = self.shape.unwrap_or(kind.shape),
                _ => (),
            }
            if !self.matches(kind) {
                return kind;
            }
        }
    }

    /// `red circles`, `circles`, `red shapes`.
    fn plural(self) -> String {
        let shape = self.shape.map_or("shape", Shape::name);
        self.colour.map_or_else(|| format!("{shape}s"), |colour| format!("{colour} {shape}s"))
    }
}

impl Task for Detect {
    fn problem(&self, rng: &mut ChaCha8Rng, level: u8) -> Problem {
        let kind = Kind::any(rng);
        let wanted = match rng.random_range(0..5) {
            0 => Wanted { colour: Some(kind.colour), shape: None },
            1 => Wanted { colour: None, shape: Some(kind.shape) },
            _ => Wanted { colour: Some(kind.colour), shape: Some(kind.shape) },
        };
        let (n_objects, n_wanted) = match level {
            1 => (rng.random_range(3..=4), 1),
            2 => (rng.random_range(4..=5), pick(rng, &[1, 2])),
            _ => (rng.random_range(5..=7), pick(rng, &[1, 2, 3])),
        };
        let kinds: Vec<Kind> = (0..n_objects)
            .map(|at| if at < n_wanted { wanted.like(rng) } else { wanted.unlike(rng) })
            .collect();
        let scene = Scene::new(rng, &kinds, level);
        let found: Vec<_> = scene.objects.iter().filter(|object| wanted.matches(object.kind)).collect();
        let areas: Vec<String> = found.iter().map(|object| object.area()).collect();
        let question = format!("Find all {}.", wanted.plural());
        let caption = scene.caption();
        let rationale = format!("I see {}: {}.", found.len(), areas.join(", "));
        Problem {
            options: Vec::new(),
            answer: Answer::Boxes(found.iter().map(|object| object.rect()).collect()),
            idle_rationale: idle(rng, &rationale),
            rationale,
            key: format!("{question} {caption}"),
            question,
            caption,
            draw: Box::new(move || scene.draw()),
        }
    }
}
