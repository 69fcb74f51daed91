//! Against real brokers, which the harness fetches and starts.

mod cluster;
mod contract;
mod crash;
mod hop;
mod limits;
mod measure;
mod secure;
mod stay;
