//! Answers per CPU-second, beside the packages where their Python is given:
//! `cargo bench --bench score -- --peers venv/bin/python` (venv as in tests/oracles/packages.py); with `bombs` instead of peers the
//! longest that any verifier and any profile takes for one of the completions that are made to take long.
//!
//! modo and the packages take turns, round by round, on the same gold and text. Each line: what, CPU microseconds per answer as
//! the median of the rounds with the least and the most, answers per CPU-second, and how many times slower a package is.

#![expect(clippy::print_stdout, reason = "a bench run by hand prints its table")]

use std::{
    hint::black_box,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use modo::{
    reward::{Gold, Reward, profile},
    sample::{Answer, Rect},
};

#[path = "../tests/fixtures/bombs.rs"]
mod bombs;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 5;

/// What is asked of modo and of the packages: kind, gold, answer.
const ANSWERS: [(&str, &str, &str); 12] = [
    ("integer", "42", "42"),
    ("integer, wrong", "42", "41"),
    ("fraction", r"\frac{3}{4}", r"\frac{6}{8}"),
    ("decimal", "0.75", r"\frac{3}{4}"),
    ("surd", r"2\sqrt{3}", r"\sqrt{12}"),
    ("surd, wrong", r"2\sqrt{3}", r"3\sqrt{2}"),
    ("multiple of pi", r"\frac{3\pi}{4}", r"0.75\pi"),
    ("polynomial", "x^2+2x+1", "(x+1)^2"),
    ("equation", "y=2x+1", "2x-y+1=0"),
    ("set", r"\{1,2,3\}", "3, 2, 1"),
    ("interval", r"(-\infty,3)", r"(-\infty, 3)"),
    ("matrix", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{pmatrix}1&2\\3&5\end{pmatrix}"),
];

/// Something measured over and over.
struct Case {
    name: String,
    rounds: Vec<f64>,
    once: Box<dyn FnMut(usize) -> f64>,
}

fn main() {
    if std::env::args().any(|arg| arg == "bombs") {
        return hardest();
    }
    let mut args = std::env::args().skip(1).skip_while(|arg| arg != "--peers");
    let mut peers = args.nth(1).map(|python| Peers::start(&python));
    println!("load before: {}", load());
    simple();
    group();
    println!(
        "\nIn a box, by the strict rule (answer wherever it stands) and by the profiles, beside the packages"
    );
    let (mut sums, mut of_modo) = ([0.0; 2], [0.0; 3]);
    for (kind, gold, answer) in ANSWERS {
        let text = format!(r"So we get \boxed{{{answer}}}.");
        let mut cases = vec![strict(gold, &text)];
        cases.extend(["math_verify", "mathruler"].map(|name| by_profile(name, gold, &text)));
        let mut theirs = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            cases.iter_mut().for_each(Case::round);
            if let Some(peers) = &mut peers {
                for (rounds, package) in theirs.iter_mut().zip(["math-verify", "mathruler"]) {
                    rounds.push(peers.measure(package, gold, &text));
                }
            }
        }
        println!("{kind}: {gold} / {answer}");
        for (sum, case) in of_modo.iter_mut().zip(&mut cases) {
            println!("  modo, {}: {}", case.name, shown(&mut case.rounds));
            *sum += median(&mut case.rounds);
        }
        if peers.is_some() {
            for (i, package) in ["math-verify 0.9.0", "mathruler 0.1.0"].iter().enumerate() {
                let slower = |case: &mut Case| median(&mut theirs[i].clone()) / median(&mut case.rounds);
                let (by_strict, own) = (slower(&mut cases[0]), slower(&mut cases[i + 1]));
                println!(
                    "  {package}: {}; {by_strict:.0} × strict, {own:.0} × the profile",
                    shown(&mut theirs[i])
                );
                sums[i] += median(&mut theirs[i]);
            }
        }
    }
    let n = ANSWERS.len() as f64;
    println!(
        "mean of the medians, µs: strict {:.2}, profiles math_verify {:.2} and mathruler {:.2}",
        of_modo[0] / n * 1e6,
        of_modo[1] / n * 1e6,
        of_modo[2] / n * 1e6
    );
    if peers.is_some() {
        println!(
            "packages, µs: math-verify {:.1} ({:.0} × strict, {:.0} × the profile), mathruler {:.1} ({:.0} × strict, {:.0} × the profile)",
            sums[0] / n * 1e6,
            sums[0] / of_modo[0],
            sums[0] / of_modo[1],
            sums[1] / n * 1e6,
            sums[1] / of_modo[0],
            sums[1] / of_modo[2]
        );
    }
    println!("load after: {}", load());
}

/// Name of a rule, and what it does with a completion.
type Rule = (String, Box<dyn Fn(&str)>);

/// The ten that take longest, by processor time, the least of up to five rounds each.
fn hardest() {
    let expression = |text: &str| Answer::Expression(text.to_owned());
    let mut rules: Vec<Rule> = Vec::new();
    for answer in [
        Answer::Choice('B'),
        Answer::Number(12.5),
        Answer::Text(vec!["Central Station".to_owned()]),
        Answer::Boxes(vec![Rect { x1: 1.0, y1: 2.5, x2: 30.0, y2: 40.0 }]),
        expression("3"),
        expression(r"x^2+2\sqrt{x}+1"),
        expression(r"\sin x+\ln 2"),
        expression(r"\{1,2,3\}"),
        expression(r"(-\infty,3)\cup[4,5)"),
    ] {
        let table =
            "repetition = { n = 3 }\nlanguage = { charges = 'cjk' }\noverlong = { limit = 100, buffer = 10 }";
        let table = table.parse().expect("a table");
        for verifier in [answer.kind(), "anls"] {
            let reward = Reward::from_tables(&verifier.into(), Some(&table)).expect("its own verifier");
            let answer = answer.clone();
            if reward.accepts(&Gold { answer: &answer, options: &[], picture_size: None }).is_err() {
                continue;
            }
            let name = format!("{verifier} {}", answer.written());
            let judge = move |text: &str| {
                let gold = Gold { answer: &answer, options: &[], picture_size: None };
                _ = black_box(reward.judge(&gold, text));
            };
            rules.push((name, Box::new(judge)));
        }
    }
    for profile in profile::PROFILES {
        for gold in ["3", "x<3", r"\sqrt{2}+\sin 1"] {
            let golds = [gold.to_owned()];
            let score = move |text: &str| {
                let asked = profile::Asked { golds: &golds, completion: text, options: &[] };
                _ = black_box((profile.score)(&asked));
            };
            rules.push((format!("profile {} {gold}", profile.name), Box::new(score)));
        }
    }
    let inside = |bomb: &String| [format!("<answer>{bomb}</answer>"), format!("$\\boxed{{{bomb}}}$")];
    let texts: Vec<String> = bombs::answers().iter().flat_map(inside).chain(bombs::completions()).collect();
    let mut all: Vec<(f64, &str, &str)> = Vec::new();
    for text in &texts {
        for (name, score) in &rules {
            let mut least = f64::MAX;
            for _ in 0..ROUNDS {
                least = least.min(cpu(1, || score(text)));
                if least < 0.002 {
                    break;
                }
            }
            all.push((least, name, text));
        }
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let over = all.iter().filter(|(seconds, ..)| *seconds >= 0.01).count();
    println!("{} texts by {} rules, {over} over 10 ms; load {}", texts.len(), rules.len(), load());
    for (seconds, name, text) in all.iter().take(10) {
        let start: String = text.chars().take(60).collect();
        println!("  {:.2} ms  {name}: {start:?}, {} bytes", seconds * 1e3, text.len());
    }
}

/// Rewards as training asks for them, with the format.
fn simple() {
    let expression = |text: &str| Answer::Expression(text.to_owned());
    println!("\nReward of a completion in the right format");
    let of = |kind: &str, answer: Answer, text: &str| (kind.to_owned(), answer, text.to_owned());
    for (name, answer, text) in [
        of("choice, right", Answer::Choice('B'), "<think>It is red.</think><answer>B</answer>"),
        of("choice, wrong", Answer::Choice('B'), "<think>It is red.</think><answer>(C)</answer>"),
        of("integer, right", Answer::Number(42.0), "<think>6 times 7</think><answer>42</answer>"),
        of("integer, wrong", Answer::Number(42.0), "<think>6 times 7</think><answer>41</answer>"),
        of("decimal", Answer::Number(12.5), "<think>25 / 2</think><answer>12.50 cm</answer>"),
        of("text", Answer::Text(vec!["left of".into()]), "<think>x</think><answer>Left of.</answer>"),
        of("surd", expression(r"2\sqrt{3}"), r"<think>x</think><answer>\sqrt{12}</answer>"),
    ] {
        let reward = Reward::from_tables(&answer.kind().into(), None).expect("its own verifier");
        let once = move |n| {
            cpu(n, || {
                let gold = Gold { answer: &answer, options: &[], picture_size: None };
                black_box(reward.score(black_box(&gold), black_box(&text)));
            })
        };
        let mut case = Case { name, rounds: Vec::new(), once: Box::new(once) };
        (0..ROUNDS).for_each(|_| case.round());
        println!("  {}: {}", case.name, shown(&mut case.rounds));
    }
}

/// A step's rollouts: 512 prompts with 8 completions of 100 words each.
fn group() {
    let reasoning = "the red bar is twice as high as the blue one so ".repeat(9);
    let reward = Reward::from_tables(&"number".into(), None).expect("its own verifier");
    let texts: Vec<String> =
        (0..512 * 8).map(|i| format!("<think>{reasoning}</think><answer>{}</answer>", i % 50)).collect();
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            cpu(1, || {
                for (i, text) in texts.iter().enumerate() {
                    let answer = Answer::Number((i / 8 % 50) as f64);
                    black_box(
                        reward.score(&Gold { answer: &answer, options: &[], picture_size: None }, text),
                    );
                }
            })
        })
        .collect();
    let middle = median(&mut rounds);
    println!(
        "512 × 8 rollouts of 100 words on one thread: {:.2} ms ({:.2} to {:.2})",
        middle * 1e3,
        rounds[0] * 1e3,
        rounds[ROUNDS - 1] * 1e3
    );
}

