//! Dumps inside other files: disk images, images of memory, archives that do not compress.
//!
//! A dump is found by its magic and followed by the walk of a check. Where no magic is, runs of records are found by their
//! looks, as after damage in a dump. The file is looked through in blocks, side by side; what is found is followed in file
//! order. All-zero blocks, which holes of sparse files are, are passed over.
//!
//! Each byte is walked over a bounded number of times: behind a damaged dump the search goes on behind the start of the
//! record that is damaged, so that a dump within what that record claims is found; once such walks have taken
//! [`REPEATED_WALKS_MAX`] times the file's bytes, it goes on where they ended.

use std::collections::HashSet;
use std::ops::Range;

use rayon::prelude::*;
use regex::bytes::Regex;

use crate::check::Checksum;
use crate::check::record::{Record, Sink, What};
use crate::check::walk::Walk;
use crate::check::watched::Watched;
use crate::engine::{Progress, guess};
use crate::error::words;
use crate::rdb::context::{MAGIC_BYTES, REDIS_VERSION_KNOWN};
use crate::rdb::entry::{Key, Step, step};
use crate::rdb::primitives::u64_le;
use crate::rdb::source::{KeepsKey, Slice, Source};
use crate::rdb::{Context, Dialect, FormatElement, ParseErrorKind, ValueType, checksum, header};

/// A run of fewer records is taken for chance.
pub const RUN_RECORDS_MIN: u64 = 8;

/// Keys of a run whose names are looked at, and how many of ten must have a name of their own: in a dump each has, while what looks like
/// records in tables and code repeats itself.
const NAMES_SEEN: usize = 64;
const DISTINCT_OF_TEN: usize = 9;

/// Bytes of a name that are looked at.
const NAME_BYTES_SEEN: usize = 256;

/// Shorter names in binary are no IDs.
const ID_BYTES_MIN: usize = 4;

/// More finds than this, and the file is made to give many.
pub const FINDS_MAX: usize = 100_000;

/// How many times the file's bytes may be walked over again, behind damage.
const REPEATED_WALKS_MAX: u64 = 16;

/// The longest string that servers take by default: what a dump that is cut claims beyond its last record is followed as far.
const CUT_BYTES_MAX: u64 = 512 << 20;

/// Bytes that one thread looks through at once, and how many such blocks are looked through side by side.
const BLOCK_BYTES: usize = 1 << 20;
const BLOCKS: usize = 32;

/// Bytes that are passed over if they are all the same, as in holes and erased pages; else the words that a search for records
/// may read in them besides some for each byte.
const PAGE_BYTES: usize = 4 << 10;
const PAGE_WORDS: usize = 64 << 10;

/// A dump, or a run of records, within another file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carved {
    /// Offset of its first byte.
    pub offset: u64,
    /// Offset behind its last one.
    pub end: u64,
    /// Whose it is and of which version; of a run of records the least version that has their types.
    pub format: (Dialect, u32),
    /// Whether it begins with a magic; else it is a run of records whose start is guessed.
    pub has_header: bool,
    /// Whether it ends with an EOF record.
    pub has_end: bool,
    /// Keys in it.
    pub keys: u64,
    /// What its own checksum says; of a run of records nothing.
    pub checksum: Checksum,
    /// Where and why it could not be followed further; offset in the file.
    pub damage: Option<(u64, String)>,
    /// Whether the file ended first.
    pub is_cut: bool,
}

impl Carved {
    /// Bytes from its first to its last.
    pub fn bytes(&self) -> u64 {
        self.end - self.offset
    }

    /// The start that a run of records lacks, so that it reads as a dump.
    pub fn header(&self) -> Vec<u8> {
        if self.has_header { Vec::new() } else { format!("REDIS{:04}", self.format.1).into_bytes() }
    }

    /// The end that a run of records lacks: an EOF record without a checksum.
    pub fn footer(&self) -> &'static [u8] {
        if self.has_header || self.has_end { &[] } else { b"\xff\0\0\0\0\0\0\0\0" }
    }
}

