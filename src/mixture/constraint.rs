//! Which mixtures are allowed: bounds per dataset and per group, caps from dataset sizes; and the nearest allowed one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::polytope::{Half, nearest};
use crate::name::Name;

/// What people write in a plan.
///
/// ```toml
/// [constraints]
/// max_passes = 4.0
/// min = { detect = 0.1 }
/// groups.boxes = { datasets = ["detect", "refer"], max = 0.5 }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constraints {
    /// Passes over the rows of any dataset, at most.
    pub max_passes: Option<f64>,
    /// Least shares of single datasets, in [0, 1]: the short form of `shares`.
    #[serde(default)]
    pub min: BTreeMap<Name, f64>,
    /// Largest shares of single datasets, in [0, 1].
    #[serde(default)]
    pub max: BTreeMap<Name, f64>,
    /// Bounds on the shares of single datasets.
    #[serde(default)]
    pub shares: BTreeMap<Name, Range>,
    /// Bounds on sums of shares, and ratios within them.
    #[serde(default)]
    pub groups: BTreeMap<Name, Group>,
    /// Passes that earlier runs have used up of some datasets: they count towards `max_passes`.
    #[serde(default)]
    pub passes_used: BTreeMap<Name, f64>,
    /// Bounds on weighted sums of shares.
    #[serde(default)]
    pub linear: Vec<Linear>,
    /// How many datasets may have a share, at most.
    pub at_most: Option<usize>,
    /// How far from a reference mixture.
    pub leash: Option<Leash>,
    /// Rows of each dataset, where nothing else says how many there are: what `max_passes` counts and natural shares
    /// are in proportion to.
    #[serde(default)]
    pub rows: BTreeMap<Name, u64>,
    /// Prompt groups that the run will draw; goes with `rows`.
    pub total_groups: Option<u64>,
}

/// Bounds on a weighted sum of shares: `weights = { a = 1, b = -2 }, min = 0` says at least twice as much `a` as `b`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    /// Weight of each dataset; those not named weigh 0.
    pub weights: BTreeMap<Name, f64>,
    /// Smallest sum.
    pub min: Option<f64>,
    /// Largest sum.
    pub max: Option<f64>,
}

/// How far from a reference mixture a mixture may be: exactly one of the two distances.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leash {
    /// The reference's shares; they are divided by their sum. Uniform when not given.
    #[serde(default)]
    pub to: BTreeMap<Name, f64>,
    /// Share of the budget spent differently, at most: half of Σ|w − r|, in [0, 1].
    pub total_variation: Option<f64>,
    /// Kullback–Leibler divergence Σ w ln(w / r), at most, in nats.
    pub kl: Option<f64>,
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
    /// Parts in which the group's sum is always divided among its datasets; then all of them must be named.
    #[serde(default)]
    pub ratios: BTreeMap<Name, f64>,
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
    /// Anything else that makes no sense.
    #[error("{0}")]
    Value(String),
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
    /// What bounds and disjoint groups do not say, each with its words.
    linear: Vec<(Half, String)>,
    leash: Option<Tether>,
    at_most: Option<usize>,
    /// An allowed mixture, where there is more than bounds and disjoint groups.
    allowed: Option<Vec<f64>>,
}

/// See [`Leash`].
#[derive(Clone, Debug, PartialEq)]
struct Tether {
    reference: Vec<f64>,
    distance: Distance,
    radius: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Distance {
    TotalVariation,
    Kl,
}

impl Tether {
    fn distance(&self, shares: &[f64]) -> f64 {
        let pairs = shares.iter().zip(&self.reference);
        match self.distance {
            Distance::TotalVariation => pairs.map(|(w, r)| (w - r).abs()).sum::<f64>() / 2.0,
            Distance::Kl => pairs.map(|(w, r)| if *w > 0.0 { w * (w / r).ln() } else { 0.0 }).sum(),
        }
    }

