//! What needs a person, and rows that are refused.

use std::sync::Arc;

use snowflake_sim::{Fault, Settings};
use zenfloe_destination::contract::Line;
use zenfloe_destination::{Class, Destination, Faults, LoadError, Mode};
use zenfloe_snowflake::{Authenticator, Config, Snowflake};

use crate::bench::Bench;
use crate::store::{Store, key, settings};

async fn refused(config: Config) -> String {
    let error = match Snowflake::new(config) {
        Ok(snowflake) => snowflake.open().await.expect_err("refused"),
        Err(error) => error,
    };
    assert_eq!(error.class(), Class::Stop, "{error}");
    error.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sign_in_works_in_every_way_and_its_refusals_say_what_to_check() {
    let mut store = Store::fronted(settings()).await;
    let schema = store.config.schema.to_ascii_uppercase();
    let names = ["ZENDESK", &schema, "LOAD", "LOADER"].map(str::to_owned).into();
    store.with_front(Settings { names, ..settings() }).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (passphrase, token) = (folder.path().join("passphrase"), folder.path().join("token"));
    std::fs::write(&passphrase, "opensesame\n").expect("writable");
    std::fs::write(&token, "a-token").expect("writable");
    let base = store.config.clone();
    let with_key = |file: &str| Config {
        private_key_file: Some(key(file)),
        passphrase_file: Some(passphrase.clone()),
        ..base.clone()
    };
    let with_token = |authenticator| Config {
        authenticator,
        private_key_file: None,
        token_file: Some(token.clone()),
        ..base.clone()
    };
    let whole = Config {
        role: Some("loader".into()),
        warehouse: Some("load".into()),
        ..with_key("des3.p8")
    };
    for config in [
        base.clone(),
        with_key("aes256.p8"),
        whole,
        with_token(Authenticator::Oauth),
        with_token(Authenticator::AccessToken),
    ] {
        let snowflake = Snowflake::new(config.clone()).expect("complete");
        snowflake
            .open()
            .await
            .unwrap_or_else(|error| panic!("{config:?}: {error}"));
    }

    let no_passphrase = Config {
        passphrase_file: None,
        ..with_key("aes256.p8")
    };
    std::fs::write(folder.path().join("stale"), "stale").expect("writable");
    let stale = Config {
        token_file: Some(folder.path().join("stale")),
        ..with_token(Authenticator::Oauth)
    };
    let named = |change: fn(&mut Config)| {
        let mut config = base.clone();
        change(&mut config);
        config
    };
    let cases = [
        (with_key("other.p8"), "RSA_PUBLIC_KEY"),
        (no_passphrase, "no passphrase was given"),
        (with_key("absent.p8"), "absent.p8` cannot be read"),
        (stale, "token is fresh"),
        (named(|config| config.user = "nobody".into()), "NOBODY"),
        (named(|config| config.account = "myorg-other".into()), "390201"),
        (
            named(|config| config.warehouse = Some("absent".into())),
            "warehouse `absent` does not exist",
        ),
        (
            named(|config| config.role = Some("absent".into())),
            "role `absent` does not exist",
        ),
        (
            named(|config| config.database = "absent".into()),
            "database `absent` does not exist",
        ),
        (
            named(|config| config.schema = "absent".into()),
            "schema `absent` does not exist",
        ),
        (
            named(|config| config.url = Some("ftp://x".into())),
            "`url` is not understood",
        ),
    ];
    for (config, says) in cases {
        let error = refused(config).await;
        assert!(error.contains(says), "{says}: {error}");
    }
    store.front().fail("LOGIN", Fault::Status(403, None), 0, 1);
    assert!(refused(base.clone()).await.contains("is `account` right"));
    for (code, message, says) in [
        (
            "003001",
            "Insufficient privileges to operate on table 'T'",
            "`zenfloe check` tries each grant",
        ),
        ("000606", "No active warehouse selected", "name a `warehouse`"),
        ("000607", "Warehouse 'LOAD' is suspended", "ALTER WAREHOUSE"),
        (
            "090073",
            "Warehouse 'LOAD' cannot be resumed because resource monitor exceeded its quota.",
            "raise the resource monitor's quota",
        ),
    ] {
        store.front().fail("SELECT", Fault::Refused(code, message), 0, 1);
        let error = refused(base.clone()).await;
        assert!(error.contains(says) && error.contains(message), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_names_each_grant_that_is_missing() {
    let store = Store::fronted(settings()).await;
    let config = Config {
        role: Some("LOADER".into()),
        warehouse: Some("LOAD".into()),
        ..store.config.clone()
    };
    let snowflake = Snowflake::new(config.clone()).expect("complete");
    let found = snowflake.check().await;
    assert!(
        found.len() == 8 && found.iter().all(|finding| finding.remedy.is_none()),
        "{found:#?}"
    );
    let schema = config.schema.to_ascii_uppercase();
    let on_schema = |what: &str| format!("GRANT {what} ON SCHEMA ZENDESK.{schema} TO ROLE LOADER;");
    for (part, subject, remedy) in [
        ("INFORMATION_SCHEMA", "read the schema", on_schema("USAGE")),
        ("CREATE TABLE", "make tables", on_schema("CREATE TABLE")),
        ("DELETE FROM", "change tables", "GRANT OWNERSHIP ON ALL TABLES".into()),
        (
            "CREATE OR REPLACE TEMP",
            "make staging tables",
            on_schema("CREATE TEMPORARY TABLE"),
        ),
        (
            "FLATTEN",
            "warehouse",
            "GRANT USAGE, OPERATE ON WAREHOUSE LOAD TO ROLE LOADER;".into(),
        ),
        ("CREATE OR REPLACE VIEW", "make views", on_schema("CREATE VIEW")),
        (
            "PUT 'file",
            "upload",
            format!("GRANT READ, WRITE ON STAGE ZENDESK.{schema}.LOAD_STAGE TO ROLE LOADER;"),
        ),
    ] {
        let refused = Fault::Refused("003001", "SQL access control error: Insufficient privileges");
        store.front().fail(part, refused, 0, 1);
        let found = snowflake.check().await;
        let bad: Vec<_> = found.iter().filter(|finding| finding.remedy.is_some()).collect();
        assert!(bad.len() == 1 && bad[0].subject == subject, "{part}: {found:#?}");
        assert!(
            bad[0].remedy.as_ref().is_some_and(|held| held.contains(&remedy)),
            "{part}: {bad:#?}"
        );
        assert!(bad[0].found.contains("Insufficient privileges"), "{bad:#?}");
    }
    let absent = Config {
        warehouse: Some("absent".into()),
        ..config
    };
    let mut strict = store;
    let names = ["ZENDESK", &schema, "LOADER"].map(str::to_owned).into();
    strict.with_front(Settings { names, ..settings() }).await;
    let found = Snowflake::new(Config {
        url: strict.config.url.clone(),
        ..absent
    })
    .expect("complete")
    .check()
    .await;
    assert!(
        found.len() == 1 && found[0].found.contains("warehouse `absent` does not exist"),
        "{found:#?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_rows_are_found_by_halving() {
    let mut store = Store::fronted(settings()).await;
    store.front().poison(Some("POISON"));
    for (table, inline_rows, count) in [("b_inline", 5_000, 200), ("b_file", 0, 600)] {
        store.config.inline_rows = inline_rows;
        let bench = Bench::new(&store, table, Mode::Upsert, 1).await;
        let bad = [3, 150, count - 1];
        let lines = (0..count).map(|id| match bad.contains(&id) {
            true => Line::new(id, 1).note("holds POISON"),
            false => Line::new(id, 1),
        });
        let flush = Arc::new(bench.flush_of(0, lines.collect(), Vec::new()));
        let error = bench.snowflake.flush(flush.clone()).await.expect_err("refused");
        assert!(!error.to_string().contains("POISON"), "{error}");
        let LoadError::Refused { rows, .. } = error else {
            panic!("{table}: {error}");
        };
        let offsets: Vec<_> = rows.iter().map(|row| row.offset).collect();
        assert_eq!(offsets, bad, "{table}");
        assert_eq!(store.rows(table, &["id"]).await.len(), 0, "nothing is committed");
        let (kept, out) = flush.without(|row| offsets.contains(&row.offset));
        assert_eq!(out.len(), bad.len());
        let loaded = bench.snowflake.flush(Arc::new(kept)).await.expect("the rest is taken");
        assert_eq!(loaded.written, count as u64 - bad.len() as u64, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_is_away_is_waited_for() {
    let store = Store::fronted(settings()).await;
    let config = Config {
        url: Some("http://127.0.0.1:1".into()),
        retry_timeout: std::time::Duration::from_millis(50),
        ..store.config.clone()
    };
    let away = Snowflake::new(config)
        .expect("complete")
        .open()
        .await
        .expect_err("nobody answers");
    assert_eq!(away.class(), Class::Retry, "{away}");
    assert!(away.to_string().contains("is not reached"), "{away}");
    let snowflake = store.snowflake(Faults::none());
    store.front().fail("LOGIN", Fault::Status(502, None), 0, 2);
    snowflake.open().await.expect("it came back");
}
