//! What `DEBUG DIGEST-VALUE` answers for a key, computed from the dump.
//!
//! SHA-1 throughout. What has an order is *mixed* into the digest, one after the other: `d = sha1(d xor sha1(x))`. What has
//! none is XORed: `d ^= sha1(x)`. The rules are those of debug.c; servers differ in two of them, which a [`Rules`] states.

use sha1::{Digest as _, Sha1};

use super::double;
use crate::memory::Target;
use crate::rdb::element::Element;
use crate::rdb::packed::Text;
use crate::rdb::packed::module::ModuleValue;
use crate::rdb::{Entry, Kind};
use crate::values::stream::Id;
use crate::values::{Fault, Value};

/// What `DEBUG DIGEST-VALUE` answers for a key.
///
/// # Errors
/// The [`Fault`] met.
pub fn value_digest(rules: Rules, entry: &Entry<'_>, value: &Value<'_>) -> Result<Sum, Fault> {
    let mut digest = Sum::default();
    rules.add(entry, value, &mut digest)?;
    Ok(digest)
}

/// Empty slots of an array that are mixed in for one value: a server mixes each, whatever index follows.
const EMPTY_SLOTS_MAX: u64 = 1 << 24;

/// Module types whose modules have no part in the digest: it says of their values no more than that they are there.
const WITHOUT_DIGEST: [&[u8; 9]; 7] =
    [b"ReJSON-RL", b"MBbloom--", b"MBbloomCF", b"CMSk-TYPE", b"TopK-TYPE", b"TDIS-TYPE", b"TSDB-TYPE"];

/// A SHA-1 digest in the making.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum(pub [u8; 20]);

impl Sum {
    /// XORs the digest of `bytes` in.
    pub(super) fn xor(&mut self, bytes: &[u8]) {
        self.xor_sum(&Self(Sha1::digest(bytes).into()));
    }

    /// XORs another digest in as it is.
    pub(super) fn xor_sum(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine ^= theirs;
        }
    }

    /// XORs the digest of `bytes` in, and replaces the result by its own digest.
    pub(super) fn mix(&mut self, bytes: &[u8]) {
        self.xor(bytes);
        self.0 = Sha1::digest(self.0).into();
    }

    fn mix_text(&mut self, text: Text<'_>) {
        with_bytes(text, |bytes| self.mix(bytes));
    }
}

impl std::fmt::Display for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// To a server an integer and its decimal text are one.
fn with_bytes(text: Text<'_>, use_them: impl FnOnce(&[u8])) {
    match text {
        Text::Bytes(bytes) => use_them(bytes),
        Text::Int(value) => use_them(itoa::Buffer::new().format(value).as_bytes()),
    }
}

/// How a server computes digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether scores have 17 digits (Redis up to 7.0), or as few as needed.
    has_long_scores: bool,
    /// Whether a hash's field says that it expires (Redis since 7.4; Valkey leaves that out).
    marks_fields: bool,
}

impl Rules {
    /// Those of a server.
    pub fn of(target: Target) -> Self {
        Self {
            has_long_scores: target <= Target::Redis7_0,
            marks_fields: (Target::Redis7_4..Target::Valkey8_0).contains(&target),
        }
    }

    /// Adds a key's value and whether it expires to `digest`: to an empty one for `DEBUG DIGEST-VALUE`, to that of the name for
    /// `DEBUG DIGEST`.
    ///
    /// # Errors
    /// The [`Fault`] met; `digest` is of no use then.
    pub(super) fn add(self, entry: &Entry<'_>, value: &Value<'_>, digest: &mut Sum) -> Result<(), Fault> {
        digest.mix(&type_number(entry.kind).to_be_bytes());
        match entry.kind {
            Kind::VectorSet => vector_set(value, digest)?,
            Kind::Module => module(entry)?,
            Kind::Array => array(value, digest)?,
            _ => value.for_each(|element| self.element(entry.kind, element, digest))?,
        }
        if entry.expires_at_ms.is_some() {
            digest.xor(b"!!expire!!");
        }
        Ok(())
    }

    fn element(self, kind: Kind, element: Element<'_>, digest: &mut Sum) {
        match element {
            Element::Value(text) if kind == Kind::Set => with_bytes(text, |member| digest.xor(member)),
            Element::Value(text) => digest.mix_text(text),
            Element::Field { field, value, expires_at_ms } => {
                let mut pair = Sum::default();
                pair.mix_text(field);
                pair.mix_text(value);
                if self.marks_fields && expires_at_ms.is_some() {
                    pair.xor(b"!!hexpire!!");
                }
                digest.xor(&pair.0);
            }
            Element::Member { member, score } => {
                let mut pair = Sum::default();
                pair.mix_text(member);
                let score = if self.has_long_scores { double::with_17_digits(score) } else { double::short(score) };
                pair.mix(score.as_bytes());
                digest.xor(&pair.0);
            }
            Element::StreamField { id, is_first, field, value } => {
                if is_first {
                    digest.mix(stream_id(id).as_bytes());
                }
                digest.mix_text(field);
                digest.mix_text(value);
            }
            // Other functions take these.
            Element::TemplateValue(_) | Element::Item { .. } | Element::FloatItem { .. } | Element::Module(_) => {}
        }
    }
}

/// With a point, unlike everywhere else.
fn stream_id((ms, sequence): Id) -> String {
    format!("{ms}.{sequence}")
}

