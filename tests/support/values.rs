//! Random values of every type, each written from named bytes together with what it holds.
//!
//! Every choice that a writer has is drawn: the width of a length, whether a string is compressed and how, whether a packed
//! structure knows its own count.

#![allow(clippy::indexing_slicing, reason = "an index out of place fails the test, as it should")]

use bigkeys::rdb::Element;
use bigkeys::rdb::packed::Text;
use bigkeys::rdb::packed::module::ModuleValue;
use proptest::collection::vec;
use proptest::prelude::*;

use super::assembler::{Bytes, Listpack, Lzf, Rdb, Width, Ziplist, Zipmap, intset};

/// A value as it is stored, and what it holds.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its type byte.
    pub value_type: u8,
    /// Its bytes, without the type and the key.
    pub bytes: Vec<u8>,
    /// Its elements, in their order.
    pub elements: Vec<Held>,
    /// What the server answers when it is asked for the size; of a module's value, its bytes.
    pub size: u64,
}

/// An element, with all texts and numbers as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    Value(Vec<u8>),
    Field {
        field: Vec<u8>,
        value: Vec<u8>,
        expires_at_ms: Option<u64>,
    },
    TemplateValue(Vec<u8>),
    /// The score by its bits, since no number is equal to NaN.
    Member {
        member: Vec<u8>,
        score_bits: u64,
    },
    StreamField {
        id: (u64, u64),
        is_first: bool,
        field: Vec<u8>,
        value: Vec<u8>,
    },
    Item {
        index: u64,
        value: Vec<u8>,
    },
    FloatItem {
        index: u64,
        value_bits: u64,
    },
    Signed(i64),
    Unsigned(u64),
    FloatBits(u32),
    DoubleBits(u64),
    ModuleString(Vec<u8>),
}

impl From<Element<'_>> for Held {
    fn from(element: Element<'_>) -> Self {
        match element {
            Element::Value(text) => Self::Value(plain(text)),
            Element::Field { field, value, expires_at_ms } => {
                Self::Field { field: plain(field), value: plain(value), expires_at_ms }
            }
            Element::TemplateValue(text) => Self::TemplateValue(plain(text)),
            Element::Member { member, score } => Self::Member { member: plain(member), score_bits: score.to_bits() },
            Element::StreamField { id, is_first, field, value } => {
                Self::StreamField { id, is_first, field: plain(field), value: plain(value) }
            }
            Element::Item { index, value } => Self::Item { index, value: plain(value) },
            Element::FloatItem { index, value } => Self::FloatItem { index, value_bits: value.to_bits() },
            Element::Module(ModuleValue::Signed(value)) => Self::Signed(value),
            Element::Module(ModuleValue::Unsigned(value)) => Self::Unsigned(value),
            Element::Module(ModuleValue::Float(value)) => Self::FloatBits(value.to_bits()),
            Element::Module(ModuleValue::Double(value)) => Self::DoubleBits(value.to_bits()),
            Element::Module(ModuleValue::String(text)) => Self::ModuleString(plain(text)),
        }
    }
}

fn plain(text: Text<'_>) -> Vec<u8> {
    match text {
        Text::Bytes(bytes) => bytes.to_vec(),
        Text::Int(value) => value.to_string().into_bytes(),
    }
}

/// Whose dump a value lies in.
#[derive(Clone, Copy, Debug)]
pub enum Dialect {
    Redis,
    Valkey,
}

/// The templates of a Redis dump: an id, and the fields that hashes of it have.
const TEMPLATES: [(u64, &[&str]); 3] = [(0, &["a"]), (70, &["id", "name"]), (20_000, &["x", "yy", "zzz"])];

impl Dialect {
    /// The start of a dump: the newest version that is known, and in it all that its values refer to.
    pub fn rdb(self) -> Rdb {
        match self {
            Self::Redis => TEMPLATES.iter().fold(Rdb::redis(16), |rdb, (id, names)| rdb.hash_template(*id, names)),
            Self::Valkey => Rdb::valkey(80),
        }
    }

