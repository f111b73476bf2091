//! A compressed file that is inflated side by side.
//!
//! Where its members say how long they are ([`super::extent`]), or its blocks do not need each other ([`super::lz4_blocks`]), a
//! few of them are read ahead and handed to workers as units, and what comes of these is given in their order. A unit's length
//! is a claim: a worker inflates it as if there were nothing else, and only where that ends without any trouble, exactly with
//! the unit, it is what one decoder gives that has all of the file. Else, and where the next unit cannot be told, one decoder
//! goes on alone from the first unit that was not given to its end, and what was given of that is skipped. So bytes and errors
//! are those that one decoder gives.

use std::collections::VecDeque;
use std::io::{self, BufRead, Cursor, Read};
use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::ahead::Ahead;
use super::extent;
use super::lz4_blocks::{Content, END_MARK, Frame, Promises, Run};
use super::members::{KIND_BYTES, Kind, Members};

/// Stored bytes that are worth a worker's turn. Blocks of BGZF have 64 KiB at most and go by the dozen.
const UNIT_BYTES: usize = 256 << 10;

/// More workers inflate more than one scan takes, and each may need a window of some megabytes.
const WORKERS_MAX: usize = 8;

/// Fewer workers than these leave LZ4 to one decoder: it is so fast that two of them took 0.80 s for what it gives in 0.60.
const LZ4_WORKERS_MIN: usize = 4;

/// Stored bytes that are read ahead.
const STORED_BYTES_MAX: usize = 48 << 20;

/// Bytes of a piece of what a member inflates to, and of all pieces that wait: a worker that would be further ahead waits.
const CHUNK_BYTES: usize = 256 << 10;
const WAITING_BYTES_MAX: usize = 64 << 20;

/// A reader of what a compressed file inflates to.
pub(super) struct SideBySide {
    /// What has not been handed out.
    from: Ahead,
    /// The frame in the midst of which that begins.
    frame: Option<Frame>,
    /// What has been handed out, in order.
    units: VecDeque<Unit>,
    /// Units that are handed out at once.
    units_max: usize,
    /// Where workers take the next one; none once there are no more.
    tasks: Option<Sender<Task>>,
    /// What of the first unit is given next.
    chunk: Cursor<Vec<u8>>,
    /// What was given of the frame that the first unit is part of.
    content: Content,
    /// The one decoder.
    alone: Option<Members>,
    note: Arc<OnceLock<String>>,
}

/// A part of the file that is inflated by itself.
struct Unit {
    stored: Arc<[u8]>,
    /// Of blocks, what they are part of.
    of_frame: Option<OfFrame>,
    /// Bytes of what it inflates to that were given.
    given: u64,
    inflated: Receiver<Inflated>,
}

/// A run of blocks in their frame.
struct OfFrame {
    header: Vec<u8>,
    /// Whether the frame's own header is before them.
    is_first: bool,
    promises: Option<Promises>,
}

/// A unit on its way to a worker.
struct Task {
    stored: Arc<[u8]>,
    /// Of blocks, a header, and where they are.
    blocks: Option<(Vec<u8>, Range<usize>)>,
    inflated: SyncSender<Inflated>,
}

/// What a worker hands in. One that says no more before the end came to something that the one decoder has to judge.
enum Inflated {
    Chunk(Vec<u8>),
    End,
}

impl SideBySide {
    /// What `members`, of which none has been read, inflate to by so many workers, or by one decoder if they cannot help.
    ///
    /// # Errors
    /// Those of starting a thread.
    pub(super) fn inflate(members: Members, workers: usize) -> io::Result<Self> {
        let workers = workers.min(WORKERS_MAX);
        let (from, note) = members.into_unread();
        let (tasks, taken) = channel();
        let mut all = Self {
            from,
            frame: None,
            units: VecDeque::new(),
            units_max: 2 * workers,
            tasks: Some(tasks),
            chunk: Cursor::default(),
            content: Content::default(),
            alone: None,
            note,
        };
        all.hand_out();
        if all.units.len() < 2 {
            all.go_on_alone()?;
            return Ok(all);
        }
        let taken = Arc::new(Mutex::new(taken));
        for _ in 0..workers {
            let taken = taken.clone();
            // Not joined: a worker ends with the reader that hands out its tasks.
            std::thread::Builder::new().name("bigkeys-inflate".to_owned()).spawn(move || work(&taken))?;
        }
        Ok(all)
    }

