//! Searching names and decoded values: what tools that search a file's bytes miss, since values are compressed and packed.
//!
//! Each text is searched by itself: a name, a field, a member, an element, a string. A match never goes from one into the
//! next. A text lies in memory as a whole, as it is stored or inflated, but for compressed strings of more than 32 MiB: these are
//! inflated a piece at a time, and a match of more than [`SPLIT_MATCH_BYTES_MAX`] bytes in them may be told as several.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use super::between::{self, Between, bytes};
use super::rows::{Put, Rows, Source as RowSource};
use crate::analysis::Pattern;
use crate::analysis::filter::Filter;
use crate::engine::{Dump, Exported, Options, Progress, export_with_starts};
use crate::error::Error;
use crate::rdb::context::MAGIC_BYTES;
use crate::rdb::limits::INFLATED_BYTES_MAX;
use crate::rdb::packed::lzf::Inflated;
use crate::rdb::primitives::{StringHeader, string_header};
use crate::rdb::source::{Slice, Source};
use crate::rdb::{Context, FormatElement, Kind, ParseErrorKind, ValueType};
use crate::values::stream::{self, Id, StreamPart};
use crate::values::{Content, Fault, Form, KeyEntry, Value};

/// Bytes of a text that are told on either side of a match.
pub const CONTEXT_BYTES: usize = 40;

/// Bytes of a match that are told.
pub const MATCH_BYTES_MAX: usize = 4 << 10;

/// The longest match that is found whole in a compressed string of more than 32 MiB.
pub const SPLIT_MATCH_BYTES_MAX: usize = 64 << 10;

/// Bytes of such a string that are searched at once.
const PIECE_BYTES: usize = 1 << 20;

/// What is searched for.
#[derive(Clone, Debug)]
pub struct Search {
    pattern: Arc<Pattern>,
    /// Whether the first match of each key is enough.
    first_of_key: bool,
}

impl Search {
    /// A search for a pattern; with `first_of_key` for the first match alone of each key, auxiliary field and function.
    ///
    /// # Errors
    /// A sentence if the pattern matches the empty text, which is everywhere.
    pub fn new(pattern: Pattern, first_of_key: bool) -> Result<Self, String> {
        if pattern.as_regex().is_match(b"") {
            return Err("the pattern matches the empty text, which is everywhere".to_owned());
        }
        Ok(Self { pattern: Arc::new(pattern), first_of_key })
    }
}

/// In which text of a key, or of what is not a key's, a match is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The key's name.
    Name,
    /// A string.
    Value,
    /// An element of a list, an array, or a part of a module's value; by its index.
    Element,
    /// A member of a set or sorted set.
    Member,
    /// The name of a field, of a hash or of a stream's entry.
    Field,
    /// The value of a field.
    FieldValue,
    /// The name of a consumer group.
    Group,
    /// The name of a consumer.
    Consumer,
    /// A value that is not decoded, as it is stored.
    Stored,
    /// The value of an auxiliary field of the dump.
    Aux,
    /// The code of a function library.
    Function,
}

impl Place {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Value => "value",
            Self::Element => "element",
            Self::Member => "member",
            Self::Field => "field",
            Self::FieldValue => "field_value",
            Self::Group => "group",
            Self::Consumer => "consumer",
            Self::Stored => "stored",
            Self::Aux => "aux",
            Self::Function => "function",
        }
    }
}

/// A match.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match<'m> {
    /// The database and the name of the key; of auxiliary fields and functions none.
    pub key: Option<(u64, &'m [u8])>,
    /// What the key is.
    pub kind: Option<Kind>,
    /// Offset of the key's record in the dump.
    pub key_offset: u64,
    /// In which text it is.
    pub place: Place,
    /// The place of the element among those of its key, from 0.
    pub index: Option<u64>,
    /// The name of the field, of hashes and streams; of an auxiliary field its name.
    pub field: Option<&'m [u8]>,
    /// The ID of the entry, of streams.
    pub id: Option<Id>,
    /// Offset of the match in the text.
    pub at: u64,
    /// How long it is, in bytes.
    pub bytes: u64,
    /// Up to [`CONTEXT_BYTES`] before it.
    pub before: &'m [u8],
    /// The match, up to [`MATCH_BYTES_MAX`].
    pub matched: &'m [u8],
    /// Up to [`CONTEXT_BYTES`] after it.
    pub after: &'m [u8],
}

/// Searches a dump and hands each match to `take`, in the dump's order. Auxiliary fields and functions are searched too,
/// unless the filter leaves keys out. To be given no more, whoever takes them may call [`Progress::cancel`].
///
/// # Errors
/// As [`crate::engine::export_all`], which also says what becomes of keys whose values cannot be decoded.
pub fn grep<'o>(
    dump: &Dump,
    search: &Search,
    wanted: &Filter,
    options: &Options,
    progress: &Arc<Progress>,
    mut take: impl FnMut(&Match<'_>) + Send + 'o,
) -> Result<Exported, Error> {
    let finder = Finder { search: search.clone(), is_of_all: wanted.is_of_all() && !wanted.names_databases() };
    let take = Arc::new(Mutex::new(move |db: u64, hit: Hit, bytes: &[u8]| take(&hit.as_match(db, bytes))));
    let start = |context: &Context, stored: Option<&[u8]>| {
        let Some(records) = stored.and_then(|stored| stored.get(MAGIC_BYTES..)) else { return };
        let mut rows = Rows::new(finder.clone(), take.clone());
        rows.between(MAGIC_BYTES as u64, records, context);
    };
    let form = |_: &Context| Rows::new(finder.clone(), take.clone());
    export_with_starts(std::slice::from_ref(dump), wanted, options, progress, start, form)
}

