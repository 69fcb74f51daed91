//! Rows that wait for their flush on disk.

use std::sync::Arc;

use async_trait::async_trait;
use zenfloe_destination::{Flush, LoadError, Loaded, RefusedRow, Row, Spool, TableShape};
use zenfloe_record::Partition;

use crate::spool::{Batch, Encoder};
use crate::{Snowflake, blocking};

/// A batch on its way to the account.
pub(crate) struct Pending {
    snowflake: Snowflake,
    state: State,
}

enum State {
    /// Rows arrive.
    Filling(Box<Encoder>),
    /// It is offered.
    Complete(Batch),
    /// Its file could not be ended.
    Broken,
}

impl Pending {
    pub(crate) fn new(snowflake: Snowflake, encoder: Encoder) -> Self {
        Self {
            snowflake,
            state: State::Filling(Box::new(encoder)),
        }
    }

    fn encoder(&self) -> Option<&Encoder> {
        match &self.state {
            State::Filling(encoder) => Some(encoder),
            State::Complete(_) | State::Broken => None,
        }
    }

    fn filling(&mut self) -> Result<&mut Encoder, LoadError> {
        match &mut self.state {
            State::Filling(encoder) => Ok(encoder),
            State::Complete(_) | State::Broken => Err(LoadError::Broken {
                what: "rows came to a batch that was offered".into(),
            }),
        }
    }

    async fn complete(&mut self) -> Result<(), LoadError> {
        if let State::Filling(encoder) = std::mem::replace(&mut self.state, State::Broken) {
            self.state = State::Complete(blocking(move || encoder.finish()).await?);
        }
        Ok(())
    }
}

#[async_trait]
impl Spool for Pending {
    fn takes(&self, shape: &Arc<TableShape>) -> bool {
        self.encoder().is_some_and(|encoder| encoder.takes(shape))
    }

    fn push(&mut self, row: &Row) -> Result<Option<RefusedRow>, LoadError> {
        self.filling()?.push(row)
    }

    fn settle(&mut self) -> Result<(), LoadError> {
        self.filling()?.settle()
    }

    fn is_lost(&self) -> bool {
        matches!(self.state, State::Broken)
    }

    fn drop_partition(&mut self, partition: Partition) -> usize {
        match &mut self.state {
            State::Filling(encoder) => encoder.drop_partition(partition),
            State::Complete(_) | State::Broken => 0,
        }
    }

    fn rows(&self) -> usize {
        match &self.state {
            State::Filling(encoder) => encoder.rows(),
            State::Complete(batch) => batch.places.len(),
            State::Broken => 0,
        }
    }

    fn in_memory(&self) -> usize {
        self.encoder().map_or(0, Encoder::in_memory)
    }

    fn on_disk(&self) -> usize {
        self.encoder().map_or(0, Encoder::on_disk)
    }

    async fn flush(&mut self, head: &Flush) -> Result<Loaded, LoadError> {
        if matches!(self.state, State::Filling(_)) {
            self.complete().await?;
        }
        match &self.state {
            State::Complete(batch) => {
                self.snowflake
                    .load(head, (!batch.places.is_empty()).then_some(batch))
                    .await
            }
            State::Filling(_) | State::Broken => Err(LoadError::Broken {
                what: "a batch whose file could not be ended was offered".into(),
            }),
        }
    }
}
