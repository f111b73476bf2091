//! The fixtures that no obtainable server writes: old headers, release candidates, newer formats
//! than the packaged servers have, and files that must be refused.
//!
//! Each is assembled here from named bytes, with the keys it holds stated by hand. The files in
//! `fixtures/` are what the rest of the tests read; these two tests hold them to this table, and
//! `BLESS=1` writes them anew.

use std::{env, fs, path::Path};

use crate::support::assembler::{Bytes, Listpack, Lzf, Rdb, Width, Ziplist, Zipmap, intset};
use serde_json::json;

/// 1 January 2100, so that no key of these files expires while anybody tests with it.
const YEAR_2100_MS: i64 = 4_102_444_800_000;
/// As far as a signed 32-bit time in seconds goes, 19 January 2038.
const YEAR_2038_SECONDS: i32 = i32::MAX;

/// A dump to read: what it holds is stated, not computed.
struct Fixture {
    name: &'static str,
    about: &'static str,
    bytes: Vec<u8>,
    keys: Vec<Key>,
}

/// Name, type, database, size.
type Key = (&'static str, &'static str, u64, u64);

/// A dump to refuse, with a fragment of the sentence that says why.
struct Refusal {
    name: &'static str,
    about: &'static str,
    bytes: Vec<u8>,
    error: &'static str,
}

#[test]
fn fixtures_are_what_the_table_says() {
    let groups = [
        linked_and_plain(),
        zipmaps_and_first_ziplists(),
        ziplists(),
        compressed_headers(),
        listpacks(),
        lengths(),
        databases(),
        expiry_and_eviction(),
        records_between_keys(),
        records_of_keys(),
        cluster(),
        modules(),
        hash_field_ttl(),
        streams(),
        arrays_and_bitmaps(),
        hash_templates(),
    ];
    for Fixture { name, about, bytes, keys } in groups.into_iter().flatten() {
        check(name, &bytes, &fixture_json(about, keys));
    }
}

#[test]
fn refused_files_are_what_the_table_says() {
    let groups = [refused_numbers(), refused_sizes(), refused_ends(), refused_structures()];
    for Refusal { name, about, bytes, error } in groups.into_iter().flatten() {
        let json = format!("{{\n \"about\": {},\n \"error\": {}\n}}\n", json!(about), json!(error));
        check(&format!("refused/{name}"), &bytes, &json);
    }
}

/// Compares a dump and its JSON with the committed ones, or writes them if `BLESS` is set.
fn check(name: &str, bytes: &[u8], json: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let dump = folder.join(format!("{name}.rdb"));
    let expected = folder.join(format!("{name}.json"));
    if env::var_os("BLESS").is_some() {
        fs::write(&dump, bytes).expect("fixtures/ can be written");
        fs::write(&expected, json).expect("fixtures/ can be written");
    }
    let committed = fs::read(&dump).unwrap_or_default();
    assert!(committed == bytes, "{} is not what the table builds; BLESS=1 writes it", dump.display());
    let committed = fs::read_to_string(&expected).unwrap_or_default();
    assert_eq!(committed, json, "{} is not what the table states; BLESS=1 writes it", expected.display());
}

fn fixture_json(about: &str, mut keys: Vec<Key>) -> String {
    keys.sort_by_key(|&(name, value_type, db, size)| (db, type_order(value_type), u64::MAX - size, name));
    let lines: Vec<String> = keys.iter().map(key_json).collect();
    format!("{{\n \"about\": {},\n \"keys\": [\n{}\n ]\n}}\n", json!(about), lines.join(",\n"))
}

fn key_json(&(name, value_type, db, size): &Key) -> String {
    let counted = value_type != "string" && type_order(value_type) < TYPES.len();
    let unit = if counted { "count" } else { "byte" };
    format!(
        "  {{\"name\": {}, \"type\": \"{value_type}\", \"db\": {db}, \"size\": {size}, \"unit\": \"{unit}\"}}",
        json!(name)
    )
}

const TYPES: [&str; 8] = ["string", "list", "set", "zset", "hash", "stream", "array", "vectorset"];

/// Where a type stands in the order of keys; modules come last, all alike.
fn type_order(value_type: &str) -> usize {
    TYPES.iter().position(|&known| known == value_type).unwrap_or(TYPES.len())
}

fn fixture(name: &'static str, about: &'static str, bytes: Vec<u8>, keys: &[Key]) -> Fixture {
    Fixture { name, about, bytes, keys: keys.to_vec() }
}

fn refusal(name: &'static str, about: &'static str, bytes: Vec<u8>, error: &'static str) -> Refusal {
    Refusal { name, about, bytes, error }
}

/// A hundred times `a`: two, a reference that repeats them 96 bytes on, two.
fn hundred_a() -> Lzf {
    Lzf::new().literal("aa").back(1, 96).literal("aa")
}

/// These bytes compressed with one back reference at `at`, which must say what the bytes say.
fn with_reference(plain: &[u8], at: usize, distance: usize, length: usize) -> Lzf {
    let (before, rest) = plain.split_at(at);
    let (_, after) = rest.split_at(length);
    let compressed = Lzf::new().literal(before).back(distance, length).literal(after);
    assert_eq!(compressed.plain(), plain);
    compressed
}

