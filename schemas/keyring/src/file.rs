use std::fmt;
use std::path::{Path, PathBuf};

use zenfloe_record::SourceName;

use crate::Key;
use crate::roots::{Root, Roots};

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
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Seal => "zenfloe seal keys",
            Self::Token => "zenfloe token keys",
        }
    }

    /// What a file of this kind is good for, in its second line.
    pub(crate) fn power(self) -> &'static str {
        match self {
            Self::Seal => "open raw records",
            Self::Token => "test whether a person is behind a token",
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
    /// A line is not `VERSION BASE64-OF-32-BYTES`, with what may follow it.
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
    /// What was asked cannot be done with the keys that the file holds.
    #[error("key file `{path}`: {what}")]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why, and what may be done instead.
        what: String,
    },
}

/// What becomes of a version's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It is used for what is written now.
    InUse,
    /// Its tokens stand beside those of the version in use.
    Next,
    /// What was made under it is still read.
    Kept,
    /// It was destroyed: what was sealed under it is unreadable for ever.
    Destroyed,
}

/// A version of a key file, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its number.
    pub version: KeyVersion,
    /// What becomes of it.
    pub state: KeyState,
    /// The only source that it is for; all where there is none.
    pub source: Option<SourceName>,
    /// Eight digits by which two files are compared; they tell nothing of the key. Absent once it is destroyed.
    pub check: Option<String>,
}

