//! Normal forms: two constants or terms are the same where their forms are.
//!
//! A form is a quotient of two polynomials with rational coefficients over *atoms*: primes, π, e, i, symbols, functions of
//! forms, and powers that are no rational power of an atom. Exponents are rational, so that `√12` is `2·3^(1/2)` and `1/√x` is
//! `x^(-1/2)`. Products of fractional powers of primes are independent over the rationals (Besicovitch, 1940), and so are
//! symbols: over these atoms equality of forms after cross-multiplication is equality of values. Over other atoms (roots of
//! sums, functions) unequal forms may have equal values; [`super::interval`] decides there.

use std::{cmp::Ordering, collections::BTreeMap};

use dashu_int::{IBig, Sign, UBig, ops::Gcd as _};
use dashu_ratio::RBig;

/// What may still be done for one comparison, counted and not timed, so that every machine decides alike. Runs out on hostile
/// input only: `(a+b)(c+d)(e+f)…`.
#[derive(Debug)]
pub(crate) struct Work {
    left: u32,
    bounds: u32,
}

impl Work {
    /// Room for one answer: some thousand products of terms and as much again for bounding them, a unit about a microsecond.
    pub(crate) fn new() -> Self {
        Self { left: 4000, bounds: 4500 }
    }

    /// Room for what is worked out while an answer is read.
    pub(crate) fn small() -> Self {
        Self { left: 1000, bounds: 1000 }
    }

    pub(crate) fn spend(&mut self, amount: usize) -> Option<()> {
        Self::take(&mut self.left, amount)
    }

    /// [`Work::spend`] for interval arithmetic.
    pub(crate) fn bound(&mut self, amount: usize) -> Option<()> {
        Self::take(&mut self.bounds, amount)
    }

    /// What does not fit empties it: nothing smaller is done after.
    fn take(left: &mut u32, amount: usize) -> Option<()> {
        let rest = u32::try_from(amount).ok().and_then(|amount| left.checked_sub(amount));
        *left = rest.unwrap_or(0);
        rest.map(|_| ())
    }

    /// Whether bounding has come to its end.
    pub(crate) fn is_spent(&self) -> bool {
        self.bounds == 0
    }
}

/// Bits that a number may grow to.
const MAX_BITS: usize = 8192;
/// Largest whole power of a sum that is multiplied out.
const MAX_EXPANDED: i64 = 24;
/// Factors below this are found by trial division; what remains below its square is prime.
const MAX_FACTOR: u64 = 4096;

/// A small rational number, in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exponent {
    pub(crate) num: i64,
    pub(crate) den: i64,
}

impl Exponent {
    pub(crate) const ONE: Self = Self { num: 1, den: 1 };

    pub(crate) fn new(num: i64, den: i64) -> Option<Self> {
        if den == 0 || num.unsigned_abs() > 1 << 20 || den.unsigned_abs() > 1 << 20 {
            return None;
        }
        let (mut a, mut b) = (num.unsigned_abs(), den.unsigned_abs());
        while b != 0 {
            (a, b) = (b, a % b);
        }
        let a = a.max(1) as i64 * den.signum();
        Some(Self { num: num / a, den: den / a })
    }

    fn plus(self, other: Self) -> Option<Self> {
        Self::new(self.num * other.den + other.num * self.den, self.den * other.den)
    }

    fn times(self, other: Self) -> Option<Self> {
        Self::new(self.num * other.num, self.den * other.den)
    }

    fn negated(self) -> Self {
        Self { num: -self.num, den: self.den }
    }
}

impl PartialOrd for Exponent {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Exponent {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.num * other.den).cmp(&(other.num * self.den))
    }
}

/// What forms are made of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Atom {
    /// A prime under a root.
    Prime(UBig),
    /// The imaginary unit.
    I,
    /// π.
    Pi,
    /// e.
    E,
    /// A variable.
    Symbol(Box<str>),
    /// A sum under a root; the polynomial is primitive.
    Sum(Box<Poly>),
    /// A base to a power that is no number.
    Power(Box<Form>, Box<Form>),
    /// A function of its arguments.
    Function(Box<str>, Vec<Form>),
}

