use zenfloe_catalog::{Collection, Erased, Expected, TimeUnit};

use crate::cell::Cell;
use crate::tree::Shape;
use crate::{Choice, Given, Guard, Output, PlanError, Rejected, compile, run};

/// The rows of one table.
#[derive(Debug)]
pub struct TablePlan {
    /// The table's name.
    pub name: String,
    /// Its Avro schema over the chosen columns: [`zenfloe_catalog::avro_schema`].
    pub schema: String,
    pub(crate) rows: RowsAt,
    pub(crate) cells: Vec<Cell>,
    /// Indexes of the key's parts in `cells`.
    pub(crate) key: Vec<usize>,
    /// The parent column whose newest set replaces the older.
    pub(crate) set_of: Option<String>,
}

/// Where the rows of a table come from.
#[derive(Debug)]
pub(crate) enum RowsAt {
    /// The record.
    Record,
    /// The record where something stands in this slot.
    RecordWith { slot: u16 },
    /// The record where nothing stands in this slot.
    RecordUnless { slot: u16 },
    /// The record where the array in this slot is there and empty.
    RecordWithout { slot: u16 },
    /// The object in this slot; `is_keyed`: the key stands in the record, outside the object.
    Object { slot: u16, is_keyed: bool },
    /// The elements of arrays, read by this tree, of which those claims hold: about the element that is the row, and
    /// about the one around it. `slot`: of an array that is not within another one.
    Each {
        slot: Option<u16>,
        tree: u16,
        own: Vec<Claim>,
        above: Vec<Claim>,
    },
}

/// A claim about the value in a slot.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) slot: u16,
    pub(crate) is: Expected,
}

/// Where a record's version stands.
#[derive(Debug)]
pub(crate) struct Versioning {
    pub(crate) path: Option<Timed>,
    pub(crate) fallback: Option<Timed>,
}

/// A time in a slot.
#[derive(Debug)]
pub(crate) struct Timed {
    pub(crate) path: Box<str>,
    pub(crate) slot: u16,
    pub(crate) unit: TimeUnit,
}

/// How the records of one collection become rows.
#[derive(Debug)]
pub struct Plan {
    pub(crate) tables: Vec<TablePlan>,
    pub(crate) record: Shape,
    /// The trees of the elements that are rows.
    pub(crate) trees: Vec<Shape>,
    pub(crate) version: Versioning,
    pub(crate) deleted: Vec<Claim>,
    pub(crate) erased: Vec<Claim>,
    /// Path and slot of the first part of the record's key: the parent of the sets that it carries.
    pub(crate) parent: (Box<str>, u16),
    /// Other tables' columns by which a record that is erased takes rows with it.
    pub(crate) erases: Vec<Erased>,
    pub(crate) fingerprint: [u8; 32],
}

impl Plan {
    /// Compiles what the catalog and the user say. An excluded table is not among [`Plan::tables`].
    pub fn compile(collection: &Collection, choice: &Choice) -> Result<Self, PlanError> {
        compile::compile(collection, choice)
    }

    /// The tables, in the catalog's order; one whose rows come from several places stands once for each.
    pub fn tables(&self) -> &[TablePlan] {
        &self.tables
    }

    /// Tables of other collections for which fences may come out; [`OutFence::table`](crate::OutFence::table) counts
    /// them behind those of [`Plan::tables`].
    pub fn erased_tables(&self) -> impl Iterator<Item = &str> {
        self.erases.iter().map(|erased| erased.table.as_str())
    }

    /// Differs where the rows of one record could differ: catalog, choice, normaliser and redaction rules.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// Appends the rows and fences of one record to `out`.
    ///
    /// After an error `out` holds what it held before, but for its counts.
    pub fn run<G: Guard>(&self, json: &[u8], given: &Given, guard: &mut G, out: &mut Output) -> Result<(), Rejected> {
        let (rows, fences, bytes) = (out.rows.len(), out.fences.len(), out.bytes.len());
        run::run(self, json, given, guard, out).inspect_err(|_| {
            out.rows.truncate(rows);
            out.fences.truncate(fences);
            out.bytes.truncate(bytes);
        })
    }
}
