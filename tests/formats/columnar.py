"""Reads the rows of one dump, or several, in all four formats, by DuckDB, Polars and pyarrow, and compares them.

    python columnar.py keys.csv keys.ndjson keys.parquet keys.arrow
"""

import base64
import csv
import datetime
import json
import pathlib
import re
import sys

import duckdb
import polars
import pyarrow
import pyarrow.ipc
import pyarrow.parquet

csv_path, ndjson_path, parquet_path, arrow_path = sys.argv[1:]

COLUMNS = {
    # name: Arrow's type, Polars' types, DuckDB's type
    "dump": ("dictionary<values=string, indices=int32, ordered=0>", "Categorical", "VARCHAR"),
    "db": ("uint64", "UInt64", "UBIGINT"),
    "name": ("binary", "Binary", "BLOB"),
    "name_text": ("string", "String", "VARCHAR"),
    "type": ("string", "String", "VARCHAR"),
    "stored_as": ("dictionary<values=string, indices=int8, ordered=0>", "Categorical", "VARCHAR"),
    "loaded_as": ("dictionary<values=string, indices=int8, ordered=0>", "Categorical", "VARCHAR"),
    "size": ("uint64", "UInt64", "UBIGINT"),
    "unit": ("dictionary<values=string, indices=int8, ordered=0>", "Categorical", "VARCHAR"),
    "serialized_bytes": ("uint64", "UInt64", "UBIGINT"),
    "memory_bytes": ("uint64", "UInt64", "UBIGINT"),
    "allocated_bytes": ("uint64", "UInt64", "UBIGINT"),
    "memory_basis": ("dictionary<values=string, indices=int8, ordered=0>", "Categorical", "VARCHAR"),
    "value_bytes": ("uint64", "UInt64", "UBIGINT"),
    "largest_element_bytes": ("uint64", "UInt64", "UBIGINT"),
    "largest_element_index": ("uint64", "UInt64", "UBIGINT"),
    "expires_at_ms": ("int64", "Int64", "BIGINT"),
    "expires_at": ("timestamp[ms, tz=UTC]", "Datetime(time_unit='ms', time_zone='UTC')", "TIMESTAMP WITH TIME ZONE"),
    "idle_seconds": ("uint64", "UInt64", "UBIGINT"),
    "frequency": ("uint8", "UInt8", "UTINYINT"),
    "offset": ("uint64", "UInt64", "UBIGINT"),
}


PLACES = {column: place for place, column in enumerate(COLUMNS)}
NAME, TEXT, SERIALIZED, MEMORY, UNIT = map(PLACES.get, ("name", "name_text", "serialized_bytes", "memory_bytes", "unit"))


def stated():
    """What the JSON says, a tuple a key; moments are milliseconds."""
    rows = []
    for line in open(ndjson_path, encoding="utf-8"):
        row = json.loads(line)
        text = row["name"]
        row["name"] = base64.b64decode(row["name_base64"]) if "name_base64" in row else text.encode()
        row["name_text"] = text
        row["expires_at"] = row["expires_at_ms"]
        rows.append(tuple(row[column] for column in COLUMNS))
    return rows


def compare(who, rows):
    rows = [tuple(milliseconds(value) for value in row) for row in rows]
    assert len(rows) == len(expected), f"{who}: {len(rows)} rows, not {len(expected)}"
    for read, says in zip(rows, expected):
        assert read == says, f"{who}: {read}, not {says}"


def milliseconds(value):
    if not isinstance(value, datetime.datetime):
        return value
    return (value - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)) // datetime.timedelta(milliseconds=1)


def compare_types(who, types, place):
    wanted = {column: of[place] for column, of in COLUMNS.items()}
    assert types == wanted, f"{who}: {types}, not {wanted}"


expected = stated()

# pyarrow
for who, table in (
    ("pyarrow, Parquet", pyarrow.parquet.read_table(parquet_path)),
    ("pyarrow, Arrow", pyarrow.ipc.open_file(arrow_path).read_all()),
):
    table.validate(full=True)
    compare_types(who, {field.name: str(field.type) for field in table.schema}, 0)
    compare(who, zip(*(column.to_pylist() for column in table.columns)))
    assert all(field.metadata[b"description"] for field in table.schema)

# Polars, as a whole and lazily
for who, frame, lazy in (
    ("Polars, Parquet", polars.read_parquet(parquet_path), polars.scan_parquet(parquet_path)),
    ("Polars, Arrow", polars.read_ipc(arrow_path), polars.scan_ipc(arrow_path)),
):
    compare_types(who, {name: str(of) for name, of in frame.schema.items()}, 1)
    compare(who, frame.rows())
    compare(f"{who}, lazily", lazy.collect().rows())
    largest = lazy.group_by("type").agg(polars.col("serialized_bytes").sum()).collect()
    assert sum(largest["serialized_bytes"]) == sum(row[SERIALIZED] for row in expected)

# DuckDB: Parquet by itself, Arrow as pyarrow maps it
arrow = pyarrow.ipc.open_file(pyarrow.memory_map(arrow_path)).read_all()
names = ", ".join("epoch_ms(expires_at)" if column == "expires_at" else f'"{column}"' for column in COLUMNS)
for who, source in (("DuckDB, Parquet", f"read_parquet('{parquet_path}')"), ("DuckDB, Arrow", "arrow")):
    types = duckdb.sql(f"describe select * from {source}").fetchall()
    compare_types(who, {name: of for name, of, *_ in types}, 2)
    compare(who, duckdb.sql(f"select {names} from {source}").fetchall())
    [total] = duckdb.sql(
        f"select count(*), coalesce(sum(memory_bytes), 0) from {source} where unit = 'count'"
    ).fetchall()
    counted = [row for row in expected if row[UNIT] == "count"]
    assert total == (len(counted), sum(row[MEMORY] or 0 for row in counted)), f"{who}: {total}"

# CSV, which has the same numbers, and names that no spreadsheet runs
read = list(csv.DictReader(open(csv_path, encoding="utf-8", newline="")))
assert [row["offset"] for row in read] == [str(row[-1]) for row in expected]
assert [row["memory_bytes"] or None for row in read] == [row[MEMORY] and str(row[MEMORY]) for row in expected]
names = [base64.b64decode(row["name_base64"]) if row["name_base64"] else row["name"].encode() for row in read]
assert names == [row[NAME] for row in expected]
for row in read:
    assert not re.match(r"[=@\t\r]|[+-](?![0-9.]+$)", row["name"]), row["name"]

# The queries of the page
page = pathlib.Path("docs/rows.md").read_text(encoding="utf-8")
queries = re.findall(r'^duckdb -c "(.*?)"$', page, re.DOTALL | re.MULTILINE) + re.findall(r"^```sql\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
assert len(queries) >= 6
largest = sorted((row[MEMORY] for row in expected if row[MEMORY] is not None), reverse=True)[:10]
for query in queries:
    answer = duckdb.sql(query.replace("'keys.parquet'", f"'{parquet_path}'").replace("'keys.csv'", f"'{csv_path}'"))
    columns, rows = answer.columns, answer.fetchall()
    if "WHERE" not in query and "memory_bytes" in columns:
        of = [int(row[columns.index("memory_bytes")] or 0) for row in rows]
        assert of[: len(largest)] == largest, query

print(f"{len(expected)} rows read")
