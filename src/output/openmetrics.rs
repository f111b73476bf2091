//! A report as `OpenMetrics` text, for the textfile collector of a monitoring system.
//!
//! Conventions: <https://prometheus.io/docs/specs/om/open_metrics_spec/>. All figures are gauges, since a later dump may have
//! less of anything. Labels have few values whatever the dump: the databases and prefixes that take most memory, and the first
//! findings.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::io::{self, Write};

use crate::error::Visible;
use crate::report::{Breakdown, ClassWeight, DumpInfo, Finding, NameTally, Report, SparseSpread, Tally};

/// Dumps, databases, prefixes and findings that have metrics of their own.
const DUMPS_MAX: usize = 256;
const DATABASES_MAX: usize = 256;
const PREFIXES_MAX: usize = 100;
const FINDINGS_MAX: usize = 100;

/// What is said of some keys: the end of a metric's name, its unit if it has one, and what it is.
type Figure = (&'static str, Option<&'static str>, &'static str, fn(&Tally) -> u64);

const FIGURES: [Figure; 6] = [
    ("keys", None, "keys", |tally| tally.keys),
    ("elements", None, "elements of keys; a string is one", |tally| tally.elements),
    ("serialized_bytes", Some("bytes"), "bytes of records in the dump", |tally| tally.serialized_bytes),
    ("memory_bytes", Some("bytes"), "bytes of memory as MEMORY USAGE counts them", |tally| tally.memory_bytes),
    ("allocated_bytes", Some("bytes"), "bytes that the allocator gives out", |tally| tally.allocated_bytes),
    ("keys_without_ttl", None, "keys that never expire", |tally| tally.keys_without_ttl),
];

/// Writes the report's totals, and its figures by dump, database, type, time to live and prefix.
///
/// # Errors
/// The writer's.
pub fn write(report: &Report, to: &mut dyn Write) -> io::Result<()> {
    let mut text = String::new();
    let dumps = report.dumps.get(..DUMPS_MAX).unwrap_or(&report.dumps);
    metric(&mut text, "bigkeys_dump", "info", None, "a dump that the figures are from");
    for (number, dump) in dumps.iter().enumerate() {
        let version = dump.aux.iter().find(|(name, _)| name.ends_with("-ver")).map_or("", |(_, version)| version);
        let rdb_version = dump.rdb_version.to_string();
        let labels = [
            ("dialect", dump.dialect.as_str()),
            ("version", version),
            ("rdb_version", &rdb_version),
            ("target", &dump.target),
            ("allocator", &dump.allocator),
        ];
        let labels: Vec<(&str, &str)> = [("file", dump.name.as_str())].into_iter().chain(labels).collect();
        let number = number.to_string();
        let labels: Vec<(&str, &str)> = [("dump", number.as_str())].into_iter().chain(labels).collect();
        sample(&mut text, "bigkeys_dump_info", &labels, 1);
    }
    metric(&mut text, "bigkeys_complete", "gauge", None, "1 if every dump was read to its end and found sound");
    sample(&mut text, "bigkeys_complete", &[], u64::from(report.is_complete));
    of_dumps(&mut text, dumps);
    family(&mut text, "bigkeys", &[], &[(Vec::new(), report.totals)]);
    family(&mut text, "bigkeys_database", &["db"], &databases(report));
    family(&mut text, "bigkeys_type", &["db", "type"], &types(report));
    let ttls: Vec<(Vec<String>, Tally)> =
        report.ttl.all().iter().map(|(class, tally)| (vec![class.replace(' ', "_")], **tally)).collect();
    family(&mut text, "bigkeys_ttl", &["ttl"], &ttls);
    family(&mut text, "bigkeys_prefix", &["prefix"], &prefixes(report));
    let unlisted = report.prefixes.unlisted;
    metric(
        &mut text,
        "bigkeys_unlisted_prefix_keys",
        "gauge",
        None,
        "keys whose longest prefix the report does not list",
    );
    sample(&mut text, "bigkeys_unlisted_prefix_keys", &[], unlisted.keys);
    let name = "bigkeys_unlisted_prefix_memory_bytes";
    metric(&mut text, name, "gauge", Some("bytes"), "memory of keys whose longest prefix the report does not list");
    sample(&mut text, name, &[], unlisted.memory_bytes);
    if let Some(found) = &report.groups {
        let groups = found.groups.iter().map(|found| (vec![found.group.name.clone()], found.tally));
        let groups: Vec<_> = groups.chain([(vec!["unclassified".to_owned()], found.unclassified)]).collect();
        family(&mut text, "bigkeys_group", &["group"], &groups);
    }
    breakdowns(&mut text, "prefix", &broken_down_prefixes(report));
    breakdowns(&mut text, "group", &broken_down_groups(report));
    findings(&mut text, &report.findings);
    text.push_str("# EOF\n");
    to.write_all(text.as_bytes())
}

/// How many findings each rule has and what they save, and which the first ones are.
fn findings(text: &mut String, findings: &[Finding]) {
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let mut savings: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for finding in findings {
        *counts.entry((&finding.id, finding.severity.name())).or_default() += 1;
        if let Some(saving) = finding.bytes_saved {
            let sum = savings.entry((&finding.id, saving.basis.name())).or_default();
            *sum = sum.saturating_add(saving.bytes);
        }
    }
    if !counts.is_empty() {
        metric(text, "bigkeys_findings", "gauge", None, "findings by rule and severity");
    }
    for ((rule, severity), count) in &counts {
        sample(text, "bigkeys_findings", &[("rule", rule), ("severity", severity)], count);
    }
    let name = "bigkeys_findings_saved_bytes";
    if !savings.is_empty() {
        metric(text, name, "gauge", Some("bytes"), "memory that acting on the findings of a rule saves");
    }
    for ((rule, basis), bytes) in &savings {
        sample(text, name, &[("rule", rule), ("basis", basis)], bytes);
    }
    let mut listed: Vec<[(&str, String); 4]> = Vec::new();
    for finding in findings.iter().take(FINDINGS_MAX) {
        let subject = finding.subject.name.as_ref().map(|name| Visible(name.bytes()).to_string());
        let labels = [
            ("rule", finding.id.to_string()),
            ("severity", finding.severity.name().to_owned()),
            ("kind", finding.subject.kind.name().to_owned()),
            ("subject", subject.unwrap_or_default()),
        ];
        // A subject may be named by a rule for several reasons.
        if !listed.contains(&labels) {
            listed.push(labels);
        }
    }
    if !listed.is_empty() {
        metric(text, "bigkeys_finding", "info", None, "what a finding is about");
    }
    for labels in &listed {
        sample(text, "bigkeys_finding_info", &labels.each_ref().map(|(label, value)| (*label, value.as_str())), 1);
    }
}

/// When dumps were made, and what their servers said that they took.
fn of_dumps(text: &mut String, dumps: &[DumpInfo]) {
    let of_dumps = |text: &mut String, name: &str, unit, what: &str, value: &dyn Fn(&DumpInfo) -> Option<u64>| {
        metric(text, name, "gauge", Some(unit), what);
        for (number, dump) in dumps.iter().enumerate() {
            if let Some(value) = value(dump) {
                let labels = [("dump", number.to_string()), ("shard", dump.shard.clone().unwrap_or_default())];
                let labels = labels.each_ref().map(|(label, value)| (*label, value.as_str()));
                sample(text, name, &labels, value);
            }
        }
    };
    of_dumps(text, "bigkeys_dump_size_bytes", "bytes", "bytes that were read, inflated", &|dump| Some(dump.bytes));
    let used = "memory of the server when it wrote the dump";
    of_dumps(text, "bigkeys_dump_used_memory_bytes", "bytes", used, &|dump| dump.used_memory_bytes);
    let created = |dump: &DumpInfo| dump.aux.iter().find(|(name, _)| name == "ctime")?.1.parse().ok();
    of_dumps(text, "bigkeys_dump_created_timestamp_seconds", "seconds", "when the dump was made", &created);
}

/// The databases that take most memory, and all others together.
fn databases(report: &Report) -> Vec<(Vec<String>, Tally)> {
    let mut databases: Vec<(u64, Tally)> = report.databases.iter().map(|of| (of.db, of.tally)).collect();
    databases.sort_by_key(|(db, tally)| (Reverse(tally.memory_bytes), *db));
    let mut other = report.other_databases.as_ref().map(|other| other.tally);
    for (_, tally) in databases.iter().skip(DATABASES_MAX) {
        other.get_or_insert_default().merge(tally);
    }
    databases.truncate(DATABASES_MAX);
    databases.sort_by_key(|(db, _)| *db);
    let databases = databases.into_iter().map(|(db, tally)| (vec![db.to_string()], tally));
    databases.chain(other.map(|tally| (vec!["other".to_owned()], tally))).collect()
}

/// The types of the databases that have metrics of their own.
fn types(report: &Report) -> Vec<(Vec<String>, Tally)> {
    let listed = databases(report);
    let is_listed = |db: &String| listed.iter().any(|(labels, _)| labels.first() == Some(db));
    let mut types: Vec<(Vec<String>, Tally)> = Vec::new();
    for database in &report.databases {
        let db = database.db.to_string();
        if is_listed(&db) {
            types.extend(database.types.iter().map(|of| (vec![db.clone(), of.kind.clone()], of.tally)));
        }
    }
    types
}

/// The prefixes that take most memory, each with all keys under it: those of longer prefixes count with shorter ones too.
fn prefixes(report: &Report) -> Vec<(Vec<String>, Tally)> {
    heaviest_prefixes(report).iter().map(|prefix| (vec![label(report, prefix)], prefix.tally)).collect()
}

fn heaviest_prefixes(report: &Report) -> Vec<&NameTally> {
    let mut prefixes: Vec<&NameTally> = report.prefixes.found.names.iter().collect();
    prefixes.sort_by_key(|prefix| Reverse(prefix.tally.memory_bytes));
    prefixes.truncate(PREFIXES_MAX);
    prefixes.sort_by(|a, b| a.name.cmp(&b.name));
    prefixes
}

fn label(report: &Report, prefix: &NameTally) -> String {
    Visible(&report.prefixes.whole(prefix)).to_string()
}

/// The breakdowns of prefixes and groups by their labels; those of the same label are one.
type Breakdowns = BTreeMap<String, Breakdown>;

fn broken_down_prefixes(report: &Report) -> Breakdowns {
    let prefixes = heaviest_prefixes(report);
    by_label(prefixes.iter().filter_map(|prefix| Some((label(report, prefix), prefix.breakdown.as_deref()?))))
}

fn broken_down_groups(report: &Report) -> Breakdowns {
    let groups = report.groups.iter().flat_map(|found| &found.groups);
    by_label(groups.filter_map(|found| Some((found.group.name.clone(), found.breakdown.as_deref()?))))
}

fn by_label<'r>(all: impl Iterator<Item = (String, &'r Breakdown)>) -> Breakdowns {
    let mut breakdowns = Breakdowns::new();
    for (label, breakdown) in all {
        breakdowns.entry(label).or_default().merge(breakdown);
    }
    breakdowns
}

