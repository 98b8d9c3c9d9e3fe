//! A sweep does every run once, whatever is killed meanwhile.
//!
//! Workers and controllers are this test binary started again, told what to be by an environment variable.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use modo::{
    launch::{Ended, Fake, Job, Launcher, Local, Presence, Process, Scripted, Signal, State},
    ledger::{ClaimError, Commit, Filter, Ledger, Life, RunFolder, Target, protocol},
    mixture::{Mixture, draw_rule::DrawRule},
    name::Name,
    run::{
        BenchmarkScore, Budget, Cost, Decoding, Domain, Estimate, Evaluation, Part, RunRecord, RunSpec,
        RunStatus, SCHEMA,
    },
    score::Score,
    seed::Seed,
    sweep::{self, Event, Observer, Outcome, Settings, Silent, Sweep, Worker},
};

/// Says what a process of this binary is to be.
const ROLE: &str = "MODO_TEST_ROLE";

#[test]
fn a_sweep_makes_every_run_once_and_nothing_when_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = sweep(folder.path(), specs(5), Box::new(Local::with_workers(2)), "worker");
    assert_eq!((outcome.done, outcome.already, outcome.failed.len()), (5, 0, 0));
    check_whole(folder.path(), &specs(5));
    // The sixth run is new; the others stay as they are.
    let before = results(folder.path());
    let outcome = sweep(folder.path(), specs(6), Box::new(Local::with_workers(2)), "worker");
    assert_eq!((outcome.done, outcome.already), (1, 5));
    let after = results(folder.path());
    assert!(before.iter().all(|(run, result)| after[run] == *result));
}

#[test]
fn nothing_is_lost_or_done_twice_when_controllers_and_workers_are_killed_50_times() {
    const KILLS: usize = 50;
    let undisturbed = tempfile::tempdir().unwrap();
    let specs = specs(30);
    for spec in &specs {
        work(&RunFolder::create(undisturbed.path(), spec).unwrap());
    }
    let expected = Ledger::from_runs(undisturbed.path()).unwrap().0;

    let (mut kills, mut workers_killed) = (0, 0);
    let mut luck = Seed::new(1).child("kills");
    let begun = Instant::now();
    while kills < KILLS {
        // One round: a sweep that is killed until it is done in spite of it.
        let folder = tempfile::tempdir().unwrap();
        let mut seen = BTreeMap::new();
        let mut controller = control(folder.path());
        loop {
            assert!(begun.elapsed() < Duration::from_mins(5), "{kills} kills took {:?}", begun.elapsed());
            luck = luck.child("next");
            thread::sleep(Duration::from_millis(50 + luck.bits() % 400));
            if let Some(status) = controller.try_wait().unwrap() {
                assert!(status.success(), "{}", fs::read_to_string(folder.path().join("out")).unwrap());
                break;
            }
            if kills == KILLS {
                continue;
            }
            kills += 1;
            // In turn: the controller, a worker, both together.
            if kills % 3 != 1 {
                let alive: Vec<Process> = alive(folder.path());
                if let Some(process) = alive.get(luck.bits() as usize / 7 % alive.len().max(1)) {
                    process.signal_group(Signal::Kill);
                    workers_killed += 1;
                }
            }
            if kills % 3 != 2 {
                controller.kill().unwrap();
                controller.wait().unwrap();
                controller = control(folder.path());
            }
            // A result that was seen once stays the same file.
            let now = results(folder.path());
            assert!(seen.iter().all(|(run, result)| now.get(run) == Some(result)));
            seen = now;
        }
        check_whole(folder.path(), &specs);
        let (ledger, damaged) = Ledger::from_runs(folder.path()).unwrap();
        assert!(damaged.is_empty(), "{damaged:?}");
        assert_eq!(ledger, expected);
        assert_eq!(ledger.hash(), expected.hash());
    }
    // Kills that hit nothing would prove nothing.
    assert!(workers_killed >= KILLS / 3, "only {workers_killed} workers were killed");
}

