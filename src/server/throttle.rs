//! How much of what strangers do is worth a log line: some at once, then a few a second. What is left out is counted.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// A bucket of tokens.
#[derive(Debug)]
pub(super) struct Throttle {
    most: f64,
    per_second: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    left: f64,
    at: Instant,
    left_out: u64,
}

impl Throttle {
    pub(super) fn new(most: u32, per_second: u32) -> Self {
        let most = f64::from(most);
        let state = Mutex::new(State { left: most, at: Instant::now(), left_out: 0 });
        Self { most, per_second: f64::from(per_second), state }
    }

    /// Whether another one passes; if so, how many have not since the last that did.
    pub(super) fn pass(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = now.saturating_duration_since(state.at).as_secs_f64();
        state.left = (state.left + seconds * self.per_second).min(self.most);
        state.at = now;
        if state.left < 1.0 {
            state.left_out += 1;
            return None;
        }
        state.left -= 1.0;
        Some(std::mem::take(&mut state.left_out))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn some_at_once_then_a_few_a_second() {
        let throttle = Throttle::new(3, 2);
        let start = Instant::now();
        let passed = |at: Duration| (0..10).filter_map(|_| throttle.pass(start + at)).collect::<Vec<_>>();
        assert_eq!(passed(Duration::ZERO), [0, 0, 0]);
        assert_eq!(passed(Duration::from_secs(1)), [7, 0]);
        assert_eq!(passed(Duration::from_mins(1)), [8, 0, 0]);
    }
}
