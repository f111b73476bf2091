//! Values of modules that Redis ships: what a module says to `MEMORY USAGE`, from the counts in its tagged values.
//!
//! The rules are those of the modules' sources, checked on Redis 7.2 and 7.4 with theirs (`RedisBloom` 2.6 and 2.8, `ReJSON` 2.6
//! and 2.8, `RedisTimeSeries` 1.10 and 1.12). A dump does not say which version of a module wrote it, so on other servers a
//! figure is an estimate.

mod json;
mod series;
mod sketch;

use super::footprint::Footprint;
use super::vector_set::VectorSet;
use super::{Basis, Model, Target};
use crate::rdb::packed::module::{Head, head};
use crate::rdb::primitives::length;
use crate::rdb::source::Source;
use crate::rdb::{FormatElement, Measure, ModuleId, ParseError};

/// What `RediSearch` counts for each suggestion, however long it is.
const SUGGESTION_BYTES: u64 = 35;

/// What a module's values are added up to.
enum Sum {
    VectorSet(Box<VectorSet>),
    Sketch(sketch::Sketch),
    Json(json::Document),
    Series(series::Series),
    /// A suggestion dictionary of `RediSearch`, and how many suggestions it has.
    Suggestions(Option<u64>),
    /// No rule is known.
    Unknown,
}

/// Steps over a module's value; what it takes is without the key.
///
/// # Errors
/// As [`crate::rdb::value::measure`].
pub(super) fn measure<S: Source>(source: &mut S, model: &Model) -> Result<Footprint, ParseError> {
    let element = FormatElement::Module;
    let start = source.offset();
    let id = ModuleId(source.parse(element, length)?);
    let mut sum = Sum::of(id);
    let mut second = None;
    for at in 0_u64.. {
        let value = head(source, element)?;
        match value {
            Head::End => break,
            Head::Unsigned(value) if at == 1 => second = Some(value),
            _ => {}
        }
        sum.add(model, value);
        if let Head::String(header) = value {
            match &mut sum {
                Sum::Json(document) => document.read(source, header)?,
                _ => source.skip(element, header.stored_bytes())?,
            }
        }
    }
    let measure = Measure::of_module(id, second, source.offset() - start);
    let mut footprint = Footprint::unknown(measure);
    if let Some((basis, bytes)) = sum.finish(model) {
        // A module says what it was given, near enough: there is no model apart of what the allocator gives out for it.
        footprint.memory_bytes = Some(bytes);
        footprint.allocated_bytes = Some(bytes);
        footprint.basis = Some(basis);
    }
    Ok(footprint)
}

impl Sum {
    fn of(id: ModuleId) -> Self {
        match &id.name() {
            ModuleId::VECTOR_SET_NAME => Self::VectorSet(Box::default()),
            b"ReJSON-RL" => Self::Json(json::Document::default()),
            b"trietype0" => Self::Suggestions(None),
            b"TSDB-TYPE" => Self::Series(series::Series::new(id.version())),
            name => sketch::Sketch::of(name).map_or(Self::Unknown, Self::Sketch),
        }
    }

    fn add(&mut self, model: &Model, value: Head) {
        match self {
            Self::VectorSet(set) => set.add(model, value),
            Self::Sketch(sketch) => sketch.add(value),
            Self::Series(series) => series.add(value),
            Self::Suggestions(suggestions @ None) => {
                if let Head::Unsigned(count) = value {
                    *suggestions = Some(count);
                }
            }
            // The document's text is read as it is stepped over.
            Self::Json(_) | Self::Suggestions(Some(_)) | Self::Unknown => {}
        }
    }

    fn finish(self, model: &Model) -> Option<(Basis, u64)> {
        let checked = matches!(model.target(), Target::Redis7_2 | Target::Redis7_4);
        let of_module = if checked { Basis::Exact } else { Basis::Estimate };
        match self {
            Self::VectorSet(set) => set.finish().map(|bytes| (Basis::Exact, bytes)),
            Self::Sketch(sketch) => sketch.finish(model.target()).map(|bytes| (of_module, bytes)),
            Self::Json(document) => document.finish().map(|bytes| (of_module, bytes)),
            Self::Series(series) => {
                let bytes = series.bytes().map(|bytes| (of_module, bytes));
                bytes.or_else(|| Some((Basis::LowerBound, series.bytes_min())))
            }
            Self::Suggestions(count) => count.map(|count| (of_module, count.saturating_mul(SUGGESTION_BYTES))),
            Self::Unknown => None,
        }
    }
}
