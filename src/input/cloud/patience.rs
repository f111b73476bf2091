//! How often what failed is asked for again, and when; and the threads that wait for answers.

use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::OnceLock;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::explain::after_tries;
use crate::input::failure::{Failure, Kind};

/// Tries without a byte between them. The waits before them add up to half a minute at the most.
const TRIES_MAX: u32 = 9;

/// Tries of a server that nobody has heard of yet.
const CONNECTIONS_MAX: u32 = 4;

/// The first wait; each is twice the one before.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// Counts the tries of one thing.
#[derive(Debug, Default)]
pub(super) struct Patience {
    tries: u32,
}

impl Patience {
    /// Waits before the next try, or says that there is to be none.
    ///
    /// # Errors
    /// The failure, if it stays or was met too often.
    pub(super) async fn wait(&mut self, failure: Failure) -> Result<(), Failure> {
        self.tries += 1;
        let tries_max = match failure.kind {
            Kind::Transient => TRIES_MAX,
            Kind::NoConnection => CONNECTIONS_MAX,
            Kind::Changed | Kind::Final => return Err(failure),
        };
        if self.tries >= tries_max {
            return Err(after_tries(failure, self.tries));
        }
        let wait = FIRST_WAIT * 2_u32.saturating_pow(self.tries - 1);
        // Many that were refused at one moment must not all come back at one moment.
        let jitter = RandomState::new().hash_one(self.tries) % 1000;
        tokio::time::sleep(wait / 2 + wait / 2 * u32::try_from(jitter).unwrap_or(0) / 1000).await;
        Ok(())
    }

    /// Begins anew: the last try brought something.
    pub(super) fn renew(&mut self) {
        self.tries = 0;
    }
}

/// Makes a request until it succeeds.
///
/// # Errors
/// As [`Patience::wait`].
pub(super) async fn persistently<T, F>(mut request: impl FnMut() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut patience = Patience::default();
    loop {
        match request().await {
            Err(failure) => patience.wait(failure).await?,
            done => return done,
        }
    }
}

/// The threads of all requests.
pub(super) fn runtime() -> Result<&'static Runtime, Failure> {
    const THREADS: usize = 2;
    static RUNTIME: OnceLock<io::Result<Runtime>> = OnceLock::new();
    let built = RUNTIME.get_or_init(|| {
        Builder::new_multi_thread().worker_threads(THREADS).thread_name("bigkeys-net").enable_all().build()
    });
    built.as_ref().map_err(|error| Failure::last(format!("no thread for the network could be started: {error}")))
}

/// Waits for a future on a thread of its own, so that this may be called from any thread, one of another runtime included.
pub(super) fn wait<T: Send + 'static>(
    future: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Failure> {
    let (done, result) = sync_channel(1);
    runtime()?.spawn(async move { _ = done.send(future.await) });
    result.recv().unwrap_or_else(|_| Err(Failure::last("a request broke off by a fault of this program")))
}
