//! A data set for asking servers what keys cost: every type, encoding and size class, under names of many lengths, with and
//! without expiry.
#![allow(clippy::indexing_slicing, reason = "an index out of place fails the test, as it should")]

use super::random::Random;
use super::server::Server;

/// What the servers at hand can hold.
#[derive(Clone, Copy, Debug)]
pub struct Abilities {
    /// Fields of hashes can expire.
    pub field_ttls: bool,
}

const FAR_FUTURE_MS: usize = 4_102_444_800_000;
const BATCH_BYTES: usize = 4 << 20;

/// Settings that decide what stays packed, by the names that all servers know, and their defaults.
const LIMITS: [(&str, &str); 5] = [
    ("hash-max-ziplist-entries", "512"),
    ("hash-max-ziplist-value", "64"),
    ("zset-max-ziplist-entries", "128"),
    ("zset-max-ziplist-value", "64"),
    ("set-max-intset-entries", "512"),
];

/// Makes the keys, `scale` times some hundred of each sort.
pub fn fill(server: &mut Server, abilities: Abilities, scale: usize, seed: u64) {
    let mut filler = Filler { server, random: Random(seed), number: 0 };
    for _ in 0..scale {
        filler.strings();
        filler.lists();
        filler.sets();
        filler.zsets();
        filler.hashes();
        filler.streams();
        if abilities.field_ttls {
            filler.hashes_with_ttls();
        }
    }
    // Small values that were never packed, which the server packs when it loads them.
    for (name, _) in LIMITS {
        filler.server.set(name, "0");
    }
    filler.small_tables();
    filler.server.answers();
    for (name, limit) in LIMITS {
        server.set(name, limit);
    }
}

struct Filler<'server> {
    server: &'server mut Server,
    random: Random,
    number: usize,
}

