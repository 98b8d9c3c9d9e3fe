//! The Qwen2-VL architecture (arXiv:2409.12191): one code for every size, nano or 2B.
//!
//! Sequences are padded to one length; what stands in the padding never reaches a result. Training shares the keys
//! and values of a prompt among the completions of its group; generation copies them once per completion, so that
//! finished ones can leave the batch.

mod decoder;
mod fused;
pub(super) mod kernels;
mod layers;
#[cfg(test)]
mod tests;
mod vision;

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};

pub use decoder::Arrangement;
pub(crate) use decoder::{HIDDEN, KeyValue, Own, Packing, Prefix};
pub(crate) use layers::indices;
use layers::matrix;
pub use layers::{Visitor, log_probabilities};

use super::{
    config::ModelConfig,
    image::PatchedImage,
    weights::{Checkpoint, Named, Source, WeightError},
};

/// A Qwen2-VL model on one device.
#[derive(Clone, Debug)]
pub struct Qwen2Vl {
    pub(crate) visual: vision::VisionTower,
    pub(crate) model: decoder::Decoder,
    lm_head: Option<Tensor<2>>,
    image_token: u32,
    /// Tokens of prompt and completion together, at most.
    context: usize,
    /// In-channel, temporal and spatial size of a patch: the shape of its weight in the file.
    patch_shape: [usize; 4],
    names: Names,
    device: Device,
}

/// How a checkpoint prefixes the names of its three parts.
#[derive(Clone, Copy, Debug)]
struct Names {
    visual: &'static str,
    model: &'static str,
}

/// The published layout.
const PUBLISHED: Names = Names { visual: "visual", model: "model" };
/// What transformers 5 has in memory and may write.
const NESTED: Names = Names { visual: "model.visual", model: "model.language_model" };
const HEAD: &str = "lm_head.weight";

/// Tokens with everything the decoder needs to read them.
#[derive(Clone, Debug)]
pub struct Sequence {
    /// Token ids; each picture stands as a run of image tokens.
    pub tokens: Vec<u32>,
    /// M-RoPE position (time, row, column) of each token.
    pub positions: Vec<[i32; 3]>,
    /// Features of the pictures in order, each `[merged patches, hidden]`.
    pub features: Vec<Tensor<2>>,
}

impl Sequence {
    /// Position of the token that would follow, the same on all three axes.
    pub fn next_position(&self) -> i32 {
        self.positions.iter().flatten().max().map_or(0, |p| p + 1)
    }

    /// The sequence with text tokens behind it.
    #[must_use]
    pub fn followed_by(&self, tokens: &[u32]) -> Self {
        let mut longer = self.clone();
        let next = self.next_position();
        longer.tokens.extend_from_slice(tokens);
        longer.positions.extend((0..tokens.len() as i32).map(|i| [next + i; 3]));
        longer
    }
}

/// Where padding goes; no result depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Padding {
    /// Before the tokens.
    Left,
    /// After the tokens.
    #[default]
    Right,
}

/// Sequences that are read together, each in as many slots as the longest needs.
pub(crate) struct Padded {
    /// Those of all tokens, one sequence after the other without padding: `[tokens, hidden]`.
    pub(crate) embeddings: Tensor<2>,
    pub(crate) positions: Vec<[i32; 3]>,
    /// Slots per sequence.
    pub(crate) length: usize,
    /// The slots that each sequence fills.
    pub(crate) filled: Vec<Range<usize>>,
}

impl Padded {
    /// Where each sequence ends among the tokens of all.
    pub(crate) fn ends(&self) -> impl Iterator<Item = usize> {
        self.filled.iter().scan(0, |end, filled| {
            *end += filled.len();
            Some(*end)
        })
    }
}

impl Qwen2Vl {
    /// From a checkpoint of either layout; every tensor of it must have its place.
    pub fn load(
        config: &ModelConfig,
        mut checkpoint: Checkpoint,
        device: &Device,
    ) -> Result<Self, WeightError> {
        let names = if checkpoint.has_prefix("model.language_model.") { NESTED } else { PUBLISHED };
        // Some writers keep the head of a tied model beside the embedding; it is the same tensor.
        let head_too = config.decoder.tie_word_embeddings && checkpoint.has_prefix(HEAD);
        if head_too {
            checkpoint.take(HEAD, &[config.decoder.vocab_size, config.decoder.hidden_size])?;
        }
        let model = Self::build(config, &mut checkpoint, names, device)?;
        checkpoint.finish()?;
        Ok(model)
    }

