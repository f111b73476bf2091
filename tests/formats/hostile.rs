//! Damage of every kind: cut dumps, changed bytes, lengths that claim the impossible.
//!
//! Whatever the bytes, there is an answer or an error and never a panic; every way of reading gives the same; and a dump
//! that a checksum seals is never called sound when a byte of it has changed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::assembler::Rdb;
use crate::support::fixtures::{self, Fixture};
use crate::support::random::Random;
use crate::support::ways::{Answer, Doing, Scratch, Way, mapped, mapped_whole, streamed};
use bigkeys::rdb::source::Slice;
use bigkeys::rdb::{Scanner, elements};
use bigkeys::report::Question;
use bigkeys::{BigKey, Dump, ErrorKind, Options, Progress, rows_all};

/// Fixtures up to this size are cut at every byte, and bytes all over them are changed; larger ones are only sampled.
const SMALL_BYTES: usize = 2048;

/// Fixtures up to this size have every byte changed to every other value.
const TINY_BYTES: usize = 300;

/// What is drawn at random is drawn from here, so that a failure comes again.
const SEED: u64 = 20;

/// The one answer of the first way, one thread in one go, and of these others.
fn answer(scratch: &Scratch, dump: &[u8], others: &[Way], about: &dyn Fn() -> String) -> Answer {
    let _doing = Doing(about);
    let path = scratch.write("dump", dump);
    let answer = mapped_whole(1).answer(&path, dump);
    for way in others {
        assert_eq!(way.answer(&path, dump), answer, "{way:?} differs from one thread in one go");
    }
    answer
}

/// Threads over segments so small that a record lies across several, and a stream through windows as small.
fn other_ways(dump: &[u8]) -> [Way; 2] {
    [mapped(3, (dump.len() / 20).max(16)), streamed((dump.len() / 500).max(7))]
}

/// One of the other ways, by turns: starting threads costs more than the scan of a small dump.
fn another_way(dump: &[u8], turn: usize) -> [Way; 1] {
    let [first, second] = other_ways(dump);
    [if turn.is_multiple_of(2) { first } else { second }]
}

/// All fixtures, those to be refused as well.
fn all_fixtures() -> Vec<Fixture> {
    let mut all = fixtures::sound();
    all.extend(fixtures::refused());
    all
}

// ---- cut

/// A cut dump gives the keys that are whole in it, each as in the whole dump, and is not complete.
#[test]
fn every_prefix_gives_the_keys_that_are_whole() {
    let scratch = Scratch::new();
    let mut random = Random(SEED);
    for fixture in all_fixtures() {
        let bytes = &fixture.bytes;
        let keys = keys_by_end(&scratch, bytes);
        let cuts: Vec<usize> = if bytes.len() <= SMALL_BYTES {
            (0..bytes.len()).collect()
        } else {
            (0..6).map(|_| random.below(bytes.len())).chain([bytes.len() - 1, bytes.len() - 9]).collect()
        };
        for cut in cuts {
            let about = || format!("the first {cut} bytes of {}", fixture.name);
            let one_more = another_way(bytes, cut);
            // In the larger ones every cut has the first way, and every third another.
            let others = if bytes.len() <= TINY_BYTES || cut % 3 == 0 { &one_more[..] } else { &[] };
            let answer = answer(&scratch, &bytes[..cut], others, &about);
            // Without its commands, or a part of them, an append-only file still begins with a whole dump.
            let has_commands = fixture.name.starts_with("aof_preamble");
            let is_whole = dump_bytes(bytes).is_some_and(|end| end == cut || has_commands && end < cut);
            assert_eq!(answer.is_complete(), is_whole, "{}: {:?}", about(), answer.damage);
            let mut found = answer.keys;
            found.sort_by_key(|key| key.offset);
            let whole: Vec<BigKey> = keys.range(..=cut).map(|(_, key)| key.clone()).collect();
            assert_eq!(found, whole, "{}", about());
        }
    }
}

/// Every key of a dump by the offset behind its value.
fn keys_by_end(scratch: &Scratch, dump: &[u8]) -> BTreeMap<usize, BigKey> {
    let whole = mapped_whole(1).answer(&scratch.write("whole", dump), dump);
    let by_offset: BTreeMap<u64, BigKey> = whole.keys.into_iter().map(|key| (key.offset, key)).collect();
    let entries = Scanner::new(dump).into_iter().flatten().map_while(Result::ok);
    let keys: BTreeMap<usize, BigKey> = entries
        .map(|entry| (entry.value_offset + entry.value_bytes, by_offset[&entry.offset].clone()))
        .map(|(end, key)| (usize::try_from(end).expect("within the dump"), key))
        .collect();
    assert_eq!(keys.len(), by_offset.len());
    keys
}

/// Bytes of a dump with its checksum, not counting what follows; `None` where it has no end.
fn dump_bytes(bytes: &[u8]) -> Option<usize> {
    let mut scanner = Scanner::new(bytes).ok()?;
    if scanner.by_ref().any(|entry| entry.is_err()) {
        return None;
    }
    let checksum_bytes = if scanner.context().has_checksum() { 8 } else { 0 };
    Some(usize::try_from(scanner.offset()).expect("within the dump") + checksum_bytes)
}

