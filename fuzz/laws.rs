//! What holds for any bytes, one law a fuzz target. `cargo test` replays each target's corpus under the same law.
#![allow(dead_code, unreachable_pub, reason = "a target uses one of them, and has no crate around it")]
#![allow(clippy::indexing_slicing, reason = "an index out of place is a finding, as it should be")]

use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bigkeys::analysis::filter::Filter;
use bigkeys::check::{self, Checksum, check_bytes};
use bigkeys::engine::export_all;
use bigkeys::extract::{Plan, extract};
use bigkeys::forensics::{Carved, Search, grep, timeline};
use bigkeys::memory::Target;
use bigkeys::output::values::{Drain, EventText, Lines, MatchText};
use bigkeys::rdb::packed::{intset, listpack, lzf, ziplist, zipmap};
use bigkeys::rdb::source::{Slice, Source};
use bigkeys::rdb::{Context, Dialect, ParseErrorKind, Scanner, ValueType, elements, value};
use bigkeys::salvage::salvage_bytes;
use bigkeys::{Dump, Options, Pattern, Progress, Report};

/// The law of a target by its name.
pub fn of(target: &str) -> Option<fn(&[u8])> {
    Some(match target {
        "carve" => carve,
        "check" => check_any,
        "extract" => extract_all,
        "forensics" => forensics,
        "lzf" => lzf,
        "packed" => packed,
        "salvage" => salvage,
        "scanner" => scanner,
        "segments" => segments,
        "values" => values,
        _ => return None,
    })
}

/// A check comes to an end, calls nothing sound whose checksum is another or that the scanner finds damage in, and gets no
/// less far by going on behind damage.
pub fn check_any(dump: &[u8]) {
    let report = check_bytes(dump, &check::Options::default());
    assert!(!report.sound || report.checksum != Checksum::Mismatch, "{report}");
    let mut options = check::Options::default();
    options.resync = true;
    let gone_on = check_bytes(dump, &options);
    assert!(gone_on.keys >= report.keys, "{report}{gone_on}");
    if let Ok(scanner) = Scanner::new(dump) {
        let damaged = scanner.filter(Result::is_err).count();
        assert!(!report.sound || damaged == 0, "{report}");
    }
}

/// The scanner's keys lie one behind the other within the dump, and a value that can be decoded ends where it says.
pub fn scanner(dump: &[u8]) {
    let Ok(mut scanner) = Scanner::new(dump) else { return };
    let mut last_end = 0;
    while let Some(entry) = scanner.next() {
        let Ok(entry) = entry else { continue };
        let end = entry.value_offset + entry.value_bytes;
        assert!(last_end <= entry.offset && entry.offset < entry.value_offset && end <= dump.len() as u64);
        assert_eq!(scanner.value(&entry).len() as u64, entry.value_bytes);
        last_end = end;
        let mut source = Slice::new(dump, entry.value_offset);
        let decoded = elements::for_each(&mut source, entry.value_type, scanner.context(), |_| {});
        assert!(decoded.is_err() || source.offset() == end, "{}", entry.value_type);
    }
}

/// What the second byte of a value's file says it is read as.
pub const READERS: [(Dialect, u32, &[u8; 9]); 3] =
    [(Dialect::Redis, 16, b"REDIS0016"), (Dialect::Valkey, 80, b"VALKEY080"), (Dialect::Redis, 9, b"REDIS0009")];

