//! Writing a dump: bytes in their order, the database in front of its keys, and the end with its checksum.

use std::io::{self, Write};

use super::checksum::Checksum;
use super::types::opcode;

/// So many bytes are written at once.
const BUFFER_BYTES: usize = 64 << 10;

/// A dump on its way out.
pub(crate) struct Writer<W> {
    out: W,
    buffer: Vec<u8>,
    sum: Checksum,
    written_bytes: u64,
    /// The database that the keys which are written next are in.
    db: Option<u64>,
}

impl<W: Write> Writer<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out, buffer: Vec::new(), sum: Checksum::default(), written_bytes: 0, db: None }
    }

    /// Writes bytes as they are.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written_bytes += bytes.len() as u64;
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.flush()?;
        }
        if bytes.len() > BUFFER_BYTES {
            self.sum.update(bytes);
            return self.out.write_all(bytes);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// Selects the database of the keys that follow, unless it is selected.
    pub(crate) fn select(&mut self, db: u64) -> io::Result<()> {
        if self.db == Some(db) {
            return Ok(());
        }
        self.db = Some(db);
        let mut select = vec![opcode::SELECT_DB];
        put_length(db, &mut select);
        self.put(&select)
    }

    /// Writes the end, with the checksum of all before it if the version has one; returns how many bytes there are in all.
    pub(crate) fn end(mut self, has_checksum: bool) -> io::Result<u64> {
        self.put(&[opcode::EOF])?;
        self.flush()?;
        if has_checksum {
            let sum = self.sum.value().to_le_bytes();
            self.put(&sum)?;
            self.flush()?;
        }
        Ok(self.written_bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sum.update(&self.buffer);
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

/// A length in the shortest form that every version of the format knows (section 3.1); one of 64 bits is known since version 8.
#[allow(clippy::cast_possible_truncation, reason = "each arm has what fits")]
pub(crate) fn put_length(length: u64, to: &mut Vec<u8>) {
    match length {
        ..0x40 => to.push(length as u8),
        0x40..0x4000 => to.extend_from_slice(&(length as u16 | 0x4000).to_be_bytes()),
        0x4000..=0xffff_ffff => {
            to.push(0x80);
            to.extend_from_slice(&(length as u32).to_be_bytes());
        }
        _ => {
            to.push(0x81);
            to.extend_from_slice(&length.to_be_bytes());
        }
    }
}

/// A string as it is, without compression.
pub(crate) fn put_string(bytes: &[u8], to: &mut Vec<u8>) {
    put_length(bytes.len() as u64, to);
    to.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::primitives::length;

    #[test]
    fn lengths_are_read_back() {
        for value in [0, 63, 64, 0x3fff, 0x4000, 0xffff_ffff, 1 << 32, u64::MAX] {
            let mut bytes = Vec::new();
            put_length(value, &mut bytes);
            assert_eq!(length(&bytes), Ok((&[][..], value)));
        }
    }
}
