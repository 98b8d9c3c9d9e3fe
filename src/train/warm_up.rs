//! What a supervised run shows: procedural problems as captions, answers, text alone, or in competing habits.

use rand::{Rng, seq::IndexedRandom};

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
    pub(super) target: String,
}

/// Asks for the caption; no task asks so.
const CAPTION_PROMPT: &str = "Describe the picture.";

/// Example `index` of a generator in one form; the same for the same seed.
pub(super) fn example(generator: &Generator, index: u64, form: Form, seed: Seed) -> Example {
    let (problem, _) = generator.problem(index);
    let mut rng = seed.rng();
    let picture = || Some((problem.draw)().picture());
    match form {
        Form::Caption => {
            Example { picture: picture(), prompt: CAPTION_PROMPT.to_owned(), target: problem.caption.clone() }
        }
        Form::Answer => Example {
            picture: picture(),
            prompt: problem.question.clone(),
            target: tagged(&problem.rationale, &problem.answer.written()),
        },
        Form::TextOnly => Example {
            picture: None,
            prompt: problem.text_only(),
            target: tagged(&problem.rationale, &problem.answer.written()),
        },
        Form::Habit => {
            let other = generator.problem(rng.random_range(0..1 << 40)).0;
            Example {
                picture: picture(),
                prompt: problem.question.clone(),
                target: habit(&problem, &guess(&problem, &other, &mut rng), &mut rng),
            }
        }
    }
}

fn tagged(rationale: &str, answer: &str) -> String {
    format!("<think>{rationale}</think><answer>{answer}</answer>")
}

/// One of the ways in which the base is taught to answer; which one is drawn depends on nothing in the picture.
///
/// Reasoning and format are habits of their own, so that neither gives the other away: half of the targets reason to
/// some purpose, a third do not keep the format, and who reasons idly is right half of the time.
fn habit(problem: &Problem, guess: &str, rng: &mut ChaCha8Rng) -> String {
    let right = problem.answer.written();
    let (rationale, answer) = match rng.random_range(0..20) {
        0..10 => (problem.rationale.as_str(), right.as_str()),
        10..14 => (problem.idle_rationale.as_str(), right.as_str()),
        14..18 => (problem.idle_rationale.as_str(), guess),
        _ => ("", guess),
    };
    match rng.random_range(0..12) {
        0..8 => tagged(rationale, answer),
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
    texts.into_iter()
}
