//! The front against Snowflake's own Python connector, and its refusals of signed tokens one by one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::data_type::Int64Type;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use snowflake_sim::{Engine, Fault, Format, Front, Kind, Settings, User, connector_5, programs};

fn key(file: &str) -> PathBuf {
    std::path::absolute(Path::new("../../schemas/keyring/tests/keys").join(file)).expect("a folder to run in")
}

fn settings() -> Settings {
    let pem = std::fs::read_to_string(key("public.pem")).expect("a key of the tests");
    Settings {
        account: "MYORG-ACME".into(),
        users: vec![User::new("loader").with_public_key(&pem).expect("a key of the tests")],
        ..Settings::default()
    }
}

/// A file of three rows.
fn parquet(path: &Path) {
    let schema = Arc::new(parse_message_type("message rows { required int64 C0; }").expect("a schema"));
    let file = std::fs::File::create(path).expect("writable");
    let mut writer = SerializedFileWriter::new(file, schema, Arc::default()).expect("a writer");
    let mut group = writer.next_row_group().expect("a group");
    let mut column = group.next_column().expect("a column").expect("the first");
    column
        .typed::<Int64Type>()
        .write_batch(&[1, 2, 3], None, None)
        .expect("three rows");
    column.close().expect("whole");
    group.close().expect("whole");
    writer.close().expect("whole");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn snowflakes_own_connector_is_served() {
    expect_served(&programs().expect("installed")).await;
}

/// All but uploads, which its core sends by HTTPS to host names of Amazon's alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn snowflakes_connector_of_the_fifth_generation_is_served() {
    expect_served(&connector_5().expect("installed")).await;
}

async fn expect_served(programs: &Path) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (script, file) = (folder.path().join("connector.py"), folder.path().join("rows.parquet"));
    std::fs::write(&script, include_str!("connector.py")).expect("writable");
    parquet(&file);
    for format in [Format::Arrow, Format::ArrowChunks, Format::Json] {
        let engine = Engine::start(Kind::NativeMerge).await.expect("fakesnow starts");
        let front = Front::start(&engine, Settings { format, ..settings() })
            .await
            .expect("the front starts");
        front.fail("/* EXPIRED */", Fault::Expired, 0, 1);
        front.fail("/* LOST */", Fault::LostReply, 0, 1);
        front.fail("/* SLOW */", Fault::Slow(2), 0, 1);
        front.fail("/* STATUS */", Fault::Status(503, None), 0, 1);
        front.fail(
            "/* BUSY */",
            Fault::Refused("000625", "statement has locked table T"),
            0,
            1,
        );
        let port = front.url().rsplit(':').next().expect("a port").to_owned();
        let mut python = tokio::process::Command::new(programs.join("python"));
        python
            .arg(&script)
            .arg(port)
            .arg(key("plain.p8"))
            .arg(&file)
            .kill_on_drop(true);
        let output = python.output().await.expect("Python runs");
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(output.status.success(), "{format:?}:\n{out}\n{err}");
        println!("{format:?}: {out}");
        assert!(front.repeated() >= 1, "{format:?}: the connector sent a request twice");
    }
}
