//! The decoder: grouped-query attention with M-RoPE, SwiGLU, and prompts whose keys a whole group shares.

use std::ops::Range;

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::{
    super::{
        config::DecoderConfig,
        weights::{Source, WeightError},
    },
    layers::{Linear, RmsNorm, Rotary, Seen, Visitor, attend, indices, matrix, swiglu},
};

/// Added to the score of a key that must not be seen; finite, so that a row with no key at all stays finite.
pub(crate) const HIDDEN: f32 = -1e9;

/// Token embeddings in, hidden states out.
#[derive(Clone, Debug)]
pub(crate) struct Decoder {
    embed_tokens: Tensor<2>,
    layers: Vec<Layer>,
    norm: RmsNorm,
    heads: Heads,
    frequencies: Vec<f32>,
    mrope_section: [usize; 3],
}

#[derive(Clone, Copy, Debug)]
struct Heads {
    /// Key and value heads.
    kv: usize,
    /// Query heads per key head.
    per_kv: usize,
    dim: usize,
}

#[derive(Clone, Debug)]
struct Layer {
    input_layernorm: RmsNorm,
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    o_proj: Linear,
    post_attention_layernorm: RmsNorm,
    gate_proj: Linear,
    up_proj: Linear,
    down_proj: Linear,
}

/// How the rows of a block are arranged: `groups × rows × tokens`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrangement {
    /// Prompts; each has its own prefix where there is one.
    pub groups: usize,
    /// Sequences per prompt that share its prefix.
    pub rows: usize,
    /// Tokens per sequence, padding included.
    pub tokens: usize,
}

/// Where the tokens of a block stand among its slots. Only attention works on all slots; everything else is spared the
/// padding.
pub(crate) struct Packing {
    /// For each slot the token that stands there; padding takes any.
    tokens: Tensor<1, Int>,
    /// For each token its slot.
    slots: Tensor<1, Int>,
}

impl Packing {
    /// From the slots that each sequence fills of its `length`; none where they all fill them all.
    pub(crate) fn new(filled: &[Range<usize>], length: usize, device: &Device) -> Option<Self> {
        if filled.iter().all(|f| f.len() == length) {
            return None;
        }
        let (mut tokens, mut slots) = (Vec::with_capacity(filled.len() * length), Vec::new());
        for (i, filled) in filled.iter().enumerate() {
            for slot in 0..length {
                if filled.contains(&slot) {
                    tokens.push(slots.len());
                    slots.push(i * length + slot);
                } else {
                    tokens.push(0);
                }
            }
        }
        Some(Self { tokens: indices(tokens, device), slots: indices(slots, device) })
    }

    /// `[tokens, n]` to `[slots, n]`.
    fn unpack(packing: Option<&Self>, x: Tensor<2>) -> Tensor<2> {
        match packing {
            Some(packing) => x.select(0, packing.tokens.clone()),
            None => x,
        }
    }

    /// `[slots, n]` to `[tokens, n]`.
    fn pack(packing: Option<&Self>, x: Tensor<2>) -> Tensor<2> {
        match packing {
            Some(packing) => x.select(0, packing.slots.clone()),
            None => x,
        }
    }
}

/// Keys and values of one layer: each `[groups * kv_heads, rows, tokens, head_dim]`.
#[derive(Clone, Debug)]
pub(crate) struct KeyValue {
    pub(crate) key: Tensor<4>,
    pub(crate) value: Tensor<4>,
}

impl KeyValue {
    fn seen(&self, bias: Option<Tensor<4>>) -> Seen {
        Seen { key: self.key.clone(), value: self.value.clone(), bias }
    }
}

/// What a block sees before its own tokens.
pub(crate) struct Prefix<'a> {
    /// Keys and values per layer, `rows` = 1.
    pub(crate) layers: &'a [KeyValue],
    /// Added to its scores, `[groups * kv_heads, 1, 1, prefix tokens]`.
    pub(crate) bias: Option<Tensor<4>>,
}

/// How a block attends to its own tokens.
pub(crate) enum Own<'a> {
    /// To its own tokens up to itself; the bias, `[groups * kv_heads or 1, 1, 1, tokens]`, hides padding.
    Causal(Option<Tensor<4>>),
    /// One new token per sequence, written into a cache at `slot` and attending to all filled slots.
    Cached { cache: &'a mut Vec<Option<KeyValue>>, slot: usize, bias: Tensor<4> },
}

