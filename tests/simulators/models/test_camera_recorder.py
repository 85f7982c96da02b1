"""The recorder: bitrate by the hour, days by the bitrate, and the signature of each failure."""

from __future__ import annotations

from random import Random

import pytest

from simulators.models.rooms.camera_recorder import CameraRecorder
from tests.simulators.conftest import Check, number, run
from tests.simulators.models.test_outdoors import EPOCH


def recorder(hour: float = 13.0, **size: float) -> CameraRecorder:
    """A recorder at this hour of the day in Shanghai."""
    cameras, disks = int(size.pop("cameras", 16)), int(size.pop("disks", 8))
    model = CameraRecorder(Random(1), cameras=cameras, disks=disks, epoch=EPOCH + (hour - 11.0) * 3600, **size)
    model.zone = 8 * 3600.0
    model.step(30.0)
    return model


def test_bitrate_follows_the_hour_and_the_sum_is_that_of_the_cameras(in_range: Check) -> None:
    day, night = recorder(13.0).values(), recorder(3.0).values()
    for values in (day, night):
        in_range("cctv", values)
        parts = sum(number(values, f"camera[{n}].bitrate") for n in range(1, 17))
        assert values["rec.bitrate"] == pytest.approx(parts)
    assert number(day, "rec.bitrate") / number(night, "rec.bitrate") == pytest.approx(1.5, rel=0.1)


@pytest.mark.parametrize("days", [30.0, 90.0])
def test_a_quiet_recorder_holds_its_days_whatever_the_hour(days: float) -> None:
    model = recorder(days=days)
    for _ in range(20):
        model.leap(3 * 3600.0)
        assert number(model.values(), "rec.days") == pytest.approx(days, rel=0.08)


def test_more_bitrate_is_fewer_days() -> None:
    model = recorder()
    model.inject("retention_short", factor=2.0)
    model.leap(86_400.0)
    assert model.values()["rec.days"] == pytest.approx(36 / (1 + 1 - 0.368), rel=0.06)
    model.leap(10 * 86_400.0)
    assert model.values()["rec.days"] == pytest.approx(18, rel=0.06)
    model.act("restore_bitrate")
    model.leap(10 * 86_400.0)
    assert model.values()["rec.days"] == pytest.approx(36, rel=0.06)


def test_a_leap_is_the_same_however_it_is_portioned() -> None:
    whole, parts = recorder(), recorder()
    whole.leap(86_400.0)
    for _ in range(1440):
        parts.leap(60.0)
    assert parts.values()["rec.days"] == pytest.approx(number(whole.values(), "rec.days"), rel=1e-6)


def test_a_camera_that_is_gone() -> None:
    model = recorder()
    model.inject("camera_offline", camera=3.0)
    values = run(model, 90)
    assert values["rec.cameras_online"] == 15
    assert (values["camera[3].online"], values["camera[3].recording"]) == (False, False)
    assert values["camera[3].bitrate"] == values["camera[3].fps"] == 0
    assert values["camera[3].loss"] == 100
    assert values["camera[3].frame_age"] == pytest.approx(90, abs=1)
    model.leap(3600.0)
    assert model.values()["camera[3].frame_age"] == pytest.approx(3690, abs=1)
    assert values["camera[2].online"] is True
    model.act("restart_camera")
    values = run(model, 1)
    assert values["camera[3].online"] is True
    assert number(values, "camera[3].frame_age") < 1


@pytest.mark.parametrize(
    ("fault", "flag", "after", "left"),
    [
        ("image_frozen", "frozen", 30, 0.08),
        ("camera_covered", "covered", 5, 0.15),
        ("image_black", "black", 5, 0.10),
        ("image_blurred", "blurred", 10, 0.5),
    ],
)
def test_a_bad_picture_is_flagged_after_a_while_and_sends_less(
    fault: str, flag: str, after: float, left: float
) -> None:
    model = recorder()
    before = number(model.values(), "camera[1].bitrate")
    model.inject(fault)
    values = run(model, after - 1)
    assert values[f"camera[1].{flag}"] is False
    assert number(values, "camera[1].bitrate") == pytest.approx(before * left, rel=0.15)
    values = run(model, 2)
    assert values[f"camera[1].{flag}"] is True
    assert values["camera[1].online"] is True
    assert [
        key for key, value in values.items() if key.endswith((".frozen", ".covered", ".black", ".blurred")) and value
    ] == [f"camera[1].{flag}"]
    model.act("clean_camera" if fault != "image_frozen" else "restart_camera")
    assert run(model, 1)[f"camera[1].{flag}"] is False


def test_a_failing_disk_warns_on_day_eight_and_is_dead_on_day_fourteen() -> None:
    model = recorder()
    days = number(model.values(), "rec.days")
    model.inject("disk_failing")
    model.leap(8.3 * 86_400)
    values = model.values()
    assert (values["disk[2].state"], values["disk[2].smart"]) == (1, True)
    assert values["disk[2].reallocated"] == pytest.approx(480 * 8.3 / 14, abs=2)
    model.leap(0.2 * 86_400)
    assert (model.values()["disk[2].state"], model.values()["disk[2].smart"]) == (2, False)
    model.leap(5.6 * 86_400)
    values = model.values()
    assert (values["disk[2].state"], values["rec.fault"], values["disk[2].reallocated"]) == (3, True, 480)
    assert number(values, "rec.days") == pytest.approx(days * 7 / 8, rel=0.08)
    model.act("replace_disk")
    values = model.values()
    assert (values["disk[2].state"], values["disk[2].reallocated"], values["rec.fault"]) == (1, 0, False)


def test_a_clock_that_runs_away_shows_in_the_offset_and_in_the_clock() -> None:
    model = recorder()
    model.inject("clock_off")
    model.leap(15 * 86_400.0)
    values = model.values()
    assert values["rec.clock_offset"] == pytest.approx(47.5, abs=0.2)
    assert number(values, "dev.epoch") - model.epoch == pytest.approx(47.5, abs=1)
    model.act("sync_clock")
    assert model.values()["rec.clock_offset"] == pytest.approx(0, abs=0.1)
