"""A fleet: an ordinary site folder, of the size asked for, and what can't be had."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

import simulators.cli
from facility.config import load_site
from gateway.check import check, planned
from simulators.cli import write_fleet
from simulators.fleet import METER_POINTS, Fleet, FleetError


def test_its_folder_is_an_ordinary_one(tmp_path: Path) -> None:
    site, catalog = load_site(write_fleet(Fleet.parse("30x20", port=20_000), tmp_path / "fleet"))
    assert [device.line.port for device in site.devices] == list(range(20_000, 20_030))
    assert all(len(catalog.profiles[device.profile].points) == 20 for device in site.devices)
    assert check(site, catalog) == []
    (cycle,) = planned(site.devices[0], catalog).cycles
    assert (cycle.interval, sum(len(read.registers) for read in cycle.reads)) == (1.0, 20)


def test_the_largest_meter_is_mapped_whole(tmp_path: Path) -> None:
    size = f"1x{len(METER_POINTS)}"
    _, catalog = load_site(write_fleet(Fleet.parse(size), tmp_path / "fleet"))
    assert catalog.profiles["fleet-meter"].points == METER_POINTS


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ("many", "no size of a fleet, such as 500x20"),
        ("0x20", "no size of a fleet"),
        ("5001x20", "one process serves at most 2000"),
        ("5x900", "a meter of the fleet has at most"),
    ],
)
def test_sizes_that_can_not_be_had(size: str, message: str) -> None:
    with pytest.raises(FleetError, match=message):
        Fleet.parse(size)
    result = CliRunner().invoke(simulators.cli.app, ["--fleet", size])
    assert result.exit_code == 1
    assert message in result.output


def test_ports_that_do_not_exist() -> None:
    with pytest.raises(FleetError, match="do not fit below 65536"):
        Fleet.parse("500x20", port=65_300)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    result = CliRunner().invoke(simulators.cli.app, ["--fleet", "5x5", "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert "is not empty" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_folder_or_a_fleet() -> None:
    assert CliRunner().invoke(simulators.cli.app, []).exit_code == 2
    assert CliRunner().invoke(simulators.cli.app, ["--fleet", "5x5", "."]).exit_code == 2
    refused = CliRunner().invoke(simulators.cli.app, ["--fleet", "5x5", "--for", "0s"])
    assert refused.exit_code == 2
    assert "'0s' is no duration" in refused.output


@pytest.mark.slow
def test_the_command_serves_it(tmp_path: Path) -> None:
    command = ["--fleet", "60x5", "--out", str(tmp_path / "f"), "--ports", "free", "--for", "0.5s"]
    result = CliRunner().invoke(simulators.cli.app, command)
    assert result.exit_code == 0, result.output
    assert "M-0001-meter: 127.0.0.1:" in result.output
    assert "... and 20 more; 60 devices in all" in result.output
    assert (tmp_path / "f" / "devices.yaml").exists()
