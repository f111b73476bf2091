//! Decoders of one member of a compressed file each. What a decoder gave before it met damage is never lost: it comes with
//! the error.

use std::io::{self, BufRead, Read};

use super::ahead::Ahead;

/// A decoder of one member.
pub(super) trait Decode: Send {
    /// Takes bytes from `from` and puts decoded ones into `to`, which is not empty.
    fn decode(&mut self, from: &mut Ahead, to: &mut [u8]) -> Decoded;
}

/// What a decoder did.
pub(super) struct Decoded {
    /// Bytes that it gave.
    pub(super) bytes: usize,
    /// What comes after them.
    pub(super) next: io::Result<Next>,
}

/// What comes after some decoded bytes.
pub(super) enum Next {
    /// Perhaps more of them.
    More,
    /// The member's end.
    End,
}

impl From<io::Error> for Decoded {
    fn from(error: io::Error) -> Self {
        Self { bytes: 0, next: Err(error) }
    }
}

/// An LZ4 frame.
pub(super) struct Lz4(lz4_flex::frame::FrameDecoder<Ahead>);

impl Lz4 {
    /// Bytes of the largest block, which is inflated as a whole.
    pub(super) const BLOCK_BYTES_MAX: usize = 4 << 20;

    pub(super) fn new() -> Self {
        Self(lz4_flex::frame::FrameDecoder::new(Ahead::default()))
    }
}

impl Decode for Lz4 {
    fn decode(&mut self, from: &mut Ahead, to: &mut [u8]) -> Decoded {
        // The decoder owns its reader, so it is lent ours.
        std::mem::swap(self.0.get_mut(), from);
        let read = self.0.read(to);
        std::mem::swap(self.0.get_mut(), from);
        match read {
            // The decoder takes the end of the bytes for that of the frame, whose own end mark is never followed by a read.
            Ok(0) if from.is_exhausted => io::Error::from(io::ErrorKind::UnexpectedEof).into(),
            Ok(0) => Decoded { bytes: 0, next: Ok(Next::End) },
            Ok(bytes) => Decoded { bytes, next: Ok(Next::More) },
            Err(error) => error.into(),
        }
    }
}

/// A legacy LZ4 frame: after its magic, blocks of 8 MiB behind their stored size, without an end mark.
#[derive(Default)]
pub(super) struct Lz4Legacy {
    block: Vec<u8>,
    inflated: Vec<u8>,
    /// The part of `inflated` that is not given yet.
    left: std::ops::Range<usize>,
}

impl Lz4Legacy {
    /// Bytes that a block inflates to at most.
    pub(super) const BLOCK_BYTES_MAX: usize = 8 << 20;

    /// Bytes that a stored block takes at most: the worst case of the LZ4 block format. A larger number is what follows the
    /// frame.
    const STORED_BYTES_MAX: usize = Self::BLOCK_BYTES_MAX + Self::BLOCK_BYTES_MAX / 255 + 16;

    /// Inflates the next block; false if there is none.
    fn next_block(&mut self, from: &mut Ahead) -> io::Result<bool> {
        const SIZE_BYTES: usize = 4;
        let Ok(size) = from.peek(SIZE_BYTES)?.try_into().map(u32::from_le_bytes) else { return Ok(false) };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size == 0 || size > Self::STORED_BYTES_MAX {
            return Ok(false);
        }
        from.consume(SIZE_BYTES);
        self.block.clear();
        from.take(size as u64).read_to_end(&mut self.block)?;
        if self.block.len() < size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.inflated.resize(Self::BLOCK_BYTES_MAX, 0);
        let bytes = lz4_flex::block::decompress_into(&self.block, &mut self.inflated);
        self.left = 0..bytes.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(true)
    }
}

impl Decode for Lz4Legacy {
    fn decode(&mut self, from: &mut Ahead, to: &mut [u8]) -> Decoded {
        while self.left.is_empty() {
            match self.next_block(from) {
                Ok(true) => {}
                Ok(false) => return Decoded { bytes: 0, next: Ok(Next::End) },
                Err(error) => return error.into(),
            }
        }
        let left = self.inflated.get(self.left.clone()).unwrap_or_default();
        let bytes = left.len().min(to.len());
        if let Some((to, left)) = to.get_mut(..bytes).zip(left.get(..bytes)) {
            to.copy_from_slice(left);
        }
        self.left.start += bytes;
        Decoded { bytes, next: Ok(Next::More) }
    }
}

#[cfg(feature = "compress")]
pub(super) use compressed::{Bzip2, Gzip, Xz, Zstd};

#[cfg(feature = "compress")]
mod compressed {
    use std::io::{self, BufRead};

    use zstd::stream::raw::{InBuffer, Operation, OutBuffer};

    use super::{Ahead, Decode, Decoded, Next};

