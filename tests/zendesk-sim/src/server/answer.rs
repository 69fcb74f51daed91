//! Answers and the shapes of Zendesk's error bodies.

use serde_json::{Value, json};

/// An answer before it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
    /// Records in it.
    pub(crate) rows: usize,
}

const JSON: &str = "application/json; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

impl Answer {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::raw_json(status, body.to_string().into_bytes())
    }

    pub(crate) fn raw_json(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content_type: JSON,
            body,
            rows: 0,
        }
    }

    pub(crate) fn page(body: Vec<u8>, rows: usize) -> Self {
        Self {
            rows,
            ..Self::raw_json(200, body)
        }
    }

    pub(crate) fn html(status: u16) -> Self {
        let body =
            format!("<!DOCTYPE html>\n<html><head><title>{status}</title></head><body><h1>Oops</h1></body></html>\n");
        Self {
            content_type: HTML,
            ..Self::raw_json(status, body.into_bytes())
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// An error of the shape of pagination and exports.
    pub(crate) fn coded(code: &str, title: &str) -> Self {
        Self::json(400, &json!({"errors": [{"code": code, "title": title}]}))
    }

    pub(crate) fn invalid_page(title: &str) -> Self {
        Self::coded("InvalidPaginationParameter", title)
    }

    pub(crate) fn invalid_cursor() -> Self {
        Self::coded("InvalidCursor", "cursor is not valid")
    }

    pub(crate) fn invalid_value(message: &str) -> Self {
        Self::json(
            400,
            &json!({"error": {"title": "Invalid attribute", "message": message}}),
        )
    }

    pub(crate) fn unauthenticated() -> Self {
        Self::json(401, &json!({"error": "Couldn't authenticate you"}))
    }

    pub(crate) fn invalid_token() -> Self {
        let words = "The access token provided is expired, revoked, malformed or invalid for other reasons.";
        Self::json(401, &json!({"error": "invalid_token", "error_description": words}))
    }

    pub(crate) fn forbidden() -> Self {
        let message = "You do not have access to this page. \
            Please contact the account owner of this help desk for further help.";
        Self::json(403, &json!({"error": {"title": "Forbidden", "message": message}}))
    }

    pub(crate) fn missing_scope(scope: &str) -> Self {
        let words = format!("Missing the following required scopes: {scope}");
        Self::json(403, &json!({"error": "Forbidden", "description": words}))
    }

    pub(crate) fn no_such_record() -> Self {
        Self::json(404, &json!({"error": "RecordNotFound", "description": "Not found"}))
    }

    pub(crate) fn no_such_endpoint() -> Self {
        Self::json(
            404,
            &json!({"error": {"title": "InvalidEndpoint", "message": "Not found"}}),
        )
    }

    pub(crate) fn too_many_requests() -> Self {
        let words = "Number of allowed API requests per minute exceeded";
        Self::json(429, &json!({"error": "APIRateLimitExceeded", "description": words}))
    }

    /// What Zendesk says beside a status, as far as a script can ask for it.
    pub(crate) fn of_status(status: u16) -> Self {
        match status {
            401 => Self::unauthenticated(),
            403 => Self::forbidden(),
            404 => Self::no_such_record(),
            409 => Self::json(409, &json!({"error": "Conflict", "description": "Try again"})),
            429 => Self::too_many_requests(),
            504 => Self {
                content_type: "text/plain",
                ..Self::raw_json(504, b"upstream request timeout".to_vec())
            },
            500.. => Self::html(status),
            _ => Self::json(status, &json!({"error": "invalid", "description": "scripted"})),
        }
    }
}
