//! Dumps that the page is made of: one as a shop has it, one of more names than fit a page, and one of hostile names.

use std::fmt::Write;

use crate::support::assembler::{Bytes, Listpack, Rdb};
use crate::support::random::Random;

const STRING: u8 = 0;
const LIST: u8 = 1;
const SET: u8 = 2;
const HASH: u8 = 4;
const ZSET_2: u8 = 5;
const STREAM: u8 = 15;
const HASH_LISTPACK: u8 = 16;
const ZSET_LISTPACK: u8 = 17;
const SET_LISTPACK: u8 = 20;

/// When the dumps were made: 2026-11-20 03:00:00 UTC.
const MADE_AT_S: u64 = 1_795_143_600;

fn begin(rdb_version: u32, version: &str, used_memory: &str) -> Rdb {
    begin_at(MADE_AT_S, rdb_version, version, used_memory)
}

fn begin_at(made_at_s: u64, rdb_version: u32, version: &str, used_memory: &str) -> Rdb {
    Rdb::redis(rdb_version)
        .aux("redis-ver", version)
        .aux("redis-bits", "64")
        .aux("ctime", &made_at_s.to_string())
        .aux("used-mem", used_memory)
        .aux("aof-base", "0")
}

/// A shop's cache and a little more, as one meets it: some 7,000 keys, of which few take most.
pub(crate) fn shop() -> Vec<u8> {
    let rdb = begin(11, "7.2.4", "31457280").select_db(0);
    Shop { random: Random(7), is_later: false, rdb }.filled()
}

/// The same a week later: some keys came, went, grew and shrank, and have other values, types and expiries.
pub(crate) fn shop_a_week_later() -> Vec<u8> {
    let rdb = begin_at(MADE_AT_S + 7 * 86_400, 11, "7.2.4", "41943040").select_db(0);
    Shop { random: Random(7), is_later: true, rdb }.filled()
}

struct Shop {
    random: Random,
    is_later: bool,
    rdb: Rdb,
}

impl Shop {
    fn filled(mut self) -> Vec<u8> {
        let shop = &mut self;
        shop.sessions();
        shop.users();
        shop.products();
        shop.caches();
        shop.giants();
        if shop.is_later {
            for cart in 0..700 {
                let value = shop.text(300, 900);
                shop.key(None, STRING, &format!("cart:{cart}"), Bytes::new().string(value));
            }
        }
        let rdb = std::mem::replace(&mut shop.rdb, Rdb::redis(11));
        shop.rdb = rdb.select_db(1);
        shop.jobs();
        self.rdb.eof()
    }

    /// Puts what a key is after a week where it was.
    fn changed(name: &str, ttl_s: &mut Option<u64>, value_type: &mut u8, value: &mut Bytes) -> bool {
        match name.split(':').collect::<Vec<_>>().as_slice() {
            ["ratelimit", ..] => return false,
            ["session", id] => return !id.starts_with(['0', '1', '2']),
            ["cache", "search", _] => *ttl_s = Some(86_400),
            ["feature", "flags"] => {
                *value_type = STRING;
                *value = Bytes::new().string("all of them are on now");
            }
            ["user", id, "friends"] if id.ends_with('8') => {
                *value_type = SET_LISTPACK;
                *value = Bytes::new().string(Listpack::new().string("nobody").build());
            }
            _ => {}
        }
        true
    }

    fn key(&mut self, mut ttl_s: Option<u64>, mut value_type: u8, name: &str, mut value: Bytes) {
        // Drawn of keys that went too, so that the others stay the same.
        let jitter_ms = if ttl_s.is_some() { self.random.number() % 1000 } else { 0 };
        if self.is_later && !Self::changed(name, &mut ttl_s, &mut value_type, &mut value) {
            return;
        }
        let rdb = std::mem::replace(&mut self.rdb, Rdb::redis(11));
        let rdb = match ttl_s {
            Some(ttl_s) => {
                let expires_at_ms = (MADE_AT_S + ttl_s) * 1000 + jitter_ms;
                rdb.expire_ms(expires_at_ms.cast_signed())
            }
            None => rdb,
        };
        self.rdb = rdb.key(value_type, name, |to| to.raw(value));
    }

    fn text(&mut self, least: usize, most: usize) -> Vec<u8> {
        let bytes = least + self.random.below(most - least);
        self.random.letters(bytes)
    }

    fn id(&mut self) -> String {
        self.random.bytes(8).iter().fold(String::new(), |mut id, byte| {
            write!(id, "{byte:02x}").expect("memory");
            id
        })
    }

