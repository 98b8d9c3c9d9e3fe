//! Which mixtures are allowed: bounds per dataset and per group, caps from dataset sizes; and the nearest allowed one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::name::Name;

/// What people write in a plan.
///
/// ```toml
/// [constraints]
/// max_passes = 4.0
/// shares.detect = { min = 0.1 }
/// groups.boxes = { datasets = ["detect", "refer"], max = 0.5 }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constraints {
    /// Passes over the rows of any dataset, at most.
    pub max_passes: Option<f64>,
    /// Bounds on the shares of single datasets.
    #[serde(default)]
    pub shares: BTreeMap<Name, Range>,
    /// Bounds on sums of shares; a dataset may be in one group.
    #[serde(default)]
    pub groups: BTreeMap<Name, Group>,
}

/// Bounds on one share.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// Smallest share, in [0, 1].
    #[serde(default)]
    pub min: f64,
    /// Largest share, in [0, 1].
    #[serde(default = "one")]
    pub max: f64,
}

/// Bounds on the sum of some shares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its datasets.
    pub datasets: Vec<Name>,
    /// Smallest sum, in [0, 1].
    #[serde(default)]
    pub min: f64,
    /// Largest sum, in [0, 1].
    #[serde(default = "one")]
    pub max: f64,
}

fn one() -> f64 {
    1.0
}

/// How much there is of each dataset and how much will be drawn in all: what `max_passes` needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Supply {
    /// Rows of each dataset.
    pub rows: BTreeMap<Name, u64>,
    /// Prompt groups that the run will draw.
    pub total_groups: u64,
}

/// Constraints that make no sense or leave no mixture.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BadConstraint {
    /// A name that is no dataset of the experiment.
    #[error("the constraint on `{at}` names `{given}`, which is no dataset here; there are {known}")]
    UnknownDataset {
        /// Where.
        at: String,
        /// What was written.
        given: Name,
        /// What there is.
        known: String,
    },
    /// A bound outside [0, 1] or above its partner.
    #[error(
        "`{at}` asks for a share from {min} to {max}; both must lie in [0, 1], the first below the second"
    )]
    Range {
        /// Which dataset or group.
        at: Name,
        /// Its smallest share.
        min: f64,
        /// Its largest.
        max: f64,
    },
    /// `max_passes` that is no positive number.
    #[error("`max_passes` is {0}; it must be above 0")]
    Passes(f64),
    /// A dataset in two groups.
    #[error("`{dataset}` is in the groups `{first}` and `{second}`; a dataset may be in one")]
    TwoGroups {
        /// The dataset.
        dataset: Name,
        /// One group.
        first: Name,
        /// The other.
        second: Name,
    },
    /// No mixture meets all of them.
    #[error("no mixture meets the constraints: {0}")]
    Infeasible(String),
}

/// The allowed mixtures of some datasets, in their order; never empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    datasets: Vec<Name>,
    low: Vec<f64>,
    high: Vec<f64>,
    /// Why `high` is below 1, for messages.
    reasons: Vec<String>,
    groups: Vec<Bounded>,
}

#[derive(Clone, Debug, PartialEq)]
struct Bounded {
    /// `None` for the datasets in no group of the plan's.
    name: Option<Name>,
    members: Vec<usize>,
    low: f64,
    high: f64,
}

