//! Tokens of latex2sympy2_extended's grammar.

use std::{collections::HashMap, sync::OnceLock};

/// A token of the grammar.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(String),
    /// `1.5E3`.
    Scientific(String),
    Percent(String),
    Letter(char),
    /// A Greek letter or other named symbol.
    Name(&'static str),
    /// Text in a command: already without the command.
    Accent(String),
    /// `dx`.
    Differential(String),
    Function(&'static str),
    /// One of the signs below.
    Sign(&'static str),
    BeginMatrix,
    EndMatrix,
}

/// Commands and signs, longest first where one begins another.
#[rustfmt::skip]
const SIGNS: [(&str, &str); 121] = [
    ("\\{\\}", "∅"), ("\\emptyset", "∅"), ("∅", "∅"),
    ("^{\\circ}", "°"), ("^\\circ", "°"), ("^{\\degree}", "°"), ("^\\degree", "°"), ("^{T}", "T"), ("^T", "T"), ("'", "T"),
    ("\\,", ""), ("\\thinspace", ""), ("\\:", ""), ("\\medspace", ""), ("\\;", ""), ("\\thickspace", ""),
    ("\\quad", ""), ("\\qquad", ""), ("\\!", ""), ("\\negthinspace", ""), ("\\$", ""), ("\\vspace", ""), ("\\phantom", ""),
    ("+", "+"), ("-", "-"), ("−", "-"), ("∸", "-"), ("∔", "+"), ("⊕", "+"),
    ("*", "*"), ("×", "*"), ("⋅", "*"), ("∗", "*"), ("⋆", "*"), ("∘", "*"), ("∙", "*"), ("⊗", "*"),
    ("\\times", "*"), ("\\cdot", "*"), ("/", "/"), ("÷", "/"), ("∕", "/"), ("\\over", "/"), ("\\div", "/"),
    ("\\mod", "mod"), ("\\choose", "choose"), ("(", "("), (")", ")"), ("\\(", "\\("), ("\\)", "\\)"), ("{", "{"), ("}", "}"), ("\\{", "⦃"),
    ("\\}", "⦄"), ("\\lbrace", "⦃"), ("\\rbrace", "⦄"), ("[", "["), ("]", "]"), ("\\lbrack", "["), ("\\rbrack", "]"),
    ("\\boxed", "boxed"), ("|", "|"), ("\\lvert", "l|"), ("\\rvert", "r|"), ("\\vert", "|"), ("\\|", "‖"),
    ("\\lfloor", "⌊"), ("\\rfloor", "⌋"), ("\\lceil", "⌈"), ("\\rceil", "⌉"),
    ("\\frac", "frac"), ("\\dfrac", "frac"), ("\\tfrac", "frac"), ("\\cfrac", "frac"),
    ("\\binom", "binom"), ("\\tbinom", "binom"), ("\\dbinom", "binom"),
    ("&", "&"), ("\\\\", "row"), ("_", "_"), ("^", "^"), (":", ":"), (";", ";"), (",", ","), (".", "."),
    ("==", "="), ("=", "="), ("≡", "≡"), ("\\equiv", "≡"), ("~=", "≈"), ("≈", "≈"), ("≃", "≈"), ("≅", "≈"), ("\\approx", "≈"),
    ("<=", "≤"), ("<", "<"), ("\\lt", "<"), ("\\leqslant", "≤"), ("\\leq", "≤"), ("\\le", "≤"), ("≤", "≤"), (">=", "≥"),
    (">", ">"), ("\\gt", ">"), ("\\geqslant", "≥"), ("\\geq", "≥"), ("\\ge", "≥"), ("≥", "≥"),
    ("!=", "≠"), ("\\neq", "≠"), ("\\ne", "≠"), ("≠", "≠"), ("!", "!"), ("\\in", "∈"), ("\\infty", "∞"),
    ("\\cup", "∪"), ("∪", "∪"), ("\\cap", "∩"), ("∩", "∩"), ("\\setminus", "∖"), ("\\pm", "±"),
];

#[rustfmt::skip]
const MORE_SIGNS: [(&str, &str); 12] = [
    ("±", "±"), ("∓", "±"), ("\\mp", "±"), ("\\mathbb{R}", "ℝ"), ("ℝ", "ℝ"), ("\\mathbb{Z}", "ℤ"), ("ℤ", "ℤ"),
    ("\\mathbb{N}", "ℕ"), ("ℕ", "ℕ"), ("\\mathbb{Q}", "ℚ"), ("\\mathbb{C}", "ℂ"), ("∖", "∖"),
];

const FUNCTIONS: [(&str, &str); 30] = [
    ("\\log", "log"),
    ("\\ln", "ln"),
    ("\\exp", "exp"),
    ("\\sin", "sin"),
    ("\\cos", "cos"),
    ("\\tan", "tan"),
    ("\\csc", "csc"),
    ("\\sec", "sec"),
    ("\\cot", "cot"),
    ("\\arcsin", "arcsin"),
    ("\\arccos", "arccos"),
    ("\\arctan", "arctan"),
    ("\\sinh", "sinh"),
    ("\\cosh", "cosh"),
    ("\\tanh", "tanh"),
    ("\\sqrt", "sqrt"),
    ("\\gcd", "gcd"),
    ("\\lcm", "lcm"),
    ("\\floor", "floor"),
    ("\\ceil", "ceil"),
    ("\\max", "max"),
    ("\\min", "min"),
    ("\\arccsc", "arccsc"),
    ("\\arcsec", "arcsec"),
    ("\\arccot", "arccot"),
    ("\\arcsinh", "arcsinh"),
    ("\\arccosh", "arccosh"),
    ("\\arctanh", "arctanh"),
    ("\\det", "det"),
    ("\\Gamma", "gamma"),
];

#[rustfmt::skip]
const NAMES: [(&str, &str); 72] = [
    ("\\alpha", "alpha"), ("α", "alpha"), ("\\beta", "beta"), ("β", "beta"), ("\\gamma", "gamma"), ("γ", "gamma"),
    ("\\delta", "delta"), ("δ", "delta"), ("\\Delta", "delta"), ("Δ", "delta"), ("\\epsilon", "epsilon"), ("ε", "epsilon"),
    ("\\varepsilon", "varepsilon"), ("\\zeta", "zeta"), ("\\eta", "eta"), ("η", "eta"), ("\\theta", "theta"), ("θ", "theta"),
    ("\\Theta", "theta"), ("\\vartheta", "vartheta"), ("\\iota", "iota"), ("\\kappa", "kappa"), ("\\lambda", "lambda"),
    ("λ", "lambda"), ("\\Lambda", "lambda"), ("\\mu", "mu"), ("μ", "mu"), ("\\nu", "nu"), ("ν", "nu"), ("\\xi", "xi"),
    ("\\pi", "pi"), ("π", "pi"), ("\\Pi", "pi"), ("\\varpi", "varpi"), ("\\rho", "rho"), ("ρ", "rho"), ("\\sigma", "sigma"),
    ("σ", "sigma"), ("\\Sigma", "sigma"), ("\\tau", "tau"), ("τ", "tau"), ("\\phi", "phi"), ("φ", "phi"), ("\\Phi", "phi"),
    ("\\varphi", "varphi"), ("ϕ", "varphi"), ("\\chi", "chi"), ("\\psi", "psi"), ("ψ", "psi"), ("\\Psi", "psi"),
    ("\\omega", "omega"), ("ω", "omega"), ("\\Omega", "omega"), ("Ω", "omega"), ("\\angle", "angle"), ("\\triangle", "triangle"),
    ("\\ell", "ell"), ("\\hbar", "hbar"), ("\\prime", "prime"), ("\\square", "square"), ("\\nabla", "nabla"),
    ("\\varnothing", "varnothing"), ("\\measuredangle", "measuredangle"), ("\\Re", "re"), ("\\Im", "im"), ("\\natural", "natural"),
    ("\\sharp", "sharp"), ("\\flat", "flat"), ("\\bigstar", "bigstar"), ("\\complement", "complement"), ("\\imath", "imath"),
    ("\\upsilon", "upsilon"),
];

/// Words that the original's lexer takes for names of functions wherever they stand, so that nothing with them is read.
const WORDS: [&str; 33] = [
    "arsinh",
    "arcsinh",
    "arcosh",
    "arccosh",
    "artanh",
    "arctanh",
    "gcd",
    "lcm",
    "floor",
    "ceil",
    "eye",
    "zeros",
    "ones",
    "cols",
    "rows",
    "diag",
    "norm",
    "rank",
    "trace",
    "tr",
    "rref",
    "hstack",
    "vstack",
    "orth",
    "nullspace",
    "eig",
    "diagonalize",
    "svd",
    "SVD",
    "matrix",
    "pmatrix",
    "bmatrix",
    "vmatrix",
];

const ACCENTS: [&str; 22] = [
    "acute",
    "bar",
    "overline",
    "breve",
    "check",
    "dot",
    "ddot",
    "grave",
    "hat",
    "tilde",
    "widetilde",
    "vec",
    "overrightarrow",
    "bm",
    "boldsymbol",
    "textnormal",
    "textit",
    "textbf",
    "text",
    "mathcal",
    "mathbf",
    "mbox",
];

pub(super) fn lex(text: &str) -> Option<Vec<Token>> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if out.len() > 600 {
            return None;
        }
        if matches!(c, ' ' | '\t' | '\r' | '\n') {
            rest = &rest[1..];
            continue;
        }
        if c.is_ascii_digit() || (c == '.' && rest[1..].starts_with(|d: char| d.is_ascii_digit())) {
            rest = numeral(rest, &mut out);
            continue;
        }
        if let Some(after) = matrix_mark(rest, &mut out) {
            rest = after;
            continue;
        }
        if c == '\\'
            && let Some(after) = accent(rest, &mut out)
        {
            rest = after;
            continue;
        }
        if c.is_ascii_alphabetic() {
            rest = letters(rest, &mut out)?;
            continue;
        }
        let (known, token) = longest(rest)?;
        rest = &rest[known.len()..];
        if *token != Token::Sign("") {
            out.push(token.clone());
        }
    }
    Some(out)
}

