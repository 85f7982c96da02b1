"""ThingsBoard's gateway from PyPI in a virtual environment of its own, made when it is first needed and kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

WANTED = ("thingsboard-gateway==3.8.5", "pymodbus==3.9.2", "pyserial==3.5", "pyserial-asyncio==0.6")
"""With the packages that it would install when it starts."""
PLACE = Path(__file__).parents[1] / "out" / "thingsboard"
LIMIT = 300.0
"""Seconds for the installation."""


class UnavailableError(Exception):
    """It can't be installed here; says why."""


def interpreter(place: Path = PLACE, wanted: tuple[str, ...] = WANTED) -> Path:
    """The Python that has it; UnavailableError when it can't be installed."""
    python, done = place / "bin" / "python", place / "installed"
    if not done.exists() or done.read_text().split() != list(wanted):
        _run([sys.executable, "-m", "venv", "--clear", str(place)])
        _run([str(python), "-m", "pip", "install", "-q", "--retries", "1", "--disable-pip-version-check", *wanted])
        done.write_text("\n".join(wanted) + "\n")
    return python


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=LIMIT)
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip() or error.stdout.strip()).splitlines()[-1:]
        raise UnavailableError(" ".join(last) or str(error)) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(str(error)) from error
