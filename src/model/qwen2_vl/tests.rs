//! What must hold whatever the weights are, on the tiny random checkpoints of `tests/parity`.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData, activation::log_softmax};

use super::{Padding, Qwen2Vl, Sequence};
use crate::{
    model::{
        Model,
        generate::{Generated, Request, Sampling, generate},
        image::PatchedImage,
        weights::{Checkpoint, Named, WeightError, to_safetensors},
    },
    seed::Seed,
    trajectory::Stop,
};

/// Sums in another order may differ by this much: f32 over a few thousand terms.
const ROUNDING: f32 = 1e-4;

#[test]
fn a_later_token_cannot_change_an_earlier_logit() {
    let model = model();
    let prompt = prompt(&model, "How many triangles are there?", true);
    let one = host(model.network.all_logits(&[&prompt.followed_by(&[5, 6, 7, 8])], Padding::Right));
    let two = host(model.network.all_logits(&[&prompt.followed_by(&[5, 6, 90, 91])], Padding::Right));
    let vocabulary = model.config.decoder.vocab_size;
    let same = (prompt.tokens.len() + 2) * vocabulary;
    assert_eq!(one[..same], two[..same]);
    assert_ne!(one[same..], two[same..]);
}

#[test]
fn padding_changes_no_logit() {
    let model = model();
    let (long, short) =
        (prompt(&model, "Which of the two shows more circles?", true), prompt(&model, "Why?", false));
    let alone = [&long, &short].map(|s| host(model.network.all_logits(&[s], Padding::Right))).concat();
    for padding in [Padding::Left, Padding::Right] {
        check_near(&host(model.network.all_logits(&[&long, &short], padding)), &alone);
    }
}

#[test]
fn tails_are_the_ends_of_all_logits() {
    let model = model();
    let (long, short) =
        (prompt(&model, "Which of the two shows more circles?", true), prompt(&model, "Why?", false));
    let vocabulary = model.config.decoder.vocab_size;
    // Row i predicts token i + 1, so the last row predicts what is not there.
    let tail = |sequence: &Sequence, n: usize| {
        let all = host(model.network.all_logits(&[sequence], Padding::Right));
        all[all.len() - (n + 1) * vocabulary..all.len() - vocabulary].to_vec()
    };
    let expected = [tail(&long, 5), tail(&short, 2)].concat();
    check_near(&host(model.network.tail_logits(&[&long, &short], &[5, 2])), &expected);
}

#[test]
fn completions_behind_a_shared_prompt_have_the_logits_of_whole_sequences() {
    let model = model();
    let prompts =
        [prompt(&model, "How many?", true), prompt(&model, "What is the colour of the square?", false)];
    let completions = [vec![vec![5, 6, 7], vec![8]], vec![vec![9, 10], vec![11, 12, 13]]];
    let given: Vec<&[Vec<u32>]> = completions.iter().map(Vec::as_slice).collect();
    let logits = host(model.network.completion_logits(&prompts.each_ref(), &given));
    let each =
        prompts.iter().zip(&completions).flat_map(|(prompt, group)| group.iter().map(move |c| (prompt, c)));
    let expected: Vec<f32> = each
        .flat_map(|(prompt, completion)| {
            host(model.network.tail_logits(&[&prompt.followed_by(completion)], &[completion.len()]))
        })
        .collect();
    check_near(&logits, &expected);
}

#[test]
fn sampled_log_probabilities_are_those_of_the_training_forward() {
    let model = model();
    let prompts =
        [prompt(&model, "How many?", true), prompt(&model, "What is the colour of the square?", false)];
    let generated = sample(&model, &prompts.each_ref(), 3, Padding::Right);
    let completions: Vec<Vec<Vec<u32>>> =
        generated.iter().map(|group| group.iter().map(|g| g.tokens.clone()).collect()).collect();
    let given: Vec<&[Vec<u32>]> = completions.iter().map(Vec::as_slice).collect();
    for network in [model.network.clone(), model.network.tracked(false)] {
        let logits = network.completion_logits(&prompts.each_ref(), &given);
        let logp = host(log_softmax(logits / sampling().temperature, 1).inner());
        let sampled = generated.iter().flatten().flat_map(|g| g.tokens.iter().zip(&g.logprobs));
        let sampled: Vec<_> = sampled.collect();
        let logp: Vec<&[f32]> = logp.chunks(model.config.decoder.vocab_size).collect();
        assert_eq!(logp.len(), sampled.len());
        for (logp, (token, sampled)) in logp.into_iter().zip(sampled) {
            let trained = logp[*token as usize];
            assert!((trained - sampled).abs() <= ROUNDING, "{trained} {sampled}");
        }
    }
}

