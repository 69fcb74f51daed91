//! From catalog and choice to a plan.

mod trees;

use sha2::{Digest, Sha256};
use zenfloe_catalog::{
    Action, Changed, Collection, Column, ColumnType, Condition, Operation, Path, Rows, Table, TimeUnit, avro_schema,
};

use crate::cell::{self, Cell, Changes, Field, Make};
use crate::plan::{Claim, RowsAt, TablePlan, Timed, Versioning};
use crate::tree::NodeId;
use crate::{Choice, Plan, PlanError};
use trees::{Grown, Place, Source, Trees};

/// Rises whenever the same record, catalog and choice come to give other rows.
const NORMALISER_VERSION: u32 = 3;

/// A table before its slots are numbered.
struct DraftTable<'c> {
    table: &'c Table,
    /// Where the paths of its columns begin.
    root: Place,
    rows: Source,
    columns: Vec<DraftColumn<'c>>,
}

struct DraftColumn<'c> {
    column: Column,
    written: &'c Column,
    at: Place,
    told: Option<Place>,
    /// Where the kind of event stands, and the fields that it may have changed.
    changes: Option<DraftChanges>,
}

struct DraftChanges {
    kind: Place,
    fields: Vec<(String, Place, Changed)>,
}

pub(crate) fn compile(collection: &Collection, choice: &Choice) -> Result<Plan, PlanError> {
    check(collection, choice)?;
    let mut trees = Trees::new(collection, choice);
    let tables = collection
        .tables
        .iter()
        .flat_map(|table| trees.table(table, choice))
        .collect::<Vec<_>>();
    for known in &collection.record.known {
        trees.known(known);
    }
    let mut wanted = |path: &Path| trees.want_in_record(path);
    let shape = &collection.record;
    let version = shape
        .version
        .path
        .as_ref()
        .map(|path| (path, wanted(path), shape.version.unit));
    let fallback = shape
        .version
        .fallback
        .as_ref()
        .map(|path| (path, wanted(path), TimeUnit::Iso8601));
    let deleted: Vec<_> = shape.deleted.iter().map(|held| (held, wanted(&held.path))).collect();
    let erased: Vec<_> = shape.erased.iter().map(|held| (held, wanted(&held.path))).collect();
    let parent = shape.key.first().map(|path| (path, wanted(path)));
    let faulty = |what: String| PlanError::Catalog {
        collection: collection.name.clone(),
        what,
    };
    let (parent_path, parent) = parent.ok_or_else(|| faulty("has no key".to_owned()))?;
    let grown = trees.finish().map_err(faulty)?;
    let timed = |(path, node, unit): (&Path, NodeId, TimeUnit)| Timed {
        path: path.to_string().into(),
        slot: grown.record_slot(node),
        unit,
    };
    let claims = |held: Vec<(&Condition, NodeId)>| -> Vec<Claim> {
        let claim = |(condition, node): (&Condition, NodeId)| Claim {
            slot: grown.record_slot(node),
            is: condition.is.clone(),
        };
        held.into_iter().map(claim).collect()
    };
    Ok(Plan {
        tables: tables
            .into_iter()
            .map(|table| table.finish(&grown))
            .collect::<Result<_, _>>()?,
        version: Versioning {
            path: version.map(timed),
            fallback: fallback.map(timed),
        },
        deleted: claims(deleted),
        erased: claims(erased),
        parent: (parent_path.to_string().into(), grown.record_slot(parent)),
        erases: collection.erases.clone(),
        fingerprint: fingerprint(collection, choice),
        record: grown.record.0,
        trees: grown.elements.into_iter().map(|(shape, _)| shape).collect(),
    })
}

/// Every rule names a column that exists and that can be treated so.
fn check(collection: &Collection, choice: &Choice) -> Result<(), PlanError> {
    for (table, column) in choice.excluded.iter().chain(choice.actions.keys()) {
        let held = collection.tables.iter().find(|held| &held.name == table);
        let exists = |held: &Table| column == "*" || held.columns.iter().any(|held| &held.name == column);
        if !held.is_some_and(exists) {
            return Err(PlanError::Unknown {
                table: table.clone(),
                column: column.clone(),
            });
        }
        let is_needed = held.is_some_and(|held| held.key.contains(column) || held.set_of.as_ref() == Some(column));
        if is_needed {
            return Err(refused(
                table,
                column,
                "belongs to the key of its table and stays as it is",
            ));
        }
    }
    match choice.actions.keys().find(|(_, column)| column == "*") {
        Some((table, column)) => Err(refused(
            table,
            column,
            "names no column: an action is given column by column",
        )),
        None => Ok(()),
    }
}

fn refused(table: &str, column: &str, what: &'static str) -> PlanError {
    PlanError::Refused {
        table: table.to_owned(),
        column: column.to_owned(),
        what,
    }
}

