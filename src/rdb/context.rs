//! What decides how the bytes of a dump are read: its dialect, version and templates, and what its auxiliary fields say.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::limits::TEMPLATES_MAX;
use super::parse_error::ParseErrorKind;
use super::types::Dialect;

/// The magic and the version, nine bytes.
pub const MAGIC_BYTES: usize = 9;

/// The newest version of Redis's format whose every type is known (Redis 8.12).
pub const REDIS_VERSION_KNOWN: u32 = 16;

/// The format's version of Redis 8.10, which refuses what older servers read on over.
pub(crate) const REDIS_8_10_VERSION: u32 = 15;

/// The newest version of Valkey's format whose every type is known (Valkey 9.1).
pub const VALKEY_VERSION_KNOWN: u32 = 80;

/// How many auxiliary fields are kept; servers write about ten.
pub const AUX_FIELDS_MAX: usize = 64;

/// The seconds that can be when a dump was made: a `ctime` of 0 or past the year 9999 says nothing.
const SECONDS: RangeInclusive<i64> = 1..=253_402_207_200;

/// What the start of a dump says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// Whose numbers the types and opcodes are.
    pub dialect: Dialect,
    /// The version in the header.
    pub version: u32,
    /// Offset of the first record behind the start.
    pub start: u64,
    /// How many fields each hash template has, by its id (RDB 15).
    pub template_fields: HashMap<u64, u64>,
    /// The field names of hash templates, by id, as far as they are held: [`TEMPLATE_NAME_BYTES_MAX`] in all.
    ///
    /// [`TEMPLATE_NAME_BYTES_MAX`]: super::limits::TEMPLATE_NAME_BYTES_MAX
    pub template_names: HashMap<u64, Arc<[Box<[u8]>]>>,
    /// How much memory those names take.
    pub(crate) template_name_bytes: u64,
    /// What the auxiliary fields say.
    pub aux: Aux,
    /// How many function libraries there are.
    pub functions: u64,
    /// Bytes of their records.
    pub functions_bytes: u64,
}

/// The auxiliary fields that say something about the whole dump (format section 5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aux {
    /// All short ones in their order, names and values; of more than [`AUX_FIELDS_MAX`], the first.
    pub fields: Vec<(String, String)>,
    /// `redis-ver`, `valkey-ver` or `df-ver`: the version of the server that wrote the dump.
    pub server_version: Option<String>,
    /// Whether that was `valkey-ver`.
    pub is_valkey: bool,
    /// `ctime`: when the dump was begun, in seconds since 1970, if that can be.
    pub created_at_seconds: Option<i64>,
    /// `used-mem`: the server's memory then, in bytes.
    pub used_memory_bytes: Option<u64>,
    /// `snapshot-id`: what the files of one snapshot of Dragonfly share.
    pub snapshot_id: Option<String>,
    /// `shard-count`: how many files beside it such a snapshot's summary has.
    pub shard_count: Option<u64>,
    /// `aof-preamble` or `aof-base`: commands of an append-only file may follow the dump.
    pub is_aof_preamble: bool,
}

impl Context {
    /// A context without auxiliary fields, for values that stand alone.
    pub fn new(dialect: Dialect, version: u32) -> Self {
        Self {
            dialect,
            version,
            start: MAGIC_BYTES as u64,
            template_fields: HashMap::new(),
            template_names: HashMap::new(),
            template_name_bytes: 0,
            aux: Aux::default(),
            functions: 0,
            functions_bytes: 0,
        }
    }

    /// Whether a checksum follows the end (version 5 and later).
    pub fn has_checksum(&self) -> bool {
        self.version >= 5
    }

    /// Whether the version is newer than this reader: its new types, if it has any, will end the scan.
    pub fn is_newer_than_known(&self) -> bool {
        let known = if self.dialect == Dialect::Valkey { VALKEY_VERSION_KNOWN } else { REDIS_VERSION_KNOWN };
        self.version > known
    }

