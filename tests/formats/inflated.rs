//! Compressed files that are inflated in parts by several threads: the same answer as of one that reads them through a pipe,
//! whatever is wrong with them.

use std::io::Write;

use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};

use crate::support::assembler::Rdb;
use crate::support::damage::damage;
use crate::support::random::Random;
use crate::support::ways::{Answer, Doing, Scratch, mapped_whole, streamed};
use bigkeys::check::{Options, check};

/// A dump of which more than a megabyte does not compress: smaller files are not worth workers.
fn dump() -> Vec<u8> {
    let mut random = Random(1);
    let rdb = (0..300).fold(Rdb::redis(9).select_db(0), |rdb, number| {
        let value: Vec<u8> =
            (0..=250).cycle().take(8000).map(|byte| if number % 4 == 0 { byte } else { random.byte() }).collect();
        rdb.key(0, format!("key:{number:03}"), |b| b.string(&value))
    });
    rdb.key(1, "list", |b| b.strings(&["a", "b", "c"])).eof()
}

/// Blocks as `bgzip` writes them, the last of them empty.
fn bgzip(bytes: &[u8]) -> Vec<u8> {
    const BLOCK_BYTES: usize = 0xff00;
    let block = |bytes: &[u8]| {
        const LENGTH_AT: usize = 16;
        let mut encoder =
            flate2::GzBuilder::new().extra(&b"BC\x02\0\0\0"[..]).write(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("memory");
        let mut block = encoder.finish().expect("memory");
        let length = u16::try_from(block.len() - 1).expect("a short block");
        block[LENGTH_AT..LENGTH_AT + 2].copy_from_slice(&length.to_le_bytes());
        block
    };
    bytes.chunks(BLOCK_BYTES).chain([&[][..]]).flat_map(block).collect()
}

/// Frames as `pzstd` writes them, each behind one that has its length.
fn pzstd(bytes: &[u8]) -> Vec<u8> {
    let frame = |bytes: &[u8]| {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
        encoder.include_checksum(true).expect("an encoder");
        encoder.write_all(bytes).expect("memory");
        let frame = encoder.finish().expect("memory");
        let length = u32::try_from(frame.len()).expect("a short frame").to_le_bytes();
        [&[0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0], &length[..], &frame].concat()
    };
    bytes.chunks(300_000).flat_map(frame).collect()
}

/// A frame of blocks that do not need each other, with every promise that a frame can make.
fn lz4(bytes: &[u8]) -> Vec<u8> {
    lz4_frame(bytes, BlockSize::Max64KB, true)
}

/// As `lz4` writes it.
fn lz4_of_large_blocks(bytes: &[u8]) -> Vec<u8> {
    lz4_frame(bytes, BlockSize::Max1MB, false)
}

fn lz4_frame(bytes: &[u8], block_size: BlockSize, has_all: bool) -> Vec<u8> {
    let info = FrameInfo::new().block_size(block_size).block_mode(BlockMode::Independent).content_checksum(true);
    let info = info.block_checksums(has_all).content_size(has_all.then_some(bytes.len() as u64));
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

type Compress = fn(&[u8]) -> Vec<u8>;

const CONTAINERS: [(&str, Compress); 4] =
    [("bgzip", bgzip), ("pzstd", pzstd), ("LZ4", lz4), ("LZ4 of large blocks", lz4_of_large_blocks)];

/// What comes of a file, which is the same for any number of threads as for one that reads it through a pipe.
#[track_caller]
fn answer(scratch: &Scratch, file: &[u8]) -> Answer {
    let path = scratch.write("a file", file);
    let piped = streamed(1 << 16).answer(&path, file);
    for threads in [1, 2, 4, 7] {
        let opened = mapped_whole(threads).answer(&path, file);
        assert!(opened == piped, "{threads} threads: {:?} instead of {:?}", opened.damage, piped.damage);
    }
    piped
}

#[test]
fn sound_files() {
    let scratch = Scratch::new();
    let dump = dump();
    let plain = answer(&scratch, &dump);
    for (name, compress) in CONTAINERS {
        let _doing = Doing(|| name.to_owned());
        let file = compress(&dump);
        assert_eq!(answer(&scratch, &file), plain);
        let path = scratch.path("a file");
        let checked = [1, 4].map(|threads| {
            let mut options = Options::default();
            options.threads = threads;
            check(&path, &options).expect("a file").to_string()
        });
        assert_eq!(checked[0], checked[1]);
        assert!(checked[0].contains(": sound"), "{}", checked[0]);
    }
}

/// Parts of each kind after the other, and behind them what harms nothing, or what is not compressed.
#[test]
fn parts_of_several_kinds() {
    let scratch = Scratch::new();
    let dump = dump();
    let plain = answer(&scratch, &dump);
    let (first, rest) = dump.split_at(dump.len() / 3);
    let (second, third) = rest.split_at(rest.len() / 2);
    for (name, parts) in [
        ("bgzip, gzip, zstd", [bgzip(first), super::containers::gzip(second), pzstd(third)]),
        ("LZ4, LZ4, bgzip", [lz4(first), lz4_of_large_blocks(second), bgzip(third)]),
        ("zstd, LZ4, zeros, zstd", [pzstd(first), [lz4(second), vec![0; 99]].concat(), pzstd(third)]),
    ] {
        let _doing = Doing(|| name.to_owned());
        let file = parts.concat();
        assert_eq!(answer(&scratch, &file), plain);
        let padded = answer(&scratch, &[&file[..], &[0; 5000]].concat());
        assert_eq!(padded.notes, ["ignored 5000 bytes of zeros after the end of the compressed file"]);
        let followed = answer(&scratch, &[&file[..], b"something else"].concat());
        assert_eq!(followed.keys, plain.keys);
        assert!(followed.damage.is_some_and(|damage| damage.contains("bytes that are not compressed follow")));
    }
}

#[test]
fn cut_files() {
    let scratch = Scratch::new();
    let dump = dump();
    for (name, compress) in CONTAINERS {
        let file = compress(&dump);
        let near_the_end = file.len() - 9..file.len();
        for cut in (5..8).map(|part| file.len() * part / 8 + part % 3).chain(near_the_end) {
            let _doing = Doing(|| format!("{name} of {cut} bytes"));
            let found = answer(&scratch, &file[..cut]);
            assert!(name == "bgzip" || !found.is_complete());
        }
    }
}

#[test]
fn damaged_files() {
    let scratch = Scratch::new();
    let dump = dump();
    for (name, compress) in CONTAINERS {
        let file = compress(&dump);
        for seed in 0..12 {
            let _doing = Doing(|| format!("{name}, damage {seed}"));
            answer(&scratch, &damage(&file, &mut Random(seed)));
        }
        // Checksums, lengths and marks at the end.
        for at in file.len() - 9..file.len() {
            let _doing = Doing(|| format!("{name}, byte {at}"));
            let mut damaged = file.clone();
            damaged[at] ^= 0x10;
            answer(&scratch, &damaged);
        }
    }
}

/// A block of LZ4 that inflates to nothing ends a frame for its decoder, whatever follows.
#[test]
fn a_block_of_nothing() {
    const HEADER_BYTES: usize = 7;
    let scratch = Scratch::new();
    let file = lz4_of_large_blocks(&dump());
    let (header, blocks) = file.split_at(HEADER_BYTES);
    let word = u32::from_le_bytes(blocks[..4].try_into().expect("four bytes"));
    let block_bytes = 4 + usize::try_from(word % (1 << 31)).expect("a short block");
    let (first, others) = blocks.split_at(block_bytes);
    for nothing in [&[0, 0, 0, 0x80][..], &[1, 0, 0, 0, 0]] {
        answer(&scratch, &[header, first, nothing, others].concat());
        answer(&scratch, &[header, nothing, first, others].concat());
    }
}
