//! Memory of the server that wrote a dump which is not its keys: what the dump says was used, against what a server uses that
//! has loaded it.

use super::worth::worth;
use crate::output::human::{bytes, share};
use crate::report::{DumpInfo, Evidence, Finding, Report, Saving, SavingBasis, Severity, Subject, SubjectKind};

/// Up to this share more is usual: lists, streams and strings that grew have room for more.
const USUAL_SHARE: u64 = 10;

pub(super) fn find(report: &Report) -> Vec<Finding> {
    // Memory of keys whose memory is not known would be taken for a gap.
    if report.memory_unknown_keys > 0 || report.memory_lower_bound_keys > 0 {
        return Vec::new();
    }
    report.dumps.iter().filter(|dump| dump.is_complete).filter_map(|dump| gap(report, dump)).collect()
}

fn gap(report: &Report, dump: &DumpInfo) -> Option<Finding> {
    let (used, server) = (dump.used_memory_bytes?, dump.server?);
    let gap = used.checked_sub(server.used_memory_bytes)?;
    if gap < used / USUAL_SHARE || gap < 16 << 20 || !worth(report, gap) {
        return None;
    }
    Some(Finding {
        what: format!(
            "The server used {} when it wrote this dump; one that loads it uses {}. {} of it were not keys: {}.",
            bytes(used),
            bytes(server.used_memory_bytes),
            share(gap, used),
            bytes(gap)
        ),
        action: "Look at what else takes memory (INFO memory: clients, replication backlog, AOF buffers, scripts, functions) \
                 and at values that shrank; what is left is freed by a restart or a failover to a fresh replica."
            .to_owned(),
        evidence: vec![
            Evidence::new("used_memory_bytes", used),
            Evidence::new("used_memory_bytes_after_loading", server.used_memory_bytes),
            Evidence::new("keys_bytes", server.keys_bytes),
            Evidence::new("tables_bytes", server.tables_bytes),
            Evidence::new("empty_bytes", server.empty_bytes),
        ],
        bytes_saved: Some(Saving { bytes: gap, basis: SavingBasis::Estimate }),
        commands: vec!["redis-cli MEMORY STATS".to_owned(), "redis-cli INFO memory".to_owned()],
        ..Finding::new("memory-gap", Severity::Low, Subject::named(SubjectKind::Dump, dump.name.as_bytes()))
    })
}
