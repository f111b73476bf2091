//! Looking up a key by its offset, without a scan.

use crate::rdb::entry::{Damage, KeyRef, step};
use crate::rdb::source::Slice;
use crate::rdb::{Context, Entry};

/// The key whose record is at `offset` of a dump in memory, as reports and rows name it; none if the record there is not a
/// key's. An offset that is not that of a record may still read as one: only its name tells.
///
/// # Errors
/// The [`Damage`] met.
pub fn at<'a>(dump: &'a [u8], context: &Context, offset: u64) -> Result<Option<Entry<'a>>, Box<Damage>> {
    at_start(Slice::new(dump, offset).rest(), context, offset)
}

/// The key at the start of `record`, whose first byte is at `offset` of a dump, as [`at`] gives it.
///
/// # Errors
/// The [`Damage`] met.
pub fn at_start<'a>(record: &'a [u8], context: &Context, offset: u64) -> Result<Option<Entry<'a>>, Box<Damage>> {
    let mut source = Slice::at(record, offset);
    let mut found = None;
    step(&mut source, context, u64::MAX, |source: &Slice<'a>, key: KeyRef<'_>| {
        found = Some(key.entry(source.kept_bytes()));
        Ok(())
    })?;
    Ok(found)
}
