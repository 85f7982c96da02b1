"""What a gateway measures about itself and tells as readings of its own asset, beside its status message.

`gw.uptime` and so on are of the process; `device[n]...` are of its n-th device, whose id stands in `device[n].id`.
"""

from __future__ import annotations

from collections.abc import Iterator

from facility.assets import GATEWAY_CLASS
from facility.catalog import Catalog
from facility.config import Site
from facility.points import Point

MEASURED = ("gw.uptime", "gw.cpu", "gw.memory", "gw.disk_free", "gw.requests", "gw.poll_late")
"""The process and all of its devices together."""
OF_DEVICE = (
    "id", "state", "requests", "rtt_p50", "rtt_p99", "cycle_predicted", "cycle", "overruns", "timeouts", "unreachable",
    "exceptions", "garbage", "bad_points",
)  # fmt: skip
"""`device[n].<name>`."""


def device_point(number: int, name: str) -> str:
    """The key of a measure of the n-th device."""
    return f"device[{number}].{name}"


def points_of_gateways(site: Site, catalog: Catalog) -> Iterator[Point]:
    """The points that the gateways of a site tell about themselves, in the order of the class; none without it."""
    found = catalog.classes.get(GATEWAY_CLASS)
    most = max((len(site.devices_of(name)) for name in site.gateways), default=0)
    for key, point in (found.points if found else {}).items():
        if key in MEASURED or (point.template.startswith("device[n].") and point.index <= most):
            yield point