#[test]
fn a_completion_depends_on_nothing_else_in_its_batch() {
    let model = model();
    let prompts = [
        prompt(&model, "How many?", true),
        prompt(&model, "What is the colour of the large square?", false),
        prompt(&model, "Why?", false),
    ];
    let together = sample(&model, &prompts.each_ref(), 4, Padding::Right);
    for padding in [Padding::Left, Padding::Right] {
        for (i, expected) in together.iter().enumerate() {
            for (k, expected) in expected.iter().enumerate() {
                let request = Request::new(&prompts[i], [seed(&prompts[i], k)], sampling());
                let alone = generate(&model.network, &[request], &ends(), padding);
                assert_eq!(alone[0][0].tokens, expected.tokens);
                check_near(&alone[0][0].logprobs, &expected.logprobs);
            }
        }
    }
}

#[test]
fn a_row_ends_with_its_first_end_token_and_the_others_go_on() {
    let model = model();
    let prompts = [prompt(&model, "How many?", true), prompt(&model, "Why?", false)];
    let generated = sample(&model, &prompts.each_ref(), 8, Padding::Right);
    let mut lengths: Vec<usize> = generated.iter().flatten().map(|g| g.tokens.len()).collect();
    for g in generated.iter().flatten() {
        let end = g.tokens.iter().position(|t| ends().contains(t));
        assert_eq!(g.stop == Stop::End, end.is_some());
        assert_eq!(g.tokens.len(), end.map_or(sampling().max_new_tokens, |end| end + 1));
        assert_eq!(g.logprobs.len(), g.tokens.len());
    }
    lengths.sort_unstable();
    lengths.dedup();
    assert!(lengths.len() > 2, "rows of {lengths:?} tokens say nothing about rows that leave");
}

#[test]
fn a_completion_ends_where_the_context_does() {
    let mut model = model();
    let (long, short) =
        (prompt(&model, "What is the colour of the square?", true), prompt(&model, "Why?", false));
    let all: Vec<Named> = model.network.named().iter().map(copy).collect();
    model.config.decoder.max_position_embeddings = long.tokens.len() + 3;
    model.network = load(&model, &all).unwrap();
    let requests = [&long, &short].map(|prompt| Request::new(prompt, [seed(prompt, 0); 2], sampling()));
    for padding in [Padding::Left, Padding::Right] {
        let generated = generate(&model.network, &requests, &[], padding);
        for (group, expected) in generated.iter().zip([3, 12]) {
            assert!(
                group.iter().all(|g| g.tokens.len() == expected && g.stop == Stop::Length),
                "{padding:?}"
            );
        }
    }
    // A prompt that leaves no room at all is refused before it comes to that.
    model.config.decoder.max_position_embeddings = short.tokens.len();
    assert!(model.prompt("Why?", &[]).is_err());
}

#[test]
fn the_base_of_the_towers_frequencies_is_the_configs() {
    let model = model();
    let picture = picture(&model);
    let all: Vec<Named> = model.network.named().iter().map(copy).collect();
    let features = |theta: f64| {
        let mut config = model.config.clone();
        config.vision.rope_theta = theta;
        let checkpoint = Checkpoint::from_bytes("memory", to_safetensors(&all, false)).unwrap();
        let network = Qwen2Vl::load(&config, checkpoint, &Device::flex()).unwrap();
        host(network.features(&[&picture]).remove(0))
    };
    assert_eq!(features(1e4), host(model.network.features(&[&picture]).remove(0)));
    assert_ne!(features(1e4), features(100.0));
}

