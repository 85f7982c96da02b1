"""Names: the ids of a list, and what to say of a name that nobody knows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence

from facility.assets import ID
from facility.errors import Problem
from facility.yamlfile import Document

SHOWN = 12
"""Names listed where none is near."""


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """`there is no <what> <name>`, with the nearest known names, or else the first known ones."""
    names = list(dict.fromkeys(known))
    near = nearest(name, names)
    if near:
        return f"there is no {what} {name!r}{near}"
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"there is no {what} {name!r}; known: {', '.join(names[:SHOWN]) or 'none'}{more}"


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean <the nearest known names>?`, or nothing where none is near."""
    folded: dict[str, str] = {}
    for item in known:
        folded.setdefault(item.lower(), item)
    near = [folded[key] for key in difflib.get_close_matches(name.lower(), folded, n=3, cutoff=0.6)]
    return f"; did you mean {', '.join(near)}?" if near else ""


def check_ids(document: Document, place: str, names: Sequence[str]) -> Iterator[Problem]:
    """Malformed and repeated ids of the list at `place`."""
    seen: dict[str, int] = {}
    for number, name in enumerate(names):
        where = (place, number, "id") if (place, number, "id") in document.lines else (place, number)
        if not ID.fullmatch(name):
            yield document.problem(where, f"{name!r} is no id: letters, digits, _ and -, at most 64")
        if name in seen:
            yield document.problem(where, f"the id {name!r} is already taken on line {seen[name]}")
        seen.setdefault(name, document.line(where))
