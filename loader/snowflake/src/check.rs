//! Everything that loading needs, tried one by one, so that what is missing is named with the grant that helps.

use zenfloe_destination::{Finding, LoadError};

use crate::Config;
use crate::driver::{Session, Statement};
use crate::error::ApiError;
use crate::ledger;
use crate::session::Warehouse;
use crate::sql::{SUPPRESSED, ident};

/// The table that goes with the session.
const PROBE: &str = "\"_ZENFLOE_STAGING_CHECK\"";
const PROBE_VIEW: &str = "\"_ZENFLOE_CHECK\"";

/// A statement, what it shows, and what helps where it is refused.
struct Step {
    subject: &'static str,
    sql: Vec<String>,
    good: String,
    remedy: String,
}

/// Tries everything; makes what loading would make, and drops what else it made.
pub(crate) async fn check(warehouse: &Warehouse) -> Vec<Finding> {
    let config = &warehouse.config;
    let mut session = match warehouse.sign_in().await {
        Ok(session) => session,
        Err(error) => return vec![Finding::bad("sign-in", &error, remedy_of_sign_in(config, &error))],
    };
    let mut findings = vec![Finding::good("sign-in", signed_in(config))];
    for step in steps(config) {
        findings.push(step.take(&mut *session).await);
    }
    findings.push(upload(config, &mut *session).await);
    session.end().await;
    findings
}

fn signed_in(config: &Config) -> String {
    format!(
        "as `{}` into {}.{}, role {}, warehouse {}",
        config.user,
        config.database,
        config.schema,
        config.role.as_deref().unwrap_or("(the user's own)"),
        config.warehouse.as_deref().unwrap_or("(the user's own)"),
    )
}

/// The refusal itself says what to check, but for an account that is not reached.
fn remedy_of_sign_in(config: &Config, error: &LoadError) -> String {
    match error {
        LoadError::Unavailable { .. } => {
            let host = config.base().ok().and_then(|url| url.host_str().map(str::to_owned));
            format!(
                "is `account` right, and may this machine (and its proxy) reach {} by HTTPS?",
                host.unwrap_or_default()
            )
        }
        _ => String::new(),
    }
}

/// Names as the set-up SQL writes them.
struct Names {
    schema: String,
    role: String,
}

impl Names {
    fn of(config: &Config) -> Self {
        Self {
            schema: format!("{}.{}", config.database, config.schema.to_ascii_uppercase()),
            role: config.role.clone().unwrap_or_else(|| "<the loader's role>".into()),
        }
    }

    fn grant(&self, what: &str) -> String {
        format!("GRANT {what} TO ROLE {};", self.role)
    }
}

fn steps(config: &Config) -> Vec<Step> {
    let names = Names::of(config);
    let on_schema = |what: &str| names.grant(&format!("{what} ON SCHEMA {}", names.schema));
    let warehouse = config.warehouse.as_deref().unwrap_or("<the loader's warehouse>");
    vec![
        Step {
            subject: "read the schema",
            sql: vec!["SELECT COUNT(*) FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = CURRENT_SCHEMA()".into()],
            good: "granted".into(),
            remedy: format!(
                "{} {}",
                names.grant(&format!("USAGE ON DATABASE {}", config.database)),
                on_schema("USAGE")
            ),
        },
        Step {
            subject: "make tables",
            sql: vec![ledger::suppressed()],
            good: "granted".into(),
            remedy: on_schema("CREATE TABLE"),
        },
        Step {
            subject: "change tables",
            sql: vec![format!("DELETE FROM {SUPPRESSED} WHERE 1 = 0")],
            good: "granted".into(),
            remedy: format!(
                "tables of the schema must belong to the role: {}",
                names.grant(&format!("OWNERSHIP ON ALL TABLES IN SCHEMA {}", names.schema))
            ),
        },
        Step {
            subject: "make staging tables",
            sql: vec![format!(
                "CREATE OR REPLACE TEMPORARY TABLE {PROBE} (\"N\" NUMBER(38,0))"
            )],
            good: "granted".into(),
            remedy: on_schema("CREATE TEMPORARY TABLE"),
        },
        Step {
            subject: "warehouse",
            // Reads no table, so that it says nothing about one, and is more than the account answers by itself.
            sql: vec!["SELECT COUNT(*) FROM TABLE(FLATTEN(INPUT => PARSE_JSON('[1,2]'))) C".into()],
            good: "runs statements".into(),
            remedy: format!(
                "{} and let it start by itself: ALTER WAREHOUSE {warehouse} SET AUTO_RESUME = TRUE;",
                names.grant(&format!("USAGE, OPERATE ON WAREHOUSE {warehouse}"))
            ),
        },
        Step {
            subject: "make views",
            sql: vec![
                format!("CREATE OR REPLACE VIEW {PROBE_VIEW} AS SELECT 1 \"N\""),
                format!("DROP VIEW {PROBE_VIEW}"),
            ],
            good: "granted".into(),
            remedy: on_schema("CREATE VIEW"),
        },
    ]
}

impl Step {
    async fn take(self, session: &mut dyn Session) -> Finding {
        for sql in self.sql {
            match session.run(&Statement::new("", sql)).await {
                Ok(_) | Err(ApiError::Exists { .. }) => {}
                Err(error) => return Finding::bad(self.subject, &error.into(), self.remedy),
            }
        }
        Finding::good(self.subject, self.good)
    }
}

/// A file of one line goes the way that files of rows go, and is removed.
async fn upload(config: &Config, session: &mut dyn Session) -> Finding {
    let names = Names::of(config);
    let stage = ident(&config.stage);
    let remedy = format!(
        "{}; where a role without that right is wanted, make the stage yourself (CREATE STAGE {}.{} ENCRYPTION = (TYPE = \
         'SNOWFLAKE_SSE');) and {}; this machine must reach the account's cloud storage by HTTPS",
        names
            .grant(&format!("CREATE STAGE ON SCHEMA {}", names.schema))
            .trim_end_matches(';'),
        names.schema,
        config.stage.to_ascii_uppercase(),
        names.grant(&format!(
            "READ, WRITE ON STAGE {}.{}",
            names.schema,
            config.stage.to_ascii_uppercase()
        )),
    );
    let place = format!("@{}/_zenfloe_check/", config.stage.to_ascii_uppercase());
    let outcome = async {
        match session.run(&Statement::new("", ledger::stage(config))).await {
            Ok(_) | Err(ApiError::Exists { .. } | ApiError::Forbidden { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let unwritable = |error: std::io::Error| LoadError::Unavailable {
            what: format!("no folder for files of rows: {error}"),
        };
        let folder = match &config.spool_folder {
            Some(folder) => tempfile::tempdir_in(folder),
            None => tempfile::tempdir(),
        };
        let folder = folder.map_err(unwritable)?;
        let file = folder.path().join("check");
        std::fs::write(&file, "check\n").map_err(unwritable)?;
        session.put(&file, &place, "").await?;
        // What stays behind is a file of six bytes.
        if let Err(error) = session.run(&Statement::new("", format!("REMOVE {place}"))).await {
            tracing::debug!(%error, "the file of the check stays in the stage");
        }
        Ok::<_, LoadError>(())
    };
    match outcome.await {
        Ok(()) => Finding::good("upload", format!("stage {stage} takes files")),
        Err(error) => Finding::bad("upload", &error, remedy),
    }
}
