//! The memory that a run takes of its own (`RssAnon`), whatever the size of the dump and of the values in it.
//!
//! A mapped file's pages belong to the page cache, so they do not count: what counts is what the program asked for.

use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::assembler::{Bytes, Listpack, Lzf, Rdb};
use crc_fast::{CrcAlgorithm::Crc64Redis, Digest};
use flate2::Compression;
use flate2::write::GzEncoder;

const MIB: u64 = 1 << 20;

/// What the program promises over a mapped file, and over a pipe or a compressed file.
const MAPPED_BYTES_MAX: u64 = 64 * MIB;
const STREAM_BYTES_MAX: u64 = 256 * MIB;

/// One value of each is in one key.
const HASH_BYTES: usize = 400 << 20;
const STRING_BYTES: usize = 300 << 20;
/// What all other keys take together.
const REST_BYTES: u64 = 320 << 20;

/// A run that takes longer hangs.
const SECONDS_MAX: u64 = 300;

#[test]
fn memory_is_bounded_whatever_the_dump() {
    let folder = tempfile::tempdir().expect("a folder");
    let [plain, gzip] = ["dump.rdb", "dump.gz"].map(|name| folder.path().join(name));
    write_dump(&plain, &gzip).expect("room for the dump");
    assert!(fs::metadata(&plain).expect("the dump").len() > 1000 * MIB);

    let mapped = peak_bytes(analyze().arg(&plain));
    let threads = peak_bytes(analyze().args(["--threads", "16"]).arg(&plain));
    let everything = peak_bytes(analyze().args(["--all-types", "--no-verify"]).arg(&plain));
    #[cfg(feature = "columnar")]
    for format in ["parquet", "arrow"] {
        let rows = peak_bytes(bigkeys("keys").args(["--format", format]).arg(&plain));
        println!("mapped, {format}: {} KiB of at most {} KiB", rows >> 10, MAPPED_BYTES_MAX >> 10);
        assert!(rows <= MAPPED_BYTES_MAX, "{format}: {} KiB are more than {} KiB", rows >> 10, MAPPED_BYTES_MAX >> 10);
    }
    let mut cat = Command::new("cat").arg(&plain).stdout(Stdio::piped()).spawn().expect("cat starts");
    let piped = peak_bytes(analyze().arg("-").stdin(cat.stdout.take().expect("a pipe")));
    assert!(cat.wait().expect("cat ends").success());
    let inflated = peak_bytes(analyze().arg(&gzip));

    for (way, peak, most) in [
        ("mapped", mapped, MAPPED_BYTES_MAX),
        ("mapped, 16 threads", threads, MAPPED_BYTES_MAX),
        ("mapped, all types, no checksum", everything, MAPPED_BYTES_MAX),
        ("through a pipe", piped, STREAM_BYTES_MAX),
        ("inflated", inflated, STREAM_BYTES_MAX),
    ] {
        println!("{way}: {} KiB of at most {} KiB", peak >> 10, most >> 10);
        assert!(peak <= most, "{way}: {} KiB are more than {} KiB", peak >> 10, most >> 10);
    }
}

/// Small files that are read side by side, each of which asks for a window of 128 MiB and fills it, or inflates to much.
#[test]
fn small_files_that_ask_for_much() {
    const FILES: usize = 10;
    const ZEROS: usize = 150 << 20;
    let folder = tempfile::tempdir().expect("a folder");
    let claim = u32::try_from(ZEROS).expect("32 bits").to_be_bytes();
    let start = [&Rdb::redis(9).select_db(0).unfinished()[..], &[0, 1, b'k', 0x80], &claim].concat();
    let end = [&[255][..], &[0; 8]].concat();
    let wide = super::containers::zstd_with_zeros(&start, ZEROS, &end);
    let whole = [&start[..], &vec![0; ZEROS], &end].concat();
    for (name, file) in [("zstd", wide), ("legacy LZ4", super::containers::lz4_legacy(&whole))] {
        assert!(file.len() <= 1 << 20, "{name}: {} bytes", file.len());
        let write = |number| {
            let path = folder.path().join(format!("{name} {number}"));
            fs::write(&path, &file).expect("room for it");
            path
        };
        let paths: Vec<_> = (0..FILES).map(write).collect();
        for options in [&["analyze", "--threads", "8"][..], &["analyze", "--per-file", "--threads", "8"]] {
            let peak = peak_bytes(bigkeys(options[0]).args(&options[1..]).arg("--no-verify").args(&paths));
            println!("{name}, {options:?}: {} KiB of at most {} KiB", peak >> 10, STREAM_BYTES_MAX >> 10);
            assert!(
                peak <= STREAM_BYTES_MAX,
                "{name}: {} KiB are more than {} KiB",
                peak >> 10,
                STREAM_BYTES_MAX >> 10
            );
        }
    }
}

