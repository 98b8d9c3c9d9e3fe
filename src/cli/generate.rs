//! `modo generate`: a prompt with pictures in, a completion out.

use std::{fs, path::PathBuf};

use serde::Serialize;

use super::{Context, printer::Printer};
use crate::{
    data::picture,
    error::{Context as _, Error, Result},
    model::{
        generate::{Request, Sampling, generate},
        qwen2_vl::Padding,
    },
    sample::Picture,
    seed::Seed,
    train,
};

/// Largest picture file, in bytes: as large as datasets may hold.
const MAX_PICTURE_BYTES: u64 = 64 * 1024 * 1024;

const EXAMPLES: &str = "\
Examples:
  modo generate --model nano --image figure.png --prompt 'How large is x?' \
      --max-new-tokens 64
  modo generate --model Qwen2-VL-2B-Instruct --prompt 'Name a colour.' \\
      --max-new-tokens 20
  modo generate --model checkpoints/last --image a.png --image b.png \\
      --prompt 'What is different?' --max-new-tokens 64 --greedy --json";

/// Options of `modo generate`.
#[derive(clap::Args)]
#[command(
    after_help = EXAMPLES,
    override_usage = "modo generate [OPTIONS] --model <FOLDER> --prompt <TEXT>\n                     --max-new-tokens <K>"
)]
pub(super) struct Args {
    /// Checkpoint folder, or `nano` for the embedded base.
    #[arg(long, value_name = "FOLDER")]
    model: String,
    /// Picture before the text; may be given several times.
    #[arg(long = "image", value_name = "FILE")]
    images: Vec<PathBuf>,
    /// The user turn; it goes through the folder's chat template.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    prompt: String,
    /// Tokens at most.
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    max_new_tokens: u32,
    /// Take the most likely token each time.
    #[arg(long, conflicts_with_all = ["temperature", "top_p", "top_k", "min_p"])]
    greedy: bool,
    /// Divides the logits; 0 is greedy.
    #[arg(long, value_name = "T", default_value_t = 1.0, value_parser = temperature)]
    temperature: f32,
    /// Keep the most likely tokens whose probabilities reach this sum.
    #[arg(long, value_name = "P", default_value_t = 1.0, value_parser = above_zero)]
    top_p: f32,
    /// Keep this many most likely tokens; 0 keeps all.
    #[arg(long, value_name = "K", default_value_t = 0)]
    top_k: usize,
    /// Keep tokens at least this fraction as likely as the most likely one.
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = fraction)]
    min_p: f32,
    /// Seed of the draws.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print JSON: prompt_tokens and tokens (ids), logprobs (at the temperature; greedily at 1), text.
    #[arg(long)]
    json: bool,
}

/// A completion, as scripts read it.
#[derive(Serialize)]
struct Completion<'a> {
    prompt_tokens: &'a [u32],
    tokens: &'a [u32],
    logprobs: &'a [f32],
    text: &'a str,
}

pub(super) fn run(args: &Args, context: &Context, printer: &mut Printer) -> Result<()> {
    let pictures = args.images.iter().map(read_picture).collect::<Result<Vec<_>>>()?;
    let model = train::base(&args.model, &context.device()?).map_err(|error| error.at("option `--model`"))?;
    let patches = model.patches(&pictures).input().map_err(|error| error.at("option `--image`"))?;
    let grids: Vec<[usize; 3]> = patches.iter().map(|patched| patched.grid).collect();
    let mut prompt =
        model.prompt(&args.prompt, &grids).input().map_err(|error| error.at("option `--prompt`"))?;
    if !patches.is_empty() {
        prompt.features = model.network.features(&patches.iter().collect::<Vec<_>>());
    }
    // `Model::prompt` leaves room for one token at least.
    let room = model.config.decoder.max_position_embeddings.saturating_sub(prompt.tokens.len());
    let max_new_tokens = (args.max_new_tokens as usize).min(room);
    if max_new_tokens < args.max_new_tokens as usize {
        printer.note(format!("the model has room for {max_new_tokens} new tokens behind this prompt"));
    }
    let sampling = if args.greedy {
        Sampling::greedy(max_new_tokens)
    } else {
        let Args { temperature, top_p, top_k, min_p, .. } = *args;
        Sampling { max_new_tokens, temperature, top_p, top_k, min_p }
    };
    let request = Request::new(&prompt, [Seed::new(args.seed).child("generate")], sampling);
    let done = generate(&model.network, &[request], &model.config.tokens.eos, Padding::default());
    let generated = done.into_iter().flatten().next().expect("one request with one seed has one completion");
    let text = model.tokenizer.decode(&generated.tokens).failed()?;
    if !args.json {
        return printer.line(text);
    }
    printer.json(&Completion {
        prompt_tokens: &prompt.tokens,
        tokens: &generated.tokens,
        logprobs: &generated.logprobs,
        text: &text,
    })
}

fn read_picture(path: &PathBuf) -> Result<image::RgbImage> {
    let read = || {
        let length = fs::metadata(path).input()?.len();
        if length > MAX_PICTURE_BYTES {
            return Err(Error::input(format!("it has {length} bytes; at most {MAX_PICTURE_BYTES} are read")));
        }
        picture::decode(&Picture::Encoded(fs::read(path).input()?.into())).input()
    };
    read().map_err(|error| error.at(path.display()).at("option `--image`"))
}

fn number(text: &str, fits: impl Fn(f32) -> bool, rule: &str) -> Result<f32, String> {
    text.parse().ok().filter(|value: &f32| value.is_finite() && fits(*value)).ok_or_else(|| rule.to_owned())
}

fn temperature(text: &str) -> Result<f32, String> {
    number(text, |value| value >= 0.0, "a temperature is 0 or more")
}

fn above_zero(text: &str) -> Result<f32, String> {
    number(text, |value| value > 0.0 && value <= 1.0, "it must be above 0 and at most 1")
}

fn fraction(text: &str) -> Result<f32, String> {
    number(text, |value| (0.0..=1.0).contains(&value), "it must be from 0 to 1")
}
