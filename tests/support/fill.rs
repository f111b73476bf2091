//! A data set for a real server: random keys of every type and encoding, with awkward names, and values made
//! to mislead. It is apart from the tests because it is the servers that turn it into dumps.
#![allow(clippy::indexing_slicing, reason = "an index out of place fails the test, as it should")]

use std::collections::HashSet;
use std::fs;

use super::random::Random;
use super::server::{Kind, Server};

/// Which databases get keys: low, high, and some without any key between them.
pub const DATABASES: [u64; 4] = [0, 1, 5, 15];

/// The year 2100: no key may expire while a test runs.
const FAR_FUTURE_MS: usize = 4_102_444_800_000;

/// Enough to keep the server busy without piling up gigabytes of replies.
const BATCH_BYTES: usize = 4 << 20;

/// A limit that nothing reaches.
const UNLIMITED: &str = "100000000";

/// Makes so many keys and a few giants in `DATABASES`, the same ones for the same seed.
pub fn fill(server: &mut Server, keys: usize, seed: u64) {
    server.ask(&["FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f', function() return 1 end)"]);
    let mut filler = Filler { server, random: Random(seed), database: 0, names: HashSet::new() };
    for limits in &PHASES {
        limits.apply(filler.server);
        for _ in 0..keys / PHASES.len() {
            filler.key();
        }
        filler.server.answers();
    }
    packed_giants(server);
    unpacked_giants(server);
    decoys(server);
}

/// Below which sizes values stay packed; each phase makes its share of the keys under other limits.
struct Limits {
    packed_elements: &'static str,
    packed_bytes: &'static str,
    list_node: &'static str,
    list_compress_depth: &'static str,
    list_plain_bytes: &'static str,
    stream_node_entries: &'static str,
}

const PHASES: [Limits; 4] = [
    // As the servers start.
    Limits {
        packed_elements: "128",
        packed_bytes: "64",
        list_node: "-2",
        list_compress_depth: "0",
        list_plain_bytes: "0",
        stream_node_entries: "100",
    },
    // Nothing is packed, lists have many nodes.
    Limits {
        packed_elements: "0",
        packed_bytes: "0",
        list_node: "4",
        list_compress_depth: "0",
        list_plain_bytes: "0",
        stream_node_entries: "3",
    },
    // The inner nodes of lists are compressed in memory, so compressed in the file whatever `rdbcompression` says.
    Limits {
        packed_elements: "512",
        packed_bytes: "5000",
        list_node: "8",
        list_compress_depth: "1",
        list_plain_bytes: "0",
        stream_node_entries: "20",
    },
    // Everything is packed, except that long list elements have nodes of their own.
    Limits {
        packed_elements: "100000",
        packed_bytes: "1000000",
        list_node: "-1",
        list_compress_depth: "2",
        list_plain_bytes: "100b",
        stream_node_entries: "1000",
    },
];

impl Limits {
    fn apply(&self, server: &mut Server) {
        server.set("hash-max-listpack-entries", self.packed_elements);
        server.set("hash-max-listpack-value", self.packed_bytes);
        server.set("zset-max-listpack-entries", self.packed_elements);
        server.set("zset-max-listpack-value", self.packed_bytes);
        server.set("set-max-intset-entries", self.packed_elements);
        if server.kind == Kind::Valkey {
            server.set("set-max-listpack-entries", self.packed_elements);
            server.set("set-max-listpack-value", self.packed_bytes);
        }
        server.set("list-max-listpack-size", self.list_node);
        server.set("list-compress-depth", self.list_compress_depth);
        server.set("stream-node-max-entries", self.stream_node_entries);
        server.ask(&["DEBUG", "QUICKLIST-PACKED-THRESHOLD", self.list_plain_bytes]);
    }
}

/// Makes one random key after the other.
struct Filler<'server> {
    server: &'server mut Server,
    random: Random,
    database: u64,
    names: HashSet<(u64, Vec<u8>)>,
}

