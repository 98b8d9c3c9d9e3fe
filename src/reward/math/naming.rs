//! What a value is called in front of its equals sign: `x = 5`, `AB = 5`, `f(2) = 5`, `P(X=1) = 1/4`, `m+n = 204`, `Area = 5`.
//!
//! A name is told from an equation to be solved and from words that take the value back: `\ln x = 5`, `|x| = 5` and `not = 5`
//! name nothing.

use super::read::GREEK;

/// Longest name, in bytes.
const MAX_NAME: usize = 64;

/// What a value is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::reward) enum Name {
    /// In one notation, without white space and braces.
    Symbol(String),
    /// What is put together from variables: in an answer what was asked for, in a gold an equation.
    Composed(String),
    /// In lower case.
    Words(String),
}

impl Name {
    /// Whether both may be names of one thing: words may be, of any symbol, and of fewer words.
    pub(in crate::reward) fn agrees(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Symbol(a) | Self::Composed(a), Self::Symbol(b) | Self::Composed(b)) => a == b,
            (Self::Words(a), Self::Words(b)) => {
                let within =
                    |a: &str, b: &str| a.split(' ').all(|word| b.split(' ').any(|other| other == word));
                within(a, b) || within(b, a)
            }
            _ => true,
        }
    }
}

/// Functions with names of several letters.
const FUNCTIONS: [&str; 8] = ["Var", "Cov", "Pr", "deg", "dim", "tr", "sgn", "rank"];

/// Functions of angles, which questions ask for.
const OF_ANGLES: [&str; 6] = [r"\sin", r"\cos", r"\tan", r"\cot", r"\sec", r"\csc"];

/// Words that name no value: they deny, hedge, join, or are numbers.
#[rustfmt::skip]
const NO_NAMES: &[&str] = &[
    "not", "no", "none", "never", "nor", "neither", "wrong", "incorrect", "false", "maybe", "perhaps", "or", "undefined", "nan",
    "inf", "infinity", "unknown", "invalid", "except", "about", "approximately", "approx", "around", "almost", "less", "more",
    "than", "over", "under", "above", "below", "least", "most", "between", "guess", "if", "cannot", "without", "but", "unless",
    "is", "are", "hardly", "error", "unlike", "unequal", "untrue", "impossible", "zero", "one", "two", "three", "four", "five",
    "six", "seven", "eight", "nine", "ten", "pi", "to",
];

/// Ways to write the same thing in a name, without braces; applied in this order.
const NOTATION: [(&str, &str); 24] = [
    (r"\left", ""),
    (r"\right", ""),
    (r"\lvert", "|"),
    (r"\rvert", "|"),
    (r"\mid", "|"),
    (r"\|", "|"),
    ("‖", "|"),
    ("∣", "|"),
    (r"\prime", "'"),
    ("’", "'"),
    ("′", "'"),
    ("^'", "'"),
    (r"\dfrac", r"\frac"),
    (r"\overrightarrow", r"\vec"),
    (r"\overline", ""),
    (r"\operatorname", ""),
    (r"\mathrm", ""),
    (r"\mathbb", ""),
    (r"\text", ""),
    (r"\Pr", "Pr"),
    (r"\max", "max"),
    (r"\min", "min"),
    (r"m\angle", "∠"),
    (r"\angle", "∠"),
];

/// The name of the value that `text` states, and the value.
pub(in crate::reward) fn named_value(text: &str) -> Option<(Name, &str)> {
    let mut depth = 0_i32;
    let at = text.bytes().take(MAX_NAME + 1).position(|b| {
        match b {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            _ => (),
        }
        b == b'=' && depth == 0
    })?;
    let (left, value) = (&text[..at], text[at + 1..].trim());
    if value.is_empty() || value.contains('=') {
        return None;
    }
    // What binds is told by the letters alone.
    let mut name: String = left.chars().filter(|c| !c.is_whitespace() && !matches!(c, '{' | '}')).collect();
    for (from, to) in NOTATION {
        if name.contains(from) {
            name = name.replace(from, to);
        }
    }
    // `xyz` is a product, no word.
    let letters = name.len() <= 3 && name.bytes().all(|b| b.is_ascii_lowercase());
    let name = match symbol(&name) {
        Some(name) => Name::Symbol(name),
        None if is_sum(&name) => Name::Composed(name),
        None if letters && words(left).is_some() => Name::Composed(name),
        None => Name::Words(words(left)?),
    };
    Some((name, value))
}

