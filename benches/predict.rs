//! How well predictors do on published tables of runs: learning curves, cross-validation, coverage, time.
//!
//! `cargo bench --bench predict -- curves [--methods gp3,proposer] [--draws 12]`; see `WHAT`. `curves` takes `--seven`,
//! `--families` and `--all`: only Olmix, those targets. The tables lie under
//! `../shared`; what is missing is said and left out. Every figure comes with its standard error over draws.

#![expect(clippy::print_stdout, reason = "a bench run by hand prints its tables")]

use std::{collections::BTreeMap, env, path::PathBuf, time::Instant};

use modo::{
    mixture::constraint::{Constraints, Range},
    name::Name,
    optimize::{Surface, default_optimizer, next_runs::expected_improvement},
    predict::{Method, Observation, PREDICTORS, Prediction, Predictor, mixtures, skill},
    seed::Seed,
};
use rand::{Rng, seq::SliceRandom};
use rand_distr::{Distribution, Exp1, StandardNormal};
use rayon::prelude::*;

const WHAT: &str = "\
curves   rank correlation on unseen mixtures of RegMix and Olmix, fitted on 10 to 50 runs
cv       cross-validation on all 512 runs of RegMix, five folds or `--folds N`
paper    leave-one-out R² on the runs of MoDoMoDo
coverage share of unseen runs inside the 90 % intervals, at 10, 20 and 50 runs
regret   regret of the best run found at a budget of 30 in the runs of RegMix: 10 at random, then batches of 10
optimum  value and time of the best mixture of a fitted process under tight caps, beside random allowed mixtures
tail     fitted on the worse three quarters of RegMix, asked for the best quarter
rates    true rates near 0, ½ and 1 told by 200 answers each: as they are, by arcsine of the root, by logit
time     processor time of fitting one target, one thread";

const SIZES: [usize; 5] = [10, 15, 20, 30, 50];

fn main() {
    let args: Vec<String> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let option = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    let methods: Vec<Candidate> = option("--methods")
        .map_or("mean,nearest,ols,scheffe,ridge,ridge_log,log_linear,power_sum,extra_trees,boosted_trees,gp,gp3,gp3_cube,trend_gp,proposer", String::as_str)
        .split(';')
        .flat_map(|part| if part.contains('{') { vec![part] } else { part.split(',').collect() })
        .map(Candidate::new)
        .collect();
    let draws = option("--draws").map_or(12, |text| text.parse().expect("a number of draws"));
    match args.first().map(String::as_str) {
        Some("curves") => {
            let asked = |flag: &str| args.iter().any(|arg| arg == flag);
            let tasks = [("--seven", Tasks::Seven), ("--families", Tasks::Families), ("--all", Tasks::All)];
            let tasks = tasks.into_iter().filter(|(flag, _)| asked(flag)).map(|(_, tasks)| tasks).collect();
            curves(&methods, draws, tasks);
        }
        Some("cv") => {
            let folds = option("--folds").map_or(5, |text| text.parse().expect("a number of folds"));
            cross_validation(&methods, folds);
        }
        Some("paper") => paper(&methods),
        Some("coverage") => coverage(&methods, draws),
        Some("regret") => regret_of_search(&methods, draws),
        Some("optimum") => optimum(&methods),
        Some("tail") => tail(&methods),
        Some("rates") => rates(&methods, draws),
        Some("time") => time(&methods),
        _ => println!("{WHAT}"),
    }
}

/// A method with its settings: `gp`, or `gp{tau = 1.6}`.
struct Candidate {
    label: String,
    method: Box<dyn Method>,
}

impl Candidate {
    fn new(label: &str) -> Self {
        let (name, settings) = label.split_once('{').unwrap_or((label, ""));
        let settings = settings.trim_end_matches('}').replace(',', "\n");
        let entry = PREDICTORS.get(name).expect("a method");
        let method = (entry.build)(settings.parse().expect("settings")).expect("settings of that method");
        Self { label: label.to_owned(), method }
    }
}

/// Shares and targets of one published table.
struct Table {
    name: &'static str,
    shares: Vec<Vec<f64>>,
    targets: Vec<(String, Vec<f64>)>,
}

