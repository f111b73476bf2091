//! Commands about keys, a line each, for a person to review and then to give to `redis-cli`: nothing is sent anywhere.
//!
//! A name is written between double quotes, as `redis-cli` reads it. Every byte that is not printable ASCII, and each of
//! `"`, `\`, `$`, `` ` `` and `!`, is escaped as `\xff`, so that neither a terminal nor a shell acts on what a name has in it.

use super::lines::{Line, Lines};
use super::out::{Drain, Out};
use crate::values::{Fault, KeyEntry, Value};

/// A command a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Review {
    /// UNLINK, which deletes the key and frees its memory in the background.
    Delete,
    /// EXPIRE, after so many seconds.
    Expire {
        /// The seconds.
        seconds: u64,
    },
}

impl<'o> Lines<'o, Review> {
    /// A command a key, and a SELECT wherever the database changes.
    pub fn review(review: Review, drain: Drain<'o>) -> Self {
        Self::of(review, drain)
    }
}

impl Line for Review {
    fn select(&self, db: u64, out: &mut Out<'_>) {
        out.put(b"SELECT ");
        out.number(db);
        out.put(b"\n");
    }

    fn key(&mut self, key: &KeyEntry<'_>, _: &Value<'_>, out: &mut Out<'_>) -> Result<(), Fault> {
        out.put(if *self == Self::Delete { b"UNLINK " } else { b"EXPIRE " });
        quoted(key.name, out);
        if let Self::Expire { seconds } = self {
            out.put(b" ");
            out.number(*seconds);
        }
        out.put(b"\n");
        Ok(())
    }
}

fn quoted(name: &[u8], out: &mut Out<'_>) {
    out.put(b"\"");
    for byte in name {
        if matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\' | b'$' | b'`' | b'!') {
            out.put(&[*byte]);
        } else {
            out.put(format!("\\x{byte:02x}").as_bytes());
        }
    }
    out.put(b"\"");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_acts_on_a_name() {
        let mut out = Out::new(None);
        quoted(b"a'b \"\\$(x)`!\n\x1b\xff", &mut out);
        assert_eq!(out.bytes, br#""a'b \x22\x5c\x24(x)\x60\x21\x0a\x1b\xff""#);
    }
}
