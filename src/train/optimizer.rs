//! Gradients summed in a fixed order, clipped, and turned into new weights by burn's AdamW or Muon.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use burn::{
    optim::{
        AdamW, AdamWConfig, AdamWState, AdaptiveMomentumState, AdjustLrFn, Muon, MuonConfig, MuonState,
        Optimizer as _, RecordState, StateSink, decay::WeightDecayConfig, momentum::MomentumState,
    },
    tensor::{Gradients as Tape, Tensor, TensorData},
};

use crate::model::{
    qwen2_vl::{Qwen2Vl, Visitor},
    weights::{Named, Source, WeightError},
};

/// One gradient per parameter, in the order in which the model visits them.
pub struct Gradients(Vec<Gradient>);

enum Gradient {
    Vector(Tensor<1>),
    Matrix(Tensor<2>),
}

impl Gradients {
    /// Takes the gradients of a tracked model from a backward pass; a parameter without one gets zeros.
    fn take(model: &mut Qwen2Vl, with_vision: bool, tape: &mut Tape) -> Self {
        struct Take<'a>(Vec<Gradient>, &'a mut Tape);
        impl Visitor for Take<'_> {
            fn vector(&mut self, _: &str, value: &mut Tensor<1>) {
                let gradient =
                    value.grad_remove(self.1).unwrap_or_else(|| value.clone().inner().zeros_like());
                self.0.push(Gradient::Vector(gradient));
            }
            fn matrix(&mut self, _: &str, value: &mut Tensor<2>) {
                let gradient =
                    value.grad_remove(self.1).unwrap_or_else(|| value.clone().inner().zeros_like());
                self.0.push(Gradient::Matrix(gradient));
            }
        }
        let mut take = Take(Vec::new(), tape);
        visit(model, with_vision, &mut take);
        Self(take.0)
    }

    fn add(self, other: Self) -> Self {
        let add = |pair| match pair {
            (Gradient::Vector(a), Gradient::Vector(b)) => Gradient::Vector(a + b),
            (Gradient::Matrix(a), Gradient::Matrix(b)) => Gradient::Matrix(a + b),
            _ => unreachable!("both were taken from the same model"),
        };
        Self(self.0.into_iter().zip(other.0).map(add).collect())
    }

    /// Euclidean norm over all parameters. Each is summed by one worker alone: a kernel that finds several threads
    /// sums more than 4 million numbers in an order that nothing fixes.
    fn norm(&self, workers: &Workers) -> f64 {
        let square = |g: &Gradient| -> f64 {
            let sum = match g {
                Gradient::Vector(g) => (g.clone() * g.clone()).sum(),
                Gradient::Matrix(g) => (g.clone() * g.clone()).sum(),
            };
            f64::from(sum.into_scalar::<f32>())
        };
        workers.map(&self.0, square).into_iter().sum::<f64>().sqrt()
    }
}

fn visit(model: &mut Qwen2Vl, with_vision: bool, visitor: &mut dyn Visitor) {
    if with_vision {
        model.visit(visitor);
    } else {
        model.visit_decoder(visitor);
    }
}

/// Threads that each work on one micro-batch at a time.
pub struct Workers {
    /// One pool of one thread each: inside it a kernel finds no other thread to share its work with, so that each
    /// worker keeps to its core.
    pools: Vec<rayon::ThreadPool>,
}

impl Workers {
    /// As many as asked for, at least one.
    pub fn new(threads: usize) -> Self {
        let pool =
            |_| rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread can be started");
        Self { pools: (0..threads.max(1)).map(pool).collect() }
    }

    /// Calls `work` with every number below `n`, in any order.
    pub fn each(&self, n: usize, work: &(dyn Fn(usize) + Sync)) {
        let numbers: Vec<usize> = (0..n).collect();
        self.map(&numbers, |i| work(*i));
    }

