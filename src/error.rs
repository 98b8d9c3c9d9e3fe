//! What went wrong, where, and what to do about it: the error that reaches people.

use std::fmt::{self, Display};

/// An error as a person reads it. Lower floors keep their own error types; jobs and commands turn them into this one.
///
/// ```text
/// error: dataset `geo3k` asks for the verifier `exact`
///   in datasets.toml, table [geo3k], key `verifier`
/// hint: there are `choice`, `number`, `text`
/// ```
#[derive(Debug)]
pub struct Error {
    what: String,
    places: Vec<String>,
    hint: Option<String>,
    kind: Kind,
}

/// Who has to act; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something the user gave is wrong: exit code 2, no result was written, trying again cannot help.
    Input,
    /// The work itself failed: exit code 1.
    Failed,
    /// Stopped on request (Ctrl-C, SIGTERM), or held by another process: exit code 75; the same command goes on from here.
    Interrupted,
}

impl Kind {
    /// What the process ends with.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Input => 2,
            // EX_TEMPFAIL of sysexits.h, which schedulers read as "start it again".
            Self::Interrupted => 75,
        }
    }
}

/// `Result` with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The user's input is wrong.
    pub fn input(what: impl Display) -> Self {
        Self { what: what.to_string(), places: Vec::new(), hint: None, kind: Kind::Input }
    }

    /// The work failed.
    pub fn failed(what: impl Display) -> Self {
        Self { kind: Kind::Failed, ..Self::input(what) }
    }

    /// Somebody asked to stop.
    pub fn interrupted() -> Self {
        Self { kind: Kind::Interrupted, ..Self::input("interrupted") }
            .hint("run the same command again to go on where it stopped")
    }

    /// Somebody else is at it: the same command can be given again later.
    pub fn held(what: impl Display) -> Self {
        Self { kind: Kind::Interrupted, ..Self::input(what) }
    }

    /// Adds where: the innermost place first.
    #[must_use]
    pub fn at(mut self, place: impl Display) -> Self {
        self.places.push(place.to_string());
        self
    }

    /// Says what to do; the first hint given stays.
    #[must_use]
    pub fn hint(mut self, hint: impl Display) -> Self {
        self.hint.get_or_insert_with(|| hint.to_string());
        self
    }

    /// Who has to act.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What went wrong, alone.
    pub fn what(&self) -> &str {
        &self.what
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        for place in &self.places {
            write!(f, "\n  in {place}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Turns any error into an [`Error`] of the right kind.
pub trait Context<T> {
    /// The user has to act.
    fn input(self) -> Result<T>;
    /// The work failed.
    fn failed(self) -> Result<T>;
    /// Adds where it happened; keeps the kind where there is one, else the work failed.
    fn at(self, place: impl Display) -> Result<T>;
}

impl<T, E: Into<Box<dyn std::error::Error + Send + Sync>>> Context<T> for std::result::Result<T, E> {
    fn input(self) -> Result<T> {
        self.map_err(|e| own(e, Kind::Input))
    }

    fn failed(self) -> Result<T> {
        self.map_err(|e| own(e, Kind::Failed))
    }

    fn at(self, place: impl Display) -> Result<T> {
        self.map_err(|e| own(e, Kind::Failed).at(place))
    }
}

fn own(error: impl Into<Box<dyn std::error::Error + Send + Sync>>, kind: Kind) -> Error {
    match error.into().downcast::<Error>() {
        Ok(own) => *own,
        Err(other) => Error { kind, ..Error::input(other) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_where_and_what_to_do() {
        let error = Error::input("no verifier `exact`")
            .at("table [geo3k]")
            .at("datasets.toml")
            .hint("there is `text`");
        let expected = "no verifier `exact`\n  in table [geo3k]\n  in datasets.toml\nhint: there is `text`";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn context_keeps_the_kind_of_an_own_error() {
        let error = Err::<(), _>(Error::input("x")).at("here").unwrap_err();
        assert_eq!(error.kind(), Kind::Input);
    }
}
