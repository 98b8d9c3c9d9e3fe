//! A triangle over the shares of three datasets, coloured by a predicted value.

use super::{
    estimate::digits,
    plot::{Px, Shape, Svg, clip},
    surfaces::triangles,
};

/// Steps of colour.
const STEPS: usize = 9;

/// The classes of the steps, low to high; the page gives them one hue of rising strength.
const CLASSES: [&str; STEPS] = ["t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8"];

/// Pixels.
const WIDTH: f64 = 320.0;
const SIDE: f64 = 248.0;
const TOP: f64 = 24.0;

/// What is drawn. Parts are those of the top, left and right corner and sum to 1.
pub(super) struct Ternary<'a> {
    /// Read by screen readers.
    pub(super) title: String,
    /// Names of the corners.
    pub(super) corners: [&'a str; 3],
    /// Share at a corner.
    pub(super) most: f64,
    /// Rows of small triangles.
    pub(super) rows: usize,
    /// Their values; `None` where nothing is allowed.
    pub(super) values: &'a [Option<f64>],
    /// What the values are, for the scale.
    pub(super) unit: String,
    /// Dots with their tooltips.
    pub(super) dots: Vec<([f64; 3], String)>,
    /// A mark that stands out.
    pub(super) star: Option<([f64; 3], String)>,
}

impl Ternary<'_> {
    /// Pixels at natural size.
    pub(super) const fn width() -> f64 {
        WIDTH
    }

    /// The `<svg>` element; `None` when no value is a number.
    pub(super) fn svg(&self) -> Option<String> {
        let numbers = || self.values.iter().flatten().copied().filter(|v| v.is_finite());
        let low = numbers().fold(f64::INFINITY, f64::min);
        let high = numbers().fold(f64::NEG_INFINITY, f64::max);
        if !low.is_finite() {
            return None;
        }
        let step_of = |value: f64| {
            if high > low {
                (((value - low) / (high - low) * STEPS as f64) as usize).min(STEPS - 1)
            } else {
                STEPS / 2
            }
        };
        let class_of = |value: Option<f64>| match value {
            Some(value) if value.is_finite() => CLASSES[step_of(value)],
            _ => "outside",
        };
        let bottom = TOP + height();
        let mut shapes = Vec::new();
        self.cells(&class_of, &mut shapes);
        // A line at every quarter of each share.
        for quarter in [0.25, 0.5, 0.75] {
            for k in 0..3 {
                let mut ends = [[0.0; 3]; 2];
                for (end, other) in ends.iter_mut().zip([(k + 1) % 3, (k + 2) % 3]) {
                    end[k] = quarter;
                    end[other] = 1.0 - quarter;
                }
                let [(x1, y1), (x2, y2)] = ends.map(place);
                shapes.push(Shape::Line { x1: Px(x1), y1: Px(y1), x2: Px(x2), y2: Px(y2), class: "mesh" });
            }
        }
        let dot = |(parts, tip): &([f64; 3], String), class| {
            let (x, y) = place(*parts);
            Shape::Circle { x: Px(x), y: Px(y), class, tip: clip(tip, 300) }
        };
        shapes.extend(self.dots.iter().map(|one| dot(one, "dot")));
        shapes.extend(self.star.iter().map(|one| dot(one, "star")));
        let most = share(self.most);
        // 7 px is a character.
        let corner = |k: usize, n: usize| format!("{} {most}", clip(self.corners[k], n));
        shapes.push(Shape::text(WIDTH / 2.0, TOP - 9.0, "label middle", corner(0, 36)));
        shapes.push(Shape::text(4.0, bottom + 16.0, "label", corner(1, 17)));
        shapes.push(Shape::text(WIDTH - 4.0, bottom + 16.0, "label end", corner(2, 17)));
        self.scale(low, high, bottom + 32.0, &mut shapes);
        let svg = Svg { title: &self.title, width: Px(WIDTH), height: Px(bottom + 78.0), shapes };
        Some(svg.element())
    }

    /// Neighbours of one colour in a row become one shape: a tenth of the size, and no seams.
    fn cells(&self, class_of: &dyn Fn(Option<f64>) -> &'static str, shapes: &mut Vec<Shape>) {
        let all = triangles(self.rows);
        let mut at = 0;
        for row in 0..self.rows {
            let in_row = 2 * row + 1;
            let cells: Vec<_> = all[at..at + in_row].iter().zip(&self.values[at..at + in_row]).collect();
            at += in_row;
            for run in cells.chunk_by(|a, b| class_of(*a.1) == class_of(*b.1)) {
                let corners: Vec<(f64, f64)> =
                    run.iter().flat_map(|cell| cell.0.iter().map(|c| place(*c))).collect();
                let (upper, lower) = (place_row(row, self.rows), place_row(row + 1, self.rows));
                let ends = |y: f64| {
                    let xs = || corners.iter().filter(move |c| (c.1 - y).abs() < 1e-6).map(|c| c.0);
                    (xs().fold(f64::INFINITY, f64::min), xs().fold(f64::NEG_INFINITY, f64::max))
                };
                let (top, base) = (ends(upper), ends(lower));
                let around = [(top.0, upper), (top.1, upper), (base.1, lower), (base.0, lower)];
                let points: Vec<String> =
                    around.iter().map(|(x, y)| format!("{},{}", Px(*x), Px(*y))).collect();
                shapes.push(Shape::Polygon {
                    points: points.join(" "),
                    class: class_of(*run[0].1),
                    tip: String::new(),
                });
            }
        }
    }

    fn scale(&self, low: f64, high: f64, y: f64, shapes: &mut Vec<Shape>) {
        let width = SIDE / STEPS as f64;
        let left = (WIDTH - SIDE) / 2.0;
        for (i, class) in CLASSES.into_iter().enumerate() {
            shapes.push(Shape::Rect {
                x: Px(left + i as f64 * width),
                y: Px(y),
                width: Px(width),
                height: Px(9.0),
                class,
                tip: String::new(),
            });
        }
        let n = figures(low, high);
        shapes.push(Shape::text(left, y + 22.0, "tick", digits(low, n)));
        shapes.push(Shape::text(left + SIDE, y + 22.0, "tick end", digits(high, n)));
        shapes.push(Shape::text(WIDTH / 2.0, y + 38.0, "label middle", clip(&self.unit, 46)));
    }
}

