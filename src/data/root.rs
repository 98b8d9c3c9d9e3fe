//! The folder that data may be read from; nothing outside it is.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use base64::Engine as _;

/// Largest picture file, in bytes.
pub(super) const MAX_PICTURE_BYTES: u64 = 64 * 1024 * 1024;

/// Most files that the patterns of one dataset may match, together.
pub(super) const MAX_FILES: usize = 100_000;

/// Reads from a place of a file, which several threads can do at once.
pub(super) fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_at(file, buffer, at);
    #[cfg(windows)]
    return std::os::windows::fs::FileExt::seek_read(file, buffer, at);
}

/// An existing folder, with symbolic links resolved.
#[derive(Clone, Debug)]
pub(super) struct Root(PathBuf);

/// Whether a path or pattern is relative and never steps up; links are checked when files are opened.
pub(super) fn stays_inside(path: &str) -> bool {
    !path.is_empty()
        && Path::new(path).components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir))
}

/// The bytes that a text holds itself, as a `data:` URL or as base64 that begins as pictures do.
fn embedded(text: &str) -> Result<Option<Vec<u8>>, String> {
    // PNG, JPEG, WebP and GIF.
    const STARTS: [&str; 4] = ["iVBORw0KGgo", "/9j/", "UklGR", "R0lGOD"];
    let encoded = match text.strip_prefix("data:image/") {
        Some(rest) => match rest.split_once(";base64,") {
            Some((_, encoded)) => encoded,
            None => return Ok(None),
        },
        None if text.len() > 100 && STARTS.iter().any(|start| text.starts_with(start)) => text,
        None => return Ok(None),
    };
    let clean: Vec<u8> = encoded.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let bytes = base64::engine::general_purpose::STANDARD.decode(&clean);
    bytes.map(Some).map_err(|e| format!("the picture inside the text is no base64: {e}"))
}

impl Root {
    pub(super) fn new(folder: &Path) -> Result<Self, String> {
        let resolved =
            folder.canonicalize().map_err(|e| format!("the data root {}: {e}", folder.display()))?;
        if resolved.is_dir() { Ok(Self(resolved)) } else { Err(format!("{} is no folder", folder.display())) }
    }

    /// The files that a pattern matches, sorted by path.
    pub(super) fn files(&self, pattern: &str) -> Result<Vec<PathBuf>, String> {
        if !stays_inside(pattern) {
            return Err(format!("`{pattern}` leads out of the data root"));
        }
        let below = format!("{}/{pattern}", glob::Pattern::escape(&self.0.to_string_lossy()));
        let matches = glob::glob(&below).map_err(|e| format!("`{pattern}` is no pattern: {e}"))?;
        let mut files = Vec::new();
        for found in matches {
            let found = found.map_err(|e| e.to_string())?;
            if found.is_file() {
                files.push(self.inside(&found)?);
            }
            if files.len() > MAX_FILES {
                return Err(format!("`{pattern}` matches more than {MAX_FILES} files"));
            }
        }
        Ok(files)
    }

    /// A folder given relative to the root.
    pub(super) fn folder(&self, relative: &str) -> Result<PathBuf, String> {
        self.inside(&self.0.join(relative))
    }

    /// The folder itself.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The bytes of a picture that a row names, relative to `folder`, and the file they are from; a `data:` URL
    /// holds the bytes itself.
    pub(super) fn picture(&self, folder: &Path, path: &str) -> Result<(Arc<[u8]>, Option<PathBuf>), String> {
        let shown: String = path.chars().take(120).collect();
        if let Some(bytes) = embedded(path)? {
            return Ok((bytes.into(), None));
        }
        if path.contains("://") || path.starts_with("data:") {
            return Err(format!(
                "`{}` is a URL; pictures are read from files and never fetched",
                shown.escape_debug()
            ));
        }
        let wrong = |what: &str| Err(format!("the path `{}` {what}", shown.escape_debug()));
        if path.contains('\0') {
            return wrong("holds a zero byte, which no name of a file does");
        }
        if Path::new(path).is_absolute() {
            if !self.holds(Path::new(path)) {
                return wrong(
                    "is absolute and not below the data root; write it relative to the file, or to `image_folder`",
                );
            }
        } else if !stays_inside(path) {
            return wrong("leads out of the dataset's folder");
        }
        let file = self.inside(&folder.join(path))?;
        Self::read(&file, &shown).map(|bytes| (bytes, Some(file)))
    }

    /// Whether an absolute path is below the root, with its links resolved where it exists.
    fn holds(&self, path: &Path) -> bool {
        let plain = path
            .components()
            .all(|c| matches!(c, Component::RootDir | Component::Prefix(_) | Component::Normal(_)));
        path.is_absolute()
            && plain
            && path.canonicalize().map_or(path.starts_with(&self.0), |real| real.starts_with(&self.0))
    }

    /// The bytes of a picture's file.
    pub(super) fn read(file: &Path, shown: &str) -> Result<Arc<[u8]>, String> {
        let metadata = fs::metadata(file).map_err(|e| format!("{shown}: {e}"))?;
        if !metadata.is_file() {
            // Opening a pipe would wait for ever.
            return Err(format!("{shown} is no file"));
        }
        let length = metadata.len();
        if length > MAX_PICTURE_BYTES {
            return Err(format!("{shown} has {length} bytes; at most {MAX_PICTURE_BYTES} are read"));
        }
        let mut bytes = Vec::with_capacity(length as usize);
        // The length is asked again while reading: the file may grow in between.
        File::open(file)
            .and_then(|file| file.take(MAX_PICTURE_BYTES).read_to_end(&mut bytes))
            .map_err(|e| format!("{shown}: {e}"))?;
        Ok(bytes.into())
    }

    /// A picture inside a file below the root, piece by piece; `shown`: the file's path below the root.
    pub(super) fn pieces(file: &File, shown: &str, pieces: &[(u64, u32)]) -> Result<Arc<[u8]>, String> {
        let mut bytes = vec![0; pieces.iter().map(|(_, length)| *length as usize).sum()];
        let mut rest = &mut bytes[..];
        for (start, length) in pieces {
            let (mut piece, after) = rest.split_at_mut(*length as usize);
            let mut at = *start;
            while !piece.is_empty() {
                match read_at(file, piece, at) {
                    Ok(0) => {
                        return Err(format!(
                            "{shown} changed while it was in use; the next run indexes it anew"
                        ));
                    }
                    Ok(read) => (piece, at) = (&mut piece[read..], at + read as u64),
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(format!("{shown}: {e}")),
                }
            }
            rest = after;
        }
        Ok(bytes.into())
    }

    /// `path` with its links resolved, if that is below the root.
    pub(super) fn inside(&self, path: &Path) -> Result<PathBuf, String> {
        let relative = path.strip_prefix(&self.0).unwrap_or(path).display();
        let resolved = path.canonicalize().map_err(|e| format!("{relative}: {e}"))?;
        if resolved.starts_with(&self.0) {
            Ok(resolved)
        } else {
            Err(format!("{relative} is a link that leads out of the data root"))
        }
    }

    /// How errors name a file: relative to the root.
    pub(super) fn show(&self, path: &Path) -> String {
        path.strip_prefix(&self.0).unwrap_or(path).display().to_string()
    }
}