impl Filler<'_> {
    fn key(&mut self) {
        if self.random.one_in(500) {
            self.database = self.random.pick(&DATABASES);
            self.server.queue(&["SELECT", &self.database.to_string()]);
        }
        let mut name = self.random.name();
        while !self.names.insert((self.database, name.clone())) {
            name = self.random.name();
        }
        match self.random.below(32) {
            0..=15 => self.string(&name),
            16..=19 => self.list(&name),
            20..=23 => self.set(&name),
            24..=26 => self.zset(&name),
            27..=30 => self.hash(&name),
            _ => self.stream(&name),
        }
        if self.random.one_in(8) {
            let expires_at_ms = FAR_FUTURE_MS + self.random.below(1 << 40);
            self.command("PEXPIREAT", &name, [expires_at_ms.to_string()]);
        }
        if self.server.queued_bytes() > BATCH_BYTES {
            self.server.answers();
        }
    }

    fn command<Word: Into<Vec<u8>>>(&mut self, command: &str, name: &[u8], rest: impl IntoIterator<Item = Word>) {
        let mut words = vec![command.as_bytes().to_vec(), name.to_vec()];
        words.extend(rest.into_iter().map(Into::into));
        self.server.queue(&words);
    }

    fn string(&mut self, name: &[u8]) {
        if self.random.one_in(8) {
            let number = self.random.integer();
            self.command("INCRBY", name, [number.to_string()]);
        } else {
            let value = self.random.text();
            self.command("SET", name, [value]);
        }
        if self.random.one_in(50) {
            let offset = self.random.below(5_000);
            self.command("SETRANGE", name, [offset.to_string(), "x".to_owned()]);
        }
    }

    fn list(&mut self, name: &[u8]) {
        let count = self.random.element_count();
        let elements = self.random.texts(count);
        self.command("RPUSH", name, elements);
        if self.random.one_in(4) {
            let more = self.random.texts(3);
            self.command("LPUSH", name, more);
            self.command("LPOP", name, ["2"]);
        }
    }

    fn set(&mut self, name: &[u8]) {
        let count = self.random.element_count();
        let members = match self.random.pick(&[0, 16, 32, 64]) {
            0 => self.random.texts(count),
            bits => self.random.integers(bits, count),
        };
        self.command("SADD", name, members);
    }

    fn zset(&mut self, name: &[u8]) {
        let count = self.random.element_count();
        let mut words = Vec::new();
        for member in self.random.texts(count) {
            words.push(self.random.score());
            words.push(member);
        }
        self.command("ZADD", name, words);
    }

    fn hash(&mut self, name: &[u8]) {
        let count = self.random.element_count();
        let words = self.random.texts(2 * count);
        let field = words[0].clone();
        self.command("HSET", name, words);
        if self.server.kind == Kind::Valkey && self.random.one_in(4) {
            let expires_at_ms = (FAR_FUTURE_MS + self.random.below(1 << 40)).to_string();
            let condition: [&[u8]; 4] = [expires_at_ms.as_bytes(), b"FIELDS", b"1", &field];
            self.command("HPEXPIREAT", name, condition);
        }
    }

    fn stream(&mut self, name: &[u8]) {
        let count = self.random.element_count();
        let mut ms = 1_700_000_000_000 + self.random.below(1 << 30);
        let mut ids = Vec::new();
        for sequence in 0..count {
            ms += self.random.below(3);
            let id = format!("{ms}-{}", sequence + 1);
            let mut words = vec![id.clone().into_bytes(), b"temperature".to_vec()];
            words.extend(self.random.texts(1));
            if self.random.one_in(6) {
                words.extend(self.random.texts(2));
            }
            self.command("XADD", name, words);
            ids.push(id);
        }
        if self.random.one_in(3) {
            let create: [&[u8]; 5] = [b"XGROUP", b"CREATE", name, b"g", b"0"];
            self.server.queue(&create);
            let read = ["XREADGROUP", "GROUP", "g", "consumer", "COUNT", "5", "STREAMS"];
            let mut read = read.map(str::as_bytes).to_vec();
            read.extend([name, b">"]);
            self.server.queue(&read);
        }
        if self.random.one_in(3) {
            let gone = self.random.below(count + 1);
            self.command("XDEL", name, ids.into_iter().rev().take(gone.max(1)));
        }
        if self.random.one_in(6) {
            let kept = self.random.below(count);
            self.command("XTRIM", name, ["MAXLEN".to_owned(), kept.to_string()]);
        }
    }
}

