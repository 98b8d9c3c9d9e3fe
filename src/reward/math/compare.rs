//! Whether an answer says what the gold says, and whether it is an answer at all.

use std::{borrow::Cow, collections::BTreeSet};

use dashu_ratio::RBig;

use super::{
    Expr, Relation, equal,
    form::{Form, Work},
    interval::Interval,
    is_zero,
    naming::points,
    read::is_power_of_ten,
    sets,
};

/// What comparing found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The same.
    Same,
    /// Not the same.
    Different,
    /// Arithmetic is left to whoever reads it.
    Unevaluated,
}

/// Difference that a decimal may have from a value that is no whole number, relative for values below 1: six digits, with room
/// for the rounding of `f64`.
pub(crate) const ROUNDED: f64 = 1.000_001e-6;

/// [`ROUNDED`], exactly.
fn rounded() -> RBig {
    RBig::from_parts(1_000_001.into(), 1_000_000_000_000_u64.into())
}

/// Compares an answer with the gold.
pub(crate) fn compare(gold: &Expr, answer: &Expr, work: &mut Work) -> Outcome {
    match naming(gold, answer) {
        Naming::Contradicts => Outcome::Different,
        Naming::Values(gold, answer) => judged(&gold, &answer, work),
        Naming::Free => match last_side(gold, answer, work) {
            Some(answer) => judged(gold, answer, work),
            None => Outcome::Different,
        },
    }
}

fn judged(gold: &Expr, answer: &Expr, work: &mut Work) -> Outcome {
    // The gold as it stands is an answer, and where the gold leaves arithmetic so may the answer.
    if gold == answer {
        return Outcome::Same;
    }
    if !evaluated(answer, work) && evaluated(gold, work) {
        return Outcome::Unevaluated;
    }
    if same(gold, answer, work) || has_large_power(gold) && ordered(gold) == ordered(answer) {
        Outcome::Same
    } else {
        Outcome::Different
    }
}

/// Largest exponent of sums that are multiplied out.
const MAX_EXPANDED: u32 = 20;

fn has_large_power(expr: &Expr) -> bool {
    let large = |e: &Expr| matches!(e, Expr::Number(n) if *n > RBig::from(MAX_EXPANDED));
    expr.any(&mut |e| matches!(e, Expr::Power(_, exponent) if large(exponent)))
}

/// With the terms of sums and the factors of products in one order: `(1+x)^{25}` is `(x+1)^{25}`, which nobody multiplies out.
fn ordered(expr: &Expr) -> Expr {
    let all = |parts: &[Expr]| -> Vec<Expr> { parts.iter().map(ordered).collect() };
    let sorted = |parts: &[Expr]| {
        let mut parts = all(parts);
        parts.sort_by_cached_key(|part| format!("{part:?}"));
        parts
    };
    match expr {
        Expr::Sum(terms) => Expr::Sum(sorted(terms)),
        Expr::Product(factors) => Expr::Product(sorted(factors)),
        Expr::Power(base, exponent) => Expr::Power(ordered(base).into(), ordered(exponent).into()),
        Expr::Quotient(above, below) => Expr::Quotient(ordered(above).into(), ordered(below).into()),
        Expr::Negative(inner) => Expr::Negative(ordered(inner).into()),
        Expr::Root(n, inner) => Expr::Root(*n, ordered(inner).into()),
        Expr::Function(name, args) => Expr::Function(name, all(args)),
        other => other.clone(),
    }
}

/// A name that may stand before an equals sign: `x`, `A_1`, `f(x)`, `(x,y)`, also `\sin x`-free products of names.
fn is_name(expr: &Expr) -> bool {
    match expr {
        Expr::Symbol(_) | Expr::E | Expr::I => true,
        Expr::Product(all) | Expr::Tuple('(', all, ')') => all.iter().all(is_name),
        _ => false,
    }
}

/// What the names of values say about an answer.
enum Naming {
    /// Nothing: there are none, or all are the same.
    Free,
    /// Other values have these names.
    Contradicts,
    /// These values of gold and answer belong to each other.
    Values(Expr, Expr),
}

/// A value and the name it is given, as text.
type Part<'e> = (Option<String>, &'e Expr);

