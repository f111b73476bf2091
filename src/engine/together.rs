//! Dumps in turn, the small ones among them side by side, each by one thread.
//!
//! A few are begun at a time, and what comes of them is handed over in their order. What a compressed one takes is known only
//! when it is read: one that takes more than its share is read again when it is its turn, alone.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::ThreadPool;

use super::progress::Progress;
use super::segments::pool;
use crate::error::Error;
use crate::input::{Company, Quota, Share, is_manifest, is_url, stored_bytes};

/// Dumps of no more bytes are not worth several threads each, and are read side by side: so many at a time, of so many bytes in
/// all, for what was found in each is held until it is its turn.
const SMALL_BYTES_MAX: u64 = 1 << 20;
const TOGETHER_BYTES_MAX: u64 = 8 << 20;
const TOGETHER_MAX: usize = 64;

/// As that, for files of Dragonfly's of any size, of which each may have some megabytes to say.
const SHARDS_MAX: usize = 8;

/// Dumps on their way, and what comes of each.
#[derive(Debug)]
pub(crate) struct Turns<R> {
    threads: usize,
    /// Started with the first dumps that are read side by side.
    pool: Option<ThreadPool>,
    /// What came of the dumps that were read side by side and comes next; none of one that is still to be read alone.
    read: VecDeque<Option<R>>,
}

impl<R: Send> Turns<R> {
    pub(crate) fn new(threads: usize) -> Self {
        Self { threads, pool: None, read: VecDeque::new() }
    }

    /// How many of these dumps, which come next and have these sizes, are read next.
    pub(crate) fn next_dumps<'p>(&self, dumps: impl Iterator<Item = (&'p Path, Option<u64>)>) -> usize {
        match self.read.front() {
            Some(None) => 1,
            Some(Some(_)) => self.read.iter().take_while(|read| read.is_some()).count(),
            None => side_by_side(dumps, self.threads),
        }
    }

    /// Reads the next of the dumps that are `left`, takes them off it, and says what came of each. Where `progress` is cancelled,
    /// those that had not begun stay left.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] if the threads cannot be started.
    pub(crate) fn read_off<D: Sync>(
        &mut self,
        left: &mut &[D],
        path_of: impl Fn(&D) -> &Path,
        progress: &Progress,
        read: impl Fn(&D, &Company) -> R + Sync,
    ) -> Result<Vec<R>, Error> {
        let mut sizes = Vec::new();
        let asked = left.iter().map(|dump| {
            let bytes = stored_bytes(path_of(dump));
            sizes.push(bytes);
            (path_of(dump), bytes)
        });
        let next = self.next_dumps(asked);
        let batch = left.get(..next).unwrap_or_default();
        // Of one thread, or of dumps that were read already, no sizes were asked.
        sizes.extend(batch.iter().skip(sizes.len()).map(|dump| stored_bytes(path_of(dump))));
        progress.expect(sizes.iter().take(batch.len()).copied().sum());
        let came = self.read_next(batch, progress, |_, dump, company| read(dump, company))?;
        *left = left.get(came.len()..).unwrap_or_default();
        Ok(came)
    }

    /// Reads the dumps that [`Self::next_dumps`] counted, and says what came of each, or of those that had begun when `progress`
    /// was cancelled. `read` is called with a dump's place among them.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] if the threads cannot be started.
    pub(crate) fn read_next<D: Sync>(
        &mut self,
        dumps: &[D],
        progress: &Progress,
        read: impl Fn(usize, &D, &Company) -> R + Sync,
    ) -> Result<Vec<R>, Error> {
        if let (None, [_, _, ..]) = (self.read.front(), dumps) {
            let pool = match self.pool.take() {
                Some(started) => self.pool.insert(started),
                None => self.pool.insert(pool(self.threads).map_err(|cause| Error::new("", cause))?),
            };
            self.read.extend(read_side_by_side(dumps, pool, progress, &read));
        }
        let came: Vec<R> = std::iter::from_fn(|| self.read.pop_front_if(|read| read.is_some()).flatten()).collect();
        match dumps.first() {
            Some(dump) if came.is_empty() => {
                self.read.pop_front();
                Ok(vec![read(0, dump, &Company::Alone { threads: self.threads })])
            }
            _ => Ok(came),
        }
    }
}

