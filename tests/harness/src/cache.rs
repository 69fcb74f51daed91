//! The cache of fetched parts: each is fetched once, verified, and moved into place whole.
//!
//! Invariant: a folder under `parts` is complete. It arises by a rename, after every pinned file was
//! compared with its checksum; an interrupted fetch leaves only a scratch folder, which the next one
//! empties. A lock file keeps concurrent processes from fetching the same twice.

use std::fs::{self, File, TryLockError};
use std::io::Read;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::part::Part;

/// In each installed folder: the digest of the pins it was verified against, and its size.
const MARKER: &str = ".verified";

/// The folder in which fetched parts are kept, outside the repository: `$ZENFLOE_TEST_CACHE`, else
/// `$XDG_CACHE_HOME/zenfloe`, else `~/.cache/zenfloe`.
#[must_use]
pub fn cache_folder() -> PathBuf {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("ZENFLOE_TEST_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|folder| folder.join("zenfloe")))
        .or_else(|| set("HOME").map(|folder| folder.join(".cache/zenfloe")))
        .unwrap_or_else(|| std::env::temp_dir().join("zenfloe-cache"))
}

/// Returns the folder of an installed part, fetching it first where the cache does not hold it.
///
/// A part that is there is checked cheaply: same pins, same number and total size of files. Blocking.
pub(crate) fn ensure(part: &Part, progress: &dyn Fn(&str)) -> Result<PathBuf, Error> {
    Cache { root: cache_folder() }.ensure(part, progress)
}

/// Takes one of the cache's locks, waiting for whoever holds it. Released when the file is dropped,
/// or when the process dies.
pub(crate) fn lock(name: &str, progress: &dyn Fn(&str)) -> Result<File, Error> {
    Cache { root: cache_folder() }.lock(name, progress)
}

struct Cache {
    root: PathBuf,
}

impl Cache {
    fn ensure(&self, part: &Part, progress: &dyn Fn(&str)) -> Result<PathBuf, Error> {
        let folder = self.root.join("parts").join(part.name);
        if is_installed(part, &folder) {
            return Ok(folder);
        }
        let _lock = self.lock("parts", progress)?;
        if is_installed(part, &folder) {
            return Ok(folder); // by the process that held the lock
        }
        progress(&format!("fetching {} into {}", part.name, folder.display()));
        let leftovers = self.root.join("scratch");
        // What an interrupted fetch left is in nobody's way: this one has a folder of its own.
        drop(remove(&leftovers));
        let scratch = leftovers.join(format!("{}-{}", part.name, std::process::id()));
        let files = scratch.join("files");
        fs::create_dir_all(&files).map_err(Error::io(format!("creating {}", files.display())))?;
        part.source.fetch(&files, &scratch, progress)?;
        install(part, &files, &folder, progress)?;
        remove(&scratch)?;
        Ok(folder)
    }

    fn lock(&self, name: &str, progress: &dyn Fn(&str)) -> Result<File, Error> {
        let doing = || format!("locking {}", self.root.display());
        fs::create_dir_all(&self.root).map_err(Error::io(doing()))?;
        let file = File::create(self.root.join(format!("{name}.lock"))).map_err(Error::io(doing()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                progress("waiting for another process that fetches the same");
                file.lock().map_err(Error::io(doing()))?;
            }
            Err(TryLockError::Error(refused)) => return Err(Error::io(doing())(refused)),
        }
        Ok(file)
    }
}

/// Verifies fetched files against the pins, unpacks them and moves them into place in one step.
fn install(part: &Part, files: &Path, folder: &Path, progress: &dyn Fn(&str)) -> Result<(), Error> {
    verify(part, files)?;
    part.source.unpack(files, progress)?;
    let marker = marker(part, files)?;
    fs::write(files.join(MARKER), marker).map_err(Error::io("marking fetched files"))?;
    remove(folder)?;
    let parent = folder.parent().expect("a part's folder lies in the cache");
    fs::create_dir_all(parent).map_err(Error::io(format!("creating {}", parent.display())))?;
    fs::rename(files, folder).map_err(Error::io(format!("moving {} into place", part.name)))
}

/// Refuses files that are not exactly the pinned ones.
fn verify(part: &Part, files: &Path) -> Result<(), Error> {
    let refuse = |what: String| Error::Pins {
        part: part.name.to_owned(),
        what,
    };
    let mut pinned = 0;
    for line in part.pins.lines().filter(|line| !line.is_empty()) {
        let (expected, name) = line
            .split_once("  ")
            .ok_or_else(|| refuse(format!("the list of pins has the line `{line}`")))?;
        let file = files.join(name);
        if !file.is_file() {
            return Err(refuse(format!("`{name}` is pinned and was not fetched")));
        }
        let found = digest(&file)?;
        if found != expected {
            let expected = expected.to_owned();
            return Err(Error::Checksum { file, expected, found });
        }
        pinned += 1;
    }
    let (count, _) = weigh(files)?;
    if count != pinned {
        return Err(refuse(format!("{count} files were fetched, {pinned} are pinned")));
    }
    Ok(())
}

/// The SHA-256 of a file in hexadecimal.
fn digest(file: &Path) -> Result<String, Error> {
    let doing = || format!("reading {}", file.display());
    let mut input = File::open(file).map_err(Error::io(doing()))?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 1 << 16];
    loop {
        let read = input.read(&mut chunk).map_err(Error::io(doing()))?;
        if read == 0 {
            return Ok(HEXLOWER.encode(&hash.finalize()));
        }
        hash.update(&chunk[..read]);
    }
}