/// A name of mathematics as it is compared.
fn symbol(name: &str) -> Option<String> {
    if is_variable(name) {
        // A Latin letter in any case.
        let latin = name.starts_with(|c: char| c.is_ascii_alphabetic());
        return Some(if latin { name.to_ascii_lowercase() } else { name.to_owned() });
    }
    let length = name.strip_prefix('|').and_then(|name| name.strip_suffix('|'));
    if let Some(vector) = length.and_then(|inside| inside.strip_prefix(r"\vec")) {
        let fits = (1..=2).contains(&vector.len()) && vector.bytes().all(|b| b.is_ascii_alphabetic());
        return fits.then(|| name.to_owned());
    }
    // The length between points; `|x|` is an equation in `x`.
    if let Some(points) = points(length.unwrap_or(name).trim_start_matches(r"\triangle")) {
        return Some(points);
    }
    if let Some(angle) = angle(name) {
        return Some(angle);
    }
    let of_angle = OF_ANGLES.iter().find_map(|function| name.strip_prefix(function));
    if let Some(argument) = of_angle {
        let argument = argument.strip_prefix('(').and_then(|a| a.strip_suffix(')')).unwrap_or(argument);
        let fits = is_variable(argument) || angle(argument).is_some() || points(argument).is_some();
        return fits.then(|| name.replace(['(', ')'], ""));
    }
    (is_vector(name) || is_derivative(name) || is_application(name)).then(|| name.to_owned())
}

/// A letter or a Greek one, with an index or without.
fn is_variable(name: &str) -> bool {
    let (stem, index) = name.split_once('_').unwrap_or((name, "0"));
    let letter = matches!(stem.as_bytes(), [b] if b.is_ascii_alphabetic());
    let greek = || {
        let known = |name: &str| GREEK.iter().any(|(known, _)| *known == name);
        stem.strip_prefix('\\').is_some_and(known)
            || GREEK.iter().any(|(_, c)| stem.strip_prefix(*c) == Some(""))
    };
    let index = index.strip_prefix(r"\triangle").unwrap_or(index);
    (letter || greek()) && !index.is_empty() && index.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Two to five points: a line or a polygon has no first one.
pub(super) fn points(name: &str) -> Option<String> {
    let fits = (2..=5).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_uppercase());
    let mut points = fits.then(|| name.as_bytes().to_vec())?;
    points.sort_unstable();
    String::from_utf8(points).ok()
}

/// `∠ABC`, which is `∠CBA`, `∠B` and `∠1`.
fn angle(name: &str) -> Option<String> {
    let inside = name.strip_prefix('∠')?;
    if is_variable(inside) || !inside.is_empty() && inside.bytes().all(|b| b.is_ascii_digit()) {
        return Some(name.to_owned());
    }
    let bytes = inside.as_bytes();
    let fits = bytes.len() == 3 && bytes.iter().all(u8::is_ascii_uppercase);
    let turned: String = inside.chars().rev().collect();
    fits.then(|| format!("∠{}", turned.as_str().min(inside)))
}

fn is_vector(name: &str) -> bool {
    name.strip_prefix(r"\vec")
        .is_some_and(|name| (1..=2).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphabetic()))
}

/// `y'`, `\frac{dy}{dx}`, `dy/dx`.
fn is_derivative(name: &str) -> bool {
    let plain = name.strip_prefix(r"\frac").unwrap_or(name).replace('/', "");
    match plain.as_bytes() {
        [b'd', above, b'd', below] => above.is_ascii_alphabetic() && below.is_ascii_alphabetic(),
        [letter, b'\'', ..] => letter.is_ascii_alphabetic() && plain.trim_end_matches('\'').len() == 1,
        _ => false,
    }
}

/// `f(2)`, `f'(x)`, `f^{-1}(3)`, `a_1(0)`, `P(A|B)`, `Var(X)`, `E[X]`.
fn is_application(name: &str) -> bool {
    let Some(at) = name.find(['(', '[']) else { return false };
    let (head, rest) = name.split_at(at);
    let arguments = match rest.as_bytes() {
        [b'(', .., b')'] | [b'[', .., b']'] => &rest[1..rest.len() - 1],
        _ => return false,
    };
    let mut depth = 0_i32;
    let closes = arguments.bytes().all(|b| {
        depth += i32::from(b == b'(') - i32::from(b == b')');
        depth >= 0
    });
    let head = head.trim_end_matches('\'');
    let head = head.strip_suffix("^-1").unwrap_or(head);
    closes && depth == 0 && !arguments.is_empty() && (is_variable(head) || FUNCTIONS.contains(&head))
}

/// `m+n`, `100m+n`, `a^2+b^2`: what questions ask for where the parts have no answer of their own.
fn is_sum(name: &str) -> bool {
    let mut terms = 0;
    name.split(['+', '-']).all(|term| {
        terms += 1;
        let term = term.trim_start_matches(|c: char| c.is_ascii_digit());
        matches!(term.as_bytes(), [a] | [a, b'^', b'2'..=b'9'] if a.is_ascii_alphabetic())
    }) && terms > 1
}

