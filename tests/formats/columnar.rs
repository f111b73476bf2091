//! Rows as Parquet and as Arrow: what is read back is what the rows say, the same bytes for any number of threads, parts of
//! bounded size; and DuckDB, Polars and pyarrow read of it what CSV and JSON say.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::support::assembler::Rdb;
use crate::support::fixtures;
use crate::support::python::python_with;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int8Type, Int32Type, Int64Type, TimestampMillisecondType, UInt8Type, UInt64Type};
use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::DataType;
use bigkeys::analysis::filter::Filter;
use bigkeys::output::columns::{COLUMNS, Column, Formats};
use bigkeys::output::rows::RowWriter;
use bigkeys::report::{Name, Question, Row, RowBlock};
use bigkeys::{Dump, Options, rows_all};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use serde_json::Value;

/// The forms that have typed columns.
const FORMS: [&str; 2] = ["parquet", "arrow"];

fn typed() -> impl Iterator<Item = Column> {
    COLUMNS.into_iter().filter(|column| column.formats != Formats::Text)
}

fn rows(dumps: &[PathBuf], options: &Options) -> Vec<Row> {
    let dumps: Vec<Dump> = dumps.iter().map(Dump::from).collect();
    let mut rows = Vec::new();
    rows_all(&dumps, &Question::default(), options, &Arc::default(), |row| rows.push(row.clone()))
        .expect("the files can be read");
    rows
}

fn write(form: &str, dumps: &[&str], rows: &[Row], to: impl Write + Send) -> io::Result<()> {
    let dumps = dumps.iter().map(|dump| (*dump).to_owned()).collect();
    let mut writer = match form {
        "parquet" => RowWriter::parquet(dumps, to)?,
        "arrow" => RowWriter::arrow(dumps, to)?,
        "ndjson" => RowWriter::ndjson(dumps, to)?,
        "csv" => RowWriter::csv(dumps, to)?,
        other => panic!("no form {other}"),
    };
    rows.iter().try_for_each(|row| writer.write(row))?;
    writer.finish()
}

/// As [`write`], in blocks of so many rows that threads encode.
fn write_side_by_side(
    form: &str,
    threads: usize,
    block_rows: usize,
    rows: &[Row],
    to: impl Write + Send,
) -> io::Result<()> {
    let dumps = vec!["dump".to_owned()];
    let mut writer = match form {
        "parquet" => RowWriter::parquet(dumps, to)?,
        "arrow" => RowWriter::arrow(dumps, to)?,
        "ndjson" => RowWriter::ndjson(dumps, to)?,
        _ => RowWriter::csv(dumps, to)?,
    };
    writer.write_blocks(threads, |write| {
        let mut open = RowBlock::default();
        let mut goes_on = true;
        for row in rows {
            open.add(row);
            if open.is_full(block_rows) {
                goes_on &= write(std::mem::take(&mut open));
            }
        }
        if !open.is_empty() {
            goes_on &= write(open);
        }
        goes_on
    });
    writer.finish()
}

fn written(form: &str, dumps: &[&str], rows: &[Row]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(form, dumps, rows, &mut bytes).expect("memory");
    bytes
}

fn read(form: &str, bytes: &[u8]) -> Vec<RecordBatch> {
    if form == "arrow" {
        let reader = FileReader::try_new(io::Cursor::new(bytes), None).expect("an Arrow file");
        return reader.collect::<Result<_, _>>().expect("batches");
    }
    let reader = ParquetRecordBatchReaderBuilder::try_new(file(bytes)).and_then(ParquetRecordBatchReaderBuilder::build);
    reader.expect("a Parquet file").collect::<Result<_, _>>().expect("batches")
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).expect("room");
    file
}

/// A cell as JSON has it; bytes are numbers.
fn cell(array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Dictionary(key, _) if **key == DataType::Int32 => {
            let array = array.as_dictionary::<Int32Type>();
            cell(array.values(), array.key(row).expect("a key"))
        }
        DataType::Dictionary(..) => {
            let array = array.as_dictionary::<Int8Type>();
            cell(array.values(), array.key(row).expect("a key"))
        }
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        DataType::Binary => array.as_binary::<i32>().value(row).into(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(row).into(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).into(),
        DataType::UInt8 => array.as_primitive::<UInt8Type>().value(row).into(),
        DataType::Timestamp(..) => array.as_primitive::<TimestampMillisecondType>().value(row).into(),
        other => panic!("a column of {other}"),
    }
}

