//! A table of one case.

use std::sync::Arc;

use zenfloe_destination::contract::{Line, Sample};
use zenfloe_destination::{Cover, Destination, Faults, Flush, LoadError, Loaded, Mode, Row, Target, TopicRef};
use zenfloe_record::{Fence, Offset, Partition};
use zenfloe_snowflake::Snowflake;

use crate::store::Store;

pub(crate) struct Bench {
    pub(crate) snowflake: Snowflake,
    pub(crate) sample: Sample,
    pub(crate) target: Target,
    pub(crate) topic: TopicRef,
}

impl Bench {
    /// Makes the table and enters these partitions.
    pub(crate) async fn new(store: &Store, table: &str, mode: Mode, partitions: Partition) -> Self {
        let bench = Self::of(store.snowflake(Faults::none()), table, mode);
        bench.prepare().await.expect("the table can be made");
        let partitions: Vec<_> = (0..partitions).collect();
        let entered = bench
            .snowflake
            .positions(&bench.target, &bench.topic, &partitions)
            .await;
        entered.expect("partitions can be entered");
        bench
    }

    pub(crate) fn of(snowflake: Snowflake, table: &str, mode: Mode) -> Self {
        Self {
            snowflake,
            sample: Sample::new(table),
            target: Target {
                table: table.into(),
                mode,
            },
            topic: TopicRef {
                name: format!("acme.clean.{table}").into(),
                id: "first".into(),
            },
        }
    }

    pub(crate) async fn prepare(&self) -> Result<(), LoadError> {
        self.snowflake.prepare(&self.target, &self.sample.shape()).await
    }

    pub(crate) fn rows(&self, from: Offset, lines: Vec<Line>) -> Vec<Row> {
        let row = |(step, line): (usize, Line)| self.sample.row_at(0, from + step as Offset, &line);
        lines.into_iter().enumerate().map(row).collect()
    }

    /// A flush of partition 0.
    pub(crate) fn flush_of(&self, from: Offset, lines: Vec<Line>, fences: Vec<Fence>) -> Flush {
        let to = from + (lines.len() + fences.len()) as Offset;
        let covers = vec![Cover { partition: 0, from, to }];
        Flush::new(
            self.target.clone(),
            self.topic.clone(),
            covers,
            self.rows(from, lines),
            fences,
        )
    }

    pub(crate) async fn load(&self, from: Offset, lines: Vec<Line>) -> Result<Loaded, LoadError> {
        self.snowflake
            .flush(Arc::new(self.flush_of(from, lines, Vec::new())))
            .await
    }
}