    /// Applies `each` to every item, in any order, and returns the results in the order of the items.
    pub fn map<T: Sync, R: Send>(&self, items: &[T], each: impl Fn(&T) -> R + Sync) -> Vec<R> {
        let next = AtomicUsize::new(0);
        let results: Vec<Mutex<Option<R>>> = items.iter().map(|_| Mutex::new(None)).collect();
        let work = || {
            while let Some((i, item)) =
                Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| Some((i, items.get(i)?)))
            {
                *results[i].lock().expect("no worker panics while it holds a result") = Some(each(item));
            }
        };
        std::thread::scope(|scope| {
            for pool in &self.pools[..self.pools.len().min(items.len().max(1))] {
                scope.spawn(|| pool.install(work));
            }
        });
        let result = |cell: Mutex<Option<R>>| {
            cell.into_inner().expect("no worker panicked").expect("every item was worked on")
        };
        results.into_iter().map(result).collect()
    }

    /// Sums the gradients of `loss` over micro-batches, in their order whatever thread made them, so that the result
    /// does not depend on the number of threads.
    pub fn gradients<T: Sync, M: Send>(
        &self,
        model: &Qwen2Vl,
        with_vision: bool,
        micro_batches: &[T],
        loss: impl Fn(&Qwen2Vl, &T) -> (Tensor<1>, M) + Sync,
    ) -> (Gradients, Vec<M>) {
        let each = self.map(micro_batches, |micro| {
            let mut tracked = model.tracked(with_vision);
            let (loss, metrics) = loss(&tracked, micro);
            let mut tape = loss.backward();
            (Gradients::take(&mut tracked, with_vision, &mut tape), metrics)
        });
        let (gradients, metrics): (Vec<_>, Vec<_>) = each.into_iter().unzip();
        let sum = gradients.into_iter().reduce(Gradients::add).expect("there is at least one micro-batch");
        (sum, metrics)
    }
}

/// Settings of the optimizer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// First and second moment decay of AdamW.
    pub betas: (f64, f64),
    /// Epsilon of AdamW.
    pub epsilon: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Gradients are scaled down to this norm; 0 leaves them.
    pub max_gradient_norm: f64,
    /// Muon (orthogonalised momentum) for the matrices inside the layers; AdamW for the rest.
    pub muon: bool,
}

/// AdamW or Muon over all trained parameters, with its state by parameter name.
pub struct Optimizer {
    adamw: AdamW,
    muon: Option<Muon>,
    max_gradient_norm: f64,
    with_vision: bool,
    steps: usize,
    states: BTreeMap<String, State>,
}

#[derive(Clone)]
enum State {
    Vector(AdamWState<1>),
    Matrix(AdamWState<2>),
    Muon(MuonState<2>),
}

impl Optimizer {
    /// With no state yet; `with_vision` trains the vision tower too.
    pub fn new(settings: Settings, with_vision: bool) -> Self {
        let adamw = AdamWConfig::new()
            .with_beta_1(settings.betas.0 as f32)
            .with_beta_2(settings.betas.1 as f32)
            .with_epsilon(settings.epsilon as f32)
            .with_weight_decay(settings.weight_decay as f32);
        // The same update size as AdamW's, so that one learning rate fits both.
        let muon = MuonConfig::new()
            .with_adjust_lr_fn(AdjustLrFn::MatchRmsAdamW)
            .with_weight_decay(Some(WeightDecayConfig::new(settings.weight_decay as f32)));
        Self {
            adamw: adamw.build(),
            muon: settings.muon.then(|| muon.build()),
            max_gradient_norm: settings.max_gradient_norm,
            with_vision,
            steps: 0,
            states: BTreeMap::new(),
        }
    }

