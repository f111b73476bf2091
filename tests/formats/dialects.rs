//! Dumps of Dragonfly, and what KeyDB and Redis Enterprise add to those of Redis.
//!
//! Assembled from named bytes: no package index carries these servers. What Dragonfly's own types, blobs and
//! chunks look like is from its documentation of the format (`docs/rdb_format` and the loader it describes): opcodes 200
//! to 224, types 30 to 37, `df-ver` and `snapshot-id` in AUX fields, a checksum of zero.

use std::io::Write;
use std::path::Path;

use crate::support::assembler::{Bytes, Rdb};
use crate::support::ways::{Answer, Scratch, every_key, mapped, mapped_whole, streamed};
use bigkeys::check::{Options, check_bytes};
use bigkeys::engine::Analyses;
use bigkeys::{Dump, Report};

fn start() -> Rdb {
    Rdb::redis(9).aux("snapshot-id", "a1").aux("redis-ver", "6.2.11").aux("df-ver", "v1.36.0")
}

/// Opcode 202 (LZ4) or 201 (zstd), a length, and a frame with these records.
fn blob(is_lz4: bool, records: &[u8]) -> impl Fn(Bytes) -> Bytes {
    let frame = if is_lz4 {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(records).expect("memory");
        encoder.finish().expect("memory")
    } else {
        zstd::encode_all(records, 1).expect("memory")
    };
    move |b| b.u8(if is_lz4 { 202 } else { 201 }).len(frame.len() as u64).raw(&frame)
}

/// Opcode 224: a stream's number, a size, and bytes of that stream.
fn chunk(number: u32, bytes: &[u8]) -> impl Fn(Bytes) -> Bytes {
    move |b| b.u8(224).u32(number).u32(u32::try_from(bytes.len()).expect("a short chunk")).raw(bytes)
}

fn records(fill: impl FnOnce(Rdb) -> Rdb) -> Vec<u8> {
    const MAGIC_BYTES: usize = 9;
    fill(Rdb::redis(9)).unfinished().split_off(MAGIC_BYTES)
}

/// The answer of every way of reading, which is the same.
#[track_caller]
fn answer(dump: &[u8]) -> Answer {
    let scratch = Scratch::new();
    let path = scratch.write("dump.rdb", dump);
    let plain = mapped_whole(1).answer(&path, dump);
    for way in [mapped_whole(4), mapped(3, 50), streamed(1), streamed(7), streamed(4096)] {
        let other = way.answer(&path, dump);
        assert_eq!(other.keys_json(), plain.keys_json(), "{way:?}");
        assert_eq!((other.damage, other.keys_scanned), (plain.damage.clone(), plain.keys_scanned), "{way:?}");
    }
    plain
}

fn sizes(answer: &Answer) -> Vec<String> {
    let mut sizes: Vec<String> = answer
        .keys
        .iter()
        .map(|key| format!("{} {} {} {}", key.db, key.name.escape_ascii(), key.type_name(), key.size))
        .collect();
    sizes.sort();
    sizes
}

