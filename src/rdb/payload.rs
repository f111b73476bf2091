//! The answer of the DUMP command: one value, with its type before it and a version and a checksum behind.

use super::checksum;
use super::header::{Context, magic};
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
        is_true.then(|| (value.to_vec(), u32::from(u16::from_le_bytes([*v0, *v1]))))
    };
    // redis-cli --raw ends what it prints with a newline.
    let shorter = answer.strip_suffix(b"\n");
    let found = split(answer).or_else(|| shorter.and_then(split));
    let Some((value, version)) = found else {
        return Err(
            "this is not the answer of DUMP: its last eight bytes are not the checksum of those before".to_owned()
        );
    };
    let dialect = if version < 80 { Dialect::Redis } else { Dialect::Valkey };
    let lead_bytes = payload_lead_bytes(&value, &Context::new(dialect, version));
    let Some((lead, value)) = lead_bytes.and_then(|bytes| value.split_at_checked(bytes)) else {
        return Err("this is not the answer of DUMP: no value begins as it does".to_owned());
    };
    let mut dump = match dialect {
        Dialect::Valkey => format!("VALKEY{version:03}").into_bytes(),
        _ => format!("REDIS{version:04}").into_bytes(),
    };
    dump.extend_from_slice(lead);
    dump.push(0x81);
    dump.extend_from_slice(&(key.len() as u64).to_be_bytes());
    dump.extend_from_slice(key);
    dump.extend_from_slice(value);
    dump.push(opcode::EOF);
    dump.extend_from_slice(&[0; 8]);
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
        assert_eq!(
            dump,
            b"REDIS0011\x14\x81\0\0\0\0\0\0\0\x01k\x0c\x0c\0\0\0\x02\0\x81a\x02\x05\x01\xff\xff\0\0\0\0\0\0\0\0"
        );
        assert_eq!(to_dump(&[&answer[..], b"\n"].concat(), b"k").unwrap(), dump);
        assert!(to_dump(&answer[..20], b"k").unwrap_err().contains("checksum"));
        assert!(to_dump(b"\"\\x14\"", b"k").unwrap_err().contains("--raw"));
    }
}
