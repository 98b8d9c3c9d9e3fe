//! Text to [`Expr`]: LaTeX and plain notation in one grammar.
//!
//! What has two common meanings is not read: `1/2x`, `4 2`, `a/b/c` of words. Words are not read either: they are text. Units
//! and currencies are taken off before ([`super::super::number`]).

use dashu_ratio::RBig;

use super::{
    Expr, Relation,
    form::{decimal, power},
};

/// Longest text that is read, in bytes; longer ones are compared as text.
const MAX_TEXT: usize = 4096;
const MAX_TOKENS: usize = 800;
const MAX_DEPTH: usize = 32;
/// Longest number that is read, in digits.
const MAX_DIGITS: usize = 1000;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// Value, whether a point or a power of ten stands in it, and its digits.
    Number(RBig, bool, Box<str>),
    Symbol(Box<str>),
    Function(&'static str),
    Command(&'static str),
    /// An operator or bracket; `⦃` and `⦄` are `\{` and `\}`.
    Sign(char),
    Begin,
    End,
    NextRow,
}

struct Lexed {
    tokens: Vec<Token>,
    /// Whether white space stands before each.
    spaced: Vec<bool>,
}

const FUNCTIONS: [&str; 30] = [
    "arcsin", "arccos", "arctan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "sin", "cos", "tan", "cot",
    "sec", "csc", "log", "ln", "exp", "abs", "floor", "ceil", "max", "min", "gcd", "lcm", "sqrt", "cbrt",
    "arg", "det", "lg",
];

/// Commands that say nothing.
const SILENT: [&str; 28] = [
    "left",
    "right",
    "displaystyle",
    "textstyle",
    "limits",
    "bigl",
    "bigr",
    "big",
    "Big",
    "Bigl",
    "Bigr",
    "angle",
    "mathit",
    "mathbf",
    "boldsymbol",
    "triangle",
    "bf",
    "it",
    "sf",
    "tt",
    "scriptstyle",
    "large",
    "Large",
    "mathstrut",
    "nolimits",
    "biggl",
    "biggr",
    "bigg",
];

const SIGNS: [(&str, char); 44] = [
    ("cdot", '*'),
    ("times", '*'),
    ("ast", '*'),
    ("div", '÷'),
    ("le", '≤'),
    ("leq", '≤'),
    ("leqslant", '≤'),
    ("ge", '≥'),
    ("geq", '≥'),
    ("geqslant", '≥'),
    ("lt", '<'),
    ("gt", '>'),
    ("ne", '≠'),
    ("neq", '≠'),
    ("pm", '±'),
    ("mp", '±'),
    ("cup", '∪'),
    ("cap", '∩'),
    ("setminus", '∖'),
    ("infty", '∞'),
    ("inf", '∞'),
    ("pi", 'π'),
    ("emptyset", '∅'),
    ("varnothing", '∅'),
    ("circ", '°'),
    ("degree", '°'),
    ("langle", '('),
    ("rangle", ')'),
    ("lbrace", '⦃'),
    ("rbrace", '⦄'),
    ("lbrack", '['),
    ("rbrack", ']'),
    ("lvert", '|'),
    ("rvert", '|'),
    ("vert", '|'),
    ("mid", '|'),
    ("lfloor", '⌊'),
    ("rfloor", '⌋'),
    ("lceil", '⌈'),
    ("rceil", '⌉'),
    ("in", '∈'),
    ("colon", ':'),
    ("over", '/'),
    ("choose", '∷'),
];

pub(super) const GREEK: [(&str, char); 26] = [
    ("alpha", 'α'),
    ("beta", 'β'),
    ("gamma", 'γ'),
    ("delta", 'δ'),
    ("Delta", 'Δ'),
    ("epsilon", 'ε'),
    ("varepsilon", 'ε'),
    ("zeta", 'ζ'),
    ("eta", 'η'),
    ("theta", 'θ'),
    ("Theta", 'Θ'),
    ("iota", 'ι'),
    ("kappa", 'κ'),
    ("lambda", 'λ'),
    ("mu", 'μ'),
    ("nu", 'ν'),
    ("xi", 'ξ'),
    ("rho", 'ρ'),
    ("sigma", 'σ'),
    ("tau", 'τ'),
    ("phi", 'φ'),
    ("varphi", 'φ'),
    ("chi", 'χ'),
    ("psi", 'ψ'),
    ("omega", 'ω'),
    ("Omega", 'Ω'),
];

/// The expression that `text` is; `None` where it is none, or has two meanings.
pub(crate) fn read(text: &str) -> Option<Expr> {
    if text.len() > MAX_TEXT || text.trim().is_empty() {
        return None;
    }
    let room = text.len().min(64);
    let mut lexed = Lexed { tokens: Vec::with_capacity(room), spaced: Vec::with_capacity(room) };
    lexed.lex(text, 0)?;
    let mut reader = Reader { lexed, at: 0, depth: 0, angles: 0 };
    let expr = reader.list()?;
    (reader.at == reader.lexed.tokens.len()).then_some(expr)
}

impl Lexed {
    fn push(&mut self, token: Token, spaced: bool) -> Option<()> {
        self.tokens.push(token);
        self.spaced.push(spaced);
        (self.tokens.len() <= MAX_TOKENS).then_some(())
    }

    fn lex(&mut self, text: &str, nested: usize) -> Option<()> {
        if nested > 4 {
            return None;
        }
        let mut rest = text;
        let mut spaced = false;
        // Inside brackets a comma never groups digits.
        let mut brackets = 0_i32;
        while let Some(c) = rest.chars().next() {
            if c.is_whitespace() || c == '~' {
                spaced = true;
                rest = &rest[c.len_utf8()..];
                continue;
            }
            if c.is_ascii_digit() || (c == '.' && rest[1..].starts_with(|d: char| d.is_ascii_digit())) {
                rest = self.number(rest, brackets == 0, spaced)?;
            } else if c == '\\' {
                rest = self.command(&rest[1..], &mut spaced, &mut brackets, nested)?;
                continue;
            } else if c.is_ascii_alphabetic() {
                rest = self.letters(rest, spaced)?;
            } else {
                rest = &rest[c.len_utf8()..];
                match c {
                    '(' | '[' => brackets += 1,
                    ')' | ']' => brackets -= 1,
                    _ => (),
                }
                self.sign(c, &mut rest, spaced)?;
            }
            spaced = false;
        }
        Some(())
    }

    fn sign(&mut self, c: char, rest: &mut &str, spaced: bool) -> Option<()> {
        let follows = |rest: &mut &str, what: &str| match rest.strip_prefix(what) {
            Some(after) => {
                *rest = after;
                true
            }
            None => false,
        };
        let sign = match c {
            '−' | '–' | '‐' => '-',
            '×' | '·' | '⋅' | '∙' => '*',
            '<' if follows(rest, "=") => '≤',
            '>' if follows(rest, "=") => '≥',
            '!' if follows(rest, "=") => '≠',
            '*' if follows(rest, "*") => '^',
            '²' | '³' => {
                self.push(Token::Sign('^'), spaced)?;
                let value = if c == '²' { 2 } else { 3 };
                return self.push(Token::Number(RBig::from(value), false, value.to_string().into()), false);
            }
            '½' | '¼' | '¾' | '⅓' | '⅔' => {
                let (above, below) = match c {
                    '½' => (1, 2),
                    '¼' => (1, 4),
                    '¾' => (3, 4),
                    '⅓' => (1, 3),
                    _ => (2, 3),
                };
                self.push(Token::Command("frac"), spaced)?;
                for value in [above, below] {
                    self.push(Token::Number(RBig::from(value), false, value.to_string().into()), false)?;
                }
                return Some(());
            }
            '√' => return self.push(Token::Function("sqrt"), spaced),
            'ℝ' | 'ℤ' | 'ℕ' | 'ℚ' | 'ℂ' | '+' | '-' | '*' | '/' | '÷' | '^' | '_' | ',' | ';' | ':' | '='
            | '<' | '>' | '≤' | '≥' | '≠' | '|' | '!' | '(' | ')' | '[' | ']' | '{' | '}' | '%' | '°'
            | '±' | '∪' | '∩' | '∖' | '&' | '∞' | 'π' | '∅' | '∈' => c,
            'α'..='ω' | 'Γ' | 'Δ' | 'Θ' | 'Λ' | 'Σ' | 'Φ' | 'Ψ' | 'Ω' => {
                return self.push(Token::Symbol(c.to_string().into()), spaced);
            }
            _ => return None,
        };
        self.push(Token::Sign(sign), spaced)
    }

    fn number<'t>(&mut self, text: &'t str, grouped: bool, spaced: bool) -> Option<&'t str> {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let first = digits(text);
        let mut whole = text[..first].to_owned();
        let mut rest = &text[first..];
        if (1..=3).contains(&first) && !text.starts_with('0') {
            let separators: &[&str] = if grouped {
                &[",\\!", ",", "{,}", "\\!,\\!", "{,}\\!", "\\,", "\u{2009}", "\u{202f}"]
            } else {
                &["{,}", "\\!,\\!", "\\,"]
            };
            // Groups of exactly three, all of them or none.
            let group = |rest: &str| {
                separators.iter().find_map(|s| rest.strip_prefix(s).filter(|r| digits(r) == 3)).map(str::len)
            };
            while let Some(left) = group(rest) {
                let start = rest.len() - left;
                whole.push_str(&rest[start..start + 3]);
                rest = &rest[start + 3..];
            }
        }
        let mut exponent = 0_i64;
        let mut point = false;
        if let Some(after) = rest.strip_prefix('.') {
            let n = digits(after);
            if n > 0 {
                whole.push_str(&after[..n]);
                exponent = -(n as i64);
                rest = &after[n..];
                if let Some((period, after)) = repeated(rest) {
                    return self.repeating(&whole, n, period, spaced).map(|()| after);
                }
            } else if after.starts_with(|c: char| c.is_alphanumeric()) {
                return None;
            } else if let Some((period, after)) = repeated(after) {
                return self.repeating(&whole, 0, period, spaced).map(|()| after);
            } else {
                rest = after;
            }
            point = true;
        }
        if let Some(after) = rest.strip_prefix(['e', 'E']) {
            let unsigned = after.strip_prefix(['+', '-']).unwrap_or(after);
            let n = digits(unsigned);
            if (1..=4).contains(&n) && !unsigned[n..].starts_with(|c: char| c.is_ascii_alphanumeric()) {
                let value: i64 = unsigned[..n].parse().ok()?;
                exponent += if after.starts_with('-') { -value } else { value };
                rest = &unsigned[n..];
                point = true;
            }
        }
        if whole.len() > MAX_DIGITS {
            return None;
        }
        let value = decimal(whole.trim_start_matches('0'), exponent)?;
        self.push(Token::Number(value, point, whole.into()), spaced)?;
        Some(rest)
    }

    /// A decimal whose `period` repeats after `decimals` digits behind the point, exactly.
    fn repeating(&mut self, digits: &str, decimals: usize, period: &str, spaced: bool) -> Option<()> {
        if digits.len() + period.len() > MAX_DIGITS {
            return None;
        }
        let value = |digits: &str| decimal(digits.trim_start_matches('0'), 0);
        let ten = |n: usize| decimal("1", n as i64);
        // 0.1\overline{6} is (16 - 1) / (10 · 9).
        let apart = value(&format!("{digits}{period}"))? - value(digits)?;
        let below = ten(decimals)? * (ten(period.len())? - RBig::ONE);
        // Exact, so no rounded decimal; the digits only matter where an index is read.
        self.push(Token::Number(apart / below, false, digits.into()), spaced)
    }

    fn letters<'t>(&mut self, text: &'t str, spaced: bool) -> Option<&'t str> {
        let end = text.bytes().position(|b| !b.is_ascii_alphabetic()).unwrap_or(text.len());
        let (run, rest) = text.split_at(end);
        self.run(run, spaced)?;
        Some(rest)
    }

    /// Letters side by side, as what they are together.
    fn run(&mut self, run: &str, spaced: bool) -> Option<()> {
        let sign = match run {
            "pi" | "Pi" => Some('π'),
            "inf" | "infinity" | "Infinity" | "oo" => Some('∞'),
            "and" => Some('∧'),
            "or" => Some('∨'),
            "U" if spaced => Some('∪'),
            _ => None,
        };
        if let Some(sign) = sign {
            self.push(Token::Sign(sign), spaced)?;
            return Some(());
        }
        if let Some(name) = FUNCTIONS.iter().find(|name| **name == run) {
            self.push(Token::Function(name), spaced)?;
            return Some(());
        }
        let upper = run.len() > 1 && run.bytes().all(|b| b.is_ascii_uppercase());
        if run.len() == 1 || upper {
            self.push(Token::Symbol(run.into()), spaced)?;
            return Some(());
        }
        // Three letters and more are a word, unless all are usual names of variables.
        // So are up to four without a vowel.
        let lower = run.bytes().all(|b| b.is_ascii_lowercase());
        if lower && (run.len() == 2 || run.len() <= 4 && !run.contains(['a', 'e', 'i', 'o', 'u', 'y']))
            || run.bytes().all(|b| b"abcxyz".contains(&b))
        {
            for (i, letter) in run.char_indices() {
                self.push(Token::Symbol(letter.to_string().into()), spaced && i == 0)?;
            }
            return Some(());
        }
        if let Some(coefficient) = run.strip_suffix("pi").filter(|c| c.len() == 1) {
            self.push(Token::Symbol(coefficient.into()), spaced)?;
            self.push(Token::Sign('π'), false)?;
            return Some(());
        }
        None
    }

    /// A command and its argument where that is text.
    fn command<'t>(
        &mut self,
        text: &'t str,
        spaced: &mut bool,
        brackets: &mut i32,
        nested: usize,
    ) -> Option<&'t str> {
        let c = text.chars().next()?;
        if !c.is_ascii_alphabetic() {
            let rest = &text[c.len_utf8()..];
            match c {
                ',' | ';' | ':' | ' ' | '!' => {
                    *spaced = c != '!' || *spaced;
                    return Some(rest);
                }
                '{' => {
                    *brackets += 1;
                    self.push(Token::Sign('⦃'), *spaced)?;
                }
                '}' => {
                    *brackets -= 1;
                    self.push(Token::Sign('⦄'), *spaced)?;
                }
                '%' => self.push(Token::Sign('%'), *spaced)?,
                '|' => self.push(Token::Sign('|'), *spaced)?,
                '\\' => {
                    self.push(Token::NextRow, *spaced)?;
                    *spaced = false;
                    return Some(without_spacing(rest));
                }
                _ => return None,
            }
            *spaced = false;
            return Some(rest);
        }
        let end = text.bytes().position(|b| !b.is_ascii_alphabetic()).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let before = std::mem::replace(spaced, false);
        if SILENT.contains(&name) {
            *spaced = before;
            return Some(rest);
        }
        if matches!(name, "quad" | "qquad" | "thinspace") {
            *spaced = true;
            return Some(rest);
        }
        if let Some((_, sign)) = SIGNS.iter().find(|(known, _)| *known == name) {
            self.push(Token::Sign(*sign), before)?;
            return Some(rest);
        }
        if let Some((_, letter)) = GREEK.iter().find(|(known, _)| *known == name) {
            self.push(Token::Symbol(letter.to_string().into()), before)?;
            return Some(rest);
        }
        if let Some(known) = FUNCTIONS.iter().find(|known| **known == name) {
            self.push(Token::Function(known), before)?;
            return Some(rest);
        }
        match name {
            "not" => {
                let rest = rest.trim_start().strip_prefix('=')?;
                self.push(Token::Sign('≠'), before)?;
                return Some(rest);
            }
            "frac" | "dfrac" | "tfrac" | "cfrac" | "nicefrac" | "sfrac" => {
                self.push(Token::Command("frac"), before)?;
            }
            // A colour, and what takes room but is not seen.
            "color" | "textcolor" | "phantom" | "hphantom" | "vphantom" => return Some(braced(rest)?.1),
            "rm" if !rest.starts_with('{') => return Some(rest),
            // A name with a mark: a line, a vector. Over digits a bar repeats them, which was read with the number.
            "overline" | "bar" | "vec" | "overrightarrow" | "hat" | "widehat" => {
                let (inside, rest) = braced(rest).or_else(|| letter(rest))?;
                let letters = !inside.is_empty() && inside.bytes().all(|b| b.is_ascii_alphabetic());
                let mark = match name {
                    "overrightarrow" => "vec",
                    "widehat" => "hat",
                    "bar" => "overline",
                    name => name,
                };
                self.push(letters.then(|| Token::Symbol(format!("{mark} {inside}").into()))?, before)?;
                return Some(rest);
            }
            "binom" | "dbinom" | "tbinom" => self.push(Token::Command("binom"), before)?,
            "text" | "mathrm" | "textbf" | "mbox" | "operatorname" | "textit" | "rm" | "textrm"
            | "mathsf" => {
                let (inside, rest) = braced(rest)?;
                let inside = inside.trim();
                if inside == "and" || inside == "or" {
                    self.push(Token::Sign(if inside == "and" { '∧' } else { '∨' }), before)?;
                } else if inside != "." {
                    self.lex(inside, nested + 1)?;
                }
                return Some(rest);
            }
            "mathbb" => {
                let (inside, rest) = braced(rest).or_else(|| letter(rest))?;
                let set = match inside {
                    "R" => 'ℝ',
                    "Z" => 'ℤ',
                    "N" => 'ℕ',
                    "Q" => 'ℚ',
                    "C" => 'ℂ',
                    _ => return None,
                };
                self.push(Token::Sign(set), before)?;
                return Some(rest);
            }
            "begin" | "end" => {
                let (inside, rest) = braced(rest)?;
                if !matches!(inside, "pmatrix" | "bmatrix" | "matrix" | "Bmatrix" | "smallmatrix" | "array") {
                    return None;
                }
                *brackets += if name == "begin" { 1 } else { -1 };
                self.push(if name == "begin" { Token::Begin } else { Token::End }, before)?;
                // An array says how its columns are set.
                let columns = inside == "array" && name == "begin";
                return Some(if columns { braced(rest)?.1 } else { rest });
            }
            _ => return None,
        }
        Some(rest)
    }
}

