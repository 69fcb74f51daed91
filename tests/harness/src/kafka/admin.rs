//! What a test does as administrator: topics and rights.

use std::time::Duration;

use tokio::net::TcpStream;

use super::Kafka;
use crate::error::Error;
use crate::wire::{self, Request};

const WITHIN: Duration = Duration::from_secs(20);

/// What a right is about. A prefix stands for every name that begins with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// One topic.
    Topic(String),
    /// Topics by prefix.
    TopicPrefix(String),
    /// Consumer groups by prefix.
    GroupPrefix(String),
    /// Transactional ids by prefix.
    TransactionalIdPrefix(String),
    /// The cluster itself.
    Cluster,
}

impl Resource {
    /// Kind, name and way of matching, as the protocol counts them.
    fn codes(&self) -> (i8, &str, i8) {
        const LITERAL: i8 = 3;
        const PREFIXED: i8 = 4;
        match self {
            Self::Topic(name) => (2, name, LITERAL),
            Self::TopicPrefix(prefix) => (2, prefix, PREFIXED),
            Self::GroupPrefix(prefix) => (3, prefix, PREFIXED),
            Self::Cluster => (4, "kafka-cluster", LITERAL),
            Self::TransactionalIdPrefix(prefix) => (5, prefix, PREFIXED),
        }
    }
}

/// What a user is allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i8)]
pub enum Operation {
    /// Everything.
    All = 2,
    /// Read records, join a group.
    Read = 3,
    /// Write records, use a transactional id.
    Write = 4,
    /// Create.
    Create = 5,
    /// Delete.
    Delete = 6,
    /// Change.
    Alter = 7,
    /// Look at.
    Describe = 8,
    /// Look at the settings.
    DescribeConfigs = 10,
}

impl Kafka {
    /// Creates a topic, replicated as often as there are brokers.
    pub async fn create_topic(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) -> Result<(), Error> {
        let copies = i16::try_from(self.nodes.len()).expect("few brokers");
        let request = new_topic(name, partitions, copies, settings);
        topic_outcome(self.ask(wire::CREATE_TOPICS, request).await?)
    }

    /// Grants rights to a user of a secure cluster.
    pub async fn allow(&self, user: &str, resource: &Resource, operations: &[Operation]) -> Result<(), Error> {
        const ALLOW: i8 = 3;
        let (kind, name, matching) = resource.codes();
        let mut request = Request::default().count(operations.len());
        for operation in operations {
            request = request
                .i8(kind)
                .text(name)
                .i8(matching)
                .text(&format!("User:{user}"))
                .text("*")
                .i8(*operation as i8)
                .i8(ALLOW);
        }
        let mut response = self.ask(wire::CREATE_ACLS, request).await?;
        response.i32()?; // time of throttling
        for _ in 0..response.i32()? {
            response.outcome(&format!("right of {user} on {name}"))?;
        }
        Ok(())
    }

    /// Succeeds when a group and a transaction would find their coordinators; the first question has
    /// the broker create the topics that they need.
    pub(super) async fn find_coordinators(&self) -> Result<(), Error> {
        for kind in [0, 1] {
            let request = Request::default().text("probe").i8(kind);
            let mut response = self.ask(wire::FIND_COORDINATOR, request).await?;
            response.i32()?; // time of throttling
            response.outcome("coordinator")?;
        }
        Ok(())
    }

    async fn ask(&self, api: wire::Api, request: Request) -> Result<wire::Response, Error> {
        let mut refused = None;
        for address in self.admin.split(',') {
            match TcpStream::connect(address).await {
                Ok(mut stream) => {
                    return tokio::time::timeout(WITHIN, wire::ask(&mut stream, api, request))
                        .await
                        .map_err(|_| Error::Late {
                            what: format!("an answer of the broker at {address}"),
                            within: WITHIN,
                        })?;
                }
                Err(error) => refused = Some(error),
            }
        }
        Err(Error::io(format!("connecting to {}", self.admin))(
            refused.expect("a cluster has an address"),
        ))
    }
}

pub(super) fn new_topic(name: &str, partitions: i32, copies: i16, settings: &[(&str, &str)]) -> Request {
    let mut request = Request::default()
        .count(1)
        .text(name)
        .i32(partitions)
        .i16(copies)
        .count(0) // assignments
        .count(settings.len());
    for (setting, value) in settings {
        request = request.text(setting).text(value);
    }
    request.i32(i32::try_from(WITHIN.as_millis()).expect("seconds")).i8(0)
}

pub(super) fn topic_outcome(mut response: wire::Response) -> Result<(), Error> {
    response.i32()?; // time of throttling
    response.i32()?; // one topic
    let name = response.text()?;
    response.outcome(&format!("topic {name}"))
}
