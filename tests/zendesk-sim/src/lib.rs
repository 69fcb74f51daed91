//! zendesk-sim
