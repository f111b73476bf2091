//! The columns of rows, in their order: one list for every format that has rows, with what each column holds.

use std::fmt;

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// What it is called.
    pub name: &'static str,
    /// What its values are, where columns have types.
    pub holds: Type,
    /// Whether a value may be missing: then it is not known, or the key has none.
    pub is_nullable: bool,
    /// What its values mean.
    pub description: &'static str,
    /// The formats that have it.
    pub formats: Formats,
}

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Text that is one of few, which stand in the file once: of as many as there are dumps.
    Dump,
    /// Text that is one of few, which stand in the file once.
    Label,
    /// Text.
    Text,
    /// Bytes, which need not be text.
    Bytes,
    /// A number without sign, of 64 bits.
    U64,
    /// A number with a sign, of 64 bits.
    I64,
    /// A number without sign, of 8 bits.
    U8,
    /// A moment, in milliseconds, UTC.
    Moment,
}

/// Formats by what their columns can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Formats {
    /// All of them.
    All,
    /// Those that are text: CSV and JSON.
    Text,
    /// Those whose columns have types: Parquet and Arrow.
    Typed,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dump | Self::Label => "text, dictionary",
            Self::Text => "text",
            Self::Bytes => "bytes",
            Self::U64 => "uint64",
            Self::I64 => "int64",
            Self::U8 => "uint8",
            Self::Moment => "timestamp (ms, UTC)",
        })
    }
}

impl Column {
    const fn new(name: &'static str, holds: Type, description: &'static str) -> Self {
        Self { name, holds, is_nullable: false, description, formats: Formats::All }
    }

    const fn or_none(self) -> Self {
        Self { is_nullable: true, ..self }
    }

    const fn only(self, formats: Formats) -> Self {
        Self { formats, ..self }
    }
}

/// All columns.
pub const COLUMNS: [Column; 22] = [
    Column::new("dump", Type::Dump, "the dump that the key is in, as it was given"),
    Column::new("db", Type::U64, "the database"),
    Column::new("name", Type::Bytes, "the key's name; in text, bytes that are not UTF-8 are escaped as `\\xff`"),
    Column::new(
        "name_base64",
        Type::Text,
        "the name in Base64, where `name` is not the name to the byte: if it is not UTF-8, in CSV also if it is like a formula",
    )
    .or_none()
    .only(Formats::Text),
    Column::new(
        "name_text",
        Type::Text,
        "the name as text, bytes that are not UTF-8 escaped as `\\xff`; of names over 64 KiB the first 64 KiB",
    )
    .only(Formats::Typed),
    // Not one of few: a dump can have as many module types as keys.
    Column::new("type", Type::Text, "the type as `TYPE` answers it; of a module's value the module type's name"),
    Column::new("stored_as", Type::Label, "the encoding in the dump"),
    Column::new("loaded_as", Type::Label, "the encoding on the server that loaded it, as `OBJECT ENCODING` answers it"),
    Column::new("size", Type::U64, "the length of a string, the number of elements of a collection, as `unit` says"),
    Column::new("unit", Type::Label, "what `size` counts: `byte` or `count`"),
    Column::new("serialized_bytes", Type::U64, "bytes of the key's record in the dump"),
    Column::new(
        "memory_bytes",
        Type::U64,
        "what `MEMORY USAGE` answers on the server that loaded it, if a model knows it",
    )
    .or_none(),
    Column::new(
        "allocated_bytes",
        Type::U64,
        "bytes that the server's allocator gives out for it, if a model knows them",
    )
    .or_none(),
    Column::new("memory_basis", Type::Label, "what that rests on: `exact`, `lower_bound` or `estimate`").or_none(),
    Column::new("value_bytes", Type::U64, "bytes of the value's texts as clients see them, where they are not packed")
        .or_none(),
    Column::new("largest_element_bytes", Type::U64, "bytes of its largest element, where elements are not packed")
        .or_none(),
    Column::new("largest_element_index", Type::U64, "the index of that element, from 0").or_none(),
    Column::new("expires_at_ms", Type::I64, "when it expires, in milliseconds since 1970, if ever").or_none(),
    Column::new("expires_at", Type::Moment, "the same as a timestamp, if it is in the years 1 to 9999")
        .or_none()
        .only(Formats::Typed),
    Column::new("idle_seconds", Type::U64, "seconds since it was last used, if the dump has them").or_none(),
    Column::new("frequency", Type::U8, "its LFU counter, if the dump has it").or_none(),
    Column::new("offset", Type::U64, "offset of its record in the (inflated) dump"),
];

/// The columns that formats with text have.
pub(super) fn of_text() -> impl Iterator<Item = Column> {
    COLUMNS.into_iter().filter(|column| column.formats != Formats::Typed)
}

/// The columns that formats with types have.
#[cfg(feature = "columnar")]
pub(super) fn of_types() -> impl Iterator<Item = Column> {
    COLUMNS.into_iter().filter(|column| column.formats != Formats::Text)
}
