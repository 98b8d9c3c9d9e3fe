//! mathruler 0.1.0 (the grader of prm800k with its two normalisations) on the last box, and verl's `geo3k` and EasyR1's `math`
//! rewards made of it: `0.9 · accuracy + 0.1 · format`.

mod latex2text;

use dashu_ratio::RBig;

use super::{
    super::math::{
        Division, Expr, equal,
        form::{Work, decimal},
        in_floats, rounded_root, significant,
    },
    Asked, Score, hendrycks, python,
};

pub(super) fn score(asked: &Asked) -> Score {
    // A missing box is the text "None" to this grader.
    let answer = boxed(asked.completion);
    let right = asked.golds.iter().any(|gold| grade(answer, gold));
    Score::all_or_nothing(right, answer.to_owned())
}

pub(super) fn score_geo3k(asked: &Asked) -> Score {
    let accuracy = score(asked);
    let format = f64::from(u8::from(format(asked.completion)));
    let reward = 0.9 * accuracy.score.unwrap_or(0.0) + 0.1 * format;
    Score { reward: Some(reward), format: Some(format > 0.0), ..accuracy }
}

/// `<think>.*</think>.*\boxed\{.*\}.*` over the whole text.
fn format(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("<think>") else { return false };
    let Some(end) = rest.find("</think>") else { return false };
    let rest = &rest[end..];
    let Some(open) = rest.find("\\boxed{") else { return false };
    rest[open..].contains('}')
}

fn boxed(text: &str) -> &str {
    let Some(at) = text.rfind("\\boxed{") else { return "None" };
    let inside = &text[at + "\\boxed{".len()..];
    let mut depth = 0_i64;
    for (i, byte) in inside.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => (),
        }
        if depth < 0 {
            return inside[..i].trim_matches(python::is_space);
        }
    }
    "None"
}

/// Longest text that is graded; the original has no bound.
const MAX_TEXT: usize = 20_000;

fn grade(answer: &str, gold: &str) -> bool {
    if answer.len() > MAX_TEXT || gold.len() > MAX_TEXT {
        return answer == gold;
    }
    if first_normal(gold) == first_normal(answer) {
        return true;
    }
    let (gold, answer) = (second_normal(gold), second_normal(answer));
    if gold == answer {
        return true;
    }
    if answer.is_empty() {
        return false;
    }
    let (golds, answers) = (elements(&gold), elements(&answer));
    let ends = |text: &str| (text.chars().next(), text.chars().next_back());
    if golds.len() > 1 && ends(&gold) != ends(&answer) || golds.len() != answers.len() {
        return false;
    }
    // One budget for all of a long list.
    let work = &mut Work::new();
    !golds.is_empty()
        && golds.iter().zip(&answers).all(|(gold, answer)| {
            if is_fraction(gold) && is_fraction(answer) {
                gold == answer
            } else if is_int(gold) != is_int(answer) {
                false
            } else {
                equal_under_sympy(gold, answer, work)
            }
        })
}

/// The text inside `\text{…}` around all of it, by `^\\text\{(.+?)\}$`.
fn without_text(text: &str) -> Option<&str> {
    let inside = text.strip_prefix("\\text{")?;
    let inside = inside.strip_suffix('\n').unwrap_or(inside).strip_suffix('}')?;
    (!inside.is_empty() && !inside.contains('\n')).then_some(inside)
}

fn first_normal(text: &str) -> String {
    let text = text.trim_matches(python::is_space);
    let inside = without_text(text).map_or(text, |inside| inside.trim_matches(python::is_space));
    hendrycks::stripped(inside, true).unwrap_or_else(|| inside.to_owned())
}

const UNITS: [&str; 16] = [
    "degree",
    "cm",
    "centimeter",
    "meter",
    "mile",
    "second",
    "minute",
    "hour",
    "day",
    "week",
    "month",
    "year",
    "foot",
    "feet",
    "inch",
    "yard",
];

fn second_normal(text: &str) -> String {
    let text = without_text(text).unwrap_or(text);
    let mut s = text.replace("\\%", "%").replace("\\$", "$").replace(['$', '%'], "");
    s = s.replace(" or ", " , ").replace(" and ", " , ");
    s = s.replace("million", "*10^6").replace("billion", "*10^9").replace("trillion", "*10^12");
    for unit in UNITS {
        if s.contains(unit) {
            s = without_unit(&s, unit);
        }
    }
    s = without_degrees(&s);
    if s.len() > 1 && s.starts_with('{') && s.ends_with('}') {
        s = s[1..s.len() - 1].to_owned();
    }
    s = without_thin_commas(&s);
    if let Some(number) = python::float(&s).filter(|n| near_int(*n)) {
        s = format!("{:.0}", round_half_even(number));
    }
    if s.contains('\\') {
        s = plain_text(&s);
    }
    s = after_minus(&s);
    s = mixed(&s);
    s = s.replace([' ', '{', '}'], "").to_lowercase();
    if is_int(&s)
        && let Some(number) = python::float(&s.replace(',', ""))
    {
        let whole = format!("{:.0}", number.trunc());
        s = if whole == "-0" { "0".to_owned() } else { whole };
    }
    s
}