    /// Values of every type that this dialect has.
    pub fn value(self) -> BoxedStrategy<Stored> {
        let mut types = vec![
            string(),
            strings(1),
            strings(2),
            zset(3),
            hash(),
            zset(5),
            module("testmodul"),
            vector_set(),
            zipmap(),
            packed_values(10, Packing::Ziplist),
            integers(),
            packed_members(12, Packing::Ziplist),
            packed_fields(13, Packing::Ziplist),
            quicklist_of_ziplists(),
            packed_fields(16, Packing::Listpack),
            packed_members(17, Packing::Listpack),
            quicklist(),
            packed_values(20, Packing::Listpack),
        ];
        types.extend([15, 19, 21, 26, 27].map(stream));
        match self {
            Self::Valkey => types.push(hash_2()),
            Self::Redis => types.extend([
                hash_with_ttls(22),
                packed_triples(23),
                hash_with_ttls(24),
                packed_triples(25),
                array(),
                template_listpack(29),
                template_listpack(30),
                template_values(31),
                template_values(32),
                bitmap(),
            ]),
        }
        proptest::strategy::Union::new(types).boxed()
    }
}

fn stored(value_type: u8, bytes: &Bytes, elements: impl IntoIterator<Item = Held>) -> Stored {
    let elements: Vec<Held> = elements.into_iter().collect();
    Stored { value_type, bytes: bytes.as_ref().to_vec(), size: elements.len() as u64, elements }
}

// ---- strings

/// A string as it is stored, and its content.
#[derive(Clone, Debug)]
pub struct Word {
    pub stored: Vec<u8>,
    pub plain: Vec<u8>,
}

impl AsRef<[u8]> for Word {
    fn as_ref(&self) -> &[u8] {
        &self.stored
    }
}

/// A string in any form, mostly short.
pub fn word() -> impl Strategy<Value = Word> {
    let word = |bytes: Bytes, plain: Vec<u8>| Word { stored: bytes.as_ref().to_vec(), plain };
    let text = prop_oneof![
        20 => vec(any::<u8>(), 0..70),
        2 => vec(any::<u8>(), 70..300),
        1 => vec(any::<u8>(), 16_300..16_500),
    ];
    prop_oneof![
        6 => (text, storage(), 1..=32_u8).prop_map(move |(plain, storage, run)| {
            let storage = if plain.is_empty() { Storage::Shortest } else { storage };
            word(storage.write(run, &plain), plain)
        }),
        1 => repetitive().prop_map(move |plain| word(Bytes::new().lzf(&compressed(32, &plain)), plain)),
        1 => any::<i8>().prop_map(move |int| word(Bytes::new().string_i8(int), decimal(int.into()))),
        1 => any::<i16>().prop_map(move |int| word(Bytes::new().string_i16(int), decimal(int.into()))),
        1 => any::<i32>().prop_map(move |int| word(Bytes::new().string_i32(int), decimal(int.into()))),
    ]
}

fn decimal(value: i64) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// Text that compresses: few letters, long runs.
fn repetitive() -> impl Strategy<Value = Vec<u8>> {
    let run = (b'a'..b'd', 1..400_usize).prop_map(|(letter, times)| vec![letter; times]);
    vec(run, 1..8).prop_map(|runs| runs.concat())
}

/// How bytes are put into a string.
#[derive(Clone, Copy, Debug)]
enum Storage {
    Shortest,
    Bits32,
    Bits64,
    Lzf,
}

fn storage() -> impl Strategy<Value = Storage> {
    prop_oneof![
        3 => Just(Storage::Shortest),
        1 => Just(Storage::Bits32),
        1 => Just(Storage::Bits64),
        3 => Just(Storage::Lzf),
    ]
}

impl Storage {
    fn write(self, run: u8, plain: &[u8]) -> Bytes {
        match self {
            Self::Shortest => Bytes::new().string(plain),
            Self::Bits32 => Bytes::new().string_as(Width::Bits32, plain),
            Self::Bits64 => Bytes::new().string_as(Width::Bits64, plain),
            Self::Lzf => Bytes::new().lzf(&compressed(run, plain)),
        }
    }
}

/// Compresses as an LZF writer may: literal runs of up to `run` bytes, and references to what came a little before.
fn compressed(run: u8, plain: &[u8]) -> Lzf {
    let mut lzf = Lzf::new();
    let (mut at, mut literal_start) = (0, 0);
    while at < plain.len() {
        let same = |distance: usize| {
            let before = &plain[at - distance..];
            before.iter().zip(&plain[at..]).take(264).take_while(|(a, b)| a == b).count()
        };
        let best = (1..=at.min(40)).map(|distance| (same(distance), distance)).max().unwrap_or_default();
        if best.0 < 3 {
            at += 1;
            continue;
        }
        lzf = lzf.literal_runs(run, &plain[literal_start..at]).back(best.1, best.0);
        at += best.0;
        literal_start = at;
    }
    lzf.literal_runs(run, &plain[literal_start..])
}

