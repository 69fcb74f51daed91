//! A simulated Snowflake account as a destination, beside the file: the two hold the same.

use std::path::{Path, PathBuf};

use snowflake_sim::{Engine, Fault, Front, Kind, Reader, Settings, User};

use crate::bench::{Bench, binary};

/// The account, and the runtime that serves it.
struct Account {
    runtime: tokio::runtime::Runtime,
    front: Front,
    engine: Engine,
}

fn key(file: &str) -> PathBuf {
    std::path::absolute(Path::new("../../schemas/keyring/tests/keys").join(file)).expect("a folder to run in")
}

impl Account {
    fn start() -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("threads");
        let pem = std::fs::read_to_string(key("public.pem")).expect("a key of the tests");
        let settings = Settings {
            account: "MYORG-ACME".into(),
            users: vec![User::new("loader").with_public_key(&pem).expect("a key of the tests")],
            has_s3_stage: true,
            ..Settings::default()
        };
        let started = runtime.block_on(async {
            let engine = Engine::start(Kind::NativeMerge).await?;
            let front = Front::start(&engine, settings).await?;
            anyhow::Ok((engine, front))
        });
        let (engine, front) = started.expect("fakesnow and the front start");
        Self { runtime, front, engine }
    }

    /// The part of a configuration.
    fn destination(&self) -> String {
        format!(
            "[destinations.snow]\nkind = \"snowflake\"\naccount = \"myorg-acme\"\nuser = \"loader\"\nrole = \"LOADER\"\n\
             warehouse = \"LOAD\"\ndatabase = \"ZENDESK\"\nurl = \"{}\"\nprivate_key_file = \"snow.p8\"\n",
            self.front.url()
        )
    }

    fn rows(&self, table: &str, columns: &[String]) -> Vec<Vec<Option<String>>> {
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let mut rows = self.runtime.block_on(async {
            let reader = Reader::open(self.engine.url(), "ZENDESK", "MART_ZENDESK").await?;
            reader.select(table, &columns).await
        });
        rows.as_mut().expect("the table is there").sort_unstable();
        rows.expect("the table is there")
    }
}

/// The tables of the file, each with the columns whose texts are the same everywhere: numbers and texts.
fn tables(file: &rusqlite::Connection) -> Vec<(String, Vec<String>)> {
    let list = |sql: &str| -> Vec<String> {
        let mut statement = file.prepare(sql).expect("SQL");
        let names = statement.query_map([], |row| row.get(0)).expect("names");
        names.collect::<Result<_, _>>().expect("texts")
    };
    let names = list("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'");
    let columns = |name: String| {
        let sql = format!("SELECT name FROM pragma_table_info('{name}') WHERE type IN ('INTEGER', 'TEXT')");
        let columns = list(&sql);
        (name, columns)
    };
    names.into_iter().map(columns).collect()
}

fn rows_of_file(file: &rusqlite::Connection, table: &str, columns: &[String]) -> Vec<Vec<Option<String>>> {
    let texts: Vec<String> = columns.iter().map(|name| format!("CAST(\"{name}\" AS TEXT)")).collect();
    let mut statement = file
        .prepare(&format!("SELECT {} FROM \"{table}\"", texts.join(", ")))
        .expect("SQL");
    let rows = statement.query_map([], |row| (0..columns.len()).map(|index| row.get(index)).collect());
    let mut rows: Vec<Vec<Option<String>>> = rows.expect("rows").collect::<Result<_, _>>().expect("texts");
    rows.sort_unstable();
    rows
}

fn compare(bench: &Bench, account: &Account) {
    let file = rusqlite::Connection::open(bench.path("warehouse.sqlite")).expect("loaded");
    let tables = tables(&file);
    assert!(tables.len() >= 8, "{tables:?}");
    for (table, columns) in &tables {
        let (ours, theirs) = (rows_of_file(&file, table, columns), account.rows(table, columns));
        assert_eq!(ours.len(), theirs.len(), "{table}");
        for (one, other) in ours.iter().zip(&theirs) {
            for (index, name) in columns.iter().enumerate() {
                assert!(alike(one[index].as_deref(), other[index].as_deref()), "{table}.{name}");
            }
        }
    }
}

/// JSON has more than one spelling.
fn alike(one: Option<&str>, other: Option<&str>) -> bool {
    let parsed = |text: Option<&str>| text.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    one == other || (parsed(one).is_some() && parsed(one) == parsed(other))
}

/// Each table's statements are told apart by their tags.
fn expect_costs(bench: &Bench) {
    let said = bench.expect(&["status", "--cost"], 0);
    assert!(said.out.contains("table, last 24 hours"), "{}", said.out);
    let said = bench.expect(&["status", "--cost", "--json"], 0);
    let told: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    let destinations = &told["sources"]["acme"]["destinations"];
    assert!(destinations["warehouse"].get("cost").is_none(), "a file costs nothing");
    for table in ["tickets", "users", ""] {
        let cost = &destinations["snow"]["cost"]["tables"][table];
        assert!(
            cost["statements"].as_u64().is_some_and(|count| count > 0),
            "{table}: {cost}"
        );
        assert!(
            cost["seconds"].as_f64().is_some() && cost["bytes"].as_u64() > Some(0),
            "{table}: {cost}"
        );
    }
}

