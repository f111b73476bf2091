//! Names and texts replaced by stand-ins. A result goes through this once, between the analysis and the output: filters, groups,
//! prefixes, limits and the order of lists work on the names as they are, then the result's own `map_names` hands each name to
//! [`Redaction::name`], and findings are judged of what that left, so that their sentences and commands have the stand-ins
//! too. Values that are exported have the same done with each text ([`crate::values::Mapped`]), and sentences about damage
//! with each name in them ([`Redaction::sentence`]).
//!
//! A name is mapped part by part. What ends a part is kept: the separators of prefixes, and the braces of hash tags. So what was
//! a prefix of a name is a prefix of its stand-in, and every part keeps its length in bytes. What is left of a name that
//! was cut to its first bytes is mapped as if it were all.

use std::fs::File;
use std::io::{self, Read};

use sha2::{Digest, Sha256};

use crate::error::Quoted;

/// What names are replaced by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redact {
    /// Each digit by `#`. Names that differ in digits alone become one.
    Digits,
    /// Each part by a pseudonym, under a key that is drawn for this run and forgotten with it.
    Names,
    /// Each part by a pseudonym under this key.
    Hmac(Vec<u8>),
}

/// What a redaction does to names.
#[derive(Clone, Debug)]
pub struct Redaction {
    /// Bytes that are kept, and that end a part.
    separators: Vec<u8>,
    pseudonyms: Option<Pseudonyms>,
    mark: String,
}

/// Keys that are shorter can be guessed.
const KEY_BYTES_MIN: usize = 16;

/// What stands for a digit.
const DIGIT: u8 = b'#';

/// What ends a part besides the separators of prefixes: hash tags are told apart by it.
const BRACES: [u8; 2] = *b"{}";

impl Redaction {
    /// A redaction of names whose prefixes end with `separators`.
    ///
    /// # Errors
    /// A sentence if the key is too short, if separators leave too few characters for pseudonyms, or if the system gives no
    /// random bytes.
    pub fn new(redact: &Redact, separators: &[u8]) -> Result<Self, String> {
        let separators = [separators, &BRACES].concat();
        let (pseudonyms, mark) = match redact {
            Redact::Digits => (None, "digits".to_owned()),
            Redact::Names => {
                let key = random_key().map_err(|error| format!("could not read random bytes: {error}"))?;
                let pseudonyms = Pseudonyms::new(&key, &separators)?;
                let mark = format!("names {}", pseudonyms.key_id());
                (Some(pseudonyms), mark)
            }
            Redact::Hmac(key) if key.len() < KEY_BYTES_MIN => {
                return Err(format!("the key has {} bytes; it needs at least {KEY_BYTES_MIN}", key.len()));
            }
            Redact::Hmac(key) => {
                let pseudonyms = Pseudonyms::new(key, &separators)?;
                let mark = format!("hmac {}", pseudonyms.key_id());
                (Some(pseudonyms), mark)
            }
        };
        Ok(Self { separators, pseudonyms, mark })
    }

    /// What it is, for a result to say: two results are comparable if they say the same. Of a key it has an ID of 32 bits, which
    /// tells keys apart.
    pub fn mark(&self) -> &str {
        &self.mark
    }

    /// Whether different names have different stand-ins.
    pub fn keeps_names_apart(&self) -> bool {
        self.pseudonyms.is_some()
    }

    /// The stand-in of a name or text, of the same length.
    pub fn name(&self, name: &[u8]) -> Vec<u8> {
        let Some(pseudonyms) = &self.pseudonyms else { return without_digits(name) };
        let mut mapped = Vec::with_capacity(name.len());
        for part in name.split_inclusive(|byte| self.separators.contains(byte)) {
            match part.split_last() {
                Some((separator, part)) if self.separators.contains(separator) => {
                    pseudonyms.add(part, &mut mapped);
                    mapped.push(*separator);
                }
                _ => pseudonyms.add(part, &mut mapped),
            }
        }
        mapped
    }

