//! What is normal: the store of every key between windows, and the snapshots that workers read.

mod fold;
mod inventory;
mod persist;
mod settling;
pub mod state;
mod store;
mod tiers;

pub use fold::{Spoiled, not_understood};
pub use inventory::InventoryBuilder;
pub use persist::{State, StateError};
pub use store::{Store, StoreLimits, Touched, data_of};
pub use tiers::{SPANS, Tiers, tier_of};
