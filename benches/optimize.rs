//! The optimizer on fitted processes: value against random allowed mixtures, certificates, time.
//!
//! `cargo bench --bench optimize -- caps [--points 1000000]`; see `WHAT`. The tables lie under `../shared`.

#![expect(clippy::print_stdout, reason = "a bench run by hand prints its tables")]

use std::{env, path::PathBuf, time::Instant};

use modo::{
    mixture::constraint::{Constraints, Region},
    name::Name,
    optimize::{
        Optimum, Surface, default_optimizer,
        goal::{Aim, Goal, Guardrail, Search, maximize},
    },
    predict::{
        Observation, by_name,
        skill::{Settings, assess},
    },
    seed::Seed,
};
use rand::{Rng, seq::SliceRandom};
use rand_distr::{Distribution, Exp1, StandardNormal};

const WHAT: &str = "\
caps       a process on 50 runs of RegMix under caps of 1.5, 2 and 4 times the mean shares: optimum beside the best of
           random allowed mixtures, half of them projected, half by hit and run; milliseconds of one thread over 20 seeds
kinds      every kind of constraint on the same process: violation, local gain, time
guardrails a target under guardrails on the other twelve: what is kept, what it costs, time";

/// Seeds of the search behind each time.
const SEEDS: u64 = 20;

/// Runs fitted.
const RUNS: usize = 50;

fn main() {
    let args: Vec<String> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let option = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    let points = option("--points").map_or(1_000_000, |text| text.parse().expect("a number of points"));
    let Some(table) = regmix() else { return };
    // One thread: what is said of time is processor time.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    pool.install(|| match args.first().map(String::as_str) {
        Some("caps") => caps(&table, points),
        Some("kinds") => kinds(&table),
        Some("guardrails") => guardrails(&table),
        _ => println!("{WHAT}"),
    });
}

/// Fifty runs of RegMix.
struct Table {
    datasets: Vec<Name>,
    /// Mean share over all runs: the prior that the caps are multiples of.
    prior: Vec<f64>,
    /// `[target][run]`, losses turned over so that large is good.
    targets: Vec<(String, Vec<Observation>)>,
}

fn regmix() -> Option<Table> {
    let shared =
        env::var("MODO_SHARED").unwrap_or_else(|_| format!("{}/../shared", env!("CARGO_MANIFEST_DIR")));
    let read = |name: &str| {
        let path = PathBuf::from(&shared).join("data/regmix").join(name);
        let Ok(mut reader) = csv::Reader::from_path(&path) else {
            println!("left out: {name} is not there");
            return None;
        };
        let head: Vec<String> = reader.headers().ok()?.iter().skip(1).map(str::to_owned).collect();
        let rows: Vec<Vec<f64>> = (reader.records())
            .map(|row| row.expect("a row").iter().skip(1).map(|c| c.parse().expect("a number")).collect())
            .collect();
        Some((head, rows))
    };
    let (columns, mut shares) = read("train_mixture_1m.csv")?;
    let (targets, losses) = read("train_pile_loss_1m.csv")?;
    for row in &mut shares {
        let sum: f64 = row.iter().sum();
        for share in row.iter_mut() {
            *share /= sum;
        }
    }
    let mean = |i: usize| shares.iter().map(|row| row[i]).sum::<f64>() / shares.len() as f64;
    let prior = (0..columns.len()).map(mean).collect();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.shuffle(&mut Seed::new(1).child("runs").rng());
    let of = |(i, name): (usize, String)| {
        let run = |&row: &usize| Observation {
            shares: shares[row].clone(),
            score: -losses[row][i],
            noise_variance: None,
        };
        (name, order[..RUNS].iter().map(run).collect())
    };
    Some(Table {
        datasets: (0..columns.len()).map(|i| format!("d{i}").parse().expect("a name")).collect(),
        prior,
        targets: targets.into_iter().enumerate().map(of).collect(),
    })
}

impl Table {
    fn region(&self, toml: &str) -> Region {
        let constraints: Constraints = toml::from_str(toml).expect("constraints");
        constraints.region(&self.datasets, None).expect("constraints that leave something")
    }

    /// Shares at most `times` those of the prior.
    fn capped(&self, times: f64) -> Region {
        let caps: Vec<String> = (self.datasets.iter().zip(&self.prior))
            .map(|(name, share)| format!("{name} = {:.6}", (times * share).min(1.0)))
            .collect();
        self.region(&format!("max = {{ {} }}", caps.join(", ")))
    }