/// A name as text; of points without their order, since a line has no first one.
fn name_of(expr: &Expr) -> String {
    match expr {
        Expr::Symbol(name) => points(name).unwrap_or_else(|| format!("{expr:?}")),
        _ => format!("{expr:?}"),
    }
}

fn part(expr: &Expr) -> Part<'_> {
    match expr {
        Expr::Relation(sides, signs) if signs == &[Relation::Equal] && is_name(&sides[0]) => {
            (Some(name_of(&sides[0])), &sides[1])
        }
        value => (None, value),
    }
}

/// The values of `x=1, y=2` and of `(x,y)=(1,2)` with their names; everything else is one value.
fn parts(expr: &Expr) -> Vec<Part<'_>> {
    if let Expr::List(all) | Expr::Set(all) = expr {
        return all.iter().map(part).collect();
    }
    if let Expr::Relation(sides, signs) = expr
        && signs == &[Relation::Equal]
        && let [Expr::Tuple('(', names, ')'), Expr::Tuple('(', values, ')')] = sides.as_slice()
        && names.len() == values.len()
        && names.iter().all(is_name)
    {
        return names.iter().zip(values).map(|(name, value)| (Some(name_of(name)), value)).collect();
    }
    vec![part(expr)]
}

fn distinct<'p>(parts: &'p [Part]) -> BTreeSet<&'p str> {
    parts.iter().filter_map(|(name, _)| name.as_deref()).collect()
}

/// Where the gold names several values, an answer without names keeps their order and one with names has the same.
fn naming(gold: &Expr, answer: &Expr) -> Naming {
    let relates = |e: &Expr| matches!(e, Expr::Relation(..) | Expr::Conditions(..) | Expr::Such(_));
    let may_name = |e: &Expr| match e {
        Expr::List(all) | Expr::Set(all) => all.iter().any(relates),
        one => relates(one),
    };
    if !may_name(gold) && !may_name(answer) {
        return Naming::Free;
    }
    let (wanted, given) = (parts(gold), parts(answer));
    let (golds, answers) = (distinct(&wanted), distinct(&given));
    if golds.is_empty() {
        let turned = answer.any(&mut |e| matches!(e, Expr::Relation(sides, _) if is_turned(&sides[0])));
        return if turned { Naming::Contradicts } else { Naming::Free };
    }
    // One equation for another is compared as a whole: `y=2x` is `2x=y`.
    let listed = wanted.len() > 1 || given.len() > 1;
    // The one value without a name may have one: `x = 2k\pi, k\in\mathbb{Z}`.
    let unnamed = |parts: &[Part]| parts.iter().filter(|(name, _)| name.is_none()).count();
    let added = unnamed(&wanted) == 1 && unnamed(&given) == 0 && answers.difference(&golds).count() == 1;
    if listed && !answers.is_subset(&golds) && !added {
        return Naming::Contradicts;
    }
    if golds.len() < 2 {
        return Naming::Free;
    }
    let names = |parts: &[Part]| -> Option<Vec<String>> {
        let mut names: Vec<String> = parts.iter().map(|(name, _)| name.clone()).collect::<Option<_>>()?;
        names.sort_unstable();
        Some(names)
    };
    if let (Some(left), Some(right)) = (names(&wanted), names(&given)) {
        if left != right {
            return Naming::Contradicts;
        }
        return Naming::Values(solutions(&wanted, golds.len()), solutions(&given, golds.len()));
    }
    if !matches!(gold, Expr::List(_) | Expr::Set(_)) {
        return Naming::Free;
    }
    let misplaced = wanted.iter().zip(&given).any(|((a, _), (b, _))| a.is_some() && b.is_some() && a != b);
    if misplaced {
        return Naming::Contradicts;
    }
    let tuple = |parts: &[Part]| Expr::Tuple('(', parts.iter().map(|(_, e)| (*e).clone()).collect(), ')');
    Naming::Values(tuple(&wanted), tuple(&given))
}

