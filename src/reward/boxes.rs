//! Boxes by intersection over union (IoU), matched one to one.
//!
//! Score: sum of the IoU of matched pairs divided by `max(boxes given, boxes wanted)`, so that every box too many and
//! every box missing costs. Pairs with an IoU up to `threshold` do not count: 0.5 as in MoDoMoDo's reward
//! (arXiv:2505.24871), 0 for the plain mean IoU of LISA-test. Boxes given are served in order of their confidence, and
//! those of equal or no confidence by largest IoU. The paper's code serves those in the order written and drops repeated
//! boxes; here order means nothing and a repeated box is a box too many.
//!
//! Other measures by setting: `measure = "giou"` (arXiv:1902.09630, negative values as 0), `matching = "optimal"` (the assignment
//! with the largest sum), and `metric = "f1"` (harmonic mean of precision and recall of pairs at the `thresholds`, averaged) or
//! `"ap"` (COCO's average precision with its 101 recall levels, averaged over the `thresholds`, by default 0.50 to 0.95; boxes
//! without confidence count as equally sure).
//!
//! `coordinates = "resized"` are pixels of the picture as Qwen2.5-VL resizes it: both sides multiples of `multiple` (28) with
//! between `min_pixels` and `max_pixels` in all.
//!
//! Read: `[[x1,y1,x2,y2],…]`, `[x1,y1,x2,y2]`, `{"bbox_2d": […]}`, `[{'Position': […], 'Confidence': c},…]`, JSON with either
//! kind of quotes, in a code fence or not; several of these side by side without a bracket around them; `(x1,y1),(x2,y2)` and
//! `(x1,y1,x2,y2)`; the marks of Qwen-VL, Qwen2-VL and InternVL, with a name before a box or not:
//! `<|object_ref_start|>cat<|object_ref_end|><|box_start|>(x1,y1),(x2,y2)<|box_end|>`, `<ref>cat</ref><box>[[x1,y1,x2,y2]]</box>`.
//! A box whose corners are swapped, or with a side of 0, is a box that overlaps nothing. Text around the list is not read.

use serde::Deserialize;

use super::{
    BadGold, Example, Gold, Reason, Verdict, Verifier, entry,
    text::{unwrapped, without_lead_in},
};
use crate::{
    registry::{BuildError, Entry, Named},
    sample::{Answer, Rect},
};

pub(super) const ENTRY: Entry<dyn Verifier> = entry::<Boxes>();

/// Most boxes that a gold may have.
const MAX_GOLD: usize = 1000;
/// An answer of more boxes than this plus twice the gold's scores 0: it paves the picture. Average precision charges surplus
/// boxes by their confidence; there the limit only bounds memory.
const MAX_GIVEN: usize = 20;
const MAX_RANKED: usize = 1000;
/// Changing coordinates back and forth costs a few of the 53 bits; a score this near to 1 is 1.
const ROUNDING: f64 = 1e-9;

struct Boxes {
    threshold: f64,
    coordinates: Coordinates,
    layout: Layout,
    measure: Measure,
    matching: Matching,
    metric: Metric,
    thresholds: Vec<f64>,
    resize: Resize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default = "half")]
    threshold: f64,
    #[serde(default)]
    coordinates: Coordinates,
    #[serde(default)]
    layout: Layout,
    #[serde(default)]
    measure: Measure,
    #[serde(default)]
    matching: Matching,
    #[serde(default)]
    metric: Metric,
    thresholds: Option<Vec<f64>>,
    #[serde(default = "Resize::min_pixels")]
    min_pixels: u64,
    #[serde(default = "Resize::max_pixels")]
    max_pixels: u64,
    #[serde(default = "Resize::multiple")]
    multiple: u64,
}

/// How a model's processor resizes a picture; the defaults are Qwen2.5-VL's.
#[derive(Clone, Copy, Debug)]
struct Resize {
    min_pixels: u64,
    max_pixels: u64,
    multiple: u64,
}

impl Resize {
    fn min_pixels() -> u64 {
        56 * 56
    }

    fn max_pixels() -> u64 {
        14 * 14 * 4 * 1280
    }

    fn multiple() -> u64 {
        28
    }

    /// Width and height after resizing (`smart_resize` of Qwen2-VL's processor).
    fn size(&self, width: u32, height: u32) -> (f64, f64) {
        let (w, h, m) = (f64::from(width), f64::from(height), self.multiple as f64);
        let (mut wide, mut high) = ((w / m).round_ties_even() * m, (h / m).round_ties_even() * m);
        (wide, high) = (wide.max(m), high.max(m));
        if wide * high > self.max_pixels as f64 {
            let scale = (w * h / self.max_pixels as f64).sqrt();
            (wide, high) = (((w / scale / m).floor() * m).max(m), ((h / scale / m).floor() * m).max(m));
        } else if wide * high < self.min_pixels as f64 {
            let scale = (self.min_pixels as f64 / (w * h)).sqrt();
            (wide, high) = ((w * scale / m).ceil() * m, (h * scale / m).ceil() * m);
        }
        (wide, high)
    }
}

/// What says how alike two boxes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Measure {
    /// Intersection over union.
    #[default]
    Iou,
    /// Minus the share of the smallest box around both that neither covers.
    Giou,
}

/// How boxes find their golds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Matching {
    /// Best pairs first, as in MoDoMoDo's reward.
    #[default]
    Greedy,
    /// The assignment with the largest sum.
    Optimal,
}

