//! Ranges of one dump, for scans that several machines share.
//!
//! It is the chain of `segments.rs` with its pieces elsewhere. [`range`] does what a worker does with a segment: it guesses a
//! record's start, scans on, and hands back where it truly began and ended. [`join`] is the chain: it begins at the first
//! record, takes a range where its beginning is exactly where the chain comes to stand, and scans it anew where not. Rows are
//! read only from places that the chain has come to ([`part_rows`]), so a wrong guess costs time and changes no row.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::accumulated::{Accumulated, Stop};
use super::dumps::{conclude, damaged_keys};
use super::guess;
use super::options::{Dump, Options};
use super::outcome::{Ending, Outcome};
use super::progress::Progress;
use super::report::asked;
use super::scan::Walk;
use super::segment_scan::STRIDE_BYTES;
use crate::analysis::accumulator::Accumulator;
use crate::error::{Error, ErrorKind};
use crate::input::{self, Bytes, map::Map};
use crate::rdb::source::{Slice, Source};
use crate::rdb::{Context, Dialect, FormatElement, checksum, header};
use crate::report::rows::{Outlet, Rows};
use crate::report::{Question, RowBlock};

/// Bytes that are scanned before rows are handed on, and before a scan looks whether it was cancelled.
const STEP_BYTES: u64 = 64 << 10;

/// Rows of a block that nobody looks at.
const ROWS_MAX: usize = 1 << 14;

/// Bytes between two searches for a record's start.
const LOOK_BYTES: usize = 4 * STRIDE_BYTES;

/// A place between two records of a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Offset of the record that follows.
    pub offset: u64,
    /// The database of the keys that follow, until a record selects another one.
    pub db: u64,
}

/// What came of the scan of a range of bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RangeScan {
    /// Offset of the range's first byte.
    pub start: u64,
    /// Offset behind its last byte.
    pub end: u64,
    /// Bytes of the whole dump.
    pub dump_bytes: u64,
    /// Offset of the first record that was scanned, which may be a guess; none if none was found.
    pub began: Option<u64>,
    /// Offset behind the last record that was scanned: at `end` or behind it, behind the dump's EOF opcode, or near damage.
    pub ended: u64,
    /// The database of keys at `ended`; none if it was not given and no record selects one.
    pub db: Option<u64>,
    /// Whether the dump ends there, or is so damaged there that nothing is read behind.
    pub is_last: bool,
    /// How many keys were scanned.
    pub keys: u64,
    /// CRC-64 of the range's bytes, if checksums are verified.
    pub checksum: Option<u64>,
}

/// Records of a dump that one scan reads: from a true place up to those that begin at `until` or behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Where it begins.
    pub from: Place,
    /// Offset behind the last byte at which a record of it may begin.
    pub until: u64,
}

/// What came of joining the ranges of a dump.
#[derive(Debug)]
pub struct Joined {
    /// The dump in parts, in its order: every record up to the end or to the damage is in exactly one of them.
    pub parts: Vec<Part>,
    /// How many keys these have.
    pub keys: u64,
    /// How many ranges did not begin where the one before ended, and were scanned again.
    pub rescanned: u64,
    /// What is worth knowing and no damage.
    pub notes: Vec<String>,
    /// What is wrong with the dump besides values that cost one key each; these are found when the rows of a part are read.
    pub errors: Vec<Error>,
}

/// Cuts a dump into ranges of `range_bytes` bytes, the last one shorter. Gives none for one that has to be read from its
/// beginning: a stream, a compressed file, a dump of Dragonfly, or a file that is not a dump.
///
/// # Errors
/// As [`super::analyze`] of a file that cannot be opened.
pub fn cut(dump: &Dump, range_bytes: u64) -> Result<Vec<Range<u64>>, Error> {
    match Opened::open(dump) {
        Ok(opened) => {
            let bytes = opened.bytes();
            let step = usize::try_from(range_bytes.max(1)).unwrap_or(usize::MAX);
            Ok((0..bytes)
                .step_by(step)
                .map(|start| start..start.saturating_add(range_bytes.max(1)).min(bytes))
                .collect())
        }
        Err(Error { cause: ErrorKind::Io { doing, source }, dump }) => {
            Err(Error::new(dump, ErrorKind::Io { doing, source }))
        }
        Err(_) => Ok(Vec::new()),
    }
}

