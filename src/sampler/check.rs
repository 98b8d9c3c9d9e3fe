//! Whether a dataset's reward rewards what it must, on the dataset's own golds: asked before every run.

use crate::{
    data::{DatasetConfig, picture},
    error::{Context as _, Error, Result},
    name::Name,
    reward::{Gold, Reward},
    sample::{BadRow, Rows, Sample},
};

/// The reward that a dataset's table asks for.
pub fn reward(name: &Name, config: &DatasetConfig) -> Result<Reward> {
    let by_type = config.verifiers.as_table().filter(|table| !table.contains_key("name"));
    let verifiers = match by_type {
        // Each verifier accepts the golds of one type, so that a list of them stands for the table.
        Some(table) => toml::Value::Array(table.values().cloned().collect()),
        None => config.verifiers.clone(),
    };
    Reward::from_tables(&verifiers, Some(&config.reward))
        .input()
        .at(format!("table [{name}], key `verifier`"))
}

/// Refuses a dataset whose reward fails on a gold, naming dataset and row, before a run trains on it.
///
/// Tests `limit` rows at most, evenly spread, and returns how many; rows that cannot be read are left out, and a
/// dataset without any that can is refused.
pub fn check_rewards(name: &Name, config: &DatasetConfig, rows: &dyn Rows, limit: u64) -> Result<u64> {
    let reward = reward(name, config)?;
    let mut tested = 0;
    let mut last_bad = None;
    for index in spread(rows.len(), limit) {
        match rows.row(index) {
            Ok(sample) => {
                tested += 1;
                test_gold(&reward, &sample).map_err(|failure| {
                    Error::input(format!("the reward fails on a gold: {}", failure.what))
                        .at(failure.place)
                        .at(format!("dataset `{name}`"))
                        .hint(format!("`modo data check {name}` lists every such row"))
                })?;
            }
            Err(bad) => last_bad = Some(bad),
        }
    }
    if tested == 0 {
        let why = last_bad.map_or("it has no rows".to_owned(), |bad| format!("the last one tried is {bad}"));
        return Err(Error::input(format!("no row can be read: {why}")).at(format!("dataset `{name}`")));
    }
    Ok(tested)
}

/// Whether the gold of a sample gets everything from its reward, and wrong answers nothing.
pub fn test_gold(reward: &Reward, sample: &Sample) -> Result<(), BadRow> {
    let picture_size = picture::first_size(sample);
    let gold = Gold { answer: &sample.answer, options: &sample.options, picture_size };
    reward.self_test(&gold).map_err(|failure| BadRow { place: sample.id.clone(), what: failure.to_string() })
}

/// `limit` of `0..rows`, evenly spread, in order; all of them where there are no more.
fn spread(rows: u64, limit: u64) -> impl Iterator<Item = u64> {
    let count = rows.min(limit);
    (0..count).map(move |i| (u128::from(i) * u128::from(rows) / u128::from(count)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{data::Catalog, sample::Answer};

    /// Four rows; the second cannot be read.
    struct Fake(Answer);

    impl Rows for Fake {
        fn len(&self) -> u64 {
            4
        }

        fn row(&self, index: u64) -> Result<Sample, BadRow> {
            if index == 1 {
                return Err(BadRow { place: "row 1".to_owned(), what: "it is cut off".to_owned() });
            }
            let (pictures, options, question) = (Vec::new(), Vec::new(), String::new());
            let answer = if index == 3 { self.0.clone() } else { Answer::Choice('B') };
            Ok(Sample { id: format!("fake:{index}"), pictures, question, options, answer })
        }

        fn content_hash(&self) -> blake3::Hash {
            blake3::hash(b"fake")
        }
    }

    #[test]
    fn a_gold_that_its_own_verifier_refuses_is_named_with_its_row() {
        let (name, config) = geometry();
        let error = check_rewards(&name, &config, &Fake(Answer::Number(3.0)), 10).unwrap_err().to_string();
        let expected =
            "the gold is of type number and the verifier checks choice\n  in fake:3\n  in dataset `geometry`";
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn golds_that_score_are_let_through_and_unreadable_rows_left_out() {
        let (name, config) = geometry();
        assert_eq!(check_rewards(&name, &config, &Fake(Answer::Choice('A')), 10).unwrap(), 3);
        // Of four rows the first and the third.
        assert_eq!(check_rewards(&name, &config, &Fake(Answer::Number(3.0)), 2).unwrap(), 2);
    }

    #[test]
    fn every_table_of_the_catalogue_makes_a_reward() {
        for (name, config) in Catalog::embedded().iter() {
            reward(name, config).unwrap();
        }
    }

    fn geometry() -> (Name, DatasetConfig) {
        let name: Name = "geometry".parse().unwrap();
        let config = Catalog::embedded().get(&name).unwrap().clone();
        (name, config)
    }
}
