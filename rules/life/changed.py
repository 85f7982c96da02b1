"""A frozen row with some of its values changed: what `dataclasses.replace` does, in a tenth of its time.

An alarm has forty values and is changed up to six times in one transition; in a storm that was a third of all work.
"""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T")


def changed(row: T, **values: Any) -> T:
    """The row with these values. For frozen dataclasses without slots and __post_init__; TypeError for a wrong name."""
    new = object.__new__(type(row))
    kept = new.__dict__
    kept.update(row.__dict__)
    number = len(kept)
    kept.update(values)
    if len(kept) != number:
        raise TypeError(f"{type(row).__name__} has no {', '.join(sorted(values.keys() - row.__dict__.keys()))}")
    return new
