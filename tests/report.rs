//! The page as a reader meets it: whole, honest and self-contained, whatever the experiment came to.

use std::{collections::BTreeMap, fmt::Write as _, process::Command};

use modo::{
    mixture::{Mixture, constraint::Constraints},
    name::Name,
    optimize::default_optimizer,
    predict::{Observation, by_name, skill},
    report::*,
    run::{BenchmarkScore, Cost, Decoding, Domain, Part, Realised, RunId, RunRecord, SCHEMA},
    score::Score,
    seed::{ChaCha8Rng, Seed},
};
use rand::Rng;

const DATASETS: [&str; 5] = ["detect", "geometry", "refer", "science", "spatial"];
const BENCHMARKS: [(&str, Domain); 7] = [
    ("refer", Domain::InDomain),
    ("science", Domain::InDomain),
    ("spatial", Domain::InDomain),
    ("chart", Domain::OutOfDomain),
    ("infographic", Domain::OutOfDomain),
    ("mixed_exam", Domain::OutOfDomain),
    ("visual_math", Domain::OutOfDomain),
];

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn id(number: usize) -> RunId {
    serde_json::from_value(format!("{number:016x}").into()).unwrap()
}

/// Sum of a few uniform numbers: near enough to a normal one of standard deviation `sd`.
fn noise(rng: &mut ChaCha8Rng, sd: f64) -> f64 {
    (0..12).map(|_| rng.random::<f64>() - 0.5).sum::<f64>() * sd
}

fn score(mean: f64, n: usize) -> Score {
    let standard_error = (mean.clamp(0.01, 0.99) * (1.0 - mean.clamp(0.01, 0.99)) / n as f64).sqrt();
    Score { mean, standard_error, n_questions: n, n_completions: 4 }
}

/// Eight hundred completions, of which `right` are right.
fn outcomes(right: f64) -> BTreeMap<String, u64> {
    let right = (800.0 * right.clamp(0.0, 0.6)) as u64;
    [("right", right), ("wrong", 300), ("right_without_format", 500 - right)]
        .map(|(of, n)| (of.to_owned(), n))
        .into()
}

/// Both halves and decodings of every benchmark; `lift` is what training added.
fn scores(rng: &mut ChaCha8Rng, lift: &dyn Fn(usize) -> f64, noise_sd: f64) -> Vec<BenchmarkScore> {
    let mut all = Vec::new();
    for (i, (benchmark, domain)) in BENCHMARKS.iter().enumerate() {
        for part in [Part::Selection, Part::Report] {
            for decoding in [Decoding::Sampled, Decoding::Greedy] {
                let start = if decoding == Decoding::Greedy { 0.40 } else { 0.18 };
                let mean = start + 0.03 * i as f64 + lift(i) + noise(rng, noise_sd);
                all.push(BenchmarkScore {
                    benchmark: name(benchmark),
                    domain: *domain,
                    part,
                    decoding,
                    score: score(mean, 200),
                    format_rate: (0.6 + 2.0 * lift(i)).min(0.98),
                    lenient_score: score(mean + 0.08 - 0.6 * lift(i).clamp(0.0, 0.13), 200),
                    mean_tokens: 31.0,
                    outcomes: outcomes(mean),
                    replaced: 0,
                });
            }
        }
    }
    all
}

fn run(number: usize, label: &str, group: Group, mixture: Mixture, steps: u64) -> ReportRun {
    let mut rng = Seed::new(number as u64).child("run").rng();
    let shares = mixture.vector(&DATASETS.map(name));
    let lift = |i: usize| 0.05 + 0.12 * shares[i % 5].sqrt() + 0.04 * shares[2];
    let realised = mixture.shares().map(|(name, share)| {
        let count = |reason: &str, n| (reason.to_owned(), n);
        let one = Realised {
            reasons: [
                [count("right", 20), count("right_without_format", 60), count("wrong", 20)].into(),
                [count("right", 80), count("wrong", 20)].into(),
            ],
            groups: (share * 2880.0).round() as u64,
            passes: share * 2.9,
            all_right: 0.08,
            all_wrong: 0.11,
            reward_first: 1.1,
            reward_last: 1.7,
            ..Realised::default()
        };
        (name.clone(), one)
    });
    let record = RunRecord {
        schema: SCHEMA,
        run: id(number),
        scores: scores(&mut rng, &lift, 0.012),
        realised: realised.collect(),
        cost: Cost {
            cpu_s: 28.0 + noise(&mut rng, 2.0),
            wall_s: 31.0 + noise(&mut rng, 2.0),
            peak_mib: 640.0,
            evaluation_cpu_s: 5.8,
        },
        weights_hash: format!("{:064x}", 77 * number),
        version: "0.1.0".into(),
    };
    let mut curves = Vec::new();
    for step in 0..steps {
        let done = step as f64 / steps as f64;
        for (dataset, share) in mixture.shares().filter(|(_, share)| *share > 0.0) {
            curves.push(CurvePoint {
                step,
                dataset: dataset.clone(),
                reward: 1.0 + share + 0.7 * done + noise(&mut rng, 0.25),
                format: 0.6 + 0.35 * done + noise(&mut rng, 0.05),
                kl: 0.04 * done + noise(&mut rng, 0.003).abs(),
                kl_of_batch: false,
                tokens: 30.0 + 4.0 * done + noise(&mut rng, 1.5),
            });
        }
    }
    ReportRun {
        id: id(number),
        label: label.to_owned(),
        group,
        mixture,
        record: Some(record),
        failure: None,
        curves,
    }
}

