//! Training, rollout and picture features of an untrained nano model on the CPU: `cargo bench --bench model`.
//!
//! Prints one JSON object in the form of `benches/peers/nano_torch.py`, with the same batch, lengths and picture:
//! medians, standard deviations and n in wall seconds and CPU seconds of the whole process. Arguments by position:
//! threads (1), batch (16), tokens of the prompt (48), tokens of the completion (48), repeats (7), and a folder to keep
//! the model in for the peer.

#![expect(clippy::print_stdout, reason = "a bench run by hand prints its result")]

use std::{fs, path::Path, time::Instant};

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use modo::{
    model::{
        Model,
        generate::{Request, Sampling, generate},
        image::PatchedImage,
        nano,
        qwen2_vl::{Padding, Qwen2Vl, Sequence, log_probabilities},
    },
    rl::loss::{Whole, supervised_loss},
    seed::Seed,
    train::optimizer::{Optimizer, Settings, Workers},
};
use serde_json::{Value, json};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const WARM_UP: usize = 2;
/// Pixels of the square picture: 16 picture tokens.
const PICTURE: u32 = 64;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let number = |i: usize, default: usize| {
        arguments.get(i).map_or(default, |a| a.parse().expect("arguments are whole numbers"))
    };
    let (threads, batch, prompt, completion) = (number(0, 1), number(1, 16), number(2, 48), number(3, 48));
    let repeats = number(4, 7);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let folder = arguments.get(5).map_or(folder.path(), Path::new);
    let device = Device::flex();
    let words = (0..2000_u64).map(|i| format!("{:x} the square {} of number {i}", i * 7_919, i % 97));
    let mut model = nano::create(folder, words, Seed::new(0), &device).expect("a nano model can be made");

    let side = PICTURE;
    let picture =
        image::RgbImage::from_fn(side, side, |x, y| image::Rgb([(x * 4) as u8, (y * 4) as u8, 128]));
    let pictures = model.patches(&vec![picture; batch]).expect("the picture is small");
    let pictures: Vec<&PatchedImage> = pictures.iter().collect();
    let grids = [pictures[0].grid];
    let prompts: Vec<Sequence> = (0..batch).map(|i| prompt_of(&model, prompt, &grids, i)).collect();
    let target: Vec<u32> = (0..completion as u32).map(|t| 32 + t * 13 % 400).collect();
    let sequences: Vec<Sequence> = prompts.iter().map(|p| p.followed_by(&target)).collect();

    let workers = Workers::new(threads);
    let settings = Settings {
        betas: (0.9, 0.999),
        epsilon: 1e-8,
        weight_decay: 0.01,
        max_gradient_norm: 1.0,
        muon: false,
    };
    let micro: Vec<&[Sequence]> = sequences.chunks(batch.div_ceil(threads)).collect();
    let whole = Whole::of(vec![completion as u64; batch], 0);
    let mut steps = [true, false].map(|with_vision| {
        let mut optimizer = Optimizer::new(settings, with_vision);
        let features = model.network.features(&pictures);
        measure(repeats, || {
            let (gradients, _) = workers.gradients(&model.network, with_vision, &micro, |network, part| {
                let features = if with_vision {
                    network.features(&pictures[..part.len()])
                } else {
                    features[..part.len()].to_vec()
                };
                (loss(network, part, features, &target, &whole), ())
            });
            optimizer.step(&mut model.network, gradients, 1e-5, 1e-5, &workers);
        })
    });
    let features = model.network.features(&pictures);
    let prompts: Vec<Sequence> = prompts
        .into_iter()
        .zip(&features)
        .map(|(p, f)| Sequence { features: vec![f.clone()], ..p })
        .collect();
    // No token ends a text, so that every row has all its tokens, as in the peer.
    let sampling = Sampling::at_temperature_1(completion);
    let mut rollout = measure(repeats, || {
        let requests: Vec<Request> = prompts
            .iter()
            .enumerate()
            .map(|(i, prompt)| Request::new(prompt, [Seed::new(1).child(i)], sampling))
            .collect();
        workers.map(&requests.chunks(batch.div_ceil(threads)).collect::<Vec<_>>(), |part| {
            generate(&model.network, part, &[], Padding::Right)
        });
    });
    let mut seen = measure(repeats, || drop(model.network.features(&pictures)));
    for step in &mut steps {
        rate(step, "samples", batch);
        rate(step, "tokens", batch * (prompt + completion));
    }
    rate(&mut rollout, "tokens", batch * completion);
    rate(&mut seen, "pictures", batch);
    let [with_vision, frozen] = steps;
    let result = json!({
        "peer": "modo",
        "batch": batch,
        "threads": threads,
        "prompt_tokens": prompts[0].tokens.len(),
        "completion_tokens": completion,
        "picture_px": PICTURE,
        "training_step": frozen,
        "training_step_with_vision": with_vision,
        "rollout": rollout,
        "picture_features": seen,
    });
    println!("{}", serde_json::to_string_pretty(&result).expect("numbers and names"));
}

