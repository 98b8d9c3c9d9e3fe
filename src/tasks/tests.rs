//! What holds for every task, checked over the whole registry.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

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
            let stem = problem.stem();
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