/// What is read from `bytes` is what the rows are as JSON.
#[track_caller]
fn assert_read(form: &str, bytes: &[u8], dumps: &[&str], rows: &[Row]) {
    let json = written("ndjson", dumps, rows);
    let mut objects = json.split(|byte| *byte == b'\n');
    let mut rows = rows.iter();
    for batch in read(form, bytes) {
        let names: Vec<&str> = typed().map(|column| column.name).collect();
        assert!(batch.schema().fields().iter().map(|field| field.name()).eq(&names));
        for at in 0..batch.num_rows() {
            let row = rows.next().expect("no more rows than were written");
            let object: Value = serde_json::from_slice(objects.next().expect("a line")).expect("JSON");
            for column in typed() {
                let expected = match column.name {
                    "name" => row.name.bytes().into(),
                    "name_text" => object["name"].clone(),
                    "expires_at" => {
                        row.expires_at_ms.filter(|ms| (-62_135_596_800_000..253_402_300_800_000).contains(ms)).into()
                    }
                    name => object[name].clone(),
                };
                let array = batch.column_by_name(column.name).expect("the column");
                assert_eq!(cell(array, at), expected, "{form}: {} of {}", column.name, row.name);
            }
        }
    }
    assert_eq!(rows.next(), None, "{form}: rows are missing");
}

#[test]
fn what_is_read_back_is_what_the_rows_say() {
    let mut names_not_text = 0;
    let mut kinds = std::collections::BTreeSet::new();
    for fixture in fixtures::sound() {
        let rows = rows(&[fixture.path], &Options::default());
        names_not_text += rows.iter().filter(|row| std::str::from_utf8(row.name.bytes()).is_err()).count();
        kinds.extend(rows.iter().map(|row| row.kind));
        for form in FORMS {
            assert_read(form, &written(form, &[&fixture.name], &rows), &[&fixture.name], &rows);
        }
    }
    assert!(names_not_text > 10 && kinds.len() == 9, "{names_not_text} {kinds:?}");
}

#[test]
fn the_same_bytes_for_any_threads_and_segments() {
    let names = ["mixed_all_v13.rdb", "mixed_idle_v09.rdb", "key_names_v80.rdb"];
    let dumps = names.map(|name| Path::new("fixtures").join(name));
    for form in FORMS {
        let expected = written(form, &names, &rows(&dumps, &Options::default()));
        assert_read(form, &expected, &names, &rows(&dumps, &Options::default()));
        for (threads, segment_bytes) in [(1, 4 << 20), (1, 700), (7, 5000), (3, 50_000)] {
            let mut options = Options::default();
            (options.threads, options.segment_bytes) = (threads, segment_bytes);
            assert!(written(form, &names, &rows(&dumps, &options)) == expected, "{form} {threads} {segment_bytes}");
        }
    }
}

#[test]
fn threads_write_the_same_bytes() {
    let one = row();
    let rows: Vec<Row> = (0..40_000_usize)
        .map(|offset| {
            // Now and then a name that is longer than all others together.
            let bytes = if offset % 9_999 == 7 { 700_000 } else { offset % 50 };
            let name: Vec<u8> = (0..bytes).map(|at| (at * 7 + offset).to_le_bytes()[0]).collect();
            Row { offset: offset as u64, name: Name::new(name), ..one.clone() }
        })
        .collect();
    for (form, block_rows) in [("csv", 2048), ("ndjson", 2048), ("parquet", 1 << 14), ("arrow", 1 << 14)] {
        let expected = written(form, &["dump"], &rows);
        for threads in [1, 2, 5] {
            let mut bytes = Vec::new();
            write_side_by_side(form, threads, block_rows, &rows, &mut bytes).expect("memory");
            assert!(bytes == expected, "{form} {threads}");
        }
        for (threads, room) in [(1, expected.len() / 3), (2, expected.len() / 2), (5, expected.len() - 1)] {
            let error = write_side_by_side(form, threads, block_rows, &rows, Broken(room)).expect_err("no room");
            assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{form}, {threads} threads: {error}");
        }
    }
}

#[test]
fn a_long_name_is_cut_in_text_alone() {
    let names = [vec![b'a'; (64 << 10) + 1], vec![0xff; 70_000], b"short".to_vec(), vec![0xc3; 64 << 10]];
    let rows: Vec<Row> = names.iter().map(|name| Row { name: Name::new(&name[..]), ..row() }).collect();
    for form in FORMS {
        let batch = &read(form, &written(form, &["dump"], &rows))[0];
        let column = |name| batch.column_by_name(name).expect("the column");
        assert!(column("name").as_binary::<i32>().iter().flatten().eq(&names), "{form}");
        let texts: Vec<&str> = column("name_text").as_string::<i32>().iter().flatten().collect();
        assert_eq!(texts, ["a".repeat(64 << 10), "\\xff".repeat(64 << 10), "short".into(), "\\xc3".repeat(64 << 10)]);
    }
}