#[test]
fn types_of_its_own() {
    let dump = start()
        .select_db(0)
        .resize_db(9, 0)
        .opcode(220, |b| b.u32(3).u32(77))
        .key(30, "json", |b| b.string(r#"{"a":[1,2]}"#))
        .key(31, "hash", |b| b.len(2).string("f").string("v").string("-1").string("g").string("w").string("100000"))
        .key(32, "set", |b| b.len(3).string("a").string("-1").string("b").string("-1").string("c").string("7"))
        .key(33, "bloom", |b| b.len(0).f64(2.0).f64(0.01).len(1).len(2).len(3).len(1).len(5).string("bits"))
        .key(34, "bloom2", |b| {
            b.len(0).f64(2.0).f64(0.01).len(1).len(2).len(3).len(1).len(5).len(6).len(4).raw("bits").len(2).raw("xx")
        })
        .key(35, "cms", |b| b.len(2).len(3).len(10).raw([0; 2 * 3 * 8]))
        .key(36, "topk", |b| b.len(0).len(1).len(2).len(1).f64(0.9).len(1).string("item").len(4).len(8).raw([0; 8]))
        .key(37, "cuckoo", |b| (0..6).fold(b, Bytes::len).len(1).len(5).len(5).raw("slots"))
        .key(0, "last", |b| b.string("value"))
        .eof_without_checksum();
    let found = answer(&dump);
    assert_eq!(found.damage, None);
    let expected = [
        "0 bloom MBbloom-- 27",
        "0 bloom2 MBbloom-- 31",
        "0 cms CMSk-TYPE 51",
        "0 cuckoo MBbloomCF 14",
        "0 hash hash 2",
        "0 json ReJSON-RL 12",
        "0 last string 5",
        "0 set set 3",
        "0 topk TopK-TYPE 28",
    ];
    assert_eq!(sizes(&found), expected);
    let report = check_bytes(&dump, &Options::default());
    assert!(report.sound && report.keys == 9, "{report}");
    assert!(report.to_string().contains("format: Dragonfly RDB 9, written by version v1.36.0"), "{report}");
}

/// KeyDB 6: type 64, a script with its times, keys and arguments. Redis Enterprise: opcodes 107 and 121, a length each
/// (both are in librdb, `src/lib/defines.h`).
#[test]
fn keydb_and_redis_enterprise() {
    let dump = Rdb::redis(9)
        .select_db(0)
        .key(64, "cron", |b| {
            b.string("return 1").i64(1_700_000_000_000).i64(60_000).strings(&["k"]).strings(&["a", "b"])
        })
        .opcode(121, |b| b.len(7))
        .opcode(107, |b| b.len(1 << 20))
        .key(0, "string", |b| b.string("value"))
        .eof();
    let found = answer(&dump);
    assert_eq!(found.damage, None);
    assert_eq!(sizes(&found), ["0 cron module 33", "0 string string 5"]);
    let report = check_bytes(&dump, &Options::default());
    assert!(report.sound && report.notes.iter().any(|note| note.starts_with("KeyDB wrote it")), "{report}");
}

#[test]
fn compressed_blobs() {
    let inner = |from: u32| {
        records(|rdb| {
            (from..from + 50)
                .fold(rdb.select_db(2), |rdb, at| rdb.key(0, format!("key:{at}"), |b| b.string(format!("{at:030}"))))
        })
    };
    let dump = start()
        .select_db(1)
        .key(0, "plain", |b| b.string("x"))
        .put(blob(true, &inner(0)))
        .put(blob(false, &inner(50)))
        .key(0, "behind", |b| b.string("y"))
        .eof_without_checksum();
    let found = answer(&dump);
    assert_eq!((found.damage.clone(), found.keys.len()), (None, 102));
    assert!(sizes(&found).contains(&"2 key:99 string 30".to_owned()));
    assert!(sizes(&found).contains(&"2 behind string 1".to_owned()));
    let report = check_bytes(&dump, &Options::default());
    assert!(report.sound && report.keys == 102, "{report}");
}

#[test]
fn blobs_and_chunks_follow_whatever_stands_between_keys() {
    let inner = records(|rdb| rdb.key(0, "in a blob", |b| b.string("value")));
    let list = records(|rdb| rdb.key(1, "in chunks", |b| b.strings(&["one", "two"])));
    let journal_blob = |b: Bytes| b.u8(210).len(1).string("SET");
    let journal_offset = |b: Bytes| b.u8(211).u64(7);
    let between: [&dyn Fn(Rdb) -> Rdb; 4] =
        [&|rdb| rdb.resize_db(2, 0), &|rdb| rdb.aux("lua", "return 1"), &|rdb| rdb.put(journal_blob), &|rdb| {
            rdb.put(journal_offset)
        }];
    for (number, between) in between.iter().enumerate() {
        let rdb = between(start().select_db(1)).put(blob(true, &inner));
        let dump = between(rdb).put(chunk(1, &list)).eof_without_checksum();
        let found = answer(&dump);
        assert_eq!(found.damage, None, "record {number}");
        assert_eq!(sizes(&found), ["1 in a blob string 5", "1 in chunks list 2"], "record {number}");
        let report = check_bytes(&dump, &Options::default());
        assert!(report.sound && report.keys == 2, "record {number}: {report}");
    }
}

#[test]
fn blobs_and_chunks_follow_many_short_strings() {
    // So many that the biggest are known, and the others are passed over.
    let strings = |from: u32, rdb: Rdb| {
        (from..from + 60).fold(rdb, |rdb, at| rdb.key(0, format!("key:{at:03}"), |b| b.string("value")))
    };
    let list = records(|rdb| rdb.key(1, "list", |b| b.strings(&["one", "two", "three"])));
    let inner = records(|rdb| strings(60, rdb));
    let rdb = strings(0, start().select_db(0)).put(chunk(1, &list[..9]));
    let rdb = strings(120, rdb).put(chunk(1, &list[9..]));
    let dump = strings(180, rdb).put(blob(true, &inner)).put(blob(false, &[])).eof_without_checksum();
    let scratch = Scratch::new();
    let path = scratch.write("dump.rdb", &dump);
    for threads in [1, 4] {
        let mut options = bigkeys::Options::default();
        options.threads = threads;
        let report = bigkeys::analyze(&path, &options).expect("a file");
        assert!(report.is_complete(), "{:?}", report.damage);
        assert_eq!((report.keys_scanned, report.keys.len()), (241, 21));
    }
}

#[test]
fn entries_in_tagged_chunks() {
    let list = records(|rdb| rdb.key(1, "list", |b| b.strings(&["one", "two", "three", "four"])));
    let hash = records(|rdb| {
        rdb.expire_ms(4_102_444_800_000).key(4, "hash", |b| b.len(1).string("f").string("v".repeat(200)))
    });
    // In turns, in pieces of every size, some of them inside a blob.
    for step in [1, 3, 10] {
        let (mut lists, mut hashes) = (list.chunks(step), hash.chunks(step));
        let mut rdb = start().select_db(5);
        for turn in 0.. {
            let (next_list, next_hash) = (lists.next(), hashes.next());
            if next_list.is_none() && next_hash.is_none() {
                break;
            }
            if let Some(bytes) = next_list {
                rdb = rdb.put(chunk(1, bytes));
            }
            if turn == 2 {
                rdb = rdb.key(0, "between", |b| b.string("z"));
            }
            if let Some(bytes) = next_hash {
                let in_blob = chunk(2, bytes)(Bytes::new());
                rdb = if turn % 4 == 1 { rdb.put(blob(true, in_blob.as_ref())) } else { rdb.put(chunk(2, bytes)) };
            }
        }
        let dump = rdb.select_db(6).key(0, "last", |b| b.string("w")).eof_without_checksum();
        let found = answer(&dump);
        assert_eq!(found.damage, None, "steps of {step}");
        assert_eq!(sizes(&found), ["5 between string 1", "5 hash hash 1", "5 list list 4", "6 last string 1"]);
        let report = check_bytes(&dump, &Options::default());
        assert!(report.sound && report.tagged_chunks > 0 && report.keys == 4, "{report}");
        assert_eq!(
            report.databases.iter().map(|database| (database.db, database.keys)).collect::<Vec<_>>(),
            [(5, 3), (6, 1)]
        );
    }
}

#[test]
fn damage_inside_an_entry_in_tagged_chunks_is_found() {
    // A listpack of {a: 1}, whose first entry is made longer than it is.
    let listpack = [0x0d, 0, 0, 0, 2, 0, 0x81, b'a', 2, 1, 1, 0xff, 0];
    let sound = &listpack[..12];
    for (byte, is_sound) in [(0x81, true), (0x83, false)] {
        let mut blob = sound.to_vec();
        (blob[0], blob[6]) = (12, byte);
        let hash = records(|rdb| rdb.key(16, "hash", |b| b.string(&blob)));
        for step in [1, 4, hash.len()] {
            let segment_scans =
                hash.chunks(step).fold(start().select_db(3), |rdb, segment_scan| rdb.put(chunk(1, segment_scan)));
            let dump = segment_scans.key(0, "last", |b| b.string("w")).eof_without_checksum();
            let report = check_bytes(&dump, &Options::default());
            assert_eq!((report.sound, report.keys), (is_sound, 2), "{report}");
            let keys = report.findings.iter().map(|finding| finding.key.clone());
            assert_eq!(keys.flatten().collect::<Vec<_>>(), if is_sound { vec![] } else { vec!["hash".to_owned()] });
            assert!(report.findings.iter().all(|finding| finding.db == Some(3)));
            let mut quick = Options::default();
            quick.quick = true;
            assert!(check_bytes(&dump, &quick).sound);
        }
    }
}

#[test]
fn more_entries_under_way_than_servers_have_are_refused() {
    let list = records(|rdb| rdb.key(1, "list", |b| b.strings(&["one", "two"])));
    let whole = (1..500).fold(start().select_db(0), |rdb, number| rdb.put(chunk(number, &list)));
    assert_eq!(answer(&whole.eof_without_checksum()).keys.len(), 499);
    let cut = (1..500).fold(start().select_db(0), |rdb, number| rdb.put(chunk(number, &list[..9])));
    assert!(answer(&cut.eof_without_checksum()).damage.expect("damage").contains("a tagged chunk"));
}

#[test]
fn damage_in_blobs_and_chunks() {
    let inner = records(|rdb| rdb.select_db(0).key(0, "key", |b| b.string("value")));
    let whole = blob(true, &inner)(Bytes::new());
    let blob_at = start().unfinished().len();
    let damaged = |records: Bytes| start().put(|b| b.raw(records.as_ref())).eof_without_checksum();
    let is_told = |dump: &[u8], word: &str| {
        let sentence = answer(dump).damage.expect("damage");
        assert!(sentence.contains(word), "{sentence}");
        assert!(!check_bytes(dump, &Options::default()).sound);
    };
    let mut frame = damaged(whole.clone());
    frame[blob_at + 3] ^= 0xff;
    is_told(&frame, "do not inflate");
    is_told(&damaged(blob(true, &inner[..inner.len() - 2])(Bytes::new())), "a compressed blob");
    is_told(&damaged(blob(true, whole.as_ref())(Bytes::new())), "a compressed blob");
    is_told(&damaged(Bytes::new().u8(202).len(1 << 40)), "beyond what this program can hold");
    let cut = answer(&damaged(chunk(7, &[0, 3, b'k'])(Bytes::new()))).damage.expect("damage");
    assert!(cut.contains("a tagged chunk"), "{cut}");
    for at in 0..whole.as_ref().len() {
        let mut dump = damaged(whole.clone());
        dump[blob_at + at] ^= 0x40;
        answer(&dump);
        check_bytes(&dump, &Options::default());
    }
}

#[test]
fn the_files_of_one_snapshot() {
    let scratch = Scratch::new();
    let shard = |id: &str, number: u32| {
        let rdb = Rdb::redis(9).aux("snapshot-id", id).aux("df-ver", "v1.36.0").aux("shard-id", &number.to_string());
        rdb.select_db(0).key(0, format!("key:{number}"), |b| b.string("v")).eof_without_checksum()
    };
    let summary = Rdb::redis(9).aux("snapshot-id", "a1").aux("df-ver", "v1.36.0").aux("shard-count", "2");
    let summary = scratch.write("dump-summary.dfs", &summary.eof_without_checksum());
    let first = scratch.write("dump-0000.dfs", &shard("a1", 0));
    let second = scratch.write("dump-0001.dfs", &shard("a1", 1));
    let other = scratch.write("other-0001.dfs", &shard("b2", 1));
    let analyze = |paths: &[&Path]| -> Report {
        let dumps: Vec<Dump> = paths.iter().map(Dump::from).collect();
        bigkeys::analyze_all(&dumps, &every_key(), &std::sync::Arc::default()).expect("files")
    };
    let all = analyze(&[&summary, &first, &second]);
    assert!(all.is_complete() && all.keys.len() == 2, "{:?}", all.damage);
    let missing = analyze(&[&summary, &first]).damage[0].to_string();
    assert!(missing.contains("the snapshot has 2 shard files beside this summary, 1 are given"), "{missing}");
    let mixed = analyze(&[&summary, &first, &other]).damage[0].to_string();
    assert!(mixed.contains("other-0001.dfs: this file is of another snapshot"), "{mixed}");
    let options = every_key();
    for dumps in [vec![Dump::from(&summary)], vec![Dump::from(&summary), Dump::from(&first)]] {
        let mut each = Analyses::new(&dumps, &options);
        let report = each.analyze_next(&std::sync::Arc::default()).expect("threads").remove(0).expect("a file");
        let alone = report.damage[0].to_string();
        assert!(alone.contains("the snapshot has 2 shard files beside this summary, 0 are given"), "{alone}");
    }
}
