//! Sets of real numbers as intervals in order: `ℝ∖{3}` is `(-∞,3)∪(3,∞)`.

use std::cmp::Ordering;

use super::{
    Expr,
    compare::interval_of,
    equal,
    form::{Form, Work},
    interval::Interval,
};

/// Intervals in order that neither meet nor touch.
pub(crate) type RealSet = Vec<Piece>;

/// All numbers between two ends.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    low: End,
    high: End,
}

/// A bound that belongs to the interval or does not; infinite ones never do.
#[derive(Clone, Debug)]
struct End {
    at: At,
    inside: bool,
}

#[derive(Clone, Debug)]
enum At {
    MinusInfinity,
    Value(Form),
    Infinity,
}

/// Which of two real numbers is larger; none where that cannot be decided.
pub(crate) fn order(a: &Form, b: &Form, work: &mut Work) -> Option<Ordering> {
    if let (Some(a), Some(b)) = (a.rational(), b.rational()) {
        return Some(a.cmp(&b));
    }
    if equal(a, b, work) {
        return Some(Ordering::Equal);
    }
    let difference = a.plus(&b.negated(), work)?;
    Interval::of(&difference, 128, &|_| None, work)?.sign().map(|s| s.cmp(&0))
}

fn order_of(a: &At, b: &At, work: &mut Work) -> Option<Ordering> {
    Some(match (a, b) {
        (At::MinusInfinity, At::MinusInfinity) | (At::Infinity, At::Infinity) => Ordering::Equal,
        (At::MinusInfinity, _) | (_, At::Infinity) => Ordering::Less,
        (At::Infinity, _) | (_, At::MinusInfinity) => Ordering::Greater,
        (At::Value(a), At::Value(b)) => return order(a, b, work),
    })
}

/// The intervals that make up `expr`; none where it is no set of real numbers, or one that has no such form.
pub(crate) fn real(expr: &Expr, work: &mut Work) -> Option<RealSet> {
    work.spend(1)?;
    match expr {
        Expr::NamedSet('ℝ') => Some(complement(Vec::new())),
        Expr::Tuple(open @ ('(' | '['), ends, close @ (')' | ']')) => {
            let [low, high] = ends.as_slice() else { return None };
            let low = End { at: at(low, work)?, inside: *open == '[' };
            let high = End { at: at(high, work)?, inside: *close == ']' };
            match order_of(&low.at, &high.at, work)? {
                Ordering::Less => Some(vec![Piece { low, high }]),
                Ordering::Equal if low.inside && high.inside => Some(vec![Piece { low, high }]),
                _ => None,
            }
        }
        Expr::Set(all) => {
            let points: Option<RealSet> = all.iter().map(|one| point(one, work)).collect();
            joined(points?, work)
        }
        Expr::SetOperation(sign, a, b) => {
            let left = real(a, work)?;
            // Braces around one value are passed over when they are read.
            let right = match real(b, work) {
                Some(right) => right,
                None => vec![point(b, work)?],
            };
            match sign {
                '∪' => union(left, right, work),
                '∩' => Some(complement(union(complement(left), complement(right), work)?)),
                '∖' => Some(complement(union(complement(left), right, work)?)),
                _ => None,
            }
        }
        Expr::Relation(sides, signs) => real(&interval_of(sides, signs)?, work),
        Expr::Conditions(sign, all) => {
            let mut sets = all.iter().map(|one| real(one, work)).collect::<Option<Vec<_>>>()?.into_iter();
            let first = sets.next()?;
            sets.try_fold(first, |a, b| match sign {
                '∪' => union(a, b, work),
                _ => Some(complement(union(complement(a), complement(b), work)?)),
            })
        }
        _ => None,
    }
}

fn union(mut a: RealSet, b: RealSet, work: &mut Work) -> Option<RealSet> {
    a.extend(b);
    joined(a, work)
}