impl Atom {
    /// Whether it is known to be a positive number; i has no sign that a root could lose.
    fn is_positive(&self) -> bool {
        match self {
            Self::Prime(_) | Self::I | Self::Pi | Self::E => true,
            Self::Function(name, _) => &**name == "abs",
            Self::Power(base, _) => base
                .single()
                .is_some_and(|(m, value)| !is_negative(value) && m.iter().all(|(a, _)| a.is_positive())),
            Self::Symbol(_) | Self::Sum(_) => false,
        }
    }
}

/// A product of atoms with exponents, none 0, in order.
pub(crate) type Monomial = Vec<(Atom, Exponent)>;
/// Terms with their coefficients, none 0.
pub(crate) type Poly = BTreeMap<Monomial, RBig>;

/// A quotient of polynomials; the denominator is 1 or has several terms.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Form {
    pub(crate) num: Poly,
    pub(crate) den: Poly,
}

pub(crate) fn bits(value: &RBig) -> usize {
    use dashu_int::ops::BitTest;
    value.numerator().bit_len().max(value.denominator().bit_len())
}

fn checked(value: RBig) -> Option<RBig> {
    (bits(&value) <= MAX_BITS).then_some(value)
}

pub(crate) fn is_negative(value: &RBig) -> bool {
    value.numerator().sign() == Sign::Negative
}

/// `value` to a whole power, if it stays small.
pub(crate) fn power(value: &RBig, exponent: i64) -> Option<RBig> {
    let n = usize::try_from(exponent.unsigned_abs()).ok()?;
    if value.is_zero() {
        return (exponent > 0).then_some(RBig::ZERO);
    }
    if bits(value) > 1 && bits(value).checked_mul(n)? > MAX_BITS {
        return None;
    }
    let (num, den) = (value.numerator().pow(n), value.denominator().pow(n));
    Some(if exponent >= 0 { RBig::from_parts(num, den) } else { RBig::from_parts_signed(den.into(), num) })
}

impl Form {
    pub(crate) fn constant(value: RBig) -> Self {
        let mut num = Poly::new();
        if !value.is_zero() {
            num.insert(Vec::new(), value);
        }
        Self { num, den: one() }
    }

    pub(crate) fn int(value: i64) -> Self {
        Self::constant(RBig::from(value))
    }

    pub(crate) fn atom(atom: Atom) -> Self {
        Self::atom_to(atom, Exponent::ONE)
    }

    fn atom_to(atom: Atom, exponent: Exponent) -> Self {
        if exponent.num == 0 {
            return Self::int(1);
        }
        Self { num: Poly::from([(vec![(atom, exponent)], RBig::ONE)]), den: one() }
    }

    pub(crate) fn symbol(name: &str) -> Self {
        Self::atom(Atom::Symbol(name.into()))
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.num.is_empty()
    }

    /// The rational number that this is.
    pub(crate) fn rational(&self) -> Option<RBig> {
        if self.num.is_empty() {
            return Some(RBig::ZERO);
        }
        let (monomial, value) = self.single()?;
        monomial.is_empty().then(|| value.clone())
    }

    /// The only term, where there is one.
    pub(crate) fn single(&self) -> Option<(&Monomial, &RBig)> {
        (self.num.len() == 1 && is_one(&self.den)).then(|| self.num.iter().next().expect("one term"))
    }

    pub(crate) fn negated(&self) -> Self {
        Self { num: scaled(&self.num, &RBig::from(-1)), den: self.den.clone() }
    }

    pub(crate) fn plus(&self, other: &Self, work: &mut Work) -> Option<Self> {
        if self.den == other.den {
            work.spend(weight(&self.num) / 8)?;
            return self.clone().and(other.clone(), work);
        }
        let mut num = product(&self.num, &other.den, work)?;
        add_to(&mut num, &product(&other.num, &self.den, work)?)?;
        Self::quotient(num, product(&self.den, &other.den, work)?)
    }

