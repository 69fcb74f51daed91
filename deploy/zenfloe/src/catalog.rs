//! `zenfloe catalog`.

use serde_json::json;
use zenfloe_catalog::{Catalog, Collection, Rows, Table};
use zenfloe_process::{ExitCode, Failure};

use crate::args;

/// Runs the command.
pub(crate) fn catalog(command: &args::Catalog) -> Result<(), Failure> {
    let catalog = Catalog::builtin();
    let tables: Vec<(&Collection, &Table)> = catalog
        .collections()
        .iter()
        .flat_map(|collection| collection.tables.iter().map(move |table| (collection, table)))
        .filter(|(_, table)| command.table.as_ref().is_none_or(|wanted| &table.name == wanted))
        .collect();
    if tables.is_empty() {
        let what = format!(
            "the catalog has no table `{}`",
            command.table.as_deref().unwrap_or_default()
        );
        return Err(Failure::new(ExitCode::Usage, what).remedy("`zenfloe catalog` lists all tables"));
    }
    if command.json {
        print_json(&tables);
    } else {
        tables
            .iter()
            .for_each(|(collection, table)| print_table(collection, table));
    }
    Ok(())
}

fn print_json(tables: &[(&Collection, &Table)]) {
    let shown: Vec<_> = tables
        .iter()
        .map(|(collection, table)| {
            let columns: Vec<_> = table
                .columns
                .iter()
                .map(|column| {
                    json!({
                        "name": column.name, "path": column.path.to_string(), "type": column.r#type,
                        "class": column.class_label(), "action": column.action, "doc": column.doc,
                    })
                })
                .collect();
            json!({
                "table": table.name, "collection": collection.name, "doc": table.doc, "key": table.key, "columns": columns,
            })
        })
        .collect();
    println!("{}", serde_json::to_string_pretty(&shown).expect("strings serialise"));
}

fn print_table(collection: &Collection, table: &Table) {
    let from = match &table.rows {
        Rows::Record => String::new(),
        Rows::Object(path) | Rows::RecordWith(path) => format!(", from `{path}`"),
        Rows::RecordUnless(path) => format!(", unless `{path}`"),
        Rows::Each { arrays, .. } => {
            let arrays: Vec<_> = arrays.iter().map(|array| format!("`{array}`")).collect();
            format!(", from {}", arrays.join(" and "))
        }
    };
    println!("{} ({}{from}): {}", table.name, collection.endpoint.path, table.doc);
    for column in &table.columns {
        println!(
            "  {:<44} {:<10} {:<12} {:<7} {}",
            column.name,
            format!("{:?}", column.r#type).to_lowercase(),
            column.class_label(),
            column.action.as_str(),
            column.doc
        );
    }
    println!();
}
