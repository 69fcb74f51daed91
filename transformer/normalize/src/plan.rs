use zenfloe_catalog::Collection;
use zenfloe_record::Reason;

use crate::{Choice, Given, Guard, Output, PlanError, Rejected};

/// The rows of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TablePlan {
    /// The table's name.
    pub name: String,
    /// Its Avro schema over the chosen columns: [`zenfloe_catalog::avro_schema`].
    pub schema: String,
}

/// How the records of one collection become rows.
#[derive(Debug)]
pub struct Plan {
    tables: Vec<TablePlan>,
    fingerprint: [u8; 32],
}

impl Plan {
    /// Compiles what the catalog and the user say. An excluded table is not among [`Plan::tables`].
    pub fn compile(collection: &Collection, choice: &Choice) -> Result<Self, PlanError> {
        let _ = (collection, choice);
        Ok(Self {
            tables: Vec::new(),
            fingerprint: [0; 32],
        })
    }

    /// The tables, in the catalog's order.
    pub fn tables(&self) -> &[TablePlan] {
        &self.tables
    }

    /// Differs where the rows of one record could differ: catalog, choice, normaliser and redaction rules.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// Appends the rows and fences of one record to `out`.
    ///
    /// After an error `out` holds what it held before, but for its counts.
    pub fn run<G: Guard>(&self, json: &[u8], given: &Given, guard: &mut G, out: &mut Output) -> Result<(), Rejected> {
        let _ = (json, given, guard, out);
        Err(Rejected {
            reason: Reason::NotJson,
            detail: String::new(),
        })
    }
}
