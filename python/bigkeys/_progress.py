"""Progress, as people ask for it."""

from __future__ import annotations

from collections.abc import Callable


def shown(progress: "bool | Callable[[int, int | None], object] | None"):
    """A callable that is given the bytes read and all bytes; none if nothing is to be shown."""
    if not progress:
        return None
    if progress is not True:
        return progress
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    bar = tqdm(unit="B", unit_scale=True, desc="bigkeys", leave=False)

    def move(done: int, total: int | None) -> None:
        bar.total = total
        bar.update(done - bar.n)
        if total is not None and done >= total:
            bar.close()

    return move
