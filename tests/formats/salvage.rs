//! What is saved of a damaged dump: a real server loads it, and every key in it is one of the dump's, as it was.

use std::collections::HashMap;
use std::fs;

use crate::support::assembler::{Rdb, intset};
use crate::support::damage::damage;
use crate::support::fixtures;
use crate::support::random::Random;
use crate::support::server::{self, Kind, Reply, Server};
use bigkeys::check::{Options, check_bytes};
use bigkeys::salvage::{SalvageReport, salvage, salvage_bytes};
use serde_json::Value;

fn salvaged(dump: &[u8]) -> (Vec<u8>, SalvageReport) {
    let mut out = Vec::new();
    let account = salvage_bytes(dump, &mut out).expect("memory takes everything");
    assert_eq!(out.len() as u64, account.bytes_written);
    (out, account)
}

/// Whatever is saved is sound, and there is no more of it than is said.
#[track_caller]
fn checks_clean(saved: &[u8], account: &SalvageReport) {
    let report = check_bytes(saved, &Options::default());
    assert!(report.sound, "{report}");
    assert_eq!(report.keys, account.keys_written);
}

#[test]
fn a_sound_dump_is_saved_whole() {
    for fixture in fixtures::sound() {
        // A score that is not a number is a fault to every server of today.
        if fixture.name.starts_with("zset_text_nan") || fixture.name.starts_with("aof") {
            continue;
        }
        let (saved, account) = salvaged(&fixture.bytes);
        assert!(account.complete, "{}: {account:?}", fixture.name);
        assert_eq!(account.keys_written, fixture.keys().as_array().expect("keys").len() as u64, "{}", fixture.name);
        checks_clean(&saved, &account);
    }
}

/// A file is checked on every core before it is copied: what is saved of it, and what is said, is as of a dump in memory.
#[track_caller]
fn is_saved_alike_from_file(dump: &[u8], saved: &[u8], account: &SalvageReport) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("dump.rdb");
    fs::write(&path, dump).expect("it is written");
    let mut of_file = Vec::new();
    match salvage(&path, &mut of_file) {
        Ok(mut account_of_file) => {
            account_of_file.dump.clear();
            let told = |account: &SalvageReport| serde_json::to_string(account).expect("JSON");
            assert_eq!(told(&account_of_file), told(account));
            assert!(of_file == saved);
        }
        Err(error) => assert!(error.to_string().contains("Dragonfly"), "{error}"),
    }
}

#[test]
fn a_file_is_saved_as_a_dump_in_memory() {
    let twice = Rdb::redis(10)
        .select_db(0)
        .key(11, "a", |b| b.string(intset(2, &[3, 1, 2])))
        .key(0, "a", |b| b.string("the first that is sound"))
        .key(0, "a", |b| b.string("the second"))
        .key(0, "b", |b| b.string("1"))
        .select_db(1)
        .key(0, "b", |b| b.string("another's"))
        .key(2, "twice", |b| b.strings(&["x", "y", "x"]))
        .key(0, "b", |b| b.string("again"))
        .eof();
    let (saved, account) = salvaged(&twice);
    assert_eq!((account.keys_written, account.records_lost), (3, 4));
    is_saved_alike_from_file(&twice, &saved, &account);
    for fixture in fixtures::sound() {
        let (saved, account) = salvaged(&fixture.bytes);
        if !fixture.name.starts_with("aof") {
            is_saved_alike_from_file(&fixture.bytes, &saved, &account);
        }
    }
}

#[test]
fn whatever_happened_what_is_saved_is_sound() {
    for (number, fixture) in fixtures::sound().into_iter().enumerate() {
        if fixture.bytes.len() > 20_000 {
            continue;
        }
        let mut random = Random(number as u64);
        for _ in 0..20 {
            let mut damaged = damage(&fixture.bytes, &mut random);
            // Without its magic it is no dump.
            if damaged.len() < 9 {
                continue;
            }
            damaged[..9].copy_from_slice(&fixture.bytes[..9]);
            let (saved, account) = salvaged(&damaged);
            checks_clean(&saved, &account);
            is_saved_alike_from_file(&damaged, &saved, &account);
        }
    }
}

#[test]
fn one_damaged_value_costs_one_key() {
    let unsorted = intset(2, &[3, 1, 2]);
    let dump = Rdb::redis(10)
        .select_db(3)
        .resize_db(1 << 40, 0)
        .key(0, "first", |b| b.string("1"))
        .key(11, "unsorted", |b| b.string(&unsorted))
        .key(2, "twice", |b| b.strings(&["a", "b", "a"]))
        .key(0, "last", |b| b.string("2"))
        .eof();
    let (saved, account) = salvaged(&dump);
    let expected =
        Rdb::redis(10).select_db(3).key(0, "first", |b| b.string("1")).key(0, "last", |b| b.string("2")).eof();
    assert_eq!(saved, expected);
    let lost: Vec<_> = account.lost.iter().map(|lost| (lost.key.as_deref().unwrap_or(""), lost.db)).collect();
    assert_eq!(lost, [("unsorted", Some(3)), ("twice", Some(3))]);
    assert!(!account.complete && account.skipped.is_empty());
}

#[test]
fn what_is_skipped_has_its_reason_and_key() {
    let cut = Rdb::redis(10).select_db(3).key(0, "first", |b| b.string("1")).key(0, "bomb", |b| b.len(1 << 40));
    let (_, account) = salvaged(&cut.unfinished());
    let gap = &account.skipped[0];
    assert_eq!((gap.db, gap.key.as_deref(), gap.to), (Some(3), Some("bomb"), account.dump_bytes));
    assert!(gap.why.contains("the dump ends inside the string"), "{}", gap.why);
}