/// Scans the records that begin in a range of a dump: from a true place `from`, or from the first record whose start can be
/// guessed, which [`join`] has to judge. The range at a dump's start needs no guess.
///
/// # Errors
/// [`ErrorKind::Options`] for a range that is not in the dump and for a dump without ranges ([`cut`]), [`ErrorKind::Damaged`] if its start
/// cannot be read, [`ErrorKind::Changed`] if the file changed meanwhile, [`ErrorKind::Cancelled`].
pub fn range(
    dump: &Dump,
    range: Range<u64>,
    from: Option<Place>,
    options: &Options,
    progress: &Progress,
) -> Result<RangeScan, Error> {
    let opened = Opened::open(dump)?;
    if range.start > range.end || range.end > opened.bytes() {
        let (Range { start, end }, bytes) = (range, opened.bytes());
        return Err(opened
            .failed(ErrorKind::Options(format!("there are no bytes {start} to {end}: the dump has {bytes} bytes"))));
    }
    progress.expect(Some(range.end - range.start));
    let scan = opened.range(range, from, options, progress)?;
    opened.check()?;
    Ok(scan)
}

/// Joins the ranges of a dump, each scanned by [`range`], perhaps elsewhere; those whose ends do not meet are scanned again.
///
/// # Errors
/// [`ErrorKind::Options`] unless the ranges are those of the whole dump, one behind the other, and as [`range`].
pub fn join(dump: &Dump, scans: &[RangeScan], options: &Options, progress: &Progress) -> Result<Joined, Error> {
    let opened = Opened::open(dump)?;
    let mut start = 0;
    for scan in scans {
        if scan.start != start || scan.end < start || scan.dump_bytes != opened.bytes() {
            let what = "the ranges are not those of this dump, each of them once and in order, or the dump has changed";
            return Err(opened.failed(ErrorKind::Options(what.to_owned())));
        }
        start = scan.end;
    }
    if start != opened.bytes() {
        let what = format!("the ranges end at byte {start}, the dump at byte {}", opened.bytes());
        return Err(opened.failed(ErrorKind::Options(what)));
    }
    progress.expect(None);
    // The checksums of the ranges are there already.
    let options = Options { verify: false, ..options.clone() };
    let mut at = Place { offset: opened.context.start, db: 0 };
    let mut joined = Joined { parts: Vec::new(), keys: 0, rescanned: 0, notes: Vec::new(), errors: Vec::new() };
    for scan in scans {
        if at.offset >= scan.end {
            continue;
        }
        joined.parts.push(Part { from: at, until: scan.end });
        // Up to the range's beginning the chain has to walk itself; where that is missing or wrong, through all of it.
        let until = scan.began.filter(|began| (at.offset..scan.end).contains(began)).unwrap_or(scan.end);
        let gap = opened.range(at.offset..until, Some(at), &options, progress)?;
        joined.keys += gap.keys;
        at = Place { offset: gap.ended, db: gap.db.unwrap_or(at.db) };
        if gap.is_last {
            return opened.concluded(joined, scans, progress);
        }
        let taken = if scan.began == Some(at.offset) && at.offset < scan.end {
            Some(scan.clone())
        } else {
            joined.rescanned += 1;
            let is_left = at.offset < scan.end;
            is_left.then(|| opened.range(at.offset..scan.end, Some(at), &options, progress)).transpose()?
        };
        if let Some(taken) = taken {
            joined.keys += taken.keys;
            at = Place { offset: taken.ended, db: taken.db.unwrap_or(at.db) };
            if taken.is_last {
                return opened.concluded(joined, scans, progress);
            }
        }
    }
    // What is missing at the end of a dump is told by going on.
    joined.parts.push(Part { from: at, until: u64::MAX });
    opened.concluded(joined, scans, progress)
}