/// Digits under a bar, and what follows them.
fn repeated(text: &str) -> Option<(&str, &str)> {
    let command = text.strip_prefix("\\overline").or_else(|| text.strip_prefix("\\bar"))?;
    let (digits, rest) = braced(command)?;
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then_some((digits, rest))
}

/// What follows the spacing that a line break may have: `\\[4pt]`.
fn without_spacing(text: &str) -> &str {
    let spacing = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    match spacing {
        Some((length, rest)) if ["pt", "em", "ex", "mm", "cm"].iter().any(|unit| length.ends_with(unit)) => {
            rest
        }
        _ => text,
    }
}

/// The letter that a command without braces takes: `\vec a`.
fn letter(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix(' ')?.trim_start();
    text.starts_with(|c: char| c.is_ascii_alphabetic()).then(|| text.split_at(1))
}

/// What stands in the braces that follow, and what follows these.
fn braced(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start().strip_prefix('{')?;
    let end = text.find(['{', '}'])?;
    text[end..].starts_with('}').then(|| (&text[..end], &text[end + 1..]))
}

struct Reader {
    lexed: Lexed,
    at: usize,
    depth: usize,
    /// Trigonometric functions whose argument is being read.
    angles: usize,
}

impl Reader {
    fn peek(&self) -> Option<&Token> {
        self.lexed.tokens.get(self.at)
    }

