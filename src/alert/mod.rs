//! Alerts: findings in, records of incidents out, in the formats that people and tools read.

mod backwards;
mod endpoints;
pub mod escape;
pub mod human;
mod incident;
pub mod order;
pub mod record;
pub mod sink;

pub use backwards::{LINE_BYTES_MOST, lines_backwards};
pub use endpoints::{endpoint_records, inventory_records, orphans_of};
pub use incident::{IncidentTally, Incidents, OpenIncident, told_since};
