//! What an analysis found, ready to be written in any format.

use super::top::Ranked;
use crate::error::Error;
use crate::rdb::{Kind, ModuleId, Unit};

/// The answer about one dump, or about several as one.
#[derive(Debug, Default)]
pub struct Report {
    /// The top keys: by database, then kind, then size falling, then name.
    pub keys: Vec<BigKey>,
    /// How many keys the scan saw.
    pub keys_scanned: u64,
    /// How many of them the filter let pass, though their kind has no place in the list.
    pub keys_unlisted: u64,
    /// What was noticed that is no damage, one sentence each.
    pub notes: Vec<String>,
    /// Why a dump could not be read to its end; the keys before that are in the report.
    pub damage: Vec<Error>,
}

/// A key in a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BigKey {
    /// The name, as bytes; of one that is too long to be held, the first bytes or none.
    pub name: Vec<u8>,
    /// The length of the whole name.
    pub name_bytes: u64,
    /// What the key is to a client.
    pub kind: Kind,
    /// The module type, for values of modules and vector sets.
    pub module: Option<ModuleId>,
    /// The shard that the dump was said to come from, `ip:port`.
    pub shard: Option<String>,
    /// The database.
    pub db: u64,
    /// STRLEN, the number of elements, or a module value's bytes.
    pub size: u64,
    /// Offset of the key's record in its dump.
    pub offset: u64,
}

impl BigKey {
    pub(super) fn new(ranked: Ranked, kind: Kind, db: u64, shards: &[Option<String>]) -> Self {
        let shard = usize::try_from(ranked.dump).ok().and_then(|dump| shards.get(dump).cloned().flatten());
        let Ranked { size, name, name_bytes, offset, module, .. } = ranked;
        Self { name: name.into_vec(), name_bytes, kind, module, shard, db, size, offset }
    }

    /// Whether the name is too long to be held whole.
    pub fn has_cut_name(&self) -> bool {
        self.name_bytes > self.name.len() as u64
    }

    /// What the size counts.
    pub fn unit(&self) -> Unit {
        self.kind.unit()
    }

    /// The name of the key's type as `TYPE` answers it.
    pub fn type_name(&self) -> String {
        match self.module {
            Some(module) if self.kind == Kind::Module => module.to_string(),
            _ => self.kind.name().to_owned(),
        }
    }
}

impl Report {
    /// Writes the names of keys as `name` has them, which are as long.
    pub fn map_names(&mut self, name: &dyn Fn(&[u8]) -> Vec<u8>) {
        for key in &mut self.keys {
            key.name = name(&key.name);
        }
    }

    /// Whether every dump was read to its end and found sound.
    pub fn is_complete(&self) -> bool {
        self.damage.is_empty()
    }

    pub(super) fn count(&mut self, keys: u64, passed: u64, is_listed: bool) {
        self.keys_scanned += keys;
        if !is_listed {
            self.keys_unlisted += passed;
        }
    }
}
