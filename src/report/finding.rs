//! A finding: something in a report that is worth doing something about, with its evidence and what that saves. Which there
//! are is judged by [`crate::findings`].

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::suspects::SuspectKey;
use super::text::Name;

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule that it comes from, such as `big-keys`: a heading of `docs/findings.md`.
    pub id: Cow<'static, str>,
    /// How much it matters.
    pub severity: Severity,
    /// What it is about.
    pub subject: Subject,
    /// What it is, in a sentence.
    pub what: String,
    /// What to do, in a sentence.
    pub action: String,
    /// The numbers that it rests on.
    pub evidence: Vec<Evidence>,
    /// What doing so saves, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_saved: Option<Saving>,
    /// The largest of the keys that it is about, where it is about some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<SuspectKey>,
    /// Commands to type next, quoted for a shell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// Where a limit that it names is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Cow<'static, str>>,
    /// The slots that the shard that it is about should give away, the most memory first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moves: Vec<SlotsMoved>,
}

impl Finding {
    /// A finding of a rule that so far says nothing.
    pub fn new(id: &'static str, severity: Severity, subject: Subject) -> Self {
        Self {
            id: id.into(),
            severity,
            subject,
            what: String::new(),
            action: String::new(),
            evidence: Vec::new(),
            bytes_saved: None,
            keys: Vec::new(),
            commands: Vec::new(),
            source: None,
            moves: Vec::new(),
        }
    }
}

/// How much a finding matters, the most severe first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It stops or harms the server.
    High,
    /// It costs much.
    Medium,
    /// It costs something.
    Low,
    /// It is good to know.
    Info,
}

impl Severity {
    /// Its name in the JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
            Self::Info => "info",
        }
    }
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Subject {
    /// Which sort of thing.
    pub kind: SubjectKind,
    /// What it is called: a prefix, a type, a key, a shard. Nothing if there is one of it only.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
}

/// What a finding can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "each name says it")]
pub enum SubjectKind {
    Dump,
    Database,
    Type,
    Prefix,
    Group,
    Key,
    Shard,
    Slot,
}

impl SubjectKind {
    /// Its name in the JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dump => "dump",
            Self::Database => "database",
            Self::Type => "type",
            Self::Prefix => "prefix",
            Self::Group => "group",
            Self::Key => "key",
            Self::Shard => "shard",
            Self::Slot => "slot",
        }
    }
}

/// A number that a finding rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What it counts, with its unit: `memory_bytes`, `keys`.
    pub name: Cow<'static, str>,
    /// The number.
    pub value: u64,
}

/// Bytes that would be saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saving {
    /// How many: of memory as the allocator gives it out, where nothing else is said.
    pub bytes: u64,
    /// What that rests on.
    pub basis: SavingBasis,
}

/// What a saving rests on, the firmest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SavingBasis {
    /// The server's own rules over what the dump holds.
    #[default]
    Exact,
    /// At least so many.
    LowerBound,
    /// Chance, or a sample, has a part in it.
    Estimate,
}

impl SavingBasis {
    /// Its name in the JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::LowerBound => "lower_bound",
            Self::Estimate => "estimate",
        }
    }
}

impl Subject {
    /// Of a kind of which a report is about one only.
    pub fn only(kind: SubjectKind) -> Self {
        Self { kind, name: None }
    }

    /// Of a name.
    pub fn named(kind: SubjectKind, name: impl Into<Vec<u8>>) -> Self {
        Self { kind, name: Some(Name::new(name)) }
    }
}

/// Slots that one shard gives to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotsMoved {
    /// The shard that takes them.
    pub to: String,
    /// The slots, in ranges: the first and the last of each.
    pub slots: Vec<(u16, u16)>,
    /// Their keys.
    pub keys: u64,
    /// Bytes of their memory as `MEMORY USAGE` counts them.
    pub memory_bytes: u64,
    /// The hash tags that take much of a slot, the most memory first; as far as the report lists them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<TagMoved>,
}

/// A hash tag in a slot that is moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagMoved {
    /// The tag.
    #[serde(flatten)]
    pub name: Name,
    /// Its slot.
    pub slot: u16,
    /// Its keys.
    pub keys: u64,
    /// Bytes of their memory as `MEMORY USAGE` counts them.
    pub memory_bytes: u64,
}

impl Evidence {
    /// A number.
    pub fn new(name: &'static str, value: u64) -> Self {
        Self { name: Cow::Borrowed(name), value }
    }
}