/// A value of any type, whose number is the first byte: what a check finds sound can be decoded, what can be decoded can be
/// stepped over, and both end at one place. A string's content is read as each packed structure too.
pub fn packed(input: &[u8]) {
    let [value_type, reader, bytes @ ..] = input else { return };
    let value_type = ValueType(*value_type);
    let (dialect, version, magic) = READERS[usize::from(*reader) % READERS.len()];
    let context = Context::new(dialect, version);

    let mut stepped = Slice::new(bytes, 0);
    let measure = value::measure(&mut stepped, value_type, &context);
    let mut decoded = Slice::new(bytes, 0);
    let elements = elements::for_each(&mut decoded, value_type, &context, |_| {});
    if elements.is_ok() {
        // The decoder goes by the entries, not by what a header says of them.
        assert!(measure.is_ok() || measure.is_err_and(|error| error.costs_one_key()), "{value_type}");
        assert_eq!(decoded.offset(), stepped.offset(), "{value_type}");
    }
    let end = usize::try_from(stepped.offset()).expect("within the value");
    let dump = [&magic[..], &[value_type.0, 1, b'k'], &bytes[..end], &[255, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
    // A script of KeyDB's has no elements to decode.
    if measure.is_ok() && value_type != ValueType::CRON && check_bytes(&dump, &check::Options::default()).sound {
        // Servers read on over a packed score that is no number.
        let is_read = elements.is_ok() || elements.is_err_and(|error| error.kind == ParseErrorKind::Score);
        assert!(is_read, "{value_type}: {elements:?}");
    }

    let counts = [
        listpack::entries(bytes).map_or(0, Iterator::count),
        ziplist::entries(bytes).map_or(0, Iterator::count),
        intset::entries(bytes).map_or(0, Iterator::count),
        zipmap::entries(bytes).map_or(0, Iterator::count),
    ];
    assert!(counts.iter().all(|entries| *entries <= bytes.len()), "{counts:?}");
}

/// Each way to inflate an LZF stream gives what an inflater gives that is slow and obvious, or both refuse it.
pub fn lzf(stored: &[u8]) {
    let (plain, is_whole) = inflated_slowly(stored);
    for bytes in [plain.len().saturating_sub(1), plain.len(), plain.len() + 1] {
        let mut whole = Vec::new();
        let inflated = lzf::inflate(stored, bytes, &mut whole).is_ok();
        assert_eq!(inflated, is_whole && bytes == plain.len(), "{bytes} of {} bytes", plain.len());
        if inflated {
            assert_eq!(whole, plain);
        }
        // In steps, as a check reads a string; what inflates to nothing is none.
        if !stored.is_empty() && bytes > 0 {
            let report = check_bytes(&dump_of_lzf(stored, bytes), &check::Options::default());
            assert_eq!(report.sound, inflated, "{report}");
        }
    }
    for wanted in [0, 1, 7, 64, plain.len()] {
        let mut prefix = vec![0; wanted];
        match lzf::inflate_prefix(stored, &mut prefix) {
            Ok(bytes) => {
                assert_eq!(bytes, wanted.min(plain.len()));
                assert_eq!(prefix[..bytes], plain[..bytes]);
            }
            Err(_) => assert!(!is_whole),
        }
    }
}

/// Byte by byte, as the format describes it; false if the stream breaks off or refers to what is not there.
fn inflated_slowly(stored: &[u8]) -> (Vec<u8>, bool) {
    let mut plain = Vec::new();
    let mut at = 0;
    while at < stored.len() {
        let control = usize::from(stored[at]);
        at += 1;
        if control < 32 {
            for _ in 0..=control {
                let Some(byte) = stored.get(at) else { return (plain, false) };
                plain.push(*byte);
                at += 1;
            }
            continue;
        }
        let mut bytes = control >> 5;
        if bytes == 7 {
            let Some(more) = stored.get(at) else { return (plain, false) };
            bytes += usize::from(*more);
            at += 1;
        }
        let Some(low) = stored.get(at) else { return (plain, false) };
        at += 1;
        let distance = (control & 31) * 256 + usize::from(*low) + 1;
        for _ in 0..bytes + 2 {
            let Some(from) = plain.len().checked_sub(distance) else { return (plain, false) };
            plain.push(plain[from]);
        }
    }
    (plain, true)
}

/// A dump of one string that is stored as this stream and claims to have so many bytes.
fn dump_of_lzf(stored: &[u8], bytes: usize) -> Vec<u8> {
    let length = |bytes: usize| [&[0x80][..], &u32::try_from(bytes).expect("a short stream").to_be_bytes()].concat();
    let header = [b"REDIS0009\x00\x01k\xc3".to_vec(), length(stored.len()), length(bytes)].concat();
    [&header, stored, &[255, 0, 0, 0, 0, 0, 0, 0, 0]].concat()
}

/// Whatever is salvaged checks clean, and has as many keys as the account says.
pub fn salvage(dump: &[u8]) {
    let mut saved = Vec::new();
    let account = salvage_bytes(dump, &mut saved).expect("memory takes everything");
    if saved.is_empty() {
        return;
    }
    let report = check_bytes(&saved, &check::Options::default());
    assert!(report.sound, "{report}");
    assert_eq!(report.keys, account.keys_written);
}

/// A dump read in segments that guess their first entry, and through a window: the same keys and the same damage. None is
/// complete whose checksum is another.
pub fn segments(dump: &[u8]) {
    let mut options = Options::default();
    options.question.top = usize::MAX;
    options.question.all_kinds = true;
    options.threads = 1;
    let path = format!("/dev/shm/bigkeys-fuzz-{}-{:?}", std::process::id(), std::thread::current().id());
    fs::write(&path, dump).expect("memory");
    let analyzed = |options: &Options| answer(bigkeys::analyze(&path, options).expect("the file can be opened"));
    let whole = analyzed(&options);
    if check_bytes(dump, &check::Options::default()).checksum == Checksum::Mismatch {
        assert!(!whole.damage.is_empty(), "complete, though the checksum is another");
    }
    options.threads = 3;
    options.segment_bytes = [16, 100, 1000][dump.len() % 3];
    assert_eq!(analyzed(&options), whole, "segments of {}", options.segment_bytes);
    options.window_bytes = 50;
    let reader = Box::new(Cursor::new(dump.to_vec()));
    let streamed = bigkeys::analyze_reader("a reader", reader, &options).expect("memory never fails");
    assert_eq!(answer(streamed), whole, "streamed");
    _ = fs::remove_file(&path);
}

/// Values are written out to the same bytes in segments and as a whole: each line of JSON is an object, and commands are
/// whole, as far as their lengths say.
pub fn values(dump: &[u8]) {
    let path = format!("/dev/shm/bigkeys-fuzz-values-{}-{:?}", std::process::id(), std::thread::current().id());
    fs::write(&path, dump).expect("memory");
    let mut options = Options::default();
    options.threads = 1;
    let whole = [false, true].map(|as_commands| exported(Path::new(&path), &options, as_commands));
    options.threads = 3;
    options.segment_bytes = [16, 100, 1000][dump.len() % 3];
    let in_segments = [false, true].map(|as_commands| exported(Path::new(&path), &options, as_commands));
    assert!(in_segments == whole, "segments of {}", options.segment_bytes);
    for line in whole[0].split_inclusive(|byte| *byte == b'\n') {
        assert!(line.starts_with(b"{\"db\":") && line.ends_with(b"}\n"), "{}", line.escape_ascii());
    }
    assert!(whole[1].is_empty() || whole[1].starts_with(b"*") && whole[1].ends_with(b"\r\n"));
    _ = fs::remove_file(&path);
}

fn exported(path: &Path, options: &Options, as_commands: bool) -> Vec<u8> {
    let written = Mutex::new(Vec::new());
    let drain: Drain<'_> = Arc::new(Mutex::new(|bytes: &[u8]| {
        written.lock().expect("no panic").extend_from_slice(bytes);
    }));
    let (dumps, filter, progress) = ([path.into()], Filter::default(), Arc::default());
    let told = if as_commands {
        export_all(&dumps, &filter, options, &progress, |_| Lines::commands(Target::Redis8_8, drain.clone()))
    } else {
        export_all(&dumps, &filter, options, &progress, |_| Lines::objects(&[], drain.clone()))
    };
    told.expect("the file can be opened");
    drop(drain);
    written.into_inner().expect("no panic")
}

