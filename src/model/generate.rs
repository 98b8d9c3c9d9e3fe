//! Completions from a model: each prompt read once, a key/value cache written in place, finished rows leave.

use burn::tensor::{Tensor, TensorData};
use rand::Rng;

use super::qwen2_vl::{Arrangement, HIDDEN, KeyValue, Own, Padding, Qwen2Vl, Sequence, indices, kernels};
use crate::{
    seed::{ChaCha8Rng, Seed},
    trajectory::Stop,
};

/// How tokens are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Tokens per completion, at most; a completion also ends where the model's context does.
    pub max_new_tokens: usize,
    /// Divides the logits; 0 takes the most likely token each time.
    pub temperature: f32,
    /// Keeps the most likely tokens whose probabilities reach this sum, in (0, 1]; 1 keeps all.
    pub top_p: f32,
    /// Keeps this many most likely tokens; 0 keeps all.
    pub top_k: usize,
    /// Keeps tokens at least this fraction as likely as the most likely one, in [0, 1]; 0 keeps all.
    pub min_p: f32,
}

impl Sampling {
    /// The model's own distribution.
    pub fn at_temperature_1(max_new_tokens: usize) -> Self {
        Self { max_new_tokens, temperature: 1.0, top_p: 1.0, top_k: 0, min_p: 0.0 }
    }

    /// The most likely token each time.
    pub fn greedy(max_new_tokens: usize) -> Self {
        Self { temperature: 0.0, ..Self::at_temperature_1(max_new_tokens) }
    }
}

/// One prompt and how each completion of it is drawn; a completion depends on nothing else in its batch.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The prompt.
    pub prompt: &'a Sequence,
    /// One per completion.
    pub draws: Vec<Draw>,
}

/// How a completion is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Draw {
    /// What its random numbers come from.
    pub seed: Seed,
    /// How its tokens are chosen.
    pub sampling: Sampling,
}

impl<'a> Request<'a> {
    /// One completion per seed, all drawn alike.
    pub fn new(prompt: &'a Sequence, seeds: impl IntoIterator<Item = Seed>, sampling: Sampling) -> Self {
        Self { prompt, draws: seeds.into_iter().map(|seed| Draw { seed, sampling }).collect() }
    }
}

/// What came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// Token ids, with the end token where there is one.
    pub tokens: Vec<u32>,
    /// Log-probability of each under the model at the temperature of the draw (greedily: at 1), before filters.
    pub logprobs: Vec<f32>,
    /// Why it ended.
    pub stop: Stop,
}

/// Rows that go through the model together, at most: bounds the memory of the cache.
const MAX_ROWS: usize = 128;

/// Completes each request with one completion per draw, in order.
pub fn generate(
    model: &Qwen2Vl,
    requests: &[Request],
    end_tokens: &[u32],
    padding: Padding,
) -> Vec<Vec<Generated>> {
    generate_seen(model, requests, end_tokens, padding, &mut |_, _, _| {})
}

/// As [`generate`]; `see` is shown the logits of each token before it is drawn, with the numbers of its request and draw.
pub fn generate_seen(
    model: &Qwen2Vl,
    requests: &[Request],
    end_tokens: &[u32],
    padding: Padding,
    see: &mut dyn FnMut(usize, usize, &[f32]),
) -> Vec<Vec<Generated>> {
    let mut done = Vec::with_capacity(requests.len());
    let mut rest = requests;
    while !rest.is_empty() {
        let mut rows = 0;
        let fits = rest.iter().take_while(|r| {
            rows += r.draws.len();
            rows <= MAX_ROWS
        });
        let n = fits.count().max(1);
        let before = done.len();
        let see = &mut |request: usize, draw: usize, logits: &[f32]| see(before + request, draw, logits);
        done.extend(batch(model, &rest[..n], end_tokens, padding, see));
        rest = &rest[n..];
    }
    done
}

/// A completion that is being written.
struct Row {
    request: usize,
    draw: usize,
    sampling: Sampling,
    rng: ChaCha8Rng,
    generated: Generated,
    next_position: i32,
    /// Tokens it may have.
    limit: usize,
}