#[test]
fn databases_that_were_asked_for() {
    let dumps =
        ["mixed_all_v13.rdb", "key_names_v80.rdb", "mixed_expiry_v80.rdb"].map(|name| Path::new("fixtures").join(name));
    let all = rows(&dumps, &Options::default());
    let dbs: std::collections::BTreeSet<u64> = all.iter().map(|row| row.db).collect();
    assert!(dbs.len() > 1);
    let dumps = dumps.map(|path| Dump::from(&path));
    for db in dbs {
        let question = Question { filter: Filter { databases: vec![db], ..Filter::default() }, ..Question::default() };
        for segment_bytes in [0, 200, 3000] {
            let mut options = Options::default();
            options.segment_bytes = segment_bytes;
            let mut rows = Vec::new();
            rows_all(&dumps, &question, &options, &Arc::default(), |row| rows.push(row.clone())).expect("files");
            assert!(rows.iter().eq(all.iter().filter(|row| row.db == db)), "{db} {segment_bytes}");
        }
    }
}

#[test]
fn no_rows() {
    for form in FORMS {
        let batches = read(form, &written(form, &["empty"], &[]));
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 0, "{form}");
        let error = write(form, &["one"], &[Row { dump: 1, ..row() }], io::sink()).unwrap_err();
        assert_eq!(error.to_string(), "a row of dump 1, and only 1 are named");
    }
}

#[test]
fn moments_that_no_calendar_has() {
    let moments = [
        i64::MIN,
        -62_135_596_800_001,
        -62_135_596_800_000,
        -1,
        0,
        1,
        253_402_300_799_999,
        253_402_300_800_000,
        i64::MAX,
    ];
    let mut rows: Vec<Row> = moments.map(|ms| Row { expires_at_ms: Some(ms), ..row() }).to_vec();
    rows.push(Row { expires_at_ms: None, ..row() });
    for form in FORMS {
        let bytes = written(form, &["dump"], &rows);
        assert_read(form, &bytes, &["dump"], &rows);
        let batch = &read(form, &bytes)[0];
        let nulls = |column| batch.column_by_name(column).expect("the column").null_count();
        assert_eq!((nulls("expires_at_ms"), nulls("expires_at")), (1, 5), "{form}");
    }
}

#[test]
fn parts_are_bounded_in_rows_and_bytes() {
    let one = row();
    let mut rows: Vec<Row> = (0..140_000).map(|offset| Row { offset, ..one.clone() }).collect();
    // Bytes that do not compress, so that they are as many in the file.
    let mut random = 1_u64;
    for offset in 140_000..140_012 {
        let bytes = std::iter::repeat_with(|| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            random.to_be_bytes()[0]
        });
        let name: Vec<u8> = bytes.take(8 << 20).collect();
        rows.push(Row { offset, name: Name::new(name), ..one.clone() });
    }
    let arrow = written("arrow", &["dump"], &rows);
    let batches = read("arrow", &arrow);
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), rows.len());
    for batch in &batches {
        let names = batch.column_by_name("name").expect("names").as_binary::<i32>();
        assert!(batch.num_rows() <= 1 << 14 && names.value_data().len() <= 10 << 20);
    }
    assert!(batches.len() >= 9 + 11, "{} batches", batches.len());
    // Behind its first 64 bytes, it is a stream.
    let stream = StreamReader::try_new(&arrow[64..], None).expect("a stream");
    assert_eq!(stream.map(|batch| batch.expect("a batch").num_rows()).sum::<usize>(), rows.len());

    let parquet = SerializedFileReader::new(file(&written("parquet", &["dump"], &rows))).expect("a Parquet file");
    let groups = parquet.metadata().row_groups();
    assert_eq!(usize::try_from(groups.iter().map(RowGroupMetaData::num_rows).sum::<i64>()), Ok(rows.len()));
    assert!(groups.len() >= 6, "{} groups", groups.len());
    for group in groups {
        assert!(group.compressed_size() < (8 + 10) << 20, "{} bytes in a group", group.compressed_size());
    }
    // What is kept of each group has no names in it.
    assert!(parquet.metadata().memory_size() < 200_000, "{} bytes of metadata", parquet.metadata().memory_size());
}

