//! Looking up a key by its offset, without a scan.

use crate::rdb::entry::{Damage, KeyRef, step};
use crate::rdb::source::Slice;
use crate::rdb::{Context, Entry, FormatElement, ParseError, ParseErrorKind};

/// The key whose record is at `offset` of a dump in memory, as reports and rows name it.
///
/// # Errors
/// The [`Damage`] met; [`ParseErrorKind::Flag`] where the record there is not a key's. An offset that is not that of a record may
/// still read as one: only its name tells.
pub fn at<'a>(dump: &'a [u8], context: &Context, offset: u64) -> Result<Entry<'a>, Box<Damage>> {
    let mut source = Slice::new(dump, offset);
    let mut found = None;
    step(&mut source, context, u64::MAX, |source: &Slice<'a>, key: KeyRef<'_>| {
        found = Some(key.entry(source.kept_bytes()));
        Ok(())
    })?;
    let no_key = ParseError { offset, kind: ParseErrorKind::Flag, element: FormatElement::Opcode, declared: offset };
    found.ok_or_else(|| no_key.into())
}
