//! Keys of dumps as dumps: the same keys whichever way they are read and for whichever version they are written, loaded by
//! servers, and nothing left out in silence.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use crate::support::assembler::{Listpack, Rdb};
use crate::support::fixtures;
use crate::support::more_servers::{self, Known};
use crate::support::ways::Scratch;
use bigkeys::analysis::filter::{Expired, Filter};
use bigkeys::compare::{DumpDigest, digest};
use bigkeys::extract::{Extracted, Format, Masters, Plan, extract};
use bigkeys::memory::Target;
use bigkeys::rdb::Kind;
use bigkeys::{Dump, Options, Pattern, Progress};

/// What is written for these dumps, an output each, and what is told.
fn extracted(dumps: &[&Path], wanted: &Filter, plan: &Plan, options: &Options) -> (Vec<Vec<u8>>, Extracted) {
    let dumps: Vec<Dump> = dumps.iter().map(Dump::from).collect();
    let mut outputs = vec![Vec::new(); plan.outputs()];
    let told =
        extract(&dumps, wanted, plan, options, &Arc::new(Progress::default()), outputs.iter_mut().collect::<Vec<_>>());
    (outputs, told.expect("the dumps can be opened"))
}

fn all(dump: &Path, plan: &Plan) -> (Vec<u8>, Vec<String>) {
    let (mut outputs, told) = extracted(&[dump], &Filter::default(), plan, &Options::default());
    (outputs.remove(0), sentences(&told))
}

fn sentences(told: &Extracted) -> Vec<String> {
    told.errors.iter().map(ToString::to_string).collect()
}

fn version(version: u32) -> Plan {
    Plan { format: Some(Format::of_version(version).expect("a version")), ..Plan::default() }
}

fn digest_of(path: &Path, target: Target, wanted: &Filter) -> (DumpDigest, Vec<String>) {
    let progress = Arc::new(Progress::default());
    let found = digest(&Dump::from(path), wanted, Some(target), &Options::default(), &progress);
    let (digest, exported) = found.expect("the dump can be opened");
    (digest, exported.errors.iter().map(ToString::to_string).collect())
}

/// What is written of a sound dump is sound.
fn assert_sound(original: &Path, path: &Path, what: &str) {
    let check =
        |path| bigkeys::check::check(path, &bigkeys::check::Options::default()).expect("the file can be opened");
    let report = check(path);
    assert!(report.sound || !check(original).sound, "{what}: {report}");
}

fn key_count(path: &Path) -> usize {
    let bytes = fs::read(path).expect("the dump");
    bigkeys::rdb::Scanner::new(&bytes).expect("a dump").flatten().count()
}

const TARGET: Target = Target::Redis8_10;

#[test]
fn everything_and_everything_again_is_the_same() {
    let scratch = Scratch::new();
    let mut compared = 0;
    for fixture in fixtures::sound().into_iter().filter(|fixture| fixture.bytes.len() < 100_000) {
        let name = &fixture.name;
        let (first, errors) = all(&fixture.path, &Plan::default());
        // What has no place in a dump any more, and functions that no server loads.
        let known = ["module data after the first", "function library", "(KeyDB)"];
        let named = errors.iter().all(|error| known.iter().any(|known| error.contains(known)));
        assert!(named, "{name}: {errors:?}");
        let path = scratch.write("first.rdb", &first);
        assert_sound(&fixture.path, &path, name);
        let (before, faults) = digest_of(&fixture.path, TARGET, &Filter::default());
        assert_eq!(digest_of(&path, TARGET, &Filter::default()).0, before, "{name}");
        compared += usize::from(faults.is_empty() && before.keys > 0);
        let (second, _) = all(&path, &Plan::default());
        assert!(second == first, "{name}: not the same bytes");
    }
    assert!(compared > 150, "only {compared} fixtures have digests");
}