// ---- changed

/// Where the bytes end that a checksum seals, itself included: a change before is noticed, whatever it is.
///
/// There is no exception, since one changed byte
/// * cannot make a stored checksum zero, which would mean "none": that takes all eight of its bytes,
/// * cannot put the checksum out of use by an older version in the header: the eight bytes would then follow the end,
/// * cannot end the dump earlier at a stored zero: more bytes would follow.
///
/// Bytes that follow are damage, but for the commands behind the preamble of an append-only file; those are not sealed.
fn sealed_bytes(dump: &[u8]) -> usize {
    let Some(end) = dump_bytes(dump) else { return 0 };
    let has_checksum = Scanner::new(dump).is_ok_and(|scanner| scanner.context().has_checksum());
    let stored = dump.get(..end).and_then(<[u8]>::last_chunk::<8>);
    if has_checksum && stored.is_some_and(|stored| *stored != [0; 8]) { end } else { 0 }
}

/// Each value of each byte, in memory: the scan, and the decoding of what it lets pass, come to an end.
#[test]
fn every_change_of_a_byte_comes_to_an_end() {
    for fixture in all_fixtures().iter().filter(|fixture| fixture.bytes.len() <= TINY_BYTES) {
        let mut changed = fixture.bytes.clone();
        for (at, byte) in fixture.bytes.iter().enumerate() {
            for change in 1..=255 {
                let _doing = Doing(|| format!("{} with byte {at} changed to {}", fixture.name, byte ^ change));
                changed[at] = byte ^ change;
                assert!(elements_read(&changed) <= LARGEST_COUNT, "more elements than there are bytes for");
            }
            changed[at] = *byte;
        }
    }
}

/// No element takes less than a byte but those of an LZF string, of which a byte gives at most 88.
const LARGEST_COUNT: usize = 88 * TINY_BYTES;

/// Decodes all that can be, and counts it.
fn elements_read(dump: &[u8]) -> usize {
    let Ok(mut scanner) = Scanner::new(dump) else { return 0 };
    let mut elements = 0;
    while let Some(Ok(entry)) = scanner.next() {
        let mut value = Slice::new(dump, entry.value_offset);
        // What `measure` does not look at may be damaged: then the decoding ends there.
        _ = elements::for_each(&mut value, entry.value_type, scanner.context(), |_| elements += 1);
    }
    elements
}

/// Some values of each byte, through a file: where there is a checksum, it notices.
#[test]
fn a_sealed_dump_is_not_called_sound_when_a_byte_changed() {
    let scratch = Scratch::new();
    for fixture in all_fixtures().iter().filter(|fixture| fixture.bytes.len() <= TINY_BYTES) {
        let sealed = sealed_bytes(&fixture.bytes);
        let path = scratch.write("dump", &fixture.bytes);
        let file = fs::File::options().write(true).open(&path).expect("the scratch file");
        for (at, byte) in fixture.bytes[..sealed].iter().enumerate() {
            // Each bit, the first types, and the opcodes around the end.
            for value in (0..8).map(|bit| byte ^ 1 << bit).chain([0, 1, 4, 250, 254, 255]) {
                let _doing = Doing(|| format!("{} with byte {at} changed to {value}", fixture.name));
                file.write_all_at(&[value], at as u64).expect("the scratch file can be written");
                let is_complete = mapped_whole(1).answer(&path, &[]).is_complete();
                assert!(!is_complete || value == *byte, "the change was not noticed");
            }
            file.write_all_at(&[*byte], at as u64).expect("the scratch file can be written");
        }
    }
}

/// A sample of changes, in two ways each.
#[test]
fn changed_bytes_give_the_same_answer_by_every_way() {
    let scratch = Scratch::new();
    let mut random = Random(SEED);
    for fixture in all_fixtures() {
        let (bytes, sealed) = (&fixture.bytes, sealed_bytes(&fixture.bytes));
        let places: Vec<usize> = if bytes.len() <= TINY_BYTES {
            (0..bytes.len()).collect()
        } else {
            let places = if bytes.len() <= SMALL_BYTES { bytes.len() / 3 } else { 12 };
            (0..places).map(|_| random.below(bytes.len())).collect()
        };
        for at in places {
            let mut changed = bytes.clone();
            // Opcodes and the wide forms of lengths lie in the upper half, types and short lengths in the lower.
            changed[at] = if random.below(2) == 0 { random.byte() } else { 0xc0 | random.byte() };
            let about = || format!("{} with byte {at} changed to {}", fixture.name, changed[at]);
            let answer = answer(&scratch, &changed, &another_way(bytes, at), &about);
            let is_noticed = !answer.is_complete();
            assert!(is_noticed || at >= sealed || changed == *bytes, "{}: it was not noticed", about());
        }
    }
}

