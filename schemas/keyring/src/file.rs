use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use zeroize::Zeroizing;

use crate::{Key, random};

/// The number of a root key within its file, from 1; part of every token and seal.
pub type KeyVersion = u16;

/// What a key file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Seals raw and dead values.
    Seal,
    /// Makes tokens.
    Token,
}

impl KeyKind {
    /// The first line of a file of this kind.
    fn title(self) -> &'static str {
        match self {
            Self::Seal => "zenfloe seal keys",
            Self::Token => "zenfloe token keys",
        }
    }
}

/// Why a key file cannot be used. Never holds key bytes.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read or written.
    #[error("key file `{path}` cannot be {done}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried: `read` or `written`.
        done: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is a key file of the other kind, or none.
    #[error("`{path}` is no file of {wanted}: its first line must be `{wanted}`")]
    Kind {
        /// The file.
        path: PathBuf,
        /// The title it should have.
        wanted: &'static str,
    },
    /// A line is not `VERSION BASE64-OF-32-BYTES`.
    #[error("key file `{path}`, line {line}: expected a version from 1 and 32 bytes in base64")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// It holds no key.
    #[error("key file `{path}` holds no key; make one with `zenfloe keys new`")]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// The versions of one root key. The newest is used, the older ones still open.
#[derive(Clone)]
struct Roots(BTreeMap<KeyVersion, Key>);

impl Roots {
    fn generate() -> Self {
        Self(BTreeMap::from([(1, Key::new(random()))]))
    }

    fn load(path: &Path, kind: KeyKind) -> Result<Self, KeyFileError> {
        let text = std::fs::read_to_string(path).map(Zeroizing::new);
        let text = text.map_err(|source| KeyFileError::Io {
            path: path.into(),
            done: "read",
            source,
        })?;
        Self::parse(path, kind, &text)
    }

    fn parse(path: &Path, kind: KeyKind, text: &str) -> Result<Self, KeyFileError> {
        let mut lines = text.lines().enumerate();
        if lines.next().map(|(_, title)| title.trim()) != Some(kind.title()) {
            return Err(KeyFileError::Kind {
                path: path.into(),
                wanted: kind.title(),
            });
        }
        let mut roots = BTreeMap::new();
        for (index, line) in lines {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (version, key) = parse_line(line).ok_or_else(|| KeyFileError::Line {
                path: path.into(),
                line: index + 1,
            })?;
            roots.insert(version, key);
        }
        if roots.is_empty() {
            return Err(KeyFileError::Empty { path: path.into() });
        }
        Ok(Self(roots))
    }

    /// Writes a new file that only its owner may read; refuses to replace one.
    fn write_new(&self, path: &Path, kind: KeyKind) -> Result<(), KeyFileError> {
        let mut text = Zeroizing::new(format!(
            "{}\n# One line per version: number, then 32 bytes in base64. Whoever holds this file can {}.\n",
            kind.title(),
            match kind {
                KeyKind::Seal => "open raw records",
                KeyKind::Token => "test whether a person is behind a token",
            }
        ));
        for (version, key) in &self.0 {
            text.push_str(&format!(
                "{version} {}\n",
                &*Zeroizing::new(BASE64.encode(key.as_slice()))
            ));
        }
        let failed = |source| KeyFileError::Io {
            path: path.into(),
            done: "written",
            source,
        };
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(failed)?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(failed)
    }
}

fn parse_line(line: &str) -> Option<(KeyVersion, Key)> {
    let (version, encoded) = line.split_once(char::is_whitespace)?;
    let bytes = Zeroizing::new(BASE64.decode(encoded.trim().as_bytes()).ok()?);
    let mut key = Key::default();
    (bytes.len() == key.len()).then(|| key.copy_from_slice(&bytes))?;
    let version: KeyVersion = version.parse().ok()?;
    (version > 0).then_some((version, key))
}

macro_rules! key_file {
    ($(#[$doc:meta])* $name:ident, $kind:expr) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(Roots);

        impl $name {
            /// Makes a fresh key, version 1.
            pub fn generate() -> Self {
                Self(Roots::generate())
            }

            /// Reads a key file.
            pub fn load(path: &Path) -> Result<Self, KeyFileError> {
                Roots::load(path, $kind).map(Self)
            }

            /// Writes a new file that only its owner may read; an existing file is never replaced.
            pub fn write_new(&self, path: &Path) -> Result<(), KeyFileError> {
                self.0.write_new(path, $kind)
            }

            /// The versions that the file holds, oldest first.
            pub fn versions(&self) -> Vec<KeyVersion> {
                self.0.0.keys().copied().collect()
            }

            /// The version in use: the newest.
            pub(crate) fn newest(&self) -> (KeyVersion, &Key) {
                let (version, key) = self.0.0.last_key_value().expect("a key file holds a key");
                (*version, key)
            }
        }

        /// Prints the versions, never the keys.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{:?}", stringify!($name), self.versions())
            }
        }
    };
}

key_file!(
    /// The root keys that seal raw and dead values.
    SealKeys,
    KeyKind::Seal
);
key_file!(
    /// The root keys that make tokens.
    TokenKeys,
    KeyKind::Token
);

impl SealKeys {
    /// The key of a version, if the file still holds it.
    pub(crate) fn get(&self, version: KeyVersion) -> Option<&Key> {
        self.0.0.get(&version)
    }
}

#[cfg(test)]
impl SealKeys {
    pub(crate) fn of(keys: impl IntoIterator<Item = (KeyVersion, [u8; 32])>) -> Self {
        Self(Roots(
            keys.into_iter()
                .map(|(version, key)| (version, Key::new(key)))
                .collect(),
        ))
    }
}

#[cfg(test)]
impl TokenKeys {
    pub(crate) fn of(keys: impl IntoIterator<Item = (KeyVersion, [u8; 32])>) -> Self {
        Self(Roots(
            keys.into_iter()
                .map(|(version, key)| (version, Key::new(key)))
                .collect(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_once_for_its_owner_and_read_back() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("seal.key");
        let keys = SealKeys::generate();
        keys.write_new(&path).expect("written");
        let again = SealKeys::load(&path).expect("read");
        assert_eq!(again.newest(), keys.newest());
        assert!(matches!(
            keys.write_new(&path),
            Err(KeyFileError::Io { done: "written", .. })
        ));
        assert!(matches!(TokenKeys::load(&path), Err(KeyFileError::Kind { .. })));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).expect("metadata").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn faulty_lines_are_named() {
        let good = format!("1 {}", BASE64.encode(&[7; 32]));
        let parse = |text: &str| Roots::parse(Path::new("f"), KeyKind::Token, text);
        assert!(parse(&format!("zenfloe token keys\n# c\n\n{good}\n")).is_ok());
        for bad in [
            "0 AAAA",
            "x",
            "1",
            "1 !!!!",
            &format!("0 {}", BASE64.encode(&[7; 32])),
            "1 AAAA",
        ] {
            let fault = parse(&format!("zenfloe token keys\n{good}\n{bad}\n"))
                .err()
                .expect("refused");
            assert!(matches!(fault, KeyFileError::Line { line: 3, .. }), "{bad}: {fault}");
        }
        assert!(matches!(parse("zenfloe token keys\n"), Err(KeyFileError::Empty { .. })));
    }

    #[test]
    fn debug_output_holds_no_key() {
        let keys = TokenKeys::of([(1, [0xAB; 32]), (2, [0xCD; 32])]);
        assert_eq!(format!("{keys:?}"), "TokenKeys[1, 2]");
    }
}
