//! What ends the parts of names, found by a look at some of them; and what names begin with that have no such parts.

use std::collections::BTreeSet;

use super::name_sample::{NameSample, WeightedName};

/// What may end a part, the usual ones first.
const CANDIDATES: &[u8] = b":/|.#;,=~@+$!%&-_";

/// How many are found at most.
const SEPARATORS_MAX: usize = 4;

/// A separator cuts at least one name in so many of those that no other one cuts.
const NAMES_CUT: usize = 20;

/// It leaves one beginning for so many names at the most: one that cuts random IDs leaves as many beginnings as names. Where
/// beginnings that differ in numbers alone are one, as those of tenants are, random ones meet too: then it takes more names.
const NAMES_A_HEAD: usize = 2;
const NAMES_A_PATTERN: usize = 8;

/// Of separators that cut nearly as many names as the first does, nine in ten, the usual one is taken.
const NEARLY: (usize, usize) = (9, 10);

/// A beginning is looked for that has one in so many bytes of all records, half of what it must have of memory to be listed.
const BYTES_PARTS: u64 = 200;

/// More ways to go on than these are not words.
const WAYS_MAX: usize = 16;

/// Beginnings that are counted at most.
const BEGINNINGS_MAX: usize = 256;

/// What a first look at names found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FirstLook {
    /// Bytes that end a prefix, in the order of [`CANDIDATES`].
    pub(crate) separators: Vec<u8>,
    /// What names without any of these begin with, where that is much, in the order of their bytes.
    pub(crate) beginnings: Vec<Box<[u8]>>,
}

impl FirstLook {
    pub(crate) fn of(sample: NameSample) -> Self {
        let separators = separators(sample.names());
        let beginnings = beginnings(sample.weighted(), &separators);
        Self { separators, beginnings }
    }
}

/// The separators of names: each cuts many of those that none before it cuts into few beginnings.
fn separators(mut names: Vec<&[u8]>) -> Vec<u8> {
    let least = (names.len() / NAMES_CUT).max(NAMES_A_PATTERN);
    let mut found = Vec::new();
    while found.len() < SEPARATORS_MAX {
        let cuts = CANDIDATES.iter().map(|candidate| (*candidate, names_cut(&names, *candidate)));
        let cuts: Vec<(u8, usize)> = cuts.filter(|(_, cut)| *cut >= least).collect();
        let most = cuts.iter().map(|(_, cut)| *cut).max().unwrap_or(0);
        let Some((separator, _)) = cuts.into_iter().find(|(_, cut)| cut * NEARLY.1 >= most * NEARLY.0) else { break };
        found.push(separator);
        names.retain(|name| !name.contains(&separator));
    }
    found.sort_by_key(|separator| CANDIDATES.iter().position(|candidate| candidate == separator));
    found
}

/// How many names a byte cuts; none if that leaves many beginnings.
fn names_cut(names: &[&[u8]], byte: u8) -> usize {
    let (mut heads, mut patterns) = (BTreeSet::new(), BTreeSet::new());
    let mut cut = 0;
    for name in names {
        // A name that begins with a separator has no part before it.
        if let Some(at) = name.iter().position(|other| *other == byte).filter(|at| *at > 0) {
            cut += 1;
            let head = name.get(..at).unwrap_or_default();
            heads.insert(head);
            patterns.insert(without_numbers(head));
        }
    }
    let are_few = cut >= NAMES_A_HEAD * heads.len() || cut >= NAMES_A_PATTERN * patterns.len();
    if are_few { cut } else { 0 }
}

/// A text with each number in it as `0`.
fn without_numbers(text: &[u8]) -> Vec<u8> {
    let mut without: Vec<u8> = Vec::with_capacity(text.len());
    for byte in text {
        let byte = if byte.is_ascii_digit() { b'0' } else { *byte };
        if byte != b'0' || without.last() != Some(&b'0') {
            without.push(byte);
        }
    }
    without
}

/// The longest beginnings that many bytes of the names without a separator have in common, without the numbers that follow.
fn beginnings(mut names: Vec<WeightedName>, separators: &[u8]) -> Vec<Box<[u8]>> {
    let total = names.iter().fold(0_u64, |sum, (_, weight)| sum.saturating_add(*weight));
    names.retain(|(name, _)| !name.iter().any(|byte| separators.contains(byte)));
    let mut found = Found { least: (total / BYTES_PARTS).max(1), beginnings: BTreeSet::new() };
    found.descend(&names, 0);
    found.beginnings.into_iter().take(BEGINNINGS_MAX).collect()
}

struct Found {
    /// What a beginning must have.
    least: u64,
    beginnings: BTreeSet<Box<[u8]>>,
}

