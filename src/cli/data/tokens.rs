//! How many tokens the rows of a dataset are for a model, pictures included.

use std::{collections::BTreeMap, fs, io, path::Path};

use crate::{
    cli::Context,
    data::{DatasetConfig, picture},
    error::{Context as _, Error, Result},
    mixture::Mixture,
    model::{config::ModelConfig, image::smart_resize, nano, tokenizer::ChatTokenizer},
    name::Name,
    sample::Sample,
    sampler::{self, MeanLength},
    store, train,
};

/// What shares are of.
#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
pub(in crate::cli) enum Unit {
    /// Prompt groups.
    Groups,
    /// Prompt tokens, pictures included, by the mean lengths that `modo data check --model` measured.
    Tokens,
}

impl Unit {
    /// The mixture of prompt groups that shares of this unit come to.
    pub(in crate::cli) fn in_groups(
        self,
        mixture: &Mixture,
        means: &BTreeMap<Name, MeanLength>,
    ) -> Result<Mixture> {
        match self {
            Self::Groups => Ok(mixture.clone()),
            Self::Tokens => sampler::groups_of_tokens(mixture, means)
                .input()
                .map_err(|error| error.hint("`modo data check NAME --model MODEL` measures it")),
        }
    }
}

/// Counts the tokens of one model.
pub(in crate::cli) struct Counter {
    tokenizer: ChatTokenizer,
    config: ModelConfig,
    /// Hash of the files that decide what is counted.
    files: String,
}

impl Counter {
    /// For a model as plans name it: `nano`, or a checkpoint folder, whose weights are not needed.
    pub(in crate::cli) fn read(model: &str) -> Result<Self> {
        let embedded = tempfile::tempdir().at("the folder for temporary files")?;
        let folder = match model {
            "nano" => {
                nano::write_without_weights(embedded.path()).at(embedded.path().display())?;
                embedded.path()
            }
            train::UNTRAINED => {
                return Err(Error::input("an untrained base has no tokenizer before it is made")
                    .hint("shares of tokens need a model that has one: `modo draw` and `modo data check` take it as `--model`"));
            }
            folder => Path::new(folder),
        };
        let config = ModelConfig::read(folder).input().at(folder.display())?;
        let tokenizer = ChatTokenizer::read(folder, &config).input().at(folder.display())?;
        let files = hash_of_files(folder).at(folder.display())?;
        Ok(Self { tokenizer, config, files })
    }

    /// What tells one way to count a dataset's tokens from another: the model's files and the prompt around a question.
    pub(in crate::cli) fn key(&self, config: &DatasetConfig) -> String {
        store::short_hash(&serde_json::to_vec(&(&self.files, &config.prompt)).expect("texts"))
    }

    /// Tokens of the prompt's text and of its pictures; the chat template's own are left out.
    pub(super) fn count(&self, config: &DatasetConfig, sample: &Sample) -> Option<(u64, u64)> {
        let text = self.tokenizer.encode(&config.prompt(sample)).ok()?.len() as u64;
        let shape = &self.config.picture;
        let factor = shape.patch_size * shape.merge_size;
        let mut pictures = 0;
        for one in &sample.pictures {
            let (width, height) = picture::size(one).ok()?;
            let (down, across) =
                smart_resize(height, width, factor, shape.min_pixels, shape.max_pixels).ok()?;
            pictures += (down / factor * (across / factor)) as u64;
        }
        Some((text, pictures))
    }
}

/// Hash of the files beside a model's weights.
fn hash_of_files(folder: &Path) -> io::Result<String> {
    let mut paths: Vec<_> = fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "json" || end == "jinja" || end == "txt"));
    paths.sort();
    let mut hasher = blake3::Hasher::new();
    for path in paths {
        // Each name and content by its hash, so that neither runs into the next.
        for part in [path.file_name().unwrap_or_default().as_encoded_bytes(), &fs::read(&path)?] {
            hasher.update(blake3::hash(part).as_bytes());
        }
    }
    Ok(hasher.finalize().to_hex()[..32].to_owned())
}

/// Mean lengths of the datasets that were measured.
pub(in crate::cli) fn means<'a>(
    datasets: impl Iterator<Item = (&'a sampler::Dataset, &'a DatasetConfig)>,
    counter: Option<&Counter>,
    context: &Context,
) -> BTreeMap<Name, MeanLength> {
    let Some(cache) = &context.cache else { return BTreeMap::new() };
    let known = |(dataset, config): (&sampler::Dataset, &DatasetConfig)| {
        let key = counter.map(|counter| counter.key(config));
        let mean = sampler::lengths::read(cache, &dataset.content_hash, key.as_deref())?;
        Some((dataset.name.clone(), mean))
    };
    datasets.filter_map(known).collect()
}
