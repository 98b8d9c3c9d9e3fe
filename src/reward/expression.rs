//! An expression in LaTeX or plain notation.
//!
//! Both sides are read ([`super::math::read`]) and compared by value, exactly ([`super::math`]): `\frac{2}{4}` is `1/2`, `\sqrt{12}` is
//! `2√3`, `1+x` is `x+1`, `\{2,1\}` is `1, 2`, `x<3` is `(-\infty,3)`. A decimal counts as a number that is not whole when it agrees to
//! six digits after the point (of small numbers, six significant ones): `0.333333` is `1/3`, `0.333` and `5.0000001` for 5 are not. Words are compared as text
//! after a normalisation of notation. A gold that is neither words nor mathematics that can be read is refused when data are loaded.
//!
//! An answer that leaves the arithmetic to the verifier is wrong: `7+8`, `5\times 3`, `\log_2 8`, `2x+3x`; also a chain of equations
//! whose sides differ, and a list where the gold is one value. Of a chain whose sides agree the last side is the answer.
//!
//! Right by decision where sources differ: factored and expanded forms alike (`(x+1)^2`); `6:8` for `3:4`; one root or one power
//! of a number (`\sqrt{9}`, `2^{10}`). Wrong by decision: `\approx 3` for 3 (a hedge), `a:b` for the fraction, a tuple for a column
//! vector, an inequality where an interval was asked for.

use std::borrow::Cow;

use serde::Deserialize;

use super::{
    BadGold, Example, Gold, MAX_ANSWER, MAX_EXTRACTED, Reason, Verdict, Verifier, entry,
    math::{
        compare::{Outcome, ROUNDED, compare},
        flaw::flaw,
        form::Work,
        naming::{Name, named_value},
        read::read,
    },
    number::{FRACTIONS, Percent, Reading, Scan, Units, bare, is_unit, tidied},
    text::{begins, is_missing, unwrapped, without_lead_in},
};
use crate::{
    registry::{BuildError, Entry, Named},
    sample::Answer,
};

pub(super) const ENTRY: Entry<dyn Verifier> = entry::<Expression>();

struct Expression {
    reading: Reading,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default)]
    units: Units,
    #[serde(default)]
    percent: Percent,
}

impl Named for Expression {
    const NAME: &'static str = "expression";
    const SUMMARY: &'static str = "LaTeX or plain notation, equal in value: exactly, or by intervals";
    type Config = Config;

    fn new(config: Config) -> Result<Self, BuildError> {
        Ok(Self { reading: Reading { units: config.units, percent: config.percent } })
    }
}

impl Expression {
    /// The verdict on any text; `work`: what comparing may still cost.
    fn score_text(&self, gold: &str, answer: &str, work: &mut Work) -> Verdict {
        // One that is longer is right only where it is the gold to the letter.
        if answer.len() > MAX_ANSWER {
            let same = answer.trim() == gold.trim() && malformed(gold, self.reading).is_none();
            return if same {
                Verdict::all_or_nothing(true, answer.trim())
            } else {
                Verdict::zero(Reason::Unparsed)
            };
        }
        if is_missing(gold) {
            return Verdict::zero(Reason::BadGold);
        }
        let answer = if rounds(gold).is_some() { answer } else { rounds(answer).unwrap_or(answer) };
        let (gold, answer) = (in_degrees(stated(gold)), in_degrees(stated(answer)));
        let (gold, answer) = (gold.as_ref(), answer.as_ref());
        let verdict = self.compared(gold, answer, work);
        if verdict.score == 1.0 {
            return verdict;
        }
        // Only what is wrong as it stands is looked at behind the names.
        let (wanted, given) = (named_value(bare(gold)), named_value(bare(answer)));
        let agree = match (&wanted, &given) {
            (Some((wanted, _)), Some((given, _))) => wanted.agrees(given),
            // Of what is put together from variables the gold is an equation.
            (Some((name, _)), None) => !matches!(name, Name::Composed(_)) && !answer.contains('='),
            (None, Some(_)) => !gold.contains('='),
            (None, None) => false,
        };
        if !agree {
            return verdict;
        }
        let wanted = wanted.map_or(gold, |(_, value)| stated(value));
        let given = given.map_or(answer, |(_, value)| stated(value));
        let behind = self.compared(wanted, given, work);
        if behind.score == 1.0 { behind } else { verdict }
    }

    /// The verdict on two texts without what announces them.
    fn compared(&self, gold: &str, answer: &str, work: &mut Work) -> Verdict {
        let written = notation(answer);
        if written.is_empty() {
            return Verdict::zero(Reason::Empty);
        }
        // In front of a value a tilde is no space but "about".
        let about = |text: &str| text.starts_with('~');
        if about(answer) && !about(gold) {
            return Verdict::zero(Reason::Unparsed);
        }
        let wanted = notation(gold);
        if wanted == written {
            return match malformed(gold, self.reading) {
                None => Verdict::all_or_nothing(!wanted.is_empty(), &written),
                Some(_) => Verdict::zero(Reason::BadGold),
            };
        }
        if let Some((right, unit)) = value(gold, self.reading)
            && let Some((given, given_unit)) = value(answer, self.reading)
        {
            let near = || (gold.contains('.') || answer.contains('.')) && right.nearly(given);
            let right = (right == given || near()) && same_unit(unit, given_unit);
            return Verdict::all_or_nothing(right, &written);
        }
        let ((gold, unit), (answer, given_unit)) = (without_unit(gold), without_unit(answer));
        let units = self.reading.units == Units::Ignore;
        if !units && !given_unit.is_empty() || !same_unit(unit, given_unit) {
            return Verdict::all_or_nothing(false, &written);
        }
        let (gold, answer) = (readable(gold), readable(answer));
        let Some(wanted_expr) = read(&gold) else {
            if flaw(&gold).is_some() {
                return Verdict::zero(Reason::BadGold);
            }
            // Words are compared as they stand.
            let (wanted, written) = (bare(&wanted), bare(&written));
            let same = !wanted.is_empty()
                && (wanted == written || is_word(wanted) && wanted.eq_ignore_ascii_case(written));
            return Verdict::all_or_nothing(same, written);
        };
        let Some(given) = read(&answer) else { return Verdict::zero(Reason::Unparsed) };
        match compare(&wanted_expr, &given, work) {
            Outcome::Same => Verdict::all_or_nothing(true, &written),
            Outcome::Different => Verdict::all_or_nothing(false, &written),
            Outcome::Unevaluated => Verdict {
                score: 0.0,
                reason: Reason::Unevaluated,
                extracted: Some(written.chars().take(MAX_EXTRACTED).collect()),
            },
        }
    }
}