/// What the score is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Metric {
    /// Sum over matched pairs by the larger number of boxes.
    #[default]
    Mean,
    /// F1 at the thresholds.
    F1,
    /// COCO's average precision.
    Ap,
}

/// Most boxes of either side where the assignment is optimal: 10 ms of work.
const MAX_OPTIMAL: usize = 100;

fn half() -> f64 {
    0.5
}

/// What the numbers in an answer measure; golds are always in pixels of the original picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Coordinates {
    /// Pixels of the original picture.
    #[default]
    Pixels,
    /// Thousandths of width and height, as Qwen2-VL writes them.
    Rel1000,
    /// Fractions of width and height.
    Rel1,
    /// Pixels of the picture as the processor resized it.
    Resized,
}

/// Which four numbers make a box.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Layout {
    /// Left, top, right, bottom.
    #[default]
    Xyxy,
    /// Left, top, width, height.
    Xywh,
    /// Centre, width, height.
    Cxcywh,
}

impl Named for Boxes {
    const NAME: &'static str = "boxes";
    const SUMMARY: &'static str =
        "Boxes by IoU, matched one to one, above a threshold (0.5; 0 is plain mean IoU)";
    type Config = Config;

    fn new(config: Config) -> Result<Self, BuildError> {
        if !(0.0..1.0).contains(&config.threshold) {
            return Err(BuildError::Value(format!(
                "`threshold` is {}; it must be at least 0 and below 1",
                config.threshold
            )));
        }
        let Config { min_pixels, max_pixels, multiple, .. } = config;
        if multiple == 0 || multiple > 1024 || min_pixels > max_pixels || max_pixels < multiple * multiple {
            return Err(BuildError::Value(format!(
                "`min_pixels` {min_pixels}, `max_pixels` {max_pixels} and `multiple` {multiple} fit no picture"
            )));
        }
        let thresholds = config.thresholds.unwrap_or_else(|| match config.metric {
            Metric::Ap => (0..10).map(|i| f64::from(50 + 5 * i) / 100.0).collect(),
            Metric::F1 | Metric::Mean => vec![0.5],
        });
        if thresholds.is_empty()
            || thresholds.len() > 100
            || !thresholds.iter().all(|t| (0.0..1.0).contains(t))
        {
            return Err(BuildError::Value(
                "`thresholds` are between one and a hundred numbers, at least 0 and below 1".to_owned(),
            ));
        }
        Ok(Self {
            threshold: config.threshold,
            coordinates: config.coordinates,
            layout: config.layout,
            measure: config.measure,
            matching: config.matching,
            metric: config.metric,
            thresholds,
            resize: Resize { min_pixels, max_pixels, multiple },
        })
    }
}

impl Boxes {
    /// What one unit of x and of y is in pixels; `None` where that takes the picture's size and it is not known.
    fn unit(&self, gold: &Gold) -> Option<(f64, f64)> {
        let per = match self.coordinates {
            Coordinates::Pixels => return Some((1.0, 1.0)),
            Coordinates::Resized => {
                let (width, height) = gold.picture_size.filter(|(w, h)| *w > 0 && *h > 0)?;
                let (wide, high) = self.resize.size(width, height);
                return Some((f64::from(width) / wide, f64::from(height) / high));
            }
            Coordinates::Rel1000 => 1000.0,
            Coordinates::Rel1 => 1.0,
        };
        let (width, height) = gold.picture_size.filter(|(w, h)| *w > 0 && *h > 0)?;
        Some((f64::from(width) / per, f64::from(height) / per))
    }