/// Named values as a tuple in the order of their names; several where all names come around again: `x=1, y=2, x=3, y=4`.
fn solutions(parts: &[Part], names: usize) -> Expr {
    let around = parts.chunks(names).all(|chunk| distinct(chunk).len() == names);
    let length = if around { names } else { parts.len() };
    let tuple = |chunk: &[Part]| {
        let mut chunk = chunk.to_vec();
        chunk.sort_by(|(a, _), (b, _)| a.cmp(b));
        Expr::Tuple('(', chunk.into_iter().map(|(_, value)| value.clone()).collect(), ')')
    };
    let mut all: Vec<Expr> = parts.chunks(length).map(tuple).collect();
    if all.len() == 1 { all.pop().expect("one") } else { Expr::List(all) }
}

/// Whether names that follow each other in the alphabet stand against it: `(y,x)`. Others, `(w,h)`, have no order of their own.
fn is_turned(names: &Expr) -> bool {
    let Expr::Tuple(_, all, _) = names else { return false };
    all.windows(2).any(|pair| match pair {
        [Expr::Symbol(a), Expr::Symbol(b)] => {
            a > b && b.is_ascii() && a.bytes().zip(b.bytes()).next().is_some_and(|(a, b)| a.abs_diff(b) <= 2)
        }
        _ => false,
    })
}

/// Of a chain of equals signs whose sides are all the same, the last side; every other answer as it is.
fn last_side<'e>(gold: &Expr, answer: &'e Expr, work: &mut Work) -> Option<&'e Expr> {
    let Expr::Relation(sides, signs) = answer else { return Some(answer) };
    if signs.iter().any(|s| *s != Relation::Equal) {
        return Some(answer);
    }
    let gold_equation =
        matches!(gold, Expr::Relation(_, signs) if signs.iter().all(|s| *s == Relation::Equal));
    if gold_equation && sides.len() == 2 {
        return Some(answer);
    }
    let values = if is_name(&sides[0]) { &sides[1..] } else { &sides[..] };
    let last = values.last()?;
    let first = scalar(last, work);
    for side in &values[..values.len() - 1] {
        let agrees = match (&first, scalar(side, work)) {
            (Some(a), Some(b)) => equal(a, &b, work),
            _ => side == last,
        };
        if !agrees {
            return None;
        }
    }
    if gold_equation && !is_name(&sides[0]) {
        return None;
    }
    Some(last)
}

fn scalar(expr: &Expr, work: &mut Work) -> Option<Form> {
    expr.form(work)
}

