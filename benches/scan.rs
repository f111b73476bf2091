//! How fast the scanner reads dumps in memory, by what is in them, and how fast its parts are: `cargo bench`.
//!
//! Every dump is made here, byte by byte and the same each time, so no server is needed. Bytes a second mean little
//! where values are stepped over unread, such as large strings: there, compare with an earlier run only.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Duration;

use bigkeys::rdb::packed::{listpack, lzf};
use bigkeys::rdb::primitives::{length, string_header};
use bigkeys::rdb::{Scanner, checksum};
use criterion::{Criterion, SamplingMode, Throughput};

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    scans(&mut criterion);
    parts(&mut criterion);
    criterion.final_summary();
}

/// Larger than the caches, as real dumps are.
const DUMP_BYTES: usize = 32 << 20;

fn scans(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scan");
    // A pass takes milliseconds: each sample is a few of them, not ever more.
    group.sampling_mode(SamplingMode::Flat);
    let dumps = [
        ("tiny_keys", dump(DUMP_BYTES, tiny_key)),
        ("big_values", dump(2 * DUMP_BYTES, big_value)),
        ("packed_raw", dump(DUMP_BYTES, |out, random| packed(out, random, put_string))),
        ("packed_lzf", dump(DUMP_BYTES, |out, random| packed(out, random, put_lzf))),
        ("unpacked_hashes", dump(DUMP_BYTES, unpacked_hash)),
        ("quicklists", dump(DUMP_BYTES, quicklist)),
        ("streams", dump(DUMP_BYTES, stream)),
    ];
    for (name, dump) in &dumps {
        group.throughput(Throughput::Bytes(dump.len() as u64));
        group.bench_function(*name, |bencher| bencher.iter(|| scan(black_box(dump))));
    }
}

fn scan(dump: &[u8]) -> u64 {
    let scanner = Scanner::new(dump).expect("the dump has a start");
    scanner.map(|entry| entry.expect("the dump is sound").size).sum()
}

/// How many words, strings or blobs a part is run over.
const RUNS: usize = 10_000;

fn parts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parts");
    let mut random = Random(1);

    let mut lengths = Vec::new();
    let mut headers = Vec::new();
    for _ in 0..RUNS {
        put_length(&mut lengths, random.size(1, 1 << 20));
        match random.below(4) {
            0 => put_integer(&mut headers, &mut random),
            _ => put_length(&mut headers, random.size(1, 1 << 14)),
        }
    }
    group.throughput(Throughput::Elements(RUNS as u64));
    group.bench_function("length", |bencher| {
        bencher.iter(|| {
            let (mut rest, mut sum) = (black_box(&lengths[..]), 0_u64);
            while !rest.is_empty() {
                let (left, value) = length(rest).expect("it is a length");
                (rest, sum) = (left, sum.wrapping_add(value));
            }
            sum
        });
    });
    group.bench_function("string_head", |bencher| {
        bencher.iter(|| {
            let (mut rest, mut sum) = (black_box(&headers[..]), 0_u64);
            while !rest.is_empty() {
                let (left, header) = string_header(rest).expect("it is a string's head");
                (rest, sum) = (left, sum.wrapping_add(header.value_bytes()));
            }
            sum
        });
    });

    let blobs: Vec<_> = (0..RUNS).map(|_| hash_listpack(&mut random)).collect();
    let stored: Vec<_> = blobs.iter().map(|blob| compress(blob)).collect();
    group.bench_function("lzf_prefix", |bencher| {
        let mut header = [0; 6];
        bencher.iter(|| {
            black_box(&stored).iter().fold(0, |sum, stored| {
                sum + lzf::inflate_prefix(stored, &mut header).expect("it is LZF") + usize::from(black_box(header)[4])
            })
        });
    });

    group.throughput(Throughput::Bytes(blobs.iter().map(|blob| blob.len() as u64).sum()));
    group.bench_function("lzf_whole", |bencher| {
        let mut out = Vec::new();
        bencher.iter(|| {
            for (stored, blob) in stored.iter().zip(&blobs) {
                out.clear();
                lzf::inflate(black_box(stored), blob.len(), &mut out).expect("it is LZF");
            }
        });
    });
    group.bench_function("listpack_walk", |bencher| {
        bencher.iter(|| {
            let entries = |blob| {
                listpack::entries(blob)
                    .expect("it is a listpack")
                    .map(|entry| entry.expect("it is an entry").value_bytes())
            };
            black_box(&blobs).iter().flat_map(|blob| entries(blob)).sum::<u64>()
        });
    });

    let mut bytes = vec![0; DUMP_BYTES];
    random.fill(&mut bytes);
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("checksum", |bencher| bencher.iter(|| checksum::of(black_box(&bytes))));
}