    fn sign(&self) -> Option<char> {
        match self.peek() {
            Some(Token::Sign(c)) => Some(*c),
            _ => None,
        }
    }

    fn eat(&mut self, sign: char) -> bool {
        let found = self.sign() == Some(sign);
        self.at += usize::from(found);
        found
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.depth == MAX_DEPTH {
            return None;
        }
        self.depth += 1;
        let out = read(self);
        self.depth -= 1;
        out
    }

    /// One value, or several side by side.
    fn list(&mut self) -> Option<Expr> {
        let first = self.relation()?;
        let mut all = vec![first];
        let (mut joined, mut alike) = (None, true);
        while let Some(mut separator @ (',' | ';' | '∧' | '∨')) = self.sign() {
            self.at += 1;
            // "1, 2, and 3"
            if let Some(word @ (',' | '∧' | '∨')) = self.sign() {
                separator = word;
                self.at += 1;
            }
            alike &= *joined.get_or_insert(separator) == separator;
            all.push(self.relation()?);
        }
        if all.len() == 1 {
            return all.pop();
        }
        let inequality =
            |e: &Expr| matches!(e, Expr::Relation(_, signs) if !signs.contains(&Relation::Equal));
        let operation = match joined {
            Some('∨') => '∪',
            Some('∧') => '∩',
            _ => return Some(Expr::List(all)),
        };
        Some(if alike && all.iter().all(inequality) {
            Expr::Conditions(operation, all)
        } else {
            Expr::List(all)
        })
    }

