//! From catalog and choice to a plan.

use sha2::{Digest, Sha256};
use zenfloe_catalog::{Collection, Column, ColumnType, Condition, Path, Rows, Table, TimeUnit, avro_schema};

use crate::cell::{self, At, Cell, Make};
use crate::plan::{Claim, RowsAt, TablePlan, Timed, Versioning};
use crate::tree::{NodeId, Shape, Tree};
use crate::{Choice, Plan, PlanError};

/// Rises whenever the same record, catalog and choice come to give other rows.
const NORMALISER_VERSION: u32 = 1;

/// The root of every tree.
const ROOT: NodeId = 0;

/// A node of the record's tree, or of the tree of elements with that index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Record(NodeId),
    Element(usize, NodeId),
}

/// The trees while they grow.
struct Trees {
    record: Tree,
    /// Paths of the arrays of rows, and the trees of their elements.
    elements: Vec<(Path, Tree)>,
}

/// The finished trees.
struct Grown {
    record: (Shape, Vec<Option<u16>>),
    elements: Vec<(Shape, Vec<Option<u16>>)>,
}

/// A table before its slots are numbered.
struct DraftTable<'c> {
    table: &'c Table,
    /// Where the paths of its columns begin.
    root: Place,
    /// Where its rows are noted.
    rows: NodeId,
    columns: Vec<DraftColumn<'c>>,
}

struct DraftColumn<'c> {
    column: Column,
    written: &'c Column,
    at: Place,
    told: Option<Place>,
}

pub(crate) fn compile(collection: &Collection, choice: &Choice) -> Result<Plan, PlanError> {
    check(collection, choice)?;
    let mut trees = Trees {
        record: Tree::new(String::new()),
        elements: Vec::new(),
    };
    trees.record.count_unknown(ROOT);
    let tables = collection
        .tables
        .iter()
        .filter_map(|table| trees.table(table, choice))
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

impl Trees {
    /// Places all columns of a table; `None` when it is excluded and none is read.
    fn table<'c>(&mut self, table: &'c Table, choice: &Choice) -> Option<DraftTable<'c>> {
        let excluded = |column: &str| choice.excluded.contains(&(table.name.clone(), column.to_owned()));
        if excluded("*") {
            // Its fields are known all the same, so that none of them is counted.
            match &table.rows {
                Rows::Record => table.columns.iter().for_each(|column| {
                    self.record.place(ROOT, &column.path.steps);
                }),
                Rows::Object(path) | Rows::Each(path) => {
                    self.record.place(ROOT, &path.steps);
                }
            }
            return None;
        }
        let (rows, root) = self.rows(table);
        let mut columns = Vec::new();
        for written in &table.columns {
            let at = self.place(root, &written.path);
            if excluded(&written.name) {
                continue;
            }
            self.want(at);
            let told = written.class_by.as_ref().map(|by| self.place(root, &by.path));
            told.into_iter().for_each(|told| self.want(told));
            let action = choice.actions.get(&(table.name.clone(), written.name.clone()));
            let column = Column {
                action: action.copied().unwrap_or(written.action),
                ..written.clone()
            };
            columns.push(DraftColumn {
                column,
                written,
                at,
                told,
            });
        }
        Some(DraftTable {
            table,
            root,
            rows,
            columns,
        })
    }

    /// Where a table's rows are noted, and where the paths of its columns begin.
    fn rows(&mut self, table: &Table) -> (NodeId, Place) {
        match &table.rows {
            Rows::Record => (ROOT, Place::Record(ROOT)),
            Rows::Object(path) => {
                let node = self.record.place(ROOT, &path.steps);
                self.record.want(node);
                self.record.count_unknown(node);
                (node, Place::Record(node))
            }
            Rows::Each(path) => {
                let node = self.record.place(ROOT, &path.steps);
                let tree = self.elements_of(path);
                // Fewer arrays of rows than a catalog has tables.
                self.record.rows(node, tree as u16);
                (node, Place::Element(tree, ROOT))
            }
        }
    }

    fn elements_of(&mut self, path: &Path) -> usize {
        if let Some(held) = self.elements.iter().position(|(held, _)| held == path) {
            return held;
        }
        let mut tree = Tree::new(format!("{path}[]"));
        tree.count_unknown(ROOT);
        self.elements.push((path.clone(), tree));
        self.elements.len() - 1
    }

    fn place(&mut self, root: Place, path: &Path) -> Place {
        match root {
            Place::Element(tree, node) if !path.from_record => {
                Place::Element(tree, self.elements[tree].1.place(node, &path.steps))
            }
            Place::Record(node) if !path.from_record => Place::Record(self.record.place(node, &path.steps)),
            _ => Place::Record(self.record.place(ROOT, &path.steps)),
        }
    }

    fn want(&mut self, place: Place) {
        match place {
            Place::Record(node) => self.record.want(node),
            Place::Element(tree, node) => self.elements[tree].1.want(node),
        }
    }

    fn want_in_record(&mut self, path: &Path) -> NodeId {
        let node = self.record.place(ROOT, &path.steps);
        self.record.want(node);
        node
    }

    /// Makes a place that is no column one that is not counted.
    fn known(&mut self, path: &Path) {
        let within = |array: &Path| path.steps.len() > array.steps.len() && path.steps.starts_with(&array.steps);
        match self.elements.iter().position(|(array, _)| within(array)) {
            Some(tree) => {
                let rest = &path.steps[self.elements[tree].0.steps.len()..];
                self.elements[tree].1.place(ROOT, rest);
            }
            None => {
                self.record.place(ROOT, &path.steps);
            }
        }
    }

    fn finish(self) -> Result<Grown, String> {
        Ok(Grown {
            record: self.record.finish()?,
            elements: self
                .elements
                .into_iter()
                .map(|(_, tree)| tree.finish())
                .collect::<Result<_, _>>()?,
        })
    }
}

