"""A small building for ingest's tests: its site, its deliveries, its store."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from facility.assets import Asset
from facility.catalog import Catalog, load_catalog
from facility.config import Site
from facility.points import Label
from facility.readings import Quality, Sample, Value
from facility.settings import ReadingsSettings, Settings
from facility.wire import AlarmNotice, Batch
from ingest.store import Delivery

T0 = 1_790_000_000_000
"""ms; the instant that tests count from."""
LIFT, PUMPS, METER = "EL-01", "PS-01", "PM-01"
CLASSES = {LIFT: "elevator", "EL-02": "elevator", PUMPS: "water_pump", METER: "power"}
ASSETS = {name: Asset(name, asset_class, Label(name, name)) for name, asset_class in CLASSES.items()}


@lru_cache(maxsize=1)
def catalog() -> Catalog:
    """The shipped catalog, read once."""
    return load_catalog()


def a_site(folder: Path, *, readings: ReadingsSettings | None = None) -> Site:
    """A site with four assets and two gateways."""
    return Site(
        id="tower",
        label=Label("塔楼", "Tower"),
        folder=folder,
        time_zone="Asia/Shanghai",
        languages=("zh", "en"),
        gateways=("gw-1", "gw-2"),
        locations={},
        assets=ASSETS,
        devices=(),
        settings=Settings(readings=readings or ReadingsSettings()),
    )


def a_sample(asset: str = LIFT, at: int = T0, *, bad: dict[str, Quality] | None = None, **values: Value) -> Sample:
    """A sample; keyword names have `__` for the dots of a key (`car__floor=3`)."""
    found = {name.replace("__", "."): value for name, value in values.items()}
    return Sample(asset, at, found or {"car.floor": 3.0}, bad or {})


def a_batch(seq: int = 1, *samples: Sample, boot: str = "b1", hist: bool = False) -> Batch:
    """A batch of one sample, or of those given."""
    return Batch(boot, seq, list(samples) or [a_sample(at=T0 + seq * 1000)], hist)


def a_delivery(seq: int = 1, *samples: Sample, boot: str = "b1", gateway: str = "gw-1") -> Delivery:
    """A batch as a store gets it."""
    return Delivery(gateway, a_batch(seq, *samples, boot=boot), CLASSES)


def a_notice(version: int = 1, at: int = T0, *, event: str = "raise", rule: str = "lift-trapped") -> AlarmNotice:
    """An alarm transition with awkward texts."""
    return AlarmNotice(
        id="A-1",
        rule=rule,
        asset=LIFT,
        asset_class="elevator",
        severity=1,
        state="unacknowledged",
        suppression="none",
        event=event,
        at=at,
        version=version,
        zh='困人, "门区外"',
        en="Entrapment = stopped, occupied \\ outside",
    )