/// A row of a key with nothing in particular.
fn row() -> Row {
    let mut row = rows(&["fixtures/string_int_v13.rdb".into()], &Options::default()).remove(0);
    row.offset = 0;
    row
}

/// A writer with room for so many bytes.
struct Broken(usize);
impl Write for Broken {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = bytes.len().min(self.0);
        self.0 -= written;
        if written == 0 { Err(ErrorKind::BrokenPipe.into()) } else { Ok(written) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_writers_errors_are_told_as_they_are() {
    let one = row();
    let rows: Vec<Row> = (0..1000).map(|offset| Row { offset, ..one.clone() }).collect();
    for form in FORMS {
        let bytes = written(form, &["dump"], &rows).len();
        for room in [0, 1, 100, bytes / 2, bytes - 10, bytes - 1] {
            let error = write(form, &["dump"], &rows, Broken(room)).expect_err("no room");
            assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{form}, {room} bytes: {error}");
        }
        write(form, &["dump"], &rows, Broken(bytes)).expect("room");
    }
}

#[test]
fn columns_say_what_they_hold() {
    for form in FORMS {
        let batch = read(form, &written(form, &["dump"], &[row()])).remove(0);
        for (field, column) in batch.schema().fields().iter().zip(typed()) {
            assert_eq!(field.metadata()["description"], column.description);
            assert_eq!(field.is_nullable(), column.is_nullable);
        }
        if form == "arrow" {
            assert_eq!(batch.schema().metadata()["bigkeys.version"], env!("CARGO_PKG_VERSION"));
        }
    }
    let parquet = SerializedFileReader::new(file(&written("parquet", &["dump"], &[row()]))).expect("a Parquet file");
    let about = parquet.metadata().file_metadata().key_value_metadata().expect("metadata");
    let about = |key| about.iter().find(|about| about.key == key).and_then(|about| about.value.as_deref());
    assert_eq!(about("bigkeys.version"), Some(env!("CARGO_PKG_VERSION")));
    let columns = about("bigkeys.columns").expect("descriptions");
    assert_eq!(columns.lines().count(), typed().count());
    assert!(columns.starts_with("dump: "));

    let page = fs::read_to_string("docs/rows.md").expect("the page");
    for Column { name, holds, is_nullable, description, formats } in COLUMNS {
        let holds = match formats {
            Formats::All => format!("{holds}{}", if is_nullable { ", or null" } else { "" }),
            Formats::Text => "only in `csv` and `ndjson`".to_owned(),
            Formats::Typed => {
                format!("{holds}{}; not in `csv` and `ndjson`", if is_nullable { ", or null" } else { "" })
            }
        };
        let line = format!("| `{name}` | {holds} | {description} |");
        assert!(page.lines().any(|other| other == line), "the table of docs/rows.md lacks this line:\n{line}");
    }
}

#[test]
fn duckdb_polars_and_pyarrow_read_what_csv_and_json_say() {
    let Some(python) = python_with("duckdb, polars, pyarrow", "pip install duckdb polars pyarrow") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let formulas = folder.path().join("formulas.rdb");
    let names =
        [&b"=SUM(A1)"[..], b"+1", b"+x", b"-", b"@a,\"b\"", b"\tx", b"\rx", b"=\xff", b"'=", b"base64:", b"plain"];
    let dump = names.iter().fold(Rdb::redis(11), |rdb, name| rdb.key(0, name, |value| value.string("value")));
    fs::write(&formulas, dump.eof()).expect("room");
    // Of every kind; with names that are no text, idle times, LFU counters, names like formulas, and none at all.
    for (number, dumps) in [
        "fixtures/mixed_all_v13.rdb fixtures/key_names_v13.rdb",
        "fixtures/mixed_all_modules_v12.rdb fixtures/mixed_idle_v13.rdb fixtures/mixed_freq_v13.rdb",
        "fixtures/mixed_expiry_v80.rdb",
        "fixtures/empty_v13.rdb",
        formulas.to_str().expect("a path of text"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = |form: &str| folder.path().join(format!("{number}.{form}"));
        for form in ["csv", "ndjson", "parquet", "arrow"] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_bigkeys"));
            command.args(["keys", "-q", "--format", form, "-o"]).arg(path(form)).args(dumps.split(' '));
            assert!(command.status().expect("the program starts").success(), "{form} of {dumps}");
        }
        let mut command = Command::new(&python);
        command.arg("tests/formats/columnar.py").args(["csv", "ndjson", "parquet", "arrow"].map(path));
        let output = command.env("HOME", folder.path()).output().expect("Python starts");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && out.ends_with("read\n"), "{dumps}\n{out}\n{err}");
    }
}
