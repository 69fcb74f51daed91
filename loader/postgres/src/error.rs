//! What PostgreSQL's errors mean to a caller.
//!
//! Messages of the classes 22 and 23 may quote values, and details of any class may: of those only codes, columns and
//! constraints are told.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::DbError;
use zenfloe_destination::LoadError;

/// Why rows were not written.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// One of the rows is at fault: what is wrong, without a value.
    Row(String),
    /// One key stands twice in the statement.
    Twice,
    /// Anything else.
    Load(LoadError),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        match error.as_db_error().map(|said| (said, said.code().code())) {
            Some((_, "21000")) => Self::Twice,
            Some((said, code)) if is_about_rows(code) => Self::Row(row_fault(said)),
            _ => Self::Load(from(error)),
        }
    }
}

impl From<LoadError> for Trouble {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

/// Data exceptions, violated constraints, and limits such as the size of an index entry.
fn is_about_rows(code: &str) -> bool {
    ["22", "23", "54"].contains(&&code[..2])
}

/// The error as the loader's, by its SQLSTATE: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
pub(crate) fn from(error: Error) -> LoadError {
    let Some(said) = error.as_db_error() else {
        return without_code(&error);
    };
    let code = said.code().code();
    let what = if is_about_rows(code) {
        row_fault(said)
    } else {
        format!("{} ({code})", said.message())
    };
    match (&code[..2], code) {
        // Connection, resources, operator, system, conflicts that a repetition settles, a standby after a failover.
        ("08" | "53" | "57" | "58" | "40", _) | (_, "55P03" | "55006" | "25006" | "25P02" | "25P03" | "25P04") => {
            LoadError::Unavailable { what }
        }
        // Sign-in, rights, and names that must be there.
        ("28", _) | (_, "42501" | "3D000" | "3F000") => forbidden(what),
        _ => LoadError::Broken { what },
    }
}

/// An error of the connection itself.
fn without_code(error: &Error) -> LoadError {
    let what = chain(error);
    let needs_a_person = ["invalid configuration", "authentication error"]
        .iter()
        .any(|kind| what.starts_with(kind))
        || what.contains("server does not support TLS")
        || is_about_certificates(error);
    if needs_a_person {
        forbidden(what)
    } else {
        LoadError::Unavailable { what }
    }
}

/// Claims that the server's certificate was not accepted, or ours not.
fn is_about_certificates(error: &Error) -> bool {
    let mut cause = error.source();
    while let Some(held) = cause {
        let inner = held.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let found = inner
            .and_then(|inner| inner.downcast_ref::<rustls::Error>())
            .or_else(|| held.downcast_ref());
        if let Some(rustls::Error::InvalidCertificate(_) | rustls::Error::AlertReceived(_)) = found {
            return true;
        }
        cause = held.source();
    }
    false
}

fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// What is wrong with a row: the condition, the column, the constraint.
fn row_fault(said: &DbError) -> String {
    let code = said.code().code();
    let condition = match code {
        "22003" => "a number is out of range",
        "22007" | "22008" => "a time is out of range",
        "22021" | "22P05" => "a text holds a character that the database's encoding lacks",
        "22P02" | "22030" | "22032" => "a text is not JSON",
        "23502" => "a required value is missing",
        "23503" | "23505" | "23514" | "23P01" => "a constraint does not hold",
        "54000" => "it exceeds a limit of the database",
        _ => "the database refuses it",
    };
    let mut fault = format!("{condition} ({code})");
    if let Some(column) = said.column().or_else(|| column_of_copy(said.where_()?)) {
        fault += &format!(", column `{column}`");
    }
    if let Some(constraint) = said.constraint() {
        fault += &format!(", constraint `{constraint}`");
    }
    fault
}

/// The column in `COPY t, line 1, column c`; what may follow is a value.
fn column_of_copy(context: &str) -> Option<&str> {
    let (_, after) = context
        .lines()
        .find(|line| line.starts_with("COPY "))?
        .split_once(", column ")?;
    let end = after
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(after.len());
    Some(&after[..end])
}

pub(crate) fn forbidden(what: String) -> LoadError {
    LoadError::Forbidden { what }
}

pub(crate) fn broken(what: impl Into<String>) -> LoadError {
    LoadError::Broken { what: what.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_column_of_a_copy_is_told_and_its_value_is_not() {
        assert_eq!(column_of_copy("COPY stg, line 3, column data"), Some("data"));
        assert_eq!(
            column_of_copy("JSON data\nCOPY stg, line 3, column note: \"a, column b\""),
            Some("note")
        );
        assert_eq!(column_of_copy("SQL statement \"x, column y\""), None);
    }
}
