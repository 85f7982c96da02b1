"""The chain of linkage records: each link's hash covers its text and the hash before it, so that no change goes unseen.

Pure. Whoever keeps the hash of the newest link elsewhere (it is printed on every export) can prove that nothing before
it was changed, taken out or put in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

START = "0" * 64
"""What the first link of a site has for the hash before it."""


@dataclass(frozen=True, slots=True)
class Link:
    """One record. `kind`: run (a run that is over) or note (what somebody said about it). `body` is JSON text."""

    site: str
    run_id: str
    kind: str
    at: int
    author: str
    body: str
    previous: str = ""
    hash: str = ""


def digest(link: Link) -> str:
    """The hash that a link should have: SHA-256 over its other fields, each with its length, so that none can shift."""
    found = hashlib.sha256()
    for part in (link.previous, link.site, link.run_id, link.kind, str(link.at), link.author, link.body):
        data = part.encode()
        found.update(str(len(data)).encode() + b":" + data)
    return found.hexdigest()


def chained(link: Link, previous: str) -> Link:
    """The link at the end of a chain whose newest hash is `previous`."""
    placed = replace(link, previous=previous)
    return replace(placed, hash=digest(placed))


def broken(links: Iterable[Link]) -> int | None:
    """The number (from 0) of the first link of a whole chain that is not as it was written; None when all are."""
    previous = START
    for number, link in enumerate(links):
        if link.previous != previous or link.hash != digest(link):
            return number
        previous = link.hash
    return None