    fn sessions(&mut self) {
        for _ in 0..2400 {
            let mut fields = Listpack::new();
            for field in ["user", "ip", "agent", "seen", "cart"] {
                fields = fields.string(field).string(self.text(6, 60));
            }
            let (id, ttl_s) = (self.id(), 60 + self.random.number() % 86_400);
            self.key(Some(ttl_s), HASH_LISTPACK, &format!("session:{id}"), Bytes::new().string(fields.build()));
        }
    }

    fn users(&mut self) {
        for user in 0..900 {
            let mut fields = Listpack::new();
            for field in ["name", "mail", "city", "language", "since"] {
                fields = fields.string(field).string(self.text(4, 30));
            }
            self.key(None, HASH_LISTPACK, &format!("user:{user}:profile"), Bytes::new().string(fields.build()));
            if user % 4 == 0 {
                let friends = 5 + self.random.below(if user % 100 == 0 { 900 } else { 60 });
                let (value_type, value) = self.members(friends);
                self.key(None, value_type, &format!("user:{user}:friends"), value);
            }
            if user % 3 == 0 {
                let entries: Vec<Vec<u8>> = (0..20 + self.random.below(100)).map(|_| self.text(10, 24)).collect();
                let value = entries.iter().fold(Bytes::new().len(entries.len() as u64), Bytes::string);
                let ttl_s = 86_400 * (1 + self.random.number() % 40);
                self.key(Some(ttl_s), LIST, &format!("user:{user}:timeline"), value);
            }
        }
    }

    fn members(&mut self, count: usize) -> (u8, Bytes) {
        let members: Vec<Vec<u8>> = (0..count).map(|_| self.text(12, 20)).collect();
        if count <= 128 {
            let packed = members.iter().fold(Listpack::new(), Listpack::string);
            return (SET_LISTPACK, Bytes::new().string(packed.build()));
        }
        (SET, members.iter().fold(Bytes::new().len(count as u64), Bytes::string))
    }

    fn products(&mut self) {
        for product in 1000..1800 {
            let value = self.text(500, 2400);
            self.key(None, STRING, &format!("product:{product}"), Bytes::new().string(value));
            let stock = self.random.below(500).to_string();
            self.key(None, STRING, &format!("product:{product}:stock"), Bytes::new().string(stock));
        }
    }

    fn caches(&mut self) {
        for page in 0..260 {
            let (value, ttl_s) = (self.text(3000, 22_000), 300 + self.random.number() % 7200);
            let path = self.random.pick(&["sale", "new", "shoes", "jackets", "outlet"]);
            self.key(Some(ttl_s), STRING, &format!("cache:page:/{path}/{page}"), Bytes::new().string(value));
        }
        for _ in 0..700 {
            let (value, id) = (self.text(200, 1800), self.id());
            // Every sixth was written without a time to live.
            let ttl_s = (!self.random.one_in(6)).then_some(600);
            self.key(ttl_s, STRING, &format!("cache:search:{id}"), Bytes::new().string(value));
        }
        for number in 0..500 {
            let name = format!("ratelimit:10.{}.{}.{}", number % 7, number / 7, number % 251);
            self.key(Some(30), STRING, &name, Bytes::new().string_i16(i16::try_from(number).expect("small")));
        }
    }

    fn giants(&mut self) {
        let export = self.text(2_600_000, 2_600_001);
        self.key(None, STRING, "export:2026-10:orders.csv", Bytes::new().string(export));
        for week in 40..46 {
            let members = if week == 45 { 9000 } else { 2200 };
            let mut value = Bytes::new().len(members);
            for rank in 0..members {
                value = value
                    .string(format!("user:{}", rank * 7 % 90_000))
                    .f64(f64::from(u32::try_from(rank).expect("small")));
            }
            self.key(None, ZSET_2, &format!("leaderboard:2026-W{week}"), value);
        }
        let mut value = Bytes::new().len(7000);
        for sku in 0..7000 {
            value = value.string(format!("sku-{sku:06}")).string(self.text(20, 90));
        }
        self.key(None, HASH, "inventory:warehouse:3", value);
        let mut value = Listpack::new();
        for flag in 0..40 {
            value = value.string(format!("flag-{flag}")).int(i64::from(flag % 2));
        }
        self.key(None, HASH_LISTPACK, "feature:flags", Bytes::new().string(value.build()));
        let value = Listpack::new().string("eur").int(1).string("usd").int(2).build();
        self.key(Some(3 * 86_400), ZSET_LISTPACK, "rates:today", Bytes::new().string(value));
    }

