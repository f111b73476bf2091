//! The numbers of the format: value types and opcodes (format sections 4 and 7), dialects, and the kinds that keys have.

use std::fmt;

/// Who wrote a dump, as far as it decides what its numbers mean (format section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `REDIS` in the header: Redis, KeyDB, Redict, and Valkey up to 8.1.
    Redis,
    /// `VALKEY` in the header: Valkey 9.0 and later.
    Valkey,
    /// `REDIS0009` with the auxiliary field `df-ver`: Dragonfly.
    Dragonfly,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redis => "Redis",
            Self::Valkey => "Valkey",
            Self::Dragonfly => "Dragonfly",
        })
    }
}

/// The type byte of a value. Any number is a value; which are known depends on the [`Dialect`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueType(pub u8);

#[allow(missing_docs, reason = "each name is the format's own, section 7")]
impl ValueType {
    pub const STRING: Self = Self(0);
    pub const LIST: Self = Self(1);
    pub const SET: Self = Self(2);
    pub const ZSET: Self = Self(3);
    pub const HASH: Self = Self(4);
    pub const ZSET_2: Self = Self(5);
    pub const MODULE_PRE_GA: Self = Self(6);
    pub const MODULE_2: Self = Self(7);
    pub const HASH_ZIPMAP: Self = Self(9);
    pub const LIST_ZIPLIST: Self = Self(10);
    pub const SET_INTSET: Self = Self(11);
    pub const ZSET_ZIPLIST: Self = Self(12);
    pub const HASH_ZIPLIST: Self = Self(13);
    pub const LIST_QUICKLIST: Self = Self(14);
    pub const STREAM: Self = Self(15);
    pub const HASH_LISTPACK: Self = Self(16);
    pub const ZSET_LISTPACK: Self = Self(17);
    pub const LIST_QUICKLIST_2: Self = Self(18);
    pub const STREAM_2: Self = Self(19);
    pub const SET_LISTPACK: Self = Self(20);
    pub const STREAM_3: Self = Self(21);
    /// Redis 7.4 release candidates: hash with field TTLs. Valkey 9: [`Self::HASH_2`].
    pub const HASH_TTL_PRE_GA: Self = Self(22);
    /// Valkey 9: hash with field TTLs. Shares its number with [`Self::HASH_TTL_PRE_GA`].
    pub const HASH_2: Self = Self(22);
    pub const HASH_LISTPACK_TTL_PRE_GA: Self = Self(23);
    pub const HASH_TTL: Self = Self(24);
    pub const HASH_LISTPACK_TTL: Self = Self(25);
    pub const STREAM_4: Self = Self(26);
    pub const STREAM_5: Self = Self(27);
    pub const ARRAY: Self = Self(28);
    pub const HASH_TEMPLATE_LISTPACK: Self = Self(29);
    pub const HASH_TEMPLATE_LISTPACK_REF: Self = Self(30);
    pub const HASH_TEMPLATE_ARRAY: Self = Self(31);
    pub const HASH_TEMPLATE_ARRAY_REF: Self = Self(32);
    pub const BITMAP: Self = Self(33);
    /// A scheduled script of KeyDB.
    pub const CRON: Self = Self(64);

    /// The first version of the format that has the type (section 2.1); those from 80 on are Valkey's. None for types that no
    /// server of this dialect documents, and for those of release candidates alone.
    pub fn first_version(self, dialect: Dialect) -> Option<u32> {
        Some(match (self, dialect) {
            (Self::HASH_2, Dialect::Valkey) => 80,
            (Self(0..=4), _) => 1,
            (Self::ZSET_2 | Self::MODULE_2, _) => 8,
            (Self(9..=12), _) => 2,
            (Self::HASH_ZIPLIST, _) => 4,
            (Self::LIST_QUICKLIST, _) => 7,
            (Self::STREAM, _) => 9,
            (Self(16..=19), _) => 10,
            (Self(20..=21), _) => 11,
            (Self(22..=25), Dialect::Redis) => 12,
            (Self::STREAM_4, Dialect::Redis) => 13,
            (Self(27..=28), Dialect::Redis) => 14,
            (Self(29..=32), Dialect::Redis) => 15,
            (Self::BITMAP, Dialect::Redis) => 16,
            _ => return None,
        })
    }