#[test]
fn every_parameter_of_the_decoder_has_a_gradient_that_a_difference_confirms() {
    struct Check<'a>(&'a mut burn::tensor::Gradients, Vec<(String, Vec<f32>)>);
    impl super::Visitor for Check<'_> {
        fn vector(&mut self, name: &str, value: &mut Tensor<1>) {
            self.1.push((
                name.to_owned(),
                value.grad_remove(self.0).unwrap().into_data().try_into_vec().unwrap(),
            ));
        }
        fn matrix(&mut self, name: &str, value: &mut Tensor<2>) {
            self.1.push((
                name.to_owned(),
                value.grad_remove(self.0).unwrap().into_data().try_into_vec().unwrap(),
            ));
        }
    }
    let model = model();
    let picture = picture(&model);
    let bare = prompt(&model, "How many?", true).followed_by(&[5, 6, 7, 8]);
    let other = prompt(&model, "Why is it?", false).followed_by(&[9, 10]);
    // A loss that uses every logit with another weight, padding and a picture.
    let loss = |network: &Qwen2Vl| {
        let mut bare = bare.clone();
        bare.features = network.features(&[&picture]);
        let logits = network.tail_logits(&[&bare, &other], &[4, 2]);
        let [n, vocabulary] = logits.dims();
        let weights: Vec<f32> =
            (0..n * vocabulary).map(|i| ((i * 7919 % 101) as f32 - 50.0) / 50.0).collect();
        let weights = Tensor::<2>::from_data(TensorData::new(weights, [n, vocabulary]), network.device());
        (log_softmax(logits, 1) * weights).mean()
    };
    let mut tracked = model.network.tracked(true);
    let mut tape = loss(&tracked).backward();
    let mut check = Check(&mut tape, Vec::new());
    tracked.visit(&mut check);
    let gradients = check.1;
    let parameters = model.network.named();
    for (name, gradient) in gradients {
        // The entry with the largest gradient, moved both ways.
        let (at, largest) = gradient
            .iter()
            .enumerate()
            .fold((0, 0.0_f32), |best, (i, g)| if g.abs() > best.1 { (i, g.abs()) } else { best });
        if largest < 1e-3 {
            continue; // A difference of f32 losses cannot resolve it; key biases have no effect at all.
        }
        let moved = |by: f32| {
            let mut parameters: Vec<Named> = parameters.iter().map(copy).collect();
            parameters.iter_mut().find(|p| p.name == name).unwrap().values[at] += by;
            f64::from(loss(&load(&model, &parameters).unwrap()).into_scalar::<f32>())
        };
        let step = 2e-3_f32;
        let difference = (moved(step) - moved(-step)) / f64::from(2.0 * step);
        let got = f64::from(gradient[at]);
        assert!(
            (difference - got).abs() <= 0.03 * got.abs() + 1e-3,
            "{name}: {got}, by difference {difference}"
        );
    }
}

#[test]
fn log_probabilities_and_their_gradient_are_those_of_log_softmax() {
    // The last row's target is less likely than f32 can say as a probability.
    let logits = [[0.5, -1.0, 2.0], [30.0, -20.0, 0.0], [200.0, 0.0, -100.0]];
    let device = Device::flex();
    let targets = Tensor::<2, burn::tensor::Int>::from_data([[2], [1], [2]], &device);
    let weights = Tensor::<2>::from_floats([[0.3], [-2.0], [1.0]], &device);
    let of = |f: &dyn Fn(Tensor<2>) -> Tensor<2>| {
        let logits = Tensor::<2>::from_floats(logits, &device.clone().autodiff()).require_grad();
        let logp = f(logits.clone());
        let gradient = logits.grad(&(logp.clone() * weights.clone()).sum().backward()).unwrap();
        [host(logp.inner()), host(gradient)].concat()
    };
    let expected = of(&|logits| log_softmax(logits, 1).gather(1, targets.clone()));
    let got = of(&|logits| super::log_probabilities(logits, targets.clone()));
    for (a, b) in got.iter().zip(&expected) {
        assert!((a - b).abs() <= 1e-6 * b.abs().max(1.0), "{a} {b}");
    }
    let logits = Tensor::<2>::from_floats(logits, &device);
    check_near(&host(super::log_probabilities(logits, targets.clone())), &expected[..3]);
}