/// RDB 1 and the types that need no packed structure.
fn linked_and_plain() -> Vec<Fixture> {
    vec![
        fixture(
            "list_linked_v01",
            "Linked lists in an RDB 1 file, without a checksum: raw, integer and compressed \
             elements",
            Rdb::redis(1)
                .select_db(0)
                .key(1, "linked", |v| v.len(3).string("raw").string_i8(-7).lzf(&hundred_a()))
                .key(1, "linked:long", |v| (0..100).fold(v.len(100), |v, n| v.string_i16(1000 + n)))
                .select_db(3)
                .key(1, "linked:other", |v| v.strings(&["only"]))
                .eof(),
            &[("linked", "list", 0, 3), ("linked:long", "list", 0, 100), ("linked:other", "list", 3, 1)],
        ),
        fixture(
            "string_set_hash_v01",
            "Strings, a set and a hash in an RDB 1 file, without a checksum",
            Rdb::redis(1)
                .select_db(0)
                .key(0, "string", |v| v.string("hello"))
                .key(0, "string:int8", |v| v.string_i8(-128))
                .key(0, "string:int16", |v| v.string_i16(32767))
                .key(0, "string:int32", |v| v.string_i32(i32::MIN))
                .key(0, "string:lzf", |v| v.lzf(&hundred_a()))
                .key(2, "set", |v| v.strings(&["one", "two"]))
                .key(4, "hash", |v| v.len(2).string("f").string("v").string("g").string_i8(1))
                .eof(),
            &[
                ("string", "string", 0, 5),
                ("string:int8", "string", 0, 4),
                ("string:int16", "string", 0, 5),
                ("string:int32", "string", 0, 11),
                ("string:lzf", "string", 0, 100),
                ("set", "set", 0, 2),
                ("hash", "hash", 0, 2),
            ],
        ),
        fixture(
            "zset_text_v01",
            "Sorted sets with scores as text: infinities, fractions, exponents",
            Rdb::redis(1)
                .select_db(0)
                .key(3, "scores", |v| {
                    ["-inf", "-0.25", "0", "17179869184", "1.5e+300", "inf"]
                        .iter()
                        .zip(["a", "b", "c", "d", "e", "f"])
                        .fold(v.len(6), |v, (score, member)| v.string(member).score(score))
                })
                .key(3, "scores:one", |v| v.len(1).string_i8(5).score("3.1400000000000001"))
                .eof(),
            &[("scores", "zset", 0, 6), ("scores:one", "zset", 0, 1)],
        ),
        fixture(
            "zset_text_nan_v01",
            "A sorted set with the score NaN, which has a byte of its own though no server loads \
             it",
            Rdb::redis(1)
                .select_db(0)
                .key(3, "nan", |v| v.len(2).string("a").score("nan").string("b").score("1"))
                .eof(),
            &[("nan", "zset", 0, 2)],
        ),
        fixture(
            "zset_binary_v08",
            "A sorted set with binary scores (RDB 8), from the highest to the lowest",
            Rdb::redis(8)
                .aux("redis-ver", "4.0.14")
                .select_db(0)
                .resize_db(1, 0)
                .key(5, "binary", |v| {
                    let v = v.len(3).string("top").f64(f64::INFINITY).string("one").f64(1.5);
                    v.string("bottom").f64(f64::NEG_INFINITY)
                })
                .eof(),
            &[("binary", "zset", 0, 3)],
        ),
    ]
}

/// RDB 2 to 5: the first packed values.
fn zipmaps_and_first_ziplists() -> Vec<Fixture> {
    let small = Zipmap::new().pair("f", "v", 0).pair("g", "shrunk", 7);
    let large = Zipmap::new().pair("name", "x".repeat(300), 0).pair("y".repeat(254), "z", 3).pair("end", "", 0);
    let old_list = Ziplist::new().string("a").i16(-300).i32(70_000).i64(1 << 40);
    let old_zset = Ziplist::new().string("low").string("-1.5").string("high").i16(2);
    vec![
        fixture(
            "hash_zipmap_v02",
            "Zipmaps: unused bytes, a field and a value of more than 253 bytes, an empty value, \
             an unknown count",
            Rdb::redis(2)
                .select_db(0)
                .key(9, "zipmap", |v| v.string(small.clone().build()))
                .key(9, "zipmap:large", |v| v.string(large.clone().build()))
                .key(9, "zipmap:unknown", |v| v.string(large.claim_count(254)))
                .key(9, "zipmap:lzf", |v| v.lzf(&Lzf::new().literal_runs(1, small.claim_count(254))))
                .eof(),
            &[
                ("zipmap", "hash", 0, 2),
                ("zipmap:large", "hash", 0, 3),
                ("zipmap:unknown", "hash", 0, 3),
                ("zipmap:lzf", "hash", 0, 2),
            ],
        ),
        fixture(
            "list_ziplist_v02",
            "A list as one ziplist with the integers that RDB 2 knows",
            Rdb::redis(2).select_db(0).key(10, "ziplist", |v| v.string(old_list.build())).eof(),
            &[("ziplist", "list", 0, 4)],
        ),
        fixture(
            "set_intset_v02",
            "Sets of integers of 16, 32 and 64 bits",
            Rdb::redis(2)
                .select_db(0)
                .key(11, "intset:16", |v| v.string(intset(2, &[-32768, 0, 32767])))
                .key(11, "intset:32", |v| v.string(intset(4, &[-70_000, 70_000])))
                .key(11, "intset:64", |v| v.string(intset(8, &[i64::MIN, -1, 1, i64::MAX])))
                .eof(),
            &[("intset:16", "set", 0, 3), ("intset:32", "set", 0, 2), ("intset:64", "set", 0, 4)],
        ),
        fixture(
            "zset_ziplist_v02",
            "A sorted set as a ziplist of members and scores",
            Rdb::redis(2).select_db(0).key(12, "ziplist", |v| v.string(old_zset.build())).eof(),
            &[("ziplist", "zset", 0, 2)],
        ),
        fixture(
            "hash_ziplist_v04",
            "A hash as a ziplist, new in RDB 4, the last version without a checksum",
            Rdb::redis(4)
                .select_db(0)
                .key(13, "ziplist", |v| {
                    let pairs = Ziplist::new().string("f").string("v").string("n").i16(12);
                    v.string(pairs.build())
                })
                .eof(),
            &[("ziplist", "hash", 0, 2)],
        ),
        fixture(
            "hash_ziplist_v05",
            "A hash as a compressed ziplist in an RDB 5 file, the first version with a checksum",
            Rdb::redis(5)
                .select_db(0)
                .key(13, "ziplist:lzf", |v| {
                    let pairs = Ziplist::new().string("f").string("v".repeat(64));
                    // The value is the last entry: its 64 bytes stand before the end byte.
                    let pairs = pairs.build();
                    v.lzf(&with_reference(&pairs, pairs.len() - 64, 1, 63))
                })
                .eof(),
            &[("ziplist:lzf", "hash", 0, 1)],
        ),
    ]
}