fn batch(
    model: &Qwen2Vl,
    requests: &[Request],
    end_tokens: &[u32],
    padding: Padding,
    see: &mut dyn FnMut(usize, usize, &[f32]),
) -> Vec<Vec<Generated>> {
    let mut results: Vec<Vec<Option<Generated>>> =
        requests.iter().map(|r| vec![None; r.draws.len()]).collect();
    let finished = |results: Vec<Vec<Option<Generated>>>| {
        let every = |g: Option<Generated>| g.expect("the loop ends when every row has ended");
        results.into_iter().map(|of| of.into_iter().map(every).collect()).collect()
    };
    let prompts: Vec<&Sequence> = requests.iter().map(|r| r.prompt).collect();
    let padded = model.pad(&prompts, padding);
    let (hidden, layers) = model.read(&padded);
    let last = padded.ends().map(|end| end - 1);
    let first_logits = model.logits(hidden.select(0, indices(last, model.device())));
    let vocab = first_logits.dims()[1];
    let first_logits = to_host(first_logits);

    let mut rows = Vec::new();
    // Slots of the cache that a row's own prompt does not fill stay hidden from it.
    let mut hidden_slots: Vec<std::ops::Range<usize>> = Vec::new();
    for (i, request) in requests.iter().enumerate() {
        for (k, Draw { seed, sampling }) in request.draws.iter().enumerate() {
            let mut row = Row {
                request: i,
                draw: k,
                sampling: *sampling,
                rng: seed.rng(),
                generated: Generated { tokens: Vec::new(), logprobs: Vec::new(), stop: Stop::Length },
                next_position: request.prompt.next_position(),
                limit: sampling
                    .max_new_tokens
                    .min(model.context().saturating_sub(request.prompt.tokens.len())),
            };
            let logits = &first_logits[i * vocab..(i + 1) * vocab];
            see(i, k, logits);
            row.write(logits, end_tokens);
            if row.ended() {
                results[i][k] = Some(row.generated);
            } else {
                rows.push(row);
                let filled = &padded.filled[i];
                hidden_slots.push(if padding == Padding::Left {
                    0..filled.start
                } else {
                    filled.end..padded.length
                });
            }
        }
    }
    if rows.is_empty() {
        return finished(results);
    }

    let kv = model.model.kv_heads();
    let most = rows.iter().map(|row| row.limit).max().unwrap_or(0);
    let slots = padded.length + most;
    let by_row: Vec<usize> = rows.iter().flat_map(|r| (0..kv).map(|h| r.request * kv + h)).collect();
    let mut cache: Vec<Option<KeyValue>> =
        layers.into_iter().map(|layer| Some(spread(layer, &by_row, slots, model))).collect();
    for slot in padded.length.. {
        let tokens =
            rows.iter().map(|r| *r.generated.tokens.last().expect("a row has its first token") as usize);
        let embeddings = model.model.embed(indices(tokens.collect::<Vec<_>>(), model.device()));
        let positions: Vec<[i32; 3]> = rows.iter().map(|r| [r.next_position; 3]).collect();
        let rotary = model.model.rotary(&positions, model.device());
        let bias = cache_bias(&hidden_slots, slot + 1, kv, model);
        let arrangement = Arrangement { groups: rows.len(), rows: 1, tokens: 1 };
        let own = Own::Cached { cache: &mut cache, slot, bias };
        let (hidden, _) = model.model.forward(embeddings, arrangement, None, &rotary, None, own);
        let logits = to_host(model.logits(hidden));
        let mut staying = Vec::new();
        for (i, row) in rows.iter_mut().enumerate() {
            row.next_position += 1;
            let logits = &logits[i * vocab..(i + 1) * vocab];
            see(row.request, row.draw, logits);
            row.write(logits, end_tokens);
            if row.ended() {
                results[row.request][row.draw] = Some(row.generated.clone());
            } else {
                staying.push(i);
            }
        }
        if staying.is_empty() {
            break;
        }
        if staying.len() < rows.len() {
            let keep: Vec<usize> = staying.iter().flat_map(|i| (0..kv).map(move |h| i * kv + h)).collect();
            let keep = indices(keep, model.device());
            for layer in &mut cache {
                let old = layer.take().expect("a cache holds every layer between steps");
                *layer = Some(KeyValue {
                    key: old.key.select(0, keep.clone()),
                    value: old.value.select(0, keep.clone()),
                });
            }
            let mut i = 0;
            let mut stays = |_: &_| {
                i += 1;
                staying.binary_search(&(i - 1)).is_ok()
            };
            rows.retain(&mut stays);
            hidden_slots = staying.iter().map(|i| hidden_slots[*i].clone()).collect();
        }
    }
    finished(results)
}

