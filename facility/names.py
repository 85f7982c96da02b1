"""What to say of a name that nobody knows: the nearest ones that are known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SHOWN = 12
"""Names listed where none is near."""


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """`there is no <what> <name>`, with the nearest known names, or else the first known ones."""
    folded: dict[str, str] = {}
    for item in known:
        folded.setdefault(item.lower(), item)
    near = [folded[key] for key in difflib.get_close_matches(name.lower(), folded, n=3, cutoff=0.6)]
    if near:
        return f"there is no {what} {name!r}; did you mean {', '.join(near)}?"
    names = list(folded.values())
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"there is no {what} {name!r}; known: {', '.join(names[:SHOWN]) or 'none'}{more}"