    fn golds<'a>(&self, gold: &Gold<'a>) -> Result<&'a [Rect], BadGold> {
        let Answer::Boxes(boxes) = gold.answer else {
            return Err(BadGold::Kind { wants: "boxes", has: gold.answer.kind() });
        };
        if boxes.is_empty() {
            return Err(BadGold::Empty);
        }
        let most = if self.matching == Matching::Optimal { MAX_OPTIMAL } else { MAX_GOLD };
        if boxes.len() > most {
            return Err(BadGold::Unreadable(format!("{} boxes; at most {most} are compared", boxes.len())));
        }
        if let Some(bad) = boxes.iter().find(|b| area(b) <= 0.0) {
            let Rect { x1, y1, x2, y2 } = bad;
            return Err(BadGold::Unreadable(format!("the box [{x1},{y1},{x2},{y2}] has no area")));
        }
        if self.unit(gold).is_none() {
            return Err(BadGold::NoPictureSize);
        }
        Ok(boxes)
    }

    fn written(&self, gold: &Gold, boxes: &[Rect]) -> String {
        let (ux, uy) = self.unit(gold).unwrap_or((1.0, 1.0));
        let one = |b: &Rect| {
            let (x1, y1, x2, y2) = (b.x1 / ux, b.y1 / uy, b.x2 / ux, b.y2 / uy);
            match self.layout {
                Layout::Xyxy => Rect { x1, y1, x2, y2 },
                Layout::Xywh => Rect { x1, y1, x2: x2 - x1, y2: y2 - y1 },
                Layout::Cxcywh => {
                    Rect { x1: f64::midpoint(x1, x2), y1: f64::midpoint(y1, y2), x2: x2 - x1, y2: y2 - y1 }
                }
            }
        };
        Answer::Boxes(boxes.iter().map(one).collect()).written()
    }

    fn in_pixels(&self, four: [f64; 4], (ux, uy): (f64, f64)) -> Rect {
        let [x1, y1, a, b] = four;
        let (x1, y1, x2, y2) = match self.layout {
            Layout::Xyxy => (x1, y1, a, b),
            Layout::Xywh => (x1, y1, x1 + a, y1 + b),
            Layout::Cxcywh => (x1 - a / 2.0, y1 - b / 2.0, x1 + a / 2.0, y1 + b / 2.0),
        };
        Rect { x1: x1 * ux, y1: y1 * uy, x2: x2 * ux, y2: y2 * uy }
    }

    /// In [0, 1]; does not depend on the order of `given` or `golds`.
    fn matched(&self, mut given: Vec<(f64, Rect)>, golds: &[Rect]) -> f64 {
        let corners = |a: &Rect, b: &Rect| {
            (a.x1.total_cmp(&b.x1))
                .then(a.y1.total_cmp(&b.y1))
                .then(a.x2.total_cmp(&b.x2))
                .then(a.y2.total_cmp(&b.y2))
        };
        let mut golds = golds.to_vec();
        golds.sort_by(corners);
        given.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| corners(&a.1, &b.1)));
        let score = match (self.metric, self.matching) {
            (Metric::Mean, Matching::Greedy) => {
                self.greedy(&given, &golds, self.threshold).0 / given.len().max(golds.len()) as f64
            }
            (Metric::Mean, Matching::Optimal) => {
                self.optimal(&given, &golds, self.threshold).0 / given.len().max(golds.len()) as f64
            }
            (Metric::F1, matching) => {
                let pairs = |t: f64| match matching {
                    Matching::Greedy => self.greedy(&given, &golds, t).1,
                    Matching::Optimal => self.optimal(&given, &golds, t).1,
                };
                let f1 = |t: &f64| 2.0 * pairs(*t) as f64 / (given.len() + golds.len()) as f64;
                self.thresholds.iter().map(f1).sum::<f64>() / self.thresholds.len() as f64
            }
            (Metric::Ap, _) => {
                let ap = |t: &f64| self.average_precision(&given, &golds, *t);
                self.thresholds.iter().map(ap).sum::<f64>() / self.thresholds.len() as f64
            }
        };
        if score > 1.0 - ROUNDING { 1.0 } else { score }
    }

    /// How alike two boxes are, in [0, 1].
    fn likeness(&self, a: &Rect, b: &Rect) -> f64 {
        match self.measure {
            Measure::Iou => iou(a, b),
            Measure::Giou => giou(a, b).max(0.0),
        }
    }

    /// Sum and number of the pairs above the threshold, the surest and best first.
    fn greedy(&self, given: &[(f64, Rect)], golds: &[Rect], threshold: f64) -> (f64, usize) {
        let mut pairs = Vec::new();
        for (i, (confidence, rect)) in given.iter().enumerate() {
            for (j, gold) in golds.iter().enumerate() {
                let likeness = self.likeness(rect, gold);
                if likeness > threshold {
                    pairs.push((*confidence, likeness, i, j));
                }
            }
        }
        // Stable, so that what is left equal keeps the order of the corners.
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1)));
        let (mut used_given, mut used_gold) = (vec![false; given.len()], vec![false; golds.len()]);
        let (mut sum, mut count) = (0.0, 0);
        for (_, likeness, i, j) in pairs {
            if !used_given[i] && !used_gold[j] {
                (used_given[i], used_gold[j]) = (true, true);
                sum += likeness;
                count += 1;
            }
        }
        (sum, count)
    }

    /// Sum and number of the pairs above the threshold in the assignment with the largest sum.
    fn optimal(&self, given: &[(f64, Rect)], golds: &[Rect], threshold: f64) -> (f64, usize) {
        use pathfinding::{kuhn_munkres::kuhn_munkres, matrix::Matrix};
        // Whole numbers, so that the algorithm's comparisons are exact: 40 bits of each likeness.
        const SCALE: f64 = (1_u64 << 40) as f64;
        if given.is_empty() {
            return (0.0, 0);
        }
        let likeness = |i: usize, j: usize| {
            let value = self.likeness(&given[i].1, &golds[j]);
            if value > threshold { value } else { 0.0 }
        };
        // It wants at least as many columns as rows.
        let turned = given.len() > golds.len();
        let (rows, columns) = if turned { (golds.len(), given.len()) } else { (given.len(), golds.len()) };
        let of =
            |row: usize, column: usize| if turned { likeness(column, row) } else { likeness(row, column) };
        let weights = Matrix::from_fn(rows, columns, |(row, column)| (of(row, column) * SCALE) as i64);
        let (_, columns) = kuhn_munkres(&weights);
        let matched = columns.into_iter().enumerate().map(|(row, column)| of(row, column));
        matched.filter(|value| *value > 0.0).fold((0.0, 0), |(sum, n), value| (sum + value, n + 1))
    }

    /// COCO's average precision of one picture and class at one threshold: a box matches from the threshold on.
    fn average_precision(&self, given: &[(f64, Rect)], golds: &[Rect], threshold: f64) -> f64 {
        // `given` comes by confidence.
        let mut used = vec![false; golds.len()];
        let (mut right, mut curve) = (0_usize, Vec::with_capacity(given.len()));
        for (n, (_, rect)) in given.iter().enumerate() {
            let best = (0..golds.len())
                .filter(|&j| !used[j])
                .map(|j| (self.likeness(rect, &golds[j]), j))
                .filter(|(likeness, _)| *likeness >= threshold)
                .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
            if let Some((_, j)) = best {
                used[j] = true;
                right += 1;
            }
            curve.push((right as f64 / golds.len() as f64, right as f64 / (n + 1) as f64));
        }
        // The precision at a recall is the best at that recall or beyond.
        for i in (1..curve.len()).rev() {
            curve[i - 1].1 = curve[i - 1].1.max(curve[i].1);
        }
        let at = |level: u32| {
            let level = f64::from(level) / 100.0;
            curve.iter().find(|(recall, _)| *recall >= level).map_or(0.0, |(_, precision)| *precision)
        };
        (0..=100).map(at).sum::<f64>() / 101.0
    }
}

