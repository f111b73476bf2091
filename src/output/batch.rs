//! Rows into record batches, which Parquet and Arrow are both written from.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, PrimitiveBuilder, StringBuilder};
use arrow_array::types::{
    ArrowDictionaryKeyType, ArrowPrimitiveType, Int8Type, Int32Type, Int64Type, TimestampMillisecondType, UInt8Type,
    UInt64Type,
};
use arrow_array::{ArrayRef, DictionaryArray, RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};

use super::columns::{self, Column, Type};
use crate::memory::{Basis, Encoding};
use crate::rdb::{Unit, ValueType};
use crate::report::Row;

/// A batch has at most so many rows: enough for readers, who give whole batches to their workers. With four times as many
/// the program takes 15 MiB more to write Parquet, and is no quicker.
const ROWS_MAX: usize = 1 << 14;

/// When the names of a batch, of which each may take megabytes, have as many bytes, the batch is full.
const NAME_BYTES_MAX: usize = 2 << 20;

/// What the bytes of the format need not say, but a reader wants to know: who wrote it.
pub(super) const WRITTEN_BY: (&str, &str) = ("bigkeys.version", env!("CARGO_PKG_VERSION"));

/// How a server holds values, in the order of their numbers.
const ENCODINGS: [Encoding; 15] = [
    Encoding::Int,
    Encoding::Embstr,
    Encoding::Raw,
    Encoding::Intset,
    Encoding::Ziplist,
    Encoding::Listpack,
    Encoding::ListpackEx,
    Encoding::Hashtable,
    Encoding::Skiplist,
    Encoding::Quicklist,
    Encoding::Stream,
    Encoding::SlicedArray,
    Encoding::TemplateListpack,
    Encoding::TemplateArray,
    Encoding::Other,
];
const _: () = assert!(ENCODINGS.len() == Encoding::Other as usize + 1, "an encoding is missing");

/// Rows that wait to become a record batch.
pub(super) struct Batch {
    schema: SchemaRef,
    dump: Labels<Int32Type>,
    db: PrimitiveBuilder<UInt64Type>,
    name: BinaryBuilder,
    kind: StringBuilder,
    stored_as: Labels<Int8Type>,
    /// The place of each value type's label.
    stored_places: Vec<i8>,
    loaded_as: Labels<Int8Type>,
    size: PrimitiveBuilder<UInt64Type>,
    unit: Labels<Int8Type>,
    serialized_bytes: PrimitiveBuilder<UInt64Type>,
    memory_bytes: PrimitiveBuilder<UInt64Type>,
    allocated_bytes: PrimitiveBuilder<UInt64Type>,
    memory_basis: Labels<Int8Type>,
    value_bytes: PrimitiveBuilder<UInt64Type>,
    largest_element_bytes: PrimitiveBuilder<UInt64Type>,
    largest_element_index: PrimitiveBuilder<UInt64Type>,
    expires_at_ms: PrimitiveBuilder<Int64Type>,
    expires_at: PrimitiveBuilder<TimestampMillisecondType>,
    idle_seconds: PrimitiveBuilder<UInt64Type>,
    frequency: PrimitiveBuilder<UInt8Type>,
    offset: PrimitiveBuilder<UInt64Type>,
}

/// A column whose values are known before its first row. An Arrow file has such values once, in front of all rows, and
/// what came later could not be added to them.
pub(super) struct Labels<K: ArrowPrimitiveType> {
    values: ArrayRef,
    pub(super) keys: PrimitiveBuilder<K>,
}

impl<K: ArrowDictionaryKeyType> Labels<K> {
    pub(super) fn new(values: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let values = Arc::new(StringArray::from_iter_values(values));
        Self { values, keys: PrimitiveBuilder::with_capacity(ROWS_MAX) }
    }

    pub(super) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        Ok(Arc::new(DictionaryArray::try_new(self.keys.finish(), self.values.clone())?))
    }
}

