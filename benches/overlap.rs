//! Precision and recall of near pictures, and the time per picture: `cargo bench --bench overlap -- FOLDER [EVERY]`.
//!
//! FOLDER holds `bccd_detect`, `tabmwp`, `nlvr` and `mathv` (`../shared/data/real`). Every EVERYth picture of them is
//! taken; the first half of these is one dataset, and the other holds copies of the first half, each kind in turn,
//! and the untouched second half, which has no original.

#![expect(clippy::print_stdout, reason = "a bench run by hand prints its table")]

use std::{
    collections::{BTreeMap, HashSet},
    io::Cursor,
    path::PathBuf,
    sync::Arc,
    time::Instant,
};

use image::{ImageFormat, RgbImage, codecs::jpeg::JpegEncoder, imageops};
use modo::{
    data::{
        Catalog, Portion,
        overlap::{Level, Prints, Side, compare},
        picture,
    },
    sample::{Answer, BadRow, Picture, Rows, Sample},
    sampler::source,
};

const KINDS: [&str; 6] =
    ["re-encoded", "half the size", "cut by a tenth", "cut by a fifth", "darker", "grey"];

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
    let Some(folder) = arguments.first().map(PathBuf::from) else {
        println!("give the folder of the real slices");
        return;
    };
    let every: usize = arguments.get(1).and_then(|a| a.parse().ok()).unwrap_or(4);
    let catalog = Catalog::embedded();
    let (mut images, mut seen) = (Vec::new(), HashSet::new());
    for name in ["bccd_detect", "tabmwp", "nlvr", "mathv"] {
        let name = name.parse().expect("a name");
        let rows = source::open(&name, catalog.get(&name).expect("a dataset"), &folder, Portion::All, None)
            .expect("the slices are there");
        for row in (0..rows.len()).step_by(every) {
            let Ok(sample) = rows.row(row) else { continue };
            let Some(first) = sample.pictures.first().filter(|p| seen.insert(p.hash())) else { continue };
            images.push((format!("{name}:{row}"), picture::decode(first).expect("a good picture")));
        }
    }
    // In turn, so that both halves hold all four sets.
    let (originals, others): (Vec<_>, Vec<_>) = images.into_iter().enumerate().partition(|(i, _)| i % 2 == 0);
    let one: Vec<(String, Arc<[u8]>)> =
        originals.iter().map(|(_, (id, image))| (id.clone(), png(image))).collect();
    let mut two: Vec<(String, Arc<[u8]>)> = Vec::new();
    for (i, (_, (id, image))) in originals.iter().enumerate() {
        let kind = i % KINDS.len();
        two.push((format!("{kind} {id}"), copy(image, kind)));
    }
    two.extend(others.iter().map(|(_, (id, image))| (format!("other {id}"), png(image))));
    let (one, two) = (Pictures(one), Pictures(two));
    let (wall, n) = (Instant::now(), one.len() + two.len());
    let (first, second) = (Prints::of(&one, u64::MAX, |_| ()), Prints::of(&two, u64::MAX, |_| ()));
    println!("{n} pictures, fingerprints: {:.2} ms wall each", wall.elapsed().as_secs_f64() * 1e3 / n as f64);
    let wall = Instant::now();
    let [_, hits] = compare(Side { prints: &first, rows: &one }, Side { prints: &second, rows: &two });
    println!("{}×{} compared in {:.1} s wall", one.len(), two.len(), wall.elapsed().as_secs_f64());
    let mut found: BTreeMap<usize, (u64, u64)> = (0..KINDS.len()).map(|kind| (kind, (0, 0))).collect();
    let right: HashSet<&str> = hits
        .iter()
        .filter(|hit| hit.level < Level::SameQuestion && hit.row.ends_with(&format!(" {}", hit.other)))
        .map(|hit| hit.row.as_str())
        .collect();
    for (id, _) in two.0.iter().filter(|(id, _)| !id.starts_with("other")) {
        let kind: usize = id.split(' ').next().and_then(|kind| kind.parse().ok()).expect("a kind");
        let counts = found.entry(kind).or_default();
        *counts = (counts.0 + u64::from(right.contains(id.as_str())), counts.1 + 1);
    }
    for (kind, (found, of)) in found {
        println!("{}: {found} of {of} found", KINDS[kind]);
    }
    let all = hits.iter().filter(|hit| hit.level < Level::SameQuestion).count();
    let wrong: Vec<_> = hits
        .iter()
        .filter(|hit| hit.level < Level::SameQuestion && !right.contains(hit.row.as_str()))
        .map(|hit| format!("{} = {}", hit.row, hit.other))
        .collect();
    println!(
        "precision {} of {all}; wrong: {}",
        all - wrong.len(),
        wrong.iter().take(12).cloned().collect::<Vec<_>>().join(", ")
    );
}

fn png(image: &RgbImage) -> Arc<[u8]> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png).expect("memory");
    bytes.into_inner().into()
}

fn copy(image: &RgbImage, kind: usize) -> Arc<[u8]> {
    let (width, height) = image.dimensions();
    let cut = |left: f32, side: f32| {
        let at = |v: u32, share: f32| (v as f32 * share) as u32;
        imageops::crop_imm(image, at(width, left), at(height, left), at(width, side), at(height, side))
            .to_image()
    };
    match kind {
        0 => {
            let mut bytes = Vec::new();
            JpegEncoder::new_with_quality(&mut bytes, 60).encode_image(image).expect("memory");
            bytes.into()
        }
        1 => png(&imageops::resize(
            image,
            width.div_ceil(2),
            height.div_ceil(2),
            imageops::FilterType::Lanczos3,
        )),
        2 => png(&cut(0.06, 0.9)),
        3 => png(&cut(0.15, 0.8)),
        4 => {
            let mut darker = image.clone();
            darker.pixels_mut().for_each(|p| p.0 = p.0.map(|v| (f32::from(v) * 0.65 + 12.0) as u8));
            png(&darker)
        }
        _ => png(&image::DynamicImage::ImageLuma8(imageops::grayscale(image)).into_rgb8()),
    }
}
