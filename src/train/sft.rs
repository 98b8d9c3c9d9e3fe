//! Supervised learning in stages: how the nano base comes about.

use std::collections::BTreeMap;

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
        algorithm::{Sft, sft::Form},
        loss::{Whole, supervised_loss},
    },
    seed::Seed,
    tasks::Generator,
};

/// Samples that go through the model together; part of the result, because sums are taken in this order.
const MICRO_BATCH: usize = 8;

/// An example as the model reads it.
struct Ready {
    form: Form,
    sequence: Sequence,
    patches: Option<crate::model::image::PatchedImage>,
    tail: usize,
}

/// Loss in nats: the mean over all tokens of a step, and over those of each form.
pub(super) struct Losses {
    pub(super) all: f64,
    pub(super) by_form: BTreeMap<Form, f64>,
}

/// The gradient of one optimizer step and its losses.
pub(super) fn step(
    model: &Model,
    sft: &Sft,
    generators: &[Generator],
    draws: &[(usize, u64)],
    number: u64,
    seed: Seed,
    workers: &Workers,
) -> Result<(Gradients, Losses)> {
    let seed = seed.child("sft").child(number);
    let numbered: Vec<(usize, &(usize, u64))> = draws.iter().enumerate().collect();
    let ready = workers.map(&numbered, |(i, (dataset, row))| {
        let seed = seed.child(i);
        let form = sft.form(number, seed.child("form").rng().random());
        ready(model, form, &example(&generators[*dataset], *row, form, seed.child("example")))
    });
    let mut ready = ready.into_iter().collect::<Result<Vec<Ready>>>()?;
    // Equally long ones go together: what pads a short one to the longest costs as much as what is learnt from.
    ready.sort_by_key(|r| std::cmp::Reverse(r.sequence.tokens.len()));
    let lengths = ready.iter().map(|r| r.tail as u64);
    let whole = Whole::of(lengths, 0);
    let micro: Vec<&[Ready]> = ready.chunks(MICRO_BATCH).collect();
    let (gradients, losses) =
        workers.gradients(&model.network, true, &micro, |network, batch| loss(network, batch, &whole));
    let mut sums = BTreeMap::<Form, (f64, usize)>::new();
    for (ready, loss) in ready.iter().zip(losses.iter().flatten()) {
        let (sum, tokens) = sums.entry(ready.form).or_default();
        *sum += loss;
        *tokens += ready.tail;
    }
    let total = sums.values().fold((0.0, 0), |all, of| (all.0 + of.0, all.1 + of.1));
    let mean = |(sum, tokens): (f64, usize)| sum / tokens as f64;
    Ok((
        gradients,
        Losses { all: mean(total), by_form: sums.into_iter().map(|(form, of)| (form, mean(of))).collect() },
    ))
}

fn ready(model: &Model, form: Form, example: &Example) -> Result<Ready> {
    let pictures = match &example.picture {
        Some(p) => vec![picture::decode(p).failed()?],
        None => Vec::new(),
    };
    let patches = model.patches(&pictures).failed()?.pop();
    let grids: Vec<[usize; 3]> = patches.iter().map(|p| p.grid).collect();
    let prompt = model.prompt(&example.prompt, &grids).failed()?;
    let given = model.tokenizer.encode(&example.given).failed()?;
    let mut target = model.tokenizer.encode(&example.target).failed()?;
    target.push(model.config.tokens.eos[0]);
    let sequence = prompt.followed_by(&given).followed_by(&target);
    Ok(Ready { form, sequence, patches, tail: target.len() })
}

/// The loss of a part of the step, and the sum over the tokens of each of its samples.
fn loss(network: &Qwen2Vl, batch: &&[Ready], whole: &Whole) -> (Tensor<1>, Vec<f64>) {
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
    let each: Vec<f32> = logp.clone().inner().into_data().try_into_vec().expect("log-probabilities are f32");
    let mut each = each.into_iter();
    let sums =
        tails.iter().map(|tail| each.by_ref().take(*tail).map(|logp| -f64::from(logp)).sum()).collect();
    (supervised_loss(logp, mask, whole), sums)
}
