//! Reading a mixture: index, restore, decoded pictures per CPU second, private memory.
//!
//! `python benches/peers/data_peers.py make FOLDER`, then `cargo bench --bench data -- FOLDER [SAMPLES] [COPIES]`.
//! COPIES lists every set so many times under other names and splits its share: the same work with more datasets.
//! With 0 SAMPLES only the index is made; `make_large` writes a folder for that. `cargo bench --bench data -- bombs`: how long
//! it takes to refuse pictures that say they have 60 000×60 000 pixels.

#![expect(clippy::print_stdout, reason = "a bench run by hand prints its table")]

use std::{
    collections::BTreeMap,
    fs,
    hint::black_box,
    io::{Cursor, Read},
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use image::{ImageFormat, RgbImage};
use modo::{
    data::{Catalog, Portion, picture},
    mixture::Mixture,
    name::Name,
    sample::{Picture, Rows},
    sampler::{Dataset, Schedule, Settings, resolve, source},
    seed::Seed,
};

const SHARES: [f64; 5] = [0.35, 0.25, 0.20, 0.15, 0.05];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if let [word, folder, cache, samples, copies] = &arguments[..]
        && word == "reader"
    {
        let number = |text: &str| text.parse().expect("a number");
        return reader(folder.as_ref(), cache.as_ref(), number(samples), number(copies) as usize);
    }
    if arguments.first().is_some_and(|word| word == "bombs") {
        return bombs();
    }
    let Some(folder) = arguments.first().map(PathBuf::from) else {
        println!("give the folder that benches/peers/data_peers.py made");
        return;
    };
    let number = |at: usize, otherwise| arguments.get(at).and_then(|a| a.parse().ok()).unwrap_or(otherwise);
    let (samples, copies): (u64, usize) = (number(1, 10_000), number(2, 1) as usize);
    let cache = tempfile::tempdir().expect("a folder for the index");
    let bytes: u64 = files(&folder).map(|file| file.metadata().expect("a file").len()).sum();

    // Every byte once, as nothing can be faster than that; both first from the disk, then from memory.
    for from in ["disk", "memory"] {
        if from == "disk" {
            files(&folder).for_each(|file| forget(&file));
        }
        let (wall, cpu) = (Instant::now(), cpu_s());
        let mut buffer = vec![0; 1 << 20];
        for file in files(&folder) {
            let mut file = fs::File::open(file).expect("a file");
            while file.read(&mut buffer).expect("it can be read") > 0 {
                black_box(&buffer);
            }
        }
        let (read, read_cpu) = (wall.elapsed().as_secs_f64(), cpu_s() - cpu);
        println!("{} MiB from {from}: read once {read:.2} s wall, {read_cpu:.2} s CPU", bytes >> 20);
        if from == "disk" {
            files(&folder).for_each(|file| forget(&file));
        }
        let cache = tempfile::tempdir().expect("a folder for the index");
        let (wall, cpu) = (Instant::now(), cpu_s());
        drop(open(&folder, cache.path(), copies));
        let (index, index_cpu) = (wall.elapsed().as_secs_f64(), cpu_s() - cpu);
        println!("  index {index:.2} s wall, {index_cpu:.2} s CPU: {:.2} times the wall time", index / read);
    }
    if samples == 0 {
        return;
    }
    drop(open(&folder, cache.path(), copies));
    // In a process of its own, whose memory is that of a reader alone.
    let program = std::env::current_exe().expect("a running program has a file");
    let arguments = [&samples.to_string(), &copies.to_string()];
    let reader = Command::new(program).arg("reader").arg(&folder).arg(cache.path()).args(arguments).status();
    assert!(reader.is_ok_and(|status| status.success()), "the reader failed");
}

