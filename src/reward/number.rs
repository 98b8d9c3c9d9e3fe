//! One number, exactly or within a relative tolerance.
//!
//! Read: `42`, `42.`, `+42.0`, `-5` (also with U+2212 or an en dash), `.5`, `1,000` and `1{,}000` (groups of exactly three),
//! `1e3`, `10^3`, `1.5\times10^{3}`, `3/4`, `\frac{3}{4}`, `1 1/2`, `\$12`, `3 million`, `x = 8`, `(3)`, in the wrapping that
//! `text` takes off. Not read, so worth 0: sums, ranges, "3 or 4", sentences, `4 = 3`, digits outside ASCII.
//!
//! Without a tolerance a number is right when it differs by at most 10⁻¹² of the gold: room for the rounding of golds that
//! were computed, for nothing a person would write; whole numbers agree to the last digit. `tolerance = 0.05` is ChartQA's
//! relaxed accuracy (arXiv:2203.10244) with its oddities: a year 60 off is right, and a gold of 0 must be met exactly.
//! `percent = "hundredth"` is its reading of `7%`. Departures: separators, currency and units are understood, and `0.0` is 0
//! (the harnesses compare the text there).

use std::borrow::Cow;

use serde::Deserialize;

use super::{
    BadGold, Example, Gold, Reason, Verdict, Verifier, entry,
    math::naming::named_value,
    text::{begins, last_line, unwrapped, without_lead_in},
};
use crate::{
    registry::{BuildError, Entry, Named},
    sample::Answer,
};

pub(super) const ENTRY: Entry<dyn Verifier> = entry::<Number>();

/// Relative difference that rounding of computed golds may leave.
const ROUNDING: f64 = 1e-12;

struct Number {
    tolerance: f64,
    reading: Reading,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default)]
    tolerance: f64,
    #[serde(default)]
    units: Units,
    #[serde(default)]
    percent: Percent,
}

/// How signs and words around a number are taken.
#[derive(Clone, Copy, Default)]
pub(super) struct Reading {
    pub(super) units: Units,
    pub(super) percent: Percent,
}

/// What a unit or a currency sign does: golds carry none, so it can be passed over or refused, not compared.
#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Units {
    #[default]
    Ignore,
    Refuse,
}

/// What `50%` is: 0.5, 50, or no number.
#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Percent {
    #[default]
    Hundredth,
    Ignore,
    Refuse,
}

impl Named for Number {
    const NAME: &'static str = "number";
    const SUMMARY: &'static str = "A number, exact or within a relative tolerance";
    type Config = Config;

    fn new(config: Config) -> Result<Self, BuildError> {
        if !(0.0..1.0).contains(&config.tolerance) {
            return Err(BuildError::Value(format!(
                "`tolerance` is {}; it is relative, at least 0 and below 1",
                config.tolerance
            )));
        }
        let reading = Reading { units: config.units, percent: config.percent };
        Ok(Self { tolerance: config.tolerance, reading })
    }
}

impl Verifier for Number {
    fn accepts(&self, gold: &Gold) -> Result<(), BadGold> {
        right_number(gold).map(|_| ())
    }

    fn score(&self, gold: &Gold, answer: &str) -> Verdict {
        let Ok(right) = right_number(gold) else { return Verdict::zero(Reason::BadGold) };
        match read(answer, self.reading) {
            Ok(number) => {
                let close = (number - right).abs() <= self.tolerance.max(ROUNDING) * right.abs();
                let same = close && (self.tolerance > 0.0 || same_whole(right, number, answer));
                Verdict::all_or_nothing(same, &number.to_string())
            }
            Err(reason) => Verdict::zero(reason),
        }
    }