    fn surface(&self, targets: &[usize], weights: &[f64]) -> Surface {
        let runs: Vec<Vec<Observation>> = targets.iter().map(|&i| self.targets[i].1.clone()).collect();
        Surface::fit(by_name("gp3_cube").expect("a predictor").as_ref(), &runs, weights).expect("enough runs")
    }

    /// The dozen runs of highest expectation, as proposals start from.
    fn starts(&self, surface: &Surface) -> Vec<Vec<f64>> {
        let mut starts: Vec<Vec<f64>> = self.targets[0].1.iter().map(|run| run.shares.clone()).collect();
        starts.sort_by(|a, b| surface.mean(b).total_cmp(&surface.mean(a)));
        starts.truncate(12);
        starts
    }
}

/// Processor time of this thread, the only one: others share the machine.
fn processor_seconds() -> f64 {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_THREAD).expect("usage");
    let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + 1e-6 * t.tv_usec() as f64;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

/// The optimum of the first seed; median, smallest and largest milliseconds, and the spread of the values, over seeds.
fn timed(find: impl Fn(Seed) -> Optimum) -> (Optimum, String) {
    let mut took = Vec::new();
    let mut found = Vec::new();
    for seed in 0..SEEDS {
        let begun = processor_seconds();
        found.push(find(Seed::new(seed)));
        took.push(1e3 * (processor_seconds() - begun));
    }
    took.sort_by(f64::total_cmp);
    let values = found.iter().map(|optimum| optimum.value);
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let text = format!(
        "{:.1} ms ({:.1} to {:.1}, n = {SEEDS}), values differ by {:.0e}",
        took[took.len() / 2],
        took[0],
        took[took.len() - 1],
        high - low
    );
    (found.swap_remove(0), text)
}

fn caps(table: &Table, points: usize) {
    println!("gp3_cube on {RUNS} runs of RegMix; best of {points} random allowed mixtures, then the optimum");
    for times in [1.5, 2.0, 4.0] {
        let region = table.capped(times);
        for target in [0, 5, 8] {
            let surface = table.surface(&[target], &[1.0]);
            let starts = table.starts(&surface);
            let (best, time) = timed(|seed| default_optimizer().maximize(&surface, &region, &starts, seed));
            let random = random_best(&surface, &region, &table.prior, points);
            println!(
                "caps {times} × {:30} random {random:.5}, optimum {:.5} ({}), violation {:.0e}, local gain {:.0e}, {time}",
                table.targets[target].0.trim_start_matches("metric/the_pile_"),
                best.value,
                if best.value >= random { "not beaten" } else { "BEATEN" },
                best.violation,
                best.local_gain,
            );
        }
    }
}

/// The highest expectation among random allowed mixtures.
fn random_best(surface: &Surface, region: &Region, prior: &[f64], points: usize) -> f64 {
    let mut rng = Seed::new(6).rng();
    let d = prior.len();
    let mut most = f64::NEG_INFINITY;
    for _ in 0..points / 2 {
        let draws: Vec<f64> = (0..d).map(|_| Exp1.sample(&mut rng)).collect();
        let sum: f64 = draws.iter().sum();
        let point = region.project(&draws.into_iter().map(|draw: f64| draw / sum).collect::<Vec<_>>());
        most = most.max(surface.mean(&point));
    }
    // Hit and run: a random direction of sum 0, a random place on the allowed part of that line, found by bisection.
    let mut at = region.project(prior);
    for _ in points / 2..points {
        let mut direction: Vec<f64> = (0..d).map(|_| StandardNormal.sample(&mut rng)).collect();
        let mean = direction.iter().sum::<f64>() / d as f64;
        for x in &mut direction {
            *x -= mean;
        }
        let moved = |t: f64| -> Vec<f64> { at.iter().zip(&direction).map(|(a, x)| a + t * x).collect() };
        let reach = |sign: f64| {
            let (mut low, mut high) = (0.0, 1.0);
            for _ in 0..20 {
                let middle = f64::midpoint(low, high);
                if region.violation(&moved(sign * middle)) <= 1e-12 { low = middle } else { high = middle }
            }
            low
        };
        let (back, forth) = (reach(-1.0), reach(1.0));
        at = moved(rng.random::<f64>() * (back + forth) - back);
        most = most.max(surface.mean(&at));
    }
    most
}