#[test]
fn an_end_in_the_midst_is_gone_over() {
    let strings = |from: u32, rdb: Rdb| {
        (from..from + 60).fold(rdb, |rdb, at| rdb.key(0, format!("key:{at}"), |b| b.string(format!("value {at}"))))
    };
    let rdb = strings(0, Rdb::redis(10).select_db(0)).put(|b| b.raw([0xff; 300]));
    let dump = strings(60, rdb).eof();
    let (saved, account) = salvaged(&dump);
    checks_clean(&saved, &account);
    assert_eq!((account.keys_written, account.skipped.len(), account.complete), (120, 1, false));
    let mut options = Options::default();
    assert_eq!(check_bytes(&dump, &options).keys, 60);
    options.resync = true;
    let report = check_bytes(&dump, &options);
    assert_eq!((report.keys, report.skipped.len(), report.sound), (120, 1, false));
    let path = std::env::temp_dir().join(format!("bigkeys-false-end-{}.rdb", std::process::id()));
    fs::write(&path, &dump).expect("write a dump");
    let mut options = bigkeys::engine::Options::default();
    options.resync = true;
    options.question.top = 1000;
    let analyzed = bigkeys::engine::analyze(&path, &options);
    fs::remove_file(&path).expect("remove it again");
    let analyzed = analyzed.expect("it is told in the report");
    assert_eq!(analyzed.keys.len(), 120);
}

#[test]
fn what_stands_behind_the_end_is_told() {
    let dump = Rdb::redis(10).select_db(0).key(0, "key", |b| b.string("value")).eof();
    for behind in [&b"garbage"[..], &dump] {
        let (saved, account) = salvaged(&[&dump[..], behind].concat());
        assert_eq!(saved, dump);
        assert_eq!((account.complete, account.trailing_bytes), (false, behind.len() as u64));
    }
}

#[test]
fn bytes_that_are_no_dump_give_nothing() {
    let (saved, account) = salvaged(b"not a dump at all");
    assert!(saved.is_empty() && !account.complete && account.keys_written == 0);
}

// ---- a real server

/// The ways to lose a part of a dump.
fn accidents(dump: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let middle = dump.len() / 2;
    let cut = dump[..dump.len() * 2 / 3].to_vec();
    let mut zeroed = dump.to_vec();
    let page = middle / 4096 * 4096;
    zeroed[page..page + 4096].fill(0);
    // The first byte behind the middle that can be taken for the length of something.
    let mut flipped = dump.to_vec();
    let length = (middle..dump.len()).find(|at| matches!(dump[at - 1..=*at], [0x00..=0x02, 0x08..=0x3f]));
    flipped[length.expect("a length")] ^= 0x20;
    vec![("cut", cut), ("a zeroed page", zeroed), ("a flipped length", flipped)]
}

/// Every key of a server, as fixtures state them: type and size by database and name.
fn keys_of(server: &mut Server) -> HashMap<(u64, Vec<u8>), (String, u64)> {
    let mut keys = HashMap::new();
    for db in [0_u64, 1, 9, 63, 200] {
        server.ask(&["SELECT", &db.to_string()]);
        for name in server.ask(&["KEYS", "*"]).into_array() {
            let name = name.into_bytes();
            let kind = String::from_utf8(server.ask(&[b"TYPE", &name[..]]).into_bytes()).expect("a type");
            let command: &[u8] = match kind.as_str() {
                "string" => b"STRLEN",
                "list" => b"LLEN",
                "set" => b"SCARD",
                "zset" => b"ZCARD",
                "hash" => b"HLEN",
                _ => b"XLEN",
            };
            let size = server.ask(&[command, &name]).into_count();
            keys.insert((db, name), (kind, size));
        }
    }
    keys
}

fn loads(kind: Kind, fixture: &str) {
    let Some(mut server) = server::require_with(kind, &["--databases", "256"]) else { return };
    let fixture = fixtures::sound().into_iter().find(|found| found.name == fixture).expect("a fixture");
    let stated: HashMap<(u64, Vec<u8>), (String, u64)> = fixture
        .keys()
        .as_array()
        .expect("keys")
        .iter()
        .map(|key| {
            let name = match &key["name_base64"] {
                Value::String(text) => base64(text),
                _ => key["name"].as_str().expect("a name").as_bytes().to_vec(),
            };
            let place = (key["db"].as_u64().expect("a number"), name);
            (place, (key["type"].as_str().expect("a type").to_owned(), key["size"].as_u64().expect("a size")))
        })
        .collect();
    for (accident, damaged) in accidents(&fixture.bytes) {
        let (saved, account) = salvaged(&damaged);
        checks_clean(&saved, &account);
        assert!(!account.complete, "{accident}");
        fs::write(server.dump(), &saved).expect("the server's folder");
        // An error reply, or a server that ends, fails here.
        assert_eq!(server.ask(&["DEBUG", "RELOAD", "NOSAVE"]), Reply::Bytes(b"OK".to_vec()), "{accident}");
        let loaded = keys_of(&mut server);
        assert_eq!(loaded.len() as u64, account.keys_written, "{accident}");
        assert!(account.keys_written * 2 > stated.len() as u64, "{accident}: only {} saved", account.keys_written);
        for (place, found) in &loaded {
            assert_eq!(stated.get(place), Some(found), "{accident}: {place:?}");
        }
    }
}

fn base64(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).expect("base64")
}

#[test]
fn redis_loads_what_was_saved() {
    loads(Kind::Redis, "mixed_all_v10.rdb");
}

#[test]
fn valkey_loads_what_was_saved() {
    loads(Kind::Valkey, "mixed_all_v80.rdb");
}
