//! `modo predict --mixtures A --scores B`: any table of shares and scores.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use polars::prelude::{
    AnyValue, CsvReadOptions, DataFrame, DataType, JsonFormat, JsonReader, ParquetReader, PolarsResult,
    SerReader,
};
use rayon::prelude::*;
use serde::Serialize;

use super::{Args, PERMUTATIONS, PREDICTION, only_name, show, words};
use crate::{
    cli::{printer::Printer, report},
    decide::{self, LeftOut, Objective, Question, RunPoint, Score, TargetRuns, decide, judge},
    error::{Context as _, Error, Result},
    name::Name,
    optimize::{goal::Rail, hull, proposal::COVERAGE},
    predict::{
        DEFAULT, Method, Observation, PROPOSER, Predictor, mixtures,
        skill::{self, Calibration, Verdict},
        two_fidelity::TwoFidelities,
    },
    run::Domain,
    store,
};

/// How far the sum of a row's shares may be from 1: three-digit shares of many datasets round that far.
const SUM_TOLERANCE: f64 = 0.01;

/// A table larger than this is not one of runs: reading one takes several times its size in memory.
const MAX_BYTES: u64 = 128 << 20;

/// Share of the budget spent outside the mixtures tried from which a prediction is called far off.
const FAR_OUTSIDE: f64 = 0.1;

/// Numbers of this size or more are refused: their squares have no place in a float.
const LARGEST: f64 = 1e100;

/// Endings of tables that are not CSV.
const BINARY_OR_JSON: [&str; 4] = ["parquet", "jsonl", "ndjson", "json"];

/// More runs than this are more than any predictor here takes: processes need the square of their number in memory.
const MAX_RUNS: usize = 10_000;

/// Refuses to write over a table that is read.
fn check_written(args: &Args) -> Result<()> {
    let read =
        [&args.mixtures, &args.scores, &args.at, &args.low_mixtures, &args.low_scores, &args.constraints];
    let real = |path: &Path| path.canonicalize().ok();
    for (written, option) in [(&args.out, "--out"), (&args.report, "--report")] {
        let Some(path) = written.as_deref().and_then(real) else { continue };
        if read.into_iter().flatten().any(|one| real(one) == Some(path.clone())) {
            return Err(Error::input("it would be written over a file that is read")
                .at(format!("option `{option} {}`", path.display()))
                .hint("give another name"));
        }
    }
    Ok(())
}

pub(super) fn run(args: &Args, mixtures: &Path, scores: &Path, printer: &mut Printer) -> Result<()> {
    check_written(args)?;
    let table = Table::read(scores)?;
    let is_score = |name: &str| table.has(name);
    let aims = args.aims(is_score)?;
    let rails = args.rails(&aims, is_score)?;
    let mut wanted: Vec<String> = aims.iter().map(|(name, _)| name.clone()).collect();
    // Guarded scores and those of the paper's rules are read beside what is aimed at, and weigh nothing.
    if !wanted.is_empty() {
        let guarded = rails.iter().map(|rail| &rail.score);
        for name in guarded.chain(&args.in_score).chain(&args.out_score) {
            if !wanted.contains(name) {
                wanted.push(name.clone());
            }
        }
    }
    let columns = Columns {
        id: args.id.as_deref(),
        wanted: &wanted,
        budget: args.budget.as_deref(),
        without: Some(&args.without),
        questions: &args.questions,
    };
    let joined = Joined::join(columns, Table::read(mixtures)?, table, printer)?;
    match &args.at {
        Some(at) => predict_at(args, &joined, at, printer),
        None => propose(args, &joined, &aims, rails, [mixtures, scores], printer),
    }
}

/// Which columns and rows of the tables are meant.
#[derive(Clone, Copy)]
pub(in crate::cli) struct Columns<'a> {
    pub(in crate::cli) id: Option<&'a str>,
    /// Scores to read; all where there is none.
    pub(in crate::cli) wanted: &'a [String],
    /// Says how long a run trained.
    pub(in crate::cli) budget: Option<&'a str>,
    /// Rows to leave out; none where the command has no such option.
    pub(in crate::cli) without: Option<&'a [String]>,
    /// Questions behind the scores: `N` or `NAME=N`.
    pub(in crate::cli) questions: &'a [String],
}

/// Two tables joined: one row per run.
pub(in crate::cli) struct Joined {
    /// Columns with shares, in the table's order.
    datasets: Vec<String>,
    ids: Vec<String>,
    id_column: String,
    /// `[run][dataset]`, each summing to 1.
    shares: Vec<Vec<f64>>,
    /// Column and its `[run]` scores.
    targets: Vec<(String, Vec<f64>)>,
    /// Questions behind each of them; 0 where it is not known.
    n_questions: Vec<usize>,
    /// Rows of both tables that are not used.
    left_out: Vec<LeftOut>,
    /// Hash of both files.
    hash: String,
}

impl Joined {
    pub(in crate::cli) fn read(
        args: Columns,
        mixtures: &Path,
        scores: &Path,
        printer: &Printer,
    ) -> Result<Self> {
        Self::join(args, Table::read(mixtures)?, Table::read(scores)?, printer)
    }

