use std::sync::Arc;

use async_trait::async_trait;
use tokio::task::spawn_blocking;
use zenfloe_log::{Bounds, Log, LogError, Reader, ReaderSpec, Record, TopicInfo, TopicSpec, Writer};
use zenfloe_record::{Offset, Positions, TopicPartition};

use crate::clean::{self, Cleaned};
use crate::fault::broken;
use crate::reader::FileReader;
use crate::records::{self, Room};
use crate::store::Store;
use crate::writer::FileWriter;
use crate::{Config, group, keeper, lanes};

/// A log in a SQLite file; see the crate's documentation. Clones share their connections.
#[derive(Clone)]
pub struct FileLog(Arc<Store>);

impl FileLog {
    /// Opens the log; file and folder are made where they are missing.
    ///
    /// Errors: [`LogError::Broken`] for a file that is damaged, another program's or another release's,
    /// [`LogError::Forbidden`] for one that may not be opened or made.
    pub async fn open(config: Config) -> Result<Self, LogError> {
        let opened = spawn_blocking(move || Store::open(config)).await;
        let store = Arc::new(opened.unwrap_or_else(|_| Err(broken("opening the file panicked")))?);
        keeper::start(&store)?;
        Ok(Self(store))
    }

    /// Does a round of retention and compaction now; it is done in the background anyway.
    pub async fn clean(&self) -> Result<Cleaned, LogError> {
        let store = self.0.clone();
        let done = spawn_blocking(move || clean::round(&store)).await;
        done.unwrap_or_else(|_| Err(broken("cleaning panicked")))
    }

    /// Lets the records of a partition that stand before an offset expire, whatever their age.
    pub async fn expire(&self, at: &TopicPartition, before: Offset) -> Result<(), LogError> {
        let (store, at) = (self.0.clone(), at.clone());
        let done = spawn_blocking(move || clean::expire(&store, &at, before)).await;
        done.unwrap_or_else(|_| Err(broken("expiring panicked")))
    }
}

#[async_trait]
impl Log for FileLog {
    async fn ensure(&self, topics: &[TopicSpec]) -> Result<(), LogError> {
        let specs = topics.to_vec();
        let is_all_made = self.0.read(move |session| {
            let mut is_all_made = true;
            for spec in &specs {
                is_all_made &= lanes::is_made(session, spec)?;
            }
            Ok(is_all_made)
        });
        if is_all_made.await? {
            return Ok(());
        }
        let specs = topics.to_vec();
        let make = self.0.write(move |transaction| {
            for spec in &specs {
                if !lanes::is_made(transaction, spec)? {
                    lanes::make(transaction, spec)?;
                }
            }
            Ok(())
        });
        make.await
    }

    async fn topic(&self, name: &str) -> Result<Option<TopicInfo>, LogError> {
        let (store, name) = (self.0.clone(), name.to_owned());
        let found = self.0.read(move |session| store.find(session, &name)).await?;
        Ok(found.map(|topic| topic.info()))
    }

    async fn topics(&self, prefix: &str) -> Result<Vec<String>, LogError> {
        let prefix = prefix.to_owned();
        self.0.read(move |session| lanes::names(session, &prefix)).await
    }

    async fn bounds(&self, at: &TopicPartition) -> Result<Bounds, LogError> {
        let (store, at) = (self.0.clone(), at.clone());
        self.0
            .read(move |session| lanes::bounds(session, store.lane(session, &at)?))
            .await
    }

    async fn offset_at(&self, at: &TopicPartition, timestamp: i64) -> Result<Offset, LogError> {
        let (store, at) = (self.0.clone(), at.clone());
        self.0
            .read(move |session| records::offset_at(session, store.lane(session, &at)?, timestamp))
            .await
    }

    async fn scan(&self, at: &TopicPartition, from: Offset) -> Result<(Vec<Record>, Offset), LogError> {
        let (store, at) = (self.0.clone(), at.clone());
        let scan = self.0.read(move |session| {
            let lane = store.lane(session, &at)?;
            let bounds = lanes::bounds(session, lane)?;
            lanes::check(bounds, &at, from)?;
            let mut all = Room {
                records: usize::MAX,
                bytes: usize::MAX,
            };
            let mut found = Vec::new();
            let next = records::read(session, (&at, lane), (from, bounds.end), &mut all, &mut found)?;
            Ok((found, next))
        });
        scan.await
    }

    async fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Positions, LogError> {
        let (store, group, partitions) = (self.0.clone(), group.to_owned(), partitions.to_vec());
        let find = self.0.read(move |session| {
            let mut positions = Positions::new();
            for at in partitions {
                if let Some(next) = group::committed(session, &group, store.lane(session, &at)?)? {
                    positions.set(at, next);
                }
            }
            Ok(positions)
        });
        find.await
    }

    async fn writer(&self, id: &str) -> Result<Box<dyn Writer>, LogError> {
        Ok(Box::new(FileWriter::open(self.0.clone(), id).await?))
    }

    async fn reader(&self, spec: ReaderSpec) -> Result<Box<dyn Reader>, LogError> {
        Ok(Box::new(FileReader::open(self.0.clone(), spec).await?))
    }
}