// ---- plain values

fn string() -> BoxedStrategy<Stored> {
    let stored = |word: Word| Stored {
        value_type: 0,
        size: word.plain.len() as u64,
        elements: vec![Held::Value(word.plain)],
        bytes: word.stored,
    };
    word().prop_map(stored).boxed()
}

fn strings(value_type: u8) -> BoxedStrategy<Stored> {
    const WIDTHS: [Width; 4] = [Width::Bits6, Width::Bits14, Width::Bits32, Width::Bits64];
    let value = move |(width, words): (usize, Vec<Word>)| {
        let width = WIDTHS[width % WIDTHS.len()];
        let bytes = words.iter().fold(Bytes::new().len_as(width, words.len() as u64), Bytes::raw);
        stored(value_type, &bytes, words.into_iter().map(|word| Held::Value(word.plain)))
    };
    (0..WIDTHS.len(), vec(word(), 0..12)).prop_map(value).boxed()
}

fn hash() -> BoxedStrategy<Stored> {
    let value = |pairs: Vec<(Word, Word)>| {
        let bytes =
            pairs.iter().fold(Bytes::new().len(pairs.len() as u64), |b, (field, value)| b.raw(field).raw(value));
        stored(4, &bytes, pairs.into_iter().map(|(field, value)| held_field(field.plain, value.plain, None)))
    };
    vec((word(), word()), 0..8).prop_map(value).boxed()
}

fn held_field(field: Vec<u8>, value: Vec<u8>, expires_at_ms: Option<u64>) -> Held {
    Held::Field { field, value, expires_at_ms }
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => any::<i32>().prop_map(f64::from),
        4 => {
            use proptest::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
            NORMAL | SUBNORMAL | ZERO | POSITIVE | NEGATIVE
        },
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
    ]
}

/// A score as text, short enough for a length of one byte.
fn score_text(score: f64) -> String {
    if score.is_finite() && (score.abs() > 1e15 || score.abs() < 1e-5) {
        format!("{score:e}")
    } else {
        score.to_string()
    }
}

fn zset(value_type: u8) -> BoxedStrategy<Stored> {
    let value = move |members: Vec<(Word, f64)>| {
        let write = |b: Bytes, (member, score): &(Word, f64)| match value_type {
            3 => b.raw(member).score(&score_text(*score)),
            _ => b.raw(member).f64(*score),
        };
        let bytes = members.iter().fold(Bytes::new().len(members.len() as u64), write);
        let held = |(member, score): (Word, f64)| Held::Member { member: member.plain, score_bits: score.to_bits() };
        stored(value_type, &bytes, members.into_iter().map(held))
    };
    vec((word(), score()), 0..10).prop_map(value).boxed()
}

/// No TTL, or a moment; both borders of what servers allow.
fn ttl() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![2 => Just(None), 3 => (1..1_u64 << 48).prop_map(Some), 1 => Just(Some((1 << 48) - 1))]
}

fn hash_2() -> BoxedStrategy<Stored> {
    let value = |fields: Vec<(Word, Word, Option<u64>)>| {
        let at = |at_ms: &Option<u64>| at_ms.map_or(-1, u64::cast_signed);
        let bytes = fields.iter().fold(Bytes::new().len(fields.len() as u64), |b, (field, value, at_ms)| {
            b.raw(field).raw(value).i64(at(at_ms))
        });
        stored(22, &bytes, fields.into_iter().map(|(field, value, at_ms)| held_field(field.plain, value.plain, at_ms)))
    };
    vec((word(), word(), ttl()), 0..8).prop_map(value).boxed()
}

