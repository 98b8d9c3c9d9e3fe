//! What Python's own functions do to text, for profiles that state rules written in Python.

/// `float(text)`: white space around, digits of any script, underscores between digits.
pub(super) fn float(text: &str) -> Option<f64> {
    let text = text.trim_matches(is_space);
    let mut plain = String::with_capacity(text.len());
    let characters: Vec<char> = text.chars().collect();
    for (i, &c) in characters.iter().enumerate() {
        match digit(c) {
            Some(d) => plain.push(char::from(b'0' + d)),
            None if c == '_' => {
                let around = [i.checked_sub(1), Some(i + 1)].map(|at| at.and_then(|at| characters.get(at)));
                if !around.iter().all(|c| c.is_some_and(|c| digit(*c).is_some())) {
                    return None;
                }
            }
            None => plain.push(c),
        }
    }
    plain.parse().ok()
}

/// `int(text)` as digits with a sign, without leading zeros.
pub(super) fn int(text: &str) -> Option<String> {
    let text = text.trim_matches(is_space);
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let mut plain = String::new();
    let mut after_digit = false;
    for c in digits.chars() {
        match digit(c) {
            Some(d) => plain.push(char::from(b'0' + d)),
            None if c == '_' && after_digit => {
                after_digit = false;
                continue;
            }
            None => return None,
        }
        after_digit = true;
    }
    if !after_digit || plain.len() > 4300 {
        return None;
    }
    let plain = plain.trim_start_matches('0');
    Some(if plain.is_empty() { "0".to_owned() } else { format!("{sign}{plain}") })
}

/// The value of a decimal digit of the scripts that people write numbers in.
pub(super) fn digit(c: char) -> Option<u8> {
    const ZEROS: [u32; 12] =
        [0x30, 0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xE50, 0xED0, 0xFF10, 0x1D7CE];
    let code = c as u32;
    ZEROS.iter().find_map(|zero| code.checked_sub(*zero).filter(|d| *d < 10)).map(|d| d as u8)
}

/// `str.isspace`, as `str.strip` and `str.split` use it.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// `str(float)`.
pub(super) fn float_text(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        let text = format!("{value:e}");
        let (mantissa, exponent) = text.split_once('e').expect("written with an exponent");
        let (sign, digits) = match exponent.strip_prefix('-') {
            Some(digits) => ('-', digits),
            None => ('+', exponent),
        };
        return format!("{mantissa}e{sign}{digits:0>2}");
    }
    let text = value.to_string();
    if text.contains('.') { text } else { format!("{text}.0") }
}

/// `round(value, digits)`: to the nearest decimal, halves by the binary value.
pub(super) fn round(value: f64, digits: usize) -> f64 {
    if value.is_finite() { format!("{value:.digits$}").parse().expect("digits as written") } else { value }
}

/// The last `n` characters.
pub(super) fn last(text: &str, n: usize) -> &str {
    text.char_indices().rev().nth(n.saturating_sub(1)).map_or(text, |(at, _)| &text[at..])
}
