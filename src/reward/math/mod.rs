//! Expressions: what they say, and whether two say the same.
//!
//! Reading ([`read`]) makes an [`Expr`] of text; an `Expr` keeps what was written (`1+1` is a sum, `0.50` a decimal). Its
//! value is a [`Form`], exact and the same for all ways to write it. Equality is decided by forms where these are canonical, by
//! interval arithmetic at up to 1024 bits else: intervals that do not meet prove a difference; values that agree to 300
//! digits count as equal. With symbols in it a difference of forms is looked at for several rational values of the symbols, at
//! 192 bits and once at 1024, so that a difference is always proved and never sampled.

pub(crate) mod compare;
pub(crate) mod flaw;
pub(crate) mod form;
pub(crate) mod interval;
pub(super) mod naming;
pub(crate) mod read;
pub(crate) mod sets;

use dashu_int::IBig;
use dashu_ratio::RBig;

use form::{Atom, Exponent, Form, Work};
use interval::Interval;

/// What was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr {
    /// A whole number, or a fraction of two that was read as one.
    Number(RBig),
    /// A number with a point or a power of ten in it.
    Decimal(RBig),
    /// π.
    Pi,
    /// e.
    E,
    /// The imaginary unit.
    I,
    /// ∞.
    Infinity,
    /// A variable.
    Symbol(Box<str>),
    /// Minus.
    Negative(Box<Expr>),
    /// Terms.
    Sum(Vec<Expr>),
    /// Factors.
    Product(Vec<Expr>),
    /// A fraction.
    Quotient(Box<Expr>, Box<Expr>),
    /// Base and exponent.
    Power(Box<Expr>, Box<Expr>),
    /// Index and radicand.
    Root(u32, Box<Expr>),
    /// Whole part and fraction: `1 1/2`.
    Mixed(RBig),
    /// A hundredth of it.
    Percent(Box<Expr>),
    /// A function of its arguments.
    Function(&'static str, Vec<Expr>),
    /// Two values: this, plus and minus that.
    PlusMinus(Option<Box<Expr>>, Box<Expr>),
    /// Several values side by side: `1, 2`.
    List(Vec<Expr>),
    /// `{1, 2}`.
    Set(Vec<Expr>),
    /// Brackets with several values: a tuple or an interval. The characters are the brackets.
    Tuple(char, Vec<Expr>, char),
    /// `a:b`.
    Ratio(Vec<Expr>),
    /// Sides with signs between them.
    Relation(Vec<Expr>, Vec<Relation>),
    /// Inequalities joined by "or" (∪) or by "and" (∩).
    Conditions(char, Vec<Expr>),
    /// Rows.
    Matrix(Vec<Vec<Expr>>),
    /// ∪, ∩ or ∖ of sets.
    SetOperation(char, Box<Expr>, Box<Expr>),
    /// ℝ, ℤ and their like.
    NamedSet(char),
    /// `{x : x > 3}`: the set of what fulfils a relation.
    Such(Box<Expr>),
    /// A number in another base: digits and base.
    Based(Box<str>, Box<str>),
}

/// A sign between two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    Equal,
    Unequal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl Relation {
    pub(crate) fn turned(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessEqual => Self::GreaterEqual,
            Self::Greater => Self::Less,
            Self::GreaterEqual => Self::LessEqual,
            same => same,
        }
    }
}

impl Expr {
    pub(crate) fn int(value: i64) -> Self {
        Self::Number(RBig::from(value))
    }

    /// The rational number that is written as one; what would have to be worked out first is none.
    pub(crate) fn rational(&self) -> Option<RBig> {
        match self {
            Self::Number(value) | Self::Decimal(value) | Self::Mixed(value) => Some(value.clone()),
            Self::Negative(inner) => inner.rational().map(|value| -value),
            _ => None,
        }
    }

