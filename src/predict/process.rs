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
    algebra::{Cholesky, Singular, dot, squared_distance},
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
            // Optimizers ask this a million times, and roots by name cost a fraction of a power.
            Self::Power(0.5) => share.max(0.0).sqrt(),
            Self::Power(power) if power == 1.0 / 3.0 => share.max(0.0).cbrt(),
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
    /// Whether the common length is learnt; else it stays where its prior is highest.
    pub(super) common: bool,
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
            products: products(&inputs),
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
        let inputs = self.inputs.select(Axis(0), &kept);
        Self {
            coordinates: self.coordinates,
            products: products(&inputs),
            inputs,
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

/// See [`Data::products`].
fn products(inputs: &Array2<f64>) -> Array2<f64> {
    (inputs.dot(&inputs.t()) / inputs.ncols() as f64).as_standard_layout().into_owned()
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
        let squared = a.iter().zip(b).zip(&self.inverse_lengths).map(|((a, b), i)| ((a - b) * i).powi(2));
        self.matern * Radial::at(squared.sum()).value + self.linear * dot(a, b) / a.len() as f64
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
        let common = (d as f64).sqrt().ln() + 0.7 + if self.belief.common { z[0] } else { 0.0 };
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

fn row(matrix: &Array2<f64>, i: usize) -> &[f64] {
    let n = matrix.ncols();
    &matrix.as_slice().expect("matrices of runs are in standard layout")[i * n..(i + 1) * n]
}

fn row_mut(matrix: &mut Array2<f64>, i: usize) -> &mut [f64] {
    let n = matrix.ncols();
    &mut matrix.as_slice_mut().expect("matrices of runs are in standard layout")[i * n..(i + 1) * n]
}

/// The covariance of all runs, with what its derivatives need.
struct Conditioned {
    settings: Settings,
    cholesky: Cholesky,
    /// K⁻¹ times the outputs.
    weights: Array1<f64>,
    /// `[n, n]`, lower half: [`Radial::fall`].
    fall: Array2<f64>,
}

impl Conditioned {
    fn new(data: &Data, settings: Settings) -> Option<Self> {
        let n = data.outputs.len();
        let scaled = &data.inputs * &settings.inverse_lengths;
        // |a − b|² = |a|² + |b|² − 2 a·b: one matrix product instead of n² d/2 differences.
        let gram = scaled.dot(&scaled.t()).as_standard_layout().into_owned();
        let squares: Vec<f64> = gram.diag().to_vec();
        let mut covariance = Array2::zeros((n, n));
        let mut fall = Array2::zeros((n, n));
        for a in 0..n {
            let (gram, products) = (row(&gram, a), row(&data.products, a));
            let (covariance, fall) = (row_mut(&mut covariance, a), row_mut(&mut fall, a));
            for b in 0..a {
                let radial = Radial::at((squares[a] + squares[b] - 2.0 * gram[b]).max(0.0));
                fall[b] = radial.fall;
                covariance[b] = settings.matern * radial.value + settings.linear * products[b];
            }
            fall[a] = 5.0 / 3.0;
            covariance[a] =
                settings.matern + settings.linear * products[a] + settings.noise + data.own_noise(a);
        }
        let cholesky = Cholesky::new(&covariance)?;
        let weights = cholesky.solve(data.outputs.view());
        Some(Self { settings, cholesky, weights, fall })
    }

    /// Negative log posterior; `None` where it is no number.
    fn value(&self, data: &Data, prior: &Prior, z: &Array1<f64>) -> Option<f64> {
        let away = z - &prior.centre;
        let value =
            0.5 * (data.outputs.dot(&self.weights) + self.cholesky.log_determinant() + away.dot(&away));
        value.is_finite().then_some(value)
    }

    /// Its gradient.
    fn gradient(&self, data: &Data, prior: &Prior, z: &Array1<f64>) -> Array1<f64> {
        let Self { settings, cholesky, weights, fall } = self;
        let (n, d) = (data.outputs.len(), prior.n_datasets);
        let mut gradient = z - &prior.centre;
        // ∂/∂θ = ½ Σ (K⁻¹ − ααᵀ) ∘ ∂K/∂θ; the lower half counts twice.
        let inverse = cholesky.inverse_lower();
        let (mut by_linear, mut by_noise, mut by_diagonal) = (0.0, 0.0, 0.0);
        let mut slopes = Array2::zeros((n, n));
        let mut sums = vec![0.0; n];
        for a in 0..n {
            let (inverse, fall, products) = (row(&inverse, a), row(fall, a), row(&data.products, a));
            let (cells, own) = (row_mut(&mut slopes, a), weights[a]);
            // One pass per figure: each is a plain loop over rows.
            for (cell, (inverse, weight)) in cells[..a].iter_mut().zip(inverse.iter().zip(weights)) {
                *cell = inverse - own * weight;
            }
            by_linear += dot(&cells[..a], &products[..a]);
            for ((cell, sum), fall) in cells[..a].iter_mut().zip(&mut sums).zip(fall) {
                *cell *= fall;
                *sum += *cell;
            }
            sums[a] += cells[..a].iter().sum::<f64>();
            let slope = 0.5 * (inverse[a] - own * own);
            by_linear += slope * products[a];
            by_noise += slope;
            by_diagonal += slope * (settings.noise + data.own_noise(a) + cholesky.jitter);
        }
        // Σ (K⁻¹ − ααᵀ) ∘ K = n − αᵀy, and K is the Matérn part, the linear one and a diagonal.
        let by_matern =
            0.5 * (n as f64 - data.outputs.dot(weights)) - settings.linear * by_linear - by_diagonal;
        // ∂M/∂ln lᵢ = fall · Δᵢ² / lᵢ², and Σ S (xᵢ − yᵢ)² / 2 = Σ sᵢ xᵢ² − xᵀ S x, of which the lower half is half.
        let along = slopes.dot(&data.inputs);
        let mut by_length = vec![0.0; d];
        for ((row, along), sum) in data.inputs.rows().into_iter().zip(along.rows()).zip(&sums) {
            for ((by_length, x), along) in by_length.iter_mut().zip(row).zip(along) {
                *by_length += x * (sum * x - 2.0 * along);
            }
        }
        for (i, by_length) in by_length.into_iter().enumerate() {
            let by_length = settings.matern * by_length * settings.inverse_lengths[i].powi(2);
            if prior.belief.common {
                gradient[0] += by_length;
            }
            gradient[1 + i] += by_length * prior.belief.tau;
        }
        gradient[d + 1] += MATERN_SD * by_matern;
        gradient[d + 2] += LINEAR_SD * settings.linear * by_linear;
        if settings.noise > NOISE_RANGE.0 && settings.noise < NOISE_RANGE.1 {
            gradient[d + 3] += NOISE_SD * settings.noise * by_noise;
        }
        gradient
    }
}

/// Negative log posterior and its gradient with respect to `z`; `None` where the covariance cannot be factored.
fn negative_log_posterior(data: &Data, prior: &Prior, z: &Array1<f64>) -> Option<(f64, Array1<f64>)> {
    let at = Conditioned::new(data, prior.settings(z))?;
    Some((at.value(data, prior, z)?, at.gradient(data, prior, z)))
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

/// Hyperparameters of highest density from `start`, with the negative log posterior there.
fn climb(data: &Data, prior: &Prior, start: Array1<f64>) -> (f64, Array1<f64>) {
    let (gradient, cost) = tolerances(data.outputs.len());
    let best = RefCell::new((f64::INFINITY, start));
    // One small step ends a search, and so does a line search that fails; from the best point, with nothing remembered,
    // the next one goes on.
    for _ in 0..5 {
        let (before, from) = best.borrow().clone();
        let problem = Posterior { data, prior, last: RefCell::new(None), best: &best };
        let solver = LBFGS::new(MoreThuenteLineSearch::new(), 10)
            .with_tolerance_grad(gradient)
            .and_then(|solver| solver.with_tolerance_cost(cost))
            .expect("the tolerances are positive");
        let _ = Executor::new(problem, solver)
            .configure(|state| state.param(from).max_iters(150))
            .timer(false)
            .run();
        if before - best.borrow().0 <= 10.0 * cost {
            break;
        }
    }
    best.into_inner()
}

/// More runs than this are first thinned: a search costs the cube of their number, and its last steps are enough.
const THIN_ABOVE: usize = 160;
/// How far below the centre of its prior the noise of a second start is, in standard deviations: .1 → .005.
const QUIET: f64 = 2.0;
/// Newton steps on all runs after that.
const FULL_STEPS: usize = 2;

/// Second derivatives of the negative log posterior at `z`, by differences of gradients: `[p, p]`. `weight`: how many
/// times the runs of `data` there are.
fn curvature(data: &Data, prior: &Prior, z: &Array1<f64>, weight: f64) -> Option<Array2<f64>> {
    const STEP: f64 = 1e-4;
    let p = z.len();
    let (_, here) = negative_log_posterior(data, prior, z)?;
    let mut all = Array2::zeros((p, p));
    for i in 0..p {
        let mut moved = z.clone();
        moved[i] += STEP;
        let (_, there) = negative_log_posterior(data, prior, &moved)?;
        all.row_mut(i).assign(&((there - &here) / STEP));
    }
    // The prior's part is 1 however many runs there are.
    let mut all = (&all + &all.t()) * (0.5 * weight);
    all.diag_mut().mapv_inplace(|own| own - (weight - 1.0));
    Some(all)
}

/// A step against `gradient` by the curvature: where that is negative or less than the prior's alone, it is taken for
/// what it is without its sign, and for the prior's.
fn newton_step(curvature: &Singular, gradient: &Array1<f64>) -> Array1<f64> {
    let along = curvature.right.t().dot(gradient) / &curvature.values.mapv(|value| value.max(1.0));
    curvature.right.dot(&along)
}

/// From `z`, where a search on some of the runs ended, to where all of them lead.
fn refine(data: &Data, prior: &Prior, z: Array1<f64>, curvature: &Singular) -> (Array1<f64>, Conditioned) {
    let condition = |z: &Array1<f64>| {
        let at = Conditioned::new(data, prior.settings(z))?;
        Some((at.value(data, prior, z)?, at))
    };
    let (mut value, mut at) = condition(&z).expect(
        "a covariance with noise of 1e-6 at least and jitter up to 1e-4 of its diagonal can be factored",
    );
    let mut z = z;
    for _ in 0..FULL_STEPS {
        let step = newton_step(curvature, &at.gradient(data, prior, &z));
        let better = [1.0, 0.3].into_iter().find_map(|part| {
            let moved = &z - &(&step * part);
            let (there, at) = condition(&moved)?;
            (there < value).then_some((there, at, moved))
        });
        let Some(better) = better else { break };
        (value, at, z) = better;
    }
    (z, at)
}

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
    let inverse = at.cholesky.inverse_diagonal();
    let extra = |row: usize| {
        let noise = at.settings.noise + data.own_noise(row);
        let squared = (noise * at.weights[row]).powi(2) + noise - noise * noise * inverse[row];
        squared.max(0.0) / (TAIL_FREEDOM + 1.0)
    };
    (0..none.len()).map(extra).collect()
}

fn most_likely(data: &mut Data, prior: &Prior, like: Option<&Found>) -> (Found, Conditioned) {
    let n = data.outputs.len();
    let belief = prior.belief;
    let start = like.map_or(prior.centre.clone(), |found| {
        let mut z = found.z.clone();
        z.slice_mut(s![1..=prior.n_datasets])
            .mapv_inplace(|own| own * found.belief.tau / belief.tau.max(0.1));
        z
    });
    if n <= THIN_ABOVE {
        let (_, z) = climb(data, prior, start);
        let at = Conditioned::new(data, prior.settings(&z)).expect("it was factored while searching");
        return (Found { z, belief, tails: vec![0.0; n] }, at);
    }
    let thin = data.thinned(n.div_ceil(128));
    let (mut value, mut z) = climb(&thin, prior, start);
    if like.is_none() {
        // A part of the runs may be explained by noise alone, and a search that ends there does not come back: with all
        // runs of RegMix one target in thirteen did, at five times the error.
        let mut quiet = prior.centre.clone();
        quiet[prior.n_datasets + 3] -= QUIET;
        let other = climb(&thin, prior, quiet);
        if other.0 < value {
            (value, z) = other;
        }
    }
    debug_assert!(value.is_finite(), "the centre of the prior can be factored");
    let weight = n as f64 / thin.outputs.len() as f64;
    let curvature = curvature(&thin, prior, &z, weight).unwrap_or_else(|| Array2::eye(z.len()));
    // Which runs lie far off is plain before the last steps.
    data.tails = like.map_or_else(|| tails(data, prior, &z), |found| found.tails.clone());
    let (z, at) = refine(data, prior, z, &Singular::new(&curvature, 0.0));
    (Found { z, belief, tails: data.tails.clone() }, at)
}

/// A fitted process.
pub(super) struct Process {
    data: Data,
    settings: Settings,
    cholesky: Cholesky,
    weights: Array1<f64>,
    /// `[n, d]`: the runs' inputs in lengths.
    scaled: Array2<f64>,
    /// `[d]`: how fast the linear part of the mean rises with each input.
    line: Vec<f64>,
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
        let (found, at) = most_likely(&mut data, &prior, like);
        (Self::with(data, at), found)
    }

    /// Again, from where a search of the same runs ended, with the prior highest at `centre`.
    pub(super) fn fit_near(runs: &[Observation], found: &Found, centre: &Array1<f64>) -> Self {
        let mut data = Data::new(runs, found.belief.coordinates);
        let prior = Prior { centre: centre.clone(), ..Prior::new(runs[0].shares.len(), found.belief) };
        let (_, at) = most_likely(&mut data, &prior, Some(found));
        Self::with(data, at)
    }

    fn with(data: Data, at: Conditioned) -> Self {
        let Conditioned { settings, cholesky, weights, .. } = at;
        let each = settings.linear / data.inputs.ncols() as f64;
        let line = (data.inputs.t().dot(&weights) * each).to_vec();
        let scaled = &data.inputs * &settings.inverse_lengths;
        Self { data, settings, cholesky, weights, scaled, line }
    }

    /// `inputs` in lengths.
    fn in_lengths(&self, inputs: &[f64]) -> Vec<f64> {
        inputs.iter().zip(&self.settings.inverse_lengths).map(|(x, inverse)| x * inverse).collect()
    }

    /// The runs' inputs in lengths, run by run.
    fn scaled_runs(&self) -> std::slice::ChunksExact<'_, f64> {
        let rows = self.scaled.as_slice().expect("a product of standard layout is one");
        rows.chunks_exact(self.data.inputs.ncols())
    }

    /// Covariance of the surface at `inputs` with every run.
    fn with_runs(&self, inputs: &[f64]) -> Array1<f64> {
        let rows = self.data.inputs.as_slice().expect("the inputs are in standard layout");
        let (at, each) = (self.in_lengths(inputs), self.settings.linear / inputs.len() as f64);
        let of = |(run, scaled): (&[f64], &[f64])| {
            self.settings.matern * Radial::at(squared_distance(scaled, &at)).value + each * dot(run, inputs)
        };
        rows.chunks_exact(inputs.len()).zip(self.scaled_runs()).map(of).collect()
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
        let inputs = self.data.standardised(shares);
        let at = self.in_lengths(&inputs);
        let runs = self.scaled_runs().zip(&self.weights);
        let near: f64 = runs.map(|(run, weight)| weight * Radial::at(squared_distance(run, &at)).value).sum();
        let Scale { mean, sd } = self.data.output_scale;
        mean + sd * (self.settings.matern * near + dot(&self.line, &inputs))
    }

    /// See [`super::Predictor::slope`].
    pub(super) fn slope(&self, shares: &[f64]) -> Vec<f64> {
        let inputs = self.data.standardised(shares);
        let mut slope = self.matern_slope(&inputs, &self.weights);
        slope.iter_mut().zip(&self.line).for_each(|(slope, line)| *slope += line);
        self.by_share(slope, shares, self.data.output_scale.sd)
    }

    /// See [`super::Predictor::variance_slope`].
    pub(super) fn variance_slope(&self, shares: &[f64]) -> Vec<f64> {
        let inputs = self.data.standardised(shares);
        let known = self.cholesky.solve(self.with_runs(&inputs).view());
        let mut slope = self.matern_slope(&inputs, &known);
        let line = self.data.inputs.t().dot(&known);
        // k(x, x) − kᵀ K⁻¹ k: of the first only the linear part moves.
        let each = self.settings.linear / inputs.len() as f64;
        for ((slope, at), line) in slope.iter_mut().zip(&inputs).zip(&line) {
            *slope = 2.0 * (each * (at - line) - *slope);
        }
        self.by_share(slope, shares, self.data.output_scale.sd.powi(2))
    }

    /// How fast Σ weight · Matérn part with each run rises with each of `inputs`.
    fn matern_slope(&self, inputs: &[f64], weights: &Array1<f64>) -> Vec<f64> {
        let at = self.in_lengths(inputs);
        let mut slope = vec![0.0; inputs.len()];
        for (run, weight) in self.scaled_runs().zip(weights) {
            let fall = weight * self.settings.matern * Radial::at(squared_distance(run, &at)).fall;
            for ((slope, run), at) in slope.iter_mut().zip(run).zip(&at) {
                *slope += fall * (run - at);
            }
        }
        slope.iter_mut().zip(&self.settings.inverse_lengths).for_each(|(slope, inverse)| *slope *= inverse);
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

    const BELIEF: Belief =
        Belief { coordinates: ROOT, tau: 0.8, common: true, linear: true, noise_centre: NOISE_CENTRE };

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
            let inputs = all.inputs.select(Axis(0), keep);
            let data = Data {
                products: products(&inputs),
                inputs,
                outputs: all.outputs.select(Axis(0), keep),
                known_noise: keep.iter().map(|&i| all.known_noise[i]).collect(),
                tails: vec![0.0; keep.len()],
                ..all
            };
            let at = Conditioned::new(&data, prior().settings(&z)).unwrap();
            Process::with(data, at)
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
        let (found, _) = most_likely(&mut data, &prior(), None);
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
