//! The versions of one root key, as a file holds them.
//!
//! After a title, a line for each version: its number, 32 bytes in base64 (or `destroyed`), and what else is to be said:
//! `next`, or the source that it is for. `mark` stands in the place of the number of the key that recognises the erased.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zenfloe_record::SourceName;
use zeroize::Zeroizing;

use crate::{Key, KeyFileError, KeyInfo, KeyKind, KeyState, KeyVersion, derive, random};

const DESTROYED: &str = "destroyed";
const NEXT: &str = "next";
const MARK: &str = "mark";

/// One version.
#[derive(Clone)]
pub(crate) struct Root {
    /// `None` once it is destroyed.
    pub(crate) key: Option<Key>,
    pub(crate) is_next: bool,
    pub(crate) source: Option<SourceName>,
}

impl Root {
    pub(crate) fn fresh() -> Self {
        Self {
            key: Some(Key::new(random())),
            is_next: false,
            source: None,
        }
    }
}

/// The versions of one root key.
#[derive(Clone)]
pub(crate) struct Roots {
    pub(crate) roots: BTreeMap<KeyVersion, Root>,
    /// Versions that were retired: no number comes twice.
    last: KeyVersion,
    marks: Option<Key>,
}

impl Roots {
    pub(crate) fn generate(kind: KeyKind) -> Self {
        Self {
            roots: BTreeMap::from([(1, Root::fresh())]),
            last: 1,
            marks: (kind == KeyKind::Token).then(|| Key::new(random())),
        }
    }

    pub(crate) fn load(path: &Path, kind: KeyKind) -> Result<Self, KeyFileError> {
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
        let mut held = Self {
            roots: BTreeMap::new(),
            last: 0,
            marks: None,
        };
        for (index, line) in lines {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                held.take(line, kind).ok_or_else(|| KeyFileError::Line {
                    path: path.into(),
                    line: index + 1,
                })?;
            }
        }
        let is_for_all = |root: &Root| root.key.is_some() && !root.is_next && root.source.is_none();
        if !held.roots.values().any(is_for_all) {
            return Err(KeyFileError::Empty { path: path.into() });
        }
        Ok(held)
    }

    /// Takes one line; `None`: it is not understood.
    fn take(&mut self, line: &str, kind: KeyKind) -> Option<()> {
        let mut words = line.split_whitespace();
        let (first, value, more) = (words.next()?, words.next()?, words.next());
        if words.next().is_some() {
            return None;
        }
        if first == MARK && kind == KeyKind::Token {
            self.marks = Some(key(value)?);
            return Some(());
        }
        let version: KeyVersion = first.parse().ok().filter(|version| *version > 0)?;
        self.last = self.last.max(version);
        if (value, kind) == ("retired", KeyKind::Token) {
            return Some(());
        }
        let mut root = Root {
            key: None,
            is_next: false,
            source: None,
        };
        match (value, kind) {
            (DESTROYED, KeyKind::Seal) => {}
            _ => root.key = Some(key(value)?),
        }
        match (more, kind) {
            (None, _) => {}
            (Some(NEXT), KeyKind::Token) => root.is_next = true,
            (Some(source), KeyKind::Seal) => root.source = Some(SourceName::new(source).ok()?),
            (Some(_), KeyKind::Token) => return None,
        }
        self.roots.insert(version, root);
        Some(())
    }

    fn text(&self, kind: KeyKind) -> Zeroizing<String> {
        let mut text = Zeroizing::new(format!(
            "{}\n# One line per version: number, then 32 bytes in base64. Whoever holds this file can {}.\n",
            kind.title(),
            kind.power(),
        ));
        if self.roots.keys().next_back().is_none_or(|version| *version < self.last) {
            text.push_str(&format!("{} retired\n", self.last));
        }
        for (version, root) in &self.roots {
            let value = match &root.key {
                Some(key) => Zeroizing::new(BASE64.encode(key.as_slice())),
                None => Zeroizing::new(DESTROYED.to_owned()),
            };
            let next = if root.is_next { " next" } else { "" };
            let source = root
                .source
                .as_ref()
                .map_or(String::new(), |source| format!(" {source}"));
            text.push_str(&Zeroizing::new(format!("{version} {}{next}{source}\n", *value)));
        }
        if let Some(marks) = &self.marks {
            text.push_str(&Zeroizing::new(format!(
                "{MARK} {}\n",
                *Zeroizing::new(BASE64.encode(marks.as_slice()))
            )));
        }
        text
    }

    /// Writes a new file that only its owner may read; refuses to replace one.
    pub(crate) fn write_new(&self, path: &Path, kind: KeyKind) -> Result<(), KeyFileError> {
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
        file.write_all(self.text(kind).as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(failed)
    }

    /// Puts a file in the place of the one that is there: all of the new one or all of the old one, whatever happens.
    pub(crate) fn replace(&self, path: &Path, kind: KeyKind) -> Result<(), KeyFileError> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{:08x}", u32::from_be_bytes(random())));
        let beside = Path::new(&beside);
        self.write_new(beside, kind)?;
        std::fs::rename(beside, path).map_err(|source| {
            // What was written holds keys and is of no use.
            let _ = std::fs::remove_file(beside);
            KeyFileError::Io {
                path: path.into(),
                done: "written",
                source,
            }
        })
    }

    /// Adds a version and returns its number.
    pub(crate) fn add(&mut self, root: Root) -> KeyVersion {
        self.last += 1;
        self.roots.insert(self.last, root);
        self.last
    }

    /// The versions whose keys are there, oldest first.
    pub(crate) fn held(&self) -> impl DoubleEndedIterator<Item = (KeyVersion, &Root)> {
        let all = self.roots.iter().filter(|(_, root)| root.key.is_some());
        all.map(|(version, root)| (*version, root))
    }

    /// The newest version that is no next one and for every source.
    pub(crate) fn main(&self) -> Option<(KeyVersion, &Key)> {
        let (version, root) = self.held().rfind(|(_, root)| !root.is_next && root.source.is_none())?;
        Some((version, root.key.as_ref()?))
    }

    pub(crate) fn next(&self) -> Option<(KeyVersion, &Key)> {
        let (version, root) = self.held().find(|(_, root)| root.is_next)?;
        Some((version, root.key.as_ref()?))
    }

    /// The key of marks; a file that was written before there was one derives it from its oldest version.
    pub(crate) fn marks(&self) -> Key {
        let derived = || {
            let oldest = self.held().next().and_then(|(_, root)| root.key.as_ref());
            derive(oldest.expect("a key file holds a key"), "zenfloe1|marks")
        };
        self.marks.clone().unwrap_or_else(derived)
    }

    /// Writes the key of marks down, so that it outlives the version that it may be derived from.
    pub(crate) fn keep_marks(&mut self) {
        self.marks = Some(self.marks());
    }

    pub(crate) fn infos(&self) -> Vec<KeyInfo> {
        let main = self.main().map(|(version, _)| version);
        let is_newest_of = |version: KeyVersion, source: &SourceName| {
            let mut of_source = self.held().filter(|(_, root)| root.source.as_ref() == Some(source));
            of_source
                .next_back()
                .is_some_and(|(newest, _)| newest == version && Some(version) > main)
        };
        let info = |(version, root): (&KeyVersion, &Root)| KeyInfo {
            version: *version,
            state: match root {
                Root { key: None, .. } => KeyState::Destroyed,
                Root { is_next: true, .. } => KeyState::Next,
                Root {
                    source: Some(source), ..
                } if is_newest_of(*version, source) => KeyState::InUse,
                Root { source: None, .. } if main == Some(*version) => KeyState::InUse,
                _ => KeyState::Kept,
            },
            source: root.source.clone(),
            check: root.key.as_ref().map(check),
        };
        self.roots.iter().map(info).collect()
    }
}

