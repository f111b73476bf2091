//! Reports in the formats that others read, one file each. JSON is the report as it is, by serde.

#[cfg(feature = "columnar")]
mod arrow;
#[cfg(feature = "columnar")]
pub mod batch;
pub mod columns;
pub mod diff;
mod findings;
pub mod folded;
pub(crate) mod formula;
#[cfg(feature = "html")]
pub mod html;
pub mod human;
mod in_turn;
pub mod openmetrics;
#[cfg(feature = "columnar")]
mod parquet;
mod row_text;
pub mod rows;
mod server;
pub mod table;
pub mod values;
