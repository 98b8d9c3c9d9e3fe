//! From finished runs to a decision: how strong the signal is, whether a predictor may be believed, which mixture to
//! train on, what to run next.
//!
//! Benchmarks are predicted one by one and weighed afterwards, so that every aggregate and both decodings are judged
//! from the same fits; one of them, the objective, decides.

mod prediction;
mod screen;
mod targets;

pub use prediction::{
    Best, Heuristic, LeftOut, Next, Outlier, Prediction, Proposed, RunPoint, SCHEMA, Score, TargetAt,
    decimals, mixture_file,
};
pub use screen::{Screened, same_run, screen};
pub use targets::{Chosen, TargetRuns, from_ledger, protocols};

use crate::{
    error::{Error, Result},
    ledger::Target,
    mixture::constraint::{Constraints, Supply},
    name::Name,
    optimize::{
        Optimizer, Surface, default_optimizer,
        goal::{Aim, Goal, Guardrail, Rail, Than},
        heuristics::{self, Record},
        next_runs::{Batch, Wanted, next_runs},
        proposal::{self, propose},
    },
    predict::{
        FitError, Method, Observation, Prediction as Expected, Predictor, by_name, mixtures,
        skill::{self, Assessment, Judged, Skill, Verdict},
        spread,
        two_fidelity::{self, TwoFidelities},
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
    /// Runs that are not among them, and why.
    pub left_out: Vec<LeftOut>,
    /// What was measured: every benchmark with every decoding.
    pub targets: Vec<TargetRuns>,
    /// What is to be made as large as possible.
    pub objective: Objective,
    /// What must not get worse.
    pub guardrails: Vec<Rail>,
    /// What the proposal must keep to.
    pub constraints: &'a Constraints,
    /// How much there is of each dataset and how much will be drawn; needed where the passes are limited and where the
    /// constraints do not say it.
    pub supply: Option<&'a Supply>,
    /// Name and settings of the predictor.
    pub predictor: &'a toml::Table,
    /// What cheaper runs say of every target: then these predict, with what they leave of the runs.
    pub low: Option<&'a TwoFidelities>,
    /// How the proposal is searched for.
    pub optimizer: &'a dyn Optimizer,
    /// Shufflings behind the chance of every skill, see [`skill::Settings`].
    pub n_permutations: usize,
    /// How many runs to suggest next, and how they are kept apart.
    pub next: (Batch, usize),
    /// Shares of mixtures that are going to be run whatever is decided, in the order of `datasets`.
    pub pending: Vec<Vec<f64>>,
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
    /// The smallest of several gains over uniform shares, each in standard deviations of its target over the runs.
    /// Targets without a signal have no gain to compare and are left out, with a note.
    Worst {
        /// What it is, in words.
        words: String,
        /// One per target; negative to minimise, 0 for targets that are only shown.
        weights: Vec<f64>,
    },
}

impl std::fmt::Display for Objective {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Aggregate { of, decoding } => write!(f, "{of}, {}", decoding.word()),
            Self::Weighted { words, .. } | Self::Worst { words, .. } => f.write_str(words),
        }
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

/// Judges every target and aggregate, and proposes a mixture where the objective's skill carries it.
///
/// At least three different mixtures are needed; with exactly three the mean predicts, since a surface cannot be
/// judged. The same question has the same answer.
pub fn decide(question: &Question) -> Result<Prediction> {
    let targets = &question.targets;
    check(question)?;
    let observations: Vec<Vec<Observation>> = targets.iter().map(|t| t.observations.clone()).collect();
    let n_mixtures = mixtures(&observations[0]).len();
    let mut notes = Vec::new();
    let (mut predictor, mut method) = method(question.predictor)?;
    let mut low = question.low;
    if low.is_some() {
        two_fidelity::NAME.clone_into(&mut predictor);
    }
    if n_mixtures == 3 && predictor != "mean" {
        notes.push(format!(
            "three mixtures are too few to judge `{predictor}` on one left out: the mean stands in for it"
        ));
        "mean".clone_into(&mut predictor);
        (method, low) = (by_name("mean").map_err(Error::failed)?, None);
    }
    // Of some of the targets: cheap runs belong to one each.
    let learns = |of: &[usize]| -> Box<dyn Method + '_> {
        match low {
            Some(low) => Box::new(low.only(of)),
            None => Box::new(Borrowed(method.as_ref())),
        }
    };
    let all: Vec<usize> = (0..targets.len()).collect();
    let supply = question.constraints.supply();
    let supply = supply.as_ref().or(question.supply);
    if question.constraints.max_passes.is_some() && supply.is_none_or(|supply| supply.total_groups == 0) {
        return Err(Error::input("`max_passes` needs to know the sizes of the datasets and of the run")
            .at("table [constraints]")
            .hint("add `rows = { NAME = 5000, … }` and `total_groups = 16000`"));
    }
    let region = question
        .constraints
        .region(question.datasets, supply)
        .map_err(|error| Error::input(error).at("table [constraints]"))?;
    let seed = Seed::new(question.seed).child("decide");
    let settings =
        skill::Settings { n_permutations: question.n_permutations, seed, ..skill::Settings::default() };

    // One fit of every target, and of its shufflings, from which every sum is judged.
    let (mut sums, objective) = sums(question)?;
    let of_sums: Vec<Vec<f64>> = sums.iter().map(|sum| sum.weights(targets.len())).collect();
    let judged = judge(learns(&all).as_ref(), &observations, &of_sums, &settings).map_err(|e| unfit(&e))?;
    let of_targets: Vec<Skill> = (0..targets.len()).map(|i| judged.target(i)).collect();
    if let Objective::Worst { .. } = question.objective {
        notes.extend(sums[objective].without_signal(targets, &of_targets));
        notes.push("next runs are chosen for the mean of these scores".to_owned());
    }
    let skills: Vec<Skill> = sums.iter().map(|sum| judged.sum(&sum.weights(targets.len()))).collect();

    // All targets of the objective's decoding are predicted at the proposal; those outside it weigh nothing.
    let shown: Vec<usize> =
        (0..targets.len()).filter(|&i| targets[i].decoding == sums[objective].decoding).collect();
    let place = |i: usize| shown.iter().position(|&shown| shown == i);
    let weight =
        |i: usize| sums[objective].members.iter().find(|member| member.0 == i).map_or(0.0, |member| member.1);
    let weights: Vec<f64> = shown.iter().map(|&i| weight(i)).collect();
    let runs: Vec<Vec<Observation>> = shown.iter().map(|&i| observations[i].clone()).collect();
    let of_shown = learns(&shown);
    let surface = Surface::fit(of_shown.as_ref(), &runs, &weights).map_err(|error| unfit(&error))?;
    let assessment = Assessment {
        targets: shown.iter().map(|&i| of_targets[i].clone()).collect(),
        objective: skills[objective].clone(),
    };
    let mut best = best_observed(question, &runs, &weights);
    best.shrunk = surface.mean(&best.shares);
    let natural = natural(question.datasets, supply);
    let uniform = vec![1.0 / question.datasets.len() as f64; question.datasets.len()];
    let reference = |than: Than| match than {
        Than::Uniform => Ok(uniform.clone()),
        Than::Best => Ok(best.shares.clone()),
        Than::Natural => natural.clone().ok_or_else(|| {
            Error::input("natural shares are not known")
                .hint("add `rows = { NAME = 5000, … }` to the constraints")
        }),
    };
    let rail = |rail: &Rail| -> Result<Guardrail> {
        let members = guarded(rail, &sums, targets, &shown)?;
        let weights = Sum::weights_of(&members, targets.len());
        let sum = skill::weighted_observations(&observations, &weights);
        Ok(Guardrail {
            name: rail.score.clone(),
            members: members.into_iter().filter_map(|(i, w)| Some((place(i)?, w))).collect(),
            within: rail.within,
            chance: rail.chance,
            than: reference(rail.than)?,
            than_words: rail.than.to_string(),
            skill: judged.sum(&weights),
            unit: spread(&sum),
        })
    };
    let guardrails = question.guardrails.iter().map(|one| rail(one).map_err(|error| error.at("a guardrail")));
    let goal = Goal {
        aim: match question.objective {
            Objective::Worst { .. } => Aim::Worst {
                // The sum is the mean of what the worst is of.
                members: (sums[objective].members.iter())
                    .filter_map(|&(i, weight)| {
                        Some((place(i)?, weight * sums[objective].members.len() as f64))
                    })
                    .collect(),
                over: uniform.clone(),
            },
            _ => Aim::Sum,
        },
        guardrails: guardrails.collect::<Result<_>>()?,
    };
    let how = proposal::Settings { optimizer: question.optimizer, goal: &goal, seed: seed.child("propose") };
    let mut proposal = propose(&surface, &assessment, &runs[0], &region, &how);
    let skill = &assessment.objective;
    // What a predictor without skill says of single mixtures is luck: the mean of all runs is all that is known.
    let flat = if skill.verdict == Verdict::NoSignal {
        let mean = by_name("mean").map_err(Error::failed)?;
        Some(Surface::fit(mean.as_ref(), &runs, &weights).map_err(|error| unfit(&error))?)
    } else {
        None
    };
    if let Some(flat) = &flat {
        proposal.expect(&flat.predict(&proposal.shares), skill);
        best.shrunk = proposal.uniform;
    }
    if skill.verdict == Verdict::Signal {
        notes.push(
            "the best of many mixtures by the same predictions is flattered: fresh runs decide".to_owned(),
        );
    }
    for (i, predictor) in shown.iter().zip(surface.predictors()) {
        notes.extend(predictor.notes().into_iter().map(|note| format!("{}: {note}", targets[*i].name)));
    }
    let outliers = outliers(question, &|i| learns(&[i]), &shown, &of_targets).map_err(|e| unfit(&e))?;
    notes.extend(outliers.iter().take(OUTLIERS_SHOWN).map(Outlier::sentence));
    if outliers.len() > OUTLIERS_SHOWN {
        notes.push(format!("{} more scores lie as far off", outliers.len() - OUTLIERS_SHOWN));
    }
    let p_beats = |other: &[f64]| {
        if proposal.shares == other || skill.verdict == Verdict::NoSignal {
            return 0.5;
        }
        let gain = surface.difference(&proposal.shares, other);
        skill.chance_above_zero(gain.mean, gain.sd)
    };
    let p_beats_best_observed = p_beats(&best.shares);
    let p_beats_natural = natural.as_deref().map(p_beats);
    // The paper's search has no runs to choose.
    let climbing = default_optimizer();
    let wanted = Wanted {
        method: of_shown.as_ref(),
        targets: &runs,
        weights: &weights,
        guardrails: &goal.guardrails,
        pending: &question.pending,
        region: &region,
        optimizer: climbing.as_ref(),
        seed: seed.child("next"),
    };
    let (batch, count) = question.next;
    let next = next_runs(&wanted, batch, count).map_err(|error| unfit(&error))?;

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
    let heuristics = heuristics(&sums, objective, &observations)
        .into_iter()
        .map(|(rule, shares)| {
            // Without a signal the same of every mixture.
            let predicted = if flat.is_some() {
                proposal.predicted
            } else {
                let one = surface.predict(&shares);
                proposal::interval(skill, one.mean, one.sd)
            };
            Heuristic { rule: rule.to_owned(), shares, predicted }
        })
        .collect();
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
        heuristics,
        aggregates,
        targets: of_targets.into_iter().enumerate().map(|(i, skill)| score(i, skill)).collect(),
        runs: question.runs.clone(),
        left_out: question.left_out.clone(),
        outliers,
        notes,
    })
}

