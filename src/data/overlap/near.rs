//! Pictures that are nearly the same: candidates by what they look like, from a tree, then proof on their pixels.
//!
//! Every picture is described as a whole and in thirty windows. A tree holds the wholes; each window of each picture
//! asks it for wholes that look like the window, so that a part cut out of a picture meets the window it came from.
//! A candidate is laid upon the window at 64×64 grey values, and if that fits, decoded again and laid upon it at
//! 256×256. White pages with a few lines look alike from afar and differ there.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    sync::Arc,
};

use image::RgbImage;

#[cfg(test)]
use super::grey::THUMB;
use super::grey::{
    Aligned, Describer, Description, FINE, Grey, NUMBERS, Pyramid, WHOLE, align, distance, laid, windows,
};

/// Most that descriptions of copies differ; of 800 copies that were cut and coded again 2 in 100 differ by more.
const NEAR: f32 = 0.45;

/// Most that one number of theirs differs: of copies at the edge of what windows cover 1 in 100 does by .1 where both
/// waves run and by .16 where only one does.
const NEAR_EACH: [f32; 2] = [0.11, 0.17];

/// Candidates that are looked at per picture and dataset, those that look most alike.
const MOST_CANDIDATES: usize = 16;

/// Pictures that are looked at per window, those first that are nearest by the numbers that the tree is split on. What
/// looks like thousands of others is looked at no longer for it.
const MOST_LOOKED_AT: usize = 1024;

/// Least correlation at 64×64 and at 256×256.
const ALIKE: f32 = 0.85;
const SURE: f32 = 0.92;

/// Most that the mean of any block may differ, in grey values of 255, at 64×64 and at 256×256.
const ROUGH_BLOCK: f32 = 36.0;
const FINE_BLOCK: f32 = 18.0;

/// The same of one colour, whose contrast a tint may have made larger.
const COLOUR_BLOCK: f32 = 30.0;

/// Share of the blocks with something in them that may show something else at 256×256.
const OTHER_SHAPES: f32 = 0.2;

/// Largest difference of the colours of a pixel, in values of 255, where a picture counts as one without colours.
const COLOURED: u8 = 24;

/// Pictures of a leaf of the tree.
const LEAF: usize = 12;

/// What the comparison asks of whoever holds the pictures.
pub(super) trait Pictures {
    /// How many there are.
    fn len(&self) -> usize;
    /// The grey values of one, at 64×64.
    fn thumb(&self, picture: usize) -> Option<Grey>;
    /// One itself.
    fn image(&self, picture: usize) -> Option<RgbImage>;
    /// Datasets it is in.
    fn owners(&self, picture: usize) -> &[usize];
    /// Whether pictures of these two datasets are compared.
    fn wanted(&self, one: usize, other: usize) -> bool;
}

/// For every picture those that are nearly the same, in both directions: enough of them to tell of each row in which
/// other datasets there is one, and whether an earlier row of its own has one.
///
/// `progress` is called with the pictures done, of twice as many as there are.
pub(super) fn near(pictures: &impl Pictures, mut progress: impl FnMut(usize)) -> Vec<Vec<usize>> {
    let n = pictures.len();
    let mut found = vec![Vec::new(); n];
    let whole = Describer::new(vec![WHOLE]);
    let mut wholes = Vec::with_capacity(n);
    for picture in 0..n {
        let described = pictures.thumb(picture).map(|grey| whole.describe(&grey)[0]);
        // One that cannot be read looks like no other.
        wholes.push(described.unwrap_or([f32::MAX; NUMBERS]));
        progress(picture + 1);
    }
    let tree = Tree::new(&wholes);
    let describer = Describer::new(windows());
    let mut fine = Fine { pictures, held: HashMap::new() };
    for picture in 0..n {
        progress(n + picture + 1);
        let Some(grey) = pictures.thumb(picture) else { continue };
        let candidates = candidates(pictures, picture, &describer.describe(&grey), &tree);
        if candidates.is_empty() {
            continue;
        }
        let own = Pyramid::new(grey);
        for Candidate { other, window, .. } in candidates {
            if !tells_more(pictures, &found, picture, other) {
                continue;
            }
            let Some(grey) = pictures.thumb(other) else { continue };
            let Some(rough) =
                fits(&own, &Pyramid::new(grey), describer.windows()[window], ALIKE, ROUGH_BLOCK)
            else {
                continue;
            };
            let (Some(large), Some(small)) = (fine.get(picture), fine.get(other)) else { continue };
            if are_copies(&large, &small, rough.window) {
                found[picture].push(other);
                found[other].push(picture);
            }
        }
    }
    found
}

