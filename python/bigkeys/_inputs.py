"""What stands for a dump: a path, a URL, a list of them, or bytes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from . import _bigkeys

#: Objects whose stores are asked for their sizes at once.
QUESTIONS_AT_ONCE = 16


class Held:
    """A dump in memory. It can be given wherever a path is taken, until it is closed or forgotten."""

    def __init__(self, file: int) -> None:
        self._file = file

    def __fspath__(self) -> str:
        if self._file < 0:
            raise ValueError("the dump is closed")
        return f"/proc/self/fd/{self._file}"

    def close(self) -> None:
        """Gives the memory back."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> "Held":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


def open(source: Any) -> Held:  # noqa: A001
    """A dump from bytes (or anything with a buffer), or from what is left of a file object that was opened for bytes.

    >>> import bigkeys, pathlib
    >>> dump = bigkeys.open(pathlib.Path("fixtures/empty_v13.rdb").read_bytes())
    >>> bigkeys.check(dump)["keys"]
    0
    """
    # Memory that has a name for this process alone: nothing is written to a disk.
    file = os.memfd_create("bigkeys")
    try:
        with os.fdopen(os.dup(file), "wb") as to:
            if hasattr(source, "read"):
                shutil.copyfileobj(source, to, 1 << 20)
            else:
                to.write(source)
    except BaseException:
        os.close(file)
        raise
    return Held(file)


def sized(dumps: list[str]) -> list[tuple[str, int | None]]:
    """The files and objects that paths, URLs and patterns in buckets name, and how many bytes each stores, if that is known."""
    # A URL that is not a pattern is a question of its own.
    with ThreadPoolExecutor(QUESTIONS_AT_ONCE) as threads:
        return [one for found in threads.map(_bigkeys.sizes, dumps) for one in found]


def paths(dumps: Any) -> list[str]:
    """The paths and URLs of one dump or of several. A pattern in a bucket stands for what it matches."""
    if isinstance(dumps, (str, bytes, os.PathLike)):
        dumps = [dumps]
    elif not isinstance(dumps, Iterable):
        raise TypeError(f"a path, a list of paths or what bigkeys.open() gives, not {type(dumps).__name__}")
    named = [os.fsdecode(dump) for dump in dumps]
    return [path for name in named for path in _bigkeys.matches(name)]
