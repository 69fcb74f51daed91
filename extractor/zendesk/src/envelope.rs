//! Takes an answer apart: rows, sideloads, and what it says about the next page.

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;
use zenfloe_catalog::{Collection, Path, Sideload, Step};
use zenfloe_record::row_key;

use crate::RawRecord;
use crate::scan::{self, NotJson};

/// The parts of an answer, as places in its body.
#[derive(Debug, Default)]
pub(crate) struct Envelope {
    pub(crate) rows: Vec<Range<usize>>,
    /// For each of the collection's sideloads its elements; `None` where the answer has no such array.
    pub(crate) sideloads: Vec<Option<Vec<Range<usize>>>>,
    pub(crate) after_cursor: Option<String>,
    pub(crate) end_of_stream: Option<bool>,
    pub(crate) end_time: Option<i64>,
    pub(crate) has_more: Option<bool>,
    pub(crate) has_next_page: bool,
}

impl Envelope {
    /// Takes the body apart; the error says what is wrong with it, without its contents.
    pub(crate) fn read(collection: &Collection, body: &[u8]) -> Result<Self, String> {
        let start = scan::skip_space(body, 0);
        match body.get(start) {
            None => return Err("it is empty".into()),
            Some(b'{') => {}
            Some(b'<') => return Err("it is HTML".into()),
            Some(_) => return Err("it is no JSON object".into()),
        }
        let mut envelope = Self {
            sideloads: vec![None; collection.sideloads.len()],
            ..Self::default()
        };
        let mut has_rows = false;
        let end = scan::walk_object(body, start, |key, value| {
            if key == collection.endpoint.envelope.as_bytes() {
                has_rows = true;
                return scan::elements(body, value, &mut envelope.rows).map(Some);
            }
            envelope.read_entry(collection, body, key, value).map(Some)
        });
        let end = end.map_err(|NotJson { at }| format!("it is cut or broken at byte {at} of {}", body.len()))?;
        if scan::skip_space(body, end) != body.len() {
            return Err(format!("something follows it at byte {end}"));
        }
        if !has_rows {
            return Err(format!("it has no `{}`", collection.endpoint.envelope));
        }
        Ok(envelope)
    }

    fn read_entry(&mut self, collection: &Collection, body: &[u8], key: &[u8], value: usize) -> Result<usize, NotJson> {
        let sideload = collection
            .sideloads
            .iter()
            .position(|sideload| sideload.array.as_bytes() == key);
        if let Some(index) = sideload.filter(|index| collection.sideloads[*index].by.is_some())
            && body.get(value) == Some(&b'[')
        {
            let mut elements = Vec::new();
            let end = scan::elements(body, value, &mut elements)?;
            self.sideloads[index] = Some(elements);
            return Ok(end);
        }
        let end = scan::skip_value(body, value)?;
        let value = &body[value..end];
        match key {
            b"after_cursor" => self.after_cursor = scan::text_of(value),
            b"end_of_stream" => self.end_of_stream = truth(value),
            b"end_time" => self.end_time = scan::text_of(value).and_then(|text| text.parse().ok()),
            b"next_page" => self.has_next_page = scan::text_of(value).is_some(),
            b"meta" => {
                self.has_more = scan::find(value, ["has_more"]).and_then(truth);
                self.after_cursor = scan::find(value, ["after_cursor"]).and_then(scan::text_of);
            }
            _ => {}
        }
        Ok(end)
    }

    /// The rows as records, their sideloads attached.
    pub(crate) fn records(&self, collection: &Collection, body: &Bytes) -> Vec<RawRecord> {
        let attachments: Vec<_> = collection
            .sideloads
            .iter()
            .zip(&self.sideloads)
            .filter_map(|(sideload, elements)| Attachment::new(sideload, elements.as_deref()?, body))
            .collect();
        self.rows
            .iter()
            .map(|row| {
                let json = body.slice(row.clone());
                RawRecord {
                    key: record_key(&json, &collection.record.key),
                    partition_key: text_at(&json, &collection.record.partition_key)
                        .unwrap_or_default()
                        .into_bytes(),
                    json: attachments
                        .iter()
                        .fold(json, |json, attachment| attachment.attach(json, collection)),
                }
            })
            .collect()
    }
}

/// The elements of one sideload by the key of the record that they belong to.
struct Attachment<'b> {
    into: &'b str,
    by_parent: HashMap<String, Vec<&'b [u8]>>,
}

impl<'b> Attachment<'b> {
    fn new(sideload: &'b Sideload, elements: &[Range<usize>], body: &'b [u8]) -> Option<Self> {
        let by = sideload.by.as_deref()?;
        let mut by_parent: HashMap<String, Vec<&[u8]>> = HashMap::new();
        for element in elements {
            let element = &body[element.clone()];
            if let Some(parent) = scan::find(element, [by]).and_then(scan::text_of) {
                by_parent.entry(parent).or_default().push(element);
            }
        }
        Some(Self {
            into: &sideload.into,
            by_parent,
        })
    }