    /// As [`Redaction::name`] of what is UTF-8, which the stand-in is too.
    pub fn text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.name(text.as_bytes())).into_owned()
    }

    /// A sentence with stand-ins for all that is between double quotes, as names are in sentences.
    pub fn sentence(&self, sentence: &str) -> String {
        let mut mapped = String::with_capacity(sentence.len());
        let mut rest = sentence;
        while let Some((before, quoted)) = rest.split_once('"') {
            let (name, after) = unquoted(quoted);
            mapped.push_str(before);
            mapped.push_str(&Quoted(&self.name(&name)).to_string());
            rest = after;
        }
        mapped.push_str(rest);
        mapped
    }
}

/// The name that a quoted text stands for, and what follows the closing quote.
fn unquoted(text: &str) -> (Vec<u8>, &str) {
    let mut name = Vec::new();
    let mut rest = text;
    loop {
        let Some(at) = rest.find(['"', '\\']) else {
            name.extend_from_slice(rest.as_bytes());
            return (name, "");
        };
        let (before, from) = rest.split_at(at);
        name.extend_from_slice(before.as_bytes());
        if let Some(after) = from.strip_prefix('"') {
            return (name, after);
        }
        let escape = from.strip_prefix('\\').unwrap_or_default();
        let byte = escape.strip_prefix('x').and_then(|hex| u8::from_str_radix(hex.get(..2)?, 16).ok());
        if let Some(byte) = byte {
            name.push(byte);
            rest = escape.get(3..).unwrap_or_default();
        } else {
            let character = escape.chars().next();
            name.extend(character.map(String::from).unwrap_or_default().bytes());
            rest = escape.get(character.map_or(0, char::len_utf8)..).unwrap_or_default();
        }
    }
}

/// Digits of all scripts as `#`, as many as they have bytes.
fn without_digits(name: &[u8]) -> Vec<u8> {
    let mut mapped = Vec::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            let mut bytes = [0; 4];
            let bytes = character.encode_utf8(&mut bytes).as_bytes();
            if character.is_numeric() {
                mapped.resize(mapped.len() + bytes.len(), DIGIT);
            } else {
                mapped.extend_from_slice(bytes);
            }
        }
        mapped.extend_from_slice(chunk.invalid());
    }
    mapped
}

fn random_key() -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    Ok(key)
}

/// Characters of most parts, and of all pseudonyms.
const SYMBOLS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// With fewer characters left for pseudonyms, short ones would be too few.
const SYMBOLS_MIN: usize = 16;

/// What the pseudonym of a part with other characters begins with: the first of these that ends no part.
const MARKS: &[u8; 8] = b"~+!%^*=,";

/// Parts up to this length are permuted; of longer ones no two get the same hash.
const PERMUTED_BYTES_MAX: usize = 32;

/// Rounds of the permutation: as many as FF3-1 has (NIST SP 800-38G).
const ROUNDS: u8 = 8;

/// Pseudonyms of parts, under a key.
///
/// A part of [`SYMBOLS`] alone is permuted among all parts of its length: a Feistel network over their digits, whose rounds
/// add HMAC-SHA256 of the other half. So two parts never get the same pseudonym. A part with other characters gets a
/// mark and a hash; short ones of these may meet.
#[derive(Clone, Debug)]
struct Pseudonyms {
    key: Hmac,
    /// The symbols that end no part.
    symbols: Vec<u8>,
    /// The place of each byte among them.
    digits: Vec<Option<u8>>,
    /// Where each digit goes that is a part by itself.
    single: Vec<u8>,
    mark: u8,
}

impl Pseudonyms {
    fn new(key: &[u8], separators: &[u8]) -> Result<Self, String> {
        let is_free = |byte: &&u8| !separators.contains(byte);
        let symbols: Vec<u8> = SYMBOLS.iter().filter(is_free).copied().collect();
        if symbols.len() < SYMBOLS_MIN {
            return Err("too many separators to redact names: few characters are left for pseudonyms".to_owned());
        }
        let digits = (0..=u8::MAX).map(|byte| symbols.iter().position(|symbol| *symbol == byte));
        let digits = digits.map(|place| place.and_then(|place| u8::try_from(place).ok())).collect();
        let key = Hmac::new(key);
        // In the order of their hashes: as good as any permutation.
        let mut single: Vec<u8> = (0..).take(symbols.len()).collect();
        single.sort_by_cached_key(|digit| key.of(&[b"single", &[*digit]]));
        let mark = MARKS.iter().find(is_free).or(symbols.first()).copied().unwrap_or_default();
        Ok(Self { key, symbols, digits, single, mark })
    }

