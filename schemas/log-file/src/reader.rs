//! Reads by events.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::time::{Instant, timeout};
use zenfloe_log::{Assign, Batch, Limit, LogError, Membership, Read, Reader, ReaderSpec, Record, Start};
use zenfloe_record::{Offset, Positions, TopicPartition};

use crate::fault::{Fault, broken};
use crate::group::{self, Candidate, Grants, Proof};
use crate::lanes;
use crate::records::{self, Room};
use crate::store::{Store, millis};
use crate::writer;

pub(crate) struct FileReader {
    store: Arc<Store>,
    spec: Arc<ReaderSpec>,
    /// `None` for exact readers.
    member: Option<Member>,
    /// Where each partition stands that has begun.
    places: Positions,
    /// Places that the caller has not been told of.
    untold: Positions,
    /// The partition that the next batch begins with, by turns.
    turn: usize,
}

#[derive(Clone)]
struct Member {
    id: i64,
    /// The generation of which the caller knows everything.
    generation: i64,
    /// What the caller knows to be ours.
    granted: Grants,
}

/// What a look into the file found.
enum Found {
    /// The group has changed.
    Changed { generation: i64, grants: Grants },
    /// We are no member any more.
    Expelled,
    /// Records, and where each partition stands now.
    Records(Vec<Record>, Positions),
}

impl FileReader {
    pub(crate) async fn open(store: Arc<Store>, spec: ReaderSpec) -> Result<Self, LogError> {
        let spec = Arc::new(spec);
        let (of, at) = (spec.clone(), store.clone());
        let id = store
            .write(move |transaction| match &of.assign {
                Assign::Exact(partitions) => {
                    partitions
                        .iter()
                        .try_for_each(|partition| at.lane(transaction, partition).map(drop))?;
                    group::found(transaction, &of.group).map(|()| None)
                }
                Assign::Shared(topics) => {
                    topics
                        .iter()
                        .try_for_each(|topic| at.topic(transaction, topic).map(drop))?;
                    group::join(transaction, &candidate(&at, &of, topics)).map(Some)
                }
            })
            .await?;
        let mut reader = Self {
            store,
            spec,
            member: None,
            places: Positions::new(),
            untold: Positions::new(),
            turn: 0,
        };
        reader.member = id.map(|id| reader.entered(id));
        Ok(reader)
    }

    fn entered(&self, id: i64) -> Member {
        self.store.enter(id);
        Member {
            id,
            generation: -1,
            granted: Grants::new(),
        }
    }

    /// Looks into the file once; changes nothing here, so that a look may be dropped.
    async fn look(&self, limit: Limit) -> Result<Found, LogError> {
        let mut order: Vec<(TopicPartition, Offset)> =
            self.places.iter().map(|(at, next)| (at.clone(), next)).collect();
        let count = order.len().max(1);
        order.rotate_left(self.turn % count);
        let (store, spec) = (self.store.clone(), self.spec.clone());
        let member = self.member.as_ref().map(|member| (member.id, member.generation));
        let find = move |session: &Connection| {
            if let Some((id, known)) = member {
                let generation = group::generation(session, &spec.group)?;
                if generation != known {
                    let grants = group::grants(session, &spec.group, id)?;
                    return Ok(grants.map_or(Found::Expelled, |grants| Found::Changed { generation, grants }));
                }
            }
            collect(&store, session, order, limit)
        };
        self.store.read(find).await
    }

    /// Takes a look's findings over; returns an event when there is one.
    fn take(&mut self, found: Found) -> Option<Read> {
        match found {
            Found::Changed { generation, grants } => self.change(generation, grants),
            Found::Expelled => {
                let lost = self.member.as_mut().map(|member| std::mem::take(&mut member.granted));
                self.revoke(lost.unwrap_or_default().into_keys().collect())
            }
            Found::Records(records, places) => {
                self.turn = self.turn.wrapping_add(1);
                self.places.merge(&places);
                self.untold.merge(&places);
                (!records.is_empty()).then(|| self.batch(records))
            }
        }
    }

    /// Revoked partitions are told first, then new ones; only then the generation is known.
    fn change(&mut self, generation: i64, now: Grants) -> Option<Read> {
        let member = self.member.as_mut().expect("only members look for changes");
        let is_lost = |at: &TopicPartition, grant: &i64| now.get(at) != Some(grant);
        let lost: Vec<_> = member
            .granted
            .extract_if(.., |at, grant| is_lost(at, grant))
            .map(|(at, _)| at)
            .collect();
        if !lost.is_empty() {
            return self.revoke(lost);
        }
        let new: Vec<_> = now
            .keys()
            .filter(|at| !member.granted.contains_key(at))
            .cloned()
            .collect();
        member.granted = now;
        member.generation = generation;
        (!new.is_empty()).then_some(Read::Assigned(new))
    }

    fn revoke(&mut self, lost: Vec<TopicPartition>) -> Option<Read> {
        for at in &lost {
            self.places.remove(at);
            self.untold.remove(at);
        }
        (!lost.is_empty()).then_some(Read::Revoked(lost))
    }

    fn batch(&mut self, records: Vec<Record>) -> Read {
        Read::Batch(Batch {
            records,
            positions: std::mem::take(&mut self.untold),
        })
    }

