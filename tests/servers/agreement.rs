//! Damaged dumps before `redis-check-rdb`, `valkey-check-rdb` and the servers themselves: what they accept a check accepts,
//! what they refuse it refuses, but for what is named here.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::damage::{damage, without_checksum};
use crate::support::fixtures::{self, Fixture};
use crate::support::random::Random;
use crate::support::server::{self, Kind, Process};
use crate::support::ways::Scratch;
use bigkeys::check::{Options, Report, Severity, check_bytes};

/// Damaged copies of each fixture; more are asked for by `BIGKEYS_DAMAGED_COPIES`.
const COPIES: usize = 4;

/// Larger fixtures hold more of the same.
const BYTES_MAX: usize = 20_000;

/// What a judge may take for a small dump: processor time, and address space.
const SECONDS_MAX: u32 = 5;
const KILOBYTES_MAX: u32 = 8 << 20;

/// One that blocks uses no processor time.
const WAITED_MAX: Duration = Duration::from_mins(1);

/// Of a thousand dumps, how many may be left without a verdict: servers crash on one damaged dump in twenty or thirty, and
/// more could hide that we differ.
const SILENT_MAX: usize = 100;

/// A dump that is sound, and that a Valkey which is no node of a cluster crashes on: nobody there imports slots.
const CRASHES_VALKEY: &str = "opcode_slot_import_v80.rdb";

/// More databases than fixtures have; each takes a server time to make.
const DATABASES: &str = "1024";

/// Who is asked about a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judge {
    /// `redis-check-rdb` or `valkey-check-rdb`.
    Checker,
    /// The server itself, told to trust nothing, which is started on the dump.
    Loader,
}

/// What a judge said.
struct Verdict {
    judge: Judge,
    accepts: bool,
    says: String,
}

/// Why a judge said nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Silence {
    Crashed,
    /// It took more than it may, and was ended.
    Endless,
}

/// A judge's program, and where it finds its dump.
struct Court {
    kind: Kind,
    judge: Judge,
    program: PathBuf,
    scratch: Scratch,
}

const DUMP: &str = "dump.rdb";

/// What a server logs, among other words, once it has loaded its dump.
const READY: &[u8] = b"eady to accept connections";

/// Limits its own resources and becomes the program of the first argument, under the name of the second.
const LIMITED: &str = r#"ulimit -t "$1" -v "$2"; exec -a "$3" "$0" "${@:4}""#;

impl Court {
    fn ask(&self, dump: &[u8]) -> Result<Verdict, Silence> {
        let path = self.scratch.write(DUMP, dump);
        match (self.judge, self.kind) {
            (Judge::Checker, Kind::Redis) => self.hear("redis-check-rdb".as_ref(), &[path.as_ref()]),
            (Judge::Checker, Kind::Valkey) => self.hear("valkey-check-rdb".as_ref(), &[path.as_ref()]),
            (Judge::Loader, _) => {
                let settings = format!(
                    "--port 0 --save '' --appendonly no --daemonize no --logfile '' --sanitize-dump-payload yes \
                     --databases {DATABASES} --dbfilename {DUMP} --dir",
                );
                let mut arguments: Vec<&OsStr> =
                    settings.split(' ').map(|word| if word == "''" { "" } else { word }.as_ref()).collect();
                let socket = self.scratch.path("socket");
                arguments.extend([
                    path.parent().expect("a folder").as_os_str(),
                    "--unixsocket".as_ref(),
                    socket.as_ref(),
                ]);
                self.hear(self.program.as_ref(), &arguments)
            }
        }
    }

    /// Runs the program under a name and reads its log up to where it is ready for clients, or to its end.
    fn hear(&self, name: &OsStr, arguments: &[&OsStr]) -> Result<Verdict, Silence> {
        let process = Command::new("bash")
            .args(["-c", LIMITED])
            .arg(&self.program)
            .args([SECONDS_MAX.to_string(), KILOBYTES_MAX.to_string()])
            .arg(name)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut process = Process(process.expect("bash"));
        let log = BufReader::new(process.0.stdout.take().expect("its log"));
        // On a thread of its own, which ends with the process: a read from a pipe cannot be told when to give up.
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || log.split(b'\n').map_while(Result::ok).try_for_each(|line| sender.send(line)));

