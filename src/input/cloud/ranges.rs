//! An object as a stream: ranges of it are fetched side by side and handed on in order.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::SystemTime;

use futures_util::StreamExt;
use tokio::task::AbortHandle;

use super::patience::{Patience, persistently, runtime, wait};
use super::source::{Answer, Identity, Source};
use super::whole::Whole;
use crate::input::failure::{Failure, Kind};

/// Bytes of the first range: enough to see what the object is, and little to fetch in vain.
const FIRST_BYTES: u64 = 1 << 20;

/// Bytes of a range: what stores advise, so that asking costs little beside fetching.
const RANGE_BYTES: u64 = 8 << 20;

/// Ranges that are fetched or wait to be taken: with the one that is being taken, 104 MiB.
const RANGES_AHEAD: usize = 12;

/// Bytes of the first range behind those that were wanted: the rest of a record. Each that follows is twice as long.
const NEXT_BYTES: u64 = 64 << 10;

/// Bytes after which whoever reads wants more than to know what it is.
const GLANCE_BYTES: usize = 64 << 10;

/// An object whose size is known and whose ranges can be had.
pub(super) struct Ranged {
    source: Source,
    pub(super) size: u64,
    identity: Identity,
}

/// What is at a URL, and its first bytes.
pub(super) enum Opened {
    Ranged(Arc<Ranged>, Answer),
    /// The server sends all or nothing.
    Whole(Source, Answer),
}

impl Opened {
    /// Asks for the first bytes of what is at a URL.
    ///
    /// # Errors
    /// If there is nothing, or nobody may read it.
    pub(super) fn new(url: &str, first_bytes: u64) -> Result<Self, Failure> {
        let source = Source::of(url)?;
        wait(async move {
            let answer = persistently(|| source.ask(Some(0..first_bytes), None)).await?;
            Ok(match (&answer.range, answer.size) {
                (Some(_), Some(size)) => {
                    let identity = answer.identity.clone();
                    Self::Ranged(Arc::new(Ranged { source, size, identity }), answer)
                }
                _ => Self::Whole(source, answer),
            })
        })
    }

    /// How many bytes it has, if the server says so.
    pub(super) fn size(&self) -> Option<u64> {
        match self {
            Self::Ranged(ranged, _) => Some(ranged.size),
            Self::Whole(_, answer) => answer.size,
        }
    }

    /// When it was written, if the server says so.
    pub(super) fn written_at(&self) -> Option<SystemTime> {
        let (Self::Ranged(_, answer) | Self::Whole(_, answer)) = self;
        answer.written_at
    }
}

/// Opens what is at a URL as a stream.
///
/// # Errors
/// As [`Opened::new`].
pub(super) fn stream(url: &str) -> Result<Box<dyn Read + Send>, Failure> {
    Ok(match Opened::new(url, FIRST_BYTES)? {
        Opened::Whole(source, answer) => Box::new(Whole::new(source, answer)?),
        Opened::Ranged(object, answer) => {
            let until = object.size;
            let mut ranges = Ranges::new(object, 0..until);
            ranges.fetch(FIRST_BYTES, Some(answer))?;
            Box::new(ranges)
        }
    })
}

/// An object from a range's start on as a stream: the range side by side, and then what is asked for.
///
/// # Errors
/// If no threads can be started.
pub(super) fn from(object: &Arc<Ranged>, range: Range<u64>) -> Result<Box<dyn Read + Send>, Failure> {
    let mut ranges = Ranges::new(object.clone(), range);
    ranges.is_wanted = true;
    ranges.fetch_ahead()?;
    Ok(Box::new(ranges))
}

impl Ranged {
    /// The bytes of a range, whatever it takes to get them.
    ///
    /// # Errors
    /// Once it has failed too often, or the object is another one.
    pub(super) async fn fetch(&self, range: Range<u64>, mut answer: Option<Answer>) -> Result<Vec<u8>, Failure> {
        let range = range.start..range.end.min(self.size);
        let expected = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        let mut bytes = Vec::with_capacity(expected);
        let mut patience = Patience::default();
        while bytes.len() < expected {
            let before = bytes.len();
            let missing = range.start + before as u64..range.end;
            let fetched = match answer.take() {
                Some(answer) => take(answer, &mut bytes, expected).await,
                None => match self.source.ask(Some(missing), Some(&self.identity)).await {
                    Ok(answer) => match self.judge(&answer) {
                        Ok(()) => take(answer, &mut bytes, expected).await,
                        wrong => wrong,
                    },
                    Err(failure) => Err(failure),
                },
            };
            if bytes.len() > before {
                patience.renew();
            }
            if let Err(failure) = fetched {
                patience.wait(failure).await?;
            }
        }
        Ok(bytes)
    }