/// Finds what is in `image` and hands it to `take`, in file order, until that says no; says whether all of it was looked
/// through.
pub fn carve(image: &[u8], progress: &Progress, take: &mut dyn FnMut(&Carved) -> bool) -> bool {
    progress.expect(Some(image.len() as u64));
    // It is well-formed.
    let Ok(magics) = Regex::new("(?-u)REDIS0|VALKEY") else { return false };
    let searcher = Searcher { image, magics, records: Context::new(Dialect::Redis, REDIS_VERSION_KNOWN) };
    let mut carver = Carver { searcher: &searcher, progress, take, pending: None, finds: 0, repeated_bytes: 0 };
    let mut at = 0;
    while at < image.len() && !progress.is_cancelled() {
        let block = |number: usize| at + number * BLOCK_BYTES..(at + (number + 1) * BLOCK_BYTES).min(image.len());
        let ranges: Vec<Range<usize>> = (0..BLOCKS).map(block).filter(|range| !range.is_empty()).collect();
        let starts: Vec<Option<Start>> = ranges.par_iter().map(|range| searcher.first(range.clone())).collect();
        for (range, first) in ranges.into_iter().zip(starts) {
            // What was found before may reach into this block, or beyond it.
            let mut first = if at > range.start { searcher.first(at..range.end) } else { first };
            while let Some(start) = first {
                let Some(next) = carver.follow(start) else { return false };
                progress.add((next - at) as u64, 0);
                at = next;
                first = searcher.first(at..range.end);
            }
            if at < range.end {
                progress.add((range.end - at) as u64, 0);
                at = range.end;
            }
        }
    }
    carver.hand_on(None) && at >= image.len()
}

/// Where something may begin.
#[derive(Clone, Copy, Debug)]
enum Start {
    Magic(usize),
    Records(usize),
}

/// Looks for starts.
struct Searcher<'i> {
    image: &'i [u8],
    magics: Regex,
    /// How records are read that no magic is in front of.
    records: Context,
}

impl Searcher<'_> {
    /// The first start in a range.
    fn first(&self, range: Range<usize>) -> Option<Start> {
        let window = self.image.get(range.start..range.end.saturating_add(MAGIC_BYTES).min(self.image.len()))?;
        let magic = self
            .magics
            .find_iter(window)
            .map(|found| range.start + found.start())
            .find(|at| *at < range.end && self.image.get(*at..).is_some_and(|start| header::magic(start).is_ok()));
        let mut from = range.start;
        let end = magic.unwrap_or(range.end);
        while from < end {
            let page = from..end.min(from.saturating_add(PAGE_BYTES));
            from = page.end;
            let is_uniform = self.image.get(page.clone()).is_none_or(|page| {
                let first = page.first().copied().unwrap_or(0);
                page.iter().all(|byte| *byte == first)
            });
            if is_uniform {
                continue;
            }
            let page = page.start as u64..page.end as u64;
            if let Some(start) = guess::run(self.image, &self.records, page, PAGE_WORDS) {
                return usize::try_from(start).ok().map(Start::Records);
            }
        }
        magic.map(Start::Magic)
    }
}

/// Follows what begins, and hands it on.
struct Carver<'s, 't> {
    searcher: &'s Searcher<'s>,
    progress: &'s Progress,
    take: &'t mut dyn FnMut(&Carved) -> bool,
    /// What was found last, if it is damaged: what begins before its end cuts it.
    pending: Option<Carved>,
    finds: usize,
    repeated_bytes: u64,
}

impl Carver<'_, '_> {
    /// Follows what begins here; gives where the search goes on, or nothing if it is to end.
    fn follow(&mut self, start: Start) -> Option<usize> {
        let (carved, next) = match start {
            Start::Magic(at) => self.dump(at)?,
            Start::Records(at) => self.records(at),
        };
        match carved {
            Some(carved) => self.hand_on(Some(carved)).then_some(next),
            None => Some(next),
        }
    }

