//! How far the policy has moved from the base, estimated at the tokens that were sampled.
//!
//! With d = log π − log π_ref at a token sampled from π, every rule has its expectation or its gradient in common
//! with the KL divergence of π from π_ref (Schulman, "Approximating KL divergence", 2020).

mod k1;
mod k2;
mod k3;

use burn::Tensor;

use crate::registry::{BuildError, Entry, Named, Registry};

/// An estimator of the KL divergence per token. It is 0 at d = 0, so that padding adds nothing.
pub trait Kl: Send + Sync {
    /// Its value in nats at d = log π − log π_ref, for logs.
    fn value(&self, d: f64) -> f64;

    /// The same, differentiable. `d`: `[n, t]`; returns `[n, t]`.
    fn tensor(&self, d: Tensor<2>) -> Tensor<2>;
}

/// Every estimator.
pub const KLS: Registry<dyn Kl> = Registry {
    kind: "kl",
    entries: &[
        k1::ENTRY, //
        k2::ENTRY,
        k3::ENTRY,
    ],
};

const fn entry<K: Named<Config = NoSettings> + Kl + 'static>() -> Entry<dyn Kl> {
    Entry { name: K::NAME, summary: K::SUMMARY, build: |table| Ok(Box::new(K::new(table.try_into()?)?)) }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct NoSettings {}

type Built<T> = Result<T, BuildError>;

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn values_are_those_of_the_reference_implementation() {
        // verl 0.9.1 in float32: log π = −.5, −1, −2 and log π_ref = −.7, −.9, −1.
        let golden =
            [("k1", [0.2, -0.1, -1.0]), ("k2", [0.02, 0.005, 0.5]), ("k3", [0.018731, 0.005171, 0.718282])];
        for (name, expected) in golden {
            let kl = build(name);
            for (d, expected) in [0.2, -0.1, -1.0].into_iter().zip(expected) {
                assert!((kl.value(d) - expected).abs() < 1e-6, "{name}");
            }
        }
    }

    #[test]
    fn the_number_for_logs_is_the_number_in_the_loss() {
        let d = [[-3.0_f32, -0.5, 0.0], [0.25, 1.0, 30.0]];
        for entry in KLS.entries {
            let kl = build(entry.name);
            let tensor = kl.tensor(Tensor::from_floats(d, &Device::flex()));
            let got: Vec<f32> = tensor.into_data().try_to_vec::<f32>().unwrap();
            for (got, d) in got.into_iter().zip(d.concat()) {
                let expected = kl.value(f64::from(d));
                assert!(
                    (f64::from(got) - expected).abs() <= 1e-5 * expected.abs().max(1.0),
                    "{}",
                    entry.name
                );
            }
            assert_eq!(kl.value(0.0), 0.0);
        }
    }

    #[test]
    fn a_token_the_policy_has_all_but_forgotten_stays_finite() {
        for entry in KLS.entries {
            assert!(build(entry.name).value(-1e4).is_finite());
        }
    }

    fn build(name: &str) -> Box<dyn Kl> {
        (KLS.get(name).unwrap().build)(toml::Table::new()).unwrap()
    }
}
