//! Ranges of one dump, a file or an object in a store, for scans that several machines share.
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
use super::options::{Dump, Options};
use super::outcome::{Ending, Outcome};
use super::progress::Progress;
use super::ranged::{Ranged, Store};
use super::report::asked;
use super::scan::Walk;
use super::stream;
use crate::analysis::accumulator::Accumulator;
use crate::error::{Error, ErrorKind};
use crate::rdb::source::{KeepsKey, Slice, Source};
use crate::rdb::{FormatElement, checksum};
use crate::report::rows::{Outlet, Rows};
use crate::report::{Question, RowBlock};

/// Bytes that are scanned before rows are handed on, and before a scan looks whether it was cancelled.
const STEP_BYTES: u64 = 64 << 10;

/// Rows of a block that nobody looks at.
const ROWS_MAX: usize = 1 << 14;

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
    /// The `ETag` of an object in a store; none of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Where it begins.
    pub from: Place,
    /// Offset behind the last byte at which a record of it may begin.
    pub until: u64,
    /// The `ETag` of the object that it is a part of; none of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
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
/// beginning: a stream, a compressed file, a dump of Dragonfly, an object without an `ETag` or in a store that does not answer ranges, or
/// what is not a dump.
///
/// # Errors
/// As [`super::analyze`] of a file that cannot be opened.
pub fn cut(dump: &Dump, range_bytes: u64) -> Result<Vec<Range<u64>>, Error> {
    match Ranged::open(dump) {
        Ok(opened) => {
            let bytes = opened.size();
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
    progress: &Arc<Progress>,
) -> Result<RangeScan, Error> {
    let opened = Ranged::open(dump)?;
    if range.start > range.end || range.end > opened.size() {
        let (Range { start, end }, bytes) = (range, opened.size());
        return Err(opened
            .failed(ErrorKind::Options(format!("there are no bytes {start} to {end}: the dump has {bytes} bytes"))));
    }
    progress.expect(Some(range.end - range.start));
    let scan = scan_range(&opened, range, from, options, progress)?;
    opened.check()?;
    Ok(scan)
}

/// Joins the ranges of a dump, each scanned by [`range`], perhaps elsewhere; those whose ends do not meet are scanned again.
///
/// # Errors
/// [`ErrorKind::Options`] unless the ranges are those of the whole dump, one behind the other, and as [`range`].
pub fn join(dump: &Dump, scans: &[RangeScan], options: &Options, progress: &Arc<Progress>) -> Result<Joined, Error> {
    let opened = Ranged::open(dump)?;
    let version = opened.version().map(str::to_owned);
    let mut start = 0;
    for scan in scans {
        let is_of_dump = scan.dump_bytes == opened.size() && scan.version == version;
        if scan.start != start || scan.end < start || !is_of_dump {
            let what = "the ranges are not those of this dump, each of them once and in order, or the dump has changed";
            return Err(opened.failed(ErrorKind::Options(what.to_owned())));
        }
        start = scan.end;
    }
    if start != opened.size() {
        let what = format!("the ranges end at byte {start}, the dump at byte {}", opened.size());
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
        joined.parts.push(Part { from: at, until: scan.end, version: version.clone() });
        // Up to the range's beginning the chain has to walk itself; where that is missing or wrong, through all of it.
        let until = scan.began.filter(|began| (at.offset..scan.end).contains(began)).unwrap_or(scan.end);
        let gap = scan_range(&opened, at.offset..until, Some(at), &options, progress)?;
        joined.keys += gap.keys;
        at = Place { offset: gap.ended, db: gap.db.unwrap_or(at.db) };
        if gap.is_last {
            return concluded(opened, joined, scans, progress);
        }
        let taken = if scan.began == Some(at.offset) && at.offset < scan.end {
            Some(scan.clone())
        } else {
            joined.rescanned += 1;
            let is_left = at.offset < scan.end;
            is_left.then(|| scan_range(&opened, at.offset..scan.end, Some(at), &options, progress)).transpose()?
        };
        if let Some(taken) = taken {
            joined.keys += taken.keys;
            at = Place { offset: taken.ended, db: taken.db.unwrap_or(at.db) };
            if taken.is_last {
                return concluded(opened, joined, scans, progress);
            }
        }
    }
    // What is missing at the end of a dump is told by going on.
    joined.parts.push(Part { from: at, until: u64::MAX, version });
    concluded(opened, joined, scans, progress)
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
    progress: &Arc<Progress>,
    rows_max: usize,
    on_block: impl FnMut(RowBlock) + Send,
) -> Result<Vec<Error>, Error> {
    let opened = Ranged::open(dump)?;
    if part.version.is_some() && part.version.as_deref() != opened.version() {
        let what = "the object was replaced since its ranges were scanned: scan them again";
        return Err(opened.failed(ErrorKind::Changed(what.to_owned())));
    }
    progress.expect(Some(part.until.saturating_sub(part.from.offset)));
    let outlet = Arc::new(Mutex::new(Outlet::new(rows_max, on_block)));
    let rows = rows(&opened, question, Some(part.from.db), outlet.clone())?;
    let (from, until) = (part.from.offset, part.until);
    let found = match &opened.bytes {
        Store::Mapped(map) => walk(&opened, Slice::new(map.bytes(), from), until, rows, progress)?.found,
        Store::Object(object) => {
            let window = opened.window(object, from..until.min(opened.size()), false, progress)?;
            let Walked { found, source: mut window, .. } = walk(&opened, window, until, rows, progress)?;
            opened.read_to_its_end(&mut window)?;
            found
        }
    };
    outlet.lock().unwrap_or_else(PoisonError::into_inner).flush();
    opened.check()?;
    Ok(damaged_keys(found.damaged, opened.size()).map(|cause| opened.failed(cause)).collect())
}

/// Scans the records that begin in a range, from a true place or from a guess.
fn scan_range(
    dump: &Ranged,
    range: Range<u64>,
    from: Option<Place>,
    options: &Options,
    progress: &Arc<Progress>,
) -> Result<RangeScan, Error> {
    let Range { start, end } = range.clone();
    let first = Place { offset: dump.context.start, db: 0 };
    let from = from.or((start <= first.offset).then_some(first));
    let began = match from {
        Some(place) => Some(place.offset),
        None => dump.guess(&range)?,
    };
    let began = began.filter(|began| *began < end);
    let mut scan = RangeScan {
        start,
        end,
        dump_bytes: dump.size(),
        version: dump.version().map(str::to_owned),
        began,
        ended: began.or(from.map(|place| place.offset)).unwrap_or(start),
        db: from.map(|place| place.db),
        is_last: false,
        keys: 0,
        checksum: None,
    };
    // The same scan as that of the rows, so that both end at the same records.
    let rows = rows(dump, &Question::default(), scan.db, nowhere())?;
    let mut take = |found: Accumulated<Rows<'_>>, ended: u64, is_last: bool| {
        scan.db = found.accumulated.db();
        scan.keys = found.accumulated.keys();
        (scan.ended, scan.is_last) = (ended, is_last);
    };
    match &dump.bytes {
        Store::Mapped(map) => {
            if let Some(began) = began {
                let Walked { found, source, stop } = walk(dump, Slice::new(map.bytes(), began), end, rows, progress)?;
                take(found, source.offset(), stop.is_some());
            }
            scan.checksum = options.verify.then(|| checksum::of(dump.slice(range)));
        }
        Store::Object(_) if began.is_none() && !options.verify => {}
        Store::Object(object) => {
            // Its bytes are fetched once, for records and checksum.
            let from = if options.verify { start } else { began.unwrap_or(end) };
            let mut window = dump.window(object, from..end, options.verify, progress)?;
            if let Some(began) = began {
                window.pass_to(began);
                let walked = walk(dump, window, end, rows, progress)?;
                window = walked.source;
                dump.read_to_its_end(&mut window)?;
                take(walked.found, window.offset(), walked.stop.is_some());
            }
            scan.checksum = options.verify.then(|| dump.sum(&mut window, end, progress)).transpose()?;
        }
    }
    Ok(scan)
}

/// What a scan from one place to another came to.
struct Walked<'r, S> {
    found: Accumulated<Rows<'r>>,
    /// It stands behind the last record.
    source: S,
    /// How the dump ended, if it did.
    stop: Option<Stop>,
}

