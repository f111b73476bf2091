//! The oracle: real servers are filled with random keys of every type and encoding, asked for the type and
//! size of each, and told to save; what the analyzer says of the dump must be what the server said.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::fill::{self, DATABASES};
use crate::support::server::{self, Kind, Reply, Server};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

/// In the order in which the analyzer lists them, each with the command that asks for a size.
const TYPES: [(&str, &str); 6] =
    [("string", "STRLEN"), ("list", "LLEN"), ("set", "SCARD"), ("zset", "ZCARD"), ("hash", "HLEN"), ("stream", "XLEN")];

/// More than any key count here, so that nothing is left out.
const EVERY: &str = "100000000";

#[test]
fn redis_and_bigkeys_agree() {
    agree(Kind::Redis, 300_000, 7);
}

#[test]
fn valkey_and_bigkeys_agree() {
    agree(Kind::Valkey, 100_000, 9);
}

fn agree(kind: Kind, keys: usize, seed: u64) {
    let Some(mut server) = server::require(kind) else {
        return;
    };
    fill::fill(&mut server, keys, seed);
    let stated = stated_keys(&mut server);
    assert!(stated.len() >= keys, "{} keys are fewer than wanted", stated.len());

    // The eviction policy decides whether each key carries an idle time, a use count or neither.
    for (compression, policy) in [("yes", "noeviction"), ("no", "allkeys-lru"), ("yes", "allkeys-lfu")] {
        server.set("rdbcompression", compression);
        server.set("maxmemory-policy", policy);
        server.ask(&["SAVE"]);
        let about = format!("{kind:?}, rdbcompression {compression}, {policy}");
        check_every_key(&about, &server.dump(), &stated);
    }
    check_choices(&format!("{kind:?}"), &server.dump(), &stated);
}

// ---- what the server says

/// A key as the server describes it.
struct Stated {
    database: u64,
    /// Its place in `TYPES`.
    rank: usize,
    size: u64,
    name: Vec<u8>,
}

/// Every key, in the order in which the analyzer lists them.
fn stated_keys(server: &mut Server) -> Vec<Stated> {
    let mut stated = Vec::new();
    let mut encodings = BTreeSet::new();
    for database in DATABASES {
        server.ask(&["SELECT", &database.to_string()]);
        let names = scan(server);
        assert!(names.first().is_some_and(Vec::is_empty), "database {database} lacks the empty name");
        for names in names.chunks(20_000) {
            let types = ask_each(server, names, |_| "TYPE");
            let ranks: Vec<usize> = types.into_iter().map(rank).collect();
            let sizes = ask_each(server, names, |i| TYPES[ranks[i]].1);
            let packings = ask_each(server, names, |_| "OBJECT ENCODING");
            for (((name, rank), size), packing) in names.iter().zip(ranks).zip(sizes).zip(packings) {
                encodings.insert(format!("{} {}", TYPES[rank].0, text(packing)));
                stated.push(Stated { database, rank, size: size.into_count(), name: name.clone() });
            }
        }
    }
    assert_eq!(encodings, expected_encodings(server.kind), "the keys no longer cover every encoding");
    stated.sort_by(|a, b| a.order().cmp(&b.order()));
    stated
}

/// The names of the selected database, each once although a SCAN may repeat some.
fn scan(server: &mut Server) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    let mut cursor = "0".to_owned();
    loop {
        let [next, page] =
            server.ask(&["SCAN", &cursor, "COUNT", "20000"]).into_array().try_into().expect("a cursor and a page");
        names.extend(page.into_array().into_iter().map(Reply::into_bytes));
        cursor = text(next);
        if cursor == "0" {
            break;
        }
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(server.ask(&["DBSIZE"]).into_count(), names.len() as u64);
    names
}

/// A reply for each name to the command of its place.
fn ask_each(server: &mut Server, names: &[Vec<u8>], command: impl Fn(usize) -> &'static str) -> Vec<Reply> {
    for (i, name) in names.iter().enumerate() {
        let mut words: Vec<&[u8]> = command(i).split(' ').map(str::as_bytes).collect();
        words.push(name);
        server.queue(&words);
    }
    server.answers()
}

fn rank(reply: Reply) -> usize {
    let name = text(reply);
    TYPES.iter().position(|(known, _)| *known == name).unwrap_or_else(|| panic!("a type of its own: {name}"))
}

fn text(reply: Reply) -> String {
    String::from_utf8(reply.into_bytes()).expect("plain text")
}

fn expected_encodings(kind: Kind) -> BTreeSet<String> {
    let mut expected = vec![
        "string int",
        "string embstr",
        "string raw",
        "list quicklist",
        "set intset",
        "set hashtable",
        "zset listpack",
        "zset skiplist",
        "hash listpack",
        "hash hashtable",
        "stream stream",
    ];
    if kind == Kind::Valkey {
        expected.extend(["list listpack", "set listpack"]);
    }
    expected.into_iter().map(str::to_owned).collect()
}

impl Stated {
    fn order(&self) -> (u64, usize, Reverse<u64>, &[u8]) {
        (self.database, self.rank, Reverse(self.size), &self.name)
    }

