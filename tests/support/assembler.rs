//! An assembler of RDB files: every byte has a named method, so a test says what it builds and
//! never holds a hex dump.
//!
//! [`Rdb`] is the file, [`Bytes`] the primitives of a value, [`Listpack`], [`Ziplist`], [`Zipmap`]
//! and [`intset`] the packed structures, [`Lzf`] a compressed string token by token. Nothing checks
//! that the result is valid: lies are a use of it, and the `claim_*` methods tell them.

use crc_fast::CrcAlgorithm::Crc64Redis;

/// An RDB file in the making.
#[derive(Clone)]
pub struct Rdb {
    bytes: Bytes,
    version: u32,
}

impl Rdb {
    /// A file that starts `REDISnnnn`.
    pub fn redis(version: u32) -> Self {
        Self::with_magic(format!("REDIS{version:04}"), version)
    }

    /// A file that starts `VALKEYnnn`.
    pub fn valkey(version: u32) -> Self {
        Self::with_magic(format!("VALKEY{version:03}"), version)
    }

    /// A file that starts with any bytes; `version` only says whether [`Rdb::eof`] writes a
    /// checksum.
    pub fn with_magic(magic: impl AsRef<[u8]>, version: u32) -> Self {
        Self { bytes: Bytes::new().raw(magic), version }
    }

    /// Any bytes at this place.
    pub fn put(mut self, payload: impl FnOnce(Bytes) -> Bytes) -> Self {
        self.bytes = payload(self.bytes);
        self
    }

    /// An opcode and its payload.
    pub fn opcode(self, opcode: u8, payload: impl FnOnce(Bytes) -> Bytes) -> Self {
        self.put(|b| payload(b.u8(opcode)))
    }

    /// A key whose name is a raw string: type, name, value.
    pub fn key(self, value_type: u8, name: impl AsRef<[u8]>, value: impl FnOnce(Bytes) -> Bytes) -> Self {
        self.key_as(value_type, |k| k.string(name), value)
    }

    /// A key whose name is written by hand (integer, LZF, wide length).
    pub fn key_as(self, value_type: u8, name: impl FnOnce(Bytes) -> Bytes, value: impl FnOnce(Bytes) -> Bytes) -> Self {
        self.put(|b| value(name(b.u8(value_type))))
    }

    /// Opcode 250: a name and a value, both raw strings.
    pub fn aux(self, name: &str, value: &str) -> Self {
        self.opcode(250, |b| b.string(name).string(value))
    }

    /// Opcode 254: the keys that follow belong to this database.
    pub fn select_db(self, db: u64) -> Self {
        self.opcode(254, |b| b.len(db))
    }

    /// Opcode 251: how many keys, and how many of them expire.
    pub fn resize_db(self, keys: u64, expires: u64) -> Self {
        self.opcode(251, |b| b.len(keys).len(expires))
    }

    /// Opcode 253: the next key expires at this second.
    pub fn expire_seconds(self, at: i32) -> Self {
        self.opcode(253, |b| b.raw(at.to_le_bytes()))
    }

    /// Opcode 252: the next key expires at this millisecond.
    pub fn expire_ms(self, at: i64) -> Self {
        self.opcode(252, |b| b.i64(at))
    }

    /// Opcode 249: the LFU counter of the next key.
    pub fn freq(self, counter: u8) -> Self {
        self.opcode(249, |b| b.u8(counter))
    }

    /// Opcode 248: seconds since the next key was last used.
    pub fn idle(self, seconds: u64) -> Self {
        self.opcode(248, |b| b.len(seconds))
    }

    /// Opcode 247: a module's own record; `when` is 1 before the keys, 2 after them; `values` ends
    /// with [`Bytes::end`].
    pub fn module_aux(self, module: &str, when: u64, values: impl FnOnce(Bytes) -> Bytes) -> Self {
        self.opcode(247, |b| values(b.module_id(module, 1).uint(when)))
    }

    /// Opcode 246: a function as the release candidates of Redis 7.0 wrote it.
    pub fn function_pre_ga(self, name: &str, engine: &str, description: &str, code: &str) -> Self {
        self.opcode(246, |b| b.string(name).string(engine).len(1).string(description).string(code))
    }

    /// Opcode 245: a library of functions.
    pub fn function(self, source: &str) -> Self {
        self.opcode(245, |b| b.string(source))
    }

