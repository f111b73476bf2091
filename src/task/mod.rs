//! The big key analysis task: its JSON, field by field as the task API publishes it.

mod model;

pub use model::{KeyRecord, ScanType, Status, Task, Times};
