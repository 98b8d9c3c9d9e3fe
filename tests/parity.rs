//! Parity with transformers' Qwen2-VL on the checkpoints that `tests/parity/make_fixtures.py` recorded.
//!
//! `MODO_PARITY_FIXTURES=DIR` tests others that the script made (`--out DIR --seed N`).

use std::collections::BTreeMap;
use std::path::PathBuf;

use burn::tensor::Device;
use modo::model::Model;
use modo::model::config::ModelConfig;
use modo::model::generate::{Request, Sampling, generate_seen};
use modo::model::image::{PatchedImage, prepare};
use modo::model::qwen2_vl::{Padding, Sequence};
use modo::model::rope_index::rope_index;
use modo::model::tokenizer::ChatTokenizer;
use modo::seed::Seed;
use modo::trajectory::Stop;
use safetensors::SafeTensors;
use serde::Deserialize;

/// The two layouts that exist.
const CHECKPOINTS: [&str; 2] = ["v5", "published"];

/// Of logits and log-probabilities in f32: the sums of the two implementations run in different orders.
const TOLERANCE: f64 = 1e-4;

/// Of the logits of decoding steps every fifth is recorded.
const COLUMNS_KEPT: usize = 5;

/// What the reference recorded about one checkpoint.
#[derive(Deserialize)]
struct Recorded {
    cases: BTreeMap<String, Case>,
    texts: Vec<Cut>,
}

/// One prompt.
#[derive(Deserialize)]
struct Case {
    pictures: Vec<String>,
    question: String,
    token_ids: Vec<u32>,
    grids: Vec<[usize; 3]>,
    position_ids: [Vec<u32>; 3],
    rope_delta: i64,
    greedy_tokens: Vec<u32>,
    greedy_logprobs: Vec<f64>,
    greedy_text: String,
}

/// One text and its tokens.
#[derive(Deserialize)]
struct Cut {
    text: String,
    token_ids: Vec<u32>,
    decoded: String,
}

#[test]
fn pixel_values_are_the_references() {
    let stored = std::fs::read(fixtures().join("pixels.safetensors")).unwrap();
    let stored = SafeTensors::deserialize(&stored).unwrap();
    for checkpoint in CHECKPOINTS {
        let config = config(checkpoint);
        for name in stored.names() {
            let patched = picture(name, &config);
            let expected = stored.tensor(name).unwrap();
            assert_eq!(expected.shape(), [patched.n_patches, patched.patch_dim], "{name}");
            let exact = ["exact.png", "tall.png"].contains(&name);
            let largest = patched
                .patches
                .iter()
                .zip(floats(expected.data()))
                .fold(0.0_f64, |largest, (a, b)| largest.max((f64::from(*a) - f64::from(b)).abs()));
            // Where nothing is resized, rounding in f32 is all that may differ. After resizing a grey level may, 1 / 255 over
            // the smallest standard deviation: the reference's filter has a variant per processor.
            let deviation = config.picture.image_std.iter().copied().fold(f64::INFINITY, f64::min);
            let tolerance = if exact { 1e-5 } else { 1.0 / 255.0 / deviation + 1e-5 };
            assert!(largest <= tolerance, "{checkpoint}/{name}: {largest} > {tolerance}");
        }
    }
}

#[test]
fn prompts_have_the_references_tokens() {
    for checkpoint in CHECKPOINTS {
        let config = config(checkpoint);
        let chat = chat(checkpoint, &config);
        for (name, case) in &recorded(checkpoint).cases {
            let patched: Vec<PatchedImage> =
                case.pictures.iter().map(|name| picture(name, &config)).collect();
            let grids: Vec<[usize; 3]> = patched.iter().map(|picture| picture.grid).collect();
            assert_eq!(grids, case.grids, "{checkpoint}/{name}");
            let counts: Vec<usize> =
                patched.iter().map(|picture| picture.tokens(config.picture.merge_size)).collect();
            let tokens = chat.prompt(None, &case.question, &counts).unwrap();
            assert_eq!(tokens, case.token_ids, "{checkpoint}/{name}");
        }
    }
}

#[test]
fn positions_are_the_references() {
    for checkpoint in CHECKPOINTS {
        let config = config(checkpoint);
        for (name, case) in &recorded(checkpoint).cases {
            let merge = config.vision.spatial_merge_size;
            let index = rope_index(&case.token_ids, config.tokens.image, &case.grids, merge).unwrap();
            assert_eq!(index.positions, case.position_ids, "{checkpoint}/{name}");
            assert_eq!(index.delta, case.rope_delta, "{checkpoint}/{name}");
        }
    }
}

