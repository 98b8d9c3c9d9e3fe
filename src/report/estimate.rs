//! A mean of a few runs with its interval, and how numbers are written.

use statrs::distribution::{ContinuousCDF, StudentsT};

pub use crate::mixture::named::Interval;

/// Mean over runs with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The mean; NaN when there is nothing to average.
    pub mean: f64,
    /// Half the width of the 95 % interval (Student's t); `None` with fewer than two values.
    pub half_width: Option<f64>,
    /// Values behind it.
    pub n: usize,
}

impl Estimate {
    /// Of the values that are numbers; NaN and infinite ones are left out and not counted.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        Self { mean, half_width: (n >= 2).then(|| t_975(n - 1) * sd(&values) / (n as f64).sqrt()), n }
    }

    /// The interval, where there is one.
    pub fn interval(&self) -> Option<Interval> {
        self.half_width.map(|half| Interval {
            mean: self.mean,
            low: self.mean - half,
            high: self.mean + half,
        })
    }
}

/// Spread between runs of one mixture, pooled over all mixtures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pooled {
    /// Standard deviation of one run around its mixture's mean.
    pub(super) sd: f64,
    /// Runs minus mixtures.
    pub(super) degrees_of_freedom: usize,
}

impl Pooled {
    /// `groups`: the scores of each mixture's runs. `None` where no mixture has two.
    pub(super) fn of(groups: &[Vec<f64>]) -> Option<Self> {
        let mut squares = 0.0;
        let mut degrees_of_freedom = 0;
        for group in groups {
            let values: Vec<f64> = group.iter().copied().filter(|v| v.is_finite()).collect();
            if values.len() > 1 {
                squares += sd(&values).powi(2) * (values.len() - 1) as f64;
                degrees_of_freedom += values.len() - 1;
            }
        }
        (degrees_of_freedom > 0)
            .then(|| Self { sd: (squares / degrees_of_freedom as f64).sqrt(), degrees_of_freedom })
    }

    /// 95 % interval of a mean of `estimate.n` runs: two runs alone would give one twelve times their error wide.
    pub(super) fn interval(&self, estimate: &Estimate) -> Option<Interval> {
        let half = t_975(self.degrees_of_freedom) * self.sd / (estimate.n as f64).sqrt();
        let Estimate { mean, n, .. } = *estimate;
        (n > 0).then_some(Interval { mean, low: mean - half, high: mean + half })
    }
}

/// Standard deviation with n − 1; NaN for fewer than two values.
pub(super) fn sd(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
}

/// The .975 quantile of Student's t.
fn t_975(degrees_of_freedom: usize) -> f64 {
    StudentsT::new(0.0, 1.0, degrees_of_freedom as f64)
        .expect("two values or more leave one degree of freedom or more")
        .inverse_cdf(0.975)
}

/// What stands where there is no number.
pub(super) const NONE: &str = "–";

/// `0.412`; a dash for what is no number.
pub(super) fn plain(value: f64) -> String {
    digits(value, 3)
}

/// `+0.021`, `−0.004`, `0.000`.
pub(super) fn signed(value: f64) -> String {
    signed_digits(value, 3)
}

/// Digits after the point that suit differences of this size; scores in [0, 1] get three or four.
pub(super) fn digits_for(size: f64) -> usize {
    match size {
        ..0.01 => 4,
        ..3.0 => 3,
        ..30.0 => 2,
        ..300.0 => 1,
        _ if size.is_nan() => 3,
        _ => 0,
    }
}

/// As [`signed`], with `n` digits after the point.
pub(super) fn signed_digits(value: f64, n: usize) -> String {
    let text = digits(value, n);
    let zero = text.bytes().all(|b| b == b'0' || b == b'.');
    if value > 0.0 && !zero { format!("+{text}") } else { text }
}

/// `value` with `n` digits after the point and a real minus sign.
pub(super) fn digits(value: f64, n: usize) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    let text = format!("{:.n$}", value.abs());
    let zero = text.bytes().all(|b| b == b'0' || b == b'.');
    if value < 0.0 && !zero { format!("−{text}") } else { text }
}

/// `0.031`, `< 0.001`; a dash for what is no number.
pub(super) fn chance(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { plain(p) }
}

/// `0.397 to 0.427`; a dash without an interval.
pub(super) fn range(interval: Option<Interval>, number: impl Fn(f64) -> String) -> String {
    match interval {
        Some(Interval { low, high, .. }) if low.is_finite() && high.is_finite() => {
            format!("{} to {}", number(low), number(high))
        }
        _ => NONE.to_owned(),
    }
}

/// `1 run`, `5 runs`.
pub(super) fn count(n: usize, one: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {one}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_students() {
        // Mean 2, sd 1, n = 3: t(.975, 2) = 4.3027, half width 4.3027 / sqrt(3) = 2.4841.
        let estimate = Estimate::of([1.0, 2.0, 3.0, f64::NAN]);
        assert_eq!((estimate.mean, estimate.n), (2.0, 3));
        assert!((estimate.half_width.unwrap() - 2.4841).abs() < 1e-4);
    }

    #[test]
    fn one_value_has_no_interval_and_none_has_no_mean() {
        assert_eq!(Estimate::of([0.4]), Estimate { mean: 0.4, half_width: None, n: 1 });
        assert!(Estimate::of([f64::NAN]).mean.is_nan());
    }

    #[test]
    fn pooling_uses_every_replicate() {
        // Variances .02 (one degree) and .01 (two degrees): (.02 + .02) / 3 = .01333, sd .11547.
        let pooled = Pooled::of(&[vec![0.1, 0.3], vec![0.1, 0.2, 0.3], vec![0.7]]).unwrap();
        assert_eq!(pooled.degrees_of_freedom, 3);
        assert!((pooled.sd - 0.11547).abs() < 1e-5);
        assert_eq!(Pooled::of(&[vec![0.1], vec![0.2]]), None);
    }

    #[test]
    fn numbers_carry_their_sign_and_never_a_negative_zero() {
        assert_eq!((signed(0.0214), signed(-0.004)), ("+0.021".into(), "−0.004".into()));
        assert_eq!((signed(-0.0001), signed(0.0001)), ("0.000".into(), "0.000".into()));
        assert_eq!((plain(f64::NAN), plain(f64::INFINITY)), ("–".into(), "–".into()));
        assert_eq!((chance(0.0), chance(0.0312)), ("< 0.001".into(), "0.031".into()));
    }
}
