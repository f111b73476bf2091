//! Compressed files, and what follows a dump's end: each says the same as the dump within, and what is damaged after it
//! takes nothing away.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use crate::support::assembler::Rdb;
use crate::support::random::Random;
use crate::support::ways::{Answer, Scratch, Way, every_key, mapped_whole, streamed};
use bigkeys::Dump;
use bigkeys::check::{Checksum, Options, check, check_bytes};
use bigkeys::salvage::salvage_bytes;
use crc_fast::CrcAlgorithm::{Crc32IsoHdlc, Crc64Xz};

const MARK: &[u8; 40] = b"0123456789abcdef0123456789abcdef01234567";
const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

type Compress = fn(&[u8]) -> Vec<u8>;

const CONTAINERS: [(&str, Compress); 6] =
    [("gzip", gzip), ("zstd", zstd), ("LZ4", lz4), ("legacy LZ4", lz4_legacy), ("xz", xz), ("bzip2", bzip2)];

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
    encoder.include_checksum(true).expect("an encoder");
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// A magic, and blocks of 8 MiB behind their stored size.
pub(crate) fn lz4_legacy(bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0x02, 0x21, 0x4c, 0x18];
    for block in bytes.chunks(8 << 20) {
        let stored = lz4_flex::block::compress(block);
        file.extend(u32::try_from(stored.len()).expect("a short block").to_le_bytes());
        file.extend(stored);
    }
    file
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    const DICTIONARY_OF_64_KIB: u8 = 8;
    xz_with_dictionary(bytes, DICTIONARY_OF_64_KIB)
}

/// A stream of one block, or of none, with the chunks stored as they are.
pub(crate) fn xz_with_dictionary(bytes: &[u8], dictionary: u8) -> Vec<u8> {
    let crc32 = |bytes: &[u8]| u32::try_from(crc_fast::checksum(Crc32IsoHdlc, bytes)).expect("32 bits").to_le_bytes();
    let padded = |bytes: &mut Vec<u8>| bytes.resize(bytes.len().next_multiple_of(4), 0);
    let number = |mut value: usize| {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push(u8::try_from(value & 0x7f).expect("seven bits") | 0x80);
            value >>= 7;
        }
        bytes.push(u8::try_from(value).expect("seven bits"));
        bytes
    };
    let flags = [0, 4];
    let mut file = [&b"\xfd7zXZ\0"[..], &flags, &crc32(&flags)].concat();
    let mut index = vec![0, u8::from(!bytes.is_empty())];
    if !bytes.is_empty() {
        let header = [2, 0, 0x21, 1, dictionary, 0, 0, 0];
        let mut block = [&header[..], &crc32(&header)].concat();
        for (number, chunk) in bytes.chunks(1 << 16).enumerate() {
            block.push(if number == 0 { 1 } else { 2 });
            block.extend(u16::try_from(chunk.len() - 1).expect("a short chunk").to_be_bytes());
            block.extend(chunk);
        }
        block.push(0);
        index.extend(number(block.len() + 8));
        index.extend(number(bytes.len()));
        padded(&mut block);
        block.extend(crc_fast::checksum(Crc64Xz, bytes).to_le_bytes());
        file.extend(block);
    }
    padded(&mut index);
    index.extend(crc32(&index));
    let size = u32::try_from(index.len() / 4 - 1).expect("a short index").to_le_bytes();
    let footer = [&size[..], &flags].concat();
    [file, index, crc32(&footer).to_vec(), footer, b"YZ".to_vec()].concat()
}

/// A frame that decoders of zstd and LZ4 step over.
fn skippable(number: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("a short frame").to_le_bytes();
    [&[0x50 + number, 0x2a, 0x4d, 0x18], &length[..], bytes].concat()
}

/// A dump of some strings that do not compress, and of a list.
fn dump() -> Vec<u8> {
    let mut random = Random(1);
    let rdb = (0..100).fold(Rdb::redis(9).aux("redis-ver", "6.2.5").select_db(0), |rdb, number| {
        let value: Vec<u8> = (0..2000).map(|_| random.byte()).collect();
        rdb.key(0, format!("key:{number:03}"), |b| b.string(&value))
    });
    rdb.key(1, "list", |b| b.strings(&["a", "b", "c"])).eof()
}

