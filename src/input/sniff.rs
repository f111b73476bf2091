//! What a file is, by its first bytes: a dump, a compressed file, or something that is refused by its name.

use std::fmt;

use super::members::Kind;
use super::wrap::{self, Capture};
use crate::rdb::context::MAGIC_BYTES;
use crate::rdb::header::magic;

/// Bytes that are looked at: enough to tell text from binary, and a tar by its mark.
pub(crate) const FIRST_BYTES: usize = 512;

/// What the first bytes are the start of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Dump,
    /// A compressed file.
    Compressed(Kind),
    /// A dump in a compressed stream of Valkey 9.2 (format section 6.6), behind an envelope of [`VCS_BYTES`].
    Vcs,
    /// A dump as a server sent it to a replica.
    Capture(Capture),
    /// Lines before such a dump, so many bytes of them that its start is not among those that were looked at.
    Greeting(usize),
    /// Not a dump; the sentence says what it seems to be.
    Refused(String),
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dump => f.write_str("a dump"),
            Self::Compressed(kind) => write!(f, "this is {}", kind.name()),
            Self::Vcs => f.write_str("this is a Valkey compressed stream (VCS)"),
            Self::Capture(_) | Self::Greeting(_) => f.write_str("this is a capture of a full synchronization"),
            Self::Refused(what) => f.write_str(what),
        }
    }
}

pub(crate) fn content(first: &[u8]) -> Content {
    let refused = |what: &str| Content::Refused(what.to_owned());
    if let Some(kind) = Kind::of(first) {
        return Content::Compressed(kind);
    }
    if let Some(capture) = wrap::capture(first) {
        return Content::Capture(capture);
    }
    if let Some(bytes) = wrap::greeting(first).filter(|_| first.len() == FIRST_BYTES) {
        return Content::Greeting(bytes);
    }
    match first {
        [] => refused("the file is empty"),
        [b'V', b'C', b'S', VCS_VERSION, codec, _, VCS_KIND_RDB, frame @ ..] => {
            if let Some(Kind::Lz4 | Kind::Zstd) = Kind::of(frame) {
                Content::Vcs
            } else {
                Content::Refused(format!(
                    "this is a Valkey compressed stream (VCS), but what is in it is not an LZ4 or zstd frame; its codec is {codec}"
                ))
            }
        }
        [b'V', b'C', b'S', version, ..] => Content::Refused(format!(
            "this is a Valkey compressed stream (VCS) of version {version}, or of something else than a dump"
        )),
        [b'*', digit, ..] if digit.is_ascii_digit() => refused(
            "this is an append-only file of commands (AOF) without an RDB at its start; \
             a dump is written by SAVE, BGSAVE or redis-cli --rdb",
        ),
        _ if magic(first).is_ok() => text_mode(first).map_or(Content::Dump, refused),
        _ if b"REDIS".starts_with(first) || b"VALKEY".starts_with(first) => refused(CUT_HEADER),
        [b'R', b'E', b'D', b'I', b'S', version @ ..] => refused_version(version, 4),
        [b'V', b'A', b'L', b'K', b'E', b'Y', version @ ..] => refused_version(version, 3),
        _ => Content::Refused(
            foreign(first)
                .map(str::to_owned)
                .or_else(|| displaced(first))
                .unwrap_or_else(|| if is_text(first) { "this is text, not a dump".to_owned() } else { unknown(first) }),
        ),
    }
}

/// Bytes of the envelope of a Valkey compressed stream; the codec's own magic follows.
pub(super) const VCS_BYTES: usize = 7;
const VCS_VERSION: u8 = 1;
const VCS_KIND_RDB: u8 = 1;

/// What a transfer in text mode does to the first auxiliary field, whose name has ten bytes, a newline as a number.
fn text_mode(first: &[u8]) -> Option<&'static str> {
    let behind_magic = first.get(MAGIC_BYTES..)?;
    let has = |damaged: &[u8]| first.windows(damaged.len()).any(|window| window == damaged);
    if has(b"\xfa\r\nredis-bits") || has(b"\xfa\r\nvalkey-ver") {
        return Some(
            "this was a dump, but each newline in it has become CRLF: it was transferred as text; \
             copy it again in binary mode",
        );
    }
    // 0xfa as the replacement character, or as the Latin-1 letter it would be.
    if behind_magic.starts_with("\u{fffd}".as_bytes()) || behind_magic.starts_with("\u{fa}".as_bytes()) {
        return Some(
            "this was a dump, but its bytes were taken for text and written as UTF-8; copy it again in binary mode",
        );
    }
    None
}