    /// The `ETag` by which a server tells it from others.
    pub(super) fn version(&self) -> Option<&str> {
        self.identity.strong().map(String::as_str)
    }

    /// Whether an answer is of the object that was opened.
    fn judge(&self, answer: &Answer) -> Result<(), Failure> {
        match (&answer.range, answer.size) {
            (Some(range), _) if range.is_empty() => {
                let size = self.size;
                Err(Failure::last(format!(
                    "the server said that there are {size} bytes, but does not have all of them"
                )))
            }
            (Some(_), Some(size)) if size != self.size => Err(super::explain::changed()),
            (Some(_), _) => Ok(()),
            (None, _) => Err(Failure::last("the server answered a range and then no more: download the file first")),
        }
    }
}

/// Adds an answer's bytes, `bytes_max` in all.
async fn take(mut answer: Answer, to: &mut Vec<u8>, bytes_max: usize) -> Result<(), Failure> {
    while let Some(bytes) = answer.bytes.next().await {
        let bytes = bytes?;
        if bytes.len() > bytes_max - to.len() {
            return Err(Failure::last("the server sends more bytes than it was asked for: download the file first"));
        }
        to.extend_from_slice(&bytes);
    }
    if to.len() == bytes_max { Ok(()) } else { Err(early()) }
}

fn early() -> Failure {
    Failure { kind: Kind::Transient, sentence: "the server ends its answers too early".to_owned() }
}

/// A range that is being fetched.
type Coming = (Receiver<Result<Vec<u8>, Failure>>, AbortHandle);

/// The ranges of an object, in order.
struct Ranges {
    object: Arc<Ranged>,
    /// Offset after the last range that was asked for.
    asked: u64,
    /// Up to where ranges are asked for before anybody reads them.
    until: u64,
    /// Bytes of the next range that is asked for behind that.
    next_bytes: u64,
    /// Whether whoever reads wants more than to know what it is.
    is_wanted: bool,
    coming: VecDeque<Coming>,
    at_hand: Vec<u8>,
    at: usize,
}

impl Ranges {
    fn new(object: Arc<Ranged>, Range { start, end }: Range<u64>) -> Self {
        let until = end.min(object.size);
        let (coming, at_hand) = (VecDeque::new(), Vec::new());
        Self { object, asked: start, until, next_bytes: NEXT_BYTES, is_wanted: false, coming, at_hand, at: 0 }
    }

    /// Asks for the next range.
    fn fetch(&mut self, bytes: u64, answer: Option<Answer>) -> Result<(), Failure> {
        let range = self.asked..self.asked.saturating_add(bytes).min(self.object.size);
        self.asked = range.end;
        let (done, fetched) = sync_channel(1);
        let object = self.object.clone();
        let task = runtime()?.spawn(async move { _ = done.send(object.fetch(range, answer).await) });
        self.coming.push_back((fetched, task.abort_handle()));
        Ok(())
    }

    fn fetch_ahead(&mut self) -> Result<(), Failure> {
        while self.coming.len() < RANGES_AHEAD && self.asked < self.until {
            self.fetch(RANGE_BYTES.min(self.until - self.asked), None)?;
        }
        Ok(())
    }
}

impl Read for Ranges {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.at == self.at_hand.len() {
            self.at_hand = Vec::new();
            self.at = 0;
            if self.coming.is_empty() && self.asked < self.object.size {
                self.fetch(self.next_bytes, None)?;
                self.next_bytes = (self.next_bytes * 2).min(RANGE_BYTES);
            }
            let Some((fetched, _)) = self.coming.pop_front() else { return Ok(0) };
            let fault = || Err(Failure::last("a request broke off by a fault of this program"));
            self.at_hand = fetched.recv().unwrap_or_else(|_| fault())?;
        }
        let bytes = self.at_hand.get(self.at..).unwrap_or_default().read(to)?;
        self.at += bytes;
        // Whoever reads past a glance wants all of it.
        self.is_wanted |= self.at > GLANCE_BYTES;
        if self.is_wanted {
            self.fetch_ahead()?;
        }
        Ok(bytes)
    }
}

impl Drop for Ranges {
    fn drop(&mut self) {
        self.coming.iter().for_each(|(_, task)| task.abort());
    }
}
