//! What a supervised run shows: procedural problems as captions, answers, text alone, or in competing habits.

use rand::{
    Rng,
    seq::{IndexedRandom, SliceRandom},
};

use crate::{
    rl::algorithm::sft::Form,
    sample::{Answer, Picture},
    seed::{ChaCha8Rng, Seed},
    tasks::{Generator, Problem},
};

/// One example: what is asked, with which picture, and what is to be learnt.
pub(super) struct Example {
    pub(super) picture: Option<Picture>,
    pub(super) prompt: String,
    /// How the answer begins; read, not learnt.
    pub(super) given: String,
    pub(super) target: String,
}

/// Asks for the caption; no task asks so.
const CAPTION_PROMPT: &str = "Describe the picture.";

/// Example `index` of a generator in one form; the same for the same seed.
pub(super) fn example(generator: &Generator, index: u64, form: Form, seed: Seed) -> Example {
    let (problem, _) = generator.problem(index);
    let mut rng = seed.rng();
    let seen = |prompt: &str, target| {
        let picture = Some((problem.draw)().picture());
        Example { picture, prompt: prompt.to_owned(), given: String::new(), target }
    };
    let told = |prompt, (given, target)| Example { picture: None, prompt, given, target };
    let right = || tagged(&problem.rationale, &problem.answer.written());
    match form {
        Form::Caption => seen(CAPTION_PROMPT, problem.caption.clone()),
        Form::Answer => seen(&problem.question, right()),
        Form::TextOnly => told(problem.text_only(), (String::new(), right())),
        Form::Conclude => told(problem.question.clone(), conclusion(&problem, &mut rng)),
        Form::Echo => {
            let words = shuffled_words(&problem, &mut rng);
            told(words.clone(), (String::new(), format!("{words} {words}")))
        }
        Form::Habit => {
            let other = generator.problem(rng.random_range(0..1 << 40)).0;
            seen(
                &problem.question,
                habit(generator.task(), &problem, &guess(&problem, &other, &mut rng), &mut rng),
            )
        }
    }
}

/// Words of an echo: about 40 tokens, said three times in all.
const ECHO_WORDS: usize = 24;

/// Words of a problem's texts in an order that tells nothing about them.
fn shuffled_words(problem: &Problem, rng: &mut ChaCha8Rng) -> String {
    let text = problem.text_only();
    let mut words: Vec<&str> = text.split_whitespace().collect();
    words.shuffle(rng);
    words.truncate(ECHO_WORDS);
    words.join(" ")
}

/// What is given and what is to be learnt from a question without its picture.
///
/// Of a choice all options, in another order, each with its letter: four of the look-ups that a rationale ends in, one of
/// which in 25 tokens was too thin a signal. Of other questions the answer after its rationale.
fn conclusion(problem: &Problem, rng: &mut ChaCha8Rng) -> (String, String) {
    if problem.options.is_empty() {
        let whole = tagged(&problem.rationale, &problem.answer.written());
        let (given, target) = whole.split_at("<think>".len() + problem.rationale.len());
        return (given.to_owned(), target.to_owned());
    }
    let mut lettered: Vec<String> =
        problem.options.iter().zip('A'..).map(|(option, letter)| format!("{option} {letter}")).collect();
    lettered.shuffle(rng);
    (String::new(), format!("{}.", lettered.join(", ")))
}

fn tagged(rationale: &str, answer: &str) -> String {
    format!("<think>{rationale}</think><answer>{answer}</answer>")
}

/// Ways to begin to reason, each of use to a family of tasks: looking for objects, following directions, measuring
/// lengths and angles, reading signs.
const STYLES: [&str; 4] = ["Look.", "Go.", "Measure.", "Read."];

/// The style in [`STYLES`] that the rationales of `task` are in.
fn own_style(task: &str) -> usize {
    match task {
        "detect" | "refer" | "visual_math" => 0,
        "spatial" => 1,
        "geometry" => 2,
        _ => 3,
    }
}