/// A dump that is shorter than what is looked at to tell what it is.
fn short_dump() -> Vec<u8> {
    Rdb::redis(9).select_db(0).key(0, "first", |b| b.string("1")).key(0, "last", |b| b.string("2")).eof()
}

fn ways() -> [Way; 3] {
    [mapped_whole(2), streamed(100), streamed(1 << 16)]
}

/// What comes of a file, which is the same whether it is opened or read through a pipe.
#[track_caller]
fn answer(scratch: &Scratch, file: &[u8]) -> Answer {
    let path = scratch.write("a file", file);
    let [opened, narrow, wide] = ways().map(|way| way.answer(&path, file));
    assert_eq!(opened, wide);
    assert_eq!(opened, narrow);
    opened
}

#[track_caller]
fn holds(scratch: &Scratch, file: &[u8], plain: &Answer) {
    assert_eq!(&answer(scratch, file), plain);
    let checked = check(scratch.path("a file"), &Options::default()).expect("a file");
    assert!(checked.sound, "{checked}");
    assert_eq!((checked.keys, checked.checksum), (plain.keys_scanned, Checksum::Verified));
}

#[test]
fn whatever_members_a_file_has_they_are_read() {
    let scratch = Scratch::new();
    let dump = dump();
    let plain = answer(&scratch, &dump);
    assert_eq!((plain.keys.len(), plain.is_complete()), (101, true));
    let (first, rest) = dump.split_at(70_001);
    let (second, third) = rest.split_at(5);
    for (name, compress) in CONTAINERS {
        let _doing = crate::support::ways::Doing(|| name.to_owned());
        holds(&scratch, &compress(&dump), &plain);
        let [first, second, third] = [first, second, third].map(compress);
        holds(&scratch, &[&first[..], &second, &third].concat(), &plain);
        let empty = compress(b"");
        holds(&scratch, &[&empty[..], &first, &empty, &empty, &second, &third, &empty].concat(), &plain);
        // As pzstd writes: the length of each frame before it.
        let skip = |number| skippable(number, &[1, 2, 3, 4]);
        let long = skippable(15, &vec![0; 100_000]);
        holds(&scratch, &[skip(0), first.clone(), long, second, skip(9), third, skip(15)].concat(), &plain);
        // As `xz` pads its streams.
        holds(&scratch, &[&first[..], &[0; 8], &compress(rest)].concat(), &plain);
    }
    let mixed = [gzip(first), xz(second), skippable(3, b""), lz4_legacy(&third[..100]), bzip2(&third[100..])].concat();
    holds(&scratch, &mixed, &plain);
    let nothing = answer(&scratch, &skippable(0, b"1234"));
    assert!(nothing.damage.is_some_and(|damage| damage.ends_with("skippable frames, and in it: the file is empty")));
}

/// What the tools themselves write, where they are there.
#[test]
fn files_of_the_tools() {
    let scratch = Scratch::new();
    let dump = dump();
    let plain = answer(&scratch, &dump);
    for command in [
        "gzip -9",
        "zstd -q --ultra -22",
        "zstd -q --long=27",
        "pzstd -q -p 2",
        "lz4 -q -9 -BD",
        "lz4 -q -l",
        "xz -9",
        "xz -0 --check=sha256 --block-size=4096",
        "xz --x86 --lzma2",
        "bzip2 -9",
    ] {
        let Some(file) = crate::support::tools::pipe(&format!("{command} -c"), &dump) else { continue };
        holds(&scratch, &file, &plain);
    }
}

// ---- what follows the end

/// Tails that say nothing of the dump, and how they are called.
fn harmless() -> Vec<(Vec<u8>, &'static str)> {
    vec![
        (vec![0], "1 byte of zeros"),
        (vec![0; 511], "511 bytes of zeros"),
        (vec![0; 300_000], "300000 bytes of zeros"),
        (b"\n".to_vec(), "1 byte of white space"),
        (b" \t\r\n".to_vec(), "4 bytes of white space"),
        (b"\n\0\0\0".to_vec(), "4 bytes of zeros and white space"),
        (MARK.to_vec(), "the 40 bytes of the end mark of a capture"),
        ([&MARK[..], b"\r\n"].concat(), "the 40 bytes of the end mark of a capture and 2 bytes of white space"),
    ]
}

