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
    sampler::{MOST_REPLACED, resolve},
    seed::Seed,
    trajectory::Stop,
};

/// Prompt groups that go through the model together; part of the result, because sums are taken in this order.
const MICRO_BATCH: usize = 2;
/// Prompt groups that are completed together.
const ROLLOUT_BATCH: usize = 8;

/// A prompt drawn for this step.
pub(super) struct Drawn {
    pub(super) dataset: usize,
    /// Number of the draw in the schedule, and how many-th of its dataset it is.
    number: u64,
    ordinal: u64,
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
                        number: *n,
                        ordinal: draw.ordinal,
                        sample: resolved.sample,
                        prompt,
                        seed,
                        replaced,
                    });
                }
                Err(bad) if replaced < MOST_REPLACED => {
                    tracing::warn!("{bad}; the next row of `{}` takes its place", source.name);
                    replaced += 1;
                    // What was passed over for this row is not looked at again.
                    next.ordinal += resolved.replaced.len() as u64 + 1;
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
    let (with_base, temperature) = (grpo.settings().kl_coefficient > 0.0, grpo.settings().temperature);
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
            let logp = log_probabilities(base, drawn, trajectories, temperature);
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

/// What a policy update came to.
pub(super) struct Updated<'a> {
    whole: loss::Metrics,
    by_dataset: BTreeMap<&'a Name, loss::Metrics>,
    /// Whether the base was asked.
    with_kl: bool,
}

impl Updated<'_> {
    /// Adds it to the step's line of metrics.
    pub(super) fn write(&self, line: &mut Value) {
        let put = |line: &mut Value, metrics: &loss::Metrics| {
            line["old_kl"] = json!(metrics.old_kl());
            line["clip_fraction"] = json!(metrics.clip_fraction());
            line["policy_loss"] = json!(metrics.policy_loss);
            if self.with_kl {
                line["kl"] = json!(metrics.kl());
                line["kl_loss"] = json!(metrics.kl_loss);
            }
        };
        put(line, &self.whole);
        for (name, metrics) in &self.by_dataset {
            put(&mut line["datasets"][name.as_str()], metrics);
        }
    }
}