    /// [`Form::plus`] without copies where the denominators are the same.
    pub(crate) fn and(mut self, other: Self, work: &mut Work) -> Option<Self> {
        if self.den != other.den {
            return self.plus(&other, work);
        }
        work.spend((weight(&other.num) / 4).max(other.num.len()))?;
        for (monomial, value) in other.num {
            insert(&mut self.num, monomial, value)?;
        }
        Self::quotient(self.num, self.den)
    }

    /// Terms and all that stands in them.
    pub(crate) fn weight(&self) -> usize {
        weight(&self.num) + weight(&self.den)
    }

    pub(crate) fn times(&self, other: &Self, work: &mut Work) -> Option<Self> {
        Self::quotient(product(&self.num, &other.num, work)?, product(&self.den, &other.den, work)?)
    }

    pub(crate) fn over(&self, other: &Self, work: &mut Work) -> Option<Self> {
        if other.is_zero() {
            return None;
        }
        Self::quotient(product(&self.num, &other.den, work)?, product(&self.den, &other.num, work)?)
    }

    /// Puts a denominator of one term into the numerator.
    fn quotient(num: Poly, den: Poly) -> Option<Self> {
        if den.is_empty() {
            return None;
        }
        if num.is_empty() || is_one(&den) {
            return Some(Self { num, den: one() });
        }
        if den.len() == 1 {
            let (monomial, value) = den.iter().next().expect("one term");
            let inverse: Monomial = monomial.iter().map(|(a, e)| (a.clone(), e.negated())).collect();
            let mut out = Poly::new();
            for (m, c) in &num {
                let (factor, product) = monomial_product(m, &inverse)?;
                insert(&mut out, product, checked(c / value * factor)?)?;
            }
            return Some(Self { num: out, den: one() });
        }
        // One and the same quotient however it was scaled: the first coefficient below is 1.
        let first = RBig::ONE / den.values().next().expect("terms");
        if num.len() == den.len() {
            let ratio = num.values().next().expect("terms") / den.values().next().expect("terms");
            if num.iter().zip(&den).all(|((a, c), (b, d))| a == b && *c == d * &ratio) {
                return Some(Self::constant(ratio));
            }
        }
        Some(Self { num: scaled(&num, &first), den: scaled(&den, &first) })
    }

    /// Whether equality of forms over these atoms is equality of values.
    pub(crate) fn is_canonical(&self) -> bool {
        let canonical = |poly: &Poly| {
            poly.keys().flatten().all(|(atom, exponent)| match atom {
                Atom::Prime(p) => *p < UBig::from(MAX_FACTOR * MAX_FACTOR),
                Atom::I | Atom::Pi | Atom::E => true,
                Atom::Symbol(_) => exponent.den == 1,
                Atom::Sum(_) | Atom::Power(..) | Atom::Function(..) => false,
            })
        };
        canonical(&self.num) && canonical(&self.den)
    }

    /// Calls `each` with every symbol in it.
    pub(crate) fn symbols<'f>(&'f self, each: &mut impl FnMut(&'f str)) {
        fn poly<'f>(terms: &'f Poly, each: &mut dyn FnMut(&'f str)) {
            for (atom, _) in terms.keys().flatten() {
                match atom {
                    Atom::Symbol(name) => each(name),
                    Atom::Sum(inner) => poly(inner, each),
                    Atom::Power(a, b) => {
                        for form in [a, b] {
                            poly(&form.num, each);
                            poly(&form.den, each);
                        }
                    }
                    Atom::Function(_, args) => {
                        for form in args {
                            poly(&form.num, each);
                            poly(&form.den, each);
                        }
                    }
                    Atom::Prime(_) | Atom::I | Atom::Pi | Atom::E => (),
                }
            }
        }
        poly(&self.num, each);
        poly(&self.den, each);
    }