    /// The last line if it reads as a number, else the last word in it that does.
    fn tail<'t>(&self, _: &Gold, text: &'t str) -> &'t str {
        let line = last_line(text);
        if read(line, self.reading).is_ok() {
            return line;
        }
        let words = line.split(|c: char| c.is_whitespace() || c == '*' || c == '=');
        let number = |word: &&str| read(word, self.reading).is_ok();
        words.rev().map(|w| w.trim_end_matches([',', '!', '?', ';', ')'])).find(number).unwrap_or(line)
    }

    fn wrong_answers(&self, gold: &Gold) -> Vec<String> {
        let Ok(right) = right_number(gold) else { return Vec::new() };
        // Further away than any tolerance below 1.
        let far = right + right.abs() + 7.0;
        let far = if far.is_finite() { far } else { -right };
        vec![far.to_string(), format!("{right} or {far}"), format!("{right} {far}")]
    }

    fn examples(&self) -> Vec<Example> {
        let mut examples = vec![
            Example::new(
                Answer::Number(1000.0),
                &[
                    "1000",
                    "1,000",
                    "1000.",
                    " 1000.0 ",
                    "+1000",
                    r"1{,}000",
                    r"1\,000",
                    "1e3",
                    "10^3",
                    r"1\times10^{3}",
                    "x = 1000",
                    r"\boxed{1000}",
                    "$1000$",
                    "**1000**",
                    "(1000)",
                    "2000/2",
                    r"\frac{2000}{2}",
                    "1 thousand",
                    "= 1000",
                    "The answer is 1000.",
                    "m+n=1000",
                    "S_{10}=1000",
                    r"\overline{AB}=1000",
                    r"m\angle 1=1000",
                    r"\left(1000\right)",
                    r"\;1000",
                    "3000 / 3",
                    r"x = \boxed{1000}",
                    "**Answer:** 1000",
                ],
                &[
                    "",
                    "1.000",
                    "1,00,0",
                    "10 00",
                    "1000 or 2000",
                    "2000",
                    "-1000",
                    "500+500",
                    "500 = 1000",
                    "1000-2000",
                    "about 1000, I think",
                    "\u{ff11}000",
                    "1000\u{200b}",
                    "1_000",
                    "one",
                    "1000x",
                    "NaN",
                    "inf",
                    "not=1000",
                    "x is not=1000",
                    r"\ln x=1000",
                    r"x\ne y=1000",
                    "900 or x=1000",
                    r"900 or \boxed{1000}",
                ],
            ),
            Example::new(
                Answer::Number(-5.0),
                &["-5", "−5", "–5", "-5.0", "-10/2", "- 5"],
                &["5", "--5", "- ", "-"],
            ),
            Example::new(
                Answer::Number(0.75),
                &["0.75", ".75", "3/4", r"\dfrac{3}{4}", r"\frac34"],
                &["0.7", "3/0", "4/3", "75"],
            ),
            Example::new(
                Answer::Number(1.5),
                &["1 1/2", r"1\frac{1}{2}", "3/2", "1½"],
                &["1 3/2", "11/2", "1/2"],
            ),
            Example::new(Answer::Number(0.0), &["0", "0.0", "-0"], &["", "0.001", "none", "1e-400"]),
        ];
        let ignored = [
            "12 cm",
            r"12\text{ cm}^2",
            "$12",
            r"\$12",
            "€12",
            "12 dollars",
            "12°",
            r"12^\circ",
            "12^o",
            r"12 ^ { \circ }",
            "12º",
            r"12\Omega",
            "12¢",
            "12 km/h",
            "12 miles per hour",
            "US$12",
            "$ 12",
            "USD 12",
            "Rs. 12",
            "12 USD",
        ];
        let never = [
            "12 or 13",
            "12k",
            "12 or more",
            "12x",
            "12π",
            "12 to",
            "12 or inf",
            "12 inf",
            "12 nan",
            "12 plus",
            "12 squared",
            "12th",
            "12 half",
            "12 maybe",
            "12 approx",
            "12 (approx)",
            "12 five",
            "12 except",
            "12 repeating",
            "12 mega",
            "12 impossible",
            "12 too many",
            "12 hundreds",
        ];
        examples.push(match self.reading.units {
            Units::Ignore => Example::new(Answer::Number(12.0), &ignored, &never),
            Units::Refuse => Example::new(Answer::Number(12.0), &["12"], &ignored),
        });
        examples.push(match self.reading.percent {
            Percent::Hundredth => Example::new(Answer::Number(0.5), &["50%", r"50\%", "50 percent"], &["50"]),
            Percent::Ignore => Example::new(Answer::Number(50.0), &["50%", r"50\%", "50"], &["5"]),
            Percent::Refuse => Example::new(Answer::Number(50.0), &["50"], &["50%"]),
        });
        examples
    }
}

fn right_number(gold: &Gold) -> Result<f64, BadGold> {
    match gold.answer {
        Answer::Number(number) if number.is_finite() => Ok(*number),
        Answer::Number(number) => Err(BadGold::Unreadable(format!("{number} is no finite number"))),
        other => Err(BadGold::Kind { wants: "number", has: other.kind() }),
    }
}

/// From here on `f64` does not hold every whole number.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Whether two numbers that agree up to rounding are the same where both are whole: to the last digit.
fn same_whole(right: f64, number: f64, answer: &str) -> bool {
    if right.fract() != 0.0 || number.fract() != 0.0 {
        return true;
    }
    if right.abs() < EXACT {
        return number == right;
    }
    let mut scan = Scan { rest: stated(answer) };
    scan.sign_and_currency(Units::Ignore);
    // Digits that were counted one by one; a power of ten or a fraction was rounded like the gold.
    let whole = scan.decimal().filter(|decimal| decimal.plain && scan.rest.trim().is_empty());
    whole.is_none_or(|decimal| {
        let digits = decimal.digits.trim_start_matches('0');
        [right.abs().to_string(), (right.abs() as i128).to_string()].iter().any(|gold| gold == digits)
    })
}