    /// A number with nothing beside it, which the members of most lists are: without the way through all operators.
    fn lone_number(&mut self) -> Option<Expr> {
        let ends = match self.lexed.tokens.get(self.at + 1) {
            None | Some(Token::NextRow | Token::End) => true,
            Some(Token::Sign(sign)) => matches!(sign, ',' | ';' | ')' | ']' | '}' | '⦄' | '&'),
            Some(_) => false,
        };
        let token =
            self.lexed.tokens.get_mut(self.at).filter(|token| ends && matches!(token, Token::Number(..)))?;
        let Token::Number(value, point, _) = std::mem::replace(token, Token::End) else { return None };
        self.at += 1;
        Some(if point { Expr::Decimal(value) } else { Expr::Number(value) })
    }

    fn relation(&mut self) -> Option<Expr> {
        if let Some(number) = self.lone_number() {
            return Some(number);
        }
        self.deeper(|this| {
            let mut sides = vec![this.union()?];
            let mut signs = Vec::new();
            while let Some(sign) = this.sign() {
                signs.push(match sign {
                    '=' | '∈' => Relation::Equal,
                    '≠' => Relation::Unequal,
                    '<' => Relation::Less,
                    '≤' => Relation::LessEqual,
                    '>' => Relation::Greater,
                    '≥' => Relation::GreaterEqual,
                    _ => break,
                });
                this.at += 1;
                let side = this.union()?;
                // A number has no members.
                let set = !matches!(
                    side,
                    Expr::Number(_) | Expr::Decimal(_) | Expr::Negative(_) | Expr::Quotient(..)
                );
                sides.push((sign != '∈' || set).then_some(side)?);
            }
            Some(if signs.is_empty() {
                named_point(sides.pop().expect("one"))
            } else {
                Expr::Relation(sides, signs)
            })
        })
    }

