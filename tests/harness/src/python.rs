//! Python environments, made once in the cache: packages by version, and by checksum where one file serves every
//! machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache;
use crate::error::Error;
use crate::system;

/// The packages of an environment, whole: nothing else is installed.
#[derive(Debug, Clone, Copy)]
pub struct PythonPins {
    /// The folder's name in the cache. Other pins under the same name are installed anew.
    pub name: &'static str,
    /// Lines `package==version --hash=sha256:…`: the same file on every machine.
    pub pure: &'static str,
    /// Lines `package==version`: built for each machine; the index vouches for them.
    pub binary: &'static str,
}

/// Returns the folder of an environment's programs, `python` among them; the environment is made where it is missing.
///
/// Blocking: it may run the package manager. What cannot be installed is named with what to do.
pub fn python(pins: &PythonPins) -> Result<PathBuf, Error> {
    let folder = cache::cache_folder().join("python").join(pins.name);
    let marker = folder.join(".complete");
    let wanted = format!("{}\n{}", pins.pure, pins.binary);
    let is_complete = || fs::read_to_string(&marker).is_ok_and(|held| held == wanted);
    if !is_complete() {
        let _lock = cache::lock("python", &|line| eprintln!("{line}"))?;
        if !is_complete() {
            install(pins, &folder)?;
            fs::write(&marker, &wanted).map_err(Error::io("marking an environment as complete"))?;
        }
    }
    Ok(folder.join("bin"))
}

fn install(pins: &PythonPins, folder: &Path) -> Result<(), Error> {
    eprintln!("installing {} into {}", pins.name, folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(Error::io(format!("removing {}", folder.display())))?;
    }
    system::run(Command::new("python3").args(["-m", "venv"]).arg(folder)).map_err(|_| Error::Missing {
        what: "python3 -m venv".to_owned(),
        remedy: "install Python 3.11 or newer with its `venv` module (on Debian: python3-venv)".to_owned(),
    })?;
    for (kind, list, has_hashes) in [("pure", pins.pure, true), ("binary", pins.binary, false)] {
        let file = folder.join(format!("{kind}.txt"));
        fs::write(&file, list).map_err(Error::io("writing a list of packages"))?;
        let mut pip = Command::new(folder.join("bin/pip"));
        pip.args([
            "install",
            "--quiet",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--disable-pip-version-check",
        ]);
        if has_hashes {
            pip.arg("--require-hashes");
        }
        system::run(pip.arg("-r").arg(&file))?; // the package index must be reachable once
    }
    Ok(())
}