/// The text of a number without what announces, names and wraps it.
fn stated(text: &str) -> &str {
    let text = bare(without_lead_in(unwrapped(text)));
    named_value(text).map_or(text, |(_, value)| bare(value))
}

/// The one finite number that `text` states.
fn read(text: &str, reading: Reading) -> Result<f64, Reason> {
    let text = tidied(stated(text));
    if text.is_empty() {
        return Err(Reason::Empty);
    }
    number(&text, reading).filter(|n| n.is_finite()).ok_or(Reason::Unparsed)
}

/// Degrees in one notation, also as tokenizers of formulas write them (`45 ^ { \circ }`), without commands that say nothing.
pub(super) fn tidied(text: &str) -> Cow<'_, str> {
    if !text.contains(['^', '\\', 'º', '˚']) {
        return Cow::Borrowed(text);
    }
    let mut tidy = Cow::Borrowed(text);
    for (from, to) in [
        (r"\left", ""),
        (r"\right", ""),
        (r"\displaystyle", ""),
        (r"\;", " "),
        ("^ {", "^{"),
        (" ^", "^"),
        (r"^{ \circ }", r"^{\circ}"),
        (r"^{\text{o}}", "°"),
        (r"^{\mathrm{o}}", "°"),
        ("^{o}", "°"),
        ("^{°}", "°"),
        ("^°", "°"),
        ("^o", "°"),
        (r"\textdegree", "°"),
        ("{}^", "^"),
        (r"\ ^", "^"),
        ("º", "°"),
        ("˚", "°"),
    ] {
        if tidy.contains(from) {
            tidy = Cow::Owned(tidy.replace(from, to));
        }
    }
    match tidy {
        Cow::Borrowed(text) => Cow::Borrowed(bare(text)),
        Cow::Owned(text) => Cow::Owned(bare(&text).to_owned()),
    }
}

/// What most answers are: a whole number that `f64` holds, of digits alone.
fn whole(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = (1..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    // -0 is 0.
    plain.then(|| text.parse::<i64>().ok()).flatten().map(|n| n as f64)
}

fn number(text: &str, reading: Reading) -> Option<f64> {
    if let Some(whole) = whole(text) {
        return Some(whole);
    }
    let mut scan = Scan { rest: text };
    let (negative, _) = scan.sign_and_currency(reading.units)?;
    let magnitude = if scan.eat_any(&FRACTIONS) {
        scan.fraction()?
    } else if let Some(value) = scan.vulgar() {
        value
    } else {
        let mut decimal = scan.decimal()?;
        let value = decimal.value()?;
        let mixed = Scan { rest: scan.rest }.proper_fraction();
        if !decimal.plain {
            // `12.3 billion` is rounded once.
            let mut ahead = scan;
            if let Some((scale, _)) = ahead.scale(reading).filter(|(scale, _)| *scale > 1.0) {
                decimal.exponent += scale.log10().round() as i64;
                let value = decimal.value()?;
                return Some(if negative { -value } else { value });
            }
            value
        } else if let Some(fraction) = scan.vulgar() {
            value + fraction
        } else if let Some((above, below, rest)) = mixed {
            scan.rest = rest;
            value + above / below
        } else if scan.slash() {
            let below = scan.decimal().filter(|d| d.plain)?.value()?;
            if below == 0.0 {
                return None;
            }
            value / below
        } else {
            value
        }
    };
    let (scale, _) = scan.scale(reading)?;
    let value = if scale < 1.0 { magnitude / 100.0 } else { magnitude * scale };
    Some(if negative { -value } else { value })
}

pub(super) const FRACTIONS: [&str; 3] = [r"\frac", r"\dfrac", r"\tfrac"];
const MINUS: [&str; 3] = ["-", "−", "–"];
const CURRENCIES: [&str; 18] = [
    "￥", r"\$", "$", r"US\$", "US$", "€", "£", "¥", "₹", r"\pounds", "USD", "EUR", "GBP", "JPY", "CNY",
    "INR", "Rs.", "Rs",
];
/// Fractions that are one character, with what they are.
const VULGAR: [(&str, f64); 8] = [
    ("½", 1.0 / 2.0),
    ("⅓", 1.0 / 3.0),
    ("⅔", 2.0 / 3.0),
    ("¼", 1.0 / 4.0),
    ("¾", 3.0 / 4.0),
    ("⅕", 1.0 / 5.0),
    ("⅙", 1.0 / 6.0),
    ("⅛", 1.0 / 8.0),
];
const SEPARATORS: [&str; 8] = [r",\!", ",", "{,}", r"\!,\!", r"{,}\!", r"\,", "\u{2009}", "\u{202f}"];
const SCALES: [(&str, f64); 5] =
    [("hundred", 1e2), ("thousand", 1e3), ("million", 1e6), ("billion", 1e9), ("trillion", 1e12)];

/// The text without wrapping and without one pair of brackets around all of it.
pub(super) fn bare(text: &str) -> &str {
    let text = unwrapped(text);
    let pairs = [("(", ")"), ("[", "]"), (r"\{", r"\}"), ("{", "}")];
    let inside = pairs.iter().find_map(|(open, close)| text.strip_prefix(open)?.strip_suffix(close));
    inside.filter(|inside| !inside.contains(['(', '[', '{', ')', ']', '}'])).map_or(text, unwrapped)
}

/// A number in decimal notation, exactly: `digits × 10^exponent`.
pub(super) struct Decimal {
    pub(super) digits: String,
    pub(super) exponent: i64,
    /// Only digits were written: no point, no power of ten.
    pub(super) plain: bool,
}

impl Decimal {
    /// The nearest `f64`. The point goes before the first digit that is not 0: with a million digits and the exponent to
    /// match, `f64::from_str` gives up.
    fn value(&self) -> Option<f64> {
        let digits = self.digits.trim_start_matches('0');
        let exponent = self.exponent.checked_add(i64::try_from(digits.len()).ok()?)?;
        let value: f64 = format!("0.{digits}0e{exponent}").parse().ok()?;
        // What is too small for `f64` is not 0.
        (value != 0.0 || digits.is_empty()).then_some(value)
    }
}

/// What is left to read. Every method consumes what it names, or nothing.
#[derive(Clone, Copy)]
pub(super) struct Scan<'t> {
    pub(super) rest: &'t str,
}

