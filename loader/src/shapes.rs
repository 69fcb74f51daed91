//! The schemas of rows, and the tables that were made for them.

use std::collections::HashMap;
use std::sync::Arc;

use zenfloe_destination::{Destination, LoadError, TableShape, Target};
use zenfloe_log::Reader;
use zenfloe_registry::Registry;

use crate::StageError;
use crate::patience::{Patience, patiently};

/// Schemas by table and id; those that are here have their table.
pub(crate) struct Shapes {
    registry: Arc<dyn Registry>,
    destination: Arc<dyn Destination>,
    destination_name: String,
    ready: HashMap<(Arc<str>, u32), Arc<TableShape>>,
    /// The last one asked for: rows of one schema come in long runs.
    last: Option<(Arc<str>, u32, Arc<TableShape>)>,
}

impl Shapes {
    pub(crate) fn new(
        registry: Arc<dyn Registry>,
        destination: Arc<dyn Destination>,
        destination_name: String,
    ) -> Self {
        Self {
            registry,
            destination,
            destination_name,
            ready: HashMap::new(),
            last: None,
        }
    }

    /// The shape of a schema id, once the table has all its columns; `None` when the stage is to stop before.
    pub(crate) async fn get(
        &mut self,
        table: &str,
        target: &Target,
        id: u32,
        patience: &Patience,
        reader: &mut dyn Reader,
    ) -> Result<Option<Arc<TableShape>>, StageError> {
        if let Some((_, _, shape)) = self
            .last
            .as_ref()
            .filter(|(last, held, _)| *held == id && *last == target.table)
        {
            return Ok(Some(shape.clone()));
        }
        let key = (target.table.clone(), id);
        let shape = match self.ready.get(&key) {
            Some(shape) => shape.clone(),
            None => {
                let Some(shape) = self.prepare(table, target, id, patience, reader).await? else {
                    return Ok(None);
                };
                self.ready.insert(key, shape.clone());
                shape
            }
        };
        self.last = Some((target.table.clone(), id, shape.clone()));
        Ok(Some(shape))
    }

    /// The schema of an id, for rows that have been read; `None` when the stage is to stop before.
    pub(crate) async fn schema(&self, id: u32, patience: &Patience) -> Result<Option<Arc<str>>, StageError> {
        Ok(patiently!(patience, self.registry.schema(id).await)?)
    }

    async fn prepare(
        &self,
        table: &str,
        target: &Target,
        id: u32,
        patience: &Patience,
        reader: &mut dyn Reader,
    ) -> Result<Option<Arc<TableShape>>, StageError> {
        let Some(schema) = patiently!(patience, reader, self.registry.schema(id).await)? else {
            return Ok(None);
        };
        let failed = |error| StageError::Destination {
            name: self.destination_name.clone(),
            error,
        };
        let shape = TableShape::parse(id, &schema).map_err(failed)?;
        if shape.table != table {
            return Err(failed(LoadError::Schema {
                table: table.to_owned(),
                what: format!(
                    "schema {id} is of table `{}`; is this the registry that the rows were written with?",
                    shape.table
                ),
            }));
        }
        let prepared = patiently!(patience, reader, self.destination.prepare(target, &shape).await).map_err(failed)?;
        Ok(prepared.map(|()| Arc::new(shape)))
    }
}
