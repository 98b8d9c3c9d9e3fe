//! What averages of predictors share: the mean of the means, and the spread between them as part of the variance.

use super::{Difference, Prediction};

/// Of one mixture.
pub(super) fn predictions(members: &[Prediction]) -> Prediction {
    let (mean, sd) = pool(members.iter().map(|p| (p.mean, p.sd)));
    let noise = members.iter().map(|p| p.noise_sd.powi(2)).sum::<f64>() / members.len() as f64;
    Prediction { mean, sd, noise_sd: noise.sqrt() }
}

/// Of every row.
pub(super) fn rows(members: &[Vec<Prediction>]) -> Vec<Prediction> {
    let row = |row: usize| predictions(&members.iter().map(|member| member[row]).collect::<Vec<_>>());
    (0..members[0].len()).map(row).collect()
}

/// Of two mixtures.
pub(super) fn differences(members: &[Difference]) -> Difference {
    let (mean, sd) = pool(members.iter().map(|d| (d.mean, d.sd)));
    Difference { mean, sd }
}

/// Of slopes.
pub(super) fn slopes(members: &[Vec<f64>]) -> Vec<f64> {
    let n = members.len() as f64;
    (0..members[0].len()).map(|i| members.iter().map(|slope| slope[i]).sum::<f64>() / n).collect()
}

/// Of slopes of variances, with the means and slopes of the members: those of [`pool`].
pub(super) fn variance_slopes(means: &[f64], of_means: &[Vec<f64>], of_variances: &[Vec<f64>]) -> Vec<f64> {
    let n = means.len() as f64;
    let mean = means.iter().sum::<f64>() / n;
    let mut pooled = slopes(of_variances);
    for (own, slope) in means.iter().zip(of_means) {
        // What all members share falls out of Σ (mᵢ − m) ∇m.
        pooled.iter_mut().zip(slope).for_each(|(sum, s)| *sum += 2.0 / n * (own - mean) * s);
    }
    pooled
}

/// What any member has to say, once.
pub(super) fn notes(members: impl Iterator<Item = Vec<String>>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for note in members.flatten() {
        if !all.contains(&note) {
            all.push(note);
        }
    }
    all
}

/// Mean and standard deviation of an equal mixture of normals: mean of the variances plus variance of the means.
fn pool(members: impl ExactSizeIterator<Item = (f64, f64)> + Clone) -> (f64, f64) {
    let n = members.len() as f64;
    let mean = members.clone().map(|(mean, _)| mean).sum::<f64>() / n;
    let variance = members.map(|(own, sd)| sd * sd + (own - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disagreement_of_the_members_widens_the_interval() {
        // Means 0 and 2, variances 1 and 3: mean 1, variance (1 + 3)/2 + 1 = 3.
        let (mean, sd) = pool([(0.0, 1.0), (2.0, 3.0_f64.sqrt())].into_iter());
        assert_eq!(mean, 1.0);
        assert!((sd * sd - 3.0).abs() < 1e-12);
    }
}