macro_rules! key_file {
    ($(#[$doc:meta])* $name:ident, $kind:expr) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(pub(crate) Roots);

        impl $name {
            /// Makes a fresh key, version 1.
            pub fn generate() -> Self {
                Self(Roots::generate($kind))
            }

            /// Reads a key file.
            pub fn load(path: &Path) -> Result<Self, KeyFileError> {
                Roots::load(path, $kind).map(Self)
            }

            /// Writes a new file that only its owner may read; an existing file is never replaced.
            pub fn write_new(&self, path: &Path) -> Result<(), KeyFileError> {
                self.0.write_new(path, $kind)
            }

            /// The versions whose keys the file holds, oldest first.
            pub fn versions(&self) -> Vec<KeyVersion> {
                self.0.held().map(|(version, _)| version).collect()
            }

            /// What the file holds, for people; never a key.
            pub fn infos(&self) -> Vec<KeyInfo> {
                self.0.infos()
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
    /// The root keys that make tokens, and the key by which erased people are recognised.
    TokenKeys,
    KeyKind::Token
);

/// What a seal's version comes to.
pub(crate) enum Sealed<'k> {
    Opens(&'k Key),
    Destroyed,
    Unknown,
}

impl SealKeys {
    /// The key that values of a source are sealed under: the newest one that is for it.
    ///
    /// A file has one without a source, which serves where there is no other.
    pub(crate) fn newest(&self, source: &SourceName) -> (KeyVersion, &Key) {
        let fits = |root: &Root| root.source.as_ref().is_none_or(|held| held == source);
        let newest = self.0.held().rfind(|(_, root)| fits(root));
        newest
            .and_then(|(version, root)| Some((version, root.key.as_ref()?)))
            .expect("a file of seal keys holds one for every source")
    }

    /// The oldest key that is for a source: what identifies a record must not change with every rotation.
    pub(crate) fn oldest(&self, source: &SourceName) -> &Key {
        let fits = |root: &Root| root.source.as_ref().is_none_or(|held| held == source);
        let oldest = self.0.held().find(|(_, root)| fits(root));
        oldest
            .and_then(|(_, root)| root.key.as_ref())
            .expect("a file of seal keys holds one for every source")
    }

    /// What becomes of a value that was sealed under a version.
    pub(crate) fn get(&self, version: KeyVersion) -> Sealed<'_> {
        match self.0.roots.get(&version) {
            None => Sealed::Unknown,
            Some(root) => root.key.as_ref().map_or(Sealed::Destroyed, Sealed::Opens),
        }
    }

    /// Adds a version to the file, for all sources or for one alone, and returns its number.
    ///
    /// What is written from now on is sealed under it; a process that runs goes on with the one that it has read.
    pub fn rotate(path: &Path, source: Option<&SourceName>) -> Result<KeyVersion, KeyFileError> {
        let mut keys = Self::load(path)?;
        let version = keys.0.add(Root {
            source: source.cloned(),
            ..Root::fresh()
        });
        keys.0.replace(path, KeyKind::Seal)?;
        Ok(version)
    }

    /// Destroys the key of a version: whatever was sealed under it is unreadable from then on, for ever.
    ///
    /// The file remembers that it was, so that readers pass over such values instead of waiting for the key. Refuses
    /// a version that values are still sealed under.
    pub fn destroy(path: &Path, version: KeyVersion) -> Result<(), KeyFileError> {
        let mut keys = Self::load(path)?;
        let refused = |what: String| KeyFileError::Refused {
            path: path.into(),
            what,
        };
        let is_used = keys
            .0
            .infos()
            .iter()
            .any(|info| info.version == version && info.state == KeyState::InUse);
        if is_used {
            return Err(refused(format!(
                "version {version} is the one in use; `zenfloe keys rotate --seal` puts another in its place first"
            )));
        }
        let root = keys.0.roots.get_mut(&version).filter(|root| root.key.is_some());
        let root = root.ok_or_else(|| refused(format!("holds no version {version}")))?;
        root.key = None;
        keys.0.replace(path, KeyKind::Seal)
    }
}

impl TokenKeys {
    /// The version whose tokens stand in token columns, and its key.
    pub(crate) fn main(&self) -> (KeyVersion, &Key) {
        self.0.main().expect("a file of token keys holds one in use")
    }

    /// The version whose tokens stand beside them, while a rotation is under way.
    pub(crate) fn next(&self) -> Option<(KeyVersion, &Key)> {
        self.0.next()
    }

    /// Every version with its key, oldest first.
    pub(crate) fn all(&self) -> impl Iterator<Item = (KeyVersion, &Key)> {
        self.0
            .held()
            .filter_map(|(version, root)| Some((version, root.key.as_ref()?)))
    }

    /// The key by which erased people are recognised; no rotation changes it.
    pub(crate) fn marks(&self) -> Key {
        self.0.marks()
    }

    /// Begins a rotation: adds a version whose tokens stand beside those of the version in use; returns its number.
    pub fn rotate(path: &Path) -> Result<KeyVersion, KeyFileError> {
        let mut keys = Self::load(path)?;
        if let Some((next, _)) = keys.next() {
            let what = format!(
                "a rotation to version {next} is under way; end it with `zenfloe keys rotate --switch` before the next one"
            );
            return Err(KeyFileError::Refused {
                path: path.into(),
                what,
            });
        }
        keys.0.keep_marks();
        let version = keys.0.add(Root {
            is_next: true,
            ..Root::fresh()
        });
        keys.0.replace(path, KeyKind::Token)?;
        Ok(version)
    }

    /// Puts the next version in the place of the one in use, which is kept until it is retired; returns its number.
    pub fn switch(path: &Path) -> Result<KeyVersion, KeyFileError> {
        let mut keys = Self::load(path)?;
        let Some(version) = keys.next().map(|(version, _)| version) else {
            let what = "no rotation is under way; `zenfloe keys rotate --token` begins one".to_owned();
            return Err(KeyFileError::Refused {
                path: path.into(),
                what,
            });
        };
        for root in keys.0.roots.values_mut() {
            root.is_next = false;
        }
        keys.0.replace(path, KeyKind::Token)?;
        Ok(version)
    }

    /// Takes a version out of the file. Refuses the one in use and the next one.
    ///
    /// Contract: no row holds one of its tokens any more.
    pub fn retire(path: &Path, version: KeyVersion) -> Result<(), KeyFileError> {
        let mut keys = Self::load(path)?;
        let refused = |what: String| KeyFileError::Refused {
            path: path.into(),
            what,
        };
        let infos = keys.0.infos();
        let Some(info) = infos.iter().find(|info| info.version == version) else {
            return Err(refused(format!("holds no version {version}")));
        };
        if info.state != KeyState::Kept {
            return Err(refused(format!(
                "version {version} is in use; `zenfloe keys rotate` and `zenfloe keys rotate --switch` put another in its place"
            )));
        }
        keys.0.keep_marks();
        keys.0.roots.remove(&version);
        keys.0.replace(path, KeyKind::Token)
    }
}

#[cfg(test)]
impl SealKeys {
    pub(crate) fn of(keys: impl IntoIterator<Item = (KeyVersion, [u8; 32])>) -> Self {
        Self(Roots::of(KeyKind::Seal, keys))
    }
}

#[cfg(test)]
impl TokenKeys {
    pub(crate) fn of(keys: impl IntoIterator<Item = (KeyVersion, [u8; 32])>) -> Self {
        Self(Roots::of(KeyKind::Token, keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acme() -> SourceName {
        SourceName::new("acme").expect("a legal name")
    }

    fn other() -> SourceName {
        SourceName::new("other").expect("a legal name")
    }

    #[test]
    fn a_file_is_written_once_for_its_owner_and_read_back() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("seal.key");
        let keys = SealKeys::generate();
        keys.write_new(&path).expect("written");
        let again = SealKeys::load(&path).expect("read");
        assert_eq!(again.newest(&acme()), keys.newest(&acme()));
        assert!(matches!(
            keys.write_new(&path),
            Err(KeyFileError::Io { done: "written", .. })
        ));
        assert!(matches!(TokenKeys::load(&path), Err(KeyFileError::Kind { .. })));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            SealKeys::rotate(&path, None).expect("rotated");
            let mode = std::fs::metadata(&path).expect("metadata").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn debug_output_holds_no_key() {
        let keys = TokenKeys::of([(1, [0xAB; 32]), (2, [0xCD; 32])]);
        assert_eq!(format!("{keys:?}"), "TokenKeys[1, 2]");
    }

    #[test]
    fn token_keys_rotate_in_steps_and_the_marks_stay() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("token.key");
        TokenKeys::generate().write_new(&path).expect("written");
        let load = || TokenKeys::load(&path).expect("read");
        let marks = load().marks();
        assert!(TokenKeys::switch(&path).is_err() && TokenKeys::retire(&path, 1).is_err());
        assert_eq!(TokenKeys::rotate(&path).expect("begun"), 2);
        assert_eq!((load().main().0, load().next().map(|next| next.0)), (1, Some(2)));
        assert!(TokenKeys::rotate(&path).is_err() && TokenKeys::retire(&path, 1).is_err());
        assert_eq!(TokenKeys::switch(&path).expect("switched"), 2);
        assert_eq!((load().main().0, load().next().map(|next| next.0)), (2, None));
        let states: Vec<_> = load().infos().iter().map(|info| info.state).collect();
        assert_eq!(states, [KeyState::Kept, KeyState::InUse]);
        assert!(TokenKeys::retire(&path, 2).is_err() && TokenKeys::retire(&path, 3).is_err());
        TokenKeys::retire(&path, 1).expect("retired");
        assert_eq!(load().versions(), [2]);
        assert_eq!(load().marks(), marks, "erased people are still recognised");
        assert_eq!(TokenKeys::rotate(&path).expect("begun"), 3, "no number comes twice");
    }

    #[test]
    fn a_seal_key_of_one_source_can_be_destroyed_and_is_remembered() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("seal.key");
        SealKeys::generate().write_new(&path).expect("written");
        let load = || SealKeys::load(&path).expect("read");
        assert_eq!(SealKeys::rotate(&path, Some(&acme())).expect("rotated"), 2);
        assert_eq!((load().newest(&acme()).0, load().newest(&other()).0), (2, 1));
        assert!(SealKeys::destroy(&path, 2).is_err() && SealKeys::destroy(&path, 1).is_err());
        assert_eq!(SealKeys::rotate(&path, Some(&acme())).expect("rotated"), 3);
        SealKeys::destroy(&path, 2).expect("no longer in use");
        assert!(matches!(load().get(2), Sealed::Destroyed));
        assert!(matches!(load().get(1), Sealed::Opens(_)) && matches!(load().get(9), Sealed::Unknown));
        assert!(SealKeys::destroy(&path, 2).is_err(), "once");
        let infos = load().infos();
        assert_eq!(infos[1].state, KeyState::Destroyed);
        assert_eq!((infos[1].check.clone(), infos[1].source.clone()), (None, Some(acme())));
        assert_eq!(load().versions(), [1, 3]);
    }

    #[test]
    fn files_are_told_apart_by_a_check_that_holds_no_key() {
        let keys = TokenKeys::of([(1, [7; 32])]);
        let [info] = <[_; 1]>::try_from(keys.infos()).expect("one");
        assert_eq!(info.check.as_deref(), Some("465db933"));
    }
}
