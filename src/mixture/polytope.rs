//! The nearest point of a polytope: minimise |x − p|²/2 under linear constraints, by the dual method of Goldfarb and
//! Idnani (1983) with identity Hessian. Finite, exact to rounding, and when there is no such point it names the
//! constraints that leave none.

/// Below this a violation or a length is rounding.
const ROUNDING: f64 = 1e-12;

/// normal · x ≥ bound, or = bound.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Half {
    pub(super) normal: Vec<f64>,
    pub(super) bound: f64,
    pub(super) equality: bool,
}

impl Half {
    /// How far `x` is inside; below 0 it is outside. Equalities are negative on both sides.
    pub(super) fn slack(&self, x: &[f64]) -> f64 {
        let slack = dot(&self.normal, x) - self.bound;
        if self.equality { -slack.abs() } else { slack }
    }
}

/// The point of the polytope nearest to `p`, or the indices of constraints that cannot be met together.
pub(super) fn nearest(p: &[f64], halves: &[Half]) -> Result<Vec<f64>, Vec<usize>> {
    let mut x = p.to_vec();
    // Active constraints: index, sign of the normal (equalities may be approached from either side), multiplier.
    let mut active: Vec<(usize, f64, f64)> = Vec::new();
    // Every round adds or drops one constraint, and no set comes twice but for rounding.
    for _ in 0..50 * (halves.len() + 10) {
        let Some((new, sign)) = most_violated(&x, halves, &active) else { break };
        let normal: Vec<f64> = halves[new].normal.iter().map(|v| sign * v).collect();
        let mut multiplier = 0.0;
        loop {
            let (r, z) = decompose(&normal, halves, &active);
            let droppable = active
                .iter()
                .zip(&r)
                .enumerate()
                .filter(|(_, ((i, ..), r))| !halves[*i].equality && **r > ROUNDING);
            let ratio = droppable.map(|(k, ((.., u), r))| (u / r, k)).min_by(|a, b| a.0.total_cmp(&b.0));
            let length = dot(&z, &normal);
            let slack = dot(&normal, &x) - sign * halves[new].bound;
            let full = if length > 1e-10 * dot(&normal, &normal) { -slack / length } else { f64::INFINITY };
            let partial = ratio.map_or(f64::INFINITY, |(t, _)| t);
            if full.is_infinite() && partial.is_infinite() {
                let others = active.iter().zip(&r).filter(|(_, r)| r.abs() > 1e-9).map(|((i, ..), _)| *i);
                return Err(others.chain([new]).collect());
            }
            let step = full.min(partial);
            if full.is_finite() {
                x.iter_mut().zip(&z).for_each(|(x, z)| *x += step * z);
            }
            active.iter_mut().zip(&r).for_each(|(a, r)| a.2 -= step * r);
            multiplier += step;
            if full <= partial {
                active.push((new, sign, multiplier));
                break;
            }
            active.remove(ratio.expect("a finite ratio has a constraint").1);
        }
    }
    Ok(polished(p, x, halves, &active))
}

fn most_violated(x: &[f64], halves: &[Half], active: &[(usize, f64, f64)]) -> Option<(usize, f64)> {
    let free = |i: &usize| !active.iter().any(|(own, ..)| own == i);
    // Equalities first: they are never dropped.
    let worst = |equality: bool| {
        (0..halves.len())
            .filter(|&i| halves[i].equality == equality)
            .filter(free)
            .map(|i| (halves[i].slack(x), i))
            .filter(|(slack, i)| *slack < -ROUNDING * (1.0 + halves[*i].bound.abs()) || equality)
            .min_by(|a, b| a.0.total_cmp(&b.0))
    };
    let (_, i) = worst(true).filter(|(slack, _)| *slack < -ROUNDING).or_else(|| worst(false))?;
    let sign = if halves[i].equality && dot(&halves[i].normal, x) > halves[i].bound { -1.0 } else { 1.0 };
    Some((i, sign))
}

