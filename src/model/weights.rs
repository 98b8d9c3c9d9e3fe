//! Parameters in safetensors files: read by the file's own names, nothing missing, nothing left over.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};

/// Where a model's parameters come from while it is built.
pub trait Source {
    /// The values of one parameter in row order, as f32.
    fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, WeightError>;
}

/// A checkpoint whose parameters do not fit the model.
#[derive(Debug, thiserror::Error)]
pub enum WeightError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not safetensors.
    #[error("{}: not a valid safetensors file: {what}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The config asks for a tensor that no file has.
    #[error("tensor `{0}` is missing from the checkpoint")]
    Missing(String),
    /// Tensors that the model has no place for.
    #[error("the checkpoint holds {} tensor(s) that the model does not have, such as `{}`", .0.len(), .0[0])]
    Extra(Vec<String>),
    /// A tensor of another shape.
    #[error("tensor `{name}` has the shape {has:?} in the checkpoint; the config asks for {needs:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// In the file.
        has: Vec<usize>,
        /// By the config.
        needs: Vec<usize>,
    },
    /// A tensor in two files, which may differ.
    #[error("tensor `{name}` is in `{}` and in `{}`", one.display(), other.display())]
    Twice {
        /// The tensor.
        name: String,
        /// A file.
        one: PathBuf,
        /// Another file.
        other: PathBuf,
    },
    /// A number format that is not read.
    #[error("tensor `{name}` is stored as {dtype:?}; f32, f16 and bf16 are read")]
    Dtype {
        /// The tensor.
        name: String,
        /// Its format.
        dtype: Dtype,
    },
}

/// The safetensors files of a checkpoint folder, or one in memory.
pub struct Checkpoint {
    files: Vec<File>,
    /// Tensor name to index into `files`.
    found: BTreeMap<String, usize>,
    taken: BTreeSet<String>,
}

struct File {
    path: PathBuf,
    bytes: Vec<u8>,
    /// Tensors in it that nobody has taken; its bytes go with the last one.
    left: usize,
}

impl Checkpoint {
    /// Reads `model.safetensors`, or where that is missing the shards that `model.safetensors.index.json` names; in this
    /// order as transformers does.
    pub fn open(folder: &Path) -> Result<Self, WeightError> {
        let index = folder.join("model.safetensors.index.json");
        let names: Vec<String> = if index.exists() && !folder.join("model.safetensors").is_file() {
            let text = read(&index)?;
            shard_names(&text).map_err(|what| WeightError::Format { path: index, what })?
        } else {
            vec!["model.safetensors".to_owned()]
        };
        let files = names.into_iter().map(|name| {
            let path = folder.join(name);
            read(&path).map(|bytes| (path, bytes))
        });
        Self::of(files.collect::<Result<_, _>>()?)
    }

    /// From one file already in memory; `name` stands in errors.
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Self, WeightError> {
        Self::of(vec![(PathBuf::from(name), bytes)])
    }

    fn of(files: Vec<(PathBuf, Vec<u8>)>) -> Result<Self, WeightError> {
        let mut found = BTreeMap::new();
        let mut counted: Vec<File> = Vec::new();
        for (i, (path, bytes)) in files.into_iter().enumerate() {
            let names: Vec<String> = parse(&path, &bytes)?.names().into_iter().map(str::to_owned).collect();
            let left = names.len();
            for name in names {
                if let Some(before) = found.insert(name.clone(), i) {
                    let one = counted[before].path.clone();
                    return Err(WeightError::Twice { name, one, other: path });
                }
            }
            counted.push(File { path, bytes, left });
        }
        Ok(Self { files: counted, found, taken: BTreeSet::new() })
    }

    /// The content of one of its files, as long as there are tensors in it that nobody has taken.
    pub fn file(&self, path: &Path) -> Option<&[u8]> {
        let file = self.files.iter().find(|file| file.path == path)?;
        (file.left > 0).then_some(file.bytes.as_slice())
    }

    /// Whether any tensor's name starts so.
    pub fn has_prefix(&self, prefix: &str) -> bool {
        self.found.range(prefix.to_owned()..).next().is_some_and(|(name, _)| name.starts_with(prefix))
    }

    /// Fails when the file holds tensors that nothing asked for.
    pub fn finish(self) -> Result<(), WeightError> {
        let extra: Vec<String> = self.found.into_keys().filter(|name| !self.taken.contains(name)).collect();
        if extra.is_empty() { Ok(()) } else { Err(WeightError::Extra(extra)) }
    }
}

impl Source for Checkpoint {
    fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, WeightError> {
        let file = *self.found.get(name).ok_or_else(|| WeightError::Missing(name.to_owned()))?;
        let File { path, bytes, left } = &mut self.files[file];
        let tensors = parse(path, bytes)?;
        let view = tensors
            .tensor(name)
            .map_err(|e| WeightError::Format { path: path.clone(), what: e.to_string() })?;
        if view.shape() != shape {
            return Err(WeightError::Shape {
                name: name.to_owned(),
                has: view.shape().to_vec(),
                needs: shape.to_vec(),
            });
        }
        let data = view.data();
        let values = match view.dtype() {
            Dtype::F32 => numbers(data, f32::from_le_bytes),
            Dtype::BF16 => numbers(data, |b| half::bf16::from_le_bytes(b).to_f32()),
            Dtype::F16 => numbers(data, |b| half::f16::from_le_bytes(b).to_f32()),
            dtype => return Err(WeightError::Dtype { name: name.to_owned(), dtype }),
        };
        if self.taken.insert(name.to_owned()) {
            *left -= 1;
        }
        if *left == 0 {
            // The values live on as f32: a checkpoint in shards is never in memory twice as a whole.
            *bytes = Vec::new();
        }
        Ok(values)
    }
}