impl Grown {
    fn record_slot(&self, node: NodeId) -> u16 {
        self.record.1[node].expect("whoever placed it wanted its value")
    }

    fn at(&self, place: Place) -> At {
        match place {
            Place::Record(node) => At::Record(self.record_slot(node)),
            Place::Element(tree, node) => {
                At::Element(self.elements[tree].1[node].expect("whoever placed it wanted its value"))
            }
        }
    }
}

impl DraftTable<'_> {
    fn finish(self, grown: &Grown) -> Result<TablePlan, PlanError> {
        let name = &self.table.name;
        let mut cells = Vec::new();
        for draft in &self.columns {
            let told = draft.told.map(|told| grown.at(told));
            let make = cell::make(&draft.column, draft.column.action, told);
            cells.push(Cell {
                path: self.path(&draft.written.path).into(),
                at: grown.at(draft.at),
                make: make.map_err(|what| refused(name, &draft.column.name, what))?,
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
            Rows::Record => String::new(),
            Rows::Object(object) => format!("{object}."),
            Rows::Each(array) => format!("{array}[]."),
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
        match (&self.table.rows, self.root) {
            (Rows::Record, _) => RowsAt::Record,
            (_, Place::Element(tree, _)) => RowsAt::Each {
                slot: grown.record_slot(self.rows),
                tree: tree as u16,
            },
            _ => RowsAt::Object {
                slot: grown.record_slot(self.rows),
                is_keyed: key.iter().all(|index| self.columns[*index].written.path.from_record),
            },
        }
    }
}

fn fingerprint(collection: &Collection, choice: &Choice) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(NORMALISER_VERSION.to_be_bytes());
    digest.update(zenfloe_pii::RULES_VERSION.to_be_bytes());
    digest.update(serde_json::to_vec(collection).expect("strings and numbers serialise"));
    for (table, column) in &choice.excluded {
        digest.update(format!("\0-{table}.{column}"));
    }
    for ((table, column), action) in &choice.actions {
        digest.update(format!("\0{table}.{column}={}", action.as_str()));
    }
    digest.finalize().into()
}