/// Step 4: the gradient of the objective over the whole batch. The rollout's own log-probabilities stand for the old
/// policy where the batch is used once: they are those of this very policy, at the temperature of the draws.
pub(super) fn policy_update<'a>(
    network: &Qwen2Vl,
    datasets: &'a Datasets,
    drawn: &[Drawn],
    trajectories: &[Trajectory],
    grpo: &Grpo,
    on_policy: bool,
    workers: &Workers,
) -> (Gradients, Updated<'a>) {
    let lengths = trajectories.iter().flat_map(|t| t.group.completions.iter().map(|c| c.tokens.len() as u64));
    let whole = Whole::of(lengths, grpo.settings().max_new_tokens as u64);
    let micro: Vec<(&[Drawn], &[Trajectory])> =
        drawn.chunks(MICRO_BATCH).zip(trajectories.chunks(MICRO_BATCH)).collect();
    let (gradients, each) = workers.gradients(network, false, &micro, |network, (drawn, trajectories)| {
        let logp = log_probabilities(network, drawn, trajectories, grpo.settings().temperature);
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
    let mut updated = Updated {
        whole: loss::Metrics::default(),
        by_dataset: BTreeMap::new(),
        with_kl: trajectories.iter().all(|t| t.base.is_some()),
    };
    let of_prompts = drawn.iter().zip(trajectories);
    let datasets =
        of_prompts.flat_map(|(d, t)| t.group.completions.iter().map(|_| &datasets.all[d.dataset].name));
    for (name, metrics) in datasets.zip(each.into_iter().flatten()) {
        updated.whole += metrics;
        *updated.by_dataset.entry(name).or_default() += metrics;
    }
    (gradients, updated)
}

/// Log-probability of every token of every completion, `[prompts * completions, longest]`; padding holds anything.
///
/// At the temperature of the draws: their distribution is what an update changes (as in TRL and verl), and elsewhere the
/// ratio to the policy that drew would not begin at 1.
fn log_probabilities(
    network: &Qwen2Vl,
    drawn: &[Drawn],
    trajectories: &[Trajectory],
    temperature: f64,
) -> Tensor<2> {
    let prompts: Vec<&Sequence> = drawn.iter().map(|d| &d.prompt).collect();
    let tokens: Vec<Vec<Vec<u32>>> =
        trajectories.iter().map(|t| t.group.completions.iter().map(|c| c.tokens.clone()).collect()).collect();
    let groups: Vec<&[Vec<u32>]> = tokens.iter().map(Vec::as_slice).collect();
    let logits = network.completion_logits(&prompts, &groups);
    let n = logits.dims()[0];
    // By 1 it would be one more pass over the largest tensor of a step for nothing.
    let logits = if temperature.total_cmp(&1.0).is_eq() { logits } else { logits / temperature };
    let completions = || tokens.iter().flatten();
    let targets: Vec<i64> = completions().flatten().map(|t| i64::from(*t)).collect();
    let targets = Tensor::<2, Int>::from_data(TensorData::new(targets, [n, 1]), network.device());
    let logp = qwen2_vl::log_probabilities(logits, targets);
    let longest = completions().map(Vec::len).max().unwrap_or(0);
    // Where the logits of each slot stand; padding takes any.
    let mut at = 0;
    let rows = completions().flat_map(|completion| {
        let start = at;
        at += completion.len();
        (0..longest).map(move |t| if t < completion.len() { start + t } else { 0 })
    });
    let rows = qwen2_vl::indices(rows, network.device());
    logp.select(0, rows).reshape([completions().count(), longest])
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
        equal_rewards: f64,
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
                // Minus the mean log-probability of what was drawn, at the temperature it was drawn at: an estimate of the
                // entropy per token without bias.
                "entropy": -self.logprob / self.tokens.max(1.0),
                "all_right": self.all_right / self.groups.max(1.0),
                "all_wrong": self.all_wrong / self.groups.max(1.0),
                "equal_rewards": self.equal_rewards / self.groups.max(1.0),
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
        let equal = scored.windows(2).all(|pair| pair[0].total.total_cmp(&pair[1].total).is_eq());
        let record = groups.entry(name.clone()).or_default();
        record.rewards.push(scored.iter().map(|s| s.total).sum::<f64>() / scored.len() as f64);
        record.all_right += u64::from(all_right);
        record.all_wrong += u64::from(all_wrong);
        record.equal_rewards.push(equal);
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
            sums.equal_rewards += f64::from(u8::from(equal));
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

/// Adds the share that each dataset has of all groups so far, those of this step and of earlier attempts included.
pub(super) fn realised_shares(datasets: &Datasets, groups: &BTreeMap<Name, Groups>, line: &mut Value) {
    let n = |name: &Name| groups.get(name).map_or(0, |of| of.rewards.len());
    let all: usize = groups.values().map(|of| of.rewards.len()).sum();
    let share = |name: &Name| (name.to_string(), json!(n(name) as f64 / all.max(1) as f64));
    line["share_realised"] = datasets.all.iter().map(|dataset| share(&dataset.name)).collect();
}

/// All of a batch that an update is made from, for a look at what broke a run.
pub(super) fn dump(datasets: &Datasets, drawn: &[Drawn], trajectories: &[Trajectory]) -> Value {
    // JSON has no word for NaN and infinity, which are what is looked for here.
    let number = |x: f64| if x.is_finite() { json!(x) } else { json!(x.to_string()) };
    let numbers = |of: &[f32]| -> Value { of.iter().map(|x| number(f64::from(*x))).collect() };
    let groups = drawn.iter().zip(trajectories).map(|(drawn, trajectory)| {
        let Group { completions, scored } = &trajectory.group;
        let base = trajectory.base.as_deref().map(|base| base.chunks(base.len() / completions.len()));
        let mut base = base.into_iter().flatten();
        let completions = completions.iter().zip(scored).zip(&trajectory.advantages);
        let completions = completions.enumerate().map(|(k, ((completion, scored), advantage))| {
            let base = base.next().map(|of| numbers(&of[..completion.tokens.len().min(of.len())]));
            json!({
                "seed_bits": format!("{:016x}", drawn.seed.child(k).bits()),
                "tokens": completion.tokens,
                "logprobs": numbers(&completion.logprobs),
                "base_logprobs": base,
                "stop": completion.stop,
                "text": completion.text,
                "reward": number(scored.total),
                "accuracy": number(scored.accuracy),
                "format": scored.format,
                "advantage": number(f64::from(*advantage)),
            })
        });
        json!({
            "draw": drawn.number,
            "dataset": datasets.all[drawn.dataset].name,
            "ordinal": drawn.ordinal,
            "sample": drawn.sample.id,
            "seed_bits": format!("{:016x}", drawn.seed.bits()),
            "prompt_tokens": drawn.prompt.tokens,
            "completions": completions.collect::<Vec<_>>(),
        })
    });
    groups.collect()
}
