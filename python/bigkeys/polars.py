"""Dumps as Polars' LazyFrames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

import bigkeys


def scan_rdb(dumps: Any, **arguments) -> pl.LazyFrame:
    """A LazyFrame of a row a key. Only the columns, and as many rows, as the query needs leave the scan; its predicate is
    applied batch by batch. Arguments are those of :func:`bigkeys.scan`.

    >>> import bigkeys.polars, polars as pl
    >>> keys = bigkeys.polars.scan_rdb("fixtures/mixed_all_v13.rdb")
    >>> keys.filter(pl.col("type") == "hash").select(pl.len()).collect().item() > 0
    True
    """

    def rows(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        # The batches of the scan are as large as its blocks.
        del batch_size
        # What the predicate looks at must be there; names are all it can say of them.
        needed = with_columns
        if needed is not None and predicate is not None:
            needed = list(dict.fromkeys([*needed, *predicate.meta.root_names()]))
        limit = n_rows if predicate is None else None
        left = n_rows
        for frame in _frames(bigkeys.scan(dumps, columns=needed, limit=limit, **arguments)):
            if predicate is not None:
                frame = frame.filter(predicate)
            if with_columns is not None:
                frame = frame.select(with_columns)
            if left is not None:
                frame = frame.head(left)
                left -= frame.height
            yield frame
            if left == 0:
                return

    schema = pl.DataFrame(bigkeys.scan(dumps, limit=0, **arguments)).schema
    return register_io_source(rows, schema=schema, is_pure=True)


def _frames(scan: bigkeys.Scan) -> Iterator[pl.DataFrame]:
    """The stream batch by batch."""
    import pyarrow as pa

    reader = pa.RecordBatchReader.from_stream(scan)
    for batch in reader:
        yield pl.DataFrame(batch)
