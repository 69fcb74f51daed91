//! The trees of paths that a plan walks a record by, while they grow.

use zenfloe_catalog::{Changed, Collection, Column, CustomBy, Expected, Operation, Path, Rows, Step, Table};

use super::{DraftChanges, DraftColumn, DraftTable};
use crate::Choice;
use crate::cell::At;
use crate::plan::Claim;
use crate::tree::{NodeId, Shape, Tree};

/// The root of every tree.
pub(super) const ROOT: NodeId = 0;

/// A node of the record's tree, or of the tree of elements with that index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Record(NodeId),
    Element(usize, NodeId),
    /// Of the elements around those of the first index.
    Above(usize, usize, NodeId),
}

/// The trees while they grow.
pub(super) struct Trees {
    pub(super) record: Tree,
    /// The trees of the elements of the arrays of rows.
    elements: Vec<Elements>,
    /// Arrays whose elements nobody reads: their tables are excluded.
    pub(super) unread: Vec<Path>,
}

/// The elements of one array.
struct Elements {
    /// The array's path from the record on, without selectors.
    array: Path,
    /// The elements within which the array stands; `None` where it stands in the record.
    above: Option<usize>,
    /// The array's node in the record, where it stands in no other one.
    node: Option<NodeId>,
    tree: Tree,
}

/// Where the rows of a table, or a part of them, come from.
pub(super) enum Source {
    Record,
    With(NodeId),
    Unless(NodeId),
    Without(NodeId),
    Object(NodeId),
    Each {
        /// The array's node in the record; `None` where it stands within other elements.
        array: Option<NodeId>,
        own: Vec<(Place, String)>,
        above: Vec<(Place, String)>,
    },
}

/// The finished trees.
pub(super) struct Grown {
    pub(super) record: (Shape, Vec<Option<u16>>),
    pub(super) elements: Vec<(Shape, Vec<Option<u16>>)>,
}

impl Trees {
    /// The trees that hold the arrays of rows and nothing else yet.
    pub(super) fn new(collection: &Collection, choice: &Choice) -> Self {
        let mut trees = Self {
            record: Tree::new(String::new()),
            elements: Vec::new(),
            unread: Vec::new(),
        };
        trees.record.count_unknown(ROOT);
        trees.arrays(collection, choice);
        trees
    }