    /// Hands on what was found before and keeps what was found now.
    fn hand_on(&mut self, next: Option<Carved>) -> bool {
        let start = next.as_ref().map(|next| next.offset);
        let Some(mut last) = std::mem::replace(&mut self.pending, next) else { return true };
        last.end = start.map_or(last.end, |start| last.end.min(start));
        self.finds += 1;
        (self.take)(&last) && self.finds < FINDS_MAX
    }

    /// Follows the dump that begins here, if one does; nothing if the work was cancelled.
    fn dump(&mut self, at: usize) -> Option<(Option<Carved>, usize)> {
        let rest = self.searcher.image.get(at..).unwrap_or_default();
        let not_one = (None, at + 1);
        let mut source = Slice::new(rest, 0);
        let Ok(mut walk) = Walk::start(&mut source, false) else { return Some(not_one) };
        let walks = self.progress.uncounted();
        let mut counted = Counted::default();
        let walked = walk.run(&mut source, &mut Watched::over_memory(&mut counted, &walks, 0));
        if walks.is_cancelled() {
            return None;
        }
        let offset = at as u64;
        let mut carved = Carved {
            offset,
            end: offset,
            format: (walk.context.dialect, walk.context.version),
            has_header: true,
            has_end: walked.is_ok(),
            keys: counted.keys,
            checksum: Checksum::NotReached,
            damage: None,
            is_cut: false,
        };
        let damage = match walked {
            Ok(end) if !walk.context.has_checksum() => {
                carved.checksum = Checksum::Absent;
                carved.end = offset + end;
                None
            }
            Ok(end) => match source.parse(FormatElement::Checksum, u64_le) {
                Ok(stored) => {
                    let computed = usize::try_from(end).ok().and_then(|end| rest.get(..end)).map(checksum::of);
                    carved.checksum = match stored {
                        0 => Checksum::Disabled,
                        stored if Some(stored) == computed => Checksum::Verified,
                        _ => Checksum::Mismatch,
                    };
                    carved.end = offset + source.offset();
                    None
                }
                Err(error) => Some((error, end)),
            },
            // A magic that nothing follows is a word in some text.
            Err(_) if counted.records == 0 => return Some(not_one),
            // Records of compressed blobs have offsets of their own.
            Err(damage) => Some((damage.error, walk.record_start.min(damage.error.offset))),
        };
        let Some((error, record_start)) = damage else {
            let next = usize::try_from(carved.end).unwrap_or(usize::MAX);
            return Some((Some(carved), next));
        };
        let left = (rest.len() as u64).saturating_sub(error.offset);
        carved.is_cut = error.kind == ParseErrorKind::Eof;
        carved.end = offset + error.offset + if carved.is_cut { left.min(CUT_BYTES_MAX) } else { 0 };
        carved.damage = Some((offset + error.offset, words(error, rest.len() as u64)));
        let next = self.next(offset + record_start, offset + error.offset);
        Some((Some(carved), next.max(at + 1)))
    }

    /// Where the search goes on behind damage.
    fn next(&mut self, record_start: u64, walked_to: u64) -> usize {
        self.repeated_bytes += walked_to.saturating_sub(record_start);
        let repeated_bytes_max = REPEATED_WALKS_MAX * self.searcher.image.len() as u64;
        let next =
            if self.repeated_bytes <= repeated_bytes_max { record_start + 1 } else { walked_to.max(record_start + 1) };
        usize::try_from(next).unwrap_or(usize::MAX).min(self.searcher.image.len())
    }