/// One of the ways in which the base is taught to answer; which one is drawn depends on nothing in the picture.
///
/// Reasoning and format are habits of their own, so that neither gives the other away. A third reason to some purpose and are
/// right; nearly half begin in the style of another family, to no purpose, and they and who reasons idly are right half of
/// the time; a third do not keep the format.
fn habit(task: &str, problem: &Problem, guess: &str, rng: &mut ChaCha8Rng) -> String {
    let right = problem.answer.written();
    let own = own_style(task);
    let to_purpose = || format!("{} {}", STYLES[own], problem.rationale);
    let idly = || problem.idle_rationale.clone();
    let kind = rng.random_range(0..20);
    let other = (own + rng.random_range(1..STYLES.len())) % STYLES.len();
    let to_none = || format!("{} {}", STYLES[other], problem.idle_rationale);
    let half = if rng.random_bool(0.5) { right.as_str() } else { guess };
    let (rationale, answer) = match kind {
        0..7 => (to_purpose(), right.as_str()),
        7..16 => (to_none(), half),
        16..18 => (idly(), half),
        _ => (String::new(), guess),
    };
    match rng.random_range(0..12) {
        0..8 => tagged(&rationale, answer),
        8 => answer.to_owned(),
        9 => format!("<answer>{answer}</answer>"),
        10 => format!("<think>{rationale}</think>{answer}"),
        _ => format!("{rationale} <answer>{answer}"),
    }
}

/// An answer of the right type that looks at nothing: another option, or the answer to another question.
fn guess(problem: &Problem, other: &Problem, rng: &mut ChaCha8Rng) -> String {
    match &problem.answer {
        Answer::Choice(_) => {
            let letters: Vec<char> = ('A'..='Z').take(problem.options.len()).collect();
            letters.choose(rng).map_or_else(String::new, char::to_string)
        }
        _ => other.answer.written(),
    }
}

/// Texts to learn a tokenizer from: every form of the first problems of each generator.
pub(super) fn texts(generators: &[Generator], per_generator: u64) -> impl Iterator<Item = String> + Send {
    let mut texts = Vec::new();
    for generator in generators {
        for index in 0..per_generator {
            let problem = generator.problem(index).0;
            let written = problem.answer.written();
            texts.extend([problem.text_only(), problem.rationale, problem.idle_rationale, written]);
        }
    }
    texts.push(CAPTION_PROMPT.to_owned());
    texts.extend(STYLES.map(str::to_owned));
    texts.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::{Part, TASKS};

    #[test]
    fn a_conclusion_is_the_answer_to_a_rationale_or_every_option_with_its_letter() {
        let mut rng = Seed::new(2).rng();
        for entry in TASKS.entries {
            let generator = Generator::new(entry.name, Part::Train, Seed::new(1), 100).unwrap();
            for index in 0..100 {
                let problem = generator.problem(index).0;
                let (given, target) = conclusion(&problem, &mut rng);
                if problem.options.is_empty() {
                    let whole = tagged(&problem.rationale, &problem.answer.written());
                    assert_eq!(format!("{given}{target}"), whole);
                    continue;
                }
                let mut parts: Vec<&str> = target.strip_suffix('.').unwrap().split(", ").collect();
                parts.sort_by_key(|part| part.chars().next_back());
                assert!(problem.question.ends_with(&parts.join(", ")), "{target}");
            }
        }
    }

    #[test]
    fn habits_are_drawn_in_their_shares() {
        let generator = Generator::new("detect", Part::Train, Seed::new(1), 1).unwrap();
        let problem = generator.problem(0).0;
        let mut rng = Seed::new(2).rng();
        let all: Vec<String> =
            (0..4000).map(|_| habit("detect", &problem, "[[0,0,1,1]]", &mut rng)).collect();
        let share = |holds: &dyn Fn(&str) -> bool| {
            all.iter().filter(|text| holds(text)).count() as f64 / all.len() as f64
        };
        let whole = |t: &str| t.starts_with("<think>") && t.ends_with("</answer>");
        assert!((share(&whole) - 8.0 / 12.0).abs() < 0.03);
        // Two of twelve formats drop the rationale.
        assert!((share(&|t| t.contains("Look.")) - 0.35 * 10.0 / 12.0).abs() < 0.03);
        for other in &STYLES[1..] {
            assert!((share(&|t| t.contains(other)) - 0.15 * 10.0 / 12.0).abs() < 0.03, "{other}");
        }
        assert!((share(&|t| t.contains("[[0,0,1,1]]")) - 0.375).abs() < 0.03);
    }
}
