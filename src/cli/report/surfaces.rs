//! What a prediction says of mixtures that nobody tried: fitted again from what `prediction.json` holds.

use crate::{
    decide::{self, Prediction, Score},
    error::{Error, Result},
    mixture::constraint::Region,
    name::Name,
    optimize::default_optimizer,
    predict::{Method, Observation, mixtures, skill::Verdict, two_fidelity},
    report::{Explore, Shown, Surfaces, Target, explore},
    seed::Seed,
};

/// What is fitted and shown.
pub(in crate::cli) struct Fits {
    /// What was measured, with the decoding of the objective.
    pub(in crate::cli) targets: Vec<Vec<Observation>>,
    /// The objective, the other aggregates, every target alone.
    pub(in crate::cli) shown: Vec<Shown>,
    /// How they are predicted.
    pub(in crate::cli) method: Box<dyn Method>,
}

/// The runs of a prediction as observations, and the sums that are shown of them. `predictor`: the table that it was
/// made with; `target`: how the page calls a score.
pub(in crate::cli) fn fits(
    prediction: &Prediction,
    predictor: &toml::Table,
    target: &dyn Fn(&Score) -> Option<Target>,
) -> Result<Fits> {
    let objective = prediction.aggregates.iter().find(|score| score.weight > 0.0);
    let objective = objective.ok_or_else(|| Error::failed("the prediction names no objective"))?;
    if prediction.predictor == two_fidelity::NAME {
        return Err(Error::failed("the prediction was made with cheaper runs, which it does not hold")
            .hint("`modo predict` without `--low` makes one that can be drawn"));
    }
    // The mean stands in where there are too few mixtures, and then settings of another predictor say nothing.
    let same = predictor.get("name").and_then(toml::Value::as_str) == Some(prediction.predictor.as_str());
    let own = toml::Table::from_iter([("name".to_owned(), prediction.predictor.as_str().into())]);
    let (_, method) = decide::method(if same { predictor } else { &own })?;

    let scores: Vec<&Score> =
        prediction.targets.iter().filter(|score| score.decoding == objective.decoding).collect();
    let shown = |score: &Score, weights: Vec<f64>| {
        let lower_is_better = scores.iter().any(|one| one.name == score.name && one.weight < 0.0);
        Some(Shown { target: target(score)?, weights, skill: score.skill.clone(), lower_is_better })
    };
    let mut all = Vec::new();
    all.extend(shown(objective, scores.iter().map(|score| score.weight).collect()));
    for aggregate in &prediction.aggregates {
        if aggregate.decoding != objective.decoding || aggregate.name == objective.name {
            continue;
        }
        let questions = |score: &&&Score| aggregate.domain.is_none() || score.domain == aggregate.domain;
        let sum: usize = scores.iter().filter(questions).map(|score| score.n_questions).sum();
        let weight = |score: &&Score| match (questions(&score), sum) {
            (false, _) => 0.0,
            // A column that was named as this aggregate.
            (true, 0) => 1.0,
            (true, sum) => score.n_questions as f64 / sum as f64,
        };
        all.extend(shown(aggregate, scores.iter().map(weight).collect()));
    }
    // A single column is its own objective.
    if scores.len() > 1 {
        for (i, score) in scores.iter().enumerate() {
            all.extend(shown(score, (0..scores.len()).map(|j| f64::from(u8::from(i == j))).collect()));
        }
    }
    if all.is_empty() {
        return Err(Error::failed("the prediction names no target"));
    }
    let targets = scores.iter().map(|score| observations(prediction, score)).collect();
    Ok(Fits { targets, shown: all, method })
}

/// The runs as one target saw them.
fn observations(prediction: &Prediction, score: &Score) -> Vec<Observation> {
    let mut all: Vec<Observation> = (prediction.runs.iter().zip(&score.skill.held_out))
        .map(|(run, held)| Observation {
            shares: run.shares.clone(),
            score: held.observed,
            noise_variance: None,
        })
        .collect();
    // Where nothing was replicated the spread between seeds is the known noise of evaluation.
    if mixtures(&all).len() == all.len() {
        let noise_variance = score.skill.signal.within_sd.map(|sd| sd * sd);
        for run in &mut all {
            run.noise_variance = noise_variance;
        }
    }
    all
}

/// Places of the three datasets of every `--map`.
pub(in crate::cli) fn triples(maps: &[String], datasets: &[Name]) -> Result<Vec<[usize; 3]>> {
    let of = |text: &String| {
        let place = |name: &str| {
            datasets.iter().position(|dataset| dataset.as_str() == name.trim()).ok_or_else(|| {
                let known: Vec<&str> = datasets.iter().map(Name::as_str).collect();
                Error::input(format!("there is no dataset `{}`", name.trim()))
                    .at("option `--map`")
                    .hint(format!("there are `{}`", known.join("`, `")))
            })
        };
        let places = text.split(',').map(place).collect::<Result<Vec<usize>>>()?;
        let triple: Option<[usize; 3]> = places.try_into().ok();
        triple.filter(|[a, b, c]| a != b && b != c && a != c).ok_or_else(|| {
            Error::input(format!("`{text}` is no map: it takes three different datasets"))
                .at("option `--map`")
                .hint("write `--map A,B,C`")
        })
    };
    maps.iter().map(of).collect()
}

/// See [`Surfaces`]. `aims`: places in the fits' `shown` for the front; `triples`: [`Explore::triples`].
pub(in crate::cli) fn surfaces(
    prediction: &Prediction,
    fits: Fits,
    aims: Vec<usize>,
    triples: Vec<[usize; 3]>,
    region: &Region,
) -> Result<Surfaces> {
    let labels: Vec<String> = prediction.runs.iter().map(|run| run.label.clone()).collect();
    let next =
        (prediction.next.iter()).map(|next| (next.shares.clone(), next.expected_improvement, next.predicted));
    let optimizer = default_optimizer();
    let proposed = prediction.proposal.mixture.shares.as_slice();
    explore(&Explore {
        datasets: &prediction.datasets,
        labels: &labels,
        targets: &fits.targets,
        shown: fits.shown,
        method: fits.method.as_ref(),
        region,
        proposal: (prediction.verdict == Verdict::Signal).then_some(proposed),
        next: next.collect(),
        aims,
        triples,
        optimizer: optimizer.as_ref(),
        seed: Seed::new(0).child("report"),
    })
    .map_err(|error| Error::failed(error).at("fitting the predictor for the page"))
}

/// In-Score and Out-Score among what is shown; of a table the first two of its columns that the objective weighs.
pub(in crate::cli) fn default_aims(fits: &Fits) -> Vec<usize> {
    let place = |target: &Target| fits.shown.iter().position(|shown| shown.target == *target);
    if let (Some(inside), Some(outside)) = (place(&Target::In), place(&Target::Out)) {
        return vec![inside, outside];
    }
    let weighed = |target: usize| fits.shown[0].weights[target] != 0.0;
    let single = |shown: &Shown| -> Option<usize> {
        let mut of = shown.weights.iter().enumerate().filter(|(_, weight)| **weight != 0.0);
        of.next().filter(|_| of.next().is_none()).map(|(target, _)| target)
    };
    let columns = fits.shown.iter().enumerate().skip(1);
    let columns = columns.filter(|(_, shown)| single(shown).is_some_and(weighed)).map(|(i, _)| i);
    columns.take(2).collect()
}