#[test]
fn a_second_controller_is_told_who_holds_the_experiment() {
    let folder = tempfile::tempdir().unwrap();
    let _held = sweep::Lock::take(folder.path()).unwrap();
    let stop = AtomicBool::new(false);
    let mut second = new(folder.path(), specs(1), Box::new(Local::with_workers(1)), "worker", &stop);
    let error = second.run(&mut Silent).unwrap_err().to_string();
    assert!(error.starts_with(&format!("process {} on ", std::process::id())), "{error}");
    assert!(!folder.path().join("runs").join(specs(1)[0].id().as_str()).exists());
}

#[test]
fn a_failing_run_is_tried_three_times_and_does_not_stop_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let specs = specs(4);
    let bad = specs[1].id();
    let outcome = scripted(folder.path(), &specs, |run| {
        if *run.run() == bad {
            return Scripted::exit(1);
        }
        work(run);
        Scripted::exit(0)
    });
    assert_eq!((outcome.done, outcome.failed.len(), outcome.retried), (3, 1, 2));
    let log = RunFolder::create(folder.path(), &specs[1]).unwrap().log_path();
    let error = outcome.into_result().unwrap_err().to_string();
    let expected = format!(
        "1 of 4 runs failed\n  in run {bad} (mixture_1): it ended with exit code 1; its log is {}\nhint: give the \
         same command again to try only these once more",
        log.display()
    );
    assert_eq!(error, expected);
}

#[test]
fn a_configuration_error_is_not_tried_again() {
    for code in [2, 65, 78] {
        check_tries(|_| Scripted::exit(code), 1);
    }
}

#[test]
fn an_exit_without_a_result_is_a_failure() {
    check_tries(|_| Scripted::exit(0), 3);
}

#[test]
fn a_run_killed_by_a_signal_is_tried_three_times() {
    let ended = Ended { code: None, signal: Some(9) };
    check_tries(|_| Scripted { polls: 0, end: State::Ended(ended) }, 3);
}

#[test]
fn an_interruption_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let mut codes = [1, 75, 75, 1].into_iter();
    let outcome = scripted(folder.path(), &specs(1), |run| {
        let code = codes.next();
        if code.is_none() {
            work(run);
        }
        Scripted::exit(code.unwrap_or(0))
    });
    assert_eq!((outcome.done, outcome.retried), (1, 4));
}

#[test]
fn the_reason_is_the_one_that_the_attempt_gave() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = scripted(folder.path(), &specs(1), |run| {
        run.claim().unwrap().fail(78, "no dataset `x`").unwrap();
        Scripted::exit(78)
    });
    assert_eq!(outcome.failed[0].reason, "no dataset `x`");
    let run = RunFolder::create(folder.path(), &specs(1)[0]).unwrap();
    assert_eq!(run.status(3).unwrap(), RunStatus::Failed);
}

#[test]
fn a_run_that_writes_nothing_is_ended_and_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let mut tries = 0;
    let fake = Fake::new(1, |job: &Job| {
        tries += 1;
        if tries == 2 {
            work(&run_of(job));
            return Scripted::exit(0);
        }
        Scripted { polls: 0, end: State::Running }
    });
    let mut sweep = new(folder.path(), specs(1), Box::new(fake), "", &stop);
    sweep.settings.stall = Some(Duration::from_millis(300));
    let mut reasons = Reasons::default();
    let outcome = sweep.run(&mut reasons).unwrap();
    drop(sweep);
    assert_eq!((outcome.done, outcome.retried), (1, 1));
    assert_eq!(reasons.0, ["it wrote nothing for 0.3 s"]);
}

#[test]
fn a_worker_that_shows_no_sign_of_life_is_ended_and_its_run_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let mut sweep = new(folder.path(), specs(1), Box::new(Local::with_workers(1)), "first_sleeps", &stop);
    // More than two heartbeats.
    sweep.settings.lease = Duration::from_millis(2500);
    let mut reasons = Reasons::default();
    let (outcome, stopped) = thread::scope(|scope| {
        let stopped = scope.spawn(|| {
            loop {
                if let Some(process) = alive(folder.path()).pop() {
                    // A machine that swaps or a debugger looks the same: the process is there and does nothing.
                    let pid = nix::unistd::Pid::from_raw(process.pid as i32);
                    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).unwrap();
                    return process;
                }
                thread::sleep(Duration::from_millis(10));
            }
        });
        (sweep.run(&mut reasons).unwrap(), stopped.join().unwrap())
    });
    assert_eq!((outcome.done, outcome.retried), (1, 1));
    assert_eq!(reasons.0, ["it gave no sign of life for 2.5 s"]);
    assert_eq!(stopped.presence(), Presence::Gone);
}