fn others() -> Vec<Vec<u8>> {
    vec![
        b"x".to_vec(),
        [&[0; 1000][..], b"x"].concat(),
        MARK[..39].to_vec(),
        [&MARK[..], b"0"].concat(),
        b"\0REDIS0009".to_vec(),
        PING[..PING.len() - 1].to_vec(),
    ]
}

#[test]
fn harmless_tails_are_noted() {
    let scratch = Scratch::new();
    let old = Rdb::redis(4).select_db(0).key(0, "key", |b| b.string("value")).eof();
    let unsummed = Rdb::redis(9).select_db(0).key(0, "key", |b| b.string("value")).eof_with_checksum(0);
    for (dump, checksum) in [
        (dump(), Checksum::Verified),
        (short_dump(), Checksum::Verified),
        (old, Checksum::Absent),
        (unsummed, Checksum::Disabled),
    ] {
        let plain = answer(&scratch, &dump);
        let holds = |file: &[u8], note: &str| {
            let Answer { keys, keys_scanned, notes, damage } = answer(&scratch, file);
            assert_eq!((keys, keys_scanned, damage), (plain.keys.clone(), plain.keys_scanned, None));
            assert_eq!(notes, [note]);
            let checked = check(scratch.path("a file"), &Options::default()).expect("a file");
            assert!(checked.sound && checked.notes == [note], "{checked}");
            assert_eq!((checked.keys, checked.checksum), (plain.keys_scanned, checksum));
        };
        for (tail, what) in harmless() {
            let padded = [&dump[..], &tail].concat();
            let inside = format!("ignored {what} after the end of the dump");
            holds(&padded, &inside);
            let mut saved = Vec::new();
            let account = salvage_bytes(&padded, &mut saved).expect("memory");
            assert!(account.complete, "{account:?}");
            assert_eq!((account.trailing_bytes, account.notes), (tail.len() as u64, vec![inside.clone()]));
            assert!(check_bytes(&saved, &Options::default()).sound);
            for (name, compress) in CONTAINERS {
                holds(&compress(&padded), &inside);
                // It has no end mark, so these are the length of a block.
                if name == "legacy LZ4" && tail.starts_with(b"\n\0") {
                    continue;
                }
                let after = format!("ignored {what} after the end of the compressed file");
                holds(&[compress(&dump), tail.clone()].concat(), &after);
            }
        }
    }
}

#[test]
fn other_tails_are_told_and_take_nothing_away() {
    let scratch = Scratch::new();
    for dump in [dump(), short_dump()] {
        let plain = answer(&scratch, &dump);
        let is_damaged = |file: &[u8], what: &str| {
            let Answer { keys, damage, .. } = answer(&scratch, file);
            assert_eq!(keys, plain.keys);
            let damage = damage.unwrap_or_default();
            assert!(damage.contains(what), "{damage}");
            let checked = check(scratch.path("a file"), &Options::default()).expect("a file");
            assert_eq!((checked.sound, checked.keys), (false, plain.keys_scanned), "{checked}");
        };
        for tail in others() {
            let longer = [&dump[..], &tail].concat();
            let inside = format!("the dump ends here, but {} more", tail.len());
            is_damaged(&longer, &inside);
            assert!(!salvage_bytes(&longer, &mut Vec::new()).expect("memory").complete);
            for (_, compress) in CONTAINERS {
                is_damaged(&compress(&longer), &inside);
                let after = [compress(&dump), tail.clone()].concat();
                is_damaged(&after, "bytes that are not compressed follow its last part");
            }
        }
        // A tail says nothing good of a dump whose checksum is wrong.
        let mut wrong = [&dump[..], &[0; 10]].concat();
        wrong[dump.len() - 1] ^= 1;
        is_damaged(&wrong, "the checksum is");
        assert!(!salvage_bytes(&wrong, &mut Vec::new()).expect("memory").complete);
    }
}

