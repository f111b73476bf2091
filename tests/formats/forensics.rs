//! Searches against a slow, obvious one, times of every kind, and dumps inside other files.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bigkeys::analysis::filter::Filter;
use bigkeys::check::{self, Checksum, check_bytes};
use bigkeys::forensics::{CONTEXT_BYTES, Carved, Match, Moment, SPLIT_MATCH_BYTES_MAX, Search, carve, grep, timeline};
use bigkeys::rdb::packed::Text;
use bigkeys::rdb::{Element, Kind, Scanner};
use bigkeys::values::stream::{self, StreamPart};
use bigkeys::values::{Fault, Value};
use bigkeys::{Dump, Options, Pattern, Progress};

use super::support::assembler::{Bytes, Listpack, Lzf, Rdb};
use super::support::fixtures;

/// Key's offset, database, name, place, index, offset in the text.
type Found = (u64, Option<(u64, Vec<u8>)>, &'static str, Option<u64>, u64);

fn found(path: &Path, pattern: &Pattern, filter: &Filter, options: &Options) -> Vec<Found> {
    let mut all = Vec::new();
    searched(path, pattern, filter, options, |hit| {
        let key = hit.key.map(|(db, name)| (db, name.to_vec()));
        all.push((hit.key_offset, key, hit.place.name(), hit.index, hit.at));
    });
    all
}

fn searched(path: &Path, pattern: &Pattern, filter: &Filter, options: &Options, take: impl FnMut(&Match<'_>) + Send) {
    let search = Search::new(pattern.clone(), false).expect("a pattern");
    grep(&Dump::from(path), &search, filter, options, &Arc::default(), take).expect("the file can be opened");
}

/// The offsets at which `needle` begins in `text`, without those inside another.
fn naive(text: &[u8], needle: &[u8]) -> Vec<u64> {
    let mut at = 0;
    let mut offsets = Vec::new();
    while at + needle.len() <= text.len() {
        if &text[at..at + needle.len()] == needle {
            offsets.push(at as u64);
            at += needle.len();
        } else {
            at += 1;
        }
    }
    offsets
}

/// Every text of every key, one after the other; none if the scanner cannot read the dump.
fn slowly(dump: &[u8], needle: &[u8]) -> Option<Vec<Found>> {
    let mut scanner = Scanner::new(dump).ok()?;
    let mut all = Vec::new();
    while let Some(entry) = scanner.next() {
        let entry = entry.ok()?;
        let mut buffer = Vec::new();
        let name = entry.key.decode(&mut buffer).ok()?.to_vec();
        let key = Some((scanner.db(), name.clone()));
        let mut search = |place, index, text: &[u8]| {
            all.extend(naive(text, needle).into_iter().map(|at| (entry.offset, key.clone(), place, index, at)));
        };
        let bytes = |text: Text<'_>| match text {
            Text::Bytes(bytes) => bytes.to_vec(),
            Text::Int(number) => number.to_string().into_bytes(),
        };
        search("name", None, &name);
        let value = Value::new(scanner.value(&entry), entry.value_offset, entry.value_type, scanner.context());
        let mut next = 0;
        let decoded = value.for_each(|element| {
            let mut index = Some(next);
            next += 1;
            match element {
                Element::Value(text) if entry.kind == Kind::String => search("value", None, &bytes(text)),
                Element::Value(text) if entry.kind == Kind::Set => search("member", index, &bytes(text)),
                Element::Value(text) | Element::TemplateValue(text) => search("element", index, &bytes(text)),
                Element::Field { field, value, .. } => {
                    search("field", index, &bytes(field));
                    search("field_value", index, &bytes(value));
                }
                Element::Member { member, .. } => search("member", index, &bytes(member)),
                Element::StreamField { is_first, field, value, .. } => {
                    if !is_first {
                        next -= 1;
                        index = Some(next - 1);
                    }
                    search("field", index, &bytes(field));
                    search("field_value", index, &bytes(value));
                }
                Element::Item { index, value } => search("element", Some(index), &bytes(value)),
                Element::Module(bigkeys::rdb::packed::module::ModuleValue::String(text)) => {
                    search("element", index, &bytes(text));
                }
                Element::Module(bigkeys::rdb::packed::module::ModuleValue::Signed(number)) => {
                    search("element", index, number.to_string().as_bytes());
                }
                Element::FloatItem { .. } | Element::Module(_) => {}
            }
        });
        match decoded {
            Err(Fault::Unsupported(_)) => search("stored", None, value.stored()),
            Err(_) => return None,
            Ok(()) if entry.kind == Kind::Stream => stream::for_each(&value, |part| match part {
                StreamPart::Group { name, .. } => search("group", None, &bytes(name)),
                StreamPart::Consumer { name, .. } => search("consumer", None, &bytes(name)),
                _ => {}
            })
            .ok()?,
            Ok(()) => {}
        }
    }
    Some(all)
}

#[test]
fn a_search_finds_what_a_slow_one_finds_whatever_the_segments() {
    let (mut compared, mut places) = (0, std::collections::BTreeSet::new());
    // Without what is not keys'; the pattern matches every name.
    let keys_alone = Filter { patterns: vec![Pattern::glob("*").unwrap()], ..Filter::default() };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("with_times.rdb");
    fs::write(&path, with_times()).unwrap();
    let mut dumps = vec![(path, with_times())];
    dumps.extend(fixtures::sound().into_iter().map(|fixture| (fixture.path, fixture.bytes)));
    for (path, bytes) in dumps.iter().filter(|(_, bytes)| bytes.len() < 300_000) {
        // Tiny segments of large dumps take long.
        let segment_bytes = (bytes.len() / 20).max(100);
        for needle in [&b"1"[..], b"g", b"c"] {
            let Some(expected) = slowly(bytes, needle) else { continue };
            let pattern = Pattern::fixed(needle).unwrap();
            let mut options = Options::default();
            options.threads = 1;
            let whole = found(path, &pattern, &keys_alone, &options);
            assert!(whole == expected, "{}: {} of {}", path.display(), whole.len(), expected.len());
            options.threads = 3;
            options.segment_bytes = segment_bytes;
            assert!(found(path, &pattern, &keys_alone, &options) == expected, "{} in segments", path.display());
            compared += expected.len();
            places.extend(expected.iter().map(|found| found.2));
        }
    }
    assert!(compared > 10_000, "{compared}");
    for place in ["name", "value", "element", "member", "field", "field_value", "group", "consumer"] {
        assert!(places.contains(place), "no match in a {place}");
    }
}

fn in_file(dump: &[u8], pattern: &str) -> Vec<Found> {
    let folder = tempfile::tempdir().expect("a folder, a file, a pattern");
    let path = folder.path().join("dump.rdb");
    fs::write(&path, dump).expect("a folder, a file, a pattern");
    let pattern = Pattern::regex(pattern).expect("a folder, a file, a pattern");
    found(&path, &pattern, &Filter::default(), &Options::default())
}

#[test]
fn what_is_not_a_keys_is_searched_too() {
    let dump = Rdb::redis(10)
        .aux("redis-ver", "7.0.15")
        .function("#!lua name=evil\n")
        .select_db(0)
        .key(0, "k", |b| b.string("evil"))
        .aux("lua", "return 'evil'")
        .key(0, "evil", |b| b.string("v"))
        .aux("lua", "evil at the end")
        .eof();
    let places: Vec<_> = in_file(&dump, "evil").into_iter().map(|found| (found.2, found.4)).collect();
    assert_eq!(places, [("function", 11), ("value", 0), ("aux", 8), ("name", 0), ("aux", 0)]);
}

#[test]
fn compressed_and_packed_texts_are_searched_as_they_are_read() {
    let compressed = Lzf::new().literal("pass").back(4, 8).literal("word");
    let packed = Listpack::new().string("token").int(-4096).string("secret").build();
    let dump = Rdb::redis(10).select_db(0).key(0, "c", |b| b.lzf(&compressed)).eof();
    let offsets: Vec<u64> = in_file(&dump, "passpassword").into_iter().map(|found| found.4).collect();
    assert_eq!(offsets, [4]);
    let list = Rdb::redis(10).select_db(0).key(18, "l", |b| b.len(1).len(2).string(&packed)).eof();
    let elements: Vec<_> = in_file(&list, "^(-4096|secret)$").into_iter().map(|found| found.3).collect();
    assert_eq!(elements, [Some(1), Some(2)]);
}

#[test]
fn a_long_compressed_string_is_searched_in_pieces() {
    // More than 32 MiB, with words and long matches across the places where pieces end.
    let mut text = Lzf::new().literal("start needle<").back(1, 3);
    let mut words = vec![6_u64];
    let mut long = Vec::new();
    while text.plain().len() < 33 << 20 {
        long.push(text.plain().len() as u64);
        text = (0..220).fold(text.literal("<"), |text, _| text.literal("y").back(1, 264)).literal(">");
        text = (0..(1 << 20) / 264).fold(text.literal("x"), |text, _| text.back(1, 264));
        words.push(text.plain().len() as u64);
        text = text.literal("needle");
    }
    const { assert!(SPLIT_MATCH_BYTES_MAX >= 220 * 265 + 2) };
    let dump = Rdb::redis(10).select_db(0).key(0, "long", |b| b.lzf(&text.literal("e"))).eof();
    let offsets: Vec<u64> = in_file(&dump, "^needle|needle|<y+>|needlee$").into_iter().map(|found| found.4).collect();
    let mut expected = [words, long].concat();
    expected.sort_unstable();
    assert_eq!(offsets, expected);
}

#[test]
fn a_match_is_told_with_what_surrounds_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.rdb");
    let text = format!("{}needle{}", "ä".repeat(60), "ö".repeat(60));
    fs::write(&path, Rdb::redis(10).select_db(3).key(0, "k", |b| Bytes::string(b, &text)).eof()).unwrap();
    let mut seen = 0;
    let pattern = Pattern::fixed(b"needle").unwrap();
    searched(&path, &pattern, &Filter::default(), &Options::default(), |hit| {
        assert_eq!(hit.key, Some((3, &b"k"[..])));
        assert_eq!((hit.at, hit.bytes, hit.matched), (120, 6, &b"needle"[..]));
        assert_eq!(hit.before, "ä".repeat(CONTEXT_BYTES / 2).as_bytes());
        assert_eq!(hit.after, "ö".repeat(CONTEXT_BYTES / 2).as_bytes());
        seen += 1;
    });
    assert_eq!(seen, 1);
}

