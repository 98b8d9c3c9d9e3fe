//! What the Gaussian processes share: Matérn-5/2 with one length per dataset, a linear part, priors that hold with ten
//! runs, and the hyperparameters of highest posterior density.
//!
//! The priors are those of the measurements in `docs/predict.md`: without them a process loses on every noisy table.

use std::cell::RefCell;

use argmin::{
    core::{CostFunction, Executor, Gradient},
    solver::{linesearch::MoreThuenteLineSearch, quasinewton::LBFGS},
};
use ndarray::{Array1, Array2, ArrayView1, Axis, s};

use super::{
    Difference, Observation, Prediction,
    algebra::{Cholesky, dot, squared_distance},
    mean_known_noise,
};

/// In which coordinates a share is seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Coordinates {
    /// share to this power, above 0 and at most 1: a little of a dataset already helps. ½ is √share (Hellinger).
    Power(f64),
    /// ln(share + .01): the first hundredth matters as much as the next tenth.
    Log,
}

/// √share (Hellinger).
pub(super) const ROOT: Coordinates = Coordinates::Power(0.5);

/// Added to a share before its logarithm.
const LOG_OFFSET: f64 = 0.01;
/// Shares below this count as this much where the slope of a power is asked for: at 0 it is infinite.
const SMALLEST_SHARE: f64 = 1e-5;

impl Coordinates {
    fn of(self, share: f64) -> f64 {
        match self {
            Self::Power(power) => share.max(0.0).powf(power),
            Self::Log => (share.max(0.0) + LOG_OFFSET).ln(),
        }
    }

    pub(super) fn slope(self, share: f64) -> f64 {
        match self {
            Self::Power(power) => power * share.max(SMALLEST_SHARE).powf(power - 1.0),
            Self::Log => 1.0 / (share.max(0.0) + LOG_OFFSET),
        }
    }
}

/// What a process believes before it sees a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Belief {
    pub(super) coordinates: Coordinates,
    /// How differently datasets may matter: prior standard deviation of each log length around their common one; 0
    /// makes them all the same.
    pub(super) tau: f64,
    /// Whether there is a linear part.
    pub(super) linear: bool,
    /// Centre of the prior of the noise variance, in variances of the scores.
    pub(super) noise_centre: f64,
}

/// Where nothing else is known; .02 lost on noisy accuracies.
pub(super) const NOISE_CENTRE: f64 = 0.1;

/// Mean and standard deviation that values are brought to 0 and 1 with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub(super) mean: f64,
    pub(super) sd: f64,
}

impl Scale {
    /// A constant column gets a standard deviation of 1 and so becomes 0.
    pub(super) fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let sd = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
        Self { mean, sd: if sd > 1e-12 * mean.abs().max(1e-12) { sd } else { 1.0 } }
    }

    fn apply(self, value: f64) -> f64 {
        (value - self.mean) / self.sd
    }
}

/// Standardised runs.
struct Data {
    coordinates: Coordinates,
    /// `[n, d]`: each column with mean 0 and standard deviation 1.
    inputs: Array2<f64>,
    /// `[n, n]`: products of the rows of `inputs`, divided by d.
    products: Array2<f64>,
    /// `[n]`, mean 0 and standard deviation 1.
    outputs: Array1<f64>,
    /// `[n]`: known noise variance of `outputs`.
    known_noise: Vec<f64>,
    /// `[n]`: see [`Found::tails`].
    tails: Vec<f64>,
    input_scale: Vec<Scale>,
    output_scale: Scale,
    /// Mean of `known_noise`.
    mean_known_noise: f64,
}

impl Data {
    fn new(runs: &[Observation], coordinates: Coordinates) -> Self {
        let scores: Vec<f64> = runs.iter().map(|run| run.score).collect();
        let output_scale = Scale::of(&scores);
        let d = runs[0].shares.len();
        let column = |i: usize| runs.iter().map(|run| coordinates.of(run.shares[i])).collect::<Vec<_>>();
        let input_scale: Vec<Scale> = (0..d).map(|i| Scale::of(&column(i))).collect();
        let squared = output_scale.sd.powi(2);
        let inputs = Array2::from_shape_fn((runs.len(), d), |(run, i)| {
            input_scale[i].apply(coordinates.of(runs[run].shares[i]))
        });
        Self {
            coordinates,
            products: inputs.dot(&inputs.t()) / d as f64,
            inputs,
            outputs: scores.iter().map(|&s| output_scale.apply(s)).collect(),
            known_noise: runs.iter().map(|run| run.noise_variance.unwrap_or(0.0) / squared).collect(),
            tails: vec![0.0; runs.len()],
            input_scale,
            output_scale,
            mean_known_noise: mean_known_noise(runs) / squared,
        }
    }

