//! The user's choice of columns, spelled out against the catalog.

use std::collections::{BTreeMap, BTreeSet};

use zenfloe_catalog::{Action, Catalog, Class, Collection, Column, Table};
use zenfloe_normalize::{Choice, PlanError};

use crate::config::NewFields;
use crate::{Config, Treatment};

/// The choices of all collections, by name; patterns are replaced by the columns that they name.
///
/// Errors for a pattern that names nothing, and for a treatment that shows more than the catalog's own
/// without a reason.
pub fn choices(catalog: &Catalog, config: &Config) -> Result<BTreeMap<String, Choice>, PlanError> {
    let mut choices: BTreeMap<String, Choice> = BTreeMap::new();
    include(catalog, config, &mut choices)?;
    let mut of = |collection: &Collection, change: &mut dyn FnMut(&mut Choice)| {
        change(choices.entry(collection.name.clone()).or_default());
    };
    for pattern in &config.exclude {
        let (table_pattern, column_pattern) = halves(pattern)?;
        let mut is_known = false;
        for (collection, table) in tables(catalog, table_pattern) {
            if column_pattern == "*" {
                is_known = true;
                let whole = (table.name.clone(), "*".to_owned());
                of(collection, &mut |choice| _ = choice.excluded.insert(whole.clone()));
                continue;
            }
            is_known |= is_custom(table, column_pattern);
            for column in columns(table, column_pattern) {
                is_known = true;
                let place = (table.name.clone(), column.name.clone());
                of(collection, &mut |choice| _ = choice.excluded.insert(place.clone()));
            }
        }
        known(is_known, table_pattern, column_pattern)?;
    }
    for (pattern, treatment) in &config.actions {
        let (table_pattern, column_pattern) = halves(pattern)?;
        let mut is_known = false;
        for (collection, table) in tables(catalog, table_pattern) {
            if is_custom(table, column_pattern) {
                is_known = true;
                allowed(table, column_pattern, Class::Text.default_action(), treatment)?;
            }
            for column in columns(table, column_pattern) {
                is_known = true;
                allowed(table, &column.name, column.action, treatment)?;
                let place = (table.name.clone(), column.name.clone());
                of(collection, &mut |choice| {
                    choice.actions.insert(place.clone(), treatment.action());
                });
            }
        }
        known(is_known, table_pattern, column_pattern)?;
    }
    tell_elsewhere(catalog, &mut choices);
    Ok(choices)
}

/// Leaves out whatever no pattern of `include` names.
fn include(catalog: &Catalog, config: &Config, choices: &mut BTreeMap<String, Choice>) -> Result<(), PlanError> {
    if config.include.is_empty() {
        return Ok(());
    }
    for pattern in &config.include {
        let (table, column) = halves(pattern)?;
        let is_known = |table: &Table| is_custom(table, column) || columns(table, column).next().is_some();
        known(tables(catalog, table).any(|(_, table)| is_known(table)), table, column)?;
    }
    for (collection, table) in tables(catalog, "*") {
        let is_named = |column: &str| {
            config
                .include
                .iter()
                .any(|pattern| names(pattern, table, column, false))
        };
        let has_fields = |pattern: &String| {
            let (of, column) = pattern.split_once('.').unwrap_or_default();
            fits(of, &table.name) && is_custom(table, column)
        };
        if !table.columns.iter().any(|column| is_named(&column.name)) && !config.include.iter().any(has_fields) {
            let choice = choices.entry(collection.name.clone()).or_default();
            choice.excluded.insert((table.name.clone(), "*".to_owned()));
            continue;
        }
        for column in &table.columns {
            if !is_named(&column.name) && !is_kept(table, &column.name) {
                let choice = choices.entry(collection.name.clone()).or_default();
                choice.excluded.insert((table.name.clone(), column.name.clone()));
            }
        }
    }
    Ok(())
}

/// Claims that a column stays in a table whatever is chosen: its key, and whose set or whose rows they are.
pub(crate) fn is_kept(table: &Table, column: &str) -> bool {
    let is_it = |held: &String| held == column;
    table.key.iter().any(is_it) || table.set_of.iter().any(is_it) || table.erase.ids().any(is_it)
}

/// Claims that a pattern names a column of a table, which may be a custom field's.
pub(crate) fn names(pattern: &str, table: &Table, column: &str, is_custom: bool) -> bool {
    let Some((of, held)) = pattern.split_once('.') else {
        return false;
    };
    let is_own = || columns(table, held).any(|own| own.name == column);
    fits(of, &table.name) && if is_custom { fits(held, column) } else { is_own() }
}

