//! Digests of dumps: what servers answer to `DEBUG DIGEST` and `DEBUG DIGEST-VALUE`, whichever way the dump is read.

use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::support::assembler::{Bytes, Listpack, Rdb};
use crate::support::fixtures;
use crate::support::memory_fill::{self, Abilities};
use crate::support::more_servers::{self, Known};
use crate::support::random::Random;
use crate::support::server::Server;
use crate::support::ways::Scratch;
use bigkeys::analysis::filter::Filter;
use bigkeys::compare::{DumpDigest, Rules, digest};
use bigkeys::engine::export_all;
use bigkeys::memory::Target;
use bigkeys::output::values::{Drain, Lines};
use bigkeys::{Dump, Options, Progress};
use serde_json::Value;

fn digest_of(path: &Path, target: Option<Target>, options: &Options) -> (DumpDigest, Vec<String>) {
    let progress = Arc::new(Progress::default());
    let found = digest(&Dump::from(path), &Filter::default(), target, options, &progress);
    let (digest, exported) = found.expect("the dump can be opened");
    (digest, exported.errors.iter().map(ToString::to_string).collect())
}

fn ask_digest(server: &mut Server) -> String {
    String::from_utf8(server.ask(&["DEBUG", "DIGEST"]).into_bytes()).expect("hexadecimal digits")
}

/// The digests of the keys: database, name and digest.
fn of_keys(path: &Path, target: Target) -> Vec<(u64, String, String)> {
    let written = Mutex::new(Vec::new());
    let drain: Drain<'_> =
        Arc::new(Mutex::new(|bytes: &[u8]| written.lock().expect("no panic").extend_from_slice(bytes)));
    let progress = Arc::new(Progress::default());
    let dumps = [Dump::from(path)];
    export_all(&dumps, &Filter::default(), &Options::default(), &progress, |_| {
        Lines::digests(Rules::of(target), drain.clone())
    })
    .expect("the dump can be opened");
    drop(drain);
    let text = String::from_utf8(written.into_inner().expect("no panic")).expect("JSON is UTF-8");
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).expect("JSON");
        let text = |member: &str| row[member].as_str().expect("a text").to_owned();
        (row["db"].as_u64().expect("a number"), text("name"), text("digest"))
    };
    text.lines().map(row).collect()
}

fn has_field_ttls(target: Target) -> bool {
    (Target::Redis7_4..Target::Valkey8_0).contains(&target) || target >= Target::Valkey9_0
}

/// Keys that not all servers can hold, and scores of every magnitude.
fn add_more(server: &mut Server, target: Target) {
    let mut random = Random(99);
    let is_redis_since = |first: Target| (first..Target::Valkey8_0).contains(&target);
    for at in 0..3_000 {
        let score = f64::from_bits(random.number());
        if score.is_finite() {
            let key = format!("scores:{}", at % 40);
            server.queue(&["ZADD", &key, &format!("{score:e}"), &format!("m{at}")]);
        }
    }
    if has_field_ttls(target) {
        for at in 0..200 {
            let key = format!("fields:{at}");
            for field in 0..=at % 9 {
                server.queue(&["HSET", &key, &format!("f{field}"), &format!("v{at}")]);
            }
            if at % 3 > 0 {
                server.queue(&["HPEXPIREAT", &key, "4102444800000", "FIELDS", "1", "f0"]);
            }
        }
    }
    if is_redis_since(Target::Redis8_0) {
        for at in 0..60 {
            let storage = ["NOQUANT", "Q8", "BIN"][at % 3];
            let key = format!("vectors:{}", at % 6);
            let element = format!("e{at}");
            let number = |of: usize| format!("{}.{of}", at + of);
            let mut words = vec!["VADD", &key];
            if at % 6 > 2 {
                words.extend(["REDUCE", "2"]);
            }
            let numbers = [number(1), number(2), number(3)];
            words.extend(["VALUES", "3", &numbers[0], &numbers[1], &numbers[2], &element, storage]);
            if at % 5 == 0 {
                words.extend(["SETATTR", "{\"a\":1}"]);
            }
            server.queue(&words);
        }
    }
    if is_redis_since(Target::Redis8_8) {
        for (index, text) in [("0", "x"), ("3", "17"), ("4", "1.5"), ("5", "2.0"), ("900", "a longer text than seven")]
        {
            server.queue(&["ARSET", "array", index, text]);
        }
    }
    server.answers();
}

