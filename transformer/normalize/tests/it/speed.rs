//! How long a ticket takes; printed, never judged: `cargo test --release -p zenfloe-normalize speed -- --nocapture`.

use std::hint::black_box;
use std::time::Instant;

use apache_avro::Schema;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use serde_json::{Value, json};
use zenfloe_catalog::{Action, Class, Column, ColumnType, Operation, Path, Rows, Step, Table};
use zenfloe_keyring::{TokenKeys, Tokens};
use zenfloe_normalize::{Guard, Output};
use zenfloe_pii::{Privacy, TOKEN_CLASSES};

use crate::judge::{GIVEN, collection, plan};

/// Tokens are the product's, texts pass: the way without redaction.
struct TokensOnly(Privacy);

impl Guard for TokensOnly {
    fn token(&mut self, class: Class, value: &str, out: &mut String) -> bool {
        self.0.token(class, value, out)
    }

    fn redact(&mut self, text: &str, out: &mut String) {
        out.push_str(text);
    }

    fn coarse(&mut self, class: Class, value: &str, out: &mut String) -> bool {
        self.0.coarse(class, value, out)
    }
}

fn tokens() -> Tokens {
    Tokens::new(&TokenKeys::generate(), "acme", TOKEN_CLASSES)
}

/// A ticket of 5.8 KB with 40 custom fields (which Zendesk sends twice), metrics and clocks, and four tokens.
fn ticket() -> String {
    let sentence = "I have tried it three times since Monday and the result is always the same. ";
    let custom: Vec<Value> = (0..40)
        .map(|n| json!({"id": 360_001_234_500_u64 + n, "value": if n % 3 == 0 { json!(null) } else { json!(format!("choice_{n}")) }}))
        .collect();
    let metric = |calendar: u32| json!({"calendar": calendar, "business": calendar / 3});
    json!({
        "url": "https://acme.zendesk.com/api/v2/tickets/123456.json", "id": 123_456, "external_id": "order-88-20417",
        "via": {"channel": "email", "source": {"from": {"address": "ann.lee@example.com", "name": "Ann Lee"},
            "to": {"name": "Acme", "address": "help@acme.example"}, "rel": null}},
        "created_at": "2026-01-05T10:11:12Z", "updated_at": "2026-02-05T10:11:12Z", "generated_timestamp": 1_790_000_000,
        "type": "incident", "subject": "Order 88-20417 has not arrived", "raw_subject": "Order 88-20417 has not arrived",
        "description": sentence.repeat(7), "priority": "normal", "status": "open", "recipient": null,
        "requester_id": 39_771_850_850_017_u64, "submitter_id": 39_771_850_850_017_u64, "assignee_id": 39_771_850_850_018_u64,
        "organization_id": 39_771_850_850_019_u64, "group_id": 39_771_850_850_020_u64, "collaborator_ids": [], "follower_ids": [],
        "email_cc_ids": [], "forum_topic_id": null, "problem_id": null, "has_incidents": false, "is_public": true, "due_at": null,
        "tags": ["delivery", "late", "vip"], "custom_fields": custom, "satisfaction_rating": {"score": "unoffered"},
        "sharing_agreement_ids": [], "custom_status_id": 39_771_850_850_021_u64, "encoded_id": "ABCDEF-123456", "fields": custom,
        "followup_ids": [], "ticket_form_id": 39_771_850_850_022_u64, "brand_id": 39_771_850_850_023_u64,
        "allow_channelback": false, "allow_attachments": true, "from_messaging_channel": false, "support_type": "agent",
        "metric_set": {"url": "https://acme.zendesk.com/api/v2/ticket_metrics/9.json", "id": 9, "ticket_id": 123_456,
            "created_at": "2026-01-05T10:11:12Z", "updated_at": "2026-02-05T10:11:12Z", "group_stations": 1, "assignee_stations": 1,
            "reopens": 0, "replies": 2, "assignee_updated_at": "2026-01-05T10:11:12Z", "requester_updated_at": "2026-01-05T10:11:12Z",
            "status_updated_at": "2026-01-05T10:11:12Z", "initially_assigned_at": "2026-01-05T10:11:12Z",
            "assigned_at": "2026-01-05T10:11:12Z", "solved_at": null, "latest_comment_added_at": "2026-01-05T10:11:12Z",
            "reply_time_in_minutes": metric(5), "first_resolution_time_in_minutes": metric(50), "full_resolution_time_in_minutes": metric(70),
            "agent_wait_time_in_minutes": metric(90), "requester_wait_time_in_minutes": metric(30), "on_hold_time_in_minutes": metric(0),
            "custom_status_updated_at": "2026-01-05T10:11:12Z"}
    })
    .to_string()
}

/// Nanoseconds that this thread has computed: a busy machine does not count. The wall's clock where the system
/// does not tell.
fn cpu(started: Instant) -> u64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let spent = told.and_then(|line| line.split(' ').next()?.parse().ok());
    spent.unwrap_or_else(|| u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX))
}

/// Microseconds of one call: the middle of seven runs, each long enough for the system's clock of threads.
fn micros(mut call: impl FnMut()) -> f64 {
    let started = Instant::now();
    let long = if cfg!(debug_assertions) { 2_000_000 } else { 60_000_000 };
    let mut run = |calls: u32| {
        let before = cpu(started);
        (0..calls).for_each(|_| call());
        cpu(started) - before
    };
    let mut calls = 1;
    while run(calls) < long && calls < 1 << 24 {
        calls *= 2;
    }
    let mut runs: Vec<u64> = (0..7).map(|_| run(calls)).collect();
    runs.sort_unstable();
    runs[3] as f64 / 1e3 / f64::from(calls)
}

