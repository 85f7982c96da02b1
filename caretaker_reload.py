"""A changed site folder, applied to a running house: what depends on the change is done over, nothing else is touched.

The site comes checked; a wrong one never gets here. Then, in this order, so that nobody is told of what he does not
know yet:

1. store, ingest, live values and API take over assets and classes in place: no connection and no client is lost;
2. rules are started again when anything that they judge by, or send to, is another: as after a kill, from the records
   and the stored readings;
3. each gateway takes over its devices (`Gateway.apply`); new gateways are started, removed ones stopped.

Settings that are read only at a start stay as they were, and are named.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from operator import attrgetter

import msgspec

from caretaker_roles import House, RoleError, start_one_gateway, start_rules
from caretaker_site import Whole
from facility.catalog import Catalog
from facility.config import Site
from facility.settings import Settings
from gateway.changes import Changes
from rules.book.compiled import Rulebook

log = logging.getLogger(__name__)

FIXED = ("broker", "records", "spool", "learning", "api")
"""Sections of site.yaml that are read at a start only; of `readings` everything but `retention_days`."""


class Devices(msgspec.Struct, frozen=True):
    """The devices of one gateway that changed, by id."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class Outcome(msgspec.Struct):
    """What a reload did. `adopted`: roles that took the change over while running; `restarted`: roles that were started
    again; `needs_restart`: what of the change waits for the next start; `left`: gateway -> batches of a removed gateway
    that stay in its spool."""

    devices: dict[str, Devices] = {}
    gateways_added: list[str] = []
    gateways_removed: list[str] = []
    adopted: list[str] = []
    restarted: list[str] = []
    needs_restart: list[str] = []
    left: dict[str, int] = {}

    @property
    def is_nothing(self) -> bool:
        """Whether everything was as before."""
        return self == Outcome()

    def lines(self) -> list[str]:
        """The same in words."""
        if self.is_nothing:
            return ["nothing changed"]
        told = [f"gateway {name}: {_words(devices)}" for name, devices in self.devices.items()]
        told += [f"gateway {name}: started" for name in self.gateways_added]
        told += [f"gateway {name}: stopped" + self._left(name) for name in self.gateways_removed]
        told += [f"{name}: took the change over" for name in self.adopted]
        told += [f"{name}: started again" for name in self.restarted]
        return told + [f"needs a restart: {name}" for name in self.needs_restart]

    def _left(self, name: str) -> str:
        return f"; {self.left[name]} batches stay in its spool" if name in self.left else ""


async def reload(house: House, whole: Whole) -> Outcome:
    """Take over a checked site. RoleError when it can't be the same house: nothing has changed then."""
    before, after = Whole(house.site, house.catalog, house.rulebook), whole
    if after.site.id != before.site.id:
        raise RoleError(
            f"site.yaml: the site is {after.site.id!r} now, and was {before.site.id!r}: start anew for that"
        )
    outcome = Outcome(needs_restart=frozen(before, after))
    site = _effective(before.site, after.site)
    rules_changed = judged_otherwise(before, replace(after, site=site))
    house.site, house.catalog, house.rulebook = site, after.catalog, after.rulebook
    _adopt(house, before, outcome)
    if house.rules and rules_changed:
        await house.end("rules")
        await start_rules(house)
        outcome.restarted.append("rules")
    await _gateways(house, outcome)
    for line in outcome.lines():
        log.info("reload: %s", line)
    return outcome


def frozen(before: Whole, after: Whole) -> list[str]:
    """What of the change is read at a start only."""
    old, new = before.site.settings, after.site.settings
    found = [f"{name} (site.yaml)" for name in FIXED if getattr(old, name) != getattr(new, name)]
    if old.readings != new.readings.model_copy(update={"retention_days": old.readings.retention_days}):
        found.append("readings (site.yaml)")
    return found + [f"the kind of {name} (classes)" for name in _other_kinds(before.catalog, after.catalog)]


_JUDGED_BY = ("future_limit", "api", "alarms")
"""Settings that the rules are started with."""


