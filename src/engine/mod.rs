//! Who works when: a dump's bytes to a report, over a map on every core or over a stream in windows.

pub(crate) mod accumulated;
mod big_keys;
mod chain;
pub(crate) mod chunked;
pub(crate) mod dragonfly;
mod dumps;
mod element_marks;
mod export;
pub(crate) mod guess;
mod options;
pub(crate) mod outcome;
mod progress;
mod range;
mod ranged;
mod recorded;
mod report;
pub(crate) mod resync;
mod rows;
mod scan;
mod segment_scan;
mod segmented;
pub(crate) mod segments;
mod stream;
pub(crate) mod tagged;
pub(crate) mod together;
pub(crate) mod window;

pub use big_keys::{Analyses, analyze, analyze_all, analyze_reader};
pub(crate) use export::export_with_starts;
pub use export::{Exported, STREAMED_VALUE_BYTES_MAX, export_all, export_at};
pub use options::{Dump, Options};
pub use progress::Progress;
pub use range::{Joined, Part, Place, RangeScan, cut, join, part_rows, range};
pub use report::{look_at_names, look_into, report_all};
pub use rows::{row_blocks_all, rows_all};
