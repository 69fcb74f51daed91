//! The temporary folder of a service: its data, its configuration, its logs.

use std::path::Path;

use crate::error::Error;

/// A folder that is removed with its handle, unless `ZENFLOE_TEST_KEEP` is set.
#[derive(Debug)]
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new(service: &str) -> Result<Self, Error> {
        let keep = std::env::var_os("ZENFLOE_TEST_KEEP").is_some_and(|value| !value.is_empty());
        let folder = tempfile::Builder::new()
            .prefix(&format!("zenfloe-{service}-"))
            .disable_cleanup(keep)
            .tempdir()
            .map_err(Error::io("creating a temporary folder"))?;
        if keep {
            eprintln!("{service}: keeps {}", folder.path().display());
        }
        Ok(Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}