/// A match without its bytes.
#[derive(Clone, Copy, Debug)]
struct Hit {
    place: Place,
    kind: Option<Kind>,
    index: Option<u64>,
    id: Option<Id>,
    key_offset: u64,
    at: u64,
    match_bytes: u64,
    /// Where the parts of the bytes end: name, field, before, match.
    ends: [usize; 4],
    has_field: bool,
}

impl Hit {
    fn as_match<'m>(&self, db: u64, bytes: &'m [u8]) -> Match<'m> {
        let [name, field, before, matched] = self.ends;
        let part = |range: Range<usize>| bytes.get(range).unwrap_or_default();
        Match {
            key: self.kind.map(|_| (db, part(0..name))),
            kind: self.kind,
            key_offset: self.key_offset,
            place: self.place,
            index: self.index,
            field: self.has_field.then(|| part(name..field)),
            id: self.id,
            at: self.at,
            bytes: self.match_bytes,
            before: part(field..before),
            matched: part(before..matched),
            after: part(matched..bytes.len()),
        }
    }
}

#[derive(Clone, Debug)]
struct Finder {
    search: Search,
    /// Whether what is between keys is searched.
    is_of_all: bool,
}

impl RowSource for Finder {
    type Row = Hit;

    fn key(&self, key: &KeyEntry<'_>, value: &Value<'_>, put: Put<'_, Hit>) -> Result<(), Fault> {
        let owner = Owner { name: key.name, kind: Some(key.entry.kind), offset: key.entry.offset };
        let mut texts = Texts { search: &self.search, owner, is_done: false, put };
        texts.search(Spot::of(Place::Name), key.name);
        if let Some((stored, inflated_bytes)) = long_string(value) {
            return texts.search_inflated(value, stored, inflated_bytes);
        }
        match texts.search_elements(key.entry.kind, value) {
            Err(fault @ Fault::Unsupported(_)) => {
                texts.search(Spot::of(Place::Stored), value.stored());
                Err(fault)
            }
            searched => searched,
        }
    }

    fn between(&self, offset: u64, stored: &[u8], context: &Context, put: Put<'_, Hit>) {
        if !self.is_of_all {
            return;
        }
        // What the scan has passed is whole.
        _ = between::for_each(offset, stored, context, |offset, record| {
            let owner = Owner { name: &[], kind: None, offset };
            let mut texts = Texts { search: &self.search, owner, is_done: false, put: &mut *put };
            match record {
                Between::Aux { name, value } => {
                    texts.search(Spot { field: Some(name), ..Spot::of(Place::Aux) }, value);
                }
                Between::Function(code) => texts.search(Spot::of(Place::Function), code),
            }
        });
    }
}

/// Head of a compressed string that is too long to be inflated as a whole: how long it is as it is stored, and inflated.
fn long_string(value: &Value<'_>) -> Option<(u64, u64)> {
    match string_header(value.stored()) {
        Ok((_, StringHeader::Lzf { stored_bytes, bytes }))
            if value.value_type() == ValueType::STRING && bytes > INFLATED_BYTES_MAX =>
        {
            Some((stored_bytes, bytes))
        }
        _ => None,
    }
}

/// Whose texts are searched.
#[derive(Clone, Copy)]
struct Owner<'t> {
    name: &'t [u8],
    kind: Option<Kind>,
    offset: u64,
}

/// Where a text is.
#[derive(Clone, Copy)]
struct Spot<'t> {
    place: Place,
    index: Option<u64>,
    id: Option<Id>,
    field: Option<&'t [u8]>,
}

impl Spot<'_> {
    fn of(place: Place) -> Self {
        Self { place, index: None, id: None, field: None }
    }
}

/// The texts of one owner on their way through the search.
struct Texts<'t, 'p> {
    search: &'t Search,
    owner: Owner<'t>,
    /// Whether no more matches are wanted.
    is_done: bool,
    put: Put<'p, Hit>,
}

impl Texts<'_, '_> {
    fn search(&mut self, spot: Spot<'_>, text: &[u8]) {
        if self.is_done {
            return;
        }
        for found in self.search.pattern.as_regex().find_iter(text).filter(|found| !found.is_empty()) {
            self.hit(spot, text, 0, found.range());
            if self.is_done {
                return;
            }
        }
    }

