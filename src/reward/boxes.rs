//! Boxes by intersection over union (IoU), matched one to one.
//!
//! Score: sum of the IoU of matched pairs divided by `max(boxes given, boxes wanted)`, so that every box too many and
//! every box missing costs. Pairs with an IoU up to `threshold` do not count: 0.5 as in MoDoMoDo's reward
//! (arXiv:2505.24871), 0 for the plain mean IoU of LISA-test. Boxes given are served in order of their confidence, and
//! those of equal or no confidence by largest IoU. The paper's code serves those in the order written and drops repeated
//! boxes; here order means nothing and a repeated box is a box too many.
//!
//! Read: `[[x1,y1,x2,y2],…]`, `[x1,y1,x2,y2]`, `{"bbox_2d": […]}`, `[{'Position': […], 'Confidence': c},…]`, JSON with either
//! kind of quotes, in a code fence or not. A box whose corners are swapped, or with a side of 0, is a box that overlaps
//! nothing. Text around the list is not read.

use serde::Deserialize;

use super::{BadGold, Example, Gold, Reason, Verdict, Verifier, entry, text::unwrapped};
use crate::{
    registry::{BuildError, Entry, Named},
    sample::{Answer, Rect},
};

pub(super) const ENTRY: Entry<dyn Verifier> = entry::<Boxes>();

/// Most boxes that a gold may have.
const MAX_GOLD: usize = 1000;
/// Boxes given beyond this plus twice the gold's score 0 unmatched: they could earn little, and memory stays bounded.
const MAX_GIVEN: usize = 1000;
/// Changing coordinates back and forth costs a few of the 53 bits; a score this near to 1 is 1.
const ROUNDING: f64 = 1e-9;

struct Boxes {
    threshold: f64,
    coordinates: Coordinates,
    layout: Layout,
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
}

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
        Ok(Self { threshold: config.threshold, coordinates: config.coordinates, layout: config.layout })
    }
}

impl Boxes {
    /// What one unit of x and of y is in pixels; `None` where that takes the picture's size and it is not known.
    fn unit(&self, gold: &Gold) -> Option<(f64, f64)> {
        let per = match self.coordinates {
            Coordinates::Pixels => return Some((1.0, 1.0)),
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
        if boxes.len() > MAX_GOLD {
            return Err(BadGold::Unreadable(format!(
                "{} boxes; at most {MAX_GOLD} are compared",
                boxes.len()
            )));
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
            }
        };
        Answer::Boxes(boxes.iter().map(one).collect()).written()
    }

    fn in_pixels(&self, four: [f64; 4], (ux, uy): (f64, f64)) -> Rect {
        let [x1, y1, a, b] = four;
        let (x2, y2) = if self.layout == Layout::Xywh { (x1 + a, y1 + b) } else { (a, b) };
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
        let mut pairs = Vec::new();
        for (i, (confidence, rect)) in given.iter().enumerate() {
            for (j, gold) in golds.iter().enumerate() {
                let iou = iou(rect, gold);
                if iou > self.threshold {
                    pairs.push((*confidence, iou, i, j));
                }
            }
        }
        // Stable, so that what is left equal keeps the order of the corners.
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1)));
        let (mut used_given, mut used_gold) = (vec![false; given.len()], vec![false; golds.len()]);
        let mut sum = 0.0;
        for (_, iou, i, j) in pairs {
            if !used_given[i] && !used_gold[j] {
                (used_given[i], used_gold[j]) = (true, true);
                sum += iou;
            }
        }
        let score = sum / given.len().max(golds.len()) as f64;
        if score > 1.0 - ROUNDING { 1.0 } else { score }
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
        let limit = MAX_GIVEN + 2 * golds.len();
        let given = match parse(text, limit) {
            Ok(given) => given,
            Err(reason) => return Verdict::zero(reason),
        };
        let given: Vec<(f64, Rect)> =
            given.into_iter().map(|(c, four)| (c, self.in_pixels(four, unit))).collect();
        Verdict::graded(self.matched(given, golds), text)
    }

    /// The last bracketed list on any line.
    fn tail<'t>(&self, _: &Gold, text: &'t str) -> &'t str {
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
fn iou(a: &Rect, b: &Rect) -> f64 {
    let overlap =
        area(&Rect { x1: a.x1.max(b.x1), y1: a.y1.max(b.y1), x2: a.x2.min(b.x2), y2: a.y2.min(b.y2) });
    let (of_a, of_b) = (area(a), area(b));
    if overlap <= 0.0 || of_a <= 0.0 || of_b <= 0.0 {
        return 0.0;
    }
    (overlap / (of_a + of_b - overlap)).clamp(0.0, 1.0)
}

