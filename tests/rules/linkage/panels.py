"""A site with a fire panel, two lifts and a door controller, its matrix from YAML, and how its readings are made."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from facility.assets import Asset
from facility.catalog import Catalog, load_catalog
from facility.config import Site
from facility.points import Label
from facility.readings import Quality, Sample, Value
from facility.settings import Settings
from rules.effects import Judgement
from rules.linkage.judge import Linkage
from rules.linkage.matrix import Matrix
from rules.linkage.matrixfile import load_linkage

CATALOG: Catalog = load_catalog()
START = 1_790_000_000_000
POINTS = {
    "FA": frozenset(
        {
            "panel.fire", "panel.started", "cnt.alarm", "zones_in_alarm", "zone[5].alarm", "zone[6].alarm",
            "link.lift_recall_cmd", "link.lift_recall_feedback", "fan.smoke_cmd", "fan.smoke_run", "hydrant_pump.run",
            "hydrant.pressure", "sprinkler_pump.run", "link.broadcast",
        }
    ),
    "EL-1": frozenset({"fire.parked", "mode.service", "power.main_ok"}),
    "EL-2": frozenset({"fire.parked", "mode.service", "power.main_ok"}),
    "AC": frozenset({"door[1].fire_release", "door[2].fire_release", "door[3].fire_release"}),
}  # fmt: skip
TEXTS = "labels: {zh: 效果, en: Effect}, action: {zh: 手动, en: By hand}, basis: GB"
MATRIX = f"""\
panel: FA
settle: 150
effects:
  - {{effect: 4, id: lifts, {TEXTS}, within: {{seconds: 10, height: 60}},
      proofs: [{{class: elevator, when: fire.parked}}]}}
  - {{effect: 6, id: doors, {TEXTS}, within: 15, proofs: [{{asset: AC, when: "door[n].fire_release", count: 2}}]}}
  - {{effect: 8, id: smoke, {TEXTS}, within: 15, command: fan.smoke_cmd,
      unexpected: fan.smoke_run and not fan.smoke_cmd, proofs: [{{when: fan.smoke_run}}]}}
  - {{effect: 10, id: pump, {TEXTS}, within: 120,
      proofs: [{{when: hydrant_pump.run}}, {{when: hydrant.pressure > 0.6}}]}}
  - {{effect: 11, id: by_hand, {TEXTS}, within: 300, instead_of: 10, proofs: [{{when: hydrant_pump.run}}]}}
  - {{effect: 15, id: keep_on, {TEXTS}, continuous: true, proofs: [{{class: elevator, when: power.main_ok}}]}}
  - {{effect: 17, id: cameras, {TEXTS}, not_applicable: {{zh: 无, en: None here}}}}
"""


def a_site(folder: Path, matrix: str | None = MATRIX) -> Site:
    """The site in a folder, with its matrix there."""
    if matrix is not None:
        (folder / "linkage").mkdir(exist_ok=True)
        (folder / "linkage" / "fa.yaml").write_text(matrix, encoding="utf-8")
    classes = {"FA": "fire_alarm", "EL-1": "elevator", "EL-2": "elevator", "AC": "access_control"}
    rated = {"EL-1": {"speed": 2.0}, "EL-2": {"speed": 1.0}}
    assets = {name: Asset(name, kind, Label(name, name), rated=rated.get(name, {})) for name, kind in classes.items()}
    return Site(
        id="s1", label=Label("楼", "house"), folder=folder, time_zone="Asia/Shanghai", languages=("zh", "en"),
        gateways=("g0",), locations={}, assets=assets, devices=(), settings=Settings(),
    )  # fmt: skip


def matrices(site: Site) -> tuple[Matrix, ...]:
    """What the loader makes of it."""
    return load_linkage(site, CATALOG, POINTS)


def a_linkage(folder: Path, matrix: str | None = MATRIX) -> Linkage:
    """The judge of that site."""
    site = a_site(folder, matrix)
    return Linkage(site.id, matrices(site), site.assets, CATALOG)


def told(asset: str, second: float, **values: Value) -> Sample:
    """A sample at a second after START; `panel__fire=True` is panel.fire, `door_1__x` is door[1].x, None a bad one."""
    found: dict[str, Value] = {}
    for name, value in values.items():
        key = name.replace("__", ".")
        for index in range(1, 10):
            key = key.replace(f"_{index}.", f"[{index}].")
        found[key] = value
    bad = {key: Quality.SENSOR for key, value in found.items() if value is None}
    return Sample(asset, START + round(second * 1000), found, bad)


QUIET = (
    told("FA", 0, panel__fire=False, panel__started=False, cnt__alarm=0, zones_in_alarm=0, zone_5__alarm=False,
         zone_6__alarm=False, fan__smoke_cmd=False, fan__smoke_run=False, hydrant_pump__run=False,
         hydrant__pressure=0.45),
    told("EL-1", 0, fire__parked=False, power__main_ok=True),
    told("EL-2", 0, fire__parked=False, power__main_ok=True),
    told("AC", 0, door_1__fire_release=False, door_2__fire_release=False, door_3__fire_release=False),
)  # fmt: skip
FIRE = told("FA", 10, panel__fire=True, panel__started=True, cnt__alarm=2, zones_in_alarm=1, zone_6__alarm=True)
"""T0 is second 10."""


def play(linkage: Linkage, samples: Iterable[Sample], until: float, *, every: float = 1.0) -> list[Judgement]:
    """The samples in order, ticks between them."""
    waiting = sorted(samples, key=lambda sample: sample.at)
    found: list[Judgement] = []
    at = START
    while at <= START + round(until * 1000):
        while waiting and waiting[0].at <= at:
            found += linkage.on_sample(waiting.pop(0))
        found += linkage.on_tick(at)
        at += round(every * 1000)
    return found


def lines(judgements: Iterable[Judgement]) -> list[str]:
    """`25 raise smoke_failed[8]`."""
    return [
        f"{(item.at - START) / 1000:g} {item.event} {item.rule.id.removeprefix('fire_alarm.')}[{item.rule.index}]"
        for item in judgements
    ]