/// Ziplists of RDB 6 and the lists of ziplists of RDB 7.
fn ziplists() -> Vec<Fixture> {
    let integers = [0, 12, 13, -1, 127, -128, 128, -32768, 32768, -8_388_608, 8_388_608, i64::MIN];
    let integers = integers.into_iter().fold(Ziplist::new(), Ziplist::int);
    let strings = [0, 63, 64, 300, 16383, 16384].into_iter().map(|len| "s".repeat(len));
    let strings = strings.fold(Ziplist::new(), Ziplist::string);
    let four = || Ziplist::new().string("a").int(1).string("b").wide_prevlen().int(2);
    vec![
        fixture(
            "list_ziplist_v06",
            "Ziplists with every width of integer, of string header and of the previous length",
            Rdb::redis(6)
                .select_db(0)
                .key(10, "integers", |v| v.string(integers.build()))
                .key(10, "strings", |v| v.string(strings.build()))
                .key(10, "wide", |v| v.string(four().build()))
                .eof(),
            &[("integers", "list", 0, 12), ("strings", "list", 0, 6), ("wide", "list", 0, 4)],
        ),
        fixture(
            "ziplist_unknown_count_v06",
            "Ziplists that say 65535, which means unknown, and hold two, four or six entries",
            Rdb::redis(6)
                .select_db(0)
                .key(10, "list", |v| v.string(four().claim_count(65535)))
                .key(12, "zset", |v| v.string(four().claim_count(65535)))
                .key(13, "hash", |v| v.string(four().string("c").int(3).claim_count(65535)))
                .key(13, "hash:lzf", |v| v.lzf(&Lzf::new().literal_runs(3, four().claim_count(65535))))
                .eof(),
            &[("list", "list", 0, 4), ("zset", "zset", 0, 2), ("hash", "hash", 0, 3), ("hash:lzf", "hash", 0, 2)],
        ),
        fixture(
            "list_quicklist_v07",
            "Lists as nodes of ziplists, raw and compressed, one node of unknown count; RDB 7 \
             with AUX and RESIZEDB",
            Rdb::redis(7)
                .aux("redis-ver", "3.2.13")
                .opcode(250, |b| b.string("redis-bits").string_i8(64))
                .select_db(0)
                .resize_db(2, 0)
                .key(14, "nodes", |v| {
                    let v = v.len(3).string(four().build());
                    v.lzf(&Lzf::new().literal(four().build())).string(four().int(5).claim_count(65535))
                })
                .key(14, "node", |v| v.len(1).string(Ziplist::new().string("one").build()))
                .eof(),
            &[("nodes", "list", 0, 13), ("node", "list", 0, 1)],
        ),
    ]
}

/// Compressed values whose header takes more than one LZF token.
fn compressed_headers() -> Vec<Fixture> {
    let list = Ziplist::new().string("x".repeat(250)).string("end").build();
    let pairs = Ziplist::new().string("f").string("v").string("g").string("w").build();
    let packed = Listpack::new().int(0).string("x".repeat(520)).build();
    let packed_pairs = Listpack::new().string("f").string("v").string("g").string("w").build();
    vec![
        fixture(
            "ziplist_lzf_header_v06",
            "Compressed ziplists and intsets whose header is literal runs of one, or is reached \
             by a back reference",
            Rdb::redis(6)
                .select_db(0)
                .key(10, "list:reference", |v| v.lzf(&with_reference(&list, 5, 4, 3)))
                .key(10, "list:runs", |v| v.lzf(&Lzf::new().literal_runs(1, &list)))
                .key(13, "hash:runs", |v| v.lzf(&Lzf::new().literal_runs(1, &pairs)))
                .key(12, "zset:runs", |v| {
                    let scored = Ziplist::new().string("m").int(1).string("n").int(2).build();
                    v.lzf(&Lzf::new().literal_runs(4, scored))
                })
                .key(11, "intset:runs", |v| v.lzf(&Lzf::new().literal_runs(1, intset(8, &[1, 2, 3]))))
                .key(11, "intset:reference", |v| v.lzf(&with_reference(&intset(2, &[7, 8]), 4, 4, 4)))
                .key(11, "intset:overshoot", |v| v.lzf(&with_reference(&intset(4, &[4, 5, 6, 7]), 4, 4, 8)))
                .eof(),
            &[
                ("list:reference", "list", 0, 2),
                ("list:runs", "list", 0, 2),
                ("hash:runs", "hash", 0, 2),
                ("zset:runs", "zset", 0, 2),
                ("intset:runs", "set", 0, 3),
                ("intset:reference", "set", 0, 2),
                ("intset:overshoot", "set", 0, 4),
            ],
        ),
        fixture(
            "listpack_lzf_header_v11",
            "Compressed listpacks whose header is literal runs of one, or ends in a back reference",
            Rdb::redis(11)
                .aux("redis-ver", "7.2.5")
                .select_db(0)
                .resize_db(5, 0)
                .key(16, "hash:reference", |v| v.lzf(&with_reference(&packed, 4, 3, 3)))
                .key(16, "hash:runs", |v| v.lzf(&Lzf::new().literal_runs(1, &packed_pairs)))
                .key(20, "set:runs", |v| v.lzf(&Lzf::new().literal_runs(1, &packed_pairs)))
                .key(17, "zset:runs", |v| {
                    let scored = Listpack::new().string("m").int(1).string("n").int(2).build();
                    v.lzf(&Lzf::new().literal_runs(5, scored))
                })
                .key(18, "list:runs", |v| {
                    v.len(2).len(2).lzf(&Lzf::new().literal_runs(1, &packed_pairs)).len(1).lzf(&hundred_a())
                })
                .eof(),
            &[
                ("hash:reference", "hash", 0, 1),
                ("hash:runs", "hash", 0, 2),
                ("set:runs", "set", 0, 4),
                ("zset:runs", "zset", 0, 2),
                ("list:runs", "list", 0, 5),
            ],
        ),
    ]
}

/// Listpacks whose header does not know the count.
fn listpacks() -> Vec<Fixture> {
    let four = || Listpack::new().string("a").int(1).string("b").int(2);
    vec![fixture(
        "listpack_unknown_count_v11",
        "Listpacks that say 65535, which means unknown, and hold a few entries of every width",
        Rdb::redis(11)
            .aux("redis-ver", "7.2.5")
            .select_db(0)
            .resize_db(6, 0)
            .key(16, "hash", |v| v.string(four().claim_count(65535)))
            .key(17, "zset", |v| v.string(four().claim_count(65535)))
            .key(20, "set", |v| v.string(four().claim_count(65535)))
            .key(20, "set:lzf", |v| v.lzf(&Lzf::new().literal_runs(4, four().claim_count(65535))))
            .key(20, "set:widths", |v| {
                let integers = [127, 128, -1, -4096, 4095, -4097, 32768, 8_388_608, 1 << 40];
                let integers = integers.into_iter().fold(Listpack::new(), Listpack::int);
                let strings = [0, 63, 64, 125, 126, 4095, 4096, 20_000].map(|len| "s".repeat(len));
                v.string(strings.into_iter().fold(integers, Listpack::string).claim_count(65535))
            })
            .key(18, "list", |v| {
                let v = v.len(3).len(2).string(four().claim_count(65535));
                v.len(1).string("plain").len(2).string(four().build())
            })
            .eof(),
        &[
            ("hash", "hash", 0, 2),
            ("zset", "zset", 0, 2),
            ("set", "set", 0, 4),
            ("set:lzf", "set", 0, 4),
            ("set:widths", "set", 0, 17),
            ("list", "list", 0, 9),
        ],
    )]
}