impl<'t> Scan<'t> {
    pub(super) fn eat(&mut self, what: &str) -> bool {
        let found = begins(self.rest, what);
        if found {
            self.rest = &self.rest[what.len()..];
        }
        found
    }

    pub(super) fn eat_any(&mut self, what: &[&str]) -> bool {
        what.iter().any(|w| self.eat(w))
    }

    /// LaTeX and plain spaces.
    pub(super) fn spaces(&mut self) {
        loop {
            self.rest = self.rest.trim_start();
            if !self.eat_any(&[r"\,", r"\ ", r"\;", r"\!", "~"]) {
                break;
            }
        }
    }

    /// Whether a minus stands before or after the currency sign, and that sign or nothing; `None` where a refused one stands.
    pub(super) fn sign_and_currency(&mut self, units: Units) -> Option<(bool, &'static str)> {
        let mut negative = self.eat_any(&MINUS);
        let signed = negative || self.eat("+");
        if signed {
            self.spaces();
        }
        let currency = CURRENCIES.into_iter().find(|currency| self.eat(currency)).unwrap_or("");
        if !currency.is_empty() {
            if units == Units::Refuse {
                return None;
            }
            self.spaces();
            negative = negative || (!signed && self.eat_any(&MINUS));
        }
        Some((negative, currency))
    }

    /// A fraction that is one character.
    fn vulgar(&mut self) -> Option<f64> {
        let mut ahead = *self;
        let found = VULGAR.iter().find(|(sign, _)| ahead.eat(sign))?;
        *self = ahead;
        Some(found.1)
    }

    /// A slash with spaces around it or not.
    fn slash(&mut self) -> bool {
        let mut ahead = *self;
        ahead.spaces();
        let found = ahead.eat("/");
        if found {
            ahead.spaces();
            *self = ahead;
        }
        found
    }

