//! What is normal: the store of every key between windows, and the snapshots that workers read.

mod bounds;
mod changes;
mod cusum;
mod fold;
mod forget;
mod gate;
mod generations;
pub mod habit;
mod inventory;
mod lasting;
mod lesson;
pub mod pace;
mod parameters;
pub mod peers;
pub mod persist;
mod quarantine;
mod reach;
mod settling;
pub mod state;
mod store;
pub mod strangers;
mod tiers;
mod watched;

pub use bounds::StoreLimits;
pub use fold::Spoiled;
pub use forget::Forget;
pub use inventory::InventoryBuilder;
pub use lasting::{AWAKE, Awakening, Lasting};
pub use lesson::not_understood;
pub use parameters::{Parameter, Parameters};
pub use persist::{Checkpointer, Cut, Leave, Singles, State, StateError};
pub use reach::ReachState;
pub use store::{Store, Touched, data_of};
pub use tiers::{SPANS, Tiers, tier_of};
pub use watched::Watched;