impl Verifier for Boxes {
    fn accepts(&self, gold: &Gold) -> Result<(), BadGold> {
        self.golds(gold).map(|_| ())
    }

    fn write(&self, gold: &Gold) -> String {
        match gold.answer {
            Answer::Boxes(boxes) => self.written(gold, boxes),
            other => other.written(),
        }
    }

    fn score(&self, gold: &Gold, answer: &str) -> Verdict {
        let (Ok(golds), Some(unit)) = (self.golds(gold), self.unit(gold)) else {
            return Verdict::zero(Reason::BadGold);
        };
        let text = unfenced(answer);
        if text.is_empty() {
            return Verdict::zero(Reason::Empty);
        }
        let most = if self.metric == Metric::Ap { MAX_RANKED } else { MAX_GIVEN };
        let limit = most + 2 * golds.len();
        let given = match parse(text, limit) {
            Ok(given) => given,
            Err(reason) => return Verdict::zero(reason),
        };
        let given: Vec<(f64, Rect)> =
            given.into_iter().map(|(c, four)| (c, self.in_pixels(four, unit))).collect();
        Verdict::graded(self.matched(given, golds), text)
    }

    /// What stands between marks, else the last bracketed list on any line.
    fn tail<'t>(&self, _: &Gold, text: &'t str) -> &'t str {
        for (_, [open, close]) in MARKS {
            if let Some(start) = text.find(open)
                && let Some(end) = text.rfind(close).filter(|end| *end > start)
            {
                return &text[start..end + close.len()];
            }
        }
        let Some(end) = text.rfind([']', '}']) else { return text };
        let mut depth = 0_i64;
        for (at, byte) in text.as_bytes()[..=end].iter().enumerate().rev() {
            match byte {
                b']' | b'}' => depth += 1,
                b'[' | b'{' => depth -= 1,
                _ => (),
            }
            if depth == 0 {
                return &text[at..=end];
            }
        }
        text
    }

    fn wrong_answers(&self, gold: &Gold) -> Vec<String> {
        let Ok(golds) = self.golds(gold) else { return Vec::new() };
        // Moved right by the width of all boxes together, every box lies beside all of them.
        let left = golds.iter().map(|b| b.x1).fold(f64::INFINITY, f64::min);
        let right = golds.iter().map(|b| b.x2).fold(f64::NEG_INFINITY, f64::max);
        let by = (right - left) * 1.5;
        let shifted: Vec<Rect> = golds.iter().map(|b| Rect { x1: b.x1 + by, x2: b.x2 + by, ..*b }).collect();
        vec![self.written(gold, &shifted), "[]".to_owned(), "[[0,0,0,0]]".to_owned()]
    }

    fn examples(&self) -> Vec<Example> {
        let boxes = vec![
            Rect { x1: 10.0, y1: 20.0, x2: 50.0, y2: 60.0 },
            Rect { x1: 100.0, y1: 0.0, x2: 120.0, y2: 40.0 },
        ];
        let size = Some((200, 100));
        let all = Answer::Boxes(boxes.clone());
        let gold = Gold { answer: &all, options: &[], picture_size: size };
        let written = self.written(&gold, &boxes);
        let each: Vec<String> = boxes.iter().map(|b| self.written(&gold, &[*b])).collect();
        // `10,20),(50,60`
        let halves = |four: &str| {
            let numbers: Vec<&str> = four.split(',').collect();
            format!("{}),({}", numbers[..2].join(","), numbers[2..].join(","))
        };
        let [first, second] = [each[0].trim_matches(['[', ']']), each[1].trim_matches(['[', ']'])];
        let right = [
            written.clone(),
            format!("```json\n{written}\n```"),
            format!("[[{second}], [{first}]]"),
            format!(
                "[{{'Position': [{second}], 'Confidence': 0.5}}, {{'Position': [{first}], 'Confidence': 1}}]"
            ),
            format!(
                r#"[{{"bbox_2d": [{first}], "label": "cat"}}, {{"bbox_2d": [{second}], "label": "dog"}},]"#
            ),
            format!("[{first}], [{second}]"),
            format!("[{first}]\n[{second}]"),
            format!("({first}), ({second})"),
            format!("{{\"bbox_2d\": [{first}]}}\n{{\"bbox_2d\": [{second}]}}"),
            format!("<ref>cat</ref><box>[[{first}]]</box> <ref>dog</ref><box>[[{second}]]</box>"),
            format!("<ref>pets</ref><box>[[{first}], [{second}]]</box>"),
            format!(
                "<|object_ref_start|>cat<|object_ref_end|><|box_start|>({})<|box_end|><|box_start|>({})<|box_end|>",
                halves(first),
                halves(second)
            ),
            format!("({}),({})", halves(first), halves(second)),
            format!("[{first}] and [{second}]."),
            format!("The answer is [[{first}], [{second}]]."),
            format!("[[{first}], [{second}]]<|im_end|>"),
            format!(
                r#"[{{"bbox_2d": [{first}], "label": "a \"cat\"", "point_2d": [1, 2]}}, {{"bbox_2d": [[{second}]], "label": null}}]"#
            ),
        ];
        let wrong = [
            "",
            "[]",
            "[[]]",
            "[[1,2,3]]",
            "[[1,2,3,4,5]]",
            "[[1,2,3,4]",
            "[1e999,0,1,1]",
            "[[NaN,0,1,1]]",
            "cat",
            "[[50,60,10,20]]",
            "{'Confidence': 1}",
            "[[0,0,0,0],[0,0,0,0]]",
            "[\"1\",2,3,4]",
            "<|box_start|>[[10,20,50,60]]",
            "<ref>cat</ref>",
            "<box></box>",
            "(1,2),(3)",
            "(1,2)",
            "[] []",
            "[[10,20,50,60],[100,0,120,40]] []",
        ];
        let mut many = Example::new(all, &right.each_ref().map(String::as_str), &wrong);
        many.picture_size = size;
        let mut one = Example::new(
            Answer::Boxes(boxes[..1].to_vec()),
            &[&each[0], &format!("[{first}]"), &format!("{{'Position': [{first}]}}")].map(String::as_str),
            &["", &each[1], &format!("the box is {}", each[0])],
        );
        one.picture_size = size;
        vec![many, one]
    }
}

