//! The few calls that rdkafka's safe interface lacks.
//!
//! - Topics: their ids are in no safe call, and rdkafka's `AdminClient` polls neither errors nor token wishes, so that a
//!   refused sign-in would be silence and OAUTHBEARER would not work. Here the questions go through the probe's own client.
//! - Memberships: a consumer that was thrown out of its group shows generation -1, and a broker takes that for a client
//!   without a group and accepts its offsets in a transaction. The generation must be looked at first.
//! - Flushing: rdkafka's `flush` polls in steps of 100 ms, and without a flush a commit's last batches wait for `linger`.
#![allow(
    unsafe_code,
    reason = "librdkafka's admin interface beyond what rdkafka wraps; every pointer is freed in the function that got it"
)]

use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::time::Duration;

use rdkafka::bindings as c;
use rdkafka::error::RDKafkaErrorCode as Code;

/// A client's handle. The caller keeps the client alive for the length of the call.
pub(crate) type Handle = *mut c::rd_kafka_t;

/// A refusal: the code, and the broker's words.
pub(crate) type Refused = (Code, String);

/// What became of topics that were to be made, each by its name.
pub(crate) type Outcomes = Vec<(String, Result<(), Refused>)>;

/// What the cluster knows about a topic.
pub(crate) struct Described {
    pub(crate) name: String,
    /// Its id and number of partitions, or why that is not told.
    pub(crate) topic: Result<(String, i32), Refused>,
}

/// A topic to make.
pub(crate) struct NewTopic<'a> {
    pub(crate) name: &'a str,
    pub(crate) partitions: i32,
    /// -1 for the brokers' default.
    pub(crate) replication: i32,
    pub(crate) config: &'a [(&'static str, String)],
}

/// Asks for ids and partition counts.
pub(crate) fn describe_topics(client: Handle, names: &[&str], timeout: Duration) -> Result<Vec<Described>, Refused> {
    let names = c_strings(names)?;
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    // SAFETY: the names outlive the collection, which copies them, and the collection outlives the call.
    let ask = |options: *mut _, queue| unsafe {
        let topics = c::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        c::rd_kafka_DescribeTopics(client, topics, options, queue);
        c::rd_kafka_TopicCollection_destroy(topics);
    };
    let operation = c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
    let event = Answer::to(client, operation, timeout, ask)?;
    // SAFETY: the event answers DescribeTopics; what it holds lives as long as the event, and is copied out here.
    unsafe {
        let mut count = 0;
        let result = c::rd_kafka_event_DescribeTopics_result(event.0);
        let topics = c::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        Ok(list(topics, count).map(|topic| described(topic)).collect())
    }
}

/// Copies one description.
///
/// # Safety
/// `topic` belongs to a living answer.
unsafe fn described(topic: *const c::rd_kafka_TopicDescription_t) -> Described {
    // SAFETY: as the caller says; the strings are owned by the answer.
    unsafe {
        let name = text(c::rd_kafka_TopicDescription_name(topic));
        let error = c::rd_kafka_TopicDescription_error(topic);
        let code: Code = c::rd_kafka_error_code(error).into();
        if code != Code::NoError {
            let said = text(c::rd_kafka_error_string(error));
            return Described {
                name,
                topic: Err((code, said)),
            };
        }
        let mut count = 0;
        c::rd_kafka_TopicDescription_partitions(topic, &mut count);
        let id = c::rd_kafka_TopicDescription_topic_id(topic);
        let id = text(c::rd_kafka_Uuid_base64str(id));
        Described {
            name,
            topic: Ok((id, i32::try_from(count).unwrap_or(i32::MAX))),
        }
    }
}