    /// From any source of parameters, asked for by the names of the published layout.
    pub fn from_source(
        config: &ModelConfig,
        source: &mut dyn Source,
        device: &Device,
    ) -> Result<Self, WeightError> {
        Self::build(config, source, PUBLISHED, device)
    }

    fn build(
        config: &ModelConfig,
        source: &mut dyn Source,
        names: Names,
        device: &Device,
    ) -> Result<Self, WeightError> {
        let (vision, text) = (&config.vision, &config.decoder);
        let visual = vision::VisionTower::load(source, names.visual, vision, device)?;
        let model = decoder::Decoder::load(source, names.model, text, device)?;
        let lm_head = (!text.tie_word_embeddings)
            .then(|| matrix(source, HEAD, &[text.vocab_size, text.hidden_size], device))
            .transpose()?;
        Ok(Self {
            visual,
            model,
            lm_head,
            image_token: config.tokens.image,
            context: text.max_position_embeddings,
            patch_shape: [
                vision.in_channels,
                vision.temporal_patch_size,
                vision.patch_size,
                vision.patch_size,
            ],
            names,
            device: device.clone(),
        })
    }

    /// Walks over all parameters in a fixed order.
    pub fn visit(&mut self, visitor: &mut dyn Visitor) {
        self.visual.visit(self.names.visual, visitor);
        self.visit_decoder(visitor);
    }

    /// Walks over the parameters of the decoder and the head: all that reinforcement learning changes.
    pub fn visit_decoder(&mut self, visitor: &mut dyn Visitor) {
        self.model.visit(self.names.model, visitor);
        if let Some(head) = &mut self.lm_head {
            visitor.matrix(HEAD, head);
        }
    }