    fn join(args: Columns, a: Table, b: Table, printer: &Printer) -> Result<Self> {
        let id_column = match args.id {
            Some(id) => id.to_owned(),
            None => a
                .names()
                .find(|name| b.has(name))
                .ok_or_else(|| {
                    Error::input(format!("{} and {} have no column in common", a.place, b.place)).hint(
                        "give both a column that says which score belongs to which mixture, `--id COLUMN`",
                    )
                })?
                .to_owned(),
        };
        let (a_ids, b_ids) = (a.ids(&id_column)?, b.ids(&id_column)?);
        let b_row: BTreeMap<&str, usize> =
            b_ids.iter().enumerate().map(|(row, id)| (id.as_str(), row)).collect();
        let mut a_rows: Vec<usize> =
            (0..a_ids.len()).filter(|&row| b_row.contains_key(a_ids[row].as_str())).collect();
        if a_rows.is_empty() {
            return Err(Error::input(format!("no value of column `{id_column}` is in both tables"))
                .at(format!("{} and {}", a.place, b.place))
                .hint(format!(
                    "`--id COLUMN` names another column to join by; {} has `{}`, {} has `{}`",
                    a.place, a_ids[0], b.place, b_ids[0]
                )));
        }
        let alone = a_ids.len() + b_ids.len() - 2 * a_rows.len();
        if alone > 0 {
            printer.note(format!("note: {alone} rows are in one table only and are left out"));
        }
        let left_out = screen(args, &a, &b, &a_ids, &b_row, &mut a_rows)?;
        for reason in left_out.iter().map(|one| &one.why).collect::<BTreeSet<_>>() {
            let of: Vec<&str> =
                left_out.iter().filter(|one| one.why == *reason).map(|one| one.run.as_str()).collect();
            let shown = of.iter().take(6).copied().collect::<Vec<_>>().join(", ");
            let more = if of.len() > 6 { ", …" } else { "" };
            printer.note(format!("note: {} rows are left out ({shown}{more}): {reason}", of.len()));
        }
        if a_rows.len() > MAX_RUNS {
            return Err(Error::input(format!(
                "there are {} runs; {MAX_RUNS} are the most that can be used",
                a_rows.len()
            ))
            .at(&a.place)
            .hint("give a sample of the rows"));
        }
        let b_rows: Vec<usize> = a_rows.iter().map(|&row| b_row[a_ids[row].as_str()]).collect();

        let is_share = |name: &str| !b.has(name) && name != id_column && args.budget != Some(name);
        let leave_out = args.without.is_some();
        let datasets = a.numeric(is_share, &a_ids, &a_rows, Cells::Shares, leave_out, printer)?;
        if datasets.len() < 2 {
            return Err(Error::input(format!(
                "columns of shares: {}; at least two are needed",
                datasets.len()
            ))
            .at(&a.place)
            .hint("a share is a column of numbers that the table of scores does not have"));
        }
        let mut shares: Vec<Vec<f64>> =
            (0..a_rows.len()).map(|run| datasets.iter().map(|(_, values)| values[run]).collect()).collect();
        let ids: Vec<String> = a_rows.iter().map(|&row| a_ids[row].clone()).collect();
        let names: Vec<String> = datasets.into_iter().map(|(name, _)| name).collect();
        renormalise(&mut shares, &ids, &names, &a.place, printer)?;

        let named = args.wanted;
        if let Some(missing) = named.iter().find(|name| !b.has(name)) {
            return Err(b.missing(missing));
        }
        let wanted = |name: &str| {
            if named.is_empty() {
                !a.has(name) && name != id_column && args.budget != Some(name)
            } else {
                named.iter().any(|n| *n == name)
            }
        };
        let targets = b.numeric(wanted, &b_ids, &b_rows, Cells::Scores, leave_out, printer)?;
        if let Some(words) = named.iter().find(|name| !targets.iter().any(|(target, _)| target == *name)) {
            return Err(Error::input(format!("column `{words}` holds no numbers")).at(&b.place));
        }
        if targets.is_empty() {
            return Err(Error::input("there is no column of scores")
                .at(&b.place)
                .hint("a target is a column of numbers that the table of mixtures does not have"));
        }
        let n_questions = questions(args.questions, &targets, &ids)?;
        let hash = store::short_hash(format!("{} {}", a.hash, b.hash).as_bytes());
        Ok(Self { datasets: names, ids, id_column, shares, targets, n_questions, left_out, hash })
    }

    /// Leaves out targets that are the same in all runs: nothing orders mixtures by them.
    pub(in crate::cli) fn drop_constant_targets(&mut self, printer: &Printer) -> Result<()> {
        let all = std::mem::take(&mut self.targets).into_iter().zip(std::mem::take(&mut self.n_questions));
        let (same, differing) =
            all.partition::<Vec<_>, _>(|((_, scores), _)| scores.iter().all(|score| *score == scores[0]));
        (self.targets, self.n_questions) = differing.into_iter().unzip();
        for ((name, _), _) in same {
            printer.note(format!("note: `{name}` is the same in all runs, and left out"));
        }
        if self.targets.is_empty() {
            return Err(Error::input("every score is the same in all runs").at("option `--scores`"));
        }
        Ok(())
    }

