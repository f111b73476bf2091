//! What servers refuse of a value, kind by kind: each case is a dump of one key, and what a check finds in it.
//!
//! Each was put before Redis 7.0.15, 7.2.4, 8.2.3 and 8.10.2 and Valkey 9.0.0 and 9.1.2 that were told to sanitize what they
//! load. What all that know its type refuse is an error; what only 8.10 or 9.1 refuse is an error in a dump that only
//! they read, and a warning in older ones.

use crate::support::assembler::{Bytes, Listpack, Rdb, Zipmap};
use bigkeys::check::{Finding, Options, Report, Severity, check_bytes};

/// Who writes a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writer {
    Redis(u32),
    Valkey80,
}
use Writer::{Redis, Valkey80};

fn dump(writer: Writer, value_type: u8, value: &Bytes) -> Vec<u8> {
    let rdb = match writer {
        Redis(version) => Rdb::redis(version),
        Valkey80 => Rdb::valkey(80),
    };
    rdb.select_db(0).key(value_type, "k", |b| b.raw(value)).key(0, "next", |b| b.string("v")).eof()
}

fn kinds(report: &Report, severity: Severity) -> Vec<&str> {
    let of = |finding: &&Finding| finding.severity == severity;
    report.findings.iter().filter(of).map(|finding| finding.kind.as_str()).collect()
}