/// A method that belongs to somebody else.
struct Borrowed<'a>(&'a dyn Method);

impl Method for Borrowed<'_> {
    fn fit(&self, runs: &[Observation]) -> std::result::Result<Box<dyn Predictor>, FitError> {
        self.0.fit(runs)
    }

    fn fit_all(
        &self,
        targets: &[Vec<Observation>],
    ) -> std::result::Result<Vec<Box<dyn Predictor>>, FitError> {
        self.0.fit_all(targets)
    }
}

/// With more datasets than this a fit takes several times as long, and there are a quarter as many shufflings: the
/// smallest chance is .02.
const WIDE: usize = 64;

/// [`Judged::new`], made affordable for tables of hundreds of mixtures: there the chance of a skill comes from its
/// rank correlation and not from shufflings, of which each costs a fit of every target.
pub fn judge(
    method: &dyn Method,
    targets: &[Vec<Observation>],
    sums: &[Vec<f64>],
    settings: &skill::Settings,
) -> Result<Judged, FitError> {
    let n_mixtures = targets.first().map_or(0, |runs| mixtures(runs).len());
    let d = targets.first().and_then(|runs| runs.first()).map_or(0, |run| run.shares.len());
    let n_permutations = match settings.n_permutations {
        _ if n_mixtures > settings.refit_up_to => 0,
        n if d > WIDE => n.div_ceil(4),
        n => n,
    };
    Judged::new(method, targets, sums, &skill::Settings { n_permutations, ..*settings })
}