/// Whether no arithmetic is left: no like terms, no product of two numbers, no function with a rational value.
fn evaluated(expr: &Expr, work: &mut Work) -> bool {
    let number = |e: &Expr| {
        let e = if let Expr::Negative(e) = e { e } else { e };
        match e {
            Expr::Number(_) | Expr::Decimal(_) | Expr::Mixed(_) | Expr::Percent(_) => true,
            Expr::Quotient(a, b) => {
                matches!((&**a, &**b), (Expr::Number(_) | Expr::Negative(_), Expr::Number(_)))
            }
            _ => false,
        }
    };
    // A number that only looks like more than one: `\sqrt{4}`, `4!`.
    let hidden = |e: &Expr, work: &mut Work| {
        matches!(e, Expr::Root(..) | Expr::Function(..))
            && !e.has_symbols()
            && scalar(e, work).is_some_and(|form| form.rational().is_some())
    };
    match expr {
        Expr::Negative(inner) => !matches!(**inner, Expr::Negative(_)) && evaluated(inner, work),
        Expr::Percent(inner) | Expr::Root(_, inner) => evaluated(inner, work),
        Expr::Sum(terms) => {
            if !terms.iter().all(|term| evaluated(term, work)) {
                return false;
            }
            let forms: Option<Vec<Form>> = terms.iter().map(|term| scalar(term, work)).collect();
            let Some(forms) = forms else { return true };
            let mut seen = std::collections::BTreeSet::new();
            // Each term of a polynomial stands once.
            forms.iter().all(|form| match form.single() {
                Some((monomial, _)) => seen.insert(monomial.clone()),
                None => !form.is_zero(),
            })
        }
        Expr::Product(parts) => {
            if !parts.iter().all(|part| evaluated(part, work)) {
                return false;
            }
            let powers = parts.iter().filter(|part| is_power_of_ten(part)).count();
            let numbers = parts.iter().filter(|part| number(part) || hidden(part, work)).count();
            // `1\cdot 10^3` is scientific notation, `1\cdot\sqrt{4}` is left to be worked out.
            let by_one = powers == 0 && parts.contains(&Expr::int(1)) && !parts.iter().any(Expr::has_symbols);
            let roots = parts.iter().filter(|part| matches!(part, Expr::Root(..))).count();
            let sums =
                parts.iter().filter(|part| matches!(part, Expr::Sum(_)) && !part.has_symbols()).count();
            // `5\cdot 8^{1/2}` is a multiple of a root, `2\cdot 2^3` is left to be worked out.
            let whole = |e: &Expr| {
                !matches!(e, Expr::Number(n) | Expr::Decimal(n) if !n.is_int())
                    && !matches!(e, Expr::Quotient(..))
            };
            let whole_powers = parts
                .iter()
                .filter(|part| {
                    matches!(part, Expr::Power(a, b) if number(a) && number(b) && whole(b))
                        && !is_power_of_ten(part)
                })
                .count();
            numbers <= 1
                && !by_one
                && powers <= 1
                && roots <= 1
                && sums <= 1
                && (whole_powers == 0 || numbers + powers == 0)
        }
        Expr::Quotient(above, below) => {
            let nested = |e: &Expr| matches!(e, Expr::Quotient(..)) && !e.has_symbols();
            evaluated(above, work) && evaluated(below, work) && !nested(above) && !nested(below)
        }
        Expr::Power(base, exponent) => {
            let nested = matches!(**base, Expr::Power(..)) && !base.has_symbols();
            // `e^{\ln 3}` leaves the 3 to be worked out.
            let undone = **base == Expr::E
                && !exponent.has_symbols()
                && exponent.any(&mut |e| matches!(e, Expr::Function("ln" | "log", _)));
            evaluated(base, work) && evaluated(exponent, work) && !nested && !undone
        }
        Expr::Function(name, args) => {
            if !args.iter().all(|arg| evaluated(arg, work)) {
                return false;
            }
            // |-5| states 5; |2-7| leaves it to be worked out, which its argument says already.
            let simple = *name == "abs";
            simple || expr.has_symbols() || scalar(expr, work).is_none_or(|form| form.rational().is_none())
        }
        Expr::PlusMinus(before, after) => {
            before.as_ref().is_none_or(|b| evaluated(b, work)) && evaluated(after, work)
        }
        Expr::List(all) | Expr::Set(all) | Expr::Tuple(_, all, _) => all.iter().all(|e| {
            let value = match e {
                Expr::Relation(sides, signs) if signs == &[Relation::Equal] && is_name(&sides[0]) => {
                    &sides[1]
                }
                e => e,
            };
            evaluated(value, work)
        }),
        Expr::Matrix(rows) => rows.iter().flatten().all(|e| evaluated(e, work)),
        Expr::Relation(sides, _) | Expr::Conditions(_, sides) => sides.iter().all(|e| evaluated(e, work)),
        Expr::SetOperation(_, a, b) => evaluated(a, work) && evaluated(b, work),
        _ => true,
    }
}

/// Whether a decimal point or power of ten was written.
fn is_decimal(expr: &Expr) -> bool {
    match expr {
        Expr::Decimal(_) => true,
        Expr::Negative(inner) | Expr::Percent(inner) => is_decimal(inner),
        _ => false,
    }
}

/// The members of what lists several values.
fn members(expr: &Expr) -> Option<Cow<'_, [Expr]>> {
    let all: &[Expr] = match expr {
        Expr::List(all) | Expr::Set(all) => all,
        Expr::PlusMinus(..) => std::slice::from_ref(expr),
        _ => return None,
    };
    if !all.iter().any(|e| matches!(e, Expr::PlusMinus(..) | Expr::Relation(..))) {
        return Some(Cow::Borrowed(all));
    }
    let mut out = Vec::new();
    for one in all {
        // `x = 1, x = 2`
        let one = match one {
            Expr::Relation(sides, signs) if signs == &[Relation::Equal] && is_name(&sides[0]) => &sides[1],
            one => one,
        };
        match one {
            Expr::PlusMinus(before, after) => {
                for term in [(**after).clone(), Expr::Negative(after.clone())] {
                    out.push(match before {
                        None => term,
                        Some(before) => Expr::Sum(vec![(**before).clone(), term]),
                    });
                }
            }
            one => out.push(one.clone()),
        }
    }
    Some(Cow::Owned(out))
}