impl Row {
    fn write(&mut self, logits: &[f32], end_tokens: &[u32]) {
        let (token, logprob) = draw(logits, self.sampling, &mut self.rng);
        self.generated.tokens.push(token);
        self.generated.logprobs.push(logprob);
        if end_tokens.contains(&token) {
            self.generated.stop = Stop::End;
        }
    }

    fn ended(&self) -> bool {
        self.generated.stop == Stop::End || self.generated.tokens.len() >= self.limit
    }
}

/// A token and its log-probability at the temperature, before filters; greedily at 1.
fn draw(logits: &[f32], sampling: Sampling, rng: &mut ChaCha8Rng) -> (u32, f32) {
    let (best, top) = logits
        .iter()
        .enumerate()
        .fold((0, f32::NEG_INFINITY), |best, (i, x)| if *x > best.1 { (i, *x) } else { best });
    let temperature = if sampling.temperature == 0.0 { 1.0 } else { sampling.temperature };
    let (exponentials, total) = kernels::exponentials(logits, top, temperature);
    let logprob = |i: usize| (logits[i] - top) / temperature - total.ln();
    if sampling.temperature == 0.0 {
        return (best as u32, logprob(best));
    }
    let mut weights: Vec<(usize, f32)> = exponentials.into_iter().enumerate().collect();
    if sampling.top_k > 0 || sampling.top_p < 1.0 || sampling.min_p > 0.0 {
        // In the order of transformers: each filter sees what the ones before it left.
        weights.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let most = weights[0].1;
        if sampling.top_k > 0 {
            weights.truncate(sampling.top_k);
        }
        let sum: f32 = weights.iter().map(|w| w.1).sum();
        let mut before = 0.0;
        weights.retain(|w| {
            let keep = before < sampling.top_p * sum;
            before += w.1;
            keep
        });
        weights.retain(|w| w.1 >= sampling.min_p * most);
    }
    let sum: f32 = weights.iter().map(|w| w.1).sum();
    let mut at = rng.random::<f32>() * sum;
    let chosen = weights.iter().find(|w| {
        at -= w.1;
        at < 0.0
    });
    // Rounding can leave `at` at the very end: the last token with any weight is the one then.
    let chosen = chosen.or_else(|| weights.iter().rfind(|w| w.1 > 0.0)).map_or(best, |w| w.0);
    (chosen as u32, logprob(chosen))
}

/// A cache with `slots` slots whose first ones hold the prompt of each row.
fn spread(layer: KeyValue, by_row: &[usize], slots: usize, model: &Qwen2Vl) -> KeyValue {
    let [_, _, length, dim] = layer.key.dims();
    let of = |x: Tensor<4>| {
        let rows = x.select(0, indices(by_row.iter().copied(), model.device()));
        let rest = Tensor::zeros([by_row.len(), 1, slots - length, dim], model.device());
        Tensor::cat(vec![rows, rest], 2)
    };
    KeyValue { key: of(layer.key), value: of(layer.value) }
}

/// `[rows * kv, 1, 1, seen]`: hides the slots between a row's prompt and its completion.
fn cache_bias(hidden: &[std::ops::Range<usize>], seen: usize, kv: usize, model: &Qwen2Vl) -> Tensor<4> {
    let mut bias = vec![0.0; hidden.len() * kv * seen];
    for (i, slots) in hidden.iter().enumerate() {
        for head in 0..kv {
            bias[(i * kv + head) * seen..][slots.clone()].fill(HIDDEN);
        }
    }
    Tensor::from_data(TensorData::new(bias, [hidden.len() * kv, 1, 1, seen]), model.device())
}