#[test]
fn of_five_controllers_started_at_once_one_works() {
    let folder = tempfile::tempdir().unwrap();
    let results = thread::scope(|scope| {
        let one = || {
            let stop = AtomicBool::new(false);
            new(folder.path(), specs(3), Box::new(Local::with_workers(2)), "worker", &stop).run(&mut Silent)
        };
        let all: Vec<_> = (0..5).map(|_| scope.spawn(one)).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let errors: Vec<String> = results.iter().filter_map(|r| Some(r.as_ref().err()?.to_string())).collect();
    assert_eq!(errors.len(), 4);
    assert!(errors.iter().all(|error| error.contains("is already working on this experiment")), "{errors:?}");
    check_whole(folder.path(), &specs(3));
}

#[test]
fn a_stop_ends_the_workers_and_the_next_sweep_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let mut sweep = new(folder.path(), specs(3), Box::new(Local::with_workers(2)), "sleeper", &stop);
    sweep.settings.grace = Duration::from_millis(500);
    let outcome = thread::scope(|scope| {
        scope.spawn(|| {
            while alive(folder.path()).len() < 2 {
                thread::sleep(Duration::from_millis(10));
            }
            stop.store(true, Ordering::Relaxed);
        });
        sweep.run(&mut Silent).unwrap()
    });
    assert!(outcome.interrupted && outcome.failed.is_empty());
    assert!(alive(folder.path()).is_empty());
    assert_eq!(outcome.into_result().unwrap_err().kind(), modo::error::Kind::Interrupted);
    let outcome = self::sweep(folder.path(), specs(3), Box::new(Local::with_workers(2)), "worker");
    assert_eq!(outcome.done, 3);
}

#[test]
fn a_worker_that_outlived_its_controller_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::create(folder.path(), &specs(1)[0]).unwrap();
    let mut orphan = this_binary("worker");
    let mut orphan = orphan.arg(run.spec_path()).stdout(Stdio::null()).process_group(0).spawn().unwrap();
    while run.attempts().is_empty() {
        thread::sleep(Duration::from_millis(1));
    }
    let outcome = sweep(folder.path(), specs(1), Box::new(Fake::new(1, |_: &Job| Scripted::exit(1))), "");
    orphan.wait().unwrap();
    assert_eq!((outcome.done + outcome.already, outcome.retried, run.attempts().len()), (1, 0, 1));
}

#[test]
fn the_first_result_stays_and_a_later_one_is_kept_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::create(folder.path(), &specs(1)[0]).unwrap();
    let first = run.claim().unwrap();
    assert!(matches!(run.claim(), Err(ClaimError::Held { attempt: 1, .. })));
    let second = run.take_over().unwrap();
    assert!(first.is_superseded() && !second.is_superseded());
    let record = record(&run.spec().unwrap());
    let other = RunRecord { weights_hash: "other".to_owned(), ..record.clone() };
    assert_eq!(second.commit(&record).unwrap(), Commit::Committed);
    assert_eq!(first.commit(&other).unwrap(), Commit::Late);
    assert_eq!(run.result().unwrap(), Some(record));
    assert!(run.attempts()[0].is_late() && !run.attempts()[1].is_late());
    assert!(matches!(run.claim(), Err(ClaimError::Done(_))));
}

#[test]
fn a_result_with_a_number_that_json_cannot_hold_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::create(folder.path(), &specs(1)[0]).unwrap();
    let mut record = record(&run.spec().unwrap());
    record.cost.peak_mib = f64::INFINITY;
    let error = run.claim().unwrap().commit(&record).unwrap_err().to_string();
    assert!(error.contains("a number in it is not finite"), "{error}");
    record.cost.peak_mib = 0.0;
    record.scores[0].score.mean = f64::NAN;
    let error = run.take_over().unwrap().commit(&record).unwrap_err().to_string();
    assert!(error.contains("benchmark `refer` has a score, error, rate or length of NaN"), "{error}");
    assert_eq!(run.result().unwrap(), None);
}