    fn key_id(&self) -> String {
        let [a, b, c, d, ..] = self.key.of(&[b"key"]);
        format!("{a:02x}{b:02x}{c:02x}{d:02x}")
    }

    /// Adds the pseudonym of a part.
    fn add(&self, part: &[u8], to: &mut Vec<u8>) {
        let digit = |byte: &u8| self.digits.get(usize::from(*byte)).copied().flatten();
        let digits: Option<Vec<u8>> =
            if part.len() <= PERMUTED_BYTES_MAX { part.iter().map(digit).collect() } else { None };
        let is_plain = digits.is_some() || part.iter().all(|byte| digit(byte).is_some());
        let mapped = match digits {
            Some(digits) => self.permuted(digits),
            None => self.stream(&[b"long", &self.key.of(&[part])], part.len()),
        };
        let start = to.len();
        to.extend(mapped.into_iter().filter_map(|digit| self.symbols.get(usize::from(digit))));
        if let Some(first) = to.get_mut(start).filter(|_| !is_plain) {
            *first = self.mark;
        }
    }

    /// Where the digits of a part go, among all of as many.
    fn permuted(&self, digits: Vec<u8>) -> Vec<u8> {
        match *digits {
            [] => digits,
            [digit] => self.single.get(usize::from(digit)).copied().into_iter().collect(),
            _ => {
                let (mut left, mut right) = (digits.clone(), Vec::new());
                right.extend(left.drain(digits.len() / 2..));
                let length = [u8::try_from(digits.len()).unwrap_or(u8::MAX)];
                let radix = self.symbols.len();
                for round in 0..ROUNDS {
                    let added = self.stream(&[b"round", &[round], &length, &right], left.len());
                    for (digit, added) in left.iter_mut().zip(added) {
                        let sum = (usize::from(*digit) + usize::from(added)) % radix;
                        *digit = u8::try_from(sum).unwrap_or_default();
                    }
                    std::mem::swap(&mut left, &mut right);
                }
                left.append(&mut right);
                left
            }
        }
    }

    /// Digits that follow from a text.
    fn stream(&self, text: &[&[u8]], digits: usize) -> Vec<u8> {
        let radix = u8::try_from(self.symbols.len()).unwrap_or(u8::MAX);
        let blocks = (0_u64..).flat_map(|block| {
            let block = block.to_le_bytes();
            let text: Vec<&[u8]> = std::iter::once(&block[..]).chain(text.iter().copied()).collect();
            self.key.of(&text)
        });
        blocks.take(digits).map(|byte| byte % radix).collect()
    }
}

/// HMAC-SHA256 (RFC 2104) under a key.
#[derive(Clone, Debug)]
struct Hmac {
    inner: Sha256,
    outer: Sha256,
}

impl Hmac {
    fn new(key: &[u8]) -> Self {
        const BLOCK_BYTES: usize = 64;
        let mut block = [0; BLOCK_BYTES];
        let hashed = Sha256::digest(key);
        let key = if key.len() > BLOCK_BYTES { &hashed[..] } else { key };
        block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        let padded = |pad: u8| Sha256::new_with_prefix(block.map(|byte| byte ^ pad));
        Self { inner: padded(0x36), outer: padded(0x5c) }
    }