/// Files that are taken for dumps, by what they start with.
fn foreign(first: &[u8]) -> Option<&'static str> {
    const TAR_MARK_AT: usize = 257;
    let text = first.trim_ascii_start().to_ascii_lowercase();
    if first.starts_with(b"version https://git-lfs.github.com/spec/") {
        Some("this is a Git LFS pointer, not the dump it stands for: fetch that with git lfs pull")
    } else if first.get(TAR_MARK_AT..).is_some_and(|mark| mark.starts_with(b"ustar")) {
        Some("this is a tar archive: unpack it, or pipe the dump out of it: tar xOf FILE NAME | bigkeys analyze -")
    } else if first.starts_with(b"PK\x03\x04") {
        Some("this is a zip archive: unpack it, or pipe the dump out of it: unzip -p FILE NAME | bigkeys analyze -")
    } else if text.starts_with(b"<!doctype html") || text.starts_with(b"<html") {
        Some("this is an HTML page, perhaps an error or a login page in the place of a download: fetch the dump again")
    } else if text.starts_with(b"<?xml") {
        Some(
            "this is an XML document, perhaps a storage service's error in the place of a download: fetch the dump again",
        )
    } else if first.starts_with(b"\x1f\x9d") {
        Some("this is a file of compress (.Z): inflate it on the way: gzip -dc FILE | bigkeys analyze -")
    } else if first.starts_with(b"7z\xbc\xaf\x27\x1c") {
        Some("this is a 7z archive: unpack it, or pipe the dump out of it: 7z x -so FILE | bigkeys analyze -")
    } else if first.starts_with(b"Salted__")
        || first.starts_with(b"-----BEGIN PGP")
        || first.starts_with(b"age-encryption.org/")
    {
        Some("this is an encrypted file: decrypt it first")
    } else if [&b"UkVESVMw"[..], b"VkFMS0VZM"].iter().any(|start| first.starts_with(start)) {
        Some("this is a dump written as Base64: base64 -d FILE > dump.rdb")
    } else if let Some(what) = hex_dump(first) {
        Some(what)
    } else if first.starts_with(b"\xff\xfe") || first.starts_with(b"\xfe\xff") {
        Some(
            "this is UTF-16 text, as PowerShell's > makes of any bytes; \
             if it was a dump, copy it again in binary mode",
        )
    } else if first.iter().all(|byte| *byte == 0) {
        Some("this starts with zeros, as a file does whose first page was lost or never written; fetch the dump again")
    } else {
        None
    }
}

/// What to do with a dump's bytes in hexadecimal digits, with an offset before them perhaps, and with blanks between them.
fn hex_dump(first: &[u8]) -> Option<&'static str> {
    let is_dump = |text: &[u8]| {
        let letters = text.iter().filter(|letter| !letter.is_ascii_whitespace()).map(u8::to_ascii_lowercase);
        let letters: Vec<u8> = letters.take(MAGIC_BYTES * 2).collect();
        letters.starts_with(b"524544495330") || letters.starts_with(b"56414c4b455930")
    };
    let offset_bytes = first.iter().take_while(|byte| **byte == b'0').count();
    match first.get(offset_bytes..)? {
        _ if is_dump(first) => Some("this is a hex dump of a dump: make bytes of it: xxd -r -p FILE > dump.rdb"),
        [b':', rest @ ..] if offset_bytes > 0 && is_dump(rest) => {
            Some("this is a hex dump of a dump: make bytes of it: xxd -r FILE > dump.rdb")
        }
        rest if offset_bytes > 0 && is_dump(rest) => Some(
            "this is a hex dump of a dump: make bytes of it, unless it has lines of * for repeated bytes (hexdump and od \
             leave none out with -v): sed 's/^[0-9a-fA-F]* *//; s/|.*//' FILE | xxd -r -p > dump.rdb",
        ),
        _ => None,
    }
}

/// A dump after something else: a byte order mark, a newline, the head of an HTTP answer.
fn displaced(first: &[u8]) -> Option<String> {
    let is_start =
        |window: &[u8]| magic(window).is_ok() && window.get(MAGIC_BYTES).is_some_and(|code| !code.is_ascii());
    let at = (1..first.len()).find(|at| first.get(*at..).is_some_and(is_start))?;
    // Other bytes may be an archive's or a compressed file's, in which not all that follows is the dump.
    if !first.get(..at).is_some_and(is_text) {
        return Some(format!(
            "this is not a dump, though one begins at byte {at}: it may be in an archive or in a file of a format that is \
             not known here; unpack it first"
        ));
    }
    Some(format!(
        "a dump begins here, but after {at} {} of text that {} not part of it: take them away: \
         tail -c +{} FILE > dump.rdb",
        if at == 1 { "byte" } else { "bytes" },
        if at == 1 { "is" } else { "are" },
        at + 1
    ))
}

fn unknown(first: &[u8]) -> String {
    format!(
        "this is not a dump: it starts with \"{}\" instead of REDIS or VALKEY; \
         if it is a later part of a dump that was split, join the parts first",
        first.get(..9).unwrap_or(first).escape_ascii()
    )
}

