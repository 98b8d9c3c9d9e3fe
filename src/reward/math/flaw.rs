//! What is wrong with a text that was meant as mathematics and cannot be read as it.

/// Commands that may stand in words.
const OF_TEXT: [&str; 18] = [
    "text",
    "mathrm",
    "textbf",
    "mathbf",
    "mbox",
    "operatorname",
    "textit",
    "mathit",
    "emph",
    "textrm",
    "rm",
    "mathsf",
    "left",
    "right",
    "quad",
    "qquad",
    "displaystyle",
    "boxed",
];

/// The first flaw of `text`: brackets that do not close, operators and commands without what belongs to them, commands that
/// are not understood. Words have none, and most of what can be read has none either; linear in the length.
pub(crate) fn flaw(text: &str) -> Option<String> {
    // What was opened and not closed: environments, and brackets that take their size.
    let (mut environments, mut sized) = (0_i64, 0_i64);
    let (mut braces, mut brackets, mut dollars) = (0_i64, 0_i64, 0_u32);
    // What an operator is applied to has to follow; a full stop at the end is none.
    let mut open: Option<&str> = None;
    let mut command = None;
    let mut rest = text.trim();
    rest = rest.strip_suffix('.').unwrap_or(rest);
    while let Some(c) = rest.chars().next() {
        let length = c.len_utf8();
        let here = &rest[..length];
        rest = &rest[length..];
        if c == '\\' {
            let end = rest.bytes().position(|b| !b.is_ascii_alphabetic()).unwrap_or(rest.len());
            if end == 0 {
                let Some(escaped) = rest.chars().next() else {
                    return Some("malformed: it ends with a backslash".to_owned());
                };
                match escaped {
                    '{' => brackets += 1,
                    '}' => brackets -= 1,
                    _ => (),
                }
                rest = &rest[escaped.len_utf8()..];
                open = None;
                continue;
            }
            let (name, after) = rest.split_at(end);
            if matches!(name, "frac" | "dfrac" | "tfrac" | "cfrac" | "sqrt" | "binom")
                && after.trim_start().is_empty()
            {
                return Some(format!("malformed: nothing follows `\\{name}`"));
            }
            match name {
                "begin" => environments += 1,
                "end" => environments -= 1,
                "left" => sized += 1,
                "right" => sized -= 1,
                _ => (),
            }
            if !OF_TEXT.contains(&name) {
                command = command.or(Some(name));
            }
            open = matches!(
                name,
                "times" | "cdot" | "div" | "le" | "leq" | "ge" | "geq" | "ne" | "neq" | "pm" | "cup" | "cap"
            )
            .then_some(name);
            rest = after;
            continue;
        }
        match c {
            _ if c.is_whitespace() => continue,
            '{' => braces += 1,
            '}' => braces -= 1,
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            '$' => dollars += 1,
            _ => (),
        }
        if let Some(operator) = open
            && matches!(c, '*' | '/' | '=' | '^' | '_' | ')' | '}' | ']')
            && !(operator == "*" && c == '*' || matches!(operator, "<" | ">") && c == '=')
        {
            return Some(format!("malformed: nothing follows `{operator}`"));
        }
        if braces < 0 {
            return Some("malformed: a brace is closed that was not opened".to_owned());
        }
        open = matches!(c, '+' | '*' | '/' | '=' | '^' | '_' | '<' | '>').then_some(here);
    }
    if braces != 0 {
        return Some("malformed: a brace is not closed".to_owned());
    }
    if brackets != 0 {
        return Some("malformed: brackets do not match".to_owned());
    }
    if dollars % 2 == 1 {
        return Some("malformed: a `$` is not closed".to_owned());
    }
    if environments != 0 || sized != 0 {
        return Some("malformed: `\\begin` and `\\end`, or `\\left` and `\\right`, do not match".to_owned());
    }
    if let Some(operator) = open {
        return Some(format!("malformed: nothing follows `{operator}`"));
    }
    command.map(|name| format!("no mathematics that can be read; `\\{name}` may be what is not understood"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flaws_are_named_and_words_have_none() {
        for (text, expected) in [
            (r"\frac{1}{", "brace"),
            (r"\frac{1}{2}}", "brace"),
            (r"\sqrt", r"`\sqrt`"),
            ("(1,2", "brackets"),
            (r"\{1,2", "brackets"),
            ("3+", "`+`"),
            ("x^", "`^`"),
            ("3*/4", "`*`"),
            (r"2\times", "`times`"),
            (r"\begin{pmatrix}1&2", r"`\begin`"),
            ("$3", "`$`"),
            ("3\\", "backslash"),
            (r"\foo{3}", r"`\foo`"),
        ] {
            assert!(flaw(text).is_some_and(|flaw| flaw.contains(expected)), "{text}: {:?}", flaw(text));
        }
        for text in [
            "July 4",
            r"\text{no solution}",
            "3:30 PM",
            "1/2/2020",
            "[1,2)",
            "CO_2",
            "A.",
            "yes",
            "x<=3",
            "2**3",
        ] {
            assert_eq!(flaw(text), None, "{text}");
        }
    }
}
