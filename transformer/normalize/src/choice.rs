use std::collections::{BTreeMap, BTreeSet};

use zenfloe_catalog::Action;

/// What the user leaves out or treats differently in one collection; the default is the catalog's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Table and column (`*` for the whole table) that never leave the transformer.
    pub excluded: BTreeSet<(String, String)>,
    /// Table and column, and what happens to the column instead of the catalog's action.
    pub actions: BTreeMap<(String, String), Action>,
    /// The same for tables of other collections, whose fields' changes this collection tells.
    pub elsewhere: BTreeMap<(String, String), Action>,
}

/// A choice that this collection cannot follow. It needs a person: the configuration names the column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A rule names what does not exist.
    #[error("`{table}.{column}` is not in the catalog")]
    Unknown {
        /// The table as written.
        table: String,
        /// The column as written.
        column: String,
    },
    /// A rule cannot be followed.
    #[error("`{table}.{column}` {what}")]
    Refused {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Why.
        what: &'static str,
    },
    /// The catalog describes something that no plan can do.
    #[error("collection `{collection}`: {what}")]
    Catalog {
        /// The collection.
        collection: String,
        /// What.
        what: String,
    },
}