    /// Every `step`th run, in the same units.
    fn thinned(&self, step: usize) -> Self {
        let kept: Vec<usize> = (0..self.outputs.len()).step_by(step).collect();
        Self {
            coordinates: self.coordinates,
            inputs: self.inputs.select(Axis(0), &kept),
            products: self.products.select(Axis(0), &kept).select(Axis(1), &kept),
            outputs: self.outputs.select(Axis(0), &kept),
            known_noise: kept.iter().map(|&row| self.known_noise[row]).collect(),
            tails: kept.iter().map(|&row| self.tails[row]).collect(),
            input_scale: self.input_scale.clone(),
            output_scale: self.output_scale,
            mean_known_noise: self.mean_known_noise,
        }
    }

    /// Noise variance of a run beyond what is learnt for all.
    fn own_noise(&self, row: usize) -> f64 {
        self.known_noise[row] + self.tails[row]
    }

    fn mean_tail(&self) -> f64 {
        self.tails.iter().sum::<f64>() / self.tails.len() as f64
    }

    fn standardised(&self, shares: &[f64]) -> Vec<f64> {
        let of = |(scale, share): (&Scale, &f64)| scale.apply(self.coordinates.of(*share));
        self.input_scale.iter().zip(shares).map(of).collect()
    }
}

/// Hyperparameters, in standardised units.
#[derive(Clone, Debug)]
struct Settings {
    /// `[d]`: 1 / length.
    inverse_lengths: Array1<f64>,
    /// Variance of the Matérn part.
    matern: f64,
    /// Variance of the linear part.
    linear: f64,
    /// Variance of the noise that is learnt.
    noise: f64,
}

impl Settings {
    fn covariance(&self, a: &[f64], b: &[f64]) -> f64 {
        self.matern * Radial::at(self.squared(a, b)).value + self.linear * dot(a, b) / a.len() as f64
    }

    /// Squared distance in lengths.
    fn squared(&self, a: &[f64], b: &[f64]) -> f64 {
        let inverse = self.inverse_lengths.as_slice().expect("the lengths are in standard layout");
        squared_distance(a, b, inverse)
    }
}

/// Matérn-5/2 of a squared distance, and minus its derivative by half that square.
struct Radial {
    /// (1 + √5 r + 5 r²/3) exp(−√5 r).
    value: f64,
    /// 5/3 (1 + √5 r) exp(−√5 r).
    fall: f64,
}

impl Radial {
    fn at(squared: f64) -> Self {
        let s = (5.0 * squared).sqrt();
        let decay = (-s).exp();
        let first = (1.0 + s) * decay;
        Self { value: first + s * s / 3.0 * decay, fall: 5.0 / 3.0 * first }
    }
}

/// Independent normal priors on the logarithms of the hyperparameters: common length, its `d` deviations, Matérn
/// variance, linear variance, noise. The search runs in their standard units, so that the prior is `|z − centre|²/2`.
struct Prior {
    n_datasets: usize,
    belief: Belief,
    /// `[n_parameters]`: where it is highest, 0 where nothing else is known.
    centre: Array1<f64>,
}

const NOISE_RANGE: (f64, f64) = (1e-6, 3.0);
const MATERN_SD: f64 = 1.5;
const LINEAR_SD: f64 = 2.0;
const NOISE_SD: f64 = 1.5;

impl Prior {
    fn new(n_datasets: usize, belief: Belief) -> Self {
        Self { n_datasets, belief, centre: Array1::zeros(n_datasets + 4) }
    }