    /// Whether a function with such a name stands in it.
    pub(crate) fn any_function(&self, such: &dyn Fn(&str) -> bool) -> bool {
        let poly = |terms: &Poly| {
            terms.keys().flatten().any(|(atom, _)| match atom {
                Atom::Sum(inner) => Self { num: (**inner).clone(), den: one() }.any_function(such),
                Atom::Power(a, b) => a.any_function(such) || b.any_function(such),
                Atom::Function(name, args) => such(name) || args.iter().any(|arg| arg.any_function(such)),
                Atom::Prime(_) | Atom::I | Atom::Pi | Atom::E | Atom::Symbol(_) => false,
            })
        };
        poly(&self.num) || poly(&self.den)
    }

    /// This form to the power of another.
    pub(crate) fn to(&self, exponent: &Self, work: &mut Work) -> Option<Self> {
        if let Some(q) = exponent.rational() {
            return self.to_rational(&q, work);
        }
        if self.is_zero() {
            return None;
        }
        if self.rational().is_some_and(|r| r.is_one()) {
            return Some(Self::int(1));
        }
        if !is_one(&exponent.den) {
            return Some(Self::atom(Atom::Power(self.clone().into(), exponent.clone().into())));
        }
        let mut out = Self::int(1);
        for (monomial, factor) in &exponent.num {
            let step = if monomial.is_empty() {
                self.to_rational(factor, work)?
            } else if let Some(turn) = self.turned(monomial, factor, work) {
                turn?
            } else if let Some((base, exponent)) = self.of_logarithm(monomial, factor) {
                base.to(&exponent, work)?
            } else {
                let unit = Self { num: Poly::from([(monomial.clone(), RBig::ONE)]), den: one() };
                self.to_unit(&unit, small(factor)?, work)?
            };
            out = out.times(&step, work)?;
        }
        Some(out)
    }

    /// `e^{iπq}`, where that is a point whose coordinates are exact.
    #[expect(clippy::option_option, reason = "another power and one that takes too much work are different")]
    fn turned(&self, unit: &Monomial, q: &RBig, work: &mut Work) -> Option<Option<Self>> {
        let half_turn = matches!(unit.as_slice(), [(Atom::I, a), (Atom::Pi, b)] if *a == Exponent::ONE && *b == Exponent::ONE);
        let twelfths = q * RBig::from(12);
        if !half_turn || *self != Self::atom(Atom::E) || !twelfths.is_int() {
            return None;
        }
        let k = i64::try_from(twelfths.numerator() % IBig::from(24)).ok()?;
        let mut point = || {
            let (cos, sin) = (super::sine(k + 6, work)?, super::sine(k, work)?);
            cos.plus(&sin.times(&Self::atom(Atom::I), work)?, work)
        };
        Some(point())
    }

