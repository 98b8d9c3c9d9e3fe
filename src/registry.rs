//! Things a config file can call by name: one [`Entry`] each, one [`Registry`] per kind.

use serde::de::DeserializeOwned;

/// What the file of one entry provides.
pub trait Named: Sized {
    /// The word used in config files, on the command line and as the file's own name.
    const NAME: &'static str;
    /// One line, shown by `modo list`.
    const SUMMARY: &'static str;
    /// The keys it reads. Derive with `deny_unknown_fields`, so that a misspelt key is an error.
    type Config: DeserializeOwned;
    /// Checks the values, not only the keys.
    fn new(config: Self::Config) -> Result<Self, BuildError>;
}

/// One line of a registry.
pub struct Entry<T: ?Sized> {
    /// See [`Named::NAME`].
    pub name: &'static str,
    /// See [`Named::SUMMARY`].
    pub summary: &'static str,
    /// Makes one from its table in a config file.
    pub build: fn(toml::Table) -> Result<Box<T>, BuildError>,
}

/// All entries of one kind, in the order the documentation lists them.
pub struct Registry<T: ?Sized + 'static> {
    /// The kind, as error messages say it: "reward", "predictor".
    pub kind: &'static str,
    /// The entries.
    pub entries: &'static [Entry<T>],
}

impl<T: ?Sized> Registry<T> {
    /// The entry called `name`.
    pub fn get(&self, name: &str) -> Result<&'static Entry<T>, UnknownName> {
        self.entries.iter().find(|entry| entry.name == name).ok_or_else(|| UnknownName {
            kind: self.kind,
            given: name.to_owned(),
            known: self.entries.iter().map(|entry| entry.name).collect(),
        })
    }
}

/// A table that does not make an entry.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A key is missing, misspelt or of the wrong type.
    #[error("{0}")]
    Keys(#[from] toml::de::Error),
    /// The keys are right and a value is not.
    #[error("{0}")]
    Value(String),
}

/// A name that no entry has.
#[derive(Debug, thiserror::Error)]
#[error("no {kind} is called `{given}`; there are `{}`", known.join("`, `"))]
pub struct UnknownName {
    kind: &'static str,
    given: String,
    known: Vec<&'static str>,
}