/// Servers look at the first bytes of an append-only file alone, not at what the dump in it says of itself.
#[test]
fn commands_after_a_dump_are_an_append_only_file() {
    let scratch = Scratch::new();
    let dump = short_dump();
    let plain = answer(&scratch, &dump);
    for (tail, commands, is_sound) in [
        (PING.repeat(3), "42 bytes of append-only commands (3 commands)", true),
        ([MARK, PING].concat(), "14 bytes of append-only commands (1 commands)", true),
        ([PING, &PING[..7]].concat(), "21 bytes of append-only commands (1 commands), the last of them cut,", true),
        ([PING, b"garbage"].concat(), "(1 commands), with something in them that is not a command,", false),
    ] {
        for compress in [|bytes: &[u8]| bytes.to_vec(), gzip, xz] {
            let file = compress(&[&dump[..], &tail].concat());
            let Answer { keys, notes, damage, .. } = answer(&scratch, &file);
            assert_eq!((keys, damage), (plain.keys.clone(), None));
            assert!(notes[0].contains(commands) && notes[0].ends_with("they are not analyzed"), "{notes:?}");
            let checked = check(scratch.path("a file"), &Options::default()).expect("a file");
            assert!(checked.sound == is_sound && checked.notes[0].contains(commands), "{checked}");
        }
        let account = salvage_bytes(&[&dump[..], &tail].concat(), &mut Vec::new()).expect("memory");
        assert!(!account.complete && account.notes[0].ends_with("they are not saved"), "{account:?}");
    }
}

// ---- damage

#[test]
fn what_is_cut_is_read_as_far_as_it_goes() {
    let scratch = Scratch::new();
    for dump in [dump(), short_dump()] {
        let plain = answer(&scratch, &dump);
        for (name, compress) in CONTAINERS {
            let file = compress(&dump);
            let mut last = 0;
            for part in 1..=20 {
                // At last, by one byte: the end of the container is gone, and the dump is whole.
                let cut = if part == 20 { file.len() - 1 } else { file.len() * part / 20 };
                let found = answer(&scratch, &file[..cut]);
                assert!(!found.is_complete(), "{name} of {cut} bytes");
                assert!(found.keys.iter().all(|key| plain.keys.contains(key)), "{name} of {cut} bytes");
                assert!(found.keys.len() >= last, "{name} of {cut} bytes");
                last = found.keys.len();
            }
            // A block of a legacy frame is inflated as a whole, and this dump is in one.
            if name != "legacy LZ4" {
                assert_eq!(last, plain.keys.len(), "{name}");
                let damage = answer(&scratch, &file[..file.len() - 1]).damage.unwrap_or_default();
                assert!(
                    damage.contains(&format!("is cut: it ends after {} bytes of the dump", dump.len())),
                    "{damage}"
                );
            }
        }
    }
}

#[test]
fn a_damaged_file_is_never_taken_for_a_sound_one() {
    let scratch = Scratch::new();
    for dump in [dump(), short_dump()] {
        let plain = answer(&scratch, &dump);
        for (name, compress) in CONTAINERS {
            let file = compress(&dump);
            let places = (0..file.len().min(64)).chain((0..30).map(|part| file.len() * part / 30));
            for at in places.chain(file.len().saturating_sub(40)..file.len()) {
                let mut damaged = file.clone();
                damaged[at] ^= 0x10;
                let path = scratch.write("a file", &damaged);
                let found = mapped_whole(1).answer(&path, &damaged);
                // Some bytes say nothing of the content, such as the time in a gzip header.
                assert!(found.keys == plain.keys || found.damage.is_some(), "{name}, byte {at}");
            }
            // Behind the last byte of the dump, damage takes no key away.
            let mut damaged = file.clone();
            let at = match name {
                "gzip" | "zstd" | "LZ4" => file.len() - 1,
                // In the index.
                "xz" => file.len() - 20,
                "bzip2" => file.len() - 3,
                _ => continue,
            };
            damaged[at] ^= 0x10;
            let found = answer(&scratch, &damaged);
            assert_eq!(found.keys, plain.keys, "{name}");
            let damage = found.damage.unwrap_or_default();
            let is_told = ["the compressed file is damaged after", "the compressed file is cut: it ends after"];
            assert!(is_told.iter().any(|what| damage.contains(what)), "{name}: {damage}");
        }
    }
}

