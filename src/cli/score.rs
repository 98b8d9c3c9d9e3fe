//! `modo score`: completions in, scores out, one JSON object per line, in order.

mod lines;

use std::io::{self, BufRead, BufReader, Read};

use rayon::prelude::*;

use self::lines::{Answered, Datasets, MAX_LINE, Rules};
use super::{Context, printer::Printer};
use crate::{
    error::{Context as _, Error, Result},
    reward::Reward,
    sampler::check,
};

/// Lines that are scored together, at most.
const MAX_BATCH: usize = 4096;

/// Bytes read ahead.
const READ_AHEAD: usize = 1024 * 1024;

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
  echo '{\"type\": \"expression\", \"gold\": \"1/2\",
    \"completion\": \"<answer>0.5</answer>\"}' | tr -d '\\n' | modo score --explain";

/// Options of `modo score`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Whose rules: `strict`, those that modo trains and evaluates by, or another scorer's by its name.
    #[arg(long, value_name = "PROFILE", default_value = "strict")]
    profile: String,

    /// Serve another program: the same lines in and out, nothing else printed, until standard input ends.
    #[arg(long)]
    stdio: bool,

    /// Show for people what was found and compared, instead of JSON.
    #[arg(long, conflicts_with = "stdio")]
    explain: bool,
}

pub(super) fn run(args: &Args, context: &Context, printer: &mut Printer) -> Result<()> {
    let rules = Rules::find(&args.profile).map_err(|known| {
        Error::input(format!("no profile is called `{}`", args.profile)).at("option `--profile`").hint(known)
    })?;
    let datasets = datasets(context)?;
    let mut input = BufReader::with_capacity(READ_AHEAD, io::stdin().lock());
    let (mut number, mut refused) = (0_u64, 0_u64);
    loop {
        // Whoever waits for the answer to one line gets it; what has arrived together is scored together.
        let mut batch = Vec::new();
        while batch.is_empty() || (batch.len() < MAX_BATCH && input.buffer().contains(&b'\n')) {
            let Some(line) = read_line(&mut input).failed().at("standard input")? else { break };
            number += 1;
            if !line.iter().all(u8::is_ascii_whitespace) {
                batch.push((number, line));
            }
        }
        if batch.is_empty() {
            break;
        }
        let answers: Vec<Answered> =
            batch.par_iter().map(|(number, line)| lines::answer(*number, line, rules, &datasets)).collect();
        for (answered, (number, _)) in answers.iter().zip(&batch) {
            refused += u64::from(matches!(answered, Answered::Refused { .. }));
            if args.explain {
                for line in lines::explained(*number, answered) {
                    printer.line(&line)?;
                }
            } else {
                printer.json(answered)?;
            }
        }
        printer.flush()?;
    }
    if refused > 0 && !args.stdio {
        printer.warn(format!(
            "{refused} of {number} lines could not be scored; they are answered with an error"
        ));
    }
    Ok(())
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

/// The next line without its end; of one that is too long only the first bytes are kept.
fn read_line(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if input.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > MAX_LINE {
        input.skip_until(b'\n')?;
    }
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_too_long_are_read_past() {
        let mut long = vec![b'x'; MAX_LINE + 10];
        long.extend_from_slice(b"\nnext");
        let mut input = io::Cursor::new(long);
        assert_eq!(read_line(&mut input).unwrap().unwrap().len(), MAX_LINE + 1);
        assert_eq!(read_line(&mut input).unwrap().unwrap(), b"next");
        assert_eq!(read_line(&mut input).unwrap(), None);
    }
}