/// Lengths longer than they need be.
fn lengths() -> Vec<Fixture> {
    use Width::{Bits6, Bits14, Bits32, Bits64};
    vec![fixture(
        "string_wide_lengths_v08",
        "Lengths in every form where a shorter one would do: names, values, counts, database, \
         hints",
        Rdb::redis(8)
            .opcode(250, |b| b.string_as(Bits64, "redis-ver").string_as(Bits32, "4.0.14"))
            .opcode(254, |b| b.len_as(Bits64, 1))
            .opcode(251, |b| b.len_as(Bits32, 5).len_as(Bits14, 0))
            .key_as(0, |k| k.string_as(Bits6, "6"), |v| v.string_as(Bits14, "value"))
            .key_as(0, |k| k.string_as(Bits14, "14"), |v| v.string_as(Bits32, "values"))
            .key_as(0, |k| k.string_as(Bits32, "32"), |v| v.string_as(Bits64, "longest"))
            .key_as(0, |k| k.string_as(Bits64, "64"), |v| v.lzf(&hundred_a()))
            .key(2, "set", |v| v.len_as(Bits64, 2).string_as(Bits64, "a").string_as(Bits32, "b"))
            .key_as(4, |k| k.string_i8(42), |v| v.len_as(Bits32, 1).string("f").string_as(Bits14, ""))
            .key_as(0, |k| k.lzf(&Lzf::new().literal("name:").back(5, 25)), |v| v.string(""))
            .eof(),
        &[
            ("6", "string", 1, 5),
            ("14", "string", 1, 6),
            ("32", "string", 1, 7),
            ("64", "string", 1, 100),
            ("set", "set", 1, 2),
            ("42", "hash", 1, 1),
            ("name:name:name:name:name:name:", "string", 1, 0),
        ],
    )]
}

/// Database numbers of every width, keys before any, and a file without a checksum of its own.
fn databases() -> Vec<Fixture> {
    vec![
        fixture(
            "opcode_selectdb_v09",
            "Database numbers of every width, in no order, one of them twice, with a database of \
             no keys between",
            [63, 64, 0, 16384, 5, 70_000]
                .into_iter()
                .fold(Rdb::redis(9).aux("redis-ver", "6.2.14"), |rdb, db| {
                    rdb.select_db(db).resize_db(1, 0).key(0, "key", |v| v.string("value"))
                })
                .select_db(7)
                .select_db(63)
                .key(2, "again", |v| v.strings(&["a"]))
                .eof(),
            &[
                ("key", "string", 0, 5),
                ("key", "string", 5, 5),
                ("key", "string", 63, 5),
                ("again", "set", 63, 1),
                ("key", "string", 64, 5),
                ("key", "string", 16384, 5),
                ("key", "string", 70_000, 5),
            ],
        ),
        fixture(
            "opcode_no_selectdb_v09",
            "Keys before any SELECTDB belong to database 0",
            Rdb::redis(9)
                .aux("redis-ver", "6.2.14")
                .key(0, "first", |v| v.string("of database 0"))
                .resize_db(1, 0)
                .key(2, "second", |v| v.strings(&["a", "b"]))
                .select_db(2)
                .key(0, "third", |v| v.string("of database 2"))
                .eof(),
            &[("first", "string", 0, 13), ("second", "set", 0, 2), ("third", "string", 2, 13)],
        ),
        fixture(
            "opcode_zero_checksum_v09",
            "The checksum 0 says that none was computed",
            Rdb::redis(9).select_db(0).key(0, "key", |v| v.string("value")).eof_without_checksum(),
            &[("key", "string", 0, 5)],
        ),
    ]
}

/// Opcodes 248, 249, 252 and 253: what is said of the next key.
fn expiry_and_eviction() -> Vec<Fixture> {
    vec![
        fixture(
            "opcode_expire_v03",
            "Expiry in seconds (opcode 253) and in milliseconds (252, new in RDB 3), to come and \
             gone",
            Rdb::redis(3)
                .select_db(0)
                .expire_seconds(YEAR_2038_SECONDS)
                .key(0, "seconds", |v| v.string("2038"))
                .expire_seconds(1)
                .key(0, "seconds:gone", |v| v.string("1970"))
                .expire_ms(YEAR_2100_MS)
                .key(0, "milliseconds", |v| v.string("2100"))
                .key(0, "never", |v| v.string("no expiry of its own"))
                .eof(),
            &[
                ("seconds", "string", 0, 4),
                ("seconds:gone", "string", 0, 4),
                ("milliseconds", "string", 0, 4),
                ("never", "string", 0, 20),
            ],
        ),
        fixture(
            "opcode_expire_idle_freq_v09",
            "Expiry, idle seconds and access frequency before keys, together and alone; expiry at \
             0 and before 1970",
            Rdb::redis(9)
                .aux("redis-ver", "6.2.14")
                .select_db(0)
                .resize_db(6, 4)
                .expire_ms(YEAR_2100_MS)
                .idle(100_000)
                .key(0, "expire:idle", |v| v.string("a"))
                .expire_ms(0)
                .freq(255)
                .key(0, "expire:freq", |v| v.string("b"))
                .idle(0)
                .key(0, "idle", |v| v.string("c"))
                .freq(0)
                .key(0, "freq", |v| v.string("d"))
                .expire_ms(-1)
                .key(0, "negative", |v| v.string("e"))
                .expire_seconds(YEAR_2038_SECONDS)
                .key(0, "seconds", |v| v.string("f"))
                .eof(),
            &[
                ("expire:freq", "string", 0, 1),
                ("expire:idle", "string", 0, 1),
                ("freq", "string", 0, 1),
                ("idle", "string", 0, 1),
                ("negative", "string", 0, 1),
                ("seconds", "string", 0, 1),
            ],
        ),
    ]
}

/// Records that are not keys: AUX anywhere, functions, module data.
fn records_between_keys() -> Vec<Fixture> {
    let library = "#!lua name=l\nredis.register_function('f', function() return 1 end)";
    vec![
        fixture(
            "opcode_aux_v09",
            "AUX records between keys, after the keys, with integer and compressed values and of \
             unknown names",
            Rdb::redis(9)
                .aux("redis-ver", "6.2.14")
                .opcode(250, |b| b.string("ctime").string_i32(1_700_000_000))
                .select_db(0)
                .resize_db(2, 1)
                .key(0, "before", |v| v.string("value"))
                .aux("somebody's own", "between keys")
                .opcode(250, |b| b.string("compressed").lzf(&hundred_a()))
                .expire_ms(YEAR_2100_MS)
                .opcode(250, |b| b.string("between expiry and key").string_i16(-300))
                .key(0, "after", |v| v.string("value!"))
                .aux("lua", "return redis.call('get', KEYS[1])")
                .aux("lua", "return 1")
                .eof(),
            &[("before", "string", 0, 5), ("after", "string", 0, 6)],
        ),
        fixture(
            "opcode_function_v10",
            "A library of functions (opcode 245) as Redis 7.0 and later write it",
            Rdb::redis(10)
                .aux("redis-ver", "7.0.15")
                .function(library)
                .select_db(0)
                .key(0, "key", |v| v.string("value"))
                .eof(),
            &[("key", "string", 0, 5)],
        ),
        fixture(
            "opcode_function_pre_ga_v10",
            "Functions (opcode 246) as the release candidates of Redis 7.0 wrote them, with and \
             without a description",
            Rdb::redis(10)
                .aux("redis-ver", "6.9.241")
                .function_pre_ga("l", "LUA", "says one", "redis.register_function('f', function() return 1 end)")
                .opcode(246, |b| {
                    let b = b.string("m").string("LUA").len(0);
                    b.string("redis.register_function('g', function() return 2 end)")
                })
                .select_db(0)
                .key(0, "key", |v| v.string("value"))
                .eof(),
            &[("key", "string", 0, 5)],
        ),
        fixture(
            "opcode_module_aux_v09",
            "Data of modules (opcode 247) before and after the keys, with values of every tag and \
             with none",
            Rdb::redis(9)
                .aux("redis-ver", "6.2.14")
                .module_aux("my-module", 1, |b| b.sint(-1).uint(1 << 40).float(0.5).double(1e300).text("text").end())
                .module_aux("scdtype00", 1, Bytes::end)
                .select_db(0)
                .key(0, "key", |v| v.string("value"))
                .module_aux("my-module", 2, |b| b.len(5).lzf(&hundred_a()).end())
                .eof(),
            &[("key", "string", 0, 5)],
        ),
    ]
}

