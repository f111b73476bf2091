//! What messages advise is done here, word for word, and leads to the dump.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::assembler::Rdb;
use crate::support::tools::{pipe, require};
use crate::support::ways::Scratch;

fn dump() -> Vec<u8> {
    let rdb = Rdb::redis(9).aux("redis-ver", "6.2.5").select_db(0);
    // The last one is the largest, so it is on every list.
    (0..50).fold(rdb, |rdb, at| rdb.key(0, format!("key:{at}"), |b| b.string("value ".repeat(1 + at)))).eof()
}

fn bigkeys() -> Command {
    Command::new(env!("CARGO_BIN_EXE_bigkeys"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether a run found all keys and nothing wrong.
#[track_caller]
fn is_read(output: &Output) {
    let stdout = text(&output.stdout);
    assert!(output.status.success() && stdout.contains("\"status\":\"success\""), "{stdout}{}", text(&output.stderr));
    assert!(stdout.contains("\"key:49\""), "{stdout}");
}

/// Follows the advice that `arguments` and a file are answered with: the command after the last colon.
#[track_caller]
fn follow(folder: &Scratch, arguments: &[&str], file: &Path, expected: &str) {
    let refused = bigkeys().args(arguments).arg(file).output().expect("the program starts");
    assert!(!refused.status.success());
    let stderr = text(&refused.stderr);
    let advice = stderr.trim_end().rsplit(": ").next().expect("a sentence");
    assert_eq!(advice, expected, "{stderr}");
    if !require(advice) || advice.contains("xxd") && !require("xxd") {
        return;
    }
    let command = advice.replace("FILE", &file.display().to_string()).replace("NAME", "dump.rdb");
    let command = command.replace("DICTIONARY", &folder.path("dictionary").display().to_string());
    let result = folder.path("followed");
    fs::create_dir_all(&result).expect("a folder");
    let beside = Path::new(env!("CARGO_BIN_EXE_bigkeys")).parent().expect("a folder").to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([beside].into_iter().chain(std::env::split_paths(&path))).expect("folders");
    let mut run = Command::new("sh");
    run.args(["-c", &command]).env("PATH", path).current_dir(&result).stdin(Stdio::null());
    let output = run.output().expect("a shell");
    if advice.ends_with("bigkeys analyze -") {
        is_read(&output);
    } else {
        assert!(output.status.success(), "{command}: {}", text(&output.stderr));
        let dump = result.join("dump.rdb");
        is_read(&bigkeys().arg("analyze").arg(&dump).output().expect("the program starts"));
        fs::remove_file(dump).expect("it is there");
    }
}

fn in_archive(folder: &Scratch, command: &str) -> Option<PathBuf> {
    if !require(command) {
        return None;
    }
    folder.write("dump.rdb", &dump());
    let archive = folder.path("archive");
    let words: Vec<&str> = command.split_whitespace().collect();
    let mut run = Command::new(words[0]);
    run.args(&words[1..]).arg(&archive).arg("dump.rdb").current_dir(folder.path("")).stdout(Stdio::null());
    assert!(run.status().expect("the program starts").success());
    // A program may have added an ending.
    let with_ending =
        ["zip", "7z"].map(|ending| archive.with_extension(ending)).into_iter().find(|path| path.is_file());
    Some(with_ending.unwrap_or(archive))
}

#[test]
fn archives() {
    for (make, advice) in [
        ("tar cf", "tar xOf FILE NAME | bigkeys analyze -"),
        ("tar czf", "tar xOf FILE NAME | bigkeys analyze -"),
        ("tar cJf", "tar xOf FILE NAME | bigkeys analyze -"),
        ("zip -q", "unzip -p FILE NAME | bigkeys analyze -"),
        ("7z a", "7z x -so FILE | bigkeys analyze -"),
    ] {
        let folder = Scratch::new();
        let Some(archive) = in_archive(&folder, make) else { continue };
        follow(&folder, &["analyze"], &archive, advice);
    }
}

#[test]
fn dumps_as_text() {
    let folder = Scratch::new();
    let sed = "sed 's/^[0-9a-fA-F]* *//; s/|.*//' FILE | xxd -r -p > dump.rdb";
    for (make, advice) in [
        ("base64", "base64 -d FILE > dump.rdb"),
        ("base64 -w0", "base64 -d FILE > dump.rdb"),
        ("xxd -p", "xxd -r -p FILE > dump.rdb"),
        ("xxd", "xxd -r FILE > dump.rdb"),
        ("hexdump -v -C", sed),
        ("od -v -t x1", sed),
        ("od -v -A x -t x1", sed),
    ] {
        let Some(text) = pipe(make, &dump()) else { continue };
        follow(&folder, &["analyze"], &folder.write("text", &text), advice);
    }
}

#[test]
fn dumps_after_something_else() {
    let folder = Scratch::new();
    for (before, advice) in [
        (&b"\n"[..], "tail -c +2 FILE > dump.rdb"),
        (b"\xef\xbb\xbf", "tail -c +4 FILE > dump.rdb"),
        (b"+OK\r\n", "tail -c +6 FILE > dump.rdb"),
        (b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n", "tail -c +31 FILE > dump.rdb"),
    ] {
        let file = folder.write("file", &[before, &dump()].concat());
        follow(&folder, &["analyze"], &file, advice);
    }
    // In other bytes the same words may be a part of something else, such as an archive.
    let file = folder.write("file", &[b"\x02\0\xf0\x0a", &dump()[..]].concat());
    let refused = bigkeys().arg("analyze").arg(file).output().expect("the program starts");
    assert!(text(&refused.stderr).trim_end().ends_with("unpack it first"), "{}", text(&refused.stderr));
}

#[test]
fn compressed_in_ways_that_are_not_read() {
    let folder = Scratch::new();
    // Codes of nine bits, each a byte as it is: the first thing that compress writes.
    let mut codes = vec![0x1f, 0x9d, 0x89];
    let (mut bits, mut count) = (0_u32, 0);
    let short = Rdb::redis(9).select_db(0).key(0, "key:49", |b| b.string("1")).eof();
    for byte in short {
        bits |= u32::from(byte) << count;
        count += 9;
        while count >= 8 {
            codes.push(bits.to_le_bytes()[0]);
            (bits, count) = (bits >> 8, count - 8);
        }
    }
    codes.push(bits.to_le_bytes()[0]);
    follow(&folder, &["analyze"], &folder.write("dump.Z", &codes), "gzip -dc FILE | bigkeys analyze -");

    folder.write("dictionary", &dump().repeat(20));
    if let Some(large) = pipe("zstd -q -c --long=28", &dump()) {
        let file = folder.write("dump.zst", &large);
        follow(&folder, &["analyze"], &file, "zstd -dc --long=31 FILE | bigkeys analyze -");
    }
    if let Some(large) = pipe("xz -c --lzma2=preset=0,dict=192MiB", &dump()) {
        let file = folder.write("dump.xz", &large);
        follow(&folder, &["analyze"], &file, "xz -dc FILE | bigkeys analyze -");
    }
    if require("zstd") {
        let samples: Vec<String> = (0..200)
            .map(|at| {
                let sample =
                    format!("{{\"id\": {at}, \"name\": \"user {at}\", \"mail\": \"user{at}@example.org\"}}").repeat(4);
                folder.write(&format!("sample{at}"), sample.as_bytes()).display().to_string()
            })
            .collect();
        let dictionary = folder.path("dictionary");
        let mut train = Command::new("zstd");
        train.args(["-q", "-f", "--maxdict=4096", "--train"]).args(samples).arg("-o").arg(&dictionary);
        assert!(train.status().expect("zstd starts").success());
        let compress = format!("zstd -q -c -D {}", dictionary.display());
        let file = folder.write("dump.zst", &pipe(&compress, &dump()).expect("zstd is there"));
        follow(&folder, &["analyze"], &file, "zstd -dc -D DICTIONARY FILE | bigkeys analyze -");
    }
}

#[test]
fn what_is_to_be_salvaged_is_inflated_first() {
    let folder = Scratch::new();
    for (make, advice) in [
        ("gzip -c", "gzip -dc FILE > dump.rdb"),
        ("zstd -q -c", "zstd -dc FILE > dump.rdb"),
        ("lz4 -q -c", "lz4 -dc FILE > dump.rdb"),
        ("lz4 -q -l -c", "lz4 -dc FILE > dump.rdb"),
        ("xz -c", "xz -dc FILE > dump.rdb"),
        ("bzip2 -c", "bzip2 -dc FILE > dump.rdb"),
    ] {
        let Some(file) = pipe(make, &dump()) else { continue };
        let file = folder.write("dump.compressed", &file);
        let out = folder.path("saved.rdb").display().to_string();
        follow(&folder, &["salvage", "-o", &out], &file, advice);
    }
}
