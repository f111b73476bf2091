//! What the keys do, in words.

/// All keys, as the help shows them.
pub(super) const HELP: [(&str, &str); 20] = [
    ("j k ↓ ↑", "the next line, the one before"),
    ("Ctrl-D Ctrl-U PgDn PgUp", "half a screen, a screen"),
    ("g G Home End", "the first line, the last"),
    ("l → Enter", "open the line: a database, a prefix, a key, a finding"),
    ("h ← Esc Backspace", "back; ends the scan of what is left"),
    ("/", "only keys whose names contain a text; an empty one ends that"),
    ("t T", "only keys of the next type, of the one before"),
    ("n", "only keys without TTL"),
    ("m", "bars and order by memory, bytes in the dump, keys, memory without TTL"),
    ("s", "sort by name, or by the measure"),
    ("f", "the findings; Enter leads to what they are about"),
    ("d", "what grew, of two reports"),
    ("i", "what is to be known of the figures"),
    ("Space", "mark the line, or no longer"),
    ("a", "the marks; Space takes one away"),
    ("w", "write the marks: a list, UNLINK, EXPIRE, or a filter for extract"),
    ("L", "in a key's card: its largest elements, or the first"),
    ("mouse", "a click selects, a click on the selected line opens, the wheel moves"),
    ("Ctrl-Z", "suspend"),
    ("q Ctrl-C", "leave"),
];
