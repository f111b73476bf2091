//! Values in forms that only old servers wrote, which those since convert when they load them: what the model says each is
//! held as and what it costs, against what the servers answered for this very dump.

use crate::support::assembler::{Bytes, Rdb, Ziplist, Zipmap};
use bigkeys::memory::{Allocator, Footprint, Model, Target, walk};
use bigkeys::rdb::Scanner;
use bigkeys::rdb::source::Slice;

/// What `OBJECT ENCODING` and `MEMORY USAGE key SAMPLES 0` answered, by key in the order of [`KEYS`].
type Answers = [(&'static str, u64); KEYS.len()];

const KEYS: [&str; 10] =
    ["zipmap", "zipmap:long", "list", "list:nodes", "zset", "hash", "quicklist", "quicklist:full", "scored", "texts"];

fn dump() -> Vec<u8> {
    let text = |byte: &str, count: usize| byte.repeat(count);
    let zipmap = |value: String| Zipmap::new().pair("a", "12345", 0).pair("bc", value, 0).build();
    let list = (0..12).fold(Ziplist::new(), |list, _| list.string("a").int(100).int(4000).int(70_000));
    let nodes = (0..5).fold(Ziplist::new(), |list, _| list.string(text("y", 4000)));
    let zset = (0..20).fold(Ziplist::new(), |list, member| list.string(format!("m{member}")).int(member * 100));
    let hash = (0..25).fold(Ziplist::new(), |list, field| list.string(format!("f{field}")).int(field * 4000));
    let quicklist = (0..20).fold(Ziplist::new(), |list, _| list.string(text("z", 250)));
    let full = Ziplist::new().string(text("z", 4090)).string(text("w", 4082));
    Rdb::redis(6)
        .select_db(0)
        .key(9, "zipmap", |b| b.string(zipmap(text("x", 64))))
        .key(9, "zipmap:long", |b| b.string(zipmap(text("x", 65))))
        .key(10, "list", |b| b.string(list.build()))
        .key(10, "list:nodes", |b| b.string(nodes.build()))
        .key(12, "zset", |b| b.string(zset.string("n").string("10000.5").build()))
        .key(13, "hash", |b| b.string(hash.build()))
        .key(14, "quicklist", |b| b.len(1).string(quicklist.int(1).build()))
        .key(14, "quicklist:full", |b| b.len(1).string(full.build()))
        .key(3, "scored", |b| {
            let score = |b: Bytes, (member, score): (&str, &str)| b.string(member).score(score);
            [("a", "0.10000000000000001"), ("b", "inf"), ("c", "17")].into_iter().fold(b.len(3), score)
        })
        .key(1, "texts", |b| b.len(3).string("a").string(text("b", 9000)).string("c"))
        .eof()
}

fn footprints(dump: &[u8], model: &Model) -> Vec<Footprint> {
    let mut scanner = Scanner::new(dump).expect("a dump");
    let context = scanner.context().clone();
    let mut footprints = Vec::new();
    while let Some(entry) = scanner.next().transpose().expect("a sound dump") {
        let mut source = Slice::new(dump, entry.value_offset);
        footprints.push(walk::measure(&mut source, &entry.header(), &context, model).expect("a sound value"));
    }
    footprints
}

#[test]
fn converted_values_cost_what_servers_say() {
    let redis_6_2: Answers = [
        ("ziplist", 137),
        ("hashtable", 336),
        ("quicklist", 311),
        ("quicklist", 20_248),
        ("ziplist", 238),
        ("ziplist", 288),
        ("quicklist", 5201),
        ("quicklist", 8321),
        ("ziplist", 97),
        ("quicklist", 9226),
    ];
    let redis_7_0: Answers = [
        ("listpack", 144),
        ("hashtable", 296),
        ("quicklist", 320),
        ("quicklist", 20_696),
        ("listpack", 240),
        ("listpack", 304),
        ("quicklist", 5256),
        ("quicklist", 8328),
        ("listpack", 96),
        ("quicklist", 10_480),
    ];
    let redis_7_4: Answers = [
        ("listpack", 144),
        ("hashtable", 296),
        ("quicklist", 320),
        ("quicklist", 20_696),
        ("listpack", 240),
        ("listpack", 304),
        ("listpack", 5176),
        ("listpack", 8248),
        ("listpack", 80),
        ("quicklist", 10_480),
    ];
    let redis_8_10: Answers = [
        ("listpack", 110),
        ("hashtable", 235),
        ("quicklist", 274),
        ("quicklist", 20_238),
        ("listpack", 190),
        ("listpack", 258),
        ("listpack", 5117),
        ("listpack", 8220),
        ("listpack", 53),
        ("quicklist", 9212),
    ];
    let valkey_9_1: Answers = [
        ("listpack", 128),
        ("hashtable", 304),
        ("quicklist", 272),
        ("quicklist", 20_272),
        ("listpack", 192),
        ("listpack", 272),
        ("listpack", 5136),
        ("listpack", 8240),
        ("listpack", 80),
        ("quicklist", 9232),
    ];
    let dump = dump();
    for (target, allocator, answers) in [
        (Target::Redis6_2, Allocator::Jemalloc, redis_6_2),
        (Target::Redis7_0, Allocator::Debian, redis_7_0),
        (Target::Redis7_4, Allocator::Jemalloc, redis_7_4),
        (Target::Redis8_10, Allocator::Jemalloc, redis_8_10),
        (Target::Valkey9_1, Allocator::Libc, valkey_9_1),
    ] {
        let found = footprints(&dump, &Model::new(target, allocator));
        let found: Vec<_> = KEYS
            .into_iter()
            .zip(found)
            .map(|(key, found)| (key, found.encoding.name(), found.memory_bytes.expect("a model")))
            .collect();
        let expected: Vec<_> =
            KEYS.into_iter().zip(answers).map(|(key, (encoding, bytes))| (key, encoding, bytes)).collect();
        assert_eq!(found, expected, "{target}");
    }
}

#[test]
fn damaged_entries_leave_a_value_as_it_is_stored() {
    // The header counts four entries, and there are two.
    let ziplist = Ziplist::new().string("field").string("value").claim_count(4);
    let dump = Rdb::redis(6).select_db(0).key(13, "hash", |b| b.string(&ziplist)).eof();
    let found = footprints(&dump, &Model::new(Target::Redis8_10, Allocator::Jemalloc));
    assert_eq!((found[0].measure.size, found[0].encoding.name()), (2, "listpack"));
    let key_bytes = 16 + 1 + 4 + 2;
    assert_eq!(found[0].memory_bytes, Some(key_bytes + ziplist.len() as u64));
}
