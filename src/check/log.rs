//! What records come to, one after the other, without anything that only those before them tell: which database it is, which
//! findings are listed still, which names there were.
//!
//! Logs of stretches that were read side by side are appended in file order, and a report that takes them over is the one
//! that reading record by record gives.

use super::recent::Recent;
use super::record::{Key, Record, Sink, What};
use crate::rdb::deep::{digest, is_tolerated};
use crate::rdb::{Context, Dialect, FormatElement, ModuleId, ParseError, ParseErrorKind, ValueType};

/// Numbers that digests of names are made with. They are the same in each run, so that what a bound leaves out is too.
const NAME_KEYS: [u64; 4] =
    [0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb, 0xd6e8_feb8_6659_fd93];

/// A key's name in 128 bits.
#[inline]
pub(super) fn digest_of_name(name: &[u8]) -> u128 {
    digest(&NAME_KEYS, name)
}

/// What a stretch of records comes to.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) events: Vec<Event>,
    /// Digests of the names of keys of which a database has one, in the order of the keys.
    pub(super) names: Vec<u128>,
    /// How many keys have which type byte.
    pub(super) types: Vec<u64>,
    /// Module types in the order in which they came, and how often each did.
    pub(super) modules: Vec<(ModuleId, u64)>,
    pub(super) recent: Recent,
    /// All keys.
    pub(super) keys: u64,
    /// Whether names are wanted.
    has_names: bool,
    /// Bytes of names and texts among the events.
    text_bytes: usize,
}

/// Something whose place among the others counts.
#[derive(Debug)]
pub(super) enum Event {
    /// Keys of one database.
    Keys(Keys),
    SelectDb(u64),
    ResizeDb(u64),
    Aux(Box<(String, String)>),
    Function,
    TaggedChunk,
    Flaw(Box<Flaw>),
}

/// How many keys.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_field_names, reason = "the others are some of them")]
pub(super) struct Keys {
    pub(super) keys: u64,
    pub(super) expiring: u64,
    /// Those that had expired when the dump was made, if it says when.
    pub(super) expired: u64,
    pub(super) damaged: u64,
    pub(super) oversized: u64,
    /// Those that have a name in the log.
    pub(super) named: u64,
}

/// What is wrong, and with what.
#[derive(Debug)]
pub(super) struct Flaw {
    pub(super) error: ParseError,
    /// Name and type.
    pub(super) key: Option<(Vec<u8>, ValueType)>,
    pub(super) record_start: u64,
    pub(super) record_end: u64,
}

impl Log {
    pub(super) fn new(has_names: bool) -> Self {
        Self { has_names, ..Self::default() }
    }

    /// What it takes in memory.
    pub(super) fn held_bytes(&self) -> u64 {
        let lists = size_of_val(&self.events[..]) + size_of_val(&self.names[..]) + size_of_val(&self.modules[..]);
        (lists + self.text_bytes) as u64
    }

    /// Takes in what comes next.
    pub(super) fn append(&mut self, other: Self) {
        self.events.extend(other.events);
        self.names.extend(other.names);
        self.recent.append(&other.recent);
        self.keys += other.keys;
        self.text_bytes += other.text_bytes;
        for (value_type, keys) in (0..).zip(other.types) {
            self.count_type(value_type, keys);
        }
        other.modules.into_iter().for_each(|(id, records)| self.count_module(id, records));
    }

    /// Takes in keys that have nothing to be told of one by one.
    pub(super) fn count(&mut self, value_type: ValueType, counted: Keys) {
        if counted.keys == 0 {
            return;
        }
        self.keys += counted.keys;
        self.count_type(value_type.0, counted.keys);
        if let Some(Event::Keys(keys)) = self.events.last_mut() {
            keys.keys += counted.keys;
            keys.expiring += counted.expiring;
            keys.expired += counted.expired;
            keys.damaged += counted.damaged;
            keys.oversized += counted.oversized;
            keys.named += counted.named;
        } else {
            self.events.push(Event::Keys(counted));
        }
    }

    fn count_type(&mut self, value_type: u8, keys: u64) {
        let at = usize::from(value_type);
        if self.types.len() <= at {
            self.types.resize(at + 1, 0);
        }
        self.types.get_mut(at).into_iter().for_each(|count| *count += keys);
    }

    fn count_module(&mut self, id: ModuleId, records: u64) {
        match self.modules.iter_mut().find(|(known, _)| *known == id) {
            Some((_, count)) => *count += records,
            None => self.modules.push((id, records)),
        }
    }

    fn key(&mut self, context: &Context, key: &Key<'_>, flaws: &[ParseError]) {
        let has_expired = |seconds: i64| key.expires_at_ms.is_some_and(|at_ms| at_ms < seconds.saturating_mul(1000));
        let is_damaged = flaws.iter().any(|flaw| !is_tolerated(flaw, context.dialect, context.version));
        let is_named = self.has_names && has_place(context, key, flaws);
        if is_named {
            self.names.push(digest_of_name(key.name));
        }
        if let Some(id) = key.module {
            self.count_module(id, 1);
        }
        let counted = Keys {
            keys: 1,
            expiring: key.expires_at_ms.is_some().into(),
            expired: context.aux.created_at_seconds.is_some_and(has_expired).into(),
            damaged: is_damaged.into(),
            oversized: key.is_oversized.into(),
            named: is_named.into(),
        };
        self.count(key.value_type, counted);
    }
}

/// Whether a key takes the place that its name has in a database, so that another of that name is one too many.
pub(super) fn has_place(context: &Context, key: &Key<'_>, flaws: &[ParseError]) -> bool {
    let is_name_damaged = flaws.iter().any(|flaw| flaw.element == FormatElement::Key);
    // Servers leave it out, and load another of its name.
    let is_empty = flaws.iter().any(|flaw| flaw.kind == ParseErrorKind::Empty);
    // Dragonfly may write a key again that changed while it wrote the snapshot; its loader takes the last.
    context.dialect != Dialect::Dragonfly && !is_name_damaged && !is_empty && !key.is_oversized
}

impl Sink for Log {
    fn record(&mut self, context: &Context, record: &Record<'_>) -> Result<(), ParseErrorKind> {
        self.recent.add(context, record);
        let mut found = None;
        match &record.what {
            What::Aux { name, value } => {
                self.text_bytes += name.len() + value.len();
                self.events.push(Event::Aux(Box::new(((*name).to_owned(), (*value).to_owned()))));
            }
            What::SelectDb(db) => self.events.push(Event::SelectDb(*db)),
            What::ResizeDb { keys } => self.events.push(Event::ResizeDb(*keys)),
            What::Function => self.events.push(Event::Function),
            What::ModuleAux(id) => self.count_module(*id, 1),
            What::Key(key) => {
                self.key(context, key, record.flaws);
                found = Some((key.name, key.value_type));
            }
            What::TaggedChunk => self.events.push(Event::TaggedChunk),
            What::HashTemplate | What::Slot | What::End => {}
        }
        for error in record.flaws {
            self.text_bytes += size_of::<Flaw>() + found.map_or(0, |(name, _)| name.len());
            let key = found.map(|(name, value_type)| (name.to_vec(), value_type));
            let (record_start, record_end) = (record.span.start, record.span.end);
            self.events.push(Event::Flaw(Box::new(Flaw { error: *error, key, record_start, record_end })));
        }
        Ok(())
    }
}
