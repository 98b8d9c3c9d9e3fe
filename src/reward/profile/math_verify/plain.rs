//! Plain expressions of numbers and operators, as Python reads them.

use super::{MAX_DEPTH, MAX_LATEX, extract::number};
use crate::reward::math::Expr;

/// The value of such a text; `None` where Python would raise an error.
pub(super) fn read(text: &str) -> Option<Expr> {
    let text = text.replace('\n', " ").replace('^', "**");
    if text.contains(['×', '÷']) || text.len() > MAX_LATEX {
        return None;
    }
    // White space between digits is an error in Python.
    let mut previous_digit = false;
    let mut spaced = false;
    for c in text.chars() {
        if c.is_whitespace() {
            spaced = true;
        } else {
            let digit = c.is_ascii_digit() || c == '.';
            if digit && previous_digit && spaced {
                return None;
            }
            previous_digit = digit;
            spaced = false;
        }
    }
    let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let mut python = Plain { rest: &plain, depth: 0 };
    let value = python.sum()?;
    python.rest.is_empty().then_some(value)
}

struct Plain<'t> {
    rest: &'t str,
    depth: usize,
}

impl Plain<'_> {
    fn eat(&mut self, what: &str) -> bool {
        match self.rest.strip_prefix(what) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn sum(&mut self) -> Option<Expr> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let mut terms = vec![self.product()?];
        loop {
            if self.eat("+") {
                terms.push(self.product()?);
            } else if self.eat("-") {
                terms.push(Expr::Negative(self.product()?.into()));
            } else {
                break;
            }
        }
        self.depth -= 1;
        Some(if terms.len() == 1 { terms.pop()? } else { Expr::Sum(terms) })
    }

    fn product(&mut self) -> Option<Expr> {
        let mut left = self.unary()?;
        loop {
            if self.rest.starts_with("**") || self.rest.starts_with("//") {
                return None;
            }
            if self.eat("*") {
                left = Expr::Product(vec![left, self.unary()?]);
            } else if self.eat("/") {
                left = Expr::Quotient(left.into(), self.unary()?.into());
            } else {
                return Some(left);
            }
        }
    }

    fn unary(&mut self) -> Option<Expr> {
        self.depth += 1;
        if self.depth > MAX_DEPTH * 4 {
            return None;
        }
        let out = if self.eat("-") {
            Some(Expr::Negative(self.unary()?.into()))
        } else if self.eat("+") {
            self.unary()
        } else {
            let base = self.atom()?;
            if self.eat("**") { Some(Expr::Power(base.into(), self.unary()?.into())) } else { Some(base) }
        };
        self.depth -= 1;
        out
    }

    fn atom(&mut self) -> Option<Expr> {
        if self.eat("(") {
            let inside = self.sum()?;
            return self.eat(")").then_some(inside);
        }
        let digits = |t: &str| t.bytes().take_while(u8::is_ascii_digit).count();
        let whole = digits(self.rest);
        let mut end = whole;
        if self.rest[whole..].starts_with('.') {
            end = whole + 1 + digits(&self.rest[whole + 1..]);
        }
        if end == 0 || &self.rest[..end] == "." {
            return None;
        }
        let (text, rest) = self.rest.split_at(end);
        if !text.contains('.') && text.len() > 1 && text.starts_with('0') && text.bytes().any(|b| b != b'0') {
            return None;
        }
        self.rest = rest;
        number(text)
    }
}
