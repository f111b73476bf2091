//! Answers as they were sent, as long as they are true: writing one anew costs as much as all the rest of a request, or more. A task
//! that has ended does not change until it is deleted; a list does not until some task changes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;

use crate::task::Query;

/// Bytes that are kept of lists: room for 1,000 pages of ten tasks.
const LIST_BYTES_MAX: usize = 4 << 20;

/// Bytes that are kept of tasks: room for 2,000 of 100 keys.
const BYTES_MAX: usize = 24 << 20;

/// Bytes that an answer takes besides its own, near enough.
const ANSWER_BYTES: usize = 256;

/// Answers by the IDs of their tasks. The oldest go where there is no room.
#[derive(Debug, Default)]
pub(super) struct Rendered(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    answers: HashMap<String, Bytes>,
    order: VecDeque<String>,
    bytes: usize,
}

impl Rendered {
    /// What was answered before; the task may have been deleted since.
    pub(super) fn get(&self, id: &str) -> Option<Bytes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).answers.get(id).cloned()
    }

    /// Keeps an answer.
    pub(super) fn keep(&self, id: &str, answer: &Bytes) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.answers.insert(id.to_owned(), answer.clone()).is_some() {
            return;
        }
        kept.bytes += answer.len() + ANSWER_BYTES;
        kept.order.push_back(id.to_owned());
        while kept.bytes > BYTES_MAX {
            let Some(oldest) = kept.order.pop_front() else { return };
            let gone = kept.answers.remove(&oldest).map_or(0, |answer| answer.len() + ANSWER_BYTES);
            kept.bytes -= gone;
        }
    }
}

/// Pages of lists by what was asked for, of one state of the store.
#[derive(Debug, Default)]
pub(super) struct RenderedLists(Mutex<KeptLists>);

#[derive(Debug, Default)]
struct KeptLists {
    /// [`crate::task::Store::task_changes`] before the first of them was made.
    changes: i64,
    pages: HashMap<Query, Bytes>,
    bytes: usize,
}

impl RenderedLists {
    /// What was answered when the store's tasks had changed as often.
    pub(super) fn get(&self, changes: i64, query: &Query) -> Option<Bytes> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (kept.changes == changes).then(|| kept.pages.get(query).cloned()).flatten()
    }

    /// Keeps an answer that was made after the tasks had changed so often. All others go where there is no room, or where they are older.
    pub(super) fn keep(&self, changes: i64, query: Query, answer: &Bytes) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = answer.len() + ANSWER_BYTES;
        if changes < kept.changes || bytes > LIST_BYTES_MAX {
            return;
        }
        if changes > kept.changes || kept.bytes + bytes > LIST_BYTES_MAX {
            *kept = KeptLists { changes, ..KeptLists::default() };
        }
        if kept.pages.insert(query, answer.clone()).is_none() {
            kept.bytes += bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::TaskKind;

    #[test]
    fn lists_are_kept_until_a_task_changes() {
        let lists = RenderedLists::default();
        let query = |offset| Query { kind: TaskKind::BigKeys, instance_id: None, status: None, offset, limit: 10 };
        let third = Bytes::from(vec![b'x'; LIST_BYTES_MAX / 3 - ANSWER_BYTES]);
        for offset in [0, 0, 1, 2] {
            lists.keep(7, query(offset), &third);
        }
        let are_kept = |changes| [0, 1, 2, 3].map(|offset| lists.get(changes, &query(offset)).is_some());
        assert_eq!(are_kept(7), [true, true, true, false]);
        assert_eq!((are_kept(6), are_kept(8)), ([false; 4], [false; 4]), "of another state");
        lists.keep(7, query(3), &third);
        assert_eq!(are_kept(7), [false, false, false, true], "there was no room");
        lists.keep(8, query(0), &third);
        lists.keep(7, query(1), &third);
        assert_eq!((are_kept(7), are_kept(8)), ([false; 4], [true, false, false, false]), "what is older goes");
        lists.keep(8, query(1), &Bytes::from(vec![b'x'; LIST_BYTES_MAX]));
        assert_eq!(are_kept(8), [true, false, false, false], "one that is too large is not kept");
    }

    #[test]
    fn the_oldest_go_where_there_is_no_room() {
        let rendered = Rendered::default();
        let third = Bytes::from(vec![b'x'; BYTES_MAX / 3 - ANSWER_BYTES]);
        for id in ["a", "a", "b", "c"] {
            rendered.keep(id, &third);
        }
        assert!(rendered.get("a").is_some_and(|answer| answer == third));
        rendered.keep("d", &Bytes::from_static(b"{}"));
        let is_kept = |id| rendered.get(id).is_some();
        assert_eq!(["a", "b", "c", "d"].map(is_kept), [false, true, true, true]);
        rendered.keep("e", &Bytes::from(vec![b'x'; BYTES_MAX]));
        assert_eq!(["b", "c", "d", "e"].map(is_kept), [false; 4], "one that is too large is not kept");
        assert_eq!(rendered.0.lock().unwrap().bytes, 0);
    }
}
