//! The dead topic as a list of letters.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use tokio_util::sync::CancellationToken;
use zenfloe_keyring::{Opener, SealKeys};
use zenfloe_log::{Log, Record, partitions_of};
use zenfloe_record::{Headers, Letter, Offset, Partition, Positions, SourceName, Stage, Topic, header};

use crate::patience::{Stop, or_stopped, patiently};
use crate::walk::Walk;
use crate::{Progress, StageError, retry_writer_id};

/// One thing that could not be extracted, transformed or loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterInfo {
    /// Its partition in the dead topic.
    pub partition: Partition,
    /// Its offset there; of a letter that was written more than once the last one.
    pub offset: Offset,
    /// When it was written, milliseconds since 1970.
    pub timestamp: i64,
    /// Who gave up, why, and on which record.
    pub letter: Letter,
    /// The record's own key, where it is known; bytes that are no text in hexadecimal.
    pub key: Option<String>,
    /// Bytes of its value as it is kept; 0 where the value stands at its origin alone.
    pub size: usize,
    /// When it was settled by a retry, milliseconds since 1970.
    pub settled_at: Option<i64>,
}

/// What a letter holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// JSON in clear text: what Zendesk said, or of the extractor the request that repeats it.
    Json(Vec<u8>),
    /// A clean row in Avro, Confluent wire format.
    Row(Bytes),
    /// Nothing: the value stands at its origin alone.
    Elsewhere,
    /// It does not open, and why.
    Sealed(String),
}

/// Records and bytes that are read at once.
const RECORDS: usize = 500;
const BYTES: usize = 4 << 20;

/// Lists the letters of a source in the order in which they were written, settled ones included.
///
/// Waits for a log that is away. A record of the dead topic that is no letter is left out with a warning.
pub async fn letters(log: &dyn Log, source: &SourceName) -> Result<Vec<LetterInfo>, StageError> {
    let stop = Stop::new(CancellationToken::new(), Progress::default());
    let list = listed(log, source, &stop).await?;
    Ok(list.unwrap_or_default())
}

/// Opens one letter; `None` when there is no letter at that place.
pub async fn open_letter(
    log: &dyn Log,
    source: &SourceName,
    keys: SealKeys,
    partition: Partition,
    offset: Offset,
) -> Result<Option<(LetterInfo, Content)>, StageError> {
    let stop = Stop::new(CancellationToken::new(), Progress::default());
    let list = listed(log, source, &stop).await?.unwrap_or_default();
    let is_it = |info: &LetterInfo| info.partition == partition && info.offset == offset;
    let Some(info) = list.into_iter().find(is_it) else {
        return Ok(None);
    };
    let mut content = Content::Elsewhere;
    let mut opener = Opener::new(keys, source);
    each(log, source, &stop, |record| {
        if record.at.partition != partition || record.offset != offset {
            return ControlFlow::Continue(());
        }
        content = opened(&mut opener, source, &info, &record);
        ControlFlow::Break(())
    })
    .await?;
    Ok(Some((info, content)))
}

fn opened(opener: &mut Opener, source: &SourceName, info: &LetterInfo, record: &Record) -> Content {
    let Some(value) = &record.value else {
        return Content::Elsewhere;
    };
    if info.letter.stage == Stage::Load {
        return Content::Row(value.clone());
    }
    if record.headers.get(header::SEAL).is_none() {
        return Content::Elsewhere;
    }
    let purpose = Topic::collection_of(source, &info.letter.origin.topic).unwrap_or_default();
    let key = record.headers.get(header::KEY).unwrap_or(&record.key);
    let mut json = Vec::new();
    match opener.open(purpose, key, &record.headers, value, &mut json) {
        Ok(()) => Content::Json(json),
        Err(error) => Content::Sealed(error.to_string()),
    }
}

/// The list; `None` when `stop` fires first.
pub(crate) async fn listed(
    log: &dyn Log,
    source: &SourceName,
    stop: &Stop,
) -> Result<Option<Vec<LetterInfo>>, StageError> {
    let mut found: BTreeMap<Bytes, LetterInfo> = BTreeMap::new();
    let ended = each(log, source, stop, |record| {
        if is_settled_mark(&record) {
            if let Some(info) = found.get_mut(&record.key) {
                info.settled_at = Some(record.timestamp);
            }
            return ControlFlow::Continue(());
        }
        match info(&record) {
            Some(info) => _ = found.insert(record.key.clone(), info),
            None => tracing::warn!("record {} of {} is no letter", record.offset, record.at),
        }
        ControlFlow::Continue(())
    });
    or_stopped!(ended.await?);
    let mut list: Vec<_> = found.into_values().collect();
    list.sort_by_key(|info| (info.timestamp, info.partition, info.offset));
    Ok(Some(list))
}