impl Verifier for Expression {
    fn accepts(&self, gold: &Gold) -> Result<(), BadGold> {
        let text = stated(gold_text(gold)?);
        if notation(text).is_empty() {
            return Err(BadGold::Empty);
        }
        if is_missing(gold_text(gold)?) {
            return Err(BadGold::Missing(text.to_owned()));
        }
        malformed(text, self.reading).map_or(Ok(()), |what| Err(BadGold::Unreadable(what)))
    }

    fn score(&self, gold: &Gold, answer: &str) -> Verdict {
        let Ok(gold) = gold_text(gold) else { return Verdict::zero(Reason::BadGold) };
        self.score_text(gold, answer, &mut Work::new())
    }

    fn wrong_answers(&self, gold: &Gold) -> Vec<String> {
        gold_text(gold).map(|gold| vec![format!("7+{gold}"), format!("{gold};{gold}")]).unwrap_or_default()
    }

    fn examples(&self) -> Vec<Example> {
        let expression = |text: &str| Answer::Expression(text.to_owned());
        vec![
            Example::new(
                expression(r"\frac{1}{2}"),
                &[
                    "1/2",
                    r"\frac12",
                    r"\dfrac{2}{4}",
                    "0.5",
                    ".5",
                    "$\\frac{1}{2}$",
                    r"x = \frac{1}{2}",
                    r"\boxed{1/2}",
                ],
                &["", "2", "1/3", r"\frac{1}{2}+0", "1/2 or 1/3", "0.49", "1,2", "12"],
            ),
            Example::new(
                expression(r"2\sqrt{3}"),
                &["2√3", "2*sqrt(3)", r"\sqrt{12}", r"2\sqrt3", r"2 \cdot \sqrt{3}", r"\frac{6}{\sqrt{3}}"],
                &["", "3.4641", r"3\sqrt{2}", "2", r"\sqrt{3}+\sqrt{3}", "-2√3"],
            ),
            Example::new(
                expression(r"\frac{3\pi}{4}"),
                &["3π/4", r"\frac{3}{4}\pi", "0.75π", r"\frac{3 \pi}{4}", "3pi/4"],
                &["", "3/4", "2.356", r"\frac{4\pi}{3}", r"\pi"],
            ),
            Example::new(
                expression("1000"),
                &["1000", "1,000", "1e3", "10^3", r"1\times10^{3}", "x=1000", "(1000)"],
                &["", "1.000", "10 00", "500+500", r"500\times 2", "500=1000", "999=1000", r"\{1000,1000\}"],
            ),
            Example::new(
                expression(r"\left( x+1 , 2 \right)"),
                &["(x+1,2)", r"\left(x+1,2\right)", r"(x+1,\,2)", "$(x + 1, 2)$"],
                &["", "(2,x+1)", "[x+1,2]", "x+1,2", "(y+1,2)"],
            ),
            Example::new(expression("x^{2}"), &["x^2", "x^{2}"], &["", "x2", "x^3", "X^2"]),
            Example::new(
                expression(r"\text{triangle}"),
                &["triangle", r"\text{triangle}"],
                &["", "tri angle"],
            ),
            Example::new(
                expression(r"1\frac{1}{2}"),
                &["3/2", "1 1/2", "1.5"],
                &["", r"1\frac{2}{1}", "11/2"],
            ),
        ]
    }
}

/// Whether two short texts are the same expression; `work` is shared by those that are compared with one answer.
pub(super) fn same(gold: &str, answer: &str, work: &mut Work) -> bool {
    Expression { reading: Reading::default() }.score_text(gold, answer, work).score == 1.0
}

fn gold_text<'a>(gold: &Gold<'a>) -> Result<&'a str, BadGold> {
    match gold.answer {
        Answer::Expression(text) => Ok(text),
        other => Err(BadGold::Kind { wants: "expression", has: other.kind() }),
    }
}

/// `num/den · √root · π^pi` in lowest terms: `den > 0`, `root` without square factors; zero has root 1 and no π. Equal
/// values have equal fields, since √root and powers of π are independent over the rationals.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Value {
    num: i128,
    den: i128,
    root: i128,
    pi: i32,
}

/// Largest number under a root whose square factors are looked for: 31 623 trial divisions.
const MAX_ROOT: i128 = 1_000_000_000;
/// Longest decimal that is read exactly.
const MAX_DIGITS: usize = 30;

impl Value {
    const ONE: Self = Self { num: 1, den: 1, root: 1, pi: 0 };

    fn reduced(self) -> Option<Self> {
        let (mut num, mut den) = (self.num, self.den);
        if den == 0 {
            return None;
        }
        if den < 0 {
            (num, den) = (num.checked_neg()?, den.checked_neg()?);
        }
        if num == 0 {
            return Some(Self { num: 0, ..Self::ONE });
        }
        let divisor = gcd(num.unsigned_abs(), den.unsigned_abs());
        let divisor = i128::try_from(divisor).ok()?;
        Some(Self { num: num / divisor, den: den / divisor, ..self })
    }

    fn times(self, other: Self) -> Option<Self> {
        let (outside, root) = square_factors(self.root.checked_mul(other.root)?)?;
        let num = self.num.checked_mul(other.num)?.checked_mul(outside)?;
        Self { num, den: self.den.checked_mul(other.den)?, root, pi: self.pi + other.pi }.reduced()
    }

    fn over(self, other: Self) -> Option<Self> {
        // 1/√n is √n/n.
        let den = other.num.checked_mul(other.root)?;
        self.times(Self { num: other.den, den, root: other.root, pi: -other.pi }.reduced()?)
    }

    /// Whether both are no whole numbers and agree to six digits.
    fn nearly(self, other: Self) -> bool {
        let whole = |v: Self| v.den == 1 && v.root == 1 && v.pi == 0;
        let f64 =
            |v: Self| v.num as f64 / v.den as f64 * (v.root as f64).sqrt() * std::f64::consts::PI.powi(v.pi);
        let (a, b) = (f64(self), f64(other));
        // Beyond, `f64` does not hold six digits after the point.
        !whole(self) && !whole(other) && a.abs() < 1e9 && (a - b).abs() <= ROUNDED * a.abs().min(1.0)
    }

