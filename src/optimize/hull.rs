//! How far a mixture lies outside everything that was tried: from the nearest mixture of mixtures.

/// Share of the budget, in [0, 1], spent differently from the nearest weighted mean of `tried`; 0 inside their convex
/// hull. `tried` must not be empty.
///
/// The nearest mean in Euclidean distance, by Frank and Wolfe's method with pairwise steps; exact to 1e-6.
pub fn outside(shares: &[f64], tried: &[&[f64]]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let apart = |a: &[f64]| a.iter().zip(shares).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    let nearest = (0..tried.len()).min_by(|&a, &b| apart(tried[a]).total_cmp(&apart(tried[b])));
    let nearest = nearest.expect("something was tried");
    let mut weights = vec![0.0; tried.len()];
    weights[nearest] = 1.0;
    let mut at = tried[nearest].to_vec();
    for _ in 0..20_000 {
        let slope: Vec<f64> = at.iter().zip(shares).map(|(a, b)| a - b).collect();
        let along: Vec<f64> = tried.iter().map(|point| dot(&slope, point)).collect();
        let order = |&a: &usize, &b: &usize| along[a].total_cmp(&along[b]);
        let towards = (0..tried.len()).min_by(order).expect("something was tried");
        let away = (0..tried.len()).filter(|&i| weights[i] > 0.0).max_by(order).expect("weights sum to 1");
        let gap = along[away] - along[towards];
        if gap <= 1e-12 {
            break;
        }
        let step: Vec<f64> = tried[towards].iter().zip(tried[away]).map(|(a, b)| a - b).collect();
        let length = (gap / dot(&step, &step)).min(weights[away]);
        weights[towards] += length;
        weights[away] = if length == weights[away] { 0.0 } else { weights[away] - length };
        at.iter_mut().zip(&step).for_each(|(a, s)| *a += length * s);
    }
    at.iter().zip(shares).map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inside_is_nothing_and_outside_is_what_the_nearest_mean_lacks() {
        let tried: [&[f64]; 3] = [&[0.5, 0.5, 0.0], &[0.5, 0.0, 0.5], &[0.0, 0.5, 0.5]];
        assert!(outside(&[0.3, 0.3, 0.4], &tried) < 1e-6);
        // From a vertex the nearest mean is the middle of an edge: (½, ¼, ¼).
        assert!((outside(&[1.0, 0.0, 0.0], &tried) - 0.5).abs() < 1e-5);
        assert!((outside(&[1.0, 0.0, 0.0], &tried[2..]) - 1.0).abs() < 1e-12);
    }
}
