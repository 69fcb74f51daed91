//! The catalog against what it promises: columns that users rely on, schemas that are checked in.

use std::collections::BTreeMap;
use std::path::PathBuf;

use zenfloe_catalog::{Catalog, META_FIELDS, avro_schema};

fn root() -> PathBuf {
    PathBuf::from("../..")
}

/// Columns on which reports already rest, by table: Zendesk's own field names.
const RELIED_ON: &str = include_str!("relied_on.json");

#[test]
fn every_column_that_users_rely_on_exists_under_its_name() {
    let relied_on: BTreeMap<String, Vec<String>> = serde_json::from_str(RELIED_ON).expect("JSON");
    let catalog = Catalog::builtin();
    let mut missing = Vec::new();
    for (table, columns) in &relied_on {
        let Some((_, held)) = catalog.table(table) else {
            missing.push(format!("{table}.*"));
            continue;
        };
        for column in columns {
            let meta = META_FIELDS.iter().any(|(name, ..)| name == column);
            if !meta && !held.columns.iter().any(|held| &held.name == column) {
                missing.push(format!("{table}.{column}"));
            }
        }
    }
    assert!(missing.is_empty(), "missing: {missing:?}");
}

/// `ZENFLOE_WRITE=1 cargo test -p zenfloe-catalog` writes them anew.
#[test]
fn the_checked_in_schemas_are_the_catalogs() {
    let folder = root().join("schemas/avro");
    let write = std::env::var_os("ZENFLOE_WRITE").is_some();
    let mut expected = Vec::new();
    for table in Catalog::builtin()
        .collections()
        .iter()
        .flat_map(|collection| &collection.tables)
    {
        let name = format!("{}.avsc", table.name);
        let text = avro_schema(table, &table.columns.iter().collect::<Vec<_>>());
        apache_avro::Schema::parse_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        if write {
            std::fs::write(folder.join(&name), &text).expect("written");
        }
        let held = std::fs::read_to_string(folder.join(&name)).unwrap_or_default();
        assert!(
            held == text,
            "schemas/avro/{name} differs from the catalog: set ZENFLOE_WRITE=1 and test again"
        );
        expected.push(name);
    }
    expected.sort();
    let mut held: Vec<String> = std::fs::read_dir(&folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("ASCII"))
        .collect();
    held.sort();
    assert_eq!(held, expected, "a schema without a table, or a table without a schema");
}

#[test]
fn keys_exist_and_every_collection_reads_its_key() {
    for collection in Catalog::builtin().collections() {
        assert!(!collection.record.key.is_empty(), "{}", collection.name);
        for table in &collection.tables {
            for key in &table.key {
                assert!(
                    table.columns.iter().any(|column| &column.name == key),
                    "{}.{key}",
                    table.name
                );
            }
        }
    }
}
