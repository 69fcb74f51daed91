//! What clients say outside of answers: errors of connections and sign-in, and the wish for a new token.

use std::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use data_encoding::BASE64URL_NOPAD;
use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use zenfloe_log::LogError;

use crate::config::{KafkaConfig, Mechanism, Sasl, secret};

/// A client's context: its signals, and what its role adds.
pub(crate) struct Context<R> {
    pub(crate) signals: Signals,
    pub(crate) role: R,
}

impl<R> Context<R> {
    pub(crate) fn new(config: &KafkaConfig, role: R) -> Self {
        Self {
            signals: Signals::new(config),
            role,
        }
    }
}

impl<R: Send + Sync> ClientContext for Context<R> {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => tracing::debug!(target: "librdkafka", facility, "{message}"),
            _ => tracing::trace!(target: "librdkafka", facility, "{message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, reason, "client error");
        self.signals
            .note(error.rdkafka_error_code().unwrap_or(Code::Unknown), reason);
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        let token = self.signals.token();
        self.signals.heard().tokenless = token.as_ref().err().cloned();
        Ok(token?)
    }
}

/// How long a token may be refused: a client that was idle for long shows an expired one first.
const RENEWAL: Duration = Duration::from_secs(5);

/// The last troubles of one client, each in librdkafka's words, which name the broker.
pub(crate) struct Signals {
    brokers: String,
    sasl: Option<Sasl>,
    client_id: String,
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    /// Sign-in or certificate refused: when first, and what was said last.
    refused: Option<(Instant, String)>,
    /// Why there is no token to sign in with. librdkafka says it once, so it is kept until there is one.
    tokenless: Option<String>,
    /// No broker can be reached.
    away: Option<String>,
    /// The last trouble with one connection.
    connection: Option<String>,
    /// The last thing said about access to a topic or group.
    access: Option<String>,
}

impl Heard {
    fn refuse(&mut self, reason: String) {
        let first = self.refused.take().map_or_else(Instant::now, |(first, _)| first);
        self.refused = Some((first, reason));
    }
}

impl Signals {
    fn new(config: &KafkaConfig) -> Self {
        Self {
            brokers: config.brokers.join(", "),
            sasl: config.sasl.clone(),
            client_id: config.client_id.clone(),
            heard: Mutex::default(),
        }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, code: Code, reason: &str) {
        let mut heard = self.heard();
        let reason = reason.to_owned();
        match code {
            Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::IllegalSASLState => heard.refuse(reason),
            // A handshake also fails while a broker stops; a bad certificate does not mend by itself.
            Code::SSL if reason.contains("certificate") => heard.refuse(reason),
            Code::AllBrokersDown => {
                heard.away = Some(heard.connection.clone().unwrap_or(reason));
            }
            Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed => heard.access = Some(reason),
            _ => heard.connection = Some(reason),
        }
    }

    /// Forgets connection troubles, after something went well.
    pub(crate) fn clear(&self) {
        let mut heard = self.heard();
        *heard = Heard {
            tokenless: heard.tokenless.take(),
            ..Heard::default()
        };
    }

    /// Claims that sign-in was refused or no broker can be reached, as far as was heard.
    pub(crate) fn is_alarming(&self) -> bool {
        let heard = self.heard();
        heard.refused.is_some() || heard.away.is_some()
    }

    /// The error for a refused sign-in, if one was heard of.
    pub(crate) fn refusal(&self) -> Option<LogError> {
        let heard = self.heard();
        if let Some(reason) = &heard.tokenless {
            let what = format!("no sign-in at {}: {reason}", self.brokers);
            return Some(LogError::Forbidden { what });
        }
        let (first, reason) = heard.refused.as_ref()?;
        if self.has_tokens() && first.elapsed() < RENEWAL {
            return None;
        }
        Some(LogError::Forbidden {
            what: format!("sign-in at {} failed: {reason}", self.brokers),
        })
    }

    /// Claims that this client signs in by tokens, which expire.
    pub(crate) fn has_tokens(&self) -> bool {
        let is_by_token = |sasl: &Sasl| sasl.mechanism == Mechanism::Oauthbearer;
        self.sasl.as_ref().is_some_and(is_by_token)
    }

    /// What was last said about access.
    pub(crate) fn access(&self) -> Option<String> {
        self.heard().access.clone()
    }

    /// The error for something that did not succeed in time, with the reason as far as it was heard.
    pub(crate) fn unavailable(&self, what: &str) -> LogError {
        if let Some(refusal) = self.refusal() {
            return refusal;
        }
        let heard = self.heard();
        let reason = heard.away.as_ref().or(heard.connection.as_ref());
        let reason = reason.map_or("no answer in time", String::as_str);
        LogError::Unavailable {
            what: format!("{what} at {}: {reason}", self.brokers),
        }
    }

    fn token(&self) -> Result<OAuthToken, String> {
        let sasl = self
            .sasl
            .as_ref()
            .filter(|sasl| sasl.mechanism == Mechanism::Oauthbearer)
            .ok_or("no token is configured")?;
        let token = secret("the Kafka token", sasl.token_file.as_ref(), sasl.token_env.as_ref())?;
        Ok(described(token, &self.client_id, now_ms()))
    }
}

/// A token whose lifetime is unknown is read again after about so long.
const OPAQUE_LIFETIME_MS: i64 = 300_000;

/// Adds principal and end of life: as the token itself says when it is a JWT, else assumed.
fn described(token: String, client_id: &str, now_ms: i64) -> OAuthToken {
    let claims = token
        .split('.')
        .nth(1)
        .and_then(|payload| BASE64URL_NOPAD.decode(payload.as_bytes()).ok())
        .and_then(|json| serde_json::from_slice::<serde_json::Value>(&json).ok())
        .unwrap_or_default();
    let expires_s = claims["exp"].as_f64().map(|seconds| seconds as i64);
    OAuthToken {
        principal_name: claims["sub"].as_str().unwrap_or(client_id).to_owned(),
        lifetime_ms: expires_s.map_or(now_ms + OPAQUE_LIFETIME_MS, |seconds| seconds * 1_000),
        token,
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |passed| passed.as_millis() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jwt_tells_its_subject_and_end_and_anything_else_is_read_again_soon() {
        let payload = BASE64URL_NOPAD.encode(br#"{"sub":"svc-zenfloe","exp":1700000000}"#);
        let token = described(format!("e30.{payload}.sig"), "zenfloe", 5);
        assert_eq!(token.principal_name, "svc-zenfloe");
        assert_eq!(token.lifetime_ms, 1_700_000_000_000);
        let opaque = described("abc".into(), "zenfloe", 5);
        assert_eq!(opaque.principal_name, "zenfloe");
        assert_eq!(opaque.lifetime_ms, 5 + OPAQUE_LIFETIME_MS);
    }

    #[test]
    fn a_refused_sign_in_outweighs_connection_troubles() {
        let config = KafkaConfig {
            brokers: vec!["a:1".into()],
            ..KafkaConfig::default()
        };
        let signals = Signals::new(&config);
        signals.note(Code::BrokerTransportFailure, "a:1/bootstrap: connection refused");
        signals.note(Code::AllBrokersDown, "1/1 brokers are down");
        let said = signals.unavailable("topics").to_string();
        assert!(said.contains("connection refused"), "{said}");
        signals.note(Code::Authentication, "a:1/bootstrap: invalid credentials");
        assert!(matches!(signals.unavailable("topics"), LogError::Forbidden { .. }));
        signals.clear();
        assert!(!signals.is_alarming());
    }
}
