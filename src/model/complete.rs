//! Completions as text: what the network generates, read back by the tokenizer.

use super::{
    Model,
    generate::{Request, generate},
    qwen2_vl::Padding,
};
use crate::trajectory::Completion;

impl Model {
    /// Completes each request with one completion per draw, in order.
    pub fn complete(&self, requests: &[Request]) -> Vec<Vec<Completion>> {
        let groups = generate(&self.network, requests, &self.config.tokens.eos, Padding::default());
        groups
            .into_iter()
            .map(|group| {
                let completion = |g: super::generate::Generated| Completion {
                    // Tokens that are no text say nothing, and nothing is what they are scored as.
                    text: self.tokenizer.decode(&g.tokens).unwrap_or_default(),
                    tokens: g.tokens,
                    logprobs: g.logprobs,
                    stop: g.stop,
                };
                group.into_iter().map(completion).collect()
            })
            .collect()
    }
}