// Keys, a function for each bench.

/// 37 bytes: a string of 16 bytes, or an integer and a longer name.
fn tiny_key(out: &mut Vec<u8>, random: &mut Random) {
    let is_integer = random.below(2) == 0;
    let name_bytes = if is_integer { 30 } else { 18 };
    out.push(STRING);
    put_string(out, &random.token(name_bytes));
    if is_integer {
        out.push(0xc2);
        out.extend(low_u32(random.next()).to_le_bytes());
    } else {
        put_string(out, &random.token(16));
    }
}

fn big_value(out: &mut Vec<u8>, random: &mut Random) {
    put_name(out, STRING, random);
    let bytes = random.size(50_000, 2_000_000);
    put_length(out, bytes);
    let start = out.len();
    out.resize(start + bytes, b'x');
}

fn packed(out: &mut Vec<u8>, random: &mut Random, put: fn(&mut Vec<u8>, &[u8])) {
    if random.below(2) == 0 {
        put_name(out, HASH_LISTPACK, random);
        put(out, &hash_listpack(random));
    } else {
        put_name(out, ZSET_LISTPACK, random);
        put(out, &zset_listpack(random));
    }
}

fn unpacked_hash(out: &mut Vec<u8>, random: &mut Random) {
    put_name(out, HASH, random);
    let fields = random.size(500, 50_000);
    put_length(out, fields);
    for field in 0..fields {
        put_string(out, format!("field:{field}").as_bytes());
        if random.below(4) == 0 {
            put_integer(out, random);
        } else {
            let bytes = random.size(4, 200);
            put_string(out, &random.token(bytes));
        }
    }
}

/// Nodes of up to 8 KB, the server's default, half of them compressed.
fn quicklist(out: &mut Vec<u8>, random: &mut Random) {
    put_name(out, LIST_QUICKLIST_2, random);
    let nodes = random.size(1, 200);
    put_length(out, nodes);
    for _ in 0..nodes {
        let mut node = Listpack::default();
        while node.entries.len() < 8000 {
            node.string(b"job:mail:to:user:");
            node.string(&random.token(24));
        }
        put_length(out, CONTAINER_PACKED);
        let put = if random.below(2) == 0 { put_lzf } else { put_string };
        put(out, &node.build());
    }
}

/// A hundred entries a node, as the server packs them, and no consumer groups.
fn stream(out: &mut Vec<u8>, random: &mut Random) {
    put_name(out, STREAM, random);
    let nodes = random.size(1, 100);
    put_length(out, nodes);
    for node in 0..nodes {
        let mut master_id = [0; 16];
        random.fill(&mut master_id);
        put_string(out, &master_id);
        let mut entries = Listpack::default();
        // The master entry: live, deleted, two field names, its end.
        for number in [100, 0, 2] {
            entries.integer(number);
        }
        entries.string(b"sensor");
        entries.string(b"temperature");
        entries.integer(0);
        for entry in 0..100 {
            // Same fields as the master's; IDs as differences; how many listpack entries this one has.
            for number in [2, entry, 0] {
                entries.integer(number);
            }
            entries.integer(node as u64 % 100);
            entries.string(&random.token(5));
            entries.integer(5);
        }
        put_lzf(out, &entries.build());
    }
    put_length(out, 100 * nodes);
    // The last ID, and no groups.
    for number in [1_700_000_000, 0, 0] {
        put_length(out, number);
    }
}

fn hash_listpack(random: &mut Random) -> Vec<u8> {
    let mut hash = Listpack::default();
    for field in 0..random.size(5, 60) {
        hash.string(format!("customer_address_{field}").as_bytes());
        match random.below(3) {
            0 => hash.integer(random.next() % 4096),
            _ => hash.string(&random.token(12)),
        }
    }
    hash.build()
}

fn zset_listpack(random: &mut Random) -> Vec<u8> {
    let mut zset = Listpack::default();
    for member in 0..random.size(5, 60) {
        zset.string(format!("leaderboard:player:{member}").as_bytes());
        zset.integer(random.next() % 4096);
    }
    zset.build()
}

// The format's words.

const STRING: u8 = 0;
const HASH: u8 = 4;
const STREAM: u8 = 15;
const HASH_LISTPACK: u8 = 16;
const ZSET_LISTPACK: u8 = 17;
const LIST_QUICKLIST_2: u8 = 18;
const CONTAINER_PACKED: usize = 2;

/// A dump of at least `bytes` bytes, key after key.
fn dump(bytes: usize, key: impl Fn(&mut Vec<u8>, &mut Random)) -> Vec<u8> {
    let mut random = Random(0);
    let mut out = b"REDIS0010\xfe\x00".to_vec();
    while out.len() < bytes {
        key(&mut out, &mut random);
    }
    out.push(0xff);
    let checksum = checksum::of(&out);
    out.extend(checksum.to_le_bytes());
    out
}

