"""The whole demonstration for a minute: latencies from register to push and store, memory, time to the first value."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SECONDS = 60


def run() -> dict[str, float]:
    """Play the tour in a process of its own and read its report."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.json"
        command = ["demo", "--for", f"{SECONDS}s", "--scenario", "tour", "--port", "0", "--report", str(file)]
        subprocess.run([sys.executable, "-m", "caretaker", *command], cwd=ROOT, check=True, capture_output=True)
        report = json.loads(file.read_text())
    figures = {f"latency.{key}": value for key, value in report["latency_ms"].items() if value is not None}
    figures["demo.rss_mb"] = report["rss_mb"]
    figures["demo.first_value_s"] = report["first_value_s"]
    figures["demo.readings_lost"] = report["readings"]["lost"]
    figures["demo.readings_duplicated"] = report["readings"]["duplicated"]
    return figures