    /// One step with the learning rates of AdamW and of Muon, its work shared among `workers`; returns the gradients'
    /// norm before clipping. Where it is not finite nothing changes.
    pub fn step(
        &mut self,
        model: &mut Qwen2Vl,
        gradients: Gradients,
        learning_rate: f64,
        muon_rate: f64,
        workers: &Workers,
    ) -> f64 {
        let norm = gradients.norm(workers);
        if !norm.is_finite() {
            return norm;
        }
        let clip = self.max_gradient_norm > 0.0 && norm > self.max_gradient_norm;
        let scale = if clip { self.max_gradient_norm / norm } else { 1.0 };
        self.steps += 1;
        let mut updates =
            Updates { states: &mut self.states, gradients: gradients.0.into_iter(), all: Vec::new() };
        visit(model, self.with_vision, &mut updates);
        let updates = updates.all;
        let rates = Rates { learning_rate, muon_rate, scale };
        // Parameters do not depend on each other, and orthogonalising them costs as much as some samples.
        let (new, states): (Vec<New>, Vec<Option<State>>) =
            workers.map(&updates, |update| self.update(update, &rates)).into_iter().unzip();
        visit(model, self.with_vision, &mut Replace(new.into_iter()));
        let named = updates.into_iter().zip(states).filter_map(|(update, state)| Some((update.name, state?)));
        self.states.extend(named);
        norm
    }

    /// The new value and state of one parameter.
    fn update(&self, update: &Update, rates: &Rates) -> (New, Option<State>) {
        let state = update.state.clone();
        match &update.values {
            Values::Vector(value, gradient) => {
                let state = if let Some(State::Vector(state)) = state { Some(state) } else { None };
                let gradient = gradient.clone() * rates.scale;
                let (new, state) = self.adamw.step(rates.learning_rate, value.clone(), gradient, state);
                (New::Vector(new), state.map(State::Vector))
            }
            Values::Matrix(value, gradient) => {
                let gradient = gradient.clone() * rates.scale;
                if let Some(muon) = self.muon.as_ref().filter(|_| self.uses_muon(&update.name)) {
                    let state = if let Some(State::Muon(state)) = state { Some(state) } else { None };
                    let (new, state) = muon.step(rates.muon_rate, value.clone(), gradient, state);
                    (New::Matrix(new), state.map(State::Muon))
                } else {
                    let state = if let Some(State::Matrix(state)) = state { Some(state) } else { None };
                    let (new, state) = self.adamw.step(rates.learning_rate, value.clone(), gradient, state);
                    (New::Matrix(new), state.map(State::Matrix))
                }
            }
        }
    }

    /// The state as tensors for a checkpoint.
    pub fn named(&self) -> Vec<Named> {
        let mut sink = StateSink::default();
        for (name, state) in &self.states {
            match state {
                State::Vector(state) => state.state_flatten(name, &mut sink),
                State::Matrix(state) => state.state_flatten(name, &mut sink),
                State::Muon(state) => state.state_flatten(name, &mut sink),
            }
        }
        let named = |(name, data): (String, TensorData)| Named {
            name,
            shape: data.shape().to_vec(),
            values: data.try_into_vec().expect("moments are f32"),
        };
        sink.tensors.into_iter().map(named).collect()
    }

    /// Restores what [`Optimizer::named`] gave after `steps` steps on this model; an error leaves all as it was.
    pub fn restore(
        &mut self,
        model: &mut Qwen2Vl,
        steps: usize,
        source: &mut dyn Source,
    ) -> Result<(), WeightError> {
        struct Restore<'a> {
            optimizer: &'a Optimizer,
            steps: usize,
            source: &'a mut dyn Source,
            states: BTreeMap<String, State>,
            failed: Option<WeightError>,
        }
        impl Restore<'_> {
            fn tensor<const D: usize>(&mut self, name: &str, like: &Tensor<D>) -> Tensor<D> {
                match self.source.take(name, &like.dims()) {
                    Ok(values) => Tensor::from_data(TensorData::new(values, like.dims()), &like.device()),
                    Err(error) => {
                        self.failed.get_or_insert(error);
                        like.zeros_like()
                    }
                }
            }
            fn moments<const D: usize>(&mut self, name: &str, value: &Tensor<D>) -> AdamWState<D> {
                let first = self.tensor(&format!("{name}.momentum.moment_1"), value);
                let second = self.tensor(&format!("{name}.momentum.moment_2"), value);
                AdamWState::new(AdaptiveMomentumState::new(self.steps, first, second))
            }
        }
        impl Visitor for Restore<'_> {
            fn vector(&mut self, name: &str, value: &mut Tensor<1>) {
                let state = State::Vector(self.moments(name, value));
                self.states.insert(name.to_owned(), state);
            }
            fn matrix(&mut self, name: &str, value: &mut Tensor<2>) {
                let state = if self.optimizer.uses_muon(name) {
                    let velocity = self.tensor(&format!("{name}.momentum.velocity"), value);
                    State::Muon(MuonState::new(MomentumState::new(velocity)))
                } else {
                    State::Matrix(self.moments(name, value))
                };
                self.states.insert(name.to_owned(), state);
            }
        }
        let mut states = BTreeMap::new();
        if steps > 0 {
            let mut restore = Restore { optimizer: self, steps, source, states, failed: None };
            visit(model, self.with_vision, &mut restore);
            if let Some(error) = restore.failed {
                return Err(error);
            }
            states = restore.states;
        }
        (self.steps, self.states) = (steps, states);
        Ok(())
    }

    /// Steps taken.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Muon is for matrices inside the layers, not for embeddings and heads (Jordan et al. 2024).
    fn uses_muon(&self, name: &str) -> bool {
        self.muon.is_some() && (name.contains(".layers.") || name.contains(".blocks."))
    }
}