    /// What the type is called in messages: the kind and the encoding.
    pub fn label(self) -> &'static str {
        match self.0 {
            0 => "string",
            1 => "list",
            2 => "set as hashtable",
            3 => "zset with text scores",
            4 => "hash as hashtable",
            5 => "zset as skiplist",
            6 => "module value of a release candidate",
            7 => "module value",
            9 => "hash as zipmap",
            10 => "list as ziplist",
            11 => "set as intset",
            12 => "zset as ziplist",
            13 => "hash as ziplist",
            14 => "list as quicklist of ziplists",
            15 | 19 | 21 | 26 | 27 => "stream",
            16 => "hash as listpack",
            17 => "zset as listpack",
            18 => "list as quicklist",
            20 => "set as listpack",
            22 | 24 => "hash with field TTLs",
            23 | 25 => "hash as listpack with field TTLs",
            28 => "array",
            29 | 30 => "hash as template and listpack",
            31 | 32 => "hash as template and array",
            33 => "bitmap",
            64 => "scheduled script of KeyDB",
            _ => "unknown type",
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "type {}", self.0)
    }
}

/// Opcodes (format section 4): bytes that stand where a value type could.
#[allow(missing_docs, reason = "each name is the format's own")]
pub mod opcode {
    pub const HASH_TEMPLATE: u8 = 242;
    /// Redis 8.6 and later. Shares its number with [`SLOT_IMPORT`].
    pub const KEY_META: u8 = 243;
    /// Valkey 9.0 and later.
    pub const SLOT_IMPORT: u8 = 243;
    pub const SLOT_INFO: u8 = 244;
    pub const FUNCTION_2: u8 = 245;
    pub const FUNCTION_PRE_GA: u8 = 246;
    pub const MODULE_AUX: u8 = 247;
    pub const IDLE: u8 = 248;
    pub const FREQ: u8 = 249;
    pub const AUX: u8 = 250;
    pub const RESIZE_DB: u8 = 251;
    pub const EXPIRE_TIME_MS: u8 = 252;
    pub const EXPIRE_TIME: u8 = 253;
    pub const SELECT_DB: u8 = 254;
    pub const EOF: u8 = 255;
    /// Redis Enterprise: one length.
    pub const RAM_LRU: u8 = 107;
    /// Redis Enterprise: one length.
    pub const SLOT_NUM: u8 = 121;
}

/// What a key is to a client, in the order in which reports list them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A string; its size is STRLEN, in bytes.
    String,
    /// A list; its size is LLEN.
    List,
    /// A set; its size is SCARD.
    Set,
    /// A sorted set; its size is ZCARD.
    Zset,
    /// A hash; its size is HLEN, fields that have expired but still lie in the dump included.
    Hash,
    /// A stream; its size is XLEN.
    Stream,
    /// An array of Redis 8.8; its size is the number of elements stored.
    Array,
    /// A vector set of Redis 8; its size is VCARD.
    VectorSet,
    /// Any other value of a module; its size is the bytes it takes in the dump.
    Module,
}

impl Kind {
    /// All kinds, in their order.
    pub const ALL: [Self; 9] = [
        Self::String,
        Self::List,
        Self::Set,
        Self::Zset,
        Self::Hash,
        Self::Stream,
        Self::Array,
        Self::VectorSet,
        Self::Module,
    ];

    /// The name that `TYPE` answers; for [`Kind::Module`] the answer is the module type's own name.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::List => "list",
            Self::Set => "set",
            Self::Zset => "zset",
            Self::Hash => "hash",
            Self::Stream => "stream",
            Self::Array => "array",
            Self::VectorSet => "vectorset",
            Self::Module => "module",
        }
    }

    /// What sizes of this kind count.
    pub fn unit(self) -> Unit {
        match self {
            Self::String | Self::Module => Unit::Byte,
            _ => Unit::Count,
        }
    }

    /// Whether the big key task's published enumeration has this kind.
    pub fn is_core(self) -> bool {
        self <= Self::Hash
    }
}

/// What a size counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Bytes of a value.
    Byte,
    /// Elements of a value.
    Count,
}

impl Unit {
    /// The unit's name in the task's JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Byte => "byte",
            Self::Count => "count",
        }
    }
}
