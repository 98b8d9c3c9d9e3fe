//! Shares that are meant in tokens, as shares of prompt groups.

use std::collections::BTreeMap;

use super::lengths::MeanLength;
use crate::{
    mixture::{BadMixture, Mixture},
    name::Name,
};

/// A dataset whose groups cannot be counted in tokens.
#[derive(Debug, thiserror::Error)]
pub enum NoLength {
    /// Nobody has measured it.
    #[error("the mean length of `{0}` in tokens is not known")]
    Unknown(Name),
    /// It was measured as nothing.
    #[error("the mean length of `{0}` is {1} tokens")]
    Nothing(Name, f64),
    /// The shares that come out are none.
    #[error(transparent)]
    Shares(#[from] BadMixture),
}

/// The mixture of groups in which each dataset has its share of `tokens` of the prompt tokens.
///
/// A share of tokens divided by the mean length of a prompt is proportional to the number of groups.
pub fn groups_of_tokens(tokens: &Mixture, means: &BTreeMap<Name, MeanLength>) -> Result<Mixture, NoLength> {
    let mut groups = BTreeMap::new();
    for (name, share) in tokens.shares() {
        let mean = match means.get(name).and_then(|mean| mean.tokens) {
            _ if share == 0.0 => 1.0,
            None => return Err(NoLength::Unknown(name.clone())),
            Some(tokens) if !(tokens > 0.0 && tokens.is_finite()) => {
                return Err(NoLength::Nothing(name.clone(), tokens));
            }
            Some(tokens) => tokens,
        };
        groups.insert(name.clone(), share / mean);
    }
    let sum: f64 = groups.values().sum();
    for share in groups.values_mut() {
        *share /= sum;
    }
    Ok(Mixture::new(&groups)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_tokens_from_prompts_three_times_as_long_is_a_quarter_of_the_groups() {
        let (long, short): (Name, Name) = ("long".parse().unwrap(), "short".parse().unwrap());
        let tokens = Mixture::uniform([&long, &short]).unwrap();
        let mean = |tokens| MeanLength { tokens: Some(tokens), pixels: 0.0 };
        let mut means = BTreeMap::from([(long.clone(), mean(300.0)), (short.clone(), mean(100.0))]);
        let groups = groups_of_tokens(&tokens, &means).unwrap();
        assert_eq!((groups.share(&long), groups.share(&short)), (0.25, 0.75));
        means.insert(short.clone(), mean(0.0));
        assert_eq!(
            groups_of_tokens(&tokens, &means).unwrap_err().to_string(),
            "the mean length of `short` is 0 tokens"
        );
        means.insert(short.clone(), MeanLength { tokens: None, pixels: 9.0 });
        assert!(groups_of_tokens(&tokens, &means).unwrap_err().to_string().contains("not known"));
    }
}
