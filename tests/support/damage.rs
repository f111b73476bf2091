//! Damage as it happens to files, and as whoever means harm does it: the same from the same seed.
#![allow(clippy::indexing_slicing, reason = "an index out of place fails the test, as it should")]

use super::random::Random;

/// Bytes that mean something somewhere in the format.
const TELLING: [u8; 24] = [
    0, 1, 2, 3, 5, 9, 10, 14, 15, 18, 0x1f, 0x3f, 0x40, 0x7f, 0x80, 0x81, 0xc0, 0xc3, 0xf0, 0xf4, 0xfa, 0xfc, 0xfe,
    0xff,
];

/// Changes a dump somewhere, in one place mostly.
pub fn damage(dump: &[u8], random: &mut Random) -> Vec<u8> {
    let mut damaged = dump.to_vec();
    for _ in 0..random.pick(&[1, 1, 1, 2, 5]) {
        change(&mut damaged, random);
    }
    damaged
}

fn change(dump: &mut Vec<u8>, random: &mut Random) {
    if dump.is_empty() {
        return;
    }
    let at = random.below(dump.len());
    let most = random.pick(&[1, 4, 16, 200, 4096]);
    let end = (at + 1 + random.below(most)).min(dump.len());
    match random.below(10) {
        0..=2 => dump[at] ^= 1 << random.below(8),
        3 | 4 => dump[at] = random.pick(&TELLING),
        5 => dump[at] = dump[at].wrapping_add(random.pick(&[1, 0xff])),
        6 => _ = dump.drain(at..end),
        7 => {
            let copied = dump[at..end].to_vec();
            let to = random.below(dump.len());
            _ = dump.splice(to..to, copied);
        }
        8 => dump[at..end].fill(0),
        _ => dump.truncate(at),
    }
}

/// Says at the end of a dump that nobody computed a checksum, so that readers go by what is in it.
pub fn without_checksum(mut dump: Vec<u8>) -> Vec<u8> {
    let from = dump.len().saturating_sub(8);
    dump[from..].fill(0);
    dump
}