        let deadline = Instant::now() + WAITED_MAX;
        let mut says = String::new();
        loop {
            match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    says.push_str(&String::from_utf8_lossy(&line));
                    says.push('\n');
                    if line.windows(READY.len()).any(|words| words == READY) {
                        return Ok(Verdict { judge: self.judge, accepts: true, says });
                    }
                }
                Err(RecvTimeoutError::Timeout) => return Err(Silence::Endless),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let status = process.0.wait().expect("it can be waited for");
        match status.signal() {
            Some(libc::SIGXCPU | libc::SIGKILL) => Err(Silence::Endless),
            Some(_) => Err(Silence::Crashed),
            // What crashes may exit like what refuses: its own handler of signals says what happened.
            None if says.contains("BUG REPORT") => Err(Silence::Crashed),
            // A loader that accepts goes on to serve.
            None => {
                let accepts = self.judge == Judge::Checker && status.success();
                Ok(Verdict { judge: self.judge, accepts, says })
            }
        }
    }
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
        .map(|finding| finding.kind.as_str())
        .collect();
    let all = |faults: &[&str]| !errors.is_empty() && errors.iter().all(|kind| faults.contains(kind));
    let has_warning = |kind: &str| {
        report.findings.iter().any(|finding| finding.severity == Severity::Warning && finding.kind == kind)
    };
    let fails = |words: &str| report.error.as_ref().is_some_and(|error| error.contains(words));
    let says = |words: &str| verdict.says.contains(words);
    match (verdict.judge, verdict.accepts) {
        (_, true) if errors == ["length_form"] => {
            Some("servers take the start of a string for a length of its six low bits")
        }
        (_, true) if errors.first() == Some(&"stream_deleted") => {
            Some("Redis 7.0 does not count a node's deleted entries, Valkey 9.1 does")
        }
        (Judge::Checker, true) if all(&["slot_info"]) => {
            Some("checkers do not look into auxiliary fields; Valkey does")
        }
        (_, true) if errors.is_empty() && fails("append-only commands behind the dump") => {
            Some("servers read the commands behind a dump only where they read an append-only file")
        }
        (_, true) if errors == ["flag"] && report.format.is_none() => {
            Some("Redis reads the version as C's atoi does, spaces before it included")
        }
        (_, true) if all(&["back_length"]) => {
            Some("servers read a back length from its end, and a top bit too many leads into zeros of the entry's own")
        }
        (_, true) if all(&["pending_shared"]) => {
            Some("Redis before 8.10 loads an entry that is pending for two consumers, and frees it twice")
        }
        (_, false) if errors.is_empty() && has_warning("stream_length") && says("Stream length inconsistent") => {
            Some("Valkey 9.1 refuses a length that the servers of a dump of RDB 11 or older load")
        }
        (_, false) if errors.is_empty() && has_warning("function_pre_ga") && says("Pre-release function") => {
            Some("only Redis 7.0 loads functions in the format of its release candidates")
        }
        (_, true) if errors == ["trailing"] => Some("servers do not look behind the checksum"),
        (Judge::Checker, true) if errors.first() == Some(&"module_tag") => {
            Some("checkers pass over tags that they do not know as if nothing followed them")
        }
        (Judge::Checker, true) if errors == ["zeros"] || all(&["duplicate_key", "trailing"]) => {
            Some("checkers do not know that a key is there twice; servers do, and refuse the dump")
        }
        (Judge::Loader, true) if all(&["duplicate_key"]) && report.keys_expiring > 0 => {
            Some("a master leaves keys out that have expired by now, and then they are not there twice")
        }
        (Judge::Loader, true) if all(&["empty"]) && !says("empty keys skipped: 0.") => Some(
            "a server that loads a key without elements leaves it out, and with it what was lost; checkers refuse it",
        ),
        (Judge::Loader, false) if errors.is_empty() && says("no matching module") => {
            Some("a server loads no data of modules that it does not have")
        }
        (Judge::Loader, false) if errors.is_empty() && says("configured to handle more than") => {
            Some("a server has as many databases as it is told to have")
        }
        (Judge::Loader, false)
            if report.functions > 0
                && errors.is_empty()
                && (says("Failed creating") || says("Failed loading library")) =>
        {
            Some("a server compiles functions as it loads them; what they say is not looked into")
        }
        (_, false) if errors.is_empty() && says("Can't handle RDB format version") => {
            Some("what is newer than a server is not damaged")
        }
        _ => None,
    }
}

