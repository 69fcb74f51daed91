//! The HTTP server: who asks, how often, for what, and what goes wrong on the way.

mod answer;
pub(crate) mod auth;
pub(crate) mod bucket;
mod control;
mod export;
pub(crate) mod fault;
pub(crate) mod ledger;
mod list;
pub(crate) mod log;
mod oauth;
mod page;
mod query;
pub(crate) mod refusal;
mod request;
mod route;
mod send;
mod shared;
mod single;
mod talks;
mod window;
mod wire;

pub(crate) use send::serve;
pub(crate) use shared::{Parts, Settings, Shared};

use answer::Answer;

/// An answer with what is worth logging about it.
pub(crate) struct Served {
    answer: Answer,
    unknown_includes: Vec<String>,
}

impl From<Answer> for Served {
    fn from(answer: Answer) -> Self {
        Self {
            answer,
            unknown_includes: Vec::new(),
        }
    }
}