/// Reads dumps side by side, in their order: those that were begun come before those that were not.
fn read_side_by_side<D: Sync, R: Send>(
    dumps: &[D],
    pool: &ThreadPool,
    progress: &Progress,
    read: &(impl Fn(usize, &D, &Company) -> R + Sync),
) -> impl Iterator<Item = Option<R>> {
    let quota = Arc::<Quota>::default();
    let left = Mutex::new(dumps.iter().enumerate());
    let take = || {
        let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = left.len() == dumps.len();
        if is_first || !progress.is_cancelled() && quota.has_room() { left.next() } else { None }
    };
    let work = |_: rayon::BroadcastContext<'_>| {
        let next = || {
            let (at, dump) = take()?;
            let share = Share::of(&quota);
            let came = read(at, dump, &Company::Others(share.clone()));
            Some((at, Some(came).filter(|_| !share.is_exceeded())))
        };
        std::iter::from_fn(next).collect::<Vec<_>>()
    };
    let mut came: Vec<_> = pool.broadcast(work).into_iter().flatten().collect();
    came.sort_unstable_by_key(|(at, _)| *at);
    came.into_iter().map(|(_, came)| came)
}

/// How many of the dumps that come first, with these sizes, are read side by side by so many threads. No more of them are asked
/// for than it takes.
fn side_by_side<'p>(dumps: impl Iterator<Item = (&'p Path, Option<u64>)>, threads: usize) -> usize {
    if threads < 2 {
        return 1;
    }
    let mut dumps = dumps.peekable();
    let mut together_bytes = 0;
    let mut small = 0;
    while small < TOGETHER_MAX {
        let dump = dumps.peek().filter(|(path, _)| !is_manifest(path));
        let bytes = dump.and_then(|(_, bytes)| *bytes).filter(|bytes| *bytes <= SMALL_BYTES_MAX);
        let Some(bytes) = bytes.filter(|bytes| together_bytes + bytes <= TOGETHER_BYTES_MAX) else { break };
        together_bytes += bytes;
        small += 1;
        dumps.next();
    }
    // A file of Dragonfly's is scanned by one thread anyway. A snapshot's summary, which is small, may come first.
    let shards = if small < 2 { dumps.take(SHARDS_MAX.min(2 * threads)).take_while(is_shard).count() } else { 0 };
    (small + shards).max(1)
}

/// Whether a dump is one of the files of a snapshot of Dragonfly's, by its name.
fn is_shard((path, bytes): &(&Path, Option<u64>)) -> bool {
    bytes.is_some() && path.extension().is_some_and(|extension| extension == "dfs") && !is_url(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(dumps: &[(&str, u64)], threads: usize) -> (usize, usize) {
        let mut asked = 0;
        let dumps = dumps.iter().map(|(path, bytes)| (Path::new(path), Some(*bytes).filter(|bytes| *bytes > 0)));
        let together = side_by_side(dumps.inspect(|_| asked += 1), threads);
        (together, asked)
    }

    #[test]
    fn small_ones_are_taken_up_to_the_first_that_is_not_or_has_no_place() {
        const SMALL: (&str, u64) = ("a", SMALL_BYTES_MAX);
        const LARGE: (&str, u64) = ("b", SMALL_BYTES_MAX + 1);
        const PIPE: (&str, u64) = ("-", 0);
        for (dumps, together) in [
            (vec![], 1),
            (vec![SMALL], 1),
            (vec![SMALL, SMALL, LARGE, SMALL], 2),
            (vec![SMALL, PIPE, SMALL], 1),
            (vec![LARGE, SMALL], 1),
            (vec![SMALL, SMALL, ("dump.manifest", 100), SMALL], 2),
            (vec![PIPE, SMALL], 1),
            (vec![SMALL; 20], 8),
            (vec![("a", 1); 100], TOGETHER_MAX),
        ] {
            assert_eq!(of(&dumps, 2).0, together, "{dumps:?}");
            assert_eq!(of(&dumps, 1), (1, 0));
        }
        assert_eq!(of(&[LARGE; 9], 2), (1, 1));
    }

    #[test]
    fn shards_of_dragonfly_are_taken_whatever_their_size() {
        let snapshot = |shards: usize| {
            let mut dumps = vec![("a-summary.dfs", 100)];
            dumps.resize(1 + shards, ("a-0000.dfs", 1 << 30));
            dumps
        };
        assert_eq!(of(&snapshot(3), 2).0, 4);
        assert_eq!(of(&snapshot(30), 2).0, 5);
        assert_eq!(of(&[("a.dfs", 1 << 30), ("b.rdb", 1 << 30)], 2).0, 1);
        assert_eq!(of(&[("s3://bucket/a.dfs", 1 << 30); 3], 2).0, 1);
    }
}
