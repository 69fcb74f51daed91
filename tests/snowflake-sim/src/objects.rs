//! A stage as S3 has it, on the front's own address: objects, and objects in parts.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};

/// The bucket of all stages.
pub(crate) const BUCKET: &str = "sim-stage";
/// The session credentials that uploads must be signed with.
pub(crate) const KEY_ID: &str = "SIMKEYID";
pub(crate) const SECRET: &str = "sim-secret";
pub(crate) const TOKEN: &str = "sim-token";

/// Uploads that are not complete.
#[derive(Debug, Default)]
pub(crate) struct Parts(Mutex<BTreeMap<String, BTreeMap<u32, Bytes>>>);

/// What a request to the bucket was.
pub(crate) enum Request {
    /// The whole object is here.
    Complete(Bytes, Response),
    /// It is answered, and no object is complete.
    Answered(Response),
}

impl Parts {
    fn held(&self) -> MutexGuard<'_, BTreeMap<String, BTreeMap<u32, Bytes>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a request for an object: PUT, or the three requests of an upload in parts.
    pub(crate) fn take(&self, method: &Method, query: &BTreeMap<String, String>, body: Bytes) -> Request {
        let etag = |status: StatusCode| (status, [("ETag", "\"sim\"")]).into_response();
        match (method.as_str(), query.get("uploadId"), query.get("partNumber")) {
            ("PUT", None, None) => Request::Complete(body, etag(StatusCode::OK)),
            ("POST", None, _) if query.contains_key("uploads") => {
                let id = format!("{:032x}", fastrand::u128(..));
                let answer = format!(
                    "<InitiateMultipartUploadResult><Bucket>{BUCKET}</Bucket><Key>k</Key><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
                );
                self.held().insert(id, BTreeMap::new());
                Request::Answered(answer.into_response())
            }
            ("PUT", Some(id), Some(number)) => match (self.held().get_mut(id), number.parse()) {
                (Some(parts), Ok(number)) => {
                    parts.insert(number, body);
                    Request::Answered(etag(StatusCode::OK))
                }
                _ => Request::Answered(StatusCode::NOT_FOUND.into_response()),
            },
            ("POST", Some(id), _) => match self.held().remove(id) {
                Some(parts) => {
                    let whole: Vec<u8> = parts.into_values().flatten().collect();
                    let answer = "<CompleteMultipartUploadResult><Location>l</Location><Bucket>b</Bucket><Key>k</Key><ETag>\"sim\"</ETag></CompleteMultipartUploadResult>";
                    Request::Complete(whole.into(), answer.into_response())
                }
                None => Request::Answered(StatusCode::NOT_FOUND.into_response()),
            },
            _ => Request::Answered(StatusCode::METHOD_NOT_ALLOWED.into_response()),
        }
    }
}

/// Claims that a request carries the credentials that the stage gave out.
pub(crate) fn is_signed(headers: &HeaderMap) -> bool {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let credential = format!("AWS4-HMAC-SHA256 Credential={KEY_ID}/");
    text("authorization").starts_with(&credential) && text("x-amz-security-token") == TOKEN
}
