//! The RDB format and nothing else: from bytes to entries, and from an entry's value to its elements.
//!
//! In reading order: [`primitives`] are nom parsers over the bytes at hand. A [`source`] feeds them, from memory or from a
//! stream. [`header`] reads the start of a dump into a [`context`], [`record`] what is between keys, [`value`] steps over a
//! value and takes its [`measure`], [`run`] over the elements of one that has many, [`entry`] puts them together, `short` skips
//! short strings fastest of all,
//! `lead` takes what comes before a value apart, `writer` writes a dump. [`elements`] decodes a value into each [`element`], and `deep` trusts nothing in it; [`packed`] has
//! the structures that strings can hold.

pub(crate) mod blob;
pub(crate) mod bounded;
pub mod checksum;
pub mod context;
pub(crate) mod deep;
pub(crate) mod dragonfly;
pub mod element;
pub mod elements;
pub mod entry;
pub mod header;
pub(crate) mod lead;
pub mod limits;
pub mod measure;
pub mod packed;
pub mod parse_error;
pub(crate) mod payload;
pub mod primitives;
pub mod record;
pub mod run;
pub(crate) mod short;
pub(crate) mod slot;
pub mod source;
pub(crate) mod string;
pub mod types;
pub mod value;
pub(crate) mod writer;

pub use context::{Aux, Context};
pub use element::Element;
pub use entry::{Entry, Key, Scanner};
pub use measure::Measure;
pub use packed::module::ModuleId;
pub use parse_error::{FormatElement, ParseError, ParseErrorKind};
pub use types::{Dialect, Kind, Unit, ValueType};
