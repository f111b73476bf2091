//! Reports in the formats that others read, one file each. JSON is the report as it is, by serde.

#[cfg(feature = "columnar")]
mod arrow;
#[cfg(feature = "columnar")]
mod batch;
pub mod columns;
mod findings;
pub mod folded;
mod formula;
pub mod human;
mod in_turn;
#[cfg(feature = "columnar")]
mod parquet;
mod row_text;
pub mod rows;
mod server;
pub mod table;
pub mod values;
