//! Answers per CPU-second: `cargo bench --bench score`, then `python benches/peers/score_peers.py` in the same hour for the
//! packages. Each line: what, answers, CPU seconds per answer, answers per CPU-second; the median of five rounds and their
//! spread.

#![expect(clippy::print_stdout, reason = "a bench run by hand prints its table")]

use std::{hint::black_box, time::Instant};

use modo::{
    reward::{Gold, Reward, profile},
    sample::Answer,
};

const ROUNDS: usize = 5;

fn main() {
    let expression = |text: &str| Answer::Expression(text.to_owned());
    let plain: Vec<(Answer, &str)> = vec![
        (Answer::Choice('B'), "<think>It is red.</think><answer>B</answer>"),
        (Answer::Choice('B'), "<think>It is red.</think><answer>(C)</answer>"),
    ];
    let integers = vec![
        (Answer::Number(42.0), "<think>6 times 7</think><answer>42</answer>"),
        (Answer::Number(42.0), "<think>6 times 7</think><answer>41</answer>"),
    ];
    let surds = vec![
        (expression(r"2\sqrt{3}"), r"<think>x</think><answer>\sqrt{12}</answer>"),
        (expression(r"\frac{\sqrt{2}}{2}"), r"<think>x</think><answer>\frac{1}{\sqrt{2}}</answer>"),
    ];
    let general = vec![
        (expression(r"x^2+2x+1"), r"<think>x</think><answer>(x+1)^2</answer>"),
        (expression(r"\{1,2\}"), r"<think>x</think><answer>2, 1</answer>"),
        (expression(r"(-\infty,3)"), r"<think>x</think><answer>(-\infty, 3)</answer>"),
        (expression(r"1+\sqrt{2}"), r"<think>x</think><answer>\sqrt{2}+1</answer>"),
    ];
    for (name, answers) in
        [("choice", plain), ("integer", integers.clone()), ("surd", surds), ("general expression", general)]
    {
        let rewards: Vec<Reward> = answers
            .iter()
            .map(|(a, _)| Reward::from_tables(&a.kind().into(), None).expect("its own verifier"))
            .collect();
        measure(name, answers.len(), || {
            for ((answer, text), reward) in answers.iter().zip(&rewards) {
                let gold = Gold { answer, options: &[], picture_size: None };
                black_box(reward.score(black_box(&gold), black_box(text)));
            }
        });
    }
    for name in ["math_verify", "mathruler"] {
        let profile = profile::find(name).expect("a known profile");
        for (kind, gold, text) in
            [("integer", "42", r"\boxed{42}"), ("surd", r"2\sqrt{3}", r"\boxed{\sqrt{12}}")]
        {
            let golds = [gold.to_owned()];
            let asked = profile::Asked { golds: &golds, completion: text, options: &[] };
            measure(&format!("profile {name}, {kind}"), 1, || {
                _ = black_box((profile.score)(black_box(&asked)));
            });
        }
    }
    let reward = Reward::from_tables(&"number".into(), None).expect("its own verifier");
    let start = Instant::now();
    for i in 0..512 * 8 {
        let (answer, text) = &integers[i % 2];
        black_box(reward.score(&Gold { answer, options: &[], picture_size: None }, text));
    }
    println!("512 x 8 rollouts on one thread: {:.2} ms", start.elapsed().as_secs_f64() * 1e3);
}

/// CPU seconds of this process, which has one thread.
fn cpu_seconds() -> f64 {
    use nix::sys::{
        resource::{UsageWho, getrusage},
        time::TimeValLike,
    };
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("the own usage can be read");
    (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64 * 1e-6
}

fn measure(name: &str, answers: usize, mut once: impl FnMut()) {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let (start, mut n) = (cpu_seconds(), 0_usize);
            while cpu_seconds() - start < 0.2 {
                for _ in 0..200 {
                    once();
                }
                n += 200 * answers;
            }
            (cpu_seconds() - start) / n as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    let median = rounds[ROUNDS / 2];
    println!(
        "{name}: {:.3} µs ({:.3} to {:.3}), {:.0} per CPU-second",
        median * 1e6,
        rounds[0] * 1e6,
        rounds[ROUNDS - 1] * 1e6,
        1.0 / median
    );
}
