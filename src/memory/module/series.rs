//! Time series of `RedisTimeSeries`: chunks of samples, labels and compaction rules.

use crate::rdb::packed::module::Head;

/// What the series counts besides its parts.
const SERIES_BYTES: u64 = 8;

/// A chunk before its samples, packed and not.
const PACKED_CHUNK_BYTES: u64 = 80;
const PLAIN_CHUNK_BYTES: u64 = 32;

/// The pointers of a label, to its name and its value.
const LABEL_BYTES: u64 = 16;

const RULE_BYTES: u64 = 64;

/// The option of a series that does not pack its samples.
const IS_PLAIN: u64 = 1;

/// Encoding versions whose layout is known: those of 1.10 and 1.12.
const VERSIONS: std::ops::RangeInclusive<u16> = 7..=8;

/// A series while its tagged values are read.
#[derive(Debug)]
pub(super) struct Series {
    version: u16,
    next: Next,
    is_plain: bool,
    bytes: u64,
    strings_bytes: u64,
}

/// The value that comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Name,
    Retention,
    ChunkBytes,
    Options,
    LastTime,
    LastValue,
    Samples,
    DuplicatePolicy,
    HasSource,
    Source,
    IgnoredTime,
    IgnoredValue,
    Labels,
    /// Names and values of labels that are still to come.
    LabelTexts(u64),
    Rules,
    /// Names of the rules' series that are still to come; numbers between them are a rule's own.
    RuleNames(u64),
    /// The rest: chunks, of which each has one string.
    Chunks,
    Lost,
}

impl Series {
    /// One of this encoding version.
    pub(super) fn new(version: u16) -> Self {
        Self { version, next: Next::Name, is_plain: false, bytes: SERIES_BYTES, strings_bytes: 0 }
    }

    /// Takes the next value.
    pub(super) fn add(&mut self, value: Head) {
        if let Head::String(header) = value {
            self.strings_bytes = self.strings_bytes.saturating_add(header.value_bytes());
        }
        self.next = match (self.next, value) {
            (Next::Name, Head::String(_)) => Next::Retention,
            (Next::Retention, Head::Unsigned(_)) => Next::ChunkBytes,
            (Next::ChunkBytes, Head::Unsigned(_)) => Next::Options,
            (Next::Options, Head::Unsigned(options)) => {
                self.is_plain = options & IS_PLAIN != 0;
                Next::LastTime
            }
            (Next::LastTime, Head::Unsigned(_)) => Next::LastValue,
            (Next::LastValue, Head::Double(_)) => Next::Samples,
            (Next::Samples, Head::Unsigned(_)) => Next::DuplicatePolicy,
            (Next::DuplicatePolicy, Head::Unsigned(_)) => Next::HasSource,
            (Next::HasSource, Head::Unsigned(1..)) => Next::Source,
            (Next::HasSource, Head::Unsigned(0)) | (Next::Source, Head::String(_)) => self.after_source(),
            (Next::IgnoredTime, Head::Unsigned(_)) => Next::IgnoredValue,
            (Next::IgnoredValue, Head::Double(_)) => Next::Labels,
            (Next::Labels, Head::Unsigned(labels)) => {
                self.grow(labels.saturating_mul(LABEL_BYTES));
                if labels == 0 { Next::Rules } else { Next::LabelTexts(labels.saturating_mul(2)) }
            }
            (Next::LabelTexts(left), Head::String(header)) => {
                // With the zero that ends it.
                self.grow(header.value_bytes().saturating_add(1));
                if left > 1 { Next::LabelTexts(left - 1) } else { Next::Rules }
            }
            (Next::Rules, Head::Unsigned(rules)) => {
                self.grow(rules.saturating_mul(RULE_BYTES));
                if rules == 0 { Next::Chunks } else { Next::RuleNames(rules) }
            }
            (Next::RuleNames(left), Head::String(_)) if left > 1 => Next::RuleNames(left - 1),
            (Next::RuleNames(1), Head::String(_)) => Next::Chunks,
            (Next::RuleNames(left), _) => Next::RuleNames(left),
            (Next::Chunks, Head::String(header)) => {
                let own = if self.is_plain { PLAIN_CHUNK_BYTES } else { PACKED_CHUNK_BYTES };
                self.grow(header.value_bytes().saturating_add(own));
                Next::Chunks
            }
            (Next::Chunks, _) => Next::Chunks,
            _ => Next::Lost,
        };
    }

    fn after_source(&self) -> Next {
        if self.version > *VERSIONS.start() { Next::IgnoredTime } else { Next::Labels }
    }

    fn grow(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// What it takes without its key, if its layout is known.
    pub(super) fn bytes(&self) -> Option<u64> {
        (VERSIONS.contains(&self.version) && self.next == Next::Chunks).then_some(self.bytes)
    }

    /// What its samples and texts take, whatever the layout.
    pub(super) fn bytes_min(&self) -> u64 {
        self.strings_bytes.saturating_add(SERIES_BYTES)
    }
}