    fn union(&mut self) -> Option<Expr> {
        let mut left = self.ratio()?;
        while let Some(sign @ ('∪' | '∩' | '∖')) = self.sign() {
            self.at += 1;
            left = Expr::SetOperation(sign, left.into(), self.ratio()?.into());
        }
        Some(left)
    }

    fn ratio(&mut self) -> Option<Expr> {
        let first = self.sum()?;
        if self.sign() != Some(':') {
            return Some(first);
        }
        let mut all = vec![first];
        while self.eat(':') {
            all.push(self.sum()?);
        }
        Some(Expr::Ratio(all))
    }

    fn sum(&mut self) -> Option<Expr> {
        let mut terms = Vec::new();
        let mut sign = self.sign().filter(|c| matches!(c, '+' | '-' | '±'));
        self.at += usize::from(sign.is_some());
        loop {
            let term = self.term()?;
            match sign {
                Some('-') => terms.push(Expr::Negative(term.into())),
                Some('±') => {
                    let before = match terms.len() {
                        0 => None,
                        1 => terms.pop().map(Box::new),
                        _ => Some(Expr::Sum(std::mem::take(&mut terms)).into()),
                    };
                    // Nothing follows two values.
                    return Some(Expr::PlusMinus(before, term.into()));
                }
                _ => terms.push(term),
            }
            sign = self.sign().filter(|c| matches!(c, '+' | '-' | '±'));
            if sign.is_none() {
                break;
            }
            self.at += 1;
        }
        Some(if terms.len() == 1 { terms.pop().expect("one") } else { Expr::Sum(terms) })
    }

    /// Whether a factor can begin here.
    fn begins(&self) -> bool {
        match self.peek() {
            // It closes `]0,1[` where nothing follows that it could hold.
            Some(Token::Sign('[')) => match self.lexed.tokens.get(self.at + 1) {
                None => false,
                Some(Token::Sign(next)) => !",;∧∨)]}⦄∪∩∖=<>≤≥≠".contains(*next),
                Some(_) => true,
            },
            Some(Token::Sign(c)) => {
                matches!(c, '(' | '{' | '⦃' | 'π' | '∞' | '⌊' | '⌈' | '∅' | 'ℝ' | 'ℤ' | 'ℕ' | 'ℚ' | 'ℂ')
            }
            Some(
                Token::Number(..) | Token::Symbol(_) | Token::Function(_) | Token::Command(_) | Token::Begin,
            ) => true,
            _ => false,
        }
    }

