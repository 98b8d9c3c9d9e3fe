//! How often a dataset's rows may be drawn, and what happens to its share afterwards.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::name::Name;

/// How often the rows of a dataset may be drawn.
///
/// Written `repeat`, `stop`, `2`, `2:stop`, `1.5:renormalise` or `3:hand_to=other`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Limit {
    /// For ever, freshly shuffled in every pass.
    Repeat,
    /// At most `max_passes` times the number of rows, rounded down.
    Passes {
        /// Passes over the rows, > 0 and finite.
        max_passes: f64,
        /// What happens then.
        then: Then,
    },
}

/// What happens when a dataset has given what it may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// The schedule ends.
    Stop,
    /// The others go on in the proportions they have.
    Renormalise,
    /// Another dataset takes its share.
    HandTo(Name),
}

/// A text that is no [`Limit`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is no limit; write `repeat`, `stop`, or passes and what then: `2:stop`, `2:renormalise`, `2:hand_to=NAME`",
    .0.escape_debug()
)]
pub struct BadLimit(String);

impl Limit {
    /// One pass, and the schedule ends where a second would begin.
    pub const STOP: Self = Self::Passes { max_passes: 1.0, then: Then::Stop };

    /// Draws that a dataset of `rows` rows has; none where there is no limit that a `u64` could reach.
    pub fn draws(&self, rows: u64) -> Option<u64> {
        let Self::Passes { max_passes, .. } = self else { return None };
        // Whole passes stay exact for any number of rows.
        let whole = (max_passes.trunc() as u64).checked_mul(rows)?;
        whole.checked_add((max_passes.fract() * rows as f64) as u64)
    }

    /// What happens then; none where it goes on for ever.
    pub fn then(&self) -> Option<&Then> {
        match self {
            Self::Repeat => None,
            Self::Passes { then, .. } => Some(then),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repeat => write!(f, "repeat"),
            Self::Passes { max_passes, then } => write!(f, "{max_passes}:{then}"),
        }
    }
}

impl fmt::Display for Then {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stop => write!(f, "stop"),
            Self::Renormalise => write!(f, "renormalise"),
            Self::HandTo(name) => write!(f, "hand_to={name}"),
        }
    }
}

impl FromStr for Limit {
    type Err = BadLimit;

    fn from_str(text: &str) -> Result<Self, BadLimit> {
        let bad = || BadLimit(text.chars().take(80).collect());
        match text {
            "repeat" => return Ok(Self::Repeat),
            "stop" => return Ok(Self::STOP),
            _ => {}
        }
        let (passes, then) = text.split_once(':').unwrap_or((text, "stop"));
        let max_passes: f64 = passes.trim().parse().map_err(|_| bad())?;
        if !(max_passes > 0.0 && max_passes.is_finite()) {
            return Err(bad());
        }
        let then = match then.trim() {
            "stop" => Then::Stop,
            "renormalise" => Then::Renormalise,
            other => Then::HandTo(
                other.strip_prefix("hand_to=").and_then(|name| name.parse().ok()).ok_or_else(bad)?,
            ),
        };
        Ok(Self::Passes { max_passes, then })
    }
}

impl TryFrom<String> for Limit {
    type Error = BadLimit;

    fn try_from(text: String) -> Result<Self, BadLimit> {
        text.parse()
    }
}

impl From<Limit> for String {
    fn from(limit: Limit) -> Self {
        limit.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_reads_back_as_it_is_written() {
        for text in ["repeat", "1:stop", "2.5:renormalise", "3:hand_to=other"] {
            assert_eq!(text.parse::<Limit>().unwrap().to_string(), text);
        }
        assert_eq!("stop".parse(), Ok(Limit::STOP));
        assert_eq!("2".parse::<Limit>().unwrap().to_string(), "2:stop");
        for text in ["", "0", "-1", "nan", "inf", "2:", "2:go", "2:hand_to=", "2:hand_to=../x"] {
            assert!(text.parse::<Limit>().is_err(), "{text}");
        }
    }

    #[test]
    fn passes_become_rows_without_rounding_up() {
        let draws = |text: &str, rows| text.parse::<Limit>().unwrap().draws(rows);
        assert_eq!(draws("2.5", 5), Some(12));
        assert_eq!(draws("0.1", 5), Some(0));
        assert_eq!(draws("3", (1 << 60) + 1), Some(3 * ((1 << 60) + 1)));
        assert_eq!(draws("1e300", 5), None);
        assert_eq!(draws("repeat", 5), None);
    }
}
