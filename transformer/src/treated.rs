//! What happens to every column, since when, and by which rule.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use zenfloe_catalog::{Action, Catalog, Column, Table};

use crate::columns::{self, strictness};
use crate::custom::{Columns, extended};
use crate::{Config, StageError, Treatment};

const TREATED: &str = "treated/";
const TIGHTENED: &str = "tightened/";

/// What happens to the columns of one table, as the rules topic remembers it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Treated {
    pub(crate) columns: BTreeMap<String, Since>,
}

/// An action and when it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Since {
    pub(crate) action: Action,
    /// The first revision under it.
    pub(crate) revision: i32,
    /// When that was, milliseconds since 1970.
    pub(crate) at: i64,
}

/// A column whose values of older revisions are to be nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tightened {
    /// The first revision that may fill it.
    pub(crate) revision: i32,
}

pub(crate) fn treated_key(table: &str) -> String {
    format!("{TREATED}{table}")
}

pub(crate) fn tightened_key(table: &str, column: &str) -> String {
    format!("{TIGHTENED}{table}/{column}")
}

/// The table of a key of the rules topic; `None` of other keys.
pub(crate) fn treated_table(key: &str) -> Option<&str> {
    key.strip_prefix(TREATED)
}

/// By which rule a column is treated as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "rule")]
pub enum Rule {
    /// What the catalog does with its class.
    Class,
    /// What the catalog says of this column.
    Catalog,
    /// What is done with custom fields of its type.
    Field,
    /// A pattern of `exclude`.
    Exclude {
        /// The pattern.
        pattern: String,
    },
    /// No pattern of `include` names it.
    NotIncluded,
    /// `new_fields` blocks it.
    NewField,
    /// A pattern of `actions`.
    Action {
        /// The pattern.
        pattern: String,
        /// Why it may show more than the catalog.
        reason: Option<String>,
    },
}

/// One column in the record of processing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Processed {
    /// The table.
    pub table: String,
    /// The collection that feeds it.
    pub collection: String,
    /// The column.
    pub column: String,
    /// What it means.
    pub doc: String,
    /// What kind of personal data it holds.
    pub class: String,
    /// What happens to it; `drop` where it is left out.
    pub action: Action,
    /// By which rule.
    pub by: Rule,
    /// The revision since which it is so, where a transformer has run.
    pub revision: Option<i32>,
    /// When that began, milliseconds since 1970.
    pub since: Option<i64>,
}

/// What happens to every column under a configuration, custom fields as far as they are known; since when is not said.
pub(crate) fn processed(catalog: &Catalog, config: &Config, columns: &Columns) -> Result<Vec<Processed>, StageError> {
    let choices = columns::choices(catalog, config)?;
    let mut all = Vec::new();
    for collection in catalog.collections() {
        let choice = choices.get(&collection.name).cloned().unwrap_or_default();
        let (whole, choice) = extended(collection, &choice, columns, config);
        for table in &whole.tables {
            let own = collection.tables.iter().find(|held| held.name == table.name);
            for column in &table.columns {
                let place = (table.name.clone(), column.name.clone());
                let whole = (table.name.clone(), "*".to_owned());
                let is_out = choice.excluded.contains(&whole) || choice.excluded.contains(&place);
                let action = choice.actions.get(&place).copied().unwrap_or(column.action);
                let is_custom = !own.is_some_and(|own| own.columns.iter().any(|held| held.name == column.name));
                all.push(Processed {
                    table: table.name.clone(),
                    collection: collection.name.clone(),
                    column: column.name.clone(),
                    doc: column.doc.clone(),
                    class: column.class_label(),
                    action: if is_out { Action::Drop } else { action },
                    by: rule(config, table, column, is_custom),
                    revision: None,
                    since: None,
                });
            }
        }
    }
    Ok(all)
}

