//! Where in the tree a reader is, and which keys are seen from there.

use crate::analysis::Pattern;
use crate::analysis::filter::{Filter, Ttl};
use crate::rdb::Kind;

/// A place in the tree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// The instance, whose children are databases.
    Instance,
    /// The names that begin with a prefix.
    Names {
        /// The database; none for all together.
        db: Option<u64>,
        /// The prefix; empty for all names.
        prefix: Vec<u8>,
    },
}

/// Which keys are seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lens {
    /// Those of this type.
    pub(super) kind: Option<Kind>,
    /// Those that never expire.
    pub(super) is_without_ttl: bool,
    /// Those whose names contain this text, where capital and small letters of ASCII are the same.
    pub(super) text: String,
}

impl Place {
    /// The names of a database that begin with a prefix.
    pub(super) fn names(db: Option<u64>, prefix: &[u8]) -> Self {
        Self::Names { db, prefix: prefix.to_vec() }
    }

    /// The prefix of all names here.
    pub(super) fn prefix(&self) -> &[u8] {
        match self {
            Self::Instance => &[],
            Self::Names { prefix, .. } => prefix,
        }
    }

    /// The only database of the keys here, if there is one.
    pub(super) fn db(&self) -> Option<u64> {
        match self {
            Self::Instance => None,
            Self::Names { db, .. } => *db,
        }
    }
}

impl Lens {
    /// Whether all keys are seen.
    pub(super) fn is_of_all(&self) -> bool {
        *self == Self::default()
    }

    /// The filter of the keys at a place.
    ///
    /// # Errors
    /// A sentence if the prefix or the text is too long to be searched for.
    pub(super) fn filter(&self, place: &Place) -> Result<Filter, String> {
        let too_long = |_| "the text is too long to be searched for".to_owned();
        let mut patterns = Vec::new();
        if !place.prefix().is_empty() {
            let glob = [&glob(place.prefix())[..], b"*"].concat();
            patterns.push(Pattern::glob_bytes(&glob).map_err(too_long)?);
        }
        if !self.text.is_empty() {
            patterns.push(Pattern::regex(&self.regex()).map_err(too_long)?);
        }
        Ok(Filter { databases: place.db().into_iter().collect(), patterns, ..self.filter_of_types() })
    }

    /// The filter of types and times to live alone.
    pub(super) fn filter_of_types(&self) -> Filter {
        let ttls = if self.is_without_ttl { vec![Ttl::None] } else { Vec::new() };
        Filter { kinds: self.kind.into_iter().collect(), ttls, ..Filter::default() }
    }

    /// The text as a regular expression.
    pub(super) fn regex(&self) -> String {
        use std::fmt::Write;
        let mut regex = String::from("(?i)");
        for byte in self.text.bytes() {
            if byte.is_ascii_alphanumeric() {
                regex.push(char::from(byte));
            } else {
                _ = write!(regex, "\\x{byte:02x}");
            }
        }
        regex
    }

    /// Whether a name contains the text.
    pub(super) fn has_text(&self, name: &[u8]) -> bool {
        let text = self.text.as_bytes();
        text.is_empty() || name.windows(text.len()).any(|part| part.eq_ignore_ascii_case(text))
    }
}

/// The glob that matches these bytes alone.
pub(super) fn glob(name: &[u8]) -> Vec<u8> {
    let mut glob = Vec::with_capacity(name.len());
    for byte in name {
        if matches!(byte, b'*' | b'?' | b'[' | b']' | b'\\') {
            glob.push(b'\\');
        }
        glob.push(*byte);
    }
    glob
}

/// The first part of what follows a prefix, with the separator that ends it; none if no separator follows.
pub(super) fn first_part<'n>(below: &'n [u8], separators: &[u8]) -> Option<&'n [u8]> {
    let end = below.iter().position(|byte| separators.contains(byte))?;
    below.get(..=end)
}

/// The longest prefix of a name that ends with a separator; empty if there is none.
pub(super) fn last_prefix<'n>(name: &'n [u8], separators: &[u8]) -> &'n [u8] {
    let end = name.iter().rposition(|byte| separators.contains(byte)).map_or(0, |at| at + 1);
    name.get(..end).unwrap_or_default()
}