    /// A half-space that holds every allowed mixture and not `shares`: the tangent of the distance there.
    fn cut(&self, shares: &[f64]) -> Half {
        let slope = |(w, r): (&f64, &f64)| match self.distance {
            Distance::TotalVariation => 0.5 * (w - r).signum() * f64::from(u8::from(w != r)),
            Distance::Kl => (w.max(1e-12) / r).ln() + 1.0,
        };
        let normal: Vec<f64> = shares.iter().zip(&self.reference).map(|pair| -slope(pair)).collect();
        let along: f64 = normal.iter().zip(shares).map(|(n, w)| n * w).sum();
        Half { bound: along + self.distance(shares) - self.radius, normal, equality: false }
    }

    fn words(&self) -> String {
        match self.distance {
            Distance::TotalVariation => format!("total variation from the reference at most {}", self.radius),
            Distance::Kl => format!("KL divergence from the reference at most {}", self.radius),
        }
    }
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
    /// How much there is of each dataset and how much will be drawn, where they say so themselves.
    pub fn supply(&self) -> Option<Supply> {
        let total_groups = self.total_groups.unwrap_or(0);
        (!self.rows.is_empty()).then(|| Supply { rows: self.rows.clone(), total_groups })
    }

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
            linear: Vec::new(),
            leash: None,
            at_most: self.at_most,
            allowed: None,
        };
        let short = [
            (
                "min",
                self.min.iter().map(|(name, min)| (name, Range { min: *min, max: 1.0 })).collect::<Vec<_>>(),
            ),
            ("max", self.max.iter().map(|(name, max)| (name, Range { min: 0.0, max: *max })).collect()),
            ("shares", self.shares.iter().map(|(name, range)| (name, *range)).collect()),
        ];
        for (at, bounds) in short {
            for (name, range) in bounds {
                let i = place(at, name)?;
                in_order(name, range.min, range.max)?;
                region.low[i] = region.low[i].max(range.min);
                if range.max < region.high[i] || region.reasons[i].is_empty() {
                    region.high[i] = region.high[i].min(range.max);
                    region.reasons[i] = format!("`{name}` at most {}", region.high[i]);
                }
            }
        }
        for name in self.rows.keys() {
            place("rows", name)?;
        }
        if let Some(passes) = self.max_passes {
            if !passes.is_finite() || passes <= 0.0 {
                return Err(BadConstraint::Passes(passes));
            }
            if supply.is_some_and(|supply| supply.total_groups == 0) {
                return Err(BadConstraint::Value(
                    "`max_passes` needs `total_groups`, the prompt groups of the run".to_owned(),
                ));
            }
            for (i, name) in datasets.iter().enumerate() {
                let Some((rows, total)) = supply.and_then(|s| Some((*s.rows.get(name)?, s.total_groups)))
                else {
                    continue;
                };
                let used = self.passes_used.get(name).copied().unwrap_or(0.0);
                let cap = rows as f64 * (passes - used).max(0.0) / total as f64;
                if cap < region.high[i] {
                    region.high[i] = cap;
                    let left = if used > 0.0 { format!(" ({used} used)") } else { String::new() };
                    region.reasons[i] = format!(
                        "`{name}` at most {cap:.4} ({rows} rows × {passes} passes{left} of {total} groups)"
                    );
                }
            }
        }
        for (name, used) in &self.passes_used {
            place("passes_used", name)?;
            if !used.is_finite() || *used < 0.0 {
                return Err(BadConstraint::Value(format!(
                    "`passes_used.{name}` is {used}; it must be 0 or more"
                )));
            }
        }
        let mut grouped = vec![false; d];
        for (name, group) in &self.groups {
            in_order(name, group.min, group.max)?;
            let at = format!("groups.{name}");
            let members =
                group.datasets.iter().map(|dataset| place(&at, dataset)).collect::<Result<Vec<_>, _>>()?;
            if members.iter().any(|&i| grouped[i]) {
                // Disjoint groups have a projection in closed form; one that overlaps is a linear constraint.
                let normal = indicator(d, &members);
                region.sum(
                    &normal,
                    Some(group.min).filter(|m| *m > 0.0),
                    Some(group.max).filter(|m| *m < 1.0),
                    |side, bound| format!("group `{name}` at {side} {bound}"),
                );
            } else {
                for &i in &members {
                    grouped[i] = true;
                }
                let (low, high) = (group.min, group.max);
                region.groups.push(Bounded { name: Some(name.clone()), members: members.clone(), low, high });
            }
            Self::freeze(&mut region, name, group, &members)?;
        }
        let members = (0..d).filter(|&i| !grouped[i]).collect();
        region.groups.push(Bounded { name: None, members, low: 0.0, high: 1.0 });
        for (number, linear) in self.linear.iter().enumerate() {
            let at = format!("linear[{number}]");
            let mut normal = vec![0.0; d];
            let mut words = Vec::new();
            for (name, weight) in &linear.weights {
                if !weight.is_finite() {
                    return Err(BadConstraint::Value(format!("`{at}` weighs `{name}` with {weight}")));
                }
                normal[place(&at, name)?] = *weight;
                words.push(format!("{weight} `{name}`"));
            }
            let bounds = [linear.min, linear.max];
            if bounds.iter().flatten().any(|b| !b.is_finite()) || bounds == [None, None] || words.is_empty() {
                return Err(BadConstraint::Value(format!(
                    "`{at}` needs `weights` and a number as `min` or `max`"
                )));
            }
            let words = words.join(" + ").replace("+ -", "- ");
            region.sum(&normal, linear.min, linear.max, |side, bound| format!("{words} at {side} {bound}"));
        }
        if let Some(leash) = &self.leash {
            region.leash = Some(tether(leash, datasets)?);
        }
        region.check()?;
        Ok(region)
    }
}