    /// Hands out as many units as may wait.
    fn hand_out(&mut self) {
        while let Some(tasks) = self.tasks.take() {
            let stored_bytes: usize = self.units.iter().map(|unit| unit.stored.len()).sum();
            if self.units.len() < self.units_max && stored_bytes < STORED_BYTES_MAX {
                let Some((unit, task)) = self.next_unit() else { return };
                self.units.push_back(unit);
                // Where no worker is left its sender is dropped, and the one decoder goes on.
                _ = tasks.send(task);
                self.tasks = Some(tasks);
            } else {
                self.tasks = Some(tasks);
                return;
            }
        }
    }

    /// Takes the next unit from the file; none if what follows cannot be told.
    fn next_unit(&mut self) -> Option<(Unit, Task)> {
        let mut header_bytes = 0;
        let is_first = self.frame.is_none();
        let is_worth_it = self.units_max >= 2 * LZ4_WORKERS_MIN;
        if is_first && is_worth_it && Kind::of(self.from.look(0, KIND_BYTES)) == Some(Kind::Lz4) {
            let (frame, bytes) = Frame::open(&mut self.from)?;
            self.frame = Some(frame);
            header_bytes = bytes;
        }
        let (bytes, of_frame) = match &self.frame {
            Some(frame) => {
                let Run { bytes, blocks, promises } = frame.run(&mut self.from, header_bytes, UNIT_BYTES);
                let header = frame.header.to_vec();
                if promises.is_some() {
                    self.frame = None;
                }
                (bytes, Some((blocks, OfFrame { header, is_first, promises })))
            }
            None => (self.bytes_of_members(), None),
        };
        if bytes == 0 {
            return None;
        }
        let stored: Arc<[u8]> = self.from.look(0, bytes).into();
        self.from.consume(bytes);
        let (sender, inflated) = sync_channel(WAITING_BYTES_MAX / CHUNK_BYTES / self.units_max);
        let (blocks, of_frame) = match of_frame {
            Some((blocks, of_frame)) => (Some((of_frame.header.clone(), blocks)), Some(of_frame)),
            None => (None, None),
        };
        let task = Task { stored: stored.clone(), blocks, inflated: sender };
        Some((Unit { stored, of_frame, given: 0, inflated }, task))
    }

    /// Stored bytes of the next members that are long enough together, or of those before one that cannot be told.
    fn bytes_of_members(&mut self) -> usize {
        let mut bytes = 0;
        while bytes < UNIT_BYTES {
            match extent::of(&mut self.from, bytes) {
                Some(extent) => bytes += extent,
                None => break,
            }
        }
        bytes
    }

    /// Lets one decoder go on behind what was given.
    ///
    /// # Errors
    /// What it comes to before that, if the bytes have changed.
    fn go_on_alone(&mut self) -> io::Result<()> {
        self.tasks = None;
        let given = self.units.front().map_or(0, |unit| unit.given);
        let header = match self.units.front() {
            Some(unit) => unit.of_frame.as_ref().filter(|of| !of.is_first).map(|of| of.header.clone()),
            None => self.frame.as_ref().map(|frame| frame.header.to_vec()),
        };
        let mut reader: Box<dyn Read + Send> = Box::new(std::mem::take(&mut self.from));
        while let Some(unit) = self.units.pop_back() {
            reader = Box::new(Cursor::new(unit.stored).chain(reader));
        }
        // Trouble in the midst of a frame ends it before what it promises of all of its blocks.
        let reader = Box::new(Cursor::new(header.unwrap_or_default()).chain(reader));
        let alone = self.alone.insert(Members::new(reader, self.note.clone()));
        io::copy(&mut alone.take(given), &mut io::sink())?;
        Ok(())
    }
}

