//! Names that are in the output more than once, which no server loads: found before anything is written, in as many scans as
//! memory asks for, each of which holds its share of the names.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::plan::Plan;
use crate::analysis::filter::Filter;
use crate::engine::{Dump, Options, Progress, export_all};
use crate::error::{Error, ErrorKind};
use crate::input::shown;
use crate::rdb::deep::id_of;
use crate::values::{Fault, KeyEntry, Make, Ordered, OrderedRow, Take, Value};

/// Names that one scan holds: what fits a table of 2^20 places, 18 MiB.
const HELD_MAX: usize = 900_000;

/// Names in several places that are held in all.
const CLASHES_MAX: usize = 100_000;

/// Names that are in the output more than once.
#[derive(Debug, Default)]
pub(super) struct Clashes {
    /// Those of names without their databases.
    names: HashSet<u128>,
    in_databases: HashSet<u128>,
    /// Those of which one was written.
    written: HashSet<u128>,
}

/// What 128 bits say of a name in a database.
fn in_database(name: u128, db: u64) -> u128 {
    const ODD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    name.wrapping_add(u128::from(db).wrapping_mul(ODD))
}

impl Clashes {
    /// Whether a name is in several places, of whatever databases.
    pub(super) fn has_name(&self, name: &[u8]) -> bool {
        !self.names.is_empty() && self.names.contains(&id_of(name))
    }

    /// Whether a key of this name was written to this database before; from now on one was.
    pub(super) fn is_taken(&mut self, name: &[u8], db: u64) -> bool {
        let id = in_database(id_of(name), db);
        self.in_databases.contains(&id) && !self.written.insert(id)
    }

    /// Looks for them. Only several dumps, or databases that are renumbered, can have any.
    ///
    /// # Errors
    /// As [`export_all`], and [`ErrorKind::Options`] for dumps that can be read only once, and for too many of them.
    pub(super) fn find(
        dumps: &[Dump],
        wanted: &Filter,
        plan: &Plan,
        options: &Options,
        progress: &Arc<Progress>,
    ) -> Result<Self, Error> {
        if dumps.len() < 2 && plan.databases.is_empty() {
            return Ok(Self::default());
        }
        let is_once = |dump: &&Dump| dump.path == Path::new("-") || !(dump.path.is_file() || dump.path.is_dir());
        if let Some(dump) = dumps.iter().find(is_once) {
            let what = "names that clash are found by reading each dump twice: store this one as a file first";
            return Err(Error::new(shown(&dump.path), ErrorKind::Options(what.to_owned())));
        }
        let mut shares = 1;
        loop {
            let mut found = Self::default();
            let mut keys = 0;
            for share in 0..shares {
                let mut scan = Scan { share, shares, seen: HashSet::new(), keys: 0, is_over: false, found: &mut found };
                scan.run(dumps, wanted, plan, options, progress)?;
                keys = scan.keys;
                if scan.is_over || progress.is_cancelled() {
                    break;
                }
            }
            if progress.is_cancelled() {
                return Ok(found);
            }
            if found.in_databases.len() > CLASHES_MAX {
                let what = format!(
                    "more than {CLASHES_MAX} names are in several places; use --db and --db-map to keep them apart"
                );
                let dump = dumps.last().map_or_else(String::new, |dump| shown(&dump.path));
                return Err(Error::new(dump, ErrorKind::Options(what)));
            }
            let needed = keys / (HELD_MAX as u64 / 10 * 9) + 1;
            if needed <= shares {
                return Ok(found);
            }
            shares = needed;
        }
    }
}

/// A scan for the names of one share.
struct Scan<'f> {
    share: u64,
    shares: u64,
    seen: HashSet<u128>,
    /// All names, of whatever share.
    keys: u64,
    is_over: bool,
    found: &'f mut Clashes,
}

impl Scan<'_> {
    fn run(
        &mut self,
        dumps: &[Dump],
        wanted: &Filter,
        plan: &Plan,
        options: &Options,
        progress: &Arc<Progress>,
    ) -> Result<(), Error> {
        let scan = Mutex::new(self);
        let take: Take<'_, u128> = Arc::new(Mutex::new(|row: OrderedRow<'_, u128>| {
            scan.lock().unwrap_or_else(PoisonError::into_inner).add(row.row, plan.database(row.db));
        }));
        // What is wrong with the dumps is told when they are copied.
        export_all(dumps, wanted, options, progress, |_| Ordered::new(Ids, take.clone())).map(|_| ())
    }

    fn add(&mut self, name: u128, db: u64) {
        self.keys += 1;
        let id = in_database(name, db);
        if id % u128::from(self.shares) != u128::from(self.share) || self.is_over {
            return;
        }
        self.is_over = self.seen.len() >= HELD_MAX;
        if !self.seen.insert(id) && self.found.in_databases.len() <= CLASHES_MAX {
            self.found.names.insert(name);
            self.found.in_databases.insert(id);
        }
    }
}

/// The 128 bits of each name.
#[derive(Clone, Copy)]
struct Ids;

impl Make for Ids {
    type Row = u128;

    fn make<'v>(
        &mut self,
        key: &KeyEntry<'_>,
        _value: &Value<'v>,
        _bytes: &mut Vec<u8>,
    ) -> Result<Option<(u128, &'v [u8])>, Fault> {
        Ok(Some((id_of(key.name), &[])))
    }
}
