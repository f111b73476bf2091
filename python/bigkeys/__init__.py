"""The keys of Redis and Valkey dumps, without a server.

``scan`` gives a row a key as an Arrow stream, ``elements`` a row an element of their values, ``report`` what is in dumps and what
it costs, ``task`` the biggest keys as a big key analysis task, ``check`` whether a dump is sound, ``digest`` and ``diff`` what differs.
Wherever a path is taken, so is a URL of a bucket or a web server and what ``open`` gives, and by most functions a list of them.
:mod:`bigkeys.polars` and :mod:`bigkeys.spark` bring dumps to where tables are.

Arguments that several functions have:

``db``, ``type``, ``match``, ``regex``
    Only these databases, types (``"string"``, ``"list"``, ``"set"``, ``"zset"``, ``"hash"``, ``"stream"``, ...), names (globs as
    text or bytes; regular expressions over bytes): one or a list. Of one kind one is enough, of different kinds all must hold.
``min_bytes``, ``min_elements``, ``big``
    Only strings of at least so many bytes, collections of at least so many elements; keys over the published limits.
``expired``, ``now_ms``
    ``"keep"``, ``"skip"`` or ``"only"`` keys that had expired at this time (milliseconds since 1970; by default the dump's own).
``target``, ``allocator``
    The server and the allocator whose memory is modelled, such as ``"redis-8.2"`` and ``"jemalloc"``.
``threads``, ``verify``, ``resync``
    Threads (0 for one a core), whether the checksum is verified, whether to go on after damage.
``progress``
    True for a progress bar (tqdm, if it is installed), or a callable that is given the bytes read and all bytes (or None).
``errors``
    ``"raise"`` raises :class:`DumpError` for a dump that is damaged or refused; ``"report"`` gives what was found before the
    damage, and the damage in ``.damage``.
"""

from __future__ import annotations

import json as _json
import os as _os
from typing import Any as _Any

from . import _bigkeys
from ._bigkeys import DumpError
from ._inputs import Held, open, paths as _paths
from ._progress import shown as _shown
from ._report import Report
from ._scan import Scan

__all__ = [
    "DumpError", "Held", "Report", "Scan", "check", "cut", "diff", "digest", "elements", "join", "load_report", "open", "range",
    "report", "scan", "task",
]


def _raises(errors: str) -> bool:
    if errors not in ("raise", "report"):
        raise ValueError(f'errors={errors!r}: "raise" or "report"')
    return errors == "raise"


def _one(dump: _Any) -> str:
    found = _paths(dump)
    if len(found) != 1:
        raise ValueError(f"one dump, not {len(found)}")
    return found[0]


def scan(dumps: _Any, *, columns=None, limit=None, part=None, progress=None, errors="raise", **filters) -> Scan:
    """Rows of dumps, a row a key, as an Arrow stream.

    pyarrow (``pyarrow.table``), Polars (``polars.DataFrame``), pandas 3 (``DataFrame.from_arrow``) and DuckDB take it as it is; no
    column is copied on the way. Each of them scans anew. ``columns`` are the names of those that are wanted, ``limit`` how
    many rows, ``part`` one of those that :func:`join` gives. Sizes and memory are in bytes, times in milliseconds.

    >>> import bigkeys, pyarrow
    >>> table = pyarrow.table(bigkeys.scan("fixtures/mixed_all_v13.rdb", type="hash", columns=["db", "name_text", "size"]))
    >>> table.column_names
    ['db', 'name_text', 'size']
    """
    return Scan(_bigkeys.Scan(
        _paths(dumps), columns=columns, limit=limit, part=part, progress=_shown(progress), raises=_raises(errors), **filters,
    ), dumps)


def elements(dumps: _Any, *, columns=None, limit=None, progress=None, errors="raise", **filters) -> Scan:
    """Rows of the values of dumps, a row an element, as an Arrow stream like that of :func:`scan`.

    A string has one row, a list or set one for each element, a hash one for each field, a sorted set one for each member with
    its ``score``, a stream one for each field of an entry. Names, fields, members and values are bytes.

    >>> import bigkeys, pyarrow
    >>> fields = pyarrow.table(bigkeys.elements("fixtures/mixed_all_v13.rdb", type="hash", columns=["name", "field", "value"]))
    >>> fields.column_names
    ['name', 'field', 'value']
    """
    return Scan(_bigkeys.Scan(
        _paths(dumps), elements=True, columns=columns, limit=limit, progress=_shown(progress), raises=_raises(errors), **filters,
    ), dumps)


def report(dumps: _Any, *, progress=None, errors="raise", **arguments) -> Report:
    """A report over dumps as one: totals, types, databases, the largest keys, prefixes, times to live and more.

    Besides the common arguments: ``top``, how many keys a list has; ``separators``, the bytes that end a prefix; ``slots``,
    whether keys are counted by cluster slot.

    >>> import bigkeys
    >>> report = bigkeys.report("fixtures/mixed_all_v13.rdb")
    >>> report.to_dict()["totals"]["keys"]
    534
    """
    return Report(_bigkeys.report(_paths(dumps), progress=_shown(progress), raises=_raises(errors), **arguments))


def load_report(path_or_json: str | _os.PathLike[str]) -> Report:
    """A report that `bigkeys report --format json` printed: from a file, or from its text."""
    if isinstance(path_or_json, str) and path_or_json.lstrip().startswith("{"):
        return Report(_bigkeys.load_report(path_or_json))
    with _os.fdopen(_os.open(path_or_json, _os.O_RDONLY), encoding="utf-8") as file:
        return Report(_bigkeys.load_report(file.read()))


