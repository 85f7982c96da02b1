"""A simulated meter, recorded, replayed, recorded again: the same values, to the resolution of the registers."""

from __future__ import annotations

import asyncio
import csv
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

import gateway.cli
from facility.catalog import Catalog
from facility.clock import SystemClock
from facility.points import Profile
from simulators.devices.modbus_server import ModbusHost, ModbusUnit
from simulators.replay.columns import Wishes
from simulators.replay.service import Replay, prepare
from tests.simulators.devices.test_modbus_server import PLAYED, model_for

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]


@contextmanager
def served(unit: ModbusUnit) -> Iterator[str]:
    """A device that runs beside the test, as the recorder has an event loop of its own; its address."""
    loop, host = asyncio.new_event_loop(), ModbusHost("127.0.0.1", 0, [unit])
    address, port = loop.run_until_complete(host.start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"{address}:{port}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(host.stop())
        loop.close()


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command of its own process that has said where it reads or listens."""
    module = {"record": "gateway.cli", "replay": "simulators.replay.cli"}[arguments[0]]
    command = [sys.executable, "-c", f"from {module} import app; app()", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout
            assert any("127.0.0.1:" in line for line in process.stdout)
            yield process
        finally:
            process.kill()


def record(address: str, profile: Profile, out: Path) -> list[dict[str, str]]:
    """The rows of a recording without their times."""
    arguments = ["record", address, "--profile", profile.id, "--every", "20ms", "--for", "60ms", "--out", str(out)]
    result = CliRunner().invoke(gateway.cli.app, arguments)
    assert result.exit_code == 0, result.output
    with out.open(encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    assert rows
    return [{key: cell for key, cell in row.items() if key != "time"} for row in rows]


@pytest.mark.parametrize("name", PLAYED)
def test_recorded_replayed_and_recorded_again(name: str, tmp_path: Path, catalog: Catalog) -> None:
    profile = catalog.profiles[name]
    points = catalog.classes[profile.asset_class].points
    model = model_for(profile.asset_class)
    for _ in range(60):
        model.step(0.5)
    original = ModbusUnit(profile)
    original.update(model.values())
    with served(original) as address:
        first = record(address, profile, tmp_path / "first.csv")
    table, summary = prepare(
        tmp_path / "first.csv", Wishes("time"), profile, points, clock=SystemClock(), say=lambda _: None
    )
    assert not summary.outside
    replayed = ModbusUnit(profile)
    Replay(tmp_path / "first.csv", table, summary, replayed, clock=SystemClock())
    with served(replayed) as address:
        again = record(address, profile, tmp_path / "again.csv")
    assert again[0] == first[0] == first[-1]
    shown = model.values()
    assert {key for key, cell in first[0].items() if not cell} == {key for key in profile.points if shown[key] is None}
    for register in profile.registers:
        value, cell = shown[register.point], first[0][register.point]
        if isinstance(value, float) and cell:
            close = abs(value) * 1e-6 if register.type == "float32" else register.scale / 2
            assert float(cell) == pytest.approx(value, abs=close + 1e-9), register.point


@pytest.mark.system
def test_ctrl_c_ends_a_recording_and_a_replay_cleanly(tmp_path: Path, catalog: Catalog) -> None:
    unit = ModbusUnit(catalog.profiles["abb-ats022"])
    out = tmp_path / "table.csv"
    with served(unit) as address, started("record", address, "--profile", "abb-ats022", "--out", str(out)) as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stdout
        assert f"stopped; {out} is complete up to here" in process.stdout.read()
    lines = out.read_text().splitlines(keepends=True)
    assert len(lines) >= 1
    assert all(line.endswith("\n") and line.count(",") == lines[0].count(",") for line in lines)
    out.write_text("time,ats.line1_status\n0,0\n")
    with started("replay", str(out), "--profile", "abb-ats022", "--port", "0", "--loop") as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stdout
        assert "stopped" in process.stdout.read()