/// Reads the records from where a source stands up to those that begin at `until` or behind it, and hands their rows on.
fn walk<'r, S: KeepsKey>(
    dump: &Ranged,
    source: S,
    until: u64,
    rows: Rows<'r>,
    progress: &Progress,
) -> Result<Walked<'r, S>, Error> {
    let mut all = Accumulated::new(rows);
    let first = all.following(all.accumulated.db());
    let mut walk = Walk::new(source, first);
    while walk.ending.is_none() && walk.source.offset() < until {
        let before = walk.source.offset();
        walk.until(&dump.context, until.min(before.saturating_add(STEP_BYTES)));
        // The bytes of an object end where it was cancelled.
        if progress.is_cancelled() {
            return Err(dump.failed(ErrorKind::Cancelled { offset: before }));
        }
        // Rows of pages that were lost would be made of zeros.
        dump.check_pages()?;
        let next = all.following(walk.found.accumulated.db());
        let found = std::mem::replace(&mut walk.found, next);
        progress.add(walk.source.offset() - before, found.accumulated.keys());
        all.merge(found).map_err(|kind| {
            let damage = walk.source.error(FormatElement::Key, kind, 0).into();
            dump.failed(ErrorKind::Damaged { damage, dump_bytes: dump.size() })
        })?;
    }
    Ok(Walked { found: all, source: walk.source, stop: walk.ending })
}

