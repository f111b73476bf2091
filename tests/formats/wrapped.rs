//! Dumps in what they come wrapped in: a compressed stream of Valkey, a captured synchronization, an append-only file of
//! one part or many, the answer of DUMP. Each says the same as the dump within.

use std::fs;
use std::path::Path;

use crate::support::fixtures;
use crate::support::server::{self, Kind};
use crate::support::ways::{Scratch, every_key, mapped_whole, streamed};
use bigkeys::check::{Options, check};
use bigkeys::{Dump, Report};

fn report(path: &Path) -> Report {
    bigkeys::analyze(path, &every_key()).expect("the file can be opened")
}

fn names(report: &Report) -> Vec<String> {
    let mut names: Vec<String> =
        report.keys.iter().map(|key| format!("{} {}", key.name.escape_ascii(), key.size)).collect();
    names.sort();
    names
}

/// The envelope of a Valkey compressed stream: magic, version, codec, a reserved byte, and the kind of what is in it.
#[cfg(feature = "compress")]
fn vcs(codec: u8, frame: Vec<u8>) -> Vec<u8> {
    [b"VCS\x01".to_vec(), vec![codec, 0, 1], frame].concat()
}

#[test]
#[cfg(feature = "compress")]
fn compressed_streams_of_valkey() {
    use std::io::Write;
    let scratch = Scratch::new();
    let lz4 = |bytes: &[u8]| {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    };
    for fixture in fixtures::sound().into_iter().filter(|fixture| fixture.name.ends_with("_v80.rdb")) {
        let plain = mapped_whole(1).answer(&fixture.path, &fixture.bytes);
        let zstd = zstd::encode_all(&fixture.bytes[..], 1).expect("memory");
        for file in [vcs(1, lz4(&fixture.bytes)), vcs(2, zstd)] {
            let path = scratch.write("dump.rdb", &file);
            assert_eq!(mapped_whole(2).answer(&path, &file), plain, "{}", fixture.name);
            assert_eq!(streamed(100).answer(&path, &file), plain, "{}", fixture.name);
            let checked = check(&path, &Options::default()).expect("it can be opened");
            assert!(checked.sound);
            assert_eq!(checked.wrapped_in[0], "a Valkey compressed stream (VCS)");
        }
    }
    let path = scratch.write("dump.rdb", &vcs(1, b"neither LZ4 nor zstd".to_vec()));
    let refused = report(&path).damage[0].to_string();
    assert!(refused.contains("not an LZ4 or zstd frame; its codec is 1"), "{refused}");
}

#[test]
fn captures_of_a_synchronization() {
    let scratch = Scratch::new();
    let mark = b"0123456789abcdef0123456789abcdef01234567";
    for fixture in fixtures::sound().into_iter().filter(|fixture| fixture.name.ends_with("_v11.rdb")) {
        let dump = &fixture.bytes[..];
        let plain = mapped_whole(1).answer(&fixture.path, dump);
        let length = format!("${}\r\n", dump.len());
        let commands = b"*1\r\n$4\r\nPING\r\n";
        let captures = [
            [length.as_bytes(), dump].concat(),
            [b"+FULLRESYNC 8de1787ba490483314a4d30f1c628bc5025eb761 14\r\n\n", length.as_bytes(), dump, commands]
                .concat(),
            [b"$EOF:", &mark[..], b"\r\n", dump, mark].concat(),
            [b"$EOF:", &mark[..], b"\r\n", dump, mark, commands].concat(),
        ];
        for capture in captures {
            let path = scratch.write("capture", &capture);
            assert_eq!(mapped_whole(1).answer(&path, &capture), plain, "{}", fixture.name);
            assert_eq!(streamed(1000).answer(&path, &capture), plain, "{}", fixture.name);
        }
        let cut = [b"$EOF:", &mark[..], b"\r\n", dump].concat();
        let path = scratch.write("capture", &cut);
        let checked = check(&path, &Options::default()).expect("a file");
        let error = checked.error.expect("a sentence");
        assert_eq!(error, "the capture is cut: the mark that ends the dump is missing");
        // The dump in it is whole, and read unless it ends among the first bytes, by which it is told what it is.
        assert!(dump.len() < 512 || checked.dump_bytes == dump.len() as u64, "{error}");
        assert!(report(&path).damage[0].to_string().contains("the mark that ends the dump is missing"));
    }
}

#[test]
fn what_is_left_of_a_split_dump() {
    let scratch = Scratch::new();
    let fixture = fixtures::sound().into_iter().find(|fixture| fixture.name == "mixed_all_v10.rdb").expect("a fixture");
    let (first, second) = fixture.bytes.split_at(fixture.bytes.len() / 2);
    assert!(report(&scratch.write("a", first)).damage[0].to_string().contains("ends"));
    let second = report(&scratch.write("b", second)).damage[0].to_string();
    assert!(second.contains("if it is a later part of a dump that was split, join the parts first"), "{second}");
}

