//! Making topics.

use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode as Code;
use zenfloe_log::{Cleanup, LogError, TopicSpec};

use crate::cluster::{Cluster, is_passing};
use crate::config::broken;
use crate::fault::{is_denied, of_code};
use crate::native::{self, NewTopic, Outcomes, Refused};

impl Cluster {
    /// See [`zenfloe_log::Log::ensure`].
    pub(crate) fn ensure(&self, specs: &[TopicSpec]) -> Result<(), LogError> {
        let deadline = Instant::now() + self.config.request_timeout;
        loop {
            let missing = self.missing(specs)?;
            if missing.is_empty() {
                break;
            }
            if Instant::now() >= deadline {
                let names: Vec<&str> = missing.iter().map(|spec| &*spec.name).collect();
                return Err(self.signals().unavailable(&format!("making {}", names.join(", "))));
            }
            self.create(&missing)?;
            std::thread::sleep(Duration::from_millis(50)); // brokers learn of a new topic one after the other
        }
        let names: Vec<&str> = specs.iter().map(|spec| &*spec.name).collect();
        self.topics_info(&names).map(drop)
    }

    /// Those that do not exist; an error when one exists with another count.
    fn missing<'s>(&self, specs: &'s [TopicSpec]) -> Result<Vec<&'s TopicSpec>, LogError> {
        let names: Vec<&str> = specs.iter().map(|spec| &*spec.name).collect();
        let found = self.describe(&names).map_err(|error| unseen(error, specs))?;
        let mut missing = Vec::new();
        for spec in specs {
            match found.get(&*spec.name) {
                Some(Some((_, partitions))) if *partitions != spec.partitions => {
                    return Err(LogError::PartitionCount {
                        topic: spec.name.to_string(),
                        found: *partitions,
                        wanted: spec.partitions,
                    });
                }
                Some(Some(_)) => {}
                _ => missing.push(spec),
            }
        }
        Ok(missing)
    }

    fn create(&self, specs: &[&TopicSpec]) -> Result<(), LogError> {
        if !self.config.create_topics {
            return Err(LogError::Forbidden {
                what: format!("topics are missing and `create_topics` is off; {}", wanted(specs)),
            });
        }
        let settings: Vec<_> = specs.iter().map(|spec| settings(spec)).collect();
        let topics: Vec<NewTopic<'_>> = specs
            .iter()
            .zip(&settings)
            .map(|(spec, config)| NewTopic {
                name: &spec.name,
                partitions: spec.partitions,
                replication: self.config.replication_factor.unwrap_or(-1),
                config,
            })
            .collect();
        match self.submit(&topics) {
            Err((code, _)) if is_passing(code) => Ok(()), // asked again by the caller
            Err(refused) => Err(self.not_made(specs, "topics", &refused)),
            Ok(outcomes) => outcomes
                .iter()
                .find_map(|(name, outcome)| {
                    let refused = outcome.as_ref().err()?;
                    let harmless = refused.0 == Code::TopicAlreadyExists || is_passing(refused.0);
                    (!harmless).then(|| self.not_made(specs, &format!("topic `{name}`"), refused))
                })
                .map_or(Ok(()), Err),
        }
    }

    fn submit(&self, topics: &[NewTopic<'_>]) -> Result<Outcomes, Refused> {
        native::create_topics(self.handle(), topics, Duration::from_secs(10))
    }

    fn not_made(&self, specs: &[&TopicSpec], what: &str, (code, said): &Refused) -> LogError {
        if is_denied(*code) {
            return LogError::Forbidden {
                what: format!("{what} may not be made here ({said}); {}", wanted(specs)),
            };
        }
        match of_code(&format!("making {what}"), *code, said, self.signals()) {
            LogError::Unavailable { .. } => broken(format!("{what} cannot be made: {said}")),
            other => other,
        }
    }
}

/// Brokers do not tell whether a topic exists that one may not see: it is named as it should be.
fn unseen(error: LogError, specs: &[TopicSpec]) -> LogError {
    let LogError::Forbidden { what } = error else {
        return error;
    };
    let named: Vec<&TopicSpec> = specs
        .iter()
        .filter(|spec| what.contains(&format!("`{}`", spec.name)))
        .collect();
    LogError::Forbidden {
        what: format!("{what}; {}", wanted(&named)),
    }
}

/// The settings of a topic of ours.
fn settings(spec: &TopicSpec) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("max.message.bytes", spec.max_message_bytes.to_string()),
        // Our own clock stands in every record; the brokers' would make a replay look new.
        ("message.timestamp.type", "CreateTime".to_owned()),
        ("compression.type", "producer".to_owned()),
    ];
    match spec.cleanup {
        Cleanup::Delete(age) => {
            let millis = i64::try_from(age.as_millis()).unwrap_or(-1); // -1: for ever
            settings.push(("cleanup.policy", "delete".to_owned()));
            settings.push(("retention.ms", millis.to_string()));
        }
        Cleanup::Compact => settings.push(("cleanup.policy", "compact".to_owned())),
    }
    settings
}

/// What someone with the right to do so should make.
fn wanted(specs: &[&TopicSpec]) -> String {
    let one = |spec: &&TopicSpec| {
        let settings: Vec<String> = settings(spec)
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        format!(
            "`{}` with {} partitions, {}",
            spec.name,
            spec.partitions,
            settings.join(", ")
        )
    };
    let list: Vec<String> = specs.iter().map(one).collect();
    format!("wanted: {}", list.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retention_and_compaction_become_topic_settings() {
        let mut spec = TopicSpec {
            name: "acme.raw.tickets".into(),
            partitions: 12,
            cleanup: Cleanup::Delete(Duration::from_secs(60)),
            max_message_bytes: 1_000,
        };
        assert!(settings(&spec).contains(&("retention.ms", "60000".to_owned())));
        assert!(wanted(&[&spec]).contains("`acme.raw.tickets` with 12 partitions, max.message.bytes=1000"));
        spec.cleanup = Cleanup::Delete(Duration::MAX);
        assert!(settings(&spec).contains(&("retention.ms", "-1".to_owned())));
        spec.cleanup = Cleanup::Compact;
        assert!(settings(&spec).contains(&("cleanup.policy", "compact".to_owned())));
    }
}
