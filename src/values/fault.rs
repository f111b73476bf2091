//! Why a value could not be handed on.

use std::borrow::Cow;

use crate::rdb::ParseError;

/// Why a value could not be handed on, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its bytes are not what they should be, or are beyond a limit of this program.
    Damaged(ParseError),
    /// It is sound, but cannot be decoded or written in this form; the sentence says why.
    Unsupported(Cow<'static, str>),
}

impl From<ParseError> for Fault {
    fn from(error: ParseError) -> Self {
        Self::Damaged(error)
    }
}

impl From<&'static str> for Fault {
    fn from(why: &'static str) -> Self {
        Self::Unsupported(Cow::Borrowed(why))
    }
}