fn mixture(shares: &[f64]) -> Mixture {
    let sum: f64 = shares.iter().sum();
    Mixture::new(&DATASETS.iter().zip(shares).map(|(n, s)| (name(n), s / sum)).collect()).unwrap()
}

fn objective() -> Objective {
    Objective {
        target: Target::Overall,
        decoding: Decoding::Sampled,
        description: "mean of all benchmarks by questions".into(),
    }
}

fn empty() -> Report {
    let objective = objective();
    Report {
        title: "quickstart".into(),
        source: Source::Experiment,
        surfaces: None,
        verdict: verdict(&objective, None, None, 0),
        objective,
        base: None,
        runs: Vec::new(),
        predictions: Vec::new(),
        signal: Vec::new(),
        proposal: None,
        confirm: Vec::new(),
        reward_weights: BTreeMap::new(),
        notes: Vec::new(),
        data: Vec::new(),
        provenance: BTreeMap::new(),
        plan: String::new(),
    }
}

fn proposal(signal: bool) -> Proposal {
    Proposal {
        mixture: if signal { mixture(&[0.05, 0.1, 0.45, 0.25, 0.15]) } else { mixture(&[1.0; 5]) },
        predictor: "proposer".into(),
        signal,
        predicted: Interval { mean: 0.397, low: 0.381, high: 0.413 },
        uniform: 0.376,
        gain: Interval { mean: 0.021, low: 0.004, high: 0.038 },
        worst: None,
        p_beats_uniform: 0.96,
        note: (!signal)
            .then(|| "uniform shares are kept: no signal: about 14 runs per mixture would tell a difference of this size from noise".into()),
        binding: vec!["`detect` takes at least .05".into()],
    }
}

fn targets() -> Vec<Target> {
    let aggregates = [Target::In, Target::Out, Target::Overall];
    BENCHMARKS.iter().map(|b| Target::Benchmark(name(b.0))).chain(aggregates).collect()
}