/// What is chosen for a table holds for the changes of its fields that another collection tells.
fn tell_elsewhere(catalog: &Catalog, choices: &mut BTreeMap<String, Choice>) {
    for collection in catalog.collections() {
        let columns = collection.tables.iter().flat_map(|table| &table.columns);
        let told: BTreeSet<&String> = columns.filter_map(|column| column.of.as_ref()).collect();
        let mut elsewhere = BTreeMap::new();
        for choice in choices.values() {
            let dropped = choice.excluded.iter().map(|place| (place, Action::Drop));
            let changed = choice.actions.iter().map(|(place, action)| (place, *action));
            let of_told = |((table, _), _): &(&(String, String), Action)| told.contains(table);
            elsewhere.extend(
                changed
                    .chain(dropped)
                    .filter(of_told)
                    .map(|(place, action)| (place.clone(), action)),
            );
        }
        if !elsewhere.is_empty() {
            choices.entry(collection.name.clone()).or_default().elsewhere = elsewhere;
        }
    }
}

fn halves(pattern: &str) -> Result<(&str, &str), PlanError> {
    pattern.split_once('.').ok_or_else(|| PlanError::Refused {
        table: pattern.to_owned(),
        column: String::new(),
        what: "is written `table.column`",
    })
}

fn known(is_known: bool, table: &str, column: &str) -> Result<(), PlanError> {
    if is_known {
        return Ok(());
    }
    Err(PlanError::Unknown {
        table: table.to_owned(),
        column: column.to_owned(),
    })
}

fn tables<'c>(catalog: &'c Catalog, pattern: &str) -> impl Iterator<Item = (&'c Collection, &'c Table)> {
    catalog
        .collections()
        .iter()
        .flat_map(|collection| collection.tables.iter().map(move |table| (collection, table)))
        .filter(move |(_, table)| fits(pattern, &table.name))
}

/// The catalog's columns that a pattern names. `custom_*` are custom fields, not Zendesk's own `custom_status_id`.
fn columns<'t>(table: &'t Table, pattern: &str) -> impl Iterator<Item = &'t Column> {
    let is_of_fields = table.custom.is_some() && pattern.starts_with("custom_") && pattern.contains('*');
    let named = move |column: &&Column| !is_of_fields && fits(pattern, &column.name);
    table.columns.iter().filter(named)
}

/// Claims that a pattern names custom fields: which ones there are is not known here.
fn is_custom(table: &Table, pattern: &str) -> bool {
    table.custom.is_some() && pattern.starts_with("custom_") && columns(table, pattern).next().is_none()
}

/// What the configuration says of the columns of custom fields, pattern by pattern.
pub(crate) fn of_custom_fields(catalog: &Catalog, config: &Config) -> Vec<String> {
    let concerns = |pattern: &str| {
        let Some((table, column)) = pattern.split_once('.') else {
            return false;
        };
        let may_name = column.starts_with("custom_") || column.contains('*');
        may_name && tables(catalog, table).any(|(_, table)| table.custom.is_some())
    };
    let excluded = config.exclude.iter().filter(|pattern| concerns(pattern));
    let included = config.include.iter().filter(|pattern| concerns(pattern));
    let blocked = (config.new_fields == NewFields::Block).then(|| "block".to_owned());
    let treated = config.actions.iter().filter(|(pattern, _)| concerns(pattern));
    excluded
        .map(|pattern| format!("-{pattern}"))
        .chain(included.map(|pattern| format!("+{pattern}")))
        .chain((!config.include.is_empty()).then(|| "include".to_owned()))
        .chain(blocked)
        .chain(treated.map(|(pattern, treatment)| format!("{pattern}={}", treatment.action().as_str())))
        .collect()
}

/// What the user wants of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Its own default.
    Own,
    /// This action.
    Be(Action),
    /// That it is not there.
    Out,
}

/// What the configuration says of a column that the catalog does not name.
pub(crate) fn wish(config: &Config, table: &str, column: &str) -> Wish {
    let names = |pattern: &str| {
        pattern
            .split_once('.')
            .is_some_and(|(of, held)| fits(of, table) && fits(held, column))
    };
    if config.exclude.iter().any(|pattern| names(pattern)) {
        return Wish::Out;
    }
    let is_included = config.include.iter().any(|pattern| names(pattern));
    if !config.include.is_empty() && !is_included {
        return Wish::Out;
    }
    match config.actions.iter().rfind(|(pattern, _)| names(pattern)) {
        Some((_, treatment)) => Wish::Be(treatment.action()),
        None if config.new_fields == NewFields::Block && !is_included => Wish::Out,
        None => Wish::Own,
    }
}

fn allowed(table: &Table, column: &str, own: Action, treatment: &Treatment) -> Result<(), PlanError> {
    if treatment.is_reasoned() || strictness(treatment.action()) >= strictness(own) {
        return Ok(());
    }
    Err(PlanError::Refused {
        table: table.name.clone(),
        column: column.to_owned(),
        what: "would show more than the catalog allows; write { action = \"…\", reason = \"…\" } if it must",
    })
}

