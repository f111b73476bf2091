//! Keys with their objects, and the texts of strings that have an allocation of their own.

use super::{Allocator, Cost, Target};

/// Bytes of a value's object.
pub(super) const OBJECT_BYTES: u64 = 16;

/// Bytes of an entry in a Redis table that has a value.
pub(super) const ENTRY_BYTES: u64 = 24;

/// From this length on a key in one allocation with its object has a place for an expiry even if it has none.
pub(super) const LONG_KEY_BYTES: u64 = 128;

/// The text of a value that has an allocation of its own. Short ones, under names too long to share an allocation with, get
/// the shortest header from Redis 8.2 and Valkey 8.1 on.
pub(super) fn raw(target: Target, allocator: Allocator, bytes: u64) -> Cost {
    match target {
        _ if target == Target::Redis8_2 && bytes > 0 || target.has_bucket_tables() => {
            allocator.given(target.sds(bytes))
        }
        _ if target.keeps_books() && bytes > 0 => target.noted(allocator, bytes),
        _ => allocator.given(target.sds_8(bytes)),
    }
}

/// A key with its object, without what the object leads to.
pub(super) fn key_and_object(target: Target, allocator: Allocator, key_bytes: u64, expires: bool) -> Cost {
    let object_bytes = key_object_bytes(target, key_bytes, expires);
    match target {
        Target::Valkey8_0 => {
            allocator.requested(OBJECT_BYTES) + allocator.given(17_u64.saturating_add(target.sds(key_bytes)))
        }
        Target::Redis8_4 | Target::Redis8_8 | Target::Redis8_10 => allocator.requested(object_bytes),
        _ if target >= Target::Redis8_2 => allocator.given(object_bytes),
        _ => {
            allocator.requested(ENTRY_BYTES)
                + allocator.given(target.sds(key_bytes))
                + allocator.requested(OBJECT_BYTES)
        }
    }
}

/// An object, the header size of the key in it, the key, and a place for an expiry.
pub(super) fn key_object_bytes(target: Target, key_bytes: u64, expires: bool) -> u64 {
    let expiry = if expires || key_bytes >= LONG_KEY_BYTES { 8 } else { 0 };
    (OBJECT_BYTES + 1 + expiry).saturating_add(target.sds(key_bytes))
}
