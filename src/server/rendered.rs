//! Answers that show tasks that have ended, as they were sent: such a task does not change until it is deleted, and writing its
//! keys anew costs as much as all the rest of a request.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;

/// Bytes that are kept: room for 2,000 tasks of 100 keys.
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

#[cfg(test)]
mod tests {
    use super::*;

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
