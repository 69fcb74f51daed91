//! Records in the file.

use std::collections::HashMap;

use bytes::Bytes;
use rusqlite::{Connection, Row, Transaction, params};
use zenfloe_log::{Append, Record};
use zenfloe_record::{Headers, Offset, TopicPartition};

use crate::fault::{Fault, broken};
use crate::lanes::{self, Lane};
use crate::store::now_ms;

/// A partition has room for so many offsets (10^12); the view `log` knows the number too.
const OFFSET_BITS: u32 = 40;

/// Where a record stands in the file.
pub(crate) fn place(lane: Lane, offset: Offset) -> i64 {
    (lane << OFFSET_BITS) | offset
}

/// The offset of a place.
pub(crate) fn offset(place: i64) -> Offset {
    place & ((1 << OFFSET_BITS) - 1)
}

/// Appends records, each with its lane, to the ends of their lanes.
pub(crate) fn append(transaction: &Transaction<'_>, out: &[(Lane, Append)]) -> Result<(), Fault> {
    let insert = "INSERT INTO log_records (place, at_ms, key, value, headers) VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut insert = transaction.prepare_cached(insert)?;
    let mut ends = HashMap::<Lane, Offset>::new();
    let now = now_ms();
    for (lane, append) in out {
        let end = match ends.get_mut(lane) {
            Some(end) => end,
            None => {
                let end = lanes::bounds(transaction, *lane)?.end;
                ends.entry(*lane).or_insert(end)
            }
        };
        insert.execute(params![
            place(*lane, *end),
            append.timestamp.unwrap_or(now),
            &append.key[..],
            append.value.as_deref(),
            encoded(&append.headers),
        ])?;
        *end += 1;
    }
    let mut update = transaction.prepare_cached("UPDATE log_lanes SET next = ?2 WHERE id = ?1")?;
    for (lane, end) in ends {
        update.execute(params![lane, end])?;
    }
    Ok(())
}

/// How much is read of a lane.
pub(crate) struct Room {
    pub(crate) records: usize,
    pub(crate) bytes: usize,
}

impl Room {
    /// Takes a record in; `false` when the room is full with it.
    fn take(&mut self, record: &Record) -> bool {
        let bytes = record.key.len() + record.value.as_ref().map_or(0, Bytes::len);
        self.records = self.records.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
        !self.is_full()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.records == 0 || self.bytes == 0
    }
}

/// Reads the records of `lane` from `from` to before `end`, as long as there is room; returns where it came to.
pub(crate) fn read(
    session: &Connection,
    (at, lane): (&TopicPartition, Lane),
    (from, end): (Offset, Offset),
    room: &mut Room,
    into: &mut Vec<Record>,
) -> Result<Offset, Fault> {
    let select = "SELECT place, at_ms, key, value, headers FROM log_records
        WHERE place >= ?1 AND place < ?2 ORDER BY place";
    let mut statement = session.prepare_cached(select)?;
    let mut rows = statement.query([place(lane, from), place(lane, end)])?;
    while let Some(row) = rows.next()? {
        let record = record(row, at)?;
        let has_room = room.take(&record);
        let next = record.offset + 1;
        into.push(record);
        if !has_room {
            return Ok(next);
        }
    }
    Ok(end)
}

fn record(row: &Row<'_>, at: &TopicPartition) -> Result<Record, Fault> {
    let bytes = |column| row.get::<_, Option<Vec<u8>>>(column);
    let headers = match row.get_ref(4)?.as_blob_or_null() {
        Ok(None) => Headers::new(),
        Ok(Some(bytes)) => decoded(bytes).ok_or_else(|| broken(format!("headers in {at} are damaged")))?,
        Err(error) => return Err(rusqlite::Error::from(error).into()),
    };
    Ok(Record {
        at: at.clone(),
        offset: offset(row.get(0)?),
        timestamp: row.get(1)?,
        key: bytes(2)?.unwrap_or_default().into(),
        value: bytes(3)?.map(Bytes::from),
        headers,
    })
}

/// The offset of the first record of a lane whose timestamp is at least `timestamp`; the end if there is none.
pub(crate) fn offset_at(session: &Connection, lane: Lane, timestamp: i64) -> Result<Offset, Fault> {
    let bounds = lanes::bounds(session, lane)?;
    let select = "SELECT min(place) FROM log_records WHERE place >= ?1 AND place < ?2 AND at_ms >= ?3";
    let mut statement = session.prepare_cached(select)?;
    let span = params![place(lane, bounds.start), place(lane, bounds.end), timestamp];
    let found: Option<i64> = statement.query_row(span, |row| row.get(0))?;
    Ok(found.map_or(bounds.end, offset))
}

/// Names and values, each after its length in four bytes; nothing for no headers.
fn encoded(headers: &Headers) -> Option<Vec<u8>> {
    if headers.is_empty() {
        return None;
    }
    let mut bytes = Vec::new();
    let mut put = |part: &[u8]| {
        let length = u32::try_from(part.len()).expect("SQLite takes no value of 4 GiB, a topic much less");
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(part);
    };
    for (name, value) in headers.iter() {
        put(name.as_bytes());
        put(value);
    }
    Some(bytes)
}

fn decoded(mut bytes: &[u8]) -> Option<Headers> {
    let mut take = || {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (part, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        bytes = rest;
        Some((part, rest.is_empty()))
    };
    let mut headers = Headers::new();
    loop {
        let (name, _) = take()?;
        let (value, is_last) = take()?;
        headers.push(std::str::from_utf8(name).ok()?, value);
        if is_last {
            return Some(headers);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_keep_lanes_apart_and_give_offsets_back() {
        for (lane, number) in [(1, 0), (1, 5), (2, 0), (800, 1 << 39)] {
            assert_eq!(offset(place(lane, number)), number);
        }
        assert!(place(1, (1 << OFFSET_BITS) - 1) < place(2, 0));
    }

    #[test]
    fn headers_come_back_and_damage_is_noticed() {
        let headers = Headers::new().with("a", "1").with("", vec![0, 255]).with("a", "");
        let bytes = encoded(&headers).expect("there are some");
        assert_eq!(decoded(&bytes), Some(headers));
        assert_eq!(encoded(&Headers::new()), None);
        for end in 0..bytes.len() {
            // What is cut behind a value is a shorter list; anything else is damage.
            assert!(
                decoded(&bytes[..end]).is_none_or(|found| found.len() < 3),
                "cut at {end}"
            );
        }
    }
}