impl Batch {
    /// An empty batch of rows of these dumps.
    pub(super) fn new(dumps: &[String]) -> Self {
        let mut stored = Vec::new();
        let mut stored_places = Vec::new();
        for number in 0..=u8::MAX {
            let label = ValueType(number).label();
            let place = stored.iter().position(|other| *other == label).unwrap_or_else(|| {
                stored.push(label);
                stored.len() - 1
            });
            // There are some thirty labels; a place that did not fit would be refused with the batch.
            stored_places.push(i8::try_from(place).unwrap_or(i8::MAX));
        }
        Self {
            schema: schema(),
            dump: Labels::new(dumps),
            db: numbers(),
            name: BinaryBuilder::new(),
            kind: StringBuilder::new(),
            stored_as: Labels::new(stored),
            stored_places,
            loaded_as: Labels::new(ENCODINGS.map(Encoding::name)),
            size: numbers(),
            unit: Labels::new([Unit::Byte, Unit::Count].map(Unit::name)),
            serialized_bytes: numbers(),
            memory_bytes: numbers(),
            allocated_bytes: numbers(),
            memory_basis: Labels::new(Basis::ALL.map(Basis::name)),
            value_bytes: numbers(),
            largest_element_bytes: numbers(),
            largest_element_index: numbers(),
            expires_at_ms: numbers(),
            expires_at: numbers().with_timezone("UTC"),
            idle_seconds: numbers(),
            frequency: numbers(),
            offset: numbers(),
        }
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Adds a row; true if the batch is full then.
    pub(super) fn add(&mut self, row: &Row) -> bool {
        self.dump.keys.append_value(i32::try_from(row.dump).unwrap_or(i32::MAX));
        self.db.append_value(row.db);
        self.name.append_value(row.name.bytes());
        self.kind.append_value(row.type_name());
        let stored = self.stored_places.get(usize::from(row.stored.0));
        self.stored_as.keys.append_value(stored.copied().unwrap_or(i8::MAX));
        self.loaded_as.keys.append_value(row.loaded as i8);
        self.size.append_value(row.size);
        self.unit.keys.append_value(i8::from(row.kind.unit() == Unit::Count));
        self.serialized_bytes.append_value(row.serialized_bytes);
        self.memory_bytes.append_option(row.memory_bytes);
        self.allocated_bytes.append_option(row.allocated_bytes);
        self.memory_basis.keys.append_option(row.memory_basis.map(|basis| basis as i8));
        self.value_bytes.append_option(row.value_bytes);
        self.largest_element_bytes.append_option(row.largest_element_bytes);
        self.largest_element_index.append_option(row.largest_element_index);
        self.expires_at_ms.append_option(row.expires_at_ms);
        self.expires_at.append_option(row.expires_at_ms.filter(|ms| MOMENTS_MS.contains(ms)));
        self.idle_seconds.append_option(row.idle_seconds);
        self.frequency.append_option(row.frequency);
        self.offset.append_value(row.offset);
        self.db.values_slice().len() >= ROWS_MAX || self.name.values_slice().len() >= NAME_BYTES_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.db.values_slice().is_empty()
    }

    /// The rows as a record batch; none are left.
    pub(super) fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        let columns: Vec<ArrayRef> = vec![
            self.dump.finish()?,
            Arc::new(self.db.finish()),
            Arc::new(self.name.finish()),
            Arc::new(self.kind.finish()),
            self.stored_as.finish()?,
            self.loaded_as.finish()?,
            Arc::new(self.size.finish()),
            self.unit.finish()?,
            Arc::new(self.serialized_bytes.finish()),
            Arc::new(self.memory_bytes.finish()),
            Arc::new(self.allocated_bytes.finish()),
            self.memory_basis.finish()?,
            Arc::new(self.value_bytes.finish()),
            Arc::new(self.largest_element_bytes.finish()),
            Arc::new(self.largest_element_index.finish()),
            Arc::new(self.expires_at_ms.finish()),
            Arc::new(self.expires_at.finish()),
            Arc::new(self.idle_seconds.finish()),
            Arc::new(self.frequency.finish()),
            Arc::new(self.offset.finish()),
        ];
        RecordBatch::try_new(self.schema.clone(), columns)
    }
}

/// The first millisecond of year 1 to the last of year 9999. Keys may be told to expire at any `i64`, but beyond these
/// years DuckDB refuses to read the whole column, and Python to make a date of it.
const MOMENTS_MS: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;

fn numbers<T: ArrowPrimitiveType>() -> PrimitiveBuilder<T> {
    PrimitiveBuilder::with_capacity(ROWS_MAX)
}

/// The columns as Arrow has them, each with its description.
fn schema() -> SchemaRef {
    let field = |column: Column| {
        let labels = |key: DataType| DataType::Dictionary(Box::new(key), Box::new(DataType::Utf8));
        let data_type = match column.holds {
            Type::Dump => labels(DataType::Int32),
            Type::Label => labels(DataType::Int8),
            Type::Text => DataType::Utf8,
            Type::Bytes => DataType::Binary,
            Type::U64 => DataType::UInt64,
            Type::I64 => DataType::Int64,
            Type::U8 => DataType::UInt8,
            Type::Moment => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
        };
        let description = HashMap::from([("description".to_owned(), column.description.to_owned())]);
        Field::new(column.name, data_type, column.is_nullable).with_metadata(description)
    };
    let fields: Vec<Field> = columns::of_types().map(field).collect();
    let (key, value) = WRITTEN_BY;
    Arc::new(Schema::new(fields).with_metadata(HashMap::from([(key.to_owned(), value.to_owned())])))
}

/// The writer's own error, if it is one.
pub(super) fn io_error(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, error) => error,
        other => io::Error::other(other),
    }
}
