//! Prompts to scored groups: what the policy answers, and what its answers are worth.

#[cfg(test)]
mod tests;

use crate::{
    data::picture,
    model::{
        Model,
        features::FeatureStore,
        generate::{Request, Sampling},
        qwen2_vl::Sequence,
    },
    reward::{Gold, Reward, Scored},
    sample::{BadRow, Sample},
    seed::Seed,
    trajectory::Completion,
};

/// One prompt that is to be answered and judged.
#[derive(Clone, Copy)]
pub struct Item<'a> {
    /// The question and its gold.
    pub sample: &'a Sample,
    /// The prompt as the model reads it; see [`prompt`].
    pub prompt: &'a Sequence,
    /// The reward of the sample's dataset.
    pub reward: &'a Reward,
    /// Seed of this prompt: derived from what it is (run, dataset, ordinal), never from its place in a batch, so that its
    /// completions are the same whatever stands beside it.
    pub seed: Seed,
}

/// The completions of one prompt, each with what it got.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// In the order of their seeds.
    pub completions: Vec<Completion>,
    /// As long as `completions`.
    pub scored: Vec<Scored>,
}

impl Group {
    /// The rewards alone, as advantages are computed from them.
    pub fn rewards(&self) -> Vec<f64> {
        self.scored.iter().map(|s| s.total).collect()
    }
}

/// A sample as the model reads it; a picture or a text that cannot be used makes it a bad row.
///
/// `text` is the whole user turn, as the dataset's prompt template gives it.
pub fn prompt(
    model: &Model,
    features: &FeatureStore,
    sample: &Sample,
    text: &str,
) -> Result<Sequence, BadRow> {
    features.prompt(model, sample, text, picture::decode)
}

/// Draws `group` completions for each prompt, all of them together, and scores them. Completion `k` of an item has the seed
/// `item.seed.child(k)`.
pub fn collect(model: &Model, items: &[Item], group: usize, sampling: Sampling) -> Vec<Group> {
    let seeds = |item: &Item<'_>| -> Vec<Seed> { (0..group).map(|k| item.seed.child(k)).collect() };
    let requests: Vec<Request> =
        items.iter().map(|item| Request::new(item.prompt, seeds(item), sampling)).collect();
    let answered = model.complete(&requests);
    items
        .iter()
        .zip(answered)
        .map(|(item, completions)| Group {
            scored: score(item.reward, item.sample, &completions),
            completions,
        })
        .collect()
}

/// What completions of a sample are worth.
pub fn score(reward: &Reward, sample: &Sample, completions: &[Completion]) -> Vec<Scored> {
    let picture_size = picture::first_size(sample);
    let gold = Gold { answer: &sample.answer, options: &sample.options, picture_size };
    let score = |c: &Completion| reward.score_of_length(&gold, &c.text, c.tokens.len());
    completions.iter().map(score).collect()
}