/// Whether it would say anything new that two pictures are nearly the same. Of a film with a hundred frames of one scene
/// each frame needs one that is like it and not all of them.
fn tells_more(pictures: &impl Pictures, found: &[Vec<usize>], one: usize, other: usize) -> bool {
    let has = |picture: usize, dataset: usize| {
        found[picture].iter().any(|like| pictures.owners(*like).contains(&dataset))
    };
    let (later, alone) = (one.max(other), [one, other].map(|picture| pictures.owners(picture).len() == 1));
    let new = |a: usize, b: usize| {
        if a == b {
            // The earlier of two rows learns nothing. A picture of several datasets has a place in each.
            let known = |like: &usize| *like < later && pictures.owners(*like) == [a];
            pictures.wanted(a, a) && !(alone == [true; 2] && found[later].iter().any(known))
        } else {
            pictures.wanted(a, b) && !has(one, b) || pictures.wanted(b, a) && !has(other, a)
        }
    };
    !found[one].contains(&other)
        && pictures.owners(one).iter().any(|a| pictures.owners(other).iter().any(|b| new(*a, *b)))
}

/// Lays a part upon a window, if it fits.
fn fits(whole: &Pyramid, part: &Pyramid, window: [f32; 4], correlation: f32, block: f32) -> Option<Aligned> {
    align(whole, part, window, correlation).filter(|aligned| aligned.worst_block() <= block)
}

/// Whether a part shows the same as a window, in its colours too.
fn are_copies(whole: &Decoded, part: &Decoded, window: [f32; 4]) -> bool {
    let Some(aligned) = fits(&whole.grey, &part.grey, window, SURE, FINE_BLOCK) else { return false };
    if aligned.other_shapes() > OTHER_SHAPES {
        return false;
    }
    // A copy without colours has none to compare; a tint is another brightness and contrast per colour.
    let both = whole.is_coloured && part.is_coloured;
    let alike = |(large, small)| laid(large, small, aligned.window).worst_block() <= COLOUR_BLOCK;
    !both || whole.colours.iter().zip(&part.colours).all(alike)
}

/// A picture that may be a part of another.
#[derive(Clone, Copy)]
struct Candidate {
    other: usize,
    window: usize,
    distance: f32,
}

/// The most alike wholes for the windows of a picture, each with the window it is most like.
fn candidates(
    pictures: &impl Pictures,
    picture: usize,
    windows: &[Description],
    tree: &Tree,
) -> Vec<Candidate> {
    let mut best: HashMap<usize, Candidate> = HashMap::new();
    for (window, description) in windows.iter().enumerate() {
        tree.search(description, MOST_LOOKED_AT, |other, distance| {
            // Of two wholes that look alike one is enough.
            if other == picture || (window == 0 && other > picture) {
                return;
            }
            let found = Candidate { other, window, distance };
            let known = best.entry(other).or_insert(found);
            if distance < known.distance {
                *known = found;
            }
        });
    }
    let mut all: Vec<Candidate> = best.into_values().collect();
    all.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.other.cmp(&b.other)));
    let mut taken: HashMap<usize, usize> = HashMap::new();
    all.retain(|candidate| {
        let wanted = |other: &&usize| {
            let asked = |own: &usize| pictures.wanted(*own, **other) || pictures.wanted(**other, *own);
            pictures.owners(picture).iter().any(asked)
        };
        let mut keep = false;
        for owner in pictures.owners(candidate.other).iter().filter(wanted) {
            let taken = taken.entry(*owner).or_default();
            *taken += 1;
            keep |= *taken <= MOST_CANDIDATES;
        }
        keep
    });
    all
}

