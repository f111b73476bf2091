//! The answer of the DUMP command: one value, with its type before it and a version and a checksum behind.

use super::checksum;
use super::context::Context;
use super::header::magic;
use super::record::payload_lead_bytes;
use super::types::{Dialect, opcode};

/// The answer of DUMP (format section 6.2) as a dump of one key: magic, key, value, end.
///
/// # Errors
/// A sentence if it is no such answer.
pub(crate) fn to_dump(answer: &[u8], key: &[u8]) -> Result<Vec<u8>, String> {
    const FOOTER_BYTES: usize = 10;
    if magic(answer).is_ok() {
        return Err("this is a whole dump, not the answer of DUMP: leave --payload out".to_owned());
    }
    if answer.starts_with(b"\"") {
        return Err(
            "this is the answer of DUMP as redis-cli shows it: store it with redis-cli --raw DUMP KEY".to_owned()
        );
    }
    let split = |answer: &[u8]| {
        let (value, footer) = answer.split_at_checked(answer.len().checked_sub(FOOTER_BYTES)?)?;
        let [v0, v1, sum @ ..] = footer.first_chunk::<FOOTER_BYTES>()?;
        let stored = u64::from_le_bytes(*sum);
        let summed = answer.get(..answer.len() - 8)?;
        let is_true = stored == 0 || stored == checksum::of(summed);
        is_true.then(|| (value.to_vec(), u32::from(u16::from_le_bytes([*v0, *v1])), stored != 0))
    };
    // redis-cli --raw ends what it prints with a newline.
    let shorter = answer.strip_suffix(b"\n");
    // As it comes over the network, its length stands before it.
    let bare = |answer: &[u8]| -> Option<Vec<u8>> {
        let at = answer.iter().position(|byte| *byte == b'\n')?;
        let (header, value) = answer.split_at_checked(at + 1)?;
        let bytes: usize = std::str::from_utf8(header.strip_prefix(b"$")?).ok()?.trim_end().parse().ok()?;
        value.get(..bytes).map(<[u8]>::to_vec)
    };
    if [&b""[..], b"\n", b"(nil)\n", b"$-1\r\n", b"_\r\n"].contains(&answer) {
        return Err("this is the answer of DUMP for a key that is not there".to_owned());
    }
    let found = split(answer).or_else(|| shorter.and_then(split)).or_else(|| split(&bare(answer)?));
    let Some((value, version, has_sum)) = found else {
        return Err(
            "this is not the answer of DUMP: its last eight bytes are not the checksum of those before".to_owned()
        );
    };
    let dialect = if version < 80 { Dialect::Redis } else { Dialect::Valkey };
    let lead_bytes = payload_lead_bytes(&value, &Context::new(dialect, version));
    let Some((header, value)) = lead_bytes.and_then(|bytes| value.split_at_checked(bytes)) else {
        return Err("this is not the answer of DUMP: no value begins as it does".to_owned());
    };
    let mut dump = match dialect {
        Dialect::Valkey => format!("VALKEY{version:03}").into_bytes(),
        _ => format!("REDIS{version:04}").into_bytes(),
    };
    dump.extend_from_slice(header);
    dump.push(0x81);
    dump.extend_from_slice(&(key.len() as u64).to_be_bytes());
    dump.extend_from_slice(key);
    dump.extend_from_slice(value);
    dump.push(opcode::EOF);
    // That of the answer has been verified; what has none stays without.
    let sum = if has_sum { checksum::of(&dump) } else { 0 };
    dump.extend_from_slice(&sum.to_le_bytes());
    Ok(dump)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_becomes_a_dump() {
        // 7.2: the set {a, 5}, from a real server.
        let answer = b"\x14\x0c\x0c\0\0\0\x02\0\x81a\x02\x05\x01\xff\x0b\0\x98\x34\x7b\x5d\x79\x8d\xab\x9c";
        let dump = to_dump(answer, b"k").unwrap();
        let (value, sum) = dump.split_at(dump.len() - 8);
        assert_eq!(value, b"REDIS0011\x14\x81\0\0\0\0\0\0\0\x01k\x0c\x0c\0\0\0\x02\0\x81a\x02\x05\x01\xff\xff");
        assert_eq!(sum, checksum::of(value).to_le_bytes());
        assert_eq!(to_dump(&[&b"$24\r\n"[..], answer, b"\r\n"].concat(), b"k").unwrap(), dump);
        assert!(to_dump(b"\n", b"k").unwrap_err().contains("not there"));
        assert_eq!(to_dump(&[&answer[..], b"\n"].concat(), b"k").unwrap(), dump);
        assert!(to_dump(&answer[..20], b"k").unwrap_err().contains("checksum"));
        assert!(to_dump(b"\"\\x14\"", b"k").unwrap_err().contains("--raw"));
    }
}
