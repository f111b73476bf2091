"""Dumps in Spark: a data source ``rdb``, reports over fleets, and one dump that a whole cluster reads.

Spark does the distributing: a dump is one partition, or many if :func:`load` cuts it into ranges. The package must be installed
where the executors run, and the paths must be readable there, or be URLs whose credentials are in their environment.

>>> import bigkeys.spark
>>> bigkeys.spark.RdbDataSource.name()
'rdb'
"""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.datasource import DataSource, DataSourceReader, EqualTo, Filter, In, InputPartition
from pyspark.sql.pandas.types import from_arrow_type, to_arrow_schema
from pyspark.sql.types import StructField, StructType

import bigkeys
from bigkeys._inputs import paths, sized

#: The setting without which Spark hands no filters to data sources in Python.
PUSHDOWN = "spark.sql.python.filterPushdown.enabled"

#: Reports that one task merges.
REPORTS_A_MERGE = 8

#: Bytes of a range: a task of some seconds.
RANGE_BYTES = 1 << 30

DAMAGE_SCHEMA = "dump string not null, offset long, key binary, what string not null"


def register(spark: SparkSession) -> None:
    """Makes the data source known to a session, and turns its setting for filter pushdown on."""
    spark.conf.set(PUSHDOWN, "true")
    spark.dataSource.register(RdbDataSource)


def load(
    spark: SparkSession, dumps: Any, *, range_bytes: int = RANGE_BYTES, columns: list[str] | None = None, **options: Any
) -> DataFrame:
    """Rows of dumps; one that is larger than ``range_bytes`` is read by the whole cluster.

    Executors scan its ranges and say where they truly began and ended; the driver checks that the ends meet, and scans those again
    that do not, so it must be able to read the dump as well. Then each part's rows are read where Spark likes. Options are those
    of the data source. Dumps at URLs are read by ranged requests, each of the version that the first one was of. Compressed dumps,
    those of Dragonfly, and objects without an ETag or at a server that answers no ranges are read as a whole.
    """
    register(spark)
    files = sized(_named(dumps))
    known = {name: value for name, value in options.items() if value is not None}
    parts: dict[str, list] = {}
    if not known.get("elements") and not known.get("damage"):
        large = [path for path, size in files if size is not None and size > range_bytes]
        cuts = {path: bigkeys.cut(path, range_bytes) for path in large}
        ranges = [(path, start, end) for path, found in cuts.items() for start, end in found]
        if ranges:
            scanned = spark.sparkContext.parallelize(ranges, len(ranges)).map(_scan_range).collect()
            for path in (path for path, found in cuts.items() if found):
                joined = bigkeys.join(path, [scan for of, scan in scanned if of == path])
                if joined["damage"] and known.get("errors") == "raise":
                    raise bigkeys.DumpError(joined["damage"][0]["what"])
                parts[path] = joined["parts"]
    reader = spark.read.format("rdb").option("dumps", json.dumps([[path, parts.get(path)] for path, _ in files]))
    if columns is not None:
        reader = reader.option("columns", ",".join(columns))
    for name, value in known.items():
        value = ",".join(str(one) for one in value) if isinstance(value, (list, tuple)) else value
        reader = reader.option(name, value)
    return reader.load()


