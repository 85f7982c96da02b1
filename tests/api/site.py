"""A starter site folder, as `caretaker init` makes it."""

from __future__ import annotations

import shutil
from pathlib import Path

STARTER = Path(__file__).parents[2] / "facility" / "starter"


def starter(folder: Path) -> Path:
    """Copy it to `folder`."""
    shutil.copytree(STARTER, folder)
    return folder