impl Constraints {
    /// Frozen ratios: every member is its part of the group's sum.
    fn freeze(
        region: &mut Region,
        name: &Name,
        group: &Group,
        members: &[usize],
    ) -> Result<(), BadConstraint> {
        if group.ratios.is_empty() {
            return Ok(());
        }
        let parts: Option<Vec<f64>> = group.datasets.iter().map(|n| group.ratios.get(n).copied()).collect();
        let fine = |parts: &Vec<f64>| {
            parts.len() == group.ratios.len()
                && parts.iter().all(|p| p.is_finite() && *p >= 0.0)
                && parts.iter().sum::<f64>() > 0.0
        };
        let Some(parts) = parts.filter(fine) else {
            let what = format!(
                "`groups.{name}.ratios` needs one part, 0 or more, for each of its datasets and no other"
            );
            return Err(BadConstraint::Value(what));
        };
        let total: f64 = parts.iter().sum();
        let sum = indicator(region.datasets.len(), members);
        for (k, &i) in members.iter().enumerate().skip(1) {
            let mut normal: Vec<f64> = sum.iter().map(|s| -s * parts[k] / total).collect();
            normal[i] += 1.0;
            let words = format!("`{}` always {:.4} of group `{name}`", group.datasets[k], parts[k] / total);
            region.linear.push((Half { normal, bound: 0.0, equality: true }, words));
        }
        Ok(())
    }
}

fn indicator(d: usize, members: &[usize]) -> Vec<f64> {
    (0..d).map(|i| f64::from(u8::from(members.contains(&i)))).collect()
}