/// Outliers that are told of one by one.
const OUTLIERS_SHOWN: usize = 5;

/// Scores that lie this many standard deviations from what the other mixtures predict, by the spread that most runs
/// have, are flagged: one of 16 000 by chance where errors are normal.
const FAR: f64 = 4.0;

/// The scores of each shown target that do not fit the others, the furthest first. An outlier spoils what is predicted
/// of its neighbours: each is taken out before the next is looked for.
fn outliers<'a>(
    question: &Question,
    learns: &dyn Fn(usize) -> Box<dyn Method + 'a>,
    shown: &[usize],
    skills: &[Skill],
) -> Result<Vec<Outlier>, FitError> {
    const PER_TARGET: usize = 5;
    let mut all = Vec::new();
    for &i in shown {
        let mut rows: Vec<usize> = (0..question.runs.len()).collect();
        let mut predicted: Vec<_> = skills[i].held_out.iter().map(|held| held.predicted).collect();
        let runs = &question.targets[i].observations;
        while let Some((place, deviations)) = furthest(runs, &rows, &predicted) {
            let row = rows[place];
            all.push(Outlier {
                run: question.runs[row].run.clone(),
                label: question.runs[row].label.clone(),
                target: question.targets[i].name.clone(),
                observed: runs[row].score,
                expected: predicted[place].mean,
                deviations,
            });
            rows.remove(place);
            if rows.len() + PER_TARGET == runs.len() {
                break;
            }
            let rest: Vec<Observation> = rows.iter().map(|&row| runs[row].clone()).collect();
            match learns(i).fit(&rest) {
                Ok(fitted) => predicted = fitted.held_out(),
                Err(FitError::TooFew { .. }) => break,
                Err(error) => return Err(error),
            }
        }
    }
    all.sort_by(|a, b| b.deviations.abs().total_cmp(&a.deviations.abs()));
    Ok(all)
}

