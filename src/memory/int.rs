//! Strings that servers hold as integers.

use crate::rdb::primitives::StringHeader;
use crate::rdb::short::Short;

/// The longest text that can be a 64-bit integer.
pub(super) const INT_TEXT_BYTES_MAX: u64 = 20;

/// The value of a string that servers hold as a number.
#[inline(always)]
pub(crate) fn int(short: &Short<'_>) -> Option<i64> {
    match (short.text(), short.header) {
        (Some(text), _) => canonical_int(text),
        (None, StringHeader::Int(int)) => Some(int.into()),
        (None, _) => None,
    }
}

/// The number that a text is the only way to write, as servers tell integers from other strings.
#[inline]
pub(super) fn canonical_int(text: &[u8]) -> Option<i64> {
    if text.len() as u64 > INT_TEXT_BYTES_MAX {
        return None;
    }
    match text.first_chunk() {
        Some(first) if !may_be_int(*first, 8) => None,
        _ => digits_as_int(text),
    }
}

/// Whether a text of `bytes` bytes may be a number by the first eight of them, or by all if it is shorter: what lies behind it
/// in `first` is not looked at. Without a branch for each byte: whether one is a digit nothing foretells in a hexadecimal
/// number; that the seven behind a sign all are, is rare.
#[inline(always)]
pub(crate) fn may_be_int(first: [u8; 8], bytes: u8) -> bool {
    const ALL: u64 = u64::MAX / 0xff;
    let digits = u64::from_le_bytes(first) ^ (ALL * 0x30);
    // The high bit of each byte that is none of 0 to 9. What a byte from 0x8a on carries over is of no account: it makes the
    // text none itself.
    let others = (digits.wrapping_add(ALL * (0x80 - 10)) | digits) & ALL << 7;
    // In the place of the first byte there may be a sign.
    let within = u64::MAX.wrapping_shr(64_u32.wrapping_sub(8 * u32::from(bytes.min(8)))) & !0xff;
    others & within == 0 && (1..=INT_TEXT_BYTES_MAX).contains(&u64::from(bytes))
}

fn digits_as_int(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let is_canonical = match digits {
        [b'0'] => text.len() == 1,
        [b'1'..=b'9', rest @ ..] => rest.len() < 19 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if is_canonical { std::str::from_utf8(text).ok()?.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_told_from_text() {
        for (text, int) in [
            ("0", Some(0)),
            ("-1", Some(-1)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("01", None),
            ("-0", None),
            ("-", None),
            ("", None),
            ("1a", None),
            ("+1", None),
        ] {
            assert_eq!(canonical_int(text.as_bytes()), int, "{text}");
        }
    }

    #[test]
    fn no_integer_is_told_from_one_by_its_first_bytes() {
        let may_be = |text: &[u8], behind: u8| {
            let mut first = [behind; 8];
            first.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
            may_be_int(first, u8::try_from(text.len()).unwrap())
        };
        for behind in [0, b'0', b'9', b':', b'/', 0x89, 0x8a, 0xff] {
            for int in [0, 7, -7, 10, 99, -123_456, 1_234_567, 12_345_678, -99_999_999, i64::MAX, i64::MIN] {
                assert!(may_be(int.to_string().as_bytes(), behind), "{int}");
            }
            for text in ["", "1:", "12/", "0x1f", "1234567a", "12 ", "123456789012345678901", "1\u{7f}", "9\u{80}"] {
                assert!(!may_be(text.as_bytes(), behind), "{text:?}");
            }
        }
    }
}
