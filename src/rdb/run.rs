//! Values of many elements, walked element by element, so that a walk can pause between any two and go on later, or
//! elsewhere: a hash of gigabytes must not keep one thread busy while the others have nothing to do.

use super::blob::Packing;
use super::parse_error::{FormatElement, ParseError, ParseErrorKind};
use super::primitives::{array, ascii_score_head, i64_le, length};
use super::source::Source;
use super::types::Kind;

/// What one element of a run is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// A string: an element of a list or set, a field or a value of a hash.
    String,
    /// A string and a score of eight bytes.
    Scored,
    /// A string and a score as text.
    TextScored,
    /// A field's TTL, the field, its value (types 22 before GA and 24).
    TtlAndPair,
    /// A field, its value, its expiry time (type 22 of Valkey).
    PairAndExpiry,
    /// A ziplist, an old quicklist's node.
    Ziplist,
    /// A quicklist's node: a container's number, and a listpack or a plain string.
    Node,
}

impl Item {
    /// Steps over one element; returns how many elements of the value a node holds, which its count did not tell.
    #[inline(always)]
    pub(crate) fn skip<S: Source>(self, source: &mut S) -> Result<u64, ParseError> {
        match self {
            Self::String => _ = source.string(FormatElement::Element)?,
            Self::Scored => {
                source.string(FormatElement::Element)?;
                source.parse(FormatElement::Score, array::<8>)?;
            }
            Self::TextScored => {
                source.string(FormatElement::Element)?;
                let text_bytes = source.parse(FormatElement::Score, ascii_score_head)?;
                source.skip(FormatElement::Score, text_bytes)?;
            }
            Self::TtlAndPair => {
                source.parse(FormatElement::FieldTtl, length)?;
                source.string(FormatElement::Element)?;
                source.string(FormatElement::Element)?;
            }
            Self::PairAndExpiry => {
                source.string(FormatElement::Element)?;
                source.string(FormatElement::Element)?;
                source.parse(FormatElement::FieldTtl, i64_le)?;
            }
            Self::Ziplist => return Packing::Ziplist.count(source),
            Self::Node => return node(source),
        }
        Ok(0)
    }
}

/// Keeps damage inside one packed node until all nodes have been stepped over.
pub(crate) fn go_on<T: Default>(
    read: Result<T, ParseError>,
    damaged: &mut Option<ParseError>,
) -> Result<T, ParseError> {
    match read {
        Err(error) if error.costs_one_key() => {
            damaged.get_or_insert(error);
            Ok(T::default())
        }
        read => read,
    }
}

pub(crate) const CONTAINER_PLAIN: u64 = 1;
pub(crate) const CONTAINER_PACKED: u64 = 2;

fn node<S: Source>(source: &mut S) -> Result<u64, ParseError> {
    let offset = source.offset();
    match source.parse(FormatElement::Element, length)? {
        CONTAINER_PLAIN => source.string(FormatElement::Element).map(|_| 1),
        CONTAINER_PACKED => Packing::Listpack.count(source),
        other => Err(ParseError {
            offset,
            kind: ParseErrorKind::Container,
            element: FormatElement::Element,
            declared: other,
        }),
    }
}

/// The elements of a value that have not been walked yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// What the key is to a client.
    pub kind: Kind,
    /// The value's size, as far as it is known; complete when nothing is left.
    pub size: u64,
    /// What each element is made of.
    pub item: Item,
    /// How many elements are left.
    pub left: u64,
    /// The first damage inside a node, which is told when all nodes have been stepped over.
    pub(crate) damaged: Option<ParseError>,
}

impl Run {
    /// Steps over elements while they begin before offset `until`; true if none is left.
    ///
    /// # Errors
    /// A [`ParseError`] where the bytes end or are not what the type says.
    pub(crate) fn walk<S: Source>(&mut self, source: &mut S, until: u64) -> Result<bool, ParseError> {
        // Each kind of element gets a loop of its own: the branch on it costs a seventh on short strings.
        match self.item {
            Item::String => self.each(source, until, |source| Item::String.skip(source)),
            Item::Scored => self.each(source, until, |source| Item::Scored.skip(source)),
            item => {
                let mut damaged = self.damaged;
                let is_done = self.each(source, until, |source| go_on(item.skip(source), &mut damaged))?;
                self.damaged = damaged;
                match damaged {
                    Some(error) if is_done => Err(error),
                    _ => Ok(is_done),
                }
            }
        }
    }

    #[inline(always)]
    fn each<S: Source>(
        &mut self,
        source: &mut S,
        until: u64,
        mut skip: impl FnMut(&mut S) -> Result<u64, ParseError>,
    ) -> Result<bool, ParseError> {
        while self.left > 0 {
            if source.offset() >= until {
                return Ok(false);
            }
            self.size += skip(source)?;
            self.left -= 1;
        }
        Ok(true)
    }
}
