//! From finished runs to a decision: how strong the signal is, whether a predictor may be believed, which mixture to
//! train on, what to run next.
//!
//! Benchmarks are predicted one by one and weighed afterwards, so that every aggregate and both decodings are judged
//! from the same fits; one of them, the objective, decides.

mod prediction;
mod targets;

pub use prediction::{Best, Next, Prediction, Proposed, RunPoint, SCHEMA, Score, TargetAt, mixture_file};
pub use targets::{Chosen, TargetRuns, from_ledger, protocols};

use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::{
    error::{Error, Result},
    ledger::Target,
    mixture::constraint::{Constraints, Supply},
    name::Name,
    optimize::{
        Surface, default_optimizer,
        next_runs::next_runs,
        proposal::{self, propose},
    },
    predict::{
        FitError, Method, Observation, by_name, mixtures,
        skill::{self, Assessment, Skill, Verdict, assess},
    },
    run::{Decoding, Domain},
    seed::Seed,
};

/// What is asked, and of which runs.
pub struct Question<'a> {
    /// The datasets, in the order of the runs' shares.
    pub datasets: &'a [Name],
    /// Hash of the table that the runs came from.
    pub ledger: String,
    /// The runs, in the order of every target's observations.
    pub runs: Vec<RunPoint>,
    /// What was measured: every benchmark with every decoding.
    pub targets: Vec<TargetRuns>,
    /// What is to be made as large as possible.
    pub objective: Objective,
    /// What the proposal must keep to.
    pub constraints: &'a Constraints,
    /// How much there is of each dataset and how much will be drawn; needed where the passes are limited.
    pub supply: Option<&'a Supply>,
    /// Name and settings of the predictor.
    pub predictor: &'a toml::Table,
    /// Shufflings behind the chance of every skill, see [`skill::Settings`].
    pub n_permutations: usize,
    /// How many runs to suggest next.
    pub next: usize,
    /// Of shufflings and random starts.
    pub seed: u64,
}

/// What is to be made as large as possible.
#[derive(Clone, Debug, PartialEq)]
pub enum Objective {
    /// In-Score, Out-Score or Overall: the mean of benchmarks weighted by their questions. [`Target::Benchmark`] is one
    /// benchmark alone.
    Aggregate {
        /// Over which benchmarks.
        of: Target,
        /// Of which completions.
        decoding: Decoding,
    },
    /// Any weighted sum.
    Weighted {
        /// What it is, in words.
        words: String,
        /// One per target; negative to minimise, 0 for targets that are only shown.
        weights: Vec<f64>,
    },
}

impl std::fmt::Display for Objective {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Aggregate { of, decoding } => write!(f, "{of}, {}", word(*decoding)),
            Self::Weighted { words, .. } => f.write_str(words),
        }
    }
}

/// The decoding as files write it.
pub fn word(decoding: Decoding) -> &'static str {
    match decoding {
        Decoding::Greedy => "greedy",
        Decoding::Sampled => "sampled",
    }
}

/// The method of a plan's `[predictor]`: `name`, and settings that the method reads itself.
pub fn method(predictor: &toml::Table) -> Result<(String, Box<dyn Method>)> {
    let mut settings = predictor.clone();
    let place = "table [predictor]";
    let Some(toml::Value::String(name)) = settings.remove("name") else {
        return Err(Error::input("the predictor has no name").at(place));
    };
    let entry = crate::predict::PREDICTORS.get(&name).map_err(|error| Error::input(error).at(place))?;
    let method = (entry.build)(settings).map_err(|error| Error::input(error).at(place))?;
    Ok((name, method))
}

/// A weighted sum of targets that is judged as one.
struct Sum {
    name: String,
    domain: Option<Domain>,
    decoding: Option<Decoding>,
    /// Targets in it, with their weights.
    members: Vec<(usize, f64)>,
}

