//! Every fixture, by every way of reading it: the keys are those stated beside it, the damage is told in the same words.
//!
//! Then dumps that are built to mislead: whoever looks for keys in the middle of them finds some that are none.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::ranges;
use crate::support::assembler::{Bytes, Listpack, Rdb};
use crate::support::fixtures::{self, Fixture};
use crate::support::ways::{Answer, Doing, Scratch, Way, mapped, mapped_whole, streamed};
use bigkeys::Options;
use serde_json::Value;

/// Up to this size a fixture is read in every way, above it in some: small steps through large files take long.
const SMALL_BYTES: usize = 32 << 10;

#[test]
fn mapped_fixtures_hold_what_is_stated() {
    for fixture in fixtures::sound() {
        let mut ways: Vec<Way> = [1, 2, 5].map(mapped_whole).to_vec();
        if fixture.bytes.len() <= SMALL_BYTES {
            ways.extend([64, 257, 4096].into_iter().flat_map(|bytes| [1, 2, 5].map(|threads| mapped(threads, bytes))));
            ways.extend([mapped(3, 100), mapped(16, 100)]);
        } else {
            ways.extend([mapped(1, 4096), mapped(2, 10_000), mapped(5, 4096), mapped(16, 30_000)]);
        }
        for way in ways {
            check(&fixture, &format!("{way:?}"), &way.answer(&fixture.path, &fixture.bytes));
        }
    }
}

#[test]
fn streamed_fixtures_hold_what_is_stated() {
    for fixture in fixtures::sound() {
        let steps: &[usize] = if fixture.bytes.len() <= SMALL_BYTES { &[1, 2, 7, 64, 4096] } else { &[64, 4096] };
        for step in steps.iter().copied().chain([Options::default().window_bytes]) {
            let way = streamed(step);
            check(&fixture, &format!("{way:?}"), &way.answer(&fixture.path, &fixture.bytes));
        }
    }
}

/// The keys and nothing but the keys; only the commands behind a preamble are worth a note.
fn check(fixture: &Fixture, way: &str, answer: &Answer) {
    let about = format!("{}, {way}", fixture.name);
    assert_eq!(answer.damage, None, "{about}");
    assert_eq!(answer.keys.len() as u64, answer.keys_scanned, "{about}");
    assert!(answer.keys_json() == *fixture.keys(), "{about}: these are not the keys stated:\n{:#}", answer.keys_json());
    let notes: Vec<&str> = answer.notes.iter().map(String::as_str).collect();
    if fixture.name.starts_with("aof_preamble") {
        let [note] = notes[..] else { panic!("{about}: one note is due: {notes:?}") };
        assert!(
            note.contains("bytes of append-only commands (")
                && note.ends_with("follow the dump; they are not analyzed"),
            "{about}: {note}"
        );
    } else {
        assert!(notes.is_empty(), "{about}: {notes:?}");
    }
}

// ---- compressed

/// What a compressed file is, its bytes say, so each has a name that says something else.
#[test]
#[cfg(feature = "compress")]
fn compressed_fixtures_hold_what_is_stated() {
    let scratch = Scratch::new();
    for fixture in fixtures::sound() {
        let bytes = &fixture.bytes;
        let (first, second) = bytes.split_at(bytes.len() / 3);
        let files = [
            ("gzip.rdb", gzip(bytes)),
            ("zstd.gz", zstd(bytes)),
            ("lz4.zst", lz4(bytes)),
            ("gzip of two members.lz4", [gzip(first), gzip(second)].concat()),
            ("zstd of two frames.rdb", [zstd(first), zstd(second)].concat()),
            ("lz4 of two frames.gz", [lz4(first), lz4(second)].concat()),
        ];
        for (name, compressed) in files {
            let path = scratch.write(name, &compressed);
            check(&fixture, name, &mapped_whole(2).answer(&path, &compressed));
            check(&fixture, name, &streamed(100).answer(&path, &compressed));
        }
    }
}

/// Nothing in it, and yet a member or frame: the dump goes on behind.
#[test]
#[cfg(feature = "compress")]
fn an_empty_member_or_frame_is_no_end() {
    let fixture = fixtures::sound().into_iter().find(|fixture| fixture.name == "mixed_all_v10.rdb").expect("a fixture");
    let (first, second) = fixture.bytes.split_at(1000);
    let scratch = Scratch::new();
    for (name, compress) in [("gzip", gzip as fn(&[u8]) -> Vec<u8>), ("zstd", zstd), ("lz4", lz4)] {
        let compressed = [compress(b""), compress(first), compress(b""), compress(b""), compress(second)].concat();
        let path = scratch.write(name, &compressed);
        check(&fixture, name, &mapped_whole(2).answer(&path, &compressed));
    }
}