    /// A positive integer, and what kind of number wrote it does not matter.
    fn whole(self) -> bool {
        self.den == 1 && self.root == 1 && self.pi == 0
    }
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// `(s, r)` with `n = s² r` and no square in `r`.
fn square_factors(n: i128) -> Option<(i128, i128)> {
    if !(1..=MAX_ROOT).contains(&n) {
        return None;
    }
    let (mut outside, mut root, mut factor) = (1, n, 2);
    while factor * factor <= root {
        while root % (factor * factor) == 0 {
            root /= factor * factor;
            outside *= factor;
        }
        factor += 1;
    }
    Some((outside, root))
}

/// What stands before an approximation: `2\sqrt{5}` of `2\sqrt{5} \approx 4.47`, which gives the value first.
fn rounds(text: &str) -> Option<&str> {
    let text = unwrapped(text);
    let at = [r"\approx", "≈"].iter().find_map(|sign| text.find(sign))?;
    Some(text[..at].trim()).filter(|exact| !exact.is_empty())
}

/// The text with degrees in one notation: `45^o` is no power.
fn in_degrees(text: &str) -> Cow<'_, str> {
    let power = text.find("^o").or_else(|| text.find("^{o}")).or_else(|| text.find(r"^{\text{o}}"));
    let of_number = power.is_some_and(|at| text[..at].ends_with(|c: char| c.is_ascii_digit()));
    if of_number || text.contains(['º', '˚']) { tidied(text) } else { Cow::Borrowed(text) }
}

/// The text without what announces it.
fn stated(text: &str) -> &str {
    without_lead_in(unwrapped(text))
}

/// What is read as an expression: without wrapping and a full stop.
fn readable(text: &str) -> String {
    let text = unwrapped(text);
    let text = unwrapped(text.strip_suffix('.').unwrap_or(text));
    if text.contains('$') { text.replace("\\$", "").replace('$', "") } else { text.to_owned() }
}

/// Why a gold is neither mathematics that can be read nor words.
fn malformed(gold: &str, reading: Reading) -> Option<String> {
    // What has no flaw need not be read, unless there is no word in it either.
    let nothing =
        || Some("nothing in it can be compared".to_owned()).filter(|_| !gold.contains(char::is_alphanumeric));
    flaw(&readable(gold))
        .or_else(|| flaw(gold))
        .or_else(nothing)
        .filter(|_| value(gold, reading).is_none() && read(&readable(gold)).is_none())
        .filter(|_| named_value(gold).is_none_or(|(_, value)| malformed(value, reading).is_some()))
}

/// Text without the unit that a text command holds at its end: `\frac{1}{2}\text{ cm}^2`.
fn without_unit(text: &str) -> (&str, &str) {
    const COMMANDS: [&str; 5] = ["\\text{", "\\mathrm{", "\\textrm{", "\\mbox{", "\\operatorname{"];
    let text = unwrapped(text);
    let command = |at: &usize| COMMANDS.iter().any(|command| text[*at..].starts_with(command));
    let found = text.rmatch_indices('\\').map(|(at, _)| at).find(command).filter(|at| *at > 0);
    let Some(at) = found else { return (text, "") };
    let (before, unit) = text.split_at(at);
    let before = before.trim_end_matches([' ', '~', ',', ';', '\\']);
    let unit = unit.strip_suffix('.').unwrap_or(unit).trim_end();
    // A number is before it: `x \text{ and } y` has none that ends there.
    let ends = before.ends_with(|c: char| c.is_ascii_digit() || matches!(c, '}' | ')' | ']' | 'π' | 'i'));
    if ends && is_unit(unit) { (before, unit) } else { (text, "") }
}

/// Letters with at least one in lower case: text that may be written in any case. `AB` and `x` are names.
fn is_word(text: &str) -> bool {
    text.len() > 1
        && text.chars().all(|c| c.is_alphabetic() || c == ' ' || c == '-')
        && text.chars().any(char::is_lowercase)
}

/// Units by the names that people write for them.
#[rustfmt::skip]
const SAME_UNITS: [&[&str]; 34] = [
    &["m", "meter", "metre"], &["cm", "centimeter", "centimetre"], &["mm", "millimeter", "millimetre"],
    &["km", "kilometer", "kilometre"], &["in", "inch", "inche"], &["ft", "foot", "feet"], &["yd", "yard"], &["mi", "mile"],
    &["g", "gram"], &["kg", "kilogram"], &["mg", "milligram"], &["lb", "lbs", "pound"], &["oz", "ounce"],
    &["s", "sec", "second"], &["min", "minute"], &["h", "hr", "hour"], &["d", "day"], &["yr", "year"],
    &["l", "liter", "litre"], &["ml", "milliliter", "millilitre"], &["gal", "gallon"],
    &["°", "deg", "degree"], &["rad", "radian"], &["$", "us$", "dollar", "usd"], &["¢", "cent"], &["€", "euro", "eur"],
    &["£", "pound", "gbp"], &["¥", "yen", "jpy"], &["¥", "yuan", "rmb", "cny"], &["₹", "rupee", "inr", "rs"],
    &["mph", "milesperhour", "mile/hour", "mi/h"], &["km/h", "kmh", "kph"], &["m/s", "meter/second"], &["person", "people"],
];

/// A unit in the singular, and a quotient of units by their first names: `meters/second` is `m/s`.
fn canonical(unit: &str) -> String {
    let singular = |unit: &str| {
        let singular = if unit.len() > 2 { unit.strip_suffix('s').unwrap_or(unit) } else { unit };
        singular.to_owned()
    };
    let Some((above, below)) = unit.split_once('/') else { return singular(unit) };
    let first = |unit: &str| {
        let one = singular(unit);
        let row = SAME_UNITS.iter().find(|row| row.contains(&unit) || row.contains(&one.as_str()));
        row.map_or(one, |row| row[0].to_owned())
    };
    format!("{}/{}", first(above), first(below))
}

/// Whether units do not contradict each other: one that is not written, or only "units", contradicts nothing.
fn same_unit(a: &str, b: &str) -> bool {
    if a.is_empty() || b.is_empty() || a == b {
        return true;
    }
    let plain = |unit: &str| {
        let mut plain = unit.to_lowercase().replace(" per ", "/");
        for (latex, sign) in [
            ("\\textrm", ""),
            ("\\text", ""),
            ("\\mathrm", ""),
            ("\\operatorname", ""),
            ("\\mbox", ""),
            ("^{\\circ}", "°"),
            ("^\\circ", "°"),
            ("\\degree", "°"),
            ("^{2}", "²"),
            ("^2", "²"),
            ("^{3}", "³"),
            ("^3", "³"),
        ] {
            plain = plain.replace(latex, sign);
        }
        let mut power = plain.contains('²').then_some(2).or(plain.contains('³').then_some(3)).unwrap_or(1);
        for (word, of) in [("square", 2), ("sq", 2), ("cubic", 3), ("cu", 3)] {
            if let Some(rest) = plain.trim_start_matches(['{', ' ']).strip_prefix(word) {
                power = of;
                plain = rest.to_owned();
            }
        }
        plain.retain(|c| c.is_alphanumeric() && !matches!(c, '²' | '³') || "/°$¢€£¥₹".contains(c));
        (canonical(&plain), plain, power)
    };
    let (a, b) = (plain(a), plain(b));
    let any = |unit: &str| unit.is_empty() || unit == "unit";
    // A pound is money and a weight.
    let in_row = |unit: &(String, String, i32), row: &[&str]| {
        row.contains(&unit.0.as_str()) || row.contains(&unit.1.as_str())
    };
    let same = a.0 == b.0 || SAME_UNITS.iter().any(|row| in_row(&a, row) && in_row(&b, row));
    any(&a.0) || any(&b.0) || (same && a.2 == b.2)
}

