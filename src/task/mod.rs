//! The big key analysis task: its JSON, field by field as the task API publishes it, and with the feature `store` its life:
//! kept in a [`Store`], worked off by a [`Runner`]. Its siblings are the hot key analysis, which lists keys by how often they were
//! used, the expired key scan, and the offline key analysis, with bytes and prefixes.

#[cfg(feature = "store")]
mod dumps;
mod model;
#[cfg(feature = "store")]
mod offline;
#[cfg(feature = "store")]
mod question;
#[cfg(feature = "store")]
mod ranking;
#[cfg(feature = "store")]
mod runner;
#[cfg(feature = "store")]
mod store;

#[cfg(feature = "store")]
pub use dumps::{Settled, settled};
pub use model::{KeyRecord, ScanType, Status, Task, Times};
#[cfg(feature = "store")]
pub use offline::{LargestKey, LargestPrefix, OfflineNumbers, OfflineRequest, TypeBytes, TypeNum};
#[cfg(feature = "store")]
pub use question::TaskQuestion;
#[cfg(feature = "store")]
pub use ranking::has_counters;
#[cfg(feature = "store")]
pub use runner::{GIVEN_UP, Runner, Worked};
#[cfg(feature = "store")]
pub use store::{
    Autoscan, BiggestKeys, Claim, Counts, Details, DumpDetails, Ended, Listing, NewTask, NodeBytes, Once, Outcome,
    Query, Recovered, STARTS_MAX, Store, StoreError, TASKS_KEPT, TaskKind, TaskRecord, WorkLock,
};