/// A folder with a manifest, a base file and two incremental ones; what `check` says is wrong with it.
#[test]
fn a_damaged_multi_part_append_only_file() {
    const MANIFEST: &str = "file a.base.rdb seq 1 type b\nfile a.1.aof seq 1 type i\nfile a.2.aof seq 2 type i\n";
    const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
    let empty = fixtures::sound().into_iter().find(|fixture| fixture.name == "empty_v10.rdb").expect("a fixture");
    let error = |manifest: &str, incremental: [&[u8]; 2]| {
        let scratch = Scratch::new();
        scratch.write("a.base.rdb", &empty.bytes);
        scratch.write("a.1.aof", incremental[0]);
        scratch.write("a.2.aof", incremental[1]);
        let manifest = scratch.write("a.manifest", manifest.as_bytes());
        let checked = check(&manifest, &Options::default()).expect("a file");
        assert_eq!(checked.sound, checked.error.is_none());
        assert!(report(&manifest).damage.len() <= 1);
        checked.error.unwrap_or_default()
    };
    let cut = &PING[..PING.len() - 3];
    assert_eq!(error(MANIFEST, [PING, PING]), "");
    // A server leaves a last command out that is cut.
    assert_eq!(error(MANIFEST, [PING, cut]), "");
    for (manifest, incremental, word) in [
        (MANIFEST, [cut, PING], "a.1.aof ends inside a command"),
        (MANIFEST, [PING, &b"garbage"[..]], "a.2.aof has something in it that is not a command"),
        (&MANIFEST.replace("a.2.aof", "a.3.aof"), [PING, PING], "a.3.aof could not be read"),
        (&MANIFEST.replace("a.base.rdb", "a.manifest"), [PING, PING], "a.manifest as its base file"),
        (&MANIFEST.replace("type i", "type b"), [PING, PING], "names two base files"),
        (&MANIFEST.replace("type i", "type x"), [PING, PING], "line 2 of the manifest"),
        ("", [PING, PING], "names no file"),
    ] {
        let error = error(manifest, incremental);
        assert!(error.contains(word), "{error}");
    }
}

// ---- real servers

#[test]
fn a_multi_part_append_only_file() {
    let Some(mut server) = server::require_with(Kind::Redis, &["--appendonly", "yes"]) else { return };
    for at in 0..50 {
        server.queue(&["RPUSH", &format!("list:{at}"), "a", "b"]);
    }
    server.answers();
    server.ask(&["BGREWRITEAOF"]);
    let folder = server.file("appendonlydir");
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    let has_base = |folder: &Path| {
        let manifest = fs::read_to_string(folder.join("appendonly.aof.manifest")).unwrap_or_default();
        manifest.contains("seq 2 type b")
    };
    while !has_base(&folder) {
        assert!(std::time::Instant::now() < deadline, "the file is not rewritten");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    for at in 0..7 {
        server.queue(&["SET", &format!("later:{at}"), "x"]);
    }
    server.answers();
    for path in [folder.clone(), folder.join("appendonly.aof.manifest")] {
        let report = report(&path);
        assert!(report.is_complete(), "{:?}", report.damage);
        assert_eq!(report.keys.len(), 50);
        // A SELECT comes before the seven.
        assert!(report.notes[0].contains("8 commands in 1 incremental file "), "{:?}", report.notes);
    }
    let empty = Scratch::new();
    let refused = report(empty.path("").as_path()).damage[0].to_string();
    assert!(refused.contains("this is a directory"), "{refused}");
}

#[test]
fn answers_of_dump() {
    let scratch = Scratch::new();
    for kind in [Kind::Redis, Kind::Valkey] {
        let Some(mut server) = server::require(kind) else { continue };
        server.ask(&["RPUSH", "list", "a", "1000", "300000"]);
        server.ask(&["HSET", "hash", "f", &"long".repeat(100)]);
        server.ask(&["XADD", "stream", "1-1", "f", "v"]);
        for (key, size) in [("list", 3), ("hash", 1), ("stream", 1)] {
            let answer = server.ask(&["DUMP", key]).into_bytes();
            let path = scratch.write("answer", &answer);
            let dump = Dump { payload_key: Some(b"my:key".to_vec()), ..Dump::from(&path) };
            let report = bigkeys::analyze_all(&[dump], &every_key(), &std::sync::Arc::default()).expect("a file");
            assert_eq!(names(&report), [format!("my:key {size}")]);
            assert!(report.is_complete());
            let mut options = Options::default();
            options.payload_key = Some(b"my:key".to_vec());
            assert!(check(&path, &options).expect("a file").sound);
        }
    }
}