// ---- times

fn events(path: &Path, all_entries: bool, options: &Options) -> Vec<(Moment, Option<i64>, String)> {
    let mut all = Vec::new();
    timeline(&Dump::from(path), all_entries, &Filter::default(), options, &Arc::default(), |event| {
        let texts = [event.key.map(|(_, name)| name), event.field, event.group, event.consumer].into_iter().flatten();
        let texts: Vec<String> = texts.map(|text| text.escape_ascii().to_string()).collect();
        let id = event.id.map_or(String::new(), |(ms, sequence)| format!(" {ms}-{sequence}"));
        let deliveries = event.deliveries.map_or(String::new(), |number| format!(" x{number}"));
        all.push((event.moment, event.at_ms, texts.join("/") + &id + &deliveries));
    })
    .expect("the file can be opened");
    all
}

const AT_S: i64 = 1_700_000_000;
const AT_MS: i64 = AT_S * 1000;

/// A dump with one of each event.
fn with_times() -> Vec<u8> {
    let at = |ms: i64| u64::try_from(AT_MS + ms).expect("after 1970");
    let entries = Listpack::new()
        // Three entries, none deleted, of one field.
        .int(3)
        .int(0)
        .int(1)
        .string("f")
        .int(0);
    let entry = |entries: Listpack, ms: i64| entries.int(2).int(ms).int(0).string("v").int(4);
    let entries = [0, 10, 20].into_iter().fold(entries, entry).build();
    let node = [at(0).to_be_bytes(), 1_u64.to_be_bytes()].concat();
    let pending = [at(10).to_be_bytes(), 1_u64.to_be_bytes()].concat();
    Rdb::redis(12)
        .aux("ctime", &AT_S.to_string())
        .aux("repl-id", "abc")
        .aux("repl-offset", "77")
        .select_db(0)
        .expire_ms(AT_MS + 1)
        .key(0, "expires", |b| b.string("v"))
        .idle(60)
        .key(0, "idle", |b| b.string("v"))
        .key(25, "fields", |b| {
            let fields = Listpack::new().string("a").string("1").int(AT_MS + 2).string("b").string("2").int(0);
            b.i64(AT_MS + 2).string(fields.build())
        })
        .key(21, "stream", |b| {
            b.len(1)
                .string(&node)
                .string(&entries)
                // Length, last ID, first ID, greatest deleted ID, entries added.
                .len(3)
                .len(at(30))
                .len(0)
                .len(at(0))
                .len(1)
                .len(at(5))
                .len(0)
                .len(5)
                // One group: last delivered, entries read, one pending entry, one consumer that has it.
                .len(1)
                .string("g")
                .len(at(10))
                .len(1)
                .len(2)
                .len(1)
                .raw(&pending)
                .i64(AT_MS + 40)
                .len(3)
                .len(1)
                .string("c")
                .i64(AT_MS + 50)
                .i64(AT_MS + 45)
                .len(1)
                .raw(&pending)
        })
        .eof()
}