/// A prompt of `length` tokens with one picture; `salt` makes the texts differ.
fn prompt_of(model: &Model, length: usize, grids: &[[usize; 3]], salt: usize) -> Sequence {
    let mut sequence = model.prompt("", grids).expect("an empty question fits");
    let missing = length.saturating_sub(sequence.tokens.len());
    let words: Vec<u32> = (0..missing).map(|i| 32 + ((i * 31 + salt * 17) % 400) as u32).collect();
    sequence = sequence.followed_by(&words);
    sequence
}

fn loss(
    network: &Qwen2Vl,
    sequences: &[Sequence],
    features: Vec<Tensor<2>>,
    target: &[u32],
    whole: &Whole,
) -> Tensor<1> {
    let with_pictures: Vec<Sequence> =
        sequences.iter().zip(features).map(|(s, f)| Sequence { features: vec![f], ..s.clone() }).collect();
    let tails = vec![target.len(); sequences.len()];
    let logits = network.tail_logits(&with_pictures.iter().collect::<Vec<_>>(), &tails);
    let n = target.len() * sequences.len();
    let targets: Vec<i64> = sequences.iter().flat_map(|_| target.iter().map(|t| i64::from(*t))).collect();
    let targets = Tensor::<2, Int>::from_data(TensorData::new(targets, [n, 1]), network.device());
    let logp = log_probabilities(logits, targets).reshape([1, n]);
    let mask = Tensor::<2, Bool>::from_data(TensorData::new(vec![true; n], [1, n]), network.device());
    supervised_loss(logp, mask, whole)
}

/// Seconds of wall clock and CPU: medians with standard deviations.
fn measure(repeats: usize, mut work: impl FnMut()) -> Value {
    for _ in 0..WARM_UP {
        work();
    }
    let (mut wall, mut cpu) = (Vec::new(), Vec::new());
    for _ in 0..repeats {
        let (start, cpu_start) = (Instant::now(), cpu_seconds());
        work();
        wall.push(start.elapsed().as_secs_f64());
        cpu.push(cpu_seconds() - cpu_start);
    }
    let summary = |seconds: &mut Vec<f64>| {
        seconds.sort_unstable_by(f64::total_cmp);
        let mean = seconds.iter().sum::<f64>() / repeats as f64;
        let square: f64 = seconds.iter().map(|s| (s - mean).powi(2)).sum();
        let sd = (repeats > 1).then(|| (square / (repeats - 1) as f64).sqrt());
        json!({ "median": seconds[repeats / 2], "sd": sd })
    };
    json!({ "n": repeats, "wall_s": summary(&mut wall), "cpu_s": summary(&mut cpu) })
}

fn rate(of: &mut Value, what: &str, n: usize) {
    for clock in ["wall_s", "cpu_s"] {
        let per_second = n as f64 / of[clock]["median"].as_f64().expect("a median is a number");
        of[format!("{what}_per_{clock}")] = per_second.into();
    }
}

/// CPU time of all threads of this process so far. Linux counts it in nanoseconds per thread.
fn cpu_seconds() -> f64 {
    let threads = fs::read_dir("/proc/self/task").expect("Linux lists the threads of a process");
    let spent = threads.flatten().filter_map(|thread| {
        let line = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        line.split(' ').next()?.parse::<f64>().ok()
    });
    spent.sum::<f64>() / 1e9
}
