//! What to know of a dump's memory figures: how far its server was from the one that is modelled.

use crate::memory::{Allocator, Target};
use crate::rdb::{Context, Dialect};

/// Sentences about the figures of a dump, for a report's `model_notes`.
pub(crate) fn of(context: &Context, target: Target, allocator: Allocator) -> Vec<String> {
    let bits = is_32_bit(context).then(|| BITS_32.to_owned());
    let allocator = (allocator == Allocator::Jemalloc).then(|| FOREIGN_ALLOCATOR.to_owned());
    bits.into_iter().chain(server(context, target)).chain(allocator).collect()
}

/// What to say of a dump of a server of 32 bits.
pub(crate) const BITS_32: &str =
    "the dump is of a 32-bit server (redis-bits), the memory figures are those of a 64-bit one";

// Strings, where classes of 24, 40 and 56 bytes are missing: +6.4 % on servers 8.0, 8.6 and 9.1 of Debian.
const FOREIGN_ALLOCATOR: &str =
    "a server with Debian's jemalloc or with libc's malloc takes up to 7 % more or less: see --allocator";

/// Whether the server that wrote the dump had pointers of 32 bits.
pub(crate) fn is_32_bit(context: &Context) -> bool {
    context.aux.fields.iter().any(|(name, value)| name == "redis-bits" && value == "32")
}

/// What to say where the server that wrote the dump is not of the line that is modelled.
fn server(context: &Context, target: Target) -> Option<String> {
    let (family, line) = target.name().split_once('-')?;
    let Some(text) = context.aux.server_version.as_deref() else {
        let rdb = context.version;
        return Some(format!(
            "the dump (RDB {rdb}) does not name its server, the memory figures are those of {target}"
        ));
    };
    let is_valkey = context.dialect == Dialect::Valkey || context.aux.is_valkey;
    let server = match context.dialect {
        Dialect::Dragonfly => "Dragonfly",
        _ if is_valkey => "Valkey",
        _ => "Redis",
    };
    let is_family = context.dialect != Dialect::Dragonfly && is_valkey == (family == "valkey");
    let (version, line) = (numbers(text), numbers(line));
    if is_family && version.is_some() && version == line {
        return None;
    }
    let older = if is_family && version.is_some() && version < line { ", which is older" } else { "" };
    Some(format!(
        "the dump was written by {server} {text}{older}, the memory figures are those of {target} after loading it"
    ))
}

/// The major and the minor number of a version.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_servers_that_are_not_the_model() {
        for (dialect, is_valkey, version, target, expected) in [
            (Dialect::Redis, false, Some("7.0.15"), Target::Redis7_0, None),
            (Dialect::Valkey, true, Some("9.1.2"), Target::Valkey9_1, None),
            (Dialect::Redis, true, Some("8.1.1"), Target::Valkey8_1, None),
            (
                Dialect::Redis,
                false,
                Some("5.0.14"),
                Target::Redis6_2,
                Some("written by Redis 5.0.14, which is older, "),
            ),
            (
                Dialect::Redis,
                false,
                Some("7.0.15"),
                Target::Redis8_8,
                Some("written by Redis 7.0.15, which is older, "),
            ),
            (Dialect::Redis, false, Some("8.9.1"), Target::Redis8_8, Some("written by Redis 8.9.1, the memory")),
            (Dialect::Redis, false, Some("8.1.1"), Target::Valkey8_1, Some("written by Redis 8.1.1, the memory")),
            (Dialect::Redis, true, Some("8.1.1"), Target::Redis8_0, Some("written by Valkey 8.1.1, the memory")),
            (Dialect::Dragonfly, false, Some("6.2.11"), Target::Redis6_2, Some("written by Dragonfly 6.2.11, ")),
            (Dialect::Redis, false, Some("unstable"), Target::Redis6_2, Some("written by Redis unstable, the memory")),
            (Dialect::Redis, false, None, Target::Redis6_2, Some("(RDB 9) does not name its server")),
        ] {
            let mut context = Context::new(dialect, 9);
            context.aux.is_valkey = is_valkey;
            context.aux.server_version = version.map(str::to_owned);
            let said = server(&context, target);
            assert_eq!(said.is_some(), expected.is_some(), "{said:?}");
            assert!(said.unwrap_or_default().contains(expected.unwrap_or_default()), "{version:?} {target}");
        }
    }

    #[test]
    fn what_is_said_of_pointers_and_allocators() {
        let mut context = Context::new(Dialect::Redis, 10);
        context.learn("redis-ver", "7.0.15".to_owned());
        assert_eq!(of(&context, Target::Redis7_0, Allocator::Libc), [""; 0]);
        assert_eq!(of(&context, Target::Redis7_0, Allocator::Jemalloc), [FOREIGN_ALLOCATOR]);
        context.aux.fields.push(("redis-bits".to_owned(), "32".to_owned()));
        assert_eq!(of(&context, Target::Redis7_0, Allocator::Debian), [BITS_32]);
    }
}
