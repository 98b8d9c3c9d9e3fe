//! Interval arithmetic: bounds that hold, at any precision asked for.
//!
//! Every end is rounded outwards by `dashu-float`'s correctly rounded operations, so that two intervals that do not meet prove
//! two values different. What cannot be bounded (a division by an interval around 0, a logarithm of one, i, values beyond
//! e^±5000) has no interval, and neither has what costs more than [`Work`] allows.

use std::collections::BTreeMap;

use dashu_float::{
    FBig,
    round::mode::{Down, Up},
};
use dashu_int::{IBig, UBig};
use dashu_ratio::RBig;

use super::form::{Atom, Form, Poly, Work};

type Low = FBig<Down, 2>;
type High = FBig<Up, 2>;

/// Largest argument of an exponential.
const MAX_EXPONENT: i64 = 5000;

/// All values between two bounds.
#[derive(Clone, Debug)]
pub(crate) struct Interval {
    low: Low,
    high: High,
    precision: usize,
}

/// What symbols stand for.
pub(crate) type Values<'v> = &'v dyn Fn(&str) -> Option<RBig>;

impl Interval {
    fn new(low: Low, high: High, precision: usize) -> Option<Self> {
        let finite = low.repr().is_finite() && high.repr().is_finite();
        finite.then_some(Self { low, high, precision })
    }

    fn int(value: &IBig, precision: usize) -> Option<Self> {
        let low = Low::from(value.clone()).with_precision(precision).value();
        let high = High::from(value.clone()).with_precision(precision).value();
        Self::new(low, high, precision)
    }

    pub(crate) fn rational(value: &RBig, precision: usize) -> Option<Self> {
        let above = Self::int(value.numerator(), precision)?;
        if value.is_int() {
            return Some(above);
        }
        let below: IBig = value.denominator().clone().into();
        above.over(&Self::int(&below, precision)?)
    }

    fn pi(precision: usize) -> Option<Self> {
        Self::new(Low::pi(precision), High::pi(precision), precision)
    }

    fn plus(&self, other: &Self) -> Option<Self> {
        Self::new(&self.low + &other.low, &self.high + &other.high, self.precision)
    }

    fn negated(&self) -> Option<Self> {
        let low = -self.high.clone().with_rounding::<Down>();
        let high = -self.low.clone().with_rounding::<Up>();
        Self::new(low, high, self.precision)
    }

    fn times(&self, other: &Self) -> Option<Self> {
        let (a, b) = (&self.low, self.high.clone().with_rounding::<Down>());
        let (c, d) = (&other.low, other.high.clone().with_rounding::<Down>());
        let low = [a * c, a * &d, &b * c, &b * &d].into_iter().reduce(Low::min_of)?;
        let (a, b) = (self.low.clone().with_rounding::<Up>(), &self.high);
        let (c, d) = (other.low.clone().with_rounding::<Up>(), &other.high);
        let high = [&a * &c, &a * d, b * &c, b * d].into_iter().reduce(High::max_of)?;
        Self::new(low, high, self.precision)
    }

    fn over(&self, other: &Self) -> Option<Self> {
        other.sign()?;
        let (one_low, one_high) = (Low::from(1).with_precision(self.precision).value(), High::from(1));
        let one_high = one_high.with_precision(self.precision).value();
        let inverse = Self::new(
            one_low / other.high.clone().with_rounding::<Down>(),
            one_high / other.low.clone().with_rounding::<Up>(),
            self.precision,
        )?;
        self.times(&inverse)
    }

    /// Whether all values are above (1) or below (-1) 0.
    pub(crate) fn sign(&self) -> Option<i32> {
        if self.low > Low::ZERO {
            Some(1)
        } else if self.high < High::ZERO {
            Some(-1)
        } else {
            None
        }
    }

    fn power(&self, exponent: i64) -> Option<Self> {
        if exponent == 1 {
            return Some(self.clone());
        }
        let n = exponent.unsigned_abs();
        let largest = self.magnitude_bits().checked_mul(i64::try_from(n).ok()?)?;
        if largest > 16384 {
            return None;
        }
        let mut out = Self::int(&IBig::ONE, self.precision)?;
        let (mut square, mut n) = (self.clone(), n);
        while n > 0 {
            if n % 2 == 1 {
                out = out.times(&square)?;
            }
            n /= 2;
            if n > 0 {
                square = square.times(&square)?;
            }
        }
        if exponent < 0 { Self::int(&IBig::ONE, self.precision)?.over(&out) } else { Some(out) }
    }