#[test]
fn checkpoints_of_all_attempts_count_when_they_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::create(folder.path(), &specs(1)[0]).unwrap();
    for steps in [&[10, 20][..], &[20, 30][..]] {
        let attempt = run.take_over().unwrap();
        for step in steps {
            let checkpoint = attempt.path().join(format!("checkpoint-{step}"));
            fs::create_dir(&checkpoint).unwrap();
            if *step < 30 {
                fs::write(checkpoint.join("COMPLETE"), "").unwrap();
            }
        }
        attempt.fail(75, "stopped").unwrap();
    }
    let found: Vec<(u64, u32)> = run.checkpoints().iter().map(|c| (c.step, c.attempt)).collect();
    assert_eq!(found, [(20, 2), (20, 1), (10, 1)]);
    assert_eq!(run.status(3).unwrap(), RunStatus::Interrupted);
}

#[test]
fn a_run_that_is_done_keeps_no_checkpoints_and_an_unfinished_one_the_whole_ones() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::create(folder.path(), &specs(1)[0]).unwrap();
    let checkpoint = |attempt: &Path, step: u64, whole: bool| {
        let folder = attempt.join(format!("checkpoint-{step}"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(".writing-model"), "half").unwrap();
        if whole {
            fs::write(folder.join("COMPLETE"), "").unwrap();
        }
        folder
    };
    let first = run.claim().unwrap();
    let (whole, half) = (checkpoint(first.path(), 1, true), checkpoint(first.path(), 2, false));
    first.fail(75, "stopped").unwrap();
    // Of another, which is at it, nothing is known to be left over.
    let second = run.claim().unwrap();
    let own = checkpoint(second.path(), 3, false);
    run.tidy();
    assert_eq!([&whole, &half, &own].map(|path| path.exists()), [true, false, true]);
    fs::write(own.join("COMPLETE"), "").unwrap();
    let not_finite = second.path().join("not-finite-3");
    fs::create_dir(&not_finite).unwrap();
    let record = record(&run.spec().unwrap());
    second.commit(&record).unwrap();
    assert_eq!([whole, own, not_finite].map(|path| path.exists()), [false, false, true]);
}

#[test]
fn an_attempt_on_another_machine_holds_its_run_until_its_heartbeat_is_silent_for_a_lease() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::create(folder.path(), &specs(1)[0]).unwrap();
    // Dropped: its heart beats no more, and it has not said how it ended.
    let path = run.claim().unwrap().path().to_owned();
    let claim = fs::read_to_string(path.join("claim.json")).unwrap();
    let mut claim: serde_json::Value = serde_json::from_str(&claim).unwrap();
    claim["process"]["scope"] = "another boot".into();
    fs::write(path.join("claim.json"), claim.to_string()).unwrap();
    assert_eq!(run.attempts()[0].life(), Life::Unknown);
    assert!(matches!(run.claim(), Err(ClaimError::Held { attempt: 1, .. })));
    let beat = fs::File::options().write(true).open(path.join("heartbeat")).unwrap();
    let silent = modo::ledger::LEASE + Duration::from_secs(1);
    beat.set_modified(std::time::SystemTime::now() - silent).unwrap();
    assert_eq!(run.claim().unwrap().number(), 2);
}

#[test]
fn two_sweeps_of_one_command_are_told_as_one() {
    let seconds = Duration::from_secs;
    let first = Outcome { total: 4, already: 1, done: 3, wall: seconds(10), ..Outcome::default() };
    let next = Outcome { total: 6, already: 4, done: 2, wall: seconds(5), ..Outcome::default() };
    let both = first.followed_by(next);
    assert_eq!((both.total, both.already, both.done, both.wall), (6, 1, 5, seconds(15)));
}

#[test]
fn progress_is_the_last_whole_line() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::create(folder.path(), &specs(1)[0]).unwrap();
    let attempt = run.claim().unwrap();
    let view = run.attempts().remove(0);
    assert_eq!((view.progress(), view.life()), (None, Life::Alive));
    let lines =
        "{\"step\": 1, \"reward\": 0.5}\n{\"step\": 2, \"reward\": 0.75, \"kl\": 0}\n{\"step\": 3, \"rew";
    fs::write(attempt.path().join("metrics.jsonl"), lines).unwrap();
    let progress = view.progress().unwrap();
    assert_eq!((progress.step, progress.reward), (2, Some(0.75)));
}