def report(spark: SparkSession, dumps: Any, *, errors: str = "report", **arguments: Any) -> bigkeys.Report:
    """A report over dumps as :func:`bigkeys.report` makes it, to the byte: each dump's where it is read, merged on the executors.

    Damaged dumps count as far as they can be read, and say so in ``to_dict()["dumps"]``; ``errors="raise"`` fails the job instead.
    """
    files = _expand(dumps)
    # A task has one core.
    arguments.setdefault("threads", 1)

    def one(numbered: tuple[int, str]) -> tuple[int, str]:
        number, path = numbered
        return number, bigkeys.report(path, errors=errors, **arguments).to_json()

    reports = spark.sparkContext.parallelize(list(enumerate(files)), len(files)).map(one)
    left = len(files)
    while left > 1:
        left = -(-left // REPORTS_A_MERGE)
        groups = reports.map(lambda report: (report[0] // REPORTS_A_MERGE, report)).groupByKey(left)
        reports = groups.mapValues(_merge)
    [(_, merged)] = reports.collect()
    return bigkeys.load_report(merged)


def _merge(reports: Any) -> str:
    """Reports in the order of their numbers as one."""
    first, *others = (bigkeys.load_report(text) for _, text in sorted(reports))
    return first.merge(*others).to_json()


def _scan_range(asked: tuple[str, int, int]) -> tuple[str, dict]:
    path, start, end = asked
    return path, bigkeys.range(path, start, end)


def _expand(dumps: Any) -> list[str]:
    """The files and objects that paths, URLs and patterns name."""
    return paths(_named(dumps))


def _named(dumps: Any) -> list[str]:
    """Files, and the URLs of objects or patterns of them, as the library takes them."""
    files: list[str] = []
    for path in [dumps] if isinstance(dumps, (str, os.PathLike)) else dumps:
        path = os.fspath(path).removeprefix("file://")
        if "://" in path:
            # Hadoop's names of S3 are those of its clients, not of the store.
            found = [re.sub("^s3[an]://", "s3://", path)]
        else:
            found = sorted(glob.glob(path)) if glob.has_magic(path) else [path]
        if not found:
            raise FileNotFoundError(f"{path}: no dump matches")
        files.extend(found)
    if not files:
        raise ValueError("no dumps: give at least one path")
    return files


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


def _is_true(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(f"{text!r}: true or false")
    return text.lower() == "true"


#: The options that are arguments of :func:`bigkeys.scan`, and how each is read.
ARGUMENTS: dict[str, Callable[[str], Any]] = {
    "db": lambda text: [int(word) for word in _words(text)],
    "type": _words,
    "match": _words,
    # A comma is part of many of these.
    "regex": str,
    "min_bytes": int,
    "min_elements": int,
    "big": _is_true,
    "expired": str,
    "now_ms": int,
    "target": str,
    "allocator": str,
    "verify": _is_true,
}

#: The other options.
OWN_OPTIONS = ("path", "dumps", "columns", "elements", "damage", "errors")


@dataclass
class _Dump(InputPartition):
    """A dump, or a part of one."""

    path: str
    part: tuple[int, int, int, str | None] | None = None


class RdbDataSource(DataSource):
    """``spark.read.format("rdb").load("/dumps/*.rdb")``: a row a key, or with ``elements`` a row an element.

    Options: the filters, ``target`` and ``allocator`` of :func:`bigkeys.scan`, lists with commas; ``columns``; ``elements``; ``damage``
    for a row each of what is wrong with the dumps instead; ``errors``, ``"report"`` (the default: rows up to the damage) or ``"raise"``.
    """

    def __init__(self, options: dict[str, str]) -> None:
        super().__init__(options)
        unknown = [name for name in options if name.lower() not in (*ARGUMENTS, *OWN_OPTIONS)]
        if unknown:
            raise ValueError(f"unknown option {unknown[0]!r}: the options are {', '.join([*ARGUMENTS, *OWN_OPTIONS[2:]])}")

    @classmethod
    def name(cls) -> str:
        return "rdb"

    def schema(self) -> StructType | str:
        if _is_true(self.options.get("damage", "false")):
            return DAMAGE_SCHEMA
        columns = self.options.get("columns")
        names = pa.RecordBatchReader.from_stream(_scan(self.options, os.devnull, {}, limit=0)).schema
        wanted = names if columns is None else [names.field(name) for name in _words(columns)]
        return StructType([_field(field) for field in wanted])

    def reader(self, schema: StructType) -> "_Reader":
        return _Reader(dict(self.options), schema)


def _field(field: pa.Field) -> StructField:
    """A column as Spark has it: numbers have a sign, and labels are strings."""
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    kind = {pa.uint64(): pa.int64(), pa.uint8(): pa.int16()}.get(kind, kind)
    return StructField(field.name, from_arrow_type(kind), field.nullable)


def _scan(options: Any, path: str, pushed: dict[str, Any], **arguments: Any) -> bigkeys.Scan:
    asked = {name: read(options[name]) for name, read in ARGUMENTS.items() if name in options}
    rows = bigkeys.elements if _is_true(options.get("elements", "false")) else bigkeys.scan
    return rows(path, **{**pushed, **asked, **arguments}, threads=1)


class _Reader(DataSourceReader):
    def __init__(self, options: dict[str, str], schema: StructType) -> None:
        self.options = options
        self.columns = schema.fieldNames()
        self.schema = to_arrow_schema(schema, timezone="UTC")
        self.pushed: dict[str, Any] = {}

    def pushFilters(self, filters: list[Filter]) -> Iterator[Filter]:  # noqa: N802
        for filter in filters:
            # Spark looks once more at the rows that are left, so what is pushed only has to let those through.
            yield filter
            match filter:
                case EqualTo(attribute=(name,), value=value):
                    values = [value]
                case In(attribute=(name,), value=values):
                    pass
                case _:
                    continue
            if name == "db" and all(isinstance(value, int) and value >= 0 for value in values):
                self.pushed.setdefault("db", list(values))
            # Of modules the column has names of their own.
            if name == "type" and set(values) <= {"string", "list", "set", "zset", "hash"}:
                self.pushed.setdefault("type", list(values))

    def partitions(self) -> list[InputPartition]:
        if "dumps" in self.options:
            dumps = json.loads(self.options["dumps"])
        elif "path" in self.options:
            dumps = [(path, None) for path in _expand(self.options["path"])]
        else:
            raise ValueError('no dumps: load() takes a path or pattern, such as "/dumps/*.rdb"')
        parts = [[_Dump(path)] if parts is None else [_Dump(path, tuple(part)) for part in parts] for path, parts in dumps]
        return [part for of_dump in parts for part in of_dump]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        is_damage = _is_true(self.options.get("damage", "false"))
        errors = "report" if is_damage else self.options.get("errors", "report")
        columns = ["db"] if is_damage else self.columns
        arguments = {"columns": columns, "errors": errors}
        if partition.part is not None:
            arguments["part"] = partition.part
        scan = _scan(self.options, partition.path, self.pushed, **arguments)
        try:
            for batch in pa.RecordBatchReader.from_stream(scan):
                if not is_damage:
                    yield _cast(batch, self.schema)
        except (pa.ArrowException, OSError):
            # The stream has only a text of it; what could not be read at all is damage too.
            if errors == "raise":
                scan.raise_damage()
            if not scan.damage:
                raise
        if is_damage and scan.damage:
            rows = [{**damage, "dump": damage["path"]} for damage in scan.damage]
            yield pa.RecordBatch.from_pylist(rows, schema=self.schema)


def _cast(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [batch.column(field.name).cast(field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
