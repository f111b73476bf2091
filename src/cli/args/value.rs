//! Values as they are typed: numbers, sizes, times and shards.

use std::convert::Infallible;
use std::sync::Arc;

use bigkeys::analysis::filter::{Bounds, Ttl};
use bigkeys::rdb::limits::SLOTS;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// A whole number.
pub(crate) fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "expected a whole number, 0 or more, without a unit".to_owned())
}

/// A whole number of a range.
pub(crate) fn from_to(low: u64, high: u64) -> impl Fn(&str) -> Result<u64, String> + Clone {
    move |text| {
        let number = text.parse().ok().filter(|number| (low..=high).contains(number));
        number.ok_or_else(|| format!("expected a whole number from {low} to {high}"))
    }
}

/// `12`, `12K`, `12KB` or `12KiB`; M, G and T alike.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default();
    let number: u64 = digits.parse().map_err(|_| "expected a whole number of bytes, e.g. 4096 or 10K".to_owned())?;
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(format!("unknown unit '{unit}' (use K, M, G or T)")),
    };
    number.checked_mul(1 << shift).ok_or_else(|| "the number is too large: it is over 16,777,215T".to_owned())
}

/// `90s`, `15m`, `12h` or `7d`, as seconds.
pub(crate) fn duration_seconds(text: &str) -> Result<u64, String> {
    let seconds = text.char_indices().next_back().and_then(|(at, unit)| {
        let unit = match unit {
            's' => 1,
            'm' => 60,
            'h' => 60 * 60,
            'd' => 24 * 60 * 60,
            _ => return None,
        };
        let number: u64 = text.get(..at)?.parse().ok()?;
        number.checked_mul(unit).filter(|seconds| (1..=DURATION_SECONDS_MAX).contains(seconds))
    });
    seconds.ok_or_else(|| "expected a duration from 1s to 9999d, e.g. 90s, 15m, 12h or 7d".to_owned())
}

/// 9,999 days.
const DURATION_SECONDS_MAX: u64 = 9_999 * 24 * 60 * 60;

/// `A..B`, `A..`, `..B` or `A`, both ends included, of numbers up to `most`.
fn bounds(text: &str, most: u64) -> Option<Bounds> {
    let end = |text: &str| text.parse().ok().filter(|number| *number <= most);
    range(text, end).or_else(|| end(text).map(|number| Bounds { from: Some(number), to: Some(number) }))
}

/// A range with at least one end, the first no larger than the second.
fn range(text: &str, end: impl Fn(&str) -> Option<u64>) -> Option<Bounds> {
    let (from, to) = text.split_once("..")?;
    let end = |text: &str| if text.is_empty() { Some(None) } else { end(text).map(Some) };
    let bounds = Bounds { from: end(from)?, to: end(to)? };
    let is_in_order = bounds.from.zip(bounds.to).is_none_or(|(from, to)| from <= to);
    Some(bounds).filter(|bounds| is_in_order && !bounds.is_all())
}

/// A range of LFU counters.
pub(crate) fn frequency_bounds(text: &str) -> Result<Bounds, String> {
    bounds(text, u8::MAX.into())
        .ok_or_else(|| "expected a range from 0 to 255, lower end first, e.g. 100.., 10..20 or 5".to_owned())
}

/// A range of slots of a cluster.
pub(crate) fn slot_bounds(text: &str) -> Result<Bounds, String> {
    bounds(text, SLOTS - 1)
        .ok_or_else(|| "expected a range from 0 to 16383, lower end first, e.g. 0..5460 or 12182".to_owned())
}

/// A range of durations in seconds.
pub(crate) fn duration_bounds(text: &str) -> Result<Bounds, String> {
    range(text, |end| if end == "0" { Some(0) } else { duration_seconds(end).ok() })
        .ok_or_else(|| "expected a range of durations, shorter end first, e.g. 1h..7d, ..15m or 30d..".to_owned())
}

/// A range of times to live, or none.
pub(crate) fn ttl(text: &str) -> Result<Ttl, String> {
    if text == "none" {
        return Ok(Ttl::None);
    }
    let Bounds { from, to } = duration_bounds(text)
        .map_err(|_| "expected none or a range, shorter end first, e.g. 1h..7d, ..15m or 30d..".to_owned())?;
    let ms = |seconds: u64| seconds.saturating_mul(1000);
    Ok(Ttl::Within(Bounds { from: from.map(ms), to: to.map(ms) }))
}

