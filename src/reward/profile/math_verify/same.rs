//! What math-verify calls equal.

use dashu_int::UBig;
use dashu_ratio::RBig;

use super::latex::COMPLEX;
use crate::reward::math::{
    Division, Expr, Relation, equal,
    form::{Atom, Exponent, Form, Work},
    in_floats,
    interval::Interval,
    rounded_root,
    sets::{self, order},
};

/// Whether an expression is made of symbols only.
pub(super) fn is_name(expr: &Expr) -> bool {
    match expr {
        Expr::Symbol(_) => true,
        Expr::Product(all) | Expr::Sum(all) | Expr::Tuple('t', all, 't') => all.iter().all(is_name),
        Expr::Quotient(a, b) => is_name(a) && is_name(b),
        Expr::Function(name, args) => *name != "of a number" && args.iter().all(is_name),
        _ => false,
    }
}

/// An interval as sympy makes it: of one point a set, of none the empty set, backwards and open a pair.
pub(super) fn interval(open: char, left: Expr, right: Expr, close: char, work: &mut Work) -> Expr {
    let order = match (infinite(&left), infinite(&right)) {
        (None, None) => left.form(work).zip(right.form(work)).and_then(|(a, b)| order(&a, &b, work)),
        (a, b) => Some(a.unwrap_or(0).cmp(&b.unwrap_or(0))),
    };
    let (open_left, open_right) = (open == '(', close == ')');
    match order {
        Some(std::cmp::Ordering::Greater) if open_left == open_right => {
            Expr::Tuple('t', vec![left, right], 't')
        }
        Some(std::cmp::Ordering::Equal) if open_left && open_right => {
            Expr::Tuple('t', vec![left, right], 't')
        }
        Some(std::cmp::Ordering::Equal) if !open_left && !open_right => Expr::Set(vec![left]),
        Some(std::cmp::Ordering::Greater | std::cmp::Ordering::Equal) => Expr::Set(Vec::new()),
        _ => {
            // An end at infinity is always open.
            let open = if infinite(&left).is_some() { '(' } else { open };
            let close = if infinite(&right).is_some() { ')' } else { close };
            Expr::Tuple(open, vec![left, right], close)
        }
    }
}

/// The sign of what is infinite: ∞, and sums and multiples of it.
fn infinite(expr: &Expr) -> Option<i32> {
    match expr {
        Expr::Infinity => Some(1),
        Expr::Negative(inner) => infinite(inner).map(|sign| -sign),
        Expr::Sum(terms) => {
            let mut signs = terms.iter().filter_map(infinite);
            let first = signs.next()?;
            signs.all(|sign| sign == first).then_some(first)
        }
        Expr::Product(factors) => {
            let mut sign = None;
            let mut others = 1;
            for factor in factors {
                match (infinite(factor), factor) {
                    (Some(own), _) => sign = Some(sign.unwrap_or(1) * own),
                    (None, Expr::Number(n) | Expr::Decimal(n)) if *n > RBig::ZERO => (),
                    (None, Expr::Number(n) | Expr::Decimal(n)) if *n < RBig::ZERO => others = -others,
                    _ => return None,
                }
            }
            sign.map(|sign| sign * others)
        }
        _ => None,
    }
}

/// A multiple of a matrix, multiplied out.
fn multiplied(expr: &Expr) -> Option<Expr> {
    let each = |rows: &[Vec<Expr>], of: &dyn Fn(&Expr) -> Expr| {
        Expr::Matrix(rows.iter().map(|row| row.iter().map(of).collect()).collect())
    };
    let is_matrix = |e: &Expr| matches!(e, Expr::Matrix(_));
    match expr {
        Expr::Negative(inner) => match &**inner {
            Expr::Matrix(rows) => Some(each(rows, &|e| Expr::Negative(e.clone().into()))),
            _ => None,
        },
        Expr::Product(factors) if factors.iter().filter(|f| is_matrix(f)).count() == 1 => {
            let at = factors.iter().position(is_matrix)?;
            let Expr::Matrix(rows) = &factors[at] else { return None };
            let scalars = |e: &Expr| {
                let mut all = factors.clone();
                all[at] = e.clone();
                Expr::Product(all)
            };
            Some(each(rows, &scalars))
        }
        _ => None,
    }
}