/// Whether each of one side has its own among the other.
fn same_members(gold: &[Expr], answer: &[Expr], work: &mut Work) -> bool {
    if gold.len() != answer.len() {
        return false;
    }
    let mut used = vec![false; answer.len()];
    gold.iter().all(|g| {
        let free = |i: &usize| !used[*i];
        let written = (0..answer.len()).filter(free).find(|&i| *g == answer[i]);
        let found = written.or_else(|| {
            (0..answer.len()).filter(free).find(|&i| work.spend(4).is_some() && same(g, &answer[i], work))
        });
        found.map(|i| used[i] = true).is_some()
    })
}

/// Whether it is put together from several sets or conditions.
fn is_combined(expr: &Expr) -> bool {
    matches!(expr, Expr::SetOperation(..) | Expr::Conditions(..))
}

fn is_set(expr: &Expr) -> bool {
    matches!(expr, Expr::SetOperation(..) | Expr::Tuple(..) | Expr::NamedSet(_) | Expr::Set(_))
}

/// Whether all conditions in both speak of the same name; sets have none.
fn in_one_name(gold: &Expr, answer: &Expr) -> bool {
    let mut names = BTreeSet::new();
    for expr in [gold, answer] {
        let conditions = match expr {
            Expr::Conditions(_, all) => all.as_slice(),
            relation @ Expr::Relation(..) => std::slice::from_ref(relation),
            _ => &[],
        };
        for condition in conditions {
            condition.any(&mut |e| {
                if let Expr::Symbol(name) = e {
                    names.insert(name.clone());
                }
                false
            });
        }
    }
    names.len() <= 1
}

fn same(gold: &Expr, answer: &Expr, work: &mut Work) -> bool {
    if work.spend(1).is_none() {
        return false;
    }
    if let (Some(a), Some(b)) = (gold.rational(), answer.rational()) {
        return a == b
            || (is_decimal(gold) || is_decimal(answer))
                && nearly(&Form::constant(a), &Form::constant(b), work);
    }
    if let Expr::Such(relation) = gold {
        return same(&such(relation), answer, work);
    }
    if let Expr::Such(relation) = answer {
        return same(gold, &such(relation), work);
    }
    match (gold, answer) {
        (Expr::Relation(left, signs), Expr::Relation(right, others)) => {
            return same_relations(left, signs, right, others, work);
        }
        (Expr::Relation(..), Expr::Conditions(..)) | (Expr::Conditions(..), Expr::Relation(..)) => (),
        (Expr::Relation(sides, signs), answer) => {
            // A product of names is what an equation is about: `xy = 1`.
            if signs == &[Relation::Equal] && is_name(&sides[0]) && !matches!(sides[0], Expr::Product(_)) {
                return same(&sides[1], answer, work);
            }
            return interval_of(sides, signs).is_some_and(|interval| same(&interval, answer, work));
        }
        (_, Expr::Relation(..)) => return false,
        (Expr::Set(a), Expr::Set(b)) if a.is_empty() || b.is_empty() => return a.is_empty() && b.is_empty(),
        _ => (),
    }
    match (gold, answer) {
        (Expr::Conditions(a, left), Expr::Conditions(b, right))
            if a == b && same_members(left, right, work) =>
        {
            return true;
        }
        // A comma joins them either way.
        (Expr::Conditions(_, left), Expr::List(right)) | (Expr::List(left), Expr::Conditions(_, right)) => {
            return same_members(left, right, work);
        }
        _ => (),
    }
    // As for one inequality: an interval is what conditions in one name say, and not the other way around.
    if matches!(answer, Expr::Conditions(..)) && is_set(gold) {
        return false;
    }
    if (is_combined(gold) || is_combined(answer))
        && in_one_name(gold, answer)
        && let (Some(a), Some(b)) = (sets::real(gold, work), sets::real(answer, work))
    {
        return sets::same(&a, &b, work);
    }
    let line = |e: &Expr| match e {
        Expr::NamedSet(set) => *set == 'ℝ',
        Expr::Tuple('(', ends, ')') => {
            matches!(ends.as_slice(), [Expr::Negative(low), Expr::Infinity] if **low == Expr::Infinity)
        }
        _ => false,
    };
    if line(gold) && line(answer) {
        return true;
    }
    match (members(gold), members(answer)) {
        (Some(a), Some(b)) => return same_members(&a, &b, work),
        (Some(_), None) | (None, Some(_)) => return false,
        (None, None) => (),
    }
    match (gold, answer) {
        (Expr::Tuple(a, left, b), Expr::Tuple(c, right, d)) => {
            return a == c
                && b == d
                && left.len() == right.len()
                && left.iter().zip(right).all(|(g, e)| same(g, e, work));
        }
        (Expr::Matrix(left), Expr::Matrix(right)) => {
            return left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(g, e)| g.len() == e.len() && g.iter().zip(e).all(|(g, e)| same(g, e, work)));
        }
        (Expr::Ratio(left), Expr::Ratio(right)) => return proportional(left, right, work),
        (Expr::SetOperation(a, ..), Expr::SetOperation(b, ..)) if a == b && *a != '∖' => {
            let (mut left, mut right) = (Vec::new(), Vec::new());
            operands(*a, gold, &mut left);
            operands(*a, answer, &mut right);
            return same_members(&left, &right, work);
        }
        (Expr::SetOperation(a, b, c), Expr::SetOperation(d, e, f)) => {
            return a == d && same(b, e, work) && same(c, f, work);
        }
        (Expr::NamedSet(a), Expr::NamedSet(b)) => return a == b,
        (Expr::Based(a, b), Expr::Based(c, d)) => return (a, b) == (c, d),
        _ => (),
    }
    let infinite = |e: &Expr| match e {
        Expr::Infinity => Some(1),
        Expr::Negative(inner) if **inner == Expr::Infinity => Some(-1),
        _ => None,
    };
    if infinite(gold).is_some() || infinite(answer).is_some() {
        return infinite(gold) == infinite(answer);
    }
    // What the gold does not speak of has no place in the answer: `x - x + 3`.
    if answer.has_symbols() && !gold.has_symbols() {
        return false;
    }
    let (Some(a), Some(b)) = (scalar(gold, work), scalar(answer, work)) else { return false };
    if equal(&a, &b, work) {
        return true;
    }
    (is_decimal(gold) || is_decimal(answer)) && nearly(&a, &b, work)
}