/// Reads with a built index.
fn reader(folder: &Path, cache: &Path, samples: u64, copies: usize) {
    let (mut firsts, mut first_cpus) = (Vec::new(), Vec::new());
    for _ in 0..9 {
        let (wall, cpu) = (Instant::now(), cpu_s());
        let (schedule, rows) = open(folder, cache, copies);
        let rows: Vec<&dyn Rows> = rows.iter().map(AsRef::as_ref).collect();
        let draw = schedule.draw(1_000_000).expect("it has no end");
        let sample = resolve(&schedule, &draw, &rows).expect("the rows are good").sample;
        black_box(picture::decode(&sample.pictures[0]).expect("a good picture"));
        firsts.push(wall.elapsed().as_secs_f64() * 1e3);
        first_cpus.push((cpu_s() - cpu) * 1e3);
    }
    firsts.sort_by(f64::total_cmp);
    first_cpus.sort_by(f64::total_cmp);
    println!(
        "open and first sample at draw 10^6: {:.1} [{:.1}, {:.1}] ms wall, {:.1} ms CPU",
        firsts[4], firsts[0], firsts[8], first_cpus[4]
    );

    let (schedule, rows) = open(folder, cache, copies);
    let rows: Vec<&dyn Rows> = rows.iter().map(AsRef::as_ref).collect();
    let mut rates = Vec::new();
    for repeat in 0..5 {
        let cpu = cpu_s();
        for draw in schedule.draws(repeat * samples).take(samples as usize) {
            let sample = resolve(&schedule, &draw, &rows).expect("the rows are good").sample;
            black_box(picture::decode(&sample.pictures[0]).expect("a good picture"));
        }
        rates.push(samples as f64 / (cpu_s() - cpu));
    }
    rates.sort_by(f64::total_cmp);
    println!("decoded pictures: {:.0} [{:.0}, {:.0}] per CPU s", rates[2], rates[0], rates[4]);
    let [dirty, clean] = ["Private_Dirty", "Private_Clean"].map(memory_mib);
    println!(
        "private memory: {dirty:.0} MiB, and {clean:.0} MiB of pages of files that nobody else has mapped"
    );

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

/// Refuses headers that promise too much.
fn bombs() {
    const REPEATS: u32 = 1000;
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::Bmp] {
        let mut bytes = Cursor::new(Vec::new());
        RgbImage::new(4, 3).write_to(&mut bytes, format).expect("memory");
        let mut bytes = bytes.into_inner();
        let side = 60_000_u32;
        match format {
            ImageFormat::Png => {
                let sides = [side.to_be_bytes(), side.to_be_bytes()].concat();
                bytes[16..24].copy_from_slice(&sides);
                let mut crc = flate2::Crc::new();
                crc.update(&bytes[12..29]);
                bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
            }
            ImageFormat::Jpeg => {
                let frame = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a frame");
                let side = (side as u16).to_be_bytes();
                bytes[frame + 5..frame + 9].copy_from_slice(&[side, side].concat());
            }
            ImageFormat::Gif => bytes[6..10].copy_from_slice(&[(side as u16).to_le_bytes(); 2].concat()),
            _ => bytes[18..26].copy_from_slice(&[side.to_le_bytes(); 2].concat()),
        }
        let bomb = Picture::Encoded(bytes.into());
        let cpu = cpu_s();
        for _ in 0..REPEATS {
            assert!(black_box(picture::decode(&bomb)).is_err(), "{format:?}");
        }
        println!("{format:?}: {:.1} µs CPU to refuse", (cpu_s() - cpu) * 1e6 / f64::from(REPEATS));
    }
}

/// The Parquet files of the folder.
fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is there").flatten();
    entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "parquet"))
}

/// Drops a file from the system's memory, where `dd` can.
fn forget(file: &Path) {
    let argument = format!("if={}", file.display());
    let _ = Command::new("dd").args([&argument, "iflag=nocache", "count=0", "status=none"]).status();
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

/// Memory of this process by the kernel's word for it.
fn memory_mib(word: &str) -> f64 {
    let text = fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let kib = |line: &str| line.split_whitespace().nth(1).and_then(|n| n.parse::<f64>().ok());
    text.lines().filter(|line| line.starts_with(word)).filter_map(kib).sum::<f64>() / 1024.0
}
