"""The keys of Redis and Valkey dumps, without a server.

``scan`` gives a row a key as an Arrow stream, ``report`` what is in dumps and what it costs, ``task`` the biggest keys as a
big key analysis task, ``check`` whether a dump is sound. Wherever a path is taken, so is a list of them, or what ``open`` gives.

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

__all__ = ["DumpError", "Held", "Report", "Scan", "check", "load_report", "open", "report", "scan", "task"]


def _raises(errors: str) -> bool:
    if errors not in ("raise", "report"):
        raise ValueError(f'errors={errors!r}: "raise" or "report"')
    return errors == "raise"


def scan(dumps: _Any, *, columns=None, limit=None, progress=None, errors="raise", **filters) -> Scan:
    """Rows of dumps, a row a key, as an Arrow stream.

    pyarrow (``pyarrow.table``), Polars (``polars.from_arrow``), pandas 3 (``DataFrame.from_arrow``) and DuckDB take it as it is; no
    value is copied on the way. Each of them scans anew. ``columns`` are the names of those that are wanted, ``limit`` how
    many rows.

    >>> import bigkeys, pyarrow
    >>> table = pyarrow.table(bigkeys.scan("fixtures/mixed_all_v13.rdb", type="hash", columns=["db", "name_text", "size"]))
    >>> table.column_names
    ['db', 'name_text', 'size']
    """
    return Scan(_bigkeys.Scan(
        _paths(dumps), columns=columns, limit=limit, progress=_shown(progress), raises=_raises(errors), **filters,
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
    return _json.loads(_bigkeys.check(_paths(dump)[0], quick=quick, resync=resync, progress=_shown(progress)))
