//! What proves at sign-in who signs in.

use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::BASE64URL_NOPAD;
use secrecy::ExposeSecret;
use serde_json::{Map, Value as Json, json};
use zenfloe_destination::LoadError;
use zenfloe_keyring::Signer;

use crate::Config;
use crate::config::Authenticator;
use crate::error::forbidden;

/// A signed token is taken for an hour at most; each sign-in makes its own.
const VALID_FOR: u64 = 3_540;

/// What a sign-in sends, and what is said of it where it is refused.
pub(crate) struct Proof {
    pub(crate) fields: Map<String, Json>,
    pub(crate) remedy: String,
}

/// Reads the secrets as they are now and makes the proof of a sign-in.
pub(crate) fn proof(config: &Config) -> Result<Proof, LoadError> {
    let (authenticator, token, remedy) = match config.authenticator {
        Authenticator::KeyPair => {
            let signer = signer(config)?;
            let remedy = format!(
                "check account and user, that ALTER USER … SET RSA_PUBLIC_KEY named the key with fingerprint SHA256:{}, and this machine's clock",
                signer.fingerprint()
            );
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_secs();
            let token = signed(&signer, &config.account_name(), &config.user, now);
            ("SNOWFLAKE_JWT", token, remedy)
        }
        Authenticator::Oauth => (
            "OAUTH",
            token(config)?,
            "check that the token is fresh, and that its integration names user and role".into(),
        ),
        Authenticator::AccessToken => (
            "PROGRAMMATIC_ACCESS_TOKEN",
            token(config)?,
            "check that the token has not expired, its role, and the network policy that such tokens need".into(),
        ),
    };
    let fields = json!({
        "AUTHENTICATOR": authenticator,
        "TOKEN": token,
        "LOGIN_NAME": config.user,
        "ACCOUNT_NAME": config.account_name(),
    });
    let Json::Object(fields) = fields else {
        unreachable!("written as an object")
    };
    Ok(Proof { fields, remedy })
}

fn token(config: &Config) -> Result<String, LoadError> {
    let token = config.token()?;
    let token = token.ok_or_else(|| forbidden("neither `token_file` nor `token_env` is given".into()))?;
    Ok(token.expose_secret().to_owned())
}

fn signer(config: &Config) -> Result<Signer, LoadError> {
    let file = config.private_key_file.as_deref();
    let file = file.ok_or_else(|| forbidden("`private_key_file` is not given".into()))?;
    let passphrase = config.passphrase()?;
    let passphrase = passphrase.as_ref().map(ExposeSecret::expose_secret);
    Signer::load(file, passphrase).map_err(|error| {
        let cause = std::error::Error::source(&error).map_or(String::new(), |cause| format!(": {cause}"));
        forbidden(format!("{error}{cause}"))
    })
}

/// The token of <https://docs.snowflake.com/en/developer-guide/sql-api/authenticating#using-key-pair-authentication>.
fn signed(signer: &Signer, account: &str, user: &str, now: u64) -> String {
    let subject = format!("{account}.{}", user.to_ascii_uppercase());
    let claims = json!({
        "iss": format!("{subject}.SHA256:{}", signer.fingerprint()),
        "sub": subject,
        "iat": now,
        "exp": now + VALID_FOR,
    });
    let encode = |json: Json| BASE64URL_NOPAD.encode(json.to_string().as_bytes());
    let message = format!("{}.{}", encode(json!({"alg": "RS256", "typ": "JWT"})), encode(claims));
    let signature = BASE64URL_NOPAD.encode(&signer.sign(message.as_bytes()));
    format!("{message}.{signature}")
}
