//! What stands beside tickets: ratings, notices to agents, moments of clocks, conversations with others, and the log of
//! who changed the account's settings. How it comes about is the business of `trail`.

use crate::table::Timed;

/// What a requester thought of the help, once it was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Rating {
    pub(crate) id: i64,
    pub(crate) ticket: i64,
    pub(crate) requester: i64,
    pub(crate) assignee: Option<i64>,
    pub(crate) group: Option<i64>,
    /// `None` while it is offered and not given.
    pub(crate) given: Option<Given>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

/// A rating that was given; its words are a function of the seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given {
    pub(crate) is_good: bool,
    pub(crate) seed: u64,
}

/// A change of the account's settings.
#[derive(Debug, Clone)]
pub(crate) struct Audit {
    pub(crate) id: i64,
    /// The person who did it.
    pub(crate) actor: i64,
    pub(crate) actor_index: u32,
    pub(crate) action: &'static str,
    pub(crate) source: i64,
    pub(crate) source_type: &'static str,
    pub(crate) label: String,
    pub(crate) seed: u64,
    pub(crate) at: i64,
}

/// A notice to the agent whose credentials are used.
#[derive(Debug, Clone)]
pub(crate) struct Activity {
    pub(crate) id: i64,
    pub(crate) ticket: i64,
    /// The agent who did something.
    pub(crate) actor: i64,
    pub(crate) actor_index: u32,
    pub(crate) verb: &'static str,
    pub(crate) at: i64,
}

/// A moment of one clock of a ticket.
#[derive(Debug, Clone)]
pub(crate) struct MetricEvent {
    pub(crate) id: i64,
    pub(crate) ticket: i64,
    pub(crate) metric: &'static str,
    pub(crate) what: Moment,
    /// Which round of the clock, from 1.
    pub(crate) instance: u32,
    pub(crate) at: i64,
}

/// What a clock did.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Moment {
    Activate,
    ApplySla,
    /// A breach that an answer in time has made void is shown all the same, and marked.
    Breach {
        is_void: bool,
    },
    Fulfill,
    UpdateStatus {
        minutes: i64,
    },
}

/// A conversation of an agent with others, beside a ticket.
#[derive(Debug, Clone)]
pub(crate) struct SideConversation {
    pub(crate) id: i64,
    pub(crate) ticket: i64,
    pub(crate) seed: u64,
    pub(crate) is_closed: bool,
    /// What decides the words of its last message.
    pub(crate) last_message: u64,
    pub(crate) message_at: i64,
    pub(crate) state_at: i64,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    /// The milliseconds of its last change, which rise within a second.
    pub(crate) millis: i64,
    /// The newest of its events.
    pub(crate) last_event: i64,
}

/// Something that happened in a side conversation.
#[derive(Debug, Clone)]
pub(crate) struct SideEvent {
    pub(crate) id: i64,
    pub(crate) conversation: i64,
    pub(crate) ticket: i64,
    pub(crate) what: Said,
    pub(crate) at: i64,
    /// Milliseconds beside `at`.
    pub(crate) millis: i64,
}

/// What happened; the words are a function of the seed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Said {
    Create { seed: u64 },
    Reply { seed: u64 },
    Close,
}

macro_rules! timed {
    ($($kind:ty: $time:ident),*) => {
        $(impl Timed for $kind {
            fn id(&self) -> i64 {
                self.id
            }
            fn time(&self) -> i64 {
                self.$time
            }
        })*
    };
}

timed!(Rating: updated_at, Audit: at, Activity: at, MetricEvent: at, SideConversation: updated_at, SideEvent: at);
