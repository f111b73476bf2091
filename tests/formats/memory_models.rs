//! Memory figures against what servers answered when the dumps of `fixtures/memory` were recorded, and, of types that few
//! servers have, against figures worked out by hand.
#![allow(clippy::cast_precision_loss, reason = "errors are shares")]
#![allow(clippy::print_stdout, reason = "the errors are worth a look with --nocapture")]

use std::collections::BTreeMap;
use std::process::Command;

use crate::support::assembler::{Bytes, Listpack, Lzf, Rdb};
use crate::support::fixtures::{self, Fixture};
use bigkeys::memory::{Allocator, Basis, Encoding, Footprint, Model, Target, walk};
use bigkeys::rdb::source::Slice;
use bigkeys::rdb::{Kind, Scanner};
use serde_json::Value;

const EXPIRES_AT_MS: i64 = 4_102_444_800_000;

/// A name of 33 bytes with a value of 8: Valkey 9.0 keeps them apart, at 80 bytes, where the model puts them into one of 72.
const AT_A_LIMIT: &str = "string:8:nnnnnnnnnnnnnnnnnnnnnnnn";

#[test]
fn figures_are_those_that_servers_answered() {
    let mut failures = Vec::new();
    for fixture in fixtures::with_memory() {
        let text = |key: &str| fixture.stated[key].as_str().expect("text").to_owned();
        let named = text("allocator");
        let known = |name: &str| name.parse::<Allocator>().ok();
        let allocator = known(&named).or_else(|| known(named.split('-').next()?)).expect("an allocator");
        let target = Target::of(Scanner::new(&fixture.bytes).expect("a dump").context());
        let found = footprints(&fixture.bytes, &Model::new(target, allocator));
        compare(&fixture, allocator, &found, &mut failures);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What the model says of each key, by name.
fn footprints(dump: &[u8], model: &Model) -> BTreeMap<Vec<u8>, Footprint> {
    let mut scanner = Scanner::new(dump).expect("a dump");
    let context = scanner.context().clone();
    let mut found = BTreeMap::new();
    let mut buffer = Vec::new();
    while let Some(entry) = scanner.next().transpose().expect("a sound dump") {
        let mut source = Slice::new(dump, entry.value_offset);
        let footprint = walk::measure(&mut source, &entry.header(), &context, model).expect("a sound value");
        assert_eq!((footprint.measure.kind, footprint.measure.size), (entry.kind, entry.size));
        assert_eq!(
            dump.len() - source.rest().len(),
            usize::try_from(entry.value_offset + entry.value_bytes).expect("a small dump")
        );
        found.insert(entry.key.decode(&mut buffer).expect("a name").to_vec(), footprint);
    }
    found
}

/// What servers answered for keys of one type, what the models say, and the keys further off than 3 %.
#[derive(Default)]
struct Sum {
    keys: u64,
    answered_bytes: u64,
    modelled_bytes: u64,
    exact: u64,
    far: Vec<String>,
}

fn compare(fixture: &Fixture, allocator: Allocator, found: &BTreeMap<Vec<u8>, Footprint>, failures: &mut Vec<String>) {
    let keys = fixture.keys().as_array().expect("keys");
    assert_eq!(keys.len(), found.len(), "{}", fixture.name);
    let mut sums: BTreeMap<(String, Option<&str>), Sum> = BTreeMap::new();
    for key in keys {
        let text = |member: &str| key[member].as_str().expect("text");
        let footprint = &found[text("name").as_bytes()];
        let is_known = text("name") == AT_A_LIMIT && fixture.name.starts_with("valkey-9.0.0");
        if !is_known && footprint.encoding != Encoding::Other && footprint.encoding.name() != text("encoding") {
            failures.push(format!("{} {}: held as {}", fixture.name, text("name"), footprint.encoding.name()));
        }
        let basis = footprint.basis.map(Basis::name);
        let sum = sums.entry((text("type").to_owned(), basis)).or_default();
        let answered_bytes = key["memory_bytes"].as_u64().expect("bytes");
        let Some(modelled_bytes) = footprint.memory_bytes else {
            failures.push(format!("{} {}: no figure", fixture.name, text("name")));
            continue;
        };
        sum.keys += 1;
        sum.answered_bytes += answered_bytes;
        sum.modelled_bytes += modelled_bytes;
        sum.exact += u64::from(answered_bytes == modelled_bytes);
        let off = modelled_bytes as f64 / answered_bytes as f64 - 1.0;
        if off.abs() > 0.03 {
            sum.far.push(format!("{:.30} {answered_bytes} {modelled_bytes}", text("name")));
        }
        // glibc may have given 16 bytes more for each text of the template.
        let most_more = if allocator == Allocator::Libc { 16 } else { 0 };
        let share = template_share(text("name"), allocator);
        if basis == Some("lower_bound") && !(share..=share + most_more).contains(&(answered_bytes - modelled_bytes)) {
            failures.push(format!("{} {}: {answered_bytes}, {modelled_bytes}", fixture.name, text("name")));
        }
    }
    let is_ordinary = fixture.name.ends_with("_ordinary.rdb");
    for ((of_type, basis), sum) in sums {
        let off = sum.modelled_bytes as f64 / sum.answered_bytes as f64 - 1.0;
        let line = format!(
            "{} {of_type} {basis:?}: {} keys, {} exact, {} bytes, {:+.3} %, far: {:?}",
            fixture.name,
            sum.keys,
            sum.exact,
            sum.answered_bytes,
            100.0 * off,
            sum.far
        );
        println!("{line}");
        let is_right = match basis {
            // Where glibc has no use for what is left of a block, it gives 16 bytes more; of large ones it maps some, as it
            // sees fit. Of three streams, or with one such block in 90 strings, that is seen.
            Some("exact") if allocator == Allocator::Libc => off.abs() < if sum.keys < 10 { 0.025 } else { 0.006 },
            // A table that was a packed value at first may be in the middle of growing.
            Some("exact") if is_ordinary => off.abs() < 0.005 && sum.exact * 10 >= sum.keys * 9,
            Some("exact") => sum.exact == sum.keys,
            // Of so few keys, chance does not level out.
            Some("estimate") => off.abs() < 0.03,
            _ => off.abs() < 0.5,
        };
        if !is_right {
            failures.push(line);
        }
    }
}

/// What `MEMORY USAGE` adds to a key of the recorded templates, with fields of one to four letters, or of `f0` to `f599`: a
/// template's 80 bytes, a pointer and the text of each field, divided by its keys. Other keys have none.
fn template_share(name: &str, allocator: Allocator) -> u64 {
    let template_bytes = |fields| 80 + fields * (8 + allocator.usable(6));
    match name.split(':').next() {
        Some("user") => template_bytes(4) / 150,
        Some("long") => template_bytes(4) / 40,
        Some("wide") => template_bytes(600) / 3,
        _ => 0,
    }
}

#[test]
fn a_report_says_what_its_figures_rest_on() {
    let report = |name: &str| -> Value {
        let dump = format!("{}/fixtures/memory/{name}.rdb", env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_bigkeys"));
        let output = command.args(["report", "-q", "--format", "json"]).arg(dump).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("a report")
    };
    let keys = |report: &Value| {
        ["unknown", "lower_bound", "estimated"]
            .map(|basis| report[format!("memory_{basis}_keys")].as_u64().expect("keys"))
    };
    assert_eq!(keys(&report("redis-7.4.1_modules")), [0, 0, 0]);
    assert_eq!(keys(&report("redis-8.10.2_vectors")), [0, 0, 0]);
    let templates = report("redis-8.10.2_templates");
    assert_eq!(keys(&templates), [0, 193, 0]);
    assert!(templates["top"].to_string().contains(r#""memory_basis":"lower_bound""#));
    // Three sorted sets are skiplists.
    assert_eq!(keys(&report("redis-7.2.4_ordinary")), [0, 0, 3]);
}

/// The only key of a dump of this version.
fn only(rdb: Rdb, target: Target) -> Footprint {
    let found = footprints(&rdb.eof(), &Model::new(target, Allocator::Jemalloc));
    assert_eq!(found.len(), 1);
    found.into_values().next().expect("a key")
}

/// A value of a module, under the name `k`.
fn module(name: &str, version: u64, values: impl FnOnce(Bytes) -> Bytes, target: Target) -> Footprint {
    only(Rdb::redis(12).select_db(0).key(7, "k", |b| values(b.module_id(name, version)).end()), target)
}

fn figure(footprint: &Footprint) -> (Option<u64>, Option<Basis>) {
    (footprint.memory_bytes, footprint.basis)
}

/// An element of a vector set in one layer, with one link and room for `links_max`.
fn element(b: Bytes, name: &str, attribute: Option<&str>, links_max: u64) -> Bytes {
    let named = b.text(name);
    let b = attribute.into_iter().fold(named, Bytes::text).text("vector").uint(6);
    [1, 1 << 24, 1, links_max, 2, 3].into_iter().fold(b, Bytes::uint)
}

#[test]
fn a_vector_set_is_counted_by_its_last_elements() {
    // Key 24; set 112 and 1,672; of each vector 312, 3 of Q8, 32 links of 8, the name's 24, 16; layers 24 · 4/3 each, links of
    // upper layers 16 · 8 / 3 each, both rounded down for all.
    let two = |b: Bytes| element(element(b.uint(3).uint(2).uint(16 << 8 | 1).uint(0), "a", None, 9), "b", None, 32);
    let expected = 24 + 1784 + 2 * (312 + 3 + 256 + 24 + 16) + 2 * 24 * 4 / 3 + 2 * 16 * 8 / 3;
    assert_eq!(figure(&module("vectorset", 0, two, Target::Redis8_2)), (Some(expected), Some(Basis::Exact)));
    // Before 8.2 the key is an entry of 24 and a text of 8.
    assert_eq!(module("vectorset", 0, two, Target::Redis8_0).memory_bytes, Some(expected - 24 + 32));

    // Projected from 4 dimensions to 2, which are not quantised; a long name and an attribute, a key that expires.
    let name = "n".repeat(50);
    let projected = |b: Bytes| {
        let head = b.uint(2).uint(1).uint(4 << 8).uint(3).uint(4).text([0; 32]);
        element(head, &name, Some("{}"), 8).end()
    };
    let rdb = Rdb::redis(12).select_db(0).expire_ms(EXPIRES_AT_MS);
    let rdb = rdb.key(7, "k", |b| projected(b.module_id("vectorset", 0)));
    let expected = 32 + 1784 + 32 + (312 + 8 + 64 + 72 + 16) + 24 * 4 / 3 + 4 * 8 / 3 + 24;
    assert_eq!(only(rdb, Target::Redis8_2).memory_bytes, Some(expected));

    // Of 21 elements the first of the dump, with a name of its own length, is not looked at, nor is its attribute.
    let many = |b: Bytes| {
        let head = b.uint(64).uint(21).uint(16 << 8 | 2).uint(2);
        let first = element(head, &"long".repeat(100), Some("attribute"), 32);
        (0..20).fold(first, |b, _| element(b, "element", Some(""), 32))
    };
    let expected = 24 + 1784 + 21 * (312 + 8 + 256 + 32 + 16) + 21 * 24 * 4 / 3 + 21 * 16 * 8 / 3 + 64;
    assert_eq!(module("vectorset", 0, many, Target::Redis8_8).memory_bytes, Some(expected));
}

#[test]
fn what_is_not_laid_out_as_its_type_has_no_figure() {
    let lies: [fn(Bytes) -> Bytes; 6] = [
        |b| b.uint(3).uint(u64::MAX).uint(1).uint(0),
        |b| element(b.uint(3).uint(2).uint(1).uint(0), "a", None, 32),
        |b| element(b.uint(3).uint(1).uint(7).uint(0), "a", None, 32),
        |b| b.uint(3).uint(1).uint(1).uint(0).text("a").text("v").uint(u64::MAX).uint(1),
        |b| b.uint(3).uint(0).uint(1).uint(0),
        |b| b.text("no number"),
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        assert_eq!(figure(&module("vectorset", 0, lie, Target::Redis8_2)), (None, None), "{number}");
    }
    let huge =
        |b: Bytes| element(b.uint(u64::MAX).uint(1).uint(0).uint(1).uint(u64::MAX).text(""), "a", None, u64::MAX);
    assert_eq!(module("vectorset", 0, huge, Target::Redis8_2).memory_bytes, Some(u64::MAX));
    for name in ["MBbloom--", "MBbloomCF", "CMSk-TYPE", "TopK-TYPE", "TDIS-TYPE", "ReJSON-RL", "trietype0", "unknown--"]
    {
        assert_eq!(module(name, 0, |b| b.float(1.0), Target::Redis7_2).memory_bytes, None, "{name}");
    }
    let huge = |b: Bytes| b.uint(u64::MAX).uint(u64::MAX).uint(u64::MAX);
    for name in ["CMSk-TYPE", "TopK-TYPE", "trietype0"] {
        assert_eq!(module(name, 0, huge, Target::Redis7_2).memory_bytes, Some(u64::MAX), "{name}");
    }
    assert_eq!(module("TDIS-TYPE", 0, |b| b.double(f64::NAN), Target::Redis7_2).memory_bytes, None);
}

/// An array of elements of an index each, whose values are integers.
fn array_of(indexes: impl IntoIterator<Item = u64>) -> Footprint {
    let elements: Vec<u64> = indexes.into_iter().collect();
    let value = |b: Bytes| elements.iter().fold(b.len(elements.len() as u64).len(0), |b, at| b.len(*at).len(1).i64(7));
    only(Rdb::redis(14).select_db(0).key(28, "k", value), Target::Redis8_8)
}

#[test]
fn an_array_grows_as_its_elements_come() {
    // The key and its object 20, the array 80, a directory of one slice 8.
    let one_slice = 20 + 80 + 8;
    // Places for 4, 8 and 10 elements with their indexes: 72, 112 and 136 bytes.
    for (elements, slice) in [(1, 80), (4, 80), (5, 112), (8, 112), (9, 160), (10, 160)] {
        assert_eq!(array_of((0..elements).map(|at| at * 2)).memory_bytes, Some(one_slice + slice), "{elements}");
    }
    // From the eleventh on a place for each index: of the first ten, from 0 to 18, 32; then twice as many.
    assert_eq!(array_of((0..11).map(|at| at * 2)).memory_bytes, Some(one_slice + 320));
    assert_eq!(array_of((0..17).map(|at| at * 2)).memory_bytes, Some(one_slice + 640));
    // One that began late in its slice begins earlier to have room; 4,096 places are all.
    assert_eq!(array_of(4080..4095).memory_bytes, Some(one_slice + 160));
    assert_eq!(array_of((0..11).map(|at| at * 400)).memory_bytes, Some(one_slice + 40_960));
    // Slices 0 and 5: a directory of eight.
    assert_eq!(array_of([0, 5 * 4096]).memory_bytes, Some(20 + 80 + 64 + 2 * 80));
    // From slice 2,048 on blocks of 2,048 slices, of which the directory becomes the first.
    assert_eq!(array_of([0, 2048 * 4096]).memory_bytes, Some(20 + 80 + 2 * 80 + 96 + 2 * 16_384));
    assert_eq!(array_of([2048 * 4096]).memory_bytes, Some(20 + 80 + 80 + 96 + 16_384));
    let footprint = array_of([u64::MAX - 1, u64::MAX, 0, 5]);
    assert_eq!((footprint.measure.kind, footprint.encoding), (Kind::Array, Encoding::SlicedArray));
    assert_eq!(footprint.basis, Some(Basis::Exact));

    // Texts over seven bytes have two bytes of header, from 32,768 on eight; integers of more than 62 bits are texts.
    let texts = |b: Bytes| {
        let b = b.len(5).len(1).len(9).len(0).len(0).string("seven b").len(1).len(3).string("abc");
        let b = b.len(2).len(0).string("ten bytes!").len(3).len(0).string("x".repeat(32_768));
        b.len(4).len(1).i64(i64::MAX)
    };
    let footprint = only(Rdb::redis(14).select_db(0).key(28, "k", texts), Target::Redis8_8);
    assert_eq!(footprint.memory_bytes, Some(one_slice + 112 + 16 + 40_960 + 24));
}

#[test]
fn a_hash_in_a_template_counts_what_is_its_own() {
    let rdb = || Rdb::redis(15).hash_template(3, &["a", "bc"]).select_db(0);
    let packed = Listpack::new().int(3).string("value").string("x").build();
    let expected = (Some(20 + packed.len() as u64), Some(Basis::LowerBound));
    let footprint = only(rdb().key(30, "k", |b| b.string(&packed)), Target::Redis8_8);
    assert_eq!((figure(&footprint), footprint.encoding), (expected, Encoding::TemplateListpack));
    let fields = Listpack::new().string("a").string("bc").build();
    let with_fields = |b: Bytes| b.len(0).string(&fields).string(&packed);
    assert_eq!(figure(&only(rdb().key(29, "k", with_fields), Target::Redis8_8)), expected);

    // A head of 16, two pointers, a short text as it is and a long one as it was allocated.
    let long = "y".repeat(40);
    let expected = (Some(20 + 16 + 16 + 5 + 48), Some(Basis::LowerBound));
    let footprint = only(rdb().key(32, "k", |b| b.len(3).string("abc").string(&long)), Target::Redis8_8);
    assert_eq!((figure(&footprint), footprint.encoding), (expected, Encoding::TemplateArray));
    let with_fields = |b: Bytes| b.len(1).strings(&["a", "bc"]).string("abc").string(&long);
    assert_eq!(figure(&only(rdb().key(31, "k", with_fields), Target::Redis8_8)), expected);
}

#[test]
fn a_count_min_sketch_counts_itself_twice_up_to_8_4() {
    let sketch = |b: Bytes| b.uint(100).uint(4).uint(0).text([0; 1600]);
    assert_eq!(figure(&module("CMSk-TYPE", 0, sketch, Target::Redis7_4)), (Some(32 + 8 + 3200), Some(Basis::Exact)));
    assert_eq!(figure(&module("CMSk-TYPE", 0, sketch, Target::Redis8_2)), (Some(24 + 8 + 3200), Some(Basis::Estimate)));
    assert_eq!(
        figure(&module("CMSk-TYPE", 0, sketch, Target::Redis8_6)),
        (Some(24 + 32 + 1600), Some(Basis::Estimate))
    );
}

/// What a document takes without its key.
fn document(text: &str) -> Option<u64> {
    let whole = module("ReJSON-RL", 3, |b| b.text(text), Target::Redis7_4).memory_bytes;
    whole.map(|bytes| bytes - 32)
}

#[test]
fn a_json_document_is_what_its_values_take() {
    for (text, bytes) in [
        ("null", 8),
        (" true ", 8),
        ("-128", 8),
        ("384", 12),
        ("8388608", 24),
        ("1.0", 24),
        ("123456789012345678901234567890", 24),
        (r#""abc""#, 11),
        // Six characters of 1, 1, 1, 2, 3 and 4 bytes.
        (r#""a\"\u0041\u00e9\u20ac\ud83d\ude00""#, 8 + 12),
        ("[]", 8),
        ("{}", 8),
        ("[1,2,300,\"x\"]", 8 + 8 * 6 + 8 + 8 + 8 + 9),
        ("[1,2,3,4,5]", 8 + 8 * 10 + 5 * 8),
        (r#"{"a":[], "b,}": {"c": "]"}}"#, 8 + 8 * 14 + (1 + 8) + (3 + 8 + 8 * 14 + 1 + 9)),
    ] {
        assert_eq!(document(text), Some(bytes), "{text}");
    }
    for text in ["", "1 2", "[1", "]", "[}", "{]", "x", "\"open", &"[".repeat(5000), &"[".repeat(1_000_000)] {
        assert_eq!(document(text), None, "{text:.20}");
    }
    // As deep as is followed.
    let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    assert_eq!(document(&deep), Some(1000 * 8 + 999 * 8 * 6));

    // Compressed, it is inflated step by step; one that is damaged costs its figure alone.
    let run = Lzf::new().literal("\"a").back(1, 200).literal("\"");
    let lzf = |b: Bytes| b.len(5).lzf(&run);
    assert_eq!(module("ReJSON-RL", 3, lzf, Target::Redis7_4).memory_bytes, Some(32 + 8 + 201));
    let damaged = |b: Bytes| b.len(5).lzf_claim(3, 100, [0x20, 0xff, 0xff]);
    assert_eq!(figure(&module("ReJSON-RL", 3, damaged, Target::Redis7_4)), (None, None));
}

#[test]
fn a_series_of_an_unknown_version_counts_its_samples_at_least() {
    let series = |b: Bytes| b.text("name").uint(0).uint(4096).text([0; 500]);
    assert_eq!(
        figure(&module("TSDB-TYPE", 2, series, Target::Redis7_2)),
        (Some(32 + 8 + 504), Some(Basis::LowerBound))
    );
}

#[test]
fn basis_says_where_chance_is() {
    let set = |b: Bytes| (0..200).fold(b.len(200), |b, at| b.string(format!("member {at}")));
    let zset = |b: Bytes| (0..200).fold(b.len(200), |b, at| b.string(format!("member {at}")).f64(1.0));
    let basis = |value_type, value: &dyn Fn(Bytes) -> Bytes, target| {
        only(Rdb::redis(11).select_db(0).key(value_type, "k", value), target).basis
    };
    assert_eq!(basis(2, &set, Target::Redis7_2), Some(Basis::Exact));
    assert_eq!(basis(2, &set, Target::Valkey9_1), Some(Basis::Estimate));
    assert_eq!(basis(5, &zset, Target::Redis7_2), Some(Basis::Estimate));
    assert_eq!(basis(0, &|b| b.string("text"), Target::Valkey9_1), Some(Basis::Exact));
}
