//! Values that would take less if clients compressed them: what the dump saved by compressing them, or a sample.

use std::collections::BTreeMap;

use super::command;
use super::worth::worth;
use crate::output::human::{bytes, count, name, share};
use crate::report::{
    CompressionFound, Evidence, Finding, Name, PrefixCompression, Report, Saving, SavingBasis, Severity, Subject,
    SubjectKind,
};

const PREFIXES_MAX: usize = 5;
const NAME_WIDTH: usize = 40;

/// A sample of fewer values says nothing.
const SAMPLES_MIN: usize = 10;

/// What compresses to more than this, in percent, is not worth the time.
const COMPRESSED_PERCENT_MAX: u64 = 80;

const ACTION: &str = "Compress these values in the client, from some 2 KB on; for lists, set list-compress-depth to 1.";
const SOURCE: &str = "Redis documentation, list-compress-depth; clients compress from 2,048 bytes on";

pub(super) fn find(report: &Report) -> Vec<Finding> {
    let Some(found) = &report.compression else { return Vec::new() };
    let mut prefixes: Vec<&PrefixCompression> = found.prefixes.iter().collect();
    prefixes.retain(|prefix| worth(report, prefix.sum.bytes_saved()));
    prefixes.sort_by_key(|prefix| std::cmp::Reverse(prefix.sum.bytes_saved()));
    let is_compressed = found.other.keys > 0 || !found.prefixes.is_empty();
    let sampled = if is_compressed { None } else { of_sample(report, found) };
    prefixes.into_iter().take(PREFIXES_MAX).map(|prefix| of_prefix(report, found, prefix)).chain(sampled).collect()
}

/// What the dump holds compressed under a prefix.
fn of_prefix(report: &Report, found: &CompressionFound, prefix: &PrefixCompression) -> Finding {
    let PrefixCompression { name: prefix, sum } = prefix;
    let is_named = !prefix.bytes().is_empty();
    let shown =
        if is_named { format!("under {}", name(prefix.bytes(), NAME_WIDTH)) } else { "without a prefix".to_owned() };
    let commands = if is_named {
        vec![format!(
            "bigkeys keys --match {} --format csv {}",
            command::glob_of_prefix(prefix.bytes()),
            command::dumps(report)
        )]
    } else {
        Vec::new()
    };
    Finding {
        what: format!(
            "{} {shown} {}, which the dump holds in {}: {} less{}.",
            if sum.keys == 1 { "1 value".to_owned() } else { format!("{} values", count(sum.keys)) },
            format_args!("{} {}", if sum.keys == 1 { "takes" } else { "take" }, bytes(sum.value_bytes)),
            bytes(sum.stored_bytes),
            share(sum.bytes_saved(), sum.value_bytes),
            format_of(found, |of| of == prefix)
        ),
        action: ACTION.to_owned(),
        evidence: vec![
            Evidence::new("keys", sum.keys),
            Evidence::new("value_bytes", sum.value_bytes),
            Evidence::new("stored_bytes", sum.stored_bytes),
        ],
        bytes_saved: Some(Saving { bytes: sum.bytes_saved(), basis: SavingBasis::LowerBound }),
        commands,
        source: Some(SOURCE.into()),
        ..Finding::new(
            "compression",
            Severity::Low,
            if is_named {
                Subject::named(SubjectKind::Prefix, prefix.bytes())
            } else {
                Subject::only(SubjectKind::Dump)
            },
        )
    }
}

/// What a sample says of a dump that holds nothing compressed. Values are in it by their length, so that the mean of what is
/// left of each is what is left of all bytes.
fn of_sample(report: &Report, found: &CompressionFound) -> Option<Finding> {
    let samples = &found.samples;
    if samples.len() < SAMPLES_MIN {
        return None;
    }
    let per_mille = |of: &crate::report::ValueSample| of.compressed_bytes * 1000 / of.sample_bytes.max(1);
    let left = samples.iter().map(per_mille).sum::<u64>() / samples.len() as u64;
    let saved =
        u64::try_from(u128::from(found.raw_bytes) * u128::from(1000 - left.min(1000)) / 1000).unwrap_or(u64::MAX);
    if left > COMPRESSED_PERCENT_MAX * 10 || !worth(report, saved) {
        return None;
    }
    Some(Finding {
        what: format!(
            "{} strings of 256 bytes or more take {}; a sample of {} compresses to {} % with LZ4{}.",
            count(found.raw_keys),
            bytes(found.raw_bytes),
            samples.len(),
            left / 10,
            format_of(found, |_| true)
        ),
        action: ACTION.to_owned(),
        evidence: vec![
            Evidence::new("keys", found.raw_keys),
            Evidence::new("value_bytes", found.raw_bytes),
            Evidence::new("sampled_keys", samples.len() as u64),
            Evidence::new("compressed_per_mille", left),
        ],
        bytes_saved: Some(Saving { bytes: saved, basis: SavingBasis::Estimate }),
        source: Some(SOURCE.into()),
        ..Finding::new("compression", Severity::Low, Subject::only(SubjectKind::Dump))
    })
}

/// What most values of a part of the sample are.
fn format_of(found: &CompressionFound, is_of: impl Fn(&Name) -> bool) -> String {
    let mut formats: BTreeMap<&str, usize> = BTreeMap::new();
    for sample in found.samples.iter().filter(|sample| is_of(&sample.prefix)) {
        *formats.entry(&sample.format).or_default() += 1;
    }
    let all: usize = formats.values().sum();
    let most = formats.into_iter().max_by_key(|(format, count)| (*count, std::cmp::Reverse(*format)));
    match most {
        Some((format, most)) if all >= SAMPLES_MIN / 2 => format!("; {most} of {all} looked at are {}", title(format)),
        _ => String::new(),
    }
}

fn title(format: &str) -> &str {
    match format {
        "json" => "JSON",
        "xml" => "XML or HTML",
        "compressed" => "compressed already",
        "picture" => "pictures",
        "php" => "serialized PHP",
        "java" => "serialized Java",
        "pickle" => "Python pickles",
        "messagepack" => "MessagePack",
        "number" => "numbers",
        "text" => "text",
        _ => "binary",
    }
}