// ---- bounds

fn refusal(scratch: &Scratch, file: &[u8]) -> (bool, String) {
    let path = scratch.write("a file", file);
    match bigkeys::analyze(&path, &every_key()) {
        Ok(report) => (true, report.damage[0].to_string()),
        Err(error) => (error.is_about_dump(), error.to_string()),
    }
}

#[test]
fn windows_and_dictionaries_that_are_too_large() {
    let scratch = Scratch::new();
    let dump = short_dump();
    let plain = answer(&scratch, &dump);
    let block = (u32::try_from(dump.len()).expect("a short dump") << 3 | 1).to_le_bytes();
    let frame = |window: u8| [&[0x28, 0xb5, 0x2f, 0xfd, 0, window], &block[..3], &dump].concat();
    // 128 MiB, and an eighth more.
    holds(&scratch, &frame(17 << 3), &plain);
    holds(&scratch, &xz_with_dictionary(&dump, 30), &plain);
    for (file, command) in [
        (frame(17 << 3 | 1), "zstd -dc --long=31 FILE | bigkeys analyze -"),
        (frame(0xff), "zstd -dc --long=31 FILE | bigkeys analyze -"),
        (xz_with_dictionary(&dump, 31), "xz -dc FILE | bigkeys analyze -"),
        (xz_with_dictionary(&dump, 40), "xz -dc FILE | bigkeys analyze -"),
    ] {
        let (is_about_dump, sentence) = refusal(&scratch, &file);
        assert!(!is_about_dump && sentence.contains("128 MiB") && sentence.ends_with(command), "{sentence}");
        assert!(check(scratch.path("a file"), &Options::default()).is_err());
        // What came before is not lost.
        let found = answer(&scratch, &[gzip(&dump), file].concat());
        assert_eq!(found.keys, plain.keys);
        assert!(found.damage.is_some_and(|damage| damage.contains("128 MiB")));
    }
}

/// A frame with a window of 128 MiB, of bytes as they are and then as many zeros.
pub(crate) fn zstd_with_zeros(bytes: &[u8], zeros: usize, end: &[u8]) -> Vec<u8> {
    const BLOCK_BYTES: usize = 128 << 10;
    let header = |bytes: usize, flags: usize| (bytes << 3 | flags).to_le_bytes()[..3].to_vec();
    let mut file = [&[0x28, 0xb5, 0x2f, 0xfd, 0, 17 << 3], &header(bytes.len(), 0)[..], bytes].concat();
    for at in (0..zeros).step_by(BLOCK_BYTES) {
        // A run, of which one byte is stored.
        file.extend(header(BLOCK_BYTES.min(zeros - at), 2));
        file.push(0);
    }
    file.extend(header(end.len(), 1));
    [&file, end].concat()
}