    /// Every target's runs. Where the number of questions is known and no mixture was repeated, with the variance of so
    /// many answers; repetitions tell the noise themselves, as all runs answer the same questions.
    pub(in crate::cli) fn observations(&self) -> Vec<Vec<Observation>> {
        let of = |((_, scores), n): (&(String, Vec<f64>), &usize)| -> Vec<Observation> {
            let one = |(shares, score): (&Vec<f64>, &f64)| Observation {
                shares: shares.clone(),
                score: *score,
                noise_variance: (*n > 0).then(|| answer_variance(*score, *n)),
            };
            let mut runs: Vec<Observation> = self.shares.iter().zip(scores).map(one).collect();
            if mixtures(&runs).len() < runs.len() {
                for run in &mut runs {
                    run.noise_variance = None;
                }
            }
            runs
        };
        self.targets.iter().zip(&self.n_questions).map(of).collect()
    }
}

impl Joined {
    /// What cheaper runs of the same datasets, in two tables, say about every target; says how much transfers.
    pub(in crate::cli) fn low_fidelity(
        &self,
        id: Option<&str>,
        budget: Option<&str>,
        [mixtures, scores]: [&Path; 2],
        printer: &Printer,
    ) -> Result<TwoFidelities> {
        let wanted: Vec<String> = self.targets.iter().map(|(name, _)| name.clone()).collect();
        let columns = Columns { id, wanted: &wanted, budget, without: None, questions: &[] };
        let low = Self::read(columns, mixtures, scores, printer)?;
        if low.datasets != self.datasets {
            return Err(Error::input("the cheaper runs have other datasets, or in another order")
                .at(mixtures.display())
                .hint(format!("the columns of shares must be `{}`", self.datasets.join("`, `"))));
        }
        let all = low.observations();
        let of = |name: &String| {
            let found = low.targets.iter().position(|(other, _)| other == name);
            all[found.expect("columns that were asked for are there, or it is an error")].clone()
        };
        let two = TwoFidelities::new(&wanted.iter().map(of).collect::<Vec<_>>()).map_err(few)?;
        for (name, transfer) in wanted.iter().zip(two.transfers(&self.observations())) {
            let say = format!("{name}: rank correlation of cheap and dear runs {transfer:.2}");
            if transfer > 0.0 {
                printer.note(say);
            } else {
                printer.warn(format!("{say}: the cheap runs are left out"));
            }
        }
        Ok(two)
    }
}

/// Variance of a rate told by `n` answers; half an answer of each kind is added, so that 0 and 1 are not certain.
fn answer_variance(rate: f64, n: usize) -> f64 {
    let n = n as f64;
    let rate = (rate * n + 0.5) / (n + 1.0);
    rate * (1.0 - rate) / n
}

/// Questions behind each target, as `--questions` says.
fn questions(given: &[String], targets: &[(String, Vec<f64>)], ids: &[String]) -> Result<Vec<usize>> {
    const OPTION: &str = "option `--questions`";
    let mut all = vec![0; targets.len()];
    // A number for all comes before those of single scores, wherever it stands.
    let mut given: Vec<&String> = given.iter().collect();
    given.sort_by_key(|text| text.contains('='));
    for text in given {
        let (name, number) = text.rsplit_once('=').map_or((None, text.as_str()), |(a, b)| (Some(a), b));
        let number: usize = number.trim().parse().ok().filter(|n| *n > 0).ok_or_else(|| {
            Error::input(format!("`{text}` is no number of questions"))
                .at(OPTION)
                .hint("write `500`, or `NAME=500` for each score")
        })?;
        match name {
            None => all.fill(number),
            Some(name) => {
                let found = targets.iter().position(|(target, _)| target == name).ok_or_else(|| {
                    let known: Vec<&str> = targets.iter().take(30).map(|(name, _)| name.as_str()).collect();
                    Error::input(format!("there is no score `{name}`"))
                        .at(OPTION)
                        .hint(format!("there are `{}`", known.join("`, `")))
                })?;
                all[found] = number;
            }
        }
    }
    for ((name, scores), _) in targets.iter().zip(&all).filter(|(_, n)| **n > 0) {
        if let Some(row) = scores.iter().position(|score| !(0.0..=1.0).contains(score)) {
            return Err(Error::input(format!("`{name}` is {}, which is no rate from 0 to 1", scores[row]))
                .at(format!("row `{}`", ids[row]))
                .hint("`--questions` is for shares of right answers; divide percent by 100"));
        }
    }
    Ok(all)
}