/// The longest command or sign that `text` begins with.
fn longest(text: &str) -> Option<&'static (&'static str, Token)> {
    type Known = HashMap<(char, Option<char>), Vec<(&'static str, Token)>>;
    static KNOWN: OnceLock<Known> = OnceLock::new();
    // By the character, of a command by the one after the backslash.
    let key = |text: &str| {
        let mut characters = text.chars();
        let first = characters.next()?;
        Some((first, if first == '\\' { characters.next() } else { None }))
    };
    let known = KNOWN.get_or_init(|| {
        let signs = SIGNS.iter().chain(&MORE_SIGNS).map(|(text, sign)| (*text, Token::Sign(sign)));
        let functions = FUNCTIONS.iter().map(|(text, name)| (*text, Token::Function(name)));
        let names = NAMES.iter().map(|(text, name)| (*text, Token::Name(name)));
        let mut known = Known::new();
        for (text, token) in signs.chain(functions).chain(names) {
            known.entry(key(text).expect("none is empty")).or_default().push((text, token));
        }
        known
    });
    let candidates = known.get(&key(text)?)?.iter().filter(|(known, _)| text.starts_with(known));
    candidates.reduce(|best, next| if next.0.len() > best.0.len() { next } else { best })
}

fn numeral<'t>(text: &'t str, out: &mut Vec<Token>) -> &'t str {
    let digits = |t: &str| t.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(text);
    let mut end = whole;
    if text[whole..].starts_with('.') {
        let n = digits(&text[whole + 1..]);
        if n > 0 {
            end = whole + 1 + n;
        }
    }
    let (number, rest) = text.split_at(end);
    if let Some(after) = rest.strip_prefix('E') {
        let unsigned = after.strip_prefix(['-', '+', '−']).unwrap_or(after);
        let n = digits(unsigned);
        if n > 0 {
            let used = text.len() - unsigned.len() + n;
            out.push(Token::Scientific(text[..used].replace('−', "-")));
            return &text[used..];
        }
    }
    let spaced = rest.strip_prefix([' ', '\t', '\n']).unwrap_or(rest);
    if let Some(after) = spaced.strip_prefix("\\%").or_else(|| spaced.strip_prefix('%')) {
        out.push(Token::Percent(number.to_owned()));
        return after;
    }
    out.push(Token::Number(number.to_owned()));
    rest
}