impl Read for SideBySide {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            let bytes = self.chunk.read(to)?;
            if bytes > 0 || to.is_empty() {
                return Ok(bytes);
            }
            if let Some(alone) = &mut self.alone {
                return alone.read(to);
            }
            self.hand_out();
            let Some(unit) = self.units.front_mut() else {
                self.go_on_alone()?;
                continue;
            };
            match unit.inflated.recv() {
                Ok(Inflated::Chunk(chunk)) => {
                    if let Some(of_frame) = &unit.of_frame {
                        if of_frame.is_first && unit.given == 0 {
                            self.content = Content::default();
                        }
                        self.content.add(&chunk);
                    }
                    unit.given += chunk.len() as u64;
                    self.chunk = Cursor::new(chunk);
                }
                Ok(Inflated::End) => {
                    let promises = self.units.pop_front().and_then(|unit| unit.of_frame?.promises);
                    promises.map_or(Ok(()), |promises| self.content.compare(&promises))?;
                }
                Err(_) => self.go_on_alone()?,
            }
        }
    }
}

/// A worker: inflates units until there are no more.
fn work(tasks: &Mutex<Receiver<Task>>) {
    loop {
        let task = tasks.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(task) = task else { return };
        task.inflate();
    }
}

impl Task {
    fn inflate(self) {
        let Self { stored, blocks, inflated } = self;
        let reader: Box<dyn Read + Send> = match blocks {
            None => Box::new(Cursor::new(stored)),
            Some((header, blocks)) => {
                let mut of_blocks = Cursor::new(stored);
                of_blocks.set_position(blocks.start as u64);
                let of_blocks = of_blocks.take(blocks.len() as u64);
                Box::new(Cursor::new(header).chain(of_blocks).chain(Cursor::new(END_MARK)))
            }
        };
        let note = Arc::default();
        let mut members = Members::new(reader, Arc::clone(&note));
        loop {
            let mut chunk = vec![0; CHUNK_BYTES];
            let Ok(bytes) = fill(&mut members, &mut chunk) else { return };
            chunk.truncate(bytes);
            let is_last = bytes < CHUNK_BYTES;
            // What harmlessly follows the last member may go on in the next unit.
            if is_last && note.get().is_some() || inflated.send(Inflated::Chunk(chunk)).is_err() {
                return;
            }
            if is_last {
                // A reader that has gone needs no end.
                _ = inflated.send(Inflated::End);
                return;
            }
        }
    }
}

/// Reads until `chunk` is full or the reader ends, and returns how many bytes came.
fn fill(reader: &mut Members, chunk: &mut [u8]) -> io::Result<usize> {
    let mut bytes = 0;
    while let Some(rest) = chunk.get_mut(bytes..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest)? {
            0 => break,
            read => bytes += read,
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};

    use super::*;

    fn opened(file: &[u8]) -> SideBySide {
        let (_, members) = Members::open(Box::new(Cursor::new(file.to_vec())), Arc::default(), None).unwrap();
        SideBySide::inflate(members, LZ4_WORKERS_MIN).unwrap()
    }

    fn frame(mode: BlockMode, content: &[u8]) -> Vec<u8> {
        let info = FrameInfo::new().block_size(BlockSize::Max64KB).block_mode(mode).content_checksum(true);
        let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    /// Bytes that do not compress.
    fn noise() -> Vec<u8> {
        let next = |state: &mut u64| {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            Some(state.to_be_bytes()[0])
        };
        (0..2_000_000).scan(1, |state, _| next(state)).collect()
    }

    #[test]
    fn blocks_that_do_not_need_each_other_go_to_the_workers() {
        let content = noise();
        for (mode, is_alone) in [(BlockMode::Independent, false), (BlockMode::Linked, true)] {
            let mut reader = opened(&frame(mode, &content));
            let mut inflated = vec![0; content.len() - 100];
            reader.read_exact(&mut inflated).unwrap();
            assert_eq!(reader.alone.is_some(), is_alone);
            reader.read_to_end(&mut inflated).unwrap();
            assert_eq!(inflated, content);
        }
    }

    #[test]
    fn a_reader_that_is_dropped_ends_its_workers() {
        let reader = opened(&frame(BlockMode::Independent, &noise()));
        let stored = reader.units.front().unwrap().stored.clone();
        drop(reader);
        while Arc::strong_count(&stored) > 1 {
            std::thread::yield_now();
        }
    }
}