    fn settings(&self, z: &Array1<f64>) -> Settings {
        let d = self.n_datasets;
        let common = (d as f64).sqrt().ln() + 0.7 + z[0];
        // Beyond e^±20 a length or variance has no effect any more, and its square would overflow.
        let exp = |log: f64| log.clamp(-20.0, 20.0).exp();
        Settings {
            inverse_lengths: (0..d).map(|i| 1.0 / exp(common + self.belief.tau * z[1 + i])).collect(),
            matern: exp(MATERN_SD * z[d + 1]),
            linear: if self.belief.linear { exp(LINEAR_SD * z[d + 2]) } else { 0.0 },
            noise: exp(self.belief.noise_centre.ln() + NOISE_SD * z[d + 3])
                .clamp(NOISE_RANGE.0, NOISE_RANGE.1),
        }
    }
}

/// The covariance of all runs, with what its derivatives need.
struct Conditioned {
    settings: Settings,
    cholesky: Cholesky,
    /// K⁻¹ times the outputs.
    weights: Array1<f64>,
    /// `[n, n]`, lower half: Matérn part at unit variance.
    matern: Array2<f64>,
    /// `[n, n]`, lower half: [`Radial::fall`].
    fall: Array2<f64>,
}

impl Conditioned {
    fn new(data: &Data, settings: Settings) -> Option<Self> {
        let n = data.outputs.len();
        let scaled = &data.inputs * &settings.inverse_lengths;
        // |a − b|² = |a|² + |b|² − 2 a·b: one matrix product instead of n² d/2 differences.
        let gram = scaled.dot(&scaled.t());
        let mut covariance = Array2::zeros((n, n));
        let (mut matern, mut fall) = (Array2::zeros((n, n)), Array2::zeros((n, n)));
        for a in 0..n {
            let own = gram[[a, a]];
            for b in 0..a {
                let radial = Radial::at((own + gram[[b, b]] - 2.0 * gram[[a, b]]).max(0.0));
                matern[[a, b]] = radial.value;
                fall[[a, b]] = radial.fall;
                covariance[[a, b]] = settings.matern * radial.value + settings.linear * data.products[[a, b]];
            }
            matern[[a, a]] = 1.0;
            fall[[a, a]] = 5.0 / 3.0;
            covariance[[a, a]] = settings.matern
                + settings.linear * data.products[[a, a]]
                + settings.noise
                + data.own_noise(a);
        }
        let cholesky = Cholesky::new(&covariance)?;
        let weights = cholesky.solve(data.outputs.view());
        Some(Self { settings, cholesky, weights, matern, fall })
    }
}

/// Negative log posterior and its gradient with respect to `z`; `None` where the covariance cannot be factored.
fn negative_log_posterior(data: &Data, prior: &Prior, z: &Array1<f64>) -> Option<(f64, Array1<f64>)> {
    let at = Conditioned::new(data, prior.settings(z))?;
    let Conditioned { settings, cholesky, weights, matern, fall } = &at;
    let (n, d) = (data.outputs.len(), prior.n_datasets);
    let mut gradient = z - &prior.centre;
    let value = 0.5 * (data.outputs.dot(weights) + cholesky.log_determinant() + gradient.dot(&gradient));
    // ∂/∂θ = ½ Σ (K⁻¹ − ααᵀ) ∘ ∂K/∂θ; the lower half counts twice.
    let inverse = cholesky.inverse();
    let (mut by_matern, mut by_linear, mut by_noise) = (0.0, 0.0, 0.0);
    let mut slopes = Array2::zeros((n, n));
    let mut sums = vec![0.0; n];
    for a in 0..n {
        for b in 0..a {
            let slope = inverse[[a, b]] - weights[a] * weights[b];
            by_matern += slope * matern[[a, b]];
            by_linear += slope * data.products[[a, b]];
            let radial = slope * fall[[a, b]];
            slopes[[a, b]] = radial;
            slopes[[b, a]] = radial;
            sums[a] += radial;
            sums[b] += radial;
        }
        let slope = 0.5 * (inverse[[a, a]] - weights[a] * weights[a]);
        by_matern += slope;
        by_linear += slope * data.products[[a, a]];
        by_noise += slope;
    }
    // ∂M/∂ln lᵢ = fall · Δᵢ² / lᵢ², and Σ S (xᵢ − yᵢ)² / 2 = Σ sᵢ xᵢ² − xᵀ S x.
    let along = slopes.dot(&data.inputs);
    let mut by_length = vec![0.0; d];
    for ((row, along), sum) in data.inputs.rows().into_iter().zip(along.rows()).zip(&sums) {
        for ((by_length, x), along) in by_length.iter_mut().zip(row).zip(along) {
            *by_length += x * (sum * x - along);
        }
    }
    for (i, by_length) in by_length.into_iter().enumerate() {
        let by_length = settings.matern * by_length * settings.inverse_lengths[i].powi(2);
        gradient[0] += by_length;
        gradient[1 + i] += by_length * prior.belief.tau;
    }
    gradient[d + 1] += MATERN_SD * settings.matern * by_matern;
    gradient[d + 2] += LINEAR_SD * settings.linear * by_linear;
    if settings.noise > NOISE_RANGE.0 && settings.noise < NOISE_RANGE.1 {
        gradient[d + 3] += NOISE_SD * settings.noise * by_noise;
    }
    value.is_finite().then_some((value, gradient))
}