impl Found {
    /// Looks at names in the order of their bytes whose first bytes, so many, are the same. Names are as long as a prefix may be,
    /// and each step goes on by a byte, which bounds the recursion.
    fn descend(&mut self, names: &[WeightedName], depth: usize) {
        let (Some((first, _)), Some((last, _))) = (names.first(), names.last()) else { return };
        let depth = depth + first.iter().zip(last.iter()).skip(depth).take_while(|(a, b)| a == b).count();
        let next = |(name, _): &WeightedName| name.get(depth).copied();
        let ways = names.chunk_by(|a, b| next(a) == next(b));
        let ways = ways.map(|names| Way { byte: names.first().and_then(next), names, weight: weight(names) });
        let ways: Vec<Way<'_>> = ways.filter(|way| way.byte.is_some()).collect();
        let all = weight(names);
        let numbers = ways.iter().filter(|way| way.byte.is_some_and(|byte| byte.is_ascii_digit()));
        let numbers = numbers.fold(0_u64, |sum, way| sum.saturating_add(way.weight));
        // Where most go on with a digit, a hexadecimal one is of an ID.
        let has_ids = depth > 0 && numbers > all / 2;
        let is_of_id = |way: &Way<'_>| has_ids && way.byte.is_some_and(|byte| byte.is_ascii_hexdigit());
        let heavy = ways.iter().filter(|way| way.weight >= self.least && !is_of_id(way));
        let heavy: Vec<&Way<'_>> = heavy.collect();
        let ends = depth > 0 && heavy.len() > WAYS_MAX;
        let rest = heavy.iter().fold(all, |rest, way| rest.saturating_sub(way.weight));
        if depth > 0 && names.len() > 1 && (ends || rest >= self.least) {
            let beginning = first.get(..depth).unwrap_or_default();
            let digits = beginning.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
            let beginning = beginning.get(..beginning.len() - digits).unwrap_or_default();
            if !beginning.is_empty() {
                self.beginnings.insert(beginning.into());
            }
        }
        for way in heavy.iter().filter(|_| !ends) {
            self.descend(way.names, depth + 1);
        }
    }
}

/// Names that go on with one byte, or that end.
struct Way<'n> {
    byte: Option<u8>,
    names: &'n [WeightedName],
    weight: u64,
}

fn weight(names: &[WeightedName]) -> u64 {
    names.iter().fold(0, |sum, (_, weight)| sum.saturating_add(*weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: impl Fn(u64) -> String) -> String {
        let names: Vec<String> = (0..2000).map(name).collect();
        let mut names: Vec<&[u8]> = names.iter().map(String::as_bytes).collect();
        names.sort_unstable();
        String::from_utf8(separators(names)).expect("ASCII")
    }

    /// A number that looks random.
    fn id(number: u64) -> u64 {
        number.wrapping_add(7).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[test]
    fn what_separates() {
        for (expected, name) in [
            (":", Box::new(|number| format!("user:{number}:name_of-it.v2")) as Box<dyn Fn(u64) -> String>),
            ("/", Box::new(|number| format!("/api/users/{number}").split_off(1))),
            (":|", Box::new(|number| if number % 2 == 0 { format!("a:{number}") } else { format!("b|{number}") })),
            ("_", Box::new(|number| format!("session_{:x}", id(number)))),
            (":", Box::new(|number| format!("tenant{number}:cart"))),
            // Many beginnings, of few names each.
            (":", Box::new(|number| format!("{:x}:{number}", id(number / 3)))),
            // IDs with what looks like separators.
            ("", Box::new(|number| format!("{:08x}-{:04x}-{number}", id(number) >> 32, number))),
            ("", Box::new(|number| format!("{:x}", id(number)))),
            // One name in a hundred tells nothing.
            (":", Box::new(|number| if number % 100 == 0 { format!("x#{number}") } else { format!("a:{number}") })),
        ] {
            assert_eq!(found(&name), expected, "{}", name(1));
        }
        assert_eq!(separators(Vec::new()), b"");
    }

    #[test]
    fn what_names_begin_with() {
        let of = |names: &[(&str, u64)], separators: &[u8]| {
            let all = names.iter().flat_map(|(beginning, keys)| {
                (0..*keys).map(move |number| (format!("{beginning}{number}").into_bytes().into(), 10))
            });
            let mut all: Vec<WeightedName> = all.collect();
            all.sort_unstable();
            let found = beginnings(all, separators);
            found.into_iter().map(|name| String::from_utf8(name.into_vec()).expect("text")).collect::<Vec<_>>()
        };
        assert_eq!(of(&[("user", 500), ("session", 400), ("rare", 3)], b""), ["session", "user"]);
        assert_eq!(of(&[("user", 500), ("user_admin", 300)], b""), ["user", "user_admin"]);
        assert_eq!(of(&[("user:", 500), ("sess", 300)], b":"), ["sess"]);
        assert_eq!(of(&[("a1", 500)], b""), ["a"]);
        assert_eq!(of(&[("", 5000)], b""), Vec::<String>::new());
        assert_eq!(of(&[], b""), Vec::<String>::new());
    }
}
