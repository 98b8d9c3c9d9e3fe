//! Small plots as inline SVG that takes its colours from the page: axes with units and ticks, marks with tooltips,
//! a legend.

use std::fmt;

use askama::Template;

/// A plot, in data coordinates.
#[derive(Clone, Debug)]
pub(super) struct Plot {
    /// Read by screen readers and shown as the plot's own tooltip.
    pub(super) title: String,
    /// Horizontal axis.
    pub(super) x: Axis,
    /// Vertical axis.
    pub(super) y: Axis,
    /// Drawn in this order.
    pub(super) marks: Vec<Mark>,
    /// What the inks stand for; may be empty.
    pub(super) legend: Vec<(Ink, String)>,
    /// Width and height in pixels at natural size, the height that of one row where rows are named (0: of a line of text);
    /// the page scales it down where there is less room.
    pub(super) size: (f64, f64),
}

/// One axis.
#[derive(Clone, Debug)]
pub(super) enum Axis {
    /// Numbers; the range is widened to hold every mark.
    Numbers {
        /// Quantity and unit.
        label: String,
        /// Values that must be inside, whatever the marks are.
        include: Vec<f64>,
    },
    /// Named rows from the top, at 0, 1, 2, …
    Rows(Vec<String>),
}

/// A colour of the page, by what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    /// The thing in question.
    Main,
    /// What it is compared with.
    Other,
    /// A third kind.
    Third,
    /// Context: many runs, diagonals, zero lines.
    Faint,
}

/// Something drawn. Marks with a coordinate that is no number are left out.
#[derive(Clone, Debug)]
pub(super) enum Mark {
    /// A dot with an optional horizontal range.
    Dot { x: f64, y: f64, range: Option<(f64, f64)>, ink: Ink, tip: String },
    /// A line through points.
    Line { points: Vec<(f64, f64)>, ink: Ink, tip: String },
    /// A horizontal bar between two values, `height` in rows.
    Bar { from: f64, to: f64, y: f64, height: f64, ink: Ink, tip: String },
    /// The area between two lines, as x, low and high.
    Band { points: Vec<(f64, f64, f64)>, ink: Ink, tip: String },
    /// A vertical line through the whole plot.
    Upright { x: f64, ink: Ink, tip: String },
}

impl Ink {
    fn class(self) -> &'static str {
        match self {
            Self::Main => "ink-main",
            Self::Other => "ink-other",
            Self::Third => "ink-third",
            Self::Faint => "ink-faint",
        }
    }

    fn stroke(self) -> &'static str {
        match self {
            Self::Main => "stroke-main",
            Self::Other => "stroke-other",
            Self::Third => "stroke-third",
            Self::Faint => "stroke-faint",
        }
    }

    fn line(self) -> &'static str {
        match self {
            Self::Main => "line stroke-main",
            Self::Other => "line stroke-other",
            Self::Third => "line stroke-third",
            Self::Faint => "line stroke-faint",
        }
    }

    fn band(self) -> &'static str {
        match self {
            Self::Main => "band ink-main",
            Self::Other => "band ink-other",
            Self::Third => "band ink-third",
            Self::Faint => "band ink-faint",
        }
    }
}

impl Axis {
    /// Numbers without values that must be shown.
    pub(super) fn numbers(label: impl Into<String>) -> Self {
        Self::Numbers { label: label.into(), include: Vec::new() }
    }
}

/// A pixel coordinate: one digit is a tenth of a pixel and half the size of the page.
#[derive(Clone, Copy)]
pub(super) struct Px(pub(super) f64);

impl fmt::Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}", self.0)
    }
}