fn rule(config: &Config, table: &Table, column: &Column, is_custom: bool) -> Rule {
    let names = |pattern: &&String| columns::names(pattern, table, &column.name, is_custom);
    if let Some(pattern) = config.exclude.iter().find(names) {
        return Rule::Exclude {
            pattern: pattern.clone(),
        };
    }
    let is_included = config.include.iter().any(|pattern| names(&pattern));
    if !config.include.is_empty() && !is_included && !columns::is_kept(table, &column.name) {
        return Rule::NotIncluded;
    }
    let treatment = config.actions.iter().rfind(|(pattern, _)| names(pattern));
    if let Some((pattern, treatment)) = treatment {
        return Rule::Action {
            pattern: pattern.clone(),
            reason: match treatment {
                Treatment::Plain(_) => None,
                Treatment::Reasoned(held) => Some(held.reason.clone()),
            },
        };
    }
    if is_custom {
        let is_blocked = config.new_fields == crate::config::NewFields::Block && !is_included;
        return if is_blocked { Rule::NewField } else { Rule::Field };
    }
    if column.action == column.class.default_action() {
        Rule::Class
    } else {
        Rule::Catalog
    }
}

/// What has changed from one revision to the next.
pub(crate) struct Changes {
    /// Tables of which a column is treated otherwise.
    pub(crate) tables: BTreeMap<String, Treated>,
    /// Tables and their columns that hide more than before.
    pub(crate) tightened: Vec<(String, String)>,
}

/// What is to be written about what has changed: the treatment of columns, and those that hide more than before.
pub(crate) fn changes(all: &[Processed], held: &BTreeMap<String, Treated>, revision: i32, at: i64) -> Changes {
    let mut tables: BTreeMap<String, Treated> = BTreeMap::new();
    let mut tightened = Vec::new();
    for one in all {
        let before = held.get(&one.table).and_then(|held| held.columns.get(&one.column));
        let now = Since {
            action: one.action,
            revision,
            at,
        };
        let since = before.filter(|before| before.action == one.action).copied();
        if before.is_some_and(|before| strictness(one.action) > strictness(before.action)) {
            tightened.push((one.table.clone(), one.column.clone()));
        }
        let columns = &mut tables.entry(one.table.clone()).or_default().columns;
        columns.insert(one.column.clone(), since.unwrap_or(now));
    }
    tables.retain(|table, treated| held.get(table) != Some(treated));
    Changes { tables, tightened }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn under(config: &Config) -> Vec<Processed> {
        processed(Catalog::builtin(), config, &Columns::default()).expect("a legal configuration")
    }

    fn of<'p>(all: &'p [Processed], table: &str, column: &str) -> &'p Processed {
        let found = all.iter().find(|one| one.table == table && one.column == column);
        found.expect("every column is there")
    }

    #[test]
    fn every_column_names_its_rule() {
        let mut config = Config::default();
        config.exclude.insert("users.n*es".into());
        let drop = Treatment::Plain(Action::Drop);
        config.actions.insert("tickets.subject".into(), drop);
        let all = under(&config);
        assert_eq!(of(&all, "users", "email").by, Rule::Class);
        assert_eq!(of(&all, "ticket_events", "context_latitude").by, Rule::Catalog);
        let notes = of(&all, "users", "notes");
        let pattern = "users.n*es".to_owned();
        assert_eq!((notes.action, &notes.by), (Action::Drop, &Rule::Exclude { pattern }));
        let pattern = "tickets.subject".to_owned();
        let reason = None;
        assert_eq!(of(&all, "tickets", "subject").by, Rule::Action { pattern, reason });
    }

    #[test]
    fn what_hides_more_is_told_and_keeps_its_beginning_otherwise() {
        let first = changes(&under(&Config::default()), &BTreeMap::new(), 1, 10);
        assert!(first.tightened.is_empty() && first.tables.contains_key("groups"));
        let mut config = Config::default();
        config.exclude.insert("users.notes".into());
        let second = changes(&under(&config), &first.tables, 2, 20);
        assert_eq!(second.tightened, [("users".to_owned(), "notes".to_owned())]);
        assert_eq!(second.tables.keys().collect::<Vec<_>>(), ["users"]);
        let users = &second.tables["users"].columns;
        let since = |column: &str| (users[column].revision, users[column].at);
        assert_eq!((since("email"), since("notes")), ((1, 10), (2, 20)));
        let mut held = first.tables.clone();
        held.extend(second.tables);
        let back = changes(&under(&Config::default()), &held, 3, 30);
        assert!(back.tightened.is_empty() && back.tables["users"].columns["notes"].revision == 3);
    }
}