/// The run whose score is furthest from what is predicted of it, where it is too far: its place in `rows`, and how far.
fn furthest(runs: &[Observation], rows: &[usize], predicted: &[Expected]) -> Option<(usize, f64)> {
    let off = |(&row, predicted): (&usize, &Expected)| {
        let sd = predicted.run_sd();
        if sd > 0.0 { (runs[row].score - predicted.mean) / sd } else { 0.0 }
    };
    let z: Vec<f64> = rows.iter().zip(predicted).map(off).collect();
    let mut sizes: Vec<f64> = z.iter().map(|z| z.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    // The median of |z| is .674 standard deviations; an outlier hardly moves it. Standard deviations that are too large
    // for most runs are not made smaller.
    let typical = (sizes[sizes.len() / 2] / 0.674).max(1.0);
    let place = (0..z.len()).max_by(|&a, &b| z[a].abs().total_cmp(&z[b].abs()))?;
    (z[place].abs() / typical > FAR).then(|| (place, z[place] / typical))
}

/// The paper's rules, where runs have an In-Score and an Out-Score of the objective's decoding and mixtures of equal
/// shares were tried: name and shares of each that they are enough for.
fn heuristics(
    sums: &[Sum],
    objective: usize,
    observations: &[Vec<Observation>],
) -> Vec<(&'static str, Vec<f64>)> {
    let scores = |domain: Domain| -> Option<Vec<Observation>> {
        let of = |sum: &&Sum| sum.domain == Some(domain) && sum.decoding == sums[objective].decoding;
        let sum = sums.iter().find(of)?;
        Some(skill::weighted_observations(observations, &sum.weights(observations.len())))
    };
    let (Some(inside), Some(outside)) = (scores(Domain::InDomain), scores(Domain::OutOfDomain)) else {
        return Vec::new();
    };
    let mut records = Vec::new();
    for rows in mixtures(&inside) {
        let shares = &inside[rows[0]].shares;
        let uses: Vec<bool> = shares.iter().map(|share| *share > 1e-6).collect();
        let each = 1.0 / uses.iter().filter(|used| **used).count() as f64;
        if shares.iter().zip(&uses).any(|(share, used)| *used && (share - each).abs() > 1e-4) {
            continue;
        }
        let mean =
            |runs: &[Observation]| rows.iter().map(|&row| runs[row].score).sum::<f64>() / rows.len() as f64;
        records.push(Record { uses, in_score: mean(&inside), out_score: mean(&outside) });
    }
    let rules = [
        ("alpha_in", heuristics::alpha_family(&records, 1.0, 1.0)),
        ("alpha_out", heuristics::alpha_family(&records, 0.0, 1.0)),
        ("alpha_balanced", heuristics::alpha_family(&records, 0.5, 1.0)),
        ("coli", heuristics::coli(&records)),
        ("norm", heuristics::norm(&records)),
    ];
    rules.into_iter().filter_map(|(rule, shares)| Some((rule, shares?))).collect()
}

/// Targets in a guardrail, with their weights.
fn guarded(rail: &Rail, sums: &[Sum], targets: &[TargetRuns], shown: &[usize]) -> Result<Vec<(usize, f64)>> {
    rail.check().map_err(Error::input)?;
    let sign = if rail.minimize { -1.0 } else { 1.0 };
    if let Some(&i) = shown.iter().find(|&&i| targets[i].name == rail.score) {
        return Ok(vec![(i, sign)]);
    }
    let decoding = targets[shown[0]].decoding;
    let sum =
        sums.iter().find(|sum| sum.decoding.is_some() && sum.decoding == decoding && sum.name == rail.score);
    if let Some(sum) = sum {
        return Ok(sum.members.iter().map(|(i, weight)| (*i, sign * weight)).collect());
    }
    let known =
        sums.iter().filter(|sum| sum.decoding.is_some() && sum.decoding == decoding).map(|s| s.name.as_str());
    let known: Vec<&str> = shown.iter().map(|&i| targets[i].name.as_str()).chain(known).take(30).collect();
    Err(Error::input(format!("nothing that was scored is called `{}`", rail.score))
        .hint(format!("there are `{}`", known.join("`, `"))))
}

/// What tables call a sum that is no aggregate.
const OBJECTIVE: &str = "objective";

/// A weighted sum of targets that is judged as one.
struct Sum {
    name: String,
    domain: Option<Domain>,
    decoding: Option<Decoding>,
    /// Targets in it, with their weights.
    members: Vec<(usize, f64)>,
}

impl Sum {
    /// One weight per target.
    fn weights(&self, n_targets: usize) -> Vec<f64> {
        Self::weights_of(&self.members, n_targets)
    }

    fn weights_of(members: &[(usize, f64)], n_targets: usize) -> Vec<f64> {
        let mut weights = vec![0.0; n_targets];
        for (i, weight) in members {
            weights[*i] += weight;
        }
        weights
    }

    /// Leaves out members without a signal, unless none has any; gives what has to be said of it.
    fn without_signal(&mut self, targets: &[TargetRuns], skills: &[Skill]) -> Option<String> {
        let has_signal = |&(i, _): &(usize, f64)| skills[i].verdict == Verdict::Signal;
        if self.members.iter().all(has_signal) || !self.members.iter().any(has_signal) {
            return None;
        }
        let silent: Vec<&str> = (self.members.iter().filter(|member| !has_signal(member)))
            .map(|(i, _)| targets[*i].name.as_str())
            .collect();
        let note = format!(
            "no signal in `{}`: left out of the worst case, as no gain or loss can be told there",
            silent.join("`, `")
        );
        let before = self.members.len() as f64;
        self.members.retain(has_signal);
        // It stays a mean.
        let scale = before / self.members.len() as f64;
        self.members.iter_mut().for_each(|(_, weight)| *weight *= scale);
        Some(note)
    }
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
        let mixtures = if n == 1 { "1 mixture".to_owned() } else { format!("{n} different mixtures") };
        return few(if runs == 1 {
            format!("1 finished run of {mixtures} is too few to decide on")
        } else {
            format!("{runs} finished runs of {mixtures} are too few to decide on")
        });
    }
    Ok(())
}

