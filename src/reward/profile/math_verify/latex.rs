//! latex2sympy2_extended's grammar.

use dashu_ratio::RBig;

use super::{
    Budget, MAX_DEPTH, MAX_LATEX,
    extract::number,
    lex::{Token, lex},
};
use crate::reward::math::{Expr, Relation};

/// Factorials of factorials that are read.
const MAX_FACTORIALS: usize = 8;

/// The expression that normalised LaTeX says; where the whole cannot be read, its last equation.
pub(super) fn read(text: &str, budget: &mut Budget) -> Option<Expr> {
    if text.len() > MAX_LATEX {
        return None;
    }
    read_whole(text, budget).or_else(|| {
        if text.contains([',', ';']) {
            return None;
        }
        let mut cut = None;
        let mut parts = 1;
        for (i, _) in text.match_indices('=') {
            if !text[..i].ends_with(['\\', '<', '!', '>']) {
                cut = Some(i + 1);
                parts += 1;
            }
        }
        if parts > 2 { read_whole(&text[cut?..], budget) } else { None }
    })
}

fn read_whole(text: &str, budget: &mut Budget) -> Option<Expr> {
    let expr = read_real(text, budget)?;
    // To sympy a name that may be complex is another than the real one, unless both stand alone.
    let alone = matches!(expr, Expr::Symbol(_));
    Some(if !alone && may_be_complex(text) { renamed(expr) } else { expr })
}

/// Ends the names of a text in which something may be complex.
pub(super) const COMPLEX: char = '\u{2102}';

fn may_be_complex(text: &str) -> bool {
    const MARKS: [&str; 14] = [
        "\\mathbb{C}",
        "\\text{i}",
        "\\mathrm{i}",
        "\\det",
        "\\operatorname{tr}",
        "\\operatorname{rank}",
        "\\text{rank}",
        "\\arg{",
        "\\Re{",
        "\\Im{",
        "\\operatorname{Re}",
        "\\operatorname{Im}",
        "\\text{Re}",
        "\\text{Im}",
    ];
    let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let stands = |name: &str, behind_command: bool| {
        text.match_indices(name).any(|(at, _)| {
            !word(text[at + name.len()..].chars().next())
                && (behind_command || !word(text[..at].chars().next_back()))
        })
    };
    stands("i", false) || stands("\\imath", true) || MARKS.iter().any(|mark| text.contains(mark))
}

fn renamed(expr: Expr) -> Expr {
    let one = |e: Box<Expr>| Box::new(renamed(*e));
    let all = |list: Vec<Expr>| list.into_iter().map(renamed).collect();
    match expr {
        Expr::Symbol(name) => Expr::Symbol(format!("{name}{COMPLEX}").into()),
        Expr::Negative(a) => Expr::Negative(one(a)),
        Expr::Root(n, a) => Expr::Root(n, one(a)),
        Expr::Percent(a) => Expr::Percent(one(a)),
        Expr::Quotient(a, b) => Expr::Quotient(one(a), one(b)),
        Expr::Power(a, b) => Expr::Power(one(a), one(b)),
        Expr::SetOperation(sign, a, b) => Expr::SetOperation(sign, one(a), one(b)),
        Expr::PlusMinus(a, b) => Expr::PlusMinus(a.map(one), one(b)),
        Expr::Sum(list) => Expr::Sum(all(list)),
        Expr::Product(list) => Expr::Product(all(list)),
        Expr::Function(name, list) => Expr::Function(name, all(list)),
        Expr::List(list) => Expr::List(all(list)),
        Expr::Set(list) => Expr::Set(all(list)),
        Expr::Tuple(open, list, close) => Expr::Tuple(open, all(list), close),
        Expr::Ratio(list) => Expr::Ratio(all(list)),
        Expr::Relation(list, signs) => Expr::Relation(all(list), signs),
        Expr::Matrix(rows) => Expr::Matrix(rows.into_iter().map(all).collect()),
        other => other,
    }
}

