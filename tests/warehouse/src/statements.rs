//! SQL for Snowflake: cut into statements, compared with the forms of Snowflake's documentation, and run on a stand-in.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use regex::Regex;
use serde_json::Value;

/// The statements of a text without their comments, each on one line.
#[must_use]
pub fn statements(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut statement = String::new();
    let mut body: Option<&str> = None; // what ends the text that we are in
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let taken = match body {
            Some(end) if rest.starts_with(end) => {
                body = None;
                end.len()
            }
            None if rest.starts_with("--") => {
                rest = rest.split_once('\n').map_or("", |(_, after)| after);
                statement.push(' ');
                continue;
            }
            None if rest.starts_with(';') => {
                found.push(one_line(&statement));
                statement.clear();
                rest = &rest[1..];
                continue;
            }
            None if rest.starts_with("$$") => {
                body = Some("$$");
                2
            }
            None if next == '\'' => {
                body = Some("'");
                1
            }
            _ => next.len_utf8(),
        };
        statement.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    found.push(one_line(&statement));
    found.retain(|statement| !statement.is_empty());
    found
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A name, a qualified name, a text, as the forms write them.
const PARTS: [(&str, &str); 3] = [
    ("<path>", r"[A-Z_][A-Z0-9_]*(\.[A-Z_][A-Z0-9_]*)*"),
    ("<name>", r"[A-Z_][A-Z0-9_]*"),
    ("<text>", r"'(?:[^']|'')*'"),
];

/// The forms that a set-up consists of, after <https://docs.snowflake.com/en/sql-reference/sql-all>.
pub const FORMS: [&str; 28] = [
    "USE ROLE <name>",
    "USE WAREHOUSE <name>",
    "USE SCHEMA <path>",
    "CREATE ROLE IF NOT EXISTS <name> COMMENT = <text>",
    "CREATE USER IF NOT EXISTS <name> TYPE = SERVICE DEFAULT_ROLE = <name> DEFAULT_WAREHOUSE = <name> DEFAULT_NAMESPACE = <path> COMMENT = <text>",
    "ALTER USER <name> SET RSA_PUBLIC_KEY = <text>",
    "GRANT ROLE <name> TO (ROLE|USER) <name>",
    "CREATE WAREHOUSE IF NOT EXISTS <name> WAREHOUSE_SIZE = <text> AUTO_SUSPEND = [0-9]+ AUTO_RESUME = TRUE INITIALLY_SUSPENDED = TRUE STATEMENT_TIMEOUT_IN_SECONDS = [0-9]+ COMMENT = <text>",
    "CREATE DATABASE IF NOT EXISTS <name>",
    "CREATE SCHEMA IF NOT EXISTS <path> WITH MANAGED ACCESS COMMENT = <text>",
    r"CREATE STAGE IF NOT EXISTS <path> ENCRYPTION = \(TYPE = 'SNOWFLAKE_SSE'\) COMMENT = <text>",
    "GRANT USAGE ON WAREHOUSE <name> TO ROLE <name>",
    "GRANT USAGE ON DATABASE <name> TO ROLE <name>",
    "GRANT (USAGE|CREATE TABLE|CREATE VIEW|CREATE MASKING POLICY|CREATE PROCEDURE|CREATE TASK) ON SCHEMA <path> TO ROLE <name>",
    "GRANT READ ON STAGE <path> TO ROLE <name>",
    "GRANT WRITE ON STAGE <path> TO ROLE <name>",
    "GRANT (SELECT|REFERENCES) ON ALL TABLES IN SCHEMA <path> TO ROLE <name>",
    "GRANT (SELECT|REFERENCES) ON FUTURE TABLES IN SCHEMA <path> TO ROLE <name>",
    "GRANT SELECT ON ALL VIEWS IN SCHEMA <path> TO ROLE <name>",
    "GRANT SELECT ON FUTURE VIEWS IN SCHEMA <path> TO ROLE <name>",
    "GRANT APPLY MASKING POLICY ON ACCOUNT TO ROLE <name>",
    "GRANT EXECUTE TASK ON ACCOUNT TO ROLE <name>",
    r"CREATE MASKING POLICY IF NOT EXISTS <name> AS \(VAL VARCHAR\) RETURNS VARCHAR -> CASE WHEN .* THEN VAL ELSE NULL END",
    r"CREATE MASKING POLICY IF NOT EXISTS <name> AS \(VAL VARIANT\) RETURNS VARIANT -> CASE WHEN .* THEN VAL ELSE NULL END",
    r"CREATE OR REPLACE PROCEDURE <name>\(\) RETURNS NUMBER LANGUAGE SQL EXECUTE AS OWNER AS \$\$ DECLARE .* BEGIN .* END; \$\$",
    r"CREATE OR REPLACE TASK <name> WAREHOUSE = <name> SCHEDULE = <text> AS CALL <name>\(\)",
    "ALTER TASK <name> RESUME",
    r"CALL <name>\(\)",
];

/// The form of a statement, if it has one.
#[must_use]
pub fn form_of(statement: &str) -> Option<&'static str> {
    FORMS.into_iter().find(|form| {
        let pattern = PARTS
            .iter()
            .fold((*form).to_owned(), |form, (part, pattern)| form.replace(part, pattern));
        Regex::new(&format!("^{pattern}$"))
            .expect("forms are patterns")
            .is_match(statement)
    })
}

/// What a statement gave: its rows, or what was wrong.
pub type Said = Result<Vec<Vec<Option<String>>>, String>;

/// Runs statements on the stand-in at `port`.
pub fn run(port: u16, statements: &[String]) -> Result<Vec<Said>> {
    let mut python = Command::new(snowflake_sim::programs()?.join("python"))
        .args(["-c", include_str!("statements.py")])
        .arg(port.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("running Python")?;
    let mut input = python.stdin.take().context("its input")?;
    input.write_all(serde_json::to_string(statements)?.as_bytes())?;
    drop(input);
    let output = python.wait_with_output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: Vec<Value> = serde_json::from_slice(&output.stdout)?;
    said.into_iter()
        .map(|one| match one.get("error").and_then(Value::as_str) {
            Some(error) => Ok(Err(error.to_owned())),
            None => Ok(Ok(serde_json::from_value(one["rows"].clone())?)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_where_statements_end() {
        let text = "-- one; two\nUSE ROLE A; COMMENT 'a;''b -- c';\nCREATE $$ x; 'y $$ -- z\n;";
        assert_eq!(
            statements(text),
            ["USE ROLE A", "COMMENT 'a;''b -- c'", "CREATE $$ x; 'y $$"]
        );
    }

    #[test]
    fn forms_are_whole() {
        assert!(form_of("USE ROLE A_1").is_some());
        assert!(form_of("USE ROLE A; DROP TABLE B").is_none());
        assert!(form_of("GRANT USAGE ON SCHEMA A.B TO ROLE C").is_some());
        assert!(form_of("GRANT OWNERSHIP ON SCHEMA A.B TO ROLE C").is_none());
    }
}