#[test]
fn everything_that_has_a_time_is_on_the_timeline() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.rdb");
    fs::write(&path, with_times()).unwrap();
    let mut options = Options::default();
    let all = events(&path, true, &options);
    let id = |ms: i64, sequence: u64| format!("stream {}-{sequence}", AT_MS + ms);
    let in_group = |ms: i64| format!("stream/g {}-1", AT_MS + ms);
    let expected = [
        (Moment::DumpCreated, 0, String::new()),
        (Moment::KeyExpires, 1, "expires".to_owned()),
        (Moment::KeyUsed, -60_000, "idle".to_owned()),
        (Moment::FieldExpires, 2, "fields/a".to_owned()),
        (Moment::FirstEntry, 0, id(0, 1)),
        (Moment::Entry, 10, id(10, 1)),
        (Moment::LastEntry, 20, id(20, 1)),
        (Moment::LastIdAdded, 30, id(30, 0)),
        (Moment::DeletedEntry, 5, id(5, 0)),
        (Moment::GroupEntry, 10, in_group(10)),
        (Moment::ConsumerSeen, 50, "stream/g/c".to_owned()),
        (Moment::ConsumerActive, 45, "stream/g/c".to_owned()),
        (Moment::Delivered, 40, format!("stream/g/c {}-1 x3", AT_MS + 10)),
    ];
    assert_eq!(all, expected.clone().map(|(moment, ms, text)| (moment, Some(AT_MS + ms), text)));
    let some = events(&path, false, &options);
    assert_eq!(some.len(), all.len() - 1, "all entries but the first and the last are left out");
    options.threads = 3;
    options.segment_bytes = 16;
    assert_eq!(events(&path, true, &options), all);
}

