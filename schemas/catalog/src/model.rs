// The types of the catalog; compiled twice, for the build script and for the crate.
// Their documentation is the documentation of the files under `collections/`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::path::Path;

/// One thing that Zendesk's API lists: where it is read, what a record is, which tables it feeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection {
    /// The name in topics, configuration and metrics.
    pub name: String,
    /// What it is, in one sentence.
    pub doc: String,
    /// 1: on by default; 2 and 3: switched on by the user.
    pub tier: u8,
    /// Where it is read.
    pub endpoint: Endpoint,
    /// What a record is.
    pub record: RecordShape,
    /// Arrays beside the records that belong to them.
    pub sideloads: Vec<Sideload>,
    /// What is read for some of its records, one request each.
    pub follows: Vec<Follow>,
    /// Rows of other collections' tables that go with a record that is erased.
    pub erases: Vec<Erased>,
    /// The tables that it feeds.
    pub tables: Vec<Table>,
}

/// How a collection is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The path below the account's base URL, without `.json`.
    pub path: String,
    /// How pages follow one another.
    pub paging: Paging,
    /// How it is asked for what is new; of [`Paging::Window`] alone.
    pub window: Option<Window>,
    /// The key of the response's array.
    pub envelope: String,
    /// Records per page that the API allows.
    pub page_size: u32,
    /// Fixed query parameters.
    pub params: BTreeMap<String, String>,
    /// Values of `include`, joined by commas.
    pub include: Vec<String>,
    /// Of a time export: it has no `end_of_stream` and ends where `next_page` is null; its `end_time` may lie behind
    /// rows that are still to come and is not heeded.
    pub ends_by_next_page: bool,
    /// Of a time export: it has no `end_of_stream` and ends with a page of fewer rows than it could hold.
    pub ends_by_short_page: bool,
    /// Rows younger than this many seconds are left to the next poll: others may still come before them.
    pub settles_after: Option<u32>,
    /// Its records are not published: they tell what is to be read ([`Follow`]), and that is all there is.
    pub only_follows: bool,
    /// The rate bucket that a request counts against, besides the account's.
    pub bucket: Bucket,
    /// The plan that has it, in Zendesk's words; `any` for every plan.
    pub plan: String,
    /// The role that may read it.
    pub role: String,
    /// The narrowest OAuth scope that reads it.
    pub scope: String,
}

/// Zendesk's ways of paging (CATALOG: pagination).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Paging {
    /// `start_time` once, then `cursor`, until `end_of_stream`; the cursor serves for the next poll.
    IncrementalCursor,
    /// `start_time`, then `end_time` of the page before; repeats the boundary second.
    IncrementalTime,
    /// `page[size]` and `page[after]` until `meta.has_more` is false; a complete list each time.
    List,
    /// `page` and `per_page` until `next_page` is null; a complete list each time, of 10,000 rows at most.
    Offset,
    /// One answer holds all of it.
    Whole,
    /// A list by cursor of what has changed since a time ([`Window`]).
    Window,
}

impl Paging {
    /// Claims that a pass reads everything there is, so that what is missing has gone.
    pub fn is_complete(self) -> bool {
        matches!(self, Self::List | Self::Offset | Self::Whole)
    }

    /// Claims that rows come in the order of time, so that a long past can be read beside the present.
    pub fn is_incremental(self) -> bool {
        matches!(self, Self::IncrementalCursor | Self::IncrementalTime)
    }
}

/// How a list is asked for what is new.
///
/// A pass publishes the rows whose version lies behind the last pass's end and before a minute ago: each state
/// once, whatever the filter means by its times, as long as it lets a row through for `overlap` seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The parameter of the beginning.
    pub from: String,
    /// The parameter of the end, where the API wants one; it may be the same name once more.
    pub to: Option<String>,
    /// How the times are written.
    pub unit: TimeUnit,
    /// How long before the last pass's end the next one begins, in seconds.
    pub overlap: i64,
}