pub(super) enum Shape {
    Line { x1: Px, y1: Px, x2: Px, y2: Px, class: &'static str },
    Circle { x: Px, y: Px, class: &'static str, tip: String },
    Path { points: String, class: &'static str, tip: String },
    Rect { x: Px, y: Px, width: Px, height: Px, class: &'static str, tip: String },
    Text { x: Px, y: Px, class: &'static str, text: String, full: String },
    Polygon { points: String, class: &'static str, tip: String },
}

/// An `<svg>` element; its texts are escaped.
#[derive(Template)]
#[template(path = "plot.svg")]
pub(super) struct Svg<'a> {
    pub(super) title: &'a str,
    pub(super) width: Px,
    pub(super) height: Px,
    pub(super) shapes: Vec<Shape>,
}

impl Svg<'_> {
    pub(super) fn element(&self) -> String {
        self.render().expect("writing to a string cannot fail")
    }
}

/// Characters of a tooltip: a label may be of any length.
const MAX_TIP: usize = 300;

/// Height of a character row in pixels.
const ROW: f64 = 18.0;

impl Plot {
    /// The `<svg>` element; `None` when no mark has numbers, because an empty frame says less than a sentence.
    pub(super) fn svg(&self) -> Option<String> {
        let marks: Vec<&Mark> = self.marks.iter().filter(|mark| mark.is_finite()).collect();
        if marks.iter().all(|mark| matches!(mark, Mark::Upright { .. })) {
            return None;
        }
        let scales = Scales::new(self, &marks);
        let mut shapes = Vec::new();
        self.axes(&scales, &mut shapes);
        for mark in &marks {
            mark.draw(&scales, &mut shapes);
        }
        self.draw_legend(&scales, &mut shapes);
        let lines = self.legend_places().last().map_or(0, |place| place.1 + 1);
        let height = scales.bottom + 2.0 * ROW + lines as f64 * ROW;
        let svg = Svg { title: &self.title, width: Px(self.size.0), height: Px(height), shapes };
        Some(svg.element())
    }

    fn axes(&self, s: &Scales, shapes: &mut Vec<Shape>) {
        for (at, text) in x_ticks(s.x_range, s.right - s.left) {
            let x = Px(s.x(at));
            shapes.push(Shape::Line { x1: x, y1: Px(s.top), x2: x, y2: Px(s.bottom), class: "grid" });
            shapes.push(Shape::text(x.0, s.bottom + 14.0, "tick middle", text));
        }
        match &self.y {
            Axis::Rows(rows) => {
                // 7 px is a character of the tick's font.
                let fits = ((s.left - 6.0) / 7.0) as usize;
                for (i, row) in rows.iter().enumerate() {
                    shapes.push(Shape::Text {
                        x: Px(s.left - 6.0),
                        y: Px(s.y(i as f64) + 4.0),
                        class: "tick end",
                        text: clip(row, fits),
                        full: clip(row, MAX_TIP),
                    });
                }
            }
            Axis::Numbers { label, .. } => {
                for (at, text) in ticks(s.y_range, ((s.bottom - s.top) / 32.0) as usize) {
                    let y = Px(s.y(at));
                    shapes.push(Shape::Line { x1: Px(s.left), y1: y, x2: Px(s.right), y2: y, class: "grid" });
                    shapes.push(Shape::text(s.left - 5.0, y.0 + 4.0, "tick end", text));
                }
                shapes.push(Shape::text(2.0, 12.0, "label", label.clone()));
            }
        }
        if let Axis::Numbers { label, .. } = &self.x {
            shapes.push(Shape::text(
                f64::midpoint(s.left, s.right),
                s.bottom + 30.0,
                "label middle",
                label.clone(),
            ));
        }
    }

    /// Where each entry of the legend begins, and in which line: one after the other, as text.
    fn legend_places(&self) -> Vec<(f64, usize)> {
        let (mut x, mut line) = (8.0, 0);
        let mut places = Vec::with_capacity(self.legend.len());
        for (_, text) in &self.legend {
            // 6.6 px is a character of the tick's font.
            let width = 26.0 + text.chars().count() as f64 * 6.6;
            if x > 8.0 && x + width > self.size.0 {
                (x, line) = (8.0, line + 1);
            }
            places.push((x, line));
            x += width;
        }
        places
    }

    fn draw_legend(&self, s: &Scales, shapes: &mut Vec<Shape>) {
        let fits = ((self.size.0 - 24.0) / 6.6) as usize;
        for ((ink, text), (x, line)) in self.legend.iter().zip(self.legend_places()) {
            let y = s.bottom + 2.0 * ROW + line as f64 * ROW + 8.0;
            shapes.push(Shape::Circle { x: Px(x), y: Px(y), class: ink.class(), tip: String::new() });
            shapes.push(Shape::text(x + 9.0, y + 4.0, "tick", clip(text, fits)));
        }
    }
}

impl Shape {
    pub(super) fn text(x: f64, y: f64, class: &'static str, text: String) -> Self {
        Self::Text { x: Px(x), y: Px(y), class, text, full: String::new() }
    }
}

impl Mark {
    fn is_finite(&self) -> bool {
        match self {
            Self::Dot { x, y, .. } => x.is_finite() && y.is_finite(),
            Self::Line { points, .. } => {
                points.iter().filter(|p| p.0.is_finite() && p.1.is_finite()).count() > 1
            }
            Self::Bar { from, to, y, .. } => from.is_finite() && to.is_finite() && y.is_finite(),
            Self::Band { points, .. } => {
                points.len() > 1
                    && points.iter().all(|p| p.0.is_finite() && p.1.is_finite() && p.2.is_finite())
            }
            Self::Upright { x, .. } => x.is_finite(),
        }
    }

    /// Every point that the axes have to hold.
    fn corners(&self) -> Vec<(f64, f64)> {
        match self {
            Self::Dot { x, y, range, .. } => {
                let ends = range.filter(|r| r.0.is_finite() && r.1.is_finite());
                [Some((*x, *y)), ends.map(|r| (r.0, *y)), ends.map(|r| (r.1, *y))]
                    .into_iter()
                    .flatten()
                    .collect()
            }
            Self::Line { points, .. } => {
                points.iter().copied().filter(|p| p.0.is_finite() && p.1.is_finite()).collect()
            }
            Self::Bar { from, to, y, .. } => vec![(*from, *y), (*to, *y)],
            Self::Band { points, .. } => {
                let (low, high) = (points.iter().map(|p| (p.0, p.1)), points.iter().map(|p| (p.0, p.2)));
                low.chain(high).collect()
            }
            // It says nothing of the height, so it takes what is there.
            Self::Upright { x, .. } => vec![(*x, f64::NAN)],
        }
    }

    fn draw(&self, s: &Scales, shapes: &mut Vec<Shape>) {
        match self {
            Self::Dot { x, y, range, ink, tip } => {
                let (px, py) = (s.x(*x), s.y(*y));
                if let Some((low, high)) = range.filter(|r| r.0.is_finite() && r.1.is_finite()) {
                    let class = ink.stroke();
                    let (low, high) = (s.x(low), s.x(high));
                    for (x1, y1, x2, y2) in [
                        (low, py, high, py),
                        (low, py - 3.0, low, py + 3.0),
                        (high, py - 3.0, high, py + 3.0),
                    ] {
                        shapes.push(Shape::Line { x1: Px(x1), y1: Px(y1), x2: Px(x2), y2: Px(y2), class });
                    }
                }
                shapes.push(Shape::Circle {
                    x: Px(px),
                    y: Px(py),
                    class: ink.class(),
                    tip: clip(tip, MAX_TIP),
                });
            }
            Self::Line { ink, tip, .. } => {
                let points: Vec<String> =
                    self.corners().iter().map(|p| format!("{},{}", Px(s.x(p.0)), Px(s.y(p.1)))).collect();
                let class = ink.line();
                shapes.push(Shape::Path { points: points.join(" "), class, tip: clip(tip, MAX_TIP) });
            }
            Self::Band { points, ink, tip } => {
                let there = points.iter().map(|p| (p.0, p.2));
                let back = points.iter().rev().map(|p| (p.0, p.1));
                let around: Vec<String> =
                    there.chain(back).map(|p| format!("{},{}", Px(s.x(p.0)), Px(s.y(p.1)))).collect();
                let points = around.join(" ");
                shapes.push(Shape::Polygon { points, class: ink.band(), tip: clip(tip, MAX_TIP) });
            }
            Self::Upright { x, ink, tip } => {
                let x = Px(s.x(*x));
                let points = format!("{x},{} {x},{}", Px(s.top), Px(s.bottom));
                shapes.push(Shape::Path { points, class: ink.line(), tip: clip(tip, MAX_TIP) });
            }
            Self::Bar { from, to, y, height, ink, tip } => {
                let (a, b) = (s.x(from.min(*to)), s.x(from.max(*to)));
                let height = height * s.row();
                shapes.push(Shape::Rect {
                    x: Px(a),
                    y: Px(s.y(*y) - height / 2.0),
                    // A bar of no length stays visible and can be pointed at.
                    width: Px((b - a).max(1.0)),
                    height: Px(height),
                    class: ink.class(),
                    tip: clip(tip, MAX_TIP),
                });
            }
        }
    }
}

/// From data to pixels.
struct Scales {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x_range: (f64, f64),
    y_range: (f64, f64),
    /// Rows count from the top, numbers from the bottom.
    down: bool,
}

impl Scales {
    fn new(plot: &Plot, marks: &[&Mark]) -> Self {
        let corners: Vec<(f64, f64)> = marks.iter().flat_map(|mark| mark.corners()).collect();
        let x_range = range(&plot.x, corners.iter().map(|c| c.0));
        let y_range = range(&plot.y, corners.iter().map(|c| c.1));
        let (width, height) = plot.size;
        let (left, top, bottom, down) = match &plot.y {
            Axis::Rows(rows) => {
                let longest = rows.iter().map(|row| row.chars().count()).max().unwrap_or(0);
                let left = (longest as f64 * 7.0 + 10.0).min(width * 0.45);
                let row = if height > 0.0 { height } else { ROW };
                (left, 4.0, 4.0 + rows.len() as f64 * row, true)
            }
            Axis::Numbers { .. } => (44.0, 20.0, height, false),
        };
        Self { left, right: width - 14.0, top, bottom, x_range, y_range, down }
    }

    fn x(&self, value: f64) -> f64 {
        self.left + (value - self.x_range.0) / (self.x_range.1 - self.x_range.0) * (self.right - self.left)
    }

    fn y(&self, value: f64) -> f64 {
        let part = (value - self.y_range.0) / (self.y_range.1 - self.y_range.0);
        let part = if self.down { part } else { 1.0 - part };
        self.top + part * (self.bottom - self.top)
    }

    fn row(&self) -> f64 {
        (self.y(1.0) - self.y(0.0)).abs()
    }
}

/// The axis' range: what it must hold with a little room; never empty.
fn range(axis: &Axis, values: impl Iterator<Item = f64>) -> (f64, f64) {
    let include = match axis {
        Axis::Rows(rows) => return (-0.5, rows.len() as f64 - 0.5),
        Axis::Numbers { include, .. } => include,
    };
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in include.iter().copied().chain(values).filter(|v| v.is_finite()) {
        (low, high) = (low.min(value), high.max(value));
    }
    // All marks at one value still need a scale; a hundredth suits scores, a tenth of the value anything else.
    let room = if high > low { (high - low) * 0.04 } else { (high.abs() * 0.1).max(0.01) };
    let (padded_low, padded_high) = (low - room, high + room);
    // Shares, rates and counts do not go below 0, so an axis that starts there says so.
    (if low >= 0.0 && padded_low < 0.0 { 0.0 } else { padded_low }, padded_high)
}

/// As many ticks as `width` pixels hold side by side: 7 px is a character of their font.
fn x_ticks(range: (f64, f64), width: f64) -> Vec<(f64, String)> {
    let fits = |ticks: &[(f64, String)]| {
        let longest = ticks.iter().map(|tick| tick.1.chars().count()).max().unwrap_or(0);
        ticks.len() as f64 * (longest as f64 * 7.0 + 8.0) <= width + 8.0
    };
    let most = ((width / 60.0) as usize).clamp(3, 8);
    let mut all = (2..=most).rev().map(|n| ticks(range, n));
    let first = all.next().unwrap_or_default();
    if fits(&first) { first } else { all.find(|ticks| fits(ticks)).unwrap_or_else(|| ticks(range, 2)) }
}

/// About `n` round numbers inside a range, with the digits that tell them apart.
fn ticks((low, high): (f64, f64), n: usize) -> Vec<(f64, String)> {
    let raw = (high - low) / n.clamp(2, 8) as f64;
    let power = 10f64.powf(raw.log10().floor());
    // Of the round steps the nearest by ratio; the bounds between 1, 2, 5 and 10 are their geometric means.
    let step = power
        * match raw / power {
            ..1.414 => 1.0,
            ..3.162 => 2.0,
            ..7.071 => 5.0,
            _ => 10.0,
        };
    let n_digits = (-step.log10().floor()).clamp(0.0, 6.0) as usize;
    let first = (low / step).ceil();
    (0..20)
        .map(|i| (first + f64::from(i)) * step)
        .take_while(|at| *at <= high + step * 1e-9)
        .map(|at| (at, super::estimate::digits(at, n_digits)))
        .collect()
}

/// At most `n` characters, the last an ellipsis where some are missing.
pub(super) fn clip(text: &str, n: usize) -> String {
    if text.chars().count() <= n {
        return text.to_owned();
    }
    text.chars().take(n.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dots(of: &[(f64, f64)]) -> Plot {
        let dot =
            |&(x, y)| Mark::Dot { x, y, range: Some((x - 1.0, x + 1.0)), ink: Ink::Main, tip: "<b>&".into() };
        Plot {
            title: "a < b".into(),
            x: Axis::numbers("step"),
            y: Axis::numbers("score"),
            marks: of.iter().map(dot).collect(),
            legend: vec![(Ink::Main, "\"x\"".into())],
            size: (300.0, 160.0),
        }
    }

    #[test]
    fn ticks_are_round_and_inside() {
        let texts = |low, high| ticks((low, high), 4).into_iter().map(|t| t.1).collect::<Vec<_>>();
        assert_eq!(texts(0.03, 0.41), ["0.1", "0.2", "0.3", "0.4"]);
        assert_eq!(texts(-0.02, 0.02), ["−0.02", "−0.01", "0.00", "0.01", "0.02"]);
        assert_eq!(texts(0.0, 180.0), ["0", "50", "100", "150"]);
    }

    #[test]
    fn ticks_stand_side_by_side() {
        // Six numbers of six characters take 300 pixels and more; what is left are steps of a hundredth or more.
        for width in [90.0, 150.0, 300.0] {
            let ticks = x_ticks((-0.027, 0.012), width);
            let longest = ticks.iter().map(|tick| tick.1.chars().count()).max().unwrap();
            assert!(
                !ticks.is_empty() && ticks.len() as f64 * (7.0 * longest as f64) <= width + 8.0,
                "{ticks:?}"
            );
        }
    }

    #[test]
    fn texts_are_escaped() {
        let svg = dots(&[(1.0, 2.0)]).svg().unwrap();
        assert!(!svg.contains("<b>"), "{svg}");
        assert!(!svg.contains("a < b"), "{svg}");
    }

    #[test]
    fn marks_without_numbers_are_left_out_and_no_marks_make_no_plot() {
        assert_eq!(dots(&[(f64::NAN, 1.0), (1.0, f64::INFINITY)]).svg(), None);
        let svg = dots(&[(f64::NAN, 1.0), (1.0, 1.0)]).svg().unwrap();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
