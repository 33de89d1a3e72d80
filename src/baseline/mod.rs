//! What is normal: the store of every key between windows, and the snapshots that workers read.

mod bounds;
mod changes;
mod cusum;
mod fold;
mod forget;
mod generations;
pub mod habit;
mod inventory;
pub mod pace;
pub mod peers;
pub mod persist;
mod settling;
pub mod state;
mod store;
mod tiers;

pub use bounds::{StoreLimits, network_of};
pub use fold::{Spoiled, not_understood};
pub use forget::Forget;
pub use inventory::InventoryBuilder;
pub use persist::{Checkpointer, Cut, Leave, Singles, State, StateError};
pub use store::{Store, Touched, data_of};
pub use tiers::{SPANS, Tiers, tier_of};
