//! Labels and figures in a poster; the role of InfoVQA.

use rand::Rng;

use super::{
    NoSettings, Problem, Task,
    canvas::{COLOURS, Canvas, Colour, INK, PAPER},
    cells::{CELL, ITEMS, icon, text},
    entry, idle, pick, shuffle,
};
use crate::{
    registry::{BuildError, Entry, Named},
    sample::Answer,
    seed::ChaCha8Rng,
};

pub(super) const ENTRY: Entry<dyn Task> = entry::<Infographic>();

struct Infographic;

impl Named for Infographic {
    const NAME: &'static str = "infographic";
    const SUMMARY: &'static str = "Labels and figures in a poster";
    type Config = NoSettings;

    fn new(_: NoSettings) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

/// One line of a poster.
#[derive(Clone, Copy)]
struct Line {
    item: &'static str,
    number: i64,
}

impl Task for Infographic {
    fn problem(&self, rng: &mut ChaCha8Rng, level: u8) -> Problem {
        let n_lines = usize::from(level) + 2;
        let mut items = ITEMS;
        shuffle(rng, &mut items);
        let mut numbers: Vec<i64> = (10..=99).collect();
        shuffle(rng, &mut numbers);
        let lines: Vec<Line> = items
            .into_iter()
            .zip(numbers)
            .take(n_lines)
            .map(|(item, number)| Line { item, number })
            .collect();
        let (question, rationale, answer) = ask(rng, level, &lines);
        let listed: Vec<String> = lines.iter().map(|line| format!("{} {}", line.item, line.number)).collect();
        let caption = format!("A poster from top to bottom: {}.", listed.join(", "));
        let title = pick(rng, &TITLES);
        let band = pick(rng, &COLOURS[..5]).1;
        Problem {
            options: Vec::new(),
            answer: Answer::Text(vec![answer]),
            idle_rationale: idle(rng, &rationale),
            rationale,
            key: format!("{question} {caption}"),
            question,
            caption,
            draw: Box::new(move || draw(&lines, title, band)),
        }
    }
}

/// Headlines of posters with room for one: decoration, never asked about.
const TITLES: [&str; 4] = ["TOP LIST", "RESULTS", "IN STOCK", "MY WEEK"];

/// Question, rationale and answer.
fn ask(rng: &mut ChaCha8Rng, level: u8, lines: &[Line]) -> (String, String, String) {
    let last = lines.len() - 1;
    let any = rng.random_range(0..=last);
    let here = lines[any];
    // A line with another one above it, and that one.
    let lower = rng.random_range(1..=last);
    let (above, below) = (lines[lower - 1], lines[lower]);
    let mut by_number = lines.to_vec();
    by_number.sort_by_key(|line| -line.number);
    match (level, rng.random_range(0..4)) {
        (1, 0 | 1) | (2, 0) => (
            format!("What number belongs to {}?", here.item),
            format!("The line of {} says {}.", here.item, here.number),
            here.number.to_string(),
        ),
        (1, _) | (2, 1) => (
            format!("Which item has {}?", here.number),
            format!("The line with {} is {}.", here.number, here.item),
            here.item.to_owned(),
        ),
        (2, 2) => (
            format!("What is below {}?", above.item),
            format!("First {}, then {}.", above.item, below.item),
            below.item.to_owned(),
        ),
        (2, _) => (
            format!("What is above {}?", below.item),
            format!("Then {}, first {}.", below.item, above.item),
            above.item.to_owned(),
        ),
        (_, 0) => {
            let (word, line) =
                if rng.random_bool(0.5) { ("largest", by_number[0]) } else { ("smallest", by_number[last]) };
            (
                format!("Which item has the {word} number?"),
                format!("The {word} is {}, {}.", line.number, line.item),
                line.item.to_owned(),
            )
        }
        (_, 1) => (
            format!("What number is below {}?", above.item),
            format!("Below {} is {} with {}.", above.item, below.item, below.number),
            below.number.to_string(),
        ),
        (_, 2) => (
            "Which item has the second largest number?".to_owned(),
            format!("{} is first, then {}, {}.", by_number[0].number, by_number[1].number, by_number[1].item),
            by_number[1].item.to_owned(),
        ),
        _ => {
            let at = rng.random_range(1..=last);
            let (more, less) = (by_number[at - 1], by_number[at]);
            let difference = more.number - less.number;
            (
                format!("How many more {} than {}?", more.item, less.item),
                format!("{} - {} = {difference}.", more.number, less.number),
                difference.to_string(),
            )
        }
    }
}

/// One row of cells per line: icon, label, number. Posters of up to four lines have a headline.
fn draw(lines: &[Line], title: &str, band: Colour) -> Canvas {
    let mut canvas = Canvas::lit(80, 80);
    let first = usize::from(lines.len() < 5);
    if first == 1 {
        let light = |level: u8| level / 2 + 127;
        canvas.fill_rect(0.0, 0.0, 80.0, CELL - 1.0, Colour(light(band.0), light(band.1), light(band.2)));
        text(&mut canvas, 8.0, 0.0, title);
    }
    for (at, line) in lines.iter().enumerate() {
        let y = CELL * (first + at) as f32;
        canvas.fill_rect(0.0, y, CELL, CELL, PAPER);
        canvas.fill_rect(0.0, y + CELL - 1.0, 80.0, 1.0, band);
        icon(&mut canvas, line.item, 0.0, y);
        text(&mut canvas, CELL, y, line.item);
        text(&mut canvas, 4.0 * CELL, y, &line.number.to_string());
    }
    canvas.line((0.0, CELL * first as f32 - 0.5), (80.0, CELL * first as f32 - 0.5), 1.0, INK);
    canvas
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    #[test]
    fn questions_are_answered_from_the_lines() {
        let lines = [("tea", 42), ("fish", 17), ("key", 80), ("egg", 20), ("sun", 61)]
            .map(|(item, number)| Line { item, number });
        let mut rng = Seed::new(1).rng();
        let mut known = 0;
        for level in [1, 2, 3].repeat(200) {
            let (question, _, answer) = ask(&mut rng, level, &lines);
            let right = match question.as_str() {
                "What number belongs to fish?" => "17",
                "Which item has 42?" => "tea",
                "Which item has the largest number?" => "key",
                "What is below tea?" | "What is above key?" | "Which item has the smallest number?" => "fish",
                "Which item has the second largest number?" => "sun",
                "What number is below fish?" => "80",
                "How many more sun than tea?" => "19",
                _ => continue,
            };
            assert_eq!(answer, right, "{question}");
            known += 1;
        }
        assert!(known > 100, "{known}");
    }

    #[test]
    fn no_item_is_half_of_another() {
        // ANLS counts an answer with at most half of its letters wrong in part: a guess must not profit from that.
        for (at, one) in ITEMS.iter().enumerate() {
            for other in &ITEMS[..at] {
                let longer = one.len().max(other.len());
                assert!(2 * edits(one.as_bytes(), other.as_bytes()) > longer, "{one} {other}");
            }
        }
    }

    fn edits(a: &[u8], b: &[u8]) -> usize {
        match (a, b) {
            ([], rest) | (rest, []) => rest.len(),
            ([x, a @ ..], [y, b @ ..]) if x == y => edits(a, b),
            ([_, a_rest @ ..], [_, b_rest @ ..]) => {
                1 + edits(a_rest, b).min(edits(a, b_rest)).min(edits(a_rest, b_rest))
            }
        }
    }
}
