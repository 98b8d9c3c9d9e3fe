//! The command line: one file per command, what they share, and the printer.
//!
//! To add a command: a file with `Args` and `run`, a line in [`Command`] and a line in [`dispatch`].

mod compare;
mod data;
mod draw;
mod eval;
mod experiment;
mod generate;
mod list;
mod mixtures;
mod predict;
mod printer;
mod propose;
mod quickstart;
mod report;
mod score;
mod status;
mod sweep;
mod train;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use burn::tensor::Device;
use clap::{Parser, Subcommand, ValueEnum};

use crate::{
    data::Catalog,
    error::{Context as _, Error, Kind, Result},
};
use printer::Printer;

/// Where data are looked for when `--data-root` is not given.
const DATA_ROOT: &str = "MODO_DATA_ROOT";

/// Where the indexes of datasets are kept when `--cache` is not given.
const CACHE: &str = "MODO_CACHE";

/// The catalogue of the current folder, used when `--datasets` is not given.
const DATASETS: &str = "datasets.toml";

const EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   the work failed
  2   something given is wrong; no run was begun
  75  interrupted; the same command goes on where it stopped

Ctrl-C or SIGTERM stops a run after the step in work and saves it; another one,
two seconds later or more, ends the process at once.";

/// Find, by measurement, the shares in which to mix datasets for RLVR of vision-language models; then train on them.
#[derive(Parser)]
#[command(name = "modo", version, after_help = EXIT_CODES, max_term_width = 80)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    shared: Shared,
}

#[derive(Subcommand)]
enum Command {
    /// The whole job on what is embedded: no data, weights or network needed.
    Quickstart(quickstart::Args),
    /// Fit predictors, judge them, propose a mixture and the next runs.
    Predict(Box<predict::Args>),
    /// Compare predictors on a table by cross-validation and learning curves.
    Compare(compare::Args),
    /// Write the next batch of runs of an experiment.
    Propose(propose::Args),
    /// Score a model on the benchmarks of an experiment.
    Eval(eval::Args),
    /// Write the page of an experiment.
    Report(report::Args),
    /// Print the order in which the samples of a mixture are drawn.
    Draw(draw::Args),
    /// Do the proxy runs of an experiment that are still missing.
    Sweep(sweep::Args),
    /// Train on a mixture at the full budget and score the result.
    Train(train::Args),
    /// Show where the runs of an experiment stand.
    Status(status::Args),
    /// List datasets or check them.
    Data(data::Args),
    /// Complete a prompt with a model.
    Generate(generate::Args),
    /// Score completions: JSON lines in, JSON lines out.
    Score(score::Args),
    /// List what can be named in files and options.
    List(list::Args),
}

fn dispatch(command: &Command, context: &Context, printer: &mut Printer) -> Result<()> {
    match command {
        Command::Quickstart(args) => quickstart::run(args, context, printer),
        Command::Predict(args) => predict::run(args, context, printer),
        Command::Compare(args) => compare::run(args, printer),
        Command::Propose(args) => propose::run(args, context, printer),
        Command::Eval(args) => eval::run(args, context, printer),
        Command::Report(args) => report::run(args, context, printer),
        Command::Draw(args) => draw::run(args, context, printer),
        Command::Sweep(args) => sweep::run(args, context, printer),
        Command::Train(args) => train::run(args, context, printer),
        Command::Status(args) => status::run(args, context, printer),
        Command::Data(args) => data::run(args, context, printer),
        Command::Generate(args) => generate::run(args, context, printer),
        Command::Score(args) => score::run(args, context, printer),
        Command::List(args) => list::run(args, context, printer),
    }
}

/// Options of every command.
#[derive(clap::Args)]
#[command(next_help_heading = "Options of every command")]
struct Shared {
    /// Where tensors live: cpu, or gpu (Vulkan, Metal or DirectX 12; needs a build with `--features gpu`).
    #[arg(long, global = true, value_enum, default_value_t = Processor::Cpu, hide_possible_values = true)]
    device: Processor,
    /// Worker threads [default: one per core].
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Folder that the files of datasets are relative to [default: $MODO_DATA_ROOT, or the current folder].
    #[arg(long, global = true, value_name = "FOLDER")]
    data_root: Option<PathBuf>,
    /// Catalogue of datasets [default: datasets.toml here, or the embedded one].
    #[arg(long, global = true, value_name = "FILE")]
    datasets: Option<PathBuf>,
    /// Folder for what is made of datasets once: indexes of their rows, what checks found [default: $MODO_CACHE,
    /// or modo in the user's folder for caches].
    #[arg(long, global = true, value_name = "FOLDER", conflicts_with = "no_cache")]
    cache: Option<PathBuf>,
    /// Make nothing for later: read every file anew, and keep the features of pictures in memory only.
    #[arg(long, global = true)]
    no_cache: bool,
    /// Print results and errors only.
    #[arg(long, short, global = true)]
    quiet: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Processor {
    /// The processor, with all its vector instructions.
    Cpu,
    /// The first graphics card (Vulkan, Metal or DirectX 12); needs a build with `--features gpu`.
    Gpu,
}

impl Processor {
    /// What `--device` calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
        }
    }
}

