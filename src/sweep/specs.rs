//! From a plan to the specs of its runs.

use std::collections::BTreeMap;

use super::plan::{Family, Plan};
use crate::{
    error::{Context, Error, Result},
    mixture::Mixture,
    name::Name,
    run::{self, Budget, Evaluation, Part, RunSpec},
    seed::Seed,
};

/// A mixture to be tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// What it is for, in tables: `uniform`, `exclude_detect`, `design_03`.
    pub label: String,
    /// The shares.
    pub mixture: Mixture,
    /// Runs of it.
    pub replicates: u32,
}

/// What a spec holds beyond the plan.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// The experiment's name.
    pub experiment: &'a Name,
    /// Hash of the base checkpoint's files.
    pub base_hash: &'a str,
    /// The tables of `datasets.toml`, by name.
    pub tables: &'a BTreeMap<Name, toml::Table>,
}

/// The mixtures of a plan's design: its families, then `fill(design, seed)` for each further design; `space_filling` is
/// the first of them.
///
/// A mixture that several families name (with two datasets, one alone is all but the other) is tried once, under the
/// first label.
pub fn points(plan: &Plan, fill: impl Fn(&toml::Table, Seed) -> Result<Vec<Mixture>>) -> Result<Vec<Point>> {
    let design = &plan.design;
    let mut points: Vec<Point> = Vec::new();
    let mut add = |label: String, mixture: Mixture, replicates: u32| match points
        .iter_mut()
        .find(|point| point.mixture == mixture)
    {
        Some(point) => point.replicates = point.replicates.max(replicates),
        None => points.push(Point { label, mixture, replicates }),
    };
    let uniform = Mixture::uniform(&plan.train).input()?;
    let of_uniform = if design.named.contains(&Family::Uniform) { design.replicates } else { 0 };
    if of_uniform + design.centre_replicates > 0 {
        add("uniform".to_owned(), uniform, of_uniform + design.centre_replicates);
    }
    for family in &design.named {
        for one in &plan.train {
            let (label, takes_part): (String, &dyn Fn(&Name) -> bool) = match family {
                Family::Uniform => continue,
                Family::Single => (format!("single_{one}"), &|name| name == one),
                Family::ExcludeOne if plan.train.len() == 1 => continue,
                Family::ExcludeOne => (format!("exclude_{one}"), &|name| name != one),
            };
            add(label, equal_shares(&plan.train, takes_part)?, design.replicates);
        }
    }
    let seed = Seed::new(design.seed).child("design");
    let mut number = 0;
    let mut fill_in = |table: &toml::Table, seed: Seed| -> Result<()> {
        for mixture in fill(table, seed)? {
            number += 1;
            add(format!("design_{number:02}"), mixture, 1);
        }
        Ok(())
    };
    if design.space_filling > 0 {
        let count = toml::Value::from(design.space_filling as i64);
        let name = toml::Value::from("space_filling");
        let table = [("name".to_owned(), name), ("mixtures".to_owned(), count)];
        fill_in(&toml::Table::from_iter(table), seed)?;
    }
    for (i, table) in design.fill.iter().enumerate() {
        fill_in(table, seed.child("fill").child(i))?;
    }
    Ok(points)
}

/// The proxy runs of a plan, replicate by replicate, so that a sweep that is cut short has tried every mixture.
///
/// Replicate r has the same seeds under every mixture: runs are compared in pairs.
pub fn specs(plan: &Plan, sources: Sources, points: &[Point]) -> Result<Vec<RunSpec>> {
    let evaluation = Evaluation {
        part: Part::Selection,
        questions: plan.evaluation.questions,
        completions: plan.evaluation.completions,
        greedy: plan.evaluation.greedy,
    };
    build(plan, sources, points, plan.budget, evaluation, Seed::new(plan.design.seed).child("replicate"))
}

