//! Values of many elements, walked element by element, so that a walk can pause between any two and go on later, or
//! elsewhere: a hash of gigabytes must not keep one thread busy while the others have nothing to do.

use super::blob::Packing;
use super::fault::{Fault, Part, Trouble};
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
    pub(crate) fn skip<S: Source>(self, source: &mut S) -> Result<u64, Trouble> {
        match self {
            Self::String => _ = source.string(Part::Element)?,
            Self::Scored => {
                source.string(Part::Element)?;
                source.parse(Part::Score, array::<8>)?;
            }
            Self::TextScored => {
                source.string(Part::Element)?;
                let text_bytes = source.parse(Part::Score, ascii_score_head)?;
                source.skip(Part::Score, text_bytes)?;
            }
            Self::TtlAndPair => {
                source.parse(Part::FieldTtl, length)?;
                source.string(Part::Element)?;
                source.string(Part::Element)?;
            }
            Self::PairAndExpiry => {
                source.string(Part::Element)?;
                source.string(Part::Element)?;
                source.parse(Part::FieldTtl, i64_le)?;
            }
            Self::Ziplist => return Packing::Ziplist.count(source),
            Self::Node => return node(source),
        }
        Ok(0)
    }
}

/// Keeps damage inside one packed node until all nodes have been stepped over.
pub(crate) fn go_on<T: Default>(read: Result<T, Trouble>, damaged: &mut Option<Trouble>) -> Result<T, Trouble> {
    match read {
        Err(trouble) if trouble.costs_one_key() => {
            damaged.get_or_insert(trouble);
            Ok(T::default())
        }
        read => read,
    }
}

pub(crate) const CONTAINER_PLAIN: u64 = 1;
pub(crate) const CONTAINER_PACKED: u64 = 2;

fn node<S: Source>(source: &mut S) -> Result<u64, Trouble> {
    let offset = source.offset();
    match source.parse(Part::Element, length)? {
        CONTAINER_PLAIN => source.string(Part::Element).map(|_| 1),
        CONTAINER_PACKED => Packing::Listpack.count(source),
        other => Err(Trouble { offset, fault: Fault::Container, part: Part::Element, claim: other }),
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
    pub(crate) damaged: Option<Trouble>,
}

impl Run {
    /// Steps over elements while they begin before offset `until`; true if none is left.
    ///
    /// # Errors
    /// A [`Trouble`] where the bytes end or are not what the type says.
    pub(crate) fn walk<S: Source>(&mut self, source: &mut S, until: u64) -> Result<bool, Trouble> {
        // Each kind of element gets a loop of its own: the branch on it costs a seventh on short strings.
        match self.item {
            Item::String => self.each(source, until, |source| Item::String.skip(source)),
            Item::Scored => self.each(source, until, |source| Item::Scored.skip(source)),
            item => {
                let mut damaged = self.damaged;
                let is_done = self.each(source, until, |source| go_on(item.skip(source), &mut damaged))?;
                self.damaged = damaged;
                match damaged {
                    Some(trouble) if is_done => Err(trouble),
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
        mut skip: impl FnMut(&mut S) -> Result<u64, Trouble>,
    ) -> Result<bool, Trouble> {
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
