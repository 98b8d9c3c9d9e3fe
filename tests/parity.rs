//! Parity with transformers' Qwen2-VL on the checkpoints that `tests/parity/make_fixtures.py` recorded.
//!
//! `MODO_PARITY_FIXTURES=DIR` tests others that the script made (`--out DIR --seed N`).

use std::collections::BTreeMap;
use std::path::PathBuf;

use modo::model::config::ModelConfig;
use modo::model::image::{PatchedImage, prepare};
use modo::model::rope_index::rope_index;
use modo::model::tokenizer::ChatTokenizer;
use safetensors::SafeTensors;
use serde::Deserialize;

/// The two layouts that exist.
const CHECKPOINTS: [&str; 2] = ["v5", "published"];

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
            let exact = name == "exact.png";
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
