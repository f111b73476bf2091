"""A report, as Python has it."""

from __future__ import annotations

import html
import json

from . import _bigkeys


class Report:
    """What is in dumps. Reports of many machines merge into one, in any grouping to the same result."""

    def __init__(self, inner: _bigkeys.Report) -> None:
        self._inner = inner

    @property
    def damage(self) -> list[dict]:
        """What was wrong with the dumps: dicts with ``path``, ``offset``, ``key`` and ``what``."""
        return self._inner.damage

    @property
    def notes(self) -> list[str]:
        """What is worth knowing and no damage."""
        return self._inner.notes

    @property
    def findings(self) -> list[dict]:
        """What to do about it, the most worthwhile first."""
        return self.to_dict().get("findings", [])

    def to_json(self) -> str:
        """The JSON that `bigkeys report --format json` prints; `docs/memory.md` describes it."""
        return self._inner.to_json()

    def to_dict(self) -> dict:
        """That JSON as Python's objects."""
        return json.loads(self.to_json())

    def to_table(self, width: int = 100) -> str:
        """The table that `bigkeys report` prints."""
        return self._inner.to_table(width)

    def merge(self, *others: "Report") -> "Report":
        """One report of this and others. Raises ValueError where they do not fit together."""
        merged = self._inner
        for other in others:
            merged = merged.merge(other._inner)
        return Report(merged)

    def __str__(self) -> str:
        return self.to_table()

    def __repr__(self) -> str:
        return repr(self._inner)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.to_table())}</pre>"