/// The server's own number of a type (`OBJ_STRING` and the like of server.h).
fn type_number(kind: Kind) -> u32 {
    match kind {
        Kind::String => 0,
        Kind::List => 1,
        Kind::Set => 2,
        Kind::Zset => 3,
        Kind::Hash => 4,
        Kind::Module | Kind::VectorSet => 5,
        Kind::Stream => 6,
        Kind::Array => 7,
    }
}

fn module(entry: &Entry<'_>) -> Result<(), Fault> {
    match entry.module {
        Some(module) if WITHOUT_DIGEST.contains(&&module.name()) => Ok(()),
        Some(module) => {
            let what = format!("how the module of type {module} computes the digest of its values is not known");
            Err(Fault::Unsupported(what.into()))
        }
        None => Err("how the module of this value computes its digest is not known".into()),
    }
}

/// Each slot in its order up to the last one that has a value.
fn array(value: &Value<'_>, digest: &mut Sum) -> Result<(), Fault> {
    let (mut next, mut empty) = (0_u64, 0_u64);
    value.for_each(|element| {
        let (index, text) = match element {
            Element::Item { index, value } => (index, Ok(value)),
            Element::FloatItem { index, value } => (index, Err(double::of_array(value))),
            _ => return,
        };
        empty = empty.saturating_add(index.saturating_sub(next));
        if empty > EMPTY_SLOTS_MAX {
            return;
        }
        for _ in next..index {
            digest.mix(b"(null)");
        }
        match text {
            Ok(text) => digest.mix_text(text),
            Err(number) => digest.mix(number.as_bytes()),
        }
        next = index.saturating_add(1);
    })?;
    if empty > EMPTY_SLOTS_MAX {
        let what = format!(
            "the array has {empty} empty slots, each of which is part of its digest (limit: {EMPTY_SLOTS_MAX})"
        );
        return Err(Fault::Unsupported(what.into()));
    }
    Ok(())
}

const FLAG_PROJECTION: u64 = 1;
const FLAG_ATTRIBUTES: u64 = 2;

/// What a value of a vector set's list of parts is (`VectorSetRdbSave` of vset.c).
#[derive(Clone, Copy, PartialEq)]
enum VectorPart {
    Dimension,
    Count,
    Storage,
    Flags,
    ProjectionInput,
    ProjectionMatrix,
    Name,
    Attributes,
    Vector,
    Numbers,
    Links(u64),
}

/// The dimension and the number of vectors, then each vector with its name and attributes, in any order (`VectorSetDigest` of
/// vset.c, Redis since 8.0).
fn vector_set(value: &Value<'_>, digest: &mut Sum) -> Result<(), Fault> {
    let mut part = VectorPart::Dimension;
    let (mut dimension, mut count, mut flags) = (0, 0, 0);
    let (mut name, mut attributes) = (Vec::new(), Vec::new());
    let mut all = Sum::default();
    let mut is_so = true;
    value.for_each(|element| {
        let Element::Module(found) = element else { return };
        let number = if let ModuleValue::Unsigned(number) = found { Some(number) } else { None };
        let text = if let ModuleValue::String(text) = found { Some(text) } else { None };
        let next = match (part, number, text) {
            (VectorPart::Dimension, Some(number), _) => {
                dimension = number;
                VectorPart::Count
            }
            (VectorPart::Count, Some(number), _) => {
                count = number;
                VectorPart::Storage
            }
            (VectorPart::Storage, Some(_), _) => VectorPart::Flags,
            (VectorPart::Flags, Some(number), _) => {
                flags = number;
                if flags & FLAG_PROJECTION == 0 { VectorPart::Name } else { VectorPart::ProjectionInput }
            }
            (VectorPart::ProjectionInput, Some(_), _) => VectorPart::ProjectionMatrix,
            (VectorPart::ProjectionMatrix, _, Some(_)) => VectorPart::Name,
            (VectorPart::Name, _, Some(text)) => {
                with_bytes(text, |bytes| name = bytes.to_vec());
                attributes.clear();
                if flags & FLAG_ATTRIBUTES == 0 { VectorPart::Vector } else { VectorPart::Attributes }
            }
            (VectorPart::Attributes, _, Some(text)) => {
                with_bytes(text, |bytes| attributes = bytes.to_vec());
                VectorPart::Vector
            }
            (VectorPart::Vector, _, Some(vector)) => {
                let mut node = Sum::default();
                node.mix_text(vector);
                node.mix(&name);
                if !attributes.is_empty() {
                    node.mix(&attributes);
                }
                all.xor(&node.0);
                VectorPart::Numbers
            }
            (VectorPart::Numbers, Some(0), _) => VectorPart::Name,
            (VectorPart::Numbers, Some(number), _) => VectorPart::Links(number),
            (VectorPart::Links(left), Some(_), _) if left > 1 => VectorPart::Links(left - 1),
            (VectorPart::Links(_), Some(_), _) => VectorPart::Name,
            (part, _, _) => {
                is_so = false;
                part
            }
        };
        part = next;
    })?;
    if !is_so || part != VectorPart::Name {
        return Err("its parts are not those of a vector set".into());
    }
    let mut size = Sum::default();
    size.mix(itoa::Buffer::new().format(count.cast_signed()).as_bytes());
    size.mix(itoa::Buffer::new().format(dimension.cast_signed()).as_bytes());
    all.xor(&size.0);
    digest.xor(&all.0);
    Ok(())
}