fn near_int(number: f64) -> bool {
    number.is_finite() && (number - number.round()).abs() <= 1e-7
}

fn round_half_even(number: f64) -> f64 {
    let rounded = number.round_ties_even();
    if rounded == 0.0 { 0.0 } else { rounded }
}

/// `unit(es)?(s)? *(\^[0-9]+)?` taken out.
fn without_unit(text: &str, unit: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(unit) {
        out.push_str(&rest[..at]);
        rest = &rest[at + unit.len()..];
        rest = rest.strip_prefix("es").unwrap_or(rest);
        rest = rest.strip_prefix('s').unwrap_or(rest);
        rest = rest.trim_start_matches(' ');
        if let Some(power) = rest.strip_prefix('^') {
            let digits = power.trim_start_matches(|c: char| c.is_ascii_digit());
            if digits.len() < power.len() {
                rest = digits;
            }
        }
    }
    out + rest
}

/// `\^ *\\circ` taken out.
fn without_degrees(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('^') {
        out.push_str(&rest[..at]);
        if let Some(after) = rest[at + 1..].trim_start_matches(' ').strip_prefix("\\circ") {
            rest = after;
        } else {
            out.push('^');
            rest = &rest[at + 1..];
        }
    }
    out + rest
}

/// `,\\! *` taken out.
fn without_thin_commas(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(",\\!") {
        out.push_str(&rest[..at]);
        rest = rest[at + 3..].trim_start_matches(' ');
    }
    out + rest
}

fn after_minus(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut after = false;
    for c in text.chars() {
        if c == ' ' && after {
            continue;
        }
        after = c == '-';
        out.push(c);
    }
    out
}

/// A plus between digits that spaces separate.
fn mixed(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < characters.len() {
        out.push(characters[i]);
        if characters[i].is_ascii_digit() {
            let spaces = characters[i + 1..].iter().take_while(|c| **c == ' ').count();
            if spaces > 0 && characters.get(i + 1 + spaces).is_some_and(char::is_ascii_digit) {
                out.push('+');
                out.push(characters[i + 1 + spaces]);
                i += spaces + 2;
                continue;
            }
        }
        i += 1;
    }
    out
}

/// Commas between a digit and exactly three more.
fn without_separators(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    loop {
        let mut out = Vec::with_capacity(bytes.len());
        let mut changed = false;
        let mut i = 0;
        while i < bytes.len() {
            let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
            if digit(i) && bytes.get(i + 1) == Some(&b',') && (2..5).all(|k| digit(i + k)) && !digit(i + 5) {
                out.push(bytes[i]);
                out.extend_from_slice(&bytes[i + 2..i + 5]);
                // The character after belongs to the match.
                if let Some(next) = bytes.get(i + 5) {
                    out.push(*next);
                }
                i += 6;
                changed = true;
            } else {
                out.push(bytes[i]);
                i += 1;
            }
        }
        bytes = out;
        if !changed {
            return String::from_utf8_lossy(&bytes).into_owned();
        }
    }
}

fn is_int(text: &str) -> bool {
    python::float(&without_separators(text)).is_some_and(near_int)
}

/// `^-?[0-9]+.?/0*[1-9][0-9]*.?$`
fn is_fraction(text: &str) -> bool {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let above = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    if above == 0 {
        return false;
    }
    let mut rest = unsigned[above..].chars();
    let below = match rest.next() {
        Some('/') => rest.as_str(),
        Some(_) => match rest.as_str().strip_prefix('/') {
            Some(below) => below,
            None => return false,
        },
        None => return false,
    };
    let digits = below.bytes().take_while(u8::is_ascii_digit).count();
    let nonzero = below[..digits].bytes().any(|b| b != b'0');
    let rest = below[digits..].chars().count();
    if rest > 1 {
        return false;
    }
    // The last digit may be what `.?` stands for.
    nonzero && (rest <= 1)
}