/// Records that belong to the key after or before them.
fn records_of_keys() -> Vec<Fixture> {
    vec![
        fixture(
            "opcode_key_meta_v13",
            "Metadata of modules on keys (opcode 243 of Redis 8.6): after the expiry, before the \
             type, of two classes",
            Rdb::redis(13)
                .aux("redis-ver", "8.6.2")
                .select_db(0)
                .resize_db(3, 1)
                .key_meta("tags", |b| b.text("red").uint(7).end())
                .key(0, "meta", |v| v.string("value"))
                .expire_ms(YEAR_2100_MS)
                .freq(9)
                .opcode(243, |b| b.len(2).u32(0x1234_5609).sint(-1).end().u32(0x7654_3211).end())
                .key(2, "meta:expire", |v| v.strings(&["a", "b"]))
                .key(0, "plain", |v| v.string("no metadata"))
                .eof(),
            &[("meta", "string", 0, 5), ("meta:expire", "set", 0, 2), ("plain", "string", 0, 11)],
        ),
        fixture(
            "keydb_subexpire_v09",
            "KeyDB: a time stamp in AUX before each key, expiry of set members in AUX after the \
             set",
            Rdb::redis(9)
                .aux("redis-ver", "6.3.4")
                .select_db(0)
                .resize_db(2, 1)
                .expire_ms(YEAR_2100_MS)
                .aux("mvcc-tstamp", "1767225600000000000")
                .key(0, "string", |v| v.string("value"))
                .aux("mvcc-tstamp", "1767225600000000001")
                .key(2, "set", |v| v.strings(&["a", "b"]))
                .aux("keydb-subexpire-key", "a")
                .aux("keydb-subexpire-when", "4102444800000")
                .eof(),
            &[("string", "string", 0, 5), ("set", "set", 0, 2)],
        ),
    ]
}

/// What clusters write of their slots.
fn cluster() -> Vec<Fixture> {
    vec![
        fixture(
            "opcode_slot_info_v12",
            "Redis in cluster mode: slot records (opcode 244) before the keys of each slot",
            Rdb::redis(12)
                .aux("redis-ver", "8.4.0")
                .aux("cluster-asm-task", "")
                .select_db(0)
                .resize_db(3, 1)
                .slot_info(0, 1, 0)
                .key(0, "{3560}a", |v| v.string("value"))
                .slot_info(16383, 2, 1)
                .key(0, "{39296}a", |v| v.string("values"))
                .expire_ms(YEAR_2100_MS)
                .key(2, "{39296}b", |v| v.strings(&["a"]))
                .eof(),
            &[("{3560}a", "string", 0, 5), ("{39296}a", "string", 0, 6), ("{39296}b", "set", 0, 1)],
        ),
        fixture(
            "aux_slot_info_v80",
            "Valkey 9 in cluster mode: slot records in AUX before the keys of each slot",
            Rdb::valkey(80)
                .aux("valkey-ver", "9.1.2")
                .aux("cluster-slot-states", "")
                .select_db(0)
                .resize_db(2, 0)
                .aux("slot-info", "0,1,0,0")
                .key(0, "{3560}a", |v| v.string("value"))
                .aux("slot-info", "16383,1,0,0")
                .key(2, "{39296}b", |v| v.strings(&["a"]))
                .eof(),
            &[("{3560}a", "string", 0, 5), ("{39296}b", "set", 0, 1)],
        ),
        fixture(
            "opcode_slot_import_v80",
            "Valkey 9: slot migrations under way (opcode 243, which Redis uses for something else)",
            Rdb::valkey(80)
                .aux("valkey-ver", "9.0.0")
                .slot_import("0123456789abcdef0123456789abcdef01234567", &[(0, 100), (16000, 16383)])
                .slot_import("fedcba9876543210fedcba9876543210fedcba98", &[(5000, 5000)])
                .select_db(0)
                .key(0, "key", |v| v.string("value"))
                .eof(),
            &[("key", "string", 0, 5)],
        ),
    ]
}

/// Module values, which tags make skippable without the module.
fn modules() -> Vec<Fixture> {
    vec![
        fixture(
            "module_tags_v08",
            "A module value with every tag, a compressed and an integer string among them, and \
             one with none",
            Rdb::redis(8)
                .aux("redis-ver", "4.0.14")
                .select_db(0)
                .key(7, "tags", |v| {
                    let v = v.module_id("made_up-9", 3).sint(-5).uint(300).float(0.5).double(-1.5);
                    v.text("hello").len(5).lzf(&hundred_a()).len(5).string_i8(7).end()
                })
                .key(7, "empty", |v| v.module_id("made_up-9", 0).end())
                .eof(),
            // id 9, sint 10 (2^64-5 takes nine bytes), uint 3, float 5, double 9, text 7, lzf 14,
            // int8 3, end 1
            &[("tags", "made_up-9", 0, 61), ("empty", "made_up-9", 0, 10)],
        ),
        fixture(
            "module_tair_v09",
            "The string, hash and sorted set of Tair's modules",
            Rdb::redis(9)
                .aux("redis-ver", "6.2.14")
                .select_db(0)
                .key(7, "tair:string", |v| v.module_id("exstrtype", 0).uint(1).uint(0).text("value").end())
                .key(7, "tair:hash", |v| {
                    let v = v.module_id("tairhash-", 0).uint(2).text("tair:hash");
                    v.text("f1").uint(1).uint(0).text("v1").text("f2").uint(1).uint(0).text("v2").end()
                })
                .key(7, "tair:zset", |v| {
                    v.module_id("tairzset_", 0).uint(1).uint(2).text("m").double(1.0).double(2.0).end()
                })
                .eof(),
            // id 9, two small uints 4, text 7, end 1; id 9, uint 2, text 11, 2 × 12, end 1; id 9,
            // uints 4, text 3, two doubles 18, end 1
            &[
                ("tair:string", "exstrtype", 0, 21),
                ("tair:hash", "tairhash-", 0, 47),
                ("tair:zset", "tairzset_", 0, 35),
            ],
        ),
    ]
}