#[cfg(feature = "compress")]
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

#[cfg(feature = "compress")]
fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("memory")
}

#[cfg(feature = "compress")]
fn lz4(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

// ---- standard input

#[test]
#[cfg(feature = "cli")]
fn the_program_reads_fixtures_from_standard_input() {
    for fixture in fixtures::sound() {
        let output = analyze_stdin(&fixture.bytes);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{}: {said}", fixture.name);
        let task: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
        assert_eq!(task["status"], "success", "{}", fixture.name);
        assert_eq!(task["keys"], *fixture.keys(), "{}", fixture.name);
    }
}

#[test]
#[cfg(feature = "cli")]
fn the_program_refuses_fixtures_from_standard_input() {
    for fixture in fixtures::refused() {
        let output = analyze_stdin(&fixture.bytes);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{}: {said}", fixture.name);
        let expected = streamed(4096).answer(&fixture.path, &fixture.bytes);
        assert_eq!(
            said.strip_prefix("bigkeys: standard input: ").map(str::trim_end),
            expected.damage.as_deref(),
            "{}",
            fixture.name
        );
        let task: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
        assert_eq!(task["status"], "failed", "{}", fixture.name);
        assert_eq!(task["keys"], expected.keys_json(), "{}", fixture.name);
    }
}

#[cfg(feature = "cli")]
fn analyze_stdin(dump: &[u8]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_bigkeys"))
        .args(["analyze", "--top", "100000000", "--all-types", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = program.stdin.take().expect("its input");
    std::thread::scope(|scope| {
        // A program that has seen enough closes its input; what it printed tells whether it was right.
        scope.spawn(move || _ = stdin.write_all(dump));
        program.wait_with_output().expect("its output")
    })
}

// ---- refused

/// Every way of reading tells the same damage in the same sentence, byte offset and key included, and the same keys
/// before it. There is no exception: what differs between the ways (how much of a stream has come) is in no sentence.
#[test]
fn damage_is_told_in_the_same_words_by_every_way() {
    let mut unexplained = Vec::new();
    for fixture in fixtures::refused() {
        let plain = mapped_whole(1).answer(&fixture.path, &fixture.bytes);
        let sentence = plain.damage.as_deref().unwrap_or_else(|| panic!("{} was not refused", fixture.name));
        let fragment = fixture.stated["error"].as_str().expect("a fragment of the sentence");
        if !sentence.contains(fragment) {
            unexplained.push(format!("{}: \"{fragment}\" is not in: {sentence}", fixture.name));
        }
        let ways = [mapped_whole(2), mapped_whole(5), mapped(1, 7), mapped(2, 7), mapped(5, 16), mapped(3, 40)];
        for way in ways.into_iter().chain([1, 2, 7, 64, 4096, Options::default().window_bytes].map(streamed)) {
            assert_eq!(way.answer(&fixture.path, &fixture.bytes), plain, "{}, {way:?}", fixture.name);
        }
    }
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
}

#[test]
fn commands_alone_are_refused_by_their_name() {
    let scratch = Scratch::new();
    let bytes = fixtures::commands_alone();
    let path = scratch.write("dump.rdb", &bytes);
    for way in [mapped_whole(1), mapped(5, 64), streamed(1), streamed(4096)] {
        let answer = way.answer(&path, &bytes);
        let sentence = answer.damage.expect("it is no dump");
        assert!(sentence.contains("append-only file of commands (AOF) without an RDB at its start"), "{sentence}");
        assert!(answer.keys.is_empty());
    }
}

// ---- dumps that mislead

/// The answer does not depend on where a dump is cut into segments, nor on how many threads look at them.
fn same_by_every_split(name: &str, dump: &[u8], keys: u64) {
    let whole = one_by_every_split(name, dump);
    assert_eq!(whole.damage, None, "{name}");
    assert_eq!(whole.keys_scanned, keys, "{name}");
}

/// The answer of every split, damage included.
fn one_by_every_split(name: &str, dump: &[u8]) -> Answer {
    let scratch = Scratch::new();
    let path = scratch.write(name, dump);
    let whole = mapped_whole(1).answer(&path, dump);
    for segment_bytes in [64, 257, 1000, 4096, 20_000, 64 << 10] {
        // A guess at each of very many segments takes long in a debug build.
        if dump.len() / segment_bytes > 6000 {
            continue;
        }
        for threads in [1, 2, 3, 16] {
            let way = mapped(threads, segment_bytes);
            let _doing = Doing(|| format!("{name}, {} bytes, {way:?}", dump.len()));
            assert!(way.answer(&path, dump) == whole, "{name}, {way:?}: not the answer of one thread");
        }
    }
    assert!(streamed(4096).answer(&path, dump) == whole, "{name}: a stream gives another answer than a file");
    for range_bytes in [1000, 4096, 64 << 10] {
        if dump.len() as u64 / range_bytes < 200 {
            let _doing = Doing(|| format!("{name}, ranges of {range_bytes} bytes"));
            ranges::are_as_one_scan(&path, range_bytes);
        }
    }
    whole
}

#[test]
fn strings_that_hold_whole_dumps() {
    let dumps = fixtures::sound();
    let plain = dumps.iter().filter(|fixture| fixture.bytes.len() < 20_000);
    let mut rdb = Rdb::redis(12).select_db(3);
    let mut keys = 0;
    for fixture in plain.step_by(3) {
        rdb = rdb
            .key(0, format!("copy of {}", fixture.name), |b| b.string(&fixture.bytes))
            .key(0, "between", |b| b.string("x"));
        keys += 2;
    }
    let dump = rdb.eof();
    // A dump within a dump within a dump.
    let nested =
        Rdb::redis(12).select_db(0).key(0, "outer", |b| b.string(&dump)).key(0, "last", |b| b.string("y")).eof();
    same_by_every_split("whole dumps", &dump, keys);
    same_by_every_split("a dump of dumps", &nested, 2);
}

#[test]
fn runs_of_zeros() {
    // An unnamed empty string is two zeros, so zeros are keys without end to whoever begins among them.
    let mut rdb = Rdb::redis(11).select_db(1);
    for run in [10_usize, 1 << 10, 1 << 20, 3, 1 << 16] {
        rdb = rdb
            .key(0, format!("zeros:{run}"), |b| b.string(vec![0; run]))
            .key(0, format!("after:{run}"), |b| b.string("z"));
    }
    same_by_every_split("zeros", &rdb.eof(), 10);
    let mut rdb = Rdb::redis(11);
    for db in 0..5000 {
        rdb = rdb.select_db(db).key(0, "", |b| b.string(""));
    }
    same_by_every_split("keys that are zeros", &rdb.key(0, "end", |b| b.string("")).eof(), 5001);
}

#[test]
fn a_page_of_zeros_is_no_thousand_keys() {
    let strings = |from: u32, rdb: Rdb| {
        (from..from + 60).fold(rdb, |rdb, at| rdb.key(0, format!("key:{at}"), |b| b.string(format!("value {at}"))))
    };
    for lost in [4096, 4097, 4098] {
        let rdb = strings(0, Rdb::redis(11).select_db(0)).put(|b| b.raw(vec![0; lost]));
        let dump = strings(60, rdb).eof();
        for way in [mapped_whole(1), mapped(3, 50), streamed(7)] {
            let scratch = Scratch::new();
            let answer = way.answer(&scratch.write("dump.rdb", &dump), &dump);
            assert_eq!(answer.keys.len(), 60, "{way:?}");
            assert!(answer.damage.is_some_and(|what| what.contains("zeros stand here")), "{way:?}");
        }
    }
}

#[test]
fn values_that_look_like_entries() {
    let decoys = |rounds: u64| {
        let mut rdb = Rdb::redis(11);
        for at in 0..rounds {
            rdb = rdb.select_db(at % 7).key(0, format!("decoy:{at}"), |b| b.string("not a key"));
            rdb = rdb.expire_ms(4_102_444_800_000).key(2, format!("set:{at}"), |b| b.strings(&["a", "b"]));
        }
        let magic_bytes = 9;
        rdb.unfinished().split_off(magic_bytes)
    };
    let mut rdb = Rdb::redis(11).select_db(9);
    for rounds in [2, 100, 6000, 1, 800] {
        let decoy = decoys(rounds);
        rdb = rdb
            .key(0, "true:string", |b| b.string(&decoy))
            .key(1, "true:list", |b| b.len(2).string(&decoy).string("tail"));
        // One byte before the decoys, which shifts them against whatever a guess has fallen in step with.
        rdb = rdb.key(4, "true:hash", |b| b.len(1).string("f").string([b"x", &decoy[..]].concat()));
    }
    same_by_every_split("entries in values", &rdb.eof(), 15);
}

#[test]
fn a_hash_across_many_segments() {
    let fields = 100_000_u64;
    let pairs =
        |b: Bytes| (0..fields).fold(b.len(fields), |b, at| b.string(format!("field:{at}")).string(format!("{at:024}")));
    let rdb = Rdb::redis(12).select_db(0).key(0, "first", |b| b.string("1")).key(4, "wide", pairs);
    let rdb = rdb.select_db(5).key(0, "last", |b| b.string("2"));
    let dump = rdb.eof();
    assert!(dump.len() > 3 << 20);
    same_by_every_split("a wide hash", &dump, 3);
}

/// A value of each type that a scan may leave open, with keys behind it that read like more of its strings.
fn wide_values() -> Vec<(&'static str, Rdb)> {
    let elements = 3000_u64;
    let name = |at: u64| format!("element:{}", at.wrapping_mul(7_919) % 100_003);
    let elements_of = |value_type, one: &dyn Fn(Bytes, u64) -> Bytes| {
        let rdb = Rdb::redis(12).select_db(4);
        let mut rdb = rdb.key(value_type, "wide", |b| (0..elements).fold(b.len(elements), one));
        for at in 0..300 {
            rdb = rdb.key(0, format!("after:{at}"), |b| b.string(name(at)));
        }
        rdb.select_db(6).key(2, "last", |b| b.strings(&["a", "b"]))
    };
    let node = |at| Listpack::new().string(name(at)).int(1).build();
    vec![
        ("list", elements_of(1, &|b, at| b.string(name(at)))),
        ("set", elements_of(2, &|b, at| b.string(name(at)))),
        ("hash", elements_of(4, &|b, at| b.string(name(at)).string(name(at + 1)))),
        ("zset", elements_of(5, &|b, at| b.string(name(at)).f64(f64::from(u32::try_from(at).expect("small")) / 8.0))),
        ("zset of texts", elements_of(3, &|b, at| b.string(name(at)).score("1.5"))),
        ("list of nodes", elements_of(18, &|b, at| b.len(2).string(node(at)))),
        ("hash with TTLs", elements_of(22, &|b, at| b.len(4_102_444_800_000 + at).string(name(at)).string("v"))),
    ]
}

#[test]
fn values_across_many_segments() {
    for (kind, rdb) in wide_values() {
        same_by_every_split(kind, &rdb.eof(), 302);
    }
}

#[test]
fn values_across_many_segments_that_are_cut() {
    for (kind, rdb) in wide_values() {
        let dump = rdb.unfinished();
        for end in [dump.len() / 2, dump.len() / 3 * 2 + 1, dump.len() / 5 + 2] {
            let answer = one_by_every_split(kind, dump.get(..end).expect("a part"));
            let sentence = answer.damage.expect("it is cut");
            assert!(sentence.contains("\"wide\""), "{kind}: {sentence}");
            assert_eq!(answer.keys_scanned, 0, "{kind}");
        }
    }
}

#[test]
fn a_string_across_many_segments() {
    let text: Vec<u8> = (0..3_u32 << 18).flat_map(|at| (at.wrapping_mul(2_654_435_761)).to_le_bytes()).collect();
    let rdb =
        Rdb::redis(12).select_db(2).key(0, "long", |b| b.string(&text)).select_db(7).key(0, "last", |b| b.string("2"));
    same_by_every_split("a long string", &rdb.eof(), 2);
}

#[test]
fn a_database_before_every_key() {
    // Numbers of one, two and five bytes, so that a segment's edge falls into each byte of the record.
    let mut rdb = Rdb::redis(12);
    for at in 0..8000_u64 {
        let width = usize::try_from(at % 40).expect("below 40");
        let db = [at % 5, 64 + at % 300, 20_000 + at % 3][usize::try_from(at % 3).expect("below 3")];
        rdb = rdb.select_db(db).key(0, format!("k{at}"), |b| b.string(format!("{at:0width$}", width = 1 + width)));
    }
    same_by_every_split("databases", &rdb.eof(), 8000);
}

#[test]
fn the_database_of_a_key_was_selected_long_before() {
    // No segment but the first ever sees which database it is in.
    let mut rdb = Rdb::redis(12).select_db(77);
    for at in 0..8000_u64 {
        rdb = rdb.key(0, format!("key:{at}"), |b| b.string(format!("{at:020}")));
    }
    same_by_every_split("one database", &rdb.eof(), 8000);
}
