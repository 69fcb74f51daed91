//! What Snowflake says when it does not do what it was asked, and what that means to a loader.

use std::time::Duration;

use zenfloe_destination::LoadError;

/// Why a request did not bring its result. Messages name objects and codes, never a value of a row.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// The account is not reached, or says that it is busy, for as long as one is patient.
    #[error("{what}")]
    Unavailable { what: String },
    /// Another transaction has the lock, or this one was ended for one: roll back, begin again.
    #[error("a lock was not had ({code})")]
    Busy { code: String },
    /// The session is no more, and its transaction with it: sign in again.
    #[error("the session has ended ({code})")]
    Ended { code: String },
    /// Refused by sign-in or rights.
    #[error("{what}")]
    Forbidden { what: String },
    /// A value that does not fit its column, or a conversion that failed.
    #[error("a value was refused ({code})")]
    Data { code: String },
    /// The named object is there already.
    #[error("{what} ({code})")]
    Exists { code: String, what: String },
    /// The named object is not there, or not for this role.
    #[error("{what} ({code})")]
    Missing { code: String, what: String },
    /// Any other refusal of a statement.
    #[error("{what} ({code})")]
    Statement { code: String, what: String },
    /// An answer that is not understood.
    #[error("{what}")]
    Broken { what: String },
}

impl ApiError {
    /// Claims that the whole transaction may be tried again at once.
    pub(crate) fn is_about_a_lock(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Ended { .. })
    }
}

impl From<ApiError> for LoadError {
    fn from(error: ApiError) -> Self {
        let what = error.to_string();
        match error {
            ApiError::Unavailable { .. } | ApiError::Busy { .. } | ApiError::Ended { .. } => Self::Unavailable { what },
            ApiError::Forbidden { .. } => Self::Forbidden { what },
            ApiError::Missing { .. } => Self::Forbidden {
                what: format!("{what}; make it with the set-up SQL, or grant the role its use"),
            },
            ApiError::Data { .. } | ApiError::Exists { .. } | ApiError::Statement { .. } | ApiError::Broken { .. } => {
                Self::Broken { what }
            }
        }
    }
}

pub(crate) fn forbidden(what: String) -> LoadError {
    LoadError::Forbidden { what }
}

pub(crate) fn broken(what: impl Into<String>) -> ApiError {
    ApiError::Broken { what: what.into() }
}

/// Locks, deadlocks and transactions that were ended for them; 261000 is how a stand-in on DuckDB says the same.
const LOCKS: [&str; 3] = ["000625", "000684", "261000"];
/// A statement that was cancelled, or took longer than it may.
const TIMEOUTS: [&str; 2] = ["000604", "000630"];
/// The session, or what could renew it, is gone or was never known.
const ENDED: [&str; 6] = ["390104", "390110", "390111", "390113", "390114", "390115"];
const EXISTS: [&str; 1] = ["002002"];
const MISSING: [&str; 4] = ["002003", "002043", "090105", "090106"];
/// Rights; no warehouse; a warehouse that cannot be resumed, for quota or otherwise.
const FORBIDDEN: [&str; 4] = ["003001", "000606", "090073", "090064"];

/// What the refusal of a statement means. Codes: <https://github.com/snowflakedb/gosnowflake/blob/master/errors.go>.
pub(crate) fn refused(code: &str, message: &str) -> ApiError {
    let (code, what) = (code.to_owned(), headline(message));
    let is = |codes: &[&str]| codes.contains(&code.as_str());
    if is(&LOCKS) {
        ApiError::Busy { code }
    } else if is(&ENDED) {
        ApiError::Ended { code }
    } else if is(&TIMEOUTS) {
        ApiError::Unavailable {
            what: format!("{what} ({code})"),
        }
    } else if code.starts_with("100") {
        ApiError::Data { code }
    } else if is(&EXISTS) || (is(&MISSING) && message.contains("already exists")) {
        ApiError::Exists { code, what }
    } else if is(&MISSING) {
        ApiError::Missing { code, what }
    } else if is(&FORBIDDEN) || is_about_a_warehouse(message) {
        ApiError::Forbidden {
            what: format!("{what} ({code}); {}", remedy(&code, message)),
        }
    } else if code.starts_with("390") {
        ApiError::Forbidden {
            what: format!("{what} ({code})"),
        }
    } else {
        ApiError::Statement { code, what }
    }
}

/// A warehouse that does not run and may not be started has several codes.
fn is_about_a_warehouse(message: &str) -> bool {
    message.contains("arehouse") && (message.contains("suspended") || message.contains("cannot be resumed"))
}

/// What helps where a statement is refused for rights or for its warehouse.
fn remedy(code: &str, message: &str) -> &'static str {
    let says = |word: &str| message.to_ascii_lowercase().contains(word);
    if says("quota") || says("resource monitor") {
        "raise the resource monitor's quota, or wait for its next period; nothing is lost meanwhile"
    } else if says("suspended") || says("cannot be resumed") {
        "resume the warehouse (ALTER WAREHOUSE … RESUME) and let it start by itself (SET AUTO_RESUME = TRUE)"
    } else if code == "000606" {
        "name a `warehouse`, and grant the role its use (GRANT USAGE ON WAREHOUSE … TO ROLE …)"
    } else {
        "check what the role is granted: `zenfloe check` tries each grant and names the one that is missing"
    }
}

/// What helps where a sign-in is refused, beside what its proof says of itself.
pub(crate) fn remedy_of_sign_in(code: &str) -> Option<&'static str> {
    match code {
        "390201" => Some("check `account`"),
        "390189" | "390186" => Some("check `role`: it must exist and be granted to the user (GRANT ROLE … TO USER …)"),
        "390422" | "390420" => {
            Some("this machine's address must be allowed by the network policy of the account and the user")
        }
        "390101" | "390102" => Some("the user is disabled or locked (ALTER USER … SET DISABLED = FALSE)"),
        _ => None,
    }
}

/// A message without its line breaks and without more than names objects.
fn headline(message: &str) -> String {
    const LONGEST: usize = 200;
    let words: Vec<&str> = message.split_whitespace().collect();
    words.join(" ").chars().take(LONGEST).collect()
}

/// How long to wait before the `n`th repetition, from 1: doubling from 50 milliseconds to 12.8 seconds, with jitter.
pub(crate) fn pause(n: u32) -> Duration {
    let longest = Duration::from_millis(50) * 2_u32.pow(n.min(9) - 1);
    longest.mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use zenfloe_destination::Class;

    use super::*;

    #[test]
    fn codes_have_a_class() {
        let class = |code, message| LoadError::from(refused(code, message)).class();
        for code in ["000625", "261000", "000630", "390104", "390114"] {
            assert_eq!(class(code, "x"), Class::Retry, "{code}");
        }
        for code in ["002003", "003001", "000606", "390144", "001003"] {
            assert_eq!(class(code, "x"), Class::Stop, "{code}");
        }
        assert!(matches!(refused("100038", "Numeric value 'x'"), ApiError::Data { .. }));
        assert!(matches!(
            refused("002003", "Table \"T\" already exists!"),
            ApiError::Exists { .. }
        ));
        assert!(
            !refused("100038", "Numeric value 'secret'")
                .to_string()
                .contains("secret")
        );
    }

    #[test]
    fn pauses_grow_and_have_an_end() {
        for n in 1..20 {
            let pause = pause(n);
            assert!(
                pause >= Duration::from_millis(25) && pause <= Duration::from_millis(12_800),
                "{n}: {pause:?}"
            );
        }
    }
}