/// The keys of prefixes or groups by type, time to live and time unused, and percentiles of their figures.
fn breakdowns(text: &mut String, of: &str, breakdowns: &Breakdowns) {
    type Classes = (&'static str, &'static str, fn(&Breakdown) -> &[ClassWeight]);
    type Spread = (&'static str, Option<&'static str>, &'static str, fn(&Breakdown) -> &SparseSpread);
    type ClassFigure = (&'static str, Option<&'static str>, fn(&ClassWeight) -> u64);
    const CLASSES: [Classes; 3] = [
        ("type", "by type", |of| &of.types),
        ("ttl", "by time to live", |of| &of.ttl),
        ("idle", "by time unused", |of| &of.idle),
    ];
    const CLASS_FIGURES: [ClassFigure; 2] =
        [("keys", None, |class| class.weight.keys), ("memory_bytes", Some("bytes"), |class| class.weight.memory_bytes)];
    const SPREADS: [Spread; 4] = [
        ("key_memory_bytes", Some("bytes"), "bytes of memory of a key", |of| &of.memory_bytes),
        ("key_elements", None, "elements of a key", |of| &of.elements),
        ("key_value_bytes", Some("bytes"), "bytes of a value as clients see it", |of| &of.value_bytes),
        ("key_name_bytes", Some("bytes"), "bytes of a name", |of| &of.name_bytes),
    ];
    for (class, what, classes) in CLASSES {
        if breakdowns.values().all(|breakdown| classes(breakdown).is_empty()) {
            continue;
        }
        for (figure, unit, value) in CLASS_FIGURES {
            let name = format!("bigkeys_{of}_{class}_{figure}");
            metric(text, &name, "gauge", unit, &format!("{} of a {of} {what}", figure.replace('_', " ")));
            for (label, breakdown) in breakdowns {
                for found in classes(breakdown) {
                    sample(text, &name, &[(of, label), (class, &found.class)], value(found));
                }
            }
        }
    }
    if breakdowns.is_empty() {
        return;
    }
    for (figure, unit, what, spread) in SPREADS {
        let name = format!("bigkeys_{of}_{figure}");
        metric(text, &name, "gauge", unit, &format!("{what} of a {of}, by percentile; off by at most 1 %"));
        for (label, breakdown) in breakdowns {
            let spread = spread(breakdown).spread();
            // Of values that are not known nothing is said.
            let percentiles = [("50", 500), ("90", 900), ("99", 990), ("99.9", 999), ("100", 1000)];
            for (percentile, permille) in percentiles.into_iter().filter(|_| spread.keys() > 0) {
                let value = if permille == 1000 { spread.max() } else { spread.permille(permille) };
                sample(text, &name, &[(of, label), ("percentile", percentile)], value);
            }
        }
    }
}

/// A metric for each figure, with a sample for each set of labels.
fn family(text: &mut String, name: &str, labels: &[&str], tallies: &[(Vec<String>, Tally)]) {
    // Groups of one name, and names that look alike with what is not visible escaped, are one series.
    let mut places: BTreeMap<&[String], usize> = BTreeMap::new();
    let mut series: Vec<(&[String], Tally)> = Vec::new();
    for (values, tally) in tallies {
        let place = *places.entry(values).or_insert(series.len());
        match series.get_mut(place) {
            Some((_, sum)) => sum.merge(tally),
            None => series.push((values, *tally)),
        }
    }
    for (figure, unit, what, value) in FIGURES {
        if tallies.is_empty() {
            continue;
        }
        let name = format!("{name}_{figure}");
        metric(text, &name, "gauge", unit, what);
        for (values, tally) in &series {
            let labels: Vec<(&str, &str)> = labels.iter().copied().zip(values.iter().map(String::as_str)).collect();
            sample(text, &name, &labels, value(tally));
        }
    }
}

fn metric(text: &mut String, name: &str, kind: &str, unit: Option<&str>, what: &str) {
    _ = writeln!(text, "# TYPE {name} {kind}");
    if let Some(unit) = unit {
        _ = writeln!(text, "# UNIT {name} {unit}");
    }
    _ = writeln!(text, "# HELP {name} {what}");
}

fn sample(text: &mut String, name: &str, labels: &[(&str, &str)], value: impl Display) {
    text.push_str(name);
    for (number, (label, value)) in labels.iter().enumerate() {
        _ = write!(text, "{}{label}=\"{}\"", if number == 0 { '{' } else { ',' }, escaped(value));
    }
    _ = writeln!(text, "{} {value}", if labels.is_empty() { "" } else { "}" });
}

/// A label's value: what would end it or its line is escaped.
fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}