#[test]
fn every_version_that_is_written_holds_the_same_keys_or_names_them() {
    let scratch = Scratch::new();
    let mut encoded = 0;
    for fixture in fixtures::sound().into_iter().filter(|fixture| fixture.bytes.len() < 6_000) {
        let keys = digest_of(&fixture.path, TARGET, &Filter::default());
        for number in [6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 80] {
            let what = format!("{} as {number}", fixture.name);
            let (written, errors) = all(&fixture.path, &version(number));
            let path = scratch.write("written.rdb", &written);
            assert_sound(&fixture.path, &path, &what);
            let found = digest_of(&path, TARGET, &Filter::default());
            if errors.is_empty() && keys.1.is_empty() {
                assert_eq!(found, keys, "{what}");
                encoded += 1;
            } else {
                let about_keys = errors.iter().filter(|error| error.contains(", key ")).count();
                let stated = fixture.keys().as_array().expect("keys").len();
                assert_eq!(key_count(&path) + about_keys, stated, "{what}: {errors:?}");
            }
        }
    }
    assert!(encoded > 1_000, "only {encoded} dumps were written whole");
}

#[test]
fn every_way_of_reading_writes_the_same_bytes() {
    for fixture in fixtures::sound().into_iter().filter(|fixture| fixture.bytes.len() < 8_000) {
        let (expected, _) = all(&fixture.path, &Plan::default());
        for (threads, segment_bytes) in [(2, 300), (3, 70)] {
            let mut options = Options::default();
            (options.threads, options.segment_bytes) = (threads, segment_bytes);
            let (written, _) = extracted(&[&fixture.path], &Filter::default(), &Plan::default(), &options);
            assert!(written[0] == expected, "{}: {threads} threads, {segment_bytes} bytes", fixture.name);
        }
        let scratch = Scratch::new();
        let packed = scratch.path("dump.rdb.lz4");
        let mut encoder = lz4_flex::frame::FrameEncoder::new(fs::File::create(&packed).unwrap());
        encoder.write_all(&fixture.bytes).unwrap();
        encoder.finish().unwrap();
        let mut options = Options::default();
        options.window_bytes = 61;
        let (written, _) = extracted(&[&packed], &Filter::default(), &Plan::default(), &options);
        assert!(written[0] == expected, "{} as a stream", fixture.name);
    }
}

#[test]
fn records_are_copied_to_the_byte() {
    let scratch = Scratch::new();
    let keys = |rdb: Rdb| {
        rdb.select_db(0)
            .expire_seconds(4_102_444)
            .key_as(0, |name| name.string_i8(7), |value| value.string_i16(300))
            .select_db(9)
            .expire_ms(4_102_444_800_000)
            .idle(70_000)
            .key(16, "h", |value| value.string(Listpack::new().string("a").int(1).build()))
            .freq(200)
            .key(0, "s", |value| value.string("text"))
    };
    let head = |rdb: Rdb| rdb.aux("redis-ver", "7.0.15").aux("ctime", "1700000000");
    let dump =
        keys(head(Rdb::redis(10)).aux("used-mem", "9").function("#!lua name=l\n").resize_db(1, 0)).slot_info(1, 1, 1);
    let path = scratch.write("dump.rdb", &dump.aux("lua", "return 1").eof());
    let (written, errors) = all(&path, &Plan::default());
    assert_eq!(errors, [""; 0]);
    let expected = keys(head(Rdb::redis(10)).function("#!lua name=l\n")).eof();
    assert_eq!(written.escape_ascii().to_string(), expected.escape_ascii().to_string());
    // A database that is selected between an expiry and its key counts for the key.
    let dump = Rdb::redis(9).select_db(1).expire_ms(5).select_db(2).key(0, "k", |value| value.string("v"));
    let path = scratch.write("late.rdb", &dump.eof());
    let expected = Rdb::redis(9).select_db(2).expire_ms(5).key(0, "k", |value| value.string("v")).eof();
    assert_eq!(all(&path, &Plan::default()).0, expected);
}