/// Hashes whose fields expire.
fn hash_field_ttl() -> Vec<Fixture> {
    let at = YEAR_2100_MS.cast_unsigned();
    let triples = Listpack::new().string("f").string("v").int(YEAR_2100_MS);
    let triples = triples.string("g").int(7).int(YEAR_2100_MS + 1).string("h").string("w").int(0);
    vec![
        fixture(
            "hash_ttl_pre_ga_v12",
            "Types 22 and 23 as the release candidates of Redis 7.4 wrote them: times absolute, \
             no earliest one in front",
            Rdb::redis(12)
                .aux("redis-ver", "7.3.240")
                .select_db(0)
                .resize_db(3, 0)
                .key(22, "table", |v| v.len(2).len(at).string("f").string("v").len(0).string("g").string_i8(1))
                .key(23, "listpack", |v| v.string(triples.clone().build()))
                .key(23, "listpack:unknown", |v| v.string(triples.clone().claim_count(65535)))
                .eof(),
            &[("table", "hash", 0, 2), ("listpack", "hash", 0, 3), ("listpack:unknown", "hash", 0, 3)],
        ),
        fixture(
            "hash_ttl_forms_v12",
            "Types 24 and 25 of Redis 7.4: the earliest time in front, the others counted from it \
             or absolute",
            Rdb::redis(12)
                .aux("redis-ver", "7.4.1")
                .select_db(0)
                .resize_db(5, 0)
                .key(24, "table", |v| {
                    let v = v.u64(at).len(3).len(1).string("f").string("v");
                    v.len(60_001).string("g").string("w").len(0).string("h").string_i16(300)
                })
                .key(25, "listpack", |v| v.u64(at).string(triples.clone().build()))
                .key(25, "listpack:unknown", |v| v.u64(at).string(triples.clone().claim_count(65535)))
                .key(25, "listpack:lzf", |v| v.u64(at).lzf(&Lzf::new().literal_runs(2, triples.clone().build())))
                .key(25, "listpack:none", |v| v.u64(0).string(Listpack::new().string("f").string("v").int(0).build()))
                .eof(),
            &[
                ("table", "hash", 0, 3),
                ("listpack", "hash", 0, 3),
                ("listpack:unknown", "hash", 0, 3),
                ("listpack:lzf", "hash", 0, 3),
                ("listpack:none", "hash", 0, 1),
            ],
        ),
        fixture(
            "hash_ttl_forms_v80",
            "Type 22 of Valkey 9: a time after each pair, -1 for none",
            Rdb::valkey(80)
                .aux("valkey-ver", "9.1.2")
                .select_db(0)
                .resize_db(1, 0)
                .key(22, "table", |v| {
                    let v = v.len(3).string("f").string("v").i64(YEAR_2100_MS);
                    v.string("g").string_i32(70_000).i64(-1).lzf(&hundred_a()).string("w").i64(YEAR_2100_MS)
                })
                .eof(),
            &[("table", "hash", 0, 3)],
        ),
    ]
}

/// One stream node: entries 1-1 and 1-3 are live, 1-2 is deleted; length and IDs follow, up to the
/// groups.
fn stream_of_two(v: Bytes) -> Bytes {
    let node = Listpack::new().int(2).int(1).int(1).string("f").int(0);
    // Flags 2: the master's fields; 3: those, and deleted. Then ms and seq from the master's,
    // value, entries before.
    let node = node.int(2).int(0).int(0).string("a").int(4);
    let node = node.int(3).int(0).int(1).string("b").int(4);
    let node = node.int(2).int(0).int(2).string("c").int(4);
    let v = v.len(1).string(Bytes::new().stream_id(1, 1)).string(node.build());
    // Length; the last ID; the first; the highest deleted; entries ever added.
    v.len(2).len(1).len(3).len(1).len(1).len(1).len(2).len(3)
}

/// A stream without entries, up to the groups.
fn stream_of_none(v: Bytes) -> Bytes {
    v.len(0).len(0).len(0).len(0).len(0).len(0).len(0).len(0).len(0)
}

/// Streams of Redis 8.6 and 8.8.
fn streams() -> Vec<Fixture> {
    // A group at 1-3 that has read two entries, both pending; consumer c holds 1-1.
    let group = |v: Bytes| {
        let v = v.string("g").len(1).len(3).len(2).len(2);
        let v = v.stream_id(1, 1).i64(1_700_000_000_000).len(1);
        let v = v.stream_id(1, 3).i64(1_700_000_000_000).len(2);
        v.len(1).string("c").i64(1_700_000_000_000).i64(-1)
    };
    vec![
        fixture(
            "stream_producers_v13",
            "Streams of Redis 8.6 (type 26): with producers whose entries are idempotent, with \
             unknown counters, unused",
            Rdb::redis(13)
                .aux("redis-ver", "8.6.2")
                .select_db(0)
                .resize_db(3, 0)
                .key(26, "producers", |v| {
                    let v = group(stream_of_two(v).len(1)).len(2).stream_id(1, 1).stream_id(1, 3);
                    let v = v.len(100).len(100).len(2);
                    let v = v.string("p1").len(2).string("i1").len(1).len(1).string_i8(2).len(1).len(3);
                    v.string("p2").len(0).len(2).len(1)
                })
                .key(26, "unknown", |v| {
                    let v = stream_of_two(v).len(1).string("g").len(0).len(0).len(u64::MAX).len(0).len(0);
                    v.len(100).len(100).len(0).len(0).len(0)
                })
                .key(26, "unused", |v| stream_of_none(v).len(0).len(100).len(100).len(0).len(0).len(0))
                .eof(),
            &[("producers", "stream", 0, 2), ("unknown", "stream", 0, 2), ("unused", "stream", 0, 0)],
        ),
        fixture(
            "stream_nack_zone_v14",
            "Streams of Redis 8.8 (type 27): a group with a pending entry that no consumer holds, \
             and one without groups",
            Rdb::redis(14)
                .aux("redis-ver", "8.8.0")
                .select_db(0)
                .resize_db(2, 0)
                .key(27, "nack", |v| {
                    let v = group(stream_of_two(v).len(1)).len(1).stream_id(1, 1);
                    let v = v.len(1).stream_id(1, 3);
                    let v = v.len(60).len(1000).len(1).string("p").len(1).string("i").len(1).len(3);
                    v.len(1).len(0)
                })
                .key(27, "none", |v| stream_of_none(v).len(0).len(100).len(100).len(0).len(0).len(0))
                .eof(),
            &[("nack", "stream", 0, 2), ("none", "stream", 0, 0)],
        ),
    ]
}

