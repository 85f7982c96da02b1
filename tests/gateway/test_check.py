"""What `caretaker check` refuses before anything starts, and what `plan` prints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from facility.assets import Line
from facility.config import load_site
from facility.points import Limits, Register, Table
from gateway.check import check, planned
from gateway.cli import app
from gateway.lesson_book import open_book
from gateway.lessons import fingerprint
from tests.gateway.plant import NATIVE, POINTS, POLLED, a_catalog, a_device, a_site

SITE = """
site: tower
labels: {zh: 塔楼, en: Tower}
gateways: [gw-1]
"""
ASSETS = """
assets:
  - {id: EL-01, class: elevator, labels: {zh: 一号梯, en: Lift 1}}
  - {id: EL-02, class: elevator, labels: {zh: 二号梯, en: Lift 2}}
"""
DEVICES = """
devices:
  - {id: lift-1, profile: fw-lift-1, asset: EL-01, port: 5020}
  - {id: lift-2, profile: fw-lift-1, asset: EL-02, port: 5021, speedup: SPEEDUP}
"""


def scattered(count: int) -> dict[str, object]:
    return {"registers": tuple(Register("temp", Table.HOLDING, n * 200, "uint16", interval=0.1) for n in range(count))}


def test_a_device_that_can_not_be_read_in_time_is_named() -> None:
    slow = replace(POLLED, id="slow", **scattered(30))  # type: ignore[arg-type]
    catalog = a_catalog(POLLED, slow, NATIVE)
    assert check(a_site(a_device("fine")), catalog) == []
    (problem,) = check(a_site(a_device("fine"), a_device("late", profile="slow", line=Line(port=503))), catalog)
    assert "device late: its 30 reads take about 0.15 s" in problem
    assert "every 0.1 s" in problem


def test_a_connection_that_is_shared_by_too_many_is_named() -> None:
    half = replace(POLLED, id="half", **scattered(12))  # type: ignore[arg-type]
    catalog = a_catalog(half)
    one, two = a_device("d1", profile="half"), a_device("d2", profile="half", unit=2)
    assert check(a_site(one), catalog) == []
    assert check(a_site(one, replace(two, line=Line(port=503))), catalog) == []
    (problem,) = check(a_site(one, two), catalog)
    assert "the connection 127.0.0.1:502 would be busy 120% of the time with d1, d2" in problem


def test_a_profile_that_can_not_be_read_at_all_is_named() -> None:
    wide = replace(
        POLLED,
        id="wide",
        registers=(Register("temp", Table.HOLDING, 0, "string", words=20),),
        limits=Limits(registers=8),
    )
    (problem,) = check(a_site(a_device("d1", profile="wide")), a_catalog(wide))
    assert problem.startswith("device d1: profile wide: temp: 20 registers do not fit")


def test_the_share_is_that_of_all_intervals_together() -> None:
    found = planned(a_device(), a_catalog())
    assert len(found.cycles) == 1
    assert found.share == pytest.approx(found.seconds(found.cycles[0]) / POINTS["volts"].interval)


def test_a_native_device_with_a_silence_that_is_none() -> None:
    native = {"profile": "native", "params": {"base": "b", "id": "1", "stale_after": "25"}}
    assert check(a_site(a_device("d1", **native)), a_catalog()) == []
    native["params"] = {"base": "b", "id": "1", "stale_after": "a day"}
    (problem,) = check(a_site(a_device("d1", **native)), a_catalog())
    assert problem == "device d1: param stale_after: 'a day' is no duration, such as 60s or 5m"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")
    (tmp_path / "assets.yaml").write_text(ASSETS, encoding="utf-8")
    (tmp_path / "devices.yaml").write_text(DEVICES.replace("SPEEDUP", "1.0"), encoding="utf-8")
    return tmp_path


@pytest.mark.slow
def test_plan_prints_the_reads_of_each_device(folder: Path) -> None:
    result = CliRunner().invoke(app, ["plan", str(folder)])
    assert result.exit_code == 0, result.output
    assert "lift-1  fw-lift-1  127.0.0.1:5020 unit 1" in result.output
    assert "lift-2" in result.output
    assert "every 1 s" in result.output
    assert "discrete 0..22" in result.output
    one = CliRunner().invoke(app, ["plan", str(folder), "--device", "lift-2"])
    assert one.output.startswith("lift-2  fw-lift-1")


@pytest.mark.slow
def test_plan_tells_what_is_wrong_and_fails(folder: Path) -> None:
    unknown = CliRunner().invoke(app, ["plan", str(folder), "--device", "x"])
    assert (unknown.exit_code, "known: lift-1, lift-2" in unknown.output) == (1, True)
    (folder / "devices.yaml").write_text(DEVICES.replace("SPEEDUP", "100.0"), encoding="utf-8")
    late = CliRunner().invoke(app, ["plan", str(folder)])
    assert (late.exit_code, "device lift-2" in late.output) == (1, True)
    (folder / "devices.yaml").write_text("devices: 7", encoding="utf-8")
    broken = CliRunner().invoke(app, ["plan", str(folder)])
    assert (broken.exit_code, "devices.yaml" in broken.output) == (1, True)


@pytest.mark.slow
def test_plan_shows_what_was_learnt_and_plans_with_it(folder: Path) -> None:
    site, catalog = load_site(folder)
    device, profile = site.devices[0], catalog.profiles["fw-lift-1"]
    book = open_book(site, "gw-1")
    lessons = book.of("lift-1", fingerprint(device, profile))
    register = next(item for item in profile.registers if item.point == "drive.motor_temp")
    lessons.refuse(register, "input 24..24: exception 2, illegal data address", 1_790_000_000_000)
    lessons.found_firmware("0100")
    book.save()
    result = CliRunner().invoke(app, ["plan", str(folder), "--device", "lift-1"])
    assert result.exit_code == 0, result.output
    assert "refused: drive.motor_temp, last 2026-09-21 14:13 UTC: input 24..24: exception 2" in result.output
    assert "not read across: input 24, input 25" in result.output
    assert "firmware: 0100" in result.output
    assert "refused" not in CliRunner().invoke(app, ["plan", str(folder), "--device", "lift-2"]).output
