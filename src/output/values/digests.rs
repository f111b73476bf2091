//! A JSON object a key, a line each: `db`, `name` (and `name_base64` if the name is not UTF-8), and `digest`, which is what
//! `DEBUG DIGEST-VALUE` answers for the key.

use super::lines::{Line, Lines};
use super::out::{Drain, Out};
use super::text::json_name;
use crate::compare::{Rules, value_digest};
use crate::values::{Fault, KeyEntry, Value};

/// The digest of each key.
#[derive(Clone, Copy, Debug)]
pub struct Digests {
    rules: Rules,
}

impl<'o> Lines<'o, Digests> {
    /// Digests as a server of these rules computes them.
    pub fn digests(rules: Rules, drain: Drain<'o>) -> Self {
        Self::of(Digests { rules }, drain)
    }
}

impl Line for Digests {
    fn key(&mut self, key: &KeyEntry<'_>, value: &Value<'_>, out: &mut Out<'_>) -> Result<(), Fault> {
        let digest = value_digest(self.rules, &key.entry, value)?;
        out.put(b"{\"db\":");
        out.db(key.db);
        out.put(b",");
        json_name(key.name, out);
        out.put(format!(",\"digest\":\"{digest}\"}}\n").as_bytes());
        Ok(())
    }
}