#[test]
fn filters_choose_and_databases_are_renumbered() {
    let scratch = Scratch::new();
    let one = |rdb: Rdb, db, name: &str| rdb.select_db(db).key(0, name, |value| value.string("v"));
    let dump = one(one(one(Rdb::redis(9).function("#!lua name=l\n"), 0, "a"), 3, "b"), 3, "c");
    let path = scratch.write("dump.rdb", &dump.expire_ms(1).key(0, "old", |value| value.string("v")).eof());
    let wanted = Filter {
        databases: vec![3],
        patterns: vec![Pattern::glob("[bo]*").unwrap()],
        expired: Expired::Skip,
        now_ms: Some(2),
        ..Filter::default()
    };
    let plan = Plan { databases: BTreeMap::from([(3, 70)]), ..Plan::default() };
    let (written, told) = extracted(&[&path], &wanted, &plan, &Options::default());
    assert_eq!(sentences(&told), [""; 0]);
    assert_eq!(told.notes, ["function libraries and module data are copied only if all keys are"]);
    assert_eq!((told.keys, told.bytes), (vec![1], vec![written[0].len() as u64]));
    assert_eq!(written[0], one(Rdb::redis(9), 70, "b").eof());
}

#[test]
fn names_that_clash_are_named() {
    let scratch = Scratch::new();
    let one = |rdb: Rdb, db, name: &str, text: &str| rdb.select_db(db).key(0, name, |value| value.string(text));
    let first = scratch.write("first.rdb", &one(one(Rdb::redis(9), 0, "a", "1"), 2, "b", "1").eof());
    let second = scratch.write("second.rdb", &one(one(Rdb::redis(9), 0, "a", "2"), 1, "b", "2").eof());
    let (written, told) = extracted(&[&first, &second], &Filter::default(), &Plan::default(), &Options::default());
    let expected = one(one(one(Rdb::redis(9), 0, "a", "1"), 2, "b", "1"), 1, "b", "2").eof();
    assert_eq!(written[0], expected);
    let sentences = sentences(&told);
    assert!(
        sentences.len() == 1
            && sentences[0].ends_with(
                "second.rdb: at byte 11, key \"a\": a key of this name is in database 0 of the output already"
            ),
        "{sentences:?}"
    );
    let plan = Plan { databases: BTreeMap::from([(1, 2)]), ..Plan::default() };
    let (_, told) = extracted(&[&first, &second], &Filter::default(), &plan, &Options::default());
    assert_eq!((told.errors.len(), told.keys), (2, vec![2]));
    // Function libraries of one name that differ.
    let function = |code: &str| Rdb::redis(10).function(&format!("#!lua name=l\n{code}")).eof();
    let (one, two) = (scratch.write("one.rdb", &function("1")), scratch.write("two.rdb", &function("2")));
    let (_, told) = extracted(&[&one, &two, &one], &Filter::default(), &Plan::default(), &Options::default());
    assert_eq!(told.errors.len(), 1);
    assert!(told.errors[0].to_string().ends_with("two.rdb: another function library \"l\" is in the output already"));
}

#[test]
fn keys_go_to_the_masters_of_their_slots() {
    let scratch = Scratch::new();
    // The slots of these are 15495, 3300 and 7365.
    let names = ["a", "b", "c"];
    let dump = names.iter().fold(Rdb::redis(9).select_db(0), |rdb, name| rdb.key(0, name, |value| value.string(name)));
    let path = scratch.write("dump.rdb", &dump.eof());
    let node = |id: &str, slots: &str| format!("{id} 127.0.0.1:1@2 master - 0 0 1 connected {slots}\n");
    let masters = Masters::parse(&(node("aa", "0-5000") + &node("bb", "15495"))).unwrap();
    let plan = Plan { masters: Some(masters), ..Plan::default() };
    let (written, told) = extracted(&[&path], &Filter::default(), &plan, &Options::default());
    let of = |name: &str| Rdb::redis(9).select_db(0).key(0, name, |value| value.string(name)).eof();
    assert_eq!(written, [of("b"), of("a")]);
    assert_eq!(told.keys, [1, 1]);
    let sentences = sentences(&told);
    assert!(
        sentences.len() == 1 && sentences[0].ends_with("the slot of the key, 7365, belongs to no master"),
        "{sentences:?}"
    );
}

