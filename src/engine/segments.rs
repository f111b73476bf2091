//! The scan over a map, on every core: segments side by side, joined in file order.
//!
//! An RDB has no index: where an entry begins, only the entry before it tells. So a worker that takes a segment from the
//! middle *guesses* an entry's start, scans on from there, and hands in what it found as a [`Piece`]. The chain, which
//! began at the dump's first record, decides. Why a wrong guess cannot change the answer:
//!
//! 1. What a scan finds from an offset on depends on the bytes from there, on the start of the dump, and on the database.
//! 2. The start of the dump (dialect, hash templates) is read before any segment, and is frozen.
//! 3. A piece does not know its database until it meets a SELECTDB; what it found before is filed under "the one before
//!    me", and gets its number when it is joined.
//! 4. The chain is the scan that began at the first record; it is the truth, as one thread alone would find it.
//! 5. The chain reaches a segment at an offset where a record begins, and scans on until it has reached the piece's start.
//! 6. If it then stands exactly there, the piece is what the chain itself would have found next: same offset, same bytes.
//! 7. Then the piece is merged, database and all, and the chain goes on where the piece ended.
//! 8. If it stands anywhere else, the piece is thrown away, and the chain scans through the segment itself.
//! 9. Damage and the dump's end are found by a piece like entries, and count only if the piece is joined.
//! 10. Merging adds up counters and takes the first of the top keys, in an order that is total, so it does not matter who
//!     added what.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::chain::Chain;
use super::guess;
use super::scan::{Stop, scan_until};
use super::{Options, Outcome, Progress, question};
use crate::analysis::{Analysis, Question};
use crate::error::Cause;
use crate::input::map::Map;
use crate::rdb::checksum;
use crate::rdb::source::{Slice, Source};
use crate::rdb::{Context, Dialect, header};

/// Bytes of a segment. Dumps of 0.7 to 2.1 GB took 10 to 25 % longer with 512 KiB, and no less with 8 MiB.
pub(super) const SEGMENT_BYTES: usize = 4 << 20;

/// How many segments may be scanned ahead of the chain, for each thread. Their pieces wait, a few kilobytes each.
const PIECES_AHEAD: usize = 32;

/// A piece that holds more than this is thrown away, so that waiting pieces stay small whatever the dump has in it.
const PIECE_HELD_BYTES_MAX: u64 = 512 << 10;

/// A scan over a map, ready to run.
pub(super) struct Scan<'a> {
    pub(super) map: &'a Map,
    pub(super) number: u32,
    pub(super) options: &'a Options,
    pub(super) progress: &'a Arc<Progress>,
}

impl Scan<'_> {
    /// Reads the dump to its end, or to the damage in it.
    ///
    /// # Errors
    /// [`Cause::Options`] as [`question`], [`Cause::Io`] if the threads cannot be started.
    pub(super) fn run(self) -> Result<(Context, Outcome), Cause> {
        let dump = self.map.bytes();
        let dump_bytes = dump.len() as u64;
        let context = match header::read(&mut Slice::new(dump, 0)) {
            Ok(context) => context,
            Err(trouble) => return Ok(Outcome::without_start(self.options, self.number, trouble, dump_bytes)),
        };
        let question = question(self.options, &context)?;
        if self.options.verify {
            self.map.expect_all();
        }
        let segment_bytes = match context.dialect {
            Dialect::Dragonfly => dump.len(),
            _ => self.options.segment_bytes.max(1),
        };
        let segments = dump.len().div_ceil(segment_bytes);
        let threads = match self.options.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let threads = threads.min(segments);
        let chain = Chain::new(dump, &context, Analysis::new(question.clone(), self.number, Some(0)));
        let work = Work {
            scan: &self,
            context: &context,
            question,
            dump,
            segment_bytes,
            segments,
            threads,
            shared: Mutex::new(Shared {
                next: 0,
                pieces: BTreeMap::new(),
                chain: Some(chain),
                joined: 0,
                reached: 0,
                ended: false,
            }),
            moved: Condvar::new(),
        };
        if threads == 1 {
            work.run();
        } else {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let pool =
                pool.map_err(|error| Cause::Io { doing: "start the threads", source: std::io::Error::other(error) })?;
            pool.broadcast(|_| work.run());
        }
        let shared = work.shared.into_inner().unwrap_or_else(PoisonError::into_inner);
        let outcome = shared.chain.map(|chain| chain.finish(dump, &context));
        let unfinished = Cause::Io { doing: "finish the scan", source: std::io::Error::other("a worker was lost") };
        Ok((context, outcome.ok_or(unfinished)?))
    }
}

