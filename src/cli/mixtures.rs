//! From what stands after `--mixture` to a mixture.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    data::{Catalog, Role},
    error::{Context as _, Error, Result},
    mixture::{
        Mixture,
        named::{self, BadFile, MixtureFile},
    },
    name::Name,
};

/// Folder of the mixtures that have a name, below the current one.
pub(super) const FOLDER: &str = "mixtures";

const RULE: &str = "shares are numbers from 0 to 1 that sum to 1";

/// The mixture that `text` means: shares (`a=0.5,b=0.5`), the path of a file, or a name under `mixtures/`.
///
/// Every dataset with a share must be one of the catalogue that can be trained on.
pub(super) fn load(text: &str, catalog: &Catalog) -> Result<Mixture> {
    if text.contains('=') {
        let shares = inline(text).and_then(|shares| checked(shares, catalog));
        return shares.map_err(|error| error.at("option `--mixture`"));
    }
    let Some(path) = find(text) else {
        if let Some((_, mixture)) = seed_mixtures(catalog)?.into_iter().find(|(name, _)| name == text) {
            return Ok(mixture);
        }
        let known: Vec<String> = names(catalog).into_iter().map(|(name, _)| format!("`{name}`")).collect();
        let shares = "shares, `detect=0.5,refer=0.5`";
        let hint = if known.is_empty() {
            format!("give {shares}, or the file of a mixture")
        } else {
            format!("there are {}; {shares}, can be given as well", known.join(", "))
        };
        return Err(Error::input(format!(
            "there is no mixture `{text}`: no file, and no name under {FOLDER}/"
        ))
        .at("option `--mixture`")
        .hint(hint));
    };
    let trained = trained(catalog);
    let read = || {
        let text = fs::read_to_string(&path).input()?;
        match MixtureFile::parse(&text, &trained) {
            Ok((_, mixture)) => Ok(mixture),
            Err(BadFile::UnknownDataset { given, .. }) => Err(unknown(&given, catalog, &trained)),
            Err(error) => Err(Error::input(error).hint(RULE)),
        }
    };
    read().map_err(|error| error.at(path.display()))
}

/// [`load`] for a plan that trains on `train`: the paper's names (`uniform`, `single_…`, `exclude_…`) are of its datasets.
pub(super) fn load_for(text: &str, train: &[Name], catalog: &Catalog) -> Result<Mixture> {
    let own = named::seed_mixtures(train).failed()?.into_iter().find(|(name, ..)| name == text);
    own.map_or_else(|| load(text, catalog), |(_, mixture, _)| Ok(mixture))
}

/// The file that `text` means: its path, or a name under `mixtures/`.
fn find(text: &str) -> Option<PathBuf> {
    let in_folder = |name: &str| Path::new(FOLDER).join(name);
    let tried = [Path::new(text).to_owned(), in_folder(text), in_folder(&format!("{text}.json"))];
    tried.into_iter().find(|path| path.is_file())
}

/// The file that `text` means, where it is one: with what it says about itself, such as that the data showed no signal.
pub(super) fn file(text: &str, catalog: &Catalog) -> Option<MixtureFile> {
    let read = fs::read_to_string(find(text)?).ok()?;
    Some(MixtureFile::parse(&read, &trained(catalog)).ok()?.0)
}

/// The paper's mixtures of the embedded datasets: what the names mean where no file has them.
fn seed_mixtures(catalog: &Catalog) -> Result<Vec<(String, Mixture)>> {
    let embedded = super::quickstart::plan()?.train;
    let trained = trained(catalog);
    if !embedded.iter().all(|name| trained.contains(name)) {
        return Ok(Vec::new());
    }
    let all = named::seed_mixtures(&embedded).failed()?;
    Ok(all.into_iter().map(|(name, mixture, _)| (name, mixture)).collect())
}

