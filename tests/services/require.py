"""Debian services that tests want: found, or skipped and listed at the end; with CI=true a missing one is a failure."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

MISSING: dict[str, str] = {}
"""Binary -> Debian package of each service that some test had to do without; conftest.py lists them at the end."""

PEERS = Path(__file__).parent.parent / "peers"
"""Where the encoders of others are."""
_ELSEWHERE = ("/usr/sbin", "/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/16/bin", "/usr/lib/postgresql/17/bin")


def find(binary: str) -> str | None:
    """The path of a binary, also where Debian keeps servers, or None."""
    found = shutil.which(binary)
    if found:
        return found
    return next((str(Path(folder) / binary) for folder in _ELSEWHERE if (Path(folder) / binary).exists()), None)


def require_peer(package: str) -> str:
    """The path of node; skips the test (fails it with CI=true) without it or without an npm package of tests/peers."""
    node = require("node", "nodejs")
    if (PEERS / "node_modules" / package).is_dir():
        return node
    message = f"{package} is not installed: sh scripts/peers.sh"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(message)
    pytest.skip(message)


def require(binary: str, package: str) -> str:
    """The path of a binary; skips the test (fails it with CI=true) when it is not installed."""
    found = find(binary)
    if found:
        return found
    MISSING[binary] = package
    message = f"{binary} is not installed: apt-get install {package}"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(message)
    pytest.skip(message)
