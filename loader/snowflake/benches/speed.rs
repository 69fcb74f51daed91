//! 100,000 rows of 40 columns: the loader beside plain PUT, COPY and MERGE of the same rows, in one run.
//!
//! Prints the rates, their ratio and the loader's memory; judges nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::json;
use snowflake_sim::{Engine, Kind, Reader};
use zenfloe_destination::{Cover, Destination, Flush, META, Mode, Row, RowKind, TableShape, Target, TopicRef};
use zenfloe_record::{Origin, RowVersion};
use zenfloe_snowflake::{Authenticator, Config, Snowflake};

const ROWS: i64 = 100_000;
const TEXTS: usize = 24;
const NUMBERS: usize = 8;
const GROUP: i64 = 10_000;
const ROUNDS: i64 = 3;

/// A text of about 100 bytes that repeats as words of a help desk do.
fn text(id: i64, column: usize, round: i64) -> String {
    let words = [
        "printer", "invoice", "password", "delivery", "refund", "router", "licence", "contract",
    ];
    let mut state = (id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ column as u64 ^ (round as u64) << 32;
    let mut out = format!("{id}-{column}-{round}");
    while out.len() < 100 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        out.push(' ');
        out.push_str(words[(state >> 60) as usize % words.len()]);
    }
    out
}

fn number(id: i64, column: usize, round: i64) -> i64 {
    id * (column as i64 + 3) + round
}

fn version(round: i64) -> i64 {
    1_700_000_000_000_000 + round
}

fn shape() -> Arc<TableShape> {
    let mut fields = vec![json!({"name": "id", "type": "long"})];
    fields.extend((0..TEXTS).map(|n| json!({"name": format!("t{n}"), "type": ["null", "string"]})));
    fields.extend((0..NUMBERS).map(|n| json!({"name": format!("n{n}"), "type": ["null", "long"]})));
    for (name, kind) in META {
        use zenfloe_destination::ColumnType::{Boolean, Int, Timestamp};
        let plain = match kind {
            Timestamp => json!({"type": "long", "logicalType": "timestamp-micros"}),
            Int => json!("int"),
            Boolean => json!("boolean"),
            _ => json!("long"),
        };
        fields.push(json!({"name": name, "type": plain}));
    }
    let schema =
        json!({"type": "record", "name": "t", "zenfloe.table": "speed", "zenfloe.key": ["id"], "fields": fields});
    Arc::new(TableShape::parse(1, &schema.to_string()).expect("a legal schema"))
}

fn long(to: &mut Vec<u8>, number: i64) {
    let mut left = ((number << 1) ^ (number >> 63)) as u64;
    while left >= 0x80 {
        to.push(left as u8 | 0x80);
        left >>= 7;
    }
    to.push(left as u8);
}

fn row(shape: &Arc<TableShape>, id: i64, round: i64) -> Row {
    let mut body = Vec::with_capacity(3_000);
    long(&mut body, id);
    for column in 0..TEXTS {
        let text = text(id, column, round);
        body.push(2);
        long(&mut body, text.len() as i64);
        body.extend(text.as_bytes());
    }
    for column in 0..NUMBERS {
        body.push(2);
        long(&mut body, number(id, column, round));
    }
    for meta in [version(round), version(round), version(round), 0, id, 1] {
        long(&mut body, meta);
    }
    body.push(0);
    Row {
        partition: 0,
        offset: id,
        kind: RowKind::Live,
        key: Bytes::from(id.to_string()),
        version: RowVersion {
            version: version(round),
            extracted_at: version(round),
            raw_offset: id,
            revision: 1,
        },
        origin: Origin {
            topic: "acme.raw.speed".into(),
            partition: 0,
            offset: id,
        },
        body: body.into(),
        shape: shape.clone(),
        is_rewritten: false,
    }
}

