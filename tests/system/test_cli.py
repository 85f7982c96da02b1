"""The command line as an integrator meets it: init, check, and every mistake at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(120)]


def caretaker(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "caretaker", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)


def test_a_starter_site_has_no_problems(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    assert caretaker("init", str(folder)).returncode == 0
    done = caretaker("check", str(folder))
    assert done.returncode == 0, done.stderr
    assert "no problems" in done.stdout
    again = caretaker("init", str(folder))
    assert again.returncode != 0
    assert "not empty" in again.stderr


def test_every_mistake_is_told_at_once_and_nothing_starts(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    caretaker("init", str(folder))
    assets = folder / "assets.yaml"
    assets.write_text(assets.read_text().replace("location: tower-a", "location: nowhere\n    colour: red"))
    devices = folder / "devices.yaml"
    devices.write_text(devices.read_text().replace("profile: fw-lift-1", "profile: no-such-lift"))
    rules = folder / "rules" / "own.yaml"
    rules.write_text(rules.read_text().replace("mr.temp > 40", "mr.tempp > > 40"))
    done = caretaker("run", str(folder))
    assert done.returncode == 1
    for line in ("assets.yaml:", "unknown key", "devices.yaml:", "no-such-lift", "own.yaml:", "nothing was started"):
        assert line in done.stderr, done.stderr
    assert not (folder / "data").exists()
