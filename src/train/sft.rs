//! Supervised learning in stages: how the nano base comes about.

use burn::tensor::{Tensor, TensorData};
use rand::Rng;

use super::{
    optimizer::{Gradients, Workers},
    warm_up::{Example, example},
};
use crate::{
    data::picture,
    error::{Context, Result},
    model::{
        Model,
        qwen2_vl::{Qwen2Vl, Sequence, log_probabilities},
    },
    rl::{
        algorithm::Sft,
        loss::{Whole, supervised_loss},
    },
    seed::Seed,
    tasks::Generator,
};

/// Samples that go through the model together; part of the result, because sums are taken in this order.
const MICRO_BATCH: usize = 16;

/// An example as the model reads it.
struct Ready {
    sequence: Sequence,
    patches: Option<crate::model::image::PatchedImage>,
    tail: usize,
}

/// The gradient of one optimizer step and the mean loss per token, in nats.
pub(super) fn step(
    model: &Model,
    sft: &Sft,
    generators: &[Generator],
    draws: &[(usize, u64)],
    number: u64,
    seed: Seed,
    workers: &Workers,
) -> Result<(Gradients, f64)> {
    let seed = seed.child("sft").child(number);
    let numbered: Vec<(usize, &(usize, u64))> = draws.iter().enumerate().collect();
    let ready = workers.map(&numbered, |(i, (dataset, row))| {
        let seed = seed.child(i);
        let form = sft.form(number, seed.child("form").rng().random());
        ready(model, &example(&generators[*dataset], *row, form, seed.child("example")))
    });
    let ready = ready.into_iter().collect::<Result<Vec<Ready>>>()?;
    let lengths = ready.iter().map(|r| r.tail as u64);
    let whole = Whole::of(lengths, 0);
    let micro: Vec<&[Ready]> = ready.chunks(MICRO_BATCH).collect();
    let (gradients, losses) =
        workers.gradients(&model.network, true, &micro, |network, batch| loss(network, batch, &whole));
    Ok((gradients, losses.iter().sum()))
}

fn ready(model: &Model, example: &Example) -> Result<Ready> {
    let pictures = match &example.picture {
        Some(p) => vec![picture::decode(p).failed()?],
        None => Vec::new(),
    };
    let patches = model.patches(&pictures).failed()?.pop();
    let grids: Vec<[usize; 3]> = patches.iter().map(|p| p.grid).collect();
    let prompt = model.prompt(&example.prompt, &grids).failed()?;
    let mut target = model.tokenizer.encode(&example.target).failed()?;
    target.push(model.config.tokens.eos[0]);
    Ok(Ready { sequence: prompt.followed_by(&target), patches, tail: target.len() })
}

fn loss(network: &Qwen2Vl, batch: &&[Ready], whole: &Whole) -> (Tensor<1>, f64) {
    let pictures: Vec<_> = batch.iter().filter_map(|r| r.patches.as_ref()).collect();
    let mut features = if pictures.is_empty() { Vec::new() } else { network.features(&pictures) }.into_iter();
    let sequences: Vec<Sequence> = batch
        .iter()
        .map(|r| {
            let mut sequence = r.sequence.clone();
            sequence.features.extend(r.patches.as_ref().and_then(|_| features.next()));
            sequence
        })
        .collect();
    let tails: Vec<usize> = batch.iter().map(|r| r.tail).collect();
    let logits = network.tail_logits(&sequences.iter().collect::<Vec<_>>(), &tails);
    let targets: Vec<i64> = batch
        .iter()
        .flat_map(|r| r.sequence.tokens[r.sequence.tokens.len() - r.tail..].iter().map(|t| i64::from(*t)))
        .collect();
    let n = targets.len();
    let targets =
        Tensor::<2, burn::tensor::Int>::from_data(TensorData::new(targets, [n, 1]), network.device());
    let logp = log_probabilities(logits, targets).reshape([1, n]);
    let mask =
        Tensor::<2, burn::tensor::Bool>::from_data(TensorData::new(vec![true; n], [1, n]), network.device());
    let loss = supervised_loss(logp, mask, whole);
    let value = f64::from(loss.clone().inner().into_scalar::<f32>());
    (loss, value)
}