/// Type 22 has absolute times, type 24 one more than their distance from the least of them.
fn hash_with_ttls(value_type: u8) -> BoxedStrategy<Stored> {
    let value = move |fields: Vec<(Word, Word, Option<u64>)>| {
        let least = fields.iter().filter_map(|(_, _, at_ms)| *at_ms).min().unwrap_or(0);
        let start = if value_type == 24 { Bytes::new().u64(least) } else { Bytes::new() };
        let ttl = |at_ms: u64| if value_type == 24 { at_ms - least + 1 } else { at_ms };
        let bytes = fields.iter().fold(start.len(fields.len() as u64), |b, (field, value, at_ms)| {
            b.len(at_ms.map_or(0, ttl)).raw(field).raw(value)
        });
        let held = |(field, value, at_ms): (Word, Word, _)| held_field(field.plain, value.plain, at_ms);
        stored(value_type, &bytes, fields.into_iter().map(held))
    };
    vec((word(), word(), ttl()), 0..8).prop_map(value).boxed()
}

fn array() -> BoxedStrategy<Stored> {
    #[derive(Clone, Debug)]
    enum Item {
        Text(Word),
        Int(i64),
        Float(f64),
        Small(Vec<u8>),
    }
    let item = prop_oneof![
        word().prop_map(Item::Text),
        any::<i64>().prop_map(Item::Int),
        any::<f64>().prop_map(Item::Float),
        vec(any::<u8>(), 0..8).prop_map(Item::Small),
    ];
    let value = |(insert, items): (Option<u64>, Vec<(u64, Item)>)| {
        let start = Bytes::new().len(items.len() as u64);
        let start = insert.map_or(start.clone().len(0), |at| start.len(1).len(at));
        let bytes = items.iter().fold(start, |b, (index, item)| match item {
            Item::Text(word) => b.len(*index).len(0).raw(word),
            Item::Int(value) => b.len(*index).len(1).i64(*value),
            Item::Float(value) => b.len(*index).len(2).f64(*value),
            Item::Small(text) => b.len(*index).len(3).string(text),
        });
        let held = |(index, item)| {
            let value = match item {
                Item::Text(word) => word.plain,
                Item::Int(value) => decimal(value),
                Item::Float(value) => return Held::FloatItem { index, value_bits: value.to_bits() },
                Item::Small(text) => text,
            };
            Held::Item { index, value }
        };
        stored(28, &bytes, items.into_iter().map(held))
    };
    (proptest::option::of(any::<u64>()), vec((any::<u64>(), item), 1..8)).prop_map(value).boxed()
}

fn bitmap() -> BoxedStrategy<Stored> {
    let value = |(size, word): (u64, Word)| Stored {
        value_type: 33,
        bytes: Bytes::new().len(size).raw(&word).as_ref().to_vec(),
        elements: vec![Held::Value(word.plain)],
        size,
    };
    (any::<u64>(), word()).prop_map(value).boxed()
}

// ---- packed values

#[derive(Clone, Copy, Debug)]
enum Packing {
    Listpack,
    Ziplist,
}

/// An entry of a packed structure.
#[derive(Clone, Debug)]
enum Item {
    Text(Vec<u8>),
    Int(i64),
}

impl Item {
    fn plain(self) -> Vec<u8> {
        match self {
            Self::Text(text) => text,
            Self::Int(value) => decimal(value),
        }
    }
}

fn item() -> impl Strategy<Value = Item> {
    prop_oneof![
        10 => vec(any::<u8>(), 0..70).prop_map(Item::Text),
        2 => vec(any::<u8>(), 120..300).prop_map(Item::Text),
        1 => vec(any::<u8>(), 4090..4100).prop_map(Item::Text),
        1 => repetitive().prop_map(Item::Text),
        10 => integer().prop_map(Item::Int),
    ]
}

/// Every magnitude is as likely as any other.
fn integer() -> impl Strategy<Value = i64> {
    (any::<i64>(), 0..64_u32).prop_map(|(value, shift)| value >> shift)
}

/// The choices that a writer of a packed structure has.
#[derive(Clone, Copy, Debug)]
struct Form {
    storage: Storage,
    run: u8,
    /// Whether the header says how many entries there are.
    knows_count: bool,
    /// Which of eight ziplist entries have the wide form of the previous one's length.
    wide: u8,
}

fn form() -> impl Strategy<Value = Form> {
    let form = |(storage, run, knows_count, wide)| Form { storage, run, knows_count, wide };
    (storage(), 1..=32_u8, any::<bool>(), any::<u8>()).prop_map(form)
}