    fn kind(&self) -> &'static str {
        TYPES[self.rank].0
    }

    fn line(&self) -> String {
        let kind = self.kind();
        let unit = if kind == "string" { "byte" } else { "count" };
        let (name, name_base64) = match str::from_utf8(&self.name) {
            Ok(name) => (name.to_owned(), String::new()),
            Err(_) => (escaped(&self.name), BASE64_STANDARD.encode(&self.name)),
        };
        line(self.database, kind, self.size, unit, &name, &name_base64)
    }
}

fn escaped(name: &[u8]) -> String {
    let mut text = String::new();
    for chunk in name.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            write!(text, "\\x{byte:02x}").expect("memory");
        }
    }
    text
}

/// Everything that is said of a key on one line, its identity first.
fn line(database: u64, kind: &str, size: u64, unit: &str, name: &str, name_base64: &str) -> String {
    format!("db {database} {name:?} {name_base64} | {kind} {size} {unit}")
}

// ---- what the analyzer says

/// Every key of a dump, however many workers look for them.
fn check_every_key(about: &str, dump: &Path, stated: &[Stated]) {
    let every = ["--top", EVERY, "--all-types"];
    check(about, dump, &every, stated);
    check(about, dump, &[&every[..], &["--threads", "1"]].concat(), stated);
    check(about, dump, &[&every[..], &["--threads", "7"]].concat(), stated);
}

/// What the analyzer leaves out when asked to, or if not asked to do otherwise.
fn check_choices(about: &str, dump: &Path, stated: &[Stated]) {
    let every = ["--top", EVERY, "--all-types"];
    let in_database = stated.iter().filter(|key| key.database == 5);
    check(about, dump, &[&every[..], &["--db", "5"]].concat(), in_database);
    let hashes = stated.iter().filter(|key| key.kind() == "hash");
    check(about, dump, &[&every[..], &["--type", "hash"]].concat(), hashes);

    let in_task = |key: &&Stated| key.kind() != "stream";
    check(about, dump, &["--top", "3", "--all-types"], biggest(stated, 3));
    check(about, dump, &["--top", "3"], biggest(stated, 3).filter(in_task));
    check(about, dump, &[], biggest(stated, 20).filter(in_task));
}

/// The first `top` keys of each type in each database.
fn biggest(stated: &[Stated], top: usize) -> impl Iterator<Item = &Stated> {
    let of_one_kind = stated.chunk_by(|a, b| (a.database, a.rank) == (b.database, b.rank));
    of_one_kind.flat_map(move |keys| keys.iter().take(top))
}

fn check<'a>(about: &str, dump: &Path, arguments: &[&str], stated: impl IntoIterator<Item = &'a Stated>) {
    let stated: Vec<String> = stated.into_iter().map(Stated::line).collect();
    let listed = listed(dump, arguments);
    assert_same(&format!("{about}, {arguments:?}"), &stated, &listed);
}

fn listed(dump: &Path, arguments: &[&str]) -> Vec<String> {
    let output = dump.with_extension("json");
    let run = Command::new(env!("CARGO_BIN_EXE_bigkeys"))
        .arg("analyze")
        .args(arguments)
        .arg("-o")
        .arg(&output)
        .arg(dump)
        .output()
        .expect("the analyzer starts");
    assert!(run.status.success(), "{arguments:?}: {}: {}", run.status, String::from_utf8_lossy(&run.stderr));
    let task: Value = serde_json::from_slice(&fs::read(&output).expect("the analyzer's answer")).expect("JSON");
    let keys = task["keys"].as_array().expect("keys");
    assert_eq!(task["num"], keys.len(), "{arguments:?}: num is the number of keys");
    keys.iter().map(listed_line).collect()
}

fn listed_line(key: &Value) -> String {
    let text = |member: &str| key[member].as_str().unwrap_or_else(|| panic!("no {member} in {key}"));
    let number = |member: &str| key[member].as_u64().unwrap_or_else(|| panic!("no {member} in {key}"));
    let name_base64 = key.get("name_base64").map_or("", |value| value.as_str().expect("base64"));
    line(number("db"), text("type"), number("size"), text("unit"), text("name"), name_base64)
}

fn assert_same(about: &str, stated: &[String], listed: &[String]) {
    if stated == listed {
        return;
    }
    let server_says = by_identity(stated);
    let bigkeys_says = by_identity(listed);
    let identities: BTreeSet<&&str> = server_says.keys().chain(bigkeys_says.keys()).collect();
    let mut differences = Vec::new();
    for identity in identities {
        let [server, bigkeys] = [&server_says, &bigkeys_says].map(|says| says.get(*identity).unwrap_or(&"nothing"));
        if server != bigkeys {
            differences.push(format!("{identity:.300}: server says {server}, bigkeys says {bigkeys}"));
        }
    }
    if differences.is_empty() {
        let place = stated.iter().zip(listed).take_while(|(a, b)| a == b).count();
        let [server, bigkeys] = [stated, listed].map(|lines| lines.get(place).map_or("nothing", String::as_str));
        differences.push(format!("the order, at {place}: server says {server:.300}, bigkeys says {bigkeys:.300}"));
    }
    let (count, first) = (differences.len(), differences[..differences.len().min(10)].join("\n"));
    panic!("{about}: {count} differences, {} keys stated, {} listed\n{first}", stated.len(), listed.len());
}

fn by_identity(lines: &[String]) -> HashMap<&str, &str> {
    lines.iter().filter_map(|line| line.rsplit_once(" | ")).collect()
}