fn rows<'r>(
    dump: &Ranged,
    question: &Question,
    db: Option<u64>,
    outlet: Arc<Mutex<Outlet<'r>>>,
) -> Result<Rows<'r>, Error> {
    let plan = asked(question, 0, Some(&dump.context)).map_err(|cause| dump.failed(cause))?;
    Ok(Rows::new(plan, db, Some(outlet)))
}

/// Where rows go that nobody looks at.
fn nowhere<'r>() -> Arc<Mutex<Outlet<'r>>> {
    Arc::new(Mutex::new(Outlet::new(ROWS_MAX, |_| {})))
}

/// Adds how the dump ends, which its last part comes to: where damage is known to begin may be in the middle of a record.
fn concluded(dump: Ranged, mut joined: Joined, scans: &[RangeScan], progress: &Arc<Progress>) -> Result<Joined, Error> {
    let from = joined.parts.last().map_or(Place { offset: dump.context.start, db: 0 }, |part| part.from);
    let last_rows = rows(&dump, &Question::default(), Some(from.db), nowhere())?;
    let (start, before) = summed_before(scans, from.offset);
    let whole = |of_rest: u64, end: u64| before.map(|before| checksum::combine(before, of_rest, end - start));
    let ending = match &dump.bytes {
        Store::Mapped(map) => {
            let source = Slice::new(map.bytes(), from.offset);
            let Walked { source, stop, .. } = walk(&dump, source, u64::MAX, last_rows, progress)?;
            // The scan ends with the bytes at the latest.
            stop.unwrap_or(Ok(source.offset())).map(|end| {
                let computed = before.and_then(|_| whole(checksum::of(dump.slice(start..end)), end));
                Ending::in_memory(map.bytes(), &dump.context, end, computed)
            })
        }
        Store::Object(object) => {
            // From where the checksums of the ranges end, so that no byte is fetched twice.
            let mut window = dump.window(object, start..dump.size(), before.is_some(), progress)?;
            window.pass_to(from.offset);
            let Walked { source: mut window, stop, .. } = walk(&dump, window, u64::MAX, last_rows, progress)?;
            dump.read_to_its_end(&mut window)?;
            let ending = stop.unwrap_or(Ok(window.offset())).map(|end| {
                let ending = stream::end(&mut window, &dump.context);
                Ending { computed: ending.computed.and_then(|of_rest| whole(of_rest, end)), ..ending }
            });
            dump.read_to_its_end(&mut window)?;
            ending
        }
    };
    let found = Accumulated::new(rows(&dump, &Question::default(), None, nowhere())?);
    let outcome = Outcome { found, ending, dump_bytes: dump.size(), cancelled_at: None };
    let change = dump.change();
    let concluded = conclude(&dump.name, dump.context, outcome, change);
    (joined.notes, joined.errors) = (concluded.notes, concluded.damage);
    Ok(joined)
}

/// Where the range begins that an offset is in, and the checksum of the bytes before it, if those of the ranges were computed.
fn summed_before(scans: &[RangeScan], offset: u64) -> (u64, Option<u64>) {
    let (mut start, mut sum) = (0, scans.first().and_then(|scan| scan.checksum).map(|_| 0));
    for scan in scans.iter().take_while(|scan| scan.end <= offset) {
        sum = sum.zip(scan.checksum).map(|(sum, of_range)| checksum::combine(sum, of_range, scan.end - scan.start));
        start = scan.end;
    }
    (start, sum)
}