/// What is read for some records of a collection: an answer's rows are published in the collection's own topic as
/// objects of their own, which hold the row, alone in an array, under `into`, and beside it what `copy` takes out of it;
/// without `into` what is copied is all that is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Follow {
    /// The path below the account's base URL; `{name}` is the parent's value.
    pub path: String,
    /// The field of a record, and of what is published, that names the parent; it is the partition key as well.
    pub parent: String,
    /// The parameter that takes the values of as many parents as a page has rows, joined by commas: one request for all
    /// of them, whose rows must tell their parent. None: one request for each parent.
    #[serde(default)]
    pub many: Option<String>,
    /// The field that names the parent in what is published, where it is called otherwise there.
    #[serde(default)]
    pub parent_as: Option<String>,
    /// The record asks for it only where this holds.
    #[serde(default)]
    pub only: Option<Condition>,
    /// Any of these is there: the record asks for it. None: every record does.
    #[serde(default)]
    pub when: Vec<Path>,
    /// A record that has this field asks for nothing.
    #[serde(default)]
    pub unless: Option<String>,
    /// Fixed query parameters.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    /// Values of `include`.
    #[serde(default)]
    pub include: Vec<String>,
    /// The key of the response's array.
    pub envelope: String,
    /// `list`, `offset` or `whole`.
    pub paging: Paging,
    /// Rows per page.
    pub page_size: u32,
    /// The bucket of the request.
    pub bucket: Bucket,
    /// The answer is a whole set, and all of it is published as one record under the parent's key, when it is not what it
    /// was. Every row of a list asks for it each time. Of `whole` answers, with `into`.
    #[serde(default)]
    pub set: bool,
    /// A field that says, being `true`, that what is published is no record of the collection itself.
    #[serde(default)]
    pub mark: Option<String>,
    /// The field under which a row is published.
    #[serde(default)]
    pub into: Option<String>,
    /// Fields that are published beside it: their name, and where they stand in the row.
    pub copy: BTreeMap<String, Path>,
}

/// Rows of another collection's table that go for good with a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erased {
    /// The table.
    pub table: String,
    /// Its column that holds the record's key.
    pub column: String,
}

/// What it means that a row has left a complete list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vanished {
    /// It was deleted; many at once wait for a person's word.
    #[default]
    Deleted,
    /// Rows come and go by nature: it is gone, however many go at once.
    Transient,
    /// The list forgets what is old: the row stays.
    Kept,
}

/// Zendesk's counters of requests, each with a limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bucket {
    /// The account's requests per minute (200 to 2,500 by plan); every request counts here.
    Account,
    /// `/incremental/*` but for the users' cursor: 10 a minute, 30 with the High Volume add-on.
    IncrementalExports,
    /// `/incremental/users/cursor`: 20 a minute, 60 with the add-on.
    IncrementalExportsCursor,
    /// `/tickets/side_conversations/events`: 600 in ten minutes.
    SideConversationEvents,
    /// `/deleted_tickets`: 10 a minute.
    DeletedTickets,
    /// Help Center: as large as the account's own and apart from it.
    HelpCenter,
    /// Surveys: a counter of their own.
    GuideRest,
    /// Talk: a counter of its own.
    Talk,
}

/// What identifies a record, orders its states and tells that it is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordShape {
    /// Paths of the primary key's parts.
    pub key: Vec<Path>,
    /// The path whose value decides the partition: the key, or the parent whose order matters.
    pub partition_key: Path,
    /// What orders the states of one record.
    pub version: Version,
    /// Any of these holds: the record is deleted; its row stays, marked.
    pub deleted: Vec<Condition>,
    /// All of these hold: the record is deleted for good; of its rows key and version stay alone.
    pub erased: Vec<Condition>,
    /// What it means that a complete list misses a record.
    pub vanished: Vanished,
    /// Fields that deliberately are no column; all others that no column reads are counted as unknown.
    pub known: Vec<Path>,
}

/// What orders the states of one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The field that rises with every change; absent for lists, whose version is the extraction time.
    pub path: Option<Path>,
    /// How the field is written.
    pub unit: TimeUnit,
    /// The field to use where `path` is absent, as in imported files.
    pub fallback: Option<Path>,
}

/// How a time is written in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    /// `2026-01-31T12:00:00Z`, with or without a fraction, with an offset or `Z`.
    Iso8601,
    /// Whole seconds since 1970.
    EpochSeconds,
    /// Whole milliseconds since 1970.
    EpochMillis,
}

