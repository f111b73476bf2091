//! Words that several forms write.

use std::borrow::Cow;

use crate::rdb::{Entry, Kind};
use crate::values::stream::Id;

/// The type as `TYPE` answers it, of a module's value the module's own name.
pub(super) fn type_name(entry: &Entry<'_>) -> Cow<'static, str> {
    match entry.module {
        Some(module) if entry.kind == Kind::Module => Cow::Owned(module.to_string()),
        _ => Cow::Borrowed(entry.kind.name()),
    }
}

/// `1526919030474-55`.
pub(super) fn stream_id((ms, sequence): Id, to: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    to.extend_from_slice(buffer.format(ms).as_bytes());
    to.push(b'-');
    to.extend_from_slice(buffer.format(sequence).as_bytes());
}
