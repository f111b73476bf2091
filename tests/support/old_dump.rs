//! A dump as Redis up to 3.2 wrote them, of packed values that no server writes any more: those since then turn each of its
//! entries into another form when they load it.
#![allow(clippy::indexing_slicing, reason = "an index out of place fails the test, as it should")]

use super::assembler::{Bytes, Rdb, Ziplist, Zipmap};
use super::random::Random;

/// The longest text that such a server packed by default.
const PACKED_BYTES_MAX: usize = 64;

/// The dump: `count` keys of each kind.
pub fn build(count: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let mut rdb = Rdb::redis(6).select_db(0);
    for number in 0..count {
        let name = |kind: &str| format!("{kind}:{number}");
        let most = if random.one_in(4) { 120 } else { 20 };
        let few = 1 + random.below(most);
        let ziplist = (0..few).fold(Ziplist::new(), |list, member| {
            let member = format!("{member}:{}", letters(&mut random, PACKED_BYTES_MAX - 6));
            entry(entry(list, &member), &score(&mut random))
        });
        rdb = rdb.key(12, name("zset"), |b| b.string(ziplist.build()));
        let ziplist = (0..few).fold(Ziplist::new(), |list, field| {
            let field = format!("f{field}");
            entry(entry(list, &field), &text(&mut random, PACKED_BYTES_MAX))
        });
        rdb = rdb.key(13, name("hash"), |b| b.string(ziplist.build()));
        let longest = if random.one_in(8) { 100 } else { PACKED_BYTES_MAX };
        let zipmap = (0..few).fold(Zipmap::new(), |map, field| {
            let free = u8::try_from(random.below(4)).expect("small");
            map.pair(format!("field:{field}"), text(&mut random, longest), free)
        });
        rdb = rdb.key(9, name("zipmap"), |b| b.string(zipmap.build()));
        let ziplist = (0..few * 4).fold(Ziplist::new(), |list, _| entry(list, &text(&mut random, PACKED_BYTES_MAX)));
        rdb = rdb.key(10, name("list"), |b| b.string(ziplist.build()));
        let nodes: Vec<Vec<u8>> = (0..=random.below(4)).map(|_| node(&mut random)).collect();
        rdb = rdb.key(14, name("quicklist"), |b| nodes.iter().fold(b.len(nodes.len() as u64), Bytes::string));
        let scored: Vec<(String, String)> =
            (0..few * 2).map(|member| (format!("member:{member}"), score(&mut random))).collect();
        let pairs = |b: Bytes, (member, score): &(String, String)| b.string(member).score(score);
        rdb = rdb.key(3, name("scored"), |b| scored.iter().fold(b.len(scored.len() as u64), pairs));
        let longest = if random.one_in(4) { 9000 } else { 300 };
        let texts: Vec<String> = (0..few).map(|_| text(&mut random, longest)).collect();
        rdb = rdb.key(1, name("texts"), |b| texts.iter().fold(b.len(texts.len() as u64), Bytes::string));
    }
    rdb.eof()
}

/// A node as a server fills it, with long entries now and then.
fn node(random: &mut Random) -> Vec<u8> {
    let longest = random.pick(&[20, 200, 1000, 4000]);
    let (mut node, mut bytes) = (Ziplist::new(), 11);
    loop {
        let text = text(random, longest);
        bytes += text.len() + 8;
        if bytes > 8192 {
            return if bytes == text.len() + 19 { entry(node, &text).build() } else { node.build() };
        }
        node = entry(node, &text);
        if random.one_in(400) {
            return node.build();
        }
    }
}

/// An entry as servers pack it: all that is an integer as one.
fn entry(list: Ziplist, text: &str) -> Ziplist {
    match text.parse::<i64>() {
        Ok(int) if int.to_string() == text => list.int(int),
        _ => list.string(text),
    }
}

fn letters(random: &mut Random, longest: usize) -> String {
    let count = 1 + random.below(longest);
    String::from_utf8(random.letters(count)).expect("letters")
}

fn text(random: &mut Random, longest: usize) -> String {
    if random.one_in(3) { random.integer().to_string() } else { letters(random, longest) }
}

/// A score as C prints it with seventeen digits.
fn score(random: &mut Random) -> String {
    match random.below(4) {
        0 => random.below(1_000_000).to_string(),
        1 => "0.10000000000000001".to_owned(),
        2 => format!("{}.5", random.below(100_000)),
        _ => format!("1.{:016}e+20", 1 + random.below(1 << 40)),
    }
}