/// Asks for one setting of several topics; `None` where it is not told.
pub(crate) fn topic_setting(
    client: Handle,
    names: &[&str],
    setting: &str,
    timeout: Duration,
) -> Result<Vec<(String, Option<String>)>, Refused> {
    let names = c_strings(names)?;
    // SAFETY: resources are made, used and freed here; DescribeConfigs copies them.
    let ask = |options: *mut _, queue| unsafe {
        let kind = c::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC;
        let mut resources: Vec<_> = names
            .iter()
            .map(|name| c::rd_kafka_ConfigResource_new(kind, name.as_ptr()))
            .collect();
        let (first, count) = (resources.as_mut_ptr(), resources.len());
        c::rd_kafka_DescribeConfigs(client, first, count, options, queue);
        c::rd_kafka_ConfigResource_destroy_array(first, count);
    };
    let operation = c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS;
    let event = Answer::to(client, operation, timeout, ask)?;
    // SAFETY: the event answers DescribeConfigs; what it holds is copied out while it lives.
    unsafe {
        let mut count = 0;
        let result = c::rd_kafka_event_DescribeConfigs_result(event.0);
        let resources = c::rd_kafka_DescribeConfigs_result_resources(result, &mut count);
        let named = list(resources, count).map(|resource| {
            let mut entries = 0;
            let first = c::rd_kafka_ConfigResource_configs(resource, &mut entries);
            let value = list(first, entries)
                .find(|entry| text(c::rd_kafka_ConfigEntry_name(*entry)) == setting)
                .map(|entry| text(c::rd_kafka_ConfigEntry_value(entry)));
            (text(c::rd_kafka_ConfigResource_name(resource)), value)
        });
        Ok(named.collect())
    }
}