    /// Opcode 244: a cluster slot, its keys, and those of them that expire.
    pub fn slot_info(self, slot: u64, keys: u64, expires: u64) -> Self {
        self.opcode(244, |b| b.len(slot).len(keys).len(expires))
    }

    /// Opcode 243 in Redis: what one class of module metadata says of the next key; `values` ends
    /// with [`Bytes::end`].
    pub fn key_meta(self, class: &str, values: impl FnOnce(Bytes) -> Bytes) -> Self {
        let spec = u32::try_from(six_bits(class) << 8 | 0b0000_1001).expect("a class name has four characters");
        self.opcode(243, |b| values(b.len(1).u32(spec)))
    }

    /// Opcode 243 in Valkey: a slot migration under way, with its slot ranges.
    pub fn slot_import(self, job: &str, ranges: &[(u64, u64)]) -> Self {
        let counted = |b: Bytes| b.string(job).len(count(ranges));
        self.opcode(243, |b| ranges.iter().fold(counted(b), |b, (first, last)| b.len(*first).len(*last)))
    }

    /// Opcode 242: the field names that hashes of this template share.
    pub fn hash_template(self, id: u64, names: &[&str]) -> Self {
        self.opcode(242, |b| b.len(id).strings(names))
    }

    /// Opcode 255, then the CRC-64 of all that came before if the version has one.
    pub fn eof(self) -> Vec<u8> {
        if self.version < 5 {
            return self.opcode(255, |b| b).unfinished();
        }
        let ended = self.opcode(255, |b| b);
        let checksum = crc_fast::checksum(Crc64Redis, &ended.bytes.0);
        ended.put(|b| b.u64(checksum)).unfinished()
    }

    /// Opcode 255, then this checksum, true or not.
    pub fn eof_with_checksum(self, checksum: u64) -> Vec<u8> {
        self.opcode(255, |b| b.u64(checksum)).unfinished()
    }

    /// Opcode 255, then the checksum 0 that stands for "not computed".
    pub fn eof_without_checksum(self) -> Vec<u8> {
        self.eof_with_checksum(0)
    }

    /// The file as it is now, without an end.
    pub fn unfinished(self) -> Vec<u8> {
        self.bytes.0
    }
}

/// The four ways to write a length.
#[derive(Clone, Copy)]
pub enum Width {
    /// One byte, up to 63.
    Bits6,
    /// Two bytes, up to 16,383.
    Bits14,
    /// `0x80` and four bytes.
    Bits32,
    /// `0x81` and eight bytes, from RDB 8 on.
    Bits64,
}

/// Primitives, one after another.
#[derive(Clone, Default)]
pub struct Bytes(Vec<u8>);

impl Bytes {
    /// No bytes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// These bytes as they are.
    pub fn raw(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.extend_from_slice(bytes.as_ref());
        self
    }

    /// One byte.
    pub fn u8(self, value: u8) -> Self {
        self.raw([value])
    }

    /// Four bytes, little-endian.
    pub fn u32(self, value: u32) -> Self {
        self.raw(value.to_le_bytes())
    }

    /// Eight bytes, little-endian.
    pub fn u64(self, value: u64) -> Self {
        self.raw(value.to_le_bytes())
    }

    /// Eight bytes, little-endian: times and array integers.
    pub fn i64(self, value: i64) -> Self {
        self.raw(value.to_le_bytes())
    }

    /// Eight bytes, little-endian: binary scores.
    pub fn f64(self, value: f64) -> Self {
        self.raw(value.to_le_bytes())
    }

    /// A length in its shortest form.
    pub fn len(self, value: u64) -> Self {
        let width = match value {
            0..=0x3f => Width::Bits6,
            0x40..=0x3fff => Width::Bits14,
            0x4000..=0xffff_ffff => Width::Bits32,
            _ => Width::Bits64,
        };
        self.len_as(width, value)
    }

    /// A length in this form, though a shorter one would do.
    pub fn len_as(self, width: Width, value: u64) -> Self {
        let all = value.to_be_bytes();
        let [.., b4, b5, b6, b7] = all;
        match width {
            Width::Bits6 => self.u8(b7),
            Width::Bits14 => self.raw([b6 | 0x40, b7]),
            Width::Bits32 => self.u8(0x80).raw([b4, b5, b6, b7]),
            Width::Bits64 => self.u8(0x81).raw(all),
        }
    }

    /// A string: its length, then its bytes.
    pub fn string(self, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self.len(count(bytes)).raw(bytes)
    }