/// A point with its value and gradient.
type Evaluated = (Array1<f64>, f64, Array1<f64>);

/// Negative log posterior of the hyperparameters, for the search.
struct Posterior<'a> {
    data: &'a Data,
    prior: &'a Prior,
    /// The last point with its value and gradient: the search asks for both, one after the other.
    last: RefCell<Option<Evaluated>>,
    /// The best point so far: a line search that fails late must not lose it.
    best: &'a RefCell<(f64, Array1<f64>)>,
}

impl Posterior<'_> {
    fn at(&self, z: &Array1<f64>) -> (f64, Array1<f64>) {
        if let Some((point, value, gradient)) = &*self.last.borrow()
            && point == z
        {
            return (*value, gradient.clone());
        }
        let (value, gradient) = negative_log_posterior(self.data, self.prior, z)
            .unwrap_or((f64::INFINITY, Array1::zeros(z.len())));
        if value < self.best.borrow().0 {
            self.best.replace((value, z.clone()));
        }
        self.last.replace(Some((z.clone(), value, gradient.clone())));
        (value, gradient)
    }
}

impl CostFunction for Posterior<'_> {
    type Param = Array1<f64>;
    type Output = f64;

    fn cost(&self, z: &Self::Param) -> Result<f64, argmin::core::Error> {
        Ok(self.at(z).0)
    }
}

impl Gradient for Posterior<'_> {
    type Param = Array1<f64>;
    type Gradient = Array1<f64>;

    fn gradient(&self, z: &Self::Param) -> Result<Self::Gradient, argmin::core::Error> {
        Ok(self.at(z).1)
    }
}

/// Where a search is done, by the length of the gradient and the gain of a step: with few runs, where a fit costs nothing,
/// as far as it gets; with more, where no prediction changes any more.
fn tolerances(n_runs: usize) -> (f64, f64) {
    if n_runs > 30 { (2e-2, 1e-3) } else { (3e-3, 1e-6) }
}

/// Hyperparameters of highest density from `start`.
fn climb(data: &Data, prior: &Prior, start: Array1<f64>, max_iterations: u64) -> Array1<f64> {
    let best = RefCell::new((f64::INFINITY, start.clone()));
    let problem = Posterior { data, prior, last: RefCell::new(None), best: &best };
    let (gradient, cost) = tolerances(data.outputs.len());
    let solver = LBFGS::new(MoreThuenteLineSearch::new(), 10)
        .with_tolerance_grad(gradient)
        .and_then(|solver| solver.with_tolerance_cost(cost))
        .expect("the tolerances are positive");
    // An error of the line search means that it can get no better; the best point is kept in any case.
    let _ = Executor::new(problem, solver)
        .configure(|state| state.param(start).max_iters(max_iterations))
        .timer(false)
        .run();
    best.into_inner().1
}

/// More runs than this are first thinned: a search costs the cube of their number, and its last steps are enough.
const THIN_ABOVE: usize = 160;
/// Steps on all runs after that; 40 instead of 8 changed the error on RegMix by less than its standard error, 1 instead
/// of 2 by half of it.
const FULL_STEPS: u64 = 2;

/// Where a search ended, for a search of the same runs under another belief to begin.
#[derive(Clone)]
pub(super) struct Found {
    z: Array1<f64>,
    belief: Belief,
    /// `[n]`: noise variance beyond what all runs have, of runs far from the surface.
    tails: Vec<f64>,
}