fn read_real(text: &str, budget: &mut Budget) -> Option<Expr> {
    let mut reader = Reader { tokens: lex(text)?, at: 0, depth: 0, budget };
    if reader.tokens.is_empty() {
        return None;
    }
    let n = reader.tokens.len();
    if let Some(expr) = reader.named_list().filter(|_| reader.at == n) {
        return Some(expr);
    }
    reader.reset();
    if let Some(expr) = reader.elements(true).filter(|_| reader.at == n) {
        let separated = text.trim();
        let digits = separated.strip_prefix('-').unwrap_or(separated);
        let (whole, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
        let mut groups = whole.split(',');
        let first = groups.next().unwrap_or("");
        let all_digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
        let grouped = (1..=3).contains(&first.len())
            && all_digits(first)
            && whole.contains(',')
            && groups.all(|g| g.len() == 3 && all_digits(g))
            && !decimals.is_empty()
            && all_digits(decimals);
        if grouped {
            let plain = if separated.starts_with('0') {
                separated.replace(',', ".")
            } else {
                separated.replace(',', "")
            };
            let plain = plain.trim_start_matches('0');
            return number(&if plain.starts_with('.') { format!("0{plain}") } else { plain.to_owned() });
        }
        return Some(expr);
    }
    reader.reset();
    reader.set_relation().filter(|_| reader.at == n)
}

struct Reader<'b> {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    budget: &'b mut Budget,
}

