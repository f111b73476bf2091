//! Blocks of rows into record batches, which Parquet and Arrow are both written from.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use arrow_array::builder::{PrimitiveBuilder, StringBuilder};
use arrow_array::types::{
    ArrowDictionaryKeyType, ArrowPrimitiveType, Int8Type, Int32Type, Int64Type, TimestampMillisecondType, UInt8Type,
    UInt64Type,
};
use arrow_array::{ArrayRef, BinaryArray, DictionaryArray, PrimitiveArray, RecordBatch, StringArray};
use arrow_buffer::{NullBufferBuilder, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};

use super::columns::{self, Column, Type};
use crate::memory::{Basis, Encoding};
use crate::rdb::{Kind, Unit, ValueType};
use crate::report::{Name, RowBlock, RowCells};

/// A batch of a file has at most so many rows: enough for readers, who give whole batches to their workers.
pub(super) const ROWS_MAX: usize = 1 << 14;

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

/// Makes record batches of blocks of rows.
pub(super) struct Batches {
    schema: SchemaRef,
    dumps: ArrayRef,
    stored: ArrayRef,
    /// The place of each value type's label.
    stored_places: Vec<i8>,
    loaded: ArrayRef,
    units: ArrayRef,
    bases: ArrayRef,
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

impl Batches {
    /// Batches of rows of these dumps.
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
            dumps: texts(dumps),
            stored: texts(stored),
            stored_places,
            loaded: texts(ENCODINGS.map(Encoding::name)),
            units: texts([Unit::Byte, Unit::Count].map(Unit::name)),
            bases: texts(Basis::ALL.map(Basis::name)),
        }
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The rows of a block, column by column.
    pub(super) fn of(&self, block: RowBlock) -> Result<RecordBatch, ArrowError> {
        let (names, cells) = block.into_parts();
        let cells = cells.as_slice();
        let (name, name_text) = name_columns(names, cells)?;
        let dump = |cells: &RowCells| i32::try_from(cells.dump()).unwrap_or(i32::MAX);
        let stored_places = &self.stored_places;
        let stored = |cells: &RowCells| stored_places.get(usize::from(cells.stored().0)).copied().unwrap_or(i8::MAX);
        let moment = |cells: &RowCells| cells.expires_at_ms().filter(|ms| MOMENTS_MS.contains(ms));
        let columns: Vec<ArrayRef> = vec![
            labels::<Int32Type>(known(cells, dump), &self.dumps)?,
            Arc::new(known::<UInt64Type>(cells, RowCells::db)),
            name,
            name_text,
            type_column(cells),
            labels::<Int8Type>(known(cells, stored), &self.stored)?,
            labels::<Int8Type>(known(cells, |cells| cells.loaded() as i8), &self.loaded)?,
            Arc::new(known::<UInt64Type>(cells, RowCells::size)),
            labels::<Int8Type>(known(cells, |cells| i8::from(cells.kind().unit() == Unit::Count)), &self.units)?,
            Arc::new(known::<UInt64Type>(cells, RowCells::serialized_bytes)),
            Arc::new(nullable::<UInt64Type>(cells, RowCells::memory_bytes)),
            Arc::new(nullable::<UInt64Type>(cells, RowCells::allocated_bytes)),
            labels::<Int8Type>(nullable(cells, |cells| cells.memory_basis().map(|basis| basis as i8)), &self.bases)?,
            Arc::new(nullable::<UInt64Type>(cells, RowCells::value_bytes)),
            Arc::new(nullable::<UInt64Type>(cells, RowCells::largest_element_bytes)),
            Arc::new(nullable::<UInt64Type>(cells, RowCells::largest_element_index)),
            Arc::new(nullable::<Int64Type>(cells, RowCells::expires_at_ms)),
            Arc::new(nullable::<TimestampMillisecondType>(cells, moment).with_timezone("UTC")),
            Arc::new(nullable::<UInt64Type>(cells, RowCells::idle_seconds)),
            Arc::new(nullable::<UInt8Type>(cells, RowCells::frequency)),
            Arc::new(known::<UInt64Type>(cells, RowCells::offset)),
        ];
        RecordBatch::try_new(self.schema.clone(), columns)
    }
}

fn texts(values: impl IntoIterator<Item = impl AsRef<str>>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

/// A column that has a value in each row.
fn known<T: ArrowPrimitiveType>(cells: &[RowCells], of: impl Fn(&RowCells) -> T::Native) -> PrimitiveArray<T> {
    let values: Vec<T::Native> = cells.iter().map(of).collect();
    PrimitiveArray::new(values.into(), None)
}

fn nullable<T: ArrowPrimitiveType>(
    cells: &[RowCells],
    of: impl Fn(&RowCells) -> Option<T::Native>,
) -> PrimitiveArray<T> {
    let mut nulls = NullBufferBuilder::new(cells.len());
    let value = |cells: &RowCells| {
        let value = of(cells);
        nulls.append(value.is_some());
        value.unwrap_or_default()
    };
    let values: Vec<T::Native> = cells.iter().map(value).collect();
    PrimitiveArray::new(values.into(), nulls.finish())
}

fn labels<K: ArrowDictionaryKeyType>(keys: PrimitiveArray<K>, values: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    Ok(Arc::new(DictionaryArray::try_new(keys, values.clone())?))
}

fn type_column(cells: &[RowCells]) -> ArrayRef {
    let mut types = StringBuilder::with_capacity(cells.len(), cells.len() * 6);
    for cells in cells {
        match cells.module().filter(|_| cells.kind() == Kind::Module) {
            Some(module) => types.append_value(module.to_string()),
            None => types.append_value(cells.kind().name()),
        }
    }
    Arc::new(types.finish())
}

/// The names as bytes and as text. Where all are UTF-8, and none so long that it is cut, both are the same bytes in memory.
fn name_columns(names: Vec<u8>, cells: &[RowCells]) -> Result<(ArrayRef, ArrayRef), ArrowError> {
    let ends = cells.iter().map(|cells| i32::try_from(cells.name_end()).unwrap_or(i32::MAX));
    let offsets: Vec<i32> = std::iter::once(0).chain(ends).collect();
    let is_long = offsets.array_windows().any(|[start, end]| end - start > TEXT_NAME_BYTES_MAX);
    let offsets = OffsetBuffer::new(offsets.into());
    let names = BinaryArray::try_new(offsets.clone(), names.into(), None)?;
    let shared = || StringArray::try_new(offsets, names.values().clone(), None).ok();
    let text = if is_long { None } else { shared() };
    let text = text.unwrap_or_else(|| StringArray::from_iter_values(names.iter().flatten().map(name_text)));
    Ok((Arc::new(names), Arc::new(text)))
}

/// A name as text, as the formats that are text have it. Only the first part of a long one: the other column has it whole.
fn name_text(name: &[u8]) -> String {
    let cut = name.get(..TEXT_NAME_BYTES_MAX as usize).unwrap_or(name);
    Name::new(cut).to_string()
}

/// Names have so many bytes in text at most, before bytes are escaped.
const TEXT_NAME_BYTES_MAX: i32 = 64 << 10;

/// The first millisecond of year 1 to the last of year 9999. Keys may be told to expire at any `i64`, but beyond these
/// years DuckDB refuses to read the whole column, and Python to make a date of it.
const MOMENTS_MS: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;

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