/// Packed values around 65,535 entries, above which a listpack no longer knows its count.
fn packed_giants(server: &mut Server) {
    server.ask(&["DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", "1"]);
    for pairs in [32_766, 32_767, 32_768, 40_000] {
        // Filling a packed value one by one takes quadratic time; a union packs a finished one.
        server.set("zset-max-listpack-entries", "0");
        let mut words = vec!["ZADD".to_owned(), "giant".to_owned()];
        for number in 0..pairs {
            words.push(number.to_string());
            words.push(format!("member:{number:x}"));
        }
        server.ask(&words);
        server.set("zset-max-listpack-entries", UNLIMITED);
        let packed = format!("giant:zset:{pairs}");
        server.ask(&["ZUNIONSTORE", &packed, "1", "giant"]);
        server.ask(&["DEL", "giant"]);

        // Member and score are packed like field and value, or like two members: the type byte alone tells.
        let mut payload = server.ask(&["DUMP", &packed]).into_bytes();
        server.set("hash-max-listpack-entries", UNLIMITED);
        payload[0] = 16;
        server.ask::<&[u8]>(&[b"RESTORE", format!("giant:hash:{pairs}").as_bytes(), b"0", &payload]);
        if server.kind == Kind::Valkey {
            server.set("set-max-listpack-entries", UNLIMITED);
            payload[0] = 20;
            server.ask::<&[u8]>(&[b"RESTORE", format!("giant:set:{pairs}").as_bytes(), b"0", &payload]);
        }
    }
}

/// Values long enough to need every length form, and to reach over the border of any piece a file is cut into.
fn unpacked_giants(server: &mut Server) {
    server.ask(&["SETRANGE", "giant:string", "9000000", "x"]);
    server.set("set-max-intset-entries", UNLIMITED);
    server.set("hash-max-listpack-entries", "0");
    let numbers: Vec<String> = (0..80_000).map(|number| number.to_string()).collect();
    for (command, name) in [("SADD", "giant:intset"), ("RPUSH", "giant:list"), ("HSET", "giant:hash")] {
        let mut words = vec![command, name];
        words.extend(numbers.iter().map(String::as_str));
        server.ask(&words);
    }
}

/// Values that are themselves pieces of a dump: whoever looks for keys inside them finds many.
fn decoys(server: &mut Server) {
    server.set("rdbcompression", "no");
    server.ask(&["SAVE"]);
    let dump = fs::read(server.dump()).expect("the dump");
    let segment_scan = |first: usize, bytes: usize| &dump[first.min(dump.len())..(first + bytes).min(dump.len())];
    server.ask::<&[u8]>(&[b"SET", b"decoy:string", segment_scan(0, 12 << 20)]);
    server.ask::<&[u8]>(&[
        b"RPUSH",
        b"decoy:list",
        segment_scan(1 << 20, 3 << 20),
        segment_scan(7 << 20, 5 << 20),
        b"end",
    ]);
    server.ask::<&[u8]>(&[
        b"HSET",
        b"decoy:hash",
        b"field",
        segment_scan(3_333_333, 4 << 20),
        segment_scan(10 << 20, 1 << 20),
        b"",
    ]);
}
