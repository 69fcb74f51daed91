//! Reads the body of an answer, up to a limit.

use bytes::{Bytes, BytesMut};

use crate::Fault;

/// A body that was not read to its end.
pub(crate) enum Unread {
    TooSlow,
    TooLarge,
    Lost(reqwest::Error),
}

impl From<reqwest::Error> for Unread {
    fn from(error: reqwest::Error) -> Self {
        // A connection that cannot be made in time is no sign of a heavy page.
        if error.is_timeout() && !error.is_connect() {
            Self::TooSlow
        } else {
            Self::Lost(error.without_url())
        }
    }
}

impl Unread {
    /// What it means where a smaller answer cannot be asked for.
    pub(crate) fn fault(self) -> Fault {
        match self {
            Self::Lost(error) => Fault::Transport(error),
            Self::TooSlow => Fault::Unavailable {
                status: 504,
                after: None,
            },
            Self::TooLarge => Fault::Broken {
                what: "it is larger than allowed".into(),
            },
        }
    }
}

/// Reads the body, decompressed, but not more than `limit` bytes of it; `expected` is what such answers have.
pub(crate) async fn read(mut answer: reqwest::Response, expected: usize, limit: usize) -> Result<Bytes, Unread> {
    if answer.content_length().is_some_and(|length| length > limit as u64) {
        return Err(Unread::TooLarge);
    }
    let mut body = BytesMut::with_capacity(expected + expected / 8);
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > limit {
            return Err(Unread::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
