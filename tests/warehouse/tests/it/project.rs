//! The dbt project against the catalog.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use zenfloe_catalog::Catalog;
use zenfloe_warehouse::rules::{ADDED, FOR_FIVETRAN, VALUES};
use zenfloe_warehouse::{dbt, fivetran, generated, repository};

#[test]
fn what_follows_from_the_catalog_is_as_the_catalog_says() {
    let folder = repository("deploy/dbt");
    for (name, text) in generated::files() {
        let file = folder.join(name);
        if std::env::var_os("ZENFLOE_WRITE").is_some() {
            fs::write(&file, &text).expect("written");
        }
        let held = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            held == text,
            "deploy/dbt/{name} differs: set ZENFLOE_WRITE=1 and test again"
        );
    }
}

fn files(folder: &str) -> BTreeMap<String, String> {
    let entries = fs::read_dir(repository(folder)).expect("the folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let sql = paths.filter(|path| path.extension().is_some_and(|extension| extension == "sql"));
    sql.map(|path| {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        (name, fs::read_to_string(&path).expect("text"))
    })
    .collect()
}

#[test]
fn every_table_that_is_on_by_default_has_a_view() {
    let views: BTreeSet<String> = files("deploy/dbt/models/staging").into_keys().collect();
    let tables = generated::tier_1()
        .into_iter()
        .map(|table| format!("stg_zendesk__{}", table.name));
    assert_eq!(
        views,
        tables.collect(),
        "deploy/dbt/models/staging: one file for each table"
    );
}

#[test]
fn every_table_of_fivetran_has_a_view() {
    let views: BTreeSet<String> = files("deploy/dbt/models/fivetran").into_keys().collect();
    let tables: BTreeSet<String> = fivetran::tables()
        .iter()
        .map(|table| format!("fivetran__{table}"))
        .collect();
    assert_eq!((views.len(), &views), (22, &tables));
    assert_eq!(fivetran::columns().len(), 258);
}

/// What the views in Fivetran's shape read of tables that the catalog has must be there: a column that is not would be
/// null for ever, silently.
#[test]
fn views_read_columns_that_the_catalog_has() {
    let mut faults = Vec::new();
    for (view, text) in files("deploy/dbt/models/fivetran") {
        for call in text.split("rows_of('").skip(1) {
            let (table, rest) = call.split_once("', [").expect("a table and its columns");
            let columns = rest
                .split("\n    ]")
                .next()
                .and_then(|list| list.split("]) }}").next())
                .expect("a list");
            let Some((_, known)) = Catalog::builtin().table(table) else {
                assert!(
                    FOR_FIVETRAN.contains(&table),
                    "{view} reads `{table}`, which is no source"
                );
                continue;
            };
            for pair in columns.split('[').filter(|pair| pair.starts_with('\'')) {
                let name = pair.split('\'').nth(1).expect("a name");
                if !known.columns.iter().any(|column| column.name == name) {
                    faults.push(format!("{view}: {table}.{name}"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "the catalog has no such columns: {faults:?}");
}

#[test]
fn rules_name_tables_and_columns_that_exist() {
    for values in VALUES {
        if let Some((_, table)) = Catalog::builtin().table(values.table) {
            let column = table.columns.iter().find(|column| column.name == values.column);
            assert!(column.is_some(), "{}.{}", values.table, values.column);
        }
    }
    for (table, column, _) in ADDED {
        let view = repository("deploy/dbt/models/staging").join(format!("stg_zendesk__{table}.sql"));
        let text = fs::read_to_string(&view).expect("a view");
        assert!(text.contains(&format!("name('{column}')")), "{table} adds `{column}`");
    }
}

#[test]
fn time_zones_are_those_of_the_pinned_tz_database() {
    let folder = tempfile::tempdir().expect("a folder");
    let programs = dbt::programs().expect("dbt's environment");
    let status = std::process::Command::new(programs.join("python"))
        .arg(repository("deploy/dbt/time_zones.py"))
        .arg(folder.path())
        .env("PYTHONTZPATH", "")
        .status();
    assert!(status.expect("python runs").success());
    for name in ["time_zones.csv", "daylight_times.csv"] {
        let made = fs::read_to_string(folder.path().join(name)).expect("made");
        let held = fs::read_to_string(repository("deploy/dbt/seeds").join(name)).expect("held");
        assert!(
            made == held,
            "deploy/dbt/seeds/{name} differs: run deploy/dbt/time_zones.py"
        );
    }
}