/// The same rows as a file that a plain load takes.
fn file(path: &Path, round: i64) {
    let mut schema = String::from("message rows { optional int64 C0; ");
    for column in 1..=TEXTS + NUMBERS {
        let kind = if column <= TEXTS { "binary" } else { "int64" };
        let logical = if column <= TEXTS { " (UTF8)" } else { "" };
        schema += &format!("optional {kind} C{column}{logical}; ");
    }
    for column in TEXTS + NUMBERS + 1..=TEXTS + NUMBERS + 7 {
        schema += &format!("optional int64 C{column}; ");
    }
    schema.push('}');
    let schema = Arc::new(parse_message_type(&schema).expect("a schema"));
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let properties = WriterProperties::builder().set_compression(zstd).build();
    let out = std::fs::File::create(path).expect("writable");
    let mut writer = SerializedFileWriter::new(out, schema, Arc::new(properties)).expect("a writer");
    for first in (0..ROWS).step_by(GROUP as usize) {
        let ids = first..first + GROUP;
        let levels = vec![1; GROUP as usize];
        let mut group = writer.next_row_group().expect("a group");
        for column in 0..TEXTS + NUMBERS + 8 {
            let mut out = group.next_column().expect("a column").expect("of the schema");
            if (1..=TEXTS).contains(&column) {
                let values: Vec<ByteArray> = ids
                    .clone()
                    .map(|id| text(id, column - 1, round).into_bytes().into())
                    .collect();
                out.typed::<ByteArrayType>()
                    .write_batch(&values, Some(&levels), None)
                    .expect("written");
            } else {
                let value = |id: i64| match column {
                    0 => id,
                    column if column <= TEXTS + NUMBERS => number(id, column - TEXTS - 1, round),
                    column if column < TEXTS + NUMBERS + 4 => version(round),
                    column if column == TEXTS + NUMBERS + 5 => id,
                    _ => 0,
                };
                let values: Vec<i64> = ids.clone().map(value).collect();
                out.typed::<Int64Type>()
                    .write_batch(&values, Some(&levels), None)
                    .expect("written");
            }
            out.close().expect("whole");
        }
        group.close().expect("whole");
    }
    writer.close().expect("whole");
}

/// The rows of a file into a table, as anybody would.
struct Plain {
    reader: Reader,
    names: Vec<String>,
}

impl Plain {
    async fn new(engine: &Engine) -> Self {
        let reader = Reader::open(engine.url(), "ZENDESK", "PLAIN").await.expect("a session");
        let mut names = vec!["ID".to_owned()];
        names.extend((0..TEXTS).map(|n| format!("T{n}")));
        names.extend((0..NUMBERS).map(|n| format!("N{n}")));
        names.extend((0..7).map(|n| format!("M{n}")));
        let kind = |name: &String| {
            if name.starts_with('T') {
                "VARCHAR"
            } else {
                "NUMBER(38,0)"
            }
        };
        let columns: Vec<String> = names.iter().map(|name| format!("{name} {}", kind(name))).collect();
        let columns = columns.join(", ");
        for sql in [
            "CREATE STAGE PLAIN_STAGE".to_owned(),
            format!("CREATE TABLE PLAIN ({columns})"),
            format!("CREATE TEMPORARY TABLE PLAIN_STAGED ({columns})"),
        ] {
            reader.query(&sql).await.expect("made");
        }
        Self { reader, names }
    }

    async fn load(&self, file: &Path) -> Duration {
        self.reader.query("TRUNCATE TABLE PLAIN_STAGED").await.expect("emptied");
        let names = self.names.join(", ");
        let (values, sets): (Vec<_>, Vec<_>) = self
            .names
            .iter()
            .enumerate()
            .map(|(n, name)| {
                let kind = if name.starts_with('T') {
                    "VARCHAR"
                } else {
                    "NUMBER(38,0)"
                };
                (format!("$1:C{n}::{kind}"), format!("{name} = S.{name}"))
            })
            .unzip();
        let staged: Vec<String> = self.names.iter().map(|name| format!("S.{name}")).collect();
        let begun = Instant::now();
        self.reader.put(file, "PLAIN_STAGE").await.expect("uploaded");
        let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
        for sql in [
            "BEGIN".to_owned(),
            format!(
                "COPY INTO PLAIN_STAGED ({names}) FROM (SELECT {} FROM @PLAIN_STAGE/{name}) FILE_FORMAT=(TYPE=PARQUET) FORCE=TRUE",
                values.join(", ")
            ),
            format!(
                "MERGE INTO PLAIN T USING (SELECT * FROM PLAIN_STAGED) S ON T.ID = S.ID WHEN MATCHED THEN UPDATE SET {} \
                 WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({})",
                sets[1..].join(", "),
                staged.join(", ")
            ),
            "COMMIT".to_owned(),
        ] {
            self.reader.query(&sql).await.expect("run");
        }
        begun.elapsed()
    }
}

