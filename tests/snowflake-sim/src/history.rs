//! What an account remembers of its statements, for whoever asks what they cost.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value as Json, json};

/// Statements by tag: how many, how long, how many bytes.
#[derive(Debug, Default)]
pub(crate) struct History(BTreeMap<String, (u64, Duration, usize)>);

impl History {
    /// Claims that a statement reads the history. Its conditions are not: it is answered by tag.
    pub(crate) fn is_asked(sql: &str) -> bool {
        sql.contains("INFORMATION_SCHEMA.QUERY_HISTORY_BY_USER(")
    }

    /// Notes a statement; its text and binds stand for the bytes.
    pub(crate) fn note(&mut self, body: &Json, took: Duration) {
        let tag = body["parameters"]["QUERY_TAG"].as_str().unwrap_or_default();
        let held = self.0.entry(tag.to_owned()).or_default();
        held.0 += 1;
        held.1 += took;
        held.2 += body["sqlText"].as_str().map_or(0, str::len) + body["bindings"].to_string().len();
    }

    /// Tag, count, milliseconds and bytes of each.
    pub(crate) fn answer(&self) -> Json {
        let row = |(tag, (count, took, bytes)): (&String, &(u64, Duration, usize))| {
            json!([tag, count.to_string(), took.as_millis().to_string(), bytes.to_string()])
        };
        let rows: Vec<Json> = self.0.iter().filter(|(tag, _)| !tag.is_empty()).map(row).collect();
        let text = |name: &str| json!({"name": name, "type": "text", "nullable": true});
        json!({
            "data": {
                "rowtype": [text("QUERY_TAG"), text("COUNT"), text("ELAPSED"), text("BYTES")],
                "total": rows.len(), "returned": rows.len(), "rowset": rows, "queryResultFormat": "json",
            },
            "success": true,
        })
    }
}
