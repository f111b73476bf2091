//! Commands to type next. Names come from the dump and may hold anything: what is written here are single words to a POSIX
//! shell, of visible characters alone, whatever the name.

use std::fmt::Write;

use crate::report::{Report, SuspectKey};

/// The file of a dump, as a word for a shell.
pub(super) fn dump(report: &Report, number: u32) -> String {
    let dump = usize::try_from(number).ok().and_then(|number| report.dumps.get(number));
    let name = dump.map_or("dump.rdb", |dump| &dump.name);
    // A name that could be taken for an option is one of this folder.
    let name = if name.starts_with('-') && name != "-" { format!("./{name}") } else { name.to_owned() };
    word(&name)
}

/// All dumps of a report, as words for a shell, or a stand-in if there are many.
pub(crate) fn dumps(report: &Report) -> String {
    let count = u32::try_from(report.dumps.len()).unwrap_or(u32::MAX);
    if count > 3 {
        return "DUMP...".to_owned();
    }
    (0..count).map(|number| dump(report, number)).collect::<Vec<_>>().join(" ")
}

/// Our command that shows a key.
pub(super) fn get(report: &Report, found: &SuspectKey, options: &str) -> String {
    let dump = dump(report, found.key.dump);
    // A name that is cut is not the key's.
    if found.key.name_bytes.is_some() {
        return format!("bigkeys get {dump} --offset {}{options}", found.key.offset);
    }
    let name = word(&escaped(found.key.name.bytes()));
    let separator = if name.starts_with('-') || name.starts_with("'-") { "-- " } else { "" };
    match (found.db, separator) {
        (Some(db @ 1..), _) => format!("bigkeys get --db {db}{options} {dump} {separator}{name}"),
        (_, "") => format!("bigkeys get {dump} {name}{options}"),
        _ => format!("bigkeys get{options} {dump} {separator}{name}"),
    }
}

/// A command of `redis-cli` about a key; none if its name is cut.
pub(super) fn redis_cli(found: &SuspectKey, before: &str, after: &str) -> Option<String> {
    if found.key.name_bytes.is_some() {
        return None;
    }
    let db = match found.db {
        Some(db @ 1..) => format!(" -n {db}"),
        _ => String::new(),
    };
    let name = found.key.name.bytes();
    let (quoted, name) = match std::str::from_utf8(name) {
        Ok(text) if text.chars().all(|c| is_visible(c) && !matches!(c, '"' | '\\')) && !text.is_empty() => {
            ("", word(text))
        }
        _ => (" --quoted-input", word(&quoted(name))),
    };
    Some(format!("redis-cli{db}{quoted} {before} {name}{after}"))
}

/// The value of `--match` that takes the names under a prefix, as a word for a shell.
pub(crate) fn glob_of_prefix(prefix: &[u8]) -> String {
    word(&(glob(prefix) + "*"))
}

/// The value of `--match` that takes this name alone, as a word for a shell.
#[cfg(feature = "browse")]
pub(crate) fn glob_of_name(name: &[u8]) -> String {
    word(&glob(name))
}

fn glob(name: &[u8]) -> String {
    let mut glob = String::new();
    push_visible(&mut glob, name, |glob, c| {
        if matches!(c, '*' | '?' | '[' | ']' | '\\') {
            glob.push('\\');
        }
        glob.push(c);
    });
    glob
}

/// A word for a POSIX shell: between quotes unless it is plain.
pub(crate) fn word(text: &str) -> String {
    let is_plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | ':' | '=' | '@' | '%' | '+' | '-' | ',');
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    // What a terminal would act on has no place in a command, even between quotes.
    let mut visible = String::new();
    for c in text.chars() {
        visible.push(if is_visible(c) { c } else { '?' });
    }
    format!("'{}'", visible.replace('\'', r"'\''"))
}

/// A name as our own commands take it: bytes that are not visible as `\xff`, and `\x` of the name as `\\x`.
fn escaped(name: &[u8]) -> String {
    let mut text = String::new();
    push_visible(&mut text, name, String::push);
    // Of an escape that was just written the backslash is not the name's: build it again where the name has one.
    if name.windows(2).any(|pair| pair == br"\x") {
        text.clear();
        let mut rest = name;
        while let Some(at) = rest.windows(2).position(|pair| pair == br"\x") {
            let (before, after) = rest.split_at(at);
            push_visible(&mut text, before, String::push);
            text.push_str(r"\\x");
            rest = after.get(2..).unwrap_or_default();
        }
        push_visible(&mut text, rest, String::push);
    }
    text
}

/// A name as `redis-cli --quoted-input` takes it.
fn quoted(name: &[u8]) -> String {
    let mut text = String::from("\"");
    push_visible(&mut text, name, |text, c| {
        if matches!(c, '"' | '\\') {
            text.push('\\');
        }
        text.push(c);
    });
    text.push('"');
    text
}

/// Adds bytes: characters that are visible as `push` writes them, all others as `\xff`.
fn push_visible(text: &mut String, bytes: &[u8], mut push: impl FnMut(&mut String, char)) {
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_visible(c) {
                push(text, c);
            } else {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    _ = write!(text, "\\x{byte:02x}");
                }
            }
        }
        for byte in chunk.invalid() {
            _ = write!(text, "\\x{byte:02x}");
        }
    }
}

/// Characters that look as they are on every terminal.
fn is_visible(c: char) -> bool {
    c == ' ' || c.is_ascii_graphic() || c.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_one_word() {
        for (name, plain, redis, glob) in [
            (&b"user:1"[..], "user:1", "\"user:1\"", "'user:1*'"),
            (b"a b", "'a b'", "'\"a b\"'", "'a b*'"),
            (b"$(reboot)'`", r"'$(reboot)'\''`'", r#"'"$(reboot)'\''`"'"#, r"'$(reboot)'\''`*'"),
            (b"\xff\n", r"'\xff\x0a'", r#"'"\xff\x0a"'"#, r"'\xff\x0a*'"),
            (br"\xff\\", r"'\\xff\\'", r#"'"\\xff\\\\"'"#, r"'\\xff\\\\*'"),
            (b"", "''", "'\"\"'", "'*'"),
            ("\u{202e}é".as_bytes(), r"'\xe2\x80\xaeé'", "'\"\\xe2\\x80\\xaeé\"'", r"'\xe2\x80\xaeé*'"),
        ] {
            assert_eq!(word(&escaped(name)), plain);
            assert_eq!(word(&quoted(name)).replace("'\"user:1\"'", "\"user:1\""), redis);
            assert_eq!(glob_of_prefix(name), glob);
        }
        assert_eq!(word("a\x1b[2Jb"), "'a?[2Jb'");
    }
}