/// The value of a root of a decimal, alone or as a factor: sympy takes it at once, where it leaves those inside of fractions exact.
fn rounded_factor(expr: &Expr, work: &mut Work) -> Option<f64> {
    let mut root = |e: &Expr| matches!(e, Expr::Root(2, _)) && rounded_root(e, work);
    let rounded = match expr {
        Expr::Product(factors) => factors.iter().any(root),
        one => root(one),
    };
    if rounded { in_floats(expr, Division::ByReciprocal, work) } else { None }
}

fn is_equation(expr: &Expr) -> bool {
    matches!(expr, Expr::Relation(_, signs) if signs.iter().all(|s| *s == Relation::Equal))
}

fn is_assignment(expr: &Expr) -> bool {
    is_equation(expr) && matches!(expr, Expr::Relation(sides, _) if is_name(&sides[0]))
}

fn last_side(expr: &Expr) -> &Expr {
    match expr {
        Expr::Relation(sides, _) => sides.last().expect("a relation has sides"),
        other => other,
    }
}

/// Only the first and the last side of an assignment count.
fn shortened(expr: &Expr) -> Expr {
    match expr {
        Expr::Relation(sides, _) if is_assignment(expr) => {
            Expr::Relation(vec![sides[0].clone(), last_side(expr).clone()], vec![Relation::Equal])
        }
        other => other.clone(),
    }
}

fn is_set(expr: &Expr) -> bool {
    matches!(expr, Expr::Set(_) | Expr::Tuple(..) | Expr::SetOperation(..) | Expr::NamedSet(_))
}

pub(super) fn same(gold: &Expr, answer: &Expr) -> bool {
    compare(gold, answer, &mut Work::new())
}

fn compare(gold: &Expr, answer: &Expr, work: &mut Work) -> bool {
    if work.spend(2).is_none() {
        return false;
    }
    let (gold_named, answer_equation) = (is_assignment(gold), is_equation(answer));
    let (mut gold, mut answer) = (shortened(gold), shortened(answer));
    if answer_equation && !is_equation(&gold) {
        answer = last_side(&answer).clone();
    } else if gold_named && !answer_equation {
        gold = last_side(&gold).clone();
    }
    if matches!(&gold, Expr::Relation(..))
        && is_set(&answer)
        && !matches!(answer, Expr::Tuple('t', ..))
        && let Some(set) = as_set(&gold, work)
    {
        gold = set;
    }
    if gold == answer {
        return true;
    }
    match (&gold, &answer) {
        (Expr::Relation(a, s), Expr::Relation(b, t)) => return relations(a, s, b, t, work),
        // A relation in several names has no set of its own to compare: it stands as the only member.
        (relation @ Expr::Relation(..), set) | (set, relation @ Expr::Relation(..))
            if !is_set(set) || names(relation) < 2 =>
        {
            return false;
        }
        _ => (),
    }
    if is_set(&gold) || is_set(&answer) {
        return sets(&gold, &answer, work);
    }
    if matches!(gold, Expr::Symbol(_)) || matches!(answer, Expr::Symbol(_)) {
        return symbols(&gold, &answer);
    }
    scalars(&gold, &answer, work)
}

fn symbols(gold: &Expr, answer: &Expr) -> bool {
    let text = |e: &Expr| match e {
        Expr::Symbol(name) => Some(name.trim_end_matches(COMPLEX).to_owned()),
        Expr::E => Some("e".to_owned()),
        _ => None,
    };
    match (text(gold), text(answer)) {
        (Some(a), Some(b)) => a == b,
        (Some(name), None) | (None, Some(name)) => {
            let other = if text(gold).is_some() { answer } else { gold };
            // A number in a text command is a name that looks like one.
            if let Expr::Number(number) = other {
                return number.to_string() == name;
            }
            let Expr::Product(all) = other else { return false };
            let letters: Option<String> = all.iter().map(text).collect();
            letters.is_some_and(|letters| letters.to_lowercase() == name.to_lowercase())
        }
        (None, None) => false,
    }
}

/// The number in a percentage, or the number.
fn hundredths(expr: &Expr) -> &Expr {
    match expr {
        Expr::Percent(inner) => inner,
        other => other,
    }
}

