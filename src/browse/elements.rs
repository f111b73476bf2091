//! Elements of a key, read from the place of its record in a dump.

use std::sync::{Arc, Mutex, PoisonError};

use super::of_dumps::Dumps;
use crate::analysis::Pattern;
use crate::analysis::filter::Filter;
use crate::engine::{Progress, export_all, export_at};
use crate::error::{Error, ErrorKind};
use crate::output::values::{ElementPage, Look};
use crate::report::LargestKey;
use crate::values::{Fault, Form, Inherited, KeyEntry, Value};

/// Which elements of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// The first one, from 0.
    pub(super) from: u64,
    /// How many.
    pub(super) limit: u64,
    /// Whether the largest ones are asked for, rather than the first.
    pub(super) is_largest: bool,
    /// Columns of a line.
    pub(super) width: usize,
}

/// Elements, and what was wrong with them, a sentence each.
#[derive(Clone, Debug, Default)]
pub(super) struct Elements {
    pub(super) page: ElementPage,
    pub(super) damage: Vec<String>,
}

impl Dumps {
    /// Elements of a key.
    ///
    /// # Errors
    /// A sentence if the dump cannot be read.
    pub(super) fn elements(&self, key: &LargestKey, page: Page, progress: &Arc<Progress>) -> Result<Elements, String> {
        let dump = usize::try_from(key.key.dump).ok().and_then(|dump| self.dumps.get(dump));
        let dump = dump.ok_or("the dump of this key is not open")?;
        let look = Look {
            is_json: false,
            width: page.width,
            field: None,
            from: page.from,
            limit: page.limit,
            largest: page.is_largest,
            target: self.question.target,
            allocator: self.question.allocator,
        };
        let found = Arc::new(Mutex::new(None));
        let form = AtOffset { look, offset: key.key.offset, progress: progress.clone(), found: found.clone() };
        // Of a name that is cut the rest is not known.
        let name = Some(key.key.name.bytes()).filter(|_| key.key.name_bytes.is_none());
        let errors = match export_at(&dump.path, key.key.offset, name, form.clone()) {
            Ok(()) => Vec::new(),
            Err(error) if matches!(error.cause, ErrorKind::Options(_)) => {
                // Without a name all keys of the database are gone through.
                let patterns = name.and_then(|name| Pattern::exact(name).ok()).into_iter().collect();
                let filter = Filter { databases: vec![key.db], patterns, ..Filter::default() };
                let dump = std::slice::from_ref(dump);
                let exported = export_all(dump, &filter, &self.options, progress, |_: &_| form.clone());
                exported.map_err(|error| error.to_string())?.errors
            }
            Err(error) if error.is_about_dump() => vec![error],
            Err(error) => return Err(error.to_string()),
        };
        // The scan is ended by whoever has what it was for.
        let damage = errors.iter().filter(|error| !matches!(error.cause, ErrorKind::Cancelled { .. }));
        let damage: Vec<String> = damage.map(Error::to_string).collect();
        let page = found.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (page, damage.first()) {
            (Some(page), _) => Ok(Elements { page, damage }),
            (None, Some(error)) => Err(error.clone()),
            (None, None) => Err("the key is not where it was: the dump has changed since".to_owned()),
        }
    }
}

/// Takes the elements of the key at an offset, and ends the scan then.
#[derive(Clone)]
struct AtOffset {
    look: Look,
    offset: u64,
    progress: Arc<Progress>,
    found: Arc<Mutex<Option<ElementPage>>>,
}

impl Form for AtOffset {
    fn piece(&self) -> Self {
        self.clone()
    }

    fn following(&self) -> Self {
        self.clone()
    }

    fn add(&mut self, key: &KeyEntry<'_>, value: &Value<'_>) -> Result<(), Fault> {
        if key.entry.offset != self.offset {
            return Ok(());
        }
        let (page, read) = self.look.page(key.entry.kind, value);
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(page);
        self.progress.cancel();
        read
    }

    fn join(&mut self, _piece: Self, _inherited: Inherited) {}

    fn flush(&mut self) {}

    fn held_bytes(&self) -> u64 {
        0
    }
}