/// The text inside a code fence with or without a language, else the text.
fn unfenced(text: &str) -> &str {
    let text = text.trim();
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
    let boxes = cursor.boxes(limit)?;
    match cursor.peek() {
        None if boxes.is_empty() => Err(Reason::Empty),
        None => Ok(boxes),
        Some(_) => Err(Reason::Unparsed),
    }
}

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

    /// One box, one object, or a list of either.
    fn boxes(&mut self, limit: usize) -> Result<Vec<(f64, [f64; 4])>, Reason> {
        if self.peek() == Some(b'{') {
            return Ok(vec![self.object()?]);
        }
        self.expect(b'[')?;
        if !matches!(self.peek(), Some(b'[' | b'{' | b']')) {
            return Ok(vec![(0.0, self.four()?)]);
        }
        let mut boxes = Vec::new();
        while !self.eat(b']') {
            if boxes.len() == limit {
                return Err(Reason::TooMany);
            }
            if self.eat(b'[') {
                boxes.push((0.0, self.four()?));
            } else {
                boxes.push(self.object()?);
            }
            if !self.eat(b',') && self.peek() != Some(b']') {
                return Err(Reason::Unparsed);
            }
        }
        Ok(boxes)
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
                    four = Some(self.four()?);
                }
                b"confidence" | b"score" => confidence = self.number()?,
                b"label" => _ = self.string()?,
                _ => return Err(Reason::Unparsed),
            }
            if !self.eat(b',') && self.peek() != Some(b'}') {
                return Err(Reason::Unparsed);
            }
        }
        four.map(|four| (confidence, four)).ok_or(Reason::Unparsed)
    }

    fn string(&mut self) -> Result<&[u8], Reason> {
        let quote = self.peek().filter(|b| matches!(b, b'"' | b'\'')).ok_or(Reason::Unparsed)?;
        let start = self.at + 1;
        let length = self.bytes[start..].iter().position(|b| *b == quote).ok_or(Reason::Unparsed)?;
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
        check(0.5, &[ONE], &format!("[{hundred}]"), 0.01);
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
        ] {
            let verifier = Boxes { threshold: 0.5, coordinates, layout };
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
        let verifier = Boxes { threshold: 0.5, coordinates: Coordinates::Rel1000, layout: Layout::Xyxy };
        let answer = Answer::Boxes(vec![ONE]);
        let error = verifier.accepts(&Gold { answer: &answer, options: &[], picture_size: None });
        assert!(matches!(error, Err(BadGold::NoPictureSize)));
    }

    #[test]
    fn deep_nesting_is_refused_without_recursion() {
        check(0.5, &[ONE], &"[".repeat(1_000_000), 0.0);
        check(0.5, &[ONE], &"[{'Position':".repeat(80_000), 0.0);
    }

    #[test]
    fn without_tags_the_last_list_is_the_answer() {
        let verifier = Boxes { threshold: 0.5, coordinates: Coordinates::Pixels, layout: Layout::Xyxy };
        let answer = Answer::Boxes(vec![ONE]);
        let gold = Gold { answer: &answer, options: &[], picture_size: None };
        assert_eq!(
            verifier.tail(&gold, "First [1,2,3,4], no: [[0,0,10,10], [1,1,2,2]]."),
            "[[0,0,10,10], [1,1,2,2]]"
        );
        assert_eq!(verifier.tail(&gold, "]]] none"), "]]] none");
    }

    fn check(threshold: f64, golds: &[Rect], answer: &str, expected: f64) {
        let verifier = Boxes { threshold, coordinates: Coordinates::Pixels, layout: Layout::Xyxy };
        let golds = Answer::Boxes(golds.to_vec());
        let gold = Gold { answer: &golds, options: &[], picture_size: None };
        let verdict = verifier.score(&gold, answer);
        assert!((verdict.score - expected).abs() < 1e-12, "{answer:.60} {verdict:?}");
    }
}