fn scalars(gold: &Expr, answer: &Expr, work: &mut Work) -> bool {
    if infinite(gold).is_some() || infinite(answer).is_some() {
        return infinite(gold) == infinite(answer);
    }
    if let Some(gold) = multiplied(gold) {
        return scalars(&gold, answer, work);
    }
    if let Some(answer) = multiplied(answer) {
        return scalars(gold, &answer, work);
    }
    if let (Expr::Matrix(a), Expr::Matrix(b)) = (gold, answer) {
        return a.len() == b.len()
            && a.iter().zip(b).all(|(a, b)| {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| *a == *b || scalars(a, b, work))
            });
    }
    if let (Expr::Number(a), Expr::Number(b)) = (hundredths(gold), hundredths(answer))
        && a.is_int()
        && b.is_int()
        && a == b
    {
        return true;
    }
    let float = |e: &Expr| matches!(hundredths(e), Expr::Decimal(_));
    let any_float = |e: &Expr| e.any(&mut |e| matches!(e, Expr::Decimal(_)));
    if !float(gold) && !float(answer) {
        for (rounded, exact) in [(gold, answer), (answer, gold)] {
            if let Some(value) = rounded_factor(rounded, work)
                && !rounded_root(exact, work)
                && let (Some(exact), Ok(value)) = (form(exact, work), RBig::try_from(value))
            {
                // What the difference is chopped at: 2^-54.
                let apart = exact
                    .plus(&Form::constant(-value), work)
                    .and_then(|d| Interval::of(&d, 256, &|_| None, work));
                return apart.is_some_and(|apart| apart.middle().abs() < 0.5_f64.powi(54));
            }
        }
        for (exact, other) in [(gold, answer), (answer, gold)] {
            let in_parts = matches!(exact, Expr::Product(_) | Expr::Power(..) | Expr::Negative(_));
            let whole = |form: Form| form.rational().is_some_and(|value| value.is_int());
            if (matches!(exact, Expr::Number(_)) || in_parts && form(exact, work).is_some_and(whole))
                && !any_float(exact)
                && any_float(other)
                && let (Some(a), Some(b)) = (
                    in_floats(exact, Division::ByReciprocal, work),
                    in_floats(other, Division::ByReciprocal, work),
                )
            {
                return a == b;
            }
        }
    }
    // Products of floats are worked out as they are written, and rounded on the way.
    if let (Expr::Product(_), Expr::Product(_)) = (gold, answer)
        && any_float(gold)
        && any_float(answer)
        && let (Some(a), Some(b)) =
            (in_floats(gold, Division::ByReciprocal, work), in_floats(answer, Division::ByReciprocal, work))
    {
        return a == b;
    }
    let (Some(a), Some(b)) = (form(gold, work), form(answer, work)) else { return false };
    if float(gold) || float(answer) {
        let whole = |form: &Form| form.rational().filter(RBig::is_int);
        // A float is never the same object as a whole number; the difference of both is looked at then.
        let exact = |of: &Expr| !matches!(of, Expr::Decimal(_) | Expr::Percent(_));
        let apart = exact(gold) && whole(&a).is_some() || exact(answer) && whole(&b).is_some();
        if !apart
            && let (Some(a), Some(b)) = (rounded(&a, work), rounded(&b, work))
            && a == b
        {
            return true;
        }
    }
    if equal(&a, &b, work) {
        return true;
    }
    // Floats inside of expressions are compared to fifteen digits.
    if any_float(gold) || any_float(answer) {
        if let (Some(x), Some(y)) = (a.rational(), b.rational())
            && (float(gold) || float(answer))
        {
            // As precise as the longer of both is written, and fifteen digits at least.
            let digits =
                [&x, &y].map(|v| v.numerator().to_string().len()).into_iter().max().unwrap_or(0).max(15);
            let bound = RBig::from_parts(1.into(), UBig::from(10_u8).pow(digits));
            let size = |value: RBig| if value < RBig::ZERO { -value } else { value };
            return size(&x - &y) <= bound * size(x).max(size(y));
        }
        let mut value = |form: &Form| Interval::of(form, 128, &|_| None, work).map(|i| i.middle());
        if let (Some(x), Some(y)) = (value(&a), value(&b)) {
            let atom = float(gold) || float(answer);
            return (x - y).abs() <= if atom { 1e-15 } else { 1e-14 } * x.abs().max(y.abs()).max(1e-300);
        }
    }
    false
}

