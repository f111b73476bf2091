//! The newest dumps of each instance, as the look for them found last: a page shows them without asking a disk.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use jiff::Timestamp;

use crate::error::name_text;
use crate::input;

/// What was found last, by instance.
#[derive(Debug, Default)]
pub(super) struct Found(Mutex<HashMap<String, Newest>>);

/// What was found of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Newest {
    /// A node has no dump.
    Missing,
    Dump(NewestDump),
}

/// The newest dump of an instance; of a cluster the oldest of its nodes' newest ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NewestDump {
    /// Its file name.
    pub(super) name: String,
    pub(super) written_at: Timestamp,
}

impl Found {
    /// Notes the newest dumps of an instance's nodes; none if a node has no dump.
    pub(super) fn set(&self, instance_id: &str, dumps: Option<&[(PathBuf, SystemTime)]>) {
        let oldest = dumps.and_then(|dumps| dumps.iter().min_by_key(|(_, written_at)| *written_at));
        let dump = oldest.and_then(|(path, written_at)| {
            let (name, _) = name_text(input::file_name(path));
            Some(NewestDump { name, written_at: Timestamp::try_from(*written_at).ok()? })
        });
        let newest = dump.map_or(Newest::Missing, Newest::Dump);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(instance_id.to_owned(), newest);
    }

    /// What was found of an instance; none before the first look.
    pub(super) fn of(&self, instance_id: &str) -> Option<Newest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(instance_id).cloned()
    }
}