/// Leaves out of `rows` those that were asked to be, and those of another budget than most; says which and why.
fn screen(
    args: Columns,
    a: &Table,
    b: &Table,
    ids: &[String],
    b_row: &BTreeMap<&str, usize>,
    rows: &mut Vec<usize>,
) -> Result<Vec<LeftOut>> {
    let mut left_out = Vec::new();
    let mut leave = |rows: &mut Vec<usize>, why: &dyn Fn(usize) -> Option<String>| {
        rows.retain(|&row| {
            let why = why(row);
            let label = ids[row].clone();
            left_out.extend(why.iter().map(|why| LeftOut {
                run: label.clone(),
                label: label.clone(),
                why: why.clone(),
            }));
            why.is_none()
        });
    };
    let without = args.without.unwrap_or_default();
    if let Some(unknown) = without.iter().find(|one| !ids.contains(one)) {
        return Err(Error::input(format!("no row is called `{unknown}`")).at("option `--without`"));
    }
    leave(rows, &|row| without.contains(&ids[row]).then(|| "left out as asked".to_owned()));
    if let Some(column) = args.budget {
        let (table, of_b) = if b.has(column) { (b, true) } else { (a, false) };
        if !table.has(column) {
            return Err(table.missing(column));
        }
        let values: Vec<String> = table.values(column)?.into_iter().map(|cell| cell.to_string()).collect();
        let of = |row: usize| &values[if of_b { b_row[ids[row].as_str()] } else { row }];
        let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
        for &row in rows.iter() {
            *counts.entry(of(row)).or_default() += 1;
        }
        // Of equally common ones the first by name, so that the same table gives the same answer.
        let most = counts
            .iter()
            .max_by_key(|(value, n)| (**n, std::cmp::Reverse(*value)))
            .map(|(v, _)| (*v).clone());
        if let Some(most) = most {
            leave(rows, &|row| {
                let own = of(row);
                (*own != most).then(|| format!("`{column}` is {own}, and the runs compared have {most}"))
            });
        }
    }
    Ok(left_out)
}

/// Skill of every target; a proposal where something is to be made large or small.
fn propose(
    args: &Args,
    joined: &Joined,
    aims: &[(String, f64)],
    guardrails: Vec<Rail>,
    files: [&Path; 2],
    printer: &mut Printer,
) -> Result<()> {
    // What is only judged is judged with what predicts best; what is proposed, with what may look beyond the runs.
    let default = if aims.is_empty() { DEFAULT } else { PROPOSER };
    let predictor = only_name(args.predictor.as_deref().unwrap_or(default));
    let target = |(((name, _), n), observations): ((&(String, Vec<f64>), &usize), _)| TargetRuns {
        name: name.clone(),
        domain: match name {
            _ if args.in_score.as_ref() == Some(name) => Some(Domain::InDomain),
            _ if args.out_score.as_ref() == Some(name) => Some(Domain::OutOfDomain),
            _ => None,
        },
        decoding: None,
        n_questions: *n,
        observations,
    };
    let named = joined.targets.iter().zip(&joined.n_questions);
    let targets: Vec<TargetRuns> = named.zip(joined.observations()).map(target).collect();
    if aims.is_empty() {
        for (given, option) in [
            (args.report.is_some(), "--report"),
            (!args.pareto.is_empty(), "--pareto"),
            (args.out.is_some(), "--out"),
            (args.constraints.is_some(), "--constraints"),
            (!args.guardrails.is_empty(), "--guardrail"),
            (args.in_score.is_some(), "--in-score"),
        ] {
            if given {
                return Err(Error::input(
                    "it is not said which scores are good when large, and which when small",
                )
                .at(format!("option `{option}`"))
                .hint("name them: `--maximize COLUMNS`, `--minimize COLUMNS`"));
            }
        }
        let (_, method) = decide::method(&predictor)?;
        let observations = joined.observations();
        let method: Box<dyn Method> = match low_fidelity(args, joined, printer)? {
            Some(low) => Box::new(low),
            None => method,
        };
        let settings = skill::Settings { n_permutations: PERMUTATIONS, ..skill::Settings::default() };
        let judged = judge(method.as_ref(), &observations, &[], &settings).map_err(few)?;
        let score = |(i, target): (usize, &TargetRuns)| Score {
            name: target.name.clone(),
            domain: None,
            decoding: None,
            n_questions: target.n_questions,
            weight: 0.0,
            skill: judged.target(i),
        };
        let scores: Vec<Score> = targets.iter().enumerate().map(score).collect();
        if args.json {
            return printer.json(&scores);
        }
        let scores: Vec<&Score> = scores.iter().collect();
        show::tables(&scores, printer)?;
        printer.note("for a proposal say what to aim at: `--maximize COLUMN` or `--minimize COLUMN`");
        return Ok(());
    }
    // Of what is to be small the negative is made large, and shown.
    let words = words(aims, args.worst);
    let weight = |(name, _): &(String, Vec<f64>)| {
        aims.iter().find(|(own, _)| own == name).map_or(0.0, |(_, weight)| *weight)
    };
    let weights: Vec<f64> = joined.targets.iter().map(weight).collect();
    let objective =
        if args.worst { Objective::Worst { words, weights } } else { Objective::Weighted { words, weights } };
    let datasets = names(&joined.datasets);
    for (name, column) in
        datasets.iter().zip(&joined.datasets).filter(|(name, column)| name.as_str() != *column)
    {
        printer.note(format!("note: the dataset of column `{column}` is called `{name}`"));
    }
    report::surfaces::triples(&args.maps, &datasets)?;
    let runs = joined.ids.iter().zip(&joined.shares).map(|(id, shares)| RunPoint {
        run: id.clone(),
        label: id.clone(),
        shares: shares.clone(),
    });
    let constraints = super::constraints(args.constraints.as_deref())?.unwrap_or_default();
    let low = low_fidelity(args, joined, printer)?;
    let beside = args.out.as_deref().or(args.report.as_deref()).and_then(Path::parent);
    let beside = beside.unwrap_or(Path::new(""));
    let decided = beside.join(PREDICTION);
    if [&args.out, &args.report].into_iter().flatten().any(|path| *path == decided)
        || beside.join("plan.toml").is_file()
    {
        return Err(Error::input(format!(
            "{} is where an experiment or this table keeps what was decided",
            decided.display()
        ))
        .hint("give `--out` and `--report` another name, or a folder that is no experiment"));
    }
    let prediction = decide(&Question {
        datasets: &datasets,
        ledger: joined.hash.clone(),
        runs: runs.collect(),
        left_out: joined.left_out.clone(),
        targets,
        objective,
        guardrails,
        constraints: &constraints,
        supply: None,
        predictor: &predictor,
        low: low.as_ref(),
        optimizer: args.optimizer()?.as_ref(),
        n_permutations: PERMUTATIONS,
        next: (args.by.into(), usize::from(args.next)),
        pending: Vec::new(),
        seed: 0,
    })?;
    if !args.pareto.is_empty() {
        let target = |score: &Score| Some(crate::report::Target::Column(score.name.clone()));
        let fits = report::surfaces::fits(&prediction, &predictor, &target)?;
        let region = constraints.region(&datasets, constraints.supply().as_ref()).input()?;
        return super::pareto::show(&prediction, &fits, &args.pareto, &region, args.json, printer);
    }
    store::write_whole(&decided, &store::to_json_pretty(&prediction)).at(decided.display())?;
    if let Some(out) = &args.out {
        store::write_whole(out, &decide::mixture_file(&prediction).to_json()).at(out.display())?;
    }
    if let Some(page) = &args.report {
        report::table::page(&prediction, &predictor, &constraints, files, &args.maps, page)?;
    }
    if args.json {
        return printer.json(&prediction);
    }
    show::prediction(&prediction, printer)?;
    let written = std::iter::once(&decided).chain(&args.out).chain(&args.report);
    let written: Vec<String> = written.map(|path| path.display().to_string()).collect();
    printer.line(format!("\nwritten: {}", written.join(", ")))
}

