//! What the embedded tasks give to somebody who does not look at the picture.

use std::collections::{BTreeMap, BTreeSet};

use rand::Rng;

use crate::{
    data::{Catalog, DatasetConfig, Source},
    reward::{Gold, Reward, iou},
    sample::{Answer, Rect},
    seed::Seed,
    tasks::{
        Generator, Part, Problem,
        canvas::{COLOURS, Shape},
        letter,
    },
};

/// What a guesser without the picture may score by the table of each embedded dataset, and chance: the score of somebody
/// who knows the form of the question and all answers it can have, and guesses.
///
/// A bound is what the best guesser scored plus three standard deviations of 2000 questions. It is above chance where round
/// numbers are asked for more often (`chart`, `visual_math`), where a box in the middle overlaps a little with most
/// (`detect`, `refer`), and where a few wrong options are rarely right (`mixed_exam`).
const BOUNDS: [(&str, f64, f64); 12] = [
    ("detect", 0.07, 0.024),
    ("refer", 0.10, 0.055),
    ("geometry", 0.29, 0.246),
    ("spatial", 0.23, 0.189),
    ("science", 0.29, 0.250),
    ("refer_test", 0.11, 0.068),
    ("spatial_test", 0.23, 0.189),
    ("science_test", 0.29, 0.250),
    ("chart", 0.14, 0.065),
    ("infographic", 0.063, 0.048),
    ("visual_math", 0.20, 0.131),
    ("mixed_exam", 0.32, 0.238),
];

/// Fits guessers on 2000 problems and scores them on 2000 others, by the reward that the catalogue gives the dataset.
#[test]
fn a_guesser_without_the_picture_stays_near_chance() {
    let catalog = Catalog::embedded();
    let mut seen = BTreeSet::new();
    let (mut measured, mut is_over) = (Vec::new(), false);
    for (name, config) in catalog.iter() {
        let Source::Task { name: task, .. } = &config.source else { continue };
        let (_, bound, expected) =
            BOUNDS.iter().find(|(of, ..)| name.as_str() == *of).expect("a bound for each");
        seen.insert(name.as_str().to_owned());
        let generator = Generator::new(task, Part::Train, Seed::new(13), 10_000).unwrap();
        let reward = reward(config);
        let problems: Vec<Problem> = (0..4000).map(|index| generator.problem(index).0).collect();
        let (fit, judge) = problems.split_at(2000);
        let scores = GUESSERS.map(|guesser| (guesser.name, score(fit, judge, &guesser, &reward)));
        let chance = chance(fit, judge, &reward);
        is_over |= scores.iter().any(|(_, score)| score > bound) || (chance - expected).abs() > 0.03;
        measured
            .push(format!("{name}: {scores:.3?}, allowed {bound}; chance {chance:.3}, {expected} expected"));
    }
    assert!(!is_over, "a guesser scores more than its bound, or chance is another:\n{}", measured.join("\n"));
    assert_eq!(seen.len(), BOUNDS.len());
}

fn reward(config: &DatasetConfig) -> Reward {
    let by_type = config.verifiers.as_table().filter(|table| !table.contains_key("name"));
    let verifiers = match by_type {
        Some(table) => toml::Value::Array(table.values().cloned().collect()),
        None => config.verifiers.clone(),
    };
    Reward::from_tables(&verifiers, Some(&config.reward)).unwrap()
}

/// What a guess scores in the right format, in [0, 1].
fn judged(reward: &Reward, problem: &Problem, guess: &str) -> f64 {
    let gold = Gold { answer: &problem.answer, options: &problem.options, picture_size: None };
    reward.score(&gold, &format!("<think>I guess.</think><answer>{guess}</answer>")).accuracy
}

/// The mean score of the answer to another question of the same form, or of a letter, drawn at random.
fn chance(fit: &[Problem], judge: &[Problem], reward: &Reward) -> f64 {
    let mut answers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for problem in fit {
        answers.entry(template(problem)).or_default().push(problem.answer.written());
    }
    let mut rng = Seed::new(3).rng();
    let guess = |problem: &Problem| match answers.get(&template(problem)) {
        _ if !problem.options.is_empty() => letter(rng.random_range(0..problem.options.len())).to_string(),
        Some(answers) => answers[rng.random_range(0..answers.len())].clone(),
        None => String::new(),
    };
    let guesses: Vec<String> = judge.iter().map(guess).collect();
    judge.iter().zip(&guesses).map(|(problem, guess)| judged(reward, problem, guess)).sum::<f64>()
        / judge.len() as f64
}

/// What a guesser looks at: which questions it takes for the same, and what it sees of an option of a choice.
struct Guesser {
    name: &'static str,
    same: fn(&Problem) -> String,
    option: fn(&Problem, usize) -> String,
}

const GUESSERS: [Guesser; 4] = [
    Guesser { name: "question", same: Problem::stem, option: |_, at| letter(at).to_string() },
    Guesser { name: "template", same: template, option: |_, at| letter(at).to_string() },
    Guesser { name: "option", same: template, option: |problem, at| problem.options[at].clone() },
    Guesser { name: "rank of the option", same: template, option: rank },
];

/// How many options are smaller.
fn rank(problem: &Problem, at: usize) -> String {
    let value = |at: usize| problem.options[at].parse::<f64>().unwrap_or_default();
    (0..problem.options.len()).filter(|&other| value(other) < value(at)).count().to_string()
}

