//! Texts and numbers of values as JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::out::{Out, PART_BYTES};
use crate::rdb::packed::Text;

/// What texts begin with that are written in Base64.
pub(super) const BASE64: &[u8] = b"base64:";

/// The text, if it is written as it is: if it is UTF-8 and does not look like Base64.
pub(super) fn plain(bytes: &[u8]) -> Option<&str> {
    if bytes.starts_with(BASE64) {
        return None;
    }
    std::str::from_utf8(bytes).ok()
}

/// A text as a JSON string.
#[inline]
pub(super) fn json(text: Text<'_>, out: &mut Out<'_>) {
    match text {
        Text::Int(value) => {
            out.put(b"\"");
            out.number(value);
            out.put(b"\"");
        }
        Text::Bytes(bytes) => json_bytes(bytes, out),
    }
}

/// As [`json`], of bytes.
pub(super) fn json_bytes(bytes: &[u8], out: &mut Out<'_>) {
    out.put(b"\"");
    if let Some(text) = plain(bytes) {
        escaped(text.as_bytes(), out);
    } else {
        out.put(BASE64);
        base64(bytes, out);
    }
    out.put(b"\"");
}

/// Bytes in Base64.
pub(super) fn base64(bytes: &[u8], out: &mut Out<'_>) {
    for part in bytes.chunks(PART_BYTES) {
        let from = out.bytes.len();
        out.bytes.resize(from + part.len().div_ceil(3) * 4, 0);
        let to = out.bytes.get_mut(from..).unwrap_or_default();
        let written = STANDARD.encode_slice(part, to).unwrap_or(0);
        out.bytes.truncate(from + written);
        out.room();
    }
}

/// The content of a JSON string that holds this text, which is UTF-8. All control characters are escaped, those above
/// ASCII as well, so that no terminal acts on them.
pub(super) fn escaped(text: &[u8], out: &mut Out<'_>) {
    let mut from = 0;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let control = match (byte, text.get(at + 1)) {
            // From U+0080 to U+009F: in UTF-8 two bytes, of which the second is the number.
            (0xc2, Some(second @ 0x80..=0x9f)) => Some(*second),
            (..=0x1f | 0x7f | b'"' | b'\\', _) => Some(*byte),
            _ => None,
        };
        if control.is_some() || at - from >= PART_BYTES {
            out.put(text.get(from..at).unwrap_or_default());
            from = at;
            out.room();
        }
        if let Some(control) = control {
            escape(control, out);
            at += usize::from(*byte == 0xc2);
            from = at + 1;
        }
        at += 1;
    }
    out.put(text.get(from..).unwrap_or_default());
}

fn escape(character: u8, out: &mut Out<'_>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match character {
        b'"' => out.put(b"\\\""),
        b'\\' => out.put(b"\\\\"),
        b'\n' => out.put(b"\\n"),
        b'\r' => out.put(b"\\r"),
        b'\t' => out.put(b"\\t"),
        _ => {
            let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
            out.put(&[b'\\', b'u', b'0', b'0', digit(character >> 4), digit(character & 0xf)]);
        }
    }
}

/// A number as short as it can be written without loss; `inf`, `-inf` and `nan` for what is none.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "integers within 2^53 are exact")]
pub(super) fn float(value: f64, to: &mut Vec<u8>) {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.is_nan() {
        to.extend_from_slice(b"nan");
    } else if value.is_infinite() {
        to.extend_from_slice(if value > 0.0 { b"inf" } else { b"-inf" });
    } else if value.fract() == 0.0 && value.abs() < EXACT && (value != 0.0 || value.is_sign_positive()) {
        to.extend_from_slice(itoa::Buffer::new().format(value as i64).as_bytes());
    } else {
        // It writes into memory, and a finite number is JSON.
        _ = serde_json::to_writer(to, &value);
    }
}

/// A number as JSON, which has none for what is no number: those are strings.
pub(super) fn json_float(value: f64, out: &mut Out<'_>) {
    if value.is_finite() {
        float(value, &mut out.bytes);
    } else {
        out.put(b"\"");
        float(value, &mut out.bytes);
        out.put(b"\"");
    }
}

/// A key's name as two members of a JSON object, without a comma behind them.
pub(super) fn json_name(name: &[u8], out: &mut Out<'_>) {
    out.put(b"\"name\":\"");
    if let Ok(text) = std::str::from_utf8(name) {
        escaped(text.as_bytes(), out);
        out.put(b"\"");
        return;
    }
    for chunk in name.utf8_chunks() {
        escaped(chunk.valid().as_bytes(), out);
        for byte in chunk.invalid() {
            out.put(format!("\\\\x{byte:02x}").as_bytes());
        }
    }
    out.put(b"\",\"name_base64\":\"");
    base64(name, out);
    out.put(b"\"");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Out<'_>)) -> String {
        let mut out = Out::new(None);
        write(&mut out);
        String::from_utf8(out.bytes).unwrap()
    }

    #[test]
    fn every_text_can_be_read_back() {
        let texts: [&[u8]; 8] = [
            b"",
            b"a\"\\\n\x01\x7f",
            b"\xff\x00",
            b"base64:",
            b"base64:/w==",
            "中\u{9b}".as_bytes(),
            b"\t\r",
            b"base6",
        ];
        for text in texts {
            let json = written(|out| json_bytes(text, out));
            let read: String = serde_json::from_str(&json).unwrap();
            let bytes = match read.strip_prefix("base64:") {
                Some(base64) => STANDARD.decode(base64).unwrap(),
                None => read.into_bytes(),
            };
            assert_eq!(bytes, text, "{json}");
        }
        assert_eq!(written(|out| json_bytes("\u{1b}[m\u{9b}\u{7f}é".as_bytes(), out)), "\"\\u001b[m\\u009b\\u007fé\"");
        let long: Vec<u8> = (0..=255).cycle().take(PART_BYTES * 2 + 1).collect();
        let json = written(|out| json_bytes(&long, out));
        assert_eq!(STANDARD.decode(&json.as_bytes()[8..json.len() - 1]).unwrap(), long);
    }

    #[test]
    fn numbers_lose_nothing() {
        for value in
            [0.0, -0.0, 1.5, -3.0, 1e300, 5e-324, 0.1, 9_007_199_254_740_993.0, f64::INFINITY, f64::NEG_INFINITY]
        {
            let mut text = Vec::new();
            float(value, &mut text);
            let read: f64 = std::str::from_utf8(&text).unwrap().parse().unwrap();
            assert_eq!(read.to_bits(), value.to_bits(), "{}", text.escape_ascii());
        }
    }
}