/// Whether a decimal gives another number that is not whole to six digits.
fn nearly(a: &Form, b: &Form, work: &mut Work) -> bool {
    let whole = |form: &Form| form.rational().is_some_and(|r| r.is_int());
    if whole(a) || whole(b) {
        return false;
    }
    if let (Some(a), Some(b)) = (a.rational(), b.rational()) {
        let (difference, one) = (a.clone() - b, RBig::ONE);
        let unsigned = |r: RBig| if r < RBig::ZERO { -r } else { r };
        let (difference, size) = (unsigned(difference), unsigned(a));
        return difference <= rounded() * if size < one { size } else { one };
    }
    let mut value = |form: &Form| Interval::of(form, 96, &|_| None, work).map(|interval| interval.middle());
    let (Some(a), Some(b)) = (value(a), value(b)) else { return false };
    // Beyond, `f64` does not hold six digits after the point.
    a.abs() < 1e9 && (a - b).abs() <= ROUNDED * a.abs().min(1.0)
}

fn operands(sign: char, expr: &Expr, out: &mut Vec<Expr>) {
    match expr {
        Expr::SetOperation(own, a, b) if *own == sign => {
            operands(sign, a, out);
            operands(sign, b, out);
        }
        other => out.push(other.clone()),
    }
}

fn proportional(left: &[Expr], right: &[Expr], work: &mut Work) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let forms = |side: &[Expr], work: &mut Work| -> Option<Vec<Form>> {
        let forms: Vec<Form> = side.iter().map(|e| scalar(e, work)).collect::<Option<_>>()?;
        forms.iter().all(|f| !f.is_zero()).then_some(forms)
    };
    let (Some(a), Some(b)) = (forms(left, work), forms(right, work)) else { return false };
    (1..a.len()).all(|i| {
        let (Some(x), Some(y)) = (a[0].times(&b[i], work), a[i].times(&b[0], work)) else { return false };
        equal(&x, &y, work)
    })
}

