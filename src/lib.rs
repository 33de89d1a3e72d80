//! apitap: a passive API security sensor.
//!
//! Frames become packets, streams, HTTP transactions, observations and windows; windows become findings and alerts.
//! `docs/ARCHITECTURE.md` has the whole picture. Its table says which module may import which.

mod counts;
pub mod hash;
pub mod time;

pub mod alert;
pub mod api;
pub mod baseline;
pub mod capture;
pub mod cli;
pub mod config;
pub mod detect;
pub mod evaluate;
pub mod http;
pub mod inspect;
pub mod packet;
pub mod pipeline;
pub mod rule;
pub mod service;
pub mod simulate;
pub mod stream;
pub mod window;