    /// Follows the run of records that seems to begin here.
    fn records(&mut self, at: usize) -> (Option<Carved>, usize) {
        let Searcher { image, records: context, .. } = self.searcher;
        let offset = at as u64;
        let mut source = Slice::new(image, offset);
        let (mut keys, mut records, mut newest) = (0, 0, ValueType(0));
        let mut names = RunNames::default();
        let mut end = offset;
        let (damage, has_end) = loop {
            let stepped = step(&mut source, context, u64::MAX, |source, key| {
                keys += 1;
                newest = newest.max(key.header.value_type);
                names.add(&key.entry(source.kept()).key);
                Ok(())
            });
            match stepped {
                Ok(Step::End) => break (None, true),
                Ok(_) => {}
                // The next record follows.
                Err(damage) if damage.error.costs_one_key() => {}
                Err(damage) => break (Some(damage), false),
            }
            records += 1;
            end = source.offset();
            if self.progress.is_cancelled() {
                break (None, false);
            }
        };
        if has_end {
            end = source.offset() + checksum::BYTES.min(source.rest().len() as u64);
        }
        let walked_to = damage.as_ref().map_or(end, |damage| damage.error.offset.max(end));
        let next = self.next(end, walked_to).max(at + 1);
        if records < RUN_RECORDS_MIN || !names.are_of_keys() {
            return (None, next);
        }
        let carved = Carved {
            offset,
            end,
            format: (Dialect::Redis, version_of(newest)),
            has_header: false,
            has_end,
            keys,
            checksum: Checksum::NotReached,
            is_cut: damage.as_ref().is_some_and(|damage| damage.error.kind == ParseErrorKind::Eof),
            damage: damage.map(|damage| (damage.error.offset, words(damage.error, image.len() as u64))),
        };
        (Some(carved), next)
    }
}

/// The names of the first keys of a run.
#[derive(Default)]
struct RunNames {
    /// The length of each, and its first bytes.
    names: Vec<(usize, Vec<u8>)>,
    scratch: Vec<u8>,
}

impl RunNames {
    fn add(&mut self, key: &Key<'_>) {
        if self.names.len() < NAMES_SEEN && !key.is_oversized() {
            // A name that does not inflate is as good as none.
            let name = key.decode(&mut self.scratch).unwrap_or_default();
            self.names.push((name.len(), name.get(..NAME_BYTES_SEEN).unwrap_or(name).to_vec()));
        }
    }

    /// Whether names are as those of keys: nearly all of them different, and half of them texts or all of one length, as IDs in
    /// binary are.
    fn are_of_keys(&self) -> bool {
        let all = self.names.len();
        let different = self.names.iter().collect::<HashSet<_>>().len();
        let texts = self.names.iter().filter(|(_, name)| is_text(name)).count();
        let mut lengths = self.names.iter().map(|(length, _)| *length);
        let first = lengths.next().unwrap_or(0);
        let is_of_ids = first >= ID_BYTES_MIN && lengths.all(|length| length == first);
        all > 0 && different * 10 >= all * DISTINCT_OF_TEN && (texts * 2 >= all || is_of_ids)
    }
}

/// Whether a name begins as a text without control characters.
fn is_text(name: &[u8]) -> bool {
    let mut chunks = name.utf8_chunks();
    let Some(first) = chunks.next() else { return false };
    // The last character may be cut.
    let is_whole = chunks.next().is_none() && (first.invalid().is_empty() || name.len() == NAME_BYTES_SEEN);
    is_whole && !first.valid().chars().any(char::is_control)
}

/// The least version of those in use whose servers know all types up to this one (format section 7).
fn version_of(newest: ValueType) -> u32 {
    if newest <= ValueType::STREAM_3 {
        11
    } else if newest <= ValueType::HASH_LISTPACK_TTL {
        12
    } else {
        REDIS_VERSION_KNOWN
    }
}

/// Counts records.
#[derive(Default)]
struct Counted {
    records: u64,
    keys: u64,
}

impl Sink for Counted {
    fn record(&mut self, _: &Context, record: &Record<'_>) -> Result<(), ParseErrorKind> {
        self.records += 1;
        self.keys += u64::from(matches!(record.what, What::Key(_)));
        Ok(())
    }
}
