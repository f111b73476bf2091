//! Which of many dumps are read side by side, each by one thread.

use std::path::Path;

use crate::input::is_url;

/// Dumps of no more bytes are not worth several threads each, and are read side by side: so many at a time, of so many bytes in
/// all, for what was found in each is held until it is its turn.
const SMALL_BYTES_MAX: u64 = 1 << 20;
const TOGETHER_BYTES_MAX: u64 = 8 << 20;
const TOGETHER_MAX: usize = 64;

/// As that, for files of Dragonfly's of any size, of which each may have some megabytes to say.
const SHARDS_MAX: usize = 8;

/// How many of the dumps that come first, with these sizes, are read side by side by so many threads. No more of them are asked
/// for than it takes.
pub(crate) fn side_by_side<'p>(dumps: impl Iterator<Item = (&'p Path, Option<u64>)>, threads: usize) -> usize {
    if threads < 2 {
        return 1;
    }
    let mut dumps = dumps.peekable();
    let mut together_bytes = 0;
    let mut small = 0;
    while small < TOGETHER_MAX {
        let bytes = dumps.peek().and_then(|(_, bytes)| *bytes).filter(|bytes| *bytes <= SMALL_BYTES_MAX);
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
