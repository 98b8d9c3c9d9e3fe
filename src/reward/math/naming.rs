//! What a value is called in front of its equals sign, where that is no variable: `f(2)=5`, `P(X=1)=1/4`, `f'(x)=2x`, `|AB|=5`.

/// Longest name, in bytes.
const MAX_NAME: usize = 64;

/// Functions with names of several letters.
const FUNCTIONS: [&str; 8] = ["Var", "Cov", "Pr", "deg", "dim", "tr", "sgn", "rank"];

/// Ways to write the same thing in a name, without braces; applied in this order.
const NOTATION: [(&str, &str); 20] = [
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
    (r"\overline", ""),
    (r"\operatorname", ""),
    (r"\mathrm", ""),
    (r"\mathbb", ""),
    (r"\text", ""),
    (r"\Pr", "Pr"),
    (r"\overrightarrow", r"\vec"),
];

/// The name of the value that `text` states, without white space and in one notation, and the value.
pub(in crate::reward) fn named_value(text: &str) -> Option<(String, &str)> {
    let mut depth = 0_i32;
    let at = text.bytes().take(MAX_NAME + 1).position(|b| {
        match b {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            _ => (),
        }
        b == b'=' && depth == 0
    })?;
    let (left, right) = (&text[..at], text[at + 1..].trim());
    if right.is_empty() || right.contains('=') {
        return None;
    }
    // What binds is told by the letters alone.
    let mut name: String = left.chars().filter(|c| !c.is_whitespace() && !matches!(c, '{' | '}')).collect();
    for (from, to) in NOTATION {
        if name.contains(from) {
            name = name.replace(from, to);
        }
    }
    (is_length(&name) || is_derivative(&name) || is_application(&name)).then_some((name, right))
}

/// `|AB|`, `|\vec{a}|`: the length between points and of a vector; `|x|` is an equation in `x`.
fn is_length(name: &str) -> bool {
    let Some(inside) = name.strip_prefix('|').and_then(|name| name.strip_suffix('|')) else { return false };
    match inside.strip_prefix(r"\vec") {
        Some(vector) => (1..=2).contains(&vector.len()) && vector.bytes().all(|b| b.is_ascii_alphabetic()),
        None => (2..=3).contains(&inside.len()) && inside.bytes().all(|b| b.is_ascii_uppercase()),
    }
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

/// `f(2)`, `f'(x)`, `f^{-1}(3)`, `a_1(0)`, `P(A|B)`, `Var(X)`.
fn is_application(name: &str) -> bool {
    let Some((head, rest)) = name.split_once('(') else { return false };
    let Some(arguments) = rest.strip_suffix(')') else { return false };
    let mut depth = 0_i32;
    let closes = arguments.bytes().all(|b| {
        depth += i32::from(b == b'(') - i32::from(b == b')');
        depth >= 0
    });
    let head = head.trim_end_matches('\'');
    let (stem, index) = head.strip_suffix("^-1").unwrap_or(head).split_once('_').unwrap_or((head, ""));
    let stem = stem.strip_suffix("^-1").unwrap_or(stem);
    let letter = matches!(stem.as_bytes(), [b] if b.is_ascii_alphabetic());
    let greek = matches!(stem, r"\phi" | r"\varphi" | r"\psi");
    closes
        && depth == 0
        && !arguments.is_empty()
        && (letter || greek || FUNCTIONS.contains(&stem))
        && index.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_equations() {
        for (text, name, value) in [
            ("f(2)=5", "f(2)", "5"),
            ("f ( 2 ) = 5", "f(2)", "5"),
            (r"P(X = 2) = \frac{1}{4}", "P(X=2)", r"\frac{1}{4}"),
            (r"P\left(A \mid B\right) = 1/4", "P(A|B)", "1/4"),
            (r"\operatorname{Var}(X)=3", "Var(X)", "3"),
            ("f'(x)=2x", "f'(x)", "2x"),
            (r"f^{\prime\prime}(x) = 2", "f''(x)", "2"),
            (r"f^{-1}(3)=1", "f^-1(3)", "1"),
            ("f_1(3)=1", "f_1(3)", "1"),
            ("|AB|=5", "|AB|", "5"),
            (r"\left|\overrightarrow{AB}\right| = 5", r"|\vecAB|", "5"),
            (r"\|\vec{a}\|=5", r"|\veca|", "5"),
            ("y''=4", "y''", "4"),
            (r"\frac{dy}{dx} = 2x", r"\fracdydx", "2x"),
        ] {
            assert_eq!(named_value(text), Some((name.to_owned(), value)), "{text}");
        }
        for text in [
            "x=3",
            "|x|=3",
            "(x-1)(x+2)=0",
            "2x+1=3",
            "f(x)=g(x)=2",
            "f(2)==5",
            "f(2)<=5",
            "5",
            "f(2)=",
            "sin(x)=1",
            "f)(=5",
        ] {
            assert_eq!(named_value(text), None, "{text}");
        }
    }
}