#[test]
fn texts_are_cut_and_joined_like_the_reference() {
    for checkpoint in CHECKPOINTS {
        let config = config(checkpoint);
        let chat = chat(checkpoint, &config);
        let recorded = recorded(checkpoint);
        for text in &recorded.texts {
            assert_eq!(chat.decode(&text.token_ids).unwrap(), text.decoded, "{checkpoint}/{:?}", text.text);
            let tokens = chat.encode(&text.text).unwrap();
            if text.text.contains("<|") {
                // The reference takes these for control tokens; here a text is a text.
                assert_ne!(tokens, text.token_ids, "{checkpoint}/{:?}", text.text);
                assert_eq!(chat.decode(&tokens).unwrap(), text.text);
            } else {
                assert_eq!(tokens, text.token_ids, "{checkpoint}/{:?}", text.text);
            }
        }
        for (name, case) in &recorded.cases {
            assert_eq!(chat.decode(&case.greedy_tokens).unwrap(), case.greedy_text, "{checkpoint}/{name}");
        }
    }
}

/// Published folders have all three files; the stored ones have `tokenizer.json` or the other two, of one vocabulary.
#[test]
fn a_tokenizer_file_beside_vocabulary_and_merges_cuts_alike() {
    let folder = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(fixtures().join("published")).unwrap().flatten() {
        std::fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
    }
    std::fs::copy(fixtures().join("v5/tokenizer.json"), folder.path().join("tokenizer.json")).unwrap();
    let config = ModelConfig::read(folder.path()).unwrap();
    let all_three = ChatTokenizer::read(folder.path(), &config).unwrap();
    let two = chat("published", &config);
    let recorded = recorded("published");
    for text in &recorded.texts {
        assert_eq!(all_three.encode(&text.text).unwrap(), two.encode(&text.text).unwrap(), "{:?}", text.text);
        assert_eq!(all_three.decode(&text.token_ids).unwrap(), text.decoded, "{:?}", text.text);
    }
    for (name, case) in &recorded.cases {
        let counts: Vec<usize> =
            case.grids.iter().map(|[t, h, w]| t * h * w / config.picture.merge_size.pow(2)).collect();
        assert_eq!(all_three.prompt(None, &case.question, &counts).unwrap(), case.token_ids, "{name}");
    }
}

#[test]
fn logits_are_the_references() {
    for checkpoint in CHECKPOINTS {
        let model = model(checkpoint);
        let cases = recorded(checkpoint).cases;
        let sequences: Vec<Sequence> = cases.values().map(|case| sequence(&model, case)).collect();
        let expected: Vec<Vec<f32>> =
            cases.keys().map(|name| stored(checkpoint, &format!("logits.{name}"))).collect();
        for ((name, sequence), expected) in cases.keys().zip(&sequences).zip(&expected) {
            let alone = host(model.network.all_logits(&[sequence], Padding::Right));
            check_logits(&alone[alone.len() - expected.len()..], expected, &format!("{checkpoint}/{name}"));
        }
        // All prompts of a checkpoint in one batch, padded on either side.
        let vocabulary = model.config.decoder.vocab_size;
        for padding in [Padding::Left, Padding::Right] {
            let together = host(model.network.all_logits(&sequences.iter().collect::<Vec<_>>(), padding));
            let mut end = 0;
            for ((name, sequence), expected) in cases.keys().zip(&sequences).zip(&expected) {
                end += sequence.tokens.len() * vocabulary;
                let place = format!("{checkpoint}/{name}, {padding:?}");
                check_logits(&together[end - expected.len()..end], expected, &place);
            }
        }
    }
}

#[test]
fn greedy_continuations_are_the_references() {
    for checkpoint in CHECKPOINTS {
        let model = model(checkpoint);
        let cases = recorded(checkpoint).cases;
        let sequences: Vec<Sequence> = cases.values().map(|case| sequence(&model, case)).collect();
        let requests: Vec<Request> = sequences
            .iter()
            .map(|prompt| Request::new(prompt, [Seed::new(0)], Sampling::greedy(16)))
            .collect();
        for padding in [Padding::Left, Padding::Right] {
            let ends = &model.config.tokens.eos;
            let mut steps = vec![Vec::new(); requests.len()];
            let generated =
                generate_seen(&model.network, &requests, ends, padding, &mut |request, _, logits| {
                    steps[request].extend(logits.iter().step_by(COLUMNS_KEPT));
                });
            for (((name, case), generated), steps) in cases.iter().zip(&generated).zip(&steps) {
                let place = format!("{checkpoint}/{name}, {padding:?}");
                check_logits(steps, &stored(checkpoint, &format!("steps.{name}")), &place);
                assert_eq!(generated[0].tokens, case.greedy_tokens, "{place}");
                assert_eq!(generated[0].stop, Stop::Length, "{place}");
                for (a, b) in generated[0].logprobs.iter().zip(&case.greedy_logprobs) {
                    assert!((f64::from(*a) - b).abs() <= TOLERANCE * b.abs().max(1.0), "{place}: {a} {b}");
                }
            }
        }
    }
}

