//! The chain: the scan that began at the dump's first record, and that decides which pieces count.

use super::scan::{Stop, scan_until};
use super::segments::{Piece, Work};
use super::{Ending, Outcome};
use crate::analysis::Analysis;
use crate::input::commands::Commands;
use crate::rdb::checksum;
use crate::rdb::primitives::u64_le;
use crate::rdb::source::{Slice, Source};
use crate::rdb::{Context, Fault, Part};

/// The scan that began at the first record, in between segments.
pub(super) struct Chain<'a> {
    pub(super) source: Slice<'a>,
    analysis: Analysis,
    /// The segment it comes to next.
    pub(super) next: usize,
    /// None while the dump goes on.
    pub(super) ending: Option<Stop>,
    /// The checksum of all segments before `next`.
    checksum: u64,
    /// The checksum of all before the ending.
    computed: Option<u64>,
}

impl<'a> Chain<'a> {
    /// The chain before the first segment, where `analysis` is still empty.
    pub(super) fn new(dump: &'a [u8], context: &Context, analysis: Analysis) -> Self {
        let source = Slice::new(dump, context.start);
        Self { source, analysis, next: 0, ending: None, checksum: 0, computed: None }
    }

    /// Passes through the next segment, by its piece where that fits.
    pub(super) fn join(&mut self, work: &Work<'a>, piece: Piece) {
        let range = work.range(self.next);
        let is_alone = piece.guess.is_none() && piece.checksum == 0;
        if is_alone {
            work.populate(self.next);
        }
        let keys = self.analysis.keys();
        if let Some(guess) = piece.guess {
            self.scan(work, guess.start);
            if self.ending.is_none() && self.source.offset() == guess.start {
                self.source = Slice::new(work.dump, guess.end);
                self.ending = guess.ending;
                self.take_over(work, guess.analysis);
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
        work.scan.progress.add(range.len() as u64, self.analysis.keys() - keys);
    }

    /// Scans on to offset `until`.
    fn scan(&mut self, work: &Work<'a>, until: u64) {
        if self.ending.is_some() || self.source.offset() >= until {
            return;
        }
        let mut analysis = Analysis::new(work.question.clone(), work.scan.number, self.analysis.db());
        self.ending = scan_until(&mut self.source, work.context, &mut analysis, until);
        self.take_over(work, analysis);
    }

    /// Takes over what was found last, unless the file lost a page meanwhile: then it may be made of zeros.
    fn take_over(&mut self, work: &Work<'a>, found: Analysis) {
        let fault = if work.scan.map.is_lost() { Some(Fault::Read) } else { self.analysis.merge(found).err() };
        if let Some(fault) = fault {
            self.ending = Some(Err(self.source.trouble(Part::Key, fault, 0).into()));
        }
    }

    pub(super) fn finish(mut self, dump: &[u8], context: &Context) -> Outcome {
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
                commands: Commands::behind(context.aux.is_aof_preamble, trailing),
            }
        });
        Outcome { analysis: self.analysis, ending, dump_bytes: dump.len() as u64 }
    }
}