    /// The normal form of a scalar; `None` for everything else, divisions by 0 and what is too large.
    pub(crate) fn form(&self, work: &mut Work) -> Option<Form> {
        work.spend(1)?;
        Some(match self {
            Self::Number(value) | Self::Decimal(value) | Self::Mixed(value) => Form::constant(value.clone()),
            Self::Pi => Form::atom(Atom::Pi),
            Self::E => Form::atom(Atom::E),
            Self::I => Form::atom(Atom::I),
            Self::Symbol(name) => Form::symbol(name),
            Self::Negative(inner) => inner.form(work)?.negated(),
            Self::Sum(terms) => {
                let mut sum = Form::int(0);
                for term in terms {
                    sum = sum.and(term.form(work)?, work)?;
                }
                sum
            }
            Self::Product(parts) => {
                let mut product = Form::int(1);
                for part in parts {
                    product = product.times(&part.form(work)?, work)?;
                }
                product
            }
            Self::Quotient(above, below) => above.form(work)?.over(&below.form(work)?, work)?,
            Self::Power(base, exponent) => base.form(work)?.to(&exponent.form(work)?, work)?,
            Self::Root(n, inner) => {
                let exponent = RBig::from_parts(IBig::ONE, (*n).into());
                inner.form(work)?.to_rational(&exponent, work)?
            }
            Self::Percent(inner) => {
                inner.form(work)?.times(&Form::constant(RBig::from_parts(IBig::ONE, 100_u8.into())), work)?
            }
            Self::Function(name, args) => {
                let args: Option<Vec<Form>> = args.iter().map(|arg| arg.form(work)).collect();
                function(name, args?, work)?
            }
            _ => return None,
        })
    }

    /// Whether a symbol stands in it.
    pub(crate) fn any(&self, holds: &mut impl FnMut(&Self) -> bool) -> bool {
        if holds(self) {
            return true;
        }
        match self {
            Self::Negative(a) | Self::Root(_, a) | Self::Percent(a) | Self::Such(a) => a.any(holds),
            Self::Quotient(a, b) | Self::Power(a, b) | Self::SetOperation(_, a, b) => {
                a.any(holds) || b.any(holds)
            }
            Self::PlusMinus(a, b) => a.as_ref().is_some_and(|a| a.any(holds)) || b.any(holds),
            Self::Sum(all)
            | Self::Product(all)
            | Self::Function(_, all)
            | Self::List(all)
            | Self::Set(all)
            | Self::Tuple(_, all, _)
            | Self::Ratio(all)
            | Self::Conditions(_, all)
            | Self::Relation(all, _) => all.iter().any(|a| a.any(holds)),
            Self::Matrix(rows) => rows.iter().flatten().any(|a| a.any(holds)),
            _ => false,
        }
    }

    pub(crate) fn has_symbols(&self) -> bool {
        self.any(&mut |e| matches!(e, Self::Symbol(_)))
    }
}

/// Whether a root of a decimal is in it that is no decimal: in floating point a rounded number, which equals no exact one.
pub(crate) fn rounded_root(expr: &Expr, work: &mut Work) -> bool {
    expr.any(&mut |e| {
        let inside = match e {
            Expr::Root(_, inside) => inside,
            Expr::Power(base, exponent) if !matches!(&**exponent, Expr::Number(n) if n.is_int()) => base,
            _ => return false,
        };
        inside.any(&mut |e| matches!(e, Expr::Decimal(_)))
            && e.form(work).is_none_or(|form| form.rational().is_none())
    })
}

/// How sympy divides floats.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Division {
    /// As one operation, where Python's operators build an expression of numbers.
    Direct,
    /// As a product with the reciprocal, rounded on the way, where an expression was built before it was worked out.
    ByReciprocal,
}