    fn digits(&mut self) -> &'t str {
        let end = self.rest.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        digits
    }

    /// `12`, `1,234`, `1.5`, `.5`, `1.5e3`, `10^3`, `1.5\times10^{3}`.
    pub(super) fn decimal(&mut self) -> Option<Decimal> {
        let start = self.rest;
        let mut digits = self.digits().to_owned();
        if (1..=3).contains(&digits.len())
            && let Some(separator) = SEPARATORS.iter().find(|s| self.rest.starts_with(**s))
        {
            while let Some(group) = self.group(separator) {
                digits.push_str(group);
            }
        }
        let mut exponent = 0;
        let mut plain = true;
        if self.rest.starts_with('.') {
            let mut ahead = Scan { rest: &self.rest[1..] };
            let decimals = ahead.digits();
            if digits.is_empty() && decimals.is_empty() {
                return None;
            }
            digits.push_str(decimals);
            exponent = -i64::try_from(decimals.len()).ok()?;
            plain = false;
            self.rest = ahead.rest;
        }
        if digits.is_empty() {
            return None;
        }
        let mut power = *self;
        let times = power.times();
        if power.eat_any(&["e", "E"]) && !times {
            if let Some(e) = power.integer() {
                exponent += e;
                plain = false;
                *self = power;
            }
        } else if times && power.eat_any(&["10^", "10**"]) {
            exponent = exponent.checked_add(power.exponent()?)?;
            plain = false;
            *self = power;
        } else if let Some(rest) = start.strip_prefix("10^") {
            let mut power = Scan { rest };
            if let Some(e) = power.exponent() {
                "1".clone_into(&mut digits);
                exponent = e;
                plain = false;
                *self = power;
            }
        }
        Some(Decimal { digits, exponent, plain })
    }

    /// Three digits after a separator, and not a fourth.
    fn group(&mut self, separator: &str) -> Option<&'t str> {
        let mut ahead = *self;
        let group = ahead.eat(separator).then(|| ahead.digits()).filter(|g| g.len() == 3)?;
        *self = ahead;
        Some(group)
    }

    /// A sign of multiplication.
    pub(super) fn times(&mut self) -> bool {
        let mut ahead = *self;
        ahead.spaces();
        let found = ahead.eat_any(&[r"\times", r"\cdot", "×", "·", "*", "x"]);
        if found {
            ahead.spaces();
            *self = ahead;
        }
        found
    }

    fn exponent(&mut self) -> Option<i64> {
        if self.eat("{") {
            let value = self.integer()?;
            return self.eat("}").then_some(value);
        }
        self.integer()
    }

    /// A signed integer that can be an exponent; longer ones are no number that anyone means.
    fn integer(&mut self) -> Option<i64> {
        let negative = self.eat_any(&MINUS);
        if !negative {
            self.eat("+");
        }
        let value: i64 = Some(self.digits()).filter(|d| d.len() <= 9)?.parse().ok()?;
        Some(if negative { -value } else { value })
    }

    /// The two arguments after `\frac`: integers, in braces or one digit each.
    fn fraction(&mut self) -> Option<f64> {
        let above = self.argument()?;
        let below = self.argument()?;
        (below != 0.0).then(|| above / below)
    }

    fn argument(&mut self) -> Option<f64> {
        self.spaces();
        if self.eat("{") {
            let negative = self.eat_any(&MINUS);
            let value = self.decimal()?.value()?;
            return self.eat("}").then_some(if negative { -value } else { value });
        }
        let digit = self.rest.chars().next()?.to_digit(10)?;
        self.rest = &self.rest[1..];
        Some(f64::from(digit))
    }

    /// ` 1/2` or `\frac{1}{2}` of a mixed number: above, below and what follows.
    pub(super) fn proper_fraction(mut self) -> Option<(f64, f64, &'t str)> {
        let spaced = self.rest.starts_with(char::is_whitespace);
        self.spaces();
        let (above, below) = if self.eat_any(&FRACTIONS) {
            (self.argument()?, self.argument()?)
        } else {
            let above = self.decimal().filter(|d| d.plain && spaced)?.value()?;
            let below = self.eat("/").then(|| self.decimal())?.filter(|d| d.plain)?.value()?;
            (above, below)
        };
        (0.0 < above && above < below).then_some((above, below, self.rest))
    }

    /// What percent signs, words such as "million" and units after a number multiply it by, and the unit; `None` where the
    /// rest is none of these.
    pub(super) fn scale(&mut self, reading: Reading) -> Option<(f64, &'t str)> {
        self.spaces();
        let mut scale = 1.0;
        let mut word = *self;
        let letter = |scan: &Scan| scan.rest.starts_with(char::is_alphabetic);
        if word.eat_any(&[r"\%", "%", r"\text{%}", r"\text{\%}", r"\text{ percent}", r"\text{percent}"])
            || word.eat_any(&["percent", "per cent"]) && !letter(&word)
        {
            scale = match reading.percent {
                Percent::Hundredth => 0.01,
                Percent::Ignore => 1.0,
                Percent::Refuse => return None,
            };
            *self = word;
        } else if let Some((_, value)) = SCALES.iter().find(|(name, _)| word.eat(name)) {
            let ends = !word.rest.starts_with(|c: char| c.is_alphanumeric());
            scale = if ends { *value } else { return None };
            *self = word;
        }
        let rest = self.rest.trim();
        let rest = rest.strip_suffix('.').unwrap_or(rest).trim_end();
        let fits = rest.is_empty() || (reading.units == Units::Ignore && is_unit(rest));
        fits.then_some((scale, rest))
    }
}