    /// Takes in a hash template, unless as many are held as there may be.
    pub(crate) fn define_template(&mut self, id: u64, fields: u64) {
        if self.template_fields.len() < TEMPLATES_MAX || self.template_fields.contains_key(&id) {
            self.template_fields.insert(id, fields);
        }
    }

    /// How many fields a hash template has.
    ///
    /// # Errors
    /// [`ParseErrorKind::Template`] if the dump defines none of this id, [`ParseErrorKind::Limit`] if it defines so many that
    /// not all are held.
    pub(crate) fn template(&self, id: u64) -> Result<u64, ParseErrorKind> {
        let are_all_held = self.template_fields.len() < TEMPLATES_MAX;
        let missing = if are_all_held { ParseErrorKind::Template } else { ParseErrorKind::Limit };
        self.template_fields.get(&id).copied().ok_or(missing)
    }

    /// Takes in an auxiliary field of the dump's start.
    pub(crate) fn learn(&mut self, name: &str, value: String) {
        match name {
            "redis-ver" | "valkey-ver" => {
                self.aux.is_valkey = name == "valkey-ver";
                self.aux.server_version = Some(value);
            }
            "df-ver" => {
                self.dialect = Dialect::Dragonfly;
                self.aux.server_version = Some(value);
            }
            "ctime" => self.aux.created_at_seconds = value.parse().ok().filter(|at| SECONDS.contains(at)),
            "snapshot-id" => self.aux.snapshot_id = Some(value),
            "shard-count" => self.aux.shard_count = value.parse().ok(),
            "used-mem" => self.aux.used_memory_bytes = value.parse().ok(),
            "aof-preamble" | "aof-base" => self.aux.is_aof_preamble = value != "0",
            _ => {}
        }
    }

    /// When a key expires, in milliseconds since 1970, by what opcode 252 stores. Servers take -1 for no expiry, all but
    /// Redis 8.10 (RDB 15), where such a key has expired.
    #[inline]
    pub(crate) fn expires_at_ms(&self, stored: i64) -> Option<i64> {
        const NONE: i64 = -1;
        let is_time = stored != NONE || self.dialect == Dialect::Redis && self.version >= REDIS_8_10_VERSION;
        is_time.then(|| self.time_ms(stored))
    }

    /// An expiry time as it is stored, in milliseconds since 1970. Before version 9 it is in the byte order of the
    /// machine that wrote it: a time past the year 5138 is read the other way round if that gives an earlier one. Else it
    /// stays as servers read it: some old dumps hold microseconds.
    #[inline]
    pub(crate) fn time_ms(&self, stored: i64) -> i64 {
        const ABSURD_MS: u64 = 100_000_000_000_000;
        let is_absurd = |time_ms: i64| time_ms.unsigned_abs() > ABSURD_MS;
        let is_swapped = self.version < 9 && is_absurd(stored) && !is_absurd(stored.swap_bytes());
        if is_swapped { stored.swap_bytes() } else { stored }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minus_one_is_no_expiry_before_redis_8_10() {
        for (dialect, version, expected) in
            [(Dialect::Redis, 10, None), (Dialect::Redis, 15, Some(-1)), (Dialect::Valkey, 80, None)]
        {
            let context = Context::new(dialect, version);
            assert_eq!(context.expires_at_ms(-1), expected, "{dialect} {version}");
            assert_eq!(context.expires_at_ms(-2), Some(-2));
            assert_eq!(context.expires_at_ms(0), Some(0));
        }
    }

    #[test]
    fn times_of_old_big_endian_machines() {
        let at_ms = 1_700_000_000_000_i64;
        assert_eq!(Context::new(Dialect::Redis, 8).time_ms(at_ms.swap_bytes()), at_ms);
        assert_eq!(Context::new(Dialect::Redis, 8).time_ms(at_ms), at_ms);
        assert_eq!(Context::new(Dialect::Redis, 9).time_ms(at_ms.swap_bytes()), at_ms.swap_bytes());
        let microseconds = 1_671_963_072_573_000_i64;
        assert_eq!(Context::new(Dialect::Redis, 3).time_ms(microseconds), microseconds);
    }
}
