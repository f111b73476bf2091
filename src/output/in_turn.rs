//! What threads make side by side and hand in one after the other: by number, from 0.

use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Something that threads use in turn.
pub(super) struct InTurn<T> {
    state: Mutex<State<T>>,
    moved: Condvar,
}

struct State<T> {
    next: u64,
    /// Why nobody has a turn any more.
    broken: Option<io::Error>,
    inner: T,
}

/// A turn. The next one begins with [`Turn::end`].
pub(super) struct Turn<'t, T> {
    state: MutexGuard<'t, State<T>>,
    moved: &'t Condvar,
}

impl<T> InTurn<T> {
    pub(super) fn new(inner: T) -> Self {
        Self { state: Mutex::new(State { next: 0, broken: None, inner }), moved: Condvar::new() }
    }

    /// Waits for the turn of this number; none if there will be no more turns. Numbers are given out in order, and whoever has
    /// one takes its turn or [breaks off](Self::break_off): so the lowest number in hand never waits.
    pub(super) fn wait(&self, number: u64) -> Option<Turn<'_, T>> {
        let state = self.lock();
        let waits = |state: &mut State<T>| state.broken.is_none() && state.next != number;
        let state = self.moved.wait_while(state, waits).unwrap_or_else(PoisonError::into_inner);
        state.broken.is_none().then_some(Turn { state, moved: &self.moved })
    }

    /// Says that there will be no more turns, and why. The first who says it counts.
    pub(super) fn break_off(&self, error: io::Error) {
        self.lock().broken.get_or_insert(error);
        self.moved.notify_all();
    }

    pub(super) fn is_broken(&self) -> bool {
        self.lock().broken.is_some()
    }

    /// What was used in turn.
    ///
    /// # Errors
    /// That of [`InTurn::break_off`].
    pub(super) fn into_inner(self) -> io::Result<T> {
        let State { broken, inner, .. } = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        broken.map_or(Ok(inner), Err)
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Turn<'_, T> {
    /// Ends the turn; an error ends all turns.
    pub(super) fn end(mut self, done: io::Result<()>) {
        self.state.next += 1;
        self.state.broken = done.err();
        self.moved.notify_all();
    }
}

impl<T> Deref for Turn<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.state.inner
    }
}

impl<T> DerefMut for Turn<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.state.inner
    }
}

impl<T> fmt::Debug for InTurn<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InTurn").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_their_turns() {
        let all = InTurn::new(Vec::new());
        std::thread::scope(|scope| {
            for number in (0..20).rev() {
                let all = &all;
                scope.spawn(move || {
                    let mut turn = all.wait(number).unwrap();
                    turn.push(number);
                    turn.end(Ok(()));
                });
            }
        });
        assert_eq!(all.into_inner().unwrap(), (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn after_an_error_nobody_waits() {
        let all = InTurn::new(());
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(all.wait(2).is_none()));
            all.wait(0).unwrap().end(Ok(()));
            all.wait(1).unwrap().end(Err(io::Error::other("first")));
        });
        all.break_off(io::Error::other("second"));
        assert!(all.is_broken());
        assert_eq!(all.into_inner().unwrap_err().to_string(), "first");
    }
}