fn tether(leash: &Leash, datasets: &[Name]) -> Result<Tether, BadConstraint> {
    let wrong = |what: String| Err(BadConstraint::Value(what));
    if let Some(name) = leash.to.keys().find(|name| !datasets.contains(name)) {
        let (at, given) = ("leash".to_owned(), name.clone());
        return Err(BadConstraint::UnknownDataset { at, given, known: list(datasets) });
    }
    let (distance, radius) = match (leash.total_variation, leash.kl) {
        (Some(radius), None) => (Distance::TotalVariation, radius),
        (None, Some(radius)) => (Distance::Kl, radius),
        _ => return wrong("`leash` needs either `total_variation` or `kl`".to_owned()),
    };
    if !radius.is_finite() || radius < 0.0 {
        return wrong(format!("`leash` has a length of {radius}; it must be 0 or more"));
    }
    let share =
        |name: &Name| if leash.to.is_empty() { 1.0 } else { leash.to.get(name).copied().unwrap_or(0.0) };
    let raw: Vec<f64> = datasets.iter().map(share).collect();
    let sum: f64 = raw.iter().sum();
    if raw.iter().any(|r| !r.is_finite() || *r < 0.0) || sum <= 0.0 {
        return wrong("the shares of `leash.to` must be 0 or more, and one of them above 0".to_owned());
    }
    // A dataset that the reference lacks would be infinitely far in KL: it may get no share worth mentioning.
    let reference = raw.iter().map(|r| if distance == Distance::Kl { (r / sum).max(1e-12) } else { r / sum });
    Ok(Tether { reference: reference.collect(), distance, radius })
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
        let linear = self.linear.iter().map(|(half, _)| -half.slack(shares));
        let leash = self.leash.iter().map(|leash| leash.distance(shares) - leash.radius);
        bounds.chain(groups).chain(linear).chain(leash).chain([sum, self.surplus(shares)]).fold(0.0, f64::max)
    }

    /// The largest share beyond the number of datasets that may have one.
    fn surplus(&self, shares: &[f64]) -> f64 {
        let Some(at_most) = self.at_most else { return 0.0 };
        let mut sorted = shares.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        sorted.get(at_most).copied().unwrap_or(0.0)
    }

    /// Adds bounds on a weighted sum.
    fn sum(
        &mut self,
        normal: &[f64],
        min: Option<f64>,
        max: Option<f64>,
        words: impl Fn(&str, f64) -> String,
    ) {
        if let Some(min) = min {
            let half = Half { normal: normal.to_vec(), bound: min, equality: false };
            self.linear.push((half, words("least", min)));
        }
        if let Some(max) = max {
            let normal = normal.iter().map(|n| -n).collect();
            self.linear.push((Half { normal, bound: -max, equality: false }, words("most", max)));
        }
    }

    /// All linear constraints with their words; those that every mixture meets have none. `high`: instead of the
    /// region's own.
    fn halves(&self, high: &[f64]) -> Vec<(Half, String)> {
        let d = self.datasets.len();
        let unit =
            |i: usize, sign: f64| -> Vec<f64> { (0..d).map(|j| if i == j { sign } else { 0.0 }).collect() };
        let mut all = vec![(Half { normal: vec![1.0; d], bound: 1.0, equality: true }, String::new())];
        for (i, name) in self.datasets.iter().enumerate() {
            let low = Half { normal: unit(i, 1.0), bound: self.low[i], equality: false };
            let words =
                if self.low[i] > 0.0 { format!("`{name}` at least {}", self.low[i]) } else { String::new() };
            all.push((low, words));
            if high[i] < 1.0 {
                let half = Half { normal: unit(i, -1.0), bound: -high[i], equality: false };
                all.push((
                    half,
                    if high[i] == self.high[i] { self.reasons[i].clone() } else { String::new() },
                ));
            }
        }
        for group in &self.groups {
            let Some(name) = &group.name else { continue };
            let normal = indicator(d, &group.members);
            if group.low > 0.0 {
                let words = format!("group `{name}` at least {}", group.low);
                all.push((Half { normal: normal.clone(), bound: group.low, equality: false }, words));
            }
            if group.high < 1.0 {
                let normal = normal.iter().map(|n| -n).collect();
                let words = format!("group `{name}` at most {}", group.high);
                all.push((Half { normal, bound: -group.high, equality: false }, words));
            }
        }
        all.extend(self.linear.iter().cloned());
        all
    }

    /// The nearest point under everything linear and the leash, or what collides.
    fn nearest(&self, shares: &[f64], high: &[f64]) -> Result<Vec<f64>, Vec<String>> {
        let (mut halves, mut words): (Vec<Half>, Vec<String>) = self.halves(high).into_iter().unzip();
        let collide = |found: Vec<usize>, words: &[String]| -> Vec<String> {
            found.into_iter().map(|i| words[i].clone()).filter(|w| !w.is_empty()).collect()
        };
        let mut point = nearest(shares, &halves).map_err(|found| collide(found, &words))?;
        let Some(leash) = &self.leash else { return Ok(point) };
        // Tangents cut off what is too far until nothing is (Kelley 1960).
        for _ in 0..200 {
            if leash.distance(&point) <= leash.radius + 1e-11 {
                break;
            }
            halves.push(leash.cut(&point));
            words.push(leash.words());
            point = nearest(shares, &halves).map_err(|found| collide(found, &words))?;
        }
        // What the cuts leave of the distance is pulled in along the line to the reference, if that is allowed.
        let over = leash.distance(&point);
        if over > leash.radius && over > 0.0 && halves.iter().all(|h| h.slack(&leash.reference) > -1e-9) {
            let keep = leash.radius / over;
            point = point.iter().zip(&leash.reference).map(|(p, r)| r + keep * (p - r)).collect();
        }
        Ok(point)
    }

    /// [`project`](Self::project) where there is more than bounds and disjoint groups.
    fn project_onto_all(&self, shares: &[f64]) -> Result<Vec<f64>, Vec<String>> {
        let point = self.nearest(shares, &self.high)?;
        let Some(at_most) = self.at_most.filter(|_| self.surplus(&point) > 0.0) else { return Ok(point) };
        // Those with a floor stay, then the largest; the others get nothing.
        let order_by = |key: &dyn Fn(usize) -> f64| {
            let mut order: Vec<usize> = (0..point.len()).collect();
            order.sort_by(|&a, &b| {
                (self.low[b] > 0.0).cmp(&(self.low[a] > 0.0)).then(key(b).total_cmp(&key(a))).then(a.cmp(&b))
            });
            order
        };
        let with = |order: Vec<usize>| {
            let mut high = vec![0.0; point.len()];
            order.iter().take(at_most).for_each(|&i| high[i] = self.high[i]);
            self.nearest(shares, &high)
        };
        // Caps and groups may leave no mixture of the largest; then the roomiest, then those of a mixture that is allowed.
        with(order_by(&|i| point[i]))
            .or_else(|_| with(order_by(&|i| self.high[i])))
            .or_else(|found| match &self.allowed {
                Some(allowed) => with(order_by(&|i| allowed[i])),
                None => Err(found),
            })
            .map_err(|mut found| {
                found.push(format!("at most {at_most} datasets"));
                found
            })
    }

    /// The nearest allowed mixture (Euclidean), exact to rounding.
    ///
    /// Kuhn–Tucker: every share is `clip(share − τ − τ_group)`. For a given τ a group's sum is that of its clipped
    /// shares, clamped to the group's bounds; it falls with τ in straight pieces, of which Newton's method finds the right one.
    pub fn project(&self, shares: &[f64]) -> Vec<f64> {
        if !self.linear.is_empty() || self.leash.is_some() || self.at_most.is_some() {
            let allowed = || self.allowed.clone().expect("a region without one is refused");
            let point = self.project_onto_all(shares).unwrap_or_else(|_| allowed());
            // Rounding may leave a little less than nothing.
            return point.into_iter().map(|share| if share > 0.0 { share } else { 0.0 }).collect();
        }
        let all = |shift: f64| {
            let (mut excess, mut fall) = (-1.0, 0.0);
            for group in &self.groups {
                let (sum, free) = self.clipped(group, shares, shift);
                excess += sum.clamp(group.low, group.high);
                if sum > group.low && sum < group.high {
                    fall += free;
                }
            }
            (excess, fall)
        };
        let shift = root(all, shares, 0.0);
        let of_group = |group: &Bounded| self.clipped(group, shares, shift).0.clamp(group.low, group.high);
        let mut targets: Vec<f64> = self.groups.iter().map(of_group).collect();
        // What rounding leaves goes to a group that has room for it.
        let rest = 1.0 - targets.iter().sum::<f64>();
        if let Some(k) = (0..targets.len()).find(|&k| self.room(k, targets[k], rest)) {
            targets[k] += rest;
        }
        let mut projected = vec![0.0; shares.len()];
        for (group, target) in self.groups.iter().zip(targets) {
            let own = |shift: f64| {
                let (sum, free) = self.clipped(group, shares, shift);
                (sum - target, free)
            };
            let shift = root(own, shares, shift);
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

    /// Sum of a group's shares moved down by `shift` and then into their bounds, and how many are not at one.
    fn clipped(&self, group: &Bounded, shares: &[f64], shift: f64) -> (f64, f64) {
        let (mut sum, mut free) = (0.0, 0.0);
        for &i in &group.members {
            let moved = shares[i] - shift;
            sum += moved.clamp(self.low[i], self.high[i]);
            free += f64::from(u8::from(moved > self.low[i] && moved < self.high[i]));
        }
        (sum, free)
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
        let touched = self.linear.iter().filter(|(half, _)| half.slack(shares) < TOUCH);
        all.extend(touched.map(|(_, words)| words.clone()));
        let leash = self.leash.iter().filter(|leash| leash.distance(shares) > leash.radius - TOUCH);
        all.extend(leash.map(Tether::words));
        let used = shares.iter().filter(|s| **s > TOUCH).count();
        all.extend(
            self.at_most.filter(|k| used >= *k && *k < shares.len()).map(|k| format!("at most {k} datasets")),
        );
        all
    }

    /// Finds what collides.
    fn check(&mut self) -> Result<(), BadConstraint> {
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
        if let Some(at_most) = self.at_most {
            let floors = self.floors(&(0..self.datasets.len()).collect::<Vec<_>>());
            if at_most == 0 {
                return collide("at most 0 datasets leave nothing to draw from".to_owned());
            }
            if floors.len() > at_most {
                return collide(format!("at most {at_most} datasets collides with {}", floors.join(", ")));
            }
        }
        if !self.linear.is_empty() || self.leash.is_some() || self.at_most.is_some() {
            let uniform = vec![1.0 / self.datasets.len() as f64; self.datasets.len()];
            let allowed = self.project_onto_all(&uniform).map_err(|mut found| {
                found.sort();
                found.dedup();
                BadConstraint::Infeasible(format!("these collide: {}", found.join(", ")))
            })?;
            self.allowed = Some(allowed);
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

/// Where a function that falls with the shift crosses zero, sought from `start`. `excess`: its value, and how fast it
/// falls there.
fn root(excess: impl Fn(f64) -> (f64, f64), shares: &[f64], start: f64) -> f64 {
    let largest = shares.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let smallest = shares.iter().copied().fold(f64::INFINITY, f64::min);
    // Beyond these every share is at its lower or upper bound.
    let (mut low, mut high) = (smallest - 1.0, largest);
    let mut at = if start > low && start < high { start } else { 0.5 * (low + high) };
    for turn in 0..120 {
        let (value, fall) = excess(at);
        let newton = at + value / fall;
        if value == 0.0 || (newton - at).abs() <= f64::EPSILON * (1.0 + at.abs()) {
            return at;
        }
        if value > 0.0 {
            low = at;
        } else {
            high = at;
        }
        // On a flat piece, where a step leaves the bracket, or after many short steps, it is halved.
        at = if turn < 50 && newton > low && newton < high { newton } else { 0.5 * (low + high) };
    }
    at
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

    /// Everything at once, then each leash alone.
    const WIDE: [&str; 7] = [
        "groups.ab = { datasets = [\"a\", \"b\"], max = 0.7, ratios = { a = 3, b = 1 } }\n\
         groups.bc = { datasets = [\"b\", \"c\"], min = 0.2 }\n\
         linear = [{ weights = { c = 1, d = -2 }, min = -0.5, max = 0.6 }]",
        "leash = { total_variation = 0.25, to = { a = 1, b = 1 } }",
        "leash = { kl = 0.1 }\nshares.a = { max = 0.3 }",
        "at_most = 2\nshares.d = { min = 0.1 }",
        "at_most = 3\nshares.a = { max = 0.5 }\nleash = { total_variation = 0.5 }",
        "at_most = 1\ngroups.cd = { datasets = [\"c\", \"d\"], min = 0.6 }",
        "at_most = 2\ngroups.cd = { datasets = [\"c\", \"d\"], min = 0.6, ratios = { c = 1, d = 1 } }",
    ];

    #[test]
    fn every_projection_is_allowed_whatever_the_constraints_and_an_allowed_point_stays() {
        let mut rng = Seed::new(3).rng();
        for constraints in WIDE {
            let region = region(constraints, None).unwrap();
            for _ in 0..100 {
                let point: Vec<f64> = (0..4).map(|_| 4.0 * rng.random::<f64>() - 2.0).collect();
                let projected = region.project(&point);
                assert!(region.violation(&projected) < 1e-9, "{constraints} {projected:?}");
                let again = region.project(&projected);
                assert!(projected.iter().zip(&again).all(|(a, b)| (a - b).abs() < 1e-8), "{constraints}");
            }
        }
    }

    #[test]
    fn no_allowed_point_is_nearer_than_a_projection_on_convex_constraints() {
        let mut rng = Seed::new(4).rng();
        let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        for constraints in &WIDE[..3] {
            let region = region(constraints, None).unwrap();
            for _ in 0..30 {
                let point: Vec<f64> = (0..4).map(|_| 3.0 * rng.random::<f64>() - 1.0).collect();
                let nearest = distance(&point, &region.project(&point));
                for _ in 0..100 {
                    let other: Vec<f64> = (0..4).map(|_| 3.0 * rng.random::<f64>() - 1.0).collect();
                    assert!(distance(&point, &region.project(&other)) >= nearest - 1e-7, "{constraints}");
                }
            }
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
        check(
            "min = { a = 0.6, b = 0.6 }",
            "together they ask for 1.2000 of 1: `a` at least 0.6, `b` at least 0.6",
        );
        check(
            "min = { a = 0.6 }\nshares.a = { max = 0.5 }",
            "`a` at least 0.6 collides with `a` at most 0.5",
        );
        check("max = { x = 0.3 }", "the constraint on `max` names `x`");
        check("rows = { x = 3 }", "the constraint on `rows` names `x`");
        check("shares.a = { min = 0.3, max = 0.2 }", "`a` asks for a share from 0.3 to 0.2");
        check("max_passes = 0", "`max_passes` is 0");
        check(
            "at_most = 1\nshares.a = { min = 0.1 }\nshares.b = { min = 0.1 }",
            "at most 1 datasets collides with `a` at least 0.1, `b` at least 0.1",
        );
        check(
            "linear = [{ weights = { a = 1, b = -2 }, min = 0 }]\nshares.a = { max = 0.2 }\nshares.b = { min = 0.3 }",
            "these collide: 1 `a` - 2 `b` at least 0, `a` at most 0.2, `b` at least 0.3",
        );
        check(
            "leash = { total_variation = 0.1 }\nshares.a = { min = 0.5 }",
            "total variation from the reference at most 0.1",
        );
        check("leash = { kl = 0.1, total_variation = 0.1 }", "needs either `total_variation` or `kl`");
        check(
            "groups.g = { datasets = [\"a\", \"b\"], ratios = { a = 1 } }",
            "`groups.g.ratios` needs one part",
        );
    }

    fn check(toml: &str, expected: &str) {
        let error = region(toml, None).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
