//! Connections that are encrypted, and servers that are not who they say.

use std::path::PathBuf;

use zenfloe_destination::{Destination, LoadError};
use zenfloe_harness::{Postgres as Server, PostgresConfig};
use zenfloe_postgres::{Config, Tls};

use crate::destination;

struct Secured {
    server: Server,
    folder: tempfile::TempDir,
}

impl Secured {
    async fn new() -> Self {
        let tls = PostgresConfig {
            tls: true,
            ..PostgresConfig::default()
        };
        let server = Server::start_with(tls).await.expect("a server");
        let folder = tempfile::tempdir().expect("a folder");
        let password = server.password.clone().expect("one is asked for");
        std::fs::write(folder.path().join("password"), format!("{password}\n")).expect("written");
        Self { server, folder }
    }

    fn password_file(&self) -> PathBuf {
        self.folder.path().join("password")
    }

    fn config(&self, host: &str, tls: Tls) -> Config {
        Config {
            host: Some(host.into()),
            port: self.server.port,
            user: Some(self.server.user.clone()),
            database: Some("postgres".into()),
            password_file: Some(self.password_file()),
            ca_file: self.server.ca.clone(),
            tls,
            ..Config::default()
        }
    }
}

async fn refusal(config: Config) -> String {
    match destination(config).open().await {
        Err(error @ LoadError::Forbidden { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn sessions_are_encrypted_and_servers_verified() {
    let secured = Secured::new().await;
    destination(secured.config("127.0.0.1", Tls::Verify))
        .open()
        .await
        .expect("the authority is trusted");
    let seen = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'zenfloe-load'";
    let open = destination(secured.config("127.0.0.1", Tls::Require));
    open.open().await.expect("encrypted is enough");
    assert_eq!(secured.server.query("postgres", seen).await.expect("a row"), "t");

    // An authority that this server's certificate does not come from: the system's own, or none at all.
    let mut strangers = secured.config("127.0.0.1", Tls::Verify);
    strangers.ca_file = Some(secured.password_file());
    assert!(refusal(strangers).await.contains("authority"));
    let stranger = Secured::new().await;
    let mut other = secured.config("127.0.0.1", Tls::Verify);
    other.ca_file = stranger.server.ca.clone();
    assert!(refusal(other).await.contains("certificate"));

    assert!(
        refusal(secured.config("127.0.0.1", Tls::Disable))
            .await
            .contains("no encryption")
    );
    let wrong = secured.folder.path().join("wrong");
    std::fs::write(&wrong, "wrong").expect("written");
    let mut config = secured.config("127.0.0.1", Tls::Verify);
    config.password_file = Some(wrong);
    assert!(refusal(config).await.contains("password authentication failed"));
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_asked_for() {
    let database = crate::Database::new().await;
    let config = Config {
        tls: Tls::Require,
        ..database.config()
    };
    assert!(refusal(config).await.contains("TLS"));
}