/// A loader with nothing to load asks where to begin and then lets the warehouse sleep, tick after tick.
fn expect_idle(bench: &Bench, account: &Account) {
    let text = std::fs::read_to_string(bench.path("zenfloe.toml")).expect("written");
    bench.write(
        "idle.toml",
        &format!("{text}\n[load]\nflush_interval = \"200ms\"\ndiscover = \"300ms\"\n"),
    );
    let mut loader = std::process::Command::new(binary())
        .args(["run", "--config", "idle.toml", "--stage", "load"])
        .current_dir(bench.path(""))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("it starts");
    let mut quiet = 0;
    for _ in 0..300 {
        std::thread::sleep(std::time::Duration::from_millis(100));
        quiet = if account.front.take_statements().is_empty() {
            quiet + 1
        } else {
            0
        };
        // Several ticks, and looks for new topics.
        if quiet == 30 {
            break;
        }
    }
    let is_running = loader.try_wait().expect("a child").is_none();
    loader.kill().expect("a child");
    loader.wait().expect("a child");
    assert!(
        is_running && quiet == 30,
        "a loader that has nothing to do says nothing for 3 s"
    );
}

#[test]
fn snowflake_holds_what_the_file_holds_and_a_check_names_what_is_missing() {
    let (bench, account) = (Bench::new(), Account::start());
    std::fs::copy(key("plain.p8"), bench.path("snow.p8")).expect("written");
    let text = bench
        .config("acme")
        .replace("[admin]", &format!("{}\n[admin]", account.destination()));
    bench.write("zenfloe.toml", &text);
    let said = bench.expect(&["check"], 0);
    for subject in [
        "destination snow: sign-in",
        "destination snow: make tables",
        "destination snow: upload",
    ] {
        assert!(said.out.contains(subject), "{subject}\n{}", said.out);
    }
    bench.expect(&["run", "--once"], 0);
    compare(&bench, &account);
    account.front.take_statements();
    bench.expect(&["run", "--once"], 0);
    compare(&bench, &account);
    let merges = |sql: &&String| sql.starts_with("MERGE");
    let statements = account.front.take_statements();
    assert_eq!(
        statements.iter().filter(merges).count(),
        0,
        "nothing new is nothing to load: {statements:#?}"
    );
    let said = bench.expect(&["status"], 0);
    assert!(said.out.contains("snow"), "{}", said.out);

    expect_costs(&bench);
    expect_idle(&bench, &account);

    let refused = Fault::Refused(
        "003001",
        "SQL access control error: Insufficient privileges to operate on schema",
    );
    account.front.fail("CREATE OR REPLACE TEMP", refused, 0, 1);
    let said = bench.expect(&["check"], 9);
    assert!(
        said.out
            .contains("GRANT CREATE TEMPORARY TABLE ON SCHEMA ZENDESK.MART_ZENDESK TO ROLE LOADER;"),
        "{}",
        said.out
    );
    let quota = Fault::Refused(
        "090073",
        "Warehouse 'LOAD' cannot be resumed because resource monitor exceeded its quota",
    );
    account.front.fail("SELECT", quota, 0, 1);
    let said = bench.expect(&["run", "--stage", "load", "--once"], 4);
    assert!(said.err.contains("raise the resource monitor's quota"), "{}", said.err);
}

/// Answers the first request with a refusal and returns its first line.
fn refuse_one(proxy: &std::net::TcpListener) -> String {
    use std::io::{BufRead as _, Write as _};
    let (mut stream, _) = proxy.accept().expect("somebody asks");
    let reader = std::io::BufReader::new(stream.try_clone().expect("a socket"));
    let mut lines = reader.lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    lines.find(String::is_empty);
    let refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    stream.write_all(refusal).expect("it listens");
    first
}

#[test]
fn the_account_is_asked_through_the_proxy_of_the_environment_alone() {
    let bench = Bench::new();
    std::fs::copy(key("plain.p8"), bench.path("snow.p8")).expect("written");
    let destination = "[destinations.snow]\nkind = \"snowflake\"\naccount = \"myorg-acme\"\nuser = \"loader\"\n\
        database = \"ZENDESK\"\nprivate_key_file = \"snow.p8\"\nretry_timeout = \"10ms\"\n";
    let text = bench
        .config("acme")
        .replace("[admin]", &format!("{destination}\n[admin]"));
    bench.write("zenfloe.toml", &text);
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", proxy.local_addr().expect("bound"));
    let asked = std::thread::spawn(move || refuse_one(&proxy));
    let output = std::process::Command::new(binary())
        .args(["check"])
        .current_dir(bench.path(""))
        .env("HTTPS_PROXY", address)
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        asked.join().expect("it was asked"),
        "CONNECT myorg-acme.snowflakecomputing.com:443 HTTP/1.1",
        "{said}"
    );
    assert_eq!(output.status.code(), Some(9), "{said}");
    assert!(
        said.contains("may this machine (and its proxy) reach myorg-acme.snowflakecomputing.com by HTTPS"),
        "{said}"
    );
}