    /// Base and exponent of `e^{u q ln b}`, which is `b^{u q}`.
    fn of_logarithm<'u>(&self, unit: &'u Monomial, q: &RBig) -> Option<(&'u Self, Self)> {
        let logarithm = |(atom, e): &(Atom, Exponent)| {
            matches!(atom, Atom::Function(name, _) if &**name == "ln") && *e == Exponent::ONE
        };
        let at = unit.iter().position(logarithm).filter(|_| *self == Self::atom(Atom::E))?;
        let Atom::Function(_, args) = &unit[at].0 else { return None };
        let mut rest = unit.clone();
        rest.remove(at);
        Some((args.first()?, Self { num: Poly::from([(rest, q.clone())]), den: one() }))
    }

    /// `(self ^ unit) ^ factor`, for each atom of a term on its own.
    fn to_unit(&self, unit: &Self, factor: Exponent, work: &mut Work) -> Option<Self> {
        // Every factor gets a copy of the exponent: a tower of powers doubles with each of them.
        work.spend(weight(&unit.num))?;
        let whole = |base: &Self, e: Exponent| {
            Some(Self::atom_to(Atom::Power(base.clone().into(), unit.clone().into()), e.times(factor)?))
        };
        let Some((monomial, value)) = self.single().filter(|(_, value)| !is_negative(value)) else {
            return whole(self, Exponent::ONE);
        };
        let mut out = Self::int(1);
        for (prime, e) in factors(value, work)? {
            out = out.times(&whole(&Self::constant(RBig::from(prime)), Exponent::new(e, 1)?)?, work)?;
        }
        for (atom, e) in monomial {
            out = out.times(&whole(&Self::atom(atom.clone()), *e)?, work)?;
        }
        Some(out)
    }

    pub(crate) fn to_rational(&self, q: &RBig, work: &mut Work) -> Option<Self> {
        let q = small(q)?;
        if self.is_zero() {
            return (q.num > 0).then(|| self.clone());
        }
        if let Some((monomial, value)) = self.single() {
            return Self::term_to(monomial, value, q, work);
        }
        if q.den == 1 {
            if q.num.abs() > MAX_EXPANDED {
                return None;
            }
            let mut out = Self::int(1);
            for _ in 0..q.num.abs() {
                out = out.times(self, work)?;
            }
            return if q.num < 0 { Self::int(1).over(&out, work) } else { Some(out) };
        }
        let num = Self::sum_to(&self.num, q, work)?;
        let den = Self::sum_to(&self.den, q, work)?;
        num.over(&den, work)
    }

    /// A sum to a power that is not whole; its content goes in front.
    fn sum_to(sum: &Poly, q: Exponent, work: &mut Work) -> Option<Self> {
        if sum.len() == 1 {
            let (monomial, value) = sum.iter().next().expect("one term");
            return Self::term_to(monomial, value, q, work);
        }
        let mut num = UBig::ZERO;
        let mut den = UBig::ONE;
        for value in sum.values() {
            let above = value.numerator().clone().into_parts().1;
            num = if num.is_zero() { above } else { num.gcd(&above) };
            let below = value.denominator();
            den = &den / (&den).gcd(below) * below;
        }
        let content = checked(RBig::from_parts(num.into(), den))?;
        let primitive = scaled(sum, &(RBig::ONE / &content));
        let outside = Self::term_to(&Vec::new(), &content, q, work)?;
        outside.times(&Self::atom_to(Atom::Sum(primitive.into()), q), work)
    }

    fn term_to(monomial: &Monomial, value: &RBig, q: Exponent, work: &mut Work) -> Option<Self> {
        let mut out = if q.den == 1 {
            Self::constant(power(value, q.num)?)
        } else {
            let mut out = Self::int(1);
            let magnitude = if is_negative(value) {
                // Roots of even order are imaginary, those of odd order are taken real.
                if q.den == 2 {
                    out = Self::atom_to(Atom::I, Exponent::new(q.num, 1)?);
                    out = out.times(&Self::int(1), work)?;
                } else if q.den % 2 == 0 {
                    return None;
                } else if q.num % 2 != 0 {
                    out = Self::int(-1);
                }
                -value.clone()
            } else {
                value.clone()
            };
            for (prime, e) in factors(&magnitude, work)? {
                let e = Exponent::new(e, 1)?.times(q)?;
                let (factor, m) = monomial_product(&Vec::new(), &vec![(Atom::Prime(prime), e)])?;
                out = out.times(&Self { num: Poly::from([(m, factor)]), den: one() }, work)?;
            }
            out
        };
        if !monomial.is_empty() {
            let mut raised = Monomial::with_capacity(monomial.len());
            for (atom, e) in monomial {
                let power = e.times(q)?;
                // `√x²` is |x|, which an even power of it takes off again.
                let sign_is_lost = q.den % 2 == 0 && e.den % 2 == 1 && e.num % 2 == 0;
                if sign_is_lost && !(power.den % 2 == 1 && power.num % 2 == 0) && !atom.is_positive() {
                    let size = super::function("abs", vec![Self::atom(atom.clone())], work)?;
                    let power = RBig::from_parts_signed(power.num.into(), power.den.into());
                    out = out.times(&size.to_rational(&power, work)?, work)?;
                } else {
                    raised.push((atom.clone(), power));
                }
            }
            // Roots to a whole power are numbers and sums again.
            let raised = multiplied(&one(), &Poly::from([(raised, RBig::ONE)]), work)?;
            out = out.times(&Self { num: raised, den: one() }, work)?;
        }
        Some(out)
    }
}

