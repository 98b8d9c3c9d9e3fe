//! A name from a registry inside another entry's settings, with or without settings of its own.

use serde::{Deserialize, Serialize};

use crate::registry::{BuildError, Registry};

/// `"group_std"`, or `{ name = "group_std", epsilon = 1e-6 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "toml::Value", into = "toml::Value")]
pub struct Choice {
    /// The entry's name.
    pub name: String,
    /// Its settings; empty for all defaults.
    pub settings: toml::Table,
}

impl Choice {
    /// The entry called `name` with its defaults.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), settings: toml::Table::new() }
    }

    /// Makes it; errors begin with the key it was given under.
    pub fn build<T: ?Sized>(&self, key: &str, registry: &Registry<T>) -> Result<Box<T>, BuildError> {
        let at_key = |error: &dyn std::fmt::Display| BuildError::Value(format!("`{key}`: {error}"));
        let entry = registry.get(&self.name).map_err(|e| at_key(&e))?;
        (entry.build)(self.settings.clone()).map_err(|e| at_key(&e))
    }
}

impl TryFrom<toml::Value> for Choice {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<Self, String> {
        let wrong = || "expected a name, or a table with `name` and settings".to_owned();
        match value {
            toml::Value::String(name) => Ok(Self::named(&name)),
            toml::Value::Table(mut settings) => match settings.remove("name") {
                Some(toml::Value::String(name)) => Ok(Self { name, settings }),
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        }
    }
}

impl From<Choice> for toml::Value {
    fn from(choice: Choice) -> Self {
        if choice.settings.is_empty() {
            return Self::String(choice.name);
        }
        let mut table = choice.settings;
        table.insert("name".to_owned(), Self::String(choice.name));
        Self::Table(table)
    }
}