/// Area in square pixels; 0 where corners are swapped or not finite.
fn area(rect: &Rect) -> f64 {
    let (width, height) = (rect.x2 - rect.x1, rect.y2 - rect.y1);
    let finite = (width * height).is_finite();
    if finite && width > 0.0 && height > 0.0 { width * height } else { 0.0 }
}

/// Intersection over union, in [0, 1]; 0 where a box has no area. Edges are positions, not pixels: no `+ 1`, which is what
/// makes VLM-R1's version 0 for identical boxes in unit coordinates.
pub(crate) fn iou(a: &Rect, b: &Rect) -> f64 {
    let overlap =
        area(&Rect { x1: a.x1.max(b.x1), y1: a.y1.max(b.y1), x2: a.x2.min(b.x2), y2: a.y2.min(b.y2) });
    let (of_a, of_b) = (area(a), area(b));
    if overlap <= 0.0 || of_a <= 0.0 || of_b <= 0.0 {
        return 0.0;
    }
    (overlap / (of_a + of_b - overlap)).clamp(0.0, 1.0)
}

/// IoU minus the share of the smallest box around both that neither covers, in [-1, 1].
fn giou(a: &Rect, b: &Rect) -> f64 {
    let (of_a, of_b) = (area(a), area(b));
    if of_a <= 0.0 || of_b <= 0.0 {
        return -1.0;
    }
    let overlap =
        area(&Rect { x1: a.x1.max(b.x1), y1: a.y1.max(b.y1), x2: a.x2.min(b.x2), y2: a.y2.min(b.y2) });
    let around =
        area(&Rect { x1: a.x1.min(b.x1), y1: a.y1.min(b.y1), x2: a.x2.max(b.x2), y2: a.y2.max(b.y2) });
    let union = of_a + of_b - overlap;
    (overlap / union - (around - union) / around).clamp(-1.0, 1.0)
}

/// The text inside a code fence with or without a language, else the text.
fn unfenced(text: &str) -> &str {
    // A token that ends what a model writes, a sentence around the boxes.
    let text = ["<|im_end|>", "<|endoftext|>"]
        .iter()
        .fold(text.trim(), |text, end| text.strip_suffix(end).unwrap_or(text));
    let text = without_lead_in(text).trim();
    let text = text.strip_suffix('.').unwrap_or(text).trim_end();
    match text.strip_prefix("```").and_then(|t| t.strip_suffix("```")) {
        Some(inside) => inside.trim_start_matches(|c: char| c.is_ascii_alphanumeric()).trim(),
        None => unwrapped_boxes(text),
    }
}

/// `unwrapped`, but never through `\[`, which a list of lists may look like.
fn unwrapped_boxes(text: &str) -> &str {
    if text.starts_with(['[', '{']) { text } else { unwrapped(text) }
}

/// Confidence and four numbers of each box. One pass, no recursion: lists in lists end at the depth that boxes have.
fn parse(text: &str, limit: usize) -> Result<Vec<(f64, [f64; 4])>, Reason> {
    let mut cursor = Cursor { bytes: text.as_bytes(), at: 0 };
    let mut boxes = Vec::new();
    // One list, or several side by side.
    while cursor.peek().is_some() {
        if !boxes.is_empty() {
            _ = cursor.eat(b',') || cursor.eat(b';');
            cursor.eat_text("and");
        }
        let before = boxes.len();
        cursor.boxes(&mut boxes, limit)?;
        // An empty list beside another says two things.
        if boxes.len() == before {
            let only = before == 0 && cursor.peek().is_none();
            return Err(if only { Reason::Empty } else { Reason::Unparsed });
        }
    }
    if boxes.is_empty() { Err(Reason::Empty) } else { Ok(boxes) }
}

