//! The scan over a map, on every core: segments side by side, joined in file order.
//!
//! An RDB has no index: where an entry begins, only the entry before it tells. So a worker that takes a segment from the
//! middle *guesses* an entry's start, scans on from there, and hands in what it found as a [`SegmentScan`]. The chain, which
//! began at the dump's first record, decides. Why a wrong guess cannot change the answer:
//!
//! 1. What a scan finds from an offset on depends on the bytes from there, on the start of the dump, and on the database.
//! 2. The start of the dump (dialect, hash templates) is read before any segment, and is frozen.
//! 3. A piece does not know its database until it meets a SELECTDB; what it found before is filed under "the one before
//!    me", and gets its number when it is joined.
//! 4. The chain is the scan that began at the first record; it is the truth, as one thread alone would find it.
//! 5. The chain reaches a segment between two records, or between two elements of a value, and scans on until it has
//!    reached the piece's start.
//! 6. If it then stands exactly there, between two records, the piece is what the chain itself would have found next.
//! 7. Then the piece is merged, database and all, and the chain goes on where the piece ended; if it stands anywhere else,
//!    the piece is thrown away, and the chain scans through the segment itself.
//! 8. In a value larger than a segment the same holds for its elements: where a string ends depends on its bytes alone, so
//!    the chain leaps over counted ones if it stands exactly at the first of them, and never over more than are left.
//! 9. Damage and the dump's end are found by a piece like entries, and count only if the piece is joined.
//! 10. Merging adds up counters and takes the first of the top keys, in an order that is total, so it does not matter who
//!     added what.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Condvar, Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::accumulated::Accumulated;
use super::chain::Chain;
use super::options::Options;
use super::outcome::Outcome;
use super::progress::Progress;
use super::segment_scan::SegmentScan;
use super::segmented::SegmentedDump;
use crate::analysis::accumulator::{Accumulator, Query};
use crate::error::ErrorKind;
use crate::input::map::Map;
use crate::rdb::source::Slice;
use crate::rdb::{Context, Dialect, header};

/// Bytes of a segment. Each has its price (a guess, top lists to merge, pages to give back): on two cores a dump of strings
/// took 0.48 s with 1 MiB, 0.31 with 4 MiB and 0.29 with 16 MiB, one of collections 0.60, 0.49 and 0.41, and a report on
/// these, which has more lists to fill, 0.38 with 16 MiB and 0.35 with 64 MiB; but with 64 MiB, whose pages all stay mapped,
/// the task over strings took a hundredth more than with 32. What the chain does for each is serial: simulated from the times
/// that pieces and joins took, 2 GB of collections are read 16 times as fast by 16 threads with 4 MiB, 24 times by 64; with
/// 1 MiB these get no further than 21 times.
const SEGMENT_BYTES: RangeInclusive<usize> = 4 << 20..=32 << 20;

/// How many segments each thread should get at least, so that all end at about the same time.
const SEGMENTS_A_THREAD: usize = 16;

/// Bytes that all pieces that wait may hold: where they hold more, no segment is taken but the one that the chain comes to.
const WAITING_BYTES_MAX: u64 = 16 << 20;

/// A scan over a map, ready to run.
pub(crate) struct Scan<'a, A> {
    pub(crate) map: &'a Map,
    pub(crate) number: u32,
    pub(crate) options: &'a Options,
    pub(crate) progress: &'a Progress,
    pub(crate) ask: &'a A,
}

impl<A: Query> Scan<'_, A> {
    /// Reads the dump to its end, or to the damage in it.
    ///
    /// # Errors
    /// [`ErrorKind::Options`] as [`Query::begin`], [`ErrorKind::Io`] if the threads cannot be started.
    pub(super) fn run(self) -> Result<(Context, Outcome<A::Accumulator>), ErrorKind> {
        let dump = self.map.bytes();
        match header::read(&mut Slice::new(dump, 0)) {
            Ok(context) => {
                let outcome = self.run_from(&context)?;
                Ok((context, outcome))
            }
            Err(error) => Outcome::without_start(self.ask, self.number, error, dump.len() as u64),
        }
    }

    /// Reads the dump from [`Context::start`] to its end, or to the damage in it. The checksum is that of the whole dump.
    ///
    /// # Errors
    /// As [`Scan::run`].
    pub(crate) fn run_from(self, context: &Context) -> Result<Outcome<A::Accumulator>, ErrorKind> {
        let Self { map, number, options, progress, ask } = self;
        let dump = map.bytes();
        if A::NEEDS_START {
            ask.start(context, Some(Slice::new(dump, 0).first_bytes(context.start)));
        }
        let found = Accumulated::new(ask.begin(number, Some(context))?);
        if options.verify {
            map.expect_all();
        }
        let threads = options.workers();
        let segment_bytes = match options.segment_bytes {
            _ if context.dialect == Dialect::Dragonfly => dump.len(),
            0 => (dump.len() / threads / SEGMENTS_A_THREAD).clamp(*SEGMENT_BYTES.start(), *SEGMENT_BYTES.end()),
            bytes => bytes,
        };
        let segmented = SegmentedDump::new(map, context, segment_bytes, options.verify, progress, found.empty(None));
        let segments = segmented.segments();
        // All bytes have a part in the checksum.
        let first = if options.verify { 0 } else { segmented.segment_of(context.start).min(segments) };
        let threads = threads.min(segments - first).max(1);
        let shared = Shared {
            next: first,
            segment_scans: BTreeMap::new(),
            waiting_bytes: 0,
            chain: Some(Chain::new(dump, context, found, first)),
            joined: first,
            ended: false,
            is_worth_guessing: true,
        };
        let shared = Mutex::new(shared);
        let work = Work { dump: segmented, segments, threads, shared, moved: Condvar::new() };
        if threads == 1 {
            work.run();
        } else {
            pool(threads)?.broadcast(|_| work.run());
        }
        let chain = work.lock().chain.take();
        let outcome = chain.map(|chain| chain.finish(&work.dump));
        let unfinished = ErrorKind::Io { doing: "finish the scan", source: std::io::Error::other("a worker was lost") };
        outcome.ok_or(unfinished)
    }
}