/// A name in which `\xff` is the byte ff, and `\\x` is `\x`.
#[allow(clippy::unnecessary_wraps, reason = "a parser of arguments is a function that can fail")]
pub(crate) fn escaped_name(text: &str) -> Result<Arc<[u8]>, Infallible> {
    let mut name = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let byte;
        (byte, rest) = if let Some(after) = rest.strip_prefix(br"\\x") {
            name.push(b'\\');
            (b'x', after)
        } else {
            escape(rest).unwrap_or((*first, after))
        };
        name.push(byte);
    }
    Ok(name.into())
}

/// The byte that `\xff` at the start of `text` stands for, and what follows.
fn escape(text: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, rest) = text.strip_prefix(br"\x")?.split_at_checked(2)?;
    let digits = std::str::from_utf8(digits).ok()?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    Some((u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)?, rest))
}

/// A timestamp of RFC 3339, a date, which is its midnight in UTC, or seconds since 1970.
pub(crate) fn time(text: &str) -> Result<Timestamp, String> {
    let midnight = |date: Date| date.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp());
    let parsed = match text.parse::<i64>() {
        Ok(seconds) => Timestamp::from_second(seconds),
        Err(_) => text.parse().or_else(|_| Date::strptime("%Y-%m-%d", text).and_then(midnight)),
    };
    parsed.map_err(|_| {
        "invalid time; expected e.g. 2026-01-31T12:00:00Z, 2026-01-31 (midnight in UTC) or 1769860800 (seconds since 1970)"
            .to_owned()
    })
}

/// `ip:port`, as the task's JSON has it.
pub(crate) fn shard(text: &str) -> Result<String, String> {
    let has_port = text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if has_port { Ok(text.to_owned()) } else { Err("expected ip:port, e.g. 10.0.0.1:6379".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_times_and_shards() {
        assert_eq!(bytes("10K"), Ok(10_240));
        assert_eq!(bytes("3MiB"), Ok(3 << 20));
        assert_eq!((bytes("1T"), bytes("2tb")), (Ok(1 << 40), Ok(2 << 40)));
        assert_eq!(bytes("16777215T"), Ok(16_777_215 << 40));
        assert!(bytes("ten").is_err() && bytes("1P").is_err() && bytes("16777216T").is_err() && bytes("T").is_err());
        assert!(number("1K").is_err() && number("-1").is_err() && number("5000") == Ok(5000));
        assert_eq!((from_to(1, 1024)("1024"), from_to(0, 9)("0")), (Ok(1024), Ok(0)));
        assert!(from_to(1, 1024)("0").is_err() && from_to(1, 9)("-1").is_err());
        assert_eq!(time("0"), time("1970-01-01T00:00:00Z"));
        assert_eq!(time("2026-01-31"), time("2026-01-31T00:00:00Z"));
        for wrong in ["yesterday", "2026-02-30", "2026-01-31T12:00:00", "2026-01-31 ", "2026-1", ""] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
        assert_eq!((duration_seconds("90s"), duration_seconds("7d")), (Ok(90), Ok(604_800)));
        assert!(["", "7", "0s", "-1d", "1w", "d", "10000d", "é"].iter().all(|wrong| duration_seconds(wrong).is_err()));
        let bounds = |from, to| Bounds { from, to };
        assert_eq!(slot_bounds("0..5460"), Ok(bounds(Some(0), Some(5460))));
        assert_eq!(
            (slot_bounds("7"), frequency_bounds("..9")),
            (Ok(bounds(Some(7), Some(7))), Ok(bounds(None, Some(9))))
        );
        assert_eq!(duration_bounds("30d.."), Ok(bounds(Some(2_592_000), None)));
        assert_eq!(ttl("0..1h"), Ok(Ttl::Within(bounds(Some(0), Some(3_600_000)))));
        assert_eq!(ttl("none"), Ok(Ttl::None));
        assert!(["", "..", "9..3", "16384", "1..x", "1...2", "-1"].iter().all(|wrong| slot_bounds(wrong).is_err()));
        assert!(["7d", "..", "1h..1m", "None", "1..2"].iter().all(|wrong| ttl(wrong).is_err()));
        for (typed, name) in [
            (r"a\\b", &br"a\\b"[..]),
            (r"\\xff", br"\xff"),
            (r"\xffb", b"\xffb"),
            (r"\xf", br"\xf"),
            (r"\x+1", br"\x+1"),
        ] {
            assert_eq!(&escaped_name(typed).unwrap()[..], name, "{typed}");
        }
        assert!(shard("[::1]:6379").is_ok() && shard("redis-0.svc:6379").is_ok());
        assert!(shard("10.0.0.1").is_err() && shard(":6379").is_err() && shard("h:0").is_err());
    }
}
