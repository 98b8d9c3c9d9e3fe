//! Draws per second, time to make the table of draws, time to seek: `cargo bench --bench draws`.

#![expect(clippy::print_stdout, reason = "a bench run by hand prints its table")]

use std::{collections::BTreeMap, hint::black_box, time::Duration};

use modo::{
    mixture::Mixture,
    name::Name,
    sampler::{Dataset, Schedule, Settings},
    seed::Seed,
};

const N_DRAWS: u64 = 4_000_000;
const N_SEEKS: u64 = 1_000_000;
/// Schedules that are made for one figure: CPU time has a step of some milliseconds.
const N_TABLES: u32 = 10;
const N_FIRST: u32 = 200;
const REPEATS: usize = 7;

fn main() {
    println!(
        "one core, CPU time, median and range of {REPEATS} repeats of {N_DRAWS} draws with row, {N_SEEKS} seeks, \
         {N_TABLES} tables"
    );
    let cases = [
        ("5 datasets, 20 draws a period", vec![0.35, 0.25, 0.20, 0.15, 0.05]),
        ("5 datasets", skewed(5)),
        ("50 datasets", skewed(50)),
        ("300 datasets", skewed(300)),
        ("300 datasets, equal shares", vec![1.0 / 300.0; 300]),
        ("1000 datasets", skewed(1000)),
    ];
    for (name, shares) in cases {
        let datasets: Vec<Dataset> = (0..shares.len())
            .map(|i| Dataset {
                name: format!("d{i:04}").parse().expect("letters and digits"),
                content_hash: blake3::hash(&i.to_le_bytes()),
                rows: 10_000,
            })
            .collect();
        let by_name: BTreeMap<Name, f64> =
            datasets.iter().zip(&shares).map(|(d, s)| (d.name.clone(), *s)).collect();
        let mixture = Mixture::new(&by_name).expect("shares sum to 1");
        let make = || {
            Schedule::new(&mixture, &datasets, Seed::new(1), &Settings::default()).expect("a valid schedule")
        };

        // From nothing to draw 0, to draw 20 000 (a run of 150 steps of 128 prompts), to the last one of a period.
        let to = |n: u64, times: u32| {
            let all = repeat(|| (0..times).for_each(|_| drop(black_box(make().draw(n)))));
            all.into_iter().map(|time| time / times).collect::<Vec<_>>()
        };
        let (first, run, whole) = (to(0, N_FIRST), to(20_000, N_FIRST), to(999_999, N_TABLES));
        let schedule = make();
        let _ = schedule.draw(999_999);
        let draw = repeat(|| {
            for draw in schedule.draws(0).take(N_DRAWS as usize) {
                black_box((draw.dataset, draw.row));
            }
        });
        let seek = |around: u64| {
            repeat(|| {
                for i in 0..N_SEEKS {
                    // An odd step visits the table in no order that a cache could foresee.
                    let _ = black_box(schedule.draw(around + i * 618_033 % 1_000_000));
                }
            })
        };
        let (near, far) = (seek(1_000_000), seek(1_000_000_000_000));
        println!("{name}; first share {:.3}", shares[0]);
        let ms = |d: &Duration| d.as_secs_f64() * 1e3;
        println!("  schedule and draw 0       {} ms", range(&first, ms));
        println!("  schedule and draw 20 000  {} ms", range(&run, ms));
        println!("  schedule and whole period {} ms", range(&whole, ms));
        println!("  draws with row  {} million/s", range(&draw, |d| N_DRAWS as f64 / d.as_secs_f64() / 1e6));
        println!("  seek near 10^6  {} ns", range(&near, |d| d.as_secs_f64() * 1e9 / N_SEEKS as f64));
        println!("  seek near 10^12 {} ns", range(&far, |d| d.as_secs_f64() * 1e9 / N_SEEKS as f64));
    }
}

/// Shares that fall off as a square and have no common divisor in millionths.
fn skewed(n: usize) -> Vec<f64> {
    let raw: Vec<f64> = (0..n).map(|i| (1.0 - i as f64 / n as f64).powi(2) + 0.001_234).collect();
    let sum: f64 = raw.iter().sum();
    raw.into_iter().map(|r| r / sum).collect()
}

fn repeat(mut work: impl FnMut()) -> Vec<Duration> {
    let mut times: Vec<Duration> = (0..REPEATS)
        .map(|_| {
            let start = cpu();
            work();
            cpu().saturating_sub(start)
        })
        .collect();
    times.sort_unstable();
    times
}

/// CPU time of this process.
fn cpu() -> Duration {
    let usage =
        nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).expect("it always works");
    let time = |time: nix::sys::time::TimeVal| {
        Duration::from_secs(time.tv_sec() as u64) + Duration::from_micros(time.tv_usec() as u64)
    };
    time(usage.user_time()) + time(usage.system_time())
}

fn range(sorted: &[Duration], unit: impl Fn(&Duration) -> f64) -> String {
    let [first, last] = [&sorted[0], &sorted[sorted.len() - 1]].map(&unit);
    format!("{:.2} [{:.2}, {:.2}]", unit(&sorted[sorted.len() / 2]), first.min(last), first.max(last))
}