fn to_host(logits: Tensor<2>) -> Vec<f32> {
    logits.into_data().try_into_vec().expect("logits are f32")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_keep_the_most_likely_tokens() {
        // Probabilities .5, .25, .125, .125.
        let logits: Vec<f32> = [0.5_f32, 0.25, 0.125, 0.125].iter().map(|p| p.ln()).collect();
        let all = Sampling::at_temperature_1(1);
        check(&logits, all, &[0, 1, 2, 3]);
        check(&logits, Sampling { top_k: 2, ..all }, &[0, 1]);
        check(&logits, Sampling { top_p: 0.6, ..all }, &[0, 1]);
        check(&logits, Sampling { min_p: 0.4, ..all }, &[0, 1]);
        check(&logits, Sampling::greedy(1), &[0]);
    }

    #[test]
    fn combined_filters_see_what_the_ones_before_them_left() {
        // Probabilities .4, .3, .2, .1. What transformers' warpers keep, in its order top-k, top-p, min-p:
        let logits: Vec<f32> = [0.4_f32, 0.3, 0.2, 0.1].iter().map(|p| p.ln()).collect();
        let all = Sampling::at_temperature_1(1);
        // Of the first three .4/.9 and .3/.9 come before the third: .778 < .8 keeps it; .778 > .75 does not.
        check(&logits, Sampling { top_k: 3, top_p: 0.8, ..all }, &[0, 1, 2]);
        check(&logits, Sampling { top_k: 3, top_p: 0.75, ..all }, &[0, 1]);
        // .7 of all come before the third, which .72 keeps; min-p then takes .2 < .6 × .4 away. The other way round top-p
        // would see .4/.7 = .571 and .429, and with .5 keep the first alone.
        check(&logits, Sampling { top_p: 0.72, min_p: 0.45, ..all }, &[0, 1, 2]);
        check(&logits, Sampling { top_p: 0.72, min_p: 0.6, ..all }, &[0, 1]);
        check(&logits, Sampling { top_p: 0.5, min_p: 0.6, ..all }, &[0, 1]);
        check(&logits, Sampling { top_k: 3, top_p: 0.8, min_p: 0.7, ..all }, &[0, 1]);
    }

    #[test]
    fn log_probabilities_are_those_of_the_temperature() {
        // Logits 0 and ln 9, at T = 2: 0 and ln 3, so that the probabilities are 1/4 and 3/4; at 1 and greedily .1 and .9.
        let logits = [0.0, 9.0_f32.ln()];
        let mut rng = Seed::new(2).rng();
        for (temperature, expected) in [(2.0, [0.25, 0.75]), (1.0, [0.1, 0.9]), (0.0, [0.1, 0.9])] {
            let sampling = Sampling { temperature, ..Sampling::at_temperature_1(1) };
            for _ in 0..20 {
                let (token, logprob) = draw(&logits, sampling, &mut rng);
                assert!((logprob.exp() - expected[token as usize]).abs() < 1e-6, "{temperature}");
            }
        }
    }

    #[test]
    fn draws_follow_the_probabilities() {
        let logits: Vec<f32> = [0.7_f32, 0.3].iter().map(|p| p.ln()).collect();
        let mut rng = Seed::new(0).rng();
        let ones =
            (0..10_000).filter(|_| draw(&logits, Sampling::at_temperature_1(1), &mut rng).0 == 1).count();
        assert!((2_800..3_200).contains(&ones), "{ones}"); // 3000 ± 4.4 sd of 46
    }

    fn check(logits: &[f32], sampling: Sampling, expected: &[u32]) {
        let mut rng = Seed::new(1).rng();
        let mut seen: Vec<u32> = (0..500).map(|_| draw(logits, sampling, &mut rng).0).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, expected);
    }
}