def judged_otherwise(before: Whole, after: Whole) -> bool:
    """Whether the rules have to be started again: anything is another that they judge by, or that they tell."""
    look = attrgetter(
        "assets",
        "locations",
        "gateways",
        "channels",
        "routes",
        "settings.future_limit",
        "settings.api",
        "settings.alarms",
    )
    if look(before.site) != look(after.site) or _homes(before.site) != _homes(after.site):
        return True
    if _judging(before.rulebook) != _judging(after.rulebook) or _derived(before.catalog) != _derived(after.catalog):
        return True
    used = {asset.asset_class for asset in after.site.assets.values()}
    return any(before.catalog.classes.get(name) != after.catalog.classes[name] for name in used)


def _homes(site: Site) -> set[tuple[str, str]]:
    """(asset, gateway): by them the rules know whose gap it is when batches are missing."""
    return {(device.asset, device.gateway) for device in site.devices}


def _judging(rulebook: Rulebook) -> object:
    """The rules as they judge; that a rule stands on another line of its file changes nothing."""
    by_asset = rulebook.by_asset.items()
    rules = {asset: [(item.rule.id, replace(item.rule, origin="")) for item in items] for asset, items in by_asset}
    return rules, rulebook.time_zone, rulebook.holidays, rulebook.linkage


def _derived(catalog: Catalog) -> list[object]:
    """The derived points, without the place where they are written."""
    return [(item.asset_class, item.point, item.value, item.assets) for item in catalog.derived]


def _other_kinds(old: Catalog, new: Catalog) -> list[str]:
    """Points that are still there and of another kind: the series that the store has of them keep the old one."""
    return [
        f"{name}.{key}"
        for name, found in new.classes.items()
        for key, point in found.points.items()
        if (was := old.point(name, key)) is not None and was.kind is not point.kind
    ]


def _effective(old: Site, new: Site) -> Site:
    """The new site with the settings that go on until the next start."""
    keep = {name: getattr(old.settings, name) for name in FIXED}
    readings = old.settings.readings.model_copy(update={"retention_days": new.settings.readings.retention_days})
    settings: Settings = new.settings.model_copy(update={**keep, "readings": readings})
    return replace(new, folder=old.folder, settings=settings)


def _adopt(house: House, before: Whole, outcome: Outcome) -> None:
    """Store, ingest and API: in place."""
    if (before.site, before.catalog) == (house.site, house.catalog):
        return
    store = house.opened_store
    if store:
        store.adopt(house.site.assets, house.catalog)
    if house.ingest:
        house.ingest.adopt(house.site, house.catalog)
    if house.deps:
        house.deps.adopt(house.site, house.catalog)
    plain = replace(house.site, devices=before.site.devices)
    if (plain, house.catalog.classes) != (before.site, before.catalog.classes):
        outcome.adopted += [name for name, there in (("ingest", house.ingest), ("api", house.deps)) if there]


async def _gateways(house: House, outcome: Outcome) -> None:
    """Devices first leave, then come: a device may move from one gateway to another."""
    for gateway in [item for item in house.gateways if item.id not in house.site.gateways]:
        batches = await house.end_gateway(gateway)
        outcome.gateways_removed.append(gateway.id)
        if batches:
            outcome.left[gateway.id] = batches
    for gateway in house.gateways:
        changes = await gateway.apply(house.site, house.catalog)
        if changes:
            outcome.devices[gateway.id] = _plain(changes)
    running = {gateway.id for gateway in house.gateways}
    for name in house.site.gateways if house.serves_all_gateways else ():
        if name not in running:
            await start_one_gateway(house, name)
            outcome.gateways_added.append(name)


def _plain(changes: Changes) -> Devices:
    return Devices(changes.added, changes.changed, changes.removed)


def _words(devices: Devices) -> str:
    parts = (("added", devices.added), ("changed", devices.changed), ("removed", devices.removed))
    return "; ".join(f"{what} {', '.join(ids)}" for what, ids in parts if ids)