    fn of(&self, text: &[&[u8]]) -> [u8; 32] {
        let mut inner = self.inner.clone();
        for text in text {
            inner.update(text);
        }
        let mut outer = self.outer.clone();
        outer.update(inner.finalize());
        outer.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn hmac() -> Redaction {
        Redaction::new(&Redact::Hmac(b"0123456789abcdef".to_vec()), b":").unwrap()
    }

    #[test]
    fn hmac_is_that_of_the_standard() {
        // RFC 4231, test cases 2 and 6.
        let hex = |bytes: [u8; 32]| bytes.map(|byte| format!("{byte:02x}")).concat();
        assert_eq!(
            hex(Hmac::new(b"Jefe").of(&[b"what do ya want ", b"for nothing?"])),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex(Hmac::new(&[0xaa; 131]).of(&[b"Test Using Larger Than Block-Size Key - Hash Key First"])),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn parts_separators_and_lengths_stay() {
        for redact in [Redact::Names, Redact::Hmac(vec![7; 16])] {
            let redaction = Redaction::new(&redact, b":.").unwrap();
            for name in [&b"user:17:cart"[..], b"", b":", b"::a", b"{user}.x", b"\xff\x00:k\xc3\xa9y", &[b'x'; 300]] {
                let mapped = redaction.name(name);
                assert_eq!(mapped.len(), name.len());
                let ends = |name: &[u8]| -> Vec<(usize, u8)> {
                    name.iter().copied().enumerate().filter(|(_, byte)| b":.{}".contains(byte)).collect()
                };
                assert_eq!(ends(&mapped), ends(name), "{}", name.escape_ascii());
                assert!(mapped.iter().all(u8::is_ascii_graphic));
                for (at, byte) in name.iter().enumerate().filter(|(_, byte)| b":.{}".contains(byte)) {
                    assert_eq!(redaction.name(&name[..=at]), mapped[..=at], "{byte}");
                }
            }
        }
    }

    #[test]
    fn short_parts_never_meet() {
        let redaction = hmac();
        let ones: BTreeSet<Vec<u8>> = SYMBOLS.iter().map(|symbol| redaction.name(&[*symbol])).collect();
        assert_eq!(ones.len(), 64);
        let twos = SYMBOLS.iter().flat_map(|a| SYMBOLS.map(|b| [*a, b]));
        assert_eq!(twos.map(|two| redaction.name(&two)).collect::<BTreeSet<_>>().len(), 64 * 64);
        let fives = (10_000..20_000).map(|number: u32| redaction.name(number.to_string().as_bytes()));
        assert_eq!(fives.collect::<BTreeSet<_>>().len(), 10_000);
    }

    #[test]
    fn a_key_always_gives_the_same_and_another_one_others() {
        let name = b"user:1000:cart";
        assert_eq!(hmac().name(name), hmac().name(name));
        assert_eq!(hmac().mark(), hmac().mark());
        let other = Redaction::new(&Redact::Hmac(b"0123456789abcdeF".to_vec()), b":").unwrap();
        assert_ne!(hmac().name(name), other.name(name));
        assert_ne!(hmac().mark(), other.mark());
        let drawn = || Redaction::new(&Redact::Names, b":").unwrap();
        assert_ne!(drawn().name(name), drawn().name(name));
    }

    #[test]
    fn digits_of_all_scripts_go() {
        let redaction = Redaction::new(&Redact::Digits, b":").unwrap();
        assert_eq!(redaction.name(b"user:1f0\xff9"), b"user:#f#\xff#");
        assert_eq!(redaction.text("k\u{665}"), "k##");
        assert!(!redaction.keeps_names_apart());
    }

    #[test]
    fn names_in_sentences_go() {
        let redaction = Redaction::new(&Redact::Digits, b":").unwrap();
        for (sentence, mapped) in [
            ("at byte 17: cut", "at byte 17: cut"),
            (r#"at byte 17, key "u:1" (hash): cut"#, r#"at byte 17, key "u:#" (hash): cut"#),
            (r#"key "a\"1\\\x312" and 3 more bytes; key "5"#, r##"key "a\"#\\##" and 3 more bytes; key "#""##),
        ] {
            assert_eq!(redaction.sentence(sentence), mapped);
        }
        assert!(!hmac().sentence(r#"key "secret:17" is"#).contains("secret"));
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        assert!(Redaction::new(&Redact::Hmac(b"short".to_vec()), b":").unwrap_err().contains("at least 16"));
        assert!(Redaction::new(&Redact::Names, SYMBOLS).unwrap_err().contains("separators"));
    }
}