fn strict(gold: &str, text: &str) -> Case {
    let answer = Answer::Expression(gold.to_owned());
    let reward = Reward::from_tables(&"expression".into(), None).expect("its own verifier");
    let text = text.to_owned();
    let once = move |n| {
        cpu(n, || {
            let gold = Gold { answer: &answer, options: &[], picture_size: None };
            _ = black_box(reward.verify(black_box(&gold), black_box(&text)));
        })
    };
    Case { name: "strict".to_owned(), rounds: Vec::new(), once: Box::new(once) }
}

fn by_profile(name: &str, gold: &str, text: &str) -> Case {
    let profile = profile::find(name).expect("a known profile");
    let (golds, text) = ([gold.to_owned()], text.to_owned());
    let once = move |n| {
        cpu(n, || {
            let asked = profile::Asked { golds: &golds, completion: &text, options: &[] };
            _ = black_box((profile.score)(black_box(&asked)));
        })
    };
    Case { name: format!("profile {name}"), rounds: Vec::new(), once: Box::new(once) }
}

impl Case {
    /// CPU seconds per answer, over a twentieth of a second.
    fn round(&mut self) {
        let (mut n, mut spent) = (0, 0.0);
        while spent < 0.05 {
            spent += (self.once)(200);
            n += 200;
        }
        self.rounds.push(spent / f64::from(n));
    }
}