/// A whole experiment: 22 proxy runs of 11 mixtures, `n_designs` single ones, five confirming pairs, one failure.
fn full(n_designs: usize, steps: u64) -> Report {
    let mut report = empty();
    let mut rng = Seed::new(5).rng();
    report.base = Some(scores(&mut rng, &|_| 0.0, 0.004));
    let mut named = vec![("uniform".to_owned(), mixture(&[1.0; 5]))];
    for (i, dataset) in DATASETS.iter().enumerate() {
        let with = |own: f64, others: f64| {
            mixture(&std::array::from_fn::<_, 5, _>(|j| if i == j { own } else { others }))
        };
        named.push((format!("single_{dataset}"), with(1.0, 0.0)));
        named.push((format!("exclude_{dataset}"), with(0.0, 1.0)));
    }
    for seed in 0..2 {
        for (i, (label, mixture)) in named.iter().enumerate() {
            report.runs.push(run(100 * seed + i, label, Group::Sweep, mixture.clone(), steps));
        }
    }
    for i in 0..n_designs {
        let shares: [f64; 5] = std::array::from_fn(|_| rng.random::<f64>().powi(2) + 0.01);
        report.runs.push(run(1000 + i, &format!("design_{i:02}"), Group::Sweep, mixture(&shares), steps));
    }
    let chosen = proposal(true);
    for seed in 0..5 {
        report.runs.push(run(5000 + seed, "proposal", Group::Confirm, chosen.mixture.clone(), steps));
        report.runs.push(run(6000 + seed, "uniform", Group::Confirm, mixture(&[1.0; 5]), steps));
    }
    let failed = ReportRun {
        record: None,
        failure: Some(Failure {
            attempts: 3,
            reason: "the loss is no number in step 41: <script>alert(\"x\")</script> & more".into(),
            log: "runs/00000000000003e7/attempts/3/log.txt".into(),
        }),
        ..run(999, "design_99", Group::Sweep, mixture(&[0.2, 0.3, 0.1, 0.3, 0.1]), 0)
    };
    report.runs.push(failed);
    for target in targets() {
        for decoding in [Decoding::Sampled, Decoding::Greedy] {
            let sweep = report.runs.iter().filter(|run| run.group == Group::Sweep);
            let pairs = sweep.filter_map(|run| {
                let observed = target.score(&run.record.as_ref()?.scores, Part::Selection, decoding)?.mean;
                let mean = observed + noise(&mut rng, 0.01);
                let predicted = Interval { mean, low: mean - 0.02, high: mean + 0.02 };
                Some(LeftOut { label: run.label.clone(), observed, predicted })
            });
            let pairs: Vec<LeftOut> = pairs.collect();
            let n_runs = pairs.len();
            let n_mixtures = 11 + n_designs;
            report.predictions.push(TargetPrediction {
                target: target.clone(),
                decoding,
                predictor: "proposer".into(),
                pairs,
                skill: Some(Skill {
                    r2: 0.61,
                    rank_correlation: 0.78,
                    p: 0.005,
                    n_mixtures,
                    n_runs,
                    signal: true,
                }),
            });
            report.signal.push(TargetSignal {
                target: target.clone(),
                decoding,
                between_sd: 0.03,
                within_sd: Some(0.012),
                f: Some(12.4),
                p: Some(0.0002),
                n_mixtures,
                n_runs,
            });
        }
    }
    let pairs = |report: &Report| {
        let of = |label: &str| -> Vec<RunRecord> {
            let arm = report.runs.iter().filter(|run| run.group == Group::Confirm && run.label == label);
            arm.filter_map(|run| run.record.clone()).collect()
        };
        (of("proposal"), of("uniform"))
    };
    let (arm, against) = pairs(&report);
    let pairs: Vec<PairedRuns> =
        arm.iter().zip(&against).map(|(arm, against)| PairedRuns { arm, against }).collect();
    report.confirm = vec![confirm_summary("proposal", "uniform", &pairs, &Target::Overall)];
    report.verdict = verdict(&report.objective, Some(&chosen), report.confirm.first(), 22 + n_designs);
    report.proposal = Some(chosen);
    report.notes = vec![
        "The world's settings were fixed from base accuracy and noise alone, before any \
                         mixture was compared."
            .into(),
    ];
    report.provenance = [
        ("ledger hash", "8c1f0a52d3b94e77"),
        ("base hash", "52f1c3a9".repeat(8).as_str()),
        ("version", "0.1.0"),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .into();
    report.plan = "[budget]\nsteps = 180\nprompts_per_step = 16\n".into();
    report
}

/// Fits the proxy runs of `report` and adds what the page shows of mixtures not tried. `constraints`: in TOML.
fn explored(mut report: Report, constraints: &str) -> Report {
    let names = DATASETS.map(name);
    let sweep: Vec<&ReportRun> =
        report.runs.iter().filter(|run| run.group == Group::Sweep && run.record.is_some()).collect();
    let observations = |target: &Target| -> Vec<Observation> {
        let one = |run: &&ReportRun| Observation {
            shares: run.mixture.vector(&names),
            score: target
                .score(&run.record.as_ref().unwrap().scores, Part::Selection, Decoding::Sampled)
                .unwrap()
                .mean,
            noise_variance: None,
        };
        sweep.iter().map(one).collect()
    };
    let targets: Vec<Vec<Observation>> =
        BENCHMARKS.iter().map(|b| observations(&Target::Benchmark(name(b.0)))).collect();
    let method = by_name("gp3_cube").unwrap();
    let equal = [1.0 / 7.0; 7];
    let settings = skill::Settings { n_permutations: 19, ..skill::Settings::default() };
    let assessment = skill::assess(method.as_ref(), &targets, &equal, &settings).unwrap();
    let shown = |target: Target, weights: Vec<f64>, skill: &skill::Skill| Shown {
        target,
        weights,
        skill: skill.clone(),
        lower_is_better: false,
    };
    let domain = |of: Domain| {
        let inside = BENCHMARKS.iter().filter(|b| b.1 == of).count() as f64;
        BENCHMARKS.iter().map(|b| if b.1 == of { 1.0 / inside } else { 0.0 }).collect::<Vec<f64>>()
    };
    let mut all = vec![
        shown(Target::Overall, equal.to_vec(), &assessment.objective),
        shown(Target::In, domain(Domain::InDomain), &assessment.objective),
        shown(Target::Out, domain(Domain::OutOfDomain), &assessment.objective),
    ];
    for (i, skill) in assessment.targets.iter().enumerate() {
        let alone = (0..7).map(|j| f64::from(u8::from(i == j))).collect();
        all.push(shown(Target::Benchmark(name(BENCHMARKS[i].0)), alone, skill));
    }
    let labels: Vec<String> = sweep.iter().map(|run| run.label.clone()).collect();
    let region = toml::from_str::<Constraints>(constraints).unwrap().region(&names, None).unwrap();
    let proposal = report.proposal.as_ref().filter(|p| p.signal).map(|p| p.mixture.vector(&names));
    let next = vec![0.2, 0.2, 0.5, 0.1, 0.0];
    let surfaces = explore(&Explore {
        datasets: &names,
        labels: &labels,
        targets: &targets,
        shown: all,
        method: method.as_ref(),
        region: &region,
        proposal: proposal.as_deref(),
        next: vec![(next, 0.004, Interval { mean: 0.39, low: 0.37, high: 0.41 })],
        aims: vec![1, 2],
        triples: Vec::new(),
        optimizer: default_optimizer().as_ref(),
        seed: Seed::new(3),
    });
    report.surfaces = Some(surfaces.unwrap());
    report
}

/// Every section is there, nothing is loaded, nothing is unescaped, no number is printed as NaN.
fn check(page: &str) {
    let of_experiments = ["confirm", "gains", "curves", "realised", "data", "cost", "failures"];
    check_sections(page, &[&of_experiments[..], &SECTIONS].concat());
}

/// Those of every page.
const SECTIONS: [&str; 10] = [
    "proposal",
    "leaderboard",
    "signal",
    "prediction",
    "importance",
    "shares",
    "maps",
    "front",
    "next",
    "provenance",
];

fn check_sections(page: &str, sections: &[&str]) {
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
    for section in sections {
        let start =
            page.find(&format!("<section id=\"{section}\">")).unwrap_or_else(|| panic!("no {section}"));
        let body = &page[start..start + page[start..].find("</section>").unwrap()];
        assert!(body.contains("<p"), "{section} says nothing:\n{body}");
    }
    for outside in ["http:", "https:", "<script", "<link", "<img", "url(", "@import", "src=\""] {
        assert!(!page.contains(outside), "the page holds `{outside}`");
    }
    for wrong in ["NaN", ">inf<", "inf,", " -0."] {
        assert!(!page.contains(wrong), "the page holds `{wrong}`");
    }
    assert!(page.len() <= 5_000_000, "{} bytes", page.len());
}

#[test]
fn a_whole_experiment_makes_a_whole_page() {
    let page = render(&full(8, 60));
    check(&page);
    for text in [
        "5 pairs",
        "n = 5",
        "prefers-color-scheme: dark",
        "sd between seeds",
        "of it new skill",
        "What came of the completions of each benchmark",
        "runs/00000000000003e7/attempts/3/log.txt",
        "&#60;script&#62;",
        "8c1f0a52d3b94e77",
        "prompts_per_step = 16",
    ] {
        assert!(page.contains(text), "the page lacks `{text}`");
    }
}

/// The section called `id`.
fn part<'a>(page: &'a str, id: &str) -> &'a str {
    let start = page.find(&format!("<section id=\"{id}\">")).unwrap();
    &page[start..start + page[start..].find("</section>").unwrap()]
}