/// How much an action hides.
pub(crate) fn strictness(action: Action) -> u8 {
    match action {
        Action::Clear => 0,
        Action::Coarse => 1,
        Action::Redact => 2,
        Action::Token => 3,
        Action::Drop => 4,
    }
}

/// Claims that a name fits a pattern in which `*` stands for any letters.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => name.strip_prefix(before).is_some_and(|rest| {
            let mut starts = (0..=rest.len()).filter(|at| rest.is_char_boundary(*at));
            starts.any(|at| fits(after, &rest[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Reasoned;

    fn config(exclude: &[&str], actions: &[(&str, Treatment)]) -> Config {
        Config {
            exclude: exclude.iter().map(|pattern| (*pattern).to_owned()).collect(),
            actions: actions
                .iter()
                .map(|(place, treatment)| ((*place).to_owned(), treatment.clone()))
                .collect(),
            ..Config::default()
        }
    }

    fn chosen(exclude: &[&str], actions: &[(&str, Treatment)]) -> Result<BTreeMap<String, Choice>, String> {
        choices(Catalog::builtin(), &config(exclude, actions)).map_err(|error| error.to_string())
    }

    #[test]
    fn patterns_fit_as_people_expect() {
        for (pattern, name, is_fit) in [
            ("name", "name", true),
            ("name", "names", false),
            ("*", "", true),
            ("custom_*", "custom_x", true),
            ("custom_*", "custo", false),
            ("*_id", "user_id", true),
            ("*_at*", "created_at", true),
            ("a*b*c", "aXbXc", true),
            ("a*b*c", "acb", false),
        ] {
            assert_eq!(fits(pattern, name), is_fit, "{pattern} {name}");
        }
    }

    #[test]
    fn choices_go_to_the_collection_that_feeds_the_table() {
        let found = chosen(&["users.notes", "ticket_slas.*"], &[]).expect("known names");
        assert_eq!(found["users"].excluded, [("users".into(), "notes".into())].into());
        assert_eq!(found["tickets"].excluded, [("ticket_slas".into(), "*".into())].into());
        let found = chosen(&["user*.external_i?", "users.*_restriction"], &[]);
        assert!(found.expect_err("no such column").contains("external_i?"));
    }

    #[test]
    fn what_is_not_included_is_left_out_but_for_keys() {
        let mut config = config(&[], &[]);
        config.include = ["users.email", "tickets.custom_*"].map(str::to_owned).into();
        let found = choices(Catalog::builtin(), &config).expect("known names");
        let has =
            |of: &str, table: &str, column: &str| found[of].excluded.contains(&(table.to_owned(), column.to_owned()));
        assert!(has("users", "users", "name") && has("groups", "groups", "*"));
        assert!(!has("users", "users", "email") && !has("users", "users", "id"));
        assert!(has("users", "user_identities", "*") && has("tickets", "tickets", "subject"));
        assert!(!has("tickets", "tickets", "*") && !has("tickets", "tickets", "submitter_id"));
        assert_eq!(wish(&config, "tickets", "custom_area"), Wish::Own);
        assert_eq!(wish(&config, "users", "custom_area"), Wish::Out);
        config.include = ["users.emial".to_owned()].into();
        assert!(choices(Catalog::builtin(), &config).is_err());
    }

    #[test]
    fn new_fields_can_be_blocked_until_they_are_named() {
        let mut config = config(&[], &[("tickets.custom_area", Treatment::Plain(Action::Redact))]);
        config.new_fields = NewFields::Block;
        assert_eq!(wish(&config, "tickets", "custom_area"), Wish::Be(Action::Redact));
        assert_eq!(wish(&config, "tickets", "custom_region"), Wish::Out);
    }

    #[test]
    fn tightening_is_free_and_loosening_has_a_reason() {
        let drop = Treatment::Plain(Action::Drop);
        let found = chosen(&[], &[("users.email", drop)]).expect("tighter");
        let place = ("users".to_owned(), "email".to_owned());
        assert_eq!(found["users"].actions[&place], Action::Drop);
        let clear = Treatment::Plain(Action::Clear);
        let told = chosen(&[], &[("users.email", clear)]).expect_err("looser");
        assert!(told.contains("users.email") && told.contains("reason"), "{told}");
        let reasoned = |reason: &str| {
            Treatment::Reasoned(Reasoned {
                action: Action::Clear,
                reason: reason.into(),
            })
        };
        assert!(chosen(&[], &[("users.email", reasoned(" "))]).is_err());
        assert!(chosen(&[], &[("users.email", reasoned("a test account"))]).is_ok());
        assert!(chosen(&["users"], &[]).is_err(), "no column");
    }
}