/// A number of `/proc/self/status`, in MiB.
fn memory(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}

fn rate(took: Duration) -> f64 {
    ROWS as f64 / took.as_secs_f64()
}

struct Ours {
    snowflake: Snowflake,
    shape: Arc<TableShape>,
    target: Target,
    topic: TopicRef,
}

impl Ours {
    async fn new(engine: &Engine, token: PathBuf) -> Self {
        let config = Config {
            account: "myorg-acme".into(),
            url: Some(engine.url().to_owned()),
            user: "loader".into(),
            database: "ZENDESK".into(),
            authenticator: Authenticator::AccessToken,
            token_file: Some(token),
            ..Config::default()
        };
        let ours = Self {
            snowflake: Snowflake::new(config).expect("complete"),
            shape: shape(),
            target: Target {
                table: "speed".into(),
                mode: Mode::Upsert,
            },
            topic: TopicRef {
                name: "acme.clean.speed".into(),
                id: "1".into(),
            },
        };
        ours.snowflake.prepare(&ours.target, &ours.shape).await.expect("made");
        ours.snowflake
            .positions(&ours.target, &ours.topic, &[0])
            .await
            .expect("entered");
        ours
    }

    /// How long encoding took, rows made included, and how long the flush.
    async fn load(&self, round: i64) -> (Duration, Duration) {
        let begun = Instant::now();
        let mut spool = self
            .snowflake
            .spool(std::slice::from_ref(&self.shape))
            .expect("rows wait on disk");
        for id in 0..ROWS {
            spool.push(&row(&self.shape, id, round)).expect("on disk");
        }
        let encoded = begun.elapsed();
        let (from, to) = (round * ROWS, (round + 1) * ROWS);
        let cover = Cover { partition: 0, from, to };
        let head = Flush::new(
            self.target.clone(),
            self.topic.clone(),
            vec![cover],
            Vec::new(),
            Vec::new(),
        );
        let disk = spool.on_disk() >> 20;
        let begun = Instant::now();
        let loaded = spool.flush(&head).await.expect("in order");
        assert_eq!(loaded.written, ROWS as u64);
        println!("round {round}: {disk} MiB of Parquet");
        (encoded, begun.elapsed())
    }
}

#[tokio::main]
async fn main() {
    let engine = Engine::start(Kind::NativeMerge).await.expect("fakesnow starts");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let token = folder.path().join("token");
    std::fs::write(&token, "anything").expect("writable");
    let (ours, plain) = (Ours::new(&engine, token).await, Plain::new(&engine).await);
    let body = row(&ours.shape, 1, 0).body.len();
    println!(
        "{ROWS} rows of {} columns, {body} bytes of Avro each",
        ours.shape.columns.len()
    );
    for round in 0..ROUNDS {
        // Resets the peak of the resident set: <https://man7.org/linux/man-pages/man5/proc_pid_clear_refs.5.html>.
        drop(std::fs::write("/proc/self/clear_refs", "5"));
        let (encoded, flushed) = ours.load(round).await;
        let peak = memory("VmHWM");
        let path = folder.path().join(format!("plain_{round}.parquet"));
        file(&path, round);
        let plainly = plain.load(&path).await;
        println!(
            "round {round}: loader {:.0} rows/s ({:.2} s, encoding {:.2} s before it), plain {:.0} rows/s ({:.2} s): {:.0} % \
             ({:.0} % with encoding); {peak:.0} MiB resident at most",
            rate(flushed),
            flushed.as_secs_f64(),
            encoded.as_secs_f64(),
            rate(plainly),
            plainly.as_secs_f64(),
            100.0 * plainly.as_secs_f64() / flushed.as_secs_f64(),
            100.0 * plainly.as_secs_f64() / (encoded + flushed).as_secs_f64(),
        );
    }
}
