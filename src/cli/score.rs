//! `modo score`: completions in, scores out, one JSON object each, in order.

mod framing;
mod lines;

use std::{
    io::{self, BufReader, IsTerminal},
    sync::{
        atomic::Ordering,
        mpsc::{self, RecvTimeoutError, SyncSender},
    },
    time::Duration,
};

use rayon::prelude::*;

use self::{
    framing::{Framing, Request},
    lines::{Answered, Datasets, Rules},
};
use super::{Context, printer::Printer};
use crate::{
    error::{Context as _, Error, Result},
    reward::Reward,
    sampler::check,
};

/// Requests that are scored together, at most.
const MAX_BATCH: usize = 4096;

/// Bytes read ahead; also about how many bytes of requests are held together.
const READ_AHEAD: usize = 1024 * 1024;

/// How long a signal may wait for its answer.
const LOOK_UP: Duration = Duration::from_millis(50);

const EXAMPLES: &str = "\
Each line in:
  id          any value, given back
  type        choice, number, text, boxes or expression; or
  dataset     a dataset's name: its verifier and weights apply
  gold        a letter, a number, a text or a list of accepted texts,
              [[left, top, right, bottom], ...], LaTeX
  completion  all that the model wrote
  options, picture_size ([width, height]), verifier, reward: as far as needed,
              the last two as in datasets.toml
Each line out, by `strict`:
  id, score (in [0, 1]: the answer, wherever the format puts it), reason,
  extracted (the answer's text), normalised (what was compared), region,
  format (<think> <answer> kept), parts, reward (format asked for), max_reward;
  or line and error.
By another profile: id, score (null where it skips the row), reason, extracted,
  reward where that is another number. It needs no type; `modo list profiles`.

Examples:
  modo score < answers.jsonl > scores.jsonl
  modo score --profile math_verify < answers.jsonl > scores.jsonl
  modo score --stdio                   # a service: answers as lines come
  modo score --stdio=frames            # each object after its length in bytes,
                                       # four bytes big-endian, both ways
  echo '{\"type\": \"expression\", \"gold\": \"1/2\",
    \"completion\": \"<answer>0.5</answer>\"}' | tr -d '\\n' | modo score --explain";

/// Options of `modo score`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Whose rules: `strict`, those that modo trains and evaluates by, or another scorer's by its name.
    #[arg(long, value_name = "PROFILE", default_value = "strict")]
    profile: String,

    /// Serve another program until standard input ends: requests in and answers out, nothing else printed.
    #[arg(long, value_enum, value_name = "FRAMING", num_args = 0..=1, require_equals = true, default_missing_value = "lines")]
    stdio: Option<Framing>,

    /// Show for people what was found and compared, instead of JSON.
    #[arg(long, conflicts_with = "stdio")]
    explain: bool,
}

pub(super) fn run(args: &Args, context: &Context, printer: &mut Printer) -> Result<()> {
    let rules = Rules::find(&args.profile).map_err(|known| {
        Error::input(format!("no profile is called `{}`", args.profile)).at("option `--profile`").hint(known)
    })?;
    let datasets = datasets(context)?;
    if args.stdio.is_none() && io::stdin().is_terminal() {
        printer
            .note("reading JSON lines from the terminal; `modo score --help` says which, Ctrl-D ends them");
    }
    let stop = super::stop_on_signals()?;
    let framing = args.stdio.unwrap_or(Framing::Lines);
    // At most one batch waits while another is scored, so that memory does not grow with the input.
    let (sender, batches) = mpsc::sync_channel(1);
    std::thread::spawn(move || read(framing, &sender));
    let (mut number, mut refused) = (0, 0_u64);
    loop {
        let batch = match batches.recv_timeout(LOOK_UP) {
            Ok(batch) => batch.failed().at("standard input")?,
            Err(RecvTimeoutError::Timeout) if !stop.load(Ordering::Relaxed) => continue,
            Err(_) => break,
        };
        let one = |(number, request): &(u64, Request)| {
            let answered = lines::answer(*number, request, rules, &datasets);
            let bad = matches!(answered, Answered::Refused { .. });
            if args.explain {
                (bad, lines::explained(*number, &answered).join("\n").into_bytes())
            } else {
                let text =
                    serde_json::to_vec(&answered).expect("answers have string keys and finite numbers");
                (bad, framing.framed(text))
            }
        };
        let answers: Vec<(bool, Vec<u8>)> = batch.par_iter().map(one).collect();
        for (bad, answer) in answers {
            refused += u64::from(bad);
            if args.explain {
                printer.line(String::from_utf8_lossy(&answer))?;
            } else {
                printer.raw(&answer)?;
            }
        }
        printer.flush()?;
        number = batch.last().map_or(number, |(number, _)| *number);
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    if args.stdio.is_some() {
        return Ok(());
    }
    if refused > 0 {
        printer.warn(format!(
            "{refused} of {number} lines could not be scored; they are answered with an error"
        ));
    }
    if stop.load(Ordering::Relaxed) {
        return Err(Error::failed(format!(
            "interrupted; the lines up to {number} are answered, and no other"
        )));
    }
    Ok(())
}

/// Reads requests until the input ends or nobody wants them any more. Whoever waits for the answer to one request gets it; what has
/// arrived together is scored together.
fn read(framing: Framing, batches: &SyncSender<io::Result<Vec<(u64, Request)>>>) {
    let mut input = BufReader::with_capacity(READ_AHEAD, io::stdin().lock());
    let mut number = 0;
    loop {
        let mut batch = Vec::new();
        while batch.is_empty() || (batch.len() < MAX_BATCH && framing.has_next(input.buffer())) {
            match framing.next(&mut input) {
                Ok(Some(request)) => {
                    number += 1;
                    let blank = matches!(&request, Ok(text) if text.iter().all(u8::is_ascii_whitespace));
                    if framing == Framing::Frames || !blank {
                        batch.push((number, request));
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    _ = batches.send(Err(error));
                    return;
                }
            }
        }
        if batch.is_empty() || batches.send(Ok(batch)).is_err() {
            return;
        }
    }
}

/// The reward of every dataset of the catalogue, with the types of answers its verifiers take.
fn datasets(context: &Context) -> Result<Datasets> {
    let mut out = Datasets::new();
    for (name, config) in context.catalog()?.iter() {
        let reward: Reward = check::reward(name, config)?;
        out.insert(name.to_string(), (reward, lines::kinds(&config.verifiers)));
    }
    Ok(out)
}