#[test]
fn a_heartbeat_counts_and_stops_with_its_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heartbeat");
    let read = || fs::read_to_string(&path).unwrap().trim().parse::<u64>().unwrap();
    let beat = modo::ledger::Beat::start(&path, Duration::from_millis(5)).unwrap();
    while read() < 3 {
        thread::sleep(Duration::from_millis(5));
    }
    drop(beat);
    let last = read();
    thread::sleep(Duration::from_millis(30));
    assert_eq!(read(), last);
}

#[test]
fn damage_is_named_and_counts_as_nothing() {
    let folder = tempfile::tempdir().unwrap();
    sweep(folder.path(), specs(2), Box::new(Local::with_workers(2)), "worker");
    let run = RunFolder::create(folder.path(), &specs(2)[0]).unwrap();
    let path = run.path().join("result.json");
    let whole = fs::read(&path).unwrap();
    for end in (0..whole.len() - 2).step_by(37) {
        fs::write(&path, &whole[..end]).unwrap();
        let error = run.result().unwrap_err().to_string();
        assert!(error.contains("result.json is damaged: "), "{error}");
    }
    let (ledger, damaged) = Ledger::from_runs(folder.path()).unwrap();
    assert_eq!((ledger.n_runs(), damaged.len()), (1, 1));
    let outcome = sweep(folder.path(), specs(2), Box::new(Local::with_workers(2)), "worker");
    assert_eq!((outcome.already, outcome.failed.len()), (1, 1));
    assert!(outcome.failed[0].reason.contains("result.json is damaged"), "{}", outcome.failed[0].reason);
    // Damage of an attempt does not keep the run from going on.
    fs::remove_file(&path).unwrap();
    for name in ["claim.json", "exit.json", "heartbeat"] {
        fs::write(run.attempts()[0].path.join(name), "{").unwrap();
    }
    let outcome = sweep(folder.path(), specs(2), Box::new(Local::with_workers(2)), "worker");
    assert_eq!((outcome.done, outcome.failed.len()), (1, 0));
    // A spec of a newer version may mean something else by the same words.
    let text = fs::read_to_string(run.spec_path()).unwrap();
    fs::write(run.spec_path(), text.replacen("\"schema\": 1", "\"schema\": 2", 1)).unwrap();
    let newer = RunFolder::open(run.path()).unwrap_err().to_string();
    assert!(newer.contains("its schema is 2, newer than this modo's 1"), "{newer}");
    // A spec that was changed is not the run that its folder is named after.
    fs::write(run.spec_path(), text.replace("mixture_0", "mixture_9")).unwrap();
    assert!(RunFolder::open(run.path()).unwrap_err().to_string().contains("the hash of its content"));
}

#[test]
fn observations_weigh_benchmarks_by_their_questions() {
    let folder = tempfile::tempdir().unwrap();
    let specs = specs(3);
    for spec in &specs {
        work(&RunFolder::create(folder.path(), spec).unwrap());
    }
    // Another budget is another protocol and stays out.
    let mut longer = specs[0].clone();
    longer.budget.steps = 99;
    work(&RunFolder::create(folder.path(), &longer).unwrap());
    let (ledger, _) = Ledger::from_runs(folder.path()).unwrap();
    assert_eq!(ledger.n_runs(), 4);
    let filter = Filter { protocol: protocol(&specs[0]), part: Part::Selection, decoding: Decoding::Sampled };
    let chart = Target::Benchmark("chart".parse().unwrap());
    assert_eq!(
        ledger.targets(&filter),
        [
            chart.clone(),
            Target::Benchmark("refer".parse().unwrap()),
            Target::In,
            Target::Out,
            Target::Overall
        ]
    );
    let of = |target: &Target| {
        let all = ledger.observations(target, &filter);
        assert_eq!(all.len(), 3);
        all.into_iter().find(|o| o.run == specs[1].id()).unwrap()
    };
    let (chart, refer, overall) = (of(&chart), of(&Target::In), of(&Target::Overall));
    // 100 questions of one, 300 of the other.
    assert!((overall.score - (0.25 * chart.score + 0.75 * refer.score)).abs() < 1e-12);
    assert!((overall.variance - (0.0625 * chart.variance + 0.5625 * refer.variance)).abs() < 1e-12);
    assert_eq!(overall.shares, specs[1].mixture.vector(&ledger.datasets));
}