/// The value in floats of double precision, step by step as sympy takes them.
pub(crate) fn in_floats(expr: &Expr, division: Division, work: &mut Work) -> Option<f64> {
    // What has no decimal in it is exact until it meets one.
    let decimal = |e: &Expr| matches!(e, Expr::Decimal(_));
    if !expr.any(&mut |e| decimal(e)) {
        return expr.form(work)?.rational().map(|value| value.to_f64().value());
    }
    let mut in_floats = |expr: &Expr| in_floats(expr, division, work);
    Some(match expr {
        Expr::Number(value) | Expr::Decimal(value) => value.to_f64().value(),
        Expr::Negative(inner) => -in_floats(inner)?,
        Expr::Sum(terms) => terms.iter().map(&mut in_floats).sum::<Option<f64>>()?,
        Expr::Product(factors) => factors.iter().map(&mut in_floats).product::<Option<f64>>()?,
        Expr::Root(2, inside) => in_floats(inside)?.sqrt(),
        Expr::Quotient(above, below) if division == Division::Direct => in_floats(above)? / in_floats(below)?,
        Expr::Quotient(above, below) => in_floats(above)? * (1.0 / in_floats(below)?),
        _ => return None,
    })
}

/// Significant digits of a decimal; 40 stands for more.
pub(crate) fn significant(value: &RBig) -> usize {
    const MOST: usize = 40;
    let mut value = value.clone();
    for _ in 0..MOST {
        if value.is_int() {
            break;
        }
        value *= RBig::from(10);
    }
    if value.is_int() { value.numerator().to_string().trim_matches(['-', '0']).len() } else { MOST }
}

/// A function of forms, with its value where that is exact.
pub(crate) fn function(name: &str, mut args: Vec<Form>, work: &mut Work) -> Option<Form> {
    // What it holds is copied wherever it goes.
    let opaque = |args: Vec<Form>, work: &mut Work| {
        work.spend(args.iter().map(Form::weight).sum::<usize>() / 4)?;
        Some(Form::atom(Atom::Function(name.into(), args)))
    };
    if name == "log" && args.len() == 2 {
        let [base, of] = <[Form; 2]>::try_from(args).expect("two");
        let above = function("ln", vec![of], work)?;
        return above.over(&function("ln", vec![base], work)?, work);
    }
    if name == "mod" && args.len() == 2 {
        return match (args[0].rational(), args[1].rational()) {
            (_, Some(by)) if by.is_zero() => None,
            (Some(of), Some(by)) => {
                let times = RBig::from((&of / &by).floor());
                Some(Form::constant(of - by * times))
            }
            _ => opaque(args, work),
        };
    }
    if matches!(name, "max" | "min" | "gcd" | "lcm") || args.len() != 1 {
        if name == "binom" && args.len() == 2 {
            let (n, k) = (whole(&args[0])?, whole(&args[1])?);
            if !(0..=400).contains(&n) || !(0..=n).contains(&k) {
                return None;
            }
            let mut value = RBig::ONE;
            for i in 0..k {
                value = value * RBig::from(n - i) / RBig::from(i + 1);
            }
            return Some(Form::constant(value));
        }
        if matches!(name, "max" | "min") {
            let values: Option<Vec<RBig>> = args.iter().map(Form::rational).collect();
            if let Some(values) = values {
                let best = if name == "max" { values.into_iter().max() } else { values.into_iter().min() };
                return Some(Form::constant(best?));
            }
        }
        return opaque(args, work);
    }
    let x = args.pop().expect("one");
    match name {
        "exp" => Form::atom(Atom::E).to(&x, work),
        "ln" => logarithm(x, work),
        "factorial" => {
            let n = whole(&x).filter(|n| (0..=400).contains(n));
            let Some(n) = n else { return opaque(vec![x], work) };
            Some(Form::constant((1..=n).fold(RBig::ONE, |product, i| product * RBig::from(i))))
        }
        "abs" => {
            if let Some(value) = x.rational() {
                return Some(Form::constant(if form::is_negative(&value) { -value } else { value }));
            }
            match Interval::of(&x, 128, &|_| None, work).and_then(|i| i.sign()) {
                Some(1) => Some(x),
                Some(_) => Some(x.negated()),
                None => {
                    // The first coefficient goes in front, so that |2x-2| is 2|1-x|.
                    let lead = x.num.values().next_back()?.clone();
                    let inside = x.times(&Form::constant(RBig::ONE / &lead), work)?;
                    let size = Form::constant(if form::is_negative(&lead) { -lead } else { lead });
                    let value = if is_even(&inside) { inside } else { opaque(vec![inside], work)? };
                    value.times(&size, work)
                }
            }
        }
        "floor" | "ceil" => {
            let up = name == "ceil";
            if let Some(value) = x.rational() {
                return Some(Form::constant(RBig::from(if up { value.ceil() } else { value.floor() })));
            }
            match Interval::of(&x, 256, &|_| None, work).and_then(|i| i.floor()) {
                Some(floor) => Some(Form::constant(RBig::from(if up { floor + IBig::ONE } else { floor }))),
                None => opaque(vec![x], work),
            }
        }
        "sin" | "cos" => {
            if let Some(value) = twelfths(&x) {
                return sine(if name == "sin" { value } else { value + 6 }, work);
            }
            let negative = leads_negative(&x);
            let x = if negative { x.negated() } else { x };
            let value = opaque(vec![x], work)?;
            Some(if negative && name == "sin" { value.negated() } else { value })
        }
        "tan" | "cot" | "sec" | "csc" => {
            let sin = function("sin", vec![x.clone()], work)?;
            let cos = function("cos", vec![x], work)?;
            match name {
                "tan" => sin.over(&cos, work),
                "cot" => cos.over(&sin, work),
                "sec" => Form::int(1).over(&cos, work),
                _ => Form::int(1).over(&sin, work),
            }
        }
        "sinh" | "cosh" | "tanh" => {
            let up = Form::atom(Atom::E).to(&x, work)?;
            let down = Form::int(1).over(&up, work)?;
            let (minus, plus) = (up.plus(&down.negated(), work)?, up.plus(&down, work)?);
            match name {
                "sinh" => minus.over(&Form::int(2), work),
                "cosh" => plus.over(&Form::int(2), work),
                _ => minus.over(&plus, work),
            }
        }
        "arcsin" | "arccos" | "arctan" => {
            if x.is_zero() && name != "arccos" {
                return Some(x);
            }
            opaque(vec![x], work)
        }
        _ => opaque(vec![x], work),
    }
}