fn shared() -> PathBuf {
    PathBuf::from(
        env::var("MODO_SHARED").unwrap_or_else(|_| format!("{}/../shared", env!("CARGO_MANIFEST_DIR"))),
    )
}

fn read(path: &str) -> Option<(Vec<String>, Vec<csv::StringRecord>)> {
    let Ok(mut reader) = csv::Reader::from_path(shared().join(path)) else {
        println!("left out: {path} is not there");
        return None;
    };
    let head = reader.headers().ok()?.iter().map(str::to_owned).collect();
    Some((head, reader.records().map(|row| row.expect("a row")).collect()))
}

fn numbers(row: &csv::StringRecord, from: usize) -> Vec<f64> {
    row.iter().skip(from).map(|cell| cell.parse().expect("a number")).collect()
}

fn table(name: &'static str, mixtures: &str, scores: &str, from: usize) -> Option<Table> {
    let ((_, mixtures), (head, scores)) = (read(mixtures)?, read(scores)?);
    let by_id: BTreeMap<&str, &csv::StringRecord> = scores.iter().map(|row| (&row[0], row)).collect();
    let mut shares: Vec<Vec<f64>> = mixtures.iter().map(|row| numbers(row, from)).collect();
    for row in &mut shares {
        let sum: f64 = row.iter().sum();
        for share in &mut *row {
            *share /= sum;
        }
    }
    let rows: Vec<Vec<f64>> = mixtures.iter().map(|row| numbers(by_id[&row[0]], from)).collect();
    let column = |i: usize| rows.iter().map(|row| row[i]).collect();
    let targets = head.iter().skip(from).enumerate().map(|(i, name)| (name.clone(), column(i))).collect();
    Some(Table { name, shares, targets })
}

fn regmix() -> Option<Table> {
    table("RegMix", "data/regmix/train_mixture_1m.csv", "data/regmix/train_pile_loss_1m.csv", 1)
}

/// Which columns of Olmix's metrics are targets.
#[derive(Clone, Copy, PartialEq)]
enum Tasks {
    /// Seven means of the 110 tasks.
    Seven,
    /// The means of its own configuration (`configs/fits/dclm_per_family.yaml`): mathematics, code, the rest without
    /// the five tasks that it drops as noisy.
    Families,
    /// Every task.
    All,
}

fn olmix(tasks: Tasks) -> Option<Table> {
    let (ratios, metrics) =
        ("data/olmix/dclm_swarm_train_ratios.csv", "data/olmix/dclm_swarm_train_metrics.csv");
    let mut table = table("Olmix", ratios, metrics, 3)?;
    if tasks == Tasks::All {
        return Some(table);
    }
    let mean = |name: &str, takes: &dyn Fn(&str) -> bool| {
        let chosen: Vec<&Vec<f64>> = table.targets.iter().filter(|t| takes(&t.0)).map(|t| &t.1).collect();
        let row = |row: usize| chosen.iter().map(|c| c[row]).sum::<f64>() / chosen.len() as f64;
        (name.to_owned(), (0..table.shares.len()).map(row).collect::<Vec<f64>>())
    };
    let code = |t: &str| t.contains("mbpp") || t.contains("codex");
    if tasks == Tasks::Families {
        table.name = "Olmix, its three families";
        let math = |t: &str| t.starts_with("minerva");
        let noisy = |t: &str| {
            ["qasper_yesno", "sciriff_yesno", "lab_bench", "medqa"].iter().any(|p| t.starts_with(p))
        };
        table.targets = vec![
            mean("math", &math),
            mean("code", &code),
            mean("qa", &|t| !math(t) && !code(t) && !noisy(t)),
        ];
        return Some(table);
    }
    table.targets = vec![
        mean("all", &|_| true),
        mean("mmlu", &|t| t.starts_with("mmlu")),
        mean("minerva", &|t| t.starts_with("minerva")),
        mean("code", &code),
        mean("basic skills", &|t| t.starts_with("basic_skills")),
        mean("reading", &|t| t.contains("gen2mc") || t.contains("yesno") || t.starts_with("lab_bench")),
        mean("common sense", &|t| {
            ["arc_", "csqa", "hellaswag", "piqa", "socialiqa", "winogrande", "sciq"]
                .iter()
                .any(|p| t.starts_with(p))
        }),
    ];
    Some(table)
}

