//! Which flaws the servers that a dump was written for read on over: there they are warnings, elsewhere damage.

use crate::rdb::context::REDIS_8_10_VERSION;
use crate::rdb::parse_error::{FormatElement, ParseError, ParseErrorKind};
use crate::rdb::types::Dialect;

/// Whether the servers that read dumps of this dialect and version load one with this flaw.
///
/// Redis 8.10 and Valkey 9.1 check more than their predecessors. A dump that only they can read has to pass their checks;
/// an older one is still loaded by the servers of its time. What makes those read or free memory that is not theirs is
/// damage in every version.
pub(crate) fn is_tolerated(error: &ParseError, dialect: Dialect, version: u32) -> bool {
    let is_for_redis_8_10 = dialect == Dialect::Redis && version >= REDIS_8_10_VERSION;
    match error.kind {
        ParseErrorKind::KeyCount | ParseErrorKind::FunctionPreGa => true,
        ParseErrorKind::Score => error.element == FormatElement::Blob,
        // An array's elements are put where their indices say, in whatever order they come.
        ParseErrorKind::Order => error.element == FormatElement::Element,
        ParseErrorKind::StreamLength => !is_for_redis_8_10 && dialect != Dialect::Valkey,
        ParseErrorKind::StreamLive | ParseErrorKind::StreamCounters => !is_for_redis_8_10,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_damage_depends_on_who_reads_it() {
        let loads = |kind, dialect, version| {
            let error = ParseError { offset: 0, kind, element: FormatElement::StreamGroups, declared: 0 };
            is_tolerated(&error, dialect, version)
        };
        for (kind, by_redis_7, by_redis_8_10, by_valkey_9) in [
            (ParseErrorKind::StreamLength, true, false, false),
            (ParseErrorKind::StreamLive, true, false, true),
            (ParseErrorKind::StreamCounters, true, false, true),
            (ParseErrorKind::PendingShared, false, false, false),
            (ParseErrorKind::FunctionPreGa, true, true, true),
        ] {
            let verdicts = [(Dialect::Redis, 10), (Dialect::Redis, 15), (Dialect::Valkey, 80)]
                .map(|(dialect, version)| loads(kind, dialect, version));
            assert_eq!(verdicts, [by_redis_7, by_redis_8_10, by_valkey_9], "{kind:?}");
        }
    }
}
