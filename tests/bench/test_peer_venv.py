"""The foreign gateway's own environment: made once, its absence told."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bench.edge.peer_venv import UnavailableError, interpreter


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder in which a package is said to be installed."""
    (tmp_path / "installed").write_text("wanted==1\n")
    return tmp_path


def test_what_is_installed_is_not_installed_again(place: Path) -> None:
    assert interpreter(place, ("wanted==1",)) == place / "bin" / "python"


def test_what_can_not_be_installed_says_why(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(command: list[str], **_options: object) -> None:
        if "pip" in command:
            raise subprocess.CalledProcessError(1, command, "", "WARNING: slow\nERROR: No matching distribution")

    monkeypatch.setattr(subprocess, "run", fails)
    for _ in range(2):
        with pytest.raises(UnavailableError, match="No matching distribution"):
            interpreter(place, ("other==2",))