/// All keys are copied to the same bytes in segments and as a whole; of a sound dump they make a sound one, of which a copy is the
/// same once more.
pub fn extract_all(dump: &[u8]) {
    let path = format!("/dev/shm/bigkeys-fuzz-extract-{}-{:?}", std::process::id(), std::thread::current().id());
    fs::write(&path, dump).expect("memory");
    let mut options = Options::default();
    options.threads = 1;
    let (whole, keys) = extracted(Path::new(&path), &options);
    options.threads = 3;
    options.segment_bytes = [16, 100, 1000][dump.len() % 3];
    assert!(extracted(Path::new(&path), &options) == (whole.clone(), keys), "segments of {}", options.segment_bytes);
    if check_bytes(dump, &check::Options::default()).sound {
        let report = check_bytes(&whole, &check::Options::default());
        assert!(report.sound && report.keys == keys, "{keys} keys: {report}");
        fs::write(&path, &whole).expect("memory");
        assert!(extracted(Path::new(&path), &options) == (whole, keys), "another copy");
    }
    _ = fs::remove_file(&path);
}

fn extracted(path: &Path, options: &Options) -> (Vec<u8>, u64) {
    let mut written = Vec::new();
    let (dumps, filter, progress) = ([path.into()], Filter::default(), Arc::default());
    let outputs = vec![&mut written];
    let told =
        extract(&dumps, &filter, &Plan::default(), options, &progress, outputs).expect("memory takes everything");
    let keys = told.keys.iter().sum();
    (written, keys)
}

