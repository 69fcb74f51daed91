//! TLS, sign-in and rights of a secure cluster.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::certificate::Certificate;
use crate::error::Error;

/// What a client of a secure cluster needs.
///
/// Every user can sign in by PLAIN and SCRAM-SHA-512. By OAUTHBEARER anyone can whose token is an
/// *unsecured* JWS (algorithm `none`): the claim `sub` names the user, `exp` the end of the token's life.
/// `admin` may do everything, `zenfloe` what [`Kafka::allow`](super::Kafka::allow) granted, `stranger`
/// nothing.
#[derive(Debug)]
pub struct Security {
    /// The authority that vouches for the brokers, as a PEM file.
    pub ca: PathBuf,
    /// Users that can sign in.
    pub users: Vec<User>,
    keys: PathBuf,
}

/// A user that can sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// The password, for this cluster alone.
    pub password: String,
}

impl User {
    /// The user as the format tool takes it.
    pub(super) fn scram(&self) -> String {
        format!("SCRAM-SHA-512=[name={},password={}]", self.name, self.password)
    }
}

const MODULES: &str = "org.apache.kafka.common.security";

impl Security {
    /// Makes certificates in `folder` and the users.
    pub(super) fn make(folder: &Path) -> Result<Self, Error> {
        let certificate = Certificate::make(folder)?;
        let keys = folder.join("broker.pem");
        let read = |file: &Path| std::fs::read_to_string(file).map_err(Error::io("reading a certificate"));
        let both = read(&certificate.key)? + &read(&certificate.server)?;
        std::fs::write(&keys, both).map_err(Error::io("writing a broker's keys"))?;
        let users = ["admin", "zenfloe", "stranger"].map(|name| User {
            name: name.to_owned(),
            password: format!("{name}-secret"),
        });
        Ok(Self {
            ca: certificate.authority,
            users: users.to_vec(),
            keys,
        })
    }

    /// Name and password of a user.
    ///
    /// # Panics
    /// When there is no user of that name.
    #[must_use]
    pub fn user(&self, name: &str) -> &User {
        self.users
            .iter()
            .find(|user| user.name == name)
            .expect("a user of the harness")
    }

    /// Broker settings: the listener for clients, and who may do everything. `ANONYMOUS` is who comes
    /// by the internal listener: brokers and tests.
    pub(super) fn settings(&self) -> String {
        let mut plain = format!("{MODULES}.plain.PlainLoginModule required");
        for User { name, password } in &self.users {
            write!(plain, " user_{name}=\"{password}\"").expect("a text takes everything");
        }
        format!(
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
             super.users=User:ANONYMOUS;User:admin\n\
             listener.name.clients.ssl.keystore.type=PEM\n\
             listener.name.clients.ssl.keystore.location={}\n\
             listener.name.clients.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512,OAUTHBEARER\n\
             listener.name.clients.plain.sasl.jaas.config={plain};\n\
             listener.name.clients.scram-sha-512.sasl.jaas.config={MODULES}.scram.ScramLoginModule required;\n\
             listener.name.clients.oauthbearer.sasl.jaas.config={MODULES}.oauthbearer.OAuthBearerLoginModule required;\n",
            self.keys.display()
        )
    }
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use data_encoding::BASE64URL_NOPAD;
    use tokio::io::{AsyncRead, AsyncWrite};
    use tokio::process::{Child, Command};

    use super::super::admin::{new_topic, topic_outcome};
    use super::super::{Kafka, KafkaConfig, Operation, Resource};
    use super::*;
    use crate::wire::{self, Api, Request};

    const SASL_HANDSHAKE: Api = Api { key: 17, version: 1 };
    const SASL_AUTHENTICATE: Api = Api { key: 36, version: 0 };

    /// A TLS connection that trusts the cluster's authority alone, by `openssl`.
    fn connect(kafka: &Kafka) -> (Child, impl AsyncRead + AsyncWrite + Unpin) {
        let security = kafka.security.as_ref().expect("a secure cluster");
        let mut openssl = Command::new("openssl")
            .args(["s_client", "-quiet", "-verify_return_error", "-verify_ip", "127.0.0.1"])
            .args(["-connect", &kafka.brokers, "-CAfile"])
            .arg(&security.ca)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("openssl runs");
        let read = openssl.stdout.take().expect("a pipe");
        let write = openssl.stdin.take().expect("a pipe");
        (openssl, tokio::io::join(read, write))
    }

    async fn sign_in<S: AsyncRead + AsyncWrite + Unpin>(
        stream: &mut S,
        mechanism: &str,
        proof: &str,
    ) -> Result<(), Error> {
        let handshake = Request::default().text(mechanism);
        let offered = wire::ask(stream, SASL_HANDSHAKE, handshake).await?.i16()?;
        assert_eq!(offered, 0, "{mechanism} is offered");
        let proof = Request::default().bytes(proof.as_bytes());
        wire::ask(stream, SASL_AUTHENTICATE, proof).await?.outcome("sign-in")
    }

    fn plain(user: &User) -> String {
        format!("\0{}\0{}", user.name, user.password)
    }

    fn token(user: &str) -> String {
        let part = |json: &str| BASE64URL_NOPAD.encode(json.as_bytes());
        let claims = format!(r#"{{"sub":"{user}","iat":1000000000,"exp":4000000000}}"#);
        let token = format!("{}.{}.", part(r#"{"alg":"none"}"#), part(&claims));
        format!("n,,\x01auth=Bearer {token}\x01\x01")
    }

    async fn try_topic(kafka: &Kafka, mechanism: &str, proof: &str, topic: &str) -> Result<(), Error> {
        let (_openssl, mut stream) = connect(kafka);
        sign_in(&mut stream, mechanism, proof).await?;
        let request = new_topic(topic, 1, 1, &[]);
        topic_outcome(wire::ask(&mut stream, wire::CREATE_TOPICS, request).await?)
    }

    #[tokio::test]
    async fn a_secure_broker_asks_who_one_is_and_refuses_what_was_not_granted() {
        let secure = KafkaConfig {
            secure: true,
            ..KafkaConfig::default()
        };
        let kafka = Kafka::start_with(secure).await.expect("a secure broker");
        let security = kafka.security.as_ref().expect("users");
        let zenfloe = plain(security.user("zenfloe"));
        let refused = |outcome: Result<(), Error>, code: &str| {
            let error = outcome.expect_err("refused").to_string();
            assert!(error.contains(code), "{error}");
        };

        const SIGN_IN_FAILED: &str = "error 58";
        const TOPIC_REFUSED: &str = "error 29";
        let wrong = zenfloe.replace("secret", "guess");
        refused(try_topic(&kafka, "PLAIN", &wrong, "acme.a").await, SIGN_IN_FAILED);
        refused(try_topic(&kafka, "PLAIN", &zenfloe, "acme.a").await, TOPIC_REFUSED);

        let acme = Resource::TopicPrefix("acme.".to_owned());
        kafka
            .allow("zenfloe", &acme, &[Operation::Create])
            .await
            .expect("granted");
        try_topic(&kafka, "PLAIN", &zenfloe, "acme.a")
            .await
            .expect("within the rights");
        refused(try_topic(&kafka, "PLAIN", &zenfloe, "other.a").await, TOPIC_REFUSED);

        try_topic(&kafka, "OAUTHBEARER", &token("zenfloe"), "acme.b")
            .await
            .expect("within the rights");
        refused(
            try_topic(&kafka, "OAUTHBEARER", &token("stranger"), "acme.c").await,
            TOPIC_REFUSED,
        );
    }
}