// ---- dumps inside other files

fn carved(image: &[u8]) -> Vec<Carved> {
    let mut finds = Vec::new();
    assert!(carve(image, &Progress::default(), &mut |find| {
        finds.push(find.clone());
        true
    }));
    finds
}

fn small_dump(keys: u32) -> Vec<u8> {
    let dump = Rdb::redis(11).aux("redis-ver", "7.2.0").select_db(0);
    (0..keys).fold(dump, |rdb, at| rdb.key(0, format!("key:{at}"), |b| b.string(format!("value {at}")))).eof()
}

#[test]
fn dumps_are_found_wherever_they_are_and_told_sound_cut_or_damaged() {
    let sound = small_dump(3);
    let mut changed = small_dump(4);
    let at = changed.len() - 12;
    changed[at] ^= 1;
    let mut damaged = small_dump(5);
    let in_third = damaged.windows(5).position(|window| window == b"key:2").unwrap();
    damaged[in_third - 2] = 0x5a;
    let cut = &small_dump(6)[..100];
    let junk = b"REDIS0011 is a magic, and VALKEY080 is one; REDIS0000 is none";
    let image = [&vec![0; 1 << 20][..], &sound, junk, &changed, junk, &damaged, &[7; 9000], cut].concat();
    let finds = carved(&image);
    let start = |dump: &[u8], from: usize| from + image[from..].windows(dump.len()).position(|w| w == dump).unwrap();
    let starts = [&sound[..], &changed, &damaged, cut].map(|dump| start(dump, (1 << 20) - 1) as u64);
    assert_eq!(finds.iter().map(|find| find.offset).collect::<Vec<_>>(), starts);
    let kinds: Vec<_> =
        finds.iter().map(|find| (find.checksum, find.is_cut, find.damage.is_some(), find.keys)).collect();
    assert_eq!(kinds[0], (Checksum::Verified, false, false, 3));
    assert_eq!(kinds[1], (Checksum::Mismatch, false, false, 4));
    assert_eq!(kinds[2], (Checksum::NotReached, false, true, 2));
    assert_eq!(finds[2].damage.as_ref().unwrap().0, starts[2] + in_third as u64 + 5);
    assert!(kinds[3].1 && finds[3].end == image.len() as u64);
    assert_eq!(finds[0].end - finds[0].offset, sound.len() as u64);
}

