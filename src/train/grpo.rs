//! Group-relative policy optimization in MAYE's four named steps (arXiv:2504.02587): data flow, response collection,
//! trajectory generation, policy update.

use std::collections::BTreeMap;

use burn::tensor::{Bool, Int, Tensor, TensorData};
use serde_json::{Value, json};

use super::{
    Datasets,
    checkpoint::Groups,
    optimizer::{Gradients, Workers},
};
use crate::{
    error::{Context, Error, Result},
    model::{
        Model,
        features::FeatureStore,
        generate::Sampling,
        qwen2_vl::{self, Qwen2Vl, Sequence},
    },
    name::Name,
    rl::{
        algorithm::Grpo,
        loss::{self, Batch, Whole, policy_loss},
    },
    rollout::{self, Group, Item},
    sample::Sample,
    sampler::resolve,
    seed::Seed,
    trajectory::Stop,
};

/// Prompt groups that go through the model together; part of the result, because sums are taken in this order.
const MICRO_BATCH: usize = 4;
/// Prompt groups that are completed together.
const ROLLOUT_BATCH: usize = 8;

/// A prompt drawn for this step.
pub(super) struct Drawn {
    pub(super) dataset: usize,
    sample: Sample,
    prompt: Sequence,
    seed: Seed,
    replaced: u64,
}

/// What a group's completions are worth to the policy.
pub(super) struct Trajectory {
    group: Group,
    advantages: Vec<f32>,
    /// Log-probabilities under the base, `[completions][longest of the micro-batch]`; none without a KL term.
    base: Option<Vec<f32>>,
}

/// Step 1: the prompts of this optimizer step, as the schedule says.
pub(super) fn data_flow(
    model: &Model,
    features: &FeatureStore,
    datasets: &Datasets,
    draws: std::ops::Range<u64>,
    seed: Seed,
    workers: &Workers,
) -> Result<Vec<Drawn>> {
    let numbers: Vec<u64> = draws.collect();
    let rows = datasets.rows();
    let drawn = workers.map(&numbers, |n| {
        let draw = datasets.schedule.draw(*n).failed()?;
        let mut replaced = 0;
        let mut next = draw;
        // A picture that only fails when it is decoded is a bad row as well: the dataset's next one takes its place.
        loop {
            let resolved = resolve(&datasets.schedule, &next, &rows).failed()?;
            replaced += resolved.replaced.len() as u64;
            let source = &datasets.all[next.dataset];
            let text = source.config.prompt(&resolved.sample);
            match rollout::prompt(model, features, &resolved.sample, &text) {
                Ok(prompt) => {
                    // The seed names the sample, not the step: runs that meet it alike draw alike.
                    let seed = seed.child(&source.name).child(draw.ordinal);
                    return Ok(Drawn {
                        dataset: draw.dataset,
                        sample: resolved.sample,
                        prompt,
                        seed,
                        replaced,
                    });
                }
                Err(bad) if replaced < 64 => {
                    tracing::warn!("{bad}; the next row of `{}` takes its place", source.name);
                    replaced += 1;
                    next.ordinal += 1;
                    next.row = datasets.schedule.row(next.dataset, next.ordinal).unwrap_or(next.row);
                }
                Err(bad) => return Err(Error::failed(bad).at(format!("dataset `{}`", source.name))),
            }
        }
    });
    drawn.into_iter().collect()
}

/// Step 2: a group of scored completions for each prompt.
pub(super) fn response_collection(
    model: &Model,
    datasets: &Datasets,
    drawn: &[Drawn],
    grpo: &Grpo,
    workers: &Workers,
) -> Vec<Group> {
    let settings = grpo.settings();
    let sampling = Sampling {
        temperature: settings.temperature as f32,
        ..Sampling::at_temperature_1(settings.max_new_tokens)
    };
    let chunks: Vec<&[Drawn]> = drawn.chunks(ROLLOUT_BATCH).collect();
    let groups = workers.map(&chunks, |chunk| {
        let items: Vec<Item> = chunk
            .iter()
            .map(|d| Item {
                sample: &d.sample,
                prompt: &d.prompt,
                reward: &datasets.all[d.dataset].reward,
                seed: d.seed,
            })
            .collect();
        rollout::collect(model, &items, settings.group, sampling)
    });
    groups.into_iter().flatten().collect()
}

