//! apitap: a passive API security sensor.
//!
//! Frames become packets, streams, HTTP transactions, observations and windows; windows become findings and alerts.
//! `docs/ARCHITECTURE.md` has the whole picture. Each module imports only modules above it in this list.

pub mod hash;
pub mod time;

pub mod capture;
pub mod packet;
pub mod rule;
pub mod stream;
pub mod http;
pub mod inspect;
pub mod api;
pub mod window;
pub mod baseline;
pub mod detect;
pub mod alert;
pub mod config;
pub mod pipeline;
pub mod simulate;
pub mod cli;
