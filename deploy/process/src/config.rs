use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("configuration `{path}` cannot be read; `zenfloe init` writes one")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not what the reference page describes. The message shows the line.
    #[error("configuration `{path}` is not understood:\n{message}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, place and reason.
        message: String,
    },
}

/// Reads a TOML file into a crate's configuration; unknown fields are refused by the types.
pub fn load_config<C: DeserializeOwned>(path: &Path) -> Result<C, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    toml::from_str(&text).map_err(|error| ConfigError::Parse {
        path: path.to_owned(),
        message: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Example {
        size: u32,
    }

    #[test]
    fn a_fault_names_the_file_the_line_and_the_reason() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("zenfloe.toml");
        std::fs::write(&path, "size = 1\ncolour = 2\n").expect("written");
        let told = load_config::<Example>(&path).expect_err("an unknown field").to_string();
        assert!(
            told.contains("zenfloe.toml") && told.contains("line 2") && told.contains("colour"),
            "{told}"
        );
        std::fs::write(&path, "size = 1\n").expect("written");
        assert_eq!(load_config::<Example>(&path).expect("read").size, 1);
        let told = load_config::<Example>(&folder.path().join("absent.toml"))
            .expect_err("absent")
            .to_string();
        assert!(told.contains("zenfloe init"), "{told}");
    }
}