fn key(encoded: &str) -> Option<Key> {
    let bytes = Zeroizing::new(BASE64.decode(encoded.as_bytes()).ok()?);
    let mut key = Key::default();
    (bytes.len() == key.len()).then(|| key.copy_from_slice(&bytes))?;
    Some(key)
}

/// Tells two keys apart and nothing else of them.
fn check(key: &Key) -> String {
    let derived = derive(key, "zenfloe1|check");
    let mut mac = Hmac::<Sha256>::new_from_slice(derived.as_slice()).expect("HMAC takes any length");
    mac.update(b"check");
    HEXLOWER.encode(&mac.finalize().into_bytes()[..4])
}

#[cfg(test)]
impl Roots {
    pub(crate) fn of(kind: KeyKind, keys: impl IntoIterator<Item = (KeyVersion, [u8; 32])>) -> Self {
        let root = |key| Root {
            key: Some(Key::new(key)),
            ..Root::fresh()
        };
        let roots: BTreeMap<_, _> = keys.into_iter().map(|(version, key)| (version, root(key))).collect();
        Self {
            last: roots.keys().next_back().copied().unwrap_or_default(),
            roots,
            marks: (kind == KeyKind::Token).then(|| Key::new([9; 32])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            "2 destroyed",
            &format!("{good} acme"),
            &format!("{good} next more"),
            "mark AAAA",
        ] {
            let fault = parse(&format!("zenfloe token keys\n{good}\n{bad}\n"))
                .err()
                .expect("refused");
            assert!(matches!(fault, KeyFileError::Line { line: 3, .. }), "{bad}: {fault}");
        }
        assert!(matches!(parse("zenfloe token keys\n"), Err(KeyFileError::Empty { .. })));
        let next_alone = format!("zenfloe token keys\n{good} next\n");
        assert!(matches!(parse(&next_alone), Err(KeyFileError::Empty { .. })));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut roots = Roots::generate(KeyKind::Token);
        roots.add(Root {
            is_next: true,
            ..Root::fresh()
        });
        roots.roots.remove(&1);
        roots.roots.insert(7, Root::fresh());
        roots.last = 9;
        let text = roots.text(KeyKind::Token);
        let again = Roots::parse(Path::new("f"), KeyKind::Token, &text).expect("our own text");
        assert_eq!(*again.text(KeyKind::Token), *text);
        assert_eq!((again.last, again.marks()), (9, roots.marks()));
    }
}