/// `normal` as a combination `r` of the active normals and a rest `z` that is orthogonal to them.
fn decompose(normal: &[f64], halves: &[Half], active: &[(usize, f64, f64)]) -> (Vec<f64>, Vec<f64>) {
    let columns: Vec<Vec<f64>> =
        active.iter().map(|(i, sign, _)| halves[*i].normal.iter().map(|v| sign * v).collect()).collect();
    let r = least_squares(&columns, normal);
    let mut z = normal.to_vec();
    for (r, column) in r.iter().zip(&columns) {
        z.iter_mut().zip(column).for_each(|(z, c)| *z -= r * c);
    }
    (r, z)
}

/// Coefficients of the combination of independent `columns` that is nearest to `b`: Gram–Schmidt twice over, then
/// back substitution.
fn least_squares(columns: &[Vec<f64>], b: &[f64]) -> Vec<f64> {
    let q = columns.len();
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(q);
    let mut upper = vec![vec![0.0; q]; q];
    for (j, column) in columns.iter().enumerate() {
        let mut v = column.clone();
        for _ in 0..2 {
            for (i, e) in basis.iter().enumerate() {
                let along = dot(e, &v);
                upper[i][j] += along;
                v.iter_mut().zip(e).for_each(|(v, e)| *v -= along * e);
            }
        }
        let length = dot(&v, &v).sqrt().max(1e-300);
        upper[j][j] = length;
        for v in &mut v {
            *v /= length;
        }
        basis.push(v);
    }
    let mut r: Vec<f64> = basis.iter().map(|e| dot(e, b)).collect();
    for i in (0..q).rev() {
        let known: f64 = (i + 1..q).map(|j| upper[i][j] * r[j]).sum();
        r[i] = (r[i] - known) / upper[i][i];
    }
    r
}

/// Once more from `p` straight onto the active constraints: what many steps left of rounding goes.
fn polished(p: &[f64], x: Vec<f64>, halves: &[Half], active: &[(usize, f64, f64)]) -> Vec<f64> {
    let mut point = p.to_vec();
    for _ in 0..2 {
        // The correction lies in the span of the normals N: x = p + N (NᵀN)⁻¹ (b − Nᵀp), by Gram–Schmidt on N.
        let mut basis: Vec<(Vec<f64>, f64)> = Vec::new();
        for (i, ..) in active {
            let (mut v, mut bound) = (halves[*i].normal.clone(), halves[*i].bound);
            for (e, at) in &basis {
                let along = dot(e, &v);
                v.iter_mut().zip(e).for_each(|(v, e)| *v -= along * e);
                bound -= along * at;
            }
            let length = dot(&v, &v).sqrt();
            if length > 1e-9 {
                basis.push((v.iter().map(|v| v / length).collect(), bound / length));
            }
        }
        for (e, at) in &basis {
            let move_by = at - dot(e, &point);
            point.iter_mut().zip(e).for_each(|(x, e)| *x += move_by * e);
        }
    }
    let worst = |x: &[f64]| halves.iter().map(|half| -half.slack(x)).fold(0.0, f64::max);
    if worst(&point) <= worst(&x) { point } else { x }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half(normal: &[f64], bound: f64, equality: bool) -> Half {
        Half { normal: normal.to_vec(), bound, equality }
    }

    #[test]
    fn the_nearest_point_of_a_triangle_is_on_its_edge() {
        // x + y + z = 1, all ≥ 0; from (1, 1, −1): (½, ½, 0).
        let mut halves = vec![half(&[1.0, 1.0, 1.0], 1.0, true)];
        halves.extend((0..3).map(|i| half(&[0, 1, 2].map(|j| f64::from(u8::from(i == j))), 0.0, false)));
        let x = nearest(&[1.0, 1.0, -1.0], &halves).unwrap();
        assert!(x.iter().zip([0.5, 0.5, 0.0]).all(|(a, b)| (a - b).abs() < 1e-12), "{x:?}");
    }

    #[test]
    fn constraints_that_collide_are_told() {
        // x ≥ .6, y ≥ .6, x + y = 1; z is innocent.
        let halves = [
            half(&[1.0, 1.0, 0.0], 1.0, true),
            half(&[0.0, 0.0, 1.0], 0.3, false),
            half(&[1.0, 0.0, 0.0], 0.6, false),
            half(&[0.0, 1.0, 0.0], 0.6, false),
        ];
        let mut colliding = nearest(&[0.5, 0.5, 0.0], &halves).unwrap_err();
        colliding.sort_unstable();
        assert_eq!(colliding, [0, 2, 3]);
    }
}