/// The 17 runs whose shares are known.
fn modomodo() -> Option<Table> {
    let (head, rows) = read("references/modomodo_mixtures.csv")?;
    let at = |name: &str| head.iter().position(|h| h == name).expect("a column");
    let known: Vec<&csv::StringRecord> = rows.iter().filter(|row| !row[at("w_coco")].is_empty()).collect();
    let shares = |row: &&csv::StringRecord| {
        let raw: Vec<f64> =
            (at("w_coco")..=at("w_scienceqa")).map(|i| row[i].parse().expect("a share")).collect();
        let sum: f64 = raw.iter().sum();
        raw.into_iter().map(|share| share / sum).collect()
    };
    let column = |name: &String| known.iter().map(|row| row[at(name)].parse().expect("a score")).collect();
    let targets = head[at("lisa")..].iter().map(|name| (name.clone(), column(name))).collect();
    Some(Table { name: "MoDoMoDo", shares: known.iter().map(shares).collect(), targets })
}

impl Table {
    fn runs(&self, target: usize, rows: &[usize]) -> Vec<Observation> {
        let run = |&row: &usize| Observation {
            shares: self.shares[row].clone(),
            score: self.targets[target].1[row],
            noise_variance: None,
        };
        rows.iter().map(run).collect()
    }

    /// Of every target.
    fn all_runs(&self, rows: &[usize]) -> Vec<Vec<Observation>> {
        (0..self.targets.len()).map(|target| self.runs(target, rows)).collect()
    }

    /// `n` rows to fit and up to 256 others, at random.
    fn draw(&self, n: usize, draw: usize) -> (Vec<usize>, Vec<usize>) {
        let mut rows: Vec<usize> = (0..self.shares.len()).collect();
        rows.shuffle(&mut Seed::new(1).child(self.name).child(n).child(draw).rng());
        let test = rows.split_off(n);
        (rows, test.into_iter().take(256).collect())
    }
}

/// What one fit came to on unseen runs.
#[derive(Clone, Copy, Default)]
struct Reached {
    rank: f64,
    r2: f64,
    error: f64,
    covered: f64,
}

/// Of every target; all 0 where the method refuses.
fn reached(method: &dyn Method, train: &[Vec<Observation>], test: &[Vec<Observation>]) -> Vec<Reached> {
    let Ok(fitted) = method.fit_all(train) else { return vec![Reached::default(); train.len()] };
    let all = fitted.par_iter().zip(train).zip(test);
    all.map(|((fitted, train), test)| of_target(fitted.as_ref(), train, test)).collect()
}

fn of_target(fitted: &dyn Predictor, train: &[Observation], test: &[Observation]) -> Reached {
    let predicted: Vec<Prediction> = test.iter().map(|run| fitted.predict(&run.shares)).collect();
    let truth: Vec<f64> = test.iter().map(|run| run.score).collect();
    let means: Vec<f64> = predicted.iter().map(|p| p.mean).collect();
    let n = truth.len() as f64;
    let own = skill::calibrated(train, &fitted.held_out());
    let inside = |(p, y): (&Prediction, &f64)| (y - p.mean).abs() <= own.half_width(p.run_sd(), 0.9);
    Reached {
        rank: skill::rank_correlation(&truth, &means),
        r2: skill::r2(&truth, &means),
        error: truth.iter().zip(&means).map(|(t, m)| (t - m).abs()).sum::<f64>() / n,
        covered: predicted.iter().zip(&truth).filter(|pair| inside(*pair)).count() as f64 / n,
    }
}

