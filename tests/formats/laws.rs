//! Laws that hold for every value and every dump, tried on random ones: what was written is read, a value ends where it
//! ends whoever walks it, and neither the split of a dump nor that of a data set over dumps changes an answer.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::support::assembler::{Bytes, Listpack, Lzf};
use crate::support::values::{Dialect, Held, Stored, Word, word};
use crate::support::ways::{Scratch, every_key, mapped, mapped_whole, streamed};
use bigkeys::rdb::source::{Slice, Source};
use bigkeys::rdb::{Context, Scanner, ValueType, elements, value};
use bigkeys::{BigKey, Dump, Options, analyze_all};
use proptest::collection::vec;
use proptest::prelude::*;

fn dialect() -> impl Strategy<Value = Dialect> {
    prop_oneof![2 => Just(Dialect::Redis), 1 => Just(Dialect::Valkey)]
}

// ---- a value

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_written_is_read(
        values in dialect().prop_flat_map(|dialect| (Just(dialect), vec(dialect.value(), 1..12))),
    ) {
        let (dialect, values) = values;
        let start = dialect.rdb().unfinished();
        let context = context(&start);
        for stored in values {
            // Behind the value lies what must not be touched, and in front of it what shifts its offset.
            let bytes = [&start[..], &stored.bytes, b"behind"].concat();
            let (begin, end) = (start.len() as u64, (start.len() + stored.bytes.len()) as u64);
            let value_type = ValueType(stored.value_type);

            let mut source = Slice::new(&bytes, begin);
            let measure = value::measure(&mut source, value_type, &context);
            prop_assert_eq!(measure.map(|measure| measure.size), Ok(stored.size), "{}", value_type);
            prop_assert_eq!(source.offset(), end, "{}", value_type);

            let mut source = Slice::new(&bytes, begin);
            let mut read = Vec::new();
            let visited = elements::for_each(&mut source, value_type, &context, |element| read.push(Held::from(element)));
            prop_assert_eq!(visited, Ok(()), "{}", value_type);
            prop_assert_eq!(source.offset(), end, "{}", value_type);
            prop_assert_eq!(read, stored.elements, "{}", value_type);
        }
    }

    #[test]
    fn a_value_that_is_cut_is_an_error(
        value in dialect().prop_flat_map(|dialect| (Just(dialect), dialect.value())),
        cut in any::<proptest::sample::Index>(),
    ) {
        let (dialect, stored) = value;
        let context = context(&dialect.rdb().unfinished());
        let (cut, value_type) = (cut.index(stored.bytes.len()), ValueType(stored.value_type));
        let bytes = &stored.bytes[..cut];
        prop_assert!(value::measure(&mut Slice::new(bytes, 0), value_type, &context).is_err());
        prop_assert!(elements::for_each(&mut Slice::new(bytes, 0), value_type, &context, |_| ()).is_err());
    }
}

/// The most compressed bytes that ten plain ones can take: nine literal runs of one, then a reference of three bytes.
#[test]
fn the_longest_way_to_a_header() {
    let set = Listpack::new().string([b'a'; 15]).build();
    let compressed = Lzf::new().literal_runs(1, &set[..9]).back(1, 13).literal(&set[22..]);
    assert_eq!(compressed.plain(), set);
    let bytes = Bytes::new().lzf(&compressed);
    let context = context(&Dialect::Redis.rdb().unfinished());
    let measure = value::measure(&mut Slice::new(bytes.as_ref(), 0), ValueType::SET_LISTPACK, &context);
    assert_eq!(measure.map(|measure| measure.size), Ok(1));
}

/// What the start of a dump says.
fn context(start: &[u8]) -> Context {
    let dump = [start, &[255]].concat();
    Scanner::new(&dump).expect("a well-formed start").context().clone()
}

// ---- a dump

/// A key with what may come before it.
#[derive(Clone, Debug)]
struct Key {
    select_db: Option<u64>,
    expires_at_ms: Option<i64>,
    frequency: Option<u8>,
    name: Word,
    value: Stored,
}

/// The types of strings, modules and streams.
const MAY_BE_EMPTY: [u8; 8] = [0, 7, 15, 19, 21, 26, 27, 33];

fn key(dialect: Dialect) -> impl Strategy<Value = Key> {
    use proptest::option::weighted;
    let db = prop_oneof![0..4_u64, 60..70_u64, Just(20_000)];
    let key =
        |(select_db, expires_at_ms, frequency, name, value)| Key { select_db, expires_at_ms, frequency, name, value };
    let is_kept = |value: &Stored| value.size > 0 || MAY_BE_EMPTY.contains(&value.value_type);
    let value = dialect.value().prop_filter("servers leave out empty collections", is_kept);
    (weighted(0.2, db), weighted(0.2, any::<i64>()), weighted(0.1, any::<u8>()), word(), value).prop_map(key)
}