/// Judges every target and aggregate, and proposes a mixture where the objective's skill carries it.
///
/// At least three different mixtures are needed; with exactly three the mean predicts, since a surface cannot be
/// judged. The same question has the same answer.
pub fn decide(question: &Question) -> Result<Prediction> {
    let targets = &question.targets;
    check(question)?;
    let observations: Vec<&Vec<Observation>> = targets.iter().map(|target| &target.observations).collect();
    let n_mixtures = mixtures(observations[0]).len();
    let mut notes = Vec::new();
    let (mut predictor, mut method) = method(question.predictor)?;
    if n_mixtures == 3 && predictor != "mean" {
        notes.push(format!(
            "three mixtures are too few to judge `{predictor}` on one left out: the mean stands in for it"
        ));
        "mean".clone_into(&mut predictor);
        method = by_name("mean").map_err(Error::failed)?;
    }
    let region = question
        .constraints
        .region(question.datasets, question.supply)
        .map_err(|error| Error::input(error).at("table [constraints]"))?;
    let seed = Seed::new(question.seed).child("decide");
    let settings =
        skill::Settings { n_permutations: question.n_permutations, seed, ..skill::Settings::default() };

    // The widest sums come first: they judge every target on the way.
    let (sums, objective) = sums(question)?;
    let mut judged: Vec<Option<Skill>> = vec![None; targets.len()];
    let mut skills: Vec<Skill> = Vec::with_capacity(sums.len());
    for (number, sum) in sums.iter().enumerate() {
        if let Some(same) = sums[..number].iter().position(|earlier| earlier.members == sum.members) {
            skills.push(skills[same].clone());
            continue;
        }
        let runs: Vec<Vec<Observation>> = sum.members.iter().map(|(i, _)| observations[*i].clone()).collect();
        let weights: Vec<f64> = sum.members.iter().map(|(_, weight)| *weight).collect();
        let Assessment { targets: of_members, objective } =
            judge(method.as_ref(), &runs, &weights, &settings).map_err(|error| unfit(&error))?;
        for ((i, _), skill) in sum.members.iter().zip(of_members) {
            judged[*i].get_or_insert(skill);
        }
        skills.push(objective);
    }

    // All targets of the objective's decoding are predicted at the proposal; those outside it weigh nothing.
    let shown: Vec<usize> =
        (0..targets.len()).filter(|&i| targets[i].decoding == sums[objective].decoding).collect();
    let weight =
        |i: usize| sums[objective].members.iter().find(|member| member.0 == i).map_or(0.0, |member| member.1);
    let weights: Vec<f64> = shown.iter().map(|&i| weight(i)).collect();
    let runs: Vec<Vec<Observation>> = shown.iter().map(|&i| observations[i].clone()).collect();
    let surface = Surface::fit(method.as_ref(), &runs, &weights).map_err(|error| unfit(&error))?;
    let judged: Vec<Skill> =
        judged.into_iter().map(|skill| skill.expect("the sums cover every target")).collect();
    let assessment = Assessment {
        targets: shown.iter().map(|&i| judged[i].clone()).collect(),
        objective: skills[objective].clone(),
    };
    let optimizer = default_optimizer();
    let how = proposal::Settings { optimizer: optimizer.as_ref(), caution: 0.0, seed: seed.child("propose") };
    let proposal = propose(&surface, &assessment, &runs[0], &region, &how);
    let skill = &assessment.objective;
    if skill.verdict == Verdict::Signal {
        notes.push(
            "the best of many mixtures by the same predictions is flattered: fresh runs decide".to_owned(),
        );
    }
    for (i, predictor) in shown.iter().zip(surface.predictors()) {
        notes.extend(predictor.notes().into_iter().map(|note| format!("{}: {note}", targets[*i].name)));
    }
    let mut best = best_observed(question, &runs, &weights);
    best.shrunk = surface.mean(&best.shares);
    let p_beats = |other: &[f64]| {
        if proposal.shares == other {
            return 0.5;
        }
        let gain = surface.difference(&proposal.shares, other);
        skill.chance_above_zero(gain.mean, gain.sd)
    };
    let p_beats_best_observed = p_beats(&best.shares);
    let p_beats_natural = natural(question).map(|shares| p_beats(&shares));
    let next = next_runs(
        method.as_ref(),
        &runs,
        &weights,
        &region,
        optimizer.as_ref(),
        question.next,
        seed.child("next"),
    )
    .map_err(|error| unfit(&error))?;

    let score = |i: usize, skill: Skill| Score {
        name: targets[i].name.clone(),
        domain: targets[i].domain,
        decoding: targets[i].decoding,
        n_questions: targets[i].n_questions,
        weight: weight(i),
        skill,
    };
    let at = |(place, &i): (usize, &usize)| TargetAt {
        name: targets[i].name.clone(),
        proposed: proposal.targets[place],
        uniform: proposal.targets_uniform[place],
    };
    let aggregate = |(number, (sum, skill)): (usize, (&Sum, &Skill))| Score {
        name: sum.name.clone(),
        domain: sum.domain,
        decoding: sum.decoding,
        n_questions: sum.members.iter().map(|(i, _)| targets[*i].n_questions).sum(),
        weight: f64::from(u8::from(number == objective)),
        skill: skill.clone(),
    };
    let aggregates = sums.iter().zip(&skills).enumerate().map(aggregate).collect();
    Ok(Prediction {
        schema: SCHEMA,
        predictor,
        objective: question.objective.to_string(),
        ledger: question.ledger.clone(),
        datasets: question.datasets.to_vec(),
        n_mixtures,
        verdict: skill.verdict,
        sentence: skill.sentence(),
        proposal: Proposed {
            targets: shown.iter().enumerate().map(at).collect(),
            mixture: proposal,
            p_beats_best_observed,
            p_beats_natural,
        },
        best_observed: best,
        next: next.into_iter().map(|s| Next::new(s, skill)).collect(),
        aggregates,
        targets: judged.into_iter().enumerate().map(|(i, skill)| score(i, skill)).collect(),
        runs: question.runs.clone(),
        notes,
    })
}