impl Found {
    /// Weighted mean of what several searches under one belief found, times `part`.
    pub(super) fn mean<'a>(found: impl Iterator<Item = (f64, &'a Self)>, part: f64) -> Array1<f64> {
        let (mut sum, mut weights) = (Array1::zeros(0), 0.0);
        for (weight, found) in found {
            if sum.is_empty() {
                sum = Array1::zeros(found.z.len());
            }
            sum.scaled_add(weight, &found.z);
            weights += weight;
        }
        sum * (part / weights)
    }
}

/// Degrees of freedom of the noise of many runs: a run far from the surface has been unlucky, or its shares are not
/// what the table says (a share of .0004 written as .000 moves RegMix's losses by standard deviations).
const TAIL_FREEDOM: f64 = 4.0;

/// Each run's noise variance beyond the common one, under noise distributed as Student's: the expected square of its
/// distance from the surface over `TAIL_FREEDOM + 1`, which with the common variance as prior is one step of
/// expectation maximisation.
fn tails(data: &Data, prior: &Prior, z: &Array1<f64>) -> Vec<f64> {
    let none = vec![0.0; data.outputs.len()];
    let Some(at) = Conditioned::new(data, prior.settings(z)) else { return none };
    let inverse = at.cholesky.inverse();
    let extra = |row: usize| {
        let noise = at.settings.noise + data.own_noise(row);
        let squared = (noise * at.weights[row]).powi(2) + noise - noise * noise * inverse[[row, row]];
        squared.max(0.0) / (TAIL_FREEDOM + 1.0)
    };
    (0..none.len()).map(extra).collect()
}

fn most_likely(data: &mut Data, prior: &Prior, like: Option<&Found>) -> Found {
    let n = data.outputs.len();
    let belief = prior.belief;
    let start = like.map_or(prior.centre.clone(), |found| {
        let mut z = found.z.clone();
        z.slice_mut(s![1..=prior.n_datasets])
            .mapv_inplace(|own| own * found.belief.tau / belief.tau.max(0.1));
        z
    });
    if n <= THIN_ABOVE {
        return Found { z: climb(data, prior, start, 150), belief, tails: vec![0.0; n] };
    }
    let z = climb(&data.thinned(n.div_ceil(128)), prior, start, 150);
    // Which runs lie far off is plain before the last steps.
    data.tails = like.map_or_else(|| tails(data, prior, &z), |found| found.tails.clone());
    Found { z: climb(data, prior, z, FULL_STEPS), belief, tails: data.tails.clone() }
}

/// A fitted process.
pub(super) struct Process {
    data: Data,
    settings: Settings,
    cholesky: Cholesky,
    weights: Array1<f64>,
}

impl Process {
    /// Of at least one run, all of them sound.
    pub(super) fn fit(runs: &[Observation], belief: Belief) -> Self {
        Self::fit_like(runs, belief, None).0
    }

    /// The same, where a search of the same runs has ended before: that is a start, and tells which of many runs are far
    /// from the surface.
    pub(super) fn fit_like(runs: &[Observation], belief: Belief, like: Option<&Found>) -> (Self, Found) {
        let mut data = Data::new(runs, belief.coordinates);
        let prior = Prior::new(runs[0].shares.len(), belief);
        let found = most_likely(&mut data, &prior, like);
        let settings = prior.settings(&found.z);
        (Self::with(data, settings), found)
    }

    /// Again, from where a search of the same runs ended, with the prior highest at `centre`.
    pub(super) fn fit_near(runs: &[Observation], found: &Found, centre: &Array1<f64>) -> Self {
        let mut data = Data::new(runs, found.belief.coordinates);
        let prior = Prior { centre: centre.clone(), ..Prior::new(runs[0].shares.len(), found.belief) };
        let found = most_likely(&mut data, &prior, Some(found));
        let settings = prior.settings(&found.z);
        Self::with(data, settings)
    }

    fn with(data: Data, settings: Settings) -> Self {
        let at = Conditioned::new(&data, settings).expect("the covariance was factored while searching");
        Self { settings: at.settings, cholesky: at.cholesky, weights: at.weights, data }
    }

    /// Covariance of the surface at `inputs` with every run.
    fn with_runs(&self, inputs: &[f64]) -> Array1<f64> {
        let rows = self.data.inputs.as_slice().expect("the inputs are in standard layout");
        rows.chunks_exact(inputs.len()).map(|run| self.settings.covariance(run, inputs)).collect()
    }

