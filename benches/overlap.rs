//! Pictures that datasets share: precision and recall of near pictures, time per picture, and how the search grows.
//!
//! - `cargo bench --bench overlap -- quality FOLDER [EVERY]`: FOLDER holds `bccd_detect`, `tabmwp`, `nlvr` and `mathv`
//!   (`../shared/data/real`). Every EVERYth distinct picture of them is taken; half of these are one dataset, the other
//!   dataset holds a copy of each of them, every kind in turn, and the untouched other half, which has no original.
//! - `cargo bench --bench overlap -- time FOLDER [PICTURES]`: 640×480 JPEGs, random parts of those of `bccd_detect`,
//!   read through as `modo data check` does it.
//! - `cargo bench --bench overlap -- search FOLDER [PICTURES]...`: so many different small pictures, random parts of the
//!   pictures of FOLDER, compared with each other.
//! - `cargo bench --bench overlap -- photos [PICTURES]...`: so many made pictures with the spectrum of photographs, of which
//!   every fiftieth is a part of an earlier one.

#![expect(clippy::print_stdout, reason = "a bench run by hand prints its table")]

use std::{
    collections::{BTreeMap, HashSet},
    io::Cursor,
    path::{Path, PathBuf},
    sync::Arc,
};

use image::{DynamicImage, ImageFormat, RgbImage, codecs::jpeg::JpegEncoder, imageops};
use modo::{
    data::{
        self, Catalog, Portion,
        check::scan,
        overlap::{Builder, Level, Prints, Side, compare},
        picture,
    },
    sample::{Answer, BadRow, Picture, Rows, Sample},
    seed::Seed,
};
use rand::Rng;

const KINDS: [&str; 10] = [
    "coded again, JPEG 30 to 90",
    "resized, 0.4 to 1.8",
    "stretched, sides 0.6 to 1.4 each",
    "cut, side 0.9 to 1",
    "cut, side 0.8 to 0.9",
    "cut, sides 0.85 to 1 each",
    "darker or brighter",
    "tinted",
    "grey",
    "cut 0.85 to 1, resized, JPEG 50",
];

/// Pictures as a dataset.
struct Pictures(Vec<(String, Arc<[u8]>)>);

impl Rows for Pictures {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn row(&self, index: u64) -> Result<Sample, BadRow> {
        let (id, bytes) = self.0[index as usize].clone();
        let (pictures, question) = (vec![Picture::Encoded(bytes)], id.clone());
        Ok(Sample { id, pictures, question, options: Vec::new(), answer: Answer::Number(0.0) })
    }

