//! A compressed file: members one after the other, each of any kind that is known, as the tools that write them take them.
//!
//! What follows the last member is harmless, and noted, or an error; either way all members before have been given.

use std::io::{self, BufRead, Read};
use std::sync::{Arc, OnceLock};

use super::ahead::Ahead;
#[cfg(feature = "compress")]
use super::decode::{Bzip2, Gzip, Xz, Zstd};
use super::decode::{Decode, Lz4, Lz4Legacy, Next};
use super::share::Share;
use super::tail::Tail;
#[cfg(feature = "compress")]
use super::zstd_header::{self, ZstdHeader};

/// What a member is, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Gzip,
    Zstd,
    Lz4,
    /// What LZ4 wrote before it had frames, and what `lz4 -l` writes.
    Lz4Legacy,
    Xz,
    Bzip2,
    /// A frame that decoders of zstd and LZ4 step over; pzstd puts one before each of its frames.
    Skippable,
}

/// Bytes by which a kind is told.
pub(super) const KIND_BYTES: usize = 10;

/// Bytes of a window or dictionary that a member may ask for: what `zstd -dc` takes, and twice what `xz -9` asks for.
const WINDOW_BYTES_MAX: u64 = 128 << 20;

/// As that, of a member that is inflated beside others, each of which takes as much: what `xz -6` and all but the highest levels of
/// `zstd` ask for.
#[cfg(feature = "compress")]
pub(super) const SHARED_WINDOW_BYTES_MAX: u64 = 8 << 20;

impl Kind {
    pub(super) fn of(first: &[u8]) -> Option<Self> {
        Some(match first {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            [0x04, 0x22, 0x4d, 0x18, ..] => Self::Lz4,
            [0x02, 0x21, 0x4c, 0x18, ..] => Self::Lz4Legacy,
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Skippable,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            // Of one that is empty, the end follows at once.
            [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A', b'Y', b'&', b'S', b'Y', ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, ..] => Self::Bzip2,
            _ => return None,
        })
    }

    /// What a file of it is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "a gzip file",
            Self::Zstd => "a zstd file",
            Self::Lz4 | Self::Lz4Legacy => "an LZ4 file",
            Self::Xz => "an xz file",
            Self::Bzip2 => "a bzip2 file",
            Self::Skippable => "a file of skippable frames",
        }
    }

    /// The command that inflates it to standard output.
    pub(super) fn command(self) -> Option<&'static str> {
        match self {
            Self::Gzip => Some("gzip -dc"),
            Self::Zstd => Some("zstd -dc"),
            Self::Lz4 | Self::Lz4Legacy => Some("lz4 -dc"),
            Self::Xz => Some("xz -dc"),
            Self::Bzip2 => Some("bzip2 -dc"),
            Self::Skippable => None,
        }
    }

    /// Whether a file of it may be inflated side by side; of these, opening one takes no byte.
    pub(super) fn has_extents(self) -> bool {
        matches!(self, Self::Gzip | Self::Zstd | Self::Lz4)
    }

    /// How many bytes come at once; 0 if few.
    pub(super) fn burst_bytes(self) -> usize {
        match self {
            Self::Lz4 => Lz4::BLOCK_BYTES_MAX,
            Self::Lz4Legacy => Lz4Legacy::BLOCK_BYTES_MAX,
            _ => 0,
        }
    }
}

/// A reader of what the members of a compressed file inflate to.
pub(super) struct Members {
    from: Ahead,
    member: Option<Box<dyn Decode>>,
    /// What goes wrong after the bytes that were given, or nothing if no byte follows.
    ending: Option<io::Result<()>>,
    note: Arc<OnceLock<String>>,
    /// What they may take, where other files are inflated beside them.
    share: Option<Arc<Share>>,
}

impl Members {
    /// Opens the first member that has bytes in it, and says what it is; what harmlessly follows the last one becomes a `note`.
    pub(super) fn open(
        reader: Box<dyn Read + Send>,
        note: Arc<OnceLock<String>>,
        share: Option<Arc<Share>>,
    ) -> io::Result<(Kind, Self)> {
        let mut members = Self { share, ..Self::new(reader, note) };
        let kind = members.open_next()?;
        Ok((kind.unwrap_or(Kind::Skippable), members))
    }

    /// As [`Self::open`], but nothing is opened before it is read.
    pub(super) fn new(reader: Box<dyn Read + Send>, note: Arc<OnceLock<String>>) -> Self {
        Self { from: Ahead::new(reader), member: None, ending: None, note, share: None }
    }

    /// The stored bytes and the place of the note, of members of which none has been read.
    pub(super) fn into_unread(self) -> (Ahead, Arc<OnceLock<String>>) {
        (self.from, self.note)
    }

    /// Opens the next member, or finds that there is none.
    fn open_next(&mut self) -> io::Result<Option<Kind>> {
        let mut zeros = 0_u64;
        loop {
            let first = self.from.peek(KIND_BYTES)?;
            match Kind::of(first) {
                Some(Kind::Skippable) => self.skip_frame()?,
                Some(kind) => {
                    self.member = Some(self.decoder(kind)?);
                    self.from.is_exhausted = false;
                    return Ok(Some(kind));
                }
                // Streams of xz may have zeros between them.
                None if first.first() == Some(&0) => {
                    let padding = self.from.fill_buf()?;
                    let bytes = padding.iter().take_while(|byte| **byte == 0).count();
                    self.from.consume(bytes);
                    zeros += bytes as u64;
                }
                None => return self.read_tail(zeros).map(|()| None),
            }
        }
    }

