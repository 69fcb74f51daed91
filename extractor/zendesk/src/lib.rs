//! Reads Zendesk's API: one page of one collection after a [`Place`].
//!
//! Invariants:
//! - one call of [`Source::page`] is one request (besides fetching an access token), so that whoever
//!   paces the calls paces the requests;
//! - a record is passed on byte for byte, but for the sideloads that belong to it, which are added;
//! - nothing that a page has not delivered lies behind its `next` place;
//! - credentials are sent to the configured host alone, and never print.
//!
//! What it does not know: where records go, when to ask, what a field means beyond key and version.

mod auth;
mod body;
mod client;
mod clock;
mod config;
mod envelope;
mod error;
mod failure;
mod follow;
mod login;
mod page;
mod place;
mod refusal;
mod rotation;
mod scan;
mod size;
mod step;

use std::sync::Arc;

use async_trait::async_trait;
use zenfloe_catalog::Collection;

pub use client::Client;
pub use clock::Clock;
pub use config::{Auth, Config, ConfigError, Secret};
pub use error::{Class, Fault, SourceError, Unavailability};
pub use follow::{collection_of, published, published_set, requests_for, wanted_by};
pub use login::{Login, LoginError, TokenPair};
pub use page::{Identity, Note, Page, RawRecord};
pub use place::Place;
pub use rotation::Vault;

/// Where records come from.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// Fetches the page after `after` with one request.
    ///
    /// On `Ok` the records of the page are complete and [`Page::next`] is the place behind them; asking
    /// again for `after` gives the same records or newer states of them. On `Err` nothing has happened;
    /// [`SourceError::class`] says whether the same call may be made again.
    async fn page(&self, collection: &Collection, after: &Place) -> Result<Page, SourceError>;

    /// Asks for the smallest page of a collection, to see whether it may be read.
    async fn probe(&self, collection: &Collection) -> Result<(), SourceError>;

    /// Asks who the credentials belong to; an anonymous answer is an error.
    async fn identity(&self) -> Result<Identity, SourceError>;

    /// Gives the source a place for what it must not lose, and what was kept there last.
    ///
    /// Without a place the source does nothing that would have to be kept: it renews no login.
    async fn entrust(&self, _vault: Option<Arc<dyn Vault>>, _kept: Option<Vec<u8>>) {}

    /// Waits until nothing is under way that would have to be kept; the place must be served meanwhile.
    async fn settle(&self) {}
}
