//! `zenfloe init --destination …`: the SQL that sets a warehouse up, with the user's names in it.
//!
//! Invariant: what is put into the templates is a name of letters, digits and `_`, or Base64: nothing in it can end a
//! name or a text.

use std::path::Path;

use zenfloe_process::{ExitCode, Failure};

use crate::args::{Setup, Warehouse};

const POSTGRES: &str = include_str!("../../warehouse/postgres.sql");
const SNOWFLAKE: &str = include_str!("../../warehouse/snowflake.sql");
const MASKING: &str = include_str!("../../warehouse/snowflake-masking.sql");
/// PostgreSQL's limit of 63 bytes, less `_transform`.
const LONGEST_PREFIX: usize = 53;
const LONGEST_NAME: usize = 63;

/// The SQL for a warehouse.
pub(crate) fn sql(setup: &Setup, warehouse: Warehouse) -> Result<String, Failure> {
    let mut text = match (warehouse, setup.masking) {
        (Warehouse::Postgres, true) => {
            return Err(Failure::new(ExitCode::Usage, "PostgreSQL has no masking policies")
                .remedy("leave --masking out: the reader's role is granted columns one by one"));
        }
        (Warehouse::Postgres, false) => POSTGRES.to_owned(),
        (Warehouse::Snowflake, false) => SNOWFLAKE.to_owned(),
        (Warehouse::Snowflake, true) => MASKING.to_owned(),
    };
    for (place, name) in names(setup) {
        check(place, name)?;
        text = text
            .replace(&format!("${{{place}}}"), &name.to_ascii_lowercase())
            .replace(
                &format!("${{{}}}", place.to_ascii_uppercase()),
                &name.to_ascii_uppercase(),
            );
    }
    if text.contains("${set_public_key}") {
        text = text.replace("${set_public_key}", &set_public_key(setup)?);
    }
    Ok(text)
}

/// The names of a set-up by their places in the templates.
fn names(setup: &Setup) -> [(&'static str, &str); 7] {
    [
        ("prefix", &setup.prefix),
        ("database", &setup.database),
        ("mart", &setup.mart),
        ("views", &setup.views),
        ("fivetran", &setup.fivetran),
        ("warehouse", &setup.warehouse),
        ("stage", &setup.stage),
    ]
}

/// Refuses a name that would need quoting, in either warehouse.
fn check(place: &str, name: &str) -> Result<(), Failure> {
    let longest = if place == "prefix" {
        LONGEST_PREFIX
    } else {
        LONGEST_NAME
    };
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let is_legal = starts_well && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_legal && name.len() <= longest {
        return Ok(());
    }
    let what = format!("--{place} {name:?} is not a name that needs no quotes");
    Err(Failure::new(ExitCode::Usage, what).remedy(format!(
        "use letters, digits and _, a letter or _ first, at most {longest} characters"
    )))
}

fn set_public_key(setup: &Setup) -> Result<String, Failure> {
    let user = format!("{}_LOADER", setup.prefix.to_ascii_uppercase());
    let Some(path) = &setup.public_key else {
        return Ok(format!(
            "-- ALTER USER {user} SET RSA_PUBLIC_KEY = '<loader.pub without its first and last line>';"
        ));
    };
    Ok(format!(
        "ALTER USER {user} SET RSA_PUBLIC_KEY = '{}';",
        public_key(path)?
    ))
}

/// The Base64 of a public key in PEM.
fn public_key(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let what = format!("`{}` cannot be read: {error}", path.display());
        Failure::new(ExitCode::Configuration, what).remedy("name the file that `openssl pkey -pubout` wrote")
    })?;
    let key: String = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("-----"))
        .collect();
    let is_public = text.contains("-----BEGIN PUBLIC KEY-----");
    let is_base64 = key.chars().all(|c| c.is_ascii_alphanumeric() || "+/=".contains(c));
    if is_public && is_base64 && !key.is_empty() {
        return Ok(key);
    }
    let what = format!("`{}` holds no public key in PEM", path.display());
    Err(Failure::new(ExitCode::Configuration, what)
        .remedy("write one: openssl pkey -in loader.p8 -pubout -out loader.pub"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Cli;
    use clap::Parser;

    fn rendered(line: &str) -> Result<String, Failure> {
        let words = ["zenfloe", "init", "--destination"].into_iter().chain(line.split(' '));
        let crate::args::Command::Init(init) = Cli::try_parse_from(words).expect("understood").command else {
            panic!("`init` is understood");
        };
        sql(&init.setup, init.setup.destination.expect("named"))
    }

    #[test]
    fn no_place_is_left_open() {
        for line in ["postgres", "snowflake", "snowflake --masking"] {
            let text = rendered(line).expect("the defaults are legal");
            assert!(!text.contains("${"), "{line}: {text}");
            assert!(text.to_lowercase().contains("zenfloe_load"), "{line}");
        }
    }

    #[test]
    fn names_are_written_as_each_warehouse_writes_them() {
        let line = "--prefix Acme --database Lake --mart acme_mart --views acme_views";
        let postgres = rendered(&format!("postgres {line}")).expect("legal names");
        assert!(postgres.contains("CREATE SCHEMA IF NOT EXISTS \"acme_mart\""));
        assert!(postgres.contains("GRANT CONNECT ON DATABASE \"lake\" TO \"acme_load\""));
        let snowflake = rendered(&format!("snowflake {line} --warehouse Small")).expect("legal names");
        assert!(snowflake.contains("CREATE ROLE IF NOT EXISTS ACME_LOAD "));
        assert!(snowflake.contains("CREATE SCHEMA IF NOT EXISTS LAKE.ACME_MART "));
        assert!(snowflake.contains("CREATE WAREHOUSE IF NOT EXISTS SMALL "));
        assert!(snowflake.contains("--     schema = \"acme_mart\""));
    }

    #[test]
    fn a_name_that_could_end_a_name_is_refused() {
        for name in ["a\"b", "a;b", "a'b", "a-b", "1a", "a.b", "é", ""] {
            for option in ["prefix", "database", "mart", "views", "fivetran", "warehouse", "stage"] {
                let refused = rendered(&format!("snowflake --{option} {name}")).expect_err("refused");
                assert!(refused.to_string().contains(option), "{refused}");
            }
        }
        let long = "a".repeat(LONGEST_PREFIX + 1);
        assert!(rendered(&format!("postgres --prefix {long}")).is_err());
    }

    #[test]
    fn a_public_key_and_nothing_else_goes_into_its_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("key");
        let with = |text: &str| {
            std::fs::write(&file, text).expect("written");
            rendered(&format!("snowflake --public-key {}", file.display()))
        };
        let text = with("-----BEGIN PUBLIC KEY-----\nMIIB\nIjAN==\n-----END PUBLIC KEY-----\n").expect("a key");
        assert!(text.contains("\nALTER USER ZENFLOE_LOADER SET RSA_PUBLIC_KEY = 'MIIBIjAN==';"));
        for bad in [
            "-----BEGIN PUBLIC KEY-----\nMIIB'; DROP\n-----END PUBLIC KEY-----\n",
            "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n",
            "",
        ] {
            assert!(with(bad).is_err(), "{bad}");
        }
    }
}