    fn noise_sd(&self) -> f64 {
        (self.settings.noise + self.data.mean_known_noise + self.data.mean_tail()).sqrt()
            * self.data.output_scale.sd
    }

    /// See [`super::Predictor::predict`].
    pub(super) fn predict(&self, shares: &[f64]) -> Prediction {
        let inputs = self.data.standardised(shares);
        let with_runs = self.with_runs(&inputs);
        let known = self.cholesky.half_solve(with_runs.view());
        let variance = self.settings.covariance(&inputs, &inputs) - known.dot(&known);
        let Scale { mean, sd } = self.data.output_scale;
        Prediction {
            mean: mean + sd * with_runs.dot(&self.weights),
            sd: sd * variance.max(0.0).sqrt(),
            noise_sd: self.noise_sd(),
        }
    }

    /// See [`super::Predictor::mean`].
    pub(super) fn mean(&self, shares: &[f64]) -> f64 {
        let Scale { mean, sd } = self.data.output_scale;
        mean + sd * self.with_runs(&self.data.standardised(shares)).dot(&self.weights)
    }

    /// See [`super::Predictor::slope`].
    pub(super) fn slope(&self, shares: &[f64]) -> Vec<f64> {
        let inputs = self.data.standardised(shares);
        let slope = self.covariance_slope(&inputs, &self.weights);
        self.by_share(slope, shares, self.data.output_scale.sd)
    }

    /// See [`super::Predictor::variance_slope`].
    pub(super) fn variance_slope(&self, shares: &[f64]) -> Vec<f64> {
        let inputs = self.data.standardised(shares);
        let known = self.cholesky.solve(self.with_runs(&inputs).view());
        let mut slope = self.covariance_slope(&inputs, &known);
        // k(x, x) − kᵀ K⁻¹ k: of the first only the linear part moves.
        let own = self.settings.linear / inputs.len() as f64;
        slope.iter_mut().zip(&inputs).for_each(|(slope, at)| *slope = 2.0 * (own * at - *slope));
        self.by_share(slope, shares, self.data.output_scale.sd.powi(2))
    }

    /// How fast Σ weight · covariance with each run rises with each of `inputs`.
    fn covariance_slope(&self, inputs: &[f64], weights: &Array1<f64>) -> Vec<f64> {
        let d = inputs.len();
        let mut slope = vec![0.0; d];
        let rows = self.data.inputs.as_slice().expect("the inputs are in standard layout");
        let inverse = &self.settings.inverse_lengths;
        for (run, weight) in rows.chunks_exact(d).zip(weights) {
            let fall = weight * self.settings.matern * Radial::at(self.settings.squared(run, inputs)).fall;
            let linear = weight * self.settings.linear / d as f64;
            for (((slope, run), at), inverse) in slope.iter_mut().zip(run).zip(inputs).zip(inverse) {
                *slope += linear * run - fall * (at - run) * inverse.powi(2);
            }
        }
        slope
    }

    /// A slope by standardised inputs as one by shares; `unit`: of what rises.
    fn by_share(&self, mut slope: Vec<f64>, shares: &[f64], unit: f64) -> Vec<f64> {
        for (i, slope) in slope.iter_mut().enumerate() {
            *slope *= unit * self.data.coordinates.slope(shares[i]) / self.data.input_scale[i].sd;
        }
        slope
    }

    /// See [`super::Predictor::difference`].
    pub(super) fn difference(&self, a: &[f64], b: &[f64]) -> Difference {
        let (a, b) = (self.data.standardised(a), self.data.standardised(b));
        let with_runs = self.with_runs(&a) - self.with_runs(&b);
        let known = self.cholesky.half_solve(with_runs.view());
        let k = |x: &[f64], y: &[f64]| self.settings.covariance(x, y);
        let variance = k(&a, &a) + k(&b, &b) - 2.0 * k(&a, &b) - known.dot(&known);
        let sd = self.data.output_scale.sd;
        Difference { mean: sd * with_runs.dot(&self.weights), sd: sd * variance.max(0.0).sqrt() }
    }

