//! An entry into its fields and elements: look at one value, or hand all of them on as records.
//!
//! In reading order: a [`Value`] is a key's value where it is in the dump, and hands its elements to a closure without
//! holding more than one; [`stream`] has what a stream holds beside its entries. A [`Form`] is what keys are written as, such
//! as lines of JSON; `output` has them, one file each; [`Ordered`] is one for whoever takes a row a key, [`Mapped`] one with stand-ins for texts. What cannot be decoded or written is a [`Fault`], which costs that key
//! alone. [`find`] looks up keys by offset.

mod fault;
pub mod find;
mod form;
mod mapped;
mod ordered;
mod record;
pub mod stream;
mod text_map;
mod value;

pub use fault::Fault;
pub use form::{Form, Inherited, KeyEntry};
pub use mapped::{Mapped, Mapping};
pub use ordered::{Made, Make, Ordered, OrderedRow, Take};
pub use record::{Content, Record};
pub use text_map::TextMap;
pub use value::Value;