/// So many threads.
///
/// # Errors
/// [`ErrorKind::Io`] if they cannot be started.
pub(crate) fn pool(threads: usize) -> Result<ThreadPool, ErrorKind> {
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|error| ErrorKind::Io { doing: "start the threads", source: std::io::Error::other(error) })
}

/// What all workers share.
struct Work<'a, G> {
    dump: SegmentedDump<'a, G>,
    segments: usize,
    threads: usize,
    shared: Mutex<Shared<'a, G>>,
    /// Told whenever the chain has moved on.
    moved: Condvar,
}

struct Shared<'a, G> {
    /// The segment that is taken next.
    next: usize,
    /// Pieces that wait for the chain.
    segment_scans: BTreeMap<usize, SegmentScan<'a, G>>,
    /// What these hold, near enough.
    waiting_bytes: u64,
    /// The chain, unless a worker has it in hand.
    chain: Option<Chain<'a, G>>,
    /// Segments that the chain has passed.
    joined: usize,
    /// The chain has found the end or damage.
    ended: bool,
    /// False while the chain leaps from one large value to the next: guesses would touch pages that nobody needs.
    is_worth_guessing: bool,
}

/// Lets the other workers go if one panics, which may have had the chain that they wait for.
struct Watch<'w, 'a, G: Accumulator>(&'w Work<'a, G>);

impl<G: Accumulator> Drop for Watch<'_, '_, G> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().ended = true;
            self.0.moved.notify_all();
        }
    }
}

impl<'a, G: Accumulator> Work<'a, G> {
    /// One worker: takes segments until there are none.
    fn run(&self) {
        let _watch = Watch(self);
        while let Some((segment, chain)) = self.take() {
            if let Some(mut chain) = chain {
                chain.join(&self.dump, None);
                self.put_back(chain);
            } else {
                let segment_scan = SegmentScan::of(&self.dump, self.dump.range(segment));
                let mut shared = self.lock();
                shared.waiting_bytes += segment_scan.held_bytes();
                shared.segment_scans.insert(segment, segment_scan);
                drop(shared);
            }
            // Of a dump of one segment the pages go with the map.
            if self.segments > 1 {
                let range = self.dump.range(segment);
                self.dump.map.release(range.start, range.len());
            }
            self.join_waiting();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shared<'a, G>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next segment, and with it the chain, if that is where it stands: then nothing need be guessed.
    fn take(&self) -> Option<(usize, Option<Chain<'a, G>>)> {
        let mut shared = self.lock();
        loop {
            let segment = shared.next;
            if shared.ended || segment >= self.segments || self.dump.progress.is_cancelled() {
                return None;
            }
            if segment == shared.joined && shared.chain.is_some() {
                shared.next += 1;
                return Some((segment, shared.chain.take()));
            }
            let may_wait = shared.is_worth_guessing && shared.waiting_bytes < WAITING_BYTES_MAX;
            let ahead = if may_wait { G::PIECES_AHEAD * self.threads } else { 0 };
            if segment < shared.joined + ahead {
                shared.next += 1;
                return Some((segment, None));
            }
            shared = self.moved.wait(shared).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Joins the pieces that the chain can take now, unless another worker does.
    fn join_waiting(&self) {
        loop {
            let mut shared = self.lock();
            let next = shared.joined;
            if shared.ended || shared.chain.is_none() || !shared.segment_scans.contains_key(&next) {
                return;
            }
            let (segment_scan, chain) = (shared.segment_scans.remove(&next), shared.chain.take());
            shared.waiting_bytes -= segment_scan.as_ref().map_or(0, SegmentScan::held_bytes);
            drop(shared);
            if let Some(mut chain) = chain {
                chain.join(&self.dump, segment_scan);
                self.put_back(chain);
            }
        }
    }

    fn put_back(&self, chain: Chain<'a, G>) {
        self.dump.set_reached(chain.offset());
        let mut shared = self.lock();
        shared.joined = chain.next;
        shared.ended = chain.has_ended();
        shared.is_worth_guessing = self.dump.verify || chain.has_much_to_do(self.dump.segment_bytes);
        shared.chain = Some(chain);
        self.moved.notify_all();
    }
}