impl Form {
    fn pack<'i>(self, packing: Packing, items: impl IntoIterator<Item = &'i Item>) -> Bytes {
        let packed = match packing {
            Packing::Listpack => {
                let listpack = items.into_iter().fold(Listpack::new(), |listpack, item| match item {
                    Item::Text(text) => listpack.string(text),
                    Item::Int(value) => listpack.int(*value),
                });
                if self.knows_count { listpack.build() } else { listpack.claim_count(u16::MAX) }
            }
            Packing::Ziplist => {
                let ziplist = items.into_iter().enumerate().fold(Ziplist::new(), |ziplist, (at, item)| {
                    let ziplist = if self.wide >> (at % 8) & 1 == 1 { ziplist.wide_prevlen() } else { ziplist };
                    match item {
                        Item::Text(text) => ziplist.string(text),
                        Item::Int(value) => ziplist.int(*value),
                    }
                });
                if self.knows_count { ziplist.build() } else { ziplist.claim_count(u16::MAX) }
            }
        };
        self.storage.write(self.run, &packed)
    }
}

fn packed_values(value_type: u8, packing: Packing) -> BoxedStrategy<Stored> {
    let value = move |(form, items): (Form, Vec<Item>)| {
        stored(value_type, &form.pack(packing, &items), items.into_iter().map(|item| Held::Value(item.plain())))
    };
    (form(), vec(item(), 0..20)).prop_map(value).boxed()
}

fn packed_fields(value_type: u8, packing: Packing) -> BoxedStrategy<Stored> {
    let value = move |(form, pairs): (Form, Vec<(Item, Item)>)| {
        let bytes = form.pack(packing, pairs.iter().flat_map(|(field, value)| [field, value]));
        let held = |(field, value): (Item, Item)| held_field(field.plain(), value.plain(), None);
        stored(value_type, &bytes, pairs.into_iter().map(held))
    };
    (form(), vec((item(), item()), 0..10)).prop_map(value).boxed()
}

/// A member, then its score as it is stored and as a number.
type ScoredItem = (Item, (Item, f64));

fn packed_members(value_type: u8, packing: Packing) -> BoxedStrategy<Stored> {
    let score = prop_oneof![
        any::<i32>().prop_map(|value| (Item::Int(value.into()), f64::from(value))),
        score().prop_map(|score| (Item::Text(score_text(score).into_bytes()), score)),
    ];
    let value = move |(form, members): (Form, Vec<ScoredItem>)| {
        let bytes = form.pack(packing, members.iter().flat_map(|(member, (score, _))| [member, score]));
        let held =
            |(member, (_, score)): ScoredItem| Held::Member { member: member.plain(), score_bits: score.to_bits() };
        stored(value_type, &bytes, members.into_iter().map(held))
    };
    (form(), vec((item(), score), 0..10)).prop_map(value).boxed()
}

fn packed_triples(value_type: u8) -> BoxedStrategy<Stored> {
    let value = move |(form, fields): (Form, Vec<(Item, Item, Option<u64>)>)| {
        let items = fields.iter().flat_map(|(field, value, at_ms)| {
            [field.clone(), value.clone(), Item::Int(at_ms.map_or(0, u64::cast_signed))]
        });
        let least = fields.iter().filter_map(|(_, _, at_ms)| *at_ms).min().unwrap_or(0);
        let start = if value_type == 25 { Bytes::new().u64(least) } else { Bytes::new() };
        let bytes = start.raw(form.pack(Packing::Listpack, &items.collect::<Vec<_>>()));
        let held = |(field, value, at_ms): (Item, Item, _)| held_field(field.plain(), value.plain(), at_ms);
        stored(value_type, &bytes, fields.into_iter().map(held))
    };
    (form(), vec((item(), item(), ttl()), 0..8)).prop_map(value).boxed()
}

/// A field, its value, and how many unused bytes follow.
type ZipmapPair = (Vec<u8>, Vec<u8>, u8);

fn zipmap() -> BoxedStrategy<Stored> {
    let text = || prop_oneof![9 => vec(any::<u8>(), 0..30), 1 => vec(any::<u8>(), 250..260)];
    let value = |(form, pairs): (Form, Vec<ZipmapPair>)| {
        let zipmap = pairs.iter().fold(Zipmap::new(), |zipmap, (field, value, free)| zipmap.pair(field, value, *free));
        let packed = if form.knows_count { zipmap.build() } else { zipmap.claim_count(254) };
        let bytes = form.storage.write(form.run, &packed);
        stored(9, &bytes, pairs.into_iter().map(|(field, value, _)| held_field(field, value, None)))
    };
    (form(), vec((text(), text(), 0..5_u8), 0..10)).prop_map(value).boxed()
}