/// What stands around a name and around boxes: Qwen2-VL's marks, and those of Qwen-VL and InternVL.
const MARKS: [([&str; 2], [&str; 2]); 2] = [
    (["<|object_ref_start|>", "<|object_ref_end|>"], ["<|box_start|>", "<|box_end|>"]),
    (["<ref>", "</ref>"], ["<box>", "</box>"]),
];

struct Cursor<'t> {
    bytes: &'t [u8],
    at: usize,
}

impl Cursor<'_> {
    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), Reason> {
        if self.eat(byte) { Ok(()) } else { Err(Reason::Unparsed) }
    }

    fn eat_text(&mut self, text: &str) -> bool {
        self.peek();
        let found = self.bytes[self.at..].starts_with(text.as_bytes());
        self.at += if found { text.len() } else { 0 };
        found
    }

    /// Goes behind the next `end`.
    fn skip_to(&mut self, end: &str) -> Result<(), Reason> {
        let found = memchr::memmem::find(&self.bytes[self.at..], end.as_bytes()).ok_or(Reason::Unparsed)?;
        self.at += found + end.len();
        Ok(())
    }

    /// One box, one object, a list of either, or boxes between marks.
    fn boxes(&mut self, boxes: &mut Vec<(f64, [f64; 4])>, limit: usize) -> Result<(), Reason> {
        for (name, marks) in MARKS {
            let named = self.eat_text(name[0]);
            if named {
                self.skip_to(name[1])?;
            }
            if self.eat_text(marks[0]) {
                while !self.eat_text(marks[1]) {
                    self.list(boxes, limit)?;
                    self.eat(b',');
                }
                return Ok(());
            }
            if named {
                return Err(Reason::Unparsed);
            }
        }
        self.list(boxes, limit)
    }

    /// One box, one object, or a list of either.
    fn list(&mut self, boxes: &mut Vec<(f64, [f64; 4])>, limit: usize) -> Result<(), Reason> {
        let has_room = |boxes: &[_]| if boxes.len() < limit { Ok(()) } else { Err(Reason::TooMany) };
        has_room(boxes)?;
        if self.peek() == Some(b'{') {
            boxes.push(self.object()?);
            return Ok(());
        }
        if self.eat(b'(') {
            boxes.push((0.0, self.corners()?));
            return Ok(());
        }
        self.expect(b'[')?;
        if !matches!(self.peek(), Some(b'[' | b'{' | b']')) {
            boxes.push((0.0, self.four()?));
            return Ok(());
        }
        while !self.eat(b']') {
            has_room(boxes)?;
            if self.eat(b'[') {
                boxes.push((0.0, self.four()?));
            } else {
                boxes.push(self.object()?);
            }
            if !self.eat(b',') && self.peek() != Some(b']') {
                return Err(Reason::Unparsed);
            }
        }
        Ok(())
    }

    /// What follows the bracket of `(x1,y1),(x2,y2)` or `(x1,y1,x2,y2)`.
    fn corners(&mut self) -> Result<[f64; 4], Reason> {
        let mut four = [0.0; 4];
        for (i, value) in four.iter_mut().enumerate() {
            if i == 2 && self.eat(b')') {
                self.expect(b',')?;
                self.expect(b'(')?;
            } else if i > 0 {
                self.expect(b',')?;
            }
            *value = self.number()?;
        }
        self.expect(b')')?;
        Ok(four)
    }

    /// Four numbers and the bracket that closes them.
    fn four(&mut self) -> Result<[f64; 4], Reason> {
        let mut four = [0.0; 4];
        for (i, value) in four.iter_mut().enumerate() {
            if i > 0 {
                self.expect(b',')?;
            }
            *value = self.number()?;
        }
        self.eat(b',');
        self.expect(b']')?;
        Ok(four)
    }

    /// `{'Position': […], 'Confidence': c}` or `{"bbox_2d": […], "label": "…"}`; the box stands in it exactly once.
    fn object(&mut self) -> Result<(f64, [f64; 4]), Reason> {
        self.expect(b'{')?;
        let mut confidence = 0.0;
        let mut four = None;
        while !self.eat(b'}') {
            let key = self.string()?.to_ascii_lowercase();
            self.expect(b':')?;
            match key.as_slice() {
                b"position" | b"bbox_2d" | b"bbox" | b"box" if four.is_none() => {
                    self.expect(b'[')?;
                    let nested = self.eat(b'[');
                    four = Some(self.four()?);
                    if nested {
                        self.expect(b']')?;
                    }
                }
                b"confidence" | b"score" => confidence = self.number()?,
                // What else is said of a box.
                _ => self.skip_value()?,
            }
            if !self.eat(b',') && self.peek() != Some(b'}') {
                return Err(Reason::Unparsed);
            }
        }
        four.map(|four| (confidence, four)).ok_or(Reason::Unparsed)
    }

    /// Passes over a text, a number, a word or a flat list of these.
    fn skip_value(&mut self) -> Result<(), Reason> {
        const WORDS: [&str; 6] = ["null", "true", "false", "None", "True", "False"];
        let list = self.eat(b'[');
        loop {
            match self.peek().ok_or(Reason::Unparsed)? {
                b']' if list => return self.expect(b']'),
                b'"' | b'\'' => _ = self.string()?,
                b'0'..=b'9' | b'-' | b'.' => _ = self.number()?,
                _ => {
                    let word = WORDS.iter().any(|word| self.eat_text(word));
                    word.then_some(()).ok_or(Reason::Unparsed)?;
                }
            }
            if !list {
                return Ok(());
            }
            self.eat(b',');
        }
    }

    /// A text in quotes; a backslash keeps a quote from ending it.
    fn string(&mut self) -> Result<&[u8], Reason> {
        let quote = self.peek().filter(|b| matches!(b, b'"' | b'\'')).ok_or(Reason::Unparsed)?;
        let start = self.at + 1;
        let mut escaped = false;
        let ends = |b: &u8| {
            let ends = *b == quote && !escaped;
            escaped = *b == b'\\' && !escaped;
            ends
        };
        let length = self.bytes[start..].iter().position(ends).ok_or(Reason::Unparsed)?;
        self.at = start + length + 1;
        Ok(&self.bytes[start..start + length])
    }

    /// A finite number as JSON has it; `.5` and `5.` pass as well.
    fn number(&mut self) -> Result<f64, Reason> {
        self.peek();
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|b| !matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
        let text = &rest[..length.unwrap_or(rest.len())];
        self.at += text.len();
        let number: Option<f64> = std::str::from_utf8(text).ok().and_then(|t| t.parse().ok());
        number.filter(|n| n.is_finite()).ok_or(Reason::Unparsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Rect = Rect { x1: 0.0, y1: 0.0, x2: 10.0, y2: 10.0 };
    const OTHER: Rect = Rect { x1: 20.0, y1: 0.0, x2: 30.0, y2: 10.0 };

    #[test]
    fn overlap_is_worked_by_hand() {
        check(0.0, &[ONE], "[5,5,15,15]", 25.0 / 175.0);
        check(0.0, &[ONE], "[0,0,10,20]", 0.5);
        check(0.5, &[ONE], "[0,0,10,20]", 0.0); // 0.5 is not above the threshold
        check(0.5, &[ONE], "[0,0,10,16]", 0.625);
        check(0.0, &[ONE], "[10,0,20,10]", 0.0); // touching edges
        check(0.0, &[ONE], "[10,0,0,10]", 0.0); // swapped corners
        check(0.0, &[Rect { x1: 0.1, y1: 0.1, x2: 0.9, y2: 0.9 }], "[.1,.1,.9,.9]", 1.0);
    }

    #[test]
    fn every_box_too_many_or_missing_costs() {
        check(0.5, &[ONE, OTHER], "[[0,0,10,10]]", 0.5);
        check(0.5, &[ONE], "[[0,0,10,10],[20,0,30,10]]", 0.5);
        check(0.5, &[ONE], "[[0,0,10,10],[0,0,10,10]]", 0.5);
        let hundred = vec!["[0,0,10,10]"; 100].join(",");
        check(0.5, &[ONE], &format!("[{hundred}]"), 0.0);
        let ten = ["[0,0,10,10]"; 10].join(",");
        check(0.5, &[ONE], &format!("[{ten}]"), 0.1);
        let million = vec!["[0,0,10,10]"; 90_000].join(",");
        check(0.5, &[ONE], &format!("[{million}]"), 0.0);
    }

    #[test]
    fn a_box_over_the_whole_picture_earns_only_its_overlap() {
        check(0.0, &[ONE], "[0,0,100,100]", 0.01);
        check(0.5, &[ONE], "[0,0,100,100]", 0.0);
    }

    #[test]
    fn confidence_decides_who_is_served_first() {
        // The surer box takes the gold with IoU 0.5, the better one is left without.
        let surer = "[{'Position':[0,0,10,20],'Confidence':0.9},{'Position':[0,0,10,10],'Confidence':0.1}]";
        check(0.0, &[ONE], surer, 0.25);
        check(0.0, &[ONE], "[[0,0,10,20],[0,0,10,10]]", 0.5);
    }

    #[test]
    fn coordinates_are_converted_to_pixels() {
        let answer = Answer::Boxes(vec![Rect { x1: 32.0, y1: 12.0, x2: 64.0, y2: 48.0 }]);
        let gold = Gold { answer: &answer, options: &[], picture_size: Some((64, 48)) };
        for (coordinates, layout, text) in [
            (Coordinates::Pixels, Layout::Xyxy, "[32,12,64,48]"),
            (Coordinates::Pixels, Layout::Xywh, "[32,12,32,36]"),
            (Coordinates::Rel1000, Layout::Xyxy, "[500,250,1000,1000]"),
            (Coordinates::Rel1000, Layout::Xywh, "[500,250,500,750]"),
            (Coordinates::Rel1, Layout::Xyxy, "[0.5,0.25,1,1]"),
            (Coordinates::Rel1, Layout::Cxcywh, "[0.75,0.625,0.5,0.75]"),
            // 64 x 48 becomes 56 x 56: 28 pixels are a half across, 14 a quarter down.
            (Coordinates::Resized, Layout::Xyxy, "[28,14,56,56]"),
        ] {
            let verifier = Boxes { coordinates, layout, ..of("") };
            assert_eq!(verifier.score(&gold, text).score, 1.0, "{coordinates:?} {layout:?}");
            assert_eq!(
                verifier.score(&gold, &verifier.write(&gold)).score,
                1.0,
                "{coordinates:?} {layout:?}"
            );
            super::super::tests::check_examples(&verifier);
        }
    }

    #[test]
    fn relative_coordinates_need_the_size_of_the_picture() {
        let verifier = of("coordinates = 'rel1000'");
        let answer = Answer::Boxes(vec![ONE]);
        let error = verifier.accepts(&Gold { answer: &answer, options: &[], picture_size: None });
        assert!(matches!(error, Err(BadGold::NoPictureSize)));
    }

    #[test]
    fn resized_pictures_have_the_size_of_the_processor() {
        // Worked from the processor's formula: 1000 x 700 is near 1008 x 700; 4000 x 3000 shrinks to 1 003 520 pixels at most.
        let resize = of("").resize;
        assert_eq!(resize.size(1000, 700), (1008.0, 700.0));
        let (wide, high) = resize.size(4000, 3000);
        assert_eq!((wide, high), (1148.0, 840.0));
        assert_eq!(resize.size(10, 10), (56.0, 56.0));
    }

    #[test]
    fn other_measures_are_worked_by_hand() {
        // Side by side with a gap of 10: the box around both is 30 wide, 20 of it covered: 0 - 100/300, below 0.
        check_of("measure = 'giou'\nthreshold = 0.0", &[ONE], "[20,0,30,10]", 0.0);
        // Overlap 50 of a union of 150, which fills the box around both: 1/3.
        check_of("measure = 'giou'\nthreshold = 0.0", &[ONE], "[5,0,15,10]", 1.0 / 3.0);
        // Two of three boxes right: precision 2/3, recall 1, F1 0.8.
        let golds = [ONE, OTHER];
        check_of("metric = 'f1'", &golds, "[[0,0,10,10],[20,0,30,10],[50,0,60,10]]", 0.8);
        check_of("metric = 'f1'\nthresholds = [0.5, 0.7]", &[ONE], "[0,0,10,16]", 0.5); // IoU 0.625
        // The sure one is wrong: precision 1/2 at recall 1/2, 2/3 at recall 1; the best beyond counts: 2/3 throughout.
        let surer = "[{'Position':[50,0,60,10],'Confidence':0.9},{'Position':[0,0,10,10],'Confidence':0.8},\
                     {'Position':[20,0,30,10],'Confidence':0.7}]";
        check_of("metric = 'ap'", &golds, surer, 2.0 / 3.0);
        // One of two found: 51 of the 101 recall levels.
        check_of("metric = 'ap'", &golds, "[0,0,10,10]", 51.0 / 101.0);
    }

    #[test]
    fn the_optimal_assignment_serves_both() {
        // Greedy gives the first gold to its best box and leaves nothing for the other: IoU 1 + 0.
        let golds = [ONE, Rect { x1: 0.0, y1: 4.0, x2: 10.0, y2: 14.0 }];
        let answer = "[[0,0,10,10],[0,-8,10,2]]";
        // Overlaps with ONE: 1 and 20/180; with the second gold: 60/140 and 0.
        let greedy = 1.0;
        let optimal = (20.0 / 180.0 + 60.0 / 140.0_f64).max(1.0);
        check_of("threshold = 0.0", &golds, answer, greedy / 2.0);
        check_of("threshold = 0.0\nmatching = 'optimal'", &golds, answer, optimal / 2.0);
        // Here the greedy choice costs: 0.6 + 0 against 0.5 + 0.5.
        let golds = [ONE, OTHER];
        let answer = "[[4,0,24,10],[0,0,10,30]]";
        let verifier = |matching: &str| of(&format!("threshold = 0.0\nmatching = '{matching}'"));
        let all = Answer::Boxes(golds.to_vec());
        let gold = Gold { answer: &all, options: &[], picture_size: None };
        assert!(
            verifier("optimal").score(&gold, answer).score >= verifier("greedy").score(&gold, answer).score
        );
    }

    #[test]
    fn deep_nesting_is_refused_without_recursion() {
        check(0.5, &[ONE], &"[".repeat(1_000_000), 0.0);
        check(0.5, &[ONE], &"[{'Position':".repeat(80_000), 0.0);
    }

    #[test]
    fn without_tags_the_last_list_is_the_answer() {
        let verifier = of("");
        let answer = Answer::Boxes(vec![ONE]);
        let gold = Gold { answer: &answer, options: &[], picture_size: None };
        assert_eq!(
            verifier.tail(&gold, "First [1,2,3,4], no: [[0,0,10,10], [1,1,2,2]]."),
            "[[0,0,10,10], [1,1,2,2]]"
        );
        assert_eq!(verifier.tail(&gold, "]]] none"), "]]] none");
    }

    fn check(threshold: f64, golds: &[Rect], answer: &str, expected: f64) {
        check_of(&format!("threshold = {threshold:?}"), golds, answer, expected);
    }

    fn of(settings: &str) -> Boxes {
        let config: toml::Table = settings.parse().unwrap();
        Boxes::new(config.try_into().unwrap()).unwrap()
    }

    fn check_of(settings: &str, golds: &[Rect], answer: &str, expected: f64) {
        let verifier = of(settings);
        let golds = Answer::Boxes(golds.to_vec());
        let gold = Gold { answer: &golds, options: &[], picture_size: None };
        let verdict = verifier.score(&gold, answer);
        assert!((verdict.score - expected).abs() < 1e-12, "{answer:.60} {verdict:?}");
    }
}