#[test]
fn the_ledger_can_be_deleted_and_made_again_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    for spec in &specs(3) {
        work(&RunFolder::create(folder.path(), spec).unwrap());
    }
    let path = folder.path().join("ledger.parquet");
    let (ledger, _) = Ledger::from_runs(folder.path()).unwrap();
    ledger.write(&path).unwrap();
    let first = fs::read(&path).unwrap();
    assert_eq!(Ledger::read(&path).unwrap(), ledger);
    fs::remove_file(&path).unwrap();
    Ledger::from_runs(folder.path()).unwrap().0.write(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), first);
    // An experiment without a finished run has an empty table.
    Ledger::default().write(&path).unwrap();
    assert_eq!(Ledger::read(&path).unwrap(), Ledger::default());
    // A damaged table is named, not believed.
    for end in (0..first.len()).step_by(first.len() / 20) {
        fs::write(&path, &first[..end]).unwrap();
        let error = Ledger::read(&path).unwrap_err().to_string();
        assert!(error.contains("ledger.parquet is damaged: ") && error.contains("rebuilt"), "{error}");
    }
}

#[test]
fn the_ledgers_hash_does_not_depend_on_time() {
    let folder = tempfile::tempdir().unwrap();
    work(&RunFolder::create(folder.path(), &specs(1)[0]).unwrap());
    let (ledger, _) = Ledger::from_runs(folder.path()).unwrap();
    let mut slower = ledger.clone();
    slower.rows[0].cost.wall_s += 1.0;
    let mut better = ledger.clone();
    better.rows[0].score.mean += 1e-9;
    assert_eq!(slower.hash(), ledger.hash());
    assert_ne!(better.hash(), ledger.hash());
}

/// A measurement: `cargo test --release --test sweep -- --ignored --nocapture orchestration`, on a machine with nothing else to do.
#[test]
#[ignore = "a measurement"]
#[expect(clippy::print_stdout, reason = "it is there to be read")]
fn orchestration_of_a_hundred_runs() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = sweep(folder.path(), specs(100), Box::new(Local::with_workers(2)), "quick");
    assert_eq!(outcome.done, 100);
    let per_run = outcome.wall.as_secs_f64() * 1000.0 / 100.0;
    println!("{per_run:.1} ms of wall time per run, two at a time, with the start of its process");
}

#[test]
fn the_forecast_counts_what_is_missing_and_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let specs = specs(4);
    let forecast = |trial| sweep::forecast(folder.path(), &specs, 2, 3, |_| Ok(trial)).unwrap();
    let none = forecast(None);
    assert_eq!((none.missing, none.cpu_s), (4, None));
    // Four runs of 1 + 0.5 × groups + 2 CPU seconds, twice as long in wall time.
    let trial = Estimate { setup_cpu_s: 1.0, cpu_s_per_group: 0.5, evaluation_cpu_s: 2.0, wall_per_cpu: 2.0 };
    let tried = forecast(Some(trial));
    let each = 3.0 + 0.5 * specs[0].budget.groups() as f64;
    assert_eq!((tried.cpu_s, tried.wall_s, tried.measured_on), (Some(4.0 * each), Some(4.0 * each), 0));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    work(&RunFolder::create(folder.path(), &specs[0]).unwrap());
    // Three runs of 10 CPU seconds on two slots, as long in wall time as in CPU time; no trial is looked at.
    let some = forecast(Some(trial));
    assert_eq!((some.missing, some.measured_on, some.runs[0].status), (3, 1, RunStatus::Done));
    assert!((some.cpu_s.unwrap() - 30.0).abs() < 1e-9 && (some.wall_s.unwrap() - 15.0).abs() < 1e-9);
}

