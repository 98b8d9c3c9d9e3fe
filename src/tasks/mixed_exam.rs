//! Multiple choice over the content of other tasks; the role of MMMU.

use rand::Rng;

use super::{
    NoSettings, Problem, TASKS, Task, canvas::COLOURS, choice, conclusion, entry, pick, shuffle,
    wrong_numbers,
};
use crate::{
    registry::{BuildError, Entry, Named},
    sample::Answer,
    seed::ChaCha8Rng,
};

pub(super) const ENTRY: Entry<dyn Task> = entry::<MixedExam>();

/// The tasks whose problems become exam questions.
const SUBJECTS: [&str; 6] = ["geometry", "spatial", "science", "chart", "infographic", "visual_math"];

/// Words of a question and of a rationale, at most.
const MOST_WORDS: (usize, usize) = (25, 12);

struct MixedExam {
    subjects: Vec<Box<dyn Task>>,
}

impl Named for MixedExam {
    const NAME: &'static str = "mixed_exam";
    const SUMMARY: &'static str = "Multiple choice over the content of other tasks";
    type Config = NoSettings;

    fn new(_: NoSettings) -> Result<Self, BuildError> {
        let build = |name| {
            let entry = TASKS.get(name).map_err(|unknown| BuildError::Value(unknown.to_string()))?;
            (entry.build)(toml::Table::new())
        };
        Ok(Self { subjects: SUBJECTS.into_iter().map(build).collect::<Result<_, _>>()? })
    }
}

impl Task for MixedExam {
    /// The key stays that of the subject's own problem, so that an exam for reporting asks nothing that the subject's
    /// training part shows.
    fn problem(&self, rng: &mut ChaCha8Rng, level: u8) -> Problem {
        let subject = &self.subjects[rng.random_range(0..self.subjects.len())];
        // Some problems do not make an exam question: too few wrong answers, or too many words.
        loop {
            let problem = subject.problem(rng, level);
            if let Some(problem) = examine(rng, problem, subject.as_ref(), level) {
                return problem;
            }
        }
    }
}

/// The problem as a question with four options.
fn examine(rng: &mut ChaCha8Rng, problem: Problem, subject: &dyn Task, level: u8) -> Option<Problem> {
    let wrong: [String; 3] = match &problem.answer {
        Answer::Choice(_) => return (problem.options.len() == 4).then_some(problem),
        Answer::Number(number) if number.fract() == 0.0 && (0.0..1000.0).contains(number) => {
            let right = *number as i64;
            let step = if right < 20 { 1 } else { pick(rng, &[1, 2, 5, 10]) };
            wrong_numbers(rng, right, step, 0).map(|number| number.to_string())
        }
        Answer::Text(texts) => match family(&problem.question, texts.first()?) {
            Some(others) => three(rng, others.into_iter().map(str::to_owned).collect())?,
            None => wrong_texts(rng, &problem, subject, level)?,
        },
        _ => return None,
    };
    let (question, options, answer) = choice(rng, &problem.question, problem.answer.written(), &wrong);
    if question.split_whitespace().count() > MOST_WORDS.0 {
        return None;
    }
    let mut rationale = problem.rationale;
    let concluded = format!("{rationale} So {}", conclusion(&options, &answer));
    if concluded.split_whitespace().count() <= MOST_WORDS.1 {
        rationale = concluded;
    }
    Some(Problem { question, options, answer, rationale, ..problem })
}

/// The other words that can stand where `word` does, for words of which there are few.
fn family(question: &str, word: &str) -> Option<Vec<&'static str>> {
    let colours = COLOURS.map(|(name, _)| name);
    let sides = if question.contains("above") {
        ["left", "right", "above", "below"]
    } else {
        ["left", "right", "up", "down"]
    };
    let all: &[&'static str] = if colours.contains(&word) {
        &colours
    } else if sides.contains(&word) {
        &sides
    } else {
        return None;
    };
    Some(all.iter().copied().filter(|other| *other != word).collect())
}

/// Three other answers to the same question about other pictures: each as likely to be right as the right one.
fn wrong_texts(
    rng: &mut ChaCha8Rng,
    problem: &Problem,
    subject: &dyn Task,
    level: u8,
) -> Option<[String; 3]> {
    let own = template(&problem.question);
    let right = problem.answer.written();
    let mut wrong: Vec<String> = Vec::new();
    for _ in 0..40 {
        let other = subject.problem(rng, level);
        let answer = other.answer.written();
        let same = matches!(other.answer, Answer::Text(_)) && template(&other.question) == own;
        if same && answer != right && !wrong.contains(&answer) {
            wrong.push(answer);
            if wrong.len() == 3 {
                break;
            }
        }
    }
    three(rng, wrong)
}

fn three(rng: &mut ChaCha8Rng, mut texts: Vec<String>) -> Option<[String; 3]> {
    shuffle(rng, &mut texts);
    texts.truncate(3);
    texts.try_into().ok()
}

/// The first two words of a question: what kind of thing it asks for.
fn template(question: &str) -> String {
    question.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        seed::Seed,
        tasks::{Generator, Part},
    };

    #[test]
    fn every_question_has_four_options_and_belongs_to_the_part_of_its_subject() {
        let exam = Generator::new("mixed_exam", Part::Report, Seed::new(1), 60).unwrap();
        for index in 0..60 {
            let (problem, _) = exam.problem(index);
            assert_eq!(problem.options.len(), 4, "{}", problem.question);
            assert_eq!(Part::of(&problem.key), Part::Report);
        }
    }

    #[test]
    fn the_other_words_for_a_side_are_those_that_the_question_allows() {
        let relation = "Where is it: left, right, above or below?";
        assert_eq!(family(relation, "left"), Some(vec!["right", "above", "below"]));
        assert_eq!(family("Which way does the arrow point?", "up"), Some(vec!["left", "right", "down"]));
        assert_eq!(family("Who is it?", "Ann"), None);
    }
}