def task(dumps: _Any, *, all_types=False, task_id=None, instance_id=None, progress=None, errors="raise", **arguments) -> dict:
    """The big key analysis task of dumps: the biggest keys of each type in each database, as the cloud's API returns it.

    ``top`` is how many of each type (20), ``all_types`` takes in streams and modules; IDs are random unless given.

    >>> import bigkeys
    >>> bigkeys.task("fixtures/mixed_all_v13.rdb", top=1)["status"]
    'success'
    """
    text = _bigkeys.task(
        _paths(dumps), all_types=all_types, task_id=task_id, instance_id=instance_id,
        progress=_shown(progress), raises=_raises(errors), **arguments,
    )
    return _json.loads(text)


def check(dump: _Any, *, quick=False, resync=False, progress=None) -> dict:
    """What a dump is and whether it is sound; damage is told in the result and raises nothing.

    ``quick`` checks the structure and the checksum alone, ``resync`` goes on after damage.

    >>> import bigkeys
    >>> bigkeys.check("fixtures/mixed_all_v13.rdb")["sound"]
    True
    """
    return _json.loads(_bigkeys.check(_one(dump), quick=quick, resync=resync, progress=_shown(progress)))


def digest(dump: _Any, *, progress=None, errors="raise", **filters) -> dict:
    """What ``DEBUG DIGEST`` answers on a server that holds the same keys, for the dump and for each database.

    ``target`` is the server that would answer, by default the one that wrote the dump. ``is_complete`` is false where keys are
    missing from the digest; with ``errors="report"`` ``damage`` says why.

    >>> import bigkeys
    >>> bigkeys.digest("fixtures/empty_v13.rdb")["digest"]
    '0000000000000000000000000000000000000000'
    """
    [(text, damage)] = _bigkeys.digest(_one(dump), progress=_shown(progress), raises=_raises(errors), **filters)
    return {**_json.loads(text), "is_complete": not damage, "damage": damage}


def diff(old: _Any, new: _Any, *, keys=True, maxmemory=None, top=20, progress=None, errors="raise", **arguments) -> dict:
    """What changed from one dump or :class:`Report` to another: keys and memory by type, database and prefix, and of two dumps
    the single keys too unless ``keys`` is false; each is read several times for that. The JSON of `bigkeys diff`.

    >>> import bigkeys
    >>> change = bigkeys.diff("fixtures/empty_v13.rdb", "fixtures/mixed_all_v13.rdb")
    >>> change["keys"]["came"]["keys"]
    534
    """
    def side(dump: _Any) -> Report:
        if isinstance(dump, Report):
            return dump
        return report(_one(dump), top=1, progress=progress, errors=errors, **arguments)

    reports = side(old), side(new)
    difference = _json.loads(_bigkeys.diff_reports(reports[0]._inner, reports[1]._inner, maxmemory=maxmemory))
    if keys and not isinstance(old, Report) and not isinstance(new, Report):
        changes = _bigkeys.diff_keys(_one(old), _one(new), top=top, progress=_shown(progress), **arguments)
        difference["keys"] = _json.loads(changes)
    return difference


def cut(dump: _Any, range_bytes: int) -> list[tuple[int, int]]:
    """The ranges of ``range_bytes`` bytes that a dump is cut into, for :func:`range`; an empty list for a dump that has to be
    read from its beginning, such as a compressed one, or one at a URL whose server answers no ranges or gives it no ETag.

    >>> import bigkeys
    >>> len(bigkeys.cut("fixtures/mixed_all_v13.rdb", 4096)) > 5
    True
    """
    return _bigkeys.cut(_one(dump), range_bytes)


def range(dump: _Any, start: int, end: int, *, place=None, verify=True, progress=None) -> dict:  # noqa: A001
    """Scans the records that begin in the bytes from ``start`` up to ``end``, and says where it truly began and ended.

    Where a record begins in the middle of a dump is guessed, unless ``place``, an (offset, database) from elsewhere, says
    so. :func:`join` makes of the ranges of a dump its parts, whichever machine scanned them, and notices a wrong guess.
    The result: ``start``, ``end``, ``dump_bytes``, ``began`` (None if no record was found), ``ended`` (where to go on),
    ``db`` (the database there; None if it is not known), ``is_last``, ``keys``, ``checksum`` of the bytes (None without ``verify``),
    and of an object at a URL its ETag as ``version``.

    >>> import bigkeys
    >>> first, second = (bigkeys.range("fixtures/mixed_all_v13.rdb", *bytes) for bytes in [(0, 4096), (4096, 8192)])
    >>> first["ended"] <= second["began"]
    True
    """
    return _json.loads(_bigkeys.range(_one(dump), start, end, place=place, verify=verify, progress=_shown(progress)))


def join(dump: _Any, scans: list[dict], *, progress=None) -> dict:
    """Joins what :func:`range` gave for all ranges of a dump, in order; scans those again whose ends do not meet.

    The result: ``parts``, each a tuple for :func:`scan` (offset, database, until, and the ETag of an object or None), which have
    each key exactly once; ``keys``, how many;
    ``rescanned``, how many ranges began in the wrong place; ``notes``; ``damage`` that ends the dump or is of its checksum.

    >>> import bigkeys, pyarrow
    >>> dump = "fixtures/mixed_all_v13.rdb"
    >>> joined = bigkeys.join(dump, [bigkeys.range(dump, *bytes) for bytes in bigkeys.cut(dump, 4096)])
    >>> sum(pyarrow.table(bigkeys.scan(dump, part=part)).num_rows for part in joined["parts"]), joined["keys"]
    (534, 534)
    """
    parts, keys, rescanned, notes, damage = _bigkeys.join(_one(dump), _json.dumps(scans), progress=_shown(progress))
    return {"parts": parts, "keys": keys, "rescanned": rescanned, "notes": notes, "damage": damage}