fn integers() -> BoxedStrategy<Stored> {
    let value = |(form, width, integers): (Form, u8, Vec<i64>)| {
        let unused_bits = 64 - 8 * u32::from(width);
        let integers: Vec<i64> = integers.into_iter().map(|integer| integer << unused_bits >> unused_bits).collect();
        let bytes = form.storage.write(form.run, &intset(width, &integers));
        stored(11, &bytes, integers.into_iter().map(|integer| Held::Value(decimal(integer))))
    };
    let width = prop_oneof![Just(2_u8), Just(4), Just(8)];
    (form(), width, vec(any::<i64>(), 0..20)).prop_map(value).boxed()
}

fn quicklist_of_ziplists() -> BoxedStrategy<Stored> {
    let value = |nodes: Vec<(Form, Vec<Item>)>| {
        let bytes = nodes
            .iter()
            .fold(Bytes::new().len(nodes.len() as u64), |b, (form, items)| b.raw(form.pack(Packing::Ziplist, items)));
        stored(14, &bytes, nodes.into_iter().flat_map(|(_, items)| items).map(|item| Held::Value(item.plain())))
    };
    vec((form(), vec(item(), 0..8)), 0..5).prop_map(value).boxed()
}

fn quicklist() -> BoxedStrategy<Stored> {
    #[derive(Clone, Debug)]
    enum Node {
        Plain(Word),
        Packed(Form, Vec<Item>),
    }
    let node = prop_oneof![
        word().prop_map(Node::Plain),
        (form(), vec(item(), 0..8)).prop_map(|(form, items)| Node::Packed(form, items)),
    ];
    let value = |nodes: Vec<Node>| {
        let bytes = nodes.iter().fold(Bytes::new().len(nodes.len() as u64), |b, node| match node {
            Node::Plain(word) => b.len(1).raw(word),
            Node::Packed(form, items) => b.len(2).raw(form.pack(Packing::Listpack, items)),
        });
        let held = |node| match node {
            Node::Plain(word) => vec![Held::Value(word.plain)],
            Node::Packed(_, items) => items.into_iter().map(|item| Held::Value(item.plain())).collect(),
        };
        stored(18, &bytes, nodes.into_iter().flat_map(held))
    };
    vec(node, 0..6).prop_map(value).boxed()
}

// ---- templates

/// Type 29 has its own field names, type 30 refers to a template of the dump.
fn template_listpack(value_type: u8) -> BoxedStrategy<Stored> {
    let value = move |(form, id, names, values): (Form, usize, Option<Form>, Vec<Item>)| {
        let items: Vec<Item> = std::iter::once(Item::Int(template(id).0.cast_signed())).chain(values.clone()).collect();
        let start = if value_type == 29 { field_names(names, values.len()) } else { Bytes::new() };
        let bytes = start.raw(form.pack(Packing::Listpack, &items));
        stored(value_type, &bytes, values.into_iter().map(|item| Held::TemplateValue(item.plain())))
    };
    (form(), 0..TEMPLATES.len(), proptest::option::of(form()), vec(item(), 1..6)).prop_map(value).boxed()
}

/// Type 31 has its own field names, type 32 refers to a template of the dump.
fn template_values(value_type: u8) -> BoxedStrategy<Stored> {
    let value = move |(id, names, words): (usize, Option<Form>, [Word; 3])| {
        let (id, fields) = template(id);
        let words: Vec<Word> = words.into_iter().take(fields.len()).collect();
        let start = if value_type == 31 { field_names(names, words.len()) } else { Bytes::new().len(id) };
        let bytes = words.iter().fold(start, Bytes::raw);
        stored(value_type, &bytes, words.into_iter().map(|word| Held::TemplateValue(word.plain)))
    };
    (0..TEMPLATES.len(), proptest::option::of(form()), [word(), word(), word()]).prop_map(value).boxed()
}

fn template(at: usize) -> (u64, &'static [&'static str]) {
    TEMPLATES[at % TEMPLATES.len()]
}

/// The names of a value that has its own: packed in this form, or as strings.
fn field_names(packed: Option<Form>, fields: usize) -> Bytes {
    let names = (0..fields).map(|at| format!("name{at}"));
    match packed {
        Some(form) => {
            let items: Vec<Item> = names.map(|name| Item::Text(name.into_bytes())).collect();
            Bytes::new().len(0).raw(form.pack(Packing::Listpack, &items))
        }
        None => names.fold(Bytes::new().len(1).len(fields as u64), Bytes::string),
    }
}

