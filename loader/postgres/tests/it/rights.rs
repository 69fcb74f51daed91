//! Sign-ins and rights that are refused: a person is needed, and told what to do.

use zenfloe_destination::contract::Sample;
use zenfloe_destination::{Class, Destination, LoadError};
use zenfloe_postgres::Config;

use crate::{Database, destination, flush, place};

fn as_user(database: &Database, user: &str, name: &str) -> Config {
    Config {
        url: Some(format!("postgres://{user}@127.0.0.1:{}/{name}", database.server.port)),
        ..database.config()
    }
}

async fn refusal(config: Config) -> String {
    match destination(config).open().await {
        Err(error @ LoadError::Forbidden { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn who_may_not_is_told_what_is_missing() {
    let database = Database::new().await;
    database
        .query("CREATE ROLE loader LOGIN; REVOKE TEMPORARY ON DATABASE mart FROM public")
        .await;
    let config = || as_user(&database, "loader", "mart");
    assert!(refusal(as_user(&database, "nobody", "mart")).await.contains("nobody"));
    assert!(refusal(as_user(&database, "loader", "absent")).await.contains("absent"));
    // No schema, and no right to make one.
    assert!(refusal(config()).await.contains("permission denied"));
    database
        .query("CREATE SCHEMA mart_zendesk; GRANT USAGE ON SCHEMA mart_zendesk TO loader")
        .await;
    assert!(refusal(config()).await.contains("permission denied"));
    database.query("GRANT CREATE ON SCHEMA mart_zendesk TO loader").await;
    assert!(
        refusal(config())
            .await
            .contains("GRANT TEMPORARY ON DATABASE mart TO loader")
    );
    database.query("GRANT TEMPORARY ON DATABASE mart TO loader").await;
    let loader = destination(config());
    loader.open().await.expect("all that loading needs");

    // Rights that are taken away later stop the loader as well.
    let (target, topic) = place();
    loader
        .prepare(&target, &Sample::new("things").shape())
        .await
        .expect("a new table");
    loader.positions(&target, &topic, &[0]).await.expect("entered");
    database
        .query("REVOKE INSERT ON mart_zendesk.things FROM loader; ALTER TABLE mart_zendesk.things OWNER TO zf")
        .await;
    let error = loader
        .flush(flush(0, &[zenfloe_destination::contract::Line::new(1, 1)]))
        .await
        .expect_err("refused");
    assert_eq!(error.class(), Class::Stop, "{error}");
    assert!(matches!(error, LoadError::Forbidden { .. }), "{error:?}");
    database.query("GRANT ALL ON mart_zendesk.things TO loader").await;
    loader
        .flush(flush(0, &[zenfloe_destination::contract::Line::new(1, 1)]))
        .await
        .expect("the same session goes on");
}

#[tokio::test]
async fn a_server_that_is_away_or_full_is_waited_for() {
    let database = Database::new().await;
    let mut config = database.config();
    config.url = Some("postgres://zf@127.0.0.1:1/mart".into());
    let error = destination(config).open().await.expect_err("nobody listens");
    assert_eq!(error.class(), Class::Retry, "{error}");

    database
        .query("CREATE ROLE one LOGIN SUPERUSER CONNECTION LIMIT 0; ALTER ROLE one NOSUPERUSER")
        .await;
    let error = destination(as_user(&database, "one", "mart"))
        .open()
        .await
        .expect_err("no connection is left");
    assert_eq!(error.class(), Class::Retry, "{error}");
}
