//! The digest of a whole dump: what `DEBUG DIGEST` answers on a server that holds the same keys.
//!
//! Each key's digest is XORed into that of its database, so any number of workers and any order give the same; the databases,
//! in the order of their numbers, are mixed into one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Serialize, Serializer};

use super::value_digest::{Rules, Sum};
use crate::analysis::filter::Filter;
use crate::engine::{Dump, Exported, Options, Progress, export_all};
use crate::error::{Error, ErrorKind};
use crate::memory::Target;
use crate::values::{Fault, KeyEntry, Make, Ordered, OrderedRow, Take, Value};

/// Databases that have digests of their own.
const DATABASES_MAX: usize = 100_000;

/// The digest of a dump.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DumpDigest {
    /// `DEBUG DIGEST` of a server with these keys; forty zeros if there are none.
    #[serde(serialize_with = "as_text")]
    pub digest: Sum,
    /// How many keys.
    pub keys: u64,
    /// The databases that have keys, by number.
    pub databases: Vec<DatabaseDigest>,
}

/// The digest of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DatabaseDigest {
    /// The database.
    pub db: u64,
    /// How many keys.
    pub keys: u64,
    /// `DEBUG DIGEST` of a server with the keys of this database alone.
    #[serde(serialize_with = "as_text")]
    pub digest: Sum,
}

fn as_text<S: Serializer>(sum: &Sum, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(sum)
}

/// The digest of the keys of a dump that pass `filter`, as `target` computes it, or else the server that wrote the dump. A key
/// whose digest cannot be computed is left out and listed among the errors.
///
/// # Errors
/// As [`crate::analyze_all`], and [`ErrorKind::Options`] for a dump of too many databases.
pub fn digest(
    dump: &Dump,
    filter: &Filter,
    target: Option<Target>,
    options: &Options,
    progress: &Arc<Progress>,
) -> Result<(DumpDigest, Exported), Error> {
    let databases = Mutex::new(Databases::default());
    let take: Take<'_, Sum> = Arc::new(Mutex::new(|row: OrderedRow<'_, Sum>| {
        databases.lock().unwrap_or_else(PoisonError::into_inner).add(row.db, &row.row);
    }));
    let exported = export_all(std::slice::from_ref(dump), filter, options, progress, |context| {
        Ordered::new(Keys(Rules::of(target.unwrap_or_else(|| Target::of(context)))), take.clone())
    })?;
    drop(take);
    let databases = databases.into_inner().unwrap_or_else(PoisonError::into_inner);
    if databases.are_too_many {
        let what = format!("the dump has keys in more than {DATABASES_MAX} databases; choose some with --db");
        return Err(Error::new(dump.path.display().to_string(), ErrorKind::Options(what)));
    }
    Ok((databases.finish(), exported))
}

/// The digest of a key with its name, as it is XORed into that of its database.
#[derive(Clone, Copy)]
struct Keys(Rules);

impl Make for Keys {
    type Row = Sum;

    fn make<'v>(
        &mut self,
        key: &KeyEntry<'_>,
        value: &Value<'v>,
        _bytes: &mut Vec<u8>,
    ) -> Result<Option<(Sum, &'v [u8])>, Fault> {
        if key.entry.key.is_oversized() {
            return Err("its name is longer than 8 MiB".into());
        }
        let mut digest = Sum::default();
        digest.mix(key.name);
        self.0.add(&key.entry, value, &mut digest)?;
        let mut sum = Sum::default();
        sum.xor(&digest.0);
        Ok(Some((sum, &[])))
    }
}

/// Keys and XORed digests by database.
#[derive(Default)]
struct Databases {
    found: BTreeMap<u64, (u64, Sum)>,
    are_too_many: bool,
}

impl Databases {
    fn add(&mut self, db: u64, sum: &Sum) {
        if self.found.len() >= DATABASES_MAX && !self.found.contains_key(&db) {
            self.are_too_many = true;
            return;
        }
        let (keys, all) = self.found.entry(db).or_default();
        *keys += 1;
        all.xor_sum(sum);
    }

    fn finish(self) -> DumpDigest {
        let mut digest = DumpDigest::default();
        for (db, (keys, sum)) in self.found {
            // Servers hold the number in 32 bits.
            let number = u32::try_from(db).unwrap_or(u32::MAX).to_be_bytes();
            digest.digest.mix(&number);
            digest.digest.xor_sum(&sum);
            digest.keys += keys;
            let mut alone = Sum::default();
            alone.mix(&number);
            alone.xor_sum(&sum);
            digest.databases.push(DatabaseDigest { db, keys, digest: alone });
        }
        digest
    }
}
