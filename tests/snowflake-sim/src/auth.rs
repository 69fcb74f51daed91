//! Who may sign in, and why not: the real account says "JWT token is invalid" and no more.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use ring::digest::{SHA256, digest};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::Value as Json;

/// A signed token is taken for an hour at most.
const LONGEST: Duration = Duration::from_secs(3_600);
/// Clocks may differ by so much.
const SKEW: Duration = Duration::from_secs(60);

/// A user and what proves it.
#[derive(Debug, Clone, Default)]
pub struct User {
    /// Its name, in any case.
    pub name: String,
    /// The public key (SubjectPublicKeyInfo, DER), as `ALTER USER … SET RSA_PUBLIC_KEY` sets it.
    public_key: Option<Vec<u8>>,
    /// OAuth and programmatic access tokens that are taken.
    tokens: Vec<String>,
}

impl User {
    /// A user that cannot sign in yet.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_ascii_uppercase(),
            ..Self::default()
        }
    }

    /// The same with a public key, in PEM.
    pub fn with_public_key(mut self, pem: &str) -> Result<Self> {
        let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = BASE64.decode(base64.as_bytes()).context("the public key is no PEM")?;
        self.public_key = Some(der);
        Ok(self)
    }

    /// The same with a token.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        self.tokens.push(token.to_owned());
        self
    }
}

/// Refusal of a sign-in: the account's code and what is wrong.
pub(crate) type Refusal = (&'static str, String);

const INVALID: &str = "390144";

/// Checks what a sign-in sends.
pub(crate) fn check(account: &str, users: &[User], data: &Json) -> Result<(), Refusal> {
    let text = |name: &str| data[name].as_str().unwrap_or_default();
    let login = text("LOGIN_NAME").to_ascii_uppercase();
    let user = users.iter().find(|user| user.name == login);
    let unknown = || ("390100", format!("user `{login}` is not known"));
    match text("AUTHENTICATOR") {
        "SNOWFLAKE_JWT" => check_signed(account, user.ok_or_else(unknown)?, text("TOKEN")),
        "OAUTH" | "PROGRAMMATIC_ACCESS_TOKEN" => {
            let user = user.ok_or_else(unknown)?;
            match user.tokens.iter().any(|token| token == text("TOKEN")) {
                true => Ok(()),
                false => Err(("390303", "the token is not one of this user's".into())),
            }
        }
        other => Err(("390103", format!("authenticator `{other}` is not taken"))),
    }
}

fn check_signed(account: &str, user: &User, token: &str) -> Result<(), Refusal> {
    let refuse = |what: String| (INVALID, format!("JWT token is invalid: {what}"));
    let (message, signature) = token
        .rsplit_once('.')
        .ok_or_else(|| refuse("it has no signature".into()))?;
    let (header, claims) = message
        .split_once('.')
        .ok_or_else(|| refuse("it has no claims".into()))?;
    let part = |part: &str| -> Option<Json> {
        let bytes = BASE64URL_NOPAD.decode(part.as_bytes()).ok()?;
        serde_json::from_slice(&bytes).ok()
    };
    let header = part(header).ok_or_else(|| refuse("its header is not JSON in base64url".into()))?;
    let claims = part(claims).ok_or_else(|| refuse("its claims are not JSON in base64url".into()))?;
    if header["alg"] != "RS256" {
        return Err(refuse(format!("`alg` is {} and must be RS256", header["alg"])));
    }
    let key = user.public_key.as_deref();
    let key = key.ok_or_else(|| refuse("the user has no public key".into()))?;
    let subject = format!("{}.{}", account.to_ascii_uppercase(), user.name);
    let fingerprint = BASE64.encode(digest(&SHA256, key).as_ref());
    let issuer = format!("{subject}.SHA256:{fingerprint}");
    for (name, wanted) in [("sub", subject), ("iss", issuer)] {
        if claims[name] != wanted.as_str() {
            return Err(refuse(format!("`{name}` is {} and must be \"{wanted}\"", claims[name])));
        }
    }
    check_times(&claims).map_err(refuse)?;
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes());
    let signature = signature.map_err(|_| refuse("its signature is not base64url".into()))?;
    let key = pkcs1(key).ok_or_else(|| refuse("the user's key is no RSA key".into()))?;
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
        .verify(message.as_bytes(), &signature)
        .map_err(|_| refuse("its signature does not fit the user's key".into()))
}

