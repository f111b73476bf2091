//! Findings: each rule over a dump that gives reason for it and over one that does not, the same from merged reports in any
//! grouping, and commands that no name can break out of.
#![allow(clippy::indexing_slicing, reason = "an index out of place fails the test, as it should")]

mod support;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use bigkeys::report::{Finding, Question, Report, Rules, Severity};
use bigkeys::{Dump, Options, findings, report_all};
use support::assembler::{Bytes, Rdb};

/// A folder of dumps.
struct Dumps(tempfile::TempDir);

impl Dumps {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn write(&self, name: &str, rdb: Rdb) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, rdb.eof()).expect("it can be written");
        path
    }
}

fn report(dumps: &[PathBuf], question: &Question, segment_bytes: usize) -> Report {
    let dumps: Vec<Dump> = dumps.iter().map(Dump::from).collect();
    let mut options = Options::default();
    options.threads = 2;
    options.segment_bytes = segment_bytes;
    let (report, _, damage) = report_all(&dumps, question, &options, &Arc::default()).expect("the files can be read");
    assert!(damage.is_empty(), "{damage:?}");
    report
}

/// The findings about one dump, after a look at them through segments of two sizes.
fn findings_of(rdb: Rdb, rules: Rules) -> Vec<Finding> {
    let dumps = Dumps::new();
    let path = [dumps.write("dump.rdb", rdb)];
    let [found, same] =
        [4 << 20, 3000].map(|bytes| findings::judge(&report(&path, &Question::default(), bytes), rules));
    assert_eq!(found, same);
    found
}

fn of<'f>(findings: &'f [Finding], id: &str) -> Vec<&'f Finding> {
    findings.iter().filter(|finding| finding.id == id).collect()
}

fn evidence(finding: &Finding, name: &str) -> u64 {
    let found = finding.evidence.iter().find(|evidence| evidence.name == name);
    found.unwrap_or_else(|| panic!("no {name} in {finding:?}")).value
}

fn dump() -> Rdb {
    // Written an hour before the keys that expire below.
    Rdb::redis(11).aux("redis-ver", "7.2.4").aux("ctime", "1700000000").select_db(0)
}

/// A list of so many elements in nodes of its own.
fn list(elements: u64) -> impl FnOnce(Bytes) -> Bytes {
    move |value| (0..elements).fold(value.len(elements), |value, at| value.string(at.to_string()))
}

#[test]
fn a_dump_without_reason_has_no_findings() {
    let mut rdb = dump();
    for number in 0..2000 {
        rdb = rdb.key(0, format!("user:{number}"), |value| value.string("a".repeat(100)));
    }
    assert_eq!(findings_of(rdb, Rules::Huawei), []);
    assert_eq!(findings_of(Rdb::redis(11), Rules::Huawei), []);
}

#[test]
fn big_keys_by_published_rules() {
    let big = || {
        dump()
            .key(0, "at", |value| value.string("x".repeat(10_240)))
            .key(0, "over", |value| value.string("x".repeat(10_241)))
            .select_db(7)
            .key(1, "at", list(5000))
            .key(1, "over", list(5001))
    };
    let found = findings_of(big(), Rules::Huawei);
    let big_keys = of(&found, "big-keys");
    assert_eq!(big_keys.len(), 2, "{found:?}");
    for finding in &big_keys {
        assert_eq!((evidence(finding, "keys"), finding.keys.len()), (1, 1));
        assert_eq!(finding.keys[0].key.name.bytes(), b"over");
        assert!(finding.source.as_ref().is_some_and(|source| source.contains("Huawei")));
    }
    let list = big_keys.iter().find(|finding| finding.keys[0].kind == "list").expect("a finding about lists");
    assert_eq!(list.keys[0].db, Some(7));
    assert!(list.commands.iter().any(|command| command.starts_with("redis-cli -n 7 MEMORY USAGE over")), "{list:?}");
    assert!(of(&findings_of(big(), Rules::Tencent), "big-keys").is_empty());
    assert_eq!(of(&findings_of(big(), Rules::Alibaba), "big-keys").len(), 1);
}