/// The form; of what no function defines the name is its own.
fn form(expr: &Expr, work: &mut Work) -> Option<Form> {
    let form = expr.form(work)?;
    // Roots of negative numbers of odd order are complex to sympy.
    let mut complex = false;
    expr.any(&mut |e| {
        if let Expr::Power(base, exponent) = e
            && let (Some(base), Some(exponent)) = (base.form(work), exponent.form(work))
            && let (Some(base), Some(exponent)) = (base.rational(), exponent.rational())
            && base < RBig::ZERO
            && !exponent.is_int()
            && *exponent.denominator() != UBig::from(2_u8)
        {
            complex = true;
        }
        // To sympy `√s³` is neither s√s nor s^{3/2} where s may be negative; only of even powers an even root is simpler.
        let (base, index) = match e {
            Expr::Root(n, base) => (base, UBig::from(*n)),
            Expr::Power(base, exponent) => {
                let exponent = exponent.form(work).and_then(|exponent| exponent.rational());
                (base, exponent.map_or(UBig::ONE, |exponent| exponent.denominator().clone()))
            }
            _ => return false,
        };
        let even = &index % UBig::from(2_u8) == UBig::ZERO;
        let stays = |(atom, e): &(Atom, Exponent)| {
            matches!(atom, Atom::Symbol(_)) && e.den == 1 && e.num.abs() > 1 && !(even && e.num % 2 == 0)
        };
        complex |= index != UBig::ONE
            && base.form(work).is_some_and(|base| base.single().is_some_and(|(m, _)| m.iter().any(stays)));
        false
    });
    if complex {
        return Some(Form::atom(Atom::Function("complex".into(), vec![form])));
    }
    Some(form)
}

/// Rounded to six decimals, in millionths.
fn rounded(form: &Form, work: &mut Work) -> Option<dashu_int::IBig> {
    let million = RBig::from(1_000_000);
    if let Some(value) = form.rational() {
        return Some(half_even(&(value * million)));
    }
    let value = Interval::of(form, 128, &|_| None, work)?.middle();
    let exact = RBig::try_from(value).ok()?;
    Some(half_even(&(exact * million)))
}

fn half_even(value: &RBig) -> dashu_int::IBig {
    let floor = value.floor();
    let rest = value - RBig::from(floor.clone());
    let half = RBig::from_parts(1.into(), 2_u8.into());
    let odd = &floor % dashu_int::IBig::from(2) != dashu_int::IBig::ZERO;
    if rest > half || (rest == half && odd) { floor + dashu_int::IBig::ONE } else { floor }
}

/// The members of a set or tuple, in the order sympy compares them.
fn ordered(all: &[Expr], work: &mut Work) -> Vec<Expr> {
    let mut out: Vec<Expr> = Vec::new();
    for one in all {
        if !out.contains(one) {
            out.push(one.clone());
        }
    }
    let key = |e: &Expr, work: &mut Work| {
        let value = last_side(e);
        value.form(work).and_then(|f| Interval::of(&f, 96, &|_| None, work)).map(|i| i.middle())
    };
    let mut keyed: Vec<(Option<f64>, String, Expr)> =
        out.into_iter().map(|e| (key(&e, work), format!("{:?}", last_side(&e)), e)).collect();
    keyed.sort_by(|a, b| match (a.0, b.0) {
        (Some(x), Some(y)) => x.total_cmp(&y),
        (Some(_), None) => std::cmp::Ordering::Less,
        (None, Some(_)) => std::cmp::Ordering::Greater,
        (None, None) => a.1.cmp(&b.1),
    });
    keyed.into_iter().map(|(_, _, e)| e).collect()
}