/// One predicted score, as scripts read it.
#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    target: &'a str,
    mean: f64,
    sd: f64,
    low: f64,
    high: f64,
}

/// The scores of one new run at each mixture of a table.
fn predict_at(args: &Args, joined: &Joined, at: &Path, printer: &mut Printer) -> Result<()> {
    let table = Table::read(at)?;
    let ids = if table.has(&joined.id_column) {
        table.ids(&joined.id_column)?
    } else if args.id.is_some() {
        return Err(table.missing(&joined.id_column));
    } else {
        (0..table.frame.height()).map(|row| row.to_string()).collect()
    };
    if let Some(missing) = joined.datasets.iter().find(|name| !table.has(name)) {
        return Err(table.missing(missing));
    }
    let rows: Vec<usize> = (0..ids.len()).collect();
    let is_share = |name: &str| joined.datasets.iter().any(|d| d == name);
    let columns = table.numeric(is_share, &ids, &rows, Cells::Shares, false, printer)?;
    let column = |name: &String| {
        let found = columns.iter().find(|(column, _)| column == name).map(|(_, values)| values);
        found.ok_or_else(|| Error::input(format!("column `{name}` holds no numbers")).at(&table.place))
    };
    let columns = joined.datasets.iter().map(column).collect::<Result<Vec<_>>>()?;
    let mut asked: Vec<Vec<f64>> =
        (0..ids.len()).map(|row| columns.iter().map(|values| values[row]).collect()).collect();
    renormalise(&mut asked, &ids, &joined.datasets, &table.place, printer)?;

    let observations = joined.observations();
    let method: Box<dyn Method> = match low_fidelity(args, joined, printer)? {
        Some(low) => Box::new(low),
        None => decide::method(&only_name(args.predictor.as_deref().unwrap_or(DEFAULT)))?.1,
    };
    let predictors = method.fit_all(&observations);
    let calibrated = |(predictor, runs): (Box<dyn Predictor>, &Vec<Observation>)| {
        let calibration = skill::calibrated(runs, &predictor.held_out());
        (predictor, calibration)
    };
    let fitted: Vec<_> =
        predictors.map_err(few)?.into_par_iter().zip(&observations).map(calibrated).collect();
    let named = || joined.targets.iter().map(|(name, _)| name).zip(&fitted);
    let settings = skill::Settings { n_permutations: 0, ..skill::Settings::default() };
    let judged = judge(method.as_ref(), &observations, &[], &settings).map_err(few)?;
    // With few runs the closed form flatters, as the hyperparameters have seen the run that is left out: refits tell how wide
    // intervals must be. Where they would take too long it stands in for them.
    let refitted = mixtures(&observations[0]).len() <= settings.refit_up_to;
    let calibrations: Vec<Calibration> = (fitted.iter().enumerate())
        .map(|(i, (_, closed))| if refitted { judged.target(i).calibration() } else { *closed })
        .collect();
    let silent = |i: usize| judged.target(i).verdict == Verdict::NoSignal;
    let blind: Vec<&str> =
        named().enumerate().filter(|(i, _)| silent(*i)).map(|(_, (name, _))| name.as_str()).collect();
    if !blind.is_empty() {
        printer.warn(format!(
            "no signal in `{}`: mixtures left out are predicted no better than by the mean; `modo predict` without \
             `--at` says more",
            blind.join("`, `")
        ));
    }
    for (name, (predictor, ..)) in named() {
        predictor.notes().into_iter().for_each(|note| printer.note(format!("note: `{name}`: {note}")));
    }
    let tried: Vec<&[f64]> = observations[0].iter().map(|run| run.shares.as_slice()).collect();
    let far = asked.par_iter().filter(|shares| hull::outside(shares, &tried) > FAR_OUTSIDE).count();
    if far > 0 {
        printer.note(format!(
            "note: {far} of {} mixtures spend more than {:.0} % of the budget outside what lies between those tried",
            asked.len(),
            100.0 * FAR_OUTSIDE
        ));
    }
    let mut lines = Vec::new();
    for (id, shares) in ids.iter().zip(&asked) {
        let all = joined.targets.iter().zip(&fitted).zip(&calibrations);
        for (((target, _), (predictor, ..)), calibration) in all {
            let one = predictor.predict(shares);
            let half = calibration.half_width(one.run_sd(), COVERAGE);
            let (mean, sd) = (one.mean, calibration.scale * one.run_sd());
            lines.push(Line { id, target, mean, sd, low: mean - half, high: mean + half });
        }
    }
    let as_json = args.json
        || args.out.as_ref().is_some_and(|out| out.extension().is_some_and(|e| e == "jsonl" || e == "json"));
    let text = if as_json { to_json_lines(&lines) } else { to_csv(&lines)? };
    match &args.out {
        Some(out) => {
            store::write_whole(out, &text).at(out.display())?;
            printer.note(format!("{} predictions written to {}", lines.len(), out.display()));
            Ok(())
        }
        None => printer.line(String::from_utf8_lossy(&text).trim_end()),
    }
}