/// [`assess`], made affordable for tables of hundreds of mixtures: there the chance of a skill comes from its rank
/// correlation (Student's t, one-sided) and not from shufflings, of which each costs a fit of every target.
pub fn judge(
    method: &dyn Method,
    targets: &[Vec<Observation>],
    weights: &[f64],
    settings: &skill::Settings,
) -> Result<Assessment, FitError> {
    let n_mixtures = targets.first().map_or(0, |runs| mixtures(runs).len());
    if n_mixtures <= settings.refit_up_to {
        return assess(method, targets, weights, settings);
    }
    let mut assessment =
        assess(method, targets, weights, &skill::Settings { n_permutations: 0, ..*settings })?;
    let freedom = n_mixtures as f64 - 2.0;
    let student = StudentsT::new(0.0, 1.0, freedom).expect("there are dozens of mixtures");
    for skill in assessment.targets.iter_mut().chain([&mut assessment.objective]) {
        let r = skill.rank_correlation.clamp(-1.0 + 1e-12, 1.0 - 1e-12);
        skill.p = student.sf(r * (freedom / (1.0 - r * r)).sqrt());
        let signal = skill.p <= settings.level && skill.r2 > 0.0;
        skill.verdict = if signal { Verdict::Signal } else { Verdict::NoSignal };
    }
    Ok(assessment)
}

/// Refuses what cannot be decided on.
fn check(question: &Question) -> Result<()> {
    let few = |what: String| {
        Err(Error::input(what)
            .hint("at least three different mixtures must be finished, better eleven or more"))
    };
    let Some(first) = question.targets.first() else {
        return few("no run is finished yet".to_owned());
    };
    if let Some(target) = question.targets.iter().find(|t| t.observations.len() != question.runs.len()) {
        return Err(Error::failed(format!(
            "`{}` has {} scores of {} runs",
            target.name,
            target.observations.len(),
            question.runs.len()
        )));
    }
    let n = mixtures(&first.observations).len();
    if n < 3 {
        let runs = first.observations.len();
        return few(format!("{runs} finished runs of {n} different mixtures are too few to decide on"));
    }
    Ok(())
}

