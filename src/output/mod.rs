//! Reports in the formats that others read, one file each. JSON is the report as it is, by serde.

pub mod folded;
pub mod human;
pub mod rows;
pub mod table;