/// Step 3: advantages, and the base's view of what was written.
pub(super) fn trajectory_generation(
    base: &Qwen2Vl,
    drawn: &[Drawn],
    groups: Vec<Group>,
    grpo: &Grpo,
    workers: &Workers,
) -> Vec<Trajectory> {
    let rewards: Vec<Vec<f64>> = groups.iter().map(Group::rewards).collect();
    let advantages = grpo.advantage().advantages(&rewards);
    let with_base = grpo.settings().kl_coefficient > 0.0;
    let mut trajectories: Vec<Trajectory> = groups
        .into_iter()
        .zip(advantages)
        .map(|(group, advantages)| Trajectory {
            group,
            advantages: advantages.into_iter().map(|a| a as f32).collect(),
            base: None,
        })
        .collect();
    if with_base {
        let micro: Vec<(&[Drawn], &[Trajectory])> =
            drawn.chunks(MICRO_BATCH).zip(trajectories.chunks(MICRO_BATCH)).collect();
        let logps = workers.map(&micro, |(drawn, trajectories)| {
            let logp = log_probabilities(base, drawn, trajectories);
            logp.into_data().try_into_vec::<f32>().expect("log-probabilities are f32")
        });
        for (chunk, logp) in trajectories.chunks_mut(MICRO_BATCH).zip(logps) {
            let each = logp.len() / chunk.len();
            for (trajectory, own) in chunk.iter_mut().zip(logp.chunks(each)) {
                trajectory.base = Some(own.to_vec());
            }
        }
    }
    trajectories
}

/// Step 4: the gradient of the objective over the whole batch. The rollout's own log-probabilities stand for the old
/// policy where the batch is used once: they are those of this very policy.
pub(super) fn policy_update(
    network: &Qwen2Vl,
    drawn: &[Drawn],
    trajectories: &[Trajectory],
    grpo: &Grpo,
    on_policy: bool,
    workers: &Workers,
) -> (Gradients, loss::Metrics) {
    let lengths = trajectories.iter().flat_map(|t| t.group.completions.iter().map(|c| c.tokens.len() as u64));
    let whole = Whole::of(lengths, grpo.settings().max_new_tokens as u64);
    let micro: Vec<(&[Drawn], &[Trajectory])> =
        drawn.chunks(MICRO_BATCH).zip(trajectories.chunks(MICRO_BATCH)).collect();
    let (gradients, each) = workers.gradients(network, false, &micro, |network, (drawn, trajectories)| {
        let logp = log_probabilities(network, drawn, trajectories);
        let [n, longest] = logp.dims();
        let device = logp.device();
        let completions = || trajectories.iter().flat_map(|t| &t.group.completions);
        let mask: Vec<bool> = completions().flat_map(|c| (0..longest).map(|t| t < c.tokens.len())).collect();
        let table = |values: Vec<f32>| Tensor::<2>::from_data(TensorData::new(values, [n, longest]), &device);
        let old = (!on_policy).then(|| {
            table(
                completions()
                    .flat_map(|c| (0..longest).map(|t| c.logprobs.get(t).copied().unwrap_or(0.0)))
                    .collect(),
            )
        });
        let base: Option<Vec<f32>> =
            trajectories.iter().map(|t| t.base.clone()).collect::<Option<Vec<_>>>().map(|all| all.concat());
        let advantages: Vec<f32> = trajectories.iter().flat_map(|t| t.advantages.iter().copied()).collect();
        let batch = Batch {
            logp,
            logp_old: old,
            logp_base: base.map(table),
            advantages: &advantages,
            mask: Tensor::<2, Bool>::from_data(TensorData::new(mask, [n, longest]), &device),
        };
        let result = policy_loss(&grpo.objective(), batch, &whole);
        (result.loss, result.metrics)
    });
    let mut metrics = loss::Metrics::default();
    for one in each {
        metrics += one;
    }
    (gradients, metrics)
}

/// Log-probability of every token of every completion, `[prompts * completions, longest]`; padding holds anything.
fn log_probabilities(network: &Qwen2Vl, drawn: &[Drawn], trajectories: &[Trajectory]) -> Tensor<2> {
    let prompts: Vec<&Sequence> = drawn.iter().map(|d| &d.prompt).collect();
    let tokens: Vec<Vec<Vec<u32>>> =
        trajectories.iter().map(|t| t.group.completions.iter().map(|c| c.tokens.clone()).collect()).collect();
    let groups: Vec<&[Vec<u32>]> = tokens.iter().map(Vec::as_slice).collect();
    let (logits, longest) = network.completion_logits(&prompts, &groups);
    let n = logits.dims()[0];
    let targets: Vec<i64> = tokens
        .iter()
        .flatten()
        .flat_map(|c| (0..longest).map(|t| c.get(t).map_or(0, |t| i64::from(*t))))
        .collect();
    let targets = Tensor::<2, Int>::from_data(TensorData::new(targets, [n, 1]), network.device());
    qwen2_vl::log_probabilities(logits, targets).reshape([n / longest, longest])
}