#[test]
fn a_checkpoint_that_does_not_fit_is_refused_by_the_tensors_name() {
    let model = model();
    let all = model.network.named();
    let name = "model.layers.1.self_attn.k_proj.bias";
    let all: Vec<Named> = all.iter().map(copy).collect();
    assert!(load(&model, &all).is_ok());

    let missing: Vec<Named> = all.iter().filter(|p| p.name != name).map(copy).collect();
    let error = load(&model, &missing).unwrap_err().to_string();
    assert_eq!(error, format!("tensor `{name}` is missing from the checkpoint"));

    let mut extra: Vec<Named> = all.iter().map(copy).collect();
    extra.push(Named { name: "model.layers.2.bias".to_owned(), shape: vec![1], values: vec![0.0] });
    assert!(load(&model, &extra).unwrap_err().to_string().contains("such as `model.layers.2.bias`"));

    let mut misshaped: Vec<Named> = all.iter().map(copy).collect();
    let tensor = misshaped.iter_mut().find(|p| p.name == name).unwrap();
    tensor.shape = vec![2, tensor.values.len() / 2];
    let error = load(&model, &misshaped).unwrap_err().to_string();
    assert!(error.starts_with(&format!("tensor `{name}` has the shape [2, ")), "{error}");
}

fn load(model: &Model, parameters: &[Named]) -> Result<Qwen2Vl, WeightError> {
    let parameters: Vec<Named> = parameters.iter().map(copy).collect();
    let checkpoint = Checkpoint::from_bytes("memory", to_safetensors(&parameters, false))?;
    Qwen2Vl::load(&model.config, checkpoint, &Device::flex())
}

fn copy(of: &Named) -> Named {
    Named { name: of.name.clone(), shape: of.shape.clone(), values: of.values.clone() }
}

fn model() -> Model {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/fixtures/v5");
    Model::load(&folder, &Device::flex()).unwrap()
}

fn picture(model: &Model) -> PatchedImage {
    let picture = ::image::RgbImage::from_fn(84, 56, |x, y| {
        ::image::Rgb([(x * 3) as u8, (y * 4) as u8, (x * y) as u8])
    });
    model.patches(&[picture]).unwrap().remove(0)
}

fn prompt(model: &Model, question: &str, with_picture: bool) -> Sequence {
    let pictures = if with_picture { vec![picture(model)] } else { Vec::new() };
    let grids: Vec<[usize; 3]> = pictures.iter().map(|p| p.grid).collect();
    let mut sequence = model.prompt(question, &grids).unwrap();
    sequence.features = model.network.features(&pictures.iter().collect::<Vec<_>>());
    sequence
}

fn sampling() -> Sampling {
    Sampling { temperature: 1.5, ..Sampling::at_temperature_1(12) }
}

/// Every tenth token ends a text, so that rows end at different lengths.
fn ends() -> Vec<u32> {
    (0..400).step_by(10).collect()
}

/// Named by prompt and number, as a run does.
fn seed(prompt: &Sequence, k: usize) -> Seed {
    Seed::new(3).child(prompt.tokens.len()).child(k)
}

fn sample(model: &Model, prompts: &[&Sequence], k: usize, padding: Padding) -> Vec<Vec<Generated>> {
    let requests: Vec<Request> = prompts
        .iter()
        .map(|prompt| Request::new(prompt, (0..k).map(|i| seed(prompt, i)), sampling()))
        .collect();
    generate(&model.network, &requests, &ends(), padding)
}

fn host(x: Tensor<2>) -> Vec<f32> {
    x.into_data().try_into_vec().unwrap()
}

fn check_near(got: &[f32], expected: &[f32]) {
    assert_eq!(got.len(), expected.len());
    let largest = expected.iter().fold(1.0_f32, |largest, e| largest.max(e.abs()));
    for (a, b) in got.iter().zip(expected) {
        assert!((a - b).abs() <= ROUNDING * largest, "{a} {b}");
    }
}