fn is_installed(part: &Part, folder: &Path) -> bool {
    let Ok(written) = fs::read_to_string(folder.join(MARKER)) else {
        return false;
    };
    marker(part, folder).is_ok_and(|expected| expected == written)
}

/// What the marker of a complete folder says.
fn marker(part: &Part, folder: &Path) -> Result<String, Error> {
    let (count, bytes) = weigh(folder)?;
    let pins = HEXLOWER.encode(&Sha256::digest(part.pins.as_bytes()));
    Ok(format!("pins {pins}\nfiles {count}\nbytes {bytes}\n"))
}

/// Number and total size of the files below a folder, the marker left out.
fn weigh(folder: &Path) -> Result<(u64, u64), Error> {
    let doing = || format!("listing {}", folder.display());
    let (mut count, mut bytes) = (0, 0);
    for entry in fs::read_dir(folder).map_err(Error::io(doing()))? {
        let entry = entry.map_err(Error::io(doing()))?;
        let about = entry.metadata().map_err(Error::io(doing()))?;
        if about.is_dir() {
            let below = weigh(&entry.path())?;
            count += below.0;
            bytes += below.1;
        } else if entry.file_name() != MARKER {
            count += 1;
            bytes += about.len();
        }
    }
    Ok((count, bytes))
}

fn remove(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(refused) if refused.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io(format!("removing {}", folder.display()))(refused))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::part::Source;

    /// `sha256sum` of the five bytes `hello` and of nothing.
    const PINS: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824  a.jar\n\
                        e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  b.jar\n";

    const PART: Part = Part {
        name: "part-1",
        pins: PINS,
        source: Source::Libraries(&[]),
    };

    fn install_of(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<(), Error>) {
        let root = tempfile::tempdir().expect("a temporary folder");
        let fetched = root.path().join("fetched");
        fs::create_dir(&fetched).expect("a folder");
        for (name, content) in files {
            fs::write(fetched.join(name), content).expect("a file");
        }
        let outcome = install(&PART, &fetched, &root.path().join("parts/part-1"), &|_| ());
        (root, outcome)
    }

    #[track_caller]
    fn check_refused(files: &[(&str, &str)], says: &str) {
        let (root, outcome) = install_of(files);
        let error = outcome.expect_err("refused").to_string();
        assert!(error.contains(says), "{error}");
        assert!(!is_installed(&PART, &root.path().join("parts/part-1")));
    }

    #[test]
    fn files_that_are_not_the_pinned_ones_are_refused() {
        check_refused(&[("a.jar", "hellO"), ("b.jar", "")], "a.jar is not the pinned file");
        check_refused(&[("a.jar", "hello")], "`b.jar` is pinned and was not fetched");
        check_refused(
            &[("a.jar", "hello"), ("b.jar", ""), ("c.jar", "")],
            "3 files were fetched, 2 are pinned",
        );
    }

    #[test]
    fn an_installed_part_is_known_until_its_size_changes() {
        let (root, outcome) = install_of(&[("a.jar", "hello"), ("b.jar", "")]);
        outcome.expect("installed");
        let folder = root.path().join("parts/part-1");
        assert!(is_installed(&PART, &folder));
        fs::write(folder.join("a.jar"), "hell").expect("a file");
        assert!(!is_installed(&PART, &folder), "a truncated file");
    }

    #[test]
    fn other_pins_mean_another_fetch() {
        let (root, outcome) = install_of(&[("a.jar", "hello"), ("b.jar", "")]);
        outcome.expect("installed");
        let other = Part { pins: "", ..PART };
        assert!(!is_installed(&other, &root.path().join("parts/part-1")));
    }

    #[test]
    fn the_lock_is_held_by_one_at_a_time() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let cache = Cache {
            root: root.path().to_owned(),
        };
        let held = cache.lock("parts", &|_| ()).expect("the lock");
        let second = File::create(root.path().join("parts.lock")).expect("the lock file");
        assert!(matches!(second.try_lock(), Err(TryLockError::WouldBlock)));
        drop(held);
        second.try_lock().expect("free again");
    }
}