/// A search and a timeline are the same bytes in segments and as a whole, and none of them acts on whoever reads it.
pub fn forensics(dump: &[u8]) {
    let path = format!("/dev/shm/bigkeys-fuzz-forensics-{}-{:?}", std::process::id(), std::thread::current().id());
    fs::write(&path, dump).expect("memory");
    let mut options = Options::default();
    options.threads = 1;
    let whole = examined(Path::new(&path), &options);
    options.threads = 3;
    options.segment_bytes = [16, 100, 1000][dump.len() % 3];
    assert!(examined(Path::new(&path), &options) == whole, "segments of {}", options.segment_bytes);
    _ = fs::remove_file(&path);
}

/// Matches and events as every text that they are written as.
fn examined(path: &Path, options: &Options) -> [String; 5] {
    let (dump, filter, progress) = (Dump::from(path), Filter::default(), Arc::default());
    let mut texts = [const { Vec::new() }; 5];
    let [columns, json, timesketch, l2t, body] = &mut texts;
    let pattern = Pattern::regex(r"[0-9\xff=]+|.$").expect("a pattern");
    let search = Search::new(pattern, false).expect("not of the empty text");
    let told = grep(&dump, &search, &filter, options, &progress, |found| {
        columns.extend(MatchText::Columns.line("=dump", true, found));
        json.extend(MatchText::Json.line("=dump", true, found));
    });
    told.expect("the file can be opened");
    let told = timeline(&dump, true, &filter, options, &progress, |event| {
        timesketch.extend(EventText::Timesketch.line("=dump", event).unwrap_or_default());
        l2t.extend(EventText::L2t.line("=dump", event).unwrap_or_default());
        body.extend(EventText::Body.line("=dump", event).unwrap_or_default());
    });
    told.expect("the file can be opened");
    let texts = texts.map(|text| String::from_utf8(text).expect("text"));
    for (text, separator, fields) in [(&texts[0], '\t', 7), (&texts[3], ',', 17), (&texts[4], '|', 11)] {
        for line in text.lines() {
            assert_eq!(line.split(separator).count(), fields, "{line}");
            assert!(!line.chars().any(|c| c.is_control() && c != '\t'), "{line:?}");
            let starts_a_formula = |field: &str| field != "-" && field.starts_with(['=', '+', '-', '@']);
            assert!(separator != ',' || !line.split(',').any(starts_a_formula), "{line}");
        }
    }
    for line in texts[1].lines().chain(texts[2].lines()) {
        assert!(line.starts_with('{') && line.ends_with('}') && !line.chars().any(char::is_control), "{line:?}");
    }
    texts
}

/// What is carved lies in the file, one behind the other; what is called sound is; and a dump that is sound is found whatever
/// is around it, unless something before it claims its bytes.
pub fn carve(image: &[u8]) {
    let finds = carved(image);
    for find in &finds {
        let stretch = &image[usize::try_from(find.offset).expect("within")..usize::try_from(find.end).expect("within")];
        let dump = [&find.header(), stretch, find.footer()].concat();
        let mut quick = check::Options::default();
        quick.quick = true;
        let report = check_bytes(&dump, &quick);
        assert!(find.checksum != Checksum::Verified || report.checksum == Checksum::Verified, "{find:?} {report}");
        assert!(find.keys <= report.keys || find.damage.is_some() || !find.has_header, "{find:?} {report}");
    }
    if check_bytes(image, &check::Options::default()).sound {
        let around = [&[0; 5000], image, b"\x01\x02 and more"].concat();
        let sound = carved(&around).into_iter().find(|find| find.offset == 5000 && find.has_header);
        assert!(sound.is_some_and(|find| find.has_end && find.damage.is_none()));
    }
}

fn carved(image: &[u8]) -> Vec<Carved> {
    let mut finds: Vec<Carved> = Vec::new();
    let is_whole = bigkeys::forensics::carve(image, &Progress::default(), &mut |find| {
        assert!(find.offset < find.end && find.end <= image.len() as u64, "{find:?}");
        assert!(finds.last().is_none_or(|last| last.end <= find.offset), "{find:?}");
        finds.push(find.clone());
        true
    });
    assert!(is_whole);
    finds
}

#[derive(Debug, PartialEq)]
struct Answer {
    /// Database, name, size.
    keys: Vec<(u64, Vec<u8>, u64)>,
    damage: Vec<String>,
}

fn answer(report: Report) -> Answer {
    Answer {
        keys: report.keys.into_iter().map(|key| (key.db, key.name, key.size)).collect(),
        damage: report.damage.iter().map(|error| error.cause.to_string()).collect(),
    }
}
