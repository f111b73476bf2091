//! What a key costs a server's memory: what `MEMORY USAGE key SAMPLES 0` answers on the server that would load the dump, and
//! what that server's allocator gives out for the key, which is not the same ([`Cost`]).
//!
//! A [`Model`] is a server and an allocator. [`walk::measure`] steps over a value as [`crate::rdb::value`] does, and on
//! the way adds up what the model needs: strings' lengths, packed values' sizes, counts. Nothing is inflated for it but
//! modules' JSON texts: a packed value's size is in its head. The sums are in pieces that merge (`table::Table`, `list::Nodes`), and become
//! bytes when the value ends, since some of it depends on how many elements there were.
//!
//! One file a structure: `sds` strings, `dict` and `hashtable` tables of Redis and of Valkey, `table` what is in
//! them, `vset` fields that expire, `list`, `packed`, `rax` and `stream`; `array`, `template` and `vector_set` for newer types,
//! `module` for those of modules; `basis` says what a figure rests on, and [`server`] is what a server needs besides. The rules
//! were found in the servers' sources and checked against
//! the servers (`tests/servers/memory_oracle.rs`, which keeps `fixtures/memory_accuracy.md`).
//!
//! Limits of packed encodings are taken to be the servers' defaults, or higher where the dump shows it. What a table
//! takes depends on its hash, and a skiplist on chance: for both it is what one can expect.

mod allocator;
mod array;
mod basis;
mod cost;
mod costs;
mod dict;
mod distinct;
mod encoding;
mod footprint;
mod hashtable;
mod int;
mod key;
mod list;
mod loads;
mod model;
mod module;
mod packed;
mod rax;
mod sds;
pub mod server;
mod stream;
mod table;
mod target;
mod template;
mod vector_set;
mod vset;
pub mod walk;

pub use allocator::Allocator;
pub use basis::Basis;
pub use cost::Cost;
pub use encoding::Encoding;
pub use footprint::{Footprint, Largest};
pub(crate) use int::{int, may_be_int};
pub use model::Model;
pub(crate) use model::SHARED_INTEGERS;
pub use packed::IfPacked;
pub use stream::Streamed;
pub use target::Target;