fn same_relations(
    left: &[Expr],
    signs: &[Relation],
    right: &[Expr],
    others: &[Relation],
    work: &mut Work,
) -> bool {
    if signs.len() != others.len() {
        return false;
    }
    let in_order = |right: &[&Expr], others: &[Relation], work: &mut Work| {
        signs == others && left.iter().zip(right).all(|(a, b)| same(a, b, work))
    };
    let forwards: Vec<&Expr> = right.iter().collect();
    if in_order(&forwards, others, work) {
        return true;
    }
    let backwards: Vec<&Expr> = right.iter().rev().collect();
    let turned: Vec<Relation> = others.iter().rev().map(|sign| sign.turned()).collect();
    if in_order(&backwards, &turned, work) {
        return true;
    }
    if signs.len() > 1 {
        return false;
    }
    // One sign: both differences are the same up to a factor, which for inequalities decides the direction.
    let difference = |sides: &[Expr], work: &mut Work| {
        scalar(&sides[0], work)?.plus(&scalar(&sides[1], work)?.negated(), work)
    };
    let (Some(a), Some(b)) = (difference(left, work), difference(right, work)) else { return false };
    let mut symbols = false;
    a.symbols(&mut |_| symbols = true);
    if !symbols || a.is_zero() || b.is_zero() {
        return false;
    }
    let Some(ratio) = factor(&a, &b, work) else { return false };
    let positive = ratio > RBig::ZERO;
    others[0] == if positive { signs[0] } else { signs[0].turned() }
}

/// The rational `r` with `b = r a`.
fn factor(a: &Form, b: &Form, work: &mut Work) -> Option<RBig> {
    let ratio = b.over(a, work)?;
    if let Some(ratio) = ratio.rational() {
        return (!ratio.is_zero()).then_some(ratio);
    }
    let (first, second) = (a.num.iter().next()?, b.num.get(a.num.keys().next()?)?);
    let ratio = second / first.1;
    let scaled = a.times(&Form::constant(ratio.clone()), work)?;
    let difference = scaled.plus(&b.negated(), work)?;
    is_zero(&difference, work).then_some(ratio)
}

/// The set of what fulfils a relation.
fn such(relation: &Expr) -> Expr {
    match relation {
        Expr::Relation(sides, signs) => interval_of(sides, signs).unwrap_or_else(|| relation.clone()),
        other => other.clone(),
    }
}

/// The interval that an inequality or a chain of two in one name is.
pub(super) fn interval_of(sides: &[Expr], signs: &[Relation]) -> Option<Expr> {
    use Relation::{Greater, GreaterEqual, Less, LessEqual, Unequal};
    let minus_infinity = || Expr::Negative(Expr::Infinity.into());
    let open = |strict: bool| if strict { '(' } else { '[' };
    let close = |strict: bool| if strict { ')' } else { ']' };
    match (sides, signs) {
        ([name, bound] | [bound, name], [sign]) if is_name(name) && !is_name(bound) => {
            let sign = if is_name(&sides[0]) { *sign } else { sign.turned() };
            match sign {
                Less | LessEqual => {
                    Some(Expr::Tuple('(', vec![minus_infinity(), bound.clone()], close(sign == Less)))
                }
                Greater | GreaterEqual => {
                    Some(Expr::Tuple(open(sign == Greater), vec![bound.clone(), Expr::Infinity], ')'))
                }
                Unequal => {
                    let below = Expr::Tuple('(', vec![minus_infinity(), bound.clone()], ')');
                    let above = Expr::Tuple('(', vec![bound.clone(), Expr::Infinity], ')');
                    Some(Expr::SetOperation('∪', below.into(), above.into()))
                }
                Relation::Equal => None,
            }
        }
        ([low, name, high], [a, b]) if is_name(name) => match (a, b) {
            (Less | LessEqual, Less | LessEqual) => {
                Some(Expr::Tuple(open(*a == Less), vec![low.clone(), high.clone()], close(*b == Less)))
            }
            (Greater | GreaterEqual, Greater | GreaterEqual) => {
                Some(Expr::Tuple(open(*b == Greater), vec![high.clone(), low.clone()], close(*a == Greater)))
            }
            _ => None,
        },
        _ => None,
    }
}
