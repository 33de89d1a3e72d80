//! Sinks: where alerts go.

pub mod settings;