    /// All parameters, as they go into a file.
    pub fn named(&self) -> Vec<Named> {
        struct Collect<'a>(Vec<Named>, &'a [usize; 4]);
        impl Collect<'_> {
            fn push(&mut self, name: &str, shape: Vec<usize>, data: TensorData) {
                let shape = if name.ends_with("patch_embed.proj.weight") {
                    [&shape[..1], self.1].concat()
                } else {
                    shape
                };
                let values = data.try_into_vec::<f32>().expect("parameters are f32");
                self.0.push(Named { name: name.to_owned(), shape, values });
            }
        }
        impl Visitor for Collect<'_> {
            fn vector(&mut self, name: &str, value: &mut Tensor<1>) {
                self.push(name, value.dims().to_vec(), value.to_data());
            }
            fn matrix(&mut self, name: &str, value: &mut Tensor<2>) {
                self.push(name, value.dims().to_vec(), value.to_data());
            }
        }
        let mut collect = Collect(Vec::new(), &self.patch_shape);
        self.clone().visit(&mut collect);
        collect.0
    }

    /// Replaces all parameters, in the order of [`Qwen2Vl::named`].
    ///
    /// # Panics
    /// When the values are not as many as the parameters.
    pub fn set(&mut self, values: Vec<Vec<f32>>) {
        struct Set(std::vec::IntoIter<Vec<f32>>, Device);
        impl Set {
            fn data<const D: usize>(&mut self, shape: [usize; D]) -> Tensor<D> {
                let values = self.0.next().expect("there is a value for every parameter");
                Tensor::from_data(TensorData::new(values, shape), &self.1)
            }
        }
        impl Visitor for Set {
            fn vector(&mut self, _: &str, value: &mut Tensor<1>) {
                *value = self.data(value.dims());
            }
            fn matrix(&mut self, _: &str, value: &mut Tensor<2>) {
                *value = self.data(value.dims());
            }
        }
        let device = self.device.clone();
        self.visit(&mut Set(values.into_iter(), device));
    }

    /// The most tokens that prompt and completion may have together: `max_position_embeddings` of the config.
    pub fn context(&self) -> usize {
        self.context
    }

    /// The device its parameters are on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The same parameters as fresh leaves of an autodiff graph: one per thread, so that threads share no graph.
    /// The vision tower takes part only when asked to.
    #[must_use]
    pub fn tracked(&self, with_vision: bool) -> Self {
        struct Track;
        impl Visitor for Track {
            fn vector(&mut self, _: &str, value: &mut Tensor<1>) {
                *value = value.clone().inner().autodiff().require_grad();
            }
            fn matrix(&mut self, _: &str, value: &mut Tensor<2>) {
                *value = value.clone().inner().autodiff().require_grad();
            }
        }
        let mut tracked = self.clone();
        if with_vision {
            tracked.visit(&mut Track);
        } else {
            tracked.visit_decoder(&mut Track);
        }
        tracked.device = self.device.clone().autodiff();
        tracked
    }

    /// Features of pictures in their order, each `[merged patches, hidden]`; equal grids go through together.
    pub fn features(&self, pictures: &[&PatchedImage]) -> Vec<Tensor<2>> {
        let mut features: Vec<Option<Tensor<2>>> = vec![None; pictures.len()];
        let mut left: Vec<usize> = (0..pictures.len()).collect();
        while let Some(&first) = left.first() {
            let grid = pictures[first].grid;
            let (same, others) = left.iter().partition(|i| pictures[**i].grid == grid);
            left = others;
            let same: Vec<usize> = same;
            let batch: Vec<&PatchedImage> = same.iter().map(|i| pictures[*i]).collect();
            let all = self.visual.forward(&batch, &self.device);
            let each = all.dims()[0] / same.len();
            for (k, i) in same.into_iter().enumerate() {
                features[i] = Some(all.clone().narrow(0, k * each, each));
            }
        }
        features.into_iter().map(|f| f.expect("every picture was in one batch")).collect()
    }

    /// Embeds sequences, pictures in place, and gives each its slots.
    pub(crate) fn pad(&self, sequences: &[&Sequence], padding: Padding) -> Padded {
        let length = sequences.iter().map(|s| s.tokens.len()).max().unwrap_or(0);
        let total = sequences.iter().map(|s| s.tokens.len()).sum();
        // Where each row comes from: the embeddings of all tokens stand first, then all features.
        let mut from = Vec::with_capacity(total);
        let mut features = Vec::new();
        let mut n_features = total;
        let mut filled = Vec::with_capacity(sequences.len());
        for sequence in sequences {
            let n = sequence.tokens.len();
            filled.push(if padding == Padding::Left { length - n..length } else { 0..n });
            for token in &sequence.tokens {
                if *token == self.image_token && !sequence.features.is_empty() {
                    from.push(n_features);
                    n_features += 1;
                } else {
                    from.push(from.len());
                }
            }
            features.extend(sequence.features.iter().cloned());
        }
        let tokens = sequences.iter().flat_map(|s| s.tokens.iter().map(|t| *t as usize));
        let positions = sequences.iter().flat_map(|s| s.positions.iter().copied()).collect();
        let embeddings = self.model.embed(indices(tokens, &self.device));
        let embeddings = if features.is_empty() {
            embeddings
        } else {
            features.insert(0, embeddings);
            Tensor::cat(features, 0).select(0, indices(from, &self.device))
        };
        Padded { embeddings, positions, length, filled }
    }

    /// Logits of hidden states: `[n, hidden]` to `[n, vocab]`.
    pub(crate) fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        let head = self.lm_head.clone().unwrap_or_else(|| self.model.embedding());
        layers::project(hidden, head)
    }

    /// Bias that hides padding, `[n * kv_heads, 1, 1, length]`; none where there is no padding.
    pub(crate) fn padding_bias(&self, padded: &Padded) -> Option<Tensor<4>> {
        let (n, length) = (padded.filled.len(), padded.length);
        if padded.filled.iter().all(|f| f.len() == length) {
            return None;
        }
        let kv = self.model.kv_heads();
        let mut bias = Vec::with_capacity(n * kv * length);
        for filled in &padded.filled {
            for _ in 0..kv {
                bias.extend((0..length).map(|slot| if filled.contains(&slot) { 0.0 } else { HIDDEN }));
            }
        }
        Some(Tensor::from_data(TensorData::new(bias, [n * kv, 1, 1, length]), &self.device))
    }

    /// Reads sequences whole. Returns the hidden states of all tokens, and each layer's keys and values of all slots.
    pub(crate) fn read(&self, padded: &Padded) -> (Tensor<2>, Vec<KeyValue>) {
        let arrangement = Arrangement { groups: padded.filled.len(), rows: 1, tokens: padded.length };
        let packing = Packing::new(&padded.filled, padded.length, &self.device);
        let rotary = self.model.rotary(&padded.positions, &self.device);
        let own = Own::Causal(self.padding_bias(padded));
        self.model.forward(padded.embeddings.clone(), arrangement, packing.as_ref(), &rotary, None, own)
    }

    /// Logits that predict token `i + 1` from the tokens up to `i`, of every token of every sequence in turn:
    /// `[sum of lengths, vocab]`.
    pub fn all_logits(&self, sequences: &[&Sequence], padding: Padding) -> Tensor<2> {
        let padded = self.pad(sequences, padding);
        let (hidden, _) = self.read(&padded);
        self.logits(hidden)
    }

    /// Logits of the last `tails[i]` tokens of each sequence, each predicted from all before it:
    /// `[sum of tails, vocab]`. What supervised training needs.
    pub fn tail_logits(&self, sequences: &[&Sequence], tails: &[usize]) -> Tensor<2> {
        let padded = self.pad(sequences, Padding::Right);
        let (hidden, _) = self.read(&padded);
        let rows = padded.ends().zip(tails).flat_map(|(end, tail)| end - tail - 1..end - 1);
        self.logits(hidden.select(0, indices(rows, &self.device)))
    }

    /// Logits of completions behind their prompts; the prompt is read once for its whole group.
    ///
    /// `completions[i]` are those of `prompts[i]`, equally many each. Returns a row of `[tokens, vocab]` for every token of
    /// every completion in turn, predicted from all before it.
    pub fn completion_logits(&self, prompts: &[&Sequence], completions: &[&[Vec<u32>]]) -> Tensor<2> {
        let rows = completions.first().map_or(0, |c| c.len());
        let filled: Vec<Range<usize>> =
            completions.iter().flat_map(|c| c.iter().map(|c| 0..c.len())).collect();
        let longest = filled.iter().map(Range::len).max().unwrap_or(0);
        // The last token of the prompt predicts the first of the completion, so it opens every row of the group.
        let heads: Vec<Sequence> = prompts
            .iter()
            .map(|p| {
                let n = p.tokens.len() - 1;
                let mut head = (*p).clone();
                head.tokens.truncate(n);
                head.positions.truncate(n);
                head
            })
            .collect();
        let padded = self.pad(&heads.iter().collect::<Vec<_>>(), Padding::Right);
        let (_, layers) = self.read(&padded);
        let prefix = Prefix { layers: &layers, bias: self.padding_bias(&padded) };
        let (mut tokens, mut positions) = (Vec::new(), Vec::new());
        for (prompt, group) in prompts.iter().zip(completions) {
            let opening = *prompt.tokens.last().expect("a prompt has tokens");
            let next = prompt.next_position();
            for completion in *group {
                let seen = std::iter::once(opening).chain(completion.iter().copied());
                tokens.extend(seen.take(completion.len()).map(|t| t as usize));
                positions.extend((0..completion.len() as i32).map(|t| [next - 1 + t; 3]));
            }
        }
        let arrangement = Arrangement { groups: prompts.len(), rows, tokens: longest };
        let packing = Packing::new(&filled, longest, &self.device);
        let rotary = self.model.rotary(&positions, &self.device);
        let embeddings = self.model.embed(indices(tokens, &self.device));
        let own = Own::Causal(None);
        let (hidden, _) =
            self.model.forward(embeddings, arrangement, packing.as_ref(), &rotary, Some(&prefix), own);
        self.logits(hidden)
    }
}