/// The rates of one step.
struct Rates {
    learning_rate: f64,
    muon_rate: f64,
    /// Factor on the gradients.
    scale: f64,
}

/// One parameter with all that its update takes.
struct Update {
    name: String,
    values: Values,
    state: Option<State>,
}

/// A parameter and its gradient.
enum Values {
    Vector(Tensor<1>, Tensor<1>),
    Matrix(Tensor<2>, Tensor<2>),
}

/// A new value.
enum New {
    Vector(Tensor<1>),
    Matrix(Tensor<2>),
}

/// Gathers the parameters of a model with their gradients.
struct Updates<'a> {
    states: &'a mut BTreeMap<String, State>,
    gradients: std::vec::IntoIter<Gradient>,
    all: Vec<Update>,
}

impl Visitor for Updates<'_> {
    fn vector(&mut self, name: &str, value: &mut Tensor<1>) {
        let Some(Gradient::Vector(gradient)) = self.gradients.next() else {
            unreachable!("gradients were taken in the order of this visit")
        };
        let (state, name) = (self.states.remove(name), name.to_owned());
        self.all.push(Update { name, values: Values::Vector(value.clone(), gradient), state });
    }

    fn matrix(&mut self, name: &str, value: &mut Tensor<2>) {
        let Some(Gradient::Matrix(gradient)) = self.gradients.next() else {
            unreachable!("gradients were taken in the order of this visit")
        };
        let (state, name) = (self.states.remove(name), name.to_owned());
        self.all.push(Update { name, values: Values::Matrix(value.clone(), gradient), state });
    }
}

/// Puts new values in the places of the old ones, in the order of the visit.
struct Replace<I>(I);

impl<I: Iterator<Item = New>> Visitor for Replace<I> {
    fn vector(&mut self, _: &str, value: &mut Tensor<1>) {
        let Some(New::Vector(new)) = self.0.next() else { unreachable!("one for each parameter") };
        *value = new;
    }

    fn matrix(&mut self, _: &str, value: &mut Tensor<2>) {
        let Some(New::Matrix(new)) = self.0.next() else { unreachable!("one for each parameter") };
        *value = new;
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn the_norm_of_a_large_gradient_is_the_same_on_any_number_of_threads() {
        // More than 4 × 2^20 numbers, whose sum in f32 depends on its order.
        let n = 9_000_000;
        let values: Vec<f32> =
            (0..n).map(i64::from).map(|i| ((i * 7919 % 10_007) as f32 - 5000.0) * 1.1e-3).collect();
        let large = Tensor::<1>::from_data(TensorData::new(values, [n]), &Device::flex());
        let gradients = Gradients(vec![
            Gradient::Vector(large.clone()),
            Gradient::Vector(large.clone() * 0.3),
            Gradient::Matrix(large.reshape([3000, 3000])),
        ]);
        let one = gradients.norm(&Workers::new(1));
        for threads in [1, 2, 3, 5] {
            assert_eq!(gradients.norm(&Workers::new(threads)).to_bits(), one.to_bits(), "{threads}");
        }
    }
}