/// What the options' cheaper runs say about every target; `None` where there are none.
fn low_fidelity(args: &Args, joined: &Joined, printer: &Printer) -> Result<Option<TwoFidelities>> {
    let (Some(mixtures), Some(scores)) = (&args.low_mixtures, &args.low_scores) else { return Ok(None) };
    joined.low_fidelity(args.id.as_deref(), args.budget.as_deref(), [mixtures, scores], printer).map(Some)
}

fn to_csv(lines: &[Line]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for line in lines {
        writer.serialize(line).failed()?;
    }
    writer.into_inner().failed()
}

fn to_json_lines(lines: &[Line]) -> Vec<u8> {
    let one = |line| serde_json::to_string(line).expect("predictions are finite") + "\n";
    lines.iter().map(one).collect::<String>().into_bytes()
}

fn few(error: crate::predict::FitError) -> Error {
    Error::input(error).hint("give rows of more different mixtures")
}

/// Divides every row by its sum, which must be near 1.
fn renormalise(
    shares: &mut [Vec<f64>],
    ids: &[String],
    columns: &[String],
    place: &str,
    printer: &Printer,
) -> Result<()> {
    let (mut low, mut high) = (1.0_f64, 1.0_f64);
    let percent = |row: &Vec<f64>| (row.iter().sum::<f64>() / 100.0 - 1.0).abs() <= SUM_TOLERANCE;
    if shares.iter().all(percent) {
        printer.note(format!("note: {place}: every row sums to 100: the shares are taken for percent"));
        shares.iter_mut().flatten().for_each(|share| *share /= 100.0);
    }
    for (row, id) in shares.iter_mut().zip(ids) {
        if let Some(i) = row.iter().position(|share| *share < 0.0) {
            return Err(Error::input(format!(
                "the share of `{}` is {}; shares are from 0 to 1",
                columns[i], row[i]
            ))
            .at(format!("{place}, row `{id}`")));
        }
        let sum: f64 = row.iter().sum();
        if (sum - 1.0).abs() > SUM_TOLERANCE {
            let shown: Vec<&str> = columns.iter().take(12).map(String::as_str).collect();
            let more = if columns.len() > 12 { ", …" } else { "" };
            return Err(Error::input(format!("the shares sum to {sum:.4}, not to 1"))
                .at(format!("{place}, row `{id}`"))
                .hint(if (sum / 100.0 - 1.0).abs() <= SUM_TOLERANCE {
                    "percent are read where every row sums to 100; here other rows do not".to_owned()
                } else {
                    format!("these columns are read as shares: `{}`{more}", shown.join("`, `"))
                }));
        }
        (low, high) = (low.min(sum), high.max(sum));
        for share in row.iter_mut() {
            *share /= sum;
        }
    }
    // What four decimals do not show is rounding.
    if low < 1.0 - 5e-5 || high > 1.0 + 5e-5 {
        printer.note(format!(
            "note: {place}: rows sum to {low:.4} up to {high:.4}; each was divided by its sum"
        ));
    }
    Ok(())
}