/// Mean with its standard error.
fn mean(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    (mean, (variance / n).sqrt())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// `[draw][target]`, in parallel.
fn all(table: &Table, method: &dyn Method, n: usize, draws: usize) -> Vec<Vec<Reached>> {
    let one = |draw: usize| {
        let (train, test) = table.draw(n, draw);
        reached(method, &table.all_runs(&train), &table.all_runs(&test))
    };
    (0..draws).into_par_iter().map(one).collect()
}

fn curves(methods: &[Candidate], draws: usize, tasks: Vec<Tasks>) {
    let regmix = if tasks.is_empty() { regmix() } else { None };
    let tasks = if tasks.is_empty() { vec![Tasks::Seven, Tasks::Families] } else { tasks };
    for table in regmix.into_iter().chain(tasks.into_iter().filter_map(olmix)) {
        println!(
            "\n{} ({draws} draws × {} targets): rank correlation ± standard error (median R²)",
            table.name,
            table.targets.len()
        );
        for Candidate { label, method } in methods {
            let start = Instant::now();
            print!("{label:24}");
            for n in SIZES {
                let all = all(&table, method.as_ref(), n, draws);
                let of_draw =
                    |draw: &Vec<Reached>| draw.iter().map(|r| r.rank).sum::<f64>() / draw.len() as f64;
                let (rank, error) = mean(&all.iter().map(of_draw).collect::<Vec<_>>());
                let r2 = median(all.iter().flatten().map(|r| r.r2).collect());
                print!("  {n}: {rank:.3} ±{error:.3} ({r2:.2})");
            }
            println!("  {:.1} s", start.elapsed().as_secs_f64());
        }
    }
}

fn cross_validation(methods: &[Candidate], folds: usize) {
    let Some(table) = regmix() else { return };
    let mut rows: Vec<usize> = (0..table.shares.len()).collect();
    rows.shuffle(&mut Seed::new(2).rng());
    println!(
        "RegMix, {} runs, {folds} folds: mean over {} targets ± standard error over folds",
        rows.len(),
        table.targets.len()
    );
    for Candidate { label, method } in methods {
        let start = Instant::now();
        let one = |fold: usize| {
            let inside = |i: &usize| i % folds == fold;
            let train: Vec<usize> = (0..rows.len()).filter(|i| !inside(i)).map(|i| rows[i]).collect();
            let test: Vec<usize> = (0..rows.len()).filter(inside).map(|i| rows[i]).collect();
            reached(method.as_ref(), &table.all_runs(&train), &table.all_runs(&test))
        };
        let folds: Vec<Vec<Reached>> = (0..folds).into_par_iter().map(one).collect();
        let of = |f: fn(&Reached) -> f64| {
            mean(
                &folds
                    .iter()
                    .map(|fold| fold.iter().map(f).sum::<f64>() / fold.len() as f64)
                    .collect::<Vec<_>>(),
            )
        };
        let worst = (0..table.targets.len())
            .map(|target| mean(&folds.iter().map(|fold| fold[target].rank).collect::<Vec<_>>()).0)
            .fold(f64::INFINITY, f64::min);
        let ((rank, a), (error, b), (r2, c)) = (of(|r| r.rank), of(|r| r.error), of(|r| r.r2));
        println!(
            "{label:24} rank {rank:.4} ±{a:.4} (worst {worst:.3})  MAE {error:.4} ±{b:.4}  R² {r2:.4} ±{c:.4}  covered {:.3}  {:.2} s per fit",
            of(|r| r.covered).0,
            start.elapsed().as_secs_f64() * rayon::current_num_threads() as f64
                / (folds.len() * table.targets.len()) as f64
        );
    }
}

fn paper(methods: &[Candidate]) {
    let Some(table) = modomodo() else { return };
    let rows: Vec<usize> = (0..table.shares.len()).collect();
    println!("MoDoMoDo, {} runs: leave-one-out R² by refits", rows.len());
    for Candidate { label, method } in methods {
        print!("{label:24}");
        let mut predicted = vec![vec![0.0; rows.len()]; table.targets.len()];
        for group in mixtures(&table.runs(0, &rows)) {
            let others: Vec<usize> = rows.iter().copied().filter(|row| !group.contains(row)).collect();
            let Ok(fitted) = method.fit_all(&table.all_runs(&others)) else { continue };
            for (predicted, fitted) in predicted.iter_mut().zip(fitted) {
                for &row in &group {
                    predicted[row] = fitted.mean(&table.shares[row]);
                }
            }
        }
        for ((name, truth), predicted) in table.targets.iter().zip(&predicted) {
            print!("  {name} {:.2}", skill::r2(truth, predicted));
        }
        println!();
    }
}

/// Share of `test` inside the intervals of `modo predict --at`, which refits rescale, over all targets.
fn covered(method: &dyn Method, train: &[Vec<Observation>], test: &[Vec<Observation>]) -> f64 {
    let settings = skill::Settings { n_permutations: 0, ..skill::Settings::default() };
    let judged = skill::Judged::new(method, train, &[], &settings).expect("enough runs");
    let fitted = method.fit_all(train).expect("enough runs");
    let of_target = |i: usize| {
        let (skill, predictor) = (judged.target(i), fitted[i].as_ref());
        let inside = test[i].iter().filter(|run| {
            let one = predictor.predict(&run.shares);
            (run.score - one.mean).abs() <= skill.half_width(one.run_sd(), 0.9)
        });
        inside.count() as f64 / test[i].len() as f64
    };
    (0..test.len()).map(of_target).sum::<f64>() / test.len() as f64
}

fn coverage(methods: &[Candidate], draws: usize) {
    println!("share of unseen runs inside 90 % intervals, pooled over targets and {draws} draws");
    for Candidate { label, method } in methods {
        for n in [10, 20, 50] {
            print!("{label:24} n = {n:2}");
            let mut pooled = Vec::new();
            for table in [
                regmix(),
                olmix(Tasks::Seven),
                olmix(Tasks::All).map(|t| Table { name: "Olmix, 110 tasks", ..t }),
            ]
            .into_iter()
            .flatten()
            {
                let draws = if table.targets.len() > 50 { draws.div_ceil(6) } else { draws };
                let one = |draw: usize| {
                    let (train, test) = table.draw(n, draw);
                    covered(method.as_ref(), &table.all_runs(&train), &table.all_runs(&test))
                };
                let of_draw: Vec<f64> = (0..draws).into_par_iter().map(one).collect();
                let (covered, error) = mean(&of_draw);
                print!("  {} {covered:.3} ±{error:.3}", table.name);
                pooled.push(covered);
            }
            println!("  mean of tables {:.3}", mean(&pooled).0);
        }
    }
}

/// Processor time of this thread: others share the machine.
fn processor_seconds() -> f64 {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_THREAD).expect("usage");
    let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + 1e-6 * t.tv_usec() as f64;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

/// Noise of the scores that a search is told, in standard deviations over the runs.
const NOISES: [f64; 3] = [0.0, 0.3, 1.0];

/// Smaller is better in RegMix: all scores are turned round. Without noise the best run found counts, with noise the one that is
/// expected to be the best.
fn regret_of_search(methods: &[Candidate], draws: usize) {
    let Some(table) = regmix() else { return };
    println!(
        "RegMix, {} runs: regret (sd) at a budget of 30, ± standard error over {draws} draws × 7 targets; noise {NOISES:?} sd",
        table.shares.len()
    );
    // In standard deviations, from the best run down.
    let scores = |target: usize| -> Vec<f64> {
        let raw = &table.targets[target].1;
        let n = raw.len() as f64;
        let middle = raw.iter().sum::<f64>() / n;
        let sd = (raw.iter().map(|s| (s - middle).powi(2)).sum::<f64>() / n).sqrt();
        let best = raw.iter().copied().fold(f64::INFINITY, f64::min);
        raw.iter().map(|score| (best - score) / sd).collect()
    };
    let regret = |scores: &[f64], chosen: &[usize]| {
        -chosen.iter().map(|&row| scores[row]).fold(f64::NEG_INFINITY, f64::max)
    };
    let jobs: Vec<(usize, usize)> =
        (0..draws).flat_map(|draw| (0..7).map(move |k| (draw, (2 * k) % 13))).collect();
    let order = |draw: usize| {
        let mut rows: Vec<usize> = (0..table.shares.len()).collect();
        rows.shuffle(&mut Seed::new(5).child(draw).rng());
        rows
    };
    let random: Vec<f64> =
        jobs.iter().map(|&(draw, target)| regret(&scores(target), &order(draw)[..30])).collect();
    let (value, error) = mean(&random);
    println!("{:24} {value:.3} ±{error:.3}", "random");
    for Candidate { label, method } in methods {
        let one = |noise: f64, (draw, target): (usize, usize)| {
            let scores = scores(target);
            let mut rng = Seed::new(9).child(draw).child(target).rng();
            let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
            let told_score: Vec<f64> = scores.iter().map(|score| score + noise * normal()).collect();
            let told = |chosen: &[usize]| -> Vec<Observation> {
                let mut told = table.runs(target, chosen);
                told.iter_mut().zip(chosen).for_each(|(run, &row)| run.score = told_score[row]);
                told
            };
            let mut chosen = order(draw)[..10].to_vec();
            for _batch in 0..2 {
                let known = chosen.len();
                let mut told = told(&chosen);
                for _ in 0..10 {
                    let fitted = method.fit(&told).expect("enough runs");
                    let best = told[..known]
                        .iter()
                        .map(|run| fitted.mean(&run.shares))
                        .fold(f64::NEG_INFINITY, f64::max);
                    let gain = |row: usize| expected_improvement(fitted.predict(&table.shares[row]), best);
                    let next = (0..scores.len())
                        .filter(|row| !chosen.contains(row))
                        .map(|row| (gain(row), row))
                        .max_by(|a, b| a.0.total_cmp(&b.0))
                        .expect("the pool is larger than the budget")
                        .1;
                    chosen.push(next);
                    let shares = table.shares[next].clone();
                    told.push(Observation { shares, score: best, noise_variance: None });
                }
            }
            if noise == 0.0 {
                return regret(&scores, &chosen);
            }
            let fitted = method.fit(&told(&chosen)).expect("enough runs");
            let expected = |row: &usize| fitted.mean(&table.shares[*row]);
            let pick = chosen.iter().max_by(|a, b| expected(a).total_cmp(&expected(b)));
            regret(&scores, &[*pick.expect("thirty were chosen")])
        };
        let of = |noise: f64| {
            let all: Vec<f64> = jobs.par_iter().map(|&job| one(noise, job)).collect();
            let (value, error) = mean(&all);
            format!("{value:.3} ±{error:.3}")
        };
        println!("{label:24} {}", NOISES.map(of).join("   "));
    }
}

fn optimum(methods: &[Candidate]) {
    let Some(table) = regmix() else { return };
    let names: Vec<Name> =
        (0..table.shares[0].len()).map(|i| format!("d{i}").parse().expect("a name")).collect();
    let cap = |name: &Name| (name.clone(), Range { min: 0.0, max: 0.12 });
    let constraints = Constraints { shares: names.iter().map(cap).collect(), ..Constraints::default() };
    let region = constraints.region(&names, None).expect("seventeen times .12 is above 1");
    let points: usize = env::var("POINTS").map_or(100_000, |text| text.parse().expect("a number"));
    println!(
        "RegMix, 50 runs, every share at most .12: optimum beside the best of {points} random allowed mixtures"
    );
    for Candidate { label, method } in methods {
        for target in [0, 5, 8] {
            let (train, _) = table.draw(50, 0);
            let mut runs = table.runs(target, &train);
            for run in &mut runs {
                run.score = -run.score;
            }
            let surface = Surface::fit(method.as_ref(), &[runs.clone()], &[1.0]).expect("enough runs");
            let mut starts: Vec<Vec<f64>> = runs.iter().map(|run| run.shares.clone()).collect();
            starts.sort_by(|a, b| surface.mean(b).total_cmp(&surface.mean(a)));
            starts.truncate(12);
            let begun = processor_seconds();
            let pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build();
            let find = || default_optimizer().maximize(&surface, &region, &starts, Seed::new(1));
            let best = match &pool {
                Ok(pool) => pool.install(find),
                Err(_) => find(),
            };
            let took = processor_seconds() - begun;
            let mut rng = Seed::new(6).rng();
            let mut most = f64::NEG_INFINITY;
            for _ in 0..points {
                let draws: Vec<f64> = names.iter().map(|_| Exp1.sample(&mut rng)).collect();
                let sum: f64 = draws.iter().sum();
                let point =
                    region.project(&draws.into_iter().map(|draw: f64| draw / sum).collect::<Vec<_>>());
                most = most.max(surface.mean(&point));
            }
            println!(
                "{label:24} {}: {:.5}, random {most:.5}, violation {:.0e}, local gain {:.0e}, {:.1} ms",
                table.targets[target].0,
                best.value,
                best.violation,
                best.local_gain,
                1e3 * took
            );
        }
    }
}

fn tail(methods: &[Candidate]) {
    let Some(table) = regmix() else { return };
    println!(
        "RegMix, fitted on n of the worse three quarters: rank correlation in the best quarter, regret of its best (sd)"
    );
    for Candidate { label, method } in methods {
        print!("{label:24}");
        for n in [60, 200] {
            let jobs: Vec<(usize, usize)> =
                (0..4).flat_map(|draw| (0..table.targets.len()).map(move |target| (draw, target))).collect();
            let one = |&(draw, target): &(usize, usize)| {
                let scores = &table.targets[target].1;
                let mut rows: Vec<usize> = (0..scores.len()).collect();
                rows.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
                let mut worse = rows.split_off(rows.len() / 4);
                worse.shuffle(&mut Seed::new(4).child(n).child(draw).rng());
                worse.truncate(n);
                let Ok(fitted) = method.fit(&table.runs(target, &worse)) else { return (0.0, 0.0) };
                let truth: Vec<f64> = rows.iter().map(|&row| scores[row]).collect();
                let means: Vec<f64> = rows.iter().map(|&row| fitted.mean(&table.shares[row])).collect();
                let chosen =
                    (0..rows.len()).min_by(|&a, &b| means[a].total_cmp(&means[b])).expect("a quarter");
                let all = scores.iter().sum::<f64>() / scores.len() as f64;
                let sd = (scores.iter().map(|s| (s - all).powi(2)).sum::<f64>() / scores.len() as f64).sqrt();
                (skill::rank_correlation(&truth, &means), (truth[chosen] - truth[0]) / sd)
            };
            let all: Vec<(f64, f64)> = jobs.par_iter().map(one).collect();
            let (rank, a) = mean(&all.iter().map(|r| r.0).collect::<Vec<_>>());
            let (regret, b) = mean(&all.iter().map(|r| r.1).collect::<Vec<_>>());
            print!("  n = {n}: {rank:.2} ±{a:.2}, regret {regret:.3} ±{b:.3}");
        }
        println!();
    }
}

/// A way to see rates: there, back, and the variance there of a rate told by `n` answers.
struct Scale {
    name: &'static str,
    there: fn(f64, f64) -> f64,
    back: fn(f64) -> f64,
    variance: fn(f64, f64) -> f64,
}

/// Half an answer of each kind is added where 0 and 1 must not occur.
fn shrunk(rate: f64, n: f64) -> f64 {
    (rate * n + 0.5) / (n + 1.0)
}

const SCALES: [Scale; 3] = [
    Scale {
        name: "as it is",
        there: |rate, _| rate,
        back: |seen| seen,
        variance: |rate, n| shrunk(rate, n) * (1.0 - shrunk(rate, n)) / n,
    },
    Scale {
        name: "arcsine root",
        there: |rate, _| rate.sqrt().asin(),
        back: |seen| seen.clamp(0.0, std::f64::consts::FRAC_PI_2).sin().powi(2),
        variance: |_, n| 0.25 / n,
    },
    Scale {
        name: "logit",
        there: |rate, n| (shrunk(rate, n) / (1.0 - shrunk(rate, n))).ln(),
        back: |seen| 1.0 / (1.0 + (-seen).exp()),
        variance: |rate, n| 1.0 / (n * shrunk(rate, n) * (1.0 - shrunk(rate, n))),
    },
];

/// The standardised losses of RegMix are the logits of true rates, moved to near 0, ½ or 1.
fn rates(methods: &[Candidate], draws: usize) {
    const ANSWERS: usize = 200;
    let Some(table) = regmix() else { return };
    println!(
        "rank correlation with true rates of unseen mixtures (root mean square error), {draws} draws × 7 targets"
    );
    for Candidate { label, method } in methods {
        for (middle, about) in [(-4.0, "near 0"), (-2.0, "about .1"), (0.0, "about .5"), (4.0, "near 1")] {
            for n in [20, 50] {
                print!("{label:12} rates {about:8} n = {n}:");
                let jobs: Vec<(usize, usize)> =
                    (0..draws).flat_map(|draw| (0..7).map(move |k| (draw, (2 * k) % 13))).collect();
                for Scale { name, there, back, variance } in &SCALES {
                    let one = |&(draw, target): &(usize, usize)| {
                        let losses = &table.targets[target].1;
                        let (centre, _) = mean(losses);
                        let sd =
                            mean(&losses.iter().map(|l| (l - centre).powi(2)).collect::<Vec<_>>()).0.sqrt();
                        let truth = |row: usize| 1.0 / (1.0 + ((losses[row] - centre) / sd - middle).exp());
                        let (train, test) = table.draw(n, draw);
                        let mut rng = Seed::new(9).child(n).child(draw).child(target).rng();
                        let answers = ANSWERS as f64;
                        let told = |&row: &usize| {
                            let right = (0..ANSWERS).filter(|_| rng.random::<f64>() < truth(row)).count();
                            let rate = right as f64 / answers;
                            let noise_variance = Some(variance(rate, answers));
                            Observation {
                                shares: table.shares[row].clone(),
                                score: there(rate, answers),
                                noise_variance,
                            }
                        };
                        let fitted =
                            method.fit(&train.iter().map(told).collect::<Vec<_>>()).expect("enough runs");
                        let seen = |&row: &usize| (truth(row), back(fitted.mean(&table.shares[row])));
                        let (truth, means): (Vec<f64>, Vec<f64>) = test.iter().map(seen).unzip();
                        let squared = truth.iter().zip(&means).map(|(t, m)| (t - m).powi(2)).sum::<f64>();
                        (skill::rank_correlation(&truth, &means), (squared / truth.len() as f64).sqrt())
                    };
                    let all: Vec<(f64, f64)> = jobs.par_iter().map(one).collect();
                    let ranks: Vec<f64> =
                        all.chunks(7).map(|d| d.iter().map(|r| r.0).sum::<f64>() / 7.0).collect();
                    let (rank, error) = mean(&ranks);
                    let missed = mean(&all.iter().map(|r| r.1).collect::<Vec<_>>()).0;
                    print!("  {name} {rank:.3} ±{error:.3} ({missed:.4})");
                }
                println!();
            }
        }
    }
}

fn time(methods: &[Candidate]) {
    let Some(table) = regmix() else { return };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("one thread");
    for Candidate { label, method } in methods {
        for n in [10, 30, 50, 100, 512] {
            let mut rows: Vec<usize> = (0..table.shares.len()).collect();
            rows.shuffle(&mut Seed::new(3).rng());
            rows.truncate(n);
            let mut took: Vec<f64> = Vec::new();
            for target in 0..table.targets.len() {
                let runs = table.runs(target, &rows);
                // Processor time comes in steps of up to 10 ms: enough fits that a step is a part of them.
                let repeats = (2000 / n).clamp(1, 40);
                took.push(pool.install(|| {
                    let start = processor_seconds();
                    for _ in 0..repeats {
                        let _fitted = method.fit(&runs);
                    }
                    (processor_seconds() - start) / repeats as f64
                }));
            }
            took.sort_by(f64::total_cmp);
            println!(
                "{label:24} n = {n:3}: median {:.2} ms, from {:.2} to {:.2} ({} targets)",
                1e3 * took[took.len() / 2],
                1e3 * took[0],
                1e3 * took[took.len() - 1],
                took.len()
            );
        }
    }
}