/// CPU seconds of this process, which has one thread, for `n` times `once`.
fn cpu(n: usize, mut once: impl FnMut()) -> f64 {
    use nix::sys::{
        resource::{UsageWho, getrusage},
        time::TimeValLike,
    };
    let now = || {
        let usage = getrusage(UsageWho::RUSAGE_SELF).expect("the own usage can be read");
        (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64 * 1e-6
    };
    let start = now();
    (0..n).for_each(|_| once());
    now() - start
}

fn median(rounds: &mut [f64]) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

fn shown(rounds: &mut [f64]) -> String {
    let median = median(rounds);
    let (least, most) = (rounds[0], rounds[rounds.len() - 1]);
    format!(
        "{:.3} µs ({:.3} to {:.3}), {:.0} per CPU-second",
        median * 1e6,
        least * 1e6,
        most * 1e6,
        1.0 / median
    )
}

fn load() -> String {
    std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned()
}

/// `benches/peers/score_peers.py`, which measures one round of one package at a time.
struct Peers {
    _child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peers {
    fn start(python: &str) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/score_peers.py");
        let mut child = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the peers' Python starts");
        let ask = child.stdin.take().expect("it is piped");
        let answers = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { _child: child, ask, answers }
    }

    fn measure(&mut self, package: &str, gold: &str, text: &str) -> f64 {
        let asked = serde_json::json!({ "package": package, "gold": gold, "text": text });
        writeln!(self.ask, "{asked}").expect("the peers listen");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the peers answer");
        line.trim().parse().expect("the peers answer with a number")
    }
}
