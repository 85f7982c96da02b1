"""Air, light, cameras, pits and small sensors before the shipped rules.

Each alarm comes in its window and nothing else does, and all are gone once the fault is.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from facility.assets import Asset
from facility.catalog import Catalog
from facility.hardware import Fault
from facility.points import Label
from facility.readings import Quality, Sample
from rules.engine import Engine
from simulators.faultfile import repertoire
from simulators.models.cabinet import Cabinet
from simulators.models.model import Model
from simulators.models.rooms.air_handler import AirHandler
from simulators.models.rooms.camera_recorder import CameraRecorder
from simulators.models.rooms.chiller import Chiller
from simulators.models.rooms.environment import Environment
from simulators.models.rooms.lighting import Lighting
from simulators.models.water.drainage import Pit
from tests.simulators.conftest import Check
from tests.simulators.oracle import EPOCH, judging, sample

CLASSES = ("hvac", "cctv", "drainage", "lighting", "environment")
FAULTS = [
    pytest.param(fault, id=f"{name} {key}")
    for name in CLASSES
    for key, fault in sorted(repertoire().faults_of(name).items())
]
NAME = "A-01"


def model_of(asset_class: str, seed: int = 1) -> Model:
    """A model of a class at 13 o'clock in Shanghai, two hours after it was switched on."""
    random = Random(seed)
    models: dict[str, Model] = {
        "hvac": Cabinet([Chiller(random), AirHandler(random)]),
        "cctv": CameraRecorder(random),
        "drainage": Pit(random),
        "lighting": Lighting(random),
        "environment": Environment(random, sensors=2),
    }
    model = models[asset_class]
    model.epoch, model.zone = EPOCH, 8 * 3600.0
    model.leap(7170.0)
    model.step(30.0)
    return model


class Watched:
    """A model with the rules of its class over it; `at` is the seconds gone by."""

    def __init__(self, catalog: Catalog, asset_class: str, model: Model) -> None:
        self.model, self.at = model, 0.0
        assets = {NAME: Asset(NAME, asset_class, Label("甲", "A"))}
        points = {NAME: frozenset(model.values())}
        rules = judging(assets, catalog, points)
        # between two looks days may go by: no reading is from the future here
        self._engine = Engine(rules, assets, catalog, future_ms=round(1e12))
        self._judge()

    def go(self, lasts: float, *, every: float) -> Iterator[tuple[str, str, float]]:
        """(raise or clear, rule, seconds since the beginning) of what `lasts` seconds bring; a look `every` so many."""
        until = self.at + lasts
        while self.at < until:
            if every > 1.0:
                self.model.leap(every - 1.0)
            self.model.step(min(every, 1.0))
            self.at += every
            yield from self._judge()

    def _judge(self) -> list[tuple[str, str, float]]:
        at = EPOCH + self.at
        told = sample(NAME, at, self.model.values())
        if isinstance(self.model, Environment):
            # a wireless sensor without values is out of reach: its gateway says so
            told = Sample(NAME, told.at, told.values, dict.fromkeys(told.quality, Quality.COMM))
        judged = self._engine.on_sample(told)
        judged += self._engine.on_tick(round(at * 1000))
        return [(item.event, item.rule.id, item.at / 1000 - EPOCH) for item in judged]


def every(fault: Fault) -> float:
    """Seconds between looks: fine for what is over in hours, coarse for what takes days, less than the heartbeat.

    What is looked at more seldom than a gateway tells it again would be stale.
    """
    return 1.0 if fault.lasts <= 3600 else 30.0 if fault.lasts <= 93_600 else 280.0


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_raises_what_its_oracle_says_in_time_and_nothing_else_and_ends_cleanly(
    fault: Fault, in_range: Check, catalog: Catalog
) -> None:
    model = model_of(fault.asset_class)
    watched, looks = Watched(catalog, fault.asset_class, model), every(fault)
    model.inject(fault.name)
    judged = list(watched.go(fault.lasts, every=looks))
    in_range(fault.asset_class, model.values())
    first: dict[str, float] = {}
    for event, rule, at in judged:
        if event == "raise":
            first.setdefault(rule, at)
    assert set(first) == {one.rule for one in fault.expect}
    for one in fault.expect:
        # a sign is seen one look late at most, and its delay is over one look late at most
        assert one.first <= first[one.rule] <= one.last + 2 * looks, one.rule
    model.end(fault.name)
    # a warm building needs an hour, the mean of a day two days, a day's own alarm the next day
    judged += watched.go(3 * 86_400.0, every=280.0)
    standing = {rule: event for event, rule, _ in judged}
    assert set(standing.values()) <= {"clear"}, standing
    assert {rule for event, rule, at in judged if event == "raise" and at > fault.lasts + 3600} == set()


@pytest.mark.slow
@pytest.mark.parametrize("asset_class", CLASSES)
@pytest.mark.parametrize("seed", [1, 7])
def test_quiet_equipment_raises_nothing_for_a_week(
    asset_class: str, seed: int, in_range: Check, catalog: Catalog
) -> None:
    model = model_of(asset_class, seed)
    watched = Watched(catalog, asset_class, model)
    for _ in range(7):
        assert list(watched.go(86_400.0, every=120.0)) == []
        in_range(asset_class, model.values())


def test_every_fault_of_the_class_is_played_by_its_model_and_none_besides() -> None:
    for asset_class in CLASSES:
        assert model_of(asset_class).faults == set(repertoire().faults_of(asset_class))
        assert model_of(asset_class).acts == set(repertoire().acts_of(asset_class))