#[test]
fn servers_answer_the_same() {
    for known in more_servers::all() {
        let Known { target, version, .. } = &known;
        let mut server = known.start(None, &[]);
        if known.is_of_ci {
            crate::support::fill::fill(&mut server, 400, 31);
        } else {
            memory_fill::fill(&mut server, Abilities { field_ttls: has_field_ttls(*target) }, 1, 31);
        }
        server.ask(&["SELECT", "3"]);
        add_more(&mut server, *target);
        server.ask(&["SAVE"]);
        let answered = ask_digest(&mut server);
        let (found, errors) = digest_of(&server.dump(), Some(*target), &Options::default());
        assert_eq!(errors, [""; 0], "{version}");
        assert_eq!(found.digest.to_string(), answered, "{version}");
        let names_itself = digest_of(&server.dump(), None, &Options::default()).0;
        assert_eq!(names_itself, found, "{version} is known by its dump");
        let mut asked = 0;
        for (_, name, digest) in of_keys(&server.dump(), *target).into_iter().filter(|(db, ..)| *db == 3) {
            let answer = server.ask(&["DEBUG", "DIGEST-VALUE", &name]).into_array().remove(0).into_bytes();
            assert_eq!(String::from_utf8_lossy(&answer), digest, "{version}: {name}");
            asked += 1;
        }
        assert!(asked >= 40, "{version}: only {asked} keys were asked for");
    }
}

#[test]
fn every_way_of_reading_gives_one_digest() {
    for fixture in fixtures::sound().into_iter().filter(|fixture| fixture.bytes.len() < 8_000) {
        let one = |threads, segment_bytes| {
            let mut options = Options::default();
            (options.threads, options.segment_bytes) = (threads, segment_bytes);
            digest_of(&fixture.path, None, &options)
        };
        let expected = one(1, 0);
        for (threads, segment_bytes) in [(2, 400), (3, 100)] {
            assert_eq!(one(threads, segment_bytes), expected, "{}: {threads} {segment_bytes}", fixture.name);
        }
    }
}

#[test]
fn encodings_and_orders_make_no_difference() {
    let scratch = Scratch::new();
    let digest = |name: &str, rdb: Rdb| {
        let path = scratch.write(name, &rdb.eof());
        let (found, errors) = digest_of(&path, Some(Target::Redis7_2), &Options::default());
        assert_eq!(errors, [""; 0], "{name}");
        found.digest
    };
    let hash = |texts: &[&str]| Rdb::redis(11).key(4, "h", |value| texts.iter().fold(value.len(2), Bytes::string));
    let plain = digest("plain", hash(&["a", "1", "b", "2"]));
    assert_eq!(digest("turned", hash(&["b", "2", "a", "1"])), plain);
    let packed = Listpack::new().string("a").int(1).string("b").int(2).build();
    assert_eq!(digest("packed", Rdb::redis(11).key(16, "h", |value| value.string(&packed))), plain);
    assert_ne!(digest("other", hash(&["a", "2", "b", "1"])), plain);
    assert_ne!(digest("db", Rdb::redis(11).select_db(3).key(16, "h", |value| value.string(&packed))), plain);
}

#[test]
fn what_has_no_digest_is_named() {
    let scratch = Scratch::new();
    let rdb = Rdb::redis(9).key(0, "s", |value| value.string("v"));
    let rdb = rdb.key(7, "m", |value| value.module_id("unknown-1", 3).uint(7).end());
    let path = scratch.write("module.rdb", &rdb.eof());
    let (found, errors) = digest_of(&path, None, &Options::default());
    assert_eq!(found.keys, 1);
    assert!(errors.len() == 1 && errors[0].contains("key \"m\": how the module of type unknown-1"), "{errors:?}");
}
