//! What a model answered: tokens, their log-probabilities, and why it stopped.

use serde::{Deserialize, Serialize};

/// Why a completion ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// The model wrote an end token; it is the last of `tokens`.
    End,
    /// The limit on new tokens was reached.
    Length,
}

/// One completion of one prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Completion {
    /// Token ids, with the end token where there is one.
    pub tokens: Vec<u32>,
    /// Log-probability of each token under the model at the temperature it was drawn at (greedily: at 1), as long as
    /// `tokens`.
    pub logprobs: Vec<f32>,
    /// The text without special tokens.
    pub text: String,
    /// Why it ended.
    pub stop: Stop,
}
