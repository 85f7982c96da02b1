"""Routes: is the process alive, can it work, and the counters of every role for Prometheus."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator, Mapping

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from sqlalchemy import select

from api.deps import Deps, DepsOf, Reader
from api.schemas import Alive, Readiness, refusals
from facility.errors import StoreError

log = logging.getLogger(__name__)
router = APIRouter(tags=["health"])

PATIENCE_S = 2.0
"""How long a store may take to say that it is there."""


@router.get("/healthz", summary="The process answers")
async def healthz(deps: DepsOf) -> Alive:
    """Always 200 while the process runs. Needs no token."""
    return Alive(version=deps.version)


@router.get("/readyz", summary="Everything it leans on answers", responses={503: {"model": Readiness}})
async def readyz(deps: DepsOf, response: Response) -> Readiness:
    """200 when broker, readings and records answer and the live values are warm; else 503, naming each.

    Needs no token.
    """
    readings, records = await asyncio.gather(_readings(deps), _records(deps))
    broker = "ok" if deps.bus.connected else "not connected"
    live = "ok" if deps.live.warmed.is_set() else "not warmed yet"
    ready = {broker, readings, records, live} == {"ok"}
    response.status_code = 200 if ready else 503
    response.headers["cache-control"] = "no-store"
    return Readiness(ready=ready, broker=broker, readings=readings, records=records, live=live)


@router.get(
    "/metrics",
    summary="Counters of every role, for Prometheus",
    response_class=Response,
    responses={**refusals(), 200: {"content": {"text/plain": {"example": "caretaker_api_live_readings 41\n"}}}},
)
async def metrics(deps: DepsOf, _: Reader) -> Response:
    """Prometheus text format. Needs a token (bearer), of a viewer at least."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(RolesCollector({**deps.metrics(), "api": _own(deps)}))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class RolesCollector(Collector):
    """The roles' own numbers as `caretaker_<role>_<name>`; what is no finite number is left out."""

    def __init__(self, roles: Mapping[str, Mapping[str, float]]) -> None:
        self._roles = roles

    def collect(self) -> Iterator[Metric]:
        """One gauge per role and name; a name with a colon (`depth:gw-1`) becomes a label `of`."""
        families: dict[str, GaugeMetricFamily] = {}
        for role, numbers in sorted(self._roles.items()):
            for name, number in sorted(numbers.items()):
                plain, _, of = name.partition(":")
                full = re.sub(r"[^a-zA-Z0-9_]", "_", f"caretaker_{role}_{plain}")
                labels = ["of"] if of else []
                family = families.get(full + str(labels))
                if family is None:
                    family = families[full + str(labels)] = GaugeMetricFamily(full, f"{plain} of {role}", labels=labels)
                family.add_metric([of] if of else [], float(number))
        yield from families.values()


def _own(deps: Deps) -> Mapping[str, float]:
    return {
        **deps.live.metrics(),
        **deps.commander.metrics(),
        "logins_refused": deps.gate.refused,
        "ready_broker": deps.bus.connected,
        "ready_live": deps.live.warmed.is_set(),
    }


async def _readings(deps: Deps) -> str:
    try:
        async with asyncio.timeout(PATIENCE_S):
            await deps.store.latest([next(iter(deps.site.assets))])
    except StoreError as error:
        log.warning("not ready: %s", error)  # the reason may name hosts and paths: not for callers without a token
        return "does not answer"
    except TimeoutError:
        return f"no answer in {PATIENCE_S:g} s"
    return "ok"


async def _records(deps: Deps) -> str:
    try:
        async with asyncio.timeout(PATIENCE_S), deps.records.reading() as connection:
            await connection.execute(select(1))
    except StoreError as error:
        log.warning("not ready: %s", error)  # the reason may name hosts and paths: not for callers without a token
        return "does not answer"
    except TimeoutError:
        return f"no answer in {PATIENCE_S:g} s"
    return "ok"