fn matrix_mark<'t>(text: &'t str, out: &mut Vec<Token>) -> Option<&'t str> {
    for kind in ["matrix", "pmatrix", "bmatrix"] {
        if let Some(rest) =
            text.strip_prefix("\\begin{").and_then(|t| t.strip_prefix(kind)).and_then(|t| t.strip_prefix('}'))
        {
            out.push(Token::BeginMatrix);
            return Some(rest);
        }
        if let Some(rest) =
            text.strip_prefix("\\end{").and_then(|t| t.strip_prefix(kind)).and_then(|t| t.strip_prefix('}'))
        {
            out.push(Token::EndMatrix);
            return Some(rest);
        }
    }
    // An array says how its columns are set.
    if let Some(columns) = text.strip_prefix("\\begin{array}{") {
        let rest = columns.trim_start_matches(['c', 'l', 'r']).strip_prefix('}')?;
        out.push(Token::BeginMatrix);
        return Some(rest);
    }
    let rest = text.strip_prefix("\\end{array}")?;
    out.push(Token::EndMatrix);
    Some(rest)
}

fn accent<'t>(text: &'t str, out: &mut Vec<Token>) -> Option<&'t str> {
    let name = ACCENTS.iter().find(|name| {
        text[1..]
            .strip_prefix(**name)
            .is_some_and(|t| t.strip_prefix([' ', '\t', '\n']).unwrap_or(t).starts_with('{'))
    })?;
    let inside = text[1 + name.len()..].trim_start().strip_prefix('{')?;
    let end = inside.find('}')?;
    let content: String = inside[..end].chars().filter(|c| *c != ' ').collect();
    out.push(Token::Accent(if name.contains("text") || *name == "mbox" {
        content.replace(['(', ')', '\\'], "")
    } else {
        format!("{name}{{{content}}}")
    }));
    Some(&inside[end + 1..])
}

fn letters<'t>(text: &'t str, out: &mut Vec<Token>) -> Option<&'t str> {
    if let Some(word) = WORDS.iter().filter(|w| text.starts_with(**w)).max_by_key(|w| w.len()) {
        // Two letters of a differential are shorter than every such word but `tr`, which is as long and comes first.
        debug_assert!(word.len() >= 2);
        return None;
    }
    let c = text.chars().next()?;
    let rest = &text[1..];
    if c == 'd' {
        let after = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        if let Some(letter) = after.chars().next().filter(char::is_ascii_alphabetic) {
            out.push(Token::Differential(format!("d{}", letter.to_ascii_lowercase())));
            return Some(&after[1..]);
        }
        if let Some(command) =
            after.strip_prefix('\\').filter(|t| t.starts_with(|c: char| c.is_ascii_alphabetic()))
        {
            let end = command.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(command.len());
            out.push(Token::Differential(format!("d{}", command[..end].to_lowercase())));
            return Some(&command[end..]);
        }
    }
    out.push(Token::Letter(c));
    Some(rest)
}
