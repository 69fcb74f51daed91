//! The Python environment with fakesnow and Snowflake's own connector, made once in the cache of the tests.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

const PURE: &str = include_str!("../pins/pure.txt");
const BINARY: &str = include_str!("../pins/binary.txt");
/// Another set of pins is another folder.
const NAME: &str = "fakesnow-0.12.1-compiled";

/// The folder of the environment's programs, `python` and `fakesnow` among them; made where it is missing.
///
/// Blocking: it may run the package manager. What cannot be installed is named with what to do.
pub fn programs() -> Result<PathBuf> {
    let cache = zenfloe_harness::cache_folder();
    fs::create_dir_all(&cache).with_context(|| format!("making {}", cache.display()))?;
    let folder = cache.join("python").join(NAME);
    let marker = folder.join(".complete");
    let pins = format!("{PURE}\n{BINARY}");
    let is_complete = || fs::read_to_string(&marker).is_ok_and(|held| held == pins);
    if !is_complete() {
        let lock = File::create(cache.join("python.lock")).context("making a lock file")?;
        lock.lock()
            .context("waiting for another process that installs the same")?;
        if !is_complete() {
            install(&folder)?;
            fs::write(&marker, &pins).context("marking the environment as complete")?;
        }
    }
    Ok(folder.join("bin"))
}

fn install(folder: &Path) -> Result<()> {
    eprintln!("installing {NAME} into {}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(folder))
        .context("install Python 3.11 or newer with its `venv` module (on Debian: python3-venv)")?;
    for (name, pins, hashes) in [("pure", PURE, true), ("binary", BINARY, false)] {
        let list = folder.join(format!("{name}.txt"));
        fs::write(&list, pins).context("writing the list of packages")?;
        let mut pip = Command::new(folder.join("bin/pip"));
        pip.args([
            "install",
            "--quiet",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--disable-pip-version-check",
        ]);
        if hashes {
            pip.arg("--require-hashes");
        }
        run(pip.arg("-r").arg(list)).context("the package index must be reachable once")?;
    }
    Ok(())
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("running {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