/// Mixtures that have a name, with their shares, by name: the files under `mixtures/`, and the paper's that no file there
/// stands for. Files that hold no mixture of this catalogue's datasets are left out.
pub(super) fn names(catalog: &Catalog) -> Vec<(String, Mixture)> {
    let trained = trained(catalog);
    let entries = fs::read_dir(FOLDER).into_iter().flatten().flatten();
    let mut names: BTreeMap<String, Mixture> = seed_mixtures(catalog).into_iter().flatten().collect();
    names.extend(entries.filter_map(|entry| {
        let path = entry.path();
        let name = path.file_name()?.to_str()?.strip_suffix(".json")?.to_owned();
        let (_, mixture) = MixtureFile::parse(&fs::read_to_string(&path).ok()?, &trained).ok()?;
        Some((name, mixture))
    }));
    names.into_iter().collect()
}

fn inline(text: &str) -> Result<BTreeMap<Name, f64>> {
    let mut shares = BTreeMap::new();
    for part in text.split(',') {
        let pair =
            part.split_once('=').and_then(|(name, share)| Some((name.trim(), share.trim().parse().ok()?)));
        let Some((name, share)) = pair else {
            return Err(
                Error::input(format!("`{}` is no share", part.trim())).hint("write `detect=0.5,refer=0.5`")
            );
        };
        let parsed: Name = name.parse().input()?;
        if shares.insert(parsed, share).is_some() {
            return Err(Error::input(format!("`{name}` has two shares")).hint("give each dataset once"));
        }
    }
    Ok(shares)
}

fn checked(shares: BTreeMap<Name, f64>, catalog: &Catalog) -> Result<Mixture> {
    let trained = trained(catalog);
    if let Some(name) = shares.keys().find(|name| !trained.contains(name)) {
        return Err(unknown(name.as_str(), catalog, &trained));
    }
    let mixture = Mixture::new(&shares).input().map_err(|error| error.hint(RULE))?;
    // Who writes a share means it to be drawn; nothing is left out silently.
    if let Some((name, share)) =
        shares.iter().find(|(name, share)| **share > 0.0 && mixture.share(name) == 0.0)
    {
        let what = format!(
            "the share of `{name}` is {share:e}, which is less than a millionth: it would never be drawn"
        );
        return Err(Error::input(what).hint("give it 0.000001 or more, or 0 to leave it out"));
    }
    Ok(mixture)
}

fn trained(catalog: &Catalog) -> Vec<Name> {
    catalog.iter().filter(|(_, config)| config.role == Role::Train).map(|(name, _)| name.clone()).collect()
}

fn unknown(given: &str, catalog: &Catalog, trained: &[Name]) -> Error {
    let what = match catalog.iter().find(|(name, _)| name.as_str() == given) {
        Some(_) => {
            format!("the mixture gives a share to `{given}`, which is a benchmark: nothing trains on it")
        }
        None => format!("the mixture names the dataset `{given}`, which there is not"),
    };
    let known: Vec<&str> = trained.iter().map(Name::as_str).collect();
    Error::input(what).hint(format!("there are `{}`", known.join("`, `")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_can_be_given_on_the_command_line() {
        let mixture = load("detect=0.25, refer=.75", &Catalog::embedded()).unwrap();
        assert_eq!(mixture.brief(), "detect .25 refer .75");
    }

    #[test]
    fn what_is_no_mixture_says_why() {
        for (text, expected) in [
            ("detct=1", "the mixture names the dataset `detct`, which there is not"),
            ("detct=1", "there are `bccd_count`, `bccd_detect`, `detect`"),
            ("chart=1", "a share to `chart`, which is a benchmark"),
            ("detect=0.5,refer=0.47", "the shares sum to 0.9700, not to 1"),
            ("detect=nan", "the share of `detect` is NaN"),
            ("detect=half", "`detect=half` is no share"),
            ("detect=.5,detect=.5", "`detect` has two shares"),
            ("../x=1", "`../x` is no name"),
            ("bets", "there is no mixture `bets`: no file, and no name under mixtures/"),
        ] {
            let error = load(text, &Catalog::embedded()).unwrap_err();
            assert!(error.to_string().contains(expected), "{text}: {error}");
            assert_eq!(error.kind(), crate::error::Kind::Input);
        }
    }
}