/// The exact value of a text that is one term, and its unit.
fn value(text: &str, reading: Reading) -> Option<(Value, &str)> {
    let inside = bare(text);
    // In brackets a comma separates: `(1,234)` is a pair.
    if inside.len() < unwrapped(text).len() && inside.contains(',') {
        return None;
    }
    let mut scan = Scan { rest: inside };
    let (negative, currency) = scan.sign_and_currency(reading.units)?;
    let mut value = if let Some(fraction) = fraction(&mut scan) {
        match product(&mut scan, true) {
            Some(factor) => fraction?.times(factor)?,
            None => fraction?,
        }
    } else {
        let first = product(&mut scan, false)?;
        if let Some((above, below, rest)) = scan.proper_fraction().filter(|_| first.whole()) {
            // Both came from digits; larger ones than f64 holds exactly are not read as mixed numbers.
            if below > 2_f64.powi(53) || above.fract() != 0.0 || below.fract() != 0.0 {
                return None;
            }
            let (above, below) = (above as i128, below as i128);
            scan.rest = rest;
            Value { num: first.num.checked_mul(below)?.checked_add(above)?, den: below, ..Value::ONE }
                .reduced()?
        } else if scan.eat("/") {
            first.over(denominator(&mut scan)?)?
        } else {
            first
        }
    };
    let (scale, unit) = scan.scale(reading)?;
    if scale < 1.0 {
        value = value.over(Value { num: 100, ..Value::ONE })?;
    } else {
        value = value.times(Value { num: scale as i128, ..Value::ONE })?;
    }
    if negative {
        value.num = value.num.checked_neg()?;
    }
    Some((value, if unit.is_empty() { currency } else { unit }))
}

/// `None` where no `\frac` stands; `Some(None)` where its arguments are not terms.
#[expect(clippy::option_option, reason = "absent and unreadable are different answers")]
fn fraction(scan: &mut Scan) -> Option<Option<Value>> {
    if !scan.eat_any(&FRACTIONS) {
        return None;
    }
    let above = argument(scan);
    let below = argument(scan);
    Some(above.zip(below).and_then(|(above, below)| above.over(below)))
}

/// `{…}` with one term in it, or one digit.
fn argument(scan: &mut Scan) -> Option<Value> {
    scan.spaces();
    if scan.eat("{") {
        scan.spaces();
        let negative = scan.eat_any(&["-", "−"]);
        let mut value = product(scan, false)?;
        scan.spaces();
        if negative {
            value.num = value.num.checked_neg()?;
        }
        return scan.eat("}").then_some(value);
    }
    let digit = scan.rest.chars().next()?.to_digit(10)?;
    scan.rest = &scan.rest[1..];
    Some(Value { num: i128::from(digit), ..Value::ONE })
}

/// What a slash divides by: one factor, or a term in brackets; `1/2π` can mean two things and is not read.
fn denominator(scan: &mut Scan) -> Option<Value> {
    scan.spaces();
    if scan.eat("(") {
        let value = product(scan, false)?;
        return scan.eat(")").then_some(value);
    }
    match root_or_pi(scan) {
        Some(factor) => factor,
        None => rational(scan),
    }
}

/// A coefficient, roots and π side by side; at most one coefficient, in front (`symbols_only`: none).
fn product(scan: &mut Scan, symbols_only: bool) -> Option<Value> {
    let mut ahead = *scan;
    let mut value = if symbols_only { None } else { rational(&mut ahead) };
    if value.is_some() || symbols_only {
        *scan = ahead;
    }
    // One root and one π; more are unevaluated arithmetic.
    for _ in 0..2 {
        let mut ahead = *scan;
        ahead.times();
        ahead.spaces();
        let Some(factor) = root_or_pi(&mut ahead) else { break };
        let factor = factor?;
        // `5\cdot\sqrt{4}` is left to be worked out, which is not for the short way to judge.
        if value.is_some() && (factor.root, factor.pi) == (1, 0) {
            return None;
        }
        value = Some(value.unwrap_or(Value::ONE).times(factor)?);
        *scan = ahead;
    }
    value
}

/// `None` where neither stands; `Some(None)` where a root is not one of an integer.
#[expect(clippy::option_option, reason = "absent and unreadable are different answers")]
fn root_or_pi(scan: &mut Scan) -> Option<Option<Value>> {
    let mut ahead = *scan;
    if ahead.eat_any(&[r"\pi", "π", "pi"]) && !ahead.rest.starts_with(|c: char| c.is_alphabetic()) {
        *scan = ahead;
        return Some(Some(Value { pi: 1, ..Value::ONE }));
    }
    let mut ahead = *scan;
    if !ahead.eat_any(&[r"\sqrt", "√", "sqrt"]) {
        return None;
    }
    let close =
        [("{", "}"), ("(", ")")].into_iter().find(|(open, _)| ahead.eat(open)).map(|(_, close)| close);
    let latex_digit = close.is_none() && scan.rest.starts_with('\\');
    let radicand = if latex_digit { argument(&mut ahead) } else { rational(&mut ahead) };
    let closed = close.is_none_or(|close| ahead.eat(close));
    *scan = ahead;
    Some(radicand.filter(|r| closed && r.whole()).and_then(|radicand| {
        if radicand.num == 0 {
            return Some(Value { num: 0, ..Value::ONE });
        }
        let (num, root) = square_factors(radicand.num)?;
        Some(Value { num, root, ..Value::ONE })
    }))
}

/// A decimal number, exactly.
fn rational(scan: &mut Scan) -> Option<Value> {
    let mut ahead = *scan;
    let decimal = ahead.decimal()?;
    let digits = decimal.digits.trim_start_matches('0');
    if digits.len() > MAX_DIGITS {
        return None;
    }
    let power = 10_i128.checked_pow(u32::try_from(decimal.exponent.unsigned_abs()).ok()?)?;
    let digits: i128 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    *scan = ahead;
    if decimal.exponent < 0 {
        Value { num: digits, den: power, ..Value::ONE }.reduced()
    } else {
        Some(Value { num: digits.checked_mul(power)?, ..Value::ONE })
    }
}

