//! Damaged dumps before `redis-check-rdb` and `valkey-check-rdb`: what they accept a check accepts, what they refuse it
//! refuses, but for what is named here.
#![allow(clippy::indexing_slicing, reason = "an index out of place fails the test, as it should")]

use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bigkeys::check::{Options, Report, Severity, check_bytes};
use support::damage::{damage, without_checksum};
use support::fixtures::{self, Fixture};
use support::random::Random;
use support::server::{self, Kind};
use support::ways::Scratch;

mod support;

/// Damaged copies of each fixture; more are asked for by `BIGKEYS_DAMAGED_COPIES`.
const COPIES: usize = 4;

/// Larger fixtures hold more of the same.
const BYTES_MAX: usize = 20_000;

/// What a checker said.
struct Verdict {
    accepts: bool,
    says: String,
}

fn ask(kind: Kind, program: &Path, dump: &Path) -> Option<Verdict> {
    let name = match kind {
        Kind::Redis => "redis-check-rdb",
        Kind::Valkey => "valkey-check-rdb",
    };
    let output = Command::new(program).arg0(name).arg(dump).stdin(Stdio::null()).output().expect("a checker");
    // A checker that crashed has said nothing.
    if output.status.signal().is_some() {
        return None;
    }
    let says = String::from_utf8_lossy(&output.stdout).into_owned();
    // On a damaged file it may look as if it crashed, its own handler of signals included.
    if says.contains("BUG REPORT") {
        return None;
    }
    Some(Verdict { accepts: output.status.success(), says })
}

/// The versions that a server of this kind reads.
fn reads(kind: Kind, fixture: &Fixture) -> bool {
    let version = fixture.bytes.get(5..9).and_then(|v| std::str::from_utf8(v).ok()).and_then(|v| v.parse::<u32>().ok());
    let is_valkey = fixture.bytes.starts_with(b"VALKEY080");
    // Release candidates wrote what no release reads.
    let is_pre_ga = fixture.name.contains("pre_ga");
    let known = match kind {
        Kind::Redis => version.is_some_and(|version| version <= 10),
        Kind::Valkey => is_valkey || version.is_some_and(|version| version <= 11),
    };
    known && !is_pre_ga
}

/// Why a check and a checker may differ; each is a decision of ours or of theirs.
fn excuse(report: &Report, verdict: &Verdict) -> Option<&'static str> {
    let errors: Vec<&str> = report
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| finding.fault.as_str())
        .collect();
    if verdict.accepts {
        return match errors[..] {
            ["module_tag", ..] => Some("checkers pass over tags that they do not know as if nothing followed them"),
            ["length_form"] => Some("servers take the start of a string for a length of its six low bits"),
            ["stream_deleted", ..] => Some("Redis 7.0 does not count a node's deleted entries, Valkey 9.1 does"),
            ["zeros"] => Some("checkers do not know that a key is there twice; servers do, and refuse the dump"),
            ["trailing"] => Some("servers do not look behind the checksum"),
            _ => None,
        };
    }
    None
}

fn compare(kind: Kind) {
    let Some(program) = server::program(kind) else {
        server::skip(kind);
        return;
    };
    let program = PathBuf::from(program);
    let scratch = Scratch::new();
    let copies = std::env::var("BIGKEYS_DAMAGED_COPIES").ok().and_then(|n| n.parse().ok()).unwrap_or(COPIES);
    let mut compared = [0, 0];
    let mut differ = Vec::new();
    let small = |fixture: &Fixture| fixture.bytes.len() <= BYTES_MAX && reads(kind, fixture);
    let dumps = fixtures::sound().into_iter().chain(fixtures::refused()).filter(small);
    for (number, fixture) in dumps.enumerate() {
        let mut random = Random(number as u64);
        for copy in 0..=copies {
            let dump = match copy {
                0 => fixture.bytes.clone(),
                _ => without_checksum(damage(&fixture.bytes, &mut random)),
            };
            let path = scratch.write("dump.rdb", &dump);
            let Some(verdict) = ask(kind, &program, &path) else { continue };
            let report = check_bytes(&dump, &Options::default());
            compared[usize::from(verdict.accepts)] += 1;
            if report.sound == verdict.accepts || excuse(&report, &verdict).is_some() {
                continue;
            }
            let last = verdict.says.lines().filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" | ");
            let found = report.findings.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ");
            differ.push(format!(
                "{} copy {copy}: the checker {}: {}\n    a check finds: {found}",
                fixture.name,
                if verdict.accepts { "accepts" } else { "refuses" },
                last.chars().rev().take(400).collect::<Vec<_>>().into_iter().rev().collect::<String>(),
            ));
            if let Some(folder) = std::env::var_os("BIGKEYS_DIFFERING_DUMPS") {
                let name = format!("{}.{copy}", fixture.name);
                fs::write(Path::new(&folder).join(name), &dump).expect("a folder for dumps");
            }
        }
    }
    let [refused, accepted] = compared;
    assert!(refused > 100 && accepted > 50, "{refused} refused and {accepted} accepted are too few to say anything");
    assert!(differ.is_empty(), "{} of {} differ:\n{}", differ.len(), refused + accepted, differ.join("\n"));
}

#[test]
fn a_check_agrees_with_redis() {
    compare(Kind::Redis);
}

#[test]
fn a_check_agrees_with_valkey() {
    compare(Kind::Valkey);
}