/// What all workers share.
pub(super) struct Work<'a> {
    pub(super) scan: &'a Scan<'a>,
    pub(super) context: &'a Context,
    pub(super) question: Arc<Question>,
    pub(super) dump: &'a [u8],
    segment_bytes: usize,
    segments: usize,
    threads: usize,
    shared: Mutex<Shared<'a>>,
    /// Told whenever the chain has moved on.
    moved: Condvar,
}

struct Shared<'a> {
    /// The segment that is taken next.
    next: usize,
    /// Pieces that wait for the chain.
    pieces: BTreeMap<usize, Piece>,
    /// The chain, unless a worker has it in hand.
    chain: Option<Chain<'a>>,
    /// Segments that the chain has passed.
    joined: usize,
    /// The offset that the chain has reached; one large value can bring it past many segments.
    reached: u64,
    /// The chain has found the end or damage.
    ended: bool,
}

/// What a worker found in a segment.
#[derive(Default)]
pub(super) struct Piece {
    /// None if no entry's start could be guessed.
    pub(super) guess: Option<Guess>,
    /// The checksum of the segment's bytes.
    pub(super) checksum: u64,
}

pub(super) struct Guess {
    pub(super) start: u64,
    /// Offset behind the last record that begins in the segment.
    pub(super) end: u64,
    pub(super) analysis: Analysis,
    pub(super) ending: Option<Stop>,
}

/// Lets the other workers go if one panics, which may have had the chain that they wait for.
struct Watch<'w, 'a>(&'w Work<'a>);

impl Drop for Watch<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().ended = true;
            self.0.moved.notify_all();
        }
    }
}

impl<'a> Work<'a> {
    /// One worker: takes segments until there are none.
    fn run(&self) {
        let _watch = Watch(self);
        while let Some((segment, chain)) = self.take() {
            if let Some(mut chain) = chain {
                chain.join(self, Piece::default());
                self.put_back(chain);
            } else {
                let piece = self.guess(segment);
                let mut shared = self.lock();
                shared.pieces.insert(segment, piece);
                drop(shared);
            }
            self.join_waiting();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shared<'a>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next segment, and with it the chain, if that is where it stands: then nothing need be guessed.
    fn take(&self) -> Option<(usize, Option<Chain<'a>>)> {
        let mut shared = self.lock();
        loop {
            let segment = shared.next;
            if shared.ended || segment >= self.segments {
                return None;
            }
            if segment == shared.joined && shared.chain.is_some() {
                shared.next += 1;
                return Some((segment, shared.chain.take()));
            }
            if segment < shared.joined + PIECES_AHEAD * self.threads {
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
            if shared.ended || shared.chain.is_none() || !shared.pieces.contains_key(&next) {
                return;
            }
            let (piece, chain) = (shared.pieces.remove(&next), shared.chain.take());
            drop(shared);
            if let (Some(piece), Some(mut chain)) = (piece, chain) {
                chain.join(self, piece);
                self.put_back(chain);
            }
        }
    }

    fn put_back(&self, chain: Chain<'a>) {
        let mut shared = self.lock();
        shared.joined = chain.next;
        shared.reached = chain.source.offset();
        shared.ended = chain.ending.is_some();
        shared.chain = Some(chain);
        self.moved.notify_all();
    }

    pub(super) fn range(&self, segment: usize) -> std::ops::Range<usize> {
        let start = segment.saturating_mul(self.segment_bytes).min(self.dump.len());
        start..start.saturating_add(self.segment_bytes).min(self.dump.len())
    }

    /// The checksum of a segment's bytes; zero if none is wanted.
    pub(super) fn checksum(&self, segment: usize) -> u64 {
        if !self.scan.options.verify {
            return 0;
        }
        checksum::of(self.dump.get(self.range(segment)).unwrap_or_default())
    }

    /// Without a checksum only the pages that are looked at are brought in, as they are touched.
    pub(super) fn populate(&self, segment: usize) {
        if self.scan.options.verify {
            let range = self.range(segment);
            self.scan.map.populate(range.start, range.len());
        }
    }

    fn guess(&self, segment: usize) -> Piece {
        let range = self.range(segment);
        self.populate(segment);
        let is_passed = self.lock().reached >= range.end as u64;
        let boundary = if is_passed { None } else { guess::boundary(self.dump, self.context, range.clone()) };
        let guess = boundary.and_then(|start| {
            let mut source = Slice::new(self.dump, start);
            let mut analysis = Analysis::new(self.question.clone(), self.scan.number, None);
            let ending = scan_until(&mut source, self.context, &mut analysis, range.end as u64);
            let held_bytes = analysis.held_bytes();
            let guess = Guess { start, end: source.offset(), analysis, ending };
            (held_bytes <= PIECE_HELD_BYTES_MAX).then_some(guess)
        });
        Piece { guess, checksum: self.checksum(segment) }
    }
}