// ---- modules

fn module_value() -> impl Strategy<Value = Held> {
    prop_oneof![
        any::<i64>().prop_map(Held::Signed),
        any::<u64>().prop_map(Held::Unsigned),
        any::<u32>().prop_map(Held::FloatBits),
        any::<u64>().prop_map(Held::DoubleBits),
        vec(any::<u8>(), 0..100).prop_map(Held::ModuleString),
    ]
}

fn module_values(name: &str, values: &[Held]) -> Bytes {
    let write = |b: Bytes, value: &Held| match value {
        Held::Signed(value) => b.sint(*value),
        Held::Unsigned(value) => b.uint(*value),
        Held::FloatBits(bits) => b.float(f32::from_bits(*bits)),
        Held::DoubleBits(bits) => b.double(f64::from_bits(*bits)),
        Held::ModuleString(text) => b.text(text),
        other => unreachable!("{other:?} is no value of a module"),
    };
    values.iter().fold(Bytes::new().module_id(name, 3), write).end()
}

fn module(name: &'static str) -> BoxedStrategy<Stored> {
    let value = move |values: Vec<Held>| {
        let bytes = module_values(name, &values);
        Stored { size: bytes.as_ref().len() as u64, ..stored(7, &bytes, values) }
    };
    vec(module_value(), 0..8).prop_map(value).boxed()
}

/// Its second value is the number of vectors.
fn vector_set() -> BoxedStrategy<Stored> {
    let value = |(dimensions, vectors, rest): (u64, u64, Vec<Held>)| {
        let values: Vec<Held> = [Held::Unsigned(dimensions), Held::Unsigned(vectors)].into_iter().chain(rest).collect();
        Stored { size: vectors, ..stored(7, &module_values("vectorset", &values), values) }
    };
    (any::<u64>(), any::<u64>(), vec(module_value(), 0..8)).prop_map(value).boxed()
}

// ---- streams

/// A listpack of entries; their IDs are distances from the node's.
#[derive(Clone, Debug)]
struct StreamNode {
    form: Form,
    id: (u64, u64),
    field_names: Vec<Item>,
    entries: Vec<StreamEntry>,
}

#[derive(Clone, Debug)]
struct StreamEntry {
    is_deleted: bool,
    distance: (i64, i64),
    /// Fields with names of their own, or values for the node's names.
    own: Option<Vec<(Item, Item)>>,
    values: Vec<Item>,
}

fn stream_node() -> impl Strategy<Value = StreamNode> {
    const FIELDS_MAX: usize = 4;
    let entry = (
        any::<bool>(),
        (integer(), integer()),
        proptest::option::of(vec((item(), item()), 1..=FIELDS_MAX)),
        vec(item(), FIELDS_MAX),
    );
    let entry = entry.prop_map(|(is_deleted, distance, own, values)| StreamEntry { is_deleted, distance, own, values });
    let node = |(form, id, field_names, entries)| StreamNode { form, id, field_names, entries };
    (form(), any::<(u64, u64)>(), vec(item(), 1..=FIELDS_MAX), vec(entry, 0..5)).prop_map(node)
}

impl StreamNode {
    fn live_entries(&self) -> usize {
        self.entries.iter().filter(|entry| !entry.is_deleted).count()
    }

    fn items(&self) -> Vec<Item> {
        let int = |value: usize| Item::Int(i64::try_from(value).expect("a small number"));
        let (live, names) = (self.live_entries(), &self.field_names);
        let mut items = vec![int(live), int(self.entries.len() - live), int(names.len())];
        items.extend(names.iter().cloned().chain([int(0)]));
        for entry in &self.entries {
            let flags = i64::from(entry.is_deleted) | if entry.own.is_some() { 0 } else { 2 };
            let start = items.len();
            items.extend([Item::Int(flags), Item::Int(entry.distance.0), Item::Int(entry.distance.1)]);
            match &entry.own {
                Some(pairs) => {
                    items.push(int(pairs.len()));
                    items.extend(pairs.iter().cloned().flat_map(|(field, value)| [field, value]));
                }
                None => items.extend(entry.values.iter().take(names.len()).cloned()),
            }
            items.push(int(items.len() - start));
        }
        items
    }