/// Answers that are tried as the one guess of a question's form: the most frequent ones, of numbers the quartiles as well.
const MOST_FREQUENT: usize = 20;

/// The mean score of a guesser that knows how often each answer was right, and gives the one that scores most.
fn score(fit: &[Problem], judge: &[Problem], guesser: &Guesser, reward: &Reward) -> f64 {
    // Of questions taken for the same: the problems, and of choices how often each kind of option was offered and right.
    let mut problems: BTreeMap<String, Vec<&Problem>> = BTreeMap::new();
    let mut options: BTreeMap<String, BTreeMap<String, (f64, f64)>> = BTreeMap::new();
    for problem in fit {
        let same = (guesser.same)(problem);
        for at in 0..problem.options.len() {
            let kinds = options.entry(same.clone()).or_default();
            let (right, offered) = kinds.entry((guesser.option)(problem, at)).or_default();
            *right += f64::from(u8::from(problem.answer == Answer::Choice(letter(at))));
            *offered += 1.0;
        }
        problems.entry(same).or_default().push(problem);
    }
    let guesses: BTreeMap<String, String> =
        problems.into_iter().map(|(same, problems)| (same, best_guess(&problems, reward))).collect();
    // A kind of option that was seen rarely says little: one right and three wrong are added to each.
    let rate = |same: &str, kind: &str| {
        let seen = options.get(same).and_then(|kinds| kinds.get(kind));
        seen.map_or(0.25, |(right, offered)| (right + 1.0) / (offered + 4.0))
    };
    let scored = judge.iter().map(|problem| {
        let same = (guesser.same)(problem);
        let guess = if problem.options.is_empty() {
            guesses.get(&same).cloned().unwrap_or_default()
        } else {
            let rates =
                (0..problem.options.len()).map(|at| (at, rate(&same, &(guesser.option)(problem, at))));
            rates
                .max_by(|a, b| a.1.total_cmp(&b.1))
                .map_or_else(String::new, |(at, _)| letter(at).to_string())
        };
        judged(reward, problem, &guess)
    });
    scored.sum::<f64>() / judge.len() as f64
}

/// The one answer that scores most on `problems`, which are not choices.
fn best_guess(problems: &[&Problem], reward: &Reward) -> String {
    if !problems[0].options.is_empty() {
        return String::new();
    }
    let golds: Vec<&[Rect]> = problems
        .iter()
        .filter_map(
            |problem| if let Answer::Boxes(boxes) = &problem.answer { Some(boxes.as_slice()) } else { None },
        )
        .collect();
    let mut candidates: Vec<String> = if golds.is_empty() {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for problem in problems {
            *counts.entry(problem.answer.written()).or_default() += 1;
        }
        let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts.into_iter().take(MOST_FREQUENT).map(|(answer, _)| answer).collect()
    } else {
        best_boxes(&golds).into_iter().map(|one| Answer::Boxes(vec![one]).written()).collect()
    };
    let mut numbers: Vec<f64> = problems
        .iter()
        .filter_map(|problem| if let Answer::Number(number) = problem.answer { Some(number) } else { None })
        .collect();
    numbers.sort_by(f64::total_cmp);
    if !numbers.is_empty() {
        candidates.extend([1, 2, 3].map(|quarter| numbers[(numbers.len() - 1) * quarter / 4].to_string()));
    }
    let mean = |guess: &String| problems.iter().map(|problem| judged(reward, problem, guess)).sum::<f64>();
    candidates
        .into_iter()
        .map(|guess| (mean(&guess), guess))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or_else(String::new, |(_, guess)| guess)
}

/// Of all boxes on a grid of eight pixels the one with the highest mean overlap, and the one that most often has half.
fn best_boxes(golds: &[&[Rect]]) -> [Rect; 2] {
    let sides = || {
        (0..14).flat_map(|from| (from + 1..=14).map(move |to| (8.0 * f64::from(from), 8.0 * f64::from(to))))
    };
    let mut best = [(-1.0, Rect { x1: 0.0, y1: 0.0, x2: 8.0, y2: 8.0 }); 2];
    for (x1, x2) in sides() {
        for (y1, y2) in sides() {
            let guess = Rect { x1, y1, x2, y2 };
            // One guess for several boxes: the best match, divided by how many there are, as the verifier scores it.
            let each = golds.iter().map(|boxes| {
                boxes.iter().map(|gold| iou(&guess, gold)).fold(0.0, f64::max) / boxes.len() as f64
            });
            let (mut sum, mut halves) = (0.0, 0.0);
            for overlap in each {
                sum += overlap;
                halves += f64::from(u8::from(overlap >= 0.5));
            }
            for (best, score) in best.iter_mut().zip([sum, halves]) {
                if score > best.0 {
                    *best = (score, guess);
                }
            }
        }
    }
    best.map(|(_, guess)| guess)
}

/// The question without options, numbers, colours and shapes.
fn template(problem: &Problem) -> String {
    let mut text = problem.stem().replace(|c: char| c.is_ascii_digit(), "#").replace("##", "#");
    for (name, _) in COLOURS {
        text = text.replace(name, "COLOUR");
    }
    for shape in Shape::ALL {
        text = text.replace(shape.name(), "SHAPE");
    }
    text
}