/// Every aggregate of every decoding, or the one weighted sum; and which of them is the objective.
fn sums(question: &Question) -> Result<(Vec<Sum>, usize)> {
    let targets = &question.targets;
    let Objective::Aggregate { of, decoding } = &question.objective else {
        let Objective::Weighted { words, weights } = &question.objective else { unreachable!() };
        if weights.len() != targets.len() || weights.iter().any(|w| !w.is_finite()) {
            return Err(Error::input("the objective needs one number per target"));
        }
        let members = weights.iter().copied().enumerate().collect();
        return Ok((vec![Sum { name: words.clone(), domain: None, decoding: None, members }], 0));
    };
    let mut sums: Vec<Sum> = Vec::new();
    let mut objective = None;
    let mut wanted = vec![Target::Overall, Target::In, Target::Out];
    if !wanted.contains(of) {
        wanted.push(of.clone());
    }
    for one in [Decoding::Sampled, Decoding::Greedy] {
        for what in &wanted {
            let takes = |target: &TargetRuns| {
                target.decoding == Some(one)
                    && match what {
                        Target::Overall => true,
                        Target::In => target.domain == Some(Domain::InDomain),
                        Target::Out => target.domain == Some(Domain::OutOfDomain),
                        Target::Benchmark(name) => target.name == name.as_str(),
                    }
            };
            let inside: Vec<usize> = (0..targets.len()).filter(|&i| takes(&targets[i])).collect();
            let questions: usize = inside.iter().map(|&i| targets[i].n_questions).sum();
            if inside.is_empty() || questions == 0 {
                continue;
            }
            if (what, one) == (of, *decoding) {
                objective = Some(sums.len());
            }
            let share = |i: usize| targets[i].n_questions as f64 / questions as f64;
            sums.push(Sum {
                name: what.to_string(),
                domain: match what {
                    Target::In => Some(Domain::InDomain),
                    Target::Out => Some(Domain::OutOfDomain),
                    Target::Overall | Target::Benchmark(_) => None,
                },
                decoding: Some(one),
                members: inside.into_iter().map(|i| (i, share(i))).collect(),
            });
        }
    }
    let objective = objective.ok_or_else(|| {
        Error::input(format!("no run was scored on the objective ({})", question.objective))
            .at("table [objective]")
            .hint("choose an aggregate and a decoding that the runs were scored with")
    })?;
    Ok((sums, objective))
}

/// The mixture with the highest mean score, and why not to take it.
fn best_observed(question: &Question, runs: &[Vec<Observation>], weights: &[f64]) -> Best {
    let sum = skill::weighted_observations(runs, weights);
    let mean = |rows: &Vec<usize>| rows.iter().map(|&r| sum[r].score).sum::<f64>() / rows.len() as f64;
    let groups = mixtures(&sum);
    let rows = groups.iter().max_by(|a, b| mean(a).total_cmp(&mean(b))).expect("there are three mixtures");
    Best {
        label: question.runs[rows[0]].label.clone(),
        shares: sum[rows[0]].shares.clone(),
        score: mean(rows),
        n_runs: rows.len(),
        shrunk: f64::NAN,
        note: format!(
            "the highest of {} observed means is partly luck: it overstates that mixture, and picking it is biased",
            groups.len()
        ),
    }
}

/// Shares in proportion to the datasets' rows.
fn natural(question: &Question) -> Option<Vec<f64>> {
    let rows = |name: &Name| Some(*question.supply?.rows.get(name)? as f64);
    let rows: Vec<f64> = question.datasets.iter().map(rows).collect::<Option<_>>()?;
    let sum: f64 = rows.iter().sum();
    (sum > 0.0).then(|| rows.iter().map(|r| r / sum).collect())
}

fn unfit(error: &FitError) -> Error {
    let hint = "finish more runs of different mixtures";
    Error::input(error).at("fitting the predictor").hint(hint)
}

#[cfg(test)]
mod tests;