    fn held(&self) -> Vec<Held> {
        let mut held = Vec::new();
        for entry in self.entries.iter().filter(|entry| !entry.is_deleted) {
            let id = (self.id.0.wrapping_add_signed(entry.distance.0), self.id.1.wrapping_add_signed(entry.distance.1));
            let shared = || self.field_names.iter().cloned().zip(entry.values.iter().cloned()).collect();
            let pairs: Vec<(Item, Item)> = entry.own.clone().unwrap_or_else(shared);
            held.extend(pairs.into_iter().enumerate().map(|(at, (field, value))| Held::StreamField {
                id,
                is_first: at == 0,
                field: field.plain(),
                value: value.plain(),
            }));
        }
        held
    }
}

/// A group: its name, its numbers, and the IDs that its pending lists hold.
type StreamGroup = (Word, [u64; 3], Vec<(u64, u64, i64)>, Vec<(Word, i64, Vec<(u64, u64)>)>, Vec<(u64, u64)>);

fn stream_group() -> impl Strategy<Value = StreamGroup> {
    let id = any::<(u64, u64)>;
    let consumer = (word(), any::<i64>(), vec(id(), 0..4));
    (word(), any::<[u64; 3]>(), vec(any::<(u64, u64, i64)>(), 0..4), vec(consumer, 0..3), vec(id(), 0..3))
}

fn write_group(value_type: u8, b: Bytes, (name, numbers, pending, consumers, nacks): &StreamGroup) -> Bytes {
    let write_id = |b: Bytes, (ms, seq): &(u64, u64)| b.stream_id(*ms, *seq);
    let b = b.raw(name).len(numbers[0]).len(numbers[1]);
    let b = if value_type >= 19 { b.len(numbers[2]) } else { b };
    let b = pending
        .iter()
        .fold(b.len(pending.len() as u64), |b, (ms, seq, at_ms)| b.stream_id(*ms, *seq).i64(*at_ms).len(ms % 100));
    let b = consumers.iter().fold(b.len(consumers.len() as u64), |b, (name, at_ms, ids)| {
        let b = b.raw(name).i64(*at_ms);
        let b = if value_type >= 21 { b.i64(-1) } else { b };
        ids.iter().fold(b.len(ids.len() as u64), write_id)
    });
    if value_type >= 27 { nacks.iter().fold(b.len(nacks.len() as u64), write_id) } else { b }
}

/// A producer: its name, and the names and entry IDs that it has sent.
type StreamProducer = (Word, Vec<(Word, u64, u64)>);

fn write_producers(b: Bytes, producers: &[StreamProducer]) -> Bytes {
    let b = b.len(100).len(1_000).len(producers.len() as u64);
    let b = producers.iter().fold(b, |b, (name, sent)| {
        sent.iter().fold(b.raw(name).len(sent.len() as u64), |b, (name, ms, seq)| b.raw(name).len(*ms).len(*seq))
    });
    b.len(7).len(8)
}

fn stream(value_type: u8) -> BoxedStrategy<Stored> {
    let value = move |(nodes, numbers, groups, producers): (
        Vec<StreamNode>,
        [u64; 7],
        Vec<StreamGroup>,
        Vec<StreamProducer>,
    )| {
        let bytes = nodes.iter().fold(Bytes::new().len(nodes.len() as u64), |b, node| {
            b.len(16).stream_id(node.id.0, node.id.1).raw(node.form.pack(Packing::Listpack, &node.items()))
        });
        let entries = nodes.iter().map(StreamNode::live_entries).sum::<usize>() as u64;
        let counters = if value_type >= 19 { 7 } else { 2 };
        let bytes = numbers.iter().take(counters).fold(bytes.len(entries), |b, number| b.len(*number));
        let bytes = groups.iter().fold(bytes.len(groups.len() as u64), |b, group| write_group(value_type, b, group));
        let bytes = if value_type >= 26 { write_producers(bytes, &producers) } else { bytes };
        Stored { size: entries, ..stored(value_type, &bytes, nodes.iter().flat_map(StreamNode::held)) }
    };
    let producer = (word(), vec((word(), any::<u64>(), any::<u64>()), 0..3));
    (vec(stream_node(), 0..3), any::<[u64; 7]>(), vec(stream_group(), 0..3), vec(producer, 0..3))
        .prop_map(value)
        .boxed()
}