impl Reader<'_> {
    fn reset(&mut self) {
        self.at = 0;
        self.depth = 0;
    }

    fn sign(&self) -> Option<&'static str> {
        match self.tokens.get(self.at) {
            Some(Token::Sign(sign)) => Some(sign),
            _ => None,
        }
    }

    fn eat(&mut self, sign: &str) -> bool {
        let found = self.sign() == Some(sign);
        self.at += usize::from(found);
        found
    }

    /// What `read` gives, or nothing and no step taken.
    fn attempt<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let (at, depth) = (self.at, self.depth);
        if depth > MAX_DEPTH {
            return None;
        }
        self.budget.attempts = self.budget.attempts.checked_sub(1)?;
        self.depth += 1;
        let out = read(self);
        self.depth = depth;
        if out.is_none() {
            self.at = at;
        }
        out
    }

    /// `x = 1, 2`: a name and what it is.
    fn named_list(&mut self) -> Option<Expr> {
        let name = self.names()?;
        if !(self.eat("=") || self.eat("∈")) {
            return None;
        }
        let value = self.elements(false)?;
        Some(Expr::Relation(vec![name, value], vec![Relation::Equal]))
    }

    fn names(&mut self) -> Option<Expr> {
        if let Some(tuple) = self.attempt(|this| {
            if !this.eat("(") {
                return None;
            }
            let mut all = vec![this.name()?];
            while this.eat(",") {
                all.push(this.name()?);
            }
            this.eat(")").then_some(all)
        }) {
            return if tuple.len() == 1 {
                tuple.into_iter().next()
            } else {
                Some(Expr::Tuple('t', tuple, 't'))
            };
        }
        self.name()
    }

    /// Elements with separators, as one value, a set, or a set of tuples.
    fn elements(&mut self, relations: bool) -> Option<Expr> {
        let mut groups = self.groups(relations)?;
        if groups.len() == 1 {
            let mut only = groups.pop()?;
            return if only.len() == 1 { only.pop() } else { Some(Expr::Set(only)) };
        }
        if groups.iter().all(|g| g.len() == 1) {
            return Some(Expr::Set(groups.into_iter().flatten().collect()));
        }
        Some(Expr::Set(groups.into_iter().map(|g| Expr::Tuple('t', g, 't')).collect()))
    }

    fn groups(&mut self, relations: bool) -> Option<Vec<Vec<Expr>>> {
        let mut groups = Vec::new();
        loop {
            let mut group = Vec::new();
            loop {
                self.element(relations, &mut group)?;
                if !self.eat(",") {
                    break;
                }
            }
            groups.push(group);
            if !self.eat(";") {
                return Some(groups);
            }
        }
    }

    fn ends_element(&self) -> bool {
        self.at == self.tokens.len() || matches!(self.sign(), Some("," | ";" | ")" | "]" | "}" | "⦄" | "\\)"))
    }

    fn element(&mut self, relations: bool, out: &mut Vec<Expr>) -> Option<()> {
        let both = self.attempt(|this| {
            let left = if this.sign() == Some("±") { None } else { Some(this.expr()?) };
            if !this.eat("±") {
                return None;
            }
            let right = this.expr()?;
            this.ends_element().then_some((left, right))
        });
        if let Some((left, right)) = both {
            let minus = Expr::Negative(right.clone().into());
            match left {
                None => out.extend([minus, right]),
                Some(left) => {
                    out.extend([Expr::Sum(vec![left.clone(), right]), Expr::Sum(vec![left, minus])]);
                }
            }
            return Some(());
        }
        if let Some(set) = self.attempt(|this| this.set_atom().filter(|_| this.ends_element())) {
            out.push(set);
            return Some(());
        }
        out.push(if relations { self.relation()? } else { self.expr()? });
        Some(())
    }

    fn set_atom(&mut self) -> Option<Expr> {
        if let Some(interval) = self.attempt(Self::interval) {
            return Some(interval);
        }
        let named = match self.sign() {
            Some("ℝ") => Some('ℝ'),
            Some("ℤ") => Some('ℤ'),
            Some("ℕ") => Some('ℕ'),
            Some("ℚ") => Some('ℚ'),
            Some("ℂ") => Some('ℂ'),
            _ => None,
        };
        if let Some(name) = named {
            self.at += 1;
            return Some(Expr::NamedSet(name));
        }
        if self.eat("∅") {
            return Some(Expr::Set(Vec::new()));
        }
        if let Some(empty) =
            self.attempt(|this| (this.eat("{") && this.eat("}")).then_some(Expr::Set(Vec::new())))
        {
            return Some(empty);
        }
        for (open, close) in [("(", ")"), ("\\(", "\\)"), ("[", "]")] {
            let tuple = self.attempt(|this| {
                if !this.eat(open) {
                    return None;
                }
                let groups = this.groups(true)?;
                this.eat(close).then_some(groups)
            });
            if let Some(groups) = tuple {
                let mut all: Vec<Expr> = groups.into_iter().flatten().collect();
                return if all.len() == 1 { all.pop() } else { Some(Expr::Tuple('t', all, 't')) };
            }
        }
        self.attempt(|this| {
            let boxed = this.eat("boxed");
            let close = match this.sign() {
                Some("{") => "}",
                Some("⦃") if !boxed => "⦄",
                _ => return None,
            };
            this.at += 1;
            if boxed {
                let inside = this.elements(true)?;
                return this.eat(close).then_some(inside);
            }
            let groups = this.groups(true)?;
            this.eat(close).then(|| Expr::Set(groups.into_iter().flatten().collect()))
        })
    }

    fn interval(&mut self) -> Option<Expr> {
        let open = match self.sign()? {
            "(" | "\\(" => '(',
            "[" => '[',
            _ => return None,
        };
        self.at += 1;
        let left = self.expr()?;
        if !self.eat(",") {
            return None;
        }
        let right = self.expr()?;
        let close = match self.sign()? {
            ")" | "\\)" => ')',
            "]" => ']',
            _ => return None,
        };
        self.at += 1;
        Some(super::same::interval(open, left, right, close, &mut self.budget.work))
    }

    fn relation(&mut self) -> Option<Expr> {
        let mut sides = vec![self.expr()?];
        let mut signs = Vec::new();
        while let Some(sign) = self.sign() {
            let sign = match sign {
                "=" | "≡" => Relation::Equal,
                "≠" => Relation::Unequal,
                "<" => Relation::Less,
                "≤" => Relation::LessEqual,
                ">" => Relation::Greater,
                "≥" => Relation::GreaterEqual,
                "≈" => {
                    self.at += 1;
                    let right = self.expr()?;
                    // A name is what it is about; of two values the exact one counts.
                    if signs.is_empty() {
                        let left = sides.pop()?;
                        sides.push(if super::same::is_name(&left) { right } else { left });
                    }
                    continue;
                }
                _ => break,
            };
            self.at += 1;
            signs.push(sign);
            sides.push(self.expr()?);
        }
        Some(if signs.is_empty() { sides.pop()? } else { Expr::Relation(sides, signs) })
    }

    fn set_relation(&mut self) -> Option<Expr> {
        let named = self.attempt(|this| {
            let name = this.names()?;
            if !(this.eat("=") || this.eat("∈")) {
                return None;
            }
            let set = this.set_operation(0)?;
            Some(Expr::Relation(vec![name, set], vec![Relation::Equal]))
        });
        if named.is_some() {
            return named;
        }
        self.set_operation(0)
    }

    fn set_operation(&mut self, level: usize) -> Option<Expr> {
        const SIGNS: [(&str, char); 3] = [("∖", '∖'), ("∪", '∪'), ("∩", '∩')];
        let Some((sign, operation)) = SIGNS.get(level) else {
            let group = self.attempt(|this| {
                if !this.eat("(") {
                    return None;
                }
                let inside = this.set_operation(0)?;
                this.eat(")").then_some(inside)
            });
            return group.or_else(|| self.set_atom());
        };
        let as_set = |e: Expr| match e {
            Expr::Tuple('t', all, 't') => Expr::Set(all),
            e => e,
        };
        let mut left = self.set_operation(level + 1)?;
        while self.eat(sign) {
            let right = self.set_operation(level + 1)?;
            left = Expr::SetOperation(*operation, as_set(left).into(), as_set(right).into());
        }
        Some(left)
    }

    fn expr(&mut self) -> Option<Expr> {
        self.attempt(|this| {
            let mut terms = vec![this.product(true)?];
            while let Some(sign @ ("+" | "-")) = this.sign() {
                this.at += 1;
                let term = this.product(true)?;
                terms.push(if sign == "-" { Expr::Negative(term.into()) } else { term });
            }
            Some(if terms.len() == 1 { terms.pop()? } else { Expr::Sum(terms) })
        })
    }

    fn product(&mut self, functions: bool) -> Option<Expr> {
        let mut left = self.unary(functions)?;
        loop {
            let sign = self.sign();
            match sign {
                Some("*") => {
                    self.at += 1;
                    let right = self.unary(functions)?;
                    left = match left {
                        Expr::Product(mut all) => {
                            all.push(right);
                            Expr::Product(all)
                        }
                        left => Expr::Product(vec![left, right]),
                    };
                }
                Some("/" | ":") => {
                    self.at += 1;
                    let right = self.unary(functions)?;
                    left = quotient(left, right)?;
                }
                Some("mod") => {
                    self.at += 1;
                    left = Expr::Function("mod", vec![left, self.unary(functions)?]);
                }
                _ => return Some(left),
            }
        }
    }

    fn unary(&mut self, functions: bool) -> Option<Expr> {
        self.attempt(|this| {
            if this.eat("+") {
                return this.unary(functions);
            }
            if this.eat("-") {
                return Some(match this.unary(functions)? {
                    Expr::Number(value) => Expr::Number(-value),
                    Expr::Decimal(value) => Expr::Decimal(-value),
                    other => Expr::Negative(other.into()),
                });
            }
            let mut all = vec![this.postfix(true)?];
            while this.begins(functions) {
                match this.attempt(|this| this.postfix(functions)) {
                    Some(next) => all.push(next),
                    None => break,
                }
            }
            // From the right: a whole number before a positive rational is a mixed number.
            let mut out = all.pop()?;
            while let Some(left) = all.pop() {
                out = match (&left, &out) {
                    (Expr::Number(a), Expr::Number(b)) if a.is_int() && *b > RBig::ZERO => {
                        Expr::Number(if *a < RBig::ZERO { a - b } else { a + b })
                    }
                    _ => {
                        let mut factors = match left {
                            Expr::Product(all) => all,
                            left => vec![left],
                        };
                        match out {
                            Expr::Product(all) => factors.extend(all),
                            out => factors.push(out),
                        }
                        Expr::Product(factors)
                    }
                };
            }
            Some(out)
        })
    }

    fn begins(&self, functions: bool) -> bool {
        match self.tokens.get(self.at) {
            Some(Token::Function(_)) => functions,
            Some(Token::Sign(sign)) => {
                matches!(
                    *sign,
                    "(" | "{" | "[" | "⦃" | "|" | "l|" | "⌊" | "⌈" | "frac" | "binom" | "boxed" | "∞"
                )
            }
            Some(Token::EndMatrix) | None => false,
            Some(_) => true,
        }
    }

    fn postfix(&mut self, functions: bool) -> Option<Expr> {
        let mut base = self.power(functions)?;
        let mut signs = 0;
        loop {
            if self.eat("!") {
                signs += 1;
                if signs > MAX_FACTORIALS {
                    return None;
                }
                base = Expr::Function("factorial", vec![base]);
            } else if self.eat("T") {
                base = transposed(base);
            } else if !self.eat("°") {
                return Some(base);
            }
        }
    }

    fn power(&mut self, functions: bool) -> Option<Expr> {
        let mut base = self.component(functions)?;
        while self.sign() == Some("^") {
            self.at += 1;
            let exponent = self.exponent()?;
            base = Expr::Power(base.into(), exponent.into());
        }
        Some(base)
    }

    fn exponent(&mut self) -> Option<Expr> {
        if self.eat("{") {
            let inside = self.expr()?;
            return self.eat("}").then_some(inside);
        }
        self.atom()
    }

    fn component(&mut self, functions: bool) -> Option<Expr> {
        if let Some(sign) = self.sign() {
            let close = match sign {
                "(" => Some(")"),
                "{" => Some("}"),
                "[" => Some("]"),
                "⦃" => Some("⦄"),
                _ => None,
            };
            if let Some(close) = close {
                return self.attempt(|this| {
                    this.at += 1;
                    let mut inside = this.expr()?;
                    if close == "}" && this.eat("choose") {
                        inside = Expr::Function("binom", vec![inside, this.expr()?]);
                    }
                    this.eat(close).then_some(inside)
                });
            }
            let wrapped = match sign {
                "|" => Some(("|", "abs")),
                "l|" => Some(("r|", "abs")),
                "⌊" => Some(("⌋", "floor")),
                "⌈" => Some(("⌉", "ceil")),
                _ => None,
            };
            if let Some((close, name)) = wrapped {
                return self.attempt(|this| {
                    this.at += 1;
                    let inside = this.expr()?;
                    this.eat(close).then(|| Expr::Function(name, vec![inside]))
                });
            }
            match sign {
                "boxed" => {
                    self.at += 1;
                    return self.braced();
                }
                "frac" => {
                    self.at += 1;
                    let above = self.braced()?;
                    let below = self.braced()?;
                    return quotient(above, below);
                }
                "binom" => {
                    self.at += 1;
                    let above = self.braced()?;
                    let below = self.braced()?;
                    return Some(Expr::Function("binom", vec![above, below]));
                }
                _ => (),
            }
        }
        match self.tokens.get(self.at)? {
            Token::Function(name) if functions || *name == "gamma" => {
                let name = *name;
                self.at += 1;
                self.function(name)
            }
            Token::Letter('e') => {
                self.at += 1;
                if self.sign() == Some("^") {
                    self.at += 1;
                    let exponent = self.exponent()?;
                    return Some(Expr::Power(Expr::E.into(), exponent.into()));
                }
                Some(Expr::E)
            }
            Token::BeginMatrix => self.matrix(),
            Token::Letter(_) | Token::Name(_) | Token::Accent(_) => {
                if let Some(call) = self.attempt(Self::call) {
                    return Some(call);
                }
                self.atom()
            }
            _ => self.atom(),
        }
    }

    fn braced(&mut self) -> Option<Expr> {
        if !self.eat("{") {
            return None;
        }
        let inside = self.expr()?;
        self.eat("}").then_some(inside)
    }

    /// `f(x)`, `f(1, y)`: a function nobody defined.
    fn call(&mut self) -> Option<Expr> {
        let Expr::Symbol(name) = self.plain_name()? else { return None };
        if !self.eat("(") {
            return None;
        }
        let start = self.at;
        let single = self.attempt(|this| {
            this.atom()?;
            this.eat(")").then_some(())
        });
        if single.is_none() {
            self.at = start;
            self.expr()?;
            if !self.eat(",") {
                return None;
            }
            while !self.eat(")") {
                self.expr()?;
                self.eat(",");
            }
        }
        // Of a number it is no name, of names it is one.
        let number =
            |token: &Token| matches!(token, Token::Number(_) | Token::Scientific(_) | Token::Percent(_));
        let arguments = &self.tokens[start..self.at];
        let call = Expr::Symbol(format!("{name}({arguments:?}").into());
        Some(if arguments.iter().any(number) { Expr::Function("of a number", vec![call]) } else { call })
    }

    fn matrix(&mut self) -> Option<Expr> {
        self.at += 1;
        let mut rows = vec![vec![self.expr()?]];
        loop {
            if self.eat("&") {
                let cell = self.expr()?;
                rows.last_mut()?.push(cell);
            } else if self.eat("row") {
                if self.tokens.get(self.at) != Some(&Token::EndMatrix) {
                    rows.push(vec![self.expr()?]);
                }
            } else if self.tokens.get(self.at) == Some(&Token::EndMatrix) {
                self.at += 1;
                let width = rows[0].len();
                return rows.iter().all(|r| r.len() == width).then_some(Expr::Matrix(rows));
            } else {
                return None;
            }
        }
    }

    fn function(&mut self, name: &'static str) -> Option<Expr> {
        if name == "sqrt" {
            let mut index = None;
            if self.eat("[") {
                index = Some(self.expr()?);
                if !self.eat("]") {
                    return None;
                }
            }
            let base = self.braced()?;
            return Some(match index {
                None => Expr::Root(2, base.into()),
                Some(index) => {
                    Expr::Power(base.into(), Expr::Quotient(Expr::int(1).into(), index.into()).into())
                }
            });
        }
        let (mut base, mut power) = (None, None);
        for _ in 0..2 {
            if base.is_none() && self.eat("_") {
                base = Some(self.exponent()?);
            } else if power.is_none() && self.eat("^") {
                power = Some(self.exponent()?);
            }
        }
        let many = matches!(name, "gcd" | "lcm" | "max" | "min");
        let parenthesised = self.attempt(|this| {
            if !this.eat("(") {
                return None;
            }
            let mut args = vec![this.expr()?];
            while many && this.eat(",") {
                args.push(this.expr()?);
            }
            this.eat(")").then_some(args)
        });
        let args = match parenthesised {
            Some(args) => args,
            None => vec![self.product(false).or_else(|| self.product(true))?],
        };
        let minus_one = matches!(&power, Some(Expr::Number(n)) if *n == RBig::from(-1));
        let (name, power) = match name {
            "sin" if minus_one => ("arcsin", None),
            "cos" if minus_one => ("arccos", None),
            "tan" if minus_one => ("arctan", None),
            "gamma" | "det" => return None,
            name => (name, power),
        };
        let value = match name {
            "log" => {
                let mut all = vec![base.unwrap_or(Expr::int(10))];
                all.extend(args);
                Expr::Function("log", all)
            }
            name => Expr::Function(name, args),
        };
        Some(match power {
            Some(power) => Expr::Power(value.into(), power.into()),
            None => value,
        })
    }

    /// A name with its subscript.
    fn plain_name(&mut self) -> Option<Expr> {
        let mut name = match self.tokens.get(self.at)? {
            Token::Letter('I') => "I".to_owned(),
            Token::Letter('e' | 'E') => return None,
            Token::Letter(c) => c.to_ascii_lowercase().to_string(),
            Token::Name(name) => (*name).to_owned(),
            Token::Accent(text) => text.to_lowercase(),
            _ => return None,
        };
        self.at += 1;
        if self.eat("_") {
            let start = self.at;
            if self.eat("{") {
                let mut depth = 1;
                while depth > 0 {
                    depth += match self.sign() {
                        Some("{") => 1,
                        Some("}") => -1,
                        _ => 0,
                    };
                    self.tokens.get(self.at)?;
                    self.at += 1;
                }
                let inside: Vec<String> = self.tokens[start + 1..self.at - 1].iter().map(written).collect();
                name = format!("{name}_{}", inside.concat());
            } else {
                let token = self.tokens.get(self.at)?.clone();
                self.atom()?;
                name = format!("{name}_{}", written(&token));
            }
        }
        Some(Expr::Symbol(name.to_lowercase().into()))
    }

    fn name(&mut self) -> Option<Expr> {
        let imaginary = self.tokens.get(self.at) == Some(&Token::Letter('I'));
        let name = self.plain_name()?;
        let name = match &name {
            Expr::Symbol(text) if matches!(&**text, "pi" | "π") => Expr::Pi,
            Expr::Symbol(text) if &**text == "i" && imaginary => Expr::I,
            _ => name,
        };
        if self.eat("^") {
            let exponent = self.exponent()?;
            return Some(Expr::Power(name.into(), exponent.into()));
        }
        Some(name)
    }

    fn atom(&mut self) -> Option<Expr> {
        let token = self.tokens.get(self.at)?.clone();
        match token {
            Token::Number(text) => {
                self.at += 1;
                // A subscript is read and forgotten.
                if self.sign() == Some("_") {
                    self.at += 1;
                    self.exponent()?;
                }
                let text = if text.bytes().all(|b| b.is_ascii_digit()) {
                    text.trim_start_matches('0')
                } else {
                    &text
                };
                number(if text.is_empty() { "0" } else { text })
            }
            Token::Scientific(text) => {
                self.at += 1;
                let (digits, exponent) = text.split_once('E')?;
                let exponent: i64 = exponent.parse().ok()?;
                let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
                let all = format!("{whole}{decimals}");
                if all.len() > 1000 || exponent.abs() > 900 {
                    return None;
                }
                let value = crate::reward::math::form::decimal(
                    all.trim_start_matches('0'),
                    exponent - decimals.len() as i64,
                )?;
                Some(Expr::Decimal(value))
            }
            Token::Percent(text) => {
                self.at += 1;
                Some(Expr::Percent(number(&text)?.into()))
            }
            Token::Sign("∞") => {
                self.at += 1;
                Some(Expr::Infinity)
            }
            Token::Differential(name) => {
                self.at += 1;
                Some(Expr::Symbol(name.into()))
            }
            Token::Letter('E') => {
                self.at += 1;
                Some(Expr::Symbol("e".into()))
            }
            Token::Letter('e') => None,
            Token::Letter(_) | Token::Name(_) | Token::Accent(_) => {
                let imaginary = token == Token::Letter('I');
                let name = self.plain_name()?;
                Some(match &name {
                    Expr::Symbol(text) if matches!(&**text, "pi" | "π") => Expr::Pi,
                    Expr::Symbol(text) if &**text == "i" && imaginary => Expr::I,
                    _ => name,
                })
            }
            _ => None,
        }
    }
}

fn written(token: &Token) -> String {
    match token {
        Token::Number(text) | Token::Scientific(text) | Token::Percent(text) | Token::Accent(text) => {
            text.clone()
        }
        Token::Differential(text) => text.clone(),
        Token::Letter(c) => c.to_string(),
        Token::Name(name) | Token::Function(name) | Token::Sign(name) => (*name).to_owned(),
        Token::BeginMatrix | Token::EndMatrix => String::new(),
    }
}

/// A matrix with rows for columns; of everything else the sign says nothing.
fn transposed(expr: Expr) -> Expr {
    let Expr::Matrix(rows) = expr else { return expr };
    let column = |at: usize| rows.iter().map(|row| row[at].clone()).collect();
    Expr::Matrix((0..rows[0].len()).map(column).collect())
}

/// A fraction of two whole numbers is one number.
fn quotient(above: Expr, below: Expr) -> Option<Expr> {
    Some(match (&above, &below) {
        (Expr::Number(a), Expr::Number(b)) if a.is_int() && b.is_int() => {
            if b.is_zero() {
                return None;
            }
            Expr::Number(a / b)
        }
        _ => Expr::Quotient(above.into(), below.into()),
    })
}
