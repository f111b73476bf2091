//! Reports in the formats that others read, one file each. JSON is the report as it is, by serde.

#[cfg(feature = "columnar")]
mod arrow;
#[cfg(feature = "columnar")]
mod batch;
pub mod columns;
pub mod folded;
pub mod human;
pub mod openmetrics;
#[cfg(feature = "columnar")]
mod parquet;
pub mod rows;
pub mod table;
pub mod values;
