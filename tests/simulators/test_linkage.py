"""The checked linkage before the simulated building: every output with everything that can go wrong with it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from facility.assets import Asset
from facility.catalog import Catalog
from facility.config import Site
from facility.points import Kind, Label
from facility.readings import Sample, Value
from rules.book.mapped import mapped_points
from rules.book.rulebook import load_rulebook
from rules.effects import Judgement
from rules.linkage.judge import Linkage
from rules.linkage.matrixfile import load_linkage
from rules.linkage.run import Run
from simulators.building import Building
from simulators.models.fire.fire_linkage import OUTPUTS, Output
from simulators.models.fire.fire_panel import FirePanel
from tests.simulators.oracle import EPOCH, sample

NUMBERS = {output.name: number for number, output in enumerate(OUTPUTS, 1)}
HOOKS = ("delay", "fail", "weak", "partial")
MOST_S = 120.0
"""The longest limit of an output."""


def effects(catalog: Catalog) -> str:
    """A matrix with one effect for each output: its contact, and the points that show what really happened."""
    points = catalog.classes["fire_alarm"].points
    found = []
    for number, output in enumerate(OUTPUTS, 1):
        proofs: list[dict[str, str]] = [{"when": f"link.output[{number}].feedback"}]
        texts = []
        for proof in output.proofs:
            keys = (
                [proof.key.format(proof.first + unit) for unit in range(output.units)]
                if "{}" in proof.key
                else [proof.key]
            )
            for key in keys:
                point = points[key]
                enum = point.kind is Kind.ENUM
                texts.append(
                    f"{key} == '{point.states[int(proof.done)].code}'" if enum else key if proof.done else f"not {key}"
                )
        if texts:
            proofs.append({"when": " and ".join(texts)})
        text = {"zh": output.name, "en": output.name}
        found.append(
            {
                "effect": number, "id": output.name, "labels": text, "action": text, "basis": output.row,
                "within": output.limit, "command": f"link.output[{number}].cmd", "proofs": proofs,
                "unexpected": f"link.output[{number}].feedback and not link.output[{number}].cmd",
            }
        )  # fmt: skip
    return json.dumps({"panel": "FA", "effects": found})


class Stage:
    """A panel alone before its matrix, in virtual time."""

    def __init__(self, folder: Path, site: Site, catalog: Catalog) -> None:
        self.model = FirePanel(Random(1), zones=16, loops=4, epoch=EPOCH)
        (folder / "linkage").mkdir()
        (folder / "linkage" / "fa.yaml").write_text(effects(catalog), encoding="utf-8")
        assets = {"FA": Asset("FA", "fire_alarm", Label("主机", "Panel"))}
        keys = {"FA": frozenset(self.model.values())}
        panel = replace(site, folder=folder, assets=assets, devices=(), gateways=())
        self.linkage = Linkage("s", load_linkage(panel, catalog, keys), assets, catalog)
        self.seconds = 0
        self.raised: list[Judgement] = []
        self.go(10)

    def go(self, seconds: float) -> None:
        for _ in range(round(seconds)):
            self.model.step(1.0)
            self.seconds += 1
            at = round((EPOCH + self.seconds) * 1000)
            self.raised += self.linkage.on_sample(sample("FA", EPOCH + self.seconds, self.model.values()))
            self.raised += self.linkage.on_tick(at)

    @property
    def alarms(self) -> set[tuple[str, int]]:
        return {
            (item.rule.id.removeprefix("fire_alarm."), item.rule.index) for item in self.raised if item.event == "raise"
        }

    @property
    def run(self) -> Run:
        (run,) = self.linkage.runs
        return run


@pytest.fixture
def stage(tmp_path: Path, demo: tuple[Site, Catalog]) -> Stage:
    return Stage(tmp_path, *demo)


def expected(output: Output, hook: str) -> str:
    """The verdict by the definition of the hook."""
    if hook == "delay":
        return "late"
    if hook == "weak":  # its contact says yes; only points of its own can say that it is not so
        return "weak" if output.proofs else "confirmed"
    if hook == "partial" and output.units == 1:
        return "confirmed"
    return "failed"


@pytest.mark.slow
@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("output", OUTPUTS[1:], ids=lambda output: output.name)
def test_every_output_with_everything_that_can_happen_to_it(stage: Stage, output: Output, hook: str) -> None:
    number = NUMBERS[output.name]
    params = {"effect": float(number)}
    params |= {"seconds": 150.0} if hook == "delay" else {}
    params |= {"count": float(max(1, output.units - 1))} if hook == "partial" else {}
    stage.model.inject(f"linkage_{hook}", first=0.0, second=1.0, **params)
    stage.go(MOST_S + 5)
    if hook == "delay":
        stage.go(90)
    verdicts = {effect.number: effect.verdict.value for effect in stage.run.effects}
    assert verdicts.pop(number) == expected(output, hook)
    assert set(verdicts.values()) == {"confirmed"}, verdicts
    wanted = {"late": f"{output.name}_failed", "failed": f"{output.name}_failed", "weak": "linkage_weak"}
    name = wanted.get(expected(output, hook))
    assert stage.alarms == ({(name, number)} if name else set())


@pytest.mark.slow
@pytest.mark.parametrize("output", OUTPUTS[1:], ids=lambda output: output.name)
def test_every_output_unasked_and_unread(stage: Stage, output: Output) -> None:
    number = NUMBERS[output.name]
    stage.model.inject("linkage_unexpected", effect=float(number))
    stage.go(output.seconds + 10)
    assert stage.alarms == {("linkage_unexpected", number)}
    stage.model.end("linkage_unexpected")
    stage.go(5)
    stage.raised.clear()
    stage.model.inject("linkage_lost", effect=float(number))
    stage.go(70)
    assert stage.alarms == {("linkage_unknown", number)}


@pytest.mark.slow
def test_what_happens_to_the_start_signal_happens_to_all(stage: Stage) -> None:
    stage.model.inject("linkage_fail", effect=1.0, first=0.0, second=1.0)
    stage.go(MOST_S + 5)
    assert {effect.verdict.value for effect in stage.run.effects} == {"failed"}


def seen(site: Site, catalog: Catalog, building: Building, at: float) -> list[Sample]:
    """What the gateways of the demo building tell: only the points that its devices have."""
    given = mapped_points(site, catalog)
    values: dict[str, dict[str, Value]] = building.values()
    return [
        sample(asset, at, {key: value for key, value in found.items() if key in given[asset]})
        for asset, found in values.items()
    ]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("fails", [False, True])
def test_the_drill_of_the_demonstration_is_a_full_run(demo: tuple[Site, Catalog], fails: bool) -> None:
    """Lifts, doors and the hydrant pump prove themselves; the goods lift of the drill stays where it is."""
    site, catalog = demo
    building = Building(site, catalog, seed=21, epoch=EPOCH, quantum=0.5)
    linkage = Linkage(site.id, load_rulebook(site, catalog).linkage, site.assets, catalog)
    judged: list[Judgement] = []
    for second in range(160):
        if second == 10:
            building.inject("FA-01", "confirmed_fire", zone=6.0, first=5.0, second=15.0)
            if fails:
                building.inject("EL-03", "recall_fails")
        building.step(1.0)
        for told in seen(site, catalog, building, EPOCH + second):
            judged += linkage.on_sample(told)
        judged += linkage.on_tick(round((EPOCH + second) * 1000))
    (run,) = linkage.runs
    assert (run.zone, run.zone_label.en) == (6, "Floor 6 server room")
    verdicts = {effect.number: effect.verdict.value for effect in run.effects}
    applicable = {number: name for number, name in verdicts.items() if name != "not_applicable"}
    assert sorted(applicable) == [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 15]
    assert applicable.pop(15) == "pending"  # it goes on to the end
    assert applicable.pop(4) == ("failed" if fails else "confirmed")
    assert set(applicable.values()) == {"confirmed"}, applicable
    assert [item.rule.id for item in judged] == (["fire_alarm.lift_recall_failed"] if fails else [])


def test_what_no_device_of_the_demonstration_shows_is_said(demo: tuple[Site, Catalog]) -> None:
    site, catalog = demo
    (matrix,) = load_rulebook(site, catalog).linkage
    assert {effect.number: effect.excused is not None for effect in matrix.effects} == {
        number: number in (9, 13, 16, 17, 18) for number in range(1, 19)
    }
