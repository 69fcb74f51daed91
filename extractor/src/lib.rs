//! Moves records from Zendesk to the raw topics.
//!
//! A page is fetched first and committed afterwards: its records, sealed, and the cursor behind it become
//! visible in **one** commit. Of a list only what changed is published, and what is gone is told as
//! deleted once two complete lists have missed it.
//!
//! Invariants:
//! - a cursor is visible in the log only together with every record before it, so that a restart asks
//!   for one page again at most, and publishes nothing twice;
//! - the writer is opened (which ends and fences a predecessor) before the state is read;
//! - no page is fetched without a leave from the rate budget;
//! - what a source's tickets may mention is known first: they begin after the first complete pass over
//!   its fields, users and organizations.
//!
//! What it does not know: what a record means, how a log stores it, how Zendesk is spoken to.

mod check;
mod config;
mod errand;
mod error;
mod import;
mod ledger;
mod parts;
mod patience;
mod people;
mod plan;
mod progress;
mod publish;
mod report;
mod resync;
mod sets;
mod share;
mod stage;
mod state;
mod vault;
mod work;

pub use check::{Finding, check};
pub use config::{Config, Selection};
pub use error::StageError;
pub use import::{Import, ImportParts, ImportProgress, ImportSnapshot, Imported, ImportedFile, import};
pub use parts::{Drained, Parts, writer_id};
pub use plan::{selected, topics};
pub use progress::{CollectionProgress, Past, Progress, Snapshot, Status};
pub use report::{CollectionStanding, Standing, StandingState, Trouble, standing};
pub use resync::{Forgotten, Resync, forget, resync};
pub use share::{GROUP, Shared, Turns, share};
pub use stage::run;
pub use vault::kept_login;
pub use zenfloe_pacing::Mode;