/// The runs that test mixtures against each other: fresh seeds, the plan's `[confirm]` budget, report questions.
///
/// `replicates` of the points are ignored; the plan says how many.
pub fn confirm_specs(plan: &Plan, sources: Sources, points: &[Point]) -> Result<Vec<RunSpec>> {
    let confirm = plan.confirm.ok_or_else(|| {
        Error::input("the plan does not say how to test a mixture")
            .hint("add a table [confirm] with `seeds` and `questions`")
    })?;
    let evaluation = Evaluation {
        part: Part::Report,
        questions: confirm.questions,
        completions: confirm.completions,
        greedy: true,
    };
    let budget = Budget { steps: confirm.steps.unwrap_or(plan.budget.steps), ..plan.budget };
    let points: Vec<Point> =
        points.iter().map(|p| Point { replicates: confirm.seeds, ..p.clone() }).collect();
    build(plan, sources, &points, budget, evaluation, Seed::new(plan.design.seed).child("confirm"))
}

fn build(
    plan: &Plan,
    sources: Sources,
    points: &[Point],
    budget: Budget,
    evaluation: Evaluation,
    seed: Seed,
) -> Result<Vec<RunSpec>> {
    let datasets = tables(&plan.train, "train", sources.tables)?;
    let benchmarks = tables(&plan.benchmarks, "benchmarks", sources.tables)?;
    let most = points.iter().map(|point| point.replicates).max().unwrap_or(0);
    let pairs = (0..most).flat_map(|r| points.iter().filter(move |p| r < p.replicates).map(move |p| (r, p)));
    pairs
        .map(|(replicate, point)| {
            if let Some((unknown, _)) = point.mixture.parts().find(|(name, _)| !datasets.contains_key(*name))
            {
                let known: Vec<&str> = plan.train.iter().map(Name::as_str).collect();
                return Err(Error::input(format!(
                    "the mixture of `{}` names `{unknown}`, which is not among the plan's `train`",
                    point.label
                ))
                .hint(format!("there are `{}`", known.join("`, `"))));
            }
            let seed = seed.child(replicate);
            Ok(RunSpec {
                schema: run::SCHEMA,
                experiment: sources.experiment.clone(),
                label: point.label.clone(),
                base: plan.base.clone(),
                base_hash: sources.base_hash.to_owned(),
                algorithm: plan.algorithm.clone(),
                mixture: point.mixture.clone(),
                changes: Vec::new(),
                draw: plan.draw,
                datasets: datasets.clone(),
                benchmarks: benchmarks.clone(),
                evaluation,
                budget,
                draw_seed: seed.child("draw").bits(),
                seed: seed.child("run").bits(),
            })
        })
        .collect()
}

fn tables(
    names: &[Name],
    key: &str,
    tables: &BTreeMap<Name, toml::Table>,
) -> Result<BTreeMap<Name, toml::Table>> {
    let one = |name: &Name| {
        let table = tables.get(name).ok_or_else(|| {
            let known: Vec<&str> = tables.keys().map(Name::as_str).collect();
            Error::input(format!("no dataset is called `{name}`"))
                .at(format!("plan.toml, key `{key}`"))
                .hint(format!("datasets.toml has `{}`", known.join("`, `")))
        })?;
        Ok((name.clone(), table.clone()))
    };
    names.iter().map(one).collect()
}