    /// Adds the record's elements, `[]` for none, before the record's last brace.
    fn attach(&self, json: Bytes, collection: &Collection) -> Bytes {
        // What is already there came with the record itself and is left as it is.
        if !json.ends_with(b"}") || scan::find(&json, [self.into]).is_some() {
            return json;
        }
        let parent = text_at(&json, &collection.record.key[0]).unwrap_or_default();
        let elements = self.by_parent.get(&parent).map_or(&[][..], Vec::as_slice);
        let length: usize = elements.iter().map(|element| element.len() + 1).sum();
        let mut joined = Vec::with_capacity(json.len() + length + self.into.len() + 8);
        joined.extend_from_slice(&json[..json.len() - 1]);
        if scan::skip_space(&json, 1) != json.len() - 1 {
            joined.push(b',');
        }
        joined.push(b'"');
        joined.extend_from_slice(self.into.as_bytes());
        joined.extend_from_slice(b"\":[");
        for (index, element) in elements.iter().enumerate() {
            if index > 0 {
                joined.push(b',');
            }
            joined.extend_from_slice(element);
        }
        joined.extend_from_slice(b"]}");
        joined.into()
    }
}

/// The joined parts of a record's key; empty when one is missing.
pub(crate) fn record_key(json: &[u8], paths: &[Path]) -> Vec<u8> {
    let parts: Option<Vec<_>> = paths.iter().map(|path| text_at(json, path)).collect();
    parts
        .map(|parts| row_key(parts.iter().map(String::as_str)))
        .unwrap_or_default()
}

/// The text of the value at a path.
pub(crate) fn text_at(json: &[u8], path: &Path) -> Option<String> {
    let keys: Option<Vec<&str>> = path
        .steps
        .iter()
        .map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            // Keys and versions of records do not stand in arrays.
            Step::Element { .. } => None,
        })
        .collect();
    scan::find(json, keys?).and_then(scan::text_of)
}

fn truth(value: &[u8]) -> Option<bool> {
    match value {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zenfloe_catalog::Catalog;

    fn collection(name: &str) -> &'static Collection {
        Catalog::builtin()
            .collection(name)
            .expect("a collection of this release")
    }

    fn records(name: &str, body: &'static str) -> Vec<(String, String)> {
        let collection = collection(name);
        let body = Bytes::from_static(body.as_bytes());
        let envelope = Envelope::read(collection, &body).expect("a page");
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
        envelope
            .records(collection, &body)
            .iter()
            .map(|record| (text(&record.key), text(&record.json)))
            .collect()
    }

    #[test]
    fn sideloads_go_to_their_parents_and_the_rest_stays_byte_for_byte() {
        let got = records(
            "users",
            r#"{"users":[{"id":1, "name":"ä" },{"id":2},{"id":3,"identities":[0]}],
                "identities":[{"id":7,"user_id":2},{"id":8,"user_id":1},{"id":9,"user_id":2}],
                "after_cursor":"x","end_of_stream":true}"#,
        );
        let json: Vec<_> = got.iter().map(|(_, json)| json.as_str()).collect();
        assert_eq!(
            json,
            [
                r#"{"id":1, "name":"ä" ,"identities":[{"id":8,"user_id":1}]}"#,
                r#"{"id":2,"identities":[{"id":7,"user_id":2},{"id":9,"user_id":2}]}"#,
                r#"{"id":3,"identities":[0]}"#,
            ]
        );
        assert_eq!(got[1].0, "2");
    }

    #[test]
    fn an_empty_set_is_written_and_an_absent_one_is_not() {
        let with = records("users", r#"{"users":[{"id":1}],"identities":[],"end_of_stream":true}"#);
        assert_eq!(with[0].1, r#"{"id":1,"identities":[]}"#);
        let without = records("users", r#"{"users":[{"id":1}],"end_of_stream":true}"#);
        assert_eq!(without[0].1, r#"{"id":1}"#);
    }

    #[test]
    fn duplicates_of_embedded_sideloads_are_dropped() {
        let got = records(
            "tickets",
            r#"{"tickets":[{"id":1,"metric_set":{"id":5}}],"metric_sets":[{"id":5,"ticket_id":1}],"end_of_stream":true}"#,
        );
        assert_eq!(got[0].1, r#"{"id":1,"metric_set":{"id":5}}"#);
    }

    #[test]
    fn broken_records_pass_and_have_no_key() {
        let got = records(
            "groups",
            r#"{"groups":[{"name":"no id"},{"id":null},7,{"id":1,"x":nonsense}],"meta":{"has_more":false}}"#,
        );
        let keys: Vec<_> = got.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["", "", "", "1"]);
    }

    #[test]
    fn what_is_no_page_is_named() {
        for (body, expected) in [
            ("", "it is empty"),
            ("  ", "it is empty"),
            ("<html>", "it is HTML"),
            ("[]", "it is no JSON object"),
            ("{}", "it has no `groups`"),
            (r#"{"error":"x"}"#, "it has no `groups`"),
            (r#"{"groups":[{"id":1},"#, "it is cut or broken at byte 20 of 20"),
            (r#"{"groups":null}"#, "it is cut or broken at byte 10 of 15"),
            (r#"{"groups":[]} x"#, "something follows it at byte 13"),
        ] {
            let error = Envelope::read(collection("groups"), body.as_bytes()).expect_err(body);
            assert_eq!(error, expected);
        }
    }
}
