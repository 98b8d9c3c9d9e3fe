//! Scorers of others, restated: for whoever needs their numbers.
//!
//! A profile takes text as its source does, with the source's oddities; it is not what modo trains by. One file per family,
//! one line in [`PROFILES`]. `tests/oracles` measures how often each agrees with its source, `docs/verifier.md` lists where
//! not.

mod anls;
mod chartqa;
mod dapo;
mod gsm8k;
mod hendrycks;
mod math_verify;
mod mathruler;
mod mathvista;
mod mmmu;
mod python;
mod scienceqa;

use super::Reason;

/// What a profile scores.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Accepted answers, as the data set writes them; most sources look at the first only.
    pub golds: &'a [String],
    /// All that the model wrote.
    pub completion: &'a str,
    /// The options of a choice, in the order of their letters.
    pub options: &'a [String],
}

/// What a profile gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// In [0, 1]; none where the source skips the row.
    pub score: Option<f64>,
    /// What the source itself returns, where that is another number.
    pub reward: Option<f64>,
    /// Why.
    pub reason: Reason,
    /// What was found and compared.
    pub extracted: Option<String>,
    /// Whether the source's format was kept, where it has one.
    pub format: Option<bool>,
}

impl Score {
    fn graded(score: f64, extracted: String) -> Self {
        let reason = match score {
            1.0 => Reason::Right,
            0.0 => Reason::Wrong,
            _ => Reason::Partial,
        };
        let extracted: String = extracted.chars().take(super::MAX_EXTRACTED).collect();
        Self { score: Some(score), reward: None, reason, extracted: Some(extracted), format: None }
    }

    fn all_or_nothing(right: bool, extracted: String) -> Self {
        Self::graded(f64::from(u8::from(right)), extracted)
    }

    fn without(reason: Reason) -> Self {
        Self { score: Some(0.0), reward: None, reason, extracted: None, format: None }
    }

    /// Nothing stands where the source looks.
    fn missing() -> Self {
        Self::without(Reason::NoAnswerRegion)
    }

    fn unparsed() -> Self {
        Self::without(Reason::Unparsed)
    }

    fn skipped() -> Self {
        Self { score: None, ..Self::without(Reason::BadGold) }
    }

    /// With a reward of +1 or -1.
    fn signed(self) -> Self {
        Self { reward: self.score.map(|score| if score > 0.0 { 1.0 } else { -1.0 }), ..self }
    }
}

/// Bytes of a completion that benchmarks of short answers look at; their sources have no bound.
const MAX_TEXT: usize = 32 * 1024;

/// The first [`MAX_TEXT`] bytes, or a few less where a character would be cut.
fn start_of(text: &str) -> &str {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// One profile.
pub struct Profile {
    /// As `--profile` says it.
    pub name: &'static str,
    /// One line, shown by `modo list profiles`.
    pub summary: &'static str,
    /// Scores any text.
    pub score: fn(&Asked) -> Score,
}

/// Every profile but `strict`, which is [`super::Reward`].
pub const PROFILES: &[Profile] = &[
    Profile {
        name: "math_verify",
        summary: "math-verify 0.9.0; a gold without LaTeX environment is put between dollar signs",
        score: math_verify::score,
    },
    Profile {
        name: "math_verify_raw",
        summary: "math-verify 0.9.0 with the gold as it is",
        score: math_verify::score_raw,
    },
    Profile {
        name: "trl",
        summary: "accuracy_reward of TRL 1.16; the gold as it is, no score where it cannot be read",
        score: math_verify::score_trl,
    },
    Profile {
        name: "r1v",
        summary: "R1-V: math-verify on the whole completion, else equal text in <answer>",
        score: math_verify::score_r1v,
    },
    Profile { name: "mathruler", summary: "mathruler 0.1.0 on the last box", score: mathruler::score },
    Profile {
        name: "geo3k",
        summary: "verl 0.9.1 geo3k and EasyR1 math: mathruler; reward 0.9 accuracy + 0.1 format",
        score: mathruler::score_geo3k,
    },
    Profile {
        name: "dapo",
        summary: "verl 0.9.1 math_dapo: the last `Answer:` line or box; reward +1 or -1",
        score: dapo::score,
    },
    Profile {
        name: "math",
        summary: "verl 0.9.1 math_reward: equal text of the last box as in MATH",
        score: hendrycks::score,
    },
    Profile {
        name: "gsm8k",
        summary: "verl 0.9.1 gsm8k: the number after the last ####",
        score: gsm8k::score,
    },
    Profile {
        name: "chartqa",
        summary: "lmms-eval relaxed accuracy: within 5 %, else equal text",
        score: chartqa::score,
    },
    Profile {
        name: "chartqa_vlmeval",
        summary: "VLMEvalKit relaxed accuracy: the completion trimmed, the best gold",
        score: chartqa::score_vlmeval,
    },
    Profile {
        name: "anls",
        summary: "ANLS of lmms-eval and VLMEvalKit, with the lengths of the raw texts",
        score: anls::score,
    },
    Profile {
        name: "mmmu",
        summary: "lmms-eval 0.7.3 MMMU, choices and open questions; nothing is drawn at random",
        score: mmmu::score,
    },
    Profile {
        name: "mmmu_vlmeval",
        summary: "VLMEvalKit can_infer for choices, without a judge",
        score: mmmu::score_vlmeval,
    },
    Profile {
        name: "mathvista",
        summary: "lmms-eval 0.7.3 MathVista, without its language model",
        score: mathvista::score,
    },
    Profile {
        name: "scienceqa",
        summary: "lmms-eval ScienceQA: the letter, or `B.` in front",
        score: scienceqa::score,
    },
];

/// The profile called `name`.
pub fn find(name: &str) -> Option<&'static Profile> {
    PROFILES.iter().find(|profile| profile.name == name)
}