/// Words in lower case, none of which denies or hedges.
fn words(left: &str) -> Option<String> {
    let mut text = left.to_owned();
    for command in [r"\text", r"\mathrm", r"\operatorname", r"\triangle", "bf{", "{", "}"] {
        if text.contains(command) {
            text = text.replace(command, " ");
        }
    }
    let text = text.to_lowercase();
    let words: Vec<&str> = text.split_whitespace().collect();
    let fits = |word: &&str| {
        let inner = word.chars().all(|c| c.is_alphabetic() || matches!(c, '-' | '\'' | '_'));
        inner && word.starts_with(char::is_alphabetic) && !word.ends_with("n't") && !NO_NAMES.contains(word)
    };
    (!words.is_empty() && words.iter().all(fits)).then(|| words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_one_notation() {
        for (text, name, value) in [
            ("x=5", "x", "5"),
            ("X = 5", "x", "5"),
            ("x_{1}=5", "x_1", "5"),
            (r"x_{\max}=5", "x_max", "5"),
            (r"\theta=5", r"\theta", "5"),
            ("BA = 5", "AB", "5"),
            (r"\overline{AB}=5", "AB", "5"),
            ("|BA|=5", "AB", "5"),
            (r"m\angle CBA=30^\circ", "∠ABC", r"30^\circ"),
            (r"\angle 1=30", "∠1", "30"),
            (r"\sin A = \frac35", r"\sinA", r"\frac35"),
            (r"\cos\theta = \frac35", r"\cos\theta", r"\frac35"),
            ("f ( 2 ) = 5", "f(2)", "5"),
            (r"P(X = 2) = \frac{1}{4}", "P(X=2)", r"\frac{1}{4}"),
            (r"P\left(A \mid B\right) = 1/4", "P(A|B)", "1/4"),
            (r"\operatorname{Var}(X)=3", "Var(X)", "3"),
            (r"\mathbb{E}[X]=3", "E[X]", "3"),
            ("f'(x)=2x", "f'(x)", "2x"),
            (r"f^{\prime\prime}(x) = 2", "f''(x)", "2"),
            (r"f^{-1}(3)=1", "f^-1(3)", "1"),
            (r"\left|\overrightarrow{AB}\right| = 5", r"|\vecAB|", "5"),
            (r"\|\vec{a}\|=5", r"|\veca|", "5"),
            ("y''=4", "y''", "4"),
            (r"\frac{dy}{dx} = 2x", r"\fracdydx", "2x"),
        ] {
            assert_eq!(named_value(text), Some((Name::Symbol(name.to_owned()), value)), "{text}");
        }
        for (text, name) in
            [("m+n=204", "m+n"), ("100m + n = 204", "100m+n"), ("x^2+y^2=204", "x^2+y^2"), ("xy=204", "xy")]
        {
            assert_eq!(named_value(text), Some((Name::Composed(name.to_owned()), "204")), "{text}");
        }
        for (text, name) in
            [("Area = 5", "area"), (r"\text{Area of } ABC=5", "area of abc"), ("speed=5", "speed")]
        {
            assert_eq!(named_value(text), Some((Name::Words(name.to_owned()), "5")), "{text}");
        }
    }

    #[test]
    fn equations_and_denials_name_nothing() {
        for text in [
            "|x|=3",
            "(x-1)(x+2)=0",
            "2x+1=3",
            "f(x)=g(x)=2",
            "f(2)==5",
            "f(2)<=5",
            "5",
            "f(2)=",
            r"\ln x=5",
            r"\sqrt{x}=5",
            "f)(=5",
            "not=5",
            "not x=5",
            r"\text{not}=5",
            "six or x=5",
            "x is not=5",
            r"\pi=5",
            r"x\ne y=5",
            r"x\not=5",
            r"\neg x=5",
            "-x=5",
            "isn't=5",
            "x doesn't = 5",
            "unequal=5",
            "undefined=5",
            r"y\in x=5",
            r"x\approx y=5",
            "x\u{2260}y=5",
            "=5",
        ] {
            assert_eq!(named_value(text), None, "{text}");
        }
    }

    #[test]
    fn words_agree_with_symbols_and_with_fewer_words() {
        let agree = |a: &str, b: &str| {
            let name = |text| named_value(text).unwrap().0;
            name(a).agrees(&name(b))
        };
        assert!(agree("A=3", "Area=3") && agree("Area=3", "Area of ABC=3") && agree("AB=3", "BA=3"));
        assert!(
            !agree("mean=3", "median=3") && !agree(r"\angle ABC=3", r"\angle BAC=3") && !agree("x=3", "y=3")
        );
    }
}