/// Equal shares of the datasets that take part, zero of the others: every mixture of a sweep names all datasets.
fn equal_shares(datasets: &[Name], takes_part: impl Fn(&Name) -> bool) -> Result<Mixture> {
    let n = datasets.iter().filter(|name| takes_part(name)).count() as f64;
    let share = |name: &Name| (name.clone(), if takes_part(name) { 1.0 / n } else { 0.0 });
    Mixture::new(&datasets.iter().map(share).collect()).input()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::plan::Confirm;

    #[test]
    fn the_papers_families_of_five_datasets_are_eleven_mixtures_twice() {
        let plan = plan(&["a", "b", "c", "d", "e"], "");
        let points = points(&plan, |_, _| unreachable!()).unwrap();
        assert_eq!(points.len(), 11);
        assert_eq!(points[1].label, "single_a");
        assert_eq!(points[10].mixture.brief(), "a .25 b .25 c .25 d .25");
        let specs = of(&plan, &points);
        assert_eq!(specs.len(), 22);
        // All different runs, the first replicate of every mixture before the second.
        let ids: std::collections::BTreeSet<_> = specs.iter().map(RunSpec::id).collect();
        assert_eq!(ids.len(), 22);
        assert!(specs[..11].iter().all(|s| (s.draw_seed, s.seed) == (specs[0].draw_seed, specs[0].seed)));
        assert!(
            specs[11..]
                .iter()
                .all(|s| s.draw_seed == specs[11].draw_seed && s.draw_seed != specs[0].draw_seed)
        );
    }

    #[test]
    fn a_mixture_that_two_families_name_is_tried_once() {
        let points = points(&plan(&["a", "b"], ""), |_, _| unreachable!()).unwrap();
        assert_eq!(
            points.iter().map(|p| p.label.as_str()).collect::<Vec<_>>(),
            ["uniform", "single_a", "single_b"]
        );
    }

    #[test]
    fn the_centre_is_repeated_and_the_space_filled() {
        let plan =
            plan(&["a", "b"], "[design]\nnamed = [\"uniform\"]\nspace_filling = 1\ncentre_replicates = 3");
        let filled = Mixture::new(&[("a", 0.3), ("b", 0.7)].map(|(n, s)| (name(n), s)).into()).unwrap();
        let points = points(&plan, |design, _| {
            assert_eq!(
                (design["name"].as_str(), design["mixtures"].as_integer()),
                (Some("space_filling"), Some(1))
            );
            Ok(vec![filled.clone()])
        })
        .unwrap();
        let summary: Vec<(&str, u32)> = points.iter().map(|p| (p.label.as_str(), p.replicates)).collect();
        assert_eq!(summary, [("uniform", 5), ("design_01", 1)]);
    }

    #[test]
    fn confirmation_uses_other_seeds_and_the_other_half() {
        let mut plan = plan(&["a", "b"], "");
        let points = points(&plan, |_, _| unreachable!()).unwrap();
        plan.confirm = Some(Confirm { seeds: 5, steps: Some(80), questions: 300, completions: 4 });
        let sweep = of(&plan, &points);
        let tables = table_of(&["a", "b", "bench"]);
        let confirm = confirm_specs(&plan, sources(&tables, &name("test")), &points[..2]).unwrap();
        assert_eq!(
            (confirm.len(), confirm[0].budget.steps, confirm[0].evaluation.part),
            (10, 80, Part::Report)
        );
        assert!(confirm.iter().all(|c| sweep.iter().all(|s| s.draw_seed != c.draw_seed && s.seed != c.seed)));
    }

    #[test]
    fn an_unknown_dataset_is_named_with_those_there_are() {
        let plan = plan(&["a", "b"], "");
        let tables = table_of(&["a", "bench"]);
        let error = specs(&plan, sources(&tables, &name("test")), &[]).unwrap_err().to_string();
        let expected =
            "no dataset is called `b`\n  in plan.toml, key `train`\nhint: datasets.toml has `a`, `bench`";
        assert_eq!(error, expected);
    }

    fn of(plan: &Plan, points: &[Point]) -> Vec<RunSpec> {
        let mut names: Vec<&str> = plan.train.iter().map(Name::as_str).collect();
        names.push("bench");
        specs(plan, sources(&table_of(&names), &name("test")), points).unwrap()
    }

    fn plan(train: &[&str], more: &str) -> Plan {
        let text = format!(
            "schema = 1\nbase = \"nano\"\ntrain = {train:?}\nbenchmarks = [\"bench\"]\n[algorithm]\nname = \"grpo\"\n\
             [budget]\nsteps = 4\nprompts_per_step = 2\n[evaluation]\nquestions = 10\n{more}"
        );
        Plan::parse(&text, "plan.toml").unwrap()
    }

    fn sources<'a>(tables: &'a BTreeMap<Name, toml::Table>, experiment: &'a Name) -> Sources<'a> {
        Sources { experiment, base_hash: "00", tables }
    }

    fn table_of(names: &[&str]) -> BTreeMap<Name, toml::Table> {
        names.iter().map(|n| (name(n), toml::Table::new())).collect()
    }

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }
}