fn compare(kind: Kind, judge: Judge) {
    let Some(program) = server::program(kind) else {
        server::skip(kind);
        return;
    };
    let court = Court { kind, judge, program: program.into(), scratch: Scratch::new() };
    let copies = std::env::var("BIGKEYS_DAMAGED_COPIES").ok().and_then(|n| n.parse().ok()).unwrap_or(COPIES);
    let mut compared = [0, 0];
    let mut silent = Vec::new();
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
            let report = check_bytes(&dump, &Options::default());
            let verdict = match court.ask(&dump) {
                Ok(verdict) => verdict,
                Err(silence) => {
                    let found = if report.sound { "sound" } else { "damaged" };
                    if report.sound && fixture.name != CRASHES_VALKEY {
                        differ.push(format!("{} copy {copy}: {silence:?}, and a check finds it sound", fixture.name));
                    }
                    silent.push(format!("{silence:?} at {} copy {copy}, which a check calls {found}", fixture.name));
                    keep(&fixture.name, copy, &dump);
                    continue;
                }
            };
            compared[usize::from(verdict.accepts)] += 1;
            if report.sound == verdict.accepts || excuse(&report, &verdict).is_some() {
                continue;
            }
            let last = verdict.says.lines().filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" | ");
            let found = report.findings.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ");
            differ.push(format!(
                "{} copy {copy}: it {}: {}\n    a check finds: {found}",
                fixture.name,
                if verdict.accepts { "is accepted" } else { "is refused" },
                last.chars().rev().take(400).collect::<Vec<_>>().into_iter().rev().collect::<String>(),
            ));
            keep(&fixture.name, copy, &dump);
        }
    }
    let [refused, accepted] = compared;
    // Past the test runner's capture: nothing fails because of these, so somebody has to see them.
    let mut words =
        format!("{kind:?}, {judge:?}: {refused} refused, {accepted} accepted, {} without a verdict\n", silent.len());
    for dump in &silent {
        words.extend(["  ", dump, "\n"]);
    }
    _ = std::io::stderr().write_all(words.as_bytes());

    assert!(refused > 100 && accepted > 50, "{refused} refused and {accepted} accepted are too few to say anything");
    assert!(differ.is_empty(), "{} of {} differ:\n{}", differ.len(), refused + accepted, differ.join("\n"));
    assert!(silent.len() * 1000 <= SILENT_MAX * (refused + accepted), "{} dumps are without a verdict", silent.len());
}

/// Keeps a dump that somebody may want to look at, in the folder `BIGKEYS_DIFFERING_DUMPS`.
fn keep(fixture: &str, copy: usize, dump: &[u8]) {
    if let Some(folder) = std::env::var_os("BIGKEYS_DIFFERING_DUMPS") {
        fs::write(Path::new(&folder).join(format!("{fixture}.{copy}")), dump).expect("a folder for dumps");
    }
}

#[test]
fn a_check_agrees_with_redis() {
    compare(Kind::Redis, Judge::Checker);
}

#[test]
fn a_check_agrees_with_valkey() {
    compare(Kind::Valkey, Judge::Checker);
}

#[test]
fn a_check_agrees_with_redis_loading_it() {
    compare(Kind::Redis, Judge::Loader);
}

#[test]
fn a_check_agrees_with_valkey_loading_it() {
    compare(Kind::Valkey, Judge::Loader);
}
