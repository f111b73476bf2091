//! Find the big keys in a Redis or Valkey dump: offline, from the file alone, on every core.
//!
//! ```
//! # fn main() -> Result<(), bigkeys::Error> {
//! let report = bigkeys::analyze("fixtures/mixed_all_v12.rdb", &bigkeys::Options::default())?;
//! for key in report.keys.iter().take(3) {
//!     println!("db {} {} {} {}", key.db, key.type_name(), key.size, key.unit().name());
//! }
//! for error in &report.damage {
//!     eprintln!("{error}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # The way of a byte
//!
//! ```text
//! path, pipe ──input──► bytes ──rdb──► Entry<'a> ──analysis, report──► Report ──task, output──► JSON, table, rows
//!             (map, inflate)   (scan)  (key, type, value span)  (add, merge)
//!                                          └──values──► fields and elements ──output──► JSON lines, rows, commands
//! ```
//!
//! A value's bytes are never copied on this way, and never decoded further than the question needs: a string's length is
//! in its header, a packed value's count in its first bytes, and of an LZF-compressed one no more than those are inflated.
//! Only the lower way, which was asked for values, decodes them.
//!
//! # The house, in reading order
//!
//! * [`rdb`]: the format and nothing else. Primitives, sources of bytes, the start of a dump, records between keys, values.
//!   [`rdb::Scanner`] scans a dump in memory key by key; [`rdb::elements`] looks inside a value.
//! * [`input`]: bytes wherever they come from. A plain dump in a file is mapped, everything else is a stream; what large
//!   compressed files have of parts (BGZF, frames of zstd, blocks of LZ4) is inflated side by side, by its `side_by_side.rs`. The
//!   one file with `unsafe` code is its `map.rs`.
//! * [`analysis`]: entries into numbers, by `add` and `merge`, which no order and no number of workers can change.
//! * [`memory`]: what each key costs the server that loads it, one file a structure of the servers', and what the whole server
//!   needs besides.
//! * [`values`]: a value's fields and elements, one at a time, and the keys that are written out with them.
//! * [`report`]: what a dump holds and costs, gathered like an analysis, in one type that merges with others of its kind.
//! * [`findings`]: a report into verdicts, one file a rule: what is worth doing, and how many bytes that saves.
//! * [`engine`]: who works when. Over a map, segments side by side on every core, joined in file order; small dumps whole, several
//!   side by side, joined in the order they were given; over a stream, windows. Its `segments.rs` tells why a wrong guess cannot
//!   change the answer; `range.rs` is that for several machines.
//! * [`check`]: is a dump sound, and what is it? A walk into every value, over a map on every core, over small dumps side by
//!   side. [`salvage`] copies what is sound: after a check on every core, one thread walks again and looks into the values of
//!   damaged keys alone.
//! * [`extract`]: keys that were asked for, as a dump that servers load.
//! * [`compare`]: two dumps, or a dump and a server: digests, and what differs.
//! * [`forensics`]: search in names and decoded values, a timeline, dumps found inside other files; names and texts replaced by
//!   stand-ins, so that others may see what is printed.
//! * [`task`]: the big key analysis task and its JSON; with the feature `store` also its life, in a store and a runner's hands.
//! * [`output`]: the report as a table, as one HTML file, as folded stacks, as rows; values as JSON, rows of elements and commands.
//! * `browse`, with the feature of that name: the explorer in the terminal.
//! * `server`, with the feature of that name: the task API over HTTP; with the feature `console` also its pages.
//! * [`error`]: what went wrong, in one plain sentence.
//! * `cli`, with the feature of that name: what can be typed.
//!
//! Who may know whom: `rdb` knows nothing of the others, `error` knows `rdb`; `input` knows `error`, and of `rdb` the
//! magic and DUMP's answers; `memory` and `values` know `rdb`, `analysis` knows `rdb`, `memory` and `error`, `report` knows all
//! of these but `values`; `engine` knows all of them; `check` knows `engine`, `input`, `rdb` and what the engine asks of an analysis,
//! `salvage` knows `check` too; `compare`, `extract`, `forensics` and `task` know `engine` and what that knows, `task` with `input`,
//! `forensics` with the walk of `check`; `output` knows `report`, `values`, `compare`, `forensics` and `error`, `findings` knows
//! `report`, `memory`, `rdb` and how `output` writes numbers, `browse` knows `engine`, `report`, `findings`, `compare`, and of
//! `output` the values and the numbers for people; `server` knows `task` and `input`, and for its pages `engine`, `report`, `findings` and how
//! `output` writes a page and numbers. No file imports one that, in some steps, imports it. A test holds this.
//!
//! # What holds everywhere
//!
//! * Nothing of a dump is trusted: no length allocates, no index panics, every walk ends with the bytes.
//! * Memory is bounded whatever the dump: counters and top lists over a map, a few windows more over a stream.
//! * Unknown is said, never guessed: an unknown type or opcode ends the scan with its offset, and what was found before it
//!   is reported.
//! * The same dump and the same question give the same report, for any number of threads and any way of input.
//!
//! # Features
//!
//! `cli` (the program, with `store`), `server` (the task API, with `store`), `console` (its pages, with `server` and `html`),
//! `compress` (gzip, zstd, xz and bzip2 input), `columnar` (rows as Parquet and Arrow), `html` (the report as an HTML file) and
//! `browse` (the explorer in the terminal) are on by default; without them this is the light library. `cloud` (dumps in object
//! stores and on web servers) is not.

// The program is a part of the library, so that the Python package has it too.
extern crate self as bigkeys;

pub mod analysis;
#[cfg(feature = "browse")]
pub mod browse;
pub mod check;
#[cfg(feature = "cli")]
pub mod cli;
pub mod compare;
pub mod engine;
pub mod error;
pub mod extract;
pub mod findings;
pub mod forensics;
pub mod input;
pub mod memory;
pub mod output;
pub mod rdb;
pub mod report;
pub mod salvage;
#[cfg(feature = "server")]
pub mod server;
pub mod task;
pub mod values;

pub use analysis::{BigKey, Pattern, Question, Report};
pub use engine::{
    Dump, Options, Progress, analyze, analyze_all, analyze_reader, look_at_names, look_into, report_all,
    row_blocks_all, rows_all,
};
pub use error::{Error, ErrorKind};