fn elements(text: &str) -> Vec<String> {
    let text = without_separators(text);
    if text.is_empty() {
        return Vec::new();
    }
    let bracket = |c: char| "()[]".contains(c);
    let characters: Vec<char> = text.chars().collect();
    let n = characters.len();
    if n > 2
        && bracket(characters[0])
        && bracket(characters[n - 1])
        && !characters[1..n - 1].iter().any(|c| bracket(*c))
    {
        let inside: String = characters[1..n - 1].iter().collect();
        return inside.split(',').map(|e| e.trim_matches(python::is_space).to_owned()).collect();
    }
    vec![text]
}

fn equal_under_sympy(gold: &str, answer: &str, work: &mut Work) -> bool {
    let both = format!("({gold})-({answer})");
    if !may_evaluate(&both) {
        return false;
    }
    let (Some(gold), Some(answer)) = (sympy(gold), sympy(answer)) else { return false };
    // A root of a float is rounded, and so is what it is a part of.
    if rounded_root(&gold, work) != rounded_root(&answer, work) {
        return false;
    }
    let floats = |e: &Expr| e.any(&mut |e| matches!(e, Expr::Decimal(_)));
    // Floats with more digits have more precision.
    let long = |e: &Expr| e.any(&mut |e| matches!(e, Expr::Decimal(value) if significant(value) > 15));
    if !(long(&gold) || long(&answer))
        && (floats(&gold) || floats(&answer))
        && let (Some(a), Some(b)) =
            (in_floats(&gold, Division::Direct, work), in_floats(&answer, Division::Direct, work))
    {
        return a == b;
    }
    let (Some(a), Some(b)) = (gold.form(work), answer.form(work)) else { return false };
    // A float is as precise as it has digits, so that 1.3333333333333333 is not 4/3.
    equal(&a, &b, work)
}

fn may_evaluate(both: &str) -> bool {
    let mut letters: Vec<char> =
        both.replace("sqrt", "").replace("frac", "").chars().filter(|c| c.is_alphabetic()).collect();
    letters.sort_unstable();
    letters.dedup();
    if letters.len() > 2 || both.contains("^{") || both.contains("^(") {
        return false;
    }
    let bytes = both.as_bytes();
    for (i, _) in both.match_indices('^') {
        let digits = bytes[i + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
        if digits > 1 || (digits == 1 && bytes.get(i + 2) == Some(&b'^')) {
            return false;
        }
    }
    true
}

/// An expression as sympy's parser reads it with implicit multiplication.
fn sympy(text: &str) -> Option<Expr> {
    let mut reader = Sympy { rest: text, depth: 0 };
    let expr = reader.sum()?;
    reader.rest.is_empty().then_some(expr)
}

struct Sympy<'t> {
    rest: &'t str,
    depth: usize,
}