#[test]
fn rows_of_long_names() {
    const NAME_BYTES: usize = 7 << 20;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("names.rdb");
    let dump = (0..12).fold(Rdb::redis(12).select_db(0), |rdb, number| {
        // Bytes that take four, six and one in text.
        let mut name = vec![[0xff, 0x01, b'n'][number % 3]; NAME_BYTES];
        name.push(u8::try_from(number).expect("small"));
        rdb.key(0, name, |value| value.string("v"))
    });
    fs::write(&path, dump.eof()).expect("room for the dump");
    let formats = ["csv", "ndjson", "parquet", "arrow"];
    for format in formats.into_iter().take(if cfg!(feature = "columnar") { 4 } else { 2 }) {
        let peak = peak_bytes(bigkeys("keys").args(["--format", format]).arg(&path));
        println!("{format}: {} KiB of at most {} KiB", peak >> 10, MAPPED_BYTES_MAX >> 10);
        // A program that is compiled for tests has more pages of its own, and on a busy machine one more name waits.
        let most = MAPPED_BYTES_MAX + (16 << 20);
        assert!(peak <= most, "{format}: {} KiB are more than {} KiB", peak >> 10, most >> 10);
    }
}

#[test]
fn pages_of_skipped_values_are_not_touched() {
    let keys = 4000;
    let value_bytes = 1_000_000_u64;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sparse.rdb");
    let mut file = File::create(&path).expect("a file");
    file.write_all(&Rdb::redis(12).select_db(0).unfinished()).expect("room");
    for key in 0..keys {
        file.write_all(Bytes::new().u8(0).string(format!("big:{key}")).len(value_bytes).as_ref()).expect("room");
        // A hole, which takes no room.
        file.seek(SeekFrom::Current(value_bytes.cast_signed())).expect("a place");
    }
    file.write_all(&[&[255][..], &[0; 8]].concat()).expect("room");

    let count_faults = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); \
                        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt)";
    for threads in ["1", "2", "16"] {
        let mut command = Command::new("python3");
        command.args(["-c", count_faults, env!("CARGO_BIN_EXE_bigkeys"), "analyze", "-q", "--no-verify"]);
        let run = command.args(["--threads", threads, "-o", "/dev/null"]).arg(&path).output().expect("python3 starts");
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let faults: u64 = String::from_utf8_lossy(&run.stdout).trim().parse().expect("a number");
        println!("{threads} threads: {faults} page faults for {keys} keys in {} bytes", keys * value_bytes);
        // One a key, those of the program itself, and those of threads that look for a record to begin with; all pages would be
        // 60,000 faults of 64 KiB each.
        assert!(faults < 4 * keys, "{threads} threads: {faults} page faults");
    }
}

fn analyze() -> Command {
    bigkeys("analyze")
}