    fn jobs(&mut self) {
        let mails: Vec<Vec<u8>> = (0..if self.is_later { 9000 } else { 3500 }).map(|_| self.text(120, 300)).collect();
        let value = mails.iter().fold(Bytes::new().len(mails.len() as u64), Bytes::string);
        self.key(None, LIST, "queue:emails", value);
        for job in 0..300 {
            let (value, ttl_s) = (self.text(80, 400), 86_400 * 9);
            self.key(Some(ttl_s), STRING, &format!("job:{job}:result"), Bytes::new().string(value));
        }
        // A stream without entries, with a group that once read some.
        let stream = Bytes::new().len(0).len(0).len(1_795_000_000_000).len(7).len(1);
        let stream = stream.string("billing").len(1_795_000_000_000).len(3).len(0).len(0);
        self.key(None, STREAM, "events:orders", stream);
    }
}

/// 16 databases with 500 keys of each of five types, of long names and under more than 2,048 prefixes.
pub(crate) fn crowd() -> Vec<u8> {
    let mut rdb = begin(11, "7.2.4", "73400320");
    for db in 0..16_u64 {
        rdb = rdb.select_db(db);
        for number in 0..500_u64 {
            let name = |kind: &str| {
                let tenant = number % 130 * 16 + db;
                format!("tenant-x{tenant}:{kind}:{}:key-{number}-{}", number % 3, "long-".repeat(20))
            };
            let text = "v".repeat(20 + usize::try_from(number).expect("small"));
            rdb = rdb
                .key(STRING, name("page"), |to| to.string(&text))
                .key(LIST, name("queue"), |to| to.strings(&["abc", "def", "ghi"][..=(number % 3) as usize]))
                .key(SET, name("members"), |to| to.len(2).string(&text).string("two"))
                .key(ZSET_2, name("ranks"), |to| to.len(1).string(&text).f64(1.5))
                .key(HASH, name("fields"), |to| to.len(1).string("field").string(&text));
        }
    }
    rdb.eof()
}

/// Names that someone would choose who wants to act on who reads the report.
pub(crate) fn hostile_names() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = [
        "</script><script>hacked()</script>",
        "<!--<script>",
        "<img src=x onerror=hacked()>",
        "\"><svg onload=hacked()>",
        "javascript:hacked()",
        "' onmouseover='hacked()",
        "\u{202e}gnp.exe\u{2066}",
        "nul\0inside",
        "line\nfeed\r\ttab",
        "\u{1b}[31mred\u{7}",
        "\u{2028}separator\u{feff}",
        "=HYPERLINK(\"http://example.invalid\")",
        "'; touch hacked; '",
        "$(touch hacked)`touch hacked`",
        "back\\slash \"quoted\"",
        "--flag",
        "*?[a-z]",
        "",
        "__proto__",
        "constructor",
        "السلام",
        "日本語のキー",
        "&lt;b&gt;&amp;",
    ]
    .iter()
    .map(|name| name.as_bytes().to_vec())
    .collect();
    names.push(b"lone\xff\xfe\xc3bytes".to_vec());
    names.push([b"<b>".repeat(2000), b"\0\x7f".repeat(1096)].concat());
    names
}

/// A dump of another moment, of one key.
pub(crate) fn before_hostile() -> Vec<u8> {
    begin_at(MADE_AT_S - 86_400, 10, "6.2.0", "500000").select_db(0).key(STRING, "quiet", |to| to.string("value")).eof()
}

/// Keys of these names, alone and as the first part of longer names, and as hash tags and auxiliary fields.
pub(crate) fn hostile() -> Vec<u8> {
    let mut rdb = begin(10, "</script><script>hacked()</script>", "1000000")
        .aux("<img src=x onerror=hacked()>", "<script>hacked()</script>");
    rdb = rdb.select_db(0);
    for name in hostile_names() {
        rdb = rdb.key(STRING, &name, |to| to.string("value"));
        for number in 0..3 {
            let longer = [&name[..name.len().min(120)], format!(":{number}").as_bytes()].concat();
            rdb = rdb.key(STRING, &longer, |to| to.string("value"));
        }
        let tagged = [b"{", &name[..name.len().min(120)], b"}tag"].concat();
        rdb = rdb.key(STRING, &tagged, |to| to.string("value"));
    }
    rdb.eof()
}