impl Sympy<'_> {
    fn eat(&mut self, what: &str) -> bool {
        self.rest.strip_prefix(what).map(|rest| self.rest = rest).is_some()
    }

    fn sum(&mut self) -> Option<Expr> {
        self.depth += 1;
        if self.depth > 40 {
            return None;
        }
        let mut terms = vec![self.term()?];
        loop {
            if self.eat("+") {
                terms.push(self.term()?);
            } else if self.eat("-") {
                terms.push(Expr::Negative(self.term()?.into()));
            } else {
                break;
            }
        }
        self.depth -= 1;
        Some(if terms.len() == 1 { terms.pop()? } else { Expr::Sum(terms) })
    }

    fn term(&mut self) -> Option<Expr> {
        let mut left = self.unary()?;
        loop {
            if self.rest.starts_with("**") {
                return None;
            }
            if self.eat("*") {
                left = Expr::Product(vec![left, self.unary()?]);
            } else if self.eat("//") {
                return None;
            } else if self.eat("/") {
                left = Expr::Quotient(left.into(), self.unary()?.into());
            } else if self.rest.starts_with(|c: char| c == '(' || c.is_alphanumeric() || c == '.') {
                // Juxtaposition; digits come here only after a bracket or a factorial.
                left = Expr::Product(vec![left, self.power()?]);
            } else {
                return Some(left);
            }
        }
    }

    fn unary(&mut self) -> Option<Expr> {
        self.depth += 1;
        if self.depth > 200 {
            return None;
        }
        let out = if self.eat("-") {
            Some(Expr::Negative(self.unary()?.into()))
        } else if self.eat("+") {
            self.unary()
        } else {
            self.power()
        };
        self.depth -= 1;
        out
    }

    fn power(&mut self) -> Option<Expr> {
        let base = self.atom()?;
        self.powered(base)
    }

    /// The base with what stands behind it: factorials, an exponent.
    fn powered(&mut self, mut base: Expr) -> Option<Expr> {
        let mut signs = 0;
        while self.eat("!") {
            signs += 1;
            if signs > 8 {
                return None;
            }
            base = Expr::Function("factorial", vec![base]);
        }
        if self.eat("**") || self.eat("^") {
            return Some(Expr::Power(base.into(), self.unary()?.into()));
        }
        Some(base)
    }

    fn atom(&mut self) -> Option<Expr> {
        if self.eat("(") {
            let inside = self.sum()?;
            return self.eat(")").then_some(inside);
        }
        let first = self.rest.chars().next()?;
        if first.is_ascii_digit() || first == '.' {
            return self.number();
        }
        if !first.is_alphabetic() {
            return None;
        }
        let end = self.rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        if matches!(name, "sqrt" | "ln") {
            let argument = if self.eat("(") {
                let inside = self.sum()?;
                if !self.eat(")") {
                    return None;
                }
                inside
            } else {
                return None;
            };
            return Some(if name == "sqrt" {
                Expr::Root(2, argument.into())
            } else {
                Expr::Function("ln", vec![argument])
            });
        }
        match name {
            "pi" => return Some(Expr::Pi),
            "oo" => return None,
            _ => (),
        }
        // Letters stand for themselves; digits after them are factors.
        let mut factors = Vec::new();
        let mut rest = name;
        while let Some(c) = rest.chars().next() {
            if c.is_ascii_digit() {
                let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                factors.push(Expr::Number(decimal(rest[..digits].trim_start_matches('0'), 0)?));
                rest = &rest[digits..];
            } else {
                factors.push(Expr::Symbol(c.to_string().into()));
                rest = &rest[c.len_utf8()..];
            }
        }
        // A power is one of the last factor only: `xy^2` is x·y².
        if factors.len() > 1 && ["!", "^", "**"].iter().any(|sign| self.rest.starts_with(sign)) {
            let last = factors.pop()?;
            factors.push(self.powered(last)?);
        }
        Some(if factors.len() == 1 { factors.pop()? } else { Expr::Product(factors) })
    }

    fn number(&mut self) -> Option<Expr> {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        // Python's other bases; the text is in lower case.
        for (prefix, base) in [("0x", 16), ("0o", 8), ("0b", 2)] {
            let Some(after) = self.rest.strip_prefix(prefix) else { continue };
            let end = after.find(|c: char| !c.is_digit(base)).unwrap_or(after.len());
            if end > 0 {
                self.rest = &after[end..];
                return Some(Expr::Number(u64::from_str_radix(&after[..end], base).ok()?.into()));
            }
        }
        let whole = digits(self.rest);
        let mut text = self.rest[..whole].to_owned();
        let mut rest = &self.rest[whole..];
        let mut exponent = 0;
        let mut float = false;
        if let Some(after) = rest.strip_prefix('.') {
            let n = digits(after);
            if whole + n == 0 {
                return None;
            }
            text.push_str(&after[..n]);
            exponent = -(n as i64);
            rest = &after[n..];
            float = true;
        }
        if let Some(after) = rest.strip_prefix('e') {
            let unsigned = after.strip_prefix(['+', '-']).unwrap_or(after);
            let n = digits(unsigned);
            if (1..=4).contains(&n) {
                let value: i64 = unsigned[..n].parse().ok()?;
                exponent += if after.starts_with('-') { -value } else { value };
                rest = &unsigned[n..];
                float = true;
            }
        }
        if text.len() > 1000
            || (!float && text.len() > 1 && text.starts_with('0') && text.bytes().any(|b| b != b'0'))
        {
            // Python has no numbers with zeros in front.
            return None;
        }
        self.rest = rest;
        let value: RBig = decimal(text.trim_start_matches('0'), exponent)?;
        Some(if float { Expr::Decimal(value) } else { Expr::Number(value) })
    }
}

/// What `pylatexenc` makes of LaTeX, and the signs that the grader then replaces.
fn plain_text(latex: &str) -> String {
    let latex = latex.replace("\\tfrac", "\\frac").replace("\\dfrac", "\\frac").replace("\\frac", " \\frac");
    let mut out = String::with_capacity(latex.len());
    if latex2text::convert(&latex, &mut out, 0).is_none() {
        // The original keeps the text where its converter fails.
        return latex;
    }
    let signs = [("√", "sqrt"), ("π", "pi"), ("∞", "inf"), ("∪", "U"), ("·", "*"), ("×", "*")];
    for (sign, name) in signs {
        out = out.replace(sign, name);
    }
    out.trim_matches(python::is_space).to_owned()
}