#[test]
fn predictions_of_mixtures_not_tried_are_drawn_and_said() {
    let report = explored(full(8, 5), "shares.detect = { max = 0.6 }");
    let page = render(&report);
    check(&page);
    let surfaces = report.surfaces.as_ref().unwrap();
    assert!(surfaces.shown[0].signal, "the surface of the made-up runs is plain");

    // A row per dataset with both changes, and a table of all ten targets over all five datasets.
    let importance = part(&page, "importance");
    assert!(importance.contains("(1/5 each)") && importance.matches("<svg ").count() == 1);
    assert_eq!(importance.matches("<tr>").count(), 1 + 10);
    assert!(importance.contains("class=\"n gain3\""));

    // Each of ten targets over each of five datasets, the seven benchmarks behind a click.
    let shares = part(&page, "shares");
    assert_eq!(shares.matches("<svg ").count(), 50);
    assert_eq!(shares.matches("<details>").count(), 7);
    assert!(shares.contains("class=\"band ink-main\""));

    // The objective over two triples, its uncertainty, In-Score and Out-Score.
    let maps = part(&page, "maps");
    assert_eq!(maps.matches("<svg ").count(), 5);
    assert!(maps.contains("in the proposal&#39;s proportions") && maps.contains("orange: the proposal"));
    let detect = surfaces.datasets.iter().position(|d| d.as_str() == "detect").unwrap();
    if surfaces.maps.iter().any(|map| map.triple.contains(&detect)) {
        assert!(maps.contains("not allowed by the constraints"));
    }

    let front = surfaces.front.as_ref().unwrap();
    assert!(front.points.iter().all(|(shares, _)| shares[detect] <= 0.6 + 1e-9));
    assert!(part(&page, "front").contains("Pareto front of the fitted predictions"));

    let (now, after) = surfaces.gain_half_width.unwrap();
    assert!(after < now, "another run widened the gain from {now} to {after}");
    assert!(part(&page, "next").contains("would be to about ±"));
}