fn sets(gold: &Expr, answer: &Expr, work: &mut Work) -> bool {
    let single = |e: &Expr| if is_set(e) { e.clone() } else { Expr::Set(vec![e.clone()]) };
    let (gold, answer) = (single(gold), single(answer));
    let pairwise = |a: &[Expr], b: &[Expr], work: &mut Work| {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| compare(a, b, work))
    };
    match (&gold, &answer) {
        (Expr::Set(a), Expr::Set(b)) => {
            let (a, b) = (ordered(a, work), ordered(b, work));
            pairwise(&a, &b, work) || same_without_order(&a, &b, work)
        }
        // The set is put in order only where the answer is one.
        (Expr::Tuple('t', a, _), Expr::Tuple('t', b, _) | Expr::Set(b))
        | (Expr::Set(a), Expr::Tuple('t', b, _)) => pairwise(a, b, work),
        (Expr::Tuple(a, left, b), Expr::Tuple(c, right, d)) if *a != 't' && *c != 't' => {
            a == c && b == d && pairwise(left, right, work)
        }
        // An open interval may have been meant as a pair.
        (Expr::Tuple('(', left, ')'), Expr::Tuple('t', right, _) | Expr::Set(right))
        | (Expr::Tuple('t', left, _), Expr::Tuple('(', right, ')')) => pairwise(left, right, work),
        (Expr::Set(left), Expr::Tuple('(', right, ')')) => pairwise(&ordered(left, work), right, work),
        (Expr::SetOperation(s, a, b), Expr::SetOperation(t, c, d)) if s == t => {
            let (mut left, mut right) = (Vec::new(), Vec::new());
            operands(&gold, &mut left);
            operands(&answer, &mut right);
            let alike = if *s == '∖' {
                compare(a, c, work) && compare(b, d, work)
            } else {
                left.len() == right.len() && same_without_order(&left, &right, work)
            };
            alike || same_reals(&gold, &answer, work)
        }
        (Expr::SetOperation(..), _) | (_, Expr::SetOperation(..)) => same_reals(&gold, &answer, work),
        (Expr::NamedSet(a), Expr::NamedSet(b)) => a == b,
        (Expr::NamedSet('ℝ'), Expr::Tuple('(', ends, ')'))
        | (Expr::Tuple('(', ends, ')'), Expr::NamedSet('ℝ')) => {
            infinite(&ends[0]) == Some(-1) && infinite(&ends[1]) == Some(1)
        }
        _ => false,
    }
}

/// Whether two sets of which one is put together are the same: sympy works out unions, and what is left of an interval.
fn same_reals(gold: &Expr, answer: &Expr, work: &mut Work) -> bool {
    fn worked_out(expr: &Expr) -> bool {
        match expr {
            Expr::SetOperation('∪', a, b) => worked_out(a) && worked_out(b),
            Expr::SetOperation('∖', a, b) => {
                matches!(**a, Expr::NamedSet('ℝ') | Expr::Tuple('(' | '[', ..)) && worked_out(b)
            }
            Expr::SetOperation(..) => false,
            _ => true,
        }
    }
    worked_out(gold)
        && worked_out(answer)
        && matches!((sets::real(gold, work), sets::real(answer, work)), (Some(a), Some(b)) if sets::same(&a, &b, work))
}

/// Different names in an expression.
fn names(expr: &Expr) -> usize {
    let mut found: Vec<Box<str>> = Vec::new();
    expr.any(&mut |e| {
        if let Expr::Symbol(name) = e
            && !found.contains(name)
        {
            found.push(name.clone());
        }
        false
    });
    found.len()
}

fn same_without_order(a: &[Expr], b: &[Expr], work: &mut Work) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut used = vec![false; b.len()];
    a.iter().all(|x| {
        let found = (0..b.len()).find(|&i| !used[i] && compare(x, &b[i], work));
        found.map(|i| used[i] = true).is_some()
    })
}

fn operands(expr: &Expr, out: &mut Vec<Expr>) {
    match expr {
        Expr::SetOperation('∪' | '∩', a, b) => {
            operands(a, out);
            operands(b, out);
        }
        other => out.push(other.clone()),
    }
}

