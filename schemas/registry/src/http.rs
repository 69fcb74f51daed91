//! A registry that speaks Confluent's protocol.

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, ClientBuilder, Method, StatusCode};
use schema_registry_converter::async_impl::schema_registry::{SrSettings, get_schema_by_id, post_schema};
use schema_registry_converter::error::SRCError;
use schema_registry_converter::schema_registry_common::{RawError, SchemaType, SuppliedSchema};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::error::broken;
use crate::{Config, Registry, RegistryError};

/// The level that every subject of ours has.
const LEVEL: &str = "BACKWARD_TRANSITIVE";
/// A stricter one, which somebody may have chosen.
const STRICTER: &str = "FULL_TRANSITIVE";

/// How often a conflict is asked again, and after which time.
const CONFLICTS: usize = 2;
const AFTER_CONFLICT: Duration = Duration::from_millis(200);

/// A Confluent-compatible registry over HTTP.
pub struct HttpRegistry {
    base: String,
    http: Client,
    credentials: Option<(String, SecretString)>,
    settings: SrSettings,
    known: Mutex<Known>,
}

/// What never changes once it is known.
#[derive(Default)]
struct Known {
    /// By subject and schema text: a subject has many schemas, and each keeps its id.
    ids: HashMap<(String, String), u32>,
    schemas: HashMap<u32, Arc<str>>,
    /// Subjects whose level is right.
    levelled: HashSet<String>,
}

impl HttpRegistry {
    /// Makes a client; reads the password but makes no request.
    pub fn new(config: &Config) -> Result<Self, RegistryError> {
        // A second provider in one process is refused, which is fine: the first one serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let base = config.base()?;
        let credentials = config.credentials()?;
        let unusable = |error: &dyn Error| broken(format!("the HTTP client cannot be made: {}", causes(error)));
        let http = client(config)?.build().map_err(|error| unusable(&error))?;
        let base = base.as_str().trim_end_matches('/').to_owned();
        let mut settings = SrSettings::new_builder(base.clone());
        settings.set_timeout(config.timeout);
        if let Some((user, password)) = &credentials {
            settings.set_basic_authorization(user, Some(password.expose_secret()));
        }
        let settings = settings.build_with(client(config)?).map_err(|error| unusable(&error))?;
        Ok(Self {
            base,
            http,
            credentials,
            settings,
            known: Mutex::default(),
        })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks what the library does not ask.
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Said, RegistryError> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some((user, password)) = &self.credentials {
            request = request.basic_auth(user, Some(password.expose_secret()));
        }
        if let Some(body) = body {
            request = request
                .header("content-type", "application/vnd.schemaregistry.v1+json")
                .body(body.to_string());
        }
        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| self.unreachable(&error))?;
        Ok(Said {
            status,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
        })
    }

    fn unreachable(&self, error: &(dyn Error + 'static)) -> RegistryError {
        let what = format!("{}: {}", self.base, causes(error));
        match what.contains("certificate") {
            true => RegistryError::Broken { what },
            false => RegistryError::Away { what },
        }
    }

    /// Sees to it that a subject is checked strictly; `false` when the registry wants it to exist first.
    ///
    /// Of several that set a level at once some registries answer a conflict to all but one: it is looked at again.
    async fn level(&self, subject: &str) -> Result<bool, RegistryError> {
        for _ in 0..CONFLICTS {
            match self.level_once(subject).await? {
                Set::Conflict => tokio::time::sleep(AFTER_CONFLICT).await,
                Set::Done => return Ok(true),
                Set::NoSubject => return Ok(false),
            }
        }
        Err(RegistryError::Away {
            what: format!(
                "{}: setting the level of `{subject}` conflicts with others who set it",
                self.base
            ),
        })
    }

    async fn level_once(&self, subject: &str) -> Result<Set, RegistryError> {
        let path = format!("/config/{}", escaped(subject));
        let asked = self
            .ask(Method::GET, &format!("{path}?defaultToGlobal=true"), None)
            .await?;
        let found = asked
            .text("compatibilityLevel")
            .unwrap_or("the registry's own level")
            .to_owned();
        if asked.status.is_success() && matches!(found.as_str(), LEVEL | STRICTER) {
            return Ok(Set::Done);
        }
        let set = self
            .ask(Method::PUT, &path, Some(json!({ "compatibility": LEVEL })))
            .await?;
        match set.status {
            status if status.is_success() => Ok(Set::Done),
            StatusCode::NOT_FOUND => Ok(Set::NoSubject),
            StatusCode::CONFLICT => Ok(Set::Conflict),
            status if is_passing(status) => Err(self.refused("setting a level", &set)),
            // The credentials themselves are at fault when nothing at all may be read.
            _ if asked.status == StatusCode::UNAUTHORIZED => Err(self.refused("reading a level", &asked)),
            _ => Err(RegistryError::Level {
                subject: subject.to_owned(),
                found,
                why: set.words(),
            }),
        }
    }

    async fn ensure_level(&self, subject: &str) -> Result<bool, RegistryError> {
        if self.known().levelled.contains(subject) {
            return Ok(true);
        }
        let is_set = self.level(subject).await?;
        if is_set {
            self.known().levelled.insert(subject.to_owned());
        }
        Ok(is_set)
    }

    /// Registers; a conflict is asked again, because some registries report two that register the same schema at once
    /// in the words for an incompatible one. A true conflict stays.
    async fn post(&self, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        for _ in 0..CONFLICTS {
            match self.post_once(subject, schema).await {
                Err(RegistryError::Incompatible { .. }) => tokio::time::sleep(AFTER_CONFLICT).await,
                outcome => return outcome,
            }
        }
        self.post_once(subject, schema).await
    }

    async fn post_once(&self, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        let supplied = SuppliedSchema::new(None, SchemaType::Avro, schema.to_owned());
        match post_schema(&self.settings, subject.to_owned(), supplied).await {
            Ok(registered) => Ok(registered.id),
            Err(error) => Err(self.not_registered(subject, &error)),
        }
    }

    fn not_registered(&self, subject: &str, error: &SRCError) -> RegistryError {
        let Some(said) = Said::of_library(error) else {
            return self.unreachable(error);
        };
        let (subject, why) = (subject.to_owned(), said.words());
        match said.status {
            StatusCode::CONFLICT => RegistryError::Incompatible { subject, why },
            StatusCode::UNPROCESSABLE_ENTITY | StatusCode::BAD_REQUEST => RegistryError::Invalid { subject, why },
            _ => self.refused(&format!("registering a schema for `{subject}`"), &said),
        }
    }

    fn refused(&self, what: &str, said: &Said) -> RegistryError {
        let what = format!("{}: {what}: {}", self.base, said.words());
        match said.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => RegistryError::Forbidden { what },
            status if is_passing(status) => RegistryError::Away { what },
            _ => RegistryError::Broken { what },
        }
    }
}