    /// A string whose length is in this form.
    pub fn string_as(self, width: Width, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self.len_as(width, count(bytes)).raw(bytes)
    }

    /// How many strings, then the strings.
    pub fn strings(self, strings: &[&str]) -> Self {
        strings.iter().fold(self.len(count(strings)), Self::string)
    }

    /// A string stored as an 8-bit integer.
    pub fn string_i8(self, value: i8) -> Self {
        self.u8(0xc0).raw(value.to_le_bytes())
    }

    /// A string stored as a 16-bit integer.
    pub fn string_i16(self, value: i16) -> Self {
        self.u8(0xc1).raw(value.to_le_bytes())
    }

    /// A string stored as a 32-bit integer.
    pub fn string_i32(self, value: i32) -> Self {
        self.u8(0xc2).raw(value.to_le_bytes())
    }

    /// A string stored compressed.
    pub fn lzf(self, compressed: &Lzf) -> Self {
        self.lzf_claim(count(&compressed.tokens), count(&compressed.plain), &compressed.tokens)
    }

    /// A compressed string whose two lengths are claims.
    pub fn lzf_claim(self, compressed_len: u64, plain_len: u64, tokens: impl AsRef<[u8]>) -> Self {
        self.u8(0xc3).len(compressed_len).len(plain_len).raw(tokens)
    }

    /// A score of value type 3: one byte for `nan`, `inf` and `-inf`, else the counted text.
    pub fn score(self, text: &str) -> Self {
        match text {
            "nan" => self.u8(253),
            "inf" => self.u8(254),
            "-inf" => self.u8(255),
            _ => self.u8(u8::try_from(text.len()).expect("a score is short")).raw(text),
        }
    }

    /// A stream ID, 16 bytes, big-endian.
    pub fn stream_id(self, ms: u64, seq: u64) -> Self {
        self.raw(ms.to_be_bytes()).raw(seq.to_be_bytes())
    }

    /// A module's nine-character name and encoding version as its 64-bit id.
    pub fn module_id(self, name: &str, version: u64) -> Self {
        self.len_as(Width::Bits64, six_bits(name) << 10 | version)
    }

    /// Module value, tag 1: a signed integer.
    pub fn sint(self, value: i64) -> Self {
        self.len(1).len(value.cast_unsigned())
    }

    /// Module value, tag 2: an unsigned integer.
    pub fn uint(self, value: u64) -> Self {
        self.len(2).len(value)
    }

    /// Module value, tag 3: a 32-bit float.
    pub fn float(self, value: f32) -> Self {
        self.len(3).raw(value.to_le_bytes())
    }

    /// Module value, tag 4: a 64-bit float.
    pub fn double(self, value: f64) -> Self {
        self.len(4).f64(value)
    }

    /// Module value, tag 5: a string.
    pub fn text(self, value: impl AsRef<[u8]>) -> Self {
        self.len(5).string(value)
    }