/// The set that an inequality describes.
fn as_set(relation: &Expr, work: &mut Work) -> Option<Expr> {
    use Relation::{Equal, Greater, GreaterEqual, Less, LessEqual};
    let Expr::Relation(sides, signs) = relation else { return None };
    let minus = || Expr::Negative(Expr::Infinity.into());
    let bracket = |strict: bool, open: bool| match (strict, open) {
        (true, true) => '(',
        (true, false) => ')',
        (false, true) => '[',
        (false, false) => ']',
    };
    let symbol = |e: &Expr| matches!(e, Expr::Symbol(_));
    match (sides.as_slice(), signs.as_slice()) {
        ([a, b], [sign]) if symbol(a) != symbol(b) && (!a.has_symbols() || !b.has_symbols()) => {
            let (bound, sign) = if symbol(a) { (b, *sign) } else { (a, sign.turned()) };
            match sign {
                Less | LessEqual => {
                    Some(interval('(', minus(), bound.clone(), bracket(sign == Less, false), work))
                }
                Greater | GreaterEqual => {
                    Some(interval(bracket(sign == Greater, true), bound.clone(), Expr::Infinity, ')', work))
                }
                Equal => Some(Expr::Set(vec![bound.clone()])),
                Relation::Unequal => Some(Expr::SetOperation(
                    '∪',
                    Expr::Tuple('(', vec![minus(), bound.clone()], ')').into(),
                    Expr::Tuple('(', vec![bound.clone(), Expr::Infinity], ')').into(),
                )),
            }
        }
        ([low, name, high], [s, t]) if symbol(name) && !low.has_symbols() && !high.has_symbols() => {
            match (s, t) {
                (Less | LessEqual, Less | LessEqual) => Some(interval(
                    bracket(*s == Less, true),
                    low.clone(),
                    high.clone(),
                    bracket(*t == Less, false),
                    work,
                )),
                (Greater | GreaterEqual, Greater | GreaterEqual) => Some(interval(
                    bracket(*t == Greater, true),
                    high.clone(),
                    low.clone(),
                    bracket(*s == Greater, false),
                    work,
                )),
                _ => None,
            }
        }
        _ => solved(sides, signs, work),
    }
}

/// The numbers that fulfil an inequality in one name: linear, quadratic, of the absolute value of something linear, or a chain with
/// something linear in the middle; with rational coefficients.
fn solved(sides: &[Expr], signs: &[Relation], work: &mut Work) -> Option<Expr> {
    use Relation::{Greater, GreaterEqual, Less, LessEqual};
    let number = |value: RBig| Expr::Number(value);
    // Between two ends, or outside of them.
    let between = |low: Expr, high: Expr, sign: Relation, work: &mut Work| {
        let minus = || Expr::Negative(Expr::Infinity.into());
        match sign {
            Less => Some(interval('(', low, high, ')', work)),
            LessEqual => Some(interval('[', low, high, ']', work)),
            Greater | GreaterEqual => {
                let (open, close) = if sign == Greater { ('(', ')') } else { ('[', ']') };
                let below = interval('(', minus(), low, close, work);
                let above = interval(open, high, Expr::Infinity, ')', work);
                Some(Expr::SetOperation('∪', below.into(), above.into()))
            }
            _ => None,
        }
    };
    match (sides, signs) {
        ([left, right], [sign]) => {
            let difference = form(left, work)?.plus(&form(right, work)?.negated(), work)?;
            let Coefficients { square, linear, constant, size } = Coefficients::of(&difference)?;
            if let Some((factor, inside)) = size {
                let Coefficients { square: None, linear: Some(slope), constant: at, size: None } =
                    Coefficients::of(&inside)?
                else {
                    return None;
                };
                let sign = if factor < RBig::ZERO { sign.turned() } else { *sign };
                let bound = -constant / factor;
                if square.is_some() || linear.is_some() || bound <= RBig::ZERO {
                    return None;
                }
                let ends = [(-bound.clone() - &at) / &slope, (bound - at) / slope];
                let [low, high] = if ends[0] < ends[1] {
                    ends
                } else {
                    let [a, b] = ends;
                    [b, a]
                };
                return between(number(low), number(high), sign, work);
            }
            let Some(square) = square else {
                let slope = linear?;
                let sign = if slope < RBig::ZERO { sign.turned() } else { *sign };
                let name = Expr::Symbol("x".into());
                return as_set(&Expr::Relation(vec![name, number(-constant / slope)], vec![sign]), work);
            };
            let linear = linear.unwrap_or(RBig::ZERO);
            let below_root = &linear * &linear - RBig::from(4) * &square * constant;
            if below_root <= RBig::ZERO {
                return None;
            }
            let root = Expr::Root(2, number(below_root).into());
            let sign = if square < RBig::ZERO { sign.turned() } else { *sign };
            let (twice, middle) = if square < RBig::ZERO {
                (RBig::from(-2) * square, linear)
            } else {
                (RBig::from(2) * square, -linear)
            };
            let end = |root: Expr| {
                Expr::Quotient(
                    Expr::Sum(vec![number(middle.clone()), root]).into(),
                    number(twice.clone()).into(),
                )
            };
            between(end(Expr::Negative(root.clone().into())), end(root), sign, work)
        }
        ([low, middle, high], [a, b]) => {
            let upwards = matches!((a, b), (Less | LessEqual, Less | LessEqual));
            if !upwards && !matches!((a, b), (Greater | GreaterEqual, Greater | GreaterEqual)) {
                return None;
            }
            let inside = form(middle, work)?;
            let Coefficients { square: None, linear: Some(slope), constant, size: None } =
                Coefficients::of(&inside)?
            else {
                return None;
            };
            let mut end = |side: &Expr| Some((form(side, work)?.rational()? - &constant) / &slope);
            let (first, last) = ((end(low)?, *a), (end(high)?, *b));
            let ((low, a), (high, b)) = if first.0 < last.0 { (first, last) } else { (last, first) };
            let strict = |sign| matches!(sign, Less | Greater);
            let (open, close) = (if strict(a) { '(' } else { '[' }, if strict(b) { ')' } else { ']' });
            Some(interval(open, number(low), number(high), close, work))
        }
        _ => None,
    }
}