#[test]
fn names_over_1_kb() {
    let name = |bytes| "n".repeat(bytes);
    let found = findings_of(
        dump().key(0, name(1024), |value| value.string("x")).key(0, name(1025), |value| value.string("x")),
        Rules::Huawei,
    );
    let [finding] = of(&found, "long-names")[..] else { panic!("{found:?}") };
    assert_eq!((evidence(finding, "keys"), finding.severity), (1, Severity::Low));
    // Its name is cut, so that only its offset finds it.
    assert_eq!(finding.keys[0].key.name_bytes, Some(1025));
    assert!(finding.commands[0].contains("--offset "), "{finding:?}");
}

#[test]
fn what_never_expires_among_keys_that_do() {
    let mut rdb = dump();
    for number in 0..300 {
        if number % 3 > 0 {
            rdb = rdb.expire_ms(1_700_003_600_000 + 1_000_000 * number);
        }
        rdb = rdb.key(0, format!("cache:page:{number}"), |value| value.string("x".repeat(50)));
    }
    let found = findings_of(rdb, Rules::Huawei);
    let [finding] = of(&found, "no-ttl")[..] else { panic!("{found:?}") };
    assert_eq!((evidence(finding, "keys"), evidence(finding, "keys_without_ttl")), (300, 100));
    assert_eq!(finding.subject.name.as_ref().map(|name| name.bytes()), Some(&b"cache:page:"[..]));
    assert_eq!(finding.severity, Severity::Medium);
}

#[test]
fn merged_in_any_grouping() {
    let dumps = Dumps::new();
    let paths: Vec<PathBuf> = (0..4)
        .map(|number: u64| {
            let mut rdb = dump();
            for key in 0..20 {
                let bytes = usize::try_from(9_900 + 50 * key + number).expect("small");
                if key % 4 == number {
                    rdb = rdb.expire_ms(1_700_003_600_000);
                }
                rdb = rdb.key(0, format!("p:{number}:{key}"), |value| value.string("x".repeat(bytes)));
            }
            dumps.write(&format!("{number}.rdb"), rdb.key(1, "list", list(5000 + number)))
        })
        .collect();
    let of = |paths: &[PathBuf]| report(paths, &Question::default(), 4 << 20);
    let whole = findings::judge(&of(&paths), Rules::Huawei);
    assert!(whole.len() > 2, "{whole:?}");
    for cut in 1..paths.len() {
        let (first, second) = paths.split_at(cut);
        let (mut merged, mut second) = (of(first), of(second));
        // What a report was found to have does not outlive a merge.
        merged.findings = findings::judge(&merged, Rules::Aws);
        second.findings.clone_from(&merged.findings);
        let second = serde_json::from_str(&serde_json::to_string(&second).expect("JSON")).expect("a report");
        merged.merge(second).expect("reports of one kind");
        assert!(merged.findings.is_empty());
        assert_eq!(findings::judge(&merged, Rules::Huawei), whole, "{cut}");
    }
}

/// A shell takes each command for the words that it is: whatever the name, nothing else runs.
#[test]
fn commands_run_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in [
        &b"$(touch owned)"[..],
        b"`touch owned`",
        b"'; touch owned; '",
        b"a\"; touch owned #",
        b"\xff\n\\x41 \\",
        b"-n",
        b"",
    ] {
        let big = |rdb: Rdb| rdb.key(0, name, |value| value.string("x".repeat(20_000)));
        let found = findings_of(big(dump()), Rules::Huawei);
        let [finding] = of(&found, "big-keys")[..] else { panic!("{found:?}") };
        assert_eq!(finding.commands.len(), 2);
        for command in &finding.commands {
            assert!(command.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{command}");
            let (program, arguments) = command.split_once(' ').expect("arguments");
            assert!(program == "bigkeys" || program == "redis-cli", "{command}");
            let script = format!("printf '%s\\0' {arguments}");
            let output = Command::new("sh").args(["-c", &script]).current_dir(&folder).output().expect("a shell");
            assert!(output.status.success() && output.stderr.is_empty(), "{command}");
            let words = output.stdout.split(|byte| *byte == 0).count() - 1;
            assert!((2..=9).contains(&words), "{command}: {words} words");
        }
        assert_eq!(std::fs::read_dir(&folder).expect("the folder").count(), 0, "{name:?}");
    }
}