/// Words after a number that change what it says: they join, compare, hedge, negate, count or calculate.
#[rustfmt::skip]
const NOT_UNITS: &[&str] = &[
    "or", "and", "nor", "but", "if", "either", "neither", "both", "else", "also", "then", "vs",
    "versus", "to", "through", "until", "between", "from", "than", "more", "less", "fewer", "greater",
    "smaller", "higher", "lower", "over", "under", "above", "below", "within", "least", "most", "about",
    "approx", "around", "almost", "maybe", "perhaps", "unknown", "unsure", "not", "no", "none", "never",
    "without", "nan", "null", "is", "are", "was", "equals", "inf", "infinity", "infinite", "undefined",
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "half", "halves",
    "thirds", "quarters", "double", "twice", "plus", "minus", "times", "by", "per", "mod", "root",
    "sqrt", "pi", "factorial", "th", "when", "while", "except", "excepting", "excluding", "exclusive",
    "unless", "instead", "otherwise", "rather", "besides", "wrong", "incorrect", "false", "invalid",
    "error", "guess", "think", "could", "might", "should", "would", "doubt", "uncertain", "any",
    "nothing", "modulo", "power", "log", "reciprocal", "inverse", "opposite", "repeating", "recurring",
    "tenths", "hundredths", "thousandths", "fourths", "fifths", "sixths", "sevenths", "eighths",
    "ninths", "quarter", "third", "st", "nd", "rd", "binary", "octal", "hexadecimal", "hex", "nand",
    "xor", "anything", "everything", "something", "ish", "zero", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty", "thirty", "forty",
    "fifty", "sixty", "seventy", "eighty", "ninety", "hundred", "hundreds", "thousand", "thousands",
    "million", "millions", "billion", "billions", "trillion", "trillions", "quadrillion", "lakh",
    "lakhs", "lac", "crore", "crores", "bn", "mn", "tn", "mio", "mil", "mln", "gross", "score",
    "scores", "pair", "pairs", "dozen", "dozens", "couple", "tens", "fourth", "fifth", "sixth",
    "seventh", "eighth", "ninth", "tenth", "hundredth", "thousandth", "pct", "permille", "triple",
    "triples", "thrice", "quadruple", "doubles", "doubling", "negative", "inclusive", "etc", "max",
    "maximum", "maxima", "minimum", "minima", "extreme", "upwards", "onwards", "circa", "estimate",
    "estimates", "rounding", "assuming", "guessing", "like", "say", "since", "because", "so", "thus",
    "hence", "therefore", "however", "though", "although", "yet", "still", "sin", "cos", "tan", "cot",
    "csc", "cosec", "sinh", "cosh", "tanh", "arcsin", "arccos", "arctan", "asin", "acos", "atan", "ln",
    "exp", "abs", "gcd", "lcm", "lim", "cbrt", "ceil", "ceiling", "wait", "hmm", "hm", "um", "uh", "er",
    "oh", "ah", "eh", "huh", "oops", "nope", "nah", "yes", "yep", "yeah", "ok", "okay", "sorry", "well",
    "alternative", "again", "correction", "typo", "mistake", "whatever", "myriad", "choose", "fold", "upper", "beyond",
    "est", "nil", "basis", "oder", "und", "ist", "nicht", "pas", "falsch", "kilo", "mega", "giga", "milli", "micro", "quintillion",
    "sextillion", "zillion", "grand", "couples", "trio", "trios", "twins", "fois", "mal", "impossible", "untrue", "improper", "bogus",
    "fake", "lie", "bad", "doubtful", "nay", "faux", "too", "many", "much", "short", "off", "debt", "excess", "against", "another",
    "other", "complement", "backwards", "sometimes", "often", "always",
];

/// Nouns and colours that end as adverbs and participles do.
#[rustfmt::skip]
const NO_ADVERBS: &[&str] = &[
    "ly", "family", "fly", "butterfly", "lily", "assembly", "bed", "seed", "reed", "weed", "shed", "sled", "red", "shaded",
    "unshaded", "colored", "coloured",
];

/// Letters that are units on their own; others are more likely variables.
const UNIT_LETTERS: &str = "mgshlLAVWJNKCFT";

/// Signs in units that are no letters.
const UNIT_SIGNS: &str = "°µμΩ€£¥₹$¢℃";