/// Hands the rows of a part on, as [`super::row_blocks_all`] does those of whole dumps. Gives the keys whose values are damaged; the
/// end of the dump, or damage that ends it, is for [`join`] to tell.
///
/// # Errors
/// As [`range`].
pub fn part_rows(
    dump: &Dump,
    part: &Part,
    question: &Question,
    progress: &Progress,
    rows_max: usize,
    on_block: impl FnMut(RowBlock) + Send,
) -> Result<Vec<Error>, Error> {
    let opened = Opened::open(dump)?;
    progress.expect(Some(part.until.saturating_sub(part.from.offset)));
    let outlet = Arc::new(Mutex::new(Outlet::new(rows_max, on_block)));
    let rows = opened.rows(question, Some(part.from.db), outlet.clone())?;
    let (found, ..) = opened.scan(part.from.offset, part.until, rows, progress)?;
    outlet.lock().unwrap_or_else(PoisonError::into_inner).flush();
    opened.check()?;
    Ok(damaged_keys(found.damaged, opened.bytes()).map(|cause| opened.failed(cause)).collect())
}

/// A mapped dump whose start was read.
struct Opened {
    name: String,
    map: Map,
    context: Context,
}

impl Opened {
    fn open(dump: &Dump) -> Result<Self, Error> {
        let input = input::open(&dump.path)?;
        let name = input.name;
        let Bytes::Mapped(map) = input.bytes else {
            let what = "only a file that is not compressed has ranges: scan this one as a whole";
            return Err(Error::new(name, ErrorKind::Options(what.to_owned())));
        };
        let context = header::read(&mut Slice::new(map.bytes(), 0)).map_err(|error| {
            Error::new(&name, ErrorKind::Damaged { damage: error.into(), dump_bytes: map.bytes().len() as u64 })
        })?;
        if context.dialect == Dialect::Dragonfly {
            let what = "a dump of Dragonfly has no ranges: scan it as a whole";
            return Err(Error::new(name, ErrorKind::Options(what.to_owned())));
        }
        Ok(Self { name, map, context })
    }

    fn bytes(&self) -> u64 {
        self.map.bytes().len() as u64
    }

    fn slice(&self, range: Range<u64>) -> &[u8] {
        let at = |offset| usize::try_from(offset).unwrap_or(usize::MAX);
        self.map.bytes().get(at(range.start)..at(range.end)).unwrap_or_default()
    }

    fn failed(&self, cause: ErrorKind) -> Error {
        Error::new(&self.name, cause)
    }

    /// # Errors
    /// That the file changed while it was read.
    fn check(&self) -> Result<(), Error> {
        self.map.check().map_err(|cause| self.failed(cause))
    }