    fn term(&mut self) -> Option<Expr> {
        let mut factors = vec![self.factor()?];
        loop {
            if self.eat('*') {
                factors.push(self.signed_factor()?);
            } else if self.eat('/') || self.eat('÷') {
                let below = self.signed_factor()?;
                // `1/2x` is 1/(2x) to some and x/2 to others, `1/2 x` half of x to most.
                if self.begins() {
                    let number =
                        |e: &Expr| matches!(e, Expr::Number(_) | Expr::Root(..) | Expr::Function("sqrt", _));
                    let apart = self.lexed.spaced[self.at] && number(&below) && factors.iter().all(number);
                    if !apart || matches!(self.peek(), Some(Token::Number(..))) {
                        return None;
                    }
                }
                let above = if factors.len() == 1 {
                    factors.pop()?
                } else {
                    Expr::Product(std::mem::take(&mut factors))
                };
                factors = vec![Expr::Quotient(above.into(), below.into())];
            } else if self.begins() {
                let left_number = matches!(factors.last(), Some(Expr::Number(_) | Expr::Decimal(_)));
                if left_number && matches!(self.peek(), Some(Token::Number(..))) {
                    let mixed = self.mixed_tail(factors.last())?;
                    *factors.last_mut()? = mixed;
                    continue;
                }
                if matches!(self.peek(), Some(Token::Number(..)))
                    && !matches!(factors.last(), Some(Expr::Mixed(_)))
                {
                    // `x2` and `π3` are no products that people write.
                    return None;
                }
                let whole = match factors.as_slice() {
                    [Expr::Number(n)] if n.is_int() => Some(n.clone()),
                    _ => None,
                };
                let fraction = matches!(self.peek(), Some(Token::Command("frac")));
                let next = self.factor()?;
                match (whole, &next) {
                    (Some(n), Expr::Quotient(a, b)) if fraction => match (&**a, &**b) {
                        (Expr::Number(above), Expr::Number(below))
                            if above < below && *above > RBig::ZERO =>
                        {
                            factors = vec![Expr::Mixed(n + above / below)];
                        }
                        _ => factors.push(next),
                    },
                    _ => factors.push(next),
                }
            } else {
                break;
            }
        }
        Some(if factors.len() == 1 { factors.pop().expect("one") } else { Expr::Product(factors) })
    }

    /// ` 1/2` after a whole number.
    fn mixed_tail(&mut self, whole: Option<&Expr>) -> Option<Expr> {
        let Some(Expr::Number(whole)) = whole else { return None };
        let whole = whole.clone();
        if !self.lexed.spaced[self.at] {
            return None;
        }
        let Some(Token::Number(above, false, _)) = self.peek().cloned() else { return None };
        self.at += 1;
        if !self.eat('/') {
            return None;
        }
        let Some(Token::Number(below, false, _)) = self.peek().cloned() else { return None };
        self.at += 1;
        if !(above < below && above > RBig::ZERO && whole.is_int()) {
            return None;
        }
        Some(Expr::Mixed(whole + above / below))
    }

    fn signed_factor(&mut self) -> Option<Expr> {
        if self.eat('-') {
            return Some(Expr::Negative(self.factor()?.into()));
        }
        self.factor()
    }

    fn factor(&mut self) -> Option<Expr> {
        self.deeper(|this| {
            let base = this.primary()?;
            let mut base = this.postfix(base)?;
            if this.eat('^') {
                let exponent = this.exponent()?;
                let Some(exponent) = exponent else { return Some(this.in_degrees(base)) };
                base = Expr::Power(base.into(), exponent.into());
                base = this.postfix(base)?;
            }
            Some(base)
        })
    }

    fn postfix(&mut self, mut base: Expr) -> Option<Expr> {
        // What is within each other costs, in brackets or not.
        let mut layers = self.depth;
        loop {
            layers += 1;
            if layers > MAX_DEPTH {
                return None;
            }
            if self.eat('!') {
                base = Expr::Function("factorial", vec![base]);
            } else if self.eat('%') {
                base = Expr::Percent(base.into());
            } else if self.eat('°') {
                base = self.in_degrees(base);
            } else {
                return Some(base);
            }
        }
    }

    /// A number of degrees: of a function the angle, everywhere else a number with a unit.
    fn in_degrees(&self, number: Expr) -> Expr {
        if self.angles == 0 {
            return number;
        }
        Expr::Product(vec![number, Expr::Quotient(Expr::Pi.into(), Expr::int(180).into())])
    }

    /// `None` inside where the exponent is a degree sign.
    #[expect(clippy::option_option, reason = "a degree sign and an unreadable exponent are different")]
    fn exponent(&mut self) -> Option<Option<Expr>> {
        if self.eat('°') {
            return Some(None);
        }
        if self.eat('{') {
            if self.eat('°') {
                return self.eat('}').then_some(None);
            }
            let inside = self.sum()?;
            return self.eat('}').then_some(Some(inside));
        }
        if self.eat('-') {
            return Some(Some(Expr::Negative(self.factor()?.into())));
        }
        // LaTeX takes one digit: `2^10` is meant as 2^{10} all the same.
        self.factor().map(Some)
    }

    fn argument(&mut self) -> Option<Expr> {
        if self.eat('{') {
            let inside = self.sum()?;
            return self.eat('}').then_some(inside);
        }
        // One digit, as in \frac12.
        if let Some(Token::Number(_, false, digits)) = self.peek() {
            let digits = digits.clone();
            let (first, rest) = digits.split_at(1);
            let digit = Expr::int(first.parse().ok()?);
            if rest.is_empty() {
                self.at += 1;
            } else {
                let value = decimal(rest.trim_start_matches('0'), 0)?;
                self.lexed.tokens[self.at] = Token::Number(value, false, rest.into());
            }
            return Some(digit);
        }
        match self.peek() {
            Some(Token::Symbol(_) | Token::Sign('π') | Token::Command(_) | Token::Function(_)) => {
                self.primary()
            }
            _ => None,
        }
    }