impl Constraints {
    /// The mixtures of `datasets` that meet them. `supply` is needed for `max_passes` to have an effect.
    pub fn region(&self, datasets: &[Name], supply: Option<&Supply>) -> Result<Region, BadConstraint> {
        let d = datasets.len();
        let place = |at: &str, given: &Name| {
            datasets.iter().position(|name| name == given).ok_or_else(|| BadConstraint::UnknownDataset {
                at: at.to_owned(),
                given: given.clone(),
                known: list(datasets),
            })
        };
        let mut region = Region {
            datasets: datasets.to_vec(),
            low: vec![0.0; d],
            high: vec![1.0; d],
            reasons: vec![String::new(); d],
            groups: Vec::new(),
        };
        for (name, range) in &self.shares {
            let i = place("shares", name)?;
            in_order(name, range.min, range.max)?;
            (region.low[i], region.high[i]) = (range.min, range.max);
            region.reasons[i] = format!("`{name}` at most {}", range.max);
        }
        if let Some(passes) = self.max_passes {
            if !passes.is_finite() || passes <= 0.0 {
                return Err(BadConstraint::Passes(passes));
            }
            for (i, name) in datasets.iter().enumerate() {
                let Some((rows, total)) = supply.and_then(|s| Some((*s.rows.get(name)?, s.total_groups)))
                else {
                    continue;
                };
                let cap = rows as f64 * passes / total.max(1) as f64;
                if cap < region.high[i] {
                    region.high[i] = cap;
                    region.reasons[i] = format!(
                        "`{name}` at most {cap:.4} ({rows} rows × {passes} passes of {total} groups)"
                    );
                }
            }
        }
        let mut own: Vec<Option<&Name>> = vec![None; d];
        for (name, group) in &self.groups {
            in_order(name, group.min, group.max)?;
            let mut members = Vec::new();
            for dataset in &group.datasets {
                let i = place(&format!("groups.{name}"), dataset)?;
                if let Some(first) = own[i].replace(name) {
                    let (dataset, first, second) = (dataset.clone(), first.clone(), name.clone());
                    return Err(BadConstraint::TwoGroups { dataset, first, second });
                }
                members.push(i);
            }
            region.groups.push(Bounded {
                name: Some(name.clone()),
                members,
                low: group.min,
                high: group.max,
            });
        }
        let members = (0..d).filter(|&i| own[i].is_none()).collect();
        region.groups.push(Bounded { name: None, members, low: 0.0, high: 1.0 });
        region.check()?;
        Ok(region)
    }
}

fn in_order(at: &Name, min: f64, max: f64) -> Result<(), BadConstraint> {
    let fine = (0.0..=1.0).contains(&min) && (0.0..=1.0).contains(&max) && min <= max;
    if fine { Ok(()) } else { Err(BadConstraint::Range { at: at.clone(), min, max }) }
}