#[test]
fn speed_of_a_ticket() {
    let json = ticket();
    let plan = plan("tickets");
    let mut out = Output::new();
    let mut bare = TokensOnly(Privacy::new(tokens(), &["US"]).expect("a region"));
    let by_plan = micros(|| {
        out.clear();
        plan.run(black_box(json.as_bytes()), &GIVEN, &mut bare, &mut out)
            .expect("rows");
        black_box(&out.bytes);
    });
    let mut whole = Privacy::new(tokens(), &["US"]).expect("a region");
    let redacted = micros(|| {
        out.clear();
        plan.run(black_box(json.as_bytes()), &GIVEN, &mut whole, &mut out)
            .expect("rows");
        black_box(&out.bytes);
    });
    let trees = Trees::new();
    let by_trees = micros(|| {
        black_box(trees.rows(black_box(json.as_bytes())));
    });
    let mut copy = Vec::new();
    let copied = micros(|| {
        copy.clear();
        copy.extend_from_slice(black_box(json.as_bytes()));
        black_box(&copy);
    });
    println!(
        "a ticket of {} bytes, {} rows of {} bytes",
        json.len(),
        out.rows.len(),
        out.bytes.len()
    );
    for (way, micros) in [
        ("plan, tokens, no redaction", by_plan),
        ("plan, tokens, patterns in texts", redacted),
        ("serde_json and apache-avro trees, no redaction", by_trees),
        ("memcpy", copied),
    ] {
        println!(
            "{way:<48} {micros:8.2} µs {:>10.0}/s {:6.1}x of the plan",
            1e6 / micros,
            micros / by_plan
        );
    }
}

/// The same rows by trees of values.
struct Trees {
    tables: Vec<(&'static Table, Schema)>,
    tokens: Tokens,
}

impl Trees {
    fn new() -> Self {
        let tables = &collection("tickets").tables;
        let schema = |table: &'static Table| {
            let text = zenfloe_catalog::avro_schema(table, &table.columns.iter().collect::<Vec<_>>());
            (table, Schema::parse_str(&text).expect("a schema"))
        };
        Self {
            tables: tables.iter().map(schema).collect(),
            tokens: tokens(),
        }
    }

    fn rows(&self, json: &[u8]) -> Vec<Vec<u8>> {
        let record: Value = serde_json::from_slice(json).expect("JSON");
        self.tables
            .iter()
            .filter_map(|(table, schema)| {
                let row = match &table.rows {
                    Rows::Record | Rows::RecordWith(_) | Rows::RecordUnless(_) => &record,
                    Rows::Object(path) => find(path, &record, &record)?,
                    Rows::Each { arrays, .. } => find(arrays.first()?, &record, &record)?,
                };
                let writer = GenericDatumWriter::builder(schema).build().expect("a writer");
                Some(writer.write_value_to_vec(self.row(table, &record, row)).expect("a row"))
            })
            .collect()
    }

    fn row(&self, table: &Table, record: &Value, row: &Value) -> Avro {
        let mut fields: Vec<(String, Avro)> = table
            .columns
            .iter()
            .map(|column| {
                let held = find(&column.path, record, row).filter(|value| !value.is_null());
                let value = held.and_then(|value| self.value(column, value));
                let value = match (table.key.contains(&column.name), value) {
                    (true, value) => value.expect("a key"),
                    (false, Some(value)) => Avro::Union(1, Box::new(value)),
                    (false, None) => Avro::Union(0, Box::new(Avro::Null)),
                };
                (column.name.clone(), value)
            })
            .collect();
        let meta = [
            ("received_at", Avro::TimestampMicros(GIVEN.received_at)),
            ("_version", Avro::TimestampMicros(1)),
            ("_extracted_at", Avro::TimestampMicros(GIVEN.extracted_at)),
            ("_raw_partition", Avro::Int(GIVEN.partition)),
            ("_raw_offset", Avro::Long(GIVEN.offset)),
            ("_revision", Avro::Int(GIVEN.revision)),
            ("_deleted", Avro::Boolean(false)),
        ];
        fields.extend(meta.map(|(name, value)| (name.to_owned(), value)));
        Avro::Record(fields)
    }

    fn value(&self, column: &Column, value: &Value) -> Option<Avro> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Some(match (column.action, column.r#type) {
            (Action::Drop, _) => return None,
            (Action::Token, _) => Avro::String(
                self.tokens
                    .token(column.class.as_str(), text(value).to_lowercase().as_bytes()),
            ),
            (_, ColumnType::Timestamp) if column.op == Some(Operation::EpochSeconds) => {
                Avro::TimestampMicros(value.as_i64()? * 1_000_000)
            }
            (_, ColumnType::Timestamp) => {
                Avro::TimestampMicros(value.as_str()?.parse::<jiff::Timestamp>().ok()?.as_microsecond())
            }
            (_, ColumnType::Long) => Avro::Long(value.as_i64()?),
            (_, ColumnType::Boolean) => Avro::Boolean(value.as_bool()?),
            (_, ColumnType::Json) => Avro::String(value.to_string()),
            _ => Avro::String(text(value)),
        })
    }
}

fn find<'v>(path: &Path, record: &'v Value, row: &'v Value) -> Option<&'v Value> {
    let start = if path.from_record { record } else { row };
    path.steps.iter().try_fold(start, |at, step| match step {
        Step::Key(key) => at.get(key),
        Step::Element { key, value } => at
            .as_array()?
            .iter()
            .find(|held| held.get(key).and_then(Value::as_str) == Some(value)),
    })
}