/// The bytes of a compressed value end, not those of the dump: that is another sentence, and the same by every way.
#[test]
fn an_entry_that_reaches_past_a_compressed_value() {
    let scratch = Scratch::new();
    let mut dump =
        fixtures::sound().into_iter().find(|fixture| fixture.name == "hash_zipmap_v02.rdb").expect("a fixture").bytes;
    // The length of a value in a zipmap that is compressed and does not know its count.
    dump[1264] = 209;
    let about = || "a compressed zipmap with a length beyond its end".to_owned();
    let answer = answer(&scratch, &dump, &other_ways(&dump), &about);
    assert!(answer.damage.is_some_and(|sentence| !sentence.contains("the dump ends")));
}

/// Damage further in: two dumps run together, a stretch overwritten, bytes lost or put in.
#[test]
fn mangled_dumps_give_the_same_answer_by_every_way() {
    let scratch = Scratch::new();
    let mut random = Random(SEED);
    let all = all_fixtures();
    for fixture in all.iter().filter(|fixture| fixture.bytes.len() <= 8 * SMALL_BYTES) {
        for round in 0..12 {
            let mut mangled = fixture.bytes.clone();
            let other = &all[random.below(all.len())].bytes;
            let from = random.below(other.len());
            let segment_scan = &other[from..(from + random.below(40)).min(other.len())];
            let at = random.below(mangled.len());
            let gone = [0, segment_scan.len(), random.below(20)][random.below(3)];
            mangled.splice(at..(at + gone).min(fixture.bytes.len()), segment_scan.iter().copied());
            let about = || {
                format!("{}, round {round}: {gone} bytes at {at} are now {}", fixture.name, segment_scan.escape_ascii())
            };
            let answer = answer(&scratch, &mangled, &other_ways(&mangled), &about);
            if sealed_bytes(&mangled) == mangled.len() {
                assert_eq!(answer.is_complete(), checksum_fits(&mangled), "{}", about());
            }
        }
    }
}

/// Whether the last eight bytes are the checksum of those before.
fn checksum_fits(dump: &[u8]) -> bool {
    dump.split_last_chunk().is_some_and(|(dump, stored)| bigkeys::rdb::checksum::of(dump).to_le_bytes() == *stored)
}

// ---- claims

/// A length of terabytes must cost neither memory nor time; a run that hangs is ended.
#[test]
#[cfg(feature = "cli")]
fn impossible_lengths_cost_nothing() {
    let bombs: Vec<Fixture> =
        fixtures::refused().into_iter().filter(|fixture| fixture.stated["error"] == "bomb").collect();
    assert!(bombs.len() > 5, "the bombs are missing");
    for fixture in bombs {
        for piped in [false, true] {
            assert_eq!(run_in_a_gigabyte(&fixture.path, piped), Some(1), "{}, piped: {piped}", fixture.name);
        }
    }
}

/// The exit code of a run that may have a gigabyte of address space.
fn run_in_a_gigabyte(dump: &Path, piped: bool) -> Option<i32> {
    const HUNG: Duration = Duration::from_secs(20);
    let script = r#"ulimit -v 1000000 && exec "$0" analyze "$1""#;
    let mut command = Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_bigkeys")]).stdout(Stdio::null()).stderr(Stdio::null());
    if piped {
        command.arg("-").stdin(fs::File::open(dump).expect("a fixture"));
    } else {
        command.arg(dump).stdin(Stdio::null());
    }
    let mut program = command.spawn().expect("a shell");
    let deadline = Instant::now() + HUNG;
    loop {
        if let Some(status) = program.try_wait().expect("the program is ours") {
            return status.code();
        }
        if deadline < Instant::now() {
            program.kill().expect("the program is ours");
            program.wait().expect("the program is ours");
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A set of four thousand million members takes ten seconds and more to walk over, and a scan for rows that is cancelled after a
/// moment ends in its first half.
#[test]
fn a_scan_for_rows_is_cancelled_within_a_value() {
    let members = 4_000_000_000_u32;
    let mut dump = Rdb::redis(11).select_db(0).key(0, "first", |value| value.string("x")).unfinished();
    dump.extend([&[2][..], b"\x03set\x80", &members.to_be_bytes()].concat());
    // Texts without bytes, in a file that is sparse.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("dump.rdb");
    fs::write(&path, &dump).expect("it can be written");
    let file = fs::File::options().write(true).open(&path).expect("a file");
    file.set_len(dump.len() as u64 + u64::from(members)).expect("room");
    for threads in [1, 2] {
        let mut options = Options::default();
        (options.threads, options.verify) = (threads, false);
        let progress = Arc::new(Progress::default());
        let (dumps, question) = ([Dump::from(&path)], Question::default());
        let errors = std::thread::scope(|scope| {
            let scan = scope.spawn(|| rows_all(&dumps, &question, &options, &progress, |_| {}).expect("a scan").1);
            std::thread::sleep(Duration::from_millis(300));
            assert!(!scan.is_finished());
            progress.cancel();
            scan.join().expect("a thread")
        });
        let [error] = &errors[..] else { panic!("{errors:?}") };
        let ErrorKind::Cancelled { offset } = error.cause else { panic!("{error}") };
        assert!(offset < u64::from(members) / 2, "{offset}");
    }
}