const CUT_HEADER: &str = "the file is cut within the dump's header";

/// What to say of a dump's version that is not in use, given the bytes behind the magic.
fn refused_version(version: &[u8], digits: usize) -> Content {
    let version = match version.get(..digits) {
        None => return Content::Refused(CUT_HEADER.to_owned()),
        Some(version) => version.escape_ascii().to_string(),
    };
    let version = version.parse::<u32>().map_or(format!("\"{version}\""), |number| number.to_string());
    Content::Refused(format!(
        "this starts like a dump, but of version {version}, which no server gives out \
         (Redis has 1 to 79, Valkey 80 and up)"
    ))
}

fn is_text(first: &[u8]) -> bool {
    let Some(chunk) = first.utf8_chunks().next() else { return false };
    // The last character may be cut.
    let is_whole = chunk.valid().len() + chunk.invalid().len() == first.len();
    is_whole && chunk.valid().chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_their_first_bytes() {
        assert_eq!(content(b"REDIS0012\xfa"), Content::Dump);
        assert_eq!(content(b"VALKEY080\xfa"), Content::Dump);
        for (first, kind) in [
            (&[0x1f, 0x8b, 8][..], Kind::Gzip),
            (&[0x28, 0xb5, 0x2f, 0xfd], Kind::Zstd),
            (&[4, 0x22, 0x4d, 0x18], Kind::Lz4),
            (&[2, 0x21, 0x4c, 0x18], Kind::Lz4Legacy),
            (&[0x5a, 0x2a, 0x4d, 0x18], Kind::Skippable),
            (b"\xfd7zXZ\0\0\x04", Kind::Xz),
            (b"BZh91AY&SY", Kind::Bzip2),
            (b"BZh9\x17\x72\x45\x38\x50\x90", Kind::Bzip2),
        ] {
            assert_eq!(content(first), Content::Compressed(kind));
        }
        assert_eq!(content(b"VCS\x01\x01\0\x01\x04\x22\x4d\x18"), Content::Vcs);
        assert!(matches!(content(b"$181\r\nREDIS0011"), Content::Capture(_)));
        let tar = [&[b'x'; 257][..], b"ustar\0"].concat();
        assert!(content(&tar).to_string().contains("tar archive"));
        for (first, word) in [
            (&b""[..], "empty"),
            (b"*2\r\n$6\r\nSELECT", "append-only"),
            (b"REDIS0099", "version"),
            (b"REDIS", "header"),
            (b"VALKEY08", "header"),
            (b"hello, world\n", "text"),
            ("gr\u{fc}n".as_bytes(), "text"),
            (b"\x00\x01\x02", "not a dump"),
            (b"VCS\x02\x01\0\x01", "VCS"),
            (b"VCS\x01\x09\0\x01\x01\x02\x03\x04", "its codec is 9"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "git lfs pull"),
            (b"PK\x03\x04\x14\0", "zip archive"),
            (b"\n<!DOCTYPE html><html>", "HTML"),
            (b"<?xml version=\"1.0\"?><Error>", "XML"),
            (b"\x1f\x9d\x90R", "gzip -dc"),
            (b"7z\xbc\xaf\x27\x1c\0\x04", "7z archive"),
            (b"Salted__12345678", "encrypted"),
            (b"UkVESVMwMDA5+glyZWRpcy12ZXI=", "Base64"),
            (b"524544495330303039fa09", "xxd -r -p FILE"),
            (b"56 41 4C 4B 45 59 30 38 30 fa", "xxd -r -p FILE"),
            (b"00000000: 5245 4449 5330 3030 39fa  REDIS0009.", "xxd -r FILE"),
            (b"00000000  52 45 44 49 53 30 30 30  39 fa 09 |REDIS0009..|", "sed"),
            (b"\xff\xfeR\0E\0D\0I\0S\0", "UTF-16"),
            (&[0; 512], "zeros"),
            (b"\xef\xbb\xbfREDIS0009\xfa\x09redis-ver", "tail -c +4"),
            (b"HTTP/1.1 200 OK\r\n\r\nVALKEY080\xfa", "tail -c +20"),
            (b"REDIS0009\xfa\x09redis-ver\x056.2.5\xfa\r\nredis-bits\xc0\x40", "CRLF"),
            ("REDIS0009\u{fffd}\tredis-ver".as_bytes(), "UTF-8"),
            (b"\x01\x02\xf4REDIS0009\xfa\x09redis-ver", "begins at byte 3: it may be in an archive"),
            (b"+OK\r\nREDIS0009\xfa\x09redis-ver", "tail -c +6"),
        ] {
            assert!(content(first).to_string().contains(word), "{}: {}", first.escape_ascii(), content(first));
        }
    }
}