    /// Bits before the point, at most; negative for small numbers.
    fn magnitude_bits(&self) -> i64 {
        let of = |digits: usize, exponent: isize| digits as i64 + exponent as i64;
        let low = of(self.low.digits(), self.low.repr().exponent());
        let high = of(self.high.digits(), self.high.repr().exponent());
        low.abs().max(high.abs())
    }

    fn root(&self, n: i64) -> Option<Self> {
        let n = usize::try_from(n).ok().filter(|n| (1..=64).contains(n))?;
        if self.low < Low::ZERO {
            return None;
        }
        Self::new(self.low.nth_root(n), self.high.nth_root(n), self.precision)
    }

    fn exp(&self) -> Option<Self> {
        if self.high > High::from(MAX_EXPONENT) || self.low < Low::from(-MAX_EXPONENT) {
            return None;
        }
        let width = self.width();
        if width > High::from(1) {
            return Self::new(self.low.exp(), self.high.exp(), self.precision);
        }
        // e^(x+w) is at most e^x (1 + 2w) up to a width of 1.
        let low = self.low.exp();
        let high = self.next(&low) * (High::from(1) + &width + &width);
        Self::new(low, high, self.precision)
    }

    fn ln(&self) -> Option<Self> {
        if self.low <= Low::ZERO {
            return None;
        }
        // Nowhere steeper than at the lower end, where it is 1/x.
        let low = self.low.ln();
        let high = self.next(&low) + self.width() / self.low.clone().with_rounding::<Up>();
        Self::new(low, high, self.precision)
    }

    /// A function that changes by at most as much as its argument: its value at one end, give or take the width.
    fn smooth(&self, function: impl Fn(&Low) -> Low) -> Option<Self> {
        if self.magnitude_bits() > 64 {
            return None;
        }
        let (value, width) = (function(&self.low), self.width());
        let high = self.next(&value) + &width;
        Self::new(value - width.with_rounding::<Down>(), high, self.precision)
    }

    fn width(&self) -> High {
        &self.high - self.low.clone().with_rounding::<Up>()
    }

    /// What a value that was rounded downwards is at most before it was: functions cost too much to be taken twice.
    fn next(&self, rounded: &Low) -> High {
        let value = rounded.clone().with_rounding::<Up>();
        let bits = rounded.precision().clamp(1, self.precision);
        // One unit in the last place is at most that share of the value.
        let share = High::from_parts(IBig::ONE, 1 - bits as isize);
        let size = if value < High::ZERO { -value.clone() } else { value.clone() };
        value + size * share
    }

    fn function(name: &str, args: &[Self]) -> Option<Self> {
        let [x] = args else { return None };
        let within = |x: &Self| x.low >= Low::from(-1) && x.high <= High::from(1);
        match name {
            "ln" => x.ln(),
            "sin" => x.smooth(Low::sin),
            "cos" => x.smooth(Low::cos),
            "arctan" => x.smooth(Low::atan),
            "arcsin" if within(x) => Self::new(x.low.asin(), x.high.asin(), x.precision),
            "arccos" if within(x) => {
                let low = x.high.clone().with_rounding::<Down>().acos();
                Self::new(low, x.low.clone().with_rounding::<Up>().acos(), x.precision)
            }
            "abs" => match x.sign() {
                Some(1) => Some(x.clone()),
                Some(_) => x.negated(),
                None => None,
            },
            _ => None,
        }
    }

    /// The nearest whole number below, where all values have the same.
    pub(crate) fn floor(&self) -> Option<IBig> {
        let floor = |x: &Low| x.clone().floor().to_int().value();
        let (low, high) = (floor(&self.low), floor(&self.high.clone().with_rounding::<Down>()));
        (low == high).then_some(low)
    }

    /// Some value in it, as good as `f64` holds.
    pub(crate) fn middle(&self) -> f64 {
        f64::midpoint(self.low.to_f64().value(), self.high.to_f64().value())
    }

    /// The value of a form.
    pub(crate) fn of(form: &Form, precision: usize, values: Values, work: &mut Work) -> Option<Self> {
        Evaluation { precision, values, known: BTreeMap::new(), work }.form(form)
    }
}