impl DraftTable<'_> {
    fn finish(self, grown: &Grown) -> Result<TablePlan, PlanError> {
        let name = &self.table.name;
        let mut cells = Vec::new();
        for draft in &self.columns {
            let told = draft.told.map(|told| grown.at(told));
            let make = cell::make(&draft.column, draft.column.action, told);
            let make = make.map_err(|what| refused(name, &draft.column.name, what))?;
            cells.push(Cell {
                path: self.path(&draft.written.path).into(),
                at: grown.at(draft.at),
                make: changing(draft, grown).unwrap_or(make),
                is_key: self.table.key.contains(&draft.column.name),
            });
        }
        let key = self.key(&cells)?;
        let chosen: Vec<&Column> = self.columns.iter().map(|draft| &draft.column).collect();
        Ok(TablePlan {
            name: name.clone(),
            schema: avro_schema(self.table, &chosen),
            rows: self.rows_at(grown, &key),
            cells,
            key,
            set_of: self.table.set_of.clone(),
        })
    }

    /// A column's path from the record on, for people.
    fn path(&self, path: &Path) -> String {
        let below = match &self.table.rows {
            _ if path.from_record => String::new(),
            Rows::Record | Rows::RecordWith(_) | Rows::RecordUnless(_) => String::new(),
            Rows::Object(object) => format!("{object}."),
            Rows::Each { arrays, .. } => arrays.first().map(|array| format!("{array}[].")).unwrap_or_default(),
        };
        let written = path.to_string();
        let text = format!("{below}{}", written.trim_start_matches("$."));
        text.trim_end_matches('.').to_owned()
    }

    fn key(&self, cells: &[Cell]) -> Result<Vec<usize>, PlanError> {
        let part = |name: &String| {
            let found = self.columns.iter().position(|draft| &draft.column.name == name);
            let kind = found.map(|index| (self.columns[index].column.r#type, &cells[index].make));
            match (found, kind) {
                (Some(index), Some((ColumnType::Long, Make::Long) | (ColumnType::String, Make::Text))) => Ok(index),
                _ => Err(refused(
                    &self.table.name,
                    name,
                    "is a key and neither a whole number nor a clear text",
                )),
            }
        };
        self.table.key.iter().map(part).collect()
    }

    fn rows_at(&self, grown: &Grown, key: &[usize]) -> RowsAt {
        let slot = |node: NodeId| grown.record_slot(node);
        match (&self.rows, self.root) {
            (Source::With(node), _) => RowsAt::RecordWith { slot: slot(*node) },
            (Source::Unless(node), _) => RowsAt::RecordUnless { slot: slot(*node) },
            (Source::Without(node), _) => RowsAt::RecordWithout { slot: slot(*node) },
            (Source::Object(node), _) => RowsAt::Object {
                slot: slot(*node),
                is_keyed: key.iter().all(|index| self.columns[*index].written.path.from_record),
            },
            (Source::Each { array, own, above }, Place::Element(tree, _)) => RowsAt::Each {
                slot: array.map(slot),
                tree: tree as u16,
                own: grown.claims(own),
                above: grown.claims(above),
            },
            _ => RowsAt::Record,
        }
    }
}

/// How a column is made that tells a change; `None` for all others, and where it is dropped.
fn changing(draft: &DraftColumn<'_>, grown: &Grown) -> Option<Make> {
    let is_of_a_change = matches!(draft.column.op, Some(Operation::ChangedField | Operation::Changed));
    let Some(held) = draft.changes.as_ref().filter(|_| draft.column.action != Action::Drop) else {
        // Whatever stands at its path is no value of a field: it never leaves.
        return is_of_a_change.then_some(Make::Nothing);
    };
    let field = |(name, place, changed): &(String, Place, Changed)| Field {
        name: name.as_str().into(),
        at: grown.at(*place),
        make: cell::make_changed(changed.class, changed.action),
    };
    let changes = Changes {
        kind: grown.at(held.kind),
        fields: held.fields.iter().map(field).collect(),
    };
    Some(match draft.column.op {
        Some(Operation::ChangedField) => Make::ChangedField(changes),
        _ => Make::Changed(changes),
    })
}

fn fingerprint(collection: &Collection, choice: &Choice) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(NORMALISER_VERSION.to_be_bytes());
    digest.update(zenfloe_pii::RULES_VERSION.to_be_bytes());
    digest.update(serde_json::to_vec(collection).expect("strings and numbers serialise"));
    for (table, column) in &choice.excluded {
        digest.update(format!("\0-{table}.{column}"));
    }
    for ((table, column), action) in choice.actions.iter().chain(&choice.elsewhere) {
        digest.update(format!("\0{table}.{column}={}", action.as_str()));
    }
    digest.finalize().into()
}
