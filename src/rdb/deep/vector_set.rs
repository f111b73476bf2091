//! A vector set looked at to its last link: what Redis 8.2 and 8.10 refuse of its vectors and of its graph.
//!
//! The values of the module type `vectorset` of encoding version 0: the dimension, the number of vectors, how they are
//! stored, flags, perhaps a projection, and for each vector its name, perhaps attributes, its bytes, and its node: an id,
//! a level, for each level its links, and the vector's length. All that is held at a time is one node's links.

use std::hash::{DefaultHasher, Hasher};

use super::Deep;
use crate::rdb::packed::module::{TAG_EOF, TAG_STRING, TAG_UINT};
use crate::rdb::parse_error::{FormatElement, ParseError, ParseErrorKind};
use crate::rdb::primitives::{length, string_header};
use crate::rdb::source::KeepsKey;

/// The largest dimension that Redis 8.10 loads.
const DIMENSION_MAX: u64 = 65_536;

/// The largest number of links that a level may have room for: four times the largest `M`.
const LINKS_MAX: u64 = 16_384;

/// The highest level; servers have room for 16.
const LEVEL_MAX: u64 = 15;

/// The version of a node's numbers up to which servers know them. Those of 1 say which link of a level is the worst.
const NODE_VERSION_MAX: u64 = 1;

const FLAG_PROJECTION: u64 = 1;
const FLAG_ATTRIBUTES: u64 = 2;

/// Why the values are not looked at any further.
enum Stop {
    /// The value's end is lost.
    Lost(ParseError),
    /// A value is not what is due at this offset; whether it was the end of all.
    Wrong { offset: u64, has_ended: bool },
}

impl From<ParseError> for Stop {
    fn from(error: ParseError) -> Self {
        Self::Lost(error)
    }
}

/// The sum of all links from smaller ids to larger ones, less that of those the other way: 0 where each has its reverse.
#[derive(Default)]
struct Balance(u128);

impl Balance {
    fn add(&mut self, from: u64, to: u64, level: u64) {
        let half = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u8(salt);
            for number in [from.min(to), from.max(to), level] {
                hasher.write_u64(number);
            }
            u128::from(hasher.finish())
        };
        let link = half(0) << 64 | half(1);
        self.0 = if from < to { self.0.wrapping_add(link) } else { self.0.wrapping_sub(link) };
    }
}

/// What a vector set's header says of each of its vectors.
struct Header {
    vector_bytes: u64,
    has_attributes: bool,
    vectors: u64,
}

impl Deep {
    /// Walks a vector set's values up to and including the end tag.
    ///
    /// # Errors
    /// The [`ParseError`] that loses the value's end.
    pub(super) fn vector_set<S: KeepsKey>(&mut self, source: &mut S) -> Result<(), ParseError> {
        let (offset, has_ended) = match self.vectors(source) {
            Ok(()) => return Ok(()),
            Err(Stop::Lost(error)) => return Err(error),
            Err(Stop::Wrong { offset, has_ended }) => (offset, has_ended),
        };
        let (kind, element) = (ParseErrorKind::VectorSet, FormatElement::Module);
        self.demand(false, ParseError { offset, kind, element, declared: 0 });
        if has_ended { Ok(()) } else { self.module_values(source, element) }
    }

    fn vectors<S: KeepsKey>(&mut self, source: &mut S) -> Result<(), Stop> {
        let offset = source.offset();
        let header = self.vector_set_header(source)?;
        let (mut ids, mut balance) = (self.distinct.another(), Balance::default());
        for _ in 0..header.vectors {
            self.module_text(source)?;
            if header.has_attributes {
                self.module_text(source)?;
            }
            let offset = source.offset();
            demand(self.module_text(source)? == header.vector_bytes, offset)?;
            let offset = source.offset();
            let id = self.node(source, &mut balance)?;
            demand(ids.add_id(id.into()), offset)?;
        }
        let end = source.offset();
        match source.parse(FormatElement::Module, length)? {
            TAG_EOF if balance.0 == 0 => {}
            TAG_EOF => return Err(Stop::Wrong { offset, has_ended: true }),
            tag => {
                self.module_value(source, FormatElement::Module, end, tag)?;
                return Err(Stop::Wrong { offset: end, has_ended: false });
            }
        }
        self.unseen += u64::from(ids.is_partial());
        Ok(())
    }

