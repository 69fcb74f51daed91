//! What follows from catalog and configuration: topics, order, buckets.

use std::sync::Arc;

use zenfloe_catalog::{Bucket, Catalog, Collection};
use zenfloe_log::{Cleanup, TopicSpec};
use zenfloe_pacing::{ACCOUNT, Plan};
use zenfloe_record::{Partition, SourceName, Topic};

use crate::work::Track;
use crate::{Config, StageError};

/// The collections that a source reads, in the catalog's order.
pub fn selected<'c>(catalog: &'c Catalog, config: &Config) -> Result<Vec<&'c Collection>, StageError> {
    let choice = &config.collections;
    let named = choice
        .only
        .iter()
        .chain(&choice.on)
        .chain(&choice.off)
        .chain(config.intervals.keys());
    for name in named.chain(config.since.keys()).chain(&config.accept_shrunk) {
        if catalog.collection(name).is_none() {
            return Err(StageError::NoSuchCollection { name: name.clone() });
        }
    }
    let is_chosen = |collection: &&Collection| {
        let name = &collection.name;
        let base = if choice.only.is_empty() {
            collection.tier == 1
        } else {
            choice.only.contains(name)
        };
        (base || choice.on.contains(name)) && !choice.off.contains(name)
    };
    Ok(catalog.collections().iter().filter(is_chosen).collect())
}

/// The topics that the extractor of a source needs: raw ones, the state topic, and the one of people, which is there
/// before any record is.
pub fn topics(source: &SourceName, collections: &[&Collection], config: &Config) -> Vec<TopicSpec> {
    let spec = |name: Arc<str>, partitions, cleanup| TopicSpec {
        name,
        partitions,
        cleanup,
        max_message_bytes: usize::try_from(config.max_message.as_u64()).unwrap_or(usize::MAX),
    };
    let kept = Cleanup::Delete(config.raw_retention);
    let mut topics: Vec<_> = collections
        .iter()
        .map(|collection| {
            spec(
                Topic::raw(source, &collection.name),
                partitions(collection, config),
                kept,
            )
        })
        .collect();
    topics.push(spec(Topic::state(source), 1, Cleanup::Compact));
    topics.insert(0, spec(Topic::people(source), 1, Cleanup::Compact));
    topics
}

/// Lists that are ordered by their own key are small and have one partition.
fn partitions(collection: &Collection, config: &Config) -> Partition {
    let is_small = collection.endpoint.paging.is_complete()
        && collection.record.key == std::slice::from_ref(&collection.record.partition_key);
    if is_small { 1 } else { config.partitions }
}

/// The budget's buckets that a request of this collection counts against; the names end Zendesk's own headers.
pub(crate) fn buckets(collection: &Collection) -> &'static [&'static str] {
    of_bucket(collection.endpoint.bucket)
}

fn of_bucket(bucket: Bucket) -> &'static [&'static str] {
    match bucket {
        Bucket::Account => &[ACCOUNT],
        Bucket::IncrementalExports => &["incremental-exports", ACCOUNT],
        Bucket::IncrementalExportsCursor => &["incremental-exports-cursor", ACCOUNT],
        Bucket::SideConversationEvents => &["side-conversation-events", ACCOUNT],
        Bucket::DeletedTickets => &["deleted-tickets", ACCOUNT],
        // Products with counters of their own.
        Bucket::HelpCenter => &["help-center"],
        Bucket::GuideRest => &["guide-rest"],
        Bucket::Talk => &["talk"],
    }
}

/// The buckets of a request on a track.
pub(crate) fn buckets_of(collection: &Collection, track: Track) -> &'static [&'static str] {
    match (track, collection.follows.first()) {
        (Track::Errands, Some(follow)) => of_bucket(follow.bucket),
        _ => buckets(collection),
    }
}

/// The order of the collections.
pub(crate) fn plans(collections: &[&Collection], config: &Config) -> Vec<Plan> {
    let first: Vec<String> = collections
        .iter()
        .filter(|collection| rank(collection) < RANK_OF_LISTS)
        .map(|collection| collection.name.clone())
        .collect();
    collections
        .iter()
        .map(|collection| Plan {
            name: scheduled(&collection.name, Track::Live),
            lane: buckets(collection)[0].to_owned(),
            abreast: abreast(collection),
            rank: rank(collection),
            after: if rank(collection) > RANK_OF_LISTS {
                first.clone()
            } else {
                Vec::new()
            },
            interval: config.interval_of(&collection.name),
            is_pollable: collection.endpoint.paging.is_incremental(),
        })
        .collect()
}

/// The plan of a collection's past: behind everything that is live.
pub(crate) fn past(collection: &Collection, config: &Config) -> Plan {
    Plan {
        name: scheduled(&collection.name, Track::Past),
        lane: buckets(collection)[0].to_owned(),
        abreast: abreast(collection),
        rank: RANK_OF_THE_PAST + rank(collection),
        after: Vec::new(),
        interval: config.interval_of(&collection.name),
        is_pollable: false,
    }
}