#[test]
fn without_a_signal_no_hills_are_mapped() {
    let mut report = full(4, 5);
    // Scores that have nothing to do with the mixture.
    let mut rng = Seed::new(11).rng();
    for record in report.runs.iter_mut().filter_map(|run| run.record.as_mut()) {
        record.scores.iter_mut().for_each(|s| s.score.mean = 0.3 + noise(&mut rng, 0.02));
    }
    report.proposal = Some(proposal(false));
    let report = explored(report, "");
    assert!(!report.surfaces.as_ref().unwrap().shown[0].signal);
    let page = render(&report);
    check(&page);
    assert!(part(&page, "maps").contains("hills that are not there"));
    assert!(part(&page, "front").contains("No front is shown"));
    assert!(part(&page, "importance").contains("what the data leave open"));
    assert!(part(&page, "next").contains("they look for a signal"));
}

fn modo(args: &[&std::ffi::OsStr]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_modo")).args(args).env("NO_COLOR", "1").output().unwrap()
}

/// Writes two tables of `n` runs of four datasets, of which two scores depend on the shares and one does not.
fn tables(folder: &std::path::Path, n: usize) -> [std::path::PathBuf; 2] {
    let mut rng = Seed::new(2).rng();
    let mut mixtures =
        String::from("run,train_web_text,train_web_code,train_web_maths,train_web_<i>news</i>\n");
    let mut scores = String::from("run,loss_of_text,loss_of_code,\"loss_of_<script>alert(1)</script>\"\n");
    for run in 0..n {
        let draws: [f64; 4] = std::array::from_fn(|_| -rng.random::<f64>().max(1e-9).ln());
        let sum: f64 = draws.iter().sum();
        let x = draws.map(|draw| draw / sum);
        let text = 3.0 - x[0].sqrt() - 0.3 * x[3] + noise(&mut rng, 0.01);
        let code = 4.0 - 2.0 * x[1].sqrt() + noise(&mut rng, 0.01);
        let none = 5.0 + noise(&mut rng, 0.1);
        writeln!(mixtures, "r{run},{},{},{},{}", x[0], x[1], x[2], x[3]).unwrap();
        writeln!(scores, "r{run},{text},{code},{none}").unwrap();
    }
    let paths = [folder.join("mixtures.csv"), folder.join("scores.csv")];
    std::fs::write(&paths[0], mixtures).unwrap();
    std::fs::write(&paths[1], scores).unwrap();
    paths
}

#[test]
fn a_table_of_runs_has_a_page_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let [mixtures, scores] = tables(folder.path(), 24);
    let page = folder.path().join("page.html");
    let (option, file) = (std::ffi::OsStr::new("--report"), page.as_os_str());
    let told = [mixtures.as_os_str(), scores.as_os_str()];
    let given = |more: &[&str]| {
        let mut args: Vec<&std::ffi::OsStr> = vec![
            "predict".as_ref(),
            "--mixtures".as_ref(),
            told[0],
            "--scores".as_ref(),
            told[1],
            option,
            file,
        ];
        args.extend(more.iter().map(std::ffi::OsStr::new));
        modo(&args)
    };
    let all = given(&["--minimize", "loss_of_text,loss_of_code,loss_of_<script>alert(1)</script>"]);
    assert!(all.status.success(), "{}", String::from_utf8_lossy(&all.stderr));
    let page = std::fs::read_to_string(&page).unwrap();
    check_sections(&page, &SECTIONS);
    for absent in ["confirm", "gains", "curves", "realised", "data", "cost", "failures"] {
        assert!(
            !page.contains(&format!("<section id=\"{absent}\">")),
            "{absent} has nothing to say of a table"
        );
    }
    for text in [
        "without what all have in common: <code>train_web_</code>",
        "share of code",
        "&#60;script&#62;alert(1)&#60;/script&#62;",
        "(lower is better)",
        "24 runs, ranked by objective",
        "hash of both",
    ] {
        assert!(page.contains(text), "the page lacks `{text}`");
    }
    assert!(!page.contains("sampled") && !page.contains("greedy"), "a table knows no decoding");

    let nothing = given(&[]);
    assert_eq!(nothing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("which scores are good when large"));
}

#[test]
fn the_front_of_a_table_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let [mixtures, scores] = tables(folder.path(), 24);
    let front = |aims: &str| {
        let mut args: Vec<&std::ffi::OsStr> =
            vec!["predict".as_ref(), "--mixtures".as_ref(), mixtures.as_os_str()];
        args.extend(["--scores".as_ref(), scores.as_os_str(), "--json".as_ref()]);
        args.extend(["--minimize", "loss_of_text,loss_of_code", "--pareto", aims].map(std::ffi::OsStr::new));
        modo(&args)
    };
    let found = front("loss_of_text,loss_of_code");
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
    let found: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    let points = found["points"].as_array().unwrap();
    assert!(points.len() > 5, "{} points", points.len());
    let at = |i: usize, aim: usize| points[i]["values"][aim]["mean"].as_f64().unwrap();
    // From the lowest of the first aim's negative: along the front one loss falls and the other rises.
    for i in 1..points.len() {
        assert!(at(i, 0) < at(i - 1, 0) && at(i, 1) > at(i - 1, 1), "{points:?}");
    }
    // The losses of text want text, those of code want code, so maths is on no point.
    assert!(points.iter().all(|p| p["shares"][2].as_f64().unwrap() < 0.1), "{points:?}");
    let wrong = front("loss_of_text,lossy");
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("there is no score `lossy`"));
}

