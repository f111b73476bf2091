//! What names of keys are replaced by.

use std::fs::File;
use std::io::Read;

use bigkeys::forensics::{Redact, Redaction};
use clap::Args;

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct RedactArgs {
    /// Replace names of keys, and texts of values: digits, names or hmac=KEYFILE
    ///
    /// Separators and lengths stay, so prefixes stay prefixes. `digits` replaces each digit by #, `names` each part between
    /// separators by a pseudonym of this run, `hmac=KEYFILE` by one that is the same wherever the key is.
    #[arg(long, value_name = "HOW", value_parser = redact)]
    pub(crate) redact: Option<Redact>,
}

/// Larger files are not keys.
const KEY_BYTES_MAX: u64 = 1 << 20;

fn redact(text: &str) -> Result<Redact, String> {
    match (text, text.strip_prefix("hmac=")) {
        ("digits", _) => Ok(Redact::Digits),
        ("names", _) => Ok(Redact::Names),
        (_, Some(path)) => {
            let mut key = Vec::new();
            let read = File::open(path).and_then(|file| file.take(KEY_BYTES_MAX + 1).read_to_end(&mut key));
            read.map_err(|error| format!("{path}: could not read it: {error}"))?;
            if key.len() as u64 > KEY_BYTES_MAX {
                return Err(format!("{path}: a key has at most {KEY_BYTES_MAX} bytes"));
            }
            Ok(Redact::Hmac(key))
        }
        _ => Err("use digits, names or hmac=KEYFILE".to_owned()),
    }
}

impl RedactArgs {
    /// The redaction of names whose prefixes end with `separators`, if one was asked for.
    ///
    /// # Errors
    /// A sentence if the key is too short, or separators leave no room for pseudonyms.
    pub(crate) fn redaction(&self, separators: &str) -> Result<Option<Redaction>, String> {
        let redaction = self.redact.as_ref().map(|redact| Redaction::new(redact, separators.as_bytes()));
        redaction.transpose().map_err(|what| format!("--redact: {what}"))
    }
}

/// What ends a prefix where a command has no option to say so.
pub(crate) const SEPARATORS: &str = ":";
