//! Vector sets (Redis since 8.0): the graph that links each vector with its neighbours.
//!
//! The rule is `VectorSetMemUsage` of `modules/vector-sets/vset.c`, the same from 8.0 to 8.10: counts times sizes, and the
//! mean of what the names and attributes of twenty elements take. Those are the last twenty of the dump, since a loaded
//! element goes to the front of the set's list.

use std::collections::VecDeque;

use super::Model;
use super::key::OBJECT_BYTES;
use crate::rdb::packed::module::Head;
use crate::rdb::primitives::StringHeader;

/// `vsetObject`, and the `HNSW` it leads to.
const SET_BYTES: u64 = 112 + 1672;

/// `hnswNode`.
const NODE_BYTES: u64 = 312;

/// `hnswNodeLayer`.
const LAYER_BYTES: u64 = 24;

/// An entry of the table of names as the server counts it: two pointers.
const NAME_ENTRY_BYTES: u64 = 16;

/// What an attribute is taken for where none of the sampled elements has one.
const ATTRIBUTE_BYTES: u64 = 64;

/// How many elements are sampled.
const SAMPLES: usize = 20;

/// The longest text in one allocation with its object.
const EMBEDDED_BYTES_MAX: u64 = 44;

const HAS_PROJECTION: u64 = 1;
const HAS_ATTRIBUTES: u64 = 2;

/// What is known of a vector set while its tagged values are read.
#[derive(Debug, Default)]
pub(super) struct VectorSet {
    next: Next,
    dimensions: u64,
    elements: u64,
    quantization: u64,
    flags: u64,
    matrix_bytes: u64,
    /// Elements so far.
    found: u64,
    /// The last [`SAMPLES`] elements.
    samples: VecDeque<Sample>,
    attributes: u64,
    /// Room for links in the lowest layer of the last element.
    links_max: u64,
}

/// What name and attribute of an element take.
#[derive(Clone, Copy, Debug)]
struct Sample {
    name_bytes: u64,
    attribute_bytes: Option<u64>,
}

/// The value that comes next.
#[derive(Clone, Copy, Debug, Default)]
enum Next {
    #[default]
    Dimensions,
    Elements,
    Config,
    Flags,
    InputDimensions,
    Matrix,
    Name,
    Attribute,
    Vector,
    Parameters,
    Parameter {
        index: u64,
        count: u64,
    },
    /// None: it is not laid out as vector sets are.
    Lost,
}

impl VectorSet {
    /// Takes the next value.
    pub(super) fn add(&mut self, model: &Model, value: Head) {
        self.next = match (self.next, value) {
            (Next::Dimensions, Head::Unsigned(dimensions)) => {
                self.dimensions = dimensions;
                Next::Elements
            }
            (Next::Elements, Head::Unsigned(elements)) => {
                self.elements = elements;
                Next::Config
            }
            (Next::Config, Head::Unsigned(config)) => {
                self.quantization = config & 0xff;
                Next::Flags
            }
            (Next::Flags, Head::Unsigned(flags)) => {
                self.flags = flags;
                if flags & HAS_PROJECTION == 0 { Next::Name } else { Next::InputDimensions }
            }
            (Next::InputDimensions, Head::Unsigned(input_dimensions)) => {
                self.matrix_bytes = input_dimensions.saturating_mul(self.dimensions).saturating_mul(4);
                Next::Matrix
            }
            (Next::Matrix, Head::String(_)) => Next::Name,
            (Next::Name, Head::String(name)) => {
                if self.samples.len() == SAMPLES {
                    self.samples.pop_front();
                }
                self.samples.push_back(Sample { name_bytes: string_object(model, name), attribute_bytes: None });
                if self.flags & HAS_ATTRIBUTES == 0 { Next::Vector } else { Next::Attribute }
            }
            (Next::Attribute, Head::String(attribute)) => {
                if attribute.value_bytes() > 0 {
                    self.attributes += 1;
                    if let Some(sample) = self.samples.back_mut() {
                        sample.attribute_bytes = Some(string_object(model, attribute));
                    }
                }
                Next::Vector
            }
            (Next::Vector, Head::String(_)) => Next::Parameters,
            (Next::Parameters, Head::Unsigned(count @ 1..)) => Next::Parameter { index: 0, count },
            (Next::Parameter { index, count }, Head::Unsigned(parameter)) => {
                // Of each element: its number, its level, then by layer how many links there are and how many fit.
                if index == 3 {
                    self.links_max = parameter;
                }
                if index + 1 < count {
                    Next::Parameter { index: index + 1, count }
                } else {
                    self.found += 1;
                    Next::Name
                }
            }
            _ => Next::Lost,
        };
    }

    /// What the set takes without its key, if it is whole and laid out as servers write it.
    pub(super) fn finish(&self) -> Option<u64> {
        let elements = self.elements;
        if !matches!(self.next, Next::Name) || self.found != elements || elements == 0 {
            return None;
        }
        let vector_bytes = match self.quantization {
            0 => self.dimensions.saturating_mul(4),
            1 => self.dimensions,
            2 => self.dimensions.div_ceil(64).saturating_mul(8),
            _ => return None,
        };
        let sampled = self.samples.len() as u64;
        let name_bytes = self.samples.iter().map(|sample| sample.name_bytes).fold(0, u64::saturating_add) / sampled;
        let attributes = self.samples.iter().filter_map(|sample| sample.attribute_bytes);
        let (with_attribute, attribute_bytes) =
            attributes.fold((0, 0), |(n, all), bytes: u64| (n + 1, bytes.saturating_add(all)));
        let attribute_bytes = attribute_bytes.checked_div(with_attribute).unwrap_or(ATTRIBUTE_BYTES);
        let each = NODE_BYTES
            .saturating_add(vector_bytes)
            .saturating_add(self.links_max.saturating_mul(8))
            .saturating_add(name_bytes)
            .saturating_add(NAME_ENTRY_BYTES);
        // The server takes a vector for 4/3 layers, the upper ones with half the links, and rounds down once for all.
        let layers = (LAYER_BYTES * 4).saturating_mul(elements) / 3;
        let upper_links = (self.links_max / 2).saturating_mul(8).saturating_mul(elements) / 3;
        let parts = [
            SET_BYTES,
            self.matrix_bytes,
            each.saturating_mul(elements),
            layers,
            upper_links,
            attribute_bytes.saturating_mul(self.attributes),
        ];
        Some(parts.into_iter().fold(0, u64::saturating_add))
    }
}

/// A string's object with its text: in one allocation if it is short and was not compressed.
fn string_object(model: &Model, header: StringHeader) -> u64 {
    match (header, header.value_bytes()) {
        (StringHeader::Raw { .. } | StringHeader::Int(_), bytes @ ..=EMBEDDED_BYTES_MAX) => {
            model.usable(OBJECT_BYTES + 3 + bytes + 1)
        }
        (_, bytes) => OBJECT_BYTES.saturating_add(model.usable(model.target.sds(bytes))),
    }
}