fn whole(form: &Form) -> Option<i64> {
    let value = form.rational()?;
    if value.is_int() { i64::try_from(value.numerator()).ok() } else { None }
}

/// Whether it is one term of even powers of symbols.
fn is_even(form: &Form) -> bool {
    let even = |atom: &Atom, e: &Exponent| matches!(atom, Atom::Symbol(_)) && e.den == 1 && e.num % 2 == 0;
    form.single().is_some_and(|(monomial, _)| monomial.iter().all(|(atom, e)| even(atom, e)))
}

fn leads_negative(form: &Form) -> bool {
    form.num.values().next_back().is_some_and(form::is_negative)
}

/// ln as a sum over the factors of a product.
fn logarithm(x: Form, work: &mut Work) -> Option<Form> {
    let plain = |x: Form| Form::atom(Atom::Function("ln".into(), vec![x]));
    let Some((monomial, value)) = x.single().filter(|(_, value)| !form::is_negative(value)) else {
        return if x.is_zero() { None } else { Some(plain(x)) };
    };
    let mut sum = Form::int(0);
    let factors =
        form::factors(value, work)?.into_iter().map(|(p, e)| (Atom::Prime(p), Exponent { num: e, den: 1 }));
    for (atom, e) in factors.chain(monomial.iter().cloned()) {
        let ln = match atom {
            Atom::E => Form::int(1),
            Atom::Power(ref base, ref exponent) if **base == Form::atom(Atom::E) => (**exponent).clone(),
            Atom::Prime(p) => plain(Form::constant(RBig::from(p))),
            atom => plain(Form::atom(atom)),
        };
        let e = Form::constant(RBig::from_parts_signed(e.num.into(), e.den.into()));
        sum = sum.plus(&ln.times(&e, work)?, work)?;
    }
    Some(sum)
}

