//! Small strings under one prefix, each with a key, an object and an entry of its own: what they would take as fields of hashes
//! that are packed.

use super::command;
use super::worth::worth;
use crate::memory::Model;
use crate::memory::server::KeyCount;
use crate::output::human::{bytes, count, name};
use crate::report::{Evidence, Finding, NameTally, Report, Saving, SavingBasis, Severity, Subject, SubjectKind};

/// Fields of each hash: servers pack hashes of up to 512 by default.
const FIELDS: [u64; 2] = [128, 512];

/// Prefixes of fewer keys are not worth a change of the application.
const KEYS_MIN: u64 = 1000;

/// Field and value have up to 64 bytes each in a packed hash: the mean of both is what is known.
const TEXTS_BYTES_MAX: u64 = 64;

/// A listpack's entry says how it is encoded in a byte before it, and how long it is in one behind it.
const ENTRY_BYTES: u64 = 2;

/// Digits that tell the hash apart behind the prefix.
const DIGITS: u64 = 6;

/// The type byte and two heads of a record.
const RECORD_BYTES: u64 = 3;

const PREFIXES_MAX: usize = 5;
const NAME_WIDTH: usize = 40;

pub(super) fn find(report: &Report) -> Vec<Finding> {
    let Some(dump) = report.dumps.first() else { return Vec::new() };
    let (Ok(target), Ok(allocator)) = (dump.target.parse(), dump.allocator.parse()) else { return Vec::new() };
    let model = Model::new(target, allocator);
    let mut found: Vec<Finding> = Vec::new();
    let mut prefixes: Vec<&NameTally> = report.prefixes.shortest().collect();
    while let Some(prefix) = prefixes.pop() {
        let below: Vec<&NameTally> = report.prefixes.below(prefix).collect();
        // Where nearly all keys of a prefix are below one that is longer, that one says more.
        let longer = below.iter().find(|below| below.tally.keys / 9 * 10 >= prefix.tally.keys);
        match longer {
            Some(longer) => prefixes.push(longer),
            None => match of_prefix(report, &model, prefix) {
                Some(finding) => found.push(finding),
                None => prefixes.extend(below),
            },
        }
    }
    found.sort_by(|a, b| {
        let saved = |finding: &Finding| std::cmp::Reverse(finding.bytes_saved.map(|saving| saving.bytes));
        (saved(a), &a.subject).cmp(&(saved(b), &b.subject))
    });
    found.truncate(PREFIXES_MAX);
    found
}

fn of_prefix(report: &Report, model: &Model, prefix: &NameTally) -> Option<Finding> {
    let (tally, prefix) = (&prefix.tally, report.prefixes.whole(prefix));
    let prefix_bytes = prefix.len() as u64;
    // Fields of a hash do not expire one by one on every server, and only strings have as many elements as keys.
    if tally.keys < KEYS_MIN || tally.elements != tally.keys || tally.keys_without_ttl != tally.keys {
        return None;
    }
    // As hash tables, sets or streams of one element they would have more.
    let texts_bytes = tally.serialized_bytes.checked_sub(tally.keys.saturating_mul(RECORD_BYTES + prefix_bytes))?;
    if texts_bytes > tally.keys.saturating_mul(TEXTS_BYTES_MAX) {
        return None;
    }
    let entries_bytes = texts_bytes.saturating_add(tally.keys.saturating_mul(2 * ENTRY_BYTES));
    let [few, many] = FIELDS.map(|fields| as_hashes(report, model, tally.keys, prefix_bytes, entries_bytes, fields));
    let saved = |packed: u64| {
        tally.allocated_bytes.saturating_add(tables_bytes(report, model, tally.keys)).saturating_sub(packed)
    };
    // Shorter hashes are read faster: the longer ones are advised only if they save much more.
    let (fields, packed) = if saved(few) >= saved(many) / 10 * 9 { (FIELDS[0], few) } else { (FIELDS[1], many) };
    if !worth(report, saved(packed)) {
        return None;
    }
    let shown = name(&prefix, NAME_WIDTH);
    let glob = command::glob_of_prefix(&prefix);
    Some(Finding {
        what: format!(
            "{} small strings under {shown} take {}, their part of the table of keys included; as hashes of {fields} \
             fields they would take {}.",
            count(tally.keys),
            bytes(tally.allocated_bytes.saturating_add(tables_bytes(report, model, tally.keys))),
            bytes(packed)
        ),
        action: format!(
            "Store them as fields of hashes: of an ID, all but the last digits are the key and those are the field, about \
             {fields} to a key (HSET and HGET in place of SET and GET)."
        ),
        evidence: vec![
            Evidence::new("keys", tally.keys),
            Evidence::new("allocated_bytes", tally.allocated_bytes),
            Evidence::new("tables_bytes", tables_bytes(report, model, tally.keys)),
            Evidence::new("allocated_bytes_as_hashes_of_128", few),
            Evidence::new("allocated_bytes_as_hashes_of_512", many),
            Evidence::new("fields", fields),
        ],
        bytes_saved: Some(Saving { bytes: saved(packed), basis: SavingBasis::Estimate }),
        commands: vec![format!("bigkeys keys --match {glob} --format csv {}", command::dumps(report))],
        source: Some(
            "Redis documentation, memory optimization: using hashes to abstract a key-value store on top".into(),
        ),
        ..Finding::new(
            "small-strings",
            if saved(packed) >= report.totals.allocated_bytes / 10 { Severity::High } else { Severity::Medium },
            Subject::named(SubjectKind::Prefix, prefix.as_slice()),
        )
    })
}

/// What the keys of a prefix take as hashes of so many fields with their entries in the table of keys, as the allocator gives it out.
fn as_hashes(report: &Report, model: &Model, keys: u64, prefix_bytes: u64, entries_bytes: u64, fields: u64) -> u64 {
    let hashes = keys.div_ceil(fields);
    let key_bytes = prefix_bytes + DIGITS;
    let hash_bytes = model.packed_hash_bytes(key_bytes, entries_bytes.div_ceil(hashes));
    let all = hash_bytes.saturating_mul(hashes);
    all.saturating_add(tables_bytes(report, model, hashes))
}

/// What keys take of the tables of keys: how much smaller those are without them.
fn tables_bytes(report: &Report, model: &Model, keys: u64) -> u64 {
    let all = report.totals.keys;
    let expiring_keys = all.saturating_sub(report.totals.keys_without_ttl);
    let dumps = (report.dumps.len() as u64).max(1);
    // Keys of several dumps are taken to be spread over them evenly.
    let of = |keys: u64| model.tables_bytes(KeyCount { keys: keys / dumps, expiring_keys: expiring_keys / dumps });
    of(all).saturating_sub(of(all.saturating_sub(keys))).saturating_mul(dumps)
}
