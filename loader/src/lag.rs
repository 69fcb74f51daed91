//! How far the destination is behind, told while the stage itself may be waiting.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metrics::gauge;
use tokio::task::AbortHandle;
use zenfloe_log::Log;
use zenfloe_record::{Offset, SourceName, Topic, TopicPartition};

use crate::Progress;

/// How often it is told.
const EVERY: Duration = Duration::from_secs(5);

/// Where a partition of ours stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// The next offset to load.
    next: Offset,
    /// When the newest loaded record was appended, milliseconds since 1970; 0 when unknown.
    timestamp: i64,
}

type Places = Arc<Mutex<BTreeMap<TopicPartition, Place>>>;

/// The lag of one stage; its task ends with it.
pub(crate) struct Lag {
    places: Places,
    task: AbortHandle,
}

impl Drop for Lag {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Lag {
    pub(crate) fn new(log: Arc<dyn Log>, source: SourceName, destination: String, progress: Progress) -> Self {
        let places = Places::default();
        let teller = Teller {
            places: places.clone(),
            log,
            source,
            destination,
            progress,
        };
        let task = tokio::spawn(teller.tell()).abort_handle();
        Self { places, task }
    }

    /// A partition is loaded up to here.
    pub(crate) fn loaded(&self, at: TopicPartition, next: Offset, timestamp: i64) {
        lock(&self.places).insert(at, Place { next, timestamp });
    }

    /// No partition is ours.
    pub(crate) fn clear(&self) {
        lock(&self.places).clear();
    }

    /// A partition is another loader's.
    pub(crate) fn forget(&self, at: &TopicPartition) {
        lock(&self.places).remove(at);
    }
}

fn lock(places: &Places) -> MutexGuard<'_, BTreeMap<TopicPartition, Place>> {
    places.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Teller {
    places: Places,
    log: Arc<dyn Log>,
    source: SourceName,
    destination: String,
    progress: Progress,
}

/// The lag of a table.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Behind {
    records: u64,
    seconds: f64,
}

impl Teller {
    async fn tell(self) {
        loop {
            tokio::time::sleep(EVERY).await;
            for (table, behind) in self.behind().await {
                self.show(&table, behind);
            }
        }
    }

    async fn behind(&self) -> BTreeMap<String, Behind> {
        let places = lock(&self.places).clone();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut tables: BTreeMap<String, Behind> = BTreeMap::new();
        for (at, place) in places {
            let Some(table) = Topic::table_of(&self.source, &at.topic) else {
                continue;
            };
            // A log that is away is reported by whoever waits for it.
            let Ok(bounds) = self.log.bounds(&at).await else {
                continue;
            };
            let behind = behind(place, bounds.end, now);
            let held = tables.entry(table.to_owned()).or_default();
            held.records += behind.records;
            held.seconds = held.seconds.max(behind.seconds);
        }
        tables
    }

    fn show(&self, table: &str, behind: Behind) {
        let labels = [
            ("destination", self.destination.clone()),
            ("source", self.source.to_string()),
            ("table", table.to_owned()),
        ];
        gauge!("zenfloe_load_lag_records", &labels).set(behind.records as f64);
        gauge!("zenfloe_load_lag_seconds", &labels).set(behind.seconds);
        self.progress.of(table, |shown| {
            shown.lag_records = Some(behind.records);
            shown.lag_seconds = Some(behind.seconds);
        });
    }
}

fn behind(place: Place, end: Offset, now: Duration) -> Behind {
    let records = u64::try_from(end - place.next).unwrap_or(0);
    let age = now.as_secs_f64() - place.timestamp as f64 / 1_000.0;
    Behind {
        records,
        seconds: if records > 0 && place.timestamp > 0 {
            age.max(0.0)
        } else {
            0.0
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_zero_at_the_end_and_the_age_of_what_is_loaded_before() {
        let now = Duration::from_secs(100);
        let at = |next, timestamp| behind(Place { next, timestamp }, 10, now);
        assert_eq!(at(10, 50_000), Behind::default());
        assert_eq!(at(12, 50_000), Behind::default());
        assert_eq!(
            at(7, 50_000),
            Behind {
                records: 3,
                seconds: 50.0
            }
        );
        assert_eq!(
            at(0, 0),
            Behind {
                records: 10,
                seconds: 0.0
            }
        );
    }
}
