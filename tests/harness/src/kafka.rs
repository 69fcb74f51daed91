//! Apache Kafka: one broker or three, open or with TLS, sign-in and rights.

mod admin;
mod node;
mod secure;

pub use admin::{Operation, Resource};
pub use secure::{Security, User};

use std::time::{Duration, Instant};

use data_encoding::BASE64URL_NOPAD;

use crate::child::Child;
use crate::error::Error;
use crate::folder::Folder;
use crate::registry::blocking;
use crate::{cache, part, port, system};
use node::{Cluster, Node};

/// How long the brokers may take to become ready.
const WITHIN: Duration = Duration::from_secs(120);
const STARTS: usize = 3;

/// How a cluster is set up.
#[derive(Debug, Clone)]
pub struct KafkaConfig {
    /// The number of brokers: 1, or 3 with everything replicated three times.
    pub brokers: usize,
    /// Clients connect over TLS, sign in (PLAIN, SCRAM-SHA-512, OAUTHBEARER) and may do what they were
    /// granted, see [`Security`].
    pub secure: bool,
    /// Broker settings on top of, or instead of, the harness's own.
    pub properties: Vec<(String, String)>,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            brokers: 1,
            secure: false,
            properties: Vec::new(),
        }
    }
}

/// A Kafka cluster. It keeps ports and data over [`Kafka::kill`] and [`Kafka::restart`].
///
/// Topics are not created by themselves, messages may have 32 MiB, and a topic's expired segments
/// are looked for every second.
#[derive(Debug)]
pub struct Kafka {
    /// Where clients connect, `host:port` separated by commas.
    pub brokers: String,
    /// Where a test may do anything without signing in; of an open cluster the same address.
    pub admin: String,
    /// What a client needs to sign in, when the cluster asks for it.
    pub security: Option<Security>,
    nodes: Vec<Node>,
    children: Vec<Child>,
    folder: Folder,
}

impl Kafka {
    /// Starts one open broker and returns when it is ready for transactions.
    pub async fn start() -> Result<Self, Error> {
        Self::start_with(KafkaConfig::default()).await
    }

    /// Starts a cluster set up as `config` says and returns when it is ready for transactions.
    pub async fn start_with(config: KafkaConfig) -> Result<Self, Error> {
        for _ in 1..STARTS {
            match Self::try_start(config.clone()).await {
                Err(Error::PortTaken { .. }) => {}
                outcome => return outcome,
            }
        }
        Self::try_start(config).await
    }

    async fn try_start(config: KafkaConfig) -> Result<Self, Error> {
        let mut kafka = blocking(move |progress| Self::prepare(&config, progress)).await?;
        kafka.start_all()?;
        kafka.until_ready().await?;
        Ok(kafka)
    }

    /// Lays out the folders of all nodes and formats them.
    fn prepare(config: &KafkaConfig, progress: &dyn Fn(&str)) -> Result<Self, Error> {
        let java = system::JAVA.find_or_install(progress)?;
        let libraries = cache::ensure(&part::KAFKA, progress)?;
        let folder = Folder::new("kafka")?;
        let security = config
            .secure
            .then(|| Security::make(&folder.path().join("tls")))
            .transpose()?;
        let free = port::free(3 * config.brokers)?;
        let ports = free.as_chunks::<3>().0.to_vec();
        let cluster = Cluster {
            id: identity(),
            java,
            libraries,
            ports,
            security: security.as_ref(),
            properties: &config.properties,
        };
        let nodes = cluster.lay_out(folder.path())?;
        let addresses = |port: fn(&Node) -> u16| {
            let all: Vec<String> = nodes.iter().map(|node| format!("127.0.0.1:{}", port(node))).collect();
            all.join(",")
        };
        Ok(Self {
            brokers: addresses(Node::clients),
            admin: addresses(Node::internal),
            security,
            nodes,
            children: Vec::new(),
            folder,
        })
    }

    /// Stops all brokers with SIGTERM.
    pub async fn stop(&mut self) -> Result<(), Error> {
        for child in &mut self.children {
            if child.is_running() {
                child.signal("TERM")?;
            }
        }
        // Without a majority of controllers the last ones cannot leave in order; they are killed.
        let deadline = Instant::now() + Duration::from_secs(20);
        for child in &mut self.children {
            if child
                .wait(deadline.saturating_duration_since(Instant::now()))
                .await
                .is_err()
            {
                child.kill()?;
            }
        }
        Ok(())
    }

    /// Kills all brokers with SIGKILL.
    pub fn kill(&mut self) -> Result<(), Error> {
        self.children.iter_mut().try_for_each(Child::kill)
    }

    /// Starts all brokers again on the same ports and data, killing first those that run, and
    /// returns when they are ready for transactions.
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.kill()?;
        self.start_all()?;
        self.until_ready().await
    }

    /// Kills one broker with SIGKILL.
    pub fn kill_broker(&mut self, index: usize) -> Result<(), Error> {
        self.children[index].kill()
    }

    /// Starts one broker again on its port and data, killing it first if it runs.
    pub async fn restart_broker(&mut self, index: usize) -> Result<(), Error> {
        self.children[index].kill()?;
        self.children[index] = self.nodes[index].start()?;
        self.until_ready().await
    }

    /// The processes, to look at or to send signals to.
    pub fn children(&mut self) -> &mut [Child] {
        &mut self.children
    }

    /// The folder with configuration, logs and data of the brokers.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    fn start_all(&mut self) -> Result<(), Error> {
        self.children = self.nodes.iter().map(Node::start).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// A listening port is not enough: the topics of groups and transactions must have leaders.
    async fn until_ready(&mut self) -> Result<(), Error> {
        for child in &mut self.children {
            let started = |said: &str| said.contains("Kafka Server started").then_some(());
            child.until_output("`Kafka Server started`", WITHIN, started).await?;
        }
        let deadline = Instant::now() + WITHIN;
        while let Err(error) = self.find_coordinators().await {
            if let Some(ended) = self.children.iter_mut().position(|child| !child.is_running()) {
                return Err(self.children[ended].failed("it ended"));
            }
            if Instant::now() > deadline {
                return Err(self.children[0].failed(error.to_string()));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }
}

/// A cluster id that no other cluster has: the product may notice a broker that was replaced.
fn identity() -> String {
    let mut id: [u8; 16] = std::array::from_fn(|_| fastrand::u8(..));
    id[0] &= 0x7f; // else it might begin with a dash, which the format tool takes for an option
    BASE64URL_NOPAD.encode(&id)
}
