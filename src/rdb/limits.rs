//! Every bound of the reader, in one place. A length in a file is a claim; these say how far a claim is followed.

/// Longest key name that is held while its value is walked, in bytes. Servers allow 512 MiB; longer names are stepped over.
pub const KEY_BYTES_MAX: u64 = 8 << 20;

/// Most hash templates of one dump that are held (RDB 15, about 32 bytes each). A hash that refers to another ends the scan,
/// since nothing else says where its value ends.
pub const TEMPLATES_MAX: usize = 1 << 18;

/// Most bytes of field names of hash templates that are held; values that refer to others are told without names.
pub const TEMPLATE_NAME_BYTES_MAX: u64 = 4 << 20;

/// Largest factor by which an LZF stream can grow: three bytes give at most 264.
pub const LZF_RATIO_MAX: u64 = 88;

/// Most metadata classes that one key can carry (Redis 8.6).
pub const KEY_META_CLASSES_MAX: u64 = 7;

/// Number of hash slots of a cluster.
pub const SLOTS: u64 = 16_384;

/// A compressed string that claims more is not inflated to be looked into.
pub const INFLATED_BYTES_MAX: u64 = 32 << 20;