/// A claim about one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// The field.
    pub path: Path,
    /// What it must be.
    pub is: Expected,
}

/// What a field must be for a [`Condition`] to hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// This text.
    Text(String),
    /// This truth value.
    Bool(bool),
    /// Present and not null.
    Present,
}

/// A top-level array of the response whose elements belong to records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sideload {
    /// The key of the array in the response.
    pub array: String,
    /// The field of an element that holds the record's key; `None` when every record already
    /// carries the same as `into`, so that the array is dropped.
    pub by: Option<String>,
    /// The field of the record under which its elements are published, as an array (`[]` for none).
    pub into: String,
}

/// A table of the warehouse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// What a row is, in one sentence.
    pub doc: String,
    /// Where its rows come from.
    pub rows: Rows,
    /// The columns of the primary key.
    pub key: Vec<String>,
    /// The parent column under which the rows of one record are a complete set; the newest set replaces the older.
    pub set_of: Option<String>,
    /// The columns that say whose a row is, for whoever erases a person or a ticket.
    pub erase: Erase,
    /// The fields that the customer made; each becomes a column once it is known.
    pub custom: Option<Custom>,
    /// The columns, in the warehouse's order.
    pub columns: Vec<Column>,
}

/// Whose the rows of a table are: what an erasure of a person or a ticket does to them.
///
/// Written `erase = { ticket = "ticket_id", author = "author_id" }`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erase {
    /// The column with the id of the user whose own row it is: gone with the user.
    #[serde(default)]
    pub person: Option<String>,
    /// The column with the id of the ticket that it belongs to: gone once the ticket is scrubbed.
    #[serde(default)]
    pub ticket: Option<String>,
    /// The column with the id of the user who wrote its texts: they are dropped with the user.
    #[serde(default)]
    pub author: Option<String>,
    /// The user whom other columns of the row describe, as a mail's sender.
    #[serde(default)]
    pub sender: Option<Sender>,
}

/// The user whom some columns of a row describe: they are emptied with the user, known to Zendesk by their values or not.
///
/// Written `sender = { id = "requester_id", columns = ["via_from_phone"] }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sender {
    /// The column with the user's id.
    pub id: String,
    /// The columns that describe the user; never a part of the key.
    pub columns: Vec<String>,
}

/// Fields that the customer made on the records of a table. What they are is known at run time alone.
///
/// Written `custom = { fields = "ticket_fields", at = "custom_fields", by = "id" }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Custom {
    /// The collection of their definitions.
    pub fields: String,
    /// Where a record carries their values.
    pub at: Path,
    /// How it carries them.
    pub by: CustomBy,
}

/// How a record carries the values of custom fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CustomBy {
    /// An array of objects with the field's `id` and a `value`.
    Id,
    /// An object of values by the field's `key`.
    Key,
}

/// Where the rows of a table come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rows {
    /// The record is the row.
    Record,
    /// The record is the row where it has this field.
    RecordWith(Path),
    /// The record is the row unless it has this field.
    RecordUnless(Path),
    /// The object at this path is the row: absent gives no row, null a row of nulls.
    Object(Path),
    /// Each element of arrays is a row; absent or null gives none.
    Each {
        /// Paths of the arrays. A selector chooses among the elements of one that stands before it, all of them:
        /// `child_events[event_type=Comment].attachments`.
        arrays: Vec<Path>,
        /// The record itself is a row where the first array is there and empty.
        or_record: bool,
    },
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name in the warehouse.
    pub name: String,
    /// Where its value stands.
    pub path: Path,
    /// What its values are.
    pub r#type: ColumnType,
    /// How a value is made where that is more than reading it.
    pub op: Option<Operation>,
    /// For the operations on a change: the table whose fields an event changes.
    pub of: Option<String>,
    /// The fields that may have changed, and how their values are treated.
    pub changes: BTreeMap<String, Changed>,
    /// Where an event carries the values of the custom fields that changed, by id.
    pub custom: Option<Path>,
    /// What kind of personal data it holds; where `class_by` says more, the class of what it does not name.
    pub class: Class,
    /// Tells the class of each value by a field beside it.
    pub class_by: Option<ClassBy>,
    /// What happens to it unless the user tightens it.
    pub action: Action,
    /// What it means.
    pub doc: String,
}

