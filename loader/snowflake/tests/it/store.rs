//! A store under test: an engine, with or without the front before it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use snowflake_sim::{Engine, Front, Kind, Reader, Settings, User};
use tempfile::TempDir;
use zenfloe_destination::contract::Subject;
use zenfloe_destination::{Destination, Faults};
use zenfloe_snowflake::{Authenticator, Config, Snowflake, Upsert};

pub(crate) const ACCOUNT: &str = "MYORG-ACME";

pub(crate) struct Store {
    engine: Arc<Engine>,
    pub(crate) front: Option<Front>,
    pub(crate) config: Config,
    _folder: TempDir,
}

/// Keys of the tests.
pub(crate) fn key(file: &str) -> PathBuf {
    std::path::absolute(Path::new("../../schemas/keyring/tests/keys").join(file)).expect("a folder to run in")
}

/// The account that the front simulates.
pub(crate) fn settings() -> Settings {
    let pem = std::fs::read_to_string(key("public.pem")).expect("a key of the tests");
    let user = User::new("loader").with_public_key(&pem).expect("a key of the tests");
    Settings {
        account: ACCOUNT.into(),
        users: vec![user.with_token("a-token")],
        has_s3_stage: true,
        ..Settings::default()
    }
}

impl Store {
    /// fakesnow as it is published.
    pub(crate) async fn published() -> Self {
        let engine = Engine::shared(Kind::Plain).await.expect("fakesnow starts");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let token = folder.path().join("token");
        std::fs::write(&token, "anything\n").expect("writable");
        let config = Config {
            url: Some(engine.url().to_owned()),
            authenticator: Authenticator::AccessToken,
            token_file: Some(token),
            private_key_file: None,
            upsert: Upsert::UpdateInsert,
            ..config()
        };
        Self {
            engine,
            front: None,
            config,
            _folder: folder,
        }
    }

    /// The front before fakesnow.
    pub(crate) async fn fronted(settings: Settings) -> Self {
        let engine = Engine::shared(Kind::NativeMerge).await.expect("fakesnow starts");
        let front = Front::start(&engine, settings).await.expect("the front starts");
        let config = Config {
            url: Some(front.url()),
            ..config()
        };
        Self {
            engine,
            front: Some(front),
            config,
            _folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    pub(crate) fn front(&self) -> &Front {
        self.front.as_ref().expect("started with a front")
    }

    /// Another front before the same engine.
    pub(crate) async fn with_front(&mut self, settings: Settings) {
        let front = Front::start(&self.engine, settings).await.expect("the front starts");
        self.config.url = Some(front.url());
        self.front = Some(front);
    }

    pub(crate) fn snowflake(&self, faults: Arc<Faults>) -> Snowflake {
        Snowflake::with_faults(self.config.clone(), faults).expect("the configuration is complete")
    }

    pub(crate) async fn reader(&self) -> Reader {
        let reader = Reader::open(self.engine.url(), "ZENDESK", &self.config.schema.to_ascii_uppercase()).await;
        reader.expect("a session")
    }

    /// A table's rows, cells joined by `|`, null as `-`.
    pub(crate) async fn rows(&self, table: &str, columns: &[&str]) -> Vec<String> {
        let rows = self.select(table, columns).await;
        let joined = |row: &Vec<Option<String>>| {
            let cells: Vec<&str> = row.iter().map(|cell| cell.as_deref().unwrap_or("-")).collect();
            cells.join("|")
        };
        rows.iter().map(joined).collect()
    }
}

fn config() -> Config {
    Config {
        account: ACCOUNT.to_ascii_lowercase(),
        user: "loader".into(),
        database: "ZENDESK".into(),
        schema: Engine::new_schema(),
        private_key_file: Some(key("plain.p8")),
        retry_timeout: Duration::from_secs(20),
        ..Config::default()
    }
}

#[async_trait]
impl Subject for Store {
    async fn open(&self, faults: Arc<Faults>) -> Arc<dyn Destination> {
        Arc::new(self.snowflake(faults))
    }

    async fn select(&self, table: &str, columns: &[&str]) -> Vec<Vec<Option<String>>> {
        let reader = self.reader().await;
        reader.select(table, columns).await.expect("the table is there")
    }
}