/// Types 28 and 33: the arrays of Redis 8.8 and the bitmaps of 8.12.
fn arrays_and_bitmaps() -> Vec<Fixture> {
    // Portable 64-bit Roaring: one bitmap of high word 0, cookie, one container (key 0, two values,
    // offset 16), values.
    let bits_0_and_17 = Bytes::new().u64(1).u32(0).u32(12346).u32(1).u32(1 << 16).u32(16).u32(17 << 16);
    vec![
        fixture(
            "array_tags_v14",
            "Arrays: elements of every tag, far apart, with and without a place to insert",
            Rdb::redis(14)
                .aux("redis-ver", "8.8.0")
                .select_db(0)
                .resize_db(2, 0)
                .key(28, "tags", |v| {
                    let v = v.len(5).len(1).len(1001);
                    let v = v.len(0).len(0).lzf(&hundred_a()).len(1).len(1).i64(-12);
                    let v = v.len(2).len(2).f64(3.5).len(1000).len(3).string("small");
                    v.len(1 << 40).len(0).string_i16(-300)
                })
                .key(28, "one", |v| v.len(1).len(0).len(0).len(3).string("x"))
                .eof(),
            &[("tags", "array", 0, 5), ("one", "array", 0, 1)],
        ),
        fixture(
            "string_bitmap_v16",
            "Native bitmaps (type 33), which are strings: their length in bytes, then a Roaring \
             bitmap",
            Rdb::redis(16)
                .aux("redis-ver", "8.12.0")
                .select_db(0)
                .resize_db(3, 0)
                .key(33, "bits", |v| v.len(3).string(&bits_0_and_17))
                .key(33, "bits:long", |v| v.len(100_000).string(&bits_0_and_17))
                .key(33, "bits:none", |v| v.len(0).string(Bytes::new().u64(0)))
                .eof(),
            &[("bits", "string", 0, 3), ("bits:long", "string", 0, 100_000), ("bits:none", "string", 0, 0)],
        ),
    ]
}

/// Types 29 to 32: the hashes of Redis 8.10 that share their field names.
fn hash_templates() -> Vec<Fixture> {
    let names = Listpack::new().string("age").string("name").build();
    let values = || Listpack::new().int(0).int(44).string("Ann");
    vec![
        fixture(
            "hash_template_refs_v15",
            "Hashes that name a template of the file (types 30 and 32): several, one of them \
             unused, one of a high id",
            Rdb::redis(15)
                .aux("redis-ver", "8.10.0")
                .hash_template(0, &["age", "name"])
                .hash_template(1, &["a", "b", "c"])
                .hash_template(2, &["unused"])
                .hash_template(1 << 40, &["x"])
                .select_db(0)
                .resize_db(6, 0)
                .key(30, "listpack", |v| v.string(values().build()))
                .key(30, "listpack:high", |v| v.string(Listpack::new().int(1 << 40).string("y").build()))
                .key(30, "listpack:lzf", |v| v.lzf(&Lzf::new().literal_runs(1, values().build())))
                .key(30, "listpack:unknown", |v| v.string(values().claim_count(65535)))
                .key(32, "array", |v| v.len(1).string("1").string_i8(2).lzf(&hundred_a()))
                .key(32, "array:high", |v| v.len(1 << 40).string("y"))
                .eof(),
            &[
                ("listpack", "hash", 0, 2),
                ("listpack:high", "hash", 0, 1),
                ("listpack:lzf", "hash", 0, 2),
                ("listpack:unknown", "hash", 0, 2),
                ("array", "hash", 0, 3),
                ("array:high", "hash", 0, 1),
            ],
        ),
        fixture(
            "hash_template_inline_v15",
            "Hashes that bring their field names along (types 29 and 31), as a listpack and as \
             strings",
            Rdb::redis(15)
                .aux("redis-ver", "8.10.0")
                .select_db(0)
                .resize_db(5, 0)
                .key(29, "listpack:packed", |v| v.len(0).string(&names).string(values().build()))
                .key(29, "listpack:strings", |v| v.len(1).strings(&["age", "name"]).string(values().build()))
                .key(31, "array:packed", |v| v.len(0).string(&names).string_i8(44).string("Ann"))
                .key(31, "array:unknown", |v| {
                    let names = Listpack::new().string("a").string("b").string("c").claim_count(65535);
                    v.len(0).string(names).string("1").string("2").string("3")
                })
                .key(31, "array:strings", |v| v.len(1).strings(&["age", "name"]).string_i8(44).lzf(&hundred_a()))
                .eof(),
            &[
                ("listpack:packed", "hash", 0, 2),
                ("listpack:strings", "hash", 0, 2),
                ("array:packed", "hash", 0, 2),
                ("array:unknown", "hash", 0, 3),
                ("array:strings", "hash", 0, 2),
            ],
        ),
    ]
}

/// A Redis 6.2 file with one good key in it, then more.
fn after_a_good_key() -> Rdb {
    Rdb::redis(9).aux("redis-ver", "6.2.14").select_db(0).key(0, "good", |v| v.string("value"))
}

/// Versions, types, opcodes and ids that are not known.
fn refused_numbers() -> Vec<Refusal> {
    let one_key = |rdb: Rdb| rdb.select_db(0).key(0, "key", |v| v.string("value")).eof();
    vec![
        refusal("header_version_00", "RDB version 0", one_key(Rdb::redis(0)), "version 0"),
        refusal("header_version_99", "RDB version 99 of Redis", one_key(Rdb::redis(99)), "version 99"),
        refusal(
            "header_version_text",
            "A version that is not a number",
            one_key(Rdb::with_magic("REDIS00x9", 9)),
            "version",
        ),
        refusal(
            "type_08_v09",
            "Type 8, which was never given out",
            after_a_good_key().key(8, "eight", |v| v.string("value")).eof(),
            "type 8",
        ),
        refusal(
            "type_99_v09",
            "Type 99: what is unknown has no length to skip it by",
            after_a_good_key().key(99, "ninety-nine", |v| v.string("value")).eof(),
            "type 99",
        ),
        refusal(
            "type_23_v80",
            "Type 23 of a Valkey file, which is not Redis's type 23 and of no known layout",
            Rdb::valkey(80)
                .aux("valkey-ver", "9.2.0")
                .select_db(0)
                .key(23, "paths", |v| v.string(Listpack::new().string("f").string("v").int(0).build()))
                .eof(),
            "type 23",
        ),
        refusal(
            "opcode_200_v09",
            "Opcode 200, which only Dragonfly has, in a file of Redis",
            after_a_good_key().opcode(200, |b| b.u64(0)).eof(),
            "opcode 200",
        ),
        refusal(
            "module_pre_ga_v08",
            "Type 6, a module value without tags, which cannot be skipped",
            Rdb::redis(8)
                .aux("redis-ver", "3.9.103")
                .select_db(0)
                .key(6, "untagged", |v| v.module_id("made_up-9", 0).len(5).string("value"))
                .eof(),
            "module",
        ),
        refusal(
            "hash_template_unknown_v15",
            "A hash of template 7 in a file that has only template 0: how many values follow is \
             not known",
            Rdb::redis(15)
                .aux("redis-ver", "8.10.0")
                .hash_template(0, &["a", "b"])
                .select_db(0)
                .key(32, "orphan", |v| v.len(7).string("1").string("2"))
                .eof(),
            "template",
        ),
    ]
}

