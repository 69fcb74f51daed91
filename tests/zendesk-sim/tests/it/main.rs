//! The simulator through real HTTP: what CATALOG's checklist for simulators asks of these collections.

mod account;
mod auth;
mod beside;
mod control;
mod cursor_export;
mod desk;
mod faults;
mod ledger;
mod lists;
mod people;
mod rates;
mod samples;
mod sideloads;
mod state;
mod time_export;