/// What became of a level that was to be set.
enum Set {
    Done,
    NoSubject,
    Conflict,
}

/// A client as the configuration wants it.
fn client(config: &Config) -> Result<ClientBuilder, RegistryError> {
    let mut client = Client::builder()
        .user_agent(concat!("zenfloe/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .timeout(config.timeout);
    let host = config.base()?;
    if host
        .host_str()
        .is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "[::1]"))
    {
        client = client.no_proxy();
    }
    if let Some(certificates) = config.certificates()? {
        client = client.tls_certs_only(certificates);
    }
    Ok(client)
}

#[async_trait]
impl Registry for HttpRegistry {
    async fn register(&self, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        let key = (subject.to_owned(), schema.to_owned());
        if let Some(id) = self.known().ids.get(&key) {
            return Ok(*id);
        }
        let was_levelled = self.ensure_level(subject).await?;
        let id = self.post(subject, schema).await?;
        if !was_levelled && !self.ensure_level(subject).await? {
            return Err(RegistryError::Level {
                subject: subject.to_owned(),
                found: "the registry's own level".into(),
                why: "the registry knows no level of this subject".into(),
            });
        }
        self.known().ids.insert(key, id);
        Ok(id)
    }

    async fn schema(&self, id: u32) -> Result<Arc<str>, RegistryError> {
        if let Some(schema) = self.known().schemas.get(&id) {
            return Ok(schema.clone());
        }
        let found = get_schema_by_id(id, &self.settings)
            .await
            .map_err(|error| match Said::of_library(&error) {
                None => self.unreachable(&error),
                Some(said) if said.status == StatusCode::NOT_FOUND => RegistryError::Unknown { id },
                Some(said) => self.refused(&format!("reading schema {id}"), &said),
            })?;
        let schema: Arc<str> = found.schema.into();
        self.known().schemas.insert(id, schema.clone());
        Ok(schema)
    }

    async fn ping(&self) -> Result<(), RegistryError> {
        let said = self.ask(Method::GET, "/schemas/types", None).await?;
        let speaks_avro = said
            .body
            .as_array()
            .is_some_and(|types| types.iter().any(|kind| kind == "AVRO"));
        match said.status.is_success() {
            true if speaks_avro => Ok(()),
            true => Err(broken(format!(
                "{}: what answers is no schema registry; is the path right?",
                self.base
            ))),
            false => Err(self.refused("asking for its schema types", &said)),
        }
    }
}

/// An answer.
struct Said {
    status: StatusCode,
    body: Value,
}

impl Said {
    /// What the library was answered; `None` when nothing came.
    fn of_library(error: &SRCError) -> Option<Self> {
        // The library keeps the body's error code, and the status in its text alone.
        let number = error.error.split("failed with status ").nth(1)?.get(..3)?;
        let status = StatusCode::from_bytes(number.as_bytes()).ok()?;
        let raw = error.source().and_then(|source| source.downcast_ref::<RawError>());
        let body = raw.map_or(Value::Null, |raw| json!({ "message": raw.message }));
        Some(Self { status, body })
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.body.get(name)?.as_str()
    }

    fn words(&self) -> String {
        match self.text("message") {
            Some(message) => format!("{} ({message})", self.status),
            None => self.status.to_string(),
        }
    }
}

/// Claims that asking again may help.
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}

/// A subject as a part of a path.
fn escaped(subject: &str) -> String {
    subject.replace('%', "%25").replace('/', "%2F")
}

/// An error's causes, in one line; the library's own words say less than they do.
fn causes(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !said.contains(&more) {
            said = format!("{said}: {more}");
        }
        cause = error.source();
    }
    said
}