pub(crate) fn one() -> Poly {
    Poly::from([(Vec::new(), RBig::ONE)])
}

pub(crate) fn is_one(poly: &Poly) -> bool {
    poly.len() == 1 && poly.get(&Vec::new()).is_some_and(RBig::is_one)
}

fn small(q: &RBig) -> Option<Exponent> {
    Exponent::new(i64::try_from(q.numerator()).ok()?, i64::try_from(q.denominator()).ok()?)
}

fn scaled(poly: &Poly, by: &RBig) -> Poly {
    if by.is_one() {
        return poly.clone();
    }
    poly.iter().map(|(m, c)| (m.clone(), c * by)).collect()
}

fn insert(poly: &mut Poly, monomial: Monomial, value: RBig) -> Option<()> {
    use std::collections::btree_map::Entry;
    if value.is_zero() {
        return Some(());
    }
    match poly.entry(monomial) {
        Entry::Vacant(entry) => _ = entry.insert(value),
        Entry::Occupied(mut entry) => {
            let sum = checked(entry.get() + value)?;
            if sum.is_zero() {
                entry.remove();
            } else {
                entry.insert(sum);
            }
        }
    }
    Some(())
}

fn add_to(poly: &mut Poly, other: &Poly) -> Option<()> {
    for (monomial, value) in other {
        insert(poly, monomial.clone(), value.clone())?;
    }
    Some(())
}

fn product(a: &Poly, b: &Poly, work: &mut Work) -> Option<Poly> {
    if is_one(a) {
        return Some(b.clone());
    }
    if is_one(b) {
        return Some(a.clone());
    }
    multiplied(a, b, work)
}

/// [`product`] of polynomials of which one may hold whole powers of roots: they become what they are.
fn multiplied(a: &Poly, b: &Poly, work: &mut Work) -> Option<Poly> {
    // Terms are copied for each product: what they hold counts, a product of two plain terms as one.
    let copied = weight(a).checked_mul(b.len())?.checked_add(weight(b).checked_mul(a.len())?)?;
    work.spend((copied / 4).max(a.len() * b.len()))?;
    let mut out = Poly::new();
    for (m, c) in a {
        for (n, d) in b {
            work.spend((bits(c) + bits(d)) / 256)?;
            let (factor, mut monomial) = monomial_product(m, n)?;
            let value = checked(c * d * factor)?;
            // A root of a sum that became whole is that sum.
            let whole =
                monomial.iter().position(|(atom, e)| matches!(atom, Atom::Sum(_)) && e.den == 1 && e.num > 0);
            if let Some(at) = whole {
                let (Atom::Sum(sum), e) = monomial.remove(at) else { unreachable!("found as a sum") };
                let mut expanded = Poly::from([(monomial, value)]);
                if e.num > MAX_EXPANDED {
                    return None;
                }
                for _ in 0..e.num {
                    expanded = product(&expanded, &sum, work)?;
                }
                add_to(&mut out, &expanded)?;
            } else {
                insert(&mut out, monomial, value)?;
            }
        }
    }
    Some(out)
}

/// Terms and all that stands in them.
fn weight(poly: &Poly) -> usize {
    let atom = |atom: &Atom| match atom {
        Atom::Prime(_) | Atom::I | Atom::Pi | Atom::E | Atom::Symbol(_) => 1,
        Atom::Sum(inner) => 1 + weight(inner),
        Atom::Power(base, exponent) => 1 + base.weight() + exponent.weight(),
        Atom::Function(_, args) => 1 + args.iter().map(Form::weight).sum::<usize>(),
    };
    poly.keys().map(|monomial| 1 + monomial.iter().map(|(a, _)| atom(a)).sum::<usize>()).sum()
}

