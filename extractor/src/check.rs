use zenfloe_catalog::Collection;
use zenfloe_zendesk::{Class, Fault, Source, SourceError, Unavailability};

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was checked: `credentials`, or a collection.
    pub subject: String,
    /// What was found.
    pub found: String,
    /// What to do about it; `None` when all is well.
    pub remedy: Option<String>,
}

impl Finding {
    /// Claims that nothing has to be done.
    pub fn is_good(&self) -> bool {
        self.remedy.is_none()
    }
}

/// Asks who the credentials belong to and for the smallest page of each collection.
pub async fn check(api: &dyn Source, collections: &[&Collection]) -> Vec<Finding> {
    let mut findings = Vec::new();
    match api.identity().await {
        Ok(identity) => findings.push(Finding {
            subject: "credentials".into(),
            found: format!("user {} ({})", identity.user_id, identity.role),
            remedy: (identity.role != "admin").then(|| {
                "the exports need an admin: give the user that role, or use another user's credentials".into()
            }),
        }),
        Err(error) => {
            let stops = error.class() == Class::Stop;
            findings.push(bad(&error, "check `subdomain` and `auth`".into()));
            if stops {
                return findings;
            }
        }
    }
    for collection in collections {
        findings.push(match api.probe(collection).await {
            Ok(()) => Finding {
                subject: collection.name.clone(),
                found: "can be read".into(),
                remedy: None,
            },
            Err(error) => bad(&error, remedy(&error, collection)),
        });
    }
    findings
}

fn bad(error: &SourceError, remedy: String) -> Finding {
    Finding {
        subject: error.subject.clone(),
        found: error.fault.to_string(),
        remedy: Some(remedy),
    }
}

/// What a person can do about a collection that cannot be read.
pub(crate) fn remedy(error: &SourceError, collection: &Collection) -> String {
    let endpoint = &collection.endpoint;
    let off = format!("or switch it off: `collections.off = [\"{}\"]`", collection.name);
    match &error.fault {
        Fault::NotAvailable {
            why: Unavailability::Scope,
            ..
        } => {
            format!(
                "give the OAuth client the scope `{}` (or `read`), {off}",
                endpoint.scope
            )
        }
        Fault::NotAvailable {
            why: Unavailability::Role,
            ..
        } => {
            format!(
                "give the user the role `{}` (plan: {}), {off}",
                endpoint.role, endpoint.plan
            )
        }
        Fault::NotAvailable {
            why: Unavailability::Plan,
            ..
        } => {
            format!("the account needs the plan `{}`, {off}", endpoint.plan)
        }
        Fault::RateLimited { .. } => "the account's requests are used up: check again in a minute".into(),
        Fault::Unauthorized { .. } => "check `auth`: the user, the token, and that the token is active".into(),
        Fault::NoSuchAccount { .. } | Fault::ForeignRedirect { .. } => "check `subdomain` and `base_url`".into(),
        Fault::Refused { .. } => format!("tell us: this release asks for what the account does not know; {off}"),
        _ => "check again; if it stays, check the network and status.zendesk.com".into(),
    }
}