/// A polynomial in one name to its square, with the absolute value of a form as one more term.
struct Coefficients {
    square: Option<RBig>,
    linear: Option<RBig>,
    constant: RBig,
    size: Option<(RBig, Form)>,
}

impl Coefficients {
    fn of(form: &Form) -> Option<Self> {
        let mut out = Self { square: None, linear: None, constant: RBig::ZERO, size: None };
        let mut names = None;
        let mut several = false;
        form.symbols(&mut |name| several |= *names.get_or_insert(name) != name);
        if several || names.is_none() || !crate::reward::math::form::is_one(&form.den) {
            return None;
        }
        for (monomial, value) in &form.num {
            match monomial.as_slice() {
                [] => out.constant.clone_from(value),
                [(Atom::Symbol(_), e)] if (e.num, e.den) == (1, 1) => out.linear = Some(value.clone()),
                [(Atom::Symbol(_), e)] if (e.num, e.den) == (2, 1) => out.square = Some(value.clone()),
                [(Atom::Function(name, args), e)] if &**name == "abs" && (e.num, e.den) == (1, 1) => {
                    out.size = Some((value.clone(), args.first()?.clone()));
                }
                _ => return None,
            }
        }
        Some(out)
    }
}

fn relations(a: &[Expr], s: &[Relation], b: &[Expr], t: &[Relation], work: &mut Work) -> bool {
    if s.len() != t.len() {
        return false;
    }
    (0..s.len()).all(|i| relation(&a[i..i + 2], s[i], &b[i..i + 2], t[i], work))
}

fn relation(a: &[Expr], s: Relation, b: &[Expr], t: Relation, work: &mut Work) -> bool {
    // Equations between a name and a set compare sides.
    if is_set(&a[1]) || is_set(&b[1]) {
        // A name that is a set is none that is its only member.
        return s == t
            && is_set(&a[1]) == is_set(&b[1])
            && compare(&a[0], &b[0], work)
            && compare(&a[1], &b[1], work);
    }
    let difference = |sides: &[Expr], work: &mut Work| {
        let (left, right) = (form(&sides[0], work)?, form(&sides[1], work)?);
        left.plus(&right.negated(), work)
    };
    let (Some(first), Some(second)) = (difference(a, work), difference(b, work)) else { return false };
    if s == t && equal(&first, &second, work) {
        return true;
    }
    if s.turned() == t && equal(&first, &second.negated(), work) {
        return true;
    }
    // Equations in several names are solved for them: the same up to a factor. Solved inequalities and solutions for one name do not
    // compare in the original.
    if s != Relation::Equal || t != Relation::Equal {
        return false;
    }
    let several = |form: &Form| {
        let mut first = None;
        let mut several = false;
        form.symbols(&mut |name| several |= *first.get_or_insert(name) != name);
        several
    };
    if !several(&first) || !several(&second) {
        return false;
    }
    second.over(&first, work).and_then(|r| r.rational()).is_some_and(|ratio| !ratio.is_zero())
}
