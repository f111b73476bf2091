"""Rows, as Python has them."""

from __future__ import annotations

from . import _bigkeys


class Scan:
    """Rows of keys or elements: an Arrow stream for whoever reads it (``__arrow_c_stream__``), anew each time."""

    def __init__(self, inner: _bigkeys.Scan, dumps: object) -> None:
        self._inner = inner
        # A dump in memory lives as long as somebody may scan it.
        self._dumps = dumps

    def __arrow_c_stream__(self, requested_schema=None):
        return self._inner.__arrow_c_stream__(requested_schema)

    @property
    def damage(self) -> list[dict]:
        """What was wrong with the dumps, once a stream was read to its end: dicts with ``path``, ``offset``, ``key``, ``what``."""
        return self._inner.damage

    @property
    def notes(self) -> list[str]:
        """What is worth knowing and no damage, once a stream was read to its end."""
        return self._inner.notes

    def raise_damage(self) -> None:
        """Raises the latest stream's damage as :class:`DumpError`: readers of a stream tell of it only as text."""
        self._inner.raise_damage()