/// Small files that ask for much, between others: what is told of each is what is told of it alone.
#[test]
fn small_files_that_take_much_are_read_alone() {
    let scratch = Scratch::new();
    let dump = dump();
    let zeros = [&dump[..], &vec![0; 17 << 20]].concat();
    let files = [
        dump.clone(),
        gzip(&dump),
        zstd_with_zeros(&dump[..100_000], 0, &dump[100_000..200_000]),
        xz_with_dictionary(&dump, 30),
        [gzip(&dump[..5000]), xz_with_dictionary(&dump[5000..], 29)].concat(),
        gzip(&zeros),
        xz_with_dictionary(&dump, 40),
        lz4_legacy(&zeros),
        bzip2(&dump),
    ];
    let mut dumps: Vec<Dump> = (0..2 * files.len())
        .map(|number| Dump::from(scratch.write(&format!("{number}"), &files[number % files.len()])))
        .collect();
    dumps.push(Dump::from(scratch.path("missing.rdb")));
    let mut options = every_key();
    let named = |report: Result<bigkeys::Report, bigkeys::Error>| match report {
        Ok(report) => format!("{:?} {:?} {:?}", report.keys, report.damage, report.notes),
        Err(error) => error.to_string(),
    };
    let alone: Vec<String> = dumps.iter().map(|dump| named(bigkeys::analyze(&dump.path, &options))).collect();
    let paths: Vec<_> = dumps.iter().map(|dump| dump.path.clone()).collect();
    let mut check_options = Options::default();
    let say = |report: Result<bigkeys::check::Report, bigkeys::Error>| match report {
        Ok(report) => report.to_string(),
        Err(error) => error.to_string(),
    };
    let checked_alone: Vec<String> = paths.iter().map(|path| say(check(path, &check_options))).collect();
    for threads in [2, 8] {
        (options.threads, check_options.threads) = (threads, threads);
        let mut analyses = bigkeys::engine::Analyses::new(&dumps, &options);
        let mut told = Vec::new();
        while analyses.left() > 0 {
            told.extend(analyses.analyze_next(&Arc::default()).expect("threads").into_iter().map(named));
            assert_eq!(told.len() + analyses.left(), dumps.len());
        }
        assert_eq!(told, alone);
        let mut checks = bigkeys::check::Checks::new(&paths, &check_options);
        let mut checked = Vec::new();
        while checks.left() > 0 {
            checked.extend(checks.check_next(&Arc::default()).expect("threads").into_iter().map(say));
        }
        assert_eq!(checked, checked_alone);
        let together = bigkeys::analyze_all(&dumps[..2], &options, &Arc::default()).expect("two dumps");
        assert_eq!((together.keys.len(), together.is_complete()), (2 * 101, true));
    }
}

#[test]
fn a_missing_dictionary_is_named() {
    let scratch = Scratch::new();
    let zstd = |flags: u8, id: &[u8]| [&[0x28, 0xb5, 0x2f, 0xfd, flags, 0x40], id, &[1, 0, 0]].concat();
    let lz4 = |flags: u8, rest: &[u8]| [&[0x04, 0x22, 0x4d, 0x18, flags, 0x40], rest, &[0; 8]].concat();
    for (file, id, command) in [
        (zstd(1, &[7]), 7, "zstd"),
        (zstd(2, &[0x39, 0x30]), 12345, "zstd"),
        (zstd(3, &[1, 0, 0, 0x80]), 0x8000_0001_u32, "zstd"),
        (lz4(0x61, &[9, 0, 0, 0]), 9, "lz4"),
        (lz4(0x69, &[0, 0, 0, 0, 0, 0, 0, 0, 9, 1, 0, 0]), 265, "lz4"),
    ] {
        let (is_about_dump, sentence) = refusal(&scratch, &file);
        let command = format!("{command} -dc -D DICTIONARY FILE | bigkeys analyze -");
        assert!(is_about_dump && sentence.contains(&format!("(ID {id})")), "{sentence}");
        assert!(sentence.ends_with(&command), "{sentence}");
    }
}

/// A gibibyte of zeros, by a program that has much less address space.
#[cfg(feature = "cli")]
#[test]
fn a_bomb_of_zeros_takes_no_memory() {
    const SPACE_KIB: u64 = 700 << 10;
    let scratch = Scratch::new();
    let zeros = gzip(&vec![0; 64 << 20]).repeat(16);
    let inside = scratch.write("inside.gz", &[gzip(&short_dump()), zeros].concat());
    let script = format!("ulimit -v {SPACE_KIB}; exec \"$0\" \"$@\"");
    for command in ["analyze", "check"] {
        let mut run = std::process::Command::new("sh");
        run.args(["-c", &script, env!("CARGO_BIN_EXE_bigkeys"), command]).arg(&inside);
        let output = run.output().expect("a shell");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success() && text.contains("1073741824 bytes of zeros"), "{text}");
    }
}

// ---- captures

