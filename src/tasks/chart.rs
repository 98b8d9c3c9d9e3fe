//! Numbers read from bar, line and pie charts; the role of ChartQA.

use rand::Rng;

use super::{
    NoSettings, Problem, Task,
    canvas::{COLOURS, Canvas, FAINT, Font, INK, PAPER},
    cells::{CELL, text},
    entry, idle, pick, shuffle,
};
use crate::{
    registry::{BuildError, Entry, Named},
    sample::Answer,
    seed::ChaCha8Rng,
};

pub(super) const ENTRY: Entry<dyn Task> = entry::<Chart>();

struct Chart;

impl Named for Chart {
    const NAME: &'static str = "chart";
    const SUMMARY: &'static str = "Numbers read from bar, line and pie charts";
    type Config = NoSettings;

    fn new(_: NoSettings) -> Result<Self, BuildError> {
        Ok(Self)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bars,
    Line,
    Pie,
}

/// A chart with named values.
struct Data {
    kind: Kind,
    names: Vec<String>,
    values: Vec<i64>,
    /// The slice without its number, to be found from the rest.
    hidden: Option<usize>,
    draw: Box<dyn Fn(&mut Canvas) + Send + Sync>,
}

impl Task for Chart {
    fn problem(&self, rng: &mut ChaCha8Rng, level: u8) -> Problem {
        loop {
            let data = match rng.random_range(0..3) {
                0 => bars(rng, level),
                1 => line(rng, level),
                _ => pie(rng, level),
            };
            let (question, rationale, answer) = ask(rng, level, &data);
            if !(0..=99).contains(&answer) {
                continue;
            }
            let items: Vec<String> =
                data.names.iter().zip(&data.values).map(|(name, value)| format!("{name} {value}")).collect();
            let kind = match data.kind {
                Kind::Bars => "A bar chart",
                Kind::Line => "A line chart",
                Kind::Pie => "A pie chart in percent",
            };
            let caption = format!("{kind}: {}.", items.join(", "));
            let draw = data.draw;
            return Problem {
                options: Vec::new(),
                answer: Answer::Number(answer as f64),
                idle_rationale: idle(rng, &rationale),
                rationale,
                key: format!("{question} {caption}"),
                question,
                caption,
                draw: Box::new(move || {
                    let mut canvas = Canvas::lit(80, 80);
                    draw(&mut canvas);
                    canvas
                }),
            };
        }
    }
}

/// Question, rationale and answer, which may be out of range.
fn ask(rng: &mut ChaCha8Rng, level: u8, data: &Data) -> (String, String, i64) {
    let name = |at: usize| data.names[at].as_str();
    let value = |at: usize| data.values[at];
    let mut order: Vec<usize> = (0..data.values.len()).collect();
    shuffle(rng, &mut order);
    let [a, b] = [order[0], order[1]];
    let most = *order.iter().max_by_key(|&&at| value(at)).expect("charts have values");
    let least = *order.iter().min_by_key(|&&at| value(at)).expect("charts have values");
    let sum: i64 = data.values.iter().sum();
    let forms: &[Form] = match level {
        // The smallest slice is near the least allowed: it can be guessed.
        1 | 2 if data.kind == Kind::Pie => &[Form::Value, Form::Value, Form::Value, Form::Largest, Form::Sum],
        1 => &[Form::Value, Form::Value, Form::Value, Form::Largest, Form::Smallest],
        2 => &[Form::Value, Form::Value, Form::Largest, Form::Smallest, Form::Sum, Form::Difference],
        _ => &[Form::Sum, Form::Difference, Form::Spread, Form::All],
    };
    match pick(rng, forms) {
        Form::Value => {
            let at = data.hidden.unwrap_or(a);
            let rationale = if data.hidden.is_some() {
                let known = data.values.iter().enumerate().filter(|(other, _)| *other != at);
                let known: Vec<String> = known.map(|(_, value)| value.to_string()).collect();
                format!("100 - {} = {}.", known.join(" - "), value(at))
            } else {
                format!("I see {} at {}.", name(at), value(at))
            };
            (format!("What is the value of {}?", name(at)), rationale, value(at))
        }
        Form::Largest => (
            "What is the largest value?".to_owned(),
            format!("I see {} on top, at {}.", name(most), value(most)),
            value(most),
        ),
        Form::Smallest => (
            "What is the smallest value?".to_owned(),
            format!("I see {} as the least, at {}.", name(least), value(least)),
            value(least),
        ),
        Form::Sum => (
            format!("What is the sum of {} and {}?", name(a), name(b)),
            format!("{} + {} = {}.", value(a), value(b), value(a) + value(b)),
            value(a) + value(b),
        ),
        Form::Difference => {
            let (high, low) = if value(a) >= value(b) { (a, b) } else { (b, a) };
            (
                format!("How much more is {} than {}?", name(high), name(low)),
                format!("{} - {} = {}.", value(high), value(low), value(high) - value(low)),
                value(high) - value(low),
            )
        }
        Form::Spread => (
            "What is the largest value minus the smallest?".to_owned(),
            format!("{} - {} = {}.", value(most), value(least), value(most) - value(least)),
            value(most) - value(least),
        ),
        // The whole pie is 100, always.
        Form::All if data.kind == Kind::Pie => {
            let rest = sum - value(a) - value(b);
            (
                format!("What is left without {} and {}?", name(a), name(b)),
                format!("{sum} - {} - {} = {rest}.", value(a), value(b)),
                rest,
            )
        }
        Form::All => {
            let terms: Vec<String> = data.values.iter().map(ToString::to_string).collect();
            ("What is the sum of all values?".to_owned(), format!("{} = {sum}.", terms.join(" + ")), sum)
        }
    }
}

/// What can be asked about any chart.
#[derive(Clone, Copy)]
enum Form {
    Value,
    Largest,
    Smallest,
    Sum,
    Difference,
    Spread,
    All,
}

/// Distance between tick labels by level, and the parts of it that values lie on.
fn random_step(rng: &mut ChaCha8Rng, level: u8) -> (i64, i64) {
    let (steps, parts): (&[i64], i64) = match level {
        1 => (&[2, 4, 10, 20, 30], 2),
        2 => (&[4, 8, 10, 20, 30], 2),
        _ => (&[4, 8, 12, 20], 4),
    };
    (pick(rng, steps), parts)
}

/// The zero of the axis and the pixels from tick to tick: labels lie in the middle of cells.
const ZERO: f32 = 56.0;

/// Axes with four labelled ticks, from 0 upwards.
fn draw_axes(canvas: &mut Canvas, step: i64) {
    canvas.fill_rect(18.0, 4.0, 62.0, ZERO - 4.0, PAPER);
    for tick in 0..4 {
        let y = ZERO - CELL * tick as f32;
        let label = (step * tick).to_string();
        text(canvas, if label.len() == 1 { 8.0 } else { 0.0 }, y - 8.0, &label);
        canvas.fill_rect(16.0, y - 0.5, 64.0, 1.0, FAINT);
    }
    canvas.fill_rect(17.0, 2.0, 1.5, ZERO - 1.0, INK);
    canvas.fill_rect(15.0, ZERO - 0.5, 65.0, 1.5, INK);
}

/// Middles of the four columns.
fn column(at: usize) -> f32 {
    CELL * (at + 1) as f32 + 8.0
}

fn bars(rng: &mut ChaCha8Rng, level: u8) -> Data {
    let mut inks = COLOURS;
    shuffle(rng, &mut inks);
    let mut letters = ["K", "L", "M", "N", "P", "R", "S", "T"];
    shuffle(rng, &mut letters);
    let n = if level == 1 { 3 } else { 4 };
    // The first level asks by colour, the others by the letter below the bar.
    let names: Vec<String> =
        (0..n).map(|at| if level == 1 { inks[at].0 } else { letters[at] }.to_owned()).collect();
    // Where values are written on top of the bars they can be any number.
    let labelled = level > 1 && rng.random_bool(0.4);
    let (step, parts) = random_step(rng, level);
    let values: Vec<i64> = if labelled {
        distinct(rng, n, |rng| rng.random_range(2..=49))
    } else {
        distinct(rng, n, |rng| rng.random_range(1..=3 * parts) * step / parts)
    };
    let shown = values.clone();
    Data {
        kind: Kind::Bars,
        names,
        values,
        hidden: None,
        draw: Box::new(move |canvas| {
            let per_pixel = if labelled { 50.0 / 36.0 } else { step as f32 / CELL };
            if labelled {
                canvas.fill_rect(16.0, 16.0, 64.0, 40.0, PAPER);
                canvas.fill_rect(16.0, ZERO - 0.5, 64.0, 1.5, INK);
            } else {
                draw_axes(canvas, step);
            }
            for (at, value) in shown.iter().enumerate() {
                let height = *value as f32 / per_pixel;
                canvas.rect(column(at) - 5.0, ZERO - height, 10.0, height, inks[at].1);
                if level > 1 {
                    canvas.text_centred(column(at), 68.0, letters[at], Font::Large, INK);
                }
                if labelled {
                    canvas.text_centred(column(at), 9.0, &value.to_string(), Font::Medium, INK);
                }
            }
        }),
    }
}

/// `n` different values: the largest and the smallest are always one.
fn distinct(rng: &mut ChaCha8Rng, n: usize, value: impl Fn(&mut ChaCha8Rng) -> i64) -> Vec<i64> {
    let mut values = Vec::with_capacity(n);
    while values.len() < n {
        let new = value(rng);
        if !values.contains(&new) {
            values.push(new);
        }
    }
    values
}

fn line(rng: &mut ChaCha8Rng, level: u8) -> Data {
    let (step, parts) = random_step(rng, level);
    let values = distinct(rng, 4, |rng| rng.random_range(1..=3 * parts) * step / parts);
    let shown = values.clone();
    let ink = pick(rng, &COLOURS).1;
    Data {
        kind: Kind::Line,
        names: (1..=4).map(|day| format!("day {day}")).collect(),
        values,
        hidden: None,
        draw: Box::new(move |canvas| {
            draw_axes(canvas, step);
            let points: Vec<(f32, f32)> = shown
                .iter()
                .enumerate()
                .map(|(at, value)| (column(at), ZERO - *value as f32 * CELL / step as f32))
                .collect();
            canvas.polyline(&points, 2.0, INK);
            for (at, (x, y)) in points.into_iter().enumerate() {
                canvas.circle(x, y, 3.5, ink);
                canvas.text_centred(column(at), 70.0, &(at + 1).to_string(), Font::Large, INK);
            }
        }),
    }
}

fn pie(rng: &mut ChaCha8Rng, level: u8) -> Data {
    let n = if level == 1 { 3 } else { 4 };
    let mut inks = COLOURS;
    shuffle(rng, &mut inks);
    // Labelled slices can be any share; slices to be read against the ten marks of the rim are tens.
    let labelled = level < 3 || rng.random_bool(0.5);
    let unit = if labelled { 1 } else { 10 };
    let least = if labelled { 15 } else { 10 };
    let values = loop {
        let first: Vec<i64> = (1..n).map(|_| unit * rng.random_range(least / unit..=60 / unit)).collect();
        let last = 100 - first.iter().sum::<i64>();
        let mut values = first;
        values.push(last);
        shuffle(rng, &mut values);
        // Tens need not differ: four different ones would always be 10, 20, 30 and 40.
        let differ = (0..n).all(|at| !values[..at].contains(&values[at]));
        if last >= least && (differ || unit == 10) {
            break values;
        }
    };
    let shown = values.clone();
    let hidden = (level == 2).then(|| rng.random_range(0..n));
    Data {
        kind: Kind::Pie,
        names: (0..n).map(|at| inks[at].0.to_owned()).collect(),
        values,
        hidden,
        draw: Box::new(move |canvas| {
            let mut from = 0.0;
            for (at, value) in shown.iter().enumerate() {
                let to = from + *value as f32 * 3.6;
                canvas.sector(40.0, 40.0, 36.0, from, to, inks[at].1);
                from = to;
            }
            let on_rim = |percent: f32, radius: f32| {
                let angle = (percent * 3.6).to_radians();
                (40.0 + radius * angle.sin(), 40.0 - radius * angle.cos())
            };
            for mark in 0..10 {
                let percent = 10.0 * mark as f32;
                canvas.line(on_rim(percent, 35.0), on_rim(percent, 39.0), 1.5, INK);
            }
            let mut before = 0;
            for (at, value) in shown.iter().enumerate() {
                let (x, y) = on_rim(before as f32 + *value as f32 / 2.0, 23.0);
                before += value;
                if labelled {
                    let label = if Some(at) == hidden { "?".to_owned() } else { value.to_string() };
                    let (x, y) = (x.round(), y.round());
                    canvas.fill_rect(x - 8.0, y - 7.0, 16.0, 13.0, PAPER);
                    canvas.text_centred(x, y, &label, Font::Large, INK);
                }
            }
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    #[test]
    fn slices_make_a_whole_and_bars_fit_the_axis() {
        let mut rng = Seed::new(1).rng();
        for level in 1..=3 {
            for _ in 0..300 {
                let data = pie(&mut rng, level);
                assert_eq!(data.values.iter().sum::<i64>(), 100);
                assert!(data.values.iter().all(|value| (10..=70).contains(value)), "{:?}", data.values);
                for data in [bars(&mut rng, level), line(&mut rng, level)] {
                    assert!(data.values.iter().all(|value| (0..=90).contains(value)), "{:?}", data.values);
                    assert_eq!(data.names.len(), data.values.len());
                }
            }
        }
    }

    #[test]
    fn questions_are_answered_from_the_values() {
        let data = Data {
            kind: Kind::Bars,
            names: ["K", "L", "M", "N"].map(str::to_owned).to_vec(),
            values: vec![8, 2, 5, 4],
            hidden: None,
            draw: Box::new(|_| ()),
        };
        let mut rng = Seed::new(2).rng();
        for _ in 0..100 {
            let (question, rationale, answer) = ask(&mut rng, 3, &data);
            match question.as_str() {
                "What is the largest value minus the smallest?" => assert_eq!(answer, 6), // 8 - 2
                "What is the sum of all values?" => assert_eq!(answer, 19),               // 8 + 2 + 5 + 4
                "How much more is K than M?" => assert_eq!(answer, 3),                    // 8 - 5
                _ => (),
            }
            assert!(rationale.ends_with(&format!("= {answer}.")), "{rationale}");
        }
    }
}