/// Whether two sets are the same.
pub(crate) fn same(a: &RealSet, b: &RealSet, work: &mut Work) -> bool {
    let mut meet =
        |a: &End, b: &End| a.inside == b.inside && order_of(&a.at, &b.at, work) == Some(Ordering::Equal);
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| meet(&a.low, &b.low) && meet(&a.high, &b.high))
}

fn at(expr: &Expr, work: &mut Work) -> Option<At> {
    match expr {
        Expr::Infinity => Some(At::Infinity),
        Expr::Negative(inner) if **inner == Expr::Infinity => Some(At::MinusInfinity),
        _ if expr.has_symbols() => None,
        _ => expr.form(work).map(At::Value),
    }
}

fn point(expr: &Expr, work: &mut Work) -> Option<Piece> {
    let end = End { at: at(expr, work).filter(|at| matches!(at, At::Value(_)))?, inside: true };
    Some(Piece { low: end.clone(), high: end })
}

/// Intervals in any order, put in order, those that meet or touch as one.
fn joined(pieces: RealSet, work: &mut Work) -> Option<RealSet> {
    let mut sorted: RealSet = Vec::new();
    for piece in pieces {
        let mut place = sorted.len();
        while place > 0 {
            let before = &sorted[place - 1].low;
            match order_of(&piece.low.at, &before.at, work)? {
                Ordering::Less => place -= 1,
                Ordering::Equal if piece.low.inside && !before.inside => place -= 1,
                _ => break,
            }
        }
        sorted.insert(place, piece);
    }
    let mut out: RealSet = Vec::new();
    for piece in sorted {
        let Some(last) = out.last_mut() else {
            out.push(piece);
            continue;
        };
        let apart = match order_of(&piece.low.at, &last.high.at, work)? {
            Ordering::Greater => true,
            Ordering::Equal => !piece.low.inside && !last.high.inside,
            Ordering::Less => false,
        };
        if apart {
            out.push(piece);
            continue;
        }
        match order_of(&piece.high.at, &last.high.at, work)? {
            Ordering::Greater => last.high = piece.high,
            Ordering::Equal => last.high.inside |= piece.high.inside,
            Ordering::Less => (),
        }
    }
    Some(out)
}

/// All real numbers that are not in the set.
fn complement(set: RealSet) -> RealSet {
    let mut out = Vec::new();
    let mut low = End { at: At::MinusInfinity, inside: false };
    for piece in set {
        if !matches!(piece.low.at, At::MinusInfinity) {
            let high = End { at: piece.low.at, inside: !piece.low.inside };
            out.push(Piece { low, high });
        }
        low = End { at: piece.high.at, inside: !piece.high.inside };
    }
    if !matches!(low.at, At::Infinity) {
        out.push(Piece { low, high: End { at: At::Infinity, inside: false } });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{super::read::read, *};

    #[test]
    fn sets_are_the_same_however_they_are_put_together() {
        check(r"\mathbb{R}\setminus\{3\}", r"(-\infty,3)\cup(3,\infty)", true);
        check(r"\mathbb{R}\setminus\{1,2\}", r"(2,\infty)\cup(-\infty,1)\cup(1,2)", true);
        check(r"\mathbb{R}\setminus[1,2)", r"(-\infty,1)\cup[2,\infty)", true);
        check(r"\mathbb{R}\setminus(1,2)", r"(-\infty,1)\cup(2,\infty)", false);
        check(r"[0,5]\setminus(1,\sqrt{2})", r"[0,1]\cup[\sqrt{2},5]", true);
        check(r"[1,2]\cup(2,3)", "[1,3)", true);
        check(r"(1,2)\cup(2,3)", "(1,3)", false);
        check(r"[1,3]\cap(2,4)", "(2,3]", true);
        check(r"(-\infty,3)\cup(2,\infty)", r"\mathbb{R}", true);
    }

    fn check(a: &str, b: &str, expected: bool) {
        let work = &mut Work::new();
        let [a_set, b_set] = [a, b].map(|text| real(&read(text).unwrap(), work).unwrap());
        assert_eq!(same(&a_set, &b_set, work), expected, "{a} {b}");
    }
}