impl Decoder {
    pub(crate) fn load(
        source: &mut dyn Source,
        path: &str,
        config: &DecoderConfig,
        device: &Device,
    ) -> Result<Self, WeightError> {
        let size = config.hidden_size;
        let inner = config.intermediate_size;
        let dim = size / config.num_attention_heads;
        let kv = config.num_key_value_heads;
        let embed = format!("{path}.embed_tokens.weight");
        let embed_tokens = matrix(source, &embed, &[config.vocab_size, size], device)?;
        let layers = (0..config.num_hidden_layers)
            .map(|i| {
                let path = format!("{path}.layers.{i}");
                let mut linear = |name: &str, shape: [usize; 2], bias: bool| {
                    Linear::load(source, &format!("{path}.{name}"), shape, bias, device)
                };
                let q_proj = linear("self_attn.q_proj", [size, size], true)?;
                let k_proj = linear("self_attn.k_proj", [kv * dim, size], true)?;
                let v_proj = linear("self_attn.v_proj", [kv * dim, size], true)?;
                let o_proj = linear("self_attn.o_proj", [size, size], false)?;
                let gate_proj = linear("mlp.gate_proj", [inner, size], false)?;
                let up_proj = linear("mlp.up_proj", [inner, size], false)?;
                let down_proj = linear("mlp.down_proj", [size, inner], false)?;
                let mut norm = |name: &str| {
                    RmsNorm::load(source, &format!("{path}.{name}"), size, config.rms_norm_eps, device)
                };
                let input_layernorm = norm("input_layernorm")?;
                let post_attention_layernorm = norm("post_attention_layernorm")?;
                Ok(Layer {
                    input_layernorm,
                    q_proj,
                    k_proj,
                    v_proj,
                    o_proj,
                    post_attention_layernorm,
                    gate_proj,
                    up_proj,
                    down_proj,
                })
            })
            .collect::<Result<_, WeightError>>()?;
        let norm = RmsNorm::load(source, &format!("{path}.norm"), size, config.rms_norm_eps, device)?;
        let frequencies =
            (0..dim / 2).map(|j| (config.rope_theta as f32).powf(-((2 * j) as f32) / dim as f32)).collect();
        Ok(Self {
            embed_tokens,
            layers,
            norm,
            heads: Heads { kv, per_kv: config.num_attention_heads / kv, dim },
            frequencies,
            mrope_section: config.mrope_section,
        })
    }

    /// Key and value heads: how often a bias per prompt repeats.
    pub(crate) fn kv_heads(&self) -> usize {
        self.heads.kv
    }

    /// Embeddings of tokens: `[n, hidden]`.
    pub(crate) fn embed(&self, tokens: Tensor<1, Int>) -> Tensor<2> {
        self.embed_tokens.clone().select(0, tokens)
    }

    /// The embedding matrix, `[vocab, hidden]`: the head of models that tie it.
    pub(crate) fn embedding(&self) -> Tensor<2> {
        self.embed_tokens.clone()
    }

    /// Rotary tables of positions (time, row, column); each section of the frequencies turns with one of the three.
    pub(crate) fn rotary(&self, positions: &[[i32; 3]], device: &Device) -> Rotary {
        let axis_of: Vec<usize> =
            self.mrope_section.iter().enumerate().flat_map(|(i, n)| std::iter::repeat_n(i % 3, *n)).collect();
        let half = self.frequencies.len();
        let mut angles = Vec::with_capacity(positions.len() * half);
        for position in positions {
            angles.extend(self.frequencies.iter().zip(&axis_of).map(|(f, axis)| position[*axis] as f32 * f));
        }
        Rotary::new(&angles, half, device)
    }

    /// `x`: `[tokens without padding, hidden]`; without a packing every slot has a token. Returns hidden states of the same
    /// shape, before the head, and the keys and values of each layer (none where they went into a cache).
    pub(crate) fn forward(
        &self,
        mut x: Tensor<2>,
        arrangement: Arrangement,
        packing: Option<&Packing>,
        rotary: &Rotary,
        prefix: Option<&Prefix>,
        mut own: Own,
    ) -> (Tensor<2>, Vec<KeyValue>) {
        if let Own::Causal(bias) = &mut own {
            let causal = causal_bias(arrangement.tokens, self.heads.per_kv, &x.device());
            *bias = Some(match bias.take() {
                Some(padding) => causal + padding,
                None => causal,
            });
        }
        let mut kept = Vec::with_capacity(self.layers.len());
        for (i, layer) in self.layers.iter().enumerate() {
            let normed = layer.input_layernorm.forward(x.clone());
            let (query, new) = self.project(layer, normed, arrangement, packing, rotary);
            let attended = match &mut own {
                Own::Causal(bias) => {
                    let mut parts = vec![new.seen(bias.clone())];
                    parts.extend(prefix.map(|p| p.layers[i].seen(p.bias.clone())));
                    kept.push(new);
                    attend(query, parts)
                }
                Own::Cached { cache, slot, bias } => {
                    // Taking the cache out makes this the only handle, so the write happens in place.
                    let old = cache[i].take().expect("a cache holds every layer between steps");
                    let [n, rows, _, dim] = new.key.dims();
                    let at = [0..n, 0..rows, *slot..*slot + 1, 0..dim];
                    let filled = KeyValue {
                        key: old.key.slice_assign(at.clone(), new.key),
                        value: old.value.slice_assign(at, new.value),
                    };
                    let part = Seen {
                        key: filled.key.clone().narrow(2, 0, *slot + 1),
                        value: filled.value.clone().narrow(2, 0, *slot + 1),
                        bias: Some(bias.clone()),
                    };
                    cache[i] = Some(filled);
                    attend(query, vec![part])
                }
            };
            let attended = Packing::pack(packing, self.heads.join(attended, arrangement));
            x = x + layer.o_proj.forward(attended);
            let normed = layer.post_attention_layernorm.forward(x.clone());
            let inner = swiglu(layer.gate_proj.forward(normed.clone()), layer.up_proj.forward(normed));
            x = x + layer.down_proj.forward(inner);
        }
        (self.norm.forward(x), kept)
    }