/// Makes topics; each with its own refusal.
pub(crate) fn create_topics(client: Handle, topics: &[NewTopic<'_>], timeout: Duration) -> Result<Outcomes, Refused> {
    let mut made = Topics(Vec::with_capacity(topics.len()));
    for topic in topics {
        made.add(topic)?;
    }
    // SAFETY: `made` outlives the call, which copies it.
    let ask = |options: *mut _, queue| unsafe {
        c::rd_kafka_CreateTopics(client, made.0.as_mut_ptr(), made.0.len(), options, queue);
    };
    let operation = c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATETOPICS;
    let event = Answer::to(client, operation, timeout, ask)?;
    // SAFETY: the event answers CreateTopics; what it holds is copied out while it lives.
    unsafe {
        let mut count = 0;
        let result = c::rd_kafka_event_CreateTopics_result(event.0);
        let results = c::rd_kafka_CreateTopics_result_topics(result, &mut count);
        let outcomes = list(results, count).map(|topic| {
            let code: Code = c::rd_kafka_topic_result_error(topic).into();
            let outcome = match code {
                Code::NoError => Ok(()),
                refused => Err((refused, text(c::rd_kafka_topic_result_error_string(topic)))),
            };
            (text(c::rd_kafka_topic_result_name(topic)), outcome)
        });
        Ok(outcomes.collect())
    }
}

/// The generation of a consumer's membership; negative when it is no member at present.
pub(crate) fn generation(consumer: Handle) -> i32 {
    // SAFETY: the metadata is ours and freed here; null only for a client without a group.
    unsafe {
        let metadata = c::rd_kafka_consumer_group_metadata(consumer);
        if metadata.is_null() {
            return -1;
        }
        let generation = c::rd_kafka_consumer_group_metadata_generation_id(metadata);
        c::rd_kafka_consumer_group_metadata_destroy(metadata);
        generation
    }
}

/// Sends what a producer holds without waiting for more, and waits so long for its delivery.
///
/// Deliveries are reported as events, which the caller polls between two calls.
pub(crate) fn push(producer: Handle, wait: Duration) {
    let wait = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the caller keeps the producer alive; the call changes nothing but its timing.
    unsafe { c::rd_kafka_flush(producer, wait) };
}

/// New topics that are freed when the question is asked or given up.
struct Topics(Vec<*mut c::rd_kafka_NewTopic_t>);

impl Topics {
    fn add(&mut self, topic: &NewTopic<'_>) -> Result<(), Refused> {
        let name = c_string(topic.name)?;
        let mut said = [0 as c_char; 256];
        // SAFETY: all strings outlive the calls, which copy them; `said` is as long as it says.
        unsafe {
            let (partitions, replication) = (topic.partitions, topic.replication);
            let (buffer, length) = (said.as_mut_ptr(), said.len());
            let made = c::rd_kafka_NewTopic_new(name.as_ptr(), partitions, replication, buffer, length);
            if made.is_null() {
                return Err((Code::InvalidArgument, text(said.as_ptr())));
            }
            self.0.push(made);
            for (setting, value) in topic.config {
                let (setting, value) = (c_string(setting)?, c_string(value)?);
                c::rd_kafka_NewTopic_set_config(made, setting.as_ptr(), value.as_ptr());
            }
        }
        Ok(())
    }
}

impl Drop for Topics {
    fn drop(&mut self) {
        // SAFETY: each was made by NewTopic_new and is freed once.
        unsafe { c::rd_kafka_NewTopic_destroy_array(self.0.as_mut_ptr(), self.0.len()) }
    }
}

/// The answer to one admin question.
struct Answer(*mut c::rd_kafka_event_t);

impl Answer {
    /// Asks on a queue of its own and waits for the answer.
    fn to(
        client: Handle,
        operation: c::rd_kafka_admin_op_t,
        timeout: Duration,
        ask: impl FnOnce(*mut c::rd_kafka_AdminOptions_t, *mut c::rd_kafka_queue_t),
    ) -> Result<Self, Refused> {
        let wait = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX - 1_000);
        // SAFETY: options and queue are made and freed here; the queue holds no answer when it goes,
        // as librdkafka answers at the latest after `wait`, and drops what comes for a queue that is gone.
        let event = unsafe {
            let options = c::rd_kafka_AdminOptions_new(client, operation);
            let queue = c::rd_kafka_queue_new(client);
            c::rd_kafka_AdminOptions_set_request_timeout(options, wait, ptr::null_mut(), 0);
            ask(options, queue);
            let event = c::rd_kafka_queue_poll(queue, wait + 500);
            c::rd_kafka_queue_destroy(queue);
            c::rd_kafka_AdminOptions_destroy(options);
            event
        };
        if event.is_null() {
            return Err((Code::OperationTimedOut, "no answer in time".into()));
        }
        let answer = Self(event);
        // SAFETY: the event lives until `answer` goes.
        let (code, said): (Code, _) = unsafe {
            let code = c::rd_kafka_event_error(event).into();
            (code, text(c::rd_kafka_event_error_string(event)))
        };
        match code {
            Code::NoError => Ok(answer),
            refused => Err((refused, said)),
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: not null, ours, freed once.
        unsafe { c::rd_kafka_event_destroy(self.0) }
    }
}

/// The elements of an array of pointers that librdkafka returned.
///
/// # Safety
/// `first` points to `count` elements that live as long as the iterator, or is anything when `count` is 0.
unsafe fn list<T>(first: *mut *const T, count: usize) -> impl Iterator<Item = *const T> {
    // SAFETY: as the caller says.
    (0..count).map(move |index| unsafe { *first.add(index) })
}

/// Copies a string that librdkafka returned; empty for null.
///
/// # Safety
/// `string` is null or ends with NUL.
unsafe fn text(string: *const c_char) -> String {
    if string.is_null() {
        return String::new();
    }
    // SAFETY: as the caller says.
    unsafe { CStr::from_ptr(string) }.to_string_lossy().into_owned()
}

fn c_string(text: &str) -> Result<CString, Refused> {
    CString::new(text).map_err(|_| (Code::InvalidArgument, "a name holds a NUL".into()))
}

fn c_strings(texts: &[&str]) -> Result<Vec<CString>, Refused> {
    texts.iter().map(|text| c_string(text)).collect()
}