/// Evaluates a form at one precision. Each atom is bounded once, however many terms it stands in.
struct Evaluation<'f, 'v> {
    precision: usize,
    values: Values<'v>,
    known: BTreeMap<&'f Atom, Option<Interval>>,
    work: &'v mut Work,
}

impl<'f> Evaluation<'f, '_> {
    fn form(&mut self, form: &'f Form) -> Option<Interval> {
        let num = self.poly(&form.num)?;
        if super::form::is_one(&form.den) {
            return Some(num);
        }
        num.over(&self.poly(&form.den)?)
    }

    fn poly(&mut self, poly: &'f Poly) -> Option<Interval> {
        let product = 3 + self.precision / 100;
        let mut sum = Interval::int(&IBig::ZERO, self.precision)?;
        for (monomial, value) in poly {
            self.work.bound(product)?;
            let mut term = Interval::rational(value, self.precision)?;
            for (atom, exponent) in monomial {
                let base = self.atom(atom)?;
                let squarings = exponent.num.unsigned_abs().checked_ilog2().unwrap_or(0) as usize;
                self.work.bound(product * (1 + 2 * squarings))?;
                let power = base.power(exponent.num)?;
                term = term.times(&if exponent.den == 1 {
                    power
                } else {
                    self.work.bound(usize::try_from(exponent.den).ok()? * product)?;
                    base_root(&base, &power, exponent.den)?
                })?;
            }
            sum = sum.plus(&term)?;
        }
        Some(sum)
    }

    fn atom(&mut self, atom: &'f Atom) -> Option<Interval> {
        if let Some(known) = self.known.get(atom) {
            return known.clone();
        }
        let value = self.new_atom(atom);
        self.known.insert(atom, value.clone());
        value
    }

    fn new_atom(&mut self, atom: &'f Atom) -> Option<Interval> {
        self.work.bound(cost(atom, self.precision))?;
        match atom {
            Atom::Prime(p) => Interval::int(&IBig::from(UBig::clone(p)), self.precision),
            Atom::I => None,
            Atom::Pi => Interval::pi(self.precision),
            Atom::E => Interval::int(&IBig::ONE, self.precision)?.exp(),
            Atom::Symbol(name) => Interval::rational(&(self.values)(name)?, self.precision),
            Atom::Sum(poly) => self.poly(poly),
            Atom::Power(base, exponent) => {
                let exponent = self.form(exponent)?;
                if **base == Form::atom(Atom::E) {
                    return exponent.exp();
                }
                exponent.times(&self.form(base)?.ln()?)?.exp()
            }
            Atom::Function(name, args) => {
                let args: Option<Vec<Interval>> = args.iter().map(|arg| self.form(arg)).collect();
                Interval::function(name, &args?)
            }
        }
    }
}

/// What bounding an atom costs, in microseconds of processor time: as `dashu-float` 0.6 was measured at 128, 192 and 1024 bits.
fn cost(atom: &Atom, precision: usize) -> usize {
    let (exp, ln, inverse) = (60 + precision / 5, 60 + precision * 7 / 10, 100 + precision * 8 / 5);
    match atom {
        Atom::Prime(_) | Atom::I | Atom::Symbol(_) | Atom::Sum(_) => 1,
        Atom::Pi => 10,
        Atom::E => exp,
        Atom::Power(..) => exp + ln,
        Atom::Function(name, _) => match &**name {
            "ln" => ln,
            "sin" | "cos" => exp,
            "arcsin" | "arccos" | "arctan" => inverse,
            _ => 1,
        },
    }
}

/// The root of a power, real only.
fn base_root(base: &Interval, power: &Interval, n: i64) -> Option<Interval> {
    // Of a negative base only the sign of its power is known to be right.
    if base.sign() == Some(-1) {
        return None;
    }
    power.root(n)
}

/// The smaller and the larger of two; `FBig` has only a partial order with itself.
trait Pick: Sized {
    fn min_of(self, other: Self) -> Self;
    fn max_of(self, other: Self) -> Self;
}

impl<R: dashu_float::round::Round> Pick for FBig<R, 2> {
    fn min_of(self, other: Self) -> Self {
        if other < self { other } else { self }
    }

    fn max_of(self, other: Self) -> Self {
        if other > self { other } else { self }
    }
}
