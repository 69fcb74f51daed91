//! Custom fields: which column of a destination claims to be which field's, and what it must hold.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use zenfloe_catalog::{Action, Changed, Class, Collection, Column, ColumnType, CustomBy, Path, Step};

use crate::compare::Reader;
use crate::oracle::slug;

/// A field that has a column.
#[derive(Debug, Clone)]
struct Held {
    id: i64,
    definition: Value,
    column: String,
}

/// The fields of every table, with the columns that a destination says are theirs.
#[derive(Debug, Clone, Default)]
pub struct Customs(BTreeMap<String, Vec<Held>>);

impl Customs {
    /// Asks a destination for the columns of a collection's fields; `fields` gives the definitions of a collection, each
    /// with whether it has disappeared.
    ///
    /// Errors where a field that is there has no column, or one that is not named as it was ever called.
    pub fn read(
        collections: &[&Collection],
        mut fields: impl FnMut(&str) -> Vec<(Value, bool)>,
        reader: &mut dyn Reader,
    ) -> anyhow::Result<Self> {
        let mut all = BTreeMap::new();
        for table in collections.iter().flat_map(|collection| &collection.tables) {
            let Some(custom) = &table.custom else { continue };
            let comments = reader.comments(&table.name)?;
            let mut held = Vec::new();
            for (definition, is_removed) in fields(&custom.fields) {
                if definition["removable"] == false {
                    continue;
                }
                let id = definition["id"].as_i64().context("a field has an id")?;
                let mark = format!("(custom field {id}, ");
                let claim: Vec<_> = comments.iter().filter(|(_, comment)| comment.contains(&mark)).collect();
                ensure!(
                    claim.len() == 1 || is_removed && claim.is_empty(),
                    "{}: {} columns of field {id}",
                    table.name,
                    claim.len()
                );
                let Some((column, _)) = claim.first() else { continue };
                let first = definition["title"]
                    .as_str()
                    .context("a field has a title")?
                    .replace(" (new)", "");
                ensure!(
                    column.starts_with(&format!("custom_{}", slug(&first))),
                    "{}.{column} is the column of `{first}`",
                    table.name
                );
                held.push(Held {
                    id,
                    column: column.clone(),
                    definition,
                });
            }
            all.insert(table.name.clone(), held);
        }
        Ok(Self(all))
    }

    /// The number of columns.
    pub fn count(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// A collection with the columns of custom fields.
    pub fn with(&self, collection: &Collection) -> Collection {
        let mut whole = collection.clone();
        for table in &mut whole.tables {
            for column in &mut table.columns {
                let (Some(of), Some(at)) = (&column.of, &column.custom) else {
                    continue;
                };
                for held in self.0.get(of).into_iter().flatten() {
                    let (_, class, action) = treated(&held.definition);
                    let path = below(at, [Step::Key(held.id.to_string())]);
                    let changed = Changed { path, class, action };
                    column.changes.insert(held.column.clone(), changed);
                }
            }
            let Some(custom) = &table.custom else { continue };
            let at = &custom.at;
            for held in self.0.get(&table.name).into_iter().flatten() {
                let path = match custom.by {
                    CustomBy::Id => {
                        let (key, value) = ("id".to_owned(), held.id.to_string());
                        below(at, [Step::Element { key, value }, Step::Key("value".to_owned())])
                    }
                    CustomBy::Key => below(
                        at,
                        [Step::Key(held.definition["key"].as_str().unwrap_or_default().into())],
                    ),
                };
                let (r#type, class, action) = treated(&held.definition);
                table.columns.push(Column {
                    name: held.column.clone(),
                    path,
                    r#type,
                    op: None,
                    of: None,
                    changes: BTreeMap::new(),
                    custom: None,
                    class,
                    class_by: None,
                    action,
                    doc: String::new(),
                });
            }
        }
        whole
    }
}

fn below(at: &Path, steps: impl IntoIterator<Item = Step>) -> Path {
    let mut path = at.clone();
    path.steps.extend(steps);
    path
}

/// What a field's values are and what happens to them: what people write is redacted, the rest is clear.
fn treated(definition: &Value) -> (ColumnType, Class, Action) {
    let clear = |kind| (kind, Class::None, Action::Clear);
    match definition["type"].as_str().unwrap_or_default() {
        "checkbox" => clear(ColumnType::Boolean),
        "integer" => clear(ColumnType::Long),
        "decimal" => clear(ColumnType::Double),
        "date" => clear(ColumnType::Date),
        "tagger" | "dropdown" | "lookup" => clear(ColumnType::String),
        "multiselect" => clear(ColumnType::Json),
        _ => (ColumnType::String, Class::Text, Action::Redact),
    }
}
