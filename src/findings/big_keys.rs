//! Keys that published rules call big.

use std::borrow::Cow;

use super::command;
use crate::output::human::{bytes, count};
use crate::rdb::Kind;
use crate::report::{Evidence, Finding, Report, Rules, Severity, Subject, SubjectKind, SuspectKeys, Suspicion};

pub(super) fn find(report: &Report, rules: Rules) -> Vec<Finding> {
    report.suspects.of(Suspicion::big(rules)).map(|found| of_type(report, rules, found)).collect()
}

fn of_type(report: &Report, rules: Rules, found: &SuspectKeys) -> Finding {
    let SuspectKeys { kind, tally, keys, .. } = found;
    let of_kind = Kind::ALL.into_iter().find(|known| known.name() == kind);
    let limits = of_kind.and_then(|kind| rules.limits(kind)).unwrap_or("a limit");
    let what = match tally.keys {
        1 => format!("1 {kind} key is over {limits}, which {} calls big", title(rules)),
        keys => format!("{} {kind} keys are over {limits}, which {} calls big", count(keys), title(rules)),
    };
    let largest = keys.first();
    let mut commands = Vec::new();
    if let Some(largest) = largest {
        let options = if of_kind == Some(Kind::String) { "" } else { " --largest --limit 5" };
        commands.push(command::get(report, largest, options));
        commands.extend(command::redis_cli(largest, "MEMORY USAGE", " SAMPLES 0"));
    }
    Finding {
        what: format!("{what}: {} in all.", bytes(tally.memory_bytes)),
        action: action(of_kind).to_owned(),
        evidence: vec![
            Evidence::new("keys", tally.keys),
            Evidence::new("elements", tally.elements),
            Evidence::new("memory_bytes", tally.memory_bytes),
            Evidence::new("largest_memory_bytes", largest.and_then(|found| found.key.memory_bytes).unwrap_or(0)),
        ],
        keys: keys.clone(),
        commands,
        source: Some(Cow::Borrowed(rules.source())),
        ..Finding::new("big-keys", Severity::Medium, Subject::named(SubjectKind::Type, kind.as_bytes()))
    }
}

fn title(rules: Rules) -> &'static str {
    match rules {
        Rules::Huawei => "Huawei",
        Rules::Alibaba => "Alibaba",
        Rules::Tencent => "Tencent",
        Rules::Aws => "AWS",
        Rules::Redis => "Redis Insight",
    }
}

fn action(kind: Option<Kind>) -> &'static str {
    match kind {
        Some(Kind::String) => {
            "Split the value into parts that are read with MGET, compress it in the client, or store it elsewhere; delete it \
             with UNLINK, not DEL."
        }
        Some(Kind::Hash) => {
            "Split it over keys by a hash of the field's name; delete it step by step with HSCAN and HDEL, or with UNLINK."
        }
        Some(Kind::Zset) => "Split it by ranges of scores or trim it with ZREMRANGEBYRANK; delete it with UNLINK.",
        Some(Kind::List | Kind::Stream) => "Trim it where it is written to (LTRIM, XADD MAXLEN), or split it by time.",
        _ => "Split it over keys by a hash of the element; delete it with UNLINK, not DEL.",
    }
}
