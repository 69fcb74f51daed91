//! The nodes of a cluster: their settings, their folders, their processes.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::secure::Security;
use crate::child::{Child, Program};
use crate::error::Error;
use crate::system;

/// Ports of one node: clients, tests and other brokers, controllers.
type Ports = [u16; 3];

/// What all nodes have in common.
pub(super) struct Cluster<'a> {
    pub(super) id: String,
    pub(super) java: PathBuf,
    pub(super) libraries: PathBuf,
    pub(super) ports: Vec<Ports>,
    pub(super) security: Option<&'a Security>,
    pub(super) properties: &'a [(String, String)],
}

/// One broker, which is a controller as well.
#[derive(Debug)]
pub(super) struct Node {
    program: Program,
    folder: PathBuf,
    ports: Ports,
}

impl Node {
    /// The port for clients.
    pub(super) fn clients(&self) -> u16 {
        self.ports[0]
    }

    /// The port that asks for nothing.
    pub(super) fn internal(&self) -> u16 {
        self.ports[1]
    }

    pub(super) fn start(&self) -> Result<Child, Error> {
        self.program.start(&self.folder)
    }
}

impl Cluster<'_> {
    /// Writes settings and formats the data folder of every node.
    pub(super) fn lay_out(&self, root: &Path) -> Result<Vec<Node>, Error> {
        (0..self.ports.len())
            .map(|index| self.lay_out_node(index, root))
            .collect()
    }

    fn lay_out_node(&self, index: usize, root: &Path) -> Result<Node, Error> {
        let folder = root.join(format!("node-{}", index + 1));
        std::fs::create_dir_all(folder.join("tmp")).map_err(Error::io("creating a broker's folder"))?;
        let settings = folder.join("server.properties");
        std::fs::write(&settings, self.settings(index, &folder)).map_err(Error::io("writing a broker's settings"))?;
        self.format(&settings)?;
        let name = format!("kafka-{}", index + 1);
        let program = Program::new(name, &self.java)
            .arg(if self.ports.len() == 1 { "-Xmx384m" } else { "-Xmx256m" })
            .arg(format!("-Djava.io.tmpdir={}", folder.join("tmp").display()))
            .arg("-Dorg.slf4j.simpleLogger.showDateTime=true")
            .arg("-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS")
            .arg("-cp")
            .arg(self.class_path())
            .arg("kafka.Kafka")
            .arg(&settings)
            .current_dir(&folder);
        let ports = self.ports[index];
        Ok(Node { program, folder, ports })
    }

    fn class_path(&self) -> String {
        format!("{}/*", self.libraries.display())
    }

    fn format(&self, settings: &Path) -> Result<(), Error> {
        let mut command = Command::new(&self.java);
        command
            .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", &self.class_path()])
            .args([
                "kafka.tools.StorageTool",
                "format",
                "--cluster-id",
                &self.id,
                "--config",
            ])
            .arg(settings);
        for user in self.security.into_iter().flat_map(|security| &security.users) {
            command.arg("--add-scram").arg(user.scram());
        }
        system::run(&mut command).map(drop)
    }

    /// The node's `server.properties`; of a name that is given twice the last counts.
    fn settings(&self, index: usize, folder: &Path) -> String {
        let [clients, internal, controller] = self.ports[index];
        let id = index + 1;
        let voters: Vec<String> = (1..)
            .zip(&self.ports)
            .map(|(id, [_, _, controller])| format!("{id}@127.0.0.1:{controller}"))
            .collect();
        let protocol = if self.security.is_some() {
            "SASL_SSL"
        } else {
            "PLAINTEXT"
        };
        let copies = self.ports.len();
        let in_sync = copies.div_ceil(2);
        let mut text = format!(
            "process.roles=broker,controller\n\
             node.id={id}\n\
             controller.quorum.voters={}\n\
             listeners=CLIENTS://127.0.0.1:{clients},INTERNAL://127.0.0.1:{internal},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=CLIENTS://127.0.0.1:{clients},INTERNAL://127.0.0.1:{internal}\n\
             controller.listener.names=CONTROLLER\n\
             inter.broker.listener.name=INTERNAL\n\
             listener.security.protocol.map=CLIENTS:{protocol},INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
             log.dirs={}\n\
             default.replication.factor={copies}\n\
             min.insync.replicas={in_sync}\n\
             offsets.topic.replication.factor={copies}\n\
             transaction.state.log.replication.factor={copies}\n\
             transaction.state.log.min.isr={in_sync}\n\
             share.coordinator.state.topic.replication.factor={copies}\n\
             share.coordinator.state.topic.min.isr={in_sync}\n",
            voters.join(","),
            folder.join("data").display(),
        );
        text.push_str(COMMON);
        if let Some(security) = self.security {
            text.push_str(&security.settings());
        }
        for (name, value) in self.properties {
            writeln!(text, "{name}={value}").expect("a text takes everything");
        }
        text
    }
}

/// Small, quick to react, and as strict as production. A broker that was killed is let in again when
/// its session is over, hence the short one; shorter, and a busy machine would lose healthy brokers.
const COMMON: &str = "\
auto.create.topics.enable=false
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=4000
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=16777216
log.retention.check.interval.ms=1000
message.max.bytes=33554432
num.io.threads=4
num.network.threads=2
num.recovery.threads.per.data.dir=1
offsets.topic.num.partitions=4
replica.fetch.max.bytes=33554432
transaction.state.log.num.partitions=4
";
