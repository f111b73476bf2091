//! A row a key, in the dump's order: as CSV, as a JSON object a line, as Parquet or as an Arrow IPC file. The columns are
//! those of [`COLUMNS`](super::columns::COLUMNS).
//!
//! CSV is that of RFC 4180 with line feeds alone: a first line of names, quotes around a field that has a comma, a quote, a
//! carriage return or a line feed in it, and nothing where a value is not known. A name that is not UTF-8 is escaped
//! (`\xff`) in `name` and stands without loss in `name_base64`, which is else empty. In Parquet and Arrow names are bytes.

use std::borrow::Cow;
use std::io::{self, ErrorKind, Write};

use serde::Serialize;

#[cfg(feature = "columnar")]
use super::arrow::ArrowWriter;
use super::columns;
#[cfg(feature = "columnar")]
use super::parquet::ParquetWriter;
use crate::memory::Basis;
use crate::report::{Name, Row};

/// Writes rows. What it has written is whole after [`RowWriter::finish`].
#[derive(Debug)]
pub struct RowWriter<W: Write + Send> {
    /// What the dumps are called, by their number.
    dumps: Vec<String>,
    form: Form<W>,
}

#[derive(Debug)]
enum Form<W: Write + Send> {
    Csv {
        to: W,
        line: Vec<u8>,
    },
    Ndjson {
        to: W,
        line: Vec<u8>,
    },
    #[cfg(feature = "columnar")]
    Parquet(Box<ParquetWriter<W>>),
    #[cfg(feature = "columnar")]
    Arrow(Box<ArrowWriter<W>>),
}

/// The columns, in their order, as JSON has them.
#[derive(Serialize)]
struct Columns<'r> {
    dump: &'r str,
    db: u64,
    #[serde(flatten)]
    name: &'r Name,
    #[serde(rename = "type")]
    kind: Cow<'static, str>,
    stored_as: &'static str,
    loaded_as: &'static str,
    size: u64,
    unit: &'static str,
    serialized_bytes: u64,
    memory_bytes: Option<u64>,
    allocated_bytes: Option<u64>,
    memory_basis: Option<&'static str>,
    value_bytes: Option<u64>,
    largest_element_bytes: Option<u64>,
    largest_element_index: Option<u64>,
    expires_at_ms: Option<i64>,
    idle_seconds: Option<u64>,
    frequency: Option<u8>,
    offset: u64,
}

impl<W: Write + Send> RowWriter<W> {
    /// A writer of CSV; writes the line of names. The dumps are what they are called, by their number.
    ///
    /// # Errors
    /// The writer's.
    pub fn csv(dumps: Vec<String>, mut to: W) -> io::Result<Self> {
        let names: Vec<&str> = columns::of_text().map(|column| column.name).collect();
        writeln!(to, "{}", names.join(","))?;
        Ok(Self { dumps, form: Form::Csv { to, line: Vec::new() } })
    }

    /// A writer of JSON objects, a line each.
    pub fn ndjson(dumps: Vec<String>, to: W) -> Self {
        Self { dumps, form: Form::Ndjson { to, line: Vec::new() } }
    }

    /// A writer of Parquet.
    ///
    /// # Errors
    /// The writer's.
    #[cfg(feature = "columnar")]
    pub fn parquet(dumps: Vec<String>, to: W) -> io::Result<Self> {
        let form = Form::Parquet(Box::new(ParquetWriter::new(&dumps, to)?));
        Ok(Self { dumps, form })
    }

    /// A writer of an Arrow IPC file.
    ///
    /// # Errors
    /// The writer's.
    #[cfg(feature = "columnar")]
    pub fn arrow(dumps: Vec<String>, to: W) -> io::Result<Self> {
        let form = Form::Arrow(Box::new(ArrowWriter::new(&dumps, to)?));
        Ok(Self { dumps, form })
    }