/// Ways to write the same thing, the longer first; applied once from left to right.
const NOTATION: [(&str, &str); 31] = [
    (r"\displaystyle", ""),
    (r"\left", ""),
    (r"\right", ""),
    (r"\dfrac", r"\frac"),
    (r"\tfrac", r"\frac"),
    (r"\text{", "{"),
    (r"\mathrm{", "{"),
    (r"\textbf{", "{"),
    (r"\cdot", "*"),
    (r"\times", "*"),
    ("×", "*"),
    ("·", "*"),
    (r"^{\circ}", "°"),
    (r"^\circ", "°"),
    (r"\leq", "≤"),
    (r"\le", "≤"),
    (r"\geq", "≥"),
    (r"\ge", "≥"),
    (r"\infty", "∞"),
    (r"\pi", "π"),
    (r"\%", "%"),
    (r"\$", "$"),
    (r"\{", "⦃"),
    (r"\}", "⦄"),
    (r"\,", ""),
    (r"\;", ""),
    (r"\!", ""),
    (r"\ ", ""),
    ("−", "-"),
    ("–", "-"),
    ("~", ""),
];

/// Commands whose names begin like one in [`NOTATION`] and mean something else.
const NOT_NOTATION: [&str; 6] =
    [r"\leftarrow", r"\rightarrow", r"\leftrightarrow", r"\lessgtr", r"\leqslant", r"\geqslant"];

