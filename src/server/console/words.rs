//! What the pages call each kind of task, and where its tasks are.

use crate::task::TaskKind;

/// The words for a kind of task.
pub(super) struct Words {
    /// The part of a path that its tasks are below.
    pub(super) folder: &'static str,
    /// What one is.
    pub(super) one: &'static str,
    /// What several are.
    pub(super) several: &'static str,
    /// What its keys are.
    pub(super) keys: &'static str,
    /// What the button says that creates one.
    pub(super) create: &'static str,
}

pub(super) fn words(kind: TaskKind) -> Words {
    match kind {
        TaskKind::BigKeys => Words {
            folder: "tasks",
            one: "Big key task",
            several: "Big key tasks",
            keys: "Big keys",
            create: "Analyze now",
        },
        TaskKind::HotKeys => Words {
            folder: "hot",
            one: "Hot key task",
            several: "Hot key tasks",
            keys: "Hot keys",
            create: "Find hot keys",
        },
        TaskKind::ExpiredKeys => Words {
            folder: "expired",
            one: "Expired key scan",
            several: "Expired key scans",
            keys: "Largest expired keys",
            create: "Find expired keys",
        },
        TaskKind::Offline => Words {
            folder: "offline",
            one: "Offline key analysis",
            several: "Offline key analyses",
            keys: "Largest keys",
            create: "Analyze the node's newest dump",
        },
    }
}
