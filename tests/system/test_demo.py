"""`caretaker demo` as a user starts it: the tour in a minute, and the figures that it must prove."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(180)]


def test_the_tour_proves_its_figures(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    command = ["demo", "--for", "60s", "--scenario", "tour", "--port", "0", "--report", str(file)]
    done = subprocess.run(
        [sys.executable, "-m", "caretaker", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(file.read_text())
    readings = report["readings"]
    assert readings["sent"] == readings["stored"] > 1000
    assert readings["lost"] == readings["duplicated"] == 0
    equipment = {"elevator", "water_pump", "power", "fire_alarm", "access_control"}
    assert set(report["alarms"]) >= equipment, "more classes may follow"
    assert all(report["alarms"][name] > 0 for name in equipment), report["alarms"]
    assert report["emergencies"] >= 2
    assert report["tickets"] >= 3
    assert report["pushes"]["failed"] == 0
    assert report["pushes"]["webhook_emergencies"] >= 2
    assert report["pushes"]["sent"] >= report["emergencies"]
    assert report["latency_ms"]["change_to_push_count"] >= 5
    assert report["latency_ms"]["change_to_push_p99"] is not None
    assert report["latency_ms"]["change_to_store_p99"] is not None
    assert report["rss_mb"] > 0
    assert report["seconds"] >= 60