    fn content_hash(&self) -> blake3::Hash {
        blake3::hash(b"pictures")
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let number = |at: usize, otherwise| arguments.get(at).and_then(|a| a.parse().ok()).unwrap_or(otherwise);
    let folder = arguments.get(1).map(PathBuf::from).unwrap_or_default();
    let sizes = |from: usize, otherwise: &[usize]| -> Vec<usize> {
        let given: Vec<usize> = arguments.iter().skip(from).filter_map(|size| size.parse().ok()).collect();
        if given.is_empty() { otherwise.to_vec() } else { given }
    };
    match arguments.first().map(String::as_str) {
        Some("quality") => quality(&folder, number(2, 1)),
        Some("time") => time(&folder, number(2, 2000)),
        Some("search") => search(&folder, &sizes(2, &[1000, 5000, 20_000])),
        Some("photos") => photos(&sizes(1, &[1000, 10_000, 100_000])),
        _ => println!("give `quality`, `time` or `search` and the folder of the real slices, or `photos`"),
    }
}

/// Every `every`th distinct picture of the slices, with what to call it.
fn originals(folder: &Path, names: &[&str], every: usize) -> Vec<(String, RgbImage)> {
    let catalog = Catalog::embedded();
    let (mut images, mut seen) = (Vec::new(), HashSet::new());
    for name in names {
        let name = name.parse().expect("a name");
        let rows = data::open(&name, catalog.get(&name).expect("a dataset"), folder, Portion::All, None)
            .expect("the slices are there");
        let mut met = 0;
        for row in 0..rows.len() {
            let Ok(sample) = rows.row(row) else { continue };
            let Some(first) = sample.pictures.first().filter(|p| seen.insert(p.hash())) else { continue };
            met += 1;
            if met % every == 0 {
                images.push((format!("{name}:{row}"), picture::decode(first).expect("a good picture")));
            }
        }
    }
    images
}

const ALL: [&str; 8] =
    ["bccd_detect", "bccd_detect_val", "tabmwp", "tabmwp_val", "nlvr", "nlvr_val", "mathv", "mathv_val"];

fn quality(folder: &Path, every: usize) {
    let images = originals(folder, &ALL, every);
    // In turn, so that both halves hold all sets.
    let (originals, others): (Vec<_>, Vec<_>) = images.into_iter().enumerate().partition(|(i, _)| i % 2 == 0);
    let one = Pictures(originals.iter().map(|(_, (id, image))| (id.clone(), png(image))).collect());
    let mut copies = Vec::new();
    for (i, (_, (id, image))) in originals.iter().enumerate() {
        let kind = i % KINDS.len();
        copies.push((format!("{kind} {id}"), copy(image, kind, i as u64)));
    }
    copies.extend(others.iter().map(|(_, (id, image))| (format!("other {id}"), png(image))));
    let two = Pictures(copies);
    let [first, second] = [&one, &two].map(|rows| Prints::of(rows).expect("a temporary file"));
    let cpu = cpu_s();
    let sides = [Side { prints: &first, rows: &one }, Side { prints: &second, rows: &two }];
    let shared = compare(&sides, |of, with| of == 1 && with == 0, |_, _| ());
    println!("{} and {} pictures, compared in {:.2} s CPU", one.len(), two.len(), cpu_s() - cpu);
    let hits: Vec<_> = shared.iter().flat_map(|s| &s.hits).filter(|hit| hit.level.leaks()).collect();
    let right: HashSet<&str> = hits
        .iter()
        .filter(|hit| hit.row.ends_with(&format!(" {}", hit.other)))
        .map(|hit| hit.row.as_str())
        .collect();
    let mut found: BTreeMap<(usize, &str), [u64; 2]> = BTreeMap::new();
    for (id, _) in two.0.iter().filter(|(id, _)| !id.starts_with("other")) {
        let (kind, set) = id.split_once(' ').expect("a kind");
        let set = set.split([':', '_']).next().expect("a set");
        let counts = found.entry((kind.parse().expect("a kind"), set)).or_default();
        counts[0] += u64::from(right.contains(id.as_str()));
        counts[1] += 1;
    }
    let sum = |of: &dyn Fn(&(usize, &str)) -> bool| {
        let counts = found.iter().filter(|(key, _)| of(key)).map(|(_, counts)| *counts);
        let [n, of] = counts.fold([0, 0], |a, b| [a[0] + b[0], a[1] + b[1]]);
        format!("{n} of {of}")
    };
    let sets = ["bccd", "tabmwp", "nlvr", "mathv"];
    for (kind, name) in KINDS.iter().enumerate() {
        let each: Vec<String> =
            sets.iter().map(|set| format!("{set} {}", sum(&|key| *key == (kind, *set)))).collect();
        println!("{name}: {} ({})", sum(&|key| key.0 == kind), each.join(", "));
    }
    let exact = hits.iter().filter(|hit| hit.level < Level::NearPicture).count();
    let wrong: Vec<String> = hits
        .iter()
        .filter(|hit| !right.contains(hit.row.as_str()))
        .map(|hit| format!("{} = {}", hit.row, hit.other))
        .collect();
    println!("found: {} of {}, {exact} of them with equal pixels", right.len(), originals.len());
    println!("wrong: {} of {} hits: {}", wrong.len(), hits.len(), wrong.join(", "));
}

fn time(folder: &Path, pictures: usize) {
    let images = originals(folder, &["bccd_detect", "bccd_detect_val"], 1);
    let mut rng = Seed::new(1).rng();
    let jpegs = (0..pictures).map(|i| {
        let (_, image) = &images[i % images.len()];
        let part = part(image, &mut rng, 0.5);
        let image = imageops::resize(&part, 640, 480, imageops::FilterType::Triangle);
        (i.to_string(), jpeg(&image, 90))
    });
    let rows = Pictures(jpegs.collect());
    let bytes: usize = rows.0.iter().map(|(_, bytes)| bytes.len()).sum();
    println!("{pictures} JPEGs of 640×480, {} kB each", bytes / pictures / 1000);
    let ms = |cpu: f64| cpu * 1e3 / pictures as f64;
    let cpu = cpu_s();
    for row in 0..rows.len() {
        let _ = picture::decode(&rows.row(row).expect("a row").pictures[0]).map(std::hint::black_box);
    }
    println!("decoding alone: {:.2} ms CPU a picture", ms(cpu_s() - cpu));
    let cpu = cpu_s();
    let mut builder = Builder::new(None).expect("a temporary file");
    let visit = |seen: &modo::data::check::Seen, _: &mut _| {
        builder.add(seen.row, seen.sample, seen.pictures).expect("a temporary file");
    };
    scan(&rows, u64::MAX, visit, |_| ());
    let prints = builder.finish(None).expect("a temporary file");
    println!("reading through, prints included: {:.2} ms CPU a picture", ms(cpu_s() - cpu));
    let cpu = cpu_s();
    compare(&[Side { prints: &prints, rows: &rows }], |_, _| true, |_, _| ());
    println!("comparing with each other: {:.2} ms CPU a picture", ms(cpu_s() - cpu));
}

fn search(folder: &Path, sizes: &[usize]) {
    let images = originals(folder, &ALL, 1);
    for &size in sizes {
        let mut rng = Seed::new(2).rng();
        let small = (0..size).map(|i| {
            let part = part(&images[i % images.len()].1, &mut rng, 0.3);
            let small = imageops::thumbnail(&part, 96, 96);
            let turned =
                if (i / images.len()).is_multiple_of(2) { small } else { imageops::rotate90(&small) };
            (i.to_string(), png(&turned))
        });
        let rows = Pictures(small.collect());
        let prints = Prints::of(&rows).expect("a temporary file");
        let cpu = cpu_s();
        let shared = compare(&[Side { prints: &prints, rows: &rows }], |_, _| true, |_, _| ());
        let cpu = cpu_s() - cpu;
        let near = shared[0].hits.iter().filter(|hit| hit.level.leaks()).count();
        println!(
            "{size} pictures: {cpu:.1} s CPU, {:.2} ms a picture; {near} with an earlier one like it",
            cpu * 1e3 / size as f64
        );
    }
}

/// Made pictures, each as it is asked for.
struct Photos(u64);

impl Rows for Photos {
    fn len(&self) -> u64 {
        self.0
    }

