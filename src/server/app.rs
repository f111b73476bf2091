//! What all requests share: the configuration that is in force, the store, the runner, and what is counted.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use tokio::sync::Semaphore;

use super::auth::Logins;
use super::config::Config;
use super::connections::Connections;
#[cfg(feature = "console")]
use super::console::session::Sessions;
#[cfg(feature = "console")]
use super::found::Found;
use super::health::Health;
use super::metrics::Metrics;
use super::rendered::{Rendered, RenderedLists};
use super::throttle::Throttle;
use super::webhook::Waiting;
use crate::task::{Runner, Store};

/// Log lines of requests without good credentials: this many at once, and then this many a second.
const STRANGERS_LOGGED: (u32, u32) = (40, 10);

/// Dumps are looked up for this many requests at once: a disk that does not answer holds no more threads.
const LOOKUPS_AT_ONCE: usize = 4;

/// What all requests share.
#[derive(Debug)]
pub(super) struct App {
    config: RwLock<Arc<Config>>,
    /// For requests alone; the runner has connections of its own.
    pub(super) store: Arc<Store>,
    pub(super) runner: Arc<Runner>,
    pub(super) metrics: Metrics,
    pub(super) health: Health,
    pub(super) logins: Logins,
    pub(super) connections: Arc<Connections>,
    /// What is logged of strangers.
    pub(super) strangers: Throttle,
    /// Who changes the store: one at a time, so that the others wait where they can still be refused.
    pub(super) writer: Arc<Semaphore>,
    pub(super) lookups: Arc<Semaphore>,
    #[cfg(feature = "console")]
    pub(super) sessions: Sessions,
    #[cfg(feature = "console")]
    pub(super) found: Found,
    /// The one report of a dump that is made at a time.
    #[cfg(feature = "console")]
    pub(super) reporting: Arc<Semaphore>,
    pub(super) webhooks: Waiting,
    pub(super) rendered: Rendered,
    pub(super) rendered_lists: RenderedLists,
    pub(super) started_at: Timestamp,
    requests: AtomicUsize,
}

/// A request's place among those that are worked on.
#[derive(Debug)]
pub(super) struct Place<'a>(&'a AtomicUsize);

impl App {
    pub(super) fn new(config: Config, store: Arc<Store>, runner: Arc<Runner>) -> Self {
        runner.set_questions(config.questions());
        Self {
            health: Health::new(config.analysis.workers),
            config: RwLock::new(Arc::new(config)),
            store,
            runner,
            metrics: Metrics::default(),
            logins: Logins::default(),
            connections: Arc::default(),
            strangers: Throttle::new(STRANGERS_LOGGED.0, STRANGERS_LOGGED.1),
            writer: Arc::new(Semaphore::new(1)),
            lookups: Arc::new(Semaphore::new(LOOKUPS_AT_ONCE)),
            #[cfg(feature = "console")]
            sessions: Sessions::default(),
            #[cfg(feature = "console")]
            found: Found::default(),
            #[cfg(feature = "console")]
            reporting: Arc::new(Semaphore::new(1)),
            webhooks: Waiting::default(),
            rendered: Rendered::default(),
            rendered_lists: RenderedLists::default(),
            started_at: Timestamp::now(),
            requests: AtomicUsize::new(0),
        }
    }

    /// The configuration that is in force. A request keeps the one that it began with.
    pub(super) fn config(&self) -> Arc<Config> {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another configuration in force.
    pub(super) fn set_config(&self, config: Config) {
        self.runner.set_questions(config.questions());
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    /// A place for a request; none if as many as `most` are worked on.
    pub(super) fn place(&self, most: usize) -> Option<Place<'_>> {
        let place = Place(&self.requests);
        (self.requests.fetch_add(1, Ordering::Relaxed) < most).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