fn dump(keys: impl Into<proptest::collection::SizeRange>) -> BoxedStrategy<Vec<u8>> {
    let keys = keys.into();
    let keys = dialect().prop_flat_map(move |dialect| (Just(dialect), vec(key(dialect), keys.clone())));
    keys.prop_map(|(dialect, keys)| assemble(dialect, &keys)).boxed()
}

fn assemble(dialect: Dialect, keys: &[Key]) -> Vec<u8> {
    let dump = keys.iter().fold(dialect.rdb(), |mut rdb, key| {
        if let Some(db) = key.select_db {
            rdb = rdb.select_db(db);
        }
        if let Some(at_ms) = key.expires_at_ms {
            rdb = rdb.expire_ms(at_ms);
        }
        if let Some(counter) = key.frequency {
            rdb = rdb.freq(counter);
        }
        rdb.key_as(key.value.value_type, |b| b.raw(&key.name), |b| b.raw(&key.value.bytes))
    });
    dump.eof()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_split_changes_the_answer(
        dump in dump(0..80),
        threads in 1..8_usize,
        segment_bytes in prop_oneof![16..200_usize, 200..5_000_usize, 5_000..100_000_usize],
        window_bytes in prop_oneof![1..40_usize, 40..5_000_usize],
    ) {
        let scratch = Scratch::new();
        let path = scratch.write("dump", &dump);
        let whole = mapped_whole(1).answer(&path, &dump);
        prop_assert_eq!(&whole.damage, &None);
        prop_assert!(mapped(threads, segment_bytes).answer(&path, &dump) == whole);
        prop_assert!(streamed(window_bytes).answer(&path, &dump) == whole);
    }

    #[test]
    fn several_dumps_are_as_one(
        dumps in vec((dump(0..40), any::<bool>()), 1..5),
        top in prop_oneof![0..4_usize, Just(100_000)],
        all_kinds in any::<bool>(),
    ) {
        let scratch = Scratch::new();
        let shard = |at: usize| format!("10.0.0.{at}:6379");
        let named = dumps.iter().enumerate().map(|(at, (dump, has_shard))| Dump {
            payload_key: None,
            path: scratch.write(&at.to_string(), dump),
            shard: has_shard.then(|| shard(at)),
        });
        let named: Vec<Dump> = named.collect();
        let mut options = options(top, all_kinds);
        options.threads = 2;
        options.segment_bytes = 1000;
        let report = analyze_all(&named, &options, &Arc::default()).expect("the files can be opened");
        prop_assert!(report.is_complete());

        let mut keys = Vec::new();
        for (at, (dump, _)) in dumps.iter().enumerate() {
            keys.extend(scanned_keys(dump, named[at].shard.as_deref()).into_iter().map(|key| (at, key)));
        }
        prop_assert_eq!(report.keys_scanned, keys.len() as u64);
        let unlisted = keys.iter().filter(|(_, key)| !all_kinds && !key.kind.is_core()).count();
        prop_assert_eq!(report.keys_unlisted, unlisted as u64);
        prop_assert_eq!(report.keys, chosen(keys, top, all_kinds));
    }
}

fn options(top: usize, all_kinds: bool) -> Options {
    let mut options = every_key();
    options.question.top = top;
    options.question.all_kinds = all_kinds;
    options
}

/// Every key of a dump, in its order.
fn scanned_keys(dump: &[u8], shard: Option<&str>) -> Vec<BigKey> {
    let mut scanner = Scanner::new(dump).expect("a well-formed start");
    let mut keys = Vec::new();
    while let Some(entry) = scanner.next() {
        let entry = entry.expect("a well-formed dump");
        keys.push(BigKey {
            name_bytes: entry.key.bytes(),
            name: entry.key.decode(&mut Vec::new()).expect("a well-formed name").to_vec(),
            kind: entry.kind,
            module: entry.module,
            shard: shard.map(str::to_owned),
            db: scanner.db(),
            size: entry.size,
            offset: entry.offset,
        });
    }
    keys
}

/// The slow, obvious choice: sort everything, then take the first of each kind in each database.
fn chosen(mut keys: Vec<(usize, BigKey)>, top: usize, all_kinds: bool) -> Vec<BigKey> {
    // Of names that begin alike for so long, the first ones are listed.
    const ORDERED_NAME_BYTES: usize = 128;
    let sort = |keys: &mut [(usize, BigKey)], name_bytes: usize| {
        keys.sort_by_key(|(dump, key)| {
            let name = key.name.iter().copied().take(name_bytes).collect::<Vec<_>>();
            (key.db, key.kind, Reverse(key.size), name, *dump, key.offset)
        });
    };
    sort(&mut keys, ORDERED_NAME_BYTES);
    let mut chosen: Vec<(usize, BigKey)> = Vec::new();
    for (dump, key) in keys {
        let alike = chosen.iter().filter(|(_, other)| (other.db, other.kind) == (key.db, key.kind)).count();
        if (all_kinds || key.kind.is_core()) && alike < top {
            chosen.push((dump, key));
        }
    }
    sort(&mut chosen, usize::MAX);
    chosen.into_iter().map(|(_, key)| key).collect()
}