/// The product of two terms, and the rational number that whole powers of primes and of i make.
fn monomial_product(a: &Monomial, b: &Monomial) -> Option<(RBig, Monomial)> {
    let mut out = Monomial::with_capacity(a.len() + b.len());
    let mut factor = RBig::ONE;
    let (mut left, mut right) = (a.iter().peekable(), b.iter().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (Some(x), Some(y)) => x.0.cmp(&y.0),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => break,
        };
        let (atom, mut exponent) = match order {
            Ordering::Less => left.next().expect("peeked").clone(),
            Ordering::Greater => right.next().expect("peeked").clone(),
            Ordering::Equal => {
                let (x, y) = (left.next().expect("peeked"), right.next().expect("peeked"));
                (x.0.clone(), x.1.plus(y.1)?)
            }
        };
        match &atom {
            Atom::Prime(p) => {
                let whole = exponent.num.div_euclid(exponent.den);
                exponent.num -= whole * exponent.den;
                if whole != 0 {
                    factor = checked(factor * power(&RBig::from(p.clone()), whole)?)?;
                }
            }
            Atom::I if exponent.den == 1 => {
                let turns = exponent.num.rem_euclid(4);
                if turns >= 2 {
                    factor = -factor;
                }
                exponent.num = turns % 2;
            }
            _ => (),
        }
        if exponent.num != 0 {
            out.push((atom, exponent));
        }
    }
    Some((factor, out))
}

/// Primes with exponents whose product is this positive number; a factor too large to split stands for itself.
pub(crate) fn factors(value: &RBig, work: &mut Work) -> Option<Vec<(UBig, i64)>> {
    // Up to 2048 divisions of a short number; of a long one few, and its roots.
    work.spend(if bits(value) > 32 { 8 + bits(value) / 64 } else { 1 })?;
    let mut out = Vec::new();
    for (number, sign) in [(value.numerator().clone().into_parts().1, 1), (value.denominator().clone(), -1)] {
        if let Ok(mut small) = u64::try_from(&number) {
            let mut factor = 2;
            while factor < MAX_FACTOR && factor * factor <= small {
                let mut e = 0;
                while small % factor == 0 {
                    small /= factor;
                    e += sign;
                }
                if e != 0 {
                    out.push((UBig::from(factor), e));
                }
                factor += if factor == 2 { 1 } else { 2 };
            }
            if small > 1 {
                out.push(unsplit(UBig::from(small), sign));
            }
        } else {
            let mut number = number;
            for factor in (2_u32..200).filter(|f| (2..*f).all(|d| f % d != 0)) {
                let factor = UBig::from(factor);
                let mut e = 0;
                while (&number % &factor).is_zero() {
                    number /= &factor;
                    e += sign;
                }
                if e != 0 {
                    out.push((factor, e));
                }
            }
            if !number.is_one() {
                out.push(unsplit(number, sign));
            }
        }
    }
    Some(out)
}

/// A number without small factors, as the square or cube that it may be.
fn unsplit(number: UBig, sign: i64) -> (UBig, i64) {
    for n in [2_u8, 3] {
        let root = number.nth_root(n.into());
        if root.pow(n.into()) == number {
            return (root, sign * i64::from(n));
        }
    }
    (number, sign)
}

/// A rational number that an integer power of ten scales: `digits × 10^exponent`.
pub(crate) fn decimal(digits: &str, exponent: i64) -> Option<RBig> {
    // Most numbers are short.
    if let (Ok(short @ ..=1_000_000_000_000), 0) = (digits.parse::<u64>(), exponent) {
        return Some(RBig::from(short));
    }
    let digits: IBig = if digits.is_empty() { IBig::ZERO } else { digits.parse().ok()? };
    if exponent.unsigned_abs() > 1000 {
        return digits.is_zero().then_some(RBig::ZERO);
    }
    let scale = power(&RBig::from(10), exponent)?;
    Some(RBig::from(digits) * scale)
}
