"""A small JSON file that a gateway keeps from start to start: read once, then replaced whole.

It is written beside the old one and put in its place, so that a crash leaves one of the two; brought to the disk first
where `sync` asks for it, which holds for a power cut too. A file that can't be understood is put aside under another
name and never overwritten. Trouble is told in words, for a status.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

import msgspec

MAX_FILE = 50_000_000
"""Bytes; a longer file is none of ours."""

T = TypeVar("T")


def load(path: Path | None, kind: type[T]) -> tuple[T | None, str]:
    """What the file holds, and what is wrong with it; (None, "") where there is none."""
    if path is None or not path.exists():
        return None, ""
    try:
        if path.stat().st_size > MAX_FILE:
            raise msgspec.DecodeError(f"more than {MAX_FILE} bytes")
        return msgspec.json.decode(path.read_bytes(), type=kind), ""
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        aside = _aside(path)
        path.replace(aside)
        return None, f"{path.name} was damaged ({error}) and is kept as {aside.name}"
    except OSError as error:
        return None, f"{path} can't be read: {error.strerror}"


def dump(content: object) -> bytes:
    """The text of a file, for people too."""
    return msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n"


def replace(path: Path | None, text: bytes, *, sync: bool = False) -> str:
    """Put a text in the place of the file; why that can't be, empty when it is done. May be called from a thread."""
    if path is None:
        return ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.new")
        with fresh.open("wb") as file:
            file.write(text)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        return f"can't be written to {path}: {error.strerror}"
    return ""


def _aside(path: Path) -> Path:
    """A name that is free."""
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged{number}")).exists():
        number += 1
    return aside