/// A picture that was decoded again.
struct Decoded {
    grey: Pyramid,
    colours: [Grey; 3],
    is_coloured: bool,
}

impl Decoded {
    fn new(image: &RgbImage) -> Self {
        let spread = |p: &image::Rgb<u8>| p.0.iter().max().unwrap_or(&0) - p.0.iter().min().unwrap_or(&0);
        let colours = Grey::colours_of(image, FINE);
        Self {
            grey: Pyramid::new(Grey::mixed(&colours)),
            colours: colours.map(|colour| colour.halved()),
            is_coloured: image.pixels().any(|pixel| spread(pixel) > COLOURED),
        }
    }
}

/// Pictures that were decoded again: candidates are often candidates of more than one.
struct Fine<'a, P> {
    pictures: &'a P,
    held: HashMap<usize, Option<Arc<Decoded>>>,
}

impl<P: Pictures> Fine<'_, P> {
    fn get(&mut self, picture: usize) -> Option<Arc<Decoded>> {
        // 550 kB each.
        const MOST_HELD: usize = 256;
        if self.held.len() >= MOST_HELD && !self.held.contains_key(&picture) {
            self.held.clear();
        }
        let make = || self.pictures.image(picture).map(|image| Arc::new(Decoded::new(&image)));
        self.held.entry(picture).or_insert_with(make).clone()
    }
}

/// Descriptions in a binary tree: each node splits at the middle of the number that tells its pictures apart best.
struct Tree {
    /// The pictures, those of a leaf beside each other, and their descriptions in the same order.
    order: Vec<usize>,
    sorted: Vec<Description>,
    nodes: Vec<Node>,
}

enum Node {
    Leaf {
        start: usize,
        end: usize,
    },
    /// The left half follows at once.
    Split {
        number: usize,
        at: f32,
        right: usize,
    },
}

impl Tree {
    fn new(all: &[Description]) -> Self {
        let mut tree = Self { order: (0..all.len()).collect(), sorted: Vec::new(), nodes: Vec::new() };
        tree.split(all, 0, all.len());
        tree.sorted = tree.order.iter().map(|picture| all[*picture]).collect();
        tree
    }

    fn split(&mut self, all: &[Description], start: usize, end: usize) {
        let order = &mut self.order[start..end];
        if order.len() <= LEAF {
            self.nodes.push(Node::Leaf { start, end });
            return;
        }
        let number = widest(all, order);
        let middle = order.len() / 2;
        order.select_nth_unstable_by(middle, |a, b| all[*a][number].total_cmp(&all[*b][number]));
        let at = all[order[middle]][number];
        let node = self.nodes.len();
        self.nodes.push(Node::Split { number, at, right: 0 });
        self.split(all, start, start + middle);
        let right = self.nodes.len();
        self.nodes[node] = Node::Split { number, at, right };
        self.split(all, start + middle, end);
    }

    /// Calls `found` with the pictures that look like this, and the square of the distance; with the nearest ones where
    /// more than `most` would have to be looked at.
    fn search(&self, wanted: &Description, most: usize, mut found: impl FnMut(usize, f32)) {
        // Nodes that may hold some, the nearest first. What is not below zero is ordered as its bits are.
        let mut open = BinaryHeap::from([(Reverse(0_u32), 0)]);
        let mut looked_at = 0;
        while let Some((Reverse(off), mut at)) = open.pop() {
            if looked_at >= most {
                return;
            }
            while let Node::Split { number, at: middle, right } = self.nodes[at] {
                let side = wanted[number] - middle;
                // What the split was made at lies to its right.
                let (near, far) = if side < 0.0 { (at + 1, right) } else { (right, at + 1) };
                if side.abs() <= slack(number) {
                    open.push((Reverse((f32::from_bits(off) + side * side).to_bits()), far));
                }
                at = near;
            }
            let Node::Leaf { start, end } = self.nodes[at] else {
                unreachable!("only splits were gone past")
            };
            looked_at += end - start;
            for (picture, other) in self.order[start..end].iter().zip(&self.sorted[start..end]) {
                // The first numbers tell most pictures apart.
                let first: f32 = wanted[..16].iter().zip(&other[..16]).map(|(x, y)| (x - y) * (x - y)).sum();
                if first <= NEAR * NEAR {
                    let distance = distance(wanted, other);
                    if distance <= NEAR * NEAR {
                        found(*picture, distance);
                    }
                }
            }
        }
    }
}

