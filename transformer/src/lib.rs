//! Moves records from the raw topics to the clean ones, personal data made safe on the way.
//!
//! A batch is read, each record is opened, normalised by a compiled plan and written as rows in Avro; what
//! cannot be transformed becomes a dead letter. Rows, letters and the read positions become visible in
//! **one** commit.
//!
//! Invariants:
//! - a read position is visible only together with every row and letter of the records below it;
//! - a clean row stands on the partition number of its raw record;
//! - a record gives all of its rows or one letter, never a part;
//! - the writer is opened (which ends and fences a predecessor) before anything is read;
//! - a row's revision is the number of the configuration that made it; a process whose configuration is
//!   not the newest stops;
//! - who is erased is in no row: the rules are read to their end before the first record, and now and then after it;
//! - a record is transformed when everyone is known whom the source has told of before it;
//! - a value of a custom field without a column is not lost: its record is transformed again once the field has one;
//! - nothing opened is written anywhere but through the plan: a letter's value stays sealed as it was.
//!
//! What it does not know: what a column means, how a token is made, how a log stores records.

mod columns;
mod config;
mod custom;
mod dead;
mod erase;
mod error;
mod goals;
mod hand;
mod letters;
mod meter;
mod parts;
mod patience;
mod people;
mod plans;
mod progress;
mod replay;
mod retry;
mod rules;
mod span;
mod stage;
mod tally;
mod topics;
mod treated;
mod walk;
mod worker;

pub use columns::choices;
pub use config::{Config, NewFields, Treatment};
pub use erase::{Erase, ErasedCounts, erase, erase_writer_id};
pub use error::{Class, StageError};
pub use letters::{Content, LetterInfo, letters, open_letter};
pub(crate) use parts::people_group;
pub use parts::{Drained, Parts, group, replay_group, replay_writer_id, retry_writer_id, rules_writer_id, writer_id};
pub use progress::{CollectionProgress, Progress, ReplayProgress, Snapshot, Status};
pub use replay::replay;
pub use retry::{Retried, Which, retry_dead};
pub use rules::processing;
pub use span::{From, Replay, Replayed, Span};
pub use stage::run;
pub use topics::topics;
pub use treated::{Processed, Rule};