    /// See [`super::Predictor::held_out`]; `groups`: rows of each mixture.
    pub(super) fn held_out(&self, groups: &[Vec<usize>]) -> Vec<Prediction> {
        self.held_out_given(groups, |_| None)
    }

    /// The same, where leaving a mixture out changes the scores themselves: `outputs` gives, for the rows of a
    /// mixture, what all scores are without it, in their own unit; `None` for no change.
    pub(super) fn held_out_given(
        &self,
        groups: &[Vec<usize>],
        outputs: impl Fn(&[usize]) -> Option<Array1<f64>>,
    ) -> Vec<Prediction> {
        let inverse = self.cholesky.inverse();
        let Scale { mean, sd } = self.data.output_scale;
        let nothing = Prediction { mean, sd, noise_sd: self.noise_sd() };
        let mut all = vec![nothing; self.data.outputs.len()];
        for rows in groups {
            // Of the scores of one mixture given all others: covariance (K⁻¹ block)⁻¹, errors that times (K⁻¹ y).
            let block = Array2::from_shape_fn((rows.len(), rows.len()), |(i, j)| inverse[[rows[i], rows[j]]]);
            let Some(covariance) = Cholesky::new(&block).map(|cholesky| cholesky.inverse()) else { continue };
            let changed = outputs(rows).map(|scores| scores.mapv(|s| self.data.output_scale.apply(s)));
            let y = changed.as_ref().unwrap_or(&self.data.outputs);
            let weights: Array1<f64> = match &changed {
                None => rows.iter().map(|&row| self.weights[row]).collect(),
                Some(y) => rows.iter().map(|&row| row_times(inverse.row(row), y)).collect(),
            };
            let errors = covariance.dot(&weights);
            for (k, &row) in rows.iter().enumerate() {
                let noise = self.settings.noise + self.data.known_noise[row] + self.cholesky.jitter;
                all[row] = Prediction {
                    mean: mean + sd * (y[row] - errors[k]),
                    sd: sd * (covariance[[k, k]] - noise - self.data.tails[row]).max(0.0).sqrt(),
                    // How unlucky the run was is not known without it.
                    noise_sd: sd * (noise + self.data.mean_tail()).sqrt(),
                };
            }
        }
        all
    }

    /// See [`super::Predictor::notes`].
    pub(super) fn notes(&self) -> Vec<String> {
        let jitter = self.cholesky.jitter;
        if jitter == 0.0 {
            return Vec::new();
        }
        vec![format!("{jitter:.1e} of the scores' variance was added as noise to make the fit solvable")]
    }
}