/// How far copies are apart in a number of their descriptions.
fn slack(number: usize) -> f32 {
    let one_way = number < 7 || number % 8 == 7;
    NEAR_EACH[usize::from(one_way)]
}

/// The number that is spread most, in units of what copies differ by.
fn widest(all: &[Description], order: &[usize]) -> usize {
    const LOOKED_AT: usize = 256;
    let step = order.len().div_ceil(LOOKED_AT);
    let spread = |number: usize| {
        let values = || order.iter().step_by(step).map(|i| all[*i][number]).filter(|v| *v < f32::MAX);
        let n = values().count().max(1) as f32;
        let mean = values().sum::<f32>() / n;
        let variance = values().map(|value| (value - mean).powi(2)).sum::<f32>() / n;
        variance.sqrt() / slack(number)
    };
    let spreads: Vec<f32> = (0..NUMBERS).map(spread).collect();
    (0..NUMBERS).max_by(|a, b| spreads[*a].total_cmp(&spreads[*b])).unwrap_or(0)
}

/// Both sizes of grey values of two pictures that nobody else knows.
#[cfg(test)]
pub(super) struct Two(pub(super) [image::RgbImage; 2]);

#[cfg(test)]
impl Pictures for Two {
    fn len(&self) -> usize {
        2
    }

    fn thumb(&self, picture: usize) -> Option<Grey> {
        Some(Grey::of(&self.0[picture], THUMB))
    }

    fn image(&self, picture: usize) -> Option<RgbImage> {
        Some(self.0[picture].clone())
    }

    fn owners(&self, picture: usize) -> &[usize] {
        &[0, 1][picture..=picture]
    }

    fn wanted(&self, _: usize, _: usize) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_finds_all_near_ones_and_a_bounded_one_the_nearest_first() {
        let noise = |i: usize, most: f32| -> Description {
            let mut bytes = [0; NUMBERS];
            blake3::Hasher::new().update(&i.to_le_bytes()).finalize_xof().fill(&mut bytes);
            bytes.map(|b| (f32::from(b) - 127.5) / 127.5 * most)
        };
        // 300 kinds of pictures far from each other, ten of each kind near each other.
        let of = |i: usize| -> Description {
            let (kind, own) = (noise(i % 300, 0.3), noise(10_000 + i, 0.05));
            std::array::from_fn(|k| kind[k] + own[k])
        };
        let all: Vec<Description> = (0..3000).map(of).collect();
        let tree = Tree::new(&all);
        for i in (0..3000).step_by(97) {
            let mut wanted = all[i];
            wanted[3] += 0.01;
            let mut found = Vec::new();
            tree.search(&wanted, usize::MAX, |picture, _| found.push(picture));
            found.sort_unstable();
            let expected: Vec<usize> =
                (0..3000).filter(|k| distance(&wanted, &all[*k]) <= NEAR * NEAR).collect();
            assert_eq!((found.len(), found), (10, expected));
            // Its own leaf comes first.
            let mut nearest = Vec::new();
            tree.search(&all[i], 1, |picture, _| nearest.push(picture));
            assert!(nearest.contains(&i) && nearest.len() <= LEAF, "{nearest:?}");
        }
    }
}