    /// Module value, tag 0: the end.
    pub fn end(self) -> Self {
        self.len(0)
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// An LZF stream, token by token, with what it inflates to.
#[derive(Clone, Default)]
pub struct Lzf {
    tokens: Vec<u8>,
    plain: Vec<u8>,
}

impl Lzf {
    /// No tokens yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// These bytes as literal runs of at most 32.
    pub fn literal(self, bytes: impl AsRef<[u8]>) -> Self {
        self.literal_runs(32, bytes)
    }

    /// These bytes as literal runs of `run` bytes (1 to 32); runs of 1 make the longest stream
    /// there is.
    pub fn literal_runs(mut self, run: u8, bytes: impl AsRef<[u8]>) -> Self {
        for chunk in bytes.as_ref().chunks(usize::from(run)) {
            self.tokens.push(u8::try_from(chunk.len() - 1).expect("a run has at most 32 bytes"));
            self.tokens.extend_from_slice(chunk);
        }
        self.plain.extend_from_slice(bytes.as_ref());
        self
    }

    /// A back reference: `length` bytes (3 to 264) from `distance` (1 to 8,192) before here.
    pub fn back(mut self, distance: usize, length: usize) -> Self {
        let low_and_high = u16::try_from(distance - 1).expect("a distance has 13 bits");
        let [high, low] = low_and_high.to_be_bytes();
        if length < 9 {
            self.tokens.push(u8::try_from(length - 2).expect("checked above") << 5 | high);
        } else {
            self.tokens.push(7 << 5 | high);
            self.tokens.push(u8::try_from(length - 9).expect("a reference has at most 264 bytes"));
        }
        self.tokens.push(low);
        // Byte by byte, since a reference may read what it has itself written.
        for _ in 0..length {
            let from = self.plain.len().checked_sub(distance);
            self.plain.push(*from.and_then(|at| self.plain.get(at)).unwrap_or(&0));
        }
        self
    }

    /// The bytes that the tokens so far inflate to.
    pub fn plain(&self) -> &[u8] {
        &self.plain
    }
}

/// A listpack: entries, each followed by its own length backwards.
#[derive(Clone, Default)]
pub struct Listpack {
    entries: Vec<u8>,
    count: u16,
}

impl Listpack {
    /// No entries yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// An entry of these bytes, encoding included, with its backlen.
    pub fn entry(mut self, encoded: impl AsRef<[u8]>) -> Self {
        let encoded = encoded.as_ref();
        self.entries.extend_from_slice(encoded);
        // Seven bits a byte, the highest first; every byte but the first has its top bit set.
        let mut backlen = vec![u8::try_from(encoded.len() & 0x7f).expect("seven bits")];
        let mut rest = encoded.len() >> 7;
        while rest > 0 {
            if let Some(first) = backlen.first_mut() {
                *first |= 0x80;
            }
            backlen.insert(0, u8::try_from(rest & 0x7f).expect("seven bits"));
            rest >>= 7;
        }
        self.entries.extend_from_slice(&backlen);
        self.count = self.count.saturating_add(1);
        self
    }

    /// A string in its shortest encoding.
    pub fn string(self, text: impl AsRef<[u8]>) -> Self {
        let text = text.as_ref();
        let len = u32::try_from(text.len()).expect("a short string");
        let [_, _, high, low] = len.to_be_bytes();
        let header = match len {
            0..=63 => Bytes::new().u8(0x80 | low),
            64..=4095 => Bytes::new().raw([0xe0 | high, low]),
            _ => Bytes::new().u8(0xf0).u32(len),
        };
        self.entry(header.raw(text))
    }

    /// An integer in its shortest encoding.
    pub fn int(self, value: i64) -> Self {
        let [b0, b1, b2, b3, ..] = value.to_le_bytes();
        match value {
            0..=127 => self.entry([b0]),
            -4096..=4095 => self.entry([0xc0 | (b1 & 0x1f), b0]),
            -0x8000..=0x7fff => self.entry([0xf1, b0, b1]),
            -0x80_0000..=0x7f_ffff => self.entry([0xf2, b0, b1, b2]),
            -0x8000_0000..=0x7fff_ffff => self.entry([0xf3, b0, b1, b2, b3]),
            _ => self.entry(Bytes::new().u8(0xf4).i64(value)),
        }
    }

    /// Header, entries, end; 65,535 entries or more are counted as unknown.
    pub fn build(self) -> Vec<u8> {
        let count = self.count;
        self.claim_count(count)
    }

    /// As [`Listpack::build`], with this count in the header (65,535 = unknown).
    pub fn claim_count(self, count: u16) -> Vec<u8> {
        let total = u32::try_from(6 + self.entries.len() + 1).expect("a small listpack");
        Bytes::new().u32(total).raw(count.to_le_bytes()).raw(self.entries).u8(0xff).0
    }
}

/// A ziplist: entries, each led by the length of the one before.
#[derive(Clone, Default)]
pub struct Ziplist {
    entries: Vec<u8>,
    count: u16,
    previous: u32,
    wide: bool,
}

impl Ziplist {
    /// No entries yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next entry writes the length of the one before in five bytes, though one would do.
    pub fn wide_prevlen(mut self) -> Self {
        self.wide = true;
        self
    }

    /// An entry of these bytes, encoding included, after the length of the one before.
    pub fn entry(mut self, encoded: impl AsRef<[u8]>) -> Self {
        let prevlen = match u8::try_from(self.previous) {
            Ok(short @ ..254) if !self.wide => Bytes::new().u8(short),
            _ => Bytes::new().u8(254).u32(self.previous),
        };
        let entry = prevlen.raw(encoded).0;
        self.entries.extend_from_slice(&entry);
        self.previous = u32::try_from(entry.len()).expect("a short entry");
        self.wide = false;
        self.count = self.count.saturating_add(1);
        self
    }

    /// A string in its shortest encoding.
    pub fn string(self, text: impl AsRef<[u8]>) -> Self {
        let text = text.as_ref();
        let len = u32::try_from(text.len()).expect("a short string");
        let [_, _, high, low] = len.to_be_bytes();
        let header = match len {
            0..=0x3f => Bytes::new().u8(low),
            0x40..=0x3fff => Bytes::new().raw([0x40 | high, low]),
            _ => Bytes::new().u8(0x80).raw(len.to_be_bytes()),
        };
        self.entry(header.raw(text))
    }

    /// A 16-bit integer: with the next two, all that RDB versions before 6 know.
    pub fn i16(self, value: i16) -> Self {
        self.entry(Bytes::new().u8(0xc0).raw(value.to_le_bytes()))
    }

    /// A 32-bit integer.
    pub fn i32(self, value: i32) -> Self {
        self.entry(Bytes::new().u8(0xd0).raw(value.to_le_bytes()))
    }

    /// A 64-bit integer.
    pub fn i64(self, value: i64) -> Self {
        self.entry(Bytes::new().u8(0xe0).i64(value))
    }

    /// An integer in its shortest encoding.
    pub fn int(self, value: i64) -> Self {
        let [b0, b1, b2, b3, ..] = value.to_le_bytes();
        match value {
            0..=12 => self.entry([0xf1 + b0]),
            -0x80..=0x7f => self.entry([0xfe, b0]),
            -0x8000..=0x7fff => self.entry([0xc0, b0, b1]),
            -0x80_0000..=0x7f_ffff => self.entry([0xf0, b0, b1, b2]),
            -0x8000_0000..=0x7fff_ffff => self.entry([0xd0, b0, b1, b2, b3]),
            _ => self.i64(value),
        }
    }

    /// Header, entries, end; 65,535 entries or more are counted as unknown.
    pub fn build(self) -> Vec<u8> {
        let count = self.count;
        self.claim_count(count)
    }

    /// As [`Ziplist::build`], with this count in the header (65,535 = unknown).
    pub fn claim_count(self, count: u16) -> Vec<u8> {
        let end = u32::try_from(10 + self.entries.len()).expect("a small ziplist");
        let header = Bytes::new().u32(end + 1).u32(end - self.previous).raw(count.to_le_bytes());
        header.raw(self.entries).u8(0xff).0
    }
}

/// A zipmap: the small hash of Redis 2.2 and 2.4.
#[derive(Clone, Default)]
pub struct Zipmap {
    pairs: Bytes,
    count: u8,
}

impl Zipmap {
    /// No pairs yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A field and its value, followed by this many unused bytes.
    pub fn pair(mut self, field: impl AsRef<[u8]>, value: impl AsRef<[u8]>, free: u8) -> Self {
        let (field, value) = (field.as_ref(), value.as_ref());
        let pair = zipmap_len(self.pairs, field.len()).raw(field);
        self.pairs = zipmap_len(pair, value.len()).u8(free).raw(value).raw(vec![0; usize::from(free)]);
        self.count = self.count.saturating_add(1);
        self
    }

    /// Count, pairs, end.
    pub fn build(self) -> Vec<u8> {
        let count = self.count.min(254);
        self.claim_count(count)
    }

    /// As [`Zipmap::build`], with this count in front (254 = unknown).
    pub fn claim_count(self, count: u8) -> Vec<u8> {
        Bytes::new().u8(count).raw(self.pairs).u8(0xff).0
    }
}

fn zipmap_len(bytes: Bytes, len: usize) -> Bytes {
    match u8::try_from(len) {
        Ok(short @ ..254) => bytes.u8(short),
        _ => bytes.u8(254).u32(u32::try_from(len).expect("a short string")),
    }
}

/// An intset of `width` bytes (2, 4 or 8) an element; the elements are taken in the order given.
pub fn intset(width: u8, elements: &[i64]) -> Vec<u8> {
    let count = u32::try_from(elements.len()).expect("a small set");
    let header = Bytes::new().u32(u32::from(width)).u32(count);
    let low_bytes = |value: &i64| value.to_le_bytes().into_iter().take(usize::from(width)).collect::<Vec<u8>>();
    elements.iter().fold(header, |b, value| b.raw(low_bytes(value))).0
}

/// Module names: six bits a character, the first in the highest bits.
fn six_bits(name: &str) -> u64 {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let index = |c| ALPHABET.find(c).expect("a character of module names");
    name.chars().fold(0, |id, c| id << 6 | u64::try_from(index(c)).expect("below 64"))
}

fn count<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).expect("a length fits 64 bits")
}