    /// Hands `step` the bytes ahead, at most `bytes_max` of them; it says how many it took, how many it gave, and what comes
    /// next.
    fn push(
        from: &mut Ahead,
        bytes_max: usize,
        step: impl FnOnce(&[u8]) -> (usize, usize, io::Result<Next>),
    ) -> Decoded {
        let input = match from.fill_buf() {
            Ok(input) => input.get(..bytes_max).unwrap_or(input),
            Err(error) => return error.into(),
        };
        let is_cut = input.is_empty() && bytes_max > 0;
        let is_asked = bytes_max > 0;
        let (taken, bytes, next) = step(input);
        from.consume(taken);
        let next = match next {
            Ok(Next::More) if is_cut && bytes == 0 => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(Next::More) if is_asked && taken == 0 && bytes == 0 => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "the decoder does not get any further"))
            }
            next => next,
        };
        Decoded { bytes, next }
    }

    fn difference(now: u64, before: u64) -> usize {
        usize::try_from(now - before).unwrap_or(usize::MAX)
    }

    /// A gzip member, its header and checksum included.
    pub(in super::super) struct Gzip(flate2::Decompress);

    impl Gzip {
        pub(in super::super) fn new() -> Self {
            const WINDOW_BITS_MAX: u8 = 15;
            Self(flate2::Decompress::new_gzip(WINDOW_BITS_MAX))
        }
    }

    impl Decode for Gzip {
        fn decode(&mut self, from: &mut Ahead, to: &mut [u8]) -> Decoded {
            push(from, usize::MAX, |input| {
                let before = (self.0.total_in(), self.0.total_out());
                let next = match self.0.decompress(input, to, flate2::FlushDecompress::None) {
                    Ok(flate2::Status::StreamEnd) => Ok(Next::End),
                    Ok(_) => Ok(Next::More),
                    Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
                };
                (difference(self.0.total_in(), before.0), difference(self.0.total_out(), before.1), next)
            })
        }
    }

    /// A bzip2 stream.
    pub(in super::super) struct Bzip2(bzip2::Decompress);

    impl Bzip2 {
        pub(in super::super) fn new() -> Self {
            Self(bzip2::Decompress::new(false))
        }
    }

    impl Decode for Bzip2 {
        fn decode(&mut self, from: &mut Ahead, to: &mut [u8]) -> Decoded {
            push(from, usize::MAX, |input| {
                let before = (self.0.total_in(), self.0.total_out());
                let next = match self.0.decompress(input, to) {
                    Ok(bzip2::Status::StreamEnd) => Ok(Next::End),
                    Ok(_) => Ok(Next::More),
                    Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
                };
                (difference(self.0.total_in(), before.0), difference(self.0.total_out(), before.1), next)
            })
        }
    }

    /// An xz stream. The decoder keeps sixteen bytes for each block, which it compares with the index.
    pub(in super::super) struct Xz(lzma_rust2::XzStream);

    impl Xz {
        pub(in super::super) fn new(dictionary_bytes_max: u64) -> Self {
            /// What the decoder needs besides, with room to spare.
            const OTHER_KIB: u64 = 1024;
            let limit_kib = u32::try_from(dictionary_bytes_max / 1024 + OTHER_KIB).unwrap_or(u32::MAX);
            Self(lzma_rust2::XzStream::new_mem_limit(false, limit_kib))
        }
    }

    impl Decode for Xz {
        fn decode(&mut self, from: &mut Ahead, to: &mut [u8]) -> Decoded {
            push(from, usize::MAX, |input| {
                let before = (self.0.total_in(), self.0.total_out());
                let next = match self.0.process(input, to, lzma_rust2::Action::Run) {
                    Ok(result) if result.status == lzma_rust2::Status::StreamEnd => Ok(Next::End),
                    Ok(_) => Ok(Next::More),
                    Err(error) if error.kind() == io::ErrorKind::OutOfMemory => Err(error),
                    Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
                };
                (difference(self.0.total_in(), before.0), difference(self.0.total_out(), before.1), next)
            })
        }
    }

    /// A zstd frame.
    pub(in super::super) struct Zstd {
        decoder: zstd::stream::raw::Decoder<'static>,
        /// Bytes to hand over next, so that no call comes to a second block: the first would be lost if that is damaged.
        wanted: usize,
    }

    /// Bytes of a block's header; the decoder counts the next one's to a block.
    const BLOCK_HEADER_BYTES: usize = 3;

    impl Zstd {
        pub(in super::super) fn new() -> io::Result<Self> {
            Ok(Self { decoder: zstd::stream::raw::Decoder::new()?, wanted: 1 })
        }
    }

    impl Decode for Zstd {
        fn decode(&mut self, from: &mut Ahead, to: &mut [u8]) -> Decoded {
            push(from, self.wanted, |input| {
                let (mut input, mut output) = (InBuffer::around(input), OutBuffer::around(to));
                let next = self.decoder.run(&mut input, &mut output).map(|hint| {
                    // A full buffer may have left decoded bytes behind.
                    let is_full = output.pos() == output.capacity();
                    self.wanted = match hint {
                        _ if is_full => 0,
                        ..=BLOCK_HEADER_BYTES => hint,
                        _ => hint - BLOCK_HEADER_BYTES,
                    };
                    if hint == 0 { Next::End } else { Next::More }
                });
                (input.pos(), output.pos(), next)
            })
        }
    }
}