/// Whether `text` can stand after a number without changing it: at most three words of letters, five around a "per".
pub(super) fn is_unit(text: &str) -> bool {
    let braces = |c: char| text.matches(c).count();
    // `12 K` may be twelve thousand; kelvins are `12 kelvin` and `12\text{ K}`.
    if text.len() > 48 || braces('{') != braces('}') || text == "K" {
        return false;
    }
    // `sq. units`, `12 (cm)`, and the space of `\mathrm{~cm}`.
    let bracketed = text.strip_prefix('(').and_then(|text| text.strip_suffix(')'));
    let text = bracketed.unwrap_or(text);
    let fits = |c: char| c.is_ascii_alphabetic() || r" /·\^{},23²³~.".contains(c) || UNIT_SIGNS.contains(c);
    if !text.chars().all(fits) {
        return false;
    }
    let mut plain = text.replace("sq.", "sq").replace("cu.", "cu").replace('~', " ");
    let latex = text.contains(['\\', '^', '}']);
    // What is set as text is no product of variables.
    let set = text.contains('\\');
    for (latex, sign) in [
        (r"^{\circ}", "°"),
        (r"^\circ", "°"),
        (r"\degree", "°"),
        (r"\Omega", "Ω"),
        (r"\cdot", "·"),
        (r"\mu", "µ"),
        ("^{2}", "²"),
        ("^2", "²"),
        ("^{3}", "³"),
        ("^3", "³"),
        (r"\text{", " "),
        (r"\mathrm{", " "),
        (r"\textrm{", " "),
        (r"\operatorname{", " "),
        (r"\mbox{", " "),
        ("}", ""),
        (r"\,", " "),
        (r"\ ", " "),
    ]
    .into_iter()
    .filter(|_| latex)
    {
        plain = plain.replace(latex, sign);
    }
    let words: Vec<&str> = plain.split([' ', '/', '·']).filter(|word| !word.is_empty()).collect();
    // `miles per hour`
    let per = |at: usize| words[at] == "per" && at > 0 && at + 1 < words.len();
    let most = if (0..words.len()).any(per) { 5 } else { 3 };
    words.len() <= most
        && words.iter().enumerate().all(|(at, word)| {
            let letters = word.trim_end_matches(['²', '³']);
            let known = |c: char| c.is_ascii_alphabetic() || UNIT_SIGNS.contains(c);
            let one = letters.len() == 1 && letters.chars().all(|c| c.is_ascii_alphabetic());
            per(at)
                || at > 0 && matches!(letters, "squared" | "cubed")
                || !letters.is_empty()
                    && letters.chars().all(known)
                    && (!one || UNIT_LETTERS.contains(letters))
                    && (one || set || letters == "of" || !is_product(letters))
                    && !changes(&letters.to_ascii_lowercase())
        })
}

/// Units of two letters, and longer ones without a vowel, in lower case.
#[rustfmt::skip]
const SHORT_UNITS: [&str; 100] = [
    "cm", "mm", "km", "dm", "nm", "um", "cms", "kms", "in", "ft", "yd", "yds", "mi", "kg", "kgs", "mg", "gm", "gms", "gr",
    "lb", "lbs", "oz", "hr", "hrs", "yr", "yrs", "mo", "wk", "ms", "ns", "ml", "mls", "cl", "dl", "cc", "lt", "ltr", "ha",
    "hz", "khz", "mhz", "ghz", "kw", "mw", "kwh", "kj", "kpa", "kv", "mv", "ma", "kn", "nt", "hp", "kb", "mb", "gb", "tb",
    "mph", "kmh", "kph", "kmph", "rpm", "fps", "bps", "kbps", "mbps", "bpm", "psi", "pt", "pts", "qt", "qts", "sq", "sqm",
    "sqft", "cu", "cft", "ct", "cts", "pcs", "rs", "ppm", "tsp", "tbsp", "ly", "pc", "kt", "lm", "lx", "gbp", "krw", "thb",
    "php", "nzd", "sgd", "mtr", "mtrs", "dzn", "pkt", "pkts",
];

/// Whether letters side by side are rather variables than a unit: two of one case that are none that is known, up to four small ones
/// without a vowel, or all of them usual names of variables. `2ab` and `2mgh` are products, `2 cups` and `12 kWh` are not.
fn is_product(letters: &str) -> bool {
    let lower = letters.bytes().all(|b| b.is_ascii_lowercase());
    let one_case = lower || letters.bytes().all(|b| b.is_ascii_uppercase());
    let vowel = letters.contains(['a', 'e', 'i', 'o', 'u']);
    let variables = letters.bytes().all(|b| b"abcxyz".contains(&b));
    (one_case && letters.len() == 2 || lower && letters.len() <= 4 && !vowel || variables)
        && !SHORT_UNITS.contains(&letters.to_ascii_lowercase().as_str())
}