    /// Becomes a member again after a silence that was too long; refused when one of our name took our place.
    async fn rejoin(&mut self) -> Result<(), LogError> {
        let (store, spec) = (self.store.clone(), self.spec.clone());
        let Assign::Shared(topics) = &self.spec.assign else {
            return Ok(());
        };
        let candidate = candidate(&store, &spec, topics);
        let id = self.store.write(move |transaction| {
            if group::has_name(transaction, &spec.group, spec.member.as_deref())? {
                let id = spec.member.clone().unwrap_or_default();
                return Err(LogError::Fenced { id }.into());
            }
            group::join(transaction, &candidate)
        });
        // Dropped in between, the new membership is nobody's and ends with its session.
        let id = id.await?;
        if let Some(before) = self.member.take() {
            self.store.forget(before.id);
        }
        self.member = Some(self.entered(id));
        Ok(())
    }

    fn proof(&self) -> Proof {
        Proof {
            group: self.spec.group.clone(),
            shared: self.member.as_ref().map(|member| (member.id, member.granted.clone())),
        }
    }
}

fn candidate(store: &Store, spec: &ReaderSpec, topics: &[String]) -> Candidate {
    Candidate {
        group: spec.group.clone(),
        name: spec.member.clone(),
        topics: topics.to_vec(),
        process: store.process.clone(),
        session_ms: millis(store.config.session),
    }
}

/// Reads from the partitions in this order until there is enough.
fn collect(
    store: &Store,
    session: &Connection,
    order: Vec<(TopicPartition, Offset)>,
    limit: Limit,
) -> Result<Found, Fault> {
    let mut room = Room {
        records: limit.records.max(1),
        bytes: limit.bytes.max(1),
    };
    let (mut found, mut places) = (Vec::new(), Positions::new());
    for (at, from) in order {
        if room.is_full() {
            break;
        }
        let lane = store.lane(session, &at)?;
        let bounds = lanes::bounds(session, lane)?;
        lanes::check(bounds, &at, from)?;
        if from < bounds.end {
            let next = records::read(session, (&at, lane), (from, bounds.end), &mut room, &mut found)?;
            places.set(at, next);
        }
    }
    Ok(Found::Records(found, places))
}

/// Where a partition starts.
fn start_of(
    store: &Store,
    session: &Connection,
    group: &str,
    at: &TopicPartition,
    start: Start,
) -> Result<Offset, Fault> {
    let lane = store.lane(session, at)?;
    let bounds = lanes::bounds(session, lane)?;
    let wanted = match start {
        Start::Earliest => return Ok(bounds.start),
        Start::At(offset) => offset,
        Start::Committed => match group::committed(session, group, lane)? {
            Some(next) => next,
            None if bounds.start == 0 => 0,
            None => return Err(lanes::out_of_range(bounds, at, -1).into()),
        },
    };
    lanes::check(bounds, at, wanted)?;
    Ok(wanted)
}

#[async_trait]
impl Reader for FileReader {
    async fn read(&mut self, limit: Limit) -> Result<Read, LogError> {
        let begun = Instant::now();
        let mut news = self.store.news.subscribe();
        loop {
            news.borrow_and_update();
            let found = self.look(limit).await?;
            let is_expelled = matches!(found, Found::Expelled);
            let is_change = matches!(found, Found::Changed { .. });
            if let Some(read) = self.take(found) {
                return Ok(read);
            }
            if is_expelled {
                self.rejoin().await?;
            }
            let left = limit.wait.saturating_sub(begun.elapsed());
            if left.is_zero() && !is_change {
                return Ok(self.batch(Vec::new()));
            }
            if is_expelled || is_change {
                continue;
            }
            self.store.bell.ring(); // the keeper looks more often while somebody waits
            if timeout(left, news.changed()).await.is_err() {
                return Ok(self.batch(Vec::new()));
            }
        }
    }

    async fn begin(&mut self, starts: &[(TopicPartition, Start)]) -> Result<(), LogError> {
        if let Assign::Exact(partitions) = &self.spec.assign
            && let Some((at, _)) = starts.iter().find(|(at, _)| !partitions.contains(at))
        {
            return Err(broken(format!("{at} is none of this reader's partitions")));
        }
        let (store, proof, starts) = (self.store.clone(), self.proof(), starts.to_vec());
        let find = move |session: &Connection| {
            let mut places = Positions::new();
            for (at, start) in starts {
                if is_ours(&store, session, &proof, &at)? {
                    let place = start_of(&store, session, &proof.group, &at, start)?;
                    places.set(at, place);
                }
            }
            Ok(places)
        };
        for (at, place) in self.store.read(find).await?.iter() {
            self.places.set(at.clone(), place);
            self.untold.set(at.clone(), place);
        }
        Ok(())
    }

    fn membership(&self) -> Membership {
        Membership(Arc::new(self.proof()))
    }

    async fn report(&mut self, positions: &Positions) -> Result<(), LogError> {
        let (store, proof, positions) = (self.store.clone(), self.proof(), positions.clone());
        let mark = move |transaction: &rusqlite::Transaction<'_>| writer::mark(&store, transaction, &proof, &positions);
        self.store.write(mark).await
    }

    async fn close(mut self: Box<Self>) -> Result<(), LogError> {
        let Some(member) = &self.member else { return Ok(()) };
        let id = member.id;
        self.store
            .write(move |transaction| group::leave(transaction, &[id]))
            .await?;
        self.store.forget(id);
        self.member = None;
        Ok(())
    }
}

fn is_ours(store: &Store, session: &Connection, proof: &Proof, at: &TopicPartition) -> Result<bool, Fault> {
    let Some((member, grants)) = &proof.shared else {
        return Ok(true);
    };
    match grants.get(at) {
        Some(granted) => group::owns(session, &proof.group, store.lane(session, at)?, *member, *granted),
        None => Ok(false),
    }
}

impl Drop for FileReader {
    fn drop(&mut self) {
        if let Some(member) = &self.member {
            self.store.abandon(member.id);
        }
    }
}
