//! A simulated Snowflake account: a front before fakesnow, which is the engine, that adds what it lacks.
//!
//! The front verifies signed sign-ins and says what is wrong with them, lets tokens expire and be renewed, runs a
//! request once however often it comes, answers "not yet" where a test says so, gives results as Arrow, in parts, or as
//! JSON, takes uploads as S3 does, and fails by script ([`Fault`]): statuses, silence, lost replies, refusals such as
//! 000625. [`Engine`] runs fakesnow alone; [`Reader`] looks into its store by itself.
//!
//! Invariant: it shares no type with the client that it tests; Snowflake's own connector is held against it.
//!
//! What it cannot show: real waits for locks, how long request ids are kept, grants and masking, cost.

mod auth;
mod engine;
mod front;
mod history;
mod objects;
mod parquet_text;
mod python;
mod reader;
mod results;
mod script;

pub use auth::User;
pub use engine::{Engine, Kind};
pub use front::{Front, Settings};
pub use python::{connector_5, programs};
pub use reader::Reader;
pub use results::Format;
pub use script::Fault;

/// A client that talks to loopback alone.
fn http_client() -> anyhow::Result<reqwest::Client> {
    // A second provider in one process is refused, which is fine: the first one serves.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(reqwest::Client::builder().no_proxy().build()?)
}