/// Columns as names of datasets: what a name cannot hold becomes `_`, and what then is there twice gets its number.
fn names(columns: &[String]) -> Vec<Name> {
    let mut taken: BTreeSet<Name> = BTreeSet::new();
    let mut all = Vec::new();
    for (i, column) in columns.iter().enumerate() {
        let fits = |c: char| if c.is_ascii_alphanumeric() || "_-.".contains(c) { c } else { '_' };
        let text: String = column.trim_start_matches('.').chars().map(fits).take(56).collect();
        let name = text.parse().ok().filter(|name| !taken.contains(name));
        let name: Name = name.unwrap_or_else(|| {
            format!("{text}_c{i}").parse().expect("at most 63 letters, digits and marks that names may have")
        });
        taken.insert(name.clone());
        all.push(name);
    }
    all
}

/// A file as a data frame.
struct Table {
    place: String,
    frame: DataFrame,
    hash: String,
}

impl Table {
    fn read(path: &Path) -> Result<Self> {
        let place = path.display().to_string();
        let cannot =
            |error: std::io::Error| Error::input(format!("the table cannot be read: {error}")).at(&place);
        let metadata = fs::metadata(path).map_err(cannot)?;
        if !metadata.is_file() {
            return Err(Error::input("this is no file").at(place));
        }
        // Looked at before anything is read, so that a mistaken file costs nothing.
        if metadata.len() > MAX_BYTES {
            let (has, most) = (metadata.len() >> 20, MAX_BYTES >> 20);
            return Err(Error::input(format!(
                "the table has {has} MiB; {most} MiB are the most that is read"
            ))
            .at(place)
            .hint("a table of runs has one row per run: leave out columns and rows that are not of runs"));
        }
        let bytes = fs::read(path).map_err(cannot)?;
        let hash = store::short_hash(&bytes);
        let kind = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        // Read as one column it would only be said that columns are missing.
        let head = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let separator = [(b';', "semicolons"), (b'\t', "tabs")];
        let separator = separator.iter().find(|(byte, _)| head.contains(byte) && !head.contains(&b','));
        if let Some((_, name)) = separator.filter(|_| !BINARY_OR_JSON.contains(&kind.as_str())) {
            return Err(Error::input(format!("the columns are separated by {name}"))
                .at(place)
                .hint("write the table with commas between columns, and points in numbers"));
        }
        drop(bytes);
        let read = || -> PolarsResult<DataFrame> {
            match kind.as_str() {
                "parquet" => ParquetReader::new(File::open(path)?).finish(),
                "jsonl" | "ndjson" | "json" => {
                    JsonReader::new(File::open(path)?).with_json_format(JsonFormat::JsonLines).finish()
                }
                // The whole column decides its type, so that a word far down is an error and not a gap.
                _ => CsvReadOptions::default()
                    .with_infer_schema_length(None)
                    .with_has_header(true)
                    .into_reader_with_file_handle(File::open(path)?)
                    .finish(),
            }
        };
        // Parsers are known to panic on damaged files.
        let frame = catch_unwind(AssertUnwindSafe(read))
            .map_err(|_| "its data cannot be decoded".to_owned())
            .and_then(|frame| frame.map_err(|error| error.to_string()))
            .map_err(|reason| {
                Error::input(format!("this is no table: {reason}"))
                    .at(&place)
                    .hint("tables are CSV with a header, Parquet (.parquet) or JSON lines (.jsonl)")
            })?;
        if frame.height() == 0 {
            return Err(Error::input("the table has no rows").at(place));
        }
        // The reader of CSV gives a second column of a name another one.
        let names: Vec<&str> =
            frame.get_column_names().into_iter().map(polars::prelude::PlSmallStr::as_str).collect();
        let twice = names.iter().find_map(|name| {
            let (base, number) = name.rsplit_once("_duplicated_")?;
            (number.bytes().all(|b| b.is_ascii_digit()) && names.contains(&base)).then_some(base)
        });
        if let Some(twice) = twice {
            return Err(Error::input(format!("two columns are called `{twice}`")).at(place));
        }
        Ok(Self { place, frame, hash })
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.frame.get_column_names().into_iter().map(polars::prelude::PlSmallStr::as_str)
    }

    fn has(&self, name: &str) -> bool {
        self.names().any(|own| own == name)
    }

    fn missing(&self, name: &str) -> Error {
        let own: Vec<&str> = self.names().take(30).collect();
        Error::input(format!("there is no column `{name}`"))
            .at(&self.place)
            .hint(format!("there are `{}`", own.join("`, `")))
    }

