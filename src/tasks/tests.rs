//! What holds for every task, checked over the whole registry.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    canvas::{COLOURS, Shape},
    *,
};

fn generators(part: Part, seed: u64) -> impl Iterator<Item = Generator> {
    TASKS.entries.iter().map(move |entry| Generator::new(entry.name, part, Seed::new(seed), 10_000).unwrap())
}

#[test]
fn the_same_index_is_the_same_sample() {
    for (a, b) in generators(Part::Train, 1).zip(generators(Part::Train, 1)) {
        // In other orders, so that nothing can depend on what came before.
        let forth: Vec<Sample> = (0..40).map(|index| a.row(index).unwrap()).collect();
        let back: Vec<Sample> = (0..40).rev().map(|index| b.row(index).unwrap()).collect();
        assert!(forth.iter().eq(back.iter().rev()), "{}", a.task());
    }
}

#[test]
fn parts_share_no_problem() {
    for entry in TASKS.entries {
        let keys = Part::ALL.map(|part| {
            let generator = Generator::new(entry.name, part, Seed::new(3), 10_000).unwrap();
            (0..400).map(|index| generator.problem(index).0.key).collect::<BTreeSet<_>>()
        });
        for (one, other) in [(0, 1), (0, 2), (1, 2)] {
            assert!(keys[one].is_disjoint(&keys[other]), "{}", entry.name);
        }
    }
}

#[test]
fn every_problem_is_well_formed() {
    for generator in generators(Part::Train, 5) {
        for index in 0..1500 {
            let (problem, level) = generator.problem(index);
            let at = format!("{} at level {level}: {}", generator.task(), problem.question);
            check_texts(&problem, &at);
            // Drawing is what takes time.
            if index < 400 {
                check_answer(&problem, &at);
            }
        }
    }
}

fn check_texts(problem: &Problem, at: &str) {
    let words = |text: &str| text.split_whitespace().count();
    assert!((2..=25).contains(&words(&problem.question)), "{at}");
    assert!((1..=220).contains(&problem.caption.len()), "{at}: {}", problem.caption);
    for text in [&problem.rationale, &problem.idle_rationale] {
        assert!((2..=12).contains(&words(text)) && text.len() < 120, "{at}: {text}");
    }
    assert_ne!(problem.rationale, problem.idle_rationale, "{at}");
    for text in [&problem.question, &problem.caption, &problem.rationale, &problem.idle_rationale] {
        assert!(text.is_ascii() && text.trim() == text, "{at}: {text}");
    }
    assert!(!problem.key.is_empty(), "{at}");
}

fn check_answer(problem: &Problem, at: &str) {
    let canvas = (problem.draw)();
    let (width, height) = (canvas.width(), canvas.height());
    assert!(width % 16 == 0 && height % 16 == 0 && width.max(height) <= 112, "{at}: {width}×{height}");
    if !matches!(problem.answer, Answer::Choice(_)) {
        assert!(problem.options.is_empty(), "{at}");
    }
    match &problem.answer {
        Answer::Choice(letter) => {
            assert!((2..=4).contains(&problem.options.len()), "{at}");
            assert!((*letter as usize) - ('A' as usize) < problem.options.len(), "{at}");
            assert_eq!(problem.options.iter().collect::<BTreeSet<_>>().len(), problem.options.len(), "{at}");
            let stem = stem(problem);
            assert_eq!(problem.question, with_options(&stem, &problem.options), "{at}");
        }
        Answer::Number(number) => assert!(number.is_finite(), "{at}"),
        Answer::Text(texts) => {
            assert!(!texts.is_empty() && texts.iter().all(|text| !text.is_empty()), "{at}");
        }
        Answer::Boxes(boxes) => {
            assert!(!boxes.is_empty(), "{at}");
            for (nth, b) in boxes.iter().enumerate() {
                let inside = 0.0 <= b.x1 && b.x1 < b.x2 && b.x2 <= f64::from(width);
                assert!(inside && 0.0 <= b.y1 && b.y1 < b.y2 && b.y2 <= f64::from(height), "{at}");
                assert!(!boxes[..nth].contains(b), "{at}");
            }
        }
        Answer::Expression(text) => assert!(!text.is_empty(), "{at}"),
    }
}

#[test]
fn there_are_thousands_of_problems_and_neighbours_do_not_repeat_each_other() {
    for (a, b) in generators(Part::Train, 7).zip(generators(Part::Train, 8)) {
        let keys: Vec<String> = (0..3000).map(|index| a.problem(index).0.key).collect();
        let distinct = keys.iter().collect::<BTreeSet<_>>().len();
        assert!(distinct >= 2000, "{}: {distinct} distinct problems among 3000", a.task());
        let repeated = keys.windows(2).filter(|pair| pair[0] == pair[1]).count();
        assert!(repeated <= 3, "{}: {repeated} of 3000 repeat the one before", a.task());
        let same = (0..300).filter(|&index| b.problem(index).0.key == keys[index as usize]).count();
        assert!(same <= 3, "{}: seeds 7 and 8 agree in {same} of 300", a.task());
    }
}

#[test]
fn letters_of_choices_are_balanced() {
    for generator in generators(Part::Train, 11) {
        let mut letters: BTreeMap<char, usize> = BTreeMap::new();
        let choices: Vec<Problem> = (0..2000)
            .map(|index| generator.problem(index).0)
            .filter(|problem| problem.options.len() == 4)
            .collect();
        for problem in &choices {
            if let Answer::Choice(letter) = problem.answer {
                *letters.entry(letter).or_default() += 1;
            }
        }
        // Chance is 1/4, with a standard error of .01 at 2000 and .03 at 200.
        for (letter, count) in letters.into_iter().filter(|_| choices.len() >= 200) {
            let share = count as f64 / choices.len() as f64;
            assert!(
                (0.15..=0.35).contains(&share),
                "{}: {letter} has a share of {share:.2}",
                generator.task()
            );
        }
    }
}