impl Filler<'_> {
    /// A name of its own, most of them short.
    fn name(&mut self) -> Vec<u8> {
        self.number += 1;
        let mut name = format!("{:x}:", self.number).into_bytes();
        let more = match self.random.below(8) {
            0 => 300,
            1 => 130,
            _ => 30,
        };
        let more = self.random.below(more);
        name.extend(self.random.letters(more));
        name
    }

    fn key<Word: Into<Vec<u8>>>(&mut self, command: &str, words: impl IntoIterator<Item = Word>) -> Vec<u8> {
        let name = self.name();
        self.send(command, &name, words);
        if self.random.one_in(3) {
            let at_ms = FAR_FUTURE_MS + self.random.below(1 << 40);
            self.send("PEXPIREAT", &name, [at_ms.to_string()]);
        }
        name
    }

    fn send<Word: Into<Vec<u8>>>(&mut self, command: &str, name: &[u8], rest: impl IntoIterator<Item = Word>) {
        let mut words = vec![command.as_bytes().to_vec(), name.to_vec()];
        words.extend(rest.into_iter().map(Into::into));
        self.server.queue(&words);
        if self.server.queued_bytes() > BATCH_BYTES {
            self.server.answers();
        }
    }

    fn text(&mut self, limit: usize) -> Vec<u8> {
        let len = self.random.below(limit);
        if self.random.one_in(4) { self.random.integer().to_string().into_bytes() } else { self.random.letters(len) }
    }

    fn texts(&mut self, count: usize, limit: usize) -> Vec<Vec<u8>> {
        (0..count).map(|_| self.text(limit)).collect()
    }

    fn strings(&mut self) {
        for len in 0..1_200 {
            let value = self.random.letters(len);
            self.key("SET", [value]);
        }
        for limit in [5_000, 20_000, 100_000, 1_000_000] {
            for _ in 0..20 {
                let len = self.random.below(limit);
                let value = self.random.letters(len);
                self.key("SET", [value]);
            }
        }
        for _ in 0..300 {
            let number = self.random.integer();
            self.key("SET", [number.to_string()]);
            let count = self.random.below(300);
            self.key("SET", [b"z".repeat(count)]);
        }
    }

    fn lists(&mut self) {
        for (keys, elements, bytes) in [(300, 20, 30), (60, 2_000, 60), (30, 60, 9_000), (20, 10, 40_000)] {
            for _ in 0..keys {
                let count = 1 + self.random.below(elements);
                let words = self.texts(count, bytes);
                self.key("RPUSH", words);
            }
        }
    }

    fn sets(&mut self) {
        for bits in [12, 24, 60] {
            for limit in [10, 500, 2_000] {
                for _ in 0..30 {
                    let count = 1 + self.random.below(limit);
                    let words = self.random.integers(bits, count);
                    self.key("SADD", words);
                }
            }
        }
        for (keys, limit, bytes) in [(300, 100, 60), (100, 140, 60), (60, 1_000, 40), (15, 5_000, 60), (100, 60, 300)] {
            for _ in 0..keys {
                let count = 1 + self.random.below(limit);
                let words = self.texts(count, bytes);
                self.key("SADD", words);
            }
        }
    }

    fn zsets(&mut self) {
        for (keys, limit, bytes) in [(300, 120, 60), (100, 140, 60), (60, 1_500, 40), (15, 5_000, 60), (100, 60, 300)] {
            for _ in 0..keys {
                let count = 1 + self.random.below(limit);
                let mut words = Vec::new();
                for member in self.texts(count, bytes) {
                    words.push(self.random.score());
                    words.push(member);
                }
                self.key("ZADD", words);
            }
        }
    }

    fn hashes(&mut self) {
        for (keys, limit, bytes) in
            [(300, 60, 60), (100, 500, 40), (100, 600, 60), (60, 2_000, 40), (15, 3_000, 200), (200, 30, 200)]
        {
            for _ in 0..keys {
                let count = 1 + self.random.below(limit);
                let words = self.texts(2 * count, bytes);
                self.key("HSET", words);
            }
        }
    }

    fn hashes_with_ttls(&mut self) {
        for (keys, limit, bytes) in [(100, 60, 60), (20, 1_500, 40), (30, 30, 200)] {
            for _ in 0..keys {
                let count = 1 + self.random.below(limit);
                let words = self.texts(2 * count, bytes);
                let fields: Vec<Vec<u8>> = words.chunks(2).map(|pair| pair[0].clone()).collect();
                let name = self.key("HSET", words);
                for field in fields {
                    if self.random.one_in(3) {
                        let at_ms = (FAR_FUTURE_MS + self.random.below(1 << 40)).to_string().into_bytes();
                        self.send("HPEXPIREAT", &name, [at_ms, b"FIELDS".to_vec(), b"1".to_vec(), field]);
                    }
                }
            }
        }
    }

    fn streams(&mut self) {
        for (keys, limit) in [(60, 30), (40, 500), (6, 6_000)] {
            for _ in 0..keys {
                self.stream(limit);
            }
        }
    }

    fn stream(&mut self, limit: usize) {
        let name = self.name();
        let (entries, pace) = (1 + self.random.below(limit), self.random.pick(&[1, 2, 1_000, 60_000]));
        let mut ms = 1_700_000_000_000 + self.random.below(1 << 30);
        for sequence in 0..entries {
            ms += self.random.below(pace);
            let value = self.text(60);
            self.send("XADD", &name, [format!("{ms}-{sequence}").into_bytes(), b"field".to_vec(), value]);
        }
        for group in 0..self.random.below(3) {
            let group = format!("group:{group}");
            let create: [&[u8]; 5] = [b"XGROUP", b"CREATE", &name, group.as_bytes(), b"0"];
            self.server.queue(&create);
            for consumer in 0..=self.random.below(3) {
                let count = (1 + self.random.below(entries)).to_string();
                let consumer = format!("consumer:{consumer}");
                let read = ["XREADGROUP", "GROUP", &group, &consumer, "COUNT", &count, "STREAMS"];
                let mut read = read.map(str::as_bytes).to_vec();
                read.extend([&name[..], b">"]);
                self.server.queue(&read);
            }
        }
    }

    fn small_tables(&mut self) {
        for _ in 0..150 {
            let count = 1 + self.random.below(100);
            let members = self.texts(count, 60);
            self.key("SADD", members.clone());
            let numbers = self.random.integers(30, count);
            self.key("SADD", numbers);
            let pairs = self.texts(2 * count, 50);
            self.key("HSET", pairs);
            let mut scored = Vec::new();
            for member in members {
                scored.push(self.random.score());
                scored.push(member);
            }
            self.key("ZADD", scored);
        }
    }
}