/// Not a test: what a worker does when this binary is started as one.
#[test]
fn the_worker() {
    let role = std::env::var(ROLE).unwrap_or_default();
    if !["worker", "quick", "sleeper", "first_sleeps"].contains(&role.as_str()) {
        return;
    }
    let spec = PathBuf::from(std::env::args_os().next_back().unwrap());
    let run = RunFolder::open(spec.parent().unwrap()).unwrap();
    let attempt = match run.claim() {
        Ok(attempt) => attempt,
        Err(ClaimError::Done(_)) => return,
        #[expect(clippy::exit, reason = "a worker says by its exit code why it left")]
        Err(_) => std::process::exit(75),
    };
    let spec = run.spec().unwrap();
    let millis = match role.as_str() {
        "first_sleeps" if attempt.number() == 1 => 600_000,
        "sleeper" => 600_000,
        "quick" => 0,
        _ => 50 + spec.id().to_string().bytes().map(u64::from).sum::<u64>() % 100,
    };
    thread::sleep(Duration::from_millis(millis));
    attempt.commit(&record(&spec)).unwrap();
}

/// Not a test: a controller, when this binary is started as one.
#[test]
fn the_controller() {
    let Some(experiment) =
        std::env::var(ROLE).ok().and_then(|role| Some(role.strip_prefix("control:")?.to_owned()))
    else {
        return;
    };
    let outcome = sweep(Path::new(&experiment), specs(30), Box::new(Local::with_workers(3)), "worker");
    assert!(outcome.failed.is_empty() && !outcome.interrupted, "{outcome:?}");
}

fn control(experiment: &Path) -> Child {
    let out = fs::File::options().create(true).append(true).open(experiment.join("out")).unwrap();
    let mut command = this_binary(&format!("control:{}", experiment.display()));
    command.stdout(out.try_clone().unwrap()).stderr(out).process_group(0).spawn().unwrap()
}

/// The test binary as one of its two helpers.
fn this_binary(role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let entry = if role.starts_with("control") { "the_controller" } else { "the_worker" };
    command.args([entry, "--exact", "--nocapture"]).env(ROLE, role);
    command
}

fn sweep(experiment: &Path, specs: Vec<RunSpec>, launcher: Box<dyn Launcher + '_>, role: &str) -> Outcome {
    new(experiment, specs, launcher, role, &AtomicBool::new(false)).run(&mut Silent).unwrap()
}

fn new<'a>(
    experiment: &Path,
    specs: Vec<RunSpec>,
    launcher: Box<dyn Launcher + 'a>,
    role: &str,
    stop: &'a AtomicBool,
) -> Sweep<'a> {
    let program: OsString = std::env::current_exe().unwrap().into();
    let command = vec![program, "the_worker".into(), "--exact".into(), "--nocapture".into()];
    let worker = Worker { command, env: vec![(ROLE.to_owned(), role.to_owned())] };
    let settings = Settings { poll: Duration::from_millis(2), ..Settings::default() };
    Sweep { experiment: experiment.to_owned(), specs, launcher, worker, settings, stop }
}

/// A sweep whose jobs do what `script` does, at once.
fn scripted(experiment: &Path, specs: &[RunSpec], mut script: impl FnMut(&RunFolder) -> Scripted) -> Outcome {
    let fake = Fake::new(2, move |job: &Job| script(&run_of(job)));
    sweep(experiment, specs.to_vec(), Box::new(fake), "")
}

fn check_tries(script: impl Fn(&RunFolder) -> Scripted, expected: usize) {
    let folder = tempfile::tempdir().unwrap();
    let mut tries = 0;
    let outcome = scripted(folder.path(), &specs(1), |run| {
        tries += 1;
        script(run)
    });
    assert_eq!((outcome.done, outcome.failed.len()), (0, 1));
    assert_eq!(tries, expected);
}

/// Every run has one result, one attempt that says it made it, none that came late, and nothing half-written.
fn check_whole(experiment: &Path, specs: &[RunSpec]) {
    for spec in specs {
        let run = RunFolder::create(experiment, spec).unwrap();
        assert_eq!(run.result().unwrap(), Some(record(spec)));
        let attempts = run.attempts();
        assert!(attempts.iter().all(|attempt| attempt.life() == Life::Ended && !attempt.is_late()));
        let finished = attempts.iter().filter(|a| a.exit().is_some_and(|exit| exit.code == Some(0))).count();
        // 0 where the process was killed between its result and its last word.
        assert!(finished <= 1, "{finished} attempts of run {} finished", run.run());
        let mut left = Vec::new();
        stray(run.path(), &mut left);
        assert!(left.is_empty(), "{left:?}");
    }
}

fn stray(folder: &Path, left: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with('.') {
            left.push(path);
        } else if path.is_dir() {
            stray(&path, left);
        }
    }
}