/// Lengths and counts beyond what the file could hold. The sentence is asked to name the key.
fn refused_sizes() -> Vec<Refusal> {
    vec![
        refusal(
            "string_8_gib_v09",
            "A string that says 2^33 bytes and has five",
            after_a_good_key().key(0, "bomb", |v| v.len(1 << 33).raw("short")).eof(),
            "bomb",
        ),
        refusal(
            "string_1_tib_v09",
            "A string that says 2^40 bytes at the end of a file of less than a hundred",
            after_a_good_key().key(0, "bomb", |v| v.len(1 << 40)).eof(),
            "bomb",
        ),
        refusal(
            "string_lzf_64_gib_v09",
            "A compressed string that says 64 GiB in nine bytes, though LZF makes at most 88 \
             bytes of one",
            after_a_good_key().key(0, "bomb", |v| v.lzf_claim(9, 1 << 36, b"\x01aa\xe0\x57\x00\x01aa")).eof(),
            "bomb",
        ),
        refusal(
            "list_count_v09",
            "A linked list that says 2^60 elements",
            after_a_good_key().key(1, "bomb", |v| v.len(1 << 60).string("one")).eof(),
            "bomb",
        ),
        refusal(
            "list_quicklist_count_v09",
            "A list that says 2^40 nodes of ziplists",
            after_a_good_key().key(14, "bomb", |v| v.len(1 << 40).string(Ziplist::new().string("one").build())).eof(),
            "bomb",
        ),
        refusal(
            "list_quicklist2_count_v10",
            "A list that says 2^40 nodes of listpacks",
            Rdb::redis(10)
                .aux("redis-ver", "7.0.15")
                .select_db(0)
                .key(18, "bomb", |v| v.len(1 << 40).len(2).string(Listpack::new().string("one").build()))
                .eof(),
            "bomb",
        ),
        refusal(
            "hash_count_v09",
            "A hash that says 2^63 pairs, which overflows when doubled",
            after_a_good_key().key(4, "bomb", |v| v.len(1 << 63).string("f").string("v")).eof(),
            "bomb",
        ),
    ]
}

/// Files that end too early, too late, or with the wrong checksum.
fn refused_ends() -> Vec<Refusal> {
    let whole = || after_a_good_key().key(0, "last", |v| v.string("cut here"));
    let without_last = |mut bytes: Vec<u8>, count: usize| {
        bytes.truncate(bytes.len() - count);
        bytes
    };
    vec![
        refusal("cut_in_header", "A file cut in its version", b"REDIS00".to_vec(), "header"),
        refusal("cut_in_string_v09", "A file cut inside a value", without_last(whole().unfinished(), 4), "last"),
        refusal("cut_before_eof_v09", "A file without an end after its last key", whole().unfinished(), "end"),
        refusal("cut_in_checksum_v09", "A file cut in its checksum", without_last(whole().eof(), 3), "checksum"),
        refusal(
            "wrong_checksum_v09",
            "A whole file with a checksum that is not its own",
            whole().eof_with_checksum(0x0123_4567_89ab_cdef),
            "checksum",
        ),
        refusal(
            "bytes_after_end_v09",
            "A whole file and nine bytes more, which are no commands of an append-only file",
            Bytes::new().raw(whole().eof()).raw("and more.").as_ref().to_vec(),
            "follow",
        ),
    ]
}

/// Values that break the rules of their own structure.
fn refused_structures() -> Vec<Refusal> {
    let redis = |version, release: &str| Rdb::redis(version).aux("redis-ver", release).select_db(0);
    vec![
        refusal(
            "slot_info_16384_v12",
            "A slot record beyond the last slot, 16383",
            redis(12, "8.4.0").slot_info(16384, 1, 0).key(0, "key", |v| v.string("value")).eof(),
            "slot",
        ),
        refusal(
            "list_container_3_v10",
            "A list node that is neither plain (1) nor packed (2)",
            redis(10, "7.0.15").key(18, "list", |v| v.len(1).len(3).string("element")).eof(),
            "container",
        ),
        refusal(
            "array_flag_2_v14",
            "An array whose flag is neither 0 nor 1",
            redis(14, "8.8.0").key(28, "array", |v| v.len(1).len(2).len(0).len(0).string("x")).eof(),
            "flag",
        ),
        refusal(
            "array_tag_4_v14",
            "An array element of a tag beyond 3",
            redis(14, "8.8.0").key(28, "array", |v| v.len(1).len(0).len(0).len(4).string("x")).eof(),
            "tag",
        ),
        refusal(
            "stream_master_id_v09",
            "A stream node whose ID has 15 bytes, not 16",
            redis(9, "6.2.14")
                .key(15, "stream", |v| {
                    let v = v.len(1).string([0; 15]).string(Listpack::new().int(0).int(0).int(0).int(0).build());
                    v.len(0).len(0).len(0).len(0)
                })
                .eof(),
            "stream",
        ),
        refusal(
            "string_special_4_v09",
            "A string of the special form 4, where 3 is the last",
            redis(9, "6.2.14").key(0, "special", |v| v.u8(0xc4).raw("value")).eof(),
            "special",
        ),
        refusal(
            "set_count_reserved_v09",
            "A count that starts with 0x82, which is no form of a length",
            redis(9, "6.2.14").key(2, "reserved", |v| v.u8(0x82).raw([0; 8])).eof(),
            "reserved",
        ),
        refusal(
            "list_lzf_before_start_v09",
            "A compressed ziplist whose first token refers to what is before it",
            redis(9, "6.2.14").key(10, "backwards", |v| v.lzf(&Lzf::new().back(1, 20))).eof(),
            "backwards",
        ),
    ]
}