/// What is expected of a case.
#[derive(Clone, Copy, Debug)]
enum Is {
    Sound,
    Error(&'static str),
    Warning(&'static str),
}
use Is::{Error, Sound, Warning};

#[track_caller]
fn verdict(about: &str, dump: &[u8], expected: Is) {
    let report = check_bytes(dump, &Options::default());
    let (errors, warnings) = match expected {
        Sound => (vec![], vec![]),
        Error(kind) => (vec![kind], vec![]),
        Warning(kind) => (vec![], vec![kind]),
    };
    let found = (kinds(&report, Severity::Error), kinds(&report, Severity::Warning));
    assert_eq!(found, (errors, warnings), "{about}: {report}");
    assert_eq!(report.sound, !matches!(expected, Error(_)), "{about}");
    assert_eq!(report.keys, 2, "{about}: the walk keeps step");
}

#[track_caller]
fn cases(writer: Writer, value_type: u8, cases: &[(&str, Bytes, Is)]) {
    for (about, value, expected) in cases {
        verdict(about, &dump(writer, value_type, value), *expected);
    }
}

fn b() -> Bytes {
    Bytes::new()
}

// ---- lists

#[test]
fn nodes_of_lists() {
    let packed = |listpack: Listpack| listpack.build();
    let one = || packed(Listpack::new().string("a"));
    let lzf = |b: Bytes| b.lzf_claim(9, 100, [1, b'a', b'a', 0xe0, 0x57, 0, 1, b'a', b'a']);
    cases(
        Redis(10),
        18,
        &[
            ("plain", b().len(1).len(1).string("a"), Sound),
            ("plain, a number", b().len(1).len(1).string_i8(5), Sound),
            ("plain, compressed", lzf(b().len(1).len(1)), Sound),
            ("plain, no bytes", b().len(1).len(1).string(""), Error("empty_node")),
            ("plain, no bytes, and another", b().len(2).len(1).string("").len(2).string(one()), Error("empty_node")),
            (
                "packed, none, and another",
                b().len(2).len(2).string(packed(Listpack::new())).len(2).string(one()),
                Sound,
            ),
            ("packed, none", b().len(1).len(2).string(packed(Listpack::new())), Error("empty")),
            ("packed, a number", b().len(1).len(2).string_i8(5), Error("blob_form")),
            ("no nodes", b().len(0), Error("empty")),
        ],
    );
}

#[test]
fn a_header_that_counts_wrongly_is_told_by_its_number() {
    let value = b().string(Listpack::new().string("a").string("b").claim_count(3));
    let report = check_bytes(&dump(Redis(11), 20, &value), &Options::default());
    let said = report.findings.iter().map(|finding| finding.what.clone()).collect::<Vec<_>>();
    assert_eq!(said, ["reading a packed value: its header counts 3 entries, it has another number"]);
}

// ---- zipmaps

/// A length of five bytes, which servers take for numbers from 254 on alone.
fn long(b: Bytes, text: &str) -> Bytes {
    b.u8(254).u32(u32::try_from(text.len()).expect("a short text"))
}

#[test]
fn lengths_in_zipmaps() {
    let map = |pairs: Bytes| b().string(b().u8(1).raw(pairs).u8(255));
    let longest_short = "x".repeat(253);
    cases(
        Redis(10),
        9,
        &[
            ("as it should be", b().string(Zipmap::new().pair("a", "b", 2).build()), Sound),
            ("a field's in five bytes", map(long(b(), "a").raw("a").u8(1).u8(0).raw("b")), Error("blob_entry")),
            ("a value's in five bytes", map(long(b().u8(1).raw("a"), "b").u8(0).raw("b")), Error("blob_entry")),
            ("253 bytes", map(long(b().u8(1).raw("a"), &longest_short).u8(0).raw(&longest_short)), Error("blob_entry")),
            ("254 bytes", b().string(Zipmap::new().pair("a", "x".repeat(254), 0).build()), Sound),
            (
                "a field twice",
                b().string(Zipmap::new().pair("a", "b", 0).pair("a", "c", 0).build()),
                Error("duplicate"),
            ),
            ("none", b().string(Zipmap::new().build()), Error("empty")),
        ],
    );
}

// ---- hashes

#[test]
fn ttls_of_fields() {
    const LEAST: u64 = 2_000_000_000_000;
    const LAST: u64 = (1 << 48) - 1;
    let table = |least: u64, ttl: u64| b().u64(least).len(1).len(ttl).string("f").string("v");
    cases(
        Redis(12),
        24,
        &[
            ("the last moment", table(LEAST, LAST - LEAST + 1), Sound),
            ("one behind it", table(LEAST, LAST - LEAST + 2), Error("ttl")),
            ("a least without fields that have one", table(LAST + 1, 0), Sound),
            ("a least that is none", table(LAST + 2, 0), Error("ttl")),
        ],
    );
    let packed = |entries: &[(&str, i64)]| {
        let add = |listpack: Listpack, (field, ttl): &(&str, i64)| listpack.string(field).string("v").int(*ttl);
        b().u64(LEAST).string(entries.iter().fold(Listpack::new(), add).build())
    };
    let (at, last) = (LEAST.cast_signed(), LAST.cast_signed());
    cases(
        Redis(12),
        25,
        &[
            ("in order", packed(&[("a", at), ("b", at), ("c", 0)]), Sound),
            ("the last moment", packed(&[("a", last)]), Sound),
            ("one behind it", packed(&[("a", last + 1)]), Error("ttl")),
            ("a negative one", packed(&[("a", -5)]), Error("ttl")),
            ("out of order", packed(&[("a", at + 5), ("b", at)]), Error("order")),
            ("none before one", packed(&[("a", 0), ("b", at)]), Error("order")),
            ("none", packed(&[]), Error("empty")),
        ],
    );
    let text = b().u64(LEAST).string(Listpack::new().string("a").string("v").string("2000000000000").build());
    cases(Redis(12), 25, &[("a text", text, Error("blob_entry"))]);
    let valkey = |at_ms: i64| b().len(1).string("f").string("v").i64(at_ms);
    cases(
        Valkey80,
        22,
        &[("never", valkey(-1), Sound), ("1970", valkey(0), Sound), ("before", valkey(-2), Error("ttl"))],
    );
}

#[test]
fn hash_templates() {
    let values = |first: Listpack| first.string("x").string("y").build();
    let named = |names: [&str; 2]| b().len(1).strings(&names);
    let packed_names = |names: [&str; 2]| b().len(0).string(Listpack::new().string(names[0]).string(names[1]).build());
    let id = || Listpack::new().int(0);
    cases(
        Redis(15),
        29,
        &[
            ("as it should be", named(["a", "bb"]).string(values(id())), Sound),
            ("names packed", packed_names(["a", "bb"]).string(values(id())), Sound),
            ("names out of order", named(["bb", "a"]).string(values(id())), Error("order")),
            ("a name twice", named(["a", "a"]).string(values(id())), Error("order")),
            ("a value is missing", named(["a", "bb"]).string(id().string("x").build()), Error("blob_count")),
            ("the id is a text", named(["a", "bb"]).string(values(Listpack::new().string("q"))), Error("blob_entry")),
            ("no names", b().len(1).len(0).string(id().build()), Error("empty")),
        ],
    );
    cases(
        Redis(15),
        31,
        &[
            ("as it should be", named(["a", "bb"]).string("x").string("y"), Sound),
            ("names packed, out of order", packed_names(["bb", "a"]).string("x").string("y"), Error("order")),
        ],
    );
    let with = |templates: &[(u64, &[&str])]| {
        let rdb = templates.iter().fold(Rdb::redis(15), |rdb, (id, names)| rdb.hash_template(*id, names));
        rdb.select_db(0).key(32, "k", |b| b.len(0).string("x").string("y")).key(0, "next", |b| b.string("v")).eof()
    };
    let first: (u64, &[&str]) = (0, &["a", "bb"]);
    verdict("one template", &with(&[first]), Sound);
    verdict("the same names twice", &with(&[first, (1, &["a", "bb"])]), Sound);
    verdict("an id twice", &with(&[first, first]), Error("duplicate"));
    verdict("out of order", &with(&[first, (1, &["bb", "a"])]), Error("order"));
    verdict("without names", &with(&[first, (1, &[])]), Error("empty"));
    verdict("the id of an error", &with(&[first, (u64::MAX, &["a"])]), Error("index"));
}

// ---- arrays

#[test]
fn arrays() {
    let one = |index: u64, tag: u64| b().len(1).len(0).len(index).len(tag);
    let two = |first: u64, second: u64| b().len(2).len(0).len(first).len(3).string("a").len(second).len(3).string("b");
    cases(
        Redis(14),
        28,
        &[
            ("as it should be", two(0, 5), Sound),
            ("out of order", two(5, 0), Warning("order")),
            ("one place twice", two(5, 5), Warning("order")),
            ("the last place", one(u64::MAX - 1, 3).string("a"), Sound),
            ("the index of an error", one(u64::MAX, 3).string("a"), Error("index")),
            ("a short text of 7 bytes", one(0, 3).string("1234567"), Sound),
            ("a short text of 8", one(0, 3).string("12345678"), Error("small_text")),
            ("a next index", b().len(1).len(1).len(9).len(0).len(3).string("a"), Sound),
            ("a next index of an error", b().len(1).len(1).len(u64::MAX).len(0).len(3).string("a"), Error("index")),
            ("none", b().len(0).len(0), Error("empty")),
        ],
    );
}

// ---- streams

/// A stream of two entries, 1-1 and 1-2, up to its groups.
#[derive(Clone)]
struct Stream {
    node: Listpack,
    length: u64,
    added: u64,
    groups: Bytes,
    /// What follows the groups.
    rest: Bytes,
}

impl Stream {
    fn new() -> Self {
        let entries = Listpack::new().int(2).int(0).int(1).string("f").int(0);
        let entries = entries.int(2).int(0).int(0).string("a").int(4);
        let node = entries.int(2).int(0).int(1).string("b").int(4);
        Self { node, length: 2, added: 2, groups: b().len(0), rest: b() }
    }

    fn groups(groups: Bytes) -> Self {
        Self { groups, ..Self::new() }
    }

    fn value(self) -> Bytes {
        let Self { node, length, added, groups, rest } = self;
        let value = b().len(1).string(b().stream_id(1, 1)).string(node.build()).len(length).len(1).len(2);
        value.len(1).len(1).len(0).len(0).len(added).raw(groups).raw(rest)
    }
}

/// Group `g`, which has read two entries: those pending in it, and those of each consumer.
fn group(read: u64, pending: &[u64], consumers: &[(&str, &[u64])]) -> Bytes {
    let group = b().len(1).string("g").len(1).len(2).len(read).len(pending.len() as u64);
    let group = pending.iter().fold(group, |group, seq| group.stream_id(1, *seq).i64(5).len(1));
    consumers.iter().fold(group.len(consumers.len() as u64), |group, (name, own)| {
        let consumer = group.string(name).i64(5).i64(5).len(own.len() as u64);
        own.iter().fold(consumer, |consumer, seq| consumer.stream_id(1, *seq))
    })
}

#[test]
fn pending_entries() {
    let group = |pending: &[u64], consumers: &[(&str, &[u64])]| Stream::groups(group(2, pending, consumers)).value();
    for writer in [Redis(11), Redis(15), Valkey80] {
        cases(
            writer,
            21,
            &[
                ("one each", group(&[1, 2], &[("c", &[1]), ("d", &[2])]), Sound),
                ("out of order", group(&[2, 1], &[("c", &[1, 2])]), Sound),
                ("one of two consumers", group(&[1], &[("c", &[1]), ("d", &[1])]), Error("pending_shared")),
                ("one twice of one", group(&[1], &[("c", &[1, 1])]), Error("duplicate")),
                ("one that the group has not", group(&[1], &[("c", &[1, 2])]), Error("pending")),
                ("one that no consumer has", group(&[1, 2], &[("c", &[1])]), Error("pending")),
                ("one twice of the group", group(&[1, 1], &[("c", &[1])]), Error("duplicate")),
                ("a consumer twice", group(&[], &[("c", &[]), ("c", &[])]), Error("duplicate")),
            ],
        );
    }
}

#[test]
fn pending_entries_that_were_given_back() {
    let idle = b().len(100).len(100).len(0).len(0).len(0);
    let stream = |pending: &[u64], consumers: &[(&str, &[u64])], back: &[u64]| {
        let groups = group(2, pending, consumers).len(back.len() as u64);
        let groups = back.iter().fold(groups, |groups, seq| groups.stream_id(1, *seq));
        Stream { rest: idle.clone(), ..Stream::groups(groups) }.value()
    };
    cases(
        Redis(14),
        27,
        &[
            ("one", stream(&[1, 2], &[("c", &[1])], &[2]), Sound),
            ("all", stream(&[1, 2], &[], &[2, 1]), Sound),
            ("one twice", stream(&[1, 2], &[("c", &[1])], &[2, 2]), Sound),
            ("one that the group has not", stream(&[1], &[("c", &[1])], &[2]), Error("pending")),
            ("one that a consumer has", stream(&[1, 2], &[("c", &[1, 2])], &[2]), Error("pending")),
            ("one that nobody has", stream(&[1, 2], &[("c", &[1])], &[]), Error("pending")),
        ],
    );
}

#[test]
fn lengths_of_streams() {
    let of = |length: u64| Stream { length, added: 9, ..Stream::new() }.value();
    for length in [0, 1, 3] {
        let stream = of(length);
        cases(Redis(11), 21, &[("of an older Redis", stream.clone(), Warning("stream_length"))]);
        cases(Redis(15), 21, &[("of Redis 8.10", stream.clone(), Error("stream_length"))]);
        cases(Valkey80, 21, &[("of Valkey 9", stream, Error("stream_length"))]);
    }
    let old = b().len(1).string(b().stream_id(1, 1)).string(Stream::new().node.build()).len(3).len(1).len(2).len(0);
    cases(Redis(9), 15, &[("of Redis 5", old, Warning("stream_length"))]);
}

#[test]
fn what_redis_8_10_alone_refuses_of_streams() {
    let added = |added: u64| Stream { added, ..Stream::new() }.value();
    let read = |read: u64| Stream::groups(group(read, &[], &[])).value();
    let nothing = Listpack::new().int(0).int(1).int(1).string("f").int(0).int(3).int(0).int(0).string("a").int(4);
    let as_text = Listpack::new().string("1").int(0).int(1).string("f").int(0).int(2).int(0).int(0).string("a").int(4);
    let node = |node: Listpack, length: u64| Stream { node, length, ..Stream::new() }.value();
    for (about, stream, kind) in [
        ("fewer added than there are", added(1), "stream_counters"),
        ("more added than a number can be", added(1 << 63), "stream_counters"),
        ("more read than added", read(3), "stream_counters"),
        ("no live entry", node(nothing, 0), "stream_live"),
        ("their number as text", node(as_text, 1), "stream_live"),
    ] {
        cases(Redis(11), 21, &[(about, stream.clone(), Warning(kind))]);
        cases(Redis(15), 21, &[(about, stream.clone(), Error(kind))]);
        cases(Valkey80, 21, &[(about, stream, Warning(kind))]);
    }
    cases(Redis(15), 21, &[("as many read", read(2), Sound), ("read, but unknown how many", read(u64::MAX), Sound)]);
    let producers = |seconds: u64, entries: u64| {
        Stream { rest: b().len(seconds).len(entries).len(0).len(0).len(0), ..Stream::new() }.value()
    };
    for (seconds, entries) in [(0, 1), (86_401, 1), (1, 0), (1, 10_001)] {
        let stream = producers(seconds, entries);
        cases(Redis(13), 26, &[("of Redis 8.6", stream.clone(), Warning("stream_counters"))]);
        cases(Redis(15), 26, &[("of Redis 8.10", stream, Error("stream_counters"))]);
    }
    cases(Redis(15), 26, &[("the least", producers(1, 1), Sound), ("the most", producers(86_400, 10_000), Sound)]);
}

// ---- vector sets

/// A vector of a vector set, as its node has it.
#[derive(Clone)]
struct Vector {
    id: u64,
    bytes: Vec<u8>,
    level_and_version: u64,
    /// Of each level, the links and how many have room.
    levels: Vec<(Vec<u64>, u64)>,
    /// Which link of each level is the worst, if the node says so.
    worst: Option<u64>,
    /// The numbers behind the levels.
    rest: Vec<u64>,
    /// What the node says of how many numbers it has, if that is a lie.
    claimed: Option<u64>,
}

const NODE_VERSION_1: u64 = 1 << 24;

impl Vector {
    fn new(id: u64, links: &[u64]) -> Self {
        let (bytes, levels) = (vec![0x7f, 0x2a, 0x55], vec![(links.to_vec(), 32)]);
        Self { id, bytes, level_and_version: NODE_VERSION_1, levels, worst: Some(0), rest: vec![7], claimed: None }
    }

    fn put(&self, b: Bytes) -> Bytes {
        let mut numbers = vec![self.id, self.level_and_version];
        for (links, room) in &self.levels {
            numbers.extend([links.len() as u64, *room]);
            numbers.extend(links);
            numbers.extend(self.worst);
        }
        numbers.extend(&self.rest);
        let claimed = self.claimed.unwrap_or(numbers.len() as u64);
        let vector = b.text(format!("vector {}", self.id)).text(&self.bytes).uint(claimed);
        numbers.iter().fold(vector, |b, number| b.uint(*number))
    }
}

/// A set of these vectors: dimension, number of vectors, how they are stored with the most links of a node, flags.
fn vector_set(header: [u64; 4], vectors: &[Vector]) -> Bytes {
    let set = header.iter().fold(b().module_id("vectorset", 0), |b, number| b.uint(*number));
    vectors.iter().fold(set, |b, vector| vector.put(b)).end()
}

const BYTES_OF_16_LINKS: u64 = 1 | 16 << 8;
const HEADER: [u64; 4] = [3, 3, BYTES_OF_16_LINKS, 0];

/// Three vectors, each linked with both others, the first of them changed.
fn three(change: impl FnOnce(&mut Vector)) -> Bytes {
    let mut vectors = [Vector::new(1, &[2, 3]), Vector::new(2, &[1, 3]), Vector::new(3, &[1, 2])];
    let [first, ..] = &mut vectors;
    change(first);
    vector_set(HEADER, &vectors)
}

/// A set of one vector, changed.
fn alone(change: impl FnOnce(&mut Vector)) -> Bytes {
    let mut vector = Vector::new(1, &[]);
    change(&mut vector);
    vector_set([3, 1, BYTES_OF_16_LINKS, 0], &[vector])
}

#[test]
fn headers_of_vector_sets() {
    let header = |header: [u64; 4]| vector_set(header, &[Vector::new(1, &[2]), Vector::new(2, &[1])]);
    let refused = Error("vector_set");
    let dump = [
        ("as it should be", header([3, 2, BYTES_OF_16_LINKS, 0]), Sound),
        ("of an unknown form", header([3, 2, 3 | 16 << 8, 0]), refused),
        ("floats that have a byte each", header([3, 2, 16 << 8, 0]), refused),
        ("bits that have a byte each", header([3, 2, 2 | 16 << 8, 0]), refused),
        ("another dimension", header([4, 2, BYTES_OF_16_LINKS, 0]), refused),
        ("no dimension", vector_set([0, 0, BYTES_OF_16_LINKS, 0], &[]), refused),
        ("the largest dimension", vector_set([65_536, 0, BYTES_OF_16_LINKS, 0], &[]), Sound),
        ("a larger one", vector_set([65_537, 0, BYTES_OF_16_LINKS, 0], &[]), refused),
        ("no vectors", vector_set([3, 0, BYTES_OF_16_LINKS, 0], &[]), Sound),
        ("more vectors than there are", header([3, 3, BYTES_OF_16_LINKS, 0]), refused),
        ("fewer", header([3, 1, BYTES_OF_16_LINKS, 0]), refused),
        ("attributes that are missing", header([3, 2, BYTES_OF_16_LINKS, 2]), refused),
        ("no header", b().module_id("vectorset", 0).end(), refused),
        ("a signed dimension", b().module_id("vectorset", 0).sint(3).uint(0).uint(1).uint(0).end(), refused),
    ];
    cases(Redis(12), 7, &dump);
    // A version of tomorrow has values that nobody knows today, and another module has its own.
    cases(
        Redis(12),
        7,
        &[
            ("of a later version", b().module_id("vectorset", 1).text("x").end(), Sound),
            ("of another module", b().module_id("vectorsex", 0).uint(0).end(), Sound),
        ],
    );
    let projected = |from: u64, floats: usize| {
        let set = b().module_id("vectorset", 0).uint(3).uint(0).uint(BYTES_OF_16_LINKS).uint(1);
        set.uint(from).text(vec![0; 4 * floats]).end()
    };
    cases(
        Redis(12),
        7,
        &[
            ("a projection", projected(5, 15), Sound),
            ("a short one", projected(5, 14), refused),
            ("a long one", projected(5, 16), refused),
            ("one from fewer dimensions", projected(2, 6), refused),
        ],
    );
}

#[test]
fn links_of_vector_sets() {
    let refused = Error("vector_set");
    let to = |links: &[u64]| {
        let links = links.to_vec();
        three(|vector| vector.levels = vec![(links, 32)])
    };
    let room = |room: u64| three(|vector| vector.levels = vec![(vec![2, 3], room)]);
    cases(
        Redis(12),
        7,
        &[
            ("as they should be", three(|_| {}), Sound),
            ("to nobody", to(&[2, 9]), refused),
            ("to itself", to(&[2, 1]), refused),
            ("to one twice", to(&[2, 2]), refused),
            ("not back", to(&[2]), refused),
            ("as many as have room", room(2), Sound),
            ("more than have room", room(1), refused),
            ("the most room", room(16_384), Sound),
            ("more room", room(16_385), refused),
            (
                "on a level that others do not reach",
                three(|vector| {
                    vector.level_and_version += 1;
                    vector.levels.push((vec![2], 16));
                }),
                refused,
            ),
            (
                "none there",
                three(|vector| {
                    vector.level_and_version += 1;
                    vector.levels.push((vec![], 16));
                }),
                Sound,
            ),
            ("the worst is not among them", three(|vector| vector.worst = Some(2)), refused),
            ("the worst of none", alone(|vector| vector.worst = Some(99)), Sound),
        ],
    );
}

#[test]
fn nodes_of_vector_sets() {
    let refused = Error("vector_set");
    let level = |level: usize| {
        alone(|vector| {
            vector.level_and_version += level as u64;
            vector.levels.resize(level + 1, (vec![], 16));
        })
    };
    cases(
        Redis(12),
        7,
        &[
            ("a short vector", three(|vector| vector.bytes.truncate(2)), refused),
            ("a long one", three(|vector| vector.bytes.push(0)), refused),
            ("an id twice", three(|vector| vector.id = 2), refused),
            ("the highest level", level(15), Sound),
            ("a higher one", level(16), refused),
            ("a level that is missing", alone(|vector| vector.level_and_version += 1), refused),
            ("of the first version", alone(|vector| (vector.level_and_version, vector.worst) = (0, None)), Sound),
            ("of an unknown version", alone(|vector| vector.level_and_version = 2 << 24), refused),
            ("without the vector's length", alone(|vector| vector.rest.clear()), refused),
            ("with one number more", alone(|vector| vector.rest.push(7)), Sound),
            ("with fewer numbers than it says", alone(|vector| vector.claimed = Some(9)), refused),
            ("with more", alone(|vector| vector.claimed = Some(5)), refused),
            ("with none", alone(|vector| vector.claimed = Some(0)), refused),
        ],
    );
}

// ---- functions, keys

#[test]
fn functions_of_release_candidates_are_a_warning() {
    let rdb = Rdb::redis(10).function_pre_ga("f", "LUA", "what it does", "return 1").select_db(0);
    let dump = rdb.key(0, "a", |b| b.string("v")).key(0, "b", |b| b.string("v")).eof();
    verdict("a function", &dump, Warning("function_pre_ga"));
}

#[test]
fn slot_info_of_valkey() {
    let dump = |rdb: Rdb, info: &str| {
        let rdb = rdb.select_db(0).aux("slot-info", info).key(0, "a", |b| b.string("v"));
        rdb.key(0, "b", |b| b.string("v")).eof()
    };
    verdict("of Valkey", &dump(Rdb::valkey(80), "16383,2,0"), Sound);
    verdict("of Valkey, cut", &dump(Rdb::valkey(80), "16383,2"), Error("slot_info"));
    verdict("of Valkey 8", &dump(Rdb::redis(11).aux("valkey-ver", "8.1.8"), "x"), Error("slot_info"));
    verdict("of Redis, which does not know it", &dump(Rdb::redis(11).aux("redis-ver", "7.2.4"), "x"), Sound);
}

#[test]
fn a_key_that_servers_leave_out_is_not_there_twice() {
    let start = || Rdb::redis(10).select_db(0);
    let value = |rdb: Rdb| rdb.key(0, "k", |b| b.string("v"));
    let empty = |rdb: Rdb| rdb.key(4, "k", |b| b.len(0));
    verdict("empty, then full", &value(empty(start())).eof(), Error("empty"));
    verdict("full, then empty", &empty(value(start())).eof(), Error("empty"));
    verdict("twice", &value(value(start())).eof(), Error("duplicate_key"));
    verdict("once in each of two databases", &value(value(start()).select_db(1)).eof(), Sound);
}