    fn vector_set_header<S: KeepsKey>(&mut self, source: &mut S) -> Result<Header, Stop> {
        const FLOAT_BYTES: u64 = 4;
        let offset = source.offset();
        // Servers keep the dimension and the form in 32 bits each.
        let dimension = self.module_uint(source)? & 0xffff_ffff;
        demand((1..=DIMENSION_MAX).contains(&dimension), offset)?;
        let vectors = self.module_uint(source)?;
        let offset = source.offset();
        let vector_bytes = match self.module_uint(source)? & 0xff {
            0 => FLOAT_BYTES * dimension,
            1 => dimension,
            // A bit for each dimension, in words.
            2 => dimension.div_ceil(64) * 8,
            _ => return Err(Stop::Wrong { offset, has_ended: false }),
        };
        let flags = self.module_uint(source)?;
        if flags & FLAG_PROJECTION != 0 {
            let offset = source.offset();
            let from = self.module_uint(source)? & 0xffff_ffff;
            let matrix_bytes = self.module_text(source)?;
            demand(from >= dimension && matrix_bytes == FLOAT_BYTES * from * dimension, offset)?;
        }
        Ok(Header { vector_bytes, has_attributes: flags & FLAG_ATTRIBUTES != 0, vectors })
    }

    /// A node of the graph; returns its id.
    fn node<S: KeepsKey>(&mut self, source: &mut S, balance: &mut Balance) -> Result<u64, Stop> {
        let start = source.offset();
        let mut left = self.module_uint(source)?;
        let mut next = |deep: &mut Self, source: &mut S| {
            demand(left > 0, start)?;
            left -= 1;
            deep.module_uint(source)
        };
        let id = next(self, source)?;
        let offset = source.offset();
        let level_and_version = next(self, source)?;
        let (level_max, version) = (level_and_version & 0xff_ffff, level_and_version >> 24);
        demand(level_max <= LEVEL_MAX && version <= NODE_VERSION_MAX, offset)?;
        let mut links = Vec::new();
        for level in 0..=level_max {
            let offset = source.offset();
            let (count, room) = (next(self, source)?, next(self, source)?);
            demand(count <= room && room <= LINKS_MAX, offset)?;
            links.clear();
            for _ in 0..count {
                let to = next(self, source)?;
                demand(to != id, offset)?;
                balance.add(id, to, level);
                links.push(to);
            }
            links.sort_unstable();
            demand(links.windows(2).all(|pair| pair.first() != pair.last()), offset)?;
            if version > 0 {
                let worst = next(self, source)? & 0xffff_ffff;
                demand(count == 0 || worst < count, offset)?;
            }
        }
        // The vector's length and range, and whatever newer servers add.
        next(self, source)?;
        for _ in 0..left {
            self.module_uint(source)?;
        }
        Ok(id)
    }

    fn module_uint<S: KeepsKey>(&mut self, source: &mut S) -> Result<u64, Stop> {
        self.due(source, TAG_UINT)?;
        Ok(source.parse(FormatElement::Module, length)?)
    }

    /// A string's length.
    fn module_text<S: KeepsKey>(&mut self, source: &mut S) -> Result<u64, Stop> {
        self.due(source, TAG_STRING)?;
        let offset = source.offset();
        let header = source.parse(FormatElement::Module, string_header)?;
        self.pass(source, FormatElement::Module, offset, header)?;
        Ok(header.value_bytes())
    }

    /// Reads the tag of a value that is due.
    fn due<S: KeepsKey>(&mut self, source: &mut S, due: u64) -> Result<(), Stop> {
        let offset = source.offset();
        match source.parse(FormatElement::Module, length)? {
            tag if tag == due => Ok(()),
            TAG_EOF => Err(Stop::Wrong { offset, has_ended: true }),
            tag => {
                self.module_value(source, FormatElement::Module, offset, tag)?;
                Err(Stop::Wrong { offset, has_ended: false })
            }
        }
    }
}

fn demand(is_so: bool, offset: u64) -> Result<(), Stop> {
    if is_so { Ok(()) } else { Err(Stop::Wrong { offset, has_ended: false }) }
}