/// Every aggregate of every decoding, and any other objective; and which of them is the objective.
fn sums(question: &Question) -> Result<(Vec<Sum>, usize)> {
    let targets = &question.targets;
    let mut sums: Vec<Sum> = Vec::new();
    let mut wanted = vec![Target::Overall, Target::In, Target::Out];
    if let Objective::Aggregate { of, .. } = &question.objective
        && !wanted.contains(of)
    {
        wanted.push(of.clone());
    }
    let mut objective = None;
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
            if matches!(&question.objective, Objective::Aggregate { of, decoding } if (what, one) == (of, *decoding))
            {
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
    // In a table the two scores that the paper's rules need may be named.
    for domain in [Domain::InDomain, Domain::OutOfDomain] {
        let inside = |&i: &usize| targets[i].decoding.is_none() && targets[i].domain == Some(domain);
        let members: Vec<(usize, f64)> = (0..targets.len()).filter(inside).map(|i| (i, 1.0)).collect();
        if !members.is_empty() {
            let name = if domain == Domain::InDomain { Target::In } else { Target::Out }.to_string();
            sums.push(Sum { name, domain: Some(domain), decoding: None, members });
        }
    }
    let weights = match &question.objective {
        Objective::Weighted { weights, .. } | Objective::Worst { weights, .. } => weights,
        Objective::Aggregate { .. } => {
            let objective = objective.ok_or_else(|| {
                Error::input(format!("no run was scored on the objective ({})", question.objective))
                    .at("table [objective]")
                    .hint("choose an aggregate and a decoding that the runs were scored with")
            })?;
            return Ok((sums, objective));
        }
    };
    if weights.len() != targets.len() || weights.iter().any(|w| !w.is_finite()) {
        return Err(Error::input("the objective needs one number per target"));
    }
    let mut members: Vec<(usize, f64)> =
        weights.iter().copied().enumerate().filter(|(_, weight)| *weight != 0.0).collect();
    if members.is_empty() {
        return Err(Error::input("every weight of the objective is 0"));
    }
    if let Objective::Worst { .. } = question.objective {
        let n = members.len() as f64;
        for (i, weight) in &mut members {
            *weight /= spread(&targets[*i].observations) * n;
        }
    }
    let decoding = targets[members[0].0].decoding;
    sums.push(Sum { name: OBJECTIVE.to_owned(), domain: None, decoding, members });
    let objective = sums.len() - 1;
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
fn natural(datasets: &[Name], supply: Option<&Supply>) -> Option<Vec<f64>> {
    let rows = |name: &Name| Some(*supply?.rows.get(name)? as f64);
    let rows: Vec<f64> = datasets.iter().map(rows).collect::<Option<_>>()?;
    let sum: f64 = rows.iter().sum();
    (sum > 0.0).then(|| rows.iter().map(|r| r / sum).collect())
}

fn unfit(error: &FitError) -> Error {
    let hint = "finish more runs of different mixtures";
    Error::input(error).at("fitting the predictor").hint(hint)
}

#[cfg(test)]
mod tests;