    fn primary(&mut self) -> Option<Expr> {
        // Nothing is read twice.
        let token = std::mem::replace(self.lexed.tokens.get_mut(self.at)?, Token::End);
        self.at += 1;
        Some(match token {
            Token::Number(value, point, digits) => {
                if self.eat('_') {
                    let base = match self.argument()? {
                        Expr::Number(base) => base.to_string(),
                        _ => return None,
                    };
                    return (!point).then(|| Expr::Based(digits.trim_start_matches('0').into(), base.into()));
                }
                if point { Expr::Decimal(value) } else { Expr::Number(value) }
            }
            Token::Symbol(name) => self.symbol(&name)?,
            Token::Function(name) => self.function(name)?,
            Token::Command(name) => {
                let (above, below) = (self.argument()?, self.argument()?);
                match name {
                    "frac" => Expr::Quotient(above.into(), below.into()),
                    _ => Expr::Function("binom", vec![above, below]),
                }
            }
            Token::Begin => self.matrix()?,
            Token::Sign('π') => Expr::Pi,
            Token::Sign('∞') => Expr::Infinity,
            Token::Sign('∅') => Expr::Set(Vec::new()),
            Token::Sign(set @ ('ℝ' | 'ℤ' | 'ℕ' | 'ℚ' | 'ℂ')) => Expr::NamedSet(set),
            Token::Sign(open @ ('(' | '[' | ']')) => self.bracketed(open)?,
            Token::Sign('{') => self.braces('}')?,
            Token::Sign('⦃') => self.braces('⦄')?,
            Token::Sign('|') => {
                let inside = self.sum()?;
                if !self.eat('|') {
                    return None;
                }
                Expr::Function("abs", vec![inside])
            }
            Token::Sign('⌊') => {
                let inside = self.sum()?;
                if !self.eat('⌋') {
                    return None;
                }
                Expr::Function("floor", vec![inside])
            }
            Token::Sign('⌈') => {
                let inside = self.sum()?;
                if !self.eat('⌉') {
                    return None;
                }
                Expr::Function("ceil", vec![inside])
            }
            _ => return None,
        })
    }

    fn symbol(&mut self, name: &str) -> Option<Expr> {
        if self.eat('_') {
            let mut index = String::new();
            if self.eat('{') {
                while !self.eat('}') {
                    index.push_str(&self.index()?);
                }
            } else {
                index = self.index()?;
            }
            return Some(Expr::Symbol(format!("{name}_{index}").into()));
        }
        if matches!(name, "f" | "g" | "h") && self.sign() == Some('(') {
            self.at += 1;
            let inside = self.list()?;
            if !self.eat(')') {
                return None;
            }
            // A function nobody defined is a name of its own.
            return Some(Expr::Symbol(format!("{name}({inside:?})").into()));
        }
        Some(match name {
            "e" => Expr::E,
            "i" => Expr::I,
            _ => Expr::Symbol(name.into()),
        })
    }

    fn index(&mut self) -> Option<String> {
        let out = match self.peek()? {
            Token::Number(_, false, digits) => digits.to_string(),
            Token::Symbol(name) => name.to_string(),
            _ => return None,
        };
        self.at += 1;
        Some(out)
    }

    /// What is in brackets; `]0,1[` is `(0,1)` to some.
    fn bracketed(&mut self, open: char) -> Option<Expr> {
        let inside = self.list()?;
        let close = self.sign().filter(|c| matches!(c, ')' | ']' | '['))?;
        self.at += 1;
        match inside {
            Expr::List(all) if open == ']' || close == '[' => {
                let (open, close) =
                    (if open == ']' { '(' } else { open }, if close == '[' { ')' } else { close });
                (all.len() == 2).then(|| Expr::Tuple(open, all, close))
            }
            Expr::List(all) => Some(Expr::Tuple(open, all, close)),
            one => matches!((open, close), ('(', ')') | ('[', ']')).then_some(one),
        }
    }

    /// Tokens of `x :` or `x ∈ ℝ |` at the beginning of a set: what follows says what is in it.
    fn such_that(&self) -> Option<usize> {
        let token = |i: usize| self.lexed.tokens.get(self.at + i);
        let sign = |i: usize| match token(i) {
            Some(Token::Sign(c)) => Some(*c),
            _ => None,
        };
        if !matches!(token(0), Some(Token::Symbol(_))) {
            return None;
        }
        let of_reals = sign(1) == Some('∈') && sign(2) == Some('ℝ');
        let colon = if of_reals { 3 } else { 1 };
        matches!(sign(colon), Some(':' | '|')).then_some(colon + 1)
    }

    fn braces(&mut self, close: char) -> Option<Expr> {
        if self.eat(close) {
            return (close == '⦄').then_some(Expr::Set(Vec::new()));
        }
        if close == '⦄'
            && let Some(skipped) = self.such_that()
        {
            self.at += skipped;
            let relation = self.relation().filter(|e| matches!(e, Expr::Relation(..)))?;
            return self.eat(close).then_some(Expr::Such(relation.into()));
        }
        let mut inside = self.list()?;
        if close == '}' && self.eat('∷') {
            inside = Expr::Function("binom", vec![inside, self.sum()?]);
        }
        if !self.eat(close) {
            return None;
        }
        Some(match inside {
            Expr::List(all) => Expr::Set(all),
            // Of one value the braces say nothing, of a set they do.
            set @ Expr::Set(_) if close == '⦄' => Expr::Set(vec![set]),
            one => one,
        })
    }