fn kinds(table: &Table) {
    println!("gp3_cube on {RUNS} runs of RegMix, target {}", table.targets[8].0);
    let surface = table.surface(&[8], &[1.0]);
    let starts = table.starts(&surface);
    for (what, toml) in [
        ("none", ""),
        ("bounds", "min = { d0 = 0.05, d1 = 0.05 }\nmax = { d4 = 0.1, d8 = 0.2, d9 = 0.2 }"),
        (
            "groups",
            "groups.a = { datasets = [\"d0\", \"d1\", \"d8\"], max = 0.3 }\ngroups.b = { datasets = [\"d2\", \"d3\"], min = 0.2 }",
        ),
        (
            "overlapping groups",
            "groups.a = { datasets = [\"d0\", \"d8\"], max = 0.3 }\ngroups.b = { datasets = [\"d8\", \"d9\"], max = 0.25 }",
        ),
        (
            "frozen ratios",
            "groups.a = { datasets = [\"d8\", \"d9\", \"d10\"], ratios = { d8 = 3, d9 = 2, d10 = 1 } }",
        ),
        (
            "linear",
            "linear = [{ weights = { d8 = 1, d0 = -2 }, max = 0 }, { weights = { d3 = 1, d4 = 1 }, min = 0.1 }]",
        ),
        ("at most 4", "at_most = 4"),
        ("total variation", "leash = { total_variation = 0.3 }"),
        ("KL", "leash = { kl = 0.2 }"),
        (
            "all",
            "max = { d8 = 0.3 }\ngroups.a = { datasets = [\"d0\", \"d1\"], min = 0.1 }\nlinear = [{ weights = { d3 = 1, d4 = 1 }, min = 0.1 }]\nleash = { kl = 0.5 }",
        ),
    ] {
        let region = table.region(toml);
        let (best, time) = timed(|seed| default_optimizer().maximize(&surface, &region, &starts, seed));
        println!(
            "{what:20} {:.5}, violation {:.0e}, local gain {:.0e}, {time}",
            best.value, best.violation, best.local_gain
        );
    }
}

fn guardrails(table: &Table) {
    let all: Vec<usize> = (0..table.targets.len()).collect();
    let mut weights = vec![0.0; all.len()];
    weights[8] = 1.0;
    let method = by_name("gp3_cube").expect("a predictor");
    let runs: Vec<Vec<Observation>> = table.targets.iter().map(|(_, runs)| runs.clone()).collect();
    let settings = Settings { n_permutations: 0, ..Settings::default() };
    let skill = assess(method.as_ref(), &runs, &weights, &settings).expect("enough runs");
    let surface = table.surface(&all, &weights);
    let starts = table.starts(&surface);
    let d = table.datasets.len();
    let region = table.region("");
    println!("{} under guardrails on the other twelve, 90 %; gain over uniform shares", table.targets[8].0);
    for within in [f64::INFINITY, 0.5, 0.1, 0.0] {
        let guardrails: Vec<Guardrail> = (all.iter().filter(|&&i| i != 8 && within.is_finite()))
            .map(|&i| Guardrail {
                name: table.targets[i].0.clone(),
                members: vec![(i, 1.0)],
                within,
                chance: 0.9,
                than: vec![1.0 / d as f64; d],
                than_words: "uniform shares".to_owned(),
                skill: skill.targets[i].clone(),
                unit: 0.5,
            })
            .collect();
        let goal = Goal { aim: Aim::Sum, guardrails };
        let begun = Instant::now();
        let optimizer = default_optimizer();
        let search = Search { optimizer: optimizer.as_ref(), starts: &starts, seed: Seed::new(1) };
        let best = maximize(&surface, &goal, &region, &search);
        let took = 1e3 * begun.elapsed().as_secs_f64();
        let gain = surface.difference(&best.shares, &vec![1.0 / d as f64; d]).mean;
        let kept: Vec<_> = goal.guardrails.iter().map(|rail| rail.kept(&surface, &best.shares)).collect();
        println!(
            "within {within}: gain {gain:.4}, {} of {} kept, {} binding, violation {:.0e}, {took:.0} ms (n = 1)",
            kept.iter().filter(|rail| rail.kept).count(),
            kept.len(),
            kept.iter().filter(|rail| rail.binding).count(),
            best.violation,
        );
    }
}
