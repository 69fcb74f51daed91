//! Reads what an answer that is no page means (CATALOG: errors).

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;

use crate::{Fault, Unavailability};

/// Code and words of an error body, as far as they can be told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    code: String,
    words: String,
}

/// Longer texts than a title are not repeated: they could quote the request.
const LONGEST_WORDS: usize = 160;

impl Said {
    /// Reads any of the shapes of Zendesk's error bodies.
    pub(crate) fn read(body: &[u8]) -> Self {
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return Self::default();
        };
        let first = &body["errors"][0];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let code = text(&first["code"])
            .or_else(|| text(&body["error"]))
            .or_else(|| text(&body["error"]["title"]));
        let words = text(&first["title"])
            .or_else(|| text(&body["description"]))
            .or_else(|| text(&body["error_description"]))
            .or_else(|| text(&body["error"]["message"]));
        Self {
            code: short(code.unwrap_or_default()),
            words: short(words.unwrap_or_default()),
        }
    }

    /// Code and words, or a word for neither.
    pub(crate) fn text(&self) -> String {
        match (self.code.as_str(), self.words.as_str()) {
            ("", "") => "nothing".into(),
            (code, "") => code.into(),
            ("", words) => words.into(),
            (code, words) => format!("{code}: {words}"),
        }
    }

    fn mentions(&self, word: &str) -> bool {
        self.text().to_ascii_lowercase().contains(word)
    }

    pub(crate) fn is_refused_cursor(&self) -> bool {
        self.code == "InvalidCursor" || (self.mentions("invalid") && self.mentions("cursor"))
    }

    fn is_too_recent(&self) -> bool {
        self.code == "StartTimeTooRecent" || self.mentions("too recent")
    }
}

fn short(text: String) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST_WORDS).collect()
}

/// What a status other than 200 means; 401, 504 and redirects are the client's own business.
pub(crate) fn fault(status: StatusCode, headers: &HeaderMap, body: &[u8], host: &str) -> Fault {
    let said = Said::read(body);
    match status.as_u16() {
        429 => Fault::RateLimited {
            after: retry_after(headers),
        },
        403 => {
            let why = if said.mentions("scope") {
                Unavailability::Scope
            } else {
                Unavailability::Role
            };
            Fault::NotAvailable { why, said: said.text() }
        }
        404 if is_html(headers, body) => Fault::NoSuchAccount { host: host.to_owned() },
        404 => Fault::NotAvailable {
            why: Unavailability::Plan,
            said: said.text(),
        },
        400 | 422 if said.is_too_recent() => Fault::TooRecent,
        // Unlike the other refusals these pass by themselves.
        408 | 409 | 425 => Fault::Unavailable {
            status: status.as_u16(),
            after: retry_after(headers),
        },
        code if code >= 500 => Fault::Unavailable {
            status: code,
            after: retry_after(headers),
        },
        code => Fault::Refused {
            status: code,
            said: said.text(),
        },
    }
}

fn is_html(headers: &HeaderMap, body: &[u8]) -> bool {
    let declared = headers
        .get(reqwest::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    declared.is_some_and(|kind| kind.starts_with("text/html")) || body.trim_ascii_start().starts_with(b"<")
}

/// Seconds or a date.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return (seconds.is_finite() && seconds >= 0.0).then(|| Duration::from_secs_f64(seconds.min(86_400.0)));
    }
    let at = httpdate::parse_http_date(text).ok()?;
    Some(
        at.duration_since(date(headers).unwrap_or_else(SystemTime::now))
            .unwrap_or_default(),
    )
}

/// The server's clock.
pub(crate) fn date(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(reqwest::header::DATE)?.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Class, SourceError};

    fn check(status: u16, body: &str, class: Class, message: &str) {
        let status = StatusCode::from_u16(status).expect("a status");
        let fault = fault(status, &HeaderMap::new(), body.as_bytes(), "acme.zendesk.com");
        assert_eq!(fault.to_string(), message);
        let error = SourceError {
            subject: "tickets".into(),
            status: Some(status.as_u16()),
            readings: vec![],
            fault,
        };
        assert_eq!(error.class(), class, "{message}");
    }

    #[test]
    fn refusals_are_told_apart() {
        let again = Class::Retry { after: None };
        check(429, "", again, "too many requests");
        check(500, "<html>", again, "Zendesk is not available (status 500)");
        check(409, "{}", again, "Zendesk is not available (status 409)");
        check(
            400,
            r#"{"errors":[{"code":"StartTimeTooRecent","title":"Too recent start_time"}]}"#,
            Class::Retry {
                after: Some(Duration::from_secs(60)),
            },
            "the start lies in the last minute",
        );
        check(
            403,
            r#"{"error":"Forbidden","description":"Missing the following required scopes: read"}"#,
            Class::Reject,
            "not available (missing scope): Zendesk said `Forbidden: Missing the following required scopes: read`",
        );
        check(
            403,
            r#"{"error":{"title":"Forbidden","message":"You do not have access to this page."}}"#,
            Class::Reject,
            "not available (missing role): Zendesk said `Forbidden: You do not have access to this page.`",
        );
        check(
            404,
            r#"{"error":{"title":"InvalidEndpoint","message":"Not found"}}"#,
            Class::Reject,
            "not available (not on this plan): Zendesk said `InvalidEndpoint: Not found`",
        );
        check(
            404,
            "<!DOCTYPE html>",
            Class::Stop,
            "no Zendesk account answers at acme.zendesk.com; check the subdomain",
        );
        check(
            400,
            r#"{"error":"TooManyValues"}"#,
            Class::Reject,
            "the request was refused with status 400: `TooManyValues`",
        );
        check(
            418,
            "",
            Class::Reject,
            "the request was refused with status 418: `nothing`",
        );
    }

    #[test]
    fn refused_cursors_are_recognised() {
        for body in [
            r#"{"errors":[{"code":"InvalidCursor","title":"cursor is not valid"}]}"#,
            r#"{"error":"invalid","description":"cursor parameter is invalid"}"#,
        ] {
            assert!(Said::read(body.as_bytes()).is_refused_cursor(), "{body}");
        }
        assert!(!Said::read(br#"{"error":"invalid","description":"page[size]"}"#).is_refused_cursor());
    }

    #[test]
    fn waits_are_read_as_seconds_or_as_a_date() {
        let headers = |pairs: &[(&'static str, &'static str)]| -> HeaderMap {
            pairs
                .iter()
                .map(|(name, value)| {
                    (
                        name.parse::<reqwest::header::HeaderName>().expect("a name"),
                        value.parse().expect("a value"),
                    )
                })
                .collect()
        };
        assert_eq!(
            retry_after(&headers(&[("retry-after", "38")])),
            Some(Duration::from_secs(38))
        );
        assert_eq!(retry_after(&headers(&[("retry-after", "soon")])), None);
        assert_eq!(retry_after(&headers(&[])), None);
        let dated = headers(&[
            ("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"),
            ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ]);
        assert_eq!(retry_after(&dated), Some(Duration::from_secs(30)));
    }
}