    fn matrix(&mut self) -> Option<Expr> {
        let mut rows = vec![vec![self.cell()?]];
        loop {
            if self.eat('&') {
                let cell = self.cell()?;
                rows.last_mut()?.push(cell);
            } else if self.peek() == Some(&Token::NextRow) {
                self.at += 1;
                if self.peek() != Some(&Token::End) {
                    rows.push(vec![self.cell()?]);
                }
            } else if self.peek() == Some(&Token::End) {
                self.at += 1;
                let width = rows[0].len();
                return rows.iter().all(|row| row.len() == width).then_some(Expr::Matrix(rows));
            } else {
                return None;
            }
        }
    }

    fn cell(&mut self) -> Option<Expr> {
        self.lone_number().or_else(|| self.sum())
    }

    fn function(&mut self, name: &'static str) -> Option<Expr> {
        if name == "sqrt" || name == "cbrt" {
            let mut index = if name == "cbrt" { 3 } else { 2 };
            if self.sign() == Some('[') {
                self.at += 1;
                let Some(Token::Number(value, false, _)) = self.peek().cloned() else { return None };
                self.at += 1;
                if !self.eat(']') {
                    return None;
                }
                index = u32::try_from(value.numerator()).ok().filter(|n| (2..=64).contains(n))?;
            }
            let inside = if self.eat('(') {
                let inside = self.sum()?;
                if !self.eat(')') {
                    return None;
                }
                inside
            } else if self.sign() == Some('{') {
                self.argument()?
            } else {
                // `√12` has both digits under the root, `\sqrt12` is written by people who mean the same.
                self.primary()?
            };
            return Some(Expr::Root(index, inside.into()));
        }
        let name = match name {
            "asin" => "arcsin",
            "acos" => "arccos",
            "atan" => "arctan",
            "lg" => "log",
            name => name,
        };
        let mut base = None;
        if name == "log" && self.eat('_') {
            base = Some(self.argument()?);
        }
        let mut exponent = None;
        if self.eat('^') {
            exponent = self.exponent()?;
            // sin^{-1} is the inverse.
            exponent.as_ref()?;
        }
        let angle = usize::from(matches!(name, "sin" | "cos" | "tan" | "cot" | "sec" | "csc"));
        self.angles += angle;
        let args = if self.eat('(') {
            let inside = self.list()?;
            if !self.eat(')') {
                return None;
            }
            match inside {
                Expr::List(all) => all,
                one => vec![one],
            }
        } else {
            // Up to the next sign or function: `\sin 2x`.
            let mut factors = vec![self.factor()?];
            while self.begins() && !matches!(self.peek(), Some(Token::Function(_) | Token::Sign('('))) {
                if matches!(self.peek(), Some(Token::Number(..))) {
                    return None;
                }
                factors.push(self.factor()?);
            }
            vec![if factors.len() == 1 { factors.pop()? } else { Expr::Product(factors) }]
        };
        self.angles -= angle;
        let inverse = matches!(&exponent, Some(Expr::Negative(one)) if **one == Expr::int(1));
        let value = match (name, base) {
            ("log", Some(base)) => {
                let mut all = vec![base];
                all.extend(args);
                Expr::Function("log", all)
            }
            // log without a base is to base 10; in higher mathematics ln is written so: two meanings, one base.
            ("log", None) => {
                let mut all = vec![Expr::int(10)];
                all.extend(args);
                Expr::Function("log", all)
            }
            ("sin", _) if inverse => Expr::Function("arcsin", args),
            ("cos", _) if inverse => Expr::Function("arccos", args),
            ("tan", _) if inverse => Expr::Function("arctan", args),
            (name, _) => Expr::Function(name, args),
        };
        Some(match exponent {
            Some(exponent) if !inverse => Expr::Power(value.into(), exponent.into()),
            _ => value,
        })
    }
}

/// `P(1,2)` is the point P = (1,2): a capital before coordinates names them.
fn named_point(expr: Expr) -> Expr {
    match expr {
        Expr::Product(mut factors) if matches!(factors.as_slice(), [Expr::Symbol(name), Expr::Tuple('(', _, ')')] if name.starts_with(|c: char| c.is_ascii_uppercase())) =>
        {
            let place = factors.pop().expect("two factors");
            Expr::Relation(vec![factors.pop().expect("two factors"), place], vec![Relation::Equal])
        }
        other => other,
    }
}

/// Whether an integer power is of ten: the only product of two numbers that is an answer is a number in scientific notation.
pub(crate) fn is_power_of_ten(expr: &Expr) -> bool {
    let whole = |e: &Expr| match e {
        Expr::Number(n) => n.is_int(),
        Expr::Negative(n) => matches!(&**n, Expr::Number(n) if n.is_int()),
        _ => false,
    };
    matches!(expr, Expr::Power(base, exponent)
        if matches!(&**base, Expr::Number(ten) if power(&RBig::from(10), 1).as_ref() == Some(ten)) && whole(exponent))
}