/// The text with one notation for what LaTeX and plain text write in several ways, without white space; a space between
/// two letters or digits stays, since `4 2` is not `42`.
fn notation(text: &str) -> String {
    let text = unwrapped(text);
    let mut rest = text.strip_suffix('.').unwrap_or(text);
    let mut out = String::with_capacity(rest.len());
    let mut space = false;
    while let Some(c) = rest.chars().next() {
        if c.is_whitespace() {
            space = true;
            rest = &rest[c.len_utf8()..];
            continue;
        }
        // Only these begin one; the table is long.
        let may_change = matches!(c, '\\' | '^' | '~') || !c.is_ascii();
        let kept = c == '\\' && NOT_NOTATION.iter().any(|n| begins(rest, n));
        let change =
            if may_change && !kept { NOTATION.iter().find(|(from, _)| begins(rest, from)) } else { None };
        if let Some((from, to)) = change {
            out.push_str(to);
            rest = &rest[from.len()..];
        } else {
            if space && c.is_alphanumeric() && out.ends_with(char::is_alphanumeric) {
                out.push(' ');
            }
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
        space = false;
    }
    unbraced(&out)
}

/// Without braces around one character or a whole word: `x^{2}` is `x^2`, `\frac{1}{2}` is `\frac12`, `{cat}` is `cat`
/// unless something binds to it.
fn unbraced(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c == '{' {
            let end = rest.find(['{', '}']).filter(|end| rest[*end..].starts_with('}'));
            let bound = out.ends_with(['^', '_', '}']) || out.ends_with(char::is_alphanumeric);
            if let Some(end) = end
                && (rest[..end].chars().count() == 1 || !bound)
                && !rest[..end].is_empty()
            {
                out.push_str(&rest[..end]);
                rest = &rest[end + 1..];
                continue;
            }
            out.push(c);
            // What is inside starts anew; `find` has looked at no byte twice, since it stops at the next brace.
            continue;
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_exact() {
        check("1/3", r"\frac{1}{3}", true);
        check("0.333", r"\frac13", false);
        check(r"\sqrt{4}", "2", true);
        check(r"\frac{\sqrt{2}}{2}", r"1/\sqrt{2}", true);
        check("3", "3.0000000001", false);
        check(r"\pi", "3.14159265", true);
        check(r"\pi", "3.14", false);
        check(r"30^\circ", "30°", true);
        check(r"30^{\circ}", r"\frac{\pi}{6}", false);
        check("50%", "0.5", true);
        check("5 cm", "5", true);
        check("5 cm", "5 centimeters", true);
        check(r"5\text{ cm}^2", r"5\mathrm{ cm}^{2}", true);
        check("5 square feet", r"5 \text{ ft}^2", true);
        check("5 m", "5 mm", false);
        check("5 cm", r"5\text{ cm}^2", false);
        check("60 mph", "60 miles per hour", true);
        check(r"\$12.50", "€12.50", false);
        check(r"\$12.50", "12.50 cents", false);
        check(r"\$12.50", "12.50 dollars", true);
        check("£5", "5 pounds", true);
        check("5 lb", "5 pounds", true);
        check("x=3", "y=3", false);
        check("CD=5", "AB=5", false);
        check("CD=5", "DC=5", true);
        check("CD=5", "Length = 5", true);
        check("x_1=5", "x_2=5", false);
        check(r"\angle A=30", r"\angle B=30", false);
        check(r"\frac{1}{2}", "~1/2", false);
        check(r"5\text{ cm}", r"5~\text{cm}", true);
        check(r"\sqrt{x^2}", "x", false);
        check(r"\sqrt{x^2}", "|x|", true);
        check(r"\sqrt{x^4}", "x^2", true);
        check(r"\sqrt{8x^2y}", r"2\cdot|x|\cdot\sqrt{2y}", true);
        check(r"\sqrt{8x^2y}", r"2x\sqrt{2y}", false);
        check(r"\sqrt{x^3}", r"x\sqrt{x}", true);
        check(r"\sqrt{e^{2x}}", "e^x", true);
        check("-1", r"e^{i\pi}", true);
        check("3^x", r"e^{x\ln 3}", true);
        check("3", r"e^{\ln 3}", false);
        check(r"\frac{1}{2}+\frac{\sqrt{3}}{2}i", r"e^{i\pi/3}", true);
        check(r"e^{\frac{2\pi i}{3}}", r"-\frac12+\frac{\sqrt3}{2}i", true);
        check(r"\$12.50", "USD 12.50", true);
        check(r"\$12.50", "EUR 12.50", false);
        check("(1,2)", "P(1,2)", true);
        check("P(1,2)", "(1,2)", true);
        check("P(1,2)", "Q(1,2)", false);
        check("A(1,2),B(3,4)", "B(3,4), A(1,2)", true);
        check("A(1,2),B(3,4)", "A(3,4), B(1,2)", false);
        check("10", "C(5,2)", false);
        check("6", "3!", false);
        check("[1,3]", r"[1,2]\cup(2,3]", true);
        check(r"[1,2]\cup[2,3]", "[1,3]", true);
        check("[1,3]", r"[1,2)\cup(2,3]", false);
        check(r"x<1 \text{ or } x>2", r"(-\infty,1)\cup(2,\infty)", true);
        check(r"x<1 \text{ or } x>2", "x>2 or x<1", true);
        check(r"x<1 \text{ or } x>2", r"x<1 \text{ and } x>2", false);
        check(r"x>1 \text{ and } x\le 2", "(1,2]", true);
        check(r"x>1 \text{ and } x\le 2", r"1<x\le 2", true);
        check(r"1<x\le 2", r"x>1 \text{ and } x\le 2", true);
        check("x<1 or x>2", r"y<1 \text{ or } y>2", false);
        check(r"(-\infty,1)\cup(2,\infty)", r"x<1 \text{ or } x>2", false);
        check("A=3", "Area = 3", true);
        check("5", "f(2)=5", true);
        check("f(2)=5", "5", true);
        check("f(2)=5", "f(3)=5", false);
        check("f(2)=5", "x=5", false);
        check("x=5", "f(2)=5", false);
        check("f(2)=5", "f(2)=2+3", false);
        check("f(2)=5", "f ( 2 ) = 5.0", true);
        check(r"\frac{1}{4}", "P(X=2)=1/4", true);
        check("P(X=2)=1/4", "P(X=2)=0.25", true);
        check("P(X=2)=1/4", "P(X=1)=0.25", false);
        check("2x", "f'(x)=2x", true);
        check("f'(x)=2x", "f(x)=2x", false);
        check(r"y'=2x", r"\frac{dy}{dx}=2x", false);
        check("2x", r"\frac{dy}{dx}=2x", true);
        check("5", "|AB|=5", true);
        check("|AB|=5", "|BC|=5", false);
        check("3", "|x|=3", false);
        check("x(x+1)=0", "x^2+x=0", true);
        check("(x+1)^{25}", "(1+x)^{25}", true);
        check("1-(1-p)^{50}", "-(1-p)^{50}+1", true);
        check("(x+1)^{25}", "(1-x)^{25}", false);
        check(r"2k\pi+\frac{\pi}{3}, k\in\mathbb{Z}", r"x=\frac{\pi}{3}+2k\pi,\ k\in\mathbb{Z}", true);
        check(r"2k\pi+\frac{\pi}{3}, k\in\mathbb{Z}", r"x=\frac{\pi}{4}+2k\pi,\ k\in\mathbb{Z}", false);
        check(r"2\sqrt{5}", r"2\sqrt{5} \approx 4.47", true);
        check("3", r"\approx 3", false);
        check("3", r"x \approx 3", false);
        for (gold, answer) in
            [("x^2+y^2=25", "25"), ("x+y=7", "7"), ("xy=1", "1"), ("x-2y=0", "0"), ("x+y+z=1", "1")]
        {
            check(gold, answer, false);
        }
        check("x+y=7", "y+x=7", true);
        check("3", "-x=3", false);
        check("y=2x+1", "-y=2x+1", false);
        check("(1,2)", "isn't=(1,2)", false);
        check(r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} 1 \\[4pt] 2 \end{pmatrix}", true);
        check(r"k\pi, k\in\mathbb{Z}", r"k\pi, k\in\mathbb Z", true);
        check("5", "not=5", false);
        check("5", r"x\not=5", false);
        check(r"x\ne 5", r"x\not=5", true);
        check(r"x\not=5", "x=5", false);
        check("5", r"x\ne y=5", false);
        check("5", r"x \in 5", false);
        check("5", r"\ln x=5", false);
        check("204", "m+n=204", true);
        check(r"\frac35", r"\sin A=\frac35", true);
        check(r"\sin\theta=\frac35", r"\cos\theta=\frac35", false);
        check(r"\angle ABC=30^\circ", r"\angle BAC=30^\circ", false);
        check(r"\angle ABC=30^\circ", r"\angle CBA=30^\circ", true);
        check("mean=3", "median=3", false);
        check("|AB|=5", r"\overline{AB}=5", true);
        check("AB=3, BC=4", "CB=4,BA=3", true);
        check("AB=3, BC=4", "CB=3,BA=4", false);
        check(r"\vec{AB}=(1,2)", r"\overrightarrow{AB}=(1,2)", true);
        check(r"\vec{a}", r"\vec a", true);
        check(r"\langle 1,2\rangle", "(1,2)", true);
        check(r"\frac12+\frac{\sqrt3}{2}i", "1/2+√3/2 i", true);
        check(r"\frac12bh", "1/2 bh", true);
        check(r"\frac{1}{2x}", "1/2x", false);
        check(r"45^\circ", "45^o", true);
        check(r"45^\circ", "45º", true);
        check(r"\$32,\!348", "32348 dollars", true);
        check(r"\frac{10^{20}+1}{2}", "50000000000000000000.9", false);
        check(r"\frac{10^{20}+1}{2}", "50000000000000000000.5", true);
        check("10", "Answer: 10", true);
        check("10", r"{\bf 10}", true);
        check("10", r"\textcolor{red}{10}", true);
        check("10", r"\sqrt{100}\cdot 1", false);
        check("10", r"5\cdot\sqrt{4}", false);
        check("72", r"3\cdot 4!", false);
        check(r"2\sqrt{3}", "2*3**0.5", true);
        check("(1,2)", "(x,y)=(1,2)", true);
        check(r"\frac{1}{2}", r"\nicefrac{1}{2}", true);
        check(r"\emptyset", r"\{\emptyset\}", false);
        check(r"(-\infty,3)", r"]-\infty,3[", true);
        check("[0,1)", "[0,1[", true);
        check("x>3", r"\{x : x>3\}", true);
        check("x>3", r"\{x\in\mathbb{R}\mid x > 3\}", true);
        check(r"(3,\infty)", r"\{x : x>3\}", true);
        check(r"(3,\infty)", r"\{x : x\ge 3\}", false);
        check(r"x\neq 9", r"\mathbb{R}\setminus\{9\}", true);
        check(r"\mathbb{R}\setminus\{9\}", r"(-\infty,9)\cup(9,\infty)", true);
        check(r"\mathbb{R}\setminus\{9\}", r"(-\infty,9)\cup(8,\infty)", false);
        check(
            r"\begin{pmatrix}1&2\\3&4\end{pmatrix}",
            r"\left[\begin{array}{cc}1&2\\3&4\end{array}\right]",
            true,
        );
        check(r"\tan 15^\circ", r"2-\sqrt{3}", true);
        check(r"\overline{AB}", r"\overline{BA}", false);
        check(r"2\vec{v}", r"\vec{v}\cdot 2", true);
        check("10", "10ish", false);
        check(r"\frac{\sqrt{2}}{2}\text{ cm}", r"\frac{1}{\sqrt{2}}", true);
        check(r"\frac{-11}{4}\text{ cm}", "-11 / 4", true);
        check(r"2\pi", r"2\pi \text{ or more}", false);
        check("odd", r"\textbf{(odd)}", true);
        check(r"0.1\overline{6}", r"\frac{1}{6}", true);
        check(r"0.\overline{3}", "1/3", true);
        check(r"\frac{1}{3}", r"0.\bar{3}", true);
        check(r"0.\overline{3}", "0.3", false);
        check(r"2\sqrt{8}", r"2\cdot 8^{1/2}", true);
        check(r"\binom{5}{2}", r"\dbinom{5}{2}", true);
        check(r"\mathbb{R}", r"(-\infty,\infty)", true);
        check("7 3/4", "7.75", true);
        check("-1/2", r"-\frac{1}{2}", true);
        check(r"1\frac{1}{2}", r"\frac32", true);
        check(r"\frac32", "1 1/2", true);
        check(r"\sqrt2", r"\sqrt{2}", true);
        check("8", r"\angle A = 8", true);
        check("x=8", "8", true);
        check(r"\text{None}", "None", true);
        check("12.5", "12.5cm^2", true);
        check("3", "4 = 3", false);
        check("3", r"3 \text{ or } 4", false);
        check("3", r"\boxed{\text{3}}", true);
        check("15", "1515", false);
    }

    #[test]
    fn unevaluated_arithmetic_is_no_answer() {
        for answer in ["7+8", r"5\times 3", "20-5", "14=15", "[15,15]", "10+5=15.5", "30/2/1", "3(5)"] {
            check("15", answer, false);
        }
    }

    #[test]
    fn towers_of_powers_and_long_numbers_are_compared_as_text() {
        check("9^{9^{9}}", "1", false);
        check("1", "9^{9^{9}}", false);
        check("9^{9^{9}}", "9^{9^{9}}", true);
        let long = "7".repeat(1_000_000);
        check(&long, &long, true);
        check(&long, "7", false);
        check("7", &long, false);
        check("7", &r"\frac{".repeat(150_000), false);
        check("x", &"{".repeat(1_000_000), false);
    }

    #[test]
    fn names_are_not_products() {
        check("x+1", "1+x", true);
        check("AB", "BA", false);
        check("A", "a", false);
        check("[0,1)", "[0, 1]", false);
        check(r"x \le 3", r"x\leq3", true);
        check(r"\frac{a}{b}", r"\dfrac{a}{b}", true);
        check("42", "4 2", false);
        check("2,3", "2 3", false);
        check(r"x^{12}", "x^12", true);
    }

    #[test]
    fn values_in_lists_belong_to_their_names() {
        for (gold, right, wrong) in NAMED {
            for answer in *right {
                check(gold, answer, true);
            }
            for answer in *wrong {
                check(gold, answer, false);
            }
        }
    }

    #[rustfmt::skip]
    const NAMED: &[(&str, &[&str], &[&str])] = &[
        ("m=2,n=3", &["m=2,n=3", "n=3,m=2"], &["n=2,m=3"]),
        ("x=1,y=2", &["y=2, x=1", "1,2", r"x=1 \text{ and } y=2", "(x,y)=(1,2)", "(y,x)=(2,1)"], &["x=2,y=1", "2,1", "a=1,b=2", "x=2,1", "x=1", "x=1,y=2,x=1", "(x,y)=(2,1)"]),
        ("x=3,y=-3", &["y=-3,x=3"], &["x=-3,y=3", r"x=\pm 3"]),
        ("x_1=1,x_2=2", &["x_2=2,x_1=1"], &["x_1=2,x_2=1"]),
        ("x=1,x=2", &["x=2,x=1", "2,1", "x=2,1"], &["x=1,y=2", "y=1,y=2"]),
        ("x=1,x=2,y=3", &["y=3,x=1,x=2"], &["x=1,y=2,y=3"]),
        ("x=1,y=2,x=3,y=4", &["x=3,y=4,x=1,y=2", r"y=2,x=1 \text{ or } y=4,x=3"], &["x=1,y=4,x=3,y=2"]),
        ("(x,y)=(1,2)", &["(1,2)", "x=1,y=2", "(y,x)=(2,1)"], &["(y,x)=(1,2)", "1,2"]),
        ("(1,2)", &["(x,y)=(1,2)", "(w,h)=(1,2)"], &["(y,x)=(1,2)"]),
        ("1,2", &["x=2,y=1", "x=1,x=2"], &["x=1,y=3"]),
    ];

    #[test]
    fn a_gold_listed_twice_is_wrong_even_for_zeros() {
        // `000,000` would be the number 0.
        let expression = Answer::Expression("000".to_owned());
        let gold = Gold { answer: &expression, options: &[], picture_size: None };
        let verifier = Expression { reading: Reading::default() };
        for wrong in verifier.wrong_answers(&gold) {
            assert_eq!(verifier.score(&gold, &wrong).score, 0.0, "{wrong}");
        }
    }

    /// The strict column of the oracle tables; where they leave it to policy, what the documentation of this file says.
    #[test]
    fn the_strict_column_of_the_oracle_tables() {
        for (gold, right, wrong) in STRICT {
            for answer in *right {
                check(gold, answer, true);
            }
            for answer in *wrong {
                check(gold, answer, false);
            }
        }
    }

    #[rustfmt::skip]
    const STRICT: &[(&str, &[&str], &[&str])] = &[
        ("42", &["42.", "42.0", "+42", "042"], &["4 2"]),
        ("1000", &["1,000", "1{,}000", r"1\!,\!000", r"1\,000", "1e3", "10^3", r"1\times10^{3}"], &["1.000"]),
        ("1_000", &[], &["1000"]),
        ("0.5", &[r"\frac12"], &[]),
        (r"\frac{1}{3}", &["0.3333333"], &["0.333", "0.33"]),
        ("0.333", &[], &[r"\frac13"]),
        (r"\pi", &["3.14159265"], &["3.14"]),
        ("5", &["|-5|", r"5\mathrm{cm}", "5cm"], &["5.0000001"]),
        ("0.1", &["0.10000001"], &[]),
        ("-5", &["−5", "–5", "− 5"], &[]),
        ("3", &["(3)", "[3]", "{3}", r"3 \text{ apples}"], &["3.0000000001", "３", "٣", r"3 \text{ or } 4", r"3 \text{(not 4)}", "4 = 3", "3 = 4", "x = 3 = 4", "[3,3]", "3%", r"\approx 3", r"\log_{2}8", r"\lceil 2.5\rceil"]),
        (r"\frac{2}{4}", &[r"\frac12"], &[]),
        (r"\frac{1}{2}", &[r"\frac{2}{4}"], &[]),
        (r"1\frac{1}{2}", &[r"\frac32"], &[]),
        (r"\frac32", &["1 1/2"], &[]),
        ("7 3/4", &["7.75"], &[]),
        (r"\dfrac{3}{2}", &["3/2"], &[]),
        (r"\sqrt{4}", &["2"], &[]),
        (r"\sqrt2", &[r"\sqrt{2}"], &[]),
        (r"\sqrt{2}", &["1.41421356"], &["1.414"]),
        (r"2\sqrt{3}", &["2√3", "2*sqrt(3)"], &[]),
        (r"\infty", &["inf"], &[r"-\infty"]),
        ("10!", &["3628800"], &[]),
        ("30", &[r"30^\circ", r"30\text{ degrees}", "30°"], &[]),
        (r"30^{\circ}", &[], &[r"\frac{\pi}{6}"]),
        (r"5\text{ cm}", &["5"], &[r"5\text{ m}"]),
        ("12.5", &["12.5cm^2"], &[]),
        ("12", &["12 dollars", r"\$12"], &[]),
        ("15", &[], &["7+8", r"5\times 3"]),
        ("2", &["1+1=2", "3-1=2"], &["1+1"]),
        ("1+1=2", &[], &["2"]),
        ("1", &[], &[r"\sin^2 x+\cos^2 x"]),
        ("x=8", &["8"], &[]),
        ("8", &["x=8", r"\angle A = 8"], &[]),
        ("AB", &[], &["BA"]),
        ("E", &[], &["e"]),
        ("yes", &["Yes"], &[]),
        ("True", &["true"], &[]),
        ("triangle", &[r"\text{triangle}"], &[]),
        ("July 4", &[], &["4 July"]),
        ("(1,2)", &[], &["(2,1)", "[1,2]", "1,2"]),
        ("1,2", &["2,1", r"\{1,2\}", r"1 \text{ and } 2"], &[]),
        ("2,3", &[], &["2", "2 3"]),
        ("2", &[], &["2,3"]),
        ("1,234", &["1234"], &[r"\{1,234\}"]),
        (r"\pm 2", &["2,-2"], &[]),
        ("x<3", &[r"(-\infty,3)"], &[]),
        (r"(-\infty,3)", &[], &["x<3"]),
        ("[0,1)", &[], &["[0,1]"]),
        (r"(3,\infty)", &[], &[r"[3,\infty)"]),
        ("x>3", &["3<x"], &[r"x\ge3"]),
        (r"\emptyset", &[r"\{\}"], &[]),
        ("y=2x+1", &["2x+1", "y=1+2x", "2x-y+1=0"], &["2x-y-1=0"]),
        ("x+1", &[], &["y+1"]),
        ("x^2+2x+1", &["(x+1)^2"], &[]),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", &[r"\begin{bmatrix}1&2\\3&4\end{bmatrix}"], &[]),
        (r"\begin{pmatrix}1\\2\end{pmatrix}", &[], &["(1,2)"]),
        ("3:4", &["6:8"], &[r"\frac34", "0.75"]),
        ("3:30", &[], &["3:30 PM"]),
        ("1011_2", &[], &["11"]),
        ("1010_2", &[], &["10"]),
        (r"\text{None}", &["None"], &[]),
    ];

    #[test]
    fn values_are_compared_exactly_and_beyond_normal_forms() {
        check(r"\frac{1}{1+\sqrt{2}}", r"\sqrt{2}-1", true);
        check(r"\sqrt{3+2\sqrt{2}}", r"1+\sqrt{2}", true);
        check(r"\sqrt{3+2\sqrt{2}}", r"1+\sqrt{2}+10^{-40}", false);
        check(r"\sin 15^\circ", r"\frac{\sqrt{6}-\sqrt{2}}{4}", true);
        check(r"\sin 15^\circ", r"\sin 15", false);
        check(r"\sin\frac{\pi}{12}", r"\frac{\sqrt{6}-\sqrt{2}}{4}", true);
        check(r"\ln 8", r"3\ln 2", true);
        check("x-3", "|x-3|", false);
        check("6y", "|6y|", false);
        check("y^2", "|y^2|", true);
        // Equal wherever it is looked at but between -2 and -1.
        check("(r+2)(r+1)", "|r^2+3r+2|", false);
        check(r"2\cdot|x-1|", "|2-2x|", true);
        check("6", r"(\sqrt{6})^2", true);
        check("27", r"\sqrt{3}^6", true);
        check(r"1+\sqrt{2}", r"\sqrt{1+\sqrt{2}}^2", true);
        check("12", r"(2\sqrt{3})^2", true);
        check(r"x^2+2\sqrt{3}x+3", r"(x+\sqrt{3})^2", true);
        check(r"2\sqrt{2}", r"\sqrt{2}^3", true);
        check(r"e^{2x+1}", r"e \cdot e^{2x}", true);
        check(r"\sqrt{50}", r"5\sqrt{2}", true);
        check(r"\sqrt[3]{16}", r"2\sqrt[3]{2}", true);
        check(r"\arctan 1", r"\frac{\pi}{4}", true);
        check(r"\frac{x^2-1}{x-1}", "x+1", true);
        check(r"\sin^2 x", r"1-\cos^2 x", true);
        check(r"\sin^2 x", r"1-\cos^2 x + 0.000001", false);
        check(r"\sin x", r"\sin(x+10^{-80})", false);
        check(r"\ln x", r"\ln(x+10^{-80})", false);
        check(r"\sqrt{x}", r"\sqrt{x+10^{-200}}", false);
        check(r"\ln x+\ln(x+1)", r"\ln(x^2+x)", true);
        check("3+4i", "4i+3", true);
        check(r"\{1,2,3\}", "3, 2, 1", true);
        check(r"x = 1 \text{ or } x = 2", "x=2, x=1", true);
        check(r"(-\infty, 2) \cup (3, \infty)", r"(3,\infty)\cup(-\infty,2)", true);
        check("1<x<2", "(1,2)", true);
        check("2x+4y=6", "x+2y=3", true);
        check("2x+4y=6", "x+2y=4", false);
    }

    fn check(gold: &str, answer: &str, right: bool) {
        let expression = Answer::Expression(gold.to_owned());
        let gold = Gold { answer: &expression, options: &[], picture_size: None };
        let verdict = Expression { reading: Reading::default() }.score(&gold, answer);
        assert_eq!(verdict.score == 1.0, right, "{answer:.40} {verdict:?}");
    }
}