/// A named tensor on its way to a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// Its name in the file.
    pub name: String,
    /// Its shape in the file.
    pub shape: Vec<usize>,
    /// Row by row.
    pub values: Vec<f32>,
}

/// The bytes of a safetensors file; bf16 halves it and rounds to three digits.
pub fn to_safetensors(tensors: &[Named], bf16: bool) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|t| {
            if bf16 {
                t.values.iter().flat_map(|v| half::bf16::from_f32(*v).to_le_bytes()).collect()
            } else {
                t.values.iter().flat_map(|v| v.to_le_bytes()).collect()
            }
        })
        .collect();
    let dtype = if bf16 { Dtype::BF16 } else { Dtype::F32 };
    let views = tensors.iter().zip(&bytes).map(|(t, bytes)| {
        let view =
            TensorView::new(dtype, t.shape.clone(), bytes).expect("shape and values are of one length");
        (t.name.as_str(), view)
    });
    safetensors::serialize(views, None).expect("names are unique")
}

fn parse<'a>(path: &Path, bytes: &'a [u8]) -> Result<SafeTensors<'a>, WeightError> {
    SafeTensors::deserialize(bytes)
        .map_err(|e| WeightError::Format { path: path.to_owned(), what: e.to_string() })
}

fn numbers<const N: usize>(data: &[u8], of: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    data.as_chunks::<N>().0.iter().map(|b| of(*b)).collect()
}

fn read(path: &Path) -> Result<Vec<u8>, WeightError> {
    fs::read(path).map_err(|source| WeightError::Read { path: path.to_owned(), source })
}

/// File names of an index; a name with a path in it is refused.
fn shard_names(index: &[u8]) -> Result<Vec<String>, String> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let index: Index = serde_json::from_slice(index).map_err(|e| e.to_string())?;
    let names: BTreeSet<String> = index.weight_map.into_values().collect();
    match names.iter().find(|n| n.contains(['/', '\\'])) {
        Some(name) => Err(format!("the shard `{name}` lies outside the folder")),
        None => Ok(names.into_iter().collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bf16: bool) -> Vec<u8> {
        to_safetensors(
            &[Named { name: "a".into(), shape: vec![2, 2], values: vec![1.0, -2.5, 0.0, 4.0] }],
            bf16,
        )
    }

    #[test]
    fn what_is_written_reads_back() {
        for bf16 in [false, true] {
            let mut checkpoint = Checkpoint::from_bytes("x", file(bf16)).unwrap();
            assert_eq!(checkpoint.take("a", &[2, 2]).unwrap(), [1.0, -2.5, 0.0, 4.0]);
            checkpoint.finish().unwrap();
        }
    }

    #[test]
    fn one_file_stands_before_shards_and_a_tensor_is_in_one_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
        let tensor =
            |name: &str, value: f32| Named { name: name.into(), shape: vec![1], values: vec![value] };
        write(
            "model.safetensors.index.json",
            br#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}"#,
        );
        write("model-1.safetensors", &to_safetensors(&[tensor("a", 1.0)], false));
        write("model-2.safetensors", &to_safetensors(&[tensor("b", 2.0)], false));
        let mut shards = Checkpoint::open(folder.path()).unwrap();
        assert!(shards.file(&folder.path().join("model-1.safetensors")).is_some());
        assert_eq!(
            (shards.take("a", &[1]).unwrap(), shards.take("b", &[1]).unwrap()),
            (vec![1.0], vec![2.0])
        );
        assert!(shards.file(&folder.path().join("model-1.safetensors")).is_none(), "all of it was taken");
        shards.finish().unwrap();

        write("model-2.safetensors", &to_safetensors(&[tensor("a", 3.0), tensor("b", 2.0)], false));
        let error = Checkpoint::open(folder.path()).err().unwrap().to_string();
        assert!(error.contains("tensor `a` is in") && error.contains("model-2.safetensors"), "{error}");

        write("model.safetensors", &to_safetensors(&[tensor("a", 4.0)], false));
        assert_eq!(Checkpoint::open(folder.path()).unwrap().take("a", &[1]).unwrap(), [4.0]);
    }

    #[test]
    fn missing_extra_and_misshaped_tensors_are_named() {
        let mut checkpoint = Checkpoint::from_bytes("x", file(false)).unwrap();
        assert_eq!(
            checkpoint.take("b", &[1]).unwrap_err().to_string(),
            "tensor `b` is missing from the checkpoint"
        );
        assert!(checkpoint.take("a", &[4]).unwrap_err().to_string().contains("has the shape [2, 2]"));
        assert!(checkpoint.finish().unwrap_err().to_string().contains("such as `a`"));
        assert!(Checkpoint::from_bytes("x", b"garbage".to_vec()).is_err());
    }
}