/// What every command may ask for.
struct Context {
    processor: Processor,
    /// Worker threads, ≥ 1.
    threads: usize,
    data_root: PathBuf,
    datasets: Option<PathBuf>,
    /// Where the indexes of datasets are kept; none: nowhere.
    cache: Option<PathBuf>,
    no_cache: bool,
}

impl Context {
    fn new(shared: &Shared) -> Self {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let variable =
            |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let root = || variable(DATA_ROOT);
        let cache = || {
            let own = || {
                Some(
                    variable("XDG_CACHE_HOME")
                        .or_else(|| Some(variable("HOME")?.join(".cache")))?
                        .join("modo"),
                )
            };
            variable(CACHE).or_else(own)
        };
        Self {
            processor: shared.device,
            threads: shared.threads.map_or_else(cores, usize::from),
            data_root: shared.data_root.clone().or_else(root).unwrap_or_else(|| PathBuf::from(".")),
            datasets: shared.datasets.clone(),
            cache: if shared.no_cache { None } else { shared.cache.clone().or_else(cache) },
            no_cache: shared.no_cache,
        }
    }

    /// Where the runs of an experiment keep the features of pictures; none: nowhere.
    fn features(&self, experiment: &Path) -> Option<PathBuf> {
        (!self.no_cache).then(|| experiment.join("cache"))
    }

    /// The options that make another process keep things where this one does.
    fn cache_options(&self) -> Vec<OsString> {
        match &self.cache {
            _ if self.no_cache => vec!["--no-cache".into()],
            Some(cache) => vec!["--cache".into(), cache.into()],
            None => Vec::new(),
        }
    }

    /// The datasets that can be named.
    fn catalog(&self) -> Result<Catalog> {
        match &self.datasets {
            Some(path) => Catalog::read(path),
            None if Path::new(DATASETS).is_file() => Catalog::read(DATASETS.as_ref()),
            None => Ok(Catalog::embedded()),
        }
    }

    /// Where tensors live.
    fn device(&self) -> Result<Device> {
        match self.processor {
            Processor::Cpu => Ok(Device::flex()),
            Processor::Gpu => graphics_card(),
        }
    }
}

#[cfg(feature = "gpu")]
#[expect(clippy::unnecessary_wraps, reason = "the other build refuses")]
fn graphics_card() -> Result<Device> {
    Ok(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice))
}

#[cfg(not(feature = "gpu"))]
fn graphics_card() -> Result<Device> {
    Err(Error::input("this build of modo cannot use a graphics card")
        .at("option `--device gpu`")
        .hint("build it with `cargo build --release --features gpu`"))
}

/// Runs one command line; an error has been shown when it comes back.
pub fn run(args: impl IntoIterator<Item = OsString>) -> Result<(), Kind> {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // A reader that closed early has seen what it wanted.
            let _ = error.print();
            return if error.use_stderr() { Err(Kind::Input) } else { Ok(()) };
        }
    };
    let mut printer = Printer::new(cli.shared.quiet);
    let context = Context::new(&cli.shared);
    let done = start(&context).and_then(|()| dispatch(&cli.command, &context, &mut printer));
    match done.and_then(|()| printer.flush()) {
        // `modo draw … | head` has done its work when head has enough.
        _ if printer.reader_left() => Ok(()),
        Ok(()) => Ok(()),
        Err(error) => {
            printer.error(&error);
            Err(error.kind())
        }
    }
}

/// One stop may reach a process twice within this time: from the system, which signals a whole group, and from the sweep
/// that started it.
const ONE_STOP: Duration = Duration::from_secs(2);

/// Set by Ctrl-C and SIGTERM; another one, [`ONE_STOP`] after the first or later, ends the process at once: what is on disk
/// stays whole.
fn stop_on_signals() -> Result<&'static AtomicBool> {
    static STOP: AtomicBool = AtomicBool::new(false);
    static FIRST: OnceLock<Instant> = OnceLock::new();
    let handler = || {
        let first = FIRST.get_or_init(Instant::now);
        if STOP.swap(true, Ordering::Relaxed) && first.elapsed() >= ONE_STOP {
            std::process::abort();
        }
    };
    match ctrlc::set_handler(handler) {
        // Commands that call each other share the first handler.
        Ok(()) | Err(ctrlc::Error::MultipleHandlers) => Ok(&STOP),
        Err(error) => Err(Error::failed(error)),
    }
}

fn start(context: &Context) -> Result<()> {
    // Warnings of the work (a row replaced, a retry) go beside the results; a second start keeps the first subscriber.
    let _ = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false)
        .with_ansi(false)
        .try_init();
    rayon::ThreadPoolBuilder::new()
        .num_threads(context.threads)
        .build_global()
        .failed()
        .at("starting the worker threads")
}