fn list(names: &[Name]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Rounding that sums of shares may show.
const ROUNDING: f64 = 1e-9;

impl Region {
    /// Every mixture of `datasets`.
    pub fn simplex(datasets: &[Name]) -> Result<Self, BadConstraint> {
        Constraints::default().region(datasets, None)
    }

    /// The datasets, in the order of shares.
    pub fn datasets(&self) -> &[Name] {
        &self.datasets
    }

    /// How far `shares` are from meeting all constraints: the largest violation of any, in shares; 0 inside.
    pub fn violation(&self, shares: &[f64]) -> f64 {
        let bounds = shares.iter().zip(&self.low).zip(&self.high).map(|((s, l), h)| (l - s).max(s - h));
        let groups = self.groups.iter().map(|group| {
            let sum: f64 = group.members.iter().map(|&i| shares[i]).sum();
            (group.low - sum).max(sum - group.high)
        });
        let sum = (shares.iter().sum::<f64>() - 1.0).abs();
        bounds.chain(groups).chain([sum]).fold(0.0, f64::max)
    }

    /// The nearest allowed mixture (Euclidean), exact to rounding.
    ///
    /// Kuhn–Tucker: every share is `clip(share − τ − τ_group)`. For a given τ a group's sum is that of its clipped
    /// shares, clamped to the group's bounds; it falls with τ, so that τ is found by bisection and refined exactly.
    pub fn project(&self, shares: &[f64]) -> Vec<f64> {
        let sums = |shift: f64| -> Vec<f64> {
            self.groups.iter().map(|g| self.clipped(g, shares, shift).clamp(g.low, g.high)).collect()
        };
        let shift = root(|shift| sums(shift).iter().sum::<f64>() - 1.0, shares);
        let mut targets = sums(shift);
        // What bisection leaves goes to a group that has room for it.
        let rest = 1.0 - targets.iter().sum::<f64>();
        if let Some(k) = (0..targets.len()).find(|&k| self.room(k, targets[k], rest)) {
            targets[k] += rest;
        }
        let mut projected = vec![0.0; shares.len()];
        for (group, target) in self.groups.iter().zip(targets) {
            let shift = root(|shift| self.clipped(group, shares, shift) - target, shares);
            for &i in &group.members {
                projected[i] = (shares[i] - shift).clamp(self.low[i], self.high[i]);
            }
            let rest = target - group.members.iter().map(|&i| projected[i]).sum::<f64>();
            let free = |i: &&usize| {
                let moved = projected[**i] + rest;
                (self.low[**i]..=self.high[**i]).contains(&moved)
            };
            if let Some(&i) = group.members.iter().find(free) {
                projected[i] += rest;
            }
        }
        projected
    }

    fn clipped(&self, group: &Bounded, shares: &[f64], shift: f64) -> f64 {
        group.members.iter().map(|&i| (shares[i] - shift).clamp(self.low[i], self.high[i])).sum()
    }

    fn room(&self, group: usize, sum: f64, rest: f64) -> bool {
        let group = &self.groups[group];
        let bound = |of: &[f64]| group.members.iter().map(|&i| of[i]).sum::<f64>();
        let (low, high) = (group.low.max(bound(&self.low)), group.high.min(bound(&self.high)));
        (low..=high).contains(&(sum + rest))
    }

    /// The constraints that `shares` touch, as sentences; touching 0 is none.
    pub fn binding(&self, shares: &[f64]) -> Vec<String> {
        const TOUCH: f64 = 1e-6;
        let mut all = Vec::new();
        for (i, name) in self.datasets.iter().enumerate() {
            if self.high[i] < 1.0 && shares[i] > self.high[i] - TOUCH {
                all.push(self.reasons[i].clone());
            }
            if self.low[i] > 0.0 && shares[i] < self.low[i] + TOUCH {
                all.push(format!("`{name}` at least {}", self.low[i]));
            }
        }
        for group in &self.groups {
            let Some(name) = &group.name else { continue };
            let sum: f64 = group.members.iter().map(|&i| shares[i]).sum();
            if group.high < 1.0 && sum > group.high - TOUCH {
                all.push(format!("group `{name}` at most {}", group.high));
            }
            if group.low > 0.0 && sum < group.low + TOUCH {
                all.push(format!("group `{name}` at least {}", group.low));
            }
        }
        all
    }

    /// Finds what collides.
    fn check(&self) -> Result<(), BadConstraint> {
        let collide = |what: String| Err(BadConstraint::Infeasible(what));
        for (i, name) in self.datasets.iter().enumerate() {
            if self.low[i] > self.high[i] {
                return collide(format!(
                    "`{name}` at least {} collides with {}",
                    self.low[i], self.reasons[i]
                ));
            }
        }
        let (mut smallest, mut largest) = (0.0, 0.0);
        let (mut floors, mut caps) = (Vec::new(), Vec::new());
        for group in &self.groups {
            let of = |bounds: &[f64]| group.members.iter().map(|&i| bounds[i]).sum::<f64>();
            let (low, high) = (of(&self.low), of(&self.high));
            if let Some(name) = &group.name {
                if low > group.high + ROUNDING {
                    let floors = self.floors(&group.members).join(", ");
                    return collide(format!("group `{name}` at most {} collides with {floors}", group.high));
                }
                if high < group.low - ROUNDING {
                    let caps = self.caps(&group.members).join(", ");
                    return collide(format!("group `{name}` at least {} collides with {caps}", group.low));
                }
            }
            if low >= group.low {
                floors.extend(self.floors(&group.members));
            } else {
                floors
                    .extend(group.name.as_ref().map(|name| format!("group `{name}` at least {}", group.low)));
            }
            if high <= group.high {
                caps.extend(self.caps(&group.members));
            } else {
                caps.extend(group.name.as_ref().map(|name| format!("group `{name}` at most {}", group.high)));
            }
            smallest += low.max(group.low);
            largest += high.min(group.high);
        }
        if self.datasets.is_empty() {
            return collide("there is no dataset".to_owned());
        }
        if smallest > 1.0 + ROUNDING {
            return collide(format!("together they ask for {smallest:.4} of 1: {}", floors.join(", ")));
        }
        if largest < 1.0 - ROUNDING {
            return collide(format!("together they leave only {largest:.4} of 1: {}", caps.join(", ")));
        }
        Ok(())
    }

    fn floors(&self, members: &[usize]) -> Vec<String> {
        let asked = members.iter().filter(|&&i| self.low[i] > 0.0);
        asked.map(|&i| format!("`{}` at least {}", self.datasets[i], self.low[i])).collect()
    }

    fn caps(&self, members: &[usize]) -> Vec<String> {
        members.iter().filter(|&&i| self.high[i] < 1.0).map(|&i| self.reasons[i].clone()).collect()
    }
}

/// Where a function that falls with the shift crosses zero.
fn root(excess: impl Fn(f64) -> f64, shares: &[f64]) -> f64 {
    let largest = shares.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let smallest = shares.iter().copied().fold(f64::INFINITY, f64::min);
    // Beyond these every share is at its lower or upper bound.
    let (mut low, mut high) = (smallest - 1.0, largest);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if excess(middle) > 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use rand::Rng;

    fn names(of: &[&str]) -> Vec<Name> {
        of.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn region(toml: &str, supply: Option<&Supply>) -> Result<Region, BadConstraint> {
        toml::from_str::<Constraints>(toml).unwrap().region(&names(&["a", "b", "c", "d"]), supply)
    }

    const TIGHT: &str = "shares.a = { min = 0.1, max = 0.3 }\nshares.d = { max = 0.2 }\n\
                         groups.bc = { datasets = [\"b\", \"c\"], min = 0.3, max = 0.6 }";

    #[test]
    fn every_projection_is_allowed_and_an_allowed_point_stays() {
        let region = region(TIGHT, None).unwrap();
        let mut rng = Seed::new(1).rng();
        for _ in 0..500 {
            let point: Vec<f64> = (0..4).map(|_| 6.0 * rng.random::<f64>() - 3.0).collect();
            let projected = region.project(&point);
            assert!(region.violation(&projected) < 1e-12, "{point:?} {projected:?}");
            let again = region.project(&projected);
            assert!(projected.iter().zip(&again).all(|(a, b)| (a - b).abs() < 1e-12));
        }
    }

    #[test]
    fn no_allowed_point_is_nearer_than_the_projection() {
        let region = region(TIGHT, None).unwrap();
        let mut rng = Seed::new(2).rng();
        let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        for _ in 0..20 {
            let point: Vec<f64> = (0..4).map(|_| 3.0 * rng.random::<f64>() - 1.0).collect();
            let nearest = distance(&point, &region.project(&point));
            // All allowed points of a grid of 1/40.
            for i in 0..=40 {
                for j in 0..=40 - i {
                    for k in 0..=40 - i - j {
                        let at = [i, j, k, 40 - i - j - k].map(|n| f64::from(n) / 40.0);
                        assert!(region.violation(&at) > 1e-12 || distance(&point, &at) >= nearest - 1e-12);
                    }
                }
            }
        }
    }

    #[test]
    fn caps_follow_from_rows_and_passes() {
        let rows = names(&["a", "b", "c", "d"]).into_iter().zip([50, 1000, 1000, 1000]).collect();
        let region = region("max_passes = 2", Some(&Supply { rows, total_groups: 1000 })).unwrap();
        let projected = region.project(&[1.0, 0.0, 0.0, 0.0]);
        assert!((projected[0] - 0.1).abs() < 1e-12); // 50 × 2 / 1000
        assert_eq!(region.binding(&projected), ["`a` at most 0.1000 (50 rows × 2 passes of 1000 groups)"]);
    }

    #[test]
    fn a_region_of_one_point_is_that_point() {
        let all = "shares.a = { min = 0.25 }\nshares.b = { min = 0.25 }\nshares.c = { min = 0.25 }\nshares.d = { min = 0.25 }";
        let projected = region(all, None).unwrap().project(&[9.0, -1.0, 0.0, 0.0]);
        assert!(projected.iter().all(|s| (s - 0.25).abs() < 1e-12));
    }

    #[test]
    fn what_collides_is_named() {
        check(
            "shares.a = { min = 0.6 }\nshares.b = { min = 0.5 }",
            "ask for 1.1000 of 1: `a` at least 0.6, `b` at least 0.5",
        );
        check(
            "shares.a = { max = 0.2 }\ngroups.rest = { datasets = [\"b\", \"c\", \"d\"], max = 0.5 }",
            "leave only 0.7000 of 1: group `rest` at most 0.5, `a` at most 0.2",
        );
        check(
            "shares.a = { min = 0.3 }\ngroups.g = { datasets = [\"a\", \"b\"], max = 0.2 }",
            "group `g` at most 0.2 collides with `a` at least 0.3",
        );
        check(
            "shares.x = { min = 0.3 }",
            "names `x`, which is no dataset here; there are `a`, `b`, `c`, `d`",
        );
        check("shares.a = { min = 0.3, max = 0.2 }", "`a` asks for a share from 0.3 to 0.2");
        check("max_passes = 0", "`max_passes` is 0");
        check(
            "groups.g = { datasets = [\"a\"] }\ngroups.h = { datasets = [\"a\"] }",
            "`a` is in the groups `g` and `h`",
        );
    }

    fn check(toml: &str, expected: &str) {
        let error = region(toml, None).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
