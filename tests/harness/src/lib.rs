//! Fetches and starts the real services that the tests run against: Apache Kafka, a
//! Confluent-compatible schema registry and PostgreSQL. It also runs the product's own binaries as
//! processes that can be killed and measured.
//!
//! What is fetched lies in a cache folder outside the repository ([`cache_folder`]), pinned by version
//! and SHA-256; a second run fetches nothing. Every service listens on ports and writes into a folder
//! of its own, so any number of tests run side by side.
//!
//! Invariants:
//! - a `start` returns only when the service answers its clients;
//! - a service ends with its handle (also when a test panics) and with the process that started it
//!   (also when that is killed, see [`Child`]);
//! - a file whose checksum is not the pinned one is never run.
//!
//! The crate knows nothing of the product. A part that is missing is never skipped: it is installed
//! where the machine allows it, otherwise the error says what to install.

use std::path::PathBuf;

mod cache;
mod certificate;
mod child;
mod error;
mod folder;
mod http;
mod kafka;
mod part;
mod port;
mod postgres;
mod python;
mod registry;
mod spawner;
mod system;
mod usage;
mod wire;

pub use cache::cache_folder;
pub use child::{Child, Program, program_beside};
pub use error::Error;
pub use http::{Answer, http_get, http_request};
pub use kafka::{Kafka, KafkaConfig, Operation, Resource, Security, User};
pub use postgres::{Postgres, PostgresConfig};
pub use python::{PythonPins, python};
pub use registry::Registry;
pub use usage::{Metrics, Usage};

/// The file of labelled texts (JSON, MIT licence) that recall is measured by, fetched where the cache lacks it.
///
/// Blocking. What cannot be fetched is an error that names what was tried and how it failed.
pub fn labelled_texts(progress: &dyn Fn(&str)) -> Result<PathBuf, Error> {
    let folder = cache::ensure(&part::LABELLED_TEXTS, progress)?;
    Ok(folder.join("presidio_evaluator-0.3.2/data/synth_dataset_v2.json"))
}

/// Fetches and installs everything that the services need, so that later starts find it at hand.
///
/// `progress` is told what is being done, one line each. Blocking: it runs package managers.
pub fn prepare(progress: &dyn Fn(&str)) -> Result<(), Error> {
    for tool in system::ALL {
        let found = tool.find_or_install(progress)?;
        progress(&format!("{}: {}", tool.command, found.display()));
    }
    let binaries = system::postgres_binaries(progress)?;
    progress(&format!("postgresql: {}", binaries.display()));
    for part in part::ALL {
        let folder = cache::ensure(part, progress)?;
        progress(&format!("{}: {}", part.name, folder.display()));
    }
    Ok(())
}
