"""Critical systems that are not watched in full: when that is an alarm, when not, and what a restart changes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facility.catalog import Catalog
from facility.config import Site, load_site
from facility.readings import Quality, Sample
from rules.coverage import HOLE_MS, WHOLE_MS, Coverage
from rules.effects import Judgement
from tests.api.house import write_site

START = 1_790_000_000_000
MINUTE = 60_000
BEAT = 300_000
STEP = 30_000
_READ: list[tuple[Site, Catalog]] = []


@pytest.fixture(scope="module")
def tower(tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, Catalog]:
    """Lifts, a pump set, a meter, a fire panel, doors; all of them Modbus."""
    _READ[:] = [load_site(write_site(tmp_path_factory.mktemp("site")), env={})]
    return _READ[0]


class Plant:
    """A site's coverage and the clock. Every point of every asset is told at each heartbeat, but for what is `away`."""

    def __init__(self, tower: tuple[Site, Catalog], now: int = START) -> None:
        self.site, self.catalog = tower
        self.coverage = Coverage(*tower)
        self.now = now
        self.said: list[Judgement] = []
        self.points = {device.asset: list(self.catalog.profiles[device.profile].points) for device in self.site.devices}
        self.bad: dict[tuple[str, str], Quality] = {}
        self.away: set[tuple[str, str]] = set()
        self.kept: list[Sample] = []

    def tell(self) -> None:
        """Everything that is there, now."""
        for asset, points in self.points.items():
            told = [key for key in points if (asset, key) not in self.away]
            quality = {key: self.bad[asset, key] for key in told if (asset, key) in self.bad}
            sample = Sample(asset, self.now, {key: None if key in quality else 1 for key in told}, quality)
            self.kept.append(sample)
            self.coverage.take(sample)

    def wait(self, ms: int) -> list[Judgement]:
        """Time passes; what was judged meanwhile."""
        found = []
        for _ in range(0, ms, STEP):
            self.now += STEP
            if (self.now - START) % BEAT == 0:
                self.tell()
            found += self.coverage.on_tick(self.now)
        self.said += found
        return found

    def restart(self) -> None:
        """A new process: warmed with the samples of a quarter of an hour, and told of the alarms that stand."""
        last = {item.asset: item for item in self.said}
        self.coverage = Coverage(self.site, self.catalog)
        self.coverage.restore([("site.coverage", 0, item.asset) for item in last.values() if item.event == "raise"])
        for sample in self.kept:
            if sample.at > self.now - 15 * MINUTE:
                self.coverage.take(sample)


def started(tower: tuple[Site, Catalog]) -> Plant:
    plant = Plant(tower)
    plant.coverage.on_tick(plant.now)
    plant.tell()
    return plant


def some(plant: Plant, asset: str) -> tuple[str, str]:
    return asset, plant.points[asset][0]


def test_a_quiet_building_raises_nothing(tower: tuple[Site, Catalog]) -> None:
    assert started(tower).wait(3 * 3_600_000) == []


def test_a_bad_point_of_a_critical_system_is_told_after_ten_minutes_and_goes_when_all_are_back(
    tower: tuple[Site, Catalog],
) -> None:
    plant = started(tower)
    plant.bad[some(plant, "FA-01")] = Quality.SENSOR
    plant.bad[some(plant, "PW-01")] = Quality.SENSOR  # a meter is not critical
    plant.tell()
    assert plant.wait(HOLE_MS - STEP) == []
    (raised,) = plant.wait(2 * STEP)
    assert (raised.event, raised.asset, raised.rule.id, raised.rule.asset_class) == (
        "raise", "FA-01", "site.coverage", "fire_alarm",
    )  # fmt: skip
    assert raised.facts["missing"] == plant.points["FA-01"][0]
    assert 0 < float(str(raised.facts["coverage"])) < 100
    assert (raised.since, raised.at - raised.since) == (START, HOLE_MS)
    plant.bad.clear()
    plant.tell()
    assert plant.wait(WHOLE_MS - STEP) == []
    (cleared,) = plant.wait(3 * STEP)
    assert (cleared.event, cleared.asset) == ("clear", "FA-01")
    assert cleared.facts["coverage"] == 100


@pytest.mark.parametrize("asset", ["EL-01", "PS-01", "AC-01", "FA-01"])
def test_silence_of_one_point_is_a_hole_of_every_critical_class(tower: tuple[Site, Catalog], asset: str) -> None:
    plant = started(tower)
    plant.away.add(some(plant, asset))
    assert [item.asset for item in plant.wait(40 * MINUTE)] == [asset]


def test_a_point_that_never_came_is_a_hole(tower: tuple[Site, Catalog]) -> None:
    plant = Plant(tower)
    plant.away.add(some(plant, "EL-02"))
    plant.coverage.on_tick(plant.now)
    plant.tell()
    assert [item.asset for item in plant.wait(40 * MINUTE)] == ["EL-02"]


def test_what_a_device_never_had_is_not_missed_but_what_it_lost_is(tower: tuple[Site, Catalog]) -> None:
    plant = Plant(tower)
    asset, key = some(plant, "PS-01")
    plant.bad[asset, key] = Quality.SENTINEL
    plant.coverage.on_tick(plant.now)
    plant.tell()
    assert plant.wait(60 * MINUTE) == []
    del plant.bad[asset, key]
    plant.tell()
    plant.wait(MINUTE)
    plant.bad[asset, key] = Quality.SENTINEL
    plant.tell()
    assert [item.event for item in plant.wait(15 * MINUTE)] == ["raise"]


def test_a_gateway_that_is_gone_neither_raises_nor_clears(tower: tuple[Site, Catalog]) -> None:
    plant = started(tower)
    plant.bad[some(plant, "EL-01")] = Quality.COMM
    plant.tell()
    assert [item.asset for item in plant.wait(11 * MINUTE)] == ["EL-01"]
    for asset, points in plant.points.items():
        plant.coverage.hush(asset, points, hushed=True)
        plant.away |= {(asset, key) for key in points}
    assert plant.wait(60 * MINUTE) == []
    plant.away.clear()
    plant.bad.clear()
    for asset, points in plant.points.items():
        plant.coverage.hush(asset, points, hushed=False)
    assert [(item.event, item.asset) for item in plant.wait(15 * MINUTE)] == [("clear", "EL-01")]


@pytest.mark.usefixtures("tower")
@settings(max_examples=20)
@given(before=st.integers(1, 22), after=st.integers(0, 30))
def test_a_restart_changes_neither_what_is_told_nor_when(before: int, after: int) -> None:
    def play(*, restarted: bool) -> list[tuple[str, str, int]]:
        plant = started(_READ[0])
        plant.bad[some(plant, "FA-01")] = Quality.SENSOR
        plant.tell()
        plant.wait(before * MINUTE)
        if restarted:
            plant.restart()
        plant.wait(after * MINUTE)
        plant.bad.clear()
        plant.tell()
        plant.wait(5 * MINUTE)
        return [(item.event, item.asset, item.at) for item in plant.said]

    assert play(restarted=True) == play(restarted=False)


def test_history_and_the_future_change_nothing(tower: tuple[Site, Catalog]) -> None:
    plant = started(tower)
    plant.wait(10 * MINUTE)
    asset, key = some(plant, "FA-01")
    plant.coverage.take(Sample(asset, START - 1, {key: None}, {key: Quality.COMM}))
    plant.coverage.take(Sample(asset, plant.now + 3_600_000, {key: None}, {key: Quality.COMM}))
    plant.coverage.take(Sample("gone", plant.now, {key: 1}))
    assert plant.wait(30 * MINUTE) == []