/// `k` of an angle `kπ/12`.
fn twelfths(angle: &Form) -> Option<i64> {
    if angle.is_zero() {
        return Some(0);
    }
    let (monomial, value) = angle.single()?;
    let pi = matches!(monomial.as_slice(), [(Atom::Pi, e)] if *e == Exponent::ONE);
    let k = value * RBig::from(12);
    if pi && k.is_int() { i64::try_from(k.numerator() % IBig::from(24)).ok() } else { None }
}

/// sin of `kπ/12`.
fn sine(k: i64, work: &mut Work) -> Option<Form> {
    let k = k.rem_euclid(24);
    let (k, negative) = if k >= 12 { (k - 12, true) } else { (k, false) };
    let k = if k > 6 { 12 - k } else { k };
    let root = |n: i64, below: i64, work: &mut Work| {
        let half = RBig::from_parts(IBig::ONE, 2_u8.into());
        Form::int(n).to_rational(&half, work)?.over(&Form::int(below), work)
    };
    let value = match k {
        0 => Form::int(0),
        1 => root(6, 4, work)?.plus(&root(2, 4, work)?.negated(), work)?,
        2 => root(1, 2, work)?,
        3 => root(2, 2, work)?,
        4 => root(3, 2, work)?,
        5 => root(6, 4, work)?.plus(&root(2, 4, work)?, work)?,
        _ => Form::int(1),
    };
    Some(if negative { value.negated() } else { value })
}

/// Whether two forms have the same value.
pub(crate) fn equal(a: &Form, b: &Form, work: &mut Work) -> bool {
    if a == b {
        return true;
    }
    let Some(difference) = a.plus(&b.negated(), work) else { return false };
    is_zero(&difference, work)
}

/// Values that symbols are given to prove two forms different, each with the one across from it.
const LOOKS: [(i64, i64); 3] = [(7, 3), (11, 13), (29, 7)];

pub(crate) fn is_zero(difference: &Form, work: &mut Work) -> bool {
    if difference.is_zero() {
        return true;
    }
    if difference.is_canonical() {
        return false;
    }
    let mut symbolic = false;
    difference.symbols(&mut |_| symbolic = true);
    // Nested roots need the sign of what stands under them; the product of surds may be negative.
    let mut near = |precision: usize, look: usize| {
        let value = |name: &str| {
            // Each point and the one across from it: of positive ones alone |x| could not be told from x.
            let (num, den) = LOOKS[look % LOOKS.len()];
            let sign = if look < LOOKS.len() { 1 } else { -1 };
            // Symbols get different values: 1 more per letter.
            let shift = name.bytes().fold(0_i64, |hash, byte| (hash * 31 + i64::from(byte)) % 97);
            Some(RBig::from_parts_signed((sign * (num + shift * den / 7)).into(), den.into()))
        };
        Interval::of(difference, precision, &value, work).map(|interval| interval.sign().is_none())
    };
    if symbolic {
        // Of what is put together from pieces no number of points says that it is 0 between them.
        if difference.any_function(&|name| matches!(name, "abs" | "floor" | "ceil" | "max" | "min" | "mod")) {
            return false;
        }
        let mut seen = Vec::new();
        for look in 0..2 * LOOKS.len() {
            match near(128, look) {
                Some(false) => return false,
                Some(true) => seen.push(look),
                // What has no value at one negative point has none at the others either: a logarithm, a root.
                None if look >= LOOKS.len() => break,
                None => (),
            }
        }
        // As for constants: `\sin(x+10^{-80})` differs from `\sin x` beyond 128 bits.
        return seen.len() >= 3 && near(1024, seen[0]) == Some(true) && !work.is_spent();
    }
    near(128, 0) == Some(true) && near(1024, 0) == Some(true)
}