    /// Writes a row, now or with others that follow.
    ///
    /// # Errors
    /// The writer's; and where the row is of a dump that was not named.
    pub fn write(&mut self, row: &Row) -> io::Result<()> {
        let dump = usize::try_from(row.dump).ok().and_then(|dump| self.dumps.get(dump));
        let dump = dump.ok_or_else(|| {
            let sentence = format!("a row of dump {}, and only {} are named", row.dump, self.dumps.len());
            io::Error::new(ErrorKind::InvalidInput, sentence)
        })?;
        match &mut self.form {
            Form::Csv { to, line } => {
                line.clear();
                csv_line(line, dump, row)?;
                line.push(b'\n');
                to.write_all(line)
            }
            Form::Ndjson { to, line } => {
                line.clear();
                serde_json::to_writer(&mut *line, &Columns::new(dump, row))?;
                line.push(b'\n');
                to.write_all(line)
            }
            #[cfg(feature = "columnar")]
            Form::Parquet(writer) => writer.write(row),
            #[cfg(feature = "columnar")]
            Form::Arrow(writer) => writer.write(row),
        }
    }

    /// Writes what still waits and what stands at the end of a file; without it, Parquet and Arrow files cannot be read.
    ///
    /// # Errors
    /// The writer's.
    pub fn finish(self) -> io::Result<()> {
        match self.form {
            Form::Csv { mut to, .. } | Form::Ndjson { mut to, .. } => to.flush(),
            #[cfg(feature = "columnar")]
            Form::Parquet(writer) => writer.finish(),
            #[cfg(feature = "columnar")]
            Form::Arrow(writer) => writer.finish(),
        }
    }
}

impl<'r> Columns<'r> {
    fn new(dump: &'r str, row: &'r Row) -> Self {
        Self {
            dump,
            db: row.db,
            name: &row.name,
            kind: row.type_name(),
            stored_as: row.stored.label(),
            loaded_as: row.loaded.name(),
            size: row.size,
            unit: row.kind.unit().name(),
            serialized_bytes: row.serialized_bytes,
            memory_bytes: row.memory_bytes,
            allocated_bytes: row.allocated_bytes,
            memory_basis: row.memory_basis.map(Basis::name),
            value_bytes: row.value_bytes,
            largest_element_bytes: row.largest_element_bytes,
            largest_element_index: row.largest_element_index,
            expires_at_ms: row.expires_at_ms,
            idle_seconds: row.idle_seconds,
            frequency: row.frequency,
            offset: row.offset,
        }
    }
}

fn csv_line(line: &mut Vec<u8>, dump: &str, row: &Row) -> io::Result<()> {
    field(line, dump);
    write!(line, ",{},", row.db)?;
    if let Ok(name) = std::str::from_utf8(row.name.bytes()) {
        field(line, name);
        line.push(b',');
    } else {
        field(line, &row.name.to_string());
        write!(line, ",{}", row.name.base64())?;
    }
    line.push(b',');
    field(line, &row.type_name());
    write!(line, ",{},{},{},{}", row.stored.label(), row.loaded.name(), row.size, row.kind.unit().name())?;
    write!(line, ",{}", row.serialized_bytes)?;
    for value in [row.memory_bytes, row.allocated_bytes] {
        number(line, value)?;
    }
    number(line, row.memory_basis.map(Basis::name))?;
    for value in [row.value_bytes, row.largest_element_bytes, row.largest_element_index] {
        number(line, value)?;
    }
    number(line, row.expires_at_ms)?;
    number(line, row.idle_seconds)?;
    number(line, row.frequency)?;
    write!(line, ",{}", row.offset)
}

fn number(line: &mut Vec<u8>, value: Option<impl std::fmt::Display>) -> io::Result<()> {
    match value {
        Some(value) => write!(line, ",{value}"),
        None => line.write_all(b","),
    }
}

fn field(line: &mut Vec<u8>, text: &str) {
    if !text.contains([',', '"', '\r', '\n']) {
        line.extend_from_slice(text.as_bytes());
        return;
    }
    line.push(b'"');
    line.extend_from_slice(text.replace('"', "\"\"").as_bytes());
    line.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        for (text, expected) in
            [("plain", "plain"), ("a,b", "\"a,b\""), ("say \"x\"", "\"say \"\"x\"\"\""), ("a\nb", "\"a\nb\"")]
        {
            let mut line = Vec::new();
            field(&mut line, text);
            assert_eq!(String::from_utf8(line).unwrap(), expected);
        }
    }
}