/// How the value of a field is treated where an event tells its change: as the column that shows the field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Where an event carries the field's value.
    pub path: Path,
    /// The column's class.
    pub class: Class,
    /// The column's action.
    pub action: Action,
}

/// The class of a value by the text of a field of the same row, so that one column may hold tokens of
/// several classes and each joins with the columns of its own class.
///
/// Written `class = { by = "type", email = "email", else = "handle" }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassBy {
    /// The field that tells.
    pub path: Path,
    /// Its texts and their classes.
    pub cases: BTreeMap<String, Class>,
}

/// The type of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// 64-bit integer; a JSON integer or a string of digits.
    Long,
    /// 64-bit float.
    Double,
    /// Truth value; JSON `true`/`false` or those words as a string.
    Boolean,
    /// Text.
    String,
    /// Microseconds since 1970, UTC.
    Timestamp,
    /// Days since 1970.
    Date,
    /// Any JSON, kept as compact JSON text.
    Json,
}

/// How a value is made where that is more than reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// A timestamp from whole seconds since 1970.
    EpochSeconds,
    /// Whole minutes from an object with one of `minutes`, `hours`, `days`.
    Minutes,
    /// A column name from a title: lower case ASCII, `_` between words.
    Slug,
    /// A label: the text itself, or of an object its `channel`.
    Label,
    /// Of an event with the `event_type` `Create` or `Change` the name of the field that it changed.
    ChangedField,
    /// The value of the field that an event changed, treated as the field's own column is; the column's path, where
    /// it is given, leads to the value. What no column shows is dropped.
    Changed,
}

/// Kinds of personal data; a token's domain, so that equal persons join and unlike kinds never do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Not personal.
    None,
    /// E-mail address.
    Email,
    /// Telephone number.
    Phone,
    /// Name of a person.
    Person,
    /// Postal address or place.
    Address,
    /// Internet address.
    Ip,
    /// The customer's own id for someone.
    ExternalId,
    /// Name in a social network or messenger.
    Handle,
    /// An address that lets its holder fetch something, or shows who someone is.
    Url,
    /// Free text, in which anything may stand.
    Text,
}

/// What happens to a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Passed on as it is.
    Clear,
    /// Made coarser: an IP to its /24 or /48, a date to its year.
    Coarse,
    /// Personal spans replaced by typed placeholders.
    Redact,
    /// Replaced by a keyed token.
    Token,
    /// Null.
    Drop,
}

impl Class {
    /// The name in tokens, schemas and configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Person => "person",
            Self::Address => "address",
            Self::Ip => "ip",
            Self::ExternalId => "external_id",
            Self::Handle => "handle",
            Self::Url => "url",
            Self::Text => "text",
        }
    }

    /// What happens to a column of this class that names no action: nothing personal passes by default.
    pub fn default_action(self) -> Action {
        match self {
            Self::None => Action::Clear,
            Self::Text => Action::Redact,
            Self::Url => Action::Drop,
            Self::Email | Self::Phone | Self::Person | Self::Address | Self::Ip | Self::ExternalId | Self::Handle => {
                Action::Token
            }
        }
    }
}

impl Column {
    /// The class as schemas and listings show it: its name, or `by:FIELD`.
    pub fn class_label(&self) -> String {
        match &self.class_by {
            None => self.class.as_str().to_owned(),
            Some(by) => format!("by:{}", by.path),
        }
    }
}

impl Erase {
    /// The columns of ids that it names.
    pub fn ids(&self) -> impl Iterator<Item = &String> {
        let sender = self.sender.as_ref().map(|sender| &sender.id);
        let own = [&self.person, &self.ticket, &self.author].into_iter().flatten();
        own.chain(sender)
    }

    /// The columns that describe a user.
    pub fn described(&self) -> impl Iterator<Item = &String> {
        self.sender.iter().flat_map(|sender| &sender.columns)
    }
}

impl Action {
    /// The name in schemas and configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Coarse => "coarse",
            Self::Redact => "redact",
            Self::Token => "token",
            Self::Drop => "drop",
        }
    }
}