fn check_times(claims: &Json) -> Result<(), String> {
    let time = |name: &str| {
        let seconds = claims[name]
            .as_u64()
            .ok_or_else(|| format!("`{name}` is not a number of seconds"))?;
        Ok::<_, String>(UNIX_EPOCH + Duration::from_secs(seconds))
    };
    let (issued, expires, now) = (time("iat")?, time("exp")?, SystemTime::now());
    if issued > now + SKEW {
        return Err("`iat` lies in the future".into());
    }
    if expires + SKEW < now {
        return Err("it has expired".into());
    }
    if expires > issued + LONGEST {
        return Err("it is valid for more than an hour".into());
    }
    Ok(())
}

/// The PKCS#1 key within a SubjectPublicKeyInfo.
fn pkcs1(info: &[u8]) -> Option<&[u8]> {
    let (_, info) = element(info, 0x30)?;
    let (rest, _) = element(info, 0x30)?;
    let (_, bits) = element(rest, 0x03)?;
    bits.strip_prefix(&[0])
}

/// Splits a DER element of this tag off: what follows it, and its content.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        _ => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    (*first == tag).then_some((rest, content))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn user() -> User {
        let pem = std::fs::read_to_string("../../schemas/keyring/tests/keys/public.pem").expect("a key of the tests");
        User::new("loader").with_public_key(&pem).expect("PEM")
    }

    fn now() -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970")
            .as_secs()
    }

    #[track_caller]
    fn check_refused(header: Json, claims: Json, says: &str) {
        let encode = |json: Json| BASE64URL_NOPAD.encode(json.to_string().as_bytes());
        let token = format!("{}.{}.AAAA", encode(header), encode(claims));
        let data = json!({"AUTHENTICATOR": "SNOWFLAKE_JWT", "LOGIN_NAME": "loader", "TOKEN": token});
        let (code, why) = check("acme", &[user()], &data).expect_err("refused");
        assert!(code == INVALID && why.contains(says), "{code}: {why}");
    }

    #[test]
    fn signed_tokens_are_refused_with_the_reason() {
        let issuer = format!(
            "ACME.LOADER.SHA256:{}",
            BASE64.encode(digest(&SHA256, user().public_key.as_deref().expect("set")).as_ref())
        );
        let rs256 = || json!({"alg": "RS256", "typ": "JWT"});
        let claims = |iss: &str, sub: &str, iat: u64, exp: u64| json!({"iss": iss, "sub": sub, "iat": iat, "exp": exp});
        let now = now();
        let good = claims(&issuer, "ACME.LOADER", now, now + 3_540);
        check_refused(json!({"alg": "none"}), good.clone(), "must be RS256");
        check_refused(rs256(), good, "signature does not fit");
        check_refused(rs256(), claims(&issuer, "acme.loader", now, now + 60), "`sub`");
        check_refused(
            rs256(),
            claims("ACME.LOADER.SHA256:x", "ACME.LOADER", now, now + 60),
            "`iss`",
        );
        check_refused(
            rs256(),
            claims(&issuer, "ACME.LOADER", now - 7_000, now - 5_000),
            "has expired",
        );
        check_refused(
            rs256(),
            claims(&issuer, "ACME.LOADER", now + 600, now + 700),
            "in the future",
        );
        check_refused(
            rs256(),
            claims(&issuer, "ACME.LOADER", now, now + 7_200),
            "more than an hour",
        );
        check_refused(
            rs256(),
            json!({"iss": issuer, "sub": "ACME.LOADER"}),
            "`iat` is not a number",
        );
    }

    #[test]
    fn tokens_and_users_are_known_or_not() {
        let users = [user().with_token("t")];
        let login = |authenticator, user, token| {
            let data = json!({"AUTHENTICATOR": authenticator, "LOGIN_NAME": user, "TOKEN": token});
            check("acme", &users, &data).map_err(|(code, _)| code)
        };
        assert_eq!(login("OAUTH", "Loader", "t"), Ok(()));
        assert_eq!(login("PROGRAMMATIC_ACCESS_TOKEN", "loader", "t"), Ok(()));
        assert_eq!(login("OAUTH", "loader", "x"), Err("390303"));
        assert_eq!(login("OAUTH", "other", "t"), Err("390100"));
        assert_eq!(login("SNOWFLAKE", "loader", "t"), Err("390103"));
        assert_eq!(login("SNOWFLAKE_JWT", "loader", "nonsense"), Err(INVALID));
    }
}
