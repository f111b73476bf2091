//! The chain: the scan that began at the dump's first record, and that decides which pieces count.

use super::scan::{Stop, scan_until};
use super::segments::{Piece, Work};
use super::{Ending, Outcome};
use crate::analysis::gather::{Ask, Gather};
use crate::rdb::checksum;
use crate::rdb::primitives::u64_le;
use crate::rdb::source::{Slice, Source};
use crate::rdb::{Context, Fault, Part};

/// The scan that began at the first record, in between segments.
pub(super) struct Chain<'a, G> {
    pub(super) source: Slice<'a>,
    gathered: G,
    /// The segment it comes to next.
    pub(super) next: usize,
    /// None while the dump goes on.
    pub(super) ending: Option<Stop>,
    /// The checksum of all segments before `next`.
    checksum: u64,
    /// The checksum of all before the ending.
    computed: Option<u64>,
}

impl<'a, G: Gather> Chain<'a, G> {
    /// The chain before the first segment, where `gathered` is still empty.
    pub(super) fn new(dump: &'a [u8], context: &Context, gathered: G) -> Self {
        let source = Slice::new(dump, context.start);
        Self { source, gathered, next: 0, ending: None, checksum: 0, computed: None }
    }

    /// Passes through the next segment, by its piece where that fits.
    pub(super) fn join<A: Ask<Gather = G>>(&mut self, work: &Work<'a, A>, piece: Piece<G>) {
        let range = work.range(self.next);
        let is_alone = piece.guess.is_none() && piece.checksum == 0;
        if is_alone {
            work.populate(self.next);
        }
        let keys = self.gathered.keys();
        if let Some(guess) = piece.guess {
            self.scan(work, guess.start);
            if self.ending.is_none() && self.source.offset() == guess.start {
                self.source = Slice::new(work.dump, guess.end);
                self.ending = guess.ending;
                self.take_over(work, guess.gathered);
            }
        }
        self.scan(work, range.end as u64);
        if work.scan.options.verify {
            if let Some(Ok(end)) = self.ending {
                let end = usize::try_from(end).unwrap_or(usize::MAX);
                let last = work.dump.get(range.start..end).unwrap_or_default();
                self.computed = Some(checksum::combine(self.checksum, checksum::of(last), last.len() as u64));
            }
            let sum = if is_alone { work.checksum(self.next) } else { piece.checksum };
            self.checksum = checksum::combine(self.checksum, sum, range.len() as u64);
        }
        self.next += 1;
        work.scan.progress.add(range.len() as u64, self.gathered.keys() - keys);
    }

    /// Scans on to offset `until`.
    fn scan<A: Ask<Gather = G>>(&mut self, work: &Work<'a, A>, until: u64) {
        if self.ending.is_some() || self.source.offset() >= until {
            return;
        }
        let mut gathered = self.gathered.empty(self.gathered.db());
        self.ending = scan_until(&mut self.source, work.context, &mut gathered, until);
        self.take_over(work, gathered);
    }

    /// Takes over what was found last, unless the file lost a page meanwhile: then it may be made of zeros.
    fn take_over<A: Ask<Gather = G>>(&mut self, work: &Work<'a, A>, found: G) {
        let fault = if work.scan.map.is_lost() { Some(Fault::Read) } else { self.gathered.merge(found).err() };
        if let Some(fault) = fault {
            self.ending = Some(Err(self.source.trouble(Part::Key, fault, 0).into()));
        }
    }

    pub(super) fn finish(mut self, dump: &[u8], context: &Context) -> Outcome<G> {
        let cancelled_at = self.ending.is_none().then(|| self.source.offset()).filter(|at| *at < dump.len() as u64);
        // Where the file ends between records, what is missing is the next record's first byte.
        let missing = || self.source.trouble(Part::Opcode, Fault::Eof, 0).into();
        let ending = self.ending.take().unwrap_or_else(|| Err(missing()));
        let ending = ending.map(|offset| {
            let mut rest = Slice::new(dump, offset);
            let stored = if context.has_checksum() { rest.parse(Part::Checksum, u64_le).ok() } else { None };
            let trailing = rest.rest();
            Ending {
                offset,
                computed: self.computed,
                stored,
                trailing_bytes: trailing.len() as u64,
                trailing_is_aof: matches!(trailing.first(), Some(b'*' | b'#')),
            }
        });
        Outcome { gathered: self.gathered, ending, dump_bytes: dump.len() as u64, cancelled_at }
    }
}