    fn row(&self, index: u64) -> Result<Sample, BadRow> {
        let image = match original(index) {
            Some(original) => {
                let mut rng = Seed::new(5).child(index).rng();
                let image = photo(original);
                let side = (96.0 * (0.85 + 0.15 * rng.random::<f64>())) as u32;
                let [x, y] = [0, 1].map(|_| (f64::from(96 - side) * rng.random::<f64>()) as u32);
                let part = imageops::crop_imm(&image, x, y, side, side).to_image();
                let mut part = imageops::resize(&part, 90, 90, imageops::FilterType::Triangle);
                part.pixels_mut().for_each(|p| p.0 = p.0.map(|v| (f32::from(v) * 0.8 + 12.0) as u8));
                part
            }
            None => photo(index),
        };
        let (width, height) = image.dimensions();
        let pictures = vec![Picture::Rgb { width, height, pixels: image.into_raw().into() }];
        let (id, question) = (index.to_string(), index.to_string());
        Ok(Sample { id, pictures, question, options: Vec::new(), answer: Answer::Number(0.0) })
    }

    fn content_hash(&self) -> blake3::Hash {
        blake3::hash(b"photos")
    }
}

/// The picture that one is a part of.
fn original(index: u64) -> Option<u64> {
    (index % 50 == 49).then(|| index - 25)
}

/// Noise in six sizes, from half a picture down to a sixty-fourth, whose contrast halves with the size; 96×96.
fn photo(number: u64) -> RgbImage {
    let mut rng = Seed::new(4).child(number).rng();
    let mut values = vec![[128.0_f32; 3]; 96 * 96];
    for octave in 1..=6 {
        let cells = 1_usize << octave;
        let contrast = 170.0 / cells as f32;
        let grid: Vec<[f32; 3]> = (0..(cells + 1) * (cells + 1))
            .map(|_| {
                let grey = rng.random::<f32>() - 0.5;
                // Colours follow the brightness, mostly.
                [0; 3].map(|_| 2.0 * contrast * (grey + 0.3 * (rng.random::<f32>() - 0.5)))
            })
            .collect();
        for (i, value) in values.iter_mut().enumerate() {
            let at = |pixel: usize| (pixel * cells / 96, (pixel * cells % 96) as f32 / 96.0);
            let ((x, u), (y, v)) = (at(i % 96), at(i / 96));
            let corner = |dx: usize, dy: usize| grid[(y + dy) * (cells + 1) + x + dx];
            for (c, value) in value.iter_mut().enumerate() {
                let above = corner(0, 0)[c] * (1.0 - u) + corner(1, 0)[c] * u;
                let below = corner(0, 1)[c] * (1.0 - u) + corner(1, 1)[c] * u;
                *value += above * (1.0 - v) + below * v;
            }
        }
    }
    RgbImage::from_fn(96, 96, |x, y| {
        image::Rgb(values[(y * 96 + x) as usize].map(|v| v.clamp(0.0, 255.0) as u8))
    })
}

fn photos(sizes: &[usize]) {
    for &size in sizes {
        let rows = Photos(size as u64);
        let prints = Prints::of(&rows).expect("a temporary file");
        let cpu = cpu_s();
        let shared = compare(&[Side { prints: &prints, rows: &rows }], |_, _| true, |_, _| ());
        let cpu = cpu_s() - cpu;
        let hits: Vec<_> = shared[0].hits.iter().filter(|hit| hit.level.leaks()).collect();
        let of = |row: &str| original(row.parse().expect("a number")).map(|n| n.to_string());
        let right = hits.iter().filter(|hit| of(&hit.row).as_deref() == Some(hit.other.as_str())).count();
        println!(
            "{size} pictures: {cpu:.1} s CPU, {:.2} ms a picture; {right} of {} parts found, {} wrong",
            cpu * 1e3 / size as f64,
            size / 50,
            hits.len() - right
        );
    }
}

/// A random part with sides from `least` of the picture's up to all of it, mirrored or not.
fn part(image: &RgbImage, rng: &mut impl Rng, least: f64) -> RgbImage {
    let side = |pixels: u32, rng: &mut dyn FnMut() -> f64| {
        let length = ((least + (1.0 - least) * rng()) * f64::from(pixels)) as u32;
        ((f64::from(pixels - length) * rng()) as u32, length.max(1))
    };
    let mut next = || rng.random::<f64>();
    let (x, width) = side(image.width(), &mut next);
    let (y, height) = side(image.height(), &mut next);
    let part = imageops::crop_imm(image, x, y, width, height).to_image();
    if next() < 0.5 { imageops::flip_horizontal(&part) } else { part }
}

fn png(image: &RgbImage) -> Arc<[u8]> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png).expect("memory");
    bytes.into_inner().into()
}