fn row_times(row: ArrayView1<f64>, y: &Array1<f64>) -> f64 {
    match (row.as_slice(), y.as_slice()) {
        (Some(row), Some(y)) => dot(row, y),
        _ => row.dot(y),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use rand::Rng;

    const BELIEF: Belief = Belief { coordinates: ROOT, tau: 0.8, linear: true, noise_centre: NOISE_CENTRE };

    fn prior() -> Prior {
        Prior { centre: Array1::linspace(-0.3, 0.3, 7), ..Prior::new(3, BELIEF) }
    }

    /// Nine mixtures of three datasets, the first twice, a smooth surface with noise, some of it known.
    fn runs() -> Vec<Observation> {
        let mut rng = Seed::new(5).rng();
        let mut runs: Vec<Observation> = (0..9)
            .map(|i| {
                let raw: Vec<f64> = (0..3).map(|_| -rng.random::<f64>().ln()).collect();
                let shares: Vec<f64> = raw.iter().map(|r| r / raw.iter().sum::<f64>()).collect();
                let score = shares[0].sqrt() - shares[1] + 0.05 * rng.random::<f64>();
                Observation { shares, score, noise_variance: (i % 2 == 0).then_some(4e-4) }
            })
            .collect();
        runs.push(Observation { score: runs[0].score + 0.03, ..runs[0].clone() });
        runs
    }

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        let mut rng = Seed::new(6).rng();
        for coordinates in [ROOT, Coordinates::Log] {
            let data = Data::new(&runs(), coordinates);
            let z = Array1::from_shape_simple_fn(7, || rng.random::<f64>() - 0.5);
            let (_, gradient) = negative_log_posterior(&data, &prior(), &z).unwrap();
            for i in 0..z.len() {
                let at = |step: f64| {
                    let mut moved = z.clone();
                    moved[i] += step;
                    negative_log_posterior(&data, &prior(), &moved).unwrap().0
                };
                let expected = (at(1e-5) - at(-1e-5)) / 2e-5;
                let error = (gradient[i] - expected).abs();
                assert!(error < 1e-7 * (1.0 + expected.abs()), "{i}: {} {expected}", gradient[i]);
            }
        }
    }

    #[test]
    fn the_slope_of_the_surface_is_that_of_finite_differences() {
        for coordinates in [ROOT, Coordinates::Log] {
            let fitted = Process::fit(&runs(), Belief { coordinates, ..BELIEF });
            let at = [0.2, 0.5, 0.3];
            for (i, slope) in fitted.slope(&at).into_iter().enumerate() {
                let moved = |step: f64| {
                    let mut w = at;
                    w[i] += step;
                    fitted.mean(&w)
                };
                let expected = (moved(1e-6) - moved(-1e-6)) / 2e-6;
                assert!((slope - expected).abs() < 1e-6 * (1.0 + expected.abs()), "{i}: {slope} {expected}");
            }
        }
    }

    #[test]
    fn closed_form_without_a_mixture_equals_conditioning_on_the_others() {
        let runs = runs();
        let z = Array1::from_elem(7, 0.1);
        let fit = |keep: &[usize]| {
            // Same standardisation and hyperparameters, fewer runs.
            let all = Data::new(&runs, ROOT);
            let data = Data {
                inputs: all.inputs.select(Axis(0), keep),
                products: all.products.select(Axis(0), keep).select(Axis(1), keep),
                outputs: all.outputs.select(Axis(0), keep),
                known_noise: keep.iter().map(|&i| all.known_noise[i]).collect(),
                tails: vec![0.0; keep.len()],
                ..all
            };
            Process::with(data, prior().settings(&z))
        };
        let groups: Vec<Vec<usize>> = (0..9).map(|i| if i == 0 { vec![0, 9] } else { vec![i] }).collect();
        let held_out = fit(&(0..10).collect::<Vec<_>>()).held_out(&groups);
        for left_out in 0..9 {
            let keep: Vec<usize> = (0..10).filter(|&i| i != left_out && !(left_out == 0 && i == 9)).collect();
            let expected = fit(&keep).predict(&runs[left_out].shares);
            assert!((held_out[left_out].mean - expected.mean).abs() < 1e-9);
            assert!((held_out[left_out].sd - expected.sd).abs() < 1e-7);
        }
    }

    #[test]
    fn the_search_ends_where_the_gradient_is_zero() {
        let mut data = Data::new(&runs(), ROOT);
        let found = most_likely(&mut data, &prior(), None);
        let (_, gradient) = negative_log_posterior(&data, &prior(), &found.z).unwrap();
        assert!(gradient.dot(&gradient).sqrt() < 2e-2, "{gradient}");
    }

    #[test]
    fn runs_far_from_the_surface_do_not_move_it() {
        let mut rng = Seed::new(7).rng();
        let surface = |w: &[f64]| w[0].sqrt() - w[1] * w[1];
        let mut run = |far: f64| {
            let raw: Vec<f64> = (0..3).map(|_| -rng.random::<f64>().ln()).collect();
            let shares: Vec<f64> = raw.iter().map(|r| r / raw.iter().sum::<f64>()).collect();
            Observation { score: surface(&shares) + far, shares, noise_variance: None }
        };
        // Ten of 180 runs are 1 off, which is three standard deviations of the surface.
        let runs: Vec<Observation> = (0..180).map(|i| run(if i % 18 == 0 { 1.0 } else { 0.0 })).collect();
        let (process, found) = Process::fit_like(&runs, BELIEF, None);
        let mut ordinary: Vec<f64> = (0..180).filter(|i| i % 18 != 0).map(|i| found.tails[i]).collect();
        ordinary.sort_by(f64::total_cmp);
        assert!((0..180).step_by(18).all(|i| found.tails[i] > 20.0 * ordinary[85]), "{:?}", found.tails);
        let error: f64 =
            (0..100).map(|_| run(0.0)).map(|r| (process.mean(&r.shares) - r.score).abs()).sum::<f64>();
        assert!(error / 100.0 < 0.02, "{}", error / 100.0);
    }
}
