//! Zendesk's collections as data: where each is read, what a record is, which tables and columns it feeds.
//!
//! A collection is one file under `collections/`; a new ordinary collection is a new file and nothing
//! else. The build refuses a faulty file with its name, line and reason. The format is documented on
//! [`Collection`] and the types below it.
//!
//! Invariant: every column has a class and an action, and nothing personal is `clear` unless its file says so.
//!
//! What it does not know: how a request is sent, how a row is encoded beyond its schema.

mod avro;
mod custom;
#[cfg(test)]
mod faults;
mod model;
#[cfg(test)]
mod parse;
mod path;

use std::sync::LazyLock;

pub use avro::{META_FIELDS, avro_schema};
pub use custom::CustomColumn;
pub use model::{
    Action, Bucket, Changed, Class, ClassBy, Collection, Column, ColumnType, Condition, Custom, CustomBy, Endpoint,
    Erase, Erased, Expected, Follow, Operation, Paging, RecordShape, Rows, Sender, Sideload, Table, TimeUnit, Vanished,
    Version, Window,
};
pub use path::{Path, Step};

/// The collections of this release, by name.
#[derive(Debug)]
pub struct Catalog {
    collections: Vec<Collection>,
}

impl Catalog {
    /// The catalog that this release was built with.
    pub fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<Catalog> = LazyLock::new(|| Catalog {
            collections: serde_json::from_str(include_str!(concat!(env!("OUT_DIR"), "/catalog.json")))
                .expect("the build script wrote it from the same types"),
        });
        &BUILTIN
    }

    /// All collections, sorted by name.
    pub fn collections(&self) -> &[Collection] {
        &self.collections
    }

    /// The collection of that name.
    pub fn collection(&self, name: &str) -> Option<&Collection> {
        self.collections.iter().find(|collection| collection.name == name)
    }

    /// The table of that name and the collection that feeds it.
    pub fn table(&self, name: &str) -> Option<(&Collection, &Table)> {
        self.collections
            .iter()
            .find_map(|collection| Some((collection, collection.tables.iter().find(|table| table.name == name)?)))
    }
}
