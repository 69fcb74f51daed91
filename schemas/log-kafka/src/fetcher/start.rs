//! Where partitions start, and that they run or rest.

use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use zenfloe_log::{LogError, Start};
use zenfloe_record::{Offset, Positions, TopicPartition};

use super::Fetcher;
use crate::cluster::{committed_by, placed, unplaced};
use crate::config::broken;
use crate::scan::out_of_range;

/// How long partitions may take to start after an assignment.
const STARTING: Duration = Duration::from_secs(10);

impl Fetcher {
    /// See [`zenfloe_log::Reader::begin`].
    pub(crate) fn begin(&mut self, starts: &[(TopicPartition, Start)]) -> Result<(), LogError> {
        self.go_on()?; // those that are not begun now run on as well
        let mut ours = Vec::with_capacity(starts.len());
        for (at, start) in starts {
            if self.owns(at)? {
                ours.push((at, *start));
            }
        }
        let places = self.places_of(&ours)?;
        if places.is_empty() {
            return Ok(());
        }
        let partitions: Vec<TopicPartition> = places.iter().map(|(at, _)| at.clone()).collect();
        self.start_at(&places, &unplaced(&partitions))?;
        self.forget(&partitions);
        for (at, place) in places.iter() {
            self.stand(at.clone(), place);
        }
        Ok(())
    }

    /// Claims that a partition is this reader's. One that was shared and is lost by now is passed over.
    fn owns(&self, at: &TopicPartition) -> Result<bool, LogError> {
        if let Some(partitions) = self.exact() {
            return match partitions.contains(at) {
                true => Ok(true),
                false => Err(broken(format!("{at} is none of this reader's partitions"))),
            };
        }
        Ok(self.reading.holds(at))
    }

    /// The places that starts stand for, each held against what the partition has.
    fn places_of(&self, starts: &[(&TopicPartition, Start)]) -> Result<Positions, LogError> {
        let asked = starts.iter().filter(|(_, start)| *start == Start::Committed);
        let asked: Vec<TopicPartition> = asked.map(|(at, _)| (*at).clone()).collect();
        let group = &self.spec.group;
        let committed = match self.exact() {
            Some(_) => committed_by(&self.cluster, group, &asked)?,
            None => self.cluster.committed(&self.consumer, group, &asked, || ())?, // polling would lose events
        };
        let mut places = Positions::new();
        for (at, start) in starts {
            let place = match start {
                Start::At(offset) => self.cluster.checked(at, *offset).map(|_| *offset)?,
                Start::Earliest => self.cluster.bounds(at)?.start,
                Start::Committed => match committed.get(at) {
                    Some(offset) => self.cluster.checked(at, offset).map(|_| offset)?,
                    None => self.very_beginning(at)?,
                },
            };
            places.set((*at).clone(), place);
        }
        Ok(places)
    }

    fn very_beginning(&self, at: &TopicPartition) -> Result<Offset, LogError> {
        let bounds = self.cluster.bounds(at)?;
        match bounds.start {
            0 => Ok(0),
            _ => Err(out_of_range(at, -1, bounds)),
        }
    }

    /// Moves partitions to their places and lets them run. Those just assigned may take a moment to be movable.
    fn start_at(&self, places: &Positions, all: &TopicPartitionList) -> Result<(), LogError> {
        let refused = |error: &KafkaError| self.fault("starting partitions", error);
        self.consumer.pause(all).map_err(|error| refused(&error))?;
        let deadline = Instant::now() + STARTING;
        let mut left = places.clone();
        loop {
            let moved = self
                .consumer
                .seek_partitions(placed(left.iter()), Duration::from_secs(5))
                .map_err(|error| refused(&error))?;
            let failed: Vec<_> = moved
                .elements()
                .iter()
                .filter_map(|element| {
                    Some((
                        TopicPartition::new(element.topic(), element.partition()),
                        element.error().err()?,
                    ))
                })
                .collect();
            let Some((at, error)) = failed.first() else { break };
            if Instant::now() >= deadline {
                return Err(self.fault(&format!("starting {at}"), error));
            }
            left.retain(|at| failed.iter().any(|(failed, _)| failed == at));
            std::thread::sleep(Duration::from_millis(10));
        }
        self.consumer.resume(all).map_err(|error| refused(&error))
    }

    /// Stops fetching.
    pub(super) fn rest(&mut self) -> Result<(), LogError> {
        if !self.is_resting {
            let running = unplaced(&self.running());
            self.consumer
                .pause(&running)
                .map_err(|error| self.fault("pausing partitions", &error))?;
            self.is_resting = true;
        }
        Ok(())
    }

    /// Fetches again after a rest.
    pub(super) fn go_on(&mut self) -> Result<(), LogError> {
        if self.is_resting {
            let running = self.running();
            let mut places = Positions::new();
            for at in &running {
                places.set(at.clone(), self.places.get(at).expect("it has begun"));
            }
            self.start_at(&places, &unplaced(&running))?;
            self.is_resting = false;
        }
        Ok(())
    }

    /// The partitions that have begun and are still assigned.
    fn running(&self) -> Vec<TopicPartition> {
        let is_ours = |at: &&TopicPartition| self.exact().is_some() || self.reading.holds(at);
        self.places.iter().map(|(at, _)| at).filter(is_ours).cloned().collect()
    }
}