    /// The values of a column as texts, each there once.
    fn ids(&self, column: &str) -> Result<Vec<String>> {
        if !self.has(column) {
            return Err(self.missing(column));
        }
        let values = self.values(column)?;
        let mut seen = BTreeSet::new();
        let mut ids = Vec::with_capacity(values.len());
        for (row, value) in values.into_iter().enumerate() {
            let id = match value {
                Cell::Number(number) => number.to_string(),
                Cell::Text(text) => text,
                Cell::Gap => {
                    return Err(Error::input(format!("column `{column}` has no value")).at(format!(
                        "{}, row {}",
                        self.place,
                        row + 1
                    )));
                }
            };
            if !seen.insert(id.clone()) {
                return Err(Error::input(format!("column `{column}` has `{id}` twice"))
                    .at(format!("{}, row {}", self.place, row + 1))
                    .hint("every run needs an id of its own; `--id COLUMN` names the column"));
            }
            ids.push(id);
        }
        Ok(ids)
    }

    /// The columns that `wanted` takes with the finite numbers of `rows`; columns without any number are passed over.
    /// `leave_out`: whether the command can leave a row out.
    fn numeric(
        &self,
        wanted: impl Fn(&str) -> bool,
        ids: &[String],
        rows: &[usize],
        cells: Cells,
        leave_out: bool,
        printer: &Printer,
    ) -> Result<Vec<(String, Vec<f64>)>> {
        let mut columns = Vec::new();
        let mut passed_over = Vec::new();
        let mut empty: Vec<(&str, usize)> = Vec::new();
        for name in self.names().filter(|name| wanted(name)) {
            let values = self.values(name)?;
            if !values.iter().any(|value| matches!(value, Cell::Number(_))) {
                passed_over.push(name);
                continue;
            }
            let mut numbers = Vec::with_capacity(rows.len());
            for (run, &row) in rows.iter().enumerate() {
                match &values[row] {
                    // The square of a larger one would be none.
                    Cell::Number(number) if number.abs() < LARGEST => numbers.push(*number),
                    Cell::Gap if cells != Cells::Scores => {
                        numbers.push(0.0);
                        empty.push((name, run));
                    }
                    other => {
                        return Err(Error::input(format!(
                            "column `{name}` holds {other} where a number is needed"
                        ))
                        .at(format!("{}, row `{}`", self.place, ids[row]))
                        .hint(if leave_out {
                            format!("mend it, or leave the row out with `--without {}`", ids[row])
                        } else {
                            "mend it, or take the row out of that table".to_owned()
                        }));
                    }
                }
            }
            columns.push((name.to_owned(), numbers));
        }
        // A dataset that joined later has no cells in older rows: a share of 0 where the others sum to 1.
        for &(name, run) in &empty {
            let sum: f64 = columns.iter().map(|(_, numbers)| numbers[run]).sum();
            if (sum - 1.0).abs() > SUM_TOLERANCE && (sum / 100.0 - 1.0).abs() > SUM_TOLERANCE {
                return Err(Error::input(format!("column `{name}` holds nothing where a number is needed"))
                    .at(format!("{}, row `{}`", self.place, ids[rows[run]]))
                    .hint("an empty share counts as 0 only where the others of its row sum to 1"));
            }
        }
        if !empty.is_empty() {
            printer.note(format!(
                "note: {}: {} empty cells count as a share of 0; their rows sum to 1 without them",
                self.place,
                empty.len()
            ));
        }
        if !passed_over.is_empty() {
            printer.note(format!(
                "note: {}: columns without numbers are passed over: `{}`",
                self.place,
                passed_over.join("`, `")
            ));
        }
        Ok(columns)
    }

    fn values(&self, column: &str) -> Result<Vec<Cell>> {
        let column = self.frame.column(column).input().map_err(|error| error.at(&self.place))?;
        let words = matches!(column.dtype(), DataType::String);
        let cell = |row: usize| match column.get(row) {
            Ok(AnyValue::Null) | Err(_) => Cell::Gap,
            Ok(AnyValue::String(text)) if words => Cell::of_text(text),
            Ok(AnyValue::StringOwned(text)) if words => Cell::of_text(&text),
            Ok(value) if value.is_primitive_numeric() => {
                value.extract::<f64>().map_or(Cell::Gap, Cell::Number)
            }
            Ok(value) => Cell::Text(value.to_string()),
        };
        Ok((0..column.len()).map(cell).collect())
    }
}

/// What columns hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cells {
    /// Scores; an empty cell is wrong.
    Scores,
    /// Shares; an empty cell is a share of 0, where the others of its row sum to 1.
    Shares,
}

enum Cell {
    Number(f64),
    Text(String),
    Gap,
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) if number.is_finite() && number.abs() >= 1e16 => write!(f, "{number:e}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "`{}`", text.chars().take(80).collect::<String>()),
            Self::Gap => f.write_str("nothing"),
        }
    }
}

impl Cell {
    fn of_text(text: &str) -> Self {
        match text.trim().parse() {
            Ok(number) => Self::Number(number),
            Err(_) if text.trim().is_empty() => Self::Gap,
            Err(_) => Self::Text(text.to_owned()),
        }
    }
}