#[test]
fn what_a_version_does_not_hold_is_named() {
    let scratch = Scratch::new();
    let fields = |value: crate::support::assembler::Bytes| value.u64(5_000).len(1).len(1).string("f").string("v");
    let dump = Rdb::redis(14)
        .key_meta("clas", |values| values.uint(1).end())
        .key(0, "meta", |value| value.string("v"))
        .key(24, "fields", fields)
        .key(0, "plain", |value| value.string("v"));
    let path = scratch.write("dump.rdb", &dump.eof());
    let (written, errors) = all(&path, &version(10));
    assert_eq!(written, Rdb::redis(10).select_db(0).key(0, "plain", |value| value.string("v")).eof());
    assert!(errors.len() == 2, "{errors:?}");
    assert!(errors[0].contains("key \"meta\": it carries metadata of modules, which version 10 of the Redis format"));
    assert!(errors[1].contains("key \"fields\": 1 of its fields expire, which version 10 of the Redis format"));
    // Valkey has another form for the same.
    let (written, errors) = all(&path, &version(80));
    assert_eq!(errors.len(), 1, "{errors:?}");
    let fields = |value: crate::support::assembler::Bytes| value.len(1).string("f").string("v").i64(5_000);
    let expected = Rdb::valkey(80).select_db(0).key(22, "fields", fields).key(0, "plain", |value| value.string("v"));
    assert_eq!(written, expected.eof());
    // And back.
    let path = scratch.write("valkey.rdb", &written);
    let (back, errors) = all(&path, &version(12));
    assert_eq!(errors, [""; 0]);
    let fields = |value: crate::support::assembler::Bytes| value.u64(5_000).len(1).len(1).string("f").string("v");
    let expected = Rdb::redis(12).select_db(0).key(24, "fields", fields).key(0, "plain", |value| value.string("v"));
    assert_eq!(back, expected.eof());
}

#[test]
fn servers_load_what_was_asked_for() {
    let known = more_servers::all();
    let scratch = Scratch::new();
    for source in &known {
        let mut server = source.start(None, &[]);
        if source.is_of_ci {
            crate::support::fill::fill(&mut server, 400, 5);
        } else {
            let has_field_ttls =
                (Target::Redis7_4..Target::Valkey8_0).contains(&source.target) || source.target >= Target::Valkey9_0;
            crate::support::memory_fill::fill(
                &mut server,
                crate::support::memory_fill::Abilities { field_ttls: has_field_ttls },
                1,
                5,
            );
        }
        server.ask(&["SAVE"]);
        let dump = scratch.path("dump.rdb");
        fs::copy(server.dump(), &dump).expect("a copy");
        drop(server);
        let lists = Filter { kinds: vec![Kind::List, Kind::Hash, Kind::Stream], ..Filter::default() };
        for wanted in [Filter::default(), lists] {
            let (written, told) = extracted(&[&dump], &wanted, &Plan::default(), &Options::default());
            assert_eq!(sentences(&told), [""; 0], "{}", source.version);
            let expected = digest_of(&dump, source.target, &wanted).0.digest.to_string();
            loads(source, &scratch.write("written.rdb", &written[0]), &expected, &source.version);
        }
        // For the oldest server there is.
        let (oldest, number) = (&known[0], 10);
        let (written, _) = all(&dump, &version(number));
        let path = scratch.write("written.rdb", &written);
        let expected = digest_of(&path, oldest.target, &Filter::default()).0;
        assert!(expected.keys > 100);
        loads(oldest, &path, &expected.digest.to_string(), &format!("{} for {}", source.version, oldest.version));
    }
}

fn loads(known: &Known, dump: &Path, expected: &str, what: &str) {
    // Packed sorted sets keep no score of -0: a server that packs those that were not would change them.
    let mut server = known.start(Some(dump), &["--zset-max-listpack-entries", "0"]);
    let answered = server.ask(&["DEBUG", "DIGEST"]).into_bytes();
    assert_eq!(String::from_utf8_lossy(&answered), expected, "{what}");
}
