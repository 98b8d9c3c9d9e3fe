use burn::tensor::Device;

use super::*;
use crate::{
    model::{features::Limits, nano},
    sample::Rows,
    tasks::{Generator, Part},
};

#[test]
fn completions_of_a_prompt_do_not_depend_on_what_else_is_drawn() {
    let (_folder, model) = model();
    let features = FeatureStore::new(&model, Limits::default());
    let rows = Generator::new("spatial", Part::Train, Seed::new(3), 4).unwrap();
    let reward = Reward::from_tables(&"choice".into(), None).unwrap();
    let samples: Vec<Sample> = (0..4).map(|i| rows.row(i).unwrap()).collect();
    let prompts: Vec<Sequence> =
        samples.iter().map(|s| prompt(&model, &features, s, &s.question).unwrap()).collect();
    let items: Vec<Item> = samples
        .iter()
        .zip(&prompts)
        .enumerate()
        .map(|(i, (sample, prompt))| Item { sample, prompt, reward: &reward, seed: Seed::new(9).child(i) })
        .collect();
    let sampling = Sampling::at_temperature_1(12);
    let together = collect(&model, &items, 3, sampling);
    for (i, item) in items.iter().enumerate() {
        let alone = collect(&model, std::slice::from_ref(item), 3, sampling);
        check_same(&alone[0], &together[i]);
        let fewer = collect(&model, std::slice::from_ref(item), 2, sampling);
        assert_eq!(fewer[0].completions[1].tokens, together[i].completions[1].tokens);
    }
    let texts: Vec<&str> = together[0].completions.iter().map(|c| c.text.as_str()).collect();
    assert!(texts[0] != texts[1] && texts[1] != texts[2], "{texts:?}");
    let reversed: Vec<Item> = items.iter().rev().copied().collect();
    for (a, b) in collect(&model, &reversed, 3, sampling).iter().rev().zip(&together) {
        check_same(a, b);
    }
}

#[test]
fn right_and_wrong_completions_are_told_apart() {
    let rows = Generator::new("detect", Part::Train, Seed::new(3), 1).unwrap();
    let sample = rows.row(0).unwrap();
    let table: toml::Table = "name = 'boxes'\ncoordinates = 'rel1000'".parse().unwrap();
    let reward = Reward::from_tables(&table.into(), None).unwrap();
    let picture_size = Some(picture::size(&sample.pictures[0]).unwrap());
    let gold = Gold { answer: &sample.answer, options: &[], picture_size };
    let written = reward.write(&gold).unwrap();
    let completion = |text: String| Completion {
        tokens: vec![1],
        logprobs: vec![0.0],
        text,
        stop: crate::trajectory::Stop::End,
    };
    let completions = [
        completion(format!("<think>x</think><answer>{written}</answer>")),
        completion("<think>x</think><answer>[[0,0,1,1]]</answer>".to_owned()),
        completion(String::new()),
    ];
    let scored = score(&reward, &sample, &completions);
    let group = Group { completions: completions.to_vec(), scored };
    let rewards = group.rewards();
    assert_eq!((rewards[0], rewards[2]), (3.0, 0.0));
    assert_eq!(rewards[1], 1.0);
}

#[test]
fn a_picture_that_cannot_be_decoded_and_a_text_that_is_too_long_make_bad_rows() {
    let (_folder, model) = model();
    let features = FeatureStore::new(&model, Limits::default());
    let rows = Generator::new("spatial", Part::Train, Seed::new(3), 1).unwrap();
    let mut sample = rows.row(0).unwrap();
    let long = prompt(&model, &features, &sample, &"left of ".repeat(5000)).unwrap_err();
    assert_eq!(long.place, "spatial/train:0");
    assert!(long.what.contains("tokens and the model sees 4096"), "{long}");
    sample.pictures = vec![crate::sample::Picture::Encoded(b"no picture".as_slice().into())];
    let unreadable = prompt(&model, &features, &sample, "Where?").unwrap_err();
    assert_eq!(unreadable.place, "spatial/train:0, picture 0");
}

fn check_same(a: &Group, b: &Group) {
    assert_eq!(a.scored, b.scored);
    for (a, b) in a.completions.iter().zip(&b.completions) {
        assert_eq!((&a.tokens, &a.text, a.stop), (&b.tokens, &b.text, b.stop));
        // Padding changes the order in which some sums are taken.
        assert!(a.logprobs.iter().zip(&b.logprobs).all(|(a, b)| (a - b).abs() < 1e-4));
    }
}

fn model() -> (tempfile::TempDir, Model) {
    let folder = tempfile::tempdir().unwrap();
    let texts = ["is the red dot left of the blue dot".to_owned()].into_iter();
    let model = nano::create(folder.path(), texts, Seed::new(1), &Device::default()).unwrap();
    (folder, model)
}
