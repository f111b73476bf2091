//! The packed structures that a string can hold (format section 8), one file each, and LZF, which it may be wrapped in.

pub mod intset;
pub mod listpack;
pub mod lzf;
pub mod module;
pub mod stream;
pub mod ziplist;
pub mod zipmap;

use std::fmt;

use super::parse_error::ParseErrorKind;
use super::primitives::Parsed;
use super::source::kind_of;

/// An element as it is stored: bytes, or a number that stands for its decimal text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text<'a> {
    /// Bytes as they are.
    Bytes(&'a [u8]),
    /// An integer.
    Int(i64),
}

/// An element that a walk steps over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passed<'a> {
    /// An integer that is stored as one.
    Int(i64),
    /// A text: its length, and all of it if it is short and may be an integer.
    Text { bytes: u64, short: Option<&'a [u8]> },
}

impl Text<'_> {
    /// Its length in bytes as a client sees it.
    pub fn value_bytes(&self) -> u64 {
        match self {
            Self::Bytes(text) => text.len() as u64,
            Self::Int(value) => {
                u64::from(value.unsigned_abs().checked_ilog10().unwrap_or(0) + 1) + u64::from(*value < 0)
            }
        }
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(text) => write!(f, "{}", text.escape_ascii()),
            Self::Int(value) => write!(f, "{value}"),
        }
    }
}

/// What `entry` reads from `rest` on, one after the other, until it gives `None` at the terminator, which must be the last
/// byte. An error ends the iterator; whatever it is, the packed value is what is damaged.
fn to_terminator<'a, T>(
    rest: &'a [u8],
    entry: impl Fn(&'a [u8]) -> Parsed<'a, Option<T>>,
) -> impl Iterator<Item = Result<T, ParseErrorKind>> {
    let mut rest = Some(rest);
    std::iter::from_fn(move || match entry(rest.take()?) {
        Ok((left, Some(entry))) => {
            rest = Some(left);
            Some(Ok(entry))
        }
        Ok(([], None)) => None,
        Err(error) if kind_of(&error) == ParseErrorKind::BackLength => Some(Err(ParseErrorKind::BackLength)),
        Ok(_) | Err(_) => Some(Err(ParseErrorKind::BlobEntry)),
    })
}

/// Sign-extends the low `BITS` bits.
pub(crate) fn sign_extend<const BITS: u32>(value: i64) -> i64 {
    value << (64 - BITS) >> (64 - BITS)
}