#[test]
fn the_recording_is_whole() {
    for checkpoint in CHECKPOINTS {
        let bytes = std::fs::read(fixtures().join(format!("{checkpoint}.safetensors"))).unwrap();
        let logits = SafeTensors::deserialize(&bytes).unwrap();
        let config = config(checkpoint);
        for (name, case) in &recorded(checkpoint).cases {
            assert_eq!(case.greedy_tokens.len(), 16);
            assert_eq!(case.greedy_logprobs.len(), 16);
            let last = logits.tensor(&format!("logits.{name}")).unwrap();
            assert_eq!(last.shape(), [8, config.decoder.vocab_size]);
            // The last position's logits give the first greedy token and its log-probability.
            let values = floats(last.data());
            let row: Vec<f64> =
                values[values.len() - config.decoder.vocab_size..].iter().map(|&v| f64::from(v)).collect();
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let first = case.greedy_tokens[0] as usize;
            assert_eq!(row[first], largest, "{checkpoint}/{name}");
            let total: f64 = row.iter().map(|v| (v - largest).exp()).sum();
            assert!((case.greedy_logprobs[0] + total.ln()).abs() < 1e-4, "{checkpoint}/{name}");
        }
    }
}

fn fixtures() -> PathBuf {
    match std::env::var_os("MODO_PARITY_FIXTURES") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/parity/fixtures")),
    }
}

fn recorded(checkpoint: &str) -> Recorded {
    let text = std::fs::read_to_string(fixtures().join(format!("{checkpoint}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn config(checkpoint: &str) -> ModelConfig {
    ModelConfig::read(&fixtures().join(checkpoint)).unwrap()
}

fn model(checkpoint: &str) -> Model {
    Model::load(&fixtures().join(checkpoint), &Device::flex()).unwrap()
}

/// The prompt of a case with the features of its pictures.
fn sequence(model: &Model, case: &Case) -> Sequence {
    let pictures: Vec<PatchedImage> = case.pictures.iter().map(|name| picture(name, &model.config)).collect();
    let mut sequence = model.prompt(&case.question, &case.grids).unwrap();
    sequence.features = model.network.features(&pictures.iter().collect::<Vec<_>>());
    sequence
}

/// What the reference recorded: `logits.CASE`, `[8, vocabulary]`, of the last positions of the prompt; `steps.CASE`,
/// `[16, vocabulary / 5]`, of each step of cached decoding.
fn stored(checkpoint: &str, name: &str) -> Vec<f32> {
    let bytes = std::fs::read(fixtures().join(format!("{checkpoint}.safetensors"))).unwrap();
    floats(SafeTensors::deserialize(&bytes).unwrap().tensor(name).unwrap().data())
}

/// Relative to the largest of them.
fn check_logits(got: &[f32], expected: &[f32], place: &str) {
    assert_eq!(got.len(), expected.len(), "{place}");
    let largest = expected.iter().fold(0.0_f64, |largest, b| largest.max(f64::from(b.abs())));
    let error =
        got.iter().zip(expected).map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs()).fold(0.0, f64::max);
    assert!(error <= TOLERANCE * largest, "{place}: {error} of {largest}");
}

fn host(logits: burn::tensor::Tensor<2>) -> Vec<f32> {
    logits.into_data().try_into_vec().unwrap()
}

fn chat(checkpoint: &str, config: &ModelConfig) -> ChatTokenizer {
    ChatTokenizer::read(&fixtures().join(checkpoint), config).unwrap()
}

fn picture(name: &str, config: &ModelConfig) -> PatchedImage {
    let picture = image::open(fixtures().join("pictures").join(name)).unwrap().to_rgb8();
    prepare(&picture, &config.picture).unwrap()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|chunk| f32::from_le_bytes(chunk.try_into().unwrap())).collect()
}