fn bigkeys(verb: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bigkeys"));
    command.args([verb, "-q"]).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Runs a command to its end and gives the most anonymous memory that it was seen with.
fn peak_bytes(command: &mut Command) -> u64 {
    let mut child = command.spawn().expect("the program starts");
    let deadline = Instant::now() + Duration::from_secs(SECONDS_MAX);
    let (mut peak, mut samples) = (0, 0);
    let status = loop {
        if let Some(bytes) = anonymous_bytes(&child) {
            (peak, samples) = (bytes.max(peak), samples + 1);
        }
        if let Some(status) = child.try_wait().expect("its status") {
            break status;
        }
        if Instant::now() > deadline {
            child.kill().expect("its end");
            panic!("{command:?} hangs");
        }
        sleep(Duration::from_millis(1));
    };
    assert!(status.success(), "{command:?}: {status}");
    assert!(peak > 0 && samples > 20, "{command:?} was seen {samples} times, with {peak} bytes");
    peak
}

fn anonymous_bytes(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kib = line.trim().strip_suffix(" kB").expect("kB");
    Some(kib.parse::<u64>().expect("a number") << 10)
}

/// Where a dump goes: to a file as it is, to another compressed, and into its checksum.
struct Sink {
    plain: BufWriter<File>,
    gzip: GzEncoder<BufWriter<File>>,
    checksum: Digest,
    bytes: u64,
}

impl Sink {
    fn put(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let bytes = bytes.as_ref();
        self.checksum.update(bytes);
        self.bytes += bytes.len() as u64;
        self.plain.write_all(bytes)?;
        self.gzip.write_all(bytes)
    }

    /// The same bytes again and again.
    fn fill(&mut self, byte: u8, mut bytes: usize) -> io::Result<()> {
        let block = vec![byte; 1 << 20];
        while bytes > 0 {
            let step = bytes.min(block.len());
            self.put(&block[..step])?;
            bytes -= step;
        }
        Ok(())
    }
}

fn write_dump(plain: &Path, gzip: &Path) -> io::Result<()> {
    let file = |path| Ok::<_, io::Error>(BufWriter::with_capacity(1 << 20, File::create(path)?));
    let gzip = GzEncoder::new(file(gzip)?, Compression::fast());
    let mut sink = Sink { plain: file(plain)?, gzip, checksum: Digest::new(Crc64Redis), bytes: 0 };
    sink.put(Rdb::redis(12).aux("redis-ver", "7.4.0").select_db(0).unfinished())?;
    put_rest(&mut sink, REST_BYTES / 2)?;

    // One hash, of fields that are all alike but for their names.
    let value = Bytes::new().string(vec![b'v'; 180]);
    let field = |number: usize| Bytes::new().string(format!("field:{number:012}")).raw(&value);
    let fields = HASH_BYTES / field(0).as_ref().len() + 1;
    sink.put(Bytes::new().u8(4).string("a hash of 400 MiB").len(fields as u64))?;
    for block in 0..fields.div_ceil(1000) {
        let numbers = block * 1000..fields.min(block * 1000 + 1000);
        sink.put(numbers.fold(Bytes::new(), |b, number| b.raw(field(number))))?;
    }

    sink.put(Bytes::new().u8(0).string("a string of 300 MiB").len(STRING_BYTES as u64))?;
    sink.fill(b'S', STRING_BYTES)?;
    put_rest(&mut sink, REST_BYTES / 2)?;

    sink.put([255])?;
    let checksum = sink.checksum.finalize();
    sink.put(checksum.to_le_bytes())?;
    sink.plain.flush()?;
    sink.gzip.finish()?.flush()
}

/// Keys of every other size class, over many databases, until they take so many bytes.
fn put_rest(sink: &mut Sink, bytes: u64) -> io::Result<()> {
    let end = sink.bytes + bytes;
    for round in 0.. {
        if sink.bytes >= end {
            break;
        }
        let name = |kind: &str, number: u64| format!("{kind}:{round}:{number}");
        let mut keys = Rdb::with_magic("", 12).select_db(round % 100);
        for number in 0..2000 {
            keys = keys.key(0, name("tiny", number), |b| b.string_i32(i32::MAX));
            keys = keys.expire_ms(4_102_444_800_000).key(0, name("small", number), |b| b.string([b's'; 40]));
        }
        let packed = (0..60).fold(Listpack::new(), |list, number| list.string(format!("packed {number}")));
        let packed = packed.build();
        for number in 0..100 {
            keys = keys.key(16, name("packed hash", number), |b| b.string(&packed));
            keys = keys.key(17, name("packed zset", number), |b| b.string(&packed));
            keys = keys.key(20, name("packed set", number), |b| b.string(&packed));
            keys = keys.key(18, name("list", number), |b| (0..4).fold(b.len(4), |b, _| b.len(2).string(&packed)));
        }
        keys = keys.key(5, name("zset", 0), |b| (0..5000).fold(b.len(5000), |b, n| b.string(format!("m{n}")).f64(0.5)));
        keys = keys.key(2, name("set", 0), |b| (0..5000).fold(b.len(5000), |b, n| b.string(format!("member {n}"))));
        for bytes in [50_000, 500_000, 3_000_000] {
            keys = keys.key(0, name("string", bytes), |b| b.string(vec![b'b'; usize::try_from(bytes).expect("small")]));
        }
        // 26 MB in 300 KB: whoever inflates all of it to count holds all of it.
        let long = (0..100_000).fold(Lzf::new().literal("x"), |lzf, _| lzf.back(1, 264));
        keys = keys.key(0, name("compressed", 0), |b| b.lzf(&long));
        keys = keys.key_as(0, |b| b.string(vec![b'n'; 100_000]), |b| b.string("under a name of 100 KB"));
        sink.put(keys.unfinished())?;
    }
    Ok(())
}