    /// Places all columns of a table, once for each place that its rows come from; none when it is excluded.
    pub(super) fn table<'c>(&mut self, table: &'c Table, choice: &Choice) -> Vec<DraftTable<'c>> {
        if choice.excluded.contains(&(table.name.clone(), "*".to_owned())) {
            self.pass_over(table);
            return Vec::new();
        }
        if let Some(custom) = &table.custom {
            let node = self.record.place(ROOT, &custom.at.steps);
            self.record.customs(node, custom.by);
        }
        let sources = self.sources(table);
        let draft = |(rows, root)| DraftTable {
            columns: self.columns(table, &rows, root, choice),
            table,
            root,
            rows,
        };
        sources.into_iter().map(draft).collect()
    }

    /// The fields of an excluded table are known all the same, so that none of them is counted.
    fn pass_over(&mut self, table: &Table) {
        match &table.rows {
            Rows::Record | Rows::RecordWith(_) | Rows::RecordUnless(_) => table.columns.iter().for_each(|column| {
                self.record.place(ROOT, &column.path.steps);
            }),
            Rows::Object(path) => _ = self.record.place(ROOT, &path.steps),
            Rows::Each { arrays, .. } => arrays.iter().for_each(|array| self.known(&array.keys_alone())),
        }
    }

    fn columns<'c>(&mut self, table: &'c Table, rows: &Source, root: Place, choice: &Choice) -> Vec<DraftColumn<'c>> {
        let mut columns = Vec::new();
        for written in &table.columns {
            let at = self.place(root, &written.path);
            if written.op == Some(Operation::Label) {
                self.loosen(at);
            }
            if choice.excluded.contains(&(table.name.clone(), written.name.clone())) {
                continue;
            }
            self.want(at);
            let told = written.class_by.as_ref().map(|by| self.place(root, &by.path));
            told.into_iter().for_each(|told| self.want(told));
            // A record that stands for an event without parts has changed nothing.
            let tells_changes = !written.changes.is_empty() && !matches!(rows, Source::Without(_));
            let action = choice.actions.get(&(table.name.clone(), written.name.clone()));
            columns.push(DraftColumn {
                column: Column {
                    action: action.copied().unwrap_or(written.action),
                    ..written.clone()
                },
                written,
                at,
                told,
                changes: tells_changes.then(|| self.changes(written, root, choice)),
            });
        }
        columns
    }

    fn changes(&mut self, column: &Column, root: Place, choice: &Choice) -> DraftChanges {
        if let Some(path) = &column.custom {
            let place = self.place(root, path);
            self.customs(place);
        }
        let mut wanted = |path: &Path| {
            let place = self.place(root, path);
            self.want(place);
            place
        };
        let kind = wanted(&key_path("event_type"));
        let of = column.of.clone().unwrap_or_default();
        let fields = column.changes.iter().map(|(name, changed)| {
            let chosen = |column: &str| choice.elsewhere.get(&(of.clone(), column.to_owned())).copied();
            let tightened = chosen(name).or_else(|| chosen("*"));
            let changed = Changed {
                action: tightened.unwrap_or(changed.action),
                ..changed.clone()
            };
            let place = wanted(&changed.path);
            (name.clone(), place, changed)
        });
        DraftChanges {
            fields: fields.collect(),
            kind,
        }
    }

    /// Where a table's rows are noted, and where the paths of its columns begin.
    fn sources(&mut self, table: &Table) -> Vec<(Source, Place)> {
        let whole = Place::Record(ROOT);
        match &table.rows {
            Rows::Record => vec![(Source::Record, whole)],
            Rows::RecordWith(path) => vec![(Source::With(self.want_in_record(path)), whole)],
            Rows::RecordUnless(path) => vec![(Source::Unless(self.want_in_record(path)), whole)],
            Rows::Object(path) => {
                let node = self.want_in_record(path);
                self.record.count_unknown(node);
                vec![(Source::Object(node), Place::Record(node))]
            }
            Rows::Each { arrays, or_record } => {
                let mut sources: Vec<_> = arrays.iter().map(|array| self.each(array)).collect();
                if let Some(array) = arrays.first().filter(|_| *or_record) {
                    sources.push((Source::Without(self.want_in_record(&array.keys_alone())), whole));
                }
                sources
            }
        }
    }

    /// The elements of an array. A selector claims something of the elements of the array behind which it stands.
    fn each(&mut self, path: &Path) -> (Source, Place) {
        let whole = path.keys_alone();
        let tree = self.elements.iter().position(|held| held.array == whole);
        let tree = tree.expect("every array of a chosen table has its elements");
        let around = self.elements[tree].above;
        let (mut own, mut above) = (Vec::new(), Vec::new());
        for (length, step) in path.steps.iter().enumerate() {
            let Step::Element { key, value } = step else { continue };
            let selectors = path.steps[..length]
                .iter()
                .filter(|step| matches!(step, Step::Element { .. }));
            let (of, claims) = match around {
                Some(around) if length - selectors.count() < whole.steps.len() => (around, &mut above),
                _ => (tree, &mut own),
            };
            let place = self.place(Place::Element(of, ROOT), &key_path(key));
            self.want(place);
            claims.push((place, value.clone()));
        }
        let array = self.elements[tree].node.filter(|_| around.is_none());
        (Source::Each { array, own, above }, Place::Element(tree, ROOT))
    }

    /// Makes the elements of all arrays whose rows are wanted, and of those around them.
    fn arrays(&mut self, collection: &Collection, choice: &Choice) {
        let mut arrays: Vec<(Path, bool)> = Vec::new();
        for table in &collection.tables {
            let is_chosen = !choice.excluded.contains(&(table.name.clone(), "*".to_owned()));
            if let Rows::Each { arrays: held, .. } = &table.rows {
                arrays.extend(held.iter().map(|array| (array.keys_alone(), is_chosen)));
            }
        }
        arrays.sort_by_key(|(array, _)| array.steps.len());
        let chosen: Vec<Path> = arrays
            .iter()
            .filter(|(_, is_chosen)| *is_chosen)
            .map(|(path, _)| path.clone())
            .collect();
        let is_wanted = |array: &Path| chosen.iter().any(|chosen| chosen.steps.starts_with(&array.steps));
        for (array, _) in arrays.iter().filter(|(array, _)| is_wanted(array)) {
            self.array(array, chosen.contains(array));
        }
        let unread = arrays.iter().filter(|(array, _)| !is_wanted(array));
        self.unread = unread.map(|(array, _)| array.clone()).collect();
    }

    fn array(&mut self, array: &Path, counts_unknown: bool) {
        if self.elements.iter().any(|held| held.array == *array) {
            return;
        }
        let index = self.elements.len();
        let above = self
            .elements
            .iter()
            .rposition(|held| array.steps.starts_with(&held.array.steps));
        // Fewer arrays of rows than a catalog has tables.
        let node = match above {
            Some(above) => {
                let rest = &array.steps[self.elements[above].array.steps.len()..];
                let tree = &mut self.elements[above].tree;
                let node = tree.place(ROOT, rest);
                tree.rows(node, index as u16);
                None
            }
            None => {
                let node = self.record.place(ROOT, &array.steps);
                self.record.rows(node, index as u16);
                Some(node)
            }
        };
        let mut tree = Tree::new(format!("{array}[]"));
        if counts_unknown {
            tree.count_unknown(ROOT);
        }
        self.elements.push(Elements {
            array: array.clone(),
            above,
            node,
            tree,
        });
    }

    fn place(&mut self, root: Place, path: &Path) -> Place {
        let (tree, node) = match root {
            _ if path.from_record => return Place::Record(self.record.place(ROOT, &path.steps)),
            Place::Record(node) => return Place::Record(self.record.place(node, &path.steps)),
            Place::Element(tree, _) if path.from_above => match self.elements[tree].above {
                Some(above) => return Place::Above(tree, above, self.elements[above].tree.place(ROOT, &path.steps)),
                None => return Place::Record(self.record.place(ROOT, &path.steps)),
            },
            Place::Element(tree, node) | Place::Above(_, tree, node) => (tree, node),
        };
        Place::Element(tree, self.elements[tree].tree.place(node, &path.steps))
    }

    fn loosen(&mut self, place: Place) {
        match place {
            Place::Record(node) => self.record.loosen(node),
            Place::Element(tree, node) | Place::Above(_, tree, node) => self.elements[tree].tree.loosen(node),
        }
    }

    /// Marks an object of custom fields.
    fn customs(&mut self, place: Place) {
        match place {
            Place::Record(node) => self.record.customs(node, CustomBy::Key),
            Place::Element(tree, node) | Place::Above(_, tree, node) => {
                self.elements[tree].tree.customs(node, CustomBy::Key)
            }
        }
    }

    fn want(&mut self, place: Place) {
        match place {
            Place::Record(node) => self.record.want(node),
            Place::Element(tree, node) | Place::Above(_, tree, node) => self.elements[tree].tree.want(node),
        }
    }

    pub(super) fn want_in_record(&mut self, path: &Path) -> NodeId {
        let node = self.record.place(ROOT, &path.steps);
        self.record.want(node);
        node
    }

    /// Makes a place that is no column one that is not counted.
    pub(super) fn known(&mut self, path: &Path) {
        // What stands in an array that is not read needs no place of its own.
        let around = self
            .unread
            .iter()
            .find(|array| path.steps.starts_with(&array.steps))
            .cloned();
        let path = around.as_ref().unwrap_or(path);
        let within = |array: &Path| path.steps.len() > array.steps.len() && path.steps.starts_with(&array.steps);
        // The innermost array stands behind those around it.
        match self.elements.iter().rposition(|held| within(&held.array)) {
            Some(tree) => {
                let rest = &path.steps[self.elements[tree].array.steps.len()..];
                self.elements[tree].tree.place(ROOT, rest);
            }
            None => {
                self.record.place(ROOT, &path.steps);
            }
        }
    }

    pub(super) fn finish(self) -> Result<Grown, String> {
        Ok(Grown {
            record: self.record.finish()?,
            elements: self
                .elements
                .into_iter()
                .map(|held| held.tree.finish())
                .collect::<Result<_, _>>()?,
        })
    }
}