    fn rows<'r>(
        &self,
        question: &Question,
        db: Option<u64>,
        outlet: Arc<Mutex<Outlet<'r>>>,
    ) -> Result<Rows<'r>, Error> {
        let plan = asked(question, 0, Some(&self.context)).map_err(|cause| self.failed(cause))?;
        Ok(Rows::new(plan, db, Some(outlet)))
    }

    fn range(
        &self,
        range: Range<u64>,
        from: Option<Place>,
        options: &Options,
        progress: &Progress,
    ) -> Result<RangeScan, Error> {
        let Range { start, end } = range.clone();
        let first = Place { offset: self.context.start, db: 0 };
        let from = from.or((start <= first.offset).then_some(first));
        let began = from.map(|place| place.offset).or_else(|| self.guess(&range)).filter(|began| *began < end);
        let mut scan = RangeScan {
            start,
            end,
            dump_bytes: self.bytes(),
            began,
            ended: began.or(from.map(|place| place.offset)).unwrap_or(start),
            db: from.map(|place| place.db),
            is_last: false,
            keys: 0,
            checksum: options.verify.then(|| checksum::of(self.slice(range))),
        };
        if let Some(began) = began {
            // The same scan as that of the rows, so that both end at the same records.
            let nowhere = Arc::new(Mutex::new(Outlet::new(ROWS_MAX, |_| {})));
            let rows = self.rows(&Question::default(), scan.db, nowhere)?;
            let (found, ended, stop) = self.scan(began, end, rows, progress)?;
            scan.db = found.accumulated.db();
            scan.keys = found.accumulated.keys();
            (scan.ended, scan.is_last) = (ended, stop.is_some());
        }
        Ok(scan)
    }

    /// The first record of a range whose start can be guessed.
    fn guess(&self, range: &Range<u64>) -> Option<u64> {
        let at = |offset| usize::try_from(offset).unwrap_or(usize::MAX);
        let (start, end) = (at(range.start), at(range.end));
        let mut budget = guess::SearchBudget::default();
        let mut looks = (start..end).step_by(LOOK_BYTES);
        looks.find_map(|from| guess::boundary(self.map.bytes(), &self.context, from..end, &mut budget))
    }

    /// Reads the records that begin from `from` on and before `until`, and hands their rows on; gives the offset behind them, and
    /// how the dump ended if it did.
    fn scan<'r>(
        &self,
        from: u64,
        until: u64,
        rows: Rows<'r>,
        progress: &Progress,
    ) -> Result<(Accumulated<Rows<'r>>, u64, Option<Stop>), Error> {
        let mut all = Accumulated::new(rows);
        let first = all.following(all.accumulated.db());
        let mut walk = Walk::new(Slice::new(self.map.bytes(), from), first);
        while walk.ending.is_none() && walk.source.offset() < until {
            let before = walk.source.offset();
            if progress.is_cancelled() {
                return Err(self.failed(ErrorKind::Cancelled { offset: before }));
            }
            walk.until(&self.context, until.min(before.saturating_add(STEP_BYTES)));
            // Rows of pages that were lost would be made of zeros.
            self.check_pages()?;
            let next = all.following(walk.found.accumulated.db());
            let found = std::mem::replace(&mut walk.found, next);
            progress.add(walk.source.offset() - before, found.accumulated.keys());
            all.merge(found).map_err(|kind| {
                let damage = walk.source.error(FormatElement::Key, kind, 0).into();
                self.failed(ErrorKind::Damaged { damage, dump_bytes: self.bytes() })
            })?;
        }
        Ok((all, walk.source.offset(), walk.ending))
    }

    fn check_pages(&self) -> Result<(), Error> {
        if self.map.is_lost() { self.check() } else { Ok(()) }
    }

    /// Adds how the dump ends, which its last part comes to: where damage is known to begin may be in the middle of a record.
    fn concluded(self, mut joined: Joined, scans: &[RangeScan], progress: &Progress) -> Result<Joined, Error> {
        let from = joined.parts.last().map_or(Place { offset: self.context.start, db: 0 }, |part| part.from);
        let nowhere = || Arc::new(Mutex::new(Outlet::new(ROWS_MAX, |_| {})));
        let rows = self.rows(&Question::default(), Some(from.db), nowhere())?;
        let (_, ended, stop) = self.scan(from.offset, u64::MAX, rows, progress)?;
        // The scan ends with the bytes at the latest.
        let stop = stop.unwrap_or(Ok(ended));
        let ending = stop.map(|end| Ending::in_memory(self.map.bytes(), &self.context, end, self.checksum(scans, end)));
        let found = Accumulated::new(self.rows(&Question::default(), None, nowhere())?);
        let outcome = Outcome { found, ending, dump_bytes: self.bytes(), cancelled_at: None };
        let change = self.map.check().err();
        let concluded = conclude(&self.name, self.context, outcome, change);
        (joined.notes, joined.errors) = (concluded.notes, concluded.damage);
        Ok(joined)
    }

    /// The checksum of the bytes before `end`, if those of the ranges were computed.
    fn checksum(&self, scans: &[RangeScan], end: u64) -> Option<u64> {
        let mut sum = 0;
        for scan in scans.iter().take_while(|scan| scan.start < end) {
            if scan.end <= end {
                sum = checksum::combine(sum, scan.checksum?, scan.end - scan.start);
            } else {
                scan.checksum?;
                sum = checksum::combine(sum, checksum::of(self.slice(scan.start..end)), end - scan.start);
            }
        }
        scans.first()?.checksum.map(|_| sum)
    }
}
