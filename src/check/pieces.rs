//! The walk on every core: pieces of a map walked side by side, each into a log, and the report that takes the logs over in
//! file order.
//!
//! A piece holds little: one that would hold more, or that comes to a value for which it would have to, is thrown away, and
//! the chain, of which there is one, walks through that segment itself ([`crate::engine::segments`] says how).

use std::sync::{Arc, Mutex, PoisonError};

use super::log::{Keys, Log, digest_of_name};
use super::recent::is_likely_time_ms;
use super::report::Report;
use super::walk::Walk;
use crate::analysis::accumulator::{Accumulator, Query};
use crate::engine::accumulated::Stop;
use crate::engine::segments::Scan;
use crate::engine::{Options, Progress};
use crate::error::ErrorKind;
use crate::input::map::Map;
use crate::rdb::entry::{Damage, PartialValue, Step};
use crate::rdb::packed::lzf;
use crate::rdb::primitives::StringHeader;
use crate::rdb::short::{self, Short};
use crate::rdb::source::KeepsKey;
use crate::rdb::{Context, FormatElement, ParseErrorKind, ValueType};

/// A dump in a map, to be walked from a record on.
pub(super) struct Stretch<'a> {
    pub(super) map: &'a Map,
    /// What the start of the dump says; the walk begins at its `start`.
    pub(super) context: &'a Arc<Context>,
    pub(super) is_deep: bool,
    /// How many threads walk, how long segments are, and whether the checksum is computed.
    pub(super) options: &'a Options,
    pub(super) progress: &'a Progress,
}

/// How a stretch ended.
pub(super) struct Walked {
    /// At the end, behind the EOF opcode, or with damage.
    pub(super) stop: Stop,
    /// The checksum of all before the end, if it was computed.
    pub(super) computed: Option<u64>,
    pub(super) cancelled_at: Option<u64>,
}

impl Stretch<'_> {
    /// Walks to the end or to damage, and has `report` take in what is there.
    ///
    /// # Errors
    /// As [`Scan::run_from`].
    pub(super) fn walk(&self, report: &mut Report) -> Result<Walked, ErrorKind> {
        let Self { map, context, is_deep, options, progress } = *self;
        let threads = options.workers();
        let ask = Ask { context, is_deep, threads, report: Mutex::new(Some(std::mem::take(report))) };
        let outcome = Scan { map, number: 0, options, progress, ask: &ask }.run_from(context)?;
        let computed = outcome.ending.as_ref().ok().and_then(|ending| ending.computed);
        let stop = outcome.ending.map(|ending| ending.offset);
        *report = outcome.found.accumulated.report.map(|report| *report).unwrap_or_default();
        Ok(Walked { stop, computed, cancelled_at: outcome.cancelled_at })
    }
}

struct Ask<'c> {
    context: &'c Arc<Context>,
    is_deep: bool,
    threads: usize,
    report: Mutex<Option<Report>>,
}

impl Query for Ask<'_> {
    type Accumulator = Piece;

    fn begin(&self, _number: u32, _context: Option<&Context>) -> Result<Piece, ErrorKind> {
        let report = self.report.lock().unwrap_or_else(PoisonError::into_inner).take();
        let walk = Walk::going_on(self.context.clone(), self.is_deep);
        Ok(Piece { walk, threads: self.threads, log: Log::default(), report: report.map(Box::new) })
    }
}

/// What was found in a piece; or, with a report, in all of them.
struct Piece {
    walk: Walk,
    /// How many pieces are walked side by side.
    threads: usize,
    log: Log,
    report: Option<Box<Report>>,
}

impl Piece {
    fn with_walk(&self, walk: Walk) -> Self {
        let log = Log::new(walk.is_deep());
        Self { walk, threads: self.threads, log, report: None }
    }
}

impl Accumulator for Piece {
    const PIECE_HELD_BYTES_MAX: u64 = 2 << 20;
    const PIECES_AHEAD: usize = 2;
    const LEAVES_OPEN: bool = false;

    fn empty(&self, _db: Option<u64>) -> Self {
        self.with_walk(Walk::ahead(self.walk.context.clone(), self.walk.is_deep(), self.threads))
    }

    fn following(&self, _db: Option<u64>) -> Self {
        self.with_walk(Walk::going_on(self.walk.context.clone(), self.walk.is_deep()))
    }

    fn step<S: KeepsKey>(
        &mut self,
        source: &mut S,
        _context: &Context,
        _open: Option<Box<PartialValue>>,
        until: u64,
    ) -> Result<Step, Box<Damage>> {
        let Self { walk, log, .. } = self;
        let offset = source.offset();
        let left = usize::try_from(until - offset).unwrap_or(usize::MAX);
        let mut shorts = Shorts { walk, log, offset, counted: Keys::default() };
        let passed = short::skip_short_strings(source.ahead(), left, &mut shorts);
        let counted = shorts.counted;
        log.count(ValueType::STRING, counted);
        source.skip(FormatElement::Key, passed.bytes as u64)?;
        if source.offset() < until && walk.step(source, log)? {
            return Ok(Step::End);
        }
        Ok(Step::Key)
    }

    /// Logs do not ask which database it is.
    fn select(&mut self, _db: u64) {}

    fn db(&self) -> Option<u64> {
        None
    }

    fn keys(&self) -> u64 {
        self.log.keys + self.report.as_ref().map_or(0, |report| report.keys)
    }

    fn held_bytes(&self) -> u64 {
        // What a walk ahead cannot look through one that is not ahead may.
        if self.walk.is_ahead() && self.walk.deep.unseen > 0 { u64::MAX } else { self.log.held_bytes() }
    }

    fn merge(&mut self, other: Self) -> Result<(), ParseErrorKind> {
        if let Some(report) = &mut self.report {
            report.values_not_looked_through += other.walk.deep.unseen;
            report.take_over(&self.walk.context, other.log);
        } else {
            self.walk.deep.unseen += other.walk.deep.unseen;
            self.log.append(other.log);
        }
        Ok(())
    }
}

/// Short strings on their way into a log: the walk for what most keys are.
struct Shorts<'p> {
    walk: &'p Walk,
    log: &'p mut Log,
    /// Offset of the next record.
    offset: u64,
    counted: Keys,
}

impl short::Visitor for Shorts<'_> {
    #[inline(always)]
    fn take(&mut self, short: Short<'_>) -> bool {
        let is_deep = self.walk.is_deep();
        if is_deep && let StringHeader::Lzf { stored_bytes, bytes } = short.header {
            let head_bytes =
                usize::try_from(stored_bytes).ok().and_then(|stored| short.record.len().checked_sub(stored));
            let stored = head_bytes.and_then(|head_bytes| short.record.get(head_bytes..)).unwrap_or_default();
            if !lzf::is_sound(stored, bytes) {
                return false;
            }
        }
        let context = &self.walk.context;
        let expires_at_ms = short.expires_at.map(|stored| context.time_ms(stored));
        let has_expired = |seconds: i64| expires_at_ms.is_some_and(|at_ms| at_ms < seconds.saturating_mul(1000));
        self.counted.keys += 1;
        self.counted.expiring += u64::from(expires_at_ms.is_some());
        self.counted.expired += u64::from(context.aux.created_at_seconds.is_some_and(has_expired));
        self.log.recent.push(self.offset, expires_at_ms.is_none_or(is_likely_time_ms));
        self.offset += short.record.len() as u64;
        if is_deep {
            self.log.names.push(digest_of_name(short.name));
            self.counted.named += 1;
        }
        true
    }
}
