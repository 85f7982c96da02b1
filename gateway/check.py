"""Does the plan of each device fit into its interval, its silence make sense? Told before anything is started."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from facility.assets import Device, Line
from facility.catalog import Catalog
from facility.config import Site
from facility.points import Profile
from gateway.lessons import Lessons
from gateway.mqtt import STALE_AFTER, stale_after
from gateway.planner import Cycle, UnreadableError, cost, schedule
from gateway.timing import timing


@dataclass(frozen=True, slots=True)
class Planned:
    """One polled device with its cycles."""

    device: Device
    profile: Profile
    cycles: tuple[Cycle, ...]
    lessons: Lessons

    def seconds(self, cycle: Cycle) -> float:
        """How long one round of a cycle is predicted to take."""
        return cost(cycle.reads, timing(self.device.line, self.profile.limits))

    @property
    def share(self) -> float:
        """The part of its connection's time that the device is predicted to take; above 1 it can't be met."""
        return sum(self.seconds(cycle) / cycle.interval for cycle in self.cycles)


def planned(device: Device, catalog: Catalog, lessons: Lessons | None = None) -> Planned:
    """The plan of a polled device; UnreadableError when its profile can't be read within its own limits.

    `lessons`: what it was found to refuse; without them the plan is that of a device that gives all it should.
    """
    profile, learnt = catalog.profiles[device.profile], lessons or Lessons()
    points = catalog.classes[profile.asset_class].points
    cycles = schedule(profile, device, points, cuts=learnt.all_cuts, without=learnt.refused)
    return Planned(device, profile, cycles, learnt)


def polled(site: Site, catalog: Catalog) -> Iterator[Device]:
    """The devices that are polled, in the order of devices.yaml."""
    return (device for device in site.devices if catalog.profiles[device.profile].protocol == "modbus")


def check(site: Site, catalog: Catalog) -> list[str]:
    """What can't be met, a line each: a device that needs longer than its interval, a connection that is too busy."""
    problems: list[str] = list(_silences(site, catalog))
    lines: dict[tuple[str, Line], list[Planned]] = {}
    for device in polled(site, catalog):
        try:
            plan = planned(device, catalog)
        except UnreadableError as error:
            problems.append(f"device {device.id}: profile {device.profile}: {error}")
            continue
        problems += _slow(plan)
        lines.setdefault((device.gateway, device.line), []).append(plan)
    for (gateway, line), plans in lines.items():
        share = sum(plan.share for plan in plans)
        if share > 1 and all(plan.share <= 1 for plan in plans):
            ids = ", ".join(plan.device.id for plan in plans)
            problems.append(
                f"gateway {gateway}: the connection {line.name} would be busy {share:.0%} of the time with {ids}; "
                "poll less often, read fewer points, or use a second connection"
            )
    return problems


def _silences(site: Site, catalog: Catalog) -> Iterator[str]:
    for device in site.devices:
        profile = catalog.profiles[device.profile]
        if profile.protocol != "mqtt":
            continue
        try:
            stale_after(profile, device)
        except ValueError as error:
            yield f"device {device.id}: param {STALE_AFTER}: {error}"


def _slow(plan: Planned) -> Iterator[str]:
    for cycle in plan.cycles:
        seconds = plan.seconds(cycle)
        if seconds > cycle.interval:
            yield (
                f"device {plan.device.id}: its {len(cycle.reads)} reads take about {seconds:.2f} s, "
                f"but it is to be polled every {cycle.interval:g} s"
            )
    if plan.share > 1 and all(plan.seconds(cycle) <= cycle.interval for cycle in plan.cycles):
        yield f"device {plan.device.id}: all its intervals together need {plan.share:.0%} of the time"