#[test]
fn a_dump_within_what_a_damaged_one_claims_is_found() {
    let inner = small_dump(3);
    let outer = Rdb::redis(11).select_db(0).key(0, "k", |b| b.string("v")).put(|b| b.u8(0).string("long").len(5000));
    let image = [outer.unfinished(), vec![b'.'; 50], inner.clone(), vec![b'.'; 50]].concat();
    let finds = carved(&image);
    assert_eq!(finds.len(), 2, "{finds:?}");
    assert!(finds[0].is_cut && finds[0].end == finds[1].offset && finds[0].keys == 1);
    assert_eq!((finds[1].checksum, finds[1].bytes()), (Checksum::Verified, inner.len() as u64));
}

#[test]
fn records_without_a_header_are_found_and_read_as_a_dump() {
    let dump = small_dump(200);
    let image = [&[0; 5000][..], &dump[60..dump.len() - 9], &[0xa5; 5000], &dump].concat();
    let finds = carved(&image);
    assert_eq!(finds.len(), 2, "{finds:?}");
    let run = &finds[0];
    assert!(!run.has_header && !run.has_end && run.keys >= 190 && run.format.1 == 11);
    let range = usize::try_from(run.offset).unwrap()..usize::try_from(run.end).unwrap();
    let read = [&run.header(), &image[range], run.footer()].concat();
    let report = check_bytes(&read, &check::Options::default());
    assert!(report.sound && report.keys == run.keys, "{report}");
    assert!(finds[1].has_header && finds[1].keys == 200);
}

#[test]
fn ordinary_files_have_no_dumps() {
    let mut random = super::support::random::Random(5);
    let noise = random.bytes(300_000);
    assert_eq!(carved(&noise), []);
    assert_eq!(carved(&fs::read("src/rdb/header.rs").unwrap()), []);
    assert_eq!(carved(b""), []);
}