/// Whether a word in lower case says something of the number before it: also `exactly` and `rounded`, by their endings.
fn changes(word: &str) -> bool {
    let of_how = word.ends_with("ly") || word.ends_with("ed");
    NOT_UNITS.contains(&word) || of_how && !NO_ADVERBS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relaxed_accuracy_forgives_a_twentieth() {
        let relaxed = Number { tolerance: 0.05, reading: Reading::default() };
        check(&relaxed, 100.0, "95", 1.0);
        check(&relaxed, 100.0, "94.9", 0.0);
        check(&relaxed, 2015.0, "1950", 1.0); // 3.2 % off: ChartQA's oddity with years
        check(&relaxed, 0.07, "7%", 1.0);
        check(&relaxed, 7.0, "7%", 0.0);
        check(&relaxed, 0.0, "0.0", 1.0);
        check(&relaxed, 0.0, "0.01", 0.0);
        check(&relaxed, -10.0, "-10.4", 1.0);
        check(&relaxed, -10.0, "10", 0.0);
    }

    #[test]
    fn exact_means_exact() {
        let exact = Number { tolerance: 0.0, reading: Reading::default() };
        check(&exact, 3.0, "3.0000000001", 0.0);
        check(&exact, 0.1 + 0.2, "0.3", 1.0);
        check(&exact, 1.0 / 3.0, "1/3", 1.0);
        check(&exact, 1.0 / 3.0, "0.333", 0.0);
        check(&exact, 3e6, "3 million", 1.0);
        check(&exact, 42.0, "042", 1.0);
        check(&exact, 15.0, "7+8", 0.0);
        check(&exact, 5.0, "f(2) = 5", 1.0);
        check(&exact, 0.25, "P(X=2)=1/4", 1.0);
        check(&exact, 5.0, "|AB|=5", 1.0);
    }

    #[test]
    fn whole_numbers_agree_to_the_last_digit() {
        let exact = Number { tolerance: 0.0, reading: Reading::default() };
        check(&exact, 1_234_567_890_123.0, "1234567890123", 1.0);
        check(&exact, 1_234_567_890_123.0, "1,234,567,890,124", 0.0);
        check(&exact, 1e18, "1000000000000000000", 1.0);
        check(&exact, 1e18, "1000000000000000001", 0.0);
        check(&exact, -1e18, "-1e18", 1.0);
        check(&exact, 6.02e23, r"6.02\times10^{23}", 1.0);
        check(&exact, 6.02e23, "602000000000000000000000", 1.0);
        check(&exact, 6.02e23, "602000000000000000000001", 0.0);
        for (number, text) in
            [(12_300_000_000.0, "12.3 billion"), (9_007_100_000_000_001.0, "9007.100000000001 trillion")]
        {
            check(&exact, number, text, 1.0);
        }
    }

    #[test]
    fn a_number_of_a_million_digits_is_read_at_once() {
        let exact = Number { tolerance: 0.0, reading: Reading::default() };
        check(&exact, 5.0, &"9".repeat(1_000_000), 0.0);
        check(&exact, 5.0, &format!("5.{}", "0".repeat(1_000_000)), 1.0);
        check(&exact, 5.0, &format!("5{}", ",000".repeat(250_000)), 0.0);
        check(&exact, 5.0, &format!("5e{}", "9".repeat(1_000_000)), 0.0);
    }

    #[test]
    fn words_that_change_a_number_are_no_units() {
        let exact = Number { tolerance: 0.0, reading: Reading::default() };
        #[rustfmt::skip]
        let words = [
            "eighty", "zero", "wait", "hmm", "nope", "failed", "rounded", "crore", "thirteen", "lakh", "bn", "pairs", "negative",
            "inclusive", "actually seventy", "alternatively", "estimated", "maximum", "thrice", "sin", "gross", "score", "mil",
            "doubled", "etc", "max", "K", "K.", "thousand thousand", "tripled", "cm rounded", "ok",
        ];
        for word in words {
            check(&exact, 12.0, &format!("12 {word}"), 0.0);
        }
        #[rustfmt::skip]
        let units = [
            "cm", "degrees", "apples", "km/h", "square meters", "min", "sec", "seconds", "people", "kelvin", r"\text{ K}", "red balls",
            "beds", "family", "ly", "m/s^2", "miles per hour", "points", r"\mathrm{~cm}", "sq. units", "sq. ft", "(cm)", "cups of flour", "meters per second squared",
            r"N\cdot m", "℃",
        ];
        for unit in units {
            check(&exact, 12.0, &format!("12 {unit}"), 1.0);
        }
    }

    #[test]
    fn without_tags_the_last_number_is_the_answer() {
        let exact = Number { tolerance: 0.0, reading: Reading::default() };
        let answer = Answer::Number(5.0);
        let gold = Gold { answer: &answer, options: &[], picture_size: None };
        assert_eq!(exact.tail(&gold, "There are 3 dogs and 5 cats"), "5");
        assert_eq!(exact.tail(&gold, "so it must be 5."), "5.");
        assert_eq!(exact.tail(&gold, "no idea"), "no idea");
    }

    #[test]
    fn other_settings_keep_their_own_examples() {
        for (units, percent) in [(Units::Refuse, Percent::Ignore), (Units::Ignore, Percent::Refuse)] {
            super::super::tests::check_examples(&Number {
                tolerance: 0.0,
                reading: Reading { units, percent },
            });
        }
    }

    fn check(verifier: &Number, gold: f64, answer: &str, expected: f64) {
        let number = Answer::Number(gold);
        let gold = Gold { answer: &number, options: &[], picture_size: None };
        let verdict = verifier.score(&gold, answer);
        assert_eq!(verdict.score, expected, "{:?} {:.40} {verdict:?}", gold.answer, answer);
    }
}