/// Inode and content of every result there is.
fn results(experiment: &Path) -> BTreeMap<PathBuf, (u64, Vec<u8>)> {
    let Ok(runs) = fs::read_dir(experiment.join("runs")) else { return BTreeMap::new() };
    runs.filter_map(|run| {
        let path = run.unwrap().path().join("result.json");
        let inode = fs::metadata(&path).ok()?.ino();
        Some((path.clone(), (inode, fs::read(path).unwrap())))
    })
    .collect()
}

/// The processes whose attempts are alive.
fn alive(experiment: &Path) -> Vec<Process> {
    let folders = modo::ledger::folders(experiment).unwrap().into_iter().filter_map(Result::ok);
    folders
        .filter_map(|run| run.attempts().pop())
        .filter(|attempt| attempt.life() == Life::Alive)
        .filter_map(|attempt| Some(attempt.claim().ok()?.process))
        .collect()
}

fn run_of(job: &Job) -> RunFolder {
    RunFolder::open(Path::new(job.command.last().unwrap()).parent().unwrap()).unwrap()
}

/// What a trainer would do, at once.
fn work(run: &RunFolder) {
    let record = record(&run.spec().unwrap());
    assert_eq!(run.claim().unwrap().commit(&record).unwrap(), Commit::Committed);
}

fn specs(n: u32) -> Vec<RunSpec> {
    let name = |text: &str| text.parse::<Name>().unwrap();
    let spec = |i: u32| {
        let share = f64::from(i) / 100.0;
        RunSpec {
            schema: SCHEMA,
            experiment: name("test"),
            label: format!("mixture_{i}"),
            base: "nano".to_owned(),
            base_hash: "00".to_owned(),
            algorithm: toml::toml! { name = "grpo" },
            mixture: Mixture::new(&[(name("detect"), share), (name("refer"), 1.0 - share)].into()).unwrap(),
            changes: Vec::new(),
            draw: DrawRule::Exact,
            datasets: ["detect", "refer"].map(|n| (name(n), toml::Table::new())).into(),
            benchmarks: ["chart", "refer"].map(|n| (name(n), toml::Table::new())).into(),
            evaluation: Evaluation { part: Part::Selection, questions: 300, completions: 4, greedy: true },
            budget: Budget { steps: 10, prompts_per_step: 2 },
            draw_seed: 1,
            seed: 2,
        }
    };
    (0..n).map(spec).collect()
}

/// The same for the same spec, as a trainer's would be.
fn record(spec: &RunSpec) -> RunRecord {
    let noise = |what: &str| (Seed::new(7).child(spec.id()).child(what).bits() % 1000) as f64 / 1000.0;
    let score = |benchmark: &str, domain, decoding, n_questions| BenchmarkScore {
        benchmark: benchmark.parse().unwrap(),
        domain,
        part: Part::Selection,
        decoding,
        score: Score {
            mean: noise(benchmark),
            standard_error: 0.01 + noise("e"),
            n_questions,
            n_completions: 4,
        },
        format_rate: 0.5,
        lenient_score: Score { mean: 0.6, standard_error: 0.02, n_questions, n_completions: 4 },
        mean_tokens: 12.5,
        outcomes: [("right".to_owned(), 3), ("format".to_owned(), 1)].into(),
        replaced: 0,
    };
    RunRecord {
        schema: SCHEMA,
        run: spec.id(),
        scores: vec![
            score("refer", Domain::InDomain, Decoding::Sampled, 300),
            score("chart", Domain::OutOfDomain, Decoding::Sampled, 100),
            score("chart", Domain::OutOfDomain, Decoding::Greedy, 100),
        ],
        realised: BTreeMap::new(),
        cost: Cost { cpu_s: 10.0, wall_s: 10.0, peak_mib: 100.0, evaluation_cpu_s: 4.0 },
        weights_hash: format!("{:x}", Seed::new(8).child(spec.id()).bits()),
        version: "0.1.0".to_owned(),
    }
}

/// Why attempts failed.
#[derive(Default)]
struct Reasons(Vec<String>);

impl Observer for Reasons {
    fn event(&mut self, event: &Event<'_>) {
        if let Event::Failed { reason, .. } = event {
            self.0.push((*reason).to_owned());
        }
    }
}
