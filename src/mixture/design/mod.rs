//! Where to try first: the mixtures of the first proxy runs.

mod d_optimal;
mod dirichlet;
mod greedy_variance;
mod seed_mixtures;
mod space_filling;

use super::{BadMixture, Mixture, constraint::Region};
use crate::{
    registry::{Entry, Named, Registry},
    seed::Seed,
};

/// A way to choose the first mixtures.
pub trait Design: Send + Sync {
    /// Mixtures to try, all inside `region`, no two the same; the same for the same seed.
    fn mixtures(&self, region: &Region, seed: Seed) -> Result<Vec<Planned>, BadMixture>;
}

/// A mixture to try.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// What tables call it: `uniform`, `exclude_detect`, `design_03`.
    pub label: String,
    /// Its shares.
    pub mixture: Mixture,
}

/// Every design.
pub const DESIGNS: Registry<dyn Design> = Registry {
    kind: "design",
    entries: &[
        seed_mixtures::ENTRY, //
        space_filling::ENTRY,
        dirichlet::ENTRY,
        d_optimal::ENTRY,
        greedy_variance::ENTRY,
    ],
};

const fn entry<D: Named + Design + 'static>() -> Entry<dyn Design> {
    Entry { name: D::NAME, summary: D::SUMMARY, build: |table| Ok(Box::new(D::new(table.try_into()?)?)) }
}

/// Points as planned mixtures, `design_01` and so on; what repeats another is left out.
fn numbered(region: &Region, points: &[Vec<f64>]) -> Result<Vec<Planned>, BadMixture> {
    let digits = points.len().to_string().len().max(2);
    let mut planned: Vec<Planned> = Vec::new();
    for point in points {
        let mixture = mixture(region, point)?;
        if planned.iter().all(|one| one.mixture != mixture) {
            planned.push(Planned { label: format!("design_{:0digits$}", planned.len() + 1), mixture });
        }
    }
    Ok(planned)
}

/// The mixture of `shares` in the order of the region's datasets.
fn mixture(region: &Region, shares: &[f64]) -> Result<Mixture, BadMixture> {
    Mixture::new(&region.datasets().iter().cloned().zip(shares.iter().map(|s| s.max(0.0))).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::{mixture::constraint::Constraints, name::Name};

    fn datasets() -> Vec<Name> {
        ["a", "b", "c", "d", "e"].iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn every_design_stays_inside_constraints_repeats_nothing_and_follows_its_seed() {
        let capped = "shares.a = { min = 0.05, max = 0.4 }\nshares.b = { max = 0.3 }\n\
                      groups.cd = { datasets = [\"c\", \"d\"], max = 0.6 }";
        for constraints in ["", capped] {
            let region =
                toml::from_str::<Constraints>(constraints).unwrap().region(&datasets(), None).unwrap();
            for entry in DESIGNS.entries {
                let design = (entry.build)(toml::Table::new()).unwrap();
                let planned = design.mixtures(&region, Seed::new(1)).unwrap();
                assert!(planned.len() >= 5, "{}", entry.name);
                for one in &planned {
                    // Quantised to parts of a million.
                    assert!(
                        region.violation(&one.mixture.vector(&datasets())) < 5e-6,
                        "{} {one:?}",
                        entry.name
                    );
                }
                let distinct: HashSet<&Mixture> = planned.iter().map(|one| &one.mixture).collect();
                assert_eq!(distinct.len(), planned.len(), "{}", entry.name);
                assert_eq!(design.mixtures(&region, Seed::new(1)).unwrap(), planned);
            }
        }
    }

    #[test]
    fn without_constraints_the_seed_mixtures_are_the_papers_eleven() {
        let design = (DESIGNS.get("seed_mixtures").unwrap().build)(toml::Table::new()).unwrap();
        let planned = design.mixtures(&Region::simplex(&datasets()).unwrap(), Seed::new(1)).unwrap();
        assert_eq!(planned.len(), 11);
        assert_eq!(planned[0].label, "uniform");
        assert_eq!(planned[1].mixture.brief(), "a 1.00");
    }

    #[test]
    fn a_space_filling_design_covers_more_than_as_many_random_mixtures() {
        let design = (DESIGNS.get("space_filling").unwrap().build)("mixtures = 12".parse().unwrap()).unwrap();
        let region = Region::simplex(&datasets()).unwrap();
        let planned = design.mixtures(&region, Seed::new(1)).unwrap();
        let roots = |m: &Mixture| m.vector(&datasets()).iter().map(|s| s.sqrt()).collect::<Vec<_>>();
        let points: Vec<Vec<f64>> = planned.iter().map(|p| roots(&p.mixture)).collect();
        assert_eq!(points.len(), 12);
        let pool = space_filling::pool(&region, (0.1, 5.0), 2012, Seed::new(2));
        let roots: Vec<Vec<f64>> = pool.iter().map(|p| p.iter().map(|s| s.sqrt()).collect()).collect();
        let (random, asked) = roots.split_at(12);
        let cover = |points: &[Vec<f64>]| {
            let nearest = |x: &Vec<f64>| points.iter().map(|p| squared(p, x)).fold(f64::INFINITY, f64::min);
            asked.iter().map(nearest).sum::<f64>()
        };
        assert!(cover(&points) < 0.8 * cover(random), "{} {}", cover(&points), cover(random));
    }

    fn squared(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
    }
}