impl Grown {
    pub(super) fn record_slot(&self, node: NodeId) -> u16 {
        self.record.1[node].expect("whoever placed it wanted its value")
    }

    pub(super) fn at(&self, place: Place) -> At {
        match place {
            Place::Record(node) => At::Record(self.record_slot(node)),
            Place::Element(tree, node) => {
                At::Element(self.elements[tree].1[node].expect("whoever placed it wanted its value"))
            }
            Place::Above(_, tree, node) => {
                At::Above(self.elements[tree].1[node].expect("whoever placed it wanted its value"))
            }
        }
    }
}

impl Grown {
    /// Claims that texts stand at places of elements.
    pub(super) fn claims(&self, wanted: &[(Place, String)]) -> Vec<Claim> {
        let claim = |(place, text): &(Place, String)| {
            let (Place::Element(tree, node) | Place::Above(_, tree, node)) = *place else {
                unreachable!("selectors stand behind arrays")
            };
            Claim {
                slot: self.elements[tree].1[node].expect("whoever placed it wanted its value"),
                is: Expected::Text(text.clone()),
            }
        };
        wanted.iter().map(claim).collect()
    }
}

/// The path of one key.
fn key_path(key: &str) -> Path {
    Path {
        from_record: false,
        from_above: false,
        steps: vec![Step::Key(key.to_owned())],
    }
}
