//! A simulated Zendesk account behind a real HTTP server.
//!
//! An [`Account`] is made from a seed, changes by script ([`Op`]) or at a rate, and is served by a
//! [`Simulator`] with the behaviour of Zendesk's API that catches mistakes in clients: the rules of the
//! incremental exports, both paginations, rate buckets, expiring tokens, error bodies. Whatever goes wrong
//! on a network goes wrong by script ([`Fault`]). Around that stand three things that only a simulator can
//! offer: *the truth* ([`Simulator::records`]), *the record of what was served*
//! ([`Simulator::served_versions`], [`Simulator::served_states`], [`Simulator::served_slas`]) and the
//! *directory* of every personal value ([`Simulator::directory`]), each of which is unmistakable.
//!
//! Invariants:
//! - equal specifications, anchors and scripts give equal accounts, byte for byte;
//! - a record with a version of Zendesk's own (tickets, users, organizations) never changes without it,
//!   but for SLA clocks and for the removal of a custom field, which are silent in Zendesk as well;
//! - what a fault spoilt does not count as served.
//!
//! Whoever runs it as a process (the binary `zendesk-sim`) has the same over HTTP, without credentials:
//!
//! | request | does |
//! |---|---|
//! | `GET /_sim/` | tells the address, the time and the number of rows |
//! | `POST /_sim/ops` | makes the changes of a JSON array of [`Op`], or one; tells the ids |
//! | `POST /_sim/changes?n=100&seed=7` | makes random changes; tells them |
//! | `POST /_sim/rate` | `{"per_second":5}`: changes at random from now on; 0 stops them |
//! | `GET`, `POST`, `DELETE /_sim/faults` | the [`Fault`]s to come; one more, or an array; none |
//! | `GET /_sim/directory` | every personal value, one [`Canary`] a line |
//! | `GET /_sim/truth/<collection>` | one [`Truth`] a line |
//! | `GET /_sim/served/<collection>` | one [`ServedVersion`] or [`ServedState`] a line |
//! | `GET /_sim/slas` | one [`ServedSlas`] a line |
//! | `GET`, `DELETE /_sim/requests` | one [`LoggedRequest`] a line; forgets them |
//! | `POST /_sim/clock?advance=90` | moves a manual clock by seconds |
//! | `POST /_sim/consume?bucket=account&requests=50` | requests of the account's other integrations |
//! | `POST /_sim/revoke` | makes all access tokens invalid |
//!
//! What it does not know: any client. It shares no type with the crates that are tested against it.

mod account;
mod beside;
mod cast;
mod clock;
mod directory;
mod fields;
mod ids;
mod life;
mod model;
mod op;
mod random;
mod record;
mod saved;
mod seeded;
mod server;
mod simulator;
mod spec;
mod stamp;
mod table;
mod text;
mod trail;
mod truth;

pub use account::Account;
pub use clock::Clock;
pub use directory::{Canary, CanaryClass};
pub use model::{Collection, Role};
pub use op::{Applied, Op, OpError};
pub use random::Traffic;
pub use saved::SavedError;
pub use server::auth::{ApiToken, Credentials, OauthClient};
pub use server::bucket::{Bucket, Limits, Plan};
pub use server::fault::{Fault, FaultKind};
pub use server::ledger::{ServedSlas, ServedState, ServedVersion};
pub use server::log::LoggedRequest;
pub use server::refusal::{Refusal, RefusalKind};
pub use simulator::{SimConfig, SimError, Simulator};
pub use spec::AccountSpec;
pub use truth::{Records, Truth};