#[test]
fn answers_of_the_server_before_a_capture() {
    let scratch = Scratch::new();
    let dump = dump();
    let plain = answer(&scratch, &dump);
    let length = format!("${}\r\n", dump.len());
    let mark = [&b"$EOF:"[..], MARK, b"\r\n"].concat();
    let whole = [length.as_bytes(), &dump].concat();
    let marked = [&mark[..], &dump, MARK].concat();
    let sync = b"+FULLRESYNC 8de1787ba490483314a4d30f1c628bc5025eb761 14\r\n";
    for before in [
        b"+OK\r\n".to_vec(),
        b"+PONG\r\n+OK\r\n+OK\r\n+OK\r\n".to_vec(),
        [&b"+OK\r\n+OK\r\n"[..], sync, b"\n\n\n"].concat(),
        // A newline a second for an hour, while the dump is made.
        [&sync[..], &[b'\n'; 3600]].concat(),
        [&b"+OK\r\n".repeat(200)[..], &[b'\n'; 33]].concat(),
    ] {
        holds(&scratch, &[&before[..], &whole].concat(), &plain);
        holds(&scratch, &[&before[..], &marked].concat(), &plain);
        holds(&scratch, &gzip(&[&before[..], &marked, PING].concat()), &plain);
    }
    for other in [vec![b'\n'; 4096], b"+OK\r\n".repeat(1000), [b"\n".repeat(2_000_000), whole].concat()] {
        let found = answer(&scratch, &other);
        assert!(found.damage.is_some_and(|damage| damage.contains("no dump follows its first lines")));
    }
}

// ---- what a cut dump lost

#[test]
fn salvage_says_what_a_cut_dump_lost() {
    let rdb = Rdb::redis(9).select_db(0).resize_db(2, 0).key(0, "a", |b| b.string("1")).key(0, "b", |b| b.string("2"));
    let rdb = rdb.select_db(3).resize_db(5, 0).key(0, "c", |b| b.string("3"));
    let whole = rdb.clone().key(0, "cut", |b| b.string("0123456789"));
    let sound = whole.clone().eof();
    let salvaged = |dump: &[u8]| salvage_bytes(dump, &mut Vec::new()).expect("memory");
    assert_eq!(salvaged(&sound).bytes_missing_min, None);

    // After three of ten bytes: seven, the end record and the checksum are missing.
    let cut = whole.unfinished();
    let account = salvaged(&cut[..cut.len() - 7]);
    assert_eq!((account.bytes_missing_min, account.skipped[0].bytes), (Some(7 + 1 + 8), 9));
    let short = &account.databases_short;
    assert_eq!(short.len(), 1);
    assert_eq!((short[0].db, short[0].keys_stated, short[0].keys_written, short[0].keys_missing), (3, 5, 1, 4));
    assert_eq!(
        account.notes,
        [format!(
            "the dump is cut at byte {}: at least 16 more bytes should follow; 4 keys are missing of the databases that it \
             begins, and any databases after them",
            cut.len() - 7
        )]
    );
    // Between two records, and within the checksum.
    let account = salvaged(&rdb.unfinished());
    assert_eq!((account.bytes_missing_min, account.complete), (Some(9), false));
    let account = salvaged(&sound[..sound.len() - 2]);
    assert_eq!((account.bytes_missing_min, account.keys_written, account.complete), (Some(2), 4, false));
    // Numbers that no file has.
    let liar = Rdb::redis(9).select_db(0).resize_db(u64::MAX, 0).key(0, "a", |b| b.len(1 << 40)).unfinished();
    let account = salvaged(&liar);
    assert_eq!((account.bytes_missing_min, account.databases_short[0].keys_missing), (Some((1 << 40) + 9), u64::MAX));
}

#[test]
fn names_of_containers() {
    let scratch = Scratch::new();
    let name = |path: &Path| check(path, &Options::default()).expect("a file").wrapped_in.join(" in ");
    for (file, expected) in [
        ([skippable(0, b"1234"), zstd(&short_dump())].concat(), "a zstd file"),
        ([skippable(0, b"1234"), lz4(&short_dump())].concat(), "an LZ4 file"),
        (lz4_legacy(&short_dump()), "an LZ4 file"),
        (xz(&short_dump()), "an xz file"),
        (bzip2(&short_dump()), "a bzip2 file"),
    ] {
        assert_eq!(name(&scratch.write("a file", &file)), expected);
    }
}
