//! The numbers under which Avro schemas are known, and the header that puts them before a value.
//!
//! Two registries pass one [`contract`]: [`HttpRegistry`] speaks Confluent's protocol, [`FileRegistry`] lives in a SQLite
//! file of its own or in that of the embedded log. Values are framed as Confluent frames them ([`header`], [`split`]).
//!
//! Invariants:
//! - an id names one schema for ever, and the same schema of a subject has the same id;
//! - a schema of a subject can read what any earlier schema of that subject wrote (`BACKWARD_TRANSITIVE`);
//! - ids are looked up by the schema's text, never by "the newest of a subject".
//!
//! What it does not know: what a schema describes.

mod config;
pub mod contract;
mod error;
mod file;
mod http;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;

pub use config::Config;
pub use error::{Class, RegistryError};
pub use file::FileRegistry;
pub use http::HttpRegistry;
pub use wire::{HEADER_LENGTH, Unframed, header, split};

/// Where schemas have their numbers.
#[async_trait]
pub trait Registry: Send + Sync + 'static {
    /// Registers a schema, or finds it, under a subject (see [`subject`]) and returns its id.
    ///
    /// On `Ok` every process that asks for this id gets this schema. [`RegistryError::Incompatible`]: the schema cannot
    /// read what an earlier one of the subject wrote; nothing was registered. On [`Class::Retry`] it may have been
    /// registered; the same call may be made again.
    async fn register(&self, subject: &str, schema: &str) -> Result<u32, RegistryError>;

    /// The schema text of an id; the same JSON that was registered, custom properties included.
    async fn schema(&self, id: u32) -> Result<Arc<str>, RegistryError>;

    /// Answers when the registry can be reached and takes the credentials.
    async fn ping(&self) -> Result<(), RegistryError>;
}

/// The subject of a topic's values, by Confluent's default strategy.
pub fn subject(topic: &str) -> String {
    format!("{topic}-value")
}
