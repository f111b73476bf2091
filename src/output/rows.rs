//! A row a key, as CSV or as a JSON object a line; the same columns, in the dump's order.
//!
//! CSV is that of RFC 4180 with line feeds alone: a first line of names, quotes around a field that has a comma, a quote, a
//! carriage return or a line feed in it, and nothing where a value is not known. A name that is not UTF-8 is escaped
//! (`\xff`) in `name` and stands without loss in `name_base64`, which is else empty.

use std::io::{self, Write};

use serde::Serialize;

use crate::rdb::Kind;
use crate::report::{Name, Row};

/// Writes rows.
#[derive(Debug)]
pub struct RowWriter<W> {
    /// What the dumps are called, by their number.
    dumps: Vec<String>,
    to: W,
    is_csv: bool,
    line: Vec<u8>,
}

/// The columns, in their order, as JSON has them.
#[derive(Serialize)]
struct Columns<'r> {
    dump: &'r str,
    db: u64,
    #[serde(flatten)]
    name: &'r Name,
    #[serde(rename = "type")]
    kind: String,
    stored_as: &'static str,
    loaded_as: &'static str,
    size: u64,
    unit: &'static str,
    serialized_bytes: u64,
    memory_bytes: Option<u64>,
    value_bytes: Option<u64>,
    largest_element_bytes: Option<u64>,
    expires_at_ms: Option<i64>,
    idle_seconds: Option<u64>,
    frequency: Option<u8>,
    offset: u64,
}

const CSV_HEAD: &str = "dump,db,name,name_base64,type,stored_as,loaded_as,size,unit,serialized_bytes,memory_bytes,\
value_bytes,largest_element_bytes,expires_at_ms,idle_seconds,frequency,offset\n";

/// The type as `TYPE` answers it, of a module's value the module's own name.
pub(crate) fn type_name(row: &Row) -> String {
    match row.module {
        Some(module) if row.kind == Kind::Module => module.to_string(),
        _ => row.kind.name().to_owned(),
    }
}

impl<W: Write> RowWriter<W> {
    /// A writer of CSV; writes the line of names.
    ///
    /// # Errors
    /// The writer's.
    pub fn csv(dumps: Vec<String>, mut to: W) -> io::Result<Self> {
        to.write_all(CSV_HEAD.as_bytes())?;
        Ok(Self { dumps, to, is_csv: true, line: Vec::new() })
    }

    /// A writer of JSON objects, a line each.
    pub fn ndjson(dumps: Vec<String>, to: W) -> Self {
        Self { dumps, to, is_csv: false, line: Vec::new() }
    }

    /// Writes a row.
    ///
    /// # Errors
    /// The writer's.
    pub fn write(&mut self, row: &Row) -> io::Result<()> {
        let dump = usize::try_from(row.dump).ok().and_then(|dump| self.dumps.get(dump)).map_or("", String::as_str);
        self.line.clear();
        if self.is_csv {
            csv_line(&mut self.line, dump, row)?;
        } else {
            let columns = Columns {
                dump,
                db: row.db,
                name: &row.name,
                kind: type_name(row),
                stored_as: row.stored.label(),
                loaded_as: row.loaded.name(),
                size: row.size,
                unit: row.kind.unit().name(),
                serialized_bytes: row.serialized_bytes,
                memory_bytes: row.memory_bytes,
                value_bytes: row.value_bytes,
                largest_element_bytes: row.largest_element_bytes,
                expires_at_ms: row.expires_at_ms,
                idle_seconds: row.idle_seconds,
                frequency: row.frequency,
                offset: row.offset,
            };
            serde_json::to_writer(&mut self.line, &columns)?;
        }
        self.line.push(b'\n');
        self.to.write_all(&self.line)
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
    field(line, &type_name(row));
    write!(line, ",{},{},{},{}", row.stored.label(), row.loaded.name(), row.size, row.kind.unit().name())?;
    write!(line, ",{}", row.serialized_bytes)?;
    for value in [row.memory_bytes, row.value_bytes, row.largest_element_bytes] {
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