    /// Steps over a skippable frame: a magic, and its length before it.
    fn skip_frame(&mut self) -> io::Result<()> {
        const HEADER_BYTES: usize = 8;
        let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let [.., a, b, c, d] = *self.from.peek(HEADER_BYTES)? else { return Err(cut()) };
        self.from.consume(HEADER_BYTES);
        let bytes = u64::from(u32::from_le_bytes([a, b, c, d]));
        let skipped = io::copy(&mut (&mut self.from).take(bytes), &mut io::sink())?;
        if skipped < bytes { Err(cut()) } else { Ok(()) }
    }

    /// Reads what follows the last member, and `zeros` after it.
    fn read_tail(&mut self, zeros: u64) -> io::Result<()> {
        let mut tail = Tail::default();
        tail.zeros(zeros);
        while !tail.has_others() {
            let bytes = self.from.fill_buf()?;
            if bytes.is_empty() {
                break;
            }
            tail.update(bytes);
            let bytes = bytes.len();
            self.from.consume(bytes);
        }
        let Some(what) = tail.harmless() else {
            let what = "bytes that are not compressed follow its last part";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        };
        if !tail.is_empty() {
            _ = self.note.set(format!("ignored {what} after the end of the compressed file"));
        }
        Ok(())
    }

    fn decoder(&mut self, kind: Kind) -> io::Result<Box<dyn Decode>> {
        match kind {
            Kind::Lz4 => {
                let header = self.from.peek(LZ4_HEADER_BYTES_MAX)?;
                refuse_dictionary(lz4_dictionary(header), "an LZ4", "lz4")?;
                Ok(Box::new(Lz4::new()))
            }
            Kind::Lz4Legacy => {
                const MAGIC_BYTES: usize = 4;
                self.from.consume(MAGIC_BYTES);
                Ok(Box::<Lz4Legacy>::default())
            }
            #[cfg(feature = "compress")]
            Kind::Gzip => Ok(Box::new(Gzip::new())),
            #[cfg(feature = "compress")]
            Kind::Bzip2 => Ok(Box::new(Bzip2::new())),
            #[cfg(feature = "compress")]
            Kind::Xz => Ok(Box::new(Xz::new(self.window_bytes_max()))),
            #[cfg(feature = "compress")]
            Kind::Zstd => {
                let header = ZstdHeader::of(self.from.peek(zstd_header::BYTES_MAX)?).unwrap_or_default();
                refuse_dictionary(header.dictionary, "a zstd", "zstd")?;
                if header.window_bytes > self.window_bytes_max() {
                    return Err(self.too_large("zstd -dc --long=31"));
                }
                Ok(Box::new(Zstd::new()?))
            }
            other => {
                let what = format!("this is {}; this build of the program does not inflate it", other.name());
                Err(io::Error::new(io::ErrorKind::Unsupported, what))
            }
        }
    }

    /// The next bytes of the members; a failure waits until all bytes before it have been given.
    fn decode(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while !to.is_empty() {
            if let Some(ending) = self.ending.take() {
                return ending.map(|()| 0);
            }
            let Some(member) = &mut self.member else {
                match self.open_next() {
                    Ok(Some(_)) => continue,
                    Ok(None) => self.ending = Some(Ok(())),
                    Err(error) => self.ending = Some(Err(error)),
                }
                continue;
            };
            let decoded = member.decode(&mut self.from, to);
            match decoded.next {
                Ok(Next::More) => {}
                Ok(Next::End) => self.member = None,
                Err(error) if error.kind() == io::ErrorKind::OutOfMemory => {
                    self.ending = Some(Err(self.too_large("xz -dc")));
                }
                Err(error) => self.ending = Some(Err(error)),
            }
            if decoded.bytes > 0 {
                return Ok(decoded.bytes);
            }
        }
        Ok(0)
    }

    /// Bytes of a window or dictionary that a member may ask for.
    #[cfg(feature = "compress")]
    fn window_bytes_max(&self) -> u64 {
        if self.share.is_some() { SHARED_WINDOW_BYTES_MAX } else { WINDOW_BYTES_MAX }
    }

    /// Why a member that asks for much memory is not read, and what reads it.
    fn too_large(&self, command: &str) -> io::Error {
        if let Some(share) = &self.share {
            share.exceed();
        }
        let what = format!(
            "it was compressed with a window of more than {} MiB, and no more memory is given to one: \
             inflate it on the way: {command} FILE | bigkeys analyze -",
            WINDOW_BYTES_MAX >> 20
        );
        io::Error::new(io::ErrorKind::OutOfMemory, what)
    }
}

impl Read for Members {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.decode(to)
    }
}

fn refuse_dictionary(id: Option<u32>, name: &str, command: &str) -> io::Result<()> {
    let Some(id) = id else { return Ok(()) };
    let what = format!(
        "it was compressed with {name} dictionary (ID {id}), which is not in it: \
         inflate it on the way: {command} -dc -D DICTIONARY FILE | bigkeys analyze -"
    );
    Err(io::Error::new(io::ErrorKind::Unsupported, what))
}

/// Bytes of an LZ4 frame's header up to its dictionary's ID.
const LZ4_HEADER_BYTES_MAX: usize = 18;

/// The ID of the dictionary that an LZ4 frame asks for: four bytes behind its flags, its block size and, perhaps, its size.
fn lz4_dictionary(header: &[u8]) -> Option<u32> {
    const FLAGS_AT: usize = 4;
    const HAS_DICTIONARY: u8 = 1;
    const HAS_SIZE: u8 = 1 << 3;
    let flags = *header.get(FLAGS_AT)?;
    let at = FLAGS_AT + 2 + if flags & HAS_SIZE == 0 { 0 } else { 8 };
    let id = header.get(at..)?.first_chunk()?;
    (flags & HAS_DICTIONARY != 0).then(|| u32::from_le_bytes(*id))
}
