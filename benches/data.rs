//! Reading a mixture: index, restore, decoded pictures per CPU second, private memory.
//!
//! `python benches/peers/data_peers.py make FOLDER`, then `cargo bench --bench data -- FOLDER [SAMPLES] [COPIES]`.
//! COPIES lists every set so many times under other names and splits its share: the same work with more datasets.

#![expect(clippy::print_stdout, reason = "a bench run by hand prints its table")]

use std::{
    collections::BTreeMap,
    fs,
    hint::black_box,
    path::{Path, PathBuf},
    time::Instant,
};

use modo::{
    data::{Catalog, Portion, picture},
    mixture::Mixture,
    name::Name,
    sample::Rows,
    sampler::{Dataset, Schedule, Settings, resolve, source},
    seed::Seed,
};

const SHARES: [f64; 5] = [0.35, 0.25, 0.20, 0.15, 0.05];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let Some(folder) = arguments.first().map(PathBuf::from) else {
        println!("give the folder that benches/peers/data_peers.py made");
        return;
    };
    let number = |at: usize, otherwise| arguments.get(at).and_then(|a| a.parse().ok()).unwrap_or(otherwise);
    let (samples, copies): (u64, usize) = (number(1, 10_000), number(2, 1) as usize);
    let cache = tempfile::tempdir().expect("a folder for the index");
    let bytes: u64 = fs::read_dir(&folder)
        .expect("the folder is there")
        .filter_map(|f| Some(f.ok()?.metadata().ok().filter(std::fs::Metadata::is_file)?.len()))
        .sum();

    // Every byte once, as nothing can be faster than that.
    let (wall, cpu) = (Instant::now(), cpu_s());
    for file in fs::read_dir(&folder).expect("the folder is there").flatten().filter(|f| f.path().is_file()) {
        black_box(fs::read(file.path()).expect("a file"));
    }
    println!(
        "read {} MiB once: {:.2} s wall, {:.2} s CPU",
        bytes >> 20,
        wall.elapsed().as_secs_f64(),
        cpu_s() - cpu
    );
    let (wall, cpu) = (Instant::now(), cpu_s());
    drop(open(&folder, cache.path(), copies));
    println!("index: {:.2} s wall, {:.2} s CPU", wall.elapsed().as_secs_f64(), cpu_s() - cpu);

    let mut firsts = Vec::new();
    for _ in 0..5 {
        let wall = Instant::now();
        let (schedule, rows) = open(&folder, cache.path(), copies);
        let rows: Vec<&dyn Rows> = rows.iter().map(AsRef::as_ref).collect();
        let draw = schedule.draw(1_000_000).expect("it has no end");
        let sample = resolve(&schedule, &draw, &rows).expect("the rows are good").sample;
        black_box(picture::decode(&sample.pictures[0]).expect("a good picture"));
        firsts.push(wall.elapsed().as_secs_f64() * 1e3);
    }
    firsts.sort_by(f64::total_cmp);
    println!(
        "open and first sample at draw 10^6: {:.1} [{:.1}, {:.1}] ms wall",
        firsts[2], firsts[0], firsts[4]
    );

    let (schedule, rows) = open(&folder, cache.path(), copies);
    let rows: Vec<&dyn Rows> = rows.iter().map(AsRef::as_ref).collect();
    let mut rates = Vec::new();
    for repeat in 0..3 {
        let cpu = cpu_s();
        for draw in schedule.draws(repeat * samples).take(samples as usize) {
            let sample = resolve(&schedule, &draw, &rows).expect("the rows are good").sample;
            black_box(picture::decode(&sample.pictures[0]).expect("a good picture"));
        }
        rates.push(samples as f64 / (cpu_s() - cpu));
    }
    rates.sort_by(f64::total_cmp);
    println!("decoded pictures: {:.0} [{:.0}, {:.0}] per CPU s", rates[1], rates[0], rates[2]);
    println!("private memory: {:.0} MiB", private_mib());

    // The floor: the same pictures, already in memory.
    let drawn: Vec<_> = schedule
        .draws(0)
        .take(samples as usize)
        .map(|draw| resolve(&schedule, &draw, &rows).expect("the rows are good").sample.pictures)
        .collect();
    let mut floors = Vec::new();
    for _ in 0..3 {
        let cpu = cpu_s();
        for pictures in &drawn {
            black_box(picture::decode(&pictures[0]).expect("a good picture"));
        }
        floors.push(samples as f64 / (cpu_s() - cpu));
    }
    floors.sort_by(f64::total_cmp);
    println!("decoding alone: {:.0} [{:.0}, {:.0}] per CPU s", floors[1], floors[0], floors[2]);
}

/// The datasets of the folder, opened, and the order of their draws.
fn open(folder: &Path, cache: &Path, copies: usize) -> (Schedule, Vec<Box<dyn Rows>>) {
    let catalog = Catalog::read(&folder.join("datasets.toml")).expect("its catalogue");
    let (mut datasets, mut opened, mut shares) = (Vec::new(), Vec::new(), BTreeMap::new());
    for copy in 0..copies {
        for (k, share) in SHARES.iter().enumerate() {
            let own: Name = format!("set{k}").parse().expect("a name");
            let name: Name = format!("set{k}-{copy}").parse().expect("a name");
            let config = catalog.get(&own).expect("a dataset");
            let rows = source::open(&name, config, folder, Portion::All, Some(cache)).expect("it opens");
            // Copies have their own order, as other datasets would.
            let content_hash = blake3::keyed_hash(rows.content_hash().as_bytes(), &copy.to_le_bytes());
            datasets.push(Dataset { name: name.clone(), content_hash, rows: rows.len() });
            shares.insert(name, share / copies as f64);
            opened.push(rows);
        }
    }
    let mixture = Mixture::new(&shares).expect("shares that sum to 1");
    let schedule =
        Schedule::new(&mixture, &datasets, Seed::new(1), &Settings::default()).expect("a schedule");
    (schedule, opened)
}

/// CPU seconds of this process.
fn cpu_s() -> f64 {
    let usage =
        nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).expect("it always works");
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

/// Memory that is this process's own.
fn private_mib() -> f64 {
    let text = fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let kib = |line: &str| line.split_whitespace().nth(1).and_then(|n| n.parse::<f64>().ok());
    text.lines().filter(|line| line.starts_with("Private")).filter_map(kib).sum::<f64>() / 1024.0
}