/// The plan of what a collection's records ask for: before the past.
pub(crate) fn errands(collection: &Collection, config: &Config) -> Plan {
    Plan {
        name: scheduled(&collection.name, Track::Errands),
        lane: buckets_of(collection, Track::Errands)[0].to_owned(),
        abreast: 4,
        rank: RANK_OF_ERRANDS,
        after: Vec::new(),
        interval: config.interval_of(&collection.name),
        is_pollable: false,
    }
}

/// Ends the name under which a collection's errands are scheduled.
const OF_THE_ERRANDS: &str = " (errands)";
/// Ends the name under which a collection's past is scheduled; no collection's name holds a space.
const OF_THE_PAST: &str = " (past)";

/// The name under which a track is scheduled.
pub(crate) fn scheduled(collection: &str, track: Track) -> String {
    match track {
        Track::Live => collection.to_owned(),
        Track::Past => format!("{collection}{OF_THE_PAST}"),
        Track::Errands => format!("{collection}{OF_THE_ERRANDS}"),
    }
}

/// The collection and the track that are scheduled under a name.
pub(crate) fn track(scheduled: &str) -> (&str, Track) {
    let of = |end, track| Some((scheduled.strip_suffix(end)?, track));
    of(OF_THE_PAST, Track::Past)
        .or_else(|| of(OF_THE_ERRANDS, Track::Errands))
        .unwrap_or((scheduled, Track::Live))
}

/// Claims that a long past of the collection is filled behind its live track. Others wait for the whole of
/// what is needed first (fields, people), and lists have no past.
pub(crate) fn is_split(collection: &Collection) -> bool {
    rank(collection) > RANK_OF_LISTS && collection.endpoint.paging.is_incremental()
}

const RANK_OF_LISTS: u32 = 3;
/// Lists of the account's bucket have the rank before it.
const RANK_OF_ERRANDS: u32 = 6;
const RANK_OF_THE_PAST: u32 = 100;

/// A heavy page takes longer than its slot lasts, so two collections fill an export's bucket; lists are
/// light and their bucket is large. More would hold more pages in memory for nothing.
fn abreast(collection: &Collection) -> usize {
    match collection.endpoint.bucket {
        Bucket::IncrementalExports | Bucket::IncrementalExportsCursor => 2,
        _ => 4,
    }
}

/// Definitions of custom fields first, then people, lists, and what people wrote.
fn rank(collection: &Collection) -> u32 {
    match collection.name.as_str() {
        name if name.ends_with("_fields") => 0,
        "users" => 1,
        "organizations" => 2,
        _ if !collection.endpoint.paging.is_incremental() => RANK_OF_LISTS,
        "tickets" => 4,
        _ => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(config: &Config) -> Vec<String> {
        let collections = selected(Catalog::builtin(), config).expect("known names");
        collections
            .into_iter()
            .map(|collection| collection.name.clone())
            .collect()
    }

    #[test]
    fn collections_are_chosen_by_name() {
        let mut config = Config::default();
        assert!(names(&config).contains(&"tickets".to_owned()));
        config.collections.off.insert("tickets".into());
        assert!(!names(&config).contains(&"tickets".to_owned()));
        config.collections.only.insert("groups".into());
        config.collections.on.insert("users".into());
        assert_eq!(names(&config), ["groups", "users"]);
        config.collections.off.insert("grups".into());
        let error = selected(Catalog::builtin(), &config).expect_err("a misspelt name");
        assert!(error.to_string().contains("`grups`"), "{error}");
    }

    #[test]
    fn fields_and_people_come_before_tickets() {
        let config = Config::default();
        let collections = selected(Catalog::builtin(), &config).expect("known names");
        let plans = plans(&collections, &config);
        let tickets = plans.iter().find(|plan| plan.name == "tickets").expect("tier 1");
        for name in ["users", "organizations", "ticket_fields", "organization_fields"] {
            assert!(tickets.after.contains(&name.to_owned()), "{name}");
            let plan = plans.iter().find(|plan| plan.name == name).expect("tier 1");
            assert!(plan.rank < tickets.rank && plan.after.is_empty(), "{name}");
        }
    }

    #[test]
    fn small_lists_have_one_partition() {
        let source = SourceName::new("acme").expect("a legal name");
        let config = Config::default();
        let collections = selected(Catalog::builtin(), &config).expect("known names");
        let topics = topics(&source, &collections, &config);
        let count = |name: &str| {
            topics
                .iter()
                .find(|topic| &*topic.name == name)
                .map(|topic| topic.partitions)
        };
        assert_eq!(count("acme.raw.tickets"), Some(12));
        assert_eq!(count("acme.raw.users"), Some(12));
        assert_eq!(count("acme.raw.groups"), Some(1));
        assert_eq!(count("acme.state"), Some(1));
    }
}