    /// Queries `[groups * kv, rows, per_kv * tokens, dim]`, already scaled; keys and values `[groups * kv, rows, tokens, dim]`.
    fn project(
        &self,
        layer: &Layer,
        x: Tensor<2>,
        a: Arrangement,
        packing: Option<&Packing>,
        rotary: &Rotary,
    ) -> (Tensor<4>, KeyValue) {
        let Heads { kv, per_kv, dim } = self.heads;
        let [n, _] = x.dims();
        let query = rotary.query(layer.q_proj.forward(x.clone()).reshape([n, kv * per_kv, dim]));
        let key = rotary.key(layer.k_proj.forward(x.clone()).reshape([n, kv, dim]));
        let value = Packing::unpack(packing, layer.v_proj.forward(x));
        let query = Packing::unpack(packing, query.reshape([n, kv * per_kv * dim]));
        let key = Packing::unpack(packing, key.reshape([n, kv * dim]));
        let query = query
            .reshape([a.groups, a.rows, a.tokens, kv, per_kv, dim])
            .permute([0, 3, 1, 4, 2, 5])
            .reshape([a.groups * kv, a.rows, per_kv * a.tokens, dim]);
        let by_head =
            |x: Tensor<5>| x.permute([0, 3, 1, 2, 4]).reshape([a.groups * kv, a.rows, a.tokens, dim]);
        let shape = [a.groups, a.rows, a.tokens, kv, dim];
        (query, KeyValue { key: by_head(key.reshape(shape)), value: by_head(value.reshape(shape)) })
    }

    pub(crate) fn visit(&mut self, path: &str, visitor: &mut dyn Visitor) {
        visitor.matrix(&format!("{path}.embed_tokens.weight"), &mut self.embed_tokens);
        for (i, layer) in self.layers.iter_mut().enumerate() {
            let path = format!("{path}.layers.{i}");
            layer.input_layernorm.visit(&format!("{path}.input_layernorm"), visitor);
            layer.q_proj.visit(&format!("{path}.self_attn.q_proj"), visitor);
            layer.k_proj.visit(&format!("{path}.self_attn.k_proj"), visitor);
            layer.v_proj.visit(&format!("{path}.self_attn.v_proj"), visitor);
            layer.o_proj.visit(&format!("{path}.self_attn.o_proj"), visitor);
            layer.post_attention_layernorm.visit(&format!("{path}.post_attention_layernorm"), visitor);
            layer.gate_proj.visit(&format!("{path}.mlp.gate_proj"), visitor);
            layer.up_proj.visit(&format!("{path}.mlp.up_proj"), visitor);
            layer.down_proj.visit(&format!("{path}.mlp.down_proj"), visitor);
        }
        self.norm.visit(&format!("{path}.norm"), visitor);
    }
}

impl Heads {
    /// `[groups * kv, rows, per_kv * tokens, dim]` back to `[groups * rows * tokens, heads * dim]`.
    fn join(self, x: Tensor<4>, a: Arrangement) -> Tensor<2> {
        x.reshape([a.groups, self.kv, a.rows, self.per_kv, a.tokens, self.dim])
            .permute([0, 2, 4, 1, 3, 5])
            .reshape([a.groups * a.rows * a.tokens, self.kv * self.per_kv * self.dim])
    }
}

/// `[1, 1, per_kv * tokens, tokens]`: hides later tokens.
fn causal_bias(tokens: usize, per_kv: usize, device: &Device) -> Tensor<4> {
    let mut bias = vec![0.0_f32; per_kv * tokens * tokens];
    for (row, of_row) in bias.chunks_mut(tokens).enumerate() {
        of_row[row % tokens + 1..].fill(HIDDEN);
    }
    Tensor::from_data(TensorData::new(bias, [1, 1, per_kv * tokens, tokens]), device)
}