/// Adds the groups of a step to the record of each dataset, and gives the step's line of metrics.
pub(super) fn record(
    datasets: &Datasets,
    drawn: &[Drawn],
    trajectories: &[Trajectory],
    groups: &mut BTreeMap<Name, Groups>,
) -> Value {
    #[derive(Default)]
    struct Sums {
        groups: f64,
        completions: f64,
        reward: f64,
        accuracy: f64,
        format: f64,
        lenient: f64,
        tokens: f64,
        truncated: f64,
        logprob: f64,
        all_right: f64,
        all_wrong: f64,
    }
    impl Sums {
        fn json(&self) -> Value {
            let n = self.completions.max(1.0);
            json!({
                "groups": self.groups,
                "reward": self.reward / n,
                "accuracy": self.accuracy / n,
                "format": self.format / n,
                "lenient_accuracy": self.lenient / n,
                "completion_tokens": self.tokens / n,
                "truncated": self.truncated / n,
                // Minus the mean log-probability of what was drawn: an unbiased estimate at temperature 1.
                "entropy": -self.logprob / self.tokens.max(1.0),
                "all_right": self.all_right / self.groups.max(1.0),
                "all_wrong": self.all_wrong / self.groups.max(1.0),
            })
        }
    }
    let mut whole = Sums::default();
    let mut by_dataset: BTreeMap<&Name, Sums> = BTreeMap::new();
    for (drawn, trajectory) in drawn.iter().zip(trajectories) {
        let name = &datasets.all[drawn.dataset].name;
        let Group { completions, scored } = &trajectory.group;
        let all = |right: bool| {
            let is = |s: &crate::reward::Scored| if right { s.accuracy >= 1.0 } else { s.accuracy <= 0.0 };
            scored.iter().all(is)
        };
        let (all_right, all_wrong) = (all(true), all(false));
        let record = groups.entry(name.clone()).or_default();
        record.rewards.push(scored.iter().map(|s| s.total).sum::<f64>() / scored.len() as f64);
        record.all_right += u64::from(all_right);
        record.all_wrong += u64::from(all_wrong);
        record.replaced += drawn.replaced;
        let mut reasons = BTreeMap::new();
        for (completion, scored) in completions.iter().zip(scored) {
            let outcome = scored.outcome(completion.stop == Stop::Length);
            *reasons.entry(outcome.to_owned()).or_default() += 1;
        }
        record.reasons.push(reasons);
        for sums in [&mut whole, by_dataset.entry(name).or_default()] {
            sums.groups += 1.0;
            sums.all_right += f64::from(u8::from(all_right));
            sums.all_wrong += f64::from(u8::from(all_wrong));
            for (completion, scored) in completions.iter().zip(scored) {
                sums.completions += 1.0;
                sums.reward += scored.total;
                sums.accuracy += scored.accuracy;
                sums.format += f64::from(u8::from(scored.format));
                sums.lenient += scored.lenient_accuracy;
                sums.tokens += completion.tokens.len() as f64;
                sums.truncated += f64::from(u8::from(completion.stop == Stop::Length));
                sums.logprob += completion.logprobs.iter().map(|l| f64::from(*l)).sum::<f64>();
            }
        }
    }
    let mut line = whole.json();
    line["datasets"] = by_dataset.into_iter().map(|(name, sums)| (name.to_string(), sums.json())).collect();
    line
}

/// The completions of a batch, for a look at what broke a run.
pub(super) fn dump(drawn: &[Drawn], trajectories: &[Trajectory]) -> Value {
    let groups = drawn.iter().zip(trajectories).map(|(drawn, trajectory)| {
        json!({
            "sample": drawn.sample.id,
            "advantages": trajectory.advantages.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "completions": trajectory.group.completions.iter().map(|c| &c.text).collect::<Vec<_>>(),
        })
    });
    groups.collect()
}