    /// Tells a match at `range` of bytes that begin at `from` of their text.
    fn hit(&mut self, spot: Spot<'_>, text: &[u8], from: u64, range: Range<usize>) {
        let before = text.get(range.start.saturating_sub(CONTEXT_BYTES)..range.start).unwrap_or_default();
        let shown = range.end.min(range.start.saturating_add(MATCH_BYTES_MAX));
        let matched = text.get(range.start..shown).unwrap_or_default();
        let after_end = range.end.saturating_add(CONTEXT_BYTES).min(text.len());
        let after = text.get(range.end..after_end).unwrap_or_default();
        let (before, after) = (from_character(before), to_character(after));
        let parts = [self.owner.name, spot.field.unwrap_or_default(), before, matched, after];
        let mut ends = [0; 4];
        let mut end = 0;
        for (to, part) in ends.iter_mut().zip(parts) {
            end += part.len();
            *to = end;
        }
        let hit = Hit {
            place: spot.place,
            kind: self.owner.kind,
            index: spot.index,
            id: spot.id,
            key_offset: self.owner.offset,
            at: from + range.start as u64,
            match_bytes: range.len() as u64,
            ends,
            has_field: spot.field.is_some(),
        };
        (self.put)(hit, &parts);
        self.is_done = self.search.first_of_key;
    }

    fn search_elements(&mut self, kind: Kind, value: &Value<'_>) -> Result<(), Fault> {
        let (mut field_buffer, mut value_buffer) = (Vec::new(), Vec::new());
        value.records(kind, |record| {
            if self.is_done {
                return;
            }
            let index = Some(record.index).filter(|_| kind != Kind::String);
            let field = record.field.map(|field| bytes(field, &mut field_buffer));
            let spot = Spot { place: Place::Field, index, id: record.id, field };
            // Of a module's value and a vector set the field is a word of ours.
            if let Some(field) = field.filter(|_| matches!(kind, Kind::Hash | Kind::Stream)) {
                self.search(spot, field);
            }
            if let Some(member) = record.member {
                self.search(Spot { place: Place::Member, ..spot }, bytes(member, &mut value_buffer));
            }
            if let Some(Content::Text(text)) = record.value {
                let place = match kind {
                    Kind::String => Place::Value,
                    Kind::Hash | Kind::Stream => Place::FieldValue,
                    _ => Place::Element,
                };
                self.search(Spot { place, ..spot }, bytes(text, &mut value_buffer));
            }
        })?;
        if kind == Kind::Stream && !self.is_done {
            stream::for_each(value, |part| match part {
                StreamPart::Group { name, .. } => self.search(Spot::of(Place::Group), bytes(name, &mut value_buffer)),
                StreamPart::Consumer { name, .. } => {
                    self.search(Spot::of(Place::Consumer), bytes(name, &mut value_buffer));
                }
                _ => {}
            })?;
        }
        Ok(())
    }

    /// Searches a compressed string piece by piece. Each piece is searched with the end of the one before, so that a match
    /// of up to [`SPLIT_MATCH_BYTES_MAX`] bytes is found wherever it is.
    fn search_inflated(&mut self, value: &Value<'_>, stored_bytes: u64, inflated_bytes: u64) -> Result<(), Fault> {
        let mut source = Slice::new(value.stored(), 0);
        source.parse(FormatElement::Element, string_header)?;
        let mut inflated = Inflated::new(&mut source, FormatElement::Element, stored_bytes);
        let mut window = Vec::new();
        // What is before the place where the search goes on is there for the context and for what a pattern looks back at.
        let (mut from, mut at) = (0_u64, 0_usize);
        while !self.is_done {
            let is_last = loop {
                if window.len() - at >= PIECE_BYTES {
                    break false;
                }
                if inflated.offset() >= inflated_bytes {
                    break true;
                }
                let ready = inflated.parse(FormatElement::Element, |ahead| match ahead {
                    [] => Err(nom::Err::Error(ParseErrorKind::Eof)),
                    ahead => Ok((&[][..], ahead.to_vec())),
                })?;
                window.extend_from_slice(&ready);
            };
            let settled = if is_last { window.len() } else { window.len() - SPLIT_MATCH_BYTES_MAX };
            while let Some(found) = self.search.pattern.as_regex().find_at(&window, at) {
                if found.start() >= settled && !is_last || self.is_done {
                    break;
                }
                let range = found.range();
                at = range.end.max(range.start + 1);
                if !range.is_empty() {
                    self.hit(Spot::of(Place::Value), &window, from, range);
                }
                if at > window.len() {
                    break;
                }
            }
            if is_last {
                break;
            }
            at = at.max(settled);
            let dropped = at - CONTEXT_BYTES.min(at);
            window.drain(..dropped);
            from += dropped as u64;
            at -= dropped;
        }
        Ok(())
    }
}

/// The text without the end of a character that it may begin with.
fn from_character(text: &[u8]) -> &[u8] {
    let cut = text.iter().take(3).take_while(|byte| (0x80..0xc0).contains(*byte)).count();
    let rest = text.get(cut..).unwrap_or_default();
    if std::str::from_utf8(rest).is_ok() { rest } else { text }
}

/// The text without the start of a character that it may end with.
fn to_character(text: &[u8]) -> &[u8] {
    match std::str::from_utf8(text) {
        Err(error) if error.error_len().is_none() => text.get(..error.valid_up_to()).unwrap_or(text),
        _ => text,
    }
}