/// Fits guessers on 2000 problems and scores them on 2000 others.
#[test]
fn a_guesser_without_the_picture_stays_near_chance() {
    for generator in generators(Part::Train, 13) {
        let bound = generator.task.prior_bound();
        let problems: Vec<Problem> = (0..4000).map(|index| generator.problem(index).0).collect();
        let (fit, judge) = problems.split_at(2000);
        for guesser in &GUESSERS {
            let accuracy = accuracy(fit, judge, guesser);
            let (task, name) = (generator.task(), guesser.name);
            assert!(
                accuracy <= bound,
                "{task}: guessing by {name} is right in {accuracy:.3}, allowed {bound}"
            );
        }
    }
}

/// What a guesser looks at: which questions it takes for the same, and what it sees of an option of a choice.
struct Guesser {
    name: &'static str,
    same: fn(&Problem) -> String,
    option: fn(&Problem, usize) -> String,
}

const GUESSERS: [Guesser; 4] = [
    Guesser { name: "question", same: stem, option: |_, at| letter(at).to_string() },
    Guesser { name: "template", same: template, option: |_, at| letter(at).to_string() },
    Guesser { name: "option", same: template, option: |problem, at| problem.options[at].clone() },
    Guesser { name: "rank of the option", same: template, option: rank },
];

/// How many options are smaller.
fn rank(problem: &Problem, at: usize) -> String {
    let value = |at: usize| problem.options[at].parse::<f64>().unwrap_or_default();
    (0..problem.options.len()).filter(|&other| value(other) < value(at)).count().to_string()
}

/// Share of right answers of a guesser that knows what was right most often.
fn accuracy(fit: &[Problem], judge: &[Problem], guesser: &Guesser) -> f64 {
    // Of questions taken for the same: how often each answer was right, and of choices how often each kind of option
    // was offered and right.
    let mut answers: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    let mut options: BTreeMap<String, BTreeMap<String, (f64, f64)>> = BTreeMap::new();
    for problem in fit {
        let same = (guesser.same)(problem);
        for at in 0..problem.options.len() {
            let kinds = options.entry(same.clone()).or_default();
            let (right, offered) = kinds.entry((guesser.option)(problem, at)).or_default();
            *right += f64::from(u8::from(problem.answer == Answer::Choice(letter(at))));
            *offered += 1.0;
        }
        *answers.entry(same).or_default().entry(problem.answer.written()).or_default() += 1;
    }
    // A kind of option that was seen rarely says little: one right and three wrong are added to each.
    let rate = |same: &str, kind: &str| {
        let seen = options.get(same).and_then(|kinds| kinds.get(kind));
        seen.map_or(0.25, |(right, offered)| (right + 1.0) / (offered + 4.0))
    };
    let right = judge.iter().filter(|problem| {
        let same = (guesser.same)(problem);
        let guess = if problem.options.is_empty() {
            let seen = answers.get(&same).into_iter().flatten();
            seen.max_by_key(|(_, count)| **count).map(|(answer, _)| answer.clone())
        } else {
            let rates =
                (0..problem.options.len()).map(|at| (at, rate(&same, &(guesser.option)(problem, at))));
            rates.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(at, _)| letter(at).to_string())
        };
        guess == Some(problem.answer.written())
    });
    right.count() as f64 / judge.len() as f64
}

/// The question without its options.
fn stem(problem: &Problem) -> String {
    let options = with_options("", &problem.options);
    problem.question.strip_suffix(&options).unwrap_or(&problem.question).to_owned()
}

/// The question without options, numbers, colours and shapes.
fn template(problem: &Problem) -> String {
    let mut text = stem(problem).replace(|c: char| c.is_ascii_digit(), "#").replace("##", "#");
    for (name, _) in COLOURS {
        text = text.replace(name, "COLOUR");
    }
    for shape in Shape::ALL {
        text = text.replace(shape.name(), "SHAPE");
    }
    text
}

#[test]
fn rows_end_where_they_end_and_ids_name_task_and_part() {
    let generator = Generator::new("detect", Part::Selection, Seed::new(1), 3).unwrap();
    assert_eq!(generator.row(2).unwrap().id, "detect/selection:2");
    assert_eq!(generator.row(3).unwrap_err().to_string(), "detect/selection:3: there are 3 rows");
}

#[test]
fn the_content_hash_knows_task_part_seed_and_length() {
    let hash =
        |task, part, seed, rows| Generator::new(task, part, Seed::new(seed), rows).unwrap().content_hash();
    let all = [
        hash("detect", Part::Train, 1, 10),
        hash("refer", Part::Train, 1, 10),
        hash("detect", Part::Report, 1, 10),
        hash("detect", Part::Train, 2, 10),
        hash("detect", Part::Train, 1, 11),
    ];
    assert!(all.iter().enumerate().all(|(i, one)| !all[..i].contains(one)));
}

#[test]
fn wrong_numbers_hide_the_rank_of_the_right_one() {
    let mut rng = Seed::new(1).rng();
    let mut ranks = [0; 4];
    for _ in 0..4000 {
        let wrong = wrong_numbers(&mut rng, 50, 10, 0);
        assert!(wrong.iter().all(|other| *other != 50 && *other >= 20 && *other <= 80));
        ranks[wrong.iter().filter(|other| **other < 50).count()] += 1;
    }
    // 1000 each is expected, with a standard deviation of 27.
    assert!(ranks.iter().all(|count| (850..=1150).contains(count)), "{ranks:?}");
}