fn put_name(out: &mut Vec<u8>, value_type: u8, random: &mut Random) {
    out.push(value_type);
    put_string(out, &random.token(20));
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    let length = low_u32(length as u64);
    let [.., high, low] = length.to_be_bytes();
    match length {
        0..64 => out.push(low),
        64..16_384 => out.extend([0x40 | high, low]),
        _ => {
            out.push(0x80);
            out.extend(length.to_be_bytes());
        }
    }
}

fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    put_length(out, bytes.len());
    out.extend(bytes);
}

fn put_lzf(out: &mut Vec<u8>, bytes: &[u8]) {
    let stored = compress(bytes);
    out.push(0xc3);
    put_length(out, stored.len());
    put_length(out, bytes.len());
    out.extend(stored);
}

/// A string that is stored as an integer of one, two or four bytes.
fn put_integer(out: &mut Vec<u8>, random: &mut Random) {
    let [a, b, c, d, ..] = random.next().to_le_bytes();
    match random.below(3) {
        0 => out.extend([0xc0, a]),
        1 => out.extend([0xc1, a, b]),
        _ => out.extend([0xc2, a, b, c, d]),
    }
}

#[derive(Default)]
struct Listpack {
    entries: Vec<u8>,
    count: u16,
}

impl Listpack {
    /// Up to 63 bytes.
    fn string(&mut self, text: &[u8]) {
        let bytes = u8::try_from(text.len()).expect("it is short");
        self.entries.push(0x80 | bytes);
        self.entries.extend(text);
        self.entries.push(1 + bytes);
        self.count += 1;
    }

    /// Up to 4,095.
    fn integer(&mut self, value: u64) {
        let [low, high, ..] = value.to_le_bytes();
        match value {
            0..128 => self.entries.extend([low, 1]),
            _ => self.entries.extend([0xc0 | high, low, 2]),
        }
        self.count += 1;
    }

    fn build(self) -> Vec<u8> {
        let mut blob = Vec::with_capacity(self.entries.len() + 7);
        blob.extend(low_u32(self.entries.len() as u64 + 7).to_le_bytes());
        blob.extend(self.count.to_le_bytes());
        blob.extend(self.entries);
        blob.push(0xff);
        blob
    }
}

/// LZF as simple as it can be: the last place of each three bytes, and as long a copy from there as there is.
fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut places: HashMap<&[u8], usize> = HashMap::new();
    let mut out = Vec::new();
    let (mut at, mut literal) = (0, 0);
    while let Some(three) = bytes.get(at..at + 3) {
        let earlier = places.insert(three, at).filter(|earlier| at - earlier <= 8192);
        let Some(earlier) = earlier else {
            at += 1;
            continue;
        };
        let run = bytes.iter().skip(at).zip(bytes.iter().skip(earlier)).take(264);
        let same = run.take_while(|(here, there)| here == there).count();
        put_literal(&mut out, bytes.get(literal..at).unwrap_or_default());
        let [low, high, ..] = (at - earlier - 1).to_le_bytes();
        match u8::try_from(same - 2).expect("a copy is at most 264 bytes") {
            short @ 0..7 => out.extend([short << 5 | high, low]),
            long => out.extend([7 << 5 | high, long - 7, low]),
        }
        at += same;
        literal = at;
    }
    put_literal(&mut out, bytes.get(literal..).unwrap_or_default());
    out
}

fn put_literal(out: &mut Vec<u8>, bytes: &[u8]) {
    for run in bytes.chunks(32) {
        out.push(u8::try_from(run.len() - 1).expect("a run is at most 32 bytes"));
        out.extend(run);
    }
}

/// Splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, end: u32) -> u32 {
        low_u32(self.next()) % end
    }

    /// From `low` to `high`, as real sizes are spread: a power of two first, then a place below it.
    fn size(&mut self, low: u32, high: u32) -> usize {
        let bound = low << self.below((high / low).ilog2() + 1);
        (low + self.below(bound)).min(high) as usize
    }

    /// Hexadecimal digits, which LZF cannot compress.
    fn token(&mut self, bytes: usize) -> Vec<u8> {
        let mut token = vec![0; bytes];
        self.fill(&mut token);
        for byte in &mut token {
            *byte = b"0123456789abcdef".get(usize::from(*byte & 15)).copied().unwrap_or_default();
        }
        token
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for eight in bytes.chunks_mut(8) {
            for (to, from) in eight.iter_mut().zip(self.next().to_le_bytes()) {
                *to = from;
            }
        }
    }
}

/// The low half, where it is all there is or all that is wanted.
fn low_u32(value: u64) -> u32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