#[test]
fn learning_curves_are_a_picture_and_a_plot_in_text() {
    let folder = tempfile::tempdir().unwrap();
    let [mixtures, scores] = tables(folder.path(), 24);
    let picture = folder.path().join("curves.svg");
    let mut args: Vec<&std::ffi::OsStr> =
        vec!["compare".as_ref(), "--mixtures".as_ref(), mixtures.as_os_str()];
    args.extend(["--scores".as_ref(), scores.as_os_str(), "--plot".as_ref(), picture.as_os_str()]);
    args.extend(["--sizes", "6,12", "--draws", "2", "--predictors", "ridge,mean"].map(std::ffi::OsStr::new));
    let done = modo(&args);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let svg = std::fs::read_to_string(&picture).unwrap();
    assert!(svg.contains(">ridge</text>") && svg.contains(">mean</text>"));
    assert!(!svg.contains("<script") && !svg.contains("href"));
    let text = String::from_utf8(done.stdout).unwrap();
    assert!(text.contains("fitted on 1: 6, 2: 12 mixtures"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn an_experiment_without_a_run_says_so_everywhere() {
    let page = render(&empty());
    check(&page);
    assert!(page.contains("Nothing is proposed yet: no proxy run has finished."));
    assert!(page.contains("No proxy run has finished, so there is nothing to rank."));
    assert!(!page.contains("<svg"));
}

#[test]
fn one_run_gives_no_interval_between_runs() {
    let mut report = empty();
    report.runs = vec![run(1, "uniform", Group::Sweep, mixture(&[1.0; 5]), 3)];
    report.base = full(0, 1).base;
    let page = render(&report);
    check(&page);
    assert!(page.contains("No mixture was run twice"));
    assert!(page.contains("1 finished run of 1 mixture on selection questions"));
}

#[test]
fn scores_that_are_no_numbers_are_left_out_and_counted() {
    let mut report = full(3, 5);
    for run in &mut report.runs[..4] {
        for score in &mut run.record.as_mut().unwrap().scores {
            score.score = Score { mean: f64::NAN, standard_error: f64::INFINITY, ..score.score };
            score.lenient_score.mean = f64::NAN;
            score.format_rate = f64::INFINITY;
        }
        run.curves.iter_mut().for_each(|point| point.reward = f64::NAN);
    }
    report.predictions[0].pairs[0].predicted = Interval { mean: f64::NAN, low: f64::NAN, high: f64::NAN };
    report.signal[0].within_sd = Some(f64::NAN);
    let page = render(&report);
    check(&page);
    assert!(page.contains("4 runs without a score on the objective"));
}

#[test]
fn missing_benchmarks_leave_dashes_not_holes() {
    let mut report = full(2, 5);
    for (i, run) in report.runs.iter_mut().filter_map(|run| run.record.as_mut()).enumerate() {
        run.scores.retain(|s| i % 3 == 0 || s.domain == Domain::InDomain);
        if i % 5 == 0 {
            run.scores.clear();
        }
    }
    check(&render(&report));
}

#[test]
fn low_scores_are_told_without_shame() {
    let mut report = full(2, 5);
    for record in report.runs.iter_mut().filter_map(|run| run.record.as_mut()) {
        record.scores.iter_mut().for_each(|s| s.score.mean *= 0.02);
    }
    let page = render(&report);
    check(&page);
    assert!(page.contains("Scores are low: the best mixture&#39;s mean is 0.00"));
}

#[test]
fn no_signal_is_the_verdict_and_never_a_recommendation() {
    let mut report = full(0, 5);
    report.confirm.clear();
    report.runs.retain(|run| run.group == Group::Sweep);
    let kept = proposal(false);
    report.verdict = verdict(&report.objective, Some(&kept), None, 22);
    report.proposal = Some(kept);
    assert!(
        report
            .verdict
            .starts_with("The data show no signal (Overall, sampled; 22 proxy runs): about 14 runs")
    );
    let page = render(&report);
    check(&page);
    assert!(page.contains("they are no recommendation"));
    assert!(page.contains("No confirm run has finished"));
    assert!(!page.contains("expected gain over uniform"));
}

#[test]
fn a_thousand_runs_stay_within_five_megabytes() {
    let mut report = full(1000, 20);
    report.runs[30].label = "x".repeat(100_000);
    let failure = report.runs.last_mut().unwrap().failure.as_mut().unwrap();
    failure.reason = "<".repeat(2_000_000);
    let page = render(&report);
    check(&page);
    assert!(page.contains("more rows left out here"));
}

#[test]
fn benchmarks_that_weigh_answers_differently_are_told_apart() {
    let mut report = full(2, 20);
    let alike = render(&report);
    assert!(alike.contains("as the reward weighs it (format 1, right answer 2)"));
    let other = RewardWeights { accuracy: 1.0, format: 0.25 };
    report.reward_weights.insert(name(BENCHMARKS[0].0), other);
    let page = render(&report);
    check(&page);
    let gains = part(&page, "gains");
    assert!(gains.contains("Rewards do not weigh answer and format alike"));
    assert!(gains.contains(&format!("{} (format 0.25, right answer 1)", BENCHMARKS[0].0)));
    assert!(gains.contains("as the reward of each benchmark weighs it"));
    assert!(!gains.contains("as the reward weighs it (format"));
}

#[test]
fn what_was_replaced_and_what_taught_nothing_is_said() {
    let mut report = full(0, 20);
    let silent = render(&report);
    assert!(!part(&silent, "realised").contains("Rows of benchmarks"));
    for record in report.runs.iter_mut().filter_map(|run| run.record.as_mut()) {
        for (i, score) in record.scores.iter_mut().enumerate() {
            score.replaced = if score.benchmark == name(BENCHMARKS[1].0) { 7 + i as u64 % 2 } else { 0 };
        }
        record.realised.values_mut().for_each(|realised| realised.equal_rewards = Some(0.375));
    }
    let page = render(&report);
    let realised = part(&page, "realised");
    assert!(realised.contains(&format!("any: {} 8.", BENCHMARKS[1].0)), "{realised}");
    assert!(realised.contains("equal rewards") && realised.contains("0.375"));
    report.runs[0].curves[0].kl_of_batch = true;
    assert!(part(&render(&report), "curves").contains("1 of them were made by an earlier version"));
}

#[test]
fn texts_from_outside_are_escaped() {
    let mut report = full(0, 5);
    let bad = "\"><img src=x onerror=alert(1)></title></svg><b>";
    report.title = bad.into();
    report.verdict = bad.into();
    report.plan = bad.into();
    report.notes = vec![bad.into()];
    report.runs.iter_mut().for_each(|run| run.label = bad.into());
    report.provenance.insert(bad.into(), bad.into());
    report.predictions[0].pairs[0].label = bad.into();
    report.confirm[0].arm = bad.into();
    let page = render(&report);
    assert!(!page.contains("<img") && !page.contains("<b>"));
    // One in the head; every other title belongs to a mark.
    assert_eq!(page.matches("</svg>").count(), page.matches("<svg ").count());
}

#[test]
fn paired_gains_cancel_what_pairs_share() {
    // Per benchmark: gains .02, .03, .04 over seeds whose levels differ by .3; mean .03, sd .01, n 3:
    // half width 4.3027 × .01 / sqrt(3) = .02484.
    let record = |level: f64| RunRecord {
        scores: scores(&mut Seed::new(0).rng(), &|_| level, 0.0),
        ..run(1, "", Group::Confirm, mixture(&[1.0; 5]), 0).record.unwrap()
    };
    let runs = [(0.02, 0.0), (0.33, 0.3), (0.64, 0.6)].map(|(a, b)| (record(a), record(b)));
    let pairs: Vec<PairedRuns> = runs.iter().map(|(arm, against)| PairedRuns { arm, against }).collect();
    let summary = confirm_summary("proposal", "uniform", &pairs, &Target::Overall);
    assert_eq!(summary.gains.len(), 2 * 10); // 7 benchmarks, In, Out, Overall; sampled and greedy
    for gain in &summary.gains {
        assert!((gain.gain.mean - 0.03).abs() < 1e-12 && gain.gain.n == 3, "{gain:?}");
        assert!((gain.gain.half_width.unwrap() - 0.02484).abs() < 1e-5, "{gain:?}");
    }
    assert_eq!(summary.gain(&Target::Overall, Decoding::Greedy).unwrap().n_questions, 1400);
}

#[test]
fn the_worst_of_several_gains_is_told_as_what_it_is() {
    let gain = Interval { mean: 0.5, low: 0.1, high: 0.9 };
    let chosen = Proposal { worst: Some(("chart".into(), gain)), ..proposal(true) };
    let said = verdict(&objective(), Some(&chosen), None, 30);
    assert!(said.contains("expected to gain +0.500 over uniform shares at worst"), "{said}");
    assert!(said.contains("on `chart`") && !said.contains("0.021"), "{said}");
    let mut report = empty();
    report.proposal = Some(chosen);
    let page = render(&report);
    assert!(page.contains("which was made large, is that of"), "no sentence on the worst");
}

#[test]
fn the_verdict_tells_confirmed_from_refuted_from_open() {
    let sentence = |gains: &[f64]| {
        let record = |level: f64| RunRecord {
            scores: scores(&mut Seed::new(0).rng(), &|_| level, 0.0),
            ..run(1, "", Group::Confirm, mixture(&[1.0; 5]), 0).record.unwrap()
        };
        let runs: Vec<_> = gains.iter().map(|gain| (record(*gain), record(0.0))).collect();
        let pairs: Vec<PairedRuns> = runs.iter().map(|(arm, against)| PairedRuns { arm, against }).collect();
        let summary = confirm_summary("proposal", "uniform", &pairs, &Target::Overall);
        verdict(&objective(), Some(&proposal(true)), Some(&summary), 30)
    };
    // Half width: 2.776 × sd / sqrt(5) for five pairs.
    let five = sentence(&[0.02, 0.03, 0.025, 0.015, 0.035]);
    assert_eq!(
        five,
        "Proposed: detect .05 geometry .10 refer .45 science .25 spatial .15, expected to gain +0.021 \
         over uniform shares (Overall, sampled; 90 % interval +0.004 to +0.038; chance to beat uniform 96 \
         %); measured with fresh seeds on questions that no decision saw: +0.025 (95 % interval +0.015 to \
         +0.035, n = 5 paired seeds): the proposal beats uniform shares."
    );
    assert!(
        sentence(&[-0.02, -0.03, -0.025])
            .ends_with("uniform shares beat the proposal, so the prediction was wrong.")
    );
    assert!(sentence(&[0.02, -0.03]).ends_with("that does not tell it from no gain."));
    assert!(sentence(&[0.02]).ends_with("one pair says nothing about chance."));
    assert!(sentence(&[]).ends_with("no pair of runs has measured that gain yet."));
}

/// Run with `cargo test --test report -- --ignored`; `CHROMIUM` names the browser, `PAGES` a folder to keep pages in.
#[test]
#[ignore = "needs Chromium"]
fn nothing_is_wider_than_the_window_in_chromium() {
    let kept = std::env::var_os("PAGES").map(std::path::PathBuf::from);
    let folder = tempfile::tempdir().unwrap();
    let folder = kept.as_deref().unwrap_or(folder.path());
    let browser = std::env::var("CHROMIUM").unwrap_or_else(|_| "chromium".into());
    let mut one = empty();
    one.runs = vec![run(1, "uniform", Group::Sweep, mixture(&[1.0; 5]), 3)];
    let mut long = full(3, 5);
    let word = "w".repeat(3000);
    (long.title, long.verdict, long.plan) = (word.clone(), word.clone(), word.clone());
    (long.notes, long.objective.description) = (vec![word.clone()], word.clone());
    long.runs.iter_mut().for_each(|run| run.label = format!("{}{word}", run.label));
    long.runs.last_mut().unwrap().failure.as_mut().unwrap().reason = word.clone();
    long.provenance.insert(word.clone(), word.clone());
    (long.confirm[0].arm, long.confirm[0].against) = (word.clone(), word);
    let long = explored(long, "");
    let whole = explored(full(8, 180), "shares.detect = { max = 0.6 }");
    for (kind, report) in [("full", whole), ("one", one), ("empty", empty()), ("long", long)] {
        let page = render(&report);
        std::fs::write(folder.join(format!("{kind}.html")), &page).unwrap();
        let mut around = String::from("<!doctype html><body><script>const page = ");
        // A script element ends at the first `</`, even inside a string.
        around.push_str(&serde_json::to_string(&page).unwrap().replace("</", "<\\/"));
        write!(
            around,
            ";for (const width of [400, 1400]) {{ const f = document.createElement('iframe'); f.srcdoc = \
             page;
             f.style = `width:${{width}}px;height:900px;border:0`; f.onload = () => {{
 \
                         const e = f.contentDocument.documentElement, m = document.createElement('p');
    \
                      m.textContent = `at ${{width}} over ${{e.scrollWidth - e.clientWidth}} end`; \
             document.body.append(m); }};
             document.body.append(f); }}</script>"
        )
        .unwrap();
        let file = folder.join(format!("{kind}-around.html"));
        std::fs::write(&file, around).unwrap();
        let output = Command::new(&browser)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--virtual-time-budget=20000",
                "--dump-dom",
            ])
            .arg(&file)
            .output()
            .unwrap();
        let dom = String::from_utf8_lossy(&output.stdout);
        for width in [400, 1400] {
            assert!(
                dom.contains(&format!("at {width} over 0 end")),
                "{kind}: {}",
                &dom[dom.len().saturating_sub(400)..]
            );
        }
    }
}