/// Calls `take` with every record of the dead topic up to its end as of now; `None` when `stop` fires first.
pub(crate) async fn each(
    log: &dyn Log,
    source: &SourceName,
    stop: &Stop,
    mut take: impl FnMut(Record) -> ControlFlow<()> + Send,
) -> Result<Option<()>, StageError> {
    let Some(mut walk) = or_stopped!(whole(log, source, stop).await?) else {
        return Ok(Some(()));
    };
    while !walk.is_over() {
        let batch = or_stopped!(walk.next(log, stop).await?);
        for record in batch.records {
            if take(record).is_break() {
                return Ok(Some(()));
            }
        }
    }
    Ok(Some(()))
}

/// A walk over the whole dead topic; the inner `None` when there is no such topic.
pub(crate) async fn whole(log: &dyn Log, source: &SourceName, stop: &Stop) -> Result<Option<Option<Walk>>, StageError> {
    let name = Topic::dead(source);
    let Some(topic) = or_stopped!(patiently!(stop, log.topic(&name).await)) else {
        return Ok(Some(None));
    };
    let (mut from, mut until) = (Positions::new(), Positions::new());
    for at in partitions_of(&name, topic.partitions) {
        let bounds = or_stopped!(patiently!(stop, log.bounds(&at).await));
        from.set(at.clone(), bounds.start);
        until.set(at, bounds.end);
    }
    Ok(Some(Some(Walk::new(
        retry_writer_id(source),
        from,
        until,
        RECORDS,
        BYTES,
    ))))
}

/// Claims that a record says that the letter of its key is settled: it has neither value nor headers.
fn is_settled_mark(record: &Record) -> bool {
    record.value.is_none() && record.headers.get(header::STAGE).is_none()
}

/// What is known of a letter without opening it.
pub(crate) fn info(record: &Record) -> Option<LetterInfo> {
    Some(LetterInfo {
        partition: record.at.partition,
        offset: record.offset,
        timestamp: record.timestamp,
        letter: Letter::decode(&record.headers).ok()?,
        key: record.headers.get(header::KEY).map(shown),
        size: record.value.as_ref().map_or(0, Bytes::len),
        settled_at: None,
    })
}

fn shown(key: &[u8]) -> String {
    match std::str::from_utf8(key) {
        Ok(text) if !text.contains(char::is_control) => text.to_owned(),
        _ => HEXLOWER.encode(key),
    }
}

/// The headers of the record that a letter holds.
pub(crate) fn inner_headers(headers: &Headers) -> Headers {
    let origins = headers
        .iter()
        .enumerate()
        .filter(|(_, (name, _))| *name == header::ORIGIN);
    let last_origin = origins.last().map(|(index, _)| index);
    let is_inner = |(index, (name, _)): &(usize, (&str, &[u8]))| match *name {
        header::STAGE | header::REASON | header::DETAIL | header::KEY | header::TIMESTAMP => false,
        // A clean record has an origin of its own before the letter's.
        header::ORIGIN => Some(*index) != last_origin,
        _ => true,
    };
    headers
        .iter()
        .enumerate()
        .filter(is_inner)
        .map(|(_, held)| held)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use zenfloe_record::{CleanHeaders, CleanKind, Origin, Reason, RowVersion};

    #[test]
    fn a_record_gets_its_own_headers_back() {
        let clean = CleanHeaders {
            kind: CleanKind::Row,
            version: RowVersion::default(),
            origin: Origin {
                topic: "acme.raw.users".into(),
                partition: 1,
                offset: 2,
            },
        };
        let letter = Letter {
            stage: Stage::Load,
            reason: Reason::Refused,
            detail: "too long".into(),
            origin: Origin {
                topic: "acme.clean.users".into(),
                partition: 1,
                offset: 9,
            },
        };
        let headers = letter.encode(&clean.encode().with(header::KEY, "42"));
        assert_eq!(inner_headers(&headers), clean.encode());
    }

    #[test]
    fn keys_are_shown_as_text_or_hexadecimal() {
        assert_eq!(shown(b"42"), "42");
        assert_eq!(shown(b"42\x1fx"), "34321f78");
        assert_eq!(shown(&[0xff, 0]), "ff00");
    }
}
