//! From when on a saving is worth a finding.

use crate::report::Report;

/// Whether so many bytes are worth a sentence: 1 % of what all keys take, and 64 KiB.
pub(super) fn worth(report: &Report, bytes: u64) -> bool {
    bytes >= 64 << 10 && bytes >= report.totals.allocated_bytes / 100
}
