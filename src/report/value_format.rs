//! What a value is, by its first bytes.

use crate::rdb::packed::lzf::inflate_prefix;

/// Bytes of a compressed value that are inflated to look at them.
const INFLATED_BYTES: usize = 64;

/// What values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueFormat {
    Json,
    Xml,
    Compressed,
    Picture,
    Php,
    Java,
    Pickle,
    MessagePack,
    Number,
    Text,
    Binary,
}

/// First bytes that are of one format alone.
const MAGIC: [(&[u8], ValueFormat); 16] = [
    (b"\x1f\x8b", ValueFormat::Compressed),
    (b"\x28\xb5\x2f\xfd", ValueFormat::Compressed),
    (b"\x04\x22\x4d\x18", ValueFormat::Compressed),
    (b"\xff\x06\0\0sNaPpY", ValueFormat::Compressed),
    (b"BZh", ValueFormat::Compressed),
    (b"\xfd7zXZ\0", ValueFormat::Compressed),
    (b"\x78\x01", ValueFormat::Compressed),
    (b"\x78\x5e", ValueFormat::Compressed),
    (b"\x78\x9c", ValueFormat::Compressed),
    (b"\x78\xda", ValueFormat::Compressed),
    (b"\x89PNG\r\n", ValueFormat::Picture),
    (b"\xff\xd8\xff", ValueFormat::Picture),
    (b"GIF8", ValueFormat::Picture),
    // igbinary, of PHP.
    (b"\0\0\0\x02", ValueFormat::Php),
    (b"\xac\xed\0\x05", ValueFormat::Java),
    (b"<?xml", ValueFormat::Xml),
];

impl ValueFormat {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Xml => "xml",
            Self::Compressed => "compressed",
            Self::Picture => "picture",
            Self::Php => "php",
            Self::Java => "java",
            Self::Pickle => "pickle",
            Self::MessagePack => "messagepack",
            Self::Number => "number",
            Self::Text => "text",
            Self::Binary => "binary",
        }
    }

    /// Of a value that begins so.
    pub(super) fn of(first: &[u8]) -> Self {
        if let Some((_, format)) = MAGIC.iter().find(|(magic, _)| first.starts_with(magic)) {
            return *format;
        }
        match *first.trim_ascii_start() {
            [
                b'{' | b'[',
                b'"'
                | b'{'
                | b'['
                | b'}'
                | b']'
                | b' '
                | b'\n'
                | b'\r'
                | b'\t'
                | b'0'..=b'9'
                | b'-'
                | b't'
                | b'f'
                | b'n',
                ..,
            ] => {
                return Self::Json;
            }
            [b'<', b'a'..=b'z' | b'A'..=b'Z' | b'!', ..] => return Self::Xml,
            // serialize(): a:3:{…}, O:8:"…", s:5:"…".
            [b'a' | b'O' | b's' | b'C', b':', b'0'..=b'9', ..] => return Self::Php,
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => return Self::Picture,
            _ => {}
        }
        match *first {
            // Protocols 2 to 5.
            [0x80, 2..=5, ..] => Self::Pickle,
            // A map of few or of many pairs, whose first key is a short string; an array of maps.
            [0x80..=0x8f, 0xa1..=0xbf | 0xd9, ..]
            | [0xde, _, _, 0xa1..=0xbf | 0xd9, ..]
            | [0x91..=0x9f, 0x81..=0x8f, ..] => Self::MessagePack,
            _ => Self::of_text(first),
        }
    }

    /// Of a compressed value that begins so.
    pub(super) fn of_lzf(stored: &[u8]) -> Self {
        let mut first = [0; INFLATED_BYTES];
        // What is damaged, or cut where a copy of it goes on, ends what is looked at.
        let bytes = inflate_prefix(stored, &mut first).unwrap_or(0);
        Self::of(first.get(..bytes).unwrap_or_default())
    }

    fn of_text(first: &[u8]) -> Self {
        // A character may be cut at the end.
        let text = match std::str::from_utf8(first) {
            Ok(text) => text,
            Err(error) if error.error_len().is_none() => {
                first.get(..error.valid_up_to()).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
            }
            Err(_) => return Self::Binary,
        };
        let is_plain = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
        match text {
            "" => Self::Binary,
            _ if text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b',' | b' ')) => {
                Self::Number
            }
            _ if text.chars().all(is_plain) => Self::Text,
            _ => Self::Binary,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_by_first_bytes() {
        for (first, format) in [
            (&b"{\"id\":1}"[..], ValueFormat::Json),
            (b" [1,2]", ValueFormat::Json),
            (b"\x1f\x8b\x08", ValueFormat::Compressed),
            (b"a:2:{s:1:\"a\";i:1;}", ValueFormat::Php),
            (b"\xac\xed\0\x05sr", ValueFormat::Java),
            (b"\x80\x04\x95", ValueFormat::Pickle),
            (b"\x82\xa2id\x01", ValueFormat::MessagePack),
            (b"\x89PNG\r\n\x1a\n", ValueFormat::Picture),
            (b"<html>", ValueFormat::Xml),
            (b"1234567890.5", ValueFormat::Number),
            (b"hello, world \xc3", ValueFormat::Text),
            (b"\x00\x01\x02", ValueFormat::Binary),
            (b"", ValueFormat::Binary),
        ] {
            assert_eq!(ValueFormat::of(first), format, "{first:?}");
        }
        assert_eq!(ValueFormat::of_lzf(b"\x07{\"id\":1}"), ValueFormat::Json);
    }
}