/// Digits that tell a ninth of the range apart, three at least.
fn figures(low: f64, high: f64) -> usize {
    let step = (high - low) / STEPS as f64;
    if step > 0.0 { (-step.log10().floor()).clamp(2.0, 5.0) as usize } else { 3 }
}

/// `.25`, `1`.
fn share(of: f64) -> String {
    let text = digits(of, 2);
    text.strip_suffix(".00").unwrap_or(text.strip_prefix('0').unwrap_or(&text)).to_owned()
}

fn height() -> f64 {
    SIDE * 0.75_f64.sqrt()
}

fn place_row(row: usize, rows: usize) -> f64 {
    TOP + height() * row as f64 / rows as f64
}

fn place([top, _, right]: [f64; 3]) -> (f64, f64) {
    let left = (WIDTH - SIDE) / 2.0;
    (left + SIDE * (right + top / 2.0), TOP + height() * (1.0 - top))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn svg(values: &[Option<f64>]) -> Option<String> {
        let rows = values.len().isqrt();
        let corners = ["<a>", "b", "c"];
        let star = Some(([0.2, 0.3, 0.5], "here & now".to_owned()));
        let unit = "score".to_owned();
        Ternary { title: "map".into(), corners, most: 0.8, rows, values, unit, dots: Vec::new(), star }.svg()
    }

    #[test]
    fn one_colour_in_a_row_is_one_shape() {
        // Rows of 1, 3 and 5 triangles: one colour each, then the last with two.
        let mut values = vec![Some(1.0); 9];
        values[0] = Some(0.0);
        assert_eq!(svg(&values).unwrap().matches("<polygon").count(), 3);
        values[6] = None;
        assert_eq!(svg(&values).unwrap().matches("<polygon").count(), 5);
    }

    #[test]
    fn texts_are_escaped_and_no_numbers_make_no_map() {
        let map = svg(&[Some(0.1)]).unwrap();
        assert!(map.contains("&#60;a&#62; .80") && !map.contains("<a>"), "{map}");
        assert_eq!(svg(&[None]), None);
        assert_eq!(svg(&[Some(f64::NAN)]), None);
    }
}
