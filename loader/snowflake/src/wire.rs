//! The bodies of the driver protocol, as far as a loader reads them.

use std::fmt;

use serde::Deserialize;
use serde_json::{Value as Json, value::RawValue};

/// An answer of any request.
#[derive(Deserialize)]
pub(crate) struct Answer {
    #[serde(default)]
    pub(crate) success: bool,
    #[serde(default)]
    pub(crate) code: Option<Code>,
    #[serde(default)]
    pub(crate) message: Option<String>,
    #[serde(default)]
    data: Option<Box<RawValue>>,
}

/// A code that is written as a number by some requests and as a text by others.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Code {
    Text(String),
    Number(u64),
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number:06}"),
        }
    }
}

impl Answer {
    pub(crate) fn code(&self) -> String {
        self.code.as_ref().map(ToString::to_string).unwrap_or_default()
    }

    pub(crate) fn message(&self) -> &str {
        self.message.as_deref().unwrap_or("no reason was given")
    }

    /// The payload; `None` when it is missing or not of this form.
    pub(crate) fn data<T: for<'d> Deserialize<'d>>(&self) -> Option<T> {
        serde_json::from_str(self.data.as_ref()?.get()).ok()
    }
}

/// What a sign-in brings. Debug prints none of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignedIn {
    pub(crate) token: String,
    #[serde(default)]
    pub(crate) master_token: Option<String>,
    #[serde(default)]
    pub(crate) session_info: Json,
}

/// What a renewal brings.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Renewed {
    pub(crate) session_token: String,
    #[serde(default)]
    pub(crate) master_token: Option<String>,
}

/// What a statement brings, or where its result will be found.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Outcome {
    pub(crate) rowset: Option<Vec<Vec<Option<Json>>>>,
    pub(crate) rowset_base64: Option<String>,
    pub(crate) chunks: Option<Vec<Chunk>>,
    pub(crate) chunk_headers: Option<std::collections::BTreeMap<String, String>>,
    pub(crate) query_result_format: Option<String>,
    pub(crate) get_result_url: Option<String>,
    pub(crate) stage_info: Option<StageInfo>,
    pub(crate) encryption_material: Option<Json>,
}

/// A further part of a large result.
#[derive(Deserialize)]
pub(crate) struct Chunk {
    pub(crate) url: String,
}

/// Where a file goes. Debug prints none of it.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct StageInfo {
    pub(crate) location_type: String,
    pub(crate) location: String,
    pub(crate) region: Option<String>,
    pub(crate) end_point: Option<String>,
    pub(crate) storage_account: Option<String>,
    pub(crate) presigned_url: Option<String>,
    pub(crate) is_client_side_encrypted: Option<bool>,
    pub(crate) creds: std::collections::BTreeMap<String, Json>,
}

impl StageInfo {
    /// A credential by its name.
    pub(crate) fn credential(&self, name: &str) -> Option<&str> {
        self.creds
            .get(name)
            .and_then(Json::as_str)
            .filter(|text| !text.is_empty())
    }
}