fn jpeg(image: &RgbImage, quality: u8) -> Arc<[u8]> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(image).expect("memory");
    bytes.into()
}

/// A copy of a picture, changed in one of [`KINDS`].
fn copy(image: &RgbImage, kind: usize, number: u64) -> Arc<[u8]> {
    let mut rng = Seed::new(3).child("copy").child(number).rng();
    let (width, height) = image.dimensions();
    let mut between = |least: f64, most: f64| least + (most - least) * rng.random::<f64>();
    let resized = |image: &RgbImage, x: f64, y: f64| {
        let side = |pixels: u32, by: f64| ((f64::from(pixels) * by).round() as u32).max(1);
        let (width, height) = (side(image.width(), x), side(image.height(), y));
        imageops::resize(image, width, height, imageops::FilterType::Lanczos3)
    };
    let cut = |x: f64, y: f64, [w, h]: [f64; 2]| {
        let side = |pixels: u32, by: f64| ((f64::from(pixels) * by).round() as u32).max(1);
        let (w, h) = (side(width, w), side(height, h));
        let at = |pixels: u32, length: u32, share: f64| (f64::from(pixels - length) * share) as u32;
        imageops::crop_imm(image, at(width, w, x), at(height, h, y), w, h).to_image()
    };
    let changed = |of: &dyn Fn(usize, f64) -> f64| {
        let mut image = image.clone();
        for pixel in image.pixels_mut() {
            for (channel, value) in pixel.0.iter_mut().enumerate() {
                *value = of(channel, f64::from(*value)).round().clamp(0.0, 255.0) as u8;
            }
        }
        image
    };
    match kind {
        0 => jpeg(image, between(30.0, 90.0) as u8),
        1 => {
            let by = between(0.4, 1.8);
            png(&resized(image, by, by))
        }
        2 => png(&resized(image, between(0.6, 1.4), between(0.6, 1.4))),
        3 | 4 => {
            let side = if kind == 3 { between(0.9, 1.0) } else { between(0.8, 0.9) };
            png(&cut(between(0.0, 1.0), between(0.0, 1.0), [side; 2]))
        }
        5 => {
            let sides = [between(0.85, 1.0), between(0.85, 1.0)];
            png(&cut(between(0.0, 1.0), between(0.0, 1.0), sides))
        }
        6 => {
            let (gain, shift) = (between(0.6, 1.2), between(-15.0, 15.0));
            png(&changed(&|_, value| gain * value + shift))
        }
        7 => {
            let gains = [between(0.7, 1.1), between(0.7, 1.1), between(0.7, 1.1)];
            png(&changed(&|channel, value| gains[channel] * value))
        }
        8 => png(&DynamicImage::ImageLuma8(imageops::grayscale(image)).into_rgb8()),
        _ => {
            let side = between(0.85, 1.0);
            let part = cut(between(0.0, 1.0), between(0.0, 1.0), [side; 2]);
            let by = between(0.5, 1.2);
            jpeg(&resized(&part, by, by), 50)
        }
    }
}

/// CPU seconds of this process.
fn cpu_s() -> f64 {
    let usage =
        nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).expect("it always works");
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}
